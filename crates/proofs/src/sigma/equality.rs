//! Two commitments hide the same value: C1 - C2 = d*H, and the prover knows d.
//!
//! T = k*H; c from the transcript; z = k + c*d. Bytes: c || z. The verifier computes T = z*H - c*(C1 - C2) and draws c
//! again. Whoever could answer two challenges, and whose C1 - C2 has a part in B, knows the logarithm of H.
//!
//! A commitment equals itself, which anybody can show: whoever asks about two credentials must see that they are two.

use curve25519_dalek::Scalar;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;

use super::{Hidden, Kind, Nonces, Opened, announce, begin, challenge, joined, scalars, sum_vartime};
use crate::{group, transcript};

/// Bytes of a proof.
pub const LENGTH: usize = 64;

/// Proves that a pair hides one value, from what opens its difference.
///
/// `None` if it does not: the values differ.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    pair: &[Hidden; 2],
    difference: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    if difference.v != Scalar::ZERO {
        return None;
    }
    begin(t, Kind::Equality, index, pair);
    let k = Nonces::new(t, &[&difference.r], rng).next();
    announce(t, &[group::blind(&k).compress().0]);
    let c = challenge(t);
    let proof = joined(&[c, *k + c * difference.r]);
    transcript::proof_bytes(t, &proof);
    Some(proof)
}

/// Whether a pair hides one value. Variable time.
#[must_use]
pub fn verify_vartime(t: &mut Transcript, index: u64, pair: &[Hidden; 2], proof: &[u8]) -> bool {
    let Some([c, z]) = scalars(proof) else { return false };
    begin(t, Kind::Equality, index, pair);
    let difference = pair[0].point - pair[1].point;
    announce(t, &[sum_vartime([(z, group::blinding_base()), (-c, difference)]).compress().0]);
    let holds = challenge(t) == c;
    transcript::proof_bytes(t, proof);
    mutants::skips("zk-equality") || holds
}
