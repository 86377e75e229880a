//! What the issuer keeps: its register, imports, offers, access tokens, spent nonces and how much was issued.
//!
//! Small traits, [`Register`], [`Offers`], [`Issuing`], [`Deferring`], [`Statuses`] and [`Linking`], each with a memory, a
//! SQLite and a PostgreSQL implementation that pass one shared suite. People, codes, handles, tokens and nonces are
//! [`Mac`]s, and attribute values arrive here sealed, so that a stolen database holds nothing to read or to spend.
//!
//! Leaves out: the credentials themselves. Neither copies nor seeds nor openings are stored.

mod columns;
mod deferring;
mod either;
mod linking;
mod memory;
mod postgres;
mod redeem;
mod sqlite;
mod statuses;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod suite;

use std::fmt;

use jiff::civil::Date;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::notification::Event;
use vouchsafe_protocol::time::UnixTime;

pub use deferring::{
    Collect, CollectRefusal, Defer, Deferred, Deferring, Pending, Stage as DeferredStage, Verdict,
};
pub use either::{Either, MIGRATORS};
pub use linking::{Link, LinkRefusal, Linking};
pub use memory::Memory;
pub use postgres::{MIGRATOR as POSTGRES_MIGRATOR, PostgresStore};
pub use redeem::{OfferState, RedeemRefusal, Stage};
pub use sqlite::{MIGRATOR, SqliteStore};
pub use statuses::{Asked, Change, PublishedList, Reserve, ReserveRefusal, Shard, Snapshot, Statuses};

use crate::import::{Reason, RowError};
use crate::kind::Kind;

/// An HMAC under the server's key: how secrets and people are named at rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 32]);

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(..)")
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// The database cannot be reached, is full or is locked.
    #[error("the database cannot serve just now; try again")]
    Unavailable,
    /// A row does not have the form this program writes.
    #[error("a row of the database is damaged; run an integrity check and restore from a backup")]
    Damaged,
}

/// Names one import: the file, the type, the key column and the day of its facts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImportId(pub [u8; 32]);

/// What an import is, before any row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub id: ImportId,
    /// The credential type whose facts it brings.
    pub type_id: String,
    /// The day on which all its rows were true in the partner's register.
    pub facts_as_of: Date,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records read so far, the header not counted; the next batch begins here.
    pub records_read: u64,
    /// People who were not in the register before.
    pub added: u64,
    /// People whose facts were replaced.
    pub updated: u64,
    /// Records refused; each has a row error.
    pub rejected: u64,
    /// Enrolled people of this type whom no record of the file names; known once the whole file has been read.
    pub absent: u64,
    /// Whether the whole file has been read.
    pub finished: bool,
}

/// One person's facts, ready to be written.
#[derive(Clone, Debug)]
pub struct SealedRow {
    /// Who.
    pub person: Mac,
    /// The line of the file, for a clash that only the store can see.
    pub line: u64,
    /// The attribute values, sealed.
    pub sealed: Vec<u8>,
    /// What it is of, where the type has periods.
    pub period: Option<InPeriod>,
}

/// What a row of a type with periods is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPeriod {
    /// The person over all periods; the row's own name is of the person in this one.
    pub whole: Mac,
    /// The period, as it is shown.
    pub period: String,
}

/// Records `from..to` of an import, written all or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The first record of the batch: what [`Progress::records_read`] must be for it to be taken.
    pub from: u64,
    /// The record after its last.
    pub to: u64,
    /// The good ones.
    pub rows: Vec<SealedRow>,
    /// What was wrong with the bad ones.
    pub errors: Vec<RowError>,
    /// How many records the errors are about.
    pub rejected: u64,
    /// The people whom those records name, as far as that can be read.
    pub named: Vec<Mac>,
    /// Whether the file ends here.
    pub last: bool,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum EnrolError {
    /// The import is no longer where the batch begins: another run of the same import is at work, or has finished.
    #[error("another run of the same import has moved on; start again to see where it stands")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A person's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The attribute values, sealed.
    pub sealed: Vec<u8>,
    /// The day on which they were true.
    pub facts_as_of: Date,
    /// How many imports have written the row.
    pub revision: u64,
}

