//! Our verdicts beside the package's, on proofs that are right, wrong in one place, and wrong together.

mod mutated;
mod nonces;

use merlin::Transcript;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde_json::Value;
use zeroize::Zeroizing;

use curve25519_dalek::Scalar;

use super::{
    Claim, Values, Witness,
    claim::{all_hold_vartime, weights},
    package, proof_length, prove, verify_all_vartime,
};
use crate::{hex::tests::unhex, pseudonym::tests::Noughts};

const LABEL: &[u8] = b"test";

/// A proof, and what it says.
struct Said {
    label: &'static [u8],
    n: usize,
    points: Vec<[u8; 32]>,
    proof: Vec<u8>,
}

impl Said {
    /// The largest value of n bits, and smaller ones, by a fixed source of chance.
    fn of(n: usize, m: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64((n * m) as u64);
        let values: Vec<u64> = (0..m).map(|j| (u64::MAX >> (64 - n)) >> j).collect();
        let blindings = (0..m).map(|_| {
            let mut wide = [0; 64];
            rng.fill_bytes(&mut wide);
            Scalar::from_bytes_mod_order_wide(&wide).to_bytes()
        });
        let witness =
            Witness { blindings: Zeroizing::new(blindings.collect()), values: Zeroizing::new(values) };
        let (proof, points) = prove(&mut Transcript::new(LABEL), n, &witness, &mut rng).unwrap();
        Self { label: LABEL, n, points, proof }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut said = Self { points: self.points.clone(), proof: self.proof.clone(), ..*self };
        change(&mut said);
        said
    }

    fn claim(&self) -> Option<Claim<'_>> {
        Claim::new(&mut Transcript::new(self.label), self.n, Values::decode(&self.points)?, &self.proof)
    }

    /// Our verdict.
    fn holds(&self) -> bool {
        self.claim().is_some_and(|claim| claim.holds_vartime())
    }

    /// Our verdict, which must be the package's.
    fn judged(&self) -> bool {
        let theirs =
            package::verify_vartime(&mut Transcript::new(self.label), self.n, &self.points, &self.proof);
        assert_eq!(self.holds(), theirs, "n = {}, m = {}", self.n, self.points.len());
        theirs
    }
}

fn together(all: &[&Said]) -> Vec<bool> {
    let claims: Vec<_> = all.iter().map(|said| said.claim().unwrap()).collect();
    verify_all_vartime(&claims, &mut ChaCha20Rng::seed_from_u64(1))
}

fn points(texts: &Value) -> Vec<[u8; 32]> {
    texts.as_array().unwrap().iter().map(|c| unhex(c.as_str().unwrap()).try_into().unwrap()).collect()
}

/// The sixteen proofs of the package's own tests, made by its release 1.0.0.
#[test]
fn published_proofs_hold() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../specs/vectors/bulletproofs/range_proof.json"))
            .unwrap();
    let (commitments, proofs) = (points(&vectors["commitments"]), vectors["proofs"].as_array().unwrap());
    assert_eq!((proofs.len(), commitments.len()), (16, 8));
    for case in proofs {
        let [n, m] = ["n", "m"].map(|name| case[name].as_u64().unwrap() as usize);
        let proof = unhex(case["proof"].as_str().unwrap());
        assert_eq!(proof.len(), proof_length(n, m));
        let said =
            Said { label: b"Deserialize-And-Verify Test", n, points: commitments[..m].to_vec(), proof };
        assert!(said.judged(), "n = {n}, m = {m}");
        // The value 0 shifted to the end is another statement, unless it stands alone.
        assert_eq!(said.with(|said| said.points.rotate_left(1)).judged(), m == 1);
        assert!(!said.with(|said| said.proof[0] ^= 1).judged());
    }
}

#[test]
fn every_size_that_can_be_planned() {
    for n in [8, 16, 32, 64] {
        for m in [1, 2, 4, 8, 16, 32] {
            let said = Said::of(n, m);
            assert!(said.judged());
            assert!(!said.with(|said| said.n = if n == 8 { 16 } else { n / 2 }).judged());
        }
    }
}

/// One bit of each 32 bytes, low and high, and each value.
#[test]
fn a_change_anywhere_is_refused() {
    let said = Said::of(16, 2);
    for word in 0..said.proof.len() / 32 {
        for (byte, bit) in [(0, 0), (0, 1), (15, 3), (31, 4), (31, 7)] {
            assert!(!said.with(|said| said.proof[32 * word + byte] ^= 1 << bit).judged(), "word {word}");
        }
    }
    assert!(!said.with(|said| said.points.swap(0, 1)).judged());
    assert!(!said.with(|said| said.points[1] = [0; 32]).judged());
    assert!(!said.with(|said| said.label = b"another").judged());
}

#[test]
fn sizes_outside_the_plan_are_refused() {
    let said = Said::of(16, 1);
    for m in [0, 3, 64] {
        assert!(!said.with(|said| said.points = vec![[0; 32]; m]).judged());
    }
    for n in [0, 1, 4, 12, 128] {
        assert!(!said.with(|said| said.n = n).holds());
    }
    for length in [0, 1, 32, 223, 224, 543, 545, 576] {
        assert!(!said.with(|said| said.proof.resize(length, 0)).judged());
    }
}

/// Places of A, S, T1, T2, L and R in a proof of n = 16, m = 1.
fn point_places() -> impl Iterator<Item = usize> {
    (0..4).chain(7..15)
}

