//! Credential types: what a body signs about a resident, and how each attribute may be answered.
//!
//! One type has a plain form and a proof form, told apart by `vct`: that of the proof form ends in `/zk`
//! (`specs/profiles/issuing.md`). Issuer and verifier read the same description, and a verifier takes encoding,
//! unit, width and range from it, never from what was presented.
//!
//! Leaves out: nested attributes, proofs about text, money wider than 32 bits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_proofs::encoding::{self, Encoding};

use crate::text::Bilingual;

/// What a `vct` ends in when it names proof copies.
pub const PROOF_SUFFIX: &str = "/zk";

/// Claims that a type cannot name as its attributes, because the formats give them a meaning.
const RESERVED: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "nbf",
    "exp",
    "jti",
    "cnf",
    "vct",
    "vct#integrity",
    "aka_vcts",
    "status",
    "zkc",
    "facts_as_of",
    "_sd",
    "_sd_alg",
    "...",
];

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
    /// What is said of the resident, in the order of the description.
    pub attributes: Vec<Attribute>,
}

fn batch() -> u32 {
    BATCH
}

/// One attribute of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The claim, as an RFC 6901 pointer of one step.
    pub pointer: String,
    /// The column of the register that fills it.
    pub column: String,
    /// What people call it, in the middle of a sentence.
    pub label: Bilingual,
    /// What sort of value it is.
    pub kind: Kind,
    /// How it may be answered.
    pub answer: Vec<Answer>,
    /// The unit of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The least value, where it can be proved: a date or a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<String>,
    /// The greatest value, where it can be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<String>,
    /// The list of a code: the list's id, `/`, its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
    /// A mask for text and codes: `9` is a digit, `A` a capital letter, anything else itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// What sort of value an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A civil date, `YYYY-MM-DD`.
    Date,
    /// Pence.
    Money,
    /// An integer of a declared unit.
    Number,
    /// A code of a published list; its JSON value is the code, or its index in the list.
    Code,
}

/// How an attribute may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// By showing it.
    Show,
    /// By a proof about it.
    Prove,
}

/// What is signed about a provable attribute besides its commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The encoding.
    pub enc: Encoding,
    /// The unit, list or currency.
    pub unit: String,
    /// The width of the encoding in bits.
    pub b: u8,
    /// The least encoded value.
    pub lo: u64,
    /// The greatest encoded value.
    pub hi: u64,
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

impl Attribute {
    /// Whether it may be answered so.
    #[must_use]
    pub fn may(&self, answer: Answer) -> bool {
        self.answer.contains(&answer)
    }

    /// The claim's name: the pointer without its slash.
    #[must_use]
    pub fn claim(&self) -> &str {
        self.pointer.trim_start_matches('/')
    }

