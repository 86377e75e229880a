//! What a request asks, pinned when it is made: the policy and the registrar's extracts exactly as they are sent.
//!
//! It is stored once for all requests that ask the same on the same day, so that a register loaded later does not
//! change a request under way. Public documents alone; a request's own secrets are elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vp::transaction_data::TransactionDataError;
use vouchsafe_protocol::policy::{self, Plan, PlanError, Policy, PolicyError};
use vouchsafe_protocol::text::{self, Env};
use vouchsafe_protocol::trust::{Extract, Judge, Purpose, Register, ServiceEntry, Table, Tables, TrustError};

use crate::store::Asked;

/// The most bytes of a stored question.
const MAX_BODY: usize = 1024 * 1024;

/// How many questions are kept ready.
const MOST: usize = 64;

/// A question as it is stored. Closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(with = "text::civil")]
    as_of: Date,
    policy: Value,
    service: String,
    purpose: String,
    tables: Vec<String>,
}

/// A question ready for use.
#[derive(Clone, Debug)]
pub struct Question {
    /// The day of asking.
    pub as_of: Date,
    /// The policy.
    pub policy: Arc<Policy>,
    /// The query, its statements and options.
    pub plan: Plan,
    /// The registrar's entry for the service.
    pub service: Extract<ServiceEntry>,
    /// The registrar's entry for the purpose.
    pub purpose: Extract<Purpose>,
    /// The tables and lists that the policy names.
    pub tables: Tables,
}

/// Why there is no question.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The register lacks a part.
    #[error("the register has no {0} for this policy")]
    Missing(&'static str),
    /// The policy has no plan for the day.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A stored extract does not verify any more.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A stored policy is not one.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A kept entry is not the policy's.
    #[error(transparent)]
    Entry(#[from] TransactionDataError),
    /// What was stored is damaged.
    #[error("a stored question is damaged")]
    Damaged,
}

impl Question {
    /// The question that `policy` asks on `as_of`, by today's register.
    ///
    /// # Errors
    /// [`QuestionError::Missing`] and [`QuestionError::Plan`].
    pub fn new(
        policy: Arc<Policy>,
        service: &str,
        register: &Register,
        as_of: Date,
    ) -> Result<Self, QuestionError> {
        let plan = policy::plan(&policy, register.tables(), as_of)?;
        let service = register.service(service).ok_or(QuestionError::Missing("service"))?.clone();
        let purpose = register.purpose(&policy.purpose).ok_or(QuestionError::Missing("purpose"))?.clone();
        let tables = register.tables().only(&named_tables(&policy));
        Ok(Self { as_of, policy, plan, service, purpose, tables })
    }

    /// The question in the form that is stored.
    #[must_use]
    pub fn to_asked(&self) -> Asked {
        let stored = Stored {
            as_of: self.as_of,
            policy: self.policy.value().clone(),
            service: self.service.jws().to_owned(),
            purpose: self.purpose.jws().to_owned(),
            tables: self.tables.iter().map(|table| table.jws().to_owned()).collect(),
        };
        let body = serde_json::to_string(&stored).expect("strings and a policy that was read from JSON");
        Asked { digest: sha256(&body), body }
    }

    /// Reads [`Question::to_asked`] back; the extracts are verified again, as `judge` says.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub fn from_body(body: &str, judge: &Judge<'_>) -> Result<Self, QuestionError> {
        let stored: Stored = json::typed(body.as_bytes(), MAX_BODY).map_err(|_| QuestionError::Damaged)?;
        let policy = Arc::new(Policy::from_json(stored.policy)?);
        let mut tables = Tables::default();
        for jws in &stored.tables {
            tables.insert(&judge.verify::<Table>(jws)?);
        }
        let plan = policy::plan(&policy, &tables, stored.as_of)?;
        let (service, purpose) = (judge.verify(&stored.service)?, judge.verify(&stored.purpose)?);
        Ok(Self { as_of: stored.as_of, policy, plan, service, purpose, tables })
    }

    /// Test or live, as the register says of the service.
    #[must_use]
    pub fn env(&self) -> Env {
        self.service.document().env
    }
}

/// The tables and lists that a policy names, each once.
pub(crate) fn named_tables(policy: &Policy) -> Vec<(String, u32)> {
    policy.tables().into_iter().map(|(id, version)| (id.to_owned(), version)).collect()
}

/// Questions kept ready, so that their extracts are verified once and not for every answer.
#[derive(Default)]
pub struct Questions(Mutex<HashMap<[u8; 32], Arc<Question>>>);

impl Questions {
    /// What was kept under this digest.
    #[must_use]
    pub fn get(&self, digest: &[u8; 32]) -> Option<Arc<Question>> {
        self.kept().get(digest).cloned()
    }

    /// Keeps a question; when there are too many, all others are forgotten.
    pub fn put(&self, digest: [u8; 32], question: Arc<Question>) {
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(digest, question);
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Question>>> {
        // The map is never left half changed, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
