//! What scripts rely on: the ready line, the demo's lines, the exit codes, quiet output.

use serde_json::{Value, json};

use crate::child::{Dev, run, signal};

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn dev_says_in_one_line_that_it_is_ready_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(dir.path(), "data", 0);
    let ready = dev.ready.clone();
    assert_eq!(
        members(&ready),
        [
            "ca", "client", "issuer", "offer", "ops", "policies", "purposes", "ready", "trust", "verifier",
            "wallet"
        ]
    );
    assert_eq!(members(&ready["client"]), ["id", "private_key_file", "test_key"]);
    assert_eq!(members(&ready["offer"]), ["tx_code", "uri"]);
    assert_eq!((&ready["ready"], &ready["wallet"]), (&json!(true), &Value::Null));
    assert_eq!(ready["policies"], json!(["bus-pass", "clearance", "leisure", "parking"]));
    assert!(dev.text("/issuer").starts_with("https://localhost:"));
    assert!(dev.text("/verifier").starts_with("https://localhost:"));
    assert!(dev.text("/client/test_key").starts_with("test_"));
    assert!(
        std::path::Path::new(dev.text("/ca")).is_file() && std::path::Path::new(dev.text("/trust")).is_file()
    );
    signal(dev.id(), "INT");
    let (status, rest) = dev.wait();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "nothing but the line is printed");
}

#[test]
fn demo_tells_a_step_a_line_and_is_quiet_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let demo = run(dir.path(), &["demo", "--json"]);
    assert_eq!((demo.code, demo.err.as_str()), (0, ""));
    let lines: Vec<Value> = demo.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, steps) = lines.split_last().unwrap();
    assert!(steps.iter().all(|step| members(step) == ["ms", "outcome", "step"]), "{}", demo.out);
    assert_eq!(*last, json!({"demo": "ok", "steps": steps.len()}));
    for (step, outcome) in [
        ("bus-pass/answer", "met"),
        ("bus-pass/not-met/answer", "not_met"),
        ("bus-pass/declined/answer", "declined"),
        ("bus-pass/expired/wait", "expired"),
        ("bus-pass/undetermined/answer", "undetermined"),
        ("parking/answer", "met"),
        ("parking/not-met/answer", "not_met"),
        ("leisure/answer", "met"),
        ("meals/answer", "met"),
        ("meals/declined/answer", "declined"),
        ("hardship/authorise", "met"),
        ("reminder/check", "withdrawn"),
        ("clearance/answer", "met"),
        ("clearance/suspended/answer", "not_met"),
        ("clearance/unknown/answer", "undetermined"),
    ] {
        assert!(steps.iter().any(|one| one["step"] == step && one["outcome"] == outcome), "{step}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the demo leaves nothing behind");
}

#[test]
fn what_is_typed_wrongly_is_usage() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &[][..],
        &["dance"],
        &["demo", "--loud"],
        &["serve", "verifier"],
        &["serve", "verifier", "--config", "absent.toml"],
        &["config", "print", "issuer", "--config", "absent.toml"],
        &["verifier", "policies", "check", "--config", "absent.toml"],
        &["verifier", "audit", "verify", "--config", "absent.toml"],
        &["verifier", "audit", "verify", "--token", "absent.jwt"],
        &["verifier", "purposes", "export", "--config", "absent.toml"],
        &["witness", "--config", "absent.toml"],
        &["wallet", "--vault", "v", "--passphrase-file", "absent", "list"],
    ] {
        let ended = run(dir.path(), args);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{args:?}: {}", ended.err);
        assert!(!ended.err.is_empty() && !ended.err.contains("panicked"), "{args:?}: {}", ended.err);
    }
    for args in [&["--help"][..], &["--version"], &["wallet", "--help"]] {
        assert_eq!(run(dir.path(), args).code, 0, "{args:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let base = crate::child::free_base();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", base + 2)).unwrap();
    let base = base.to_string();
    let ended = run(dir.path(), &["dev", "--json", "--port-base", &base, "--data-dir", "data"]);
    assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{}", ended.err);
    assert!(ended.err.contains("[unavailable]"), "{}", ended.err);
}
