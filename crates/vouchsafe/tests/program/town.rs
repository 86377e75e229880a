//! A town around a `dev` that may die at any call: one resident, their browser, and the operator.
//!
//! Every call goes through [`Wire`], which counts them, remembers what was sent and what came back, and kills the
//! program some way into the call of a given number, or right after it if it was quicker.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use tokio::task::JoinHandle;
use vouchsafe::demo::browser::Browser;
use vouchsafe::demo::operator::Operator;
use vouchsafe::demo::resident::Resident;
use vouchsafe::world;
use vouchsafe_protocol::text::Env;
use vouchsafe_service::client::{self, Reply};
use vouchsafe_service::clock::SystemClock;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_wallet::http::{Client, Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::{Machine, Wallet};

use crate::child::{Dev, signal};

/// When to kill which process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// The call, counted from 0.
    pub(crate) call: usize,
    /// How far into it.
    pub(crate) delay: Duration,
}

/// What a wallet sent, and the status that acknowledged it; `None` when nothing came back.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) url: String,
    media_type: String,
    body: Vec<u8>,
    token: Option<String>,
    /// The proof of the key that the token is bound to.
    proof: Option<String>,
    pub(crate) status: Option<u16>,
}

/// The network between the town and the program.
pub(crate) struct Wire {
    http: client::Http,
    client: Client,
    process: u32,
    point: Option<Point>,
    calls: Mutex<usize>,
    /// Who kills, from the point on.
    killer: Mutex<Option<JoinHandle<()>>>,
    /// The call in or right after which it was killed.
    struck: Mutex<Option<usize>>,
    sent: Mutex<Vec<Sent>>,
}

impl Wire {
    /// To the program `dev`. At `point` the process `process` is killed: the program, or its database.
    pub(crate) fn to(dev: &Dev, point: Option<Point>, process: u32) -> Arc<Self> {
        let http = world::client(Path::new(dev.text("/ca"))).unwrap();
        let client = Client::new(http.clone());
        let (calls, killer, struck, sent) = Default::default();
        Arc::new(Self { http, client, process, point, calls, killer, struck, sent })
    }

    /// Counts a call that is about to be made; at the point, sets the killer off. The call after that one waits for it.
    pub(crate) async fn tick(&self) {
        self.struck().await;
        let mut calls = self.calls.lock().unwrap();
        if let Some(point) = self.point.filter(|point| point.call == *calls) {
            let process = self.process;
            *self.killer.lock().unwrap() = Some(tokio::spawn(async move {
                tokio::time::sleep(point.delay).await;
                signal(process, "KILL");
            }));
        }
        *calls += 1;
    }

    /// The call in or right after which the process was killed, once it was.
    pub(crate) async fn struck(&self) -> Option<usize> {
        let killer = self.killer.lock().unwrap().take();
        if let Some(killer) = killer {
            killer.await.unwrap();
            *self.struck.lock().unwrap() = Some(self.calls() - 1);
        }
        *self.struck.lock().unwrap()
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    /// Everything that wallets sent.
    #[cfg(feature = "mutants")]
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// What wallets posted to a path with `part` in it.
    pub(crate) fn posted(&self, part: &str) -> Option<Sent> {
        let sent = self.sent.lock().unwrap();
        sent.iter().rev().find(|one| one.url.contains(part) && !one.body.is_empty()).cloned()
    }

    /// Posts once more what was posted before.
    pub(crate) async fn repeat(&self, sent: &Sent) -> Reply {
        let mut request = self.http.post(&sent.url).body(&sent.media_type, sent.body.clone());
        let scheme = if sent.proof.is_some() { "DPoP" } else { "Bearer" };
        if let Some(token) = &sent.token {
            request = request.header(AUTHORIZATION, &format!("{scheme} {token}"));
        }
        if let Some(proof) = &sent.proof {
            request = request.header(HeaderName::from_static("dpop"), proof);
        }
        request.send().await.unwrap()
    }

    pub(crate) fn operator(&self, dev: &Dev) -> Operator {
        Operator::new(self.http.clone(), dev.text("/verifier"), dev.text("/client/test_key"))
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.http.clone())
    }

    pub(crate) async fn get(&self, url: &str, key: &str) -> Reply {
        self.http.get(url).bearer(key).send().await.unwrap()
    }

    async fn exchange(&self, request: Outgoing<'_>) -> Result<Incoming, HttpError> {
        let (media_type, body) =
            request.body.as_ref().map_or(("", Vec::new()), |(media, body)| (*media, body.to_vec()));
        let mut sent = Sent {
            url: request.url.to_owned(),
            media_type: media_type.to_owned(),
            body,
            token: request.token.map(str::to_owned),
            proof: request.proof.map(str::to_owned),
            status: None,
        };
        self.tick().await;
        let reply = self.client.send(request).await;
        sent.status = reply.as_ref().ok().map(|reply| reply.status);
        self.sent.lock().unwrap().push(sent);
        reply
    }
}

/// The wallet's door to the network; the wallet outlives the program, so the wire behind it is changed.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Mutex<Option<Arc<Wire>>>>);

impl Door {
    pub(crate) fn lead_to(&self, wire: &Arc<Wire>) {
        *self.0.lock().unwrap() = Some(wire.clone());
    }
}

impl Http for Door {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        let wire = self.0.lock().unwrap().clone().unwrap();
        Box::pin(async move { wire.exchange(request).await })
    }
}

/// The resident, whose wallet is on a device of its own and survives every crash of the program.
pub(crate) async fn resident(dir: &Path, door: &Door) -> Resident {
    let machine = Machine {
        http: Arc::new(door.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy::new()),
        env: Env::Test,
    };
    let wallet =
        Wallet::open(&dir.join("wallet"), b"correct horse battery", Cost::LEAST, machine).await.unwrap();
    Resident { wallet }
}
