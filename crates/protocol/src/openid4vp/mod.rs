//! OpenID4VP 1.0: how a service asks and a wallet answers.
//!
//! Signed request objects under an `x509_hash:` client id, by GET or by POST with a `wallet_nonce`; answers by
//! `direct_post` and `direct_post.jwt` (`specs/profiles/request.md`, `specs/profiles/presentation.md`). Leaves
//! out the Digital Credentials API, `transaction_data` (a request that has it is refused, as the standard says)
//! and every other client id prefix. Older forms are named in the error.
//!
//! Security: a service's name, purpose and tables come from the registrar's signature, never from the service;
//! what will be learnt is computed from the policy and compared with what was sent.

mod asked;
mod client_metadata;
pub mod link;
pub mod request;
pub mod response;
mod verify;

pub use asked::{Asked, Chosen, NotAnOption, Party};
pub use client_metadata::ResponseKey;

use serde::{Deserialize, Serialize};

/// `aud` of a request object with static discovery (section 5.8).
pub const AUDIENCE: &str = "https://self-issued.me/v2";

/// The client id prefix that this project uses.
pub const X509_HASH: &str = "x509_hash:";

/// How an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseMode {
    /// A form in clear.
    #[serde(rename = "direct_post")]
    DirectPost,
    /// A form with one encrypted member.
    #[serde(rename = "direct_post.jwt")]
    DirectPostJwt,
}

/// The client id of a certificate.
#[must_use]
pub fn client_id(certificate_sha256: &[u8; 32]) -> String {
    format!("{X509_HASH}{}", crate::encoding::b64u(certificate_sha256))
}

/// Nonces and states: URL-safe ASCII of at least 128 bits (errata to section 5.2).
pub(crate) fn is_random(text: &str) -> bool {
    (22..=256).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c))
}
