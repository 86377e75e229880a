//! Judging values that are shown.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;
use vouchsafe_proofs::encoding::{date_from, day};

use super::bound::{PlanError, bound};
use super::{Body, Condition, PolicyRule, Test};
use crate::decision::Outcome;
use crate::statement::decimal;
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
        Number::NotInList if condition.op == Test::NotMember => Holds::Yes,
        Number::Of(_) | Number::NotInList => Holds::No,
        Number::Unreadable => Holds::Unreadable,
    })
}

/// What a shown value is as an integer.
pub(super) enum Number {
    Of(u64),
    /// A code, but not one of the list that the rule names.
    NotInList,
    Unreadable,
}

pub(super) fn number(condition: &Condition, tables: &Tables, value: &Value) -> Number {
    let of = |v: Option<u64>| v.map_or(Number::Unreadable, Number::Of);
    let date = |text: &str| date_from(text).ok().and_then(|date| day(date).ok());
    match (value, &condition.rule) {
        (Value::String(code), Some(PolicyRule::Codes { id, version })) => {
            let codes = tables.table(id, *version).and_then(|table| table.codes()).unwrap_or_default();
            codes
                .iter()
                .find(|row| row.code == *code)
                .map_or(Number::NotInList, |row| Number::Of(row.index.into()))
        }
        // Large amounts are decimals in quotes.
        (Value::String(text), Some(PolicyRule::Fixed {})) => of(date(text).or_else(|| decimal(text))),
        (Value::String(text), _) => of(date(text)),
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
