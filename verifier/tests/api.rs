//! The API as services use it: calls that are repeated, lists, streams of events, references.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod world;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Response, StatusCode, header};
use callers::{call, changed, counter, get, post, refusal, with_system};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::expiry;
use world::{BUS_KEY, POOL_KEY, World, json_of, path_of, text_of};

const KEY: [(&str, &str); 1] = [("idempotency-key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")];

async fn repeated(world: &World, body: &Value) -> Response<Body> {
    post(world, BUS_KEY, &KEY, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_repeated_opens_one_request() {
    let (world, system) = with_system().await;
    let first = json_of(repeated(&world, &counter()).await).await;
    let again = repeated(&world, &counter()).await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(json_of(again).await, first, "the same answer, links and all");
    let token = system.token(&world).await;
    assert_eq!(
        json_of(post(&world, &token, &KEY, &counter()).await).await,
        first,
        "for any system of the tenant"
    );
    let other = json!({"policy": "counter", "flow": "cross_device", "reference": "file 18"});
    assert_eq!(refusal(repeated(&world, &other).await).await, (422, "idempotency-key-taken".into()));
    let fresh = [("idempotency-key", "another")];
    assert_ne!(json_of(post(&world, BUS_KEY, &fresh, &counter()).await).await["id"], first["id"]);
    let listed = json_of(get(&world, "/v1/requests", BUS_KEY).await).await;
    assert_eq!(listed["requests"].as_array().unwrap().len(), 2);
    let restarted = world.restart().await;
    assert_eq!(json_of(repeated(&restarted, &counter()).await).await, first);
    let kept = restarted.database();
    for secret in [first["url"].as_str().unwrap(), "8e03978e-40d5", "file 17"] {
        assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_for_a_day_and_its_answer_as_long_as_the_request() {
    let world = World::new().await;
    let first = json_of(repeated(&world, &counter()).await).await;
    world.clock.advance(301);
    expiry::sweep(&world.app, world.clock.now()).await.unwrap();
    let over = repeated(&world, &counter()).await;
    let place = over.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(place, format!("/v1/requests/{}", first["id"].as_str().unwrap()));
    assert_eq!(refusal(over).await, (409, "idempotency-key-over".into()));
    assert_eq!(json_of(get(&world, &place, BUS_KEY).await).await["outcome"], "expired");
    world.clock.advance(86_400);
    expiry::sweep(&world.app, world.clock.now()).await.unwrap();
    let next = repeated(&world, &counter()).await;
    assert_eq!(next.status(), StatusCode::CREATED);
    assert_ne!(json_of(next).await["id"], first["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_calls_with_one_key_one_opens_a_request() {
    let world = World::new().await;
    let (body, answers) = (counter(), Arc::new(Mutex::new(Vec::new())));
    let calls = (0..50).map(|_| async {
        let answer = repeated(&world, &body).await;
        let (status, retry) = (answer.status(), answer.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(retry, status == StatusCode::CONFLICT);
        let answer = json_of(answer).await;
        answers.lock().unwrap().push((status, answer));
    });
    futures_util::future::join_all(calls).await;
    let answers = answers.lock().unwrap().clone();
    let opened: Vec<_> = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).collect();
    assert!(!opened.is_empty());
    assert!(opened.iter().all(|one| one.1 == opened[0].1), "one answer for all");
    for (status, answer) in answers.iter().filter(|(status, _)| *status != StatusCode::CREATED) {
        assert_eq!((status.as_u16(), &answer["code"]), (409, &json!("idempotency-key-busy")));
    }
    let listed = json_of(get(&world, "/v1/requests", BUS_KEY).await).await;
    assert_eq!(listed["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_meets_its_like_is_told_to_come_back() {
    let world = World::new().await;
    let lock = world.lock().await;
    let answered = tokio::sync::Notify::new();
    let send = async || {
        let answer = repeated(&world, &counter()).await;
        answered.notify_one();
        answer
    };
    // The one that came second is told so while the first still waits for the database.
    let free = async {
        answered.notified().await;
        drop(lock);
    };
    let (one, other, ()) = tokio::join!(send(), send(), free);
    let (first, refused) = if one.status() == StatusCode::CREATED { (one, other) } else { (other, one) };
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(refusal(refused).await, (409, "idempotency-key-busy".into()));
    assert_eq!(repeated(&world, &counter()).await.status(), StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_a_tenants_own_and_well_formed() {
    let world = World::new().await;
    repeated(&world, &counter()).await;
    let purpose = post(&world, POOL_KEY, &KEY, &counter()).await;
    assert_eq!(
        refusal(purpose).await,
        (403, "purpose".into()),
        "the pool's own call, and the pool's own fault"
    );
    for key in ["", "a b", "\"", "a\"b"] {
        let refused = post(&world, BUS_KEY, &[("idempotency-key", key)], &counter()).await;
        assert_eq!(refusal(refused).await, (400, "idempotency-key".into()), "{key}");
    }
    let two = [("idempotency-key", "one"), ("idempotency-key", "one")];
    assert_eq!(refusal(post(&world, BUS_KEY, &two, &counter()).await).await, (400, "idempotency-key".into()));
    let unknown = json!({"policy": "none", "flow": "cross_device"});
    let fault = post(&world, BUS_KEY, &[("idempotency-key", "new")], &unknown);
    assert_eq!(refusal(fault.await).await, (422, "unknown-policy".into()));
    let mended = post(&world, BUS_KEY, &[("idempotency-key", "new")], &counter()).await;
    assert_eq!(mended.status(), StatusCode::CREATED, "what was refused took no key");
}

async fn open(world: &World, n: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..n {
        ids.push(world.ask("counter", "cross_device").await["id"].as_str().unwrap().to_owned());
        world.clock.advance(1);
    }
    ids
}

async fn page(world: &World, query: &str) -> (Vec<String>, Option<String>) {
    let response = get(world, &format!("/v1/requests?{query}"), BUS_KEY).await;
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    let body = json_of(response).await;
    let ids = body["requests"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    (ids.collect(), body["next"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_where_it_stopped() {
    let world = World::new().await;
    let mut ids = open(&world, 5).await;
    ids.reverse();
    let (first, next) = page(&world, "limit=2").await;
    assert_eq!(first, ids[..2]);
    open(&world, 1).await;
    let (second, after) = page(&world, &format!("limit=2&cursor={}", next.unwrap())).await;
    assert_eq!(second, ids[2..4], "what was opened meanwhile moves nothing");
    let (third, end) = page(&world, &format!("limit=2&cursor={}", after.unwrap())).await;
    assert_eq!((third, end), (ids[4..].to_vec(), None));
    assert_eq!(page(&world, "limit=6").await.1, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let world = World::new().await;
    open(&world, 3).await;
    let cursor = page(&world, "limit=1").await.1.unwrap();
    let refused = async |key: &str, query: String| {
        refusal(get(&world, &format!("/v1/requests?{query}"), key).await).await
    };
    let bad = (400, "cursor".to_owned());
    assert_eq!(refused(POOL_KEY, format!("cursor={cursor}")).await, bad, "another tenant's");
    assert_eq!(refused(BUS_KEY, format!("status=waiting&cursor={cursor}")).await, bad, "another list's");
    let last = if cursor.ends_with('A') { 'B' } else { 'A' };
    for cursor in
        [format!("{}{last}", &cursor[..cursor.len() - 1]), "x".into(), String::new(), "A".repeat(401)]
    {
        assert_eq!(refused(BUS_KEY, format!("cursor={cursor}")).await, bad, "{cursor}");
    }
    for query in ["limit=0", "limit=101", "status=open", "page=2", "limit=1&limit=2"] {
        assert_eq!(refused(BUS_KEY, query.to_owned()).await, (400, "query".into()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_how_requests_stand() {
    let world = World::new().await;
    let old = open(&world, 2).await;
    world.clock.advance(200);
    let young = open(&world, 1).await;
    world.clock.advance(150);
    assert_eq!(page(&world, "status=waiting").await.0, young, "what ran out just now is not waiting");
    assert_eq!(page(&world, "status=decided").await.0.len(), old.len());
    assert!(page(&world, "status=answered").await.0.is_empty());
    let all = json_of(get(&world, "/v1/requests", BUS_KEY).await).await;
    assert_eq!(all["requests"][2]["outcome"], "expired");
    assert_eq!(all["requests"][0]["created_at"], "2026-11-21T12:03:22Z");
}

async fn follow(world: &World, id: &str, headers: &[(&str, &str)]) -> Response<Body> {
    call(world, Method::GET, &format!("/v1/requests/{id}/events"), Some(BUS_KEY), headers, "").await
}

/// The event and data lines of a whole stream.
fn told(text: &str) -> Vec<(String, Value)> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned()
    };
    let events = text.split("\n\n").filter(|event| event.contains("event: "));
    events
        .map(|event| (field(event, "event"), serde_json::from_str(&field(event, "data")).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_each_step_and_ends_with_the_decision() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let id = opened["id"].as_str().unwrap();
    let stream = follow(&world, id, &[]).await;
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let answer = async {
        let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
        let copy = world.copy("1950-01-01", "2026-11-20").await;
        let answered = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
        assert_eq!(answered.status(), StatusCode::OK);
    };
    let (text, ()) = tokio::join!(text_of(stream), answer);
    let told = told(&text);
    let words: Vec<_> = told.iter().map(|(event, data)| (event.as_str(), data["outcome"].as_str())).collect();
    assert_eq!(words, [("waiting", None), ("decided", Some("met"))], "{text}");
    assert!(text.contains("id: 1") && text.contains("id: 3") && text.contains("retry: 1000"));
    let again = follow(&world, id, &[("last-event-id", "3")]).await;
    assert_eq!(again.status(), StatusCode::NO_CONTENT, "there is nothing to come back for");
    let missed = text_of(follow(&world, id, &[("last-event-id", "1")]).await).await;
    assert_eq!(told_words(&missed), ["decided"]);
}

fn told_words(text: &str) -> Vec<String> {
    told(text).into_iter().map(|(event, _)| event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_of_an_answer_that_waits_for_its_browser() {
    let world = World::new().await;
    let opened = world.ask("bus-pass", "same_device").await;
    let (id, page) = (opened["id"].as_str().unwrap(), path_of(opened["url"].as_str().unwrap()));
    let cookie = world::cookie_of(&world.get(page).await).unwrap();
    let mut stream = follow(&world, id, &[]).await.into_body().into_data_stream();
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let answered = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
    let back = json_of(answered).await["redirect_uri"].as_str().unwrap().to_owned();
    // The stream hears of the answer before the browser is back.
    let mut text = String::new();
    while !told_words(&text).contains(&"answered".to_owned()) {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    world.get_with(path_of(&back), header::COOKIE, &cookie).await;
    while let Some(more) = stream.next().await {
        text.push_str(std::str::from_utf8(&more.unwrap()).unwrap());
    }
    assert_eq!(told_words(&text), ["waiting", "answered", "decided"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_and_their_ids_are_known() {
    let world = World::new().await;
    let world = changed(world, |config| config.limits.client_streams = 2).await;
    let opened = world.ask("counter", "cross_device").await;
    let id = opened["id"].as_str().unwrap();
    let first = follow(&world, id, &[]).await;
    let _second = follow(&world, id, &[]).await;
    let refused = follow(&world, id, &[]).await;
    assert_eq!(refused.headers()[header::RETRY_AFTER], "30");
    assert_eq!(refusal(refused).await, (429, "too-many-streams".into()));
    drop(first);
    assert_eq!(follow(&world, id, &[]).await.status(), StatusCode::OK, "who leaves makes room");
    for step in ["0", "4", "x", "-1"] {
        let refused = follow(&world, id, &[("last-event-id", step)]).await;
        assert_eq!(refusal(refused).await, (400, "last-event-id".into()), "{step}");
    }
}

/// Takes as long as a stream lives: its timers are those of sockets, which no test moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_hears_nothing_looks_beats_and_ends() {
    let (world, _) = with_system().await;
    let opened = world.ask("counter", "cross_device").await;
    let text = text_of(follow(&world, opened["id"].as_str().unwrap(), &[]).await).await;
    assert_eq!(told_words(&text), ["waiting"]);
    assert!(text.lines().filter(|line| line.starts_with(':')).count() >= 2, "{text}");
    let stream = follow(&world, opened["id"].as_str().unwrap(), &[("last-event-id", "1")]).await;
    world.clock.advance(301);
    assert_eq!(told_words(&text_of(stream).await), ["decided"], "time decides, and nobody has to tell");
}

/// Notes the reference and code of every line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "problem.reference" {
            self.0.lock().unwrap().push(format!("{value:?}").replace('"', ""));
        }
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn resident_service_and_log_name_the_same_thing() {
    let world = World::new().await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let opened = world.ask("counter", "cross_device").await;
    let (id, page) = (opened["id"].as_str().unwrap(), path_of(opened["url"].as_str().unwrap()));
    let place = format!("/v1/requests/{id}");
    let reference =
        json_of(get(&world, &place, BUS_KEY).await).await["support_reference"].as_str().unwrap().to_owned();
    let html = world.get(page).await;
    let cookie = world::cookie_of(&html).unwrap();
    assert!(text_of(html).await.contains(&format!("<strong>{reference}</strong>")));
    world.clock.advance(301);
    get(&world, &place, BUS_KEY).await;
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE decisions SET signing_input = 'x'").execute(&mut database).await.unwrap();
    let broken = world.get_with(page, header::COOKIE, &cookie).await;
    assert_eq!(broken.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text_of(broken).await.contains(&format!("<strong>{reference}</strong>")), "the resident's page");
    for path in [place.clone(), format!("{place}/decision"), format!("{place}/events")] {
        let problem = json_of(get(&world, &path, BUS_KEY).await).await;
        assert_eq!(problem["reference"], reference, "{path}");
    }
    let named = log.0.lock().unwrap().iter().filter(|line| **line == reference).count();
    assert_eq!(named, 4, "the page and three calls");
    let own = json_of(get(&world, "/v1/requests/none", BUS_KEY).await).await["reference"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(own, reference);
    assert!(log.0.lock().unwrap().contains(&own), "every refusal is in the log under its reference");
}
