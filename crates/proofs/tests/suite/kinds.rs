//! Statements of every kind in one answer, and random honest ones.

use proptest::{prelude::*, test_runner::RngSeed};
use vouchsafe_proofs::{
    answer::{Given, ProveError, length, verify_all},
    planner::plan,
    statement::{Known, Predicate, Set, Statement, Term},
};

use crate::common::{Secret, declared, every_kind, rng, signed, sum};

/// The length is the formula's: sub-proofs of 64, 160 and 32(7m+1) bytes, and one aggregate.
#[test]
fn every_kind_in_one_answer() {
    let case = every_kind();
    let answer = case.prove().unwrap();
    case.verify(&answer).unwrap();
    let plan = case.plan();
    let [few, many, born, gaps] = [64 * 5, 32 * (7 * 4 + 1), 64 + 32 * 8, 64 + 32 * (7 * 5 + 1)];
    let parts = [64, 64, 160, few, many, 160, 160, 160, 64, 160, born, gaps, 128];
    // Two terms, one of them from both ends, and two sums, two ends of two intervals each, one bound: ten entries of 64 bits.
    assert_eq!((plan.n, plan.m, plan.entries.len()), (64, 16, 10));
    let expected = 1 + parts.iter().map(|bytes| 5 + bytes).sum::<usize>() + 5 + 32 * (9 + 2 * 10);
    assert_eq!([answer.len(), length(&plan)], [expected; 2]);
    let texts: Vec<_> = case.secrets.iter().map(Secret::as_text).collect();
    let known = |term: &Term| {
        let at = case.secrets.iter().position(|s| s.query == term.query && s.pointer == term.pointer)?;
        Some(texts[at].as_ref().map_or(Known::Integer(case.secrets[at].v), Known::Text))
    };
    assert!(case.statements.iter().all(|statement| statement.holds(known) == Some(true)));
}

/// What is not so has no proof, and the answer to another statement is none.
#[test]
fn what_is_not_so_is_not_answered() {
    let honest = every_kind();
    let answer = honest.prove().unwrap();
    let set = |intervals: &[[u64; 2]]| Set::of(intervals.iter().copied()).unwrap();
    let changes = [
        ("person-1", Predicate::Ne(0)),
        ("source", Predicate::Eq(0)),
        ("total", Predicate::Le(1_291_199)),
        ("total", Predicate::Ge(1_291_201)),
        ("yearly", Predicate::Ge(63_513_601)),
        ("few-wards", Predicate::Member(set(&[[2, 5], [7, 7], [9, 9]]))),
        ("many-wards", Predicate::Member(set(&[[1, 5], [7, 7], [9, 16]]))),
        ("not-there", Predicate::NotMember(set(&[[1, 2], [6, 6]]))),
        ("rooms", Predicate::Eq(5)),
        ("not-five", Predicate::Ne(4)),
        ("born", Predicate::Member(set(&[[110_000, 112_000], [131_000, 132_000]]))),
        ("listed", Predicate::NotMember(set(&[[0, 20], [56_600, 56_800]]))),
    ];
    for (id, predicate) in changes {
        let mut case = honest.clone();
        let asked = case.statements.iter_mut().find(|statement| statement.id == id).unwrap();
        asked.predicate = predicate;
        assert_eq!(case.prove(), Err(ProveError::NotMet), "{id}");
        assert!(case.verify(&answer).is_err(), "{id}");
    }
}

/// Swapped terms, a coefficient more, a term less: other statements.
#[test]
fn the_terms_of_a_sum_are_bound() {
    let honest = every_kind();
    let answer = honest.prove().unwrap();
    let changes: [fn(&mut Statement); 4] = [
        |s| s.terms.swap(0, 1),
        |s| s.terms[0].coeff = 2,
        |s| drop(s.terms.pop()),
        |s| s.terms[1].query = "q0".into(),
    ];
    for change in changes {
        let mut case = honest.clone();
        change(&mut case.statements[3]);
        assert!(case.verify(&answer).is_err());
    }
}

/// A change in every word of an answer of every kind.
#[test]
fn every_word_counts() {
    let case = every_kind();
    let mut answer = case.prove().unwrap();
    for at in (0..answer.len()).step_by(16) {
        answer[at] ^= 1;
        assert!(case.verify(&answer).is_err(), "byte {at}");
        answer[at] ^= 1;
    }
    for end in (0..answer.len()).step_by(37) {
        assert!(case.verify(&answer[..end]).is_err(), "{end} bytes");
    }
}

