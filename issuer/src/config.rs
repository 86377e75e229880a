//! The issuer's settings: one struct a section, unknown keys refused, secrets by file.
//!
//! `issuer/issuer.example.toml` is the sample; a test loads it. Relative paths are taken from the working directory.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::store::Place;

use crate::offer::Delivery;
pub use crate::status::StatusSettings;

/// All settings of an issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The credential issuer identifier: an https URL without path, query or fragment; the `iss` of every copy.
    pub issuer: String,
    /// What the body is called.
    pub name: Name,
    /// The database: a SQLite file, or a PostgreSQL server.
    pub database: Place,
    /// The folder of credential types, one TOML file each.
    pub types: PathBuf,
    /// The folder of lists of codes that types name: `*.toml`, or `*.jws` as the registrar signed them, which
    /// wallets get too.
    #[serde(default)]
    pub lists: Option<PathBuf>,
    /// The registrar's entry about this issuer, a compact JWS. It lives for a week at most and is read again whenever
    /// metadata is asked for: replace the file in place.
    #[serde(default)]
    pub registrar_extract: Option<PathBuf>,
    /// Keys and certificates.
    pub keys: Keys,
    /// How long offers live.
    #[serde(default)]
    pub offers: OfferSettings,
    /// What wallets must do, and how long they may wait.
    #[serde(default)]
    pub access: AccessSettings,
    /// Status lists: how large they are, how often they are published.
    #[serde(default)]
    pub status: StatusSettings,
    /// How often one part of the network may call.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Where `serve` listens.
    #[serde(default)]
    pub listen: Listen,
}

/// What a body is called, in both languages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// English.
    pub en: String,
    /// Welsh.
    pub cy: String,
}

/// Keys, each in a file of its own, outside the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The P-256 key that signs credentials, PKCS#8 PEM.
    pub signing: SecretFile,
    /// Its certificates, leaf first, without the anchor, PEM.
    pub chain: PathBuf,
    /// The server's key: 32 bytes in base64url. What is stored is sealed or keyed under it, and the key to which
    /// wallets encrypt their requests is made from it, so that every replica has the same one.
    pub server: SecretFile,
}

/// How long offers live and how often a transaction code may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfferSettings {
    /// Days for which an offer in a letter is good.
    pub letter_days: u32,
    /// Minutes for which an offer by link or at the counter is good.
    pub link_minutes: u32,
    /// Wrong transaction codes after which an offer is closed.
    pub tx_code_tries: u32,
    /// Seconds for which an access token is good: at most 300, for tokens that live longer must be bound.
    pub token_seconds: u32,
    /// Seconds for which a nonce is good.
    pub nonce_seconds: u32,
}

impl Default for OfferSettings {
    fn default() -> Self {
        Self { letter_days: 28, link_minutes: 15, tx_code_tries: 5, token_seconds: 300, nonce_seconds: 300 }
    }
}

/// What wallets must do to collect, and how long they may wait for what is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// Whether wallets without DPoP get a token too. It is good with nothing but itself, for `offers.token_seconds`.
    pub bearer: bool,
    /// Whether plain copies too travel encrypted or not at all; proof copies always do.
    pub encryption_required: bool,
    /// Days for which a batch that was put off can be collected: its token lives as long, and is bound to a key.
    pub deferred_days: u32,
    /// Seconds after which a wallet may ask again for a batch that was put off.
    pub deferred_seconds: u32,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { bearer: true, encryption_required: false, deferred_days: 28, deferred_seconds: 3600 }
    }
}

impl AccessSettings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`SettingsError::Bounds`] names the key to mend.
    pub fn check(&self) -> Result<(), SettingsError> {
        let bounds = [
            ("access.deferred_days", self.deferred_days, 1, 60),
            ("access.deferred_seconds", self.deferred_seconds, 5, 86_400),
        ];
        let outside = bounds.into_iter().find(|(_, value, least, most)| value < least || value > most);
        outside.map_or(Ok(()), |(key, ..)| Err(SettingsError::Bounds(key)))
    }
}

