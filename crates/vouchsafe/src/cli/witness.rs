//! `vouchsafe witness`: signs that it has seen the checkpoints of the logs that it follows.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use vouchsafe_service::clock::SystemClock;
use vouchsafe_service::config;
use vouchsafe_service::keys;
use vouchsafe_service::listen::{ClearText, Identity, Limits, Listener, stop_signal};
use vouchsafe_service::telemetry;
use vouchsafe_verifier::witness::{Witness, WitnessConfig, WitnessHttp, router};

use super::{print, serve};
use crate::exit::Failure;

/// Which witness.
#[derive(Args)]
pub(crate) struct WitnessArgs {
    /// Its settings.
    #[arg(long, env = "VOUCHSAFE_CONFIG")]
    config: PathBuf,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

/// Runs a witness until it is asked to stop. Its first line says what verifies its signatures.
///
/// # Errors
/// When a setting, key, file or port cannot be used.
pub(crate) async fn run(args: WitnessArgs) -> Result<(), Failure> {
    keys::install();
    telemetry::init_logs(telemetry::Config::default(), Arc::new(SystemClock));
    let config: WitnessConfig = load(&args.config)?;
    let witness = Witness::open(&config, Arc::new(SystemClock)).await.map_err(Failure::usage)?;
    let listener = listener(&config.http).await?;
    let (key, address) = (witness.key().to_string(), listener.address().to_string());
    // Listening comes before the line: a script may stop us as soon as it has read it.
    let mut stop = pin!(stop_signal());
    let stopped = tokio::time::timeout(Duration::ZERO, stop.as_mut()).await.is_ok();
    print::one(args.json, &json!({"ready": true, "key": key, "address": address}), || {
        format!("Witness   {key}\nListens   {address}")
    })?;
    if !stopped {
        listener.serve(router(Arc::clone(&witness)), stop).await;
    }
    witness.close().await;
    Ok(())
}

fn load(path: &Path) -> Result<WitnessConfig, Failure> {
    config::load(Some(path), config::environment()).map_err(Failure::usage)
}

async fn listener(http: &WitnessHttp) -> Result<Listener, Failure> {
    match (&http.certificate, &http.key) {
        (Some(chain), Some(key)) => {
            serve::refuse_development(chain)?;
            let identity = Identity::from_files(chain, key.clone()).map_err(Failure::usage)?;
            let opened = Listener::tls(http.address, Arc::new(identity), Limits::default()).await;
            opened.map_err(Failure::unavailable)
        }
        (None, None) => {
            let opened = Listener::clear(http.address, ClearText::Loopback, Limits::default()).await;
            opened.map_err(Failure::unavailable)
        }
        _ => Err(Failure::usage("[http] needs certificate and key, or neither on loopback behind a proxy")),
    }
}
