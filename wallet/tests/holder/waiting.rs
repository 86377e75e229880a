//! What an officer decides on first, and what was stopped half-way.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use vouchsafe_protocol::time::DAY;
use vouchsafe_wallet::history::Event;
use vouchsafe_wallet::vault::Section;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Outcome, Waited, Wallet};

use crate::world::desk::{Cut, Decision, Rules};
use crate::world::issuer::{COPIES, INTERVAL, Spoil, TX_CODE};
use crate::world::service::Rogue;
use crate::world::{World, old_resident};

/// A resident whose council decides on requests.
struct Home {
    world: Arc<World>,
    wallet: Wallet,
    directory: TempDir,
}

impl Home {
    async fn new() -> Self {
        let world = World::of(old_resident());
        world.issuer.desk.rule(|rules| rules.put_off = true);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.wallet(directory.path()).await;
        Self { world, wallet, directory }
    }

    /// A resident whose request was put off, and who has waited long enough.
    async fn waiting() -> Self {
        let home = Self::new().await;
        let collected = home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
        assert_eq!((collected.received.len(), collected.waiting.len()), (0, 1));
        assert_eq!(collected.waiting[0].wait_s, u64::from(INTERVAL));
        home.world.clock.advance(INTERVAL.into());
        home
    }

    fn rule(&self, change: impl FnOnce(&mut Rules)) {
        self.world.issuer.desk.rule(change);
    }

