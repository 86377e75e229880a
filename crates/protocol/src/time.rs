//! Instants as JOSE writes them, and the civil day in England.
//!
//! RFC 7519 section 2, NumericDate, narrowed to whole seconds: a fraction or a string is refused, never read
//! as absent. The day of asking is the civil date in Europe/London (GMT, and BST from the last Sunday of March
//! to the last Sunday of October); the rule is written out here, since the browser build carries no time zone
//! database. Leaves out the rules before 1996, which no instant that we meet falls under.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// How far two honest clocks may be apart, in seconds.
pub const SKEW: i64 = 60;

/// Seconds in a day without leap seconds, as NumericDate counts.
pub const DAY: i64 = 86_400;

/// The last instant that is read: 9998-12-31T23:59:59Z.
const LAST: i64 = 253_370_764_799;

/// Seconds since 1970-01-01T00:00:00Z, never negative where it is read from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// The instant `seconds` later; earlier when negative.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The instant `seconds` earlier.
    #[must_use]
    pub fn minus(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Midnight UTC of the same day: the coarse time that copies carry.
    #[must_use]
    pub fn day_start(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    /// Midnight UTC of a civil date; `None` beyond what the calendar knows.
    #[must_use]
    pub fn of_day(date: Date) -> Option<Self> {
        Some(Self(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second()))
    }

    /// The civil date in Europe/London.
    #[must_use]
    pub fn london_date(self) -> Date {
        static LONDON: LazyLock<TimeZone> = LazyLock::new(|| {
            TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").expect("a constant that the tests load")
        });
        self.timestamp().to_zoned(LONDON.clone()).date()
    }

    /// RFC 3339 in UTC, for messages and pages.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.timestamp().to_string()
    }

    fn timestamp(self) -> Timestamp {
        let seconds = self.0.clamp(0, LAST);
        Timestamp::UNIX_EPOCH
            .checked_add(Span::new().seconds(seconds))
            .expect("clamped to the years that the calendar knows")
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        if (0..=LAST).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(serde::de::Error::custom("not an instant between 1970 and 9999"))
        }
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(text: &str) -> UnixTime {
        UnixTime(text.parse::<Timestamp>().unwrap().as_second())
    }

    #[test]
    fn london_is_an_hour_ahead_in_summer() {
        assert_eq!(at("2026-11-21T23:59:59Z").london_date(), date(2026, 11, 21));
        assert_eq!(at("2026-06-30T22:59:59Z").london_date(), date(2026, 6, 30));
        assert_eq!(at("2026-06-30T23:00:00Z").london_date(), date(2026, 7, 1));
        // 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
        assert_eq!(at("2026-03-28T23:30:00Z").london_date(), date(2026, 3, 28));
        assert_eq!(at("2026-03-29T23:30:00Z").london_date(), date(2026, 3, 30));
        assert_eq!(at("2026-10-24T23:30:00Z").london_date(), date(2026, 10, 25));
        assert_eq!(at("2026-10-25T23:30:00Z").london_date(), date(2026, 10, 25));
    }

    #[test]
    fn only_whole_seconds_are_read() {
        let read = |text: &str| serde_json::from_str::<UnixTime>(text);
        assert_eq!(read("1780000000").unwrap(), UnixTime(1_780_000_000));
        for text in ["1780000000.0", "1e9", "\"1780000000\"", "-1", "null", "true", "253402300800"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn any_instant_has_a_date() {
        for seconds in [i64::MIN, -1, 0, LAST, i64::MAX] {
            let _ = UnixTime(seconds).london_date();
            assert_eq!(
                UnixTime(seconds).day_start().0 % DAY,
                if seconds == i64::MIN { seconds % DAY } else { 0 }
            );
        }
    }
}
