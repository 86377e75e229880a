//! A conversation between two commands, as the vault keeps it: sealed like everything else, wiped when it is over.
//!
//! Copies that a conversation used are spent in the vault from the moment something of them leaves. What it still takes
//! to sign for them, their text and key, stands here alone, so that no other answer can take them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode};
use vouchsafe_protocol::jose::{KeyAgreement as _, PublicJwk};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::keys::AgreementKey;
use zeroize::{Zeroize, Zeroizing};

use super::message::{Sealed, Step, kid};
use super::{CheckNumber, JointError, Refusal};
use crate::Wallet;
use crate::history::Asked;
use crate::review::Fetched;
use crate::store::{self, Held};
use crate::vault::{Change, Record, Section, Vault, VaultError};
use crate::words::{Language, say};

/// Which of the two wallets this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It invited, makes the proof and sends the answer.
    Gathers,
    /// It was invited.
    Contributes,
}

/// An answer of two wallets in the making.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation {
    pub(super) role: Role,
    /// The message that this wallet waits for.
    pub(super) awaits: Step,
    pub(super) asked: Asked,
    pub(super) fetched: Fetched,
    pub(super) expires_at: i64,
    pub(super) option: usize,
    /// The label of the person whose wallet this is.
    pub(super) person: String,
    /// The credentials that the review named, by their ids, in the order of this person's queries.
    pub(super) batches: Vec<String>,
    /// The name of its key, by which a message finds it, also when the key is deleted.
    #[serde(default)]
    kid: String,
    key: String,
    /// The check number of the invitation, where this wallet made it.
    check: Option<CheckNumber>,
    /// The key of the wallet that invited, where this one was.
    partner: Option<Value>,
    previous: String,
    /// Copies that were used, in the same order; none yet at first.
    copies: Vec<Kept>,
    /// What the bodies of the other person signed, by query.
    pub(super) theirs: BTreeMap<String, String>,
    pub(super) proof: Option<String>,
    /// The row of the history that tells of it.
    pub(super) entry: Option<String>,
}

/// A copy that was used.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    id: String,
    sd_jwt: String,
    key: String,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.sd_jwt.zeroize();
        self.key.zeroize();
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.key.zeroize();
        self.fetched.zeroize();
    }
}

/// What is fixed when a conversation begins.
pub(super) struct Begins<'a> {
    pub(super) role: Role,
    pub(super) asked: Asked,
    pub(super) fetched: &'a Fetched,
    pub(super) expires_at: UnixTime,
    pub(super) option: usize,
    pub(super) person: &'a str,
    pub(super) batches: &'a [&'a str],
    pub(super) partner: Option<&'a PublicJwk>,
    pub(super) check: Option<CheckNumber>,
}

impl Conversation {
    pub(super) fn begin(begins: Begins<'_>, key: &AgreementKey, previous: [u8; 32]) -> Self {
        let Begins { role, asked, fetched, expires_at, option, person, batches, partner, check } = begins;
        let awaits = if role == Role::Gathers { Step::Contribution } else { Step::Proof };
        Self {
            role,
            awaits,
            asked,
            fetched: fetched.clone(),
            expires_at: expires_at.0,
            option,
            person: person.to_owned(),
            batches: batches.iter().map(|id| (*id).to_owned()).collect(),
            kid: kid(key.public()),
            key: b64u(key.to_bytes().as_slice()),
            check,
            partner: partner.map(PublicJwk::to_value),
            previous: b64u(previous),
            copies: Vec::new(),
            theirs: BTreeMap::new(),
            proof: None,
            entry: None,
        }
    }

    pub(super) fn key(&self) -> Result<AgreementKey, VaultError> {
        let bytes = Zeroizing::new(b64u_array(&self.key).map_err(|_| VaultError::Damaged)?);
        AgreementKey::from_bytes(&bytes).map_err(|_| VaultError::Damaged)
    }

    /// The key of the wallet that invited.
    pub(super) fn partner(&self) -> Result<PublicJwk, VaultError> {
        let key = self.partner.as_ref().ok_or(VaultError::Damaged)?;
        PublicJwk::from_value(key).map_err(|_| VaultError::Damaged)
    }

