//! The command line: what can be typed, and which library function answers it.

mod audit;
mod doctor;
mod events;
mod issuer;
mod openapi;
pub(crate) mod print;
pub(crate) mod serve;
mod verifier;
mod wallet;
mod witness;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::district::Databases;
use crate::exit::Failure;
use crate::{demo, dev};

/// Answers "is this resident entitled?" without showing anybody the record.
#[derive(Parser)]
#[command(name = "vouchsafe", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the whole story once, on this machine alone.
    Demo(Json),
    /// Bring issuer and verifier up, seeded, for development; on loopback only.
    Dev(DevArgs),
    /// Run a service in production.
    Serve(serve::ServeArgs),
    /// For the body that signs facts.
    #[command(subcommand)]
    Issuer(issuer::IssuerCommand),
    /// For the service that asks.
    #[command(subcommand)]
    Verifier(verifier::VerifierCommand),
    /// For the resident.
    Wallet(wallet::WalletArgs),
    /// Watch logs for others: sign that their checkpoints were seen, and follow one from the other.
    Witness(witness::WitnessArgs),
    /// Bring a service's database up to this version.
    Migrate(serve::MigrateArgs),
    /// Look at an installation and say what is wrong, whose it is to mend and what to do; mends nothing.
    Doctor(doctor::DoctorArgs),
    /// Check or print a service's configuration.
    #[command(subcommand)]
    Config(serve::ConfigCommand),
    /// Make up an event for the service of a running `dev`, to try its receiver of webhooks.
    Trigger(events::TriggerArgs),
    /// Post the events of a running `dev` to a receiver on this machine.
    Listen(events::ListenArgs),
    /// Print the description of the verifier's API, OpenAPI 3.1.
    Openapi,
}

#[derive(Args)]
struct Json {
    /// One JSON object a line, for scripts.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

#[derive(Args)]
struct DevArgs {
    #[command(flatten)]
    json: Json,
    /// First of the nine ports; 0 chooses free ones.
    #[arg(long, default_value_t = 8440, env = "VOUCHSAFE_PORT_BASE")]
    port_base: u16,
    /// Where keys, databases and the certificate authority are kept.
    #[arg(long, default_value = ".vouchsafe/dev", env = "VOUCHSAFE_DATA_DIR")]
    data_dir: PathBuf,
    /// Keep rows on the PostgreSQL server whose Unix socket is in this folder, as its user `vouchsafe`, in the databases
    /// `vouchsafe_issuer` and `vouchsafe_verifier`, in place of SQLite files.
    #[arg(long, value_name = "DIR", env = "VOUCHSAFE_POSTGRES_SOCKET")]
    postgres_socket: Option<PathBuf>,
}

/// Runs the command that was typed.
///
/// # Errors
/// A [`Failure`] with the exit code of the fault.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Demo(args) => demo::run(args.json).await,
        Command::Dev(args) => {
            let databases = args.postgres_socket.map_or(Databases::Files, |socket| Databases::Server {
                socket,
                prefix: "vouchsafe".to_owned(),
            });
            dev::run(args.port_base, &args.data_dir, &databases, args.json.json).await
        }
        Command::Serve(args) => serve::run(args).await,
        Command::Issuer(command) => issuer::run(command).await,
        Command::Verifier(command) => verifier::run(command).await,
        Command::Wallet(args) => wallet::run(args).await,
        Command::Witness(args) => witness::run(args).await,
        Command::Migrate(args) => serve::migrate(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Config(command) => serve::config(command).await,
        Command::Trigger(args) => events::trigger(args).await,
        Command::Listen(args) => events::listen(args).await,
        Command::Openapi => openapi::run(),
    }
}
