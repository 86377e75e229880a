//! Token Status List: the published vectors, and tokens through the public API.

use serde_json::{Value, json};
use vouchsafe_protocol::jose::jws::{Compact, JwsError};
use vouchsafe_protocol::status::{
    Bits, List, ListError, MAX_INFLATED, OutOfRange, Publication, Received, Reference, Standing, TokenError,
};

use crate::lists::{
    STATUS_SIGNING, URI, by_another, check, check_cwt, check_jwt, claims, cwt_claims, header, list, text,
};
use crate::world::{ISS, NOW, World};

fn vector(name: &str) -> String {
    crate::vector(&format!("token-status-list/{name}"))
}

/// The short vectors say what they encode before they do.
fn bytes(text: &str) -> Vec<u8> {
    let hex = text.rsplit_once("encoded:").map_or(text, |(_, hex)| hex);
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn holds(list: &List, width: &str, expected: &Value) {
    let special = expected["by_bits"][width].as_object().unwrap();
    assert_eq!(list.entries(), expected["size"].as_u64().unwrap());
    for idx in 0..list.entries() {
        let value = special.get(&idx.to_string()).and_then(Value::as_u64).unwrap_or_default();
        assert_eq!(u64::from(list.get(idx).unwrap()), value, "{width} bits, index {idx}");
    }
}

#[test]
fn the_long_vectors_hold_entry_by_entry() {
    let expected: Value = serde_json::from_str(&vector("expected.json")).unwrap();
    for (width, stem) in [
        ("1", "status_list_encoding1_long"),
        ("2", "status_list_encoding2_long"),
        ("4", "status_list_encoding4"),
        ("8", "status_list_encoding8"),
    ] {
        let json = List::from_json(vector(&format!("{stem}_json.json")).as_bytes(), MAX_INFLATED).unwrap();
        let cbor = List::from_cbor(&bytes(&vector(&format!("{stem}_cbor.hex"))), MAX_INFLATED).unwrap();
        assert_eq!(json.bits().number().to_string(), width);
        assert!(json == cbor);
        holds(&json, width, &expected);
        assert!(List::inflate(json.bits(), &json.deflate(), MAX_INFLATED).unwrap() == json);
    }
}

#[test]
fn the_short_vectors_are_those_of_the_text() {
    let one = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    let two = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
    for (bits, stem, values) in
        [(Bits::One, "status_list_encoding", &one[..]), (Bits::Two, "status_list_encoding2", &two[..])]
    {
        let json = List::from_json(vector(&format!("{stem}_json.json")).as_bytes(), MAX_INFLATED).unwrap();
        let cbor = List::from_cbor(&bytes(&vector(&format!("{stem}_cbor.hex"))), MAX_INFLATED).unwrap();
        assert!(json == cbor && json.bits() == bits);
        let read: Vec<_> = (0..json.entries()).map(|idx| json.get(idx).unwrap()).collect();
        assert_eq!(read, values);
        assert_eq!(json.get(json.entries()), Err(OutOfRange));
    }
}

/// The published tokens carry no certificate path, and the keys they were signed with are not published.
#[test]
fn the_published_tokens_are_read_up_to_their_signatures() {
    let jwt = vector("status_list_jwt_raw.txt").replace(['\n', '\r'], "");
    let read = Compact::parse(&jwt, 4096).unwrap();
    let payload: Value = serde_json::from_slice(read.dangerous_payload()).unwrap();
    assert_eq!(payload["status_list"]["lst"], "eNrbuRgAAhcBXQ");
    assert!(Received::jwt(jwt.as_bytes(), 4096).unwrap().x5c().is_empty());
    assert!(Received::cwt(&bytes(&vector("status_list_cwt.hex")), 4096).unwrap().x5c().is_empty());
    let referenced = bytes(&vector("referenced_token_cwt.hex"));
    assert_eq!(Received::cwt(&referenced, 4096).err(), Some(TokenError::Typ), "a credential is no list");
}

#[test]
fn what_we_publish_says_the_same_in_both_forms() {
    let (world, list) = (World::new(), list());
    let publication =
        Publication { uri: URI, issued_at: NOW, expires_at: NOW.plus(3600), ttl: 900, list: &list };
    let signing = publication.sign(&world.issuer, &world.x5c);
    let (jwt, cwt) = poll(signing);
    for token in [Received::jwt(jwt.as_bytes(), 1 << 20), Received::cwt(&cwt, 1 << 20)] {
        let token = check(token, &world.leaf()).unwrap();
        assert_eq!(
            (token.issued_at(), token.expires_at(), token.ttl()),
            (NOW, Some(NOW.plus(3600)), Some(900))
        );
        let standings = [0, 1, 2, 3, 4].map(|idx| token.standing(idx).unwrap());
        let [valid, revoked, suspended, other] =
            [Standing::Valid, Standing::Revoked, Standing::Suspended, Standing::Unknown];
        assert_eq!(standings, [valid, revoked, suspended, other, valid]);
        assert_eq!(token.standing(4096), Err(OutOfRange));
    }
}

/// Nothing in these tests waits: the first poll is the last.
fn poll<T>(signing: impl Future<Output = Result<T, vouchsafe_protocol::jose::SignError>>) -> T {
    let mut signing = Box::pin(signing);
    match signing.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(signed) => signed.unwrap(),
        std::task::Poll::Pending => panic!("the key signs at once"),
    }
}

