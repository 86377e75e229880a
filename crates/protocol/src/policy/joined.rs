//! The plan of a way: what the policy says of its needs, and what must be said with it.
//!
//! Beside its conditions a way asks that the needs of one label are of one person, that people of different labels
//! are different people, and that one fact is not counted twice. These statements are not written in the policy: they
//! follow from its labels, in an order of their own, so that nobody can leave one out.

use jiff::civil::Date;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::statement::Predicate;

use super::bound::{Bound, PlanError, bound};
use super::plan::{Made, Needed, PlannedOutcome, Shown};
use super::{Condition, Need, PolicyTerm, Way};
use crate::dcql::ClaimQuery;
use crate::statement::{Rule, Term, WireStatement};
use crate::trust::Tables;
use crate::types::{PERIOD, is_proof};

/// Adds the queries, statements and option of the way at place `i`.
pub(super) fn way(
    made: &mut Made,
    i: usize,
    way: &Way,
    tables: &Tables,
    as_of: Date,
) -> Result<(), PlanError> {
    let mut shown = Vec::new();
    for condition in &way.conditions {
        match bound(condition, tables, as_of)? {
            Some(bound) if is_proved(way, condition) => made.statements.push(asked(i, condition, bound)),
            _ => shown.extend(condition.terms.iter().map(|term| shown_by(term, condition))),
        }
    }
    made.statements.extend(said_of_people(i, way));
    for need in &way.needs {
        let no_period = || PlanError::NoBound(need.id.clone());
        let period = need.period.map(|period| period.text(as_of).ok_or_else(no_period)).transpose()?;
        let claims = claims(need, period.as_deref(), &shown);
        let Need { id: query, vct, iss, max_age_days, person, .. } = need.clone();
        made.need(Needed { query, vct, iss, max_age_days, period, person }, claims);
    }
    let queries = way.needs.iter().map(|need| need.id.clone()).collect();
    made.option(queries, PlannedOutcome::Met, shown);
    Ok(())
}

fn is_proved(way: &Way, condition: &Condition) -> bool {
    condition.terms.iter().filter_map(|term| way.need(&term.need)).all(|need| is_proof(&need.vct))
}

fn shown_by(term: &PolicyTerm, condition: &Condition) -> Shown {
    let (query, pointer) = (term.need.clone(), term.pointer.clone());
    Shown { query, pointer, condition: condition.clone() }
}

/// The claims of a need's query: its period with the one value that serves, then what is shown, each once.
fn claims(need: &Need, period: Option<&str>, shown: &[Shown]) -> Vec<ClaimQuery> {
    let of_period =
        |text: &str| ClaimQuery { values: Some(vec![text.into()]), ..ClaimQuery::at(&format!("/{PERIOD}")) };
    let mut claims: Vec<_> = period.map(of_period).into_iter().collect();
    for one in shown.iter().filter(|one| one.query == need.id) {
        let claim = ClaimQuery::at(&one.pointer);
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

fn asked(i: usize, condition: &Condition, (predicate, rule): Bound) -> WireStatement {
    let term = |term: &PolicyTerm| Term {
        query: term.need.clone(),
        pointer: term.pointer.clone(),
        coeff: term.coeff,
    };
    let terms = condition.terms.iter().map(term).collect();
    WireStatement::of(format!("{}-w{i}", condition.id), terms, &predicate, rule)
}

/// One person for each label, another for each other label, and no fact twice.
fn said_of_people(i: usize, way: &Way) -> Vec<WireStatement> {
    let (person, source) = (|need: &Need| need.person_at.clone(), |need: &Need| need.source_at.clone());
    let same = way.same_people().into_iter().enumerate();
    let same = same.map(|(j, pair)| compared(format!("w{i}-same{j}"), pair, person, &Predicate::Eq(0)));
    let apart = way.other_people().into_iter().enumerate();
    let apart = apart.map(|(j, pair)| compared(format!("w{i}-apart{j}"), pair, person, &Predicate::Ne(0)));
    let sources = way.twins().into_iter().enumerate();
    let sources =
        sources.map(|(j, pair)| compared(format!("w{i}-source{j}"), pair, source, &Predicate::Ne(0)));
    let all = [
        ("vp-way-same", same.collect::<Vec<_>>()),
        ("vp-way-apart", apart.collect()),
        ("vp-way-sources", sources.collect()),
    ];
    all.into_iter()
        .filter(|(mutant, _)| !mutants::skips(mutant))
        .flat_map(|(_, said)| said)
        .flatten()
        .collect()
}

/// A statement about two hidden texts; none where a need does not say where its text is, which does not load.
fn compared(
    id: String,
    (a, b): (&Need, &Need),
    at: impl Fn(&Need) -> Option<String>,
    predicate: &Predicate,
) -> Option<WireStatement> {
    let term = |need: &Need, coeff| Some(Term { query: need.id.clone(), pointer: at(need)?, coeff });
    Some(WireStatement::of(id, vec![term(a, 1)?, term(b, -1)?], predicate, Rule::Fixed {}))
}
