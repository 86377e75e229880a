//! Compact signatures with a strict typed header.
//!
//! RFC 7515 section 7.1 and RFC 8725. Every use fixes the `typ` it takes; the algorithm must be the one of the
//! key; any `crit` is refused, since we implement no extension. `jku`, `x5u` and `jwk` in a header never choose
//! a key. Leaves out the JSON serialisations, detached payloads and several signatures.
//!
//! Security: [`Compact`] is what somebody sent. Only [`Compact::verify`] gives its payload as worth reading;
//! whoever verifies decides where the key comes from.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use super::{Alg, PublicJwk, SignError, SignatureVerifier, Signer};
use crate::encoding::{b64, b64_decode, b64u_append, b64u_decode};
use crate::json::{self, JsonError};

/// The most bytes of one compact token.
pub const MAX_TOKEN: usize = 64 * 1024;

/// The most certificates in an `x5c` header.
pub const MAX_CERTIFICATES: usize = 4;

/// Why a compact signature was not taken. All are the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// More bytes than the caller allows.
    #[error("the token is longer than allowed")]
    TooLong,
    /// Not three parts of canonical base64url.
    #[error("the token is not three parts of base64url")]
    Form,
    /// The header is not the strict JSON that this place requires.
    #[error("the token's header is malformed")]
    Header,
    /// `alg` is absent, `none`, a MAC, or any other that is not accepted.
    #[error("the token's algorithm is not accepted; use ES256 or EdDSA")]
    Alg,
    /// `alg` is not the algorithm of the key.
    #[error("the token's algorithm is not the one of the key")]
    AlgKey,
    /// A critical extension is demanded; none is implemented.
    #[error("the token demands an extension that is not implemented")]
    Critical,
    /// `typ` is absent or another than this place takes.
    #[error("the token is of another type than expected here")]
    Typ,
    /// The payload is not the strict JSON that this place requires.
    #[error("the token's payload is malformed")]
    Payload,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
}

/// The header of a compact signature, read strictly.
#[derive(Debug, Clone)]
pub struct Header {
    alg: Alg,
    typ: Option<String>,
    kid: Option<String>,
    x5c: Option<Vec<Vec<u8>>>,
    members: Map<String, Value>,
}

impl Header {
    fn read(text: &[u8]) -> Result<Self, JwsError> {
        let mut members = json::object(text, MAX_TOKEN).map_err(|_| JwsError::Header)?;
        // RFC 7515 4.1.11: an extension that is not understood must be refused; none is.
        let demands_nothing = members.get("crit").is_none();
        if !(mutants::skips("jose-crit") || demands_nothing) {
            return Err(JwsError::Critical);
        }
        let alg = members.get("alg").and_then(Value::as_str).and_then(known).ok_or(JwsError::Alg)?;
        let x5c = members.remove("x5c").map(|chain| certificates(&chain)).transpose()?;
        let optional = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.clone())),
            Some(_) => Err(JwsError::Header),
        };
        Ok(Self { alg, typ: optional("typ")?, kid: optional("kid")?, x5c, members })
    }

    /// `alg`. It chooses nothing; the key does.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// `kid`, a hint by which the verifier may pick among keys it already trusts.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `x5c` as DER, leaf first; worth nothing before [`super::x5c::validate`].
    #[must_use]
    pub fn x5c(&self) -> Option<&[Vec<u8>]> {
        self.x5c.as_deref()
    }

    /// The key that the token brought along in `jwk`. Who signed the token chose it, so it proves possession
    /// and nothing about identity: only key proofs of OpenID4VCI and of DPoP, and what the key of a permission signs, are
    /// verified with it.
    ///
    /// # Errors
    /// See [`super::JwkError`]; absent is [`super::JwkError::Malformed`].
    pub fn dangerous_embedded_jwk(&self) -> Result<PublicJwk, super::JwkError> {
        PublicJwk::from_value(self.members.get("jwk").unwrap_or(&Value::Null))
    }

    /// Any other member. `jku` and `x5u` must not lead to a key.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Whether the header consists of exactly these members, in any order.
    #[must_use]
    pub fn is_exactly(&self, names: &[&str]) -> bool {
        let count = self.members.len() + usize::from(self.x5c.is_some());
        let has =
            |name: &&str| if *name == "x5c" { self.x5c.is_some() } else { self.members.contains_key(*name) };
        count == names.len() && names.iter().all(has)
    }

    /// Whether `typ` is `expected`: without regard to case, a missing `application/` counted as present
    /// (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn is_typ(&self, expected: &str) -> bool {
        const PREFIX: &str = "application/";
        let Some(typ) = self.typ.as_deref() else { return false };
        let bare = match typ.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
            _ => typ,
        };
        bare.eq_ignore_ascii_case(expected)
    }
}

