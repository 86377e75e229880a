//! What a service may find out by asking again, and what the wallet keeps of it.

use super::*;

#[tokio::test]
async fn a_service_cannot_find_a_birth_date_by_asking() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut outcomes = Vec::new();
    for n in [60, 61, 62, 63, 64, 65, 60] {
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        world.service.ask_age(n);
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        let warned = review.facts().offered().is_some_and(|way| !way.probed.is_empty());
        let shared = wallet.share(&review, Confirmed::Share).await;
        outcomes.push((warned, shared.map_err(|refused| refused.code()).err()));
    }
    let fine = (false, None);
    let warned = (true, None);
    // The sixth bound is refused; a question answered before tells nothing new.
    assert_eq!(outcomes, [fine, fine, warned, warned, warned, (true, Some("probing")), fine]);
}

// A purpose that allows `fixed` names no bound: the count of different bounds is what limits the service.
#[tokio::test]
async fn bounds_that_a_service_chooses_itself_are_counted_one_by_one() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let born = vouchsafe_proofs::encoding::day(old_resident()).unwrap();
    let mut refused = Vec::new();
    for days in [6000, 3000, 1500, 700, 300, 150, 3000] {
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        world.service.ask_born_by(born + days);
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        let shared = wallet.share(&review, Confirmed::Share).await;
        refused.push(shared.map_err(|refused| refused.code()).err());
    }
    assert_eq!(refused, [None, None, None, None, None, Some("probing"), None]);
}

async fn review_of(world: &World, wallet: &Wallet) -> Review {
    wallet.review(&world.service.link(Method::Post)).await.unwrap()
}

/// Two reviews made before either is answered, of bounds that tell nothing of each other.
async fn both_sides(world: &World, wallet: &Wallet, at_least: u32) -> [Review; 2] {
    world.service.ask_age(at_least);
    let first = review_of(world, wallet).await;
    world.service.ask_age_at_most(80);
    [first, review_of(world, wallet).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_at_once_both_are_counted_in_one_place() {
    for _ in 0..5 {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let [first, second] = both_sides(&world, &wallet, 61).await;
        let (one, other) =
            tokio::join!(wallet.share(&first, Confirmed::Share), wallet.share(&second, Confirmed::Share));
        assert!(one.is_ok() && other.is_ok(), "{:?} {:?}", one.err(), other.err());
        assert_eq!(wallet.vault().scan(Section::Budget).await.unwrap().len(), 1);
        assert_eq!(unused(&wallet).await, COPIES as usize - 2);
        let shown: BTreeSet<String> =
            world.service.posts().iter().map(|post| copy_shown(&world, post)).collect();
        assert_eq!(shown.len(), 2);
        // The third bound warns: both of the first two are known.
        world.service.ask_age(63);
        let third = review_of(&world, &wallet).await;
        assert_eq!(third.facts().offered().unwrap().probed[0].bounds, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_at_once_cannot_pass_the_budget_together() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    for n in 60..64 {
        world.service.ask_age(n);
        wallet.share(&review_of(&world, &wallet).await, Confirmed::Share).await.unwrap();
        // The newest batch answers, and is whole again.
        world.clock.advance(1);
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    }
    // Four bounds are known, a fifth is the last.
    let [first, second] = both_sides(&world, &wallet, 64).await;
    let (one, other) =
        tokio::join!(wallet.share(&first, Confirmed::Share), wallet.share(&second, Confirmed::Share));
    let codes = [one.err(), other.err()].map(|refused| refused.map(|refused| refused.code()));
    assert!(codes.contains(&None) && codes.contains(&Some("probing")), "{codes:?}");
    assert_eq!(world.service.posts().len(), 5);
    let reserved: usize = wallet.list().await.unwrap().iter().map(|one| one.copies.reserved).sum();
    assert_eq!((unused(&wallet).await, reserved), (5 * COPIES as usize - 5, 0));
}

#[tokio::test]
async fn history_and_budget_hold_no_values_and_spent_copies_leave_no_secrets() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    for _ in 0..COPIES {
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        wallet.share(&review, Confirmed::Share).await.unwrap();
    }
    for section in [Section::HolderKey, Section::Seed] {
        assert!(wallet.vault().scan(section).await.unwrap().is_empty());
    }
    for section in Section::ALL {
        for record in wallet.vault().scan(section).await.unwrap() {
            let text = String::from_utf8_lossy(&record.plain).into_owned();
            for value in [ADDRESS, "1950-02-28", "W03", "eyJ"] {
                // The trust file is the registrar's and holds certificates, no values.
                assert!(section == Section::Trust || !text.contains(value), "{section:?} holds {value}");
            }
        }
    }
    wallet.close().await;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for value in [ADDRESS, "1950-02-28", "Larkfield", "buses.example"] {
            assert!(!bytes.windows(value.len()).any(|window| window == value.as_bytes()), "{value}");
        }
    }
}
