//! One call, part by part, so that every part can be spoiled before the next covers it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::form;
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _, NamedJwk, Signer as _};
use vouchsafe_protocol::openid4vci::PRE_AUTHORIZED_GRANT;
use vouchsafe_protocol::openid4vci::credential::{Wish, seal};
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::entropy::{EntropyRng, OsEntropy, id16};
use vouchsafe_service::keys::{AgreementKey, RingAead, SigningKey};

use super::Case;
use super::linked::Linking;
use super::office::{Office, Reply};
use crate::forge::{public, sign};
use crate::openid4vp::edit;
use crate::world::ISS;

/// A key, shared by the calls of a case.
#[derive(Clone)]
pub(crate) struct Key(SigningKey);

impl Key {
    pub(super) fn new() -> Self {
        Self(SigningKey::generate().unwrap())
    }
}

/// A signed token before it is signed.
#[derive(Clone)]
struct Jwt {
    header: Value,
    claims: Value,
    signer: Key,
}

impl Jwt {
    fn sign(&self) -> String {
        sign(&self.header.to_string(), &self.claims.to_string(), &self.signer.0)
    }

    fn edit(&mut self, rest: &str) {
        match rest.strip_prefix("header ") {
            Some(rest) => edit(&mut self.header, rest),
            None => edit(&mut self.claims, rest),
        }
    }
}

/// A call before it is sent.
pub(super) struct Call {
    path: &'static str,
    query: String,
    scheme: String,
    pub(super) token: String,
    pub(super) key: Key,
    /// The proofs of the token's key; mostly one.
    pub(super) dpop: Vec<DpopProof>,
    pub(super) form: Vec<(String, String)>,
    body: Value,
    /// The proofs of copies' keys.
    jwts: Vec<Jwt>,
    /// What the copies are to be linked to.
    linking: Option<Linking>,
    /// To whom the body is sealed.
    to: Option<NamedJwk>,
    replay: bool,
}

pub(super) struct DpopProof(Jwt);

impl Call {
    async fn new(office: &Office, case: &Case, path: &'static str, body: Value) -> Self {
        let mut call = Self {
            path,
            query: String::new(),
            scheme: if case.stage == "bearer" { "Bearer" } else { "DPoP" }.to_owned(),
            token: case.token.clone(),
            key: case.key.clone(),
            dpop: Vec::new(),
            form: Vec::new(),
            body,
            jwts: Vec::new(),
            linking: None,
            to: None,
            replay: false,
        };
        if case.stage != "bearer" || path == "/token" {
            call.bind(office).await;
        }
        call
    }

    pub(super) async fn token(office: &Office, case: &Case) -> Self {
        let mut call = Self::new(office, case, "/token", Value::Null).await;
        let member = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        call.form = vec![
            member("grant_type", PRE_AUTHORIZED_GRANT),
            member("pre-authorized_code", &case.code),
            member("tx_code", case.offer.tx_code()),
        ];
        call
    }

    pub(super) async fn credential(office: &Office, case: &Case) -> Self {
        let asked = match case.stage.as_str() {
            "identified" => json!({"credential_identifier": "residency.facts"}),
            "sealed" => json!({"credential_configuration_id": "residency-zk"}),
            "linked" => json!({"credential_configuration_id": "pass-zk"}),
            "deferred" => json!({"credential_configuration_id": "parking"}),
            _ => json!({"credential_configuration_id": "residency"}),
        };
        let mut call = Self::new(office, case, "/credential", asked).await;
        let (nonce, _) = office.nonces().await;
        call.jwts = (0..2).map(|_| proof_of_copy(office, &nonce)).collect();
        if case.stage == "linked" {
            call.linking = Some(Linking::new(&nonce, case.secret, case.lost));
            call.link();
        }
        if matches!(case.stage.as_str(), "sealed" | "linked") {
            let encryption = office.metadata().await.credential_request_encryption.unwrap();
            call.to = Some(encryption.choose().unwrap().0);
            call.body["credential_response_encryption"] = wish();
        }
        call
    }

    pub(super) async fn deferred(office: &Office, case: &Case) -> Self {
        Self::new(office, case, "/deferred", json!({"transaction_id": case.id})).await
    }

    pub(super) async fn notification(office: &Office, case: &Case) -> Self {
        let body = json!({"notification_id": case.id, "event": "credential_accepted"});
        Self::new(office, case, "/notification", body).await
    }

    /// Puts an honest proof of the token's key in.
    pub(super) async fn bind(&mut self, office: &Office) {
        let (_, nonce) = office.nonces().await;
        let mut claims = json!({
            "jti": id16(&OsEntropy::new()), "htm": "POST", "htu": format!("{ISS}{}", self.path),
            "iat": office.clock.now().0, "nonce": nonce,
        });
        if !self.token.is_empty() {
            claims["ath"] = json!(b64u(sha256(&self.token)));
        }
        let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": public(&self.key.0)});
        self.dpop = vec![DpopProof(Jwt { header, claims, signer: self.key.clone() })];
    }

