//! What calls by the systems of services leave behind: access tokens, values used once, keys of repeated calls.
//!
//! All of it is short-lived and keyed: a token, a `jti` and an `Idempotency-Key` are stored as HMACs under the server
//! key, never as sent. [`Tenant`] says whose a row is; a row of one environment is not there for the other.

use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;

use super::{NewRequest, Pending, Request, RequestId, ServiceId, Status, Tag};
use crate::clients::Scopes;

/// Whose a row is: one service, as test or as live.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant {
    /// The service.
    pub service: ServiceId,
    /// The environment.
    pub env: Env,
}

impl Tenant {
    /// The tenant of a service in an environment.
    #[must_use]
    pub fn new(service: &str, env: Env) -> Self {
        Self { service: ServiceId(service.to_owned()), env }
    }

    /// Both in one text, which no other tenant has.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}\n{}", self.service.0, env_word(self.env))
    }
}

/// The word of the database.
pub(crate) fn env_word(env: Env) -> &'static str {
    match env {
        Env::Test => "test",
        Env::Live => "live",
    }
}

pub(super) fn env_of(word: &str) -> Option<Env> {
    [Env::Test, Env::Live].into_iter().find(|env| env_word(*env) == word)
}

/// What an access token gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The client that it was given to.
    pub client: String,
    /// Whose rows it opens.
    pub tenant: Tenant,
    /// For which calls.
    pub scopes: Scopes,
    /// The thumbprint of the key that its user must show, if it is bound to one (RFC 9449, section 6).
    pub key: Option<[u8; 32]>,
    /// From when on it is void.
    pub expires_at: UnixTime,
}

/// The key of a call that may be repeated, and what was sent with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Tag of the key.
    pub key: Tag,
    /// Tag of the body.
    pub body: Tag,
    /// From when on the key is forgotten.
    pub until: UnixTime,
}

/// What an earlier call with the same key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Tag of the body that came then.
    pub body: Tag,
    /// The request that it opened.
    pub request: RequestId,
}

/// Where a page of a list goes on: behind this request, towards older ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the last request of the page before was made.
    pub created_at: UnixTime,
    /// Its id, which orders requests of one second.
    pub id: RequestId,
}

/// Calls of clients.
pub trait Calls: Send + Sync {
    /// Uses a value up until `until`; `false` when it is used up already.
    fn use_once(&self, tag: Tag, until: UnixTime, now: UnixTime) -> Pending<'_, bool>;
    /// Keeps an access token.
    fn put_token(&self, tag: Tag, grant: Grant) -> Pending<'_, ()>;
    /// What the token gives, while it is valid.
    fn token(&self, tag: Tag, now: UnixTime) -> Pending<'_, Option<Grant>>;
    /// Opens a request as [`super::Requests::insert`] does, unless a call with the same key opened one before: then
    /// nothing is written. Key and request are kept in one transaction, so that of many at once one opens a request.
    fn insert_once(&self, new: NewRequest, attempt: Attempt, now: UnixTime) -> Pending<'_, Option<Earlier>>;
    /// What a call with this key did, while the key is kept.
    fn earlier<'a>(&'a self, tenant: &'a Tenant, key: Tag, now: UnixTime) -> Pending<'a, Option<Earlier>>;
    /// At most `limit` of the tenant's own requests, newest first, behind `after`.
    fn newest<'a>(
        &'a self,
        tenant: &'a Tenant,
        status: Option<Status>,
        after: Option<Position>,
        limit: u32,
    ) -> Pending<'a, Vec<Request>>;
    /// Forgets tokens, used values and keys that are void at `now`.
    fn forget(&self, now: UnixTime) -> Pending<'_, ()>;
}
