//! OpenID4VCI 1.0: how a resident's wallet collects a batch of copies.
//!
//! Pre-authorised code with `tx_code`, `authorization_details` and scopes, nonce endpoint, JWT proofs of possession,
//! batches, encrypted requests and responses, deferred issuance, notifications, signed metadata, type metadata
//! (`specs/profiles/issuing.md`); tokens bound to a key are in [`crate::dpop`]. Messages are typed; each check names its
//! section. Leaves out the authorisation code flow (it joins at [`token::Grant`]), key attestations and compression.
//!
//! Security: the issuer spends codes and nonces in its store; here it is only said when. The openings of a proof
//! copy travel beside it, so a proof configuration is issued to an encrypted request alone.

pub mod authorization;
pub mod batch;
pub mod credential;
pub mod deferred;
pub mod errors;
pub mod metadata;
pub mod notification;
pub mod offer;
pub mod proof;
mod server;
pub mod signed;
pub mod token;
pub mod type_metadata;

/// The pre-authorised code grant.
pub const PRE_AUTHORIZED_GRANT: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// The member of issuer metadata that carries the registrar's entry for the issuer.
pub const ISSUER_MEMBER: &str = "urn:vouchsafe:issuer:1";

/// The member of issuer metadata that carries the signed lists of codes that its types use.
pub const TABLES_MEMBER: &str = "urn:vouchsafe:tables:1";

/// The member of a credential response's element that carries what opens its commitments.
pub const OPENINGS_MEMBER: &str = "urn:vouchsafe:openings:1";

/// Whether `text` is an issuer identifier: https, a host, no query, no fragment, no userinfo (section 12.2.1).
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    url.scheme() == "https" && url.has_host() && plain
}

/// The well-known address: `name` inserted between host and path (section 12.2.2, RFC 8414 section 3.1).
#[must_use]
pub fn well_known(identifier: &str, name: &str) -> Option<String> {
    if !is_identifier(identifier) {
        return None;
    }
    let mut url = url::Url::parse(identifier).ok()?;
    let path = format!("/.well-known/{name}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_between_host_and_path() {
        let at = |issuer| well_known(issuer, "openid-credential-issuer");
        let plain = "https://issuer.example/.well-known/openid-credential-issuer";
        assert_eq!(at("https://issuer.example").as_deref(), Some(plain));
        assert_eq!(at("https://issuer.example/").as_deref(), Some(plain));
        assert_eq!(
            at("https://issuer.example:8441/a/b").as_deref(),
            Some("https://issuer.example:8441/.well-known/openid-credential-issuer/a/b")
        );
        for refused in [
            "http://issuer.example",
            "https://issuer.example/?a",
            "https://i.example#f",
            "https://u@i.example",
            "urn:x",
            "",
        ] {
            assert_eq!(at(refused), None, "{refused}");
        }
    }
}
