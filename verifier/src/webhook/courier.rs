//! Claims what is due, sends it and settles it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{self, Entropy};

use super::endpoint::Place;
use super::{body, id};
use crate::app::App;
use crate::store::{Message, RequestId, Settled, StoreError, Tenant};

/// The most messages on their way at a time, from this process.
const AT_ONCE: usize = 8;
/// How often it is looked for what is due: what failed before, and what other replicas made.
const LOOK: Duration = Duration::from_secs(2);
/// How long after a change of a request it is looked for its message: others come with it.
const GATHER: Duration = Duration::from_millis(200);
/// Seconds to wait after the first failures; after more of them, the last.
const WAITS: [i64; 6] = [5, 30, 120, 600, 3600, 6 * 3600];

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Taken by their endpoints.
    pub delivered: u32,
    /// To be tried again.
    pub failed: u32,
    /// Given up.
    pub dead: u32,
}

/// Sends messages, some at a time.
pub struct Courier {
    app: Arc<App>,
    flights: JoinSet<Option<Settled>>,
    /// Which endpoint comes first next time.
    turn: usize,
}

impl Courier {
    /// A courier with nothing to carry yet.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { app, flights: JoinSet::new(), turn: 0 }
    }

    /// Sends all that is due now, and waits until it is settled.
    ///
    /// # Errors
    /// When the store does not answer; what was claimed is sent again once its claim is over.
    pub async fn round(&mut self) -> Result<Sent, StoreError> {
        let mut sent = Sent::default();
        loop {
            self.start().await?;
            match self.flights.join_next().await {
                None => return Ok(sent),
                Some(landed) => sent.count(landed.ok().flatten()),
            }
        }
    }

    /// Claims as much as there are places for, and sets it off. Endpoints come first in turn.
    async fn start(&mut self) -> Result<(), StoreError> {
        let all = self.app.endpoints().all();
        let count = all.len();
        for (tenant, endpoint) in all.iter().cycle().skip(self.turn).take(count) {
            let room = endpoint.room().min(AT_ONCE.saturating_sub(self.flights.len()));
            if room == 0 {
                continue;
            }
            let limit = u32::try_from(room).unwrap_or(u32::MAX);
            for message in self.app.store().claim(tenant, self.app.now(), limit).await? {
                let flight = deliver(Arc::clone(&self.app), endpoint.place(), tenant.clone(), message);
                self.flights.spawn(flight);
            }
        }
        self.turn = (self.turn + 1).checked_rem(count).unwrap_or_default();
        Ok(())
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, rounds: &mut tokio::time::Interval, changes: &mut Receiver<RequestId>) {
        tokio::select! {
            _ = rounds.tick() => {}
            () = told(changes) => {}
            Some(_) = self.flights.join_next(), if !self.flights.is_empty() => {}
        }
    }
}

/// Sends messages for as long as it is polled; for `serve`, `dev` and `demo`.
///
/// A store that does not answer is tried again with the next round.
pub async fn deliver_every(app: Arc<App>) -> Infallible {
    let mut rounds = tokio::time::interval(LOOK);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changes = app.clients().changes.listen();
    let mut courier = Courier::new(app);
    loop {
        courier.wait(&mut rounds, &mut changes).await;
        if let Err(fault) = courier.start().await {
            tracing::warn!("messages for services were not sent: {fault}");
        }
    }
}

/// Waits until a request changed, and a moment more.
async fn told(changes: &mut Receiver<RequestId>) {
    if let Err(RecvError::Closed) = changes.recv().await {
        return std::future::pending().await;
    }
    tokio::time::sleep(GATHER).await;
    while changes.try_recv().is_ok() {}
}

/// One attempt; `None` where what came of it could not be kept, or somebody else has the message since.
async fn deliver(app: Arc<App>, place: Place, tenant: Tenant, message: Message) -> Option<Settled> {
    let event = id(&app, &tenant, &message);
    let patience = app.endpoints().patience;
    let status = place.endpoint().send(&event, app.now(), &body(&message), patience).await;
    let now = app.now();
    let how = judge(status, &message, now, app.entropy());
    place.endpoint().did(how == Settled::Delivered);
    match app.store().settle(&tenant, &message, &event, how, now).await {
        Ok(kept) => {
            count(how, &tenant);
            kept.then_some(how)
        }
        Err(fault) => {
            tracing::warn!("what came of a message was not kept, and it is sent again: {fault}");
            None
        }
    }
}

