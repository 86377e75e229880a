//! Who may call our API: the systems of services, and what each may do.
//!
//! A client shows itself with an access token ([`token`]), which it gets for a signed statement ([`assertion`]): OAuth 2.0
//! client credentials (RFC 6749 4.4) with `private_key_jwt`. Test services have a test key besides, which is sent as it
//! is; live services never. A token may be bound to a key ([`possession`]). Either way [`authenticate`] gives a [`Caller`], and with it the tenant that every row and
//! query of the call names.
//!
//! Security: whoever has a token or a test key is the service until it ends. Each client's calls and streams are counted
//! in this process, so that one that runs wild is refused and others are served.

pub mod assertion;
pub(crate) mod changes;
pub mod possession;
pub mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::dpop::Proof;
use vouchsafe_protocol::encoding::{b64u_array, sha256};
use vouchsafe_protocol::jose::{Alg, NamedJwk};
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::token::TokenType;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::config::ConfigError;
use vouchsafe_service::limits::{AddressPrefix, Rate};
use vouchsafe_service::secret::same;

use self::changes::Changes;
use self::possession::Envelope;
use crate::app::{App, Unavailable};
use crate::config::{ClientSettings, LimitSettings, Service};
use crate::request::Flights;
use crate::secrets::Kind;
use crate::store::Tenant;

/// The most bytes of a client's key set.
const MAX_KEYS: usize = 64 * 1024;
/// The longest id of a client, in bytes.
const MAX_ID: usize = 200;
/// The window of a client's rate, in seconds.
const MINUTE: u32 = 60;

/// A kind of call that a token may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Opening requests.
    RequestsWrite,
    /// Seeing requests, how they stand and how they were decided.
    DecisionsRead,
    /// Seeing permissions, and whether they are in force.
    PermissionsRead,
    /// Using permissions up, and taking them back at a counter.
    PermissionsWrite,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 4] =
        [Self::RequestsWrite, Self::DecisionsRead, Self::PermissionsRead, Self::PermissionsWrite];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestsWrite => "requests:write",
            Self::DecisionsRead => "decisions:read",
            Self::PermissionsRead => "permissions:read",
            Self::PermissionsWrite => "permissions:write",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::RequestsWrite => 1,
            Self::DecisionsRead => 2,
            Self::PermissionsRead => 4,
            Self::PermissionsWrite => 8,
        }
    }
}

/// Several scopes, each once. Written with spaces between them (RFC 6749 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Reads scopes; `None` when one is unknown, or when there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let one = |word: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == word).map(Scope::bit);
        let all = text.split(' ').map(one).try_fold(0, |all, bit| bit.map(|bit| all | bit))?;
        Some(Self(all))
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of these are among `others`.
    #[must_use]
    pub fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::as_str);
        f.write_str(words.next().unwrap_or_default())?;
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

/// A system that may call for a service.
pub struct Client {
    id: String,
    tenant: Tenant,
    scopes: Scopes,
    keys: Vec<NamedJwk>,
    /// Whether its tokens are bound to a key, all of them.
    bound: bool,
    rate: Rate,
    streams: Arc<Semaphore>,
}

impl Client {
    fn new(id: &str, service: &Service, keys: Vec<NamedJwk>, scopes: Scopes, most: &LimitSettings) -> Self {
        Self {
            id: id.to_owned(),
            tenant: Tenant::new(&service.id, service.env),
            scopes,
            keys,
            bound: false,
            rate: Rate::new(most.client_calls_per_minute, MINUTE),
            streams: Arc::new(Semaphore::new(most.client_streams as usize)),
        }
    }

    /// Counts a call; within the rate or not.
    fn admits(&self, now: UnixTime) -> bool {
        // One client, one counter: the rate's own key is of no use here.
        let all = AddressPrefix::of(std::net::Ipv4Addr::UNSPECIFIED.into());
        mutants::skips("api-client-rate") || self.rate.admits(all, now)
    }
}

/// Why the clients of the configuration cannot be used. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// A test key that is missing or not in its form.
    #[error("the service {0} needs test_key_hash (base64url SHA-256), test_key_file or clients")]
    TestKey(String),
    /// A live service with a test key.
    #[error("the service {0} is live: a test key is for test services alone")]
    TestKeyOnLive(String),
    /// A test key that another service has.
    #[error("the test key of {0} is another service's: each has its own")]
    TestKeyTaken(String),
    /// A client's id is not one, or two have it.
    #[error(
        "the client id {0} is taken, is another service's, or is not 1 to 200 printable ASCII characters"
    )]
    Id(String),
    /// A client's scopes are unknown.
    #[error(
        "the scopes of client {0} must be of requests:write, decisions:read, permissions:read and permissions:write"
    )]
    Scopes(String),
    /// A client's keys cannot be used.
    #[error(
        "the key set of client {0} must hold public P-256 or Ed25519 keys for signatures, each with a kid of its own"
    )]
    Keys(String),
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    by_id: BTreeMap<String, Arc<Client>>,
    test_keys: Vec<([u8; 32], Arc<Client>)>,
    pub(crate) changes: Changes,
    pub(crate) flights: Flights,
}

