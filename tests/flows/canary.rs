//! Canaries: the register's values and the story's secrets are nowhere but where they belong.
//!
//! The residents' names, addresses, birth dates and wards are unmistakable. After every outcome was told, each file of
//! issuer, verifier and wallets, the log with every field unredacted, the metrics, and every page and answer that
//! browser and operator saw are searched for them in every form. They belong in the register's CSV and in what the
//! issuer sends to the wallet, and nowhere else. The one-time values of the story belong in no file and no log line.

mod entries;
mod needles;
mod sealed;
mod watch;

use jiff::civil::date;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use vouchsafe::dev;
use vouchsafe::district::residents;
use vouchsafe_protocol::encoding::b64u_decode;
use vouchsafe_service::clock::Clock as _;

use crate::house::{House, PASSPHRASE, Question};
use needles::{Needle, count, hits};
use watch::Log;

/// Files in which the values belong: what the council loads, and the birth dates that a policy's author invented.
const INPUT: [&str; 6] = [
    "district/issuer/residents.csv",
    "district/issuer/residents-earlier.csv",
    "district/issuer/households.csv",
    "district/payer-one/income.csv",
    "district/payer-two/income.csv",
    "district/verifier/policies/bus-pass.cases.toml",
];
/// The file in which the operator keeps its key.
const TEST_KEY: &str = "district/client/test.key";

/// Everything that was said in the open, as it was told.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn hear(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((what.to_owned(), bytes.into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_of_a_resident_and_no_secret_is_left_anywhere() {
    let log = Log::listen();
    let house = House::open().await;
    let mut said = Said::default();
    let mut secrets = tell_every_outcome(&house, &mut said).await;
    secrets.extend(sent_over(&house));
    said.hear("metrics", watch::metrics(house.world.at.ops).await);
    assert!(
        said.0.len() > 20 && secrets.len() > 30,
        "the story was told: {} and {}",
        said.0.len(),
        secrets.len()
    );

    let values = residents_values();
    let files = watch::files(house.dir.path(), &INPUT);
    for must in
        ["verifier.sqlite", "verifier.sqlite-wal", "issuer.sqlite", "issuer.sqlite-wal", "vault.sqlite"]
    {
        assert!(files.iter().any(|(name, _)| name.ends_with(must)), "{must} was searched");
    }
    let logged = log.bytes();
    assert!(count(&logged, "imported a register file") >= 2, "the log was heard");
    let mut found = hits("log", &logged, &values);
    found.extend(files.iter().chain(&said.0).flat_map(|(name, bytes)| hits(name, bytes, &values)));
    found.extend(hits("log", &logged, &secrets));
    let stored = files.iter().filter(|(name, _)| name != TEST_KEY);
    found.extend(stored.flat_map(|(name, bytes)| hits(name, bytes, &secrets)));
    assert_eq!(found, [""; 0]);
    no_ward_stands_out(&files, &said, &logged);

    // The net holds: what is planted is caught, where it was planted.
    plant(&house).await;
    tracing::info!(somebody = "42 Canary Street", "planted");
    let files = watch::files(house.dir.path(), &INPUT);
    let caught: Vec<_> = files.iter().flat_map(|(name, bytes)| hits(name, bytes, &values)).collect();
    assert_eq!(caught, ["district/verifier/verifier.sqlite-wal: the birth date of Resident 0042, base64"]);
    assert_eq!(hits("log", &log.bytes(), &values), ["log: the address of Resident 0042, as it is"]);
}

/// Met, not met, declined, expired, undetermined; gives the secrets that the story's people held.
async fn tell_every_outcome(house: &House, said: &mut Said) -> Vec<Needle> {
    let mut secrets = vec![
        Needle::text("the test key", house.world.test_key().unwrap().trim()),
        Needle::text("the passphrase", std::str::from_utf8(PASSPHRASE).unwrap()),
    ];
    // The earlier register is loaded last here: it must not take the place of what others hold.
    let summer = date(2026, 7, 1);
    dev::load(&house.world, &house.world.district.earlier_register_csv(), summer).await.unwrap();
    for (number, contrary, outcome) in [
        (residents::MET, false, "met"),
        (residents::TOO_YOUNG, true, "not_met"),
        (residents::STALE, false, "undetermined"),
    ] {
        let resident = collect(house, number, &mut secrets).await;
        let mut question = ask(house, said, &mut secrets).await;
        let back = match contrary {
            true => resident.share_contrary(&question.link).await.unwrap(),
            false => resident.share(&question.link).await.unwrap(),
        };
        secrets.push(Needle::text("a response_code", back.split_once("response_code=").unwrap().1));
        said.hear("the page after the answer", question.browser.visit(&back).await.unwrap().body);
        decided(house, said, &question, outcome).await;
    }
    let resident = collect(house, residents::DECLINES, &mut secrets).await;
    let question = ask(house, said, &mut secrets).await;
    resident.decline(&question.link).await.unwrap();
    let silent = ask(house, said, &mut secrets).await;
    house.run_out().await;
    decided(house, said, &question, "declined").await;
    decided(house, said, &silent, "expired").await;
    secrets
}

async fn collect(
    house: &House,
    number: u32,
    secrets: &mut Vec<Needle>,
) -> vouchsafe::demo::resident::Resident {
    let resident = house.newcomer(number).await;
    let offer = dev::offer(&house.world, number).await.unwrap();
    secrets.push(Needle::number("a transaction code", offer.tx_code()));
    resident.receive(&offer.link(), offer.tx_code()).await.unwrap();
    resident
}

