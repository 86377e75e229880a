//! `vouchsafe verifier audit …` and `purposes …`: for an auditor, who reads and changes nothing.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use vouchsafe_protocol::tlog::note::NoteKey;
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::keys::Jws;
use vouchsafe_verifier::audit::token::{Believed, Stands, check};
use vouchsafe_verifier::audit::{self, AuditError, Fault, Verdict, purposes, report};
use vouchsafe_verifier::policies;

use super::{print, serve};
use crate::exit::Failure;

/// What an auditor can do.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Hold the whole log against the documents beside it; or, with --token and --proof, one token against its proof.
    Verify(VerifyArgs),
    /// Print what the verifier stated to be in force, in the order in which it did.
    Notices(NoticesArgs),
    /// Count decisions by policy, month and outcome; fewer than five are not told.
    Report(ReportArgs),
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The verifier's settings. Its database is read and not changed; the server key is needed.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "verifier.toml")]
    config: PathBuf,
    /// A file with one token, to be checked without any database.
    #[arg(long, requires_all = ["proof", "key"])]
    token: Option<PathBuf>,
    /// The file with its proof.
    #[arg(long, requires = "token")]
    proof: Option<PathBuf>,
    /// The log's key, name+id+key; twice while one follows another.
    #[arg(long, requires = "token")]
    key: Vec<String>,
    /// The key of a witness that one relies on; more than once for more.
    #[arg(long, requires = "token")]
    witness: Vec<String>,
    /// How many of the witnesses must have seen the checkpoint.
    #[arg(long, default_value_t = 0, requires = "token")]
    quorum: usize,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct NoticesArgs {
    /// The verifier's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "verifier.toml")]
    config: PathBuf,
    /// JSON in place of words, with the signed statements.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The verifier's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "verifier.toml")]
    config: PathBuf,
    /// In which form.
    #[arg(long, default_value = "csv")]
    format: ReportFormat,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A table.
    Csv,
    /// One JSON array.
    Json,
}

/// What can be done with purposes.
#[derive(Subcommand)]
pub(crate) enum PurposesCommand {
    /// Write down the register's purposes.
    Export(ExportArgs),
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The verifier's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "verifier.toml")]
    config: PathBuf,
    /// In which form.
    #[arg(long, default_value = "csv")]
    format: PurposesFormat,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PurposesFormat {
    /// A table.
    Csv,
    /// JSON-LD in the terms of the Data Privacy Vocabulary, its context inlined.
    Jsonld,
}

/// Runs an auditor's command.
///
/// # Errors
/// Exit code 3 where the log does not hold, 2 or 5 where nothing can be said.
pub(crate) async fn run(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(args) => match &args.token {
            Some(token) => one(&args, token),
            None => whole(&args).await,
        },
        AuditCommand::Notices(args) => notices(&args).await,
        AuditCommand::Report(args) => count(&args).await,
    }
}

fn failed(fault: AuditError) -> Failure {
    match fault {
        AuditError::Open(_) | AuditError::Database => Failure::unavailable(fault),
        fault => Failure::usage(fault),
    }
}

async fn whole(args: &VerifyArgs) -> Result<(), Failure> {
    let config = serve::verifier_config(&args.config)?;
    let verdict = audit::verify(&config).await.map_err(failed)?;
    print::one(args.json, &verdict, || words(&verdict))?;
    match verdict.faults.len() {
        0 => Ok(()),
        many => Err(Failure::refused("audit", format!("the log does not hold: {many} faults"))),
    }
}

fn words(verdict: &Verdict) -> String {
    let Verdict { entries, decisions, notices, events, forgotten, checkpoints, .. } = verdict;
    let mut text = format!(
        "{entries} entries: {decisions} decisions, {notices} statements of what is in force, {events} events of \
         permissions, {forgotten} whose documents were deleted at their time; {checkpoints} checkpoints"
    );
    for fault in verdict.faults.iter().map(Fault::to_string) {
        text += &format!("\n  {fault}");
    }
    text
}

fn one(args: &VerifyArgs, token: &Path) -> Result<(), Failure> {
    let proof = args.proof.as_deref().ok_or_else(|| Failure::usage("--token needs --proof"))?;
    let keys =
        |texts: &[String]| texts.iter().map(|text| NoteKey::parse(text)).collect::<Result<Vec<_>, _>>();
    let believed = Believed {
        log: keys(&args.key).map_err(Failure::usage)?,
        witnesses: keys(&args.witness).map_err(Failure::usage)?,
        quorum: args.quorum,
    };
    let (token, proof) = (read(token)?, read(proof)?);
    let stands = check(&token, &proof, &believed).map_err(|refused| Failure::refused("audit", refused))?;
    print::one(args.json, &stands, || found(&stands))
}

fn found(stands: &Stands) -> String {
    let mut text = format!("{} at place {} of {}", stands.typ, stands.index, stands.size);
    for (name, at) in &stands.witnessed {
        text += &format!("\n  seen by {name} at {}", at.rfc3339());
    }
    text
}

async fn notices(args: &NoticesArgs) -> Result<(), Failure> {
    let config = serve::verifier_config(&args.config)?;
    let all = audit::notices(&config).await.map_err(failed)?;
    print::list(args.json, &all, |one| format!("{} {}: {}", one.what, one.id, one.digest))
}

async fn count(args: &ReportArgs) -> Result<(), Failure> {
    let config = serve::verifier_config(&args.config)?;
    let lines = report::report(&config).await.map_err(failed)?;
    match args.format {
        ReportFormat::Csv => print::text(&report::csv(&lines)),
        ReportFormat::Json => print::one(true, &lines, String::new),
    }
}

/// Writes down the purposes of a verifier's register, as it is in force now.
///
/// # Errors
/// When the register cannot be read or does not verify.
pub(crate) fn export(command: PurposesCommand) -> Result<(), Failure> {
    let PurposesCommand::Export(args) = command;
    let config = serve::verifier_config(&args.config)?;
    let register = policies::register_of(&config, SystemClock.now(), &Jws).map_err(Failure::usage)?;
    match args.format {
        PurposesFormat::Csv => print::text(&purposes::csv(&register)),
        PurposesFormat::Jsonld => print::one(true, &purposes::jsonld(&register), String::new),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", path.display(), e.kind())))
}
