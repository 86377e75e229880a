//! The bytes of an answer: only the honest ones, whole and unchanged, are accepted.

use crate::common::{Case, age, bus_pass, everything, link_blinding, link_secret, rng, scope};
use vouchsafe_proofs::{
    answer::{
        Given, MAX_LENGTH, Openings, ProofFailed, ProveError, dangerous_claimed_pseudonym, length, prove,
        verify_all,
    },
    commitment::{Blinding, Commitment, Seed, commit},
    context::{Pseudonym, SignedRange},
    planner::PlanError,
    pseudonym::{LinkSecret, Scope},
    statement::{Predicate, Statement},
};

#[test]
fn lengths_are_the_formulas() {
    for (case, n, m, bytes) in
        [(age(), 16, 1, 544), (bus_pass(), 16, 4, 672), (everything(), 64, 8, 864 + 133)]
    {
        let plan = case.plan();
        assert_eq!((plan.n, plan.m, length(&plan)), (n, m, 6 + bytes));
        assert_eq!(case.prove().unwrap().len(), 6 + bytes);
    }
}

#[test]
fn every_truncation_is_refused() {
    let case = age();
    let answer = case.prove().unwrap();
    for end in 0..answer.len() {
        assert!(case.verify(&answer[..end]).is_err(), "the first {end} bytes were accepted");
    }
    for more in [&[0][..], &[0; 32], &[0; 64], &answer[6..]] {
        assert!(case.verify(&[&answer, more].concat()).is_err());
    }
    assert!(case.verify(&vec![0; 1 << 20]).is_err());
    assert!(case.verify(&vec![1; MAX_LENGTH]).is_err());
}

#[test]
fn every_bit_flip_is_refused() {
    let case = age();
    let mut answer = case.prove().unwrap();
    for bit in 0..answer.len() * 8 {
        answer[bit / 8] ^= 1 << (bit % 8);
        assert!(case.verify(&answer).is_err(), "bit {bit} may be flipped");
        answer[bit / 8] ^= 1 << (bit % 8);
    }
    case.verify(&answer).unwrap();
}

/// The group's order l added to a scalar is the same scalar, and another text.
#[test]
fn scalars_have_one_encoding() {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let case = age();
    let honest = case.prove().unwrap();
    let scalars = [4, 5, 6, 15, 16].map(|element| 6 + 32 * element);
    for at in scalars {
        let mut answer = honest.clone();
        let mut carry = 0;
        for (byte, l) in answer[at..at + 32].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        assert!(case.verify(&answer).is_err(), "the scalar at {at} has a second encoding");
    }
}

/// The identity in the place of any point of the proof.
#[test]
fn identity_points_are_refused() {
    let case = age();
    let honest = case.prove().unwrap();
    for element in [0, 1, 2, 3].into_iter().chain(7..15) {
        let mut answer = honest.clone();
        answer[6 + 32 * element..][..32].fill(0);
        assert!(case.verify(&answer).is_err(), "element {element} may be the identity");
    }
}

#[test]
fn unsound_commitments_are_refused_on_both_sides() {
    let zero = Blinding::from_canonical_bytes([0; 32]).unwrap();
    let mut case = age();
    let honest = case.prove().unwrap();
    for encoding in [[0; 32], [1; 32], [0xff; 32]] {
        let c = Commitment(encoding);
        assert!(!c.is_valid());
        case.context.credentials[0].attributes[0].c = c;
        assert!(case.verify(&honest).is_err());
        let mut openings = Openings::new();
        openings.add("q0", "/birth_date", 0, zero.clone());
        let made = prove(&case.context, &case.statements, &openings, &mut rng(1));
        assert_eq!(made, Err(ProveError::WrongOpening));
    }
}

#[test]
fn a_prover_learns_why_and_never_which_value() {
    let case = age();
    let mut late = case.clone();
    late.statements[0].predicate = Predicate::Le(case.secrets[0].v - 1);
    assert_eq!(late.prove(), Err(ProveError::NotMet));
    assert!(!ProveError::NotMet.to_string().contains(char::is_numeric));
    let none = prove(&case.context, &case.statements, &Openings::new(), &mut rng(1));
    assert_eq!(none, Err(ProveError::NoOpening));
    let mut wrong = case.clone();
    wrong.secrets[0].v += 1;
    assert_eq!(wrong.prove(), Err(ProveError::WrongOpening));
    let mut unknown = case;
    unknown.statements[0].terms[0].pointer = "/nothing".into();
    assert_eq!(unknown.prove(), Err(ProveError::Plan(PlanError::Unknown)));
}

