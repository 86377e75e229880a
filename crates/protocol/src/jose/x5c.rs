//! Certificate paths from `x5c` to a configured anchor.
//!
//! RFC 5280 path validation by webpki, and what HAIP 1.0 adds: the anchor is not in `x5c`, the leaf is not
//! self-signed, its key may sign. Leaves out revocation (anchors and leaves are short-lived and replaced in the
//! trust register). Extended key usage is read and not judged: neither standard names a value for credentials or
//! requests; for status lists see [`crate::status`].
//!
//! Security: a path says that an anchor vouches for the leaf. Which anchors count for whom, and that the leaf
//! names the issuer that a token claims, is for the caller to check (`uris`, `anchor_sha256`).

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime as PkiTime};
use vouchsafe_mutants as mutants;
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath, anchor_from_trusted_cert,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

use super::jws::MAX_CERTIFICATES;
use super::{PublicJwk, SignatureVerifier};
use crate::encoding::sha256;
use crate::time::UnixTime;

/// Why a certificate path was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum X5cError {
    /// No certificate, or more than a path may have.
    #[error("the certificate path is empty or too long")]
    Length,
    /// A certificate is not the DER it should be, or its key is of a type that is not accepted.
    #[error("a certificate is malformed or its key is of a type that is not accepted")]
    Malformed,
    /// HAIP: the anchor is configured, never sent.
    #[error("the certificate path contains the anchor; leave it out")]
    AnchorInside,
    /// HAIP: a leaf vouches not for itself.
    #[error("the leaf certificate is self-signed")]
    SelfSigned,
    /// The leaf's key usage does not allow signatures.
    #[error("the leaf certificate's key usage lacks digitalSignature")]
    KeyUsage,
    /// The key usage of a certificate between leaf and anchor does not allow it to sign certificates.
    #[error("an authority's key usage lacks keyCertSign")]
    AuthorityUsage,
    /// A certificate of the path is not yet or no longer valid.
    #[error("a certificate of the path is outside its validity")]
    Validity,
    /// No valid path to an anchor that counts here.
    #[error("the certificate path leads to no accepted anchor")]
    NoPath,
}

/// A certificate that is trusted by configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Anchor {
    der: CertificateDer<'static>,
    sha256: [u8; 32],
}

impl Anchor {
    /// Takes the DER of a certificate.
    ///
    /// # Errors
    /// [`X5cError::Malformed`].
    pub fn from_der(der: Vec<u8>) -> Result<Self, X5cError> {
        let (sha256, der) = (sha256(&der), CertificateDer::from(der));
        anchor_from_trusted_cert(&der).map_err(|_| X5cError::Malformed)?;
        Ok(Self { der, sha256 })
    }

    /// SHA-256 of the DER, by which the trust register names anchors.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// The DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl std::fmt::Debug for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Anchor({})", crate::encoding::b64u(self.sha256))
    }
}

/// The leaf of a path that was validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLeaf {
    key: PublicJwk,
    uris: Vec<String>,
    dns_names: Vec<String>,
    purposes: Vec<String>,
    sha256: [u8; 32],
    anchor_sha256: [u8; 32],
    from: UnixTime,
    until: UnixTime,
    x5c: Vec<Vec<u8>>,
}

impl VerifiedLeaf {
    /// The leaf's key.
    #[must_use]
    pub fn key(&self) -> &PublicJwk {
        &self.key
    }

