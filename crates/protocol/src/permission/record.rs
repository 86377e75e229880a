//! The record of a permission, as both sides keep it: ISO/IEC TS 27560:2023 in JSON-LD, by the guide of the Data Privacy
//! Vocabulary to it.
//!
//! Where the purpose's lawful basis is consent it is a *consent record*. Everywhere else it is a *permission record* of the
//! same structure, with the true basis and with states of our own: a public body that would act anyway has asked nobody's
//! consent, and its record must not say so. The members have the names of the technical specification; the inlined context
//! maps each to its term, so that no reader fetches anything.
//!
//! Events are appended and never changed; the state is the last of them. Of what was permitted the record has the salted
//! digest and the kind: no amount, no payee, no reference, no attribute value.
//!
//! Security: a record shows what was recorded, not that consent was valid.

mod linked;

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::Jkt;
use crate::decision::PolicyRef;
use crate::encoding::b64u_array;
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::openid4vp::Asked;
use crate::policy::Plan;
use crate::text::Bilingual;
use crate::time::{SKEW, UnixTime};
use crate::trust::{Basis, PermissionKind, Purpose, RecordFacts, ThirdParty};

/// The `typ` of a signed record.
pub const TYP: &str = "vouchsafe-permission+jwt";

/// The most characters of a signed record.
pub const MAX_RECORD: usize = 64 * 1024;

/// The most events of one record.
const MAX_EVENTS: usize = 64;

/// A record.
#[derive(Clone, PartialEq)]
pub struct Record {
    header: Header,
    processing: Processing,
    events: Vec<Event>,
}

/// Which permission it is about.
#[derive(Clone, PartialEq)]
struct Header {
    id: [u8; 16],
    /// The permission's key. Who refused has none: the record names somebody whom nothing else names.
    principal: Option<Jkt>,
    kind: PermissionKind,
    transaction: [u8; 32],
    until: Date,
    uses: Option<u32>,
}

/// What is done with what was shown, by whom and on what basis.
#[derive(Clone, PartialEq)]
struct Processing {
    service: String,
    policy: PolicyRef,
    purpose: String,
    purpose_version: u32,
    text: Bilingual,
    basis: Basis,
    asked: Vec<Attribute>,
    facts: RecordFacts,
    retention_days: u32,
    recipients: Vec<Bilingual>,
    with: Option<ThirdParty>,
    withdraw_at: String,
}

/// One kind of personal data that is asked for, never a value of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    /// The credential's type and the claim in it.
    id: String,
    how: &'static str,
}

/// What happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// What.
    pub what: Happening,
}

/// What can happen to a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The resident gave it.
    Given,
    /// The resident said no.
    Refused,
    /// A new permission took its place, given anew with a key and an entry of its own.
    Renewed {
        /// The new permission's key.
        by: Jkt,
        /// SHA-256 of the new entry.
        transaction: [u8; 32],
        /// The new permission's last day.
        until: Date,
    },
    /// The resident took it back.
    Withdrawn {
        /// Which way.
        route: Route,
    },
    /// Its last day is over.
    Expired,
    /// The controller ended it.
    Invalidated,
}

/// Which way a resident took a permission back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// In the wallet.
    Wallet,
    /// With the code of a letter.
    Letter,
    /// At a counter, with a member of staff.
    Counter,
}

/// The state of a permission: its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Given, and neither ended nor taken back.
    Given,
    /// Renewed by another permission, which is in force.
    Renewed,
    /// Never given.
    Refused,
    /// Taken back by the resident.
    Withdrawn,
    /// Its last day is over.
    Expired,
    /// Ended by the controller.
    Invalidated,
}

impl State {
    /// Whether anything may rest on the permission: in two of the states, and in no other.
    #[must_use]
    pub fn allows(self) -> bool {
        matches!(self, Self::Given | Self::Renewed)
    }
}

impl Happening {
    fn state(&self) -> State {
        match self {
            Self::Given => State::Given,
            Self::Refused => State::Refused,
            Self::Renewed { .. } => State::Renewed,
            Self::Withdrawn { .. } => State::Withdrawn,
            Self::Expired => State::Expired,
            Self::Invalidated => State::Invalidated,
        }
    }
}

