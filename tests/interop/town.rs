//! The example district on loopback, by the machine's clock: peers have no other.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::Operator;
use vouchsafe::demo::resident::Resident;
use vouchsafe::dev;
use vouchsafe::district::{RESIDENCY, residents};
use vouchsafe::world::{Ports, World};
use vouchsafe_issuer::Kind;
use vouchsafe_issuer::import::{self, Options};
use vouchsafe_issuer::offer::{self, Delivery, Offer, OfferRequest};
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::clock::{Clock as _, SystemClock};
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::SigningKey;

use crate::peer;

pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) operator: Operator,
    dir: TempDir,
}

/// A question of the operator's, and the browser of whom it is about.
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) link: String,
    pub(crate) browser: Browser,
}

impl Town {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// A district whose council has more types, each by the name of its file.
    pub(crate) async fn open_with(types: &[(&str, &str)]) -> Self {
        wait_for_midnight().await;
        let dir = tempfile::tempdir().expect("a folder");
        let district = dir.path().join("district");
        let folder = district.join("issuer/types");
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in types {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        let world =
            World::start(&district, Ports::default(), Arc::new(SystemClock)).await.expect("a district");
        dev::enrol(&world, SystemClock.now().london_date()).await.expect("a register");
        let key = world.test_key().expect("the operator's key");
        let operator = Operator::new(world.client().expect("a client"), &world.at.verifier_origin(), &key);
        Self { world, operator, dir }
    }

    /// Loads the residents' register for another type than residency.
    pub(crate) async fn enrol(&self, type_id: &str) {
        let today = now().london_date();
        let key_column = residents::KEY_COLUMN.to_owned();
        let options = Options { type_id: type_id.to_owned(), key_column, facts_as_of: today };
        let register = self.world.district.register_csv();
        let report = import::run(&self.world.issuer, &register, &options, |_| {}).await.expect("a register");
        assert!(report.errors.is_empty(), "no line is refused");
    }

    pub(crate) async fn offer(&self, kind: Kind, number: u32) -> Offer {
        self.offer_of(RESIDENCY, kind, number).await
    }

    pub(crate) async fn offer_of(&self, type_id: &str, kind: Kind, number: u32) -> Offer {
        let person = residents::person(number);
        let request = OfferRequest { type_id: type_id.to_owned(), person, kind, delivery: Delivery::Link };
        offer::create(&self.world.issuer, &request).await.expect("an offer")
    }

    /// The certificate authority of the listeners, for those who call them.
    pub(crate) fn authority(&self) -> PathBuf {
        self.world.district.tls_ca()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.world.district.dir().join(name)).expect("a file of the district")
    }

    /// The anchor of issuers and services, PEM.
    pub(crate) fn anchor(&self) -> String {
        self.read("anchor.pem")
    }

    /// A stranger's wallet does what `input` says.
    pub(crate) fn strangers_wallet(&self, mut input: Value) -> Value {
        input["anchor"] = json!(self.anchor());
        peer::run("wallet.mjs", &input, Some(&self.authority()))
    }

    /// Copies of resident `number` in a stranger's wallet.
    pub(crate) async fn collected(&self, number: u32, copies: u32) -> Value {
        let offer = self.offer(Kind::Plain, number).await;
        let input =
            json!({"offer": offer.link(), "tx_code": offer.tx_code(), "copies": copies, "dpop": false});
        self.strangers_wallet(input)["held"].clone()
    }

    pub(crate) async fn ask(&self, policy: &str) -> Question {
        let asked = self.operator.ask(policy, "reference").await.expect("a request");
        let mut browser = Browser::new(self.world.client().expect("a client"));
        let page = browser.open(&asked.url).await.expect("the page");
        Question { id: asked.id, link: wallet_link(&page).expect("a link"), browser }
    }

    /// The decision, once the browser has come back to `redirect_uri`.
    pub(crate) async fn decided(&self, question: &mut Question, redirect_uri: &str) -> Value {
        question.browser.open(redirect_uri).await.expect("the way back");
        self.operator.decision(&question.id).await.expect("an answer of the verifier").expect("a decision")
    }

    /// Resident `number` with an empty wallet of ours.
    pub(crate) async fn resident(&self, number: u32) -> Resident {
        let dir = self.dir.path().join(format!("wallet-{number:04}"));
        Resident::new(&self.world, &dir, number, Arc::new(SystemClock)).await.expect("a wallet")
    }

    /// The material of a server on loopback that our wallets connect to.
    pub(crate) fn tls(&self) -> Value {
        let ca = self.ca("tls-ca", "Larkfield listeners (development)");
        let leaf = ca.server(&["localhost", "127.0.0.1"], now()).expect("a certificate");
        json!({"tls_key": *leaf.key.to_pkcs8_pem(), "tls_certificate": leaf.certificate_pem()})
    }

    /// A signing certificate in the name of `uri`, under the anchor that the district trusts.
    pub(crate) fn signer(&self, uri: &str) -> Leaf {
        let ca = self.ca("anchor", "Larkfield anchor (development)");
        ca.signer(uri, SigningKey::generate().expect("a key"), now()).expect("a certificate")
    }

    fn ca(&self, name: &str, title: &str) -> DevCa {
        let (certificate, key) = (self.read(&format!("{name}.pem")), self.read(&format!("{name}.key")));
        DevCa::from_pem(title, &certificate, &key).expect("an authority")
    }

    /// A document of the registrar with other members, signed by the registrar.
    pub(crate) fn registered(&self, jws: &str, change: impl FnOnce(&mut Value)) -> String {
        let registrar = SigningKey::from_pkcs8_pem(&self.read("registrar.pem")).expect("a key");
        altered(jws, &registrar, change)
    }
}

/// Other people's software goes by the clock of the machine, and a request is for the day on which it was made: a test
/// that would begin in the last minutes of a day begins with the next.
async fn wait_for_midnight() {
    while now().plus(180).london_date() != now().london_date() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// A JWS with other claims under another signature.
pub(crate) fn altered(jws: &str, key: &SigningKey, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = payload(jws);
    change(&mut claims);
    let header = jws.trim().split('.').next().expect("a header");
    let input = format!("{header}.{}", b64u(claims.to_string()));
    let signature = key.sign_now(input.as_bytes()).expect("a signature");
    format!("{input}.{}", b64u(signature))
}

/// The claims of a JWS, unverified.
pub(crate) fn payload(jws: &str) -> Value {
    let part = jws.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&b64u_decode(part).expect("base64url")).expect("JSON")
}

/// A key and its certificate as the scripts take them.
pub(crate) fn material(leaf: &Leaf) -> Value {
    json!({"key": *leaf.key.to_pkcs8_pem(), "x5c": [b64(&leaf.certificate)]})
}

pub(crate) fn now() -> UnixTime {
    SystemClock.now()
}
