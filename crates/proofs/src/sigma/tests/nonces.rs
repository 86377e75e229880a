//! A generator that gives noughts alone costs nobody a secret: the two formulas of whoever waits for such a prover.
//!
//! Every response is z = k + c*s for a nonce k and something secret s. Two answers by one k give s = (z - z')/(c - c'); one
//! answer by a k that is known gives s = (z - k)/c.

use super::*;
use crate::{
    pseudonym::tests::Noughts,
    sigma::{Kind, absorb_list, announce, append, begin, challenge},
};

/// A challenge and a response to it.
type Line = [Scalar; 2];

/// By a generator that gives noughts, at an index.
fn answered(claimed: &Claimed, opened: &Opened, index: u64) -> Vec<u8> {
    let proof = claimed.prove_with(index, opened, &mut Noughts).unwrap();
    assert!(claimed.holds_in(&mut start(), index, &proof));
    proof
}

/// The transcript when the prover draws its nonces, and which elements one is shown out of.
fn begun(claimed: &Claimed, index: u64, proof: &[u8]) -> (Transcript, usize) {
    let mut t = start();
    let count = match claimed {
        Claimed::Equal(pair) => {
            begin(&mut t, Kind::Equality, index, pair);
            0
        }
        Claimed::Differ(pair) => {
            begin(&mut t, Kind::Inequality, index, pair);
            0
        }
        Claimed::DiffersFrom(one, v) => {
            begin(&mut t, Kind::Inequality, index, &[*one]);
            append(&mut t, "zk-sigma-value", b"7.value", Scalar::from(*v).as_bytes());
            0
        }
        Claimed::OneOf(one, list) => listed(&mut t, Kind::OneOf, index, one, list),
        Claimed::Member(one, list) => listed(&mut t, Kind::Membership, index, one, list),
        Claimed::Within(one, set) => within(&mut t, index, (one, set), proof),
    };
    (t, count)
}

fn listed(t: &mut Transcript, kind: Kind, index: u64, one: &Hidden, list: &List) -> usize {
    begin(t, kind, index, &[*one]);
    absorb_list(t, &list.digest);
    list.elements.len()
}

/// Up to the proof of membership in an interval's proof.
fn within(t: &mut Transcript, index: u64, (one, set): (&Hidden, &Set), proof: &[u8]) -> usize {
    interval::start(t, index, one, set);
    let (ends, _) = proof[..64].as_chunks::<32>();
    announce(t, ends);
    let x = challenge(t);
    let [first, last] = [0, 1].map(|i| Hidden::new(&Commitment(ends[i])).unwrap());
    let both = Hidden::computed(first.point + x * last.point);
    listed(t, Kind::Membership, index, &both, &interval::list(set, &x).unwrap())
}

fn scalar(word: &[u8; 32]) -> Scalar {
    Scalar::from_canonical_bytes(*word).unwrap()
}

/// Every response whose secret tells something, with its challenge.
fn lines(claimed: &Claimed, index: u64, proof: &[u8]) -> Vec<Line> {
    let words = proof.as_chunks::<32>().0;
    let after = |at: usize| words[at..].iter().map(scalar).collect::<Vec<_>>();
    match claimed {
        Claimed::Equal(_) => vec![[scalar(&words[0]), scalar(&words[1])]],
        Claimed::Differ(_) | Claimed::DiffersFrom(..) => {
            let words = after(1);
            words[1..].iter().map(|z| [words[0], *z]).collect()
        }
        Claimed::OneOf(..) => after(0).as_chunks().0.to_vec(),
        Claimed::Member(..) | Claimed::Within(..) => {
            let (mut t, count) = begun(claimed, index, proof);
            let bits = membership::bits(count);
            let words = &words[words.len() - (7 * bits + 1)..];
            announce(&mut t, &words[..4 * bits]);
            let x = challenge(&mut t);
            (0..bits).map(|j| [x, scalar(&words[4 * bits + 3 * j])]).collect()
        }
    }
}

