//! Hosts that fail are left alone, so that they hold nobody up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

/// Failures in a row after which a host is left alone.
const FAILURES: u32 = 3;
/// For how many seconds. Then one try is let through, and the next failure counts for as long again.
const REST_S: i64 = 30;
/// Hosts remembered; far more than an installation reads lists from.
const MOST: usize = 256;

#[derive(Clone, Copy)]
struct Host {
    failures: u32,
    until: UnixTime,
}

/// Who has failed how often.
#[derive(Default)]
pub(super) struct Breakers(Mutex<HashMap<String, Host>>);

impl Breakers {
    /// Whether a host may be tried.
    pub(super) fn lets(&self, host: &str, now: UnixTime) -> bool {
        let resting = self.hosts().get(host).is_some_and(|one| one.failures >= FAILURES && now < one.until);
        mutants::skips("vp-status-breaker") || !resting
    }

    /// Notes how a try ended.
    pub(super) fn note(&self, host: &str, good: bool, now: UnixTime) {
        let mut hosts = self.hosts();
        if good {
            hosts.remove(host);
            return;
        }
        if hosts.len() >= MOST && !hosts.contains_key(host) {
            hosts.clear();
        }
        let one = hosts.entry(host.to_owned()).or_insert(Host { failures: 0, until: now });
        one.failures = one.failures.saturating_add(1);
        one.until = now.plus(REST_S);
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
