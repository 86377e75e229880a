//! The log, in every store.

use std::sync::Arc;

use vouchsafe_protocol::tlog::tree::{Frontier, leaf_hash, node_hash};

use super::super::*;
use super::{BUSY_TRIES, START, a_decision_is_whole, by_lease, consume, leased, open, sqlite, when_free};

/// Decides these requests, each in a transaction of its own.
async fn decide(store: &dyn Store, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        open(store, [number]).await;
        let lease = leased(store, number, START).await;
        by_lease(store, number, &lease, START).await.unwrap();
    }
}

fn tree(entries: impl IntoIterator<Item = u8>) -> Frontier {
    let mut edge = Frontier::default();
    entries.into_iter().for_each(|number| drop(edge.push(&[number; 32]).unwrap()));
    edge
}

pub(super) async fn entries_have_their_places_from_the_transaction_that_wrote_them(store: &dyn Store) {
    assert_eq!(store.log_edge().await.unwrap(), Frontier::default());
    decide(store, 1..=3).await;
    // Read from outside a writing transaction: the places were there when the decisions were.
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[1; 32], [2; 32], [3; 32]]);
    assert_eq!(store.log_entries(1..2).await.unwrap(), [[2; 32]]);
    assert_eq!(store.log_place([3; 32]).await.unwrap(), Some(2));
    assert_eq!(store.log_place([4; 32]).await.unwrap(), None);
    assert_eq!(store.log_edge().await.unwrap(), tree(1..=3));
}

pub(super) async fn what_is_not_decided_is_not_in_the_log(store: &dyn Store) {
    open(store, [1, 2]).await;
    let lease = leased(store, 1, START).await;
    let stale = consume(2, Ground::Lease { fence: 7 }, START);
    let members = vec![stale, consume(1, Ground::Lease { fence: lease.fence }, START)];
    let results = store.decide_many(members).await.unwrap();
    assert_eq!((results[0].is_ok(), results[1].is_ok()), (false, true));
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[1; 32]]);
    assert_eq!(store.log_edge().await.unwrap(), tree([1]));
}

pub(super) async fn hashes_of_full_tiles_are_kept(store: &dyn Store) {
    open(store, 0..=255).await;
    let mut members = Vec::new();
    for number in 0..=255 {
        let lease = leased(store, number, START).await;
        members.push(consume(number, Ground::Lease { fence: lease.fence }, START));
    }
    let (last, most) = members.split_last().unwrap();
    store.decide_many(most.to_vec()).await.unwrap();
    assert!(store.log_hashes(1, 0..9).await.unwrap().is_empty(), "a tile that is not full changes yet");
    store.decide_many(vec![last.clone()]).await.unwrap();
    let entries = store.log_entries(0..300).await.unwrap();
    let mut level: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(level.len(), 256);
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    assert_eq!(store.log_hashes(1, 0..9).await.unwrap(), level);
    assert_eq!(store.log_edge().await.unwrap().root(), level[0]);
    assert!(store.log_hashes(1, 1..9).await.unwrap().is_empty());
    assert!(store.log_hashes(2, 0..9).await.unwrap().is_empty());
}

