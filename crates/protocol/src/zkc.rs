//! `zkc`: the signed commitments of a proof copy, on the wire (`specs/profiles/issuing.md`).
//!
//! An always visible, closed object: pointer to {c, enc, u, b, lo, hi}, and to {c, enc, u} for a text (`str`), which has
//! no width and no range: it can only be compared. Where the copy is linked to its wallet's secret, [`LINK`] to {c, enc}:
//! no attribute and no claim, so that nothing can ask for it.
//!
//! Security: what a commitment hides is a [`Value`]. It is wiped after use and cannot be printed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::{Blinding, Commitment, commit, commit_text};
use vouchsafe_proofs::context::{Attribute, SignedRange};
use vouchsafe_proofs::encoding::{Encoding, Plain, Text};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::{b64u, b64u_array};
use crate::json;
use crate::statement::decimal;
use crate::types::{CodeLists, Form, is_canonical, is_uri};

/// The claim's name.
pub const CLAIM: &str = "zkc";

/// The claim that dates the facts.
pub const FACTS_AS_OF: &str = "facts_as_of";

/// Where the commitment to the link secret stands (`specs/proofs/README.md` 6.4).
pub const LINK: &str = "/_link";

/// What stands in place of its encoding.
const LINK_ENC: &str = "link";

/// The most attributes of one copy.
const MAX_ATTRIBUTES: usize = 64;

/// The commitments of a credential are not of their form.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the credential's commitments are malformed")]
pub struct ZkcError;

/// What a commitment hides. Wiped after use, not shown. As JSON a number or a string, as a vault keeps it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum Value {
    /// The integer of a date, an amount, a number, a code or a flag.
    Integer(u64),
    /// A text in canonical form, of a `str` attribute.
    Text(String),
}

impl Value {
    /// The integer; `None` for a text.
    #[must_use]
    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(v) => Some(*v),
            Self::Text(_) => None,
        }
    }

    /// The text; `None` for an integer.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Integer(_) => None,
            Self::Text(text) => Some(text),
        }
    }

    /// Com(v; r), a text hashed under its type URI (`specs/proofs/README.md`, sections 2 and 3).
    #[must_use]
    pub fn commit(&self, unit: &str, r: &Blinding) -> Commitment {
        match self {
            Self::Integer(v) => commit(*v, r),
            Self::Text(text) => commit_text(&Text::new(unit, text), r),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(v) => serializer.serialize_u64(*v),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: that keeps what it read in a buffer of its own, which nobody wipes.
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl serde::de::Visitor<'_> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an integer or a text")
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Integer(v))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
}

/// One member with a range. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranged {
    c: String,
    enc: Encoding,
    u: String,
    b: u8,
    lo: String,
    hi: String,
}

/// One member of a text: no range, and so no place for a member that says none. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compared {
    c: String,
    enc: Encoding,
    u: String,
}

/// The member of a link secret: it has no unit, no width and no range. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Linked {
    c: String,
    enc: String,
}

/// Reads the attributes of the claim, by pointer. [`LINK`] is none of them, and is held to its form.
///
/// # Errors
/// [`ZkcError`].
pub fn read(claim: &Json) -> Result<Vec<Attribute>, ZkcError> {
    link(claim)?;
    let members = claim.as_object().filter(|members| (1..=MAX_ATTRIBUTES).contains(&members.len()));
    let attributes = members.ok_or(ZkcError)?.iter().filter(|(pointer, _)| *pointer != LINK);
    attributes.map(|(pointer, value)| attribute(pointer, value)).collect()
}

/// The commitment to the link secret, C_x; `None` where the copy is not linked.
///
/// # Errors
/// [`ZkcError`].
pub fn link(claim: &Json) -> Result<Option<Commitment>, ZkcError> {
    let Some(value) = claim.get(LINK) else { return Ok(None) };
    let mut value = value.clone();
    if mutants::skips("zk-zkc-link") {
        let known = |name: &str| ["c", "enc"].contains(&name);
        value.as_object_mut().into_iter().for_each(|members| members.retain(|name, _| known(name)));
    }
    let member: Linked = json::of_value(value).map_err(|_| ZkcError)?;
    if !(mutants::skips("zk-zkc-link") || member.enc == LINK_ENC) {
        return Err(ZkcError);
    }
    b64u_array(&member.c).map(|c| Some(Commitment(c))).map_err(|_| ZkcError)
}

fn attribute(pointer: &str, value: &Json) -> Result<Attribute, ZkcError> {
    if value.get("enc").and_then(Json::as_str) == Some(Encoding::Str.as_str()) {
        return compared(pointer, value);
    }
    let member: Ranged = json::of_value(value.clone()).map_err(|_| ZkcError)?;
    let range = SignedRange {
        b: member.b,
        lo: decimal(&member.lo).ok_or(ZkcError)?,
        hi: decimal(&member.hi).ok_or(ZkcError)?,
    };
    signed(pointer, &member.c, member.enc, member.u, Some(range))
}