    /// SHA-256 of the last message, whoever sent it.
    pub(super) fn previous(&self) -> Result<[u8; 32], VaultError> {
        b64u_array(&self.previous).map_err(|_| VaultError::Damaged)
    }

    pub(super) fn follows(&mut self, message: [u8; 32]) {
        self.previous = b64u(message);
    }

    /// Keeps what it takes to sign for copies that are spent.
    pub(super) fn keep(&mut self, taken: &[Held]) {
        let kept = |held: &Held| Kept {
            id: held.id.clone(),
            sd_jwt: (*held.sd_jwt).clone(),
            key: b64u(held.key.as_slice()),
        };
        self.copies = taken.iter().map(kept).collect();
    }

    /// The copies that were used; their seeds are gone.
    pub(super) fn copies(&self) -> Result<Vec<Held>, VaultError> {
        let held = |kept: &Kept| {
            Ok(Held {
                id: kept.id.clone(),
                sd_jwt: Zeroizing::new(kept.sd_jwt.clone()),
                key: Zeroizing::new(b64u_decode(&kept.key).map_err(|_| VaultError::Damaged)?),
                openings: None,
                link: None,
                suspended: false,
            })
        };
        self.copies.iter().map(held).collect()
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        // A request may be long, and is written with its quotation marks escaped at most.
        let (copies, theirs) = (self.copies.iter().map(|kept| kept.sd_jwt.len()), self.theirs.values());
        let long = self.fetched.len() + copies.sum::<usize>() + theirs.map(String::len).sum::<usize>();
        store::encode_long(self, 2 * long)
    }

    fn is_over(&self, now: UnixTime) -> bool {
        !mutants::skips("joint-ended") && now.0 >= self.expires_at
    }

    /// Deletes all that it takes to go on. What is left says that it is over.
    fn wipe(&mut self) {
        self.key.zeroize();
        self.fetched.zeroize();
        for kept in &mut self.copies {
            kept.sd_jwt.zeroize();
            kept.key.zeroize();
        }
        (self.partner, self.check, self.proof) = (None, None, None);
        self.theirs.clear();
    }

    fn is_wiped(&self) -> bool {
        self.key.is_empty()
    }
}

/// Deletes the keys of every exchange whose request has ended, and what the other wallet told. That it is over and what
/// it used is still told once, by [`Wallet::exchanges`].
pub(crate) async fn wipe_ended(
    vault: &Vault,
    now: UnixTime,
    entropy: &dyn Entropy,
) -> Result<(), VaultError> {
    let mut changes = Vec::new();
    for record in vault.scan(Section::Joint).await? {
        let mut conversation: Conversation = store::decode(&record)?;
        let kept = mutants::skips("joint-wipe") || conversation.is_wiped();
        if conversation.is_over(now) && !kept {
            conversation.wipe();
            changes.push(Change::Replace(Section::Joint, record, conversation.encode()));
        }
    }
    match vault.apply(changes, entropy).await {
        // Somebody else is at it; what is left goes the next time.
        Err(VaultError::Stale) => Ok(()),
        done => done,
    }
}

/// A conversation with the row that it was read from.
pub(super) struct Open {
    pub(super) record: Record,
    pub(super) conversation: Conversation,
}

impl Open {
    /// The change that keeps it as it is now, if nothing was done with it meanwhile.
    pub(super) fn keep(self) -> Change {
        let bytes = self.conversation.encode();
        Change::Replace(Section::Joint, self.record, bytes)
    }

    /// The changes that end it, if nothing was done with it meanwhile.
    pub(super) fn end(self) -> [Change; 2] {
        let id = self.record.id.clone();
        let bytes = self.conversation.encode();
        [Change::Replace(Section::Joint, self.record, bytes), Change::Delete(Section::Joint, id)]
    }
}

