//! The one suite that every store passes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod clients;
mod log;
mod outbox;
mod permissions;

use std::sync::Arc;

use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::store::{Schema, Sqlite};

use self::clients::{
    a_key_opens_one_request, a_token_is_there_until_it_is_over, fifty_calls_with_one_key_open_one_request,
    lists_are_the_tenants_own_newest_first, values_are_used_once, what_is_over_is_forgotten,
};
use self::log::{
    a_checkpoint_is_published_once, entries_have_their_places_from_the_transaction_that_wrote_them,
    hashes_of_full_tiles_are_kept, many_writers_share_one_log, what_is_not_decided_is_not_in_the_log,
};
use super::memory::MemoryStore;
use super::sqlite::{MIGRATOR, SqliteStore};
use super::*;

const START: UnixTime = UnixTime(1_795_000_000);
const END: UnixTime = UnixTime(START.0 + 300);

/// What many at once do, each as often as it is told to come again: on a machine under load the wait for one's turn may
/// take too long, and a caller would come again.
macro_rules! when_free {
    ($work:expr) => {{
        let mut done = $work.await;
        for _ in 0..BUSY_TRIES {
            if !matches!(done, Err(StoreError::Unavailable)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            done = $work.await;
        }
        done
    }};
}
use when_free;

const BUSY_TRIES: usize = 1_000;

fn service(name: &str) -> ServiceId {
    ServiceId(format!("https://{name}.example"))
}

fn tenant(name: &str) -> Tenant {
    Tenant { service: service(name), env: Env::Test }
}

fn id(number: u8) -> RequestId {
    RequestId(format!("req_{number}"))
}

fn tag(kind: u8, number: u8) -> Tag {
    let mut bytes = [number; 32];
    bytes[0] = kind;
    Tag(bytes)
}

fn new(number: u8) -> NewRequest {
    NewRequest {
        service: service("bus"),
        env: Env::Test,
        id: id(number),
        asked: Asked { digest: [9; 32], body: "{}".into() },
        policy_id: "bus-pass".into(),
        flow: Flow::SameDevice,
        created_at: START,
        expires_at: END,
        handle: tag(0, number),
        page: tag(1, number),
        nonce: tag(2, number),
        state: tag(3, number),
        sealed: vec![number; 40],
        code: tag(4, number),
        code_until: START.plus(120),
        reference: Some(Reference { hash: "ref".into(), salt: [number; 16] }),
        permission: None,
    }
}

fn consume(number: u8, ground: Ground, at: UnixTime) -> Consume {
    Consume {
        service: service("bus"),
        request: id(number),
        ground,
        at,
        outcome: Outcome::Met,
        effects: vec![
            Effect::Spend(Once::Nonce, tag(2, number)),
            Effect::Spend(Once::State, tag(3, number)),
            Effect::Decision { jti: format!("jti_{number}"), signing_input: "header.claims".into() },
            Effect::Leaf([number; 32]),
            Effect::Outbox("decision.met"),
        ],
        limit: None,
        resting: None,
    }
}

/// The same for somebody whom the service knows, with at most so many that are met.
fn counted(number: u8, fence: i64, nym: u8, at_most: u32) -> Consume {
    let member = consume(number, Ground::Lease { fence }, START);
    let mut effects = member.effects.clone();
    effects[2] = Effect::Decision { jti: format!("jti_over_{number}"), signing_input: "header.over".into() };
    effects[3] = Effect::Leaf([number ^ 0x80; 32]);
    let count = Count { context: [8; 32], nym: [nym; 32], at_most, until: END.plus(3600) };
    let limit = Limit { count, otherwise: Outcome::NotMet, effects };
    Consume { limit: Some(limit), ..member }
}

async fn outcome_of(store: &dyn Store, member: Consume) -> Outcome {
    store.decide_many(vec![member]).await.unwrap().remove(0).unwrap().outcome
}

async fn a_person_is_met_so_often_and_no_more(store: &dyn Store) {
    open(store, 1..=8).await;
    let mut fences = Vec::new();
    for number in 1..=8 {
        fences.push(leased(store, number, START).await.fence);
    }
    let fence = |number: u8| fences[usize::from(number) - 1];
    assert_eq!(outcome_of(store, counted(1, fence(1), 1, 2)).await, Outcome::Met);
    // What cannot be closed counts for nobody.
    let stale = counted(2, fence(2) + 1, 1, 2);
    assert_eq!(store.decide_many(vec![stale]).await.unwrap(), [Err(Stale)]);
    assert_eq!(outcome_of(store, counted(2, fence(2), 1, 2)).await, Outcome::Met);
    assert_eq!(outcome_of(store, counted(3, fence(3), 1, 2)).await, Outcome::NotMet);
    let beyond = store.decision(&tenant("bus"), &id(3)).await.unwrap().unwrap();
    assert_eq!((beyond.outcome, beyond.signing_input.as_str()), (Outcome::NotMet, "header.over"));
    assert_eq!(row(store, 3).await.outcome, Some(Outcome::NotMet));
    // Another person, another context, and the same within one transaction.
    assert_eq!(outcome_of(store, counted(4, fence(4), 2, 1)).await, Outcome::Met);
    let mut elsewhere = counted(5, fence(5), 1, 1);
    elsewhere.limit.as_mut().unwrap().count.context = [9; 32];
    assert_eq!(outcome_of(store, elsewhere).await, Outcome::Met);
    let both = vec![counted(6, fence(6), 3, 1), counted(7, fence(7), 3, 1)];
    let both = store.decide_many(both).await.unwrap();
    let outcomes: Vec<_> = both.into_iter().map(|decided| decided.unwrap().outcome).collect();
    assert_eq!(outcomes, [Outcome::Met, Outcome::NotMet]);
    // The count goes with its epoch, and not before.
    store.forget(END.plus(3599)).await.unwrap();
    assert_eq!(outcome_of(store, counted(8, fence(8), 1, 2)).await, Outcome::NotMet);
    store.forget(END.plus(3600)).await.unwrap();
    open(store, [9]).await;
    let lease = leased(store, 9, START).await;
    assert_eq!(outcome_of(store, counted(9, lease.fence, 1, 1)).await, Outcome::Met);
}

async fn fifty_of_one_person_at_once_are_met_once(store: Arc<dyn Store>) {
    open(&*store, 1..=50).await;
    let mut leases = Vec::new();
    for number in 1..=50 {
        leases.push((number, leased(&*store, number, START).await.fence));
    }
    let answers = leases.into_iter().map(|(number, fence)| {
        let store = store.clone();
        tokio::spawn(async move {
            let member = counted(number, fence, 1, 1);
            when_free!(store.decide_many(vec![member.clone()])).unwrap().remove(0).unwrap().outcome
        })
    });
    let mut met = 0;
    for answer in answers.collect::<Vec<_>>() {
        met += usize::from(answer.await.unwrap() == Outcome::Met);
    }
    assert_eq!(met, 1);
}

async fn open(store: &dyn Store, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        store.insert(new(number)).await.unwrap();
    }
}

