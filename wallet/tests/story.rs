//! A resident's story from offer to answer, against an honest world and against dishonest ones.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "story/budget.rs"]
mod budget;
#[path = "story/named.rs"]
mod named;
#[path = "story/permits.rs"]
mod permits;
#[path = "story/read.rs"]
mod read;
#[path = "story/records.rs"]
mod records;
#[path = "story/secrets.rs"]
mod secrets;
#[path = "story/several.rs"]
mod several;
#[path = "story/standing.rs"]
mod standing;
#[expect(dead_code, reason = "the other stories use the rest")]
mod world;

use std::collections::BTreeSet;
use std::task::Poll;

use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::openid4vci::batch::BatchError;
use vouchsafe_protocol::openid4vci::offer::OfferLink;
use vouchsafe_protocol::openid4vp::MatchWords;
use vouchsafe_protocol::openid4vp::link::{Link, Method};
use vouchsafe_wallet::budget::{Bound, Lasting, Learnt};
use vouchsafe_wallet::history::{Event, How};
use vouchsafe_wallet::review::Ability;
use vouchsafe_wallet::vault::Section;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{AnswerError, Confirmed, Fault, ReceiveError, Review, Wallet};
use world::issuer::payer::MONTH;
use world::issuer::{COPIES, Issuer, Spoil, TX_CODE};
use world::service::{Line, RETURN, Rogue, STATE, copy_shown, error_of, judged};
use world::{ADDRESS, World, old_resident, young_resident};

async fn unused(wallet: &Wallet) -> usize {
    wallet.list().await.unwrap().iter().map(|one| one.copies.unused).sum()
}

#[tokio::test]
async fn a_resident_collects_reads_and_shares() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let received = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap().received;
    assert_eq!((received.len(), received[0].copies), (1, COPIES as usize));
    assert_eq!(received[0].name.en, "Proof of residence");
    assert_eq!(received[0].issuer.en, "Larkfield District Council");

    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let page = review.page(Language::En).to_string();
    for words in [
        "Larkfield Buses, at verify.example.",
        "“To issue an older person’s bus pass.”",
        "that you have reached pension age on 21 November 2026 (by the pension-age table), not your date of birth",
        "is one of the 3 entries of a public list",
        "The list names: North, Mill, South.",
        "– “address”",
        "for 90 days",
        "Bring a letter to any bus station.",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("1950") && !page.contains(ADDRESS) && !page.contains("rule is not met"));

    let answered = wallet.share(&review, Confirmed::Share).await.unwrap();
    assert_eq!(answered.redirect_uri.as_deref(), Some(RETURN));
    let posts = world.service.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(judged(&world, &posts[0]), Outcome::Met);
    assert_eq!(unused(&wallet).await, COPIES as usize - 1);

    let history = wallet.history().await.unwrap();
    let Some(Event::Shared { asked, contrary, names, acknowledged, .. }) = history
        .iter()
        .find_map(|entry| Some(&entry.event).filter(|event| matches!(event, Event::Shared { .. })))
    else {
        panic!("nothing shared in the history");
    };
    assert!(!contrary && *acknowledged);
    assert_eq!(asked.purpose_id, "bus-pass");
    assert!(names.iter().all(|name| name.how == How::Proved));
    let labels: Vec<&str> = names.iter().map(|name| name.label.en.as_str()).collect();
    assert_eq!(labels, ["date of birth", "ward"]);
}

/// What every caller of the wallet holds, printed as somebody would who looks for a fault.
#[tokio::test]
async fn no_value_and_no_code_is_printed_to_find_faults() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let received = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap().received;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let answered = wallet.share(&review, Confirmed::Share).await.unwrap();
    let learnt = Learnt::default().with(&[Bound::Most(131_072)], Lasting::Yes);
    let (listed, history) = (wallet.list().await.unwrap(), wallet.history().await.unwrap());
    let link = Link::parse(&world.service.link(Method::Post)).unwrap();
    let offer = OfferLink::Value(Box::new(world.issuer.offer()));
    let printed = format!(
        "{received:?} {:?} {:?} {answered:?} {learnt:?} {listed:?} {history:?} {link:?} {offer:?}",
        review.facts(),
        review.page(Language::En),
    );
    for secret in
        [RETURN, "response_code", "131072", "/r/1", "c0de", ADDRESS, "1950-02-28", "W03", "eyJ", TX_CODE]
    {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[tokio::test]
async fn each_answer_shows_another_copy_until_none_is_left() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    for _ in 0..COPIES {
        let review = wallet.review(&world.service.link(Method::Get)).await.unwrap();
        wallet.share(&review, Confirmed::Share).await.unwrap();
    }
    let shown: BTreeSet<String> = world.service.posts().iter().map(|post| copy_shown(&world, post)).collect();
    assert_eq!(shown.len(), COPIES as usize);
    let review = wallet.review(&world.service.link(Method::Get)).await.unwrap();
    let refused = wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), ("none-left", Fault::RefusedByUs));
    assert!(review.page(Language::En).to_string().contains("All copies of your credential are used."));
    assert_eq!(world.service.posts().len(), COPIES as usize);
}

