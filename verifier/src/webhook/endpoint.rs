//! Where messages go: one endpoint for a service and environment, named by the operator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::pki_types::CertificateDer;
use vouchsafe_protocol::jose::pki_types::pem::PemObject as _;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::client::{FetchError, Http, Reach};
use vouchsafe_service::config::{ConfigError, SecretFile};
use vouchsafe_service::webhook::{ID, NotASecret, SIGNATURE, Secret, TIMESTAMP, signatures};

use crate::config::Service;
use crate::store::{DELIVERY_SECONDS, Tenant};

/// The most secrets of one endpoint: two change places, and two more are in reserve.
const MOST_SECRETS: usize = 4;
/// The most messages on their way to one endpoint at a time, while it takes them.
const PLACES: usize = 4;

/// How messages are sent to every endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HookSettings {
    /// Whether endpoints may be on this machine itself: development and tests alone; never with a live service.
    pub loopback: bool,
    /// Seconds that an endpoint has to answer.
    pub patience_seconds: u32,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self { loopback: false, patience_seconds: 10 }
    }
}

/// A service's endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Where messages are posted to, https.
    pub url: String,
    /// Files of secrets, newest first; each signs every message.
    pub secrets: Vec<SecretFile>,
    /// The authorities, PEM, that vouch for the endpoint's host.
    pub anchors: PathBuf,
}

/// Why endpoints cannot be used. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum EndpointFault {
    /// The patience is none, or longer than a claim allows.
    #[error("webhooks.patience_seconds must be 1 to {}", DELIVERY_SECONDS / 2)]
    Patience,
    /// Endpoints on this machine for a live service.
    #[error("webhooks.loopback is for test services alone")]
    Loopback,
    /// The address is not one that may be called.
    #[error("the webhook of {0} needs a plain https URL of an address that may be reached: {1}")]
    Url(String, FetchError),
    /// There are too few or too many secrets.
    #[error("the webhook of {0} needs 1 to {MOST_SECRETS} secrets, each in a file of its own")]
    Secrets(String),
    /// A file does not hold a secret.
    #[error("a secret of the webhook of {0} cannot be used: {1}")]
    Secret(String, NotASecret),
    /// The anchors are no certificates.
    #[error("the anchors of the webhook of {0} must be certificates in PEM, one at least")]
    Anchors(String),
    /// A service is named twice with an endpoint.
    #[error("the service {0} has two webhooks: one for a service and environment")]
    Twice(String),
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Every tenant's endpoint.
pub struct Endpoints {
    pub(super) patience: Duration,
    all: Vec<(Tenant, Arc<Endpoint>)>,
}

impl Endpoints {
    /// The endpoints of a configuration.
    ///
    /// # Errors
    /// [`EndpointFault`] says what to mend.
    pub fn load(services: &[Service], settings: HookSettings) -> Result<Self, EndpointFault> {
        let patience = settings.patience_seconds;
        // Half of a claim: whoever sends settles before anybody else may claim.
        if !(1..=DELIVERY_SECONDS / 2).contains(&i64::from(patience)) {
            return Err(EndpointFault::Patience);
        }
        let test = services.iter().all(|service| service.env == Env::Test);
        if !(mutants::skips("hook-loopback") || !settings.loopback || test) {
            return Err(EndpointFault::Loopback);
        }
        let reach = if settings.loopback { Reach::Loopback } else { Reach::Global };
        let mut all: BTreeMap<Tenant, Arc<Endpoint>> = BTreeMap::new();
        for service in services {
            let Some(webhook) = &service.webhook else { continue };
            let endpoint = Endpoint::open(&service.id, webhook, reach)?;
            if all.insert(Tenant::new(&service.id, service.env), Arc::new(endpoint)).is_some() {
                return Err(EndpointFault::Twice(service.id.clone()));
            }
        }
        Ok(Self { patience: Duration::from_secs(patience.into()), all: all.into_iter().collect() })
    }

    /// Every endpoint with its tenant.
    pub(super) fn all(&self) -> &[(Tenant, Arc<Endpoint>)] {
        &self.all
    }
}

/// One endpoint, and how it does.
pub(super) struct Endpoint {
    url: String,
    secrets: Vec<Secret>,
    http: Http,
    busy: AtomicUsize,
    failing: AtomicBool,
}

impl Endpoint {
    fn open(service: &str, settings: &EndpointSettings, reach: Reach) -> Result<Self, EndpointFault> {
        let named = || service.to_owned();
        let count = settings.secrets.len();
        if !(mutants::skips("hook-secrets") || (1..=MOST_SECRETS).contains(&count)) {
            return Err(EndpointFault::Secrets(named()));
        }
        let mut secrets = Vec::with_capacity(count);
        for file in &settings.secrets {
            let secret = Secret::parse(&file.read()?);
            secrets.push(secret.map_err(|fault| EndpointFault::Secret(named(), fault))?);
        }
        let anchors = anchors(&settings.anchors)?;
        let http = anchors.filter(|anchors| !anchors.is_empty()).and_then(|all| Http::new(&all, reach).ok());
        let http = http.ok_or_else(|| EndpointFault::Anchors(named()))?;
        let url = settings.url.clone();
        let fault = http.check(&url).err().filter(|_| !mutants::skips("hook-url"));
        if let Some(fault) = fault {
            return Err(EndpointFault::Url(named(), fault));
        }
        Ok(Self { url, secrets, http, busy: AtomicUsize::new(0), failing: AtomicBool::new(false) })
    }

    /// How many more messages may be on their way there: one at a time while it fails, so that an endpoint that hangs
    /// takes no place of others.
    pub(super) fn room(&self) -> usize {
        let places = if self.failing.load(Ordering::Relaxed) { 1 } else { PLACES };
        places.saturating_sub(self.busy.load(Ordering::Relaxed))
    }

    /// Takes a place, until it is dropped.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    /// Sends a message once, and hears the status.
    pub(super) async fn send(&self, id: &str, at: UnixTime, body: &str, patience: Duration) -> Option<u16> {
        let signed = signatures(&self.secrets, id, at, body);
        let request = self
            .http
            .post(&self.url)
            .header(HeaderName::from_static(ID), id)
            .header(HeaderName::from_static(TIMESTAMP), &at.0.to_string())
            .header(HeaderName::from_static(SIGNATURE), &signed)
            .body("application/json", body);
        let patience = if mutants::skips("hook-patience") { Duration::MAX } else { patience };
        tokio::time::timeout(patience, request.status()).await.ok()?.ok()
    }

    /// Notes how it did.
    pub(super) fn did(&self, well: bool) {
        self.failing.store(!well, Ordering::Relaxed);
    }
}

/// A place among the messages on their way to an endpoint.
pub(super) struct Place(Arc<Endpoint>);

impl Place {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `None` when the file is not certificates in PEM.
fn anchors(path: &Path) -> Result<Option<Vec<CertificateDer<'static>>>, ConfigError> {
    let pem = std::fs::read(path)
        .map_err(|fault| ConfigError::File { path: path.to_owned(), kind: fault.kind() })?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    Ok(all.ok())
}
