//! Rows as databases give them, and what they mean.

use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::time::UnixTime;

use crate::clients::Scopes;

use super::clients::{Earlier, Grant, Tenant, env_of};
use super::outbox::{Delivery, Message};
use super::permissions::{Day, Permission, PermissionId, Stands};
use super::{
    ATTEMPTS, Flow, NoLease, Reference, Request, RequestId, ServiceId, Status, StoreError, StoredDecision,
    Tag,
};

impl From<sqlx::Error> for StoreError {
    fn from(_: sqlx::Error) -> Self {
        // The text of a database error can quote a row; it goes no further.
        Self::Unavailable
    }
}

/// All columns of a [`RequestRow`], in its order.
macro_rules! select {
    ($($tail:literal),+) => {
        concat!(
            "SELECT service_id, env, id, asked_digest, policy_id, flow, status, created_at, expires_at, close_at, \
             nonce_tag, state_tag, sealed, code_until, session_tag, response_tag, error_seen, attempts, \
             lease_until, finding, outcome, ref, ref_salt, permission_id FROM requests WHERE ",
            $($tail),+
        )
    };
}
pub(super) use select;

/// All columns of a [`PermissionRow`], in its order.
macro_rules! permission {
    ($tail:literal) => {
        concat!(
            "SELECT service_id, env, id, key_tag, policy_id, policy_digest, asked_digest, given_at, given_day, until_day, \
             asked_day, every_days, uses_left, retention_days, state, events, bound, entry FROM permissions WHERE ",
            $tail
        )
    };
}
pub(super) use permission;

/// A row of `requests`.
#[derive(sqlx::FromRow)]
pub(super) struct RequestRow {
    service_id: String,
    env: String,
    id: String,
    asked_digest: Vec<u8>,
    policy_id: String,
    flow: String,
    status: String,
    created_at: i64,
    expires_at: i64,
    close_at: i64,
    nonce_tag: Vec<u8>,
    state_tag: Vec<u8>,
    sealed: Option<Vec<u8>>,
    code_until: i64,
    session_tag: Option<Vec<u8>>,
    response_tag: Option<Vec<u8>>,
    error_seen: bool,
    attempts: i64,
    lease_until: i64,
    finding: Option<String>,
    outcome: Option<String>,
    #[sqlx(rename = "ref")]
    reference: Option<String>,
    ref_salt: Option<Vec<u8>>,
    permission_id: Option<String>,
}

impl TryFrom<RequestRow> for Request {
    type Error = StoreError;

    fn try_from(row: RequestRow) -> Result<Self, StoreError> {
        Ok(Self {
            service: ServiceId(row.service_id),
            env: env_of(&row.env).ok_or(StoreError::Damaged("env"))?,
            id: RequestId(row.id),
            asked_digest: array(row.asked_digest, "asked_digest")?,
            policy_id: row.policy_id,
            flow: Flow::parse(&row.flow).ok_or(StoreError::Damaged("flow"))?,
            status: Status::parse(&row.status).ok_or(StoreError::Damaged("status"))?,
            created_at: UnixTime(row.created_at),
            expires_at: UnixTime(row.expires_at),
            close_at: UnixTime(row.close_at),
            nonce: tag(row.nonce_tag, "nonce_tag")?,
            state: tag(row.state_tag, "state_tag")?,
            sealed: row.sealed,
            code_until: UnixTime(row.code_until),
            session: row.session_tag.map(|bytes| tag(bytes, "session_tag")).transpose()?,
            response: row.response_tag.map(|bytes| tag(bytes, "response_tag")).transpose()?,
            error_seen: row.error_seen,
            attempts: row.attempts,
            lease_until: UnixTime(row.lease_until),
            finding: row.finding,
            outcome: row.outcome.as_deref().map(outcome).transpose()?,
            reference: reference(row.reference, row.ref_salt)?,
            permission: row.permission_id.map(PermissionId),
        })
    }
}

/// A row of `permissions`.
#[derive(sqlx::FromRow)]
pub(crate) struct PermissionRow {
    service_id: String,
    env: String,
    id: String,
    key_tag: Vec<u8>,
    policy_id: String,
    policy_digest: String,
    asked_digest: Vec<u8>,
    given_at: i64,
    given_day: i64,
    until_day: i64,
    asked_day: i64,
    every_days: i64,
    uses_left: Option<i64>,
    retention_days: i64,
    state: String,
    events: i64,
    bound: Vec<u8>,
    entry: Option<Vec<u8>>,
}

/// Permissions behind a service and an id, in their order.
pub(crate) const PERMISSIONS_BEHIND: &str =
    permission!("service_id > $1 OR (service_id = $1 AND id > $2) ORDER BY service_id, id LIMIT 2000");

impl PermissionRow {
    /// Its service and its id.
    pub(crate) fn key(&self) -> (String, String) {
        (self.service_id.clone(), self.id.clone())
    }
}

