//! A service is told by webhook: over real TLS on loopback, its receiver checked by somebody else's package.
//!
//! Time is moved by hand. What is awaited is what the receiver got, never a length of time.

pub(crate) mod receiver;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::TempDir;
use tower::ServiceExt as _;
use vouchsafe::district::{self, Addresses, BUSES, Databases, District, SCHOOLS};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::{Clock as _, ManualClock, SystemClock};
use vouchsafe_service::config::{self, SecretFile};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_service::store::Schema;
use vouchsafe_service::webhook::Secret;
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::expiry;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::store::Tenant;
use vouchsafe_verifier::webhook::{Courier, EndpointSettings, Sent, deliver_every, make_up};

use receiver::{Got, Receiver};

const MET: &str = "decision.met";
const HOUR: i64 = 3600;

/// A verifier with the district's two services, each with a receiver.
struct Office {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    config: Config,
    district: District,
    buses: Receiver,
    schools: Receiver,
    /// The buses' secrets, the new one first.
    secrets: [String; 2],
    /// Deleted with the office.
    dir: TempDir,
}

impl Office {
    async fn open() -> Self {
        Self::open_on(&Databases::Files).await
    }

    async fn open_on(databases: &Databases) -> Self {
        keys::install();
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let local = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let (issuer, bureau, payers) = (local(1), local(2), [local(3), local(4)]);
        let at = Addresses { issuer, bureau, payers, verifier: local(5), schools: local(7), ops: local(6) };
        district::prepare_listeners(dir.path(), clock.now()).unwrap();
        let district = district::set_up_on(dir.path(), &at, databases, clock.now()).await.unwrap();
        let mut config: Config = config::load(Some(&district.verifier_config()), []).unwrap();
        let (buses, schools) = (Receiver::start().await, Receiver::start().await);
        let secrets = [0; 2].map(|_| Secret::draw(&OsEntropy::new()).to_string());
        config.webhooks.loopback = true;
        config.webhooks.patience_seconds = 30;
        let endpoint = endpoint(&dir, "buses", &buses, &secrets);
        of(&mut config, BUSES).webhook = Some(endpoint);
        let other = [Secret::draw(&OsEntropy::new()).to_string()];
        let endpoint = self::endpoint(&dir, "schools", &schools, &other);
        of(&mut config, SCHOOLS).webhook = Some(endpoint);
        let app = App::open(config.clone(), clock.clone(), Arc::new(OsEntropy::new()), Schema::Migrate);
        Self { app: app.await.unwrap(), clock, config, district, buses, schools, secrets, dir }
    }

    /// Another process over the same database.
    async fn replica(&self, change: impl FnOnce(&mut Config)) -> Arc<App> {
        let mut config = self.config.clone();
        change(&mut config);
        let app = App::open(config, self.clock.clone(), Arc::new(OsEntropy::new()), Schema::Expect);
        app.await.unwrap()
    }

    /// Made-up messages to a service.
    async fn tell(&self, service: &str, count: usize) {
        for _ in 0..count {
            make_up(&self.app, &Tenant::new(service, Env::Test), MET).await.unwrap();
        }
    }

    async fn round(&self) -> Sent {
        Courier::new(self.app.clone()).round().await.unwrap()
    }

    /// What is sent some seconds later.
    async fn round_after(&self, seconds: i64) -> Sent {
        self.clock.advance(seconds);
        self.round().await
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let key = std::fs::read_to_string(self.district.test_key_file()).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", key.trim()))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let router: Router = router(self.app.clone());
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The buses' own messages that stand so, as the API tells them.
    async fn events(&self, state: &str) -> Vec<Value> {
        self.clock.advance(3);
        let (status, page) = self.call("GET", &format!("/v1/events?state={state}"), None).await;
        assert_eq!(status, 200, "{page}");
        page["events"].as_array().unwrap().clone()
    }
}

fn of<'c>(config: &'c mut Config, service: &str) -> &'c mut vouchsafe_verifier::config::Service {
    config.services.iter_mut().find(|one| one.id == service).unwrap()
}

fn endpoint(dir: &TempDir, name: &str, receiver: &Receiver, secrets: &[String]) -> EndpointSettings {
    let place = |file: String| -> PathBuf { dir.path().join(file) };
    let anchors = place(format!("{name}-anchors.pem"));
    std::fs::write(&anchors, receiver.tls.certificate_pem()).unwrap();
    let files = secrets.iter().enumerate();
    let files =
        files.map(|(n, secret)| SecretFile::create(place(format!("{name}-{n}.secret")), secret).unwrap());
    EndpointSettings { url: receiver.url(), secrets: files.collect(), anchors }
}

