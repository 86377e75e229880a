//! What stands in columns, and what it means.

use jiff::civil::Date;

use super::{Mac, StoreError};
use crate::kind::Kind;

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

/// A count for a column: the integers of databases are signed.
pub(super) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Damaged)
}
