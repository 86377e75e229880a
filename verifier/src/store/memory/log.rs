//! The log in memory: its tree is computed anew from the entries.

use std::ops::Range;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::tlog::tree::{Frontier, Hash, Subtree};

use super::super::log::{Log, Notice, Published};
use super::super::{Pending, StoreError};
use super::{MemoryStore, Tables, ready};

impl Tables {
    /// The tree, and every subtree that it completed.
    fn tree(&self) -> Result<(Frontier, Vec<(Subtree, Hash)>), StoreError> {
        let (mut edge, mut completed) = (Frontier::default(), Vec::new());
        for entry in &self.leaves {
            completed.extend(edge.push(entry).map_err(|_| StoreError::Unavailable)?.completed);
        }
        Ok((edge, completed))
    }

    fn newest(&self) -> Option<Published> {
        self.checkpoints.last_key_value().map(|(size, note)| Published { size: *size, note: note.clone() })
    }
}

impl Log for MemoryStore {
    fn log_edge(&self) -> Pending<'_, Frontier> {
        let edge = self.tables().tree().map(|(edge, _)| edge);
        Box::pin(std::future::ready(edge))
    }

    fn log_entries(&self, places: Range<u64>) -> Pending<'_, Vec<Hash>> {
        let tables = self.tables();
        let all = (0..).zip(&tables.leaves);
        ready(all.filter(|(place, _)| places.contains(place)).map(|(_, entry)| *entry).collect())
    }

    fn log_hashes(&self, level: u8, places: Range<u64>) -> Pending<'_, Vec<Hash>> {
        let hashes = self.tables().tree().map(|(_, completed)| {
            let of_level = completed.into_iter().filter(|(subtree, _)| subtree.level() == level * 8);
            of_level.filter(|(subtree, _)| places.contains(&subtree.index())).map(|(_, hash)| hash).collect()
        });
        Box::pin(std::future::ready(hashes))
    }

    fn log_place(&self, entry: Hash) -> Pending<'_, Option<u64>> {
        ready((0..).zip(&self.tables().leaves).find(|(_, kept)| **kept == entry).map(|(place, _)| place))
    }

    fn log_checkpoint(&self) -> Pending<'_, Option<Published>> {
        ready(self.tables().newest())
    }

    fn log_publish(&self, checkpoint: Published) -> Pending<'_, Published> {
        let mut tables = self.tables();
        if mutants::skips("store-log-published-once") {
            tables.checkpoints.insert(checkpoint.size, checkpoint.note.clone());
        } else {
            tables.checkpoints.entry(checkpoint.size).or_insert_with(|| checkpoint.note.clone());
        }
        ready(tables.newest().unwrap_or(checkpoint))
    }

    fn log_cosigned(&self, before: Published, note: String) -> Pending<'_, bool> {
        let mut tables = self.tables();
        let Some(kept) = tables.checkpoints.get_mut(&before.size) else { return ready(false) };
        if !(mutants::skips("store-log-cosigned") || *kept == before.note) {
            return ready(false);
        }
        *kept = note;
        ready(true)
    }

    fn log_in_force<'a>(&'a self, what: &'static str, id: &'a str) -> Pending<'a, Option<[u8; 32]>> {
        ready(self.tables().in_force.get(&(what, id.to_owned())).copied())
    }

    fn log_notice(&self, notice: Notice) -> Pending<'_, bool> {
        let mut tables = self.tables();
        let last = tables.in_force.insert((notice.what, notice.id), notice.digest);
        if !mutants::skips("store-notice-changed") && last == Some(notice.digest) {
            return ready(false);
        }
        tables.leaves.push(notice.entry);
        ready(true)
    }
}
