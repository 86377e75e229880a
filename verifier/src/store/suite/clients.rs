//! Calls of clients, in every store.

use std::sync::Arc;

use super::super::*;
use super::{BUSY_TRIES, END, START, id, new, open, tag, tenant, when_free};
use crate::clients::Scopes;

pub(super) async fn values_are_used_once(store: &dyn Store) {
    assert!(store.use_once(tag(8, 1), END, START).await.unwrap());
    assert!(!store.use_once(tag(8, 1), END, START).await.unwrap());
    assert!(!store.use_once(tag(8, 1), END, END.minus(1)).await.unwrap());
    assert!(store.use_once(tag(8, 2), END, START).await.unwrap());
    assert!(store.use_once(tag(8, 1), END.plus(9), END).await.unwrap(), "nobody would take it before either");
}

fn grant() -> Grant {
    let (client, tenant) = ("system".to_owned(), Tenant { env: Env::Live, ..tenant("bus") });
    let scopes = Scopes::parse("decisions:read").unwrap();
    Grant { client, tenant, scopes, key: Some([7; 32]), expires_at: END }
}

pub(super) async fn a_token_is_there_until_it_is_over(store: &dyn Store) {
    store.put_token(tag(9, 1), grant()).await.unwrap();
    store.put_token(tag(9, 2), Grant { key: None, ..grant() }).await.unwrap();
    assert_eq!(store.token(tag(9, 1), END.minus(1)).await.unwrap(), Some(grant()));
    assert_eq!(store.token(tag(9, 2), START).await.unwrap().unwrap().key, None);
    assert_eq!(store.token(tag(9, 3), START).await.unwrap(), None);
    assert_eq!(store.token(tag(9, 1), END).await.unwrap(), None);
}

fn attempt(key: u8, body: u8) -> Attempt {
    Attempt { key: tag(10, key), body: tag(11, body), until: END }
}

pub(super) async fn a_key_opens_one_request(store: &dyn Store) {
    assert_eq!(store.insert_once(new(1), attempt(1, 1), START).await.unwrap(), None);
    let first = Earlier { body: tag(11, 1), request: id(1) };
    let second = store.insert_once(new(2), attempt(1, 2), START).await.unwrap();
    assert_eq!(second.as_ref(), Some(&first), "what came first is told, whatever comes now");
    let told = async |key, at| store.earlier(&tenant("bus"), tag(10, key), at).await.unwrap();
    assert_eq!(told(1, END.minus(1)).await, Some(first));
    assert_eq!((told(2, START).await, told(1, END).await), (None, None));
    assert!(store.request(&tenant("bus"), &id(2)).await.unwrap().is_none(), "and nothing is opened");
    assert!(store.request(&tenant("bus"), &id(1)).await.unwrap().is_some());
    let elsewhere = [
        NewRequest { env: Env::Live, ..new(3) },
        NewRequest { service: ServiceId("https://pool.example".into()), ..new(4) },
    ];
    for other in &elsewhere {
        let told = store.earlier(&other.tenant(), tag(10, 1), START).await.unwrap();
        assert_eq!(told, None, "and are told to nobody else");
    }
    for other in elsewhere {
        assert_eq!(
            store.insert_once(other, attempt(1, 1), START).await.unwrap(),
            None,
            "keys are a tenant's own"
        );
    }
    assert_eq!(store.insert_once(new(5), attempt(2, 1), START).await.unwrap(), None);
    let late = Attempt { until: END.plus(300), ..attempt(1, 1) };
    assert_eq!(store.insert_once(new(6), late, END).await.unwrap(), None, "a key is forgotten");
}

