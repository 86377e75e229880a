//! Each check of the plumbing, switched off: the attack that it stops then succeeds.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vouchsafe_mutants::{without, without_async};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::client::{Http, Reach};
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys;
use vouchsafe_service::limits::{AddressPrefix, Rate};
use vouchsafe_service::listen::{ClearText, Identity, Limits, Listener};
use vouchsafe_service::secret::ServerKey;
use vouchsafe_service::store::{Schema, Sqlite};
use zeroize::Zeroizing;

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn limits() -> Limits {
    Limits { header: Duration::from_secs(1), uri_bytes: 100, body_bytes: 10, ..Limits::default() }
}

fn start(listener: Listener) -> SocketAddr {
    let address = listener.address();
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async move { body }));
    tokio::spawn(listener.serve(router, std::future::pending()));
    address
}

/// Sends a request to a server of its own and gives the status of the answer; `None` when the server cut it.
async fn status(request: &str) -> Option<u16> {
    status_within(limits(), request).await
}

async fn status_within(limits: Limits, request: &str) -> Option<u16> {
    let address = start(Listener::clear(loopback(), ClearText::Loopback, limits).await.unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    std::str::from_utf8(&head).unwrap().rsplit(' ').next().unwrap().parse().ok()
}

#[tokio::test]
async fn requests_that_the_door_refuses() {
    let long = format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(100));
    let chunked =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
    let hosts = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let large = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890";
    for (mutant, request, refusal) in [
        ("svc-uri-length", long.as_str(), 414),
        ("svc-transfer-encoding", chunked, 411),
        ("svc-host", hosts, 400),
        ("svc-body-cap", large, 413),
    ] {
        assert_eq!(status(request).await, Some(refusal), "{mutant}");
        assert_eq!(without_async(mutant, status(request)).await, Some(200), "{mutant}");
    }
}

#[tokio::test]
async fn bodies_over_their_sum() {
    let post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n012345678";
    let post = || status_within(Limits { bodies_bytes: 8, ..limits() }, post);
    assert_eq!(post().await, Some(503));
    assert_eq!(without_async("svc-bodies-cap", post()).await, Some(200));
}

#[tokio::test]
async fn a_slow_header() {
    let slow = |seconds| timeout(Duration::from_secs(seconds), status("GET / HTTP/1.1\r\nHost: "));
    assert_eq!(slow(60).await.unwrap(), None);
    assert!(without_async("svc-watchdog", slow(3)).await.is_err(), "the connection is left open");
}

#[tokio::test]
async fn clear_text_for_everybody() {
    let bind = || Listener::clear(SocketAddr::from(([0, 0, 0, 0], 0)), ClearText::Loopback, limits());
    assert!(bind().await.is_err());
    assert!(without_async("svc-clear-loopback", bind()).await.is_ok());
}

#[tokio::test]
async fn addresses_and_replies_that_the_client_refuses() {
    keys::install();
    let now = UnixTime(1_790_000_000);
    let ca = DevCa::generate("Larkfield development", now).unwrap();
    let leaf = ca.server(&["localhost", "127.0.0.1"], now).unwrap();
    let identity = Arc::new(Identity::from_leaf(&leaf).unwrap());
    let port = start(Listener::tls(loopback(), identity, limits()).await.unwrap()).port();
    let http = |reach| Http::new(&[ca.certificate().clone()], reach).unwrap();

    for (mutant, host) in [("svc-ssrf-literal", "127.0.0.1"), ("svc-ssrf-name", "localhost")] {
        let (http, url) = (http(Reach::Global), format!("https://{host}:{port}/"));
        let fetch = async || http.get(&url).send().await.is_ok();
        assert!(!fetch().await, "{mutant}");
        assert!(without_async(mutant, fetch()).await, "{mutant}");
    }
    let (http, url) = (http(Reach::Loopback), format!("https://localhost:{port}/"));
    let fetch = async || http.get(&url).max_reply(4).send().await.is_ok();
    assert!(!fetch().await);
    assert!(without_async("svc-reply-cap", fetch()).await);
}

#[test]
fn secrets_and_rates() {
    let key = ServerKey::new(Zeroizing::new([1; 32]));
    let guess = || key.matches("code", b"guess", &key.hmac("code", b"right"));
    assert!(!guess());
    assert!(without("svc-hmac", guess));

    let flood = || {
        let rate = Rate::new(1, 60);
        let prefix = AddressPrefix::of([192, 0, 2, 1].into());
        rate.admits(prefix, UnixTime(0)) && rate.admits(prefix, UnixTime(0))
    };
    assert!(!flood());
    assert!(without("svc-rate", flood));
}

fn migrator(count: i64) -> Migrator {
    let migrations = (1..=count).map(|version| {
        let sql = sqlx::AssertSqlSafe(format!("CREATE TABLE t{version} (n INTEGER)")).into_sql_str();
        Migration::new(version, format!("t{version}").into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

async fn insert(store: &Sqlite) -> Result<(), sqlx::Error> {
    let mut transaction = store.write().await?;
    sqlx::query("INSERT INTO t1 (n) VALUES (1)").execute(&mut *transaction).await?;
    transaction.commit().await
}

async fn opens(path: &Path, count: i64) -> bool {
    Sqlite::open(path, &migrator(count), Schema::Expect).await.is_ok()
}

#[tokio::test]
async fn files_that_the_store_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.sqlite");
    let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
    for _ in 0..2_000 {
        insert(&store).await.unwrap();
    }
    store.close().await;

    assert!(!opens(&path, 2).await);
    assert!(without_async("store-migrated", opens(&path, 2)).await);

    let mut torn = std::fs::read(&path).unwrap();
    let end = torn.len();
    torn[end - 4_096..].fill(0);
    std::fs::write(&path, torn).unwrap();
    assert!(!opens(&path, 1).await);
    assert!(without_async("store-integrity", opens(&path, 1)).await);
}

#[tokio::test]
async fn a_connection_left_inside_a_transaction() {
    let sees_the_newest = async || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.sqlite");
        let store = Sqlite::open(&path, &migrator(1), Schema::Migrate).await.unwrap();
        let count = || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t1").fetch_one(store.reader());
        let mut connection = store.reader().acquire().await.unwrap();
        // The driver does not know of a transaction that was begun by hand; it holds on to what it saw.
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM t1").execute(&mut *connection).await.unwrap();
        drop(connection);
        // It comes back to its pool by itself, or is closed.
        let pool = store.reader();
        let back = async {
            while usize::try_from(pool.size()).unwrap() != pool.num_idle() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), back).await.unwrap();
        insert(&store).await.unwrap();
        count().await.unwrap() == 1
    };
    assert!(sees_the_newest().await);
    assert!(!without_async("store-clean", sees_the_newest()).await);
}
