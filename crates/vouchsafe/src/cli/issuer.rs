//! `vouchsafe issuer …`: for the body that signs facts.

mod status;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use serde_json::json;
use vouchsafe_issuer::import::{self, Options, RowError};
use vouchsafe_issuer::offer::{self, Delivery, OfferRequest};
use vouchsafe_issuer::store::{Issuing as _, Verdict};
use vouchsafe_issuer::{App, Config, Kind, deferral, linking};
use vouchsafe_protocol::status::Standing;
use vouchsafe_service::clock::DatabaseClock;
use vouchsafe_service::config;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_service::store::Schema;

use super::print;
use crate::exit::Failure;
use status::{StatusArgs, StatusCommand};

/// What an issuer's officer can do.
#[derive(Subcommand)]
pub(crate) enum IssuerCommand {
    /// List the credential types.
    Types(TypesArgs),
    /// Load a register from CSV; a run that was broken off goes on where it stopped.
    Import(ImportArgs),
    /// Offer one person their credential.
    Offer(OfferArgs),
    /// Withdraw all copies of a type from people, for good; shows with the next publication.
    Revoke(StatusArgs),
    /// Withdraw all copies of a type from people for the time being; shows with the next publication.
    Suspend(StatusArgs),
    /// Give people back what was suspended; shows with the next publication.
    Restore(StatusArgs),
    /// The status lists.
    #[command(subcommand)]
    Status(StatusCommand),
    /// List the requests that wait for an officer, of types with `deferred = true`.
    Waiting(WaitingArgs),
    /// Approve a request that waits: the wallet can collect.
    Approve(DecideArgs),
    /// Refuse a request that waits: nothing will be issued.
    Refuse(DecideArgs),
    /// Let a person collect with another wallet, of types with `link = true`: at the counter, once you know who it is.
    /// Forgets which wallet they are registered with; revokes nothing.
    ReplaceWallet(ReplaceArgs),
    /// Count what wallets told of the batches they collected.
    Notified(TypesArgs),
}

