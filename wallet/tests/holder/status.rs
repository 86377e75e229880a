//! Whether copies still count.

use std::sync::Arc;

use tempfile::TempDir;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vp::link::Method;
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::trust::TrustFile;
use vouchsafe_wallet::list::Listed;
use vouchsafe_wallet::review::Ability;
use vouchsafe_wallet::status::{Failing, Refreshed, StatusFault};
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Confirmed, Fault, Wallet};

use crate::world::desk::{LIST, Rules};
use crate::world::issuer::{COPIES, TX_CODE};
use crate::world::{NOW, World, old_resident};

/// A resident whose copies have a status.
struct Home {
    world: Arc<World>,
    wallet: Wallet,
    _directory: TempDir,
}

impl Home {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let world = World::of(old_resident());
        world.issuer.desk.rule(|rules| rules.list = Some(LIST));
        world.issuer.desk.rule(change);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        Self { world, wallet, _directory: directory }
    }

    /// Looks up what the list says of the first copies.
    async fn says(&self, standings: &[Standing]) -> Refreshed {
        self.world.issuer.desk.rule(|rules| rules.standings = standings.to_vec());
        self.wallet.refresh_status().await.unwrap()
    }

    async fn listed(&self) -> Listed {
        self.wallet.list().await.unwrap().remove(0)
    }

    async fn standing(&self) -> Standing {
        self.listed().await.status.unwrap().standing
    }

    async fn fault(&self) -> Option<StatusFault> {
        self.listed().await.status.unwrap().failing.map(|failing| failing.why)
    }

    async fn review(&self) -> vouchsafe_wallet::Review {
        self.wallet.review(&self.world.service.link(Method::Post)).await.unwrap()
    }

    async fn shares(&self) -> bool {
        let review = self.review().await;
        self.wallet.share(&review, Confirmed::Share).await.is_ok()
    }
}

const ALL_REVOKED: [Standing; COPIES as usize] = [Standing::Revoked; COPIES as usize];
const ALL_SUSPENDED: [Standing; COPIES as usize] = [Standing::Suspended; COPIES as usize];
const READ: Refreshed = Refreshed { lists: 1, failed: 0 };
const NOT_READ: Refreshed = Refreshed { lists: 1, failed: 1 };

#[tokio::test]
async fn what_the_list_says_is_shown_in_words() {
    let home = Home::new().await;
    let line = async || home.listed().await.words(Language::En);
    assert!(
        line().await.ends_with("3 of 3 copies left. Whether it still counts has not been looked up yet.")
    );
    for (standings, words) in [
        (&[][..], "It counts: the body that signed it said so on 21 November 2026."),
        (
            &ALL_SUSPENDED,
            "It is suspended and does not count for now, by what the body that signed it said on 21 Nov",
        ),
        (&[], "It counts: the body that signed it said so on 21 November 2026."),
        (&[Standing::Unknown; 3], "said on 21 November 2026 what your wallet cannot read."),
        (
            &[Standing::Revoked],
            "It counts: the body that signed it said so on 21 November 2026. Of its copies 1 were",
        ),
        (&ALL_REVOKED, "0 of 3 copies left. It was taken back and does not count any more"),
    ] {
        assert_eq!(home.says(standings).await, READ);
        let (line, welsh) = (line().await, home.listed().await.words(Language::Cy));
        assert!(line.contains(words), "{words}\n{line}");
        assert!(welsh.contains("Larkfield District Council (cy)") && !welsh.contains("status_"), "{welsh}");
    }
    assert_eq!(home.listed().await.refresh, None, "new copies are not the first thing to ask for");
    // What is revoked stays so, and nobody is asked about it again.
    assert_eq!(home.says(&[]).await, Refreshed::default());
    assert_eq!(home.standing().await, Standing::Revoked);
}

