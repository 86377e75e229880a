//! Each of these checks, switched off, lets its attack through.

use axum::http::{Method, StatusCode};
use serde_json::json;
use vouchsafe_mutants::without_async;
use vouchsafe_service::keys::SigningKey;

use super::assertions::{
    ed25519, name_another_algorithm, start_with_one_test_key_for_two,
    use_an_assertion_where_the_clock_is_behind, with_keys,
};
use super::possession::{Bound, ask, proof, replay_a_proof_where_the_clock_is_behind, strict};
use crate::callers::{call, with_system};
use crate::world::{BUS_KEY, World};

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
    assertion_alg "jose-alg" => name_another_algorithm
    assertion_kept "api-assertion-kept" => use_an_assertion_where_the_clock_is_behind
    client_key_use "api-client-key-use" => start_with_a_key_for_encryption
    dpop_key "api-dpop-key" => prove_with_a_key_of_our_own
    dpop_kept "api-dpop-kept" => replay_a_proof_where_the_clock_is_behind
    dpop_once "api-dpop-once" => send_a_proof_twice
    dpop_required "api-dpop-required" => get_a_token_that_is_bound_to_nothing
    event_ahead "api-event-ahead" => be_sent_away_before_the_decision
    token_unbound "api-token-unbound" => send_a_free_token_as_a_bound_one
    test_key_unique "api-test-key-unique" => start_as_two_services_with_one_key
}

async fn start_with_a_key_for_encryption() -> bool {
    let mut key = ed25519();
    key["use"] = json!("enc");
    with_keys(json!([key])).await.is_ok()
}

async fn be_sent_away_before_the_decision() -> bool {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let path = format!("/v1/requests/{}/events", opened["id"].as_str().unwrap());
    let answer = call(&world, Method::GET, &path, Some(BUS_KEY), &[("last-event-id", "3")], "").await;
    answer.status() == StatusCode::NO_CONTENT
}

async fn start_as_two_services_with_one_key() -> bool {
    start_with_one_test_key_for_two().await.is_ok()
}

async fn get_a_token_that_is_bound_to_nothing() -> bool {
    let (world, system) = strict().await;
    ask(&world, &system, &[]).await.status() == StatusCode::OK
}

async fn send_a_proof_twice() -> bool {
    let bound = Bound::new().await;
    let proof = bound.proof("GET", "/v1/requests");
    assert_eq!(bound.send("DPoP", "/v1/requests", &[&proof]).await.status(), StatusCode::OK);
    bound.send("DPoP", "/v1/requests", &[&proof]).await.status() == StatusCode::OK
}

async fn prove_with_a_key_of_our_own() -> bool {
    let bound = Bound::new().await;
    let thief = SigningKey::generate().unwrap();
    let proof = proof(&bound.world, &thief, "GET", "/v1/requests", Some(&bound.token));
    bound.send("DPoP", "/v1/requests", &[&proof]).await.status() == StatusCode::OK
}

async fn send_a_free_token_as_a_bound_one() -> bool {
    let (world, system) = with_system().await;
    let authorization = format!("DPoP {}", system.token(&world).await);
    let fields = [("authorization", authorization.as_str())];
    call(&world, Method::GET, "/v1/requests", None, &fields, "").await.status() == StatusCode::OK
}
