//! The live policies with what the registrar signed about them, for anybody: the same bytes for everybody, made when the
//! register and the policies are loaded. What wallets would not read is not published: then the verifier does not start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::published::{Document, MAX_DOCUMENT, MAX_OFFERED};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::trust::Register;

use crate::config::Service;
use crate::question::named_tables;

/// Why the policies of an installation cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishFault {
    /// More bytes than a wallet reads.
    #[error(
        "the policies would be published in {0} bytes, and wallets read {MAX_DOCUMENT}: shorten policies and lists, or divide \
         them among several verifiers"
    )]
    TooLong(usize),
    /// More than a wallet works out.
    #[error(
        "{0} pairs of a policy and a service that may ask by it would be published, and wallets read {MAX_OFFERED}: divide them \
         among several verifiers"
    )]
    TooMany(usize),
}

/// The document of all policies that one of `services` may ask by.
///
/// # Errors
/// [`PublishFault`] where no wallet would read it.
pub(crate) fn document(
    services: &[Service],
    register: &Register,
    policies: &BTreeMap<String, Arc<Policy>>,
) -> Result<Bytes, PublishFault> {
    let ours = services.iter().filter_map(|service| register.service(&service.id));
    let asks = |purposes: &[String]| policies.values().any(|policy| purposes.contains(&policy.purpose));
    let services: Vec<_> = ours.filter(|entry| asks(&entry.document().purposes)).collect();
    let asking = |policy: &Policy| {
        services.iter().filter(|entry| entry.document().purposes.contains(&policy.purpose)).count()
    };
    let policies: Vec<_> = policies.values().filter(|policy| asking(policy) > 0).collect();
    let pairs = policies.iter().map(|policy| asking(policy)).sum();
    if !(mutants::skips("vp-publish-many") || pairs <= MAX_OFFERED) {
        return Err(PublishFault::TooMany(pairs));
    }
    let purposes: BTreeSet<_> = policies.iter().map(|policy| &policy.purpose).collect();
    let purposes = purposes.into_iter().filter_map(|id| register.purpose(id));
    let named: Vec<_> = policies.iter().flat_map(|policy| named_tables(policy)).collect();
    let document = Document {
        services: services.iter().map(|entry| entry.jws().to_owned()).collect(),
        purposes: purposes.map(|purpose| purpose.jws().to_owned()).collect(),
        tables: register.tables().only(&named).iter().map(|table| table.jws().to_owned()).collect(),
        policies: policies.iter().map(|policy| policy.value().clone()).collect(),
    };
    let document = serde_json::to_vec(&document).expect("strings, and policies that were read from JSON");
    if !(mutants::skips("vp-publish-size") || document.len() <= MAX_DOCUMENT) {
        return Err(PublishFault::TooLong(document.len()));
    }
    Ok(document.into())
}
