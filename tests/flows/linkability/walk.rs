//! Every field of an SD-JWT, with the place where it stands: headers, payloads, signatures, Disclosures, key binding.
//!
//! Fields come in the order of the text, so that the order and the number of members and elements are seen too. A text that
//! is itself encoded JSON, or a token, is taken apart as well, however deep.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use vouchsafe_protocol::encoding::b64u_decode;

/// What stands in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// A JSON string, as it is; a signature likewise.
    Text(String),
    /// A number, a boolean or null, as its text.
    Plain(String),
}

impl Leaf {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Plain(text) => text,
        }
    }

    /// What a text encodes, or the text itself.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        b64u_decode(self.text()).unwrap_or_else(|_| self.text().as_bytes().to_vec())
    }

    /// A number that is no part of a text.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Plain(text) => text.parse().ok(),
            Self::Text(_) => None,
        }
    }
}

/// A field and its place: the names on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) place: String,
    pub(crate) leaf: Leaf,
}

/// A credential, or its presentation.
#[derive(Clone, Default)]
pub(crate) struct Walked {
    /// What the issuer signed, header, payload and signature; of a presentation, the key binding after it.
    pub(crate) signed: Vec<Field>,
    /// Each Disclosure.
    pub(crate) disclosures: Vec<Vec<Field>>,
    /// Letters of what the issuer signed.
    pub(crate) length: usize,
}

/// Takes apart an SD-JWT, with or without a key binding.
pub(crate) fn sd_jwt(text: &str) -> Walked {
    let (signed, rest) = text.split_once('~').unwrap();
    let (disclosures, binding) = rest.rsplit_once('~').unwrap_or(("", rest));
    let mut walked = Walked { length: signed.len(), ..Walked::default() };
    jwt("", signed, &mut walked.signed);
    if !binding.is_empty() {
        jwt("binding ", binding, &mut walked.signed);
    }
    for one in disclosures.split('~').filter(|one| !one.is_empty()) {
        let mut fields = Vec::new();
        assert!(json("disclosure", &b64u_decode(one).unwrap(), &mut fields), "a Disclosure is JSON");
        walked.disclosures.push(fields);
    }
    walked
}

fn jwt(of: &str, text: &str, fields: &mut Vec<Field>) {
    let parts: Vec<&str> = text.split('.').collect();
    assert_eq!(parts.len(), 3, "a token has three parts");
    for (name, part) in ["header", "payload"].into_iter().zip(&parts) {
        assert!(json(&format!("{of}{name}"), &b64u_decode(part).unwrap(), fields), "{of}{name} is JSON");
    }
    let leaf = Leaf::Text(parts[2].to_owned());
    fields.push(Field { place: format!("{of}signature"), leaf });
}

/// The fields of JSON below `place`; false, and nothing, where it is none.
pub(crate) fn json(place: &str, bytes: &[u8], fields: &mut Vec<Field>) -> bool {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let walk = Walk { place: place.to_owned(), fields: &mut found };
    let read = walk.deserialize(&mut reader).is_ok() && reader.end().is_ok();
    if read {
        fields.append(&mut found);
    }
    read
}

/// Takes apart what a text encodes: JSON as it is, or in base64url, or the parts of a token.
fn within(place: &str, text: &str, fields: &mut Vec<Field>) {
    let opens = |bytes: &[u8]| matches!(bytes.first(), Some(b'{' | b'['));
    if opens(text.as_bytes()) {
        json(&format!("{place} > text"), text.as_bytes(), fields);
        return;
    }
    for (at, part) in text.split(['.', '~']).enumerate() {
        // {" and [" in base64url.
        if part.starts_with(['e', 'W'])
            && let Some(bytes) = b64u_decode(part).ok().filter(|bytes| opens(bytes))
        {
            json(&format!("{place} > part {at}"), &bytes, fields);
        }
    }
}

struct Walk<'f> {
    place: String,
    fields: &'f mut Vec<Field>,
}

impl Walk<'_> {
    fn below(&mut self, name: &str) -> Walk<'_> {
        Walk { place: format!("{} > {name}", self.place), fields: self.fields }
    }

    fn plain(self, text: impl ToString) {
        self.fields.push(Field { place: self.place, leaf: Leaf::Plain(text.to_string()) });
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.plain("null");
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        within(&self.place, value, self.fields);
        self.fields.push(Field { place: self.place, leaf: Leaf::Text(value.to_owned()) });
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        for at in 0_usize.. {
            if elements.next_element_seed(self.below(&at.to_string()))?.is_none() {
                break;
            }
        }
        self.end("elements");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(self.below(&name))?;
        }
        self.end("members");
        Ok(())
    }
}

impl Walk<'_> {
    /// So that an empty object or array has a place too.
    fn end(self, of: &str) {
        let place = format!("{} > end of {of}", self.place);
        self.fields.push(Field { place, leaf: Leaf::Plain(String::new()) });
    }
}
