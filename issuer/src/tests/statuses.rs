//! Copies that can be withdrawn, from the batch to the published list.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, header};
use jiff::civil::date;
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::openid4vci::batch::Received;
use vouchsafe_protocol::status::{
    CWT_MEDIA_TYPE, Entitled, Expected, JWT_MEDIA_TYPE, MAX_INFLATED, Received as Token, Reference, Standing,
};
use vouchsafe_service::keys::Jws;

use super::council::{Council, ISSUER, REGISTER, Reply, options};
use super::wallet::Wallet;
use crate::import::Options;
use crate::store::Asked;
use crate::{Kind, import, status};

async fn council() -> Council {
    let council = Council::of_type(|described| described.status = true).await;
    import::run(&council.app, &council.file(REGISTER), &options(), |_| {}).await.unwrap();
    council
}

async fn collect(council: &Council, person: &str) -> Vec<Received> {
    let wallet = Wallet::new(council, 3);
    let offer = council.offer_to(person, Kind::Proof, crate::offer::Delivery::Link).await;
    let token = wallet.token(&offer).await;
    let nonce = wallet.nonce().await;
    let copies = wallet.open(&wallet.ask_encrypted(&token, &nonce).await);
    wallet.keep(copies, &super::council::credential_type().proof_vct())
}

fn references(batch: &[Received]) -> Vec<Reference> {
    batch.iter().map(|copy| copy.held.status().unwrap()).collect()
}

async fn fetch(council: &Council, reference: &Reference, accept: &str) -> Reply {
    let path = reference.uri().strip_prefix(ISSUER).unwrap();
    council.call(Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap()).await
}

/// What the published list says, read as a verifier does, in both forms.
async fn standing(council: &Council, reference: &Reference) -> Standing {
    let mut said = Vec::new();
    for media_type in [JWT_MEDIA_TYPE, CWT_MEDIA_TYPE] {
        let reply = fetch(council, reference, media_type).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["content-type"]),
            (200, &media_type.parse().unwrap())
        );
        let token = match media_type {
            JWT_MEDIA_TYPE => Token::jwt(&reply.body, 1 << 20),
            _ => Token::cwt(&reply.body, 1 << 20),
        };
        let (token, now) = (token.unwrap(), council.app.now());
        let leaf = validate(token.x5c(), &[council.anchor()], now, &Jws).unwrap();
        let signer = Entitled { iss: ISSUER, status_signing: None };
        let expected = Expected { uri: reference.uri(), signer, now, max_inflated: MAX_INFLATED };
        said.push(token.verify(&leaf, &expected, &Jws).unwrap().standing(reference.idx()).unwrap());
    }
    assert_eq!(said[0], said[1]);
    said[0]
}

async fn ask(council: &Council, person: &str, to: Standing) -> Asked {
    status::change(&council.app, "residency", &[person.to_owned()], to).await.unwrap()[0]
}

#[tokio::test]
async fn each_copy_has_an_entry_of_its_own_that_is_valid_at_once() {
    let council = council().await;
    let mut all = collect(&council, "LD-0042").await;
    all.extend(collect(&council, "LD-0043").await);
    let references = references(&all);
    assert!(references.iter().all(|one| one.is_own(ISSUER) && one.uri() == references[0].uri()));
    assert_eq!(references.iter().map(Reference::idx).collect::<BTreeSet<_>>().len(), 6);
    for reference in &references {
        assert_eq!(standing(&council, reference).await, Standing::Valid);
    }
}

#[tokio::test]
async fn all_copies_of_a_person_change_in_one_publication_and_not_before() {
    let council = council().await;
    let mine = references(&collect(&council, "LD-0042").await);
    let other = references(&collect(&council, "LD-0043").await);
    status::publish(&council.app).await.unwrap();
    assert_eq!(ask(&council, "LD-0042", Standing::Suspended).await, Asked::Waiting);
    assert_eq!(ask(&council, "LD-0001", Standing::Suspended).await, Asked::Nobody);
    assert_eq!(status::publish_due(&council.app).await.unwrap(), None, "the schedule is not up");
    assert_eq!(standing(&council, &mine[0]).await, Standing::Valid);
    council.clock.advance(900);
    let published = status::publish_due(&council.app).await.unwrap().unwrap();
    assert_eq!((published.lists, published.changes), (1, 1));
    for reference in &mine {
        assert_eq!(standing(&council, reference).await, Standing::Suspended);
    }
    for reference in &other {
        assert_eq!(standing(&council, reference).await, Standing::Valid);
    }
    assert_eq!(ask(&council, "LD-0042", Standing::Valid).await, Asked::Waiting);
    status::publish(&council.app).await.unwrap();
    assert_eq!(standing(&council, &mine[2]).await, Standing::Valid);
    assert_eq!(ask(&council, "LD-0042", Standing::Revoked).await, Asked::Waiting);
    status::publish(&council.app).await.unwrap();
    assert_eq!(ask(&council, "LD-0042", Standing::Valid).await, Asked::Final);
    assert_eq!(standing(&council, &mine[2]).await, Standing::Revoked);
}

