//! What services have asked, as a store keeps it ([`crate::probing`]).

use std::collections::HashSet;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::{Pending, Tenant};

/// One question about one attribute. Digests: neither is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Probe {
    /// SHA-256 of the credential type and the claim.
    pub attribute: [u8; 32],
    /// SHA-256 of what is asked of it.
    pub question: [u8; 32],
}

/// What a service is about to ask.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The questions.
    pub probes: Vec<Probe>,
    /// When.
    pub now: UnixTime,
    /// What was last asked before this does not count any more.
    pub since: UnixTime,
    /// How many different questions may be asked about one attribute.
    pub most: usize,
}

impl Asking {
    /// Whether it stays within what may be asked, after `known` was. What was asked before is not asked anew.
    pub(super) fn fits(&self, known: &HashSet<Probe>) -> bool {
        let fresh: HashSet<Probe> =
            self.probes.iter().filter(|probe| !known.contains(probe)).copied().collect();
        let of = |all: &HashSet<Probe>, probe: &Probe| {
            all.iter().filter(|one| one.attribute == probe.attribute).count()
        };
        mutants::skips("store-probing-most")
            || fresh.iter().all(|probe| of(known, probe) + of(&fresh, probe) <= self.most)
    }
}

/// The questions that replicas share the count of.
pub trait Probing: Send + Sync {
    /// Keeps what the tenant asks, if all of it stays within what may be asked; otherwise nothing, and `false`.
    fn probe<'a>(&'a self, tenant: &'a Tenant, asking: Asking) -> Pending<'a, bool>;
}
