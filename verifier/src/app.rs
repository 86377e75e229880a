//! The verifier as one value: its rules, keys, store, clock and chance.
//!
//! Use cases are functions over it (`request`, `answer`, `session`, `expiry`); the HTTP files only translate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::pki_types::CertificateDer;
use vouchsafe_protocol::jose::pki_types::pem::PemObject as _;
use vouchsafe_protocol::jose::x5c::{X5cError, validate};
use vouchsafe_protocol::jose::{SignError, Signer as _};
use vouchsafe_protocol::openid4vp::client_id;
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Register, TrustError, TrustFile};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::client::{FetchError, Http};
use vouchsafe_service::clock::Clock;
use vouchsafe_service::config::{ConfigError, SecretFile};
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::keys::{Ed25519Key, Jws, KeyError, SigningKey};
use vouchsafe_service::problem::Reference;
use vouchsafe_service::secret::{SecretError, ServerKey};
use vouchsafe_service::store::{self as database, Database, Schema};

use crate::answer::Concluding;
use crate::clients::{ClientFault, Clients};
use crate::config::{Config, MAX_REQUEST_TTL};
use crate::decision::{Closing, Desk};
use crate::log::{LogDesk, LogError};
use crate::paths::PathCache;
use crate::permissions::{Checks, RecordDesk};
use crate::policies::{self, FileFault, Installed, Refusal, Sender, warnings};
use crate::pool::gather::Gathering;
use crate::pool::{Cap, Full, ProofPool};
use crate::published::{self, PublishFault};
use crate::question::{Question, QuestionError, Questions};
use crate::secrets::{Kind, Vault};
use crate::status::{Book, Door, Fetch};
use crate::store::{
    self, Consume, Decided, Effect, Ground, Request, RequestId, ServiceId, Stale, Store, StoreError, Tenant,
};
use crate::trust::{self, LoadFault};
use crate::webhook::{EndpointFault, Endpoints};

/// What changes when the register or the policies are loaded anew.
pub struct Rules {
    /// The pinned registrar and the certificate anchors.
    pub trust: TrustFile,
    /// The register.
    pub register: Register,
    /// The newest version of each policy.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The credential types.
    pub types: Vec<CredentialType>,
    /// What is told of the policies to anybody.
    published: Bytes,
}

impl Rules {
    /// The live policies with what the registrar signed about them, as they are published.
    #[must_use]
    pub fn published(&self) -> Bytes {
        self.published.clone()
    }

    /// Whether the register is not out of date at `now`.
    #[must_use]
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.register.expires_at().is_some_and(|expires_at| now < expires_at)
    }
}

/// Who signs requests.
pub(crate) struct RequestSigner {
    pub(crate) key: SigningKey,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) client_id: String,
}

/// The verifier.
pub struct App {
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    store: Arc<dyn Store>,
    database: Option<Database>,
    vault: Vault,
    rules: RwLock<Arc<Rules>>,
    signer: RequestSigner,
    desk: Desk,
    records: RecordDesk,
    checks: Checks,
    log_desk: Option<LogDesk>,
    clients: Clients,
    endpoints: Endpoints,
    questions: Questions,
    pub(crate) pool: ProofPool,
    pub(crate) proofs: Gathering<Concluding>,
    pub(crate) flights: Cap,
    pub(crate) paths: PathCache,
    pub(crate) signatures: Jws,
    pub(crate) statuses: Book,
}

