//! The strings printed in RFC 9901 and the examples of its repository, in compact form.

use serde_json::{Map, Value, json};
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::jose::jws::{Compact, MAX_TOKEN};
use vouchsafe_protocol::json;
use vouchsafe_protocol::sd_jwt::key_binding::Expected;
use vouchsafe_protocol::sd_jwt::{Held, IssuerSigned, Unverified};
use vouchsafe_protocol::time::UnixTime;

use crate::provider::Ring;
use crate::{vector, vectors};

const PLAIN: &str = "example+sd-jwt";
const VC: &str = "dc+sd-jwt";

fn issuer() -> PublicJwk {
    PublicJwk::from_value(&json!({"kty": "EC", "crv": "P-256",
        "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
        "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}))
    .unwrap()
}

fn issued(text: &str, typ: &str) -> IssuerSigned {
    Unverified::parse(text).unwrap().verify_issued(typ, &issuer(), &Ring).unwrap()
}

fn bound(text: &str, typ: &str) -> IssuerSigned {
    let made_at = key_binding_claims(text)["iat"].as_i64().unwrap();
    let expected = Expected {
        aud: "https://verifier.example.org",
        nonce: "1234567890",
        now: UnixTime(made_at),
        max_age: 0,
    };
    let bound = Unverified::parse(text).unwrap().check_binding(&expected).unwrap();
    bound.verify(typ, &issuer(), &Ring).unwrap()
}

fn key_binding_claims(text: &str) -> Map<String, Value> {
    let token = Compact::parse(text.rsplit('~').next().unwrap(), MAX_TOKEN).unwrap();
    json::object(token.dangerous_payload(), MAX_TOKEN).unwrap()
}

fn read(name: &str) -> Map<String, Value> {
    json::object(vector(name).as_bytes(), 1 << 16).unwrap()
}

fn rendered(number: u8) -> String {
    vector(&format!("sd-jwt-rfc9901/rendered/{number:02}.txt"))
}

/// Presented text, with or without key binding, becomes exactly the contents that the generator verified.
fn check_example(folder: &str, typ: &str) {
    let file = |name: &str| format!("{folder}/{name}");
    let presentation = vector(&file("sd_jwt_presentation.txt")).replace('\n', "");
    let signed =
        if presentation.ends_with('~') { issued(&presentation, typ) } else { bound(&presentation, typ) };
    let disclosed = signed.disclose().unwrap();
    assert_eq!(disclosed.claims(), &read(&file("verified_contents.json")), "{folder}");

    let issuance = vector(&file("sd_jwt_issuance.txt")).replace('\n', "");
    let all = issued(&issuance, typ).disclose().unwrap();
    for (name, value) in read(&file("user_claims.json")) {
        assert_eq!(all.claims().get(&name), Some(&value), "{folder}: {name}");
    }
}

#[test]
fn every_example_of_the_repository() {
    let folder = vectors().join("sd-jwt-rfc9901/examples");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 10);
    for name in names {
        let name = name.to_str().unwrap();
        let typ = if name == "arf-pid" { VC } else { PLAIN };
        check_example(&format!("sd-jwt-rfc9901/examples/{name}"), typ);
    }
}

#[test]
fn the_example_of_openid4vp() {
    check_example("openid4vp-1.0/examples/sd_jwt_vcld/01", VC);
}

#[test]
fn the_issuer_signed_token() {
    let token = Compact::parse(&rendered(1), MAX_TOKEN).unwrap();
    let payload = token.verify(PLAIN, &issuer(), &Ring).unwrap();
    assert_eq!(payload.claims().unwrap()["sub"], "user_42");
}

#[test]
fn the_simple_example_issued_and_presented() {
    let all = issued(&rendered(2), PLAIN).disclose().unwrap();
    assert_eq!(all.paths().len(), 10);
    assert_eq!(all.claims()["nationalities"], json!(["US", "DE"]));
    let shown = bound(&rendered(3), PLAIN).disclose().unwrap();
    assert_eq!(shown.claims(), &read("sd-jwt-rfc9901/examples/simple/verified_contents.json"));
    assert_eq!(shown.always_visible("sub"), Some(&json!("user_42")));
    assert_eq!(shown.always_visible("given_name"), None);
    assert_eq!(shown.always_visible("nationalities"), None);
}

#[test]
fn the_structured_examples_presented_without_key_binding() {
    for (number, folder) in [(7, "simple_structured"), (8, "complex_ekyc")] {
        let shown = issued(&rendered(number), PLAIN).disclose().unwrap();
        let contents = read(&format!("sd-jwt-rfc9901/examples/{folder}/verified_contents.json"));
        assert_eq!(shown.claims(), &contents, "{folder}");
    }
}

#[test]
fn the_credential_examples() {
    for (number, folder, typ) in [(9, "arf-pid", VC), (11, "w3c-vc", PLAIN)] {
        let all = issued(&rendered(number), typ).disclose().unwrap();
        assert!(all.claims().contains_key("cnf"), "{folder}");
        let shown = bound(&rendered(number + 1), typ).disclose().unwrap();
        assert!(shown.paths().len() < all.paths().len(), "{folder}");
        for name in shown.claims().keys() {
            assert!(all.claims().contains_key(name), "{folder}: {name}");
        }
    }
    let shown = bound(&rendered(10), VC).disclose().unwrap();
    assert_eq!(shown.claims(), &read("sd-jwt-rfc9901/examples/arf-pid/verified_contents.json"));
}

/// The holder of the RFC's credential shows the same claims: the text before the key binding is the RFC's.
#[test]
fn a_holder_shows_what_the_rfc_shows() {
    let held = Held::dangerous_from_store(&rendered(2)).unwrap();
    let presented = rendered(3);
    let wanted = bound(&presented, PLAIN).disclose().unwrap();
    let binding = vouchsafe_protocol::sd_jwt::key_binding::Binding {
        aud: "https://verifier.example.org",
        nonce: "1234567890",
        issued_at: UnixTime(1_748_536_865),
        extra: Map::new(),
    };
    let made = held.present(wanted.paths(), binding).unwrap().finish(&[0; 64]);
    let parts =
        |text: &str| text.rsplit_once('~').unwrap().0.split('~').map(str::to_owned).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (parts(&made), parts(&presented));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}
