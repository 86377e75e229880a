//! Client ids by their prefix (section 5.9): who asks, and which certificate shows it.

use std::fmt;

use url::Url;
use vouchsafe_mutants as mutants;

use super::request::RequestError;
use crate::encoding::b64u;
use crate::jose::jws::Compact;
use crate::jose::x5c::{Anchor, VerifiedLeaf, validate};
use crate::trust::Judge;

/// The client id prefix that our own services use: SHA-256 of the certificate. HAIP 1.0 asks for it.
pub const X509_HASH: &str = "x509_hash:";

/// The client id prefix that names a DNS name of the certificate.
pub const X509_SAN_DNS: &str = "x509_san_dns:";

/// The prefixes of the standard that are refused, whose rules are others.
const REFUSED: [&str; 5] =
    ["redirect_uri", "decentralized_identifier", "verifier_attestation", "openid_federation", "origin"];

/// The client id of a certificate.
#[must_use]
pub fn client_id(certificate_sha256: &[u8; 32]) -> String {
    format!("{X509_HASH}{}", b64u(certificate_sha256))
}

/// A prefix that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// None: a client id that was agreed before.
    None,
    /// One of the standard.
    Known(&'static str),
    /// One that the standard does not name.
    Unknown,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no prefix"),
            Self::Known(name) => write!(f, "the prefix {name}"),
            Self::Unknown => f.write_str("an unknown prefix"),
        }
    }
}

/// A client id of which a certificate shows that it is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientId<'a> {
    Hash(&'a str),
    DnsName(&'a str),
}

impl<'a> ClientId<'a> {
    /// The whole text with its prefix is the identifier; what stands before the first colon says how it is checked.
    pub(super) fn parse(text: &'a str) -> Result<Self, Prefix> {
        if let Some(hash) = text.strip_prefix(X509_HASH) {
            return Ok(Self::Hash(hash));
        }
        if let Some(name) = text.strip_prefix(X509_SAN_DNS) {
            return Ok(Self::DnsName(name));
        }
        let Some((prefix, _)) = text.split_once(':') else { return Err(Prefix::None) };
        let known = REFUSED.iter().find(|known| **known == prefix);
        Err(known.map_or(Prefix::Unknown, |name| Prefix::Known(name)))
    }

    /// The certificate leads to an anchor, and is the one that the client id names.
    pub(super) fn authenticate(
        self,
        object: &Compact,
        anchors: &[Anchor],
        judge: &Judge<'_>,
    ) -> Result<VerifiedLeaf, RequestError> {
        let x5c = object.header().x5c().unwrap_or_default();
        let leaf = validate(x5c, anchors, judge.now, judge.verifier).map_err(RequestError::Certificate)?;
        match self {
            Self::Hash(hash) => {
                if !(mutants::skips("vp-x509-hash") || hash == b64u(leaf.sha256())) {
                    return Err(RequestError::CertificateHash);
                }
            }
            Self::DnsName(name) => {
                // A name with a wildcard is no name of a host.
                let named = !name.contains('*') && leaf.dns_names().iter().any(|known| known == name);
                if !(mutants::skips("vp-x509-san-dns") || named) {
                    return Err(RequestError::CertificateName);
                }
            }
        }
        Ok(leaf)
    }

    /// 5.9.3: the answer goes to the host that the client id names. Nobody is trusted beyond that.
    pub(super) fn check_host(self, response_uri: &str) -> Result<(), RequestError> {
        let Self::DnsName(name) = self else { return Ok(()) };
        let url = Url::parse(response_uri).ok();
        let host = url.as_ref().and_then(Url::host_str);
        if !(mutants::skips("vp-x509-san-dns-host") || host == Some(name)) {
            return Err(RequestError::ResponseHost);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(ClientId::parse("x509_hash:abc"), Ok(ClientId::Hash("abc")));
        assert_eq!(ClientId::parse("x509_san_dns:a.example"), Ok(ClientId::DnsName("a.example")));
        for name in REFUSED {
            assert_eq!(ClientId::parse(&format!("{name}:x")), Err(Prefix::Known(name)));
        }
        assert_eq!(ClientId::parse("agreed"), Err(Prefix::None));
        assert_eq!(ClientId::parse("x509_hash"), Err(Prefix::None));
        assert_eq!(ClientId::parse("X509_hash:abc"), Err(Prefix::Unknown));
        assert_eq!(Prefix::Known("origin").to_string(), "the prefix origin");
    }

    #[test]
    fn an_answer_goes_to_the_host_that_is_named() {
        let to = |uri: &str| ClientId::DnsName("a.example").check_host(uri);
        assert_eq!(to("https://a.example/x"), Ok(()));
        assert_eq!(to("https://a.example:8443/x"), Ok(()));
        for other in
            ["https://b.example/x", "https://x.a.example/", "https://a.example.b.example", "a.example"]
        {
            assert_eq!(to(other), Err(RequestError::ResponseHost), "{other}");
        }
        assert_eq!(ClientId::Hash("h").check_host("https://b.example"), Ok(()));
    }
}
