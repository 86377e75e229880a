//! What the verifier keeps, as small traits with one shared suite.
//!
//! `memory`, `sqlite` and `postgres` pass the same suite (`suite`, in tests). Nothing here holds an attribute value, a
//! presentation or a usable secret: tags are HMACs under the server key, and what must come back (nonce,
//! state, response key, handles, the expected value) is sealed and erased when the request closes.
//!
//! "Not found" is `None`; a change names the state it expects and reports [`Stale`] when another was first.
//! Every row and every query names the service (the tenant), except lookups by a keyed tag that one request
//! alone has; those return the service with the row.

mod clients;
mod log;
pub mod memory;
mod outbox;
mod permissions;
pub mod postgres;
mod probing;
mod rows;
pub mod sqlite;
#[cfg(test)]
mod suite;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;

pub(crate) use self::clients::env_word;
pub use self::clients::{Attempt, Calls, Earlier, Grant, Position, Tenant};
pub use self::log::{Log, Notice, Published};
pub use self::outbox::{
    DELIVERY_SECONDS, Delivery, KEEP_SECONDS, Message, Outbox, Settled, TRY_SECONDS, event_id,
};
pub use self::permissions::{
    By, Day, Ending, NewPermission, Permission, PermissionId, Permissions, Recorded, Resting, Stands, Use,
    UsedUp,
};
pub use self::probing::{Asking, Probe, Probing};
pub(crate) use self::rows::{PERMISSIONS_BEHIND, PermissionRow};
use vouchsafe_service::store::{Database, Migrators};

/// How long a lease holds, in seconds (profile, section 7).
pub const LEASE_SECONDS: i64 = 10;
/// How many answers whose sender held a credential one request may refuse (profile, section 7).
pub const ATTEMPTS: i64 = 5;
/// How long a browser has to come back after an answer that arrived at the last moment, in seconds.
pub const RETURN_GRACE_SECONDS: i64 = 60;

/// The stable id of a registered service: the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub String);

/// The id of a request in our own API and in the decision; never seen by a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub String);

/// An HMAC under the server key of something that must be found or compared, never read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub [u8; 32]);

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(…)")
    }
}

/// Whether the wallet is on the device that shows the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The browser comes back with a `response_code` and its own session (HAIP 1.0, 5.1).
    SameDevice,
    /// The link is carried to another device; nothing comes back to the browser.
    CrossDevice,
}

impl Flow {
    /// The word of our API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameDevice => "same_device",
            Self::CrossDevice => "cross_device",
        }
    }

    /// Reads [`Flow::as_str`] back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::SameDevice, Self::CrossDevice].into_iter().find(|flow| flow.as_str() == word)
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody has answered in a way that counts.
    Open,
    /// Answered; waiting for the browser to come back.
    Answered,
    /// Closed: there is a decision, and the secrets are erased.
    Decided,
}

impl Status {
    /// The word of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Decided => "decided",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Answered, Self::Decided].into_iter().find(|status| status.as_str() == word)
    }
}

/// What many requests share, content-addressed: policy and register extracts as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// SHA-256 of `body`.
    pub digest: [u8; 32],
    /// JSON of public documents alone.
    pub body: String,
}

/// The salted hash of the service's reference; the reference itself is not stored. Not printed: a reference can be
/// guessed from hash and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// base64url of the hash, as the decision carries it.
    pub hash: String,
    /// The salt that our API gives beside the decision.
    pub salt: [u8; 16],
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference(…)")
    }
}

