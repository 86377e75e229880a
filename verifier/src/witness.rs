//! A witness: it signs that it has seen a log's checkpoint, and only where that continues the one it signed last (C2SP
//! tlog-witness; `specs/profiles/log.md`).
//!
//! It has a key and a file of its own, kept by somebody else than the logs that it follows. What it is about to sign is written
//! down first, in the place of what it decided by and of nothing else: after a crash it signs the same again or nothing.
//!
//! Security: it looks at hashes and learns nothing of anybody. Its key signs nothing else. Keep its file with its key: a witness
//! with an old file would sign a second history.

mod heads;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::Deserialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::tlog::note::{self, Cosigner, Kind, NoteKey, NoteSignature};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, Log, MAX_REQUEST, Refusal, SIZE_TYPE, decide};
use vouchsafe_service::clock::Clock;
use vouchsafe_service::config::{ConfigError, SecretFile};
use vouchsafe_service::keys::{Ed25519Key, Jws, KeyError};
use vouchsafe_service::limits::{self, Gate};
use vouchsafe_service::problem::Problem;
use vouchsafe_service::store::OpenError;

use self::heads::Heads;

const TEXT: &str = "text/plain; charset=utf-8";

/// The configuration of a witness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// The name that it signs under: no space, no plus; usually where it is reached, without the scheme.
    pub name: String,
    /// Its key, Ed25519 as PKCS#8 in PEM; it signs nothing else.
    pub key: SecretFile,
    /// The file in which it remembers what it signed.
    pub store: PathBuf,
    /// Where it listens.
    pub http: WitnessHttp,
    /// Calls a minute from one part of the network.
    #[serde(default = "calls")]
    pub calls_per_minute: u32,
    /// The logs that it follows.
    pub logs: Vec<Followed>,
}

/// Where a witness listens: over TLS, or in clear text on loopback, behind a proxy that speaks TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessHttp {
    /// Address and port.
    pub address: SocketAddr,
    /// The certificate chain in PEM, leaf first.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key in PEM.
    #[serde(default)]
    pub key: Option<SecretFile>,
}

/// A log that is followed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// Its origin.
    pub origin: String,
    /// The keys that may sign for it, `name+id+base64`: one, or two while one follows another.
    pub keys: Vec<String>,
}

fn calls() -> u32 {
    600
}

/// Why a witness does not start. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum WitnessFault {
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key cannot be used.
    #[error("key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The name is none.
    #[error("name cannot be used: {0}")]
    Name(note::KeyError),
    /// A log's keys cannot be used.
    #[error("the log {0} needs its keys as it shows them, name+id+key, and is named once")]
    Log(String),
    /// It would answer nobody.
    #[error("calls_per_minute must be 1 to 1000000")]
    Calls,
    /// The file cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
}

struct KnownLog {
    origin: String,
    keys: Vec<NoteKey>,
}

/// A witness.
pub struct Witness {
    signer: Ed25519Key,
    name: String,
    key: NoteKey,
    logs: Vec<KnownLog>,
    heads: Heads,
    clock: Arc<dyn Clock>,
    calls: u32,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum NoSignature {
    /// The request is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The file or the key failed; nothing was signed.
    #[error("the witness could not write down or sign")]
    Unavailable,
}

impl Witness {
    /// Opens a witness; its file is made if there is none.
    ///
    /// # Errors
    /// [`WitnessFault`] says what to mend.
    pub async fn open(config: &WitnessConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, WitnessFault> {
        if !(mutants::skips("witness-calls") || (1..=1_000_000).contains(&config.calls_per_minute)) {
            return Err(WitnessFault::Calls);
        }
        let signer = Ed25519Key::from_pkcs8_pem(&config.key.read()?)?;
        let key =
            NoteKey::new(&config.name, vouchsafe_protocol::jose::Signer::public(&signer), Kind::Cosignature);
        let key = key.map_err(WitnessFault::Name)?;
        let logs = known(&config.logs)?;
        let heads = Heads::open(&config.store).await?;
        let (name, calls) = (config.name.clone(), config.calls_per_minute);
        Ok(Arc::new(Self { signer, name, key, logs, heads, clock, calls }))
    }

    /// What verifies its signatures; its text is `name+id+base64`.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Closes its file.
    pub async fn close(&self) {
        self.heads.close().await;
    }

    /// Answers a request to sign.
    ///
    /// # Errors
    /// [`NoSignature`].
    pub async fn add_checkpoint(&self, body: &[u8]) -> Result<NoteSignature, NoSignature> {
        let request = AddCheckpoint::parse(body)?;
        let checkpoint = request.dangerous_checkpoint()?;
        let known = self.logs.iter().find(|log| log.origin == checkpoint.origin());
        let log = known.map(|log| Log { origin: &log.origin, keys: &log.keys });
        let held = self.heads.held(checkpoint.origin()).await?;
        let advance = decide(&request, log.as_ref(), held, &Jws)?;
        if !self.heads.advance(checkpoint.origin(), advance.from(), advance.to()).await? {
            // Another request was first: what is held now is what the log starts from.
            let size = self.heads.held(checkpoint.origin()).await?.map_or(0, |head| head.size);
            return Err(Refusal::Conflict { size }.into());
        }
        let by = Cosigner::new(&self.name, &self.signer).map_err(|_| NoSignature::Unavailable)?;
        let line = advance.stored().cosign(&by, self.clock.now()).await;
        line.map_err(|_| NoSignature::Unavailable)
    }
}

impl From<sqlx::Error> for NoSignature {
    fn from(_: sqlx::Error) -> Self {
        Self::Unavailable
    }
}

fn known(logs: &[Followed]) -> Result<Vec<KnownLog>, WitnessFault> {
    let mut all: Vec<KnownLog> = Vec::new();
    for log in logs {
        let fault = || WitnessFault::Log(log.origin.clone());
        let keys: Result<Vec<_>, _> = log.keys.iter().map(|key| NoteKey::parse(key)).collect();
        let keys = keys.map_err(|_| fault())?;
        let sound = !keys.is_empty() && keys.iter().all(|key| key.kind() == Kind::Ed25519);
        let once = all.iter().all(|other| other.origin != log.origin);
        if !(mutants::skips("witness-log") || sound && once) {
            return Err(fault());
        }
        all.push(KnownLog { origin: log.origin.clone(), keys });
    }
    Ok(all)
}

/// The witness's one route.
pub fn router(witness: Arc<Witness>) -> Router {
    let gate = Gate::per_minute(witness.calls, Arc::clone(&witness.clock));
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route_layer(from_fn_with_state(gate, limits::pass))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match witness.add_checkpoint(&body).await {
        Ok(line) => ([(header::CONTENT_TYPE, TEXT)], line.to_string()).into_response(),
        Err(NoSignature::Refused(refusal)) => refused(refusal),
        Err(NoSignature::Unavailable) => {
            tracing::error!("a checkpoint could not be written down or signed");
            Problem::unavailable().into_response()
        }
    }
}

fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let (kind, text) = match refusal {
        Refusal::Conflict { size } => (SIZE_TYPE, format!("{size}\n")),
        other => (TEXT, format!("{other}\n")),
    };
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_sample_loads() {
        let sample = include_str!("../witness.example.toml");
        let config: WitnessConfig = vouchsafe_service::config::parse(sample, []).unwrap();
        assert_eq!(
            (config.calls_per_minute, known(&config.logs).is_ok()),
            (calls(), false),
            "its key is no real one"
        );
        assert!(
            vouchsafe_service::config::parse::<WitnessConfig>(&format!("more = 1\n{sample}"), []).is_err()
        );
    }
}