#[tokio::test]
async fn a_list_is_fetched_once_and_never_while_answering() {
    let home = Home::new().await;
    assert_eq!(home.says(&[]).await, READ);
    let asked = || home.world.issuer.desk.asked("");
    assert_eq!(home.world.issuer.desk.asked("status/"), 1, "once for three copies");
    let before = asked();
    assert!(home.shares().await);
    home.wallet.list().await.unwrap();
    home.wallet.history().await.unwrap();
    assert_eq!(asked(), before, "the body does not learn that a question is answered");
}

#[tokio::test]
async fn copies_without_a_status_are_nobodys_question() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    assert_eq!(wallet.refresh_status().await.unwrap(), Refreshed::default());
    assert_eq!(wallet.list().await.unwrap()[0].status, None);
}

#[tokio::test]
async fn what_was_taken_back_is_not_offered() {
    let home = Home::new().await;
    home.says(&[Standing::Revoked, Standing::Revoked]).await;
    let listed = home.listed().await;
    assert_eq!((listed.copies.unused, listed.copies.revoked), (1, 2));
    assert!(home.shares().await, "the third copy counts");
    assert!(!home.shares().await);

    let home = Home::new().await;
    home.says(&ALL_REVOKED).await;
    let review = home.review().await;
    assert_eq!(review.facts().offered().unwrap().ability, Ability::Revoked);
    assert!(
        review.page(Language::En).to_string().contains("The body that signed your credential took it back.")
    );
    let refused = home.wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), ("revoked", Fault::RefusedByUs));
    assert!(home.world.service.posts().is_empty());
}

#[tokio::test]
async fn what_is_suspended_answers_only_with_a_warning_and_where_nothing_else_does() {
    let home = Home::new().await;
    home.says(&ALL_SUSPENDED).await;
    let review = home.review().await;
    let way = review.facts().offered().unwrap();
    assert!(way.is_suspended() && way.ability == Ability::Can);
    let page = review.page(Language::En).to_string();
    assert!(page.contains("Your credential was suspended when its status was last looked up."), "{page}");
    let suspended = way.parts[0].held.clone().unwrap().id;

    // An older batch that counts goes before a newer one that is suspended.
    let home = Home::new().await;
    home.world.clock.advance(3600);
    home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
    home.says(&[&[Standing::Valid; 3][..], &ALL_SUSPENDED].concat()).await;
    let review = home.review().await;
    let way = review.facts().offered().unwrap();
    assert!(!way.is_suspended() && way.parts[0].others.len() == 1);
    assert_ne!(way.parts[0].held.as_ref().unwrap().id, suspended);
    assert!(!review.page(Language::En).to_string().contains("suspended"));

    // Within a batch the copies that count go first.
    let home = Home::new().await;
    home.says(&[Standing::Suspended, Standing::Valid, Standing::Suspended]).await;
    assert!(!home.review().await.facts().offered().unwrap().is_suspended());
    assert!(home.shares().await);
    assert!(home.review().await.facts().offered().unwrap().is_suspended());
}

#[tokio::test]
async fn a_list_that_cannot_be_had_costs_nothing_and_is_said() {
    let home = Home::new().await;
    home.says(&ALL_SUSPENDED).await;
    home.world.clock.advance(86_400);
    home.world.issuer.desk.rule(|rules| rules.list_away = true);
    assert_eq!(home.says(&[]).await, NOT_READ);
    home.world.clock.advance(86_400);
    assert_eq!(home.says(&[]).await, NOT_READ);
    let status = home.listed().await.status.unwrap();
    let failing = Failing { since: NOW.0 + 86_400, why: StatusFault::Away };
    assert_eq!((status.standing, status.failing), (Standing::Suspended, Some(failing)));
    let words = status.words(Language::En);
    assert!(
        words.contains("It is suspended") && words.contains("be looked up since 22 November 2026."),
        "{words}"
    );
    assert!(home.shares().await, "no answer waits for a list");
    home.world.issuer.desk.rule(|rules| rules.list_away = false);
    assert_eq!(home.says(&[]).await, READ);
    assert_eq!((home.standing().await, home.fault().await), (Standing::Valid, None));
}