    pub(super) async fn edit(&mut self, office: &Office, verb: &str, rest: &str) {
        match verb {
            "dpop" => self.edit_dpop(office, rest).await,
            "jwt" => self.edit_jwt(office, rest).await,
            "link" => {
                self.linking.as_mut().unwrap().edit(rest);
                self.link();
            }
            "form" => self.edit_form(rest),
            "body" if rest == "wish" => self.body["credential_response_encryption"] = wish(),
            "body" => edit(&mut self.body, rest),
            "scheme" => rest.clone_into(&mut self.scheme),
            "query" => rest.clone_into(&mut self.query),
            "kid" => self.to.as_mut().unwrap().kid = Some(rest.to_owned()),
            "" => {}
            _ => panic!("no such command: {verb} {rest}"),
        }
    }

    async fn edit_dpop(&mut self, office: &Office, rest: &str) {
        match rest {
            "none" => self.dpop.clear(),
            "twice" => self.dpop.push(DpopProof(self.dpop[0].0.clone())),
            "key" => {
                self.key = Key::new();
                self.bind(office).await;
            }
            "signer" => self.dpop[0].0.signer = Key::new(),
            "nonce-of-copies" => self.dpop[0].0.claims["nonce"] = json!(office.nonces().await.0),
            "replay" => self.replay = true,
            rest => self.dpop[0].0.edit(rest),
        }
    }

    /// Puts the commitments and the proof about them in.
    fn link(&mut self) {
        let linking = self.linking.as_ref().unwrap();
        let keys: Vec<_> = self.jwts.iter().map(|jwt| jwt.signer.0.public().thumbprint()).collect();
        let (links, proof) = linking.made(&keys);
        for (jwt, link) in self.jwts.iter_mut().zip(links) {
            jwt.claims["link"] = json!(link);
        }
        self.body["link_proof"] = json!(proof);
    }

    async fn edit_jwt(&mut self, office: &Office, rest: &str) {
        match rest {
            "signer" => self.jwts[0].signer = Key::new(),
            "same" => self.jwts[1] = self.jwts[0].clone(),
            "nonce-of-tokens" => {
                let nonce = office.nonces().await.1;
                self.jwts.iter_mut().for_each(|jwt| jwt.claims["nonce"] = json!(nonce));
            }
            rest => self.jwts[0].edit(rest),
        }
    }

    fn edit_form(&mut self, rest: &str) {
        match rest.strip_prefix('-') {
            Some(name) => self.form.retain(|(member, _)| member != name),
            None => {
                let (name, value) = rest.split_once(' ').unwrap();
                if let Some(member) = self.form.iter_mut().find(|(member, _)| member == name) {
                    value.clone_into(&mut member.1);
                } else {
                    self.form.push((name.to_owned(), value.to_owned()));
                }
            }
        }
    }

    pub(super) async fn send(&self, office: &Office) -> Reply {
        if self.replay {
            // The same proof with a body that leads to nothing.
            let nothing = match self.path {
                "/token" => self.text().replace("tx_code=", "tx_code=x"),
                _ => "{".to_owned(),
            };
            office.send(self.request(self.media(), nothing)).await;
        }
        let body = self.text();
        office.send(self.request(self.media(), body)).await
    }

    fn media(&self) -> &'static str {
        match (self.path, &self.to) {
            ("/token", _) => "application/x-www-form-urlencoded",
            (_, Some(_)) => "application/jwt",
            _ => "application/json",
        }
    }

    fn text(&self) -> String {
        if self.path == "/token" {
            let members: Vec<_> = self.form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            return form::write(&members);
        }
        let mut body = self.body.clone();
        if !self.jwts.is_empty() {
            let proofs = body.as_object_mut().unwrap().entry("proofs").or_insert_with(|| json!({}));
            proofs["jwt"] = self.jwts.iter().map(Jwt::sign).collect();
        }
        let Some(to) = &self.to else { return body.to_string() };
        let ephemeral = Box::new(AgreementKey::generate(&OsEntropy::new()));
        let rng = &mut EntropyRng(&OsEntropy::new());
        seal(body.to_string().as_bytes(), to, Enc::A256Gcm, ephemeral, &RingAead, rng).unwrap()
    }

    fn request(&self, media: &str, body: String) -> Request<Body> {
        let uri = if self.query.is_empty() {
            self.path.to_owned()
        } else {
            format!("{}?{}", self.path, self.query)
        };
        let mut request = Request::post(uri).header("content-type", media);
        for proof in &self.dpop {
            request = request.header("dpop", proof.0.sign());
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("{} {}", self.scheme, self.token));
        }
        request.body(Body::from(body)).unwrap()
    }
}

fn proof_of_copy(office: &Office, nonce: &str) -> Jwt {
    let signer = Key::new();
    let header = json!({"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": public(&signer.0)});
    let claims = json!({"aud": ISS, "iat": office.clock.now().0, "nonce": nonce});
    Jwt { header, claims, signer }
}

/// A wish for an encrypted answer to a fresh key.
fn wish() -> Value {
    let key = AgreementKey::generate(&OsEntropy::new());
    serde_json::to_value(Wish::of(key.public(), "w1", Enc::A256Gcm)).unwrap()
}
