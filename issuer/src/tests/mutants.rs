//! Each check of the issuer, switched off: the attack that it alone stops then succeeds.

use axum::body::Body;
use axum::http::{Request, header};
use jiff::civil::date;
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::openid4vci::credential::Request as Ask;

use super::bound::Bound;
use super::council::{Council, NOW, REGISTER, options};
use super::limits::FEW;
use super::wallet::{JSON, Wallet};
use crate::config::AccessSettings;
use crate::import::{self, Options};
use crate::offer::Offer;
use crate::store::{Batch, Collect, Deferring as _, Import, ImportId, Mac, Register as _, Verdict};
use crate::{Kind, deferral};

/// The attack fails as things are, and succeeds once its check is gone.
async fn killed(name: &str, attack: impl AsyncFn() -> bool) {
    assert!(!attack().await, "{name}: the attack succeeds with every check in place");
    assert!(without_async(name, attack()).await, "{name}: another check stops the attack");
}

/// Whether a file adds or updates anybody.
async fn enrols(council: &Council, csv: &str, options: &Options) -> bool {
    let report = import::run(&council.app, &council.file(csv), options, |_| {}).await;
    report.is_ok_and(|report| report.progress.added + report.progress.updated > 0)
}

async fn enrols_row(header: &str, row: &str) -> bool {
    enrols(&Council::new().await, &format!("{header}\n{row}\n"), &options()).await
}

const HEADER: &str = "person,name,address,date_of_birth,ward,tenant";

#[tokio::test]
async fn rows() {
    let long = format!("LD-1,{},,1958-03-14,W142,yes", "x".repeat(1001));
    let attacks = [
        ("store-import-cells", HEADER, "LD-1,A,,1958-03-14,W142,yes,more"),
        ("store-import-control", HEADER, "LD-1,\"A\u{7}\",,1958-03-14,W142,yes"),
        ("store-import-length", HEADER, &long),
        ("store-import-missing", HEADER, "LD-1,A,,,W142,yes"),
        (
            "store-import-column-twice",
            "person,person,name,address,date_of_birth,ward,tenant",
            "LD-1,LD-2,A,,1958-03-14,W142,yes",
        ),
    ];
    for (name, header, row) in attacks {
        killed(name, async || enrols_row(header, row).await).await;
    }
}

#[tokio::test]
async fn imports() {
    let on = |day| Options { facts_as_of: date(2026, 11, day), ..options() };
    killed("vci-facts-in-future", async || enrols(&Council::new().await, REGISTER, &on(22)).await).await;
    killed("store-enrol-older", async || enrols(&Council::enrolled().await, REGISTER, &on(19)).await).await;
    killed("store-enrol-twice", async || {
        let twice = format!("{HEADER}\n{0}\n{0}\n", "LD-1,A,,1958-03-14,W142,yes");
        let council = Council::new().await;
        let report = import::run(&council.app, &council.file(&twice), &options(), |_| {}).await.unwrap();
        report.progress.updated == 1
    })
    .await;
    killed("store-import-place", async || {
        let council = Council::new().await;
        let import = Import {
            id: ImportId([1; 32]),
            type_id: "residency".to_owned(),
            facts_as_of: date(2026, 11, 20),
        };
        council.app.store().begin_import(&import, NOW).await.unwrap();
        let batch = Batch { from: 5, to: 6, last: true, ..Batch::default() };
        council.app.store().enrol(&import, batch).await.is_ok()
    })
    .await;
}

/// A council, an offer of plain copies, its code, and a transaction code that is not its own.
async fn offered() -> (Council, Offer, String, &'static str) {
    let council = Council::enrolled().await;
    let offer = council.offer(Kind::Plain).await;
    let code = Wallet::new(&council, 0).offer(&offer).await.grants.pre_authorized.code;
    let wrong = if offer.tx_code() == "000000" { "000001" } else { "000000" };
    (council, offer, code, wrong)
}

async fn redeems(council: &Council, code: &str, tx_code: &str) -> bool {
    Wallet::new(council, 0).ask_token(code, Some(tx_code)).await.status == 200
}

#[tokio::test]
async fn codes() {
    killed("store-tx-code", async || {
        let (council, _, code, wrong) = offered().await;
        redeems(&council, &code, wrong).await
    })
    .await;
    for name in ["store-offer-closed", "store-tx-code-limit"] {
        killed(name, async || {
            let (council, offer, code, wrong) = offered().await;
            for _ in 0..5 {
                redeems(&council, &code, wrong).await;
            }
            redeems(&council, &code, offer.tx_code()).await
        })
        .await;
    }
    killed("store-offer-spent", async || {
        let (council, offer, code, _) = offered().await;
        redeems(&council, &code, offer.tx_code()).await;
        redeems(&council, &code, offer.tx_code()).await
    })
    .await;
    killed("store-offer-expired", async || {
        let (council, offer, code, _) = offered().await;
        council.clock.advance(15 * 60);
        redeems(&council, &code, offer.tx_code()).await
    })
    .await;
}

