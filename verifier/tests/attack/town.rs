//! Three tenants in one installation: the buses as they were in test, the buses live, and the pool in test.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};
use vouchsafe_protocol::text::Env;
use vouchsafe_verifier::expiry;

use crate::callers::{SYSTEM, System, changed, opened};
use crate::world::{BUS_KEY, POOL_KEY, World};
use vouchsafe_service::clock::Clock as _;

pub(crate) struct Town {
    pub(crate) world: World,
    /// The system of the buses, who are live.
    pub(crate) system: System,
    /// A request of the buses from when they were in test.
    pub(crate) test_buses: String,
    /// One of the live buses.
    pub(crate) live_buses: String,
    /// One of the pool, in test.
    pub(crate) pool: String,
}

/// The pool may ask too.
pub(crate) async fn two_askers() -> World {
    let world = World::new().await;
    world.sign(&sources(&world)).await;
    changed(world, |_| ()).await
}

fn sources(world: &World) -> String {
    world.sources.replace("purposes = []", "purposes = [\"pass\"]")
}

fn id(opened: &Value) -> String {
    opened["id"].as_str().unwrap().to_owned()
}

impl Town {
    pub(crate) async fn new() -> Self {
        let (world, system) = (two_askers().await, System::new(SYSTEM));
        let test_buses = id(&opened(&world, BUS_KEY).await);
        world.sign(&sources(&world).replacen("env = \"test\"", "env = \"live\"", 1)).await;
        let settings = system.settings(&world, None);
        let world = changed(world, |config| {
            config.services[0].env = Env::Live;
            config.services[0].test_key_hash = None;
            config.services[0].clients = vec![settings];
        })
        .await;
        let live_buses = id(&opened(&world, &system.token(&world).await).await);
        let pool = id(&opened(&world, POOL_KEY).await);
        Self { world, system, test_buses, live_buses, pool }
    }

    /// Lets every request run out, so that each has a decision.
    pub(crate) async fn decide(&self) {
        self.world.clock.advance(301);
        expiry::sweep(&self.world.app, self.world.clock.now()).await.unwrap();
    }

    /// A token for one scope.
    pub(crate) async fn token_for(&self, scope: &str) -> String {
        let answer =
            self.system.ask(&self.world, &self.system.claims(&self.world), &[("scope", scope)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{scope}");
        crate::world::json_of(answer).await["access_token"].as_str().unwrap().to_owned()
    }
}

/// Everything that a caller can tell answers apart by; the reference is drawn anew each time.
pub(crate) async fn seen(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|media| media == "application/problem+json");
    let text = crate::world::text_of(response).await;
    let body = match is_problem {
        true => {
            let mut problem: Value = serde_json::from_str(&text).unwrap();
            problem["reference"] = json!(null);
            problem.to_string()
        }
        false => text,
    };
    (status, format!("{}\n\n{body}", headers.join("\n")))
}