fn compared(pointer: &str, value: &Json) -> Result<Attribute, ZkcError> {
    let mut value = value.clone();
    if mutants::skips("zk-zkc-text") {
        value.as_object_mut().into_iter().for_each(|members| {
            members.retain(|name, _| ["c", "enc", "u"].contains(&name.as_str()));
        });
    }
    let member: Compared = json::of_value(value).map_err(|_| ZkcError)?;
    signed(pointer, &member.c, member.enc, member.u, None)
}

fn signed(
    pointer: &str,
    c: &str,
    enc: Encoding,
    unit: String,
    range: Option<SignedRange>,
) -> Result<Attribute, ZkcError> {
    let c = Commitment(b64u_array(c).map_err(|_| ZkcError)?);
    Ok(Attribute { pointer: pointer.to_owned(), enc, unit, range, c })
}

/// Writes the claim.
#[must_use]
pub fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a Form, Commitment)>) -> Json {
    let member = |(pointer, form, c): (&str, &Form, Commitment)| (pointer.to_owned(), member(form, c));
    Json::Object(members.into_iter().map(member).collect::<Map<_, _>>())
}

/// Writes the commitment to the link secret into the claim.
pub fn write_link(claim: &mut Json, link: Commitment) {
    claim[LINK] = serde_json::json!({"c": b64u(link.0), "enc": LINK_ENC});
}

fn member(form: &Form, c: Commitment) -> Json {
    let (c, enc, u) = (b64u(c.0), form.enc, form.unit.clone());
    let written = match form.range {
        Some(SignedRange { b, lo, hi }) => {
            serde_json::to_value(Ranged { c, enc, u, b, lo: lo.to_string(), hi: hi.to_string() })
        }
        None => serde_json::to_value(Compared { c, enc, u }),
    };
    written.expect("a member is strings and an integer")
}

/// Whether a signed attribute has the form that trusted metadata declares.
#[must_use]
pub fn is_of(attribute: &Attribute, form: &Form) -> bool {
    attribute.enc == form.enc && attribute.unit == form.unit && attribute.range == form.range
}

/// Whether a signed attribute is in a unit that its encoding has, by who reads no description of its type: days are days,
/// money is in pence, and a list or the meaning of a text is named by a URI.
#[must_use]
pub fn has_its_unit(attribute: &Attribute) -> bool {
    match attribute.enc {
        Encoding::Day => attribute.unit == "day",
        Encoding::Pence => attribute.unit == "GBP-pence",
        Encoding::Code | Encoding::Str => is_uri(&attribute.unit),
        Encoding::Int | Encoding::Bool => !attribute.unit.is_empty(),
    }
}