    /// The URIs among the subject's alternative names.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.uris
    }

    /// The extended key usages of the leaf, as dotted numbers; none where the extension is absent.
    #[must_use]
    pub fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// The DNS names among the subject's alternative names, which an `x509_san_dns:` client id names.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// SHA-256 of the leaf's DER, which an `x509_hash:` client id names.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// SHA-256 of the DER of the anchor that the path ends at.
    #[must_use]
    pub fn anchor_sha256(&self) -> [u8; 32] {
        self.anchor_sha256
    }

    /// The last instant at which every certificate of the path is valid.
    #[must_use]
    pub fn valid_until(&self) -> UnixTime {
        self.until
    }

    /// The path as it was sent: the key under which a cache may keep this leaf.
    #[must_use]
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Whether this is the validation of that very path, still good at `now` under those anchors.
    #[must_use]
    pub fn covers(&self, x5c: &[Vec<u8>], anchors: &[Anchor], now: UnixTime) -> bool {
        let still_trusted = anchors.iter().any(|anchor| anchor.sha256 == self.anchor_sha256);
        let in_time = self.from <= now && now <= self.until;
        self.x5c == x5c
            && (mutants::skips("jose-x5c-cache-anchor") || still_trusted)
            && (mutants::skips("jose-x5c-cache-time") || in_time)
    }
}

