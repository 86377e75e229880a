//! `vouchsafe issuer revoke|suspend|restore` and `status publish`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use vouchsafe_issuer::import;
use vouchsafe_issuer::status::{self, StatusError};
use vouchsafe_issuer::store::Asked;
use vouchsafe_protocol::status::Standing;

use super::{Settings, open};
use crate::cli::print;
use crate::exit::Failure;

/// Whose copies of which type.
#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    settings: Settings,
    /// The credential type.
    #[arg(long = "type")]
    type_id: String,
    /// The partner's keys of the people.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    people: Vec<String>,
    /// A CSV file with a header that names the people.
    #[arg(long, requires = "key_column")]
    file: Option<PathBuf>,
    /// The column of the file that names a person.
    #[arg(long)]
    key_column: Option<String>,
}

/// What can be done with the lists.
#[derive(Subcommand)]
pub(crate) enum StatusCommand {
    /// Publish the lists with all changes that wait. While `serve` runs it does so at its times.
    Publish(PublishArgs),
}

#[derive(Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    settings: Settings,
    /// Only if a time of the schedule has passed since the last publication.
    #[arg(long)]
    if_due: bool,
}

/// Notes a change of people's copies.
///
/// # Errors
/// When the file cannot be read, there is no such type, or somebody's copies cannot be changed.
pub(super) async fn change(args: &StatusArgs, to: Standing) -> Result<(), Failure> {
    let people = match (&args.file, &args.key_column) {
        (Some(file), Some(column)) => keys(file, column)?,
        _ => args.people.clone(),
    };
    let app = open(&args.settings).await?;
    let asked = status::change(&app, &args.type_id, &people, to).await.map_err(failure)?;
    let count = |wanted: Asked| asked.iter().filter(|one| **one == wanted).count();
    let (waiting, nobody, last) = (count(Asked::Waiting), count(Asked::Nobody), count(Asked::Final));
    let summary = json!({"waiting": waiting, "without_copies": nobody, "revoked_before": last});
    print::one(args.settings.json, &summary, || {
        format!(
            "{waiting} waiting for the next publication, {nobody} without copies of this type, {last} revoked before."
        )
    })?;
    if waiting < asked.len() {
        return Err(Failure::refused("status", "not everybody's copies could be changed"));
    }
    Ok(())
}

/// Runs a command about the lists.
///
/// # Errors
/// When the lists cannot be signed or stored.
pub(super) async fn run(command: &StatusCommand) -> Result<(), Failure> {
    let StatusCommand::Publish(args) = command;
    let app = open(&args.settings).await?;
    let published =
        if args.if_due { status::publish_due(&app).await } else { status::publish(&app).await.map(Some) };
    let published = published.map_err(failure)?;
    let (lists, changes) = published.map_or((0, 0), |done| (done.lists, done.changes));
    print::one(args.settings.json, &json!({"lists": lists, "changes": changes}), || {
        format!("{lists} lists published, with the changes of {changes} people.")
    })
}

fn keys(file: &Path, column: &str) -> Result<Vec<String>, Failure> {
    import::keys(file, column).map_err(Failure::usage)
}

fn failure(error: StatusError) -> Failure {
    match error {
        StatusError::UnknownType => Failure::usage(error),
        _ => Failure::unavailable(error),
    }
}
