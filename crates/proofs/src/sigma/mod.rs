//! Proofs about commitments that need no range: equal, not equal, one of a list, one of many intervals.
//!
//! Each is a Schnorr proof made non-interactive by the transcript (`specs/proofs/README.md` section 6.2), for a statement
//! that is public: the prover announces, the transcript gives the challenge, the prover responds. The announcement, the
//! statement's points and the digest of a list are absorbed before the challenge; the complete bytes after it, so that
//! whatever is drawn later depends on them. Every function takes the transcript with items 1 to 6 in it, and the
//! sub-proof's index, and leaves it where the next sub-proof begins.
//!
//! Provers take constant time in their witnesses; verifiers see public data alone and say so in their names.

pub mod equality;
pub mod inequality;
pub mod interval;
pub mod link;
pub mod membership;
pub mod one_of;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

use curve25519_dalek::{RistrettoPoint, Scalar, traits::VartimeMultiscalarMul};
use merlin::{Transcript, TranscriptRng};
use rand_core::{CryptoRngCore, RngCore};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use vouchsafe_mutants as mutants;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    commitment::{Blinding, Commitment},
    encoding::Text,
    group::{self, IDENTITY},
    planner::Shows,
    transcript,
};

/// A hidden attribute as its proofs need it: the signed commitment, read.
#[derive(Clone, Copy)]
pub struct Hidden {
    point: RistrettoPoint,
    encoding: [u8; 32],
}

impl Hidden {
    /// Reads a commitment that an issuer signed; `None` if it is no canonical point, or the identity.
    #[must_use]
    pub fn new(c: &Commitment) -> Option<Self> {
        group::decode_signed(&c.0).map(|point| Self { point, encoding: c.0 })
    }

    /// What two commitments hide together, the first less the second.
    pub(crate) fn difference([one, other]: &[Self; 2]) -> Self {
        Self::computed(one.point - other.point)
    }

    fn computed(point: RistrettoPoint) -> Self {
        Self { point, encoding: point.compress().0 }
    }
}

/// What a commitment hides, and its blinding; wiped after use.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Opened {
    v: Scalar,
    r: Scalar,
}

impl Opened {
    /// The opening of an integer's commitment.
    #[must_use]
    pub fn integer(v: u64, r: &Blinding) -> Self {
        Self { v: Scalar::from(v), r: r.0 }
    }

    /// The opening of a text's commitment.
    #[must_use]
    pub fn text(v: &Text, r: &Blinding) -> Self {
        Self { v: v.0, r: r.0 }
    }

    /// What opens the difference of two commitments: all that another wallet must tell for a proof about both.
    #[must_use]
    pub fn difference(one: &Self, other: &Self) -> Self {
        Self { v: one.v - other.v, r: one.r - other.r }
    }

    /// An opening that another wallet told, by the canonical encodings of value and blinding; `None` if one is none.
    #[must_use]
    pub fn from_canonical_bytes(v: [u8; 32], r: [u8; 32]) -> Option<Self> {
        let scalar = |bytes| Option::<Scalar>::from(Scalar::from_canonical_bytes(bytes));
        Some(Self { v: scalar(v)?, r: scalar(r)? })
    }

    /// The canonical encodings of value and blinding, to be told to another wallet under seal.
    #[must_use]
    pub fn to_bytes(&self) -> [Zeroizing<[u8; 32]>; 2] {
        [&self.v, &self.r].map(|scalar| Zeroizing::new(scalar.to_bytes()))
    }

    /// The integer: scalars of integers are below 2^64.
    fn low_word(&self) -> Zeroizing<u64> {
        let bytes = Zeroizing::new(self.v.to_bytes());
        let (low, _) = bytes.split_first_chunk().expect("a scalar has 32 bytes");
        Zeroizing::new(u64::from_le_bytes(*low))
    }

    /// Whether it opens a point. In constant time.
    pub(crate) fn opens(&self, hidden: &Hidden) -> Choice {
        group::commit(&self.v, &self.r).compress().0.ct_eq(&hidden.encoding)
    }
}

/// A public value that a hidden one is compared with, as its encoding has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element(Scalar);

impl From<u64> for Element {
    fn from(v: u64) -> Self {
        Self(Scalar::from(v))
    }
}

impl From<&Text> for Element {
    fn from(v: &Text) -> Self {
        Self(v.0)
    }
}

/// Elements that one hidden value is compared with, in their published order.
///
/// The digest of all of them binds a proof to the list as it stood.
#[derive(Clone)]
pub struct List {
    elements: Vec<Scalar>,
    digest: [u8; 32],
}

impl List {
    /// `None` if it is empty or longer than 65,536.
    #[must_use]
    pub fn new(elements: &[Element]) -> Option<Self> {
        Self::of(elements.iter().map(|element| element.0).collect())
    }

    fn of(elements: Vec<Scalar>) -> Option<Self> {
        if elements.is_empty() || elements.len() > membership::LONGEST {
            return None;
        }
        // SHA-256 of the count as 8 bytes big-endian, then each scalar's 32 bytes little-endian.
        let mut hash = Sha256::new_with_prefix((elements.len() as u64).to_be_bytes());
        elements.iter().for_each(|element| hash.update(element.as_bytes()));
        Some(Self { elements, digest: hash.finalize().into() })
    }

