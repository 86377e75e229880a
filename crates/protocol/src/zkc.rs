//! `zkc`: the signed commitments of a proof copy, on the wire (`specs/profiles/issuing.md`).
//!
//! An always visible, closed object: pointer to {c, enc, u, b, lo, hi}. Leaves out `str`, which nothing can be
//! proved of yet.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_proofs::context::{Attribute, SignedRange};
use vouchsafe_proofs::encoding::{Encoding, Plain};

use crate::encoding::{b64u, b64u_array};
use crate::json;
use crate::statement::decimal;
use crate::types::{CodeLists, Form};

/// The claim's name.
pub const CLAIM: &str = "zkc";

/// The claim that dates the facts.
pub const FACTS_AS_OF: &str = "facts_as_of";

/// The most attributes of one copy.
const MAX_ATTRIBUTES: usize = 64;

/// The commitments of a credential are not of their form.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the credential's commitments are malformed")]
pub struct ZkcError;

/// One member. Closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    c: String,
    enc: Encoding,
    u: String,
    b: u8,
    lo: String,
    hi: String,
}

/// Reads the claim, by pointer.
///
/// # Errors
/// [`ZkcError`].
pub fn read(claim: &Value) -> Result<Vec<Attribute>, ZkcError> {
    let members = claim.as_object().filter(|members| (1..=MAX_ATTRIBUTES).contains(&members.len()));
    members.ok_or(ZkcError)?.iter().map(|(pointer, value)| attribute(pointer, value)).collect()
}

fn attribute(pointer: &str, value: &Value) -> Result<Attribute, ZkcError> {
    let member: Member = json::of_value(value.clone()).map_err(|_| ZkcError)?;
    let range = SignedRange {
        b: member.b,
        lo: decimal(&member.lo).ok_or(ZkcError)?,
        hi: decimal(&member.hi).ok_or(ZkcError)?,
    };
    Ok(Attribute {
        pointer: pointer.to_owned(),
        enc: member.enc,
        unit: member.u,
        range: Some(range),
        c: Commitment(b64u_array(&member.c).map_err(|_| ZkcError)?),
    })
}

/// Writes the claim.
#[must_use]
pub fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a Form, Commitment)>) -> Value {
    let member = |(pointer, form, c): (&str, &Form, Commitment)| {
        let member = Member {
            c: b64u(c.0),
            enc: form.enc,
            u: form.unit.clone(),
            b: form.b,
            lo: form.lo.to_string(),
            hi: form.hi.to_string(),
        };
        (pointer.to_owned(), serde_json::to_value(member).expect("a member is strings and an integer"))
    };
    Value::Object(members.into_iter().map(member).collect::<Map<_, _>>())
}

/// Whether a signed attribute has the form that trusted metadata declares.
#[must_use]
pub fn is_of(attribute: &Attribute, form: &Form) -> bool {
    let range = SignedRange { b: form.b, lo: form.lo, hi: form.hi };
    attribute.enc == form.enc && attribute.unit == form.unit && attribute.range == Some(range)
}

/// The integer of a value for a signed attribute, whatever its range; `None` where it has none.
#[must_use]
pub fn encode(attribute: &Attribute, value: &Value, lists: &CodeLists) -> Option<u64> {
    let b = attribute.range?.b;
    let plain = match value {
        Value::String(code) if attribute.enc == Encoding::Code => {
            Plain::Integer(lists.index(&attribute.unit, code)?.into())
        }
        Value::String(text) => Plain::Text(text),
        Value::Number(n) => Plain::Integer(n.as_i64()?),
        Value::Bool(flag) => Plain::Flag(*flag),
        _ => return None,
    };
    attribute.enc.encode(plain, b).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn form() -> Form {
        Form { enc: Encoding::Day, unit: "day".into(), b: 32, lo: 102_268, hi: 164_723 }
    }

    #[test]
    fn a_claim_is_read_as_it_was_written() {
        let claim = write([("/birth_date", &form(), Commitment([7; 32]))]);
        let read = read(&claim).unwrap();
        assert!(is_of(&read[0], &form()));
        assert_eq!((read[0].pointer.as_str(), read[0].c), ("/birth_date", Commitment([7; 32])));
        assert_eq!(encode(&read[0], &json!("1970-01-01"), &CodeLists::default()), Some(135_140));
        for other in [json!(135_140), json!("1970-1-1"), json!(true), json!(null), json!(["1970-01-01"])] {
            assert_eq!(encode(&read[0], &other, &CodeLists::default()), None, "{other}");
        }
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
        let with = |member: &str, value: Value| {
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
}
