//! Each check of the core, switched off: the attack that it alone stops then succeeds.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "vectors/lists.rs"]
mod lists;
#[path = "vectors/provider.rs"]
mod provider;
#[path = "mutants/status.rs"]
mod status;
#[path = "vectors/world.rs"]
mod world;

use std::sync::Arc;

use rand_chacha::rand_core::SeedableRng as _;
use rcgen::{KeyPair, date_time_ymd};
use serde_json::{Value, json};
use vouchsafe_mutants::without;
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::jwe::{Encrypted, MAX_JWE, Recipient, encrypt};
use vouchsafe_protocol::jose::jws::{Compact, NewHeader};
use vouchsafe_protocol::jose::x5c::{validate, validate_or_cached};
use vouchsafe_protocol::jose::{Alg, Enc, KeyAgreement as _, PublicJwk, Signer as _};
use vouchsafe_protocol::json;
use vouchsafe_protocol::sd_jwt::Unverified;
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};

use provider::{Agreement, Key, Ring};
use world::{AUD, EXPECTED, NONCE, NOW, RULES, World, authority, leaf, path};

/// The attack fails as things are, and succeeds once its check is gone.
fn killed(name: &str, attack: impl Fn() -> bool) {
    assert!(!attack(), "{name}: the attack succeeds with every check in place");
    assert!(without(name, &attack), "{name}: the attack fails without the check, so another one stops it");
}

fn accepts(world: &World, text: &str) -> bool {
    let Ok(parts) = Unverified::parse(text) else { return false };
    let Ok(bound) = parts.check_binding(&EXPECTED) else { return false };
    let Ok(signed) = bound.check_signatures(world.leaf(), &Ring) else { return false };
    signed.accept(&RULES).is_ok()
}

fn binding_claims(covered: &str) -> Value {
    json!({"iat": NOW.0, "aud": AUD, "nonce": NONCE, "sd_hash": b64u(sha256(covered))})
}

fn disclosure(parts: &Value) -> (String, String) {
    let text = b64u(parts.to_string());
    let digest = b64u(sha256(&text));
    (text, digest)
}

/// A payload changed, some Disclosures, and a good key binding over both.
fn presented(world: &World, change: impl FnOnce(&mut Value), disclosures: &[&str]) -> String {
    let mut payload = Value::Object(world.claims());
    change(&mut payload);
    let covered = world.signed(&payload, disclosures);
    world.bind(&covered, "kb+jwt", &binding_claims(&covered))
}

/// A token of the issuer under any header.
fn under(world: &World, header: &Value, key: &Key) -> String {
    let input = format!("{}.{}", b64u(header.to_string()), b64u(Value::Object(world.claims()).to_string()));
    let covered = format!("{input}.{}~", b64u(key.sign_now(input.as_bytes())));
    world.bind(&covered, "kb+jwt", &binding_claims(&covered))
}

fn header(world: &World) -> Value {
    let x5c: Vec<_> = world.x5c.iter().map(vouchsafe_protocol::encoding::b64).collect();
    json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": x5c})
}

#[test]
fn claims_of_the_credential() {
    let world = World::new();
    let killed_by = |name: &str, change: fn(&mut Value)| {
        let text = presented(&world, change, &[]);
        killed(name, || accepts(&world, &text));
    };
    killed_by("sd-exp", |c| c["exp"] = json!(NOW.0 - 60));
    killed_by("sd-exp-required", |c| drop(c.as_object_mut().unwrap().remove("exp")));
    killed_by("sd-nbf", |c| c["nbf"] = json!(NOW.0 + 61));
    killed_by("sd-iat", |c| c["iat"] = json!(NOW.0 + 61));
    killed_by("sd-time-type", |c| c["nbf"] = json!("4000000000"));
    killed_by("sd-iss-leaf", |c| c["iss"] = json!("https://other.example"));
    killed_by("sd-aud", |c| c["aud"] = json!("https://other.example"));
    killed_by("sd-status", |c| c["status"] = json!({"status_list": {"idx": 1, "uri": "https://s.example"}}));
    killed_by("sd-alg", |c| c["_sd_alg"] = json!("sha-512"));
    killed_by("sd-alg-nested", |c| c["address"]["_sd_alg"] = json!("sha-256"));
    killed_by("sd-reserved-name", |c| c["address"]["..."] = json!("x"));
    killed_by("sd-placeholder", |c| c["children"][0] = json!({"...": "x", "more": 1}));
    killed_by("sd-digest-repeated", |c| c["_sd"] = json!(["x", "x"]));
}

