//! Permissions: how each stands, and what happened to it.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::leaf;
use vouchsafe_protocol::permission::record::TYP;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::clients::env_word;
use super::super::super::permissions::{
    By, Day, Ending, NewPermission, Permission, PermissionId, Permissions, Recorded, Resting, Use, UsedUp,
};
use super::super::super::rows::{PermissionRow, RequestRow, permission, select};
use super::super::super::{
    Attempt, Consume, Pending, Request, RequestId, ServiceId, Stale, StoreError, Tenant,
};
use super::decide::Savepoint;
use super::log::{self, Entry};
use super::{Db, Own, Tx, clients, is_storable};

type Connection = <Db as sqlx::Database>::Connection;

impl Permissions for Own {
    fn permission<'a>(&'a self, tenant: &'a Tenant, id: &'a PermissionId) -> Pending<'a, Option<Permission>> {
        let query = if mutants::skips("store-tenant-permission") {
            permission!("$1 <> '' AND id = $2 AND env = $3")
        } else if mutants::skips("store-env-permission") {
            permission!("service_id = $1 AND id = $2 AND $3 <> ''")
        } else {
            permission!("service_id = $1 AND id = $2 AND env = $3")
        };
        Box::pin(async move {
            if !is_storable(&RequestId(id.0.clone())) {
                return Ok(None);
            }
            let row: Option<PermissionRow> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(&id.0)
                .bind(env_word(tenant.env))
                .fetch_optional(self.0.reader())
                .await?;
            row.map(Permission::try_from).transpose()
        })
    }

    fn permission_by(&self, by: By) -> Pending<'_, Option<Permission>> {
        let (query, tag) = match by {
            By::Key(tag) => (permission!("key_tag = $1"), tag),
            By::Code(tag) => (permission!("code_tag = $1"), tag),
        };
        Box::pin(async move {
            let row: Option<PermissionRow> =
                sqlx::query_as(query).bind(tag.0.to_vec()).fetch_optional(self.0.reader()).await?;
            row.map(Permission::try_from).transpose()
        })
    }

    fn recorded<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        number: i64,
    ) -> Pending<'a, Option<Recorded>> {
        Box::pin(async move {
            let row: Option<(i64, String, String)> = sqlx::query_as(
                "SELECT happened_at, jti, signing_input FROM permission_events \
                 WHERE service_id = $1 AND permission_id = $2 AND number = $3",
            )
            .bind(&service.0)
            .bind(&id.0)
            .bind(number)
            .fetch_optional(self.0.reader())
            .await?;
            Ok(row.map(|(at, jti, signing_input)| Recorded { number, at: UnixTime(at), jti, signing_input }))
        })
    }

    fn use_permission(&self, once: Use) -> Pending<'_, UsedUp> {
        self.write(move |mut writing| async move {
            let Some(attempt) = once.attempt else {
                let used = use_up(&mut writing, &once).await?;
                return Ok((writing, used));
            };
            if !take_key(&mut writing, &once, &attempt).await? {
                let earlier = clients::earlier(&mut writing, &once.tenant, attempt.key).await?;
                return Ok((writing, UsedUp::Before(earlier)));
            }
            let used = use_up(&mut writing, &once).await?;
            if used == UsedUp::Not {
                // What was not done may be tried again with the same key.
                free_key(&mut writing, &once.tenant, &attempt).await?;
            }
            Ok((writing, used))
        })
    }

    fn end_permission(&self, ending: Ending) -> Pending<'_, Result<(), Stale>> {
        self.write(move |mut writing| async move {
            if !end(&mut writing, &ending).await? {
                return Ok((writing, Err(Stale)));
            }
            let Ending { tenant, id, event, leaf, topic, .. } = &ending;
            add(&mut writing, &tenant.service, id, event).await?;
            sqlx::query(
                "INSERT INTO outbox (service_id, env, request_id, topic, created_at, next_at) \
                 VALUES ($1, $2, $3, $4, $5, $5)",
            )
            .bind(&tenant.service.0)
            .bind(env_word(tenant.env))
            .bind(&id.0)
            .bind(*topic)
            .bind(event.at.0)
            .execute(&mut *writing)
            .await?;
            let entry = Entry { service: tenant.service.0.clone(), hash: *leaf };
            log::append_entries(&mut writing, &[entry]).await?;
            Ok((writing, Ok(())))
        })
    }

    fn permissions_over(&self, today: Day, limit: u32) -> Pending<'_, Vec<Permission>> {
        Box::pin(async move {
            let rows: Vec<PermissionRow> = sqlx::query_as(permission!(
                "state = 'given' AND ($3 OR until_day < $1) ORDER BY until_day LIMIT $2"
            ))
            .bind(today.0)
            .bind(i64::from(limit))
            .bind(mutants::skips("store-permission-day"))
            .fetch_all(self.0.reader())
            .await?;
            rows.into_iter().map(Permission::try_from).collect()
        })
    }

    fn forget_permissions(&self, now: UnixTime) -> Pending<'_, ()> {
        self.write(move |mut writing| async move {
            let over: Vec<(String, String)> = sqlx::query_as(
                "SELECT service_id, id FROM permissions WHERE keep_until <= $1 ORDER BY service_id, id LIMIT 1000",
            )
            .bind(now.0)
            .fetch_all(&mut *writing)
            .await?;
            for (service, id) in over {
                forget_entries(&mut writing, &service, &id).await?;
                for query in [
                    "DELETE FROM permission_events WHERE service_id = $1 AND permission_id = $2",
                    "DELETE FROM permissions WHERE service_id = $1 AND id = $2",
                ] {
                    sqlx::query(query).bind(&service).bind(&id).execute(&mut *writing).await?;
                }
            }
            Ok((writing, ()))
        })
    }

    fn count_checks<'a>(&'a self, tenant: &'a Tenant, day: Day, count: i64) -> Pending<'a, ()> {
        let tenant = tenant.clone();
        self.write(move |mut writing| async move {
            sqlx::query(
                "INSERT INTO permission_checks (service_id, env, day, count) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (service_id, env, day) DO UPDATE SET count = permission_checks.count + $4",
            )
            .bind(&tenant.service.0)
            .bind(env_word(tenant.env))
            .bind(day.0)
            .bind(count)
            .execute(&mut *writing)
            .await?;
            Ok((writing, ()))
        })
    }

    fn checks<'a>(&'a self, tenant: &'a Tenant, day: Day) -> Pending<'a, i64> {
        Box::pin(async move {
            let count: Option<i64> = sqlx::query_scalar(
                "SELECT count FROM permission_checks WHERE service_id = $1 AND env = $2 AND day = $3",
            )
            .bind(&tenant.service.0)
            .bind(env_word(tenant.env))
            .bind(day.0)
            .fetch_optional(self.0.reader())
            .await?;
            Ok(count.unwrap_or_default())
        })
    }

    fn asks_under<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        now: UnixTime,
    ) -> Pending<'a, Vec<Request>> {
        Box::pin(async move {
            let rows: Vec<RequestRow> = sqlx::query_as(select!(
                "service_id = $1 AND permission_id = $2 AND status = 'open' AND expires_at > $3 \
                 ORDER BY created_at, id LIMIT 8"
            ))
            .bind(&service.0)
            .bind(&id.0)
            .bind(now.0)
            .fetch_all(self.0.reader())
            .await?;
            rows.into_iter().map(Request::try_from).collect()
        })
    }
}

