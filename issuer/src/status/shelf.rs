//! The published lists in memory, as they are served: one look at the database a second, however many call.
//!
//! What is on the shelf is of one state of the database, by its sequence. Whoever sees a newer one clears the shelf before
//! anything of it is served, so that of two calls the later never gets the older list, and lists of two publications are
//! never served side by side. The process that publishes looks at once, others of the same database within a second.
//! While the database is away the shelf is served as it is: each list says itself until when it counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::time::UnixTime;

use crate::store::{PublishedList, Statuses, StoreError};

/// Lists kept at a time. At most two and a half mebibytes each, and far less while few of their entries are marked.
const MOST: usize = 32;

/// Characters of a shard's name: 16 bytes in base64url.
const NAME: usize = 22;

/// One form of a list, and what caches know it by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) body: Bytes,
    /// The entity tag, in its quotes (RFC 9110 8.8.3).
    pub(crate) tag: String,
}

impl Written {
    fn new(body: Vec<u8>) -> Self {
        let tag = format!("\"{}\"", b64u(&sha256(&body)[..16]));
        Self { body: body.into(), tag }
    }
}

/// A list in both forms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) jwt: Written,
    pub(crate) cwt: Written,
    pub(crate) ttl: i64,
}

impl From<PublishedList> for Served {
    fn from(list: PublishedList) -> Self {
        Self { jwt: Written::new(list.jwt.into_bytes()), cwt: Written::new(list.cwt), ttl: list.ttl }
    }
}

/// The shelf.
#[derive(Default)]
pub(crate) struct Shelf {
    kept: Mutex<Kept>,
    /// Held by whoever looks at the database for all.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    sequence: u64,
    looked_at: Option<UnixTime>,
    /// Counts the times that somebody asked to look again: a look that began before has not seen what they did.
    again: u64,
    lists: HashMap<String, Arc<Served>>,
}

impl Kept {
    /// Clears the shelf if the state is another.
    fn turn(&mut self, sequence: u64) {
        if self.sequence != sequence {
            self.lists.clear();
            self.sequence = sequence;
        }
    }

    /// Puts a list of that state on the shelf; `false` for one older than what is there.
    fn put(&mut self, sequence: u64, shard: &str, served: &Arc<Served>) -> bool {
        if !(mutants::skips("status-shelf-older") || sequence >= self.sequence) {
            return false;
        }
        self.turn(sequence);
        if self.lists.len() >= MOST {
            let any = self.lists.keys().next().cloned();
            any.and_then(|any| self.lists.remove(&any));
        }
        self.lists.insert(shard.to_owned(), Arc::clone(served));
        true
    }
}

