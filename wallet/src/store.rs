//! What the vault holds, as types: batches, copies, keys, seeds.
//!
//! A copy is shown once. Its life is `unused`, then `reserved` while an answer is being made, then `spent`; a copy is
//! marked spent **before** its presentation leaves the wallet, so that a crash can waste a copy but never show one
//! twice. `reserved` is left only by a crash or a failure before anything was sent, so opening the wallet returns such
//! copies to `unused`. When a copy is spent, its key, its seed and its text are deleted in the same transaction.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::{Blinding, Seed};
use vouchsafe_proofs::context;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_protocol::openid4vci::batch::Opened;
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::zkc;
use vouchsafe_service::entropy::Entropy;
use zeroize::{Zeroize, Zeroizing};

use crate::budget::Learnt;
use crate::link::{Link, link_secret};
use crate::status::Status;
use crate::vault::{Change, Record, Section, Vault, VaultError};

/// A batch of copies of one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The type; ends in `/zk` for proof copies.
    pub vct: String,
    /// Who signed it: the https URL of the body.
    pub iss: String,
    /// The body's name in the register.
    pub issuer: Bilingual,
    /// Test or live, by the register.
    pub env: Env,
    /// The name of the credential.
    pub name: Bilingual,
    /// The date of the body's facts, `YYYY-MM-DD`, on proof copies.
    pub facts_as_of: Option<String>,
    /// The period that the facts are the total of, where the type has periods: `YYYY-MM`, shown by every copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// When the copies end, in Unix seconds.
    pub expires_at: i64,
    /// When the batch was received, in Unix seconds.
    pub received_at: i64,
    /// What the credential says something about, by name; no values.
    pub attributes: Vec<Attribute>,
    /// SHA-256 of the anchors that the register named for the body, base64url: those that its status lists are held
    /// against.
    #[serde(default)]
    pub anchors: Vec<String>,
}

/// One attribute of a credential, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// RFC 6901 pointer of the claim.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
}

/// Where a copy is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Never shown.
    Unused,
    /// An answer is being made with it; nothing was sent.
    Reserved,
    /// Shown, or about to be.
    Spent,
}

/// One copy. The text is absent once it is spent.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    pub(crate) credential: String,
    pub(crate) state: CopyState,
    pub(crate) sd_jwt: Option<String>,
    /// What is known of its status, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
}

impl Copy {
    /// Whether its status list said that it counts no more. Nothing brings it back.
    pub(crate) fn is_revoked(&self) -> bool {
        let revoked = self.status.as_ref().is_some_and(|status| status.standing == Standing::Revoked);
        !mutants::skips("wallet-status-revoked") && revoked
    }

    /// Whether it did not count when its status was last looked up, and may count again.
    pub(crate) fn is_suspended(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.standing == Standing::Suspended)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.sd_jwt.zeroize();
    }
}

/// What opens the commitments of a proof copy: its seed, and each attribute as the issuer signed it with what it hides.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Openings {
    seed: String,
    attributes: Vec<context::Attribute>,
    /// A number, or a text since there are texts that are proved.
    values: BTreeMap<String, zkc::Value>,
    /// What hides the link secret in this copy, where it is linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Openings {
    /// The form in which checked openings are kept, with what this wallet itself drew for the copy where it is linked.
    pub(crate) fn keep(opened: &Opened, link: Option<&Blinding>) -> Self {
        let seed = b64u(opened.seed.to_bytes().as_slice());
        let link = link.map(|t| b64u(t.to_bytes().as_slice()));
        Self { seed, attributes: opened.attributes.clone(), values: opened.values.clone(), link }
    }

    /// What hides the link secret in this copy; `None` where it is not linked.
    fn blinding(&self) -> Result<Option<Blinding>, VaultError> {
        let Some(link) = &self.link else { return Ok(None) };
        let bytes = Zeroizing::new(b64u_array(link).map_err(|_| VaultError::Damaged)?);
        Blinding::from_canonical_bytes(*bytes).map(Some).ok_or(VaultError::Damaged)
    }

    /// The openings as they were checked.
    pub(crate) fn open(&self) -> Result<Opened, VaultError> {
        let seed = b64u_array(&self.seed).map_err(|_| VaultError::Damaged)?;
        Ok(Opened { seed: Seed::new(seed), attributes: self.attributes.clone(), values: self.values.clone() })
    }
}

