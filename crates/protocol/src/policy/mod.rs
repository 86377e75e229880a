//! Policies: named, versioned eligibility rules (`specs/profiles/policy.md`).
//!
//! A policy is a closed JSON object made of strings, integers below 2^53, booleans, arrays and objects. Its
//! digest covers the whole of it in the form of RFC 8785 and is in every request, proof and decision. A policy
//! that is silent about how the answer is tied to the applicant, or about the other route, does not load.
//!
//! [`plan`] turns a policy into a query and statements. Verifier and wallet both run it: the wallet refuses a
//! request that differs from what its policy says.
//!
//! Leaves out: any and all, sums over several credentials, more than one person.

mod coverage;
mod evaluate;
mod plan;

pub use coverage::{CheckError, Cost, NotCovered, check, covers};
pub use evaluate::{Case, CaseError, Holds, evaluate, holds, is_fresh};
pub use plan::{ContextOption, Plan, PlanError, PlannedOutcome, plan};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, sha256};
use crate::json;
use crate::statement::{Unit, decimal};
use crate::text::Bilingual;

/// The largest integer that every JSON reader keeps.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The most conditions, and the most accepted types, of a policy.
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
    pub accept: Vec<Accept>,
    /// What must hold, all of it, of one credential.
    pub conditions: Vec<Condition>,
    /// What people can do who say no.
    pub other_route: Bilingual,
}

/// Of whom the conditions must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One person.
    SamePerson,
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

/// One condition. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Its id, the beginning of its statements' ids.
    pub id: String,
    /// The attribute.
    pub pointer: String,
    /// What is asked of it.
    pub op: Test,
    /// Where the bound comes from; none for `show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<PolicyRule>,
    /// A fixed bound, as a decimal of the encoded integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
    /// A fixed interval's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<String>,
    /// A fixed interval's last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<String>,
    /// What a shown value must equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

/// What is asked of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// At most a bound.
    Le,
    /// At least a bound.
    Ge,
    /// Within one interval.
    In,
    /// To be shown.
    Show,
}

/// Where a bound comes from, as a policy says it: a table by id and version, its hash is the register's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyRule {
    /// At least `n` units old.
    AgeAtLeast {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// At most `n` units old.
    AgeAtMost {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// Reached by a signed table.
    Table {
        /// Its id.
        id: String,
        /// Its version.
        version: u32,
    },
    /// Within a signed list of codes.
    Codes {
        /// Its id.
        id: String,
        /// Its version.
        version: u32,
    },
    /// By `k`, or `lo` and `hi`.
    Fixed {},
}

/// Why a policy does not load. The fault is its author's.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A number that is not an integer below 2^53, or a null.
    #[error(
        "a policy holds strings, integers from 0 to 2^53 - 1, booleans, arrays and tables; write dates as strings in quotes and leave out fractions"
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

/// Strings, integers from 0 below 2^53, booleans, arrays and objects.
fn plain(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(n) => n.as_u64().is_some_and(|n| n <= MAX_INTEGER),
        Value::Array(all) => all.iter().all(plain),
        Value::Object(members) => members.values().all(plain),
    }
}

impl Body {
    /// Whether `pointer` is asked to be shown.
    #[must_use]
    pub fn shows(&self, pointer: &str) -> bool {
        self.conditions.iter().any(|c| c.op == Test::Show && c.pointer == pointer)
    }

    fn check(&self) -> Result<(), PolicyError> {
        if !self.other_route.is_complete() {
            return Err(PolicyError::NoOtherRoute);
        }
        if self.id.is_empty() || self.purpose.is_empty() {
            return Err(PolicyError::Unusable("id and purpose must not be empty"));
        }
        if !(1..=MAX_PARTS).contains(&self.accept.len()) || !(1..=MAX_PARTS).contains(&self.conditions.len())
        {
            return Err(PolicyError::Unusable(
                "it needs one to eight accepted types and one to eight conditions",
            ));
        }
        self.check_accept()?;
        self.conditions.iter().enumerate().try_for_each(|(i, c)| {
            let twice = self.conditions[..i].iter().any(|other| other.id == c.id);
            let why = if twice { Err("its id is used twice") } else { c.check() };
            why.map_err(|why| PolicyError::Condition { id: c.id.clone(), why })
        })?;
        self.check_binding()
    }

    fn check_accept(&self) -> Result<(), PolicyError> {
        let vcts: std::collections::BTreeSet<_> = self.accept.iter().map(|a| &a.vct).collect();
        if vcts.len() != self.accept.len() {
            return Err(PolicyError::Unusable("a vct is accepted twice; list its issuers in one entry"));
        }
        if self.accept.iter().any(|a| a.iss.is_empty() || a.vct.is_empty()) {
            return Err(PolicyError::Unusable("every accepted type needs a vct and at least one issuer"));
        }
        Ok(())
    }

    fn check_binding(&self) -> Result<(), PolicyError> {
        match &self.subject_binding {
            SubjectBinding::Disclosed(claim) if !self.shows(&format!("/{claim}")) => {
                Err(PolicyError::Unusable("subject_binding names a claim that no condition shows"))
            }
            SubjectBinding::Pseudonym => {
                Err(PolicyError::Unusable("subject_binding pseudonym is not offered yet"))
            }
            _ => Ok(()),
        }
    }
}

impl Condition {
    fn check(&self) -> Result<(), &'static str> {
        let short = self.id.len() <= 24 && crate::statement::is_id(&self.id);
        if !short {
            return Err("its id must be 1 to 24 letters, digits, '-' and '_'");
        }
        if self.pointer.len() < 2 || !self.pointer.starts_with('/') {
            return Err("its pointer must begin with '/'");
        }
        if self.op == Test::Show {
            return self.check_shown();
        }
        if self.equals.is_some() {
            return Err("equals goes with show alone");
        }
        let bounds = (self.k.is_some(), self.lo.is_some(), self.hi.is_some());
        match (self.op, &self.rule, bounds) {
            (_, None, _) => Err("it needs a rule"),
            (
                Test::Le,
                Some(PolicyRule::AgeAtLeast { .. } | PolicyRule::Table { .. }),
                (false, false, false),
            )
            | (Test::Ge, Some(PolicyRule::AgeAtMost { .. }), (false, false, false))
            | (Test::In, Some(PolicyRule::Codes { .. }), (false, false, false)) => Ok(()),
            (Test::Le | Test::Ge, Some(PolicyRule::Fixed {}), (true, false, false))
            | (Test::In, Some(PolicyRule::Fixed {}), (false, true, true)) => self.check_fixed(),
            _ => Err(
                "its rule and op do not go together: le takes age_at_least, table or fixed with k; ge takes age_at_most or fixed with k; in takes codes or fixed with lo and hi",
            ),
        }
    }

    fn check_fixed(&self) -> Result<(), &'static str> {
        let decimals =
            [&self.k, &self.lo, &self.hi].into_iter().flatten().all(|text| decimal(text).is_some());
        decimals.then_some(()).ok_or("k, lo and hi are decimal strings without leading zeros")
    }

    fn check_shown(&self) -> Result<(), &'static str> {
        if self.rule.is_some() || self.k.is_some() || self.lo.is_some() || self.hi.is_some() {
            return Err("show takes neither rule nor bounds");
        }
        match &self.equals {
            Some(Value::Array(_) | Value::Object(_)) => {
                Err("equals must be a string, an integer or a boolean")
            }
            _ => Ok(()),
        }
    }
}
