//! Several credentials in one answer.

use vouchsafe_wallet::review::Together;

use super::world::service::copies_shown;
use super::*;

async fn left(wallet: &Wallet) -> Vec<usize> {
    wallet.list().await.unwrap().iter().map(|one| one.copies.unused).collect()
}

async fn asked_pay(world: &World, wallet: &Wallet, least: u64) -> Review {
    world.service.ask_pay(least);
    wallet.review(&world.service.link(Method::Post)).await.unwrap()
}

#[tokio::test]
async fn what_two_bodies_pay_is_added_up_and_neither_is_told() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.paid_wallet(directory.path()).await;
    let review = asked_pay(&world, &wallet, 140_000).await;
    let way = review.facts().offered().unwrap();
    assert_eq!((way.ability, way.parts.len()), (Ability::Can, 2));
    assert!(matches!(way.together.as_slice(), [Together::Sum(_), Together::Compared(_)]));
    let page = review.page(Language::En).to_string();
    for words in [
        "From your “Statement of pay”, signed by one.example:",
        "that “pay” from one.example and “pay” from two.example add up to £1,400.00 or more, not the amounts themselves",
        "about the same person, not who that is",
        "– “pay” in your “Statement of pay” from two.example",
        "Share: send exactly what is listed above.",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("AB-0042") && !page.contains("900") && !page.contains("500.00"));

    wallet.share(&review, Confirmed::Share).await.unwrap();
    let posts = world.service.posts();
    assert_eq!((posts.len(), judged(&world, &posts[0])), (1, Outcome::Met));
    assert_eq!(copies_shown(&world, &posts[0]).len(), 2);
    assert_eq!(left(&wallet).await, [COPIES as usize - 1; 2]);

    let history = wallet.history().await.unwrap();
    let told = history.iter().find(|entry| matches!(entry.event, Event::Shared { .. })).unwrap();
    let Event::Shared { names, used, .. } = &told.event else { panic!("another event") };
    assert_eq!(names.iter().map(|name| name.label.en.as_str()).collect::<Vec<_>>(), ["pay", "person number"]);
    assert_eq!(used.len(), 2);
    assert!(
        told.line(Language::En)
            .ends_with("From: “Statement of pay” (one.example), “Statement of pay” (two.example).")
    );
}

#[tokio::test]
async fn too_little_and_too_few_are_not_sent() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.paid_wallet(directory.path()).await;
    let review = asked_pay(&world, &wallet, 140_001).await;
    let refused = wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert!(matches!(refused, AnswerError::Cannot(Ability::NotMet)));

    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.payers[0].link(), Some(TX_CODE)).await.unwrap();
    let review = asked_pay(&world, &wallet, 140_000).await;
    let page = review.page(Language::En).to_string();
    assert!(page.contains("You hold no “Statement of pay” from two.example that can be used."), "{page}");
    let refused = wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert_eq!(refused.code(), "none-held");
    assert!(world.service.posts().is_empty());
    assert_eq!(left(&wallet).await, [COPIES as usize]);
}

#[tokio::test]
async fn where_one_batch_is_used_up_no_copy_of_another_is_taken() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.paid_wallet(directory.path()).await;
    let old = asked_pay(&world, &wallet, 140_000).await;
    for _ in 1..COPIES {
        wallet.share(&old, Confirmed::Share).await.unwrap();
    }
    world.clock.advance(1);
    wallet.receive(&world.payers[0].link(), Some(TX_CODE)).await.unwrap();
    let new = asked_pay(&world, &wallet, 140_000).await;
    wallet.share(&old, Confirmed::Share).await.unwrap();
    // Of the first body there is a whole new batch, of the second nothing is left.
    let refused = wallet.share(&new, Confirmed::Share).await.unwrap_err();
    assert!(matches!(refused, AnswerError::Cannot(Ability::NoneLeft)), "{refused}");
    let listed = wallet.list().await.unwrap();
    let copies: Vec<_> = listed.iter().map(|one| (one.copies.unused, one.copies.reserved)).collect();
    assert_eq!(copies, [(0, 0), (0, 0), (COPIES as usize, 0)]);
    assert_eq!(world.service.posts().len(), COPIES as usize);
}

#[tokio::test]
async fn a_copy_of_each_is_spent_or_of_none_wherever_it_stops() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let mut wallet = world.paid_wallet(directory.path()).await;
    let mut finished = false;
    for polls in 1.. {
        if left(&wallet).await.iter().all(|left| *left == 0) {
            for payer in &world.payers {
                world.clock.advance(1);
                wallet.receive(&payer.link(), Some(TX_CODE)).await.unwrap();
            }
        }
        let review = asked_pay(&world, &wallet, 140_000).await;
        finished |= stopped(wallet.share(&review, Confirmed::Share), polls).await.is_some();
        wallet.close().await;
        wallet = world.bare_wallet(directory.path()).await;
        let listed = wallet.list().await.unwrap();
        let spent = |issuer: &str| {
            let theirs = listed.iter().filter(|one| one.issuer.en == issuer);
            theirs.map(|one| one.copies.spent).sum::<usize>()
        };
        assert_eq!(spent("one.example"), spent("two.example"), "after {polls} polls");
        assert!(world.service.posts().len() <= spent("one.example"));
        assert!(listed.iter().all(|one| one.copies.reserved == 0));
        if finished {
            break;
        }
    }
    let posts = world.service.posts();
    let shown: Vec<String> = posts.iter().flat_map(|post| copies_shown(&world, post)).collect();
    assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 2 * posts.len());
}

/// Sums are counted under the attribute that they join.
#[tokio::test]
async fn sums_cannot_find_a_value_by_asking() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.paid_wallet(directory.path()).await;
    let mut refused = Vec::new();
    for least in [100_000, 110_000, 120_000, 130_000, 135_000, 138_000, 100_000] {
        for payer in &world.payers {
            world.clock.advance(1);
            wallet.receive(&payer.link(), Some(TX_CODE)).await.unwrap();
        }
        let review = asked_pay(&world, &wallet, least).await;
        refused.push(wallet.share(&review, Confirmed::Share).await.map_err(|why| why.code()).err());
    }
    assert_eq!(refused, [None, None, None, None, None, Some("probing"), None]);
}
