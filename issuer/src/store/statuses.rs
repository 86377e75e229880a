//! Status lists at rest: shards, who has which entry, what the next publication changes, what is published now.
//!
//! An index is handed out in a transaction of its own, before the copy that carries it is signed: what comes of the copy,
//! the index is used up. A change waits until a publication takes it, and a publication replaces every list at once.

use std::ops::Range;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{self, Entropy};

use super::{Mac, StoreError};

/// A list as it is served.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishedList {
    /// The shard's name.
    pub shard: String,
    /// The token as JWT.
    pub jwt: String,
    /// The token as CWT.
    pub cwt: Vec<u8>,
    /// When it was signed.
    pub issued_at: UnixTime,
    /// When it stops saying anything.
    pub expires_at: UnixTime,
    /// For how many seconds it may be kept.
    pub ttl: i64,
}

/// Entries wanted for the copies of one batch.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// The shard.
    pub shard: String,
    /// The credential type.
    pub type_id: String,
    /// Whose copies.
    pub person: Mac,
    /// How many.
    pub count: u32,
    /// When the copies run out.
    pub until: UnixTime,
}

/// Why no entries were handed out.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum ReserveRefusal {
    /// As many entries of the shard as may be are in use.
    #[error("the shard is full; open another")]
    Full,
    /// The person's copies are suspended, or will be by the next publication.
    #[error("the person's copies are suspended; restore them before issuing more")]
    Suspended,
}

/// A change of one person's copies of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The credential type.
    pub type_id: &'a str,
    /// Whose copies.
    pub person: Mac,
    /// To what.
    pub to: Standing,
}

/// What became of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The next publication takes it.
    Waiting,
    /// The person has no copies of this type with a status.
    Nobody,
    /// All of the person's copies are revoked for good.
    Final,
}

/// A shard and those of its entries that are not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its name.
    pub name: String,
    /// How many entries it has.
    pub entries: u64,
    /// Index and standing.
    pub marked: Vec<(u64, Standing)>,
}

/// Everything as the next publication will say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Counts publications and changes: which of them this snapshot follows.
    pub sequence: u64,
    /// How many changes it takes.
    pub changes: u64,
    /// Every shard.
    pub shards: Vec<Shard>,
}

/// Status lists and their entries.
pub trait Statuses: Send + Sync + 'static {
    /// A shard with room.
    fn open_shard(&self) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Adds a shard with its first list, which says nothing of anybody.
    fn add_shard(
        &self,
        entries: u64,
        list: &PublishedList,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Hands out indices at random, in the order in which they were drawn; whatever follows, they are used up.
    fn reserve(
        &self,
        reserve: &Reserve,
        entropy: &dyn Entropy,
    ) -> impl Future<Output = Result<Result<Vec<u64>, ReserveRefusal>, StoreError>> + Send;

    /// Notes changes for the next publication, all in one transaction; the answers are in the order of the changes.
    fn ask(&self, changes: &[Change<'_>]) -> impl Future<Output = Result<Vec<Asked>, StoreError>> + Send;

    /// When lists were published last; never is 0.
    fn published_at(&self) -> impl Future<Output = Result<UnixTime, StoreError>> + Send;

    /// What the next publication says.
    fn snapshot(&self) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Takes the snapshot's changes and replaces all its lists in one transaction; `false` when another publication came
    /// between, or a change.
    fn publish(
        &self,
        snapshot: &Snapshot,
        lists: &[PublishedList],
        now: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The list of a shard as it is published, and the sequence at that moment.
    fn list(
        &self,
        shard: &str,
    ) -> impl Future<Output = Result<Option<(u64, PublishedList)>, StoreError>> + Send;

    /// Counts publications, changes and removals: while it stands, no list is another.
    fn sequence(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes up to `most` entries of one shard all of whose copies ran out before `before`, and with the last of them the
    /// shard; `false` when there is none. From the first on nothing of the shard is handed out any more, since an index
    /// that is gone would be handed out again. A shard with an entry of a person who is suspended, or whom a change
    /// awaits, stays: it is where that is remembered.
    fn clean(&self, before: UnixTime, most: u32) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What is known of a shard that may be removed.
#[derive(Clone, Copy)]
pub(super) struct Leftover {
    /// Whether it ever had an entry.
    pub(super) used: bool,
    /// Whether a copy in it has not run out, or may not have.
    pub(super) needed: bool,
    /// Whether a person in it is suspended, or a change awaits one.
    pub(super) held: bool,
}

impl Leftover {
    pub(super) fn is_over(self) -> bool {
        self.used
            && (mutants::skips("store-status-needed") || !self.needed)
            && (mutants::skips("store-status-held") || !self.held)
    }
}

/// Whether so many more entries of a shard may be used: at most half, so that an index says nothing about how many there are.
pub(super) fn has_room(entries: u64, used: u64, more: u64) -> bool {
    mutants::skips("store-status-half") || used + more <= entries / 2
}

/// An index of a shard, any of those that are written alike: one with a digit less would make its copy a byte shorter, and
/// that would be seen through encryption.
pub(super) fn draw(entries: u64, entropy: &dyn Entropy) -> u64 {
    let alike = alike(entries);
    alike.start + u64::from_le_bytes(entropy::bytes(entropy)) % (alike.end - alike.start)
}

/// The indices with as many digits as most have. They are at least the half of a shard that is ever used.
fn alike(entries: u64) -> Range<u64> {
    let mut most = 0..entries.min(10);
    let mut start = 10;
    while start < entries {
        let digits = start..entries.min(start.saturating_mul(10));
        start = digits.end;
        if digits.end - digits.start > most.end - most.start {
            most = digits;
        }
    }
    most
}

/// Whether a change may wait, given the standings of the person's entries and the change that waits already.
pub(super) fn judge(
    standings: impl IntoIterator<Item = Standing>,
    waiting: Option<Standing>,
    to: Standing,
) -> Asked {
    let (mut any, mut live) = (false, false);
    for standing in standings {
        any = true;
        live |= standing != Standing::Revoked;
    }
    if !any {
        return Asked::Nobody;
    }
    // Once somebody was told that copies are revoked, nothing brings them back, and no later word softens it.
    let open = live && (waiting != Some(Standing::Revoked) || to == Standing::Revoked);
    if mutants::skips("store-status-final") || open { Asked::Waiting } else { Asked::Final }
}

/// A standing as it stands in a row; unknown is never written.
pub(super) fn column(standing: Standing) -> i64 {
    i64::from(standing.value().unwrap_or(1))
}

pub(super) fn standing(column: i64) -> Result<Standing, StoreError> {
    match u8::try_from(column).map(Standing::of) {
        Ok(Standing::Unknown) | Err(_) => Err(StoreError::Damaged),
        Ok(standing) => Ok(standing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_written_alike_and_there_are_enough_of_them() {
        assert_eq!((alike(64), alike(1 << 10), alike(1 << 20)), (10..64, 100..1000, 100_000..1_000_000));
        for power in 1..=40 {
            let (entries, alike) = (1 << power, alike(1 << power));
            assert!(alike.end <= entries && has_room(entries, 0, entries / 2), "{alike:?}");
            assert!(alike.end - alike.start >= entries / 2, "{alike:?}");
            assert_eq!(alike.start.to_string().len(), (alike.end - 1).to_string().len());
        }
    }
}
