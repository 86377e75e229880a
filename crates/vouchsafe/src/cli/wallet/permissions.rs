//! `vouchsafe wallet permissions …`: what was permitted, how it stands, and taking it back.

use clap::{Args, Subcommand};
use serde_json::json;
use vouchsafe_wallet::permissions::AskedAgain;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Permission, PermissionError, Wallet};

use super::super::print;
use super::failure;
use crate::exit::Failure;

#[derive(Args)]
pub(super) struct PermissionsArgs {
    #[command(subcommand)]
    command: Option<PermissionsCommand>,
}

#[derive(Subcommand)]
enum PermissionsCommand {
    /// Every permission, by its number. Nobody is asked.
    List,
    /// One permission: what it is about, how it stands, what is kept, how it is taken back. Nobody is asked.
    Show(Numbered),
    /// Ask for the record of a permission, and say how it stands.
    Check(Numbered),
    /// Take a permission back. It holds from this moment; where nobody could be told, say it again later.
    Withdraw(Numbered),
    /// Ask whether something waits under permissions to be asked again, and answer what was permitted.
    Ask,
    /// The record as it was signed, to be shown to anybody.
    Export(Numbered),
    /// A page to print.
    Print(PrintArgs),
    /// Delete a permission that is over.
    Delete(Numbered),
}

#[derive(Args)]
struct Numbered {
    /// Its number in `list`.
    #[arg(allow_hyphen_values = true)]
    id: String,
}

#[derive(Args)]
struct PrintArgs {
    #[command(flatten)]
    numbered: Numbered,
    /// As a page for a browser.
    #[arg(long)]
    html: bool,
}

pub(super) async fn run(
    wallet: &Wallet,
    json: bool,
    args: &PermissionsArgs,
    language: Language,
) -> Result<(), Failure> {
    let refused = refused(language);
    let told =
        |permission: &Permission| print::one(json, permission, || permission.page(language).to_string());
    match args.command.as_ref().unwrap_or(&PermissionsCommand::List) {
        PermissionsCommand::List => {
            let all = wallet.permissions().await.map_err(Failure::unavailable)?;
            print::list(json, &all, |one| one.line(language))
        }
        PermissionsCommand::Show(Numbered { id }) => told(&wallet.permission(id).await.map_err(refused)?),
        PermissionsCommand::Check(Numbered { id }) => {
            told(&wallet.check_permission(id).await.map_err(refused)?)
        }
        PermissionsCommand::Withdraw(Numbered { id }) => {
            told(&wallet.withdraw_permission(id).await.map_err(refused)?)
        }
        PermissionsCommand::Ask => ask(wallet, json, language).await,
        PermissionsCommand::Export(Numbered { id }) => {
            let exported = wallet.export_permission(id).await.map_err(refused)?;
            print::one(json, &exported, || exported.record.clone())
        }
        PermissionsCommand::Print(PrintArgs { numbered, html }) => {
            let permission = wallet.permission(&numbered.id).await.map_err(refused)?;
            let page = permission.page(language);
            let text = if *html { page.html(language) } else { page.to_string() };
            print::one(json, &json!({ "page": text }), || text.clone())
        }
        PermissionsCommand::Delete(Numbered { id }) => {
            wallet.delete_permission(id).await.map_err(refused)?;
            print::one(json, &json!({ "deleted": id }), || "Deleted.".to_owned())
        }
    }
}

/// Asks what waits, and says what came of it.
pub(super) async fn ask(wallet: &Wallet, json: bool, language: Language) -> Result<(), Failure> {
    let all = wallet.ask_permissions().await.map_err(Failure::unavailable)?;
    print::list(json, &all, |one: &AskedAgain| one.words(language))
}

fn refused(language: Language) -> impl Fn(PermissionError) -> Failure {
    move |e| failure(e.fault(), e.code(), e.words(language))
}