impl Drop for Openings {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.link.zeroize();
    }
}

/// A copy with all that is needed to present it.
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) sd_jwt: Zeroizing<String>,
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) openings: Option<Openings>,
    /// What opens its link commitment, where it is linked.
    pub(crate) link: Option<Link>,
    /// Whether it did not count when its status was last looked up.
    pub(crate) suspended: bool,
}

#[cfg(test)]
impl Held {
    /// The integer behind a commitment.
    pub(crate) fn encoded(&self, pointer: &str) -> Option<u64> {
        self.hidden(pointer)?.integer()
    }

    /// What a commitment hides: an integer or a text.
    pub(crate) fn hidden(&self, pointer: &str) -> Option<&zkc::Value> {
        self.openings.as_ref()?.values.get(pointer)
    }
}

/// A fresh copy of a batch that is about to be stored.
pub(crate) struct NewCopy {
    pub(crate) sd_jwt: Zeroizing<String>,
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) openings: Option<Openings>,
    pub(crate) status: Option<Status>,
}

/// How many copies of a batch are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Never shown.
    pub unused: usize,
    /// Held by an answer in the making.
    pub reserved: usize,
    /// Shown.
    pub spent: usize,
    /// Never shown, and never to be: they count no more.
    pub revoked: usize,
}

impl Count {
    /// All of the batch.
    pub(crate) fn all(self) -> usize {
        self.unused + self.reserved + self.spent + self.revoked
    }

    /// The same when one more was shown.
    pub(crate) fn after_one(self) -> Self {
        let one = self.unused.min(1);
        Self { unused: self.unused - one, spent: self.spent + one, ..self }
    }
}

/// Room for any record: a copy with many Disclosures is the largest.
const LARGEST: usize = 32 * 1024;

/// A record as bytes to be sealed.
pub(crate) fn encode<T: Serialize>(record: &T) -> Zeroizing<Vec<u8>> {
    encode_long(record, 0)
}

/// The same of a record that has `more` bytes beside what any record has.
pub(crate) fn encode_long<T: Serialize>(record: &T, more: usize) -> Zeroizing<Vec<u8>> {
    // Room from the start: a buffer that grows leaves copies of what it held.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + more));
    serde_json::to_writer(&mut *bytes, record).expect("records are plain structs with string keys");
    bytes
}

/// A record from opened bytes.
pub(crate) fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, VaultError> {
    serde_json::from_slice(&record.plain).map_err(|_| VaultError::Damaged)
}

/// The name of a claim where nobody gave it another.
pub(crate) fn bare_label(pointer: &str) -> Bilingual {
    let name = pointer.trim_start_matches('/').replace('_', " ");
    Bilingual { en: name.clone(), cy: name }
}

/// What a service has learnt about an attribute, with the row it stands in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    service: String,
    pointer: String,
    learnt: Learnt,
}

/// What a service has learnt about an attribute, and the record that says so.
pub(crate) async fn learnt(
    vault: &Vault,
    service: &str,
    pointer: &str,
) -> Result<(Option<Record>, Learnt), VaultError> {
    for record in vault.scan(Section::Budget).await? {
        let budget: Budget = decode(&record)?;
        if budget.service == service && budget.pointer == pointer {
            return Ok((Some(record), budget.learnt));
        }
    }
    Ok((None, Learnt::default()))
}

/// The change that keeps what a service learns with one more answer.
pub(crate) fn learn(
    record: Option<Record>,
    fresh_id: String,
    service: &str,
    pointer: &str,
    learnt: Learnt,
) -> Change {
    let budget = Budget { service: service.to_owned(), pointer: pointer.to_owned(), learnt };
    match record {
        Some(record) => Change::Replace(Section::Budget, record, encode(&budget)),
        None => Change::Insert(Section::Budget, fresh_id, encode(&budget)),
    }
}

