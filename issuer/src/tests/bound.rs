//! Tokens that are bound to a key, identifiers, batches that are put off, and what wallets tell of them.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use vouchsafe_protocol::dpop::{self, Call};
use vouchsafe_protocol::form;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::sign;
use vouchsafe_protocol::openid4vci::PRE_AUTHORIZED_GRANT;
use vouchsafe_protocol::openid4vci::credential::Request as Ask;
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::SigningKey;

use super::council::{Council, ISSUER, Reply, credential_type};
use super::wallet::{FORM, JSON, JWT, Wallet};
use crate::config::AccessSettings;
use crate::deferral;
use crate::offer::Offer;
use crate::store::{Issuing as _, Verdict};
use crate::types::identifier;
use crate::{Kind, offer};

/// A wallet that binds its token.
pub(super) struct Bound<'a> {
    pub(super) wallet: Wallet<'a>,
    pub(super) key: SigningKey,
}

impl<'a> Bound<'a> {
    pub(super) fn new(council: &'a Council, copies: usize) -> Self {
        Self { wallet: Wallet::new(council, copies), key: SigningKey::generate().unwrap() }
    }

    /// The nonce that every answer of these endpoints carries.
    pub(super) async fn proof_nonce(&self) -> String {
        let reply = self.wallet.post("/nonce", JSON, Body::empty()).await;
        reply.headers["dpop-nonce"].to_str().unwrap().to_owned()
    }

    pub(super) async fn proof(&self, path: &str, token: Option<&str>, nonce: Option<&str>) -> String {
        let url = format!("{ISSUER}{path}");
        let call = Call { method: "POST", url: &url, token, now: self.wallet.council.app.now() };
        let unsigned = dpop::unsigned(self.key.public(), &call, &id16(&OsEntropy::new()), nonce);
        sign(unsigned, &self.key).await.unwrap()
    }

    /// Sends a call with these proofs and, where there is one, this authorisation.
    pub(super) async fn send(
        &self,
        path: &str,
        media: &str,
        authorization: Option<String>,
        proofs: &[String],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, media);
        for proof in proofs {
            request = request.header("DPoP", proof);
        }
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.wallet.council.call(request.body(body.into()).unwrap()).await
    }

    /// An honest call with a token.
    pub(super) async fn call(&self, path: &str, media: &str, token: &str, body: impl Into<Body>) -> Reply {
        let nonce = self.proof_nonce().await;
        let proof = self.proof(path, Some(token), Some(&nonce)).await;
        self.send(path, media, Some(format!("DPoP {token}")), &[proof], body).await
    }

    /// An honest token request with further members.
    pub(super) async fn token_with(&self, offer: &Offer, more: &[(&str, &str)]) -> Reply {
        let code = self.wallet.offer(offer).await.grants.pre_authorized.code;
        let grant = [
            ("grant_type", PRE_AUTHORIZED_GRANT),
            ("pre-authorized_code", code.as_str()),
            ("tx_code", offer.tx_code()),
        ];
        let body = form::write(&[&grant, more].concat());
        let nonce = self.proof_nonce().await;
        let proof = self.proof("/token", None, Some(&nonce)).await;
        self.send("/token", FORM, None, &[proof], body).await
    }

    pub(super) async fn token(&self, offer: &Offer) -> String {
        let reply = self.token_with(offer, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["token_type"], "DPoP");
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn plain_request(&self) -> Vec<u8> {
        let proofs = self.wallet.proofs_at(&self.wallet.nonce().await, self.wallet.council.app.now()).await;
        Ask::new("residency", proofs, None).to_bytes()
    }
}

