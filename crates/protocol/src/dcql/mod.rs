//! DCQL: which credentials and claims a request asks for, whether some credential serves, and whether an answer is whole.
//!
//! OpenID4VP 1.0 sections 6 and 7, as far as SD-JWT VC needs it, and `statements` (`specs/profiles/request.md`).
//! Unknown members are ignored everywhere but in statements. A query of another format than `dc+sd-jwt` parses and
//! never matches. Leaves out types that inherit from an accepted one (no type metadata is read here) and
//! `trusted_authorities` other than `aki`, which match nothing.
//!
//! Two sides with one meaning: a wallet chooses with [`choose`], a verifier checks with [`Query::check_answer`]. Both
//! find claims in the same way ([`Seen`]): an index counts the elements of an array as they were signed, because
//! those that are not disclosed vanish from what the verifier sees.
//!
//! Security: a wallet's selection is a promise that the verifier does not rely on; it checks type, values and
//! completeness again, and decides by itself which issuers it trusts.

mod authority;
mod check;
mod choose;
mod claims;
mod path;
mod query;

pub use check::Incomplete;
pub use choose::{Candidate, CannotAnswer, OptionalSet, Presentation, Selection, Wishes, choose};
pub use claims::{Mismatch, Seen};
pub use path::PathStep;
pub use query::{ClaimQuery, CredentialQuery, CredentialSet, DcqlError, Query, TrustedAuthority};

/// The one credential format that this project presents.
pub const FORMAT: &str = "dc+sd-jwt";

/// The most credential queries, claims of one query, sets, options, steps of a path, and values.
const MAX_PARTS: usize = 32;
