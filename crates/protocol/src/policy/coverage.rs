//! What a purpose allows, and what a policy costs.

use jiff::civil::Date;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer;
use vouchsafe_proofs::planner::{self, Declared};
use vouchsafe_proofs::statement::{Statement, Term};

use super::plan::{ContextOption, PlanError, PlannedOutcome, plan};
use super::{Body, Test};
use crate::dcql::{DcqlError, Query};
use crate::statement::{MAX_STATEMENTS, Op, WireStatement};
use crate::trust::{How, Purpose, Tables};
use crate::types::{Answer, CredentialType, is_proof};

/// A request asks for more than its purpose allows.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the purpose does not allow to ask for {pointer} of {vct} in this way ({how})")]
pub struct NotCovered {
    /// The credential type.
    pub vct: String,
    /// The attribute.
    pub pointer: String,
    /// `show`, `le`, `ge` or `in`.
    pub how: &'static str,
}

/// Whether every statement and every shown claim of `query` is among what `purpose` may ask.
///
/// # Errors
/// [`NotCovered`] names the first that is not.
pub fn covers(purpose: &Purpose, query: &Query) -> Result<(), NotCovered> {
    for statement in &query.statements {
        for term in &statement.terms {
            let vcts = query.credential(&term.query).map(|q| q.vct_values()).unwrap_or_default();
            let covered = |vct: &&str| allows_statement(purpose, vct, &term.pointer, statement);
            if !(mutants::skips("vp-may-ask-statement") || (!vcts.is_empty() && vcts.iter().all(covered))) {
                return Err(not_covered(&vcts, &term.pointer, op_name(statement.op)));
            }
        }
    }
    for credential in &query.credentials {
        let vcts = credential.vct_values();
        for claim in credential.claims.iter().flatten() {
            // A path with an index or a null has no pointer and cannot be allowed.
            let pointer = claim.pointer().unwrap_or_default();
            let covered = |vct: &&str| allows_show(purpose, vct, &pointer);
            if !(mutants::skips("vp-may-ask-claim") || (!vcts.is_empty() && vcts.iter().all(covered))) {
                return Err(not_covered(&vcts, &pointer, "show"));
            }
        }
    }
    Ok(())
}

fn allows_statement(purpose: &Purpose, vct: &str, pointer: &str, statement: &WireStatement) -> bool {
    let how = match statement.op {
        Op::Le => How::Le,
        Op::Ge => How::Ge,
        Op::In => How::In,
    };
    purpose.may_ask.iter().any(|may| {
        may.vct == vct && may.pointer == pointer && may.how == how && may.rules.contains(&statement.rule)
    })
}

fn allows_show(purpose: &Purpose, vct: &str, pointer: &str) -> bool {
    purpose.may_ask.iter().any(|may| may.vct == vct && may.pointer == pointer && may.how == How::Show)
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Le => "le",
        Op::Ge => "ge",
        Op::In => "in",
    }
}

fn not_covered(vcts: &[&str], pointer: &str, how: &'static str) -> NotCovered {
    NotCovered { vct: vcts.join(", "), pointer: pointer.to_owned(), how }
}

/// What one way to answer costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The queries of the option.
    pub queries: Vec<String>,
    /// What it means.
    pub outcome: PlannedOutcome,
    /// Statements that apply.
    pub statements: usize,
    /// The width of the aggregate in bits; 0 without statements.
    pub n: usize,
    /// Its entries with padding.
    pub m: usize,
    /// The proof's length in bytes.
    pub bytes: usize,
}

/// Why a policy does not load for a day.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CheckError {
    /// No plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// More than the purpose allows.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// The policy names another purpose.
    #[error("the policy asks for another purpose than the one it is checked against")]
    Purpose,
    /// An accepted type is not known.
    #[error("the policy accepts {0}, a type that is not loaded")]
    UnknownType(String),
    /// A condition cannot be answered by a type.
    #[error("condition {id} cannot be answered from {vct}: {why}")]
    Condition {
        /// The condition.
        id: String,
        /// The type.
        vct: String,
        /// What to mend.
        why: &'static str,
    },
    /// More statements than a wallet takes.
    #[error(
        "the policy's plan has {0} statements with the contraries, and wallets refuse a request with more than {MAX_STATEMENTS}: take out conditions or accepted proof types, or make two policies of it"
    )]
    TooManyStatements(usize),
    /// A query that a wallet refuses for another reason.
    #[error("wallets would refuse what the policy asks: {0}; mend the pointers and the number of conditions")]
    Refused(DcqlError),
    /// A bound or a width that cannot be proved.
    #[error("an option of the policy cannot be proved from the declared ranges: {0}")]
    Range(#[from] planner::PlanError),
}

