//! A wallet that does what it is told, right or wrong.

use axum::body::Body;
use axum::http::{Request, header};
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_protocol::jose::jws::sign;
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _, PublicJwk, Signer as _};
use vouchsafe_protocol::openid4vci::batch::{self, Expected, Received};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Request as Ask, seal};
use vouchsafe_protocol::openid4vci::metadata::IssuerMetadata;
use vouchsafe_protocol::openid4vci::offer::Offer as WireOffer;
use vouchsafe_protocol::openid4vci::proof;
use vouchsafe_protocol::openid4vci::token::TokenRequest;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::is_proof;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};

use super::council::{Council, ISSUER, NOW, Reply};
use crate::offer::Offer;

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";
pub(super) const JWT: &str = "application/jwt";

pub(super) struct Wallet<'a> {
    pub(super) council: &'a Council,
    pub(super) keys: Vec<SigningKey>,
    response_key: AgreementKey,
}

impl<'a> Wallet<'a> {
    pub(super) fn new(council: &'a Council, copies: usize) -> Self {
        let keys = (0..copies).map(|_| SigningKey::generate().unwrap()).collect();
        Self { council, keys, response_key: AgreementKey::generate(&OsEntropy::new()) }
    }

    pub(super) fn public_keys(&self) -> Vec<PublicJwk> {
        self.keys.iter().map(|key| key.public().clone()).collect()
    }

    pub(super) async fn post(&self, path: &str, media: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post(path).header(header::CONTENT_TYPE, media).body(body.into()).unwrap();
        self.council.call(request).await
    }

    /// Fetches the offer as a wallet does that scanned the link.
    pub(super) async fn offer(&self, offer: &Offer) -> WireOffer {
        let reply = self.council.get(offer.address().strip_prefix(ISSUER).unwrap()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["cache-control"]),
            (200, &"no-store".parse().unwrap())
        );
        WireOffer::parse(&reply.body).unwrap()
    }

    pub(super) async fn ask_token(&self, code: &str, tx_code: Option<&str>) -> Reply {
        self.post("/token", FORM, Self::token_form(code, tx_code)).await
    }

    pub(super) fn token_form(code: &str, tx_code: Option<&str>) -> String {
        TokenRequest::pre_authorized(code, tx_code).write()
    }

    pub(super) async fn token(&self, offer: &Offer) -> String {
        let code = self.offer(offer).await.grants.pre_authorized.code;
        let reply = self.ask_token(&code, Some(offer.tx_code())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn nonce(&self) -> String {
        let reply = self.post("/nonce", JSON, Body::empty()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["cache-control"]),
            (200, &"no-store".parse().unwrap())
        );
        reply.json()["c_nonce"].as_str().unwrap().to_owned()
    }

    pub(super) async fn proofs(&self, nonce: &str) -> Vec<String> {
        self.proofs_at(nonce, NOW).await
    }

    pub(super) async fn proofs_at(&self, nonce: &str, at: UnixTime) -> Vec<String> {
        let mut proofs = Vec::new();
        for key in &self.keys {
            proofs.push(sign(proof::unsigned(key.public(), ISSUER, nonce, at), key).await.unwrap());
        }
        proofs
    }

    pub(super) async fn metadata(&self) -> IssuerMetadata {
        let reply = self.council.get("/.well-known/openid-credential-issuer").await;
        IssuerMetadata::parse(&reply.body, ISSUER).unwrap()
    }

    /// The request that asks for an encrypted answer.
    pub(super) fn wish(&self, configuration: &str, proofs: Vec<String>) -> Vec<u8> {
        Ask::new(configuration, proofs, Some((self.response_key.public(), "w1", Enc::A256Gcm))).to_bytes()
    }

    /// Encrypts a request to the issuer.
    pub(super) async fn sealed(&self, request: &[u8]) -> String {
        let (key, enc) = self.metadata().await.credential_request_encryption.unwrap().choose().unwrap();
        let ephemeral = Box::new(AgreementKey::generate(&OsEntropy::new()));
        seal(request, &key, enc, ephemeral, &RingAead, &mut EntropyRng(&OsEntropy::new())).unwrap()
    }

    pub(super) async fn ask(&self, token: &str, media: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post("/credential")
            .header(header::CONTENT_TYPE, media)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(body.into())
            .unwrap();
        self.council.call(request).await
    }

    /// An honest request for proof copies.
    pub(super) async fn ask_encrypted(&self, token: &str, nonce: &str) -> Reply {
        let request = self.wish("residency-zk", self.proofs(nonce).await);
        let sealed = self.sealed(&request).await;
        self.ask(token, JWT, sealed).await
    }

    /// An honest request for plain copies.
    pub(super) async fn ask_plain(&self, token: &str, nonce: &str) -> Reply {
        let request = Ask::new("residency", self.proofs(nonce).await, None).to_bytes();
        self.ask(token, JSON, request).await
    }

    pub(super) fn open(&self, reply: &Reply) -> Vec<Copy> {
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.headers["cache-control"], "no-store");
        if reply.headers["content-type"] == JSON {
            return credential::read_response(&reply.body).unwrap().copies().unwrap();
        }
        assert_eq!(reply.headers["content-type"], JWT);
        let text = reply.text();
        let response = credential::open_response(&text, "w1", Enc::A256Gcm, &self.response_key, &RingAead);
        response.unwrap().copies().unwrap()
    }

    /// The transaction of an encrypted answer.
    pub(super) fn transaction(&self, reply: &Reply) -> String {
        let text = reply.text();
        let response = credential::open_response(&text, "w1", Enc::A256Gcm, &self.response_key, &RingAead);
        match response.unwrap() {
            credential::Response::Deferred(transaction) => transaction.transaction_id,
            credential::Response::Issued { .. } => panic!("issued at once"),
        }
    }

    /// Every check that a wallet makes of a batch.
    pub(super) fn keep(&self, copies: Vec<Copy>, vct: &str) -> Vec<Received> {
        self.keep_linked(copies, vct, None)
    }

    /// The same of copies that are linked so.
    pub(super) fn keep_linked(
        &self,
        copies: Vec<Copy>,
        vct: &str,
        links: Option<&[Commitment]>,
    ) -> Vec<Received> {
        assert_eq!(copies.iter().all(|copy| copy.openings.is_some()), is_proof(vct));
        let expected = Expected {
            issuer: &self.council.entry(),
            anchors: &[self.council.anchor()],
            vct,
            keys: &self.public_keys(),
            lists: self.council.app.lists(),
            period: self.council.app.types().iter().find(|one| one.has_vct(vct)).and_then(|one| one.period),
            links,
            now: self.council.app.now(),
        };
        batch::receive(copies, &expected, &Jws).unwrap()
    }
}