async fn leased(store: &dyn Store, number: u8, now: UnixTime) -> Lease {
    store.lease(&service("bus"), &id(number), now).await.unwrap().unwrap()
}

async fn row(store: &dyn Store, number: u8) -> Request {
    store.request(&tenant("bus"), &id(number)).await.unwrap().unwrap()
}

async fn by_lease(store: &dyn Store, number: u8, lease: &Lease, at: UnixTime) -> Result<Decided, Stale> {
    let ground = Ground::Lease { fence: lease.fence };
    store.decide_many(vec![consume(number, ground, at)]).await.unwrap().remove(0)
}

async fn a_request_comes_back_as_it_was_stored(store: &dyn Store) {
    open(store, [1]).await;
    let request = row(store, 1).await;
    assert_eq!((request.status, request.flow, request.attempts), (Status::Open, Flow::SameDevice, 0));
    assert_eq!(request.sealed, Some(vec![1; 40]));
    assert_eq!(request.reference, new(1).reference);
    assert_eq!(store.asked(&service("bus"), [9; 32]).await.unwrap().as_deref(), Some("{}"));
    for key in [Key::Handle(tag(0, 1)), Key::Page(tag(1, 1)), Key::Code(tag(4, 1), START)] {
        assert_eq!(store.request_by(key).await.unwrap().unwrap().id, id(1));
    }
    assert!(store.request_by(Key::Handle(tag(1, 1))).await.unwrap().is_none());
    assert!(store.request_by(Key::Code(tag(4, 1), START.plus(120))).await.unwrap().is_none());
}

