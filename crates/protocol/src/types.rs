//! Credential types: what a body signs about a resident, and how each attribute may be answered.
//!
//! One type has a plain form and a proof form, told apart by `vct`: that of the proof form ends in `/zk`
//! (`specs/profiles/issuing.md`). Issuer and verifier read the same description, and a verifier takes encoding,
//! unit, width and range from it, never from what was presented.
//!
//! Leaves out: nested attributes, periods other than months.

mod attribute;
mod canonical;
mod link;
mod period;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;

pub(crate) use attribute::is_uri;
pub use attribute::{Answer, Attribute, Form, Kind};
pub use canonical::{canonical, is_canonical};
pub use link::LINK_SINCE;
pub use period::{Month, PERIOD, Period};

use crate::text::Bilingual;

/// What a `vct` ends in when it names proof copies.
pub const PROOF_SUFFIX: &str = "/zk";

/// The copies of one batch, by default and at most.
const BATCH: u32 = 30;

/// Whether `vct` names proof copies.
#[must_use]
pub fn is_proof(vct: &str) -> bool {
    vct.ends_with(PROOF_SUFFIX)
}

/// A credential type as the issuing body publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialType {
    /// The id of the plain credential configuration; the proof one adds `-zk`.
    pub id: String,
    /// The `vct` of plain copies; proof copies add [`PROOF_SUFFIX`].
    pub vct: String,
    /// What people call it.
    pub name: Bilingual,
    /// How many days a copy lives.
    pub ttl_days: u32,
    /// How many copies a batch has.
    #[serde(default = "batch")]
    pub batch: u32,
    /// Whether an officer of the issuing body decides on each request before copies are made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// Whether each copy has an entry in one of its issuer's status lists, and can so be suspended or revoked. This
    /// description alone says so, never a credential.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
    /// What its facts are the total of, where they can be summed: each copy shows its period to everybody, a person has one
    /// credential for each, and it is issued once the period is over. Such a type has a status: a correction revokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The column of the register that names the period; [`PERIOD`] where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_column: Option<String>,
    /// Whether a proof copy carries a commitment to its wallet's link secret, of which its issuer holds each person to one:
    /// what a service may know a resident by is made from it. Such a type has the attribute [`LINK_SINCE`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
    /// What is said of the resident, in the order of the description.
    pub attributes: Vec<Attribute>,
}

fn batch() -> u32 {
    BATCH
}

/// The indices of codes, by list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeLists(BTreeMap<String, BTreeMap<String, u32>>);

impl CodeLists {
    /// Adds a list under `uri` (the list's id, `/`, its version).
    pub fn insert(&mut self, uri: &str, codes: impl IntoIterator<Item = (String, u32)>) {
        self.0.insert(uri.to_owned(), codes.into_iter().collect());
    }

    /// The index of `code` in the list `uri`.
    #[must_use]
    pub fn index(&self, uri: &str, code: &str) -> Option<u32> {
        self.0.get(uri)?.get(code).copied()
    }
}

/// Why a type does not load. The fault is in the description; each names its attribute.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TypeError {
    /// A member is missing, unknown or of the wrong form.
    #[error("the description of the type cannot be read: {0}")]
    Malformed(String),
    /// The type itself is unusable.
    #[error("the type cannot be used: {0}")]
    Type(&'static str),
    /// One attribute is unusable.
    #[error("attribute {pointer} cannot be used: {why}")]
    Attribute {
        /// Its pointer.
        pointer: String,
        /// What to mend.
        why: &'static str,
    },
}

/// Why a value is not one of the attribute. Names no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    /// Another JSON type, or text that is no date.
    #[error("the value has the wrong form for this attribute")]
    Form,
    /// Outside lo and hi.
    #[error("the value is outside the range that the type declares")]
    Range,
    /// Not a code of the list.
    #[error("the code is not in the list of this attribute")]
    Code,
    /// The list was not given.
    #[error("the list of codes of this attribute is not loaded")]
    NoList,
    /// Text that does not fit the mask.
    #[error("the value does not fit the pattern of this attribute")]
    Pattern,
}

impl CredentialType {
    /// Reads and checks a description.
    ///
    /// # Errors
    /// [`TypeError`] says which member or attribute to mend.
    pub fn from_json(value: &Value) -> Result<Self, TypeError> {
        let read: Self =
            serde_json::from_value(value.clone()).map_err(|e| TypeError::Malformed(e.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// The `vct` of proof copies.
    #[must_use]
    pub fn proof_vct(&self) -> String {
        format!("{}{PROOF_SUFFIX}", self.vct)
    }

    /// The credential configuration of proof copies; [`Self::id`] is that of plain ones.
    #[must_use]
    pub fn proof_configuration(&self) -> String {
        format!("{}-zk", self.id)
    }

    /// Whether `vct` names plain or proof copies of this type.
    #[must_use]
    pub fn has_vct(&self, vct: &str) -> bool {
        vct.strip_suffix(PROOF_SUFFIX).unwrap_or(vct) == self.vct
    }

    /// The attribute at `pointer`.
    #[must_use]
    pub fn attribute(&self, pointer: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.pointer == pointer)
    }

    /// The attributes that may be proved, in order.
    pub fn provable(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|a| a.may(Answer::Prove))
    }

    /// The attributes that may be shown, in order.
    pub fn showable(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|a| a.may(Answer::Show))
    }

    /// The column of the register that names the period, where the type has periods.
    #[must_use]
    pub fn period_column(&self) -> Option<&str> {
        self.period.map(|_| self.period_column.as_deref().unwrap_or(PERIOD))
    }

    fn check(&self) -> Result<(), TypeError> {
        let simple = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.id.is_empty() || !self.id.chars().all(simple) {
            return Err(TypeError::Type("id must be letters, digits, '-' and '_'"));
        }
        if self.vct.is_empty() || is_proof(&self.vct) {
            return Err(TypeError::Type("vct must be that of the plain form, without /zk"));
        }
        if !self.name.is_complete() {
            return Err(TypeError::Type("name must have words in en and cy"));
        }
        if self.ttl_days == 0 || self.ttl_days > 3660 {
            return Err(TypeError::Type("ttl_days must be between 1 and 3660"));
        }
        if self.batch == 0 || self.batch > BATCH {
            return Err(TypeError::Type("batch must be between 1 and 30"));
        }
        if !(mutants::skips("type-period-status") || self.period.is_none() || self.status) {
            return Err(TypeError::Type("a type with periods needs status = true: a correction revokes"));
        }
        if self.period.is_none() && self.period_column.is_some() {
            return Err(TypeError::Type("period_column needs period"));
        }
        self.check_link()?;
        let mut seen = BTreeSet::new();
        for attribute in &self.attributes {
            attribute
                .check()
                .and_then(|()| seen.insert(&attribute.pointer).then_some(()).ok_or("it is declared twice"))
                .map_err(|why| TypeError::Attribute { pointer: attribute.pointer.clone(), why })?;
        }
        (!seen.is_empty()).then_some(()).ok_or(TypeError::Type("it has no attributes"))
    }
}
