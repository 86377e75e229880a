//! Certificates of the authority that it would not issue.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys::SigningKey;

use crate::world::{ISS, NOON};

/// The name of the world's authority.
pub(crate) const AUTHORITY: &str = "Larkfield test";

/// An honest leaf for [`ISS`], to be changed.
pub(crate) fn leaf() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("signer");
    params.subject_alt_names = vec![SanType::URI(ISS.try_into().unwrap())];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    valid(&mut params, NOON.minus(DAY), NOON.plus(DAY));
    params
}

/// Issues `params` for `key` under the world's authority; DER.
pub(crate) fn issue(params: &CertificateParams, key: &SigningKey, ca: &DevCa) -> Vec<u8> {
    let issuer = Issuer::new(authority(AUTHORITY), pair(&ca.key_pem()));
    params.signed_by(&pair(&key.to_pkcs8_pem()), &issuer).unwrap().der().to_vec()
}

/// A certificate that vouches for itself; DER.
pub(crate) fn self_signed(params: &CertificateParams, key: &SigningKey) -> Vec<u8> {
    params.self_signed(&pair(&key.to_pkcs8_pem())).unwrap().der().to_vec()
}

/// An authority of somebody else; DER.
pub(crate) fn stranger(name: &str) -> Vec<u8> {
    self_signed(&authority(name), &SigningKey::generate().unwrap())
}

pub(crate) fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Sets the time during which a certificate is valid.
pub(crate) fn valid(params: &mut CertificateParams, from: UnixTime, until: UnixTime) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: UnixTime| std::time::Duration::from_secs(at.0.try_into().unwrap());
    (params.not_before, params.not_after) = (epoch + since(from), epoch + since(until));
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn pair(pem: &str) -> KeyPair {
    KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256).unwrap()
}