async fn tenants_do_not_see_each_other(store: &dyn Store) {
    open(store, [1]).await;
    let lease = leased(store, 1, START).await;
    by_lease(store, 1, &lease, START).await.unwrap();
    let other = service("pool");
    for other in [tenant("pool"), Tenant { env: Env::Live, ..tenant("bus") }] {
        assert!(store.request(&other, &id(1)).await.unwrap().is_none());
        assert!(store.decision(&other, &id(1)).await.unwrap().is_none());
    }
    assert!(store.asked(&other, [9; 32]).await.unwrap().is_none());
    assert_eq!(store.lease(&other, &id(1), START).await.unwrap().unwrap_err(), NoLease::Closed);
    let mut foreign = consume(1, Ground::Expiry, END);
    foreign.service = other;
    assert_eq!(store.decide_many(vec![foreign]).await.unwrap(), [Err(Stale)]);
}

async fn the_first_browser_owns_the_page(store: &dyn Store) {
    open(store, [1]).await;
    assert!(store.bind_session(&service("bus"), &id(1), tag(5, 1)).await.unwrap());
    assert!(!store.bind_session(&service("bus"), &id(1), tag(5, 2)).await.unwrap());
    assert_eq!(row(store, 1).await.session, Some(tag(5, 1)));
}

async fn a_live_lease_is_alone_and_a_refused_taker_is_not_counted(store: &dyn Store) {
    open(store, [1]).await;
    let first = leased(store, 1, START).await;
    assert_eq!(
        store.lease(&service("bus"), &id(1), START.plus(9)).await.unwrap().unwrap_err(),
        NoLease::Held
    );
    assert_eq!(row(store, 1).await.attempts, 1);
    let second = leased(store, 1, START.plus(10)).await;
    assert!(second.fence > first.fence);
    assert_eq!(by_lease(store, 1, &first, START.plus(11)).await, Err(Stale), "a later lease was given");
    store.give_back(&first).await.unwrap();
    assert_eq!(row(store, 1).await.attempts, 2, "an old lease gives nothing back");
    assert_eq!(
        store.lease(&service("bus"), &id(1), START.plus(12)).await.unwrap().unwrap_err(),
        NoLease::Held
    );
    assert!(by_lease(store, 1, &second, START.plus(12)).await.is_ok());
}

async fn a_lease_ends(store: &dyn Store) {
    open(store, [1]).await;
    let lease = leased(store, 1, START).await;
    assert_eq!(by_lease(store, 1, &lease, lease.until).await, Err(Stale));
    assert_eq!(store.answered(&lease, "{}".into(), tag(6, 1), lease.until).await.unwrap(), Err(Stale));
    assert_eq!(row(store, 1).await.status, Status::Open);
}

async fn a_lease_taken_in_time_may_commit_late(store: &dyn Store) {
    open(store, [1]).await;
    let lease = leased(store, 1, END.minus(1)).await;
    assert_eq!(
        store.lease(&service("bus"), &id(1), END.plus(20)).await.unwrap().unwrap_err(),
        NoLease::Closed
    );
    assert!(store.due(END.plus(1), 10).await.unwrap().is_empty(), "the sweep skips a live lease");
    assert_eq!(
        store.decide_many(vec![consume(1, Ground::Expiry, END.plus(1))]).await.unwrap(),
        [Err(Stale)],
        "and cannot close it either"
    );
    assert!(by_lease(store, 1, &lease, END.plus(5)).await.is_ok());
}

async fn five_attempts(store: &dyn Store) {
    open(store, [1]).await;
    for _ in 0..ATTEMPTS {
        let lease = leased(store, 1, START).await;
        store.give_back(&lease).await.unwrap();
        let lease = leased(store, 1, START).await;
        store.release(&lease).await.unwrap();
    }
    assert_eq!(store.lease(&service("bus"), &id(1), START).await.unwrap().unwrap_err(), NoLease::Spent);
    assert_eq!(store.due(START, 10).await.unwrap().len(), 1, "spent requests need not wait for their end");
}

async fn an_answer_waits_for_its_own_browser(store: &dyn Store) {
    open(store, [1]).await;
    store.bind_session(&service("bus"), &id(1), tag(5, 1)).await.unwrap();
    let lease = leased(store, 1, END.minus(1)).await;
    store.answered(&lease, "{}".into(), tag(6, 1), END.plus(1)).await.unwrap().unwrap();
    let waiting = row(store, 1).await;
    assert_eq!((waiting.status, waiting.sealed), (Status::Answered, None), "secrets are erased");
    assert_eq!(waiting.close_at, END.plus(1 + RETURN_GRACE_SECONDS));
    let back = |response, session| consume(1, Ground::Return { response, session }, END.plus(2));
    for wrong in [back(tag(6, 2), tag(5, 1)), back(tag(6, 1), tag(5, 2))] {
        assert_eq!(store.decide_many(vec![wrong]).await.unwrap(), [Err(Stale)]);
    }
    let right = back(tag(6, 1), tag(5, 1));
    let twice = store.decide_many(vec![right.clone(), right]).await.unwrap();
    assert!(twice[0].is_ok());
    assert_eq!(twice[1], Err(Stale), "a response code serves once");
}

