//! The log's tree: its right edge is one row, which a transaction takes last of all and holds until its end.

use std::ops::Range;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::tlog::tree::{Appended, Frontier, Hash};

use super::super::super::log::{Log, Notice, Published};
use super::super::super::{Pending, StoreError};
use super::{ENTRY_AND_EDGE, Own, Tx};

/// How many entries get their places between two looks at the table.
const ROUND: usize = 1_000;

/// A row of `log_leaves` without a place.
type Waiting = (i64, Vec<u8>);

/// An entry that a transaction appends, and the service whose document it is of; empty for the verifier's own.
pub(super) struct Entry {
    pub(super) service: String,
    pub(super) hash: Hash,
}

/// Why a transaction could not append: the database, whose error says whether it may be begun again, or what it holds.
pub(super) enum Fault {
    Database(sqlx::Error),
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) => error.into(),
            Fault::Store(error) => error,
        }
    }
}

/// Appends these entries with their places, and says what each append made. Behind a version that wrote entries without
/// places, those get theirs first.
///
/// What waits is looked at as it was when the edge was asked for: who waited here for another writer may pass over what that
/// one left, and the next one does not. Our own entries are written after that.
pub(super) async fn append_entries(writing: &mut Tx, entries: &[Entry]) -> Result<Vec<Appended>, Fault> {
    let (edge, waits): (Vec<u8>, bool) = sqlx::query_as(locked!(
        "SELECT edge, EXISTS (SELECT 1 FROM log_leaves WHERE place IS NULL) FROM log_edge WHERE id = 1"
    ))
    .fetch_one(&mut **writing)
    .await?;
    let mut edge = if waits { append(writing).await? } else { read(&edge)? };
    let mut all = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let appended = edge.push(&entry.hash).map_err(|_| StoreError::Unavailable)?;
        let last = at + 1 == entries.len();
        insert(writing, entry, &appended, last.then_some(&edge)).await?;
        keep_hashes(writing, &appended).await?;
        all.push(appended);
    }
    Ok(all)
}

/// Writes an entry; with the last of them the edge, in one statement where the dialect has one for both.
async fn insert(
    writing: &mut Tx,
    entry: &Entry,
    appended: &Appended,
    edge: Option<&Frontier>,
) -> Result<(), Fault> {
    let both = edge.zip(ENTRY_AND_EDGE);
    let alone = "INSERT INTO log_leaves (service_id, leaf, place) VALUES ($1, $2, $3)";
    let query = sqlx::query(both.map_or(alone, |(_, statement)| statement))
        .bind(&entry.service)
        .bind(entry.hash.to_vec())
        .bind(number(appended.index)?);
    let query = match both {
        Some((edge, _)) => query.bind(edge.to_bytes()),
        None => query,
    };
    query.execute(&mut **writing).await?;
    match edge.filter(|_| both.is_none()) {
        Some(edge) => move_edge(writing, edge).await,
        None => Ok(()),
    }
}

/// Gives every entry that can be seen and has none its place, and the tree as it then is.
///
/// Who waited here for another writer sees what that one wrote, so nothing is passed over; what is still uncommitted gets
/// its place from its own transaction.
pub(super) async fn append(writing: &mut Tx) -> Result<Frontier, Fault> {
    let edge: Vec<u8> = sqlx::query_scalar(locked!("SELECT edge FROM log_edge WHERE id = 1"))
        .fetch_one(&mut **writing)
        .await?;
    let mut edge = read(&edge)?;
    let before = edge.size();
    loop {
        let waiting: Vec<Waiting> = sqlx::query_as(
            "SELECT position, leaf FROM log_leaves WHERE place IS NULL ORDER BY position LIMIT 1000",
        )
        .fetch_all(&mut **writing)
        .await?;
        let whole = waiting.len() < ROUND;
        for (position, entry) in waiting {
            let appended = edge.push(&entry).map_err(|_| StoreError::Unavailable)?;
            place(writing, position, &appended).await?;
        }
        if whole {
            break;
        }
    }
    if edge.size() != before {
        move_edge(writing, &edge).await?;
    }
    Ok(edge)
}

