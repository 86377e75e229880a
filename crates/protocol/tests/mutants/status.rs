//! Each check of a status list token, switched off.

use serde_json::{Value, json};
use vouchsafe_protocol::status::{
    Bits, List, ListError, MAX_INFLATED, Received, Reference, Token, TokenError,
};

use crate::killed;
use crate::lists::{
    STATUS_SIGNING, URI, by_another, check, check_cwt, check_jwt, claims, cwt, cwt_claims, header, jwt, list,
    text,
};
use crate::world::{NOW, World};

fn taken(token: &Result<Token, TokenError>) -> bool {
    token.is_ok()
}

#[test]
fn claims_of_the_list() {
    let world = World::new();
    let by = |name: &str, change: fn(&mut Value)| {
        let mut claims = claims(&list());
        change(&mut claims);
        killed(name, || taken(&check_jwt(&world, &header(&world), &claims)));
    };
    by("status-sub", |c| c["sub"] = json!("https://issuer.larkfield.example/status/b"));
    by("status-iat", |c| c["iat"] = json!(NOW.0 + 61));
    by("status-exp", |c| c["exp"] = json!(NOW.0 - 60));
    let bomb = claims(&List::new(Bits::Eight, MAX_INFLATED + 1));
    killed("status-inflate-cap", || taken(&check_jwt(&world, &header(&world), &bomb)));
}

#[test]
fn bytes_of_the_list() {
    let longer = [list().deflate(), vec![0]].concat();
    let inflate = || List::inflate(Bits::Two, &longer, MAX_INFLATED);
    assert_eq!(inflate().err(), Some(ListError::Compression));
    killed("status-zlib-rest", || inflate().is_ok());
    killed("status-idx-range", || list().get(4096) == Ok(0));
    killed("status-uri-form", || Reference::new(1, "https://issuer.example/status/1?holder=42").is_ok());
    killed("status-size", || Received::cwt(&cwt(&World::new(), cwt_claims(&list()), |_| ()), 10).is_ok());
}

#[test]
fn signers_of_the_list() {
    let (world, stranger) = (World::new(), World::new());
    let arcs: Vec<u64> = STATUS_SIGNING.split('.').map(|arc| arc.parse().unwrap()).collect();
    killed("status-signer", || taken(&by_another(&world, "https://other.larkfield.example", &[&arcs])));
    // The path that was validated is one thing, the one that the token carries another.
    let token = jwt(&world.issuer, &header(&stranger), &claims(&list()));
    killed("status-x5c-leaf", || taken(&check(Received::jwt(&token, 1 << 20), &world.leaf())));
    let mut other = header(&world);
    other["typ"] = json!("jwt");
    killed("jose-typ", || taken(&check_jwt(&world, &other, &claims(&list()))));
    let forged = jwt(&stranger.issuer, &header(&world), &claims(&list()));
    killed("jose-signature", || taken(&check(Received::jwt(&forged, 1 << 20), &world.leaf())));
}

#[test]
fn signed_cbor() {
    let world = World::new();
    let by = |name: &str, change: fn(&mut coset::CoseSign1)| {
        killed(name, || taken(&check_cwt(&world, cwt_claims(&list()), change)));
    };
    let named = coset::RegisteredLabelWithPrivate::Assigned;
    by("status-cwt-typ", |t| t.protected.header.rest[0].1 = text("application/cwt"));
    by("status-cwt-alg-key", |t| {
        t.protected.header.alg =
            Some(coset::RegisteredLabelWithPrivate::Assigned(coset::iana::Algorithm::EdDSA));
    });
    let crit = named(coset::iana::HeaderParameter::Kid);
    killed("status-cwt-crit", || {
        let crit = crit.clone();
        taken(&check_cwt(&world, cwt_claims(&list()), |t| t.protected.header.crit.push(crit)))
    });
    let many = ciborium::value::Value::Array(vec![ciborium::value::Value::Bytes(vec![0]); 5]);
    let long = cwt(&world, cwt_claims(&list()), |t| t.unprotected.rest[0].1 = many);
    killed("status-cwt-x5c-length", || Received::cwt(&long, 1 << 20).is_ok());
}

#[test]
fn cbor_that_says_it_twice() {
    let world = World::new();
    let mut twice = cwt_claims(&list());
    twice.push((2.into(), text(URI)));
    killed("status-cwt-repeated", || taken(&check_cwt(&world, twice.clone(), |_| ())));
    let mut forged = cwt(&world, cwt_claims(&list()), |_| ());
    *forged.last_mut().unwrap() ^= 1;
    killed("status-cwt-signature", || taken(&check(Received::cwt(&forged, 1 << 20), &world.leaf())));
}