/// Everything that is looked at before a policy is used: plan, what wallets take, purpose, types and ranges. The
/// result is what each option costs.
///
/// # Errors
/// [`CheckError`].
pub fn check(
    policy: &Body,
    purpose: &Purpose,
    tables: &Tables,
    types: &[CredentialType],
    as_of: Date,
) -> Result<Vec<Cost>, CheckError> {
    if policy.purpose != purpose.sub {
        return Err(CheckError::Purpose);
    }
    let plan = plan(policy, tables, as_of)?;
    check_taken(&plan.query)?;
    covers(purpose, &plan.query)?;
    check_types(policy, types)?;
    let statements = plan.to_proof()?;
    let cost = |option: &ContextOption| match cost(&plan.query, &statements, option, types) {
        // A contrary that nobody within the declared range can prove stays unused.
        Err(planner::PlanError::Bound) if option.outcome == PlannedOutcome::NotMet => None,
        other => Some(other.map_err(CheckError::Range)),
    };
    plan.options.iter().filter_map(cost).collect()
}

/// The query goes through the checks of a wallet, in the form in which it is sent: what every wallet would refuse
/// must not be found out by residents.
fn check_taken(query: &Query) -> Result<(), CheckError> {
    let sent = serde_json::to_value(query).expect("a query is strings and integers");
    let statements = query.statements.len();
    match Query::from_value(&sent) {
        Err(_) if mutants::skips("vp-policy-taken") => Ok(()),
        Err(DcqlError::Length) if statements > MAX_STATEMENTS => {
            Err(CheckError::TooManyStatements(statements))
        }
        read => read.map(drop).map_err(CheckError::Refused),
    }
}

fn check_types(policy: &Body, types: &[CredentialType]) -> Result<(), CheckError> {
    for accept in &policy.accept {
        let known = types
            .iter()
            .find(|t| t.has_vct(&accept.vct))
            .ok_or_else(|| CheckError::UnknownType(accept.vct.clone()))?;
        for condition in &policy.conditions {
            let answer = if is_proof(&accept.vct) && condition.op != Test::Show {
                Answer::Prove
            } else {
                Answer::Show
            };
            let why = match known.attribute(&condition.pointer) {
                None => "the type has no such attribute",
                Some(attribute) if !attribute.may(answer) && answer == Answer::Prove => {
                    "the attribute cannot be proved"
                }
                Some(attribute) if !attribute.may(answer) => "the attribute cannot be shown",
                Some(_) => continue,
            };
            return Err(CheckError::Condition { id: condition.id.clone(), vct: accept.vct.clone(), why });
        }
    }
    Ok(())
}

fn cost(
    query: &Query,
    all: &[Statement],
    option: &ContextOption,
    types: &[CredentialType],
) -> Result<Cost, planner::PlanError> {
    let applies = |s: &&Statement| s.terms.iter().all(|term| option.queries.contains(&term.query));
    let statements: Vec<_> = all.iter().filter(applies).cloned().collect();
    let mut cost = Cost {
        queries: option.queries.clone(),
        outcome: option.outcome,
        statements: statements.len(),
        n: 0,
        m: 0,
        bytes: 0,
    };
    if !statements.is_empty() {
        let aggregate = planner::plan(&statements, |term| declared(query, types, term))?;
        (cost.n, cost.m, cost.bytes) = (aggregate.n, aggregate.m, answer::length(&aggregate));
    }
    Ok(cost)
}

fn declared(query: &Query, types: &[CredentialType], term: &Term) -> Option<Declared> {
    let vct = *query.credential(&term.query)?.vct_values().first()?;
    let form = types.iter().find(|t| t.has_vct(vct))?.attribute(&term.pointer)?.form()?;
    Some(Declared { enc: form.enc, range: form.range })
}
