//! Permissions, in memory.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::permissions::{
    By, Day, Ending, NewPermission, Permission, PermissionId, Permissions, Recorded, Resting, Stands, Use,
    UsedUp,
};
use super::super::{Earlier, Pending, Request, RequestId, ServiceId, Stale, Status, Tenant};
use super::{MemoryStore, Tables, ready};

/// A permission with what is kept beside it.
pub(super) struct Kept {
    new: NewPermission,
    events: Vec<Recorded>,
    keep_until: Option<UnixTime>,
}

impl Kept {
    fn row(&self) -> &Permission {
        &self.new.permission
    }

    /// Uses it once, if it is in force on that day.
    fn use_up(&mut self, today: Day, skipped: [&'static str; 3]) -> bool {
        let [given, until, left] = skipped.map(mutants::skips);
        let row = &mut self.new.permission;
        let in_force = (given || row.state == Stands::Given)
            && (until || row.until >= today)
            && (left || row.uses_left.is_none_or(|uses| uses > 0));
        if in_force {
            row.uses_left = row.uses_left.map(|uses| uses - 1);
        }
        in_force
    }

    fn end(&mut self, ending: &Ending) {
        let row = &mut self.new.permission;
        (row.state, row.bound, row.entry) = (ending.state, ending.bound, None);
        row.events += 1;
        self.events.push(ending.event.clone());
        self.keep_until = Some(ending.keep_until);
    }
}

impl Tables {
    /// Whether the permission that a decision rests on is in force: asked under it once more.
    pub(super) fn rests(&mut self, service: &ServiceId, resting: &Resting) -> bool {
        let key = (service.clone(), resting.permission.clone());
        let Some(kept) = self.permissions.get_mut(&key) else { return false };
        let row = kept.row();
        let again = mutants::skips("store-rest-every") || row.asked_day.0 + row.every_days <= resting.today.0;
        let rests =
            again && kept.use_up(resting.today, ["store-rest-given", "store-rest-until", "store-rest-left"]);
        if rests {
            kept.new.permission.asked_day = resting.today;
        }
        rests
    }

    /// Whether its key and its code are nobody else's.
    pub(super) fn is_new(&self, new: &NewPermission) -> bool {
        let taken = |kept: &Kept| kept.row().key == new.permission.key || kept.new.code == new.code;
        !self.permissions.values().any(taken)
    }

    pub(super) fn give(&mut self, request: &(ServiceId, RequestId), new: &NewPermission) {
        if let Some(row) = self.requests.get_mut(request) {
            row.request.permission = Some(new.permission.id.clone());
        }
        let key = (request.0.clone(), new.permission.id.clone());
        let events = vec![new.first.clone()];
        self.permissions.insert(key, Kept { new: new.clone(), events, keep_until: None });
    }
}

impl Permissions for MemoryStore {
    fn permission<'a>(&'a self, tenant: &'a Tenant, id: &'a PermissionId) -> Pending<'a, Option<Permission>> {
        let tables = self.tables();
        let own = |row: &&Permission| {
            row.id == *id
                && (mutants::skips("store-tenant-permission") || row.service == tenant.service)
                && (mutants::skips("store-env-permission") || row.env == tenant.env)
        };
        ready(tables.permissions.values().map(Kept::row).find(own).cloned())
    }

    fn permission_by(&self, by: By) -> Pending<'_, Option<Permission>> {
        let tables = self.tables();
        let found = tables.permissions.values().find(|kept| match by {
            By::Key(tag) => kept.row().key == tag,
            By::Code(tag) => kept.new.code == tag,
        });
        ready(found.map(|kept| kept.row().clone()))
    }

    fn recorded<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        number: i64,
    ) -> Pending<'a, Option<Recorded>> {
        let tables = self.tables();
        let kept = tables.permissions.get(&(service.clone(), id.clone()));
        ready(kept.and_then(|kept| kept.events.iter().find(|event| event.number == number).cloned()))
    }

    fn use_permission(&self, once: Use) -> Pending<'_, UsedUp> {
        let mut tables = self.tables();
        let slot = once.attempt.map(|attempt| (once.tenant.clone(), attempt.key));
        let earlier = slot.as_ref().and_then(|slot| tables.attempts.get(slot));
        let earlier = earlier.filter(|(until, _)| *until > once.now).map(|(_, earlier)| earlier.clone());
        if let Some(earlier) = earlier.filter(|_| !mutants::skips("store-once-taken")) {
            return ready(UsedUp::Before(earlier));
        }
        let key = (once.tenant.service.clone(), once.id.clone());
        let kept = tables.permissions.get_mut(&key).filter(|kept| kept.row().env == once.tenant.env);
        let used = kept.and_then(|kept| {
            let used = kept.use_up(once.today, ["store-use-given", "store-use-until", "store-use-left"]);
            used.then(|| kept.row().uses_left)
        });
        let Some(left) = used else { return ready(UsedUp::Not) };
        if let Some((slot, attempt)) = slot.zip(once.attempt) {
            let done = Earlier { body: attempt.body, request: RequestId(once.id.0) };
            tables.attempts.insert(slot, (attempt.until, done));
        }
        ready(UsedUp::Now(left))
    }

    fn end_permission(&self, ending: Ending) -> Pending<'_, Result<(), Stale>> {
        let mut tables = self.tables();
        let key = (ending.tenant.service.clone(), ending.id.clone());
        let ends = |kept: &&mut Kept| {
            let row = kept.row();
            row.events == ending.after && (mutants::skips("store-end-once") || row.state == Stands::Given)
        };
        let Some(kept) = tables.permissions.get_mut(&key).filter(ends) else { return ready(Err(Stale)) };
        kept.end(&ending);
        tables.leaves.push(ending.leaf);
        tables.tell(ending.tenant, RequestId(ending.id.0), ending.topic, ending.event.at);
        ready(Ok(()))
    }

    fn permissions_over(&self, today: Day, limit: u32) -> Pending<'_, Vec<Permission>> {
        let tables = self.tables();
        let over = |row: &&Permission| {
            row.state == Stands::Given && (mutants::skips("store-permission-day") || row.until < today)
        };
        let rows = tables.permissions.values().map(Kept::row).filter(over);
        ready(rows.take(limit as usize).cloned().collect())
    }

    fn forget_permissions(&self, now: UnixTime) -> Pending<'_, ()> {
        self.tables().permissions.retain(|_, kept| kept.keep_until.is_none_or(|until| until > now));
        ready(())
    }

    fn count_checks<'a>(&'a self, tenant: &'a Tenant, day: Day, count: i64) -> Pending<'a, ()> {
        *self.tables().checks.entry((tenant.clone(), day)).or_default() += count;
        ready(())
    }

    fn checks<'a>(&'a self, tenant: &'a Tenant, day: Day) -> Pending<'a, i64> {
        ready(self.tables().checks.get(&(tenant.clone(), day)).copied().unwrap_or_default())
    }

    fn asks_under<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a PermissionId,
        now: UnixTime,
    ) -> Pending<'a, Vec<Request>> {
        let tables = self.tables();
        let asks = |one: &&Request| {
            one.service == *service
                && one.permission.as_ref() == Some(id)
                && one.status == Status::Open
                && one.expires_at > now
        };
        ready(tables.requests.values().map(|row| &row.request).filter(asks).take(8).cloned().collect())
    }
}