#[tokio::test]
async fn that_a_rule_is_not_met_is_said_only_on_its_own_confirmation() {
    let world = World::of(young_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    assert_eq!(review.facts().offered().unwrap().ability, Ability::NotMet);
    let refused = wallet.share(&review, Confirmed::Share).await.unwrap_err();
    assert!(matches!(refused, AnswerError::Cannot(Ability::NotMet)));
    assert!(world.service.posts().is_empty());
    assert_eq!(unused(&wallet).await, COPIES as usize);

    wallet.share(&review, Confirmed::Contrary).await.unwrap();
    assert_eq!(judged(&world, &world.service.posts()[0]), Outcome::NotMet);
    let history = wallet.history().await.unwrap();
    assert!(history.iter().any(|entry| matches!(entry.event, Event::Shared { contrary: true, .. })));
}

#[tokio::test]
async fn who_meets_the_rule_has_no_contrary_to_send() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let refused = wallet.share(&review, Confirmed::Contrary).await.unwrap_err();
    assert!(matches!(refused, AnswerError::NoContrary));
    assert!(world.service.posts().is_empty());
}

#[tokio::test]
async fn a_plain_copy_shows_what_is_asked_and_only_what_meets_the_rule() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.plain_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_ward(Some("W09"));
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    assert!(matches!(
        wallet.share(&review, Confirmed::Share).await,
        Err(AnswerError::Cannot(Ability::NotMet))
    ));
    assert!(world.service.posts().is_empty());

    world.service.ask_ward(None);
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let page = review.page(Language::En).to_string();
    assert!(page.contains("the exact entry for “ward”") && page.contains("– “address”"), "{page}");
    wallet.share(&review, Confirmed::Share).await.unwrap();
    assert_eq!(judged(&world, &world.service.posts()[0]), Outcome::Met);
    let history = wallet.history().await.unwrap();
    let Event::Shared { names, .. } = &history[0].event else { panic!("the newest entry is the answer") };
    assert_eq!((names.len(), names[0].how), (1, How::Shown));
}

