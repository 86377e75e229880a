//! Each check about permissions, switched off, lets its attack through. Stores have theirs beside their suite.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
#[expect(dead_code, reason = "these attacks use a part")]
mod permits;
mod world;

use axum::http::{Method, StatusCode};
use callers::{System, call, changed};
use permits::{about, body, check, given, giving, payment, post, said, state, tell};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::permission::call::Do;
use vouchsafe_service::keys::SigningKey;
use world::{BUS_KEY, World, json_of};

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
    again_every "perm-again-every" => ask_again_every_day
    again_in_force "perm-again-in-force" => ask_again_after_the_last_day
    again_key "perm-again-key" => answer_under_the_permission_of_another
    again_policy "perm-again-policy" => ask_something_else_under_a_permission
    authorise_closed "perm-authorise-closed" => authorise_with_a_member_that_nobody_shows
    authorise_unasked "perm-authorise-unasked" => authorise_what_nobody_is_asked
    call_guesses "perm-call-guesses" => call_on_and_on
    call_once "perm-call-once" => repeat_a_call
    check_closed "perm-check-closed" => ask_with_a_member_that_is_not_read
    check_left "perm-check-left" => be_told_of_uses_that_are_spent
    check_policy "perm-check-policy" => act_under_another_policy
    check_until "perm-check-until" => act_after_the_last_day
    check_withdrawn "perm-check-withdrawn" => act_on_what_was_taken_back
    letter_guesses "perm-letter-guesses" => try_codes_on_and_on
    permission_bound "store-permission-bound" => put_a_permission_back_in_the_database
    scope_more "api-scope-more" => use_a_permission_up_with_a_token_for_reading
    use_body "perm-use-body" => use_a_key_for_two_calls
}

/// The link leaks, and somebody else answers.
async fn answer_under_the_permission_of_another() -> bool {
    let world = permits::world().await;
    let opened = permits::ask(&world, &body("again")).await;
    let first = permits::fetched(&world, &opened).await;
    let (entry, day) = (first.asked().transaction_data()[0].text().to_owned(), first.asked().as_of());
    let key = SigningKey::generate().unwrap();
    assert_eq!(post(&world, &first, giving(&first, &key)).await.status(), StatusCode::OK);
    let told = world.decision(opened["id"].as_str().unwrap()).await;
    days(&world, 7).await;
    let opened = permits::ask(&world, &again("again", told["permission"]["id"].as_str().unwrap())).await;
    let link = opened["qr_text"].as_str().unwrap();
    let request = permits::fetched_again(&world, link, &entry, day).await;
    let stranger = SigningKey::generate().unwrap();
    post(&world, &request, giving(&request, &stranger)).await.status() == StatusCode::OK
}

async fn opens(world: &World, body: &Value) -> bool {
    world.post_json("/v1/requests", BUS_KEY, body).await.status() == StatusCode::CREATED
}

fn again(policy: &str, permission: &str) -> Value {
    let mut body = body(policy);
    body["permission"] = json!(permission);
    body
}

async fn days(world: &World, count: i64) {
    world.clock.advance(count * 86_400);
    // The register is for a week.
    world.resign().await;
}

async fn ask_again_every_day() -> bool {
    let world = permits::world().await;
    let given = given(&world, "again").await;
    days(&world, 6).await;
    opens(&world, &again("again", &given.id)).await
}

async fn ask_again_after_the_last_day() -> bool {
    let world = permits::world().await;
    let given = given(&world, "again").await;
    days(&world, 31).await;
    opens(&world, &again("again", &given.id)).await
}

/// Another policy, which asks for a standing permission as well.
async fn ask_something_else_under_a_permission() -> bool {
    let world = permits::world().await;
    let given = given(&world, "again").await;
    days(&world, 7).await;
    let mut other = again("at-home", &given.id);
    other["flow"] = json!("same_device");
    opens(&world, &other).await
}

async fn authorise_with_a_member_that_nobody_shows() -> bool {
    let world = permits::world().await;
    let mut body = body("hardship");
    body["authorise"]["iban"] = json!("GB00");
    opens(&world, &body).await
}

async fn authorise_what_nobody_is_asked() -> bool {
    let world = permits::world().await;
    let mut body = body("counter");
    body["authorise"] = payment();
    opens(&world, &body).await
}

async fn call_on_and_on() -> bool {
    let world = permits::world().await;
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = tell(&world, "x").await.0;
    }
    last == StatusCode::NOT_FOUND
}

async fn repeat_a_call() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let text = said(&world, &given.key, Do::State);
    assert_eq!(tell(&world, &text).await.0, StatusCode::OK);
    tell(&world, &text).await.0 == StatusCode::OK
}

async fn ask_with_a_member_that_is_not_read() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    about(&world, Method::POST, &given.id, "/check", r#"{"used":true}"#).await.0 == StatusCode::OK
}

async fn be_told_of_uses_that_are_spent() -> bool {
    let world = permits::world().await;
    let given = given(&world, "hardship").await;
    assert_eq!(check(&world, &given.id, &json!({"use": true})).await["used"], true);
    state(&world, &given.id).await == "in_force"
}

async fn act_under_another_policy() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    about(&world, Method::POST, &given.id, "/check", r#"{"policy":"x"}"#).await.0 == StatusCode::OK
}

async fn act_after_the_last_day() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    world.clock.advance(31 * 86_400);
    state(&world, &given.id).await == "in_force"
}

async fn act_on_what_was_taken_back() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    assert_eq!(tell(&world, &said(&world, &given.key, Do::Withdraw)).await.0, StatusCode::OK);
    state(&world, &given.id).await == "in_force"
}

async fn try_codes_on_and_on() -> bool {
    let world = permits::world().await;
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = world.post_form("/withdraw", "code=AAAAAAAAAAAA".to_owned()).await.status();
    }
    last == StatusCode::NOT_FOUND
}

async fn put_a_permission_back_in_the_database() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    assert_eq!(tell(&world, &said(&world, &given.key, Do::Withdraw)).await.0, StatusCode::OK);
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE permissions SET state = 'given'").execute(&mut database).await.unwrap();
    state(&world, &given.id).await == "in_force"
}

async fn use_a_permission_up_with_a_token_for_reading() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let system = System::new(callers::SYSTEM);
    let settings = system.settings(&world, Some(&["permissions:read"]));
    let world = changed(world, |config| config.services[0].clients = vec![settings]).await;
    let token = system.token(&world).await;
    let path = format!("/v1/permissions/{}/check", given.id);
    let json = [("content-type", "application/json")];
    let used = call(&world, Method::POST, &path, Some(&token), &json, r#"{"use":true}"#).await;
    let refused = used.status() == StatusCode::FORBIDDEN;
    assert_ne!(refused, json_of(used).await["used"] == true);
    !refused
}

async fn use_a_key_for_two_calls() -> bool {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let path = format!("/v1/permissions/{}/check", given.id);
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    for body in [r#"{"use":true}"#, r#"{"use": true}"#] {
        let used = call(&world, Method::POST, &path, Some(BUS_KEY), &headers, body).await;
        if used.status() != StatusCode::OK {
            return false;
        }
    }
    true
}
