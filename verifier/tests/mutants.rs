//! Each check of the verifier's own, switched off, lets its attack through. Stores have theirs beside their suite.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::openid4vp::response::error_form;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::expiry::sweep;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::log::publish;
use vouchsafe_verifier::trust::{Sources, sign};
use world::{BUS_KEY, NOON, POOL_KEY, World, cookie_of, path_of};

/// The attack fails as things are, and succeeds without the check.
macro_rules! kills {
    ($($test:ident $name:literal => $attack:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            assert!(!$attack().await, "the check holds");
            assert!(without_async($name, $attack()).await, "nothing else would have caught it");
        }
    )* };
}

kills! {
    own_service "trust-own-service" => serve_a_service_under_a_foreign_certificate
    policy_issuer "trust-policy-issuer" => accept_an_issuer_of_our_own_choice
    log_continues "log-continues" => have_a_second_history_signed
    log_tile_within "log-tile-within" => see_what_no_checkpoint_has
    register_current "trust-register-current" => ask_by_a_register_that_ran_out
    sign_older "trust-sign-older" => sign_an_older_register
    sign_length "trust-sign-length" => sign_what_nobody_reads
    ask_purpose "vp-ask-purpose" => ask_for_a_purpose_of_another_service
    answers_at_once "vp-answers-at-once" => be_answered_where_there_is_no_room
    error_state "vp-error-state" => decline_for_somebody_else
    row_bound "store-row-bound" => have_a_decision_of_our_own_signed
    flow "vp-flow" => ask_across_devices_where_the_policy_binds
    policy_bounds "vp-policy-bounds" => ask_so_often_that_a_birth_date_is_known
    policy_case "vp-policy-case" => start_with_a_policy_that_says_otherwise_than_meant
    policy_cases "vp-policy-cases" => start_with_a_policy_that_nobody_tried
    row_bound_standing "store-row-bound" => have_an_outcome_of_our_own_told
    origin "vp-origin" => serve_in_clear_text
    page_session "vp-page-session" => see_the_page_of_another_browser
    test_key_live "vp-test-key-live" => call_a_live_service_with_a_test_key
}

async fn serve_a_service_under_a_foreign_certificate() -> bool {
    let world = World::new().await;
    world.sign(&world.sources.replace("client_ids = [\"x509_hash:", "client_ids = [\"x509_hash:other")).await;
    world.reopen(|_| ()).await.is_ok()
}

async fn accept_an_issuer_of_our_own_choice() -> bool {
    let world = World::new().await;
    let file = world.folder.path().join("policies/counter.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("issuer.larkfield", "other.larkfield")).unwrap();
    world.reopen(|_| ()).await.is_ok()
}

async fn ask_so_often_that_a_birth_date_is_known() -> bool {
    let world = World::new().await;
    let folder = world.folder.path().join("policies");
    let policy = std::fs::read_to_string(folder.join("counter.toml")).unwrap();
    for n in 60..=68 {
        let aged =
            policy.replace("\"counter\"", &format!("\"aged-{n}\"")).replace("n = 66", &format!("n = {n}"));
        std::fs::write(folder.join(format!("aged-{n}.toml")), aged).unwrap();
        std::fs::copy(folder.join("counter.cases.toml"), folder.join(format!("aged-{n}.cases.toml")))
            .unwrap();
    }
    world.reopen(|_| ()).await.is_ok()
}

async fn start_with_a_policy_that_says_otherwise_than_meant() -> bool {
    let world = World::new().await;
    let file = world.folder.path().join("policies/counter.cases.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"not_met\"", "\"met\"")).unwrap();
    world.reopen(|_| ()).await.is_ok()
}

async fn start_with_a_policy_that_nobody_tried() -> bool {
    let world = World::new().await;
    std::fs::remove_file(world.folder.path().join("policies/counter.cases.toml")).unwrap();
    world.reopen(|_| ()).await.is_ok()
}

async fn ask_by_a_register_that_ran_out() -> bool {
    let world = World::new().await;
    world.clock.advance(7 * 86_400);
    let body = json!({"policy": "counter", "flow": "cross_device"});
    world.post_json("/v1/requests", BUS_KEY, &body).await.status() == StatusCode::CREATED
}

async fn sign_an_older_register() -> bool {
    let world = World::new().await;
    let parts = Sources::parse([world.sources.as_str()]).unwrap();
    sign(&parts, &world.registrar, Some(4), NOON).await.is_ok()
}

async fn sign_what_nobody_reads() -> bool {
    let world = World::new().await;
    let wordy = world.sources.replace("To give you a bus pass.", &"x".repeat(200_000));
    sign(&Sources::parse([wordy.as_str()]).unwrap(), &world.registrar, None, NOON).await.is_ok()
}

