//! The store in memory: for tests, and the plain statement of what the other stores must do.

mod clients;
mod log;
mod outbox;
mod permissions;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::time::UnixTime;

use super::{
    ATTEMPTS, Answers, Consume, Count, Day, Decided, Decisions, Earlier, Effect, Grant, Ground, Guesses, Key,
    LEASE_SECONDS, Lease, Limit, NewRequest, NoLease, Once, Pending, PermissionId, RETURN_GRACE_SECONDS,
    Request, RequestId, Requests, ServiceId, Stale, Status, StoreError, StoredDecision, Tag, Tenant, minute,
};

/// Everything behind one lock; nothing survives the process.
#[derive(Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    requests: BTreeMap<(ServiceId, RequestId), Row>,
    asked: HashMap<(ServiceId, [u8; 32]), String>,
    spent: HashSet<(Once, Tag)>,
    decisions: HashMap<(ServiceId, RequestId), String>,
    jtis: HashSet<String>,
    /// In the order of their places.
    leaves: Vec<[u8; 32]>,
    checkpoints: BTreeMap<u64, String>,
    outbox: Vec<outbox::Kept>,
    /// How many messages there ever were.
    told: usize,
    guesses: HashMap<(Tag, i64), i64>,
    registers: HashMap<String, u64>,
    tokens: HashMap<Tag, Grant>,
    used: HashMap<Tag, UnixTime>,
    attempts: HashMap<(Tenant, Tag), (UnixTime, Earlier)>,
    /// How many decisions were met for somebody, and until when that matters.
    pseudonyms: HashMap<Known, (u32, UnixTime)>,
    permissions: BTreeMap<(ServiceId, PermissionId), permissions::Kept>,
    checks: HashMap<(Tenant, Day), i64>,
}

/// Whom a service knows: the service, the context and the pseudonym.
type Known = (ServiceId, [u8; 32], [u8; 32]);

struct Row {
    request: Request,
    handle: Tag,
    page: Tag,
    code: Option<Tag>,
    fence: i64,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A panic in a test must not hide behind a second one; every change below is made whole before it is kept.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, lease: &Lease, attempts: i64) {
        if let Some(row) = self.tables().requests.get_mut(&(lease.service.clone(), lease.request.clone()))
            && row.fence == lease.fence
        {
            row.request.lease_until = UnixTime(0);
            row.request.attempts -= attempts;
        }
    }

    /// How many leaves and messages there are; for the shared suite.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.leaves.len(), tables.outbox.len())
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Requests for MemoryStore {
    fn insert(&self, new: NewRequest) -> Pending<'_, ()> {
        let mut tables = self.tables();
        let taken =
            tables.requests.values().any(|row| row.code == Some(new.code) || row.handle == new.handle);
        if taken {
            return Box::pin(std::future::ready(Err(StoreError::Unavailable)));
        }
        tables.asked.insert((new.service.clone(), new.asked.digest), new.asked.body.clone());
        let row =
            Row { handle: new.handle, page: new.page, code: Some(new.code), fence: 0, request: opened(new) };
        tables.requests.insert((row.request.service.clone(), row.request.id.clone()), row);
        ready(())
    }

    fn request<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<Request>> {
        let tables = self.tables();
        let row = if mutants::skips("store-tenant-request") {
            tables.requests.values().find(|row| row.request.id == *id)
        } else {
            tables.requests.get(&(tenant.service.clone(), id.clone()))
        };
        let own = |request: &Request| mutants::skips("store-env-request") || request.env == tenant.env;
        ready(row.map(|row| row.request.clone()).filter(own))
    }

    fn request_by(&self, key: Key) -> Pending<'_, Option<Request>> {
        let tables = self.tables();
        let found = tables.requests.values().find(|row| match key {
            Key::Handle(tag) => row.handle == tag,
            Key::Page(tag) => row.page == tag,
            Key::Code(tag, now) => {
                row.code == Some(tag) && (mutants::skips("store-code-time") || row.request.code_until > now)
            }
        });
        ready(found.map(|row| row.request.clone()))
    }

    fn asked<'a>(&'a self, service: &'a ServiceId, digest: [u8; 32]) -> Pending<'a, Option<String>> {
        ready(self.tables().asked.get(&(service.clone(), digest)).cloned())
    }

    fn bind_session<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        session: Tag,
    ) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let Some(row) = tables.requests.get_mut(&(service.clone(), id.clone())) else { return ready(false) };
        if !(mutants::skips("store-first-browser") || row.request.session.is_none()) {
            return ready(false);
        }
        row.request.session = Some(session);
        ready(true)
    }
}

