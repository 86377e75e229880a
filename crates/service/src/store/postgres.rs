//! A pool on a PostgreSQL server, for any number of replicas.
//!
//! A session reads: `default_transaction_read_only` is on, so that what is written outside [`Postgres::write`] fails.
//! [`Writing`] is the one way to write, READ COMMITTED with row locks, and its end is the one way to commit: no statement
//! limit holds while a commit waits. With synchronous replication a limit that ends that wait gives up the replica's word
//! and reports success, and a failover then loses what was acknowledged.
//!
//! What a session relies on is asserted for each connection ([`ServerFault`]): after a failover the same name may lead to
//! another server.
//!
//! A future dropped while it begins a transaction leaves that transaction open on its connection, and the driver
//! (`sqlx` 0.9.0, mended after it) hands the connection on. So a connection is asked when it comes back and again before
//! it is lent, and closed if it is inside a transaction; the second question is also the one whether it is alive.

mod migrate;
#[cfg(all(test, feature = "mutants"))]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgExecutor, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Row as _, Transaction};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vouchsafe_mutants as mutants;

use super::place::Server;
use super::{ACQUIRE, OpenError, Schema, Standing};
use crate::clock::{Clock, SystemClock};

/// Connections of one replica.
const CONNECTIONS: u32 = 8;
/// How long a statement may take, and wait for another's row: shorter, so that a wait is reported as one.
const STATEMENT: Duration = Duration::from_secs(2);
const LOCK: Duration = Duration::from_millis(800);
/// How long a transaction may be left alone before the server ends it: nothing here waits between two statements.
const IDLE: Duration = Duration::from_secs(5);
/// How long opening waits for the server.
const CONNECT: Duration = Duration::from_secs(5);
/// The oldest server, as it numbers itself.
const OLDEST: i32 = 150_000;
/// How often the server is asked for the time.
const EVERY: Duration = Duration::from_secs(10);
/// How far this machine's clock may be off the server's before the replica is not ready.
const MOST_SKEW_MS: i64 = 30_000;

/// Why a server, or the way to it, is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerFault {
    /// A host without a certificate to know it by.
    #[error("database.root_certificate is needed for a host: without it anybody could pose as the server")]
    NoRoot,
    /// The password's file cannot be read.
    #[error("database.password cannot be read")]
    Password,
    /// The server is too old.
    #[error("PostgreSQL 15 or newer is needed, and it says it is {0}")]
    Version(i32),
    /// A commit may be acknowledged and lost.
    #[error("{0} must be on: with `{1}` what was acknowledged may be lost")]
    Durability(&'static str, String),
    /// The server follows another: what was used once there may look unused here.
    #[error("it is a standby; connect to the primary")]
    Standby,
    /// The database cannot hold every text.
    #[error("the database's encoding must be UTF8")]
    Encoding,
    /// It did not answer in time.
    #[error("it did not answer within five seconds")]
    Silent,
}

impl ServerFault {
    /// Whether it is mended in the program's own settings, and not on the server.
    #[must_use]
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::NoRoot | Self::Password | Self::Standby)
    }
}

/// A pool of connections to a server.
#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    /// This machine's clock, which is held against the server's.
    wall: Arc<dyn Clock>,
    _keeper: Arc<Keeper>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects to `server`, and tells `clock` its time from now on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        server: &Server,
        migrator: &Migrator,
        schema: Schema,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let options = options(server)?;
        let mut first = connect(&options).await?;
        judge(&mut first).await??;
        match schema {
            Schema::Migrate => migrate::run(&options, migrator).await?,
            Schema::Expect => migrate::require(&mut first, migrator).await?,
        }
        drop(first);
        let pool = pool().connect_with(serving(options)).await?;
        let keeper = Keeper::start(pool.clone(), Arc::clone(clock));
        let database = Self { pool, clock: Arc::clone(clock), wall: Arc::new(SystemClock), _keeper: keeper };
        database.skew_ms().await?;
        Ok(database)
    }

    /// Looks at the database, which is not changed.
    pub(super) async fn examine(server: &Server, migrator: &Migrator) -> Result<Standing, OpenError> {
        let mut connection = connect(&options(server)?).await?;
        judge(&mut connection).await??;
        let mut standing = Standing::of(&migrate::applied(&mut connection).await?, migrator);
        let before = SystemClock.now_ms();
        let there = now_ms(&mut connection).await?;
        standing.skew_ms = Some(before.midpoint(SystemClock.now_ms()) - there);
        connection.close().await?;
        Ok(standing)
    }

    /// A connection that reads the database as it is at one instant, whoever writes meanwhile. A standby will do.
    pub(super) async fn read(server: &Server) -> Result<PgConnection, OpenError> {
        let mut connection = connect(&options(server)?).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut connection).await?;
        Ok(connection)
    }

    /// Connections for reading. Writing through them fails.
    #[must_use]
    pub fn reader(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a writing transaction. Call it inside [`super::detached`].
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when all connections stayed busy for a second.
    pub async fn write(&self) -> Result<Writing, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE").await.map(Writing)
    }

    /// Whether all migrations of `migrator` have been applied, unaltered. There may be newer ones.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self, migrator: &Migrator) -> Result<bool, sqlx::Error> {
        migrate::is_done(&mut *self.pool.acquire().await?, migrator).await
    }

    /// Whether the database answers and agrees with this machine about the time: for readiness.
    pub async fn is_ready(&self) -> bool {
        let skew = timeout(ACQUIRE, self.skew_ms()).await;
        matches!(skew, Ok(Ok(skew)) if agrees(skew))
    }

    /// Waits for work in progress and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// How far this machine's clock is ahead of the server's, as far as the way there and back lets it be seen.
    async fn skew_ms(&self) -> Result<i64, sqlx::Error> {
        let before = self.wall.now_ms();
        let now_ms = tell(&self.pool, &*self.clock).await?;
        let after = self.wall.now_ms();
        Ok(before.midpoint(after) - now_ms)
    }
}

