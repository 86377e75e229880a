//! Tokens that are bound to a key, in the hands of somebody without it.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use vouchsafe_protocol::dpop::{self, Call};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_service::store::Schema;
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::clients::assertion::TYPE;
use vouchsafe_verifier::expiry;
use vouchsafe_verifier::http::router;

use crate::callers::{FORM, System, call, changed, counter, get, opened, refusal, with_system};
use crate::world::{BUS_KEY, ORIGIN, World, json_of};

/// A system whose token is bound to a key.
pub(crate) struct Bound {
    pub(crate) world: World,
    pub(crate) system: System,
    pub(crate) key: SigningKey,
    pub(crate) token: String,
}

pub(crate) fn proof(
    world: &World,
    key: &SigningKey,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> String {
    let url = format!("{ORIGIN}{path}");
    let call = Call { method, url: &url, token, now: world.clock.now() };
    let unsigned = dpop::unsigned(key.public(), &call, &id16(&OsEntropy::new()), None);
    let signature = key.sign_now(unsigned.signing_input()).unwrap();
    unsigned.finish(&signature)
}

/// Asks for a token with these proofs.
pub(crate) async fn ask(world: &World, system: &System, proofs: &[&str]) -> Response<Body> {
    let assertion = system.sign(&system.claims(world));
    let form = vouchsafe_protocol::form::write(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ]);
    let fields: Vec<_> =
        [("content-type", FORM)].into_iter().chain(proofs.iter().map(|one| ("dpop", *one))).collect();
    call(world, Method::POST, "/oauth/token", None, &fields, &form).await
}

impl Bound {
    pub(crate) async fn new() -> Self {
        let (world, system) = with_system().await;
        let key = SigningKey::generate().unwrap();
        let given = ask(&world, &system, &[&proof(&world, &key, "POST", "/oauth/token", None)]).await;
        assert_eq!(given.status(), StatusCode::OK);
        let body = json_of(given).await;
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("DPoP"), &json!(300)));
        let token = body["access_token"].as_str().unwrap().to_owned();
        Self { world, system, key, token }
    }

    pub(crate) fn proof(&self, method: &str, path: &str) -> String {
        proof(&self.world, &self.key, method, path, Some(&self.token))
    }

    pub(crate) async fn send(&self, scheme: &str, place: &str, proofs: &[&str]) -> Response<Body> {
        let authorization = format!("{scheme} {}", self.token);
        let fields: Vec<_> = [("authorization", authorization.as_str())]
            .into_iter()
            .chain(proofs.iter().map(|one| ("dpop", *one)))
            .collect();
        call(&self.world, Method::GET, place, None, &fields, "").await
    }

    /// An honest call that reads.
    pub(crate) async fn read(&self, place: &str) -> Response<Body> {
        let path = place.split('?').next().unwrap();
        self.send("DPoP", place, &[&self.proof("GET", path)]).await
    }
}

fn challenge(response: &Response<Body>) -> String {
    response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_opens_every_route_with_its_key() {
    let bound = Bound::new().await;
    let path = "/v1/requests";
    let proof = bound.proof("POST", path);
    let authorization = format!("DPoP {}", bound.token);
    let fields = [("content-type", "application/json"), ("authorization", &authorization), ("dpop", &proof)];
    let opened = call(&bound.world, Method::POST, path, None, &fields, &counter().to_string()).await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let id = json_of(opened).await["id"].as_str().unwrap().to_owned();
    for place in
        ["/v1/requests?limit=5".to_owned(), format!("/v1/requests/{id}"), format!("/v1/requests/{id}/events")]
    {
        assert_eq!(bound.read(&place).await.status(), StatusCode::OK, "{place}");
    }
    assert_eq!(refusal(bound.read(&format!("/v1/requests/{id}/decision")).await).await.0, 409);
    let listed = json_of(get(&bound.world, path, BUS_KEY).await).await;
    assert_eq!(listed["requests"][0]["id"], json!(id), "the tenant is the same, however it is called");
    let metadata = json_of(bound.world.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["ES256"]));
    bound.world.clock.advance(300);
    let over = bound.read(path).await;
    assert!(challenge(&over).starts_with("DPoP "));
    assert_eq!(refusal(over).await, (401, "invalid-token".into()));
}

