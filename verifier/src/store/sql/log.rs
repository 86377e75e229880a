//! The log's tree: its right edge is one row, which a transaction takes last of all and holds until its end.

use std::ops::Range;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::tlog::tree::{Appended, Frontier, Hash};

use super::super::super::log::{Log, Published};
use super::super::super::{Pending, StoreError};
use super::{Own, Tx};

/// How many entries get their places between two looks at the table.
const ROUND: i64 = 1_000;

/// A row of `log_leaves` without a place.
type Waiting = (i64, Vec<u8>);

/// Gives every entry that can be seen and has none its place, and the tree as it then is.
///
/// Who waited here for another writer sees what that one wrote, so nothing is passed over; what is still uncommitted gets
/// its place from its own transaction.
pub(super) async fn append(writing: &mut Tx) -> Result<Frontier, StoreError> {
    let edge: Vec<u8> = sqlx::query_scalar(locked!("SELECT edge FROM log_edge WHERE id = 1"))
        .fetch_one(&mut **writing)
        .await?;
    let mut edge = Frontier::from_bytes(&edge).map_err(|_| StoreError::Damaged("edge"))?;
    let before = edge.size();
    loop {
        let waiting: Vec<Waiting> = sqlx::query_as(
            "SELECT position, leaf FROM log_leaves WHERE place IS NULL ORDER BY position LIMIT $1",
        )
        .bind(ROUND)
        .fetch_all(&mut **writing)
        .await?;
        if waiting.is_empty() {
            break;
        }
        for (position, entry) in waiting {
            let appended = edge.push(&entry).map_err(|_| StoreError::Unavailable)?;
            place(writing, position, &appended).await?;
        }
    }
    if edge.size() != before {
        sqlx::query("UPDATE log_edge SET edge = $1 WHERE id = 1")
            .bind(edge.to_bytes())
            .execute(&mut **writing)
            .await?;
    }
    Ok(edge)
}

async fn place(writing: &mut Tx, position: i64, appended: &Appended) -> Result<(), StoreError> {
    sqlx::query("UPDATE log_leaves SET place = $1 WHERE position = $2")
        .bind(number(appended.index)?)
        .bind(position)
        .execute(&mut **writing)
        .await?;
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
}
