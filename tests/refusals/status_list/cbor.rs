//! What is done to a list as CWT.

use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::dev_ca::DevCa;

pub(super) use crate::forge::list::cbor::{array, bytes, negative, text, uint};

use crate::forge::certificate::{self, issue, leaf, stranger};
use crate::forge::list::Cwt;
use crate::world::{NOON, STRANGER, World};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn put(pairs: &mut Pairs, label: u64, value: Vec<u8>) {
    let label = uint(label);
    match pairs.iter_mut().find(|(name, _)| *name == label) {
        Some((_, old)) => *old = value,
        None => pairs.push((label, value)),
    }
}

/// Sets a member of the protected header.
pub(super) fn protect(token: &mut Cwt, label: u64, value: Vec<u8>) {
    put(&mut token.protected, label, value);
}

/// Sets a claim.
pub(super) fn claim(token: &mut Cwt, label: u64, value: Vec<u8>) {
    put(&mut token.claims, label, value);
}

pub(super) fn seconds(at: UnixTime) -> Vec<u8> {
    uint(at.0.try_into().unwrap())
}

/// The algorithm where anybody can write it.
pub(super) fn unprotect_alg(token: &mut Cwt, _: &World) {
    let alg = token.protected.remove(0);
    token.unprotected.push(alg);
}

pub(super) fn long_path(token: &mut Cwt, world: &World) {
    let leaf = issue(&leaf(), &token.key, &world.ca);
    token.certify(&[leaf, stranger("A"), stranger("B"), stranger("C"), stranger("D")]);
}

/// A certificate of somebody who took the authority's name.
pub(super) fn foreign(token: &mut Cwt, _: &World) {
    let foreign = DevCa::generate(certificate::AUTHORITY, NOON).unwrap();
    token.unprotected[0].1 = bytes(&issue(&leaf(), &token.key, &foreign));
}

/// A certificate of another issuer under the same authority.
pub(super) fn of_another(token: &mut Cwt, world: &World) {
    let mut params = leaf();
    params.subject_alt_names = super::names(STRANGER);
    token.unprotected[0].1 = bytes(&issue(&params, &token.key, &world.ca));
}