#[test]
fn status_of_the_credential() {
    let world = World::new();
    let rules = Rules { status: Status::Required, ..RULES };
    let accepts = |text: &str| {
        let bound = Unverified::parse(text).unwrap().check_binding(&EXPECTED).unwrap();
        bound.check_signatures(world.leaf(), &Ring).unwrap().accept(&rules).is_ok()
    };
    let good = json!({"status_list": {"idx": 1, "uri": "https://issuer.larkfield.example/status/a"}});
    assert!(accepts(&presented(&world, |c| c["status"] = good, &[])));
    let without = presented(&world, |_| (), &[]);
    killed("sd-status-required", || accepts(&without));
    let negative = json!({"status_list": {"idx": -1, "uri": "https://issuer.larkfield.example/status/a"}});
    let negative = presented(&world, |c| c["status"] = negative, &[]);
    killed("sd-status-form", || accepts(&negative));
}

#[test]
fn disclosures() {
    let world = World::new();
    let (text, digest) = disclosure(&json!(["salt", "town", 1]));
    let hold = |change: &dyn Fn(&mut Value), disclosures: &[&str]| presented(&world, change, disclosures);
    let attacks = [
        ("sd-disclosure-unused", hold(&|_| (), &[&text])),
        ("sd-disclosure-repeated", hold(&|c| c["_sd"] = json!([digest]), &[&text, &text])),
    ];
    for (name, text) in attacks {
        killed(name, || accepts(&world, &text));
    }
    let one = |name: &str, parts: Value| {
        let (text, digest) = disclosure(&parts);
        let text = presented(&world, |c| c["_sd"] = json!([digest]), &[&text]);
        killed(name, || accepts(&world, &text));
    };
    one("sd-never-disclosed", json!(["salt", "nbf", 1]));
    one("sd-reserved-name", json!(["salt", "...", 1]));
    one("sd-name-clash", json!(["salt", "ward", "E05000002"]));
    one("sd-arity", json!(["salt", "E05000002"]));
    let (member, digest) = disclosure(&json!(["salt", "town", 1]));
    let text = presented(&world, |c| c["children"][1] = json!({"...": digest}), &[&member]);
    killed("sd-arity", || accepts(&world, &text));
}

#[test]
fn sizes_of_the_presentation() {
    let world = World::new();
    let mut depth = json!(1);
    for _ in 0..20 {
        depth = json!([depth]);
    }
    let (inner, digest) = disclosure(&json!(["salt", "b", depth]));
    let mut outer = json!({"_sd": [digest]});
    for _ in 0..20 {
        outer = json!({"a": outer});
    }
    let text = presented(&world, |c| c["deep"] = outer, &[&inner]);
    killed("sd-depth", || accepts(&world, &text));

    let made: Vec<_> = (0..257).map(|n| disclosure(&json!(["salt", format!("n{n}"), 1]))).collect();
    let digests: Vec<_> = made.iter().map(|(_, digest)| digest).collect();
    let texts: Vec<_> = made.iter().map(|(text, _)| text.as_str()).collect();
    let text = presented(&world, |c| c["_sd"] = json!(digests), &texts);
    killed("sd-disclosure-count", || accepts(&world, &text));

    let (long, digest) = disclosure(&json!(["salt", "long", "x".repeat(50_000)]));
    let text = presented(&world, |c| c["_sd"] = json!([digest]), &[&long]);
    killed("sd-size", || accepts(&world, &text));
}

