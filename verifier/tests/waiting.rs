//! Answers that wait: for a worker, for a place, for a status list. None of it costs the resident anything.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use std::sync::{Arc, Mutex};

use axum::http::{StatusCode, header};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use vouchsafe_protocol::encoding::b64u_decode;
use vouchsafe_protocol::jose::BoxFuture;
use vouchsafe_protocol::openid4vp::request::Verified;
use vouchsafe_protocol::openid4vp::response::error_form;
use vouchsafe_protocol::status::{Bits, List, Publication};
use vouchsafe_service::clock::Clock;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::store::{Database, Schema};
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::pool::{Cap, Place};
use vouchsafe_verifier::status::{Away, Fetch, Fetched};
use vouchsafe_verifier::store;
use world::{World, path_of};

const LIST: &str = "https://issuer.larkfield.example/status/a";

/// A host of lists that answers when it is told to, and as it is told.
struct Gate {
    asked: UnboundedSender<()>,
    answers: tokio::sync::Mutex<UnboundedReceiver<Option<Fetched>>>,
}

impl Fetch for Gate {
    fn fetch<'a>(&'a self, _: &'a str, _: usize) -> BoxFuture<'a, Result<Fetched, Away>> {
        Box::pin(async {
            self.asked.send(()).unwrap();
            self.answers.lock().await.recv().await.flatten().ok_or(Away)
        })
    }
}

/// A verifier of a type with status, and the host of its lists.
struct Listed {
    world: World,
    asked: UnboundedReceiver<()>,
    answers: UnboundedSender<Option<Fetched>>,
}

impl Listed {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut world = World::new().await;
        let file = world.folder.path().join("types/residency.toml");
        let described = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, described.replace("ttl_days = 30", "ttl_days = 30\nstatus = true")).unwrap();
        world.config.limits.worker_wait_ms = 1;
        change(&mut world.config);
        let (asked, hears) = unbounded_channel();
        let (answers, told) = unbounded_channel();
        let gate = Arc::new(Gate { asked, answers: tokio::sync::Mutex::new(told) });
        world.app.close().await;
        let clock: Arc<dyn Clock> = world.clock.clone();
        let database =
            Database::open(&world.config.database, store::MIGRATORS, Schema::Expect, &clock).await.unwrap();
        let (config, entropy) = (world.config.clone(), Arc::new(OsEntropy::new()));
        let app = App::open_with(config, clock, entropy, store::over(&database), Some(gate)).await.unwrap();
        let world = World { router: router(app.clone()), app, ..world };
        Self { world, asked: hears, answers }
    }

    /// A list of which nobody is marked but entry 1, suspended.
    async fn list(&self) -> Fetched {
        let mut list = List::new(Bits::Two, 64);
        list.set(1, 2).unwrap();
        let now = self.world.clock.now();
        let made =
            Publication { uri: LIST, issued_at: now, expires_at: now.plus(7200), ttl: 900, list: &list };
        let issuer = &self.world.issuer;
        made.sign(&issuer.key, &[issuer.certificate.to_vec()]).await.unwrap().0.into_bytes()
    }
}

/// A request that waits for its answer.
async fn ask(world: &World) -> (String, Verified) {
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    (opened["id"].as_str().unwrap().to_owned(), request)
}

/// Sends an answer that goes on by itself; its HTTP status and `Retry-After`.
fn send(world: &World, request: &Verified, form: String) -> oneshot::Receiver<(StatusCode, bool)> {
    let (path, router) = (path_of(request.response_uri()).to_owned(), world.router.clone());
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let call = axum::http::Request::post(path);
        let call = call
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(form));
        let response = tower::ServiceExt::oneshot(router, call.unwrap()).await.unwrap();
        tell.send((response.status(), response.headers().contains_key(header::RETRY_AFTER)))
    });
    told
}

/// How many attempts at a request were counted.
async fn attempts(world: &World, id: &str) -> i64 {
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let query = sqlx::query_scalar("SELECT attempts FROM requests WHERE id = ?");
    query.bind(id).fetch_one(&mut database).await.unwrap()
}

/// Every place of the pool, taken.
fn crowd(app: &App) -> Vec<Place> {
    (0..app.pool().places()).map(|_| app.pool().enter(Cap::new(1).enter().unwrap()).unwrap()).collect()
}

