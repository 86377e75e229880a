//! One request and its answer: form, body, handler, and the fields that every answer has.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::ServiceExt as _;
use vouchsafe_mutants as mutants;

use super::connection::now;
use super::{Limits, Server};
use crate::problem::Problem;

/// Answers a request by `router`, within the limits.
pub(super) async fn answer(request: Request<Incoming>, server: &Server) -> Response {
    let began = now();
    let mut held = Held::default();
    let whole = async {
        let request = read(request, server, &mut held).await?;
        Caught(Box::pin(server.router.clone().oneshot(request))).await
    };
    let outcome = timeout(server.limits.request, whole).await;
    let outcome = outcome.unwrap_or_else(|_| Err(late("The request took too long.")));
    let response = finish(outcome.unwrap_or_else(refuse));
    let class = status_class(response.status());
    metrics::histogram!("http_request_duration_seconds", "status" => class).record(began.elapsed());
    response
}

/// The first digit of a status: a label from a closed set.
fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// A handler whose panic becomes an answer, so that one broken invariant does not look like a broken network.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future<Output = Result<Response, Infallible>>> Future for Caught<F> {
    type Output = Result<Response, Problem>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is not polled again after a panic, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(polled) => polled.map(|Ok(response)| Ok(response)),
            Err(_) => {
                tracing::error!("a handler panicked");
                Poll::Ready(Err(Problem::internal()))
            }
        }
    }
}

/// The bytes of one body among those that a listener holds, until its request is answered.
#[derive(Default)]
struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Counts `more` bytes; 503 where all bodies together are at their cap.
    fn take(&mut self, more: usize, bodies: &Arc<Semaphore>) -> Result<(), Problem> {
        if mutants::skips("svc-bodies-cap") {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| too_large())?;
        let permit = bodies.clone().try_acquire_many_owned(more).map_err(|_| Problem::unavailable())?;
        match &mut self.0 {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

async fn read(request: Request<Incoming>, server: &Server, held: &mut Held) -> Result<Request, Problem> {
    check_head(&request, &server.limits)?;
    let (head, body) = request.into_parts();
    Ok(Request::from_parts(head, Body::from(read_body(body, server, held).await?)))
}

fn check_head(request: &Request<Incoming>, limits: &Limits) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if !(mutants::skips("svc-uri-length") || target <= limits.uri_bytes) {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri-too-long",
            "The request target is too long.",
        ));
    }
    // RFC 9112 6.3: a length and a transfer coding together let two parsers disagree. hyper drops the length when both
    // are there, so whoever sends a coding at all is asked for a length instead.
    let whole = request.headers().get(header::TRANSFER_ENCODING).is_none();
    if !(mutants::skips("svc-transfer-encoding") || whole) {
        let title = "Send the body with a Content-Length.";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, "length-required", title));
    }
    if !(mutants::skips("svc-host")
        || request.version() < Version::HTTP_11
        || has_one_host(request.headers()))
    {
        return Err(Problem::bad_request("host", "A request names exactly one host."));
    }
    Ok(())
}

/// RFC 9112 3.2.
fn has_one_host(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().count() == 1
}

async fn read_body(body: Incoming, server: &Server, held: &mut Held) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let cap = if mutants::skips("svc-body-cap") { usize::MAX } else { server.limits.body_bytes };
    if body.size_hint().lower() > u64::try_from(cap).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let whole = collect(Limited::new(body, cap), &server.bodies, held);
    timeout(server.limits.body, whole).await.unwrap_or_else(|_| Err(late("The body came too slowly.")))
}

async fn collect(
    mut body: Limited<Incoming>,
    bodies: &Arc<Semaphore>,
    held: &mut Held,
) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => too_large(),
            false => Problem::bad_request("body-broken", "The body ended before its length."),
        })?;
        if let Ok(data) = frame.into_data() {
            held.take(data.len(), bodies)?;
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.into())
}

fn too_large() -> Problem {
    Problem::too_large("body-too-large", "The body is too large.")
}

fn late(title: &'static str) -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", title)
}

/// A refusal before or instead of the handler leaves the connection in no known state, so it closes.
fn refuse(problem: Problem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What every answer has unless its handler said otherwise: no caching, no guessing of types.
fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}
