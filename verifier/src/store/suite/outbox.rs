//! Messages for services, in every store.

use std::sync::Arc;

use super::super::memory::MemoryStore;
use super::super::*;
#[cfg(feature = "mutants")]
use super::Server;
use super::{BUSY_TRIES, START, service, tenant, when_free};

const MET: &str = "decision.met";

fn live(name: &str) -> Tenant {
    Tenant { env: Env::Live, ..tenant(name) }
}

async fn tell(store: &dyn Store, tenant: &Tenant, number: u8, at: UnixTime) {
    store.tell(tenant, RequestId(format!("req_{number}")), MET, at).await.unwrap();
}

/// What is claimed: the ids of requests, and how often each was tried.
async fn claimed(store: &dyn Store, tenant: &Tenant, at: UnixTime) -> Vec<(String, i64)> {
    let claimed = store.claim(tenant, at, 10).await.unwrap();
    claimed.into_iter().map(|message| (message.about.0, message.attempts)).collect()
}

fn tried(all: &[(&str, i64)]) -> Vec<(String, i64)> {
    all.iter().map(|(about, attempts)| ((*about).to_owned(), *attempts)).collect()
}

/// Claims the one message that is due.
async fn the_one(store: &dyn Store, at: UnixTime) -> Message {
    let mut claimed = store.claim(&tenant("bus"), at, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

/// Settles a message of the buses as `evt_` and the number.
async fn settle(store: &dyn Store, message: &Message, how: Settled, at: UnixTime) -> bool {
    let event = format!("evt_{}", message.about.0);
    store.settle(&tenant("bus"), message, &event, how, at).await.unwrap()
}

async fn a_claimed_message_is_one_claimers(store: &dyn Store) {
    tell(store, &tenant("bus"), 1, START).await;
    let message = the_one(store, START).await;
    assert_eq!((message.topic.as_str(), message.state, message.attempts), (MET, Delivery::Waiting, 1));
    assert_eq!((message.created_at, message.again_at), (START, None));
    assert_eq!(message.next_at, START.plus(DELIVERY_SECONDS));
    let nobodys = claimed(store, &tenant("bus"), START.plus(DELIVERY_SECONDS - 1)).await;
    assert_eq!(nobodys, [], "not within its claim");
    // Whoever had it stopped, and it is sent again.
    let again = the_one(store, START.plus(DELIVERY_SECONDS)).await;
    assert_eq!((again.position, again.attempts), (message.position, 2));
    assert!(!settle(store, &message, Settled::Delivered, again.next_at.minus(1)).await, "too late");
    assert!(settle(store, &again, Settled::Delivered, again.next_at.minus(1)).await);
    assert!(!settle(store, &again, Settled::Dead, again.next_at).await, "settled is settled");
    assert_eq!(claimed(store, &tenant("bus"), START.plus(7200)).await, [], "and not sent again by itself");
}

async fn a_message_comes_when_it_is_due(store: &dyn Store) {
    for number in 1..=4 {
        tell(store, &tenant("bus"), number, START).await;
    }
    let first = store.claim(&tenant("bus"), START, 2).await.unwrap();
    let about: Vec<_> = first.iter().map(|message| message.subject().to_owned()).collect();
    assert_eq!(about, ["req_1", "req_2"], "as many as were asked for, the oldest first");
    assert!(settle(store, &first[0], Settled::Again(START.plus(5)), START).await);
    assert!(settle(store, &first[1], Settled::Dead, START).await);
    assert_eq!(claimed(store, &tenant("bus"), START.plus(4)).await, tried(&[("req_3", 1), ("req_4", 1)]));
    assert_eq!(claimed(store, &tenant("bus"), START.plus(5)).await, tried(&[("req_1", 2)]));
}

async fn messages_are_the_tenants_own(store: &dyn Store) {
    for tenant in [tenant("bus"), live("bus"), tenant("pool")] {
        tell(store, &tenant, 1, START).await;
    }
    let listed = async |tenant: &Tenant| store.messages(tenant, None, 0, 10).await.unwrap().len();
    let others = [live("bus"), tenant("pool")];
    assert_eq!(listed(&tenant("bus")).await, 1);
    let message = the_one(store, START).await;
    for other in &others {
        let none = store.settle(&others[1], &message, "evt_x", Settled::Dead, START).await.unwrap();
        assert!(!none, "a message is settled by its own service");
        assert_eq!(listed(other).await, 1);
    }
    assert!(settle(store, &message, Settled::Dead, START).await);
    for other in &others {
        assert!(!store.send_again(other, "evt_req_1", START).await.unwrap());
        assert_eq!(claimed(store, other, START).await, tried(&[("req_1", 1)]));
    }
    assert!(store.send_again(&tenant("bus"), "evt_req_1", START).await.unwrap());
}

async fn what_is_over_is_sent_again_when_its_service_says(store: &dyn Store) {
    tell(store, &tenant("bus"), 1, START).await;
    let message = the_one(store, START).await;
    assert!(settle(store, &message, Settled::Again(START.plus(500)), START).await);
    let again = async |at| store.send_again(&tenant("bus"), "evt_req_1", at).await.unwrap();
    assert!(!again(START.plus(1)).await, "it is on its way: asking makes it no faster");
    let message = the_one(store, START.plus(500)).await;
    assert_eq!(message.give_up_at(), START.plus(TRY_SECONDS));
    assert!(settle(store, &message, Settled::Dead, START.plus(500)).await);
    let later = START.plus(TRY_SECONDS + 9);
    assert!(!store.send_again(&tenant("bus"), "evt_req_2", later).await.unwrap());
    assert!(!store.send_again(&tenant("bus"), "evt_\0", later).await.unwrap());
    assert!(again(later).await);
    let message = the_one(store, later).await;
    assert_eq!((message.attempts, message.again_at), (1, Some(later)));
    assert_eq!(message.give_up_at(), later.plus(TRY_SECONDS), "three days from then");
    assert!(settle(store, &message, Settled::Delivered, later).await);
    assert!(again(later).await, "what was delivered may be wanted once more");
}

async fn messages_are_listed_as_they_were_made(store: &dyn Store) {
    for number in 1..=4 {
        tell(store, &tenant("bus"), number, START).await;
    }
    let listed = async |state, after, limit| {
        let found = store.messages(&tenant("bus"), state, after, limit).await.unwrap();
        found.into_iter().map(|message| (message.about.0, message.position)).collect::<Vec<_>>()
    };
    let all = listed(None, 0, 10).await;
    let about: Vec<_> = all.iter().map(|(about, _)| about.as_str()).collect();
    assert_eq!(about, ["req_1", "req_2", "req_3", "req_4"]);
    assert_eq!(listed(None, 0, 2).await, all[..2]);
    assert_eq!(listed(None, all[1].1, 10).await, all[2..]);
    let claimed = store.claim(&tenant("bus"), START, 2).await.unwrap();
    assert!(settle(store, &claimed[0], Settled::Delivered, START).await);
    assert!(settle(store, &claimed[1], Settled::Dead, START).await);
    assert_eq!(listed(Some(Delivery::Delivered), 0, 10).await, all[..1]);
    assert_eq!(listed(Some(Delivery::Dead), 0, 10).await, all[1..2]);
    assert_eq!(listed(Some(Delivery::Waiting), 0, 10).await, all[2..]);
}

async fn messages_are_forgotten_after_thirty_days(store: &dyn Store) {
    for number in 1..=3 {
        tell(store, &tenant("bus"), number, START).await;
    }
    let claimed = store.claim(&tenant("bus"), START, 2).await.unwrap();
    assert!(settle(store, &claimed[0], Settled::Delivered, START).await);
    assert!(settle(store, &claimed[1], Settled::Dead, START).await);
    let over = START.plus(KEEP_SECONDS);
    assert!(store.send_again(&tenant("bus"), "evt_req_2", over.minus(1)).await.unwrap());
    let left = async || {
        let found = store.messages(&tenant("bus"), None, 0, 10).await.unwrap();
        found.into_iter().map(|message| message.about.0).collect::<Vec<_>>()
    };
    store.forget(over.minus(1)).await.unwrap();
    assert_eq!(left().await, ["req_1", "req_2", "req_3"]);
    store.forget(over).await.unwrap();
    // Nobody came for the third: its tenant has no endpoint.
    assert_eq!(left().await, ["req_2"], "what is being sent again stays");
    store.forget(over.plus(TRY_SECONDS)).await.unwrap();
    assert_eq!(left().await, [""; 0]);
}

/// The transaction that decides writes the message, for the environment of its request.
async fn a_decision_is_told_to_its_own_environment(store: &dyn Store) {
    store.insert(NewRequest { env: Env::Live, ..super::new(1) }).await.unwrap();
    super::open(store, [2]).await;
    for number in [1, 2] {
        let over = super::consume(number, Ground::Expiry, super::END);
        store.decide_many(vec![over]).await.unwrap().remove(0).unwrap();
    }
    assert_eq!(claimed(store, &live("bus"), super::END).await, tried(&[("req_1", 1)]));
    assert_eq!(claimed(store, &tenant("bus"), super::END.minus(1)).await, [], "not before it was made");
    let message = the_one(store, super::END).await;
    assert_eq!((message.about.0.as_str(), message.created_at), ("req_2", super::END));
}

async fn many_claim_at_once_and_each_message_is_one_claimers(store: Arc<dyn Store>) {
    for number in 0..40 {
        tell(&*store, &tenant("bus"), number, START).await;
    }
    let claimers = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { when_free!(store.claim(&tenant("bus"), START, 2)).unwrap() })
    });
    let mut found = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        found.extend(claimer.await.unwrap().into_iter().map(|message| message.position));
    }
    // Where rows are passed over that another takes, somebody may have found fewer than there were.
    let rest = store.claim(&tenant("bus"), START, 40).await.unwrap();
    found.extend(rest.into_iter().map(|message| message.position));
    found.sort_unstable();
    let all = store.messages(&tenant("bus"), None, 0, 100).await.unwrap();
    assert_eq!(found, all.iter().map(|message| message.position).collect::<Vec<_>>());
    assert!(all.iter().all(|message| message.attempts == 1));
}

