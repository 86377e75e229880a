//! The tree of the entries, held against what is stored of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, CheckpointError, Trust};
use vouchsafe_protocol::tlog::note::{Note, NoteError};
use vouchsafe_protocol::tlog::tree::{Frontier, Hash};
use vouchsafe_service::keys::Jws;

use super::rows::{HashRow, LeafRow, Reader};
use super::{AuditError, Book, Fault, Placed};
use crate::log::LogDesk;

const OTHERS: &str =
    "these are not the entries, or not in the order, over which the checkpoint behind them was signed";

/// The entries in the order of their places.
pub(super) struct Leaves {
    placed: BTreeMap<i64, LeafRow>,
    faults: Vec<Fault>,
}

impl Leaves {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let mut all = Self { placed: BTreeMap::new(), faults: Vec::new() };
        let mut after = i64::MIN;
        loop {
            let rows = reader.leaves(after).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            after = last.position;
            for row in rows {
                all.put(row);
            }
        }
    }

    /// One without a place was written by a version before the tree, and gets its place with the next.
    fn put(&mut self, row: LeafRow) {
        let Some(place) = row.place else { return };
        if row.leaf.len() != 32 {
            let named = format_args!("place {place}");
            self.faults.push(Fault::new("log_leaves", named, "leaf", "it is not 32 bytes"));
        }
        self.placed.insert(place, row);
    }

    pub(super) fn count(&self) -> u64 {
        self.placed.len() as u64
    }

    /// Where each entry stands.
    pub(super) fn by_entry(&self) -> HashMap<Hash, Placed> {
        let named = |(place, row): (&i64, &LeafRow)| {
            let place = u64::try_from(*place).ok()?;
            Some((row.leaf.as_slice().try_into().ok()?, Placed { place, service: row.service_id.clone() }))
        };
        self.placed.iter().filter_map(named).collect()
    }
}

/// What is stored of the tree.
pub(super) struct Stored {
    hashes: Vec<HashRow>,
    edges: Vec<Vec<u8>>,
    checkpoints: Vec<(i64, String)>,
}

impl Stored {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let (hashes, edges) = (reader.hashes().await?, reader.edges().await?);
        Ok(Self { hashes, edges, checkpoints: reader.checkpoints().await? })
    }
}

/// The tree of the entries as they stand, and what was found about it.
pub(super) struct Judged {
    edge: Frontier,
    /// Its root at every size that a checkpoint has, once it is that large.
    roots: BTreeMap<i64, Option<Hash>>,
    /// The hashes that tiles above the lowest are made of.
    hashes: BTreeMap<(i64, i64), Hash>,
    /// Places whose entries are missing, or of no document.
    bad: BTreeSet<i64>,
    stored: Stored,
    pub(super) faults: Vec<Fault>,
}

impl Judged {
    pub(super) fn of(leaves: &Leaves, book: &Book, stored: Stored) -> Self {
        let mut this = Self {
            edge: Frontier::default(),
            roots: stored.checkpoints.iter().map(|(size, _)| (*size, None)).collect(),
            hashes: BTreeMap::new(),
            bad: BTreeSet::new(),
            stored,
            faults: leaves.faults.clone(),
        };
        let many = this.counted().unwrap_or_default().max(leaves.count());
        for (place, row) in &leaves.placed {
            match u64::try_from(*place) {
                Ok(at) if at < many => this.push(*place, row),
                _ => this.faults.push(Fault::new(
                    "log_leaves",
                    format_args!("place {place}"),
                    "place",
                    "the log is not so long",
                )),
            }
        }
        this.missing_at_the_end(book.without_entry);
        let mut nobodys: Vec<u64> = book.open.values().map(|placed| placed.place).collect();
        nobodys.sort_unstable();
        for place in nobodys {
            this.bad_place(place, "leaf", "no document that is here has this entry");
        }
        this
    }

    fn bad_place(&mut self, place: u64, column: &'static str, what: &'static str) {
        self.bad.insert(i64::try_from(place).unwrap_or(i64::MAX));
        self.faults.push(Fault::new("log_leaves", format_args!("place {place}"), column, what));
    }

    fn size(&self) -> i64 {
        i64::try_from(self.edge.size()).unwrap_or(i64::MAX)
    }

    fn push(&mut self, place: i64, row: &LeafRow) {
        // Behind a gap every place is another: nothing there can be judged before the gap is mended.
        while self.size() < place {
            self.bad_place(self.edge.size(), "place", "the entry that stood here is not there");
            self.append(&[]);
        }
        self.append(&row.leaf);
    }

    fn append(&mut self, entry: &[u8]) {
        self.note_root();
        let Ok(appended) = self.edge.push(entry) else { return };
        for (subtree, hash) in appended.completed {
            if subtree.level() > 0 && subtree.level() % 8 == 0 {
                let place = i64::try_from(subtree.index()).unwrap_or(i64::MAX);
                self.hashes.insert((i64::from(subtree.level() / 8), place), hash);
            }
        }
    }

    fn note_root(&mut self) {
        let (size, edge) = (self.size(), &self.edge);
        self.roots.entry(size).and_modify(|root| *root = Some(edge.root()));
    }

    /// How many entries the stored edge counts.
    fn counted(&self) -> Option<u64> {
        Some(Frontier::from_bytes(self.stored.edges.first()?).ok()?.size())
    }

    /// Entries that the edge counts, that are not there, and that documents miss.
    fn missing_at_the_end(&mut self, without_entry: u64) {
        let missing = self.counted().unwrap_or_default().saturating_sub(self.edge.size());
        if (1..=without_entry).contains(&missing) {
            let first = self.edge.size();
            for place in first..first + missing {
                self.bad_place(place, "place", "the entry that stood here is not there");
            }
        }
    }