/// What a commitment to `value` hides for a signed attribute, whatever its range; `None` where there is no such thing.
#[must_use]
pub fn encode(attribute: &Attribute, value: &Json, lists: &CodeLists) -> Option<Value> {
    let Some(range) = attribute.range else {
        let text = value.as_str().filter(|text| attribute.enc == Encoding::Str && is_canonical(text))?;
        return Some(Value::Text(text.to_owned()));
    };
    let plain = match value {
        Json::String(code) if attribute.enc == Encoding::Code => {
            Plain::Integer(lists.index(&attribute.unit, code)?.into())
        }
        Json::String(text) => Plain::Text(text),
        Json::Number(n) => Plain::Integer(n.as_i64()?),
        Json::Bool(flag) => Plain::Flag(*flag),
        _ => return None,
    };
    attribute.enc.encode(plain, range.b).ok().map(Value::Integer)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn form() -> Form {
        let range = Some(SignedRange { b: 32, lo: 102_268, hi: 164_723 });
        Form { enc: Encoding::Day, unit: "day".into(), range }
    }

    fn person() -> Form {
        Form { enc: Encoding::Str, unit: "https://larkfield.example/ids/person".into(), range: None }
    }

    #[test]
    fn a_claim_is_read_as_it_was_written() {
        let claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
        let read = read(&claim).unwrap();
        assert!(is_of(&read[0], &form()));
        assert_eq!((read[0].pointer.as_str(), read[0].c), ("/birth_date", Commitment([7; 32])));
        let born = encode(&read[0], &json!("1970-01-01"), &CodeLists::default()).unwrap();
        assert_eq!((born.integer(), born.text()), (Some(135_140), None));
        for other in [json!(135_140), json!("1970-1-1"), json!(true), json!(null), json!(["1970-01-01"])] {
            assert!(encode(&read[0], &other, &CodeLists::default()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_link_is_no_attribute() {
        let mut claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
        assert_eq!(link(&claim), Ok(None));
        write_link(&mut claim, Commitment([9; 32]));
        assert_eq!(claim[LINK].as_object().unwrap().len(), 2);
        assert_eq!(link(&claim), Ok(Some(Commitment([9; 32]))));
        let pointers: Vec<_> = read(&claim).unwrap().into_iter().map(|one| one.pointer).collect();
        assert_eq!(pointers, ["/birth_date"]);
    }

    #[test]
    fn a_link_has_one_form() {
        let with = |member: &str, value: Json| {
            let mut claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
            write_link(&mut claim, Commitment([9; 32]));
            claim[LINK][member] = value;
            read(&claim).is_err() && link(&claim).is_err()
        };
        for (member, value) in [
            ("c", json!("AQ")),
            ("c", json!(null)),
            ("enc", json!("day")),
            ("enc", json!("str")),
            ("u", json!("day")),
            ("b", json!(null)),
            ("lo", json!("0")),
        ] {
            assert!(with(member, value), "{member}");
        }
        let mut claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
        claim[LINK] = claim["/birth_date"].clone();
        assert!(read(&claim).is_err());
        claim[LINK] = json!(null);
        assert!(read(&claim).is_err());
        // A link stands nowhere else.
        write_link(&mut claim, Commitment([9; 32]));
        claim["/birth_date"] = claim[LINK].clone();
        assert!(read(&claim).is_err());
    }

    #[test]
    fn another_form_is_seen() {
        let claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
        for (member, value) in [
            ("enc", json!("int")),
            ("u", json!("year")),
            ("b", json!(64)),
            ("lo", json!("0")),
            ("hi", json!("1")),
        ] {
            let mut other = claim.clone();
            other["/birth_date"][member] = value;
            assert!(!is_of(&read(&other).unwrap()[0], &form()), "{member}");
        }
    }

    #[test]
    fn the_claim_is_closed() {
        let with = |member: &str, value: Json| {
            let mut claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
            claim["/birth_date"][member] = value;
            read(&claim).is_err()
        };
        assert!(with("note", json!(1)));
        assert!(with("c", json!("AQ")));
        assert!(with("lo", json!("01")));
        assert!(with("lo", json!(1)));
        assert!(with("enc", json!("other")));
        assert!(read(&json!({})).is_err());
        assert!(read(&json!([])).is_err());
    }

    #[test]
    fn a_text_has_no_range_and_is_compared() {
        let claim = write([("/person", &person(), Commitment([7; 32]))]);
        assert_eq!(claim["/person"].as_object().unwrap().len(), 3);
        let read_back = read(&claim).unwrap();
        assert!(is_of(&read_back[0], &person()));
        let hidden = encode(&read_back[0], &json!("LD-0042"), &CodeLists::default()).unwrap();
        assert_eq!((hidden.integer(), hidden.text()), (None, Some("LD-0042")));
        for other in [json!(42), json!(true), json!(null), json!(""), json!("e\u{301}"), json!("LD\n")] {
            assert!(encode(&read_back[0], &other, &CodeLists::default()).is_none(), "{other}");
        }
        let r = vouchsafe_proofs::commitment::Seed::new([3; 32]).blinding("i", "v", "/person");
        let other = Value::Text("LD-0043".to_owned());
        assert!(hidden.commit("u", &r) == hidden.commit("u", &r));
        assert!(
            hidden.commit("u", &r) != hidden.commit("v", &r)
                && hidden.commit("u", &r) != other.commit("u", &r)
        );
    }

    #[test]
    fn a_range_on_a_text_is_refused_even_where_it_says_none() {
        let with = |member: &str, value: Json| {
            let mut claim = write([("/person", &person(), Commitment([7; 32]))]);
            claim["/person"][member] = value;
            read(&claim).is_err()
        };
        for (member, value) in [("b", json!(32)), ("lo", json!("0")), ("hi", json!("9")), ("b", json!(null))]
        {
            assert!(with(member, value), "{member}");
        }
        let without = |member: &str| {
            let mut claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
            claim["/birth_date"].as_object_mut().unwrap().remove(member);
            read(&claim).is_err()
        };
        assert!(["c", "enc", "u", "b", "lo", "hi"].into_iter().all(without));
    }

    #[test]
    fn hidden_values_are_kept_as_a_number_or_a_string() {
        for (value, text) in
            [(Value::Integer(u64::MAX), "18446744073709551615"), (Value::Text("a\"b".into()), r#""a\"b""#)]
        {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert!(serde_json::from_str::<Value>(text).unwrap() == value);
        }
        assert!(
            ["-1", "1.5", "null", "true", "[]"]
                .into_iter()
                .all(|text| serde_json::from_str::<Value>(text).is_err())
        );
    }
}