fn read(edge: &[u8]) -> Result<Frontier, StoreError> {
    Frontier::from_bytes(edge).map_err(|_| StoreError::Damaged("edge"))
}

async fn move_edge(writing: &mut Tx, edge: &Frontier) -> Result<(), Fault> {
    sqlx::query("UPDATE log_edge SET edge = $1 WHERE id = 1")
        .bind(edge.to_bytes())
        .execute(&mut **writing)
        .await?;
    Ok(())
}

async fn place(writing: &mut Tx, position: i64, appended: &Appended) -> Result<(), Fault> {
    sqlx::query("UPDATE log_leaves SET place = $1 WHERE position = $2")
        .bind(number(appended.index)?)
        .bind(position)
        .execute(&mut **writing)
        .await?;
    keep_hashes(writing, appended).await
}

/// The hashes that an append completed and that tiles above the lowest are made of: one append in 256 has any.
async fn keep_hashes(writing: &mut Tx, appended: &Appended) -> Result<(), Fault> {
    let tiles =
        appended.completed.iter().filter(|(subtree, _)| subtree.level() > 0 && subtree.level() % 8 == 0);
    for (subtree, hash) in tiles {
        sqlx::query("INSERT INTO log_hashes (level, place, hash) VALUES ($1, $2, $3)")
            .bind(i64::from(subtree.level() / 8))
            .bind(number(subtree.index())?)
            .bind(hash.to_vec())
            .execute(&mut **writing)
            .await?;
    }
    Ok(())
}

/// Places are below 2^62.
fn number(place: u64) -> Result<i64, StoreError> {
    i64::try_from(place).map_err(|_| StoreError::Damaged("place"))
}

fn hash(bytes: Vec<u8>) -> Result<Hash, StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged("hash"))
}

fn published((size, note): (i64, String)) -> Result<Published, StoreError> {
    Ok(Published { size: u64::try_from(size).map_err(|_| StoreError::Damaged("size"))?, note })
}

impl Own {
    /// Appends one entry by itself, in a transaction of its own: for measuring what an append costs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn append_alone(&self, entry: Hash) -> Result<Appended, StoreError> {
        let mut writing = self.0.write().await?;
        let entries = [Entry { service: String::new(), hash: entry }];
        let appended = append_entries(&mut writing, &entries).await.map_err(StoreError::from)?.pop();
        writing.commit().await?;
        appended.ok_or(StoreError::Unavailable)
    }
}

const IN_FORCE: &str =
    "SELECT digest FROM notices WHERE what = $1 AND id = $2 ORDER BY position DESC LIMIT 1";

/// The edge is taken before it is looked what was stated last, so that of replicas that state one thing at once one alone
/// does.
async fn notice(writing: &mut Tx, notice: &Notice) -> Result<bool, Fault> {
    let _: i64 =
        sqlx::query_scalar(locked!("SELECT id FROM log_edge WHERE id = 1")).fetch_one(&mut **writing).await?;
    let last: Option<Vec<u8>> = sqlx::query_scalar(IN_FORCE)
        .bind(notice.what)
        .bind(&notice.id)
        .fetch_optional(&mut **writing)
        .await?;
    if !mutants::skips("store-notice-changed") && last.as_deref() == Some(&notice.digest[..]) {
        return Ok(false);
    }
    sqlx::query("INSERT INTO notices (what, id, digest, jti, jws) VALUES ($1, $2, $3, $4, $5)")
        .bind(notice.what)
        .bind(&notice.id)
        .bind(notice.digest.to_vec())
        .bind(&notice.jti)
        .bind(&notice.jws)
        .execute(&mut **writing)
        .await?;
    append_entries(writing, &[Entry { service: String::new(), hash: notice.entry }]).await?;
    Ok(true)
}