    pub(super) fn checkpoints(&self) -> u64 {
        self.stored.checkpoints.len() as u64
    }

    /// Checkpoints first: they are signed. Then the edge and the stored hashes, as far as they can be judged.
    pub(super) fn judge(&mut self, desk: Option<&LogDesk>) {
        self.note_root();
        let (sure, wrong) = self.judge_checkpoints(desk);
        let edge_holds = self.judge_edge(sure, wrong);
        self.judge_hashes(sure, wrong, edge_holds);
    }

    /// Up to which size the tree is the one that was signed, and from which size on it is not.
    fn judge_checkpoints(&mut self, desk: Option<&LogDesk>) -> (i64, Option<i64>) {
        let (mut sure, mut wrong) = (0, None);
        for (size, note) in self.stored.checkpoints.clone() {
            let unclear = wrong.is_some() || self.bad.first().is_some_and(|bad| *bad < size);
            match (signed(desk, size, &note), self.roots.get(&size).copied().flatten()) {
                (Err(what), _) => self.checkpoint_fault(size, what),
                _ if unclear => {}
                (Ok((root, known)), Some(ours)) if root == ours => sure = if known { size } else { sure },
                (Ok((_, false)), Some(_)) => {
                    self.checkpoint_fault(size, "no key that is known signed it, and its root is another")
                }
                (Ok(_), Some(_)) => {
                    wrong = Some(size);
                    let places = format_args!("places {sure} to {}", size - 1);
                    self.faults.push(Fault::new("log_leaves", places, "leaf, place", OTHERS));
                }
                (Ok(_), None) => {
                    self.checkpoint_fault(size, "the log has fewer entries than it was signed over")
                }
            }
        }
        (sure, wrong)
    }

    fn checkpoint_fault(&mut self, size: i64, what: &'static str) {
        self.faults.push(Fault::new("log_checkpoints", format_args!("size {size}"), "note", what));
    }

    /// Whether the stored edge is that of the entries; `None` where that cannot be judged.
    fn judge_edge(&mut self, sure: i64, wrong: Option<i64>) -> Option<bool> {
        let holds = self.stored.edges == [self.edge.to_bytes()];
        if holds || wrong.is_some() || !self.bad.is_empty() {
            return holds.then_some(true);
        }
        let what = "it is not the edge of the entries";
        self.faults.push(Fault::new("log_edge", "id 1", "edge", what));
        if sure < self.size() {
            let places = format_args!("places {sure} to {}", self.size() - 1);
            let what = "or these were changed since the last checkpoint: nothing signed says which";
            self.faults.push(Fault::new("log_leaves", places, "leaf, place", what));
        }
        Some(false)
    }

    fn judge_hashes(&mut self, sure: i64, wrong: Option<i64>, edge_holds: Option<bool>) {
        let mut ours = std::mem::take(&mut self.hashes);
        for (level, place, hash) in std::mem::take(&mut self.stored.hashes) {
            let expected = ours.remove(&(level, place));
            if expected.is_some_and(|expected| hash == expected) {
                continue;
            }
            let what = if expected.is_some() {
                "it is not the hash of its entries"
            } else {
                "the tree has no such hash"
            };
            self.hash_fault(level, place, what, (sure, wrong, edge_holds));
        }
        for (level, place) in ours.into_keys() {
            self.hash_fault(level, place, "the hash is not there", (sure, wrong, edge_holds));
        }
    }

    /// Names a hash, unless entries below it are wrong or cannot be judged.
    fn hash_fault(
        &mut self,
        level: i64,
        place: i64,
        what: &'static str,
        (sure, wrong, edge_holds): (i64, Option<i64>, Option<bool>),
    ) {
        let width =
            u32::try_from(level * 8).ok().and_then(|height| 1_i64.checked_shl(height)).unwrap_or(i64::MAX);
        let (first, end) = (place.saturating_mul(width), place.saturating_add(1).saturating_mul(width));
        let below_is_wrong = self.bad.range(first..end).next().is_some()
            || wrong.is_some() && end > sure
            || edge_holds == Some(false) && end > sure && end <= self.size();
        if !below_is_wrong {
            let row = format_args!("level {level}, place {place}");
            self.faults.push(Fault::new("log_hashes", row, "hash", what));
        }
    }
}

/// The root that a checkpoint says, if its note is whole and of this size, and whether the log's key has signed it: a key that
/// was in use before is not known here.
fn signed(desk: Option<&LogDesk>, size: i64, note: &str) -> Result<(Hash, bool), &'static str> {
    const FORM: &str = "it is not a checkpoint of this size";
    const FALSE: &str = "its signature is false, or it is of another log";
    let note = Note::parse(note.as_bytes()).map_err(|_| FORM)?;
    let checkpoint = Checkpoint::parse(note.dangerous_text()).map_err(|_| FORM)?;
    if i64::try_from(checkpoint.size()) != Ok(size) {
        return Err(FORM);
    }
    let Some(desk) = desk else { return Ok((*checkpoint.root(), false)) };
    let keys = [desk.key().clone()];
    let trust = Trust { origin: desk.origin(), log: &keys, witnesses: &[], quorum: 0 };
    let known = match trust.open(&note, &Jws) {
        Ok(_) => true,
        Err(CheckpointError::Note(NoteError::Unsigned)) if checkpoint.origin() == desk.origin() => false,
        Err(_) => return Err(FALSE),
    };
    Ok((*checkpoint.root(), known))
}
