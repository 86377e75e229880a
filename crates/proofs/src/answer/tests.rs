//! Answers of a prover that does not keep to the rules: it knows openings over the group's order, not over the integers.

mod sums;

use std::collections::BTreeMap;

use curve25519_dalek::Scalar;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::Zeroizing;

use super::{Openings, entries, layout::Written, parts, prove, verify};
use crate::{
    commitment::{Blinding, Commitment},
    context::{
        Attribute, Authorisation, Context, Credential, IssuerKey, Policy, ReplyTo, Request, SignedRange,
    },
    encoding::Encoding,
    group,
    planner::{Side, plan_in},
    range::{self, Witness},
    statement::{Predicate, Set, Statement, Term},
    transcript,
};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([5; 32])
}

/// What one attribute hides, and its blinding.
type Hidden = (Scalar, Scalar);

/// A request about credentials `q0`, `q1` and so on with one amount each, at `/v`.
fn context(hidden: &[Hidden]) -> Context {
    let credential = |(i, (v, r)): (usize, &Hidden)| Credential {
        query: format!("q{i}"),
        iss: format!("https://payer-{i}.example"),
        issuer: IssuerKey::Key([i as u8; 32]),
        vct: "urn:income/zk".into(),
        jwt_sha256: [i as u8; 32],
        holder_key: [i as u8; 32],
        attributes: vec![Attribute {
            pointer: "/v".into(),
            enc: Encoding::Pence,
            unit: "GBP-pence".into(),
            range: Some(SignedRange { b: 32, lo: 0, hi: 65_535 }),
            c: Commitment(group::commit(v, r).compress().0),
        }],
        link: None,
    };
    Context {
        request: Request {
            service: "https://service.example".into(),
            client_id: "x509_hash:a".into(),
            nonce: "n".into(),
            state_sha256: [1; 32],
            reply_to: ReplyTo::Origin("https://service.example".into()),
            encryption_key: None,
        },
        policy: Policy {
            purpose: "p".into(),
            id: "p".into(),
            version: 1,
            digest: [2; 32],
            statements: [3; 32],
            option: 0,
            as_of: 1,
            tables: Vec::new(),
        },
        authorisation: Authorisation::default(),
        credentials: hidden.iter().enumerate().map(credential).collect(),
    }
}

fn sum(count: usize, k: u64) -> [Statement; 1] {
    let terms = (0..count).map(|i| Term::new(&format!("q{i}"), "/v", 1)).collect();
    [Statement { id: "low".into(), terms, predicate: Predicate::Le(k) }]
}

fn openings(hidden: &[(u64, Scalar)]) -> Openings {
    let mut openings = Openings::new();
    for (i, (v, r)) in hidden.iter().enumerate() {
        openings.add(&format!("q{i}"), "/v", *v, Blinding(*r));
    }
    openings
}

fn blindings() -> [Scalar; 2] {
    [11_u64, 12].map(Scalar::from)
}

/// The aggregate by itself, over w and blindings that the caller computed; nothing is looked at first.
fn forged(context: &Context, statements: &[Statement], mut entries: Vec<(u64, Scalar)>) -> Vec<u8> {
    let plan = plan_in(context, statements).unwrap();
    entries.resize(plan.m, (0, Scalar::ZERO));
    let mut t = transcript::bound(context, statements);
    transcript::sub_proofs(&mut t, &plan);
    let points = entries::values(context, statements, &plan, &BTreeMap::new()).unwrap();
    transcript::range_proof(&mut t, &plan, &points.encodings);
    let (values, blindings) = entries.into_iter().map(|(w, r)| (w, r.to_bytes())).unzip();
    let witness = Witness { values: Zeroizing::new(values), blindings: Zeroizing::new(blindings) };
    let (proof, _) = range::prove(&mut t, plan.n, &witness, &mut rng()).unwrap();
    let mut written = Written::new(&plan);
    written.add(transcript::RANGE_PROOF, &proof);
    written.finish()
}