#[tokio::test]
async fn would_not_and_could_not_look_alike() {
    let directory = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for (name, born) in [("would not", old_resident()), ("could not", young_resident())] {
        let world = World::of(born);
        let wallet = world.filled_wallet(&directory.path().join(name)).await;
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        wallet.decline(&review).await.unwrap();
        let post = world.service.posts().remove(0);
        assert_eq!(error_of(&post), (Some("access_denied".to_owned()), Some(STATE.to_owned()), 2));
        assert!(matches!(wallet.history().await.unwrap()[0].event, Event::Declined { .. }));
        assert_eq!(unused(&wallet).await, COPIES as usize);
        seen.push(post);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_batch_with_one_thing_off_is_refused_as_a_whole() {
    for (spoil, expected) in [
        (Spoil::WrongValue, BatchError::Opening),
        (Spoil::OutOfRange, BatchError::Range),
        (Spoil::ReusedSeed, BatchError::Shared),
        (Spoil::SharedSalt, BatchError::Salt),
        (Spoil::ForeignZkc, BatchError::Opening),
        (Spoil::Numbered, BatchError::Visible),
        (Spoil::OwnKey, BatchError::Key),
        (Spoil::NumberedHeader, BatchError::Marked),
        (Spoil::OtherHeader, BatchError::Marked),
        (Spoil::NumberedDecoy, BatchError::Marked),
        (Spoil::SameDecoy, BatchError::Marked),
        (Spoil::OneDecoyMore, BatchError::Marked),
    ] {
        refuses_a_batch(spoil, expected, |issuer| issuer.link()).await;
    }
}

/// That of a batch spoiled so nothing is kept.
async fn refuses_a_batch(spoil: Spoil, expected: BatchError, link: impl Fn(&Issuer) -> String) {
    let world = World::with(old_resident(), spoil, Rogue::None);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let refused = wallet.receive(&link(&world.issuer), Some(TX_CODE)).await.unwrap_err();
    assert!(matches!(&refused, ReceiveError::Batch(why) if *why == expected), "{spoil:?}: {refused}");
    assert_eq!((refused.code(), refused.fault()), ("batch", Fault::RefusedByUs));
    for section in [Section::Credential, Section::Copy, Section::HolderKey, Section::Seed] {
        assert!(wallet.vault().scan(section).await.unwrap().is_empty(), "{spoil:?}");
    }
    let newest = wallet.history().await.unwrap().remove(0);
    assert!(matches!(newest.event, Event::Failed { code, .. } if code == "batch"));
}

#[tokio::test]
async fn totals_with_one_thing_off_are_refused_as_a_whole() {
    for (spoil, expected) in [
        (Spoil::WrongValue, BatchError::Opening),
        (Spoil::OtherText, BatchError::Opening),
        (Spoil::Negative, BatchError::Value),
        (Spoil::ReusedSeed, BatchError::Shared),
        (Spoil::WrongUnit, BatchError::Unit),
        (Spoil::RangedText, BatchError::Commitments),
        (Spoil::OtherPointers, BatchError::Commitments),
        (Spoil::ForeignPeriod, BatchError::Period),
        (Spoil::NoPeriod, BatchError::Period),
        (Spoil::OwnPeriods, BatchError::Differ),
    ] {
        refuses_a_batch(spoil, expected, |issuer| issuer.pay_offer().link()).await;
    }
}

#[tokio::test]
async fn links_with_one_thing_off_are_refused_as_a_whole() {
    for (spoil, expected) in [
        (Spoil::LinkedToAnother, BatchError::Link),
        (Spoil::SwappedLinks, BatchError::Link),
        (Spoil::Unlinked, BatchError::Link),
        (Spoil::OneUnlinked, BatchError::Link),
        (Spoil::MarkedLink, BatchError::Commitments),
    ] {
        refuses_a_batch(spoil, expected, |issuer| issuer.card_offer().link()).await;
    }
    refuses_a_batch(Spoil::LinkedUnasked, BatchError::Link, |issuer| issuer.pay_offer().link()).await;
}

#[tokio::test]
async fn a_total_is_kept_with_its_month() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.pay_offer().link(), Some(TX_CODE)).await.unwrap();
    let listed = wallet.list().await.unwrap().remove(0);
    assert_eq!((listed.period.as_deref(), listed.copies.unused), (Some(MONTH), COPIES as usize));
    assert!(listed.words(Language::En).contains("Pay of a month (2026-10)"));
    assert!(listed.words(Language::Cy).contains("(2026-10)"));
    let labels: Vec<_> = listed.attributes.iter().map(|label| label.en.as_str()).collect();
    assert_eq!(labels, ["number", "pay"]);
    // What it holds as numbers and texts opens again.
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    assert_eq!(wallet.list().await.unwrap()[0], listed);
    assert_eq!(wallet.vault().scan(Section::Seed).await.unwrap().len(), COPIES as usize);
    // A type without periods has none to show.
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    let listed = wallet.list().await.unwrap();
    let residence = listed.iter().find(|one| one.name.en == "Proof of residence").unwrap();
    assert_eq!(residence.period, None);
}

#[tokio::test]
async fn bodies_that_are_not_registered_are_refused() {
    for (spoil, code) in [
        (Spoil::Unregistered, "unknown-issuer"),
        (Spoil::OtherType, "issuer-type"),
        (Spoil::Plain, "issuer-response"),
    ] {
        let world = World::with(old_resident(), spoil, Rogue::None);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.wallet(directory.path()).await;
        let refused = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(wallet.list().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn offers_need_trust_and_the_right_code() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.bare_wallet(directory.path()).await;
    let offer = world.issuer.offer().link();
    let code = async |tx_code: Option<&str>| wallet.receive(&offer, tx_code).await.unwrap_err().code();
    assert_eq!(code(Some(TX_CODE)).await, "no-trust");
    let other = World::of(old_resident());
    wallet.trust_add(&other.trust_file()).await.unwrap();
    assert_eq!(code(Some(TX_CODE)).await, "unknown-issuer");
    wallet.trust_add(&world.trust_file()).await.unwrap();
    assert_eq!(code(None).await, "code-needed");
    assert_eq!(code(Some("000000")).await, "code-refused");
    let json = serde_json::to_string(&world.issuer.offer()).unwrap();
    assert_eq!(wallet.receive(&json, Some(TX_CODE)).await.unwrap().received.len(), 1);
}

#[tokio::test]
async fn a_busy_body_costs_neither_the_offer_nor_the_batch() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    for path in ["offers/1", ".well-known/openid-credential-issuer", "token"] {
        world.issuer.set_busy(&[path]);
        let refused = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap_err();
        assert_eq!((refused.code(), refused.fault()), ("busy", Fault::Unavailable), "{path}");
    }
    // The code is spent from here on, so the wallet waits.
    world.issuer.set_busy(&["nonce", "credential", "credential"]);
    assert_eq!(wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap().received.len(), 1);
    world.issuer.set_busy(&["credential"; 5]);
    let refused = wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), ("stayed-busy", Fault::Unavailable));
}

