//! Statements of some length.

use vouchsafe_protocol::time::UnixTime;

use super::super::super::clients::env_word;
use super::super::super::rows::{LeaseRow, why_no_lease as why};
use super::super::super::{NewRequest, NoLease, RequestId, ServiceId, StoreError};
use super::Tx;

pub(super) const DECISION: &str = "SELECT r.outcome, d.signing_input, r.ref_salt FROM decisions d \
     JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
     WHERE d.service_id = $1 AND d.request_id = $2 AND r.env = $3";
pub(super) const DECISION_OF_ANYBODY: &str = "SELECT r.outcome, d.signing_input, r.ref_salt FROM decisions d \
     JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
     WHERE $1 <> '' AND d.request_id = $2 AND r.env = $3";
pub(super) const DECISION_OF_ANY_ENV: &str = "SELECT r.outcome, d.signing_input, r.ref_salt FROM decisions d \
     JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
     WHERE d.service_id = $1 AND d.request_id = $2 AND $3 <> ''";

pub(super) async fn insert_asked(writing: &mut Tx, new: &NewRequest) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO asked (service_id, digest, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(&new.service.0)
        .bind(new.asked.digest.to_vec())
        .bind(&new.asked.body)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

pub(super) async fn insert_request(writing: &mut Tx, new: &NewRequest) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO requests (service_id, env, id, asked_digest, policy_id, flow, status, created_at, expires_at, \
         close_at, handle_tag, page_tag, nonce_tag, state_tag, sealed, code_tag, code_until, ref, ref_salt, \
         permission_id) \
         VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(&new.service.0)
    .bind(env_word(new.env))
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
    .bind(new.permission.as_ref().map(|permission| &permission.0))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Why the statement that takes a lease matched nothing. On a server the row may have changed since: then it says to come
/// again.
pub(super) async fn why_no_lease(
    writing: &mut Tx,
    service: &ServiceId,
    id: &RequestId,
    now: UnixTime,
) -> Result<NoLease, StoreError> {
    let row: Option<LeaseRow> = sqlx::query_as(
        "SELECT status, expires_at, lease_until, attempts FROM requests WHERE service_id = $1 AND id = $2",
    )
    .bind(&service.0)
    .bind(&id.0)
    .fetch_optional(&mut **writing)
    .await?;
    Ok(why(row, now))
}
