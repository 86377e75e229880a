//! Migrations on a server, while replicas of the previous version serve.
//!
//! A migration only adds; what it replaces is dropped by a later release, once nobody uses it. It waits for a table's
//! lock for a moment alone and tries again: whoever comes after it queues behind its wait, so a long one would stop the
//! service. One runs at a time, under the driver's advisory lock, which waits by the same rule.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use vouchsafe_mutants as mutants;

use super::super::{Applied, OpenError, covers};
use super::{code, connect};

/// How long a lock is waited for; well under what a serving session waits.
const LOCK: &str = "SET lock_timeout = '200ms'";
/// How often it is tried, and how long the table is left alone in between: half a minute in all.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_millis(300);

/// Applies what is missing.
pub(super) async fn run(options: &PgConnectOptions, migrator: &Migrator) -> Result<(), OpenError> {
    for _ in 1..TRIES {
        match attempt(options, migrator).await? {
            Err(error) if is_busy(&error) => tokio::time::sleep(PAUSE).await,
            done => return done.map_err(OpenError::Migration),
        }
    }
    attempt(options, migrator).await?.map_err(OpenError::Migration)
}

/// On a connection of its own, since the advisory lock is the session's: it ends with it, whatever went wrong.
async fn attempt(
    options: &PgConnectOptions,
    migrator: &Migrator,
) -> Result<Result<(), MigrateError>, OpenError> {
    let mut connection = connect(options).await?;
    if !mutants::skips("postgres-migrate-lock") {
        sqlx::raw_sql(LOCK).execute(&mut connection).await?;
    }
    let done = migrator.run(&mut connection).await;
    let _ = connection.close().await;
    Ok(done)
}

/// Whether a lock was not to be had (55P03) or was given up for another's sake (40P01).
fn is_busy(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    matches!(code(error).as_deref(), Some("55P03" | "40P01"))
}

/// Refuses a schema that lacks something.
pub(super) async fn require(connection: &mut PgConnection, migrator: &Migrator) -> Result<(), OpenError> {
    if !(mutants::skips("store-migrated") || is_done(connection, migrator).await?) {
        return Err(OpenError::NotMigrated);
    }
    Ok(())
}

/// Whether all of `migrator` has been applied, unaltered. Newer ones may have been too: they only add, and the version
/// that comes with them is about to take over from this one.
pub(super) async fn is_done(connection: &mut PgConnection, migrator: &Migrator) -> Result<bool, sqlx::Error> {
    Ok(covers(&applied(connection).await?, migrator))
}

/// The migrations that were applied.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(connection)
        .await
}
