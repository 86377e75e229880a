//! Permissions over the verifier's own routes: given with an answer, asked about, used, and taken back.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod permits;
mod world;

use axum::http::{Method, StatusCode, header};
use callers::{call, refusal};
use permits::{about, ask, body, check, fetched, given, giving, payment, post, record, said, state, tell};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use vouchsafe_protocol::decision::leaf;
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::openid4vp::request::{Question, Verified};
use vouchsafe_protocol::permission::call::Do;
use vouchsafe_protocol::permission::record::{Happening, Route, State, TYP};
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::keys::SigningKey;
use vouchsafe_verifier::audit::verify;
use vouchsafe_verifier::expiry::sweep;
use vouchsafe_verifier::store::{Day, Tenant};
use world::{BUS_KEY, BUSES, POOL_KEY, World, cookie_of, json_of, path_of, text_of};

const WITHDRAWN: Happening = Happening::Withdrawn { route: Route::Wallet };

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&b64u_decode(payload).unwrap()).unwrap()
}

/// The topics that the buses were told, in order, with what they are about.
async fn told(world: &World) -> Vec<(String, String)> {
    world.clock.advance(3);
    let feed = json_of(callers::get(world, "/v1/events?limit=100", BUS_KEY).await).await;
    let pair = |one: &Value| {
        (one["type"].as_str().unwrap().to_owned(), one["data"]["id"].as_str().unwrap().to_owned())
    };
    feed["events"].as_array().unwrap().iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_authorised_with_the_answer() {
    let world = permits::world().await;
    let opened = ask(&world, &body("hardship")).await;
    let request = fetched(&world, &opened).await;
    let entry = request.asked().transaction_data()[0].text().to_owned();
    let shown: Value = serde_json::from_slice(&b64u_decode(&entry).unwrap()).unwrap();
    assert_eq!((&shown["payee"], &shown["amount"]["pence"]), (&payment()["payee"], &json!("12000")));
    let key = SigningKey::generate().unwrap();
    assert_eq!(post(&world, &request, giving(&request, &key)).await.status(), StatusCode::OK);

    let id = opened["id"].as_str().unwrap();
    let decision = world.decision(id).await;
    assert_eq!((&decision["http"], &decision["outcome"]), (&json!(200), &json!("met")));
    assert_eq!(claims(&decision["decision"])["transaction"], b64u(sha256(&entry)));
    let permission = decision["permission"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/requests/{id}");
    let standing = json_of(callers::get(&world, &path, BUS_KEY).await).await;
    assert_eq!(standing["permission"], decision["permission"]);

    // The record: signed, about this key, with the digest and without the payment; its leaf is in the log.
    let (status, read) = about(&world, Method::GET, &permission, "", "").await;
    assert_eq!((status, &read["state"]), (StatusCode::OK, &json!("in_force")));
    let kept = record(&world, &read["record"], &key).await;
    assert_eq!((kept.state(), kept.transaction()), (State::Given, &sha256(&entry)));
    let token = read["record"].as_str().unwrap();
    let input = token.rsplit_once('.').unwrap().0;
    let place = world.app.store().log_place(leaf(TYP, input.as_bytes())).await.unwrap();
    assert_eq!(place, Some(1), "beside its decision");
    let topics: Vec<_> = told(&world).await;
    let said = [("decision.met", id), ("permission.given", permission.as_str())];
    assert_eq!(topics, said.map(|(topic, about)| (topic.to_owned(), about.to_owned())));

    // What was sealed is gone, and was never readable.
    let database = world.database();
    for secret in ["Larkfield Housing Trust", "RENT 0042", entry.as_str()] {
        assert!(!database.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    let text = read["record"].to_string() + &claims(&read["record"]).to_string();
    assert!(!text.contains("Housing") && !text.contains("12000") && !text.contains("1950"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_is_given_where_the_browser_comes_back() {
    let world = permits::world().await;
    let opened = ask(&world, &json!({"policy": "at-home", "flow": "same_device"})).await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    let cookie = cookie_of(&world.get(&page).await).unwrap();
    let request = fetched(&world, &opened).await;
    let key = SigningKey::generate().unwrap();
    let posted = json_of(post(&world, &request, giving(&request, &key)).await).await;
    let (status, _) = tell(&world, &said(&world, &key, Do::State)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing is given before the browser is back");
    let back = path_of(posted["redirect_uri"].as_str().unwrap()).to_owned();
    world.get_with(&back, header::COOKIE, &cookie).await;
    let decision = world.decision(opened["id"].as_str().unwrap()).await;
    let id = decision["permission"]["id"].as_str().unwrap();
    assert_eq!(state(&world, id).await, "in_force");
    let (_, answered) = tell(&world, &said(&world, &key, Do::State)).await;
    assert!(record(&world, &answered["record"], &key).await.state().allows());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_gives_less_or_more_is_refused() {
    let world = permits::world().await;
    let key = SigningKey::generate().unwrap();
    let opened = ask(&world, &body("hardship")).await;
    let request = fetched(&world, &opened).await;
    let other = fetched(&world, &ask(&world, &body("hardship")).await).await;
    let mut without_key = giving(&request, &key);
    without_key.claims.remove(vouchsafe_protocol::permission::KEY_CLAIM);
    let mut of_other = giving(&request, &key);
    of_other.grant = giving(&other, &key).grant;
    let mut by_other = giving(&request, &key);
    by_other.grant = giving(&request, &SigningKey::generate().unwrap()).grant;
    let mut without_grant = giving(&request, &key);
    without_grant.grant = None;
    for wrong in [without_key, of_other, by_other, without_grant] {
        assert_eq!(post(&world, &request, wrong).await.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(post(&world, &request, giving(&request, &key)).await.status(), StatusCode::OK);
    // Where nothing is asked for, nothing is taken.
    let plain = fetched(&world, &ask(&world, &body("counter")).await).await;
    let mut unasked = giving(&plain, &key);
    assert!(unasked.grant.is_none());
    assert_eq!(post(&world, &plain, giving(&plain, &key)).await.status(), StatusCode::BAD_REQUEST);
    unasked.claims.clear();
    assert_eq!(post(&world, &plain, unasked).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_authorised_is_what_the_policy_asks_for() {
    let world = permits::world().await;
    let refused = async |body: Value| {
        let answered = json_of(world.post_json("/v1/requests", BUS_KEY, &body).await).await;
        (answered["code"].as_str().unwrap().to_owned(), answered["pointer"].as_str().unwrap().to_owned())
    };
    let with = |member: &str, value: Value| {
        let mut body = body("hardship");
        body["authorise"][member] = value;
        body
    };
    let mut missing = body("hardship");
    missing.as_object_mut().unwrap().remove("authorise");
    let mut unused = body("remind");
    unused["authorise"] = payment();
    let mut plain = body("counter");
    plain["authorise"] = payment();
    for (body, code, pointer) in [
        (missing, "authorise-missing", "/authorise"),
        (unused, "authorise-unused", "/authorise"),
        (plain, "authorise-unused", "/authorise"),
        (with("pence", json!(20_001)), "authorise-amount", "/authorise/pence"),
        (with("pence", json!(0)), "payment", "/authorise/pence"),
        (with("payee", json!("\u{430}bc")), "payment", "/authorise/payee"),
        (with("reference", json!("")), "payment", "/authorise/reference"),
        (with("iban", json!("x")), "member", "/authorise"),
    ] {
        assert_eq!(refused(body.clone()).await, (code.to_owned(), pointer.to_owned()), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_is_asked_about_and_used() {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let fresh = check(&world, &given.id, &json!({})).await;
    assert_eq!(fresh, json!({"state": "in_force", "as_of": "2026-11-21", "used": false, "uses_left": 2}));
    let digest = claims(&world.decision(&given.request).await["decision"])["policy"]["digest"].clone();
    assert_eq!(check(&world, &given.id, &json!({"policy": digest})).await["state"], "in_force");
    let other = about(&world, Method::POST, &given.id, "/check", r#"{"policy":"other"}"#).await;
    assert_eq!((other.0.as_u16(), &other.1["code"]), (409, &json!("other-policy")));
    for wrong in ["", "[]", r#"{"use":1}"#, r#"{"policy":7}"#, r#"{"more":1}"#] {
        let answered = about(&world, Method::POST, &given.id, "/check", wrong).await;
        assert_eq!((answered.0.as_u16(), &answered.1["code"]), (422, &json!("member")), "{wrong}");
    }
    // One call that is repeated uses it once.
    let path = format!("/v1/permissions/{}/check", given.id);
    let used = async |key: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        json_of(call(&world, Method::POST, &path, Some(BUS_KEY), &headers, body).await).await
    };
    for _ in 0..2 {
        let told = used("first", r#"{"use":true}"#).await;
        assert_eq!((&told["used"], &told["uses_left"]), (&json!(true), &json!(1)));
    }
    assert_eq!(used("first", r#"{"use":true }"#).await["code"], "idempotency-key-taken");
    for _ in 0..2 {
        assert_eq!(used("second", r#"{"use":true}"#).await["used"], true);
    }
    let spent = json!({"state": "exhausted", "as_of": "2026-11-21", "used": false});
    assert_eq!(used("third", r#"{"use":true}"#).await, spent);
    assert_eq!(check(&world, &given.id, &json!({"use": true})).await, spent);
    // How often was asked is counted for the tenant and the day.
    sweep(&world.app, world.clock.now()).await.unwrap();
    let tenant = Tenant::new(BUSES, vouchsafe_protocol::text::Env::Test);
    let today = Day::at(world.clock.now());
    assert_eq!(world.app.store().checks(&tenant, today).await.unwrap(), 10);
    // And it is nobody else's.
    for id in [given.id.as_str(), "perm_AAAAAAAAAAAAAAAAAAAAAA", "%00"] {
        for (method, what) in [(Method::GET, ""), (Method::POST, "/check"), (Method::POST, "/withdraw")] {
            let path = format!("/v1/permissions/{id}{what}");
            let json = [("content-type", "application/json")];
            let answered = call(&world, method, &path, Some(POOL_KEY), &json, "{}").await;
            assert_eq!(refusal(answered).await, (404, "no-such-permission".to_owned()), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_takes_its_permission_back() {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let (status, told_now) = tell(&world, &said(&world, &given.key, Do::State)).await;
    assert_eq!((status, &told_now["asks"]), (StatusCode::OK, &json!([])));
    assert_eq!(record(&world, &told_now["record"], &given.key).await.state(), State::Given);
    world.clock.advance(60);
    let withdraw = said(&world, &given.key, Do::Withdraw);
    let (status, receipt) = tell(&world, &withdraw).await;
    assert_eq!(status, StatusCode::OK);
    let ended = record(&world, &receipt["record"], &given.key).await;
    assert_eq!((ended.state(), &ended.events()[1].what), (State::Withdrawn, &WITHDRAWN));
    assert_eq!(state(&world, &given.id).await, "withdrawn");
    assert_eq!(check(&world, &given.id, &json!({"use": true})).await["used"], false);
    // Again by another call: the same receipt. The same call again is none.
    let (_, again) = tell(&world, &said(&world, &given.key, Do::Withdraw)).await;
    assert_eq!(claims(&again["record"]), claims(&receipt["record"]));
    let (status, replayed) = tell(&world, &withdraw).await;
    assert_eq!((status, &replayed["code"]), (StatusCode::NOT_FOUND, &json!("no-such-permission")));
    let topics: Vec<_> = told(&world).await.into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(topics, ["decision.met", "permission.given", "permission.withdrawn"]);
    let input = receipt["record"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(world.app.store().log_place(leaf(TYP, input.as_bytes())).await.unwrap(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_none_look_like_unknown_keys() {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let unknown = tell(&world, &said(&world, &SigningKey::generate().unwrap(), Do::State)).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    let late = said(&world, &given.key, Do::Withdraw);
    let elsewhere = late.replacen('.', ".e30.", 1);
    world.clock.advance(600);
    for text in ["", "x", late.as_str(), elsewhere.as_str(), "a.b.c"] {
        let (status, mut body) = tell(&world, text).await;
        body["reference"] = unknown.1["reference"].clone();
        assert_eq!((status, &body), (unknown.0, &unknown.1), "{text}");
    }
    assert_eq!(state(&world, &given.id).await, "in_force");
    // Ten misses a minute, and a call that is right costs none.
    for _ in 0..12 {
        assert_eq!(tell(&world, &said(&world, &given.key, Do::State)).await.0, StatusCode::OK);
    }
    for _ in 0..9 {
        tell(&world, "x").await;
    }
    assert_eq!(tell(&world, &said(&world, &given.key, Do::State)).await.0, StatusCode::TOO_MANY_REQUESTS);
    let form = call(&world, Method::POST, "/permissions", None, &[], "x").await;
    assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_and_a_letter_take_it_back_as_well() {
    let world = permits::world().await;
    let (one, other) = (given(&world, "remind").await, given(&world, "hardship").await);
    let (status, receipt) = about(&world, Method::POST, &one.id, "/withdraw", "").await;
    assert_eq!((status, &receipt["state"]), (StatusCode::OK, &json!("withdrawn")));
    let ended = record(&world, &receipt["record"], &one.key).await;
    assert_eq!(ended.events()[1].what, Happening::Withdrawn { route: Route::Counter });

    assert_eq!(other.code.len(), 12);
    let page = text_of(world.get("/withdraw").await).await;
    assert!(page.contains("name=\"code\"") && !page.contains("<script"));
    let policy = world.get("/withdraw").await.headers()[header::CONTENT_SECURITY_POLICY].clone();
    assert!(policy.to_str().unwrap().contains("form-action 'self'"));
    let letter = async |code: &str, language: &str| {
        let body = vouchsafe_protocol::form::write(&[("code", code)]);
        let answered = world.post_form(&format!("/withdraw?lang={language}"), body).await;
        (answered.status(), text_of(answered).await)
    };
    let typed = format!("{} {}-{}", &other.code[..4], other.code[4..8].to_lowercase(), &other.code[8..]);
    assert_eq!(letter("AAAAAAAAAAAA", "en").await.0, StatusCode::NOT_FOUND);
    let (status, page) = letter(&typed, "en").await;
    assert_eq!(status, StatusCode::OK);
    for part in ["You have taken the permission back", "Larkfield Buses", "30 days", "public task"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(state(&world, &other.id).await, "withdrawn");
    let (status, page) = letter(&other.code, "cy").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Rydych wedi tynnu") && page.contains("Bysiau Larkfield"));
    let read = about(&world, Method::GET, &other.id, "", "").await.1;
    let ended = record(&world, &read["record"], &other.key).await;
    assert_eq!(ended.events()[1].what, Happening::Withdrawn { route: Route::Letter });
    assert_eq!(ended.events().len(), 2, "once, however often");
    for _ in 0..9 {
        letter("AAAAAAAAAAAA", "en").await;
    }
    assert_eq!(letter(&typed, "en").await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_expires_and_is_forgotten() {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let set = |days: i64| world.clock.advance(days * 86_400);
    set(30);
    // The register runs out in a week; what was given stands.
    assert_eq!(state(&world, &given.id).await, "in_force", "on its last day");
    set(1);
    assert_eq!(state(&world, &given.id).await, "expired", "before the sweep saw it");
    sweep(&world.app, world.clock.now()).await.unwrap();
    let read = about(&world, Method::GET, &given.id, "", "").await.1;
    let ended = record(&world, &read["record"], &given.key).await;
    assert_eq!((ended.state(), &read["state"]), (State::Expired, &json!("expired")));
    assert!(told(&world).await.iter().any(|(topic, id)| topic == "permission.expired" && *id == given.id));
    let (_, receipt) = tell(&world, &said(&world, &given.key, Do::Withdraw)).await;
    assert_eq!(record(&world, &receipt["record"], &given.key).await.state(), State::Expired);
    set(31);
    sweep(&world.app, world.clock.now()).await.unwrap();
    assert_eq!(about(&world, Method::GET, &given.id, "", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(tell(&world, &said(&world, &given.key, Do::State)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_write_to_the_database_gets_no_record_of_their_own() {
    let world = permits::world().await;
    let given = given(&world, "remind").await;
    let tamper = async |statement: &str| assert_eq!(tamper(&world, statement.to_owned()).await, 1);
    tamper("UPDATE permissions SET until_day = until_day + 400").await;
    assert_eq!(state(&world, &given.id).await, "undetermined");
    tamper("UPDATE permissions SET until_day = until_day - 400").await;
    tell(&world, &said(&world, &given.key, Do::Withdraw)).await;
    tamper("UPDATE permissions SET state = 'given'").await;
    assert_eq!(state(&world, &given.id).await, "undetermined", "what was taken back does not come back");
    tamper("UPDATE permission_events SET signing_input = 'AAAA' || signing_input WHERE number = 2").await;
    let (status, _) = about(&world, Method::GET, &given.id, "", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

/// A wallet with a standing permission, and the request that asks again under it.
struct Again {
    given: permits::Given,
    entry: String,
    request: Verified<Question>,
    id: String,
}

/// Gives a standing permission, and is asked again a week later.
async fn again(world: &World) -> Again {
    let opened = ask(world, &body("again")).await;
    let first = fetched(world, &opened).await;
    let entry = first.asked().transaction_data()[0].text().to_owned();
    let day = first.asked().as_of();
    let key = SigningKey::generate().unwrap();
    assert_eq!(post(world, &first, giving(&first, &key)).await.status(), StatusCode::OK);
    let request = opened["id"].as_str().unwrap().to_owned();
    let told = world.decision(&request).await;
    let text = |member: &str| told["permission"][member].as_str().unwrap().to_owned();
    let given = permits::Given { key, request, id: text("id"), code: text("withdrawal_code") };
    world.clock.advance(7 * 86_400);
    world.resign().await;
    let mut more = body("again");
    more["permission"] = json!(given.id);
    let opened = ask(world, &more).await;
    let (_, told) = tell(world, &said(world, &given.key, Do::State)).await;
    assert_eq!(told["asks"], json!([opened["qr_text"]]));
    let link = told["asks"][0].as_str().unwrap();
    let request = permits::fetched_again(world, link, &entry, day).await;
    Again { given, entry, request, id: opened["id"].as_str().unwrap().to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_permission_is_asked_under_again() {
    let world = permits::world().await;
    let Again { given, entry, request, id } = again(&world).await;
    // By another key it is not this permission.
    let stranger = SigningKey::generate().unwrap();
    assert_eq!(post(&world, &request, giving(&request, &stranger)).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(post(&world, &request, giving(&request, &given.key)).await.status(), StatusCode::OK);
    let decision = world.decision(&id).await;
    assert_eq!((&decision["outcome"], &decision["permission"]["id"]), (&json!("met"), &json!(given.id)));
    assert_eq!(claims(&decision["decision"])["transaction"], b64u(sha256(&entry)));
    let (_, told_now) = tell(&world, &said(&world, &given.key, Do::State)).await;
    assert_eq!(told_now["asks"], json!([]));
    assert_eq!(record(&world, &told_now["record"], &given.key).await.events().len(), 1, "given once");
    let mut soon = body("again");
    soon["permission"] = json!(given.id);
    let answered = world.post_json("/v1/requests", BUS_KEY, &soon).await;
    assert_eq!(refusal(answered).await, (409, "too-soon".to_owned()));
    let topics: Vec<_> = told(&world).await.into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(topics, ["decision.met", "permission.given", "decision.met"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_meanwhile_is_declined() {
    let world = permits::world().await;
    let Again { given, request, id, .. } = again(&world).await;
    assert_eq!(tell(&world, &said(&world, &given.key, Do::Withdraw)).await.0, StatusCode::OK);
    assert_eq!(post(&world, &request, giving(&request, &given.key)).await.status(), StatusCode::OK);
    let decision = world.decision(&id).await;
    let claims = claims(&decision["decision"]);
    assert_eq!(
        (&claims["outcome"], &claims["reasons"]),
        (&json!("declined"), &json!(["permission_withdrawn"]))
    );
    assert!(claims.get("transaction").is_none(), "nothing rests on it");
    let mut more = body("again");
    more["permission"] = json!(given.id);
    let answered = world.post_json("/v1/requests", BUS_KEY, &more).await;
    assert_eq!(refusal(answered).await, (409, "not-in-force".to_owned()));
    more["permission"] = json!("perm_AAAAAAAAAAAAAAAAAAAAAA");
    let answered = world.post_json("/v1/requests", BUS_KEY, &more).await;
    assert_eq!(refusal(answered).await, (422, "unknown-permission".to_owned()));
}

/// What somebody changes who can write to the database and has no key; gives the number of rows.
async fn tamper(world: &World, statement: String) -> u64 {
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut database).await.unwrap();
    done.rows_affected()
}

/// What the auditor finds, by table and row.
async fn found(world: &World) -> Vec<(&'static str, String)> {
    let verdict = verify(&world.config).await.unwrap();
    verdict.faults.iter().map(|fault| (fault.table, fault.row.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_names_the_permission_that_was_changed() {
    let world = permits::world().await;
    let [one, two] = [given(&world, "remind").await, given(&world, "remind").await];
    let (status, _) = about(&world, Method::POST, &two.id, "/withdraw", "").await;
    assert_eq!((status, found(&world).await), (StatusCode::OK, vec![]));
    let name = format!("permission {} of {BUSES}", two.id);
    for (change, back, table) in [
        (
            "UPDATE permissions SET state = 'given'",
            "UPDATE permissions SET state = 'withdrawn'",
            "permissions",
        ),
        (
            "UPDATE permissions SET until_day = until_day + 1",
            "UPDATE permissions SET until_day = until_day - 1",
            "permissions",
        ),
        (
            "UPDATE permission_events SET number = number + 7",
            "UPDATE permission_events SET number = number - 7",
            "permission_events",
        ),
    ] {
        let column = if table == "permissions" { "id" } else { "permission_id" };
        let on = |what: &str| format!("{what} WHERE {column} = '{}'", two.id);
        tamper(&world, on(change)).await;
        let faults = found(&world).await;
        assert!(faults.iter().any(|(at, row)| *at == table && row.ends_with(&name)), "{change}: {faults:?}");
        assert!(faults.iter().all(|(_, row)| !row.contains(&one.id)), "{change}: {faults:?}");
        tamper(&world, on(back)).await;
    }
    assert_eq!(found(&world).await, vec![]);
    // What is deleted when its time is over leaves entries of nothing, and the auditor is told how many.
    world.clock.advance(86_400 * 800);
    sweep(&world.app, world.clock.now()).await.unwrap();
    world.clock.advance(86_400 * 800);
    sweep(&world.app, world.clock.now()).await.unwrap();
    let verdict = verify(&world.config).await.unwrap();
    assert_eq!((verdict.faults.len(), verdict.events, verdict.forgotten), (0, 0, 4), "{:?}", verdict.faults);
}