/// One payer certifies "minus 10,000", which is l - 10,000; the other 15,000. Their sum is at most 6,000, and the honest
/// prover has no integer for it.
fn negative_income() -> bool {
    let [r, s] = blindings();
    let context = context(&[(Scalar::from(15_000_u64), r), (-Scalar::from(10_000_u64), s)]);
    let statements = sum(2, 6_000);
    let bound = (1_000, -(r + s));
    // What the terms by themselves would have to be: 15,000 and a number that no width has.
    let terms = [(15_000, r), (55_536, s)];
    let entries = if vouchsafe_mutants::skips("zk-plan-each-term") {
        vec![bound]
    } else {
        vec![terms[0], terms[1], bound]
    };
    verify(&context, &statements, &forged(&context, &statements, entries)).is_ok()
}

#[test]
fn a_negative_income_pulls_no_sum_down() {
    assert!(!negative_income());
    let [r, s] = blindings();
    let honest = context(&[(Scalar::from(5_000_u64), r), (Scalar::from(1_000_u64), s)]);
    let statements = sum(2, 6_000);
    let entries = vec![(5_000, r), (1_000, s), (0, -(r + s))];
    assert!(verify(&honest, &statements, &forged(&honest, &statements, entries)).is_ok());
}

/// What each of two payers may certify is at most 999. One of them goes beyond, so that 5 + 60,000 is at least 1,500, and
/// 2 * 999 - 2,000 at most 100: no two numbers that they may certify do that.
fn certified_too_much() -> [bool; 2] {
    let [r, s] = blindings();
    let cases = [
        ([1, 1], Predicate::Ge(1_500), [(5, r), (60_000, s)], (58_505, r + s)),
        ([2, -1], Predicate::Le(100), [(999, r), (2_000, s)], (102, s - r - r)),
    ];
    cases.map(|(coefficients, predicate, known, bound)| {
        let mut context = context(&known.map(|(v, r)| (Scalar::from(v), r)));
        for credential in &mut context.credentials {
            credential.attributes[0].range = Some(SignedRange { b: 32, lo: 0, hi: 999 });
        }
        let up_to =
            |(v, r): (u64, Scalar)| ((999 - i64::try_from(v).unwrap()).rem_euclid(1 << 16) as u64, -r);
        let terms = match (coefficients, vouchsafe_mutants::skips("zk-plan-each-end")) {
            (_, true) => known,
            ([1, 1], false) => known.map(up_to),
            (_, false) => [known[0], up_to(known[1])],
        };
        let named = |(query, coeff)| Term::new(query, "/v", coeff);
        let terms_asked = ["q0", "q1"].into_iter().zip(coefficients).map(named).collect();
        let statements = [Statement { id: "sum".into(), terms: terms_asked, predicate }];
        verify(&context, &statements, &forged(&context, &statements, [&terms[..], &[bound]].concat())).is_ok()
    })
}

#[test]
fn more_than_may_be_certified_pushes_no_sum_over_its_bound() {
    assert_eq!(certified_too_much(), [false; 2]);
}

/// Each end of a term's range is shown once, and only where it matters; an interval needs both.
#[test]
fn the_end_that_counts_is_shown_once() {
    let [r, s] = blindings();
    let context = context(&[(Scalar::from(5_u64), r), (Scalar::from(6_u64), s)]);
    let asked = |id: &str, coefficients: [i64; 2], predicate| {
        let named = |(query, coeff)| Term::new(query, "/v", coeff);
        let terms = ["q0", "q1"].into_iter().zip(coefficients).map(named).collect();
        Statement { id: id.into(), terms, predicate }
    };
    let statements = [
        asked("low", [1, 1], Predicate::Le(11)),
        asked("high", [2, -1], Predicate::Ge(3)),
        asked("both", [1, 1], Predicate::In { lo: 11, hi: 12 }),
    ];
    let plan = plan_in(&context, &statements).unwrap();
    let (least, greatest) = (|term| Side::Term { term, lo: 0 }, |term| Side::TermUpTo { term, hi: 65_535 });
    let sides: Vec<_> = plan.entries.iter().map(|entry| (entry.statement, entry.side)).collect();
    let expected = [
        (0, least(0)),
        (0, least(1)),
        (0, Side::AtMost(11)),
        (1, greatest(0)),
        (1, Side::AtLeast(3)),
        (2, greatest(1)),
        (2, Side::AtMost(12)),
        (2, Side::AtLeast(11)),
    ];
    assert_eq!(sides, expected);
    let answer = prove(&context, &statements, &openings(&[(5, r), (6, s)]), &mut rng()).unwrap();
    assert_eq!(verify(&context, &statements, &answer), Ok(()));
}