/// The changes that store a whole batch: one transaction, all or none.
pub(crate) fn batch(
    credential_id: &str,
    credential: &Credential,
    copies: Vec<(String, NewCopy)>,
) -> Vec<Change> {
    let mut changes = vec![Change::Insert(Section::Credential, credential_id.to_owned(), encode(credential))];
    for (id, copy) in copies {
        let record = Copy {
            credential: credential_id.to_owned(),
            state: CopyState::Unused,
            sd_jwt: Some((*copy.sd_jwt).clone()),
            status: copy.status,
        };
        changes.push(Change::Insert(Section::Copy, id.clone(), encode(&record)));
        changes.push(Change::Insert(Section::HolderKey, id.clone(), copy.key));
        changes.extend(copy.openings.map(|openings| Change::Insert(Section::Seed, id, encode(&openings))));
    }
    changes
}

/// Every batch with its id, oldest first.
pub(crate) async fn credentials(vault: &Vault) -> Result<Vec<(String, Credential)>, VaultError> {
    let records = vault.scan(Section::Credential).await?;
    let mut all = records
        .iter()
        .map(|record| Ok((record.id.clone(), decode::<Credential>(record)?)))
        .collect::<Result<Vec<_>, VaultError>>()?;
    all.sort_by(|a, b| (a.1.received_at, &a.0).cmp(&(b.1.received_at, &b.0)));
    Ok(all)
}

/// How many copies of a batch are left, held and shown.
pub(crate) async fn count(vault: &Vault, credential: &str) -> Result<Count, VaultError> {
    let mut count = Count::default();
    for record in vault.scan(Section::Copy).await? {
        let copy: Copy = decode(&record)?;
        match copy.state {
            _ if copy.credential != credential => {}
            CopyState::Unused if copy.is_revoked() => count.revoked += 1,
            CopyState::Unused => count.unused += 1,
            CopyState::Reserved => count.reserved += 1,
            CopyState::Spent => count.spent += 1,
        }
    }
    Ok(count)
}

/// What is known of the status of a batch: that of the copy that would be used, else of one that counts no more.
pub(crate) async fn status(vault: &Vault, credential: &str) -> Result<Option<Status>, VaultError> {
    let mut best: Option<Status> = None;
    for record in vault.scan(Section::Copy).await? {
        let copy: Copy = decode(&record)?;
        let Some(status) = copy.status.clone() else { continue };
        let better = best.as_ref().is_none_or(|best| status.standing < best.standing);
        if copy.credential == credential && copy.state != CopyState::Spent && better {
            best = Some(status);
        }
    }
    Ok(best)
}

/// Reads an unused copy of the batch without reserving it, to see what it could answer.
pub(crate) async fn peek(vault: &Vault, credential: &str) -> Result<Option<Held>, VaultError> {
    match unused(vault, credential, &[]).await? {
        Some((record, copy)) => held(vault, record.id, &copy).await.map(Some),
        None => Ok(None),
    }
}

/// Takes an unused copy of the batch for one answer; `None` when none is left.
#[cfg(test)]
pub(crate) async fn reserve(
    vault: &Vault,
    credential: &str,
    entropy: &dyn Entropy,
) -> Result<Option<Held>, VaultError> {
    Ok(reserve_all(vault, &[credential], entropy).await?.and_then(|mut all| all.pop()))
}

/// Takes an unused copy of each batch for one answer, in one transaction: all of them, or none where one has none left. A
/// batch that is named twice gives two copies.
pub(crate) async fn reserve_all(
    vault: &Vault,
    credentials: &[&str],
    entropy: &dyn Entropy,
) -> Result<Option<Vec<Held>>, VaultError> {
    let (mut changes, mut copies) = (Vec::new(), Vec::<(String, Copy)>::new());
    for credential in credentials {
        let taken: Vec<&str> = copies.iter().map(|(id, _)| id.as_str()).collect();
        let Some((record, mut copy)) = unused(vault, credential, &taken).await? else { return Ok(None) };
        copy.state = CopyState::Reserved;
        let id = record.id.clone();
        changes.push(Change::Replace(Section::Copy, record, encode(&copy)));
        copies.push((id, copy));
    }
    vault.apply(changes, entropy).await?;
    let mut all = Vec::new();
    for (id, copy) in copies {
        all.push(held(vault, id, &copy).await?);
    }
    Ok(Some(all))
}

