//! How a database stands to a program that would serve from it: for looking at an installation. Nothing is changed.

use sqlx::migrate::Migrator;

use super::postgres::agrees;
use super::{Applied, Database, Migrators, OpenError, Place, Postgres, Sqlite};

/// What is to be known of a database before a program serves from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest migration that was applied.
    pub newest: Option<i64>,
    /// Migrations that `migrate` would apply, by number and name.
    pub pending: Vec<String>,
    /// Migrations that were applied with another text, or not to their end.
    pub altered: Vec<String>,
    /// Migrations of a newer program.
    pub newer: Vec<i64>,
    /// How far this machine's clock is ahead of the server's; a file has no clock of its own.
    pub skew_ms: Option<i64>,
}

impl Standing {
    /// Whether this machine and the server agree about the time, as far as a replica that is ready must.
    #[must_use]
    pub fn clocks_agree(&self) -> bool {
        self.skew_ms.is_none_or(agrees)
    }

    /// Compares what was applied with what a program brings.
    pub(super) fn of(applied: &[Applied], migrator: &Migrator) -> Self {
        let mut standing = Self { newest: applied.iter().map(|one| one.0).max(), ..Self::default() };
        for migration in migrator.iter() {
            let name = format!("{:04} {}", migration.version, migration.description);
            match applied.iter().find(|one| one.0 == migration.version) {
                None => standing.pending.push(name),
                Some((_, true, checksum)) if *checksum == *migration.checksum => {}
                Some(_) => standing.altered.push(name),
            }
        }
        let known = |version: i64| migrator.iter().any(|migration| migration.version == version);
        standing.newer = applied.iter().map(|one| one.0).filter(|version| !known(*version)).collect();
        standing
    }
}

impl Database {
    /// Looks at what `place` names, without changing or making anything.
    ///
    /// # Errors
    /// As [`Database::open`], but for the schema.
    pub async fn examine(place: &Place, migrators: Migrators) -> Result<Standing, OpenError> {
        match place {
            Place::File(path) => Sqlite::examine(path, migrators.sqlite).await,
            Place::Server(server) => Postgres::examine(server, migrators.postgres).await,
        }
    }
}
