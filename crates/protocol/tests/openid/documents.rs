//! The registrar's documents, and decisions.

use serde_json::{Value, json};
use vouchsafe_protocol::decision::{Claims, DecisionError, Expected, TYP, leaf, reference_hash};
use vouchsafe_protocol::encoding::{b64, b64u, sha256};
use vouchsafe_protocol::jose::jws::{Compact, NewHeader};
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{
    Judge, Purpose, Register, ServiceEntry, Table, TrustError, TrustFile, unsigned,
};

use crate::district::{District, NOW, PENSION, SERVICE, pension, sign, spoiled, wards, with_head};
use crate::provider::Ring;

#[test]
pub(crate) fn an_entry_is_read_as_it_was_signed() {
    let district = District::new();
    let entry: ServiceEntry = serde_json::from_value(with_head(district.service_entry())).unwrap();
    let unsigned = unsigned(&entry, Alg::Es256, "r1");
    let signature = district.registrar.sign_now(unsigned.signing_input());
    let jws = unsigned.finish(&signature);
    let extract = district.judge().verify::<ServiceEntry>(&jws).unwrap();
    assert_eq!(extract.document(), &entry);
    assert_eq!(extract.jws(), jws);
    assert_eq!(extract.payload_sha256(), &sha256(Compact::parse(&jws, 9999).unwrap().dangerous_payload()));
}

#[test]
pub(crate) fn entries_that_are_refused() {
    let district = District::new();
    let entry = with_head(district.service_entry());
    let typ = "vouchsafe-service+jwt";
    let verify = |jws: &str| district.judge().verify::<ServiceEntry>(jws).err();
    let with = |member: &str, value: Value| verify(&district.sign(typ, &spoiled(&entry, member, value)));
    assert_eq!(verify(&district.sign(typ, &entry)), None);
    assert_eq!(verify("a.b"), Some(TrustError::Malformed));
    assert_eq!(verify(&district.sign("vouchsafe-issuer+jwt", &entry)), Some(TrustError::Kind));
    let header = |kid: &str| NewHeader::new(Alg::Es256, typ).kid(kid);
    assert_eq!(verify(&sign(&district.registrar, &header("r2"), &entry)), Some(TrustError::UnknownKey));
    assert_eq!(verify(&sign(&district.issuer, &header("r1"), &entry)), Some(TrustError::Signature));
    let more = header("r1").jwk(district.registrar.public());
    assert_eq!(verify(&sign(&district.registrar, &more, &entry)), Some(TrustError::Malformed));
    assert_eq!(with("/note", json!(1)), Some(TrustError::Members));
    assert_eq!(with("/purposes", json!(null)), Some(TrustError::Members));
    assert_eq!(with("/name", json!({"en": "Buses", "cy": " "})), Some(TrustError::Members));
    assert_eq!(with("/iss", json!("https://other.example")), Some(TrustError::Issuer));
    assert_eq!(with("/exp", json!(NOW.0 - 60 + 604_801)), Some(TrustError::Validity));
    assert_eq!(with("/exp", json!(NOW.0 - 60 + 604_800)), None);
    assert_eq!(with("/iat", json!(NOW.0 + 61)), Some(TrustError::NotYet));
    let past = spoiled(&spoiled(&entry, "/iat", json!(NOW.0 - 600)), "/exp", json!(NOW.0 - 60));
    assert_eq!(verify(&district.sign(typ, &past)), Some(TrustError::Expired));
    let later = Judge { last_seen: 8, ..district.judge() };
    assert_eq!(later.verify::<ServiceEntry>(&district.sign(typ, &entry)).err(), Some(TrustError::RolledBack));
}

#[test]
pub(crate) fn registers_that_are_refused() {
    let district = District::new();
    let service = district.document("service", district.service_entry());
    let load = |entries: &[&String]| {
        Register::load(&district.document("register", json!({"entries": entries})), &district.judge()).err()
    };
    assert_eq!(load(&[&service]), None);
    assert_eq!(load(&[&service, &service]), Some(TrustError::Contradiction));
    let table = district.document("table", wards());
    assert_eq!(load(&[&table, &table]), Some(TrustError::Contradiction));
    let older = district.document("service", spoiled(&district.service_entry(), "/reg_version", json!(6)));
    assert_eq!(load(&[&older]), Some(TrustError::Contradiction));
    assert_eq!(load(&[&district.document("other", json!({}))]), Some(TrustError::Kind));
    assert_eq!(load(&[&String::from("x")]), Some(TrustError::Malformed));
    let register = district.register();
    assert_eq!(register.reg_version(), 7);
    assert!(register.service(SERVICE).is_some() && register.tables().table(PENSION, 1).is_some());
    assert_eq!(register.tables().table(PENSION, 2).map(|table| table.version()), None);
}