async fn ask_for_a_purpose_of_another_service() -> bool {
    let world = World::new().await;
    let body = json!({"policy": "counter", "flow": "cross_device"});
    world.post_json("/v1/requests", POOL_KEY, &body).await.status() == StatusCode::CREATED
}

async fn be_answered_where_there_is_no_room() -> bool {
    let world = World::new().await;
    let app = world.reopen(|config| config.limits.answers_at_once = 1).await.unwrap();
    let world = World { router: router(app.clone()), app, ..world };
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let path = path_of(request.response_uri());
    let _lock = world.lock().await;
    // The first waits for the database; the others would not need it, and ask until there is no room.
    let waiting = async {
        world.post_form(path, World::decline(&request)).await;
        std::future::pending::<bool>().await
    };
    let stranger = async {
        let error = error_form("access_denied", "0123456789abcdefghijklmn");
        for _ in 0..150 {
            let status = world.post_form(path, error.clone()).await.status();
            if status != StatusCode::BAD_REQUEST {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    };
    tokio::select! {
        answered = stranger => answered,
        answered = waiting => answered,
    }
}

/// With the database and without the server's key.
async fn have_a_decision_of_our_own_signed() -> bool {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    world.clock.advance(7200);
    let decision = format!("/v1/requests/{}/decision", opened["id"].as_str().unwrap());
    let key = format!("Bearer {BUS_KEY}");
    let fetch = async || world.get_with(&decision, header::AUTHORIZATION, &key).await.status();
    assert_eq!(fetch().await, StatusCode::OK);
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE decisions SET signing_input = 'AAAA' || signing_input")
        .execute(&mut database)
        .await
        .unwrap();
    fetch().await == StatusCode::OK
}

/// With the database and without the server's key.
async fn have_an_outcome_of_our_own_told() -> bool {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    world.clock.advance(7200);
    let standing = format!("/v1/requests/{}", opened["id"].as_str().unwrap());
    let key = format!("Bearer {BUS_KEY}");
    let fetch = async || world.get_with(&standing, header::AUTHORIZATION, &key).await.status();
    assert_eq!(fetch().await, StatusCode::OK);
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE decisions SET signing_input = 'AAAA' || signing_input")
        .execute(&mut database)
        .await
        .unwrap();
    fetch().await == StatusCode::OK
}

/// So many requests that ran out, and with them as many entries of the log.
async fn logged(world: &World, many: usize) {
    for _ in 0..many {
        world.ask("counter", "cross_device").await;
    }
    world.clock.advance(7200);
    sweep(&world.app, world.clock.now()).await.unwrap();
}

/// With the database and without the log's key.
async fn have_a_second_history_signed() -> bool {
    let world = World::new().await;
    logged(&world, 2).await;
    publish(&world.app).await.unwrap();
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE log_leaves SET leaf = randomblob(32) WHERE place = 0")
        .execute(&mut database)
        .await
        .unwrap();
    logged(&world, 1).await;
    publish(&world.app).await.is_ok()
}

/// Entries as they come, before a checkpoint says that they are there.
async fn see_what_no_checkpoint_has() -> bool {
    let world = World::new().await;
    logged(&world, 1).await;
    publish(&world.app).await.unwrap();
    logged(&world, 1).await;
    world.get("/log/tile/entries/000.p/2").await.status() == StatusCode::OK
}

async fn decline_for_somebody_else() -> bool {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let stranger = error_form("access_denied", "0123456789abcdefghijklmn");
    world.post_form(path_of(request.response_uri()), stranger).await.status() == StatusCode::OK
}

async fn ask_across_devices_where_the_policy_binds() -> bool {
    let world = World::new().await;
    let body = json!({"policy": "bus-pass", "flow": "cross_device"});
    world.post_json("/v1/requests", BUS_KEY, &body).await.status() == StatusCode::CREATED
}

async fn serve_in_clear_text() -> bool {
    let world = World::new().await;
    world.reopen(|config| config.origin = "http://ask.larkfield.example".into()).await.is_ok()
}

async fn see_the_page_of_another_browser() -> bool {
    let world = World::new().await;
    let opened = world.ask("bus-pass", "same_device").await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    let cookie = cookie_of(&world.get(&page).await).unwrap();
    let (name, _) = cookie.split_once('=').unwrap();
    let other = world.get_with(&page, header::COOKIE, &format!("{name}=guessed")).await;
    other.status() == StatusCode::OK
}

async fn call_a_live_service_with_a_test_key() -> bool {
    let world = World::new().await;
    let live = world.sources.replacen("env = \"test\"", "env = \"live\"", 1);
    world.sign(&live.replace("reg_version = 3", "reg_version = 4")).await;
    world.reopen(|config| config.services[0].env = Env::Live).await.is_ok()
}