#[tokio::test]
async fn copies_that_say_what_is_no_longer_so_are_revoked() {
    let council = council().await;
    let stays = references(&collect(&council, "LD-0042").await);
    let moves = references(&collect(&council, "LD-0044").await);
    let moved = REGISTER.replace(",W104,", ",W119,");
    let later = Options { facts_as_of: date(2026, 11, 21), ..options() };
    import::run(&council.app, &council.file(&moved), &later, |_| {}).await.unwrap();
    let published = status::publish(&council.app).await.unwrap();
    assert_eq!(published.changes, 1);
    assert_eq!(standing(&council, &stays[0]).await, Standing::Valid);
    for reference in &moves {
        assert_eq!(standing(&council, reference).await, Standing::Revoked);
    }
    let fresh = references(&collect(&council, "LD-0044").await);
    assert_eq!(standing(&council, &fresh[0]).await, Standing::Valid);
}

#[tokio::test]
async fn a_person_who_is_suspended_collects_nothing() {
    let council = council().await;
    collect(&council, "LD-0042").await;
    ask(&council, "LD-0042", Standing::Suspended).await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Proof).await;
    let token = wallet.token(&offer).await;
    let refused = wallet.ask_encrypted(&token, &wallet.nonce().await).await;
    assert_eq!(refused.refused(), (400, "credential_request_denied".to_owned()));
}

#[tokio::test]
async fn a_list_is_served_to_caches() {
    let council = council().await;
    let reference = references(&collect(&council, "LD-0042").await).remove(0);
    let first = fetch(&council, &reference, "*/*").await;
    assert_eq!(first.headers["cache-control"], "public, max-age=900");
    assert_eq!(
        (&first.headers["vary"], &first.headers["content-type"]),
        (&"Accept".parse().unwrap(), &JWT_MEDIA_TYPE.parse().unwrap())
    );
    let tag = first.headers["etag"].clone();
    let path = reference.uri().strip_prefix(ISSUER).unwrap();
    let again = Request::get(path).header(header::IF_NONE_MATCH, &tag).body(Body::empty()).unwrap();
    let again = council.call(again).await;
    assert_eq!((again.status.as_u16(), again.body.len(), &again.headers["etag"]), (304, 0, &tag));
    assert_ne!(fetch(&council, &reference, CWT_MEDIA_TYPE).await.headers["etag"], tag);
    assert_eq!(fetch(&council, &reference, "text/html").await.status, 406);
    assert_eq!(council.get(&format!("{path}?time=1795255200")).await.status, 501);
    assert_eq!(council.get("/status/AAAAAAAAAAAAAAAAAAAAAA").await.status, 404);
    council.clock.advance(60);
    status::publish(&council.app).await.unwrap();
    assert_ne!(fetch(&council, &reference, "*/*").await.headers["etag"], tag);
}

#[tokio::test]
async fn a_type_without_status_has_no_entries_and_no_changes() {
    let council = Council::enrolled().await;
    let batch = collect(&council, "LD-0042").await;
    assert!(batch.iter().all(|copy| copy.held.status().is_none()));
    let none = status::change(&council.app, "residency", &["LD-0042".to_owned()], Standing::Revoked).await;
    assert_eq!(none, Err(status::StatusError::UnknownType));
}

#[tokio::test]
async fn a_list_goes_with_the_publication_after_its_copies_have_run_out() {
    let council = council().await;
    let first = references(&collect(&council, "LD-0042").await).remove(0);
    assert_eq!(standing(&council, &first).await, Standing::Valid);
    // The copies are good for ninety days, from midnight on, and their list for a day more.
    council.clock.advance(91 * 86_400 - 10 * 3600);
    assert_eq!(status::publish(&council.app).await.unwrap().lists, 1);
    assert_eq!(standing(&council, &first).await, Standing::Valid);
    council.clock.advance(1);
    status::publish(&council.app).await.unwrap();
    assert_eq!(fetch(&council, &first, "*/*").await.status, 404);
    assert_eq!(status::publish(&council.app).await.unwrap().lists, 0);
}

