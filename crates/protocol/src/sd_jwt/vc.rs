//! What SD-JWT VC adds: type, issuer, times, and the claims that must stand in the clear.
//!
//! draft-ietf-oauth-sd-jwt-vc-19, narrowed: the issuer is known by `x5c` whose leaf names `iss` among its URIs,
//! the holder by `cnf.jwk`, and `exp` is required. Leaves out issuer metadata by URL and type metadata. Whether a
//! credential has a `status` follows from its type; the reference is handed out apart ([`Verified::take_status`]), and
//! what it says is looked up last, by the caller.
//!
//! Security: trust in a `vct` never follows from the credential. Whether this issuer may issue this type, and
//! whether the leaf's anchor is one of that issuer's, is in the trust register, and for the caller to check.

use std::sync::Arc;

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use super::disclose::{disclose, starts_with};
use super::held::Held;
use super::key_binding::{Bound, Claims};
use super::{Disclosed, DisclosureError, IssuerSigned, Path, Positions, SignatureError, Unverified};
use crate::jose::x5c::VerifiedLeaf;
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::json;
use crate::status::{self, Reference};
use crate::time::{SKEW, UnixTime};

/// The type of an issuer-signed token.
pub const TYP: &str = "dc+sd-jwt";

/// SD-JWT VC 2.2.2.3: claims that must stand in the clear, whole.
pub const NEVER_DISCLOSED: [&str; 8] =
    ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];

/// Why the claims of a credential were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VcError {
    /// The Disclosures do not fit the payload.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// A claim that must stand in the clear came through a Disclosure.
    #[error("a claim that must stand in the clear came through a Disclosure")]
    NeverDisclosed,
    /// A required claim is absent or of another type.
    #[error("the credential lacks a required claim or has one of another type")]
    Malformed,
    /// `iss` is not among the URIs of the leaf certificate.
    #[error("the credential's issuer is not named by its certificate")]
    Issuer,
    /// The credential is for another audience.
    #[error("the credential is for another audience")]
    Audience,
    /// `nbf` or `iat` lies in the future.
    #[error("the credential is not valid yet")]
    NotYetValid,
    /// `exp` has passed.
    #[error("the credential has expired")]
    Expired,
    /// The credential has a status although its type has none, or lacks a well-formed one.
    #[error("the credential's status is not what its type says")]
    Status,
    /// The holder's key is absent, malformed or private.
    #[error("the credential names no usable holder key")]
    Confirmation,
}

/// What is known of the status of credentials of a type. Never inferred from the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Trusted metadata says that credentials of this type have none and simply expire.
    NotInType,
    /// Trusted metadata says that every credential of this type has one.
    Required,
    /// Whatever the issuer signed: for its holder alone, who decides nothing by it.
    AsSigned,
}

/// Under which conditions the claims of a credential are taken.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The instant of checking.
    pub now: UnixTime,
    /// Who we are, should the credential name an audience.
    pub audience: &'a str,
    /// What is known of the status.
    pub status: Status,
}

/// A presented credential whose signatures hold, under a certificate path that was validated.
pub struct Signed {
    token: IssuerSigned,
    issuer: Arc<VerifiedLeaf>,
}

impl Bound {
    /// Checks the issuer's signature under the leaf of the path that the token carries, then the holder's.
    ///
    /// `issuer` comes from [`crate::jose::x5c::validate_or_cached`], under anchors that count for the issuer.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn check_signatures(
        self,
        issuer: Arc<VerifiedLeaf>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Signed, SignatureError> {
        check_path(self.parts(), &issuer)?;
        let token = self.verify(TYP, issuer.key(), verifier)?;
        Ok(Signed { token, issuer })
    }
}

impl Unverified {
    /// Checks a credential as it comes from its issuer, for the holder to keep: signature, Disclosures, claims.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub fn receive(
        self,
        issuer: &VerifiedLeaf,
        rules: &Rules<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Held, ReceiveError> {
        check_path(&self, issuer)?;
        let token = self.verify_issued(TYP, issuer.key(), verifier)?;
        let held = Held::of(token.text, token.payload, token.disclosures)?;
        check_claims(held.disclosed(), issuer, rules)?;
        Ok(held)
    }
}

