//! Imports and people.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{column, count, date, mac, octets};
use super::super::super::{
    Batch, EnrolError, Enrolled, Import, ImportId, Mac, Progress, Register, SealedRow, StoreError,
    enrol_clash,
};
use super::{Own, Tx};
use crate::import::{Reason, RowError};

impl Register for Own {
    async fn begin_import(&self, import: &Import, now: UnixTime) -> Result<Progress, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO import (id, type_id, facts_as_of, started_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(&import.id.0[..])
            .bind(&import.type_id)
            .bind(import.facts_as_of.to_string())
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let found = progress(&mut tx, import.id).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn enrol(&self, import: &Import, batch: Batch) -> Result<Progress, EnrolError> {
        let mut tx = self.begin().await?;
        // The import's row is held until the end, so that batches of one import come one after another.
        let mut progress = progress(&mut tx, import.id).await?;
        if !(mutants::skips("store-import-place")
            || (progress.records_read == batch.from && !progress.finished))
        {
            return Err(EnrolError::Stale);
        }
        progress.rejected += batch.rejected;
        for error in &batch.errors {
            note(&mut tx, import.id, error).await?;
        }
        for row in in_one_order(&batch.rows) {
            enrol_row(&mut tx, import, row, &mut progress).await?;
        }
        for person in batch.rows.iter().map(|row| row.person).chain(batch.named) {
            name(&mut tx, import.id, person).await?;
        }
        progress.records_read = batch.to;
        progress.finished = batch.last;
        if batch.last {
            progress.absent = absent(&mut tx, import).await?;
        }
        save(&mut tx, import.id, &progress).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(progress)
    }

    async fn row_errors(&self, id: ImportId) -> Result<Vec<RowError>, StoreError> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT line, column_name, reason FROM import_error WHERE import_id = $1 ORDER BY line, column_name",
        )
        .bind(&id.0[..])
        .fetch_all(self.pools.reader())
        .await?;
        rows.into_iter()
            .map(|(line, column, reason)| {
                let reason = Reason::parse(&reason).ok_or(StoreError::Damaged)?;
                Ok(RowError { line: count(line)?, column, reason })
            })
            .collect()
    }

    async fn person(&self, type_id: &str, person: Mac) -> Result<Option<Enrolled>, StoreError> {
        let row: Option<(Vec<u8>, String, i64)> = sqlx::query_as(
            "SELECT sealed, facts_as_of, revision FROM person WHERE type_id = $1 AND person = $2",
        )
        .bind(type_id)
        .bind(&person.0[..])
        .fetch_optional(self.pools.reader())
        .await?;
        row.map(|(sealed, facts_as_of, revision)| {
            Ok(Enrolled { sealed, facts_as_of: date(&facts_as_of)?, revision: count(revision)? })
        })
        .transpose()
    }

    async fn in_periods(&self, type_id: &str, whole: Mac) -> Result<Vec<Mac>, StoreError> {
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT person FROM person WHERE type_id = $1 AND whole = $2")
                .bind(type_id)
                .bind(&whole.0[..])
                .fetch_all(self.pools.reader())
                .await?;
        rows.iter().map(|person| mac(person)).collect()
    }
}

async fn progress(tx: &mut Tx, id: ImportId) -> Result<Progress, StoreError> {
    let (read, added, updated, rejected, absent, finished): (i64, i64, i64, i64, i64, bool) =
        sqlx::query_as(locked!(
            "SELECT records_read, added, updated, rejected, absent, finished FROM import WHERE id = $1",
            " FOR UPDATE"
        ))
        .bind(&id.0[..])
        .fetch_one(&mut **tx)
        .await?;
    Ok(Progress {
        records_read: count(read)?,
        added: count(added)?,
        updated: count(updated)?,
        rejected: count(rejected)?,
        absent: count(absent)?,
        finished,
    })
}