#[tokio::test]
async fn tokens() {
    killed("store-token-expired", async || {
        let council = Council::enrolled().await;
        let wallet = Wallet::new(&council, 1);
        let token = wallet.token(&council.offer(Kind::Plain).await).await;
        council.clock.advance(300);
        wallet.ask_plain(&token, &wallet.nonce().await).await.status == 200
    })
    .await;
    killed("store-token-spent", async || {
        let council = Council::enrolled().await;
        let wallet = Wallet::new(&council, 1);
        let token = wallet.token(&council.offer(Kind::Plain).await).await;
        wallet.ask_plain(&token, &wallet.nonce().await).await;
        wallet.ask_plain(&token, &wallet.nonce().await).await.status == 200
    })
    .await;
    killed("vci-granted-configuration", async || {
        let council = Council::enrolled().await;
        let wallet = Wallet::new(&council, 1);
        let token = wallet.token(&council.offer(Kind::Plain).await).await;
        wallet.ask_encrypted(&token, &wallet.nonce().await).await.status == 200
    })
    .await;
    killed("vci-token-in-query", async || {
        let council = Council::enrolled().await;
        let wallet = Wallet::new(&council, 1);
        let token = wallet.token(&council.offer(Kind::Plain).await).await;
        let proofs = wallet.proofs(&wallet.nonce().await).await;
        let request = Request::post(format!("/credential?access_token={token}"))
            .header(header::CONTENT_TYPE, JSON)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(Ask::new("residency", proofs, None).to_bytes()));
        council.call(request.unwrap()).await.status == 200
    })
    .await;
}

/// Whether a batch is given for this nonce, after `then` has moved the clock.
async fn takes(nonce: impl AsyncFn(&Council) -> String) -> bool {
    let council = Council::enrolled().await;
    let offer = council.offer(Kind::Plain).await;
    let nonce = nonce(&council).await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&offer).await;
    let proofs = wallet.proofs_at(&nonce, council.app.now()).await;
    wallet.ask(&token, JSON, Ask::new("residency", proofs, None).to_bytes()).await.status == 200
}

#[tokio::test]
async fn nonces() {
    let made_up = async |_: &Council| b64u([&NOW.0.to_be_bytes()[..], &[0; 32]].concat());
    killed("vci-nonce-tag", async || takes(made_up).await).await;
    let old = async |council: &Council| {
        let nonce = Wallet::new(council, 0).nonce().await;
        council.clock.advance(300);
        nonce
    };
    killed("vci-nonce-old", async || takes(old).await).await;
    let early = async |council: &Council| {
        council.clock.advance(120);
        let nonce = Wallet::new(council, 0).nonce().await;
        council.clock.advance(-120);
        nonce
    };
    killed("vci-nonce-future", async || takes(early).await).await;
    killed("store-nonce-used", async || {
        let council = Council::enrolled().await;
        let wallet = Wallet::new(&council, 1);
        let first = wallet.token(&council.offer(Kind::Plain).await).await;
        let second = wallet.token(&council.offer(Kind::Plain).await).await;
        let nonce = wallet.nonce().await;
        wallet.ask_plain(&first, &nonce).await;
        wallet.ask_plain(&second, &nonce).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn bound_tokens() {
    killed("vci-bearer-allowed", async || {
        let council = Council::settled(AccessSettings { bearer: false, ..AccessSettings::default() }).await;
        let offer = council.offer(Kind::Plain).await;
        let code = Wallet::new(&council, 0).offer(&offer).await.grants.pre_authorized.code;
        redeems(&council, &code, offer.tx_code()).await
    })
    .await;
}

/// Whether the batch of a transaction is recorded after these verdicts.
async fn collects(collected_before: bool, approved: bool) -> bool {
    let council = Council::deferring().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    let transaction = reply.json()["transaction_id"].as_str().unwrap().to_owned();
    let transaction = council.app.secrets().transaction(&transaction);
    let waiting = deferral::waiting(&council.app, None).await.unwrap();
    if approved {
        deferral::decide(&council.app, &waiting[0].reference, Verdict::Approve).await.unwrap();
    }
    let collect = |number: u8| {
        let notification = Mac([number; 32]);
        Collect { transaction, notification, copies: 1, link: None, now: NOW }
    };
    if collected_before {
        council.app.store().collect(&collect(1)).await.unwrap().unwrap();
    }
    council.app.store().collect(&collect(2)).await.unwrap().is_ok()
}

#[tokio::test]
async fn batches_that_are_put_off() {
    killed("store-deferred-approved", async || collects(false, false).await).await;
    killed("store-deferred-collected", async || collects(true, true).await).await;
}

/// Whether a call to `path` gets through although its network has called often enough.
async fn gets_through(method: &str, path: &str) -> bool {
    let council = Council::limited(FEW).await;
    let call = || Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for _ in 0..2 {
        assert_ne!(council.call(call()).await.status, 429);
    }
    council.call(call()).await.status != 429
}

#[tokio::test]
async fn rates() {
    let offer = "/offers/AAAAAAAAAAAAAAAAAAAAAA";
    killed("vci-rate-offers", async || gets_through("GET", offer).await).await;
    killed("vci-rate-token", async || gets_through("POST", "/token").await).await;
    killed("vci-rate-nonce", async || gets_through("POST", "/nonce").await).await;
    killed("vci-rate-credential", async || gets_through("POST", "/credential").await).await;
    killed("vci-rate-deferred", async || gets_through("POST", "/deferred").await).await;
    killed("vci-rate-notification", async || gets_through("POST", "/notification").await).await;
    let list = "/status/AAAAAAAAAAAAAAAAAAAAAA";
    killed("vci-rate-status", async || gets_through("GET", list).await).await;
}
