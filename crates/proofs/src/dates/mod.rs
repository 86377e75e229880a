//! Birthdays: what "N years ago" and "N years after" mean when the day does not exist.
//!
//! Implements `specs/proofs/README.md` section 7. Counting back from the day of asking clamps to the last day
//! of the month; counting on from a birth date either clamps or moves to the next day, as the rule says. For
//! whole-year ages the two fit together: `d <= clamp(T - k)` if and only if `add_next_day(d, k) <= T`.
//! Every function gives `None` beyond the years that the calendar type holds.

pub mod table;

use jiff::civil::Date;

/// The unit in which a rule counts age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole years.
    Years,
    /// Whole months.
    Months,
    /// Days.
    Days,
}

/// The latest birth date that is `n` units old on `day`.
///
/// ```
/// use jiff::civil::date;
/// use vouchsafe_proofs::dates::{Unit, clamp};
/// assert_eq!(clamp(date(2028, 2, 29), 18, Unit::Years), Some(date(2010, 2, 28)));
/// ```
#[must_use]
pub fn clamp(day: Date, n: u32, unit: Unit) -> Option<Date> {
    match unit {
        Unit::Years => clamp_years(day, n),
        Unit::Months => clamp_months(day, n),
        Unit::Days => clamp_days(day, n),
    }
}

/// `day` less `n` years; 28 February where the day would not exist.
#[must_use]
pub fn clamp_years(day: Date, n: u32) -> Option<Date> {
    last_day(day, -12 * i64::from(n))
}

/// `day` less `n` months; the last day of the month where the day would not exist.
#[must_use]
pub fn clamp_months(day: Date, n: u32) -> Option<Date> {
    last_day(day, -i64::from(n))
}

/// `day` less `n` days.
#[must_use]
pub fn clamp_days(day: Date, n: u32) -> Option<Date> {
    day.checked_sub(jiff::SignedDuration::from_hours(24 * i64::from(n))).ok()
}

/// `day` plus years and months; the first of the next month where the day would not exist.
#[must_use]
pub fn add_next_day(day: Date, years: u32, months: u32) -> Option<Date> {
    let first = shift(day, 12 * i64::from(years) + i64::from(months))?;
    if day.day() <= first.days_in_month() { on(first, day.day()) } else { shift(first, 1) }
}

/// `day` plus years and months; the last of the month where the day would not exist.
#[must_use]
pub fn add_last_day(day: Date, years: u32, months: u32) -> Option<Date> {
    last_day(day, 12 * i64::from(years) + i64::from(months))
}

fn last_day(day: Date, months: i64) -> Option<Date> {
    let first = shift(day, months)?;
    on(first, day.day().min(first.days_in_month()))
}

/// The first day of the month that lies `months` after that of `day`.
fn shift(day: Date, months: i64) -> Option<Date> {
    let index = i64::from(day.year()) * 12 + i64::from(day.month()) - 1 + months;
    let year = i16::try_from(index.div_euclid(12)).ok()?;
    let month = i8::try_from(index.rem_euclid(12) + 1).ok()?;
    Date::new(year, month, 1).ok()
}

fn on(first: Date, day: i8) -> Option<Date> {
    Date::new(first.year(), first.month(), day).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::date_of;

    #[test]
    fn ages_around_the_leap_day() {
        let born = date(2008, 2, 29);
        // Common year: eighteen on 1 March. Leap year: on the day itself.
        assert_eq!(add_next_day(born, 18, 0), Some(date(2026, 3, 1)));
        assert_eq!(add_next_day(born, 20, 0), Some(date(2028, 2, 29)));
        assert_eq!(add_last_day(born, 18, 0), Some(date(2026, 2, 28)));
        for (today, cutoff) in [
            (date(2026, 2, 28), date(2008, 2, 28)),
            (date(2026, 3, 1), date(2008, 3, 1)),
            (date(2028, 2, 28), date(2010, 2, 28)),
            (date(2028, 2, 29), date(2010, 2, 28)),
            (date(2028, 3, 1), date(2010, 3, 1)),
        ] {
            assert_eq!(clamp_years(today, 18), Some(cutoff), "{today}");
        }
        assert!(born > clamp_years(date(2026, 2, 28), 18).unwrap());
        assert!(born <= clamp_years(date(2026, 3, 1), 18).unwrap());
        assert_eq!(clamp_years(date(2028, 2, 29), 20), Some(born));
    }

    #[test]
    fn months_and_centuries() {
        assert_eq!(clamp_months(date(2026, 3, 31), 1), Some(date(2026, 2, 28)));
        assert_eq!(clamp_months(date(2024, 3, 31), 1), Some(date(2024, 2, 29)));
        assert_eq!(clamp_months(date(2026, 1, 15), 13), Some(date(2024, 12, 15)));
        assert_eq!(add_next_day(date(2026, 1, 31), 0, 1), Some(date(2026, 3, 1)));
        assert_eq!(add_next_day(date(2026, 8, 31), 0, 1), Some(date(2026, 10, 1)));
        assert_eq!(add_last_day(date(1960, 7, 31), 66, 4), Some(date(2026, 11, 30)));
        // 1900 is no leap year, 2000 is.
        assert_eq!(clamp_years(date(2000, 2, 29), 100), Some(date(1900, 2, 28)));
        assert_eq!(add_next_day(date(1980, 2, 29), 20, 0), Some(date(2000, 2, 29)));
        assert_eq!(clamp_days(date(2026, 3, 1), 1), Some(date(2026, 2, 28)));
        assert_eq!(clamp_days(date(2028, 3, 1), 1), Some(date(2028, 2, 29)));
    }

    #[test]
    fn beyond_the_calendar_is_none() {
        assert_eq!(clamp_years(date(2026, 1, 1), u32::MAX), None);
        assert_eq!(add_next_day(date(2026, 1, 1), u32::MAX, u32::MAX), None);
        assert_eq!(add_next_day(date(9999, 12, 31), 0, 2), None);
        assert_eq!(clamp_days(date(2026, 1, 1), u32::MAX), None);
    }

    proptest! {
        #[test]
        fn clamping_back_matches_the_birthday(today in 140_000u64..180_000, born in 90_000u64..180_000, n in 0u32..120) {
            let (t, d) = (date_of(today).unwrap(), date_of(born).unwrap());
            prop_assert_eq!(d <= clamp_years(t, n).unwrap(), add_next_day(d, n, 0).unwrap() <= t);
            prop_assert_eq!(d <= clamp_months(t, n).unwrap(), add_next_day(d, 0, n).unwrap() <= t);
        }

        #[test]
        fn adding_keeps_the_order(born in 90_000u64..180_000, months in 0u32..1200) {
            let (d, next) = (date_of(born).unwrap(), date_of(born + 1).unwrap());
            prop_assert!(add_next_day(d, 0, months) <= add_next_day(next, 0, months));
            prop_assert!(add_last_day(d, 0, months) <= add_last_day(next, 0, months));
        }
    }
}
