//! Certificates for `dev`, `demo` and tests: an authority of our own with server and signing leaves on P-256.
//!
//! Not for production: a real authority issues with care that this one does not take. What it makes has the shape
//! that our checks ask for: `digitalSignature`, an authority key identifier, names in the alternative names, and a leaf
//! that is never self-signed.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use vouchsafe_protocol::time::UnixTime;
use zeroize::Zeroizing;

use crate::keys::{KeyError, SigningKey};

/// How far back certificates reach, so that a clock a little behind accepts them: one day in seconds.
const BEFORE: i64 = 86_400;
/// How long an authority and its leaves are valid, in seconds.
const CA_TTL: i64 = 3_650 * 86_400;
const LEAF_TTL: i64 = 825 * 86_400;

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DevCaError {
    /// A key could not be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name or URI is not one that a certificate can carry, or the PEM is not the authority's.
    #[error("a development certificate could not be made")]
    Certificate,
}

impl From<rcgen::Error> for DevCaError {
    fn from(_: rcgen::Error) -> Self {
        Self::Certificate
    }
}

/// A certificate with its private key.
pub struct Leaf {
    /// The certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// Its private key.
    pub key: SigningKey,
}

impl Leaf {
    /// The certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }
}

/// A certificate authority of our own.
pub struct DevCa {
    name: String,
    certificate: CertificateDer<'static>,
    key: SigningKey,
}

impl DevCa {
    /// A fresh authority called `name`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(name: &str, now: UnixTime) -> Result<Self, DevCaError> {
        let key = SigningKey::generate()?;
        let mut params = ca_params(name);
        set_validity(&mut params, now, CA_TTL);
        let certificate = params.self_signed(&key_pair(&key)?)?;
        Ok(Self { name: name.to_owned(), certificate: certificate.der().clone(), key })
    }

    /// The authority called `name` whose certificate and key were stored.
    ///
    /// # Errors
    /// When either is not PEM of the expected kind.
    pub fn from_pem(name: &str, certificate: &str, key: &str) -> Result<Self, DevCaError> {
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| DevCaError::Certificate)?;
        Ok(Self { name: name.to_owned(), certificate, key: SigningKey::from_pkcs8_pem(key)? })
    }

    /// The authority's certificate, DER: the anchor.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }

    /// The authority's private key as PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pkcs8_pem()
    }

    /// A server certificate with a fresh key for host names and addresses.
    ///
    /// # Errors
    /// When a name is neither.
    pub fn server(&self, names: &[&str], now: UnixTime) -> Result<Leaf, DevCaError> {
        let sans = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
        let mut params = leaf_params(names.first().copied().unwrap_or("server"), sans, now);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params, SigningKey::generate()?)
    }

    /// A signing certificate for `key` whose one alternative name is the URI `uri`: an issuer's `iss`, or a service.
    ///
    /// # Errors
    /// When `uri` is not ASCII.
    pub fn signer(&self, uri: &str, key: SigningKey, now: UnixTime) -> Result<Leaf, DevCaError> {
        let san = SanType::URI(uri.try_into().map_err(|_| DevCaError::Certificate)?);
        self.issue(&leaf_params("signer", vec![san], now), key)
    }

    fn issue(&self, params: &CertificateParams, key: SigningKey) -> Result<Leaf, DevCaError> {
        let issuer = Issuer::new(ca_params(&self.name), key_pair(&self.key)?);
        let certificate = params.signed_by(&key_pair(&key)?, &issuer)?;
        Ok(Leaf { certificate: certificate.der().clone(), key })
    }
}

/// A DER certificate as PEM (RFC 7468).
#[must_use]
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    let body = vouchsafe_protocol::encoding::b64(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, letter) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Path length 0: it signs leaves and no further authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(name: &str, sans: Vec<SanType>, now: UnixTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = sans;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, LEAF_TTL);
    params
}

fn server_name(name: &str) -> Result<SanType, DevCaError> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => name.try_into().map(SanType::DnsName).map_err(|_| DevCaError::Certificate),
    }
}

fn key_pair(key: &SigningKey) -> Result<KeyPair, DevCaError> {
    Ok(KeyPair::from_pkcs8_pem_and_sign_algo(&key.to_pkcs8_pem(), &PKCS_ECDSA_P256_SHA256)?)
}

fn set_validity(params: &mut CertificateParams, now: UnixTime, ttl: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: UnixTime| Duration::from_secs(u64::try_from(at.0).unwrap_or(0));
    params.not_before = epoch + since(now.minus(BEFORE));
    params.not_after = epoch + since(now.plus(ttl));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use rustls::pki_types::{ServerName, UnixTime as TlsTime};
    use vouchsafe_protocol::jose::Signer as _;

    const NOW: UnixTime = UnixTime(1_790_000_000);

    fn verify(ca: &DevCa, leaf: &Leaf, at: UnixTime) -> Result<Vec<String>, webpki::Error> {
        let anchors = [webpki::anchor_from_trusted_cert(ca.certificate()).unwrap()];
        let end = webpki::EndEntityCert::try_from(&leaf.certificate).unwrap();
        let at = TlsTime::since_unix_epoch(Duration::from_secs(at.0.try_into().unwrap()));
        let algorithms = &[webpki::ring::ECDSA_P256_SHA256];
        end.verify_for_usage(algorithms, &anchors, &[], at, webpki::KeyUsage::server_auth(), None, None)?;
        Ok(end.valid_uri_names().map(str::to_owned).collect())
    }

    #[test]
    fn a_signing_leaf_carries_its_uri_and_key() {
        let ca = DevCa::generate("Larkfield development", NOW).unwrap();
        let key = SigningKey::generate().unwrap();
        let leaf = ca.signer("https://issuer.example", key.clone(), NOW).unwrap();
        assert!(leaf.key.public() == key.public());
        assert_eq!(verify(&ca, &leaf, NOW).unwrap(), ["https://issuer.example"]);
        assert!(verify(&ca, &leaf, NOW.plus(LEAF_TTL + 1)).is_err());
        assert!(verify(&ca, &leaf, NOW.minus(BEFORE + 1)).is_err());
    }

    #[test]
    fn a_server_leaf_is_good_for_its_names() {
        let ca = DevCa::generate("Larkfield development", NOW).unwrap();
        let leaf = ca.server(&["localhost", "127.0.0.1"], NOW).unwrap();
        verify(&ca, &leaf, NOW).unwrap();
        let end = webpki::EndEntityCert::try_from(&leaf.certificate).unwrap();
        for (name, good) in [("localhost", true), ("127.0.0.1", true), ("example.org", false)] {
            let name = ServerName::try_from(name).unwrap();
            assert_eq!(end.verify_is_valid_for_subject_name(&name).is_ok(), good);
        }
    }

    #[test]
    fn a_stored_authority_issues_under_the_same_anchor() {
        let ca = DevCa::generate("Larkfield development", NOW).unwrap();
        let again = DevCa::from_pem("Larkfield development", &ca.certificate_pem(), &ca.key_pem()).unwrap();
        let leaf = again.signer("https://issuer.example", SigningKey::generate().unwrap(), NOW).unwrap();
        verify(&ca, &leaf, NOW).unwrap();
        let other = DevCa::generate("Larkfield development", NOW).unwrap();
        assert!(verify(&other, &leaf, NOW).is_err());
        assert!(DevCa::from_pem("x", "nothing", &ca.key_pem()).is_err());
    }
}
