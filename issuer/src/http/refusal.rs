//! Every way in which an endpoint refuses, and the one place that says it on the wire.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vouchsafe_protocol::openid4vci::errors::{CredentialError, NotificationError, TokenError};
use vouchsafe_protocol::openid4vci::token::TokenType;
use vouchsafe_service::oauth::OauthError;
use vouchsafe_service::problem::Problem;

use super::access::Unproved;
use super::limits::{Endpoint, WINDOW_S};
use crate::issue::IssueError;
use crate::linking::LinkError;
use crate::store::{CollectRefusal, IssueRefusal, LinkRefusal, RedeemRefusal, StoreError};

/// The algorithms of proofs, as a challenge lists them.
const PROOF_ALGS: &str = "ES256";

/// Why an endpoint refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The token request (OpenID4VCI 6.3).
    Token(TokenError),
    /// The credential request (OpenID4VCI 8.3.1).
    Credential(CredentialError),
    /// The notification (OpenID4VCI 11.3).
    Notification(NotificationError),
    /// No access token (RFC 6750 3.1: then no code stands in the challenge).
    NoToken,
    /// An access token that is not good, or was sent another way than it must be (RFC 6750 3.1, RFC 9449 7.2).
    AccessToken(TokenType),
    /// The proof of the token's key, behind the token (RFC 9449 7.1).
    Proof,
    /// The nonce in that proof (RFC 9449 9).
    ProofNonce,
    /// The token is for another configuration (RFC 6750 3.1).
    Scope(TokenType),
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
            Self::Notification(error) => {
                oauth(error.as_str(), notification_description(error)).into_response()
            }
            Self::NoToken => no_token(),
            Self::AccessToken(scheme) => challenge(scheme, StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Proof => challenge(TokenType::Dpop, StatusCode::UNAUTHORIZED, "invalid_dpop_proof"),
            Self::ProofNonce => challenge(TokenType::Dpop, StatusCode::UNAUTHORIZED, "use_dpop_nonce"),
            Self::Scope(scheme) => challenge(scheme, StatusCode::FORBIDDEN, "insufficient_scope"),
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

/// RFC 6585 4, in the error shape of the endpoint: offers and status lists are no OAuth endpoints. RFC 6749 5.2 has no code for it;
/// `temporarily_unavailable` is that of 4.1.2.1 and says what is meant.
fn too_often(endpoint: Endpoint) -> Response {
    const SENTENCE: &str =
        "Too many calls from your network. Nothing was used up: wait a minute and send the same again.";
    if matches!(endpoint, Endpoint::Offers | Endpoint::Status) {
        return Problem::too_many("too-many-calls", SENTENCE).retry_after(WINDOW_S).into_response();
    }
    let body = oauth("temporarily_unavailable", SENTENCE).status(StatusCode::TOO_MANY_REQUESTS);
    let mut response = body.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, WINDOW_S.into());
    response
}