async fn an_error_never_closes(store: &dyn Store) {
    open(store, [1]).await;
    assert!(store.error_seen(&service("bus"), &id(1), Some(tag(6, 1)), START).await.unwrap());
    let request = row(store, 1).await;
    assert_eq!((request.status, request.error_seen), (Status::Open, true));
    let lease = leased(store, 1, START.plus(1)).await;
    assert!(by_lease(store, 1, &lease, START.plus(2)).await.is_ok(), "a later valid answer overrides it");
    assert!(!store.error_seen(&service("bus"), &id(1), None, START.plus(3)).await.unwrap());
}

async fn the_own_browser_confirms_a_refusal(store: &dyn Store) {
    open(store, [1]).await;
    store.bind_session(&service("bus"), &id(1), tag(5, 1)).await.unwrap();
    let declined = |session| consume(1, Ground::Decline { response: tag(6, 1), session }, START.plus(1));
    assert_eq!(store.decide_many(vec![declined(tag(5, 1))]).await.unwrap(), [Err(Stale)], "no error came in");
    store.error_seen(&service("bus"), &id(1), Some(tag(6, 1)), START).await.unwrap();
    assert_eq!(store.decide_many(vec![declined(tag(5, 2))]).await.unwrap(), [Err(Stale)]);
    assert!(store.decide_many(vec![declined(tag(5, 1))]).await.unwrap()[0].is_ok());
}

async fn one_conflict_undoes_one_member(store: &dyn Store) {
    open(store, [1, 2, 3]).await;
    let mut members = Vec::new();
    for number in [1, 2, 3] {
        let lease = leased(store, number, START).await;
        members.push(consume(number, Ground::Lease { fence: lease.fence }, START));
    }
    // The second member uses the first one's nonce.
    members[1].effects[0] = Effect::Spend(Once::Nonce, tag(2, 1));
    let results = store.decide_many(members).await.unwrap();
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1], Err(Stale));
    let untouched = row(store, 2).await;
    assert_eq!((untouched.status, untouched.outcome), (Status::Open, None));
    assert!(untouched.sealed.is_some());
    assert!(store.decision(&tenant("bus"), &id(2)).await.unwrap().is_none());
}

async fn a_decision_is_whole(store: &dyn Store) {
    open(store, [1]).await;
    let lease = leased(store, 1, START).await;
    let decided = by_lease(store, 1, &lease, START).await.unwrap();
    assert_eq!(decided, Decided { request: id(1), outcome: Outcome::Met });
    let request = row(store, 1).await;
    assert_eq!(
        (request.status, request.outcome, request.sealed),
        (Status::Decided, Some(Outcome::Met), None)
    );
    assert!(store.request_by(Key::Code(tag(4, 1), START)).await.unwrap().is_none());
    let decision = store.decision(&tenant("bus"), &id(1)).await.unwrap().unwrap();
    assert_eq!((decision.signing_input.as_str(), decision.ref_salt), ("header.claims", Some([1; 16])));
}

async fn the_sweep_finds_what_is_over(store: &dyn Store) {
    open(store, [1, 2]).await;
    assert!(store.due(END.minus(1), 10).await.unwrap().is_empty());
    let early = consume(1, Ground::Expiry, END.minus(1));
    assert_eq!(store.decide_many(vec![early]).await.unwrap(), [Err(Stale)]);
    assert_eq!(store.due(END, 10).await.unwrap().len(), 2);
    assert_eq!(store.due(END, 1).await.unwrap().len(), 1);
    let members = [1, 2].map(|number| consume(number, Ground::Expiry, END)).to_vec();
    assert!(store.decide_many(members).await.unwrap().iter().all(Result::is_ok));
    assert!(store.due(END, 10).await.unwrap().is_empty());
}

