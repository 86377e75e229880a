//! Each of these checks, switched off, lets its attack through.

use axum::http::{Method, StatusCode};
use serde_json::json;
use vouchsafe_mutants::without_async;

use super::assertions::{
    ed25519, start_with_one_test_key_for_two, use_an_assertion_where_the_clock_is_behind, with_keys,
};
use crate::callers::call;
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
    assertion_kept "api-assertion-kept" => use_an_assertion_where_the_clock_is_behind
    client_key_use "api-client-key-use" => start_with_a_key_for_encryption
    event_ahead "api-event-ahead" => be_sent_away_before_the_decision
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
