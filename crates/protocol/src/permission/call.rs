//! What the wallet says by the permission's key, with no other authentication: tell me its state, or I take it back.
//!
//! Whoever receives a call takes each `jti` once until [`Called::forget_at`], and answers an unknown key, and whatever else
//! it cannot serve, always alike: the key is all that is known of its holder.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::Jkt;
use super::signed::{self, Fault};
use crate::encoding::b64u_array;
use crate::jose::jws::Unsigned;
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::time::{SKEW, UnixTime};

/// The `typ` of a call.
pub const TYP: &str = "vouchsafe-permission-call+jwt";

/// The most characters of a call.
pub const MAX_CALL: usize = 2 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Do {
    /// The record as it stands, and what waits to be answered.
    State,
    /// To end the permission.
    Withdraw,
}

/// The claims of a call. Closed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The verifier's origin.
    pub aud: String,
    /// Now.
    pub iat: UnixTime,
    /// base64url of 16 random bytes.
    pub jti: String,
    /// What is asked for.
    #[serde(rename = "do")]
    pub what: Do,
}

/// Why a call is refused. The caller's fault; to the caller all look alike.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// Not a token of the type, or with other members.
    #[error("the call is malformed")]
    Form,
    /// Another key than P-256, or one with more than its required members.
    #[error("the call carries no bare P-256 key")]
    Key,
    /// The signature is not that of the key in it.
    #[error("the call is not signed by the key in it")]
    Signature,
    /// For another verifier.
    #[error("the call is for another verifier")]
    Audience,
    /// Too old, or from the future.
    #[error("the call was not made just now")]
    Time,
    /// Not base64url of 16 bytes.
    #[error("the call has no jti of 128 bits")]
    Jti,
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Form => Self::Form,
            Fault::Key => Self::Key,
            Fault::Signature => Self::Signature,
        }
    }
}

/// A call whose signature, audience and time were checked.
pub struct Called {
    key: PublicJwk,
    call: Call,
    forget_at: UnixTime,
}

impl Call {
    /// The bytes to sign with the permission's key.
    #[must_use]
    pub fn unsigned(&self, key: &PublicJwk) -> Unsigned {
        signed::unsigned(TYP, key, self)
    }

    /// Checks a call to the verifier at `aud`, made at most `max_age` seconds before `now`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn verify(
        text: &str,
        aud: &str,
        now: UnixTime,
        max_age: i64,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Called, CallError> {
        let (key, call): (_, Self) = signed::verify(text, TYP, MAX_CALL, verifier)?;
        if !(mutants::skips("perm-call-aud") || call.aud == aud) {
            return Err(CallError::Audience);
        }
        if !(mutants::skips("perm-call-future") || call.iat <= now.plus(SKEW)) {
            return Err(CallError::Time);
        }
        if !(mutants::skips("perm-call-old") || call.iat >= now.minus(max_age.saturating_add(SKEW))) {
            return Err(CallError::Time);
        }
        if !(mutants::skips("perm-call-jti") || b64u_array::<16>(&call.jti).is_ok()) {
            return Err(CallError::Jti);
        }
        let forget_at = call.iat.plus(max_age.saturating_add(SKEW + 1));
        Ok(Called { key, call, forget_at })
    }
}

impl Called {
    /// The permission's key.
    #[must_use]
    pub fn key(&self) -> &PublicJwk {
        &self.key
    }

    /// Its thumbprint.
    #[must_use]
    pub fn jkt(&self) -> Jkt {
        Jkt::of(&self.key)
    }

    /// What is asked for.
    #[must_use]
    pub fn what(&self) -> Do {
        self.call.what
    }

    /// Taken once until [`Self::forget_at`].
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.call.jti
    }

    /// From when on its age alone has it refused.
    #[must_use]
    pub fn forget_at(&self) -> UnixTime {
        self.forget_at
    }
}
