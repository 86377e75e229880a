//! Measuring, and keeping the figures.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::machine::{COMPILER, have};
use crate::process::{Failure, Stream, cargo, output, program, report, say, watch};

const RESULTS: &str = "specs/results/bench.jsonl";

/// Runs the benches of `tests` in a release build; keeps each JSON line they print, under a line about the machine.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    have(&[COMPILER])?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = ["run", "--quiet", "--release", "--package", "vouchsafe-tests", "--bin", "bench", "--"];
    let (lines, succeeded) = watch(&mut cargo(&[&line[..], &args].concat()), Stream::Out)?;
    let figures: Vec<&String> = lines.iter().filter(|line| is_figure(line)).collect();
    figures.iter().for_each(|line| report(line));
    if !succeeded || figures.is_empty() {
        return Err(Failure("the benches did not finish: nothing was kept".into()));
    }
    if args.is_empty() {
        keep(&figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_figure(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value.get("bench").is_some())
}

/// Only a full run is kept; a chosen part would look like all of it.
fn keep(figures: &[&String]) -> Result<(), Failure> {
    let lines = figures.iter().map(|line| format!("{line}\n"));
    let text: String = std::iter::once(format!("{}\n", machine())).chain(lines).collect();
    std::fs::create_dir_all("specs/results")?;
    std::fs::write(RESULTS, text)?;
    say(&format!("kept in {RESULTS}"));
    Ok(())
}

fn machine() -> Value {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpus.lines().filter_map(|line| line.strip_prefix("model name\t: ")).collect();
    let rustc = output(&mut program("rustc", &["--version"])).unwrap_or_default();
    json!({"machine": {"cpu": models.first(), "cores": models.len(), "rustc": rustc.trim()}})
}