/// The log keeps the entries of what is deleted here, and an auditor is told that they are of nothing that is still there.
async fn forget_entries(writing: &mut Tx, service: &str, id: &str) -> Result<(), StoreError> {
    let inputs: Vec<String> = sqlx::query_scalar(
        "SELECT signing_input FROM permission_events WHERE service_id = $1 AND permission_id = $2",
    )
    .bind(service)
    .bind(id)
    .fetch_all(&mut **writing)
    .await?;
    for bound in inputs {
        // Behind the last dot is what binds the text to its row.
        let input = bound.rsplit_once('.').map_or(&*bound, |(input, _)| input);
        sqlx::query("INSERT INTO log_forgotten (leaf) VALUES ($1) ON CONFLICT (leaf) DO NOTHING")
            .bind(leaf(TYP, input.as_bytes()).to_vec())
            .execute(&mut **writing)
            .await?;
    }
    Ok(())
}

/// One statement that looks and counts: nothing is used that was ended before it. A mutant replaces one bound by one that
/// holds.
async fn use_up(writing: &mut Tx, once: &Use) -> Result<UsedUp, StoreError> {
    let left: Option<Option<i64>> = sqlx::query_scalar(
        "UPDATE permissions SET uses_left = uses_left - 1 WHERE service_id = $1 AND id = $2 AND env = $3 \
         AND ($5 OR state = 'given') AND ($6 OR until_day >= $4) AND ($7 OR uses_left IS NULL OR uses_left > 0) \
         RETURNING uses_left",
    )
    .bind(&once.tenant.service.0)
    .bind(&once.id.0)
    .bind(env_word(once.tenant.env))
    .bind(once.today.0)
    .bind(mutants::skips("store-use-given"))
    .bind(mutants::skips("store-use-until"))
    .bind(mutants::skips("store-use-left"))
    .fetch_optional(&mut **writing)
    .await?;
    Ok(left.map_or(UsedUp::Not, UsedUp::Now))
}

