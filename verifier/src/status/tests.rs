//! Look-ups against a host that does as it is told.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vouchsafe_protocol::answer::Sought;
use vouchsafe_protocol::jose::BoxFuture;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::status::{Bits, List, Publication, Reference, Standing};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::client::Reach;
use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::{self, SigningKey};

use super::fetch::Away;
use super::{Book, Fetch, Fetched, Host, StatusSettings};

const NOW: UnixTime = UnixTime(1_795_300_000);
const ISS: &str = "https://issuer.example";
const URI: &str = "https://issuer.example/status/a";
const ELSEWHERE: &str = "https://lists.example/issuer/a";

/// What the host sends, and how often it was asked.
#[derive(Default)]
struct Stand {
    sends: Mutex<Option<Fetched>>,
    asked: AtomicUsize,
}

impl Fetch for Stand {
    fn fetch<'a>(&'a self, _: &'a str, most: usize) -> BoxFuture<'a, Result<Fetched, Away>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.sends.lock().unwrap().clone().filter(|sent| sent.len() <= most).ok_or(Away)
        })
    }
}

struct Town {
    ca: DevCa,
    leaf: Leaf,
    stand: Arc<Stand>,
    clock: Arc<ManualClock>,
    book: Arc<Book>,
}

impl Town {
    fn new() -> Self {
        Self::with(StatusSettings::default())
    }

    fn with(settings: StatusSettings) -> Self {
        keys::install();
        let ca = DevCa::generate("Anchor", NOW).unwrap();
        let leaf = ca.signer(ISS, SigningKey::generate().unwrap(), NOW).unwrap();
        let (stand, clock) = (Arc::new(Stand::default()), Arc::new(ManualClock::at(NOW)));
        let book = Arc::new(Book::new(settings, stand.clone(), clock.clone()));
        Self { ca, leaf, stand, clock, book }
    }

    /// A list signed now: 1 is revoked, 2 is suspended.
    async fn token(&self, uri: &str, leaf: &Leaf) -> Fetched {
        let mut list = List::new(Bits::Two, 1024);
        list.set(1, 1).unwrap();
        list.set(2, 2).unwrap();
        let now = self.now();
        let made = Publication { uri, issued_at: now, expires_at: now.plus(7200), ttl: 900, list: &list };
        made.sign(&leaf.key, &[leaf.certificate.to_vec()]).await.unwrap().0.into_bytes()
    }

    fn now(&self) -> UnixTime {
        vouchsafe_service::clock::Clock::now(&*self.clock)
    }

    async fn publish(&self) {
        let token = self.token(URI, &self.leaf).await;
        self.send(Some(token));
    }

    fn send(&self, token: Option<Fetched>) {
        *self.stand.sends.lock().unwrap() = token;
    }

    async fn standing_at(&self, uri: &str, idx: u64) -> Standing {
        let sought = Sought { iss: ISS.to_owned(), reference: Reference::new(idx, uri).unwrap() };
        let anchor = Anchor::from_der(self.ca.certificate().to_vec()).unwrap();
        self.book.look_up(vec![sought], |_| vec![anchor.clone()]).await[0]
    }

    async fn standing(&self, idx: u64) -> Standing {
        self.standing_at(URI, idx).await
    }

