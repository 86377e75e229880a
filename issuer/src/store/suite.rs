//! The one suite that every store passes.

mod links;
mod periods;
mod statuses;

use std::sync::Arc;

use jiff::civil::{Date, date};
use vouchsafe_service::store::{Schema, Sqlite};

use self::links::*;
use self::periods::*;
use self::statuses::*;
use super::*;

const NOW: UnixTime = UnixTime(1_795_000_000);
const LATER: UnixTime = UnixTime(1_795_000_100);

/// What many at once do, each as often as it is told to come again: on a machine under load the wait for one's turn may
/// take too long, and a caller would come again.
macro_rules! when_free {
    ($work:expr) => {{
        let mut done = $work.await;
        for _ in 0..BUSY_TRIES {
            if !done.as_ref().is_err_and(is_busy) {
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

fn is_busy<E: PartialEq + From<StoreError>>(error: &E) -> bool {
    *error == E::from(StoreError::Unavailable)
}

fn mac(byte: u8) -> Mac {
    Mac([byte; 32])
}

fn import(byte: u8, facts_as_of: Date) -> Import {
    Import { id: ImportId([byte; 32]), type_id: "residency".to_owned(), facts_as_of }
}

fn row(person: u8, line: u64) -> SealedRow {
    SealedRow { person: mac(person), line, sealed: vec![person], period: None }
}

fn batch(from: u64, rows: Vec<SealedRow>, last: bool) -> Batch {
    let to = from + rows.len() as u64;
    Batch { from, to, rows, last, ..Batch::default() }
}

fn offer(code: u8, person: u8) -> NewOffer {
    NewOffer {
        handle: mac(code + 100),
        code: mac(code),
        tx_code: mac(code + 50),
        type_id: "residency".to_owned(),
        person: mac(person),
        kind: Kind::Proof,
        created_at: NOW,
        expires_at: LATER,
    }
}

fn redeem(code: u8, tx_code: u8, token: u8) -> Redeem {
    Redeem {
        code: mac(code),
        tx_code: mac(tx_code),
        objection: None,
        token: mac(token),
        jkt: Some(mac(77)),
        identified: true,
        token_expires_at: LATER,
        now: NOW,
        tx_code_tries: 3,
    }
}

fn issue(token: u8, nonces: &[u8]) -> Issue {
    let nonces = nonces.iter().map(|nonce| (mac(*nonce), LATER)).collect();
    Issue { token: mac(token), nonces, notification: mac(token + 100), copies: 30, link: None, now: NOW }
}

/// A store that holds person 1.
async fn enrolled<S: Store>(store: S) -> S {
    let first = import(1, date(2026, 11, 20));
    store.begin_import(&first, NOW).await.unwrap();
    store.enrol(&first, batch(0, vec![row(1, 2)], true)).await.unwrap();
    store
}

async fn an_import_goes_on_where_it_stopped<S: Store>(store: S) {
    let first = import(1, date(2026, 11, 20));
    assert_eq!(store.begin_import(&first, NOW).await.unwrap(), Progress::default());
    store.enrol(&first, batch(0, vec![row(1, 2), row(2, 3)], false)).await.unwrap();
    let stood = store.begin_import(&first, LATER).await.unwrap();
    assert_eq!((stood.records_read, stood.added, stood.finished), (2, 2, false));
    for elsewhere in [0, 1, 3] {
        let again = store.enrol(&first, batch(elsewhere, vec![row(1, 2)], false)).await;
        assert_eq!(again, Err(EnrolError::Stale));
    }
    let end = store.enrol(&first, batch(2, vec![row(3, 4)], true)).await.unwrap();
    assert_eq!((end.records_read, end.added, end.updated, end.rejected, end.finished), (3, 3, 0, 0, true));
    assert_eq!(store.enrol(&first, batch(3, Vec::new(), true)).await, Err(EnrolError::Stale));
    let person = store.person("residency", mac(1)).await.unwrap().unwrap();
    assert_eq!((person.sealed, person.facts_as_of, person.revision), (vec![1], date(2026, 11, 20), 1));
    assert_eq!(store.person("residency", mac(9)).await.unwrap(), None);
    assert_eq!(store.person("other", mac(1)).await.unwrap(), None);
}

async fn a_person_is_written_once_an_import_and_never_by_older_facts<S: Store>(store: S) {
    let store = enrolled(store).await;
    let second = import(2, date(2026, 11, 21));
    store.begin_import(&second, NOW).await.unwrap();
    let bad = RowError { line: 5, column: "ward".to_owned(), reason: Reason::Code };
    let mut rows = batch(0, vec![row(1, 2), row(1, 3)], true);
    rows.errors = vec![bad.clone()];
    rows.rejected = 1;
    let done = store.enrol(&second, rows).await.unwrap();
    assert_eq!((done.added, done.updated, done.rejected), (0, 1, 2));
    let twice = RowError::about_the_person(3, Reason::PersonTwice);
    assert_eq!(store.row_errors(second.id).await.unwrap(), [twice, bad]);
    assert_eq!(store.person("residency", mac(1)).await.unwrap().unwrap().revision, 2);

    let older = import(3, date(2026, 11, 20));
    store.begin_import(&older, NOW).await.unwrap();
    let done = store.enrol(&older, batch(0, vec![row(1, 2)], true)).await.unwrap();
    assert_eq!((done.updated, done.rejected), (0, 1));
    assert_eq!(store.row_errors(older.id).await.unwrap()[0].reason, Reason::OlderFacts);
}

async fn people_whom_a_file_does_not_name_are_counted<S: Store>(store: S) {
    let store = enrolled(store).await;
    let second = import(2, date(2026, 11, 21));
    store.begin_import(&second, NOW).await.unwrap();
    let half = store.enrol(&second, batch(0, vec![row(2, 2), row(3, 3)], false)).await.unwrap();
    assert_eq!(half.absent, 0);
    let done = store.enrol(&second, batch(2, vec![row(4, 4)], true)).await.unwrap();
    assert_eq!((done.added, done.absent), (3, 1));

    // A record in error names its person, one that comes twice does too; of people of another type nothing is said.
    let third = import(3, date(2026, 11, 22));
    store.begin_import(&third, NOW).await.unwrap();
    let mut rows = batch(0, vec![row(2, 2), row(2, 3)], true);
    (rows.rejected, rows.named) = (1, vec![mac(3)]);
    assert_eq!(store.enrol(&third, rows).await.unwrap().absent, 2);
    let other = Import { type_id: "other".to_owned(), ..import(4, date(2026, 11, 22)) };
    store.begin_import(&other, NOW).await.unwrap();
    assert_eq!(store.enrol(&other, batch(0, Vec::new(), true)).await.unwrap().absent, 0);
    // What was counted stands, whatever came later.
    assert_eq!(store.begin_import(&second, LATER).await.unwrap(), done);
}

async fn an_offer_needs_a_person<S: Store>(store: S) {
    let store = enrolled(store).await;
    assert_eq!(store.add_offer(offer(1, 9)).await, Err(AddOfferError::UnknownPerson));
    assert_eq!(store.offer(mac(101)).await.unwrap(), None);
    store.add_offer(offer(1, 1)).await.unwrap();
    let found = store.offer(mac(101)).await.unwrap().unwrap();
    assert_eq!((found.stage, found.kind, found.person, found.misses), (Stage::Open, Kind::Proof, mac(1), 0));
    assert_eq!(store.offer(mac(1)).await.unwrap(), None);
}

async fn a_code_is_good_once<S: Store>(store: S) {
    let store = enrolled(store).await;
    store.add_offer(offer(1, 1)).await.unwrap();
    assert_eq!(store.redeem(&redeem(2, 51, 9)).await.unwrap(), Err(RedeemRefusal::UnknownCode));
    let late = Redeem { now: LATER, ..redeem(1, 51, 9) };
    assert_eq!(store.redeem(&late).await.unwrap(), Err(RedeemRefusal::Expired));
    assert_eq!(store.redeem(&redeem(1, 51, 9)).await.unwrap(), Ok(()));
    assert_eq!(store.redeem(&redeem(1, 51, 8)).await.unwrap(), Err(RedeemRefusal::Spent));
    assert_eq!(store.grant(mac(8)).await.unwrap(), None);
    let grant = store.grant(mac(9)).await.unwrap().unwrap();
    assert_eq!(
        (grant.person, grant.kind, grant.expires_at, grant.spent),
        (mac(1), Kind::Proof, LATER, false)
    );
}

async fn wrong_transaction_codes_close_an_offer_and_do_not_spend_it<S: Store>(store: S) {
    let store = enrolled(store).await;
    store.add_offer(offer(1, 1)).await.unwrap();
    store.add_offer(offer(2, 1)).await.unwrap();
    for code in [1, 1, 2, 2, 2] {
        assert_eq!(store.redeem(&redeem(code, 0, 9)).await.unwrap(), Err(RedeemRefusal::WrongTxCode));
    }
    assert_eq!(store.redeem(&redeem(1, 51, 9)).await.unwrap(), Ok(()));
    assert_eq!(store.redeem(&redeem(2, 52, 8)).await.unwrap(), Err(RedeemRefusal::Closed));
    assert_eq!(store.offer(mac(102)).await.unwrap().unwrap().stage, Stage::Closed);
}

async fn one_of_many_at_once_gets_the_token<S: Store>(store: S) {
    let store = Arc::new(enrolled(store).await);
    store.add_offer(offer(1, 1)).await.unwrap();
    let tries = (10..30).map(|token| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { when_free!(store.redeem(&redeem(1, 51, token))).unwrap().is_ok() })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        won += usize::from(attempt.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn a_batch_is_recorded_all_or_none<S: Store>(store: S) {
    let store = enrolled(store).await;
    for (code, token) in [(1, 11), (2, 12)] {
        store.add_offer(offer(code, 1)).await.unwrap();
        store.redeem(&redeem(code, code + 50, token)).await.unwrap().unwrap();
    }
    assert_eq!(store.issue(&issue(99, &[1])).await.unwrap(), Err(IssueRefusal::Token));
    let late = Issue { now: LATER, ..issue(11, &[1]) };
    assert_eq!(store.issue(&late).await.unwrap(), Err(IssueRefusal::Token));
    assert_eq!(store.issue(&issue(11, &[1, 2])).await.unwrap(), Ok(()));
    assert!(store.grant(mac(11)).await.unwrap().unwrap().spent);
    assert_eq!(store.issue(&issue(11, &[3])).await.unwrap(), Err(IssueRefusal::Token));
    // Nonce 4 is fresh and 2 is not: neither it nor the token may be used up by the refusal.
    assert_eq!(store.issue(&issue(12, &[4, 2])).await.unwrap(), Err(IssueRefusal::Nonce));
    assert!(!store.grant(mac(12)).await.unwrap().unwrap().spent);
    assert_eq!(store.issue(&issue(12, &[4])).await.unwrap(), Ok(()));
}

async fn one_of_two_batches_at_once_is_recorded<S: Store>(store: S) {
    let store = Arc::new(enrolled(store).await);
    store.add_offer(offer(1, 1)).await.unwrap();
    store.redeem(&redeem(1, 51, 11)).await.unwrap().unwrap();
    let tries = (1..10).map(|nonce| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { when_free!(store.issue(&issue(11, &[nonce]))).unwrap().is_ok() })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        won += usize::from(attempt.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn an_objection_leaves_the_offer_open<S: Store>(store: S) {
    let store = enrolled(store).await;
    store.add_offer(offer(1, 1)).await.unwrap();
    let objected = Redeem { objection: Some(RedeemRefusal::OtherDetails), ..redeem(1, 51, 9) };
    assert_eq!(store.redeem(&objected).await.unwrap(), Err(RedeemRefusal::OtherDetails));
    let wrong = Redeem { tx_code: mac(0), ..objected };
    assert_eq!(store.redeem(&wrong).await.unwrap(), Err(RedeemRefusal::WrongTxCode));
    assert_eq!(store.offer_of_code(mac(1)).await.unwrap().unwrap().misses, 1);
    assert_eq!(store.offer_of_code(mac(101)).await.unwrap(), None);
    assert_eq!(store.redeem(&redeem(1, 51, 9)).await.unwrap(), Ok(()));
    let grant = store.grant(mac(9)).await.unwrap().unwrap();
    assert_eq!((grant.jkt, grant.identified), (Some(mac(77)), true));
    store.add_offer(offer(2, 1)).await.unwrap();
    let bearer = Redeem { jkt: None, identified: false, ..redeem(2, 52, 8) };
    assert_eq!(store.redeem(&bearer).await.unwrap(), Ok(()));
    let grant = store.grant(mac(8)).await.unwrap().unwrap();
    assert_eq!((grant.jkt, grant.identified), (None, false));
}

async fn a_proof_is_seen_once_until_it_is_forgotten<S: Store>(store: S) {
    assert!(store.see_proof(mac(1), LATER, NOW).await.unwrap());
    assert!(!store.see_proof(mac(1), LATER, NOW).await.unwrap());
    assert!(store.see_proof(mac(2), LATER, NOW).await.unwrap());
    assert!(!store.see_proof(mac(1), LATER, LATER.minus(1)).await.unwrap());
    assert!(store.see_proof(mac(1), LATER.plus(100), LATER).await.unwrap());
}

async fn what_became_of_a_batch_is_noted_once<S: Store>(store: S) {
    let store = enrolled(store).await;
    for (code, token) in [(1, 11), (2, 12)] {
        store.add_offer(offer(code, 1)).await.unwrap();
        store.redeem(&redeem(code, code + 50, token)).await.unwrap().unwrap();
        store.issue(&issue(token, &[token])).await.unwrap().unwrap();
    }
    let notify = async |token, id, event| store.notify(mac(token), mac(id), event).await.unwrap();
    assert!(!notify(12, 111, Event::CredentialAccepted).await, "of another's batch");
    assert!(!notify(11, 110, Event::CredentialAccepted).await);
    for _ in 0..2 {
        assert!(notify(11, 111, Event::CredentialAccepted).await);
    }
    assert!(notify(11, 111, Event::CredentialDeleted).await);
    assert!(notify(12, 112, Event::CredentialAccepted).await);
    assert_eq!(store.notified().await.unwrap(), [2, 0, 1]);
}

fn defer(token: u8, nonce: u8) -> Defer {
    Defer {
        token: mac(token),
        nonces: vec![(mac(nonce), LATER)],
        transaction: mac(token + 100),
        reference: format!("D{token}"),
        holders: vec![token],
        expires_at: LATER,
        now: NOW,
    }
}

fn collect(token: u8) -> Collect {
    Collect {
        transaction: mac(token + 100),
        notification: mac(token + 150),
        copies: 30,
        link: None,
        now: NOW,
    }
}

/// A store in which the batches of tokens 11 to 14 were put off.
async fn put_off<S: Store>(store: S) -> S {
    let store = enrolled(store).await;
    for token in 11..=14 {
        store.add_offer(offer(token, 1)).await.unwrap();
        store.redeem(&redeem(token, token + 50, token)).await.unwrap().unwrap();
        assert_eq!(store.defer(&defer(token, token)).await.unwrap(), Ok(()));
    }
    store
}

async fn what_is_put_off_waits_for_an_officer<S: Store>(store: S) {
    let store = put_off(store).await;
    assert_eq!(store.defer(&defer(11, 99)).await.unwrap(), Err(IssueRefusal::Token));
    assert_eq!(store.issue(&issue(11, &[99])).await.unwrap(), Err(IssueRefusal::Token));
    let pending = store.pending(NOW).await.unwrap();
    assert_eq!(
        pending.iter().map(|one| one.reference.as_str()).collect::<Vec<_>>(),
        ["D11", "D12", "D13", "D14"]
    );
    assert_eq!((pending[0].person, pending[0].kind, pending[0].created_at), (mac(1), Kind::Proof, NOW));
    assert_eq!(store.pending(LATER).await.unwrap(), []);
    assert!(store.decide("D11", Verdict::Approve, NOW).await.unwrap());
    assert!(store.decide("D12", Verdict::Refuse, NOW).await.unwrap());
    for over in ["D11", "D12", "D99"] {
        assert!(!store.decide(over, Verdict::Approve, NOW).await.unwrap(), "{over}");
    }
    assert!(!store.decide("D13", Verdict::Approve, LATER).await.unwrap());
    let stage = async |token| store.deferred(mac(token)).await.unwrap().unwrap();
    assert_eq!((stage(111).await.stage, stage(111).await.holders), (DeferredStage::Approved, Some(vec![11])));
    assert_eq!((stage(112).await.stage, stage(112).await.holders), (DeferredStage::Refused, None));
    assert_eq!(stage(113).await.token, mac(13));
    assert_eq!(store.deferred(mac(99)).await.unwrap(), None);
}

async fn what_was_put_off_is_collected_once<S: Store>(store: S) {
    let store = put_off(store).await;
    store.decide("D11", Verdict::Approve, NOW).await.unwrap();
    store.decide("D12", Verdict::Refuse, NOW).await.unwrap();
    for token in [12, 13, 99] {
        assert_eq!(store.collect(&collect(token)).await.unwrap(), Err(CollectRefusal::Closed), "{token}");
    }
    let store = Arc::new(store);
    let tries = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { when_free!(store.collect(&collect(11))).unwrap().is_ok() })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        won += usize::from(attempt.await.unwrap());
    }
    assert_eq!(won, 1);
    let over = store.deferred(mac(111)).await.unwrap().unwrap();
    assert_eq!((over.stage, over.holders), (DeferredStage::Collected, None));
    assert!(store.notify(mac(11), mac(161), Event::CredentialAccepted).await.unwrap());
}

async fn keys_of_what_has_expired_are_forgotten<S: Store>(store: S) {
    let store = put_off(store).await;
    store.add_offer(NewOffer { expires_at: LATER.plus(9), ..offer(15, 1) }).await.unwrap();
    let token = Redeem { token_expires_at: LATER.plus(9), ..redeem(15, 65, 15) };
    store.redeem(&token).await.unwrap().unwrap();
    let late = Defer { now: LATER, expires_at: LATER.plus(9), ..defer(15, 15) };
    assert_eq!(store.defer(&late).await.unwrap(), Ok(()));
    assert_eq!(store.deferred(mac(111)).await.unwrap().unwrap().holders, None);
    assert_eq!(store.deferred(mac(115)).await.unwrap().unwrap().holders, Some(vec![15]));
}

async fn sqlite_in(folder: &std::path::Path) -> SqliteStore {
    SqliteStore::new(Sqlite::open(&folder.join("issuer.sqlite"), &MIGRATOR, Schema::Migrate).await.unwrap())
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::Memory::default()).await; })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(super::sqlite_in(folder.path()).await).await;
            })*
        }
        /// One server for all, and a database for each.
        #[cfg(feature = "mutants")]
        #[tokio::test(flavor = "multi_thread")]
        async fn postgres_passes_the_suite() {
            let server = Server::start();
            $( $test(server.store().await).await; )*
        }
    };
}

