//! `vouchsafe wallet …`: for the resident.

mod joint;
mod permissions;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::client::{Http, Reach};
use vouchsafe_service::clock::SystemClock;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_wallet::entitled::remark;
use vouchsafe_wallet::http::Client;
use vouchsafe_wallet::review::Wish;
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Answered, Confirmed, Fault as WalletFault, Machine, Review, ReviewError, Wallet};

use super::print;
use crate::exit::{Failure, Fault};

/// The web's own authorities, where Debian and its kin keep them.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The wallet's commands, and where the wallet is.
#[derive(Args)]
pub(crate) struct WalletArgs {
    /// The vault's folder; made when it is not there.
    #[arg(long, env = "VOUCHSAFE_VAULT")]
    vault: PathBuf,
    /// The file that holds the passphrase.
    #[arg(long, env = "VOUCHSAFE_PASSPHRASE_FILE")]
    passphrase_file: PathBuf,
    /// Development: trust the listeners of this certificate authority (PEM), on this machine alone, and take part in
    /// test services.
    #[arg(long, env = "VOUCHSAFE_DEV_CA")]
    dev_ca: Option<PathBuf>,
    /// The language: en or cy.
    #[arg(long, default_value = "en", env = "VOUCHSAFE_LANGUAGE")]
    language: String,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON", global = true)]
    json: bool,
    #[command(subcommand)]
    command: WalletCommand,
}

#[derive(Subcommand)]
enum WalletCommand {
    /// Collect what an offer offers, or ask again for what an officer decides on first.
    Receive {
        /// The offer's link.
        #[arg(required_unless_present = "waiting")]
        offer: Option<String>,
        /// The code that came apart from it.
        #[arg(long)]
        tx_code: Option<String>,
        /// Ask again for everything that waits, and go on with what was stopped half-way.
        #[arg(long, conflicts_with_all = ["offer", "tx_code"])]
        waiting: bool,
    },
    /// What this wallet holds.
    List {
        /// Look up first whether it still counts: the bodies that signed it learn that you looked, not at what. Does what
        /// `permissions ask` does as well.
        #[arg(long)]
        refresh: bool,
    },
    /// Read a request: who asks, what for, what they would learn.
    Review(AskedArgs),
    /// Answer a request.
    Answer(AnswerArgs),
    /// Answer a request that takes another person as well: invite their wallet, make the answer with it, send it.
    Join(joint::JoinArgs),
    /// Take part in another person's answer: their wallet has invited this one.
    Contribute(joint::ContributeArgs),
    /// Answers with another person that are in the making: what each waits for, and what it used.
    Exchanges(joint::ExchangesArgs),
    /// What you qualify for today, by the policies that services publish. Worked out here; nobody is told.
    Entitled {
        /// The address of the service that checks answers, https; or a file with the policies.
        from: String,
    },
    /// What you permitted besides answers: how it stands, its record, and taking it back.
    Permissions(permissions::PermissionsArgs),
    /// What happened, newest first; it holds no values.
    History {
        /// Delete what is listed.
        #[arg(long)]
        delete: bool,
        /// Delete what happened before this day alone, as YYYY-MM-DD.
        #[arg(long, requires = "delete", value_name = "DAY")]
        before: Option<Date>,
    },
    /// Whom this wallet believes.
    #[command(subcommand)]
    Trust(TrustCommand),
}

#[derive(Args)]
struct AnswerArgs {
    #[command(flatten)]
    asked: AskedArgs,
    /// Share what the review lists. It is what `review` showed here: without that, and where it has changed, nothing is
    /// sent.
    #[arg(long, group = "choice", required_unless_present_any = ["no", "contrary"])]
    yes: bool,
    /// Say no.
    #[arg(long, group = "choice")]
    no: bool,
    /// Show that you do not meet the rule.
    #[arg(long, group = "choice")]
    contrary: bool,
}

/// Which request, and what is to be sent otherwise than by default.
#[derive(Args)]
struct AskedArgs {
    /// The request's link; with `--at`, the code that its page shows.
    request: String,
    /// The address of the page that shows the code, as the browser names it.
    #[arg(long, value_name = "URL")]
    at: Option<String>,
    #[command(flatten)]
    wish: WishArgs,
}

/// What is to be sent otherwise than by default.
#[derive(Args)]
struct WishArgs {
    /// Answer with this credential, by its number in `list`; without it, with the freshest. Several times where the
    /// service takes several.
    #[arg(long = "use", value_name = "ID")]
    using: Vec<String>,
    /// Send a part as well that the service can do without, by its number in `review`.
    #[arg(long = "with", value_name = "PART")]
    adding: Vec<usize>,
}

impl WishArgs {
    fn wish(&self) -> Wish {
        Wish { using: self.using.clone(), adding: self.adding.clone() }
    }
}

