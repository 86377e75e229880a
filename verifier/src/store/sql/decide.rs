//! The deciding transaction: each member under a savepoint of its own.
//!
//! Members are taken in the order of their keys, whatever order they were given in, so that two transactions over the
//! same requests wait for each other in one direction. Should they still stand in each other's way (over a value that
//! both spend), the one that the server gives up is begun again.

use sqlx::Connection as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_service::store::code;

use super::super::super::{ATTEMPTS, Consume, Count, Decided, Effect, Ground, Stale, StoreError};
use super::{Db, Pools, Tx, log, permissions};

pub(super) type Savepoint<'a> = sqlx::Transaction<'a, Db>;

/// How often a transaction that was given up is begun again.
const AGAIN: usize = 3;

/// Closes every member that still may be closed, and gives the results in the order of the members.
pub(super) async fn many(
    database: &Pools,
    members: &[Consume],
) -> Result<Vec<Result<Decided, Stale>>, StoreError> {
    for _ in 0..AGAIN {
        match closed(database, members).await {
            Err(error) if is_given_up(&error) => {}
            done => return log_and_commit(done?).await,
        }
    }
    log_and_commit(closed(database, members).await?).await
}

/// A server's deadlock (40P01) or serialization failure (40001): nothing of the transaction was kept. The one writer of a
/// file is never given up.
fn is_given_up(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40P01" | "40001"))
}

/// What was done to each member, and the transaction that did it.
type Closed = (Tx, Vec<Result<Decided, Stale>>);

async fn closed(database: &Pools, members: &[Consume]) -> Result<Closed, sqlx::Error> {
    let mut writing = database.write().await?;
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|at| (&members[*at].service, &members[*at].request));
    let mut results = vec![Err(Stale); members.len()];
    for at in order {
        results[at] = one(&mut writing, &members[at]).await?;
    }
    Ok((writing, results))
}

/// The log's edge is taken when everything else is done, and held for no longer than the commit takes.
async fn log_and_commit((mut writing, results): Closed) -> Result<Vec<Result<Decided, Stale>>, StoreError> {
    if results.iter().any(Result::is_ok) {
        log::append(&mut writing).await?;
    }
    writing.commit().await?;
    Ok(results)
}

/// Closes one request with all its effects, or changes nothing.
async fn one(writing: &mut Tx, member: &Consume) -> Result<Result<Decided, Stale>, sqlx::Error> {
    let mut savepoint = writing.begin().await?;
    match apply(&mut savepoint, member).await {
        Ok(Some(outcome)) => {
            savepoint.commit().await?;
            Ok(Ok(Decided { request: member.request.clone(), outcome }))
        }
        Ok(None) => undo(savepoint).await,
        Err(error) if is_taken(&error) => undo(savepoint).await,
        Err(error) => Err(error),
    }
}

async fn undo(savepoint: Savepoint<'_>) -> Result<Result<Decided, Stale>, sqlx::Error> {
    savepoint.rollback().await?;
    Ok(Err(Stale))
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// The outcome, unless the request could not be closed: then a count that was taken before is undone with the rest.
async fn apply(savepoint: &mut Savepoint<'_>, member: &Consume) -> Result<Option<Outcome>, sqlx::Error> {
    let (outcome, effects) = ends(savepoint, member).await?;
    if !close(savepoint, member, outcome).await? {
        return Ok(None);
    }
    for effect in effects {
        write(savepoint, member, effect).await?;
    }
    Ok(Some(outcome))
}

/// As what the request is closed. A permission that the decision rests on is held from here on; then the count.
async fn ends<'m>(
    savepoint: &mut Savepoint<'_>,
    member: &'m Consume,
) -> Result<(Outcome, &'m [Effect]), sqlx::Error> {
    if let Some(resting) = &member.resting
        && !permissions::rests(savepoint, member, resting).await?
    {
        return Ok((resting.otherwise, &resting.effects));
    }
    match &member.limit {
        Some(limit) if !count(savepoint, member, &limit.count).await? => {
            Ok((limit.otherwise, &limit.effects))
        }
        _ => Ok((member.outcome, &member.effects)),
    }
}

/// One more for this person, if it is within the limit. Another transaction that counts for the same one waits here until
/// this is at its end.
async fn count(savepoint: &mut Savepoint<'_>, member: &Consume, count: &Count) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO pseudonyms (service_id, context, nym, met, expires_at) VALUES ($1, $2, $3, 1, $4) \
         ON CONFLICT (service_id, context, nym) DO UPDATE SET met = pseudonyms.met + 1 \
         WHERE $5 OR pseudonyms.met < $6",
    )
    .bind(&member.service.0)
    .bind(count.context.to_vec())
    .bind(count.nym.to_vec())
    .bind(count.until.0)
    .bind(mutants::skips("store-nym-limit"))
    .bind(i64::from(count.at_most))
    .execute(&mut **savepoint)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The one statement that closes a request: the ground is part of its condition. A mutant makes one bound true.
