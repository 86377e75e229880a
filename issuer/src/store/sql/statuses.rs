//! Status lists. Who changes or publishes has the one row of publications to itself; who hands out entries shares it, so that
//! a change covers every entry that was handed out before it.

use std::collections::BTreeMap;

use sqlx::Row as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::Entropy;

use super::super::super::columns::{column, count};
use super::super::super::statuses::{Leftover, column as state, draw, has_room, judge, standing};
use super::super::super::{
    Asked, Change, Mac, PublishedList, Reserve, ReserveRefusal, Shard, Snapshot, Statuses, StoreError,
};
use super::{Own, Tx};

impl Statuses for Own {
    async fn open_shard(&self) -> Result<Option<String>, StoreError> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT name, entries, used FROM status_shard ORDER BY name")
                .fetch_all(self.pools.reader())
                .await?;
        for (name, entries, used) in rows {
            if has_room(count(entries)?, count(used)?, 1) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    async fn add_shard(&self, entries: u64, list: &PublishedList) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO status_shard (name, entries, jwt, cwt, issued_at, expires_at, ttl) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&list.shard)
        .bind(column(entries))
        .bind(&list.jwt)
        .bind(&list.cwt)
        .bind(list.issued_at.0)
        .bind(list.expires_at.0)
        .bind(list.ttl)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn reserve(
        &self,
        reserve: &Reserve,
        entropy: &dyn Entropy,
    ) -> Result<Result<Vec<u64>, ReserveRefusal>, StoreError> {
        let mut tx = self.begin().await?;
        share(&mut tx).await?;
        let active = !is_suspended(&mut tx, &reserve.type_id, reserve.person).await?;
        if !(mutants::skips("store-status-suspended") || active) {
            return Ok(Err(ReserveRefusal::Suspended));
        }
        let Some(entries) = take_room(&mut tx, reserve).await? else { return Ok(Err(ReserveRefusal::Full)) };
        let mut drawn = Vec::new();
        while drawn.len() < usize::try_from(reserve.count).unwrap_or(usize::MAX) {
            let idx = draw(entries, entropy);
            if take(&mut tx, reserve, idx).await? {
                drawn.push(idx);
            }
        }
        tx.commit().await?;
        Ok(Ok(drawn))
    }

