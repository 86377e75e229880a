//! What only a server with many writers can get wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use vouchsafe_cluster::{Cluster, USER};
use vouchsafe_service::clock::{Clock, DatabaseClock};
use vouchsafe_service::store::{Postgres, Schema, Server as Place};

use super::super::postgres::{MIGRATOR, PostgresStore};
use super::super::sqlite;
use super::*;

/// A server of tests: a database for each store.
pub(super) struct Server(Cluster);

impl Server {
    pub(super) fn start() -> Self {
        Self(Cluster::shared().unwrap_or_else(|fault| panic!("{fault}")))
    }

    fn place(&self) -> Place {
        Place {
            host: self.0.socket().to_str().unwrap().to_owned(),
            port: self.0.port(),
            name: self.0.database(),
            user: USER.to_owned(),
            password: None,
            root_certificate: None,
        }
    }

    pub(super) async fn store(&self) -> PostgresStore {
        PostgresStore::new(open(&self.place()).await)
    }
}

async fn open(place: &Place) -> Postgres {
    let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
    Postgres::open(place, &MIGRATOR, Schema::Migrate, &clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_with_many_writers() {
    let server = Server::start();
    fifty_at_once_give_one_decision(Arc::new(server.store().await)).await;
    callers_that_leave_harm_nobody(&server.store().await).await;
    fifty_calls_with_one_key_open_one_request(Arc::new(server.store().await)).await;
    fifty_of_one_person_at_once_are_met_once(Arc::new(server.store().await)).await;
    fifty_leases_at_once_give_one(Arc::new(server.store().await)).await;
    groups_in_any_order_decide_each_member_once(Arc::new(server.store().await)).await;
    many_writers_share_one_log(Arc::new(server.store().await)).await;
    what_many_state_at_once_is_stated_once(Arc::new(server.store().await)).await;
    two_replicas_share_what_is_counted(&server).await;
    ids_that_no_server_can_hold_are_nobodys(&server.store().await).await;
}

async fn fifty_leases_at_once_give_one(store: Arc<dyn Store>) {
    open_requests(&*store, 1).await;
    let tries = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { when_free!(store.lease(&service("bus"), &id(0), START)).unwrap() })
    });
    let mut given = 0;
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => given += 1,
            Err(refused) => assert_eq!(refused, NoLease::Held),
        }
    }
    assert_eq!((given, row(&*store, 0).await.attempts), (1, 1));
}

async fn open_requests(store: &dyn Store, count: u8) {
    super::open(store, 0..count).await;
}

/// Groups over the same ten requests, in every other order: nobody waits in a circle, and no conflict is another's.
async fn groups_in_any_order_decide_each_member_once(store: Arc<dyn Store>) {
    open_requests(&*store, 10).await;
    let groups = (0..8_u8).map(|group| {
        let store = store.clone();
        let mut members: Vec<_> = (0..10).map(|number| expired(group, number)).collect();
        match group % 4 {
            1 => members.reverse(),
            2 => members.rotate_left(5),
            3 => members.swap(0, 9),
            _ => {}
        }
        let order: Vec<_> = members.iter().map(|member| member.request.clone()).collect();
        tokio::spawn(async move { (order, when_free!(store.decide_many(members.clone())).unwrap()) })
    });
    let mut decided = BTreeMap::new();
    for group in groups.collect::<Vec<_>>() {
        let (order, results) = group.await.unwrap();
        for (request, result) in order.into_iter().zip(results) {
            if let Ok(done) = result {
                assert_eq!(done.request, request, "results stand in the order of the members");
                *decided.entry(request).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(decided.into_values().collect::<Vec<_>>(), [1; 10]);
}

fn expired(group: u8, number: u8) -> Consume {
    let mut member = consume(number, Ground::Expiry, END);
    member.effects[2] = Effect::Decision { jti: format!("jti_{group}_{number}"), signing_input: "x".into() };
    member.effects[3] = Effect::Leaf([group * 16 + number; 32]);
    member
}

async fn two_replicas_share_what_is_counted(server: &Server) {
    let place = server.place();
    let one = PostgresStore::new(open(&place).await);
    let other = PostgresStore::new(open(&place).await);
    open_requests(&one, 1).await;
    let lease = leased(&one, 0, START).await;
    assert_eq!(other.lease(&service("bus"), &id(0), START).await.unwrap().unwrap_err(), NoLease::Held);
    assert!(by_lease(&other, 0, &lease, START).await.is_ok(), "a replica may finish what another began");
    assert_eq!(by_lease(&one, 0, &lease, START).await, Err(Stale));
    for store in [&one, &other, &one] {
        assert!(store.take_guess(tag(7, 1), START, 3).await.unwrap());
    }
    assert!(!other.take_guess(tag(7, 1), START, 3).await.unwrap());
    assert!(one.see_register("https://registrar.example", 4).await.unwrap());
    assert!(!other.see_register("https://registrar.example", 3).await.unwrap());
}

async fn ids_that_no_server_can_hold_are_nobodys(store: &dyn Store) {
    let strange = RequestId("req_\0".into());
    assert!(store.request(&tenant("bus"), &strange).await.unwrap().is_none());
    assert!(store.decision(&tenant("bus"), &strange).await.unwrap().is_none());
}

#[tokio::test]
async fn postgres_has_the_tables_that_sqlite_has() {
    let server = Server::start();
    let (_folder, file) = super::sqlite().await;
    let postgres = open(&server.place()).await;
    let of_file = vouchsafe_service::store::shape::of_sqlite(file.database()).await.unwrap();
    let of_server = vouchsafe_service::store::shape::of_postgres(&postgres).await.unwrap();
    assert_eq!(of_server, of_file);
    assert!(of_file.len() >= 8, "{of_file:?}");
}

#[test]
fn postgres_migrations_have_the_names_of_sqlites_and_only_add() {
    let names = |migrator: &sqlx::migrate::Migrator| {
        migrator.iter().map(|one| (one.version, one.description.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(names(&MIGRATOR), names(&sqlite::MIGRATOR));
    let taken = vouchsafe_service::store::shape::that_take_away(&MIGRATOR);
    assert!(taken.is_empty(), "the version that still serves may use it: {taken:?}");
}
