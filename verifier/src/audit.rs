//! For an auditor: whether the log is that of the documents beside it, and what was decided, in numbers.
//!
//! The database is read as it is at one instant, and nothing is written. Every entry is computed anew: of the signing inputs of
//! decisions and of what the verifier stated of itself; then the tree of the entries, which is held against the stored hashes,
//! the edge and every checkpoint. A row that was changed by who can write to the database, and has not the server key, is named.
//!
//! What is named first is what was changed; what follows of it alone is left out, since it cannot be judged before. Where two
//! entries were exchanged the tree says between which checkpoints. A checkpoint that was removed is missed by the database
//! alone nowhere: the witnesses and whoever watches have it.
//!
//! Security: nothing that is printed is of a person. Requests are named by the ids of our own API.

mod documents;
pub mod purposes;
pub mod report;
mod rows;
pub mod token;
mod tree;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::tlog::tree::Hash;
use vouchsafe_service::config::ConfigError;
use vouchsafe_service::secret::{SecretError, ServerKey};
use vouchsafe_service::store::{Database, OpenError};

use crate::config::Config;
use crate::log::{LogDesk, LogFault};
use crate::secrets::Vault;
use rows::Reader;

/// Why nothing could be said. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server key cannot be used.
    #[error(transparent)]
    ServerKey(#[from] SecretError),
    /// The log is not configured as it must be.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database did not answer, or has not the tables of this version.
    #[error("the database could not be read; is its schema that of this version?")]
    Database,
}

impl From<sqlx::Error> for AuditError {
    fn from(_: sqlx::Error) -> Self {
        // The text of a database error can quote a row.
        Self::Database
    }
}

/// A row that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its table.
    pub table: &'static str,
    /// Which row of it.
    pub row: String,
    /// The column, or the columns, in which it shows.
    pub column: &'static str,
    /// What is wrong.
    pub what: &'static str,
}

impl Fault {
    fn new(table: &'static str, row: impl fmt::Display, column: &'static str, what: &'static str) -> Self {
        Self { table, row: row.to_string(), column, what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), {}: {}", self.table, self.row, self.column, self.what)
    }
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Entries with their places.
    pub entries: u64,
    /// Decisions.
    pub decisions: u64,
    /// Statements of what is in force.
    pub notices: u64,
    /// Events of permissions.
    pub events: u64,
    /// Entries whose documents were deleted when their retention was over.
    pub forgotten: u64,
    /// Signed checkpoints.
    pub checkpoints: u64,
    /// Everything that is wrong, most telling first.
    pub faults: Vec<Fault>,
}

/// A statement that something is in force, as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// Of what kind it is.
    pub what: String,
    /// Its name.
    pub id: String,
    /// base64url of what it is in force as.
    pub digest: String,
    /// The signed statement.
    pub jws: String,
}

/// Every statement of what is in force, in their order; whether they stand in the log is for [`verify`] to say.
///
/// # Errors
/// [`AuditError`].
pub async fn notices(config: &Config) -> Result<Vec<Stated>, AuditError> {
    let rows = Reader::of(Database::read(&config.database).await?).notices().await?;
    let stated = |row: rows::NoticeRow| Stated {
        what: row.what,
        id: row.id,
        digest: b64u(row.digest),
        jws: row.jws.rsplit_once('.').map_or(String::new(), |(jws, _)| jws.to_owned()),
    };
    Ok(rows.into_iter().map(stated).collect())
}

/// An entry as it stands in the log: where, and whose.
struct Placed {
    place: u64,
    service: String,
}

/// What is known while the rows are read.
struct Book {
    verdict: Verdict,
    /// Entries for which no document was found yet.
    open: HashMap<Hash, Placed>,
    /// How many documents have no entry.
    without_entry: u64,
}

impl Book {
    fn fault(&mut self, fault: Fault) {
        self.verdict.faults.push(fault);
    }

    /// Finds a document's entry. Each is of one document.
    fn take(&mut self, entry: &Hash, service: &str, table: &'static str, row: &str) {
        match self.open.remove(entry) {
            None => {
                self.without_entry += 1;
                self.fault(Fault::new(table, row, "entry", "its entry is not in the log"));
            }
            Some(placed) if placed.service != service => {
                let row = format_args!("place {}", placed.place);
                self.fault(Fault::new(
                    "log_leaves",
                    row,
                    "service_id",
                    "the entry is of another service's document",
                ));
            }
            Some(_) => {}
        }
    }
}

/// Looks through the whole log of an installation.
///
/// # Errors
/// [`AuditError`] where nothing can be said; what is wrong with the log is in the [`Verdict`].
pub async fn verify(config: &Config) -> Result<Verdict, AuditError> {
    let vault = Vault::new(ServerKey::from_text(&config.server_key.read()?)?);
    let desk = LogDesk::open(config)?;
    let mut reader = Reader::of(Database::read(&config.database).await?);
    let leaves = tree::Leaves::read(&mut reader).await?;
    let mut book = Book { verdict: Verdict::default(), open: leaves.by_entry(), without_entry: 0 };
    book.verdict.entries = leaves.count();
    documents::decisions(&mut reader, &vault, &mut book).await?;
    documents::notices(&mut reader, &vault, &mut book).await?;
    documents::permissions(&mut reader, &vault, &mut book).await?;
    documents::events(&mut reader, &vault, &mut book).await?;
    documents::forgotten(&mut reader, &mut book).await?;
    let mut judged = tree::Judged::of(&leaves, &book, tree::Stored::read(&mut reader).await?);
    judged.judge(desk.as_ref());
    book.verdict.checkpoints = judged.checkpoints();
    book.verdict.faults.extend(judged.faults);
    Ok(book.verdict)
}
