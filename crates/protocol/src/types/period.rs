//! Periods: the months that totals are of.
//!
//! A sum under a bound says something only if nothing was left out (`specs/profiles/issuing.md`). So a type that can be
//! summed says the total of one period, is issued once that period is over, and shows the period to everybody.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_proofs::encoding::date_from;

/// The claim that names the period. Always visible, equal in all copies of a batch.
pub const PERIOD: &str = "period";

/// What the facts of a type are the total of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A calendar month, `YYYY-MM`.
    Month,
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Reads `YYYY-MM`, strictly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        date_from(&format!("{text}-01")).ok().map(Self)
    }

    /// Whether the month is over on `day`: its last day is not in it any more.
    #[must_use]
    pub fn is_over(self, day: Date) -> bool {
        self.0.last_of_month() < day
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_month_has_one_spelling() {
        assert_eq!(Month::parse("2026-10").unwrap().to_string(), "2026-10");
        for other in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "2026-10-01",
            "26-10",
            "2026/10",
            " 2026-10",
            "2026-1\u{660}",
        ] {
            assert_eq!(Month::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_month_is_over_on_the_day_after_its_last() {
        for (month, last) in
            [("2026-10", date(2026, 10, 31)), ("2024-02", date(2024, 2, 29)), ("2025-12", date(2025, 12, 31))]
        {
            let month = Month::parse(month).unwrap();
            assert!(!month.is_over(last) && month.is_over(last.tomorrow().unwrap()));
            assert!(!month.is_over(last.first_of_month()));
        }
    }
}