#[derive(Args)]
pub(crate) struct Settings {
    /// The issuer's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG", default_value = "issuer.toml")]
    config: PathBuf,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct TypesArgs {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    settings: Settings,
    /// The register: CSV with a header.
    file: PathBuf,
    /// The credential type.
    #[arg(long = "type")]
    type_id: String,
    /// The column that names a person.
    #[arg(long)]
    key_column: String,
    /// The day on which all rows were true, YYYY-MM-DD.
    #[arg(long)]
    facts_as_of: Date,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    preview: bool,
    /// Where to write the refused lines, as CSV.
    #[arg(long)]
    errors: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct OfferArgs {
    #[command(flatten)]
    settings: Settings,
    /// The partner's key of the person.
    person: String,
    /// The credential type.
    #[arg(long = "type")]
    type_id: String,
    /// The period, YYYY-MM, of a type with a credential for each.
    #[arg(long)]
    period: Option<String>,
    /// Copies that are shown, or copies that prove.
    #[arg(long, default_value = "proof")]
    kind: KindArg,
    /// Write the letter (two A4 pages, HTML) to this file and keep the link off the screen.
    #[arg(long)]
    letter: Option<PathBuf>,
    /// A line of the letter's address window; repeat it.
    #[arg(long)]
    recipient: Vec<String>,
    /// The letter's language.
    #[arg(long, default_value = "en")]
    language: String,
    /// Write the QR code as SVG to this file.
    #[arg(long)]
    qr_svg: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct WaitingArgs {
    #[command(flatten)]
    settings: Settings,
    /// Only those of the person whom the partner names by this key.
    #[arg(long)]
    person: Option<String>,
}

#[derive(Args)]
pub(crate) struct DecideArgs {
    #[command(flatten)]
    settings: Settings,
    /// The reference, as `issuer waiting` lists it.
    reference: String,
}

#[derive(Args)]
pub(crate) struct ReplaceArgs {
    #[command(flatten)]
    settings: Settings,
    /// The partner's key of the person.
    person: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Plain,
    Proof,
}

/// Runs an issuer's command.
///
/// # Errors
/// A [`Failure`] that names what to mend.
pub(crate) async fn run(command: IssuerCommand) -> Result<(), Failure> {
    match command {
        IssuerCommand::Types(args) => types(&args.settings).await,
        IssuerCommand::Import(args) => import(&args).await,
        IssuerCommand::Offer(args) => offer(&args).await,
        IssuerCommand::Revoke(args) => status::change(&args, Standing::Revoked).await,
        IssuerCommand::Suspend(args) => status::change(&args, Standing::Suspended).await,
        IssuerCommand::Restore(args) => status::change(&args, Standing::Valid).await,
        IssuerCommand::Status(command) => status::run(&command).await,
        IssuerCommand::Waiting(args) => waiting(&args).await,
        IssuerCommand::Approve(args) => decide(&args, Verdict::Approve).await,
        IssuerCommand::Refuse(args) => decide(&args, Verdict::Refuse).await,
        IssuerCommand::ReplaceWallet(args) => replace_wallet(&args).await,
        IssuerCommand::Notified(args) => notified(&args.settings).await,
    }
}

async fn open(settings: &Settings) -> Result<App, Failure> {
    keys::install();
    let config: Config =
        config::load(Some(&settings.config), config::environment()).map_err(Failure::usage)?;
    let clock = Arc::new(DatabaseClock::default());
    App::open(&config, Schema::Expect, clock, Arc::new(OsEntropy::new())).await.map_err(Failure::unavailable)
}

async fn types(settings: &Settings) -> Result<(), Failure> {
    let app = open(settings).await?;
    let rows = app.types().iter().map(|one| json!({"id": one.id, "vct": one.vct, "name": one.name.en}));
    let rows: Vec<_> = rows.collect();
    print::list(settings.json, &rows, |row| {
        format!("{}  {}  {}", text(row, "id"), text(row, "vct"), text(row, "name"))
    })
}

async fn waiting(args: &WaitingArgs) -> Result<(), Failure> {
    let app = open(&args.settings).await?;
    let found = deferral::waiting(&app, args.person.as_deref()).await.map_err(Failure::unavailable)?;
    let row = |one: &deferral::Waiting| {
        json!({"reference": one.reference, "type": one.type_id, "kind": one.kind.as_str(),
            "asked_at": one.asked_at.rfc3339()})
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    print::list(args.settings.json, &rows, |row| {
        let column = |member| text(row, member);
        format!("{}  {}  {}  {}", column("reference"), column("type"), column("kind"), column("asked_at"))
    })
}

async fn decide(args: &DecideArgs, verdict: Verdict) -> Result<(), Failure> {
    let app = open(&args.settings).await?;
    deferral::decide(&app, &args.reference, verdict).await.map_err(|e| Failure::refused("reference", e))?;
    let decided = match verdict {
        Verdict::Approve => "approved",
        Verdict::Refuse => "refused",
    };
    let summary = json!({"reference": args.reference, "decided": decided});
    print::one(args.settings.json, &summary, || format!("{} is {decided}.", args.reference))
}

async fn replace_wallet(args: &ReplaceArgs) -> Result<(), Failure> {
    let app = open(&args.settings).await?;
    if !linking::release(&app, &args.person).await.map_err(Failure::unavailable)? {
        return Err(Failure::refused("person", "no wallet is registered for this person"));
    }
    print::one(args.settings.json, &json!({"released": true}), || {
        "The next wallet to collect for this person is registered, and the one before never again. Offers, tokens and \
         requests that were open for this person are over: make a new offer. What was issued before stays good until it \
         ends or is revoked: see `issuer revoke`."
            .to_owned()
    })
}

async fn notified(settings: &Settings) -> Result<(), Failure> {
    let app = open(settings).await?;
    let [accepted, failed, deleted] = app.store().notified().await.map_err(Failure::unavailable)?;
    let summary = json!({"accepted": accepted, "failed": failed, "deleted": deleted});
    print::one(settings.json, &summary, || {
        format!("{accepted} batches accepted, {failed} failed, {deleted} deleted.")
    })
}

fn text<'a>(row: &'a serde_json::Value, member: &str) -> &'a str {
    row[member].as_str().unwrap_or_default()
}

async fn import(args: &ImportArgs) -> Result<(), Failure> {
    let app = open(&args.settings).await?;
    let options = Options {
        type_id: args.type_id.clone(),
        key_column: args.key_column.clone(),
        facts_as_of: args.facts_as_of,
    };
    if args.preview { preview(&app, args, &options) } else { load(&app, args, &options).await }
}

fn preview(app: &App, args: &ImportArgs, options: &Options) -> Result<(), Failure> {
    let seen = import::preview(app, &args.file, options).map_err(Failure::usage)?;
    write_errors(args.errors.as_deref(), &seen.errors)?;
    let summary = json!({"records": seen.records, "rejected": seen.rejected});
    print::one(args.settings.json, &summary, || {
        format!("{} records, of which {} would be refused.", seen.records, seen.rejected)
    })?;
    print::lines(args.settings.json, &seen.errors)
}

async fn load(app: &App, args: &ImportArgs, options: &Options) -> Result<(), Failure> {
    let bar = progress();
    let told = |progress: &vouchsafe_issuer::store::Progress| bar.set_position(progress.records_read);
    let report = import::run(app, &args.file, options, told).await.map_err(Failure::usage)?;
    bar.finish_and_clear();
    write_errors(args.errors.as_deref(), &report.errors)?;
    let done = &report.progress;
    let summary = json!({"added": done.added, "updated": done.updated, "rejected": done.rejected, "absent": done.absent, "resumed_at": report.resumed_at});
    print::one(args.settings.json, &summary, || {
        let done_so = format!("{} added, {} updated, {} refused.", done.added, done.updated, done.rejected);
        match done.absent {
            0 => done_so,
            n => format!(
                "{done_so}\n{n} enrolled people are not in this file. They are kept, and offers to them still work: ask the body whose register it is whether they left."
            ),
        }
    })?;
    print::lines(args.settings.json, &report.errors)
}

/// A count of records read, shown only to a person at a terminal.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} records read, {elapsed}");
    ProgressBar::new_spinner().with_style(style.expect("the template is constant"))
}

fn write_errors(file: Option<&Path>, errors: &[RowError]) -> Result<(), Failure> {
    file.map_or(Ok(()), |path| write(path, &import::errors_csv(errors)))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|e| Failure::unavailable(format!("{} could not be written: {}", path.display(), e.kind())))
}

