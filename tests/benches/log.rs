//! An append to the log, with the proof of the entry, against one bare insert of the same bytes: same database, same durability,
//! each in a transaction of its own.

use std::cell::Cell;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use vouchsafe_cluster::{Cluster, USER};
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_service::clock::{Clock, DatabaseClock};
use vouchsafe_service::store::{Postgres, Schema, Server, Sqlite};
use vouchsafe_verifier::store::postgres::{self, PostgresStore};
use vouchsafe_verifier::store::sqlite::{self, SqliteStore};

use crate::measure::{Report, against};

const INSERT: &str = "INSERT INTO bare (leaf) VALUES ($1)";

pub(crate) fn benches() -> Vec<Report> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    vec![on_a_file(&runtime), on_a_server(&runtime)]
}

/// A new entry each time.
struct Entries(Cell<u64>);

impl Entries {
    fn new() -> Self {
        Self(Cell::new(0))
    }

    fn next(&self) -> [u8; 32] {
        self.0.set(self.0.get() + 1);
        sha256(self.0.get().to_be_bytes())
    }
}

fn on_a_file(runtime: &Runtime) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.sqlite");
    let database = runtime.block_on(Sqlite::open(&path, &sqlite::MIGRATOR, Schema::Migrate)).expect("opens");
    let store = SqliteStore::new(database.clone());
    let table =
        "CREATE TABLE bare (position INTEGER PRIMARY KEY AUTOINCREMENT, leaf BLOB NOT NULL UNIQUE) STRICT";
    let insert = async |statement: &'static str, entry: Option<[u8; 32]>| {
        let mut writing = database.write().await.expect("begins");
        let query = entry.into_iter().fold(sqlx::query(statement), |query, entry| query.bind(entry.to_vec()));
        query.execute(&mut *writing).await.expect("is written");
        writing.commit().await.expect("is kept");
    };
    runtime.block_on(insert(table, None));
    let entries = Entries::new();
    let append = || runtime.block_on(store.append_alone(entries.next())).expect("is appended").proof;
    against("log/append/sqlite", append, || runtime.block_on(insert(INSERT, Some(entries.next()))))
}

fn on_a_server(runtime: &Runtime) -> Report {
    let cluster = Cluster::private().expect("a server");
    let place = Server {
        host: cluster.socket().to_str().expect("a path").to_owned(),
        port: cluster.port(),
        name: cluster.database(),
        user: USER.to_owned(),
        password: None,
        root_certificate: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(DatabaseClock::default());
    let opened = Postgres::open(&place, &postgres::MIGRATOR, Schema::Migrate, &clock);
    let database = runtime.block_on(opened).expect("opens");
    let store = PostgresStore::new(database.clone());
    let table = "CREATE TABLE bare (position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, leaf BYTEA NOT NULL UNIQUE)";
    let insert = async |statement: &'static str, entry: Option<[u8; 32]>| {
        let mut writing = database.write().await.expect("begins");
        let query = entry.into_iter().fold(sqlx::query(statement), |query, entry| query.bind(entry.to_vec()));
        query.execute(&mut *writing).await.expect("is written");
        writing.commit().await.expect("is kept");
    };
    runtime.block_on(insert(table, None));
    let entries = Entries::new();
    let append = || runtime.block_on(store.append_alone(entries.next())).expect("is appended").proof;
    against("log/append/postgres", append, || runtime.block_on(insert(INSERT, Some(entries.next()))))
}
