//! A thousand residents with thirty copies each of every type of the district, as their bodies issue them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::civil::{Date, date};
use serde_json::{Map, Value};
use tempfile::TempDir;
use vouchsafe::district::{self, Addresses, CARD, CLEARANCE, District, HOUSEHOLD, INCOME, RESIDENCY};
use vouchsafe::world::opening;
use vouchsafe_issuer::issue::Batch;
use vouchsafe_issuer::store::Mac;
use vouchsafe_issuer::{App, Config, Kind, status};
use vouchsafe_proofs::commitment::{Blinding, Commitment};
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::jose::{PublicJwk, Signer as _};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::clock::ManualClock;
use vouchsafe_service::config;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{self, OsEntropy};
use vouchsafe_service::keys::{self, SigningKey};
use vouchsafe_service::store::Schema;

use super::compare::{CREDENTIAL, Crowd};
use super::walk;

const RESIDENTS: u32 = 1_000;
const COPIES: usize = 30;
/// What the issuer fills in where copies are linked.
const SINCE: &str = "/link_since";
const FACTS: Date = date(2026, 11, 20);

/// A body of the district at its desk, without a network.
pub(super) struct Desk {
    app: App,
    leaf: Leaf,
    credential_type: CredentialType,
    kind: Kind,
    entropy: OsEntropy,
    _dir: TempDir,
}

impl Desk {
    pub(super) async fn open(type_id: &str, kind: Kind) -> Self {
        keys::install();
        let dir = tempfile::tempdir().unwrap();
        let district = set_up(&dir).await;
        let [payer, _] = district.payer_configs();
        let file = match type_id {
            CLEARANCE => district.bureau_config(),
            INCOME => payer,
            _ => district.issuer_config(),
        };
        let settings: Config = config::load(Some(&file), []).unwrap();
        let (clock, entropy) = (Arc::new(ManualClock::at(opening())), Arc::new(OsEntropy::new()));
        let app = App::open(&settings, Schema::Migrate, clock, entropy).await.unwrap();
        let authority = DevCa::generate("an anchor", opening()).unwrap();
        let leaf = authority.signer(app.issuer(), SigningKey::generate().unwrap(), opening()).unwrap();
        let credential_type = app.types().by_id(type_id).unwrap().clone();
        Self { app, leaf, credential_type, kind, entropy: OsEntropy::new(), _dir: dir }
    }

    /// The copies of resident `number`, in as many batches as it takes, at some time of the day.
    pub(super) async fn copies(&self, number: u32) -> Vec<String> {
        let batch = usize::try_from(self.credential_type.batch).unwrap();
        let mut copies = Vec::with_capacity(COPIES);
        for at in 0..(COPIES / batch) {
            let seconds = (i64::from(number) * 7_919 + 3_607 * i64::try_from(at).unwrap()) % DAY;
            copies.extend(self.batch(number, batch, opening().day_start().plus(seconds)).await);
        }
        assert_eq!(copies.len(), COPIES);
        copies
    }

    async fn batch(&self, number: u32, count: usize, now: UnixTime) -> Vec<String> {
        let (facts, links) = (self.facts(number), self.links(number, count));
        let batch = Batch {
            iss: self.app.issuer(),
            credential_type: &self.credential_type,
            kind: self.kind,
            facts: &facts,
            facts_as_of: FACTS,
            lists: self.app.lists(),
            chain: &[self.leaf.certificate.to_vec()],
            links: links.as_deref(),
            now,
        };
        let holders: Vec<PublicJwk> =
            (0..count).map(|_| SigningKey::generate().unwrap().public().clone()).collect();
        let person = Mac(sha256(number.to_be_bytes()));
        let until = batch.expires_at();
        let entries = status::references(&self.app, &self.credential_type, person, count, until);
        let entries = entries.await.unwrap();
        let copies = batch.issue(&holders, &entries, &self.leaf.key, &self.entropy).await.unwrap();
        copies.into_iter().map(|copy| copy.credential).collect()
    }

    /// What a wallet sends of its one link secret, where the copies are linked.
    fn links(&self, number: u32, count: usize) -> Option<Vec<Commitment>> {
        let secret = sha256([b"link".as_slice(), &number.to_be_bytes()].concat());
        let scalar = |mut bytes: [u8; 32]| {
            bytes[31] &= 0x0f;
            bytes
        };
        let x = LinkSecret::from_canonical_bytes(scalar(secret)).unwrap();
        let blinding = || Blinding::from_canonical_bytes(scalar(entropy::bytes(&self.entropy))).unwrap();
        self.credential_type.link.then(|| (0..count).map(|_| x.commit(&blinding())).collect())
    }

