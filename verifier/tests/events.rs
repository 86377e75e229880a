//! A service's own messages over the API: read on from a place, sent again, made up.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod world;

use axum::http::{Method, StatusCode};
use callers::{call, get, live_and_test, opened, refusal};
use serde_json::{Value, json};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::expiry;
use vouchsafe_verifier::store::{Settled, Tenant};
use world::{BUS_KEY, BUSES, POOL_KEY, World, json_of};

const JSON: (&str, &str) = ("content-type", "application/json");
const TEST: &str = "/v1/events/test";

async fn post(world: &World, path: &str, token: &str, body: &str) -> axum::http::Response<axum::body::Body> {
    call(world, Method::POST, path, Some(token), &[JSON], body).await
}

async fn make_up(world: &World, token: &str, topic: &str) {
    let made = post(world, TEST, token, &json!({"type": topic}).to_string()).await;
    assert_eq!(made.status(), StatusCode::ACCEPTED);
}

async fn page(world: &World, token: &str, query: &str) -> (Vec<Value>, String) {
    let page = json_of(get(world, &format!("/v1/events{query}"), token).await).await;
    let events = page["events"].as_array().unwrap_or_else(|| panic!("{page}"));
    (events.clone(), page["next"].as_str().unwrap().to_owned())
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_goes_on_where_somebody_stopped() {
    let world = World::new().await;
    let (none, start) = page(&world, BUS_KEY, "").await;
    assert!(none.is_empty());
    let request = opened(&world, BUS_KEY).await;
    world.clock.advance(301);
    let over = world.clock.now();
    expiry::sweep(&world.app, over).await.unwrap();
    for topic in ["decision.met", "decision.declined"] {
        make_up(&world, BUS_KEY, topic).await;
    }
    world.clock.advance(2);
    assert!(page(&world, BUS_KEY, "").await.0.is_empty(), "somebody may still be at work on an earlier one");
    world.clock.advance(1);
    let (first, next) = page(&world, BUS_KEY, &format!("?after={start}&limit=1")).await;
    let (id, data) = (first[0]["id"].as_str().unwrap(), json!({"id": request["id"]}));
    assert!(id.len() == 26 && id.starts_with("evt_"), "{id}");
    let whole = json!({
        "id": id, "type": "decision.expired", "timestamp": over.rfc3339(), "data": data, "state": "waiting",
        "attempts": 0,
    });
    assert_eq!(first, [whole], "that, and nothing else");
    let (rest, end) = page(&world, BUS_KEY, &format!("?after={next}")).await;
    assert_eq!(types(&rest), ["decision.met", "decision.declined"]);
    assert!(rest.iter().all(|event| event["data"] == json!({"id": "test"})));
    let (none, still) = page(&world, BUS_KEY, &format!("?after={end}")).await;
    assert!(none.is_empty());
    make_up(&world, BUS_KEY, "decision.not_met").await;
    world.clock.advance(3);
    let (more, _) = page(&world, BUS_KEY, &format!("?after={still}")).await;
    assert_eq!(types(&more), ["decision.not_met"]);
    let (all, _) = page(&world, BUS_KEY, "?state=waiting").await;
    assert_eq!(all.len(), 4);
    for state in ["delivered", "dead"] {
        assert!(page(&world, BUS_KEY, &format!("?state={state}")).await.0.is_empty());
    }
    assert!(page(&world, POOL_KEY, "").await.0.is_empty(), "and nobody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_keeps_its_id_and_no_two_have_one() {
    let world = World::new().await;
    for _ in 0..5 {
        make_up(&world, BUS_KEY, "decision.met").await;
    }
    make_up(&world, POOL_KEY, "decision.met").await;
    world.clock.advance(3);
    let ids = async |key| {
        let (events, _) = page(&world, key, "").await;
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, pool) = (ids(BUS_KEY).await, ids(POOL_KEY).await);
    assert_eq!(first, ids(BUS_KEY).await);
    let all: std::collections::BTreeSet<_> = first.iter().chain(&pool).collect();
    assert_eq!(all.len(), 6);
    let world = world.restart().await;
    let (again, _) = page(&world, BUS_KEY, "").await;
    assert_eq!(again[0]["id"], json!(first[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_again_by_its_own_service() {
    let world = World::new().await;
    make_up(&world, BUS_KEY, "decision.met").await;
    world.clock.advance(3);
    let tenant = Tenant::new(BUSES, Env::Test);
    let (events, _) = page(&world, BUS_KEY, "").await;
    let id = events[0]["id"].as_str().unwrap();
    let place = format!("/v1/events/{id}/send");
    assert_eq!(refusal(post(&world, &place, BUS_KEY, "").await).await, (404, "no-such-event".into()));
    let claimed = world.app.store().claim(&tenant, world.clock.now(), 1).await.unwrap().remove(0);
    let how = Settled::Dead;
    assert!(world.app.store().settle(&tenant, &claimed, id, how, world.clock.now()).await.unwrap());
    let (dead, _) = page(&world, BUS_KEY, "?state=dead").await;
    assert_eq!((dead.len(), &dead[0]["attempts"]), (1, &json!(1)));
    assert_eq!(refusal(post(&world, &place, POOL_KEY, "").await).await, (404, "no-such-event".into()));
    assert_eq!(post(&world, &place, BUS_KEY, "").await.status(), StatusCode::ACCEPTED);
    let (waiting, _) = page(&world, BUS_KEY, "?state=waiting").await;
    assert_eq!((&waiting[0]["id"], &waiting[0]["attempts"]), (&json!(id), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_of_its_form_is_refused() {
    let world = World::new().await;
    for (body, status, code) in [
        ("", 400, "not-an-object"),
        ("[]", 400, "not-an-object"),
        (r#"{"type": "decision.met", "type": "decision.met"}"#, 400, "not-an-object"),
        ("{}", 422, "unknown-event"),
        (r#"{"type": 1}"#, 422, "unknown-event"),
        (r#"{"type": "decision"}"#, 422, "unknown-event"),
        (r#"{"type": "decision.met", "data": {}}"#, 422, "unknown-member"),
    ] {
        let refused = refusal(post(&world, TEST, BUS_KEY, body).await).await;
        assert_eq!(refused, (status, code.to_owned()), "{body}");
    }
    let plain = call(&world, Method::POST, TEST, Some(BUS_KEY), &[], "{}").await;
    assert_eq!(refusal(plain).await, (415, "media-type".into()));
    let large = format!(r#"{{"type": "{}"}}"#, "a".repeat(20_000));
    assert_eq!(refusal(post(&world, TEST, BUS_KEY, &large).await).await, (413, "body-too-large".into()));
    let (_, cursor) = page(&world, BUS_KEY, "").await;
    for (query, code) in [
        ("limit=0", "query"),
        ("state=lost", "query"),
        ("cursor=x", "query"),
        ("after=x", "cursor"),
        ("after=", "cursor"),
        (&format!("after={}", &cursor[1..]), "cursor"),
        (&format!("after={cursor}&state=dead"), "cursor"),
    ] {
        let answer = get(&world, &format!("/v1/events?{query}"), BUS_KEY).await;
        assert_eq!(refusal(answer).await, (400, code.to_owned()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_up_for_a_live_service() {
    let (world, system) = live_and_test().await;
    let token = system.token(&world).await;
    let refused = post(&world, TEST, &token, r#"{"type": "decision.met"}"#).await;
    assert_eq!(refusal(refused).await, (403, "test-only".into()));
    world.clock.advance(3);
    assert!(page(&world, &token, "").await.0.is_empty());
}