/// However many decide at once, the places have no gap, and the tree is the one over them.
pub(super) async fn many_writers_share_one_log(store: Arc<dyn Store>) {
    open(&*store, 1..=40).await;
    let mut writers = Vec::new();
    for number in 1..=40 {
        let lease = leased(&*store, number, START).await;
        let (store, ground) = (store.clone(), Ground::Lease { fence: lease.fence });
        writers.push(tokio::spawn(async move {
            let member = consume(number, ground, START);
            when_free!(store.decide_many(vec![member.clone()])).unwrap().remove(0).unwrap();
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let entries = store.log_entries(0..99).await.unwrap();
    assert_eq!(entries.len(), 40);
    assert_eq!(store.log_edge().await.unwrap(), tree(entries.iter().map(|entry| entry[0])));
}

pub(super) async fn a_checkpoint_is_published_once(store: &dyn Store) {
    let note = |size, note: &str| Published { size, note: note.to_owned() };
    assert_eq!(store.log_checkpoint().await.unwrap(), None);
    assert_eq!(store.log_publish(note(2, "a")).await.unwrap(), note(2, "a"));
    assert_eq!(store.log_publish(note(2, "b")).await.unwrap(), note(2, "a"), "the first one stands");
    assert_eq!(store.log_publish(note(5, "c")).await.unwrap(), note(5, "c"));
    assert_eq!(store.log_publish(note(3, "d")).await.unwrap(), note(5, "c"), "and the newest is shown");
    assert_eq!(store.log_checkpoint().await.unwrap(), Some(note(5, "c")));
}

fn notice(number: u8, id: &str, digest: u8) -> Notice {
    Notice {
        what: "policy",
        id: id.to_owned(),
        digest: [digest; 32],
        jti: format!("notice_{number}"),
        jws: "header.claims.signature.tag".into(),
        entry: [number; 32],
    }
}

pub(super) async fn what_is_in_force_is_stated_where_it_changes(store: &dyn Store) {
    assert_eq!(store.log_in_force("policy", "a").await.unwrap(), None);
    assert!(store.log_notice(notice(1, "a", 7)).await.unwrap());
    assert!(!store.log_notice(notice(2, "a", 7)).await.unwrap(), "it is in force already");
    assert!(store.log_notice(notice(3, "b", 7)).await.unwrap());
    assert!(store.log_notice(notice(4, "a", 8)).await.unwrap());
    assert!(store.log_notice(notice(5, "a", 7)).await.unwrap(), "what was before may come back");
    assert_eq!(store.log_in_force("policy", "a").await.unwrap(), Some([7; 32]));
    assert_eq!(store.log_in_force("key", "a").await.unwrap(), None);
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[1; 32], [3; 32], [4; 32], [5; 32]]);
    assert_eq!(store.log_edge().await.unwrap(), tree([1, 3, 4, 5]));
}

/// Replicas that start together.
pub(super) async fn what_many_state_at_once_is_stated_once(store: Arc<dyn Store>) {
    let all = (0..10).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { when_free!(store.log_notice(notice(number, "a", 7))).unwrap() })
    });
    let mut stated = 0;
    for one in all.collect::<Vec<_>>() {
        stated += usize::from(one.await.unwrap());
    }
    assert_eq!((stated, store.log_edge().await.unwrap().size()), (1, 1));
}

pub(super) async fn a_note_gets_signatures_where_nobody_was_first(store: &dyn Store) {
    let note = |note: &str| Published { size: 2, note: note.to_owned() };
    assert!(!store.log_cosigned(note("a"), "b".into()).await.unwrap(), "there is none");
    store.log_publish(note("a")).await.unwrap();
    assert!(store.log_cosigned(note("a"), "b".into()).await.unwrap());
    assert!(!store.log_cosigned(note("a"), "c".into()).await.unwrap(), "another was first");
    assert_eq!(store.log_checkpoint().await.unwrap(), Some(note("b")));
}

/// A version before the log had a tree may still write while this one comes.
#[tokio::test]
async fn an_entry_without_a_place_gets_it_with_the_next() {
    let (_folder, store) = sqlite().await;
    let mut writing = store.database().write().await.unwrap();
    sqlx::query("INSERT INTO log_leaves (service_id, leaf) VALUES ('https://bus.example', $1)")
        .bind(vec![7; 32])
        .execute(&mut *writing)
        .await
        .unwrap();
    writing.commit().await.unwrap();
    assert_eq!(store.log_place([7; 32]).await.unwrap(), None);
    a_decision_is_whole(&store).await;
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[7; 32], [1; 32]]);
    assert_eq!(store.log_edge().await.unwrap().size(), 2);
}
