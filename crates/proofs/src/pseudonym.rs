//! A name that one service may know a resident by, for one action: from a secret that stays in the wallet.
//!
//! Implements `specs/proofs/README.md` section 6.4. A context is hashed to a point P whose logarithm nobody knows, and the
//! pseudonym is x*P for the link secret x: the same whenever that context comes again, and in two contexts nothing that
//! anybody could compare. The proofs about it are in [`crate::sigma::link`].
//!
//! What its user must guard: a wallet builds the context from the request that it authenticated and refuses one of
//! another service ([`Scope::is_of`]); x leaves the wallet for its vault alone. A pseudonym counts persons only where an
//! issuer holds each to one x ([`crate::sigma::link::registration`]). It hides nothing from an issuer and a service that
//! put together what they have: the credential beside it names the copy.

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use vouchsafe_mutants as mutants;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    commitment::{Blinding, Commitment},
    context::Pseudonym,
    encoding::length_prefixed,
    group::{self, IDENTITY},
};

/// Domain separation tag, in the form of RFC 9380 3.1.
const TAG: &[u8] = b"vouchsafe/v1-with-ristretto255_XMD:SHA-512_R255MAP_RO_";
const CONTEXT: &str = "vouchsafe/v1/ctx";
const REGISTRATION: &str = "vouchsafe/v1/registration";
/// The most bytes of a part: lengths up to here are ASCII, so that a context is text, as item 4 of the list takes it.
const LONGEST: usize = 127;

/// The link secret `x` of a wallet, never nought; wiped after use.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret(pub(crate) Scalar);

impl LinkSecret {
    /// A fresh secret; `None` from a generator that gives noughts alone.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRngCore) -> Option<Self> {
        let mut wide = Zeroizing::new([0; 64]);
        rng.fill_bytes(wide.as_mut());
        Self::new(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if it is not canonical, or nought.
    #[must_use]
    pub fn from_canonical_bytes(bytes: [u8; 32]) -> Option<Self> {
        Self::new(Option::from(Scalar::from_canonical_bytes(bytes))?)
    }

    /// With x = 0 every pseudonym would be the identity.
    fn new(x: Scalar) -> Option<Self> {
        let secret = Self(x);
        let nought = bool::from(secret.0.ct_eq(&Scalar::ZERO));
        (mutants::skips("zk-link-nought") || !nought).then_some(secret)
    }

    /// The canonical little-endian encoding, for the vault.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// C_x = x*B + t*H, in constant time.
    #[must_use]
    pub fn commit(&self, t: &Blinding) -> Commitment {
        Commitment(group::commit(&self.0, &t.0).compress().0)
    }

    /// x*P, in constant time, with the context that it is of: what item 4 of the list has.
    #[must_use]
    pub fn pseudonym(&self, scope: &Scope) -> Pseudonym {
        let nym = Nym::of(&self.0, &scope.base());
        Pseudonym { context: scope.as_str().to_owned(), value: nym.to_bytes().to_vec() }
    }
}

/// What a pseudonym is for: an action of a service, in an epoch.
///
/// ```
/// use vouchsafe_proofs::pseudonym::Scope;
/// let scope = Scope::new("https://buses.example", "pass", "2026").unwrap();
/// assert!(scope.is_of("https://buses.example"));
/// assert!(Scope::read(scope.as_str()).is_some_and(|read| read == scope));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// "vouchsafe/v1/ctx" || LP(service id) || LP(action id) || LP(epoch); `None` unless each has 1 to 127 bytes.
    ///
    /// The service id is the stable one of the trust register.
    #[must_use]
    pub fn new(service: &str, action: &str, epoch: &str) -> Option<Self> {
        let mut context = CONTEXT.as_bytes().to_vec();
        for part in [service, action, epoch] {
            let fits = (1..=LONGEST).contains(&part.len());
            if !(mutants::skips("zk-nym-part") || fits) {
                return None;
            }
            context.extend_from_slice(&length_prefixed(part.as_bytes()));
        }
        String::from_utf8(context).ok().map(Self)
    }

    /// Reads the context of item 4; `None` if it is not exactly what [`Self::new`] makes.
    #[must_use]
    pub fn read(context: &str) -> Option<Self> {
        let (service, rest) = framed(context.strip_prefix(CONTEXT)?)?;
        let (action, rest) = framed(rest)?;
        let (epoch, _) = framed(rest)?;
        let scope = Self::new(service, action, epoch)?;
        (mutants::skips("zk-nym-context") || scope.0 == context).then_some(scope)
    }

