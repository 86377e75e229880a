//! The grant: what the permission's own key signs of it, to be kept by both sides.
//!
//! The key binding shows that the holder of the credential named this key for this answer. It has a nonce and the holder's
//! key in it and is not kept. The grant says the same of the permission alone, with nothing that links it to a credential.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::Jkt;
use super::signed::{self, Fault};
use crate::encoding::b64u;
use crate::jose::jws::Unsigned;
use crate::jose::{PublicJwk, SignatureVerifier};
use crate::openid4vp::Asked;
use crate::time::UnixTime;

/// The `typ` of a grant.
pub const TYP: &str = "vouchsafe-grant+jwt";

/// The most characters of a grant.
const MAX_GRANT: usize = 4 * 1024;

/// A grant that its key signed, about the permission of one request.
#[derive(Clone)]
pub struct Grant {
    key: PublicJwk,
    text: String,
}

/// Why a grant is refused. The fault of whoever sent it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum GrantError {
    /// Not a token of the type, or with other members.
    #[error("the grant is malformed")]
    Form,
    /// Another key than P-256, or one with more than its required members.
    #[error("the grant carries no bare P-256 key")]
    Key,
    /// The signature is not that of the key in it.
    #[error("the grant is not signed by the key in it")]
    Signature,
    /// For another service.
    #[error("the grant is for another service")]
    Service,
    /// Of another day.
    #[error("the grant is of another day than the request")]
    Day,
    /// About another entry.
    #[error("the grant is about other transaction data")]
    Transaction,
    /// Under another policy.
    #[error("the grant is under another policy")]
    Policy,
    /// For another purpose, or another version of it.
    #[error("the grant is for another purpose, or another version of it")]
    Purpose,
}

impl From<Fault> for GrantError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Form => Self::Form,
            Fault::Key => Self::Key,
            Fault::Signature => Self::Signature,
        }
    }
}

/// The claims. Closed: no nonce, no holder's key, no time but the day.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    aud: String,
    iat: UnixTime,
    transaction: String,
    policy: String,
    purpose: String,
    purpose_version: u32,
}

impl Claims {
    /// What the grant of a request says; `None` where the request asks for no permission.
    fn of(asked: &Asked, purpose_version: u32) -> Option<Self> {
        Some(Self {
            aud: asked.party().service.clone(),
            iat: UnixTime::of_day(asked.as_of())?,
            transaction: b64u(asked.terms()?.digest()),
            policy: asked.policy().digest_text(),
            purpose: asked.policy().purpose.clone(),
            purpose_version,
        })
    }

    fn check(&self, wanted: &Self) -> Result<(), GrantError> {
        if !(mutants::skips("perm-grant-aud") || self.aud == wanted.aud) {
            return Err(GrantError::Service);
        }
        if !(mutants::skips("perm-grant-day") || self.iat == wanted.iat) {
            return Err(GrantError::Day);
        }
        if !(mutants::skips("perm-grant-transaction") || self.transaction == wanted.transaction) {
            return Err(GrantError::Transaction);
        }
        if !(mutants::skips("perm-grant-policy") || self.policy == wanted.policy) {
            return Err(GrantError::Policy);
        }
        let same = self.purpose == wanted.purpose && self.purpose_version == wanted.purpose_version;
        if !(mutants::skips("perm-grant-purpose") || same) {
            return Err(GrantError::Purpose);
        }
        Ok(())
    }
}

impl Grant {
    /// The wallet's side: the bytes to sign with the permission's fresh P-256 key, for what `asked` asks to be permitted
    /// under this version of its purpose. `None` where it asks for no permission.
    #[must_use]
    pub fn unsigned(asked: &Asked, purpose_version: u32, key: &PublicJwk) -> Option<Unsigned> {
        Some(signed::unsigned(TYP, key, &Claims::of(asked, purpose_version)?))
    }

    /// The verifier's side: a grant signed by the key in it, about exactly what `asked` asks to be permitted.
    ///
    /// # Errors
    /// [`GrantError`]; where no permission is asked for, [`GrantError::Transaction`].
    pub fn verify(
        text: &str,
        asked: &Asked,
        purpose_version: u32,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Self, GrantError> {
        let wanted = Claims::of(asked, purpose_version).ok_or(GrantError::Transaction)?;
        let (key, claims): (_, Claims) = signed::verify(text, TYP, MAX_GRANT, verifier)?;
        claims.check(&wanted)?;
        Ok(Self { key, text: text.to_owned() })
    }

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

    /// The grant as it was sent, to be kept.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}
