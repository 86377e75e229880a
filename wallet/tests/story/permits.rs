//! What an answer permits besides: read, signed with a key of its own, kept before it leaves.

use serde_json::Value;
use serde_json::json;
use vouchsafe_protocol::permission::Payment;
use vouchsafe_wallet::permissions::State;
use vouchsafe_wallet::review::{Permitted, Wish};
use vouchsafe_wallet::{Permission, ReviewError};

use super::world::killed;
use super::world::permits::{Alter, PAYEE, action, entry, payment, sharing, standing};
use super::*;

/// A world in which the service asks to be permitted this as well, and a wallet that can answer.
pub(super) async fn asked(permission: Value) -> (std::sync::Arc<World>, tempfile::TempDir, Wallet) {
    let world = World::of(old_resident());
    world.service.ask_to_permit(permission);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    (world, directory, wallet)
}

pub(super) async fn review(world: &World, wallet: &Wallet) -> Review {
    wallet.review(&world.service.link(Method::Post)).await.unwrap()
}

/// Reads and answers, and the service decides.
pub(super) async fn gives(world: &std::sync::Arc<World>, wallet: &Wallet) -> Permission {
    let review = review(world, wallet).await;
    wallet.share(&review, Confirmed::Share).await.unwrap();
    assert!(world.decides());
    wallet.permissions().await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_payment_is_read_signed_kept_and_recorded() {
    let (world, _directory, wallet) = asked(payment()).await;
    let page = review(&world, &wallet).await.page(Language::En).to_string();
    for words in [
        "A payment of £120.00 to “Larkfield Housing Trust”, with the reference “RENT 0042”.",
        "It may be paid once, until 21 December 2026.",
        "Share and permit: send exactly what is listed above",
        "for 90 days after it has ended, because of their public duties",
        "in the register’s words: “In Larkfield.”",
        "You can take this permission back at any time in this wallet, in one step.",
        "What was decided, paid or shared before stays so.",
        "“Larkfield Council” is responsible: “privacy@larkfield.example”.",
        "https://larkfield.example/privacy",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let given = gives(&world, &wallet).await;
    assert_eq!((given.state, given.events.len()), (State::Sent, 0));
    assert!(matches!(&given.permits.what, Permitted::Payment { pence: 12_000, payee, .. } if payee == PAYEE));
    let checked = wallet.check_permission(&given.id).await.unwrap();
    assert_eq!((checked.state, checked.events[0].what), (State::Given, "given"));
    let line = wallet.history().await.unwrap()[0].line(Language::En);
    assert!(line.ends_with(&format!("You permitted with it: a payment, number {}.", given.id)), "{line}");
    let told = checked.page(Language::En).to_string();
    assert!(
        told.contains("£120.00") && told.contains("It is in force.") && told.contains("Given on 21 November")
    );
    assert!(
        checked.line(Language::Cy).contains("taliad")
            && checked.page(Language::Cy).html(Language::Cy).contains("<li>")
    );
}

/// The amount is shown, signed and kept; the history, and whoever looks for faults, see neither it nor the payee.
#[tokio::test]
async fn amount_and_payee_are_in_no_history_no_fault_and_no_file() {
    let (world, directory, wallet) = asked(payment()).await;
    let given = gives(&world, &wallet).await;
    wallet.check_permission(&given.id).await.unwrap();
    let review = wallet.permission(&given.id).await.unwrap();
    let printed = format!("{:?} {review:?} {:?}", wallet.history().await.unwrap(), review.permits);
    let exported = serde_json::to_string(&wallet.export_permission(&given.id).await.unwrap()).unwrap();
    let history = serde_json::to_string(&wallet.history().await.unwrap()).unwrap();
    wallet.close().await;
    assert!(!printed.contains("12000") && !history.contains("12000"));
    for value in [PAYEE, "RENT 0042"] {
        assert!(!printed.contains(value) && !history.contains(value) && !exported.contains(value), "{value}");
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(value.len()).any(|window| window == value.as_bytes()), "{value}");
        }
    }
}

#[tokio::test]
async fn a_printed_page_is_nothing_but_text() {
    let (world, _directory, wallet) = asked(payment()).await;
    world.service.permits.pays(Payment::new(100, "<b>Trust & Co</b>", "\"x\"").unwrap());
    let page = gives(&world, &wallet).await.page(Language::En);
    let html = page.html(Language::En);
    assert!(html.contains("£1.00 to “&lt;b&gt;Trust &amp; Co&lt;/b&gt;”"), "{html}");
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">") && !html.contains("<b>"));
    // A name cannot close our quotation marks.
    assert!(page.to_string().contains("with the reference “’x’”."), "{page}");
}

