//! Judging values that are shown, and the test cases of a policy.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_proofs::encoding::{date_from, day};

use super::plan::{PlanError, bound};
use super::{Body, Condition, PolicyRule};
use crate::decision::Outcome;
use crate::trust::Tables;

/// Whether a shown value meets a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not: contrary evidence.
    No,
    /// It cannot be compared: another form than the rule needs, or a code outside every list.
    Unreadable,
}

/// Judges one shown value.
///
/// # Errors
/// [`PlanError`] of the condition's rule.
pub fn holds(condition: &Condition, tables: &Tables, as_of: Date, value: &Value) -> Result<Holds, PlanError> {
    let Some((predicate, _)) = bound(condition, tables, as_of)? else {
        let equal = condition.equals.as_ref().is_none_or(|wanted| wanted == value);
        return Ok(if equal { Holds::Yes } else { Holds::No });
    };
    Ok(match number(condition, tables, value) {
        Number::Of(v) if predicate.holds(v) => Holds::Yes,
        Number::Of(_) | Number::NotInList => Holds::No,
        Number::Unreadable => Holds::Unreadable,
    })
}

/// What a shown value is as an integer.
enum Number {
    Of(u64),
    /// A code, but not one of the list that the rule names.
    NotInList,
    Unreadable,
}

fn number(condition: &Condition, tables: &Tables, value: &Value) -> Number {
    let of = |v: Option<u64>| v.map_or(Number::Unreadable, Number::Of);
    match (value, &condition.rule) {
        (Value::String(code), Some(PolicyRule::Codes { id, version })) => {
            let codes = tables.table(id, *version).and_then(|table| table.codes()).unwrap_or_default();
            codes
                .iter()
                .find(|row| row.code == *code)
                .map_or(Number::NotInList, |row| Number::Of(row.index.into()))
        }
        (Value::String(text), _) => of(date_from(text).ok().and_then(|date| day(date).ok())),
        (Value::Bool(flag), Some(PolicyRule::Fixed {})) => Number::Of(u64::from(*flag)),
        (Value::Number(n), Some(PolicyRule::Fixed {} | PolicyRule::Codes { .. })) => of(n.as_u64()),
        _ => Number::Unreadable,
    }
}

/// Judges a set of values as the whole policy does: every condition must hold, and a value against any of them
/// settles it.
///
/// # Errors
/// [`PlanError`] of a condition's rule.
pub fn evaluate(
    policy: &Body,
    tables: &Tables,
    as_of: Date,
    values: &BTreeMap<String, Value>,
) -> Result<Outcome, PlanError> {
    let mut outcome = Outcome::Met;
    for condition in &policy.conditions {
        let held = match values.get(&condition.pointer) {
            Some(value) => holds(condition, tables, as_of, value)?,
            None => Holds::Unreadable,
        };
        match held {
            Holds::Yes => {}
            Holds::No => return Ok(Outcome::NotMet),
            Holds::Unreadable => outcome = Outcome::Undetermined,
        }
    }
    Ok(outcome)
}

/// A test case of a policy, kept beside it. Closed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The day of asking.
    #[serde(with = "crate::text::civil")]
    pub as_of: Date,
    /// The values, by pointer.
    pub values: BTreeMap<String, Value>,
    /// The date of the facts; the day of asking where absent.
    #[serde(default)]
    pub facts_as_of: Option<String>,
    /// The outcome that is right.
    pub expect: Outcome,
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
        let facts = match &self.facts_as_of {
            None => self.as_of,
            Some(text) => date_from(text).map_err(|_| CaseError::Facts(self.name.clone()))?,
        };
        let oldest = policy.accept.iter().map(|accept| accept.max_age_days).max().unwrap_or_default();
        if !is_fresh(facts, self.as_of, oldest) {
            return Ok(Outcome::Undetermined);
        }
        evaluate(policy, tables, self.as_of, &self.values)
            .map_err(|fault| CaseError::Plan { name: self.name.clone(), fault })
    }
}

/// Whether facts of that date are at most `max_age_days` old on the day of asking. Facts of a later day are none;
/// one day ahead passes, for a request that was made before midnight.
#[must_use]
pub fn is_fresh(facts_as_of: Date, as_of: Date, max_age_days: u32) -> bool {
    match (day(facts_as_of), day(as_of)) {
        (Ok(facts), Ok(asked)) => {
            facts <= asked + 1 && asked.saturating_sub(facts) <= u64::from(max_age_days)
        }
        _ => false,
    }
}