/// Why a record is not made, or not read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RecordError {
    /// The request asks for no permission.
    #[error("the request asks for no permission, so there is nothing to record")]
    NoPermission,
    /// The purpose says nothing of records.
    #[error("the purpose says nothing of records; the registrar must add record to it")]
    NoFacts,
    /// A key where nothing was given, or none where something was.
    #[error("a permission that was given has a key, and one that was refused has none")]
    Principal,
    /// This cannot happen after what happened.
    #[error("an event cannot follow the one before it")]
    Order,
    /// Earlier than the event before.
    #[error("an event is earlier than the one before it")]
    Time,
    /// By a permission that the record knows already.
    #[error("a permission is renewed by a new one, with a key of its own")]
    Renewal,
    /// More events than a record has.
    #[error("a record has at most 64 events")]
    Full,
    /// Not a record of this form.
    #[error("this is not a permission record")]
    Form,
}

/// What a record is about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// 16 random bytes: the record's id, a version 4 UUID.
    pub id: [u8; 16],
    /// The permission's key; none where it was refused.
    pub principal: Option<Jkt>,
    /// The request that asked for it.
    pub asked: &'a Asked,
    /// Its purpose, as the registrar signed it.
    pub purpose: &'a Purpose,
    /// Where it is taken back: an address at the verifier.
    pub withdraw_at: &'a str,
}

impl Record {
    /// The record of a permission with its first event: that it was given, or refused.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn new(about: &About<'_>, first: Event) -> Result<Self, RecordError> {
        let terms = about.asked.terms().ok_or(RecordError::NoPermission)?;
        let header = Header {
            id: uuid(about.id),
            principal: about.principal,
            kind: terms.kind(),
            transaction: terms.digest(),
            until: terms.until(),
            uses: terms.uses(),
        };
        let mut record = Self { header, processing: Processing::of(about)?, events: Vec::new() };
        record.append(first)?;
        Ok(record)
    }

    /// Adds what happened next.
    ///
    /// # Errors
    /// [`RecordError`]; the record is then as it was.
    pub fn append(&mut self, event: Event) -> Result<(), RecordError> {
        let before = self.events.last();
        if !(mutants::skips("perm-record-order") || may_follow(before.map(|one| &one.what), &event.what)) {
            return Err(RecordError::Order);
        }
        if !(mutants::skips("perm-record-time") || before.is_none_or(|one| one.at <= event.at)) {
            return Err(RecordError::Time);
        }
        let keyed = (event.what == Happening::Refused) == self.header.principal.is_none();
        if !(mutants::skips("perm-record-principal") || keyed) {
            return Err(RecordError::Principal);
        }
        let is_new = match &event.what {
            Happening::Renewed { by, .. } => !self.is_of(by),
            _ => true,
        };
        if !(mutants::skips("perm-record-renewal") || is_new) {
            return Err(RecordError::Renewal);
        }
        if !(mutants::skips("perm-record-full") || self.events.len() < MAX_EVENTS) {
            return Err(RecordError::Full);
        }
        self.events.push(event);
        Ok(())
    }

    /// What happened, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The last event's state.
    #[must_use]
    pub fn state(&self) -> State {
        self.events.last().map_or(State::Refused, |event| event.what.state())
    }

    /// Whether it is a consent record: where the lawful basis is consent, and nowhere else.
    #[must_use]
    pub fn is_consent(&self) -> bool {
        self.processing.basis == Basis::Consent
    }

    /// Its id as `urn:uuid:`.
    #[must_use]
    pub fn id(&self) -> String {
        linked::urn(&self.header.id)
    }

    /// What kind of permission.
    #[must_use]
    pub fn kind(&self) -> PermissionKind {
        self.header.kind
    }

    /// The key of the permission that was given first.
    #[must_use]
    pub fn principal(&self) -> Option<&Jkt> {
        self.header.principal.as_ref()
    }

    /// Whether this is the key of the permission, or of one that renewed it.
    #[must_use]
    pub fn is_of(&self, key: &Jkt) -> bool {
        let renews = |event: &Event| matches!(&event.what, Happening::Renewed { by, .. } if by == key);
        self.header.principal.as_ref() == Some(key) || self.events.iter().any(renews)
    }

    /// Whether this is SHA-256 of the entry of the permission, or of one that renewed it: a decision names one of them.
    #[must_use]
    pub fn is_about(&self, digest: &[u8; 32]) -> bool {
        let renews = |event: &Event| matches!(&event.what, Happening::Renewed { transaction, .. } if transaction == digest);
        self.header.transaction == *digest || self.events.iter().any(renews)
    }

    /// SHA-256 of the entry that is in force, or was the last to be.
    #[must_use]
    pub fn transaction(&self) -> &[u8; 32] {
        let renewed = self.events.iter().rev().find_map(|event| match &event.what {
            Happening::Renewed { transaction, .. } => Some(transaction),
            _ => None,
        });
        renewed.unwrap_or(&self.header.transaction)
    }

    /// The last day of what is in force, or was the last to be.
    #[must_use]
    pub fn until(&self) -> Date {
        let renewed = self.events.iter().rev().find_map(|event| match event.what {
            Happening::Renewed { until, .. } => Some(until),
            _ => None,
        });
        renewed.unwrap_or(self.header.until)
    }

    /// The record as JSON-LD.
    #[must_use]
    pub fn to_value(&self) -> Value {
        linked::write(self)
    }

    /// Reads a record: everything in it is what a record of these facts and events says, and nothing else.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_value(value: &Value) -> Result<Self, RecordError> {
        let (header, processing, events) = linked::read(value).ok_or(RecordError::Form)?;
        let mut record = Self { header, processing, events: Vec::new() };
        events.into_iter().try_for_each(|event| record.append(event))?;
        if !(mutants::skips("perm-record-form") || (record.to_value() == *value && !record.events.is_empty()))
        {
            return Err(RecordError::Form);
        }
        Ok(record)
    }
}

