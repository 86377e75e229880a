//! Key binding: how a holder shows that a credential is theirs, here and now.
//!
//! RFC 9901 sections 4.3 and 7.3. Leaves out `exp` and `nbf` of the key-binding token, which the RFC does not
//! define for it: `iat` and the transaction's own life bound it.
//!
//! Security: the nonce must be fresh and spent once, or an answer can be replayed. Nothing here spends it.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use vouchsafe_mutants as mutants;

use super::{IssuerSigned, SignatureError, Unverified};
use crate::encoding::{b64u, sha256};
use crate::jose::jws::{Compact, EncodedHeader, JwsError, NewHeader, Unsigned};
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::json::{self, JsonError};
use crate::time::{SKEW, UnixTime};

/// The type of a key-binding token.
pub const TYP: &str = "kb+jwt";

/// How old a key binding may be, in seconds, where nothing narrower is asked.
pub const MAX_AGE: i64 = 300;

/// The claims that the RFC defines; the others are the transaction's.
const OWN: [&str; 4] = ["iat", "aud", "nonce", "sd_hash"];

/// What the verifier expects of a key binding.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The complete client id of the verifier, with its prefix.
    pub aud: &'a str,
    /// The nonce of the transaction.
    pub nonce: &'a str,
    /// The instant of checking.
    pub now: UnixTime,
    /// How old the binding may be, in seconds.
    pub max_age: i64,
}

/// Why a key binding was not taken. All are the presenter's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyBindingError {
    /// There is none.
    #[error("the presentation has no key binding")]
    Missing,
    /// `typ` is not `kb+jwt`.
    #[error("the key-binding token is of another type")]
    Typ,
    /// A required claim is absent or of another type.
    #[error("the key-binding token lacks a claim or has one of another type")]
    Malformed,
    /// Made for another verifier.
    #[error("the key binding names another audience")]
    Audience,
    /// Made for another transaction.
    #[error("the key binding names another nonce")]
    Nonce,
    /// Made too long ago, or in the future.
    #[error("the key binding was not made just now")]
    IssuedAt,
    /// Made over other Disclosures or another credential.
    #[error("the key binding covers another presentation")]
    Hash,
}

/// The claims of a key-binding token.
#[derive(Clone)]
pub struct Claims {
    issued_at: UnixTime,
    aud: String,
    nonce: String,
    sd_hash: String,
    extra: Map<String, Value>,
}

impl Claims {
    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// Every claim beyond `iat`, `aud`, `nonce` and `sd_hash`, such as `transaction_data_hashes`.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    fn read(token: &Compact) -> Result<Self, KeyBindingError> {
        let payload = token.dangerous_payload();
        let mut claims = json::object(payload, payload.len()).map_err(|_| KeyBindingError::Malformed)?;
        let mut text = |name: &str| match claims.remove(name) {
            Some(Value::String(value)) => Ok(value),
            // RFC 9901 4.3: `aud` is a single string; a list could name others besides us.
            Some(Value::Array(mut list)) if name == "aud" && mutants::skips("kb-aud-array") => {
                list.pop().and_then(|last| last.as_str().map(str::to_owned)).ok_or(KeyBindingError::Malformed)
            }
            _ => Err(KeyBindingError::Malformed),
        };
        let (aud, nonce, sd_hash) = (text("aud")?, text("nonce")?, text("sd_hash")?);
        let issued_at = claims.remove("iat").ok_or(KeyBindingError::Malformed)?;
        let issued_at = json::of_value(issued_at).map_err(|_| KeyBindingError::Malformed)?;
        Ok(Self { issued_at, aud, nonce, sd_hash, extra: claims })
    }

    fn check(&self, expected: &Expected<'_>, covered: &str) -> Result<(), KeyBindingError> {
        if !(mutants::skips("kb-aud") || self.aud == expected.aud) {
            return Err(KeyBindingError::Audience);
        }
        let is_ours: bool = self.nonce.as_bytes().ct_eq(expected.nonce.as_bytes()).into();
        if !(mutants::skips("kb-nonce") || is_ours) {
            return Err(KeyBindingError::Nonce);
        }
        if !(mutants::skips("kb-iat-old") || self.issued_at >= expected.now.minus(expected.max_age)) {
            return Err(KeyBindingError::IssuedAt);
        }
        if !(mutants::skips("kb-iat-future") || self.issued_at <= expected.now.plus(SKEW)) {
            return Err(KeyBindingError::IssuedAt);
        }
        if !(mutants::skips("kb-sd-hash") || self.sd_hash == b64u(sha256(covered))) {
            return Err(KeyBindingError::Hash);
        }
        Ok(())
    }
}

