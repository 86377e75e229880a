//! What a purpose says of permissions: which may be asked for, and what their records say (`specs/profiles/permission.md`).
//!
//! The words of a record come from here and never from the service that asks: who is responsible, where the notice stands,
//! what rights there are.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;
use vouchsafe_mutants as mutants;

use super::documents::Purpose;
use crate::statement::is_id;
use crate::text::Bilingual;

/// What somebody can permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionKind {
    /// One payment or grant of an amount to a payee.
    Payment,
    /// To ask the same again, until a day.
    Standing,
    /// To share the outcome with a third party.
    Sharing,
    /// An action that the register names.
    Action,
}

impl PermissionKind {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Standing => "standing",
            Self::Sharing => "sharing",
            Self::Action => "action",
        }
    }
}

/// An action that a permission may be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedAction {
    /// Its id, of 1 to 32 letters, digits, `-` and `_`.
    pub id: String,
    /// What will be done, in plain words.
    pub text: Bilingual,
}

/// A body that the outcome may be shared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThirdParty {
    /// Its id, a URI.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Its postal address.
    pub address: String,
    /// A URI or an e-mail address.
    pub contact: String,
    /// What kind of body it is.
    #[serde(rename = "type")]
    pub kind: BodyKind,
}

/// Who is responsible for the processing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Its id, a URI.
    pub id: String,
    /// Its legal name.
    pub name: String,
    /// Its postal address.
    pub address: String,
    /// A URI or an e-mail address.
    pub contact: String,
    /// What kind of body it is.
    #[serde(rename = "type")]
    pub kind: BodyKind,
}

/// Kinds of bodies, as the vocabulary of records knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// A public authority.
    Governmental,
    /// A business.
    ForProfit,
    /// A charity.
    NonProfit,
    /// A school or a university.
    Academic,
}

/// What the records of a purpose say, the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFacts {
    /// Who is responsible.
    pub controller: Controller,
    /// Where the privacy notice stands.
    pub notice: String,
    /// Where what is kept is kept.
    pub storage: Bilingual,
    /// Whose law it is under: a code of ISO 3166.
    pub jurisdiction: String,
    /// What people can do about it, and how.
    pub rights: Bilingual,
}

impl Purpose {
    /// Whether the members about permissions fit together.
    ///
    /// # Errors
    /// What to mend.
    pub fn check_permissions(&self) -> Result<(), &'static str> {
        self.check_pairs()?;
        let once = self.permissions.iter().collect::<BTreeSet<_>>().len() == self.permissions.len();
        if !(mutants::skips("trust-permission-once") || once) {
            return Err("permissions names a kind twice");
        }
        let named = |action: &NamedAction| is_id(&action.id) && action.text.is_complete();
        if !(mutants::skips("trust-permission-action")
            || (self.actions.iter().all(named) && distinct(self.actions.iter().map(|one| &one.id))))
        {
            return Err(
                "every action needs an id of its own, of 1 to 32 letters, digits, '-' and '_', and words",
            );
        }
        let shared = |party: &ThirdParty| {
            is_uri(&party.id) && party.name.is_complete() && is_party(&party.address, &party.contact)
        };
        if !(mutants::skips("trust-permission-sharing")
            || (self.sharing.iter().all(shared) && distinct(self.sharing.iter().map(|one| &one.id))))
        {
            return Err("every body in sharing needs a URI of its own, a name, an address and a contact");
        }
        if !(mutants::skips("trust-permission-recheck") || self.recheck_days.is_none_or(|days| days >= 1)) {
            return Err("recheck_days is at least 1");
        }
        if !(mutants::skips("trust-permission-facts")
            || self.record.as_ref().is_none_or(RecordFacts::is_whole))
        {
            return Err(
                "record needs a controller with URI, name, address and contact, an https notice, and words on storage and rights",
            );
        }
        Ok(())
    }

    /// Each kind, and what only it needs.
    fn check_pairs(&self) -> Result<(), &'static str> {
        let has = |kind| self.permissions.contains(&kind);
        let pairs = [
            (
                has(PermissionKind::Action),
                !self.actions.is_empty(),
                "actions and the permission action need each other",
            ),
            (
                has(PermissionKind::Sharing),
                !self.sharing.is_empty(),
                "sharing and the permission sharing need each other",
            ),
            (
                has(PermissionKind::Standing),
                self.recheck_days.is_some(),
                "recheck_days and the permission standing need each other",
            ),
            (!self.permissions.is_empty(), self.record.is_some(), "permissions and record need each other"),
        ];
        let odd = pairs
            .into_iter()
            .find(|(asked, said, _)| asked != said && !mutants::skips("trust-permission-pairs"));
        odd.map_or(Ok(()), |(.., why)| Err(why))
    }

    /// The action of that id.
    #[must_use]
    pub fn action(&self, id: &str) -> Option<&NamedAction> {
        self.actions.iter().find(|action| action.id == id)
    }

    /// The third party of that id.
    #[must_use]
    pub fn third_party(&self, id: &str) -> Option<&ThirdParty> {
        self.sharing.iter().find(|party| party.id == id)
    }
}

impl RecordFacts {
    fn is_whole(&self) -> bool {
        let Controller { id, name, address, contact, .. } = &self.controller;
        let https = Url::parse(&self.notice).is_ok_and(|url| url.scheme() == "https");
        let words = self.storage.is_complete() && self.rights.is_complete();
        let jurisdiction = !self.jurisdiction.is_empty()
            && self.jurisdiction.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-');
        is_uri(id) && !name.trim().is_empty() && is_party(address, contact) && https && words && jurisdiction
    }
}

fn distinct<'a>(ids: impl Iterator<Item = &'a String> + Clone) -> bool {
    ids.clone().collect::<BTreeSet<_>>().len() == ids.count()
}

fn is_uri(text: &str) -> bool {
    Url::parse(text).is_ok()
}

fn is_party(address: &str, contact: &str) -> bool {
    let mail = contact.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    !address.trim().is_empty() && (mail || is_uri(contact))
}