macro_rules! close {
    ($ground:literal) => {
        concat!(
            "UPDATE requests SET status = 'decided', outcome = $3, sealed = NULL, code_tag = NULL, \
             response_tag = NULL, finding = NULL WHERE service_id = $1 AND id = $2 AND status <> 'decided' AND ",
            $ground
        )
    };
}

const BY_LEASE: &str = close!("status = 'open' AND ($5 OR fence = $6) AND ($7 OR lease_until > $4)");
const BY_RETURN: &str = close!(
    "status = 'answered' AND ($5 OR response_tag = $6) AND ($7 OR session_tag = $8) AND close_at > $4"
);
const BY_DECLINE: &str = close!(
    "status = 'open' AND error_seen = TRUE AND ($5 OR response_tag = $6) AND ($7 OR session_tag = $8) \
     AND close_at > $4 AND lease_until <= $4"
);
const BY_EXPIRY: &str =
    close!("($5 OR lease_until <= $4) AND ($6 OR close_at <= $4 OR (status = 'open' AND attempts >= $7))");

async fn close(
    savepoint: &mut Savepoint<'_>,
    member: &Consume,
    outcome: Outcome,
) -> Result<bool, sqlx::Error> {
    let sql = match member.ground {
        Ground::Lease { .. } => BY_LEASE,
        Ground::Return { .. } => BY_RETURN,
        Ground::Decline { .. } => BY_DECLINE,
        Ground::Expiry => BY_EXPIRY,
    };
    let query = sqlx::query(sql)
        .bind(&member.service.0)
        .bind(&member.request.0)
        .bind(outcome.as_str())
        .bind(member.at.0);
    let query = match member.ground {
        Ground::Lease { fence } => {
            query.bind(mutants::skips("store-fence")).bind(fence).bind(mutants::skips("store-lease-ended"))
        }
        Ground::Return { response, session } | Ground::Decline { response, session } => query
            .bind(mutants::skips("store-response-code"))
            .bind(response.0.to_vec())
            .bind(mutants::skips("store-response-session"))
            .bind(session.0.to_vec()),
        Ground::Expiry => query
            .bind(mutants::skips("store-sweep-lease"))
            .bind(mutants::skips("store-sweep-time"))
            .bind(ATTEMPTS),
    };
    Ok(query.execute(&mut **savepoint).await?.rows_affected() == 1)
}

async fn write(savepoint: &mut Savepoint<'_>, member: &Consume, effect: &Effect) -> Result<(), sqlx::Error> {
    if let Effect::Permission(new) = effect {
        return permissions::give(savepoint, &member.request, new).await;
    }
    let query = sqlx::query(insert(effect)).bind(&member.service.0).bind(&member.request.0);
    let query = match effect {
        Effect::Spend(once, tag) => query.bind(once.as_str()).bind(tag.0.to_vec()),
        Effect::Decision { jti, signing_input } => query.bind(jti).bind(signing_input).bind(member.at.0),
        Effect::Leaf(leaf) => query.bind(leaf.to_vec()),
        Effect::Outbox(topic) => query.bind(*topic).bind(member.at.0),
        Effect::Tell(about, topic) => query.bind(*topic).bind(member.at.0).bind(&about.0),
        Effect::Permission(_) => query,
    };
    query.execute(&mut **savepoint).await.map(drop)
}

/// The service is $1 and the request $2 everywhere; a leaf names no request, since the log may be shown.
fn insert(effect: &Effect) -> &'static str {
    match effect {
        Effect::Spend(..) if mutants::skips("store-spent-once") => {
            "INSERT INTO spent (service_id, request_id, kind, tag) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
        }
        Effect::Spend(..) => "INSERT INTO spent (service_id, request_id, kind, tag) VALUES ($1, $2, $3, $4)",
        Effect::Decision { .. } => {
            "INSERT INTO decisions (service_id, request_id, jti, signing_input, decided_at) VALUES ($1, $2, $3, $4, $5)"
        }
        Effect::Leaf(_) => {
            "INSERT INTO log_leaves (service_id, leaf) SELECT $1, $3 WHERE CAST($2 AS TEXT) IS NOT NULL"
        }
        Effect::Outbox(_) => {
            "INSERT INTO outbox (service_id, env, request_id, topic, created_at, next_at) \
             SELECT $1, r.env, $2, $3, $4, $4 FROM requests r WHERE r.service_id = $1 AND r.id = $2"
        }
        Effect::Tell(..) => {
            "INSERT INTO outbox (service_id, env, request_id, topic, created_at, next_at) \
             SELECT $1, r.env, $5, $3, $4, $4 FROM requests r WHERE r.service_id = $1 AND r.id = $2"
        }
        // Written by statements of its own.
        Effect::Permission(_) => "",
    }
}
