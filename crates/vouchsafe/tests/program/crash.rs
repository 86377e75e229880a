//! Killed without warning, thirty times: what was acknowledged is kept, nothing is accepted twice.
//!
//! `dev` runs as a child over one folder. A resident and the operator go through the whole story, from the offer to
//! the decision, and at a seeded point (a call and some way into it) the program is killed. It is started
//! again over the same folder, and the books are compared: every acknowledgement against what the program now says;
//! every one-time value is tried again. Then the story is finished, or begun anew, as an honest resident would.
//!
//! On PostgreSQL the same, and once more with the database killed under the program, which stays up.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::{Asked, Operator};
use vouchsafe::demo::resident::Resident;
use vouchsafe::exit::Failure;
use vouchsafe_cluster::{Cluster, USER};

use crate::child::{Dev, free_base, run};
use crate::town::{Door, Point, Sent, Wire, resident};

const SEED: u64 = 20_261_121;
const POINTS: usize = 30;
/// The calls of the whole story: six to collect, then ask, page, request, answer, return, decision.
const CALLS: usize = 12;
/// The longest way into a call at which the program is killed, in microseconds: most calls take a few milliseconds, so
/// that some kills fall before their database work, some into it, some after it.
const LONGEST_US: u32 = 8_000;
/// A lease of the program that was killed ends after ten seconds; what is waited for comes within a minute.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// What was acknowledged to whom before the program was killed.
#[derive(Default)]
struct Books {
    asked: Option<Asked>,
    page: Option<(Browser, String)>,
    back: Option<String>,
    returned: bool,
    decision: Option<Value>,
}

/// Everything that outlives the program.
struct Town {
    dir: tempfile::TempDir,
    base: u16,
    door: Door,
    resident: Resident,
    /// Where the rows are, if not in files.
    server: Option<Mutex<Cluster>>,
}

/// Whom the killer is after.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Program,
    #[cfg(feature = "mutants")]
    Database,
}

/// A started program with the people's ways to it.
struct Up {
    dev: Dev,
    wire: Arc<Wire>,
    operator: Operator,
}

impl Town {
    async fn new(server: Option<Cluster>) -> Self {
        let (dir, door) = (tempfile::tempdir().unwrap(), Door::default());
        let resident = resident(dir.path(), &door).await;
        Self { dir, base: free_base(), door, resident, server: server.map(Mutex::new) }
    }