async fn guesses_are_counted_by_the_minute(store: &dyn Store) {
    for _ in 0..3 {
        assert!(store.take_guess(tag(7, 1), START, 3).await.unwrap());
    }
    assert!(!store.take_guess(tag(7, 1), START, 3).await.unwrap());
    assert!(store.take_guess(tag(7, 2), START, 3).await.unwrap(), "another prefix has its own");
    store.return_guess(tag(7, 1), START).await.unwrap();
    assert!(store.take_guess(tag(7, 1), START, 3).await.unwrap());
    assert!(store.take_guess(tag(7, 1), START.plus(60), 3).await.unwrap(), "the next minute starts anew");
}

async fn registers_never_go_back(store: &dyn Store) {
    assert!(store.see_register("https://registrar.example", 4).await.unwrap());
    assert!(store.see_register("https://registrar.example", 4).await.unwrap());
    assert!(!store.see_register("https://registrar.example", 3).await.unwrap());
    assert!(store.see_register("https://registrar.example", 5).await.unwrap());
    assert!(store.see_register("https://other.example", 1).await.unwrap());
}

async fn fifty_at_once_give_one_decision(store: Arc<dyn Store>) {
    open(&*store, [1]).await;
    let lease = leased(&*store, 1, START).await;
    let posts = (0..50_u8).map(|number| {
        let (store, fence) = (store.clone(), lease.fence);
        tokio::spawn(async move {
            let mut member = consume(1, Ground::Lease { fence }, START);
            member.effects[2] = Effect::Decision { jti: format!("jti_{number}"), signing_input: "x".into() };
            member.effects[3] = Effect::Leaf([number; 32]);
            when_free!(store.decide_many(vec![member.clone()])).unwrap().remove(0).is_ok()
        })
    });
    let mut decided = 0;
    for post in posts.collect::<Vec<_>>() {
        decided += usize::from(post.await.unwrap());
    }
    assert_eq!(decided, 1);
}

async fn sqlite() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let database = Sqlite::open(&folder.path().join("v.sqlite"), &MIGRATOR, Schema::Migrate).await.unwrap();
    (folder, SqliteStore::new(database))
}

macro_rules! suite {
    ($($case:ident)*) => {
        mod memory_store { $(
            #[tokio::test]
            async fn $case() { super::$case(&super::MemoryStore::default()).await; }
        )* }
        mod sqlite_store { $(
            #[tokio::test]
            async fn $case() {
                let (_folder, store) = super::sqlite().await;
                super::$case(&store).await;
            }
        )* }
        /// One server for all, and a database for each.
        #[cfg(feature = "mutants")]
        #[tokio::test]
        async fn postgres_passes_the_suite() {
            let server = Server::start();
            $( $case(&server.store().await).await; )*
        }
    };
}

suite! {
    a_request_comes_back_as_it_was_stored
    tenants_do_not_see_each_other
    the_first_browser_owns_the_page
    a_live_lease_is_alone_and_a_refused_taker_is_not_counted
    a_lease_ends
    a_lease_taken_in_time_may_commit_late
    five_attempts
    an_answer_waits_for_its_own_browser
    an_error_never_closes
    the_own_browser_confirms_a_refusal
    one_conflict_undoes_one_member
    a_decision_is_whole
    the_sweep_finds_what_is_over
    guesses_are_counted_by_the_minute
    registers_never_go_back
    values_are_used_once
    a_token_is_there_until_it_is_over
    a_key_opens_one_request
    lists_are_the_tenants_own_newest_first
    what_is_over_is_forgotten
    a_person_is_met_so_often_and_no_more
    entries_have_their_places_from_the_transaction_that_wrote_them
    what_is_not_decided_is_not_in_the_log
    hashes_of_full_tiles_are_kept
    a_checkpoint_is_published_once
}

/// The mutant of each check breaks the case that is there for it, in both stores.
#[cfg(feature = "mutants")]
mod kills {
    use super::*;

