//! What is asked, in words that both dialects understand; compiled once for each.

use super::super::{DecisionRow, EndRow, EventRow, HashRow, LeafRow, NoticeRow};
use super::Connection;
use crate::store::{PERMISSIONS_BEHIND, PermissionRow};

pub(in super::super) async fn leaves(from: &mut Connection, after: i64) -> Result<Vec<LeafRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT position, service_id, leaf, place FROM log_leaves WHERE position > $1 ORDER BY position LIMIT 5000",
    )
    .bind(after)
    .fetch_all(from)
    .await
}

pub(in super::super) async fn decisions(
    from: &mut Connection,
    after: (String, String),
) -> Result<Vec<DecisionRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT d.service_id, d.request_id, d.jti, d.signing_input, d.decided_at, r.env, r.status, r.outcome, r.policy_id \
         FROM decisions d LEFT JOIN requests r ON r.service_id = d.service_id AND r.id = d.request_id \
         WHERE d.service_id > $1 OR (d.service_id = $1 AND d.request_id > $2) \
         ORDER BY d.service_id, d.request_id LIMIT 2000",
    )
    .bind(after.0)
    .bind(after.1)
    .fetch_all(from)
    .await
}

pub(in super::super) async fn undecided(from: &mut Connection) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.service_id, r.id FROM requests r WHERE r.status = 'decided' AND NOT EXISTS \
         (SELECT 1 FROM decisions d WHERE d.service_id = r.service_id AND d.request_id = r.id) LIMIT 1000",
    )
    .fetch_all(from)
    .await
}

pub(in super::super) async fn notices(from: &mut Connection) -> Result<Vec<NoticeRow>, sqlx::Error> {
    sqlx::query_as("SELECT position, what, id, digest, jti, jws FROM notices ORDER BY position")
        .fetch_all(from)
        .await
}

pub(in super::super) async fn permissions(
    from: &mut Connection,
    after: (String, String),
) -> Result<Vec<PermissionRow>, sqlx::Error> {
    sqlx::query_as(PERMISSIONS_BEHIND).bind(after.0).bind(after.1).fetch_all(from).await
}

pub(in super::super) async fn events(
    from: &mut Connection,
    after: (String, String, i64),
) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT service_id, permission_id, number, signing_input FROM permission_events \
         WHERE service_id > $1 OR (service_id = $1 AND (permission_id > $2 OR (permission_id = $2 AND number > $3))) \
         ORDER BY service_id, permission_id, number LIMIT 2000",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(after.2)
    .fetch_all(from)
    .await
}

pub(in super::super) async fn forgotten(from: &mut Connection) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT leaf FROM log_forgotten ORDER BY leaf").fetch_all(from).await
}

pub(in super::super) async fn hashes(from: &mut Connection) -> Result<Vec<HashRow>, sqlx::Error> {
    sqlx::query_as("SELECT level, place, hash FROM log_hashes ORDER BY level, place").fetch_all(from).await
}

pub(in super::super) async fn edges(from: &mut Connection) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT edge FROM log_edge ORDER BY id").fetch_all(from).await
}

pub(in super::super) async fn checkpoints(from: &mut Connection) -> Result<Vec<(i64, String)>, sqlx::Error> {
    sqlx::query_as("SELECT size, note FROM log_checkpoints ORDER BY size").fetch_all(from).await
}

pub(in super::super) async fn ends(
    from: &mut Connection,
    after: (String, String),
) -> Result<Vec<EndRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.service_id, r.id, r.policy_id, r.outcome, d.decided_at FROM requests r \
         JOIN decisions d ON d.service_id = r.service_id AND d.request_id = r.id \
         WHERE r.service_id > $1 OR (r.service_id = $1 AND r.id > $2) ORDER BY r.service_id, r.id LIMIT 5000",
    )
    .bind(after.0)
    .bind(after.1)
    .fetch_all(from)
    .await
}
