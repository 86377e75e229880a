//! An auditor finds what somebody changed who can write to the database and has no key, in every table of the log's concern
//! and on both databases; and finds nothing where nothing was changed.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use vouchsafe_protocol::jose::{PublicJwk, Signer as _};
use vouchsafe_protocol::tlog::note::NoteKey;
use vouchsafe_protocol::tlog::notice::Claims;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::keys::{Jws, SigningKey};
use vouchsafe_service::store::Place;
use vouchsafe_verifier::audit::token::{Believed, TokenError, check};
use vouchsafe_verifier::audit::{Verdict, notices, purposes, report, verify};
use vouchsafe_verifier::expiry::sweep;
use vouchsafe_verifier::log::publish;
use vouchsafe_verifier::notices::declare;
use world::{BUS_KEY, World, json_of, text_of};

/// Opens so many requests and lets them run out; gives their ids.
async fn decided(world: &World, many: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..many {
        let opened = world.ask("counter", "cross_device").await;
        ids.push(opened["id"].as_str().unwrap().to_owned());
    }
    world.clock.advance(7200);
    sweep(&world.app, world.clock.now()).await.unwrap();
    ids
}

/// What changes a database behind the verifier's back.
enum Hand {
    File(SqliteConnection),
    Server(PgConnection),
}

impl Hand {
    async fn on(world: &World) -> Self {
        match &world.config.database {
            Place::File(path) => {
                Self::File(SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap())
            }
            Place::Server(server) => {
                let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().socket(&server.host);
                let options = options.port(server.port).username(&server.user).database(&server.name);
                Self::Server(PgConnection::connect_with(&options).await.unwrap())
            }
        }
    }

    async fn does(&mut self, change: &str) {
        assert!(self.quietly(change).await > 0, "{change}");
    }

    async fn quietly(&mut self, change: &str) -> u64 {
        match self {
            Self::File(file) => {
                sqlx::raw_sql(AssertSqlSafe(change)).execute(file).await.unwrap().rows_affected()
            }
            // Octets are written and joined in other words there.
            Self::Server(server) => {
                let change = change.replace("x'", "'\\x").replace("AS BLOB", "AS BYTEA");
                let change = change.replace("' AS BYTEA", "'::bytea AS BYTEA");
                sqlx::raw_sql(AssertSqlSafe(change)).execute(server).await.unwrap().rows_affected()
            }
        }
    }
}

/// A log with statements, two checkpoints, and decisions behind the last of them.
async fn kept(world: &World) -> Vec<String> {
    declare(&world.app).await.unwrap();
    let mut ids = decided(world, 3).await;
    publish(&world.app).await.unwrap();
    ids.extend(decided(world, 3).await);
    publish(&world.app).await.unwrap();
    ids.extend(decided(world, 2).await);
    ids
}

fn names(verdict: &Verdict, table: &str, row: &str, column: &str) -> bool {
    verdict
        .faults
        .iter()
        .any(|one| one.table == table && one.row.contains(row) && one.column.contains(column))
}

/// An edit, and the row and column that must be named for it.
struct Edit(&'static str, &'static str, &'static str, &'static str);

