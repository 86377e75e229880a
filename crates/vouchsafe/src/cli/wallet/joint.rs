//! `vouchsafe wallet join|contribute|exchanges`: an answer about two people, each with a wallet of their own.
//!
//! What the two wallets say to each other is one line of text each time, which people carry as they like: from a file
//! (`@FILE`), from standard input (`-`), or pasted.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use fast_qr::QRBuilder;
use serde_json::{Value, json};
use vouchsafe_wallet::joint::{CheckNumber, JointError, Next};
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{ReviewError, Wallet};

use super::super::print;
use super::{failure, words};
use crate::exit::Failure;

/// The largest text that is read of another wallet.
const MAX_TEXT: u64 = 128 * 1024;

#[derive(Args)]
pub(super) struct JoinArgs {
    /// The request's link: read what the service and the other wallet would learn.
    #[arg(required_unless_present = "message", conflicts_with = "message")]
    request: Option<String>,
    /// Invite the other person's wallet, once this command has shown what for.
    #[arg(long, requires = "request")]
    yes: bool,
    /// Print the invitation as a QR code as well.
    #[arg(long, requires = "yes")]
    qr: bool,
    /// Go on with the message of the other wallet: the text, @FILE, or - for standard input.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Args)]
pub(super) struct ContributeArgs {
    /// The invitation of the other wallet: the text, @FILE, or - for standard input.
    #[arg(required_unless_present = "message", conflicts_with = "message")]
    invitation: Option<String>,
    /// Send the other wallet what the review lists, once this command has shown it.
    #[arg(long, requires = "invitation")]
    yes: bool,
    /// The number of the invitation, as the other person reads it from their screen.
    #[arg(long, requires = "yes", value_name = "NUMBER", default_value = "", hide_default_value = true)]
    check: String,
    /// Go on with the message of the other wallet: the text, @FILE, or - for standard input.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Args)]
pub(super) struct ExchangesArgs {
    /// End this one, by its number; copies that it used stay used.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    end: Option<String>,
}

#[derive(Args)]
struct OutArgs {
    /// Write the text for the other wallet to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl OutArgs {
    /// Refuses a file that cannot be written, before a copy is used for what would stand in it.
    fn ready(&self) -> Result<(), Failure> {
        let Some(file) = &self.out else { return Ok(()) };
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened
            .map(drop)
            .map_err(|e| Failure::usage(format!("{} cannot be written: {}", file.display(), e.kind())))
    }
}

pub(super) async fn join(
    wallet: &Wallet,
    json: bool,
    args: &JoinArgs,
    language: Language,
) -> Result<(), Failure> {
    if let Some(message) = &args.message {
        return go_on(wallet, json, message, &args.out, language).await;
    }
    let refused = refused(language);
    let request = args.request.as_deref().unwrap_or_default();
    if !args.yes {
        return show_joining(wallet, json, request, language).await;
    }
    let joining = wallet.join_as_read(request).await;
    if let Err(JointError::Review(ReviewError::Changed)) = &joining {
        show_joining(wallet, json, request, language).await?;
    }
    let joining = joining.map_err(&refused)?;
    args.out.ready()?;
    let text = wallet.invite(&joining).await.map_err(&refused)?;
    let check = CheckNumber::of(&text);
    if args.qr && !json {
        let code = QRBuilder::new(text.as_str()).build();
        print::lines(
            json,
            &[code.map_err(|_| Failure::usage("the invitation is too long for a QR code"))?.to_str()],
        )?;
    }
    print::lines(json, &[check.words(language)])?;
    hand_over(json, "invitation", &text, &args.out, Some(&check))
}

/// Shows what inviting would mean, and keeps that it was shown.
async fn show_joining(wallet: &Wallet, json: bool, request: &str, language: Language) -> Result<(), Failure> {
    let joining = wallet.join(request).await.map_err(refused(language))?;
    print::one(json, joining.review().facts(), || joining.page(language).to_string())?;
    wallet.shown(&joining.reading()).await.map_err(Failure::unavailable)
}

pub(super) async fn contribute(
    wallet: &Wallet,
    json: bool,
    args: &ContributeArgs,
    language: Language,
) -> Result<(), Failure> {
    if let Some(message) = &args.message {
        return go_on(wallet, json, message, &args.out, language).await;
    }
    let refused = refused(language);
    let invitation = brought(args.invitation.as_deref().unwrap_or_default())?;
    if !args.yes {
        return show_invited(wallet, json, &invitation, language).await;
    }
    let invited = wallet.invited_as_read(&invitation).await;
    if let Err(JointError::Review(ReviewError::Changed)) = &invited {
        show_invited(wallet, json, &invitation, language).await?;
    }
    let invited = invited.map_err(&refused)?;
    args.out.ready()?;
    let text = wallet.contribute(&invited, &args.check).await.map_err(&refused)?;
    hand_over(json, "contribution", &text, &args.out, None)
}

/// Shows what taking part would mean, and keeps that it was shown.
async fn show_invited(
    wallet: &Wallet,
    json: bool,
    invitation: &str,
    language: Language,
) -> Result<(), Failure> {
    let invited = wallet.invited(invitation).await.map_err(refused(language))?;
    let (review, check) = (invited.review().facts(), invited.check());
    let told = json!({"review": review, "partner": invited.tells(), "check": check});
    print::one(json, &told, || invited.page(language).to_string())?;
    wallet.shown(&invited.reading()).await.map_err(Failure::unavailable)
}

pub(super) async fn exchanges(
    wallet: &Wallet,
    json: bool,
    args: &ExchangesArgs,
    language: Language,
) -> Result<(), Failure> {
    if let Some(id) = &args.end {
        let ended = wallet.end_exchange(id).await.map_err(refused(language))?;
        return print::one(json, &ended, || ended.words(language));
    }
    let all = wallet.exchanges().await.map_err(Failure::unavailable)?;
    print::list(json, &all, |one| one.words(language))
}

/// Takes the message of the other wallet, and hands over what follows of it.
async fn go_on(
    wallet: &Wallet,
    json: bool,
    message: &str,
    out: &OutArgs,
    language: Language,
) -> Result<(), Failure> {
    let message = brought(message)?;
    out.ready()?;
    match wallet.exchange(&message).await.map_err(refused(language))? {
        Next::Proof(text) => hand_over(json, "proof", &text, out, None),
        Next::Binding(text) => hand_over(json, "binding", &text, out, None),
        Next::Answered(answered) => print::one(json, &answered, || words(&answered, false, false)),
    }
}

/// The text for the other wallet, alone on its line, or in a file; for a script with its check number.
fn hand_over(
    json: bool,
    name: &str,
    text: &str,
    out: &OutArgs,
    check: Option<&CheckNumber>,
) -> Result<(), Failure> {
    let told = |text: Value| {
        let mut told = json!({ name: text });
        check.inspect(|check| told["check"] = json!(check));
        told
    };
    if let Some(file) = &out.out {
        std::fs::write(file, format!("{text}\n")).map_err(|e| {
            Failure::unavailable(format!("{} cannot be written: {}", file.display(), e.kind()))
        })?;
        let line = format!("Bring {} to the other person's wallet.", file.display());
        return print::one(json, &told(json!(file)), || line);
    }
    print::one(json, &told(json!(text)), || format!("Bring this line to the other person's wallet:\n{text}"))
}

/// A text that was pasted, or stands in a file or on standard input.
fn brought(text: &str) -> Result<String, Failure> {
    let mut read = String::new();
    let done = match text.strip_prefix('@') {
        Some(file) => {
            std::fs::File::open(file).and_then(|file| file.take(MAX_TEXT).read_to_string(&mut read))
        }
        None if text == "-" => std::io::stdin().take(MAX_TEXT).read_to_string(&mut read),
        None => return Ok(text.to_owned()),
    };
    done.map_err(|e| Failure::usage(format!("the other wallet's text cannot be read: {}", e.kind())))?;
    Ok(read)
}

fn refused(language: Language) -> impl Fn(JointError) -> Failure {
    move |e| failure(e.fault(), e.code(), e.words(language))
}
