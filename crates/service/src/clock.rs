//! Where the programs get the time from.
//!
//! Core functions take `now`; shells take it from a [`Clock`] held in their state, so that a story in a test or in
//! the demo passes by moving a [`ManualClock`] and never by sleeping. Network timers are not part of this: they run
//! on the runtime's own time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use vouchsafe_protocol::time::UnixTime;

/// A source of the present instant.
pub trait Clock: Send + Sync {
    /// The present instant, in milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;

    /// The present instant, in whole seconds.
    fn now(&self) -> UnixTime {
        UnixTime(self.now_ms().div_euclid(1000))
    }

    /// Hears what a database's clock shows at this moment. Only a [`DatabaseClock`] goes by it.
    fn told_by_database(&self, now_ms: i64) {
        let _ = now_ms;
    }
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time enters")]
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// What `serve` goes by: the clock of the database that replicas share, so that they agree on what has expired.
///
/// Between two readings it goes on by the machine's steady clock, which nobody sets. Until a database has told the time,
/// and where the database is a file, it is the machine's.
#[derive(Debug, Default)]
pub struct DatabaseClock(RwLock<Option<Reading>>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    now_ms: i64,
    taken: Instant,
}

impl Reading {
    #[expect(
        clippy::disallowed_methods,
        reason = "carries the database's time on; never compared with a row"
    )]
    fn take(now_ms: i64) -> Self {
        Self { now_ms, taken: Instant::now() }
    }
}

impl Clock for DatabaseClock {
    fn now_ms(&self) -> i64 {
        let reading = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        reading.map_or_else(
            || SystemClock.now_ms(),
            |reading| {
                let since = i64::try_from(reading.taken.elapsed().as_millis()).unwrap_or(i64::MAX);
                reading.now_ms.saturating_add(since)
            },
        )
    }

    fn told_by_database(&self, now_ms: i64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Reading::take(now_ms));
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn at(at: UnixTime) -> Self {
        Self(AtomicI64::new(at.0.saturating_mul(1000)))
    }

    /// Sets the clock to `at`, forward or back.
    pub fn set(&self, at: UnixTime) {
        self.0.store(at.0.saturating_mul(1000), Ordering::SeqCst);
    }

    /// Moves the clock forward by `seconds`, or back when negative.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(UnixTime(1_000));
        assert_eq!(clock.now().0, 1_000);
        clock.advance(60);
        assert_eq!(clock.now().0, 1_060);
        clock.set(UnixTime(-1));
        assert_eq!(clock.now().0, -1);
    }

    #[test]
    fn a_database_clock_goes_by_the_database_and_others_do_not() {
        let (followed, held) = (DatabaseClock::default(), ManualClock::at(UnixTime(1_000)));
        assert!(followed.now().0 > 1_735_689_600, "nobody has told it the time yet");
        for clock in [&followed as &dyn Clock, &held] {
            clock.told_by_database(5_000_000);
        }
        assert!((5_000..5_060).contains(&followed.now().0));
        assert_eq!(held.now().0, 1_000);
    }

    #[test]
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.now().0 > 1_735_689_600);
    }
}