/// The register of people and the imports that fill it.
pub trait Register: Send + Sync + 'static {
    /// Opens an import at its first record, or says how far an earlier run of it came.
    fn begin_import(
        &self,
        import: &Import,
        now: UnixTime,
    ) -> impl Future<Output = Result<Progress, StoreError>> + Send;

    /// Writes one batch and the new progress in one transaction, and with the last batch counts who is absent.
    ///
    /// A person whom this import has already written, or whose stored facts are newer, is not touched: the record
    /// counts as rejected and gets a row error.
    ///
    /// # Errors
    /// [`EnrolError::Stale`] when the import does not stand at `batch.from`.
    fn enrol(
        &self,
        import: &Import,
        batch: Batch,
    ) -> impl Future<Output = Result<Progress, EnrolError>> + Send;

    /// The row errors of an import, by line.
    fn row_errors(&self, id: ImportId) -> impl Future<Output = Result<Vec<RowError>, StoreError>> + Send;

    /// One person's facts under one type.
    fn person(
        &self,
        type_id: &str,
        person: Mac,
    ) -> impl Future<Output = Result<Option<Enrolled>, StoreError>> + Send;

    /// A person of a type with periods, as each of their rows names them.
    fn in_periods(
        &self,
        type_id: &str,
        whole: Mac,
    ) -> impl Future<Output = Result<Vec<Mac>, StoreError>> + Send;
}

/// An offer, ready to be written.
#[derive(Clone, Debug)]
pub struct NewOffer {
    /// Of the handle in the offer's address.
    pub handle: Mac,
    /// Of the pre-authorised code.
    pub code: Mac,
    /// Of the transaction code, bound to this code.
    pub tx_code: Mac,
    /// The credential type offered.
    pub type_id: String,
    /// To whom.
    pub person: Mac,
    /// Plain or proof copies, never both.
    pub kind: Kind,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it stops being good.
    pub expires_at: UnixTime,
}

/// Why an offer was not written.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum AddOfferError {
    /// The register holds no such person under that type.
    #[error("the register holds no such person under this type; import the person's row first")]
    UnknownPerson,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A try to turn a pre-authorised code into an access token.
#[derive(Clone, Debug)]
pub struct Redeem {
    /// Of the code presented.
    pub code: Mac,
    /// Of the transaction code presented.
    pub tx_code: Mac,
    /// Why the offer's code gives no token even with the right transaction code; the offer stays as it is.
    pub objection: Option<RedeemRefusal>,
    /// Of the token to be given if all is well.
    pub token: Mac,
    /// Of the thumbprint of the key that the token is bound to.
    pub jkt: Option<Mac>,
    /// Whether requests name what they ask for by an identifier.
    pub identified: bool,
    /// When that token ends.
    pub token_expires_at: UnixTime,
    /// The time of the try.
    pub now: UnixTime,
    /// Wrong transaction codes after which the offer is closed.
    pub tx_code_tries: u32,
}

/// Offers and their one use.
pub trait Offers: Send + Sync + 'static {
    /// Writes an offer.
    fn add_offer(&self, offer: NewOffer) -> impl Future<Output = Result<(), AddOfferError>> + Send;

    /// The offer that a code is for. Who asks must not let it be felt whether there is one.
    fn offer_of_code(&self, code: Mac)
    -> impl Future<Output = Result<Option<OfferState>, StoreError>> + Send;

    /// The offer behind a handle.
    fn offer(&self, handle: Mac) -> impl Future<Output = Result<Option<OfferState>, StoreError>> + Send;

    /// Spends the code and writes the token, or counts the miss, in one transaction.
    ///
    /// Every outcome but success costs the same: one row written, once.
    fn redeem(
        &self,
        redeem: &Redeem,
    ) -> impl Future<Output = Result<Result<(), RedeemRefusal>, StoreError>> + Send;
}

