//! What opens a commitment, or answers in a resident's place, is in the wallet's vault, sealed, and nowhere else: seeds,
//! the blindings that come of them, the link secret with what hides it in each copy, and the keys of the copies.
//!
//! A seed is known to the body that drew it until its response is sent, encrypted; the others never leave the wallet.

use std::collections::{BTreeMap, BTreeSet};

use vouchsafe::demo::resident::Resident;
use vouchsafe::district::{CARD, SWIM, residents};
use vouchsafe_proofs::commitment::Seed;
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_wallet::vault::Section;

use super::*;

/// Copies that are looked for although they were never shown, of all that were collected.
const UNSHOWN: usize = 5;

/// PKCS#8 of a key on P-256 as `ring` writes it: so many bytes, and where its private number is.
const PKCS8: (usize, std::ops::Range<usize>) = (138, 36..68);

/// What one vault keeps of each copy, and of all of them.
struct Kept {
    copies: BTreeMap<String, Vec<Needle>>,
    link: Needle,
    /// One seed as it is written down, to be planted.
    seed: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_opens_a_commitment_is_left_anywhere() {
    let log = Log::listen();
    let house = House::open().await;
    let yesterday = house.clock.now().london_date().yesterday().unwrap();
    let register = house.world.district.register_csv();
    dev::load_into(&house.world.issuer, CARD, &register, yesterday).await.unwrap();
    let resident = house.resident(residents::MET).await;
    let card = dev::offer_of(&house.world.issuer, CARD, residents::MET).await.unwrap();
    resident.wallet.receive(&card.link(), Some(card.tx_code())).await.unwrap();
    let kept = kept(&resident).await;
    assert_eq!(kept.copies.len(), 60, "two batches");

    let mut said = Said::default();
    for policy in [vouchsafe::district::BUS_PASS, SWIM] {
        shares(&house, &mut said, &resident, policy).await;
    }
    said.hear("metrics", watch::metrics(house.world.at.ops).await);
    for exchange in house.line.seen() {
        let path = exchange.path();
        said.hear(&format!("what was sent to {path}"), exchange.body);
        said.hear(&format!("what came from {path}"), exchange.reply);
    }
    let needles = sought(&resident, kept.copies, kept.link).await;
    assert_eq!(everywhere(&house, &said, &log, &needles), [""; 0]);

    // The net holds: a seed in a column of the verifier, and one in a line.
    write_down(&house, &kept.seed).await;
    tracing::info!(somebody = kept.seed, "planted");
    let found = everywhere(&house, &said, &log, &needles);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("log: a seed, base64"), "{found:?}");
    assert!(found[1].starts_with("district/verifier/verifier.sqlite-wal: a seed, base64"), "{found:?}");
}

/// A question that is answered with a proof, and all that is said of it in the open.
async fn shares(house: &House, said: &mut Said, resident: &Resident, policy: &str) {
    let question = house.ask_by(policy).await;
    said.hear("the page", question.html.clone());
    said.hear("the wallet's page", resident.read(&question.link).await.unwrap());
    let back = resident.share(&question.link).await.unwrap();
    said.hear("the page after the answer", question.browser.clone().visit(&back).await.unwrap().body);
    decided(house, said, &question, "met").await;
}

/// What the vault of `resident` holds of its copies.
async fn kept(resident: &Resident) -> Kept {
    let vault = resident.wallet.vault();
    let read = async |section| {
        let records = vault.scan(section).await.unwrap();
        records
            .into_iter()
            .map(|record| (record.id.clone(), record.plain.to_vec()))
            .collect::<BTreeMap<_, _>>()
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let (credentials, copies) = (read(Section::Credential).await, read(Section::Copy).await);
    let keys = read(Section::HolderKey).await;
    let secret = read(Section::Link).await.into_values().next().unwrap();
    let secret: [u8; 32] = b64u_array(json(&secret)["x"].as_str().unwrap()).unwrap();
    let (mut needles, mut planted, mut linked) = (BTreeMap::new(), String::new(), 0);
    for (id, opened) in read(Section::Seed).await {
        let opened = json(&opened);
        let of = json(&copies[&id])["credential"].as_str().unwrap().to_owned();
        let of = json(&credentials[&of]);
        let mut own = openings(&opened, of["iss"].as_str().unwrap(), of["vct"].as_str().unwrap());
        linked += usize::from(opened["link"].is_string());
        let key = &keys[&id];
        assert_eq!(key.len(), PKCS8.0, "the form of a kept key");
        own.push(Needle::bytes("the key of a copy", &key[PKCS8.1]));
        planted = opened["seed"].as_str().unwrap().to_owned();
        needles.insert(id, own);
    }
    assert_eq!(linked, 30, "the copies of one batch are linked");
    Kept { copies: needles, link: Needle::bytes("the link secret", &secret), seed: planted }
}

/// The seed of one copy, and every blinding of it.
fn openings(opened: &Value, iss: &str, vct: &str) -> Vec<Needle> {
    let bytes: [u8; 32] = b64u_array(opened["seed"].as_str().unwrap()).unwrap();
    let seed = Seed::new(bytes);
    let mut needles = vec![Needle::bytes("a seed", &bytes)];
    for attribute in opened["attributes"].as_array().unwrap() {
        let r = seed.blinding(iss, vct, attribute["pointer"].as_str().unwrap());
        needles.push(Needle::bytes("a blinding", r.to_bytes().as_slice()));
    }
    let link = opened["link"].as_str().map(|t| b64u_array::<32>(t).unwrap());
    needles.extend(link.map(|t| Needle::bytes("what hides the link secret", &t)));
    needles
}

/// All of the copies that were shown, of some others, and the link secret. What was shown is out of the vault by now.
async fn sought(resident: &Resident, copies: BTreeMap<String, Vec<Needle>>, link: Needle) -> Vec<Needle> {
    let left = resident.wallet.vault().scan(Section::Seed).await.unwrap();
    let left: BTreeSet<_> = left.into_iter().map(|record| record.id.clone()).collect();
    let (unshown, shown): (Vec<_>, Vec<_>) = copies.into_iter().partition(|(id, _)| left.contains(id));
    assert_eq!(shown.len(), 2, "one copy for each answer");
    let unshown = unshown.into_iter().rev().take(UNSHOWN);
    let needles = shown.into_iter().chain(unshown).flat_map(|(_, needles)| needles);
    needles.chain([link]).collect()
}

/// Every hit: log, files of everybody and so the vault's own, and all that was sent or said.
fn everywhere(house: &House, said: &Said, log: &Log, needles: &[Needle]) -> Vec<String> {
    let files = watch::files(house.dir.path(), &[]);
    for must in ["verifier.sqlite-wal", "issuer.sqlite-wal", "vault.sqlite"] {
        assert!(files.iter().any(|(name, _)| name.ends_with(must)), "{must} was searched");
    }
    let mut found = hits("log", &log.bytes(), needles);
    found.extend(files.iter().chain(&said.0).flat_map(|(name, bytes)| hits(name, bytes, needles)));
    found
}

/// What a careless column would hold.
async fn write_down(house: &House, seed: &str) {
    let options = SqliteConnectOptions::new().filename(house.verifier_database());
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let careless = "INSERT INTO outbox (service_id, request_id, topic, created_at) VALUES ('s', 'r', ?, ?)";
    let topic = b64u(format!("seed {seed}"));
    sqlx::query(careless).bind(topic).bind(house.clock.now().0).execute(&mut database).await.unwrap();
}