    /// The context as item 4 has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this service's: no other may ask for it.
    #[must_use]
    pub fn is_of(&self, service: &str) -> bool {
        let own = self.0.strip_prefix(CONTEXT).and_then(framed);
        own.is_some_and(|(own, _)| own == service)
    }

    /// P.
    pub(crate) fn base(&self) -> RistrettoPoint {
        hash_to_group(TAG, self.0.as_bytes())
    }
}

/// The text of one LP, and what follows it.
fn framed(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.as_bytes().try_into().ok()?);
    rest.split_at_checked(length.try_into().ok()?)
}

/// P of an issuer's registration: the hash of "vouchsafe/v1/registration" || LP(issuer), which is no service's context.
pub(crate) fn registration_base(issuer: &str) -> RistrettoPoint {
    hash_to_group(TAG, &[REGISTRATION.as_bytes(), &length_prefixed(issuer.as_bytes())].concat())
}

/// RFC 9380 5.3.1, expand_message_xmd with SHA-512 to 64 bytes, then the map of RFC 9496 4.3.4.
fn hash_to_group(tag: &[u8], message: &[u8]) -> RistrettoPoint {
    let length = u8::try_from(tag.len()).expect("a tag here has at most 64 bytes");
    let tag = [tag, &[length]].concat();
    // A block of noughts, the message, 64 in two bytes, a nought, the tag; then that hash, one, the tag.
    let first = Sha512::new_with_prefix([0; 128]).chain_update(message).chain_update([0, 64, 0]);
    let first = first.chain_update(&tag).finalize();
    let uniform = Sha512::new_with_prefix(first).chain_update([1]).chain_update(&tag).finalize();
    RistrettoPoint::from_uniform_bytes(&uniform.into())
}

/// A pseudonym x*P as its proofs need it: read, and not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nym {
    pub(crate) point: RistrettoPoint,
    encoding: [u8; 32],
}

