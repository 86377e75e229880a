//! Copies that are linked to the wallet's secret: one secret for all of them, and another wallet has another.

use tempfile::TempDir;
use vouchsafe_wallet::history::Event;
use vouchsafe_wallet::vault::Section;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Fault, Outcome, Wallet};

use crate::world::desk::Decision;
use crate::world::issuer::{COPIES, INTERVAL, TX_CODE};
use crate::world::{World, old_resident};

async fn wallet(world: &std::sync::Arc<World>) -> (Wallet, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (world.wallet(directory.path()).await, directory)
}

async fn rows(wallet: &Wallet, section: Section) -> usize {
    wallet.vault().scan(section).await.unwrap().len()
}

#[tokio::test]
async fn a_wallet_is_known_by_one_name_and_another_by_another() {
    let world = World::of(old_resident());
    let (first, directory) = wallet(&world).await;
    // A type that is not linked needs no secret.
    first.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    assert_eq!(rows(&first, Section::Link).await, 0);
    first.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    first.close().await;
    let first = world.bare_wallet(directory.path()).await;
    first.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    assert_eq!(rows(&first, Section::Link).await, 1);
    assert_eq!(rows(&first, Section::Seed).await, 3 * COPIES as usize);
    let (second, _directory) = wallet(&world).await;
    second.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    let nyms = world.issuer.desk.nyms.lock().unwrap().clone();
    assert_eq!(nyms.len(), 3);
    assert!(nyms[0] == nyms[1] && nyms[1] != nyms[2]);
}

#[tokio::test]
async fn another_wallet_on_record_is_said_and_sends_to_the_counter() {
    let world = World::of(old_resident());
    world.issuer.desk.rule(|rules| rules.other_wallet = true);
    let (wallet, _directory) = wallet(&world).await;
    let refused = wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), ("other-wallet", Fault::RefusedByPeer));
    assert!(refused.to_string().contains("go to its counter"));
    let newest = wallet.history().await.unwrap().remove(0);
    assert!(matches!(newest.event, Event::Failed { code, .. } if code == "other-wallet"));
    // Nothing is kept but the secret, which the next try uses again.
    for section in [Section::Credential, Section::Copy, Section::HolderKey, Section::Seed, Section::Waiting] {
        assert_eq!(rows(&wallet, section).await, 0, "{section:?}");
    }
    world.issuer.desk.rule(|rules| rules.other_wallet = false);
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    let nyms = world.issuer.desk.nyms.lock().unwrap().clone();
    assert!(nyms.len() == 2 && nyms[0] == nyms[1]);
}

/// The copies of a linked batch that was put off carry what was drawn with the request, whenever they come.
#[tokio::test]
async fn what_is_put_off_stays_linked() {
    let world = World::of(old_resident());
    world.issuer.desk.rule(|rules| rules.put_off = true);
    let (wallet, directory) = wallet(&world).await;
    let collected = wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    assert_eq!((collected.received.len(), collected.waiting.len()), (0, 1));
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    world.clock.advance(INTERVAL.into());
    world.issuer.desk.rule(|rules| rules.decision = Decision::Approved);
    let came = wallet.receive_waiting().await.unwrap().remove(0);
    assert!(matches!(came.outcome, Outcome::Received { copies: 3, .. }), "{came:?}");
    assert_eq!(rows(&wallet, Section::Waiting).await, 0);
}

#[tokio::test]
async fn another_wallet_may_have_come_first_while_it_waited() {
    let world = World::of(old_resident());
    world.issuer.desk.rule(|rules| rules.put_off = true);
    let (wallet, _directory) = wallet(&world).await;
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    world.clock.advance(INTERVAL.into());
    world.issuer.desk.rule(|rules| (rules.decision, rules.other_wallet) = (Decision::Approved, true));
    let ended = wallet.receive_waiting().await.unwrap().remove(0);
    assert!(matches!(ended.outcome, Outcome::Ended { code: "other-wallet", .. }), "{ended:?}");
    let said = "Larkfield District Council has another wallet on record for you, so “Resident card” did not come in. Go \
                to its counter: it can be changed there. Ask for a new offer then.";
    assert_eq!(ended.words(Language::En), said);
    assert!(ended.words(Language::Cy).contains("cownter"));
    assert_eq!((rows(&wallet, Section::Waiting).await, rows(&wallet, Section::Copy).await), (0, 0));
}
