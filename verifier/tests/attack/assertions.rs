//! Assertions that somebody else could make, or has seen.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64, b64_decode, b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::store::Schema;
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::clients::ClientFault;
use vouchsafe_verifier::clients::assertion::TYP;
use vouchsafe_verifier::config::ClientSettings;
use vouchsafe_verifier::expiry;
use vouchsafe_verifier::http::router;

use crate::callers::{SYSTEM, System, changed, get, opened, refusal, reopened, send_assertion, with_system};
use crate::world::{BUS_KEY, World, json_of};

/// The key of RFC 8037, appendix A, and an assertion that it signed for noon, by each name of an algorithm.
const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const PAYLOAD: &str = "eyJpc3MiOiJodHRwczovL3N5c3RlbXMubGFya2ZpZWxkLmV4YW1wbGUvcGFzc2VzIiwic3ViIjoiaHR0cHM6Ly9zeXN0ZW1zLmxhcmtmaWVsZC5leGFtcGxlL3Bhc3NlcyIsImF1ZCI6Imh0dHBzOi8vYXNrLmxhcmtmaWVsZC5leGFtcGxlIiwiaWF0IjoxNzk1MjYyNDAwLCJleHAiOjE3OTUyNjI0NjAsImp0aSI6ImZpeGVkLWp0aS0wMDQyIn0";
const AS_EDDSA: [&str; 2] = [
    "eyJhbGciOiJFZERTQSIsInR5cCI6ImNsaWVudC1hdXRoZW50aWNhdGlvbitqd3QiLCJraWQiOiJyZmM4MDM3In0",
    "NNxXU3bs0weAAdpvNocs9Kctradi0nAKI8k45DWBz_E1_wdE8hAu7QX9ebRKzljQATPt9EPVo_7BzeriAolqAw",
];
const AS_ES256: [&str; 2] = [
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImNsaWVudC1hdXRoZW50aWNhdGlvbitqd3QiLCJraWQiOiJyZmM4MDM3In0",
    "JZpxbr6K66xVy394emkZlCYS21l5ONr64qxHAnijwuRGv1dlRffEE8N-utT7Sy5tNlwCE2SAvIz5_dOYfdL7Dg",
];

fn assertion([header, signature]: [&str; 2]) -> String {
    format!("{header}.{PAYLOAD}.{signature}")
}

/// The buses, called by a system whose key set is this.
pub(crate) async fn with_keys(keys: Value) -> Result<World, OpenError> {
    let world = World::new().await;
    let file = world.folder.path().join("system.jwks.json");
    std::fs::write(&file, json!({"keys": keys}).to_string()).unwrap();
    let settings = ClientSettings { id: SYSTEM.into(), keys: file, scopes: None, dpop: false };
    let app = world.reopen(|config| config.services[0].clients = vec![settings]).await?;
    let config = app.config().clone();
    Ok(World { router: router(app.clone()), app, config, ..world })
}

