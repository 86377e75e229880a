//! `vouchsafe wallet …`: for the resident.

use clap::Args;

use crate::exit::Failure;

/// The wallet's commands.
#[derive(Args)]
pub struct WalletArgs {}

/// Runs a wallet's command.
///
/// # Errors
/// A [`Failure`] that names what to mend.
pub async fn run(_args: WalletArgs) -> Result<(), Failure> {
    Ok(())
}
