//! What two residents see and do, from the question to the answer.

use std::collections::BTreeSet;

use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::openid4vp::link::Method;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_wallet::history::Event;
use vouchsafe_wallet::joint::{Known, Role, Step};
use vouchsafe_wallet::vault::{Change, Section};
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Confirmed, Fault, Wallet};

use super::world::World;
use super::world::issuer::{COPIES, TX_CODE};
use super::world::service::{RETURN, copies_shown, judged};
use super::{Couple, answered, binding, contributes, partner, proof};

pub(crate) async fn left(wallet: &Wallet) -> Vec<usize> {
    wallet.list().await.unwrap().iter().map(|one| one.copies.unused).collect()
}

const ALL: usize = COPIES as usize;

#[tokio::test]
async fn two_wallets_answer_one_question() {
    let Couple { world, one, two } = Couple::new().await;
    let (one, two) = (&one.wallet, &two.wallet);
    let joining = one.join(&world.service.link(Method::Post)).await.unwrap();
    let page = joining.page(Language::En).to_string();
    for words in [
        "Your wallet will learn the other person’s exact amounts.",
        "learns where it is published whether the other’s credentials still count.",
        "the service decides that the rule is not met.",
        "What Larkfield Buses will not learn",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let invitation = one.invite(&joining).await.unwrap();
    let number = one.exchanges().await.unwrap()[0].check.clone().unwrap().to_string();
    assert!(invitation.len() < 700, "{}", invitation.len());

    let invited = two.invited(&invitation).await.unwrap();
    let page = invited.page(Language::En).to_string();
    for words in [
        "What the other person’s wallet will learn",
        "– your exact “pay” from one.example",
        "– a fingerprint of “person number” from two.example: enough to check a guess, so a short one can be found",
        "– a fingerprint of “household number” from two.example: enough to check a guess, so a short one can be found",
        "– that “person number” from two.example and “person number” from one.example are the same",
        "before theirs has shown anything of the other person.",
        "learns where it is published whether the other’s credentials still count.",
        "the service decides that the rule is not met.",
        "What Larkfield Buses will not learn",
        "Check the invitation first",
        "add up to £1,400.00 or more",
        "Take part: your wallet sends what is listed above to the other person’s wallet.",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let welsh = invited.page(Language::Cy).to_string();
    assert!(welsh.contains("eich union “pay (cy)” gan one.example"), "{welsh}");
    assert!(!page.contains("500") && !page.contains("LD-0041"));
    let tells = invited.tells().iter().map(|one| (one.of.pointer.as_str(), one.with.is_some(), one.what));
    let all = [
        ("/household", false, Known::Fingerprint),
        ("/person", false, Known::Fingerprint),
        ("/person", true, Known::Same),
        ("/total", false, Known::Exact),
    ];
    assert_eq!(tells.collect::<BTreeSet<_>>(), BTreeSet::from(all));
    assert_eq!((left(one).await, left(two).await), (vec![ALL; 2], vec![ALL; 2]));

    let contribution = two.contribute(&invited, &number).await.unwrap();
    assert_eq!((left(one).await, left(two).await), (vec![ALL; 2], vec![ALL - 1; 2]));
    let made = proof(one.exchange(&contribution).await.unwrap());
    assert_eq!(left(one).await, vec![ALL - 1; 2]);
    let agreed = binding(two.exchange(&made).await.unwrap());
    assert!(world.service.posts().is_empty());
    let done = answered(one.exchange(&agreed).await.unwrap());
    assert_eq!(done.redirect_uri.as_deref(), Some(RETURN));
    let posts = world.service.posts();
    assert_eq!((posts.len(), judged(&world, &posts[0])), (1, Outcome::Met));
    assert_eq!(copies_shown(&world, &posts[0]).len(), 4);
    assert!(one.exchanges().await.unwrap().is_empty() && two.exchanges().await.unwrap().is_empty());
    both_histories(one, two).await;
}

async fn both_histories(one: &Wallet, two: &Wallet) {
    let newest = async |wallet: &Wallet| wallet.history().await.unwrap().remove(0);
    let (shared, contributed) = (newest(one).await, newest(two).await);
    let Event::Shared { names, used, acknowledged, .. } = &shared.event else { panic!("another event") };
    let labels: Vec<&str> = names.iter().map(|name| name.label.en.as_str()).collect();
    assert!(*acknowledged && used.len() == 2 && labels.contains(&"pay"));
    let Event::Contributed { agreed, used, .. } = &contributed.event else { panic!("another event") };
    assert!(*agreed && used.len() == 2);
    let line = contributed.line(Language::En);
    assert!(line.starts_with("Took part in another person’s answer to Larkfield Buses on 21 November 2026"));
    let told = format!("{:?}{:?}", one.history().await.unwrap(), two.history().await.unwrap());
    for value in ["900", "500", "LD-00", "H0017"] {
        assert!(!told.contains(value), "{value}");
    }
}

/// Between any two commands a wallet may be closed: all that goes on is in the vault.
#[tokio::test]
async fn a_wallet_may_be_closed_between_any_two_messages() {
    let world = World::of_couples();
    world.service.ask_couple(140_000);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for (dir, (person, total)) in dirs.iter().zip([("LD-0042", 90_000), ("LD-0041", 50_000)]) {
        let wallet = world.wallet(dir.path()).await;
        world.payers[0].pay(person, total);
        world.payers[1].say(super::home(person, "H0017"));
        for body in &world.payers {
            wallet.receive(&body.link(), Some(TX_CODE)).await.unwrap();
        }
        wallet.close().await;
    }
    let link = world.service.link(Method::Post);
    let one = world.bare_wallet(dirs[0].path()).await;
    let invitation = one.invite(&one.join(&link).await.unwrap()).await.unwrap();
    one.close().await;
    let two = world.bare_wallet(dirs[1].path()).await;
    let mut message = contributes(&two, &invitation).await.unwrap();
    two.close().await;
    for turn in 0.. {
        let wallet = world.bare_wallet(dirs[turn % 2].path()).await;
        let waits = wallet.exchanges().await.unwrap().remove(0);
        let expected = [(Role::Gathers, Step::Contribution, 0), (Role::Contributes, Step::Proof, 2)];
        let expected = expected.get(turn).copied().unwrap_or((Role::Gathers, Step::Binding, 2));
        assert_eq!((waits.role, waits.awaits, waits.used), expected);
        let next = wallet.exchange(&message).await.unwrap();
        wallet.close().await;
        message = match turn {
            0 => proof(next),
            1 => binding(next),
            _ => break,
        };
    }
    assert_eq!(judged(&world, &world.service.posts()[0]), Outcome::Met);
}

#[tokio::test]
async fn what_does_not_hold_together_costs_only_what_has_left() {
    let couple = Couple::new().await;
    couple.world.service.ask_couple(140_001);
    let contribution = couple.contribution().await;
    let refused = couple.one.wallet.exchange(&contribution).await.unwrap_err();
    assert_eq!(refused.code(), "joint-not-met");
    assert_eq!(
        refused.words(Language::En),
        "What the two of you hold does not show what is asked. Nothing was sent to the service. Say no, or use its \
         other route."
    );
    assert_eq!(left(&couple.one.wallet).await, vec![ALL; 2]);
    assert_eq!(left(&couple.two.wallet).await, vec![ALL - 1; 2]);
    assert!(couple.world.service.posts().is_empty());
}

#[tokio::test]
async fn one_person_is_not_two() {
    let world = World::of_couples();
    world.service.ask_couple(140_000);
    let (one, two) = (partner(&world, "LD-0042", 90_000).await, partner(&world, "LD-0042", 90_000).await);
    let couple = Couple { world, one, two };
    let contribution = couple.contribution().await;
    assert_eq!(couple.one.wallet.exchange(&contribution).await.unwrap_err().code(), "joint-not-met");
}

#[tokio::test]
async fn what_is_over_says_what_was_used() {
    let couple = Couple::new().await;
    let made = couple.proof().await;
    couple.world.clock.advance(601);
    let (one, two) = (&couple.one.wallet, &couple.two.wallet);
    assert_eq!(two.exchange(&made).await.unwrap_err().code(), "joint-ended");
    for wallet in [one, two] {
        let over = wallet.exchanges().await.unwrap().remove(0);
        assert!(over.ended && over.used == 2);
        let words = over.words(Language::En);
        assert!(words.contains("is over. Ask the service for a new request"), "{words}");
        assert!(words.contains("Copies used: 2. They stay used"), "{words}");
        assert!(wallet.exchanges().await.unwrap().is_empty());
        assert!(wallet.vault().scan(Section::Joint).await.unwrap().is_empty());
        assert_eq!(left(wallet).await, vec![ALL - 1; 2]);
    }
    assert_eq!(two.exchange(&made).await.unwrap_err().code(), "joint-unknown");
    let told = one.history().await.unwrap();
    assert!(told.iter().any(|entry| matches!(entry.event, Event::Prepared { .. })));
}

#[tokio::test]
async fn what_is_given_up_can_be_begun_again() {
    let couple = Couple::new().await;
    let contribution = couple.contribution().await;
    let two = &couple.two.wallet;
    let waits = two.exchanges().await.unwrap().remove(0);
    let ended = two.end_exchange(&waits.id).await.unwrap();
    assert!(ended.ended && ended.used == 2);
    let made = proof(couple.one.wallet.exchange(&contribution).await.unwrap());
    assert_eq!(two.exchange(&made).await.unwrap_err().code(), "joint-unknown");
    let again = couple.binding().await;
    answered(couple.one.wallet.exchange(&again).await.unwrap());
    assert_eq!(judged(&couple.world, &couple.world.service.posts()[0]), Outcome::Met);
}

/// Each question is counted against the service in both wallets.
#[tokio::test]
async fn sums_cannot_find_a_partner_s_value_by_asking() {
    let couple = Couple::new().await;
    let mut codes = Vec::new();
    for least in [100_000, 110_000, 120_000, 130_000, 135_000, 138_000] {
        for (partner, person, total) in [(&couple.one, "LD-0042", 90_000), (&couple.two, "LD-0041", 50_000)] {
            couple.world.clock.advance(1);
            couple.world.payers[0].pay(person, total);
            couple.world.payers[1].say(super::home(person, "H0017"));
            for body in &couple.world.payers {
                partner.wallet.receive(&body.link(), Some(TX_CODE)).await.unwrap();
            }
        }
        couple.world.service.ask_couple(least);
        let link = couple.world.service.link(Method::Post);
        let joining = couple.one.wallet.join(&link).await.unwrap();
        let invitation = couple.one.wallet.invite(&joining).await.unwrap();
        match contributes(&couple.two.wallet, &invitation).await {
            Ok(contribution) => {
                let made = couple.one.wallet.exchange(&contribution).await.unwrap();
                codes.push(None);
                drop(made);
            }
            Err(refused) => codes.push(Some(refused.code().to_owned())),
        }
    }
    assert_eq!(codes[..5], [const { None }; 5]);
    assert_eq!(codes[5].as_deref(), Some("probing"));
}

#[tokio::test]
async fn a_request_for_one_is_not_shared_out() {
    let world = World::of_couples();
    let one = partner(&world, "LD-0042", 90_000).await;
    world.service.ask_pay(1);
    let link = world.service.link(Method::Post);
    assert_eq!(one.wallet.join(&link).await.err().unwrap().code(), "none-held");
    world.service.ask_couple(140_000);
    let review = one.wallet.review(&link).await.unwrap();
    let alone = one.wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert_eq!(alone.code(), "another-person");
}

/// A row that is gone is damage, and is told as that: nothing has changed since it was read.
#[tokio::test]
async fn a_damaged_record_says_so() {
    let couple = Couple::new().await;
    let binding = couple.binding().await;
    let (wallet, vault) = (&couple.one.wallet, couple.one.wallet.vault());
    let rows = vault.scan(Section::History).await.unwrap().into_iter();
    let gone = rows.map(|row| Change::Delete(Section::History, row.id)).collect();
    vault.apply(gone, &OsEntropy::new()).await.unwrap();
    let failed = wallet.exchange(&binding).await.unwrap_err();
    assert_eq!((failed.code(), failed.fault()), ("vault-damaged", Fault::Unavailable));
    let words =
        "A record in your wallet was changed or damaged. Put back a copy of your wallet that you trust.";
    assert_eq!(failed.words(Language::En), words);
    assert!(
        failed.words(Language::Cy).starts_with("Newidiwyd neu difrodwyd"),
        "{}",
        failed.words(Language::Cy)
    );
}
