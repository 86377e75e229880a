//! Permissions, in every store.

use std::sync::Arc;

use super::super::memory::MemoryStore;
use super::super::*;
#[cfg(feature = "mutants")]
use super::Server;
use super::{BUSY_TRIES, END, START, consume, id, leased, new, open, row, service, tag, tenant, when_free};

const GIVEN: Day = Day(20_778);
const LAST: Day = Day(20_808);
const KEEP: UnixTime = UnixTime(START.0 + 86_400);

fn pid(number: u8) -> PermissionId {
    PermissionId(format!("perm_{number}"))
}

fn live(name: &str) -> Tenant {
    Tenant { env: Env::Live, ..tenant(name) }
}

fn recorded(number: u8, event: i64) -> Recorded {
    let jti = format!("record_{number}_{event}");
    Recorded { number: event, at: START.plus(event), jti, signing_input: format!("header.record{event}") }
}

fn permission(number: u8) -> Permission {
    Permission {
        service: service("bus"),
        env: Env::Test,
        id: pid(number),
        key: tag(20, number),
        policy_id: "bus-pass".into(),
        policy_digest: "digest".into(),
        asked_digest: [9; 32],
        given_at: START,
        given_day: GIVEN,
        until: LAST,
        asked_day: GIVEN,
        every_days: 7,
        uses_left: Some(2),
        retention_days: 1,
        state: Stands::Given,
        events: 1,
        bound: tag(22, number),
        entry: Some(vec![number; 40]),
    }
}

/// Opens the request of that number and decides it, which gives the permission.
async fn give(store: &dyn Store, permission: Permission, number: u8) {
    open(store, [number]).await;
    let lease = leased(store, number, START).await;
    let mut member = consume(number, Ground::Lease { fence: lease.fence }, START);
    let new = NewPermission {
        permission: permission.clone(),
        code: tag(21, number),
        grant: "header.grant.signature".into(),
        first: recorded(number, 1),
    };
    member.effects.push(Effect::Permission(Box::new(new)));
    member.effects.push(Effect::Leaf([number ^ 0x80; 32]));
    member.effects.push(Effect::Tell(permission.id, "permission.given"));
    store.decide_many(vec![member]).await.unwrap().remove(0).unwrap();
}

async fn given(store: &dyn Store, number: u8) {
    give(store, permission(number), number).await;
}

async fn read(store: &dyn Store, number: u8) -> Permission {
    store.permission(&tenant("bus"), &pid(number)).await.unwrap().unwrap()
}

fn ending(number: u8, state: Stands) -> Ending {
    Ending {
        tenant: tenant("bus"),
        id: pid(number),
        after: 1,
        state,
        bound: tag(23, number),
        event: recorded(number, 2),
        leaf: [number ^ 0x40; 32],
        topic: "permission.withdrawn",
        keep_until: KEEP,
    }
}

fn using(number: u8, today: Day, key: Option<u8>) -> Use {
    let attempt = key.map(|key| Attempt { key: tag(10, key), body: tag(11, key), until: END });
    Use { tenant: tenant("bus"), id: pid(number), today, attempt, now: START }
}

async fn used(store: &dyn Store, number: u8, today: Day) -> UsedUp {
    store.use_permission(using(number, today, None)).await.unwrap()
}

/// A decision about the request `number` that rests on the permission `on`.
fn resting(number: u8, fence: i64, on: u8, today: Day) -> Consume {
    let member = consume(number, Ground::Lease { fence }, START);
    let mut effects = member.effects.clone();
    effects[2] = Effect::Decision { jti: format!("jti_over_{number}"), signing_input: "header.over".into() };
    effects[3] = Effect::Leaf([number ^ 0x20; 32]);
    let resting = Resting { permission: pid(on), today, otherwise: Outcome::Declined, effects };
    Consume { resting: Some(resting), ..member }
}

async fn rested(store: &dyn Store, number: u8, on: u8, today: Day) -> Outcome {
    open(store, [number]).await;
    let lease = leased(store, number, START).await;
    let member = resting(number, lease.fence, on, today);
    store.decide_many(vec![member]).await.unwrap().remove(0).unwrap().outcome
}

