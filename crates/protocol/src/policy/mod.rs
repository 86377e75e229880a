//! Policies: named, versioned eligibility rules (`specs/profiles/policy.md`).
//!
//! A policy is a closed JSON object made of strings, integers below 2^53, booleans, arrays and objects. Its
//! digest covers the whole of it in the form of RFC 8785 and is in every request, proof and decision. A policy
//! that is silent about how the answer is tied to the applicant, or about the other route, does not load.
//!
//! [`plan`] turns a policy into a query and statements. Verifier and wallet both run it: the wallet refuses a
//! request that differs from what its policy says.
//!
//! Two forms: accepted types and conditions on one of them, or [`Way`]s, alternatives that each may join several
//! credentials of one person or of one household.

mod bound;
mod cases;
mod check;
mod condition;
mod coverage;
mod evaluate;
mod joined;
mod permission;
mod plan;
mod pseudonym;
mod ways;

pub use bound::{Crowd, PlanError};
pub use cases::{Case, CaseError, HeldCase};
pub use check::{CheckError, Cost, check};
pub use condition::{Condition, PolicyRule, PolicyTerm, Test};
pub use coverage::{NotCovered, covers, covers_plan};
pub use evaluate::{Holds, evaluate, holds, is_fresh};
pub(crate) use permission::MOST_PENCE;
pub use permission::{PermissionNotCovered, Permitting, covers_permission};
pub use plan::{ContextOption, Needed, Plan, PlannedOutcome, Shown, plan};
pub use pseudonym::{AskedPseudonym, Epoch, Pseudonymous};
pub use ways::{Need, Period, Way};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, sha256};
use crate::json;
use crate::text::Bilingual;

/// The largest integer that every JSON reader keeps.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The most conditions, accepted types, or ways, of a policy.
const MAX_PARTS: usize = 8;

/// A policy that loaded, with its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    body: Body,
    value: Value,
    digest: [u8; 32],
}

/// The members of a policy. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// The purpose it asks for.
    pub purpose: String,
    /// Of whom the conditions must hold.
    pub subject: Subject,
    /// How the answer is tied to the applicant.
    pub subject_binding: SubjectBinding,
    /// What is accepted, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
    /// What must hold, all of it, of one credential.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// In place of both: alternatives, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    /// What the service may know a returning resident by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<Pseudonymous>,
    /// What else the resident permits with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permitting>,
    /// What people can do who say no.
    pub other_route: Bilingual,
}

/// Of whom the conditions must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One person.
    SamePerson,
    /// All adults of one household.
    SameHousehold,
}

/// How the answer is tied to the service's applicant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SubjectBinding {
    /// The browser that asked is the one that returns.
    SameDevice,
    /// Not at all: it shows only that somebody eligible answered.
    None,
    /// A person at a counter looks.
    InPerson,
    /// By a disclosed claim, which is compared with what the service expects.
    Disclosed(String),
    /// By the name that the service knows the resident by.
    Pseudonym,
}

impl TryFrom<String> for SubjectBinding {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match (text.as_str(), text.strip_prefix("disclosed:")) {
            ("same_device", _) => Ok(Self::SameDevice),
            ("none", _) => Ok(Self::None),
            ("in_person", _) => Ok(Self::InPerson),
            ("pseudonym", _) => Ok(Self::Pseudonym),
            (_, Some(claim)) if !claim.is_empty() => Ok(Self::Disclosed(claim.to_owned())),
            _ => Err("subject_binding must be same_device, none, in_person, pseudonym or disclosed:<claim>"),
        }
    }
}

impl From<SubjectBinding> for String {
    fn from(binding: SubjectBinding) -> Self {
        match binding {
            SubjectBinding::SameDevice => "same_device".into(),
            SubjectBinding::None => "none".into(),
            SubjectBinding::InPerson => "in_person".into(),
            SubjectBinding::Disclosed(claim) => format!("disclosed:{claim}"),
            SubjectBinding::Pseudonym => "pseudonym".into(),
        }
    }
}

/// A type that is accepted, from whom, and how fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The `vct`; one that ends in `/zk` is answered by proof.
    pub vct: String,
    /// The issuers that count.
    pub iss: Vec<String>,
    /// The greatest age of the facts, in days.
    pub max_age_days: u32,
}

/// Why a policy does not load. The fault is its author's.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A number that is not an integer below 2^53, a negative one that is no coefficient, or a null.
    #[error(
        "a policy holds strings, integers from 0 to 2^53 - 1 (a coefficient may be below 0), booleans, arrays and tables; write dates as strings in quotes and leave out fractions"
    )]
    Value,
    /// `subject_binding` is missing.
    #[error(
        "the policy does not say subject_binding: choose same_device, in_person, disclosed:<claim>, pseudonym, or none, which shows only that somebody eligible answered"
    )]
    SilentOnSubjectBinding,
    /// `other_route` is missing or empty.
    #[error("the policy has no other_route: say in en and cy what people can do who say no")]
    NoOtherRoute,
    /// A member is missing, unknown or of the wrong form.
    #[error("the policy cannot be read: {0}")]
    Malformed(String),
    /// The parts do not fit together.
    #[error("the policy cannot be used: {0}")]
    Unusable(&'static str),
    /// One way is unusable.
    #[error("way {id} cannot be used: {why}")]
    Way {
        /// Its id.
        id: String,
        /// What to mend.
        why: &'static str,
    },
    /// One condition is unusable.
    #[error("condition {id} cannot be used: {why}")]
    Condition {
        /// Its id.
        id: String,
        /// What to mend.
        why: &'static str,
    },
}

