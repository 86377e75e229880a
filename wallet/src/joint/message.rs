//! The messages of two wallets (`specs/profiles/two-wallets.md`): an invitation in clear, then sealed ones.
//!
//! A sealed message is a compact JWE (ECDH-ES on P-256, A256GCM) to the conversation's key of whoever receives it. Its
//! protected header, which is the associated data, says of which request and step it is and what message it answers;
//! that is compared with what this wallet keeps, not read.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::jwe::{self, Enc, Encrypted, Recipient};
use vouchsafe_protocol::jose::{KeyAgreement as _, PublicJwk};
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vp::Party;
use vouchsafe_service::entropy::{Entropy, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, RingAead};
use zeroize::{Zeroize, Zeroizing};

use super::Refusal;
use crate::store;

/// The form of these messages.
pub(super) const VERSION: u8 = 1;

/// The most bytes of an invitation: it must fit one QR code.
pub(super) const MAX_INVITATION: usize = 1536;

/// The most bytes of a sealed message.
pub(super) const MAX_SEALED: usize = 96 * 1024;

/// What begins the sender's information.
const LABEL: &[u8] = b"vouchsafe/v1/two-wallets";

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// What the other wallet tells, so that a proof can be made.
    Contribution,
    /// The proof over the credentials of both.
    Proof,
    /// The signatures of the other wallet.
    Binding,
}

impl Step {
    /// Its name in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contribution => "contribution",
            Self::Proof => "proof",
            Self::Binding => "binding",
        }
    }

    /// The sender's information up to the hash of the message before.
    fn label(self) -> Vec<u8> {
        [lp(LABEL), lp(self.as_str().as_bytes())].concat()
    }
}

/// What the wallet that gathers shows to the other. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    vouchsafe_joint: u8,
    /// The link of the request.
    pub(super) request: String,
    key: Value,
    /// The option that is to be answered, by its place in the request.
    pub(super) option: usize,
    /// The label of the person whose wallet is invited.
    pub(super) person: String,
}

impl Invitation {
    pub(super) fn new(request: &str, key: &AgreementKey, option: usize, person: &str) -> Self {
        let (request, person) = (request.to_owned(), person.to_owned());
        Self { vouchsafe_joint: VERSION, request, key: key.public().to_value(), option, person }
    }

    /// Its one line of text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers")
    }

    pub(super) fn parse(text: &str) -> Result<(Self, PublicJwk), Refusal> {
        let most = if mutants::skips("joint-invitation-size") { text.len() } else { MAX_INVITATION };
        let read: Self = json::typed(text.as_bytes(), most).map_err(|_| Refusal::Invitation)?;
        if !(mutants::skips("joint-invitation-version") || read.vouchsafe_joint == VERSION) {
            return Err(Refusal::Invitation);
        }
        let key = reply_key(&read.key).ok_or(Refusal::Invitation)?;
        Ok((read, key))
    }
}

/// An attribute of a credential, by its query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) query: String,
    pub(super) pointer: String,
}

/// What opens one commitment, or the first less the second, as far as a statement needs it. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    pub(super) of: Vec<Place>,
    /// The value, where a statement needs it; base64url of a scalar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) v: Option<String>,
    /// The blinding, base64url of a scalar.
    pub(super) r: String,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.v.zeroize();
        self.r.zeroize();
    }
}

/// What the invited wallet tells. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contribution {
    pub(super) v: u8,
    /// The key that the way back is sealed to.
    pub(super) key: Value,
    /// What their issuers signed, without Disclosures, by query.
    pub(super) credentials: BTreeMap<String, String>,
    pub(super) openings: Vec<Told>,
}

/// What the wallet that gathers made of it. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    pub(super) v: u8,
    pub(super) option: usize,
    pub(super) credentials: BTreeMap<String, String>,
    /// The bytes of the proof, base64url.
    pub(super) proof: String,
}

/// The signatures of the invited wallet, by query. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bindings {
    pub(super) v: u8,
    pub(super) bindings: BTreeMap<String, String>,
}

