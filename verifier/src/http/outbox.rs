//! A service's own messages (`/v1/events`): read on from a place, send again, make up.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vouchsafe_protocol::form::Form;
use vouchsafe_protocol::json;
use vouchsafe_service::problem::Problem;

use super::api::caller;
use super::api::refusal::Refusal;
use super::{API_BODY, Name, is_type};
use crate::app::App;
use crate::clients::Scope;
use crate::clients::possession::Envelope;
use crate::store::Delivery;
use crate::webhook::{self, Events, Feed, Told};

/// The most bytes of a query.
const MAX_QUERY: usize = 1024;

/// A page of the feed.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageList)]
pub(super) struct MessageListBody {
    /// The messages.
    events: Vec<MessageBody>,
    /// What the next page is asked for with, now or when there is more.
    next: String,
}

/// What happened, and how far the news of it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageBody {
    /// The id by which it is sent, in `webhook-id`.
    #[schema(example = "evt_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
    /// What happened.
    #[schema(example = "decision.met")]
    r#type: String,
    /// When, RFC 3339.
    #[schema(example = "2026-11-21T12:00:00Z")]
    timestamp: String,
    /// To which request or permission.
    data: Subject,
    /// Where it stands.
    #[schema(value_type = MessageState)]
    state: &'static str,
    /// How often it was tried.
    attempts: i64,
}

/// What a message is about.
#[derive(Serialize, ToSchema)]
#[schema(as = Subject)]
pub(super) struct Subject {
    /// The id of the request, or of the permission.
    #[schema(example = "req_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
}

/// Where a message stands.
#[derive(ToSchema)]
#[schema(as = MessageState, rename_all = "lowercase")]
#[expect(dead_code, reason = "describes the words of Delivery::as_str")]
pub(super) enum MessageState {
    Waiting,
    Delivered,
    Dead,
}

/// Which message to make up.
#[derive(ToSchema)]
#[schema(as = EventType)]
#[expect(dead_code, reason = "describes what is read strictly, member by member")]
pub(super) struct EventType {
    /// What is to have happened.
    #[schema(example = "decision.met")]
    r#type: String,
}

impl From<Told> for MessageBody {
    fn from(told: Told) -> Self {
        Self {
            id: told.id,
            r#type: told.topic,
            timestamp: told.created_at.rfc3339(),
            data: Subject { id: told.subject },
            state: told.state.as_str(),
            attempts: told.attempts,
        }
    }
}

impl From<Events> for MessageListBody {
    fn from(page: Events) -> Self {
        Self { events: page.events.into_iter().map(MessageBody::from).collect(), next: page.next }
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let asked = feed(query.as_deref().unwrap_or_default()).ok_or_else(|| Refusal::EventQuery.problem())?;
    let page = webhook::events(&app, caller.tenant(), &asked).await;
    let page = page.map_err(|fault| Refusal::from(&fault).problem())?;
    Ok(Json(MessageListBody::from(page)).into_response())
}

/// A query whose members come once each; `None` when it is not of its form.
fn feed(query: &str) -> Option<Feed> {
    let query = Form::parse(query.as_bytes(), MAX_QUERY).ok()?;
    let mut known = 0;
    let mut member = |name| query.member(name).inspect(|_| known += 1);
    let after = member("after").map(str::to_owned);
    let limit = member("limit").map_or(Some(webhook::USUAL), |limit| limit.parse().ok())?;
    let state = member("state").map(Delivery::parse);
    if known != query.len() || !(1..=webhook::MOST).contains(&limit) || state == Some(None) {
        return None;
    }
    Some(Feed { after, limit, state: state.flatten() })
}

pub(super) async fn send_again(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    let caller = caller(&app, &envelope, Scope::RequestsWrite).await?;
    let sent = webhook::send_again(&app, caller.tenant(), &id).await;
    sent.map(|()| StatusCode::ACCEPTED).map_err(|fault| Refusal::from(&fault).problem())
}

pub(super) async fn make_up(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&app, &envelope, Scope::RequestsWrite).await?;
    let topic = topic(&headers, body).map_err(Refusal::problem)?;
    let made = webhook::make_up(&app, caller.tenant(), &topic).await;
    made.map(|_| StatusCode::ACCEPTED).map_err(|fault| Refusal::from(&fault).problem())
}

fn topic(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, Refusal> {
    if !is_type(headers, "application/json") {
        return Err(Refusal::MediaType);
    }
    let body = body.map_err(|_| Refusal::TooLarge)?;
    let members = json::object(&body, API_BODY).map_err(|_| Refusal::NotAnObject)?;
    let topic = members.get("type").and_then(|topic| topic.as_str()).ok_or(Refusal::EventType)?;
    if members.len() > 1 {
        return Err(Refusal::EventMember);
    }
    Ok(topic.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_closed() {
        let good = feed("limit=7&state=dead&after=abc");
        assert!(good.is_some_and(|one| {
            one.limit == 7 && one.state == Some(Delivery::Dead) && one.after.as_deref() == Some("abc")
        }));
        assert!(feed("").is_some_and(|one| one.limit == 20 && one.state.is_none()));
        for query in
            ["limit=0", "limit=101", "limit=x", "state=lost", "cursor=1", "limit=1&limit=2", "state="]
        {
            assert!(feed(query).is_none(), "{query}");
        }
    }
}
