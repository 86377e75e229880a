//! What a verifier says of itself in its log: that a policy, a register or a key is in force from now on.
//!
//! The statement names its subject by a digest and holds no more, so whoever has the document can tell that it was the one.
//! Security: it holds a random id, since digests of published documents can be guessed by anybody.

use serde::{Deserialize, Serialize};

use crate::jose::jws::{Compact, JwsError, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::time::UnixTime;

/// The `typ` of a notice.
pub const TYP: &str = "vouchsafe-notice+jwt";

/// The most characters of a notice.
pub const MAX_LENGTH: usize = 4 * 1024;

/// Of what kind the thing in force is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A policy by its id; the digest is the policy's own.
    Policy,
    /// The register of a registrar by its `iss`; SHA-256 of the signed payload.
    Register,
    /// One of the verifier's keys by its use; its thumbprint (RFC 7638).
    Key,
}

impl What {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Register => "register",
            Self::Key => "key",
        }
    }
}

/// The claims of a notice. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The verifier's origin.
    pub iss: String,
    /// base64url of 16 random bytes.
    pub jti: String,
    /// When it was signed, and from when on it is so.
    pub iat: UnixTime,
    /// Of what kind.
    pub what: What,
    /// Under what name.
    pub id: String,
    /// base64url of the 32 bytes.
    pub digest: String,
}

impl Claims {
    /// The bytes to sign, with `kid` of the verifier's decision key.
    #[must_use]
    pub fn unsigned(&self, alg: Alg, kid: &str) -> Unsigned {
        let header = NewHeader::new(alg, TYP).kid(kid).encode();
        Unsigned::new(&header, self).expect("the claims are strings, integers and words")
    }

    /// Checks a notice with the verifier's decision key: its type, its signature, and that its claims are these and no others.
    ///
    /// # Errors
    /// [`JwsError`].
    pub fn verify(jws: &str, key: &PublicJwk, verifier: &dyn SignatureVerifier) -> Result<Self, JwsError> {
        let payload = Compact::parse(jws, MAX_LENGTH)?.verify(TYP, key, verifier)?;
        payload.typed().map_err(|_| JwsError::Payload)
    }
}
