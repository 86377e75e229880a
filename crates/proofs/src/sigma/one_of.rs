//! A commitment hides one of a few values: some D_j = C - s_j*B is r*H, and nobody learns which.
//!
//! The proof of one alternative is made, those of the others are simulated (Cramer, Damgard and Schoenmakers, 1994):
//! T_j = z_j*H - c_j*D_j with z_j, c_j free for j other than the true one, whose c is what is left of the transcript's
//! challenge: sum c_j = c. Bytes: c_1 || z_1 || c_2 || z_2 and so on, in the list's order; 64 for each element.

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::{
    Hidden, Kind, List, Nonces, Opened, absorb_list, announce, begin, canonical, challenge, joined,
    sum_vartime,
};
use crate::{group, transcript};

/// The most elements: beyond, [`super::membership`] is shorter.
pub const LONGEST: usize = 8;

/// Bytes of a proof about a list of `count` elements.
#[must_use]
pub const fn length(count: usize) -> usize {
    64 * count
}

/// Proves that the hidden value is an element.
///
/// Every branch does the same work, in the list's order. `None` if the value is no element, or the list is too long.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    hidden: &Hidden,
    list: &List,
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    let place = list.place(&opened.v).filter(|_| list.elements.len() <= LONGEST)?;
    begin(t, Kind::OneOf, index, &[*hidden]);
    absorb_list(t, &list.digest);
    let mut nonces = Nonces::new(t, &[&opened.v, &opened.r], rng);
    let is_true = |j: usize| (j as u64).ct_eq(&place);
    let mut branches: Vec<Branch> =
        (0..list.elements.len()).map(|j| Branch::new(is_true(j), &mut nonces)).collect();
    let announced: Vec<[u8; 32]> =
        branches.iter().zip(&list.elements).map(|(branch, s)| branch.announcement(opened, s)).collect();
    announce(t, &announced);
    let simulated: Zeroizing<Scalar> = Zeroizing::new(branches.iter().map(|branch| *branch.c).sum());
    let own = Zeroizing::new(challenge(t) - *simulated);
    for (j, branch) in branches.iter_mut().enumerate() {
        branch.respond(is_true(j), &own, &opened.r);
    }
    let words: Vec<Scalar> = branches.iter().flat_map(|branch| [*branch.c, *branch.z]).collect();
    let proof = joined(&words);
    transcript::proof_bytes(t, &proof);
    Some(proof)
}

/// Whether the hidden value is an element. Variable time.
#[must_use]
pub fn verify_vartime(t: &mut Transcript, index: u64, hidden: &Hidden, list: &List, proof: &[u8]) -> bool {
    let count = list.elements.len();
    let (words, _) = proof.as_chunks::<32>();
    if count > LONGEST || proof.len() != length(count) {
        return false;
    }
    let Some(words) = words.iter().map(canonical).collect::<Option<Vec<Scalar>>>() else { return false };
    let (branches, _) = words.as_chunks::<2>();
    begin(t, Kind::OneOf, index, &[*hidden]);
    absorb_list(t, &list.digest);
    let announced = branches.iter().zip(&list.elements).map(|([c, z], s)| {
        let d = hidden.point - RistrettoPoint::mul_base(s);
        sum_vartime([(*z, group::blinding_base()), (-c, d)]).compress().0
    });
    announce(t, &announced.collect::<Vec<_>>());
    let sum: Scalar = branches.iter().map(|[c, _]| c).sum();
    let holds = challenge(t) == sum;
    transcript::proof_bytes(t, proof);
    mutants::skips("zk-one-of") || holds
}

/// One alternative: c and z of a simulated one are drawn first; z of the true one is its nonce until the challenge comes.
///
/// It does not keep which it is: that could not be wiped.
struct Branch {
    c: Zeroizing<Scalar>,
    z: Zeroizing<Scalar>,
}

impl Branch {
    fn new(is_true: Choice, nonces: &mut Nonces) -> Self {
        let (c, z) = (nonces.next(), nonces.next());
        let c = Zeroizing::new(Scalar::conditional_select(&c, &Scalar::ZERO, is_true));
        Self { c, z }
    }

    /// z*H - c*D with D = (v - s)*B + r*H, by the tables of B and H; c is nought for the true branch.
    fn announcement(&self, opened: &Opened, s: &Scalar) -> [u8; 32] {
        let of_b = Zeroizing::new(*self.c * (s - opened.v));
        let of_h = Zeroizing::new(*self.z - *self.c * opened.r);
        group::commit(&of_b, &of_h).compress().0
    }

    fn respond(&mut self, is_true: Choice, own: &Scalar, r: &Scalar) {
        let answered = Zeroizing::new(*self.z + own * r);
        self.c = Zeroizing::new(Scalar::conditional_select(&self.c, own, is_true));
        self.z = Zeroizing::new(Scalar::conditional_select(&self.z, &answered, is_true));
    }
}