#[test]
fn signatures_of_the_presentation() {
    let world = World::new();
    let other = Key::p256();
    let with = |name: &str, value: Value| {
        let mut header = header(&world);
        header[name] = value;
        header
    };
    let attacks = [
        ("sd-signature", under(&world, &header(&world), &other)),
        ("sd-typ", under(&world, &with("typ", json!("vc+sd-jwt")), &world.issuer)),
        ("jose-alg-key", under(&world, &with("alg", json!("EdDSA")), &world.issuer)),
        ("jose-crit", under(&world, &with("crit", json!(["x"])), &world.issuer)),
        ("sd-x5c-leaf", under(&world, &with("x5c", json!(["AA=="])), &world.issuer)),
    ];
    for (name, text) in attacks {
        killed(name, || accepts(&world, &text));
    }
    let bound = world.present(&[path(&["ward"])]);
    let received = || Unverified::parse(&bound).unwrap().receive(&world.leaf(), &RULES, &Ring).is_ok();
    killed("sd-issued-with-kb", received);
}

#[test]
fn the_key_binding() {
    let world = World::new();
    let covered = world.signed(&Value::Object(world.claims()), &[]);
    killed("kb-present", || accepts(&world, &covered));
    let typ = world.bind(&covered, "jwt", &binding_claims(&covered));
    killed("kb-typ", || accepts(&world, &typ));
    let thief = World::new().bind(&covered, "kb+jwt", &binding_claims(&covered));
    killed("kb-signature", || accepts(&world, &thief));
    let killed_by = |name: &str, claim: &str, value: Value| {
        let mut claims = binding_claims(&covered);
        claims[claim] = value;
        let text = world.bind(&covered, "kb+jwt", &claims);
        killed(name, || accepts(&world, &text));
    };
    killed_by("kb-aud", "aud", json!("x509_hash:other"));
    killed_by("kb-aud-array", "aud", json!([AUD]));
    killed_by("kb-nonce", "nonce", json!("other"));
    killed_by("kb-iat-old", "iat", json!(NOW.0 - 301));
    killed_by("kb-iat-future", "iat", json!(NOW.0 + 61));
    killed_by("kb-sd-hash", "sd_hash", json!("AA"));
}

#[test]
fn an_authority_that_may_not_certify() {
    let world = World::new();
    let (key, mut params) = (KeyPair::generate().unwrap(), authority("Larkfield issuing"));
    params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    let between = params.signed_by(&key, &world.authority).unwrap().der().to_vec();
    let issuing = rcgen::Issuer::new(params, key);
    let end = leaf("https://other.example").signed_by(&KeyPair::generate().unwrap(), &issuing).unwrap();
    let anchors = std::slice::from_ref(&world.anchor);
    let path = [end.der().to_vec(), between];
    killed("jose-x5c-authority-usage", || validate(&path, anchors, NOW, &Ring).is_ok());
}

#[test]
fn certificate_paths() {
    let world = World::new();
    let anchors = std::slice::from_ref(&world.anchor);
    let sign = |params: rcgen::CertificateParams| {
        params.signed_by(&KeyPair::generate().unwrap(), &world.authority).unwrap().der().to_vec()
    };
    let killed_by = |name: &str, x5c: &[Vec<u8>]| killed(name, || validate(x5c, anchors, NOW, &Ring).is_ok());
    let uri = "https://other.example";
    let mut params = leaf(uri);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    killed_by("jose-x5c-key-usage", &[sign(params)]);
    let mut params = leaf(uri);
    params.not_after = date_time_ymd(2026, 11, 1);
    killed_by("jose-x5c-validity", &[sign(params)]);
    let mut params = leaf(uri);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Larkfield authority");
    killed_by("jose-x5c-self-signed", &[sign(params)]);
    killed_by("jose-x5c-anchor-inside", &[sign(leaf(uri)), world.anchor.der().to_vec()]);
    let others = vec![sign(authority("Larkfield issuing")); 4];
    killed_by("jose-x5c-length", &[&[sign(leaf(uri))], &others[..]].concat());
    killed_by("jose-x5c-path", &World::new().x5c);
    let cached = world.leaf();
    let again =
        |anchors, now| validate_or_cached(&world.x5c, Some(Arc::clone(&cached)), anchors, now, &Ring).is_ok();
    killed("jose-x5c-cache-anchor", || again(&[], NOW));
    killed("jose-x5c-cache-time", || again(anchors, cached.valid_until().plus(1)));
}