impl Shelf {
    /// The list of a shard; `None` where there is no such shard.
    pub(crate) async fn take<S: Statuses>(
        &self,
        store: &S,
        shard: &str,
        now: UnixTime,
    ) -> Result<Option<Arc<Served>>, StoreError> {
        // What cannot be a name is not worth a query.
        if shard.len() != NAME || !shard.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)) {
            return Ok(None);
        }
        loop {
            self.look(store, now).await?;
            if let Some(served) = self.kept().lists.get(shard) {
                return Ok(Some(Arc::clone(served)));
            }
            let Some((sequence, list)) = store.list(shard).await? else { return Ok(None) };
            let served = Arc::new(Served::from(list));
            if self.kept().put(sequence, shard, &served) {
                return Ok(Some(served));
            }
            // A publication came between the read and now, or the database was put back to what it was: look, and read again.
            self.look_again();
        }
    }

    /// Looks at the database if nobody has this second.
    async fn look<S: Statuses>(&self, store: &S, now: UnixTime) -> Result<(), StoreError> {
        if self.is_looked_at(now) {
            return Ok(());
        }
        let looking = self.looking.lock().await;
        if !self.is_looked_at(now) {
            let again = self.kept().again;
            let found = store.sequence().await;
            let mut kept = self.kept();
            match found {
                Ok(sequence) => kept.turn(sequence),
                Err(fault) if kept.lists.is_empty() => return Err(fault),
                Err(_) => tracing::warn!("the status lists are served from memory: the database is away"),
            }
            kept.looked_at = Some(now).filter(|_| kept.again == again);
        }
        drop(looking);
        Ok(())
    }

    fn is_looked_at(&self, now: UnixTime) -> bool {
        self.kept().looked_at == Some(now)
    }

    /// The next call looks at the database: this process has published.
    pub(crate) fn look_again(&self) {
        let mut kept = self.kept();
        (kept.looked_at, kept.again) = (None, kept.again + 1);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use vouchsafe_service::entropy::Entropy;

    use super::*;
    use crate::store::{Asked, Change, Memory, Reserve, ReserveRefusal, Snapshot};

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    const B: &str = "BAAAAAAAAAAAAAAAAAAAAA";
    const NOW: UnixTime = UnixTime(1_795_000_000);

    /// A database that counts what it is asked, and can be away.
    #[derive(Default)]
    struct Watched {
        memory: Memory,
        looks: AtomicUsize,
        reads: AtomicUsize,
        away: AtomicBool,
    }

    impl Watched {
        fn count(&self, counter: &AtomicUsize) -> Result<(), StoreError> {
            counter.fetch_add(1, Ordering::SeqCst);
            if self.away.load(Ordering::SeqCst) { Err(StoreError::Unavailable) } else { Ok(()) }
        }

        fn asked(&self) -> (usize, usize) {
            (self.looks.load(Ordering::SeqCst), self.reads.load(Ordering::SeqCst))
        }

        async fn publish(&self, mark: &str) {
            let snapshot = self.memory.snapshot().await.unwrap();
            assert!(self.memory.publish(&snapshot, &[list(A, mark), list(B, mark)], NOW).await.unwrap());
        }
    }

    impl Statuses for Watched {
        async fn open_shard(&self) -> Result<Option<String>, StoreError> {
            self.memory.open_shard().await
        }

        async fn add_shard(&self, entries: u64, list: &PublishedList) -> Result<(), StoreError> {
            self.memory.add_shard(entries, list).await
        }

        async fn reserve(
            &self,
            reserve: &Reserve,
            entropy: &dyn Entropy,
        ) -> Result<Result<Vec<u64>, ReserveRefusal>, StoreError> {
            self.memory.reserve(reserve, entropy).await
        }

        async fn ask(&self, changes: &[Change<'_>]) -> Result<Vec<Asked>, StoreError> {
            self.memory.ask(changes).await
        }

        async fn published_at(&self) -> Result<UnixTime, StoreError> {
            self.memory.published_at().await
        }

        async fn snapshot(&self) -> Result<Snapshot, StoreError> {
            self.memory.snapshot().await
        }

        async fn publish(
            &self,
            snapshot: &Snapshot,
            lists: &[PublishedList],
            now: UnixTime,
        ) -> Result<bool, StoreError> {
            self.memory.publish(snapshot, lists, now).await
        }

        async fn list(&self, shard: &str) -> Result<Option<(u64, PublishedList)>, StoreError> {
            self.count(&self.reads)?;
            self.memory.list(shard).await
        }

        async fn sequence(&self) -> Result<u64, StoreError> {
            self.count(&self.looks)?;
            self.memory.sequence().await
        }

        async fn clean(&self, before: UnixTime, most: u32) -> Result<bool, StoreError> {
            self.memory.clean(before, most).await
        }
    }

    fn list(shard: &str, mark: &str) -> PublishedList {
        PublishedList {
            shard: shard.to_owned(),
            jwt: mark.to_owned(),
            cwt: mark.as_bytes().to_vec(),
            issued_at: NOW,
            expires_at: NOW.plus(3600),
            ttl: 900,
        }
    }

    async fn database() -> Watched {
        let database = Watched::default();
        for shard in [A, B] {
            database.memory.add_shard(64, &list(shard, "first")).await.unwrap();
        }
        database
    }

    async fn said(shelf: &Shelf, database: &Watched, shard: &str, now: UnixTime) -> String {
        let served = shelf.take(database, shard, now).await.unwrap().unwrap();
        String::from_utf8(served.jwt.body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn one_look_a_second_and_one_read_a_list_however_many_call() {
        let (shelf, database) = (Shelf::default(), database().await);
        for second in 0..3 {
            for _ in 0..50 {
                assert_eq!(said(&shelf, &database, A, NOW.plus(second)).await, "first");
            }
        }
        assert_eq!(database.asked(), (3, 1));
        for name in ["../../etc/passwd", "AAAAAAAAAAAAAAAAAAAAA\0", "../AAAAAAAAAAAAAAAAAAA", ""] {
            assert!(shelf.take(&database, name, NOW.plus(2)).await.unwrap().is_none());
        }
        assert_eq!(database.asked(), (3, 1), "what cannot be a name is not looked for");
        assert!(shelf.take(&database, "CAAAAAAAAAAAAAAAAAAAAA", NOW.plus(2)).await.unwrap().is_none());
        assert_eq!(database.asked(), (3, 2));
    }

    #[tokio::test]
    async fn a_publication_replaces_all_lists_at_once_whoever_published() {
        let (shelf, other, database) = (Shelf::default(), Shelf::default(), database().await);
        for shelf in [&shelf, &other] {
            assert_eq!(said(shelf, &database, A, NOW).await, "first");
        }
        assert_eq!(said(&other, &database, B, NOW).await, "first");
        database.publish("second").await;
        shelf.look_again();
        assert_eq!(said(&shelf, &database, A, NOW).await, "second", "this one published");
        for shard in [A, B] {
            assert_eq!(said(&other, &database, shard, NOW).await, "first", "all of it, for a second at most");
        }
        for shard in [B, A] {
            assert_eq!(said(&other, &database, shard, NOW.plus(1)).await, "second");
        }
        // A list that was not on the shelf brings the others with it.
        let third = Shelf::default();
        assert_eq!(said(&third, &database, A, NOW).await, "second");
        database.publish("third").await;
        assert_eq!(said(&third, &database, B, NOW).await, "third");
        assert_eq!(said(&third, &database, A, NOW).await, "third");
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_felt_only_by_who_needs_it() {
        let (shelf, database) = (Shelf::default(), database().await);
        assert_eq!(said(&shelf, &database, A, NOW).await, "first");
        database.away.store(true, Ordering::SeqCst);
        assert_eq!(said(&shelf, &database, A, NOW.plus(1)).await, "first");
        assert_eq!(shelf.take(&database, B, NOW.plus(1)).await, Err(StoreError::Unavailable));
        let empty = Shelf::default();
        assert_eq!(empty.take(&database, A, NOW).await, Err(StoreError::Unavailable));
        database.away.store(false, Ordering::SeqCst);
        database.publish("second").await;
        assert_eq!(said(&shelf, &database, A, NOW.plus(2)).await, "second");
    }

    #[tokio::test]
    async fn a_database_that_was_put_back_is_believed() {
        let (shelf, later, earlier) = (Shelf::default(), database().await, database().await);
        for mark in ["second", "third"] {
            later.publish(mark).await;
        }
        assert_eq!(said(&shelf, &later, A, NOW).await, "third");
        assert_eq!(said(&shelf, &earlier, B, NOW).await, "first");
        assert_eq!(said(&shelf, &earlier, A, NOW).await, "first");
    }

    /// Of two who read, the slower read before a publication and the faster after it.
    fn is_older_kept() -> bool {
        let mut kept = Kept::default();
        let (old, new) = (Arc::new(list(A, "old").into()), Arc::new(list(A, "new").into()));
        assert!(kept.put(2, A, &new));
        kept.put(1, A, &old);
        kept.lists[A] == old
    }

    #[test]
    fn nobody_gets_the_older_after_the_newer() {
        assert!(!is_older_kept());
        #[cfg(feature = "mutants")]
        assert!(vouchsafe_mutants::without("status-shelf-older", is_older_kept));
    }

    #[test]
    fn the_shelf_is_of_so_many_lists() {
        let mut kept = Kept::default();
        for number in 0..2 * MOST {
            let shard = format!("{number:022}");
            assert!(kept.put(1, &shard, &Arc::new(list(&shard, "x").into())));
            assert!(kept.lists.contains_key(&shard) && kept.lists.len() <= MOST);
        }
    }
}