    /// The encoding of its values.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match self.kind {
            Kind::Text => Encoding::Str,
            Kind::Flag => Encoding::Bool,
            Kind::Date => Encoding::Day,
            Kind::Money => Encoding::Pence,
            Kind::Number => Encoding::Int,
            Kind::Code => Encoding::Code,
        }
    }

    /// The unit that is signed with it.
    #[must_use]
    pub fn unit(&self) -> &str {
        match self.kind {
            Kind::Date => "day",
            Kind::Money => "GBP-pence",
            Kind::Flag => self.unit.as_deref().unwrap_or("flag"),
            Kind::Code => self.codes.as_deref().unwrap_or_default(),
            Kind::Text | Kind::Number => self.unit.as_deref().unwrap_or_default(),
        }
    }

    /// What is signed beside its commitment, where it may be proved.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        if !self.may(Answer::Prove) {
            return None;
        }
        let (lo, hi) = self.range()?;
        let enc = self.encoding();
        Some(Form { enc, unit: self.unit().to_owned(), b: enc.bits()?, lo, hi })
    }

    /// Checks a value that will be shown: its JSON type, and its mask.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn accepts(&self, value: &Value, lists: &CodeLists) -> Result<(), ValueError> {
        match (self.kind, value) {
            (Kind::Text, Value::String(text)) => self.fits(text),
            (Kind::Text, _) => Err(ValueError::Form),
            (Kind::Code, Value::String(code)) if self.codes.is_none() => self.fits(code),
            _ => self.raw(value, lists).and_then(|v| self.within(v)).map(|_| ()),
        }
    }

    /// The integer that a commitment to `value` holds, within lo and hi.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn encode(&self, value: &Value, lists: &CodeLists) -> Result<u64, ValueError> {
        self.raw(value, lists).and_then(|v| self.within(v))
    }

    /// The value of a register's text, as it is shown.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn value_of(&self, text: &str, lists: &CodeLists) -> Result<Value, ValueError> {
        let value = match self.kind {
            Kind::Text | Kind::Date => Value::from(text),
            Kind::Code => {
                self.fits(text)?;
                Value::from(text)
            }
            Kind::Flag => match text {
                "true" | "yes" | "1" => Value::from(true),
                "false" | "no" | "0" => Value::from(false),
                _ => return Err(ValueError::Form),
            },
            Kind::Money => Value::from(pence(text)?),
            Kind::Number => Value::from(text.parse::<u32>().map_err(|_| ValueError::Form)?),
        };
        self.accepts(&value, lists)?;
        Ok(value)
    }

    fn raw(&self, value: &Value, lists: &CodeLists) -> Result<u64, ValueError> {
        match (self.kind, value) {
            (Kind::Date, Value::String(text)) => day_number(text).ok_or(ValueError::Form),
            (Kind::Flag, Value::Bool(flag)) => Ok(u64::from(*flag)),
            (Kind::Money | Kind::Number | Kind::Code, Value::Number(n)) => {
                n.as_u64().filter(|v| u32::try_from(*v).is_ok()).ok_or(ValueError::Form)
            }
            (Kind::Code, Value::String(code)) => self.index(code, lists),
            _ => Err(ValueError::Form),
        }
    }

    fn index(&self, code: &str, lists: &CodeLists) -> Result<u64, ValueError> {
        let uri = self.codes.as_deref().ok_or(ValueError::NoList)?;
        let list = lists.0.get(uri).ok_or(ValueError::NoList)?;
        list.get(code).map(|index| u64::from(*index)).ok_or(ValueError::Code)
    }

    fn within(&self, v: u64) -> Result<u64, ValueError> {
        match self.range() {
            Some((lo, hi)) if v < lo || v > hi => Err(ValueError::Range),
            _ => Ok(v),
        }
    }

    fn fits(&self, text: &str) -> Result<(), ValueError> {
        let Some(mask) = &self.pattern else { return Ok(()) };
        let fits = |(m, c): (char, char)| match m {
            '9' => c.is_ascii_digit(),
            'A' => c.is_ascii_uppercase(),
            other => other == c,
        };
        let same_length = mask.chars().count() == text.chars().count();
        (same_length && mask.chars().zip(text.chars()).all(fits)).then_some(()).ok_or(ValueError::Pattern)
    }

    /// Lo and hi, encoded.
    fn range(&self) -> Option<(u64, u64)> {
        if self.kind == Kind::Flag {
            return Some((0, 1));
        }
        Some((self.bound(self.lo.as_deref()?)?, self.bound(self.hi.as_deref()?)?))
    }

    fn bound(&self, text: &str) -> Option<u64> {
        match self.kind {
            Kind::Date => day_number(text),
            _ => text.parse::<u32>().ok().map(u64::from),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let name = self.pointer.strip_prefix('/').ok_or("its pointer must be '/' and one name")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            return Err("its pointer must be '/' and lower-case letters, digits and '_'");
        }
        if RESERVED.contains(&name) {
            return Err("its name has a meaning of its own in a credential");
        }
        if self.answer.is_empty() {
            return Err("answer must say show, prove or both");
        }
        if !self.label.is_complete() {
            return Err("label must have words in en and cy");
        }
        self.check_provable()
    }

    fn check_provable(&self) -> Result<(), &'static str> {
        if (self.lo.is_some() || self.hi.is_some()) && self.range().is_none() {
            return Err("lo and hi must both be dates, or both be decimals below 2^32");
        }
        if !self.may(Answer::Prove) {
            return Ok(());
        }
        if self.kind == Kind::Text {
            return Err("text can be shown, not proved");
        }
        if self.unit().is_empty() {
            return Err("to be proved, a number needs a unit and a code its list");
        }
        let (lo, hi) = self.range().ok_or("to be proved, it needs lo and hi")?;
        (lo < hi).then_some(()).ok_or("lo must be below hi")
    }
}

/// The number of the day that a strict `YYYY-MM-DD` names.
fn day_number(text: &str) -> Option<u64> {
    encoding::day(encoding::date_from(text).ok()?).ok()
}

/// Pounds and pence, or whole pounds, in pence.
fn pence(text: &str) -> Result<u32, ValueError> {
    let (pounds, pence) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !digits(pounds) || !digits(pence) || pence.len() != 2 {
        return Err(ValueError::Form);
    }
    let pounds: u32 = pounds.parse().map_err(|_| ValueError::Range)?;
    let pence: u32 = pence.parse().map_err(|_| ValueError::Form)?;
    pounds.checked_mul(100).and_then(|p| p.checked_add(pence)).ok_or(ValueError::Range)
}
