//! How much one part of the network may ask for.
//!
//! Counts by address prefix in this process, for a first shedding of floods; counters that replicas must share live in
//! the database. Addresses are cut to a prefix before anything is kept, and nothing is kept longer than one window.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

/// The most prefixes that are counted at a time; beyond them a flood is wide, and all strangers share one counter.
const MAX_PREFIXES: usize = 65_536;

/// The network that an address is in: the first 24 bits for IPv4, the first 48 for IPv6. Never the whole address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPrefix([u8; 7]);

impl AddressPrefix {
    /// The prefix of an address. An IPv4 address inside IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self([4, a, b, c, 0, 0, 0])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self([6, a, b, c, d, e, f])
            }
        }
    }

    /// The prefix as bytes, for a keyed digest; not for logs.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What strangers share once too many prefixes are counted.
    const CROWD: Self = Self([0; 7]);
}

/// Addresses stay out of logs, cut or not.
impl std::fmt::Debug for AddressPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressPrefix")
    }
}

/// So many calls in so many seconds for each prefix.
pub struct Rate {
    calls: u32,
    window_s: i64,
    seen: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    number: i64,
    counts: HashMap<AddressPrefix, u32>,
}

impl Rate {
    /// `calls` in each window of `window_s` seconds.
    #[must_use]
    pub fn new(calls: u32, window_s: u32) -> Self {
        Self { calls, window_s: i64::from(window_s.max(1)), seen: Mutex::default() }
    }

    /// Counts a call and says whether it is within the rate.
    #[must_use]
    pub fn admits(&self, prefix: AddressPrefix, now: UnixTime) -> bool {
        let mut window = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.0.div_euclid(self.window_s);
        if window.number != number {
            *window = Window { number, counts: HashMap::new() };
        }
        let known = window.counts.contains_key(&prefix) || window.counts.len() < MAX_PREFIXES;
        let count = window.counts.entry(if known { prefix } else { AddressPrefix::CROWD }).or_default();
        *count = count.saturating_add(1);
        mutants::skips("svc-rate") || *count <= self.calls
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn prefix(text: &str) -> AddressPrefix {
        AddressPrefix::of(text.parse().unwrap())
    }

    #[test]
    fn neighbours_share_a_prefix() {
        assert!(prefix("192.0.2.1") == prefix("192.0.2.200"));
        assert!(prefix("192.0.2.1") == prefix("::ffff:192.0.2.9"));
        assert!(prefix("192.0.2.1") != prefix("192.0.3.1"));
        assert!(prefix("2001:db8:1:2::1") == prefix("2001:db8:1:3::1"));
        assert!(prefix("2001:db8:1::1") != prefix("2001:db8:2::1"));
        assert_eq!(format!("{:?}", prefix("192.0.2.1")), "AddressPrefix");
    }

    #[test]
    fn a_rate_holds_for_each_prefix_and_window() {
        let rate = Rate::new(2, 60);
        let (one, other) = (prefix("192.0.2.1"), prefix("198.51.100.1"));
        assert!(rate.admits(one, UnixTime(0)) && rate.admits(one, UnixTime(59)));
        assert!(!rate.admits(one, UnixTime(59)));
        assert!(rate.admits(other, UnixTime(59)));
        assert!(rate.admits(one, UnixTime(60)));
    }

    #[test]
    fn a_wide_flood_shares_one_counter() {
        let rate = Rate::new(1, 60);
        for n in 0..u32::try_from(MAX_PREFIXES).unwrap() {
            assert!(rate.admits(AddressPrefix::of(IpAddr::from((n << 8).to_be_bytes())), UnixTime(0)));
        }
        assert!(rate.admits(prefix("2001:db8:1::1"), UnixTime(0)));
        assert!(!rate.admits(prefix("2001:db8:2::1"), UnixTime(0)));
    }
}