/// Whether a machine whose clock is so far ahead of the server's may serve.
pub(super) fn agrees(skew_ms: i64) -> bool {
    mutants::skips("postgres-skew") || skew_ms.abs() <= MOST_SKEW_MS
}

/// A writing transaction. It reads as the connection it runs on; dropped, it is undone.
#[derive(Debug)]
pub struct Writing(Transaction<'static, sqlx::Postgres>);

impl Writing {
    /// Makes it durable.
    ///
    /// # Errors
    /// When the server does not say that it is; then whether it is can only be read later.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if !mutants::skips("postgres-commit-limit") {
            // In a transaction that has failed this fails too, so that a commit never means a silent rollback.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *self.0).await?;
        }
        self.0.commit().await
    }
}

impl Deref for Writing {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// The five characters by which the server names what went wrong.
#[must_use]
pub fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

fn options(server: &Server) -> Result<PgConnectOptions, ServerFault> {
    let options = PgConnectOptions::new_without_pgpass()
        .port(server.port)
        .username(&server.user)
        .database(&server.name)
        .application_name("vouchsafe");
    let options = match &server.password {
        Some(file) => options.password(&file.read().map_err(|_| ServerFault::Password)?),
        None => options,
    };
    let options = match &server.root_certificate {
        _ if server.host.starts_with('/') => options.socket(&server.host).ssl_mode(PgSslMode::Disable),
        Some(root) => options.host(&server.host).ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(root),
        None if mutants::skips("postgres-root") => options.host(&server.host).ssl_mode(PgSslMode::Require),
        None => return Err(ServerFault::NoRoot),
    };
    Ok(options.disable_statement_logging())
}

/// The limits of a session that serves. Those of a transaction are reset before it commits.
fn serving(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("default_transaction_read_only", "on".to_owned()),
        ("statement_timeout", STATEMENT.as_millis().to_string()),
        ("lock_timeout", LOCK.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", IDLE.as_millis().to_string()),
    ])
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let connected = timeout(CONNECT, options.connect()).await;
    Ok(connected.map_err(|_| ServerFault::Silent)??)
}

fn pool() -> PoolOptions<sqlx::Postgres> {
    PoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                judge(connection).await?.map_err(|fault| sqlx::Error::Configuration(Box::new(fault)))
            })
        })
        .before_acquire(|connection, _| Box::pin(is_clean(connection)))
        .after_release(|connection, _| Box::pin(is_clean(connection)))
}

/// Whether the connection is outside any transaction. One that does not answer in time is an error, and closed too.
///
/// A statement by itself begins its own transaction at its own time; inside a transaction that time is an older one. The
/// statement is sent as plain text, since a prepared one has two times of its own.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = sqlx::raw_sql("SELECT transaction_timestamp() = statement_timestamp()").fetch_one(connection);
    match timeout(ACQUIRE, asked).await {
        Ok(Ok(row)) => Ok(mutants::skips("postgres-clean") || row.try_get(0)?),
        // 25P02: inside a transaction that has failed.
        Ok(Err(error)) if code(&error).as_deref() == Some("25P02") => Ok(mutants::skips("postgres-clean")),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Whether the server at the other end is one to trust rows to.
async fn judge(connection: &mut PgConnection) -> Result<Result<(), ServerFault>, sqlx::Error> {
    let facts: Facts = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int4 AS version, \
         current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync, \
         pg_is_in_recovery() AS standby, current_setting('server_encoding') AS encoding",
    )
    .fetch_one(connection)
    .await?;
    Ok(facts.judge())
}

/// What a server says of itself.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Facts {
    version: i32,
    synchronous_commit: String,
    fsync: String,
    standby: bool,
    encoding: String,
}

impl Facts {
    fn judge(self) -> Result<(), ServerFault> {
        if !(mutants::skips("postgres-version") || self.version >= OLDEST) {
            return Err(ServerFault::Version(self.version));
        }
        let waits = ["on", "remote_apply"].contains(&self.synchronous_commit.as_str());
        if !(mutants::skips("postgres-commit") || waits) {
            return Err(ServerFault::Durability("synchronous_commit", self.synchronous_commit));
        }
        if !(mutants::skips("postgres-fsync") || self.fsync == "on") {
            return Err(ServerFault::Durability("fsync", self.fsync));
        }
        let primary = !self.standby;
        if !(mutants::skips("postgres-standby") || primary) {
            return Err(ServerFault::Standby);
        }
        if !(mutants::skips("postgres-encoding") || self.encoding == "UTF8") {
            return Err(ServerFault::Encoding);
        }
        Ok(())
    }
}

/// Asks the server for the time and tells `clock`.
async fn tell(pool: &PgPool, clock: &dyn Clock) -> Result<i64, sqlx::Error> {
    let now_ms = now_ms(pool).await?;
    clock.told_by_database(now_ms);
    Ok(now_ms)
}

async fn now_ms(server: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
    sqlx::query_scalar(now).fetch_one(server).await
}

/// Tells the time for as long as the pool is used.
struct Keeper(JoinHandle<()>);

impl Keeper {
    fn start(pool: PgPool, clock: Arc<dyn Clock>) -> Arc<Self> {
        let keeping = async move {
            loop {
                tokio::time::sleep(EVERY).await;
                // A server that is away is noticed by whoever needs it, and by readiness.
                let _ = tell(&pool, &*clock).await;
            }
        };
        Arc::new(Self(tokio::spawn(keeping)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
