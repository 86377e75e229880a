//! The verifier's way to a service's endpoint: a real host, real TLS, the verifier's own store and courier.
//!
//! An attack is an endpoint that does not do as it should, or settings that would send messages where they must not go.
//! Refused means that the message does not count as delivered (`failed`: it is tried again; `dead`: it is given up), or that
//! the settings are not taken (`settings`). Afterwards the same message reaches an honest endpoint.

#[path = "../flows/webhooks/receiver.rs"]
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::webhook::Secret;
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::config::Config;
use vouchsafe_verifier::store::{TRY_SECONDS, Tenant};
use vouchsafe_verifier::webhook::{Courier, EndpointSettings, Endpoints, Sent, make_up};

use self::receiver::Receiver;
use crate::runner::{Seen, Surface, run};
use crate::world::{BUSES, NOON, World};

/// How long nobody waits any more who is not made to.
const SLOW: Duration = Duration::from_secs(5);

struct Webhook {
    world: World,
    receiver: Receiver,
    files: tempfile::TempDir,
    /// With settings as they should be.
    app: OnceCell<Arc<App>>,
}

/// Some settings, and one message.
struct Case(Config);

impl Webhook {
    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let place = self.files.path().join(name);
        std::fs::write(&place, text).unwrap();
        place
    }

    fn secrets(&self, count: usize) -> Vec<SecretFile> {
        let secret = |n| SecretFile::new(self.file(&format!("{n}.secret"), &Secret::draw(&OsEntropy::new())));
        (0..count).map(secret).collect()
    }

    /// Settings as they should be.
    fn settings(&self) -> Config {
        let mut config = self.world.app.config().clone();
        config.webhooks.loopback = true;
        config.webhooks.patience_seconds = 30;
        let anchors = self.file("anchors.pem", &self.receiver.tls.certificate_pem());
        let webhook = EndpointSettings { url: self.receiver.url(), secrets: self.secrets(2), anchors };
        config.services[0].webhook = Some(webhook);
        config
    }

    /// Settings as the attack has them.
    fn changed(&self, mutation: &str) -> Config {
        let mut config = self.settings();
        let named = self.receiver.url();
        let number = named.replace("localhost", "127.0.0.1");
        config.webhooks.loopback = !mutation.starts_with("address-");
        if mutation == "hangs" {
            config.webhooks.patience_seconds = 1;
        }
        if mutation == "loopback-live" {
            config.services[0].env = Env::Live;
        }
        let webhook = config.services[0].webhook.as_mut().unwrap();
        match mutation {
            "address-as-number" => webhook.url = number,
            "clear-text" => webhook.url = named.replace("https:", "http:"),
            "user-in-url" => webhook.url = named.replace("localhost", "user@localhost"),
            "no-url" => webhook.url = "hook".to_owned(),
            "no-secret" => webhook.secrets.clear(),
            "five-secrets" => webhook.secrets = self.secrets(5),
            "short-secret" => {
                webhook.secrets = vec![SecretFile::new(self.file("short.secret", "whsec_c2hvcnQ="))];
            }
            "another-authority" => {
                let stranger = DevCa::generate("Another authority", NOON).unwrap();
                webhook.anchors = self.file("other.pem", &stranger.certificate_pem());
            }
            "no-authority" => webhook.anchors = self.file("none.pem", ""),
            _ => {}
        }
        config
    }

    /// Another process over the same database.
    async fn open(&self, config: &Config) -> Result<Arc<App>, OpenError> {
        self.world.replica(config.clone()).await
    }

    async fn honest_app(&self) -> Arc<App> {
        let app = async || Self::open(self, &self.settings()).await.unwrap();
        self.app.get_or_init(app).await.clone()
    }

    async fn round(&self, config: &Config) -> Seen {
        match Self::open(self, config).await {
            Ok(app) => seen(Courier::new(app).round().await.unwrap()),
            Err(OpenError::Endpoints(_)) => refused("settings"),
            Err(other) => panic!("{other}"),
        }
    }

    /// A round with an endpoint that goes on only when nobody can be waiting any more.
    async fn slow_round(&self, config: &Config) -> Seen {
        self.receiver.hang(true);
        let before = self.receiver.got().len();
        let round = self.round(config);
        let late = async {
            self.receiver.came(before + 1).await;
            tokio::time::sleep(SLOW).await;
        };
        tokio::pin!(round);
        let early = tokio::select! {
            biased;
            seen = &mut round => Some(seen),
            () = late => None,
        };
        self.receiver.hang(false);
        match early {
            Some(seen) => seen,
            None => round.await,
        }
    }
}

fn refused(code: &str) -> Seen {
    Seen { status: 400, code: code.to_owned(), reason: String::new() }
}

fn seen(sent: Sent) -> Seen {
    match sent {
        Sent { delivered: 1, failed: 0, dead: 0 } => {
            Seen { status: 200, code: String::new(), reason: String::new() }
        }
        Sent { delivered: 0, failed: 1, dead: 0 } => refused("failed"),
        Sent { delivered: 0, failed: 0, dead: 1 } => refused("dead"),
        other => panic!("one message, and {other:?}"),
    }
}

impl Surface for Webhook {
    const NAME: &'static str = "webhook";

    type Case = Case;

    async fn new() -> Self {
        let (world, receiver) = (World::new().await, Receiver::start().await);
        Self { world, receiver, files: tempfile::tempdir().unwrap(), app: OnceCell::new() }
    }

    async fn open(&self, mutation: &str) -> Case {
        // What was left by the attack before is over with: nothing but this case's message is there.
        self.receiver.answers([]);
        let app = self.honest_app().await;
        self.world.clock.advance(7 * 3600);
        Courier::new(app.clone()).round().await.unwrap();
        self.world.clock.set(NOON);
        make_up(&app, &Tenant::new(BUSES, Env::Test), "decision.met").await.unwrap();
        Case(self.changed(mutation))
    }

    async fn attack(&self, case: &Case, mutation: &str) -> Seen {
        if mutation == "loopback-live" {
            // No such service is registered: its endpoint is looked at alone.
            return match Endpoints::load(&case.0.services, case.0.webhooks) {
                Ok(_) => seen(Sent { delivered: 1, ..Sent::default() }),
                Err(_) => refused("settings"),
            };
        }
        if mutation == "hangs" {
            return self.slow_round(&case.0).await;
        }
        if mutation == "three-days" {
            self.world.clock.advance(TRY_SECONDS);
        }
        let status = mutation.strip_prefix("answers-").map(|status| status.parse().unwrap());
        self.receiver.answers(status.or_else(|| (mutation == "three-days").then_some(500)));
        self.round(&case.0).await
    }

    /// The same message, once it may be sent, to the endpoint as it should be.
    async fn honest(&self, _: &Case) -> Seen {
        self.receiver.answers([]);
        self.world.clock.advance(7 * 3600);
        let sent = Courier::new(self.honest_app().await).round().await.unwrap();
        if sent == Sent::default() {
            return refused("nothing");
        }
        let got = self.receiver.got().pop().unwrap();
        let whole = got.id().starts_with("evt_") && got.header("webhook-signature").starts_with("v1,");
        assert!(whole && !got.body.is_empty(), "the message as it was");
        seen(sent)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks() {
    run::<Webhook>().await;
}
