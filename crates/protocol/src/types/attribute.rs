//! One attribute of a type: its value in a register, on the wire and behind a commitment.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::SignedRange;
use vouchsafe_proofs::encoding::{self, Encoding};

use super::canonical::{canonical, is_canonical};
use super::{CodeLists, ValueError};
use crate::statement::decimal;
use crate::text::Bilingual;
use crate::zkc;

/// Claims that a type cannot name as its attributes, because the formats give them a meaning.
const RESERVED: [&str; 19] = [
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
    "_link",
    "facts_as_of",
    "period",
    "_sd",
    "_sd_alg",
    "...",
];

/// One attribute of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The claim, as an RFC 6901 pointer of one step.
    pub pointer: String,
    /// The column of the register that fills it; none for what the issuer itself fills in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub column: String,
    /// What people call it, in the middle of a sentence.
    pub label: Bilingual,
    /// What sort of value it is.
    pub kind: Kind,
    /// How it may be answered.
    pub answer: Vec<Answer>,
    /// The unit of a number; of a text that is proved, the URI of what it means, free of whoever issues it: two texts
    /// can be compared where both have the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The width in bits, where it is not the usual one: 64 for large amounts of money, whose JSON value is then a decimal
    /// string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<u8>,
    /// The least value, where it can be proved: a date or a decimal. A text has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<String>,
    /// The greatest value, where it can be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<String>,
    /// The list of a code: the list's id, `/`, its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
    /// A mask for text and codes: `9` is a digit, `A` a capital letter, anything else itself. A text that is proved must
    /// have one: of two spellings of one text, a proof would show that they differ.
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
    /// The unit, list, currency or type URI.
    pub unit: String,
    /// Width and range of the encoded values; none for a text.
    pub range: Option<SignedRange>,
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
        let (enc, unit) = (self.encoding(), self.unit().to_owned());
        if enc == Encoding::Str {
            return Some(Form { enc, unit, range: None });
        }
        let (lo, hi) = self.range()?;
        Some(Form { enc, unit, range: Some(SignedRange { b: self.width()?, lo, hi }) })
    }

    /// Checks a value that will be shown: its JSON type, and its mask.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn accepts(&self, value: &Value, lists: &CodeLists) -> Result<(), ValueError> {
        match (self.kind, value) {
            (Kind::Text, Value::String(text)) => self.text(text),
            (Kind::Text, _) => Err(ValueError::Form),
            (Kind::Code, Value::String(code)) if self.codes.is_none() => self.fits(code),
            _ => self.raw(value, lists).and_then(|v| self.within(v)).map(|_| ()),
        }
    }

    /// What a commitment to `value` hides: the integer within lo and hi, or the text in its canonical form.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn hidden(&self, value: &Value, lists: &CodeLists) -> Result<zkc::Value, ValueError> {
        match (self.kind, value) {
            (Kind::Text, Value::String(text)) => {
                self.text(text)?;
                Ok(zkc::Value::Text(text.clone()))
            }
            _ => self.encode(value, lists).map(zkc::Value::Integer),
        }
    }

    /// The integer that a commitment to `value` holds, within lo and hi. A text has none.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn encode(&self, value: &Value, lists: &CodeLists) -> Result<u64, ValueError> {
        self.raw(value, lists).and_then(|v| self.within(v))
    }

    /// The value of a register's text, as it is shown. What is proved of a text is its canonical form: NFC, then the mask.
    ///
    /// # Errors
    /// [`ValueError`], without the value.
    pub fn value_of(&self, text: &str, lists: &CodeLists) -> Result<Value, ValueError> {
        let value = match self.kind {
            Kind::Text if self.may(Answer::Prove) => Value::from(canonical(text).as_ref()),
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
            Kind::Money if self.is_wide() => Value::from(pence(text)?.to_string()),
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
            (Kind::Money, value) if self.is_wide() => {
                value.as_str().and_then(decimal).ok_or(ValueError::Form)
            }
            (Kind::Money | Kind::Number | Kind::Code, Value::Number(n)) => {
                n.as_u64().filter(|v| u32::try_from(*v).is_ok()).ok_or(ValueError::Form)
            }
            (Kind::Code, Value::String(code)) => self.index(code, lists),
            _ => Err(ValueError::Form),
        }
    }

    /// The width of its integers in bits; none for a text.
    fn width(&self) -> Option<u8> {
        self.b.or(self.encoding().bits())
    }

    fn is_wide(&self) -> bool {
        self.width() == Some(64)
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

    /// A text is held to its mask, and one that is proved to its canonical form as well.
    fn text(&self, text: &str) -> Result<(), ValueError> {
        let compared = self.may(Answer::Prove) && !mutants::skips("type-text-canonical");
        if compared && !is_canonical(text) {
            return Err(ValueError::Form);
        }
        self.fits(text)
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
            Kind::Money if self.is_wide() => decimal(text),
            // One text for one bound, at 32 bits as at 64.
            _ => decimal(text).filter(|bound| u32::try_from(*bound).is_ok()),
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
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
        if !self.b.is_none_or(|b| self.encoding().allows(b)) {
            return Err("b may be 64, for money, or the usual width");
        }
        if self.kind == Kind::Text && (self.lo.is_some() || self.hi.is_some()) {
            return Err("a text has no lo and hi: it can only be compared");
        }
        if (self.lo.is_some() || self.hi.is_some()) && self.range().is_none() {
            return Err(
                "lo and hi must both be dates, or both be decimals below 2^32, or 2^64 where b is 64",
            );
        }
        if !self.may(Answer::Prove) {
            return Ok(());
        }
        if self.kind == Kind::Text {
            return self.check_compared();
        }
        if self.unit().is_empty() {
            return Err("to be proved, a number needs a unit and a code its list");
        }
        let (lo, hi) = self.range().ok_or("to be proved, it needs lo and hi")?;
        (lo < hi).then_some(()).ok_or("lo must be below hi")
    }

    /// What makes two texts the same is said by unit and mask together.
    fn check_compared(&self) -> Result<(), &'static str> {
        if !(mutants::skips("type-text-unit") || is_uri(self.unit())) {
            return Err("to be proved, a text needs as its unit the URI of what it means");
        }
        let mask = self.pattern.as_deref().unwrap_or_default();
        let canonical = is_canonical(mask);
        (mutants::skips("type-text-pattern") || canonical).then_some(()).ok_or(
            "to be proved, a text needs a pattern in NFC: two spellings of one text would pass for two texts",
        )
    }
}

/// An absolute URI without spaces.
pub(crate) fn is_uri(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_graphic()) && url::Url::parse(text).is_ok()
}

/// The number of the day that a strict `YYYY-MM-DD` names.
fn day_number(text: &str) -> Option<u64> {
    encoding::day(encoding::date_from(text).ok()?).ok()
}

/// Pounds and pence, or whole pounds, in pence.
fn pence(text: &str) -> Result<u64, ValueError> {
    let (pounds, pence) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !digits(pounds) || !digits(pence) || pence.len() != 2 {
        return Err(ValueError::Form);
    }
    let pounds: u64 = pounds.parse().map_err(|_| ValueError::Range)?;
    let pence: u64 = pence.parse().map_err(|_| ValueError::Form)?;
    pounds.checked_mul(100).and_then(|p| p.checked_add(pence)).ok_or(ValueError::Range)
}