impl Answers for MemoryStore {
    fn lease<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        now: UnixTime,
    ) -> Pending<'a, Result<Lease, NoLease>> {
        let mut tables = self.tables();
        let Some(row) = tables.requests.get_mut(&(service.clone(), id.clone())) else {
            return ready(Err(NoLease::Closed));
        };
        ready(row.lease(now))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.end(lease, 0);
        ready(())
    }

    fn give_back<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.end(lease, 1);
        ready(())
    }

    fn answered<'a>(
        &'a self,
        lease: &'a Lease,
        finding: String,
        response: Tag,
        now: UnixTime,
    ) -> Pending<'a, Result<(), Stale>> {
        let mut tables = self.tables();
        let Some(row) = tables.requests.get_mut(&(lease.service.clone(), lease.request.clone())) else {
            return ready(Err(Stale));
        };
        ready(row.answered(lease.fence, finding, response, now))
    }

    fn error_seen<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        response: Option<Tag>,
        now: UnixTime,
    ) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let Some(row) = tables.requests.get_mut(&(service.clone(), id.clone())) else { return ready(false) };
        let request = &mut row.request;
        if request.status != Status::Open || request.expires_at <= now {
            return ready(false);
        }
        request.error_seen = true;
        request.response = response;
        ready(true)
    }
}

impl Row {
    fn lease(&mut self, now: UnixTime) -> Result<Lease, NoLease> {
        let request = &mut self.request;
        if request.status != Status::Open
            || !(mutants::skips("store-lease-expired") || request.expires_at > now)
        {
            return Err(NoLease::Closed);
        }
        if !(mutants::skips("store-lease-held") || request.lease_until <= now) {
            return Err(NoLease::Held);
        }
        if !(mutants::skips("store-attempts") || request.attempts < ATTEMPTS) {
            return Err(NoLease::Spent);
        }
        request.attempts += 1;
        request.lease_until = UnixTime(now.0 + LEASE_SECONDS);
        self.fence += 1;
        let (service, id) = (request.service.clone(), request.id.clone());
        Ok(Lease { service, request: id, fence: self.fence, until: request.lease_until })
    }

    fn holds(&self, fence: i64, now: UnixTime) -> bool {
        (mutants::skips("store-fence") || self.fence == fence)
            && (mutants::skips("store-lease-ended") || self.request.lease_until > now)
    }

    fn answered(&mut self, fence: i64, finding: String, response: Tag, now: UnixTime) -> Result<(), Stale> {
        if self.request.status != Status::Open || !self.holds(fence, now) {
            return Err(Stale);
        }
        let request = &mut self.request;
        request.status = Status::Answered;
        request.finding = Some(finding);
        request.response = Some(response);
        request.sealed = None;
        request.lease_until = UnixTime(0);
        request.close_at = UnixTime(request.expires_at.0.max(now.0 + RETURN_GRACE_SECONDS));
        self.code = None;
        Ok(())
    }

