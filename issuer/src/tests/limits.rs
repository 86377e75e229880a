//! One part of the network that calls too often, and what it costs: a wait, and nothing else.

use axum::body::Body;
use axum::http::{Request, header};
use vouchsafe_service::limits::AddressPrefix;

use super::council::{Council, Reply};
use super::wallet::{FORM, JSON, Wallet};
use crate::Kind;
use crate::config::LimitSettings;
use crate::offer::Offer;

/// So few calls that a test reaches every limit.
pub(super) const FEW: LimitSettings = LimitSettings {
    offers_per_minute: 2,
    token_per_minute: 2,
    nonce_per_minute: 2,
    credential_per_minute: 2,
    deferred_per_minute: 2,
    notification_per_minute: 2,
    status_per_minute: 2,
};

/// Refused for the rate, in the form of an OAuth endpoint.
fn is_too_often(reply: &Reply) -> bool {
    let refused = (429, "temporarily_unavailable".to_owned());
    reply.status == 429 && reply.refused() == refused && reply.headers["retry-after"] == "60"
}

#[tokio::test]
async fn a_flood_of_looks_at_offers_waits_a_minute() {
    let council = Council::limited(FEW).await;
    let offer = council.offer(Kind::Plain).await;
    let wallet = Wallet::new(&council, 1);
    wallet.offer(&offer).await;
    assert_eq!(council.get("/offers/AAAAAAAAAAAAAAAAAAAAAA").await.status, 404);
    let reply = council.get("/offers/AAAAAAAAAAAAAAAAAAAAAA").await;
    assert_eq!(reply.refused(), (429, "too-many-calls".to_owned()));
    assert_eq!(reply.headers["retry-after"], "60");
    // Other endpoints have limits of their own, and the next minute is a new one.
    wallet.nonce().await;
    council.clock.advance(60);
    wallet.offer(&offer).await;
}

#[tokio::test]
async fn a_flood_of_looks_at_status_lists_waits_a_minute() {
    let council = Council::limited(FEW).await;
    let path = "/status/AAAAAAAAAAAAAAAAAAAAAA";
    for _ in 0..2 {
        assert_eq!(council.get(path).await.status, 404);
    }
    let reply = council.get(path).await;
    assert_eq!(reply.refused(), (429, "too-many-calls".to_owned()));
    assert_eq!(reply.headers["retry-after"], "60");
    council.clock.advance(60);
    assert_eq!(council.get(path).await.status, 404);
}

#[tokio::test]
async fn neither_a_code_nor_a_try_is_used_up() {
    let council = Council::limited(FEW).await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = wallet.offer(&offer).await.grants.pre_authorized.code;
    for _ in 0..2 {
        assert_eq!(wallet.ask_token(&code, Some("000000x")).await.refused().0, 400);
    }
    for _ in 0..10 {
        // Five wrong codes close an offer; none of these is looked at, nor is the right one.
        assert!(is_too_often(&wallet.ask_token(&code, Some("000000x")).await));
    }
    assert!(is_too_often(&wallet.ask_token(&code, Some(offer.tx_code())).await));
    council.clock.advance(60);
    assert_eq!(wallet.ask_token(&code, Some(offer.tx_code())).await.status, 200);
}

#[tokio::test]
async fn neither_a_token_nor_a_nonce_is_used_up() {
    let council = Council::limited(FEW).await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let nonce = wallet.nonce().await;
    wallet.nonce().await;
    assert!(is_too_often(&wallet.post("/nonce", JSON, Body::empty()).await));
    for _ in 0..2 {
        assert_eq!(wallet.ask("unknown", JSON, "{}").await.status, 401);
    }
    assert!(is_too_often(&wallet.ask_plain(&token, &nonce).await));
    council.clock.advance(60);
    assert_eq!(wallet.open(&wallet.ask_plain(&token, &nonce).await).len(), 1);
}

async fn token_from(wallet: &Wallet<'_>, address: &str, code: &str, offer: &Offer) -> Reply {
    let mut request = Request::post("/token")
        .header(header::CONTENT_TYPE, FORM)
        .body(Wallet::token_form(code, Some(offer.tx_code())).into())
        .unwrap();
    request.extensions_mut().insert(AddressPrefix::of(address.parse().unwrap()));
    wallet.council.call(request).await
}

#[tokio::test]
async fn a_flood_elsewhere_is_not_felt() {
    let council = Council::limited(FEW).await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = wallet.offer(&offer).await.grants.pre_authorized.code;
    for _ in 0..2 {
        assert_eq!(token_from(&wallet, "198.51.100.7", "unknown", &offer).await.status, 400);
    }
    assert!(is_too_often(&token_from(&wallet, "198.51.100.9", &code, &offer).await));
    assert_eq!(token_from(&wallet, "192.0.2.1", &code, &offer).await.status, 200);
}
