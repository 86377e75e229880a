//! Keys: what stands behind the signature and encryption traits of `vouchsafe_protocol::jose`.
//!
//! Signatures are made and checked by `jsonwebtoken` over a provider of ours on `ring`; AES-GCM is `ring`'s. Key
//! agreement is `p256`, since an agreement key must outlive the process that made it and `ring` cannot store one.
//! Call [`install`] once when a program starts.

mod agreement;
mod provider;
mod signing;
mod verifying;

pub use agreement::AgreementKey;
pub use provider::install;
pub use signing::SigningKey;
pub use verifying::{Jws, RingAead};

/// Why a key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not one unencrypted PKCS#8 private key in PEM.
    #[error("the key is not one unencrypted PKCS#8 key in PEM")]
    Pem,
    /// It is a key, but not for ES256.
    #[error("the key is not a P-256 key")]
    Kind,
    /// The number is zero or not below the order of the curve.
    #[error("the agreement key is out of range")]
    Range,
    /// The system gave no randomness.
    #[error("a key could not be made")]
    Generate,
}