/// A request as it is opened.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The tenant.
    pub service: ServiceId,
    /// Test or live: part of the tenant.
    pub env: Env,
    /// The id of our API.
    pub id: RequestId,
    /// What is asked.
    pub asked: Asked,
    /// The policy's id, for lists.
    pub policy_id: String,
    /// Same device or across devices.
    pub flow: Flow,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when on no lease is given.
    pub expires_at: UnixTime,
    /// Tag of the handle in `request_uri` and `response_uri`.
    pub handle: Tag,
    /// Tag of the hosted page's handle.
    pub page: Tag,
    /// Tag of the nonce.
    pub nonce: Tag,
    /// Tag of `state`.
    pub state: Tag,
    /// The sealed secrets of the open request.
    pub sealed: Vec<u8>,
    /// Tag of the typed code.
    pub code: Tag,
    /// From when on the typed code is void.
    pub code_until: UnixTime,
    /// The service's reference, hashed.
    pub reference: Option<Reference>,
    /// The permission under which it asks again.
    pub permission: Option<PermissionId>,
}

/// A request as it stands.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tenant.
    pub service: ServiceId,
    /// Test or live: part of the tenant.
    pub env: Env,
    /// The id of our API.
    pub id: RequestId,
    /// Which [`Asked`] it refers to.
    pub asked_digest: [u8; 32],
    /// The policy's id.
    pub policy_id: String,
    /// Same device or across devices.
    pub flow: Flow,
    /// Where it stands.
    pub status: Status,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when on no lease is given.
    pub expires_at: UnixTime,
    /// When the sweep may close it.
    pub close_at: UnixTime,
    /// Tag of the nonce.
    pub nonce: Tag,
    /// Tag of `state`.
    pub state: Tag,
    /// The sealed secrets; `None` once closed.
    pub sealed: Option<Vec<u8>>,
    /// From when on the typed code is void.
    pub code_until: UnixTime,
    /// The browser that first opened the page.
    pub session: Option<Tag>,
    /// Tag of the `response_code` handed to the wallet.
    pub response: Option<Tag>,
    /// Whether an `error` with the right `state` came in.
    pub error_seen: bool,
    /// Answers counted so far.
    pub attempts: i64,
    /// Until when somebody is verifying an answer.
    pub lease_until: UnixTime,
    /// What the answer showed, between answer and decision: codes alone.
    pub finding: Option<String>,
    /// The outcome once decided.
    pub outcome: Option<Outcome>,
    /// The service's reference, hashed.
    pub reference: Option<Reference>,
    /// The permission under which it asks again, or that its answer gave.
    pub permission: Option<PermissionId>,
}

impl NewRequest {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        Tenant { service: self.service.clone(), env: self.env }
    }
}

impl Request {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        Tenant { service: self.service.clone(), env: self.env }
    }
}

/// A keyed tag that one request alone has.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// The handle in `request_uri` and `response_uri`.
    Handle(Tag),
    /// The hosted page's handle.
    Page(Tag),
    /// The typed code, while it is valid at the time given.
    Code(Tag, UnixTime),
}

/// The right to commit what one answer shows, until it ends or a later lease is given.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The tenant.
    pub service: ServiceId,
    /// The request.
    pub request: RequestId,
    /// The fencing number: a later lease has a greater one.
    pub fence: i64,
    /// When it ends.
    pub until: UnixTime,
}

/// Why no lease was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLease {
    /// Somebody else holds one; nothing was counted.
    Held,
    /// Answered, decided or expired.
    Closed,
    /// All attempts are used.
    Spent,
}

/// Another was first: the state that the change expects is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is no longer in the state that this change expects")]
pub struct Stale;

/// On what ground a request is closed.
#[derive(Clone, Copy, Debug)]
pub enum Ground {
    /// The holder of this lease decides.
    Lease {
        /// The lease's fencing number.
        fence: i64,
    },
    /// The page's own browser came back with the response code of an answer.
    Return {
        /// Tag of the response code.
        response: Tag,
        /// Tag of the page's session.
        session: Tag,
    },
    /// The page's own browser came back with the response code of an `error`.
    Decline {
        /// Tag of the response code.
        response: Tag,
        /// Tag of the page's session.
        session: Tag,
    },
    /// Time is over, or all attempts are used; never against a live lease.
    Expiry,
}

/// What may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Once {
    /// The request's nonce.
    Nonce,
    /// The request's `state`.
    State,
}

