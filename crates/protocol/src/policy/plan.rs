//! From a policy to a query: a published pure function that verifier and wallet both run.
//!
//! Of a policy with `accept`: one credential query per accepted type, in order. Of a proof type, bounds become
//! statements and `show` becomes claims; of a plain type, every condition becomes a claim, which the verifier judges.
//! For the first proof type, each bound has a complement that a resident may choose to prove instead. Of a policy with
//! ways: see [`super::joined`].

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_proofs::statement as proofs;

use super::bound::{Bound, PlanError, bound, contrary};
use super::{Accept, AskedPseudonym, Body, Condition, joined};
use crate::dcql::{ClaimQuery, CredentialQuery, CredentialSet, Query};
use crate::statement::{Term, WireStatement};
use crate::trust::Tables;
use crate::types::is_proof;

/// What a request asks for, and what each way to answer it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The query, with its statements and one set of options.
    pub query: Query,
    /// The options in the same order, with their outcome.
    pub options: Vec<ContextOption>,
    /// What the answer is known by: each option then has one of its queries.
    pub pseudonym: Option<AskedPseudonym>,
    needed: Vec<Needed>,
    shown: Vec<Vec<Shown>>,
}

/// One way to answer. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextOption {
    /// The queries that are answered.
    pub queries: Vec<String>,
    /// What such an answer means.
    pub outcome: PlannedOutcome,
}

/// What an answer by an option means, when its evidence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedOutcome {
    /// Every condition holds.
    Met,
    /// A condition does not hold: a complement.
    NotMet,
}

/// The credential that answers a query, as the policy wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The query's id.
    pub query: String,
    /// Its type.
    pub vct: String,
    /// The issuers that count.
    pub iss: Vec<String>,
    /// The greatest age of its facts, in days.
    pub max_age_days: u32,
    /// What its always visible claim `period` must say; `None` where nothing is asked of it.
    pub period: Option<String>,
    /// Whose it is, by a label of the policy; queries of one label are about one person.
    pub person: Option<String>,
}

/// A claim that an option shows, and the condition that its value is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The query.
    pub query: String,
    /// The claim.
    pub pointer: String,
    /// What must hold of it.
    pub condition: Condition,
}

impl Plan {
    /// The credential that answers the query `id`.
    #[must_use]
    pub fn needed(&self, id: &str) -> Option<&Needed> {
        self.needed.iter().find(|needed| needed.query == id)
    }

    /// What the option at `index` shows, to be judged by its value. Nothing for a complement.
    #[must_use]
    pub fn shown(&self, index: usize) -> &[Shown] {
        self.shown.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The statements that apply to the option at `index`, in the order of the request.
    pub fn statements(&self, index: usize) -> impl Iterator<Item = &WireStatement> {
        let queries = self.options.get(index).map(|option| option.queries.as_slice()).unwrap_or_default();
        self.query.statements.iter().filter(move |s| s.terms.iter().all(|t| queries.contains(&t.query)))
    }

    /// Every statement as the proof knows it, in the order of the request.
    ///
    /// # Errors
    /// [`PlanError::Statement`] names the first that cannot be converted: one left out would be one that nobody
    /// has to prove.
    pub fn to_proof(&self, tables: &Tables) -> Result<Vec<proofs::Statement>, PlanError> {
        let named = |s: &WireStatement, fault| PlanError::Statement { id: s.id.clone(), fault };
        let convert = |s: &WireStatement| s.to_proof(tables).map_err(|fault| named(s, fault));
        self.query.statements.iter().map(convert).collect()
    }
}

/// The query and statements of `policy` for the day `as_of`.
///
/// # Errors
/// [`PlanError`] names the condition.
pub fn plan(policy: &Body, tables: &Tables, as_of: Date) -> Result<Plan, PlanError> {
    let mut made = Made::default();
    for (i, way) in policy.ways.iter().enumerate() {
        joined::way(&mut made, i, way, tables, as_of)?;
    }
    let bounds = policy.conditions.iter().map(|c| bound(c, tables, as_of)).collect::<Result<Vec<_>, _>>()?;
    for (i, accept) in policy.accept.iter().enumerate() {
        made.entry(format!("q{i}"), accept, policy, &bounds);
    }
    // Whoever says the contrary shows no name with it, and permits nothing.
    let contraries = policy.pseudonym.is_none() && policy.permission.is_none();
    let first = policy.accept.iter().find(|accept| is_proof(&accept.vct) && contraries);
    if let Some(first) = first {
        for (j, (condition, bound)) in policy.conditions.iter().zip(&bounds).enumerate() {
            made.complements(j, first, condition, bound.as_ref());
        }
    }
    Ok(Plan { pseudonym: pseudonym(policy, &made, as_of), ..made.finish() })
}

/// What the answer is known by: of the need that the policy names in each way, or of the accepted credential.
fn pseudonym(policy: &Body, made: &Made, as_of: Date) -> Option<AskedPseudonym> {
    let said = policy.pseudonym.as_ref()?;
    let queries = made.needed.iter().map(|needed| needed.query.clone());
    let named = queries.filter(|query| policy.ways.is_empty() || said.needs.contains(query));
    Some(said.asked(as_of, named.collect()))
}

/// A plan in the making.
#[derive(Default)]
pub(super) struct Made {
    pub(super) statements: Vec<WireStatement>,
    credentials: Vec<CredentialQuery>,
    options: Vec<ContextOption>,
    needed: Vec<Needed>,
    shown: Vec<Vec<Shown>>,
}

impl Made {
    /// A query for a credential, with the claims that are asked of it.
    pub(super) fn need(&mut self, needed: Needed, claims: Vec<ClaimQuery>) {
        let claims = (!claims.is_empty()).then_some(claims);
        self.credentials.push(CredentialQuery::sd_jwt(&needed.query, &needed.vct, claims));
        self.needed.push(needed);
    }