/// Why a credential from an issuer was not kept. All are the issuer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The signature or the certificate path.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The Disclosures or the claims.
    #[error(transparent)]
    Claims(#[from] VcError),
}

fn check_path(parts: &Unverified, issuer: &VerifiedLeaf) -> Result<(), SignatureError> {
    if !(mutants::skips("sd-x5c-leaf") || parts.x5c() == Some(issuer.x5c())) {
        return Err(SignatureError::Path);
    }
    Ok(())
}

impl Signed {
    /// `iss`, signed.
    #[must_use]
    pub fn iss(&self) -> Option<&str> {
        self.token.payload.get("iss").and_then(Value::as_str)
    }

    /// `vct`, signed.
    #[must_use]
    pub fn vct(&self) -> Option<&str> {
        self.token.payload.get("vct").and_then(Value::as_str)
    }

    /// Puts the Disclosures in place and checks types, issuer, times and status.
    ///
    /// # Errors
    /// See [`VcError`].
    pub fn accept(self, rules: &Rules<'_>) -> Result<Verified, VcError> {
        let Self { token, issuer } = self;
        let (mut disclosed, _) = disclose(token.payload, token.disclosures)?;
        let (expires_at, status) = check_claims(&disclosed, &issuer, rules)?;
        // Index and URI are as good as a serial number: nobody further down sees them among the claims.
        disclosed.forget(status::CLAIM);
        Ok(Verified {
            disclosed,
            status,
            issuer,
            issuer_jwt_sha256: token.issuer_jwt_sha256,
            holder: token.holder.ok_or(VcError::Confirmation)?,
            binding: token.binding,
            expires_at,
        })
    }
}

/// A presented credential of which everything was checked that can be checked of it alone.
pub struct Verified {
    disclosed: Disclosed,
    status: Option<Reference>,
    issuer: Arc<VerifiedLeaf>,
    issuer_jwt_sha256: [u8; 32],
    holder: PublicJwk,
    binding: Option<Claims>,
    expires_at: UnixTime,
}

impl Verified {
    /// Where the credential's status stands, once: whoever looks it up forgets it then.
    #[must_use]
    pub fn take_status(&mut self) -> Option<Reference> {
        self.status.take()
    }

    /// Whether there is a status that nobody has taken.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// The processed claims, without the status.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        self.disclosed.claims()
    }

    /// Where the elements of incomplete arrays stood when they were signed.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        self.disclosed.positions()
    }

    /// The path of every claim that came through a Disclosure.
    #[must_use]
    pub fn disclosed(&self) -> &[Path] {
        self.disclosed.paths()
    }

    /// A top-level claim that was signed in the clear, no part of it through a Disclosure.
    #[must_use]
    pub fn always_visible(&self, name: &str) -> Option<&Value> {
        self.disclosed.always_visible(name)
    }

    /// `iss`, which the leaf certificate names.
    #[must_use]
    pub fn iss(&self) -> &str {
        text(self.claims(), "iss").unwrap_or_default()
    }

    /// `vct`.
    #[must_use]
    pub fn vct(&self) -> &str {
        text(self.claims(), "vct").unwrap_or_default()
    }

    /// `exp`.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The issuer's leaf certificate.
    #[must_use]
    pub fn issuer(&self) -> &VerifiedLeaf {
        &self.issuer
    }

    /// SHA-256 of the issuer-signed token, the text before the first tilde.
    #[must_use]
    pub fn issuer_jwt_sha256(&self) -> [u8; 32] {
        self.issuer_jwt_sha256
    }

    /// The holder's key, which signed the key binding.
    #[must_use]
    pub fn holder(&self) -> &PublicJwk {
        &self.holder
    }

    /// A claim of the key binding beyond those that RFC 9901 defines.
    #[must_use]
    pub fn binding_claim(&self, name: &str) -> Option<&Value> {
        self.binding.as_ref().and_then(|binding| binding.extra().get(name))
    }

    /// `iat` of the key binding.
    #[must_use]
    pub fn bound_at(&self) -> Option<UnixTime> {
        self.binding.as_ref().map(Claims::issued_at)
    }
}

