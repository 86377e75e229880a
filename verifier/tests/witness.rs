//! A witness over real TLS, and the verifier that asks it: what it signs, what it never signs, and that nobody waits for it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio::sync::oneshot;
use tower::ServiceExt as _;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, Opened, Trust};
use vouchsafe_protocol::tlog::note::{Note, NoteKey, NoteSigner};
use vouchsafe_protocol::tlog::tree::{Frontier, Hash, consistency};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, MAX_REQUEST};
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys::{Ed25519Key, Jws, install};
use vouchsafe_service::listen::{Identity, Limits, Listener};
use vouchsafe_verifier::app::{App, OpenError};
use vouchsafe_verifier::audit::token::{Believed, check};
use vouchsafe_verifier::config::WitnessSettings;
use vouchsafe_verifier::expiry::sweep;
use vouchsafe_verifier::http::router;
use vouchsafe_verifier::log::witnesses::{AskError, Asked, ask};
use vouchsafe_verifier::log::{LogFault, publish};
use vouchsafe_verifier::witness::{self, Followed, Witness, WitnessConfig, WitnessHttp};
use world::{BUS_KEY, World, text_of};

const LOG: &str = "log.larkfield.example/log";

fn settings(folder: &Path, follows: &NoteKey) -> WitnessConfig {
    let key = folder.join("witness.key");
    if !key.exists() {
        std::fs::write(&key, Ed25519Key::generate().unwrap().to_pkcs8_pem().as_bytes()).unwrap();
    }
    WitnessConfig {
        name: "witness.example/one".into(),
        key: SecretFile::new(key),
        store: folder.join("witness.sqlite"),
        http: WitnessHttp { address: SocketAddr::from(([127, 0, 0, 1], 0)), certificate: None, key: None },
        calls_per_minute: 600,
        logs: vec![Followed { origin: follows.name().to_owned(), keys: vec![follows.to_string()] }],
    }
}

/// A log in memory with a key of its own.
struct Own {
    key: Ed25519Key,
    entries: Vec<u8>,
}

impl Own {
    fn new() -> Self {
        install();
        Self { key: Ed25519Key::generate().unwrap(), entries: (0..20).collect() }
    }

    fn signer(&self) -> NoteSigner<'_> {
        NoteSigner::new(LOG, &self.key).unwrap()
    }

    fn edge(&self, size: usize) -> Frontier {
        let mut edge = Frontier::default();
        self.entries[..size].iter().for_each(|entry| drop(edge.push(&[*entry; 32]).unwrap()));
        edge
    }

    fn proof(&self, old: usize, new: usize) -> Vec<Hash> {
        let mut edge = Frontier::default();
        let all = self.entries[..new].iter().flat_map(|entry| edge.push(&[*entry; 32]).unwrap().completed);
        let all: std::collections::BTreeMap<_, _> = all.collect();
        consistency(old as u64, new as u64, |subtree| all.get(&subtree).copied()).unwrap()
    }

    async fn request(&self, old: usize, new: usize) -> AddCheckpoint {
        let edge = self.edge(new);
        let note =
            Checkpoint::new(LOG, edge.size(), edge.root()).unwrap().sign(&self.signer()).await.unwrap();
        AddCheckpoint { old: old as u64, proof: self.proof(old, new), note }
    }
}

