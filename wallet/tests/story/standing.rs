//! Standing permissions: what is asked again is answered as it was permitted, and everything else is to be read.

use serde_json::{Value, json};
use vouchsafe_protocol::permission::call::Do;
use vouchsafe_protocol::permission::record::{Happening, Route};
use vouchsafe_wallet::permissions::{Answering, Because, State};
use vouchsafe_wallet::vault::Change;
use zeroize::Zeroizing;

use super::permits::{asked, gives};
use super::world::killed;
use super::world::permits::{Spoilt, standing};
use super::*;

const DAY: i64 = 86_400;

/// A wallet that gave a standing permission, and a service that asks again after so many days.
async fn again(permission: Value, days: i64) -> (std::sync::Arc<World>, tempfile::TempDir, Wallet, String) {
    let (world, directory, wallet) = asked(permission).await;
    let id = gives(&world, &wallet).await.id;
    world.service.permits.ask_again(world.service.link(Method::Post));
    world.service.ask_again("YWdhaW4tYWdhaW4tYWdhaW4");
    world.clock.advance(days * DAY);
    (world, directory, wallet, id)
}

async fn outcomes(wallet: &Wallet) -> Vec<Answering> {
    wallet.ask_permissions().await.unwrap().into_iter().map(|one| one.outcome).collect()
}

fn reads(outcomes: &[Answering]) -> Option<Because> {
    match outcomes {
        [Answering::Review { because, .. }] => Some(*because),
        _ => None,
    }
}

#[tokio::test]
async fn what_was_permitted_is_answered_again_without_a_page() {
    let (world, directory, wallet, id) = again(standing(), 0).await;
    // Sooner than permitted nobody is asked; the record is fetched, and once is enough.
    for calls in [1, 1] {
        assert!(outcomes(&wallet).await.is_empty());
        assert_eq!(world.service.permits.calls().len(), calls);
    }
    world.clock.advance(3 * DAY);
    assert_eq!(outcomes(&wallet).await, [Answering::Answered]);
    assert_eq!((world.service.posts().len(), world.decides(), world.recorded()), (2, true, 1));
    let line = wallet.history().await.unwrap()[0].line(Language::En);
    assert!(
        line.starts_with("Answered Larkfield Buses again on 24 November 2026: date of birth, ward."),
        "{line}"
    );
    assert!(line.ends_with(&format!("By your permission number {id}: being asked again.")), "{line}");
    let used = wallet.permission(&id).await.unwrap();
    assert_eq!((used.uses, used.last_use.as_deref(), used.state), (1, Some("2026-11-24"), State::Given));
    assert!(used.page(Language::En).to_string().contains("They were answered under it again 1 times"));
    // The interval runs from the last answer, in a later process too.
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    assert!(outcomes(&wallet).await.is_empty());
    world.clock.advance(3 * DAY - 1);
    assert_eq!(outcomes(&wallet).await, [Answering::Answered]);
    assert!(world.service.permits.calls().iter().all(|what| *what == Do::State));
}

#[tokio::test]
async fn what_comes_too_soon_is_not_answered() {
    killed("wallet-standing-every", async || {
        let (world, _directory, wallet, _) = again(standing(), 2).await;
        let told = outcomes(&wallet).await;
        assert_eq!(world.service.posts().len(), if told.is_empty() { 1 } else { 2 });
        told == [Answering::Answered]
    })
    .await;
}

#[tokio::test]
async fn what_comes_more_often_than_permitted_is_not_answered() {
    killed("wallet-standing-uses", async || {
        let mut once = standing();
        once["uses"] = json!(1);
        let (world, _directory, wallet, _) = again(once, 3).await;
        assert_eq!(outcomes(&wallet).await, [Answering::Answered]);
        world.clock.advance(3 * DAY - 1);
        let told = outcomes(&wallet).await;
        assert!(told.is_empty() || told == [Answering::Answered]);
        !told.is_empty()
    })
    .await;
}

#[tokio::test]
async fn another_entry_is_to_be_read() {
    killed("wallet-standing-entry", async || {
        let (world, _directory, wallet, _) = again(standing(), 3).await;
        world.service.permits.ask_anew();
        let told = outcomes(&wallet).await;
        assert!(told == [Answering::Answered] || reads(&told) == Some(Because::Anew), "{told:?}");
        told == [Answering::Answered]
    })
    .await;
}

