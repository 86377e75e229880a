//! SD-JWT: one signed token whose claims are shown one by one.
//!
//! RFC 9901, compact form, complete: issuing ([`issue`]), holding and presenting ([`held`]), key binding
//! ([`key_binding`]), verification as the numbered list of its section 7.1 ([`disclose`]); and the rules that
//! SD-JWT VC adds ([`vc`]). Leaves out the JSON serialisation and hashes other than SHA-256.
//!
//! A verifier goes `Unverified` → [`key_binding::Bound`] → [`vc::Signed`] → [`vc::Verified`], each step
//! consuming the one before: form first, then what costs a hash, then two signatures, then the claims.
//!
//! Security: whether key binding is required is said by the method that is called, never by the token.

use std::ops::Range;

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, b64u_decode, sha256};
use crate::jose::jws::{Compact, JwsError, MAX_TOKEN};
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::json;

pub mod disclose;
pub mod held;
pub mod issue;
pub mod key_binding;
pub mod vc;

pub use disclose::{Disclosed, DisclosureError, IssuerSigned, Positions};
pub use held::Held;
pub use issue::Builder;
pub use key_binding::{Bound, KeyBindingError};

/// The most bytes of an SD-JWT with its Disclosures and key binding.
pub const MAX_SD_JWT: usize = MAX_TOKEN;

/// The most Disclosures of one SD-JWT.
pub const MAX_DISCLOSURES: usize = 256;

/// One step of a path to a claim. An index counts the elements as they were signed, also those not disclosed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An element of an array.
    Index(usize),
}

/// The path to a claim from the root of the payload.
pub type Path = Vec<Step>;

/// Why a text is not an SD-JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More than [`MAX_SD_JWT`] bytes.
    #[error("the SD-JWT is longer than allowed")]
    TooLong,
    /// More than [`MAX_DISCLOSURES`] Disclosures.
    #[error("the SD-JWT has more Disclosures than allowed")]
    TooManyDisclosures,
    /// Parts are missing or empty.
    #[error("the SD-JWT is not a token followed by Disclosures, each ended by a tilde")]
    Form,
    /// The issuer-signed token is malformed.
    #[error("the issuer-signed token is malformed: {0}")]
    Issuer(JwsError),
    /// A Disclosure is not base64url of a JSON array of two or three elements with its salt first.
    #[error("a Disclosure is malformed")]
    Disclosure,
    /// The key-binding token is malformed.
    #[error("the key-binding token is malformed: {0}")]
    KeyBinding(JwsError),
}

/// Why the signatures of an SD-JWT were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The token was issued with a key binding, or shown without one.
    #[error("a key binding is present where none belongs")]
    UnexpectedKeyBinding,
    /// The certificate path in the token is absent, or is not the one that was validated.
    #[error("the issuer's certificate path is not the one that was validated")]
    Path,
    /// The issuer-signed token is of another type, its algorithm is not its key's, or its signature is bad.
    #[error("the issuer-signed token is not accepted: {0}")]
    Issuer(JwsError),
    /// `cnf.jwk` is absent, malformed, private or of another type.
    #[error("the credential names no usable holder key")]
    Confirmation,
    /// The key binding is not by the holder's key.
    #[error("the key-binding token is not accepted: {0}")]
    KeyBinding(JwsError),
}

/// An SD-JWT as it was received: every part well-formed, none verified.
pub struct Unverified {
    text: String,
    issuer: Compact,
    payload: Map<String, Value>,
    disclosures: Vec<Disclosure>,
    key_binding: Option<Compact>,
}

/// One Disclosure: its place in the text, the digest that must be found in the payload, and what it shows.
#[derive(Clone)]
struct Disclosure {
    place: Range<usize>,
    digest: String,
    name: Option<String>,
    value: Value,
}

