//! `transaction_data`: what a resident authorises with an answer (sections 5.1, 8.4 and B.3.3).
//!
//! Each entry is hashed as the text that was sent, without decoding. Types come from whoever knows them, as an
//! argument: this module knows none, and a wallet that knows none refuses all. Those that ask for a permission, and stand
//! under a policy alone, are [`crate::permission::TYPES`].
//!
//! Security: an unknown member could change what an entry means, so a type lists all that it has.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::dcql::Query;
use crate::encoding::{b64u, b64u_decode, sha256};
use crate::json;
use crate::policy::PermissionNotCovered;

/// The claim of a key binding that covers entries.
pub const HASHES: &str = "transaction_data_hashes";

/// The claim of a key binding that names the hash.
pub const HASHES_ALG: &str = "transaction_data_hashes_alg";

/// The one hash that is used.
const ALG: &str = "sha-256";

/// The most entries of a request.
const MAX_ENTRIES: usize = 16;

/// The most bytes of an entry.
const MAX_ENTRY: usize = 16 * 1024;

/// A type of transaction data.
#[derive(Clone, Copy)]
pub struct TransactionType {
    /// Its name.
    pub name: &'static str,
    /// Every member that it has besides those of the standard.
    pub members: &'static [&'static str],
    /// Whether their values are of their form.
    pub is_of_form: fn(&Map<String, Value>) -> bool,
}

/// One entry of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    text: String,
    kind: String,
    credential_ids: Vec<String>,
    names_algorithm: bool,
    members: Map<String, Value>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    credential_ids: Vec<String>,
    transaction_data_hashes_alg: Option<Vec<String>>,
}

/// Why a wallet refuses transaction data: to the service, `invalid_transaction_data`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransactionDataError {
    /// Not an array of base64url texts of JSON objects with type and credential ids.
    #[error("an entry is malformed")]
    Form,
    /// The same entry twice.
    #[error("an entry is there twice")]
    Twice,
    /// A type that this wallet does not know.
    #[error("an entry is of a type that is not known")]
    Type,
    /// A member that the type does not have.
    #[error("an entry has a member that its type does not have")]
    Member,
    /// A value that the type does not allow.
    #[error("an entry has a value that its type does not allow")]
    Value,
    /// No credential ids, or one that the query does not have.
    #[error("an entry names no query, or one that is not asked")]
    Credential,
    /// A query whose answer is not bound to its holder.
    #[error("an entry names a query whose answer is not bound to a holder")]
    Binding,
    /// Hashes without SHA-256.
    #[error("an entry allows no hash that is known here")]
    Algorithm,
    /// The policy asks for a permission, and there is no entry.
    #[error("the policy asks for a permission, and the request has no entry for it")]
    Missing,
    /// The policy asks for none, and there is an entry.
    #[error("an entry asks for a permission that the policy does not ask for")]
    Unasked,
    /// More than the one entry of the permission.
    #[error("a request for a permission has exactly one entry")]
    Several,
    /// Something else than the policy says.
    #[error("an entry says something other than its policy")]
    Differs,
    /// More than the policy lets be paid.
    #[error("an entry is about more than its policy lets be paid")]
    Amount,
    /// The purpose does not allow the permission.
    #[error(transparent)]
    NotCovered(#[from] PermissionNotCovered),
}

/// Why the key bindings of an answer do not cover the transaction data. The fault of whoever sent it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotCovered {
    /// The claims are not of their form.
    #[error("the transaction data hashes of a key binding are malformed")]
    Form,
    /// The hash is another, or is not named although the request names hashes.
    #[error("the key binding names another hash than the transaction data allows, or none")]
    Algorithm,
    /// An entry is covered by no allowed credential, or by several.
    #[error("transaction data is not covered by exactly one of the credentials that it names")]
    Entry,
    /// A hash of something that was not asked for.
    #[error("the key binding covers transaction data that was not asked for")]
    Unasked,
}

/// Reads `transaction_data` of a request for `query`.
///
/// # Errors
/// [`TransactionDataError`].
pub fn read(
    sent: &Value,
    query: &Query,
    types: &[TransactionType],
) -> Result<Vec<Entry>, TransactionDataError> {
    let texts = sent.as_array().filter(|all| (1..=MAX_ENTRIES).contains(&all.len()));
    let entries = texts.ok_or(TransactionDataError::Form)?.iter().map(|text| {
        let entry = Entry::parse(text.as_str().ok_or(TransactionDataError::Form)?)?;
        entry.check(query, types)?;
        Ok(entry)
    });
    let entries = entries.collect::<Result<Vec<Entry>, TransactionDataError>>()?;
    let is_new = |(at, entry): (usize, &Entry)| entries[..at].iter().all(|before| before.text != entry.text);
    if !(mutants::skips("vp-transaction-data-twice") || entries.iter().enumerate().all(is_new)) {
        return Err(TransactionDataError::Twice);
    }
    Ok(entries)
}

impl Entry {
    /// Reads one entry; nothing of it is checked against a request.
    ///
    /// # Errors
    /// [`TransactionDataError::Form`], [`TransactionDataError::Algorithm`].
    pub fn parse(text: &str) -> Result<Self, TransactionDataError> {
        let bytes = b64u_decode(text).map_err(|_| TransactionDataError::Form)?;
        let mut members = json::object(&bytes, MAX_ENTRY).map_err(|_| TransactionDataError::Form)?;
        let head: Head = json::of_value(members.clone().into()).map_err(|_| TransactionDataError::Form)?;
        ["type", "credential_ids", HASHES_ALG].iter().for_each(|name| drop(members.remove(*name)));
        let algorithms = head.transaction_data_hashes_alg;
        let takes = algorithms.as_ref().is_none_or(|all| all.iter().any(|alg| alg == ALG));
        if !(mutants::skips("vp-transaction-data-alg") || takes) {
            return Err(TransactionDataError::Algorithm);
        }
        Ok(Self {
            text: text.to_owned(),
            kind: head.kind,
            credential_ids: head.credential_ids,
            names_algorithm: algorithms.is_some(),
            members,
        })
    }

