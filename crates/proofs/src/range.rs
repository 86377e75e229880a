//! The adapter to the `bulletproofs` package: the one module that touches its older curve crate.
//!
//! Only 32-byte encodings of points and scalars pass. The package absorbs `n`, `m`, the points and the
//! prover's messages; all else must be in the transcript before it is called.

use std::sync::{LazyLock, OnceLock};

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use dalek4::{Scalar, ristretto::CompressedRistretto};
use merlin::Transcript;
use rand_core::{CryptoRng, CryptoRngCore, Error, RngCore};
use zeroize::Zeroizing;

use crate::transcript;

const MAX_N: usize = 64;

/// Generators for up to 1, 2, 4, 8, 16 and 32 entries: a small answer need not wait for a large set.
static GENERATORS: [OnceLock<BulletproofGens>; 6] = [const { OnceLock::new() }; 6];

/// B and H as the package has them; it derives H by a hash to the group whenever it is asked.
static BASES: LazyLock<PedersenGens> = LazyLock::new(PedersenGens::default);

/// What an aggregate is made from; wiped after use.
pub(crate) struct Witness {
    pub(crate) values: Zeroizing<Vec<u64>>,
    pub(crate) blindings: Zeroizing<Vec<[u8; 32]>>,
}

/// 32 * (9 + 2*log2(n*m)) bytes.
pub(crate) const fn proof_length(n: usize, m: usize) -> usize {
    32 * (9 + 2 * (n * m).ilog2() as usize)
}

/// Makes one aggregate. The nonces come from the transcript, all witnesses and `rng` together, so that a
/// failing random generator alone does not reveal them. Returns the proof and the points it speaks about.
pub(crate) fn prove(
    t: &mut Transcript,
    n: usize,
    witness: &Witness,
    mut rng: &mut dyn CryptoRngCore,
) -> Option<(Vec<u8>, Vec<[u8; 32]>)> {
    let mut builder = t.build_rng();
    for (w, r) in witness.values.iter().zip(witness.blindings.iter()) {
        let w = Zeroizing::new(w.to_be_bytes());
        builder = builder.rekey_with_witness_bytes(b"w", w.as_ref()).rekey_with_witness_bytes(b"r", r);
    }
    let mut nonces = builder.finalize(&mut rng);
    let generators = generators(witness.values.len())?;
    let mut blindings = Zeroizing::new(Vec::with_capacity(witness.blindings.len()));
    for r in witness.blindings.iter() {
        blindings.push(scalar(*r)?);
    }
    let (proof, points) = RangeProof::prove_multiple_with_rng(
        generators,
        &BASES,
        t,
        &witness.values,
        &blindings,
        n,
        &mut nonces,
    )
    .ok()?;
    Some((proof.to_bytes(), points.iter().map(CompressedRistretto::to_bytes).collect()))
}

/// Whether every point commits to an integer in `[0, 2^n)`. Variable time: everything here is public.
pub(crate) fn verify_vartime(t: &mut Transcript, n: usize, points: &[[u8; 32]], proof: &[u8]) -> bool {
    let Ok(parsed) = RangeProof::from_bytes(proof) else { return false };
    let Some(generators) = generators(points.len()) else { return false };
    let points: Vec<_> = points.iter().map(|point| CompressedRistretto(*point)).collect();
    let mut weights = Weights::after(t, proof);
    parsed.verify_multiple_with_rng(generators, &BASES, t, &points, n, &mut weights).is_ok()
}

/// The encodings of B and H as the package has them.
#[cfg(test)]
pub(crate) fn bases() -> ([u8; 32], [u8; 32]) {
    (BASES.B.compress().to_bytes(), BASES.B_blinding.compress().to_bytes())
}

fn generators(m: usize) -> Option<&'static BulletproofGens> {
    let log2 = m.checked_ilog2().filter(|_| m.is_power_of_two())?;
    Some(GENERATORS.get(log2 as usize)?.get_or_init(|| BulletproofGens::new(MAX_N, m)))
}

fn scalar(bytes: [u8; 32]) -> Option<Scalar> {
    Option::from(Scalar::from_canonical_bytes(bytes))
}

/// The weight with which the package folds its two equations into one sum.
///
/// It must not be known while the proof is made. A hash of the whole statement and the complete proof serves,
/// and keeps checking a pure function: the same bytes always have the same verdict.
struct Weights(Transcript);

impl Weights {
    fn after(t: &Transcript, proof: &[u8]) -> Self {
        let mut t = t.clone();
        transcript::proof_bytes(&mut t, proof);
        Self(t)
    }
}

impl RngCore for Weights {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.challenge_bytes(b"weight", dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Weights {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::hex::tests::unhex;

    /// The sixteen proofs of the package's own tests, made by its release 1.0.0.
    #[test]
    fn published_proofs_hold() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../specs/vectors/bulletproofs/range_proof.json"))
                .unwrap();
        let commitments: Vec<[u8; 32]> = vectors["commitments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| unhex(c.as_str().unwrap()).try_into().unwrap())
            .collect();
        let proofs = vectors["proofs"].as_array().unwrap();
        assert_eq!((proofs.len(), commitments.len()), (16, 8));
        for case in proofs {
            let [n, m] = ["n", "m"].map(|name| case[name].as_u64().unwrap() as usize);
            let mut proof = unhex(case["proof"].as_str().unwrap());
            assert_eq!(proof.len(), proof_length(n, m));
            let verdict = |proof: &[u8], points: &[[u8; 32]]| {
                verify_vartime(&mut Transcript::new(b"Deserialize-And-Verify Test"), n, points, proof)
            };
            assert!(verdict(&proof, &commitments[..m]), "n = {n}, m = {m}");
            // The value 0 shifted to the end is another statement, unless it stands alone.
            let mut rotated = commitments[..m].to_vec();
            rotated.rotate_left(1);
            assert_eq!(verdict(&proof, &rotated), m == 1);
            proof[0] ^= 1;
            assert!(!verdict(&proof, &commitments[..m]));
        }
    }

    #[test]
    fn sizes_outside_the_plan_are_refused() {
        let mut t = Transcript::new(b"test");
        for m in [0, 3, 64] {
            assert!(!verify_vartime(&mut t, 16, &vec![[0; 32]; m], &[0; 544]));
        }
        for length in [0, 1, 32, 223, 224, 543, 576] {
            assert!(!verify_vartime(&mut t, 16, &[[0; 32]], &vec![0; length]));
        }
    }
}
