//! What somebody tries who wants more from the API than is theirs: each attack, on every route that it could go to.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod assertions;
#[path = "../callers/mod.rs"]
mod callers;
#[cfg(feature = "mutants")]
mod mutants;
mod possession;
mod repeats;
#[cfg(feature = "mutants")]
mod replicas;
mod routes;
mod streams;
mod town;
#[path = "../world/mod.rs"]
mod world;
