//! From a policy to a query: a published pure function that verifier and wallet both run.
//!
//! One credential query per accepted type, in order. Of a proof type, bounds become statements and `show`
//! becomes claims; of a plain type, every condition becomes a claim, which the verifier judges. For the first
//! proof type, each bound has a complement that a resident may choose to prove instead.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_proofs::dates::clamp;
use vouchsafe_proofs::encoding::day;
use vouchsafe_proofs::statement::{self as proofs, Predicate};

use super::{Accept, Body, Condition, PolicyRule, Test};
use crate::dcql::{ClaimQuery, CredentialQuery, CredentialSet, Query};
use crate::statement::{Rule, StatementError, Unit, WireStatement, decimal};
use crate::trust::{TableExtract, Tables};
use crate::types::is_proof;

/// What a request asks for, and what each way to answer it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The query, with its statements and one set of options.
    pub query: Query,
    /// The options in the same order, with their outcome.
    pub options: Vec<ContextOption>,
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

/// Why a policy has no plan for a day. The fault of the policy or of the register.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// A table is not in the register.
    #[error("condition {0} needs a table or list that the register does not have in that version")]
    NoTable(String),
    /// A list where a table is needed, or the reverse.
    #[error("condition {0} names a list where it needs a table keyed by birth date, or the reverse")]
    WrongTable(String),
    /// The rule leads nowhere on that day.
    #[error("condition {0} divides nobody from anybody on that day")]
    NoBound(String),
    /// A statement of the plan cannot be proved in this profile.
    #[error("statement {id} of the plan cannot be proved: {fault}")]
    Statement {
        /// Its id.
        id: String,
        /// What is wrong with it.
        fault: StatementError,
    },
}

impl Plan {
    /// Every statement as the proof knows it, in the order of the request.
    ///
    /// # Errors
    /// [`PlanError::Statement`] names the first that cannot be converted: one left out would be one that nobody
    /// has to prove.
    pub fn to_proof(&self) -> Result<Vec<proofs::Statement>, PlanError> {
        let named = |s: &WireStatement, fault| PlanError::Statement { id: s.id.clone(), fault };
        let convert = |s: &WireStatement| s.to_proof().map_err(|fault| named(s, fault));
        self.query.statements.iter().map(convert).collect()
    }
}

/// The query and statements of `policy` for the day `as_of`.
///
/// # Errors
/// [`PlanError`] names the condition.
pub fn plan(policy: &Body, tables: &Tables, as_of: Date) -> Result<Plan, PlanError> {
    let bounds = policy.conditions.iter().map(|c| bound(c, tables, as_of)).collect::<Result<Vec<_>, _>>()?;
    let mut made = Made::default();
    for (i, accept) in policy.accept.iter().enumerate() {
        made.entry(&format!("q{i}"), accept, policy, &bounds);
    }
    if let Some(first) = policy.accept.iter().find(|accept| is_proof(&accept.vct)) {
        for (j, (condition, bound)) in policy.conditions.iter().zip(&bounds).enumerate() {
            made.complements(j, &first.vct, condition, bound.as_ref());
        }
    }
    Ok(made.finish())
}

/// A bound and the rule that it comes from; none for `show`.
type Bound = (Predicate, Rule);

/// What `condition` asks to be proved on that day; `None` for `show`.
///
/// # Errors
/// [`PlanError`] names the condition.
pub(super) fn bound(condition: &Condition, tables: &Tables, as_of: Date) -> Result<Option<Bound>, PlanError> {
    let Some(rule) = &condition.rule else { return Ok(None) };
    let no_bound = || PlanError::NoBound(condition.id.clone());
    let table =
        |id: &str, version| tables.table(id, version).ok_or_else(|| PlanError::NoTable(condition.id.clone()));
    let wrong = || PlanError::WrongTable(condition.id.clone());
    let bound = match rule {
        PolicyRule::AgeAtLeast { unit, n } => {
            let k = born_by(as_of, *n, *unit).ok_or_else(no_bound)?;
            (Predicate::Le(k), Rule::AgeAtLeast { unit: *unit, n: *n })
        }
        PolicyRule::AgeAtMost { unit, n } => {
            // At most n units old is younger than n + 1: born after the last who is that old.
            let k = n.checked_add(1).and_then(|next| born_by(as_of, next, *unit)).ok_or_else(no_bound)?;
            (Predicate::Ge(k + 1), Rule::AgeAtMost { unit: *unit, n: *n })
        }
        PolicyRule::Table { id, version } => {
            let table = table(id, *version)?;
            table.births().ok_or_else(wrong)?;
            let k = table.cutoff(as_of).ok_or_else(no_bound)?;
            (Predicate::Le(k), Rule::Table { id: id.clone(), version: *version, hash: table.hash_text() })
        }
        PolicyRule::Codes { id, version } => {
            let table = table(id, *version)?;
            let (lo, hi) = span(table).ok_or_else(wrong)?;
            (
                Predicate::In { lo, hi },
                Rule::Codes { id: id.clone(), version: *version, hash: table.hash_text() },
            )
        }
        PolicyRule::Fixed {} => (fixed(condition).ok_or_else(no_bound)?, Rule::Fixed {}),
    };
    Ok(Some(bound))
}

