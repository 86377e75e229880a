//! Systems of services that call the API with tokens, over the small world of the stories.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(dead_code, reason = "each story uses a part")]

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::form;
use vouchsafe_protocol::jose::jws::{NewHeader, Unsigned};
use vouchsafe_protocol::jose::{NamedJwk, Signer as _};
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::entropy::{OsEntropy, id16};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::clients::assertion::{TYP, TYPE};
use vouchsafe_verifier::config::{ClientSettings, Config};
use vouchsafe_verifier::http::router;

use crate::world::{ORIGIN, World, json_of};

pub(crate) const SYSTEM: &str = "https://systems.larkfield.example/passes";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A system with its key.
pub(crate) struct System {
    pub(crate) id: String,
    pub(crate) kid: String,
    pub(crate) key: SigningKey,
}

impl System {
    pub(crate) fn new(id: &str) -> Self {
        let key = SigningKey::generate().unwrap();
        Self { id: id.to_owned(), kid: b64u(key.public().thumbprint()), key }
    }

    pub(crate) fn jwk(&self) -> Value {
        let kid = Some(self.kid.clone());
        NamedJwk { key: self.key.public().clone(), kid, usage: None, alg: None }.to_value()
    }

    /// Its settings, with its key set written into the world's folder.
    pub(crate) fn settings(&self, world: &World, scopes: Option<&[&str]>) -> ClientSettings {
        let file = world.folder.path().join(format!("{}.jwks.json", self.kid));
        std::fs::write(&file, json!({"keys": [self.jwk()]}).to_string()).unwrap();
        let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        ClientSettings { id: self.id.clone(), keys: file, scopes, dpop: false }
    }

    /// The claims of a fresh assertion.
    pub(crate) fn claims(&self, world: &World) -> Value {
        let now = world.clock.now();
        json!({
            "iss": self.id, "sub": self.id, "aud": ORIGIN, "iat": now.0, "exp": now.0 + 60,
            "jti": id16(&OsEntropy::new()),
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(TYP, &self.kid, claims)
    }

    pub(crate) fn sign_as(&self, typ: &str, kid: &str, claims: &Value) -> String {
        let header = NewHeader::new(self.key.alg(), typ).kid(kid).encode();
        let unsigned = Unsigned::new(&header, claims).unwrap();
        let signature = self.key.sign_now(unsigned.signing_input()).unwrap();
        unsigned.finish(&signature)
    }

    /// Asks for a token with these claims.
    pub(crate) async fn ask(&self, world: &World, claims: &Value, more: &[(&str, &str)]) -> Response<Body> {
        send_assertion(world, &self.sign(claims), more).await
    }

    /// A token.
    pub(crate) async fn token(&self, world: &World) -> String {
        let response = self.ask(world, &self.claims(world), &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        json_of(response).await["access_token"].as_str().unwrap().to_owned()
    }
}

/// Posts an assertion to the token endpoint; a member of `more` replaces one of the usual ones.
pub(crate) async fn send_assertion(world: &World, assertion: &str, more: &[(&str, &str)]) -> Response<Body> {
    let usual = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    let kept = usual.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let members: Vec<_> = kept.chain(more.iter().copied()).collect();
    world.post_form("/oauth/token", form::write(&members)).await
}

/// The same installation with other settings.
pub(crate) async fn changed(world: World, change: impl FnOnce(&mut Config)) -> World {
    let app = reopened(&world, change).await.unwrap();
    let config = app.config().clone();
    World { router: router(app.clone()), app, config, ..world }
}

pub(crate) async fn reopened(world: &World, change: impl FnOnce(&mut Config)) -> Result<Arc<App>, OpenError> {
    world.reopen(change).await
}

/// A world whose first service, the buses, has a system beside its test key.
pub(crate) async fn with_system() -> (World, System) {
    let (world, system) = (World::new().await, System::new(SYSTEM));
    let settings = system.settings(&world, None);
    (changed(world, |config| config.services[0].clients = vec![settings]).await, system)
}

/// A world where the buses are live, called by a system, and the pool is a test service that may ask too.
pub(crate) async fn live_and_test() -> (World, System) {
    let (world, system) = (World::new().await, System::new(SYSTEM));
    // Larkfield Buses come first in the sources, then the pool, then the issuer.
    let live = world.sources.replacen("env = \"test\"", "env = \"live\"", 1);
    let live = live.replace("purposes = []", "purposes = [\"pass\"]");
    world.sign(&live).await;
    let settings = system.settings(&world, None);
    let world = changed(world, |config| {
        config.services[0].env = vouchsafe_protocol::text::Env::Live;
        config.services[0].test_key_hash = None;
        config.services[0].clients = vec![settings];
    });
    (world.await, system)
}

/// Calls the API.
pub(crate) async fn call(
    world: &World,
    method: Method,
    path: &str,
    token: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

pub(crate) async fn get(world: &World, path: &str, token: &str) -> Response<Body> {
    call(world, Method::GET, path, Some(token), &[], "").await
}

pub(crate) async fn post(
    world: &World,
    token: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Response<Body> {
    let headers: Vec<_> =
        [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
    call(world, Method::POST, "/v1/requests", Some(token), &headers, &body.to_string()).await
}

/// The question that every story here asks.
pub(crate) fn counter() -> Value {
    json!({"policy": "counter", "flow": "cross_device", "reference": "file 17"})
}

/// Status and code of a refusal.
pub(crate) async fn refusal(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = json_of(response).await;
    let code = body["code"].as_str().or_else(|| body["error"].as_str()).unwrap_or_default().to_owned();
    (status, code)
}

/// Asks it, and gives what the API said.
pub(crate) async fn opened(world: &World, token: &str) -> Value {
    json_of(post(world, token, &[], &counter()).await).await
}