impl Once {
    /// The word of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nonce => "nonce",
            Self::State => "state",
        }
    }
}

/// One thing that the deciding transaction writes.
#[derive(Clone)]
pub enum Effect {
    /// Uses a value up; a second use makes the whole member stale.
    Spend(Once, Tag),
    /// The decision as it will be signed.
    Decision {
        /// Its random id.
        jti: String,
        /// The JWS signing input, with the tag that binds it to its row.
        signing_input: String,
    },
    /// The leaf of the log.
    Leaf([u8; 32]),
    /// A message for the service: its topic alone, the service fetches the rest.
    Outbox(&'static str),
    /// A permission that the answer gave.
    Permission(Box<NewPermission>),
    /// A message about a permission.
    Tell(PermissionId, &'static str),
}

/// A decision is for its service alone, and is not printed.
impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spend(what, _) => f.debug_tuple("Spend").field(what).finish(),
            Self::Decision { .. } => f.write_str("Decision(…)"),
            Self::Leaf(_) => f.write_str("Leaf(…)"),
            Self::Permission(_) => f.write_str("Permission(…)"),
            Self::Outbox(topic) | Self::Tell(_, topic) => f.debug_tuple("Outbox").field(topic).finish(),
        }
    }
}

/// For whom a decision counts, and with which others.
#[derive(Clone)]
pub struct Count {
    /// SHA-256 of what the pseudonym is for: service, action and epoch.
    pub context: [u8; 32],
    /// The pseudonym.
    pub nym: [u8; 32],
    /// How many may be met.
    pub at_most: u32,
    /// When the epoch is over, and the count of no use.
    pub until: UnixTime,
}

/// It names somebody to its service.
impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Count").field("at_most", &self.at_most).finish_non_exhaustive()
    }
}

/// How many decisions of one person in one epoch may be met: counted in the transaction that decides, so that of two at
/// once one alone is within.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What is counted.
    pub count: Count,
    /// As what the request is closed where as many were met before.
    pub otherwise: Outcome,
    /// What is written then in place of the member's own effects.
    pub effects: Vec<Effect>,
}

/// One request to be closed, with all that must happen in the same transaction.
#[derive(Clone, Debug)]
pub struct Consume {
    /// The tenant.
    pub service: ServiceId,
    /// The request.
    pub request: RequestId,
    /// Why it may be closed.
    pub ground: Ground,
    /// When.
    pub at: UnixTime,
    /// As what.
    pub outcome: Outcome,
    /// What else is written with it.
    pub effects: Vec<Effect>,
    /// Where it counts for one person.
    pub limit: Option<Limit>,
    /// Where it rests on a permission.
    pub resting: Option<Resting>,
}

/// A request was closed by this very call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The request.
    pub request: RequestId,
    /// As what.
    pub outcome: Outcome,
}

/// A decision as it was stored. For its service alone, and not printed.
#[derive(Clone)]
pub struct StoredDecision {
    /// The outcome.
    pub outcome: Outcome,
    /// The JWS signing input, with the tag that binds it to its row.
    pub signing_input: String,
    /// The salt of the service's reference, if there was one.
    pub ref_salt: Option<[u8; 16]>,
}

impl fmt::Debug for StoredDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredDecision(…)")
    }
}

/// The store itself failed; ours to mend, and nothing of the operation was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, full or gone; the same call may succeed later.
    #[error("the database did not take the operation; try again later")]
    Unavailable,
    /// A row cannot be what we wrote.
    #[error("a stored row is damaged: column {0}")]
    Damaged(&'static str),
}

/// What a store method gives back.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Requests and their pages.
pub trait Requests: Send + Sync {
    /// Opens a request, and stores what it asks unless that is there already.
    fn insert(&self, new: NewRequest) -> Pending<'_, ()>;
    /// The service's own request.
    fn request<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<Request>>;
    /// The one request that has this tag.
    fn request_by(&self, key: Key) -> Pending<'_, Option<Request>>;
    /// What the service's request asks.
    fn asked<'a>(&'a self, service: &'a ServiceId, digest: [u8; 32]) -> Pending<'a, Option<String>>;
    /// Binds the page to the browser that opens it first; `false` for every later one.
    fn bind_session<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        session: Tag,
    ) -> Pending<'a, bool>;
}

