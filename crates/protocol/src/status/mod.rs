//! Token Status List: whether a credential that was issued still counts.
//!
//! draft-ietf-oauth-status-list-20: the bit array and its compression ([`List`]), the reference inside a credential
//! ([`Reference`]), and the signed token as JWT and as CWT ([`Publication`] makes it, [`Received`] checks it). Leaves
//! out the aggregation of lists and history (`?time=`): which lists there are, and how they stood, is nobody's business.
//!
//! Security: fetching is the caller's, and comes after everything else about the credential was checked. Index and
//! URI together are as good as a serial number: whoever has looked a status up forgets both. Neither has a `Debug`.

mod cwt;
mod jwt;
mod list;
mod token;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use vouchsafe_mutants as mutants;

pub use cwt::UnsignedCwt;
pub use list::{Bits, List, ListError, MAX_INFLATED, OutOfRange};
pub use token::{Entitled, Expected, Publication, Received, Token, TokenError};

/// The `typ` of a status list token as JWT.
pub const JWT_TYP: &str = "statuslist+jwt";
/// The media type of a status list token as JWT.
pub const JWT_MEDIA_TYPE: &str = "application/statuslist+jwt";
/// The type of a status list token as CWT.
pub const CWT_TYP: &str = "statuslist+cwt";
/// The media type of a status list token as CWT.
pub const CWT_MEDIA_TYPE: &str = "application/statuslist+cwt";

/// The claim of a credential that refers to its status.
pub const CLAIM: &str = "status";

/// The path, below an issuer's own identifier, under which its lists are.
pub const OWN_PATH: &str = "/status/";

/// The longest URI of a list.
const MAX_URI: usize = 512;

/// What a list says of one credential (section 7.1), the safe reading of every value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// 0: it counts.
    Valid,
    /// Nothing can be said: no list, or a value that the standard leaves to others. It does not count.
    Unknown,
    /// 2: it does not count now, and may again.
    Suspended,
    /// 1: it counts no more.
    Revoked,
}

impl Standing {
    /// Reads a value of a list.
    #[must_use]
    pub fn of(value: u8) -> Self {
        match value {
            0 => Self::Valid,
            1 => Self::Revoked,
            2 => Self::Suspended,
            _ => Self::Unknown,
        }
    }

    /// The value in a list; none for [`Standing::Unknown`], which is never published.
    #[must_use]
    pub fn value(self) -> Option<u8> {
        match self {
            Self::Valid => Some(0),
            Self::Revoked => Some(1),
            Self::Suspended => Some(2),
            Self::Unknown => None,
        }
    }

    /// The name in output for scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// The status of the credential is not a well-formed reference into a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential's status is not a well-formed reference into a list")]
pub struct BadReference;

/// Where the status of one credential stands: an index into the list at a URI.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    idx: u64,
    uri: String,
}

impl Reference {
    /// A reference that an issuer makes.
    ///
    /// # Errors
    /// [`BadReference`] for a URI that is not a plain https URL.
    pub fn new(idx: u64, uri: &str) -> Result<Self, BadReference> {
        check_uri(uri)?;
        Ok(Self { idx, uri: uri.to_owned() })
    }

    /// Reads the `status` claim of a verified credential (section 6.2).
    ///
    /// # Errors
    /// [`BadReference`].
    pub fn from_claim(status: &Value) -> Result<Self, BadReference> {
        let entry = status.get("status_list").ok_or(BadReference)?;
        let idx = entry.get("idx").and_then(Value::as_u64).ok_or(BadReference)?;
        let uri = entry.get("uri").and_then(Value::as_str).ok_or(BadReference)?;
        Self::new(idx, uri)
    }

    /// The `status` claim.
    #[must_use]
    pub fn to_claim(&self) -> Value {
        serde_json::json!({"status_list": {"idx": self.idx, "uri": self.uri}})
    }

    /// The index.
    #[must_use]
    pub fn idx(&self) -> u64 {
        self.idx
    }

    /// The list's URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether the list is one of `iss`'s own: directly under `iss` and [`OWN_PATH`].
    #[must_use]
    pub fn is_own(&self, iss: &str) -> bool {
        let simple = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let shard = self.uri.strip_prefix(iss).and_then(|rest| rest.strip_prefix(OWN_PATH));
        shard.is_some_and(|shard| !shard.is_empty() && shard.chars().all(simple))
    }
}

/// An https URL in its one canonical spelling. A query could be a variant for each holder, and tell who is where.
fn check_uri(uri: &str) -> Result<(), BadReference> {
    let url = Url::parse(uri).map_err(|_| BadReference)?;
    let plain = url.scheme() == "https"
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !(mutants::skips("status-uri-form") || (plain && url.as_str() == uri && uri.len() <= MAX_URI)) {
        return Err(BadReference);
    }
    Ok(())
}

/// The origin of a URL.
fn origin(uri: &str) -> Option<String> {
    Url::parse(uri).ok().map(|url| url.origin().ascii_serialization())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::json;

    const ISS: &str = "https://issuer.example";

    #[test]
    fn a_reference_is_read_strictly() {
        let claim = json!({"status_list": {"idx": 7, "uri": "https://issuer.example/status/a-1_B"}});
        let reference = Reference::from_claim(&claim).unwrap();
        assert_eq!((reference.idx(), reference.uri()), (7, "https://issuer.example/status/a-1_B"));
        assert_eq!(reference.to_claim(), claim);
        for bad in [
            json!(null),
            json!({}),
            json!({"status_list": []}),
            json!({"status_list": {"idx": 7}}),
            json!({"status_list": {"uri": "https://issuer.example/status/1"}}),
            json!({"status_list": {"idx": -1, "uri": "https://issuer.example/status/1"}}),
            json!({"status_list": {"idx": 1.0, "uri": "https://issuer.example/status/1"}}),
            json!({"status_list": {"idx": "1", "uri": "https://issuer.example/status/1"}}),
            json!({"status_list": {"idx": 1, "uri": 1}}),
        ] {
            assert!(Reference::from_claim(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_has_one_plain_url() {
        let long = format!("https://issuer.example/{}", "a".repeat(MAX_URI));
        for bad in [
            "http://issuer.example/status/1",
            "https://user@issuer.example/status/1",
            "https://issuer.example/status/1?holder=42",
            "https://issuer.example/status/1#42",
            "https://issuer.example/status/../1",
            "https://ISSUER.example/status/1",
            "https://issuer.example:443/status/1",
            "/status/1",
            long.as_str(),
        ] {
            assert!(Reference::new(1, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuers_own_lists_are_directly_under_it() {
        let own = |uri: &str| Reference::new(1, uri).unwrap().is_own(ISS);
        assert!(own("https://issuer.example/status/k3-_Z"));
        for other in [
            "https://issuer.example/status/",
            "https://issuer.example/status/a/b",
            "https://issuer.example/other/1",
            "https://issuer.example.evil.example/status/1",
            "https://issuer.example/status/%41",
        ] {
            assert!(!own(other), "{other}");
        }
    }

    #[test]
    fn only_zero_counts() {
        assert_eq!(Standing::of(0), Standing::Valid);
        assert_eq!(Standing::of(1), Standing::Revoked);
        assert_eq!(Standing::of(2), Standing::Suspended);
        assert!((3..=255).all(|value| Standing::of(value) == Standing::Unknown));
    }
}
