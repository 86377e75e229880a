//! What else the resident permits with the answer (`specs/profiles/permission.md`).
//!
//! The policy says everything but the salt and the three values of a payment, so that a wallet can make the same of it and
//! compare. Security: it is one wallet's key that stands for the permission, so it is one person's.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{Body, PolicyError, Subject};
use crate::trust::{PermissionKind, Purpose};

/// The longest that a permission lasts, in days: three years.
const LONGEST: u32 = 1096;

/// The most uses that a policy counts.
const MOST_USES: u32 = 100_000;

/// The greatest amount, in pence: a million pounds.
pub(crate) const MOST_PENCE: u64 = 100_000_000;

/// What is permitted, and for how long. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permitting {
    /// What.
    pub kind: PermissionKind,
    /// For how many days from the day of asking.
    pub for_days: u32,
    /// How often it may be used; any number where absent, and a payment always once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// The greatest amount of a payment, in pence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_pence: Option<u64>,
    /// The action, by its id in the purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The least number of days between two askings under a standing permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_days: Option<u32>,
    /// With whom the outcome is shared, by its id in the purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// A policy asks for a permission that its purpose does not let it ask for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PermissionNotCovered {
    /// Another kind.
    #[error("the purpose does not let a policy ask for a permission of the kind {0}")]
    Kind(&'static str),
    /// An action that the purpose does not name.
    #[error("the purpose does not name the action of [permission]")]
    Action,
    /// A third party that the purpose does not name.
    #[error("the purpose does not name the third party of [permission]")]
    With,
    /// More often than the purpose allows.
    #[error("[permission] asks again sooner than recheck_days of the purpose")]
    Every,
}

impl Permitting {
    /// How often it may be used.
    #[must_use]
    pub fn uses(&self) -> Option<u32> {
        if self.kind == PermissionKind::Payment { Some(1) } else { self.uses }
    }

    /// The last day on which it may be used, given on `as_of`.
    #[must_use]
    pub fn until(&self, as_of: Date) -> Option<Date> {
        as_of.checked_add(i64::from(self.for_days).days()).ok()
    }

    fn check(&self, body: &Body) -> Result<(), &'static str> {
        if !(mutants::skips("perm-days") || (1..=LONGEST).contains(&self.for_days)) {
            return Err("for_days of [permission] is 1 to 1096");
        }
        let counted = self.uses.is_none_or(|uses| (1..=MOST_USES).contains(&uses));
        if !(mutants::skips("perm-uses") || counted) {
            return Err("uses of [permission] is 1 to 100000, or left out for any number");
        }
        let once = self.kind != PermissionKind::Payment || self.uses.is_none_or(|uses| uses == 1);
        if !(mutants::skips("perm-payment-once") || once) {
            return Err("a payment is used once: leave out uses of [permission]");
        }
        self.check_members()?;
        let amount = self.at_most_pence.is_none_or(|pence| (1..=MOST_PENCE).contains(&pence));
        if !(mutants::skips("perm-amount") || amount) {
            return Err("at_most_pence of [permission] is 1 to 100000000");
        }
        let again = self.every_days.is_none_or(|days| (1..=self.for_days).contains(&days));
        if !(mutants::skips("perm-every") || again) {
            return Err("every_days of [permission] is at least 1 and at most for_days");
        }
        // Two wallets answer for a household, and only one of them would hold the key.
        if !(mutants::skips("perm-person") || body.subject == Subject::SamePerson) {
            return Err("a permission is one person's, and the subject is same_household");
        }
        Ok(())
    }

    /// Each member where its kind needs it, and nowhere else.
    fn check_members(&self) -> Result<(), &'static str> {
        use PermissionKind::{Action, Payment, Sharing, Standing};
        let members = [
            (
                Payment,
                self.at_most_pence.is_some(),
                "at_most_pence of [permission] and kind payment need each other",
            ),
            (Action, self.action.is_some(), "action of [permission] and kind action need each other"),
            (
                Standing,
                self.every_days.is_some(),
                "every_days of [permission] and kind standing need each other",
            ),
            (Sharing, self.with.is_some(), "with of [permission] and kind sharing need each other"),
        ];
        let odd = members.into_iter().find(|(kind, said, _)| (self.kind == *kind) != *said);
        odd.filter(|_| !mutants::skips("perm-members")).map_or(Ok(()), |(.., why)| Err(why))
    }
}

/// What the policy says of a permission, where it does.
pub(super) fn check(body: &Body) -> Result<(), PolicyError> {
    body.permission.as_ref().map_or(Ok(()), |said| said.check(body).map_err(PolicyError::Unusable))
}

/// Whether `purpose` lets `policy` ask for its permission.
///
/// # Errors
/// [`PermissionNotCovered`] says what is not covered.
pub fn covers_permission(purpose: &Purpose, policy: &Body) -> Result<(), PermissionNotCovered> {
    let Some(said) = &policy.permission else { return Ok(()) };
    if !(mutants::skips("perm-covers-kind") || purpose.permissions.contains(&said.kind)) {
        return Err(PermissionNotCovered::Kind(said.kind.as_str()));
    }
    let action = said.action.as_ref().is_none_or(|id| purpose.action(id).is_some());
    if !(mutants::skips("perm-covers-action") || action) {
        return Err(PermissionNotCovered::Action);
    }
    let with = said.with.as_ref().is_none_or(|id| purpose.third_party(id).is_some());
    if !(mutants::skips("perm-covers-with") || with) {
        return Err(PermissionNotCovered::With);
    }
    let least = purpose.recheck_days.unwrap_or(1);
    if !(mutants::skips("perm-covers-every") || said.every_days.is_none_or(|days| days >= least)) {
        return Err(PermissionNotCovered::Every);
    }
    Ok(())
}