impl Unverified {
    /// Step 1 of RFC 9901 section 7.1: separates the parts and reads each strictly.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if !(mutants::skips("sd-size") || text.len() <= MAX_SD_JWT) {
            return Err(ParseError::TooLong);
        }
        let (issuer, rest) = text.split_once('~').ok_or(ParseError::Form)?;
        let (disclosures, key_binding) = match rest.rsplit_once('~') {
            Some((disclosures, key_binding)) => (Some(disclosures), key_binding),
            None => (None, rest),
        };
        let issuer = Compact::parse(issuer, text.len()).map_err(ParseError::Issuer)?;
        let payload = json::object(issuer.dangerous_payload(), text.len())
            .map_err(|_| ParseError::Issuer(JwsError::Payload))?;
        let start = text.len() - rest.len();
        let disclosures = disclosures.map(|parts| parse_disclosures(parts, start)).transpose()?;
        let key_binding = Some(key_binding).filter(|kb| !kb.is_empty());
        let key_binding = key_binding.map(|kb| Compact::parse(kb, text.len())).transpose();
        let key_binding = key_binding.map_err(ParseError::KeyBinding)?;
        let disclosures = disclosures.unwrap_or_default();
        Ok(Self { text: text.to_owned(), issuer, payload, disclosures, key_binding })
    }

    /// `x5c` of the issuer-signed token, to be validated.
    #[must_use]
    pub fn x5c(&self) -> Option<&[Vec<u8>]> {
        self.issuer.header().x5c()
    }

    /// `iss` as the unverified token says: good for looking up which anchors would count for that issuer.
    #[must_use]
    pub fn dangerous_claimed_issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }

    /// `vct` as the unverified token says: good for choosing how to go on, never for believing it.
    #[must_use]
    pub fn dangerous_claimed_type(&self) -> Option<&str> {
        self.payload.get("vct").and_then(Value::as_str)
    }

    /// Step 2 for a token without key binding, as an issuer sends it: type, algorithm and signature under
    /// `key`, which the caller found to be the issuer's.
    ///
    /// # Errors
    /// See [`SignatureError`]; a key binding is refused here (RFC 9901 section 7.2).
    pub fn verify_issued(
        self,
        typ: &str,
        key: &PublicJwk,
        verifier: &dyn SignatureVerifier,
    ) -> Result<IssuerSigned, SignatureError> {
        if !(mutants::skips("sd-issued-with-kb") || self.key_binding.is_none()) {
            return Err(SignatureError::UnexpectedKeyBinding);
        }
        self.check_issuer(typ, key, verifier)?;
        Ok(self.into_signed(None, None))
    }

    fn check_issuer(
        &self,
        typ: &str,
        key: &PublicJwk,
        verifier: &dyn SignatureVerifier,
    ) -> Result<(), SignatureError> {
        // SD-JWT VC 2.2.1: the type says what the token is; the older name is not taken.
        if !(mutants::skips("sd-typ") || self.issuer.header().is_typ(typ)) {
            return Err(SignatureError::Issuer(JwsError::Typ));
        }
        self.issuer.check_alg(key).map_err(SignatureError::Issuer)?;
        if !(mutants::skips("sd-signature") || self.issuer.is_signed_by(key, verifier)) {
            return Err(SignatureError::Issuer(JwsError::Signature));
        }
        Ok(())
    }

    fn into_signed(self, holder: Option<PublicJwk>, binding: Option<key_binding::Claims>) -> IssuerSigned {
        let issuer_jwt_sha256 = sha256(self.issuer.text());
        IssuerSigned {
            text: self.text,
            payload: self.payload,
            disclosures: self.disclosures,
            issuer_jwt_sha256,
            holder,
            binding,
        }
    }
}

/// The Disclosures between the first and the last tilde, each non-empty; `start` is where they begin.
fn parse_disclosures(text: &str, mut start: usize) -> Result<Vec<Disclosure>, ParseError> {
    let count = text.bytes().filter(|byte| *byte == b'~').count() + 1;
    if !(mutants::skips("sd-disclosure-count") || count <= MAX_DISCLOSURES) {
        return Err(ParseError::TooManyDisclosures);
    }
    let mut disclosures = Vec::with_capacity(count);
    for part in text.split('~') {
        disclosures.push(Disclosure::parse(part, start)?);
        start += part.len() + 1;
    }
    Ok(disclosures)
}

impl Disclosure {
    /// RFC 9901 4.2: `[salt, name, value]` for a member, `[salt, value]` for an element. The digest covers the
    /// text as sent.
    fn parse(text: &str, start: usize) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Form);
        }
        let bytes = b64u_decode(text).map_err(|_| ParseError::Disclosure)?;
        let array = json::parse(&bytes, bytes.len()).map_err(|_| ParseError::Disclosure)?;
        let Value::Array(array) = array else { return Err(ParseError::Disclosure) };
        let mut parts = array.into_iter();
        let (name, value) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Value::String(_)), Some(value), None, _) => (None, value),
            (Some(Value::String(_)), Some(Value::String(name)), Some(value), None) => (Some(name), value),
            _ => return Err(ParseError::Disclosure),
        };
        Ok(Self { place: start..start + text.len(), digest: b64u(sha256(text)), name, value })
    }
}