async fn take_key(writing: &mut Tx, once: &Use, attempt: &Attempt) -> Result<bool, StoreError> {
    clients::take_key(writing, &once.tenant, &once.id.0, attempt, once.now).await
}

async fn free_key(writing: &mut Tx, tenant: &Tenant, attempt: &Attempt) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attempts WHERE service_id = $1 AND env = $2 AND key_tag = $3")
        .bind(&tenant.service.0)
        .bind(env_word(tenant.env))
        .bind(attempt.key.0.to_vec())
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// The row is this transaction's from here on, and its entry is erased.
async fn end(writing: &mut Tx, ending: &Ending) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE permissions SET state = $4, events = events + 1, bound = $5, entry = NULL, keep_until = $6 \
         WHERE service_id = $1 AND id = $2 AND events = $3 AND ($7 OR state = 'given')",
    )
    .bind(&ending.tenant.service.0)
    .bind(&ending.id.0)
    .bind(ending.after)
    .bind(ending.state.as_str())
    .bind(ending.bound.0.to_vec())
    .bind(ending.keep_until.0)
    .bind(mutants::skips("store-end-once"))
    .execute(&mut **writing)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn add(
    connection: &mut Connection,
    service: &ServiceId,
    id: &PermissionId,
    event: &Recorded,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO permission_events (service_id, permission_id, number, happened_at, jti, signing_input) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&service.0)
    .bind(&id.0)
    .bind(event.number)
    .bind(event.at.0)
    .bind(&event.jti)
    .bind(&event.signing_input)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the permission that a decision rests on is in force: asked under it once more, and held until the decision is
/// written or undone.
pub(super) async fn rests(
    savepoint: &mut Savepoint<'_>,
    member: &Consume,
    resting: &Resting,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE permissions SET asked_day = $3, uses_left = uses_left - 1 WHERE service_id = $1 AND id = $2 \
         AND ($4 OR state = 'given') AND ($5 OR until_day >= $3) AND ($6 OR uses_left IS NULL OR uses_left > 0) \
         AND ($7 OR asked_day + every_days <= $3)",
    )
    .bind(&member.service.0)
    .bind(&resting.permission.0)
    .bind(resting.today.0)
    .bind(mutants::skips("store-rest-given"))
    .bind(mutants::skips("store-rest-until"))
    .bind(mutants::skips("store-rest-left"))
    .bind(mutants::skips("store-rest-every"))
    .execute(&mut **savepoint)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A permission that a decision gives, with its first event.
pub(super) async fn give(
    savepoint: &mut Savepoint<'_>,
    request: &RequestId,
    new: &NewPermission,
) -> Result<(), sqlx::Error> {
    insert(savepoint, new).await?;
    let row = &new.permission;
    add(&mut *savepoint, &row.service, &row.id, &new.first).await?;
    sqlx::query("UPDATE requests SET permission_id = $3 WHERE service_id = $1 AND id = $2")
        .bind(&row.service.0)
        .bind(&request.0)
        .bind(&row.id.0)
        .execute(&mut **savepoint)
        .await?;
    Ok(())
}

async fn insert(savepoint: &mut Savepoint<'_>, new: &NewPermission) -> Result<(), sqlx::Error> {
    let row = &new.permission;
    sqlx::query(
        "INSERT INTO permissions (service_id, id, env, key_tag, code_tag, policy_id, policy_digest, asked_digest, \
         given_at, given_day, until_day, asked_day, every_days, uses_left, retention_days, state, events, bound, entry, \
         given) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(&row.service.0)
    .bind(&row.id.0)
    .bind(env_word(row.env))
    .bind(row.key.0.to_vec())
    .bind(new.code.0.to_vec())
    .bind(&row.policy_id)
    .bind(&row.policy_digest)
    .bind(row.asked_digest.to_vec())
    .bind(row.given_at.0)
    .bind(row.given_day.0)
    .bind(row.until.0)
    .bind(row.asked_day.0)
    .bind(row.every_days)
    .bind(row.uses_left)
    .bind(row.retention_days)
    .bind(row.state.as_str())
    .bind(row.events)
    .bind(row.bound.0.to_vec())
    .bind(&row.entry)
    .bind(&new.grant)
    .execute(&mut **savepoint)
    .await?;
    Ok(())
}
