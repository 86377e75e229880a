//! Records and receipts of a verifier that is honest or not, and taking a permission back.

use vouchsafe_protocol::permission::call::Do;
use vouchsafe_protocol::permission::record::{Happening, Route};
use vouchsafe_wallet::PermissionError;
use vouchsafe_wallet::history::Ending;
use vouchsafe_wallet::permissions::State;

use super::permits::{asked, gives};
use super::world::killed;
use super::world::permits::{Spoilt, action, payment, sharing};
use super::*;

async fn check(wallet: &Wallet, id: &str) -> &'static str {
    wallet.check_permission(id).await.map_or_else(|failed| failed.code(), |_| "ok")
}

async fn lines(wallet: &Wallet) -> Vec<String> {
    wallet.history().await.unwrap().iter().map(|entry| entry.line(Language::En)).collect()
}

#[tokio::test]
async fn a_permission_is_taken_back_in_one_step_and_the_receipt_is_kept() {
    let (world, directory, wallet) = asked(payment()).await;
    let id = gives(&world, &wallet).await.id;
    world.clock.advance(60);
    let back = wallet.withdraw_permission(&id).await.unwrap();
    assert_eq!((back.state, back.events.len()), (State::Withdrawn, 2));
    assert_eq!((back.events[1].what, back.events[1].route), ("withdrawn", Some(Route::Wallet)));
    assert!(back.page(Language::En).to_string().contains("Taken back in your wallet on 21 November 2026."));
    assert!(
        lines(&wallet).await[0].starts_with("Took back from Larkfield Buses on 21 November 2026: a payment")
    );
    // Once more says the same, and asks nobody.
    assert_eq!(wallet.withdraw_permission(&id).await.unwrap(), back);
    assert_eq!(world.service.permits.calls(), [Do::Withdraw]);
    let exported = wallet.export_permission(&id).await.unwrap();
    assert_eq!((exported.record.split('.').count(), exported.grant.split('.').count()), (3, 3));
    wallet.close().await;
    let wallet = world.bare_wallet(directory.path()).await;
    assert_eq!(wallet.permission(&id).await.unwrap(), back);
    assert_eq!(wallet.export_permission(&id).await.unwrap().record, exported.record);
    wallet.delete_permission(&id).await.unwrap();
    assert!(matches!(wallet.permission(&id).await, Err(PermissionError::NoSuch)));
}

/// Nobody can be told, and nothing is lost: from here on it counts as taken back, and the same command says it again.
#[tokio::test]
async fn what_is_taken_back_while_nobody_answers_is_said_again() {
    for (spoilt, code) in [
        (Spoilt::Unreachable, "permission-network"),
        (Spoilt::Busy, "permission-busy"),
        (Spoilt::NotThere, "permission-not-there"),
        (Spoilt::Page, "permission-reply"),
    ] {
        let (world, directory, wallet) = asked(action()).await;
        let id = gives(&world, &wallet).await.id;
        world.service.permits.spoil(spoilt);
        let refused = wallet.withdraw_permission(&id).await.unwrap_err();
        assert_eq!(refused.code(), code, "{spoilt:?}");
        wallet.close().await;
        let wallet = world.bare_wallet(directory.path()).await;
        assert_eq!(wallet.permission(&id).await.unwrap().state, State::Withdrawing);
        assert!(matches!(wallet.delete_permission(&id).await, Err(PermissionError::InForce)));
        let told = lines(&wallet).await;
        assert!(told.iter().any(|line| line.contains("not confirmed yet: an action")), "{told:?}");
        world.service.permits.spoil(Spoilt::None);
        assert_eq!(wallet.withdraw_permission(&id).await.unwrap().state, State::Withdrawn);
        let told = lines(&wallet).await;
        assert!(!told.iter().any(|line| line.contains("not confirmed yet")), "{told:?}");
        assert_eq!(told.iter().filter(|line| line.starts_with("Took back")).count(), 1);
    }
}

type Row = (Spoilt, &'static str, Option<&'static str>);

