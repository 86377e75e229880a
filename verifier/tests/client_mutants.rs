//! Each check of the API's own, switched off, lets its attack through. Stores have theirs beside their suite.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod world;

use axum::http::{Method, StatusCode};
use callers::{
    FORM, SYSTEM, System, call, changed, counter, get, live_and_test, post, reopened, send_assertion,
    with_system,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::form;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::clients::assertion::TYPE;
use world::{BUS_KEY, ORIGIN, POOL_KEY, World, json_of};

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
    assertion_aud "api-assertion-aud" => pass_on_an_assertion_for_another_server
    assertion_begun "api-assertion-begun" => use_an_assertion_of_tomorrow
    assertion_exp "api-assertion-exp" => use_an_assertion_that_is_over
    assertion_jti "api-assertion-jti" => sign_with_an_id_that_is_none
    assertion_life "api-assertion-life" => sign_one_assertion_for_a_year
    assertion_sub "api-assertion-sub" => speak_for_another_subject
    assertion_typ "jose-typ" => use_a_token_that_was_signed_for_something_else
    assertion_type "api-assertion-type" => send_an_assertion_of_another_kind
    client_id "api-client-id" => name_another_client_beside_the_assertion
    client_keys "api-client-keys" => start_with_keys_that_cannot_be_told_apart
    client_rate "api-client-rate" => call_as_often_as_one_likes
    client_streams "api-client-streams" => follow_as_many_requests_as_one_likes
    client_unique "api-client-unique" => start_with_a_client_of_two_services
    cursor "api-cursor" => go_on_in_a_list_by_a_cursor_of_our_own
    grant_type "api-grant-type" => ask_by_a_grant_that_is_not_there
    assertion_signature "jose-signature" => sign_with_a_key_that_nobody_registered
    event_cursor "hook-cursor" => go_on_in_the_feed_of_another_service
    event_held_back "hook-held-back" => read_what_an_earlier_one_may_still_come_before
    event_test "hook-test-env" => make_up_an_event_of_a_live_service
    repeat_body "api-repeat-body" => get_the_answer_to_another_question
    repeat_busy "api-repeat-busy" => send_a_call_twice_at_a_time
    repeat_key "api-repeat-key" => send_a_key_that_is_none
    scope "api-scope" => read_with_a_token_for_asking
    scope_granted "api-scope-granted" => get_a_scope_that_is_not_ours
    second_method "api-second-method" => show_who_we_are_in_two_ways
    token_bound "api-token-bound" => use_a_bound_token_without_its_key
    token_tenant "api-token-tenant" => read_live_rows_with_a_test_token
    used_once "store-used-once" => use_an_assertion_twice
}

/// Whether the claims of a good assertion, changed, still give a token.
async fn gives_a_token(change: impl Fn(&mut Value, i64)) -> bool {
    let (world, system) = with_system().await;
    let mut claims = system.claims(&world);
    change(&mut claims, world.clock.now().0);
    system.ask(&world, &claims, &[]).await.status() == StatusCode::OK
}

async fn pass_on_an_assertion_for_another_server() -> bool {
    gives_a_token(|claims, _| claims["aud"] = json!(format!("{ORIGIN}/oauth/token"))).await
}

async fn use_an_assertion_of_tomorrow() -> bool {
    gives_a_token(|claims, now| claims["nbf"] = json!(now + 61)).await
}

async fn use_an_assertion_that_is_over() -> bool {
    gives_a_token(|claims, now| claims["exp"] = json!(now)).await
}

async fn sign_with_an_id_that_is_none() -> bool {
    gives_a_token(|claims, _| claims["jti"] = json!("1")).await
}

async fn sign_one_assertion_for_a_year() -> bool {
    gives_a_token(|claims, now| claims["exp"] = json!(now + 301)).await
}

async fn speak_for_another_subject() -> bool {
    gives_a_token(|claims, _| claims["sub"] = json!("https://systems.larkfield.example/other")).await
}

