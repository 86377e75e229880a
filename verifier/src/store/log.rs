//! The log, as a store keeps it (`specs/profiles/log.md`).

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
}
