//! The schools' receiver of webhooks: a host that checks what comes, remembers it, and answers.
//!
//! It is what a service builds: it takes a message that is signed with its secret (Standard Webhooks 1.0.0) and fetches the
//! rest by the API. The messages say nothing about anybody.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::watch;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::clock::Clock;
use vouchsafe_service::secret::same;
use vouchsafe_service::webhook::{ID, SIGNATURE, Secret, TIMESTAMP, signatures};

use crate::exit::Failure;

/// How old a message may be when it comes, in seconds.
const FRESH: i64 = 300;
/// How long a message is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type, for example `permission.withdrawn`.
    pub kind: String,
    /// Its body, as it was signed.
    pub body: Value,
}

/// The messages that came, each once.
pub struct Inbox {
    secret: Secret,
    clock: Arc<dyn Clock>,
    taken: watch::Sender<Vec<(String, Message)>>,
}

impl Inbox {
    /// An inbox for messages signed with this secret.
    ///
    /// # Errors
    /// When the text is no secret.
    pub fn new(secret: &str, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Failure> {
        let secret = Secret::parse(secret.trim()).map_err(Failure::usage)?;
        Ok(Arc::new(Self { secret, clock, taken: watch::Sender::default() }))
    }

    /// What listens for it.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/hook", post(take)).with_state(Arc::clone(self))
    }

    /// The first message of a type, waited for.
    ///
    /// # Errors
    /// When none comes.
    pub async fn first(&self, kind: &str) -> Result<Message, Failure> {
        let mut taken = self.taken.subscribe();
        let has = |all: &Vec<(String, Message)>| all.iter().any(|(_, message)| message.kind == kind);
        let waited = tokio::time::timeout(PATIENCE, taken.wait_for(has)).await;
        let all = match &waited {
            Ok(Ok(all)) => all.iter(),
            _ => return Err(Failure::unavailable(format!("no message {kind} came"))),
        };
        let found = all.map(|(_, message)| message).find(|message| message.kind == kind).cloned();
        found.ok_or_else(|| Failure::unavailable(format!("no message {kind} came")))
    }

    /// Takes a message; `None` for one that is not signed as ours, old, or no message at all.
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Option<(String, Message)> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, at) = (header(ID)?, header(TIMESTAMP)?.parse().map(UnixTime).ok()?);
        let text = std::str::from_utf8(body).ok()?;
        let ours = signatures([&self.secret], id, at, text);
        let signed = header(SIGNATURE)?.split(' ').any(|one| same(one.as_bytes(), ours.as_bytes()));
        if !signed || (self.clock.now().0 - at.0).abs() > FRESH {
            return None;
        }
        let body: Value = serde_json::from_str(text).ok()?;
        let kind = body["type"].as_str()?.to_owned();
        Some((id.to_owned(), Message { kind, body }))
    }
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some((id, message)) = inbox.read(&headers, &body) else { return StatusCode::BAD_REQUEST };
    inbox.taken.send_modify(|taken| {
        // A message that comes twice is one message.
        if taken.iter().all(|(known, _)| *known != id) {
            taken.push((id, message));
        }
    });
    StatusCode::NO_CONTENT
}