impl Policy {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// [`PolicyError`] says what to mend.
    pub fn from_json(value: Value) -> Result<Self, PolicyError> {
        if !(mutants::skips("vp-policy-values") || plain(&value)) {
            return Err(PolicyError::Value);
        }
        let silent = value.get("subject_binding").is_none();
        if silent {
            return Err(PolicyError::SilentOnSubjectBinding);
        }
        if value.get("other_route").is_none() {
            return Err(PolicyError::NoOtherRoute);
        }
        let body: Body =
            serde_json::from_value(value.clone()).map_err(|e| PolicyError::Malformed(e.to_string()))?;
        body.check()?;
        let canonical = json::canonical(&value).map_err(|_| PolicyError::Value)?;
        Ok(Self { body, value, digest: sha256(canonical) })
    }

    /// Its members.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The object as it was read, to be sent.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// SHA-256 of its RFC 8785 form.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The digest in base64url, as requests and decisions carry it.
    #[must_use]
    pub fn digest_text(&self) -> String {
        b64u(self.digest)
    }
}

impl std::ops::Deref for Policy {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.body
    }
}

/// Strings, integers from 0 below 2^53, booleans, arrays and objects. A coefficient may be below 0.
fn plain(value: &Value) -> bool {
    let negative = |value: &Value| value.as_i64().is_some_and(|n| n < 0 && n.unsigned_abs() <= MAX_INTEGER);
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(n) => n.as_u64().is_some_and(|n| n <= MAX_INTEGER),
        Value::Array(all) => all.iter().all(plain),
        Value::Object(members) => {
            members.iter().all(|(name, value)| (name == "coeff" && negative(value)) || plain(value))
        }
    }
}

impl Body {
    /// Every condition, of the policy or of its ways.
    pub fn every_condition(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().chain(self.ways.iter().flat_map(|way| &way.conditions))
    }

    /// Every type that counts, with the issuers that count for it.
    pub fn every_source(&self) -> impl Iterator<Item = (&str, &[String])> {
        let accepted = self.accept.iter().map(|accept| (accept.vct.as_str(), accept.iss.as_slice()));
        let needs = self.ways.iter().flat_map(|way| &way.needs);
        accepted.chain(needs.map(|need| (need.vct.as_str(), need.iss.as_slice())))
    }

    /// The tables and lists that its rules name, each once, by id and version.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<(&str, u32)> {
        self.every_condition().filter_map(|condition| condition.rule.as_ref()?.table()).collect()
    }

    fn check(&self) -> Result<(), PolicyError> {
        if !(mutants::skips("vp-policy-route") || self.other_route.is_complete()) {
            return Err(PolicyError::NoOtherRoute);
        }
        let named = !self.id.is_empty() && !self.purpose.is_empty();
        if !(mutants::skips("vp-policy-named") || named) {
            return Err(PolicyError::Unusable("id and purpose must not be empty"));
        }
        if self.ways.is_empty() {
            self.check_accept()?;
        } else {
            let alone = self.accept.is_empty() && self.conditions.is_empty();
            if !(mutants::skips("vp-way-alone") || alone) {
                return Err(PolicyError::Unusable("ways stand in place of accept and conditions"));
            }
            ways::check(self)?;
        }
        self.check_binding()
    }

    fn check_accept(&self) -> Result<(), PolicyError> {
        if !(mutants::skips("vp-policy-household") || self.subject == Subject::SamePerson) {
            return Err(PolicyError::Malformed("subject same_household is said by ways".into()));
        }
        let sized = [self.accept.len(), self.conditions.len()].iter().all(|n| (1..=MAX_PARTS).contains(n));
        if !(mutants::skips("vp-policy-parts") || sized) {
            return Err(PolicyError::Unusable(
                "it needs one to eight accepted types and one to eight conditions",
            ));
        }
        let vcts: BTreeSet<_> = self.accept.iter().map(|a| &a.vct).collect();
        if !(mutants::skips("vp-policy-vct") || vcts.len() == self.accept.len()) {
            return Err(PolicyError::Unusable("a vct is accepted twice; list its issuers in one entry"));
        }
        let sourced = self.accept.iter().all(|a| !a.iss.is_empty() && !a.vct.is_empty());
        if !(mutants::skips("vp-policy-issuers") || sourced) {
            return Err(PolicyError::Unusable("every accepted type needs a vct and at least one issuer"));
        }
        self.conditions.iter().enumerate().try_for_each(|(i, c)| {
            let twice = self.conditions[..i].iter().any(|other| other.id == c.id);
            let why = if twice && !mutants::skips("vp-condition-twice") {
                Err("its id is used twice")
            } else {
                c.check_alone()
            };
            why.map_err(|why| PolicyError::Condition { id: c.id.clone(), why })
        })
    }

    fn check_binding(&self) -> Result<(), PolicyError> {
        match &self.subject_binding {
            SubjectBinding::Disclosed(claim)
                if !(mutants::skips("vp-policy-disclosed") || self.shows(&format!("/{claim}"))) =>
            {
                Err(PolicyError::Unusable(
                    "subject_binding names a claim that no condition shows, or not in every way",
                ))
            }
            _ => pseudonym::check(self).and_then(|()| permission::check(self)),
        }
    }

    /// Whether `pointer` is shown, whichever way the answer is given.
    fn shows(&self, pointer: &str) -> bool {
        let shown = |one: &Condition| {
            one.op == Test::Show && (one.pointer == pointer || one.terms.iter().any(|t| t.pointer == pointer))
        };
        let every = !self.ways.is_empty() && self.ways.iter().all(|way| way.conditions.iter().any(shown));
        self.conditions.iter().any(shown) || every
    }
}