impl Nym {
    /// Reads 32 bytes; `None` if they are no canonical point, or the identity, which is everybody's who has x = 0.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let encoding: [u8; 32] = bytes.try_into().ok()?;
        if !(mutants::skips("zk-nym-identity") || encoding != IDENTITY) {
            return None;
        }
        Some(Self { point: CompressedRistretto(encoding).decompress()?, encoding })
    }

    /// The canonical encoding, by which pseudonyms are compared and stored.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.encoding
    }

    /// x*P, in constant time.
    pub(crate) fn of(x: &Scalar, base: &RistrettoPoint) -> Self {
        let point = base * x;
        Self { point, encoding: point.compress().0 }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
pub(crate) mod tests {
    use rand_core::{CryptoRng, Error, RngCore};
    use serde_json::Value;

    use super::*;
    use crate::hex::{tests::unhex, to_hex};

    /// A generator that gives noughts alone.
    pub(crate) struct Noughts;

    impl RngCore for Noughts {
        fn next_u32(&mut self) -> u32 {
            0
        }
        fn next_u64(&mut self) -> u64 {
            0
        }
        fn fill_bytes(&mut self, to: &mut [u8]) {
            to.fill(0);
        }
        fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Error> {
            to.fill(0);
            Ok(())
        }
    }

    impl CryptoRng for Noughts {}

    /// RFC 9497 A.1.1 gives blind * hash(input), under a tag of its own.
    #[test]
    fn hashing_is_that_of_rfc_9497() {
        let text = include_str!("../../../specs/vectors/rfc9497/ristretto255.json");
        let published: Value = serde_json::from_str(text).unwrap();
        let bytes = |value: &Value| unhex(value.as_str().unwrap());
        let vectors = published["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 2);
        for one in vectors {
            let hash = hash_to_group(&bytes(&published["tag"]), &bytes(&one["input"]));
            let blind = Scalar::from_canonical_bytes(bytes(&one["blind"]).try_into().unwrap()).unwrap();
            assert_eq!((hash * blind).compress().0[..], bytes(&one["blinded_element"]));
        }
    }

    #[test]
    fn a_context_has_one_form() {
        let scope = Scope::new("https://buses.example", "pass", "2026").unwrap();
        let expected = "vouchsafe/v1/ctx\0\0\0\u{15}https://buses.example\0\0\0\u{4}pass\0\0\0\u{4}2026";
        assert_eq!(scope.as_str(), expected);
        assert!(Scope::read(expected).unwrap() == scope);
        let prefix = "vouchsafe/v1/ctx\0\0\0\u{1}s\0\0\0\u{1}a";
        assert!(Scope::read(&format!("{prefix}\0\0\0\u{1}e")).is_some());
        for wrong in [
            String::new(),
            "larkfield/2026".to_owned(),
            prefix.to_owned(),
            format!("{prefix}\0\0\0\u{1}ex"),
            format!("{prefix}\0\0\0\u{2}e"),
            format!("{prefix}\0\0\0\0"),
            format!("{prefix}\0\0\0\u{2}eé"),
            format!("{prefix}\u{1}\0\0\0{}", "e".repeat(1 << 24)),
            format!("{prefix}\0\0\u{1}\0{}", "e".repeat(256)),
            "vouchsafe/v1/registration\0\0\0\u{1}s\0\0\0\u{1}a\0\0\0\u{1}e".to_owned(),
        ] {
            assert!(Scope::read(&wrong).is_none(), "{}", wrong.escape_debug());
        }
    }

    #[test]
    fn the_parts_of_a_context_do_not_run_together() {
        let scope = |service, action, epoch| Scope::new(service, action, epoch).unwrap();
        let scopes =
            [scope("s", "a", "e"), scope("sa", "e", "e"), scope("s", "ae", "e"), scope("s", "a", "ee")];
        for (i, one) in scopes.iter().enumerate() {
            let alike = |other: &&Scope| other.base() == one.base();
            assert_eq!(scopes.iter().filter(alike).count(), 1, "{i}");
        }
        assert!(registration_base("s") != scopes[0].base());
        assert!(registration_base("s") != registration_base("t"));
    }

    #[test]
    fn parts_have_bounds() {
        let (most, more) = ("é".repeat(63) + "e", "e".repeat(128));
        for (part, fits) in [("", false), ("e", true), (&most, true), (&more, false)] {
            assert_eq!(Scope::new(part, "a", "e").is_some(), fits);
            assert_eq!(Scope::new("s", part, "e").is_some(), fits);
            assert_eq!(Scope::new("s", "a", part).is_some(), fits);
        }
    }

    #[test]
    fn a_context_is_of_one_service() {
        let scope = Scope::new("https://buses.example", "pass", "2026").unwrap();
        assert!(scope.is_of("https://buses.example"));
        for other in ["https://buses.exampl", "https://buses.example/", "pass", ""] {
            assert!(!scope.is_of(other));
        }
    }

    #[test]
    fn a_secret_is_not_nought() {
        assert!(LinkSecret::random(&mut Noughts).is_none());
        assert!(LinkSecret::from_canonical_bytes([0; 32]).is_none());
        assert!(LinkSecret::from_canonical_bytes([0xff; 32]).is_none());
        let secret = LinkSecret::from_canonical_bytes([9; 32]).unwrap();
        assert_eq!(*secret.to_bytes(), [9; 32]);
    }

    #[test]
    fn a_pseudonym_is_a_point_and_not_the_identity() {
        let secret = LinkSecret::from_canonical_bytes([9; 32]).unwrap();
        let shown = secret.pseudonym(&Scope::new("s", "a", "e").unwrap());
        let read = Nym::read(&shown.value).unwrap();
        assert_eq!(to_hex(&read.to_bytes()), to_hex(&shown.value));
        for wrong in [&shown.value[..31], &[0; 32], &[1; 32], &[0xff; 32], &[0; 33], &[]] {
            assert!(Nym::read(wrong).is_none());
        }
    }

    #[cfg(feature = "mutants")]
    mod switched_off {
        use vouchsafe_mutants::without;

        use super::*;

        #[test]
        fn without_a_check() {
            let spoilt = "vouchsafe/v1/ctx\0\0\0\u{1}s\0\0\0\u{1}a\0\0\0\u{1}ex";
            assert!(without("zk-nym-context", || Scope::read(spoilt).is_some()));
            assert!(without("zk-nym-part", || Scope::new("s", "", "e").is_some()));
            assert!(without("zk-nym-identity", || Nym::read(&[0; 32]).is_some()));
            assert!(without("zk-link-nought", || LinkSecret::from_canonical_bytes([0; 32]).is_some()));
        }
    }
}
