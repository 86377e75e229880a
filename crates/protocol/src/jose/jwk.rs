//! Public keys as JWK: P-256 and Ed25519, nothing private, nothing else.
//!
//! RFC 7517, RFC 8037 and RFC 7638. A key from outside that carries a private member is refused whole, and a
//! P-256 point must lie on its curve. Leaves out RSA and symmetric keys, certificates inside a JWK and
//! `key_ops`, which no rule of ours depends on.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use vouchsafe_mutants as mutants;

use super::Alg;
use crate::encoding::{b64u, b64u_array, sha256};

/// Why a JWK was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not an object, or a member is missing, of another type, or not canonical base64url of the right length.
    #[error("the key is not a well-formed JWK")]
    Malformed,
    /// A key type or curve that is not in use here.
    #[error("the key is of a type that is not accepted; use P-256 or Ed25519")]
    Unsupported,
    /// The sender let a private key out.
    #[error("the key carries a private member; send the public half and discard the key")]
    Private,
    /// The coordinates are no point of P-256.
    #[error("the key is not a point of its curve")]
    NotOnCurve,
}

/// A public key for signatures or key agreement.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicJwk(Key);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    P256 { x: [u8; 32], y: [u8; 32] },
    Ed25519 { x: [u8; 32] },
}

/// Members that only private or symmetric keys have (RFC 7518 section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl PublicJwk {
    /// Reads a JWK; members that say nothing about the key itself are ignored.
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn from_value(jwk: &Value) -> Result<Self, JwkError> {
        let jwk = jwk.as_object().ok_or(JwkError::Malformed)?;
        if !(mutants::skips("jose-jwk-private") || PRIVATE.iter().all(|name| !jwk.contains_key(*name))) {
            return Err(JwkError::Private);
        }
        match (text(jwk, "kty")?, text(jwk, "crv")?) {
            ("EC", "P-256") => Self::p256(coordinate(jwk, "x")?, coordinate(jwk, "y")?),
            ("OKP", "Ed25519") => Ok(Self::ed25519(coordinate(jwk, "x")?)),
            _ => Err(JwkError::Unsupported),
        }
    }

    /// A P-256 key of its coordinates, big-endian.
    ///
    /// # Errors
    /// [`JwkError::NotOnCurve`].
    pub fn p256(x: [u8; 32], y: [u8; 32]) -> Result<Self, JwkError> {
        let key = Self(Key::P256 { x, y });
        let on_curve = key.to_sec1().is_some_and(|point| p256::PublicKey::from_sec1_bytes(&point).is_ok());
        if !(mutants::skips("jose-jwk-curve") || on_curve) {
            return Err(JwkError::NotOnCurve);
        }
        Ok(key)
    }

    /// An Ed25519 key of its 32 bytes; whether they are a point is checked with each signature.
    #[must_use]
    pub fn ed25519(x: [u8; 32]) -> Self {
        Self(Key::Ed25519 { x })
    }

    /// A P-256 key of the uncompressed form of SEC 1: 0x04, x, y.
    ///
    /// # Errors
    /// Another form or length, or not on the curve.
    pub fn from_sec1(point: &[u8]) -> Result<Self, JwkError> {
        let Some((&4, coordinates)) = point.split_first() else { return Err(JwkError::Malformed) };
        let (x, y) = coordinates.split_at_checked(32).ok_or(JwkError::Malformed)?;
        let array = |part: &[u8]| part.try_into().map_err(|_| JwkError::Malformed);
        Self::p256(array(x)?, array(y)?)
    }

    /// The uncompressed form of SEC 1, for P-256 keys.
    #[must_use]
    pub fn to_sec1(&self) -> Option<[u8; 65]> {
        let Key::P256 { x, y } = &self.0 else { return None };
        let mut point = [4; 65];
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        Some(point)
    }

    /// The 32 bytes of an Ed25519 key.
    #[must_use]
    pub fn to_ed25519(&self) -> Option<[u8; 32]> {
        match self.0 {
            Key::Ed25519 { x } => Some(x),
            Key::P256 { .. } => None,
        }
    }

    /// The one algorithm that this key signs with.
    #[must_use]
    pub fn alg(&self) -> Alg {
        match self.0 {
            Key::P256 { .. } => Alg::Es256,
            Key::Ed25519 { .. } => Alg::EdDsa,
        }
    }

    /// The JWK with its required members only, in the order of RFC 7638.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.0 {
            Key::P256 { x, y } => json!({"crv": "P-256", "kty": "EC", "x": b64u(x), "y": b64u(y)}),
            Key::Ed25519 { x } => json!({"crv": "Ed25519", "kty": "OKP", "x": b64u(x)}),
        }
    }

    /// The SHA-256 thumbprint of RFC 7638.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        sha256(match &self.0 {
            Key::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64u(x), b64u(y))
            }
            Key::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64u(x)),
        })
    }
}