#[test]
fn the_identity_is_no_message() {
    let said = Said::of(16, 1);
    for place in point_places() {
        let said = said.with(|said| said.proof[32 * place..][..32].fill(0));
        assert!(said.claim().is_none());
        assert!(!said.judged());
    }
}

/// An encoding of the same scalar, or of no element, in every place.
#[test]
fn encodings_are_canonical() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let said = Said::of(16, 1);
    for place in [4, 5, 6, 15, 16] {
        let larger = said.with(|said| {
            let mut carry = 0;
            for (byte, order) in said.proof[32 * place..][..32].iter_mut().zip(ORDER) {
                let sum = u16::from(*byte) + u16::from(order) + carry;
                *byte = sum as u8;
                carry = sum >> 8;
            }
        });
        assert!(larger.claim().is_none(), "scalar {place}");
        assert!(!larger.judged());
    }
    for place in point_places() {
        let odd = said.with(|said| said.proof[32 * place..][..32].copy_from_slice(&[1; 32]));
        assert!(odd.claim().is_none(), "point {place}");
        assert!(!odd.judged());
    }
}

#[test]
fn many_sizes_in_one_sum() {
    let all: Vec<_> =
        [(16, 1), (64, 2), (32, 1), (8, 4), (16, 8), (32, 2)].map(|(n, m)| Said::of(n, m)).into();
    assert_eq!(together(&all.iter().collect::<Vec<_>>()), [true; 6]);
    assert_eq!(together(&[]), [true; 0]);
    // Not by the second check of each alone, which would hide a generator in the wrong place.
    let claims: Vec<_> = all.iter().map(|said| said.claim().unwrap()).collect();
    assert!(all_hold_vartime(&claims, &mut ChaCha20Rng::seed_from_u64(1)));
    for place in 0..all.len() {
        let wrong = all[place].with(|said| said.label = b"another");
        let mut others: Vec<&Said> = all.iter().collect();
        others[place] = &wrong;
        let expected: Vec<bool> = (0..all.len()).map(|at| at != place).collect();
        assert_eq!(together(&others), expected);
    }
}

#[test]
fn the_wrong_one_of_many_is_found() {
    let right = Said::of(16, 1);
    for place in 0..8 {
        let wrong = right.with(|said| said.label = b"another");
        let mut all = vec![&right; 8];
        all[place] = &wrong;
        let expected: Vec<bool> = (0..8).map(|at| at != place).collect();
        assert_eq!(together(&all), expected);
    }
}

/// Proofs whose faults are opposite, made by the model.
struct Cancelling {
    right: Said,
    alone: Said,
    together: [Said; 2],
}

fn cancelling() -> Cancelling {
    let made: Value =
        serde_json::from_str(include_str!("../../../../specs/vectors/bulletproofs/cancelling.json")).unwrap();
    assert_eq!(made["transcript_label"], "cancelling");
    let said = |proof: &Value| Said {
        label: b"cancelling",
        n: made["n"].as_u64().unwrap() as usize,
        points: vec![unhex(made["commitment"].as_str().unwrap()).try_into().unwrap()],
        proof: unhex(proof.as_str().unwrap()),
    };
    let [one, other] = [0, 1].map(|i| said(&made["together"][i]));
    Cancelling { right: said(&made["right"]), alone: said(&made["alone"]), together: [one, other] }
}

#[test]
fn faults_that_cancel_are_found() {
    let Cancelling { right, alone, together: [one, other] } = cancelling();
    assert!(right.judged());
    assert!(!alone.judged());
    assert!(!one.judged());
    assert!(!other.judged());
    assert_eq!(together(&[&one, &right, &other]), [false, true, false]);
}

/// Weights of noughts would let everything pass, and weights known beforehand whatever was made for them.
#[test]
fn a_broken_generator_hides_no_wrong_proof() {
    let Cancelling { alone, together: [one, other], .. } = cancelling();
    for wrong in [&[&alone][..], &[&one, &other], &[&other, &one, &alone]] {
        let claims: Vec<_> = wrong.iter().map(|said| said.claim().unwrap()).collect();
        assert!(!all_hold_vartime(&claims, &mut Noughts));
    }
    assert_ne!(first_weight(&[&one, &other]), first_weight(&[&one, &alone]));
}

/// From a generator that adds nothing.
fn first_weight(all: &[&Said]) -> u64 {
    let claims: Vec<_> = all.iter().map(|said| said.claim().unwrap()).collect();
    weights(&claims, &mut Noughts).next_u64()
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::*;

    #[test]
    fn without_the_weight_of_one_proof() {
        assert!(without("zk-range-weight", || cancelling().alone.holds()));
    }

    #[test]
    fn without_the_weights_of_many() {
        let Cancelling { together: [one, other], .. } = cancelling();
        assert_eq!(without("zk-range-batch-weight", || together(&[&one, &other])), [true; 2]);
    }

    #[test]
    fn without_canonical_scalars() {
        let mut larger = Said::of(16, 1);
        larger.proof[32 * 17 - 1] |= 0x80;
        assert!(larger.claim().is_none());
        assert!(without("zk-range-scalar", || larger.claim().is_some()));
    }

    #[test]
    fn without_the_refusal_of_the_identity() {
        let said = Said::of(16, 1).with(|said| said.proof[..32].fill(0));
        assert!(without("zk-range-identity", || said.claim().is_some()));
    }

    #[test]
    fn without_the_proofs_in_their_weights() {
        let Cancelling { alone, together: [one, other], .. } = cancelling();
        let alike = || first_weight(&[&one, &other]) == first_weight(&[&one, &alone]);
        assert!(without("zk-range-batch-proofs", alike));
    }
}
