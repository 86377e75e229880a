//! What happens when too much arrives: refused early, at nobody's cost.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use vouchsafe_protocol::openid4vp::response::error_form;
use vouchsafe_service::limits::AddressPrefix;
use vouchsafe_verifier::app::OpenError;
use vouchsafe_verifier::config::{Config, LimitSettings};
use vouchsafe_verifier::http::router;
use world::{BUS_KEY, World, path_of};

const FORM: &str = "application/x-www-form-urlencoded";
const HERE: [u8; 4] = [192, 0, 2, 1];
const NEIGHBOUR: [u8; 4] = [192, 0, 2, 200];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 1];

async fn world_with(change: impl FnOnce(&mut Config)) -> World {
    let world = World::new().await;
    let app = world.reopen(change).await.unwrap();
    World { router: router(app.clone()), app, ..world }
}

/// Sends a call as if from `address`.
async fn from(world: &World, address: [u8; 4], mut request: Request<Body>) -> Response<Body> {
    request.extensions_mut().insert(AddressPrefix::of(IpAddr::from(address)));
    world.send(request).await
}

fn post(path: &str, body: String) -> Request<Body> {
    Request::post(path).header(header::CONTENT_TYPE, FORM).body(Body::from(body)).unwrap()
}

fn get(path: &str) -> Request<Body> {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {BUS_KEY}"));
    request.body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_takes_so_many_calls_a_minute_from_one_part_of_the_network() {
    let two = LimitSettings {
        requests_per_minute: 2,
        objects_per_minute: 2,
        answers_per_minute: 2,
        pages_per_minute: 2,
        ..LimitSettings::default()
    };
    let world = world_with(|config| config.limits = two).await;
    let calls: [fn() -> Request<Body>; 4] = [
        || get("/v1/requests/none"),
        || post("/r/none", String::new()),
        || post("/a/none", "error=x".into()),
        || get("/p/none"),
    ];
    for call in calls {
        let path = call().uri().path().to_owned();
        for address in [HERE, NEIGHBOUR] {
            assert_eq!(from(&world, address, call()).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let refused = from(&world, HERE, call()).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
        assert!(refused.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        assert_eq!(from(&world, ELSEWHERE, call()).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/.well-known/jwks.json", "/style.css"] {
        for _ in 0..4 {
            assert_eq!(from(&world, HERE, get(path)).await.status(), StatusCode::OK, "{path}");
        }
    }
}

/// With requests and typed codes: what wallets fetch is one door.
#[tokio::test(flavor = "multi_thread")]
async fn published_policies_are_fetched_so_often_a_minute() {
    let world = world_with(|config| config.limits.objects_per_minute = 2).await;
    let ask = || get("/policies");
    for address in [HERE, NEIGHBOUR] {
        assert_eq!(from(&world, address, ask()).await.status(), StatusCode::OK);
    }
    let refused = from(&world, HERE, ask()).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
    assert_eq!(from(&world, HERE, post("/r/none", String::new())).await.status(), refused.status());
    assert_eq!(from(&world, ELSEWHERE, ask()).await.status(), StatusCode::OK);
    world.clock.advance(60);
    assert_eq!(from(&world, HERE, ask()).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_came_too_often_may_be_sent_again() {
    let world = world_with(|config| config.limits.answers_per_minute = 1).await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let (path, form) = (path_of(request.response_uri()), world.answer(&request, &copy));
    assert_eq!(from(&world, HERE, post(path, "error=x".into())).await.status(), StatusCode::BAD_REQUEST);
    for _ in 0..8 {
        let refused = from(&world, HERE, post(path, form.clone())).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    world.clock.advance(60);
    assert_eq!(from(&world, HERE, post(path, form)).await.status(), StatusCode::OK, "nothing was counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_none_is_no_limit() {
    let world = World::new().await;
    let fault = world.reopen(|config| config.limits.pages_per_minute = 0).await.err().unwrap();
    assert!(matches!(fault, OpenError::Limit("limits.pages_per_minute")), "{fault}");
}

/// Sends a call that goes on by itself.
fn leave(world: &World, request: Request<Body>) -> JoinHandle<StatusCode> {
    let router = world.router.clone();
    tokio::spawn(async move { router.oneshot(request).await.unwrap().status() })
}

/// What a stranger's error is told: 400 where it is looked at, 503 where there is no room for it.
async fn stranger(world: &World, path: &str) -> StatusCode {
    world.post_form(path, error_form("access_denied", "0123456789abcdefghijklmn")).await.status()
}

/// Waits until a stranger is told `status`; whether that came true.
async fn becomes(world: &World, path: &str, status: StatusCode) -> bool {
    for _ in 0..200 {
        if stranger(world, path).await == status {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_takes_room_among_the_answers_under_way() {
    let world = world_with(|config| config.limits.answers_at_once = 1).await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let path = path_of(request.response_uri());
    let lock = world.lock().await;
    let decline = leave(&world, post(path, World::decline(&request)));
    assert!(becomes(&world, path, StatusCode::SERVICE_UNAVAILABLE).await, "the error that waits takes room");
    drop(lock);
    assert_eq!(decline.await.unwrap(), StatusCode::OK);
    assert_eq!(stranger(&world, path).await, StatusCode::BAD_REQUEST, "there is room again");
}

/// How fast a machine comes from the answer's room to its lease is not known, nor how soon it gives up waiting for it.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_frees_no_room_while_the_work_goes_on() {
    for pause in [300, 150, 400, 80] {
        if room_is_kept(Duration::from_millis(pause)).await {
            return;
        }
    }
    panic!("a wallet that left while its answer waited for the lease freed its room");
}

/// Whether a wallet that leaves after `pause`, while the lease is withheld, keeps its room and its answer counts.
async fn room_is_kept(pause: Duration) -> bool {
    let world = world_with(|config| config.limits.answers_at_once = 1).await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let path = path_of(request.response_uri());
    let lock = world.lock().await;
    let answer = leave(&world, post(path, world.answer(&request, &copy)));
    assert!(becomes(&world, path, StatusCode::SERVICE_UNAVAILABLE).await);
    tokio::time::sleep(pause).await;
    answer.abort();
    if answer.await.is_ok() || stranger(&world, path).await != StatusCode::SERVICE_UNAVAILABLE {
        return false;
    }
    drop(lock);
    let over = async {
        while world.decision(opened["id"].as_str().unwrap()).await["http"] != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), over).await.unwrap();
    let next = world.ask("counter", "cross_device").await;
    let next = world.fetch(next["qr_text"].as_str().unwrap()).await;
    assert!(becomes(&world, path_of(next.response_uri()), StatusCode::BAD_REQUEST).await);
    true
}

/// On a runtime that counts the threads of its blocking pool, where the work of the bounded pool is done.
#[test]
fn signatures_are_not_checked_on_the_threads_that_serve() {
    let threads = Arc::new(AtomicUsize::new(0));
    let started = threads.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || {
            started.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        let opened = world.ask("counter", "cross_device").await;
        let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
        let copy = world.copy("1950-01-01", "2026-11-20").await;
        let path = path_of(request.response_uri());
        let garbage = world.post_form(path, "response=a.b.c.d.e".into()).await;
        assert_eq!(garbage.status(), StatusCode::BAD_REQUEST);
        assert_eq!(threads.load(Ordering::SeqCst), 0, "garbage is worth no thread");
        let other_nonce = world.answer_with(&request, &copy, "another-nonce-of-some-length");
        assert_eq!(world.post_form(path, other_nonce).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(threads.load(Ordering::SeqCst), 1, "step 5 was done elsewhere");
    });
}
