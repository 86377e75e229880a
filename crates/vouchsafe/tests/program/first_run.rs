//! A newcomer's first hour: bring it up, collect, ask, read, answer, check, look back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vouchsafe::demo::browser::Browser;
use vouchsafe::world;
use vouchsafe_service::client::Http;

use crate::child::{Dev, Ended, run, signal};

struct Newcomer {
    dir: tempfile::TempDir,
    dev: Dev,
    http: Http,
}

impl Newcomer {
    fn arrive() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dev = Dev::start(dir.path(), "data", 0);
        let http = world::client(Path::new(dev.text("/ca"))).unwrap();
        write_private(&dir.path().join("pass"), "correct horse");
        Self { dir, dev, http }
    }

    fn wallet(&self, args: &[&str]) -> Ended {
        let ca = self.dev.text("/ca");
        let wallet = ["wallet", "--vault", "w", "--passphrase-file", "pass", "--dev-ca", ca];
        run(self.dir.path(), &[&wallet[..], args].concat())
    }

    /// A command that must succeed and say nothing beside its result.
    fn told(&self, args: &[&str]) -> String {
        let ended = self.wallet(args);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        ended.out
    }

    async fn call(&self, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.dev.text("/verifier"));
        let reply = self.http.get(&url).bearer(self.dev.text("/client/test_key")).send().await.unwrap();
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    async fn ask(&self) -> Value {
        let url = format!("{}/v1/requests", self.dev.text("/verifier"));
        let question = json!({"policy": "bus-pass", "flow": "same_device", "reference": "PASS-2026-0042"});
        let request = self.http.post(&url).bearer(self.dev.text("/client/test_key")).json(&question);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status, 201);
        serde_json::from_slice(&reply.body).unwrap()
    }
}

fn write_private(path: &PathBuf, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_newcomer_gets_from_nothing_to_a_checked_decision() {
    let newcomer = Newcomer::arrive();
    collects(&newcomer);
    looks_for_what_there_is(&newcomer).await;
    let asked = newcomer.ask().await;
    let names = ["code", "expires_at", "id", "qr_text", "url"];
    assert!(
        names.iter().all(|name| asked[name].is_string()) && asked.as_object().unwrap().len() == 5,
        "{asked}"
    );
    let (id, link) = (asked["id"].as_str().unwrap(), asked["qr_text"].as_str().unwrap());
    let mut browser = Browser::new(newcomer.http.clone());
    browser.open(asked["url"].as_str().unwrap()).await.unwrap();
    let unread = newcomer.wallet(&["answer", link, "--yes"]);
    assert_eq!((unread.code, unread.out.as_str()), (3, ""));
    assert!(unread.err.contains("Read it first, then say yes.") && unread.err.contains("wallet review"));
    let read = newcomer.told(&["review", link]);
    assert!(read.contains("Larkfield Buses"), "{read}");
    let answered = newcomer.told(&["--json", "answer", link, "--yes"]);
    let answered: Value = serde_json::from_str(&answered).unwrap();
    assert_eq!(
        newcomer.call(&format!("/v1/requests/{id}/decision")).await.0,
        409,
        "the browser is not back yet"
    );
    browser.open(answered["redirect_uri"].as_str().unwrap()).await.unwrap();
    assert_eq!(newcomer.call(&format!("/v1/requests/{id}")).await.1["outcome"], "met");
    checks_the_decision(&newcomer, id).await;
    is_refused_a_second_time(&newcomer, link);
    looks_back(&newcomer);
    finds_nobody(newcomer).await;
}

fn collects(newcomer: &Newcomer) {
    let (uri, code) = (newcomer.dev.text("/offer/uri"), newcomer.dev.text("/offer/tx_code"));
    let early = newcomer.wallet(&["receive", uri, "--tx-code", code]);
    assert_eq!((early.code, early.out.as_str()), (2, ""), "a wallet that trusts nobody: {}", early.err);
    newcomer.told(&["trust", "add", newcomer.dev.text("/trust")]);
    let wrong =
        newcomer.wallet(&["receive", uri, "--tx-code", if code == "000000" { "111111" } else { "000000" }]);
    assert_eq!((wrong.code, wrong.out.as_str()), (4, ""), "the issuer refuses: {}", wrong.err);
    assert!(newcomer.told(&["receive", uri, "--tx-code", code]).starts_with("30 copies"));
    let again = newcomer.wallet(&["receive", uri, "--tx-code", code]);
    assert_eq!((again.code, again.out.as_str()), (4, ""), "an offer is good once: {}", again.err);
    assert!(newcomer.told(&["list"]).contains("30 of 30 copies left"));
    // Copies of this type have no status, and nothing waits.
    assert!(newcomer.told(&["list", "--refresh"]).ends_with("30 of 30 copies left.\n"));
    assert_eq!(newcomer.told(&["receive", "--waiting"]), "");
    assert_eq!(newcomer.wallet(&["receive"]).code, 2, "an offer is needed where nothing is waited for");
}

/// By the address of the verifier, and by the file that is published there.
async fn looks_for_what_there_is(newcomer: &Newcomer) {
    let verifier = newcomer.dev.text("/verifier");
    let (history, words) = (newcomer.told(&["history"]), newcomer.told(&["entitled", verifier]));
    assert!(
        words.contains("Larkfield Buses: “") && words.contains("You qualify today, by your “"),
        "{words}"
    );
    assert!(words.ends_with("Nobody was told. A service decides only when it asks you and you answer.\n"));
    let reply = newcomer.http.get(&format!("{verifier}/policies")).send().await.unwrap();
    std::fs::write(newcomer.dir.path().join("policies.json"), &reply.body).unwrap();
    let rows: Value = serde_json::from_str(&newcomer.told(&["--json", "entitled", "policies.json"])).unwrap();
    let pass = rows.as_array().unwrap().iter().find(|row| row["policy"] == "bus-pass").unwrap();
    assert_eq!(pass["verdict"], "qualifies");
    assert!(!rows.to_string().contains("1958"));
    let page = newcomer.wallet(&["entitled", &format!("{verifier}/style.css")]);
    assert_eq!((page.code, page.out.as_str()), (4, ""), "{}", page.err);
    assert_eq!(newcomer.wallet(&["entitled", "absent.json"]).code, 2);
    assert_eq!(newcomer.told(&["history"]), history);
    assert!(newcomer.told(&["list"]).contains("30 of 30 copies left"));
}

async fn checks_the_decision(newcomer: &Newcomer, id: &str) {
    let (status, body) = newcomer.call(&format!("/v1/requests/{id}/decision")).await;
    assert_eq!((status, &body["outcome"]), (200, &json!("met")));
    let folder = newcomer.dir.path();
    std::fs::write(folder.join("decision"), body["decision"].as_str().unwrap()).unwrap();
    let (_, keys) = newcomer.call("/.well-known/jwks.json").await;
    std::fs::write(folder.join("jwks"), keys.to_string()).unwrap();
    let (issuer, audience) = (newcomer.dev.text("/verifier"), newcomer.dev.text("/client/id"));
    let verify = |audience, request, env| {
        let command = ["verifier", "decisions", "verify", "decision", "--jwks", "jwks"];
        let expected = ["--issuer", issuer, "--audience", audience, "--request", request, "--env", env];
        run(folder, &[&command[..], &expected].concat())
    };
    let verified = verify(audience, id, "test");
    assert_eq!(
        (verified.code, verified.out.as_str(), verified.err.as_str()),
        (0, "met under bus-pass@1\n", "")
    );
    let other = verify("https://somebody.else.example", id, "test");
    assert_eq!((other.code, other.out.as_str()), (3, ""), "another service's decision: {}", other.err);
    for (request, env) in [("another", "test"), (id, "live")] {
        let other = verify(audience, request, env);
        assert_eq!((other.code, other.out.as_str()), (3, ""), "{request} {env}: {}", other.err);
    }
    let checked = run(folder, &["verifier", "policies", "check", "--config", "data/verifier/verifier.toml"]);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""));
    assert!(checked.out.starts_with("bus-pass@1: ") && !checked.out.contains("refused"), "{}", checked.out);
    for policy in
        ["clearance@1: 6", "household@1: 7", "leisure@2: 8", "meals@1: 9", "parking@1: 5", "swim@1: 3"]
    {
        assert!(checked.out.contains(&format!("\n{policy} test cases pass\n")), "{policy}: {}", checked.out);
    }
}