    /// The row of resident `number`, as an import reads its cells, and the day on which its wallet is on record.
    fn facts(&self, number: u32) -> Map<String, Value> {
        let mut facts = Map::new();
        for attribute in &self.credential_type.attributes {
            let cell = match attribute.pointer.as_str() {
                SINCE => format!("2026-{:02}-01", 1 + number % 11),
                _ => cell(&attribute.column, number),
            };
            if !cell.is_empty() {
                let value = attribute.value_of(&cell, self.app.lists()).unwrap();
                facts.insert(attribute.pointer.clone(), value);
            }
        }
        if self.credential_type.period.is_some() {
            facts.insert("/period".to_owned(), Value::from("2026-10"));
        }
        facts
    }
}

/// Cells of all sorts and lengths; some residents have no address, and some no name.
fn cell(column: &str, number: u32) -> String {
    let (n, person) = (number, format!("LD-{number:04}"));
    match column {
        "person" => person,
        "name" if n.is_multiple_of(11) => String::new(),
        "name" => format!("Resident {n:04}{}", " of the upper farm".repeat(n as usize % 5)),
        "address" if n.is_multiple_of(7) => String::new(),
        "address" => format!("{n} Canary Street{}", ", Larkfield".repeat(n as usize % 9)),
        "date_of_birth" => format!("{}-{:02}-{:02}", 1930 + n * 37 % 80, 1 + n * 5 % 12, 1 + n * 11 % 28),
        "ward" => format!("W{}", 100 + n % 40),
        "level" => ["basic", "standard", "enhanced", "enhanced-children"][n as usize % 4].to_owned(),
        "issued_on" => format!("{}-{:02}-15", 2025 - n % 4, 1 + n % 12),
        "household" => format!("H{:04}", n / 3),
        "adults" => (1 + n % 3).to_string(),
        "source" => format!("P1-{person}-2026-10"),
        "total" => format!("{}.{:02}", n * 7_919 % 100_000 * u32::from(!n.is_multiple_of(3)), n % 100),
        other => panic!("the district has no column {other}"),
    }
}

async fn set_up(dir: &TempDir) -> District {
    let door = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let payers = [door(4), door(5)];
    let at = Addresses {
        issuer: door(1),
        bureau: door(2),
        payers,
        verifier: door(3),
        schools: door(7),
        ops: door(6),
    };
    district::prepare_listeners(dir.path(), opening()).unwrap();
    district::set_up(dir.path(), &at, opening()).await.unwrap()
}

/// What ties the copies of a resident together, over all of them.
async fn found(type_id: &str, kind: Kind) -> Vec<String> {
    let desk = Desk::open(type_id, kind).await;
    let mut crowd = Crowd::new(&CREDENTIAL);
    for number in 0..RESIDENTS {
        let copies: Vec<_> = desk.copies(number).await.iter().map(|text| walk::sd_jwt(text)).collect();
        crowd.resident(&copies);
    }
    crowd.found()
}

/// Every type that any body of the district issues is walked below, and in plain copies where something can be shown: of the
/// others no plain copy is offered.
#[tokio::test]
async fn every_form_of_every_type_is_walked() {
    let mut forms = Vec::new();
    for of_body in [RESIDENCY, CLEARANCE, INCOME] {
        let desk = Desk::open(of_body, Kind::Proof).await;
        let shows = |one: &CredentialType| one.showable().next().is_some();
        forms.extend(desk.app.types().iter().map(|one| (one.id.clone(), shows(one))));
    }
    forms.sort();
    let walked = [(CARD, false), (CLEARANCE, false), (HOUSEHOLD, false), (INCOME, false), (RESIDENCY, true)];
    assert_eq!(forms, walked.map(|(id, shows)| (id.to_owned(), shows)));
}

#[tokio::test]
async fn nothing_ties_the_copies_of_a_residency_together() {
    assert_eq!(found(RESIDENCY, Kind::Proof).await, [""; 0]);
}

#[tokio::test]
async fn nothing_ties_plain_copies_of_a_residency_together() {
    assert_eq!(found(RESIDENCY, Kind::Plain).await, [""; 0]);
}

#[tokio::test]
async fn nothing_ties_the_copies_of_a_household_together() {
    assert_eq!(found(HOUSEHOLD, Kind::Proof).await, [""; 0]);
}

#[tokio::test]
async fn nothing_ties_the_copies_of_an_income_together() {
    assert_eq!(found(INCOME, Kind::Proof).await, [""; 0]);
}

#[tokio::test]
async fn nothing_ties_the_copies_of_a_card_together() {
    assert_eq!(found(CARD, Kind::Proof).await, [""; 0]);
}

#[tokio::test]
async fn nothing_ties_the_copies_of_a_clearance_together() {
    assert_eq!(found(CLEARANCE, Kind::Proof).await, [""; 0]);
}
