//! The lists that are kept, and the way to a newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::answer::Sought;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::status::{Entitled, Expected, Received, Standing, Token};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::clock::Clock;
use vouchsafe_service::keys::Jws;

use super::breaker::Breakers;
use super::{Fetch, StatusSettings};

/// Lists kept at a time. At two mebibytes each they stay far below what a program may use.
const MOST: usize = 32;

/// What is kept of a token that says nothing about how long.
const USUAL_TTL: i64 = 900;

/// A list under one URI.
#[derive(Default)]
struct Slot {
    /// Held by whoever fetches; others wait for what comes of it.
    fetching: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Clone, Default)]
struct Kept {
    list: Option<Arc<Listed>>,
    /// Tries so far, good or not: who waited for one takes its result.
    tries: u64,
    used: u64,
}

/// A list that was checked, for one issuer.
struct Listed {
    iss: String,
    token: Token,
    fetched_at: UnixTime,
}

/// Why a list was not taken; the code that the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NotAllowed,
    Resting,
    Away,
    Refused,
    Older,
}

impl Fault {
    fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "status-host",
            Self::Resting => "status-resting",
            Self::Away => "status-away",
            Self::Refused => "status-refused",
            Self::Older => "status-older",
        }
    }
}

/// The status lists that this program has read.
pub struct Book {
    settings: StatusSettings,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    breakers: Breakers,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(settings: StatusSettings, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, fetch, clock, slots: Mutex::default(), breakers: Breakers::default() }
    }

    /// What the lists say, in the order of what is sought. `anchors` gives those that count for an issuer.
    pub async fn look_up(&self, sought: Vec<Sought>, anchors: impl Fn(&str) -> Vec<Anchor>) -> Vec<Standing> {
        let mut standings = Vec::with_capacity(sought.len());
        for one in sought {
            let anchors = anchors(&one.iss);
            let standing = match self.list(&one, anchors).await {
                // An index beyond the list says nothing either.
                Ok(listed) => listed.token.standing(one.reference.idx()).unwrap_or(Standing::Unknown),
                Err(fault) => {
                    tracing::warn!(reason = fault.code(), "a status list could not be used");
                    Standing::Unknown
                }
            };
            standings.push(standing);
        }
        standings
    }

    /// The list that counts now.
    async fn list(&self, sought: &Sought, anchors: Vec<Anchor>) -> Result<Arc<Listed>, Fault> {
        if !(mutants::skips("vp-status-host") || self.is_allowed(sought)) {
            return Err(Fault::NotAllowed);
        }
        let slot = self.slot(sought.reference.uri());
        let before = slot.read();
        if let Some(fresh) = self.good(&before, &sought.iss, Listed::is_fresh) {
            return Ok(fresh);
        }
        let fetching = slot.fetching.lock().await;
        let now = slot.read();
        let tried = if mutants::skips("vp-status-once") || now.tries == before.tries {
            let fetched = self.newer(sought, anchors, now.list.as_deref()).await;
            slot.note(fetched)
        } else {
            Ok(())
        };
        drop(fetching);
        // While no newer one can be had, the one that is there counts inside its own time.
        let kept = self.good(&slot.read(), &sought.iss, Listed::is_usable);
        kept.ok_or(tried.err().unwrap_or(Fault::Away))
    }

    fn good(&self, kept: &Kept, iss: &str, counts: Counts) -> Option<Arc<Listed>> {
        let listed = kept.list.as_ref()?;
        (listed.iss == iss && counts(listed, &self.settings, self.clock.now())).then(|| listed.clone())
    }

    /// The issuer's own lists, and those of hosts that the operator has named for it.
    fn is_allowed(&self, sought: &Sought) -> bool {
        let named = |host: &super::Host| {
            host.issuer == sought.iss && sought.reference.uri().starts_with(&host.prefix)
        };
        sought.reference.is_own(&sought.iss) || self.settings.hosts.iter().any(named)
    }

    async fn newer(
        &self,
        sought: &Sought,
        anchors: Vec<Anchor>,
        kept: Option<&Listed>,
    ) -> Result<Listed, Fault> {
        let uri = sought.reference.uri();
        let host = Url::parse(uri).ok().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        if !self.breakers.lets(&host, self.clock.now()) {
            return Err(Fault::Resting);
        }
        let fetched = match self.fetch.fetch(uri, self.most()).await {
            Ok(text) => self.check(&sought.iss, uri, text, anchors).await,
            Err(_) => Err(Fault::Away),
        };
        let newer = fetched.and_then(|listed| listed.not_before(kept));
        // A host that sends what cannot be used is no better than one that sends nothing.
        self.breakers.note(&host, newer.is_ok(), self.clock.now());
        newer
    }

    /// A list at its largest, in base64 twice, and some room for the rest.
    fn most(&self) -> usize {
        self.settings.max_inflated_bytes * 2 + 64 * 1024
    }

    /// Checks and inflates on a thread where that may take its time.
    async fn check(
        &self,
        iss: &str,
        uri: &str,
        text: Vec<u8>,
        anchors: Vec<Anchor>,
    ) -> Result<Listed, Fault> {
        let now = self.clock.now();
        let (settings, iss, uri) = (self.settings.clone(), iss.to_owned(), uri.to_owned());
        let work = move || {
            let token = verify(&settings, &iss, &uri, &text, &anchors, now)?;
            Some(Listed { iss, token, fetched_at: now })
        };
        let listed = tokio::task::spawn_blocking(work).await.ok().flatten().ok_or(Fault::Refused)?;
        // Old news that is only now delivered is old news.
        if listed.is_usable(&self.settings, now) { Ok(listed) } else { Err(Fault::Older) }
    }

    /// The slot of a list; beyond so many the one that was least used makes room.
    fn slot(&self, uri: &str) -> Arc<Slot> {
        let mut slots = self.slots();
        if !slots.contains_key(uri) && slots.len() >= MOST {
            let least = slots.iter().min_by_key(|(_, slot)| slot.read().used).map(|(uri, _)| uri.clone());
            least.and_then(|uri| slots.remove(&uri));
        }
        let slot = slots.entry(uri.to_owned()).or_default().clone();
        slot.kept().used += 1;
        slot
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Counts = fn(&Listed, &StatusSettings, UnixTime) -> bool;

fn verify(
    settings: &StatusSettings,
    iss: &str,
    uri: &str,
    text: &[u8],
    anchors: &[Anchor],
    now: UnixTime,
) -> Option<Token> {
    // Its size was bounded when it was fetched.
    let token = Received::jwt(text, text.len()).ok()?;
    let leaf = validate(token.x5c(), anchors, now, &Jws).ok()?;
    let signer = Entitled { iss, status_signing: settings.signing_usage.as_deref() };
    let expected = Expected { uri, signer, now, max_inflated: settings.max_inflated_bytes };
    token.verify(&leaf, &expected, &Jws).ok()
}

impl Listed {
    /// Section 13.7: its own `ttl`, between our bounds.
    fn is_fresh(&self, settings: &StatusSettings, now: UnixTime) -> bool {
        let (least, most) = (i64::from(settings.min_ttl_seconds), i64::from(settings.max_ttl_seconds));
        let said = self.token.ttl().unwrap_or(USUAL_TTL);
        let ttl = if mutants::skips("vp-status-ttl-least") { said } else { said.max(least) };
        let ttl = if mutants::skips("vp-status-ttl-most") { ttl } else { ttl.min(most) };
        let kept = now < self.fetched_at.plus(ttl);
        (mutants::skips("vp-status-ttl") || kept) && self.is_usable(settings, now)
    }

    fn is_usable(&self, settings: &StatusSettings, now: UnixTime) -> bool {
        let in_time = self.token.expires_at().is_none_or(|exp| now < exp);
        let young = now < self.token.issued_at().plus(i64::from(settings.max_age_seconds));
        (mutants::skips("vp-status-exp") || in_time) && (mutants::skips("vp-status-age") || young)
    }

    /// Nobody gets an older list in the place of the one that is kept, valid as it may still be: a suspension would be
    /// undone by whoever replays yesterday's.
    fn not_before(self, kept: Option<&Self>) -> Result<Self, Fault> {
        let newer = kept.is_none_or(|kept| kept.token.issued_at() <= self.token.issued_at());
        if !(mutants::skips("vp-status-rollback") || newer) {
            return Err(Fault::Older);
        }
        Ok(self)
    }
}

impl Slot {
    fn read(&self) -> Kept {
        self.kept().clone()
    }

    fn note(&self, fetched: Result<Listed, Fault>) -> Result<(), Fault> {
        let mut kept = self.kept();
        kept.tries += 1;
        kept.list = Some(Arc::new(fetched?));
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
