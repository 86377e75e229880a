//! A service may ask so many different questions about one attribute within a year, whomever it asks.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use vouchsafe::district::{self, Addresses, BUS_PASS, Databases, District, LEISURE, MEALS, PARKING};
use vouchsafe_mutants::without_async;
use vouchsafe_service::clock::{Clock as _, ManualClock, SystemClock};
use vouchsafe_service::config;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_service::store::Schema;
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::http::router;

struct Desk {
    app: Arc<App>,
    config: Config,
    clock: Arc<ManualClock>,
    district: District,
    _dir: TempDir,
}

impl Desk {
    /// A verifier at which a service may ask so many questions.
    async fn with(questions: u32) -> Self {
        keys::install();
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let local = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let (issuer, bureau, payers) = (local(1), local(2), [local(3), local(4)]);
        let at = Addresses { issuer, bureau, payers, verifier: local(5), schools: local(7), ops: local(6) };
        district::prepare_listeners(dir.path(), clock.now()).unwrap();
        let district = district::set_up_on(dir.path(), &at, &Databases::Files, clock.now()).await.unwrap();
        let mut config: Config = config::load(Some(&district.verifier_config()), []).unwrap();
        config.request.questions = questions;
        let app = App::open(config.clone(), clock.clone(), Arc::new(OsEntropy::new()), Schema::Migrate);
        Self { app: app.await.unwrap(), config, clock, district, _dir: dir }
    }

    /// Another process over the same database.
    async fn replica(&self) -> Arc<App> {
        let entropy = Arc::new(OsEntropy::new());
        App::open(self.config.clone(), self.clock.clone(), entropy, Schema::Expect).await.unwrap()
    }

    async fn ask(&self, app: &Arc<App>, policy: &str) -> (u16, Value) {
        let file =
            if policy == MEALS { self.district.schools_key_file() } else { self.district.test_key_file() };
        let key = std::fs::read_to_string(file).unwrap();
        let request = Request::post("/v1/requests")
            .header(header::AUTHORIZATION, format!("Bearer {}", key.trim()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({"policy": policy, "flow": "same_device"}).to_string()))
            .unwrap();
        let response = router(app.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn opens(&self, app: &Arc<App>, policy: &str) -> bool {
        let (status, body) = self.ask(app, policy).await;
        let refused = status == 403
            && body["type"].as_str().is_some_and(|kind| kind.ends_with("probing-budget"))
            && body["pointer"] == "/policy";
        assert!(status == 201 || refused, "{status} {body}");
        status == 201
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_question_about_the_same_attribute_is_not_opened() {
    let desk = Desk::with(1).await;
    let other = desk.replica().await;
    for _ in 0..2 {
        assert!(desk.opens(&desk.app, BUS_PASS).await);
    }
    // The wards of the leisure ticket are those of the bus pass; those of the permit are another list.
    assert!(desk.opens(&desk.app, LEISURE).await);
    for app in [&desk.app, &other] {
        assert!(!desk.opens(app, PARKING).await);
    }
    assert!(desk.opens(&other, MEALS).await, "another service, other attributes");
    // What was refused was not asked, and what was asked may be asked again.
    desk.clock.advance(86_400);
    assert!(desk.opens(&other, BUS_PASS).await);
    assert!(without_async("vp-ask-budget", desk.opens(&desk.app, PARKING)).await);
}

/// A district asks nothing that its own verifier would not open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_service_stays_within_what_it_may_ask() {
    let desk = Desk::with(5).await;
    for policy in [BUS_PASS, LEISURE, PARKING, MEALS] {
        assert!(desk.opens(&desk.app, policy).await, "{policy}");
    }
}