pub(crate) fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519, "kid": "rfc8037"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_with_an_ed25519_key_asks() {
    let world = with_keys(json!([ed25519()])).await.unwrap();
    let confused = refusal(send_assertion(&world, &assertion(AS_ES256), &[]).await).await;
    assert_eq!(confused, (400, "invalid_client".into()), "the key says the algorithm, not the token");
    let swapped = assertion([AS_EDDSA[0], AS_ES256[1]]);
    assert_eq!(refusal(send_assertion(&world, &swapped, &[]).await).await.0, 400);
    let given = send_assertion(&world, &assertion(AS_EDDSA), &[]).await;
    assert_eq!(given.status(), StatusCode::OK);
    let token = json_of(given).await["access_token"].as_str().unwrap().to_owned();
    assert!(opened(&world, &token).await["id"].is_string());
    let again = refusal(send_assertion(&world, &assertion(AS_EDDSA), &[]).await).await;
    assert_eq!(again, (400, "invalid_client".into()), "and once alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ed25519_signature_under_the_kid_of_another_kind_of_key() {
    let mut p256 = System::new(SYSTEM).jwk();
    p256["kid"] = json!("rfc8037");
    let world = with_keys(json!([p256])).await.unwrap();
    for forged in [assertion(AS_EDDSA), assertion(AS_ES256)] {
        assert_eq!(refusal(send_assertion(&world, &forged, &[]).await).await, (400, "invalid_client".into()));
    }
}

/// Whatever a header says of keys, the registered ones count.
#[tokio::test(flavor = "multi_thread")]
async fn headers_bring_no_keys_along() {
    let (world, system) = with_system().await;
    let thief = System::new(SYSTEM);
    let claims = system.claims(&world);
    let payload = b64u(claims.to_string());
    let signed = |signer: &System, header: Value| {
        let input = format!("{}.{payload}", b64u(header.to_string()));
        let signature = signer.key.sign_now(input.as_bytes()).unwrap();
        format!("{input}.{}", b64u(signature))
    };
    let header = |more: Value| {
        let mut header = json!({"alg": "ES256", "typ": TYP, "kid": system.kid});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        header
    };
    for forged in [
        signed(&thief, header(json!({"jwk": thief.jwk()}))),
        signed(&thief, header(json!({"jku": "https://evil.example/keys"}))),
        signed(&thief, header(json!({"kid": thief.kid, "jwk": thief.jwk()}))),
        signed(&system, header(json!({"crit": ["b64"], "b64": false}))),
        signed(&system, header(json!({"alg": "HS256"}))),
        signed(&system, header(json!({"alg": "none"}))),
        signed(&system, header(json!({"kid": null}))),
        signed(&system, json!({"alg": "ES256", "typ": TYP})),
    ] {
        assert_eq!(refusal(send_assertion(&world, &forged, &[]).await).await, (400, "invalid_client".into()));
    }
    assert_eq!(
        send_assertion(&world, &signed(&system, header(json!({}))), &[]).await.status(),
        StatusCode::OK
    );
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(secret: &[u8], input: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match secret.len() {
        0..=64 => block[..secret.len()].copy_from_slice(secret),
        _ => block[..32].copy_from_slice(&sha256(secret)),
    }
    let padded = |with: u8| block.map(|byte| byte ^ with).to_vec();
    let inner = sha256([padded(0x36), input.to_vec()].concat());
    sha256([padded(0x5c), inner.to_vec()].concat())
}

/// The public key of a system, as whoever serves its key set could write it.
fn spellings(system: &System) -> [Vec<u8>; 4] {
    let jwk = system.key.public().to_value().to_string();
    // SubjectPublicKeyInfo of P-256, up to the point.
    let head = b64_decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE").unwrap();
    let der = [&head[..], &system.key.public().to_sec1().unwrap()[1..]].concat();
    let (first, last) = (b64(&der)[..64].to_owned(), b64(&der)[64..].to_owned());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{last}\n-----END PUBLIC KEY-----\n");
    [jwk.into_bytes(), der, pem.clone().into_bytes(), pem.trim_end().as_bytes().to_vec()]
}

/// RFC 8725, 2.1: a key that everybody may read is nobody's secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_is_no_shared_secret() {
    assert_eq!(
        b64u(hmac(b"Jefe", b"what do ya want for nothing?")),
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM"
    );
    let (world, system) = with_system().await;
    let payload = b64u(system.claims(&world).to_string());
    for secret in spellings(&system) {
        let header = json!({"alg": "HS256", "typ": TYP, "kid": system.kid});
        let input = format!("{}.{payload}", b64u(header.to_string()));
        let forged = format!("{input}.{}", b64u(hmac(&secret, input.as_bytes())));
        assert_eq!(refusal(send_assertion(&world, &forged, &[]).await).await, (400, "invalid_client".into()));
    }
    let honest = system.sign(&system.claims(&world));
    assert_eq!(send_assertion(&world, &honest, &[]).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_by_another_algorithm_counts_for_nothing() {
    assert!(!name_another_algorithm().await);
}

/// Whether an assertion counts whose header names a MAC, though it is signed.
pub(crate) async fn name_another_algorithm() -> bool {
    let (world, system) = with_system().await;
    let header = json!({"alg": "HS256", "typ": TYP, "kid": system.kid});
    let input = format!("{}.{}", b64u(header.to_string()), b64u(system.claims(&world).to_string()));
    let signature = system.key.sign_now(input.as_bytes()).unwrap();
    let sent = send_assertion(&world, &format!("{input}.{}", b64u(signature)), &[]).await;
    sent.status() == StatusCode::OK
}

/// One system cannot speak as another, whatever it signs; and what it forges costs the other nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_speaks_for_itself() {
    let (world, buses) = with_system().await;
    let pool = System::new("https://systems.larkfield.example/pool");
    let (one, other) = (buses.settings(&world, None), pool.settings(&world, None));
    let world = changed(world, |config| {
        config.limits.client_calls_per_minute = 2;
        config.services[0].clients = vec![one];
        config.services[1].clients = vec![other];
    })
    .await;
    let claims = buses.claims(&world);
    for _ in 0..4 {
        for forged in [pool.sign(&claims), pool.sign_as(TYP, &buses.kid, &claims)] {
            let refused = refusal(send_assertion(&world, &forged, &[("client_id", SYSTEM)]).await).await;
            assert_eq!(refused, (400, "invalid_client".into()));
        }
        assert_eq!(refusal(get(&world, "/v1/requests", "guess").await).await.0, 401);
    }
    let given = send_assertion(&world, &buses.sign(&claims), &[]).await;
    assert_eq!(given.status(), StatusCode::OK, "neither the jti nor a call of the other is used up");
}

/// Another replica, whose clock shows `behind` seconds less.
async fn replica(world: &World, behind: i64) -> Arc<App> {
    let clock = Arc::new(ManualClock::at(world.clock.now().minus(behind)));
    App::open(world.config.clone(), clock, Arc::new(OsEntropy::new()), Schema::Expect).await.unwrap()
}

/// Replicas agree on the time as far as the way to the database lets them: what one has forgotten, another that is a
/// little behind must not take again.
pub(crate) async fn use_an_assertion_where_the_clock_is_behind() -> bool {
    let (world, system) = with_system().await;
    let assertion = system.sign(&system.claims(&world));
    assert_eq!(send_assertion(&world, &assertion, &[]).await.status(), StatusCode::OK);
    world.clock.advance(60);
    assert_eq!(refusal(send_assertion(&world, &assertion, &[]).await).await.0, 400, "it is over");
    expiry::sweep(&world.app, world.clock.now()).await.unwrap();
    let app = replica(&world, 1).await;
    let behind = World { router: router(app.clone()), app, ..world };
    send_assertion(&behind, &assertion, &[]).await.status() == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_remembered_for_replicas_that_are_behind() {
    assert!(!use_an_assertion_where_the_clock_is_behind().await);
}

pub(crate) async fn start_with_one_test_key_for_two() -> Result<Arc<App>, OpenError> {
    let shared = b64u(sha256(BUS_KEY));
    reopened(&World::new().await, |config| config.services[1].test_key_hash = Some(shared)).await
}

/// With one key for two services nobody knows whose call it is: the second would read the rows of the first.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_with_one_test_key_do_not_start() {
    let refused = start_with_one_test_key_for_two().await.err();
    assert!(matches!(refused, Some(OpenError::Clients(ClientFault::TestKeyTaken(_)))));
}

/// RFC 7517, 4.2 to 4.4: a key that is published for something else is no key to be known by.
#[tokio::test(flavor = "multi_thread")]
async fn keys_for_something_else_are_not_taken() {
    let spoilt = |name: &str, value: Value| {
        let mut key = ed25519();
        key[name] = value;
        json!([key])
    };
    for keys in [
        spoilt("use", json!("enc")),
        spoilt("alg", json!("ES256")),
        spoilt("alg", json!("ECDH-ES")),
        spoilt("crv", json!("X25519")),
        spoilt("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
        spoilt("kid", json!(7)),
    ] {
        let opened = with_keys(keys.clone()).await;
        assert!(matches!(opened.err(), Some(OpenError::Clients(ClientFault::Keys(_)))), "{keys}");
    }
    for (name, value) in [("use", "sig"), ("alg", "EdDSA")] {
        assert!(with_keys(spoilt(name, json!(value))).await.is_ok(), "{name}");
    }
}