/// A refusal with the challenge of the scheme that the token was sent by.
fn challenge(scheme: TokenType, status: StatusCode, code: &'static str) -> Response {
    let mut response = oauth(code, access_description(code)).status(status).into_response();
    let challenge = match scheme {
        TokenType::Bearer => format!(r#"Bearer error="{code}""#),
        TokenType::Dpop => format!(r#"DPoP error="{code}", algs="{PROOF_ALGS}""#),
    };
    let challenge = HeaderValue::try_from(challenge).expect("codes are of this program");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// RFC 6750 3.1: who sent no token learns how to send one, and nothing else.
fn no_token() -> Response {
    let body = oauth("invalid_token", access_description("invalid_token"));
    let mut response = body.status(StatusCode::UNAUTHORIZED).into_response();
    let dpop = HeaderValue::try_from(format!(r#"DPoP algs="{PROOF_ALGS}""#)).expect("constant texts");
    response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response.headers_mut().append(header::WWW_AUTHENTICATE, dpop);
    response
}

fn access_description(code: &str) -> &'static str {
    match code {
        "invalid_dpop_proof" => "The DPoP proof is missing, not good, for another call, or was used before.",
        "use_dpop_nonce" => "Put the nonce of the DPoP-Nonce header in the proof and send the call again.",
        "insufficient_scope" => "The access token is for another credential configuration.",
        _ => "The access token is missing, unknown, over, has had its batch, or was sent without its key.",
    }
}

fn notification_description(error: NotificationError) -> &'static str {
    match error {
        NotificationError::InvalidNotificationId => "No batch of this access token has this notification_id.",
        NotificationError::InvalidNotificationRequest => "Send a notification_id and an event.",
    }
}

fn token_description(error: TokenError) -> &'static str {
    match error {
        TokenError::InvalidRequest => "A member is missing or repeated, or the tx_code is missing.",
        // Unknown, expired, spent, closed and a wrong tx_code are told alike, so that nothing can be probed.
        TokenError::InvalidGrant => "The pre-authorized code or the tx_code is not good.",
        TokenError::InvalidClient => "This client cannot ask here.",
        TokenError::UnsupportedGrantType => "Only the pre-authorized code grant is supported.",
        TokenError::InvalidScope => "The scope is not that of what was offered.",
        TokenError::InvalidAuthorizationDetails => {
            "The authorization_details are not of type openid_credential, or not for what was offered."
        }
        TokenError::InvalidDpopProof => access_description("invalid_dpop_proof"),
        TokenError::UseDpopNonce => access_description("use_dpop_nonce"),
    }
}

fn credential_description(error: CredentialError) -> &'static str {
    match error {
        CredentialError::InvalidCredentialRequest => {
            "Send one credential_identifier if you were given one, else one credential_configuration_id."
        }
        CredentialError::UnknownCredentialConfiguration => "There is no such credential configuration.",
        CredentialError::UnknownCredentialIdentifier => {
            "The token response gave no such credential_identifier."
        }
        CredentialError::InvalidTransactionId => {
            "There is no such transaction, not with this access token, or it was collected."
        }
        CredentialError::InvalidProof => "A proof of possession is missing or not good.",
        CredentialError::InvalidNonce => "The nonce is not good any more: fetch a new one.",
        CredentialError::InvalidEncryptionParameters => {
            "Encrypt the request to our key and ask for an encrypted response with ECDH-ES and A128GCM or A256GCM."
        }
        CredentialError::CredentialRequestDenied => "The credential is not issued.",
        CredentialError::OtherWallet => {
            "Another wallet is registered for this person, or this wallet for another person, or it was replaced. Nothing was used up. The person can have that changed at the counter of the body."
        }
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

impl From<NotificationError> for Refusal {
    fn from(error: NotificationError) -> Self {
        Self::Notification(error)
    }
}

impl From<RedeemRefusal> for Refusal {
    fn from(refusal: RedeemRefusal) -> Self {
        Self::Token(match refusal {
            RedeemRefusal::OtherDetails => TokenError::InvalidAuthorizationDetails,
            RedeemRefusal::OtherScope => TokenError::InvalidScope,
            RedeemRefusal::Unbound => TokenError::InvalidDpopProof,
            _ => TokenError::InvalidGrant,
        })
    }
}

impl Refusal {
    /// A batch that was not recorded, to who sent the token by this scheme.
    pub(super) fn of_issue(refusal: IssueRefusal, scheme: TokenType) -> Self {
        match refusal {
            IssueRefusal::Token => Self::AccessToken(scheme),
            IssueRefusal::Nonce => Self::Credential(CredentialError::InvalidNonce),
            IssueRefusal::Link(refusal) => refusal.into(),
        }
    }

    /// A batch that was put off and not recorded.
    pub(super) fn of_collect(refusal: CollectRefusal) -> Self {
        match refusal {
            CollectRefusal::Closed => Self::Credential(CredentialError::InvalidTransactionId),
            CollectRefusal::Link(refusal) => refusal.into(),
        }
    }

    /// No proof of a key at an endpoint behind a token.
    pub(super) fn at_resource(unproved: Unproved) -> Self {
        match unproved {
            Unproved::Proof => Self::Proof,
            Unproved::Nonce => Self::ProofNonce,
            Unproved::Store(error) => error.into(),
        }
    }

    /// No proof of a key at the token endpoint.
    pub(super) fn at_server(unproved: Unproved) -> Self {
        match unproved {
            Unproved::Proof => Self::Token(TokenError::InvalidDpopProof),
            Unproved::Nonce => Self::Token(TokenError::UseDpopNonce),
            Unproved::Store(error) => error.into(),
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

impl From<LinkRefusal> for Refusal {
    fn from(refusal: LinkRefusal) -> Self {
        match refusal {
            LinkRefusal::Other | LinkRefusal::Released => Self::Credential(CredentialError::OtherWallet),
            LinkRefusal::Moved => Self::Busy,
        }
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Row(error) => error.into(),
            LinkError::Refused(refusal) => refusal.into(),
            LinkError::Store(error) => error.into(),
        }
    }
}

impl From<vouchsafe_service::store::Lost> for Refusal {
    fn from(_: vouchsafe_service::store::Lost) -> Self {
        Self::Ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 5.2: the characters of `error_description`.
    #[test]
    fn descriptions_are_of_the_characters_that_are_allowed() {
        use CredentialError as C;
        use TokenError as T;
        let token = [
            T::InvalidRequest,
            T::InvalidGrant,
            T::InvalidClient,
            T::UnsupportedGrantType,
            T::InvalidScope,
            T::InvalidAuthorizationDetails,
            T::InvalidDpopProof,
            T::UseDpopNonce,
        ];
        let credential = [
            C::InvalidCredentialRequest,
            C::UnknownCredentialConfiguration,
            C::UnknownCredentialIdentifier,
            C::InvalidProof,
            C::InvalidNonce,
            C::InvalidEncryptionParameters,
            C::CredentialRequestDenied,
            C::InvalidTransactionId,
            C::OtherWallet,
        ];
        let notification =
            [NotificationError::InvalidNotificationId, NotificationError::InvalidNotificationRequest];
        let access = ["invalid_token", "invalid_dpop_proof", "use_dpop_nonce", "insufficient_scope"];
        let all = token
            .map(token_description)
            .into_iter()
            .chain(credential.map(credential_description))
            .chain(notification.map(notification_description))
            .chain(access.map(access_description));
        for text in all {
            let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
            assert!(text.chars().all(allowed), "{text}");
        }
    }
}