/// Keys are pseudonyms: they stay out of logs.
impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicJwk({})", self.alg().as_str())
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A public key with the members that say how it is to be used, as key sets carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedJwk {
    /// The key.
    pub key: PublicJwk,
    /// `kid`: how messages name the key.
    pub kid: Option<String>,
    /// `use`: `sig` or `enc`.
    pub usage: Option<String>,
    /// `alg`: the one algorithm the key is for, such as `ECDH-ES`.
    pub alg: Option<String>,
}

impl NamedJwk {
    /// Reads a JWK with `kid`, `use` and `alg`; a member of another type than string is an error, not absent.
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn from_value(jwk: &Value) -> Result<Self, JwkError> {
        let key = PublicJwk::from_value(jwk)?;
        let optional = |name: &str| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.clone())),
            Some(_) => Err(JwkError::Malformed),
        };
        Ok(Self { key, kid: optional("kid")?, usage: optional("use")?, alg: optional("alg")? })
    }

    /// The JWK.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut jwk = self.key.to_value();
        for (name, value) in [("kid", &self.kid), ("use", &self.usage), ("alg", &self.alg)] {
            if let Some(value) = value {
                jwk[name] = Value::String(value.clone());
            }
        }
        jwk
    }
}

impl Serialize for NamedJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamedJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<&'j str, JwkError> {
    jwk.get(name).and_then(Value::as_str).ok_or(JwkError::Malformed)
}

fn coordinate(jwk: &Map<String, Value>, name: &str) -> Result<[u8; 32], JwkError> {
    b64u_array(text(jwk, name)?).map_err(|_| JwkError::Malformed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn holder() -> Value {
        json!({"kty": "EC", "crv": "P-256",
            "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
            "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"})
    }

    #[test]
    fn thumbprint_of_rfc_8037() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = PublicJwk::from_value(&jwk).unwrap();
        assert_eq!(b64u(key.thumbprint()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.to_value(), jwk);
    }

    #[test]
    fn thumbprint_is_over_the_written_members() {
        let key = PublicJwk::from_value(&holder()).unwrap();
        assert_eq!(key.thumbprint(), sha256(crate::json::canonical(&key.to_value()).unwrap()));
        assert_eq!(PublicJwk::from_sec1(&key.to_sec1().unwrap()).unwrap(), key);
    }

    #[test]
    fn private_foreign_and_broken_keys_are_refused() {
        let with = |name: &str, value: Value| {
            let mut jwk = holder();
            jwk[name] = value;
            PublicJwk::from_value(&jwk).unwrap_err()
        };
        for name in PRIVATE {
            assert_eq!(with(name, json!("AA")), JwkError::Private);
        }
        assert_eq!(with("kty", json!("RSA")), JwkError::Unsupported);
        assert_eq!(with("kty", json!("oct")), JwkError::Unsupported);
        assert_eq!(with("crv", json!("P-384")), JwkError::Unsupported);
        assert_eq!(with("x", json!(1)), JwkError::Malformed);
        assert_eq!(with("x", json!("AA")), JwkError::Malformed);
        assert_eq!(with("y", holder()["x"].clone()), JwkError::NotOnCurve);
        assert_eq!(PublicJwk::from_value(&json!("key")), Err(JwkError::Malformed));
    }

    #[test]
    fn a_kid_of_another_type_is_no_absent_kid() {
        let mut jwk = holder();
        jwk["kid"] = json!(7);
        assert_eq!(NamedJwk::from_value(&jwk), Err(JwkError::Malformed));
        jwk["kid"] = json!("a");
        assert_eq!(NamedJwk::from_value(&jwk).unwrap().to_value(), jwk);
    }
}
