//! The log, as a store keeps it (`specs/profiles/log.md`).

use std::fmt;
use std::ops::Range;

use vouchsafe_protocol::tlog::tree::{Frontier, Hash};

use super::Pending;

/// A checkpoint that the log has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many entries it has.
    pub size: u64,
    /// The note, with all signatures so far.
    pub note: String,
}

/// A statement that something is in force from now on, as it is kept.
#[derive(Clone)]
pub struct Notice {
    /// Of what kind it is, in one word.
    pub what: &'static str,
    /// Its name.
    pub id: String,
    /// What it is in force as.
    pub digest: [u8; 32],
    /// The random id of the statement.
    pub jti: String,
    /// The signed statement, with the tag that binds it to its row.
    pub jws: String,
    /// Its entry in the log.
    pub entry: Hash,
}

/// What could be guessed of an entry without its random id is not printed.
impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice").field("what", &self.what).finish_non_exhaustive()
    }
}

/// The entries of the log, their tree and its checkpoints. Entries are written by the transactions that they belong to
/// ([`super::Effect::Leaf`]), each of which gives its own their places.
pub trait Log: Send + Sync {
    /// The tree as it stands, after every entry that still had none has its place.
    fn log_edge(&self) -> Pending<'_, Frontier>;
    /// The entries at these places, as far as there are any, in their order.
    fn log_entries(&self, places: Range<u64>) -> Pending<'_, Vec<Hash>>;
    /// The hashes of subtrees of height eight times `level`, from 1 on, at these places, as far as there are any.
    fn log_hashes(&self, level: u8, places: Range<u64>) -> Pending<'_, Vec<Hash>>;
    /// Where an entry stands.
    fn log_place(&self, entry: Hash) -> Pending<'_, Option<u64>>;
    /// The newest checkpoint.
    fn log_checkpoint(&self) -> Pending<'_, Option<Published>>;
    /// Keeps a checkpoint unless there is one of its size, and gives the newest one back.
    fn log_publish(&self, checkpoint: Published) -> Pending<'_, Published>;
    /// Puts the note of a checkpoint with more signatures in the place of the one that `before` has; `false` where another is
    /// there by now.
    fn log_cosigned(&self, before: Published, note: String) -> Pending<'_, bool>;
    /// What is in force under a name, as it was stated last.
    fn log_in_force<'a>(&'a self, what: &'static str, id: &'a str) -> Pending<'a, Option<[u8; 32]>>;
    /// Keeps a statement with its entry, in one transaction; `false` where it states what was stated last.
    fn log_notice(&self, notice: Notice) -> Pending<'_, bool>;
}
