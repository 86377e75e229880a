//! Systems of services get tokens and call with them: who is let in, to what, and how often.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod world;

use axum::http::{Method, StatusCode, header};
use callers::{
    FORM, SYSTEM, System, call, changed, counter, get, live_and_test, post, refusal, reopened,
    send_assertion, with_system,
};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::form;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_verifier::app::OpenError;
use vouchsafe_verifier::clients::ClientFault;
use vouchsafe_verifier::clients::assertion::TYP;
use vouchsafe_verifier::expiry;
use world::{BUS_KEY, BUSES, ORIGIN, POOL, POOL_KEY, World, json_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_system_asks_by_a_token() {
    let (world, system) = with_system().await;
    let answer =
        system.ask(&world, &system.claims(&world), &[("scope", "decisions:read requests:write")]).await;
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let answer = json_of(answer).await;
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(answer["scope"], "requests:write decisions:read");
    let token = answer["access_token"].as_str().unwrap();
    let opened = post(&world, token, &[], &counter()).await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let place = opened.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let opened = json_of(opened).await;
    assert_eq!(place, format!("/v1/requests/{}", opened["id"].as_str().unwrap()));
    let standing = json_of(get(&world, &place, token).await).await;
    assert_eq!((&standing["status"], &standing["policy"]), (&json!("waiting"), &json!("counter")));
    assert_eq!(refusal(get(&world, &format!("{place}/decision"), token).await).await.1, "not-decided");
    let own = json_of(get(&world, &place, BUS_KEY).await).await;
    assert_eq!(own, standing, "the test key is of the same tenant");
    let kept = world.database();
    assert!(!kept.windows(token.len()).any(|part| part == token.as_bytes()), "a token is stored as a digest");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_says_where_and_how() {
    let world = World::new().await;
    let found = json_of(world.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(found["issuer"], ORIGIN);
    assert_eq!(found["token_endpoint"], format!("{ORIGIN}/oauth/token"));
    assert_eq!(found["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    assert_eq!(found["token_endpoint_auth_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
    assert_eq!(found["grant_types_supported"], json!(["client_credentials"]));
}

/// Each changes one thing about an assertion that is good otherwise.
const SPOILT: [(&str, Value, &str); 15] = [
    ("iss", Value::Null, "another iss"),
    ("sub", Value::Null, "another sub"),
    ("aud", Value::Null, "no aud"),
    ("jti", Value::Null, "no jti"),
    ("exp", Value::Null, "no exp"),
    ("aud", Value::Bool(true), "the endpoint"),
    ("aud", Value::Bool(false), "a list"),
    ("exp", Value::Bool(true), "now"),
    ("exp", Value::Bool(false), "in six minutes"),
    ("iat", Value::Bool(true), "in two minutes"),
    ("nbf", Value::Bool(true), "in two minutes"),
    ("exp", Value::Bool(true), "as text"),
    ("jti", Value::Bool(true), "short"),
    ("iss", Value::Bool(true), "a service"),
    ("jti", Value::Bool(false), "long"),
];

fn spoil(claims: &mut Value, name: &str, how: &str, now: i64) {
    let value = match (name, how) {
        (_, "the endpoint") => json!(format!("{ORIGIN}/oauth/token")),
        (_, "a list") => json!([ORIGIN]),
        (_, "now") => json!(now),
        (_, "in six minutes") => json!(now + 360),
        (_, "in two minutes") => json!(now + 120),
        (_, "as text") => json!((now + 60).to_string()),
        (_, "short") => json!("a"),
        (_, "long") => json!("a".repeat(257)),
        (_, "a service") => json!(BUSES),
        ("iss" | "sub", _) => json!("https://systems.larkfield.example/other"),
        _ => {
            claims.as_object_mut().unwrap().remove(name);
            return;
        }
    };
    claims[name] = value;
}

#[tokio::test(flavor = "multi_thread")]
async fn assertions_that_show_nobody() {
    let (world, system) = with_system().await;
    for (name, _, how) in SPOILT {
        let mut claims = system.claims(&world);
        spoil(&mut claims, name, how, world.clock.now().0);
        let refused = refusal(system.ask(&world, &claims, &[]).await).await;
        assert_eq!(refused, (400, "invalid_client".into()), "{name}: {how}");
    }
    let stranger = System { kid: system.kid.clone(), ..System::new(SYSTEM) };
    let claims = system.claims(&world);
    for assertion in [
        stranger.sign(&claims),
        system.sign_as("JWT", &system.kid, &claims),
        system.sign_as(TYP, "another", &claims),
        format!(
            "{}.{}.AA",
            b64u(r#"{"alg":"none","typ":"client-authentication+jwt"}"#),
            b64u(claims.to_string())
        ),
        "not.a.token".into(),
        String::new(),
    ] {
        let refused = refusal(send_assertion(&world, &assertion, &[]).await).await;
        assert_eq!(refused, (400, "invalid_client".into()));
    }
    assert_eq!(
        system.ask(&world, &claims, &[]).await.status(),
        StatusCode::OK,
        "and nothing of it was used up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_serves_once() {
    let (world, system) = with_system().await;
    let assertion = system.sign(&system.claims(&world));
    let calls = (0..20).map(|_| send_assertion(&world, &assertion, &[]));
    let mut given = 0;
    for answer in futures_util::future::join_all(calls).await {
        given += usize::from(answer.status() == StatusCode::OK);
    }
    assert_eq!(given, 1);
    world.clock.advance(30);
    expiry::sweep(&world.app, world.clock.now()).await.unwrap();
    let again = refusal(send_assertion(&world, &assertion, &[]).await).await;
    assert_eq!(again, (400, "invalid_client".into()), "not before it is over is its jti forgotten");
    let other = System::new("other");
    let claims = json!({"jti": "the same jti"});
    let with = |system: &System| {
        let mut all = system.claims(&world);
        all["jti"] = claims["jti"].clone();
        all
    };
    assert_eq!(system.ask(&world, &with(&system), &[]).await.status(), StatusCode::OK);
    let settings = other.settings(&world, None);
    let world = changed(world, |config| config.services[1].clients = vec![settings]).await;
    let mut all = other.claims(&world);
    all["jti"] = claims["jti"].clone();
    assert_eq!(other.ask(&world, &all, &[]).await.status(), StatusCode::OK, "a jti is a client's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_refused() {
    let (world, system) = with_system().await;
    for (more, code) in [
        (("grant_type", "authorization_code"), "unsupported_grant_type"),
        (("client_secret", "x"), "invalid_request"),
        (
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            "invalid_client",
        ),
        (("client_id", BUSES), "invalid_client"),
        (("scope", "requests:write everything"), "invalid_scope"),
        (("scope", ""), "invalid_scope"),
    ] {
        let refused = refusal(system.ask(&world, &system.claims(&world), &[more]).await).await;
        assert_eq!(refused, (400, code.into()), "{more:?}");
    }
    let form = form::write(&[("client_assertion", &system.sign(&system.claims(&world)))]);
    assert_eq!(refusal(world.post_form("/oauth/token", form).await).await, (400, "invalid_request".into()));
    let twice = "grant_type=client_credentials&grant_type=client_credentials".to_owned();
    assert_eq!(refusal(world.post_form("/oauth/token", twice).await).await, (400, "invalid_request".into()));
    let json = [("content-type", "application/json")];
    let refused = call(&world, Method::POST, "/oauth/token", None, &json, "{}").await;
    assert_eq!(refusal(refused).await, (415, "invalid_request".into()));
    let headers = [("content-type", FORM), ("authorization", "Basic eDp5")];
    let refused = call(&world, Method::POST, "/oauth/token", None, &headers, "").await;
    assert_eq!(refusal(refused).await, (400, "invalid_request".into()));
    let same = system.ask(&world, &system.claims(&world), &[("client_id", SYSTEM)]).await;
    assert_eq!(same.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_told_how_to_come() {
    let (world, system) = with_system().await;
    let token = system.token(&world).await;
    let challenge = |response: &axum::http::Response<axum::body::Body>| {
        response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned()
    };
    let nobody = call(&world, Method::GET, "/v1/requests", None, &[], "").await;
    assert_eq!(challenge(&nobody), "Bearer realm=\"vouchsafe\"");
    assert_eq!(refusal(nobody).await, (401, "no-credentials".into()));
    world.clock.advance(299);
    assert_eq!(get(&world, "/v1/requests", &token).await.status(), StatusCode::OK);
    world.clock.advance(1);
    for sent in [token.as_str(), "test_guessed", "a b"] {
        let refused = get(&world, "/v1/requests", sent).await;
        assert_eq!(challenge(&refused), "Bearer realm=\"vouchsafe\", error=\"invalid_token\"");
        assert_eq!(refusal(refused).await, (401, "invalid-token".into()));
    }
    let basic = [("authorization", "Basic dGVzdF9idXNlcw==")];
    let refused = call(&world, Method::GET, "/v1/requests", None, &basic, "").await;
    assert_eq!(refusal(refused).await, (401, "invalid-token".into()));
    let twice = [("authorization", "Bearer test_pool")];
    let refused = call(&world, Method::GET, "/v1/requests", Some(BUS_KEY), &twice, "").await;
    assert_eq!(refusal(refused).await, (401, "invalid-token".into()), "of two, two readers could take two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_what_its_scopes_say() {
    let (world, system) = with_system().await;
    let settings = system.settings(&world, Some(&["requests:write", "decisions:read"]));
    let world = changed(world, |config| config.services[0].clients = vec![settings]).await;
    let refused = system.ask(&world, &system.claims(&world), &[("scope", "permissions:read")]).await;
    assert_eq!(refusal(refused).await, (400, "invalid_scope".into()), "it is not this client's");
    let only = |scope: &'static str| {
        let (world, system) = (&world, &system);
        async move {
            let answer = system.ask(world, &system.claims(world), &[("scope", scope)]).await;
            json_of(answer).await["access_token"].as_str().unwrap().to_owned()
        }
    };
    let (writes, reads) = (only("requests:write").await, only("decisions:read").await);
    let opened = json_of(post(&world, &writes, &[], &counter()).await).await;
    let place = format!("/v1/requests/{}", opened["id"].as_str().unwrap());
    let refused = post(&world, &reads, &[], &counter()).await;
    let challenge = refused.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    assert!(challenge.ends_with("error=\"insufficient_scope\", scope=\"requests:write\""), "{challenge}");
    assert_eq!(refusal(refused).await, (403, "insufficient-scope".into()));
    for path in ["/v1/requests", &place, &format!("{place}/events"), &format!("{place}/decision")] {
        let refused = refusal(get(&world, path, &writes).await).await;
        assert_eq!(refused, (403, "insufficient-scope".into()), "{path}");
    }
    assert_eq!(get(&world, &place, &reads).await.status(), StatusCode::OK);
}

/// What another tenant's caller gets for each way to a request.
async fn sees_nothing(world: &World, token: &str, id: &str) {
    for path in ["", "/events", "/decision"] {
        let path = format!("/v1/requests/{id}{path}");
        assert_eq!(refusal(get(world, &path, token).await).await, (404, "no-such-request".into()), "{path}");
    }
    let listed = json_of(get(world, "/v1/requests?limit=100", token).await).await;
    assert!(listed["requests"].as_array().unwrap().iter().all(|one| one["id"] != *id), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn test_and_live_tenants_see_nothing_of_each_other() {
    let (world, system) = live_and_test().await;
    let token = system.token(&world).await;
    let live = json_of(post(&world, &token, &[], &counter()).await).await["id"].as_str().unwrap().to_owned();
    let test =
        json_of(post(&world, POOL_KEY, &[], &counter()).await).await["id"].as_str().unwrap().to_owned();
    for decided in [false, true] {
        if decided {
            world.clock.advance(301);
        }
        let token = system.token(&world).await;
        sees_nothing(&world, POOL_KEY, &live).await;
        sees_nothing(&world, &token, &test).await;
        assert_eq!(get(&world, &format!("/v1/requests/{live}"), &token).await.status(), StatusCode::OK);
        assert_eq!(get(&world, &format!("/v1/requests/{test}"), POOL_KEY).await.status(), StatusCode::OK);
    }
    let refused = refusal(get(&world, "/v1/requests", BUS_KEY).await).await;
    assert_eq!(refused, (401, "invalid-token".into()), "a live service has no test key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_goes_live_starts_with_nothing() {
    let (world, system) = with_system().await;
    let before = system.token(&world).await;
    let test = json_of(post(&world, &before, &[], &counter()).await).await["id"].as_str().unwrap().to_owned();
    world.sign(&world.sources.replacen("env = \"test\"", "env = \"live\"", 1)).await;
    let settings = system.settings(&world, None);
    let world = changed(world, |config| {
        config.services[0].env = Env::Live;
        config.services[0].test_key_hash = None;
        config.services[0].clients = vec![settings];
    });
    let world = world.await;
    assert_eq!(refusal(get(&world, "/v1/requests", &before).await).await, (401, "invalid-token".into()));
    let token = system.token(&world).await;
    sees_nothing(&world, &token, &test).await;
    world.clock.advance(400);
    sees_nothing(&world, &system.token(&world).await, &test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_runs_wild_harms_no_other() {
    let (world, system) = with_system().await;
    let world = changed(world, |config| config.limits.client_calls_per_minute = 3).await;
    let token = system.token(&world).await;
    for _ in 0..2 {
        assert_eq!(get(&world, "/v1/requests", &token).await.status(), StatusCode::OK);
    }
    let refused = get(&world, "/v1/requests", &token).await;
    assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
    assert_eq!(refusal(refused).await, (429, "too-many-calls".into()));
    let refused = system.ask(&world, &system.claims(&world), &[]).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    for key in [BUS_KEY, POOL_KEY] {
        assert_eq!(get(&world, "/v1/requests", key).await.status(), StatusCode::OK, "{key}");
    }
    world.clock.advance(60);
    assert_eq!(get(&world, "/v1/requests", &token).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_refused_at_start() {
    let (world, system) = with_system().await;
    let good = system.settings(&world, None);
    let fault =
        async |change: &dyn Fn(&mut vouchsafe_verifier::config::Config)| match reopened(&world, |config| {
            change(config)
        })
        .await
        .err()
        {
            Some(OpenError::Clients(fault)) => fault,
            other => panic!("{other:?}"),
        };
    for id in ["", "a b", "é", POOL, &"a".repeat(201)] {
        let taken = fault(&|config| config.services[0].clients[0].id = id.into()).await;
        assert!(matches!(taken, ClientFault::Id(_)), "{id}: {taken}");
    }
    let twice = fault(&|config| config.services[1].clients = vec![good.clone()]).await;
    assert!(matches!(twice, ClientFault::Id(_)));
    let scopes = fault(&|config| config.services[0].clients[0].scopes = Some(vec!["all".into()])).await;
    assert!(matches!(scopes, ClientFault::Scopes(_)));
    let mut nameless = system.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    let mut private = system.jwk();
    private["d"] = json!("AA");
    for set in [json!([]), json!([nameless]), json!([private]), json!([system.jwk(), system.jwk()])] {
        std::fs::write(&good.keys, json!({"keys": set}).to_string()).unwrap();
        assert!(matches!(fault(&|_| ()).await, ClientFault::Keys(_)), "{set}");
    }
    std::fs::write(&good.keys, "[]").unwrap();
    assert!(matches!(fault(&|_| ()).await, ClientFault::Keys(_)));
    std::fs::remove_file(&good.keys).unwrap();
    assert!(matches!(fault(&|_| ()).await, ClientFault::Config(_)));
}
