//! The pure crates for the browser: they build, and nothing in their graph needs a host.
//!
//! Never skipped. Where rustup has no wasm target, Debian's own compiler builds the standard library from source.

use std::process::Command;

use crate::machine::{install, on_path};
use crate::process::{Failure, cargo, output, program, quietly, say, succeeds};
use crate::tally::Tally;

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGES: [&str; 4] = ["--package", "vouchsafe-proofs", "--package", "vouchsafe-protocol"];
/// A clock, a generator or a crypto back end of the host has no business in a pure crate.
const BANNED: [&str; 3] = ["js-sys", "getrandom", "ring"];
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// Optimising would cost minutes and change nothing that this step looks at.
const UNOPTIMISED: [&str; 2] = ["--config", "profile.dev.package.\"*\".opt-level=0"];

/// Counts two checks: the graph, and the build.
pub(crate) fn build() -> Result<Tally, Failure> {
    let graph = Tally::of_faults("wasm", &banned_in_graph()?);
    Ok(graph + Tally::one(succeeds(&mut compile()?)?))
}

fn banned_in_graph() -> Result<Vec<String>, Failure> {
    let tree =
        ["tree", "--locked", "--target", TARGET, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let text = output(&mut cargo(&[&tree[..], &PACKAGES].concat()))?;
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<String> = names.filter(|name| BANNED.contains(name)).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found.iter().map(|name| format!("{name} is in the graph of the pure crates")).collect())
}

/// The module whose one call makes one proof, optimised: `target/browser/wasm32-unknown-unknown/release/prove.wasm`.
pub(crate) fn optimised() -> Result<(), Failure> {
    let line =
        ["build", "--quiet", "--release", "--locked", "--target", TARGET, "--target-dir", "target/browser"];
    let package = ["--package", "vouchsafe-browser"];
    if succeeds(&mut compiler(&[&line[..], &package].concat())?)? {
        return Ok(());
    }
    Err(Failure("the module for the browser does not build".to_owned()))
}

fn compile() -> Result<Command, Failure> {
    compiler(&[&["build", "--lib", "--locked", "--target", TARGET], &UNOPTIMISED[..], &PACKAGES].concat())
}

/// Cargo with a compiler that knows the target.
fn compiler(line: &[&str]) -> Result<Command, Failure> {
    if has_target() {
        return Ok(cargo(line));
    }
    say("wasm: rustup has no such target here, so Debian's compiler builds it");
    if !(std::path::Path::new("/usr/bin/rustc").exists() && on_path("wasm-ld-19")) {
        install(&DEBIAN)?;
    }
    Ok(with_debian(line))
}

fn has_target() -> bool {
    let installed = || output(&mut program("rustup", &["target", "list", "--installed"]));
    let listed = || installed().is_ok_and(|list| list.lines().any(|line| line == TARGET));
    // Two minutes at most: a closed network must not hold the tests up.
    on_path("rustup")
        && (listed() || quietly(&mut program("timeout", &["120", "rustup", "target", "add", TARGET])))
}

fn with_debian(line: &[&str]) -> Command {
    let mut command = program("/usr/bin/cargo", line);
    command.arg("-Zbuild-std=std,panic_abort");
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    // Two compilers must not share a folder, nor may rustup's settings reach the other one.
    command.env("CARGO_TARGET_DIR", "target/wasm-debian");
    for rustups in ["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "CARGO", "LD_LIBRARY_PATH", "RUSTFLAGS"] {
        command.env_remove(rustups);
    }
    command
}
