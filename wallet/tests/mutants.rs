//! Each check of the wallet, switched off: the attack that it alone stops then succeeds.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[expect(dead_code, reason = "the other story uses the rest")]
mod world;

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_mutants::without;
use vouchsafe_protocol::openid4vp::link::Method;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_wallet::vault::{Change, Cost, Section, Vault};
use vouchsafe_wallet::{Confirmed, Wallet, http};
use world::issuer::{COPIES, Spoil, TX_CODE};
use world::service::{Line, Rogue};
use world::{World, killed, old_resident};
use zeroize::Zeroizing;

#[test]
fn addresses_in_clear() {
    let followed = || http::https("http://issuer.example/token").is_ok();
    assert!(!followed());
    assert!(without("wallet-https-only", followed));
}

async fn reviews(rogue: Rogue) -> bool {
    let world = World::with(old_resident(), Spoil::None, rogue);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.review(&world.service.link(Method::Post)).await.is_ok()
}

#[tokio::test]
async fn replies_that_are_no_request() {
    killed("wallet-request-type", async || reviews(Rogue::Page).await).await;
    killed("wallet-request-status", async || reviews(Rogue::Failing).await).await;
}

/// Whether the newest way to answer is taken.
async fn shares(wallet: &Wallet, world: &World) -> bool {
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    wallet.share(&review, Confirmed::Share).await.is_ok()
}

#[tokio::test]
async fn answers_that_are_too_late() {
    killed("wallet-request-ended", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        world.clock.advance(601);
        wallet.share(&review, Confirmed::Share).await.is_ok()
    })
    .await;
    killed("wallet-credential-ended", async || {
        let world = World::with(old_resident(), Spoil::Brief, Rogue::None);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        world.clock.advance(2 * 86_400);
        shares(&wallet, &world).await
    })
    .await;
}

/// Whether a value that does not meet the rule is sent although nobody confirmed that.
async fn shows_the_contrary() -> bool {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.plain_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_ward(Some("W09"));
    shares(&wallet, &world).await
}

#[tokio::test]
async fn values_that_nobody_confirmed() {
    killed("wallet-ability", shows_the_contrary).await;
    killed("wallet-shown-values", shows_the_contrary).await;
}

/// Whether another batch answers than the one that was named.
#[tokio::test]
async fn a_credential_that_nobody_named() {
    killed("wallet-use", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let review = wallet.review_using(&world.service.link(Method::Post), Some("another")).await.unwrap();
        wallet.share(&review, Confirmed::Share).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn one_question_too_many() {
    killed("wallet-budget", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.wallet(directory.path()).await;
        let mut last = false;
        for n in 60..66 {
            wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
            world.service.ask_age(n);
            last = shares(&wallet, &world).await;
        }
        last
    })
    .await;
}

#[tokio::test]
async fn a_copy_shown_and_kept() {
    killed("wallet-spend-first", async || {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        world.service.set_line(Line::Breaks);
        assert!(!shares(&wallet, &world).await);
        wallet.close().await;
        let wallet = world.bare_wallet(directory.path()).await;
        assert_eq!(world.service.posts().len(), 1);
        wallet.list().await.unwrap()[0].copies.unused == COPIES as usize
    })
    .await;
}

/// Whether a batch of a body that does this is kept.
async fn collects(spoil: Spoil) -> bool {
    let world = World::with(old_resident(), spoil, Rogue::None);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.is_ok()
}

#[tokio::test]
async fn copies_with_a_mark() {
    for (name, spoil) in [
        ("vci-batch-header", Spoil::NumberedHeader),
        ("vci-batch-headers-alike", Spoil::OtherHeader),
        ("vci-batch-digests", Spoil::NumberedDecoy),
        ("vci-batch-digests", Spoil::SameDecoy),
        ("vci-batch-digests-alike", Spoil::OneDecoyMore),
        ("vci-batch-visible", Spoil::Numbered),
    ] {
        killed(name, async || collects(spoil).await).await;
    }
}

async fn vault(directory: &Path) -> Vault {
    Vault::open(directory, b"passphrase", Cost::LEAST, &OsEntropy::new()).await.unwrap()
}

async fn put(vault: &Vault, id: &str, text: &str) {
    let plain = Zeroizing::new(text.as_bytes().to_vec());
    vault.apply(vec![Change::Put(Section::Copy, id.to_owned(), plain)], &OsEntropy::new()).await.unwrap();
}

#[tokio::test]
async fn a_record_in_the_place_of_another() {
    killed("wallet-vault-row", async || {
        let directory = tempfile::tempdir().unwrap();
        let first = vault(directory.path()).await;
        put(&first, "a", "one").await;
        put(&first, "b", "two").await;
        first.close().await;
        let url = format!("sqlite://{}", directory.path().join("vault.sqlite").display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        let swap = "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = 'b') WHERE id = 'a'";
        sqlx::query(swap).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
        vault(directory.path()).await.read(Section::Copy, "a").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_change_that_comes_too_late() {
    killed("wallet-vault-stale", async || {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path()).await;
        put(&vault, "a", "unused").await;
        let read = vault.read(Section::Copy, "a").await.unwrap().unwrap();
        put(&vault, "a", "spent").await;
        let change = Change::Replace(Section::Copy, read, Zeroizing::new(b"unused".to_vec()));
        vault.apply(vec![change], &OsEntropy::new()).await.is_ok()
    })
    .await;
}