fn sent(delivered: u32, failed: u32, dead: u32) -> Sent {
    Sent { delivered, failed, dead }
}

/// Whether somebody else's package finds a signature by this secret over what came, whenever it came.
fn is_signed(got: &Got, secret: &str) -> bool {
    let at = got.header("webhook-timestamp").parse().unwrap();
    let signature = Webhook::new(secret).unwrap().sign(got.header("webhook-id"), at, &got.body).unwrap();
    got.header("webhook-signature").split(' ').any(|one| one == signature)
}

async fn a_service_is_told_and_its_receiver_believes_it(office: Office) {
    let question = json!({"policy": "bus-pass", "flow": "same_device", "reference": "PASS-2026-0042"});
    let (status, asked) = office.call("POST", "/v1/requests", Some(question)).await;
    assert_eq!(status, 201, "{asked}");
    assert_eq!(office.round().await, sent(0, 0, 0), "nothing happened yet");
    office.clock.advance(301);
    let over = office.clock.now();
    expiry::sweep(&office.app, over).await.unwrap();
    // The receiver's package goes by the machine's clock.
    office.clock.set(SystemClock.now().max(over));
    assert_eq!(office.round().await, sent(1, 0, 0));
    let got = office.buses.got().remove(0);
    let told: Value = serde_json::from_slice(&got.body).unwrap();
    let whole = json!({"type": "decision.expired", "timestamp": over.rfc3339(), "data": {"id": asked["id"]}});
    assert_eq!(told, whole, "that, and nothing else");
    let names: BTreeSet<_> = got.headers.keys().map(|name| name.as_str().to_owned()).collect();
    let known = ["accept", "content-length", "content-type", "host"];
    let known = known.into_iter().chain(["webhook-id", "webhook-signature", "webhook-timestamp"]);
    assert_eq!(names, known.map(str::to_owned).collect());
    for secret in &office.secrets {
        assert!(is_signed(&got, secret));
    }
    assert!(!is_signed(&got, Secret::draw(&OsEntropy::new()).as_str()), "and by nobody else");
    let listed = office.events("delivered").await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["data"]), (&json!(got.id()), &told["data"]));
    assert!(office.schools.got().is_empty(), "nobody else is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_from_a_file() {
    a_service_is_told_and_its_receiver_believes_it(Office::open().await).await;
}

#[cfg(feature = "mutants")]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_from_a_server() {
    let cluster = crate::stores::cluster();
    let office = Office::open_on(&crate::stores::on(&cluster)).await;
    a_service_is_told_and_its_receiver_believes_it(office).await;
    let office = Office::open_on(&crate::stores::on(&cluster)).await;
    two_replicas_never_have_one_message(office).await;
}

