//! What only a server with many writers can get wrong.

use vouchsafe_cluster::{Cluster, USER};
use vouchsafe_mutants::without_async;
use vouchsafe_service::clock::{Clock, DatabaseClock};
use vouchsafe_service::store::{Postgres, Server as Place, shape};

use super::super::postgres;
use super::super::sqlite;
use super::*;

/// A server of tests: a database for each store.
pub(super) struct Server(Cluster);

impl Server {
    pub(super) fn start() -> Self {
        Self(Cluster::shared().unwrap_or_else(|fault| panic!("{fault}")))
    }

    async fn open(&self) -> Postgres {
        let place = Place {
            host: self.0.socket().to_str().unwrap().to_owned(),
            port: self.0.port(),
            name: self.0.database(),
            user: USER.to_owned(),
            password: None,
            root_certificate: None,
        };
        let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
        Postgres::open(&place, &postgres::MIGRATOR, Schema::Migrate, &clock).await.unwrap()
    }

    pub(super) async fn store(&self) -> PostgresStore {
        PostgresStore::new(self.open().await)
    }
}

macro_rules! kills {
    ($($name:literal => $case:ident)*) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn postgres_notices_every_mutant() {
            let server = Server::start();
            $(
                let case = without_async($name, $case(server.store().await));
                assert!(tokio::spawn(case).await.is_err(), $name);
            )*
        }
    };
}

kills! {
    "store-import-place" => an_import_goes_on_where_it_stopped
    "store-enrol-twice" => a_person_is_written_once_an_import_and_never_by_older_facts
    "store-enrol-older" => a_person_is_written_once_an_import_and_never_by_older_facts
    "store-tx-code" => wrong_transaction_codes_close_an_offer_and_do_not_spend_it
    "store-tx-code-limit" => wrong_transaction_codes_close_an_offer_and_do_not_spend_it
    "store-token-spent" => a_batch_is_recorded_all_or_none
    "store-token-expired" => a_batch_is_recorded_all_or_none
    "store-nonce-used" => a_batch_is_recorded_all_or_none
    "store-link-person" => a_person_has_one_link_secret_and_nobody_elses
    "store-link-pseudonym" => a_person_has_one_link_secret_and_nobody_elses
    "store-link-moved" => a_registration_that_moved_is_noticed
    "store-link-released" => a_released_secret_is_registered_for_nobody_again
    "store-release-offers" => what_is_open_for_a_person_ends_with_the_release
    "store-release-tokens" => what_is_open_for_a_person_ends_with_the_release
    "store-release-deferred" => what_is_open_for_a_person_ends_with_the_release
    "store-proof-seen" => a_proof_is_seen_once_until_it_is_forgotten
    "store-notification-token" => what_became_of_a_batch_is_noted_once
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_with_many_writers() {
    let server = Server::start();
    imports_over_the_same_people_do_not_undo_each_other(server.store().await).await;
    nonces_of_many_requests_are_spent_once(server.store().await).await;
}

/// Twelve imports of the same forty people at once, in every other order, one day apart: the newest facts stay.
async fn imports_over_the_same_people_do_not_undo_each_other(store: PostgresStore) {
    let runs = (0..12_u8).map(|run| {
        let store = store.clone();
        let mut rows: Vec<_> =
            (0..40).map(|n| SealedRow { person: mac(n), line: 2, sealed: vec![run], period: None }).collect();
        if run % 2 == 0 {
            rows.reverse();
        }
        tokio::spawn(async move {
            let import = import(run, date(2026, 11, 1 + i8::try_from(run).unwrap()));
            when_free!(store.begin_import(&import, NOW)).unwrap();
            when_free!(store.enrol(&import, batch(0, rows.clone(), true))).unwrap()
        })
    });
    let mut written = 0;
    for run in runs.collect::<Vec<_>>() {
        let done = run.await.unwrap();
        assert_eq!(done.added + done.updated + done.rejected, 40);
        written += done.added;
    }
    assert_eq!(written, 40, "everybody is new once");
    for n in 0..40 {
        let person = store.person("residency", mac(n)).await.unwrap().unwrap();
        let newest = (date(2026, 11, 12), vec![11]);
        assert_eq!((person.facts_as_of, person.sealed), newest, "older facts never replace newer ones");
    }
}

/// Requests that share nonces, in either order: each nonce counts once, and nobody waits in a circle.
async fn nonces_of_many_requests_are_spent_once(store: PostgresStore) {
    let store = enrolled(store).await;
    for n in 1..=6 {
        store.add_offer(offer(n, 1)).await.unwrap();
        store.redeem(&redeem(n, n + 50, n + 100)).await.unwrap().unwrap();
    }
    let tries = (1..=6_u8).map(|n| {
        let store = store.clone();
        let nonces = if n % 2 == 0 { [1, 2] } else { [2, 1] };
        tokio::spawn(async move { when_free!(store.issue(&issue(n + 100, &nonces))).unwrap() })
    });
    let mut issued = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(()) => issued += 1,
            Err(refusal) => assert_eq!(refusal, IssueRefusal::Nonce),
        }
    }
    assert_eq!(issued, 1);
}

#[tokio::test]
async fn postgres_has_the_tables_that_sqlite_has() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = Sqlite::open(&folder.path().join("i.sqlite"), &MIGRATOR, Schema::Migrate).await.unwrap();
    let of_file = shape::of_sqlite(&file).await.unwrap();
    assert_eq!(shape::of_postgres(&server.open().await).await.unwrap(), of_file);
    assert!(of_file.len() >= 40, "{of_file:?}");
}

#[test]
fn postgres_migrations_have_the_names_of_sqlites_and_only_add() {
    let names = |migrator: &sqlx::migrate::Migrator| {
        migrator.iter().map(|one| (one.version, one.description.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(names(&postgres::MIGRATOR), names(&sqlite::MIGRATOR));
    let taken = shape::that_take_away(&postgres::MIGRATOR);
    assert!(taken.is_empty(), "the version that still serves may use it: {taken:?}");
}