async fn told(router: &Router, body: impl Into<Body>) -> (u16, String, String) {
    let request = Request::post("/add-checkpoint").body(body.into()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
    (status, kind.unwrap_or_default(), text_of(answer).await)
}

#[tokio::test]
async fn a_witness_answers_by_the_table() {
    let (log, folder) = (Own::new(), tempfile::tempdir().unwrap());
    let config = settings(folder.path(), log.signer().key());
    let clock = Arc::new(SystemClock);
    let opened = Witness::open(&config, clock.clone()).await.unwrap();
    let router = witness::router(opened.clone());
    let ask = async |request: &AddCheckpoint| told(&router, request.to_string()).await;

    assert_eq!(told(&router, "old 0\n").await.0, 400);
    assert_eq!(
        told(&router, vec![b'a'; MAX_REQUEST + 1]).await.0,
        413,
        "more than anybody needs is not read"
    );
    let first = log.request(0, 3).await;
    let stranger = Own { key: Ed25519Key::generate().unwrap(), entries: log.entries.clone() };
    assert_eq!(ask(&stranger.request(0, 3).await).await.0, 403, "a log of the same name");
    let renamed = first.to_string().replace(LOG, "log.larkfield.example/other");
    assert_eq!(told(&router, renamed).await.0, 404);
    assert_eq!(ask(&AddCheckpoint { old: 4, ..first.clone() }).await.0, 400);
    let conflict = ask(&log.request(2, 3).await).await;
    assert_eq!(conflict, (409, "text/x.tlog.size".into(), "0\n".into()));

    let (status, _, line) = ask(&first).await;
    assert_eq!(status, 200);
    let witnesses = [opened.key().clone()];
    let seen = first.note.clone().with(only_line(&line)).unwrap();
    let keys = [log.signer().key().clone()];
    let trust = Trust { origin: LOG, log: &keys, witnesses: &witnesses, quorum: 1 };
    let Opened { checkpoint, witnessed } = trust.open(&seen, &Jws).unwrap();
    assert_eq!((checkpoint.size(), witnessed.len()), (3, 1));

    assert_eq!(ask(&first).await, (409, "text/x.tlog.size".into(), "3\n".into()));
    assert_eq!(ask(&log.request(3, 3).await).await.0, 200, "the same again, after a crash");
    assert_eq!(ask(&log.request(3, 8).await).await.0, 200);
    let wrong = AddCheckpoint { proof: log.proof(3, 9), ..log.request(8, 11).await };
    assert_eq!(ask(&wrong).await.0, 422);
    let mut other = Own { key: log.key.clone(), entries: log.entries.clone() };
    other.entries[5] = 99;
    assert_eq!(ask(&other.request(8, 8).await).await.0, 422, "two roots of one size");
    assert_eq!(ask(&other.request(8, 11).await).await.0, 422, "a second history");

    // What it signed is not forgotten with the process.
    opened.close().await;
    let again = Witness::open(&config, clock).await.unwrap();
    let router = witness::router(again.clone());
    assert_eq!(told(&router, other.request(8, 11).await.to_string()).await.0, 422);
    assert_eq!(told(&router, log.request(8, 11).await.to_string()).await.0, 200);
    assert_eq!(again.key(), opened.key());
}

fn only_line(lines: &str) -> vouchsafe_protocol::tlog::note::NoteSignature {
    let mut lines = vouchsafe_protocol::tlog::note::NoteSignature::parse_lines(lines).unwrap();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

#[tokio::test]
async fn settings_that_make_no_witness_are_refused() {
    let (log, folder) = (Own::new(), tempfile::tempdir().unwrap());
    let good = settings(folder.path(), log.signer().key());
    let opens = async |change: &dyn Fn(&mut WitnessConfig)| {
        let mut config = good.clone();
        change(&mut config);
        Witness::open(&config, Arc::new(SystemClock)).await.is_ok()
    };
    assert!(!opens(&|config| config.name = "a name".into()).await);
    assert!(!opens(&|config| config.calls_per_minute = 0).await);
    assert!(!opens(&|config| config.logs[0].keys.clear()).await);
    assert!(!opens(&|config| config.logs[0].keys[0].push('A')).await);
    assert!(!opens(&|config| config.logs.push(config.logs[0].clone())).await);
    assert!(!opens(&|config| config.key = SecretFile::new("absent")).await);
    assert!(opens(&|_| ()).await);
}

/// A witness that is up over TLS, for a log; stopped with the value.
struct Up {
    url: String,
    key: String,
    ca: PathBuf,
    stop: Option<oneshot::Sender<()>>,
}

impl Up {
    async fn over(folder: &Path, router: Router, key: String) -> Self {
        let now = SystemClock.now();
        let tls = DevCa::generate("Hosts of witnesses", now).unwrap();
        let leaf = tls.server(&["localhost"], now).unwrap();
        let identity = Arc::new(Identity::from_leaf(&leaf).unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::tls(address, identity, Limits::default()).await.unwrap();
        let ca = folder.join(format!("witness-{}.pem", listener.address().port()));
        std::fs::write(&ca, tls.certificate_pem()).unwrap();
        let url = format!("https://localhost:{}", listener.address().port());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(listener.serve(router, async { drop(stopped.await) }));
        Self { url, key, ca, stop: Some(stop) }
    }

    async fn for_log(world: &World) -> Self {
        let config = settings(world.folder.path(), world.app.log_desk().unwrap().key());
        let witness = Witness::open(&config, Arc::new(SystemClock)).await.unwrap();
        let key = witness.key().to_string();
        Self::over(world.folder.path(), witness::router(witness), key).await
    }

    fn setting(&self) -> WitnessSettings {
        WitnessSettings { url: self.url.clone(), key: self.key.clone() }
    }
}

/// The same verifier, which asks these.
async fn asking(mut world: World, ca: &Path, witnesses: Vec<WitnessSettings>) -> World {
    let log = world.config.log.as_mut().unwrap();
    (log.loopback, log.authorities, log.witnesses) = (true, ca.to_owned(), witnesses);
    world.app.close().await;
    let app = world.reopen(|_| ()).await.unwrap();
    World { router: router(app.clone()), app, ..world }
}

async fn decided(world: &World, many: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..many {
        let opened = world.ask("counter", "cross_device").await;
        ids.push(opened["id"].as_str().unwrap().to_owned());
    }
    world.clock.advance(7200);
    sweep(&world.app, world.clock.now()).await.unwrap();
    ids
}

async fn witnessed(world: &World, key: &str) -> (u64, usize) {
    let shown = world.get("/log/checkpoint").await;
    assert_eq!(shown.status(), StatusCode::OK);
    let note = Note::parse(text_of(shown).await.as_bytes()).unwrap();
    let desk = world.app.log_desk().unwrap();
    let (keys, witnesses) = ([desk.key().clone()], [NoteKey::parse(key).unwrap()]);
    let trust = Trust { origin: desk.origin(), log: &keys, witnesses: &witnesses, quorum: 0 };
    let opened = trust.open(&note, &Jws).unwrap();
    (opened.checkpoint.size(), opened.witnessed.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_witness_that_is_asked_stands_under_the_checkpoint() {
    let world = World::new().await;
    let up = Up::for_log(&world).await;
    let world = asking(world, &up.ca, vec![up.setting()]).await;
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Nothing, "there is no checkpoint yet");
    let ids = decided(&world, 3).await;
    publish(&world.app).await.unwrap();
    assert_eq!(witnessed(&world, &up.key).await, (3, 0), "shown before anybody was asked");
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Signed);
    assert_eq!(witnessed(&world, &up.key).await, (3, 1));
    let opened = world.decision(&ids[0]).await;
    let place = format!("/v1/requests/{}/log-proof", ids[0]);
    let proof = world.get_with(&place, header::AUTHORIZATION, &format!("Bearer {BUS_KEY}")).await;
    let believed = Believed {
        log: vec![world.app.log_desk().unwrap().key().clone()],
        witnesses: vec![NoteKey::parse(&up.key).unwrap()],
        quorum: 1,
    };
    let stands = check(opened["decision"].as_str().unwrap(), &text_of(proof).await, &believed).unwrap();
    assert_eq!(stands.witnessed[0].0, "witness.example/one", "whoever holds the proof sees who has seen it");
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Nothing);
    assert_eq!(ask(&world.app, 1).await.unwrap(), Asked::Nothing, "there is no second witness");

    decided(&world, 4).await;
    publish(&world.app).await.unwrap();
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Signed, "from the size that it signed last");
    assert_eq!(witnessed(&world, &up.key).await, (7, 1));
    // A verifier that was started anew knows nothing of that, is told, and asks once more.
    let world = world.restart().await;
    decided(&world, 1).await;
    publish(&world.app).await.unwrap();
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Signed);
    assert_eq!(witnessed(&world, &up.key).await, (8, 1));
    let audited = vouchsafe_verifier::audit::verify(&world.config).await.unwrap();
    assert_eq!((audited.faults.as_slice(), audited.checkpoints), (&[][..], 3));
}