    async fn ask(&self, changes: &[Change<'_>]) -> Result<Vec<Asked>, StoreError> {
        let mut tx = self.begin().await?;
        sequence(&mut tx).await?;
        let mut asked = Vec::with_capacity(changes.len());
        for change in changes {
            asked.push(ask(&mut tx, change).await?);
        }
        tx.commit().await?;
        Ok(asked)
    }

    async fn published_at(&self) -> Result<UnixTime, StoreError> {
        let at = sqlx::query_scalar("SELECT published_at FROM status_publication WHERE one = 1")
            .fetch_one(self.pools.reader())
            .await?;
        Ok(UnixTime(at))
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        // Shared, so that what is read belongs together: nobody changes or publishes meanwhile.
        let mut tx = self.begin().await?;
        let sequence = share(&mut tx).await?;
        let changes: i64 =
            sqlx::query_scalar("SELECT count(*) FROM status_change").fetch_one(&mut *tx).await?;
        let shards: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, entries FROM status_shard ORDER BY name")
                .fetch_all(&mut *tx)
                .await?;
        let mut marked = marked(&mut tx).await?;
        let shard = |(name, entries): (String, i64)| {
            let of = marked.remove(&name).unwrap_or_default();
            let of = of.into_iter().filter(|(_, standing)| *standing != Standing::Valid).collect();
            Ok(Shard { name, entries: count(entries)?, marked: of })
        };
        let shards = shards.into_iter().map(shard).collect::<Result<_, StoreError>>()?;
        Ok(Snapshot { sequence, changes: count(changes)?, shards })
    }

    async fn publish(
        &self,
        snapshot: &Snapshot,
        lists: &[PublishedList],
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let unchanged = sequence(&mut tx).await? == snapshot.sequence;
        if !(mutants::skips("store-status-sequence") || unchanged) {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE status_entry SET state = change.state FROM status_change AS change \
             WHERE change.type_id = status_entry.type_id AND change.person = status_entry.person \
             AND status_entry.number <= change.upto AND status_entry.state <> 1",
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM status_change").execute(&mut *tx).await?;
        for list in lists {
            replace(&mut tx, list).await?;
        }
        sqlx::query("UPDATE status_publication SET sequence = sequence + 1, published_at = $1 WHERE one = 1")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn list(&self, shard: &str) -> Result<Option<(u64, PublishedList)>, StoreError> {
        // Whoever calls chose the name. One with a NUL is nobody's: the server could not hold it, and would fail over it.
        if shard.contains('\0') {
            return Ok(None);
        }
        // One statement, so that list and sequence belong together.
        let row = sqlx::query(
            "SELECT jwt, cwt, issued_at, expires_at, ttl, \
             (SELECT sequence FROM status_publication WHERE one = 1) AS sequence \
             FROM status_shard WHERE name = $1",
        )
        .bind(shard)
        .fetch_optional(self.pools.reader())
        .await?;
        row.map(|row| {
            let list = PublishedList {
                shard: shard.to_owned(),
                jwt: row.try_get("jwt")?,
                cwt: row.try_get("cwt")?,
                issued_at: UnixTime(row.try_get("issued_at")?),
                expires_at: UnixTime(row.try_get("expires_at")?),
                ttl: row.try_get("ttl")?,
            };
            Ok((count(row.try_get("sequence")?)?, list))
        })
        .transpose()
    }

    async fn sequence(&self) -> Result<u64, StoreError> {
        let sequence = sqlx::query_scalar("SELECT sequence FROM status_publication WHERE one = 1")
            .fetch_one(self.pools.reader())
            .await?;
        count(sequence)
    }

    async fn clean(&self, before: UnixTime, most: u32) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sequence(&mut tx).await?;
        let Some(name) = over(&mut tx, before).await? else { return Ok(false) };
        if remove(&mut tx, &name, most).await? {
            sqlx::query("DELETE FROM status_shard WHERE name = $1").bind(&name).execute(&mut *tx).await?;
            sqlx::query("UPDATE status_publication SET sequence = sequence + 1 WHERE one = 1")
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Shares the row with others who hand out or read.
async fn share(tx: &mut Tx) -> Result<u64, StoreError> {
    let sequence =
        sqlx::query_scalar(locked!("SELECT sequence FROM status_publication WHERE one = 1", " FOR SHARE"))
            .fetch_one(&mut **tx)
            .await?;
    count(sequence)
}

/// Has the row to itself until the transaction ends.
async fn sequence(tx: &mut Tx) -> Result<u64, StoreError> {
    let sequence =
        sqlx::query_scalar(locked!("SELECT sequence FROM status_publication WHERE one = 1", " FOR UPDATE"))
            .fetch_one(&mut **tx)
            .await?;
    count(sequence)
}

/// Whether the person is suspended, in this period or, where the type has periods, in another.
async fn is_suspended(tx: &mut Tx, type_id: &str, person: Mac) -> Result<bool, StoreError> {
    let suspended: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM status_entry WHERE type_id = $1 AND state = 2 AND person IN \
         (SELECT $2 UNION ALL SELECT other.person FROM person AS this JOIN person AS other \
         ON other.type_id = this.type_id AND other.whole = this.whole \
         WHERE this.type_id = $1 AND this.person = $2)) \
         OR EXISTS (SELECT 1 FROM status_change WHERE type_id = $1 AND state = 2 AND person IN \
         (SELECT $2 UNION ALL SELECT other.person FROM person AS this JOIN person AS other \
         ON other.type_id = this.type_id AND other.whole = this.whole \
         WHERE this.type_id = $1 AND this.person = $2))",
    )
    .bind(type_id)
    .bind(&person.0[..])
    .fetch_one(&mut **tx)
    .await?;
    Ok(suspended)
}

/// Counts the entries as used; how many the shard has, or `None` when there is no room.
async fn take_room(tx: &mut Tx, reserve: &Reserve) -> Result<Option<u64>, StoreError> {
    let found: Option<(i64, i64)> =
        sqlx::query_as(locked!("SELECT entries, used FROM status_shard WHERE name = $1", " FOR UPDATE"))
            .bind(&reserve.shard)
            .fetch_optional(&mut **tx)
            .await?;
    let Some((entries, used)) = found else { return Ok(None) };
    if !has_room(count(entries)?, count(used)?, reserve.count.into()) {
        return Ok(None);
    }
    sqlx::query("UPDATE status_shard SET used = used + $1 WHERE name = $2")
        .bind(i64::from(reserve.count))
        .bind(&reserve.shard)
        .execute(&mut **tx)
        .await?;
    count(entries).map(Some)
}

/// Takes one index; `false` when somebody had it.
async fn take(tx: &mut Tx, reserve: &Reserve, idx: u64) -> Result<bool, StoreError> {
    let written = sqlx::query(
        "INSERT INTO status_entry (shard, idx, type_id, person, expires_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (shard, idx) DO NOTHING",
    )
    .bind(&reserve.shard)
    .bind(column(idx))
    .bind(&reserve.type_id)
    .bind(&reserve.person.0[..])
    .bind(reserve.until.0)
    .execute(&mut **tx)
    .await?;
    Ok(mutants::skips("store-status-idx-once") || written.rows_affected() == 1)
}

async fn ask(tx: &mut Tx, change: &Change<'_>) -> Result<Asked, StoreError> {
    let states: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT state, max(number) FROM status_entry WHERE type_id = $1 AND person = $2 GROUP BY state",
    )
    .bind(change.type_id)
    .bind(&change.person.0[..])
    .fetch_all(&mut **tx)
    .await?;
    let standings = states.iter().map(|(state, _)| standing(*state)).collect::<Result<Vec<_>, _>>()?;
    let waiting: Option<i64> =
        sqlx::query_scalar("SELECT state FROM status_change WHERE type_id = $1 AND person = $2")
            .bind(change.type_id)
            .bind(&change.person.0[..])
            .fetch_optional(&mut **tx)
            .await?;
    let asked = judge(standings, waiting.map(standing).transpose()?, change.to);
    if asked == Asked::Waiting {
        let upto = states.iter().map(|(_, number)| *number).max().unwrap_or_default();
        note(tx, change, upto).await?;
    }
    Ok(asked)
}

async fn note(tx: &mut Tx, change: &Change<'_>, upto: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO status_change (type_id, person, state, upto) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (type_id, person) DO UPDATE SET state = excluded.state, upto = excluded.upto",
    )
    .bind(change.type_id)
    .bind(&change.person.0[..])
    .bind(state(change.to))
    .bind(upto)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE status_publication SET sequence = sequence + 1 WHERE one = 1")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Closes a shard and removes up to `most` of its entries; whether these were the last.
async fn remove(tx: &mut Tx, name: &str, most: u32) -> Result<bool, StoreError> {
    sqlx::query("UPDATE status_shard SET used = entries WHERE name = $1")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "DELETE FROM status_entry WHERE number IN \
         (SELECT number FROM status_entry WHERE shard = $1 LIMIT $2)",
    )
    .bind(name)
    .bind(i64::from(most))
    .execute(&mut **tx)
    .await?;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM status_entry WHERE shard = $1")
        .bind(name)
        .fetch_one(&mut **tx)
        .await?;
    Ok(left == 0)
}

/// A shard that nobody needs any more.
async fn over(tx: &mut Tx, before: UnixTime) -> Result<Option<String>, StoreError> {
    let shards: Vec<(String, i64, bool, bool)> = sqlx::query_as(
        "SELECT name, used, \
         EXISTS (SELECT 1 FROM status_entry WHERE shard = name \
         AND (expires_at IS NULL OR expires_at >= $1)), \
         EXISTS (SELECT 1 FROM status_entry AS entry WHERE shard = name AND (entry.state = 2 \
         OR EXISTS (SELECT 1 FROM status_change AS change \
         WHERE change.type_id = entry.type_id AND change.person = entry.person))) \
         FROM status_shard WHERE used > 0 ORDER BY name",
    )
    .bind(before.0)
    .fetch_all(&mut **tx)
    .await?;
    let over = shards
        .into_iter()
        .find(|(_, used, needed, held)| Leftover { used: *used > 0, needed: *needed, held: *held }.is_over());
    Ok(over.map(|(name, ..)| name))
}

/// Every entry that is marked now or that a change marks, as the next publication has it.
async fn marked(tx: &mut Tx) -> Result<BTreeMap<String, BTreeMap<u64, Standing>>, StoreError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT shard, idx, state FROM status_entry WHERE state <> 0 UNION ALL \
         SELECT entry.shard, entry.idx, change.state FROM status_change AS change JOIN status_entry AS entry \
         ON entry.type_id = change.type_id AND entry.person = change.person AND entry.number <= change.upto \
         WHERE entry.state <> 1",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut all = BTreeMap::<String, BTreeMap<u64, Standing>>::new();
    // A change comes after what it changes.
    for (shard, idx, state) in rows {
        all.entry(shard).or_default().insert(count(idx)?, standing(state)?);
    }
    Ok(all)
}

async fn replace(tx: &mut Tx, list: &PublishedList) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE status_shard SET jwt = $1, cwt = $2, issued_at = $3, expires_at = $4, ttl = $5 WHERE name = $6",
    )
    .bind(&list.jwt)
    .bind(&list.cwt)
    .bind(list.issued_at.0)
    .bind(list.expires_at.0)
    .bind(list.ttl)
    .bind(&list.shard)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