    /// The place of a value, the last where it stands twice; wiped after use. Nothing branches on it.
    fn place(&self, v: &Scalar) -> Option<Zeroizing<u64>> {
        let mut place = Zeroizing::new(0);
        let mut found = Choice::from(0);
        for (i, element) in (0..).zip(&self.elements) {
            let here = element.ct_eq(v);
            place.conditional_assign(&i, here);
            found |= here;
        }
        bool::from(found).then_some(place)
    }
}

/// The type byte of each sub-proof.
#[derive(Clone, Copy)]
enum Kind {
    Equality = 0x02,
    Inequality = 0x03,
    OneOf = 0x04,
    Membership = 0x05,
    Interval = 0x06,
}

/// The type byte of the sub-proof that shows it.
pub(crate) const fn kind(shows: &Shows) -> u8 {
    let kind = match shows {
        Shows::Equal => Kind::Equality,
        Shows::Differ | Shows::DiffersFrom(_) => Kind::Inequality,
        Shows::OneOf(_) => Kind::OneOf,
        Shows::Element(_) => Kind::Membership,
        Shows::Within(_) => Kind::Interval,
    };
    kind as u8
}

/// Type, index and the statement's points.
fn begin(t: &mut Transcript, kind: Kind, index: u64, points: &[Hidden]) {
    transcript::sigma_proof(t, kind as u64, index);
    points.iter().for_each(|hidden| transcript::point(t, &hidden.encoding));
}

fn absorb_list(t: &mut Transcript, digest: &[u8; 32]) {
    append(t, "zk-sigma-list", b"7.list", digest);
}

/// Absorbs what the prover announces. Its encoding is given where it travels.
fn announce(t: &mut Transcript, encodings: &[[u8; 32]]) {
    encodings.iter().for_each(|encoding| append(t, "zk-sigma-announcement", b"7.announcement", encoding));
}

fn append(t: &mut Transcript, mutant: &'static str, label: &'static [u8], message: &[u8]) {
    if !mutants::skips(mutant) {
        t.append_message(label, message);
    }
}

/// 64 bytes of the transcript, reduced mod l.
fn challenge(t: &mut Transcript) -> Scalar {
    let mut wide = [0; 64];
    t.challenge_bytes(b"7.challenge", &mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// Scalars that nobody else can know, if either the witnesses or `rng` are unknown to them.
struct Nonces(TranscriptRng);

impl Nonces {
    fn new(t: &Transcript, witnesses: &[&Scalar], mut rng: &mut dyn CryptoRngCore) -> Self {
        let repeats = mutants::skips("zk-nonce-transcript");
        let mut builder = if repeats { Transcript::new(b"").build_rng() } else { t.build_rng() };
        for witness in witnesses {
            if !mutants::skips("zk-nonce-witness") {
                builder = builder.rekey_with_witness_bytes(b"w", witness.as_bytes());
            }
        }
        Self(builder.finalize(&mut rng))
    }

    fn next(&mut self) -> Zeroizing<Scalar> {
        let mut wide = Zeroizing::new([0; 64]);
        self.0.fill_bytes(wide.as_mut());
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }

    fn take(&mut self, count: usize) -> Vec<Zeroizing<Scalar>> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// The bytes of scalars, one after the other.
fn joined(scalars: &[Scalar]) -> Vec<u8> {
    scalars.iter().flat_map(|scalar| scalar.to_bytes()).collect()
}

/// The scalars of a proof; `None` unless there are exactly `N`, each canonical.
fn scalars<const N: usize>(bytes: &[u8]) -> Option<[Scalar; N]> {
    let (words, rest) = bytes.as_chunks::<32>();
    let words: &[[u8; 32]; N] = words.try_into().ok().filter(|_| rest.is_empty())?;
    let mut scalars = [Scalar::ZERO; N];
    for (scalar, word) in scalars.iter_mut().zip(words) {
        *scalar = canonical(word)?;
    }
    Some(scalars)
}

fn canonical(word: &[u8; 32]) -> Option<Scalar> {
    if mutants::skips("zk-sigma-scalar") {
        return Some(Scalar::from_bytes_mod_order(*word));
    }
    Option::from(Scalar::from_canonical_bytes(*word))
}

/// sum of scalar times point. Variable time: public data only.
#[expect(clippy::disallowed_methods, reason = "only verifiers call it, and the name says what it is")]
fn sum_vartime<const N: usize>(terms: [(Scalar, RistrettoPoint); N]) -> RistrettoPoint {
    RistrettoPoint::vartime_multiscalar_mul(
        terms.iter().map(|(scalar, _)| scalar),
        terms.iter().map(|(_, point)| point),
    )
}

/// Whether a point that a prover sends is one and not the identity.
fn sent(encoding: &[u8; 32]) -> Option<RistrettoPoint> {
    if !(mutants::skips("zk-sigma-identity") || *encoding != IDENTITY) {
        return None;
    }
    curve25519_dalek::ristretto::CompressedRistretto(*encoding).decompress()
}
