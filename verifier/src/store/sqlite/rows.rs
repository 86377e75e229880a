//! Rows as SQLite gives them, and what they mean.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::time::UnixTime;

use super::super::{
    ATTEMPTS, Flow, NewRequest, NoLease, Reference, Request, RequestId, ServiceId, Status, StoreError,
    StoredDecision, Tag,
};
use super::Transaction;

pub(super) const DECISION: &str = "SELECT r.outcome, d.signing_input, r.ref_salt FROM decisions d \
     JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
     WHERE d.service_id = ?1 AND d.request_id = ?2";
pub(super) const DECISION_OF_ANYBODY: &str = "SELECT r.outcome, d.signing_input, r.ref_salt FROM decisions d \
     JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
     WHERE ?1 <> '' AND d.request_id = ?2";

/// A row of `requests`.
#[derive(sqlx::FromRow)]
pub(super) struct RequestRow {
    service_id: String,
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
}

impl TryFrom<RequestRow> for Request {
    type Error = StoreError;

    fn try_from(row: RequestRow) -> Result<Self, StoreError> {
        Ok(Self {
            service: ServiceId(row.service_id),
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

pub(super) async fn insert_asked(transaction: &mut Transaction, new: &NewRequest) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO asked (service_id, digest, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(&new.service.0)
        .bind(new.asked.digest.to_vec())
        .bind(&new.asked.body)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(super) async fn insert_request(
    transaction: &mut Transaction,
    new: &NewRequest,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO requests (service_id, id, asked_digest, policy_id, flow, status, created_at, expires_at, \
         close_at, handle_tag, page_tag, nonce_tag, state_tag, sealed, code_tag, code_until, ref, ref_salt) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )
    .bind(&new.service.0)
    .bind(&new.id.0)
    .bind(new.asked.digest.to_vec())
    .bind(&new.policy_id)
    .bind(new.flow.as_str())
    .bind(new.created_at.0)
    .bind(new.expires_at.0)
    .bind(new.handle.0.to_vec())
    .bind(new.page.0.to_vec())
    .bind(new.nonce.0.to_vec())
    .bind(new.state.0.to_vec())
    .bind(&new.sealed)
    .bind(new.code.0.to_vec())
    .bind(new.code_until.0)
    .bind(new.reference.as_ref().map(|reference| reference.hash.clone()))
    .bind(new.reference.as_ref().map(|reference| reference.salt.to_vec()))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Why the statement that takes a lease matched nothing; in the same transaction, so that it is the true reason.
pub(super) async fn why_no_lease(
    transaction: &mut Transaction,
    service: &ServiceId,
    id: &RequestId,
    now: UnixTime,
) -> Result<NoLease, StoreError> {
    let row: Option<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT status, expires_at, lease_until, attempts FROM requests WHERE service_id = ? AND id = ?",
    )
    .bind(&service.0)
    .bind(&id.0)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(match row {
        Some((status, expires_at, lease_until, _))
            if status == "open"
                && expires_at > now.0
                && lease_until > now.0
                && !mutants::skips("store-lease-held") =>
        {
            NoLease::Held
        }
        Some((status, expires_at, _, attempts))
            if status == "open" && expires_at > now.0 && attempts >= ATTEMPTS =>
        {
            NoLease::Spent
        }
        _ => NoLease::Closed,
    })
}
