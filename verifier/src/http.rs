//! The doors of the verifier, each a thin translation: our own API, the wallet's endpoints, the hosted pages.
//!
//! Every answer carries the same security headers. Nothing here decides; no handler holds a transaction. One part of
//! the network may call each door only so often; a call beyond that is refused before anything of it is looked at, so
//! it uses up nothing, and the same answer may be sent again.

mod api;
mod events;
mod letters;
mod log;
mod oauth;
mod openapi;
mod outbox;
mod pages;
mod permissions;
mod wallet;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};

use vouchsafe_service::limits::{self, Gate};

pub use self::openapi::document;
use crate::app::App;
use crate::clients::possession::Envelope;

/// The most bytes of an answer (profile, limits), of a call to our API, and of a wallet's small forms.
const ANSWER_BODY: usize = 256 * 1024;
const API_BODY: usize = 16 * 1024;

/// The verifier's routes.
pub fn router(app: Arc<App>) -> Router {
    let gate = |calls| from_fn_with_state(Gate::per_minute(calls, app.clock()), limits::pass);
    let most = app.config().limits;
    let api = Router::new()
        .route("/v1/requests", post(api::create).get(api::list))
        .route("/v1/requests/{id}", get(api::standing))
        .route("/v1/requests/{id}/decision", get(api::decision))
        .route("/v1/requests/{id}/log-proof", get(api::log_proof))
        .route("/v1/requests/{id}/events", get(events::events))
        .route("/v1/permissions/{id}", get(permissions::read))
        .route("/v1/permissions/{id}/check", post(permissions::check))
        .route("/v1/permissions/{id}/withdraw", post(permissions::withdraw))
        .route("/v1/events", get(outbox::list))
        .route("/v1/events/{id}/send", post(outbox::send_again))
        .route("/v1/events/test", post(outbox::make_up))
        .route("/oauth/token", post(oauth::token))
        .route_layer(gate(most.requests_per_minute));
    let wallet = Router::new()
        .route("/r/{handle}", get(wallet::object_by_get).post(wallet::object_by_post))
        .route("/c", post(wallet::code))
        .route("/permissions", post(permissions::called))
        .route("/policies", get(wallet::policies))
        .route_layer(gate(most.objects_per_minute));
    let pages = Router::new()
        // HEAD, as link previews send it, must neither bind a page to a browser nor decide anything.
        .route("/p/{page}", get(pages::open).head(pages::no_head))
        .route("/p/{page}/return", get(pages::come_back).head(pages::no_head))
        .route("/withdraw", get(letters::open).post(letters::withdraw))
        .route_layer(gate(most.pages_per_minute));
    let log = Router::new()
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/tile/{*path}", get(log::tile))
        .route_layer(gate(most.objects_per_minute));
    let files = Router::new()
        .route("/.well-known/jwks.json", get(api::jwks))
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/openapi.json", get(openapi::serve))
        .route("/style.css", get(pages::style));
    let small = api.merge(wallet).merge(pages).merge(log).merge(files).layer(DefaultBodyLimit::max(API_BODY));
    Router::new()
        .route("/a/{handle}", post(wallet::answer).layer(DefaultBodyLimit::max(ANSWER_BODY)))
        .route_layer(gate(most.answers_per_minute))
        .merge(small)
        .layer(map_response(secured))
        .with_state(app)
}

/// Content, framing, type guessing and referrers are closed everywhere; nothing is cached that does not say so.
async fn secured(mut response: Response) -> Response {
    let content =
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // One page has a form, which goes to itself.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(content));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What an address names in its last variable part. Octets that are no text name nothing, as any other name that nobody
/// has: who calls is looked at first, and no library answers in our place.
struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(named.map_or_else(|_| String::new(), |Path(name)| name)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Envelope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let all = |name: &str| parts.headers.get_all(name).iter().map(text).collect();
        Ok(Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            authorizations: all("authorization"),
            proofs: all("dpop"),
        })
    }
}

/// Whether the body's media type is `expected`, whatever its parameters.
fn is_type(headers: &HeaderMap, expected: &str) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(expected))
}
