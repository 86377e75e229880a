//! Checking proofs: one alone, or many in one sum.

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};
use merlin::{Transcript, TranscriptRng};
use rand_core::{CryptoRngCore, RngCore};
use vouchsafe_mutants as mutants;

use super::{
    equation::{Sum, Weights},
    generators,
    proof::{Challenges, Proof},
};
use crate::transcript;

/// The points an aggregate speaks about, as elements and as the transcript absorbs them.
#[derive(Clone)]
pub struct Values {
    pub(crate) points: Vec<RistrettoPoint>,
    pub(crate) encodings: Vec<[u8; 32]>,
}

impl Values {
    /// Reads canonical encodings (RFC 9496 4.3.1); `None` if one is none. The identity, Com(0; 0), may stand for padding.
    #[must_use]
    pub fn decode(encodings: &[[u8; 32]]) -> Option<Self> {
        let point = |encoding: &[u8; 32]| CompressedRistretto(*encoding).decompress();
        let points = encodings.iter().map(point).collect::<Option<_>>()?;
        Some(Self { points, encodings: encodings.to_vec() })
    }
}

/// One aggregate whose form is right and whose challenges are drawn; nothing of it is true yet.
pub struct Claim<'a> {
    n: usize,
    points: Vec<RistrettoPoint>,
    proof: Proof<'a>,
    challenges: Challenges,
    /// After the complete bytes.
    after: Transcript,
}

impl<'a> Claim<'a> {
    /// Reads the proof that all `values` lie in `[0, 2^n)`, and advances the transcript as its prover did.
    ///
    /// `None` unless n is 8, 16, 32 or 64, the number of values a power of two up to 32, and the proof of that length
    /// with canonical scalars and points, none of them the identity.
    #[must_use]
    pub fn new(t: &mut Transcript, n: usize, values: Values, proof: &'a [u8]) -> Option<Self> {
        if !generators::exist(n, values.points.len()) {
            return None;
        }
        let bytes = proof;
        let proof = Proof::parse(bytes, n, values.points.len())?;
        let challenges = proof.challenges(t, n, &values.encodings);
        let mut after = t.clone();
        transcript::proof_bytes(&mut after, bytes);
        Some(Self { n, points: values.points, proof, challenges, after })
    }

    /// Whether it holds. Variable time: everything here is public.
    ///
    /// The one weight must not be known while the proof is made. A hash of the whole statement and the complete
    /// proof serves, and keeps checking a pure function: the same bytes always have the same verdict.
    #[must_use]
    pub fn holds_vartime(&self) -> bool {
        let mut bytes = [0; 16];
        self.after.clone().challenge_bytes(b"weight", &mut bytes);
        let mut sum = Sum::new(self.n, self.points.len());
        self.add_to(&mut sum, Weights { rho: Scalar::ONE, sigma: weight(bytes, "zk-range-weight") });
        sum.is_nought_vartime()
    }

    fn add_to(&self, sum: &mut Sum, weights: Weights) {
        sum.add(&self.proof, &self.challenges, self.n, &self.points, weights);
    }
}

/// Whether each claim holds: all in one sum, and each alone if that fails. Variable time.
///
/// Every equation has a weight of 128 bits, drawn when all proofs are there from all of them and `rng` together: two
/// wrong proofs whose faults cancel are found with probability 1 - 2^-128, and a broken generator alone hides none.
#[must_use]
pub fn verify_all_vartime(claims: &[Claim<'_>], rng: &mut dyn CryptoRngCore) -> Vec<bool> {
    if all_hold_vartime(claims, rng) {
        return vec![true; claims.len()];
    }
    claims.iter().map(Claim::holds_vartime).collect()
}

/// Whether the one sum of all is the identity.
pub(super) fn all_hold_vartime(claims: &[Claim<'_>], rng: &mut dyn CryptoRngCore) -> bool {
    let n = claims.iter().map(|claim| claim.n).max().unwrap_or(0);
    let m = claims.iter().map(|claim| claim.points.len()).max().unwrap_or(0);
    let mut sum = Sum::new(n, m);
    let mut weights = weights(claims, rng);
    for claim in claims {
        let [rho, sigma] = [(); 2].map(|()| {
            let mut bytes = [0; 16];
            weights.fill_bytes(&mut bytes);
            weight(bytes, "zk-range-batch-weight")
        });
        claim.add_to(&mut sum, Weights { rho, sigma });
    }
    claims.is_empty() || sum.is_nought_vartime()
}

/// What nobody can know before the last proof is made, nor, with a sound generator, after it.
pub(super) fn weights(claims: &[Claim<'_>], mut rng: &mut dyn CryptoRngCore) -> TranscriptRng {
    let mut t = Transcript::new(b"vouchsafe/v1/batch");
    for claim in claims {
        let mut end = [0; 64];
        claim.after.clone().challenge_bytes(b"end", &mut end);
        if !mutants::skips("zk-range-batch-proofs") {
            t.append_message(b"proof", &end);
        }
    }
    t.build_rng().finalize(&mut rng)
}

fn weight(bytes: [u8; 16], mutant: &'static str) -> Scalar {
    if mutants::skips(mutant) { Scalar::ONE } else { Scalar::from(u128::from_le_bytes(bytes)) }
}
