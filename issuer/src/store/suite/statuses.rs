//! Status lists: entries once and at random, changes that wait, publications that replace everything.

use std::collections::BTreeSet;

use vouchsafe_protocol::status::Standing;
use vouchsafe_service::entropy::OsEntropy;

use super::*;
use crate::status::shelf::Shelf;

fn list(shard: &str, mark: &str) -> PublishedList {
    PublishedList {
        shard: shard.to_owned(),
        jwt: mark.to_owned(),
        cwt: mark.as_bytes().to_vec(),
        issued_at: NOW,
        expires_at: LATER,
        ttl: 900,
    }
}

fn wants(person: u8, count: u32) -> Reserve {
    Reserve {
        shard: "a".to_owned(),
        type_id: "clearance".to_owned(),
        person: mac(person),
        count,
        until: LATER,
    }
}

fn change(person: u8, to: Standing) -> Change<'static> {
    Change { type_id: "clearance", person: mac(person), to }
}

async fn opened<S: Store>(store: S) -> S {
    assert_eq!(store.open_shard().await.unwrap(), None);
    store.add_shard(64, &list("a", "first")).await.unwrap();
    store
}

async fn reserved<S: Store>(store: &S, person: u8, count: u32) -> Vec<u64> {
    when_free!(store.reserve(&wants(person, count), &OsEntropy::new())).unwrap().unwrap()
}

async fn marked<S: Store>(store: &S) -> Vec<(u64, Standing)> {
    store.snapshot().await.unwrap().shards.remove(0).marked
}

/// Publishes what waits; how many changes it took.
async fn publish<S: Store>(store: &S, mark: &str) -> u64 {
    let snapshot = store.snapshot().await.unwrap();
    assert!(store.publish(&snapshot, &[list("a", mark)], NOW).await.unwrap());
    snapshot.changes
}

fn all(indices: &[u64], standing: Standing) -> Vec<(u64, Standing)> {
    let mut all: Vec<_> = indices.iter().map(|idx| (*idx, standing)).collect();
    all.sort_unstable();
    all
}

pub(super) async fn entries_are_handed_out_once_at_random_and_only_half_of_them<S: Store>(store: S) {
    let store = opened(store).await;
    assert_eq!(store.open_shard().await.unwrap().as_deref(), Some("a"));
    let drawn = [reserved(&store, 1, 15).await, reserved(&store, 2, 15).await].concat();
    assert!(drawn.iter().all(|idx| (10..64).contains(idx)), "each has two digits");
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 30);
    assert!(!drawn.is_sorted(), "thirty in a row by chance is one in 10^32");
    let more = store.reserve(&wants(3, 3), &OsEntropy::new()).await.unwrap();
    assert_eq!(more, Err(ReserveRefusal::Full));
    reserved(&store, 3, 2).await;
    assert_eq!(store.open_shard().await.unwrap(), None);
    let unknown = Reserve { shard: "b".to_owned(), ..wants(1, 1) };
    assert_eq!(store.reserve(&unknown, &OsEntropy::new()).await.unwrap(), Err(ReserveRefusal::Full));
}

pub(super) async fn a_change_waits_for_a_publication_and_takes_all_of_a_persons_entries<S: Store>(store: S) {
    let store = opened(store).await;
    let (mine, other) = (reserved(&store, 1, 8).await, reserved(&store, 2, 8).await);
    let asked = store.ask(&[change(1, Standing::Suspended), change(9, Standing::Revoked)]).await.unwrap();
    assert_eq!(asked, [Asked::Waiting, Asked::Nobody]);
    let (_, before) = store.list("a").await.unwrap().unwrap();
    assert_eq!((before.jwt.as_str(), before.cwt.as_slice()), ("first", &b"first"[..]));
    assert_eq!(store.published_at().await.unwrap(), UnixTime(0));
    assert_eq!(marked(&store).await, all(&mine, Standing::Suspended));
    assert_eq!(publish(&store, "second").await, 1);
    assert_eq!(store.list("a").await.unwrap().unwrap().1.jwt, "second");
    assert_eq!((store.published_at().await.unwrap(), store.list("b").await.unwrap().is_none()), (NOW, true));
    assert!(store.list("a\0").await.unwrap().is_none(), "a name that no server can hold is no failure");
    assert_eq!(marked(&store).await, all(&mine, Standing::Suspended));
    store.ask(&[change(1, Standing::Valid), change(2, Standing::Revoked)]).await.unwrap();
    assert_eq!(publish(&store, "third").await, 2);
    assert_eq!(marked(&store).await, all(&other, Standing::Revoked));
    assert_eq!(publish(&store, "fourth").await, 0);
}

pub(super) async fn what_is_revoked_stays_so_and_what_is_suspended_gets_no_more<S: Store>(store: S) {
    let store = opened(store).await;
    let first = reserved(&store, 1, 2).await;
    let ask = async |to| store.ask(&[change(1, to)]).await.unwrap()[0];
    assert_eq!(ask(Standing::Suspended).await, Asked::Waiting);
    let refused = store.reserve(&wants(1, 1), &OsEntropy::new()).await.unwrap();
    assert_eq!(refused, Err(ReserveRefusal::Suspended), "before it is published");
    publish(&store, "second").await;
    let refused = store.reserve(&wants(1, 1), &OsEntropy::new()).await.unwrap();
    assert_eq!(refused, Err(ReserveRefusal::Suspended));
    assert_eq!(ask(Standing::Revoked).await, Asked::Waiting);
    assert_eq!(ask(Standing::Valid).await, Asked::Final, "revoked by the next publication");
    publish(&store, "third").await;
    for to in [Standing::Valid, Standing::Suspended, Standing::Revoked] {
        assert_eq!(ask(to).await, Asked::Final);
    }
    // New copies of the same person are new: what befell the old ones does not touch them, nor do they bring those back.
    let second = reserved(&store, 1, 2).await;
    assert_eq!(ask(Standing::Suspended).await, Asked::Waiting);
    let mut both = [all(&first, Standing::Revoked), all(&second, Standing::Suspended)].concat();
    both.sort_unstable();
    assert_eq!(marked(&store).await, both);
}