/// A copy that can be taken: one that counted when its status was last looked up, else one that was suspended then.
async fn unused(
    vault: &Vault,
    credential: &str,
    taken: &[&str],
) -> Result<Option<(Record, Copy)>, VaultError> {
    let mut suspended = None;
    // Row ids are random, so the first by id is no particular one of the batch.
    for record in vault.scan(Section::Copy).await? {
        let copy: Copy = decode(&record)?;
        // Each copy is shown once: two presentations of one copy are linkable by its signature.
        let fresh = mutants::skips("wallet-copy-once") || copy.state == CopyState::Unused;
        if !fresh || copy.credential != credential || copy.is_revoked() || taken.contains(&&*record.id) {
            continue;
        }
        if !copy.is_suspended() {
            return Ok(Some((record, copy)));
        }
        suspended = suspended.or(Some((record, copy)));
    }
    Ok(suspended)
}

async fn held(vault: &Vault, id: String, copy: &Copy) -> Result<Held, VaultError> {
    let key = vault.read(Section::HolderKey, &id).await?.ok_or(VaultError::Damaged)?;
    let openings: Option<Openings> = match vault.read(Section::Seed, &id).await? {
        Some(record) => Some(decode(&record)?),
        None => None,
    };
    let link = match openings.as_ref().map(Openings::blinding).transpose()?.flatten() {
        Some(t) => Some(Link { x: link_secret(vault).await?.ok_or(VaultError::Damaged)?, t }),
        None => None,
    };
    let sd_jwt = Zeroizing::new(copy.sd_jwt.clone().ok_or(VaultError::Damaged)?);
    Ok(Held { id, sd_jwt, key: key.plain, openings, link, suspended: copy.is_suspended() })
}

/// The changes that spend a reserved copy: its state, and the end of its key, seed and text.
pub(crate) async fn spend(vault: &Vault, id: &str) -> Result<Vec<Change>, VaultError> {
    let record = vault.read(Section::Copy, id).await?.ok_or(VaultError::Damaged)?;
    let mut copy: Copy = decode(&record)?;
    if copy.state != CopyState::Reserved {
        return Err(VaultError::Stale);
    }
    copy.state = CopyState::Spent;
    copy.sd_jwt.zeroize();
    copy.sd_jwt = None;
    Ok(vec![
        Change::Replace(Section::Copy, record, encode(&copy)),
        Change::Delete(Section::HolderKey, id.to_owned()),
        Change::Delete(Section::Seed, id.to_owned()),
    ])
}

/// Returns one reserved copy: the answer failed before anything was sent.
pub(crate) async fn release(vault: &Vault, id: &str, entropy: &dyn Entropy) -> Result<(), VaultError> {
    let Some(record) = vault.read(Section::Copy, id).await? else { return Ok(()) };
    let mut copy: Copy = decode(&record)?;
    if copy.state != CopyState::Reserved {
        return Ok(());
    }
    copy.state = CopyState::Unused;
    vault.apply(vec![Change::Replace(Section::Copy, record, encode(&copy))], entropy).await
}

/// Returns every reserved copy. Called when the wallet opens: no other process holds the vault, so whatever is still
/// reserved belongs to an answer that never left.
pub(crate) async fn release_all(vault: &Vault, entropy: &dyn Entropy) -> Result<(), VaultError> {
    let mut changes = Vec::new();
    for record in vault.scan(Section::Copy).await? {
        let mut copy: Copy = decode(&record)?;
        if copy.state == CopyState::Reserved {
            copy.state = CopyState::Unused;
            changes.push(Change::Replace(Section::Copy, record, encode(&copy)));
        }
    }
    vault.apply(changes, entropy).await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#[path = "store/tests.rs"]
mod tests;
