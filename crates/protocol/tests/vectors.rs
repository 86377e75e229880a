//! Published vectors and whole tokens through the public API, with ring behind the traits.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "vectors/jwe.rs"]
mod jwe;
#[path = "vectors/lists.rs"]
mod lists;
#[path = "vectors/log.rs"]
mod log;
#[path = "vectors/log_notes.rs"]
mod log_notes;
#[cfg(feature = "mutants")]
#[path = "vectors/log_switches.rs"]
mod log_switches;
#[path = "vectors/log_tiles.rs"]
mod log_tiles;
#[path = "vectors/logs.rs"]
mod logs;
#[path = "vectors/model.rs"]
mod model;
#[path = "vectors/presentation.rs"]
mod presentation;
#[path = "vectors/provider.rs"]
mod provider;
#[path = "vectors/rfc9901.rs"]
mod rfc9901;
#[path = "vectors/status.rs"]
mod status;
#[path = "vectors/world.rs"]
mod world;
#[path = "vectors/x5c.rs"]
mod x5c;

use std::path::PathBuf;

/// The text of a file under `specs/vectors`.
fn vector(name: &str) -> String {
    std::fs::read_to_string(vectors().join(name)).unwrap().trim_end().to_owned()
}

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors")
}
