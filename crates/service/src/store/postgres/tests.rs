use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
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
    insert(store.clone(), 1).await.unwrap();
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
        insert(store.clone(), 1).await.unwrap();
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
    // A future dropped while it begins leaves its transaction open, and the driver does not know.
    let left_open = async || {
        let server = fresh(cluster);
        let way = SlowWay::to(&server);
        let store = open(&way.server, &[FIRST], Schema::Migrate).await.unwrap();
        let mut watch = connect(&options(&server).unwrap()).await.unwrap();
        let (mut abandoned, mut left) = (0, 0);
        for polls in (1..8).cycle().take(28) {
            // A connection that is there already: the first polls ask whether it is sound, the next ones begin.
            drop(store.reader().acquire().await.unwrap());
            tokio::time::sleep(Duration::from_millis(40)).await;
            abandoned += usize::from(dropped_after(polls, store.write()).await);
            left += left_in_transaction(&mut watch).await;
            if left > 0 {
                break;
            }
        }
        assert!(abandoned > 0, "no future was dropped while it began");
        left
    };
    assert_eq!(left_open().await, 0);
    assert!(
        without_async("postgres-clean", left_open()).await > 0,
        "the driver has mended this: the hook may go"
    );
    // Begun by hand, and failed in: such a connection is closed as well.
    let store = open(&fresh(cluster), &[FIRST], Schema::Migrate).await.unwrap();
    for by_hand in ["BEGIN READ WRITE; INSERT INTO t1 (n) VALUES (1)", "BEGIN; SELECT 1/0"] {
        let mut connection = store.reader().acquire().await.unwrap();
        let _ = sqlx::raw_sql(by_hand).execute(&mut *connection).await;
        drop(connection);
    }
    insert(store.clone(), 2).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

/// Polls `polls` times and drops; whether that was before the end. In between the answer has time to come.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return false;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    true
}

/// A way to a server on which every answer takes a few polls, so that a future can be dropped before it comes.
struct SlowWay {
    server: Server,
    _socket: tempfile::TempDir,
    carrier: JoinHandle<()>,
}

impl SlowWay {
    fn to(server: &Server) -> Self {
        let socket = tempfile::tempdir().unwrap();
        let name = format!(".s.PGSQL.{}", server.port);
        let there = std::path::Path::new(&server.host).join(&name);
        let listener = UnixListener::bind(socket.path().join(name)).unwrap();
        let carrier = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, UnixStream::connect(&there).await.unwrap()));
            }
        });
        let server = Server { host: socket.path().to_str().unwrap().to_owned(), ..server.clone() };
        Self { server, _socket: socket, carrier }
    }
}

impl Drop for SlowWay {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Carries both ways, what the server says late.
async fn carry(client: UnixStream, server: UnixStream) {
    let (mut heard, mut told) = client.into_split();
    let (mut said, mut asked) = server.into_split();
    let late = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = said.read(&mut buffer).await {
            tokio::time::sleep(Duration::from_millis(4)).await;
            told.write_all(&buffer[..length]).await?;
        }
        told.shutdown().await
    };
    let prompt = async {
        tokio::io::copy(&mut heard, &mut asked).await?;
        asked.shutdown().await
    };
    let _ = tokio::join!(late, prompt);
}

/// Sessions that stay inside a transaction: on a busy machine one that is being closed is seen for a moment.
async fn left_in_transaction(watch: &mut PgConnection) -> i64 {
    let mut left = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = idle_in_transaction(watch).await;
        if left == 0 {
            break;
        }
    }
    left
}

async fn idle_in_transaction(watch: &mut PgConnection) -> i64 {
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND state LIKE 'idle in transaction%'";
    sqlx::query_scalar(open).fetch_one(watch).await.unwrap()
}

async fn a_handler_dropped_at_any_poll_harms_nobody(server: &Server) {
    let store = open(server, &[FIRST], Schema::Migrate).await.unwrap();
    for polls in 0..24 {
        let n = i64::try_from(polls).unwrap();
        dropped_after(polls, insert(store.clone(), n)).await;
        dropped_after(polls, detached(insert(store.clone(), 100 + n))).await;
        insert(store.clone(), 1_000 + n).await.unwrap();
    }
    let kept = "SELECT count(*) FROM t1 WHERE n >= 1000";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(store.reader()).await.unwrap();
    assert_eq!(kept, 24);
}

async fn the_clock_goes_by_the_server(server: &Server) {
    let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
    let mut store = Postgres::open(server, &migrator(&[FIRST]), Schema::Migrate, &clock).await.unwrap();
    assert!((clock.now_ms() - SystemClock.now_ms()).abs() < 1_000, "one machine, one time");
    assert!(store.is_ready().await);
    for (off, ready) in [(29, true), (-29, true), (32, false), (-32, false)] {
        store.wall = Arc::new(ManualClock::at(UnixTime(SystemClock.now().0 + off)));
        assert_eq!(store.is_ready().await, ready, "{off} seconds off");
        assert!(without_async("postgres-skew", store.is_ready()).await);
    }
    assert!((clock.now_ms() - SystemClock.now_ms()).abs() < 1_000, "however wrong this machine is");
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
    open(server, &[FIRST], Schema::Migrate).await.unwrap();
    opened(&[FIRST]).await.unwrap();
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
    // Somebody reads for a while, so that the table's lock is not to be had at first.
    let mut long = store.write().await.unwrap();
    sqlx::query("SELECT n FROM t1").execute(&mut *long).await.unwrap();
    let migrated = AtomicBool::new(false);
    let migrating = async {
        open(server, &[FIRST, SECOND], Schema::Migrate).await.unwrap();
        migrated.store(true, Ordering::SeqCst);
    };
    let serving = async {
        let (mut n, mut long) = (0, Some(long));
        while !migrated.load(Ordering::SeqCst) {
            insert(store.clone(), n).await.unwrap();
            n += 1;
            if n == 20 {
                long.take().unwrap().commit().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        n
    };
    let ((), n) = tokio::join!(migrating, serving);
    assert!(n > 20, "it waited, and we served");
    insert(store.clone(), n).await.unwrap();
    assert_eq!(count(&store).await, n + 1);
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
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (chain, key) = (leaf.certificate_pem(), leaf.key.to_pkcs8_pem());
    let cluster = Cluster::with_tls(Tls { chain: &chain, key: &key, port }).unwrap();
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
        let writing = tokio::spawn(write_until_it_fails(store.clone(), round * 1_000_000));
        tokio::time::sleep(Duration::from_millis(150 + 40 * round.unsigned_abs())).await;
        cluster.kill();
        acknowledged.extend(writing.await.unwrap());
        let busy = timeout(Duration::from_secs(2), insert(store.clone(), -1)).await;
        assert!(matches!(busy, Ok(Err(_))), "it says that it is busy, and soon");
        assert!(!store.is_ready().await);
        cluster.start().unwrap();
        let back = timeout(Duration::from_secs(5), async {
            while insert(store.clone(), round * 1_000_000 + 999_999).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        back.await.expect("it serves again within five seconds");
        let kept: Vec<i64> = sqlx::query_scalar("SELECT n FROM t1").fetch_all(store.reader()).await.unwrap();
        assert!(acknowledged.iter().all(|n| kept.contains(n)), "what was acknowledged is kept");
    }
    assert!(acknowledged.len() > 3);
}

async fn write_until_it_fails(store: Postgres, from: i64) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for n in from.. {
        if insert(store.clone(), n).await.is_err() {
            break;
        }
        acknowledged.push(n);
    }
    acknowledged
}