#[tokio::test]
async fn every_kind_is_told_in_its_own_words() {
    for (permission, words) in [
        (
            standing(),
            &["at least 3 days between two askings", "to within 3 days when your circumstances changed"][..],
        ),
        (standing(), &["They can tell that all these answers come from one person."]),
        (
            sharing(),
            &[
                "share the outcome with “The food bank” until 19 February 2027",
                "At most 3 times.",
                "“2 Mill Lane, Larkfield”",
            ],
        ),
        (action(), &["until 21 December 2026, in the register’s words: “Remind me by post.”", "Once."]),
    ] {
        let (world, _directory, wallet) = asked(permission).await;
        let review = review(&world, &wallet).await;
        let page = review.page(Language::En).to_string();
        for words in words {
            assert!(page.contains(words), "{words}\n{page}");
        }
        let welsh = review.page(Language::Cy).to_string();
        assert!(welsh.contains("Beth arall rydych yn ei ganiatáu") && !welsh.contains("permit_"));
        gives(&world, &wallet).await;
    }
}

/// Only where the lawful basis is consent does anything speak of agreeing.
#[tokio::test]
async fn agreeing_is_a_word_for_consent_alone() {
    for consent in [false, true] {
        let (world, _directory, wallet) = asked(action()).await;
        if consent {
            world.service.ask_for_consent();
        }
        let page = review(&world, &wallet).await.page(Language::En).to_string();
        // Words that are drawn say anything.
        let page: Vec<&str> = page.lines().filter(|line| !line.contains("shows the same words")).collect();
        let page = page.join("\n");
        assert_eq!(page.to_lowercase().contains("agree"), consent, "{page}");
        assert!(!page.to_lowercase().contains("consent"));
        let button = "Agree: send exactly what is listed above, and agree to exactly what is listed above.";
        assert_eq!(page.contains(button), consent);
        let given = gives(&world, &wallet).await;
        let checked = wallet.check_permission(&given.id).await.unwrap();
        let told = checked.page(Language::En).to_string();
        assert_eq!(told.starts_with("Your agreement"), consent);
        assert_eq!(told.to_lowercase().contains("agree"), consent, "{told}");
    }
    // Without a permission as well.
    let (world, _directory, wallet) = asked(json!(null)).await;
    world.service.change(|policy| drop(policy.as_object_mut().unwrap().remove("permission")));
    world.service.ask_for_consent();
    let page = review(&world, &wallet).await.page(Language::En).to_string();
    assert!(page.contains("Agree: send exactly what is listed above.\n"), "{page}");
}

type Row = (&'static str, fn() -> Value, Alter, &'static str);