async fn a_permission_comes_with_the_decision(store: &dyn Store) {
    given(store, 1).await;
    assert_eq!(read(store, 1).await, permission(1));
    assert_eq!(row(store, 1).await.permission, Some(pid(1)), "the request names it");
    for by in [By::Key(tag(20, 1)), By::Code(tag(21, 1))] {
        assert_eq!(store.permission_by(by).await.unwrap(), Some(permission(1)));
    }
    for by in [By::Key(tag(21, 1)), By::Code(tag(20, 1))] {
        assert!(store.permission_by(by).await.unwrap().is_none());
    }
    let event = async |number| store.recorded(&service("bus"), &pid(1), number).await.unwrap();
    assert_eq!((event(1).await, event(2).await), (Some(recorded(1, 1)), None));
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[1; 32], [0x81; 32]]);
    let told = store.messages(&tenant("bus"), None, 0, 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.about.0.as_str(), one.topic.as_str())).collect();
    assert_eq!(told, [("req_1", "decision.met"), ("perm_1", "permission.given")]);
    // A key that another permission has gives nothing, and its request stays open.
    open(store, [2]).await;
    let lease = leased(store, 2, START).await;
    let mut member = consume(2, Ground::Lease { fence: lease.fence }, START);
    let taken = Permission { key: tag(20, 1), ..permission(2) };
    let (code, grant) = (tag(21, 2), String::new());
    let new = NewPermission { permission: taken, code, grant, first: recorded(2, 1) };
    member.effects.push(Effect::Permission(Box::new(new)));
    assert_eq!(store.decide_many(vec![member]).await.unwrap(), [Err(Stale)]);
    assert_eq!(row(store, 2).await.status, Status::Open);
}

async fn permissions_are_the_tenants_own(store: &dyn Store) {
    given(store, 1).await;
    for other in [tenant("pool"), live("bus")] {
        assert!(store.permission(&other, &pid(1)).await.unwrap().is_none());
        let foreign = Use { tenant: other.clone(), ..using(1, GIVEN, None) };
        assert_eq!(store.use_permission(foreign).await.unwrap(), UsedUp::Not);
        store.count_checks(&other, GIVEN, 4).await.unwrap();
    }
    assert!(store.recorded(&service("pool"), &pid(1), 1).await.unwrap().is_none());
    let foreign = Ending { tenant: tenant("pool"), ..ending(1, Stands::Withdrawn) };
    assert_eq!(store.end_permission(foreign).await.unwrap(), Err(Stale));
    assert_eq!(read(store, 1).await, permission(1));
    assert_eq!(store.checks(&tenant("bus"), GIVEN).await.unwrap(), 0);
    for _ in 0..2 {
        store.count_checks(&tenant("bus"), GIVEN, 3).await.unwrap();
    }
    assert_eq!(store.checks(&tenant("bus"), GIVEN).await.unwrap(), 6);
    assert_eq!(store.checks(&tenant("bus"), Day(GIVEN.0 + 1)).await.unwrap(), 0);
}

async fn a_permission_ends_once(store: &dyn Store) {
    given(store, 1).await;
    let early = Ending { after: 0, ..ending(1, Stands::Withdrawn) };
    assert_eq!(store.end_permission(early).await.unwrap(), Err(Stale), "another event was first");
    assert_eq!(store.end_permission(ending(1, Stands::Withdrawn)).await.unwrap(), Ok(()));
    let ended = read(store, 1).await;
    assert_eq!((ended.state, ended.events, ended.bound), (Stands::Withdrawn, 2, tag(23, 1)));
    assert_eq!(ended.entry, None, "what could be asked again is erased");
    assert_eq!(store.recorded(&service("bus"), &pid(1), 2).await.unwrap(), Some(recorded(1, 2)));
    assert_eq!(store.log_entries(0..9).await.unwrap(), [[1; 32], [0x81; 32], [0x41; 32]]);
    let told = store.messages(&tenant("bus"), None, 0, 10).await.unwrap();
    assert_eq!(told.last().map(|one| one.topic.as_str()), Some("permission.withdrawn"));
    let mut again = Ending { after: 2, leaf: [7; 32], ..ending(1, Stands::Expired) };
    again.event = recorded(1, 3);
    assert_eq!(store.end_permission(again).await.unwrap(), Err(Stale), "what ended stays ended");
    assert_eq!(used(store, 1, GIVEN).await, UsedUp::Not);
}

