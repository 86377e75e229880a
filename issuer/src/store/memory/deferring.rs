//! Batches that are put off.

use vouchsafe_protocol::time::UnixTime;

use super::super::deferring::{Collect, CollectRefusal, Defer, Deferred, Deferring, Pending, Stage, Verdict};
use super::super::{IssueRefusal, Mac, StoreError};
use super::{Memory, Put, Tables};

impl Deferring for Memory {
    async fn defer(&self, defer: &Defer) -> Result<Result<(), IssueRefusal>, StoreError> {
        let mut tables = self.tables();
        if let Err(refusal) = tables.spend(defer.token, &defer.nonces, defer.now) {
            return Ok(Err(refusal));
        }
        tables.expire(defer.now);
        let deferred =
            Deferred { token: defer.token, holders: Some(defer.holders.clone()), stage: Stage::Waiting };
        let put = Put {
            deferred,
            reference: defer.reference.clone(),
            created_at: defer.now,
            expires_at: defer.expires_at,
        };
        tables.deferred.insert(defer.transaction, put);
        Ok(Ok(()))
    }

    async fn deferred(&self, transaction: Mac) -> Result<Option<Deferred>, StoreError> {
        Ok(self.tables().deferred.get(&transaction).map(|put| put.deferred.clone()))
    }

    async fn collect(&self, collect: &Collect) -> Result<Result<(), CollectRefusal>, StoreError> {
        let mut tables = self.tables();
        let Some(put) = tables.deferred.get_mut(&collect.transaction) else {
            return Ok(Err(CollectRefusal::Closed));
        };
        if let Err(refusal) = put.deferred.stage.check_collectable() {
            return Ok(Err(refusal));
        }
        if let Some(link) = &collect.link
            && let Err(refusal) = tables.links.hold(link)
        {
            return Ok(Err(refusal.into()));
        }
        let Some(put) = tables.deferred.get_mut(&collect.transaction) else {
            return Ok(Err(CollectRefusal::Closed));
        };
        put.deferred.stage = Stage::Collected;
        put.deferred.holders = None;
        let token = put.deferred.token;
        tables.record(token, collect.notification);
        Ok(Ok(()))
    }

    async fn pending(&self, now: UnixTime) -> Result<Vec<Pending>, StoreError> {
        let tables = self.tables();
        let waiting = |put: &&Put| put.deferred.stage == Stage::Waiting && now < put.expires_at;
        let mut pending: Vec<_> =
            tables.deferred.values().filter(waiting).filter_map(|put| tables.told(put)).collect();
        pending.sort_by(|one, other| {
            (one.created_at, &one.reference).cmp(&(other.created_at, &other.reference))
        });
        Ok(pending)
    }

    async fn decide(&self, reference: &str, verdict: Verdict, now: UnixTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let named = |put: &&mut Put| {
            put.reference == reference && put.deferred.stage == Stage::Waiting && now < put.expires_at
        };
        let Some(put) = tables.deferred.values_mut().find(named) else { return Ok(false) };
        put.deferred.stage = match verdict {
            Verdict::Approve => Stage::Approved,
            Verdict::Refuse => Stage::Refused,
        };
        if verdict == Verdict::Refuse {
            put.deferred.holders = None;
        }
        Ok(true)
    }
}

impl Tables {
    /// Forgets the keys of what can no longer be collected.
    fn expire(&mut self, now: UnixTime) {
        for put in self.deferred.values_mut().filter(|put| put.expires_at <= now) {
            put.deferred.holders = None;
        }
    }

    fn told(&self, put: &Put) -> Option<Pending> {
        let offer = self.offers.get(&self.tokens.get(&put.deferred.token)?.offer)?;
        Some(Pending {
            reference: put.reference.clone(),
            type_id: offer.type_id.clone(),
            kind: offer.kind,
            person: offer.person,
            created_at: put.created_at,
        })
    }
}
