//! Commitments to attributes, and the blinding factors that a copy's seed gives.
//!
//! Implements `specs/proofs/README.md` section 3. The issuer draws one seed per copy and signs the
//! commitments; seed and values travel beside the credential, and the holder recomputes every commitment.
//! Security: whoever holds a seed can open its copy, so a seed is never a disclosure, a log field or a
//! database column in clear, and no two copies share one.

use curve25519_dalek::Scalar;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    encoding::{Text, length_prefixed},
    group,
};

/// The 32-byte secret of one copy, wiped after use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

/// The scalar `r` that hides one attribute of one copy, wiped after use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Blinding(pub(crate) Scalar);

/// The encoding of `C = v*B + r*H` as an issuer signs it. Not yet known to be a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(#[serde(with = "crate::hex::bytes32")] pub [u8; 32]);

impl Seed {
    /// Takes 32 fresh random bytes; the caller wipes its own copy.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that travel in the encrypted credential response, and nowhere else.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// r = HKDF-SHA512(salt "vouchsafe/v1/blind", ikm = seed, info = LP(iss)||LP(vct)||LP(p), 64 bytes) mod l.
    #[must_use]
    pub fn blinding(&self, iss: &str, vct: &str, pointer: &str) -> Blinding {
        let info: Vec<u8> =
            [iss, vct, pointer].iter().flat_map(|text| length_prefixed(text.as_bytes()).to_vec()).collect();
        let mut wide = Zeroizing::new([0; 64]);
        Hkdf::<Sha512>::new(Some(b"vouchsafe/v1/blind"), &self.0)
            .expand(&info, wide.as_mut())
            .expect("64 bytes are one block of HKDF-SHA512");
        Blinding(Scalar::from_bytes_mod_order_wide(&wide))
    }
}

impl ConstantTimeEq for Seed {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl Blinding {
    /// A scalar from its canonical little-endian encoding, or `None`.
    #[must_use]
    pub fn from_canonical_bytes(bytes: [u8; 32]) -> Option<Self> {
        Option::from(Scalar::from_canonical_bytes(bytes)).map(Self)
    }

    /// The canonical little-endian encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

/// Com(v; r) of an integer attribute, in constant time.
#[must_use]
pub fn commit(v: u64, r: &Blinding) -> Commitment {
    let v = Zeroizing::new(Scalar::from(v));
    Commitment(group::commit(&v, &r.0).compress().0)
}

/// Com(v; r) of a `str` attribute, in constant time.
#[must_use]
pub fn commit_text(v: &Text, r: &Blinding) -> Commitment {
    Commitment(group::commit(&v.0, &r.0).compress().0)
}

impl Commitment {
    /// Whether an issuer may have signed this: the canonical encoding of a point other than the identity.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        group::decode_signed(&self.0).is_some()
    }
}

impl ConstantTimeEq for Commitment {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}
