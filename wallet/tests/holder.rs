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

#[cfg(feature = "mutants")]
use world::killed;
