//! The vault: a directory with `vault.sqlite`, in which every record is sealed.
//!
//! A random data key seals each record with AES-256-GCM; the associated data name the section and the row, so a
//! record moved to another row does not open. Argon2id turns the passphrase into the key that wraps the data
//! key; its parameters stand in the header row and are bound to the wrapping. One process holds a vault at a
//! time. Writes are transactions in WAL mode with full sync: what was acknowledged survives a power cut.
//!
//! Left out: the vault does not notice an older copy of the whole file (or of one row) put back in its place;
//! somebody who can write the owner's files can do that. It does not hide how many records of each section
//! there are, nor their sizes. Its user must keep the passphrase, without which nothing opens.

mod file;
mod header;
mod seal;

use std::path::Path;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::store::{Sqlite, detached};
use zeroize::Zeroizing;

pub use header::Cost;
use seal::DataKey;

/// Why a vault did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the vault is in use by another process: close it and try again")]
    InUse,
    /// The passphrase does not fit, or somebody changed the header.
    #[error("the passphrase does not open this vault")]
    WrongPassphrase,
    /// The passphrase is empty.
    #[error("the passphrase is empty: choose one of several words")]
    EmptyPassphrase,
    /// The header names a format or a cost this program does not accept.
    #[error("the vault was made by another version of this program, or its header is damaged")]
    Unsupported,
    /// The directory or its files cannot be made, read or protected.
    #[error("the vault's files cannot be used: check the directory and its permissions")]
    Files,
    /// The database does not open.
    #[error("the vault's database cannot be used: check the disk and the directory")]
    Database,
}

/// Why a record was not read or written.
#[derive(Debug, Error)]
pub enum VaultError {
    /// A record does not open: the file was altered.
    #[error("a record of the vault was altered or damaged; restore the vault from a copy you trust")]
    Damaged,
    /// The record changed since it was read.
    #[error("the record was changed by somebody else meanwhile: try again")]
    Stale,
    /// The database refused.
    #[error("the vault's database cannot be used at the moment: check the disk")]
    Unavailable,
}

/// A part of the vault; its name goes into the associated data of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// A batch of copies: type, issuer, labels.
    Credential,
    /// One copy and its state.
    Copy,
    /// The key of one copy (PKCS#8).
    HolderKey,
    /// The seed and the undisclosed values of one copy.
    Seed,
    /// A registrar and its anchors.
    Trust,
    /// The newest version seen of each registrar's register.
    RegisterVersion,
    /// What happened, without values.
    History,
    /// Bounds answered, by service and attribute.
    Budget,
    /// The link secret, of which a wallet has one.
    Link,
    /// A batch that is being collected: its token, its keys, and the transaction where an officer decides.
    Waiting,
    /// An answer that is being made with another person's wallet: its keys, copies that were used for it, its request.
    Joint,
    /// A review that was shown, and is not agreed to yet: the request as it was fetched, and what its page said.
    Read,
    /// A permission: its key, what was signed with it, its record.
    Permission,
}

impl Section {
    /// Every section, for tests and exports.
    pub const ALL: [Self; 13] = [
        Self::Credential,
        Self::Copy,
        Self::HolderKey,
        Self::Seed,
        Self::Trust,
        Self::RegisterVersion,
        Self::History,
        Self::Budget,
        Self::Link,
        Self::Waiting,
        Self::Joint,
        Self::Read,
        Self::Permission,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Copy => "copy",
            Self::HolderKey => "holder_key",
            Self::Seed => "seed",
            Self::Trust => "trust",
            Self::RegisterVersion => "register_version",
            Self::History => "history",
            Self::Budget => "budget",
            Self::Link => "link",
            Self::Waiting => "waiting",
            Self::Joint => "joint",
            Self::Read => "read",
            Self::Permission => "permission",
        }
    }
}

/// An opened record with the sealed form it was read from, by which a change names the state it expects.
pub struct Record {
    /// The row.
    pub id: String,
    /// The plain bytes, wiped when dropped.
    pub plain: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
}

/// One change of a transaction.
pub enum Change {
    /// Writes a row that must not exist yet.
    Insert(Section, String, Zeroizing<Vec<u8>>),
    /// Writes a row whatever was there.
    Put(Section, String, Zeroizing<Vec<u8>>),
    /// Replaces the row, if it is still as it was read.
    Replace(Section, Record, Zeroizing<Vec<u8>>),
    /// Deletes the row, if it exists.
    Delete(Section, String),
}

/// An open vault. Dropping it releases the lock.
pub struct Vault {
    database: Sqlite,
    key: DataKey,
    _lock: std::fs::File,
}

