//! Offers and their one use.

use sqlx::Row as _;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{kind, mac};
use super::super::super::{
    AddOfferError, Mac, NewOffer, OfferState, Offers, Redeem, RedeemRefusal, Stage, StoreError,
};
use super::{Own, Row, Tx};

impl Offers for Own {
    async fn add_offer(&self, offer: NewOffer) -> Result<(), AddOfferError> {
        let mut tx = self.begin().await?;
        let known: Option<bool> =
            sqlx::query_scalar("SELECT TRUE FROM person WHERE type_id = $1 AND person = $2")
                .bind(&offer.type_id)
                .bind(&offer.person.0[..])
                .fetch_optional(&mut *tx)
                .await
                .map_err(StoreError::from)?;
        if known.is_none() {
            return Err(AddOfferError::UnknownPerson);
        }
        insert(&mut tx, &offer).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(())
    }

    async fn offer_of_code(&self, code: Mac) -> Result<Option<OfferState>, StoreError> {
        let row = sqlx::query(
            "SELECT type_id, person, kind, tx_code, stage, misses, expires_at FROM offer WHERE code = $1",
        )
        .bind(&code.0[..])
        .fetch_optional(self.pools.reader())
        .await?;
        row.as_ref().map(state).transpose()
    }

    async fn offer(&self, handle: Mac) -> Result<Option<OfferState>, StoreError> {
        let row = sqlx::query(
            "SELECT type_id, person, kind, tx_code, stage, misses, expires_at FROM offer WHERE handle = $1",
        )
        .bind(&handle.0[..])
        .fetch_optional(self.pools.reader())
        .await?;
        row.as_ref().map(state).transpose()
    }

    async fn redeem(&self, redeem: &Redeem) -> Result<Result<(), RedeemRefusal>, StoreError> {
        let mut tx = self.begin().await?;
        let outcome = match by_code(&mut tx, redeem.code).await? {
            None => count_unknown(&mut tx).await?,
            Some(mut offer) => {
                let outcome = offer.redeem(redeem);
                save(&mut tx, redeem.code, &offer).await?;
                outcome
            }
        };
        if outcome.is_ok() {
            give_token(&mut tx, redeem).await?;
        }
        tx.commit().await?;
        Ok(outcome)
    }
}

async fn insert(tx: &mut Tx, offer: &NewOffer) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO offer (code, handle, tx_code, type_id, person, kind, stage, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8)",
    )
    .bind(&offer.code.0[..])
    .bind(&offer.handle.0[..])
    .bind(&offer.tx_code.0[..])
    .bind(&offer.type_id)
    .bind(&offer.person.0[..])
    .bind(offer.kind.as_str())
    .bind(offer.created_at.0)
    .bind(offer.expires_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Under the offer's lock: of many tries at once, one follows the other.
async fn by_code(tx: &mut Tx, code: Mac) -> Result<Option<OfferState>, StoreError> {
    let row = sqlx::query(locked!(
        "SELECT type_id, person, kind, tx_code, stage, misses, expires_at FROM offer WHERE code = $1",
        " FOR UPDATE"
    ))
    .bind(&code.0[..])
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(state).transpose()
}

fn state(row: &Row) -> Result<OfferState, StoreError> {
    Ok(OfferState {
        type_id: row.try_get("type_id")?,
        person: mac(row.try_get("person")?)?,
        kind: kind(row.try_get("kind")?)?,
        tx_code: mac(row.try_get("tx_code")?)?,
        stage: Stage::parse(row.try_get("stage")?).ok_or(StoreError::Damaged)?,
        misses: u32::try_from(row.try_get::<i64, _>("misses")?).map_err(|_| StoreError::Damaged)?,
        expires_at: UnixTime(row.try_get("expires_at")?),
    })
}

/// Written on every refusal too, changed or not: all refusals cost the same.
async fn save(tx: &mut Tx, code: Mac, offer: &OfferState) -> Result<(), StoreError> {
    sqlx::query("UPDATE offer SET stage = $1, misses = $2 WHERE code = $3")
        .bind(offer.stage.as_str())
        .bind(i64::from(offer.misses))
        .bind(&code.0[..])
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn count_unknown(tx: &mut Tx) -> Result<Result<(), RedeemRefusal>, StoreError> {
    sqlx::query("UPDATE unknown_code SET misses = misses + 1 WHERE \"only\" = 1").execute(&mut **tx).await?;
    Ok(Err(RedeemRefusal::UnknownCode))
}

async fn give_token(tx: &mut Tx, redeem: &Redeem) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO access_token (token, offer, jkt, identified, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&redeem.token.0[..])
    .bind(&redeem.code.0[..])
    .bind(redeem.jkt.as_ref().map(|jkt| &jkt.0[..]))
    .bind(redeem.identified)
    .bind(redeem.token_expires_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
