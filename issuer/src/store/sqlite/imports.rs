//! Imports and people.

use sqlx::{Sqlite, Transaction};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::{
    Batch, EnrolError, Enrolled, Import, ImportId, Mac, Progress, Register, SealedRow, StoreError,
    enrol_clash,
};
use super::{SqliteStore, column, count, date, octets};
use crate::import::{Reason, RowError};

impl Register for SqliteStore {
    async fn begin_import(&self, import: &Import, now: UnixTime) -> Result<Progress, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO import (id, type_id, facts_as_of, started_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
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
        for row in &batch.rows {
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
            "SELECT line, column_name, reason FROM import_error WHERE import_id = ? ORDER BY line, column_name",
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
            "SELECT sealed, facts_as_of, revision FROM person WHERE type_id = ? AND person = ?",
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
}

async fn progress(tx: &mut Transaction<'static, Sqlite>, id: ImportId) -> Result<Progress, StoreError> {
    let (read, added, updated, rejected, absent, finished): (i64, i64, i64, i64, i64, bool) = sqlx::query_as(
        "SELECT records_read, added, updated, rejected, absent, finished FROM import WHERE id = ?",
    )
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

async fn save(
    tx: &mut Transaction<'static, Sqlite>,
    id: ImportId,
    progress: &Progress,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE import SET records_read = ?, added = ?, updated = ?, rejected = ?, absent = ?, finished = ? \
         WHERE id = ?",
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
async fn name(tx: &mut Transaction<'static, Sqlite>, id: ImportId, person: Mac) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO import_named (import_id, person) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(&id.0[..])
        .bind(&person.0[..])
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// How many the file has not named; who was named is forgotten then.
async fn absent(tx: &mut Transaction<'static, Sqlite>, import: &Import) -> Result<u64, StoreError> {
    let (absent,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM person WHERE type_id = ? AND NOT EXISTS (SELECT 1 FROM import_named AS named \
         WHERE named.import_id = ? AND named.person = person.person)",
    )
    .bind(&import.type_id)
    .bind(&import.id.0[..])
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM import_named WHERE import_id = ?")
        .bind(&import.id.0[..])
        .execute(&mut **tx)
        .await?;
    count(absent)
}

async fn note(
    tx: &mut Transaction<'static, Sqlite>,
    id: ImportId,
    error: &RowError,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO import_error (import_id, line, column_name, reason) VALUES (?, ?, ?, ?) \
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

async fn enrol_row(
    tx: &mut Transaction<'static, Sqlite>,
    import: &Import,
    row: &SealedRow,
    progress: &mut Progress,
) -> Result<(), StoreError> {
    let existing: Option<(Vec<u8>, String)> =
        sqlx::query_as("SELECT import_id, facts_as_of FROM person WHERE type_id = ? AND person = ?")
            .bind(&import.type_id)
            .bind(&row.person.0[..])
            .fetch_optional(&mut **tx)
            .await?;
    let known = existing.is_some();
    if let Some((written_by, facts_as_of)) = existing
        && let Some(reason) = enrol_clash(import, ImportId(octets(&written_by)?), date(&facts_as_of)?)
    {
        progress.rejected += 1;
        return note(tx, import.id, &RowError::about_the_person(row.line, reason)).await;
    }
    *(if known { &mut progress.updated } else { &mut progress.added }) += 1;
    write_row(tx, import, row).await
}

async fn write_row(
    tx: &mut Transaction<'static, Sqlite>,
    import: &Import,
    row: &SealedRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO person (type_id, person, sealed, facts_as_of, import_id) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (type_id, person) DO UPDATE SET sealed = excluded.sealed, \
         facts_as_of = excluded.facts_as_of, import_id = excluded.import_id, revision = revision + 1",
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
