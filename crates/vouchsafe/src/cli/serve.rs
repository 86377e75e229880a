//! `vouchsafe serve …`, `migrate` and `config …`: the programs in production.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use vouchsafe_issuer as issuer;
use vouchsafe_service::clock::{Clock, DatabaseClock, SystemClock};
use vouchsafe_service::config::{self, SecretFile};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_service::listen::{ClearText, Identity, Limits, Listener, stop_signal};
use vouchsafe_service::store::Schema;
use vouchsafe_service::telemetry::{self, Readiness};
use vouchsafe_verifier as verifier;

use crate::exit::Failure;

/// How often over-due requests are closed.
const SWEEP: Duration = Duration::from_secs(5);

/// How often it is looked whether status lists are due.
const PUBLISH: Duration = Duration::from_secs(10);

/// Which program to run.
#[derive(Args)]
pub(crate) struct ServeArgs {
    program: Program,
    /// Its settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG")]
    config: PathBuf,
}

/// Which database to bring up to date.
#[derive(Args)]
pub(crate) struct MigrateArgs {
    program: Program,
    /// The program's settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG")]
    config: PathBuf,
}

/// What can be done with settings.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the settings can be used.
    Check(MigrateArgs),
    /// Print the settings in force, secrets by the names of their files.
    Print(MigrateArgs),
}

/// A program that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// For the body that signs facts.
    Issuer,
    /// For the service that asks.
    Verifier,
}

/// Runs a program until it is asked to stop.
///
/// # Errors
/// When a setting, key or database cannot be used.
pub(crate) async fn run(args: ServeArgs) -> Result<(), Failure> {
    keys::install();
    telemetry::init_logs(telemetry::Config::default(), Arc::new(SystemClock));
    match args.program {
        Program::Issuer => serve_issuer(&issuer_config(&args.config)?).await,
        Program::Verifier => serve_verifier(&verifier_config(&args.config)?).await,
    }
}

pub(crate) fn issuer_config(path: &Path) -> Result<issuer::Config, Failure> {
    config::load(Some(path), config::environment()).map_err(Failure::usage)
}

pub(crate) fn verifier_config(path: &Path) -> Result<verifier::config::Config, Failure> {
    config::load(Some(path), config::environment()).map_err(Failure::usage)
}

async fn serve_issuer(config: &issuer::Config) -> Result<(), Failure> {
    refuse_development(&config.keys.chain)?;
    let listen = &config.listen;
    let (Some(address), Some(chain), Some(key)) = (listen.address, &listen.chain, &listen.key) else {
        return Err(Failure::usage(
            "[listen] needs address, chain and key: production is served over TLS alone",
        ));
    };
    let app = issuer::App::open(
        config,
        Schema::Expect,
        Arc::new(DatabaseClock::default()),
        Arc::new(OsEntropy::new()),
    )
    .await;
    let app = Arc::new(app.map_err(Failure::unavailable)?);
    let door = door(address, chain, key).await?;
    let ready = Arc::clone(&app);
    let readiness: Readiness = Arc::new(move || {
        let app = Arc::clone(&ready);
        Box::pin(async move { app.store().is_ready().await })
    });
    let ops = listen.ops.map(|address| operations(address, readiness));
    let publisher = tokio::spawn(publish(Arc::clone(&app)));
    let served = serve(door, issuer::router(app), ops).await;
    publisher.abort();
    served
}

async fn serve_verifier(config: &verifier::config::Config) -> Result<(), Failure> {
    refuse_development(&config.request.certificates)?;
    if config.webhooks.loopback {
        return Err(Failure::usage(
            "webhooks.loopback is for development and tests: endpoints are not on this machine",
        ));
    }
    if config.log.as_ref().is_some_and(|log| log.loopback) {
        return Err(Failure::usage(
            "log.loopback is for development and tests: witnesses are not on this machine",
        ));
    }
    let app = verifier::app::App::open(
        config.clone(),
        Arc::new(DatabaseClock::default()),
        Arc::new(OsEntropy::new()),
        Schema::Expect,
    )
    .await;
    let app = app.map_err(Failure::unavailable)?;
    verifier::notices::declare(&app).await.map_err(Failure::unavailable)?;
    let door = door(config.http.address, &config.http.certificate, &config.http.key).await?;
    let ready = Arc::clone(&app);
    let readiness: Readiness = Arc::new(move || {
        let app = Arc::clone(&ready);
        Box::pin(async move { app.is_ready().await })
    });
    let sweeper = tokio::spawn(sweep(Arc::clone(&app)));
    let signer = tokio::spawn(sign_log(Arc::clone(&app)));
    let courier = tokio::spawn(verifier::webhook::deliver_every(Arc::clone(&app)));
    let ops = Some(operations(config.ops.address, readiness));
    let served = serve(door, verifier::http::router(Arc::clone(&app)), ops).await;
    sweeper.abort();
    signer.abort();
    courier.abort();
    app.close().await;
    served
}