/// Standard Webhooks, "Responding to webhooks": success is 2xx, a redirect is none, and 410 says never again.
fn judge(status: Option<u16>, message: &Message, now: UnixTime, entropy: &dyn Entropy) -> Settled {
    let taken = status.is_some_and(|status| mutants::skips("hook-taken") || (200..300).contains(&status));
    let gone = !mutants::skips("hook-gone") && status == Some(410);
    let over = !mutants::skips("hook-give-up") && now >= message.give_up_at();
    match () {
        () if taken => Settled::Delivered,
        () if gone || over => Settled::Dead,
        () => {
            let last = message.give_up_at().max(now.plus(1));
            Settled::Again(now.plus(wait(message.attempts, entropy)).min(last))
        }
    }
}

/// How long to wait after so many attempts: a fifth more or less, so that what failed together does not come together.
fn wait(attempts: i64, entropy: &dyn Entropy) -> i64 {
    let failures = usize::try_from(attempts.max(1) - 1).unwrap_or_default();
    let usual = WAITS.get(failures).or(WAITS.last()).copied().unwrap_or_default();
    let chance = i64::from(u16::from_be_bytes(entropy::bytes(entropy)));
    usual + usual * (chance * 2 - 65_535) / (5 * 65_535)
}

fn count(how: Settled, tenant: &Tenant) {
    let result = match how {
        Settled::Delivered => "delivered",
        Settled::Again(_) => "failed",
        Settled::Dead => "dead",
    };
    metrics::counter!("webhook_deliveries_total", "result" => result).increment(1);
    if how == Settled::Dead {
        tracing::warn!(service.id = %tenant.service.0, "a message was given up; its service can have it sent again");
    }
}

impl Sent {
    fn count(&mut self, how: Option<Settled>) {
        match how {
            Some(Settled::Delivered) => self.delivered += 1,
            Some(Settled::Dead) => self.dead += 1,
            Some(Settled::Again(_)) | None => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Delivery, TRY_SECONDS};

    /// Always the same byte.
    struct Chance(u8);

    impl Entropy for Chance {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    const START: UnixTime = UnixTime(1_795_000_000);
    const MIDDLE: Chance = Chance(0x7F);

    fn message(attempts: i64) -> Message {
        Message {
            position: 1,
            about: RequestId("req_1".into()),
            topic: "decision.met".into(),
            created_at: START,
            again_at: None,
            state: Delivery::Waiting,
            attempts,
            next_at: START,
        }
    }

    #[test]
    fn waits_grow_and_vary_by_a_fifth() {
        for (attempts, least, most) in
            [(1, 4, 6), (2, 24, 36), (3, 96, 144), (4, 480, 720), (5, 2880, 4320), (6, 17_280, 25_920)]
        {
            assert_eq!(wait(attempts, &Chance(0)), least);
            assert_eq!(wait(attempts, &Chance(0xFF)), most);
        }
        assert_eq!(wait(400, &Chance(0)), 17_280, "and then no more");
    }

    #[test]
    fn a_message_is_tried_for_three_days() {
        let judged = |status, at| judge(status, &message(1), at, &MIDDLE);
        assert_eq!(judged(Some(204), START), Settled::Delivered);
        assert_eq!(judged(Some(500), START), Settled::Again(START.plus(5)));
        assert_eq!(judged(None, START), Settled::Again(START.plus(5)));
        assert_eq!(judged(Some(410), START), Settled::Dead);
        let over = START.plus(TRY_SECONDS);
        assert_eq!(
            judge(None, &message(9), over.minus(60), &MIDDLE),
            Settled::Again(over),
            "once more at the end"
        );
        assert_eq!(judged(None, over), Settled::Dead);
        assert_eq!(judged(Some(200), over.plus(1)), Settled::Delivered, "what is taken is taken");
        let again = Message { again_at: Some(over), ..message(1) };
        assert_eq!(judge(None, &again, over, &MIDDLE), Settled::Again(over.plus(5)));
    }

    #[test]
    fn only_success_is_success() {
        for status in [100, 199, 300, 301, 302, 303, 304, 307, 308, 400, 404, 429, 500, 503, 599] {
            assert!(
                matches!(judge(Some(status), &message(1), START, &MIDDLE), Settled::Again(_)),
                "{status}"
            );
        }
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judge(Some(status), &message(1), START, &MIDDLE), Settled::Delivered, "{status}");
        }
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn switches_that_are_noticed() {
        let over = START.plus(TRY_SECONDS);
        let without = |name, status, at| mutants::without(name, || judge(status, &message(1), at, &MIDDLE));
        assert_eq!(without("hook-taken", Some(302), START), Settled::Delivered);
        assert!(matches!(without("hook-gone", Some(410), START), Settled::Again(_)));
        assert!(matches!(without("hook-give-up", None, over), Settled::Again(_)));
    }
}