    fn server(&self) -> Option<MutexGuard<'_, Cluster>> {
        self.server.as_ref().map(|server| server.lock().unwrap())
    }

    async fn start(&self, point: Option<(Point, Victim)>) -> Up {
        let socket = self.server().map(|server| server.socket().to_str().unwrap().to_owned());
        let on = socket.as_deref().map_or(vec![], |socket| vec!["--postgres-socket", socket]);
        self.up(Dev::start_with(self.dir.path(), "data", self.base, &on), point).await
    }

    async fn up(&self, dev: Dev, point: Option<(Point, Victim)>) -> Up {
        let process = match point {
            #[cfg(feature = "mutants")]
            Some((_, Victim::Database)) => self.server().and_then(|server| server.process()).unwrap(),
            _ => dev.id(),
        };
        let wire = Wire::to(&dev, point.map(|(point, _)| point), process);
        self.door.lead_to(&wire);
        let trust = std::fs::read(dev.text("/trust")).unwrap();
        self.resident.wallet.trust_add(&trust).await.unwrap();
        let operator = wire.operator(&dev);
        Up { dev, wire, operator }
    }

    /// The whole story, noting every acknowledgement; ends early when the program is gone.
    async fn story(&self, up: &Up, books: &mut Books) -> Result<(), Failure> {
        self.resident.receive(up.dev.text("/offer/uri"), up.dev.text("/offer/tx_code")).await?;
        self.question(up, books).await
    }

    async fn question(&self, up: &Up, books: &mut Books) -> Result<(), Failure> {
        up.wire.tick().await;
        let asked = up.operator.ask("bus-pass", "PASS-2026-0042").await?;
        let url = asked.url.clone();
        books.asked = Some(asked);
        up.wire.tick().await;
        let mut browser = up.wire.browser();
        let html = browser.open(&url).await?;
        books.page = Some((browser, wallet_link(&html).unwrap()));
        self.answer(books).await?;
        up.wire.tick().await;
        self.come_back(books).await?;
        up.wire.tick().await;
        books.decision = up.operator.decision(&books.asked.as_ref().unwrap().id).await?;
        Ok(())
    }

    async fn answer(&self, books: &mut Books) -> Result<(), Failure> {
        let (_, link) = books.page.as_ref().unwrap();
        books.back = Some(self.resident.share(link).await?);
        Ok(())
    }

    async fn come_back(&self, books: &mut Books) -> Result<(), Failure> {
        let (browser, _) = books.page.as_mut().unwrap();
        browser.open(books.back.as_ref().unwrap()).await?;
        books.returned = true;
        Ok(())
    }

    /// Copies to answer with, collected by a fresh offer when there are none.
    async fn has_copies(&self) {
        let held = self.resident.wallet.list().await.unwrap();
        if held.iter().all(|batch| batch.copies.unused == 0) {
            let config = self.dir.path().join("data/issuer/issuer.toml");
            let config = config.to_str().unwrap();
            let made = run(
                self.dir.path(),
                &["issuer", "offer", "LD-0042", "--type", "residency", "--config", config, "--json"],
            );
            assert_eq!(made.code, 0, "{}", made.err);
            let offer: Value = serde_json::from_str(&made.out).unwrap();
            let (uri, code) = (offer["uri"].as_str().unwrap(), offer["tx_code"].as_str().unwrap());
            self.resident.receive(uri, code).await.unwrap();
        }
    }

    /// How many decisions, leaves and calls to services the verifier's database holds.
    async fn decisions(&self) -> (i64, i64, i64) {
        let once = "SELECT count(DISTINCT request_id), (SELECT count(*) FROM log_leaves WHERE service_id <> ''), \
                    (SELECT count(*) FROM outbox) FROM decisions";
        let on_server = self.server().map(|server| {
            let options = PgConnectOptions::new_without_pgpass().socket(server.socket());
            options.port(server.port()).username(USER).database("vouchsafe_verifier")
        });
        match on_server {
            None => {
                let file = self.dir.path().join("data/verifier/verifier.sqlite");
                let options = SqliteConnectOptions::new().filename(file);
                let mut database = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_as(once).fetch_one(&mut database).await.unwrap()
            }
            Some(options) => {
                let mut database = PgConnection::connect_with(&options).await.unwrap();
                sqlx::query_as(once).fetch_one(&mut database).await.unwrap()
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_thirty_points_it_loses_nothing_and_accepts_nothing_twice() {
    killed(Town::new(None).await, Victim::Program, POINTS).await;
}

#[cfg(feature = "mutants")]
mod postgres {
    use super::*;

    async fn town() -> Town {
        let server = Cluster::private().unwrap_or_else(|fault| panic!("{fault}"));
        for program in ["issuer", "verifier"] {
            server.create(&format!("vouchsafe_{program}"));
        }
        Town::new(Some(server)).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn killed_at_thirty_points_it_loses_nothing_and_accepts_nothing_twice() {
        killed(town().await, Victim::Program, POINTS).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn its_database_killed_at_fifteen_points_it_loses_nothing_and_accepts_nothing_twice() {
        killed(town().await, Victim::Database, POINTS / 2).await;
    }
}

async fn killed(town: Town, victim: Victim, points: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut decided = 0;
    for n in 0..points {
        // Every call in turn, so that none is left out: first as it begins, then by chance some way into it.
        let call = n % CALLS;
        let longest = if n < CALLS { 1 } else { LONGEST_US };
        let point = Point { call, delay: Duration::from_micros(u64::from(rng.next_u32() % longest)) };
        let up = town.start(Some((point, victim))).await;
        let mut books = Books::default();
        let told = town.story(&up, &mut books).await;
        assert_eq!(up.wire.struck().await, Some(call), "{point:?}: {told:?}");
        let before = up.wire.clone();
        let up = match victim {
            Victim::Program => restarted(&town, up, &format!("{point:?}: {told:?}")).await,
            #[cfg(feature = "mutants")]
            Victim::Database => recovered(&town, up).await,
        };
        decided += audited(&town, &up, &before, books).await;
    }
    assert_eq!(town.decisions().await, (decided, decided, decided), "decisions, leaves, calls");
}

/// The program was killed, and is started again.
async fn restarted(town: &Town, mut up: Up, told: &str) -> Up {
    let (status, _) = up.dev.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{told}");
    town.start(None).await
}

/// The database was killed: the program stayed, said that it was busy, and serves again soon after its return.
#[cfg(feature = "mutants")]
async fn recovered(town: &Town, up: Up) -> Up {
    for sent in up.wire.sent() {
        assert!(matches!(sent.status, None | Some(200..500 | 503)), "{}: {:?}", sent.url, sent.status);
    }
    town.server().unwrap().kill();
    let up = town.up(up.dev, None).await;
    let nobodys = format!("{}/v1/requests/req_of_nobody", up.dev.text("/verifier"));
    let asked = async || up.wire.get(&nobodys, up.dev.text("/client/test_key")).await.status;
    assert_eq!(asked().await, 503, "without its database it is busy");
    town.server().unwrap().start().unwrap();
    let back = tokio::time::timeout(PATIENCE, async {
        while asked().await != 404 {
            tokio::time::sleep(PAUSE).await;
        }
    });
    back.await.expect("it serves again by itself");
    up
}

/// As an auditor sees it, while the program serves.
fn the_log_holds(town: &Town) {
    let config = town.dir.path().join("data/verifier/verifier.toml");
    let ended = run(town.dir.path(), &["verifier", "audit", "verify", "--config", config.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
}

/// Compares the books after a restart, and finishes honestly; gives how many decisions this round left.
async fn audited(town: &Town, up: &Up, before: &Wire, mut books: Books) -> i64 {
    the_log_holds(town);
    for part in ["/token", "/credential"] {
        if let Some(sent) = before.posted(part) {
            is_good_once(&up.wire, &sent).await;
        }
    }
    town.has_copies().await;
    let Some(asked) = books.asked.as_ref().map(|asked| asked.id.clone()) else {
        return finished_anew(town, up).await;
    };
    let standing = format!("{}/v1/requests/{asked}", up.dev.text("/verifier"));
    let standing = up.wire.get(&standing, up.dev.text("/client/test_key")).await;
    assert_eq!(standing.status, 200, "an acknowledged request is there");
    if let Some((browser, _)) = &mut books.page {
        *browser = browser.moved_to(&up.wire.browser());
    }
    if let Some(sent) = before.posted("/a/") {
        let taken = answer_is_good_once(&up.wire, &sent).await;
        books.back = books.back.or(taken);
    }
    let lost = before.posted("/a/").is_some() && books.back.is_none();
    if lost || books.page.is_none() {
        // The program had taken the answer, or bound the page, and nobody was told: the resident starts anew.
        assert_eq!(
            up.operator.decision(&asked).await.unwrap(),
            None,
            "nothing is decided behind anybody's back"
        );
        return finished_anew(town, up).await;
    }
    finished(town, up, books).await
}

/// The same request to its end. What was decided before stays as it was.
async fn finished(town: &Town, up: &Up, mut books: Books) -> i64 {
    let asked = books.asked.as_ref().unwrap().id.clone();
    let before = up.operator.decision(&asked).await.unwrap();
    assert!(before.is_some() || !books.returned, "an acknowledged return has decided");
    assert!(books.decision.is_none() || books.decision == before, "a decision stays as it was told");
    if books.back.is_none() {
        town.answer(&mut books).await.unwrap();
    }
    town.come_back(&mut books).await.unwrap();
    let after = up.operator.decision(&asked).await.unwrap().unwrap();
    assert_eq!(after["outcome"], "met");
    assert!(before.is_none_or(|before| before == after), "a second return decides nothing");
    1
}

async fn finished_anew(town: &Town, up: &Up) -> i64 {
    let mut books = Books::default();
    town.question(up, &mut books).await.unwrap();
    assert_eq!(books.decision.unwrap()["outcome"], "met");
    1
}

/// A code gives one token, a token one batch: what was acknowledged is refused now, anything else is good once.
async fn is_good_once(wire: &Wire, sent: &Sent) {
    let first = wire.repeat(sent).await.status;
    let second = wire.repeat(sent).await.status;
    assert!(matches!(second, 400 | 401), "{}: {second} at the second time", sent.url);
    match sent.status {
        Some(200) => assert!(matches!(first, 400 | 401), "{}: {first} after an acknowledgement", sent.url),
        _ => assert!(matches!(first, 200 | 400 | 401), "{}: {first}", sent.url),
    }
}

/// As [`is_good_once`], for an answer; gives the way back if it is taken only now.
async fn answer_is_good_once(wire: &Wire, sent: &Sent) -> Option<String> {
    let again = tokio::time::timeout(PATIENCE, async {
        loop {
            let reply = wire.repeat(sent).await;
            if reply.status != 503 {
                break reply;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let first = again.await.expect("a lease ends");
    let second = wire.repeat(sent).await;
    assert_eq!(second.status, 400, "an answer is taken once");
    assert!(!String::from_utf8_lossy(&second.body).contains("response_code"));
    if first.status == 200 {
        assert_ne!(sent.status, Some(200), "an acknowledged answer is not taken again");
        let body: Value = serde_json::from_slice(&first.body).unwrap();
        return Some(body["redirect_uri"].as_str().unwrap().to_owned());
    }
    assert_eq!(first.status, 400);
    None
}
