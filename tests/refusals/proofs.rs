//! Attacks on the proof: made for something else, about something else, or carried elsewhere.

use crate::answer::Spoil::Proof;
use crate::answer::{Door, Part, Spoil};
use crate::runner::run;

struct Proofs;

impl Part for Proofs {
    const NAME: &'static str = "proofs";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] =
        &[("nonce", "proof", Proof(|p, case| p.context.request.nonce = case.other.nonce().to_owned()))];
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs() {
    run::<Door<Proofs>>().await;
}
