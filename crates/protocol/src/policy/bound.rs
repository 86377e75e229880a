//! From a rule to a bound: what a condition asks to be proved on a day, what says the contrary, and how many people it
//! must leave together.

use jiff::civil::Date;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::SignedRange;
use vouchsafe_proofs::dates::clamp;
use vouchsafe_proofs::encoding::day;
use vouchsafe_proofs::statement::Predicate;

use super::{Condition, PolicyRule, Test};
use crate::statement::{Op, Rule, StatementError, Unit, WireStatement, decimal};
use crate::trust::{MIN_CROWD, TableExtract, Tables};

/// Why a policy has no plan for a day. The fault of the policy or of the register.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// A table is not in the register.
    #[error("condition {0} needs a table or list that the register does not have in that version")]
    NoTable(String),
    /// A list where a table is needed, or the reverse.
    #[error("condition {0} names a list where it needs a table keyed by birth date, or the reverse")]
    WrongTable(String),
    /// `in` with a list that is no interval.
    #[error("condition {0} asks in with a list that has gaps; ask member")]
    Gaps(String),
    /// A list of so few values that people are singled out.
    #[error("condition {0} asks with a list of fewer than {MIN_CROWD} values, which singles people out")]
    TooFew(String),
    /// The rule leads nowhere on that day.
    #[error("condition {0} divides nobody from anybody on that day")]
    NoBound(String),
    /// A pseudonym whose context would be too long.
    #[error("the id of the service is too long for the pseudonym that the policy asks for")]
    Pseudonym,
    /// A statement of the plan cannot be proved in this profile.
    #[error("statement {id} of the plan cannot be proved: {fault}")]
    Statement {
        /// Its id.
        id: String,
        /// What is wrong with it.
        fault: StatementError,
    },
}

/// A statement that only few values of the signed range meet, or that only few do not: an answer would single out.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it leaves fewer than {MIN_CROWD} values on one side, which singles people out")]
pub struct Crowd;

impl Crowd {
    /// Whether enough values of an attribute's signed range are in the list of `statement`, and enough are not; for `in`
    /// with bounds of the policy's own, whether enough are in the interval. Other operations name what they ask for, and
    /// an interval of codes is the registrar's.
    ///
    /// # Errors
    /// [`Crowd`].
    pub fn check(statement: &WireStatement, tables: &Tables, range: SignedRange) -> Result<(), Self> {
        let SignedRange { lo, hi, .. } = range;
        let enough = match (statement.op, &statement.rule) {
            (Op::Member | Op::NotMember, Rule::Codes { id, version, .. }) => {
                let set = tables.table(id, *version).and_then(TableExtract::set).ok_or(Self)?;
                let left = set.gaps(lo, hi).map_or(0, |gaps| gaps.count());
                set.count() >= MIN_CROWD && left >= MIN_CROWD
            }
            (Op::In, Rule::Fixed {}) => {
                let bound = |text: &Option<String>| text.as_deref().and_then(decimal).ok_or(Self);
                u128::from(bound(&statement.hi)?.saturating_sub(bound(&statement.lo)?)) + 1 >= MIN_CROWD
            }
            _ => true,
        };
        if !(mutants::skips("vp-crowd") || enough) { Err(Self) } else { Ok(()) }
    }
}

/// A bound and the rule that it comes from.
pub(super) type Bound = (Predicate, Rule);

/// What `condition` asks to be proved on that day; `None` for `show`.
///
/// # Errors
/// [`PlanError`] names the condition.
pub(super) fn bound(condition: &Condition, tables: &Tables, as_of: Date) -> Result<Option<Bound>, PlanError> {
    let Some(rule) = &condition.rule else { return Ok(None) };
    let no_bound = || PlanError::NoBound(condition.id.clone());
    let table =
        |id: &str, version| tables.table(id, version).ok_or_else(|| PlanError::NoTable(condition.id.clone()));
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
            table.births().ok_or_else(|| PlanError::WrongTable(condition.id.clone()))?;
            let k = table.cutoff(as_of).ok_or_else(no_bound)?;
            (Predicate::Le(k), Rule::Table { id: id.clone(), version: *version, hash: table.hash_text() })
        }
        PolicyRule::Codes { id, version } => {
            let list = table(id, *version)?;
            let rule = Rule::Codes { id: id.clone(), version: *version, hash: list.hash_text() };
            (listed(condition, list)?, rule)
        }
        PolicyRule::Fixed {} => (fixed(condition).ok_or_else(no_bound)?, Rule::Fixed {}),
    };
    Ok(Some(bound))
}

/// The last birth date that is `n` units old on `as_of`, encoded.
fn born_by(as_of: Date, n: u32, unit: Unit) -> Option<u64> {
    day(clamp(as_of, n, unit)?).ok()
}

/// What a list says: an interval, or a set.
fn listed(condition: &Condition, list: &TableExtract) -> Result<Predicate, PlanError> {
    let id = || condition.id.clone();
    let set = list.set().ok_or_else(|| PlanError::WrongTable(id()))?;
    let hides = matches!(condition.op, Test::Member | Test::NotMember);
    if !(mutants::skips("vp-list-crowd") || !hides || set.count() >= MIN_CROWD) {
        return Err(PlanError::TooFew(id()));
    }
    let [lo, hi] = set.ends();
    match condition.op {
        Test::Member => Ok(Predicate::Member(set)),
        Test::NotMember => Ok(Predicate::NotMember(set)),
        // From the first to the last would let in whoever lies in a gap.
        _ if mutants::skips("vp-list-gaps") || set.intervals().len() == 1 => Ok(Predicate::In { lo, hi }),
        _ => Err(PlanError::Gaps(id())),
    }
}

fn fixed(condition: &Condition) -> Option<Predicate> {
    let bound = |text: &Option<String>| decimal(text.as_deref()?);
    let k = || if condition.is_pair() { Some(0) } else { bound(&condition.k) };
    match condition.op {
        Test::Le => k().map(Predicate::Le),
        Test::Ge => k().map(Predicate::Ge),
        Test::Eq => k().map(Predicate::Eq),
        Test::Ne => k().map(Predicate::Ne),
        Test::In => {
            let (lo, hi) = (bound(&condition.lo)?, bound(&condition.hi)?);
            (lo <= hi).then_some(Predicate::In { lo, hi })
        }
        Test::Member | Test::NotMember | Test::Show => None,
    }
}

/// What says the contrary: one bound, or one on each side of an interval; none where no integer is left.
pub(super) fn contrary(predicate: &Predicate) -> Vec<(&'static str, Predicate)> {
    let above = |k: &u64| k.checked_add(1).map(Predicate::Ge);
    let below = |k: &u64| k.checked_sub(1).map(Predicate::Le);
    let one = |contrary: Option<Predicate>| contrary.map(|p| ("", p)).into_iter().collect();
    match predicate {
        Predicate::Le(k) => one(above(k)),
        Predicate::Ge(k) => one(below(k)),
        Predicate::Eq(k) => one(Some(Predicate::Ne(*k))),
        Predicate::Ne(k) => one(Some(Predicate::Eq(*k))),
        Predicate::Member(set) => one(Some(Predicate::NotMember(set.clone()))),
        Predicate::NotMember(set) => one(Some(Predicate::Member(set.clone()))),
        Predicate::In { lo, hi } => {
            [("a", below(lo)), ("b", above(hi))].into_iter().filter_map(|(s, p)| Some((s, p?))).collect()
        }
    }
}
