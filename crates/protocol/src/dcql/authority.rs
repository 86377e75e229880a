//! `trusted_authorities` by `aki` (OpenID4VP 1.0 section 6.1.1.1): key identifiers of the authorities of a path.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use super::TrustedAuthority;
use crate::encoding::b64u;

/// The type that names an authority by the identifier of its key.
const AKI: &str = "aki";

/// Whether any value of any entry names an authority of the path. An entry of another type names nobody.
pub(super) fn is_under(authorities: &[TrustedAuthority], x5c: &[Vec<u8>]) -> bool {
    let known = key_identifiers(x5c);
    let names = |authority: &TrustedAuthority| {
        authority.kind == AKI && authority.values.iter().any(|value| known.contains(value))
    };
    authorities.iter().any(names)
}

/// The `KeyIdentifier` of the `AuthorityKeyIdentifier` of each certificate that has one, as a query writes it.
fn key_identifiers(x5c: &[Vec<u8>]) -> Vec<String> {
    let identifier = |der: &Vec<u8>| {
        let certificate = Certificate::from_der(der).ok()?;
        let (_, extension) =
            certificate.tbs_certificate().get_extension::<AuthorityKeyIdentifier>().ok()??;
        Some(b64u(extension.key_identifier?.as_bytes()))
    };
    x5c.iter().filter_map(identifier).collect()
}
