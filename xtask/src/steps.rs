//! The steps that `test` and `check` are made of, and the demo.

use std::process::ExitCode;

use vouchsafe_cluster::Cluster;

use crate::machine::{self, COMPILER, PYTHON};
use crate::process::{Failure, Stream, cargo, program, report, say, succeeds, watch};
use crate::tally::{Tally, of_lines};
use crate::{deps, sizes, wasm};

/// A named step that counts what it checked.
pub(crate) type Step = (&'static str, fn() -> Result<Tally, Failure>);

/// Checks can be switched off one by one in tests with this feature, and only there.
const MUTANTS: &str = "vouchsafe-tests/mutants";

/// All steps of `cargo xtask test`, cheap before dear. The packages come first: tests call them.
pub(crate) fn everything() -> Vec<Step> {
    vec![
        ("machine", prepare),
        ("fmt", format),
        ("sizes", sizes::check),
        ("deps", deps::check),
        ("clippy", lints_with_mutants),
        ("tests", tests_with_mutants),
        ("examples", examples),
        ("model", model),
        ("interop", interop),
        ("wasm", wasm::build),
    ]
}

/// The steps of `cargo xtask check`.
pub(crate) fn before_commit() -> Vec<Step> {
    vec![("machine", compiler), ("fmt", format), ("clippy", lints), ("tests", tests)]
}

/// Runs each step even after one has failed, and ends with one line that counts all of them.
pub(crate) fn run_all(steps: &[Step]) -> Result<ExitCode, Failure> {
    let tallies: Vec<(&str, Tally)> =
        steps.iter().map(|(name, step)| (*name, run_one(name, *step))).collect();
    for (name, tally) in tallies.iter().filter(|(_, tally)| tally.failed > 0) {
        say(&format!("== failed: {name}: {tally}"));
    }
    let total: Tally = tallies.into_iter().map(|(_, tally)| tally).sum();
    report(&total.to_string());
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is told to the person who waits")]
fn run_one(name: &str, step: fn() -> Result<Tally, Failure>) -> Tally {
    say(&format!("== {name}"));
    let started = std::time::Instant::now();
    let tally = step().unwrap_or_else(|failure| Tally::of_faults(name, &[failure.to_string()]));
    say(&format!("== {name}: {tally} ({} s)", started.elapsed().as_secs()));
    tally
}

/// Builds the program and hands over: its output and exit code are ours.
pub(crate) fn demo(args: &[String]) -> Result<ExitCode, Failure> {
    machine::have(&[COMPILER])?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = [&["run", "--quiet", "--package", "vouchsafe", "--", "demo"], &args[..]].concat();
    let status = cargo(&line).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn compiler() -> Result<Tally, Failure> {
    machine::have(&[COMPILER]).map(|()| Tally::default())
}

fn prepare() -> Result<Tally, Failure> {
    machine::have(&[COMPILER, PYTHON])?;
    machine::have_postgres()?;
    machine::have_interop_packages()?;
    machine::have_interop_python().map(|()| Tally::default())
}

fn format() -> Result<Tally, Failure> {
    machine::have_component("rustfmt", "fmt")?;
    succeeds(&mut cargo(&["fmt", "--all", "--check"])).map(Tally::one)
}

fn lints() -> Result<Tally, Failure> {
    clippy(&[])
}

fn lints_with_mutants() -> Result<Tally, Failure> {
    clippy(&["--features", MUTANTS])
}

fn clippy(features: &[&str]) -> Result<Tally, Failure> {
    machine::have_component("clippy", "clippy")?;
    let line = [&["clippy", "--workspace", "--all-targets"], features, &["--", "-D", "warnings"]].concat();
    succeeds(&mut cargo(&line)).map(Tally::one)
}

/// Pure and SQLite tests alone. Those on PostgreSQL are built with the feature of the mutants.
fn tests() -> Result<Tally, Failure> {
    say("tests: SQLite alone; `cargo xtask test` has PostgreSQL too");
    run_tests(&[], None)
}

/// All tests, over one PostgreSQL server that they share.
fn tests_with_mutants() -> Result<Tally, Failure> {
    let cluster = Cluster::private().map_err(|fault| Failure(fault.to_string()))?;
    run_tests(&["--features", MUTANTS], Some(&cluster))
}

/// Nextest gives every test a process of its own; without it one thread keeps the switches of the mutants apart.
fn run_tests(features: &[&str], cluster: Option<&Cluster>) -> Result<Tally, Failure> {
    let run = |line: &[&str], stream| {
        let mut command = cargo(line);
        if let Some(cluster) = cluster {
            command.env(vouchsafe_cluster::SHARED, cluster.socket());
        }
        let (lines, succeeded) = watch(&mut command, stream)?;
        Ok(Tally::of_run(of_lines(&lines), succeeded))
    };
    if machine::on_path("cargo-nextest") {
        let line = ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"];
        return run(&[&line, features].concat(), Stream::Err);
    }
    let line = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    run(&[&line, features, &["--", "--test-threads=1"]].concat(), Stream::Out)
}

/// Public functions carry examples, and examples are tests.
fn examples() -> Result<Tally, Failure> {
    counted(&["test", "--workspace", "--doc", "--features", MUTANTS], Stream::Out)
}

fn counted(line: &[&str], stream: Stream) -> Result<Tally, Failure> {
    let (lines, succeeded) = watch(&mut cargo(line), stream)?;
    Ok(Tally::of_run(of_lines(&lines), succeeded))
}

/// The independent model reads the frozen vectors and checks every one.
fn model() -> Result<Tally, Failure> {
    let (lines, succeeded) = watch(&mut program("python3", &["tests/model/run.py", "check"]), Stream::Out)?;
    Ok(Tally::of_run(of_lines(&lines), succeeded))
}

/// Checks with other people's software that stand alone; those that need our programs run from the Rust tests.
fn interop() -> Result<Tally, Failure> {
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir("tests/interop")? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            scripts.push(path.to_string_lossy().into_owned());
        }
    }
    scripts.sort();
    if scripts.is_empty() {
        say("interop: no script stands alone; the Rust tests call the packages over what they made");
    }
    let mut tally = Tally::default();
    for script in &scripts {
        tally = tally + Tally::one(succeeds(&mut program("node", &["--test", script]))?);
    }
    Ok(tally)
}
