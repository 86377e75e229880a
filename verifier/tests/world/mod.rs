//! A small world for the stories: a registrar, an issuer, a verifier with its files, and a wallet that shows.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(dead_code, reason = "each story uses a part of the world")]

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tower::ServiceExt as _;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vp::request::{Expected, Unverified, Verified};
use vouchsafe_protocol::openid4vp::response::{Response as Answer, VpToken, error_form};
use vouchsafe_protocol::sd_jwt::disclose::Disclosed;
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::sd_jwt::{Builder, Held};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Registrar, TrustFile};
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, Ed25519Key, Jws, RingAead, SigningKey, install};
use vouchsafe_service::secret::ServerKey;
use vouchsafe_service::store::Schema;
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::trust::{Sources, sign};

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: UnixTime = UnixTime(1_795_262_400);
pub(crate) const ORIGIN: &str = "https://ask.larkfield.example";
pub(crate) const BUSES: &str = "https://buses.larkfield.example";
pub(crate) const POOL: &str = "https://pool.larkfield.example";
pub(crate) const ISS: &str = "https://issuer.larkfield.example";
pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1";
pub(crate) const BUS_KEY: &str = "test_buses";
pub(crate) const POOL_KEY: &str = "test_pool";

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) trust: TrustFile,
    pub(crate) issuer: Leaf,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) registrar: SigningKey,
    pub(crate) config: Config,
    pub(crate) sources: String,
}

const TYPE: &str = r#"
id = "residency"
vct = "https://larkfield.example/types/residency/1"
name = { en = "Residency", cy = "Preswyliaeth" }
ttl_days = 30
[[attributes]]
pointer = "/birth_date"
column = "birth_date"
label = { en = "date of birth", cy = "dyddiad geni" }
kind = "date"
answer = ["show", "prove"]
lo = "1880-01-01"
hi = "2050-12-31"
[[attributes]]
pointer = "/ward"
column = "ward"
label = { en = "ward", cy = "ward" }
kind = "text"
answer = ["show"]
"#;

fn policy(id: &str, binding: &str) -> String {
    format!(
        r#"
id = "{id}"
version = 1
purpose = "pass"
subject = "same_person"
subject_binding = "{binding}"
other_route = {{ en = "Visit the kiosk.", cy = "Ewch i'r ciosg." }}
[[accept]]
vct = "{VCT}"
iss = ["{ISS}"]
max_age_days = 30
[[conditions]]
id = "age"
pointer = "/birth_date"
op = "le"
rule = {{ kind = "age_at_least", unit = "years", n = 66 }}
[[conditions]]
id = "ward"
pointer = "/ward"
op = "show"
"#
    )
}

const CASES: &str = r#"
[[cases]]
name = "old enough"
as_of = "2026-11-21"
values = { "/birth_date" = "1950-01-01", "/ward" = "North" }
expect = "met"
[[cases]]
name = "too young"
as_of = "2026-11-21"
values = { "/birth_date" = "1990-01-01", "/ward" = "North" }
expect = "not_met"
"#;

pub(crate) fn sources(client_id: &str, anchor: &[u8]) -> String {
    let anchor = b64u(sha256(anchor));
    format!(
        r#"
iss = "https://registrar.larkfield.example"
reg_version = 3
[[services]]
sub = "{BUSES}"
env = "test"
name = {{ en = "Larkfield Buses", cy = "Bysiau Larkfield" }}
client_ids = ["{client_id}"]
purposes = ["pass"]
[[services]]
sub = "{POOL}"
env = "test"
name = {{ en = "Larkfield Pool", cy = "Pwll Larkfield" }}
client_ids = ["{client_id}"]
purposes = []
[[issuers]]
sub = "{ISS}"
env = "test"
name = {{ en = "Larkfield District", cy = "Dosbarth Larkfield" }}
anchors = ["{anchor}"]
types = ["{VCT}"]
[[purposes]]
sub = "pass"
version = 1
text = {{ en = "To give you a bus pass.", cy = "I roi pàs bws i chi." }}
basis = "public_task"
retention_days = 30
recipients = []
may_ask = [
  {{ vct = "{VCT}", pointer = "/birth_date", how = "show", rules = [] }},
  {{ vct = "{VCT}", pointer = "/ward", how = "show", rules = [] }},
]
other_route = {{ en = "Visit the kiosk.", cy = "Ewch i'r ciosg." }}
"#
    )
}

