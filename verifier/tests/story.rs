//! A request from its opening to a signed decision, told over the verifier's own routes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use serde_json::json;
use vouchsafe_protocol::decision::{Claims, Evidence, Expected, Outcome, Reason, reference_hash};
use vouchsafe_protocol::encoding::b64u_array;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::keys::Jws;
use vouchsafe_verifier::expiry::{Swept, sweep};
use world::{BUS_KEY, BUSES, ORIGIN, POOL_KEY, World, cookie_of, json_of, path_of, text_of};

fn text(value: &serde_json::Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

/// Checks a decision as its service does: with the published key.
async fn checked(world: &World, id: &str, token: &str) -> Claims {
    let jwks = json_of(world.get("/.well-known/jwks.json").await).await;
    let now = world.clock.now();
    let expected = Expected { iss: ORIGIN, aud: BUSES, request_id: id, env: Env::Test, now };
    vouchsafe_verifier::decision::verify(token, &jwks, &expected, &Jws).unwrap()
}

async fn outcome(world: &World, id: &str) -> (Outcome, Vec<Reason>, Evidence) {
    let decision = world.decision(id).await;
    let claims = checked(world, id, &text(&decision, "decision")).await;
    assert_eq!(text(&decision, "outcome"), claims.outcome.as_str());
    (claims.outcome, claims.reasons, claims.evidence)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_shows_and_comes_back() {
    let world = World::new().await;
    let opened = world.ask("bus-pass", "same_device").await;
    let (id, page) = (text(&opened, "id"), path_of(opened["url"].as_str().unwrap()).to_owned());

    let first = world.get(&page).await;
    let cookie = cookie_of(&first).unwrap();
    assert!(cookie.starts_with("__Host-vouchsafe-"));
    let html = text_of(first).await;
    assert!(
        html.contains("Larkfield Buses")
            && html.contains("To give you a bus pass.")
            && html.contains("kiosk")
    );

    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let posted = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
    assert_eq!(posted.status(), StatusCode::OK);
    let back = text(&json_of(posted).await, "redirect_uri");
    assert_eq!(world.decision(&id).await["http"], 409, "nothing is decided before the browser is back");

    let returned = world.get_with(path_of(&back), header::COOKIE, &cookie).await;
    assert_eq!(returned.status(), StatusCode::OK);
    assert!(text_of(returned).await.contains("you meet the conditions"));

    let decision = world.decision(&id).await;
    let claims = checked(&world, &id, &text(&decision, "decision")).await;
    assert_eq!(claims.outcome, Outcome::Met);
    assert_eq!((claims.reasons, claims.evidence), (vec![Reason::ConditionsMet], Evidence::Disclosed));
    assert_eq!((claims.request_id, claims.subject_binding.as_str()), (id, "same_device"));
    let salt = b64u_array(text(&decision, "ref_salt")).unwrap();
    assert_eq!(claims.reference, Some(reference_hash(&salt, "file 17")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browser_gets_nothing() {
    let world = World::new().await;
    let opened = world.ask("bus-pass", "same_device").await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    // A planted cookie is not taken: the session is drawn by us.
    let planted = format!("{}=chosen-by-somebody-else", vouchsafe_verifier::session::cookie_name(&page[3..]));
    let first = world.get_with(&page, header::COOKIE, &planted).await;
    let cookie = cookie_of(&first).unwrap();
    assert_ne!(cookie, planted);
    for other in [None, Some(planted.as_str())] {
        let seen = world.get_with(&page, header::COOKIE, other.unwrap_or("x=y")).await;
        assert_eq!(seen.status(), StatusCode::FORBIDDEN);
        assert!(cookie_of(&seen).is_none());
    }
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let posted = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
    let back = text(&json_of(posted).await, "redirect_uri");
    let seen = world.get_with(path_of(&back), header::COOKIE, &planted).await;
    assert_eq!(seen.status(), StatusCode::FORBIDDEN);
    // The right browser with a wrong code is shown how it stands, and decides nothing.
    let wrong = world.get_with(&format!("{page}/return?response_code=wrong"), header::COOKIE, &cookie).await;
    assert!(text_of(wrong).await.contains("Your answer has arrived"));
    assert_eq!(world.decision(&text(&opened, "id")).await["http"], 409);
    world.clock.advance(301);
    assert_eq!(sweep(&world.app, world.clock.now()).await.unwrap(), Swept { declined: 0, expired: 1 });
    let (outcome, reasons, _) = outcome(&world, &text(&opened, "id")).await;
    assert_eq!((outcome, reasons), (Outcome::Expired, vec![Reason::NotReturned]));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_ways_to_end() {
    let world = World::new().await;
    let ask = async |birth: Option<(&str, &str)>| {
        let opened = world.ask("counter", "cross_device").await;
        let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
        if let Some((birth, facts)) = birth {
            let copy = world.copy(birth, facts).await;
            let posted =
                world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
            assert_eq!(posted.status(), StatusCode::OK);
            assert!(json_of(posted).await.get("redirect_uri").is_none());
        }
        (text(&opened, "id"), request)
    };
    let (met, _) = ask(Some(("1950-01-01", "2026-11-20"))).await;
    let (not_met, _) = ask(Some(("1990-01-01", "2026-11-20"))).await;
    let (stale, _) = ask(Some(("1950-01-01", "2026-01-01"))).await;
    let (declined, request) = ask(None).await;
    let posted = world.post_form(path_of(request.response_uri()), World::decline(&request)).await;
    assert_eq!(posted.status(), StatusCode::OK);
    let (expired, _) = ask(None).await;
    assert_eq!(world.decision(&declined).await["http"], 409, "an error closes nothing");
    assert_eq!(outcome(&world, &met).await.0, Outcome::Met);
    assert_eq!(outcome(&world, &not_met).await.0, Outcome::NotMet);
    assert_eq!(
        outcome(&world, &stale).await,
        (Outcome::Undetermined, vec![Reason::FactsStale], Evidence::Disclosed)
    );
    world.clock.advance(301);
    assert_eq!(sweep(&world.app, world.clock.now()).await.unwrap(), Swept { declined: 1, expired: 1 });
    assert_eq!(outcome(&world, &declined).await.0, Outcome::Declined);
    assert_eq!(outcome(&world, &expired).await.0, Outcome::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_browser_confirms_that_nothing_is_shared() {
    let world = World::new().await;
    let opened = world.ask("bus-pass", "same_device").await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    let cookie = cookie_of(&world.get(&page).await).unwrap();
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let stranger =
        vouchsafe_protocol::openid4vp::response::error_form("access_denied", "0123456789abcdefghijklmn");
    let refused = world.post_form(path_of(request.response_uri()), stranger).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let posted = world.post_form(path_of(request.response_uri()), World::decline(&request)).await;
    let back = text(&json_of(posted).await, "redirect_uri");
    let returned = world.get_with(path_of(&back), header::COOKIE, &cookie).await;
    assert!(text_of(returned).await.contains("Nothing was shared"));
    assert_eq!(outcome(&world, &text(&opened, "id")).await.0, Outcome::Declined);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_posts_of_one_answer_give_one_decision() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let form = world.answer(&request, &copy);
    let path = path_of(request.response_uri());
    let posts = (0..50).map(|_| world.post_form(path, form.clone()));
    let mut statuses = Vec::new();
    for post in posts.map(|post| async { post.await.status() }).collect::<Vec<_>>() {
        statuses.push(post);
    }
    let statuses = join_all(statuses).await;
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
    for status in statuses {
        assert!([StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE].contains(&status));
    }
    assert_eq!(outcome(&world, &text(&opened, "id")).await.0, Outcome::Met);
}

/// Polls all at once, each in turn, until every one is done.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in &mut running {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if running.iter().all(|(_, done)| done.is_some()) {
            return std::task::Poll::Ready(running.iter_mut().filter_map(|(_, done)| done.take()).collect());
        }
        std::task::Poll::Pending
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_free_and_five_wrong_answers_are_not() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let path = path_of(request.response_uri());
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    for _ in 0..8 {
        let garbage = world.post_form(path, "response=a.b.c.d.e".into()).await;
        assert_eq!(garbage.status(), StatusCode::BAD_REQUEST);
        let other_nonce = world.answer_with(&request, &copy, "another-nonce-of-some-length");
        assert_eq!(world.post_form(path, other_nonce).await.status(), StatusCode::BAD_REQUEST);
    }
    // Signatures that hold on a credential of another type: each one counts.
    for _ in 0..4 {
        let other = world.copy_as("https://larkfield.example/types/other/1", "1950-01-01", "2026-11-20");
        assert_eq!(
            world.post_form(path, world.answer(&request, &other)).await.status(),
            StatusCode::BAD_REQUEST
        );
    }
    let posted = world.post_form(path, world.answer(&request, &copy)).await;
    assert_eq!(posted.status(), StatusCode::OK, "the fifth attempt is the right one");
}

#[tokio::test(flavor = "multi_thread")]
async fn spent_attempts_end_a_request() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    for _ in 0..5 {
        let other = world.copy_as("https://larkfield.example/types/other/1", "1950-01-01", "2026-11-20");
        let posted = world.post_form(path_of(request.response_uri()), world.answer(&request, &other)).await;
        assert_eq!(posted.status(), StatusCode::BAD_REQUEST);
    }
    let (outcome, reasons, _) = outcome(&world, &text(&opened, "id")).await;
    assert_eq!((outcome, reasons), (Outcome::Expired, vec![Reason::AttemptsSpent]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_dropped_anywhere_harms_nobody() {
    let world = World::new().await;
    let mut decided = 0;
    for polls in 0..40_u32 {
        let opened = world.ask("counter", "cross_device").await;
        let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
        let copy = world.copy("1950-01-01", "2026-11-20").await;
        let (path, form) = (path_of(request.response_uri()), world.answer(&request, &copy));
        {
            let mut post = Box::pin(world.post_form(path, form.clone()));
            for _ in 0..polls {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                if post.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        world.clock.advance(11);
        // The next to come is served, and there is one decision in the end.
        let again = world.post_form(path, form).await;
        let standing = world.decision(&text(&opened, "id")).await;
        match again.status() {
            StatusCode::OK => decided += 1,
            _ => assert!(standing["http"] == 200 || again.status() == StatusCode::SERVICE_UNAVAILABLE),
        }
    }
    assert!(decided > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_survives_a_restart() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let world = world.restart().await;
    let again = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    assert_eq!((again.state(), again.asked().party()), (request.state(), request.asked().party()));
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let posted = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
    assert_eq!(posted.status(), StatusCode::OK);
    let world = world.restart().await;
    assert_eq!(outcome(&world, &text(&opened, "id")).await.0, Outcome::Met);
    let used = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
    assert_eq!(used.status(), StatusCode::BAD_REQUEST);
    let object = world.get(path_of(request.response_uri()).replace("/a/", "/r/").as_str()).await;
    assert_eq!(object.status(), StatusCode::GONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_apart() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    for path in ["", "/decision"] {
        let path = format!("/v1/requests/{}{path}", text(&opened, "id"));
        let foreign = world.get_with(&path, header::AUTHORIZATION, &format!("Bearer {POOL_KEY}")).await;
        assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
        let nobody = world.get_with(&path, header::AUTHORIZATION, "Bearer guessed").await;
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
        let basic = world.get_with(&path, header::AUTHORIZATION, &format!("Basic {BUS_KEY}")).await;
        assert_eq!(basic.status(), StatusCode::UNAUTHORIZED);
    }
    let body = json!({"policy": "counter", "flow": "cross_device"});
    let foreign = world.post_json("/v1/requests", POOL_KEY, &body).await;
    assert_eq!(
        foreign.status(),
        StatusCode::FORBIDDEN,
        "the register does not let the pool ask for a bus pass"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_call_names_its_member() {
    let world = World::new().await;
    let call = async |body| {
        let response = world.post_json("/v1/requests", BUS_KEY, &body).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        json_of(response).await
    };
    assert_eq!(call(json!({"policy": "none", "flow": "same_device"})).await["pointer"], "/policy");
    assert_eq!(call(json!({"policy": "bus-pass", "flow": "cross_device"})).await["pointer"], "/flow");
    assert_eq!(call(json!({"policy": "by-ward", "flow": "cross_device"})).await["code"], "expect-missing");
    assert_eq!(
        call(json!({"policy": "counter", "flow": "cross_device", "expect": "x"})).await["code"],
        "expect-unused"
    );
    let extra = json!({"policy": "counter", "flow": "cross_device", "outcome": "met"});
    assert_eq!(call(extra).await["code"], "unknown-member");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_value_is_compared_and_forgotten() {
    let world = World::new().await;
    for (expect, wanted) in [("North", Outcome::Met), ("Kestrelmoor", Outcome::Undetermined)] {
        let body = json!({"policy": "by-ward", "flow": "cross_device", "expect": expect});
        let opened = json_of(world.post_json("/v1/requests", BUS_KEY, &body).await).await;
        let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
        let copy = world.copy("1950-01-01", "2026-11-20").await;
        let posted = world.post_form(path_of(request.response_uri()), world.answer(&request, &copy)).await;
        assert_eq!(posted.status(), StatusCode::OK);
        assert_eq!(outcome(&world, &text(&opened, "id")).await.0, wanted);
    }
    let stored = world.database();
    for value in ["Kestrelmoor", "1950-01-01", "file 17"] {
        let found = stored.windows(value.len()).any(|window| window == value.as_bytes());
        assert!(!found, "{value} is in the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_code_leads_to_the_request_and_guessing_ends() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let code = text(&opened, "code");
    let typed = format!("{}-{}", &code[..4], code[4..].to_lowercase());
    let found = json_of(world.post_json("/c", "", &json!({"code": typed})).await).await;
    assert!(text(&opened, "qr_text").contains(&text(&found, "client_id").replace(':', "%3A")));
    assert!(text(&found, "request_uri").starts_with(&format!("{ORIGIN}/r/")));
    for _ in 0..10 {
        let miss = world.post_json("/c", "", &json!({"code": "00000000"})).await;
        assert_eq!(miss.status(), StatusCode::NOT_FOUND);
    }
    let limited = world.post_json("/c", "", &json!({"code": code})).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.headers().contains_key(header::RETRY_AFTER));
    world.clock.advance(60);
    let again = world.post_json("/c", "", &json!({"code": code})).await;
    assert_eq!(again.status(), StatusCode::OK);
    world.clock.set(UnixTime(world.clock.now().0 + 300));
    assert_eq!(world.post_json("/c", "", &json!({"code": code})).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_closed_to_frames_scripts_and_referrers() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    for path in [page.as_str(), "/nowhere", "/.well-known/jwks.json", "/style.css", "/p/none"] {
        let response = world.get(path).await;
        let headers = response.headers();
        assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers.contains_key(header::CACHE_CONTROL));
    }
    let welsh = world.get(&format!("{page}?lang=cy")).await;
    assert_eq!(welsh.status(), StatusCode::FORBIDDEN, "the page belongs to whoever opened it first");
    assert!(text_of(welsh).await.contains("lang=\"cy\""));
}