async fn save(tx: &mut Tx, id: ImportId, progress: &Progress) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE import SET records_read = $1, added = $2, updated = $3, rejected = $4, absent = $5, finished = $6 \
         WHERE id = $7",
    )
    .bind(column(progress.records_read))
    .bind(column(progress.added))
    .bind(column(progress.updated))
    .bind(column(progress.rejected))
    .bind(column(progress.absent))
    .bind(progress.finished)
    .bind(&id.0[..])
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Remembers, until the import ends, that its file names this person.
async fn name(tx: &mut Tx, id: ImportId, person: Mac) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO import_named (import_id, person) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&id.0[..])
        .bind(&person.0[..])
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// How many the file has not named, of the periods that it has where the type has periods; who was named is forgotten
/// then.
async fn absent(tx: &mut Tx, import: &Import) -> Result<u64, StoreError> {
    let (absent,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM person WHERE type_id = $1 AND NOT EXISTS (SELECT 1 FROM import_named AS named \
         WHERE named.import_id = $2 AND named.person = person.person) AND (period IS NULL OR period IN \
         (SELECT other.period FROM person AS other JOIN import_named AS named ON named.person = other.person \
         WHERE other.type_id = $1 AND named.import_id = $2))",
    )
    .bind(&import.type_id)
    .bind(&import.id.0[..])
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM import_named WHERE import_id = $1")
        .bind(&import.id.0[..])
        .execute(&mut **tx)
        .await?;
    count(absent)
}

async fn note(tx: &mut Tx, id: ImportId, error: &RowError) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO import_error (import_id, line, column_name, reason) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (import_id, line, column_name) DO UPDATE SET reason = excluded.reason",
    )
    .bind(&id.0[..])
    .bind(column(error.line))
    .bind(&error.column)
    .bind(error.reason.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// By person, so that two imports over the same people wait for each other in one direction; of one person's rows the
/// first stays the first.
fn in_one_order(rows: &[SealedRow]) -> Vec<&SealedRow> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| row.person);
    rows
}

/// A new person is written at once; one who is there, or whom another import is just writing, is looked at under a lock.
async fn enrol_row(
    tx: &mut Tx,
    import: &Import,
    row: &SealedRow,
    progress: &mut Progress,
) -> Result<(), StoreError> {
    if add_row(tx, import, row).await? {
        progress.added += 1;
        return Ok(());
    }
    let (written_by, facts_as_of): (Vec<u8>, String) = sqlx::query_as(locked!(
        "SELECT import_id, facts_as_of FROM person WHERE type_id = $1 AND person = $2",
        " FOR UPDATE"
    ))
    .bind(&import.type_id)
    .bind(&row.person.0[..])
    .fetch_one(&mut **tx)
    .await?;
    if let Some(reason) = enrol_clash(import, ImportId(octets(&written_by)?), date(&facts_as_of)?) {
        progress.rejected += 1;
        return note(tx, import.id, &RowError::about_the_person(row.line, reason)).await;
    }
    progress.updated += 1;
    update_row(tx, import, row).await
}

/// `false` when the person is there.
async fn add_row(tx: &mut Tx, import: &Import, row: &SealedRow) -> Result<bool, StoreError> {
    let written = sqlx::query(
        "INSERT INTO person (type_id, person, sealed, facts_as_of, import_id, whole, period) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (type_id, person) DO NOTHING",
    )
    .bind(&import.type_id)
    .bind(&row.person.0[..])
    .bind(&row.sealed)
    .bind(import.facts_as_of.to_string())
    .bind(&import.id.0[..])
    .bind(row.period.as_ref().map(|of| &of.whole.0[..]))
    .bind(row.period.as_ref().map(|of| of.period.as_str()))
    .execute(&mut **tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

async fn update_row(tx: &mut Tx, import: &Import, row: &SealedRow) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE person SET sealed = $3, facts_as_of = $4, import_id = $5, revision = revision + 1 \
         WHERE type_id = $1 AND person = $2",
    )
    .bind(&import.type_id)
    .bind(&row.person.0[..])
    .bind(&row.sealed)
    .bind(import.facts_as_of.to_string())
    .bind(&import.id.0[..])
    .execute(&mut **tx)
    .await?;
    Ok(())
}
