//! Keys: what stands behind the signature and encryption traits of `vouchsafe_protocol::jose`.
//!
//! Signatures are made and checked by `jsonwebtoken` over a provider of ours on `ring`; AES-GCM is `ring`'s. Key
//! agreement is `p256`, since an agreement key must outlive the process that made it and `ring` cannot store one.
//! Call [`install`] once when a program starts.

mod agreement;
mod ed25519;
mod provider;
mod signing;
mod verifying;

use vouchsafe_protocol::encoding::b64;
use zeroize::Zeroizing;

pub use agreement::AgreementKey;
pub use ed25519::Ed25519Key;
pub use provider::install;
pub use signing::SigningKey;
pub use verifying::{Jws, RingAead};

/// Why a key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not one unencrypted PKCS#8 private key in PEM.
    #[error("the key is not one unencrypted PKCS#8 key in PEM")]
    Pem,
    /// It is a key, but not for ES256, or for a log not for Ed25519.
    #[error("the key is not of its kind: P-256, or Ed25519 for a log and its witnesses")]
    Kind,
    /// The number is zero or not below the order of the curve.
    #[error("the agreement key is out of range")]
    Range,
    /// The system gave no randomness.
    #[error("a key could not be made")]
    Generate,
}

/// A PKCS#8 document as PEM.
fn pem(document: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(b64(document));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() + 64));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    // RFC 7468 2: lines of 64 letters.
    for (at, letter) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    pem
}