/// Our own verifier on an old database: it signs what it has, and the witness does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_signs_no_second_history() {
    let world = World::new().await;
    let up = Up::for_log(&world).await;
    let world = asking(world, &up.ca, vec![up.setting()]).await;
    decided(&world, 2).await;
    let old = world.folder.path().join("old.sqlite");
    let file = format!("sqlite://{}", world.folder.path().join("v.sqlite").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let into = format!("VACUUM INTO '{}'", old.display());
    sqlx::raw_sql(AssertSqlSafe(into)).execute(&mut database).await.unwrap();
    drop(database);
    decided(&world, 3).await;
    publish(&world.app).await.unwrap();
    assert_eq!(ask(&world.app, 0).await.unwrap(), Asked::Signed);

    let world = world.moved(vouchsafe_service::store::Place::File(old)).await;
    publish(&world.app).await.unwrap();
    let ahead = ask(&world.app, 0).await;
    assert!(matches!(ahead, Err(AskError::Ahead(5))), "{ahead:?}");
    decided(&world, 3).await;
    publish(&world.app).await.unwrap();
    let other = ask(&world.app, 0).await;
    assert!(matches!(other, Err(AskError::Refused(422))), "{other:?}");
    decided(&world, 2).await;
    publish(&world.app).await.unwrap();
    let longer = ask(&world.app, 0).await;
    assert!(matches!(longer, Err(AskError::Refused(422))), "{longer:?}");
    assert_eq!(witnessed(&world, &up.key).await, (7, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_away_keeps_nothing_back() {
    let world = World::new().await;
    let mut up = Up::for_log(&world).await;
    let _ = up.stop.take().unwrap().send(());
    let world = asking(world, &up.ca, vec![up.setting()]).await;
    decided(&world, 2).await;
    publish(&world.app).await.unwrap();
    let away = loop {
        // The listener may still be at its end.
        match ask(&world.app, 0).await {
            Err(AskError::Away(fault)) => break fault,
            _ => {
                decided(&world, 1).await;
                publish(&world.app).await.unwrap();
            }
        }
    };
    let said = away.to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    let (size, signed) = witnessed(&world, &up.key).await;
    assert!(size >= 2 && signed == 0);
}

/// What is inside our own network is not asked, unless this is a test on one machine.
#[tokio::test(flavor = "multi_thread")]
async fn witnesses_are_outside() {
    let world = World::new().await;
    let up = Up::for_log(&world).await;
    let other = world.app.log_desk().unwrap().verifier_key();
    let opens = async |loopback: bool, url: &str, keys: &[&str]| {
        let opened = world.reopen(|config| {
            let log = config.log.as_mut().unwrap();
            (log.loopback, log.authorities) = (loopback, up.ca.clone());
            let setting = |key: &&str| WitnessSettings { url: url.to_owned(), key: (*key).to_owned() };
            log.witnesses = keys.iter().map(setting).collect();
        });
        opened.await.map(drop)
    };
    let key = up.key.as_str();
    assert!(opens(true, "https://127.0.0.1:1", &[key]).await.is_ok());
    assert!(opens(false, "https://witness.example/w/", &[key]).await.is_ok());
    for url in [
        "https://127.0.0.1:1",
        "https://10.1.2.3",
        "http://witness.example",
        "https://me@witness.example",
        "x",
    ] {
        let refused = opens(false, url, &[key]).await;
        assert!(matches!(refused, Err(OpenError::Log(LogFault::Url(..)))), "{url}");
    }
    for keys in [&[key, key][..], &[&other], &["witness.example+00000000+AA"]] {
        let refused = opens(false, "https://witness.example", keys).await;
        assert!(matches!(refused, Err(OpenError::Log(LogFault::Witness))), "{keys:?}");
    }
}

/// Somebody else at the witness's address, who signs with a key of their own under its name and id.
async fn a_signature_of_somebody_else_is_shown() -> bool {
    let world = World::new().await;
    let key = Ed25519Key::generate().unwrap();
    let public = vouchsafe_protocol::jose::Signer::public(&key);
    let key = NoteKey::new("witness.example/one", public, vouchsafe_protocol::tlog::note::Kind::Cosignature);
    let key = key.unwrap();
    let forged = [&key.id().to_be_bytes()[..], &7_i64.to_be_bytes(), &[7; 64]].concat();
    let line = format!("\u{2014} {} {}\n", key.name(), vouchsafe_protocol::encoding::b64(forged));
    let forger = Router::new().fallback(move || std::future::ready(line.clone()));
    let up = Up::over(world.folder.path(), forger, key.to_string()).await;
    let world = asking(world, &up.ca, vec![up.setting()]).await;
    decided(&world, 2).await;
    publish(&world.app).await.unwrap();
    let app: Arc<App> = world.app.clone();
    match ask(&app, 0).await {
        Ok(Asked::Signed) => true,
        Err(AskError::False) => {
            assert_eq!(witnessed(&world, &up.key).await, (2, 0));
            false
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_witness_did_not_sign_is_not_shown() {
    assert!(!a_signature_of_somebody_else_is_shown().await);
}

async fn opened_with(change: impl FnOnce(&mut WitnessConfig)) -> bool {
    let (log, folder) = (Own::new(), tempfile::tempdir().unwrap());
    let mut config = settings(folder.path(), log.signer().key());
    change(&mut config);
    Witness::open(&config, Arc::new(SystemClock)).await.is_ok()
}

async fn a_witness_that_answers_nobody_opens() -> bool {
    opened_with(|config| config.calls_per_minute = 0).await
}

async fn a_log_is_followed_twice() -> bool {
    opened_with(|config| config.logs.push(config.logs[0].clone())).await
}

async fn one_witness_is_counted_twice() -> bool {
    let world = World::new().await;
    let up = Up::for_log(&world).await;
    let opened = world.reopen(|config| {
        let log = config.log.as_mut().unwrap();
        (log.loopback, log.authorities) = (true, up.ca.clone());
        log.witnesses = vec![up.setting(), up.setting()];
    });
    opened.await.is_ok()
}

/// The attack fails as things are, and succeeds without the check.
#[cfg(feature = "mutants")]
macro_rules! kills {
    ($($test:ident $name:literal => $attack:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            assert!(!$attack().await, "the check holds");
            assert!(vouchsafe_mutants::without_async($name, $attack()).await, "nothing else would have caught it");
        }
    )* };
}

#[cfg(feature = "mutants")]
kills! {
    log_witness_signature "log-witness-signature" => a_signature_of_somebody_else_is_shown
    log_witness_once "log-witness-once" => one_witness_is_counted_twice
    witness_calls "witness-calls" => a_witness_that_answers_nobody_opens
    witness_log "witness-log" => a_log_is_followed_twice
}

#[cfg(not(feature = "mutants"))]
#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_witness_is_refused() {
    assert!(!a_witness_that_answers_nobody_opens().await);
    assert!(!a_log_is_followed_twice().await);
    assert!(!one_witness_is_counted_twice().await);
}