/// Every way to send a bound token that is not its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_nothing_without_its_key() {
    let bound = Bound::new().await;
    let (world, path) = (&bound.world, "/v1/requests");
    let honest = bound.proof("GET", path);
    for proofs in [&[][..], &[honest.as_str()]] {
        let refused = bound.send("Bearer", path, proofs).await;
        assert_eq!(refusal(refused).await, (401, "invalid-token".into()), "as a bearer's");
    }
    let thief = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let others = ask(world, &bound.system, &[&proof(world, &other, "POST", "/oauth/token", None)]).await;
    let others = json_of(others).await["access_token"].as_str().unwrap().to_owned();
    let by_page = |path: &str| proof(world, &bound.key, "GET", path, Some(&bound.token));
    let wrong = [
        ("of a thief", proof(world, &thief, "GET", path, Some(&bound.token))),
        ("of another token's key", proof(world, &other, "GET", path, Some(&bound.token))),
        ("for another token", proof(world, &bound.key, "GET", path, Some(&others))),
        ("for no token", proof(world, &bound.key, "GET", path, None)),
        ("for another method", bound.proof("POST", path)),
        ("for another path", by_page("/v1/requests/none")),
        ("for the path with a slash", by_page("/v1/requests/")),
        ("for the token endpoint", by_page("/oauth/token")),
        ("that is none", "a.b.c".to_owned()),
        ("that is empty", String::new()),
    ];
    for (what, sent) in &wrong {
        let refused = bound.send("DPoP", path, &[sent]).await;
        assert!(challenge(&refused).contains("error=\"invalid_dpop_proof\", algs=\"ES256\""), "{what}");
        assert_eq!(refusal(refused).await, (401, "invalid-dpop-proof".into()), "a proof {what}");
    }
    for proofs in [&[][..], &[honest.as_str(), honest.as_str()], &[honest.as_str(), wrong[0].1.as_str()]] {
        let refused = refusal(bound.send("DPoP", path, proofs).await).await;
        assert_eq!(refused, (401, "invalid-dpop-proof".into()), "{} proofs", proofs.len());
    }
    assert_eq!(
        bound.send("DPoP", path, &[&honest]).await.status(),
        StatusCode::OK,
        "nothing of it was used up"
    );
    assert_eq!(refusal(bound.send("DPoP", path, &[&honest]).await).await, (401, "invalid-dpop-proof".into()));
    let stale = bound.proof("GET", path);
    world.clock.advance(-400);
    assert_eq!(refusal(bound.send("DPoP", path, &[&stale]).await).await.0, 401, "from the future");
}