/// Answers with and without an aggregate, right and wrong, together.
#[test]
fn answers_of_all_kinds_at_once() {
    let whole = every_kind();
    let mut alone = every_kind();
    alone.statements.truncate(3);
    let mut answers = [&whole, &alone, &alone].map(|case| case.prove().unwrap());
    answers[2][20] ^= 1;
    let given = [&whole, &alone, &alone].into_iter().zip(&answers).map(|(case, bytes)| Given {
        context: &case.context,
        statements: &case.statements,
        bytes,
    });
    let verdicts = verify_all(&given.collect::<Vec<_>>(), &mut rng(3));
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
}

/// The largest amount of the random answers: three times it fits 16 bits, which are quick to prove.
const LARGEST: u64 = 20_000;

/// A statement about random values of the three credentials, true of them.
fn honest_statement() -> impl Strategy<Value = (u64, u64, u64, Statement)> {
    let amounts = (0..=LARGEST, 0..=LARGEST, 0..=23_u64, 0..9_u8, any::<u64>());
    amounts.prop_map(|(one, other, ward, kind, x)| {
        let terms: &[(&str, &str, i64)] = match kind {
            0..=3 => &[("q1", "/total", 3), ("q2", "/total", -2)],
            _ => &[("q0", "/ward", 1)],
        };
        let s = if kind > 3 { i128::from(ward) } else { 3 * i128::from(one) - 2 * i128::from(other) };
        (one, other, ward, sum("random", terms, satisfied(kind, s, x)))
    })
}

/// A predicate that `s` satisfies, of one of nine kinds; what cannot be planned is another kind's turn.
fn satisfied(kind: u8, s: i128, x: u64) -> Predicate {
    let near = |by: i128| u64::try_from(s + by).unwrap_or(0);
    let small = i128::from(x % 1_000);
    let wards = |keep: bool| {
        Set::of((0..24).filter(|w| (x >> w & 1 == 1 || i128::from(*w) == s) == keep).map(|w| [w; 2]))
    };
    match kind {
        0 | 4 if s + small >= 0 => Predicate::Le(near(small % 24)),
        1 | 5 if s - small % 24 >= 0 => Predicate::Ge(near(-(small % 24))),
        2 | 6 if s >= 0 => Predicate::In { lo: near(-(small % 9).min(s)), hi: near(small % 7) },
        7 => wards(true).map_or(Predicate::Le(23), Predicate::Member),
        8 => wards(false).map_or(Predicate::Le(23), Predicate::NotMember),
        _ if s < 0 => Predicate::Le(0),
        _ => Predicate::Ge(0),
    }
}

/// Answers to `count` random statements; every one that can be planned is proved and accepted.
fn random_honest(count: u32, seed: u64) -> u32 {
    let config = ProptestConfig { cases: count, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() };
    let answered = std::cell::Cell::new(0);
    let mut base = every_kind();
    // Whether its credential is named changes with the statement.
    base.context.authorisation.pseudonym = None;
    base.context.credentials[0].link = None;
    proptest!(config, |((one, other, ward, statement) in honest_statement())| {
        let mut case = base.clone();
        for (query, pointer, v) in [("q1", "/total", one), ("q2", "/total", other), ("q0", "/ward", ward)] {
            let secret = case.secrets.iter_mut().find(|s| s.query == query && s.pointer == pointer).unwrap();
            secret.v = v;
            let c = signed(secret);
            let credential = case.context.credentials.iter_mut().find(|c| c.query == query).unwrap();
            let attribute = credential.attributes.iter_mut().find(|a| a.pointer == pointer).unwrap();
            attribute.c = c;
            attribute.range.as_mut().unwrap().hi = if pointer == "/ward" { 23 } else { LARGEST };
        }
        case.statements = vec![statement];
        if plan(&case.statements, |term| declared(&case.context, term)).is_ok() {
            let answer = case.prove();
            prop_assert!(answer.is_ok_and(|bytes| case.verify(&bytes).is_ok()), "{:?}", case.statements);
            answered.set(answered.get() + 1);
        }
    });
    answered.get()
}

#[test]
fn random_honest_answers_are_accepted_1() {
    assert!(random_honest(3_500, 1) > 2_500);
}

#[test]
fn random_honest_answers_are_accepted_2() {
    assert!(random_honest(3_500, 2) > 2_500);
}

#[test]
fn random_honest_answers_are_accepted_3() {
    assert!(random_honest(3_500, 3) > 2_500);
}

#[test]
fn random_honest_answers_are_accepted_4() {
    assert!(random_honest(3_500, 4) > 2_500);
}