const NEWEST: &str = "SELECT size, note FROM log_checkpoints ORDER BY size DESC LIMIT 1";

impl Log for Own {
    fn log_edge(&self) -> Pending<'_, Frontier> {
        self.write(|mut writing| async move {
            let edge = append(&mut writing).await?;
            Ok((writing, edge))
        })
    }

    fn log_entries(&self, places: Range<u64>) -> Pending<'_, Vec<Hash>> {
        Box::pin(async move {
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT leaf FROM log_leaves WHERE place >= $1 AND place < $2 ORDER BY place",
            )
            .bind(number(places.start)?)
            .bind(number(places.end)?)
            .fetch_all(self.0.reader())
            .await?;
            rows.into_iter().map(hash).collect()
        })
    }

    fn log_hashes(&self, level: u8, places: Range<u64>) -> Pending<'_, Vec<Hash>> {
        Box::pin(async move {
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT hash FROM log_hashes WHERE level = $1 AND place >= $2 AND place < $3 ORDER BY place",
            )
            .bind(i64::from(level))
            .bind(number(places.start)?)
            .bind(number(places.end)?)
            .fetch_all(self.0.reader())
            .await?;
            rows.into_iter().map(hash).collect()
        })
    }

    fn log_place(&self, entry: Hash) -> Pending<'_, Option<u64>> {
        Box::pin(async move {
            let place: Option<Option<i64>> =
                sqlx::query_scalar("SELECT place FROM log_leaves WHERE leaf = $1")
                    .bind(entry.to_vec())
                    .fetch_optional(self.0.reader())
                    .await?;
            let place = place.flatten().map(u64::try_from).transpose();
            place.map_err(|_| StoreError::Damaged("place"))
        })
    }

    fn log_checkpoint(&self) -> Pending<'_, Option<Published>> {
        Box::pin(async move {
            let row: Option<(i64, String)> = sqlx::query_as(NEWEST).fetch_optional(self.0.reader()).await?;
            row.map(published).transpose()
        })
    }

    fn log_publish(&self, checkpoint: Published) -> Pending<'_, Published> {
        self.write(move |mut writing| async move {
            let insert = if mutants::skips("store-log-published-once") {
                "INSERT INTO log_checkpoints (size, note) VALUES ($1, $2) ON CONFLICT (size) DO UPDATE SET note = $2"
            } else {
                "INSERT INTO log_checkpoints (size, note) VALUES ($1, $2) ON CONFLICT (size) DO NOTHING"
            };
            sqlx::query(insert)
                .bind(number(checkpoint.size)?)
                .bind(&checkpoint.note)
                .execute(&mut *writing)
                .await?;
            let newest: (i64, String) = sqlx::query_as(NEWEST).fetch_one(&mut *writing).await?;
            Ok((writing, published(newest)?))
        })
    }

    fn log_cosigned(&self, before: Published, note: String) -> Pending<'_, bool> {
        let update = if mutants::skips("store-log-cosigned") {
            "UPDATE log_checkpoints SET note = $1 WHERE size = $2 AND $3 <> ''"
        } else {
            "UPDATE log_checkpoints SET note = $1 WHERE size = $2 AND note = $3"
        };
        self.write(move |mut writing| async move {
            let done = sqlx::query(update)
                .bind(note)
                .bind(number(before.size)?)
                .bind(before.note)
                .execute(&mut *writing)
                .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }

    fn log_in_force<'a>(&'a self, what: &'static str, id: &'a str) -> Pending<'a, Option<[u8; 32]>> {
        Box::pin(async move {
            let digest: Option<Vec<u8>> =
                sqlx::query_scalar(IN_FORCE).bind(what).bind(id).fetch_optional(self.0.reader()).await?;
            digest.map(hash).transpose()
        })
    }

    fn log_notice(&self, stated: Notice) -> Pending<'_, bool> {
        self.write(move |mut writing| async move {
            let done = notice(&mut writing, &stated).await?;
            Ok((writing, done))
        })
    }
}
