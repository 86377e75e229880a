//! The test cases of a policy: what the rule says of people we know everything about.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_proofs::encoding::date_from;

use super::bound::{PlanError, bound};
use super::evaluate::{Holds, Number, evaluate, holds, is_fresh, number};
use super::{Body, Condition, Need, Test, Way};
use crate::decision::Outcome;
use crate::trust::Tables;
use crate::types::Month;

/// A test case of a policy, kept beside it. Closed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The day of asking.
    #[serde(with = "crate::text::civil")]
    pub as_of: Date,
    /// The values, by pointer, of a policy with `accept`.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// The date of the facts; the day of asking where absent.
    #[serde(default)]
    pub facts_as_of: Option<String>,
    /// The credentials at hand, by need, of a policy with ways.
    #[serde(default)]
    pub held: BTreeMap<String, HeldCase>,
    /// The outcome that is right.
    pub expect: Outcome,
}

/// A credential of a test case. Closed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldCase {
    /// The values, by pointer.
    pub values: BTreeMap<String, Value>,
    /// The issuer; one that counts where absent.
    #[serde(default)]
    pub iss: Option<String>,
    /// The period; the one that is asked about where absent.
    #[serde(default)]
    pub period: Option<String>,
    /// The date of the facts; the day of asking where absent.
    #[serde(default)]
    pub facts_as_of: Option<String>,
}

// Nothing stops an author from taking the values of somebody real.
impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, expect, .. } = self;
        f.debug_struct("Case").field("name", name).field("expect", expect).finish_non_exhaustive()
    }
}

/// Why a test case fails.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CaseError {
    /// Another outcome.
    #[error("case \"{name}\" gives {}, where {} is expected", .got.as_str(), .expected.as_str())]
    Outcome {
        /// The case.
        name: String,
        /// What the policy says.
        got: Outcome,
        /// What the case says.
        expected: Outcome,
    },
    /// The date of the facts cannot be read.
    #[error("case \"{0}\" has a facts_as_of that is not a date")]
    Facts(String),
    /// The policy has no plan for the day.
    #[error("case \"{name}\" cannot be run: {fault}")]
    Plan {
        /// The case.
        name: String,
        /// Why.
        fault: PlanError,
    },
}

