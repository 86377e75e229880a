//! OpenID4VP 1.0: how a service asks and a wallet answers.
//!
//! Signed request objects under an `x509_hash:` or `x509_san_dns:` client id, by GET or by POST with a `wallet_nonce`;
//! answers by `direct_post` and `direct_post.jwt` (`specs/profiles/request.md`, `specs/profiles/presentation.md`); and
//! both through the browser ([`dc_api`]). A wallet takes requests by a policy, and from services with other software
//! those with a query alone ([`request::Question`]). Leaves out every other client id prefix. Older forms and other prefixes are
//! named in the error.
//!
//! Security: a service's name, purpose and tables come from the registrar's signature, never from the service;
//! what will be learnt is computed from the policy and compared with what was sent.

mod asked;
mod carried;
mod client_id;
mod client_metadata;
pub mod dc_api;
pub mod link;
mod match_words;
mod plain;
pub mod published;
pub mod request;
pub mod response;
pub mod transaction_data;
mod verify;

pub use asked::{Asked, Chosen, NotAnOption, Party};
pub use client_id::{Prefix, X509_HASH, X509_SAN_DNS, client_id};
pub use client_metadata::ResponseKey;
pub use match_words::MatchWords;
pub use vouchsafe_proofs::context::ReplyTo;

use serde::{Deserialize, Serialize};

/// `aud` of a request object with static discovery (section 5.8).
pub const AUDIENCE: &str = "https://self-issued.me/v2";

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

/// Nonces and states: URL-safe ASCII of at least 128 bits (errata to section 5.2).
pub(crate) fn is_random(text: &str) -> bool {
    (22..=256).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c))
}
