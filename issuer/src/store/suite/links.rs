//! Each person is held to one link secret.

use std::ops::RangeInclusive;

use jiff::civil::{Date, date};

use super::*;

const FIRST: Date = date(2026, 11, 21);
const NEXT: Date = date(2026, 11, 22);

fn link(person: u8, nym: u8, registered: Option<Date>, since: Date) -> Link {
    Link { person: mac(person), nym: mac(nym), registered, since }
}

/// A batch that registers a secret on a day.
fn first(token: u8, person: u8, nym: u8, since: Date) -> Issue {
    linked(token, link(person, nym, None, since))
}

fn linked(token: u8, link: Link) -> Issue {
    Issue { link: Some(link), ..issue(token, &[token]) }
}

/// A store with tokens 11 and so on.
async fn with_tokens<S: Store>(store: S, count: u8) -> S {
    let store = enrolled(store).await;
    tokens(&store, 1..=count).await;
    store
}

/// More tokens of person 1, one for each offer.
async fn tokens<S: Store>(store: &S, codes: RangeInclusive<u8>) {
    for code in codes {
        store.add_offer(offer(code, 1)).await.unwrap();
        store.redeem(&redeem(code, code + 50, code + 10)).await.unwrap().unwrap();
    }
}

/// Releases a person, whom the register knows by this one name.
async fn release<S: Store>(store: &S, person: u8) -> bool {
    store.release(mac(person), &[mac(person)], NOW).await.unwrap()
}

pub(super) async fn a_person_has_one_link_secret_and_nobody_elses<S: Store>(store: S) {
    let store = with_tokens(store, 4).await;
    let registered = async |person, nym| store.registered(mac(person), mac(nym)).await.unwrap();
    let other = Err(IssueRefusal::Link(LinkRefusal::Other));
    assert_eq!(registered(1, 101).await, Ok(None));
    assert_eq!(store.issue(&first(11, 1, 101, FIRST)).await.unwrap(), Ok(()));
    assert_eq!(registered(1, 101).await, Ok(Some(FIRST)));
    // Another secret of this person, and this secret of another person.
    for (person, nym) in [(1, 102), (2, 101)] {
        assert_eq!(registered(person, nym).await, Err(LinkRefusal::Other));
        assert_eq!(store.issue(&first(12, person, nym, FIRST)).await.unwrap(), other);
        assert!(!store.grant(mac(12)).await.unwrap().unwrap().spent);
    }
    // The refusals used nothing up, and registered nothing.
    assert_eq!(registered(2, 102).await, Ok(None));
    assert_eq!(store.issue(&linked(12, link(1, 101, Some(FIRST), FIRST))).await.unwrap(), Ok(()));
    // Another person with another secret.
    assert_eq!(store.issue(&first(13, 2, 102, NEXT)).await.unwrap(), Ok(()));
    assert_eq!((registered(1, 101).await, registered(2, 102).await), (Ok(Some(FIRST)), Ok(Some(NEXT))));
    assert_eq!(registered(1, 102).await, Err(LinkRefusal::Other), "both are, and not together");
    assert_eq!(store.issue(&first(14, 1, 102, NEXT)).await.unwrap(), other);
}

/// What the copies say is what is registered, whatever happened while they were made.
pub(super) async fn a_registration_that_moved_is_noticed<S: Store>(store: S) {
    let store = with_tokens(store, 2).await;
    let moved = Err(IssueRefusal::Link(LinkRefusal::Moved));
    assert_eq!(store.issue(&linked(11, link(1, 101, Some(FIRST), FIRST))).await.unwrap(), moved);
    assert_eq!(store.issue(&first(11, 1, 101, FIRST)).await.unwrap(), Ok(()));
    assert_eq!(store.issue(&linked(12, link(1, 101, Some(NEXT), NEXT))).await.unwrap(), moved);
    assert_eq!(store.issue(&first(12, 1, 101, NEXT)).await.unwrap(), moved);
    assert!(!store.grant(mac(12)).await.unwrap().unwrap().spent);
    assert_eq!(store.issue(&linked(12, link(1, 101, Some(FIRST), FIRST))).await.unwrap(), Ok(()));
}

pub(super) async fn a_link_secret_is_replaced_where_it_is_released<S: Store>(store: S) {
    let store = with_tokens(store, 1).await;
    assert!(!release(&store, 1).await);
    store.issue(&first(11, 1, 101, FIRST)).await.unwrap().unwrap();
    assert!(!release(&store, 2).await);
    assert!(release(&store, 1).await);
    assert!(!release(&store, 1).await);
    tokens(&store, 2..=4).await;
    assert_eq!(store.registered(mac(1), mac(102)).await.unwrap(), Ok(None));
    store.issue(&first(12, 1, 102, NEXT)).await.unwrap().unwrap();
    assert_eq!(store.registered(mac(1), mac(102)).await.unwrap(), Ok(Some(NEXT)));
    let lost = Err(IssueRefusal::Link(LinkRefusal::Other));
    assert_eq!(store.issue(&first(13, 1, 101, NEXT)).await.unwrap(), lost);
    assert!(release(&store, 1).await, "as often as it is lost");
}

