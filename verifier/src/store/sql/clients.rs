//! Calls of clients.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::clients::{Attempt, Calls, Earlier, Grant, Position, Tenant, env_word};
use super::super::super::rows::{EarlierRow, GrantRow, RequestRow, select};
use super::super::super::{NewRequest, Pending, Request, Status, StoreError, Tag};
use super::{Own, Tx, rows};

const TAKE_KEY: &str = "INSERT INTO attempts (service_id, env, key_tag, body_tag, request_id, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (service_id, env, key_tag) DO UPDATE \
     SET body_tag = $4, request_id = $5, expires_at = $6 WHERE $8 OR attempts.expires_at <= $7";

impl Calls for Own {
    fn use_once(&self, tag: Tag, until: UnixTime, now: UnixTime) -> Pending<'_, bool> {
        self.write(move |mut writing| async move {
            let done = sqlx::query(
                "INSERT INTO used (tag, expires_at) VALUES ($1, $2) \
                 ON CONFLICT (tag) DO UPDATE SET expires_at = $2 WHERE $4 OR used.expires_at <= $3",
            )
            .bind(tag.0.to_vec())
            .bind(until.0)
            .bind(now.0)
            .bind(mutants::skips("store-used-once"))
            .execute(&mut *writing)
            .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }

    fn put_token(&self, tag: Tag, grant: Grant) -> Pending<'_, ()> {
        self.write(move |mut writing| async move {
            sqlx::query(
                "INSERT INTO tokens (tag, client_id, service_id, env, scopes, key_thumbprint, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(tag.0.to_vec())
            .bind(&grant.client)
            .bind(&grant.tenant.service.0)
            .bind(env_word(grant.tenant.env))
            .bind(grant.scopes.to_string())
            .bind(grant.key.map(|key| key.to_vec()))
            .bind(grant.expires_at.0)
            .execute(&mut *writing)
            .await?;
            Ok((writing, ()))
        })
    }

    fn token(&self, tag: Tag, now: UnixTime) -> Pending<'_, Option<Grant>> {
        Box::pin(async move {
            let row: Option<GrantRow> = sqlx::query_as(
                "SELECT client_id, service_id, env, scopes, key_thumbprint, expires_at FROM tokens \
                 WHERE tag = $1 AND ($3 OR expires_at > $2)",
            )
            .bind(tag.0.to_vec())
            .bind(now.0)
            .bind(mutants::skips("store-token-time"))
            .fetch_optional(self.0.reader())
            .await?;
            row.map(Grant::try_from).transpose()
        })
    }

    fn insert_once(&self, new: NewRequest, attempt: Attempt, now: UnixTime) -> Pending<'_, Option<Earlier>> {
        self.write(move |mut writing| async move {
            if !take_key(&mut writing, &new.tenant(), &new.id.0, &attempt, now).await? {
                let earlier = earlier(&mut writing, &new.tenant(), attempt.key).await?;
                return Ok((writing, Some(earlier)));
            }
            rows::insert_asked(&mut writing, &new).await?;
            rows::insert_request(&mut writing, &new).await?;
            Ok((writing, None))
        })
    }

    fn earlier<'a>(&'a self, tenant: &'a Tenant, key: Tag, now: UnixTime) -> Pending<'a, Option<Earlier>> {
        Box::pin(async move {
            let row: Option<EarlierRow> = sqlx::query_as(
                "SELECT body_tag, request_id FROM attempts \
                 WHERE service_id = $1 AND env = $2 AND key_tag = $3 AND expires_at > $4",
            )
            .bind(&tenant.service.0)
            .bind(env_word(tenant.env))
            .bind(key.0.to_vec())
            .bind(now.0)
            .fetch_optional(self.0.reader())
            .await?;
            row.map(Earlier::try_from).transpose()
        })
    }

    fn newest<'a>(
        &'a self,
        tenant: &'a Tenant,
        status: Option<Status>,
        after: Option<Position>,
        limit: u32,
    ) -> Pending<'a, Vec<Request>> {
        let query = query(status);
        Box::pin(async move {
            let (at, id) = after.map_or((i64::MAX, String::new()), |place| (place.created_at.0, place.id.0));
            let rows: Vec<RequestRow> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(env_word(tenant.env))
                .bind(status.map(Status::as_str))
                .bind(at)
                .bind(id)
                .bind(i64::from(limit))
                .fetch_all(self.0.reader())
                .await?;
            rows.into_iter().map(Request::try_from).collect()
        })
    }

    fn forget(&self, now: UnixTime) -> Pending<'_, ()> {
        self.write(move |mut writing| async move {
            for query in [
                forget!("tokens", "expires_at <= $1"),
                forget!("used", "expires_at <= $1"),
                forget!("attempts", "expires_at <= $1"),
                forget!("pseudonyms", "expires_at <= $1"),
                // Thirty days, and three for what was sent again.
                forget!(
                    "outbox",
                    "created_at <= $1 - 2592000 AND (state <> 'waiting' OR next_at <= $1 - 259200)"
                ),
            ] {
                sqlx::query(query).bind(now.0).execute(&mut *writing).await?;
            }
            Ok((writing, ()))
        })
    }
}

/// Each text has an index that fits it. A mutant drops one bound of the tenant.
macro_rules! list {
    ($owner:literal) => {
        (
            select!(
                $owner,
                " AND $3 IS NULL AND (created_at, id) < ($4, $5) \
                     ORDER BY created_at DESC, id DESC LIMIT $6"
            ),
            select!(
                $owner,
                " AND status = $3 AND (created_at, id) < ($4, $5) \
                     ORDER BY created_at DESC, id DESC LIMIT $6"
            ),
        )
    };
}

fn query(status: Option<Status>) -> &'static str {
    let (all, of_status) = if mutants::skips("store-tenant-list") {
        list!("$1 <> '' AND env = $2")
    } else if mutants::skips("store-env-list") {
        list!("service_id = $1 AND $2 <> ''")
    } else {
        list!("service_id = $1 AND env = $2")
    };
    if status.is_some() { of_status } else { all }
}

/// Whether the key is now this call's.
pub(super) async fn take_key(
    writing: &mut Tx,
    tenant: &Tenant,
    about: &str,
    attempt: &Attempt,
    now: UnixTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(TAKE_KEY)
        .bind(&tenant.service.0)
        .bind(env_word(tenant.env))
        .bind(attempt.key.0.to_vec())
        .bind(attempt.body.0.to_vec())
        .bind(about)
        .bind(attempt.until.0)
        .bind(now.0)
        .bind(mutants::skips("store-once-taken"))
        .execute(&mut **writing)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn earlier(writing: &mut Tx, tenant: &Tenant, key: Tag) -> Result<Earlier, StoreError> {
    let row: EarlierRow = sqlx::query_as(
        "SELECT body_tag, request_id FROM attempts WHERE service_id = $1 AND env = $2 AND key_tag = $3",
    )
    .bind(&tenant.service.0)
    .bind(env_word(tenant.env))
    .bind(key.0.to_vec())
    .fetch_one(&mut **writing)
    .await?;
    Earlier::try_from(row)
}
