//! The policies that a verifier publishes: what its services ask of anybody, so that people can see for themselves how
//! they stand.
//!
//! The document is the same for everybody and holds what the registrar signed about who may ask, what for and by which
//! tables. A policy is not signed: as in a request, it counts as far as the registrar's purpose allows ([`covers_plan`]).
//! Nobody is asked by it, and nothing can be answered.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::ReplyTo;

use super::carried::one_register;
use super::request::RequestError;
use super::{Asked, Party};
use crate::json;
use crate::policy::{Policy, covers_permission, covers_plan};
use crate::text::Env;
use crate::trust::{Extract, Judge, Purpose, ServiceEntry, Table, Tables};

/// The most bytes of a document: a verifier publishes no more, and a wallet reads no more.
pub const MAX_DOCUMENT: usize = 4 * 1024 * 1024;

/// The most pairs of a policy and a service that may ask by it, likewise: each is worked out, and somebody is to read them.
pub const MAX_OFFERED: usize = 500;

/// The document as it is published. Members that are not known are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The registrar's entries of the services that ask, as signed.
    pub services: Vec<String>,
    /// The registrar's entries of the purposes that they ask for, as signed.
    pub purposes: Vec<String>,
    /// The registrar's tables and lists that the policies name, as signed.
    pub tables: Vec<String>,
    /// The policies.
    pub policies: Vec<Value>,
}

/// A document whose registrar's parts were verified.
pub struct Published {
    services: Vec<Extract<ServiceEntry>>,
    purposes: Vec<Extract<Purpose>>,
    tables: Tables,
    policies: Vec<Value>,
    pairs: Vec<Pair>,
    reg_version: u64,
}

/// A policy, its purpose and a service that may ask for it, by their places.
#[derive(Clone, Copy)]
struct Pair {
    policy: usize,
    purpose: usize,
    service: usize,
}

/// What one service asks by one policy.
pub struct Offered<'a> {
    /// Who asks.
    pub service: &'a ServiceEntry,
    /// What for.
    pub purpose: &'a Purpose,
    /// The question on the day; why a wallet would refuse to be asked so.
    pub asked: Result<Asked, RequestError>,
}

impl Published {
    /// Verifies what the registrar signed; services of the other environment than `env` are passed over, and so is what
    /// stands there twice. A document of more than [`MAX_OFFERED`] pairs is refused.
    ///
    /// # Errors
    /// [`RequestError`] of the first part that does not hold.
    pub fn read(document: &[u8], env: Env, judge: &Judge<'_>) -> Result<Self, RequestError> {
        let document: Document = json::typed(document, MAX_DOCUMENT).map_err(|_| RequestError::Malformed)?;
        let services = document.services.iter().map(|jws| judge.verify::<ServiceEntry>(jws));
        let mut services = services.collect::<Result<Vec<_>, _>>().map_err(RequestError::Service)?;
        let purposes = document.purposes.iter().map(|jws| judge.verify::<Purpose>(jws));
        let purposes = purposes.collect::<Result<Vec<_>, _>>().map_err(RequestError::Purpose)?;
        let mut versions: Vec<u64> = services.iter().map(|one| one.document().reg_version).collect();
        versions.extend(purposes.iter().map(|one| one.document().reg_version));
        let mut tables = Tables::default();
        for jws in &document.tables {
            let table = judge.verify::<Table>(jws).map_err(RequestError::Table)?;
            versions.push(table.document().reg_version);
            tables.insert(&table);
        }
        let reg_version = versions.first().copied().unwrap_or_default();
        versions.into_iter().try_for_each(|version| one_register(reg_version, version))?;
        services.retain(|one| mutants::skips("vp-published-env") || one.document().env == env);
        let mut policies = document.policies;
        once(&mut services, |one| one.document().sub.clone());
        once(&mut policies, Value::to_string);
        let pairs = pairs(&services, &purposes, &policies)?;
        Ok(Self { services, purposes, tables, policies, pairs, reg_version })
    }

