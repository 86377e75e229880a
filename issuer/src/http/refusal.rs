//! Every way in which an endpoint refuses, and the one place that says it on the wire.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vouchsafe_protocol::openid4vci::errors::{CredentialError, TokenError};
use vouchsafe_service::oauth::OauthError;
use vouchsafe_service::problem::Problem;

use super::limits::{Endpoint, WINDOW_S};
use crate::issue::IssueError;
use crate::store::{IssueRefusal, RedeemRefusal, StoreError};

/// Why an endpoint refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The token request (OpenID4VCI 6.3).
    Token(TokenError),
    /// The credential request (OpenID4VCI 8.3.1).
    Credential(CredentialError),
    /// No access token, or one that is not good (RFC 6750 3.1).
    AccessToken,
    /// The token is for another configuration (RFC 6750 3.1).
    Scope,
    /// A token where logs and caches would keep it (RFC 6750 2.3).
    TokenInQuery,
    /// The body is of a type that is not read here.
    Media,
    /// The body is over the limit.
    TooLarge,
    /// There is no such address or offer.
    NothingHere,
    /// The offer is over.
    OfferOver,
    /// Too many calls from one part of the network; nothing was looked at.
    TooOften(Endpoint),
    /// We are busy; nothing was changed.
    Busy,
    /// Our own fault.
    Ours,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Token(error) => oauth(error.as_str(), token_description(error)).into_response(),
            Self::Credential(error) => oauth(error.as_str(), credential_description(error)).into_response(),
            Self::AccessToken => OauthError::invalid_token()
                .describe("The access token is missing, unknown, over, or has had its batch.")
                .into_response(),
            Self::Scope => scope(),
            Self::TokenInQuery => {
                oauth("invalid_request", "Send the access token in the Authorization header.").into_response()
            }
            Self::Media => Problem::unsupported("media-type", "The body is of a type that is not read here.")
                .into_response(),
            Self::TooLarge => {
                Problem::too_large("body-too-large", "The body is over the limit.").into_response()
            }
            Self::NothingHere => Problem::not_found("not-found", "There is nothing here.").into_response(),
            Self::OfferOver => {
                Problem::gone("offer-over", "The offer is over. Ask the issuer for a new one.")
                    .into_response()
            }
            Self::TooOften(endpoint) => too_often(endpoint),
            Self::Busy => Problem::unavailable().into_response(),
            Self::Ours => Problem::internal().into_response(),
        }
    }
}

fn oauth(code: &'static str, description: &'static str) -> OauthError {
    OauthError::new(code).describe(description)
}

/// RFC 6585 4, in the error shape of the endpoint: offers are no OAuth endpoint. RFC 6749 5.2 has no code for it;
/// `temporarily_unavailable` is that of 4.1.2.1 and says what is meant.
fn too_often(endpoint: Endpoint) -> Response {
    const SENTENCE: &str =
        "Too many calls from your network. Nothing was used up: wait a minute and send the same again.";
    if endpoint == Endpoint::Offers {
        return Problem::too_many("too-many-calls", SENTENCE).retry_after(WINDOW_S).into_response();
    }
    let body = oauth("temporarily_unavailable", SENTENCE).status(StatusCode::TOO_MANY_REQUESTS);
    let mut response = body.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, WINDOW_S.into());
    response
}

fn scope() -> Response {
    let body = oauth("insufficient_scope", "The access token is for another credential configuration.");
    let mut response = body.status(StatusCode::FORBIDDEN).into_response();
    let challenge = HeaderValue::from_static(r#"Bearer error="insufficient_scope""#);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn token_description(error: TokenError) -> &'static str {
    match error {
        TokenError::InvalidRequest => "A member is missing or repeated, or the tx_code is missing.",
        // Unknown, expired, spent, closed and a wrong tx_code are told alike, so that nothing can be probed.
        TokenError::InvalidGrant => "The pre-authorized code or the tx_code is not good.",
        TokenError::InvalidClient => "This client cannot ask here.",
        TokenError::UnsupportedGrantType => "Only the pre-authorized code grant is supported.",
    }
}

fn credential_description(error: CredentialError) -> &'static str {
    match error {
        CredentialError::InvalidCredentialRequest => {
            "Send one credential_configuration_id and at most one batch of proofs."
        }
        CredentialError::UnknownCredentialConfiguration => "There is no such credential configuration.",
        CredentialError::UnknownCredentialIdentifier => {
            "Credential identifiers are not given out: send the credential_configuration_id."
        }
        CredentialError::InvalidProof => "A proof of possession is missing or not good.",
        CredentialError::InvalidNonce => "The nonce is not good any more: fetch a new one.",
        CredentialError::InvalidEncryptionParameters => {
            "Encrypt the request to our key and ask for an encrypted response with ECDH-ES and A128GCM or A256GCM."
        }
        CredentialError::CredentialRequestDenied => "The credential is not issued.",
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<CredentialError> for Refusal {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl From<RedeemRefusal> for Refusal {
    fn from(_: RedeemRefusal) -> Self {
        Self::Token(TokenError::InvalidGrant)
    }
}

impl From<IssueRefusal> for Refusal {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::Token => Self::AccessToken,
            IssueRefusal::Nonce => Self::Credential(CredentialError::InvalidNonce),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::Busy,
            StoreError::Damaged => {
                tracing::error!("a row of the issuer's database is damaged");
                Self::Ours
            }
        }
    }
}

impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        tracing::error!(%error, "no copy could be issued");
        match error {
            IssueError::Sign => Self::Busy,
            // Nothing that this wallet can do: the body must import the row again.
            IssueError::Facts => Self::Credential(CredentialError::CredentialRequestDenied),
            IssueError::Build => Self::Ours,
        }
    }
}

impl From<vouchsafe_service::store::Lost> for Refusal {
    fn from(_: vouchsafe_service::store::Lost) -> Self {
        Self::Ours
    }
}
