use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use vouchsafe_cluster::{Cluster, Tls, USER};
use vouchsafe_mutants::without_async;
use vouchsafe_protocol::time::UnixTime;

use super::*;
use crate::clock::{DatabaseClock, ManualClock};
use crate::dev_ca::DevCa;
use crate::keys;
use crate::store::detached;

const FIRST: &str = "CREATE TABLE t1 (n BIGINT NOT NULL UNIQUE)";
const SECOND: &str = "ALTER TABLE t1 ADD COLUMN note TEXT";
/// How long a test waits for what must come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

fn migrator(texts: &[&str]) -> Migrator {
    let migrations = (1..).zip(texts).map(|(version, text)| {
        let text = AssertSqlSafe((*text).to_owned()).into_sql_str();
        Migration::new(version, Cow::Owned(format!("m{version}")), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn cluster() -> Cluster {
    Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"))
}

fn fresh(cluster: &Cluster) -> Server {
    Server {
        host: cluster.socket().to_str().unwrap().to_owned(),
        port: cluster.port(),
        name: cluster.database(),
        user: USER.to_owned(),
        password: None,
        root_certificate: None,
    }
}

async fn open(server: &Server, texts: &[&str], schema: Schema) -> Result<Postgres, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
    Postgres::open(server, &migrator(texts), schema, &clock).await
}

async fn insert(store: Postgres, n: i64) -> Result<(), sqlx::Error> {
    let mut writing = store.write().await?;
    sqlx::query("INSERT INTO t1 (n) VALUES ($1)").bind(n).execute(&mut *writing).await?;
    writing.commit().await
}

/// Asks until it holds: a busy machine may refuse for a moment, and in the end must not.
async fn soon(holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("it holds in the end");
}

async fn inserted(store: &Postgres, n: i64) {
    soon(async || insert(store.clone(), n).await.is_ok()).await;
}

async fn count(store: &Postgres) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM t1").fetch_one(store.reader()).await.unwrap()
}

/// A statement by somebody who is none of ours, as the database's owner.
async fn say(server: &Server, sql: &str) {
    let mut connection = connect(&options(server).unwrap()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn postgres_sessions_are_safe_to_lend() {
    let cluster = cluster();
    sessions_read_and_have_limits(&fresh(&cluster)).await;
    commits_wait_without_a_limit(&cluster).await;
    transactions_left_open_are_not_lent_again(&cluster).await;
    a_handler_dropped_at_any_poll_harms_nobody(&fresh(&cluster)).await;
    the_clock_goes_by_the_server(&fresh(&cluster)).await;
}

async fn sessions_read_and_have_limits(server: &Server) {
    let store = open(server, &[FIRST], Schema::Migrate).await.unwrap();
    let written = sqlx::query("INSERT INTO t1 (n) VALUES (1)").execute(store.reader()).await;
    assert_eq!(code(&written.unwrap_err()).as_deref(), Some("25006"), "what reads cannot write");
    inserted(&store, 1).await;
    assert_eq!(code(&insert(store.clone(), 1).await.unwrap_err()).as_deref(), Some("23505"));
    assert_eq!(count(&store).await, 1);
    let slow = sqlx::query("SELECT pg_sleep(5)").execute(store.reader()).await;
    assert_eq!(code(&slow.unwrap_err()).as_deref(), Some("57014"), "a statement is limited");
    let mut first = store.write().await.unwrap();
    sqlx::query("SELECT n FROM t1 FOR UPDATE").execute(&mut *first).await.unwrap();
    let mut second = store.write().await.unwrap();
    let waited = sqlx::query("SELECT n FROM t1 FOR UPDATE").execute(&mut *second).await;
    assert_eq!(code(&waited.unwrap_err()).as_deref(), Some("55P03"), "waiting for a row is limited");
    assert!(second.commit().await.is_err(), "what has failed cannot be committed");
    first.commit().await.unwrap();
    assert!(store.is_ready().await);
    store.close().await;
    assert!(!store.is_ready().await);
}

async fn commits_wait_without_a_limit(cluster: &Cluster) {
    let limit_at_commit = async || {
        let store = open(&fresh(cluster), &[FIRST, RECORDS], Schema::Migrate).await.unwrap();
        inserted(&store, 1).await;
        let limit: String =
            sqlx::query_scalar("SELECT note FROM seen").fetch_one(store.reader()).await.unwrap();
        limit
    };
    assert_eq!(limit_at_commit().await, "0");
    assert_eq!(without_async("postgres-commit-limit", limit_at_commit()).await, "2s");
}

/// Notes the limit that holds while a transaction commits.
const RECORDS: &str = "CREATE TABLE seen (note TEXT);
CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO seen VALUES (current_setting('statement_timeout')); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t1 DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION record();";

async fn transactions_left_open_are_not_lent_again(cluster: &Cluster) {
    assert_eq!(left_open(cluster).await, 0);
    let left = without_async("postgres-clean", left_open(cluster)).await;
    assert_eq!(left, 1, "the driver has mended this: the hook may go");
    // Begun by hand, and failed in: such a connection is closed as well.
    let store = open(&fresh(cluster), &[FIRST], Schema::Migrate).await.unwrap();
    for by_hand in ["BEGIN READ WRITE; INSERT INTO t1 (n) VALUES (1)", "BEGIN; SELECT 1/0"] {
        let mut connection = store.reader().acquire().await.unwrap();
        let _ = sqlx::raw_sql(by_hand).execute(&mut *connection).await;
        drop(connection);
    }
    inserted(&store, 2).await;
    assert_eq!(count(&store).await, 1);
}

/// Drops a future between its BEGIN and the answer; gives how many connections are then lent inside a transaction.
async fn left_open(cluster: &Cluster) -> i64 {
    let server = fresh(cluster);
    let way = Way::to(&server);
    let store = open(&way.server, &[FIRST], Schema::Migrate).await.unwrap();
    way.hold_after_begin();
    loop {
        tokio::select! {
            begun = store.write() => assert!(matches!(begun, Err(sqlx::Error::PoolTimedOut)), "it was not held"),
            () = way.held.notified() => break,
        }
    }
    way.let_go();
    let pool = store.reader();
    soon(async || usize::try_from(pool.size()).is_ok_and(|all| all == pool.num_idle())).await;
    let (mut lent, mut processes) = (Vec::new(), Vec::new());
    for _ in 0..pool.size().max(1) {
        let mut connection = pool.acquire().await.unwrap();
        let process: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
        processes.push(process);
        lent.push(connection);
    }
    let inside =
        "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1) AND state LIKE 'idle in transaction%'";
    let mut watch = connect(&options(&server).unwrap()).await.unwrap();
    sqlx::query_scalar(inside).bind(processes).fetch_one(&mut watch).await.unwrap()
}

/// A way to a server on which what the server says can be held back, so that a future is dropped before it comes.
struct Way {
    server: Server,
    /// Whether the next BEGIN is the last thing that is answered.
    armed: Arc<AtomicBool>,
    holds: watch::Sender<bool>,
    /// Told when a BEGIN was sent whose answer is held back.
    held: Arc<Notify>,
    _socket: tempfile::TempDir,
    carrier: JoinHandle<()>,
}

impl Way {
    fn to(server: &Server) -> Self {
        let socket = tempfile::tempdir().unwrap();
        let name = format!(".s.PGSQL.{}", server.port);
        let there = std::path::Path::new(&server.host).join(&name);
        let listener = UnixListener::bind(socket.path().join(name)).unwrap();
        let (armed, holds, held) =
            (Arc::new(AtomicBool::new(false)), watch::Sender::new(false), Arc::default());
        let keys = (Arc::clone(&armed), holds.clone(), Arc::clone(&held));
        let carrier = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (armed, holds, held) = keys.clone();
                tokio::spawn(carry(client, UnixStream::connect(&there).await.unwrap(), armed, holds, held));
            }
        });
        let server = Server { host: socket.path().to_str().unwrap().to_owned(), ..server.clone() };
        Self { server, armed, holds, held, _socket: socket, carrier }
    }

    fn hold_after_begin(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn let_go(&self) {
        self.armed.store(false, Ordering::SeqCst);
        self.holds.send_replace(false);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Carries both ways, what the server says only while nothing is held back.
async fn carry(
    client: UnixStream,
    server: UnixStream,
    armed: Arc<AtomicBool>,
    holds: watch::Sender<bool>,
    held: Arc<Notify>,
) {
    let (mut heard, mut told) = client.into_split();
    let (mut said, mut asked) = server.into_split();
    let mut free = holds.subscribe();
    let answers = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = said.read(&mut buffer).await {
            let _ = free.wait_for(|held| !held).await;
            told.write_all(&buffer[..length]).await?;
        }
        told.shutdown().await
    };
    let questions = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = heard.read(&mut buffer).await {
            let begins = buffer[..length].windows(5).any(|word| word == b"BEGIN");
            if begins && armed.load(Ordering::SeqCst) {
                holds.send_replace(true);
                held.notify_one();
            }
            asked.write_all(&buffer[..length]).await?;
        }
        asked.shutdown().await
    };
    let _ = tokio::join!(answers, questions);
}

/// Polls `polls` times and drops. In between the answer has time to come.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
}

async fn a_handler_dropped_at_any_poll_harms_nobody(server: &Server) {
    let store = open(server, &[FIRST], Schema::Migrate).await.unwrap();
    for polls in 0..24 {
        let n = i64::try_from(polls).unwrap();
        dropped_after(polls, insert(store.clone(), n)).await;
        dropped_after(polls, detached(insert(store.clone(), 100 + n))).await;
        inserted(&store, 1_000 + n).await;
    }
    let kept = "SELECT count(*) FROM t1 WHERE n >= 1000";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(store.reader()).await.unwrap();
    assert_eq!(kept, 24);
}

async fn the_clock_goes_by_the_server(server: &Server) {
    let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
    let mut store = Postgres::open(server, &migrator(&[FIRST]), Schema::Migrate, &clock).await.unwrap();
    let apart = || (clock.now_ms() - SystemClock.now_ms()).abs();
    assert!(apart() < 10_000, "one machine, one time");
    soon(async || store.is_ready().await).await;
    for (off, ready) in [(10, true), (-10, true), (3_600, false), (-3_600, false)] {
        store.wall = Arc::new(ManualClock::at(UnixTime(SystemClock.now().0 + off)));
        match ready {
            true => soon(async || store.is_ready().await).await,
            false => assert!(!store.is_ready().await, "{off} seconds off"),
        }
        without_async("postgres-skew", soon(async || store.is_ready().await)).await;
    }
    assert!(apart() < 10_000, "however wrong this machine is");
    let limits = [(30_000, true), (-30_000, true), (30_001, false), (-30_001, false)];
    assert!(limits.into_iter().all(|(skew, ready)| agrees(skew) == ready), "thirty seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_migrates_while_it_serves() {
    let cluster = cluster();
    schemas_of_other_versions(&fresh(&cluster)).await;
    many_migrate_at_once(&fresh(&cluster)).await;
    the_previous_version_goes_on(&fresh(&cluster)).await;
}

async fn schemas_of_other_versions(server: &Server) {
    let opened = async |texts: &[&str]| open(server, texts, Schema::Expect).await.map(drop);
    assert!(matches!(opened(&[FIRST]).await, Err(OpenError::NotMigrated)), "nothing was ever applied");
    assert_eq!(Postgres::examine(server, &migrator(&[FIRST])).await.unwrap().pending, ["0001 m1"]);
    open(server, &[FIRST], Schema::Migrate).await.unwrap();
    opened(&[FIRST]).await.unwrap();
    let standing = Postgres::examine(server, &migrator(&[FIRST, SECOND])).await.unwrap();
    assert_eq!((standing.newest, standing.pending.as_slice()), (Some(1), &["0002 m2".to_owned()][..]));
    assert!(standing.skew_ms.is_some() && standing.clocks_agree(), "one machine, one time");
    assert!(!Standing { skew_ms: Some(30_001), ..standing }.clocks_agree());
    assert!(matches!(opened(&[FIRST, SECOND]).await, Err(OpenError::NotMigrated)));
    without_async("store-migrated", opened(&[FIRST, SECOND])).await.unwrap();
    assert!(matches!(opened(&["CREATE TABLE t1 (n BIGINT)"]).await, Err(OpenError::NotMigrated)), "altered");
    open(server, &[FIRST, SECOND], Schema::Migrate).await.unwrap();
    opened(&[FIRST]).await.unwrap();
    let store = open(server, &[FIRST], Schema::Expect).await.unwrap();
    assert!(store.is_migrated(&migrator(&[FIRST, SECOND])).await.unwrap());
    assert!(!store.is_migrated(&migrator(&[FIRST, SECOND, "SELECT 1"])).await.unwrap());
    let broken =
        open(server, &[FIRST, SECOND, "CREATE TABLE t2 (n BIGINT); SELECT 1/0"], Schema::Migrate).await;
    assert!(matches!(broken, Err(OpenError::Migration(_))));
    open(server, &[FIRST, SECOND, "CREATE TABLE t2 (n BIGINT)"], Schema::Migrate).await.unwrap();
}

async fn many_migrate_at_once(server: &Server) {
    let one = || open(server, &[FIRST, SECOND], Schema::Migrate);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    for opened in [a, b, c, d] {
        opened.unwrap();
    }
}

async fn the_previous_version_goes_on(server: &Server) {
    let store = open(server, &[FIRST], Schema::Migrate).await.unwrap();
    let mut watch = connect(&options(server).unwrap()).await.unwrap();
    // Somebody reads for a while, so that the table's lock is not to be had at first.
    let mut long = reading(&store).await;
    let migrated = AtomicBool::new(false);
    let migrating = async {
        open(server, &[FIRST, SECOND], Schema::Migrate).await.unwrap();
        migrated.store(true, Ordering::SeqCst);
    };
    let serving = async {
        for n in 0..5 {
            a_lock_is_waited_for(&mut watch).await;
            inserted(&store, n).await;
            // It is not alone for so long that the server ends it.
            sqlx::query("SELECT n FROM t1").execute(&mut *long).await.unwrap();
        }
        assert!(!migrated.load(Ordering::SeqCst), "it waited, and we served");
        long.commit().await.unwrap();
    };
    tokio::join!(migrating, serving);
    inserted(&store, 5).await;
    assert_eq!(count(&store).await, 6);
    whoever_waits_for_long_stops_the_service(&store, server, watch).await;
}

/// What the short wait is for.
async fn whoever_waits_for_long_stops_the_service(
    store: &Postgres,
    server: &Server,
    mut watch: PgConnection,
) {
    let long = reading(store).await;
    let texts = [FIRST, SECOND, "ALTER TABLE t1 ADD COLUMN more TEXT"];
    let migrating = without_async("postgres-migrate-lock", open(server, &texts, Schema::Migrate));
    let serving = async {
        a_lock_is_waited_for(&mut watch).await;
        let refused = loop {
            match insert(store.clone(), 6).await {
                Err(sqlx::Error::PoolTimedOut) => {}
                done => break done,
            }
        };
        long.commit().await.unwrap();
        code(&refused.expect_err("we did not serve"))
    };
    let (opened, refused) = tokio::join!(migrating, serving);
    opened.unwrap();
    assert_eq!(refused.as_deref(), Some("55P03"));
}

async fn reading(store: &Postgres) -> Writing {
    let mut long = store.write().await.unwrap();
    sqlx::query("SELECT n FROM t1").execute(&mut *long).await.unwrap();
    long
}

/// Until somebody stands in the queue for a whole table.
async fn a_lock_is_waited_for(watch: &mut PgConnection) {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let asking = async {
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *watch).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("somebody migrates");
}

#[tokio::test]
async fn postgres_servers_that_are_refused() {
    let sound = Facts {
        version: 150_004,
        synchronous_commit: "on".into(),
        fsync: "on".into(),
        standby: false,
        encoding: "UTF8".into(),
    };
    let remote = Facts { synchronous_commit: "remote_apply".into(), ..sound.clone() };
    assert_eq!((sound.clone().judge(), remote.judge()), (Ok(()), Ok(())));
    for (name, facts) in [
        ("postgres-version", Facts { version: 140_011, ..sound.clone() }),
        ("postgres-commit", Facts { synchronous_commit: "off".into(), ..sound.clone() }),
        ("postgres-commit", Facts { synchronous_commit: "local".into(), ..sound.clone() }),
        ("postgres-fsync", Facts { fsync: "off".into(), ..sound.clone() }),
        ("postgres-standby", Facts { standby: true, ..sound.clone() }),
        ("postgres-encoding", Facts { encoding: "SQL_ASCII".into(), ..sound.clone() }),
    ] {
        assert!(facts.clone().judge().is_err(), "{facts:?}");
        assert_eq!(vouchsafe_mutants::without(name, || facts.judge()), Ok(()), "{name}");
    }
    let cluster = cluster();
    let server = fresh(&cluster);
    let store = open(&server, &[FIRST], Schema::Migrate).await.unwrap();
    say(&server, &format!("ALTER DATABASE {} SET synchronous_commit = off", server.name)).await;
    let refused = open(&server, &[FIRST], Schema::Expect).await;
    assert!(matches!(refused, Err(OpenError::Server(ServerFault::Durability("synchronous_commit", _)))));
    // A pool that was there before does not take such a connection either.
    let connections: Vec<_> = std::iter::from_fn(|| store.reader().try_acquire()).collect();
    assert!(store.reader().acquire().await.is_err());
    drop(connections);
    assert_eq!(options(&Server { host: "localhost".into(), ..server }).err(), Some(ServerFault::NoRoot));
}

#[tokio::test]
async fn postgres_over_the_network_is_known_by_its_certificate() {
    keys::install();
    let now = SystemClock.now();
    let (ca, stranger) = (DevCa::generate("ours", now).unwrap(), DevCa::generate("theirs", now).unwrap());
    let leaf = ca.server(&["localhost"], now).unwrap();
    let (chain, key) = (leaf.certificate_pem(), leaf.key.to_pkcs8_pem());
    let free_port = || std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    // Between our letting go of a port and the server's taking it somebody else may: then another one.
    let mut tries = (0..3).map(|_| Cluster::with_tls(Tls { chain: &chain, key: &key, port: free_port() }));
    let cluster = tries.find_map(Result::ok).expect("a server over TLS");
    let dir = tempfile::tempdir().unwrap();
    let root = |name: &str, ca: &DevCa| {
        let path = dir.path().join(name);
        std::fs::write(&path, ca.certificate_pem()).unwrap();
        Some(path)
    };
    let server =
        Server { host: "localhost".into(), root_certificate: root("ours.pem", &ca), ..fresh(&cluster) };
    let store = open(&server, &[FIRST], Schema::Migrate).await.unwrap();
    let tls: bool = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(store.reader())
        .await
        .unwrap();
    assert!(tls, "nothing is said in the clear");
    let refused = async |server: Server| open(&server, &[FIRST], Schema::Expect).await.is_err();
    assert!(refused(Server { host: "127.0.0.1".into(), ..server.clone() }).await, "another name");
    let theirs = root("theirs.pem", &stranger);
    assert!(refused(Server { root_certificate: theirs, ..server.clone() }).await, "another authority");
    let unknown = Server { root_certificate: None, ..server };
    assert!(refused(unknown.clone()).await, "no authority");
    assert!(without_async("postgres-root", async { options(&unknown).is_ok() }).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_killed_is_busy_and_comes_back_with_all_it_acknowledged() {
    let mut cluster = Cluster::private().unwrap_or_else(|fault| panic!("{fault}"));
    let store = open(&fresh(&cluster), &[FIRST], Schema::Migrate).await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let so_far = Arc::new(AtomicUsize::new(0));
        let writing =
            tokio::spawn(write_until_it_fails(store.clone(), round * 1_000_000, Arc::clone(&so_far)));
        soon(async || so_far.load(Ordering::SeqCst) > 10).await;
        cluster.kill();
        acknowledged.extend(writing.await.unwrap());
        let busy = timeout(Duration::from_secs(10), insert(store.clone(), -1)).await;
        assert!(matches!(busy, Ok(Err(_))), "it says that it is busy, and does not wait for the server");
        assert!(!store.is_ready().await);
        cluster.start().unwrap();
        inserted(&store, round * 1_000_000 + 999_999).await;
        let kept: Vec<i64> = sqlx::query_scalar("SELECT n FROM t1").fetch_all(store.reader()).await.unwrap();
        assert!(acknowledged.iter().all(|n| kept.contains(n)), "what was acknowledged is kept");
    }
    assert!(acknowledged.len() > 30);
}

async fn write_until_it_fails(store: Postgres, from: i64, so_far: Arc<AtomicUsize>) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for n in from.. {
        match insert(store.clone(), n).await {
            Ok(()) => acknowledged.push(n),
            // A busy machine: the server is there.
            Err(sqlx::Error::PoolTimedOut) if acknowledged.len() <= 10 => continue,
            Err(_) => break,
        }
        so_far.store(acknowledged.len(), Ordering::SeqCst);
    }
    acknowledged
}
