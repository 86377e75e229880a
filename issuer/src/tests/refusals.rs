//! What the endpoints refuse, with which code, and that a refusal uses nothing up.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use vouchsafe_protocol::openid4vci::credential::Request as Ask;

use super::council::{Council, NOW};
use super::wallet::{FORM, JSON, JWT, Wallet};
use crate::Kind;
use crate::offer::{Delivery, OfferError, OfferRequest, create};
use crate::store::AddOfferError;

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn only_the_enrolled_get_offers() {
    let council = Council::enrolled().await;
    let refused = async |type_id: &str, person: &str| {
        let request = OfferRequest {
            type_id: type_id.to_owned(),
            person: person.to_owned(),
            kind: Kind::Proof,
            delivery: Delivery::Link,
        };
        create(&council.app, &request).await.err().unwrap()
    };
    assert_eq!(refused("other", "LD-0042").await, OfferError::UnknownType);
    assert_eq!(refused("residency", "LD-9999").await, OfferError::Store(AddOfferError::UnknownPerson));
}

#[tokio::test]
async fn an_offer_is_found_by_its_handle_until_it_ends() {
    let council = Council::enrolled().await;
    let offer = council.offer(Kind::Proof).await;
    assert_eq!(council.get("/offers/AAAAAAAAAAAAAAAAAAAAAA").await.refused(), code(404, "not-found"));
    assert_eq!(council.get("/nowhere").await.refused(), code(404, "not-found"));
    let path = offer.address().strip_prefix(council.app.issuer()).unwrap().to_owned();
    council.clock.advance(15 * 60 - 1);
    assert_eq!(council.get(&path).await.status, 200);
    council.clock.advance(1);
    assert_eq!(council.get(&path).await.refused(), code(410, "offer-over"));
}

#[tokio::test]
async fn token_requests_that_are_refused() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Proof).await;
    let good = wallet.offer(&offer).await.grants.pre_authorized.code;
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code";
    let cases = [
        (FORM, String::new(), code(400, "invalid_request")),
        (FORM, format!("{grant}&tx_code=1"), code(400, "invalid_request")),
        (FORM, format!("{grant}&pre-authorized_code={good}"), code(400, "invalid_request")),
        (
            FORM,
            format!("{grant}&pre-authorized_code={good}&pre-authorized_code=x&tx_code=1"),
            code(400, "invalid_request"),
        ),
        (
            FORM,
            format!("grant_type=password&pre-authorized_code={good}&tx_code=1"),
            code(400, "unsupported_grant_type"),
        ),
        (
            FORM,
            format!("{grant}&pre-authorized_code=unknown&tx_code={}", offer.tx_code()),
            code(400, "invalid_grant"),
        ),
        (JSON, "{}".to_owned(), code(415, "media-type")),
    ];
    for (media, body, expected) in cases {
        assert_eq!(wallet.post("/token", media, body.clone()).await.refused(), expected, "{body}");
    }
    let large = "x".repeat(300 * 1024);
    assert_eq!(wallet.post("/token", FORM, large).await.refused(), code(413, "body-too-large"));
    assert_eq!(wallet.ask_token(&good, Some(offer.tx_code())).await.status, 200);
}

#[tokio::test]
async fn wrong_transaction_codes_are_counted_and_do_not_spend_the_offer() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let wrong = |offer: &crate::offer::Offer| if offer.tx_code() == "000000" { "000001" } else { "000000" };

    let offer = council.offer(Kind::Proof).await;
    let good = wallet.offer(&offer).await.grants.pre_authorized.code;
    let unknown = wallet.ask_token("unknown", Some("000000")).await;
    for _ in 0..4 {
        let reply = wallet.ask_token(&good, Some(wrong(&offer))).await;
        assert_eq!(reply.refused(), code(400, "invalid_grant"));
        assert_eq!(reply.body, unknown.body, "a wrong code is told like an unknown one");
    }
    let token = wallet.ask_token(&good, Some(offer.tx_code())).await;
    assert_eq!((token.status.as_u16(), token.json()["expires_in"].as_u64()), (200, Some(300)));

    let offer = council.offer(Kind::Proof).await;
    let good = wallet.offer(&offer).await.grants.pre_authorized.code;
    for _ in 0..5 {
        wallet.ask_token(&good, Some(wrong(&offer))).await;
    }
    let right = wallet.ask_token(&good, Some(offer.tx_code())).await;
    assert_eq!(right.refused(), code(400, "invalid_grant"));
    assert_eq!(right.body, unknown.body);
}

