//! Our wallet against a stranger's issuer (@openid4vc/openid4vci, @openid4vc/oauth2, @sd-jwt).
//!
//! Our wallet takes credentials only from a body that the registrar vouches for, so the script passes on an entry that
//! the district's registrar signed. Without one the wallet refuses, which is tested too.

use std::sync::Arc;

use serde_json::{Value, json};
use vouchsafe::demo::resident::Resident;
use vouchsafe::district::residents;
use vouchsafe_service::clock::{Clock as _, ManualClock, SystemClock};
use vouchsafe_wallet::{Outcome, ReceiveError};

use crate::peer::Server;
use crate::town::{Town, material};

const VCT: &str = "https://stranger.example/types/library-card/1";
const BATCH: u32 = 6;

/// A stranger at its desk, its entry in the register apart.
struct Stranger {
    server: Server,
    desk: Value,
    entry: String,
}

impl Stranger {
    fn new(town: &Town) -> Self {
        let mut server = Server::start("issuer.mjs", &town.tls());
        let origin = server.said_text("origin");
        let entry = town.registered(&town.read("issuer/entry.jws"), |entry| {
            entry["sub"] = json!(origin);
            entry["name"] = json!({"en": "A stranger's library", "cy": "Llyfrgell dieithryn"});
            entry["types"] = json!([VCT]);
        });
        let mut desk = material(&town.signer(&origin));
        desk["vct"] = json!(VCT);
        desk["claims"] = json!({"name": "Resident 0042", "card": "L-0042", "branches": ["North", "Mill"]});
        desk["batch"] = json!(BATCH);
        Self { server, desk, entry }
    }

    /// Opens its desk, with `change`, and hands an offer to `resident`.
    async fn offers(
        &mut self,
        resident: &Resident,
        change: impl FnOnce(&mut Value),
    ) -> Result<usize, ReceiveError> {
        let mut desk = self.desk.clone();
        desk["entry"] = json!(self.entry);
        change(&mut desk);
        self.server.tell(&desk);
        let said = self.server.said();
        let text = |member: &str| said[member].as_str().expect("a text").to_owned();
        let received = resident.wallet.receive(&text("offer"), Some(&text("tx_code"))).await?;
        Ok(received.received.iter().map(|batch| batch.copies).sum())
    }
}

/// The wallet's clock is moved by hand, a few seconds at a time: the stranger has the machine's.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_officer_is_waited_for() {
    let (town, mut folder) = (Town::open().await, tempfile::tempdir().expect("a folder"));
    for dpop in [false, true] {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let resident = Resident::new(&town.world, folder.path(), residents::MET, clock.clone());
        let (resident, mut stranger) = (resident.await.expect("a wallet"), Stranger::new(&town));
        let put_off = stranger.offers(&resident, |desk| {
            desk["officer"] = json!(true);
            desk["dpop"] = json!(dpop);
        });
        assert_eq!(put_off.await.expect("a transaction"), 0);
        assert_eq!(stranger.server.said(), json!({"put_off": 1}));
        let asks = async || resident.wallet.receive_waiting().await.expect("a wallet").remove(0).outcome;
        assert_eq!(asks().await, Outcome::Waits { wait_s: 5 }, "too early: the stranger is left alone");
        clock.advance(5);
        assert_eq!(asks().await, Outcome::Waits { wait_s: 5 });
        assert_eq!(stranger.server.said(), json!({"put_off": 2}));
        clock.advance(5);
        let came = asks().await;
        assert!(matches!(came, Outcome::Received { copies: 6, .. }), "{came:?}");
        assert_eq!(stranger.server.said(), json!({"issued": 6, "bound": dpop}));
        assert_eq!(stranger.server.said(), json!({"event": "credential_accepted"}));
        folder = tempfile::tempdir().expect("a folder");
    }
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_strangers_batch_is_taken() {
    let town = Town::open().await;
    let (resident, mut stranger) = (town.resident(residents::MET).await, Stranger::new(&town));
    let received = stranger.offers(&resident, |_| {}).await.expect("a batch");
    assert_eq!(received, 6);
    assert_eq!(stranger.server.said(), json!({"issued": 6, "bound": false}));
    assert_eq!(stranger.server.said(), json!({"event": "credential_accepted"}));
    let held = resident.wallet.list().await.expect("a list");
    let listed = serde_json::to_value(&held).expect("JSON").to_string();
    assert!(listed.contains("Library card") && listed.contains("A stranger's library"), "{listed}");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_binds_tokens_gets_proofs_with_its_nonce() {
    let town = Town::open().await;
    let (resident, mut stranger) = (town.resident(residents::MET).await, Stranger::new(&town));
    let received = stranger.offers(&resident, |desk| desk["dpop"] = json!(true)).await.expect("a batch");
    assert_eq!(received, 6);
    assert_eq!(stranger.server.said(), json!({"issued": 6, "bound": true}));
    assert_eq!(stranger.server.said(), json!({"event": "credential_accepted"}));
    town.world.stop().await;
}

/// What the wallet holds against a stranger's batch, and what the stranger does for it.
type Fault = (&'static str, &'static str, fn(&mut Value));

#[tokio::test(flavor = "multi_thread")]
async fn what_our_wallet_refuses_of_a_stranger() {
    let town = Town::open().await;
    let resident = town.resident(residents::MET).await;
    const FAULTS: [Fault; 5] = [
        ("unknown-issuer", "no entry of the register", |desk| desk["entry"] = Value::Null),
        ("issuer-type", "another type than it is registered for", |desk| {
            desk["vct"] = json!("https://larkfield.example/types/residency/1");
        }),
        ("batch", "salts of 64 bits, which is what the library makes by itself", |desk| {
            desk["short_salts"] = json!(true);
        }),
        ("batch", "a claim that marks every presentation", |desk| desk["always"] = json!({"serial": 7})),
        ("batch", "times that are no whole days", |desk| desk["always"] = json!({"iat": 1_795_255_201})),
    ];
    for (code, what, fault) in FAULTS {
        let mut stranger = Stranger::new(&town);
        let refused = stranger.offers(&resident, fault).await.expect_err(what);
        assert_eq!(refused.code(), code, "{what}: {refused}");
        let listed = serde_json::to_value(resident.wallet.list().await.expect("a list")).expect("JSON");
        assert_eq!(listed, json!([]), "{what}: nothing was kept");
    }
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_another_name_is_refused() {
    let town = Town::open().await;
    let (resident, mut stranger) = (town.resident(residents::MET).await, Stranger::new(&town));
    let other = material(&town.signer("https://somebody.else.example"));
    let refused = stranger.offers(&resident, |desk| {
        desk["key"] = other["key"].clone();
        desk["x5c"] = other["x5c"].clone();
    });
    let refused = refused.await.expect_err("a certificate in another name");
    assert_eq!(refused.code(), "batch", "{refused}");
    town.world.stop().await;
}
