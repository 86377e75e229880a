//! Certificate paths, good and bad.

use rcgen::{Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::sync::Arc;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::MAX_CERTIFICATES;
use vouchsafe_protocol::jose::x5c::{Anchor, VerifiedLeaf, X5cError, validate, validate_or_cached};
use vouchsafe_protocol::time::UnixTime;

use crate::provider::Ring;
use crate::world::{ISS, NOW, World, authority, leaf};

fn check(world: &World, x5c: &[Vec<u8>]) -> Result<VerifiedLeaf, X5cError> {
    validate(x5c, std::slice::from_ref(&world.anchor), NOW, &Ring)
}

fn sign(world: &World, params: rcgen::CertificateParams) -> Vec<u8> {
    params.signed_by(&KeyPair::generate().unwrap(), &world.authority).unwrap().der().to_vec()
}

#[test]
fn a_good_path_tells_key_names_and_anchor() {
    let world = World::new();
    let leaf = check(&world, &world.x5c).unwrap();
    assert_eq!(leaf.key(), world.issuer.public());
    assert_eq!(leaf.uris(), [ISS]);
    assert_eq!(leaf.anchor_sha256(), world.anchor.sha256());
    assert_eq!(leaf.valid_until(), UnixTime(1_798_761_600));
}

#[test]
fn a_path_through_an_intermediate() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let params = authority("Larkfield issuing");
    let between = params.signed_by(&key, &world.authority).unwrap().der().to_vec();
    let issuing = Issuer::new(params, key);
    let end = leaf(ISS).signed_by(&KeyPair::generate().unwrap(), &issuing).unwrap().der().to_vec();
    assert!(check(&world, &[end.clone(), between.clone()]).is_ok());
    assert_eq!(check(&world, std::slice::from_ref(&end)), Err(X5cError::NoPath));
    let long = vec![between; MAX_CERTIFICATES];
    assert_eq!(check(&world, &[&[end], &long[..]].concat()), Err(X5cError::Length));
}

#[test]
fn paths_that_are_refused() {
    let world = World::new();
    assert_eq!(check(&world, &[]), Err(X5cError::Length));
    assert_eq!(check(&world, &[vec![0x30, 0]]), Err(X5cError::Malformed));
    let with_anchor = [world.x5c[0].clone(), world.anchor.der().to_vec()];
    assert_eq!(check(&world, &with_anchor), Err(X5cError::AnchorInside));
    let own = leaf(ISS).self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    assert_eq!(check(&world, &[own]), Err(X5cError::SelfSigned));
    assert_eq!(check(&World::new(), &world.x5c), Err(X5cError::NoPath));
    assert_eq!(validate(&world.x5c, &[], NOW, &Ring), Err(X5cError::NoPath));
}

#[test]
fn the_leaf_may_sign_and_is_no_authority() {
    let world = World::new();
    let mut params = leaf(ISS);
    params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    assert_eq!(check(&world, &[sign(&world, params)]), Err(X5cError::KeyUsage));
    let mut params = leaf(ISS);
    params.key_usages = vec![];
    assert_eq!(check(&world, &[sign(&world, params)]), Err(X5cError::KeyUsage));
    let mut params = authority("Larkfield authority 2");
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    assert_eq!(check(&world, &[sign(&world, params)]), Err(X5cError::NoPath));
}

#[test]
fn validity_is_looked_at() {
    let world = World::new();
    let mut params = leaf(ISS);
    params.not_after = date_time_ymd(2026, 11, 1);
    assert_eq!(check(&world, &[sign(&world, params)]), Err(X5cError::Validity));
    let mut params = leaf(ISS);
    params.not_before = date_time_ymd(2026, 12, 1);
    assert_eq!(check(&world, &[sign(&world, params)]), Err(X5cError::Validity));
}

#[test]
fn a_cached_leaf_is_for_its_path_its_anchors_and_its_time() {
    let world = World::new();
    let anchors = std::slice::from_ref(&world.anchor);
    let cached = world.leaf();
    let again = |x5c: &[Vec<u8>], anchors: &[Anchor], now| {
        validate_or_cached(x5c, Some(Arc::clone(&cached)), anchors, now, &Ring)
    };
    assert!(Arc::ptr_eq(&again(&world.x5c, anchors, NOW).unwrap(), &cached));
    let other = sign(&world, leaf("https://other.example"));
    assert_eq!(again(&[other], anchors, NOW).unwrap().uris(), ["https://other.example"]);
    assert_eq!(again(&world.x5c, &[], NOW), Err(X5cError::NoPath));
    let late = cached.valid_until().plus(1);
    assert_eq!(again(&world.x5c, anchors, late), Err(X5cError::Validity));
}

#[test]
fn every_bit_of_a_certificate_counts() {
    let world = World::new();
    let der = &world.x5c[0];
    for position in 0..der.len() {
        let mut changed = der.clone();
        changed[position] ^= 1 << (position % 8);
        assert!(check(&world, &[changed]).is_err(), "byte {position}");
        assert!(check(&world, &[der[..position].to_vec()]).is_err(), "cut at {position}");
    }
}