/// An answer of two wallets in the making, as its resident is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Its id in this wallet.
    pub id: String,
    /// Which of the two wallets this one is.
    pub role: Role,
    /// The message that it waits for.
    pub awaits: Step,
    /// Who asked and what for.
    pub asked: Asked,
    /// Until when, in Unix seconds.
    pub expires_at: i64,
    /// Whether that is past: it was ended now.
    pub ended: bool,
    /// How many copies it used.
    pub used: usize,
    /// The check number of the invitation, while the other wallet has not answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckNumber>,
}

impl Exchange {
    fn of(id: &str, conversation: &Conversation, now: UnixTime) -> Self {
        let invites = conversation.awaits == Step::Contribution && !conversation.is_over(now);
        Self {
            id: id.to_owned(),
            role: conversation.role,
            awaits: conversation.awaits,
            asked: conversation.asked.clone(),
            expires_at: conversation.expires_at,
            ended: conversation.is_over(now),
            used: conversation.copies.len(),
            check: conversation.check.clone().filter(|_| invites),
        }
    }

    /// In words: what is waited for, what was used, what to do.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let service = language.pick(&self.asked.service.en, &self.asked.service.cy);
        let waits = match self.awaits {
            _ if self.ended => "joint_is_over",
            Step::Contribution => "joint_awaits_contribution",
            Step::Proof => "joint_awaits_proof",
            Step::Binding => "joint_awaits_binding",
        };
        let used = if self.used == 0 { "joint_used_none" } else { "joint_used" };
        let values = [("service", service), ("id", &*self.id)];
        let waits = say(language, waits, &values);
        let used = say(language, used, &[("n", &self.used.to_string())]);
        let check = self.check.as_ref().filter(|_| !self.ended).map(|check| check.words(language));
        [Some(waits), Some(used), check].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl Wallet {
    /// Every answer of two wallets in the making. One whose request has ended is ended here, and told a last time.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn exchanges(&self) -> Result<Vec<Exchange>, VaultError> {
        let now = self.machine.clock.now();
        let (mut all, mut over) = (Vec::new(), Vec::new());
        for record in self.vault.scan(Section::Joint).await? {
            let conversation: Conversation = store::decode(&record)?;
            let told = Exchange::of(&record.id, &conversation, now);
            over.extend(told.ended.then(|| Change::Delete(Section::Joint, record.id)));
            all.push(told);
        }
        self.vault.apply(over, &*self.machine.entropy).await?;
        Ok(all)
    }

    /// Ends an answer of two wallets that is in the making, by its id. Copies that it used stay used, for something of
    /// them is with the other wallet; what it takes to sign for them is deleted.
    ///
    /// # Errors
    /// [`Refusal::NoExchange`] and [`VaultError`].
    pub async fn end_exchange(&self, id: &str) -> Result<Exchange, JointError> {
        let record = self.vault.read(Section::Joint, id).await?.ok_or(Refusal::NoExchange)?;
        let conversation: Conversation = store::decode(&record)?;
        let told = Exchange { ended: true, ..Exchange::of(id, &conversation, self.machine.clock.now()) };
        let change = Change::Delete(Section::Joint, id.to_owned());
        self.vault.apply(vec![change], &*self.machine.entropy).await?;
        Ok(told)
    }

    /// The conversation that a message is sealed to, if its request has not ended. The keys of those whose request has
    /// are deleted.
    pub(super) async fn conversation(&self, sealed: &Sealed) -> Result<Open, JointError> {
        wipe_ended(&self.vault, self.machine.clock.now(), &*self.machine.entropy).await?;
        for record in self.vault.scan(Section::Joint).await? {
            let conversation: Conversation = store::decode(&record)?;
            if conversation.kid != sealed.kid {
                continue;
            }
            if conversation.is_over(self.machine.clock.now()) {
                return Err(Refusal::Ended.into());
            }
            return Ok(Open { record, conversation });
        }
        Err(Refusal::Unknown.into())
    }

    /// Keeps a conversation that begins, with what else must be written.
    pub(super) async fn begin_exchange(
        &self,
        conversation: &Conversation,
        mut changes: Vec<Change>,
    ) -> Result<(), VaultError> {
        let bytes = conversation.encode();
        changes.push(Change::Insert(Section::Joint, self.new_id(), bytes));
        self.vault.apply(changes, &*self.machine.entropy).await
    }
}
