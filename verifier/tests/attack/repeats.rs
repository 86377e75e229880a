//! `Idempotency-Key` in the wrong hands, at the wrong time, and after what was lost.

use std::task::{Context, Waker};

use axum::http::StatusCode;
use serde_json::json;

use super::town::{Town, two_askers};
use crate::callers::{changed, counter, get, post, refusal, with_system};
use crate::world::{BUS_KEY, POOL_KEY, World, json_of};

const KEY: [(&str, &str); 1] = [("idempotency-key", "8e03978e-40d5-43e8-bc93-6894a57f9324")];

async fn count(world: &World, token: &str) -> usize {
    let listed = json_of(get(world, "/v1/requests?limit=100", token).await).await;
    listed["requests"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_tenant_opens_a_request_of_ones_own() {
    let world = two_askers().await;
    let buses = json_of(post(&world, BUS_KEY, &KEY, &counter()).await).await;
    let other = json!({"policy": "counter", "flow": "cross_device", "reference": "another body"});
    let pool = post(&world, POOL_KEY, &KEY, &other).await;
    assert_eq!(pool.status(), StatusCode::CREATED, "not even that the key is taken is told");
    let pool = json_of(pool).await;
    for member in ["id", "url", "qr_text", "code"] {
        assert_ne!(pool[member], buses[member], "{member}");
    }
    let same = json_of(post(&world, POOL_KEY, &KEY, &other).await).await;
    assert_eq!(same, pool);
    assert_eq!((count(&world, BUS_KEY).await, count(&world, POOL_KEY).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_test_is_fresh_in_live() {
    let town = Town::new().await;
    let token = town.system.token(&town.world).await;
    let live = json_of(post(&town.world, &token, &KEY, &counter()).await).await;
    let test = json_of(post(&town.world, POOL_KEY, &KEY, &counter()).await).await;
    assert_ne!(live["id"], test["id"]);
    assert_eq!(json_of(post(&town.world, &token, &KEY, &counter()).await).await, live);
}

/// Whoever lost the answer gets it, even though the policy may not be asked with any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_owed_after_the_policy_is_gone() {
    let world = World::new().await;
    let first = json_of(post(&world, BUS_KEY, &KEY, &counter()).await).await;
    for file in ["counter.toml", "counter.cases.toml"] {
        std::fs::remove_file(world.folder.path().join("policies").join(file)).unwrap();
    }
    world.app.reload().await.unwrap();
    let fresh = post(&world, BUS_KEY, &[("idempotency-key", "fresh")], &counter()).await;
    assert_eq!(refusal(fresh).await, (422, "unknown-policy".into()));
    let again = post(&world, BUS_KEY, &KEY, &counter()).await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(json_of(again).await, first);
    let other = json!({"policy": "counter", "flow": "cross_device", "reference": "another"});
    assert_eq!(
        refusal(post(&world, BUS_KEY, &KEY, &other).await).await,
        (422, "idempotency-key-taken".into())
    );
    world.clock.advance(86_400);
    let late = post(&world, BUS_KEY, &KEY, &counter()).await;
    assert_eq!(refusal(late).await.0, 422, "and after a day the key is forgotten");
}

/// A call that is refused, for whatever reason, takes no key.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_takes_no_key() {
    let (world, system) = with_system().await;
    let world = changed(world, |config| config.limits.client_calls_per_minute = 4).await;
    let reads = system.ask(&world, &system.claims(&world), &[("scope", "decisions:read")]).await;
    let reads = json_of(reads).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(refusal(post(&world, &reads, &KEY, &counter()).await).await.0, 403);
    assert_eq!(refusal(post(&world, "guess", &KEY, &counter()).await).await.0, 401);
    assert_eq!(
        refusal(post(&world, BUS_KEY, &KEY, &json!({"policy": "none", "flow": "cross_device"})).await)
            .await
            .0,
        422
    );
    assert_eq!(refusal(post(&world, BUS_KEY, &KEY, &json!([])).await).await.0, 400);
    for _ in 0..2 {
        assert_eq!(get(&world, "/v1/requests", BUS_KEY).await.status(), StatusCode::OK);
    }
    let other = json!({"policy": "counter", "flow": "cross_device", "reference": "too often"});
    assert_eq!(refusal(post(&world, BUS_KEY, &KEY, &other).await).await.0, 429);
    world.clock.advance(60);
    assert_eq!(post(&world, BUS_KEY, &KEY, &counter()).await.status(), StatusCode::CREATED);
    assert_eq!(count(&world, BUS_KEY).await, 1);
}

/// A caller that leaves at any moment and comes back has one request, and is told of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_anywhere_opens_one_request() {
    let world = World::new().await;
    for polls in 0..30_u32 {
        let key = format!("key-{polls}");
        let key = [("idempotency-key", key.as_str())];
        let body = json!({"policy": "counter", "flow": "cross_device", "reference": format!("file {polls}")});
        {
            let mut call = Box::pin(post(&world, BUS_KEY, &key, &body));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if call.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let first = json_of(post(&world, BUS_KEY, &key, &body).await).await;
        let again = json_of(post(&world, BUS_KEY, &key, &body).await).await;
        assert!(first["id"].is_string(), "{first}");
        assert_eq!(again, first, "dropped after {polls} polls");
    }
    assert_eq!(count(&world, BUS_KEY).await, 30);
}
