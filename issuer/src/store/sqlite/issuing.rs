//! Tokens, nonces and the record of what was issued.

use sqlx::{Row as _, Sqlite, Transaction};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::{Grant, Issue, IssueRefusal, Issuing, Mac, StoreError, token_is_good};
use super::{SqliteStore, kind, mac};

impl Issuing for SqliteStore {
    async fn grant(&self, token: Mac) -> Result<Option<Grant>, StoreError> {
        let row = sqlx::query(
            "SELECT offer.type_id, offer.person, offer.kind, access_token.expires_at, access_token.spent \
             FROM access_token JOIN offer ON offer.code = access_token.offer WHERE access_token.token = ?",
        )
        .bind(&token.0[..])
        .fetch_optional(self.pools.reader())
        .await?;
        row.map(|row| {
            Ok(Grant {
                type_id: row.try_get("type_id")?,
                person: mac(row.try_get("person")?)?,
                kind: kind(row.try_get("kind")?)?,
                expires_at: UnixTime(row.try_get("expires_at")?),
                spent: row.try_get("spent")?,
            })
        })
        .transpose()
    }

    async fn issue(&self, issue: &Issue) -> Result<Result<(), IssueRefusal>, StoreError> {
        // A refusal drops the transaction, which undoes whatever came before it.
        let mut tx = self.begin().await?;
        let Some(offer) = spend_token(&mut tx, issue).await? else {
            return Ok(Err(IssueRefusal::Token));
        };
        if !spend_nonces(&mut tx, issue).await? {
            return Ok(Err(IssueRefusal::Nonce));
        }
        record(&mut tx, &offer, issue).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

/// Marks the token as spent; the offer it came from, or `None` when it is not good.
async fn spend_token(
    tx: &mut Transaction<'static, Sqlite>,
    issue: &Issue,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<(Vec<u8>, bool, i64)> =
        sqlx::query_as("SELECT offer, spent, expires_at FROM access_token WHERE token = ?")
            .bind(&issue.token.0[..])
            .fetch_optional(&mut **tx)
            .await?;
    let Some((offer, spent, expires_at)) = found else { return Ok(None) };
    if !token_is_good(spent, UnixTime(expires_at), issue.now) {
        return Ok(None);
    }
    sqlx::query("UPDATE access_token SET spent = 1 WHERE token = ?")
        .bind(&issue.token.0[..])
        .execute(&mut **tx)
        .await?;
    Ok(Some(offer))
}

/// Writes the nonces down; `false` when one of them was there.
async fn spend_nonces(tx: &mut Transaction<'static, Sqlite>, issue: &Issue) -> Result<bool, StoreError> {
    sqlx::query("DELETE FROM spent_nonce WHERE expires_at < ?").bind(issue.now.0).execute(&mut **tx).await?;
    for (nonce, expires_at) in &issue.nonces {
        let written = sqlx::query(
            "INSERT INTO spent_nonce (nonce, expires_at) VALUES (?, ?) ON CONFLICT (nonce) DO NOTHING",
        )
        .bind(&nonce.0[..])
        .bind(expires_at.0)
        .execute(&mut **tx)
        .await?;
        if !(mutants::skips("store-nonce-used") || written.rows_affected() == 1) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    offer: &[u8],
    issue: &Issue,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO issuance (offer, copies, issued_at) VALUES (?, ?, ?) \
         ON CONFLICT (offer) DO UPDATE SET copies = copies + excluded.copies, issued_at = excluded.issued_at",
    )
    .bind(offer)
    .bind(i64::from(issue.copies))
    .bind(issue.now.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
