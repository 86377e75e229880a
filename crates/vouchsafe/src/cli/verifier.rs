//! `vouchsafe verifier …`: for the service that asks, and for the registrar.

use clap::Subcommand;

use crate::exit::Failure;

/// What a verifier's operator can do.
#[derive(Subcommand)]
pub enum VerifierCommand {}

/// Runs a verifier's command.
///
/// # Errors
/// A [`Failure`] that names what to mend.
pub async fn run(command: VerifierCommand) -> Result<(), Failure> {
    match command {}
}
