//! The adapter to the `bulletproofs` package: the one module that touches its older curve crate.
//!
//! Only 32-byte encodings of points and scalars pass.

use std::sync::{LazyLock, OnceLock};

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use dalek4::{Scalar, ristretto::CompressedRistretto};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

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

/// Makes one aggregate. The nonces come from the transcript, all witnesses and `rng` together, so that a
/// failing random generator alone does not reveal them. Returns the proof and the points it speaks about.
pub(crate) fn prove(
    t: &mut Transcript,
    n: usize,
    witness: &Witness,
    mut rng: &mut dyn CryptoRngCore,
) -> Option<(Vec<u8>, Vec<[u8; 32]>)> {
    let repeats = mutants::skips("zk-nonce-transcript");
    let mut builder = if repeats { Transcript::new(b"").build_rng() } else { t.build_rng() };
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

/// The package's own verdict, which ours is compared with.
#[cfg(test)]
pub(super) fn verify_vartime(t: &mut Transcript, n: usize, points: &[[u8; 32]], proof: &[u8]) -> bool {
    let Ok(parsed) = RangeProof::from_bytes(proof) else { return false };
    let Some(generators) = generators(points.len()) else { return false };
    let points: Vec<_> = points.iter().map(|point| CompressedRistretto(*point)).collect();
    let mut rng = <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::from_seed([7; 32]);
    parsed.verify_multiple_with_rng(generators, &BASES, t, &points, n, &mut rng).is_ok()
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
