//! A process that decides is killed without warning, again and again, until everything is decided: after each time the log
//! holds, and every decision has its entry and its message.
//!
//! The process is this program itself, told by its environment to decide and not to test. When it is killed grows with every
//! round, in steps that fall on other moments each time: into a decision, between two, into a checkpoint.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::install;
use vouchsafe_service::store::{Place, Schema};
use vouchsafe_verifier::app::App;
use vouchsafe_verifier::audit::verify;
use vouchsafe_verifier::expiry::settle;
use vouchsafe_verifier::log::publish;
use vouchsafe_verifier::notices::declare;
use world::{NOON, World, config};

/// The folder that the process decides in, and the server, if its database is on one.
const FOLDER: &str = "VOUCHSAFE_TEST_DECIDES_IN";
const SERVER: &str = "VOUCHSAFE_TEST_DECIDES_ON";
/// Requests that are over and wait for their decision.
const REQUESTS: usize = 120;

fn server(host: &str, port: u16, name: &str) -> Place {
    Place::Server(vouchsafe_service::store::Server {
        host: host.to_owned(),
        port,
        name: name.to_owned(),
        user: vouchsafe_cluster::USER.to_owned(),
        password: None,
        root_certificate: None,
    })
}

/// What the process does that is killed. Nothing, where nobody asks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the one that kills waits for this line")]
#[expect(clippy::disallowed_methods, reason = "the one that kills says where")]
async fn decides_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    install();
    let mut config = config(folder.as_ref());
    if let Ok(on) = std::env::var(SERVER) {
        let [host, port, name]: [&str; 3] = on.split('|').collect::<Vec<_>>().try_into().unwrap();
        config.database = server(host, port.parse().unwrap(), name);
    }
    let clock = Arc::new(ManualClock::at(NOON.plus(7200)));
    let app = App::open(config, clock, Arc::new(OsEntropy::new()), Schema::Expect).await.unwrap();
    println!("ready");
    declare(&app).await.unwrap();
    while let Some(request) = app.store().due(app.now(), 1).await.unwrap().pop() {
        settle(&app, request, app.now()).await.unwrap();
        publish(&app).await.unwrap();
    }
    println!("done");
}

/// Runs the process and kills it after so long; `false` where it had decided everything before.
#[expect(clippy::disallowed_methods, reason = "this program runs itself")]
fn run_and_kill(world: &World, after: Duration) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "decides_until_it_is_killed", "--nocapture"]).env(FOLDER, world.folder.path());
    if let Place::Server(server) = &world.config.database {
        command.env(SERVER, format!("{}|{}|{}", server.host, server.port, server.name));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(out.any(|line| line.ends_with("ready")), "it came up");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    !out.any(|line| line.ends_with("done"))
}

/// Requests that are decided, decisions, entries of decisions, requests with a message, messages.
type Counts = (i64, i64, i64, i64, i64);

async fn counts(world: &World) -> Counts {
    let all = "SELECT (SELECT count(*) FROM requests WHERE status = 'decided'), (SELECT count(*) FROM decisions), \
               (SELECT count(*) FROM log_leaves WHERE service_id <> '' AND place IS NOT NULL), \
               (SELECT count(DISTINCT request_id) FROM outbox), (SELECT count(*) FROM outbox)";
    match &world.config.database {
        Place::File(path) => {
            let file = format!("sqlite://{}", path.display());
            sqlx::query_as(all).fetch_one(&mut SqliteConnection::connect(&file).await.unwrap()).await.unwrap()
        }
        Place::Server(server) => {
            let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().socket(&server.host);
            let options = options.port(server.port).username(&server.user).database(&server.name);
            sqlx::query_as(all)
                .fetch_one(&mut PgConnection::connect_with(&options).await.unwrap())
                .await
                .unwrap()
        }
    }
}

async fn it_agrees_after_every_kill(world: World) {
    for _ in 0..REQUESTS {
        world.ask("counter", "cross_device").await;
    }
    world.app.close().await;
    let mut rounds = 0_u64;
    loop {
        rounds += 1;
        let after = Duration::from_micros(500 + rounds * 7919 % (2_000 + rounds * 1_000));
        let killed = tokio::task::block_in_place(|| run_and_kill(&world, after));
        let verdict = verify(&world.config).await.unwrap();
        assert_eq!(verdict.faults, [], "round {rounds}");
        let (requests, decisions, entries, told, messages) = counts(&world).await;
        assert_eq!([decisions, entries, told, messages], [requests; 4], "round {rounds}");
        if !killed {
            assert_eq!(usize::try_from(requests).unwrap(), REQUESTS);
            assert_eq!(verdict.notices, 7, "what is in force was stated once");
            break;
        }
    }
    assert!(rounds > 3, "it was killed at several moments: {rounds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_file_decision_entry_and_message_agree_after_every_kill() {
    it_agrees_after_every_kill(World::new().await).await;
}

#[cfg(feature = "mutants")]
#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_decision_entry_and_message_agree_after_every_kill() {
    let cluster = vouchsafe_cluster::Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let place = server(cluster.socket().to_str().unwrap(), cluster.port(), &cluster.database());
    it_agrees_after_every_kill(World::new().await.moved(place).await).await;
}