#[tokio::test]
async fn dishonest_requests_are_refused_with_the_reason() {
    for (rogue, code) in [
        (Rogue::OwnPurpose, "purpose"),
        (Rogue::OtherDay, "as-of"),
        (Rogue::OtherBound, "statements"),
        (Rogue::ExtraClaim, "query"),
        (Rogue::SwappedOutcomes, "options"),
        (Rogue::OverAsking, "over-asking"),
        (Rogue::Stranger, "certificate"),
        (Rogue::Unsigned, "unsigned"),
        (Rogue::OlderDraft, "older-draft"),
        (Rogue::OldObject, "wallet-nonce"),
        (Rogue::Page, "not-a-request"),
    ] {
        let world = World::with(old_resident(), Spoil::None, rogue);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.wallet(directory.path()).await;
        let Err(refused) = wallet.review(&world.service.link(Method::Post)).await else {
            panic!("{rogue:?} is not refused");
        };
        assert_eq!((refused.code(), refused.fault()), (code, Fault::RefusedByUs), "{rogue:?}: {refused}");
        assert!(
            matches!(&wallet.history().await.unwrap()[0].event, Event::Failed { code: kept, .. } if kept == code)
        );
    }
}

#[tokio::test]
async fn links_in_clear_and_of_older_drafts_are_named() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    for (link, code) in [
        ("openid4vp://?client_id=a&response_type=vp_token&dcql_query=%7B%7D", "unsigned"),
        ("openid4vp://?client_id=a&presentation_definition=%7B%7D", "older-draft"),
        ("openid4vp://?client_id=a&request_uri=http%3A%2F%2Fverify.example%2Fr%2F1", "link-address"),
        ("hello", "link"),
        ("openid4vp://?client_id=a&request_uri=https%3A%2F%2Fverify.example%2Fnowhere", "gone"),
    ] {
        assert_eq!(wallet.review(link).await.err().unwrap().code(), code, "{link}");
    }
}

#[tokio::test]
async fn a_copy_is_spent_before_it_is_shown() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    for line in [Line::Breaks, Line::Refuses] {
        world.service.set_line(line);
        assert!(wallet.share(&review, Confirmed::Share).await.is_err());
    }
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    let count = wallet.list().await.unwrap()[0].copies;
    assert_eq!((count.unused, count.reserved, count.spent), (COPIES as usize - 2, 0, 2));
    let history = wallet.history().await.unwrap();
    let shared = |acknowledged: bool| {
        let is = |event: &Event| matches!(event, Event::Shared { acknowledged: a, .. } if *a == acknowledged);
        history.iter().filter(|entry| is(&entry.event)).count()
    };
    assert_eq!((shared(false), shared(true)), (2, 0));
}

/// Polls `future` so many times and drops it then, as a process that is stopped does.
async fn stopped<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn stopped_anywhere_no_copy_is_shown_twice() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let mut wallet = world.filled_wallet(directory.path()).await;
    let mut finished = 0;
    for polls in 1.. {
        if unused(&wallet).await == 0 {
            wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
        }
        let review = wallet.review(&world.service.link(Method::Get)).await.unwrap();
        finished += usize::from(stopped(wallet.share(&review, Confirmed::Share), polls).await.is_some());
        wallet.close().await;
        wallet = world.bare_wallet(directory.path()).await;
        let listed = wallet.list().await.unwrap();
        let spent: usize = listed.iter().map(|one| one.copies.spent).sum();
        assert!(world.service.posts().len() <= spent, "after {polls} polls");
        assert!(listed.iter().all(|one| one.copies.reserved == 0));
        if finished == 2 {
            break;
        }
    }
    let posts = world.service.posts();
    let shown: BTreeSet<String> = posts.iter().map(|post| copy_shown(&world, post)).collect();
    assert_eq!(shown.len(), posts.len());
}