pub(super) async fn fifty_calls_with_one_key_open_one_request(store: Arc<dyn Store>) {
    let calls = (100..150_u8).map(|number| {
        let store = store.clone();
        let attempt = Attempt { key: tag(10, 9), body: tag(11, 9), until: END };
        let call = async move { when_free!(store.insert_once(new(number), attempt, START)).unwrap() };
        tokio::spawn(call)
    });
    let mut told = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        told.push(call.await.unwrap());
    }
    assert_eq!(told.iter().filter(|earlier| earlier.is_none()).count(), 1);
    let others: Vec<_> = told.into_iter().flatten().collect();
    assert!(
        others.iter().all(|earlier| *earlier == others[0]),
        "all the others are told of the same request"
    );
    let tenant = tenant("bus");
    assert!(store.request(&tenant, &others[0].request).await.unwrap().is_some());
    let opened = store.newest(&tenant, Some(Status::Open), None, 100).await.unwrap();
    assert_eq!(opened.iter().filter(|request| (100..150).any(|n| request.id == id(n))).count(), 1);
}

fn made(number: u8, at: UnixTime) -> NewRequest {
    NewRequest { created_at: at, ..new(number) }
}

async fn ids(store: &dyn Store, status: Option<Status>, after: Option<&Request>, limit: u32) -> Vec<String> {
    let after = after.map(|last| Position { created_at: last.created_at, id: last.id.clone() });
    let found = store.newest(&tenant("bus"), status, after, limit).await.unwrap();
    found.into_iter().map(|request| request.id.0).collect()
}

pub(super) async fn lists_are_the_tenants_own_newest_first(store: &dyn Store) {
    for (number, at) in [(1, 0), (2, 5), (3, 5), (4, 9)] {
        store.insert(made(number, START.plus(at))).await.unwrap();
    }
    store.insert(NewRequest { env: Env::Live, ..made(7, START.plus(20)) }).await.unwrap();
    let pool = ServiceId("https://pool.example".into());
    store.insert(NewRequest { service: pool, ..made(8, START.plus(20)) }).await.unwrap();
    assert_eq!(ids(store, None, None, 10).await, ["req_4", "req_3", "req_2", "req_1"]);
    assert_eq!(ids(store, None, None, 2).await, ["req_4", "req_3"]);
    let third = store.request(&tenant("bus"), &id(3)).await.unwrap().unwrap();
    store.insert(made(9, START.plus(30))).await.unwrap();
    assert_eq!(
        ids(store, None, Some(&third), 10).await,
        ["req_2", "req_1"],
        "what is opened meanwhile moves nothing"
    );
    let over = Consume { ground: Ground::Expiry, at: END.plus(1), ..super::consume(2, Ground::Expiry, END) };
    store.decide_many(vec![over]).await.unwrap().remove(0).unwrap();
    assert_eq!(ids(store, Some(Status::Decided), None, 10).await, ["req_2"]);
    assert_eq!(ids(store, Some(Status::Open), None, 10).await, ["req_9", "req_4", "req_3", "req_1"]);
    assert!(ids(store, Some(Status::Answered), None, 10).await.is_empty());
}

pub(super) async fn what_is_over_is_forgotten(store: &dyn Store) {
    open(store, [1]).await;
    store.use_once(tag(8, 1), END, START).await.unwrap();
    store.put_token(tag(9, 1), grant()).await.unwrap();
    store.put_token(tag(9, 2), Grant { expires_at: END.plus(1), ..grant() }).await.unwrap();
    assert_eq!(store.insert_once(new(2), attempt(1, 1), START).await.unwrap(), None);
    store.forget(END).await.unwrap();
    // What is looked up with an earlier time would still be there, had it not been forgotten.
    assert_eq!(store.token(tag(9, 1), START).await.unwrap(), None);
    assert!(store.token(tag(9, 2), START).await.unwrap().is_some());
    assert!(store.use_once(tag(8, 1), END, START).await.unwrap());
    assert_eq!(store.insert_once(new(3), attempt(1, 2), START).await.unwrap(), None);
    assert!(store.request(&tenant("bus"), &id(1)).await.unwrap().is_some(), "requests stay");
}
