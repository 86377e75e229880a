//! `trigger` and `listen`: a receiver on this machine sees the events of a running `dev`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::{Value, json};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::webhook::{Secret, signatures};

use crate::child::{Dev, command, run, signal};

/// One POST to a receiver that says that all is well: its header fields, in lower case, and its body.
fn received(receiver: &TcpListener) -> (String, String) {
    let (stream, _) = receiver.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    let mut body = vec![0; field(&head, "content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn field<'h>(head: &'h str, name: &str) -> &'h str {
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[test]
fn a_receiver_on_this_machine_gets_what_is_triggered() {
    let dir = tempfile::tempdir().unwrap();
    let _dev = Dev::start(dir.path(), "data", 0);
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/hook", receiver.local_addr().unwrap().port());
    let listen = ["listen", "--json", "--data-dir", "data", "--forward-to", &url];
    let mut listening = command(dir.path(), &listen).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
    let mut line = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let ready = line();
    assert_eq!(ready["listening"], true);

    let told = run(dir.path(), &["trigger", "decision.met", "--json", "--data-dir", "data"]);
    assert_eq!((told.code, told.out.trim()), (0, r#"{"made_up":"decision.met"}"#), "{}", told.err);
    let (head, body) = received(&receiver);
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["type"], &event["data"]), (&json!("decision.met"), &json!({"id": "test"})));
    let row = line();
    assert_eq!((&row["type"], &row["status"]), (&json!("decision.met"), &json!(204)));
    let (id, at) = (row["event"].as_str().unwrap(), field(&head, "webhook-timestamp").parse().unwrap());
    assert_eq!(field(&head, "webhook-id"), id.to_ascii_lowercase());
    let secret = Secret::parse(ready["secret"].as_str().unwrap()).unwrap();
    let signed = signatures([&secret], id, UnixTime(at), &body);
    assert_eq!(field(&head, "webhook-signature"), signed.to_ascii_lowercase());

    signal(listening.id(), "INT");
    assert_eq!(listening.wait().unwrap().code(), Some(0));
    let unknown = run(dir.path(), &["trigger", "dance", "--data-dir", "data"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (4, ""), "{}", unknown.err);
}

#[test]
fn nothing_is_forwarded_off_this_machine_and_nothing_runs_without_dev() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path(), "data", 0);
    for url in ["http://192.0.2.1/hook", "http://example.org/hook", "https://localhost/hook", "hook"] {
        let ended = run(dir.path(), &["listen", "--data-dir", "data", "--forward-to", url]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{url}: {}", ended.err);
    }
    drop(dev);
    let ended = run(dir.path(), &["trigger", "decision.met", "--data-dir", "data"]);
    assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{}", ended.err);
    let ended = run(dir.path(), &["trigger", "decision.met", "--data-dir", "absent"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{}", ended.err);
}
