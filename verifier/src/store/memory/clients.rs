//! Calls of clients, in memory.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::clients::{Attempt, Calls, Earlier, Grant, Position, Tenant};
use super::super::{NewRequest, Pending, Request, RequestId, Requests as _, Status, Tag};
use super::{MemoryStore, ready};

impl Calls for MemoryStore {
    fn use_once(&self, tag: Tag, until: UnixTime, now: UnixTime) -> Pending<'_, bool> {
        let mut tables = self.tables();
        let fresh = tables.used.get(&tag).is_none_or(|until| *until <= now);
        tables.used.insert(tag, until);
        ready(mutants::skips("store-used-once") || fresh)
    }

    fn put_token(&self, tag: Tag, grant: Grant) -> Pending<'_, ()> {
        self.tables().tokens.insert(tag, grant);
        ready(())
    }

    fn token(&self, tag: Tag, now: UnixTime) -> Pending<'_, Option<Grant>> {
        let live = |grant: &&Grant| mutants::skips("store-token-time") || grant.expires_at > now;
        ready(self.tables().tokens.get(&tag).filter(live).cloned())
    }

    fn insert_once(&self, new: NewRequest, attempt: Attempt, now: UnixTime) -> Pending<'_, Option<Earlier>> {
        let mut tables = self.tables();
        let key = (new.tenant(), attempt.key);
        let earlier = tables.attempts.get(&key).filter(|(until, _)| *until > now);
        if let Some((_, earlier)) = earlier.filter(|_| !mutants::skips("store-once-taken")) {
            return ready(Some(earlier.clone()));
        }
        let earlier = Earlier { body: attempt.body, request: new.id.clone() };
        tables.attempts.insert(key, (attempt.until, earlier));
        drop(tables);
        let inserted = self.insert(new);
        Box::pin(async move { inserted.await.map(|()| None) })
    }

    fn earlier<'a>(&'a self, tenant: &'a Tenant, key: Tag, now: UnixTime) -> Pending<'a, Option<Earlier>> {
        let tables = self.tables();
        let kept = tables.attempts.get(&(tenant.clone(), key)).filter(|(until, _)| *until > now);
        ready(kept.map(|(_, earlier)| earlier.clone()))
    }

    fn newest<'a>(
        &'a self,
        tenant: &'a Tenant,
        status: Option<Status>,
        after: Option<Position>,
        limit: u32,
    ) -> Pending<'a, Vec<Request>> {
        let tables = self.tables();
        let own = |request: &&Request| {
            (mutants::skips("store-tenant-list") || request.service == tenant.service)
                && (mutants::skips("store-env-list") || request.env == tenant.env)
        };
        let place = |request: &Request| (request.created_at, request.id.clone());
        let behind = |request: &&Request| {
            after.as_ref().is_none_or(|after| place(request) < (after.created_at, after.id.clone()))
        };
        let mut found: Vec<(UnixTime, RequestId)> = Vec::new();
        let rows = || tables.requests.values().map(|row| &row.request);
        let listed = rows().filter(own).filter(|one| status.is_none_or(|status| one.status == status));
        found.extend(listed.filter(behind).map(place));
        found.sort_by(|one, other| other.cmp(one));
        found.truncate(limit as usize);
        let by_id = |(_, id): &(UnixTime, RequestId)| rows().find(|one| one.id == *id).cloned();
        ready(found.iter().filter_map(by_id).collect())
    }

    fn forget(&self, now: UnixTime) -> Pending<'_, ()> {
        let mut tables = self.tables();
        tables.used.retain(|_, until| *until > now);
        tables.tokens.retain(|_, grant| grant.expires_at > now);
        tables.attempts.retain(|_, (until, _)| *until > now);
        tables.pseudonyms.retain(|_, (_, until)| *until > now);
        tables.outbox.retain(|kept| kept.is_kept(now));
        ready(())
    }
}