impl World {
    pub(crate) async fn new() -> Self {
        install();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOON));
        let ca = DevCa::generate("Larkfield test", NOON).unwrap();
        let request = ca.signer(BUSES, SigningKey::generate().unwrap(), NOON).unwrap();
        let issuer = ca.signer(ISS, SigningKey::generate().unwrap(), NOON).unwrap();
        let registrar = SigningKey::generate().unwrap();
        let path = folder.path();
        write_keys(path, &request);
        let client_id = format!("x509_hash:{}", b64u(sha256(&request.certificate)));
        let sources = sources(&client_id, ca.certificate());
        let parts = Sources::parse([sources.as_str()]).unwrap();
        let signed = sign(&parts, &registrar, None, NOON).await.unwrap();
        std::fs::write(path.join("register.jws"), &signed.jws).unwrap();
        let pinned = Registrar {
            iss: parts.iss.clone(),
            keys: vec![(b64u(registrar.public().thumbprint()), registrar.public().clone())],
        };
        let anchor = Anchor::from_der(ca.certificate().to_vec()).unwrap();
        let trust = TrustFile { registrar: pinned, anchors: vec![anchor] };
        std::fs::write(path.join("trust.json"), trust.to_value().to_string()).unwrap();
        write_rules(path);
        let config = config(path);
        let entropy = Arc::new(OsEntropy::new());
        let app = App::open(config.clone(), clock.clone(), entropy, Schema::Migrate).await.unwrap();
        let router = router(app.clone());
        Self { app, clock, trust, issuer, router, folder, registrar, config, sources }
    }

    /// Writes a register of these sources, signed now.
    pub(crate) async fn sign(&self, sources: &str) {
        let parts = Sources::parse([sources]).unwrap();
        std::fs::write(self.folder.path().join("sources.toml"), sources).unwrap();
        let signed = sign(&parts, &self.registrar, None, self.clock.now()).await.unwrap();
        std::fs::write(self.folder.path().join("register.jws"), signed.jws).unwrap();
    }

    /// Signs the register anew as it stands, and loads it: one is good for a week.
    pub(crate) async fn resign(&self) {
        self.sign(&std::fs::read_to_string(self.folder.path().join("sources.toml")).unwrap()).await;
        self.app.reload().await.unwrap();
    }

    /// Opens the same installation once more, with its configuration changed.
    pub(crate) async fn reopen(&self, change: impl FnOnce(&mut Config)) -> Result<Arc<App>, OpenError> {
        let mut config = self.config.clone();
        change(&mut config);
        App::open(config, self.clock.clone(), Arc::new(OsEntropy::new()), Schema::Migrate).await
    }

    /// The same installation in a new process.
    pub(crate) async fn restart(self) -> Self {
        self.app.close().await;
        let entropy = Arc::new(OsEntropy::new());
        let app = App::open(self.config.clone(), self.clock.clone(), entropy, Schema::Expect).await.unwrap();
        let router = router(app.clone());
        Self { app, router, ..self }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_with(&self, path: &str, name: header::HeaderName, value: &str) -> Response<Body> {
        self.send(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, key: &str, body: &Value) -> Response<Body> {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn post_form(&self, path: &str, body: String) -> Response<Body> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Opens a request and gives what the API said.
    pub(crate) async fn ask(&self, policy: &str, flow: &str) -> Value {
        let body = json!({"policy": policy, "flow": flow, "reference": "file 17"});
        let response = self.post_json("/v1/requests", BUS_KEY, &body).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        json_of(response).await
    }

    /// Fetches the object that a link leads to and verifies it as a wallet does.
    pub(crate) async fn fetch(&self, qr_text: &str) -> Verified {
        let link = vouchsafe_protocol::openid4vp::link::Link::parse(qr_text).unwrap();
        let nonce = "0123456789abcdefghijklmn";
        let form = vouchsafe_protocol::openid4vp::link::fetch_form(nonce);
        let response = self.post_form(path_of(&link.request_uri), form).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/oauth-authz-req+jwt");
        let text = text_of(response).await;
        let judge =
            Judge { registrar: &self.trust.registrar, last_seen: 0, now: self.clock.now(), verifier: &Jws };
        let expected = Expected {
            client_id: &link.client_id,
            wallet_nonce: Some(nonce),
            env: Env::Test,
            anchors: &self.trust.anchors,
            judge,
        };
        Unverified::parse(&text).unwrap().verify(&expected).unwrap()
    }

    /// A fresh copy for a resident born on that day.
    pub(crate) async fn copy(&self, birth_date: &str, facts_as_of: &str) -> Copy {
        self.copy_as(VCT, birth_date, facts_as_of)
    }

    /// A copy of any type, by the same issuer.
    pub(crate) fn copy_as(&self, vct: &str, birth_date: &str, facts_as_of: &str) -> Copy {
        let now = self.clock.now().day_start();
        self.copy_of(&json!({
            "iss": ISS, "vct": vct, "iat": now.0, "exp": now.plus(30 * 86_400).0,
            "facts_as_of": facts_as_of, "birth_date": birth_date, "ward": "North",
        }))
    }

    /// A copy of a type with status, with this entry of the list at `uri`.
    pub(crate) fn copy_listed(&self, uri: &str, idx: u64) -> Copy {
        let now = self.clock.now().day_start();
        self.copy_of(&json!({
            "iss": ISS, "vct": VCT, "iat": now.0, "exp": now.plus(30 * 86_400).0,
            "facts_as_of": "2026-11-20", "birth_date": "1950-01-01", "ward": "North",
            "status": {"status_list": {"idx": idx, "uri": uri}},
        }))
    }

    fn copy_of(&self, claims: &Value) -> Copy {
        let holder = SigningKey::generate().unwrap();
        let header =
            NewHeader::new(self.issuer.key.alg(), "dc+sd-jwt").x5c(&[self.issuer.certificate.to_vec()]);
        let entropy = OsEntropy::new();
        let issuable = Builder::new(claims.as_object().cloned().unwrap())
            .conceal("/birth_date")
            .conceal("/ward")
            .holder(holder.public())
            .build(&header.encode(), &mut EntropyRng(&entropy))
            .unwrap();
        let signature = self.issuer.key.sign_now(issuable.signing_input()).unwrap();
        Copy { held: Held::dangerous_from_store(&issuable.finish(&signature)).unwrap(), holder }
    }

    /// The encrypted form that answers `request` by showing everything of `copy`.
    pub(crate) fn answer(&self, request: &Verified, copy: &Copy) -> String {
        self.answer_with(request, copy, &request.asked().party().nonce.clone())
    }

    pub(crate) fn answer_with(&self, request: &Verified, copy: &Copy, nonce: &str) -> String {
        let presentation = copy.present(&request.asked().party().client_id, nonce, self.clock.now());
        self.form_of(request, VpToken::new([("q0".to_owned(), presentation)].into()))
    }

    /// The encrypted form with these presentations.
    pub(crate) fn form_of<A>(&self, request: &Verified<A>, vp_token: VpToken) -> String {
        let answer = Answer { vp_token, state: Some(request.state().to_owned()) };
        let entropy = OsEntropy::new();
        let ephemeral = Box::new(AgreementKey::generate(&entropy));
        let to = request.response_key().unwrap();
        answer.encrypted_form(to, ephemeral, &RingAead, &mut EntropyRng(&entropy)).unwrap()
    }

    pub(crate) fn decline(request: &Verified) -> String {
        error_form("access_denied", request.state())
    }

    pub(crate) async fn decision(&self, id: &str) -> Value {
        let path = format!("/v1/requests/{id}/decision");
        let response = self.get_with(&path, header::AUTHORIZATION, &format!("Bearer {BUS_KEY}")).await;
        let status = response.status();
        let mut body = json_of(response).await;
        body["http"] = json!(status.as_u16());
        body
    }

    /// Keeps everybody else from writing until it is dropped.
    pub(crate) async fn lock(&self) -> SqliteConnection {
        let file = self.folder.path().join("v.sqlite");
        let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
        database
    }

    pub(crate) fn database(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for file in ["v.sqlite", "v.sqlite-wal"] {
            all.extend(std::fs::read(self.folder.path().join(file)).unwrap_or_default());
        }
        all
    }
}

/// One copy in a wallet.
pub(crate) struct Copy {
    held: Held,
    holder: SigningKey,
}

impl Copy {
    fn present(&self, aud: &str, nonce: &str, now: UnixTime) -> String {
        self.present_with(aud, nonce, now, Map::new())
    }

    /// The same with more claims in the key binding.
    pub(crate) fn present_with(
        &self,
        aud: &str,
        nonce: &str,
        now: UnixTime,
        extra: Map<String, Value>,
    ) -> String {
        let disclosed: &Disclosed = self.held.disclosed();
        let binding = Binding { aud, nonce, issued_at: now, extra };
        let unsigned = self.held.present(disclosed.paths(), binding).unwrap();
        let signature = self.holder.sign_now(unsigned.signing_input()).unwrap();
        unsigned.finish(&signature)
    }
}

fn write_keys(path: &Path, request: &Leaf) {
    std::fs::write(path.join("request.pem"), request.certificate_pem()).unwrap();
    std::fs::write(path.join("request.key"), request.key.to_pkcs8_pem().as_bytes()).unwrap();
    let decision = SigningKey::generate().unwrap();
    std::fs::write(path.join("decision.key"), decision.to_pkcs8_pem().as_bytes()).unwrap();
    let record = SigningKey::generate().unwrap();
    std::fs::write(path.join("record.key"), record.to_pkcs8_pem().as_bytes()).unwrap();
    let log = Ed25519Key::generate().unwrap();
    std::fs::write(path.join("log.key"), log.to_pkcs8_pem().as_bytes()).unwrap();
    std::fs::write(path.join("server.key"), ServerKey::generate(&OsEntropy::new()).to_text().as_bytes())
        .unwrap();
}

fn write_rules(path: &Path) {
    std::fs::create_dir_all(path.join("policies")).unwrap();
    std::fs::create_dir_all(path.join("types")).unwrap();
    std::fs::write(path.join("types/residency.toml"), TYPE).unwrap();
    for (id, binding) in
        [("bus-pass", "same_device"), ("counter", "in_person"), ("by-ward", "disclosed:ward")]
    {
        std::fs::write(path.join(format!("policies/{id}.toml")), policy(id, binding)).unwrap();
        std::fs::write(path.join(format!("policies/{id}.cases.toml")), CASES).unwrap();
    }
}

fn config(path: &Path) -> Config {
    let at = |name: &str| path.join(name).display().to_string();
    let text = format!(
        r#"
origin = "{ORIGIN}"
database = "{}"
server_key = "{}"
trust_file = "{}"
register_file = "{}"
policies = "{}"
types = "{}"
http = {{ address = "127.0.0.1:0", certificate = "none", key = "none" }}
ops = {{ address = "127.0.0.1:0" }}
request = {{ key = "{}", certificates = "{}" }}
decision = {{ key = "{}" }}
record = {{ key = "{}" }}
log = {{ key = "{}" }}
[[services]]
id = "{BUSES}"
env = "test"
test_key_hash = "{}"
[[services]]
id = "{POOL}"
env = "test"
test_key_hash = "{}"
"#,
        at("v.sqlite"),
        at("server.key"),
        at("trust.json"),
        at("register.jws"),
        at("policies"),
        at("types"),
        at("request.key"),
        at("request.pem"),
        at("decision.key"),
        at("record.key"),
        at("log.key"),
        b64u(sha256(BUS_KEY)),
        b64u(sha256(POOL_KEY)),
    );
    vouchsafe_service::config::parse(&text, []).unwrap()
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

/// `name=value` of the cookie that a response sets.
pub(crate) fn cookie_of(response: &Response<Body>) -> Option<String> {
    let set = response.headers().get(header::SET_COOKIE)?.to_str().unwrap();
    assert!(set.contains("Secure") && set.contains("HttpOnly") && set.contains("SameSite=Lax"));
    Some(set.split(';').next().unwrap().to_owned())
}
