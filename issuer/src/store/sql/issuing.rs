//! Tokens, nonces and the record of what was issued.

use sqlx::Row as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vci::notification::Event;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{count, kind, mac};
use super::super::super::{Grant, Issue, IssueRefusal, Issuing, Mac, StoreError, token_is_good};
use super::linking::hold;
use super::{Own, Tx};

impl Issuing for Own {
    async fn grant(&self, token: Mac) -> Result<Option<Grant>, StoreError> {
        let row = sqlx::query(
            "SELECT offer.type_id, offer.person, offer.kind, access_token.jkt, access_token.identified, \
             access_token.expires_at, access_token.spent FROM access_token JOIN offer ON offer.code = access_token.offer WHERE access_token.token = $1",
        )
        .bind(&token.0[..])
        .fetch_optional(self.pools.reader())
        .await?;
        row.map(|row| {
            Ok(Grant {
                type_id: row.try_get("type_id")?,
                person: mac(row.try_get("person")?)?,
                kind: kind(row.try_get("kind")?)?,
                jkt: row.try_get::<Option<&[u8]>, _>("jkt")?.map(mac).transpose()?,
                identified: row.try_get("identified")?,
                expires_at: UnixTime(row.try_get("expires_at")?),
                spent: row.try_get("spent")?,
            })
        })
        .transpose()
    }

    async fn issue(&self, issue: &Issue) -> Result<Result<(), IssueRefusal>, StoreError> {
        // A refusal drops the transaction, which undoes whatever came before it.
        let mut tx = self.begin().await?;
        let Some(offer) = spend_token(&mut tx, issue.token, issue.now).await? else {
            return Ok(Err(IssueRefusal::Token));
        };
        if !spend_nonces(&mut tx, &issue.nonces, issue.now).await? {
            return Ok(Err(IssueRefusal::Nonce));
        }
        if let Some(link) = &issue.link
            && let Err(refusal) = hold(&mut tx, link).await?
        {
            return Ok(Err(refusal.into()));
        }
        record(&mut tx, &offer, issue.notification, issue.copies, issue.now).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn see_proof(&self, proof: Mac, forget_at: UnixTime, now: UnixTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(forget!("DELETE FROM seen_proof", "seen_proof", "proof", "expires_at <= $1"))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let written = sqlx::query(
            "INSERT INTO seen_proof (proof, expires_at) VALUES ($1, $2) ON CONFLICT (proof) DO NOTHING",
        )
        .bind(&proof.0[..])
        .bind(forget_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(mutants::skips("store-proof-seen") || written.rows_affected() == 1)
    }

    async fn notify(&self, token: Mac, notification: Mac, event: Event) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let owner: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT access_token.token FROM issuance JOIN access_token ON access_token.offer = issuance.offer \
             WHERE issuance.notification = $1",
        )
        .bind(&notification.0[..])
        .fetch_optional(&mut *tx)
        .await?;
        let Some(owner) = owner else { return Ok(false) };
        if !(mutants::skips("store-notification-token") || owner == token.0) {
            return Ok(false);
        }
        sqlx::query(note(event)).bind(&notification.0[..]).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn notified(&self) -> Result<[u64; 3], StoreError> {
        let (accepted, failed, deleted): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE accepted), count(*) FILTER (WHERE failed), \
             count(*) FILTER (WHERE deleted) FROM issuance",
        )
        .fetch_one(self.pools.reader())
        .await?;
        Ok([count(accepted)?, count(failed)?, count(deleted)?])
    }
}

/// One statement for each event.
fn note(event: Event) -> &'static str {
    match event {
        Event::CredentialAccepted => "UPDATE issuance SET accepted = TRUE WHERE notification = $1",
        Event::CredentialFailure => "UPDATE issuance SET failed = TRUE WHERE notification = $1",
        Event::CredentialDeleted => "UPDATE issuance SET deleted = TRUE WHERE notification = $1",
    }
}

/// Marks the token as spent, under its lock; the offer it came from, or `None` when it is not good.
pub(super) async fn spend_token(
    tx: &mut Tx,
    token: Mac,
    now: UnixTime,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<(Vec<u8>, bool, i64)> = sqlx::query_as(locked!(
        "SELECT offer, spent, expires_at FROM access_token WHERE token = $1",
        " FOR UPDATE"
    ))
    .bind(&token.0[..])
    .fetch_optional(&mut **tx)
    .await?;
    let Some((offer, spent, expires_at)) = found else { return Ok(None) };
    if !token_is_good(spent, UnixTime(expires_at), now) {
        return Ok(None);
    }
    sqlx::query("UPDATE access_token SET spent = TRUE WHERE token = $1")
        .bind(&token.0[..])
        .execute(&mut **tx)
        .await?;
    Ok(Some(offer))
}

/// Writes the nonces down; `false` when one of them was there.
pub(super) async fn spend_nonces(
    tx: &mut Tx,
    nonces: &[(Mac, UnixTime)],
    now: UnixTime,
) -> Result<bool, StoreError> {
    sqlx::query(forget!("DELETE FROM spent_nonce", "spent_nonce", "nonce", "expires_at < $1"))
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    // In one order, so that two requests with the same nonces wait for each other in one direction.
    let mut nonces = nonces.to_vec();
    nonces.sort_unstable_by_key(|(nonce, _)| *nonce);
    for (nonce, expires_at) in &nonces {
        let written = sqlx::query(
            "INSERT INTO spent_nonce (nonce, expires_at) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING",
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

pub(super) async fn record(
    tx: &mut Tx,
    offer: &[u8],
    notification: Mac,
    copies: u32,
    now: UnixTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO issuance (offer, copies, issued_at, notification) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (offer) DO UPDATE SET copies = issuance.copies + excluded.copies, issued_at = excluded.issued_at, \
         notification = excluded.notification",
    )
    .bind(offer)
    .bind(i64::from(copies))
    .bind(now.0)
    .bind(&notification.0[..])
    .execute(&mut **tx)
    .await?;
    Ok(())
}