/// Of which request a message is, and what it answers.
#[derive(Clone, Copy)]
pub(super) struct Thread<'a> {
    pub(super) party: &'a Party,
    pub(super) step: Step,
    /// SHA-256 of the message before, as it was sent.
    pub(super) previous: [u8; 32],
}

impl Thread<'_> {
    /// What the receiver must hold it to: the request, as SHA-256 of its client id and nonce.
    fn request(&self) -> [u8; 32] {
        sha256([lp(self.party.client_id.as_bytes()), lp(self.party.nonce.as_bytes())].concat())
    }

    fn sender(&self) -> Vec<u8> {
        [self.step.label().as_slice(), &self.previous].concat()
    }

    /// Seals a message to `key`.
    pub(super) fn seal(
        &self,
        message: &impl Serialize,
        key: &PublicJwk,
        entropy: &dyn Entropy,
    ) -> Result<String, Refusal> {
        let (kid, apu, apv) = (kid(key), self.sender(), self.request());
        let recipient = Recipient { key, kid: Some(&kid), enc: Enc::A256Gcm, apu: &apu, apv: &apv };
        let ephemeral = Box::new(AgreementKey::generate(entropy));
        let plain = store::encode_long(message, MAX_SEALED);
        jwe::encrypt(&plain, &recipient, ephemeral, &RingAead, &mut EntropyRng(entropy))
            .map_err(|_| Refusal::Message)
    }
}

/// The key that an answer is to be sealed to: a point of P-256, and no key of another kind, to which nothing is sealed.
pub(super) fn reply_key(value: &Value) -> Option<PublicJwk> {
    let key = PublicJwk::from_value(value).ok()?;
    (mutants::skips("joint-reply-key") || key.to_sec1().is_some()).then_some(key)
}

/// The name of a key of a conversation.
pub(super) fn kid(key: &PublicJwk) -> String {
    b64u(key.thumbprint())
}

/// A sealed message as it came.
pub(super) struct Sealed {
    encrypted: Encrypted,
    pub(super) kid: String,
    pub(super) sha256: [u8; 32],
}

impl Sealed {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        if !(mutants::skips("joint-message-size") || text.len() <= MAX_SEALED) {
            return Err(Refusal::Message);
        }
        let encrypted = Encrypted::parse(text).map_err(|_| Refusal::Message)?;
        let kid = encrypted.kid().ok_or(Refusal::Message)?.to_owned();
        Ok(Self { encrypted, kid, sha256: sha256(text) })
    }

    /// Opens it, if it is of this request, this step, and the answer to the last message.
    pub(super) fn open<M: DeserializeOwned>(
        self,
        thread: &Thread<'_>,
        key: &AgreementKey,
    ) -> Result<M, Refusal> {
        let (apu, apv) = (self.encrypted.apu(), self.encrypted.apv());
        if !(mutants::skips("joint-request") || apv == thread.request()) {
            return Err(Refusal::Request);
        }
        let (label, previous) = apu.split_at_checked(apu.len().saturating_sub(32)).ok_or(Refusal::Step)?;
        if !(mutants::skips("joint-step") || label == thread.step.label()) {
            return Err(Refusal::Step);
        }
        if !(mutants::skips("joint-previous") || previous == thread.previous) {
            return Err(Refusal::Replaced);
        }
        let plain: Zeroizing<Vec<u8>> =
            self.encrypted.decrypt(&[Enc::A256Gcm], key, &RingAead).map_err(|_| Refusal::Sealed)?;
        json::typed(&plain, plain.len()).map_err(|_| Refusal::Content)
    }
}

/// The form of what was opened is ours.
pub(super) fn check_version(v: u8) -> Result<(), Refusal> {
    if mutants::skips("joint-version") || v == VERSION { Ok(()) } else { Err(Refusal::Content) }
}

/// A part with its length before it.
pub(super) fn lp(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("parts of a request and names are short");
    [length.to_be_bytes().as_slice(), bytes].concat()
}
