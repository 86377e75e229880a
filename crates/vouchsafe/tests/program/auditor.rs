//! What an auditor types, and a witness's operator.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_protocol::tlog::note::{Kind, NoteKey};
use vouchsafe_service::keys::Ed25519Key;

use crate::child::{command, run, signal};
use crate::production::Installation;

#[tokio::test]
async fn an_auditor_reads_and_is_told_by_the_exit_code() {
    let there = Installation::new().await;
    let (dir, config) = (there.dir.path(), there.config("verifier"));
    let config = config.to_str().unwrap();
    let says = |args: &[&str]| run(dir, &[args, &["--config", config]].concat());
    let absent = says(&["verifier", "audit", "verify"]);
    assert_eq!(absent.code, 5, "there is no database yet: {}", absent.err);
    assert_eq!(says(&["migrate", "verifier"]).code, 0);
    let whole = says(&["verifier", "audit", "verify", "--json"]);
    assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
    let verdict: Value = serde_json::from_str(&whole.out).unwrap();
    assert_eq!((&verdict["entries"], &verdict["faults"]), (&0.into(), &Value::Array(Vec::new())));
    assert_eq!(says(&["verifier", "audit", "notices", "--json"]).out, "[]\n");
    assert_eq!(says(&["verifier", "audit", "report"]).out, "policy,month,outcome,count\n");
    assert_eq!(says(&["verifier", "audit", "report", "--format", "json"]).out, "[]\n");

    let purposes = says(&["verifier", "purposes", "export"]);
    assert!(purposes.out.starts_with("id,version,text_en,"), "{}{}", purposes.out, purposes.err);
    let linked = says(&["verifier", "purposes", "export", "--format", "jsonld"]);
    let linked: Value = serde_json::from_str(&linked.out).unwrap();
    assert_eq!(linked["purposes"].as_array().unwrap().len(), purposes.out.lines().count() - 1);

    let file = dir.join("verifier/verifier.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let added = "INSERT INTO log_leaves (service_id, leaf, place) VALUES ('', zeroblob(32), 0)";
    sqlx::query(added).execute(&mut database).await.unwrap();
    let spoilt = says(&["verifier", "audit", "verify"]);
    assert_eq!(spoilt.code, 3, "{}{}", spoilt.out, spoilt.err);
    assert!(
        spoilt.out.contains("log_leaves (place 0), leaf") && spoilt.err.contains("[audit]"),
        "{}",
        spoilt.out
    );
}

#[tokio::test]
async fn a_witness_says_its_key_and_stops_when_asked() {
    vouchsafe_service::keys::install();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("w.key"), Ed25519Key::generate().unwrap().to_pkcs8_pem().as_bytes())
        .unwrap();
    let settings = "name = 'witness.example'\nkey = 'w.key'\nstore = 'w.sqlite'\nlogs = []\n\
                    [http]\naddress = '127.0.0.1:0'\n";
    std::fs::write(dir.path().join("w.toml"), settings).unwrap();
    let mut child = command(dir.path(), &["witness", "--json", "--config", "w.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let key = NoteKey::parse(ready["key"].as_str().unwrap()).unwrap();
    assert_eq!((key.name(), key.kind()), ("witness.example", Kind::Cosignature));
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
    let open = settings.replace("127.0.0.1:0", "0.0.0.0:0");
    std::fs::write(dir.path().join("w.toml"), open).unwrap();
    assert_eq!(run(dir.path(), &["witness", "--config", "w.toml"]).code, 5, "clear text is for loopback");
}
