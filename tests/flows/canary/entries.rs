//! What a status look-up leaves behind: nothing. Index and list address of a copy are a pair that names it wherever they
//! stand (Token Status List, 12.4), so that after the check they stand with the body that publishes the list, and sealed
//! in the holder's vault.
//!
//! The verifier keeps lists in memory by their address; that is for all of a list's copies, and no file, log line,
//! metric, page, call or decision has it.

use sqlx::{AssertSqlSafe, Row as _};
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::resident::Resident;
use vouchsafe::district::{CLEARANCE, residents};
use vouchsafe_issuer::Kind;
use vouchsafe_issuer::import::{self, Options};
use vouchsafe_issuer::offer::{self, Delivery, OfferRequest};
use vouchsafe_issuer::status;
use vouchsafe_protocol::status::Standing;
use vouchsafe_service::store::Database;

use super::*;

/// The folder of the body that publishes: entries are its business.
const PUBLISHER: &str = "district/bureau/";

/// No counter of a test gets so far: a whole number from here on that is in a row is an index.
const TELLING: i64 = 10_000;

/// An entry that a copy has.
struct Entry {
    shard: String,
    idx: i64,
}

impl Entry {
    /// The list by its name, and the index as somebody would write it who writes it down.
    fn needles(&self) -> Vec<Needle> {
        let idx = self.idx;
        let index = ["\"idx\":", "\"idx\": ", "idx=", "idx: ", "index=", "index: ", "\"index\":"];
        let index = index.map(|name| Needle::text("an index", &format!("{name}{idx}")));
        index.into_iter().chain([Needle::text("the address of a list", &self.shard)]).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_entry_of_a_status_list_is_left_where_it_was_looked_up() {
    let log = Log::listen();
    let house = House::open().await;
    let resident = cleared(&house).await;
    let entries = entries(&house).await;
    assert_eq!(entries.len(), 30, "every copy has one");
    let needles: Vec<_> = entries.iter().filter(|one| one.idx >= TELLING).flat_map(Entry::needles).collect();
    assert!(needles.len() > 100);

    let mut said = Said::default();
    look_up(&house, &mut said, &resident, "met").await;
    suspend(&house).await;
    look_up(&house, &mut said, &resident, "not_met").await;
    house.world.close_bureau().await;
    house.clock.advance(2 * 3600);
    look_up(&house, &mut said, &resident, "undetermined").await;
    said.hear("metrics", watch::metrics(house.world.at.ops).await);

    let found = everywhere(&house, &said, &log, &needles);
    assert_eq!(found, [""; 0]);
    assert_eq!(rows_with(&house, &entries).await, [""; 0]);

    // The net holds: an index in a row, and a line that names one.
    let one = entries.iter().find(|one| one.idx >= TELLING).unwrap();
    write_down(&house, one).await;
    tracing::info!(idx = one.idx, "planted");
    assert_eq!(rows_with(&house, &entries).await, ["outbox.created_at"]);
    let found = everywhere(&house, &said, &log, &needles);
    let wal = "district/verifier/verifier.sqlite-wal: the address of a list, as it is";
    assert!(found.iter().any(|hit| hit == wal), "{found:?}");
    assert!(found.iter().any(|hit| hit == "log: an index, as it is"), "{found:?}");
}

/// The volunteer, with copies that have a status.
async fn cleared(house: &House) -> Resident {
    let options = Options {
        type_id: CLEARANCE.to_owned(),
        key_column: residents::KEY_COLUMN.to_owned(),
        facts_as_of: house.clock.now().london_date().yesterday().unwrap(),
    };
    let bureau = &house.world.bureau;
    import::run(bureau, &house.world.district.volunteers_csv(), &options, |_| {}).await.unwrap();
    let request = OfferRequest {
        type_id: CLEARANCE.to_owned(),
        person: residents::person(residents::VOLUNTEER),
        kind: Kind::Proof,
        delivery: Delivery::Link,
    };
    let offer = offer::create(bureau, &request).await.unwrap();
    let resident = house.newcomer(residents::VOLUNTEER).await;
    resident.receive(&offer.link(), offer.tx_code()).await.unwrap();
    resident
}

async fn suspend(house: &House) {
    let person = [residents::person(residents::VOLUNTEER)];
    status::change(&house.world.bureau, CLEARANCE, &person, Standing::Suspended).await.unwrap();
    house.clock.advance(1800);
    status::publish_due(&house.world.bureau).await.unwrap().unwrap();
}

async fn entries(house: &House) -> Vec<Entry> {
    let Database::Sqlite(file) = house.world.bureau.store().database() else { panic!("files here") };
    let rows = sqlx::query("SELECT shard, idx FROM status_entry").fetch_all(file.reader()).await.unwrap();
    rows.iter().map(|row| Entry { shard: row.get("shard"), idx: row.get("idx") }).collect()
}

/// A question that needs a look-up, and everything that is said of it in the open.
async fn look_up(house: &House, said: &mut Said, resident: &Resident, outcome: &str) {
    let asked = house.operator.ask(CLEARANCE, "COMPANION-0064").await.unwrap();
    let mut browser = Browser::new(house.http());
    let html = browser.open(&asked.url).await.unwrap();
    let link = wallet_link(&html).unwrap();
    let mut question = Question { asked, browser, link, html };
    said.hear("the page", question.html.clone());
    let back = resident.share(&question.link).await.unwrap();
    said.hear("the page after the answer", question.browser.visit(&back).await.unwrap().body);
    decided(house, said, &question, outcome).await;
}

/// Every hit outside the publisher's own folder.
fn everywhere(house: &House, said: &Said, log: &Log, needles: &[Needle]) -> Vec<String> {
    let files = watch::files(house.dir.path(), &[]);
    assert!(files.iter().any(|(name, _)| name.ends_with("verifier.sqlite-wal")));
    assert!(files.iter().any(|(name, _)| name.starts_with(PUBLISHER)), "the publisher's folder is there");
    let elsewhere = files.iter().filter(|(name, _)| !name.starts_with(PUBLISHER));
    let mut found = hits("log", &log.bytes(), needles);
    found.extend(elsewhere.chain(&said.0).flat_map(|(name, bytes)| hits(name, bytes, needles)));
    found
}

/// Columns of the verifier's database that hold an index as a number or as its text.
async fn rows_with(house: &House, entries: &[Entry]) -> Vec<String> {
    let Database::Sqlite(file) = house.database() else { panic!("files here") };
    let columns = "SELECT m.name AS t, c.name AS c FROM sqlite_schema AS m, pragma_table_info(m.name) AS c \
                   WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let columns = sqlx::query(columns).fetch_all(file.reader()).await.unwrap();
    assert!(columns.len() > 40, "the whole database is looked at");
    let indices: Vec<_> = entries.iter().filter(|one| one.idx >= TELLING).collect();
    let indices = indices.iter().map(|one| format!("'{}'", one.idx)).collect::<Vec<_>>().join(",");
    let mut found = Vec::new();
    for column in columns {
        let (table, column): (String, String) = (column.get("t"), column.get("c"));
        let query =
            format!("SELECT count(*) FROM \"{table}\" WHERE CAST(\"{column}\" AS TEXT) IN ({indices})");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(file.reader()).await.unwrap();
        if count > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// What a careless column would hold.
async fn write_down(house: &House, entry: &Entry) {
    let options = SqliteConnectOptions::new().filename(house.verifier_database());
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let careless = "INSERT INTO outbox (service_id, request_id, topic, created_at) VALUES ('s', 'r', ?, ?)";
    sqlx::query(careless).bind(&entry.shard).bind(entry.idx).execute(&mut database).await.unwrap();
}