/// Calls a minute that one part of the network may make, by endpoint: a flood from there is refused, others are served.
///
/// A part is the sender's first 24 bits of IPv4 or 48 of IPv6, so neighbours, a library's computers and the subscribers of
/// one mobile network share it: the defaults leave room for them. Behind a proxy all wallets have the proxy's address
/// and share one part: the proxy limits then, and these are raised. A transaction code is guarded on its own, by
/// `offers.tx_code_tries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Offers fetched.
    pub offers_per_minute: u32,
    /// Codes brought for a token.
    pub token_per_minute: u32,
    /// Nonces fetched.
    pub nonce_per_minute: u32,
    /// Credential requests. The dearest call: some thirty signatures are checked and as many made.
    pub credential_per_minute: u32,
    /// Requests for batches that were put off; as dear as the former.
    pub deferred_per_minute: u32,
    /// Notifications.
    pub notification_per_minute: u32,
    /// Status lists fetched. A verifier fetches each at most once in its `ttl`, a wallet when it looks after its copies.
    pub status_per_minute: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            offers_per_minute: 600,
            token_per_minute: 300,
            nonce_per_minute: 600,
            credential_per_minute: 300,
            deferred_per_minute: 300,
            notification_per_minute: 600,
            status_per_minute: 1200,
        }
    }
}

/// The addresses of the listeners.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Where wallets reach the issuer, over TLS.
    pub address: Option<SocketAddr>,
    /// The listener's certificates, leaf first, PEM.
    pub chain: Option<PathBuf>,
    /// The listener's key, PKCS#8 PEM.
    pub key: Option<SecretFile>,
    /// Where metrics and health are served, apart from wallets.
    pub ops: Option<SocketAddr>,
}

/// Why settings were refused, beyond their form.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum SettingsError {
    /// The issuer identifier is of another form.
    #[error("issuer must be an https URL of host and optional port alone, without a final slash")]
    Issuer,
    /// A lifetime or limit is outside its bounds.
    #[error("{0} is outside its bounds")]
    Bounds(&'static str),
}

impl Config {
    /// Checks what the form alone does not show.
    ///
    /// # Errors
    /// [`SettingsError`] names the key to mend.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !is_origin(&self.issuer) {
            return Err(SettingsError::Issuer);
        }
        self.offers.check()?;
        self.access.check()?;
        self.status.check()?;
        self.limits.check()
    }
}

impl LimitSettings {
    /// Checks the bounds: a limit of none would close the endpoint.
    ///
    /// # Errors
    /// [`SettingsError::Bounds`] names the key to mend.
    pub fn check(&self) -> Result<(), SettingsError> {
        let limits = [
            ("limits.offers_per_minute", self.offers_per_minute),
            ("limits.token_per_minute", self.token_per_minute),
            ("limits.nonce_per_minute", self.nonce_per_minute),
            ("limits.credential_per_minute", self.credential_per_minute),
            ("limits.deferred_per_minute", self.deferred_per_minute),
            ("limits.notification_per_minute", self.notification_per_minute),
            ("limits.status_per_minute", self.status_per_minute),
        ];
        match limits.into_iter().find(|(_, limit)| !(1..=1_000_000).contains(limit)) {
            Some((key, _)) => Err(SettingsError::Bounds(key)),
            None => Ok(()),
        }
    }
}

impl OfferSettings {
    /// How many seconds an offer that travels so is good.
    #[must_use]
    pub fn ttl(&self, delivery: Delivery) -> i64 {
        match delivery {
            Delivery::Letter => i64::from(self.letter_days) * DAY,
            Delivery::Link => i64::from(self.link_minutes) * 60,
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`SettingsError::Bounds`] names the key to mend.
    pub fn check(&self) -> Result<(), SettingsError> {
        let bounds = [
            ("offers.letter_days", self.letter_days, 1, 60),
            ("offers.link_minutes", self.link_minutes, 1, 60),
            ("offers.tx_code_tries", self.tx_code_tries, 1, 10),
            ("offers.token_seconds", self.token_seconds, 1, 300),
            ("offers.nonce_seconds", self.nonce_seconds, 30, 600),
        ];
        let outside = bounds.into_iter().find(|(_, value, least, most)| value < least || value > most);
        outside.map_or(Ok(()), |(key, ..)| Err(SettingsError::Bounds(key)))
    }
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| url.scheme() == "https" && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn the_sample_loads() {
        let config: Config =
            vouchsafe_service::config::parse(include_str!("../issuer.example.toml"), []).unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.offers, OfferSettings::default());
        assert_eq!(config.access, AccessSettings::default());
        assert_eq!(config.limits, LimitSettings::default());
    }

    #[test]
    fn an_issuer_is_an_origin() {
        for good in ["https://issuer.example", "https://localhost:8441"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["http://issuer.example", "https://issuer.example/", "https://issuer.example/a", "issuer"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_token_cannot_be_long_lived() {
        let settings = OfferSettings { token_seconds: 301, ..OfferSettings::default() };
        assert_eq!(settings.check(), Err(SettingsError::Bounds("offers.token_seconds")));
    }
}