impl Clients {
    /// The clients of a configuration.
    ///
    /// # Errors
    /// [`ClientFault`] says what to mend.
    pub fn load(services: &[Service], most: &LimitSettings) -> Result<Self, ClientFault> {
        let mut clients = Self::default();
        for service in services {
            clients.add_test_key(service, most)?;
            for settings in &service.clients {
                let foreign = settings.id != service.id && services.iter().any(|one| one.id == settings.id);
                clients.add(service, settings, foreign, most)?;
            }
        }
        Ok(clients)
    }

    fn add_test_key(&mut self, service: &Service, most: &LimitSettings) -> Result<(), ClientFault> {
        let fault = || ClientFault::TestKey(service.id.clone());
        let digest = match (&service.test_key_hash, &service.test_key_file) {
            (Some(hash), None) => b64u_array(hash).map_err(|_| fault())?,
            (None, Some(file)) => sha256(file.read()?.as_bytes()),
            (None, None) if !service.clients.is_empty() => return Ok(()),
            _ => return Err(fault()),
        };
        if !(mutants::skips("vp-test-key-live") || service.env == Env::Test) {
            return Err(ClientFault::TestKeyOnLive(service.id.clone()));
        }
        let free = self.test_keys.iter().all(|(known, _)| *known != digest);
        // With one key for two services the second would read and open requests of the first.
        if !(mutants::skips("api-test-key-unique") || free) {
            return Err(ClientFault::TestKeyTaken(service.id.clone()));
        }
        let client = Client::new(&service.id, service, Vec::new(), Scopes::ALL, most);
        self.test_keys.push((digest, Arc::new(client)));
        Ok(())
    }

    fn add(
        &mut self,
        service: &Service,
        settings: &ClientSettings,
        foreign: bool,
        most: &LimitSettings,
    ) -> Result<(), ClientFault> {
        let id = &settings.id;
        let formed = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let free = !foreign && !self.by_id.contains_key(id);
        if !(mutants::skips("api-client-unique") || (formed && free)) {
            return Err(ClientFault::Id(id.clone()));
        }
        let scopes = match &settings.scopes {
            None => Some(Scopes::ALL),
            Some(scopes) => Scopes::parse(&scopes.join(" ")),
        };
        let scopes = scopes.ok_or_else(|| ClientFault::Scopes(id.clone()))?;
        let keys = keys(&settings.keys)?.ok_or_else(|| ClientFault::Keys(id.clone()))?;
        let client = Client { bound: settings.dpop, ..Client::new(id, service, keys, scopes, most) };
        self.by_id.insert(id.clone(), Arc::new(client));
        Ok(())
    }

    /// The client of that id.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    fn by_test_key(&self, sent: &str) -> Option<&Arc<Client>> {
        let digest = sha256(sent);
        self.test_keys.iter().find(|(known, _)| same(known, &digest)).map(|(_, client)| client)
    }
}

/// The keys of a JWK set (RFC 7517, section 5); `None` when it is not one that a client can be known by.
fn keys(file: &Path) -> Result<Option<Vec<NamedJwk>>, ConfigError> {
    let text = std::fs::read(file)
        .map_err(|fault| ConfigError::File { path: file.to_owned(), kind: fault.kind() })?;
    let Ok(set) = json::parse(&text, MAX_KEYS) else { return Ok(None) };
    let read = set["keys"].as_array().into_iter().flatten().map(NamedJwk::from_value);
    let Ok(keys) = read.collect::<Result<Vec<_>, _>>() else { return Ok(None) };
    let apart = |at: usize| keys[at].kid.is_some() && keys[..at].iter().all(|one| one.kid != keys[at].kid);
    let usable = !keys.is_empty() && (0..keys.len()).all(apart);
    let signing = mutants::skips("api-client-key-use") || keys.iter().all(is_for_signatures);
    Ok(((mutants::skips("api-client-keys") || usable) && signing).then_some(keys))
}

/// RFC 7517, 4.2 and 4.4: what a key is said to be for, it is for alone.
fn is_for_signatures(key: &NamedJwk) -> bool {
    let alg = key.alg.as_deref().map(Alg::from_name);
    key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && alg.is_none_or(|alg| alg == Some(key.key.alg()))
}

/// Who calls, and for what.
#[derive(Clone)]
pub struct Caller {
    client: Arc<Client>,
    scopes: Scopes,
}

impl Caller {
    /// Whose rows the call sees.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.client.tenant
    }

    /// Whether the call may be for this as well.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        mutants::skips("api-scope-more") || self.scopes.has(scope)
    }

    /// Room for one more stream of this client, until it is dropped; `None` when all is taken.
    pub(crate) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        if mutants::skips("api-client-streams") {
            return Arc::new(Semaphore::new(1)).try_acquire_owned().ok();
        }
        self.client.streams.clone().try_acquire_owned().ok()
    }
}