    fn may_close(&self, ground: &Ground, now: UnixTime) -> bool {
        let request = &self.request;
        let returned = |response: Tag, session: Tag| {
            (mutants::skips("store-response-code") || request.response == Some(response))
                && (mutants::skips("store-response-session") || request.session == Some(session))
                && request.close_at > now
        };
        let idle = mutants::skips("store-sweep-lease") || request.lease_until <= now;
        match *ground {
            Ground::Lease { fence } => request.status == Status::Open && self.holds(fence, now),
            Ground::Return { response, session } => {
                request.status == Status::Answered && returned(response, session)
            }
            Ground::Decline { response, session } => {
                request.status == Status::Open && request.error_seen && idle && returned(response, session)
            }
            Ground::Expiry => request.status != Status::Decided && idle && self.is_over(now),
        }
    }

    fn is_over(&self, now: UnixTime) -> bool {
        let request = &self.request;
        mutants::skips("store-sweep-time")
            || request.close_at <= now
            || (request.status == Status::Open && request.attempts >= ATTEMPTS)
    }

    fn close(&mut self, outcome: Outcome) {
        let request = &mut self.request;
        request.status = Status::Decided;
        request.outcome = Some(outcome);
        request.sealed = None;
        request.response = None;
        request.finding = None;
        self.code = None;
    }
}

impl Tables {
    fn decide(&mut self, member: &Consume) -> Result<Decided, Stale> {
        let key = (member.service.clone(), member.request.clone());
        let row = self.requests.get(&key).ok_or(Stale)?;
        let closes = row.may_close(&member.ground, member.at) && self.takes(&member.effects);
        let resting = member.resting.as_ref().filter(|_| closes);
        if let Some(resting) = resting.filter(|resting| !self.rests(&member.service, resting)) {
            return self.close(&key, member, resting.otherwise, &resting.effects);
        }
        let within = member.limit.as_ref().is_none_or(|limit| self.is_within(&member.service, &limit.count));
        let (outcome, effects) = match &member.limit {
            Some(limit) if !within => (limit.otherwise, &limit.effects),
            _ => (member.outcome, &member.effects),
        };
        let decided = self.close(&key, member, outcome, effects)?;
        if let Some(Limit { count, .. }) = member.limit.as_ref().filter(|_| within) {
            let counted = (member.service.clone(), count.context, count.nym);
            self.pseudonyms.entry(counted).or_insert((0, count.until)).0 += 1;
        }
        Ok(decided)
    }

    /// Closes a request with these effects, or changes nothing.
    fn close(
        &mut self,
        key: &(ServiceId, RequestId),
        member: &Consume,
        outcome: Outcome,
        effects: &[Effect],
    ) -> Result<Decided, Stale> {
        let row = self.requests.get(key).ok_or(Stale)?;
        if !row.may_close(&member.ground, member.at) || !self.takes(effects) {
            return Err(Stale);
        }
        for effect in effects {
            self.apply(key, effect, member.at);
        }
        if let Some(row) = self.requests.get_mut(key) {
            row.close(outcome);
        }
        Ok(Decided { request: member.request.clone(), outcome })
    }

    /// Whether one more decision of this person may be met.
    fn is_within(&self, service: &ServiceId, count: &Count) -> bool {
        let met =
            self.pseudonyms.get(&(service.clone(), count.context, count.nym)).map_or(0, |known| known.0);
        mutants::skips("store-nym-limit") || met < count.at_most
    }

    /// Whether every effect can be applied, so that a member is applied whole or not at all.
    fn takes(&self, effects: &[Effect]) -> bool {
        effects.iter().all(|effect| match effect {
            Effect::Spend(once, tag) => {
                mutants::skips("store-spent-once") || !self.spent.contains(&(*once, *tag))
            }
            Effect::Decision { jti, .. } => !self.jtis.contains(jti),
            Effect::Leaf(leaf) => !self.leaves.contains(leaf),
            Effect::Outbox(_) | Effect::Tell(..) => true,
            Effect::Permission(new) => self.is_new(new),
        })
    }

    fn tell(&mut self, tenant: Tenant, about: RequestId, topic: &str, at: UnixTime) {
        self.told += 1;
        self.outbox.push(outbox::Kept::new(tenant, about, topic, at, self.told));
    }

