//! What a holder sees and does beyond collecting at once: whether copies still count, what an officer decides on, what a
//! body signs about itself and its types.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "holder/documents.rs"]
mod documents;
#[path = "holder/linked.rs"]
mod linked;
#[path = "holder/status.rs"]
mod status;
#[path = "holder/waiting.rs"]
mod waiting;
#[expect(dead_code, reason = "the other stories use the rest")]
mod world;

/// The attack fails as things are, and succeeds once its check is gone.
#[cfg(feature = "mutants")]
async fn killed(name: &str, attack: impl AsyncFn() -> bool) {
    assert!(!attack().await, "{name}: the attack succeeds with every check in place");
    assert!(vouchsafe_mutants::without_async(name, attack()).await, "{name}: another check stops the attack");
}
