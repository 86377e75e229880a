//! Two commitments hide different values, or one hides another value than a public one.
//!
//! D = C1 - C2, or C - s*B, is d*B + r*H. The prover publishes U = w*d*B for a fresh w, and shows that it knows (g, a, e)
//! with U = g*B and U = a*D + e*H. Were d nought, the second would make U a multiple of H while the first makes it one of
//! B: then U is the identity, which is refused, or the prover knows the logarithm of H. U is uniform whatever d is.
//!
//! T1 = k1*B, T2 = k2*D + k3*H; c from the transcript; z1 = k1 + c*g, z2 = k2 + c*a, z3 = k3 + c*e with g = w*d, a = w,
//! e = -w*r. Bytes: U || c || z1 || z2 || z3.

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::{
    Element, Hidden, Kind, Nonces, Opened, announce, append, begin, challenge, joined, scalars, sent,
    sum_vartime,
};
use crate::{group, transcript};

/// Bytes of a proof.
pub const LENGTH: usize = 160;

/// What is said to differ.
#[derive(Clone, Copy)]
pub enum Different<'a> {
    /// Two hidden values.
    Pair(&'a [Hidden; 2]),
    /// A hidden value and a public one.
    From(&'a Hidden, Element),
}

impl Different<'_> {
    /// D.
    fn difference(&self) -> RistrettoPoint {
        match self {
            Self::Pair([one, other]) => one.point - other.point,
            Self::From(one, element) => one.point - RistrettoPoint::mul_base(&element.0),
        }
    }

    fn begin(&self, t: &mut Transcript, index: u64) {
        match self {
            Self::Pair(pair) => begin(t, Kind::Inequality, index, *pair),
            Self::From(one, element) => {
                begin(t, Kind::Inequality, index, std::slice::from_ref(*one));
                append(t, "zk-sigma-value", b"7.value", element.0.as_bytes());
            }
        }
    }

    /// d and r of D, from what opens the difference of a pair, or the one hidden value.
    fn opening(&self, opened: &Opened) -> [Zeroizing<Scalar>; 2] {
        let d = match self {
            Self::Pair(_) => opened.v,
            Self::From(_, element) => opened.v - element.0,
        };
        [Zeroizing::new(d), Zeroizing::new(opened.r)]
    }
}

/// Proves that values differ, from what opens the difference of a pair, or the one hidden value.
///
/// `None` if they do not differ.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    different: Different<'_>,
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    let [d, r] = different.opening(opened);
    if *d == Scalar::ZERO {
        return None;
    }
    different.begin(t, index);
    let mut nonces = Nonces::new(t, &[&d, &r], rng);
    let [w, k1, k2, k3] = [(); 4].map(|()| nonces.next());
    let (g, e) = (Zeroizing::new(*w * *d), Zeroizing::new(-*w * *r));
    let u = RistrettoPoint::mul_base(&g).compress().0;
    // k2*D + k3*H = k2*d*B + (k2*r + k3)*H, which the tables of B and H make in constant time.
    let t2 = group::commit(&Zeroizing::new(*k2 * *d), &Zeroizing::new(*k2 * *r + *k3));
    announce(t, &[u, RistrettoPoint::mul_base(&k1).compress().0, t2.compress().0]);
    let c = challenge(t);
    let responses = joined(&[c, *k1 + c * *g, *k2 + c * *w, *k3 + c * *e]);
    let proof = [&u[..], &responses].concat();
    transcript::proof_bytes(t, &proof);
    Some(proof)
}

/// Whether values differ. Variable time.
#[must_use]
pub fn verify_vartime(t: &mut Transcript, index: u64, different: Different<'_>, proof: &[u8]) -> bool {
    let Some((encoding, responses)) = proof.split_first_chunk() else { return false };
    let (Some(u), Some([c, z1, z2, z3])) = (sent(encoding), scalars(responses)) else { return false };
    different.begin(t, index);
    let t1 = sum_vartime([(z1, group::value_base()), (-c, u)]);
    let t2 = sum_vartime([(z2, different.difference()), (z3, group::blinding_base()), (-c, u)]);
    announce(t, &[*encoding, t1.compress().0, t2.compress().0]);
    let holds = challenge(t) == c;
    transcript::proof_bytes(t, proof);
    mutants::skips("zk-inequality") || holds
}
