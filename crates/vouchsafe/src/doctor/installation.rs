//! What is looked at, of either program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vouchsafe_issuer as issuer;
use vouchsafe_service::clock::{Clock, DatabaseClock};
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::store::{Migrators, Place, Schema};
use vouchsafe_verifier as verifier;

use crate::cli::serve::{Program, issuer_config, verifier_config};
use crate::exit::Failure;

/// What a secret's file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A P-256 key, PKCS#8 PEM.
    SigningKey,
    /// An Ed25519 key, PKCS#8 PEM.
    LogKey,
    /// 32 bytes in base64url.
    ServerKey,
    /// The listener's key, for the certificates beside it.
    ListenerKey,
    /// Some text.
    Text,
}

/// A file that nobody else may read.
pub(super) struct Secret {
    /// The key of the settings that names it.
    pub(super) setting: String,
    pub(super) file: SecretFile,
    pub(super) holds: Holds,
}

/// What the registrar signed for the program.
pub(super) enum FromRegistrar {
    /// A verifier's: the register whole, under the registrar that the trust file pins.
    Register { trust: PathBuf, register: PathBuf },
    /// An issuer's: its own entry, if it has one, for this identifier.
    Entry { file: Option<PathBuf>, issuer: String },
}

enum Config {
    Issuer(Box<issuer::Config>),
    Verifier(Box<verifier::config::Config>),
}

/// An installation, by its settings.
pub(super) struct Installation {
    config: Config,
    pub(super) place: Place,
    pub(super) migrators: Migrators,
    pub(super) program: &'static str,
    pub(super) secrets: Vec<Secret>,
    /// Certificates, and the key of the settings that names each.
    pub(super) chains: Vec<(&'static str, PathBuf)>,
    /// The certificates of the listener.
    pub(super) listener: Option<PathBuf>,
    pub(super) register: FromRegistrar,
    pub(super) doors: Vec<(&'static str, Option<SocketAddr>)>,
}

impl Installation {
    /// Reads the settings at `path`.
    pub(super) fn read(program: Program, path: &Path) -> Result<Self, Failure> {
        let mut read = match program {
            Program::Issuer => of_issuer(issuer_config(path)?),
            Program::Verifier => of_verifier(verifier_config(path)?),
        };
        if let Place::Server(server) = &read.place {
            let password = server.password.iter().map(|file| secret("database.password", file, Holds::Text));
            read.secrets.extend(password);
        }
        Ok(read)
    }

    /// Opens the program as it would be served, and closes it again.
    pub(super) async fn open(&self) -> Result<(), Failure> {
        let (clock, entropy) =
            (Arc::new(DatabaseClock::default()) as Arc<dyn Clock>, Arc::new(OsEntropy::new()));
        match &self.config {
            Config::Issuer(config) => {
                let opened = issuer::App::open(config, Schema::Expect, clock, entropy).await;
                opened.map_err(Failure::unavailable)?.store().database().close().await;
            }
            Config::Verifier(config) => {
                let opened =
                    verifier::app::App::open((**config).clone(), clock, entropy, Schema::Expect).await;
                opened.map_err(Failure::unavailable)?.close().await;
            }
        }
        Ok(())
    }
}

fn secret(setting: &str, file: &SecretFile, holds: Holds) -> Secret {
    Secret { setting: setting.to_owned(), file: file.clone(), holds }
}

fn of_issuer(config: issuer::Config) -> Installation {
    let listen = &config.listen;
    let mut secrets = vec![
        secret("keys.signing", &config.keys.signing, Holds::SigningKey),
        secret("keys.server", &config.keys.server, Holds::ServerKey),
    ];
    secrets.extend(listen.key.iter().map(|key| secret("listen.key", key, Holds::ListenerKey)));
    let mut chains = vec![("keys.chain", config.keys.chain.clone())];
    chains.extend(listen.chain.iter().map(|chain| ("listen.chain", chain.clone())));
    // Without operations an issuer serves; without its address it does not.
    let doors = std::iter::once(("listen.address", listen.address))
        .chain(listen.ops.map(|address| ("listen.ops", Some(address))));
    Installation {
        place: config.database.clone(),
        migrators: issuer::store::MIGRATORS,
        program: "issuer",
        secrets,
        chains,
        listener: listen.chain.clone(),
        register: FromRegistrar::Entry {
            file: config.registrar_extract.clone(),
            issuer: config.issuer.clone(),
        },
        doors: doors.collect(),
        config: Config::Issuer(Box::new(config)),
    }
}

fn of_verifier(config: verifier::config::Config) -> Installation {
    let mut secrets = vec![
        secret("server_key", &config.server_key, Holds::ServerKey),
        secret("request.key", &config.request.key, Holds::SigningKey),
        secret("decision.key", &config.decision.key, Holds::SigningKey),
        secret("record.key", &config.record.key, Holds::SigningKey),
        secret("http.key", &config.http.key, Holds::ListenerKey),
    ];
    secrets.extend(config.log.iter().map(|log| secret("log.key", &log.key, Holds::LogKey)));
    let tests = config.services.iter().filter_map(|service| service.test_key_file.as_ref());
    secrets.extend(tests.map(|file| secret("services.test_key_file", file, Holds::Text)));
    Installation {
        place: config.database.clone(),
        migrators: verifier::store::MIGRATORS,
        program: "verifier",
        secrets,
        chains: vec![
            ("request.certificates", config.request.certificates.clone()),
            ("http.certificate", config.http.certificate.clone()),
        ],
        listener: Some(config.http.certificate.clone()),
        register: FromRegistrar::Register {
            trust: config.trust_file.clone(),
            register: config.register_file.clone(),
        },
        doors: vec![("http.address", Some(config.http.address)), ("ops.address", Some(config.ops.address))],
        config: Config::Verifier(Box::new(config)),
    }
}