#[tokio::test]
async fn a_code_ends_with_its_offer() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Proof).await;
    let good = wallet.offer(&offer).await.grants.pre_authorized.code;
    council.clock.advance(15 * 60);
    assert_eq!(wallet.ask_token(&good, Some(offer.tx_code())).await.refused(), code(400, "invalid_grant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_token_requests_at_once_one_wins() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let offer = council.offer(Kind::Proof).await;
    let good = wallet.offer(&offer).await.grants.pre_authorized.code;
    let ask = || wallet.ask_token(&good, Some(offer.tx_code()));
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let mut statuses = [a, b, c, d].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400]);
}

#[tokio::test]
async fn access_tokens_that_are_refused() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let send = async |uri: String, authorization: Option<String>| {
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, JSON);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        council.call(request.body(Body::from("{}")).unwrap()).await
    };
    let plain = "/credential".to_owned();
    // The challenge is of the scheme that was used; a token that is bound to no key is not good with DPoP.
    let wrong = [
        (None, "Bearer"),
        (Some("Bearer unknown".to_owned()), r#"Bearer error="invalid_token""#),
        (Some(format!("DPoP {token}")), r#"DPoP error="invalid_token", algs="ES256""#),
        (Some(token.clone()), "Bearer"),
    ];
    for (authorization, challenge) in wrong {
        let reply = send(plain.clone(), authorization).await;
        assert_eq!(reply.refused(), code(401, "invalid_token"));
        assert_eq!(reply.headers["www-authenticate"], challenge);
    }
    for bearer in [None, Some(format!("Bearer {token}"))] {
        let reply = send(format!("/credential?access_token={token}"), bearer).await;
        assert_eq!(reply.refused(), code(400, "invalid_request"));
    }
    council.clock.advance(300);
    let late = wallet.ask_plain(&token, &wallet.nonce().await).await;
    assert_eq!(late.refused(), code(401, "invalid_token"));
}

#[tokio::test]
async fn a_token_has_one_batch_of_what_was_offered() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let other = wallet.ask_encrypted(&token, &wallet.nonce().await).await;
    assert_eq!(other.refused(), code(403, "insufficient_scope"));
    assert!(other.headers.contains_key("www-authenticate"));
    let nonce = wallet.nonce().await;
    assert_eq!(wallet.ask_plain(&token, &nonce).await.status, 200);
    let again = wallet.ask_plain(&token, &wallet.nonce().await).await;
    assert_eq!(again.refused(), code(401, "invalid_token"));
}

#[tokio::test]
async fn a_nonce_is_good_for_one_batch() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 2);
    let first = wallet.token(&council.offer(Kind::Plain).await).await;
    let second = wallet.token(&council.offer(Kind::Plain).await).await;
    let nonce = wallet.nonce().await;
    assert_eq!(wallet.ask_plain(&first, &nonce).await.status, 200);
    assert_eq!(wallet.ask_plain(&second, &nonce).await.refused(), code(400, "invalid_nonce"));
    assert_eq!(wallet.ask_plain(&second, "made-up").await.refused(), code(400, "invalid_nonce"));
    let old = wallet.nonce().await;
    assert_eq!(wallet.ask_plain(&second, &old).await.status, 200, "a refusal spends nothing");
    let third = council.offer(Kind::Plain).await;
    council.clock.advance(200);
    let stale = wallet.nonce().await;
    council.clock.advance(300);
    let token = wallet.token(&third).await;
    let proofs = wallet.proofs_at(&stale, NOW.plus(500)).await;
    let late = wallet.ask(&token, JSON, Ask::new("residency", proofs, None).to_bytes()).await;
    assert_eq!(late.refused(), code(400, "invalid_nonce"));
}

