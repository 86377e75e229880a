//! One installation of the verifier in this process: its real routes, a real database, a clock that is set by hand.

pub(crate) mod files;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tower::ServiceExt as _;
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vp::link::{Link, fetch_form};
use vouchsafe_protocol::openid4vp::request::{Expected, Unverified, Verified};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Registrar, TrustFile};
use vouchsafe_service::clock::{Clock, ManualClock};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{Jws, SigningKey, install};
use vouchsafe_service::store::{Database, Schema};
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::status::Fetch;
use vouchsafe_verifier::store;
use vouchsafe_verifier::trust::{Sources, sign};

use crate::reasons;
use crate::runner::Seen;

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: UnixTime = UnixTime(1_795_262_400);
pub(crate) const ORIGIN: &str = "https://ask.larkfield.example";
pub(crate) const BUSES: &str = "https://buses.larkfield.example";
/// The issuer that every policy accepts.
pub(crate) const ISS: &str = "https://issuer.larkfield.example";
/// In the register, and in no policy.
pub(crate) const STRANGER: &str = "https://other.larkfield.example";
/// In the register as live, and in the policy `plain`.
pub(crate) const LIVE: &str = "https://live.larkfield.example";
/// In the register for another type, and in the policy `untyped`.
pub(crate) const UNTYPED: &str = "https://untyped.larkfield.example";
pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1";
pub(crate) const VCT_PROOF: &str = "https://larkfield.example/types/residency/1/zk";
pub(crate) const WARDS: &str = "https://larkfield.example/lists/county-wards/1";
pub(crate) const BUS_KEY: &str = "test_buses";

/// What a wallet sends as its own nonce when it fetches a request.
pub(crate) const WALLET_NONCE: &str = "0123456789abcdefghijklmn";

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) trust: TrustFile,
    pub(crate) ca: DevCa,
    /// Trusted as well, and not for [`ISS`].
    pub(crate) other_ca: DevCa,
    /// The key and certificate by which requests are signed.
    pub(crate) request: Leaf,
    pub(crate) registrar: SigningKey,
    pub(crate) router: Router,
    /// Deleted with the world.
    folder: tempfile::TempDir,
    config: Config,
    /// A switched-off check is off in the whole process: there is one world at a time.
    _alone: MutexGuard<'static, ()>,
}

/// A request that was opened, as its service and as a wallet sees it.
pub(crate) struct Opened {
    /// What the API said: id, url, `qr_text`, code.
    pub(crate) api: Value,
    /// What the wallet verified.
    pub(crate) request: Verified,
}

impl Opened {
    /// The path that answers are posted to.
    pub(crate) fn answer_path(&self) -> &str {
        path_of(self.request.response_uri())
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.request.asked().party().nonce
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.request.asked().party().client_id
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(false).await
    }