    pub(super) fn option(&mut self, queries: Vec<String>, outcome: PlannedOutcome, shown: Vec<Shown>) {
        self.options.push(ContextOption { queries, outcome });
        self.shown.push(shown);
    }

    fn entry(&mut self, query: String, accept: &Accept, policy: &Body, bounds: &[Option<Bound>]) {
        let proof = is_proof(&accept.vct);
        let (mut claims, mut shown) = (Vec::new(), Vec::new());
        for (condition, bound) in policy.conditions.iter().zip(bounds) {
            match bound {
                Some(bound) if proof => self.bound(&query, condition, bound.clone()),
                _ => {
                    claims.push(ClaimQuery::at(&condition.pointer));
                    let (query, pointer) = (query.clone(), condition.pointer.clone());
                    shown.push(Shown { query, pointer, condition: condition.clone() });
                }
            }
        }
        claims.dedup();
        self.need(accepted(&query, accept), claims);
        self.option(vec![query], PlannedOutcome::Met, shown);
    }

    fn bound(&mut self, query: &str, condition: &Condition, (predicate, rule): Bound) {
        let id = format!("{}-{query}", condition.id);
        let term = Term { query: query.to_owned(), pointer: condition.pointer.clone(), coeff: 1 };
        self.statements.push(WireStatement::of(id, vec![term], &predicate, rule));
    }

    fn complements(&mut self, j: usize, accept: &Accept, condition: &Condition, bound: Option<&Bound>) {
        let Some((predicate, rule)) = bound else { return };
        for (side, contrary) in contrary(predicate) {
            let query = format!("n{j}{side}");
            self.bound(&query, condition, (contrary, rule.clone()));
            self.need(accepted(&query, accept), Vec::new());
            self.option(vec![query], PlannedOutcome::NotMet, Vec::new());
        }
    }

    fn finish(self) -> Plan {
        let Self { statements, credentials, options, needed, shown } = self;
        let sets = options.iter().map(|option| option.queries.clone()).collect();
        let set = CredentialSet { options: sets, required: true };
        let query = Query { credentials, credential_sets: Some(vec![set]), statements };
        Plan { query, options, pseudonym: None, needed, shown }
    }
}

fn accepted(query: &str, accept: &Accept) -> Needed {
    let Accept { vct, iss, max_age_days } = accept.clone();
    Needed { query: query.to_owned(), vct, iss, max_age_days, period: None, person: None }
}