/// What may follow: a permission is given or refused first; what ended stays ended, but for a renewal by a new one.
fn may_follow(before: Option<&Happening>, next: &Happening) -> bool {
    use Happening as H;
    match before {
        None => matches!(next, H::Given | H::Refused),
        Some(H::Given | H::Renewed { .. }) => !matches!(next, H::Given | H::Refused),
        Some(H::Withdrawn { .. } | H::Expired) => matches!(next, H::Renewed { .. }),
        Some(H::Refused | H::Invalidated) => false,
    }
}

/// Version 4 and variant of RFC 9562.
fn uuid(mut id: [u8; 16]) -> [u8; 16] {
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    id
}

impl Processing {
    fn of(about: &About<'_>) -> Result<Self, RecordError> {
        let About { asked, purpose, .. } = about;
        let policy = asked.policy();
        let with = policy.permission.as_ref().and_then(|said| purpose.third_party(said.with.as_ref()?));
        Ok(Self {
            service: asked.party().service.clone(),
            policy: PolicyRef {
                id: policy.id.clone(),
                version: policy.version,
                digest: policy.digest_text(),
            },
            purpose: purpose.sub.clone(),
            purpose_version: purpose.version,
            text: purpose.text.clone(),
            basis: purpose.basis,
            asked: attributes(asked.plan()),
            facts: purpose.record.clone().ok_or(RecordError::NoFacts)?,
            retention_days: purpose.retention_days,
            recipients: purpose.recipients.clone(),
            with: with.cloned(),
            withdraw_at: about.withdraw_at.to_owned(),
        })
    }
}

/// Everything that any option asks for, whichever was chosen: the record does not tell which credential was used.
fn attributes(plan: &Plan) -> Vec<Attribute> {
    let mut all = std::collections::BTreeSet::new();
    let mut add = |query: &str, pointer: &str, how: &'static str| {
        let vcts = plan.query.credential(query).map(|q| q.vct_values()).unwrap_or_default();
        all.extend(vcts.into_iter().map(|vct| Attribute { id: format!("{vct}#{pointer}"), how }));
    };
    for term in plan.query.statements.iter().flat_map(|statement| &statement.terms) {
        add(&term.query, &term.pointer, "proved");
    }
    for query in &plan.query.credentials {
        for claim in query.claims.iter().flatten() {
            add(&query.id, &claim.pointer().unwrap_or_default(), "shown");
        }
    }
    for query in plan.pseudonym.iter().flat_map(|asked| &asked.queries) {
        add(query, crate::zkc::LINK, "pseudonym");
    }
    all.into_iter().collect()
}

