//! Independent software reads what we issue, present and decide: pinned npm packages, run by Node.
//!
//! `cargo xtask test` installs them from the lock file; run alone, the test says what is missing.

use std::path::Path;
use std::process::Command;

use jiff::civil::date;
use serde_json::{Map, Value, json};
use vouchsafe::demo::Stage;
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::narrate::Narrator;
use vouchsafe::dev;
use vouchsafe::district::{BUS_PASS, residents};
use vouchsafe_issuer::Kind;
use vouchsafe_issuer::issue::Batch;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::sd_jwt::Held;
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_service::config::json_of_toml;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{self, SigningKey};

const ISS: &str = "https://issuer.example";
const AUD: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
const NONCE: &str = "n-0S6_WzA2MjQ1c8YpJ0Zg";
const PROOF_CLAIM: &str = "urn:vouchsafe:proof:1";

struct Council {
    leaf: Leaf,
    residency: CredentialType,
    now: UnixTime,
}

impl Council {
    fn new() -> Self {
        keys::install();
        let now = vouchsafe::world::opening();
        let ca = DevCa::generate("interop", now).expect("an authority");
        let leaf = ca.signer(ISS, SigningKey::generate().expect("a key"), now).expect("a leaf");
        let text = include_str!("../../crates/vouchsafe/district/types/residency.toml");
        let residency = CredentialType::from_json(&json_of_toml(text).expect("TOML")).expect("a type");
        Self { leaf, residency, now }
    }

    /// One copy as the issuer makes it.
    async fn issue(&self, kind: Kind, holder: &SigningKey) -> String {
        let facts = facts();
        let batch = Batch {
            iss: ISS,
            credential_type: &self.residency,
            kind,
            facts: &facts,
            facts_as_of: date(2026, 11, 20),
            lists: &lists(),
            chain: &[self.leaf.certificate.to_vec()],
            now: self.now,
        };
        let holders = [vouchsafe_protocol::jose::Signer::public(holder).clone()];
        let copies = batch.issue(&holders, &self.leaf.key, &OsEntropy::new()).await.expect("a copy");
        copies.into_iter().next().expect("one for the one holder").credential
    }

    /// A presentation of the name alone, with the claim that carries a proof when there is one.
    fn present(&self, issued: &str, holder: &SigningKey, proof: Option<&[u8]>) -> String {
        let held = Held::dangerous_from_store(issued).expect("a credential");
        let name = vec![vouchsafe_protocol::sd_jwt::Step::Name("name".into())];
        let mut extra = Map::new();
        if let Some(proof) = proof {
            extra.insert(PROOF_CLAIM.into(), json!(b64u(proof)));
        }
        let binding = Binding { aud: AUD, nonce: NONCE, issued_at: self.now, extra };
        let unsigned = held.present(&[name], binding).expect("the name can be shown");
        let signature = holder.sign_now(unsigned.signing_input()).expect("a signature");
        unsigned.finish(&signature)
    }

    fn input(&self, kind: Kind, issued: &str, presentation: &str) -> Value {
        let key = vouchsafe_protocol::jose::Signer::public(&self.leaf.key);
        json!({
            "issuer_jwk": key.to_value(), "issuer_thumbprint": b64u(key.thumbprint()),
            "vct": vouchsafe_issuer::types::vct(&self.residency, kind),
            "issued": issued, "presentation": presentation, "audience": AUD, "nonce": NONCE,
            "now": self.now.0, "expected": [["name", "Resident 0042"]], "absent": ["address", "birth_date"],
        })
    }
}

fn facts() -> Map<String, Value> {
    let facts = json!({
        "/name": "Resident 0042", "/address": "42 Canary Street, Larkfield",
        "/birth_date": "1958-03-14", "/ward": "W102",
    });
    facts.as_object().cloned().expect("an object")
}

fn lists() -> CodeLists {
    let mut lists = CodeLists::default();
    lists.insert("https://larkfield.example/lists/county-wards/1", [("W102".to_owned(), 102)]);
    lists
}

/// Hands `input` to the independent software and gives what it found.
fn peer(input: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    assert!(
        folder.join("node_modules").exists(),
        "run `npm ci` in tests/interop first, or `cargo xtask test`"
    );
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("input.json");
    std::fs::write(&file, input.to_string()).expect("a file");
    let run = Command::new("node").arg(folder.join("verify.mjs")).arg(&file).output().expect("Node runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("ok: key thumbprints agree"), "{said}");
}

#[tokio::test]
async fn a_plain_credential_and_its_presentation_are_accepted() {
    let (council, holder) = (Council::new(), SigningKey::generate().expect("a key"));
    let issued = council.issue(Kind::Plain, &holder).await;
    peer(&council.input(Kind::Plain, &issued, &council.present(&issued, &holder, None)));
}

#[tokio::test]
async fn a_proof_copy_is_an_ordinary_credential_to_others() {
    let (council, holder) = (Council::new(), SigningKey::generate().expect("a key"));
    let issued = council.issue(Kind::Proof, &holder).await;
    peer(&council.input(Kind::Proof, &issued, &council.present(&issued, &holder, Some(&[1; 550]))));
}

#[tokio::test]
async fn the_peer_notices_what_was_spoiled() {
    let (council, holder) = (Council::new(), SigningKey::generate().expect("a key"));
    let issued = council.issue(Kind::Plain, &holder).await;
    let stranger = SigningKey::generate().expect("a key");
    let spoiled = council.present(&issued, &stranger, None);
    let input = council.input(Kind::Plain, &issued, &spoiled);
    let noticed = std::panic::catch_unwind(|| peer(&input));
    assert!(noticed.is_err(), "a key binding by a stranger must not pass");
}

/// A decision of the running verifier, read with a JOSE library that is not ours.
#[tokio::test]
async fn any_jose_library_reads_a_decision() {
    let dir = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(dir.path(), Narrator::new(Vec::new(), true)).await.expect("a district");
    let (token, keys) = decision(&stage).await;
    stage.world.stop().await;

    let (council, holder) = (Council::new(), SigningKey::generate().expect("a key"));
    let issued = council.issue(Kind::Plain, &holder).await;
    let mut input = council.input(Kind::Plain, &issued, &council.present(&issued, &holder, None));
    input["decision"] = token;
    input["decision_jwks"] = keys;
    input["outcome"] = json!("met");
    peer(&input);
}

async fn decision(stage: &Stage<Vec<u8>>) -> (Value, Value) {
    dev::enrol(&stage.world, date(2026, 11, 20)).await.expect("a register");
    let offer = dev::offer(&stage.world, residents::MET).await.expect("an offer");
    let resident = stage.resident(residents::MET).await.expect("a wallet");
    resident.receive(&offer.link(), offer.tx_code()).await.expect("copies");
    let asked = stage.operator.ask(BUS_PASS, "reference").await.expect("a request");
    let mut browser = Browser::new(stage.world.client().expect("a client"));
    let page = browser.open(&asked.url).await.expect("the page");
    let back = resident.share(&wallet_link(&page).expect("a link")).await.expect("an answer");
    browser.open(&back).await.expect("the way back");

    let (http, origin) = (stage.world.client().expect("a client"), stage.world.at.verifier_origin());
    let url = format!("{origin}/v1/requests/{}/decision", asked.id);
    let key = stage.world.test_key().expect("the test key");
    let reply = http.get(&url).bearer(&key).send().await.expect("a decision");
    let stored: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let keys = http.get(&format!("{origin}/.well-known/jwks.json")).send().await.expect("keys");
    (stored["decision"].clone(), serde_json::from_slice(&keys.body).expect("JSON"))
}
