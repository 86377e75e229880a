//! What wallets call: the request object, the answer, the typed code.
//!
//! To a wallet a refused answer is one class of error: which check it failed stays with us, as a counter.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vp::{link, request as wire};
use vouchsafe_service::limits::AddressPrefix;
use vouchsafe_service::oauth::OauthError;
use vouchsafe_service::problem::Problem;

use super::{API_BODY, Name, is_type};
use crate::answer::{self, AnswerError};
use crate::app::App;
use crate::guess;
use crate::request::{self, ObjectError};

const FORM: &str = "application/x-www-form-urlencoded";

pub(super) async fn object_by_get(State(app): State<Arc<App>>, Name(handle): Name) -> Response {
    object(&app, &handle, None).await
}

pub(super) async fn object_by_post(
    State(app): State<Arc<App>>,
    Name(handle): Name,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_type(&headers, FORM) {
        return unsupported();
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return too_large(&rejection),
    };
    match link::wallet_nonce(&body) {
        Ok(wallet_nonce) => object(&app, &handle, wallet_nonce.as_deref()).await,
        Err(_) => OauthError::new("invalid_request").describe("The form is not of its form.").into_response(),
    }
}

async fn object(app: &App, handle: &str, wallet_nonce: Option<&str>) -> Response {
    match request::object(app, handle, wallet_nonce).await {
        Ok(jws) => ([(header::CONTENT_TYPE, format!("application/{}", wire::TYP))], jws).into_response(),
        Err(ObjectError::Missing) => over(StatusCode::NOT_FOUND),
        Err(ObjectError::Over) => over(StatusCode::GONE),
        Err(ObjectError::Unavailable(_)) => Problem::unavailable().into_response(),
    }
}

fn over(status: StatusCode) -> Response {
    let error = OauthError::new("invalid_request").status(status);
    error.describe("There is no such request, or it is over. Ask the service for a new one.").into_response()
}

pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Name(handle): Name,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // Step 1 begins here: sizes and form.
    if !is_type(&headers, FORM) {
        return unsupported();
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return too_large(&rejection),
    };
    match answer::answer(app, handle, body).await {
        Ok(answered) => Json(answered).into_response(),
        Err(fault) => refused(&fault),
    }
}

/// One class of refusal for whatever was wrong with an answer.
fn refused(fault: &AnswerError) -> Response {
    metrics::counter!("vouchsafe_answers_refused_total", "reason" => fault.code()).increment(1);
    match fault {
        AnswerError::Missing => over(StatusCode::NOT_FOUND),
        AnswerError::Held | AnswerError::Unavailable(_) => Problem::unavailable().into_response(),
        AnswerError::Closed | AnswerError::Refused(_) => {
            OauthError::new("invalid_request").describe("The answer was not accepted.").into_response()
        }
    }
}

fn too_large(rejection: &BytesRejection) -> Response {
    OauthError::new("invalid_request").status(rejection.status()).into_response()
}

fn unsupported() -> Response {
    OauthError::new("invalid_request").status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response()
}

#[derive(Serialize)]
struct FoundBody {
    client_id: String,
    request_uri: String,
}

/// The typed code (profile, section 7): an answer in JSON, never a redirect, never the state.
pub(super) async fn code(
    State(app): State<Arc<App>>,
    address: Option<Extension<AddressPrefix>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !is_type(&headers, "application/json") {
        return Err(Problem::unsupported("media-type", "This call takes application/json."));
    }
    let body = body.map_err(|_| Problem::too_large("body-too-large", "The body is too large."))?;
    let typed = typed(&body).ok_or_else(|| {
        Problem::unprocessable("member", "The body must be {\"code\": …} with a text.").pointer("/code")
    })?;
    let (prefix, now) =
        (guess::prefix(app.vault(), address.as_ref().map(|Extension(prefix)| prefix)), app.now());
    let taken = app.store().take_guess(prefix, now, guess::MISSES_PER_MINUTE).await;
    if !taken.map_err(|_| Problem::unavailable())? {
        return Err(
            Problem::too_many("too-many-codes", "Too many wrong codes. Wait a minute.").retry_after(60)
        );
    }
    let found = request::by_code(&app, &typed).await.map_err(|_| Problem::unavailable())?;
    let found = found.ok_or_else(|| {
        Problem::not_found("no-such-code", "The code is wrong, used or out of date.")
            .detail("Check the code, or ask the service for a new one.")
    })?;
    app.store().return_guess(prefix, now).await.map_err(|_| Problem::unavailable())?;
    Ok(Json(FoundBody { client_id: found.client_id, request_uri: found.request_uri }).into_response())
}

/// The published policies: the same for everybody, so that asking for them says nothing of whoever asks.
pub(super) async fn policies(State(app): State<Arc<App>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.rules().published()).into_response()
}

/// The code of a closed body.
fn typed(body: &[u8]) -> Option<String> {
    let members = json::object(body, API_BODY).ok()?;
    let code = members.get("code")?.as_str()?;
    (members.len() == 1).then(|| code.to_owned())
}