#[tokio::test]
async fn a_busy_service_gets_the_same_answer_again() {
    for status in [503, 429] {
        let world = World::of(old_resident());
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
        world.service.set_line(Line::BusyOnce(status));
        wallet.share(&review, Confirmed::Share).await.unwrap();
        let posts = world.service.posts();
        assert_eq!(posts.len(), 2, "{status}");
        assert_eq!(posts[0], posts[1]);
        assert_eq!(unused(&wallet).await, COPIES as usize - 1);
    }
}

#[tokio::test]
async fn a_credential_that_ended_is_not_shown() {
    let world = World::with(old_resident(), Spoil::Brief, Rogue::None);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    world.clock.advance(2 * 86_400);
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    assert!(matches!(
        wallet.share(&review, Confirmed::Share).await,
        Err(AnswerError::Cannot(Ability::TooOld))
    ));
    assert!(world.service.posts().is_empty());
}

#[tokio::test]
async fn a_request_that_ended_is_not_answered() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    world.clock.advance(601);
    assert!(matches!(wallet.share(&review, Confirmed::Share).await, Err(AnswerError::Expired)));
    assert!(world.service.posts().is_empty());
    assert_eq!(unused(&wallet).await, COPIES as usize);
}

#[tokio::test]
async fn stale_facts_are_sent_only_after_a_warning_and_tell_nothing() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    world.service.accept_facts(5);
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    assert!(review.facts().offered().unwrap().is_stale());
    assert!(review.page(Language::En).parts.iter().any(|part| part.id == "warnings"));
    wallet.share(&review, Confirmed::Share).await.unwrap();
    assert_eq!(judged(&world, &world.service.posts()[0]), Outcome::Undetermined);
}

#[tokio::test]
async fn the_freshest_answers_unless_the_resident_names_another() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let first = wallet.list().await.unwrap()[0].id.clone();
    world.clock.advance(3600);
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    let newest = wallet.list().await.unwrap()[1].id.clone();
    let link = world.service.link(Method::Post);
    let held = |review: &Review| review.facts().offered().unwrap().parts[0].held.clone().unwrap().id;

    let review = wallet.review(&link).await.unwrap();
    assert_eq!(held(&review), newest);
    let others: Vec<_> =
        review.facts().offered().unwrap().parts[0].others.iter().map(|held| &held.id).collect();
    assert_eq!(others, [&first]);
    assert!(review.page(Language::En).to_string().contains(&format!("number {first}.")));

    let review = wallet.review_using(&link, Some(&first)).await.unwrap();
    assert_eq!(held(&review), first);
    wallet.share(&review, Confirmed::Share).await.unwrap();
    let used = wallet.list().await.unwrap();
    assert_eq!((used[0].copies.spent, used[1].copies.spent), (1, 0));
    assert_eq!(judged(&world, &world.service.posts()[0]), Outcome::Met);

    let review = wallet.review_using(&link, Some("none-of-mine")).await.unwrap();
    let refused = wallet.share(&review, Confirmed::Share).await;
    assert!(matches!(refused, Err(AnswerError::Cannot(Ability::NoneHeld))));
}

#[tokio::test]
async fn a_known_service_learns_by_a_code_that_its_request_is_refused_and_a_stranger_nothing() {
    for (rogue, told) in [(Rogue::OtherDay, true), (Rogue::OverAsking, true), (Rogue::Stranger, false)] {
        let world = World::with(old_resident(), Spoil::None, rogue);
        let directory = tempfile::tempdir().unwrap();
        let wallet = world.filled_wallet(directory.path()).await;
        assert!(wallet.review(&world.service.link(Method::Post)).await.is_err());
        let posts = world.service.posts();
        assert_eq!(posts.len(), usize::from(told), "{rogue:?}");
        for post in posts {
            assert_eq!(error_of(&post), (Some("invalid_request".into()), Some(STATE.into()), 2));
        }
    }
}

#[tokio::test]
async fn page_and_review_show_the_same_words() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let review = wallet.review(&world.service.link(Method::Post)).await.unwrap();
    let party = world.service.asked(review.request().issued_at()).party().clone();
    let words = MatchWords::of(&party.client_id, &party.nonce).to_string();
    assert!(review.page(Language::Cy).to_string().contains(&words));
}