/// What the lost wallet still sends comes before the new one, and for whomever it is.
pub(super) async fn a_released_secret_is_registered_for_nobody_again<S: Store>(store: S) {
    let store = with_tokens(store, 1).await;
    store.issue(&first(11, 1, 101, FIRST)).await.unwrap().unwrap();
    assert!(release(&store, 1).await);
    tokens(&store, 2..=2).await;
    for person in [1, 2] {
        let known = store.registered(mac(person), mac(101)).await.unwrap();
        assert_eq!(known, Err(LinkRefusal::Released), "{person}");
        let again = store.issue(&first(12, person, 101, NEXT)).await.unwrap();
        assert_eq!(again, Err(IssueRefusal::Link(LinkRefusal::Released)), "{person}");
    }
    assert!(!store.grant(mac(12)).await.unwrap().unwrap().spent);
    assert_eq!(store.issue(&first(12, 1, 102, NEXT)).await.unwrap(), Ok(()));
}

/// Offers, tokens and batches that were put off; what was issued, and what is another person's, stays.
pub(super) async fn what_is_open_for_a_person_ends_with_the_release<S: Store>(store: S) {
    let store = with_tokens(store, 4).await;
    let others = import(2, date(2026, 11, 20));
    store.begin_import(&others, NOW).await.unwrap();
    store.enrol(&others, batch(0, vec![row(2, 2)], true)).await.unwrap();
    for (code, person) in [(5, 1), (6, 2)] {
        store.add_offer(offer(code, person)).await.unwrap();
    }
    store.issue(&first(11, 1, 101, FIRST)).await.unwrap().unwrap();
    for token in [13, 14] {
        store.defer(&defer(token, token)).await.unwrap().unwrap();
    }
    assert!(store.decide("D13", Verdict::Approve, NOW).await.unwrap());
    assert!(release(&store, 1).await);

    assert_eq!(store.redeem(&redeem(5, 55, 15)).await.unwrap(), Err(RedeemRefusal::Closed));
    assert_eq!(store.redeem(&redeem(6, 56, 16)).await.unwrap(), Ok(()));
    assert_eq!(store.issue(&first(12, 1, 102, NEXT)).await.unwrap(), Err(IssueRefusal::Token));
    let late = Collect { link: Some(link(1, 102, None, NEXT)), ..collect(13) };
    assert_eq!(store.collect(&late).await.unwrap(), Err(CollectRefusal::Closed));
    assert_eq!(store.pending(NOW).await.unwrap(), []);
    for token in [13, 14] {
        let ended = store.deferred(mac(token + 100)).await.unwrap().unwrap();
        assert_eq!((ended.stage, ended.holders), (DeferredStage::Refused, None));
    }
    assert!(store.notify(mac(11), mac(111), Event::CredentialDeleted).await.unwrap());
}

/// Nothing ends for a person of whom no registration is given up.
pub(super) async fn nothing_ends_without_a_release<S: Store>(store: S) {
    let store = with_tokens(store, 2).await;
    store.defer(&defer(12, 12)).await.unwrap().unwrap();
    store.add_offer(offer(3, 1)).await.unwrap();
    assert!(!release(&store, 1).await);
    assert_eq!(store.pending(NOW).await.unwrap().len(), 1);
    assert_eq!(store.redeem(&redeem(3, 53, 13)).await.unwrap(), Ok(()));
    assert_eq!(store.issue(&first(11, 1, 101, FIRST)).await.unwrap(), Ok(()));
}

pub(super) async fn what_was_put_off_is_held_to_the_secret_when_it_is_collected<S: Store>(store: S) {
    let store = with_tokens(store, 2).await;
    store.defer(&defer(11, 1)).await.unwrap().unwrap();
    assert!(store.decide("D11", Verdict::Approve, NOW).await.unwrap());
    store.issue(&first(12, 1, 101, FIRST)).await.unwrap().unwrap();
    let collect = |nym| Collect { link: Some(link(1, nym, None, NEXT)), ..collect(11) };
    let other = Err(CollectRefusal::Link(LinkRefusal::Other));
    assert_eq!(store.collect(&collect(102)).await.unwrap(), other);
    // The refusal used nothing up: the wallet that is registered collects.
    let own = Collect { link: Some(link(1, 101, Some(FIRST), FIRST)), ..collect(102) };
    assert_eq!(store.collect(&own).await.unwrap(), Ok(()));
    assert_eq!(store.registered(mac(1), mac(101)).await.unwrap(), Ok(Some(FIRST)));
}

pub(super) async fn one_of_many_secrets_at_once_is_registered<S: Store>(store: S) {
    let store = Arc::new(with_tokens(store, 12).await);
    // Six secrets of one person, and six people with one secret.
    let links = (0..6).map(|n| (1, 101 + n)).chain((0..6).map(|n| (2 + n, 111)));
    let tries = (11..).zip(links).map(|(token, (person, nym))| {
        let (store, issue) = (Arc::clone(&store), first(token, person, nym, FIRST));
        tokio::spawn(async move { (person == 1, when_free!(store.issue(&issue)).unwrap().is_ok()) })
    });
    let mut won = [0, 0];
    for attempt in tries.collect::<Vec<_>>() {
        let (of_one_person, ok) = attempt.await.unwrap();
        won[usize::from(of_one_person)] += u32::from(ok);
    }
    assert_eq!(won, [1, 1]);
}
