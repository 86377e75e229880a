//! `doctor` on an installation that is sound, and on one that has each fault.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use vouchsafe::district;
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::keys::SigningKey;

use crate::child::{Ended, run};
use crate::production::Installation;

/// An installation whose databases are up to date.
async fn migrated() -> Installation {
    let installation = Installation::sound().await;
    for program in ["issuer", "verifier"] {
        let config = installation.config(program);
        let ended = run(installation.dir.path(), &["migrate", program, "--config", config.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    installation
}

fn doctor(installation: &Installation, program: &str, more: &[&str]) -> Ended {
    let config = installation.config(program);
    let args = ["doctor", program, "--config", config.to_str().unwrap()];
    run(installation.dir.path(), &[&args[..], more].concat())
}

fn findings(ended: &Ended) -> Vec<Value> {
    serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{} {}", ended.out, ended.err))
}

/// What is not as it should be: check, state, whose and what was found.
fn amiss(ended: &Ended) -> Vec<(String, String, String, String)> {
    let of = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let amiss = findings(ended).into_iter().filter(|finding| finding["state"] != "ok");
    amiss
        .map(|one| {
            assert!(one["remedy"].as_str().is_some_and(|remedy| remedy.len() > 20), "{one}");
            (of(&one, "check"), of(&one, "state"), of(&one, "whose"), of(&one, "found"))
        })
        .collect()
}

#[tokio::test]
async fn a_sound_installation_is_found_sound() {
    let installation = migrated().await;
    for program in ["issuer", "verifier"] {
        let ended = doctor(&installation, program, &["--json"]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        assert_eq!(amiss(&ended), []);
        let mut checks: Vec<_> = findings(&ended).iter().map(|one| one["check"].clone()).collect();
        checks.dedup();
        let all =
            ["settings", "keys", "certificates", "database", "schema", "register", "addresses", "rules"];
        assert_eq!(json!(checks), json!(all));
        let ended = doctor(&installation, program, &[]);
        assert!(ended.out.lines().all(|line| line.starts_with("ok ")), "{}", ended.out);
    }
    // A program that serves already has its address: that is said, and is no fault.
    let _serving = std::net::TcpListener::bind(installation.at.ops).unwrap();
    let ended = doctor(&installation, "verifier", &["--json"]);
    let [(check, state, ..)] = &amiss(&ended)[..] else { panic!("{}", ended.out) };
    assert_eq!((ended.code, check.as_str(), state.as_str()), (0, "addresses", "warning"));
}

/// Does something to an installation.
type Harm = fn(&Installation);

fn file(installation: &Installation, name: &str) -> PathBuf {
    installation.dir.path().join(name)
}

fn put(installation: &Installation, name: &str, text: &str) {
    std::fs::write(file(installation, name), text).unwrap();
}

/// Puts another file in the place of the issuer's database, without what was not yet written back to it.
fn put_database(installation: &Installation, text: &str) {
    for companion in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(file(installation, &format!("issuer/issuer.sqlite{companion}")));
    }
    put(installation, "issuer/issuer.sqlite", text);
}

fn settings(installation: &Installation, program: &str, text: &str) {
    let path = installation.config(program);
    std::fs::write(&path, text.to_owned() + &std::fs::read_to_string(&path).unwrap()).unwrap();
}

/// Each fault: the program that has it, what is done, the check that finds it, whose it is, and words of the sentence.
const FAULTS: [(&str, Harm, &str, &str, &str); 17] = [
    (
        "issuer",
        |at| std::fs::remove_file(file(at, "issuer/keys/signing.pem")).unwrap(),
        "keys",
        "operator",
        "not found",
    ),
    ("issuer", |at| open_to_all(&file(at, "issuer/keys/server.key")), "keys", "operator", "(mode 0644)"),
    ("verifier", |at| put(at, "verifier/keys/server.key", "short"), "keys", "operator", "32 bytes"),
    ("verifier", |at| put(at, "verifier/keys/decision.pem", "short"), "keys", "operator", "PKCS#8"),
    (
        "issuer",
        |at| put(at, "issuer/keys/tls.pem", &another_key()),
        "keys",
        "operator",
        "private key cannot be used",
    ),
    ("issuer", |at| put(at, "issuer/keys/tls-chain.pem", ""), "keys", "operator", "cannot be used"),
    (
        "verifier",
        |at| std::fs::remove_file(file(at, "verifier/keys/request-chain.pem")).unwrap(),
        "certificates",
        "operator",
        "not found",
    ),
    (
        "issuer",
        |at| std::fs::remove_file(file(at, "issuer/issuer.sqlite")).unwrap(),
        "database",
        "operator",
        "cannot be opened",
    ),
    ("issuer", |at| put_database(at, &"not a database".repeat(99)), "database", "operator", "integrity"),
    ("issuer", |at| put_database(at, ""), "schema", "operator", "0001 register"),
    ("verifier", |at| put(at, "register.jws", "e30.e30.AAAA"), "register", "registrar", "malformed"),
    (
        "verifier",
        |at| std::fs::remove_file(file(at, "register.jws")).unwrap(),
        "register",
        "operator",
        "not found",
    ),
    ("verifier", |at| put(at, "trust.json", "{}"), "register", "operator", "trust file"),
    (
        "issuer",
        |at| std::fs::copy(file(at, "bureau/entry.jws"), file(at, "issuer/entry.jws")).map(drop).unwrap(),
        "register",
        "operator",
        "is about",
    ),
    (
        "issuer",
        |at| at.edit("issuer", &format!("address = \"{}\"", at.at.issuer), "address = \"192.0.2.1:8441\""),
        "addresses",
        "operator",
        "192.0.2.1:8441",
    ),
    (
        "issuer",
        |at| at.edit("issuer", &format!("address = \"{}\"\n", at.at.issuer), ""),
        "addresses",
        "operator",
        "not set",
    ),
    ("issuer", |at| put(at, "issuer/types/nonsense.toml", "vct = 7"), "rules", "operator", "nonsense.toml"),
];

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn another_key() -> String {
    SigningKey::generate().unwrap().to_pkcs8_pem().to_string()
}

#[tokio::test]
async fn every_fault_is_found_and_nothing_else() {
    for (program, harm, check, whose, words) in FAULTS {
        let installation = migrated().await;
        harm(&installation);
        let ended = doctor(&installation, program, &["--json"]);
        let [(by, state, of, found)] = &amiss(&ended)[..] else { panic!("{words}: {}", ended.out) };
        assert_eq!((by.as_str(), state.as_str(), of.as_str()), (check, "fault", whose), "{found}");
        assert!(found.contains(words), "{found}");
        assert_eq!(ended.code, 5, "{}", ended.err);
        let ended = doctor(&installation, program, &[]);
        assert_eq!(ended.out.lines().filter(|line| line.starts_with("FAULT ")).count(), 1, "{}", ended.out);
        assert!(ended.err.contains("one fault was found"), "{}", ended.err);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_all_there_is_to_say() {
    let installation = migrated().await;
    settings(&installation, "issuer", "nonsense = 1\n");
    let ended = doctor(&installation, "issuer", &["--json"]);
    let [(check, state, whose, found)] = &amiss(&ended)[..] else { panic!("{}", ended.out) };
    assert_eq!((check.as_str(), state.as_str(), whose.as_str()), ("settings", "fault", "operator"));
    assert!(found.contains("nonsense"), "{found}");
    assert_eq!((ended.code, findings(&ended).len()), (2, 1));
}

#[tokio::test]
async fn development_certificates_are_found_before_serve_refuses_them() {
    let installation = Installation::new().await;
    let ended = doctor(&installation, "issuer", &["--json"]);
    let development = amiss(&ended).into_iter().filter(|one| one.3.contains("development certificate"));
    assert_eq!((ended.code, development.count()), (5, 2), "{}", ended.out);
}

#[tokio::test]
async fn a_register_that_has_run_out_or_is_anothers_is_found() {
    let installation = migrated().await;
    let before = |days: i64| SystemClock.now().minus(DAY * days);
    let signed = async |days| {
        district::set_up(installation.dir.path(), &installation.at, before(days)).await.unwrap();
        let of = |program| amiss(&doctor(&installation, program, &["--json"]));
        (of("verifier"), of("issuer"))
    };
    let (register, entry) = signed(8).await;
    for found in [&register, &entry] {
        let [(check, state, _, found)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((check.as_str(), state.as_str()), ("register", "fault"));
        assert!(found.contains("has expired"), "{found}");
    }
    // Six and a half days old: it counts for half a day more.
    district::set_up(installation.dir.path(), &installation.at, before(7).plus(DAY / 2)).await.unwrap();
    let ended = doctor(&installation, "verifier", &["--json"]);
    let [(check, state, ..)] = &amiss(&ended)[..] else { panic!("{}", ended.out) };
    assert_eq!((ended.code, check.as_str(), state.as_str()), (0, "register", "warning"));
    // Another registrar's trust file, as after a change of keys.
    let other = Installation::sound().await;
    std::fs::copy(file(&other, "trust.json"), file(&installation, "trust.json")).unwrap();
    let ended = doctor(&installation, "verifier", &["--json"]);
    let [(.., whose, found)] = &amiss(&ended)[..] else { panic!("{}", ended.out) };
    assert!(whose == "operator" && found.contains("not the registrar's"), "{found}");
}

#[tokio::test]
async fn a_schema_of_another_program_is_found() {
    let cases = [
        ("INSERT INTO _sqlx_migrations VALUES (9999, 'later', 0, TRUE, x'00', 0)", "newer program"),
        ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1", "another text: 0001"),
        ("DELETE FROM _sqlx_migrations WHERE version > 1", "to be applied: 0010 clients"),
    ];
    for (sql, words) in cases {
        let installation = migrated().await;
        let path = file(&installation, "verifier/verifier.sqlite");
        let options = SqliteConnectOptions::new().filename(path);
        let mut database = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
        let ended = doctor(&installation, "verifier", &["--json"]);
        let [(check, _, _, found)] = &amiss(&ended)[..] else { panic!("{words}: {}", ended.out) };
        assert!(check == "schema" && found.contains(words), "{found}");
    }
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn a_server_is_looked_at_too() {
    let cluster = vouchsafe_cluster::Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let installation = migrated().await;
    let path = file(&installation, "issuer/issuer.sqlite").canonicalize().unwrap();
    let (socket, name) = (cluster.socket().display().to_string(), cluster.database());
    let server =
        format!("{{ host = \"{socket}\", name = \"{name}\", user = \"{}\" }}", vouchsafe_cluster::USER);
    installation.edit("issuer", &format!("\"{}\"", path.display()), &server);
    let found = || amiss(&doctor(&installation, "issuer", &["--json"]));
    let [(check, .., said)] = &found()[..] else { panic!("{:?}", found()) };
    assert!(check == "schema" && said.contains("to be applied: 0001"), "{said}");
    let config = installation.config("issuer");
    run(installation.dir.path(), &["migrate", "issuer", "--config", config.to_str().unwrap()]);
    assert_eq!(found(), []);
    let ended = doctor(&installation, "issuer", &["--json"]);
    assert!(findings(&ended).iter().any(|one| one["check"] == "clock"), "{}", ended.out);
    installation.edit("issuer", &name, "absent");
    let [(check, _, whose, _)] = &found()[..] else { panic!("{:?}", found()) };
    assert_eq!((check.as_str(), whose.as_str()), ("database", "database_server"));
    installation.edit("issuer", &socket, "db.example");
    let [(check, _, whose, said)] = &found()[..] else { panic!("{:?}", found()) };
    assert_eq!((check.as_str(), whose.as_str()), ("database", "operator"));
    assert!(said.contains("root_certificate"), "{said}");
}
