//! Sub-proofs left out, said twice, moved, or taken from another answer, and attributes exchanged.

use std::ops::Range;

use vouchsafe_proofs::{
    answer,
    commitment::Commitment,
    context::Context,
    statement::{Predicate, Statement},
};

use crate::common::{Case, Secret, every_kind, rng, signed};

/// The type bytes in an answer of every kind, with its pseudonym and its aggregate.
const KINDS: [u8; 14] = [2, 2, 3, 4, 5, 3, 3, 3, 4, 3, 6, 6, 7, 1];

/// Where each sub-proof stands, with its type and its length.
fn sub_proofs(answer: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 1;
    while at < answer.len() {
        let length = u32::from_be_bytes(answer[at + 1..at + 5].try_into().unwrap()) as usize;
        found.push(at..at + 5 + length);
        at += 5 + length;
    }
    found
}

fn parts(answer: &[u8]) -> Vec<&[u8]> {
    sub_proofs(answer).into_iter().map(|range| &answer[range]).collect()
}

/// The sub-proofs in this order, as an answer.
fn whole(parts: &[&[u8]]) -> Vec<u8> {
    [&[1][..], &parts.concat()].concat()
}

#[test]
fn every_sub_proof_is_there_once_and_in_its_place() {
    let case = every_kind();
    let answer = case.prove().unwrap();
    let honest = parts(&answer);
    assert_eq!(honest.iter().map(|part| part[0]).collect::<Vec<_>>(), KINDS);
    assert_eq!(case.verify(&whole(&honest)), Ok(()));
    for (at, part) in honest.iter().enumerate() {
        let kind = part[0];
        let mut rest = honest.clone();
        rest.remove(at);
        assert!(case.verify(&whole(&rest)).is_err(), "{kind} at {at} left out");
        let with = |parts: &[&[u8]], place| whole(&[&parts[..place], &[*part], &parts[place..]].concat());
        for place in 0..=honest.len() {
            assert!(case.verify(&with(&honest, place)).is_err(), "{kind} at {at} again at {place}");
        }
        for place in 0..honest.len() {
            let moved = with(&rest, place);
            assert!(place == at || case.verify(&moved).is_err(), "{kind} at {at} moved to {place}");
            let mut instead = honest.clone();
            instead[place] = part;
            assert!(
                place == at || case.verify(&whole(&instead)).is_err(),
                "{kind} at {at} for that at {place}"
            );
        }
    }
}

/// What is asked is left out of the answer together with its statement: the verifier asks all the same.
#[test]
fn an_answer_to_fewer_statements_is_none() {
    let case = every_kind();
    for at in 0..case.statements.len() {
        let mut fewer = case.clone();
        fewer.statements.remove(at);
        let answer = fewer.prove().unwrap();
        assert_eq!(fewer.verify(&answer), Ok(()));
        assert!(case.verify(&answer).is_err(), "without statement {at}");
    }
}

/// By another generator, for another session, and for it by another resident.
fn others() -> [(&'static str, Case, Vec<u8>); 3] {
    let case = every_kind();
    let again = answer::prove(&case.context, &case.statements, &case.openings(), &mut rng(25)).unwrap();
    let mut session = case.clone();
    session.context.request.nonce.push('x');
    let answer = session.prove().unwrap();
    let mut resident = session.clone();
    for secret in &mut resident.secrets {
        secret.seed[0] ^= 1;
    }
    resign(&mut resident);
    let theirs = resident.prove().unwrap();
    [("again", case, again), ("another session", session, answer), ("another resident", resident, theirs)]
}

/// Signs all that the secrets say.
fn resign(case: &mut Case) {
    for secret in &case.secrets {
        *commitment(&mut case.context, secret) = signed(secret);
    }
}

fn commitment<'c>(context: &'c mut Context, secret: &Secret) -> &'c mut Commitment {
    let credential = context.credentials.iter_mut().find(|one| one.query == secret.query).unwrap();
    &mut credential.attributes.iter_mut().find(|one| one.pointer == secret.pointer).unwrap().c
}

