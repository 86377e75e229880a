//! `vouchsafe trigger` and `vouchsafe listen`: for whoever builds a receiver of webhooks against `vouchsafe dev`.
//!
//! No address has to be reachable from outside: `listen` reads the feed of the service's own messages and posts each to the
//! receiver as the verifier would, signed with a secret that it draws and shows.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use vouchsafe_service::client::{Http, Reply};
use vouchsafe_service::clock::{Clock, SystemClock};
use vouchsafe_service::config;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys;
use vouchsafe_service::listen::stop_signal;
use vouchsafe_service::webhook::{ID, SIGNATURE, Secret, TIMESTAMP, signatures};
use vouchsafe_verifier::config::Config;

use super::print;
use crate::district::District;
use crate::exit::{Failure, Fault};
use crate::world;

/// How often the feed is read.
const LOOK: Duration = Duration::from_secs(1);
const MEDIA_TYPE: &str = "application/json";

/// Which development installation is meant, and how its service calls.
#[derive(Args)]
struct Development {
    /// The folder of the running `vouchsafe dev`.
    #[arg(long, default_value = ".vouchsafe/dev", env = "VOUCHSAFE_DATA_DIR")]
    data_dir: PathBuf,
    /// JSON in place of words.
    #[arg(long, env = "VOUCHSAFE_JSON")]
    json: bool,
}

/// What to make up.
#[derive(Args)]
pub(crate) struct TriggerArgs {
    /// The type of the event, for example decision.met.
    event: String,
    #[command(flatten)]
    development: Development,
}

/// Where to post events to.
#[derive(Args)]
pub(crate) struct ListenArgs {
    /// The receiver, http, on this machine.
    #[arg(long, value_name = "URL")]
    forward_to: String,
    #[command(flatten)]
    development: Development,
}

/// An event of the feed.
#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    timestamp: String,
    data: Value,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
    next: String,
}

/// The API as the service of `dev` calls it.
struct Api {
    http: Http,
    origin: String,
    key: String,
}

impl Api {
    fn of(development: &Development) -> Result<Self, Failure> {
        let district = District::in_folder(&development.data_dir);
        let settings = config::load::<Config>(Some(&district.verifier_config()), []);
        let settings =
            settings.map_err(|fault| Failure::usage(format!("{fault}; is `vouchsafe dev` running?")))?;
        let key = std::fs::read_to_string(district.test_key_file()).map_err(Failure::unavailable)?;
        Ok(Self {
            http: world::client(&district.tls_ca())?,
            origin: settings.origin,
            key: key.trim().to_owned(),
        })
    }

    async fn make_up(&self, event: &str) -> Result<(), Failure> {
        let call = self.http.post(&format!("{}/v1/events/test", self.origin)).bearer(&self.key);
        let reply = call.json(&json!({"type": event})).send().await.map_err(Failure::unavailable)?;
        answered(&reply, 202).map(drop)
    }

    async fn page(&self, after: Option<&str>) -> Result<Page, Failure> {
        let query = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let place = format!("{}/v1/events?limit=100{query}", self.origin);
        let reply = self.http.get(&place).bearer(&self.key).send().await.map_err(Failure::unavailable)?;
        serde_json::from_slice(answered(&reply, 200)?)
            .map_err(|_| Failure::new(Fault::Peer, "peer", "the verifier gave events of an unexpected form"))
    }

    /// The end of the feed as it is now.
    async fn end(&self) -> Result<String, Failure> {
        let mut page = self.page(None).await?;
        while !page.events.is_empty() {
            page = self.page(Some(&page.next)).await?;
        }
        Ok(page.next)
    }
}

fn answered(reply: &Reply, status: u16) -> Result<&[u8], Failure> {
    if reply.status == status {
        return Ok(&reply.body);
    }
    let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let said = problem["title"].as_str().unwrap_or("no reason was given");
    Err(Failure::new(Fault::Peer, "peer", format!("the verifier said {}: {said}", reply.status)))
}

/// Makes an event up.
///
/// # Errors
/// When the verifier is away or refuses.
pub(crate) async fn trigger(args: TriggerArgs) -> Result<(), Failure> {
    keys::install();
    Api::of(&args.development)?.make_up(&args.event).await?;
    let event = &args.event;
    print::one(args.development.json, &json!({"made_up": event}), || format!("{event} is on its way"))
}

/// Posts every event from now on to a receiver, until asked to stop.
///
/// # Errors
/// When the verifier is away or refuses, or the receiver is not on this machine.
pub(crate) async fn listen(args: ListenArgs) -> Result<(), Failure> {
    keys::install();
    let api = Api::of(&args.development)?;
    let text = Secret::draw(&OsEntropy::new());
    let forwarding = Forwarding::to(&args.forward_to, &text)?;
    let mut after = api.end().await?;
    let mut stop = pin!(stop_signal());
    let (json, secret) = (args.development.json, text.as_str());
    print::one(json, &json!({"listening": true, "secret": secret}), || {
        format!("Events go to {}, signed with {secret}\nStop with Ctrl-C.", args.forward_to)
    })?;
    let mut rounds = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = rounds.tick() => {}
        }
        let page = api.page(Some(&after)).await?;
        for event in &page.events {
            let status = forwarding.post(event).await;
            let row = json!({"event": event.id, "type": event.r#type, "status": status});
            print::one(json, &row, || words(event, status))?;
        }
        after = page.next;
    }
}

fn words(event: &Event, status: Option<u16>) -> String {
    let came = status.map_or_else(|| "nobody answered".to_owned(), |status| status.to_string());
    format!("{} {}: {came}", event.r#type, event.id)
}

/// A receiver on this machine.
struct Forwarding {
    http: Http,
    url: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

impl Forwarding {
    fn to(url: &str, secret: &str) -> Result<Self, Failure> {
        let http = Http::to_this_machine().map_err(Failure::unavailable)?;
        http.check(url).map_err(|_| {
            Failure::usage(
                "--forward-to takes an http address of this machine, for example http://localhost:3000/hook",
            )
        })?;
        let secret = Secret::parse(secret).map_err(Failure::usage)?;
        Ok(Self { http, url: url.to_owned(), secret, clock: Arc::new(SystemClock) })
    }

    /// Posts an event as the verifier would; the status, if there is an answer.
    async fn post(&self, event: &Event) -> Option<u16> {
        let body =
            json!({"type": event.r#type, "timestamp": event.timestamp, "data": event.data}).to_string();
        let at = self.clock.now();
        let signed = signatures([&self.secret], &event.id, at, &body);
        let request = self
            .http
            .post(&self.url)
            .header(HeaderName::from_static(ID), &event.id)
            .header(HeaderName::from_static(TIMESTAMP), &at.0.to_string())
            .header(HeaderName::from_static(SIGNATURE), &signed)
            .body(MEDIA_TYPE, body);
        request.status().await.ok()
    }
}
