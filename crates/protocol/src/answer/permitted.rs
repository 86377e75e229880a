//! The permission that is given with an answer: its key in the key binding, its grant beside the presentations.
//!
//! The key stands on exactly the presentation that covers the entry, so that the holder of that credential vouches for it;
//! proof and grant are bound to it as well. Whoever lacks any of the three has given nothing.

use jiff::civil::Date;
use serde_json::Value;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::jose::PublicJwk;
use crate::openid4vp::Asked;
use crate::openid4vp::transaction_data::HASHES;
use crate::permission::{Grant, GrantError, Jkt, KEY_CLAIM, Terms};
use crate::sd_jwt::vc::Verified;
use crate::trust::PermissionKind;

/// Why an answer gives no permission, or one that nobody asked for. The fault of whoever sent it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PermissionError {
    /// The verifier's own record lacks the entry that the policy asks for.
    #[error("the policy asks for a permission, and the request does not say which")]
    Request,
    /// A key or a grant where no permission was asked for.
    #[error("the answer gives a permission that was not asked for")]
    Unasked,
    /// No key beside the hash of the entry, or one elsewhere.
    #[error("the permission's key does not stand beside the hash of its entry")]
    Place,
    /// Not base64url of 32 bytes.
    #[error("the permission's key is not named by its thumbprint")]
    Form,
    /// No grant.
    #[error("the answer has no grant for the permission that was asked for")]
    NoGrant,
    /// A grant that is not one.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The grant is signed by another key than the one that the key binding names.
    #[error("the grant is signed by another key than the answer names")]
    OtherKey,
}

/// A permission that an answer gives. It comes from an answer alone that verified fully and was judged to be met.
#[derive(Clone)]
pub struct Granted {
    grant: Grant,
    jkt: Jkt,
    transaction: [u8; 32],
    kind: PermissionKind,
    until: Date,
    uses: Option<u32>,
}

impl Granted {
    /// The permission's key, by its thumbprint.
    #[must_use]
    pub fn jkt(&self) -> &Jkt {
        &self.jkt
    }

    /// The permission's key.
    #[must_use]
    pub fn key(&self) -> &PublicJwk {
        self.grant.key()
    }

    /// The grant as it was sent, to be kept.
    #[must_use]
    pub fn grant(&self) -> &str {
        self.grant.text()
    }

    /// SHA-256 of the entry.
    #[must_use]
    pub fn transaction(&self) -> &[u8; 32] {
        &self.transaction
    }

    /// What kind of permission.
    #[must_use]
    pub fn kind(&self) -> PermissionKind {
        self.kind
    }

    /// The last day on which it may be used.
    #[must_use]
    pub fn until(&self) -> Date {
        self.until
    }

    /// How often it may be used; any number where absent.
    #[must_use]
    pub fn uses(&self) -> Option<u32> {
        self.uses
    }
}

/// Whether what the presentations say of a permission's key is what was asked for, and the grant is signed by it.
pub(super) fn check(
    asked: &Asked,
    credentials: &[(String, Verified)],
    grant: Option<Grant>,
) -> Result<Option<Granted>, PermissionError> {
    let Some(terms) = asked.terms() else {
        // A verifier that forgot the entry would take an answer for a permission that nobody gave.
        let without = asked.policy().permission.is_none();
        if !(mutants::skips("perm-answer-forgotten") || without) {
            return Err(PermissionError::Request);
        }
        let none = credentials.iter().all(|(_, credential)| credential.binding_claim(KEY_CLAIM).is_none());
        if !(mutants::skips("perm-answer-unasked") || none) {
            return Err(PermissionError::Unasked);
        }
        return Ok(None);
    };
    let jkt = key(credentials)?;
    let grant = grant.ok_or(PermissionError::NoGrant)?;
    if !(mutants::skips("perm-grant-key") || grant.jkt() == jkt) {
        return Err(PermissionError::OtherKey);
    }
    Ok(Some(granted(terms, jkt, grant)))
}

fn granted(terms: &Terms, jkt: Jkt, grant: Grant) -> Granted {
    let (kind, until, uses) = (terms.kind(), terms.until(), terms.uses());
    Granted { grant, jkt, transaction: terms.digest(), kind, until, uses }
}

/// The key, named on exactly the presentations that cover an entry: there is one entry, so that is one presentation.
fn key(credentials: &[(String, Verified)]) -> Result<Jkt, PermissionError> {
    let says = |name: &str, credential: &Verified| credential.binding_claim(name).is_some();
    let place =
        |(_, credential): &(String, Verified)| says(KEY_CLAIM, credential) == says(HASHES, credential);
    if !(mutants::skips("perm-key-place") || credentials.iter().all(place)) {
        return Err(PermissionError::Place);
    }
    let named = credentials.iter().find_map(|(_, credential)| credential.binding_claim(KEY_CLAIM));
    let text = named.ok_or(PermissionError::Place)?;
    text.as_str().and_then(Jkt::from_text).ok_or(PermissionError::Form)
}

/// The claim that names the key, for the presentation that covers the entry.
pub(super) fn claim(key: &Jkt) -> (String, Value) {
    (KEY_CLAIM.to_owned(), key.text().into())
}