#[tokio::test]
async fn plain_credential_requests_that_are_refused() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 2);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let proofs = wallet.proofs(&wallet.nonce().await).await;
    let with = |spoil: fn(&mut Value)| {
        let mut request = json!({"credential_configuration_id": "residency", "proofs": {"jwt": proofs}});
        spoil(&mut request);
        request.to_string()
    };
    let cases = [
        (with(|r| r["credential_configuration_id"] = json!("other")), "unknown_credential_configuration"),
        (with(|r| r["credential_configuration_id"] = json!(1)), "invalid_credential_request"),
        (with(|r| r["credential_identifier"] = json!("residency")), "invalid_credential_request"),
        (with(|r| drop(r.as_object_mut().unwrap().remove("proofs"))), "invalid_proof"),
        (with(|r| r["proofs"]["jwt"] = json!([])), "invalid_proof"),
        (with(|r| r["proofs"]["jwt"][0] = json!("a.b.c")), "invalid_proof"),
        (with(|r| r["proofs"]["jwt"][1] = r["proofs"]["jwt"][0].clone()), "invalid_proof"),
        (
            with(|r| r["proofs"]["jwt"] = vec![r["proofs"]["jwt"][0].clone(); 31].into()),
            "invalid_credential_request",
        ),
        (
            json!({"credential_identifier": "x", "proofs": {"jwt": proofs}}).to_string(),
            "unknown_credential_identifier",
        ),
        (
            String::from_utf8(wallet.wish("residency", proofs.clone())).unwrap(),
            "invalid_encryption_parameters",
        ),
        ("{".to_owned(), "invalid_credential_request"),
        (r#"{"proofs":{},"proofs":{}}"#.to_owned(), "invalid_credential_request"),
    ];
    for (body, expected) in cases {
        assert_eq!(wallet.ask(&token, JSON, body.clone()).await.refused(), code(400, expected), "{body}");
    }
    assert_eq!(wallet.ask(&token, FORM, "a=b").await.refused(), code(415, "media-type"));
    assert_eq!(
        wallet.ask(&token, JWT, "a.b.c.d.e").await.refused(),
        code(400, "invalid_encryption_parameters")
    );
    let reply = wallet.ask(&token, JSON, with(|_| {})).await;
    assert_eq!(wallet.open(&reply).len(), 2, "refusals spent neither token nor nonce");
}

#[tokio::test]
async fn proof_copies_travel_encrypted_or_not_at_all() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Proof).await).await;
    let nonce = wallet.nonce().await;
    let proofs = wallet.proofs(&nonce).await;
    let bare = Ask::new("residency-zk", proofs.clone(), None).to_bytes();
    let refused = code(400, "invalid_encryption_parameters");
    assert_eq!(wallet.ask(&token, JSON, bare.clone()).await.refused(), refused);
    assert_eq!(
        wallet.ask(&token, JSON, wallet.wish("residency-zk", proofs.clone())).await.refused(),
        refused
    );
    assert_eq!(wallet.ask(&token, JWT, wallet.sealed(&bare).await).await.refused(), refused);
    let mut wish: Value = serde_json::from_slice(&wallet.wish("residency-zk", proofs)).unwrap();
    for (member, value) in
        [("enc", json!("A128CBC-HS256")), ("zip", json!("DEF")), ("jwk", json!({"kty": "EC"}))]
    {
        let kept = wish["credential_response_encryption"][member].take();
        wish["credential_response_encryption"][member] = value;
        let sealed = wallet.sealed(wish.to_string().as_bytes()).await;
        assert_eq!(wallet.ask(&token, JWT, sealed).await.refused(), refused, "{member}");
        wish["credential_response_encryption"][member] = kept;
    }
    assert_eq!(wallet.ask_encrypted(&token, &nonce).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_credential_requests_at_once_one_wins() {
    let council = Council::enrolled().await;
    let wallet = Wallet::new(&council, 1);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let nonces = (wallet.nonce().await, wallet.nonce().await, wallet.nonce().await);
    let (a, b, c) = tokio::join!(
        wallet.ask_plain(&token, &nonces.0),
        wallet.ask_plain(&token, &nonces.1),
        wallet.ask_plain(&token, &nonces.2),
    );
    let mut statuses = [a, b, c].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_harms_nobody() {
    let council = Council::enrolled().await;
    for polls in 0..6 {
        let wallet = Wallet::new(&council, 1);
        let offer = council.offer(Kind::Plain).await;
        let good = wallet.offer(&offer).await.grants.pre_authorized.code;
        let mut leaving = Box::pin(wallet.ask_token(&good, Some(offer.tx_code())));
        for _ in 0..polls {
            if tokio::time::timeout(std::time::Duration::ZERO, &mut leaving).await.is_ok() {
                break;
            }
        }
        drop(leaving);
        let next = wallet.token(&council.offer(Kind::Plain).await).await;
        assert_eq!(wallet.ask_plain(&next, &wallet.nonce().await).await.status, 200);
    }
}