/// RFC 8725 3.1: `none`, every MAC and every other algorithm names nothing here, whatever a provider could do with it.
fn known(name: &str) -> Option<Alg> {
    Alg::from_name(name).or_else(|| mutants::skips("jose-alg").then_some(Alg::Es256))
}

fn certificates(chain: &Value) -> Result<Vec<Vec<u8>>, JwsError> {
    let chain = chain.as_array().ok_or(JwsError::Header)?;
    if chain.is_empty() || !(mutants::skips("jose-x5c-length") || chain.len() <= MAX_CERTIFICATES) {
        return Err(JwsError::Header);
    }
    chain
        .iter()
        .map(|der| der.as_str().and_then(|der| b64_decode(der).ok()).ok_or(JwsError::Header))
        .collect()
}

/// A compact signature as it was received: well-formed, not verified.
#[derive(Clone)]
pub struct Compact {
    text: String,
    input: usize,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Compact {
    /// Reads `header.payload.signature` of at most `max_bytes`.
    ///
    /// # Errors
    /// See [`JwsError`]; `AlgKey`, `Typ`, `Payload` and `Signature` come later.
    pub fn parse(text: &str, max_bytes: usize) -> Result<Self, JwsError> {
        if !(mutants::skips("jose-size") || text.len() <= max_bytes) {
            return Err(JwsError::TooLong);
        }
        let (input, signature) = text.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = input.split_once('.').ok_or(JwsError::Form)?;
        let decode = |part: &str| b64u_decode(part).map_err(|_| JwsError::Form);
        let header = Header::read(&decode(header)?)?;
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        Ok(Self { input: input.len(), text: text.to_owned(), header, payload, signature })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The text as received.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The payload of an unverified token: good for finding the key to verify it with, for nothing else.
    #[must_use]
    pub fn dangerous_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks type, algorithm and signature.
    ///
    /// # Errors
    /// [`JwsError::Typ`], [`JwsError::AlgKey`], [`JwsError::Signature`].
    pub fn verify(
        self,
        typ: &str,
        key: &PublicJwk,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Payload, JwsError> {
        self.check_typ(typ)?;
        self.check_alg(key)?;
        if !(mutants::skips("jose-signature") || self.is_signed_by(key, verifier)) {
            return Err(JwsError::Signature);
        }
        Ok(Payload { header: self.header, bytes: self.payload })
    }

    /// Checks the type alone, so that a token of another kind is refused before any dear step.
    ///
    /// # Errors
    /// [`JwsError::Typ`].
    pub fn check_typ(&self, typ: &str) -> Result<(), JwsError> {
        // RFC 8725 3.11: one kind of token is never taken for another.
        if !(mutants::skips("jose-typ") || self.header.is_typ(typ)) {
            return Err(JwsError::Typ);
        }
        Ok(())
    }

    /// RFC 8725 3.1: the key says which algorithm, the header must agree.
    pub(crate) fn check_alg(&self, key: &PublicJwk) -> Result<(), JwsError> {
        if !(mutants::skips("jose-alg-key") || self.header.alg == key.alg()) {
            return Err(JwsError::AlgKey);
        }
        Ok(())
    }

    /// Whether the signature is that of `key`. Each caller refuses under a name of its own.
    pub(crate) fn is_signed_by(&self, key: &PublicJwk, verifier: &dyn SignatureVerifier) -> bool {
        let input = &self.text.as_bytes()[..self.input];
        verifier.verify(key, key.alg(), input, &self.signature).is_ok()
    }
}

/// The payload of a verified token.
#[derive(Debug, Clone)]
pub struct Payload {
    header: Header,
    bytes: Vec<u8>,
}

impl Payload {
    /// The header, signed with the payload.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The octets that were signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload as a claims object.
    ///
    /// # Errors
    /// See [`JsonError`].
    pub fn claims(&self) -> Result<Map<String, Value>, JsonError> {
        json::object(&self.bytes, MAX_TOKEN)
    }

    /// The payload as a `T`, read strictly.
    ///
    /// # Errors
    /// See [`JsonError`].
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        json::typed(&self.bytes, MAX_TOKEN)
    }
}

/// The header of a token to be signed.
#[derive(Debug, Clone, Serialize)]
pub struct NewHeader {
    alg: &'static str,
    typ: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<PublicJwk>,
    #[serde(skip)]
    algorithm: Alg,
}

impl NewHeader {
    /// A header with algorithm and type.
    #[must_use]
    pub fn new(alg: Alg, typ: &str) -> Self {
        Self { alg: alg.as_str(), typ: typ.to_owned(), kid: None, x5c: None, jwk: None, algorithm: alg }
    }

    /// Names the key.
    #[must_use]
    pub fn kid(self, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..self }
    }

    /// Carries the certificate path, leaf first, without the anchor.
    #[must_use]
    pub fn x5c<D: AsRef<[u8]>>(self, chain: &[D]) -> Self {
        Self { x5c: Some(chain.iter().map(b64).collect()), ..self }
    }

    /// Carries the key itself, for proofs of possession.
    #[must_use]
    pub fn jwk(self, key: &PublicJwk) -> Self {
        Self { jwk: Some(key.clone()), ..self }
    }

    /// The encoded form; who signs many tokens under one header keeps it.
    #[must_use]
    pub fn encode(&self) -> EncodedHeader {
        let mut text = String::new();
        b64u_append(serde_json::to_vec(self).expect("strings serialise"), &mut text);
        text.push('.');
        EncodedHeader { alg: self.algorithm, text }
    }
}

/// A header ready for use, with the dot that follows it.
#[derive(Debug, Clone)]
pub struct EncodedHeader {
    alg: Alg,
    text: String,
}

/// A token that lacks its signature.
#[derive(Clone)]
pub struct Unsigned {
    alg: Alg,
    input: String,
}

impl Unsigned {
    /// Joins header and claims.
    ///
    /// # Errors
    /// [`JsonError::Shape`] for claims that cannot be written as JSON.
    pub fn new<T: Serialize + ?Sized>(header: &EncodedHeader, claims: &T) -> Result<Self, JsonError> {
        let claims = serde_json::to_vec(claims).map_err(|_| JsonError::Shape)?;
        let mut input = String::with_capacity(header.text.len() + claims.len() * 4 / 3 + 96);
        input.push_str(&header.text);
        b64u_append(&claims, &mut input);
        Ok(Self { alg: header.alg, input })
    }

