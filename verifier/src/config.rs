//! What an operator says: one type for each section, unknown keys refused, secrets by file.
//!
//! The sample `verifier.example.toml` is a test. Paths are taken relative to the working folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::store::Place;

use crate::status::StatusSettings;
use crate::webhook::{EndpointSettings, HookSettings};

/// The whole configuration of the verifier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where wallets and browsers reach us: scheme, host and port, no path.
    pub origin: String,
    /// The database: a SQLite file, or a PostgreSQL server.
    pub database: Place,
    /// 32 bytes in base64url, under which stored secrets are keyed and sealed. Never beside the database.
    pub server_key: SecretFile,
    /// The pinned registrar and the certificate anchors.
    pub trust_file: PathBuf,
    /// The registrar's signed register, a JWS.
    pub register_file: PathBuf,
    /// The folder of policies, one TOML file each.
    pub policies: PathBuf,
    /// The folder of credential types, one TOML file each.
    pub types: PathBuf,
    /// The public listener.
    pub http: Http,
    /// The listener for health and metrics, for operators alone.
    pub ops: Ops,
    /// How requests are signed and how long they live.
    pub request: Requests,
    /// How decisions are signed and how long they are about now.
    pub decision: Decisions,
    /// How records of permissions are signed.
    pub record: Records,
    /// How the log is shown; without it, entries are kept and nothing is shown.
    #[serde(default)]
    pub log: Option<LogSettings>,
    /// The services that may ask through us.
    pub services: Vec<Service>,
    /// How often one part of the network may call.
    #[serde(default)]
    pub limits: LimitSettings,
    /// How status lists of issuers are fetched and kept.
    #[serde(default)]
    pub status: StatusSettings,
    /// How messages are sent to services.
    #[serde(default)]
    pub webhooks: HookSettings,
}

/// Calls a minute that one part of the network may make, by door: a flood from there is refused with 429 before anything
/// of it is looked at, and others are served.
///
/// A part is the sender's first 24 bits of IPv4 or 48 of IPv6, so neighbours, a library's computers and the subscribers of
/// one mobile network share it, and the defaults leave room for them: an answer is some 20 a second. Behind a proxy
/// everybody has the proxy's address and shares one part: the proxy limits then, and these are raised. Counted in this
/// process; what must hold over several (attempts at a request, wrong codes) is counted in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// `/v1`: requests opened and looked at by services.
    pub requests_per_minute: u32,
    /// `/r`, `/c`, `/permissions` and `/policies`: request objects fetched, codes typed, calls by permission keys, published
    /// policies. Each object and each record is signed anew.
    pub objects_per_minute: u32,
    /// `/a`: answers. The dearest call.
    pub answers_per_minute: u32,
    /// `/p` and `/withdraw`: pages shown, each of the first reloading while its request is open.
    pub pages_per_minute: u32,
    /// `/v1` and `/oauth/token`, by client whatever its address: one system that runs wild harms no other.
    pub client_calls_per_minute: u32,
    /// Streams of events that one client may have open at a time.
    pub client_streams: u32,
    /// Answers and errors under way at a time, from everybody together; beyond it they are told to come back.
    pub answers_at_once: u32,
    /// Milliseconds for which an answer waits for a worker that checks signatures and proofs; then it is told to come back.
    pub worker_wait_ms: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            requests_per_minute: 6000,
            objects_per_minute: 3000,
            answers_per_minute: 1200,
            pages_per_minute: 6000,
            client_calls_per_minute: 3000,
            client_streams: 32,
            answers_at_once: 256,
            worker_wait_ms: 2000,
        }
    }
}

impl LimitSettings {
    /// The setting that is out of bounds, if one is: a limit of none would close its door.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let limits = [
            ("limits.requests_per_minute", self.requests_per_minute),
            ("limits.objects_per_minute", self.objects_per_minute),
            ("limits.answers_per_minute", self.answers_per_minute),
            ("limits.pages_per_minute", self.pages_per_minute),
            ("limits.client_calls_per_minute", self.client_calls_per_minute),
            ("limits.client_streams", self.client_streams),
            ("limits.answers_at_once", self.answers_at_once),
            ("limits.worker_wait_ms", self.worker_wait_ms),
        ];
        limits.into_iter().find(|(_, limit)| !(1..=1_000_000).contains(limit)).map(|(key, _)| key)
    }
}