    fn asked(&self) -> usize {
        self.stand.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_list_is_kept_for_its_time_and_speaks_for_all_its_entries() {
    let town = Town::new();
    town.publish().await;
    assert_eq!(town.standing(0).await, Standing::Valid);
    assert_eq!(town.standing(1).await, Standing::Revoked);
    assert_eq!(town.standing(2).await, Standing::Suspended);
    assert_eq!(town.standing(1024).await, Standing::Unknown, "beyond the list");
    assert_eq!(town.asked(), 1);
    town.clock.advance(900);
    town.publish().await;
    assert_eq!((town.standing(0).await, town.asked()), (Standing::Valid, 2));
}

#[tokio::test]
async fn however_many_ask_the_list_is_fetched_once() {
    let town = Arc::new(Town::new());
    town.publish().await;
    for (sends, standing) in [(true, Standing::Valid), (false, Standing::Unknown)] {
        if !sends {
            town.clock.advance(86_400);
            town.send(None);
        }
        let before = town.asked();
        let all = (0..32).map(|_| {
            let town = town.clone();
            tokio::spawn(async move { town.standing(0).await })
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), standing);
        }
        assert_eq!(town.asked(), before + 1, "sends: {sends}");
    }
}

#[tokio::test]
async fn a_host_that_is_down_is_felt_only_when_the_list_has_run_out() {
    let town = Town::new();
    town.publish().await;
    assert_eq!(town.standing(2).await, Standing::Suspended);
    town.send(None);
    town.clock.advance(7199);
    assert_eq!(town.standing(2).await, Standing::Suspended, "inside its exp");
    town.clock.advance(1);
    assert_eq!(town.standing(2).await, Standing::Unknown);
    town.clock.advance(60);
    town.publish().await;
    assert_eq!(town.standing(2).await, Standing::Suspended, "it is back");
}

#[tokio::test]
async fn a_list_counts_for_so_long_and_no_longer() {
    let settings =
        StatusSettings { max_ttl_seconds: 600, max_age_seconds: 3600, ..StatusSettings::default() };
    let town = Town::with(settings);
    town.publish().await;
    let old = town.stand.sends.lock().unwrap().clone();
    assert_eq!(town.standing(0).await, Standing::Valid);
    town.clock.advance(600);
    assert_eq!((town.standing(0).await, town.asked()), (Standing::Valid, 2), "our own bound on ttl");
    town.clock.advance(3000);
    town.send(old);
    assert_eq!(town.standing(0).await, Standing::Unknown, "signed too long ago, whatever its exp");
}

#[tokio::test]
async fn a_host_that_fails_three_times_is_left_alone() {
    let town = Town::new();
    for _ in 0..10 {
        assert_eq!(town.standing(0).await, Standing::Unknown);
    }
    assert_eq!(town.asked(), 3);
    town.clock.advance(30);
    for _ in 0..3 {
        assert_eq!(town.standing(0).await, Standing::Unknown);
    }
    assert_eq!(town.asked(), 4, "one try, and it failed");
    town.clock.advance(30);
    town.publish().await;
    assert_eq!((town.standing(0).await, town.asked()), (Standing::Valid, 5));
}

#[tokio::test]
async fn only_lists_that_count_for_the_issuer_are_fetched() {
    let town = Town::new();
    town.send(Some(town.token(ELSEWHERE, &town.leaf).await));
    for uri in [ELSEWHERE, "https://issuer.example/other/a", "https://issuer.example/status/a/b"] {
        assert_eq!((town.standing_at(uri, 0).await, town.asked()), (Standing::Unknown, 0), "{uri}");
    }
    let host = Host { issuer: ISS.to_owned(), prefix: "https://lists.example/issuer/".to_owned() };
    let town = Town::with(StatusSettings { hosts: vec![host], ..StatusSettings::default() });
    town.send(Some(town.token(ELSEWHERE, &town.leaf).await));
    assert_eq!(town.standing_at(ELSEWHERE, 0).await, Standing::Valid);
    assert_eq!(town.standing_at("https://lists.example/other/a", 0).await, Standing::Unknown);
}

#[tokio::test]
async fn a_list_that_another_signed_or_that_is_for_another_place_says_nothing() {
    let town = Town::new();
    let other = town.ca.signer("https://other.example", SigningKey::generate().unwrap(), NOW).unwrap();
    let stranger = Town::new();
    for token in [
        town.token(URI, &other).await,
        town.token("https://issuer.example/status/b", &town.leaf).await,
        stranger.token(URI, &stranger.leaf).await,
        b"a.b.c".to_vec(),
        Vec::new(),
    ] {
        town.send(Some(token));
        town.clock.advance(30);
        assert_eq!(town.standing(0).await, Standing::Unknown);
    }
}

#[tokio::test]
async fn nobody_gets_an_older_list_in_the_place_of_a_newer() {
    let town = Town::new();
    let old = town.token(URI, &town.leaf).await;
    town.clock.advance(60);
    town.publish().await;
    assert_eq!(town.standing(2).await, Standing::Suspended);
    town.clock.advance(900);
    town.send(Some(old));
    assert_eq!((town.standing(2).await, town.asked()), (Standing::Suspended, 2));
}

#[test]
fn settings_have_bounds() {
    let usual = StatusSettings::default();
    assert_eq!(usual.fault(), None);
    let none = StatusSettings { min_ttl_seconds: 0, ..usual.clone() };
    let crossed = StatusSettings { min_ttl_seconds: 4000, ..usual.clone() };
    assert_eq!(
        (none.fault(), crossed.fault()),
        (Some("status.min_ttl_seconds"), Some("status.min_ttl_seconds"))
    );
    let longer = StatusSettings { max_age_seconds: 600, ..usual.clone() };
    assert_eq!(longer.fault(), Some("status.max_ttl_seconds"));
    let host = Host { issuer: ISS.to_owned(), prefix: "https://lists.example".to_owned() };
    assert_eq!(StatusSettings { hosts: vec![host], ..usual }.fault(), Some("status.hosts"));
}

#[test]
fn a_live_service_reaches_global_addresses_alone() {
    let usual = StatusSettings::default();
    let near = StatusSettings { loopback: true, ..usual.clone() };
    assert_eq!((usual.reach(false), usual.reach(true)), (Some(Reach::Global), Some(Reach::Global)));
    assert_eq!((near.reach(false), near.reach(true)), (None, Some(Reach::Loopback)));
}

#[cfg(feature = "mutants")]
mod switches {
    use super::*;
    use vouchsafe_mutants::without_async;