fn challenge(reply: &Reply) -> String {
    let all = reply.headers.get_all(header::WWW_AUTHENTICATE).iter();
    all.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn a_bound_token_is_good_with_its_key_alone() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 2);
    let offer = council.offer(Kind::Plain).await;
    // The first proof lacks the nonce, the answer brings it, and nothing was used up.
    let code = bound.wallet.offer(&offer).await.grants.pre_authorized.code;
    let form = || Wallet::token_form(&code, Some(offer.tx_code()));
    let bare = bound.proof("/token", None, None).await;
    let asked = bound.send("/token", FORM, None, &[bare], form()).await;
    assert_eq!(asked.refused(), (400, "use_dpop_nonce".to_owned()));
    let nonce = asked.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let proof = bound.proof("/token", None, Some(&nonce)).await;
    let reply = bound.send("/token", FORM, None, &[proof], form()).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["token_type"]), (200, &json!("DPoP")));
    assert!(reply.headers.contains_key("dpop-nonce"));
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();

    let alone = bound.wallet.ask(&token, JSON, bound.plain_request().await).await;
    assert_eq!(alone.refused(), (401, "invalid_token".to_owned()));
    assert_eq!(challenge(&alone), r#"Bearer error="invalid_token""#);
    let thief = Bound { key: SigningKey::generate().unwrap(), wallet: Wallet::new(&council, 1) };
    let stolen = thief.call("/credential", JSON, &token, thief.plain_request().await).await;
    assert_eq!(stolen.refused(), (401, "invalid_token".to_owned()));
    let stale = bound.proof("/credential", Some(&token), None).await;
    let authorization = Some(format!("DPoP {token}"));
    let asked =
        bound.send("/credential", JSON, authorization.clone(), &[stale], bound.plain_request().await).await;
    assert_eq!(asked.refused(), (401, "use_dpop_nonce".to_owned()));
    assert_eq!(challenge(&asked), r#"DPoP error="use_dpop_nonce", algs="ES256""#);
    assert!(asked.headers.contains_key("dpop-nonce"));

    let nonce = bound.proof_nonce().await;
    let proof = bound.proof("/credential", Some(&token), Some(&nonce)).await;
    let once = [proof];
    let unread = bound.send("/credential", JSON, authorization.clone(), &once, "{").await;
    assert_eq!(unread.refused(), (400, "invalid_credential_request".to_owned()));
    let replayed = bound.send("/credential", JSON, authorization, &once, bound.plain_request().await).await;
    assert_eq!(replayed.refused(), (401, "invalid_dpop_proof".to_owned()));
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    assert_eq!(bound.wallet.open(&reply).len(), 2);
}

#[tokio::test]
async fn who_sends_no_token_learns_how() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    for path in ["/credential", "/deferred", "/notification"] {
        let reply = bound.send(path, JSON, None, &[], "{}").await;
        assert_eq!(reply.refused().0, 401);
        assert_eq!(challenge(&reply), r#"Bearer | DPoP algs="ES256""#);
        let query = format!("{path}?access_token=x");
        assert_eq!(bound.send(&query, JSON, None, &[], "{}").await.refused().0, 400);
    }
}

#[tokio::test]
async fn bearer_tokens_are_a_matter_of_settings() {
    let council = Council::settled(AccessSettings { bearer: false, ..AccessSettings::default() }).await;
    let bound = Bound::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = bound.wallet.offer(&offer).await.grants.pre_authorized.code;
    let reply = bound.wallet.ask_token(&code, Some(offer.tx_code())).await;
    assert_eq!(reply.refused(), (400, "invalid_dpop_proof".to_owned()));
    bound.token(&offer).await;
}

#[tokio::test]
async fn encryption_can_be_required_of_all() {
    let settings = AccessSettings { encryption_required: true, ..AccessSettings::default() };
    let council = Council::settled(settings).await;
    let wallet = Wallet::new(&council, 1);
    let metadata = wallet.metadata().await;
    assert!(metadata.credential_request_encryption.unwrap().encryption_required);
    assert!(metadata.credential_response_encryption.unwrap().encryption_required);
    let token = wallet.token(&council.offer(Kind::Plain).await).await;
    let nonce = wallet.nonce().await;
    let refused = (400, "invalid_encryption_parameters".to_owned());
    assert_eq!(wallet.ask_plain(&token, &nonce).await.refused(), refused);
    let bare = Ask::new("residency", wallet.proofs(&nonce).await, None).to_bytes();
    assert_eq!(wallet.ask(&token, JWT, wallet.sealed(&bare).await).await.refused(), refused);
    let sealed = wallet.sealed(&wallet.wish("residency", wallet.proofs(&nonce).await)).await;
    assert_eq!(wallet.open(&wallet.ask(&token, JWT, sealed).await).len(), 1);
}

fn details(configuration: &str) -> String {
    json!([{"type": "openid_credential", "credential_configuration_id": configuration}]).to_string()
}

#[tokio::test]
async fn details_get_an_identifier_and_requests_name_it() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    for other in ["residency-zk", "unknown"] {
        let reply = bound.token_with(&offer, &[("authorization_details", &details(other))]).await;
        assert_eq!(reply.refused(), (400, "invalid_authorization_details".to_owned()), "{other}");
    }
    let reply = bound.token_with(&offer, &[("authorization_details", &details("residency"))]).await;
    let given = &reply.json()["authorization_details"][0];
    assert_eq!(given["credential_configuration_id"], "residency");
    let identifier = given["credential_identifiers"][0].as_str().unwrap();
    assert_eq!(identifier, self::identifier(&credential_type(), Kind::Plain));
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let by = async |member: &str, id: &str| {
        let proofs = bound.wallet.proofs(&bound.wallet.nonce().await).await;
        let body = json!({member: id, "proofs": {"jwt": proofs}}).to_string();
        bound.call("/credential", JSON, &token, body).await
    };
    let refused = |code: &str| (400, code.to_owned());
    let by_configuration = by("credential_configuration_id", "residency").await;
    assert_eq!(by_configuration.refused(), refused("invalid_credential_request"));
    let unknown = by("credential_identifier", "other").await;
    assert_eq!(unknown.refused(), refused("unknown_credential_identifier"));
    assert_eq!(by("credential_identifier", identifier).await.status, 200);
}

