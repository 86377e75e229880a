//! Which link secret each person is held to, and the trait that keeps it.
//!
//! Kept is an HMAC of the pseudonym that the secret has here, once for each person and once for each pseudonym, and the day
//! since when. The proof that came with it is not. A pseudonym whose registration was given up is registered for nobody
//! again: whoever still has that secret has a wallet that was lost.

use jiff::civil::Date;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::{Mac, StoreError};

/// What the write of a linked batch registers, or must find registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The person over all types.
    pub person: Mac,
    /// The pseudonym of the link secret.
    pub nym: Mac,
    /// Since when it is registered; none where this batch registers it.
    pub registered: Option<Date>,
    /// The day that the copies say.
    pub since: Date,
}

/// Why a batch is not issued for this link secret.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum LinkRefusal {
    /// The person has another, or somebody else has this one.
    #[error("the person is registered with another wallet, or this wallet for another person")]
    Other,
    /// The counter has replaced the wallet that has this secret.
    #[error("this wallet was replaced at the counter")]
    Released,
    /// The registration changed while the copies were made. They say another day than it has: make them again.
    #[error("the registration changed meanwhile; ask again")]
    Moved,
}

/// A registration.
#[derive(Clone, Copy)]
pub(super) struct Registered {
    pub(super) person: Mac,
    pub(super) nym: Mac,
    pub(super) since: Date,
}

/// What is kept of a person and of a pseudonym.
pub(super) struct Kept {
    /// All registrations of either.
    pub(super) registered: Vec<Registered>,
    /// Whether a registration with this pseudonym was given up.
    pub(super) released: bool,
}

/// Since when a person is registered with a pseudonym; `None` where neither is registered, and they may be.
pub(super) fn standing(kept: &Kept, person: Mac, nym: Mac) -> Result<Option<Date>, LinkRefusal> {
    let all = &kept.registered;
    // A second secret would be a second name of one person at every service.
    let only = all.iter().all(|one| one.person != person || one.nym == nym);
    if !(mutants::skips("store-link-person") || only) {
        return Err(LinkRefusal::Other);
    }
    // A shared one would let two people act as one, and hide which of them.
    let own = all.iter().all(|one| one.nym != nym || one.person == person);
    if !(mutants::skips("store-link-pseudonym") || own) {
        return Err(LinkRefusal::Other);
    }
    let since = all.first().map(|one| one.since);
    // What the lost wallet had still to send would else be there before the new one.
    if !(mutants::skips("store-link-released") || since.is_some() || !kept.released) {
        return Err(LinkRefusal::Released);
    }
    Ok(since)
}

impl Link {
    /// Whether this batch may be issued by the registrations that there are now.
    pub(super) fn check(&self, kept: &Kept) -> Result<(), LinkRefusal> {
        let as_it_was = standing(kept, self.person, self.nym)? == self.registered;
        if !(mutants::skips("store-link-moved") || as_it_was) {
            return Err(LinkRefusal::Moved);
        }
        Ok(())
    }
}

/// Registrations of link secrets. They are made with the batch that needs them: [`super::Issuing::issue`],
/// [`super::Deferring::collect`].
pub trait Linking: Send + Sync + 'static {
    /// Since when a person is registered with a pseudonym; `None` where neither is registered.
    fn registered(
        &self,
        person: Mac,
        nym: Mac,
    ) -> impl Future<Output = Result<Result<Option<Date>, LinkRefusal>, StoreError>> + Send;

    /// Gives up a person's registration and notes whose, of which pseudonym and when; `false` where there was none.
    ///
    /// Whatever is open under `names`, as the rows of the register name the person, is ended in the same transaction: offers,
    /// tokens without their batch, batches that were put off.
    fn release(
        &self,
        person: Mac,
        names: &[Mac],
        now: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