/// 99,990 of 16 bits: the package proves its lowest bits, and whoever checks that could read the others from what is left.
fn proved_beyond_its_range() -> Result<Vec<u8>, super::ProveError> {
    let [r, _] = blindings();
    let context = context(&[(Scalar::from(100_000_u64), r)]);
    let statements = [Statement::of("high", "q0", "/v", Predicate::Ge(10))];
    prove(&context, &statements, &openings(&[(100_000, r)]), &mut rng())
}

#[test]
fn a_value_beyond_its_range_is_not_proved() {
    assert_eq!(proved_beyond_its_range(), Err(super::ProveError::NotMet));
}

/// Whatever opens a pair is compared with both commitments before a proof is made of it.
#[test]
fn a_difference_that_opens_nothing_is_refused() {
    let [r, s] = blindings();
    let context = context(&[(Scalar::from(5_u64), r), (Scalar::from(5_u64), s)]);
    let pair = [Statement::pair("same", [("q0", "/v"), ("q1", "/v")], Predicate::Eq(0))];
    let made = |difference: [(u64, Scalar); 2]| {
        let [one, other] = difference.map(|(v, r)| crate::sigma::Opened::integer(v, &Blinding(r)));
        let mut openings = Openings::new();
        let opened = crate::sigma::Opened::difference(&one, &other);
        openings.add_difference([("q0", "/v"), ("q1", "/v")], opened);
        prove(&context, &pair, &openings, &mut rng())
    };
    let answer = made([(5, r), (5, s)]).unwrap();
    assert_eq!(verify(&context, &pair, &answer), Ok(()));
    assert_eq!(made([(5, r), (5, r)]), Err(super::ProveError::WrongOpening));
    assert_eq!(prove(&context, &pair, &Openings::new(), &mut rng()), Err(super::ProveError::NoOpening));
}

/// Nothing is left to weigh where no entry is: the other sub-proofs stand alone, and so does their order.
#[test]
fn sub_proofs_are_not_exchanged() {
    let [r, s] = blindings();
    let context = context(&[(Scalar::from(5_u64), r), (Scalar::from(5_u64), s)]);
    let set = Set::of([[2, 2], [5, 5]]).unwrap();
    let statements = [
        Statement::of("one", "q0", "/v", Predicate::Member(set.clone())),
        Statement::of("other", "q1", "/v", Predicate::Member(set)),
    ];
    let answer = prove(&context, &statements, &openings(&[(5, r), (5, s)]), &mut rng()).unwrap();
    assert_eq!((answer.len(), verify(&context, &statements, &answer)), (1 + 2 * (5 + 128), Ok(())));
    let (head, [one, other]) = (answer[0], [&answer[1..134], &answer[134..]]);
    let swapped = [&[head][..], other, one].concat();
    assert!(verify(&context, &statements, &swapped).is_err());
    let twice = [&[head][..], one, one].concat();
    assert!(verify(&context, &statements, &twice).is_err());
    assert!(verify(&context, &statements, &answer[..134]).is_err());
    assert!(verify(&context, &statements[..1], &answer[..134]).is_err());
    let plan = plan_in(&context, &statements).unwrap();
    assert_eq!((plan.count(), plan.n, plan.m), (2, 0, 0));
    assert!(parts::hidden(&context, &statements[0].terms).is_some());
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    #[test]
    fn without_a_range_of_each_term_a_negative_income_passes() {
        assert!(without("zk-plan-each-term", super::negative_income));
    }

    #[test]
    fn without_the_other_end_of_each_term_too_much_passes() {
        assert_eq!(without("zk-plan-each-end", super::certified_too_much), [true; 2]);
    }

    #[test]
    fn without_the_width_a_proof_that_fails_is_sent() {
        assert!(without("zk-entry-width", super::proved_beyond_its_range).is_ok());
    }
}
