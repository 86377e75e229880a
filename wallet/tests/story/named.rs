//! A service that knows a resident again.

use vouchsafe_protocol::encoding::b64u;
use vouchsafe_wallet::review::Ability;

use super::world::service::judgement;
use super::*;

async fn shared(world: &std::sync::Arc<World>, wallet: &Wallet) -> (String, String) {
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    wallet.share(&review, Confirmed::Share).await.unwrap();
    let judged = judgement(world, world.service.posts().last().unwrap());
    assert_eq!(judged.outcome, Outcome::Met);
    let name = judged.pseudonym.unwrap();
    (name.epoch, name.value)
}

#[tokio::test]
async fn a_service_knows_a_resident_again_and_says_so_before() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_name("swim");
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let page = review.page(Language::En).to_string();
    let told = "a name that they will know you by again, all through November 2026, for “swim”";
    assert!(page.contains(told), "{page}");
    assert!(page.contains("together with this service it can find out who you are"), "{page}");
    assert!(review.page(Language::Cy).to_string().contains("enw y byddan nhw’n eich adnabod wrtho eto"));

    // The same from two copies, and from a new batch; another for another action, and another of another wallet.
    let (first, again) = (shared(&world, &wallet).await, shared(&world, &wallet).await);
    assert!(first == again && first.0 == "2026-11");
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_name("dance");
    assert_ne!(shared(&world, &wallet).await.1, first.1);
    world.service.ask_name("swim");
    assert_eq!(shared(&world, &wallet).await, first);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = world.wallet(elsewhere.path()).await;
    other.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    assert_ne!(shared(&world, &other).await.1, first.1);
    // No service sees what the body holds the resident to.
    let nyms = world.issuer.desk.nyms.lock().unwrap().clone();
    assert!(nyms.iter().all(|nym| b64u(nym) != first.1));

    let newest = wallet.history().await.unwrap().remove(0);
    let Event::Shared { names, .. } = &newest.event else { panic!("the newest entry is the answer") };
    assert_eq!(names.last().unwrap().how, How::KnownAs);
    let kept = serde_json::to_string(&wallet.history().await.unwrap()).unwrap();
    assert!(newest.line(Language::En).contains("a name to know you by") && !kept.contains(&first.1));
}

/// A wallet whose copies are linked to nothing has no name to give.
#[tokio::test]
async fn a_resident_without_a_linked_credential_has_no_name() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    world.service.ask_name("swim");
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    assert_eq!(review.facts().offered().unwrap().ability, Ability::NoneHeld);
    assert!(wallet.share(&review, Confirmed::Share).await.is_err());
    assert!(world.service.posts().is_empty());
}