    /// What becomes of the one batch that waits.
    async fn asks(&self) -> Waited {
        let mut all = self.wallet.receive_waiting().await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    async fn rows(&self, section: Section) -> usize {
        self.wallet.vault().scan(section).await.unwrap().len()
    }

    async fn copies(&self) -> usize {
        self.wallet.list().await.unwrap().iter().map(|one| one.copies.unused).sum()
    }

    /// Nothing waits, and nothing but whole batches is held.
    async fn is_settled(&self) -> bool {
        let copies = self.rows(Section::Copy).await;
        let batches = self.rows(Section::Credential).await;
        self.rows(Section::Waiting).await == 0 && copies == batches * COPIES as usize
    }

    async fn again(self) -> Self {
        self.wallet.close().await;
        let wallet = self.world.bare_wallet(self.directory.path()).await;
        Self { wallet, ..self }
    }
}

#[tokio::test]
async fn a_batch_that_an_officer_decides_on_comes_in_afterwards() {
    let home = Home::new().await;
    let collected = home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
    let words = collected.waiting[0].words(Language::En);
    let said = "An officer of Larkfield District Council decides on “Proof of residence” first. Nothing is lost: ask \
                again in 10 minutes.";
    assert_eq!(words, said);
    assert!(matches!(home.wallet.history().await.unwrap()[0].event, Event::PutOff { .. }));
    assert_eq!((home.rows(Section::Waiting).await, home.copies().await), (1, 0));

    // Too early: the body is left alone.
    home.world.clock.advance(i64::from(INTERVAL) - 1);
    assert_eq!(home.asks().await.outcome, Outcome::Waits { wait_s: 1 });
    assert_eq!(home.world.issuer.desk.asked("deferred"), 0);
    // Nobody has decided yet, and the time starts anew, for the program that is started anew as well.
    home.world.clock.advance(1);
    let home = home.again().await;
    assert_eq!(home.asks().await.outcome, Outcome::Waits { wait_s: INTERVAL.into() });
    assert_eq!(home.asks().await.words(Language::Cy).matches("ymhen 10 munud").count(), 1);
    assert_eq!(home.world.issuer.desk.asked("deferred"), 1);

    home.rule(|rules| rules.decision = Decision::Approved);
    home.world.clock.advance(INTERVAL.into());
    let came = home.asks().await;
    assert!(matches!(came.outcome, Outcome::Received { copies: 3, .. }), "{came:?}");
    assert_eq!(came.words(Language::En), "3 copies of “Proof of residence” from Larkfield District Council.");
    assert!(home.is_settled().await && home.copies().await == COPIES as usize);
    assert!(matches!(home.wallet.history().await.unwrap()[0].event, Event::Received { copies: 3, .. }));
    assert_eq!(home.wallet.receive_waiting().await.unwrap(), []);
}

#[tokio::test]
async fn a_refusal_is_said_and_nothing_is_kept() {
    let home = Home::waiting().await;
    home.rule(|rules| rules.decision = Decision::Refused);
    let ended = home.asks().await;
    assert!(matches!(ended.outcome, Outcome::Ended { code: "denied", .. }), "{ended:?}");
    let said = "Larkfield District Council decided not to give you “Proof of residence”. Ask them why.";
    assert_eq!(ended.words(Language::En), said);
    assert!(home.is_settled().await && home.copies().await == 0);
    let history = home.wallet.history().await.unwrap();
    assert!(matches!(&history[0].event, Event::NotIssued { code, .. } if code == "denied"));
    assert!(history[0].line(Language::En).ends_with("was not collected on 21 November 2026. Code: denied."));
}

#[tokio::test]
async fn a_body_that_cannot_be_asked_is_asked_again() {
    let home = Home::waiting().await;
    home.rule(|rules| rules.decision = Decision::Approved);
    home.world.issuer.set_busy(&[".well-known/openid-credential-issuer"]);
    assert_eq!(home.asks().await.outcome, Outcome::NotAsked { code: "busy" });
    home.world.issuer.set_busy(&["deferred"; 5]);
    let held_up = home.asks().await;
    assert_eq!(held_up.outcome, Outcome::NotAsked { code: "stayed-busy" });
    assert!(held_up.words(Language::En).ends_with("Nothing is lost: ask again later. Code: stayed-busy."));
    assert!(matches!(home.asks().await.outcome, Outcome::Received { copies: 3, .. }));
}

#[tokio::test]
async fn what_cannot_be_asked_for_any_more_is_given_up() {
    let home = Home::waiting().await;
    // The token was good for five minutes; a month later nobody answers still.
    home.world.clock.advance(29 * DAY);
    home.world.issuer.set_busy(&[".well-known/openid-credential-issuer"]);
    assert_eq!(home.asks().await.outcome, Outcome::NotAsked { code: "busy" });
    home.world.clock.advance(DAY);
    home.world.issuer.set_busy(&[".well-known/openid-credential-issuer"]);
    assert!(matches!(home.asks().await.outcome, Outcome::Ended { code: "busy", .. }));
    assert!(home.is_settled().await);
}

#[tokio::test]
async fn another_transaction_is_not_taken_up() {
    let home = Home::waiting().await;
    home.rule(|rules| rules.other_transaction = true);
    assert!(!takes_up(&home).await);
}

/// Whether the wallet goes on with what the body names instead of what it was told first.
async fn takes_up(home: &Home) -> bool {
    matches!(home.asks().await.outcome, Outcome::Waits { .. })
}

/// One story, stopped at one call: collecting, the officer's decision, asking again.
async fn stopped_at(cut: Cut, directory: &Path) -> (Arc<World>, bool) {
    let world = World::of(old_resident());
    world.issuer.desk.rule(|rules| rules.put_off = true);
    let wallet = world.wallet(directory).await;
    world.issuer.desk.cut(Some(cut));
    let story = async {
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        world.clock.advance(INTERVAL.into());
        world.issuer.desk.rule(|rules| rules.decision = Decision::Approved);
        wallet.receive_waiting().await.unwrap();
    };
    let finished = tokio::select! {
        () = story => true,
        () = world.issuer.desk.stopped.notified() => false,
    };
    wallet.close().await;
    world.issuer.desk.cut(None);
    (world, finished)
}

#[tokio::test]
async fn stopped_between_any_two_steps_nothing_is_doubled_and_nothing_is_stuck() {
    for call in 1.. {
        let mut finished = true;
        for cut in [Cut::Before(call), Cut::After(call)] {
            let directory = tempfile::tempdir().unwrap();
            let (world, whole) = stopped_at(cut, directory.path()).await;
            finished &= whole;
            let reached = world.issuer.desk.last();
            world.issuer.desk.rule(|rules| rules.decision = Decision::Approved);
            let wallet = world.bare_wallet(directory.path()).await;
            let home = Home { world, wallet, directory };
            let begun = home.rows(Section::Waiting).await > 0 || home.copies().await > 0;
            if !begun {
                home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
            }
            for _ in 0..2 {
                home.world.clock.advance(INTERVAL.into());
                home.wallet.receive_waiting().await.unwrap();
            }
            assert!(home.is_settled().await, "{cut:?}, {reached}");
            // What the body gives once is lost with the answer that it was in; that is said.
            let given = matches!(cut, Cut::After(_)) && ["credential", "deferred"].contains(&&*reached);
            let lost = given && !whole;
            assert_eq!(home.copies().await, if lost { 0 } else { COPIES as usize }, "{cut:?}, {reached}");
            let last = &home.wallet.history().await.unwrap()[0].event;
            assert_eq!(matches!(last, Event::NotIssued { .. }), lost, "{cut:?}, {reached}: {last:?}");
        }
        if finished {
            // Offer, metadata of issuer and server, token, nonce, request; metadata, request.
            assert_eq!(call, 9);
            break;
        }
    }
}

#[tokio::test]
async fn a_broken_connection_after_the_code_costs_nothing() {
    let home = Home::new().await;
    home.rule(|rules| rules.put_off = false);
    home.world.issuer.set_busy(&["nonce"; 5]);
    let refused = home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap_err();
    assert_eq!(refused.code(), "stayed-busy");
    assert_eq!(home.rows(Section::Waiting).await, 1);
    assert!(matches!(home.asks().await.outcome, Outcome::Received { copies: 3, .. }));
    assert!(home.is_settled().await);
}

/// A resident who is offered two batches with one token, by a body with such faults.
async fn offered_two(spoil: Spoil) -> Home {
    let world = World::with(old_resident(), spoil, Rogue::None);
    world.issuer.desk.rule(|rules| rules.reusable = true);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    Home { world, wallet, directory }
}

#[tokio::test]
async fn of_two_batches_each_comes_in_by_itself() {
    let home = offered_two(Spoil::None).await;
    let offer = home.world.issuer.double_offer().link();
    let collected = home.wallet.receive(&offer, Some(TX_CODE)).await.unwrap();
    assert_eq!((collected.received.len(), home.copies().await), (2, 6));

    // The first came in, and the connection broke before the second.
    let home = offered_two(Spoil::None).await;
    home.world.issuer.desk.cut(Some(Cut::Before(7)));
    let collected = async { home.wallet.receive(&offer, Some(TX_CODE)).await.is_ok() };
    tokio::select! {
        _ = collected => panic!("it was not stopped"),
        () = home.world.issuer.desk.stopped.notified() => {}
    }
    home.world.issuer.desk.cut(None);
    let home = home.again().await;
    assert_eq!((home.copies().await, home.rows(Section::Waiting).await), (3, 1));
    assert!(matches!(home.asks().await.outcome, Outcome::Received { copies: 3, .. }));
    assert!(home.is_settled().await && home.copies().await == 6);

    // Whoever sends one thing off is not asked for the rest.
    let home = offered_two(Spoil::OwnKey).await;
    assert_eq!(home.wallet.receive(&offer, Some(TX_CODE)).await.unwrap_err().code(), "batch");
    assert_eq!((home.world.issuer.desk.asked("credential"), home.copies().await), (1, 0));
    assert!(home.is_settled().await);
}

#[cfg(feature = "mutants")]
mod switches {
    use super::*;
    use crate::killed;

    #[tokio::test]
    async fn asking_again() {
        killed("wallet-waiting-interval", async || {
            let home = Home::new().await;
            home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
            home.asks().await;
            home.world.issuer.desk.asked("deferred") == 1
        })
        .await;
        killed("wallet-waiting-transaction", async || {
            let home = Home::waiting().await;
            home.rule(|rules| rules.other_transaction = true);
            takes_up(&home).await
        })
        .await;
    }
}