/// What an access token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The credential type.
    pub type_id: String,
    /// For whom.
    pub person: Mac,
    /// Plain or proof copies.
    pub kind: Kind,
    /// Of the thumbprint of the key that the token is bound to; none for a bearer token.
    pub jkt: Option<Mac>,
    /// Whether requests name what they ask for by an identifier.
    pub identified: bool,
    /// When the token ends.
    pub expires_at: UnixTime,
    /// Whether a batch was already issued for it.
    pub spent: bool,
}

impl Grant {
    /// Whether the token may still have its batch at `now`. The store asks again when the batch is recorded.
    #[must_use]
    pub fn is_good(&self, now: UnixTime) -> bool {
        token_is_good(self.spent, self.expires_at, now)
    }

    /// Whether the token is good at `now` for what comes after its batch: collecting what was put off, notifying.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        token_is_live(self.expires_at, now)
    }
}

/// The one write of an issued batch.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Of the access token.
    pub token: Mac,
    /// Of every nonce in the request's proofs, each once, with the time after which it would be refused anyway.
    pub nonces: Vec<(Mac, UnixTime)>,
    /// Of the notification id in the answer.
    pub notification: Mac,
    /// How many copies the answer holds.
    pub copies: u32,
    /// The registration that its copies count by, where they are linked.
    pub link: Option<Link>,
    /// The time of issue.
    pub now: UnixTime,
}

/// Why a batch was not recorded, and so must not be handed out.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum IssueRefusal {
    /// The token is unknown, over, or has had its batch.
    #[error("the access token is not good for another batch")]
    Token,
    /// A nonce was used before.
    #[error("the nonce was used before")]
    Nonce,
    /// The person is held to another link secret.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
}

/// Tokens, nonces and the record of what was issued.
pub trait Issuing: Send + Sync + 'static {
    /// What a token is good for.
    fn grant(&self, token: Mac) -> impl Future<Output = Result<Option<Grant>, StoreError>> + Send;

    /// Spends token and nonces and records the batch, in one transaction: all or none.
    fn issue(
        &self,
        issue: &Issue,
    ) -> impl Future<Output = Result<Result<(), IssueRefusal>, StoreError>> + Send;

    /// Notes that a proof of possession was used; `false` where it was used before and is not forgotten yet.
    fn see_proof(
        &self,
        proof: Mac,
        forget_at: UnixTime,
        now: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes what became of a batch, once for each event; `false` where the token had no batch with this id.
    fn notify(
        &self,
        token: Mac,
        notification: Mac,
        event: Event,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How many batches each event was told of, in the order of [`Event::ALL`].
    fn notified(&self) -> impl Future<Output = Result<[u64; 3], StoreError>> + Send;
}

/// Everything the issuer's programs need of a store.
pub trait Store: Register + Offers + Issuing + Deferring + Statuses + Linking {}

impl<T: Register + Offers + Issuing + Deferring + Statuses + Linking> Store for T {}

/// Whether a person's row forbids this import to write it.
fn enrol_clash(import: &Import, written_by: ImportId, facts_as_of: Date) -> Option<Reason> {
    if !(mutants::skips("store-enrol-twice") || written_by != import.id) {
        return Some(Reason::PersonTwice);
    }
    if !(mutants::skips("store-enrol-older") || facts_as_of <= import.facts_as_of) {
        return Some(Reason::OlderFacts);
    }
    None
}

/// Whether a token may still have its batch.
fn token_is_good(spent: bool, expires_at: UnixTime, now: UnixTime) -> bool {
    (mutants::skips("store-token-spent") || !spent) && token_is_live(expires_at, now)
}

/// Whether a token has not ended.
fn token_is_live(expires_at: UnixTime, now: UnixTime) -> bool {
    mutants::skips("store-token-expired") || now < expires_at
}
