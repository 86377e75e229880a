//! What each of the two agrees to: the invitation that was made and no other, the page that was read and no other, with
//! credentials that count; and what is left of it when it is over.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::openid4vp::link::Method;
use vouchsafe_protocol::status::Standing;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::AgreementKey;
use vouchsafe_wallet::Wallet;
use vouchsafe_wallet::joint::{CheckNumber, Refusal};
use vouchsafe_wallet::vault::Section;
use vouchsafe_wallet::words::Language;

use super::double::opened;
use super::refused::{code, contributed};
use super::story::left;
use super::world::World;
use super::world::issuer::COPIES;
use super::{Couple, contributes, killed};

const ALL: usize = COPIES as usize;

fn changed(invitation: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(invitation).unwrap();
    change(&mut value);
    value.to_string()
}

/// Nothing has left this wallet, and nothing is kept of what was not begun.
async fn untouched(wallet: &Wallet) {
    assert_eq!(left(wallet).await, vec![ALL; 2]);
    assert!(wallet.exchanges().await.unwrap().is_empty());
}

/// Whoever carries the invitation puts their own key there, to read what is told.
#[tokio::test]
async fn an_invitation_that_was_changed_on_its_way() {
    killed("joint-check", async || {
        let couple = Couple::new().await;
        let invitation = couple.invitation().await;
        let number = couple.one.wallet.exchanges().await.unwrap().remove(0).check.unwrap();
        let thief = AgreementKey::generate(&OsEntropy::new());
        let other = changed(&invitation, |value| value["key"] = thief.public().to_value());
        let invited = couple.two.wallet.invited(&other).await.unwrap();
        match couple.two.wallet.contribute(&invited, &number.to_string()).await {
            Ok(text) => opened(&text, &thief)["openings"].is_array(),
            Err(refused) => {
                assert_eq!(refused.code(), "joint-check");
                untouched(&couple.two.wallet).await;
                false
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_number_is_read_out_by_the_other_person() {
    let couple = Couple::new().await;
    let (one, two) = (&couple.one.wallet, &couple.two.wallet);
    let invitation = couple.invitation().await;
    let told = one.exchanges().await.unwrap().remove(0);
    let number = told.check.clone().unwrap();
    assert_eq!(number, CheckNumber::of(&invitation));
    let words = format!("The number of this invitation is {number}. Read it to the other person yourself");
    assert!(told.words(Language::En).contains(&words), "{}", told.words(Language::En));
    assert!(told.words(Language::Cy).contains(&format!("Rhif y gwahoddiad hwn yw {number}.")));
    let invited = two.invited(&format!(" {invitation}\n")).await.unwrap();
    assert_eq!(invited.check(), &number);
    let here = format!("The number of the invitation that came is {number}.");
    assert!(invited.page(Language::En).to_string().contains(&here));
    for said in ["", "1234 5678", &invitation] {
        let refused = two.contribute(&invited, said).await.unwrap_err();
        assert_eq!(refused.code(), "joint-check");
        let words = refused.words(Language::En);
        assert!(words.contains("Nothing was sent. Ask the other person to read you the number"), "{words}");
        untouched(two).await;
    }
    let dashed = number.to_string().replace(' ', "-");
    one.exchange(&two.contribute(&invited, &dashed).await.unwrap()).await.unwrap();
    assert_eq!(one.exchanges().await.unwrap()[0].check, None, "it is answered");
}

/// A key to which nothing can be sealed is seen before a copy is taken; where it were not, the copies would be back.
#[tokio::test]
async fn keys_of_another_kind_to_answer_to() {
    let other = || json!({"kty": "OKP", "crv": "Ed25519", "x": b64u([9; 32])});
    killed("joint-reply-key", async || contributed(|told| told["key"] = other()).await != "joint-content")
        .await;
    killed("joint-reply-key", async || {
        let couple = Couple::new().await;
        let invitation = changed(&couple.invitation().await, |value| value["key"] = other());
        let said = code(contributes(&couple.two.wallet, &invitation).await);
        untouched(&couple.two.wallet).await;
        said != "joint-invitation"
    })
    .await;
}

/// Two people whose payer keeps a list of what it took back.
async fn listed() -> Couple {
    let world = World::of_couples();
    world.payers[0].desk.rule(|rules| rules.list = Some("https://one.example/status/s1"));
    Couple::of(world).await
}

async fn says(couple: &Couple, standing: Standing) {
    couple.world.payers[0].desk.rule(|rules| rules.standings = vec![standing; 2 * ALL]);
    for partner in [&couple.one, &couple.two] {
        partner.wallet.refresh_status().await.unwrap();
    }
}

/// A credential that is suspended would decide for both that the rule is not met.
#[tokio::test]
async fn credentials_of_ones_own_that_do_not_count() {
    killed("joint-own-suspended", async || {
        let couple = listed().await;
        let invitation = couple.invitation().await;
        says(&couple, Standing::Suspended).await;
        let link = couple.world.service.link(Method::Post);
        let taken = code(couple.two.wallet.invited(&invitation).await);
        assert_eq!(code(couple.one.wallet.join(&link).await), taken);
        untouched(&couple.two.wallet).await;
        taken != "joint-suspended"
    })
    .await;
    let couple = listed().await;
    let contribution = couple.contribution().await;
    says(&couple, Standing::Suspended).await;
    let refused = couple.one.wallet.exchange(&contribution).await.unwrap_err();
    assert_eq!(refused.code(), "joint-suspended");
    let words = refused.words(Language::En);
    assert!(words.contains("The service would decide for both of you"), "{words}");
    assert_eq!(left(&couple.one.wallet).await, vec![ALL; 2]);
    says(&couple, Standing::Valid).await;
    couple.one.wallet.exchange(&contribution).await.unwrap();

    let couple = listed().await;
    let invitation = couple.invitation().await;
    says(&couple, Standing::Revoked).await;
    assert_ne!(code(couple.two.wallet.invited(&invitation).await), "taken");
}

/// What it takes to sign, and what the other wallet told.
async fn keys_left(wallet: &Wallet) -> bool {
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    wallet.vault().scan(Section::Joint).await.unwrap().iter().any(|record| {
        let kept: Value = serde_json::from_slice(&record.plain).unwrap();
        let copies = kept["copies"].as_array().unwrap();
        filled(&kept["key"])
            || !kept["proof"].is_null()
            || copies.iter().any(|copy| filled(&copy["key"]) || filled(&copy["sd_jwt"]))
            || filled(&kept["fetched"]["object"])
    })
}

/// Keys of an exchange that is over go with the next message and with the next start; what it used is still told.
#[tokio::test]
async fn keys_of_an_exchange_that_is_over() {
    killed("joint-wipe", async || {
        let couple = Couple::new().await;
        let made = couple.proof().await;
        assert!(keys_left(&couple.one.wallet).await);
        couple.world.clock.advance(601);
        assert_eq!(code(couple.one.wallet.exchange(&made).await), "joint-unknown");
        keys_left(&couple.one.wallet).await
    })
    .await;
    killed("joint-wipe", async || {
        let couple = Couple::new().await;
        let made = couple.proof().await;
        couple.world.clock.advance(601);
        let Couple { world, two, .. } = couple;
        two.wallet.close().await;
        let wallet = world.bare_wallet(two.dir.path()).await;
        let kept = keys_left(&wallet).await;
        assert_eq!(code(wallet.exchange(&made).await), "joint-ended");
        let told = wallet.exchanges().await.unwrap().remove(0);
        assert!(told.ended && told.used == 2);
        assert!(wallet.exchanges().await.unwrap().is_empty());
        kept
    })
    .await;
}

/// In a later process, what is agreed to is the page that was shown.
#[tokio::test]
async fn what_the_two_agree_to_is_what_they_read() {
    let couple = Couple::new().await;
    let (one, two) = (&couple.one.wallet, &couple.two.wallet);
    let link = couple.world.service.link(Method::Post);
    assert_eq!(code(one.join_as_read(&link).await), "unread");
    // Having read what answering alone would mean is not having read this.
    let alone = one.review(&link).await.unwrap();
    one.shown(&alone.reading()).await.unwrap();
    assert_eq!(code(one.join_as_read(&link).await), "unread");
    one.shown(&one.join(&link).await.unwrap().reading()).await.unwrap();
    let joining = one.join_as_read(&link).await.unwrap();
    let invitation = one.invite(&joining).await.unwrap();
    assert_eq!(code(one.join_as_read(&link).await), "unread", "it was agreed to");

    assert_eq!(code(two.invited_as_read(&invitation).await), "unread");
    two.shown(&two.invited(&invitation).await.unwrap().reading()).await.unwrap();
    let again = changed(&invitation, |value| {
        value["key"] = AgreementKey::generate(&OsEntropy::new()).public().to_value()
    });
    assert_eq!(code(two.invited_as_read(&again).await), "unread", "another invitation");
    // The service asks for something else in the meantime: what was read is what is told.
    couple.world.service.ask_couple(1);
    let invited = two.invited_as_read(&invitation).await.unwrap();
    assert!(invited.page(Language::En).to_string().contains("add up to £1,400.00 or more"));
    assert_eq!(code(two.contribute(&invited, "").await), "joint-check");
    let invited = two.invited_as_read(&invitation).await.unwrap();
    one.exchange(&two.contribute(&invited, &CheckNumber::of(&invitation).to_string()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(code(two.invited_as_read(&invitation).await), "unread", "it was agreed to");
}

/// What the wallet holds changed meanwhile, and with it the page.
#[tokio::test]
async fn a_page_that_is_another_by_now() {
    killed("wallet-read-same", async || {
        let couple = Couple::new().await;
        let (invitation, two) = (couple.invitation().await, &couple.two.wallet);
        two.shown(&two.invited(&invitation).await.unwrap().reading()).await.unwrap();
        // One copy is left, and the page says so.
        for _ in 0..ALL - 1 {
            couple.contribution().await;
        }
        code(two.invited_as_read(&invitation).await) != "changed"
    })
    .await;
}

#[tokio::test]
async fn exchanges_that_there_are_not_and_words_for_what_is_missing() {
    let couple = Couple::new().await;
    let refused = couple.one.wallet.end_exchange("none").await.unwrap_err();
    assert_eq!(refused.code(), Refusal::NoExchange.code());
    let words =
        "There is no exchange with that number. Look which there are, and take the number from there.";
    assert_eq!(refused.words(Language::En), words);

    let dir = tempfile::tempdir().unwrap();
    let bare = couple.world.wallet(dir.path()).await;
    let link = couple.world.service.link(Method::Post);
    let refused = bare.join(&link).await.err().unwrap();
    assert_eq!(refused.code(), "none-held");
    assert_eq!(refused.words(Language::En), "You hold no credential that can answer this.");
    assert!(!refused.words(Language::Cy).contains("cannot_"));
}