/// What a verifier does to the first record, by which code it is refused, and the check that alone stops it.
const FORGED: [Row; 13] = [
    (Spoilt::Nonsense, "permission-record-form", None),
    (Spoilt::Page, "permission-reply", Some("wallet-call-type")),
    (Spoilt::Forged, "permission-record-forged", None),
    (Spoilt::Unpublished, "permission-key", None),
    (Spoilt::Issuer, "permission-record-origin", Some("perm-signed-iss")),
    (Spoilt::Service, "permission-record-service", Some("perm-signed-aud")),
    (Spoilt::Other, "permission-record-other", Some("perm-signed-whose")),
    (Spoilt::Future, "permission-record-time", Some("perm-signed-time")),
    (Spoilt::Jti, "permission-record-jti", Some("perm-signed-jti")),
    (Spoilt::Basis, "permission-record-differs", Some("wallet-record-basis")),
    (Spoilt::Policy, "permission-record-differs", Some("wallet-record-purpose")),
    (Spoilt::Purpose, "permission-record-differs", Some("wallet-record-purpose")),
    (Spoilt::Entry, "permission-record-differs", Some("wallet-record-permission")),
];

#[tokio::test]
async fn a_record_that_is_not_this_permissions_is_refused() {
    for (spoilt, code, mutant) in FORGED {
        let attack = async || {
            let (world, _directory, wallet) = asked(sharing()).await;
            let id = gives(&world, &wallet).await.id;
            world.service.permits.spoil(spoilt);
            let told = check(&wallet, &id).await;
            assert!([code, "ok"].contains(&told), "{spoilt:?}: {told}");
            let kept = wallet.permission(&id).await.unwrap();
            assert!(told == "ok" || (kept.state, kept.events.len()) == (State::Sent, 0));
            told == "ok"
        };
        match mutant {
            Some(name) => killed(name, attack).await,
            None => assert!(!attack().await),
        }
    }
}

/// The same of a receipt: it is none, and the wallet says so.
#[tokio::test]
async fn a_receipt_that_is_not_one_is_refused() {
    for (spoilt, code, mutant) in FORGED.into_iter().chain([
        (Spoilt::Deaf, "permission-not-withdrawn", Some("wallet-receipt-withdrawn")),
        (Spoilt::Busy, "permission-busy", None),
    ]) {
        let attack = async || {
            let (world, _directory, wallet) = asked(sharing()).await;
            let id = gives(&world, &wallet).await.id;
            world.service.permits.spoil(spoilt);
            let told = wallet.withdraw_permission(&id).await;
            let told = told.map_or_else(|failed| failed.code(), |_| "ok");
            assert!([code, "ok", "permission-reply"].contains(&told), "{spoilt:?}: {told}");
            assert!(told == "ok" || wallet.permission(&id).await.unwrap().state == State::Withdrawing);
            told == "ok"
        };
        // A page in the place of a receipt holds none, whatever it is called.
        match mutant.filter(|_| spoilt != Spoilt::Page) {
            Some(name) => killed(name, attack).await,
            None => assert!(!attack().await),
        }
    }
}

/// What a verifier does to a record after the wallet has seen one.
const ALTERED: [Row; 5] = [
    (Spoilt::Dropped, "permission-record-order", Some("wallet-record-events")),
    (Spoilt::Rewritten, "permission-record-order", Some("wallet-record-events")),
    (Spoilt::Facts, "permission-record-order", Some("wallet-record-facts")),
    (Spoilt::Older, "permission-record-order", Some("wallet-record-older")),
    (Spoilt::Swapped, "permission-record-forged", Some("wallet-record-same-key")),
];

#[tokio::test]
async fn a_record_that_does_not_continue_the_one_before_is_refused() {
    for (spoilt, code, mutant) in ALTERED {
        killed(mutant.unwrap(), async || {
            let (world, _directory, wallet) = asked(payment()).await;
            let id = gives(&world, &wallet).await.id;
            world.clock.advance(60);
            assert_eq!(wallet.withdraw_permission(&id).await.unwrap().state, State::Withdrawn);
            world.clock.advance(60);
            assert_eq!(check(&wallet, &id).await, "ok");
            world.service.permits.spoil(spoilt);
            let told = check(&wallet, &id).await;
            assert!([code, "ok"].contains(&told), "{spoilt:?}: {told}");
            told == "ok"
        })
        .await;
    }
}