/// Entries that a service bends in a request that it signs itself, and what the resident is told.
const BENT: [Row; 24] = [
    (
        "more than the rule allows",
        payment,
        |c| entry(c, |e| e["amount"]["pence"] = json!("20001")),
        "permission-amount",
    ),
    (
        "another currency",
        payment,
        |c| entry(c, |e| e["amount"]["currency"] = json!("EUR")),
        "permission-differs",
    ),
    (
        "a number of pence",
        payment,
        |c| entry(c, |e| e["amount"]["pence"] = json!(12_000)),
        "transaction-data",
    ),
    ("nothing to pay", payment, |c| entry(c, |e| e["amount"]["pence"] = json!("0")), "transaction-data"),
    (
        "pence with a zero before",
        payment,
        |c| entry(c, |e| e["amount"]["pence"] = json!("012000")),
        "transaction-data",
    ),
    (
        "a payee that turns the writing",
        payment,
        |c| entry(c, |e| e["payee"] = json!("Trust\u{202e}tsurT")),
        "transaction-data",
    ),
    (
        "a payee in other letters",
        payment,
        |c| entry(c, |e| e["payee"] = json!("Lаrkfield")),
        "transaction-data",
    ),
    ("no reference", payment, |c| entry(c, |e| e["reference"] = json!("")), "transaction-data"),
    ("a payment twice", payment, |c| entry(c, |e| e["uses"] = json!(2)), "permission-differs"),
    ("another day", payment, |c| entry(c, |e| e["until"] = json!("2027-12-21")), "permission-differs"),
    ("a short salt", payment, |c| entry(c, |e| e["salt"] = json!("AAAA")), "transaction-data"),
    (
        "no salt",
        payment,
        |c| entry(c, |e| drop(e.as_object_mut().unwrap().remove("salt"))),
        "transaction-data",
    ),
    ("a further member", payment, |c| entry(c, |e| e["monthly"] = json!(true)), "transaction-data"),
    (
        "an unknown kind",
        payment,
        |c| entry(c, |e| e["type"] = json!("urn:vouchsafe:loan:1")),
        "transaction-data",
    ),
    (
        "another kind",
        action,
        |c| entry(c, |e| e["type"] = json!("urn:vouchsafe:sharing:1")),
        "transaction-data",
    ),
    ("another action", action, |c| entry(c, |e| e["action"] = json!("visit")), "permission-differs"),
    ("more uses", sharing, |c| entry(c, |e| e["uses"] = json!(4)), "permission-differs"),
    (
        "any number of uses",
        sharing,
        |c| entry(c, |e| drop(e.as_object_mut().unwrap().remove("uses"))),
        "permission-differs",
    ),
    (
        "with somebody else",
        sharing,
        |c| entry(c, |e| e["with"] = json!("https://lender.example")),
        "permission-differs",
    ),
    ("every day", standing, |c| entry(c, |e| e["every_days"] = json!(1)), "permission-differs"),
    (
        "of a query that is not asked",
        standing,
        |c| entry(c, |e| e["credential_ids"] = json!(["q9"])),
        "transaction-data",
    ),
    (
        "by another hash",
        standing,
        |c| entry(c, |e| e["transaction_data_hashes_alg"] = json!(["sha-512"])),
        "transaction-data",
    ),
    (
        "a second entry",
        standing,
        |c| {
            let mut other = c.clone();
            entry(&mut other, |e| e["salt"] = json!("AAAAAAAAAAAAAAAAAAAAAA"));
            let all = c["transaction_data"].as_array_mut().unwrap();
            all.push(other["transaction_data"][0].clone());
        },
        "permission-several",
    ),
    (
        "no entry",
        standing,
        |c| drop(c.as_object_mut().unwrap().remove("transaction_data")),
        "permission-unasked",
    ),
];

async fn refused(world: &World, wallet: &Wallet) -> &'static str {
    let reviewed = wallet.review(&world.service.link(Method::Post)).await;
    reviewed.map_or_else(|refused| refused.code(), |_| "reviewed")
}

