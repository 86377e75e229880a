//! The store on PostgreSQL: any number of replicas, READ COMMITTED.
//!
//! Every change is one transaction that locks the row whose step it takes before it reads it, and rows of one kind in
//! one order; what may be there once has a unique key. The statements are those of `sqlite`, in the other dialect.

mod deferring;
mod imports;
mod issuing;
mod offers;
mod statuses;

use sqlx::migrate::Migrator;
use vouchsafe_service::store::{Postgres, Writing};

use super::StoreError;
use super::sqlite::{column, count, date, kind, mac, octets};

/// The migrations of this store, in the order in which they were added.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The issuer's database on a server.
#[derive(Clone)]
pub struct PostgresStore {
    pools: Postgres,
}

impl PostgresStore {
    /// A store on pools whose database has had [`MIGRATOR`] run on it.
    #[must_use]
    pub fn new(pools: Postgres) -> Self {
        Self { pools }
    }

    async fn begin(&self) -> Result<Writing, StoreError> {
        Ok(self.pools.write().await?)
    }
}