fn is_refused_a_second_time(newcomer: &Newcomer, link: &str) {
    let again = newcomer.wallet(&["answer", link, "--yes"]);
    assert_eq!((again.code, again.out.as_str()), (3, ""), "agreed to once: {}", again.err);
    let gone = newcomer.wallet(&["review", link]);
    assert!(matches!(gone.code, 3 | 4) && gone.out.is_empty(), "{}: {}", gone.code, gone.err);
    let nonsense = newcomer.wallet(&["review", "openid4vp://?request_uri=https://localhost/"]);
    assert!(matches!(nonsense.code, 2 | 3), "{}: {}", nonsense.code, nonsense.err);
}

fn looks_back(newcomer: &Newcomer) {
    let history = newcomer.told(&["history"]);
    assert!(history.contains("Larkfield Buses") && history.lines().count() >= 4, "{history}");
    for value in ["1958", "Canary", "W102"] {
        assert!(!history.contains(value), "the history holds no values: {history}");
    }
    assert!(newcomer.told(&["list"]).contains("29 of 30 copies left"));
    let rows: Value = serde_json::from_str(&newcomer.told(&["--json", "history"])).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), history.lines().count());
}

/// With the programs stopped, the wallet says that nobody is there, and is none the worse.
async fn finds_nobody(mut newcomer: Newcomer) {
    let asked = newcomer.ask().await;
    signal(newcomer.dev.id(), "INT");
    assert!(newcomer.dev.wait().0.success());
    let nobody = newcomer.wallet(&["review", asked["qr_text"].as_str().unwrap()]);
    assert_eq!((nobody.code, nobody.out.as_str()), (5, ""), "{}", nobody.err);
    assert!(newcomer.told(&["list"]).contains("29 of 30 copies left"));
    std::fs::write(newcomer.dir.path().join("pass"), "wrong horse").unwrap();
    let stranger = newcomer.wallet(&["list"]);
    assert_eq!((stranger.code, stranger.out.as_str()), (3, ""), "{}", stranger.err);
}
