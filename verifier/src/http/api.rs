//! Our own API for services (`/v1`), in JSON, with RFC 9457 problems.
//!
//! Every call names its caller first ([`clients::authenticate`]); what it sees from then on is that tenant's alone.

pub(super) mod body;
pub(super) mod refusal;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vouchsafe_protocol::form::Form;
use vouchsafe_service::problem::Problem;

use self::body::{Created, DecisionBody, ListBody, StandingBody, StatusWord};
use self::refusal::{Refusal, of_create};
use super::{Name, is_type};
use crate::app::App;
use crate::clients::possession::Envelope;
use crate::clients::{self, Caller, Denied, Scope};
use crate::request::{self, Ask, CreateError, Listing, RepeatKey};
use crate::store::RequestId;

/// The most bytes of a query.
const MAX_QUERY: usize = 2048;
/// The challenge to who sent a token as one that is bound to a key (RFC 9449 7.1).
const BOUND: &str = "DPoP realm=\"vouchsafe\", error=\"invalid_token\", algs=\"ES256\"";
const REPEAT_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) async fn create(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let caller = caller(&app, &envelope, Scope::RequestsWrite).await.map_err(Problem::into_response)?;
    open(&app, &caller, &headers, body).await.map_err(|fault| match fault {
        Unopened::Problem(problem) => problem.into_response(),
        Unopened::Create(fault) => not_created(&app, &caller, &fault),
    })
}

/// Why nothing was opened.
enum Unopened {
    Problem(Problem),
    Create(CreateError),
}

impl From<Refusal> for Unopened {
    fn from(refusal: Refusal) -> Self {
        Self::Problem(refusal.problem())
    }
}

async fn open(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Unopened> {
    if !is_type(headers, "application/json") {
        return Err(Refusal::MediaType.into());
    }
    let key = repeat_key(headers)?;
    let body = body.map_err(|_| Refusal::TooLarge)?;
    let ask = Ask::parse(&body).map_err(|fault| Unopened::Create(fault.into()))?;
    let opened = match key {
        None => request::create(app, caller.tenant(), ask).await,
        Some(key) => request::create_once(app, caller.tenant(), ask, &body, &key).await,
    };
    let opened = opened.map_err(Unopened::Create)?;
    let place = location(&opened.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(Created::from(opened))).into_response())
}

fn not_created(app: &App, caller: &Caller, fault: &CreateError) -> Response {
    let problem = of_create(fault);
    let CreateError::KeyOver(id) = fault else { return problem.into_response() };
    let about = app.reference(caller.tenant(), id);
    ([(header::LOCATION, location(id))], problem.about(about)).into_response()
}

fn location(id: &RequestId) -> HeaderValue {
    HeaderValue::try_from(format!("/v1/requests/{}", id.0)).expect("ids are base64url behind a prefix")
}

pub(super) fn repeat_key(headers: &HeaderMap) -> Result<Option<RepeatKey>, Refusal> {
    let mut sent = headers.get_all(REPEAT_KEY).iter();
    let (Some(first), second) = (sent.next(), sent.next()) else { return Ok(None) };
    let text = first.to_str().ok().filter(|_| second.is_none());
    text.and_then(RepeatKey::parse).map(Some).ok_or(Refusal::RepeatKey)
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let asked = listing(query.as_deref().unwrap_or_default()).ok_or_else(|| Refusal::Query.problem())?;
    let page = request::list(&app, caller.tenant(), &asked).await;
    let page = page.map_err(|fault| Refusal::from(&fault).problem())?;
    Ok(Json(ListBody::from(page)).into_response())
}

/// A query whose members come once each; `None` when it is not of its form.
fn listing(query: &str) -> Option<Listing> {
    let query = Form::parse(query.as_bytes(), MAX_QUERY).ok()?;
    let mut known = 0;
    let mut member = |name| query.member(name).inspect(|_| known += 1);
    let cursor = member("cursor").map(str::to_owned);
    let limit = member("limit").map_or(Some(request::USUAL), |limit| limit.parse().ok())?;
    let status = member("status").map(StatusWord::parse);
    if known != query.len() || !(1..=request::MOST).contains(&limit) || status == Some(None) {
        return None;
    }
    Some(Listing { cursor, limit, status: status.flatten() })
}

pub(super) async fn standing(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let id = RequestId(id);
    let standing = request::standing(&app, caller.tenant(), &id).await;
    let standing = standing.map_err(|fault| about(&app, &caller, &id, Refusal::from(&fault)))?;
    let standing = standing.ok_or_else(|| Refusal::NoSuchRequest.problem())?;
    Ok(Json(StandingBody::from(standing)).into_response())
}

pub(super) async fn decision(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let id = RequestId(id);
    let found = request::decision(&app, caller.tenant(), &id).await;
    let found = found.map_err(|fault| about(&app, &caller, &id, Refusal::from(&fault)))?;
    let signed = found.ok_or_else(|| Refusal::NoSuchRequest.problem())?;
    let signed = signed.ok_or_else(|| about(&app, &caller, &id, Refusal::NotDecided))?;
    Ok(Json(DecisionBody::from(signed)).into_response())
}

pub(super) async fn log_proof(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let id = RequestId(id);
    let found = request::log_proof(&app, caller.tenant(), &id).await;
    let found = found.map_err(|fault| about(&app, &caller, &id, Refusal::from(&fault)))?;
    let proof = found.ok_or_else(|| Refusal::NoSuchRequest.problem())?;
    let proof = proof.ok_or_else(|| about(&app, &caller, &id, Refusal::NotLogged))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof).into_response())
}

pub(super) async fn jwks(State(app): State<Arc<App>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.jwks().to_string()).into_response()
}

/// Who calls, if they may call for this.
pub(super) async fn caller(app: &App, envelope: &Envelope, scope: Scope) -> Result<Caller, Problem> {
    let caller = clients::authenticate(app, envelope, scope).await;
    caller.map_err(|denied| match denied {
        Denied::InvalidBound => Refusal::InvalidToken.problem().challenge(BOUND),
        denied => Refusal::from(&denied).problem(),
    })
}

/// A refusal about a request of the caller's own, with the reference that its page shows.
pub(super) fn about(app: &App, caller: &Caller, id: &RequestId, refusal: Refusal) -> Problem {
    refusal.problem().about(app.reference(caller.tenant(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_closed() {
        let good = listing("limit=7&status=decided&cursor=abc");
        assert!(good.is_some_and(|one| one.limit == 7 && one.status.is_some() && one.cursor.is_some()));
        assert!(listing("").is_some_and(|one| one.limit == 20 && one.status.is_none()));
        for query in
            ["limit=0", "limit=101", "limit=x", "status=open", "more=1", "limit=1&limit=2", "status="]
        {
            assert!(listing(query).is_none(), "{query}");
        }
    }
}
