//! Database pools, and how database work outlives the connection that asked for it.
//!
//! A program keeps its rows in a [`Sqlite`] file (one process, one writer) or on a [`Postgres`] server (any number of
//! replicas); [`Place`] says which, in its configuration, and [`Database`] is either.
//!
//! A web server drops a handler when its client leaves. A transaction dropped in the middle would be left to the pool,
//! so database work runs by [`detached`], to its end, whoever is still listening.

mod place;
mod postgres;
mod reading;
#[cfg(feature = "mutants")]
pub mod shape;
mod sqlite;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use tracing::Instrument as _;

use crate::clock::Clock;
pub use place::{Place, Server};
pub use postgres::{Postgres, ServerFault, Writing, code};
pub use reading::Reading;
pub use sqlite::Sqlite;
pub use standing::Standing;

/// How long a call waits for a connection before it counts as busy.
const ACQUIRE: Duration = Duration::from_secs(1);

/// Whether opening brings the schema up to date or demands that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Apply what is missing: `migrate`, `dev`, `demo`, tests, and the wallet's own vault.
    Migrate,
    /// Refuse a schema that is not the program's: `serve`. A server's may be newer, never older.
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
    /// The server is not one to trust rows to.
    #[error("the database server: {0}")]
    Server(#[from] ServerFault),
    /// The schema is older or newer than the program.
    #[error("the database schema is not the one this program was built with; run `vouchsafe migrate`")]
    NotMigrated,
    /// A migration failed or was altered after it was applied.
    #[error("a migration could not be applied")]
    Migration(#[source] MigrateError),
    /// The file cannot be used: absent, locked by another process, or not ours to write; the server does not answer.
    #[error("the database cannot be opened")]
    Database(#[from] sqlx::Error),
}

/// The migrations of a store in both dialects: the same numbers and names.
#[derive(Clone, Copy, Debug)]
pub struct Migrators {
    /// For a file.
    pub sqlite: &'static Migrator,
    /// For a server.
    pub postgres: &'static Migrator,
}

/// An open database of either kind.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(Sqlite),
    /// A server's.
    Postgres(Postgres),
}

impl Database {
    /// Opens what `place` names. A server tells `clock` the time, now and from then on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        place: &Place,
        migrators: Migrators,
        schema: Schema,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        match place {
            Place::File(path) => Sqlite::open(path, migrators.sqlite, schema).await.map(Self::Sqlite),
            Place::Server(server) => {
                Postgres::open(server, migrators.postgres, schema, clock).await.map(Self::Postgres)
            }
        }
    }

    /// Whether the database answers: for readiness.
    pub async fn is_ready(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_ready().await,
            Self::Postgres(server) => server.is_ready().await,
        }
    }

    /// Waits for work in progress and closes the database.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(file) => file.close().await,
            Self::Postgres(server) => server.close().await,
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn sqlite(&self) -> Option<&Sqlite> {
        match self {
            Self::Sqlite(file) => Some(file),
            Self::Postgres(_) => None,
        }
    }

    /// The server's, if it is one.
    #[must_use]
    pub fn postgres(&self) -> Option<&Postgres> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server) => Some(server),
        }
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

/// A migration as the database remembers it: its number, whether it succeeded, and the checksum of its text.
type Applied = (i64, bool, Vec<u8>);

/// Whether exactly the migrations of `migrator` have been applied, unaltered.
fn is_exactly(applied: &[Applied], migrator: &Migrator) -> bool {
    applied.len() == migrator.iter().count() && covers(applied, migrator)
}

/// Whether all migrations of `migrator` have been applied, unaltered, and none is half done.
fn covers(applied: &[Applied], migrator: &Migrator) -> bool {
    let has = |version: i64, checksum: &[u8]| applied.iter().any(|one| one.0 == version && one.2 == checksum);
    applied.iter().all(|one| one.1)
        && migrator.iter().all(|migration| has(migration.version, &migration.checksum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    #[tokio::test]
    async fn detached_work_ends_although_nobody_waits() {
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async {
            tokio::task::yield_now().await;
            let _ = done.send(());
        };
        let mut handler = Box::pin(detached(work));
        assert!(handler.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(handler);
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(5), is_done).await,
            Ok(Ok(())),
            "the work was lost"
        );
    }

    #[tokio::test]
    async fn a_panic_in_detached_work_is_an_error_here() {
        let outcome = detached(async { panic!("a broken invariant") }).await;
        assert_eq!(outcome.map(|()| 0), Err(Lost));
    }
}