#[test]
pub(crate) fn tables_that_do_not_load() {
    let district = District::new();
    let load = |table: Value| district.judge().verify::<Table>(&district.document("table", table)).err();
    assert_eq!(load(pension()), None);
    let refused = Some(TrustError::Members);
    assert_eq!(load(spoiled(&pension(), "/rows/0/to", json!("1960-04-04"))), refused);
    assert_eq!(load(spoiled(&pension(), "/rows/1/years", json!(65))), refused);
    assert_eq!(load(spoiled(&pension(), "/rows/1/overflow", json!("none"))), refused);
    assert_eq!(load(spoiled(&pension(), "/rows/1/note", json!(1))), refused);
    assert_eq!(load(spoiled(&pension(), "/rows/1", wards()["rows"][0].clone())), refused);
    assert_eq!(load(spoiled(&pension(), "/rows", json!([]))), refused);
    assert_eq!(load(spoiled(&wards(), "/rows/1/index", json!(102))), refused);
    assert_eq!(load(spoiled(&wards(), "/rows/1/code", json!("W100"))), refused);
}

#[test]
pub(crate) fn trust_files() {
    let district = District::new();
    let jwk = spoiled(&district.registrar.public().to_value(), "/kid", json!("r1"));
    let file = json!({"iss": "https://registrar.example", "jwks": {"keys": [jwk]}, "anchors": [b64(district.anchor.der())]});
    let parse = |file: &Value| TrustFile::parse(file.to_string().as_bytes());
    let read = parse(&file).unwrap();
    assert_eq!(read.to_value(), file);
    assert_eq!(read.anchors, std::slice::from_ref(&district.anchor));
    for (member, value) in [
        ("/note", json!(1)),
        ("/iss", json!("")),
        ("/anchors/0", json!("AA")),
        ("/jwks/keys", json!([])),
        ("/jwks/keys/0/kid", json!(null)),
        ("/jwks/keys/0/d", json!("AA")),
    ] {
        assert_eq!(parse(&spoiled(&file, member, value)).err(), Some(TrustError::File), "{member}");
    }
}

#[test]
pub(crate) fn purposes_have_words_in_both_languages() {
    let district = District::new();
    let verify =
        |entry: Value| district.judge().verify::<Purpose>(&district.document("purpose", entry)).err();
    assert_eq!(verify(district.purpose_entry()), None);
    for member in ["/text/cy", "/other_route/en", "/recipients/0/cy"] {
        assert_eq!(
            verify(spoiled(&district.purpose_entry(), member, json!(""))),
            Some(TrustError::Members),
            "{member}"
        );
    }
    assert_eq!(
        verify(spoiled(&district.purpose_entry(), "/basis", json!("because"))),
        Some(TrustError::Members)
    );
}

fn decision() -> Value {
    json!({"iss": "https://verifier.example", "aud": SERVICE, "jti": b64u([1; 16]), "iat": NOW.0, "exp": NOW.0 + 600,
        "request_id": "req_1", "env": "test", "outcome": "not_met", "reasons": ["contrary_proved"],
        "policy": {"id": "bus-pass", "version": 1, "digest": b64u([2; 32])}, "purpose": "p", "as_of": "2026-11-21",
        "evidence": "proved", "subject_binding": "same_device", "ref": reference_hash(&[3; 16], "file-7")})
}

#[test]
pub(crate) fn a_decision_is_for_one_service_one_request_and_a_short_time() {
    let district = District::new();
    let claims: Claims = serde_json::from_value(decision()).unwrap();
    assert_eq!(serde_json::to_value(&claims).unwrap(), decision());
    let unsigned = claims.unsigned(Alg::Es256, "d1");
    let input = unsigned.signing_input().to_vec();
    let token = unsigned.finish(&district.service.sign_now(&input));
    let expected = Expected {
        iss: "https://verifier.example",
        aud: SERVICE,
        request_id: "req_1",
        env: Env::Test,
        now: NOW,
    };
    let verify =
        |expected: Expected<'_>| Claims::verify(&token, district.service.public(), &expected, &Ring).err();
    assert_eq!(verify(expected), None);
    assert_eq!(verify(Expected { aud: "other", ..expected }), Some(DecisionError::Audience));
    assert_eq!(verify(Expected { iss: "other", ..expected }), Some(DecisionError::Issuer));
    assert_eq!(verify(Expected { request_id: "req_2", ..expected }), Some(DecisionError::Request));
    assert_eq!(verify(Expected { env: Env::Live, ..expected }), Some(DecisionError::Env));
    for now in [NOW.minus(61), NOW.plus(660)] {
        assert_eq!(verify(Expected { now, ..expected }), Some(DecisionError::Time));
    }
    assert_eq!(
        Claims::verify(&token, district.issuer.public(), &expected, &Ring).err(),
        Some(DecisionError::Signature)
    );
    let other = sign(
        &district.service,
        &NewHeader::new(Alg::Es256, TYP).kid("d1"),
        &spoiled(&decision(), "/note", json!(1)),
    );
    assert_eq!(
        Claims::verify(&other, district.service.public(), &expected, &Ring).err(),
        Some(DecisionError::Malformed)
    );
    assert_ne!(leaf(TYP, &input), leaf("other", &input));
    assert_ne!(reference_hash(&[3; 16], "file-7"), reference_hash(&[4; 16], "file-7"));
    assert_eq!(serde_json::from_value::<UnixTime>(json!(NOW.0)).unwrap(), NOW);
}
