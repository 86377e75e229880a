//! Permissions: what a resident signs beside an answer, what is kept of it, and how it is taken back
//! (`specs/profiles/permission.md`).
//!
//! Three things are kept apart. To answer is to *authorise* this one disclosure, always. The *lawful basis* of what the
//! service does is the registrar's word about its purpose. *Consent* in the sense of the law is asked for only where that
//! is the basis; everywhere else what is given here is a permission, and its record says so.
//!
//! [`Terms`] is what is permitted, one `transaction_data` entry that both sides make of the policy. [`Grant`] is the
//! permission's own signature under it, by a key that the wallet makes for this one permission. [`record`] is what both
//! sides keep; [`call`] is how the holder of the key asks for it again, or takes the permission back.
//!
//! Security: the key is the only name of a permission. It is used nowhere else, so two permissions are not linked by it.

pub mod call;
mod grant;
pub mod record;
mod signed;
mod terms;

use std::fmt;

use crate::encoding::{b64u, b64u_array};
use crate::jose::PublicJwk;

pub(crate) use terms::is_ours;

pub use grant::{Grant, GrantError, TYP as GRANT_TYP};
pub use terms::{Payment, PaymentError, TYPES, Terms, TermsError, What};

/// The claim of the key binding that names the permission's key.
pub const KEY_CLAIM: &str = "urn:vouchsafe:permission-jkt:1";

/// The member of an answer, beside `vp_token`, that carries the grant.
pub const GRANT_MEMBER: &str = "urn:vouchsafe:grant:1";

/// The thumbprint of a permission's key (RFC 7638), by which everybody knows the permission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jkt([u8; 32]);

impl Jkt {
    /// That of a key.
    #[must_use]
    pub fn of(key: &PublicJwk) -> Self {
        Self(key.thumbprint())
    }

    /// Reads base64url of 32 bytes.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        b64u_array(text).ok().map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// base64url of it.
    #[must_use]
    pub fn text(&self) -> String {
        b64u(self.0)
    }

    /// The URN of RFC 9278, by which a record names the holder.
    #[must_use]
    pub fn urn(&self) -> String {
        format!("{URN}{}", self.text())
    }

    /// Reads such a URN.
    #[must_use]
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::from_text(urn.strip_prefix(URN)?)
    }
}

/// RFC 9278, section 3.
const URN: &str = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:";

/// A thumbprint is somebody's pseudonym: it stays out of logs.
impl fmt::Debug for Jkt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jkt(…)")
    }
}
