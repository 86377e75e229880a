//! The issuer as one value: settings, types, store, keys, clock and chance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::{KeyAgreement as _, NamedJwk, Signer};
use vouchsafe_protocol::openid4vci::metadata::KEY_ALG;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::CodeLists;
use vouchsafe_service::clock::Clock;
use vouchsafe_service::config::ConfigError;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::keys::{AgreementKey, KeyError, SigningKey};
use vouchsafe_service::secret::{SecretError, ServerKey};
use vouchsafe_service::store::{Database, OpenError as StoreOpenError, Schema};
use webpki::EndEntityCert;

use crate::config::{AccessSettings, Config, LimitSettings, Name, OfferSettings, SettingsError};
use crate::http::Rates;
use crate::registrar::{self, RegistrarFiles};
use crate::secrets::Secrets;
use crate::status::StatusSettings;
use crate::status::shelf::Shelf;
use crate::store::{Either, MIGRATORS, Store};
use crate::types::{LoadError, Types};

/// What an issuer is made of, apart from its store.
pub struct Parts {
    /// The credential issuer identifier.
    pub issuer: String,
    /// What the body is called.
    pub name: Name,
    /// What it issues.
    pub types: Types,
    /// The code lists its types name.
    pub lists: CodeLists,
    /// The key that signs credentials.
    pub signer: Arc<dyn Signer>,
    /// Its certificates in DER, leaf first, without the anchor.
    pub chain: Vec<Vec<u8>>,
    /// What follows from the server's key.
    pub secrets: Secrets,
    /// Where the registrar's documents for this issuer are.
    pub registrar: RegistrarFiles,
    /// How long offers live.
    pub offers: OfferSettings,
    /// What wallets must do, and how long they may wait.
    pub access: AccessSettings,
    /// How large status lists are, and how often they are published.
    pub status: StatusSettings,
    /// How often one part of the network may call.
    pub limits: LimitSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// An issuer, over a store.
pub struct App<S = Either> {
    parts: Parts,
    request_key: AgreementKey,
    request_jwk: NamedJwk,
    request_kid: String,
    rates: Rates,
    shelf: Shelf,
    store: S,
}

/// Why an issuer could not start. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is outside its bounds.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A key's file cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The signing key is of another kind.
    #[error("the signing key: {0}")]
    SigningKey(#[from] KeyError),
    /// The server's key has another form.
    #[error(transparent)]
    ServerKey(#[from] SecretError),
    /// The certificates cannot be read.
    #[error("{} holds no PEM certificates that can be read", .0.display())]
    Chain(PathBuf),
    /// The leaf certificate is for another key.
    #[error("the first certificate of keys.chain is not for keys.signing")]
    OtherKey,
    /// The leaf certificate does not name the issuer.
    #[error("the first certificate of keys.chain does not name the issuer among its URIs")]
    OtherIssuer,
    /// Types or lists do not load.
    #[error(transparent)]
    Types(#[from] LoadError),
    /// The database does not open.
    #[error(transparent)]
    Database(#[from] StoreOpenError),
}

impl App<Either> {
    /// Opens the issuer that `config` describes. A server's time is told to `clock`.
    ///
    /// # Errors
    /// [`OpenError`] names what to mend.
    pub async fn open(
        config: &Config,
        schema: Schema,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        config.check()?;
        let registrar = RegistrarFiles::from(config);
        let parts = Parts {
            issuer: config.issuer.clone(),
            name: config.name.clone(),
            types: Types::load(&config.types)?,
            lists: registrar::code_lists(&registrar)?,
            signer: Arc::new(SigningKey::from_pkcs8_pem(&config.keys.signing.read()?)?),
            chain: certificates(&config.keys.chain)?,
            secrets: Secrets::new(ServerKey::from_text(&config.keys.server.read()?)?),
            registrar,
            offers: config.offers,
            access: config.access,
            status: config.status,
            limits: config.limits,
            clock,
            entropy,
        };
        check_leaf(&parts)?;
        let database = Database::open(&config.database, MIGRATORS, schema, &parts.clock).await?;
        Ok(Self::new(parts, Either::new(database)))
    }
}

impl<S: Store> App<S> {
    /// An issuer of these parts over this store.
    #[must_use]
    pub fn new(parts: Parts, store: S) -> Self {
        let request_key = parts.secrets.request_encryption();
        let request_kid = b64u(request_key.public().thumbprint());
        let request_jwk = NamedJwk {
            key: request_key.public().clone(),
            kid: Some(request_kid.clone()),
            usage: Some("enc".to_owned()),
            alg: Some(KEY_ALG.to_owned()),
        };
        let rates = Rates::new(&parts.limits);
        Self { parts, request_key, request_jwk, request_kid, rates, shelf: Shelf::default(), store }
    }

    /// The credential issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.parts.issuer
    }

    /// What the body is called.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.parts.name
    }

    /// What it issues.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.parts.types
    }

    /// The code lists its types name.
    #[must_use]
    pub fn lists(&self) -> &CodeLists {
        &self.parts.lists
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.parts.clock.now()
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.parts.secrets
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.parts.entropy
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        &*self.parts.signer
    }

    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        &self.parts.chain
    }

    pub(crate) fn request_key(&self) -> &AgreementKey {
        &self.request_key
    }

    pub(crate) fn request_jwk(&self) -> &NamedJwk {
        &self.request_jwk
    }

    pub(crate) fn request_kid(&self) -> &str {
        &self.request_kid
    }

    pub(crate) fn registrar(&self) -> &RegistrarFiles {
        &self.parts.registrar
    }

    pub(crate) fn status_settings(&self) -> &StatusSettings {
        &self.parts.status
    }

    /// The status lists as they are served.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(crate) fn access(&self) -> &AccessSettings {
        &self.parts.access
    }

    pub(crate) fn offer_settings(&self) -> &OfferSettings {
        &self.parts.offers
    }
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, OpenError> {
    let unreadable = || OpenError::Chain(path.to_owned());
    let chain: Vec<Vec<u8>> = CertificateDer::pem_file_iter(path)
        .map_err(|_| unreadable())?
        .map(|certificate| certificate.map(|der| der.to_vec()).map_err(|_| unreadable()))
        .collect::<Result<_, _>>()?;
    if chain.is_empty() { Err(unreadable()) } else { Ok(chain) }
}

/// Wallets would refuse what is signed otherwise: better to learn it now than from them.
fn check_leaf(parts: &Parts) -> Result<(), OpenError> {
    let der = CertificateDer::from(parts.chain.first().map_or(&[][..], Vec::as_slice));
    let leaf = EndEntityCert::try_from(&der).map_err(|_| OpenError::OtherKey)?;
    // A P-256 key ends its SubjectPublicKeyInfo with the point.
    let point = parts.signer.public().to_sec1();
    if !point.is_some_and(|point| leaf.subject_public_key_info().ends_with(&point)) {
        return Err(OpenError::OtherKey);
    }
    if leaf.valid_uri_names().all(|uri| uri != parts.issuer) {
        return Err(OpenError::OtherIssuer);
    }
    Ok(())
}
