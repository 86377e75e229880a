use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vouchsafe_protocol::time::UnixTime;

use super::*;
use crate::client::{FetchError, Http, Reach};
use crate::dev_ca::DevCa;
use crate::keys::install;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const NOW: UnixTime = UnixTime(1_790_000_000);

/// How long a test waits for what must come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in the same process, with limits short enough to see them hold, and long enough for a busy machine.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
}

fn short() -> Limits {
    let ms = Duration::from_millis;
    Limits {
        handshake: ms(1_000),
        header: ms(1_000),
        body: ms(1_000),
        request: ms(2_000),
        taking: ms(200),
        idle: ms(3_000),
        drain: ms(10_000),
        connections: 2,
        body_bytes: 1_000,
        ..Limits::default()
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async move { body }))
        .route("/small", post(|body: String| async move { body }).layer(DefaultBodyLimit::max(10)))
        .route("/panic", get(async || -> String { panic!("a broken invariant") }))
        .route("/slow", get(|| async { sleep(Duration::from_secs(60)).await }))
        .route("/pause", get(|| async { sleep(Duration::from_millis(1_500)).await }))
        .route(
            "/peer",
            get(|Extension(peer): Extension<AddressPrefix>| async move { format!("{:?}", peer.as_bytes()) }),
        )
}

fn run(listener: Listener) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let address = listener.address();
    let ended = tokio::spawn(listener.serve(router(), async move {
        let _ = stopped.await;
    }));
    Running { address, stop: Some(stop), ended }
}