/// In the file every edit is tried on a copy; on a server each is taken back.
const EDITS: [Edit; 22] = [
    // Flipped.
    Edit(
        "UPDATE decisions SET signing_input = replace(signing_input, '.', '.A') WHERE request_id = 'ID'",
        "decisions",
        "ID",
        "signing_input",
    ),
    Edit(
        "UPDATE decisions SET signing_input = substr(signing_input, 1, length(signing_input) - 1) || '_' WHERE request_id = 'ID'",
        "decisions",
        "ID",
        "signing_input",
    ),
    Edit("UPDATE decisions SET jti = jti || 'y' WHERE request_id = 'ID'", "decisions", "ID", "jti"),
    Edit(
        "UPDATE decisions SET decided_at = decided_at + 1 WHERE request_id = 'ID'",
        "decisions",
        "ID",
        "decided_at",
    ),
    Edit("UPDATE requests SET outcome = 'met' WHERE id = 'ID'", "requests", "ID", "outcome"),
    Edit("UPDATE requests SET policy_id = 'bus-pass' WHERE id = 'ID'", "requests", "ID", "policy_id"),
    Edit("UPDATE requests SET env = 'live' WHERE id = 'ID'", "requests", "ID", "env"),
    Edit(
        "UPDATE log_leaves SET leaf = CAST(x'0102030405060708091011121314151617181920212223242526272829303132' AS BLOB) WHERE place = 8",
        "log_leaves",
        "place 8",
        "leaf",
    ),
    Edit(
        "UPDATE log_leaves SET service_id = 'https://pool.larkfield.example' WHERE place = 8",
        "log_leaves",
        "place 8",
        "service_id",
    ),
    Edit("UPDATE log_leaves SET place = 1000 WHERE place = 8", "log_leaves", "place 8", "place"),
    Edit(
        "UPDATE log_edge SET edge = CAST(substr(edge, 1, length(edge) - 1) || x'00' AS BLOB)",
        "log_edge",
        "id 1",
        "edge",
    ),
    Edit(
        "UPDATE log_checkpoints SET note = replace(note, '/log', '/lag')",
        "log_checkpoints",
        "size 10",
        "note",
    ),
    Edit("UPDATE log_checkpoints SET size = 9 WHERE size = 10", "log_checkpoints", "size 9", "note"),
    Edit(
        "UPDATE notices SET jws = replace(jws, '.', '.A') WHERE id = 'counter'",
        "notices",
        "counter",
        "jws",
    ),
    Edit(
        "UPDATE notices SET digest = CAST(x'00' AS BLOB) WHERE id = 'counter'",
        "notices",
        "counter",
        "digest",
    ),
    Edit("UPDATE notices SET what = 'key' WHERE id = 'counter'", "notices", "counter", "jws"),
    // Taken away.
    Edit("DELETE FROM decisions WHERE request_id = 'ID'", "decisions", "ID", "request_id"),
    Edit("DELETE FROM log_leaves WHERE place = 8", "log_leaves", "place 8", "place"),
    Edit("DELETE FROM notices WHERE id = 'counter'", "log_leaves", "place", "leaf"),
    Edit("DELETE FROM log_edge", "log_edge", "id 1", "edge"),
    // Added.
    Edit(
        "INSERT INTO log_leaves (service_id, leaf, place) VALUES ('', CAST(x'0102030405060708091011121314151617181920212223242526272829303132' AS BLOB), 15)",
        "log_leaves",
        "place 15",
        "leaf",
    ),
    Edit(
        "INSERT INTO log_hashes (level, place, hash) VALUES (1, 0, CAST(x'01' AS BLOB))",
        "log_hashes",
        "level 1, place 0",
        "hash",
    ),
];

async fn every_edit_is_named(world: World) {
    let ids = kept(&world).await;
    let whole = verify(&world.config).await.unwrap();
    assert_eq!(whole.faults, [], "nothing was changed");
    assert_eq!((whole.entries, whole.decisions, whole.notices, whole.checkpoints), (15, 8, 7, 2));
    for Edit(change, table, row, column) in &EDITS {
        let verdict = after(&world, &change.replace("ID", &ids[1])).await;
        assert!(
            names(&verdict, table, &row.replace("ID", &ids[1]), column),
            "{change}: {:#?}",
            verdict.faults
        );
    }
    exchanged_rows_are_named(&world, &ids).await;
    assert_eq!(verify(&world.config).await.unwrap(), whole, "the auditor changes nothing");
}

/// What was deleted when its retention was over is counted, and covers nothing that was not in the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_counted() {
    let world = World::new().await;
    declare(&world.app).await.unwrap();
    let gone = "INSERT INTO log_forgotten (leaf) SELECT l.leaf FROM log_leaves l WHERE l.place = 0;\
        DELETE FROM notices WHERE position = 1";
    let verdict = after(&world, gone).await;
    assert_eq!((verdict.faults.as_slice(), verdict.forgotten, verdict.notices), (&[][..], 1, 6));
    let still_here = gone.split(';').next().unwrap();
    let verdict = after(&world, still_here).await;
    assert!(names(&verdict, "log_forgotten", "leaf", "leaf"), "{:#?}", verdict.faults);
}