    /// The bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.input.as_bytes()
    }

    /// The algorithm that the header names.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// The token, complete.
    #[must_use]
    pub fn finish(mut self, signature: &[u8]) -> String {
        self.input.push('.');
        b64u_append(signature, &mut self.input);
        self.input
    }
}

/// Signs with a key that is held.
///
/// # Errors
/// The key could not sign, or is of another algorithm than the header names.
pub async fn sign(unsigned: Unsigned, signer: &dyn Signer) -> Result<String, SignError> {
    if unsigned.alg != signer.alg() {
        return Err(SignError);
    }
    let signature = signer.sign(unsigned.signing_input()).await?;
    Ok(unsigned.finish(&signature))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::encoding::b64u;
    use serde_json::json;

    fn parse(header: &Value) -> Result<Compact, JwsError> {
        Compact::parse(&format!("{}.e30.AA", b64u(header.to_string())), MAX_TOKEN)
    }

    fn fault(header: Value) -> Option<JwsError> {
        parse(&header).err()
    }

    #[test]
    fn headers_that_are_refused() {
        for alg in ["none", "None", "HS256", "RS256", "ES384", "es256", ""] {
            assert_eq!(fault(json!({"alg": alg})), Some(JwsError::Alg), "{alg}");
        }
        assert_eq!(fault(json!({})), Some(JwsError::Alg));
        assert_eq!(fault(json!({"alg": ["ES256"]})), Some(JwsError::Alg));
        assert_eq!(fault(json!({"alg": "ES256", "crit": []})), Some(JwsError::Critical));
        assert_eq!(fault(json!({"alg": "ES256", "crit": ["exp"], "exp": 1})), Some(JwsError::Critical));
        assert_eq!(fault(json!({"alg": "ES256", "typ": 1})), Some(JwsError::Header));
        assert_eq!(fault(json!({"alg": "ES256", "kid": null})), Some(JwsError::Header));
        for x5c in [
            json!("AA=="),
            json!([]),
            json!([1]),
            json!(["AA"]),
            json!(["AA==", "A-8="]),
            json!(vec!["AA=="; 5]),
        ] {
            assert_eq!(fault(json!({"alg": "ES256", "x5c": x5c})), Some(JwsError::Header), "{x5c}");
        }
        assert_eq!(fault(json!({"alg": "ES256", "jku": "https://x.example", "x5c": ["AA=="]})), None);
    }

    #[test]
    fn a_repeated_header_member_is_refused() {
        let header = b64u(r#"{"alg":"ES256","alg":"ES256"}"#);
        assert_eq!(Compact::parse(&format!("{header}.e30.AA"), MAX_TOKEN).err(), Some(JwsError::Header));
    }

    #[test]
    fn three_parts_and_no_more_bytes_than_allowed() {
        let header = b64u(r#"{"alg":"ES256"}"#);
        for text in [
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30.AA.AA"),
            format!("{header}.e30.A="),
        ] {
            assert_eq!(Compact::parse(&text, MAX_TOKEN).err(), Some(JwsError::Form), "{text}");
        }
        assert_eq!(Compact::parse(&format!("{header}.e30.AA"), 10).err(), Some(JwsError::TooLong));
    }

    #[test]
    fn typ_is_compared_as_a_media_type() {
        let is_typ =
            |typ: &str| parse(&json!({"alg": "ES256", "typ": typ})).unwrap().header().is_typ("kb+jwt");
        assert!(
            is_typ("kb+jwt")
                && is_typ("KB+JWT")
                && is_typ("application/kb+jwt")
                && is_typ("Application/Kb+jwt")
        );
        assert!(
            !is_typ("jwt")
                && !is_typ("")
                && !is_typ("text/kb+jwt")
                && !is_typ("application/application/kb+jwt")
        );
        assert!(!parse(&json!({"alg": "ES256"})).unwrap().header().is_typ("kb+jwt"));
        assert!(!is_typ("applicatioé/kb+jwt"));
    }

    #[test]
    fn exactly_these_members() {
        let token = parse(&json!({"alg": "ES256", "typ": "a", "kid": "b", "x5c": ["AA=="]})).unwrap();
        assert!(token.header().is_exactly(&["alg", "typ", "kid", "x5c"]));
        assert!(!token.header().is_exactly(&["alg", "typ", "kid"]));
        assert!(!token.header().is_exactly(&["alg", "typ", "kid", "jwk"]));
    }
}
