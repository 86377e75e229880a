//! Everything that is looked at before a policy is used, and what it costs.

use jiff::civil::Date;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer;
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_proofs::planner::{self, Declared};
use vouchsafe_proofs::statement::{Statement, Term};

use super::bound::{Crowd, PlanError};
use super::coverage::{NotCovered, covers_plan};
use super::permission::{PermissionNotCovered, covers_permission};
use super::plan::{ContextOption, Plan, PlannedOutcome, plan};
use super::{Body, Condition, Need, Test, Way};
use crate::dcql::{DcqlError, Query};
use crate::statement::{MAX_STATEMENTS, WireStatement};
use crate::trust::{Purpose, Tables};
use crate::types::{Answer, Attribute, CredentialType, is_proof};

/// What one way to answer costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The queries of the option.
    pub queries: Vec<String>,
    /// What it means.
    pub outcome: PlannedOutcome,
    /// Statements that apply.
    pub statements: usize,
    /// Sub-proofs, the aggregate of range entries among them.
    pub sub_proofs: usize,
    /// The width of the aggregate in bits; 0 without one.
    pub n: usize,
    /// Its entries with padding; 0 without one.
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
    /// A permission that the purpose does not allow.
    #[error(transparent)]
    Permission(#[from] PermissionNotCovered),
    /// The policy names another purpose.
    #[error("the policy asks for another purpose than the one it is checked against")]
    Purpose,
    /// An accepted type is not known.
    #[error("the policy accepts {0}, a type that is not loaded")]
    UnknownType(String),
    /// An accepted type says totals of a period, and only a way says of which.
    #[error("the policy accepts {0}, which says totals of a period: write ways, or the resident chooses one")]
    NoPeriod(String),
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
    /// A need cannot be answered by its type.
    #[error("need {id} cannot be answered from {vct}: {why}")]
    Need {
        /// The need.
        id: String,
        /// The type.
        vct: String,
        /// What to mend.
        why: &'static str,
    },
    /// A pseudonym from a type whose issuer holds nobody to one secret.
    #[error(
        "no pseudonym can be shown from {0}: its issuer does not link its copies to one secret of each person"
    )]
    NotLinked(String),
    /// A statement that singles people out.
    #[error("statement {0} is asked of too small a crowd: {Crowd}")]
    Crowd(String),
    /// Two texts that their types write in different ways.
    #[error(
        "statement {0} compares texts of two patterns: of two spellings of one, a proof shows that they differ"
    )]
    Spelling(String),
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
    covers_plan(purpose, &plan)?;
    covers_permission(purpose, policy)?;
    check_types(policy, types)?;
    check_links(&plan, types)?;
    plan.query.statements.iter().try_for_each(|one| check_crowd(one, &plan.query, tables, types))?;
    plan.query.statements.iter().try_for_each(|one| check_spelling(one, &plan.query, types))?;
    let statements = plan.to_proof(tables)?;
    let cost = |option: &ContextOption| match cost(&plan, &statements, option, types) {
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
        let known = known(types, &accept.vct)?;
        if !(mutants::skips("vp-accept-period") || known.period.is_none()) {
            return Err(CheckError::NoPeriod(accept.vct.clone()));
        }
        for condition in &policy.conditions {
            check_answer(condition, &condition.pointer, known, &accept.vct)?;
        }
    }
    for way in &policy.ways {
        for term in way.conditions.iter().flat_map(|one| one.terms.iter().map(move |term| (one, term))) {
            let (condition, term) = term;
            let Some(need) = way.need(&term.need) else { continue };
            check_answer(condition, &term.pointer, known(types, &need.vct)?, &need.vct)?;
        }
        for need in &way.needs {
            let fault = |why| CheckError::Need { id: need.id.clone(), vct: need.vct.clone(), why };
            check_need(way, need, known(types, &need.vct)?).map_err(fault)?;
        }
    }
    Ok(())
}

/// A pseudonym is shown from types alone of which an issuer holds each person to one secret.
fn check_links(plan: &Plan, types: &[CredentialType]) -> Result<(), CheckError> {
    for id in plan.pseudonym.iter().flat_map(|asked| &asked.queries) {
        let vct = plan.needed(id).map(|needed| needed.vct.as_str()).unwrap_or_default();
        if !(mutants::skips("vp-nym-type") || known(types, vct)?.link) {
            return Err(CheckError::NotLinked(vct.to_owned()));
        }
    }
    Ok(())
}

fn known<'t>(types: &'t [CredentialType], vct: &str) -> Result<&'t CredentialType, CheckError> {
    types.iter().find(|t| t.has_vct(vct)).ok_or_else(|| CheckError::UnknownType(vct.to_owned()))
}

