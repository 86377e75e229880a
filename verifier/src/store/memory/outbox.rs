//! Messages for services, in memory.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::outbox::{DELIVERY_SECONDS, Delivery, KEEP_SECONDS, Message, Outbox, Settled, TRY_SECONDS};
use super::super::{Pending, RequestId, Tenant};
use super::{MemoryStore, ready};

/// A message with what is kept beside it.
pub(super) struct Kept {
    tenant: Tenant,
    event: Option<String>,
    message: Message,
}

impl Kept {
    pub(super) fn new(tenant: Tenant, about: RequestId, topic: &str, at: UnixTime, position: usize) -> Self {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let (topic, state) = (topic.to_owned(), Delivery::Waiting);
        let message = Message {
            position,
            about,
            topic,
            created_at: at,
            again_at: None,
            state,
            attempts: 0,
            next_at: at,
        };
        Self { tenant, event: None, message }
    }

    /// Whether it is still kept at `now`.
    pub(super) fn is_kept(&self, now: UnixTime) -> bool {
        let message = &self.message;
        message.created_at > now.minus(KEEP_SECONDS)
            || (message.state == Delivery::Waiting && message.next_at > now.minus(TRY_SECONDS))
    }

    fn is_of(&self, tenant: &Tenant, any_tenant: bool, any_env: bool) -> bool {
        (any_tenant || self.tenant.service == tenant.service) && (any_env || self.tenant.env == tenant.env)
    }

    fn claim(&mut self, now: UnixTime) -> Message {
        self.message.attempts += 1;
        self.message.next_at = now.plus(DELIVERY_SECONDS);
        self.message.clone()
    }
}

impl Outbox for MemoryStore {
    fn tell<'a>(
        &'a self,
        tenant: &'a Tenant,
        about: RequestId,
        topic: &'static str,
        now: UnixTime,
    ) -> Pending<'a, ()> {
        self.tables().tell(tenant.clone(), about, topic, now);
        ready(())
    }

    fn claim<'a>(&'a self, tenant: &'a Tenant, now: UnixTime, limit: u32) -> Pending<'a, Vec<Message>> {
        let mut tables = self.tables();
        let (any_tenant, any_env) = (mutants::skips("store-tenant-claim"), mutants::skips("store-env-claim"));
        let due = |kept: &Kept| {
            (mutants::skips("store-claim-waiting") || kept.message.state == Delivery::Waiting)
                && (mutants::skips("store-claim-due") || kept.message.next_at <= now)
        };
        let mut due: Vec<_> = tables
            .outbox
            .iter_mut()
            .filter(|kept| kept.is_of(tenant, any_tenant, any_env) && due(kept))
            .collect();
        due.sort_by_key(|kept| (kept.message.next_at, kept.message.position));
        due.truncate(limit as usize);
        let mut claimed: Vec<_> = due.into_iter().map(|kept| kept.claim(now)).collect();
        claimed.sort_by_key(|message| message.position);
        ready(claimed)
    }

    fn settle<'a>(
        &'a self,
        tenant: &'a Tenant,
        claimed: &'a Message,
        event: &'a str,
        how: Settled,
        now: UnixTime,
    ) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let own = |kept: &&mut Kept| {
            let message = &kept.message;
            kept.is_of(tenant, false, true)
                && message.position == claimed.position
                && message.state == Delivery::Waiting
                && (mutants::skips("store-settle-claim") || message.next_at == claimed.next_at)
        };
        let Some(kept) = tables.outbox.iter_mut().find(own) else { return ready(false) };
        kept.event = Some(event.to_owned());
        kept.message.state = how.state();
        kept.message.next_at = if let Settled::Again(at) = how { at } else { now };
        ready(true)
    }

    fn send_again<'a>(&'a self, tenant: &'a Tenant, event: &'a str, now: UnixTime) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let (any_tenant, any_env) = (mutants::skips("store-tenant-again"), mutants::skips("store-env-again"));
        let over =
            |kept: &Kept| mutants::skips("store-again-over") || kept.message.state != Delivery::Waiting;
        let named = |kept: &&mut Kept| {
            kept.is_of(tenant, any_tenant, any_env) && kept.event.as_deref() == Some(event) && over(kept)
        };
        let Some(kept) = tables.outbox.iter_mut().find(named) else { return ready(false) };
        let message = &mut kept.message;
        (message.state, message.attempts) = (Delivery::Waiting, 0);
        (message.next_at, message.again_at) = (now, Some(now));
        ready(true)
    }

    fn messages<'a>(
        &'a self,
        tenant: &'a Tenant,
        state: Option<Delivery>,
        after: i64,
        limit: u32,
    ) -> Pending<'a, Vec<Message>> {
        let tables = self.tables();
        let (any_tenant, any_env) =
            (mutants::skips("store-tenant-messages"), mutants::skips("store-env-messages"));
        let own = tables.outbox.iter().filter(|kept| kept.is_of(tenant, any_tenant, any_env));
        let all = own.map(|kept| &kept.message);
        let wanted = all.filter(|one| one.position > after && state.is_none_or(|state| one.state == state));
        ready(wanted.take(limit as usize).cloned().collect())
    }
}