#[tokio::test]
async fn scopes_are_those_of_the_offer() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let more = bound.token_with(&offer, &[("scope", "residency residency-zk")]).await;
    assert_eq!(more.refused(), (400, "invalid_scope".to_owned()));
    let reply = bound.token_with(&offer, &[("scope", "residency profile")]).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scope"]), (200, &json!("residency")));
    assert_eq!(reply.json().get("authorization_details"), None);
}

/// A council whose officer decides on each request, a wallet and its token.
async fn put_off(council: &Council, kind: Kind) -> (Bound<'_>, String) {
    let bound = Bound::new(council, 2);
    let token = bound.token(&council.offer(kind).await).await;
    (bound, token)
}

fn transaction(reply: &Reply) -> String {
    assert_eq!((reply.status.as_u16(), &reply.headers["cache-control"]), (202, &"no-store".parse().unwrap()));
    assert_eq!(reply.json()["interval"], 3600);
    reply.json()["transaction_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_batch_is_put_off_until_an_officer_approves() {
    let council = Council::deferring().await;
    let (bound, token) = put_off(&council, Kind::Plain).await;
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    let transaction = transaction(&reply);
    let body = json!({"transaction_id": transaction}).to_string();
    let again = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    assert_eq!(again.refused(), (401, "invalid_token".to_owned()));
    let waits = bound.call("/deferred", JSON, &token, body.clone()).await;
    assert_eq!((waits.status.as_u16(), &waits.json()["transaction_id"]), (202, &json!(transaction)));

    let waiting = deferral::waiting(&council.app, Some("LD-0042")).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].type_id.as_str(), waiting[0].kind), (1, "residency", Kind::Plain));
    assert_eq!(deferral::waiting(&council.app, Some("LD-0041")).await.unwrap(), []);
    deferral::decide(&council.app, &waiting[0].reference, Verdict::Approve).await.unwrap();
    assert_eq!(deferral::waiting(&council.app, None).await.unwrap(), []);
    assert!(deferral::decide(&council.app, &waiting[0].reference, Verdict::Refuse).await.is_err());

    // Another resident's token opens nothing of this one.
    let (other, others) = put_off(&council, Kind::Plain).await;
    let refused = (400, "invalid_transaction_id".to_owned());
    assert_eq!(other.call("/deferred", JSON, &others, body.clone()).await.refused(), refused);
    // Days later the same wallet collects, for the keys that it proved then.
    council.clock.advance(3 * 86_400);
    let reply = bound.call("/deferred", JSON, &token, body.clone()).await;
    let copies = bound.wallet.open(&reply);
    assert_eq!(bound.wallet.keep(copies, &credential_type().vct).len(), 2);
    assert!(reply.json()["notification_id"].is_string());
    assert_eq!(bound.call("/deferred", JSON, &token, body).await.refused(), refused);
}

