//! The store in SQLite: one writer, immediate transactions, every write run to its end whoever still listens.
//!
//! What is said to the database is in `sql`; here is what is SQLite's own.

use sqlx::migrate::Migrator;
use vouchsafe_service::store::Sqlite;

/// The one writer deletes what is over.
macro_rules! forget {
    ($table:literal, $over:literal) => {
        concat!("DELETE FROM ", $table, " WHERE ", $over)
    };
}

/// The one writer holds every row.
macro_rules! locked {
    ($select:literal) => {
        $select
    };
}

/// Rows that one statement takes for itself: nobody else is there.
macro_rules! chosen {
    ($select:expr) => {
        concat!("position IN (", $select, ")")
    };
}

/// An entry and the edge are written by two statements: on one machine the second costs next to nothing.
const ENTRY_AND_EDGE: Option<&str> = None;

#[expect(clippy::duplicate_mod, reason = "one text for both dialects, compiled for each")]
#[path = "sql/mod.rs"]
mod sql;

/// The schema of the verifier's database.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The verifier's own database file.
#[derive(Clone)]
pub struct SqliteStore(Sqlite);

type Own = SqliteStore;
type Pools = Sqlite;
type Db = sqlx::Sqlite;
/// Holds the write lock from its first instant.
type Tx = sqlx::Transaction<'static, Db>;

impl SqliteStore {
    /// A store over an open database whose schema is [`MIGRATOR`]'s.
    #[must_use]
    pub fn new(database: Sqlite) -> Self {
        Self(database)
    }

    /// The database, for readiness and for closing.
    #[must_use]
    pub fn database(&self) -> &Sqlite {
        &self.0
    }
}