/// The whole check of the package, with its window of five minutes, by each of two secrets in rotation.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_accepts_by_the_new_secret_and_by_the_old() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    office.clock.set(SystemClock.now());
    assert_eq!(office.round().await, sent(1, 0, 0));
    let got = office.buses.got().remove(0);
    for secret in &office.secrets {
        Webhook::new(secret).unwrap().verify(&got.body, &got.headers).unwrap();
    }
    let told: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((&told["type"], &told["data"]), (&json!(MET), &json!({"id": "test"})));
    let stranger = Secret::draw(&OsEntropy::new());
    assert!(Webhook::new(&stranger).unwrap().verify(&got.body, &got.headers).is_err());
    let mut altered = got.body.to_vec();
    altered.push(b' ');
    assert!(Webhook::new(&office.secrets[0]).unwrap().verify(&altered, &got.headers).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_and_keeps_its_id() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    office.buses.answers([500, 302]);
    assert_eq!(office.round().await, sent(0, 1, 0));
    assert_eq!(office.round_after(3).await, sent(0, 0, 0), "not before its time");
    assert_eq!(office.round_after(3).await, sent(0, 1, 0), "a redirect is not followed");
    assert_eq!(office.round_after(36).await, sent(1, 0, 0));
    assert_eq!(office.round_after(HOUR).await, sent(0, 0, 0), "and that is that");
    let got = office.buses.got();
    assert_eq!(got.iter().map(Got::id).collect::<BTreeSet<_>>().len(), 1);
    let times: BTreeSet<_> = got.iter().map(|one| one.header("webhook-timestamp").to_owned()).collect();
    assert_eq!(times.len(), 3, "each attempt has its own instant");
    assert!(got.iter().all(|one| office.secrets.iter().all(|secret| is_signed(one, secret))));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_it_is_given_up_until_its_service_asks() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    let made = office.clock.now();
    office.buses.answers([503; 100]);
    let mut attempts = 0;
    while office.events("dead").await.is_empty() {
        assert!(office.clock.now() < made.plus(80 * HOUR), "it is given up");
        let once = office.round_after(1800).await;
        assert!(once.delivered == 0 && once.failed + once.dead <= 1);
        attempts += once.failed + once.dead;
    }
    let over = office.clock.now().0 - made.0;
    assert!((72 * HOUR..74 * HOUR).contains(&over), "after {over} seconds");
    assert!((10..30).contains(&attempts), "{attempts} attempts");
    assert_eq!(office.round_after(48 * HOUR).await, sent(0, 0, 0));
    let dead = office.events("dead").await.remove(0);
    let again = format!("/v1/events/{}/send", dead["id"].as_str().unwrap());
    assert_eq!(office.call("POST", &again, None).await.0, 202);
    assert_eq!(office.call("POST", &again, None).await.0, 404, "it is on its way");
    office.buses.answers([]);
    assert_eq!(office.round().await, sent(1, 0, 0));
    let got = office.buses.got();
    assert_eq!(got.last().unwrap().id(), got[0].id());
    assert_eq!(office.call("POST", &again, None).await.0, 202, "and once more");
    office.buses.answers([410]);
    assert_eq!(office.round().await, sent(0, 0, 1), "an endpoint that is gone is not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_it_is_settled_sends_it_once_more() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    office.buses.hang(true);
    let stopped = tokio::spawn({
        let mut courier = Courier::new(office.app.clone());
        async move { courier.round().await }
    });
    office.buses.came(1).await;
    stopped.abort();
    assert!(stopped.await.unwrap_err().is_cancelled());
    office.buses.hang(false);
    let other = office.replica(|_| ()).await;
    let mut courier = Courier::new(other);
    assert_eq!(courier.round().await.unwrap(), sent(0, 0, 0), "for a minute it is the first one's");
    office.clock.advance(59);
    assert_eq!(courier.round().await.unwrap(), sent(0, 0, 0));
    office.clock.advance(1);
    assert_eq!(courier.round().await.unwrap(), sent(1, 0, 0));
    let got = office.buses.got();
    assert_eq!((got.len(), got[0].id()), (2, got[1].id()));
}

async fn two_replicas_never_have_one_message(office: Office) {
    office.tell(BUSES, 30).await;
    let other = office.replica(|_| ()).await;
    let (mut one, mut two) = (Courier::new(office.app.clone()), Courier::new(other));
    let (one, two) = tokio::join!(one.round(), two.round());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.delivered + two.delivered, one.failed + two.failed), (30, 0));
    let got = office.buses.got();
    assert_eq!(got.len(), 30);
    assert_eq!(got.iter().map(Got::id).collect::<BTreeSet<_>>().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_over_one_file_never_have_one_message() {
    two_replicas_never_have_one_message(Office::open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_holds_nobody_else_up() {
    let office = Office::open().await;
    office.tell(BUSES, 9).await;
    office.tell(SCHOOLS, 20).await;
    office.buses.hang(true);
    let mut courier = Courier::new(office.app.clone());
    let round = tokio::spawn(async move { courier.round().await });
    office.schools.came(20).await;
    assert!(office.buses.got().len() <= 4, "so many places are one endpoint's at most");
    office.buses.hang(false);
    let all = round.await.unwrap().unwrap();
    assert_eq!(all.delivered + all.failed, 29);
    assert_eq!(office.schools.got().len(), 20, "each service hears of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_authority_is_told_nothing() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    let strangers = office.dir.path().join("schools-anchors.pem");
    let app = office.replica(|config| of(config, BUSES).webhook.as_mut().unwrap().anchors = strangers).await;
    assert_eq!(Courier::new(app).round().await.unwrap(), sent(0, 1, 0));
    assert!(office.buses.got().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_on_this_machine_is_for_development() {
    let office = Office::open().await;
    office.tell(BUSES, 1).await;
    let app = office.replica(|config| config.webhooks.loopback = false).await;
    assert_eq!(Courier::new(app).round().await.unwrap(), sent(0, 1, 0));
    assert!(office.buses.got().is_empty());
}

/// What runs in `serve` and in `dev`: nobody asks for a round.
#[tokio::test(flavor = "multi_thread")]
async fn the_loop_tells_what_happens_while_it_runs() {
    let office = Office::open().await;
    office.tell(SCHOOLS, 1).await;
    let runs = tokio::spawn(deliver_every(office.app.clone()));
    office.schools.came(1).await;
    office.tell(BUSES, 12).await;
    office.buses.came(12).await;
    runs.abort();
    assert!(runs.await.unwrap_err().is_cancelled());
    let ids: BTreeSet<_> = office.buses.got().iter().map(Got::id).collect();
    assert_eq!(ids.len(), 12);
}
