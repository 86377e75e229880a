//! Signed issuer metadata (section 12.2.3): the same members as claims of a JWT.
//!
//! Security: the signature says that the holder of a certificate wrote the metadata. That the certificate speaks for
//! the issuer is checked by its URI name, as with credentials; whether the issuer counts, the registrar's entry says.

use serde::Serialize;
use vouchsafe_mutants as mutants;

use super::metadata::{IssuerMetadata, MAX_METADATA, MetadataError};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::x5c::{Anchor, validate};
use crate::jose::{Alg, SignatureVerifier};
use crate::json;
use crate::time::{SKEW, UnixTime};

/// The `typ` of the header; the standard's own spelling, without the 4.
pub const TYP: &str = "openidvci-issuer-metadata+jwt";

/// The media type that is asked for and answered.
pub const MEDIA_TYPE: &str = "application/jwt";

/// How long our own signed metadata is good, in seconds.
pub const TTL: i64 = 86_400;

/// The most bytes of the token: base64url is a third longer than what it holds.
pub const MAX_SIGNED: usize = MAX_METADATA / 3 * 4 + 16 * 1024;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: UnixTime,
    exp: UnixTime,
    #[serde(flatten)]
    metadata: &'a IssuerMetadata,
}

/// The bytes to sign at `now` under the certificates `chain`, leaf first.
#[must_use]
pub fn unsigned<D: AsRef<[u8]>>(metadata: &IssuerMetadata, alg: Alg, chain: &[D], now: UnixTime) -> Unsigned {
    let header = NewHeader::new(alg, TYP).x5c(chain).encode();
    let issuer = metadata.credential_issuer.as_str();
    let claims = Claims { iss: issuer, sub: issuer, iat: now, exp: now.plus(TTL), metadata };
    Unsigned::new(&header, &claims).expect("metadata are strings, numbers and objects")
}

/// What signed metadata is held against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer that was asked.
    pub issuer: &'a str,
    /// The anchors that may vouch for it.
    pub anchors: &'a [Anchor],
    /// The time of reading.
    pub now: UnixTime,
}

/// Checks a signed document and reads its metadata.
///
/// # Errors
/// [`MetadataError`].
pub fn verify(
    text: &str,
    expected: &Expected<'_>,
    verifier: &dyn SignatureVerifier,
) -> Result<IssuerMetadata, MetadataError> {
    let token = Compact::parse(text.trim(), MAX_SIGNED).map_err(|_| MetadataError::Malformed)?;
    if !(mutants::skips("vci-signed-typ") || token.header().is_typ(TYP)) {
        return Err(MetadataError::Signature);
    }
    let x5c = token.header().x5c().unwrap_or_default();
    let leaf = validate(x5c, expected.anchors, expected.now, verifier);
    let leaf = leaf.map_err(|_| MetadataError::Signature)?;
    let named = leaf.uris().iter().any(|uri| uri == expected.issuer);
    if !(mutants::skips("vci-signed-leaf") || named) {
        return Err(MetadataError::Signature);
    }
    let signed = token.check_alg(leaf.key()).is_ok() && token.is_signed_by(leaf.key(), verifier);
    if !(mutants::skips("vci-signed-signature") || signed) {
        return Err(MetadataError::Signature);
    }
    check_claims(token.dangerous_payload(), expected)?;
    IssuerMetadata::parse(token.dangerous_payload(), expected.issuer)
}

/// `sub` and `iat` are required, `exp` counts where it is there.
fn check_claims(payload: &[u8], expected: &Expected<'_>) -> Result<(), MetadataError> {
    let claims = json::object(payload, MAX_METADATA).map_err(|_| MetadataError::Malformed)?;
    let subject = claims.get("sub").and_then(json::Value::as_str) == Some(expected.issuer);
    if !(mutants::skips("vci-signed-sub") || subject) {
        return Err(MetadataError::Issuer);
    }
    let time = |name: &str| {
        let read = |value: &json::Value| json::of_value::<UnixTime>(value.clone());
        claims.get(name).map(read).transpose().map_err(|_| MetadataError::Malformed)
    };
    let (iat, exp) = (time("iat")?.ok_or(MetadataError::Malformed)?, time("exp")?);
    if !(mutants::skips("vci-signed-iat") || iat <= expected.now.plus(SKEW)) {
        return Err(MetadataError::Time);
    }
    if !(mutants::skips("vci-signed-exp") || exp.is_none_or(|exp| expected.now < exp.plus(SKEW))) {
        return Err(MetadataError::Time);
    }
    Ok(())
}
