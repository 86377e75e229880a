//! How much one part of the network may ask for.
//!
//! Counts by address prefix in this process, for a first shedding of floods; counters that replicas must share live in
//! the database. Addresses are cut to a prefix before anything is kept, and nothing is kept longer than one window.
//! A [`Gate`] puts a [`Rate`] before routes: `router.route_layer(from_fn_with_state(gate, limits::pass))`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use crate::clock::Clock;
use crate::problem::Problem;

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

    /// As [`Rate::admits`], with the refusal that the sender gets: when to come back, and that nothing was done.
    ///
    /// # Errors
    /// 429 (RFC 6585, section 4), with `Retry-After` at the end of the window.
    pub fn admit(&self, prefix: AddressPrefix, now: UnixTime) -> Result<(), Problem> {
        if self.admits(prefix, now) {
            return Ok(());
        }
        let left = self.window_s - now.0.rem_euclid(self.window_s);
        let title = "Too many calls from this part of the network. Nothing was done; try again later.";
        Err(Problem::too_many("too-many-calls", title).retry_after(u32::try_from(left).unwrap_or(u32::MAX)))
    }
}

/// A [`Rate`] before routes, on the clock of their program. Clones count together.
#[derive(Clone)]
pub struct Gate {
    rate: Arc<Rate>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    /// `calls` a minute for each prefix.
    #[must_use]
    pub fn per_minute(calls: u32, clock: Arc<dyn Clock>) -> Self {
        Self { rate: Arc::new(Rate::new(calls, 60)), clock }
    }
}

/// The middleware of a [`Gate`]: counts the call by the [`AddressPrefix`] that the listener left with it, before any
/// handler sees it. Calls that came by no listener of ours share one budget.
pub async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let prefix = request.extensions().get().copied().unwrap_or(AddressPrefix::CROWD);
    match gate.rate.admit(prefix, gate.clock.now()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::clock::ManualClock;

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

    #[tokio::test]
    async fn a_gate_refuses_before_the_handler_and_says_when_to_come_back() {
        let clock = Arc::new(ManualClock::at(UnixTime(90)));
        let gate = Gate::per_minute(1, clock.clone());
        let handled = Arc::new(AtomicU32::new(0));
        let count = handled.clone();
        let router = Router::new()
            .route("/", get(|| async move { count.fetch_add(1, Ordering::Relaxed).to_string() }))
            .route_layer(from_fn_with_state(gate, pass));
        let call = async |address: Option<&str>| {
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            if let Some(address) = address {
                request.extensions_mut().insert(prefix(address));
            }
            router.clone().oneshot(request).await.unwrap()
        };
        assert_eq!(call(Some("192.0.2.1")).await.status(), 200);
        let refused = call(Some("192.0.2.200")).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "30");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        assert_eq!(call(Some("198.51.100.1")).await.status(), 200);
        assert_eq!(call(None).await.status(), 200);
        assert_eq!(call(None).await.status(), 429, "whoever has no address shares one budget");
        assert_eq!(handled.load(Ordering::Relaxed), 3);
        clock.advance(30);
        assert_eq!(call(Some("192.0.2.200")).await.status(), 200);
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