#[tokio::test]
async fn a_batch_that_is_refused_or_too_late_is_not_issued() {
    let council = Council::deferring().await;
    let (bound, token) = put_off(&council, Kind::Plain).await;
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    let body = json!({"transaction_id": transaction(&reply)}).to_string();
    let waiting = deferral::waiting(&council.app, None).await.unwrap();
    deferral::decide(&council.app, &waiting[0].reference, Verdict::Refuse).await.unwrap();
    let refused = bound.call("/deferred", JSON, &token, body.clone()).await;
    assert_eq!(refused.refused(), (400, "credential_request_denied".to_owned()));
    let unknown = bound.call("/deferred", JSON, &token, r#"{"transaction_id":"x"}"#).await;
    assert_eq!(unknown.refused(), (400, "invalid_transaction_id".to_owned()));
    council.clock.advance(28 * 86_400);
    assert_eq!(
        bound.call("/deferred", JSON, &token, body).await.refused(),
        (401, "invalid_token".to_owned())
    );
}

#[tokio::test]
async fn proof_copies_are_put_off_encrypted() {
    let council = Council::deferring().await;
    let (bound, token) = put_off(&council, Kind::Proof).await;
    let wallet = &bound.wallet;
    let wish = wallet.wish("residency-zk", wallet.proofs(&wallet.nonce().await).await);
    let reply = bound.call("/credential", JWT, &token, wallet.sealed(&wish).await).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["content-type"]), (202, &JWT.parse().unwrap()));
    let transaction = wallet.transaction(&reply);
    let waiting = deferral::waiting(&council.app, None).await.unwrap();
    deferral::decide(&council.app, &waiting[0].reference, Verdict::Approve).await.unwrap();
    let plain =
        bound.call("/deferred", JSON, &token, json!({"transaction_id": transaction}).to_string()).await;
    assert_eq!(plain.refused(), (400, "invalid_encryption_parameters".to_owned()));
    let mut wish: Value = serde_json::from_slice(&wish).unwrap();
    wish["transaction_id"] = json!(transaction);
    let sealed = wallet.sealed(wish.to_string().as_bytes()).await;
    let reply = bound.call("/deferred", JWT, &token, sealed).await;
    assert_eq!(wallet.keep(wallet.open(&reply), &credential_type().proof_vct()).len(), 2);
}

#[tokio::test]
async fn a_type_that_is_put_off_wants_a_bound_token() {
    let council = Council::deferring().await;
    let bound = Bound::new(&council, 1);
    let offer = council.offer(Kind::Plain).await;
    let code = bound.wallet.offer(&offer).await.grants.pre_authorized.code;
    let reply = bound.wallet.ask_token(&code, Some(offer.tx_code())).await;
    assert_eq!(reply.refused(), (400, "invalid_dpop_proof".to_owned()));
    let reply = bound.token_with(&offer, &[]).await;
    assert_eq!(reply.json()["expires_in"], 28 * 86_400);
}

#[tokio::test]
async fn wallets_tell_what_became_of_a_batch() {
    let council = Council::enrolled().await;
    let bound = Bound::new(&council, 1);
    let token = bound.token(&council.offer(Kind::Plain).await).await;
    let reply = bound.call("/credential", JSON, &token, bound.plain_request().await).await;
    let id = reply.json()["notification_id"].as_str().unwrap().to_owned();
    let body = |id: &str, event: &str| json!({"notification_id": id, "event": event}).to_string();
    for _ in 0..2 {
        let told = bound.call("/notification", JSON, &token, body(&id, "credential_accepted")).await;
        assert_eq!((told.status.as_u16(), told.body.len()), (204, 0));
        assert_eq!(told.headers["cache-control"], "no-store");
    }
    assert_eq!(council.app.store().notified().await.unwrap(), [1, 0, 0]);
    let unknown = bound.call("/notification", JSON, &token, body("x", "credential_accepted")).await;
    assert_eq!(unknown.refused(), (400, "invalid_notification_id".to_owned()));
    let event = bound.call("/notification", JSON, &token, body(&id, "lost")).await;
    assert_eq!(event.refused(), (400, "invalid_notification_request".to_owned()));
    let other = Bound::new(&council, 1);
    let others = other.token(&council.offer_to("LD-0041", Kind::Plain, offer::Delivery::Link).await).await;
    let foreign = other.call("/notification", JSON, &others, body(&id, "credential_deleted")).await;
    assert_eq!(foreign.refused(), (400, "invalid_notification_id".to_owned()));
}
