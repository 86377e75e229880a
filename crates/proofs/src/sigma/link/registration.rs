//! A batch of copies is asked for with one link secret, and it is the person's: the proof that an issuer checks.
//!
//! The wallet sends C_i = x*B + t_i*H for every copy, t_i fresh, and nym = x*P with P of the issuer's own registration
//! context. One challenge and one response for x serve all: T_0 = k*P, T_i = k*B + k_i*H; c from the transcript;
//! z = k + c*x, z_i = k_i + c*t_i. Bytes: nym || c || z || z_1 to z_n, 32*(3 + n). The verifier computes
//! T_0 = z*P - c*nym and T_i = z*B + z_i*H - c*C_i and draws c again. Whoever could answer two challenges knows one x in all.
//!
//! The transcript has a label of its own and is bound to the issuer, the type, the c_nonce and, copy by copy in the order of
//! the request, to the key that the copy will be held with.
//!
//! The issuer must store nym once per person, in the transaction that issues, and refuse another nym for that person and
//! that nym for another person: this proof alone says only that the batch has one secret.

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;

use super::super::{Hidden, Nonces, Opened, announce, append, canonical, challenge, joined, sum_vartime};
use crate::{
    commitment::{Blinding, Commitment},
    group,
    pseudonym::{LinkSecret, Nym, registration_base},
    transcript,
};

/// The most copies of a batch.
pub const MOST: usize = 30;
const PROTOCOL: &[u8] = b"vouchsafe/v1/link";

/// Bytes of a proof for `count` copies: 32*(3 + count).
#[must_use]
pub const fn length(count: usize) -> usize {
    32 * (3 + count)
}

/// What a batch is asked for with, each side's own view of the request.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The issuer's id.
    pub issuer: &'a str,
    /// The type of the copies.
    pub vct: &'a str,
    /// The nonce that the issuer gave for this request.
    pub c_nonce: &'a str,
}

/// A copy that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewCopy {
    /// RFC 7638 thumbprint of the key in its proof JWT.
    pub holder_key: [u8; 32],
    /// C_i, which the issuer will sign.
    pub link: Commitment,
}

/// A fresh t for each copy.
///
/// From the request, x and `rng` together: a broken generator alone repeats none and shows none.
#[must_use]
pub fn blindings(
    asked: &Asked<'_>,
    count: usize,
    x: &LinkSecret,
    rng: &mut dyn CryptoRngCore,
) -> Vec<Blinding> {
    let mut t = asked.begin();
    t.append_message(b"3.blindings", &(count as u64).to_be_bytes());
    let mut nonces = Nonces::new(&t, &[&x.0], rng);
    (0..count).map(|_| Blinding(*nonces.next())).collect()
}

/// Proves that all copies have the link secret `x`, whose `t`s are in their order, and shows its registered pseudonym.
///
/// `None` if a commitment is not theirs, stands twice, or there are none or more than 30.
#[must_use]
pub fn prove(
    asked: &Asked<'_>,
    copies: &[NewCopy],
    x: &LinkSecret,
    t: &[Blinding],
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    let base = registration_base(asked.issuer);
    let statement = Statement::new(asked, copies, base, Nym::of(&x.0, &base))?;
    let opened: Vec<Opened> = t.iter().map(|t| Opened::link(x, t)).collect();
    let fit = opened.len() == copies.len()
        && statement.links.iter().zip(&opened).all(|(link, opened)| bool::from(opened.opens(link)));
    fit.then(|| statement.prove(x, &opened, rng))
}

/// The registered pseudonym, if all copies have its link secret. Variable time.
///
/// It counts once the issuer has compared it with the person's.
#[must_use]
pub fn verify_vartime(asked: &Asked<'_>, copies: &[NewCopy], proof: &[u8]) -> Option<Nym> {
    let nym = super::shown(proof)?;
    let statement = Statement::new(asked, copies, registration_base(asked.issuer), nym)?;
    statement.holds(proof).then_some(nym)
}

impl Asked<'_> {
    fn begin(&self) -> Transcript {
        let mut t = transcript::started(PROTOCOL);
        append(&mut t, "zk-link-issuer", b"2.issuer", self.issuer.as_bytes());
        append(&mut t, "zk-link-type", b"2.type", self.vct.as_bytes());
        append(&mut t, "zk-link-nonce", b"2.nonce", self.c_nonce.as_bytes());
        t
    }
}