    fn check(&self, query: &Query, types: &[TransactionType]) -> Result<(), TransactionDataError> {
        let known = types.iter().find(|known| known.name == self.kind);
        if !(mutants::skips("vp-transaction-data") || known.is_some()) {
            return Err(TransactionDataError::Type);
        }
        if let Some(known) = known {
            let listed = self.members.keys().all(|name| known.members.contains(&name.as_str()));
            if !(mutants::skips("vp-transaction-data-member") || listed) {
                return Err(TransactionDataError::Member);
            }
            if !(mutants::skips("vp-transaction-data-value") || (known.is_of_form)(&self.members)) {
                return Err(TransactionDataError::Value);
            }
        }
        let asked = |id: &String| query.credential(id).is_some();
        let named = !self.credential_ids.is_empty() && self.credential_ids.iter().all(asked);
        if !(mutants::skips("vp-transaction-data-credential") || named) {
            return Err(TransactionDataError::Credential);
        }
        let bound = self.credential_ids.iter().filter_map(|id| query.credential(id));
        let bound = bound.into_iter().all(|query| query.require_cryptographic_holder_binding);
        if !(mutants::skips("vp-transaction-data-binding") || bound) {
            return Err(TransactionDataError::Binding);
        }
        Ok(())
    }

    /// The entry as it was sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The members that its type gives it.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// base64url of the hash of the text as it was sent, as key bindings carry it.
    #[must_use]
    pub fn hash(&self) -> String {
        b64u(sha256(&self.text))
    }

    fn allows(&self, query: &str) -> bool {
        self.credential_ids.iter().any(|id| id == query)
    }
}

/// The claims of the key binding for `query` that cover what falls to it, when the queries `answered`, in DCQL order,
/// are answered: each entry falls to the first of them that it names.
///
/// # Errors
/// [`TransactionDataError::Credential`] where an entry names none of them: this way of answering does not authorise it.
pub fn claims(
    entries: &[Entry],
    answered: &[String],
    query: &str,
) -> Result<Map<String, Value>, TransactionDataError> {
    let bearer = |entry: &Entry| answered.iter().find(|id| entry.allows(id));
    if entries.iter().any(|entry| bearer(entry).is_none()) {
        return Err(TransactionDataError::Credential);
    }
    let own: Vec<&Entry> =
        entries.iter().filter(|entry| bearer(entry).is_some_and(|id| id == query)).collect();
    let mut claims = Map::new();
    if !own.is_empty() {
        claims.insert(HASHES.to_owned(), own.iter().map(|entry| entry.hash()).collect());
    }
    if own.iter().any(|entry| entry.names_algorithm) {
        claims.insert(HASHES_ALG.to_owned(), ALG.into());
    }
    Ok(claims)
}

/// What a key binding says of transaction data.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The query that the presentation answers.
    pub query: &'a str,
    /// `transaction_data_hashes`.
    pub hashes: Option<&'a Value>,
    /// `transaction_data_hashes_alg`.
    pub alg: Option<&'a Value>,
}

/// Whether the key bindings of an answer cover every entry, each in exactly one credential that it names, and nothing
/// else.
///
/// # Errors
/// [`NotCovered`].
pub fn check(entries: &[Entry], said: &[Said<'_>]) -> Result<(), NotCovered> {
    let said = said.iter().map(|one| Ok((*one, hashes(one)?))).collect::<Result<Vec<_>, _>>()?;
    for (one, hashes) in &said {
        let own: Vec<_> = entries.iter().filter(|entry| entry.allows(one.query)).collect();
        let covered = |entry: &&&Entry| hashes.contains(&entry.hash());
        let named = own.iter().filter(covered).any(|entry| entry.names_algorithm);
        let right = one.alg.map_or(!named, |alg| alg == ALG);
        if !(mutants::skips("vp-transaction-data-hash-alg") || right) {
            return Err(NotCovered::Algorithm);
        }
        // As many hashes as entries that they cover: no other, none twice.
        let count = own.iter().filter(covered).count();
        if !(mutants::skips("vp-transaction-data-unasked") || hashes.len() == count) {
            return Err(NotCovered::Unasked);
        }
    }
    let bearers = |entry: &Entry| {
        said.iter().filter(|(one, hashes)| entry.allows(one.query) && hashes.contains(&entry.hash())).count()
    };
    if !(mutants::skips("vp-transaction-data-covered") || entries.iter().all(|entry| bearers(entry) == 1)) {
        return Err(NotCovered::Entry);
    }
    Ok(())
}

/// Absent, or a non-empty array of texts.
fn hashes(said: &Said<'_>) -> Result<Vec<String>, NotCovered> {
    let Some(value) = said.hashes else { return Ok(Vec::new()) };
    let texts: Option<Vec<String>> =
        value.as_array().and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    match texts {
        Some(texts) if !texts.is_empty() => Ok(texts),
        other if mutants::skips("vp-transaction-data-hashes") => Ok(other.unwrap_or_default()),
        _ => Err(NotCovered::Form),
    }
}