async fn use_a_token_that_was_signed_for_something_else() -> bool {
    let (world, system) = with_system().await;
    let assertion = system.sign_as("JWT", &system.kid, &system.claims(&world));
    send_assertion(&world, &assertion, &[]).await.status() == StatusCode::OK
}

async fn gives_a_token_to(more: &[(&str, &str)]) -> bool {
    let (world, system) = with_system().await;
    system.ask(&world, &system.claims(&world), more).await.status() == StatusCode::OK
}

async fn send_an_assertion_of_another_kind() -> bool {
    gives_a_token_to(&[("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")])
        .await
}

async fn name_another_client_beside_the_assertion() -> bool {
    gives_a_token_to(&[("client_id", "https://systems.larkfield.example/other")]).await
}

async fn ask_by_a_grant_that_is_not_there() -> bool {
    gives_a_token_to(&[("grant_type", "authorization_code")]).await
}

async fn get_a_scope_that_is_not_ours() -> bool {
    let (world, system) = with_system().await;
    let settings = system.settings(&world, Some(&["decisions:read"]));
    let world = changed(world, |config| config.services[0].clients = vec![settings]).await;
    let asked = system.ask(&world, &system.claims(&world), &[("scope", "requests:write")]).await;
    asked.status() == StatusCode::OK
}

async fn show_who_we_are_in_two_ways() -> bool {
    let (world, system) = with_system().await;
    let assertion = system.sign(&system.claims(&world));
    let members = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ];
    let headers = [("content-type", FORM), ("authorization", "Basic eDp5")];
    let sent = call(&world, Method::POST, "/oauth/token", None, &headers, &form::write(&members)).await;
    sent.status() == StatusCode::OK
}

async fn sign_with_a_key_that_nobody_registered() -> bool {
    let (world, system) = with_system().await;
    let stranger = System { kid: system.kid.clone(), ..System::new(SYSTEM) };
    stranger.ask(&world, &stranger.claims(&world), &[]).await.status() == StatusCode::OK
}

async fn use_an_assertion_twice() -> bool {
    let (world, system) = with_system().await;
    let assertion = system.sign(&system.claims(&world));
    assert_eq!(send_assertion(&world, &assertion, &[]).await.status(), StatusCode::OK);
    send_assertion(&world, &assertion, &[]).await.status() == StatusCode::OK
}

async fn start_with_keys_that_cannot_be_told_apart() -> bool {
    let (world, system) = with_system().await;
    let settings = system.settings(&world, None);
    std::fs::write(&settings.keys, json!({"keys": [system.jwk(), system.jwk()]}).to_string()).unwrap();
    reopened(&world, |_| ()).await.is_ok()
}

async fn start_with_a_client_of_two_services() -> bool {
    let (world, system) = with_system().await;
    let settings = system.settings(&world, None);
    reopened(&world, |config| config.services[1].clients = vec![settings]).await.is_ok()
}

async fn call_as_often_as_one_likes() -> bool {
    let world = changed(World::new().await, |config| config.limits.client_calls_per_minute = 1).await;
    get(&world, "/v1/requests", BUS_KEY).await;
    get(&world, "/v1/requests", BUS_KEY).await.status() == StatusCode::OK
}

async fn follow_as_many_requests_as_one_likes() -> bool {
    let world = changed(World::new().await, |config| config.limits.client_streams = 1).await;
    let opened = world.ask("counter", "cross_device").await;
    let path = format!("/v1/requests/{}/events", opened["id"].as_str().unwrap());
    let _first = get(&world, &path, BUS_KEY).await;
    get(&world, &path, BUS_KEY).await.status() == StatusCode::OK
}

async fn go_on_in_a_list_by_a_cursor_of_our_own() -> bool {
    let world = World::new().await;
    for _ in 0..2 {
        world.ask("counter", "cross_device").await;
    }
    let first = json_of(get(&world, "/v1/requests?limit=1", BUS_KEY).await).await;
    let path = format!("/v1/requests?cursor={}", first["next"].as_str().unwrap());
    get(&world, &path, POOL_KEY).await.status() == StatusCode::OK
}