impl Vault {
    /// Opens the vault in `directory`, or makes one there if there is none.
    ///
    /// `cost` is used for a new vault only. Files are readable by their owner alone.
    ///
    /// # Errors
    /// [`OpenError`], above all [`OpenError::WrongPassphrase`] and [`OpenError::InUse`].
    pub async fn open(
        directory: &Path,
        passphrase: &[u8],
        cost: Cost,
        entropy: &dyn Entropy,
    ) -> Result<Self, OpenError> {
        if passphrase.is_empty() {
            return Err(OpenError::EmptyPassphrase);
        }
        let lock = file::prepare(directory)?;
        let database = file::connect(directory).await?;
        let header = match header::read(&database).await? {
            Some(header) => header,
            None => header::create(&database, passphrase, cost, entropy).await?,
        };
        let key = header.unwrap_key(passphrase).await?;
        Ok(Self { database, key, _lock: lock })
    }

    /// Closes the database and releases the lock.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] when the row does not open, [`VaultError::Unavailable`] when it cannot be read.
    pub async fn read(&self, section: Section, id: &str) -> Result<Option<Record>, VaultError> {
        let row = sqlx::query("SELECT id, sealed FROM record WHERE section = ? AND id = ?")
            .bind(section.name())
            .bind(id)
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        row.map(|row| self.opened(section, &row)).transpose()
    }

    /// Reads every record of a section, by id.
    ///
    /// # Errors
    /// As [`Vault::read`].
    pub async fn scan(&self, section: Section) -> Result<Vec<Record>, VaultError> {
        let rows = sqlx::query("SELECT id, sealed FROM record WHERE section = ? ORDER BY id")
            .bind(section.name())
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        rows.iter().map(|row| self.opened(section, row)).collect()
    }

    fn opened(&self, section: Section, row: &SqliteRow) -> Result<Record, VaultError> {
        let id: String = row.try_get("id").map_err(unavailable)?;
        let sealed: Vec<u8> = row.try_get("sealed").map_err(unavailable)?;
        let plain = self.key.open(section.name(), &id, &sealed).ok_or(VaultError::Damaged)?;
        Ok(Record { id, plain, sealed })
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// [`VaultError::Stale`] when a row was not as a change expects; nothing is changed then.
    pub async fn apply(&self, changes: Vec<Change>, entropy: &dyn Entropy) -> Result<(), VaultError> {
        let writes: Vec<Write> = changes.into_iter().map(|change| self.sealed(change, entropy)).collect();
        let database = self.database.clone();
        // Runs to its end even if the caller goes away half-way.
        let all = detached(async move {
            let mut transaction = database.write().await.map_err(unavailable)?;
            for write in &writes {
                write.run(&mut transaction).await?;
            }
            transaction.commit().await.map_err(unavailable)
        });
        all.await.map_err(|_| VaultError::Unavailable)?
    }

    fn sealed(&self, change: Change, entropy: &dyn Entropy) -> Write {
        let seal = |section: Section, id: String, plain: Zeroizing<Vec<u8>>| {
            let sealed = self.key.seal(section.name(), &id, &plain, entropy);
            (section, id, sealed)
        };
        match change {
            Change::Insert(section, id, plain) => Write::Insert(seal(section, id, plain)),
            Change::Put(section, id, plain) => Write::Put(seal(section, id, plain)),
            Change::Replace(section, record, plain) => {
                Write::Replace(seal(section, record.id, plain), record.sealed)
            }
            Change::Delete(section, id) => Write::Delete(section, id),
        }
    }
}

type SealedRow = (Section, String, Vec<u8>);

enum Write {
    Insert(SealedRow),
    Put(SealedRow),
    Replace(SealedRow, Vec<u8>),
    Delete(Section, String),
}

impl Write {
    async fn run(&self, database: &mut SqliteConnection) -> Result<(), VaultError> {
        let (query, expected) = match self {
            Self::Insert(row) => {
                let text = "INSERT INTO record (section, id, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
                (sqlx::query(text).bind(row.0.name()).bind(&row.1).bind(&row.2), Some(1))
            }
            Self::Put(row) => {
                let text = "INSERT INTO record (section, id, sealed) VALUES (?, ?, ?)
                    ON CONFLICT (section, id) DO UPDATE SET sealed = excluded.sealed";
                (sqlx::query(text).bind(row.0.name()).bind(&row.1).bind(&row.2), Some(1))
            }
            Self::Replace(row, before) => {
                let text = "UPDATE record SET sealed = ? WHERE section = ? AND id = ? AND sealed = ?";
                (sqlx::query(text).bind(&row.2).bind(row.0.name()).bind(&row.1).bind(before), Some(1))
            }
            Self::Delete(section, id) => {
                let text = "DELETE FROM record WHERE section = ? AND id = ?";
                (sqlx::query(text).bind(section.name()).bind(id), None)
            }
        };
        let changed = query.execute(database).await.map_err(unavailable)?.rows_affected();
        let as_expected = expected.is_none_or(|rows| rows == changed);
        if !(mutants::skips("wallet-vault-stale") || as_expected) {
            return Err(VaultError::Stale);
        }
        Ok(())
    }
}

fn unavailable(_: sqlx::Error) -> VaultError {
    VaultError::Unavailable
}

#[cfg(test)]
#[path = "vault/tests.rs"]
mod tests;
