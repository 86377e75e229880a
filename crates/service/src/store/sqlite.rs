//! A database file: one process, one connection that writes in immediate transactions, and several that read.
//!
//! The library is the one compiled in (system libraries may have the WAL-reset fault of versions before 3.51.3),
//! and its version is asserted all the same. A file is checked for integrity when it is opened.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite as Database, SqlitePool, Transaction};
use vouchsafe_mutants as mutants;

use super::{ACQUIRE, Applied, OpenError, Schema, Standing, is_exactly};
use crate::config::create_private;

/// How long a connection waits for the lock before it counts as busy.
const BUSY: Duration = Duration::from_millis(800);
/// Connections that read.
const READERS: u32 = 4;

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
        if schema == Schema::Migrate {
            // The library would make the file readable for all; its companions follow the mode of the file. A file that
            // exists, or cannot be made, is the library's to judge.
            let _ = create_private(path);
        }
        let options = options(path);
        let writer = pool(1).connect_with(options.clone()).await.map_err(damaged)?;
        check_version(&writer).await?;
        check_integrity(&writer).await?;
        match schema {
            Schema::Migrate => migrator.run(&writer).await.map_err(OpenError::Migration)?,
            Schema::Expect => require_migrated(&writer, migrator).await?,
        }
        let reader = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { reader, writer })
    }

    /// Looks at the file, which is not changed.
    pub(super) async fn examine(path: &Path, migrator: &Migrator) -> Result<Standing, OpenError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
        let looking = pool(1).connect_with(options.disable_statement_logging()).await.map_err(damaged)?;
        check_version(&looking).await?;
        check_integrity(&looking).await?;
        let standing = Standing::of(&applied(&looking).await?, migrator);
        looking.close().await;
        Ok(standing)
    }

    /// A connection that reads the file as it is at one instant, whoever writes meanwhile.
    pub(super) async fn read(path: &Path) -> Result<SqliteConnection, OpenError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
        let mut connection = options.disable_statement_logging().connect().await.map_err(damaged)?;
        // The instant is that of the first look.
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM sqlite_master")
            .execute(&mut connection)
            .await
            .map_err(damaged)?;
        Ok(connection)
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

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
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
        .after_release(|connection, _| Box::pin(async move { Ok(is_clean(connection).await) }))
}

/// Asks the library itself, since the driver knows only of transactions that it began and finished by its own methods.
async fn is_clean(connection: &mut SqliteConnection) -> bool {
    mutants::skips("store-clean")
        || (!connection.is_in_transaction() && sqlx::query("ROLLBACK").execute(connection).await.is_err())
}

