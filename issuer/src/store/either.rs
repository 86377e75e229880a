//! The store that a configuration names: a file or a server.

use jiff::civil::Date;
use vouchsafe_protocol::openid4vci::notification::Event;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::store::{Database, Migrators};

use super::{
    AddOfferError, Asked, Batch, Change, Collect, CollectRefusal, Defer, Deferred, Deferring, EnrolError,
    Enrolled, Grant, Import, ImportId, Issue, IssueRefusal, Issuing, LinkRefusal, Linking, Mac, NewOffer,
    OfferState, Offers, Pending, PostgresStore, Progress, PublishedList, Redeem, RedeemRefusal, Register,
    Reserve, ReserveRefusal, Snapshot, SqliteStore, Statuses, StoreError, Verdict,
};
use crate::import::RowError;

/// The issuer's migrations in both dialects.
pub const MIGRATORS: Migrators =
    Migrators { sqlite: &super::sqlite::MIGRATOR, postgres: &super::postgres::MIGRATOR };

/// The issuer's database of either kind.
#[derive(Clone)]
pub struct Either {
    store: Kind,
    database: Database,
}

#[derive(Clone)]
enum Kind {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Either {
    /// A store on a database that has had [`MIGRATORS`] run on it.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let store = match &database {
            Database::Sqlite(pools) => Kind::Sqlite(SqliteStore::new(pools.clone())),
            Database::Postgres(pools) => Kind::Postgres(PostgresStore::new(pools.clone())),
        };
        Self { store, database }
    }

    /// The database, for readiness and for closing.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Whether the database answers: for readiness.
    pub async fn is_ready(&self) -> bool {
        self.database.is_ready().await
    }
}

/// Hands each call on to the store that is there.
macro_rules! hand_on {
    ($($trait:ident { $($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)* })*) => { $(
        impl $trait for Either {
            $(async fn $name(&self, $($argument: $type),*) -> $result {
                match &self.store {
                    Kind::Sqlite(store) => store.$name($($argument),*).await,
                    Kind::Postgres(store) => store.$name($($argument),*).await,
                }
            })*
        }
    )* };
}

hand_on! {
    Register {
        begin_import(import: &Import, now: UnixTime) -> Result<Progress, StoreError>;
        enrol(import: &Import, batch: Batch) -> Result<Progress, EnrolError>;
        row_errors(id: ImportId) -> Result<Vec<RowError>, StoreError>;
        person(type_id: &str, person: Mac) -> Result<Option<Enrolled>, StoreError>;
        in_periods(type_id: &str, whole: Mac) -> Result<Vec<Mac>, StoreError>;
    }
    Offers {
        add_offer(offer: NewOffer) -> Result<(), AddOfferError>;
        offer_of_code(code: Mac) -> Result<Option<OfferState>, StoreError>;
        offer(handle: Mac) -> Result<Option<OfferState>, StoreError>;
        redeem(redeem: &Redeem) -> Result<Result<(), RedeemRefusal>, StoreError>;
    }
    Issuing {
        grant(token: Mac) -> Result<Option<Grant>, StoreError>;
        issue(issue: &Issue) -> Result<Result<(), IssueRefusal>, StoreError>;
        see_proof(proof: Mac, forget_at: UnixTime, now: UnixTime) -> Result<bool, StoreError>;
        notify(token: Mac, notification: Mac, event: Event) -> Result<bool, StoreError>;
        notified() -> Result<[u64; 3], StoreError>;
    }
    Deferring {
        defer(defer: &Defer) -> Result<Result<(), IssueRefusal>, StoreError>;
        deferred(transaction: Mac) -> Result<Option<Deferred>, StoreError>;
        collect(collect: &Collect) -> Result<Result<(), CollectRefusal>, StoreError>;
        pending(now: UnixTime) -> Result<Vec<Pending>, StoreError>;
        decide(reference: &str, verdict: Verdict, now: UnixTime) -> Result<bool, StoreError>;
    }
    Linking {
        registered(person: Mac, nym: Mac) -> Result<Result<Option<Date>, LinkRefusal>, StoreError>;
        release(person: Mac, names: &[Mac], now: UnixTime) -> Result<bool, StoreError>;
    }
    Statuses {
        open_shard() -> Result<Option<String>, StoreError>;
        add_shard(entries: u64, list: &PublishedList) -> Result<(), StoreError>;
        reserve(reserve: &Reserve, entropy: &dyn Entropy) -> Result<Result<Vec<u64>, ReserveRefusal>, StoreError>;
        ask(changes: &[Change<'_>]) -> Result<Vec<Asked>, StoreError>;
        published_at() -> Result<UnixTime, StoreError>;
        snapshot() -> Result<Snapshot, StoreError>;
        publish(snapshot: &Snapshot, lists: &[PublishedList], now: UnixTime) -> Result<bool, StoreError>;
        list(shard: &str) -> Result<Option<(u64, PublishedList)>, StoreError>;
        sequence() -> Result<u64, StoreError>;
        clean(before: UnixTime, most: u32) -> Result<bool, StoreError>;
    }
}
