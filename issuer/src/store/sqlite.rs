//! The store in SQLite: one process, one writer.
//!
//! Every change is one immediate transaction on the writing connection, so a step is taken on the row it has read.

mod deferring;
mod imports;
mod issuing;
mod offers;
mod statuses;

use jiff::civil::Date;
use sqlx::migrate::Migrator;
use sqlx::{Sqlite, Transaction};
use vouchsafe_service::store::Sqlite as Pools;

use super::{Mac, StoreError};
use crate::kind::Kind;

/// The migrations of this store, in the order in which they were added.
pub static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The issuer's database.
#[derive(Clone)]
pub struct SqliteStore {
    pools: Pools,
}

impl SqliteStore {
    /// A store on pools whose database has had [`MIGRATOR`] run on it.
    #[must_use]
    pub fn new(pools: Pools) -> Self {
        Self { pools }
    }

    /// An immediate transaction: nobody else writes until it ends.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pools.write().await?)
    }

    /// Whether the database answers: for readiness.
    pub async fn is_ready(&self) -> bool {
        self.pools.is_ready().await
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Damaged
            }
            _ => Self::Unavailable,
        }
    }
}

/// 32 octets as they stand in a row.
pub(super) fn octets(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged)
}

pub(super) fn mac(bytes: &[u8]) -> Result<Mac, StoreError> {
    octets(bytes).map(Mac)
}

pub(super) fn kind(text: &str) -> Result<Kind, StoreError> {
    Kind::parse(text).ok_or(StoreError::Damaged)
}

pub(super) fn date(text: &str) -> Result<Date, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged)
}

/// A count for a column: SQLite's integers are signed.
pub(super) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Damaged)
}