#[test]
fn tokens_that_say_nothing() {
    let world = World::new();
    let refused = |why, change: &dyn Fn(&mut Value, &mut Value)| {
        let (mut header, mut claims) = (header(&world), claims(&list()));
        change(&mut header, &mut claims);
        assert_eq!(check_jwt(&world, &header, &claims).err(), Some(why));
    };
    assert!(check_jwt(&world, &header(&world), &claims(&list())).is_ok());
    refused(TokenError::Jose(JwsError::Typ), &|h, _| h["typ"] = json!("dc+sd-jwt"));
    refused(TokenError::Jose(JwsError::Typ), &|h, _| drop(h.as_object_mut().unwrap().remove("typ")));
    refused(TokenError::Jose(JwsError::Alg), &|h, _| h["alg"] = json!("none"));
    refused(TokenError::Jose(JwsError::Alg), &|h, _| h["alg"] = json!("HS256"));
    refused(TokenError::Jose(JwsError::AlgKey), &|h, _| h["alg"] = json!("EdDSA"));
    refused(TokenError::Jose(JwsError::Critical), &|h, _| h["crit"] = json!(["x"]));
    refused(TokenError::Path, &|h, _| drop(h.as_object_mut().unwrap().remove("x5c")));
    refused(TokenError::Subject, &|_, c| c["sub"] = json!(format!("{URI}/")));
    refused(TokenError::NotYetValid, &|_, c| c["iat"] = json!(NOW.0 + 61));
    refused(TokenError::Expired, &|_, c| c["exp"] = json!(NOW.0 - 60));
    refused(TokenError::List(ListError::Compression), &|_, c| c["status_list"]["lst"] = json!("AAAA"));
    for member in ["sub", "iat", "status_list"] {
        refused(TokenError::Malformed, &|_, c| drop(c.as_object_mut().unwrap().remove(member)));
    }
    for (member, value) in [
        ("exp", json!(null)),
        ("exp", json!("2000000000")),
        ("iat", json!(1.5)),
        ("ttl", json!(0)),
        ("ttl", json!(-1)),
        ("ttl", json!("900")),
        ("ttl", json!(null)),
        ("sub", json!([URI])),
    ] {
        refused(TokenError::Malformed, &|_, c| c[member] = value.clone());
    }
    for bits in [json!(0), json!(3), json!(16), json!("2")] {
        refused(TokenError::Malformed, &|_, c| c["status_list"]["bits"] = bits.clone());
    }
    refused(TokenError::Malformed, &|_, c| c["status_list"]["lst"] = json!("eNrbuRgAAhcBXQ=="));
}

#[test]
fn a_bomb_in_a_token_is_too_large() {
    let world = World::new();
    let bomb = List::new(Bits::Two, 4 * (MAX_INFLATED + 1));
    let refused = check_jwt(&world, &header(&world), &claims(&bomb));
    assert_eq!(refused.err(), Some(TokenError::List(ListError::TooLarge)));
    let refused = check_cwt(&world, cwt_claims(&bomb), |_| ());
    assert_eq!(refused.err(), Some(TokenError::List(ListError::TooLarge)));
}