pub(super) async fn a_change_takes_what_was_handed_out_before_it<S: Store>(store: S) {
    let store = opened(store).await;
    let old = reserved(&store, 1, 2).await;
    store.ask(&[change(1, Standing::Revoked)]).await.unwrap();
    reserved(&store, 1, 2).await;
    publish(&store, "second").await;
    assert_eq!(marked(&store).await, all(&old, Standing::Revoked));
}

pub(super) async fn a_publication_that_was_overtaken_changes_nothing<S: Store>(store: S) {
    let store = opened(store).await;
    reserved(&store, 1, 2).await;
    let early = store.snapshot().await.unwrap();
    store.ask(&[change(1, Standing::Suspended)]).await.unwrap();
    assert!(!store.publish(&early, &[list("a", "early")], NOW).await.unwrap(), "a change came between");
    let late = store.snapshot().await.unwrap();
    assert!(store.publish(&late, &[list("a", "late")], NOW).await.unwrap());
    assert!(!store.publish(&late, &[list("a", "again")], NOW).await.unwrap(), "another came between");
    assert_eq!(store.list("a").await.unwrap().unwrap().1.jwt, "late");
}

pub(super) async fn many_at_once_never_share_an_entry<S: Store>(store: S) {
    let store = Arc::new(opened(store).await);
    let tries = (0..8).map(|person| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { reserved(&*store, person, 4).await })
    });
    let mut drawn = BTreeSet::new();
    for one in tries.collect::<Vec<_>>() {
        assert!(one.await.unwrap().into_iter().all(|idx| drawn.insert(idx)));
    }
    assert_eq!(drawn.len(), 32);
}

pub(super) async fn the_sequence_tells_that_lists_are_others<S: Store>(store: S) {
    let store = opened(store).await;
    let first = store.sequence().await.unwrap();
    assert_eq!(store.list("a").await.unwrap().unwrap().0, first);
    reserved(&store, 1, 2).await;
    assert_eq!(store.sequence().await.unwrap(), first, "an entry that is handed out is valid in every list");
    publish(&store, "second").await;
    let second = store.sequence().await.unwrap();
    let (at, list) = store.list("a").await.unwrap().unwrap();
    assert!(second > first && (at, list.jwt.as_str()) == (second, "second"));
}

pub(super) async fn a_list_goes_when_all_of_its_copies_have_run_out<S: Store>(store: S) {
    let store = opened(store).await;
    store.add_shard(64, &list("b", "unused")).await.unwrap();
    reserved(&store, 1, 2).await;
    let later = Reserve { until: LATER.plus(1), ..wants(2, 2) };
    store.reserve(&later, &OsEntropy::new()).await.unwrap().unwrap();
    store.ask(&[change(2, Standing::Suspended)]).await.unwrap();
    assert!(!store.clean(LATER.plus(1), 9).await.unwrap(), "one copy has not run out");
    assert!(!store.clean(LATER.plus(2), 9).await.unwrap(), "a change awaits one of its people");
    publish(&store, "second").await;
    assert!(!store.clean(LATER.plus(2), 9).await.unwrap(), "one of its people is suspended");
    store.ask(&[change(2, Standing::Valid)]).await.unwrap();
    publish(&store, "third").await;
    let before = store.sequence().await.unwrap();
    assert!(store.clean(LATER.plus(2), 3).await.unwrap(), "three of four entries");
    assert!(store.list("a").await.unwrap().is_some());
    let closed = store.reserve(&wants(1, 1), &OsEntropy::new()).await.unwrap();
    assert_eq!(closed, Err(ReserveRefusal::Full), "an index that is gone is not handed out again");
    assert_eq!(store.open_shard().await.unwrap().as_deref(), Some("b"));
    assert!(store.clean(LATER.plus(2), 3).await.unwrap(), "the last, and the list");
    assert!(store.sequence().await.unwrap() > before && store.list("a").await.unwrap().is_none());
    assert!(!store.clean(LATER.plus(2), 9).await.unwrap(), "a list that was never used stays");
    assert_eq!(store.snapshot().await.unwrap().shards.len(), 1);
    assert_eq!(store.ask(&[change(1, Standing::Revoked)]).await.unwrap(), [Asked::Nobody]);
    let gone = store.reserve(&wants(1, 1), &OsEntropy::new()).await.unwrap();
    assert_eq!(gone, Err(ReserveRefusal::Full), "whoever was about to use it opens another");
}

pub(super) async fn a_publication_shows_on_every_shelf<S: Store>(store: S) {
    const NAME: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    store.add_shard(64, &list(NAME, "first")).await.unwrap();
    let (ours, another) = (Shelf::default(), Shelf::default());
    let said =
        async |shelf: &Shelf, now| shelf.take(&store, NAME, now).await.unwrap().unwrap().jwt.body.clone();
    assert_eq!((said(&ours, NOW).await, said(&another, NOW).await), ("first".into(), "first".into()));
    let snapshot = store.snapshot().await.unwrap();
    assert!(store.publish(&snapshot, &[list(NAME, "second")], NOW).await.unwrap());
    ours.look_again();
    assert_eq!((said(&ours, NOW).await, said(&another, NOW).await), ("second".into(), "first".into()));
    assert_eq!(said(&another, NOW.plus(1)).await, "second");
}
