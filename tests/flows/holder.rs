//! What a holder sees of a body's decisions: a suspension by its status list, and what an officer decides on first.

use std::sync::Arc;

use serde_json::{Value, json};
use vouchsafe::demo::resident::Resident;
use vouchsafe::district::{CLEARANCE, Databases, residents};
use vouchsafe::world::{Ports, World, opening};
use vouchsafe_issuer::deferral;
use vouchsafe_issuer::import::{self, Options};
use vouchsafe_issuer::offer::{self, Delivery, Offer, OfferRequest};
use vouchsafe_issuer::status;
use vouchsafe_issuer::store::Verdict;
use vouchsafe_issuer::{App, Kind};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::status::Standing;
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_wallet::Outcome;
use vouchsafe_wallet::status::{Refreshed, StatusFault};
use vouchsafe_wallet::words::Language;

use crate::house::House;

/// Longer than a period of publication.
const NEXT_PUBLICATION: i64 = 1800;

/// How long the district's officers want to be left alone.
const INTERVAL: i64 = 3600;

/// A type on whose every request an officer decides.
const PERMIT: &str = r#"
id = "permit"
vct = "https://larkfield.example/types/permit/1"
ttl_days = 30
batch = 4
deferred = true
name = { en = "Larkfield permit", cy = "Trwydded Larkfield" }

[[attributes]]
pointer = "/name"
column = "name"
kind = "text"
answer = ["show"]
label = { en = "your name", cy = "eich enw" }
"#;

async fn offered<S: vouchsafe_issuer::store::Store>(
    app: &App<S>,
    id: &str,
    kind: Kind,
    number: u32,
) -> Offer {
    let (type_id, person) = (id.to_owned(), residents::person(number));
    offer::create(app, &OfferRequest { type_id, person, kind, delivery: Delivery::Link }).await.unwrap()
}

#[tokio::test]
async fn a_suspension_is_seen_by_its_holder_and_so_is_its_end() {
    let house = House::open().await;
    let bureau = &house.world.bureau;
    let options = Options {
        type_id: CLEARANCE.to_owned(),
        key_column: residents::KEY_COLUMN.to_owned(),
        facts_as_of: house.clock.now().london_date(),
    };
    import::run(bureau, &house.world.district.volunteers_csv(), &options, |_| {}).await.unwrap();
    let resident = house.newcomer(residents::VOLUNTEER).await;
    let offer = offered(bureau, CLEARANCE, Kind::Proof, residents::VOLUNTEER).await;
    resident.receive(&offer.link(), offer.tx_code()).await.unwrap();

    let wallet = &resident.wallet;
    let sees = async || {
        let refreshed = wallet.refresh_status().await.unwrap();
        (refreshed, wallet.list().await.unwrap().remove(0).status.unwrap())
    };
    let decides = async |standing| {
        let person = [residents::person(residents::VOLUNTEER)];
        status::change(bureau, CLEARANCE, &person, standing).await.unwrap();
        house.clock.advance(NEXT_PUBLICATION);
        status::publish_due(bureau).await.unwrap().unwrap();
    };
    let read = Refreshed { lists: 1, failed: 0 };
    let (refreshed, seen) = sees().await;
    assert_eq!((refreshed, seen.standing), (read, Standing::Valid));
    decides(Standing::Suspended).await;
    assert_eq!(sees().await.1.standing, Standing::Suspended);
    assert!(
        wallet.list().await.unwrap()[0].words(Language::En).contains("It is suspended and does not count")
    );
    decides(Standing::Valid).await;
    assert_eq!(sees().await.1.standing, Standing::Valid);
    decides(Standing::Revoked).await;
    house.world.close_bureau().await;
    let (refreshed, seen) = sees().await;
    assert_eq!((refreshed.failed, seen.standing), (1, Standing::Valid), "nothing newer is known");
    assert_eq!(seen.failing.unwrap().why, StatusFault::Away);
    house.world.stop().await;
}

/// The registrar lets the council issue one more type.
fn register(world: &World, vct: &str) {
    let read = |name: &str| std::fs::read_to_string(world.district.dir().join(name)).unwrap();
    let entry = read("issuer/entry.jws");
    let mut parts = entry.trim().split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let mut claims: Value = serde_json::from_slice(&b64u_decode(claims).unwrap()).unwrap();
    claims["types"].as_array_mut().unwrap().push(json!(vct));
    let input = format!("{header}.{}", b64u(claims.to_string()));
    let signature =
        SigningKey::from_pkcs8_pem(&read("registrar.pem")).unwrap().sign_now(input.as_bytes()).unwrap();
    std::fs::write(world.district.dir().join("issuer/entry.jws"), format!("{input}.{}", b64u(signature)))
        .unwrap();
}

/// A district whose council has permits, and a resident with an empty wallet.
async fn permits(dir: &std::path::Path) -> (World, Arc<ManualClock>, Resident) {
    let (district, clock) = (dir.join("district"), Arc::new(ManualClock::at(opening())));
    std::fs::create_dir_all(district.join("issuer/types")).unwrap();
    std::fs::write(district.join("issuer/types/permit.toml"), PERMIT).unwrap();
    let world = World::start_on(&district, Ports::default(), &Databases::Files, clock.clone()).await.unwrap();
    register(&world, "https://larkfield.example/types/permit/1");
    let options = Options {
        type_id: "permit".to_owned(),
        key_column: residents::KEY_COLUMN.to_owned(),
        facts_as_of: clock.now().london_date(),
    };
    import::run(&world.issuer, &world.district.register_csv(), &options, |_| {}).await.unwrap();
    let resident = Resident::new(&world, &dir.join("wallet"), residents::MET, clock.clone()).await.unwrap();
    (world, clock, resident)
}

/// The council's officer decides on the one request that waits.
async fn decide(world: &World, verdict: Verdict) {
    let waiting = deferral::waiting(&world.issuer, None).await.unwrap();
    assert_eq!(waiting.len(), 1);
    deferral::decide(&world.issuer, &waiting[0].reference, verdict).await.unwrap();
}

#[tokio::test]
async fn what_an_officer_decides_comes_to_the_wallet_that_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (world, clock, resident) = permits(dir.path()).await;
    let wallet = &resident.wallet;
    for (verdict, copies) in [(Verdict::Approve, 4), (Verdict::Refuse, 0)] {
        let offer = offered(&world.issuer, "permit", Kind::Plain, residents::MET).await;
        let collected = wallet.receive(&offer.link(), Some(offer.tx_code())).await.unwrap();
        assert_eq!((collected.received.len(), collected.waiting.len()), (0, 1));
        assert_eq!(collected.waiting[0].wait_s, 3600);
        let asks = async || wallet.receive_waiting().await.unwrap().remove(0).outcome;
        clock.advance(INTERVAL);
        assert_eq!(asks().await, Outcome::Waits { wait_s: 3600 }, "nobody has decided yet");
        decide(&world, verdict).await;
        clock.advance(INTERVAL);
        match asks().await {
            Outcome::Received { copies: came, .. } => assert_eq!(came, copies),
            Outcome::Ended { code: "denied", .. } => assert_eq!(copies, 0),
            other => panic!("{other:?}"),
        }
        assert_eq!(wallet.receive_waiting().await.unwrap(), []);
    }
    assert_eq!(wallet.list().await.unwrap()[0].name.cy, "Trwydded Larkfield");
    world.stop().await;
}