    /// The registrar that signed, if anything was signed.
    #[must_use]
    pub fn registrar(&self) -> Option<&str> {
        self.services.first().map(|service| service.document().iss.as_str())
    }

    /// The version of the register that all of it is from.
    #[must_use]
    pub fn reg_version(&self) -> u64 {
        self.reg_version
    }

    /// Each policy with each service that the registrar lets ask for its purpose: each pair once, [`MAX_OFFERED`] at most.
    pub fn offered(&self, as_of: Date) -> impl Iterator<Item = Offered<'_>> {
        self.pairs.iter().map(move |pair| {
            let (service, purpose) =
                (self.services[pair.service].document(), self.purposes[pair.purpose].document());
            let asked = self.asked(&self.policies[pair.policy], service, purpose, as_of);
            Offered { service, purpose, asked }
        })
    }

    fn asked(
        &self,
        policy: &Value,
        service: &ServiceEntry,
        purpose: &Purpose,
        as_of: Date,
    ) -> Result<Asked, RequestError> {
        let policy = Policy::from_json(policy.clone()).map_err(|_| RequestError::Policy)?;
        let asked = Asked::new(nobody(service), policy, self.tables.clone(), as_of);
        let asked = asked.map_err(RequestError::Plan)?;
        let covered = covers_plan(purpose, asked.plan()).map_err(RequestError::OverAsking);
        covered
            .or_else(|refused| if mutants::skips("vp-published-covers") { Ok(()) } else { Err(refused) })?;
        let permitted = covers_permission(purpose, asked.policy());
        if !mutants::skips("vp-published-permission") {
            permitted.map_err(|refused| RequestError::TransactionData(refused.into()))?;
        }
        Ok(asked)
    }
}

/// Leaves the first of what has one name.
fn once<T>(all: &mut Vec<T>, name: impl Fn(&T) -> String) {
    let mut seen = HashSet::new();
    all.retain(|one| seen.insert(name(one)) || mutants::skips("vp-published-once"));
}

/// The pairs in the order of the policies. The work is that of reading the document: whoever wrote it chose how much of each
/// there is.
fn pairs(
    services: &[Extract<ServiceEntry>],
    purposes: &[Extract<Purpose>],
    policies: &[Value],
) -> Result<Vec<Pair>, RequestError> {
    let mut may: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (place, service) in services.iter().enumerate() {
        let registered =
            service.document().purposes.iter().filter(|_| !mutants::skips("vp-published-purpose"));
        let anybody = purposes.iter().map(|one| &one.document().sub);
        let anybody = anybody.filter(|_| mutants::skips("vp-published-purpose"));
        registered.chain(anybody).for_each(|purpose| {
            may.entry(purpose).or_default().insert(place);
        });
    }
    let known: BTreeMap<&str, usize> =
        purposes.iter().enumerate().rev().map(|(place, one)| (one.document().sub.as_str(), place)).collect();
    let mut pairs = Vec::new();
    for (policy, value) in policies.iter().enumerate() {
        let name = value.get("purpose").and_then(Value::as_str).unwrap_or_default();
        let Some(&purpose) = known.get(name) else { continue };
        let asking = may.get(name).into_iter().flatten();
        pairs.extend(asking.map(|&service| Pair { policy, purpose, service }));
        if !(mutants::skips("vp-published-many") || pairs.len() <= MAX_OFFERED) {
            return Err(RequestError::TooManyOffered);
        }
    }
    Ok(pairs)
}

/// There is no request: an answer would have nowhere to go, and no verifier would take it.
fn nobody(service: &ServiceEntry) -> Party {
    Party {
        service: service.sub.clone(),
        client_id: String::new(),
        nonce: String::new(),
        state_sha256: [0; 32],
        reply_to: ReplyTo::ResponseUri(String::new()),
        encryption_key: None,
    }
}