/// All that is public about it.
pub(super) struct Statement<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) copies: &'a [NewCopy],
    /// The points of the copies' commitments.
    pub(super) links: Vec<Hidden>,
    pub(super) base: RistrettoPoint,
    pub(super) nym: Nym,
}

impl<'a> Statement<'a> {
    fn new(asked: &'a Asked<'a>, copies: &'a [NewCopy], base: RistrettoPoint, nym: Nym) -> Option<Self> {
        let few = (1..=MOST).contains(&copies.len());
        if !(mutants::skips("zk-link-count") || few) {
            return None;
        }
        // Two alike would be one handle for two answers.
        let twice = |(i, copy): (usize, &NewCopy)| copies[..i].iter().any(|other| other.link == copy.link);
        if !mutants::skips("zk-link-distinct") && copies.iter().enumerate().any(twice) {
            return None;
        }
        let links = copies.iter().map(|copy| Hidden::new(&copy.link)).collect::<Option<_>>()?;
        Some(Self { asked, copies, links, base, nym })
    }

    pub(super) fn begin(&self) -> Transcript {
        let mut t = self.asked.begin();
        append(&mut t, "zk-link-copies", b"3.copies", &(self.copies.len() as u64).to_be_bytes());
        for (i, copy) in (0_u64..).zip(self.copies) {
            append(&mut t, "zk-link-index", b"3.index", &i.to_be_bytes());
            append(&mut t, "zk-link-holder-key", b"3.holder-key", &copy.holder_key);
            append(&mut t, "zk-link-commitment", b"3.commitment", &copy.link.0);
        }
        append(&mut t, "zk-link-base", b"4.base", &self.base.compress().0);
        append(&mut t, "zk-link-pseudonym", b"4.pseudonym", &self.nym.to_bytes());
        t
    }

    fn prove(&self, x: &LinkSecret, opened: &[Opened], rng: &mut dyn CryptoRngCore) -> Vec<u8> {
        let mut t = self.begin();
        let witnesses: Vec<&Scalar> = [&x.0].into_iter().chain(opened.iter().map(|one| &one.r)).collect();
        let mut nonces = Nonces::new(&t, &witnesses, rng);
        let k = nonces.next();
        let masks = nonces.take(opened.len());
        let of_links = masks.iter().map(|mask| group::commit(&k, mask).compress().0);
        let announced: Vec<_> = [(self.base * *k).compress().0].into_iter().chain(of_links).collect();
        announce(&mut t, &announced);
        let c = challenge(&mut t);
        let of_blindings = masks.iter().zip(opened).map(|(mask, one)| **mask + c * one.r);
        let words: Vec<Scalar> = [c, *k + c * x.0].into_iter().chain(of_blindings).collect();
        [&self.nym.to_bytes()[..], &joined(&words)].concat()
    }

    /// Nothing is drawn after the challenge, so nothing is absorbed after it.
    pub(super) fn holds(&self, proof: &[u8]) -> bool {
        let words = self.words(proof).unwrap_or_default();
        let [c, z, masked @ ..] = &words[..] else { return false };
        let mut t = self.begin();
        announce(&mut t, &self.announced(c, z, masked));
        mutants::skips("zk-link") || challenge(&mut t) == *c
    }

    /// The scalars of a proof of the right length.
    fn words(&self, proof: &[u8]) -> Option<Vec<Scalar>> {
        let (words, rest) = proof.as_chunks::<32>();
        let fits = rest.is_empty() && proof.len() == length(self.links.len());
        fits.then(|| words[1..].iter().map(canonical).collect())?
    }

    /// T_0 and every T_i as the responses give them.
    fn announced(&self, c: &Scalar, z: &Scalar, masked: &[Scalar]) -> Vec<[u8; 32]> {
        let (base, blinding_base) = (group::value_base(), group::blinding_base());
        let own = sum_vartime([(*z, self.base), (-c, self.nym.point)]);
        let of_links = self
            .links
            .iter()
            .zip(masked)
            .map(|(link, masked)| sum_vartime([(*z, base), (*masked, blinding_base), (-c, link.point)]));
        [own].into_iter().chain(of_links).map(|point| point.compress().0).collect()
    }
}
