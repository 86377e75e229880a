//! 32-byte hashes and points as lower-case hexadecimal text, for an answer kept or compared as JSON.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

/// `#[serde(with = "crate::hex::bytes32")]`.
pub(crate) mod bytes32 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        from_hex(&text).ok_or_else(|| D::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

/// `#[serde(with = "crate::hex::option")]`: absent is `null`.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => bytes32::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| from_hex(&text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits")))
            .transpose()
    }
}

/// `#[serde(with = "crate::hex::list")]`.
pub(crate) mod list {
    use super::*;
    use serde::Serialize;

    pub(crate) fn serialize<S: Serializer>(hashes: &[[u8; 32]], to: S) -> Result<S::Ok, S::Error> {
        hashes.iter().map(|hash| to_hex(hash)).collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<[u8; 32]>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|text| from_hex(text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits")))
            .collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn one_spelling() {
        let bytes = [0xa5; 32];
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        for text in ["", "a5", &"A5".repeat(32), &"+5".repeat(32), &"é".repeat(32)] {
            assert_eq!(from_hex(text), None);
        }
    }
}
