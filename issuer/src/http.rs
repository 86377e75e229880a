//! The issuer's endpoints: OpenID4VCI 1.0 with pre-authorised codes, by anonymous wallets.
//!
//! Codes, tokens, nonces and credentials are answered with `no-store`. A token is taken from the `Authorization`
//! header alone, and with a proof of the key that it is bound to ([`access`]). Whatever touches the database runs to its end, whoever is still listening. One part of the network
//! may call only so often ([`limits`]); a call beyond that is refused before anything is read.
//!
//! Must be served over TLS, by a listener that caps headers, bodies and time.

mod access;
mod credential;
mod deferred;
mod language;
mod limits;
mod metadata;
mod notification;
mod offers;
mod refusal;
mod status;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use vouchsafe_protocol::openid4vci::credential::MAX_MESSAGE;

use crate::app::App;
use crate::store::Store;
use limits::Endpoint;
pub(crate) use limits::Rates;
pub(crate) use refusal::Refusal;

/// Token requests are a few hundred bytes; a batch of 30 proofs, encrypted, stays below this.
const MAX_BODY: usize = MAX_MESSAGE;

/// The issuer's endpoints.
pub fn router<S: Store>(app: Arc<App<S>>) -> Router {
    let limited = |endpoint| from_fn_with_state((Arc::clone(&app), endpoint), limits::check::<S>);
    let proved = Router::new()
        .route("/token", post(token::token::<S>).route_layer(limited(Endpoint::Token)))
        .route("/nonce", post(token::nonce::<S>).route_layer(limited(Endpoint::Nonce)))
        .route("/credential", post(credential::credential::<S>).route_layer(limited(Endpoint::Credential)))
        .route("/deferred", post(deferred::deferred::<S>).route_layer(limited(Endpoint::Deferred)))
        .route(
            "/notification",
            post(notification::notification::<S>).route_layer(limited(Endpoint::Notification)),
        )
        .route_layer(map_response_with_state(Arc::clone(&app), access::offer_nonce::<S>));
    Router::new()
        .route("/.well-known/openid-credential-issuer", get(metadata::issuer::<S>))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server::<S>))
        .route("/offers/{handle}", get(offers::offer::<S>).route_layer(limited(Endpoint::Offers)))
        .route("/status/{shard}", get(status::list::<S>).route_layer(limited(Endpoint::Status)))
        .merge(proved)
        .fallback(metadata::type_document::<S>)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

/// A body, or the refusal that says what was wrong with it.
type Body = Result<Bytes, axum::extract::rejection::BytesRejection>;

fn body(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|_| Refusal::TooLarge)
}

/// Whether the body is of this type; parameters are ignored.
fn is_media(headers: &HeaderMap, expected: &str) -> bool {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = found.split(';').next().unwrap_or_default().trim();
    bare.eq_ignore_ascii_case(expected)
}

/// JSON that no cache keeps.
fn secret_json(value: &impl Serialize) -> Response {
    no_store(axum::Json(value))
}

fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