/// Why the verifier does not start. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the configuration names cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A signing key cannot be used.
    #[error("a signing key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// A log is named after the origin, and this one makes no name.
    #[error("the log is named after origin, which must have no space and no plus")]
    Log,
    /// The server key cannot be used.
    #[error(transparent)]
    ServerKey(#[from] SecretError),
    /// The chain is not PEM, or its first certificate is not that of the request key.
    #[error("request.certificates must hold the certificate of request.key first, in PEM")]
    Certificates,
    /// Wallets would not accept the request certificate.
    #[error("the request certificate is not acceptable: {0}")]
    Path(#[from] X5cError),
    /// The origin is not one.
    #[error("origin must be https:// with a host and no path")]
    Origin,
    /// A time to live is out of range.
    #[error("request.ttl_seconds must be 30 to {MAX_REQUEST_TTL}, decision.ttl_seconds at least 1")]
    Ttl,
    /// A limit is out of range.
    #[error("{0} must be 1 to 1000000")]
    Limit(&'static str),
    /// A setting of status lists is out of range.
    #[error("{0} is out of bounds")]
    Status(&'static str),
    /// Lists would be fetched from this machine for a live service.
    #[error("status.loopback is for test services alone")]
    Loopback,
    /// The client that fetches status lists cannot be made.
    #[error("status.authorities must hold certificates in PEM: {0}")]
    Authorities(#[from] FetchError),
    /// A service's clients cannot be used.
    #[error(transparent)]
    Clients(#[from] ClientFault),
    /// A service's endpoint cannot be used.
    #[error(transparent)]
    Endpoints(#[from] EndpointFault),
    /// A service is not in the register as the configuration says.
    #[error("the register has no service {0} with this request certificate and this env")]
    ServiceUnknown(String),
    /// The trust file cannot be read.
    #[error(transparent)]
    TrustFile(#[from] TrustError),
    /// The register cannot be loaded.
    #[error(transparent)]
    Register(#[from] LoadFault),
    /// A policy or type file cannot be loaded.
    #[error(transparent)]
    File(#[from] FileFault),
    /// A live policy may not be asked with.
    #[error("the policy {id} may not be asked with: {refusal}")]
    Policy {
        /// The policy.
        id: String,
        /// Why.
        refusal: Refusal,
    },
    /// Wallets would not read what is published.
    #[error(transparent)]
    Published(#[from] PublishFault),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] database::OpenError),
}

/// We cannot serve at the moment; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored question cannot be read back.
    #[error("a stored question cannot be used: {0}")]
    Question(#[from] QuestionError),
    /// The register has run out: nobody may be trusted by it.
    #[error("the register has run out; load the registrar's newest")]
    Register,
    /// A signing key is away.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// All proof workers are busy.
    #[error(transparent)]
    Full(#[from] Full),
    /// The log cannot be read, or is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A page could not be made.
    #[error("a page could not be made")]
    Page,
}

impl App {
    /// Opens the verifier over its own database. A server's time is told to `clock`.
    ///
    /// # Errors
    /// [`OpenError`] says what to mend.
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        schema: Schema,
    ) -> Result<Arc<Self>, OpenError> {
        let database = Database::open(&config.database, store::MIGRATORS, schema, &clock).await?;
        let store = store::over(&database);
        let mut app = Self::assemble(config, clock, entropy, store, None).await?;
        app.database = Some(database);
        Ok(Arc::new(app))
    }

    /// Opens the verifier over any store, and with another way to status lists than over HTTP; for tests.
    ///
    /// # Errors
    /// [`OpenError`] says what to mend.
    pub async fn open_with(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        store: Arc<dyn Store>,
        door: Option<Arc<dyn Fetch>>,
    ) -> Result<Arc<Self>, OpenError> {
        Self::assemble(config, clock, entropy, store, door).await.map(Arc::new)
    }

    async fn assemble(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        store: Arc<dyn Store>,
        door: Option<Arc<dyn Fetch>>,
    ) -> Result<Self, OpenError> {
        check_numbers(&config)?;
        let vault = Vault::new(ServerKey::from_text(&config.server_key.read()?)?);
        let trust = TrustFile::parse(&read(&config.trust_file)?)?;
        let signer = request_signer(&config, &trust, clock.now())?;
        let decision_key = SigningKey::from_pkcs8_pem(&config.decision.key.read()?)?;
        let desk = Desk::new(Arc::new(decision_key), &config.origin, config.decision.ttl_seconds);
        let record_key = SigningKey::from_pkcs8_pem(&config.record.key.read()?)?;
        let records = RecordDesk::new(Arc::new(record_key), &config.origin);
        let log_desk = log_desk(&config)?;
        let clients = Clients::load(&config.services, &config.limits)?;
        let endpoints = Endpoints::load(&config.services, config.webhooks)?;
        let rules = load_rules(&config, &*store, &signer, clock.now()).await?;
        let flights = Cap::new(config.limits.answers_at_once);
        let pool = ProofPool::per_core(Duration::from_millis(config.limits.worker_wait_ms.into()));
        let door = match door {
            Some(door) => door,
            None => status_door(&config, &rules)?,
        };
        let proofs = Concluding::gathering(entropy.clone(), clock.clone());
        let statuses = Book::new(config.status.clone(), door, clock.clone());
        Ok(Self {
            config,
            clock,
            entropy,
            store,
            database: None,
            vault,
            rules: RwLock::new(Arc::new(rules)),
            signer,
            desk,
            records,
            checks: Checks::default(),
            log_desk,
            clients,
            endpoints,
            questions: Questions::default(),
            pool,
            proofs,
            flights,
            paths: PathCache::default(),
            signatures: Jws,
            statuses,
        })
    }

    /// Loads register, types and policies anew; on any fault the old ones stay.
    ///
    /// # Errors
    /// [`OpenError`] says what to mend.
    pub async fn reload(&self) -> Result<(), OpenError> {
        let rules = load_rules(&self.config, &*self.store, &self.signer, self.now()).await?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }

    /// The rules as they stand.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rules, as long as the registrar still stands by them.
    ///
    /// # Errors
    /// [`Unavailable::Register`] once the register has run out.
    pub(crate) fn current_rules(&self, now: UnixTime) -> Result<Arc<Rules>, Unavailable> {
        let rules = self.rules();
        if !(mutants::skips("trust-register-current") || rules.is_current(now)) {
            return Err(Unavailable::Register);
        }
        Ok(rules)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Where the time comes from.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The database, if the verifier was opened over one of its own: for backups and tests.
    #[must_use]
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Whether the database answers and the register is not out of date: for readiness.
    pub async fn is_ready(&self) -> bool {
        if !self.rules().is_current(self.now()) {
            return false;
        }
        match &self.database {
            Some(database) => database.is_ready().await,
            None => true,
        }
    }

    /// Waits for work in progress and closes the database.
    pub async fn close(&self) {
        if let Some(database) = &self.database {
            database.close().await;
        }
    }

    /// The key set that decisions and records are checked with.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.desk.jwks(&self.records.key())
    }

    /// The client id that requests are made under.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.signer.client_id
    }

    /// The systems that may call, and what goes on between them and us.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Where services are told that something happened.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What problems, pages and the log call a request: a keyed name, from which nothing can be learnt.
    #[must_use]
    pub fn reference(&self, tenant: &Tenant, id: &RequestId) -> Reference {
        let name = format!("{}\n{}", tenant.name(), id.0);
        Reference::of(&self.vault.tag(Kind::Reference, &name).0)
    }

    /// The pool for signatures and proofs.
    #[must_use]
    pub fn pool(&self) -> &ProofPool {
        &self.pool
    }

    /// How many answers wait for a worker that checks their proofs, alone or with each other.
    #[must_use]
    pub fn proofs_waiting(&self) -> usize {
        self.proofs.waiting()
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn signer(&self) -> &RequestSigner {
        &self.signer
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    pub(crate) fn records(&self) -> &RecordDesk {
        &self.records
    }

    /// How often tenants asked whether permissions are in force, until that is written.
    pub(crate) fn checks(&self) -> &Checks {
        &self.checks
    }

    /// Who signs the log, where it is shown.
    #[must_use]
    pub fn log_desk(&self) -> Option<&LogDesk> {
        self.log_desk.as_ref()
    }

    pub(crate) fn keep_question(&self, digest: [u8; 32], question: Arc<Question>) {
        self.questions.put(digest, question);
    }

    /// What `request` asks, as it was pinned when it was made.
    pub(crate) async fn question(&self, request: &Request) -> Result<Arc<Question>, Unavailable> {
        self.question_of(&request.service, request.asked_digest, request.created_at).await
    }

    /// The question of that digest, as it was pinned at `now`.
    pub(crate) async fn question_of(
        &self,
        service: &ServiceId,
        digest: [u8; 32],
        now: UnixTime,
    ) -> Result<Arc<Question>, Unavailable> {
        if let Some(question) = self.questions.get(&digest) {
            return Ok(question);
        }
        let body = self.store.asked(service, digest).await?.ok_or(QuestionError::Damaged)?;
        let rules = self.rules();
        // What the registrar said held when the request was made, and is what the wallet was shown.
        let judge =
            Judge { registrar: &rules.trust.registrar, last_seen: 0, now, verifier: &self.signatures };
        let question = Arc::new(Question::from_body(&body, &judge)?);
        self.keep_question(digest, question.clone());
        Ok(question)
    }

    pub(crate) fn closing(&self, closing: &Closing<'_>, ground: Ground) -> Consume {
        let request = closing.request;
        let mut member = self.desk.closing(closing, ground, self.entropy());
        let permitted = closing.finding.permitted.as_ref();
        member.effects.extend(permitted.into_iter().flat_map(|permitted| permitted.effects(self, closing)));
        let beyond = member.limit.iter_mut().flat_map(|limit| &mut limit.effects);
        let ended = member.resting.iter_mut().flat_map(|resting| &mut resting.effects);
        for effect in member.effects.iter_mut().chain(beyond).chain(ended) {
            if let Effect::Decision { signing_input, .. } = effect {
                *signing_input =
                    self.vault.bind(Kind::Decision, &request.service, &request.id, signing_input);
            }
        }
        member
    }

    /// Closes every member that still may be closed, in one transaction, and counts the outcomes.
    ///
    /// # Errors
    /// When the store does not answer; then nothing was closed.
    pub async fn decide_many(
        &self,
        members: Vec<Consume>,
    ) -> Result<Vec<Result<Decided, Stale>>, StoreError> {
        let results = self.store.decide_many(members).await?;
        for decided in results.iter().flatten() {
            self.clients.changes.tell(&decided.request);
            metrics::counter!("vouchsafe_decisions_total", "outcome" => decided.outcome.as_str())
                .increment(1);
        }
        Ok(results)
    }
}

fn check_numbers(config: &Config) -> Result<(), OpenError> {
    let origin = url::Url::parse(&config.origin).map_err(|_| OpenError::Origin)?;
    let bare = origin.scheme() == "https" && origin.origin().ascii_serialization() == config.origin;
    if !(mutants::skips("vp-origin") || bare) {
        return Err(OpenError::Origin);
    }
    if !(30..=MAX_REQUEST_TTL).contains(&config.request.ttl_seconds) || config.decision.ttl_seconds == 0 {
        return Err(OpenError::Ttl);
    }
    config.limits.fault().map_or(Ok(()), |key| Err(OpenError::Limit(key)))
}

/// The request key with its certificate path, which must lead to an anchor that wallets have.
fn log_desk(config: &Config) -> Result<Option<LogDesk>, OpenError> {
    let Some(settings) = &config.log else { return Ok(None) };
    let key = Ed25519Key::from_pkcs8_pem(&settings.key.read()?)?;
    LogDesk::new(key, &config.origin).map(Some).map_err(|_| OpenError::Log)
}

fn request_signer(config: &Config, trust: &TrustFile, now: UnixTime) -> Result<RequestSigner, OpenError> {
    let key = SigningKey::from_pkcs8_pem(&config.request.key.read()?)?;
    let pem = SecretFile::new(&config.request.certificates).read()?;
    let chain = policies::chain_of(pem.as_bytes()).ok_or(OpenError::Certificates)?;
    let leaf = validate(&chain, &trust.anchors, now, &Jws)?;
    if leaf.key() != key.public() {
        return Err(OpenError::Certificates);
    }
    Ok(RequestSigner { key, client_id: client_id(&leaf.sha256()), chain })
}

async fn load_rules(
    config: &Config,
    store: &dyn Store,
    signer: &RequestSigner,
    now: UnixTime,
) -> Result<Rules, OpenError> {
    let trust = TrustFile::parse(&read(&config.trust_file)?)?;
    let jws = String::from_utf8(read(&config.register_file)?)
        .map_err(|_| LoadFault::Trust(TrustError::Malformed))?;
    let register = trust::load(&jws, &trust, store, now, &Jws).await?;
    for service in &config.services {
        let known = register.service(&service.id).map(|entry| entry.document());
        let fits = known
            .is_some_and(|entry| entry.env == service.env && entry.client_ids.contains(&signer.client_id));
        if !(mutants::skips("trust-own-service") || fits) {
            return Err(OpenError::ServiceUnknown(service.id.clone()));
        }
    }
    let types = policies::read_types(&config.types)?;
    let files = policies::read_policies(&config.policies)?;
    let sender = Sender { origin: &config.origin, chain: &signer.chain };
    let installed = Installed { types: &types, register: &register, sender, as_of: now.london_date() };
    let policies =
        policies::askable(&files, &installed).map_err(|(id, refusal)| OpenError::Policy { id, refusal })?;
    for (id, warning) in policies.iter().flat_map(|(id, one)| warnings(one).into_iter().map(move |w| (id, w)))
    {
        tracing::warn!("the policy {id}: {warning}");
    }
    let published = published::document(&config.services, &register, &policies)?;
    Ok(Rules { trust, register, policies, types, published })
}

/// The client that fetches status lists. Where no type has a status none is fetched, and no authority is needed.
fn status_door(config: &Config, rules: &Rules) -> Result<Arc<dyn Fetch>, OpenError> {
    let settings = &config.status;
    if let Some(key) = settings.fault() {
        return Err(OpenError::Status(key));
    }
    let test = config.services.iter().all(|service| service.env == Env::Test);
    let reach = settings.reach(test).ok_or(OpenError::Loopback)?;
    let needed = rules.types.iter().any(|one| one.status);
    let pem = if needed { read(&settings.authorities)? } else { Vec::new() };
    let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let authorities = authorities.map_err(|_| FetchError::Setup)?;
    Ok(Arc::new(Door::new(Http::new(&authorities, reach)?)))
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|e| ConfigError::File { path: path.to_owned(), kind: e.kind() }.into())
}
