//! Signed tables that say, for every birth date, on which day an age is reached.
//!
//! Implements `specs/proofs/README.md` section 7. The rule never picks a row by the day of asking: for a birth
//! date `d` the table gives a day `P(d)`, `P` never decreases, and "reached on T" is `d <= cutoff(T)` with
//! `cutoff(T) = max{d : P(d) <= T}`. On the day the answer flips, a row with a fixed date reveals that the
//! birth date lies in that row; any other row reveals the birth date itself.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::{add_last_day, add_next_day};
use crate::encoding::{EncodeError, date_from, date_of, day};

/// Births from one day to another, both included, and when they reach the age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Row {
    /// The first birth date.
    pub from: Date,
    /// The last birth date.
    pub to: Date,
    /// When they reach the age.
    pub reached: Reached,
}

/// When the births of a row reach the age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// All on one day.
    On(Date),
    /// Each at an age.
    At {
        /// Whole years.
        years: u32,
        /// Months beyond the years.
        months: u32,
        /// What happens where the day does not exist.
        overflow: Overflow,
    },
}

/// What happens where adding years and months gives a day that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The last day of that month.
    LastDay,
    /// The first day of the next month.
    NextDay,
}

/// Why a table does not load: the fault of whoever signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No rows.
    #[error("the table has no rows")]
    Empty,
    /// A row ends before it begins.
    #[error("a row of the table ends before it begins")]
    Backwards,
    /// Rows do not begin and end with the attribute's signed range.
    #[error("the table does not cover exactly the attribute's declared range")]
    Cover,
    /// Rows overlap or leave a day out.
    #[error("the table's rows do not follow each other day by day")]
    Gap,
    /// Somebody born later would reach the age earlier.
    #[error("the table's ages are reached out of order")]
    Order,
    /// A day beyond the calendar.
    #[error("the table leads beyond the calendar")]
    Calendar,
}

/// Why a table gives no bound for a day: nobody, or everybody, has reached the age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("on this day the table does not divide the declared range")]
pub struct NoCutoff;

/// A table that loaded: `P` is defined on the whole range and never decreases.
#[derive(Clone)]
pub struct PensionTable {
    rows: Vec<Row>,
    lo: u64,
    hi: u64,
}

impl PensionTable {
    /// Loads rows for an attribute whose signed range is the days `lo` to `hi`.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn load(rows: Vec<Row>, lo: u64, hi: u64) -> Result<Self, TableError> {
        check_cover(&rows, lo, hi)?;
        for row in &rows {
            if !(mutants::skips("zk-table-row") || row.from <= row.to) {
                return Err(TableError::Backwards);
            }
            row.reached(row.from).and(row.reached(row.to)).ok_or(TableError::Calendar)?;
        }
        rows.windows(2).try_for_each(|pair| check_boundary(&pair[0], &pair[1]))?;
        Ok(Self { rows, lo, hi })
    }

    /// cutoff(T) = max{d in [lo, hi] : P(d) <= T}, as a day number.
    ///
    /// # Errors
    /// [`NoCutoff`] where that set is empty or everything; a policy does not load for that day.
    pub fn cutoff(&self, today: Date) -> Result<u64, NoCutoff> {
        // P(d) <= T holds up to some day and for none after it: find the first that has not reached the age.
        let (mut reached, mut not_yet) = (self.lo, self.hi + 1);
        while reached < not_yet {
            let middle = reached + (not_yet - reached) / 2;
            if self.reaches(middle, today) { reached = middle + 1 } else { not_yet = middle }
        }
        if !(mutants::skips("zk-table-nobody") || reached > self.lo) {
            return Err(NoCutoff);
        }
        if !(mutants::skips("zk-table-everybody") || reached <= self.hi) {
            return Err(NoCutoff);
        }
        Ok(reached.saturating_sub(1))
    }

    /// P(d), the day on which those born on day `d` reach the age.
    #[must_use]
    pub fn reached_on(&self, born: u64) -> Option<Date> {
        let born = date_of(born)?;
        let row = self.rows.iter().find(|row| row.from <= born && born <= row.to)?;
        row.reached(born)
    }

    fn reaches(&self, born: u64, today: Date) -> bool {
        self.reached_on(born).is_some_and(|day| day <= today)
    }
}

impl Row {
    fn reached(&self, born: Date) -> Option<Date> {
        match self.reached {
            Reached::On(date) => Some(date),
            Reached::At { years, months, overflow: Overflow::LastDay } => add_last_day(born, years, months),
            Reached::At { years, months, overflow: Overflow::NextDay } => add_next_day(born, years, months),
        }
    }
}

/// The rows begin at lo and end at hi.
fn check_cover(rows: &[Row], lo: u64, hi: u64) -> Result<(), TableError> {
    let (first, last) = rows.first().zip(rows.last()).ok_or(TableError::Empty)?;
    if !(mutants::skips("zk-table-first") || day(first.from) == Ok(lo)) {
        return Err(TableError::Cover);
    }
    if !(mutants::skips("zk-table-last") || day(last.to) == Ok(hi)) {
        return Err(TableError::Cover);
    }
    Ok(())
}

/// The next row begins on the next day, and its first birth does not reach the age before the last of this one.
fn check_boundary(row: &Row, next: &Row) -> Result<(), TableError> {
    if !(mutants::skips("zk-table-gap") || row.to.tomorrow().ok() == Some(next.from)) {
        return Err(TableError::Gap);
    }
    if !(mutants::skips("zk-table-order") || row.reached(row.to) <= next.reached(next.from)) {
        return Err(TableError::Order);
    }
    Ok(())
}

/// The row as the signed table's JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    years: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    months: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overflow: Option<Overflow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<String>,
}

/// Why a row's JSON is refused.
#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error(transparent)]
    Date(#[from] EncodeError),
    #[error("a row has either years, months and overflow, or a date")]
    Either,
}

impl TryFrom<Wire> for Row {
    type Error = WireError;

    fn try_from(wire: Wire) -> Result<Self, WireError> {
        let reached = match (wire.years, wire.months, wire.overflow, &wire.date) {
            (Some(years), Some(months), Some(overflow), None) => Reached::At { years, months, overflow },
            (None, None, None, Some(date)) => Reached::On(date_from(date)?),
            _ => return Err(WireError::Either),
        };
        Ok(Self { from: date_from(&wire.from)?, to: date_from(&wire.to)?, reached })
    }
}

impl From<Row> for Wire {
    fn from(row: Row) -> Self {
        let (from, to) = (row.from.to_string(), row.to.to_string());
        match row.reached {
            Reached::On(date) => {
                Self { from, to, years: None, months: None, overflow: None, date: Some(date.to_string()) }
            }
            Reached::At { years, months, overflow } => {
                let (years, months, overflow) = (Some(years), Some(months), Some(overflow));
                Self { from, to, years, months, overflow, date: None }
            }
        }
    }
}