impl TryFrom<PermissionRow> for Permission {
    type Error = StoreError;

    fn try_from(row: PermissionRow) -> Result<Self, StoreError> {
        Ok(Self {
            service: ServiceId(row.service_id),
            env: env_of(&row.env).ok_or(StoreError::Damaged("env"))?,
            id: PermissionId(row.id),
            key: tag(row.key_tag, "key_tag")?,
            policy_id: row.policy_id,
            policy_digest: row.policy_digest,
            asked_digest: array(row.asked_digest, "asked_digest")?,
            given_at: UnixTime(row.given_at),
            given_day: Day(row.given_day),
            until: Day(row.until_day),
            asked_day: Day(row.asked_day),
            every_days: row.every_days,
            uses_left: row.uses_left,
            retention_days: row.retention_days,
            state: Stands::parse(&row.state).ok_or(StoreError::Damaged("state"))?,
            events: row.events,
            bound: tag(row.bound, "bound")?,
            entry: row.entry,
        })
    }
}

/// A row of `tokens`.
#[derive(sqlx::FromRow)]
pub(super) struct GrantRow {
    client_id: String,
    service_id: String,
    env: String,
    scopes: String,
    key_thumbprint: Option<Vec<u8>>,
    expires_at: i64,
}

impl TryFrom<GrantRow> for Grant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        let env = env_of(&row.env).ok_or(StoreError::Damaged("env"))?;
        Ok(Self {
            client: row.client_id,
            tenant: Tenant { service: ServiceId(row.service_id), env },
            scopes: Scopes::parse(&row.scopes).ok_or(StoreError::Damaged("scopes"))?,
            key: row.key_thumbprint.map(|bytes| array(bytes, "key_thumbprint")).transpose()?,
            expires_at: UnixTime(row.expires_at),
        })
    }
}

/// A row of `attempts`: the body's tag and the request.
pub(super) type EarlierRow = (Vec<u8>, String);

impl TryFrom<EarlierRow> for Earlier {
    type Error = StoreError;

    fn try_from((body, request): EarlierRow) -> Result<Self, StoreError> {
        Ok(Self { body: tag(body, "body_tag")?, request: RequestId(request) })
    }
}

/// A row of `outbox`.
#[derive(sqlx::FromRow)]
pub(super) struct MessageRow {
    position: i64,
    request_id: String,
    topic: String,
    created_at: i64,
    again_at: Option<i64>,
    state: String,
    attempts: i64,
    next_at: i64,
}

impl TryFrom<MessageRow> for Message {
    type Error = StoreError;

    fn try_from(row: MessageRow) -> Result<Self, StoreError> {
        Ok(Self {
            position: row.position,
            about: RequestId(row.request_id),
            topic: row.topic,
            created_at: UnixTime(row.created_at),
            again_at: row.again_at.map(UnixTime),
            state: Delivery::parse(&row.state).ok_or(StoreError::Damaged("state"))?,
            attempts: row.attempts,
            next_at: UnixTime(row.next_at),
        })
    }
}

fn array<const N: usize>(bytes: Vec<u8>, column: &'static str) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(column))
}

fn tag(bytes: Vec<u8>, column: &'static str) -> Result<Tag, StoreError> {
    array(bytes, column).map(Tag)
}

fn outcome(word: &str) -> Result<Outcome, StoreError> {
    [Outcome::Met, Outcome::NotMet, Outcome::Undetermined, Outcome::Declined, Outcome::Expired]
        .into_iter()
        .find(|outcome| outcome.as_str() == word)
        .ok_or(StoreError::Damaged("outcome"))
}

fn reference(hash: Option<String>, salt: Option<Vec<u8>>) -> Result<Option<Reference>, StoreError> {
    let Some((hash, salt)) = hash.zip(salt) else { return Ok(None) };
    Ok(Some(Reference { hash, salt: array(salt, "ref_salt")? }))
}

pub(super) fn stored_decision(row: (String, String, Option<Vec<u8>>)) -> Result<StoredDecision, StoreError> {
    let (word, signing_input, salt) = row;
    let ref_salt = salt.map(|salt| array(salt, "ref_salt")).transpose()?;
    Ok(StoredDecision { outcome: outcome(&word)?, signing_input, ref_salt })
}

/// What tells why no lease was given: status, expires_at, lease_until, attempts.
pub(super) type LeaseRow = (String, i64, i64, i64);

/// Why the statement that takes a lease matched nothing.
pub(super) fn why_no_lease(row: Option<LeaseRow>, now: UnixTime) -> NoLease {
    match row {
        Some((status, expires_at, lease_until, attempts)) if status == "open" && expires_at > now.0 => {
            if lease_until <= now.0 && attempts >= ATTEMPTS {
                NoLease::Spent
            } else {
                // Where others write at the same time the lease may have been given back since: come again.
                NoLease::Held
            }
        }
        _ => NoLease::Closed,
    }
}