/// The nonces of the same responses, by whoever knows all but the witnesses.
fn guessed(claimed: &Claimed, index: u64, proof: &[u8]) -> Vec<Scalar> {
    let (t, count) = begun(claimed, index, proof);
    let mut nonces = Nonces::new(&t, &[], &mut Noughts);
    let mut every = |skipped: usize, step: usize, count: usize| -> Vec<Scalar> {
        let all = nonces.take(skipped + step * count);
        all.iter().skip(skipped).step_by(step).map(|k| **k).collect()
    };
    match claimed {
        Claimed::Equal(_) => every(0, 1, 1),
        Claimed::Differ(_) | Claimed::DiffersFrom(..) => every(1, 1, 3),
        Claimed::OneOf(..) => every(1, 2, count),
        Claimed::Member(..) | Claimed::Within(..) => every(0, 4, membership::bits(count)),
    }
}

/// 1/x, and nought for nought, which an attacker passes over.
fn inverse(x: Scalar) -> Scalar {
    if x == Scalar::ZERO { x } else { x.invert() }
}

/// By two answers.
fn by_two(one: &[Line], other: &[Line]) -> Vec<Scalar> {
    one.iter().zip(other).map(|([c, z], [other_c, other_z])| (z - other_z) * inverse(c - other_c)).collect()
}

/// By one answer and its nonces.
fn by_one(lines: &[Line], nonces: &[Scalar]) -> Vec<Scalar> {
    lines.iter().zip(nonces).map(|([c, z], k)| (z - k) * inverse(*c)).collect()
}

/// What the secrets of the responses say of the witness. Those of an inequality are w*d, w and -w*r.
fn told(claimed: &Claimed, secrets: &[Scalar]) -> Vec<Scalar> {
    match (claimed, secrets) {
        (Claimed::Differ(_) | Claimed::DiffersFrom(..), [g, a, e]) => vec![g * inverse(*a), -e * inverse(*a)],
        _ => secrets.to_vec(),
    }
}

/// What is to stay hidden: d and r, or r, or the bits of the place.
fn witness(name: &str, opened: &Opened) -> Vec<Scalar> {
    match name {
        "equal" | "one-of" => vec![opened.r],
        "differ" => vec![opened.v, opened.r],
        "differs-from" => vec![opened.v - Scalar::from(9_u64), opened.r],
        // The second of three elements; the second of three intervals.
        _ => vec![Scalar::ONE, Scalar::ZERO],
    }
}

/// Which kinds give up all of their secret, and which a part of it, to both formulas: by two answers, by one.
fn given_up() -> [Vec<(&'static str, bool)>; 2] {
    let mut given = [Vec::new(), Vec::new()];
    for (name, claimed, opened, _) in honest() {
        let proofs = [4, 5].map(|index| answered(&claimed, &opened, index));
        let [one, other] = [0, 1].map(|i| lines(&claimed, 4 + i as u64, &proofs[i]));
        let extracted = [by_two(&one, &other), by_one(&one, &guessed(&claimed, 4, &proofs[0]))];
        let witness = witness(name, &opened);
        for (extracted, given) in extracted.iter().zip(&mut given) {
            let told = told(&claimed, extracted);
            let known = witness.iter().filter(|secret| told.contains(secret)).count();
            given.extend((known > 0).then_some((name, known == witness.len())));
        }
    }
    given
}

/// No nonce comes twice, and none is known.
#[test]
fn nonces_do_not_rest_on_the_generator_alone() {
    assert_eq!(given_up(), [[], []]);
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::*;

    const ALL: [(&str, bool); 6] = [
        ("equal", true),
        ("differ", true),
        ("differs-from", true),
        ("one-of", true),
        ("member", true),
        ("within", true),
    ];

    /// The same nonces for another statement: two answers tell everything. Not those of an interval: the witness of the
    /// membership within depends on the challenge after both ends, and that is another one.
    #[test]
    fn without_the_transcript_in_the_nonces_two_answers_tell_the_secret() {
        assert_eq!(without("zk-nonce-transcript", given_up), [&ALL[..5], &[]]);
    }

    /// Nonces that anybody can draw: one answer tells everything.
    #[test]
    fn without_the_witness_in_the_nonces_one_answer_tells_the_secret() {
        assert_eq!(without("zk-nonce-witness", given_up), [&[], &ALL[..]]);
    }
}