    fn apply(&mut self, key: &(ServiceId, RequestId), effect: &Effect, at: UnixTime) {
        match effect {
            Effect::Spend(once, tag) => {
                self.spent.insert((*once, *tag));
            }
            Effect::Decision { jti, signing_input } => {
                self.jtis.insert(jti.clone());
                self.decisions.insert(key.clone(), signing_input.clone());
            }
            Effect::Leaf(leaf) => self.leaves.push(*leaf),
            Effect::Permission(new) => self.give(key, new),
            Effect::Tell(about, topic) => {
                let tenant = self.requests.get(key).map(|row| row.request.tenant());
                if let Some(tenant) = tenant {
                    self.tell(tenant, RequestId(about.0.clone()), topic, at);
                }
            }
            Effect::Outbox(topic) => {
                let tenant = self.requests.get(key).map(|row| row.request.tenant());
                if let Some(tenant) = tenant {
                    self.tell(tenant, key.1.clone(), topic, at);
                }
            }
        }
    }
}

impl Decisions for MemoryStore {
    fn decide_many(&self, members: Vec<Consume>) -> Pending<'_, Vec<Result<Decided, Stale>>> {
        let mut tables = self.tables();
        ready(members.iter().map(|member| tables.decide(member)).collect())
    }

    fn decision<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<StoredDecision>> {
        let tables = self.tables();
        let mut key = (tenant.service.clone(), id.clone());
        if mutants::skips("store-tenant-decision") {
            key.0 = tables
                .decisions
                .keys()
                .find(|(_, known)| known == id)
                .map_or(key.0, |(owner, _)| owner.clone());
        }
        let found = tables.decisions.get(&key).zip(tables.requests.get(&key)).and_then(|(input, row)| {
            let own = mutants::skips("store-env-decision") || row.request.env == tenant.env;
            own.then_some(())?;
            Some(StoredDecision {
                outcome: row.request.outcome?,
                signing_input: input.clone(),
                ref_salt: row.request.reference.as_ref().map(|reference| reference.salt),
            })
        });
        ready(found)
    }

    fn due(&self, now: UnixTime, limit: u32) -> Pending<'_, Vec<Request>> {
        let tables = self.tables();
        let due = tables.requests.values().filter(|row| row.may_close(&Ground::Expiry, now));
        ready(due.take(limit as usize).map(|row| row.request.clone()).collect())
    }
}

impl Guesses for MemoryStore {
    fn take_guess(&self, prefix: Tag, now: UnixTime, most: i64) -> Pending<'_, bool> {
        let mut tables = self.tables();
        let count = tables.guesses.entry((prefix, minute(now))).or_default();
        if !(mutants::skips("store-guesses") || *count < most) {
            return ready(false);
        }
        *count += 1;
        ready(true)
    }

    fn return_guess(&self, prefix: Tag, now: UnixTime) -> Pending<'_, ()> {
        if let Some(count) = self.tables().guesses.get_mut(&(prefix, minute(now))) {
            *count -= 1;
        }
        ready(())
    }

    fn see_register<'a>(&'a self, registrar: &'a str, reg_version: u64) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let seen = tables.registers.entry(registrar.to_owned()).or_default();
        if !(mutants::skips("store-register-version") || reg_version >= *seen) {
            return ready(false);
        }
        *seen = reg_version.max(*seen);
        ready(true)
    }
}

fn opened(new: NewRequest) -> Request {
    Request {
        service: new.service,
        env: new.env,
        id: new.id,
        asked_digest: new.asked.digest,
        policy_id: new.policy_id,
        flow: new.flow,
        status: Status::Open,
        created_at: new.created_at,
        expires_at: new.expires_at,
        close_at: new.expires_at,
        nonce: new.nonce,
        state: new.state,
        sealed: Some(new.sealed),
        code_until: new.code_until,
        session: None,
        response: None,
        error_seen: false,
        attempts: 0,
        lease_until: UnixTime(0),
        finding: None,
        outcome: None,
        reference: new.reference,
        permission: new.permission,
    }
}