async fn check_version(pool: &SqlitePool) -> Result<(), OpenError> {
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await.map_err(damaged)?;
    if !is_sound(&version) {
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
    Ok(is_exactly(&applied(pool).await?, migrator))
}

/// The migrations that were applied.
async fn applied(pool: &SqlitePool) -> Result<Vec<Applied>, sqlx::Error> {
    let exists: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(pool)
            .await?;
    if exists == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(pool)
        .await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use sqlx::migrate::{Migration, MigrationType};
    use std::borrow::Cow;
    use std::path::PathBuf;
    use std::task::{Context, Waker};
    use tempfile::TempDir;

    fn migrator(count: i64) -> Migrator {
        let migrations = (1..=count).map(|version| {
            let sql = sqlx::AssertSqlSafe(format!("CREATE TABLE t{version} (n INTEGER NOT NULL UNIQUE)"));
            let kind = MigrationType::Simple;
            Migration::new(
                version,
                Cow::Owned(format!("t{version}")),
                kind,
                sqlx::SqlSafeStr::into_sql_str(sql),
                false,
            )
        });
        Migrator::with_migrations(migrations.collect())
    }

    fn place() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.sqlite");
        (dir, path)
    }

    async fn pragma(pool: &SqlitePool, name: &str) -> String {
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
    }

    async fn count(store: &Sqlite) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM t1").fetch_one(store.reader()).await.unwrap()
    }

    async fn insert(store: Sqlite, n: i64) -> Result<(), sqlx::Error> {
        let mut transaction = store.write().await?;
        sqlx::query("INSERT INTO t1 (n) VALUES (?)").bind(n).execute(&mut *transaction).await?;
        tokio::task::yield_now().await;
        transaction.commit().await
    }

    #[tokio::test]
    async fn pools_have_the_settings_that_durability_needs() {
        let (_dir, path) = place();
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        for pool in [&store.writer, &store.reader] {
            assert_eq!(pragma(pool, "journal_mode").await, "wal");
            assert_eq!(pragma(pool, "synchronous").await, "2");
            assert_eq!(pragma(pool, "foreign_keys").await, "1");
            assert_eq!(pragma(pool, "secure_delete").await, "1");
        }
        assert!(sqlx::query("INSERT INTO t1 (n) VALUES (1)").execute(store.reader()).await.is_err());
        insert(store.clone(), 1).await.unwrap();
        assert_eq!(count(&store).await, 1);
        #[cfg(unix)]
        for name in ["test.sqlite", "test.sqlite-wal", "test.sqlite-shm"] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert!(store.is_ready().await);
        store.close().await;
        assert!(!store.is_ready().await);
    }

    #[tokio::test]
    async fn a_schema_of_another_program_version_is_refused() {
        let (_dir, path) = place();
        let expect = |count| Sqlite::open(&path, Box::leak(Box::new(migrator(count))), Schema::Expect);
        assert!(matches!(expect(1).await, Err(OpenError::Database(_))), "an absent file is not made");
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        assert!(store.is_migrated(&migrator(1)).await.unwrap());
        assert!(!store.is_migrated(&migrator(2)).await.unwrap());
        store.close().await;
        assert!(matches!(expect(2).await, Err(OpenError::NotMigrated)));
        assert!(matches!(expect(0).await, Err(OpenError::NotMigrated)));
        expect(1).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_file_is_looked_at_and_not_changed() {
        let (_dir, path) = place();
        assert!(matches!(Sqlite::examine(&path, &migrator(1)).await, Err(OpenError::Database(_))));
        assert!(!path.exists(), "an absent file is not made");
        std::fs::write(&path, "").unwrap();
        let all = vec!["0001 t1".to_owned(), "0002 t2".to_owned()];
        let standing = Sqlite::examine(&path, &migrator(2)).await.unwrap();
        assert_eq!(standing, Standing { pending: all, ..Standing::default() });
        assert!(std::fs::read(&path).unwrap().is_empty());
        // While another process serves from it.
        let _serving = Sqlite::open(&path, &migrator(2), Schema::Migrate).await.unwrap();
        let standing = Sqlite::examine(&path, &migrator(3)).await.unwrap();
        assert_eq!((standing.newest, standing.pending.as_slice()), (Some(2), &["0003 t3".to_owned()][..]));
        assert_eq!(Sqlite::examine(&path, &migrator(1)).await.unwrap().newer, [2]);
        let other = Migrator::with_migrations(vec![Migration::new(
            1,
            Cow::Borrowed("t1"),
            MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str("CREATE TABLE other (n INTEGER)"),
            false,
        )]);
        assert_eq!(Sqlite::examine(&path, &other).await.unwrap().altered, ["0001 t1"]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused() {
        let (_dir, path) = place();
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        for n in 0..2_000 {
            insert(store.clone(), n).await.unwrap();
        }
        store.close().await;
        let whole = std::fs::read(&path).unwrap();
        for (at, length) in [(0, 100), (whole.len() / 2, 4_096), (whole.len() - 4_096, 4_096)] {
            let mut torn = whole.clone();
            torn[at..at + length].fill(0);
            std::fs::write(&path, torn).unwrap();
            let opened = Sqlite::open(&path, &migrator(1), Schema::Expect).await;
            assert!(matches!(opened, Err(OpenError::Damaged)), "{at}: {:?}", opened.err());
            assert!(matches!(Sqlite::examine(&path, &migrator(1)).await, Err(OpenError::Damaged)), "{at}");
        }
    }

    #[test]
    fn library_versions_with_the_wal_fault_are_known() {
        for sound in ["3.50.7", "3.51.3", "3.52.0", "3.53.1"] {
            assert!(is_sound(sound), "{sound}");
        }
        for bad in ["3.40.1", "3.50.6", "3.51.2", "4.0.0", "", "3.51"] {
            assert!(!is_sound(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_handler_dropped_at_any_poll_harms_nobody_after_it() {
        let (_dir, path) = place();
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        for polls in 0..12 {
            let mut handler = Box::pin(insert(store.clone(), polls));
            for _ in 0..polls {
                if handler.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            drop(handler);
            // Whoever comes next gets a clean connection in time and commits.
            insert(store.clone(), 1_000 + polls).await.unwrap();
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM t1 WHERE n >= 1000")
            .fetch_one(store.reader())
            .await
            .unwrap();
        assert_eq!(kept, 12);
    }

    #[tokio::test]
    async fn a_connection_inside_a_transaction_is_not_lent_again() {
        let (_dir, path) = place();
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        let mut connection = store.writer.acquire().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE; INSERT INTO t1 (n) VALUES (1)")
            .execute(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        insert(store.clone(), 2).await.unwrap();
        assert_eq!(count(&store).await, 1);
    }
}
