//! What services have asked, in memory.

use super::super::probing::{Asking, Probing};
use super::super::{Pending, Tenant};
use super::{MemoryStore, ready};

impl Probing for MemoryStore {
    fn probe<'a>(&'a self, tenant: &'a Tenant, asking: Asking) -> Pending<'a, bool> {
        let mut tables = self.tables();
        let asked = tables.probes.entry(tenant.clone()).or_default();
        asked.retain(|_, last| *last >= asking.since);
        let fits = asking.fits(&asked.keys().copied().collect());
        if fits {
            asked.extend(asking.probes.iter().map(|probe| (*probe, asking.now)));
        }
        ready(fits)
    }
}