/// The bound itself, one below and one above, for every kind of bound.
#[test]
fn boundaries_are_exact() {
    let case = age();
    let v = case.secrets[0].v;
    for (predicate, met) in [
        (Predicate::Le(v), true),
        (Predicate::Le(v + 1), true),
        (Predicate::Le(v - 1), false),
        (Predicate::Ge(v), true),
        (Predicate::Ge(v - 1), true),
        (Predicate::Ge(v + 1), false),
        (Predicate::In { lo: v, hi: v }, true),
        (Predicate::In { lo: v + 1, hi: v + 9 }, false),
        (Predicate::In { lo: v - 9, hi: v - 1 }, false),
    ] {
        let mut asked = case.clone();
        assert_eq!(predicate.holds(v), met);
        asked.statements[0].predicate = predicate;
        match asked.prove() {
            Ok(answer) => assert!(met && asked.verify(&answer).is_ok()),
            Err(error) => assert!(!met && error == ProveError::NotMet),
        }
    }
}

/// A generator that gives zeros does not repeat nonces between contexts.
#[test]
fn a_broken_generator_alone_reveals_nothing() {
    struct Zero;
    impl rand_core::RngCore for Zero {
        fn next_u32(&mut self) -> u32 {
            0
        }
        fn next_u64(&mut self) -> u64 {
            0
        }
        fn fill_bytes(&mut self, dest: &mut [u8]) {
            dest.fill(0);
        }
        fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
            dest.fill(0);
            Ok(())
        }
    }
    impl rand_core::CryptoRng for Zero {}
    let case = age();
    let mut other = case.clone();
    other.context.request.nonce.push('x');
    let [one, two] =
        [&case, &other].map(|c| prove(&c.context, &c.statements, &c.openings(), &mut Zero).unwrap());
    // A, S, T1, T2 are all made with nonces.
    for element in 0..4 {
        let at = 6 + 32 * element;
        assert_ne!(one[at..at + 32], two[at..at + 32]);
    }
    case.verify(&one).unwrap();
}

/// 32 entries of 64 bits.
#[test]
fn the_largest_aggregate() {
    let mut case = everything();
    case.context.authorisation.pseudonym = None;
    case.context.credentials[0].link = None;
    let full = SignedRange { b: 64, lo: 0, hi: u64::MAX };
    let savings = case.context.credentials[1].attributes.pop().unwrap();
    assert_eq!(savings.range, Some(full));
    case.context.credentials[1].attributes = vec![savings];
    let v = case.secrets[4].v;
    let interval = |i: u64| Predicate::In { lo: v - i, hi: v + 15 - i };
    let asked = |i: u64| Statement::of(&format!("s{i}"), "q1", "/savings", interval(i));
    case.statements = (0..16).map(asked).collect();
    let answer = case.prove().unwrap();
    assert_eq!(answer.len(), 1 + 5 + 32 * (9 + 2 * 11));
    case.verify(&answer).unwrap();
    case.statements.push(asked(15));
    case.statements[16].id = "one too many".into();
    assert_eq!(case.prove(), Err(ProveError::Plan(PlanError::TooMany)));
}

/// Both ends of the widest range: 2^64 - 1 does not wrap.
#[test]
fn the_widest_values_do_not_wrap() {
    for (v, predicate) in
        [(0, Predicate::Le(u64::MAX - 1)), (u64::MAX, Predicate::Ge(1)), (u64::MAX, Predicate::Ge(u64::MAX))]
    {
        let mut case = everything();
        case.context.authorisation.pseudonym = None;
        case.context.credentials[0].link = None;
        case.statements = vec![Statement::of("wide", "q1", "/savings", predicate)];
        case.secrets[4].v = v;
        case.context.credentials[1].attributes[1].c = crate::common::signed(&case.secrets[4]);
        let answer = case.prove().unwrap();
        case.verify(&answer).unwrap();
    }
}

#[test]
fn a_seed_gives_each_attribute_its_own_blinding() {
    let seed = Seed::new([1; 32]);
    let r = seed.blinding("https://a.example", "t", "/p");
    let others = [
        ("https://a.examplet", "", "/p"),
        ("https://a.example", "t/p", ""),
        ("https://a.example", "t", "/q"),
    ];
    for (iss, vct, pointer) in others {
        assert_ne!(*seed.blinding(iss, vct, pointer).to_bytes(), *r.to_bytes());
    }
    assert_ne!(commit(1, &r), commit(2, &r));
}

/// Of answers to different requests, each is judged as if it stood alone.
#[test]
fn many_answers_at_once() {
    let cases = [age(), bus_pass(), everything(), age()];
    let mut answers = cases.each_ref().map(|case| case.prove().unwrap());
    let all = |answers: &[Vec<u8>; 4]| {
        let given = cases.iter().zip(answers).map(|(case, bytes)| Given {
            context: &case.context,
            statements: &case.statements,
            bytes,
        });
        verify_all(&given.collect::<Vec<_>>(), &mut rng(3))
    };
    assert_eq!(all(&answers), [Ok(()); 4]);
    answers[1][40] ^= 1;
    assert_eq!(all(&answers), [Ok(()), Err(ProofFailed), Ok(()), Ok(())]);
    // What has not even the form is left out of the sum, and keeps its place.
    answers[2].clear();
    assert_eq!(all(&answers), [Ok(()), Err(ProofFailed), Err(ProofFailed), Ok(())]);
    answers.swap(0, 3);
    assert_eq!(all(&answers)[0], Ok(()));
    answers.swap(0, 1);
    assert_eq!(all(&answers)[..2], [Err(ProofFailed); 2]);
    assert_eq!(verify_all(&[], &mut rng(3)), []);
}