/// Nobody without the key can shut its owner out by calls that fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_thief_uses_up_no_calls() {
    let mut bound = Bound::new().await;
    let settings = bound.system.settings(&bound.world, None);
    bound.world = changed(bound.world, |config| {
        config.limits.client_calls_per_minute = 1;
        config.services[0].clients = vec![settings];
    })
    .await;
    let thief = SigningKey::generate().unwrap();
    for _ in 0..5 {
        let sent = proof(&bound.world, &thief, "GET", "/v1/requests", Some(&bound.token));
        assert_eq!(bound.send("DPoP", "/v1/requests", &[&sent]).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(bound.send("Bearer", "/v1/requests", &[]).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(bound.read("/v1/requests").await.status(), StatusCode::OK);
    let proof = bound.proof("GET", "/v1/requests");
    assert_eq!(bound.send("DPoP", "/v1/requests", &[&proof]).await.status(), StatusCode::TOO_MANY_REQUESTS);
    bound.world.clock.advance(60);
    let again = bound.send("DPoP", "/v1/requests", &[&proof]).await;
    assert_eq!(
        again.status(),
        StatusCode::OK,
        "a call that came too often used up nothing, its proof neither"
    );
}

/// What is refused at the token endpoint, and uses up neither the assertion nor a call.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_bound_to_one_good_proof() {
    let (world, system) = with_system().await;
    let key = SigningKey::generate().unwrap();
    let good = proof(&world, &key, "POST", "/oauth/token", None);
    let other = proof(&world, &key, "POST", "/oauth/token", None);
    for proofs in [
        &[good.as_str(), other.as_str()][..],
        &[proof(&world, &key, "GET", "/oauth/token", None).as_str()],
        &[proof(&world, &key, "POST", "/v1/requests", None).as_str()],
        &["none"],
    ] {
        let refused = refusal(ask(&world, &system, proofs).await).await;
        assert_eq!(refused, (400, "invalid_dpop_proof".into()));
    }
    assert_eq!(ask(&world, &system, &[&good]).await.status(), StatusCode::OK);
    let again = refusal(ask(&world, &system, &[&good]).await).await;
    assert_eq!(again, (400, "invalid_dpop_proof".into()), "once");
    let plain = json_of(ask(&world, &system, &[]).await).await;
    assert_eq!(plain["token_type"], "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bound_to_no_key_is_not_sent_as_if_it_were() {
    let (world, system) = with_system().await;
    let (key, token) = (SigningKey::generate().unwrap(), system.token(&world).await);
    for sent in [token.as_str(), BUS_KEY] {
        let proof = proof(&world, &key, "GET", "/v1/requests", Some(sent));
        let authorization = format!("DPoP {sent}");
        let fields = [("authorization", authorization.as_str()), ("dpop", &proof)];
        let refused = call(&world, Method::GET, "/v1/requests", None, &fields, "").await;
        assert!(challenge(&refused).starts_with("DPoP "));
        assert_eq!(refusal(refused).await, (401, "invalid-token".into()));
    }
    assert!(opened(&world, &token).await["id"].is_string());
}

/// A world whose system gets bound tokens alone.
pub(crate) async fn strict() -> (World, System) {
    let (world, system) = with_system().await;
    let mut settings = system.settings(&world, None);
    settings.dpop = true;
    (changed(world, |config| config.services[0].clients = vec![settings]).await, system)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_have_to_bind_its_tokens() {
    let (world, system) = strict().await;
    assert_eq!(refusal(ask(&world, &system, &[]).await).await, (400, "invalid_dpop_proof".into()));
    let key = SigningKey::generate().unwrap();
    let given = ask(&world, &system, &[&proof(&world, &key, "POST", "/oauth/token", None)]).await;
    assert_eq!(given.status(), StatusCode::OK);
}

/// Another replica, half a minute behind one that has forgotten the proof.
pub(crate) async fn replay_a_proof_where_the_clock_is_behind() -> bool {
    let bound = Bound::new().await;
    let sent = proof(&bound.world, &bound.key, "POST", "/oauth/token", None);
    assert_eq!(ask(&bound.world, &bound.system, &[&sent]).await.status(), StatusCode::OK);
    bound.world.clock.advance(361);
    expiry::sweep(&bound.world.app, bound.world.clock.now()).await.unwrap();
    let clock = std::sync::Arc::new(ManualClock::at(bound.world.clock.now().minus(30)));
    let config = bound.world.config.clone();
    let app = App::open(config, clock.clone(), std::sync::Arc::new(OsEntropy::new()), Schema::Expect).await;
    let app = app.unwrap();
    let behind = World { router: router(app.clone()), app, clock, ..bound.world };
    ask(&behind, &bound.system, &[&sent]).await.status() == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_remembered_for_replicas_that_are_behind() {
    assert!(!replay_a_proof_where_the_clock_is_behind().await);
}

/// The claims of a proof are held to their form, with the key's own signature over them.
#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_the_key_itself_signed_wrongly() {
    let bound = Bound::new().await;
    let jwk = bound.key.public().to_value();
    let now = bound.world.clock.now().0;
    let claims = json!({
        "jti": "fixed-0042", "htm": "GET", "htu": format!("{ORIGIN}/v1/requests"), "iat": now,
        "ath": b64u(sha256(&bound.token)),
    });
    let signed = |header: Value, claims: &Value| {
        let input = format!("{}.{}", b64u(header.to_string()), b64u(claims.to_string()));
        let signature = bound.key.sign_now(input.as_bytes()).unwrap();
        format!("{input}.{}", b64u(signature))
    };
    let header = || json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk});
    let spoilt = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(header(), &claims)
    };
    let wrong = [
        spoilt("iat", json!(now - 361)),
        spoilt("iat", json!(now + 61)),
        spoilt("iat", json!("now")),
        spoilt("jti", json!("")),
        spoilt("htm", json!(["GET"])),
        spoilt("htu", json!("https://ask.larkfield.example.evil.example/v1/requests")),
        spoilt("htu", json!("http://ask.larkfield.example/v1/requests")),
        spoilt("ath", json!(null)),
        signed(json!({"alg": "ES256", "typ": "JWT", "jwk": jwk}), &claims),
        signed(json!({"alg": "ES256", "typ": "dpop+jwt", "kid": "1"}), &claims),
        signed(json!({"alg": "none", "typ": "dpop+jwt", "jwk": jwk}), &claims),
        signed(json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk, "crit": ["x"], "x": 1}), &claims),
    ];
    for proof in &wrong {
        let refused = refusal(bound.send("DPoP", "/v1/requests", &[proof]).await).await;
        assert_eq!(refused, (401, "invalid-dpop-proof".into()), "{proof}");
    }
    let good = signed(header(), &claims);
    assert_eq!(bound.send("DPoP", "/v1/requests?limit=1", &[&good]).await.status(), StatusCode::OK);
}
