//! The store on PostgreSQL: any number of replicas, READ COMMITTED.
//!
//! What is said to the database is in `sql`; here is what is PostgreSQL's own.

use sqlx::migrate::Migrator;
use vouchsafe_service::store::{Postgres, Writing};

use super::StoreError;

/// Whoever comes second waits until the first has ended, and then reads what it left.
macro_rules! locked {
    ($select:literal, $lock:literal) => {
        concat!($select, $lock)
    };
}

/// What another is about to take away is left to it: nobody waits, and nobody waits in a circle.
macro_rules! forget {
    ($take_away:literal, $table:literal, $key:literal, $over:literal) => {
        concat!(
            $take_away,
            " WHERE ",
            $key,
            " IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $over,
            " LIMIT 1000 FOR UPDATE SKIP LOCKED)"
        )
    };
}

#[expect(clippy::duplicate_mod, reason = "one text for both dialects, compiled for each")]
#[path = "sql/mod.rs"]
mod sql;

/// The migrations of this store, in the order in which they were added.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The issuer's database on a server.
#[derive(Clone)]
pub struct PostgresStore {
    pools: Postgres,
}

type Own = PostgresStore;
/// Its end is the one way to commit.
type Tx = Writing;
type Row = sqlx::postgres::PgRow;

impl PostgresStore {
    /// A store on pools whose database has had [`MIGRATOR`] run on it.
    #[must_use]
    pub fn new(pools: Postgres) -> Self {
        Self { pools }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.pools.write().await?)
    }
}
