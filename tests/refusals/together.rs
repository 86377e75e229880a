//! Proofs that are checked in one sum: each verdict is that of a check alone, whatever the company.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use vouchsafe_mutants::without;
use vouchsafe_protocol::answer::{Committed, check_proofs};
use vouchsafe_protocol::jose::BoxFuture;
use vouchsafe_protocol::status::{Bits, List, Publication};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::pool::Cap;
use vouchsafe_verifier::status::{Away, Fetch, Fetched};

use crate::answer::encrypted;
use crate::flips::committed;
use crate::forge::Credential;
use crate::forge::proof::{Proof, ProofCopy, carrying};
use crate::reasons;
use crate::world::{ISS, NOON, Opened, World};

/// So many answers at once, in the tests below.
const MANY: usize = 4;

/// The presentation that answers `opened` by a proof made for the request `made_for`.
fn proved(world: &World, opened: &Opened, made_for: &Opened, list: Option<&str>) -> String {
    let mut copy = ProofCopy::new(&world.ca);
    if let Some(uri) = list {
        copy.credential.payload["status"] = json!({"status_list": {"idx": 0, "uri": uri}});
    }
    let (token, values, attributes) = copy.sign();
    let proof = Proof::new(made_for.request.asked(), &token, values, attributes).prove();
    token.covered() + &token.bind(opened.client_id(), opened.nonce(), carrying(&proof)).sign()
}

/// A presentation that shows its values.
fn shown(world: &World, opened: &Opened) -> String {
    let token = Credential::plain(&world.ca).sign();
    token.covered() + &token.bind(opened.client_id(), opened.nonce(), Map::new()).sign()
}

/// Answers to one request, of which those in `wrong` prove it for another; the last proves nothing and shows all.
struct Answers {
    world: World,
    opened: Opened,
    shows: Opened,
    good: String,
    wrong: String,
    plain: String,
}

impl Answers {
    async fn new() -> Self {
        let world = World::new().await;
        let (opened, other) = (world.ask("proof").await, world.ask("proof").await);
        let shows = world.ask("plain").await;
        let good = proved(&world, &opened, &opened, None);
        let wrong = proved(&world, &opened, &other, None);
        let plain = shown(&world, &shows);
        Self { world, opened, shows, good, wrong, plain }
    }

    fn commit(&self, wrong: &[usize]) -> Vec<Committed> {
        let rules = self.world.app.rules();
        let text = |index| if wrong.contains(&index) { &self.wrong } else { &self.good };
        let proofs = (0..MANY).map(|index| committed(&self.opened, &rules, text(index)));
        proofs.chain([committed(&self.shows, &rules, &self.plain)]).map(Option::unwrap).collect()
    }

    /// Whose proof holds, checked together.
    fn together(&self, wrong: &[usize]) -> Vec<bool> {
        let mut all = self.commit(wrong);
        check_proofs(&mut all, &mut EntropyRng(&OsEntropy::new()));
        all.into_iter().map(|one| one.check_proof().is_ok()).collect()
    }
}

#[tokio::test]
async fn a_wrong_proof_is_found_wherever_it_is_and_spoils_no_other() {
    let answers = Answers::new().await;
    let mut cases: Vec<Vec<usize>> = (0..MANY).map(|index| vec![index]).collect();
    cases.extend([vec![], vec![0, 1], vec![1, 3], (0..MANY).collect()]);
    for wrong in cases {
        let alone: Vec<_> = answers.commit(&wrong).into_iter().map(|one| one.check_proof().is_ok()).collect();
        let expected: Vec<_> = (0..=MANY).map(|index| !wrong.contains(&index)).collect();
        assert_eq!((&alone, &answers.together(&wrong)), (&expected, &expected), "{wrong:?}");
    }
    check_proofs([], &mut EntropyRng(&OsEntropy::new()));
    let skipped = without("zk-proofs-together", || answers.together(&[2]));
    assert_eq!(skipped, [true; MANY + 1], "nothing else would have found it");
}

/// A host of lists on which nobody is marked; it answers when it is told to.
struct Host {
    issuer: Leaf,
    asked: UnboundedSender<()>,
    open: Arc<Semaphore>,
}

impl Host {
    async fn list(&self, uri: &str) -> Fetched {
        let list = List::new(Bits::Two, 64);
        let made = Publication { uri, issued_at: NOON, expires_at: NOON.plus(7200), ttl: 900, list: &list };
        let certificates = [self.issuer.certificate.to_vec()];
        made.sign(&self.issuer.key, &certificates).await.unwrap().0.into_bytes()
    }
}

impl Fetch for Host {
    fn fetch<'a>(&'a self, uri: &'a str, _: usize) -> BoxFuture<'a, Result<Fetched, Away>> {
        Box::pin(async move {
            self.asked.send(()).unwrap();
            self.open.acquire().await.unwrap().forget();
            Ok(self.list(uri).await)
        })
    }
}

/// Keeps every worker busy until the sender is dropped.
async fn work(app: &App) -> std::sync::mpsc::Sender<()> {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..std::thread::available_parallelism().unwrap().get() {
        let (place, gate) = (app.pool().enter(Cap::new(1).enter().unwrap()).unwrap(), gate.clone());
        let (begin, begun) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let waits = move || (begin.send(()).is_ok(), gate.lock().map(|gate| gate.recv().is_ok()).is_ok());
            place.run(waits).await
        });
        begun.await.unwrap();
    }
    release
}

/// Posts an answer that goes on by itself.
fn post(world: &Arc<World>, opened: &Opened, text: String) -> JoinHandle<StatusCode> {
    let form = encrypted(opened, &BTreeMap::from([("q0".to_owned(), text)]));
    let (world, path) = (world.clone(), opened.answer_path().to_owned());
    tokio::spawn(async move { world.post_form(&path, form).await.status() })
}

/// Answers that come to their proofs while no worker is free, the one at `wrong` proving it for another request: what
/// each is told, and how many were taken together.
async fn answered_at_once(wrong: usize) -> (Vec<StatusCode>, Vec<f64>) {
    let (asked, mut hears) = unbounded_channel();
    let open = Arc::new(Semaphore::new(0));
    let host = |ca: &DevCa| -> Arc<dyn Fetch> {
        let issuer = ca.signer(ISS, SigningKey::generate().unwrap(), NOON).unwrap();
        Arc::new(Host { issuer, asked, open: open.clone() })
    };
    let world = Arc::new(World::listed(host).await);
    let other = world.ask("proof").await;
    let mut posts = Vec::new();
    for index in 0..MANY {
        let opened = world.ask("proof").await;
        // A list of its own, so that each is known to wait for its host.
        let list = format!("{ISS}/status/{index}");
        let text = proved(&world, &opened, if index == wrong { &other } else { &opened }, Some(&list));
        posts.push(post(&world, &opened, text));
    }
    for _ in 0..MANY {
        hears.recv().await.unwrap();
    }
    let busy = work(&world.app).await;
    let _ = reasons::sizes();
    open.add_permits(MANY);
    while world.app.proofs_waiting() < MANY {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(busy);
    let mut told = Vec::new();
    for post in posts {
        told.push(post.await.unwrap());
    }
    (told, reasons::sizes())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_wait_are_checked_in_one_sum_and_each_is_told_its_own_verdict() {
    for wrong in 0..MANY {
        let (told, batches) = answered_at_once(wrong).await;
        let expected: Vec<_> = (0..MANY)
            .map(|index| if index == wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK })
            .collect();
        assert_eq!((told, batches), (expected, vec![4.0]));
        assert_eq!(reasons::take(), "proof");
    }
}