    macro_rules! kills {
        ($($test:ident $name:literal => $case:ident)*) => { $(
            #[tokio::test]
            async fn $test() {
                let memory = async { super::$case(&MemoryStore::default()).await };
                assert!(tokio::spawn(vouchsafe_mutants::without_async($name, memory)).await.is_err(), "memory");
                let file = async {
                    let (_folder, store) = super::sqlite().await;
                    super::$case(&store).await;
                };
                assert!(tokio::spawn(vouchsafe_mutants::without_async($name, file)).await.is_err(), "sqlite");
            }
        )*
            #[tokio::test]
            async fn postgres_notices_every_mutant() {
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
        attempts "store-attempts" => five_attempts
        code_time "store-code-time" => a_request_comes_back_as_it_was_stored
        fence "store-fence" => a_live_lease_is_alone_and_a_refused_taker_is_not_counted
        first_browser "store-first-browser" => the_first_browser_owns_the_page
        guesses "store-guesses" => guesses_are_counted_by_the_minute
        lease_ended "store-lease-ended" => a_lease_ends
        lease_expired "store-lease-expired" => a_lease_taken_in_time_may_commit_late
        lease_held "store-lease-held" => a_live_lease_is_alone_and_a_refused_taker_is_not_counted
        register_version "store-register-version" => registers_never_go_back
        response_code "store-response-code" => an_answer_waits_for_its_own_browser
        response_session "store-response-session" => an_answer_waits_for_its_own_browser
        spent_once "store-spent-once" => one_conflict_undoes_one_member
        sweep_lease "store-sweep-lease" => a_lease_taken_in_time_may_commit_late
        sweep_time "store-sweep-time" => the_sweep_finds_what_is_over
        nym_limit "store-nym-limit" => a_person_is_met_so_often_and_no_more
        log_published_once "store-log-published-once" => a_checkpoint_is_published_once
        list_env "store-env-list" => lists_are_the_tenants_own_newest_first
        list_tenant "store-tenant-list" => lists_are_the_tenants_own_newest_first
        once_taken "store-once-taken" => a_key_opens_one_request
        token_time "store-token-time" => a_token_is_there_until_it_is_over
        used_once "store-used-once" => values_are_used_once
        env_request "store-env-request" => tenants_do_not_see_each_other
        env_decision "store-env-decision" => tenants_do_not_see_each_other
        tenant_request "store-tenant-request" => tenants_do_not_see_each_other
        tenant_decision "store-tenant-decision" => tenants_do_not_see_each_other
    }
}

#[tokio::test]
async fn memory_fifty_at_once() {
    fifty_at_once_give_one_decision(Arc::new(MemoryStore::default())).await;
    fifty_calls_with_one_key_open_one_request(Arc::new(MemoryStore::default())).await;
    fifty_of_one_person_at_once_are_met_once(Arc::new(MemoryStore::default())).await;
    many_writers_share_one_log(Arc::new(MemoryStore::default())).await;
}

#[tokio::test]
async fn sqlite_fifty_at_once() {
    let (_folder, store) = sqlite().await;
    let store = Arc::new(store);
    fifty_at_once_give_one_decision(store.clone()).await;
    fifty_calls_with_one_key_open_one_request(store).await;
    let (_folder, store) = sqlite().await;
    fifty_of_one_person_at_once_are_met_once(Arc::new(store)).await;
    let (_folder, store) = sqlite().await;
    many_writers_share_one_log(Arc::new(store)).await;
}

#[tokio::test]
async fn a_caller_that_leaves_leaves_nothing_behind() {
    let (_folder, store) = sqlite().await;
    callers_that_leave_harm_nobody(&store).await;
}

async fn callers_that_leave_harm_nobody(store: &dyn Store) {
    for polls in 0..12_u8 {
        store.insert(new(polls)).await.unwrap();
        let lease = leased(store, polls, START).await;
        let mut work = store.decide_many(vec![consume(polls, Ground::Lease { fence: lease.fence }, START)]);
        for _ in 0..polls {
            let waker = std::task::Waker::noop();
            let _ = work.as_mut().poll(&mut std::task::Context::from_waker(waker));
            tokio::task::yield_now().await;
        }
        drop(work);
        // Whatever became of it, the next caller is served and the state is one of the two whole ones.
        store.insert(new(polls + 100)).await.unwrap();
        // It may still be at work meanwhile: so the one is read before and after the other.
        let decision = async || store.decision(&tenant("bus"), &id(polls)).await.unwrap().is_some();
        let before = decision().await;
        let decided = row(store, polls).await.status == Status::Decided;
        let after = decision().await;
        assert!((decided || !before) && (after || !decided), "a request and its decision go together");
    }
}

#[tokio::test]
async fn memory_effects_are_counted() {
    let store = MemoryStore::default();
    a_decision_is_whole(&store).await;
    assert_eq!(store.counts(), (1, 1));
}

#[cfg(feature = "mutants")]
mod postgres;
#[cfg(feature = "mutants")]
use postgres::Server;
