//! The trust register: how a registrar signs it from files, and how a verifier loads it.
//!
//! The registrar's key is apart: no service holds it, and signing is a command of its own. Sources are TOML with
//! the members of the documents (`specs/profiles/registrar.md`) but the common ones, which are added here. A rule
//! that names a table or list gets the table's hash here, since only the signed document has one.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::jws::{self, Compact};
use vouchsafe_protocol::jose::{SignError, SignatureVerifier, Signer};
use vouchsafe_protocol::json;
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::{
    self, Document, IssuerEntry, Judge, MAX_ENTRY, Purpose, Register, RegisterDocument, ServiceEntry, Table,
    TrustError, TrustFile,
};
use vouchsafe_service::config::{ConfigError, json_of_toml};

use crate::store::{Guesses, StoreError};

/// The parts of a register as the registrar writes them. Closed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// The registrar's URI.
    pub iss: String,
    /// The version: raised with every change.
    pub reg_version: u64,
    /// For how many days the register is valid, at most seven.
    #[serde(default = "week")]
    pub valid_days: u32,
    /// Services: sub, env, name, client_ids, purposes.
    #[serde(default)]
    pub services: Vec<Map<String, Value>>,
    /// Issuers: sub, env, name, anchors, types.
    #[serde(default)]
    pub issuers: Vec<Map<String, Value>>,
    /// Purposes: sub, version, text, basis, retention_days, recipients, may_ask, other_route.
    #[serde(default)]
    pub purposes: Vec<Map<String, Value>>,
    /// Tables and lists: sub, version, rows.
    #[serde(default)]
    pub tables: Vec<Map<String, Value>>,
}

fn week() -> u32 {
    7
}

/// Why a register was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignFault {
    /// A source is not TOML, or holds what has no JSON form.
    #[error("a source file cannot be read: {0}")]
    Source(#[from] ConfigError),
    /// The parts are not those of a register.
    #[error("the sources do not make a register: {0}")]
    Shape(String),
    /// An entry has missing, unknown or unreadable members.
    #[error("the entry {0} has missing, unknown or unreadable members")]
    Entry(String),
    /// An entry that nobody would read.
    #[error("the entry {0} is longer than verifiers and wallets read; shorten it, or make two of it")]
    TooLong(String),
    /// A rule names a table or list that is not among the sources.
    #[error("a rule of the purpose {0} names a table or list that the sources do not have")]
    NoTable(String),
    /// The version is below the one that was signed before.
    #[error("reg_version {new} is below {stored}, which was signed before; raise it")]
    Older {
        /// The version in the sources.
        new: u64,
        /// The version signed before.
        stored: u64,
    },
    /// Valid for longer than wallets accept.
    #[error("valid_days must be 1 to 7")]
    Validity,
    /// The registrar's key could not sign.
    #[error("the registrar's key could not sign")]
    Sign(#[from] SignError),
}

impl Sources {
    /// Reads and joins source files: each may hold some of the members; lists are joined.
    ///
    /// # Errors
    /// [`SignFault::Source`] and [`SignFault::Shape`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SignFault> {
        let mut whole = Map::new();
        for text in texts {
            let Value::Object(part) = json_of_toml(text)? else { continue };
            for (member, value) in part {
                join(&mut whole, member, value)?;
            }
        }
        serde_json::from_value(Value::Object(whole)).map_err(|e| SignFault::Shape(e.to_string()))
    }
}

fn join(whole: &mut Map<String, Value>, member: String, value: Value) -> Result<(), SignFault> {
    match (whole.get_mut(&member), value) {
        (None, value) => {
            whole.insert(member, value);
            Ok(())
        }
        (Some(Value::Array(all)), Value::Array(more)) => {
            all.extend(more);
            Ok(())
        }
        (Some(_), _) => Err(SignFault::Shape(format!("{member} is given twice"))),
    }
}

/// A signed register.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The register's JWS, to be written to `register_file`.
    pub jws: String,
    /// Its version.
    pub reg_version: u64,
    /// When it must be replaced.
    pub expires_at: UnixTime,
    /// Each issuer's own entry by `iss`: what an issuer publishes about itself.
    pub issuers: Vec<(String, String)>,
    /// Each table and list by id and version: what an issuer passes on for the lists that its types name.
    pub tables: Vec<(String, u32, String)>,
}

/// Signs a register and every entry of it; `stored` is the version signed before, if any.
///
/// # Errors
/// [`SignFault`] says what to mend.
pub async fn sign(
    sources: &Sources,
    registrar: &dyn Signer,
    stored: Option<u64>,
    now: UnixTime,
) -> Result<Signed, SignFault> {
    let stored = stored.unwrap_or(0);
    if !(mutants::skips("trust-sign-older") || sources.reg_version >= stored) {
        return Err(SignFault::Older { new: sources.reg_version, stored });
    }
    if !(1..=7).contains(&sources.valid_days) {
        return Err(SignFault::Validity);
    }
    let press = Press { sources, registrar, kid: b64u(registrar.public().thumbprint()), now };
    press.register().await
}