/// Validates a path, or takes a cached validation of the same bytes that still holds.
///
/// # Errors
/// See [`X5cError`].
pub fn validate_or_cached(
    x5c: &[Vec<u8>],
    cached: Option<Arc<VerifiedLeaf>>,
    anchors: &[Anchor],
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Arc<VerifiedLeaf>, X5cError> {
    match cached {
        Some(leaf) if leaf.covers(x5c, anchors, now) => Ok(leaf),
        _ => validate(x5c, anchors, now, verifier).map(Arc::new),
    }
}

/// Validates the path from the leaf `x5c[0]` to one of `anchors` at `now`.
///
/// # Errors
/// See [`X5cError`].
pub fn validate(
    x5c: &[Vec<u8>],
    anchors: &[Anchor],
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<VerifiedLeaf, X5cError> {
    let leaf = x5c.first().ok_or(X5cError::Length)?;
    if !(mutants::skips("jose-x5c-length") || x5c.len() <= MAX_CERTIFICATES) {
        return Err(X5cError::Length);
    }
    check_haip(x5c, anchors)?;
    let parsed = Certificate::from_der(leaf).map_err(|_| X5cError::Malformed)?;
    check_key_usage(&parsed)?;
    check_authorities(&x5c[1..])?;
    let (from, until) = validity(x5c)?;
    let at = if mutants::skips("jose-x5c-validity") { from } else { now };
    let der = CertificateDer::from(leaf.as_slice());
    let end_entity = EndEntityCert::try_from(&der).map_err(|_| X5cError::Malformed)?;
    let anchor_sha256 = match path(&end_entity, &x5c[1..], anchors, at, verifier) {
        Err(X5cError::NoPath) if mutants::skips("jose-x5c-path") => anchors.first().map(Anchor::sha256),
        found => Some(found?),
    };
    Ok(VerifiedLeaf {
        key: key(&parsed)?,
        uris: end_entity.valid_uri_names().map(str::to_owned).collect(),
        dns_names: end_entity.valid_dns_names().map(str::to_owned).collect(),
        purposes: purposes(&parsed)?,
        sha256: sha256(leaf),
        anchor_sha256: anchor_sha256.ok_or(X5cError::NoPath)?,
        from,
        until,
        x5c: x5c.to_vec(),
    })
}

fn check_haip(x5c: &[Vec<u8>], anchors: &[Anchor]) -> Result<(), X5cError> {
    let sent_only = |der: &Vec<u8>| anchors.iter().all(|anchor| anchor.der.as_ref() != der.as_slice());
    if !(mutants::skips("jose-x5c-anchor-inside") || x5c.iter().all(sent_only)) {
        return Err(X5cError::AnchorInside);
    }
    Ok(())
}

fn check_key_usage(leaf: &Certificate) -> Result<(), X5cError> {
    let tbs = leaf.tbs_certificate();
    if !(mutants::skips("jose-x5c-self-signed") || tbs.subject() != tbs.issuer()) {
        return Err(X5cError::SelfSigned);
    }
    // A certificate without the extension leaves its key unrestricted (RFC 5280 4.2.1.3); we want it said.
    let usage = tbs.get_extension::<KeyUsage>().map_err(|_| X5cError::Malformed)?;
    let may_sign = usage.is_some_and(|(_, usage)| usage.digital_signature());
    if !(mutants::skips("jose-x5c-key-usage") || may_sign) {
        return Err(X5cError::KeyUsage);
    }
    Ok(())
}

/// RFC 5280 6.1.4 (n), which webpki leaves out: an authority whose key usage is said may sign certificates.
fn check_authorities(between: &[Vec<u8>]) -> Result<(), X5cError> {
    for der in between {
        let authority = Certificate::from_der(der).map_err(|_| X5cError::Malformed)?;
        let usage = authority.tbs_certificate().get_extension::<KeyUsage>();
        let usage = usage.map_err(|_| X5cError::Malformed)?;
        let may_certify = usage.is_none_or(|(_, usage)| usage.key_cert_sign());
        if !(mutants::skips("jose-x5c-authority-usage") || may_certify) {
            return Err(X5cError::AuthorityUsage);
        }
    }
    Ok(())
}

fn purposes(leaf: &Certificate) -> Result<Vec<String>, X5cError> {
    let usages = leaf.tbs_certificate().get_extension::<ExtendedKeyUsage>();
    let usages = usages.map_err(|_| X5cError::Malformed)?;
    Ok(usages.map(|(_, usages)| usages.0.iter().map(ToString::to_string).collect()).unwrap_or_default())
}

fn key(leaf: &Certificate) -> Result<PublicJwk, X5cError> {
    const EC: &str = "1.2.840.10045.2.1";
    const P256: &str = "1.2.840.10045.3.1.7";
    const ED25519: &str = "1.3.101.112";
    let info = leaf.tbs_certificate().subject_public_key_info();
    let bytes = info.subject_public_key.as_bytes().ok_or(X5cError::Malformed)?;
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as().ok());
    let curve = curve.map(|oid: x509_cert::der::oid::ObjectIdentifier| oid.to_string());
    match (info.algorithm.oid.to_string().as_str(), curve.as_deref()) {
        (EC, Some(P256)) => PublicJwk::from_sec1(bytes).map_err(|_| X5cError::Malformed),
        (ED25519, None) => bytes.try_into().map(PublicJwk::ed25519).map_err(|_| X5cError::Malformed),
        _ => Err(X5cError::Malformed),
    }
}

/// Builds and checks the path; the result is the hash of the anchor it ends at.
fn path(
    leaf: &EndEntityCert<'_>,
    between: &[Vec<u8>],
    anchors: &[Anchor],
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<[u8; 32], X5cError> {
    let between: Vec<_> = between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let trusted: Vec<_> =
        anchors.iter().filter_map(|anchor| anchor_from_trusted_cert(&anchor.der).ok()).collect();
    let seconds = u64::try_from(now.0).map_err(|_| X5cError::Validity)?;
    let now = PkiTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let algorithms = verifier.certificate_algorithms();
    let found = leaf.verify_for_usage(algorithms, &trusted, &between, now, AnyUsage, None, None).map_err(
        |fault| match fault {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => X5cError::Validity,
            _ => X5cError::NoPath,
        },
    )?;
    anchors.iter().find(|anchor| is_end(anchor, &found)).map(Anchor::sha256).ok_or(X5cError::NoPath)
}

fn is_end(anchor: &Anchor, path: &VerifiedPath<'_>) -> bool {
    anchor_from_trusted_cert(&anchor.der).is_ok_and(|trusted| &trusted == path.anchor())
}

/// The time during which every certificate sent is valid.
fn validity(x5c: &[Vec<u8>]) -> Result<(UnixTime, UnixTime), X5cError> {
    let mut span = (UnixTime(i64::MIN), UnixTime(i64::MAX));
    for der in x5c {
        let certificate = Certificate::from_der(der).map_err(|_| X5cError::Malformed)?;
        let validity = certificate.tbs_certificate().validity();
        span.0 = span.0.max(instant(validity.not_before));
        span.1 = span.1.min(instant(validity.not_after));
    }
    Ok(span)
}

fn instant(time: x509_cert::time::Time) -> UnixTime {
    UnixTime(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}

/// Neither RFC 9901 nor HAIP names an extended key usage for credentials or requests.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
