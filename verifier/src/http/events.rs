//! How a request stands, as it changes: server-sent events (the HTML standard, 9.2).
//!
//! A stream tells where the request stands and then each step, and ends with the decision. It ends after some seconds
//! too, as every answer of the listener does; the client comes back with `Last-Event-ID` and misses nothing, since steps
//! only go forward and each event says the whole state. Whoever comes back after the decision is told to stay away (204).

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Sleep, sleep};
use vouchsafe_mutants as mutants;
use vouchsafe_service::problem::Problem;

use super::Name;
use super::api::body::{EventBody, StatusWord};
use super::api::refusal::Refusal;
use super::api::{about, caller};
use crate::app::App;
use crate::clients::Scope;
use crate::clients::possession::Envelope;
use crate::request::{self, Standing};
use crate::store::{RequestId, Status, Tenant};

/// How long a stream lives: less than the listener gives an answer.
const LIFE: Duration = Duration::from_secs(25);
/// How often the database is looked at when nothing is heard: for what other replicas did, and for time.
const LOOK: Duration = Duration::from_secs(3);
/// How often a line is sent that says nothing, so that those between us keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// After how long the client comes back.
const RETRY: Duration = Duration::from_secs(1);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies to pass events on as they come.
const BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) async fn events(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::DecisionsRead).await?;
    let id = RequestId(id);
    let seen = last_event(&headers).ok_or_else(|| Refusal::LastEvent.problem())?;
    // Before the first look, so that nothing falls in between.
    let changes = app.clients().changes.listen();
    let standing = request::standing(&app, caller.tenant(), &id).await;
    let standing = standing.map_err(|fault| about(&app, &caller, &id, Refusal::from(&fault)))?;
    let standing = standing.ok_or_else(|| Refusal::NoSuchRequest.problem())?;
    // Whoever names a step that is still to come would miss it, or be sent away for good before the decision.
    if !(mutants::skips("api-event-ahead") || seen <= step(standing.status)) {
        return Err(about(&app, &caller, &id, Refusal::LastEvent));
    }
    if seen == step(Status::Decided) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let room = caller.stream().ok_or_else(|| Refusal::Streams.problem())?;
    let follow = Follow {
        tenant: caller.tenant().clone(),
        first: Some(standing),
        end: Box::pin(sleep(LIFE)),
        _room: room,
        app,
        id,
        seen,
        changes,
    };
    let stream = stream::unfold(follow, |mut follow| async move {
        let event = follow.next().await?;
        Some((Ok::<_, Infallible>(event), follow))
    });
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([BUFFERING], sse).into_response())
}

/// The step that the client saw last, 0 for none; `None` when it names no step.
fn last_event(headers: &HeaderMap) -> Option<u8> {
    let Some(sent) = headers.get(LAST_EVENT_ID) else { return Some(0) };
    let step = sent.to_str().ok()?.parse().ok()?;
    (1..=3).contains(&step).then_some(step)
}

/// Steps only go forward.
fn step(status: Status) -> u8 {
    match status {
        Status::Open => 1,
        Status::Answered => 2,
        Status::Decided => 3,
    }
}

/// One client that follows one request.
struct Follow {
    app: Arc<App>,
    tenant: Tenant,
    id: RequestId,
    seen: u8,
    /// How it stood at the beginning, until that is looked at.
    first: Option<Standing>,
    changes: Receiver<RequestId>,
    end: Pin<Box<Sleep>>,
    /// Room among the client's streams.
    _room: OwnedSemaphorePermit,
}

impl Follow {
    /// The next step; `None` when there is none, or the stream's time is over.
    async fn next(&mut self) -> Option<Event> {
        while self.seen < step(Status::Decided) {
            let standing = match self.first.take() {
                Some(standing) => standing,
                None => self.look().await?,
            };
            let step = step(standing.status);
            if step > self.seen {
                self.seen = step;
                return event(&standing, step);
            }
        }
        None
    }

    /// How it stands after it may have changed. Whoever cannot be served comes back.
    async fn look(&mut self) -> Option<Standing> {
        if !self.changed().await {
            return None;
        }
        request::standing(&self.app, &self.tenant, &self.id).await.ok().flatten()
    }

    /// Waits until the request may have changed; `false` at the end of the stream's life.
    async fn changed(&mut self) -> bool {
        let mut again = pin!(sleep(LOOK));
        loop {
            tokio::select! {
                () = &mut self.end => return false,
                () = &mut again => return true,
                told = self.changes.recv() => match told {
                    Ok(id) if id != self.id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return true,
                    Err(RecvError::Closed) => return false,
                },
            }
        }
    }
}

fn event(standing: &Standing, step: u8) -> Option<Event> {
    let status = StatusWord::from(standing.status);
    let outcome = standing.outcome.map(|outcome| outcome.as_str());
    let body = EventBody { id: &standing.id.0, status, outcome };
    let event = Event::default().event(status.as_str()).id(step.to_string()).retry(RETRY);
    event.json_data(body).ok()
}