suite!(
    an_import_goes_on_where_it_stopped,
    a_person_is_written_once_an_import_and_never_by_older_facts,
    people_whom_a_file_does_not_name_are_counted,
    a_person_is_named_by_each_of_their_periods,
    who_is_absent_is_counted_in_the_periods_of_the_file,
    who_is_suspended_gets_nothing_of_another_period,
    an_offer_needs_a_person,
    a_code_is_good_once,
    wrong_transaction_codes_close_an_offer_and_do_not_spend_it,
    one_of_many_at_once_gets_the_token,
    a_batch_is_recorded_all_or_none,
    one_of_two_batches_at_once_is_recorded,
    an_objection_leaves_the_offer_open,
    a_proof_is_seen_once_until_it_is_forgotten,
    what_became_of_a_batch_is_noted_once,
    what_is_put_off_waits_for_an_officer,
    what_was_put_off_is_collected_once,
    keys_of_what_has_expired_are_forgotten,
    a_person_has_one_link_secret_and_nobody_elses,
    a_registration_that_moved_is_noticed,
    a_link_secret_is_replaced_where_it_is_released,
    a_released_secret_is_registered_for_nobody_again,
    what_is_open_for_a_person_ends_with_the_release,
    nothing_ends_without_a_release,
    what_was_put_off_is_held_to_the_secret_when_it_is_collected,
    one_of_many_secrets_at_once_is_registered,
    entries_are_handed_out_once_at_random_and_only_half_of_them,
    a_change_waits_for_a_publication_and_takes_all_of_a_persons_entries,
    what_is_revoked_stays_so_and_what_is_suspended_gets_no_more,
    a_change_takes_what_was_handed_out_before_it,
    a_publication_that_was_overtaken_changes_nothing,
    many_at_once_never_share_an_entry,
    the_sequence_tells_that_lists_are_others,
    a_list_goes_when_all_of_its_copies_have_run_out,
    a_publication_shows_on_every_shelf,
);

#[cfg(feature = "mutants")]
mod postgres;
#[cfg(feature = "mutants")]
use postgres::Server;
