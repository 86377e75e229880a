//! "Is it still in force?", before each use.
//!
//! One read by the key of the table, and one statement more where it is used up. Which permission was asked about is told
//! to nobody: a tenant's checks are counted by the day, in memory, and written with the sweep.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::json;

use super::is_ours;
use crate::app::{App, Unavailable};
use crate::request::{KEPT, RepeatKey};
use crate::secrets::Kind;
use crate::store::{Attempt, Day, Permission, PermissionId, Stands, StoreError, Tenant, Use, UsedUp};

/// The most bytes of a body.
const MAX_BODY: usize = 1024;

/// How a permission stands, for whoever wants to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be acted on today.
    InForce,
    /// Taken back.
    Withdrawn,
    /// Its last day is over.
    Expired,
    /// It was used as often as it may be.
    Exhausted,
    /// We cannot tell: nothing may be done on it.
    Undetermined,
}

impl Standing {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Undetermined => "undetermined",
        }
    }

    pub(crate) fn of(app: &App, row: &Permission, today: Day) -> Self {
        if !is_ours(app.vault(), row) {
            return Self::Undetermined;
        }
        match row.state {
            Stands::Withdrawn if !mutants::skips("perm-check-withdrawn") => Self::Withdrawn,
            Stands::Expired => Self::Expired,
            _ if row.until < today && !mutants::skips("perm-check-until") => Self::Expired,
            _ if row.uses_left == Some(0) && !mutants::skips("perm-check-left") => Self::Exhausted,
            _ => Self::InForce,
        }
    }
}

/// What a service says with its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The digest of the policy under which it wants to act.
    pub policy: Option<String>,
    /// Whether it acts now, which uses the permission up by one.
    pub uses: bool,
}

impl Asking {
    /// Reads a body: closed, and each member may be left out; `None` when it is not of its form.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let members = json::object(body, MAX_BODY).ok()?;
        let policy = match members.get("policy") {
            None => None,
            Some(digest) => Some(digest.as_str()?.to_owned()),
        };
        let uses = members.get("use").map_or(Some(false), Value::as_bool)?;
        let known = members.keys().all(|name| ["policy", "use"].contains(&name.as_str()));
        (mutants::skips("perm-check-closed") || known).then_some(Self { policy, uses })
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How it stands.
    pub standing: Standing,
    /// The day that the answer is about.
    pub as_of: Date,
    /// Whether this call used it.
    pub used: bool,
    /// How often it may be used yet, where that is counted and it is in force.
    pub uses_left: Option<i64>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The tenant has no such permission.
    #[error("this service has no such permission")]
    Unknown,
    /// It was given under another policy.
    #[error("the permission was given under another policy")]
    Policy,
    /// Another body came with the same key before.
    #[error("another body came with this key before")]
    KeyTaken,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<StoreError> for CheckError {
    fn from(fault: StoreError) -> Self {
        Self::Unavailable(fault.into())
    }
}

/// How often each tenant asked, until that is written.
#[derive(Default)]
pub struct Checks(Mutex<BTreeMap<(Tenant, Day), i64>>);

impl Checks {
    fn count(&self, tenant: &Tenant, today: Day) {
        *self.kept().entry((tenant.clone(), today)).or_default() += 1;
    }

    pub(super) fn take(&self) -> BTreeMap<(Tenant, Day), i64> {
        std::mem::take(&mut *self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<(Tenant, Day), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the tenant's own permission stands today; where it is in force and to be used, it is used by this call, once for
/// each `key`.
///
/// # Errors
/// [`CheckError`].
pub async fn check(
    app: &App,
    tenant: &Tenant,
    id: &PermissionId,
    asking: &Asking,
    key: Option<(&RepeatKey, &[u8])>,
) -> Result<Checked, CheckError> {
    let today = Day::at(app.now());
    let row = app.store().permission(tenant, id).await?.ok_or(CheckError::Unknown)?;
    app.checks().count(tenant, today);
    let same = asking.policy.as_ref().is_none_or(|digest| *digest == row.policy_digest);
    if !(mutants::skips("perm-check-policy") || same) {
        return Err(CheckError::Policy);
    }
    let standing = Standing::of(app, &row, today);
    // With a key the use may have been made before, and been the last: what was done is asked of the store.
    let usable = standing == Standing::InForce || (standing == Standing::Exhausted && key.is_some());
    if asking.uses && usable {
        return use_up(app, tenant, row, today, key).await;
    }
    Ok(checked(standing, today, row.uses_left))
}

fn checked(standing: Standing, today: Day, left: Option<i64>) -> Checked {
    let uses_left = left.filter(|_| standing == Standing::InForce);
    Checked { standing, as_of: today.date(), used: false, uses_left }
}

async fn use_up(
    app: &App,
    tenant: &Tenant,
    row: Permission,
    today: Day,
    key: Option<(&RepeatKey, &[u8])>,
) -> Result<Checked, CheckError> {
    let attempt = key.map(|(key, body)| attempt(app, tenant, &row.id, key, body));
    let once = Use { tenant: tenant.clone(), id: row.id.clone(), today, attempt, now: app.now() };
    match app.store().use_permission(once).await? {
        UsedUp::Now(left) => {
            let (standing, as_of) = (Standing::InForce, today.date());
            Ok(Checked { standing, as_of, used: true, uses_left: left })
        }
        UsedUp::Before(earlier) => {
            let same = attempt.is_some_and(|attempt| attempt.body == earlier.body);
            if !(mutants::skips("perm-use-body") || same) {
                return Err(CheckError::KeyTaken);
            }
            let (standing, as_of) = (Standing::InForce, today.date());
            Ok(Checked { standing, as_of, used: true, uses_left: row.uses_left })
        }
        UsedUp::Not => {
            // It ended, or was used up, since it was read.
            let row = app.store().permission(tenant, &row.id).await?.ok_or(CheckError::Unknown)?;
            let standing = Standing::of(app, &row, today);
            let standing = if standing == Standing::InForce { Standing::Undetermined } else { standing };
            Ok(checked(standing, today, row.uses_left))
        }
    }
}

fn attempt(app: &App, tenant: &Tenant, id: &PermissionId, key: &RepeatKey, body: &[u8]) -> Attempt {
    let name = format!("{}\n{}\n{}", tenant.name(), id.0, key.text());
    let body = app.vault().tag_bytes(Kind::RepeatBody, body);
    Attempt { key: app.vault().tag(Kind::Repeat, &name), body, until: app.now().plus(KEPT) }
}