/// Its holder is in it by a pseudonym: for its two sides alone.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The claims of a signed record. Closed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The verifier's origin.
    pub iss: String,
    /// The service id.
    pub aud: String,
    /// base64url of 16 random bytes.
    pub jti: String,
    /// When it was signed: the record is as it stood then.
    pub iat: UnixTime,
    /// The record.
    pub record: Record,
}

/// Why a signed record is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignedError {
    /// Not a JWS of this type, or its claims are not those of a record.
    #[error("this is not a signed permission record; check that the whole of it was copied")]
    Malformed,
    /// The signature is not of the given key.
    #[error("the record is not signed by this verifier's key for records")]
    Signature,
    /// From another verifier.
    #[error("the record comes from another verifier")]
    Issuer,
    /// Of another service.
    #[error("the record is about another service")]
    Service,
    /// Of another permission.
    #[error("the record is about another permission")]
    Permission,
    /// From the future, or with an event that is.
    #[error("the record is from the future")]
    Time,
    /// Not base64url of 16 bytes.
    #[error("the record has no jti of 128 bits")]
    Jti,
}

/// Which permission a reader asks about.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// The wallet: that of its own key.
    Key(&'a Jkt),
    /// The service: that of a decision, by SHA-256 of the entry.
    Transaction(&'a [u8; 32]),
}

/// What the reader of a signed record expects of it. All of it is required.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The verifier's origin.
    pub iss: &'a str,
    /// The service id.
    pub aud: &'a str,
    /// The permission.
    pub whose: Whose<'a>,
    /// The time of reading.
    pub now: UnixTime,
}

impl Claims {
    /// The bytes to sign, with `kid` of the verifier's key for records. Withdrawal signs the record anew: that is the
    /// receipt.
    #[must_use]
    pub fn unsigned(&self, alg: Alg, kid: &str) -> Unsigned {
        let header = NewHeader::new(alg, TYP).kid(kid).encode();
        Unsigned::new(&header, self).expect("the claims are strings, integers and objects")
    }

    /// Checks a signed record as either side does: signature, issuer, service, permission, time.
    ///
    /// # Errors
    /// [`SignedError`] names the first check that failed.
    pub fn verify(
        token: &str,
        key: &PublicJwk,
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Self, SignedError> {
        let compact = Compact::parse(token, MAX_RECORD).map_err(|_| SignedError::Malformed)?;
        let payload = compact.verify(TYP, key, verifier).map_err(|_| SignedError::Signature)?;
        let claims: Self = payload.typed().map_err(|_| SignedError::Malformed)?;
        claims.check(expected)?;
        Ok(claims)
    }

    fn check(&self, expected: &Expected<'_>) -> Result<(), SignedError> {
        if !(mutants::skips("perm-signed-iss") || self.iss == expected.iss) {
            return Err(SignedError::Issuer);
        }
        let service = self.aud == expected.aud && self.record.processing.service == expected.aud;
        if !(mutants::skips("perm-signed-aud") || service) {
            return Err(SignedError::Service);
        }
        let same = match expected.whose {
            Whose::Key(key) => self.record.is_of(key),
            Whose::Transaction(digest) => self.record.is_about(digest),
        };
        if !(mutants::skips("perm-signed-whose") || same) {
            return Err(SignedError::Permission);
        }
        let last = self.record.events.last().map_or(self.iat, |event| event.at);
        let past = self.iat <= expected.now.plus(SKEW) && last <= self.iat.plus(SKEW);
        if !(mutants::skips("perm-signed-time") || past) {
            return Err(SignedError::Time);
        }
        if !(mutants::skips("perm-signed-jti") || b64u_array::<16>(&self.jti).is_ok()) {
            return Err(SignedError::Jti);
        }
        Ok(())
    }
}
