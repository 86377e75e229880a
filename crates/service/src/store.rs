//! SQLite pools and how database work outlives the connection that asked for it.
//!
//! One process, one writer: a [`Sqlite`] has one connection that writes, in immediate transactions, and several that
//! read. The library is the one compiled in (system libraries may have the WAL-reset fault of versions before 3.51.3),
//! and its version is asserted all the same. A file is checked for integrity when it is opened.
//!
//! A web server drops a handler when its client leaves. A transaction dropped in the middle would be left to the pool,
//! so database work runs by [`detached`], to its end, whoever is still listening.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite as Database, SqlitePool, Transaction};
use tracing::Instrument as _;
use vouchsafe_mutants as mutants;

/// How long a call waits for a connection, and a connection for the lock, before it counts as busy.
const ACQUIRE: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(800);
/// Connections that read.
const READERS: u32 = 4;

/// Whether opening brings the schema up to date or demands that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Apply what is missing: `migrate`, `dev`, `demo`, tests, and the wallet's own vault.
    Migrate,
    /// Refuse a file whose schema is not exactly the program's: `serve`.
    Expect,
}

/// Why a database could not be opened. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite library compiled in is one with a known fault.
    #[error("the SQLite library compiled in is {0}; 3.51.3 or newer, or 3.50.7, is needed")]
    Version(String),
    /// The file's content contradicts itself.
    #[error("the database failed its integrity check; restore it from a backup")]
    Damaged,
    /// The schema is older or newer than the program.
    #[error("the database schema is not the one this program was built with; run `vouchsafe migrate`")]
    NotMigrated,
    /// A migration failed or was altered after it was applied.
    #[error("a migration could not be applied")]
    Migration(#[source] MigrateError),
    /// The file cannot be used.
    #[error("the database cannot be opened")]
    Database(#[from] sqlx::Error),
}

/// A database file with one connection that writes and several that read.
#[derive(Debug, Clone)]
pub struct Sqlite {
    reader: SqlitePool,
    writer: SqlitePool,
}

impl Sqlite {
    /// Opens the file at `path`, made if absent when `schema` is [`Schema::Migrate`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(path: &Path, migrator: &Migrator, schema: Schema) -> Result<Self, OpenError> {
        let options = options(path, schema);
        let writer = pool(1).connect_with(options.clone()).await?;
        check_version(&writer).await?;
        check_integrity(&writer).await?;
        match schema {
            Schema::Migrate => migrator.run(&writer).await.map_err(OpenError::Migration)?,
            Schema::Expect => require_migrated(&writer, migrator).await?,
        }
        let reader = pool(READERS).connect_with(options.read_only(true).create_if_missing(false)).await?;
        Ok(Self { reader, writer })
    }

    /// Connections for reading. Writing through them fails.
    #[must_use]
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Begins the one writing transaction, holding the write lock from its first instant, so that what it reads stays
    /// true until it commits. Call it inside [`detached`].
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when the writer stayed busy for a second.
    pub async fn write(&self) -> Result<Transaction<'static, Database>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Whether exactly the migrations of `migrator` have been applied, unaltered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self, migrator: &Migrator) -> Result<bool, sqlx::Error> {
        is_migrated(&self.writer, migrator).await
    }

    /// Whether the database answers: for readiness.
    pub async fn is_ready(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.reader).await.is_ok()
    }

    /// Waits for work in progress and closes the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// The task that did the work ended without a result: it panicked, or the runtime is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work ended without a result")]
pub struct Lost;

/// Runs `work` to its end in a task of its own, even if the caller is dropped while waiting.
///
/// # Errors
/// [`Lost`] when the work panicked; it has been reported where panics are.
pub async fn detached<F>(work: F) -> Result<F::Output, Lost>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(work.in_current_span()).await.map_err(|_| Lost)
}

fn options(path: &Path, schema: Schema) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(schema == Schema::Migrate)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // What is deleted is overwritten: closed transactions leave no secret behind in free pages.
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

/// A pool whose connections never come back inside a transaction: such a connection is closed, which rolls back.
fn pool(connections: u32) -> PoolOptions<Database> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .after_release(|connection, _| Box::pin(std::future::ready(Ok(is_clean(connection)))))
        .before_acquire(|connection, _| Box::pin(std::future::ready(Ok(is_clean(connection)))))
}

fn is_clean(connection: &SqliteConnection) -> bool {
    mutants::skips("store-clean") || !connection.is_in_transaction()
}

async fn check_version(pool: &SqlitePool) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    if !(mutants::skips("store-version") || is_sound(&version)) {
        return Err(OpenError::Version(version));
    }
    Ok(())
}

/// Whether a library version is free of the WAL-reset fault: 3.51.3 and later, or 3.50.7 and later of 3.50.
fn is_sound(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
        (Some(3), Some(50), Some(patch)) => patch >= 7,
        (Some(3), Some(51), Some(patch)) => patch >= 3,
        (Some(3), Some(minor), Some(_)) => minor > 51,
        _ => false,
    }
}

async fn check_integrity(pool: &SqlitePool) -> Result<(), OpenError> {
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(pool).await.map_err(damaged)?;
    if !(mutants::skips("store-integrity") || verdict == "ok") {
        return Err(OpenError::Damaged);
    }
    Ok(())
}

/// SQLITE_CORRUPT (11) and SQLITE_NOTADB (26) are said by the library itself before any check can run.
fn damaged(error: sqlx::Error) -> OpenError {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => OpenError::Damaged,
        _ => OpenError::Database(error),
    }
}

async fn require_migrated(pool: &SqlitePool, migrator: &Migrator) -> Result<(), OpenError> {
    if !(mutants::skips("store-migrated") || is_migrated(pool, migrator).await?) {
        return Err(OpenError::NotMigrated);
    }
    Ok(())
}

async fn is_migrated(pool: &SqlitePool, migrator: &Migrator) -> Result<bool, sqlx::Error> {
    let exists: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(pool)
            .await?;
    if exists == 0 {
        return Ok(migrator.iter().next().is_none());
    }
    let applied: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(pool)
            .await?;
    let known = migrator.iter().map(|migration| (migration.version, true, migration.checksum.to_vec()));
    Ok(applied.into_iter().eq(known))
}