/// Keeps every worker busy until the sender is dropped.
async fn work(app: &App) -> std::sync::mpsc::Sender<()> {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..std::thread::available_parallelism().unwrap().get() {
        let (place, gate) = (app.pool().enter(Cap::new(1).enter().unwrap()).unwrap(), gate.clone());
        let (begin, begun) = oneshot::channel();
        tokio::spawn(async move {
            place
                .run(move || (begin.send(()).is_ok(), gate.lock().map(|gate| gate.recv().is_ok()).is_ok()))
                .await
        });
        begun.await.unwrap();
    }
    release
}

const BUSY: (StatusCode, bool) = (StatusCode::SERVICE_UNAVAILABLE, true);

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_no_worker_in_time_may_be_sent_again() {
    let world = World::new().await;
    let app = world.reopen(|config| config.limits.worker_wait_ms = 1).await.unwrap();
    let world = World { router: router(app.clone()), app, ..world };
    let (id, request) = ask(&world).await;
    let form = world.answer(&request, &world.copy("1950-01-01", "2026-11-20").await);
    let busy = work(&world.app).await;
    for _ in 0..8 {
        assert_eq!(send(&world, &request, form.clone()).await.unwrap(), BUSY);
    }
    assert_eq!(attempts(&world, &id).await, 0);
    drop(busy);
    while world.app.pool().taken() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(send(&world, &request, form).await.unwrap().0, StatusCode::OK, "the very same copy");
    assert_eq!(world.decision(&id).await["outcome"], "met");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_takes_no_place_and_who_comes_back_to_a_full_pool_loses_nothing() {
    let mut listed = Listed::new().await;
    let (id, request) = ask(&listed.world).await;
    let form = listed.world.answer(&request, &listed.world.copy_listed(LIST, 0));
    for busy_with_places in [true, false] {
        let waits = send(&listed.world, &request, form.clone());
        listed.asked.recv().await.unwrap();
        assert_eq!(listed.world.app.pool().taken(), 0, "the host is waited for outside");
        if busy_with_places {
            let crowd = crowd(&listed.world.app);
            listed.answers.send(None).unwrap();
            assert_eq!(waits.await.unwrap(), BUSY);
            drop(crowd);
        } else {
            let busy = work(&listed.world.app).await;
            listed.answers.send(Some(listed.list().await)).unwrap();
            assert_eq!(waits.await.unwrap(), BUSY);
            drop(busy);
        }
        assert_eq!(attempts(&listed.world, &id).await, 0);
    }
    while listed.world.app.pool().taken() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(send(&listed.world, &request, form).await.unwrap().0, StatusCode::OK, "the very same copy");
    assert_eq!(listed.world.decision(&id).await["outcome"], "met");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_keeps_its_room_while_a_host_is_waited_for() {
    let mut listed = Listed::with(|config| config.limits.answers_at_once = 1).await;
    let (id, request) = ask(&listed.world).await;
    let form = listed.world.answer(&request, &listed.world.copy_listed(LIST, 0));
    let waits = send(&listed.world, &request, form);
    listed.asked.recv().await.unwrap();
    let stranger = error_form("access_denied", "0123456789abcdefghijklmn");
    assert_eq!(send(&listed.world, &request, stranger.clone()).await.unwrap(), BUSY);
    listed.answers.send(Some(listed.list().await)).unwrap();
    assert_eq!(waits.await.unwrap().0, StatusCode::OK);
    assert_eq!(listed.world.decision(&id).await["outcome"], "met");
    let (_, next) = ask(&listed.world).await;
    assert_eq!(send(&listed.world, &next, stranger).await.unwrap().0, StatusCode::BAD_REQUEST, "room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_had_is_undetermined_and_the_next_question_is_answered() {
    let listed = Listed::new().await;
    let undetermined = ("undetermined", "status_unknown");
    for (sends, idx, says) in [
        (None, 0, undetermined),
        (Some(b"<html>".to_vec()), 0, undetermined),
        (Some(listed.list().await), 0, ("met", "conditions_met")),
        (None, 1, ("not_met", "suspended")),
        (None, 64, undetermined),
    ] {
        let (id, request) = ask(&listed.world).await;
        let form = listed.world.answer(&request, &listed.world.copy_listed(LIST, idx));
        // Once the list is there nobody asks for it, and what would be sent is not looked at.
        listed.answers.send(sends).unwrap();
        assert_eq!(send(&listed.world, &request, form).await.unwrap().0, StatusCode::OK);
        let decision = listed.world.decision(&id).await;
        let claims = decision["decision"].as_str().unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&b64u_decode(claims).unwrap()).unwrap();
        let reason = claims["reasons"][0].as_str().unwrap_or_default();
        assert_eq!((claims["outcome"].as_str().unwrap(), reason), says);
    }
}
