//! Statements of every kind in one answer.

use vouchsafe_proofs::{
    answer::{Given, ProveError, length, verify_all},
    statement::{Known, Predicate, Set, Statement, Term},
};

use crate::common::{Secret, every_kind, rng};

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