/// The sub-proof of a pseudonym stands before the aggregate, and shows the pseudonym of item 4.
#[test]
fn a_pseudonym_is_in_the_answer() {
    let case = everything();
    let answer = case.prove().unwrap();
    assert_eq!(answer[1], 0x07);
    let mut asked = case.context.clone();
    asked.authorisation.pseudonym.as_mut().unwrap().value.clear();
    let shown = |bytes: &[u8]| {
        dangerous_claimed_pseudonym(&asked, &case.statements, bytes).map(|nym| nym.to_bytes().to_vec())
    };
    assert_eq!(shown(&answer), Some(link_secret().pseudonym(&scope("2026")).value));
    for wrong in [&answer[..answer.len() - 1], &answer[1..], &[]] {
        assert_eq!(shown(wrong), None);
    }
    let mut identity = answer.clone();
    identity[6..38].fill(0);
    assert_eq!(shown(&identity), None);
    assert!(
        dangerous_claimed_pseudonym(&age().context, &age().statements, &age().prove().unwrap()).is_none()
    );
}

/// Neither comes without the other, both ways; and the sub-proof is nowhere else and there once.
#[test]
fn a_pseudonym_and_its_sub_proof_go_together() {
    let (with, mut without) = (everything(), everything());
    without.context.authorisation.pseudonym = None;
    without.context.credentials[0].link = None;
    let [shown, silent] = [&with, &without].map(|case| case.prove().unwrap());
    without.verify(&silent).unwrap();
    assert!(with.verify(&silent).is_err() && without.verify(&shown).is_err());
    let (head, sub_proof, rest) = (&shown[..1], &shown[1..134], &shown[134..]);
    for wrong in [
        [head, rest, sub_proof].concat(),
        [head, sub_proof, sub_proof, rest].concat(),
        [head, sub_proof, &silent[1..]].concat(),
        [head, rest].concat(),
    ] {
        assert!(with.verify(&wrong).is_err() && without.verify(&wrong).is_err());
    }
    for change in [
        |case: &mut Case| case.context.authorisation.pseudonym = None,
        |case: &mut Case| case.context.credentials[0].link = None,
        |case: &mut Case| case.context.credentials[1].link = case.context.credentials[0].link,
    ] {
        let mut case = everything();
        change(&mut case);
        assert_eq!(case.prove(), Err(ProveError::Plan(PlanError::Pseudonym)));
        assert!(case.verify(&shown).is_err() && case.verify(&silent).is_err());
    }
}

/// Of another secret, of another copy, for another context: nothing is made, and what was made does not serve.
#[test]
fn a_pseudonym_of_somebody_else_is_not_shown() {
    let case = everything();
    let answer = case.prove().unwrap();
    let (x, other) = (link_secret(), LinkSecret::from_canonical_bytes([8; 32]).unwrap());
    let t = link_blinding();
    let proved = |x: &LinkSecret, t: &Blinding| {
        let mut openings = Openings::new();
        case.secrets.iter().for_each(|s| openings.add(s.query, s.pointer, s.v, s.blinding()));
        openings.add_link("q0", x, t);
        prove(&case.context, &case.statements, &openings, &mut rng(24))
    };
    assert_eq!(proved(&x, &t), Ok(answer.clone()));
    assert_eq!(proved(&other, &t), Err(ProveError::WrongOpening));
    assert_eq!(proved(&x, &Blinding::from_canonical_bytes([1; 32]).unwrap()), Err(ProveError::WrongOpening));
    let fitted = |value: &[u8]| [&answer[..6], value, &answer[38..]].concat();
    let service = Scope::new("https://trams.example", "leisure", "2026").unwrap();
    let action = Scope::new(&case.context.request.service, "pass", "2026").unwrap();
    for item4 in [
        x.pseudonym(&scope("2027")),
        x.pseudonym(&service),
        x.pseudonym(&action),
        other.pseudonym(&scope("2026")),
        Pseudonym { context: "leisure/2026".into(), value: x.pseudonym(&scope("2026")).value },
        Pseudonym { context: scope("2026").as_str().into(), value: vec![0; 32] },
    ] {
        let mut changed = case.clone();
        changed.context.authorisation.pseudonym = Some(item4.clone());
        assert!(changed.verify(&answer).is_err() && changed.verify(&fitted(&item4.value)).is_err());
    }
    // Another credential of the same secret has a commitment of its own.
    let mut swapped = case.clone();
    swapped.context.credentials[0].link = None;
    swapped.context.credentials[1].link = Some(x.commit(&case.secrets[0].blinding()));
    assert!(swapped.verify(&answer).is_err());
}