/// A version that knows nothing of delivery writes as it always did, while the new one comes.
async fn rows_of_the_version_before_are_told(store: &super::SqliteStore) {
    super::open(store, [1]).await;
    let earlier =
        "INSERT INTO outbox (service_id, request_id, topic, created_at) VALUES ($1, 'req_1', $2, $3)";
    let mut writing = store.database().write().await.unwrap();
    let row = sqlx::query(earlier).bind(service("bus").0).bind(MET).bind(START.0);
    row.execute(&mut *writing).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(claimed(store, &live("bus"), START).await, [], "not to the other environment");
    assert_eq!(store.messages(&tenant("bus"), None, 0, 10).await.unwrap().len(), 1);
    assert_eq!(claimed(store, &tenant("bus"), START).await, tried(&[("req_1", 1)]));
}

#[tokio::test]
async fn messages_of_the_version_before() {
    let (_folder, store) = super::sqlite().await;
    rows_of_the_version_before_are_told(&store).await;
}

macro_rules! suite {
    ($($case:ident)*) => {
        mod memory_messages { $(
            #[tokio::test]
            async fn $case() { super::$case(&super::MemoryStore::default()).await; }
        )* }
        mod sqlite_messages { $(
            #[tokio::test]
            async fn $case() {
                let (_folder, store) = super::super::sqlite().await;
                super::$case(&store).await;
            }
        )* }
        #[cfg(feature = "mutants")]
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn postgres_messages() {
            let server = Server::start();
            $( $case(&server.store().await).await; )*
            many_claim_at_once_and_each_message_is_one_claimers(Arc::new(server.store().await)).await;
        }
    };
}

