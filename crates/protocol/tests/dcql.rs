//! DCQL whole: what a wallet chooses, what a verifier checks, and that both mean the same.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "dcql/authorities.rs"]
mod authorities;
#[path = "dcql/examples.rs"]
mod examples;
#[path = "dcql/made.rs"]
mod made;
#[path = "dcql/model.rs"]
mod model;
#[path = "dcql/positions.rs"]
mod positions;
#[path = "dcql/same_meaning.rs"]
mod same_meaning;
#[cfg(feature = "mutants")]
#[path = "dcql/switches.rs"]
mod switches;
