//! The store on PostgreSQL: any number of replicas, READ COMMITTED, every write run to its end whoever still listens.
//!
//! What is said to the database is in `sql`; here is what is PostgreSQL's own.

use sqlx::migrate::Migrator;
use vouchsafe_service::store::{Postgres, Writing};

/// Rows that another is about to delete are left to it: nobody waits, and nobody waits in a circle.
macro_rules! forget {
    ($table:literal, $over:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ",
            $table,
            " WHERE ",
            $over,
            " LIMIT 10000 FOR UPDATE SKIP LOCKED))"
        )
    };
}

/// The row is this transaction's until its end.
macro_rules! locked {
    ($select:literal) => {
        concat!($select, " FOR UPDATE")
    };
}

/// Rows that one statement takes for itself: what another takes at the same time is passed over.
macro_rules! chosen {
    ($select:expr) => {
        concat!("position = ANY (ARRAY (", $select, " FOR UPDATE SKIP LOCKED))")
    };
}

/// An entry and the edge in one way to the server and back.
const ENTRY_AND_EDGE: Option<&str> = Some(
    "WITH entry AS (INSERT INTO log_leaves (service_id, leaf, place) VALUES ($1, $2, $3)) \
     UPDATE log_edge SET edge = $4 WHERE id = 1",
);

#[expect(clippy::duplicate_mod, reason = "one text for both dialects, compiled for each")]
#[path = "sql/mod.rs"]
mod sql;

/// The schema of the verifier's database.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The verifier's own database on a server.
#[derive(Clone)]
pub struct PostgresStore(Postgres);

type Own = PostgresStore;
type Pools = Postgres;
type Db = sqlx::Postgres;
/// Its end is the one way to commit.
type Tx = Writing;

impl PostgresStore {
    /// A store over an open database whose schema is [`MIGRATOR`]'s.
    #[must_use]
    pub fn new(database: Postgres) -> Self {
        Self(database)
    }

    /// The database, for readiness and for closing.
    #[must_use]
    pub fn database(&self) -> &Postgres {
        &self.0
    }
}