    /// With the town or without it.
    async fn of(town: bool) -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        install();
        reasons::listen();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOON));
        let ca = DevCa::generate("Larkfield test", NOON).unwrap();
        let other_ca = DevCa::generate("Another test", NOON).unwrap();
        let request = ca.signer(BUSES, SigningKey::generate().unwrap(), NOON).unwrap();
        let registrar = SigningKey::generate().unwrap();
        let client_id = format!("x509_hash:{}", b64u(sha256(&request.certificate)));
        let sources = files::sources(&client_id, ca.certificate(), other_ca.certificate(), town);
        let sources = Sources::parse(sources.iter().map(String::as_str)).unwrap();
        let signed = sign(&sources, &registrar, None, NOON).await.unwrap();
        let pinned = Registrar {
            iss: sources.iss.clone(),
            keys: vec![(b64u(registrar.public().thumbprint()), registrar.public().clone())],
        };
        let anchors = [&ca, &other_ca].map(|ca| Anchor::from_der(ca.certificate().to_vec()).unwrap());
        let trust = TrustFile { registrar: pinned, anchors: anchors.into() };
        let config = files::write(folder.path(), &request, &signed.jws, &trust, town);
        // The loader refuses the policy `untyped`; here it slipped through, as when the register changed after it.
        let opening = App::open(config.clone(), clock.clone(), Arc::new(OsEntropy::new()), Schema::Migrate);
        let app = without_async("trust-policy-issuer", opening).await.unwrap();
        let router = router(app.clone());
        Self { app, clock, trust, ca, other_ca, request, registrar, router, folder, config, _alone: alone }
    }

    /// The same, where two more policies ask for a permission.
    pub(crate) async fn permitting() -> Self {
        let world = Self::new().await;
        let (client_id, ca, other) = (world.app.client_id(), &world.ca, &world.other_ca);
        let mut texts = files::sources(client_id, ca.certificate(), other.certificate(), false);
        texts[0] = texts[0].replace("reg_version = 3", "reg_version = 4") + files::PERMISSIONS;
        let sources = Sources::parse(texts.iter().map(String::as_str)).unwrap();
        let signed = sign(&sources, &world.registrar, None, NOON).await.unwrap();
        files::permitting(world.folder.path(), &signed.jws);
        without_async("trust-policy-issuer", world.app.reload()).await.unwrap();
        world
    }

    /// The same, of a type with status, whose lists come from the host that `host` makes; nobody is kept waiting too
    /// long for a worker.
    pub(crate) async fn listed(host: impl FnOnce(&DevCa) -> Arc<dyn Fetch>) -> Self {
        let world = Self::new().await;
        let file = world.folder.path().join("types/residency.toml");
        let described = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, described.replace("ttl_days = 30", "ttl_days = 30\nstatus = true")).unwrap();
        world.with_lists(host).await
    }

    /// The same with the [`town`](crate::town) in it.
    pub(crate) async fn town(host: impl FnOnce(&DevCa) -> Arc<dyn Fetch>) -> Self {
        Self::of(true).await.with_lists(host).await
    }

    async fn with_lists(mut self, host: impl FnOnce(&DevCa) -> Arc<dyn Fetch>) -> Self {
        self.config.limits.worker_wait_ms = 600_000;
        let clock: Arc<dyn Clock> = self.clock.clone();
        self.app.close().await;
        let database = Database::open(&self.config.database, store::MIGRATORS, Schema::Expect, &clock);
        let store = store::over(&database.await.unwrap());
        let (config, entropy) = (self.config.clone(), Arc::new(OsEntropy::new()));
        let opening = App::open_with(config, clock, entropy, store, Some(host(&self.ca)));
        let app = without_async("trust-policy-issuer", opening).await.unwrap();
        Self { router: router(app.clone()), app, ..self }
    }

    /// Another process over the same database, with these settings.
    pub(crate) async fn replica(&self, config: Config) -> Result<Arc<App>, OpenError> {
        // The one that the loader refuses: here nothing slips through.
        for file in ["policies/untyped.toml", "policies/untyped.cases.toml"] {
            let _ = std::fs::remove_file(self.folder.path().join(file));
        }
        App::open(config, self.clock.clone(), Arc::new(OsEntropy::new()), Schema::Expect).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_form(&self, path: &str, body: String) -> Response<Body> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, key: &str, body: &Value) -> Response<Body> {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Opens a request by `policy` and fetches it as a wallet does.
    pub(crate) async fn ask(&self, policy: &str) -> Opened {
        let flow = if policy == "return" { "same_device" } else { "cross_device" };
        let response =
            self.post_json("/v1/requests", BUS_KEY, &json!({"policy": policy, "flow": flow})).await;
        let status = response.status();
        let api = json_of(response).await;
        assert_eq!(status, StatusCode::CREATED, "{policy}: {api}");
        let text = self.object(api["qr_text"].as_str().unwrap()).await;
        let link = Link::parse(api["qr_text"].as_str().unwrap()).unwrap();
        let judge =
            Judge { registrar: &self.trust.registrar, last_seen: 0, now: self.clock.now(), verifier: &Jws };
        let expected = Expected {
            client_id: &link.client_id,
            wallet_nonce: Some(WALLET_NONCE),
            env: Env::Test,
            anchors: &self.trust.anchors,
            judge,
        };
        let request = Unverified::parse(&text).unwrap().verify(&expected).unwrap();
        Opened { api, request }
    }

    /// The signed request object that a link leads to.
    pub(crate) async fn object(&self, qr_text: &str) -> String {
        let link = Link::parse(qr_text).unwrap();
        let response = self.post_form(path_of(&link.request_uri), fetch_form(WALLET_NONCE)).await;
        assert_eq!(response.status(), StatusCode::OK);
        text_of(response).await
    }

    /// Posts a form and says what came of it, with the reason that was counted.
    pub(crate) async fn submit(&self, path: &str, form: String) -> Seen {
        let _ = reasons::take();
        seen(self.post_form(path, form).await).await
    }
}

/// Status, code and reason of a response.
pub(crate) async fn seen(response: Response<Body>) -> Seen {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&text_of(response).await).unwrap_or_default();
    let code = ["error", "code"].into_iter().find_map(|member| body[member].as_str());
    Seen { status, code: code.unwrap_or_default().to_owned(), reason: reasons::take() }
}

pub(crate) fn path_of(url: &str) -> &str {
    url.strip_prefix(ORIGIN).unwrap()
}

pub(crate) async fn text_of(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_str(&text_of(response).await).unwrap()
}
