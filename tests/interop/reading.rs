//! Two independent readers, @sd-jwt and the reference implementation, on what we issue, present and decide.

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
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::sd_jwt::{Builder, Held, Step};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_service::config::json_of_toml;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{self, SigningKey};

use crate::peer;

const ISS: &str = "https://issuer.example";
const AUD: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
const NONCE: &str = "n-0S6_WzA2MjQ1c8YpJ0Zg";
const PROOF_CLAIM: &str = "urn:vouchsafe:proof:1";

struct Council {
    ca: DevCa,
    leaf: Leaf,
    residency: CredentialType,
    now: UnixTime,
}

impl Council {
    /// By the machine's clock: the readers have no other for certificates.
    fn new() -> Self {
        keys::install();
        let now = crate::town::now();
        let ca = DevCa::generate("interop", now).expect("an authority");
        let leaf = ca.signer(ISS, SigningKey::generate().expect("a key"), now).expect("a leaf");
        let text = include_str!("../../crates/vouchsafe/district/types/residency.toml");
        let residency = CredentialType::from_json(&json_of_toml(text).expect("TOML")).expect("a type");
        Self { ca, leaf, residency, now }
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
            links: None,
            now: self.now,
        };
        let holders = [holder.public().clone()];
        let copies = batch.issue(&holders, &[], &self.leaf.key, &OsEntropy::new()).await.expect("a copy");
        copies.into_iter().next().expect("one for the one holder").credential
    }

    /// A credential with whatever is concealed in it.
    async fn made(&self, claims: Value, concealed: &[&str], holder: &SigningKey) -> String {
        let claims: Map<String, Value> = claims.as_object().cloned().expect("an object");
        let builder = Builder::new(claims).holder(holder.public()).decoys("", 3);
        let builder = concealed.iter().fold(builder, |builder, pointer| builder.conceal(pointer));
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&[self.leaf.certificate.to_vec()]).encode();
        let issuable = builder.build(&header, &mut EntropyRng(&OsEntropy::new())).expect("a credential");
        issuable.sign(&self.leaf.key).await.expect("a signature")
    }

    /// A presentation of the claims at `paths`, with the claim that carries a proof when there is one.
    fn present(
        &self,
        issued: &str,
        holder: &SigningKey,
        paths: &[Vec<Step>],
        proof: Option<&[u8]>,
    ) -> String {
        let held = Held::dangerous_from_store(issued).expect("a credential");
        let mut extra = Map::new();
        if let Some(proof) = proof {
            extra.insert(PROOF_CLAIM.into(), json!(b64u(proof)));
        }
        let binding = Binding { aud: AUD, nonce: NONCE, issued_at: self.now, extra };
        let unsigned = held.present(paths, binding).expect("they can be shown");
        let signature = holder.sign_now(unsigned.signing_input()).expect("a signature");
        unsigned.finish(&signature)
    }

    fn input(&self, issued: &str, presentation: &str) -> Value {
        let presented = json!([{"text": presentation, "aud": AUD, "nonce": NONCE}]);
        json!({"anchor": self.ca.certificate_pem(), "issued": [issued], "presented": presented})
    }

    /// What both readers find, which is the same.
    fn read(&self, issued: &str, presentation: &str) -> (Value, Value) {
        let input = self.input(issued, presentation);
        let (node, python) = (peer::run("read.mjs", &input, None), peer::run("read.py", &input, None));
        assert_eq!(node["thumbprint"], json!(b64u(self.leaf.key.public().thumbprint())), "RFC 7638");
        assert_eq!((&node["issued"], &node["presented"]), (&python["issued"], &python["presented"]));
        (node["issued"][0].clone(), node["presented"][0].clone())
    }
}

fn name() -> Vec<Vec<Step>> {
    vec![vec![Step::Name("name".into())]]
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

fn holder() -> SigningKey {
    SigningKey::generate().expect("a key")
}

/// The name was shown, and nothing else that has a Disclosure.
fn shows_the_name_alone(presented: &Value) {
    assert_eq!(presented["name"], "Resident 0042");
    for hidden in ["address", "birth_date", "ward"] {
        assert!(presented.get(hidden).is_none(), "{hidden} was not disclosed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_credential_and_its_presentation_are_accepted() {
    let (council, holder) = (Council::new(), holder());
    let issued = council.issue(Kind::Plain, &holder).await;
    let (whole, shown) = council.read(&issued, &council.present(&issued, &holder, &name(), None));
    assert_eq!(whole["vct"], "https://larkfield.example/types/residency/1");
    assert_eq!((&whole["name"], &whole["ward"]), (&json!("Resident 0042"), &json!("W102")));
    shows_the_name_alone(&shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_copy_is_an_ordinary_credential_to_others() {
    let (council, holder) = (Council::new(), holder());
    let issued = council.issue(Kind::Proof, &holder).await;
    let presented = council.present(&issued, &holder, &name(), Some(&[1; 550]));
    let (whole, shown) = council.read(&issued, &presented);
    assert_eq!(whole["vct"], "https://larkfield.example/types/residency/1/zk");
    assert!(whole["zkc"]["/birth_date"].is_object() && whole.get("birth_date").is_none());
    shows_the_name_alone(&shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_and_array_claims_mean_the_same_to_everybody() {
    let (council, holder) = (Council::new(), holder());
    let claims = json!({"iss": ISS, "vct": "https://larkfield.example/types/club/1", "name": "Resident 0042",
        "address": {"street": "42 Canary Street", "town": {"name": "Larkfield", "county": "Canaryshire"}},
        "cards": ["swim", "gym", {"kind": "library", "branch": "North"}]});
    let concealed = [
        "/name",
        "/address",
        "/address/town",
        "/address/town/county",
        "/cards/0",
        "/cards/2",
        "/cards/2/branch",
    ];
    let issued = council.made(claims.clone(), &concealed, &holder).await;
    let name = |name: &str| Step::Name(name.to_owned());
    let paths = [vec![name("address"), name("town")], vec![name("cards"), Step::Index(2)]];
    let (whole, shown) = council.read(&issued, &council.present(&issued, &holder, &paths, None));
    for member in ["name", "address", "cards"] {
        assert_eq!(whole[member], claims[member], "all of {member}");
    }
    assert_eq!(shown["address"], json!({"street": "42 Canary Street", "town": {"name": "Larkfield"}}));
    assert_eq!(shown["cards"], json!(["gym", {"kind": "library"}]));
    assert!(shown.get("name").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readers_notice_what_was_spoiled() {
    let (council, holder) = (Council::new(), holder());
    let issued = council.issue(Kind::Plain, &holder).await;
    let stranger = SigningKey::generate().expect("a key");
    let spoiled = council.present(&issued, &stranger, &name(), None);
    for reader in ["read.mjs", "read.py"] {
        let noticed = peer::try_run(reader, &council.input(&issued, &spoiled), None);
        assert!(noticed.is_err(), "{reader}: a key binding by a stranger must not pass");
    }
}

/// A decision of the running verifier, read with a JOSE library that is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn any_jose_library_reads_a_decision() {
    let dir = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(dir.path(), Narrator::new(Vec::new(), true)).await.expect("a district");
    let (token, keys) = decision(&stage).await;
    stage.world.stop().await;
    let read = peer::run("read.mjs", &json!({"decision": token, "decision_jwks": keys}), None);
    assert_eq!(read["decision"]["outcome"], "met");
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
