//! The token as JWT (section 5.1).

use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::token::{Claims, Expected, Publication, Token, TokenError};
use super::{JWT_TYP, List};
use crate::encoding::{b64u, b64u_decode};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::json;
use crate::time::UnixTime;

pub(super) struct Received {
    compact: Compact,
    most: usize,
}

impl Received {
    pub(super) fn parse(text: &[u8], most: usize) -> Result<Self, TokenError> {
        let text = std::str::from_utf8(text).map_err(|_| TokenError::Malformed)?;
        let compact = Compact::parse(text, most)?;
        // The type comes before anything dear: a credential is no list.
        compact.check_typ(JWT_TYP)?;
        Ok(Self { compact, most })
    }

    pub(super) fn x5c(&self) -> &[Vec<u8>] {
        self.compact.header().x5c().unwrap_or_default()
    }

    pub(super) fn verify(
        self,
        key: &PublicJwk,
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Token, TokenError> {
        let payload = self.compact.verify(JWT_TYP, key, verifier)?;
        let body: Body = json::typed(payload.bytes(), self.most).map_err(|_| TokenError::Malformed)?;
        let compressed = b64u_decode(&body.status_list.lst).map_err(|_| TokenError::Malformed)?;
        let claims = Claims {
            sub: &body.sub,
            issued_at: body.iat,
            expires_at: body.exp,
            ttl: body.ttl.map(seconds).transpose()?,
            bits: body.status_list.bits,
            compressed: &compressed,
        };
        claims.check(expected)
    }
}

/// The claims that count; `iss`, `aggregation_uri` and others say nothing here.
#[derive(Deserialize)]
struct Body {
    sub: String,
    iat: UnixTime,
    #[serde(default, deserialize_with = "present")]
    exp: Option<UnixTime>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<u64>,
    status_list: ListBody,
}

#[derive(Deserialize)]
struct ListBody {
    bits: u64,
    lst: String,
}

/// What is there has its type: `null` is not an absent claim.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

/// A positive number of seconds (section 5.1).
pub(super) fn seconds(ttl: u64) -> Result<i64, TokenError> {
    i64::try_from(ttl).ok().filter(|ttl| *ttl > 0).ok_or(TokenError::Malformed)
}

impl Publication<'_> {
    pub(super) fn jwt<D: AsRef<[u8]>>(&self, compressed: &[u8], alg: Alg, chain: &[D]) -> Unsigned {
        let claims = json!({
            "sub": self.uri, "iat": self.issued_at, "exp": self.expires_at, "ttl": self.ttl,
            "status_list": {"bits": self.list.bits().number(), "lst": b64u(compressed)},
        });
        let header = NewHeader::new(alg, JWT_TYP).x5c(chain).encode();
        Unsigned::new(&header, &claims).expect("text and numbers can be written")
    }
}

impl List {
    /// Reads a list as it stands in JSON, without a token around it: for what is already trusted, as tests and vectors.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] and [`TokenError::List`].
    pub fn from_json(text: &[u8], most: usize) -> Result<Self, TokenError> {
        let body: ListBody = json::typed(text, most).map_err(|_| TokenError::Malformed)?;
        let bits = super::Bits::from_number(body.bits).ok_or(TokenError::Malformed)?;
        let compressed = b64u_decode(&body.lst).map_err(|_| TokenError::Malformed)?;
        Ok(Self::inflate(bits, &compressed, most)?)
    }
}
