//! Every single-bit change and every truncation of one presentation, and of the proof in it, is refused.
//!
//! In process, through the steps that the answer endpoint takes, without its database.

use std::collections::BTreeMap;
use std::sync::Arc;

use vouchsafe_proofs::answer::verify;
use vouchsafe_protocol::answer::{Committed, PROOF_CLAIM, Presented};
use vouchsafe_protocol::encoding::b64u_decode;
use vouchsafe_protocol::jose::x5c;
use vouchsafe_protocol::sd_jwt::key_binding::Expected;
use vouchsafe_protocol::sd_jwt::vc::{Rules as Conditions, Status};
use vouchsafe_protocol::sd_jwt::{Unverified, vc};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::SKEW;
use vouchsafe_service::keys::Jws;
use vouchsafe_verifier::app::Rules;

use crate::answer::{Case, presentations};
use crate::forge::proof::{Proof, ProofCopy, carrying};
use crate::world::{NOON, Opened, World};

/// Whether `text` is a good answer to the request, by every check from the first to the proof.
fn passes(opened: &Opened, rules: &Rules, text: &str) -> bool {
    committed(opened, rules, text).is_some_and(|committed| committed.check_proof().is_ok())
}

/// `text` as far as the proof, which is not yet checked.
pub(crate) fn committed(opened: &Opened, rules: &Rules, text: &str) -> Option<Committed> {
    let asked = opened.request.asked();
    let expected = Expected { aud: opened.client_id(), nonce: opened.nonce(), now: NOON, max_age: SKEW };
    let bound = Unverified::parse(text).ok()?.check_binding(&expected).ok()?;
    let leaf = x5c::validate(bound.parts().x5c()?, &rules.trust.anchors, NOON, &Jws).ok()?;
    let signed: vc::Signed = bound.check_signatures(Arc::new(leaf), &Jws).ok()?;
    let conditions = Conditions { now: NOON, audience: opened.client_id(), status: Status::NotInType };
    let verified = signed.accept(&conditions).ok()?;
    let presented = Presented::new(asked, BTreeMap::from([("q0".to_owned(), verified)])).ok()?;
    let complete =
        presented.check_trust(asked, &rules.register, Env::Test).ok()?.check_complete(asked).ok()?;
    complete.check_commitments(asked, &rules.types).ok()
}

/// Each change of one bit, then each proper beginning.
fn changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flips = (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    flips.chain((0..bytes.len()).map(|length| bytes[..length].to_vec()))
}

async fn every_change_of_a_presentation_is_refused(policy: &str) {
    let world = World::new().await;
    let case = Case { opened: world.ask(policy).await, other: world.ask(policy).await };
    let (rules, text) = (world.app.rules(), presentations(&world, &case, policy, None).remove("q0").unwrap());
    assert!(passes(&case.opened, &rules, &text));
    // What is not UTF-8 is no presentation.
    for changed in changes(text.as_bytes()).filter_map(|bytes| String::from_utf8(bytes).ok()) {
        assert!(!passes(&case.opened, &rules, &changed), "{changed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_plain_presentation_is_refused() {
    every_change_of_a_presentation_is_refused("plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_presentation_with_a_proof_is_refused() {
    every_change_of_a_presentation_is_refused("proof").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_proof_is_refused() {
    let world = World::new().await;
    let opened = world.ask("proof").await;
    let (token, values, attributes) = ProofCopy::new(&world.ca).sign();
    let proof = Proof::new(opened.request.asked(), &token, values, attributes);
    let claim = carrying(&proof.prove())[PROOF_CLAIM].clone();
    let bytes = b64u_decode(claim.as_str().unwrap()).unwrap();
    let holds = |bytes: &[u8]| verify(&proof.context, &proof.statements, bytes).is_ok();
    assert!(holds(&bytes));
    for changed in changes(&bytes) {
        assert!(!holds(&changed), "{changed:02x?}");
    }
}