/// The last birth date that is `n` units old on `as_of`, encoded.
fn born_by(as_of: Date, n: u32, unit: Unit) -> Option<u64> {
    day(clamp(as_of, n, unit)?).ok()
}

/// The first and last index of a list.
fn span(table: &TableExtract) -> Option<(u64, u64)> {
    let codes = table.codes()?;
    Some((codes.first()?.index.into(), codes.last()?.index.into()))
}

fn fixed(condition: &Condition) -> Option<Predicate> {
    let bound = |text: &Option<String>| decimal(text.as_deref()?);
    match condition.op {
        Test::Le => bound(&condition.k).map(Predicate::Le),
        Test::Ge => bound(&condition.k).map(Predicate::Ge),
        Test::In => {
            let (lo, hi) = (bound(&condition.lo)?, bound(&condition.hi)?);
            (lo <= hi).then_some(Predicate::In { lo, hi })
        }
        Test::Show => None,
    }
}

/// What says the contrary: one bound, or one on each side of an interval; none where no integer is left.
fn contrary(predicate: Predicate) -> Vec<(&'static str, Predicate)> {
    let above = |k: u64| k.checked_add(1).map(Predicate::Ge);
    let below = |k: u64| k.checked_sub(1).map(Predicate::Le);
    match predicate {
        Predicate::Le(k) => above(k).map(|p| ("", p)).into_iter().collect(),
        Predicate::Ge(k) => below(k).map(|p| ("", p)).into_iter().collect(),
        Predicate::In { lo, hi } => {
            [("a", below(lo)), ("b", above(hi))].into_iter().filter_map(|(s, p)| Some((s, p?))).collect()
        }
    }
}

/// A plan in the making.
#[derive(Default)]
struct Made {
    credentials: Vec<CredentialQuery>,
    statements: Vec<WireStatement>,
    options: Vec<ContextOption>,
}

impl Made {
    fn entry(&mut self, query: &str, accept: &Accept, policy: &Body, bounds: &[Option<Bound>]) {
        let proof = is_proof(&accept.vct);
        let mut claims = Vec::new();
        for (condition, bound) in policy.conditions.iter().zip(bounds) {
            match bound {
                Some((predicate, rule)) if proof => {
                    let id = format!("{}-{query}", condition.id);
                    self.statements.push(WireStatement::of(
                        id,
                        query,
                        &condition.pointer,
                        *predicate,
                        rule.clone(),
                    ));
                }
                _ => claims.push(ClaimQuery::at(&condition.pointer)),
            }
        }
        claims.dedup();
        self.credentials.push(CredentialQuery::sd_jwt(
            query,
            &accept.vct,
            (!claims.is_empty()).then_some(claims),
        ));
        self.options.push(ContextOption { queries: vec![query.to_owned()], outcome: PlannedOutcome::Met });
    }

    fn complements(&mut self, j: usize, vct: &str, condition: &Condition, bound: Option<&Bound>) {
        let Some((predicate, rule)) = bound else { return };
        for (side, contrary) in contrary(*predicate) {
            let query = format!("n{j}{side}");
            let id = format!("{}-{query}", condition.id);
            self.statements.push(WireStatement::of(id, &query, &condition.pointer, contrary, rule.clone()));
            self.credentials.push(CredentialQuery::sd_jwt(&query, vct, None));
            self.options.push(ContextOption { queries: vec![query], outcome: PlannedOutcome::NotMet });
        }
    }

    fn finish(self) -> Plan {
        let options = self.options.iter().map(|option| option.queries.clone()).collect();
        let set = CredentialSet { options, required: true };
        let query = Query {
            credentials: self.credentials,
            credential_sets: Some(vec![set]),
            statements: self.statements,
        };
        Plan { query, options: self.options }
    }
}
