//! The project's own chores: `cargo xtask COMMAND`.
//!
//! Everything a fresh machine needs for a command is named and installed by it; nothing is skipped in silence.
//! Standard output carries results (the counts, the program's own output); everything else goes to standard error.

mod bench;
mod deps;
mod function;
mod licence;
mod machine;
mod process;
mod requirement;
mod sizes;
mod steps;
mod tally;
mod wasm;

use std::process::ExitCode;

use process::{Failure, report, say};

const HELP: &str = "\
usage: cargo xtask COMMAND

  demo [ARGS]   build the program and run `vouchsafe demo ARGS`
  test          every test there is, on a machine prepared for it
  check         format, lints, unit tests and flows: before each commit
  bench [ARGS]  measure, and keep the figures in specs/results/
  timing [ARGS] whether a proof takes longer for one hidden value than for another; kept there too
  wasm          build the pure crates for the browser and look at what they pull in
  deps          hold the dependency graph against deny.toml
  sizes         functions and files within their bounds
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match run(&command, &rest) {
        Ok(code) => code,
        Err(failure) => {
            say(&format!("xtask: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> Result<ExitCode, Failure> {
    process::enter_workspace()?;
    match command {
        "demo" => steps::demo(rest),
        "bench" | "timing" => bench::run(command, rest),
        "test" => steps::run_all(&steps::everything()),
        "check" => steps::run_all(&steps::before_commit()),
        "wasm" => steps::run_all(&[("wasm", wasm::build)]),
        "deps" => steps::run_all(&[("deps", deps::check)]),
        "sizes" => steps::run_all(&[("sizes", sizes::check)]),
        "" | "help" | "--help" | "-h" => {
            report(HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        other => {
            say(&format!("xtask: no command `{other}`\n\n{HELP}"));
            Ok(ExitCode::from(2))
        }
    }
}