/// A presentation whose key binding says what it should; no signature is checked yet.
pub struct Bound {
    parts: Unverified,
    claims: Option<Claims>,
}

impl Unverified {
    /// Steps 1 to 6 of RFC 9901 section 7.3 but for the signature: a key binding is present, of the right type,
    /// for this verifier and transaction, made just now, over exactly what was presented.
    ///
    /// # Errors
    /// See [`KeyBindingError`].
    pub fn check_binding(self, expected: &Expected<'_>) -> Result<Bound, KeyBindingError> {
        if !(mutants::skips("kb-present") || self.key_binding.is_some()) {
            return Err(KeyBindingError::Missing);
        }
        let claims = self.key_binding.as_ref().map(|token| self.binding(token, expected)).transpose()?;
        Ok(Bound { parts: self, claims })
    }

    fn binding(&self, token: &Compact, expected: &Expected<'_>) -> Result<Claims, KeyBindingError> {
        if !(mutants::skips("kb-typ") || token.header().is_typ(TYP)) {
            return Err(KeyBindingError::Typ);
        }
        let claims = Claims::read(token)?;
        let covered = &self.text[..self.text.len() - token.text().len()];
        claims.check(expected, covered)?;
        Ok(claims)
    }
}

impl Bound {
    /// The parts, still unverified: for finding the anchors and the path.
    #[must_use]
    pub fn parts(&self) -> &Unverified {
        &self.parts
    }

    /// Checks the issuer's signature under `key`, then the holder's under the key that the issuer confirmed.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify(
        self,
        typ: &str,
        key: &PublicJwk,
        verifier: &dyn SignatureVerifier,
    ) -> Result<IssuerSigned, SignatureError> {
        self.parts.check_issuer(typ, key, verifier)?;
        let holder = holder(&self.parts.payload)?;
        if let Some(token) = &self.parts.key_binding {
            token.check_alg(&holder).map_err(SignatureError::KeyBinding)?;
            if !(mutants::skips("kb-signature") || token.is_signed_by(&holder, verifier)) {
                return Err(SignatureError::KeyBinding(JwsError::Signature));
            }
        }
        Ok(self.parts.into_signed(Some(holder), self.claims))
    }
}

/// RFC 9901 7.3 step 3: the holder's key stands in the signed payload itself, never in a Disclosure.
pub(super) fn holder(payload: &Map<String, Value>) -> Result<PublicJwk, SignatureError> {
    let jwk = payload.get("cnf").and_then(|cnf| cnf.get("jwk")).ok_or(SignatureError::Confirmation)?;
    PublicJwk::from_value(jwk).map_err(|_| SignatureError::Confirmation)
}

/// What a holder says in a key binding.
#[derive(Clone)]
pub struct Binding<'a> {
    /// The complete client id of the verifier, with its prefix.
    pub aud: &'a str,
    /// The nonce of the request.
    pub nonce: &'a str,
    /// The instant of answering.
    pub issued_at: UnixTime,
    /// Further claims, such as `transaction_data_hashes` or a proof.
    pub extra: Map<String, Value>,
}

impl Binding<'_> {
    /// The key-binding token over `covered`, everything up to and including the last tilde, not yet signed.
    pub(super) fn over(self, covered: &str, holder: &PublicJwk) -> Result<Unsigned, JsonError> {
        if OWN.iter().any(|name| self.extra.contains_key(*name)) {
            return Err(JsonError::RepeatedMember);
        }
        let mut claims = self.extra;
        claims.insert("iat".to_owned(), self.issued_at.0.into());
        claims.insert("aud".to_owned(), self.aud.into());
        claims.insert("nonce".to_owned(), self.nonce.into());
        claims.insert("sd_hash".to_owned(), b64u(sha256(covered)).into());
        let header: EncodedHeader = NewHeader::new(holder.alg(), TYP).encode();
        Unsigned::new(&header, &claims)
    }
}