/// The rules of SD-JWT VC on a processed payload whose holder key was read before; gives `exp` and the status.
fn check_claims(
    disclosed: &Disclosed,
    issuer: &VerifiedLeaf,
    rules: &Rules<'_>,
) -> Result<(UnixTime, Option<Reference>), VcError> {
    let claims = disclosed.claims();
    let in_the_clear = |name: &&str| disclosed.paths().iter().all(|path| !starts_with(path, name));
    if !(mutants::skips("sd-never-disclosed") || NEVER_DISCLOSED.iter().all(in_the_clear)) {
        return Err(VcError::NeverDisclosed);
    }
    text(claims, "vct").ok_or(VcError::Malformed)?;
    check_aka(claims)?;
    let iss = text(claims, "iss").ok_or(VcError::Malformed)?;
    if !(mutants::skips("sd-iss-leaf") || issuer.uris().iter().any(|uri| uri == iss)) {
        return Err(VcError::Issuer);
    }
    let no_other_audience = claims.get("aud").is_none_or(|aud| aud == rules.audience);
    if !(mutants::skips("sd-aud") || no_other_audience) {
        return Err(VcError::Audience);
    }
    let expires_at = check_times(claims, rules.now)?;
    Ok((expires_at, check_status(claims, rules.status)?))
}

/// SD-JWT VC 3.2.2.2: what the type says, the credential does.
fn check_status(claims: &Map<String, Value>, known: Status) -> Result<Option<Reference>, VcError> {
    let found = claims.get(status::CLAIM);
    if known == Status::NotInType {
        return if mutants::skips("sd-status") || found.is_none() { Ok(None) } else { Err(VcError::Status) };
    }
    let optional = known == Status::AsSigned;
    if !(mutants::skips("sd-status-required") || optional || found.is_some()) {
        return Err(VcError::Status);
    }
    match found.map(Reference::from_claim).transpose() {
        Err(_) if mutants::skips("sd-status-form") => Ok(None),
        read => read.map_err(|_| VcError::Status),
    }
}

/// SD-JWT VC 2.2.2.2: further types are a non-empty list of strings without the type itself.
fn check_aka(claims: &Map<String, Value>) -> Result<(), VcError> {
    let Some(further) = claims.get("aka_vcts") else { return Ok(()) };
    let is_other = |name: &Value| name.is_string() && Some(name) != claims.get("vct");
    match further.as_array() {
        Some(list) if !list.is_empty() && list.iter().all(is_other) => Ok(()),
        _ => Err(VcError::Malformed),
    }
}

fn check_times(claims: &Map<String, Value>, now: UnixTime) -> Result<UnixTime, VcError> {
    let (issued_at, not_before) = (time(claims, "iat")?, time(claims, "nbf")?);
    if !(mutants::skips("sd-iat") || issued_at.is_none_or(|at| at <= now.plus(SKEW))) {
        return Err(VcError::NotYetValid);
    }
    if !(mutants::skips("sd-nbf") || not_before.is_none_or(|at| at <= now.plus(SKEW))) {
        return Err(VcError::NotYetValid);
    }
    let expires_at = time(claims, "exp")?;
    // RFC 9901 7.1 step 6: a claim that validity depends on must be there.
    if !(mutants::skips("sd-exp-required") || expires_at.is_some()) {
        return Err(VcError::Malformed);
    }
    let expires_at = expires_at.unwrap_or(UnixTime(i64::MAX));
    if !(mutants::skips("sd-exp") || now < expires_at.plus(SKEW)) {
        return Err(VcError::Expired);
    }
    Ok(expires_at)
}

/// A NumericDate: another type is an error and never an absent time.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<UnixTime>, VcError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    match json::of_value(value.clone()) {
        Ok(time) => Ok(Some(time)),
        Err(_) if mutants::skips("sd-time-type") => Ok(None),
        Err(_) => Err(VcError::Malformed),
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
