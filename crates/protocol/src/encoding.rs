//! Base64 in the two forms that JOSE uses, and SHA-256.
//!
//! RFC 7515 section 2: base64url without padding. RFC 7515 section 4.1.6: `x5c` alone is ordinary base64 with
//! padding. Decoding is strict: no padding where none belongs, no white space, no stray trailing bits, so that
//! a text has one reading and bytes have one text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// A text that is not the one canonical base64 form of some bytes, or not of the length that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64 of the expected length")]
pub struct Base64Error;

/// Base64url without padding.
#[must_use]
pub fn b64u(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends base64url without padding to `text`.
pub fn b64u_append(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Strict base64url without padding.
///
/// # Errors
/// Padding, white space, `+`, `/`, or trailing bits that are not zero.
pub fn b64u_decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

/// Strict base64url of exactly `N` bytes.
///
/// # Errors
/// As [`b64u_decode`], or another length.
pub fn b64u_array<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], Base64Error> {
    b64u_decode(text)?.try_into().map_err(|_| Base64Error)
}

/// Base64 with padding, as `x5c` uses it.
#[must_use]
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Strict base64 with padding, as `x5c` uses it.
///
/// # Errors
/// Missing padding, white space, `-`, `_`, or trailing bits that are not zero.
pub fn b64_decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_some_bytes() {
        assert_eq!(b64u_decode("AQ").unwrap(), [1]);
        for other in ["AQ==", "AR", "A Q", "A", "A+8", "A/8", "AQ\n"] {
            assert_eq!(b64u_decode(other), Err(Base64Error), "{other:?}");
        }
        assert_eq!(b64_decode("AQ==").unwrap(), [1]);
        for other in ["AQ", "AR==", "A-8=", "AQ==\n"] {
            assert_eq!(b64_decode(other), Err(Base64Error), "{other:?}");
        }
    }

    #[test]
    fn arrays_have_their_length() {
        assert_eq!(b64u_array::<2>("AQI").unwrap(), [1, 2]);
        assert!(b64u_array::<3>("AQI").is_err());
    }

    proptest::proptest! {
        #[test]
        fn round_trip(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(b64u_decode(b64u(&bytes)).unwrap(), bytes.clone());
            proptest::prop_assert_eq!(b64_decode(b64(&bytes)).unwrap(), bytes);
        }
    }
}