#[test]
fn tokens_keys_and_texts() {
    let key = Key::p256();
    let unsigned = |typ: &str| {
        vouchsafe_protocol::jose::jws::Unsigned::new(&NewHeader::new(Alg::Es256, typ).encode(), &json!({}))
            .unwrap()
    };
    let token = |typ: &str, by: &Key| {
        let unsigned = unsigned(typ);
        let signature = by.sign_now(unsigned.signing_input());
        unsigned.finish(&signature)
    };
    let verify = |text: &str| {
        Compact::parse(text, 4096).is_ok_and(|it| it.verify("a+jwt", key.public(), &Ring).is_ok())
    };
    let (other_typ, other_key) = (token("b+jwt", &key), token("a+jwt", &Key::ed25519()));
    killed("jose-typ", || verify(&other_typ));
    killed("jose-signature", || verify(&other_key));
    killed("jose-size", || Compact::parse(&other_typ, 10).is_ok());
    killed("jose-json-repeated", || json::parse(br#"{"a":1,"a":2}"#, 99).is_ok());
    killed("jose-json-depth", || json::parse("[".repeat(33).as_bytes(), 99).is_ok() || deep());
    killed("jose-json-size", || json::parse(b"[1]", 2).is_ok());
    let mut private = key.public().to_value();
    private["d"] = json!("AA");
    killed("jose-jwk-private", || PublicJwk::from_value(&private).is_ok());
    let mut off = key.public().to_value();
    off["y"] = off["x"].clone();
    killed("jose-jwk-curve", || PublicJwk::from_value(&off).is_ok());
}

fn deep() -> bool {
    json::parse(format!("{}{}", "[".repeat(33), "]".repeat(33)).as_bytes(), 99).is_ok()
}

#[test]
fn encrypted_messages() {
    let key = Agreement::new(&[5; 32]);
    let recipient = Recipient::new(key.public(), None, Enc::A128Gcm);
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let text = encrypt(b"{}", &recipient, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng).unwrap();
    let (first, rest) = text.split_once('.').unwrap();
    let with = |name: &str, value: Value| {
        let mut header: Value = serde_json::from_slice(&b64u_decode(first).unwrap()).unwrap();
        header[name] = value;
        format!("{}.{rest}", b64u(header.to_string()))
    };
    let killed_by = |name: &str, text: &str| killed(name, || Encrypted::parse(text).is_ok());
    killed_by("jose-jwe-zip", &with("zip", json!("DEF")));
    killed_by("jose-jwe-crit", &with("crit", json!(["x"])));
    killed_by("jose-jwe-alg", &with("alg", json!("ECDH-ES+A128KW")));
    killed_by("jose-jwe-wrapped", &text.replacen("..", ".AA.", 1));
    let (start, tag) = text.rsplit_once('.').unwrap();
    let start = start.rsplit_once('.').unwrap().0;
    killed_by("jose-jwe-size", &format!("{start}.{}.{tag}", "A".repeat(MAX_JWE)));
    let decrypts = || Encrypted::parse(&text).unwrap().decrypt(&[Enc::A256Gcm], &key, &Ring).is_ok();
    killed("jose-jwe-enc", decrypts);
}