#[tokio::test]
async fn what_ended_elsewhere_is_learnt_and_told_once() {
    let ended = [
        (Happening::Withdrawn { route: Route::Letter }, State::Withdrawn, Ending::Letter),
        (Happening::Withdrawn { route: Route::Counter }, State::Withdrawn, Ending::Counter),
        (Happening::Expired, State::Expired, Ending::Expired),
        (Happening::Invalidated, State::Ended, Ending::Invalidated),
    ];
    for (what, state, how) in ended {
        let (world, _directory, wallet) = asked(sharing()).await;
        let id = gives(&world, &wallet).await.id;
        assert_eq!(check(&wallet, &id).await, "ok");
        world.clock.advance(60);
        world.service.permits.happens(what, world.now());
        for _ in 0..2 {
            assert_eq!(wallet.check_permission(&id).await.unwrap().state, state);
        }
        let told = wallet.history().await.unwrap();
        let ends =
            told.iter().filter(|entry| matches!(&entry.event, Event::Ended { how: h, .. } if *h == how));
        assert_eq!(ends.count(), 1);
        wallet.delete_permission(&id).await.unwrap();
    }
}

/// Nobody could be told, and meanwhile a letter did it, or the last day was over: then it is over, and said once.
#[tokio::test]
async fn what_ended_before_it_could_be_taken_back_is_over() {
    for (what, state) in [
        (Happening::Withdrawn { route: Route::Letter }, State::Withdrawn),
        (Happening::Expired, State::Expired),
    ] {
        let (world, _directory, wallet) = asked(sharing()).await;
        let id = gives(&world, &wallet).await.id;
        world.service.permits.spoil(Spoilt::Unreachable);
        assert!(wallet.withdraw_permission(&id).await.is_err());
        world.service.permits.happens(what, world.now());
        // A verifier adds nothing to what is over.
        world.service.permits.spoil(Spoilt::Deaf);
        assert_eq!(wallet.withdraw_permission(&id).await.unwrap().state, state);
        let told = lines(&wallet).await;
        assert!(!told.iter().any(|line| line.contains("not confirmed yet")), "{told:?}");
        assert_eq!(told.iter().filter(|line| line.starts_with("Known since")).count(), 1);
    }
}

#[tokio::test]
async fn a_permission_in_force_is_not_deleted() {
    killed("wallet-perm-delete", async || {
        let (world, _directory, wallet) = asked(sharing()).await;
        let id = gives(&world, &wallet).await.id;
        wallet.delete_permission(&id).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn numbers_that_there_are_not_and_records_that_have_not_come() {
    let (world, _directory, wallet) = asked(sharing()).await;
    let id = gives(&world, &wallet).await.id;
    assert!(matches!(wallet.export_permission(&id).await, Err(PermissionError::NoRecord)));
    for refused in [
        wallet.permission("none").await,
        wallet.check_permission("none").await,
        wallet.withdraw_permission("none").await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), refused.fault()), ("permission-no-such", Fault::Caller));
    }
    assert!(world.service.permits.calls().is_empty());
    assert!(lines(&wallet).await.iter().all(|line| !line.contains("permission-no-such")));
}

/// The history can be deleted; what services have learnt is counted all the same, and permissions stay.
#[tokio::test]
async fn history_is_deleted_and_nothing_else() {
    let (world, _directory, wallet) = asked(sharing()).await;
    let id = gives(&world, &wallet).await.id;
    let before = wallet.history().await.unwrap().len();
    world.clock.advance(2 * 86_400);
    wallet.withdraw_permission(&id).await.unwrap();
    let day = "2026-11-22".parse().unwrap();
    assert_eq!(wallet.delete_history(Some(day)).await.unwrap(), before);
    assert_eq!(wallet.history().await.unwrap().len(), 1);
    assert_eq!(wallet.delete_history(None).await.unwrap(), 1);
    assert!(wallet.history().await.unwrap().is_empty());
    assert!(!wallet.vault().scan(Section::Budget).await.unwrap().is_empty());
    assert_eq!(wallet.check_permission(&id).await.unwrap().state, State::Withdrawn);
}