async fn a_permission_is_used_so_often_until_its_last_day(store: &dyn Store) {
    given(store, 1).await;
    assert_eq!(used(store, 1, Day(LAST.0 + 1)).await, UsedUp::Not);
    assert_eq!(used(store, 1, LAST).await, UsedUp::Now(Some(1)));
    // The same call again uses nothing, and says what it did.
    let once = using(1, GIVEN, Some(1));
    assert_eq!(store.use_permission(once.clone()).await.unwrap(), UsedUp::Now(Some(0)));
    let before = store.use_permission(once).await.unwrap();
    let earlier = Earlier { body: tag(11, 1), request: RequestId("perm_1".into()) };
    assert_eq!(before, UsedUp::Before(earlier));
    // What was not done leaves its key free.
    for _ in 0..2 {
        assert_eq!(store.use_permission(using(1, GIVEN, Some(2))).await.unwrap(), UsedUp::Not);
    }
    give(store, Permission { uses_left: None, ..permission(2) }, 2).await;
    for _ in 0..3 {
        assert_eq!(used(store, 2, GIVEN).await, UsedUp::Now(None), "any number");
    }
}

async fn a_decision_rests_on_a_permission_in_force(store: &dyn Store) {
    given(store, 1).await;
    assert_eq!(rested(store, 11, 1, Day(GIVEN.0 + 6)).await, Outcome::Declined, "too soon");
    let declined = store.decision(&tenant("bus"), &id(11)).await.unwrap().unwrap();
    assert_eq!((declined.outcome, declined.signing_input.as_str()), (Outcome::Declined, "header.over"));
    assert_eq!(rested(store, 12, 1, Day(GIVEN.0 + 7)).await, Outcome::Met);
    let asked = read(store, 1).await;
    assert_eq!((asked.asked_day, asked.uses_left), (Day(GIVEN.0 + 7), Some(1)));
    assert_eq!(rested(store, 13, 1, Day(LAST.0 + 1)).await, Outcome::Declined, "after its last day");
    assert_eq!(rested(store, 14, 1, Day(GIVEN.0 + 14)).await, Outcome::Met);
    assert_eq!(rested(store, 15, 1, Day(GIVEN.0 + 21)).await, Outcome::Declined, "used up");
    // What cannot be closed uses nothing.
    given(store, 2).await;
    let stale = resting(11, 1, 2, Day(GIVEN.0 + 7));
    assert_eq!(store.decide_many(vec![stale]).await.unwrap(), [Err(Stale)]);
    assert_eq!(read(store, 2).await, permission(2));
    assert_eq!(rested(store, 16, 9, GIVEN).await, Outcome::Declined, "there is none");
    given(store, 3).await;
    store.end_permission(ending(3, Stands::Withdrawn)).await.unwrap().unwrap();
    assert_eq!(rested(store, 17, 3, Day(GIVEN.0 + 7)).await, Outcome::Declined, "it was taken back");
}

async fn what_asks_under_a_permission_is_found_while_it_is_open(store: &dyn Store) {
    given(store, 1).await;
    for number in [11, 12] {
        store.insert(NewRequest { permission: Some(pid(1)), ..new(number) }).await.unwrap();
    }
    let asks = async |name, at| {
        let found = store.asks_under(&service(name), &pid(1), at).await.unwrap();
        found.into_iter().map(|request| request.id).collect::<Vec<_>>()
    };
    assert_eq!(asks("bus", START).await, [id(11), id(12)], "what is decided is none");
    assert!(asks("pool", START).await.is_empty() && asks("bus", END).await.is_empty());
    let lease = leased(store, 11, START).await;
    let member = consume(11, Ground::Lease { fence: lease.fence }, START);
    store.decide_many(vec![member]).await.unwrap().remove(0).unwrap();
    assert_eq!(asks("bus", START).await, [id(12)]);
}