/// Whether a type lets an attribute be answered as a condition asks.
fn check_answer(
    condition: &Condition,
    pointer: &str,
    known: &CredentialType,
    vct: &str,
) -> Result<(), CheckError> {
    let answer = if is_proof(vct) && condition.op != Test::Show { Answer::Prove } else { Answer::Show };
    let why = match known.attribute(pointer) {
        None => "the type has no such attribute",
        Some(attribute) if attribute.may(answer) || mutants::skips("vp-policy-answer") => return Ok(()),
        Some(_) if answer == Answer::Prove => "the attribute cannot be proved",
        Some(_) => "the attribute cannot be shown",
    };
    Err(CheckError::Condition { id: condition.id.clone(), vct: vct.to_owned(), why })
}

/// Whether a type has what a need says of people, households, sources and periods.
fn check_need(way: &Way, need: &Need, known: &CredentialType) -> Result<(), &'static str> {
    let compared = |pointer: &String| known.attribute(pointer).is_some_and(is_compared);
    let mut texts = [&need.person_at, &need.source_at].into_iter().flatten();
    if !(mutants::skips("vp-way-text") || texts.all(compared)) {
        return Err("person_at and source_at name a text of the type that can be proved");
    }
    let household = way.household();
    let mut linked = household.iter().filter(|(id, _)| *id == need.id);
    if !(mutants::skips("vp-way-household-text") || linked.all(|(_, pointer)| compared(pointer))) {
        return Err("a household is linked by a text that names it, not by a number or a code");
    }
    if !(mutants::skips("vp-way-period-type") || need.period.is_none() || known.period.is_some()) {
        return Err("the type has no period");
    }
    check_total(way, need, known)
}

/// What a type with periods says is a total: of one period, and of one issuer where it must not pass a bound.
fn check_total(way: &Way, need: &Need, known: &CredentialType) -> Result<(), &'static str> {
    let mut named = way.conditions.iter().filter(|one| one.terms.iter().any(|term| term.need == need.id));
    let wants_all = named.clone().any(Condition::wants_all);
    // A total that was corrected must cease to count.
    if !(mutants::skips("vp-way-status") || !wants_all || known.status) {
        return Err("a sum with an upper bound takes types with a status, which a correction revokes");
    }
    if known.period.is_none() {
        return Ok(());
    }
    if !(mutants::skips("vp-way-period-said") || need.period.is_some()) {
        return Err("the type says totals of a period: say which, or the resident chooses one");
    }
    // A small total of one payer may be in a list, or outside of it, where a large one of another is not.
    let chosen = named.any(|one| !matches!(one.op, Test::Ge | Test::Show) && !one.is_pair());
    if !(mutants::skips("vp-way-total") || !chosen || need.iss.len() == 1) {
        return Err(
            "an upper bound on a total, or a list, takes exactly one issuer, or the resident chooses one",
        );
    }
    Ok(())
}

fn is_compared(attribute: &Attribute) -> bool {
    attribute.may(Answer::Prove) && attribute.encoding() == Encoding::Str
}

fn check_crowd(
    statement: &WireStatement,
    query: &Query,
    tables: &Tables,
    types: &[CredentialType],
) -> Result<(), CheckError> {
    let [term] = statement.terms.as_slice() else { return Ok(()) };
    let term = Term::new(&term.query, &term.pointer, term.coeff);
    let range = declared(query, types, &term).and_then(|declared| declared.range);
    let checked = range.map_or(Ok(()), |range| Crowd::check(statement, tables, range));
    checked.map_err(|Crowd| CheckError::Crowd(statement.id.clone()))
}

/// One canonical form for one meaning: what is compared is written alike, whoever wrote it.
fn check_spelling(
    statement: &WireStatement,
    query: &Query,
    types: &[CredentialType],
) -> Result<(), CheckError> {
    let [one, other] = statement.terms.as_slice() else { return Ok(()) };
    let pattern = |term: &crate::statement::Term| {
        attribute(query, types, &term.query, &term.pointer).and_then(|attribute| attribute.pattern.as_deref())
    };
    if !(mutants::skips("vp-way-pattern") || pattern(one) == pattern(other)) {
        return Err(CheckError::Spelling(statement.id.clone()));
    }
    Ok(())
}

fn cost(
    planned: &Plan,
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
        sub_proofs: 0,
        n: 0,
        m: 0,
        bytes: 0,
    };
    if !statements.is_empty() {
        let plan = planner::plan(&statements, |term| declared(&planned.query, types, term))?;
        let plan = if planned.pseudonym.is_some() { plan.with_pseudonym()? } else { plan };
        (cost.sub_proofs, cost.n, cost.m, cost.bytes) = (plan.count(), plan.n, plan.m, answer::length(&plan));
    }
    Ok(cost)
}

fn declared<'t>(query: &Query, types: &'t [CredentialType], term: &Term) -> Option<Declared<'t>> {
    let attribute = attribute(query, types, &term.query, &term.pointer)?;
    let form = attribute.form()?;
    Some(Declared { enc: form.enc, unit: attribute.unit(), range: form.range })
}

fn attribute<'t>(
    query: &Query,
    types: &'t [CredentialType],
    id: &str,
    pointer: &str,
) -> Option<&'t Attribute> {
    let vct = *query.credential(id)?.vct_values().first()?;
    types.iter().find(|t| t.has_vct(vct))?.attribute(pointer)
}