/// Why a call is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It carries nothing to know the caller by.
    #[error("the call carries no credentials")]
    NoCredentials,
    /// What it carries is not, or no longer, good for anything.
    #[error("the call's token or key is unknown, expired or of another kind")]
    InvalidToken,
    /// The same, of a token that came as one that is bound to a key.
    #[error("the call's token is unknown, expired or bound to no key")]
    InvalidBound,
    /// The proof of the token's key is not one for this call.
    #[error("the proof of the token's key is missing, not for this call, or was used before")]
    Proof,
    /// The token is not for this kind of call.
    #[error("the token is not for this kind of call; it needs {}", .0.as_str())]
    Scope(Scope),
    /// The client calls too often.
    #[error("the client calls too often")]
    Rate,
    /// We could not look.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Who sends a call, if that may call for `scope` now.
///
/// # Errors
/// [`Denied`] says why not.
pub async fn authenticate(app: &App, envelope: &Envelope, scope: Scope) -> Result<Caller, Denied> {
    let (caller, proof) = match envelope.authorizations.as_slice() {
        [] => return Err(Denied::NoCredentials),
        [only] => caller(app, only, envelope).await?,
        // Of two, two readers could take two different ones.
        _ => return Err(Denied::InvalidToken),
    };
    if !(mutants::skips("api-scope") || caller.scopes.has(scope)) {
        return Err(Denied::Scope(scope));
    }
    if !caller.client.admits(app.now()) {
        return Err(Denied::Rate);
    }
    match proof {
        Some(proof) if !possession::spend(app, &proof).await? => Err(Denied::Proof),
        _ => Ok(caller),
    }
}

/// How a token is sent, and the token (RFC 6750 2.1, RFC 9449 7.1).
fn credential(sent: &str) -> Option<(TokenType, &str)> {
    let (scheme, token) = sent.split_once(' ')?;
    let scheme = TokenType::from_name(scheme)?;
    Some((scheme, token.trim())).filter(|(_, token)| !token.is_empty())
}

/// Who sends this `Authorization`, with the proof that must still be used up where the token is bound.
async fn caller(app: &App, sent: &str, envelope: &Envelope) -> Result<(Caller, Option<Proof>), Denied> {
    let (scheme, sent) = credential(sent).ok_or(Denied::InvalidToken)?;
    let test_client = app.clients().by_test_key(sent).filter(|_| scheme == TokenType::Bearer);
    if let Some(client) = test_client {
        return Ok((Caller { client: client.clone(), scopes: Scopes::ALL }, None));
    }
    let denied = || match scheme {
        TokenType::Bearer => Denied::InvalidToken,
        TokenType::Dpop => Denied::InvalidBound,
    };
    let tag = app.vault().tag(Kind::Token, sent);
    let grant = app.store().token(tag, app.now()).await.map_err(Unavailable::from)?;
    let grant = grant.ok_or_else(denied)?;
    let client = app.clients().find(&grant.client).ok_or_else(denied)?;
    // A service that went from test to live, or a client that went to another service, starts with new tokens.
    if !(mutants::skips("api-token-tenant") || client.tenant == grant.tenant) {
        return Err(denied());
    }
    let caller = Caller { client: client.clone(), scopes: grant.scopes.and(client.scopes) };
    match (&grant.key, scheme) {
        (None, TokenType::Bearer) => Ok((caller, None)),
        (Some(key), TokenType::Dpop) => {
            let proof = possession::check(app, envelope, Some(sent), Some(key)).ok_or(Denied::Proof)?;
            Ok((caller, Some(proof)))
        }
        // RFC 9449 7.2: a bound token that is sent alone was taken from somebody.
        (Some(_), TokenType::Bearer) if mutants::skips("api-token-bound") => Ok((caller, None)),
        (None, TokenType::Dpop) if mutants::skips("api-token-unbound") => Ok((caller, None)),
        _ => Err(denied()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written() {
        let two = Scopes::parse("decisions:read requests:write").unwrap();
        assert_eq!(two.to_string(), "requests:write decisions:read");
        assert!(two.has(Scope::RequestsWrite) && !two.has(Scope::PermissionsRead));
        assert!(two.within(Scopes::ALL) && !Scopes::ALL.within(two));
        assert_eq!(Scopes::parse("requests:write requests:write").unwrap().to_string(), "requests:write");
        for text in
            ["", " ", "requests:write ", "requests", "requests:write,decisions:read", "Requests:write"]
        {
            assert_eq!(Scopes::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_token_is_one_word_behind_its_scheme() {
        assert_eq!(credential("Bearer abc"), Some((TokenType::Bearer, "abc")));
        assert_eq!(credential("bearer  abc "), Some((TokenType::Bearer, "abc")));
        assert_eq!(credential("DPoP abc"), Some((TokenType::Dpop, "abc")));
        for sent in ["", "abc", "Bearer", "Bearer ", "DPoP ", "Basic abc"] {
            assert_eq!(credential(sent), None, "{sent:?}");
        }
    }
}