/// Publishes an issuer's status lists at their times, for as long as the program runs.
pub(crate) async fn publish(app: Arc<issuer::App>) {
    let mut every = tokio::time::interval(PUBLISH);
    loop {
        every.tick().await;
        if issuer::status::publish_due(&app).await.is_err() {
            tracing::warn!("the status lists could not be published; what was published before stays");
        }
    }
}

/// Closes over-due requests, for as long as the program runs.
pub(crate) async fn sweep(app: Arc<verifier::app::App>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        if verifier::expiry::sweep(&app, app.now()).await.is_err() {
            tracing::warn!("over-due requests could not be closed; the next sweep tries again");
        }
    }
}

/// Signs the log's checkpoints at their times and asks the witnesses, for as long as the program runs; at once ends where no
/// log is shown. A witness that is away keeps no checkpoint back.
pub(crate) async fn sign_log(app: Arc<verifier::app::App>) {
    tokio::join!(sign_checkpoints(&app), verifier::log::witnesses::ask_every(Arc::clone(&app)));
}

async fn sign_checkpoints(app: &verifier::app::App) {
    let Some(settings) = &app.config().log else { return };
    let mut every = tokio::time::interval(Duration::from_secs(settings.every_seconds.into()));
    loop {
        every.tick().await;
        match verifier::log::publish(app).await {
            Ok(_) => {}
            Err(verifier::log::LogError::Store(_)) => {
                tracing::warn!("the log could not be read; the next round tries again");
            }
            Err(fault) => tracing::error!("no checkpoint of the log is signed: {fault}"),
        }
    }
}

async fn door(address: SocketAddr, chain: &Path, key: &SecretFile) -> Result<Listener, Failure> {
    refuse_development(chain)?;
    let identity = Identity::from_files(chain, key.clone()).map_err(Failure::usage)?;
    Listener::tls(address, Arc::new(identity), Limits::default()).await.map_err(Failure::unavailable)
}

/// Keys of `dev` and `demo` are made without care: nothing that they vouch for is served.
pub(crate) fn refuse_development(chain: &Path) -> Result<(), Failure> {
    let pem = std::fs::read(chain)
        .map_err(|e| Failure::usage(format!("{} cannot be read: {}", chain.display(), e.kind())))?;
    if crate::district::is_development(&pem) {
        let advice =
            format!("{} is a development certificate; use one of your own authority", chain.display());
        return Err(Failure::refused("development-keys", advice));
    }
    Ok(())
}

type Operations = (SocketAddr, Router);

fn operations(address: SocketAddr, readiness: Readiness) -> Operations {
    (address, telemetry::ops_router(telemetry::metrics(), readiness))
}

async fn serve(door: Listener, router: Router, ops: Option<Operations>) -> Result<(), Failure> {
    let Some((address, operations)) = ops else {
        door.serve(router, stop_signal()).await;
        return Ok(());
    };
    let clear = Listener::clear(address, ClearText::Operations, Limits::default()).await;
    let clear = clear.map_err(Failure::unavailable)?;
    tracing::info!("serving");
    tokio::join!(door.serve(router, stop_signal()), clear.serve(operations, stop_signal()));
    Ok(())
}

/// Applies the migrations that a program's database lacks.
///
/// # Errors
/// When the database cannot be opened.
pub(crate) async fn migrate(args: MigrateArgs) -> Result<(), Failure> {
    open(&args, Schema::Migrate).await
}

/// Checks or prints settings.
///
/// # Errors
/// When they cannot be used.
pub(crate) async fn config(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => open(&args, Schema::Expect).await,
        ConfigCommand::Print(args) => print(&args),
    }
}

async fn open(args: &MigrateArgs, schema: Schema) -> Result<(), Failure> {
    keys::install();
    let (clock, entropy) = (Arc::new(DatabaseClock::default()) as Arc<dyn Clock>, Arc::new(OsEntropy::new()));
    match args.program {
        Program::Issuer => {
            let opened = issuer::App::open(&issuer_config(&args.config)?, schema, clock, entropy).await;
            opened.map(drop).map_err(Failure::unavailable)
        }
        Program::Verifier => {
            let opened =
                verifier::app::App::open(verifier_config(&args.config)?, clock, entropy, schema).await;
            opened.map(drop).map_err(Failure::unavailable)
        }
    }
}

fn print(args: &MigrateArgs) -> Result<(), Failure> {
    let text = match args.program {
        Program::Issuer => format!("{:#?}", issuer_config(&args.config)?),
        Program::Verifier => format!("{:#?}", verifier_config(&args.config)?),
    };
    super::print::one(false, &(), || text)
}
