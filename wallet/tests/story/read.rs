//! What is agreed to in a later process is the page that was shown.

use vouchsafe_wallet::ReviewError;
use vouchsafe_wallet::review::Wish;

use super::world::killed;
use super::*;

async fn as_read(wallet: &Wallet, link: &str) -> Result<Review, ReviewError> {
    wallet.review_as_read(link, &Wish::default()).await
}

async fn code(wallet: &Wallet, link: &str) -> &'static str {
    as_read(wallet, link).await.map_or_else(|refused| refused.code(), |_| "read")
}

async fn shows(wallet: &Wallet, link: &str) {
    let review = wallet.review(link).await.unwrap();
    wallet.shown(&review.reading()).await.unwrap();
}

async fn pages(wallet: &Wallet) -> usize {
    wallet.vault().scan(Section::Read).await.unwrap().len()
}

#[tokio::test]
async fn what_was_not_read_is_not_agreed_to() {
    killed("wallet-read-first", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let said = code(&wallet, &world.service.link(Method::Post)).await;
        assert_eq!(pages(&wallet).await, 0);
        said != "unread"
    })
    .await;
}

/// Other credentials could answer by now, and the page says so.
#[tokio::test]
async fn what_has_changed_is_not_agreed_to() {
    killed("wallet-read-same", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let link = world.service.link(Method::Post);
        shows(&wallet, &link).await;
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        let said = code(&wallet, &link).await;
        shows(&wallet, &link).await;
        assert_eq!((code(&wallet, &link).await, pages(&wallet).await), ("read", 1), "the new page was read");
        said != "changed"
    })
    .await;
}

#[tokio::test]
async fn what_was_read_before_the_request_ended_is_read_no_more() {
    killed("wallet-read-ended", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let link = world.service.link(Method::Post);
        shows(&wallet, &link).await;
        world.clock.advance(601);
        code(&wallet, &link).await != "unread"
    })
    .await;
}

/// From one process to the next, with the service asking for something else in the meantime.
#[tokio::test]
async fn what_was_read_is_what_is_shared_and_once() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let link = world.service.link(Method::Post);
    let page = wallet.review(&link).await.unwrap().page(Language::Cy).to_string();
    shows(&wallet, &link).await;
    wallet.close().await;
    world.service.ask_age(70);
    let wallet = world.bare_wallet(directory.path()).await;
    let review = as_read(&wallet, &format!(" {link}\n")).await.unwrap();
    assert_eq!(review.page(Language::Cy).to_string(), page);
    wallet.share(&review, Confirmed::Share).await.unwrap();
    assert_eq!((code(&wallet, &link).await, pages(&wallet).await), ("unread", 0));
    let refused = as_read(&wallet, &link).await.err().unwrap();
    assert_eq!(
        refused.words(Language::En),
        "You have not read this here, or too long ago. Read it first, then say yes. Nothing was shared."
    );
    let newest = wallet.history().await.unwrap().remove(0);
    assert!(matches!(newest.event, Event::Failed { ref code, .. } if code == "unread"));
}

/// A few pages at most, one for each request, and none whose request has ended.
#[tokio::test]
async fn few_pages_are_kept_and_none_for_long() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let link = world.service.link(Method::Post);
    for _ in 0..2 {
        shows(&wallet, &link).await;
    }
    assert_eq!(pages(&wallet).await, 1);
    for n in 0..10 {
        world.clock.advance(1);
        shows(&wallet, &other(&link, n)).await;
    }
    assert_eq!(pages(&wallet).await, 8);
    assert_eq!([code(&wallet, &link).await, code(&wallet, &other(&link, 1)).await], ["unread"; 2]);
    assert_eq!([code(&wallet, &other(&link, 2)).await, code(&wallet, &other(&link, 9)).await], ["read"; 2]);
    world.clock.advance(601);
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    assert_eq!(pages(&wallet).await, 0);
}

/// The link of another request of the same service.
fn other(link: &str, n: usize) -> String {
    let request_uri = format!("https://verify.example/r/{}", n + 2);
    Link { request_uri, ..Link::parse(link).unwrap() }.to_string()
}
