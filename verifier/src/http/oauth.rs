//! The token endpoint and what it says of itself: RFC 6749, RFC 7521, RFC 7523, RFC 8414.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::dpop::ALGORITHMS;
use vouchsafe_protocol::form::Form;
use vouchsafe_protocol::jose::Alg;
use vouchsafe_service::oauth::OauthError;

use super::api::body::TokenBody;
use super::api::refusal::Refusal;
use super::{API_BODY, is_type};
use crate::app::App;
use crate::clients::Scope;
use crate::clients::assertion::AssertionError;
use crate::clients::possession::Envelope;
use crate::clients::token::{self, TokenError};

pub(super) const PATH: &str = "/oauth/token";

pub(super) async fn token(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_type(&headers, "application/x-www-form-urlencoded") {
        return OauthError::new("invalid_request").status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    // RFC 6749 2.3: one way to show who it is, and the assertion is ours.
    let once = envelope.authorizations.is_empty();
    let form = body.ok().filter(|_| mutants::skips("api-second-method") || once);
    let form = form.and_then(|body| Form::parse(&body, API_BODY).ok()).ok_or(TokenError::Request);
    let issued = match form {
        Ok(form) => token::issue(&app, &envelope, &form).await,
        Err(fault) => Err(fault),
    };
    match issued {
        Ok(issued) => Json(TokenBody {
            access_token: issued.token,
            token_type: if issued.bound { "DPoP" } else { "Bearer" },
            expires_in: token::TTL,
            scope: issued.scopes.to_string(),
        })
        .into_response(),
        Err(fault) => refused(&fault),
    }
}

/// 400 throughout: RFC 6749 5.2 asks for 401 where an authentication scheme of HTTP was used, and none is taken here.
fn refused(fault: &TokenError) -> Response {
    let (code, words) = match fault {
        TokenError::Request => {
            ("invalid_request", "A form with each member once, and one client_assertion to show the client.")
        }
        TokenError::Grant => ("unsupported_grant_type", "The grant_type is client_credentials."),
        TokenError::Client(fault) => ("invalid_client", assertion_words(*fault)),
        TokenError::Used => ("invalid_client", "The client assertion was used before: draw a new jti."),
        TokenError::Proof => (
            "invalid_dpop_proof",
            "The DPoP proof is not good, for another call or was used before; or it is missing, and this client's tokens are bound.",
        ),
        TokenError::Scope => ("invalid_scope", "A scope is unknown, or not one of this client's."),
        TokenError::Rate => return Refusal::Rate.problem().into_response(),
        TokenError::Unavailable(fault) => return Refusal::from(fault).problem().into_response(),
    };
    OauthError::new(code).describe(words).into_response()
}

fn assertion_words(fault: AssertionError) -> &'static str {
    match fault {
        AssertionError::Malformed => {
            "client_assertion is a JWT with iss, sub, aud, exp and jti, and client_assertion_type says so."
        }
        AssertionError::Typ => "The typ of the assertion is client-authentication+jwt.",
        AssertionError::Unknown => {
            "The assertion is not signed with the registered key that its kid names, of the client that iss and sub name."
        }
        AssertionError::Audience => "The aud of the assertion is the issuer identifier, as one string.",
        AssertionError::Time => "The exp of the assertion is at most five minutes away, and it is valid now.",
    }
}

/// RFC 8414, for clients that find us by our origin.
pub(super) async fn metadata(State(app): State<Arc<App>>) -> Response {
    let headers = [(header::CACHE_CONTROL, "public, max-age=300")];
    (headers, Json(described(&app.config().origin))).into_response()
}

pub(super) fn described(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{PATH}"),
        "grant_types_supported": ["client_credentials"],
        // RFC 8414 requires the member; there is no authorization endpoint.
        "response_types_supported": [],
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_signing_alg_values_supported": ALGORITHMS.map(Alg::as_str),
        "service_documentation": format!("{issuer}/openapi.json"),
    })
}
