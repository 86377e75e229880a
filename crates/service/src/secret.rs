//! Keys of the server itself: for what is stored, never for what is sent.
//!
//! A [`ServerKey`] turns codes, tokens and identifiers into values that can be stored and looked up but not used; a
//! [`Sealer`] encrypts what must be read again, bound to the table and row it belongs to. Both keys live outside the
//! database, so that a copy of the database alone gives nothing away.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use zeroize::Zeroizing;

use crate::entropy::{self, Entropy};

/// Why a key or a sealed value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The key text is not 32 bytes in base64url.
    #[error("a server key is 32 bytes in base64url without padding")]
    Key,
    /// What was sealed was altered, belongs to another row, or was sealed under another key.
    #[error("a sealed value does not open here")]
    Sealed,
}

/// 32 bytes from which a server derives its keyed digests and its sealing key.
pub struct ServerKey {
    digests: hmac::Key,
    bytes: Zeroizing<[u8; 32]>,
}

impl ServerKey {
    /// The key in `bytes`.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { digests: hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()), bytes }
    }

    /// A fresh key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice());
        Self::new(bytes)
    }

    /// Reads a key as [`ServerKey::to_text`] wrote it; white space around it is ignored.
    ///
    /// # Errors
    /// [`SecretError::Key`] when it is anything but 32 bytes in base64url.
    pub fn from_text(text: &str) -> Result<Self, SecretError> {
        b64u_array(text.trim()).map(|bytes| Self::new(Zeroizing::new(bytes))).map_err(|_| SecretError::Key)
    }

    /// The key as base64url, for its file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(b64u(self.bytes.as_slice()))
    }

    /// HMAC-SHA256 of `value` under this key, in a domain of its own for each `label`.
    #[must_use]
    pub fn hmac(&self, label: &str, value: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.digests);
        // The label's length comes first, so that no label can run over into the value of another.
        context.update(&u64::try_from(label.len()).expect("a usize fits in 64 bits").to_be_bytes());
        context.update(label.as_bytes());
        context.update(value);
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether `value` has the digest `stored`, compared in constant time.
    #[must_use]
    pub fn matches(&self, label: &str, value: &[u8], stored: &[u8]) -> bool {
        mutants::skips("svc-hmac") || same(&self.hmac(label, value), stored)
    }

    /// The sealing key for values of one kind, derived from this key.
    #[must_use]
    pub fn sealer(&self, label: &str) -> Sealer {
        let derived = Zeroizing::new(self.hmac("sealing key", label.as_bytes()));
        Sealer::new(&derived)
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// AES-256-GCM for data at rest: a random 96-bit nonce, then the ciphertext and its tag.
///
/// A random nonce is safe for 2^32 values under one key; a table of open transactions stays far below that.
pub struct Sealer(LessSafeKey);

impl Sealer {
    /// A sealer under the given key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256-GCM takes keys of 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals `plain` for the place named by `aad`: table, row and column in a form of the caller's.
    #[must_use]
    pub fn seal(&self, plain: &[u8], aad: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = entropy::bytes(entropy);
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text)
            .expect("stored values are far shorter than the 64 GiB that GCM can seal");
        [&nonce[..], &text[..], tag.as_ref()].concat()
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SecretError::Sealed`] when it was altered, moved, or sealed under another key.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::Sealed)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
            .map_err(|_| SecretError::Sealed)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn digests_differ_by_label_and_value() {
        let key = ServerKey::new(Zeroizing::new([7; 32]));
        let stored = key.hmac("code", b"ABCD");
        assert!(key.matches("code", b"ABCD", &stored));
        assert!(!key.matches("code", b"ABCE", &stored));
        assert!(!key.matches("token", b"ABCD", &stored));
        assert!(!key.matches("cod", b"eABCD", &stored));
        assert!(!key.matches("code", b"ABCD", &stored[..31]));
        assert!(!ServerKey::new(Zeroizing::new([8; 32])).matches("code", b"ABCD", &stored));
    }

    #[test]
    fn a_key_survives_its_file() {
        let key = ServerKey::generate(&OsEntropy::new());
        let again = ServerKey::from_text(&format!("{}\n", key.to_text().as_str())).unwrap();
        assert_eq!(key.hmac("x", b"y"), again.hmac("x", b"y"));
        for bad in ["", "AAAA", &"A".repeat(44), &"=".repeat(43)] {
            assert!(matches!(ServerKey::from_text(bad), Err(SecretError::Key)));
        }
    }

    #[test]
    fn sealed_values_open_in_their_place_alone() {
        let entropy = OsEntropy::new();
        let sealer = ServerKey::generate(&entropy).sealer("requests");
        let sealed = sealer.seal(b"a secret", b"requests/1/key", &entropy);
        assert_eq!(sealer.open(&sealed, b"requests/1/key").unwrap().as_slice(), b"a secret");
        assert_eq!(sealer.open(&sealed, b"requests/2/key").unwrap_err(), SecretError::Sealed);
        let other = ServerKey::generate(&entropy).sealer("requests");
        assert_eq!(other.open(&sealed, b"requests/1/key").unwrap_err(), SecretError::Sealed);
        for at in 0..sealed.len() {
            let mut spoilt = sealed.clone();
            spoilt[at] ^= 1;
            assert!(sealer.open(&spoilt, b"requests/1/key").is_err());
            assert!(sealer.open(&sealed[..at], b"requests/1/key").is_err());
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let entropy = OsEntropy::new();
        let sealer = Sealer::new(&[1; 32]);
        assert_ne!(sealer.seal(b"x", b"", &entropy), sealer.seal(b"x", b"", &entropy));
    }
}
