//! Where the programs get the time from.
//!
//! Core functions take `now`; shells take it from a [`Clock`] held in their state, so that a story in a test or in
//! the demo passes by moving a [`ManualClock`] and never by sleeping. Network timers are not part of this: they run
//! on the runtime's own time.

use std::sync::atomic::{AtomicI64, Ordering};

use vouchsafe_protocol::time::UnixTime;

/// A source of the present instant.
pub trait Clock: Send + Sync {
    /// The present instant, in milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;

    /// The present instant, in whole seconds.
    fn now(&self) -> UnixTime {
        UnixTime(self.now_ms().div_euclid(1000))
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
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.now().0 > 1_735_689_600);
    }
}