suite! {
    a_claimed_message_is_one_claimers
    a_message_comes_when_it_is_due
    messages_are_the_tenants_own
    what_is_over_is_sent_again_when_its_service_says
    messages_are_listed_as_they_were_made
    messages_are_forgotten_after_thirty_days
    a_decision_is_told_to_its_own_environment
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_claim_in_memory_and_in_a_file() {
    many_claim_at_once_and_each_message_is_one_claimers(Arc::new(MemoryStore::default())).await;
    let (_folder, store) = super::sqlite().await;
    many_claim_at_once_and_each_message_is_one_claimers(Arc::new(store)).await;
}

#[cfg(feature = "mutants")]
mod kills {
    use super::*;

    macro_rules! kills {
        ($($test:ident $name:literal => $case:ident)*) => {
            $(
                #[tokio::test]
                async fn $test() {
                    let memory = async { super::$case(&MemoryStore::default()).await };
                    assert!(tokio::spawn(vouchsafe_mutants::without_async($name, memory)).await.is_err(), "memory");
                    let file = async {
                        let (_folder, store) = super::super::sqlite().await;
                        super::$case(&store).await;
                    };
                    assert!(tokio::spawn(vouchsafe_mutants::without_async($name, file)).await.is_err(), "sqlite");
                }
            )*
            #[tokio::test]
            async fn postgres_notices_every_mutant_of_messages() {
                let server = Server::start();
                $(
                    let store = server.store().await;
                    let case = async move { super::$case(&store).await };
                    let noticed = tokio::spawn(vouchsafe_mutants::without_async($name, case)).await.is_err();
                    assert!(noticed, $name);
                )*
            }
        };
    }

    kills! {
        again_over "store-again-over" => what_is_over_is_sent_again_when_its_service_says
        claim_due "store-claim-due" => a_claimed_message_is_one_claimers
        claim_waiting "store-claim-waiting" => a_claimed_message_is_one_claimers
        env_again "store-env-again" => messages_are_the_tenants_own
        env_claim "store-env-claim" => messages_are_the_tenants_own
        env_messages "store-env-messages" => messages_are_the_tenants_own
        settle_claim "store-settle-claim" => a_claimed_message_is_one_claimers
        tenant_again "store-tenant-again" => messages_are_the_tenants_own
        tenant_claim "store-tenant-claim" => messages_are_the_tenants_own
        tenant_messages "store-tenant-messages" => messages_are_the_tenants_own
    }
}
