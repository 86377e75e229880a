//! A pseudonym is that of a credential's link secret: the sub-proof of type 0x07.
//!
//! The issuer signed C_x = x*B + t*H, item 4 of the list has nym = x*P and the context that P is the hash of. T1 = k1*B +
//! k2*H, T2 = k1*P; c from the transcript; z1 = k1 + c*x, z2 = k2 + c*t. Bytes: nym || c || z1 || z2. The verifier computes
//! T1 = z1*B + z2*H - c*C_x and T2 = z1*P - c*nym and draws c again. One z1 answers for both equations, so whoever could
//! answer two challenges knows one x in both.
//!
//! Context and value are taken from item 4 itself, so that the sub-proof cannot speak of another pseudonym than it.
//! What item 4 cannot tell: whether the context is of the service that asks ([`crate::pseudonym::Scope::is_of`]).

pub mod registration;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use vouchsafe_mutants as mutants;

use super::{Hidden, Nonces, Opened, announce, append, challenge, joined, scalars, sum_vartime};
use crate::{
    commitment::Blinding,
    context::Pseudonym,
    group,
    pseudonym::{LinkSecret, Nym, Scope},
    transcript,
};

/// Bytes of a proof.
pub const LENGTH: usize = 128;
/// The type byte of the sub-proof.
pub const KIND: u8 = 0x07;

impl Opened {
    /// The opening of a link secret's commitment: x and t of C_x.
    #[must_use]
    pub fn link(x: &LinkSecret, t: &Blinding) -> Self {
        Self { v: x.0, r: t.0 }
    }
}

/// The pseudonym that a proof shows: what the verifier has for item 4, once it knows the context.
#[must_use]
pub fn shown(proof: &[u8]) -> Option<Nym> {
    Nym::read(proof.split_first_chunk::<32>()?.0)
}

/// Proves that the pseudonym of item 4 is that of the link secret in `link`, from what opens it.
///
/// `None` if it is not, if the opening is of another commitment, or if item 4 has no context of ours.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    link: &Hidden,
    item4: &Pseudonym,
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    let statement = Statement::new(link, item4)?;
    let own = Nym::of(&opened.v, &statement.base).to_bytes().ct_eq(&statement.nym.to_bytes());
    bool::from(own & opened.opens(link)).then(|| statement.prove(t, index, opened, rng))
}

/// Whether the pseudonym of item 4 is that of the link secret in `link`. Variable time.
#[must_use]
pub fn verify_vartime(
    t: &mut Transcript,
    index: u64,
    link: &Hidden,
    item4: &Pseudonym,
    proof: &[u8],
) -> bool {
    Statement::new(link, item4).is_some_and(|statement| statement.holds(t, index, proof))
}

/// All that is public about it.
#[derive(Clone, Copy)]
struct Statement {
    link: Hidden,
    base: RistrettoPoint,
    nym: Nym,
}

impl Statement {
    fn new(link: &Hidden, item4: &Pseudonym) -> Option<Self> {
        let scope = Scope::read(&item4.context)?;
        Some(Self { link: *link, base: scope.base(), nym: Nym::read(&item4.value)? })
    }

    fn begin(&self, t: &mut Transcript, index: u64) {
        transcript::sigma_proof(t, KIND.into(), index);
        transcript::point(t, &self.link.encoding);
        append(t, "zk-nym-base", b"7.base", &self.base.compress().0);
        append(t, "zk-nym-value", b"7.pseudonym", &self.nym.to_bytes());
    }

    fn prove(&self, t: &mut Transcript, index: u64, opened: &Opened, rng: &mut dyn CryptoRngCore) -> Vec<u8> {
        self.begin(t, index);
        let mut nonces = Nonces::new(t, &[&opened.v, &opened.r], rng);
        let [k1, k2] = [(); 2].map(|()| nonces.next());
        announce(t, &[group::commit(&k1, &k2).compress().0, (self.base * *k1).compress().0]);
        let c = challenge(t);
        let responses = joined(&[c, *k1 + c * opened.v, *k2 + c * opened.r]);
        let proof = [&self.nym.to_bytes()[..], &responses].concat();
        transcript::proof_bytes(t, &proof);
        proof
    }

    fn holds(&self, t: &mut Transcript, index: u64, proof: &[u8]) -> bool {
        let Some((nym, responses)) = proof.split_first_chunk() else { return false };
        let Some([c, z1, z2]) = scalars(responses) else { return false };
        if !(mutants::skips("zk-nym-shown") || *nym == self.nym.to_bytes()) {
            return false;
        }
        self.begin(t, index);
        announce(t, &self.announced(&c, &z1, &z2));
        let holds = challenge(t) == c;
        transcript::proof_bytes(t, proof);
        mutants::skips("zk-nym") || holds
    }

    /// T1 and T2 as the responses give them.
    fn announced(&self, c: &Scalar, z1: &Scalar, z2: &Scalar) -> [[u8; 32]; 2] {
        let (base, blinding_base) = (group::value_base(), group::blinding_base());
        let t1 = sum_vartime([(*z1, base), (*z2, blinding_base), (-c, self.link.point)]);
        let t2 = sum_vartime([(*z1, self.base), (-c, self.nym.point)]);
        [t1, t2].map(|point| point.compress().0)
    }
}