#[derive(Subcommand)]
enum TrustCommand {
    /// Add a registrar's trust file.
    Add {
        /// The file.
        file: PathBuf,
    },
}

/// Runs a wallet's command.
///
/// # Errors
/// A [`Failure`] that says what to do.
pub(crate) async fn run(args: WalletArgs) -> Result<(), Failure> {
    keys::install();
    let language = Language::parse(&args.language).ok_or_else(|| Failure::usage("--language is en or cy"))?;
    let wallet = open(&args).await?;
    let done = answer(&wallet, &args, language).await;
    wallet.close().await;
    done
}

async fn answer(wallet: &Wallet, args: &WalletArgs, language: Language) -> Result<(), Failure> {
    match &args.command {
        WalletCommand::Receive { offer: Some(offer), tx_code, .. } => {
            receive(wallet, args.json, language, offer, tx_code.as_deref()).await
        }
        WalletCommand::Receive { offer: None, .. } => waiting(wallet, args.json, language).await,
        WalletCommand::List { refresh } => list(wallet, args.json, language, *refresh).await,
        WalletCommand::Review(asked) => show(wallet, args.json, asked, language).await,
        WalletCommand::Answer(choice) => share(wallet, args.json, choice, language).await,
        WalletCommand::Join(asked) => joint::join(wallet, args.json, asked, language).await,
        WalletCommand::Contribute(invited) => joint::contribute(wallet, args.json, invited, language).await,
        WalletCommand::Exchanges(which) => joint::exchanges(wallet, args.json, which, language).await,
        WalletCommand::Entitled { from } => entitled(wallet, args.json, language, from).await,
        WalletCommand::Permissions(what) => permissions::run(wallet, args.json, what, language).await,
        WalletCommand::History { delete: false, .. } => history(wallet, args.json, language).await,
        WalletCommand::History { before, .. } => forget(wallet, args.json, language, *before).await,
        WalletCommand::Trust(TrustCommand::Add { file }) => trust(wallet, args.json, file).await,
    }
}

async fn open(args: &WalletArgs) -> Result<Wallet, Failure> {
    let passphrase = SecretFile::new(&args.passphrase_file).read().map_err(Failure::usage)?;
    let (authorities, reach, env) = match &args.dev_ca {
        Some(file) => (file.clone(), Reach::Loopback, Env::Test),
        None => (PathBuf::from(SYSTEM_AUTHORITIES), Reach::Global, Env::Live),
    };
    let pem = std::fs::read(&authorities)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", authorities.display(), e.kind())))?;
    let anchors: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
    let http = Http::new(&anchors, reach).map_err(Failure::unavailable)?;
    let machine = Machine {
        http: Arc::new(Client::new(http)),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy::new()),
        env,
    };
    Wallet::open(&args.vault, passphrase.trim().as_bytes(), Cost::default(), machine)
        .await
        .map_err(|e| Failure::refused("vault", e))
}

async fn receive(
    wallet: &Wallet,
    json: bool,
    language: Language,
    offer: &str,
    tx_code: Option<&str>,
) -> Result<(), Failure> {
    let collected = wallet.receive(offer, tx_code).await.map_err(|e| failure(e.fault(), e.code(), e))?;
    let received = collected.received.iter().map(|one| (json!(one), one.words(language)));
    let waiting = collected.waiting.iter().map(|one| (json!(one), one.words(language)));
    let (rows, words): (Vec<_>, Vec<_>) = received.chain(waiting).unzip();
    if json { print::list(json, &rows, ToString::to_string) } else { print::lines(json, &words) }
}

async fn waiting(wallet: &Wallet, json: bool, language: Language) -> Result<(), Failure> {
    let all = wallet.receive_waiting().await.map_err(Failure::unavailable)?;
    print::list(json, &all, |one| one.words(language))
}

async fn list(wallet: &Wallet, json: bool, language: Language, refresh: bool) -> Result<(), Failure> {
    if refresh {
        // A list that cannot be read is told with what it is about.
        wallet.refresh_status().await.map_err(Failure::unavailable)?;
        // Remarks: what is listed is what is held.
        let asked = wallet.ask_permissions().await.map_err(Failure::unavailable)?;
        print::lines(json, &asked.iter().map(|one| one.words(language)).collect::<Vec<_>>())?;
    }
    let held = wallet.list().await.map_err(Failure::unavailable)?;
    print::list(json, &held, |one| one.words(language))
}

fn refused(language: Language) -> impl Fn(ReviewError) -> Failure {
    move |e| failure(e.fault(), e.code(), e.words(language))
}

/// The link of the request, where a code was typed by what its page says.
async fn link(wallet: &Wallet, asked: &AskedArgs, language: Language) -> Result<String, Failure> {
    match &asked.at {
        Some(page) => wallet.find(page, &asked.request).await.map_err(refused(language)),
        None => Ok(asked.request.clone()),
    }
}