async fn offer(args: &OfferArgs) -> Result<(), Failure> {
    let app = open(&args.settings).await?;
    let kind = match args.kind {
        KindArg::Plain => Kind::Plain,
        KindArg::Proof => Kind::Proof,
    };
    let delivery = if args.letter.is_some() { Delivery::Letter } else { Delivery::Link };
    let request = OfferRequest { type_id: args.type_id.clone(), person: args.person.clone(), kind, delivery };
    let made = match &args.period {
        Some(period) => offer::create_for_period(&app, &request, period).await,
        None => offer::create(&app, &request).await,
    };
    let made = made.map_err(|e| Failure::refused("offer", e))?;
    if let Some(path) = &args.qr_svg {
        write(path, &made.qr_svg().map_err(Failure::usage)?)?;
    }
    match &args.letter {
        Some(path) => letter(&app, args, &made, path),
        None => show(args.settings.json, &made),
    }
}

fn letter(app: &App, args: &OfferArgs, made: &offer::Offer, path: &Path) -> Result<(), Failure> {
    let language =
        offer::Language::parse(&args.language).ok_or_else(|| Failure::usage("--language is en or cy"))?;
    let letter = offer::Letter { recipient: args.recipient.clone(), language };
    write(path, &made.letter(app, &letter).map_err(Failure::unavailable)?)?;
    let summary = json!({"letter": path, "expires_at": made.expires_at().0});
    print::one(args.settings.json, &summary, || {
        format!("The letter is in {}. Print it; the second page travels apart.", path.display())
    })
}

fn show(json: bool, made: &offer::Offer) -> Result<(), Failure> {
    let summary = json!({"uri": made.link(), "tx_code": made.tx_code(), "expires_at": made.expires_at().0});
    print::one(json, &summary, || {
        let picture =
            if io::stdout().is_terminal() { made.qr_text().unwrap_or_default() } else { String::new() };
        format!("{picture}\n{}\nCode, to be given apart from the link: {}", made.link(), made.tx_code())
    })?;
    io::stdout().flush().map_err(Failure::unavailable)
}
