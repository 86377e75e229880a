//! JOSE as far as the wire needs it: public keys, compact signatures, certificate paths, compact encryption.
//!
//! RFC 7515 to 7518, 7638 and 8725, narrowed: ES256 and EdDSA over compact serialisation, ECDH-ES on P-256
//! with AES-GCM. The arithmetic is behind four traits, so that ring, a hardware module or the browser's key
//! store can serve: [`Signer`], [`SignatureVerifier`], [`KeyAgreement`], [`Aead`].
//!
//! Security: an algorithm follows from the key, and a key from configuration, a signed document or a
//! certificate path; nothing that a token says about itself chooses either.

use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod x5c;

pub use jwe::Enc;
pub use jwk::{JwkError, NamedJwk, PublicJwk};
/// The certificate types that [`SignatureVerifier`] speaks of.
pub use rustls_pki_types as pki_types;

/// A signature algorithm. The key decides which one; a header only has to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alg {
    /// ECDSA on P-256 with SHA-256; the signature is r and s, 64 bytes.
    Es256,
    /// Ed25519; the signature is 64 bytes.
    EdDsa,
}

impl Alg {
    /// The name in the `alg` header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name; `none`, every MAC and every other algorithm has no value here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A future in a box, so that the traits below can stand behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The key could not sign: the module is away, or the key is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("our signing key could not sign; check the key store")]
pub struct SignError;

/// A private signing key, wherever it is kept.
///
/// Who cannot give a `Send` future (a browser's key store) signs in two steps instead: `signing_input()`, then
/// `finish(signature)`, on whatever is to be signed.
pub trait Signer: Send + Sync {
    /// The algorithm that this key signs with.
    fn alg(&self) -> Alg {
        self.public().alg()
    }

    /// The public half.
    fn public(&self) -> &PublicJwk;

    /// Signs `input`; the result is 64 bytes, in JOSE form.
    fn sign<'a>(&'a self, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignError>>;
}

/// The signature does not verify under the key. Nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Checks signatures.
pub trait SignatureVerifier: Send + Sync {
    /// Checks `signature` (JOSE form) over `input`.
    ///
    /// # Errors
    /// Any fault at all, also a key that is not of `alg`.
    fn verify(&self, key: &PublicJwk, alg: Alg, input: &[u8], signature: &[u8]) -> Result<(), BadSignature>;

    /// The algorithms that certificates may be signed with.
    fn certificate_algorithms(&self) -> &[&'static dyn pki_types::SignatureVerificationAlgorithm];
}

/// Two keys could not be joined to a secret: the peer's is not on the curve, or ours is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key agreement failed")]
pub struct AgreementError;

/// The private half of a P-256 key agreement key.
pub trait KeyAgreement: Send + Sync {
    /// The public half.
    fn public(&self) -> &PublicJwk;

    /// The shared secret Z of RFC 7518 section 4.6: the x coordinate.
    ///
    /// # Errors
    /// The peer's key is of another curve or not on the curve.
    fn agree(&self, peer: &PublicJwk) -> Result<Zeroizing<[u8; 32]>, AgreementError>;
}

/// Sealing failed, or a sealed text does not open under the key. Nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("authenticated encryption failed")]
pub struct AeadError;

/// AES-GCM with a 96-bit nonce and a 128-bit tag.
pub trait Aead: Send + Sync {
    /// Encrypts; the result is the ciphertext followed by the 16 bytes of the tag.
    ///
    /// # Errors
    /// The key is not of the length that `enc` needs.
    fn seal(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, AeadError>;

    /// Opens a ciphertext followed by its tag.
    ///
    /// # Errors
    /// Any change to any argument.
    fn open(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AeadError>;
}