async fn clear(limits: Limits) -> Running {
    run(Listener::clear(LOOPBACK, ClearText::Loopback, limits).await.unwrap())
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` on a connection of its own and gives all that comes back until the server closes.
    async fn exchange(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // A reset after the answer still leaves what was read before it.
    while let Ok(count @ 1..) = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(bytes).unwrap()
}

const CLOSE: &str = "Host: localhost\r\nConnection: close\r\n";

#[tokio::test]
async fn an_answer_is_private_unless_it_says_otherwise() {
    let server = clear(short()).await;
    let answer = server.exchange(&format!("GET / HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("cache-control: no-store\r\n")
            && answer.contains("x-content-type-options: nosniff\r\n")
    );
    assert!(answer.ends_with("hello"));
    let answer = server.exchange(&format!("GET /peer HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(answer.ends_with("[4, 127, 0, 0, 0, 0, 0]"), "{answer}");
}

#[tokio::test]
async fn a_slow_header_is_cut() {
    let server = clear(short()).await;
    for sent in ["", "GET / HTTP/1.1\r\nHost: loc"] {
        assert_eq!(server.exchange(sent).await, "");
    }
    // Dribbling does not extend the time.
    let mut stream = server.connect().await;
    let dribble = async {
        for byte in "GET / HTTP/1.1\r\nX-Slow: 0123456789\r\n".repeat(4).bytes() {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(rest(&mut stream).await, "");
    };
    timeout(PATIENCE, dribble).await.unwrap();
}

#[tokio::test]
async fn a_slow_header_on_a_used_connection_is_cut_before_the_idle_limit() {
    let server = clear(Limits { idle: 10 * PATIENCE, ..short() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    stream.write_all(b"GET / HT").await.unwrap();
    let answers = timeout(PATIENCE, rest(&mut stream)).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_kept_and_then_cut() {
    let server = clear(short()).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        // Longer than a header may take, shorter than a connection may idle.
        sleep(Duration::from_millis(1_500)).await;
    }
    let answers = timeout(PATIENCE, rest(&mut stream)).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2);
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let server = clear(short()).await;
    let long = "x".repeat(17 * 1024);
    let answer = server.exchange(&format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n{CLOSE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = "X-Many: 1\r\n".repeat(65);
    let answer = server.exchange(&format!("GET / HTTP/1.1\r\n{many}{CLOSE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let query = "q".repeat(4 * 1024);
    let answer = server.exchange(&format!("GET /?{query} HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(
        answer.starts_with("HTTP/1.1 414") && answer.contains("urn:vouchsafe:problem:uri-too-long"),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_have_a_cap_and_a_time() {
    let server = clear(short()).await;
    let post = |path: &str, length: usize, body: &str| {
        format!("POST {path} HTTP/1.1\r\n{CLOSE}Content-Length: {length}\r\n\r\n{body}")
    };
    assert!(server.exchange(&post("/echo", 3, "abc")).await.ends_with("abc"));
    assert!(server.exchange(&post("/echo", 1_001, "")).await.starts_with("HTTP/1.1 413"));
    assert!(server.exchange(&post("/small", 11, "01234567890")).await.starts_with("HTTP/1.1 413"));
    let slow = server.exchange(&post("/echo", 10, "abc")).await;
    assert!(slow.starts_with("HTTP/1.1 408") && slow.contains("too-slow"), "{slow}");
}

#[tokio::test]
async fn all_bodies_together_have_a_cap() {
    let server = clear(Limits { bodies_bytes: 1_500, connections: 4, ..short() }).await;
    let head = |length: usize| format!("POST /echo HTTP/1.1\r\n{CLOSE}Content-Length: {length}\r\n\r\n");
    let post = |length: usize| head(length) + &"x".repeat(length);
    // What is announced and does not come takes nothing from others.
    let mut announced = server.connect().await;
    announced.write_all(head(1_000).as_bytes()).await.unwrap();
    sleep(Duration::from_millis(150)).await;
    assert!(server.exchange(&post(1_000)).await.starts_with("HTTP/1.1 200"));
    let mut held = server.connect().await;
    held.write_all(head(1_000).as_bytes()).await.unwrap();
    held.write_all("x".repeat(900).as_bytes()).await.unwrap();
    sleep(Duration::from_millis(150)).await;
    let refused = server.exchange(&post(700)).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(server.exchange(&post(500)).await.starts_with("HTTP/1.1 200"), "there is room for less");
    held.write_all("x".repeat(100).as_bytes()).await.unwrap();
    assert!(rest(&mut held).await.starts_with("HTTP/1.1 200"));
    assert!(server.exchange(&post(700)).await.starts_with("HTTP/1.1 200"), "the room is given back");
}

#[tokio::test]
async fn a_transfer_coding_is_refused_with_or_without_a_length() {
    let server = clear(short()).await;
    let chunked = "Transfer-Encoding: chunked\r\n";
    for fields in [
        chunked.to_owned(),
        format!("Content-Length: 3\r\n{chunked}"),
        format!("{chunked}Content-Length: 3\r\n"),
    ] {
        let text = format!("POST /echo HTTP/1.1\r\n{CLOSE}{fields}\r\n3\r\nabc\r\n0\r\n\r\n");
        assert!(server.exchange(&text).await.starts_with("HTTP/1.1 411"), "{fields}");
    }
    let two = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
    assert!(server.exchange(two).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = clear(short()).await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let answer = server.exchange(&format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn a_slow_handler_is_given_up() {
    let server = clear(short()).await;
    let answer = server.exchange(&format!("GET /slow HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_panicking_handler_is_answered_for() {
    let server = clear(short()).await;
    let answer = server.exchange(&format!("GET /panic HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(
        answer.starts_with("HTTP/1.1 500") && answer.contains("urn:vouchsafe:problem:internal"),
        "{answer}"
    );
}

#[tokio::test]
async fn connections_over_the_cap_wait_their_turn() {
    let server = clear(short()).await;
    let mut held = [server.connect().await, server.connect().await];
    // Both slots are taken by silent connections; the third is answered when their header time is over.
    let answer = server.exchange(&format!("GET / HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(answer.ends_with("hello"));
    assert_eq!(rest(&mut held[0]).await, "");
}

#[tokio::test]
async fn stopping_finishes_what_is_in_progress() {
    let mut server = clear(short()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /pause HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(600)).await;
    server.stop.take().unwrap().send(()).unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn clear_text_stays_on_loopback() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Listener::clear(everywhere, ClearText::Loopback, short()).await;
    assert!(matches!(refused, Err(ListenError::NotLoopback(_))));
    assert!(Listener::clear(everywhere, ClearText::Operations, short()).await.is_ok());
}

#[tokio::test]
async fn tls_answers_under_its_anchor_and_cuts_a_slow_handshake() {
    install();
    let ca = DevCa::generate("Larkfield development", NOW).unwrap();
    let leaf = ca.server(&["localhost"], NOW).unwrap();
    let identity = Arc::new(Identity::from_leaf(&leaf).unwrap());
    let server = run(Listener::tls(LOOPBACK, identity, short()).await.unwrap());
    let url = format!("https://localhost:{}", server.address.port());

    let http = Http::new(&[ca.certificate().clone()], Reach::Loopback).unwrap();
    let reply = http.post(&format!("{url}/echo")).form(&[("a", "b c")]).send().await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"a=b+c".as_slice()));
    assert_eq!(reply.media_type(), "text/plain");
    assert_eq!(http.get(&url).max_reply(4).send().await.err(), Some(FetchError::Reply));

    let stranger = DevCa::generate("Larkfield development", NOW).unwrap();
    let http = Http::new(&[stranger.certificate().clone()], Reach::Loopback).unwrap();
    assert_eq!(http.get(&url).send().await.err(), Some(FetchError::Unreachable));

    assert_eq!(server.exchange("").await, "");
}

#[tokio::test]
async fn a_replaced_certificate_is_taken_up_and_a_bad_one_is_not() {
    install();
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    let write = |ca: &DevCa| {
        let leaf = ca.server(&["localhost"], NOW).unwrap();
        std::fs::write(&chain, leaf.certificate_pem()).unwrap();
        std::fs::write(&key, leaf.key.to_pkcs8_pem().as_str()).unwrap();
    };
    let (first, second) = (DevCa::generate("One", NOW).unwrap(), DevCa::generate("Two", NOW).unwrap());
    write(&first);
    let identity = Arc::new(Identity::from_files(&chain, crate::config::SecretFile::new(&key)).unwrap());
    let server = run(Listener::tls(LOOPBACK, Arc::clone(&identity), short()).await.unwrap());
    let url = format!("https://localhost:{}", server.address.port());
    let trusts = async |ca: &DevCa| {
        let http = Http::new(&[ca.certificate().clone()], Reach::Loopback).unwrap();
        http.get(&url).send().await.is_ok()
    };
    assert!(trusts(&first).await);
    write(&second);
    identity.reload();
    assert!(trusts(&second).await && !trusts(&first).await);
    std::fs::write(&key, "nothing").unwrap();
    identity.reload();
    assert!(trusts(&second).await);
    assert!(Identity::from_files(&chain, crate::config::SecretFile::new(&key)).is_err());
}
