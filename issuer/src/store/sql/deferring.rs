//! Batches that are put off.

use sqlx::Row as _;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{kind, mac};
use super::super::super::deferring::{
    Collect, CollectRefusal, Defer, Deferred, Deferring, Pending, Stage, Verdict,
};
use super::super::super::{IssueRefusal, Mac, StoreError};
use super::issuing::{record, spend_nonces, spend_token};
use super::linking::hold;
use super::{Own, Tx};

impl Deferring for Own {
    async fn defer(&self, defer: &Defer) -> Result<Result<(), IssueRefusal>, StoreError> {
        let mut tx = self.begin().await?;
        if spend_token(&mut tx, defer.token, defer.now).await?.is_none() {
            return Ok(Err(IssueRefusal::Token));
        }
        if !spend_nonces(&mut tx, &defer.nonces, defer.now).await? {
            return Ok(Err(IssueRefusal::Nonce));
        }
        sqlx::query(forget!(
            "UPDATE deferred SET holders = NULL",
            "deferred",
            "transaction_id",
            "expires_at <= $1 AND holders IS NOT NULL"
        ))
        .bind(defer.now.0)
        .execute(&mut *tx)
        .await?;
        insert(&mut tx, defer).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn deferred(&self, transaction: Mac) -> Result<Option<Deferred>, StoreError> {
        let row = sqlx::query("SELECT token, holders, stage FROM deferred WHERE transaction_id = $1")
            .bind(&transaction.0[..])
            .fetch_optional(self.pools.reader())
            .await?;
        row.map(|row| {
            Ok(Deferred {
                token: mac(row.try_get("token")?)?,
                holders: row.try_get("holders")?,
                stage: Stage::parse(row.try_get("stage")?).ok_or(StoreError::Damaged)?,
            })
        })
        .transpose()
    }

    async fn collect(&self, collect: &Collect) -> Result<Result<(), CollectRefusal>, StoreError> {
        let mut tx = self.begin().await?;
        let found: Option<(String, Vec<u8>)> = sqlx::query_as(locked!(
            "SELECT deferred.stage, access_token.offer FROM deferred JOIN access_token USING (token) \
             WHERE transaction_id = $1",
            " FOR UPDATE OF deferred"
        ))
        .bind(&collect.transaction.0[..])
        .fetch_optional(&mut *tx)
        .await?;
        let Some((stage, offer)) = found else { return Ok(Err(CollectRefusal::Closed)) };
        if let Err(refusal) = Stage::parse(&stage).ok_or(StoreError::Damaged)?.check_collectable() {
            return Ok(Err(refusal));
        }
        sqlx::query("UPDATE deferred SET stage = 'collected', holders = NULL WHERE transaction_id = $1")
            .bind(&collect.transaction.0[..])
            .execute(&mut *tx)
            .await?;
        if let Some(link) = &collect.link
            && let Err(refusal) = hold(&mut tx, link).await?
        {
            return Ok(Err(refusal.into()));
        }
        record(&mut tx, &offer, collect.notification, collect.copies, collect.now).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn pending(&self, now: UnixTime) -> Result<Vec<Pending>, StoreError> {
        let rows = sqlx::query(
            "SELECT deferred.reference, deferred.created_at, offer.type_id, offer.kind, offer.person \
             FROM deferred JOIN access_token USING (token) JOIN offer ON offer.code = access_token.offer \
             WHERE deferred.stage = 'waiting' AND deferred.expires_at > $1 \
             ORDER BY deferred.created_at, deferred.reference",
        )
        .bind(now.0)
        .fetch_all(self.pools.reader())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Pending {
                    reference: row.try_get("reference")?,
                    type_id: row.try_get("type_id")?,
                    kind: kind(row.try_get("kind")?)?,
                    person: mac(row.try_get("person")?)?,
                    created_at: UnixTime(row.try_get("created_at")?),
                })
            })
            .collect()
    }

    async fn decide(&self, reference: &str, verdict: Verdict, now: UnixTime) -> Result<bool, StoreError> {
        let decide = match verdict {
            Verdict::Approve => {
                "UPDATE deferred SET stage = 'approved' \
                 WHERE reference = $1 AND stage = 'waiting' AND expires_at > $2"
            }
            Verdict::Refuse => {
                "UPDATE deferred SET stage = 'refused', holders = NULL \
                 WHERE reference = $1 AND stage = 'waiting' AND expires_at > $2"
            }
        };
        let mut tx = self.begin().await?;
        let done = sqlx::query(decide).bind(reference).bind(now.0).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn insert(tx: &mut Tx, defer: &Defer) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO deferred (transaction_id, token, reference, holders, stage, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'waiting', $5, $6)",
    )
    .bind(&defer.transaction.0[..])
    .bind(&defer.token.0[..])
    .bind(&defer.reference)
    .bind(&defer.holders)
    .bind(defer.now.0)
    .bind(defer.expires_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
