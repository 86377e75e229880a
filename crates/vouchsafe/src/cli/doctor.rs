//! `vouchsafe doctor`: what stands in the way of serving, in plain words.

use std::path::PathBuf;

use clap::Args;
use vouchsafe_service::keys;

use super::print;
use super::serve::Program;
use crate::doctor::{Finding, examine};
use crate::exit::Failure;

/// Which installation to look at.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    program: Program,
    /// The program's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG")]
    config: PathBuf,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

/// Looks at everything and says how each stands.
///
/// # Errors
/// When something keeps the program from serving: by its settings (exit code 2), or otherwise (5).
pub(crate) async fn run(args: DoctorArgs) -> Result<(), Failure> {
    keys::install();
    let findings = examine(args.program, &args.config).await;
    print::list(args.json, &findings, Finding::to_string)?;
    let faults = findings.iter().filter(|finding| finding.is_fault()).count();
    match faults {
        0 => Ok(()),
        _ if findings[0].is_fault() => Err(Failure::usage("the settings cannot be read")),
        1 => Err(Failure::unavailable("one fault was found; what to do stands beside it")),
        more => {
            Err(Failure::unavailable(format_args!("{more} faults were found; what to do stands beside them")))
        }
    }
}
