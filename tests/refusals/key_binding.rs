//! Attacks on the key binding: answers of somebody else, to something else, or from another time.

use serde_json::json;

use crate::answer::Spoil::Binding;
use crate::answer::{Door, Part, Spoil};
use crate::runner::run;

struct KeyBinding;

impl Part for KeyBinding {
    const NAME: &'static str = "key-binding";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] =
        &[("nonce-of-another", "plain", Binding(|b, case| b.claims["nonce"] = json!(case.other.nonce())))];
}

#[tokio::test(flavor = "multi_thread")]
async fn key_binding() {
    run::<Door<KeyBinding>>().await;
}
