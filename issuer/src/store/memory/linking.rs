//! Which link secret each person is held to.

use std::collections::HashMap;

use jiff::civil::Date;
use vouchsafe_protocol::time::UnixTime;

use super::super::linking::{Registered, standing};
use super::super::{Link, LinkRefusal, Linking, Mac, StoreError};
use super::Memory;

/// Registrations by person.
#[derive(Clone, Default)]
pub(super) struct Links {
    registered: HashMap<Mac, Registered>,
    released: Vec<(Mac, UnixTime)>,
}

impl Links {
    fn of(&self, person: Mac, nym: Mac) -> Vec<Registered> {
        let of_either = |one: &&Registered| one.person == person || one.nym == nym;
        self.registered.values().filter(of_either).copied().collect()
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

    async fn release(&self, person: Mac, now: UnixTime) -> Result<bool, StoreError> {
        let links = &mut self.tables().links;
        let gone = links.registered.remove(&person).is_some();
        links.released.extend(gone.then_some((person, now)));
        Ok(gone)
    }
}