/// Each sub-proof of one answer in the place of the same in another, and all from it on.
#[test]
fn a_sub_proof_of_another_answer_is_refused() {
    let case = every_kind();
    let answer = case.prove().unwrap();
    let honest = parts(&answer);
    for (name, other, theirs) in others() {
        assert_eq!(other.verify(&theirs), Ok(()), "{name}");
        let theirs = parts(&theirs);
        for at in 0..honest.len() {
            let mut mixed = honest.clone();
            mixed[at] = theirs[at];
            assert_ne!(mixed[at], honest[at], "{name}");
            let tail = [&honest[..at], &theirs[at..]].concat();
            for (mixed, what) in [(mixed, "one"), (tail, "all from one on")] {
                // All of an answer made again is that answer.
                let same = (name, at, what) == ("again", 0, "all from one on");
                assert_eq!(case.verify(&whole(&mixed)).is_ok(), same, "{name}, {what}, {at}");
                let theirs = other.verify(&whole(&mixed)).is_ok();
                assert_eq!(theirs, what != "one" && at == 0, "{name}, {what}, {at}");
            }
        }
    }
}

/// The commitments of two attributes of one credential, each under the other's pointer.
fn exchanged(query: &str, pointers: [&str; 2]) -> Case {
    let mut case = every_kind();
    let at = pointers.map(|pointer| {
        case.secrets.iter().position(|secret| secret.query == query && secret.pointer == pointer).unwrap()
    });
    let [one, other] = at.map(|at| case.secrets[at].clone());
    *commitment(&mut case.context, &one) = signed(&other);
    *commitment(&mut case.context, &other) = signed(&one);
    case
}

/// The answer that was made before serves neither after the exchange nor for statements that name each for the other.
#[test]
fn two_attributes_of_one_credential_are_not_exchanged() {
    let honest = every_kind();
    let answer = honest.prove().unwrap();
    for (query, pointers) in [
        ("q0", ["/ward", "/rooms"]),
        ("q0", ["/birth_date", "/ward"]),
        ("q1", ["/person", "/source"]),
        ("q2", ["/person", "/source"]),
    ] {
        let case = exchanged(query, pointers);
        assert!(case.verify(&answer).is_err(), "{pointers:?}");
        let mut renamed = honest.clone();
        for term in renamed.statements.iter_mut().flat_map(|statement| &mut statement.terms) {
            let at = pointers.iter().position(|pointer| term.query == query && term.pointer == *pointer);
            term.pointer = at.map_or(term.pointer.clone(), |at| pointers[1 - at].to_owned());
        }
        assert_ne!(renamed.statements, honest.statements);
        assert!(renamed.verify(&answer).is_err(), "{pointers:?}");
    }
}

/// An answer made of two exchanged attributes, by whoever knows what opens them, is one about them alone.
#[test]
fn an_answer_about_exchanged_attributes_serves_nobody_else() {
    let mut honest = every_kind();
    honest.context.authorisation.pseudonym = None;
    honest.context.credentials[0].link = None;
    // True of both: 6 and 4 are at most 9.
    let asked = |pointer| Statement::of(pointer, "q0", pointer, Predicate::Le(9));
    honest.statements = vec![asked("/ward"), asked("/rooms")];
    let mut swapped = honest.clone();
    let [ward, rooms] = ["/ward", "/rooms"]
        .map(|pointer| honest.secrets.iter().find(|secret| secret.pointer == pointer).unwrap().clone());
    *commitment(&mut swapped.context, &ward) = signed(&rooms);
    *commitment(&mut swapped.context, &rooms) = signed(&ward);
    let mut openings = answer::Openings::new();
    openings.add("q0", "/ward", rooms.v, rooms.blinding());
    openings.add("q0", "/rooms", ward.v, ward.blinding());
    let forged = answer::prove(&swapped.context, &swapped.statements, &openings, &mut rng(24)).unwrap();
    assert_eq!(swapped.verify(&forged), Ok(()));
    assert!(honest.verify(&forged).is_err());
    assert!(swapped.verify(&honest.prove().unwrap()).is_err());
}