/// Answers, under a lease.
pub trait Answers: Send + Sync {
    /// Takes the lease and counts the attempt, in one statement.
    fn lease<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        now: UnixTime,
    ) -> Pending<'a, Result<Lease, NoLease>>;
    /// Gives a lease back early, if it is still the newest: the answer was wrong, and its attempt counts.
    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()>;
    /// As [`Answers::release`], with the attempt: we could not look, and a resident does not pay for our load.
    fn give_back<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()>;
    /// Records what the answer showed and waits for the browser; the sealed secrets are erased.
    fn answered<'a>(
        &'a self,
        lease: &'a Lease,
        finding: String,
        response: Tag,
        now: UnixTime,
    ) -> Pending<'a, Result<(), Stale>>;
    /// Notes that an `error` with the right `state` came in, with the response code given out for it.
    fn error_seen<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        response: Option<Tag>,
        now: UnixTime,
    ) -> Pending<'a, bool>;
}

/// Decisions.
pub trait Decisions: Send + Sync {
    /// Closes every member that still may be closed, in one immediate transaction.
    ///
    /// One member's conflict undoes that member alone.
    fn decide_many(&self, members: Vec<Consume>) -> Pending<'_, Vec<Result<Decided, Stale>>>;
    /// The service's own decision.
    fn decision<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<StoredDecision>>;
    /// At most `limit` requests that the sweep may close at `now`; none with a live lease.
    fn due(&self, now: UnixTime, limit: u32) -> Pending<'_, Vec<Request>>;
}

/// Limits that replicas share.
pub trait Guesses: Send + Sync {
    /// Takes one of `most` guesses of this minute; `false` when none is left.
    fn take_guess(&self, prefix: Tag, now: UnixTime, most: i64) -> Pending<'_, bool>;
    /// Gives a guess back that was right.
    fn return_guess(&self, prefix: Tag, now: UnixTime) -> Pending<'_, ()>;
    /// Notes a register's version; `false` when a newer one was seen before.
    fn see_register<'a>(&'a self, registrar: &'a str, reg_version: u64) -> Pending<'a, bool>;
}

/// All of it.
pub trait Store:
    Requests + Answers + Decisions + Guesses + Calls + Log + Outbox + Permissions + Probing
{
}
impl<T: Requests + Answers + Decisions + Guesses + Calls + Log + Outbox + Permissions + Probing> Store for T {}

/// The verifier's migrations in both dialects.
pub const MIGRATORS: Migrators = Migrators { sqlite: &sqlite::MIGRATOR, postgres: &postgres::MIGRATOR };

/// The store over an open database that has had [`MIGRATORS`] run on it.
#[must_use]
pub fn over(database: &Database) -> Arc<dyn Store> {
    match database {
        Database::Sqlite(file) => Arc::new(sqlite::SqliteStore::new(file.clone())),
        Database::Postgres(server) => Arc::new(postgres::PostgresStore::new(server.clone())),
    }
}

/// The minute that a time falls into.
fn minute(now: UnixTime) -> i64 {
    now.0.div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_and_references_are_not_printed() {
        let (signing_input, jti) = ("aGVhZA.Y2xhaW1z".to_owned(), "4f2a".to_owned());
        let stored = StoredDecision {
            outcome: Outcome::Met,
            signing_input: signing_input.clone(),
            ref_salt: Some([7; 16]),
        };
        let effect = Effect::Decision { jti, signing_input };
        let reference = Reference { hash: "aGFzaA".into(), salt: [7; 16] };
        let printed = format!("{stored:?} {effect:?} {reference:?}");
        assert_eq!(printed, "StoredDecision(…) Decision(…) Reference(…)");
    }
}