#[tokio::test]
async fn what_is_no_list_of_the_body_says_nothing() {
    type Change = fn(&mut Rules);
    let faults: [(Change, StatusFault); 5] = [
        (|rules| rules.list_media = Some("text/html"), StatusFault::Away),
        (|rules| rules.list_elsewhere = true, StatusFault::Refused),
        (|rules| rules.list_signed_at = Some(NOW.plus(-3 * 86_400)), StatusFault::Refused),
        (|rules| rules.list_signed_at = Some(NOW.plus(3 * 86_400)), StatusFault::Refused),
        (|rules| rules.list_room = Some(0), StatusFault::Index),
    ];
    for (change, fault) in faults {
        let home = Home::new().await;
        home.world.issuer.desk.rule(change);
        home.wallet.refresh_status().await.unwrap();
        assert_eq!((home.standing().await, home.fault().await), (Standing::Unknown, Some(fault)));
    }
    let home = Home::with(|rules| rules.list = Some("https://lists.example/status/s1")).await;
    home.says(&[]).await;
    assert_eq!(home.fault().await, Some(StatusFault::Host));
    assert_eq!(home.world.issuer.desk.asked("https://lists"), 0, "nobody else is asked");
}

#[tokio::test]
async fn without_its_anchors_a_body_says_nothing() {
    let home = Home::new().await;
    let elsewhere = Anchor::from_der(home.world.issuer.elsewhere.certificate().to_vec()).unwrap();
    let file = TrustFile { registrar: home.world.pinned(), anchors: vec![elsewhere] };
    home.wallet.trust_add(&serde_json::to_vec(&file.to_value()).unwrap()).await.unwrap();
    home.says(&[]).await;
    assert_eq!(home.fault().await, Some(StatusFault::Anchors));
}

/// Whether yesterday's list undoes what today's said.
async fn replayed() -> bool {
    let home = Home::new().await;
    home.says(&ALL_SUSPENDED).await;
    home.world.issuer.desk.rule(|rules| rules.list_signed_at = Some(NOW.plus(-3600)));
    home.says(&[]).await;
    home.standing().await == Standing::Valid
}

#[tokio::test]
async fn an_older_list_undoes_nothing() {
    assert!(!replayed().await);
}

#[cfg(feature = "mutants")]
mod switches {
    use super::*;
    use crate::killed;

    #[tokio::test]
    async fn lists_that_are_not_the_bodys() {
        killed("wallet-status-host", async || {
            let home = Home::with(|rules| rules.list = Some("https://lists.example/status/s1")).await;
            home.says(&[]).await == READ
        })
        .await;
        killed("wallet-status-media", async || {
            let home = Home::new().await;
            home.world.issuer.desk.rule(|rules| rules.list_media = Some("text/html"));
            home.says(&[]).await == READ
        })
        .await;
        killed("wallet-status-anchor", async || {
            let home = Home::new().await;
            let both = [&home.world.ca, &home.world.issuer.elsewhere];
            let anchors = both.map(|ca| Anchor::from_der(ca.certificate().to_vec()).unwrap()).to_vec();
            let file = TrustFile { registrar: home.world.pinned(), anchors };
            home.wallet.trust_add(&serde_json::to_vec(&file.to_value()).unwrap()).await.unwrap();
            home.world.issuer.desk.rule(|rules| rules.list_elsewhere = true);
            home.says(&[]).await == READ
        })
        .await;
        killed("wallet-status-rollback", replayed).await;
    }

    #[tokio::test]
    async fn copies_that_do_not_count() {
        killed("wallet-status-revoked", async || {
            let home = Home::new().await;
            home.says(&ALL_REVOKED).await;
            home.shares().await
        })
        .await;
        killed("wallet-status-suspended", async || {
            let home = Home::new().await;
            home.world.clock.advance(3600);
            home.wallet.receive(&home.world.issuer.link(), Some(TX_CODE)).await.unwrap();
            home.says(&[&[Standing::Valid; 3][..], &ALL_SUSPENDED].concat()).await;
            home.review().await.facts().offered().unwrap().is_suspended()
        })
        .await;
    }
}