#[tokio::test]
async fn what_is_not_the_rules_is_not_shown_and_not_signed() {
    for (what, permission, alter, code) in BENT {
        let (world, _directory, wallet) = asked(permission()).await;
        assert_eq!(refused(&world, &wallet).await, "reviewed", "{what}");
        world.service.permits.alter(Some(alter));
        assert_eq!(refused(&world, &wallet).await, code, "{what}");
        let told = world.service.posts().pop().unwrap();
        assert_eq!(error_of(&told).0.as_deref(), Some("invalid_transaction_data"), "{what}");
        assert!(wallet.permissions().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_entry_that_no_rule_asks_for_and_a_permission_that_no_purpose_allows() {
    let (world, _directory, wallet) = asked(payment()).await;
    world.service.permits.alter(Some(|claims| {
        for info in claims["verifier_info"].as_array_mut().unwrap() {
            if info["format"] == "urn:vouchsafe:policy:1" {
                info["data"].as_object_mut().unwrap().remove("permission");
            }
        }
    }));
    // The digest is of the policy with its permission.
    assert_eq!(refused(&world, &wallet).await, "policy-digest");
    world.service.permits.alter(None);
    for permission in [
        json!({"kind": "action", "for_days": 30, "action": "visit"}),
        json!({"kind": "sharing", "for_days": 30, "with": "https://lender.example"}),
        json!({"kind": "standing", "for_days": 30, "every_days": 1}),
    ] {
        world.service.ask_to_permit(permission);
        assert_eq!(refused(&world, &wallet).await, "permission-not-covered");
    }
}

/// Between reading and agreeing the service asks for more: what was read is what is signed, and nothing else.
#[tokio::test]
async fn an_amount_that_was_altered_after_reading_is_not_signed() {
    let (world, _directory, wallet) = asked(payment()).await;
    let link = world.service.link(Method::Post);
    let read = review(&world, &wallet).await;
    wallet.shown(&read.reading()).await.unwrap();
    world.service.permits.pays(Payment::new(19_999, PAYEE, "RENT 0042").unwrap());
    let review = wallet.review_as_read(&link, &Wish::default()).await.unwrap();
    assert_eq!(review.page(Language::En), read.page(Language::En));
    wallet.share(&review, Confirmed::Share).await.unwrap();
    let permission = wallet.permissions().await.unwrap().pop().unwrap();
    assert!(matches!(permission.permits.what, Permitted::Payment { pence: 12_000, .. }));
}

/// A permission is given once: its entry is not signed again for anybody.
#[tokio::test]
async fn a_request_that_was_answered_is_not_permitted_twice() {
    killed("wallet-perm-again", async || {
        let (world, _directory, wallet) = asked(payment()).await;
        gives(&world, &wallet).await;
        world.service.ask_again("b3RoZXItbm9uY2Utbm9uY2Utbm9uY2U");
        let code = refused(&world, &wallet).await;
        assert!(["reviewed", "permission-again"].contains(&code));
        code == "reviewed"
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_back_is_not_permitted_again_by_the_same_entry() {
    killed("wallet-perm-over", async || {
        let (world, _directory, wallet) = asked(standing()).await;
        let given = gives(&world, &wallet).await;
        wallet.withdraw_permission(&given.id).await.unwrap();
        refused(&world, &wallet).await != "permission-over"
    })
    .await;
}

/// Where the answer would not be "met", nothing is signed that could pass for a permission.
#[tokio::test]
async fn nothing_is_signed_by_an_answer_that_does_not_count() {
    killed("wallet-perm-counts", async || {
        let (world, _directory, wallet) = asked(payment()).await;
        world.service.accept_facts(5);
        let review = review(&world, &wallet).await;
        let refused = wallet.share(&review, Confirmed::Share).await;
        let code = refused.map_err(|refused| refused.code());
        assert!(matches!(code, Ok(_) | Err("nothing-permitted")), "{code:?}");
        let signed = wallet.permissions().await.unwrap().len();
        assert_eq!((signed, world.service.posts().len()), (usize::from(code.is_ok()), signed));
        code.is_ok()
    })
    .await;
}

#[tokio::test]
async fn who_does_not_meet_the_rule_permits_nothing() {
    let world = World::of(young_resident());
    world.service.ask_to_permit(payment());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = review(&world, &wallet).await;
    assert!(matches!(wallet.share(&review, Confirmed::Contrary).await, Err(AnswerError::NoContrary)));
    let refused = wallet.share(&review, Confirmed::Share).await;
    assert!(matches!(refused, Err(AnswerError::Cannot(Ability::NotMet))));
    assert!(world.service.posts().is_empty() && wallet.permissions().await.unwrap().is_empty());
}

/// The line breaks after the answer is out, and the request is answered once more: one permission, by one key.
#[tokio::test]
async fn an_answer_that_did_not_arrive_is_given_again_by_the_same_key() {
    let (world, directory, wallet) = asked(payment()).await;
    world.service.set_line(Line::Breaks);
    let broken = wallet.share(&review(&world, &wallet).await, Confirmed::Share).await;
    assert!(broken.is_err());
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    let kept = wallet.permissions().await.unwrap().pop().unwrap();
    assert_eq!(kept.state, State::Sent);
    // It had arrived after all: the record is to be had by the key that was kept.
    assert!(world.decides());
    world.service.set_line(Line::Open);
    let page = review(&world, &wallet).await.page(Language::En).to_string();
    assert!(
        page.contains(&format!("You gave this before; it is number {} in your wallet.", kept.id)),
        "{page}"
    );
    gives(&world, &wallet).await;
    assert_eq!((wallet.permissions().await.unwrap().len(), world.recorded()), (1, 1));
    assert_eq!(wallet.check_permission(&kept.id).await.unwrap().state, State::Given);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_at_once_one_permits() {
    for _ in 0..3 {
        let (world, _directory, wallet) = asked(payment()).await;
        let review = review(&world, &wallet).await;
        let (one, other) =
            tokio::join!(wallet.share(&review, Confirmed::Share), wallet.share(&review, Confirmed::Share));
        assert!(one.is_ok() || other.is_ok());
        assert_eq!(wallet.permissions().await.unwrap().len(), 1);
        let reserved: usize = wallet.list().await.unwrap().iter().map(|one| one.copies.reserved).sum();
        assert_eq!(reserved, 0);
    }
}

/// Stopped at any point: whatever left the wallet, its key is in the vault.
#[tokio::test]
async fn stopped_anywhere_no_permission_is_lost() {
    let (world, directory, mut wallet) = asked(payment()).await;
    let mut finished = 0;
    for polls in 1.. {
        if unused(&wallet).await == 0 {
            wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        }
        // So that the newest is the one that was made last.
        world.clock.advance(1);
        world.service.permits.ask_anew();
        let review = review(&world, &wallet).await;
        let before = (world.service.posts().len(), wallet.permissions().await.unwrap().len());
        finished += usize::from(stopped(wallet.share(&review, Confirmed::Share), polls).await.is_some());
        wallet.close().await;
        wallet = world.bare_wallet(directory.path()).await;
        let left = world.service.posts().len() - before.0;
        let kept = wallet.permissions().await.unwrap().len() - before.1;
        assert!(left <= kept && kept <= 1, "after {polls} polls");
        if left == 1 {
            assert!(world.decides());
            let newest = wallet.permissions().await.unwrap().pop().unwrap();
            assert_eq!(wallet.check_permission(&newest.id).await.unwrap().state, State::Given);
        }
        if finished == 2 {
            break;
        }
    }
}

fn over(review: &Review) -> Vec<String> {
    let ours = ["This would last", "Nothing limits", "You answered them", "They ask to see"];
    let is_ours = |line: &String| ours.iter().any(|begin| line.starts_with(begin));
    let parts = review.page(Language::En).parts.into_iter().filter(|part| part.id == "warnings");
    parts.flat_map(|part| part.lines).filter(is_ours).collect()
}

#[tokio::test]
async fn what_seems_more_than_is_needed_is_said() {
    let (world, _directory, wallet) =
        asked(json!({"kind": "action", "for_days": 91, "action": "remind"})).await;
    let first = over(&review(&world, &wallet).await);
    let long = "This would last 91 days. They keep the outcome, which it is about, for 90 days.";
    assert_eq!(first, [long, "Nothing limits how often they may use this."]);
    gives(&world, &wallet).await;
    world.service.ask_to_permit(action());
    let second = over(&review(&world, &wallet).await);
    let soon =
        "You answered them for the same purpose today. The register calls 2 days between two answers enough.";
    assert_eq!(second, [soon]);
    #[cfg(feature = "mutants")]
    {
        let unsaid = async { over(&review(&world, &wallet).await) };
        assert!(vouchsafe_mutants::without_async("wallet-over-soon", unsaid).await.is_empty());
    }
    world.clock.advance(86_400);
    assert!(over(&review(&world, &wallet).await)[0].contains("1 days ago"));
    world.clock.advance(86_400);
    assert!(over(&review(&world, &wallet).await).is_empty());
    // A value, where the register would let them ask without seeing it.
    wallet.receive(&world.issuer.plain_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_ward(None);
    let shown = over(&review(&world, &wallet).await);
    assert_eq!(
        shown,
        ["They ask to see “ward” itself. The register would also let them ask about it without seeing it."]
    );
    #[cfg(feature = "mutants")]
    for name in ["wallet-over-shows", "wallet-over-permission"] {
        world.service.ask_to_permit(json!({"kind": "action", "for_days": 91, "action": "remind"}));
        let all = over(&review(&world, &wallet).await).len();
        let left =
            vouchsafe_mutants::without_async(name, async { over(&review(&world, &wallet).await).len() });
        assert!(left.await < all, "{name}");
    }
}

#[tokio::test]
async fn what_a_service_would_ask_to_be_permitted_is_held_against_its_purpose_when_it_is_published() {
    let (world, _directory, wallet) = asked(action()).await;
    let verdict = async || {
        let published = world.service.published().to_string();
        wallet.entitled_by(published.as_bytes()).await.unwrap().remove(0).verdict
    };
    assert_eq!(verdict().await, vouchsafe_wallet::entitled::Verdict::Qualifies);
    let published = world.service.published().to_string();
    let words = wallet.entitled_by(published.as_bytes()).await.unwrap().remove(0).words(Language::En);
    assert!(words.ends_with("They would ask you for something more with it: an action."), "{words}");
    killed("vp-published-permission", async || {
        world.service.ask_to_permit(json!({"kind": "action", "for_days": 30, "action": "visit"}));
        verdict().await == vouchsafe_wallet::entitled::Verdict::Qualifies
    })
    .await;
}

#[tokio::test]
async fn reviews_that_are_refused_say_why_in_both_languages() {
    let (world, _directory, wallet) = asked(payment()).await;
    world.service.permits.alter(Some(|claims| entry(claims, |e| e["amount"]["pence"] = json!("20001"))));
    let refused = wallet.review(&world.service.link(Method::Post)).await.err().unwrap();
    assert!(matches!(refused, ReviewError::Refused(_)));
    assert_eq!(
        refused.words(Language::En),
        "The service asks for a payment of more than its rule allows. The service must put this right: tell it, or use \
         its other route. Nothing was shared."
    );
    assert!(refused.words(Language::Cy).starts_with("Mae’r gwasanaeth yn gofyn am daliad mwy"));
}
