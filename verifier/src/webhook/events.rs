//! A service's own messages over the API: read, sent again, made up.
//!
//! The feed goes forward, in the order in which messages were made, and a cursor says how far somebody has read. A cursor is
//! sealed, since places are counted over all tenants. What is younger than a few seconds is held back: a transaction that
//! was given an earlier place may still be at work, and would be passed over for ever.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy;

use super::{TEST, TOPICS, id};
use crate::app::{App, Unavailable};
use crate::store::{Delivery, Message, RequestId, Tenant};

/// The most messages of one page, and how many there are when nothing is said.
pub const MOST: u32 = 100;
/// See [`MOST`].
pub const USUAL: u32 = 20;
/// How long a message is held back from the feed, in seconds.
const HELD_BACK: i64 = 3;
/// The longest cursor, in characters.
const MAX_CURSOR: usize = 200;

/// Which messages are wanted.
#[derive(Clone, Debug)]
pub struct Feed {
    /// How far was read, as the page before said.
    pub after: Option<String>,
    /// How many at most.
    pub limit: u32,
    /// Those that stand so now.
    pub state: Option<Delivery>,
}

/// One message as it is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The id by which it is sent.
    pub id: String,
    /// What happened.
    pub topic: String,
    /// When.
    pub created_at: UnixTime,
    /// To which request or permission.
    pub subject: String,
    /// Where it stands.
    pub state: Delivery,
    /// How often it was tried.
    pub attempts: i64,
}

/// A page of the feed.
#[derive(Clone, Debug)]
pub struct Events {
    /// The messages.
    pub events: Vec<Told>,
    /// Where the next page begins, now or later.
    pub next: String,
}

/// Why a call about messages is refused.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The cursor is not one of ours, or of another feed.
    #[error("the cursor is not one that this feed gave out")]
    Cursor,
    /// There is none by that id that could be sent again.
    #[error("this service has no such message that was delivered or given up")]
    Unknown,
    /// Live services get no made-up messages.
    #[error("messages are made up for test services alone")]
    Live,
    /// Nothing of that name happens.
    #[error("there is no message of that type")]
    Topic,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// One page of the tenant's own messages.
///
/// # Errors
/// [`EventError`].
pub async fn events(app: &App, tenant: &Tenant, asked: &Feed) -> Result<Events, EventError> {
    let after = match &asked.after {
        None => 0,
        Some(cursor) => open(app, tenant, asked.state, cursor).ok_or(EventError::Cursor)?,
    };
    let limit = asked.limit.clamp(1, MOST);
    let found = app.store().messages(tenant, asked.state, after, limit).await.map_err(Unavailable::from)?;
    let now = app.now();
    let settled =
        |message: &Message| mutants::skips("hook-held-back") || message.created_at.plus(HELD_BACK) <= now;
    let found: Vec<_> = found.into_iter().take_while(settled).collect();
    let next = found.last().map_or(after, |last| last.position);
    let events = found.into_iter().map(|message| told(app, tenant, message)).collect();
    Ok(Events { events, next: seal(app, tenant, asked.state, next) })
}

fn told(app: &App, tenant: &Tenant, message: Message) -> Told {
    Told {
        id: id(app, tenant, &message),
        subject: message.subject().to_owned(),
        topic: message.topic,
        created_at: message.created_at,
        state: message.state,
        attempts: message.attempts,
    }
}

/// Puts a message that was delivered or given up on its way once more, for three days from now.
///
/// # Errors
/// [`EventError::Unknown`] and [`EventError::Unavailable`].
pub async fn send_again(app: &App, tenant: &Tenant, event: &str) -> Result<(), EventError> {
    let found = app.store().send_again(tenant, event, app.now()).await.map_err(Unavailable::from)?;
    if !found {
        return Err(EventError::Unknown);
    }
    app.clients().changes.tell(&RequestId(String::new()));
    Ok(())
}

/// A message that was made up.
#[derive(Clone, Debug)]
pub struct MadeUp {
    /// What it says happened.
    pub topic: &'static str,
}

/// Makes up a message about the request [`TEST`], so that whoever builds a receiver sees one.
///
/// # Errors
/// [`EventError`].
pub async fn make_up(app: &App, tenant: &Tenant, topic: &str) -> Result<MadeUp, EventError> {
    if !(mutants::skips("hook-test-env") || tenant.env == Env::Test) {
        return Err(EventError::Live);
    }
    let topic = TOPICS.into_iter().find(|known| *known == topic).ok_or(EventError::Topic)?;
    let about = RequestId(format!("{TEST}:{}", entropy::id16(app.entropy())));
    app.store().tell(tenant, about.clone(), topic, app.now()).await.map_err(Unavailable::from)?;
    app.clients().changes.tell(&about);
    Ok(MadeUp { topic })
}

fn seal(app: &App, tenant: &Tenant, state: Option<Delivery>, position: i64) -> String {
    app.vault().seal_place(&place(tenant, state), position, app.entropy())
}

fn open(app: &App, tenant: &Tenant, state: Option<Delivery>, cursor: &str) -> Option<i64> {
    app.vault().open_place(&place(tenant, state), Some(cursor).filter(|text| text.len() <= MAX_CURSOR)?)
}

fn place(tenant: &Tenant, state: Option<Delivery>) -> String {
    if mutants::skips("hook-cursor") {
        return String::new();
    }
    format!("{}\n{}", tenant.name(), state.map_or("", Delivery::as_str))
}