    /// An attack fails as things are, and succeeds once its check is gone.
    async fn killed<F: Future<Output = bool>>(name: &str, attack: impl Fn() -> F) {
        assert!(!attack().await, "{name}: the attack succeeds with every check in place");
        assert!(without_async(name, attack()).await, "{name}: no test would notice that it is gone");
    }

    #[tokio::test]
    async fn hosts_and_times() {
        killed("vp-status-host", async || {
            let town = Town::new();
            town.send(Some(town.token(ELSEWHERE, &town.leaf).await));
            town.standing_at(ELSEWHERE, 0).await == Standing::Valid
        })
        .await;
        let after = async |settings: StatusSettings, seconds| {
            let town = Town::with(settings);
            town.publish().await;
            assert_eq!(town.standing(0).await, Standing::Valid);
            town.clock.advance(seconds);
            town.send(None);
            town
        };
        let usual = StatusSettings::default;
        killed("vp-status-exp", async || after(usual(), 7200).await.standing(0).await == Standing::Valid)
            .await;
        let young = || StatusSettings { max_ttl_seconds: 900, max_age_seconds: 1800, ..usual() };
        killed("vp-status-age", async || after(young(), 1800).await.standing(0).await == Standing::Valid)
            .await;
        killed("vp-status-ttl", async || {
            let town = after(usual(), 900).await;
            town.standing(0).await;
            town.asked() == 1
        })
        .await;
    }

    #[test]
    fn addresses() {
        let near = StatusSettings { loopback: true, ..StatusSettings::default() };
        assert_eq!(
            vouchsafe_mutants::without("vp-status-loopback", || near.reach(false)),
            Some(Reach::Loopback)
        );
    }

    #[tokio::test]
    async fn fetches() {
        killed("vp-status-breaker", async || {
            let town = Town::new();
            for _ in 0..4 {
                town.standing(0).await;
            }
            town.asked() == 4
        })
        .await;
        killed("vp-status-once", async || {
            let town = Town::new();
            tokio::join!(town.standing(0), town.standing(0));
            town.asked() == 2
        })
        .await;
        killed("vp-status-rollback", async || {
            let town = Town::new();
            let mut list = List::new(Bits::Two, 8);
            list.set(7, 1).unwrap();
            let publication =
                Publication { uri: URI, issued_at: NOW, expires_at: NOW.plus(7200), ttl: 900, list: &list };
            let chain = [town.leaf.certificate.to_vec()];
            let old = publication.sign(&town.leaf.key, &chain).await.unwrap().0.into_bytes();
            town.clock.advance(60);
            town.publish().await;
            assert_eq!(town.standing(2).await, Standing::Suspended);
            town.clock.advance(900);
            town.send(Some(old));
            town.standing(2).await == Standing::Valid
        })
        .await;
    }
}