#[test]
fn who_may_sign() {
    let world = World::new();
    let arcs: Vec<u64> = STATUS_SIGNING.split('.').map(|arc| arc.parse().unwrap()).collect();
    let marked: &[&[u64]] = &[&arcs];
    assert!(by_another(&world, ISS, &[]).is_ok(), "another key of the issuer's own");
    assert!(by_another(&world, ISS, marked).is_ok(), "a status certificate of the issuer's own");
    let host = "https://issuer.larkfield.example";
    assert!(by_another(&world, host, marked).is_ok(), "a status certificate of the list's host");
    let other = "https://other.larkfield.example";
    for purposes in [&[][..], marked, &[&[1, 3, 6, 1, 5, 5, 7, 3, 1]]] {
        assert_eq!(by_another(&world, other, purposes).err(), Some(TokenError::Signer));
    }
    let stranger = World::new();
    let token = crate::lists::jwt(&stranger.issuer, &header(&stranger), &claims(&list()));
    assert_eq!(check(Received::jwt(&token, 1 << 20), &world.leaf()).err(), Some(TokenError::Path));
}

#[test]
fn signed_cbor_that_says_nothing() {
    let world = World::new();
    let good = || cwt_claims(&list());
    let refused = |why, claims, change: &dyn Fn(&mut coset::CoseSign1)| {
        assert_eq!(check_cwt(&world, claims, change).err(), Some(why));
    };
    assert!(check_cwt(&world, good(), |_| ()).is_ok());
    refused(TokenError::Typ, good(), &|t| t.protected.header.rest.clear());
    refused(TokenError::Typ, good(), &|t| t.protected.header.rest[0].1 = text("application/cwt"));
    refused(TokenError::Alg, good(), &|t| t.protected.header.alg = None);
    let label = coset::RegisteredLabelWithPrivate::Assigned;
    refused(TokenError::Alg, good(), &|t| {
        t.protected.header.alg = Some(label(coset::iana::Algorithm::EdDSA))
    });
    refused(TokenError::Alg, good(), &|t| {
        t.unprotected.alg = t.protected.header.alg.take();
    });
    refused(TokenError::Critical, good(), &|t| {
        let kid = coset::iana::HeaderParameter::Kid;
        t.protected.header.crit.push(coset::RegisteredLabelWithPrivate::Assigned(kid));
    });
    refused(TokenError::Path, good(), &|t| t.unprotected.rest.clear());
    refused(TokenError::Cose, good(), &|t| t.payload = None);
    for at in [0, 1, 4] {
        let mut claims = good();
        claims.remove(at);
        refused(TokenError::Malformed, claims, &|_| ());
    }
    let with = |at: usize, value: ciborium::value::Value| {
        let mut claims = good();
        claims[at].1 = value;
        claims
    };
    refused(TokenError::Subject, with(0, text("https://issuer.larkfield.example/status/b")), &|_| ());
    refused(TokenError::NotYetValid, with(1, (NOW.0 + 61).into()), &|_| ());
    refused(TokenError::Expired, with(2, (NOW.0 - 60).into()), &|_| ());
    refused(TokenError::Malformed, with(2, 1.5.into()), &|_| ());
    refused(TokenError::Malformed, with(3, 0.into()), &|_| ());
    refused(TokenError::Malformed, with(4, 0.into()), &|_| ());
    let mut twice = good();
    twice.push((2.into(), text(URI)));
    refused(TokenError::Malformed, twice, &|_| ());
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_stands() {
    let world = World::new();
    let token = crate::lists::cwt(&world, cwt_claims(&list()), |_| ());
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.clone();
        changed[at] ^= 1;
        let read = Received::cwt(&changed, 1 << 20);
        assert!(check(read, &world.leaf()).is_err(), "byte {at}");
    }
    for cut in [0, 1, token.len() / 2, token.len() - 1] {
        assert!(Received::cwt(&token[..cut], 1 << 20).is_err());
    }
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let world = World::new();
    let jwt = crate::lists::jwt(&world.issuer, &header(&world), &claims(&list()));
    assert_eq!(Received::jwt(&jwt, jwt.len() - 1).err(), Some(TokenError::Jose(JwsError::TooLong)));
    let cwt = crate::lists::cwt(&world, cwt_claims(&list()), |_| ());
    assert_eq!(Received::cwt(&cwt, cwt.len() - 1).err(), Some(TokenError::TooLong));
    assert!(Received::jwt(b"\xff.\xff.\xff", 99).is_err());
}

#[test]
fn a_reference_names_a_list_of_its_issuer() {
    let reference = Reference::new(3, URI).unwrap();
    assert!(reference.is_own(ISS) && !reference.is_own("https://other.larkfield.example"));
}
