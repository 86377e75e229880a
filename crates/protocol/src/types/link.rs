//! Types whose copies are linked to a wallet's secret (`specs/proofs/README.md` 6.4).
//!
//! The issuer holds each person to one secret, and says in every proof copy, hidden, since when this one has counted: a
//! policy may demand that it is older than what it decides about.

use vouchsafe_mutants as mutants;

use super::{Answer, Attribute, CredentialType, Kind, TypeError};

/// The attribute of such a type that its issuer fills in: the day on which the person's link secret was registered, at
/// first or in place of one that was lost.
pub const LINK_SINCE: &str = "/link_since";

impl CredentialType {
    /// [`LINK_SINCE`] stands where `link` does and nowhere else, and nothing but that lacks a column.
    pub(super) fn check_link(&self) -> Result<(), TypeError> {
        let since = self.attribute(LINK_SINCE);
        if !(mutants::skips("type-link-since") || since.is_some() == self.link) {
            return Err(TypeError::Type("link = true and the attribute /link_since need each other"));
        }
        let form = |since: &Attribute| since.kind == Kind::Date && since.answer == [Answer::Prove];
        if !(mutants::skips("type-link-since") || since.is_none_or(form)) {
            return Err(TypeError::Type("/link_since must be a date that is proved and never shown"));
        }
        let filled = |one: &Attribute| one.column.is_empty() == (one.pointer == LINK_SINCE);
        if !(mutants::skips("type-link-column") || self.attributes.iter().all(filled)) {
            return Err(TypeError::Type("every attribute needs a column, and /link_since has none"));
        }
        Ok(())
    }
}
