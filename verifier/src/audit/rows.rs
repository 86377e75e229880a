//! The rows that an auditor reads, of a file or of a server.

use vouchsafe_service::store::Reading;

use crate::store::PermissionRow;

/// A row of `log_leaves`.
#[derive(sqlx::FromRow)]
pub(super) struct LeafRow {
    pub(super) position: i64,
    pub(super) service_id: String,
    pub(super) leaf: Vec<u8>,
    pub(super) place: Option<i64>,
}

/// A row of `decisions` with what its request says.
#[derive(sqlx::FromRow)]
pub(super) struct DecisionRow {
    pub(super) service_id: String,
    pub(super) request_id: String,
    pub(super) jti: String,
    pub(super) signing_input: String,
    pub(super) decided_at: i64,
    pub(super) env: Option<String>,
    pub(super) status: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) policy_id: Option<String>,
}

/// A row of `notices`.
#[derive(sqlx::FromRow)]
pub(super) struct NoticeRow {
    pub(super) position: i64,
    pub(super) what: String,
    pub(super) id: String,
    pub(super) digest: Vec<u8>,
    pub(super) jti: String,
    pub(super) jws: String,
}

/// A row of `permission_events`.
#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    pub(super) service_id: String,
    pub(super) permission_id: String,
    pub(super) number: i64,
    pub(super) signing_input: String,
}

/// How a request ended, by which policy, and when.
#[derive(sqlx::FromRow)]
pub(super) struct EndRow {
    pub(super) service_id: String,
    pub(super) id: String,
    pub(super) policy_id: String,
    pub(super) outcome: Option<String>,
    pub(super) decided_at: i64,
}

/// Level, place and hash of a row of `log_hashes`.
pub(super) type HashRow = (i64, i64, Vec<u8>);

#[path = "."]
mod file {
    pub(super) type Connection = sqlx::SqliteConnection;
    #[path = "said.rs"]
    pub(super) mod said;
}

#[path = "."]
mod server {
    pub(super) type Connection = sqlx::PgConnection;
    #[expect(clippy::duplicate_mod, reason = "one text for both dialects, compiled for each")]
    #[path = "said.rs"]
    pub(super) mod said;
}

/// A database that is read.
pub(super) struct Reader(Reading);

macro_rules! asked {
    ($($(#[$doc:meta])* $name:ident($($with:ident: $kind:ty),*) -> $gives:ty;)*) => {
        impl Reader { $(
            $(#[$doc])*
            pub(super) async fn $name(&mut self, $($with: $kind),*) -> Result<$gives, sqlx::Error> {
                match &mut self.0 {
                    Reading::Sqlite(connection) => file::said::$name(connection, $($with),*).await,
                    Reading::Postgres(connection) => server::said::$name(connection, $($with),*).await,
                }
            }
        )* }
    };
}

impl Reader {
    pub(super) fn of(reading: Reading) -> Self {
        Self(reading)
    }
}

asked! {
    /// Entries behind that position.
    leaves(after: i64) -> Vec<LeafRow>;
    /// Decisions behind that key.
    decisions(after: (String, String)) -> Vec<DecisionRow>;
    /// Requests that are decided and have no decision.
    undecided() -> Vec<(String, String)>;
    /// Statements of what is in force, in their order.
    notices() -> Vec<NoticeRow>;
    /// Permissions behind that key.
    permissions(after: (String, String)) -> Vec<PermissionRow>;
    /// Events of permissions behind that key.
    events(after: (String, String, i64)) -> Vec<EventRow>;
    /// Entries whose documents were deleted at the end of their retention.
    forgotten() -> Vec<Vec<u8>>;
    /// The hashes of subtrees.
    hashes() -> Vec<HashRow>;
    /// The edges; there is one.
    edges() -> Vec<Vec<u8>>;
    /// The checkpoints by size.
    checkpoints() -> Vec<(i64, String)>;
    /// How decisions ended, by policy and instant, behind that key.
    ends(after: (String, String)) -> Vec<EndRow>;
}