/// The public listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port.
    pub address: SocketAddr,
    /// The certificate chain in PEM, leaf first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: SecretFile,
}

/// The operators' listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Address and port.
    pub address: SocketAddr,
}

/// How requests are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// The request-signing key, PKCS#8 in PEM; it signs nothing else.
    pub key: SecretFile,
    /// Its certificate chain in PEM, leaf first, without the anchor.
    pub certificates: PathBuf,
    /// How long a request is open, in seconds.
    #[serde(default = "request_ttl")]
    pub ttl_seconds: u32,
    /// How many different questions about one attribute a service may ask within a year.
    #[serde(default = "questions")]
    pub questions: u32,
}

/// How decisions are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    /// The decision-signing key, PKCS#8 in PEM; it signs nothing else.
    pub key: SecretFile,
    /// For how long a decision is a statement about now, in seconds.
    #[serde(default = "decision_ttl")]
    pub ttl_seconds: u32,
}

/// How records of permissions are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The key of records, PKCS#8 in PEM; it signs nothing else.
    pub key: SecretFile,
}

/// How the log is shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The key of the log, Ed25519 as PKCS#8 in PEM; it signs checkpoints and nothing else.
    pub key: SecretFile,
    /// How often a checkpoint is signed, in seconds, if anything was decided since.
    #[serde(default = "log_every")]
    pub every_seconds: u32,
    /// Who is asked to sign what they have seen of it.
    #[serde(default)]
    pub witnesses: Vec<WitnessSettings>,
    /// The authorities, PEM, that vouch for the witnesses' hosts.
    #[serde(default = "authorities")]
    pub authorities: PathBuf,
    /// Whether witnesses may be on this machine itself: development and tests alone; never with a live service.
    #[serde(default)]
    pub loopback: bool,
}

/// A witness of the log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSettings {
    /// Where it is asked, https; `/add-checkpoint` is put behind it.
    pub url: String,
    /// What verifies its signatures: `name+id+base64`.
    pub key: String,
}

/// One service: the tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its stable id in the trust register.
    pub id: String,
    /// Test or live; must agree with the register.
    pub env: Env,
    /// SHA-256 of the test key in base64url.
    #[serde(default)]
    pub test_key_hash: Option<String>,
    /// Or the file that holds the test key.
    #[serde(default)]
    pub test_key_file: Option<SecretFile>,
    /// The systems that may call for it with access tokens. A live service has at least one.
    #[serde(default)]
    pub clients: Vec<ClientSettings>,
    /// Where it is told that something happened; nowhere when left out.
    #[serde(default)]
    pub webhook: Option<EndpointSettings>,
}

/// A system of a service, known by the keys that it signs its assertions with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Its `client_id`: the service's own id, or one that no service has.
    pub id: String,
    /// Its public keys, a JWK set; each has a `kid`.
    pub keys: PathBuf,
    /// What it may call for; everything when left out.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Whether it gets no token without a proof of a key that the token is bound to (RFC 9449 5.2). It may bind its tokens
    /// in any case.
    #[serde(default)]
    pub dpop: bool,
}

/// The longest that a request may be open, in seconds.
pub const MAX_REQUEST_TTL: u32 = 3600;

/// As many as a wallet answers (decision 0007).
fn questions() -> u32 {
    5
}

fn request_ttl() -> u32 {
    300
}

fn decision_ttl() -> u32 {
    900
}

fn log_every() -> u32 {
    60
}

fn authorities() -> PathBuf {
    PathBuf::from("/etc/ssl/certs/ca-certificates.crt")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_sample_loads() {
        let sample = include_str!("../verifier.example.toml");
        let config: Config = vouchsafe_service::config::parse(sample, []).unwrap();
        assert_eq!(config.request.ttl_seconds, 300);
        assert_eq!(config.limits, LimitSettings::default());
        assert!(vouchsafe_service::config::parse::<Config>(&format!("more = 1\n{sample}"), []).is_err());
    }
}
