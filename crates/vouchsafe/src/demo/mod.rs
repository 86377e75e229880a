//! `vouchsafe demo`: the whole story once, on loopback and embedded SQLite, narrated.
//!
//! Real HTTP, TLS, databases and proofs; only the residents are synthetic and the clock is held, so that time
//! passes when the story says so and never by waiting.

pub mod browser;
mod bus_pass;
mod clearance;
mod hardship;
mod household;
mod leisure;
mod meals;
mod meddler;
pub mod narrate;
pub mod operator;
mod parking;
pub mod resident;
mod scene;
mod stage;
mod watcher;

use std::io;
use std::path::Path;

use crate::exit::Failure;
use narrate::Narrator;
pub use stage::Stage;

/// Tells the story on standard output, in a folder that is removed afterwards.
///
/// # Errors
/// When a step does not end as it should; the last line says which.
pub async fn run(json: bool) -> Result<(), Failure> {
    let dir = tempfile::tempdir().map_err(Failure::unavailable)?;
    tell(dir.path(), Narrator::new(io::stdout(), json)).await
}

/// Tells the story into `narrator`, with everything kept in `dir`.
///
/// # Errors
/// When a step does not end as it should.
pub async fn tell<W: io::Write>(dir: &Path, narrator: Narrator<W>) -> Result<(), Failure> {
    let mut stage = Stage::open(dir, narrator).await?;
    let told = stories(&mut stage).await;
    stage.close(told).await
}

async fn stories<W: io::Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    bus_pass::tell(stage).await?;
    parking::tell(stage).await?;
    leisure::tell(stage).await?;
    meals::tell(stage).await?;
    household::tell(stage).await?;
    hardship::tell(stage).await?;
    clearance::tell(stage).await
}