#[tokio::test]
async fn another_rule_is_to_be_read() {
    killed("wallet-standing-policy", async || {
        let (world, _directory, wallet, _) = again(standing(), 3).await;
        world.service.change(|policy| {
            policy["conditions"].as_array_mut().unwrap().pop();
        });
        let told = outcomes(&wallet).await;
        assert!(told == [Answering::Answered] || reads(&told) == Some(Because::Policy), "{told:?}");
        told == [Answering::Answered]
    })
    .await;
}

#[tokio::test]
async fn other_words_of_the_register_are_to_be_read() {
    killed("wallet-standing-purpose", async || {
        let (world, _directory, wallet, _) = again(standing(), 3).await;
        world.service.permits.renew_purpose();
        let told = outcomes(&wallet).await;
        assert!(told == [Answering::Answered] || reads(&told) == Some(Because::Purpose), "{told:?}");
        told == [Answering::Answered]
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_somewhere_else_is_to_be_read() {
    killed("wallet-standing-others", async || {
        let (world, _directory, wallet, _) = again(standing(), 3).await;
        world
            .service
            .permits
            .alter(Some(|claims| claims["response_uri"] = json!("https://other.example/a/1")));
        let told = outcomes(&wallet).await;
        // Without the check it is sent there.
        assert!(
            reads(&told) == Some(Because::Others)
                || matches!(&told[..], [Answering::Refused { code }] if code == "network")
        );
        reads(&told).is_none()
    })
    .await;
}

/// The vault's record of a permission, changed as only its owner could.
async fn changed(wallet: &Wallet, change: impl FnOnce(&mut Value)) {
    let record = wallet.vault().scan(Section::Permission).await.unwrap().remove(0);
    let mut kept: Value = serde_json::from_slice(&record.plain).unwrap();
    change(&mut kept);
    let plain = Zeroizing::new(kept.to_string().into_bytes());
    let put = Change::Put(Section::Permission, record.id, plain);
    wallet.vault().apply(vec![put], &vouchsafe_service::entropy::OsEntropy::new()).await.unwrap();
}

#[tokio::test]
async fn what_would_show_more_than_before_is_to_be_read() {
    killed("wallet-standing-shows", async || {
        let (world, _directory, wallet) = asked(standing()).await;
        wallet.receive(&world.issuer.plain_offer().link(), Some(TX_CODE)).await.unwrap();
        world.service.ask_ward(None);
        world.service.ask_to_permit(standing());
        gives(&world, &wallet).await;
        // As it would be where the first answer was by a way that showed nothing.
        changed(&wallet, |kept| kept["shown"] = json!([])).await;
        world.service.permits.ask_again(world.service.link(Method::Post));
        world.clock.advance(3 * DAY);
        let told = outcomes(&wallet).await;
        assert!(told == [Answering::Answered] || reads(&told) == Some(Because::Shows), "{told:?}");
        told == [Answering::Answered]
    })
    .await;
}

/// What a page would warn of is not answered without one: stale facts, or a question too many.
#[tokio::test]
async fn what_would_be_warned_of_is_to_be_read() {
    let (world, _directory, wallet) = asked(standing()).await;
    world.service.accept_facts(21);
    gives(&world, &wallet).await;
    world.service.permits.ask_again(world.service.link(Method::Post));
    world.clock.advance(3 * DAY);
    let told = outcomes(&wallet).await;
    assert_eq!((reads(&told), world.service.posts().len()), (Some(Because::Warned), 1));

    killed("wallet-standing-quiet", async || {
        let (world, _directory, wallet, _) = again(standing(), 0).await;
        // By now the service knows two other bounds on the same date.
        changed_budget(&wallet).await;
        world.clock.advance(3 * DAY);
        let told = outcomes(&wallet).await;
        assert!(told == [Answering::Answered] || reads(&told) == Some(Because::Warned), "{told:?}");
        told == [Answering::Answered]
    })
    .await;
}

/// As if the service had asked for other bounds meanwhile.
async fn changed_budget(wallet: &Wallet) {
    for record in wallet.vault().scan(Section::Budget).await.unwrap() {
        let mut kept: Value = serde_json::from_slice(&record.plain).unwrap();
        kept["learnt"] = json!([{"side": "told", "k": "a"}, {"side": "told", "k": "b"}]);
        let put = Change::Put(Section::Budget, record.id, Zeroizing::new(kept.to_string().into_bytes()));
        wallet.vault().apply(vec![put], &vouchsafe_service::entropy::OsEntropy::new()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_taken_back_is_answered_no_more_whether_anybody_knows_it_or_not() {
    let (world, _directory, wallet, id) = again(standing(), 3).await;
    world.service.permits.spoil(Spoilt::Unreachable);
    assert!(wallet.withdraw_permission(&id).await.is_err());
    assert_eq!(outcomes(&wallet).await, [Answering::NotAsked { code: "permission-network" }]);
    world.service.permits.spoil(Spoilt::None);
    // The withdrawal is said again, and nothing is answered.
    assert_eq!(outcomes(&wallet).await, [Answering::Ended { state: State::Withdrawn }]);
    assert!(outcomes(&wallet).await.is_empty());
    assert_eq!(world.service.posts().len(), 1);
    // Nor is it by its link.
    let refused = wallet.review(&world.service.link(Method::Post)).await.err().unwrap();
    assert_eq!(refused.code(), "permission-over");
}

#[tokio::test]
async fn what_was_taken_back_elsewhere_is_answered_no_more() {
    let (world, _directory, wallet, _) = again(standing(), 3).await;
    world.service.permits.happens(Happening::Withdrawn { route: Route::Counter }, world.now());
    assert_eq!(outcomes(&wallet).await, [Answering::Ended { state: State::Withdrawn }]);
    assert_eq!(world.service.posts().len(), 1);
}

#[tokio::test]
async fn where_nobody_answers_nothing_is_lost() {
    let (world, _directory, wallet, _) = again(standing(), 3).await;
    world.service.permits.spoil(Spoilt::Busy);
    assert_eq!(outcomes(&wallet).await, [Answering::NotAsked { code: "permission-busy" }]);
    world.service.permits.spoil(Spoilt::None);
    assert_eq!(outcomes(&wallet).await, [Answering::Answered]);
}

#[tokio::test]
async fn a_request_that_is_refused_is_refused_here_too() {
    let (world, _directory, wallet, _) = again(standing(), 3).await;
    world.service.permits.alter(Some(|claims| claims["dcql_query"]["statements"][0]["k"] = json!("131000")));
    assert_eq!(outcomes(&wallet).await, [Answering::Refused { code: "statements".to_owned() }]);
    let told = wallet.ask_permissions().await.unwrap();
    assert!(told[0].words(Language::En).contains("a question was not answered. Code: statements."));
    assert!(told[0].words(Language::Cy).contains("nid atebwyd cwestiwn"));
}

/// A standing permission is asked under by its own link as well, and its page says which it is.
#[tokio::test]
async fn by_hand_it_is_read_as_any_other() {
    let (world, _directory, wallet, id) = again(standing(), 3).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let page = review.page(Language::En).to_string();
    assert!(page.contains(&format!("You gave this before; it is number {id} in your wallet.")), "{page}");
    // The last day is that of the entry, not of today and so many.
    assert!(page.contains("until 21 November 2027"), "{page}");
    wallet.share(&review, Confirmed::Share).await.unwrap();
    let used = wallet.permission(&id).await.unwrap();
    assert_eq!((used.uses, wallet.permissions().await.unwrap().len()), (1, 1));
}

/// The entry alone, under the policy and on a day: what both sides hold it against.
#[tokio::test]
async fn an_entry_is_taken_again_within_its_days_and_of_its_kind_alone() {
    use vouchsafe_protocol::openid4vp::Asked;
    let taken = |permission: Value, day: &'static str| {
        let world = World::of(old_resident());
        world.service.ask_to_permit(permission);
        let first = world.service.asked(world.now());
        let (party, policy) = (first.party().clone(), first.policy().clone());
        let later = Asked::new(party, policy, first.tables().clone(), day.parse().unwrap()).unwrap();
        later.taking_again(first.transaction_data()[0].clone(), first.as_of()).is_ok()
    };
    for day in ["2026-11-21", "2026-11-24", "2027-11-21"] {
        assert!(taken(standing(), day), "{day}");
    }
    for day in ["2027-11-22", "2026-11-20"] {
        killed("perm-entry-over", async || taken(standing(), day)).await;
    }
    killed("perm-entry-standing", async || taken(super::world::permits::sharing(), "2026-11-24")).await;
    assert!(taken(super::world::permits::sharing(), "2026-11-21"));
}