/// What is found after a change, which is then taken back.
async fn after(world: &World, change: &str) -> Verdict {
    match &world.config.database {
        Place::File(path) => {
            let copy = path.with_extension("copy");
            let _ = std::fs::remove_file(&copy);
            Hand::on(world).await.quietly(&format!("VACUUM INTO '{}'", copy.display())).await;
            let other = SqliteConnection::connect(&format!("sqlite://{}", copy.display())).await.unwrap();
            let mut hand = Hand::File(other);
            for change in change.split(';') {
                hand.does(change).await;
            }
            drop(hand);
            let mut config = world.config.clone();
            config.database = Place::File(copy);
            verify(&config).await.unwrap()
        }
        Place::Server(_) => {
            let mut hand = Hand::on(world).await;
            for table in TABLES {
                hand.quietly(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
            }
            for change in change.split(';') {
                hand.does(change).await;
            }
            let verdict = verify(&world.config).await.unwrap();
            for table in TABLES {
                hand.quietly(&format!("DELETE FROM {table}")).await;
                let back = format!("INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}");
                hand.quietly(&back).await;
                hand.quietly(&format!("DROP TABLE kept_{table}")).await;
            }
            verdict
        }
    }
}

const TABLES: [&str; 8] = [
    "decisions",
    "requests",
    "log_leaves",
    "log_hashes",
    "log_edge",
    "log_checkpoints",
    "log_forgotten",
    "notices",
];

/// Two entries, two decisions, two statements, each in the other's place.
async fn exchanged_rows_are_named(world: &World, ids: &[String]) {
    let places = "UPDATE log_leaves SET place = 1000 WHERE place = 7;\
        UPDATE log_leaves SET place = 7 WHERE place = 8;UPDATE log_leaves SET place = 8 WHERE place = 1000";
    let verdict = after(world, places).await;
    assert_eq!(verdict.faults.len(), 1, "{:#?}", verdict.faults);
    assert!(names(&verdict, "log_leaves", "places 0 to 9", "place"), "{:#?}", verdict.faults);
    // Behind the last checkpoint nothing signed says whether the edge or the entries were changed: both are named.
    let last = places.replace(" 7", " 13").replace(" 8", " 14");
    let verdict = after(world, &last).await;
    assert!(names(&verdict, "log_leaves", "places 13 to 14", "place"), "{:#?}", verdict.faults);
    assert!(names(&verdict, "log_edge", "id 1", "edge"), "{:#?}", verdict.faults);
    let (one, other) = (&ids[0], &ids[1]);
    let inputs = format!(
        "UPDATE decisions SET request_id = 'between' WHERE request_id = '{one}';\
         UPDATE decisions SET request_id = '{one}' WHERE request_id = '{other}';\
         UPDATE decisions SET request_id = '{other}' WHERE request_id = 'between'"
    );
    let verdict = after(world, &inputs).await;
    for id in [one, other] {
        assert!(names(&verdict, "decisions", id, "signing_input"), "{:#?}", verdict.faults);
    }
    let statements = "UPDATE notices SET id = 'between' WHERE id = 'counter';\
        UPDATE notices SET id = 'counter' WHERE id = 'by-ward';UPDATE notices SET id = 'by-ward' WHERE id = 'between'";
    let verdict = after(world, statements).await;
    for id in ["counter", "by-ward"] {
        assert!(names(&verdict, "notices", id, "jws"), "{:#?}", verdict.faults);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edit_of_a_file_is_named() {
    every_edit_is_named(World::new().await).await;
}

#[cfg(feature = "mutants")]
#[tokio::test(flavor = "multi_thread")]
async fn every_edit_on_a_server_is_named() {
    let cluster = vouchsafe_cluster::Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let place = Place::Server(vouchsafe_service::store::Server {
        host: cluster.socket().to_str().unwrap().to_owned(),
        port: cluster.port(),
        name: cluster.database(),
        user: vouchsafe_cluster::USER.to_owned(),
        password: None,
        root_certificate: None,
    });
    every_edit_is_named(World::new().await.moved(place).await).await;
}

/// A full tile of hashes above the lowest: one that is changed or missing is named, and entries below it before it.
#[tokio::test(flavor = "multi_thread")]
async fn hashes_of_tiles_are_held_against_their_entries() {
    let world = World::new().await;
    decided(&world, 260).await;
    publish(&world.app).await.unwrap();
    assert_eq!(verify(&world.config).await.unwrap().faults, []);
    for change in ["UPDATE log_hashes SET hash = x'00'", "DELETE FROM log_hashes"] {
        let verdict = after(&world, change).await;
        assert_eq!(verdict.faults.len(), 1, "{:#?}", verdict.faults);
        assert!(names(&verdict, "log_hashes", "level 1, place 0", "hash"), "{:#?}", verdict.faults);
    }
    let verdict = after(&world, "UPDATE log_leaves SET leaf = zeroblob(32) WHERE place = 77").await;
    assert!(names(&verdict, "log_leaves", "place 77", "leaf"), "{:#?}", verdict.faults);
    assert!(verdict.faults.iter().all(|fault| fault.table != "log_hashes"), "{:#?}", verdict.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_checked_without_a_database() {
    let world = World::new().await;
    let ids = decided(&world, 3).await;
    publish(&world.app).await.unwrap();
    let token = world.decision(&ids[1]).await["decision"].as_str().unwrap().to_owned();
    let place = format!("/v1/requests/{}/log-proof", ids[1]);
    let proof = world.get_with(&place, header::AUTHORIZATION, &format!("Bearer {BUS_KEY}")).await;
    assert_eq!(proof.status(), StatusCode::OK);
    let proof = text_of(proof).await;
    let key = world.app.log_desk().unwrap().key().clone();
    let believed = |log: &[NoteKey], quorum| Believed { log: log.to_vec(), witnesses: Vec::new(), quorum };
    let stands = check(&token, &proof, &believed(std::slice::from_ref(&key), 0)).unwrap();
    assert_eq!((stands.size, stands.typ), (3, "vouchsafe-decision+jwt"));
    let other = world.decision(&ids[0]).await["decision"].as_str().unwrap().to_owned();
    assert!(matches!(
        check(&other, &proof, &believed(std::slice::from_ref(&key), 0)),
        Err(TokenError::Proof(_))
    ));
    assert!(matches!(
        check("e30.e30.AA", &proof, &believed(std::slice::from_ref(&key), 0)),
        Err(TokenError::Token)
    ));
    assert!(matches!(check(&token, &proof, &believed(&[], 0)), Err(TokenError::Keys)));
    let both = Believed { log: vec![key.clone()], witnesses: vec![key.clone()], quorum: 0 };
    let (witnessed, kinds) =
        (|| check(&token, &proof, &believed(std::slice::from_ref(&key), 1)), || check(&token, &proof, &both));
    assert!(matches!(witnessed(), Err(TokenError::Quorum)));
    assert!(matches!(kinds(), Err(TokenError::Keys)), "a log is no witness of itself");
    #[cfg(feature = "mutants")]
    {
        use vouchsafe_mutants::without;
        assert!(matches!(without("audit-token-quorum", witnessed), Err(TokenError::Proof(_))));
        assert!(without("audit-token-keys", kinds).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_no_small_number_and_no_request() {
    let world = World::new().await;
    let ids = decided(&world, 4).await;
    let few = report::csv(&report::report(&world.config).await.unwrap());
    assert_eq!(few, "policy,month,outcome,count\r\ncounter,2026-11,expired,fewer than 5\r\n");
    decided(&world, 1).await;
    let lines = report::report(&world.config).await.unwrap();
    assert_eq!(report::csv(&lines), "policy,month,outcome,count\r\ncounter,2026-11,expired,5\r\n");
    let json = serde_json::to_string(&lines).unwrap();
    assert!(ids.iter().all(|id| !json.contains(id)), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn purposes_are_written_down_for_tables_and_for_readers_of_linked_data() {
    let world = World::new().await;
    let rules = world.app.rules();
    let csv = purposes::csv(&rules.register);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("id,version,text_en,text_cy,basis,retention_days,"));
    assert!(
        lines[1].starts_with("pass,1,To give you a bus pass.,I roi pàs bws i chi.,public_task,30,"),
        "{csv}"
    );
    let linked = purposes::jsonld(&rules.register);
    assert_eq!(linked["@context"]["dpv"], "https://w3id.org/dpv#");
    let purpose = &linked["purposes"][0];
    assert_eq!(purpose["id"], "urn:vouchsafe:purpose:pass");
    assert_eq!(purpose["lawful_basis"], "dpv:PublicInterest");
    assert_eq!(purpose["storage"]["duration"], "P30D");
    assert_eq!(purpose["services"][0]["id"], "https://buses.larkfield.example");
    // Every member but the keywords has a meaning in the context, which is in the document.
    for member in purpose.as_object().unwrap().keys() {
        assert!(linked["@context"].get(member).is_some(), "{member}");
    }
}

/// What came in force is stated once, and again when it changed.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_force_is_stated_once() {
    let world = World::new().await;
    // Three policies, the register, three keys.
    assert_eq!(declare(&world.app).await.unwrap(), 7);
    assert_eq!(declare(&world.app).await.unwrap(), 0);
    let world = world.restart().await;
    assert_eq!(declare(&world.app).await.unwrap(), 0, "a restart changes nothing");
    let file = world.folder.path().join("policies/counter.toml");
    let policy = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, policy.replace("version = 1", "version = 2")).unwrap();
    world.app.reload().await.unwrap();
    let verdict = verify(&world.config).await.unwrap();
    assert_eq!((verdict.notices, verdict.entries), (8, 8), "one policy changed");
    assert_eq!(verdict.faults, []);
    // The auditor reads them, and checks each with the key that checks decisions.
    let jwks = json_of(world.get("/.well-known/jwks.json").await).await;
    let mut key = jwks["keys"][0].clone();
    for member in ["kid", "use", "alg"] {
        key.as_object_mut().unwrap().remove(member);
    }
    let key = PublicJwk::from_value(&key).unwrap();
    let all = notices(&world.config).await.unwrap();
    assert_eq!(
        all.iter().filter(|one| (one.what.as_str(), one.id.as_str()) == ("policy", "counter")).count(),
        2
    );
    for one in &all {
        let claims = Claims::verify(&one.jws, &key, &Jws).unwrap();
        assert_eq!(
            (claims.what.as_str(), &claims.id, &claims.digest),
            (one.what.as_str(), &one.id, &one.digest)
        );
        assert_eq!(claims.iss, world.config.origin);
    }
    let stranger = SigningKey::generate().unwrap();
    assert!(Claims::verify(&all[0].jws, stranger.public(), &Jws).is_err());
}