impl Case {
    /// Runs it.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn run(&self, policy: &Body, tables: &Tables) -> Result<(), CaseError> {
        let got = self.outcome(policy, tables)?;
        if got == self.expect {
            return Ok(());
        }
        Err(CaseError::Outcome { name: self.name.clone(), got, expected: self.expect })
    }

    fn outcome(&self, policy: &Body, tables: &Tables) -> Result<Outcome, CaseError> {
        if !policy.ways.is_empty() {
            return self.of_ways(policy, tables);
        }
        let oldest = policy.accept.iter().map(|accept| accept.max_age_days).max().unwrap_or_default();
        if !is_fresh(self.facts(self.facts_as_of.as_deref())?, self.as_of, oldest) {
            return Ok(Outcome::Undetermined);
        }
        evaluate(policy, tables, self.as_of, &self.values).map_err(|fault| self.unplanned(fault))
    }

    fn facts(&self, text: Option<&str>) -> Result<Date, CaseError> {
        let read = |text| date_from(text).map_err(|_| CaseError::Facts(self.name.clone()));
        text.map_or(Ok(self.as_of), read)
    }

    fn unplanned(&self, fault: PlanError) -> CaseError {
        CaseError::Plan { name: self.name.clone(), fault }
    }

    /// Met by any way; else undetermined if any cannot be told; else not met.
    fn of_ways(&self, policy: &Body, tables: &Tables) -> Result<Outcome, CaseError> {
        let told = policy.ways.iter().map(|way| self.of_way(way, tables)).collect::<Result<Vec<_>, _>>()?;
        let any = |outcome| told.contains(&outcome).then_some(outcome);
        Ok(any(Outcome::Met).or_else(|| any(Outcome::Undetermined)).unwrap_or(Outcome::NotMet))
    }

    fn of_way(&self, way: &Way, tables: &Tables) -> Result<Outcome, CaseError> {
        let mut all = way.needs.iter().map(|need| self.has(need)).collect::<Result<Vec<_>, _>>()?;
        all.extend(self.people(way));
        for condition in &way.conditions {
            all.push(self.holds(condition, tables).map_err(|fault| self.unplanned(fault))?);
        }
        Ok(if all.contains(&Holds::No) {
            Outcome::NotMet
        } else if all.contains(&Holds::Unreadable) {
            Outcome::Undetermined
        } else {
            Outcome::Met
        })
    }

    /// Whether a need is at hand from an issuer that counts, over its period, and fresh.
    fn has(&self, need: &Need) -> Result<Holds, CaseError> {
        let Some(held) = self.held.get(&need.id) else { return Ok(Holds::No) };
        let facts = self.facts(held.facts_as_of.as_deref())?;
        let asked = need.period.and_then(|period| period.text(self.as_of));
        let counts = held.iss.as_ref().is_none_or(|iss| need.iss.contains(iss));
        if !counts || (held.period.is_some() && held.period != asked) {
            return Ok(Holds::No);
        }
        let over = asked.as_deref().and_then(Month::parse).is_none_or(|month| month.is_over(facts));
        let fresh = over && is_fresh(facts, self.as_of, need.max_age_days);
        Ok(if fresh { Holds::Yes } else { Holds::Unreadable })
    }

    /// One person for each label, another for each other, and no fact twice.
    fn people(&self, way: &Way) -> Vec<Holds> {
        let person = |need: &Need| self.value(&need.id, need.person_at.as_deref()?);
        let source = |need: &Need| self.value(&need.id, need.source_at.as_deref()?);
        let same = way.same_people().into_iter().map(|(a, b)| equal(person(a), person(b), true));
        let apart = way.other_people().into_iter().map(|(a, b)| equal(person(a), person(b), false));
        let twins = way.twins().into_iter().map(|(a, b)| equal(source(a), source(b), false));
        same.chain(apart).chain(twins).collect()
    }

    fn value(&self, need: &str, pointer: &str) -> Option<&Value> {
        self.held.get(need)?.values.get(pointer)
    }

    fn holds(&self, condition: &Condition, tables: &Tables) -> Result<Holds, PlanError> {
        let values: Vec<_> = condition.terms.iter().map(|t| self.value(&t.need, &t.pointer)).collect();
        match values.as_slice() {
            [a, b] if condition.is_pair() => Ok(equal(*a, *b, condition.op == Test::Eq)),
            [Some(value)] if !condition.is_sum() => holds(condition, tables, self.as_of, value),
            values => self.sums(condition, tables, values),
        }
    }

    fn sums(
        &self,
        condition: &Condition,
        tables: &Tables,
        values: &[Option<&Value>],
    ) -> Result<Holds, PlanError> {
        let Some((predicate, _)) = bound(condition, tables, self.as_of)? else {
            return Ok(Holds::Unreadable);
        };
        let integer = |value: &Option<&Value>| match number(condition, tables, (*value)?) {
            Number::Of(v) => Some(i128::from(v)),
            Number::NotInList | Number::Unreadable => None,
        };
        let parts = condition.terms.iter().zip(values);
        let sum: Option<i128> = parts.map(|(t, v)| Some(i128::from(t.coeff) * integer(v)?)).sum();
        Ok(match sum {
            None => Holds::Unreadable,
            Some(sum) if predicate.holds(sum) => Holds::Yes,
            Some(_) => Holds::No,
        })
    }
}

fn equal(a: Option<&Value>, b: Option<&Value>, wanted: bool) -> Holds {
    match (a, b) {
        (Some(a), Some(b)) if (a == b) == wanted => Holds::Yes,
        (Some(_), Some(_)) => Holds::No,
        _ => Holds::Unreadable,
    }
}
