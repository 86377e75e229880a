//! Attacks on the key binding: answers of somebody else, to something else, or from another time.

use serde_json::{Value, json};
use vouchsafe_protocol::answer::{PROOF_CLAIM, PROOF_HASH_CLAIM};
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode, sha256};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::keys::SigningKey;

use crate::answer::Spoil::{Binding, Credential, Text, Token};
use crate::answer::{Door, Part, Spoil};
use crate::forge::{self, altered, der};
use crate::runner::run;
use crate::world::{BUSES, NOON};

struct KeyBinding;

impl Part for KeyBinding {
    const NAME: &'static str = "key-binding";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] = &[
        // Whether there is one.
        ("missing", "plain", Text(|text, _| without_binding(&text))),
        (
            "missing-with-tilde",
            "plain",
            Text(|text, _| without_binding(&text).trim_end_matches('~').to_owned()),
        ),
        ("not-a-token", "plain", Text(|text, _| without_binding(&text) + "e30")),
        // The header.
        ("typ-jwt", "plain", Binding(|b, _| b.header["typ"] = json!("JWT"))),
        ("typ-of-credential", "plain", Binding(|b, _| b.header["typ"] = json!("dc+sd-jwt"))),
        ("typ-of-key-proof", "plain", Binding(|b, _| b.header["typ"] = json!("openid4vci-proof+jwt"))),
        ("typ-missing", "plain", Binding(|b, _| drop_member(&mut b.header, "typ"))),
        ("alg-none", "plain", Binding(|b, _| b.header["alg"] = json!("none"))),
        ("alg-other-than-key", "plain", Binding(|b, _| b.header["alg"] = json!("EdDSA"))),
        (
            "crit",
            "plain",
            Binding(|b, _| {
                b.header["crit"] = json!(["b64"]);
                b.header["b64"] = json!(true);
            }),
        ),
        (
            "header-member-twice",
            "plain",
            Binding(|b, _| {
                b.write_header = |text| text.replacen('{', r#"{"typ":"JWT","#, 1);
            }),
        ),
        // The audience.
        (
            "aud-of-another",
            "plain",
            Binding(|b, _| b.claims["aud"] = json!(format!("x509_hash:{}", b64u([7; 32])))),
        ),
        ("aud-service", "plain", Binding(|b, _| b.claims["aud"] = json!(BUSES))),
        (
            "aud-response-uri",
            "plain",
            Binding(|b, case| b.claims["aud"] = json!(case.opened.request.response_uri())),
        ),
        (
            "aud-without-prefix",
            "plain",
            Binding(|b, case| {
                b.claims["aud"] = json!(case.opened.client_id().trim_start_matches("x509_hash:"));
            }),
        ),
        (
            "aud-other-prefix",
            "plain",
            Binding(|b, case| {
                b.claims["aud"] = json!(case.opened.client_id().replace("x509_hash:", "x509_san_dns:"));
            }),
        ),
        (
            "aud-trailing-slash",
            "plain",
            Binding(|b, case| b.claims["aud"] = json!(format!("{}/", case.opened.client_id()))),
        ),
        ("aud-empty", "plain", Binding(|b, _| b.claims["aud"] = json!(""))),
        ("aud-list", "plain", Binding(|b, case| b.claims["aud"] = json!([case.opened.client_id()]))),
        (
            "aud-list-of-two",
            "plain",
            Binding(|b, case| b.claims["aud"] = json!([BUSES, case.opened.client_id()])),
        ),
        ("aud-missing", "plain", Binding(|b, _| drop_member(&mut b.claims, "aud"))),
        ("aud-object", "plain", Binding(|b, _| b.claims["aud"] = json!({}))),
        // The nonce.
        ("nonce-of-another", "plain", Binding(|b, case| b.claims["nonce"] = json!(case.other.nonce()))),
        (
            "nonce-longer",
            "plain",
            Binding(|b, case| b.claims["nonce"] = json!(format!("{}A", case.opened.nonce()))),
        ),
        ("nonce-shorter", "plain", Binding(|b, case| b.claims["nonce"] = json!(&case.opened.nonce()[1..]))),
        ("nonce-state", "plain", Binding(|b, case| b.claims["nonce"] = json!(case.opened.request.state()))),
        ("nonce-empty", "plain", Binding(|b, _| b.claims["nonce"] = json!(""))),
        ("nonce-missing", "plain", Binding(|b, _| drop_member(&mut b.claims, "nonce"))),
        ("nonce-number", "plain", Binding(|b, _| b.claims["nonce"] = json!(1))),
        (
            "nonce-twice",
            "plain",
            Binding(|b, _| {
                b.write_claims = |text| text.replacen('{', r#"{"nonce":"0123456789abcdefghijklmn","#, 1);
            }),
        ),
        // The time.
        ("iat-before-request", "plain", Binding(|b, _| b.claims["iat"] = json!(NOON.minus(61).0))),
        ("iat-year-past", "plain", Binding(|b, _| b.claims["iat"] = json!(NOON.minus(365 * DAY).0))),
        ("iat-zero", "plain", Binding(|b, _| b.claims["iat"] = json!(0))),
        ("iat-ahead", "plain", Binding(|b, _| b.claims["iat"] = json!(NOON.plus(61).0))),
        ("iat-year-ahead", "plain", Binding(|b, _| b.claims["iat"] = json!(NOON.plus(365 * DAY).0))),
        ("iat-text", "plain", Binding(|b, _| b.claims["iat"] = json!(NOON.0.to_string()))),
        ("iat-fraction", "plain", Binding(|b, _| b.claims["iat"] = json!(1_795_262_400.5))),
        ("iat-negative", "plain", Binding(|b, _| b.claims["iat"] = json!(-1))),
        ("iat-missing", "plain", Binding(|b, _| drop_member(&mut b.claims, "iat"))),
        // What it covers.
        ("hash-of-nothing", "plain", Binding(|b, _| b.claims["sd_hash"] = json!(b64u(sha256(""))))),
        ("hash-flipped", "plain", Binding(|b, _| b.claims["sd_hash"] = json!(flipped(&b.claims["sd_hash"])))),
        ("hash-padded", "plain", Binding(|b, _| b.claims["sd_hash"] = json!(padded(&b.claims["sd_hash"])))),
        ("hash-empty", "plain", Binding(|b, _| b.claims["sd_hash"] = json!(""))),
        ("hash-missing", "plain", Binding(|b, _| drop_member(&mut b.claims, "sd_hash"))),
        (
            "disclosures-reordered",
            "plain",
            Text(|text, _| {
                let parts: Vec<_> = text.split('~').collect();
                [parts[0], parts[2], parts[1], parts[3]].join("~")
            }),
        ),
        (
            "disclosure-removed",
            "plain",
            Text(|text, _| {
                let parts: Vec<_> = text.split('~').collect();
                [parts[0], parts[1], parts[3]].join("~")
            }),
        ),
        // The signature and the holder's key.
        ("signed-by-another", "plain", Binding(|b, _| b.key = SigningKey::generate().unwrap())),
        (
            "signed-by-embedded-key",
            "plain",
            Binding(|b, _| {
                b.key = SigningKey::generate().unwrap();
                b.header["jwk"] = forge::public(&b.key);
            }),
        ),
        ("signed-by-issuer", "plain", Token(|t| t.holder = t.issuer.clone())),
        (
            "signature-flipped",
            "plain",
            Text(|text, _| {
                in_binding(&text, 2, |mut s| {
                    s[3] ^= 4;
                    s
                })
            }),
        ),
        ("signature-empty", "plain", Text(|text, _| in_binding(&text, 2, |_| Vec::new()))),
        ("signature-der", "plain", Text(|text, _| in_binding(&text, 2, |s| der(&s)))),
        (
            "signature-longer",
            "plain",
            Text(|text, _| {
                in_binding(&text, 2, |mut s| {
                    s.push(0);
                    s
                })
            }),
        ),
        (
            "claims-after-signing",
            "plain",
            Text(|text, _| {
                in_binding(&text, 1, |mut claims| {
                    claims.push(b' ');
                    claims
                })
            }),
        ),
        ("cnf-of-another", "plain", Credential(|c, _| c.holder = SigningKey::generate().unwrap())),
        ("cnf-missing", "plain", Credential(|c, _| drop_member(&mut c.payload, "cnf"))),
        ("cnf-kid-only", "plain", Credential(|c, _| c.payload["cnf"] = json!({"kid": "1"}))),
        ("cnf-private", "plain", Credential(|c, _| c.payload["cnf"]["jwk"]["d"] = json!(b64u([1; 32])))),
        (
            "cnf-symmetric",
            "plain",
            Credential(|c, _| c.payload["cnf"]["jwk"] = json!({"kty": "oct", "k": b64u([1; 32])})),
        ),
        ("cnf-other-curve", "plain", Credential(|c, _| c.payload["cnf"]["jwk"]["crv"] = json!("P-384"))),
        (
            "cnf-off-curve",
            "plain",
            Credential(|c, _| {
                let x = c.payload["cnf"]["jwk"]["x"].clone();
                c.payload["cnf"]["jwk"]["y"] = x;
            }),
        ),
        // Of another presentation.
        (
            "of-another-copy",
            "plain",
            Binding(|b, _| {
                b.key = SigningKey::generate().unwrap();
                b.claims["sd_hash"] = json!(b64u([9; 32]));
            }),
        ),
        // What nobody asked for.
        (
            "transaction-data",
            "plain",
            Binding(|b, _| b.claims["transaction_data_hashes"] = json!([b64u([1; 32])])),
        ),
        ("proof-unasked", "plain", Binding(|b, _| b.claims[PROOF_CLAIM] = json!(b64u([1; 550])))),
        ("proof-hash-unasked", "plain", Binding(|b, _| b.claims[PROOF_HASH_CLAIM] = json!(b64u([1; 32])))),
    ];
}

fn drop_member(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

fn without_binding(text: &str) -> String {
    text.rsplit_once('~').unwrap().0.to_owned() + "~"
}

/// Changes a part of the key binding without signing it again.
fn in_binding(text: &str, part: usize, change: fn(Vec<u8>) -> Vec<u8>) -> String {
    let (covered, binding) = text.rsplit_once('~').unwrap();
    format!("{covered}~{}", altered(binding, part, change))
}

fn hash(claim: &Value) -> Vec<u8> {
    b64u_decode(claim.as_str().unwrap()).unwrap()
}

fn flipped(claim: &Value) -> String {
    let mut hash = hash(claim);
    hash[0] ^= 1;
    b64u(hash)
}

fn padded(claim: &Value) -> String {
    b64(hash(claim))
}

#[tokio::test(flavor = "multi_thread")]
async fn key_binding() {
    run::<Door<KeyBinding>>().await;
}
