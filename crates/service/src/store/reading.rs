//! A database as it is at one instant, for who looks through all of it and changes nothing.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use super::{Database, OpenError, Place, Postgres, Sqlite};

/// A connection inside a transaction that only reads.
#[derive(Debug)]
pub enum Reading {
    /// To a file.
    Sqlite(Box<SqliteConnection>),
    /// To a server.
    Postgres(Box<PgConnection>),
}

impl Database {
    /// Opens what `place` names for reading alone; whoever serves from it is not disturbed. The schema is not looked at.
    ///
    /// # Errors
    /// As [`Database::open`], but for the schema.
    pub async fn read(place: &Place) -> Result<Reading, OpenError> {
        match place {
            Place::File(path) => Ok(Reading::Sqlite(Box::new(Sqlite::read(path).await?))),
            Place::Server(server) => Ok(Reading::Postgres(Box::new(Postgres::read(server).await?))),
        }
    }
}
