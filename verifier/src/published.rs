//! The live policies with what the registrar signed about them, for anybody: the same bytes for everybody, made when the
//! register and the policies are loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vouchsafe_protocol::openid4vp::published::Document;
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::trust::Register;

use crate::config::Service;
use crate::question::named_tables;

/// The document of all policies that one of `services` may ask by.
pub(crate) fn document(
    services: &[Service],
    register: &Register,
    policies: &BTreeMap<String, Arc<Policy>>,
) -> String {
    let ours = services.iter().filter_map(|service| register.service(&service.id));
    let asks = |purposes: &[String]| policies.values().any(|policy| purposes.contains(&policy.purpose));
    let services: Vec<_> = ours.filter(|entry| asks(&entry.document().purposes)).collect();
    let may = |policy: &&Arc<Policy>| {
        services.iter().any(|entry| entry.document().purposes.contains(&policy.purpose))
    };
    let policies: Vec<_> = policies.values().filter(may).collect();
    let purposes: BTreeSet<_> = policies.iter().map(|policy| &policy.purpose).collect();
    let purposes = purposes.into_iter().filter_map(|id| register.purpose(id));
    let named: Vec<_> = policies.iter().flat_map(|policy| named_tables(policy)).collect();
    let document = Document {
        services: services.iter().map(|entry| entry.jws().to_owned()).collect(),
        purposes: purposes.map(|purpose| purpose.jws().to_owned()).collect(),
        tables: register.tables().only(&named).iter().map(|table| table.jws().to_owned()).collect(),
        policies: policies.iter().map(|policy| policy.value().clone()).collect(),
    };
    serde_json::to_string(&document).expect("strings, and policies that were read from JSON")
}
