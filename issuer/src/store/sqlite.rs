//! The store in SQLite: one process, one writer.
//!
//! What is said to the database is in `sql`; here is what is SQLite's own.

use sqlx::migrate::Migrator;
use sqlx::{Sqlite, Transaction};
use vouchsafe_service::store::Sqlite as Pools;

use super::StoreError;

/// Every change is an immediate transaction on the one writing connection: all rows are its own from its first instant.
macro_rules! locked {
    ($select:literal, $lock:literal) => {
        $select
    };
}

/// The one writer takes away what is over.
macro_rules! forget {
    ($take_away:literal, $table:literal, $key:literal, $over:literal) => {
        concat!($take_away, " WHERE ", $over)
    };
}

#[expect(clippy::duplicate_mod, reason = "one text for both dialects, compiled for each")]
#[path = "sql/mod.rs"]
mod sql;

/// The migrations of this store, in the order in which they were added.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The issuer's database.
#[derive(Clone)]
pub struct SqliteStore {
    pools: Pools,
}

type Own = SqliteStore;
type Tx = Transaction<'static, Sqlite>;
type Row = sqlx::sqlite::SqliteRow;

impl SqliteStore {
    /// A store on pools whose database has had [`MIGRATOR`] run on it.
    #[must_use]
    pub fn new(pools: Pools) -> Self {
        Self { pools }
    }

    /// An immediate transaction: nobody else writes until it ends.
    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.pools.write().await?)
    }

    /// Whether the database answers: for readiness.
    pub async fn is_ready(&self) -> bool {
        self.pools.is_ready().await
    }
}
