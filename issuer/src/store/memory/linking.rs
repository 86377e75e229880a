//! Which link secret each person is held to.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::deferring::Stage as DeferredStage;
use super::super::linking::{Kept, Registered, standing};
use super::super::{Link, LinkRefusal, Linking, Mac, Stage, StoreError};
use super::{Memory, Tables};

/// Registrations by person, and the pseudonyms of those that were given up.
#[derive(Clone, Default)]
pub(super) struct Links {
    registered: HashMap<Mac, Registered>,
    released: HashSet<Mac>,
}

impl Links {
    fn of(&self, person: Mac, nym: Mac) -> Kept {
        let of_either = |one: &&Registered| one.person == person || one.nym == nym;
        let registered = self.registered.values().filter(of_either).copied().collect();
        Kept { registered, released: self.released.contains(&nym) }
    }

    /// Registers a link secret, or finds it registered.
    pub(super) fn hold(&mut self, link: &Link) -> Result<(), LinkRefusal> {
        link.check(&self.of(link.person, link.nym))?;
        if link.registered.is_none() {
            let registered = Registered { person: link.person, nym: link.nym, since: link.since };
            self.registered.insert(link.person, registered);
        }
        Ok(())
    }
}

impl Linking for Memory {
    async fn registered(
        &self,
        person: Mac,
        nym: Mac,
    ) -> Result<Result<Option<Date>, LinkRefusal>, StoreError> {
        Ok(standing(&self.tables().links.of(person, nym), person, nym))
    }

    async fn release(&self, person: Mac, names: &[Mac], _now: UnixTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(gone) = tables.links.registered.remove(&person) else { return Ok(false) };
        tables.links.released.insert(gone.nym);
        tables.end(names);
        Ok(true)
    }
}

impl Tables {
    /// Ends what is open under these names.
    fn end(&mut self, names: &[Mac]) {
        let theirs: HashSet<Mac> = self
            .offers
            .iter()
            .filter(|(_, offer)| names.contains(&offer.person))
            .map(|(code, _)| *code)
            .collect();
        let tokens: HashSet<Mac> = self
            .tokens
            .iter()
            .filter(|(_, token)| theirs.contains(&token.offer))
            .map(|(token, _)| *token)
            .collect();
        if !mutants::skips("store-release-offers") {
            let open = self
                .offers
                .iter_mut()
                .filter(|(code, offer)| theirs.contains(code) && offer.stage == Stage::Open);
            open.for_each(|(_, offer)| offer.stage = Stage::Closed);
        }
        if !mutants::skips("store-release-tokens") {
            let unspent = self.tokens.iter_mut().filter(|(token, _)| tokens.contains(token));
            unspent.for_each(|(_, token)| token.spent = true);
        }
        if !mutants::skips("store-release-deferred") {
            let put_off = self.deferred.values_mut().map(|put| &mut put.deferred);
            let open = put_off.filter(|put| {
                tokens.contains(&put.token)
                    && matches!(put.stage, DeferredStage::Waiting | DeferredStage::Approved)
            });
            open.for_each(|put| {
                put.stage = DeferredStage::Refused;
                put.holders = None;
            });
        }
    }
}
