//! `vouchsafe verifier …`: for the service that asks, and for the registrar.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use vouchsafe_protocol::decision::Expected;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::config::{self, SecretFile};
use vouchsafe_service::keys::{self, Jws, SigningKey};
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::decision;
use vouchsafe_verifier::policies::{self, Report};
use vouchsafe_verifier::trust::{self, Signed, Sources};

use super::{audit, print};
use crate::exit::Failure;

/// What a verifier's operator can do.
#[derive(Subcommand)]
pub(crate) enum VerifierCommand {
    /// Try the policies: their test cases, their cost, everything that forbids asking with them.
    #[command(subcommand)]
    Policies(PoliciesCommand),
    /// Check signed decisions.
    #[command(subcommand)]
    Decisions(DecisionsCommand),
    /// For an auditor: whether the log holds, and numbers.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The purposes of the register.
    #[command(subcommand)]
    Purposes(audit::PurposesCommand),
    /// The registrar's part: sign a register.
    #[command(subcommand)]
    Trust(TrustCommand),
}

#[derive(Subcommand)]
pub(crate) enum PoliciesCommand {
    /// Check every policy of the installation, as it would be asked with today.
    Check(PoliciesArgs),
}

#[derive(Args)]
pub(crate) struct PoliciesArgs {
    /// The verifier's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "verifier.toml")]
    config: PathBuf,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

#[derive(Subcommand)]
pub(crate) enum DecisionsCommand {
    /// Check one decision with the verifier's published keys.
    Verify(DecisionArgs),
}

#[derive(Args)]
pub(crate) struct DecisionArgs {
    /// The file that holds the decision, a compact JWS.
    decision: PathBuf,
    /// The verifier's key set, as fetched from its /.well-known/jwks.json.
    #[arg(long)]
    jwks: PathBuf,
    /// The verifier's origin.
    #[arg(long)]
    issuer: String,
    /// The service's own id.
    #[arg(long)]
    audience: String,
    /// The id of the request, as the verifier's API gave it.
    #[arg(long)]
    request: String,
    /// Where the service runs.
    #[arg(long)]
    env: Environment,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

/// Test or live, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Environment {
    /// Synthetic people, development keys.
    Test,
    /// Real people.
    Live,
}

impl From<Environment> for Env {
    fn from(env: Environment) -> Self {
        match env {
            Environment::Test => Self::Test,
            Environment::Live => Self::Live,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum TrustCommand {
    /// Sign a register from its sources.
    Sign(SignArgs),
}

#[derive(Args)]
pub(crate) struct SignArgs {
    /// The sources: TOML files that are joined.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// The registrar's key, PKCS#8 PEM; no service holds it.
    #[arg(long)]
    key: PathBuf,
    /// Where the register goes; a register that is there must not be newer.
    #[arg(long)]
    out: PathBuf,
    /// A folder for what issuers pass on: each one's entry, and the lists.
    #[arg(long)]
    extracts: Option<PathBuf>,
}

/// Runs a verifier's command.
///
/// # Errors
/// A [`Failure`] that names what to mend.
pub(crate) async fn run(command: VerifierCommand) -> Result<(), Failure> {
    keys::install();
    match command {
        VerifierCommand::Policies(PoliciesCommand::Check(args)) => check(&args),
        VerifierCommand::Decisions(DecisionsCommand::Verify(args)) => verify(&args),
        VerifierCommand::Audit(command) => audit::run(command).await,
        VerifierCommand::Purposes(command) => audit::export(command),
        VerifierCommand::Trust(TrustCommand::Sign(args)) => sign(&args).await,
    }
}

fn check(args: &PoliciesArgs) -> Result<(), Failure> {
    let config: Config = config::load(Some(&args.config), config::environment()).map_err(Failure::usage)?;
    let reports = policies::check_installed(&config, SystemClock.now(), &Jws).map_err(Failure::usage)?;
    let rows: Vec<Value> = reports.iter().map(row).collect();
    print::list(args.json, &rows, words)?;
    match reports.iter().filter(|report| !report.refusals.is_empty()).count() {
        0 => Ok(()),
        refused => {
            Err(Failure::refused("policy", format!("{refused} of {} policies are refused", reports.len())))
        }
    }
}

fn row(report: &Report) -> Value {
    let costs = report.costs.iter().map(|cost| {
        json!({"queries": cost.queries, "outcome": cost.outcome, "statements": cost.statements,
            "sub_proofs": cost.sub_proofs, "n": cost.n, "m": cost.m, "proof_bytes": cost.bytes})
    });
    json!({
        "policy": report.id, "version": report.version, "file": report.file,
        "cases_passed": report.cases_passed, "costs": costs.collect::<Vec<_>>(),
        "refusals": report.refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn words(row: &Value) -> String {
    let mut text = format!(
        "{}@{}: {} test cases pass",
        row["policy"].as_str().unwrap_or_default(),
        row["version"],
        row["cases_passed"]
    );
    for cost in row["costs"].as_array().into_iter().flatten() {
        let (n, m) = (&cost["n"], &cost["m"]);
        text += &format!(
            "\n  {} by {}: {} sub-proofs, n = {n}, m = {m}, proof of {} bytes",
            cost["outcome"], cost["queries"], cost["sub_proofs"], cost["proof_bytes"]
        );
    }
    for refusal in row["refusals"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text += &format!("\n  refused: {refusal}");
    }
    for warning in row["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text += &format!("\n  warning: {warning}");
    }
    text
}

fn verify(args: &DecisionArgs) -> Result<(), Failure> {
    let token = read(&args.decision)?;
    let keys: Value = serde_json::from_str(&read(&args.jwks)?)
        .map_err(|_| Failure::usage(format!("{} is not JSON", args.jwks.display())))?;
    let expected = Expected {
        iss: &args.issuer,
        aud: &args.audience,
        request_id: &args.request,
        env: args.env.into(),
        now: SystemClock.now(),
    };
    let claims = decision::verify(token.trim(), &keys, &expected, &Jws);
    let claims = claims.map_err(|refused| Failure::refused("decision", refused))?;
    print::one(args.json, &claims, || {
        format!("{} under {}@{}", claims.outcome.as_str(), claims.policy.id, claims.policy.version)
    })
}

async fn sign(args: &SignArgs) -> Result<(), Failure> {
    let texts = args.sources.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let sources = Sources::parse(texts.iter().map(String::as_str)).map_err(Failure::usage)?;
    let key = SecretFile::new(&args.key).read().map_err(Failure::usage)?;
    let key = SigningKey::from_pkcs8_pem(&key).map_err(Failure::usage)?;
    let stored = std::fs::read_to_string(&args.out).ok().and_then(|register| trust::version_of(&register));
    let signed = trust::sign(&sources, &key, stored, SystemClock.now()).await;
    let signed = signed.map_err(|e| Failure::refused("register", e))?;
    write(&args.out, &signed.jws)?;
    if let Some(folder) = &args.extracts {
        extracts(folder, &signed)?;
    }
    print::one(false, &(), || format!("Version {} is signed; replace it within a week.", signed.reg_version))
}

/// One file for each issuer's entry and each list, named by a hash: ids are URIs.
fn extracts(folder: &Path, signed: &Signed) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::unavailable)?;
    let name = |id: &str| b64u(&vouchsafe_protocol::encoding::sha256(id)[..9]);
    for (iss, jws) in &signed.issuers {
        write(&folder.join(format!("issuer-{}.jws", name(iss))), jws)?;
    }
    for (id, version, jws) in &signed.tables {
        write(&folder.join(format!("list-{}-{version}.jws", name(id))), jws)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", path.display(), e.kind())))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|e| Failure::unavailable(format!("{} could not be written: {}", path.display(), e.kind())))
}