/// The version that a register says it has, of a file that the registrar made before; not verified.
#[must_use]
pub fn version_of(jws: &str) -> Option<u64> {
    let compact = Compact::parse(jws.trim(), RegisterDocument::MAX).ok()?;
    let document: RegisterDocument = json::typed(compact.dangerous_payload(), RegisterDocument::MAX).ok()?;
    Some(document.reg_version)
}

/// SHA-256 of the octets that the registrar signed.
pub(crate) fn payload_digest(jws: &str) -> Option<[u8; 32]> {
    let compact = Compact::parse(jws.trim(), RegisterDocument::MAX).ok()?;
    Some(sha256(compact.dangerous_payload()))
}

struct Press<'a> {
    sources: &'a Sources,
    registrar: &'a dyn Signer,
    kid: String,
    now: UnixTime,
}

impl Press<'_> {
    async fn register(&self) -> Result<Signed, SignFault> {
        let (mut entries, mut issuers, mut tables, mut hashes) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for source in &self.sources.tables {
            let (table, jws) = self.entry::<Table>(source).await?;
            hashes.push((table.sub.clone(), table.version, payload_hash(&jws)));
            entries.push(jws.clone());
            tables.push((table.sub, table.version, jws));
        }
        for source in &self.sources.services {
            entries.push(self.entry::<ServiceEntry>(source).await?.1);
        }
        for source in &self.sources.issuers {
            let (issuer, jws) = self.entry::<IssuerEntry>(source).await?;
            issuers.push((issuer.sub, jws.clone()));
            entries.push(jws);
        }
        for source in &self.sources.purposes {
            entries.push(self.entry::<Purpose>(&with_hashes(source, &hashes)?).await?.1);
        }
        let mut whole = Map::new();
        whole.insert("entries".into(), json!(entries));
        let (document, jws) = self.entry::<RegisterDocument>(&whole).await?;
        Ok(Signed { jws, reg_version: document.reg_version, expires_at: document.exp, issuers, tables })
    }

    /// Adds the common members to a source, checks the whole and signs it.
    async fn entry<D: Document>(&self, source: &Map<String, Value>) -> Result<(D, String), SignFault> {
        let name = source.get("sub").and_then(Value::as_str).unwrap_or("register").to_owned();
        let mut members = source.clone();
        members.insert("iss".into(), json!(self.sources.iss));
        members.insert("iat".into(), json!(self.now.0));
        members.insert("exp".into(), json!(self.now.plus(DAY * i64::from(self.sources.valid_days)).0));
        members.insert("reg_version".into(), json!(self.sources.reg_version));
        let document: D =
            serde_json::from_value(Value::Object(members)).map_err(|_| SignFault::Entry(name.clone()))?;
        document.check().map_err(|_| SignFault::Entry(name.clone()))?;
        let unsigned = trust::unsigned(&document, self.registrar.alg(), &self.kid);
        let jws = jws::sign(unsigned, self.registrar).await?;
        if !(mutants::skips("trust-sign-length") || jws.len() <= D::MAX) {
            return Err(SignFault::TooLong(name));
        }
        Ok((document, jws))
    }
}

/// SHA-256 of the payload octets of a JWS that was made here.
fn payload_hash(jws: &str) -> String {
    let compact = Compact::parse(jws, MAX_ENTRY).expect("it was made and measured a moment ago");
    b64u(sha256(compact.dangerous_payload()))
}

/// A purpose whose rules name tables by id and version, with the tables' hashes.
fn with_hashes(
    source: &Map<String, Value>,
    hashes: &[(String, u32, String)],
) -> Result<Map<String, Value>, SignFault> {
    let mut source = source.clone();
    let name = source.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    let may_ask = source.get_mut("may_ask").and_then(Value::as_array_mut).into_iter().flatten();
    let rules = may_ask.filter_map(|ask| ask.get_mut("rules")?.as_array_mut()).flatten();
    for rule in rules.filter(|rule| matches!(rule["kind"].as_str(), Some("table" | "codes"))) {
        let known = hashes
            .iter()
            .find(|(id, version, _)| rule["id"] == json!(id) && rule["version"] == json!(version));
        let (_, _, hash) = known.ok_or_else(|| SignFault::NoTable(name.clone()))?;
        rule["hash"] = json!(hash);
    }
    Ok(source)
}

/// Why a register was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// It does not verify under the pinned registrar.
    #[error("the register was not loaded: {0}")]
    Trust(#[from] TrustError),
    /// A newer one was loaded before.
    #[error("the register is older than one loaded before; fetch the registrar's newest")]
    Older,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads a signed register under the pinned registrar; one older than any seen is refused, after a restart too.
///
/// # Errors
/// [`LoadFault`].
pub async fn load(
    jws: &str,
    file: &TrustFile,
    store: &dyn Guesses,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Register, LoadFault> {
    let judge = Judge { registrar: &file.registrar, last_seen: 0, now, verifier };
    let register = Register::load(jws, &judge)?;
    if !store.see_register(&file.registrar.iss, register.reg_version()).await? {
        return Err(LoadFault::Older);
    }
    Ok(register)
}
