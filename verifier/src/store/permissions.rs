//! Permissions, as a store keeps them (`specs/profiles/permission.md`).
//!
//! One row says how a permission stands; its events, each the signing input of the record as it was then, are added to and
//! never changed. Whoever ends a permission names the number of events that it saw, in the statement that ends it: of many
//! at once one adds the event, and whoever uses or rests on the permission does so before that or not at all.

use std::fmt;

use jiff::civil::Date;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;

use super::{Attempt, Earlier, Effect, Pending, ServiceId, Stale, Tag, Tenant};

/// The id of a permission in our own API; never seen by a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PermissionId(pub String);

/// A day by its number, from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The number of a date.
    #[must_use]
    pub fn of(date: Date) -> Self {
        Self(UnixTime::of_day(date).map_or(i64::MAX, |midnight| midnight.0.div_euclid(86_400)))
    }

    /// The day in London at an instant.
    #[must_use]
    pub fn at(now: UnixTime) -> Self {
        Self::of(now.london_date())
    }

    /// The date.
    #[must_use]
    pub fn date(self) -> Date {
        UnixTime(self.0.saturating_mul(86_400)).london_date()
    }
}

/// Where a permission stands. Whether its last day is over, or all uses are spent, is to be seen besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Given, and not ended.
    Given,
    /// Taken back.
    Withdrawn,
    /// Its last day is over, and that is recorded.
    Expired,
}

impl Stands {
    /// The word of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Given, Self::Withdrawn, Self::Expired].into_iter().find(|state| state.as_str() == word)
    }
}

/// A permission as it stands. It is about somebody, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Permission {
    /// The tenant.
    pub service: ServiceId,
    /// Test or live: part of the tenant.
    pub env: Env,
    /// The id of our API.
    pub id: PermissionId,
    /// Tag of the thumbprint of its key.
    pub key: Tag,
    /// The policy's id.
    pub policy_id: String,
    /// The policy's digest: the permission holds under no other.
    pub policy_digest: String,
    /// The question under which it was given.
    pub asked_digest: [u8; 32],
    /// When it was given.
    pub given_at: UnixTime,
    /// The day of asking.
    pub given_day: Day,
    /// The last day.
    pub until: Day,
    /// The day of the last asking under it.
    pub asked_day: Day,
    /// The least number of days between two; 0 where it cannot be asked again.
    pub every_days: i64,
    /// How often it may be used yet; any number where absent.
    pub uses_left: Option<i64>,
    /// For how many days it is kept once it ended.
    pub retention_days: i64,
    /// Where it stands.
    pub state: Stands,
    /// How many events there are.
    pub events: i64,
    /// What binds all this to the server key, but for what is counted.
    pub bound: Tag,
    /// The sealed entry of a standing permission, while it is in force.
    pub entry: Option<Vec<u8>>,
}

impl Permission {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        Tenant { service: self.service.clone(), env: self.env }
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permission").field("state", &self.state).finish_non_exhaustive()
    }
}

/// One event: the record as it is signed with it. For its two sides alone, and not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 1.
    pub number: i64,
    /// When it happened.
    pub at: UnixTime,
    /// The random id of the record's token.
    pub jti: String,
    /// The JWS signing input, with the tag that binds it to its row.
    pub signing_input: String,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded(…)")
    }
}

/// A permission as it is given, by the transaction that decides.
#[derive(Clone, Debug)]
pub struct NewPermission {
    /// The row.
    pub permission: Permission,
    /// Tag of the code of its letter.
    pub code: Tag,
    /// What its key signed.
    pub grant: String,
    /// Its first event.
    pub first: Recorded,
}

/// How a permission is found by whoever has no token.
#[derive(Clone, Copy, Debug)]
pub enum By {
    /// Tag of the thumbprint of its key.
    Key(Tag),
    /// Tag of the code of its letter.
    Code(Tag),
}

/// The end of a permission, with all that is written in the same transaction.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The tenant.
    pub tenant: Tenant,
    /// The permission.
    pub id: PermissionId,
    /// How many events it must have.
    pub after: i64,
    /// Where it stands then.
    pub state: Stands,
    /// What binds the row that says so.
    pub bound: Tag,
    /// The event.
    pub event: Recorded,
    /// Its leaf of the log.
    pub leaf: [u8; 32],
    /// What the service is told.
    pub topic: &'static str,
    /// From when on everything about it is deleted.
    pub keep_until: UnixTime,
}

/// A use of a permission by its service.
#[derive(Clone, Debug)]
pub struct Use {
    /// The tenant.
    pub tenant: Tenant,
    /// The permission.
    pub id: PermissionId,
    /// The day.
    pub today: Day,
    /// The key of a call that may be repeated.
    pub attempt: Option<Attempt>,
    /// The present instant.
    pub now: UnixTime,
}

/// What came of a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsedUp {
    /// One use fewer; as many are left, where they are counted.
    Now(Option<i64>),
    /// A call with the same key did so before.
    Before(Earlier),
    /// It is not in force, and nothing was written.
    Not,
}

/// A decision that rests on a permission: in the transaction that decides the row is read again and held. Where it is not
/// in force any more the request is closed otherwise.
#[derive(Clone, Debug)]
pub struct Resting {
    /// The permission, of the same service.
    pub permission: PermissionId,
    /// The day of asking.
    pub today: Day,
    /// As what the request is closed where it is not in force.
    pub otherwise: Outcome,
    /// What is written then in place of the member's own effects.
    pub effects: Vec<Effect>,
}

/// Permissions.
pub trait Permissions: Send + Sync {
    /// The tenant's own permission: one read by the key of the table.
    fn permission<'a>(&'a self, tenant: &'a Tenant, id: &'a PermissionId) -> Pending<'a, Option<Permission>>;
    /// The one permission that has this tag.
    fn permission_by(&self, by: By) -> Pending<'_, Option<Permission>>;
    /// The event of that number of a service's permission.
    fn recorded<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        number: i64,
    ) -> Pending<'a, Option<Recorded>>;
    /// Uses a permission that is in force once.
    fn use_permission(&self, once: Use) -> Pending<'_, UsedUp>;
    /// Ends a permission that is given and has as many events as the ending says.
    fn end_permission(&self, ending: Ending) -> Pending<'_, Result<(), Stale>>;
    /// At most `limit` permissions that are given and whose last day is before `today`.
    fn permissions_over(&self, today: Day, limit: u32) -> Pending<'_, Vec<Permission>>;
    /// Deletes what has been kept long enough.
    fn forget_permissions(&self, now: UnixTime) -> Pending<'_, ()>;
    /// Adds to how often a tenant asked on a day.
    fn count_checks<'a>(&'a self, tenant: &'a Tenant, day: Day, count: i64) -> Pending<'a, ()>;
    /// How often a tenant asked on a day.
    fn checks<'a>(&'a self, tenant: &'a Tenant, day: Day) -> Pending<'a, i64>;
    /// The ids of the open requests that ask under a service's permission.
    fn asks_under<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        now: UnixTime,
    ) -> Pending<'a, Vec<super::Request>>;
}