async fn what_is_over_ends_and_is_deleted_after_its_retention(store: &dyn Store) {
    given(store, 1).await;
    give(store, Permission { until: Day(LAST.0 + 1), ..permission(2) }, 2).await;
    let over = async |today, limit| {
        let found = store.permissions_over(today, limit).await.unwrap();
        found.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert!(over(LAST, 10).await.is_empty());
    assert_eq!(over(Day(LAST.0 + 1), 10).await, [pid(1)]);
    assert_eq!(over(Day(LAST.0 + 2), 1).await.len(), 1);
    store.end_permission(ending(1, Stands::Expired)).await.unwrap().unwrap();
    assert_eq!(over(Day(LAST.0 + 2), 10).await, [pid(2)]);
    store.forget_permissions(KEEP.minus(1)).await.unwrap();
    assert_eq!(read(store, 1).await.state, Stands::Expired);
    store.forget_permissions(KEEP).await.unwrap();
    assert!(store.permission(&tenant("bus"), &pid(1)).await.unwrap().is_none());
    assert!(store.recorded(&service("bus"), &pid(1), 1).await.unwrap().is_none());
    assert_eq!(read(store, 2).await.state, Stands::Given, "what is in force stays");
    assert_eq!(store.log_entries(0..9).await.unwrap().len(), 5, "and the log forgets nothing");
}

/// A thousand permissions, each taken back while it is asked about, used, or rested on: whatever begins after the withdrawal
/// was acknowledged finds nothing in force, and what was used or decided was so before it.
async fn withdrawals_race_and_come_first_or_last(store: Arc<dyn Store>) {
    let (tenant, rounds) = (tenant("bus"), 1_000_u32);
    let mut lanes = Vec::new();
    for lane in 0..4_u32 {
        let (store, tenant) = (store.clone(), tenant.clone());
        lanes.push(tokio::spawn(async move {
            for round in (lane..rounds).step_by(4) {
                race(&store, &tenant, round).await;
            }
        }));
    }
    for lane in lanes {
        lane.await.unwrap();
    }
}

fn wide(round: u32, kind: u8) -> Tag {
    let mut bytes = [kind; 32];
    bytes[..4].copy_from_slice(&round.to_be_bytes());
    Tag(bytes)
}

/// The permission of a round, put there with an open request that rests on it.
async fn prepared(store: &dyn Store, round: u32) -> (PermissionId, Consume) {
    let name = PermissionId(format!("perm_race_{round}"));
    let (first, second) = (format!("req_give_{round}"), format!("req_race_{round}"));
    for (at, request) in [(0, &first), (4, &second)] {
        let kind = |number: u8| wide(round, 100 + at + number * 8);
        let asked = NewRequest {
            id: RequestId(request.clone()),
            handle: kind(0),
            page: kind(1),
            nonce: kind(2),
            state: kind(3),
            code: kind(4),
            permission: None,
            ..new(1)
        };
        store.insert(asked).await.unwrap();
    }
    let row = Permission { id: name.clone(), key: wide(round, 1), uses_left: None, ..permission(1) };
    let jti = |kind: &str| format!("{kind}_{round}");
    let event = Recorded { jti: jti("given"), ..recorded(1, 1) };
    let given = NewPermission { permission: row, code: wide(round, 2), grant: String::new(), first: event };
    let decide = |request: &str, kind: &str, leaf: u8| {
        vec![
            Effect::Decision { jti: jti(kind), signing_input: format!("header.{request}") },
            Effect::Leaf(wide(round, leaf).0),
        ]
    };
    let lease = async |request: &str| {
        let request = RequestId(request.to_owned());
        let lease = store.lease(&service("bus"), &request, START).await.unwrap().unwrap();
        Consume { request, ..consume(1, Ground::Lease { fence: lease.fence }, START) }
    };
    let mut effects = decide(&first, "first", 3);
    effects.push(Effect::Permission(Box::new(given)));
    let member = Consume { effects, ..lease(&first).await };
    store.decide_many(vec![member]).await.unwrap().remove(0).unwrap();
    let otherwise = Resting {
        permission: name.clone(),
        today: Day(GIVEN.0 + 7),
        otherwise: Outcome::Declined,
        effects: decide(&second, "over", 4),
    };
    let effects = decide(&second, "second", 5);
    (name, Consume { effects, resting: Some(otherwise), ..lease(&second).await })
}

async fn race(store: &Arc<dyn Store>, tenant: &Tenant, round: u32) {
    let (name, decision) = prepared(&**store, round).await;
    let event = Recorded { jti: format!("withdrawn_{round}"), ..recorded(1, 2) };
    let end = Ending { id: name.clone(), event, leaf: wide(round, 6).0, ..ending(1, Stands::Withdrawn) };
    let using = || Use { id: name.clone(), ..using(1, Day(GIVEN.0 + 7), None) };
    let withdraw = async {
        when_free!(store.end_permission(end.clone())).unwrap().unwrap();
        // From here on it is acknowledged.
        let row = when_free!(store.permission(tenant, &name)).unwrap().unwrap();
        assert_eq!(row.state, Stands::Withdrawn);
        assert_eq!(when_free!(store.use_permission(using())).unwrap(), UsedUp::Not);
    };
    let check = async { when_free!(store.permission(tenant, &name)).unwrap().unwrap() };
    let use_it = async { when_free!(store.use_permission(using())).unwrap() };
    let decide = async { when_free!(store.decide_many(vec![decision.clone()])).unwrap().remove(0).unwrap() };
    let ((), seen, used, decided) = tokio::join!(withdraw, check, use_it, decide);
    assert!(matches!(seen.state, Stands::Given | Stands::Withdrawn));
    let row = store.permission(tenant, &name).await.unwrap().unwrap();
    assert_eq!((row.state, row.events), (Stands::Withdrawn, 2));
    let rested = row.asked_day == Day(GIVEN.0 + 7);
    // The decision says what the row says: it came before the withdrawal, or was made otherwise.
    assert_eq!(rested, decided.outcome == Outcome::Met);
    let stored = store.decision(tenant, &decided.request).await.unwrap().unwrap();
    assert_eq!(stored.outcome, decided.outcome);
    assert!(matches!(used, UsedUp::Now(None) | UsedUp::Not));
}

macro_rules! suite {
    ($($case:ident)*) => {
        mod memory_permissions { $(
            #[tokio::test]
            async fn $case() { super::$case(&super::MemoryStore::default()).await; }
        )* }
        mod sqlite_permissions { $(
            #[tokio::test]
            async fn $case() {
                let (_folder, store) = super::super::sqlite().await;
                super::$case(&store).await;
            }
        )* }
        #[cfg(feature = "mutants")]
        #[tokio::test]
        async fn postgres_permissions() {
            let server = Server::start();
            $( $case(&server.store().await).await; )*
        }
    };
}

suite! {
    a_permission_comes_with_the_decision
    permissions_are_the_tenants_own
    a_permission_ends_once
    a_permission_is_used_so_often_until_its_last_day
    a_decision_rests_on_a_permission_in_force
    what_asks_under_a_permission_is_found_while_it_is_open
    what_is_over_ends_and_is_deleted_after_its_retention
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn withdrawals_race_in_a_file() {
    let (_folder, store) = super::sqlite().await;
    withdrawals_race_and_come_first_or_last(Arc::new(store)).await;
}

#[cfg(feature = "mutants")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn withdrawals_race_on_a_server() {
    let server = Server::start();
    withdrawals_race_and_come_first_or_last(Arc::new(server.store().await)).await;
}

#[tokio::test]
async fn withdrawals_race_in_memory() {
    withdrawals_race_and_come_first_or_last(Arc::new(MemoryStore::default())).await;
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
            async fn postgres_notices_every_mutant_of_permissions() {
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
        end_once "store-end-once" => a_permission_ends_once
        env_permission "store-env-permission" => permissions_are_the_tenants_own
        tenant_permission "store-tenant-permission" => permissions_are_the_tenants_own
        permission_day "store-permission-day" => what_is_over_ends_and_is_deleted_after_its_retention
        use_given "store-use-given" => a_permission_ends_once
        use_left "store-use-left" => a_permission_is_used_so_often_until_its_last_day
        use_until "store-use-until" => a_permission_is_used_so_often_until_its_last_day
        rest_every "store-rest-every" => a_decision_rests_on_a_permission_in_force
        rest_given "store-rest-given" => a_decision_rests_on_a_permission_in_force
        rest_left "store-rest-left" => a_decision_rests_on_a_permission_in_force
        rest_until "store-rest-until" => a_decision_rests_on_a_permission_in_force
    }
}
