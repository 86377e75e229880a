//! The `vouchsafe` program: reads the command line and calls the library.

use std::process::ExitCode;

use clap::Parser;
use vouchsafe::cli::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            failure.exit_code()
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where a command tells a person why it ended")]
fn tell(failure: &vouchsafe::exit::Failure) {
    eprintln!("vouchsafe: {failure} [{}]", failure.code());
}
