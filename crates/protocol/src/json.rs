//! Strict JSON at every security boundary, and its canonical form.
//!
//! RFC 8259 leaves open what a repeated member means, so two readers of one signed text could see two
//! documents: here a repeated member is an error, at any depth. Size and depth are bounded before anything is
//! built. [`canonical`] is RFC 8785, the form that digests of policies and statements cover.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::Number;
use vouchsafe_mutants as mutants;

pub use serde_json::{Map, Value};

/// The deepest nesting that is read: a scalar has depth 1, `[[]]` has depth 2.
pub const MAX_DEPTH: usize = 32;

/// What the names begin with by which the JSON package marks values of its own. It takes a member of such a name for
/// the value itself, and would read the text in it anew and by its own rules, past ours.
const OF_THE_PACKAGE: &str = "$serde_json::";

/// Why a text was not read as the JSON that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the caller allows.
    #[error("the JSON text is longer than allowed")]
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the JSON text is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// An object names a member twice.
    #[error("an object names a member twice")]
    RepeatedMember,
    /// An object names a member as the JSON package names its own.
    #[error("an object has a member whose name is not accepted")]
    Name,
    /// Not JSON, or not UTF-8.
    #[error("not a JSON text")]
    Syntax,
    /// JSON, but not of the shape that this place requires.
    #[error("the JSON text has another shape than this place requires")]
    Shape,
}

/// Reads any JSON value of at most `max_bytes` bytes.
///
/// # Errors
/// See [`JsonError`]; never [`JsonError::Shape`].
pub fn parse(text: &[u8], max_bytes: usize) -> Result<Value, JsonError> {
    if !(mutants::skips("jose-json-size") || text.len() <= max_bytes) {
        return Err(JsonError::TooLong);
    }
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 1, fault: &mut fault }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|_| fault.unwrap_or(JsonError::Syntax))
}

/// Reads a JSON object of at most `max_bytes` bytes.
///
/// # Errors
/// See [`JsonError`].
pub fn object(text: &[u8], max_bytes: usize) -> Result<Map<String, Value>, JsonError> {
    match parse(text, max_bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::Shape),
    }
}

/// Reads a `T`, strictly: what [`parse`] refuses is refused whatever `T` would have made of it.
///
/// # Errors
/// See [`JsonError`].
pub fn typed<T: DeserializeOwned>(text: &[u8], max_bytes: usize) -> Result<T, JsonError> {
    of_value(parse(text, max_bytes)?)
}

/// Makes a `T` of a value that was read strictly.
///
/// # Errors
/// [`JsonError::Shape`].
pub fn of_value<T: DeserializeOwned>(value: Value) -> Result<T, JsonError> {
    serde_json::from_value(value).map_err(|_| JsonError::Shape)
}

/// The canonical form of RFC 8785.
///
/// # Errors
/// [`JsonError::Shape`] for what cannot be written as JSON.
pub fn canonical<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| JsonError::Shape)
}

/// Builds a value while it looks at names and depth, which serde's own reading does not do.
struct Strict<'f> {
    depth: usize,
    fault: &'f mut Option<JsonError>,
}

impl Strict<'_> {
    fn refuse<E: de::Error>(&mut self, fault: JsonError) -> E {
        *self.fault = Some(fault);
        E::custom("refused")
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if !(mutants::skips("jose-json-depth") || self.depth <= MAX_DEPTH) {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(())
    }

    fn inner(&mut self) -> Strict<'_> {
        Strict { depth: self.depth + 1, fault: self.fault }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("refused"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner())? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let ours = !name.starts_with(OF_THE_PACKAGE);
            if !(mutants::skips("jose-json-name") || ours) {
                return Err(self.refuse(JsonError::Name));
            }
            let value = members.next_value_seed(self.inner())?;
            let is_new = object.insert(name, value).is_none();
            if !(mutants::skips("jose-json-repeated") || is_new) {
                return Err(self.refuse(JsonError::RepeatedMember));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes(), 4096)
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        assert_eq!(read(r#"{"a":1,"a":1}"#), Err(JsonError::RepeatedMember));
        assert_eq!(read(r#"{"b":[{"a":1,"\u0061":2}]}"#), Err(JsonError::RepeatedMember));
        assert!(read(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    /// Read again by the package, the text in such a member has its own members, each as often as it likes.
    #[test]
    fn a_name_of_the_package_is_refused() {
        let hidden = r#"{"a":{"$serde_json::private::RawValue":"{\"b\":1,\"b\":2}"}}"#;
        assert_eq!(read(hidden), Err(JsonError::Name));
        assert_eq!(read(r#"{"$serde_json::private::Number":"1"}"#), Err(JsonError::Name));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn without_its_check_a_name_of_the_package_smuggles() {
        let hidden = br#"{"$serde_json::private::RawValue":"{\"b\":1,\"b\":2}"}"#;
        let smuggled = || typed::<Value>(hidden, 4096).is_ok_and(|value| value["b"] == 2);
        assert!(!smuggled());
        assert!(mutants::without("jose-json-name", smuggled));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
        assert_eq!(parse(b"[1]", 2), Err(JsonError::TooLong));
    }

    #[test]
    fn one_value_and_nothing_after_it() {
        for text in ["", "{} {}", "{},", "{'a':1}", "[1,]", "nul", "\"\\ud800\"", "01", "1e999", "NaN"] {
            assert_eq!(read(text), Err(JsonError::Syntax), "{text}");
        }
        assert_eq!(parse(b"\"\xff\"", 9), Err(JsonError::Syntax));
        assert_eq!(object(b"[]", 9), Err(JsonError::Shape));
    }

    #[test]
    fn canonical_form_sorts_members() {
        let value = read(r#"{ "b" : 1.0, "a" : "\u0041" }"#).unwrap();
        assert_eq!(canonical(&value).unwrap(), br#"{"a":"A","b":1}"#);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes, 1 << 16);
        }

        #[test]
        fn agrees_with_serde(text in "[\\[\\]{}:,\"a0-9. ]{0,24}") {
            if let Ok(value) = read(&text) {
                proptest::prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
