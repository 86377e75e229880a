//! Measuring, and keeping the figures.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::machine::{COMPILER, have, have_node};
use crate::process::{Failure, Stream, cargo, output, program, report, say, watch};

/// Runs a measuring program of `tests` in a release build, `bench` or `timing`; keeps each JSON line it prints, under a line
/// about the machine.
pub(crate) fn run(name: &str, args: &[String]) -> Result<ExitCode, Failure> {
    have(&[COMPILER])?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if name == "bench" {
        have_node()?;
        crate::wasm::optimised()?;
    }
    let line = ["run", "--quiet", "--release", "--package", "vouchsafe-tests", "--bin", name, "--"];
    let (lines, succeeded) = watch(&mut cargo(&[&line[..], &args].concat()), Stream::Out)?;
    let figures: Vec<&String> = lines.iter().filter(|line| is_figure(name, line)).collect();
    figures.iter().for_each(|line| report(line));
    if !succeeded || figures.is_empty() {
        return Err(Failure(format!("`{name}` did not finish: nothing was kept")));
    }
    if args.is_empty() {
        keep(name, &figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_figure(name: &str, line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value.get(name).is_some())
}

/// Only a full run is kept; a chosen part would look like all of it.
fn keep(name: &str, figures: &[&String]) -> Result<(), Failure> {
    let lines = figures.iter().map(|line| format!("{line}\n"));
    let text: String = std::iter::once(format!("{}\n", machine())).chain(lines).collect();
    let results = format!("specs/results/{name}.jsonl");
    std::fs::create_dir_all("specs/results")?;
    std::fs::write(&results, text)?;
    say(&format!("kept in {results}"));
    Ok(())
}

fn machine() -> Value {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpus.lines().filter_map(|line| line.strip_prefix("model name\t: ")).collect();
    let rustc = output(&mut program("rustc", &["--version"])).unwrap_or_default();
    json!({"machine": {"cpu": models.first(), "cores": models.len(), "rustc": rustc.trim()}})
}