/// Asks, and hears what the operator and the browser are told.
async fn ask(house: &House, said: &mut Said, secrets: &mut Vec<Needle>) -> Question {
    let question = house.ask().await;
    secrets.push(Needle::text("a session", question.browser.cookie().unwrap().split_once('=').unwrap().1));
    secrets.push(Needle::text("the name of a page", question.asked.url.rsplit_once('/').unwrap().1));
    said.hear("the page", question.html.clone());
    let (status, body) = call(house, &question, "").await;
    assert_eq!(status, 200);
    said.hear("the API's status", body);
    question
}

async fn decided(house: &House, said: &mut Said, question: &Question, outcome: &str) {
    assert_eq!(house.outcome(question).await.as_deref(), Some(outcome));
    for part in ["", "/decision"] {
        let (status, body) = call(house, question, part).await;
        assert_eq!(status, 200);
        let decoded: Value = serde_json::from_slice(&body).unwrap();
        if let Some(claims) = decoded["decision"].as_str().and_then(|jws| jws.split('.').nth(1)) {
            said.hear("the decision's claims", b64u_decode(claims).unwrap());
        }
        said.hear("the API's answer", body);
    }
    let page = question.browser.clone().visit(&question.asked.url).await.unwrap();
    said.hear("the page at the end", page.body);
}

async fn call(house: &House, question: &Question, part: &str) -> (u16, Vec<u8>) {
    let url = format!("{}/v1/requests/{}{part}", house.world.at.verifier_origin(), question.asked.id);
    let key = house.world.test_key().unwrap();
    let reply = house.http().get(&url).bearer(&key).send().await.unwrap();
    (reply.status, reply.body)
}

/// The one-time values that went over the wallets' line: nonces, states, handles, codes, tokens.
fn sent_over(house: &House) -> Vec<Needle> {
    let mut secrets = Vec::new();
    for exchange in house.line.seen() {
        if let Some(token) = &exchange.token {
            secrets.push(Needle::text("an access token", token));
        }
        let reply: Value = serde_json::from_slice(&exchange.reply).unwrap_or_default();
        let request =
            exchange.reply.split(|byte| *byte == b'.').nth(1).filter(|_| exchange.path().starts_with("/r/"));
        let request: Value = request
            .and_then(|claims| b64u_decode(std::str::from_utf8(claims).unwrap()).ok())
            .map_or(Value::Null, |claims| serde_json::from_slice(&claims).unwrap());
        let handle = |member: &str| Some(request[member].as_str()?.rsplit_once('/')?.1.to_owned());
        let named = [
            ("a c_nonce", reply["c_nonce"].as_str().map(str::to_owned)),
            ("an access token", reply["access_token"].as_str().map(str::to_owned)),
            ("a nonce", request["nonce"].as_str().map(str::to_owned)),
            ("a state", request["state"].as_str().map(str::to_owned)),
            ("where an answer goes", handle("response_uri")),
            ("a pre-authorised code", form_value(&exchange.body, "pre-authorized_code")),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some(Needle::text(name, &value?)));
        secrets.extend(named);
    }
    secrets
}

fn form_value(body: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// What the register says of the residents of the story.
fn residents_values() -> Vec<Needle> {
    let told = [
        (residents::MET, date(1958, 3, 14)),
        (residents::TOO_YOUNG, date(1984, 2, 29)),
        (residents::DECLINES, date(1949, 12, 1)),
        (residents::STALE, date(1950, 10, 30)),
    ];
    let mut needles = Vec::new();
    for (number, born) in told {
        let who = format!("Resident {number:04}");
        needles.push(Needle::text(&format!("the name of {who}"), &who));
        needles.push(Needle::text(&format!("the address of {who}"), &format!("{number} Canary Street")));
        needles.push(Needle::text(&format!("the key of {who}"), &residents::person(number)));
        needles.extend(Needle::birth_date(&who, born));
    }
    needles
}

/// Ward codes are public, and every list of them is stored and sent: the residents' own must be in no other place.
fn no_ward_stands_out(files: &[(String, Vec<u8>)], said: &Said, logged: &[u8]) {
    // The wards of residents 0042, 0007, 0108 and 0201, and one in which nobody of the story lives.
    const WARDS: [&str; 4] = ["W102", "W107", "W108", "W101"];
    const NOBODYS: &str = "W113";
    for ward in WARDS {
        for (name, bytes) in files.iter().chain(&said.0) {
            assert_eq!(count(bytes, ward), count(bytes, NOBODYS), "a ward stands out in {name}");
        }
        assert_eq!(count(logged, ward), 0, "a ward is in the log");
    }
}

/// Puts one birth date into the verifier's database, encoded, as a careless column might.
async fn plant(house: &House) {
    let options = SqliteConnectOptions::new().filename(house.verifier_database());
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let careless = "INSERT INTO outbox (service_id, request_id, topic, created_at) VALUES ('s', 'r', ?, ?)";
    let encoded = vouchsafe_protocol::encoding::b64u(r#"["salt","birth_date","1958-03-14"]"#);
    let row = sqlx::query(careless).bind(encoded).bind(house.clock.now().0);
    row.execute(&mut database).await.unwrap();
}