#[test]
fn settings_have_bounds() {
    let fault = |change: fn(&mut status::StatusSettings)| {
        let mut settings = status::StatusSettings::default();
        change(&mut settings);
        settings.check().is_err()
    };
    assert!(!fault(|_| ()));
    assert!(fault(|one| one.every_minutes = 0) && fault(|one| one.every_minutes = 1441));
    assert!(fault(|one| one.valid_hours = 0) && fault(|one| (one.every_minutes, one.valid_hours) = (40, 1)));
    assert!(
        fault(|one| one.entries = 1000)
            && fault(|one| one.entries = 1 << 23)
            && fault(|one| one.entries = 3000)
    );
}

#[cfg(feature = "mutants")]
mod switches {
    use vouchsafe_mutants::without_async;
    use vouchsafe_protocol::time::UnixTime;
    use vouchsafe_service::entropy::Entropy;

    use super::*;
    use crate::store::{Change, Mac, Memory, PublishedList, Reserve, ReserveRefusal, Statuses};

    /// Chance that gives 7 twice, then 8. Of 64 entries those from 10 on are drawn: 17 twice, then 18.
    struct Same(std::sync::atomic::AtomicUsize);

    impl Entropy for Same {
        fn fill(&self, out: &mut [u8]) {
            let turn = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            out.fill(0);
            out[0] = if turn < 2 { 7 } else { 8 };
        }
    }

    async fn store() -> Memory {
        let store = Memory::default();
        let list = PublishedList {
            shard: "a".to_owned(),
            jwt: String::new(),
            cwt: Vec::new(),
            issued_at: UnixTime(0),
            expires_at: UnixTime(0),
            ttl: 1,
        };
        store.add_shard(64, &list).await.unwrap();
        store
    }

    async fn reserve(store: &Memory, count: u32) -> Result<Vec<u64>, ReserveRefusal> {
        let reserve = Reserve {
            shard: "a".to_owned(),
            type_id: "t".to_owned(),
            person: Mac([1; 32]),
            count,
            until: UnixTime(100),
        };
        store.reserve(&reserve, &Same(0.into())).await.unwrap()
    }

    async fn asked(store: &Memory, to: Standing) -> Asked {
        store.ask(&[Change { type_id: "t", person: Mac([1; 32]), to }]).await.unwrap()[0]
    }

    async fn killed(name: &str, attack: impl AsyncFn() -> bool) {
        assert!(!attack().await, "{name}: the attack succeeds with every check in place");
        assert!(without_async(name, attack()).await, "{name}: another check stops the attack");
    }

    #[tokio::test]
    async fn switches_that_status_notices() {
        killed("store-status-idx-once", async || reserve(&store().await, 2).await == Ok(vec![17, 17])).await;
        killed("store-status-half", async || {
            let store = store().await;
            let reserve = Reserve {
                shard: "a".to_owned(),
                type_id: "t".to_owned(),
                person: Mac([1; 32]),
                count: 33,
                until: UnixTime(100),
            };
            store.reserve(&reserve, &vouchsafe_service::entropy::OsEntropy::new()).await.unwrap().is_ok()
        })
        .await;
        killed("store-status-suspended", async || {
            let store = store().await;
            reserve(&store, 1).await.unwrap();
            asked(&store, Standing::Suspended).await;
            let more = Reserve {
                shard: "a".to_owned(),
                type_id: "t".to_owned(),
                person: Mac([1; 32]),
                count: 1,
                until: UnixTime(100),
            };
            store.reserve(&more, &vouchsafe_service::entropy::OsEntropy::new()).await.unwrap().is_ok()
        })
        .await;
        killed("store-status-final", async || {
            let store = store().await;
            reserve(&store, 1).await.unwrap();
            asked(&store, Standing::Revoked).await;
            asked(&store, Standing::Valid).await == Asked::Waiting
        })
        .await;
        let leftover = async |asks: Option<Standing>, before: i64| {
            let store = store().await;
            reserve(&store, 1).await.unwrap();
            if let Some(to) = asks {
                asked(&store, to).await;
            }
            store.clean(UnixTime(before), 9).await.unwrap()
        };
        killed("store-status-needed", async || leftover(None, 100).await).await;
        killed("store-status-held", async || leftover(Some(Standing::Suspended), 101).await).await;
        killed("store-status-sequence", async || {
            let store = store().await;
            reserve(&store, 1).await.unwrap();
            let snapshot = store.snapshot().await.unwrap();
            asked(&store, Standing::Revoked).await;
            store.publish(&snapshot, &[], UnixTime(1)).await.unwrap()
        })
        .await;
    }
}