async fn review(wallet: &Wallet, asked: &AskedArgs, language: Language) -> Result<Review, Failure> {
    let link = link(wallet, asked, language).await?;
    wallet.review_wishing(&link, &asked.wish.wish()).await.map_err(refused(language))
}

/// Shows the review, and keeps that it was shown.
async fn show(wallet: &Wallet, json: bool, asked: &AskedArgs, language: Language) -> Result<(), Failure> {
    let review = review(wallet, asked, language).await?;
    print::one(json, review.facts(), || review.page(language).to_string())?;
    wallet.shown(&review.reading()).await.map_err(Failure::unavailable)
}

/// The review that was shown before. One that has changed is shown instead, and refused.
async fn read(wallet: &Wallet, json: bool, asked: &AskedArgs, language: Language) -> Result<Review, Failure> {
    let link = link(wallet, asked, language).await?;
    let read = wallet.review_as_read(&link, &asked.wish.wish()).await;
    if let Err(ReviewError::Changed) = &read {
        show(wallet, json, asked, language).await?;
    }
    read.map_err(|e| match e {
        ReviewError::Unread => {
            failure(e.fault(), e.code(), format!("{} (`vouchsafe wallet review`)", e.words(language)))
        }
        e => refused(language)(e),
    })
}

async fn share(wallet: &Wallet, json: bool, choice: &AnswerArgs, language: Language) -> Result<(), Failure> {
    let review = match choice.no {
        true => review(wallet, &choice.asked, language).await?,
        false => read(wallet, json, &choice.asked, language).await?,
    };
    let answered = match (choice.no, choice.contrary) {
        (true, _) => wallet.decline(&review).await,
        (false, true) => wallet.share(&review, Confirmed::Contrary).await,
        (false, false) => wallet.share(&review, Confirmed::Share).await,
    };
    let answered = answered.map_err(|e| failure(e.fault(), e.code(), e))?;
    let permitted = !choice.no && review.facts().permits.is_some();
    print::one(json, &answered, || words(&answered, choice.no, permitted))
}

fn words(answered: &Answered, declined: bool, permitted: bool) -> String {
    let done = match (declined, permitted) {
        (true, _) => "You did not share.",
        (false, false) => "You shared what the review listed.",
        (false, true) => {
            "You shared what the review listed, and signed what it says of a permission (`permissions`)."
        }
    };
    match &answered.redirect_uri {
        Some(uri) => format!("{done}\nGo on in your browser:\n  {uri}"),
        None => done.to_owned(),
    }
}

async fn entitled(wallet: &Wallet, json: bool, language: Language, from: &str) -> Result<(), Failure> {
    let entitled = if from.contains("://") {
        wallet.entitled_at(from).await
    } else {
        let document = std::fs::read(from)
            .map_err(|e| Failure::usage(format!("{from} cannot be read: {}", e.kind())))?;
        wallet.entitled_by(&document).await
    };
    let entitled = entitled.map_err(|e| failure(e.fault(), e.code(), e.words(language)))?;
    print::list(json, &entitled, |one| one.words(language))?;
    print::lines(json, &[remark(language, !entitled.is_empty())])
}

async fn history(wallet: &Wallet, json: bool, language: Language) -> Result<(), Failure> {
    let entries = wallet.history().await.map_err(Failure::unavailable)?;
    print::list(json, &entries, |entry| entry.line(language))
}

async fn forget(
    wallet: &Wallet,
    json: bool,
    language: Language,
    before: Option<Date>,
) -> Result<(), Failure> {
    let deleted = wallet.delete_history(before).await.map_err(Failure::unavailable)?;
    print::one(json, &json!({ "deleted": deleted }), || vouchsafe_wallet::history::deleted(language, deleted))
}

async fn trust(wallet: &Wallet, json: bool, file: &PathBuf) -> Result<(), Failure> {
    let text = std::fs::read(file)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", file.display(), e.kind())))?;
    let added = wallet.trust_add(&text).await.map_err(|e| Failure::refused("trust-file", e))?;
    print::one(json, &json!(added), || {
        format!("{}: {} keys and {} anchors.", added.registrar, added.keys, added.anchors)
    })
}

/// A wallet's refusal with the exit code of its fault.
fn failure(fault: WalletFault, code: &'static str, message: impl std::fmt::Display) -> Failure {
    let fault = match fault {
        WalletFault::Caller => Fault::Usage,
        WalletFault::RefusedByUs => Fault::Refused,
        WalletFault::RefusedByPeer => Fault::Peer,
        WalletFault::Unavailable => Fault::Unavailable,
    };
    Failure::new(fault, code, message)
}