async fn made_up(world: &World, token: &str) -> StatusCode {
    let body = json!({"type": "decision.met"}).to_string();
    let headers = [("content-type", "application/json")];
    call(world, Method::POST, "/v1/events/test", Some(token), &headers, &body).await.status()
}

async fn go_on_in_the_feed_of_another_service() -> bool {
    let world = World::new().await;
    let first = json_of(get(&world, "/v1/events", BUS_KEY).await).await;
    let path = format!("/v1/events?after={}", first["next"].as_str().unwrap());
    get(&world, &path, POOL_KEY).await.status() == StatusCode::OK
}

async fn read_what_an_earlier_one_may_still_come_before() -> bool {
    let world = World::new().await;
    assert_eq!(made_up(&world, BUS_KEY).await, StatusCode::ACCEPTED);
    let page = json_of(get(&world, "/v1/events", BUS_KEY).await).await;
    !page["events"].as_array().unwrap().is_empty()
}

async fn make_up_an_event_of_a_live_service() -> bool {
    let (world, system) = live_and_test().await;
    let token = system.token(&world).await;
    made_up(&world, &token).await == StatusCode::ACCEPTED
}

const KEY: [(&str, &str); 1] = [("idempotency-key", "one")];

async fn get_the_answer_to_another_question() -> bool {
    let world = World::new().await;
    post(&world, BUS_KEY, &KEY, &counter()).await;
    let other = json!({"policy": "counter", "flow": "cross_device", "reference": "another"});
    post(&world, BUS_KEY, &KEY, &other).await.status() == StatusCode::CREATED
}

async fn send_a_call_twice_at_a_time() -> bool {
    let world = World::new().await;
    let lock = world.lock().await;
    let answered = tokio::sync::Notify::new();
    let send = async || {
        let answer = post(&world, BUS_KEY, &KEY, &counter()).await;
        answered.notify_one();
        answer
    };
    // Whoever is told to come again hears it while the database is held; two that both wait for it do not.
    let later = async {
        answered.notified().await;
        drop(lock);
    };
    let (one, other, ()) = tokio::join!(send(), send(), later);
    // Without the check both are told of the one request, or that there is no room: what it saves is the wait.
    one.status() != StatusCode::CONFLICT && other.status() != StatusCode::CONFLICT
}

async fn send_a_key_that_is_none() -> bool {
    let world = World::new().await;
    post(&world, BUS_KEY, &[("idempotency-key", "a key")], &counter()).await.status() == StatusCode::CREATED
}

async fn read_with_a_token_for_asking() -> bool {
    let (world, system) = with_system().await;
    let asked = system.ask(&world, &system.claims(&world), &[("scope", "requests:write")]).await;
    let token = json_of(asked).await["access_token"].as_str().unwrap().to_owned();
    get(&world, "/v1/requests", &token).await.status() == StatusCode::OK
}

async fn use_a_bound_token_without_its_key() -> bool {
    let (world, system) = with_system().await;
    let token = system.token(&world).await;
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE tokens SET key_thumbprint = zeroblob(32)").execute(&mut database).await.unwrap();
    get(&world, "/v1/requests", &token).await.status() == StatusCode::OK
}

async fn read_live_rows_with_a_test_token() -> bool {
    let (world, system) = with_system().await;
    let token = system.token(&world).await;
    world.sign(&world.sources.replacen("env = \"test\"", "env = \"live\"", 1)).await;
    let settings = system.settings(&world, None);
    let world = changed(world, |config| {
        config.services[0].env = Env::Live;
        config.services[0].test_key_hash = None;
        config.services[0].clients = vec![settings];
    });
    get(&world.await, "/v1/requests", &token).await.status() == StatusCode::OK
}
