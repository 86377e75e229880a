//! Which link secret each person is held to.

use jiff::civil::Date;
use sqlx::Row as _;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{date, mac};
use super::super::super::linking::{Registered, standing};
use super::super::super::{Link, LinkRefusal, Linking, Mac, StoreError};
use super::{Own, Row, Tx};

impl Linking for Own {
    async fn registered(
        &self,
        person: Mac,
        nym: Mac,
    ) -> Result<Result<Option<Date>, LinkRefusal>, StoreError> {
        let rows = sqlx::query("SELECT person, nym, since FROM link WHERE person = $1 OR nym = $2")
            .bind(&person.0[..])
            .bind(&nym.0[..])
            .fetch_all(self.pools.reader())
            .await?;
        Ok(standing(&read(rows)?, person, nym))
    }

    async fn release(&self, person: Mac, now: UnixTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let gone =
            sqlx::query("DELETE FROM link WHERE person = $1").bind(&person.0[..]).execute(&mut *tx).await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO link_release (person, released_at) VALUES ($1, $2)")
            .bind(&person.0[..])
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Registers a link secret, or finds it registered, within the transaction that issues.
pub(super) async fn hold(tx: &mut Tx, link: &Link) -> Result<Result<(), LinkRefusal>, StoreError> {
    let rows = sqlx::query(locked!(
        "SELECT person, nym, since FROM link WHERE person = $1 OR nym = $2 ORDER BY person",
        " FOR UPDATE"
    ))
    .bind(&link.person.0[..])
    .bind(&link.nym.0[..])
    .fetch_all(&mut **tx)
    .await?;
    if let Err(refusal) = link.check(&read(rows)?) {
        return Ok(Err(refusal));
    }
    if link.registered.is_some() {
        return Ok(Ok(()));
    }
    // Whoever registers the same person or the same pseudonym at the same time waits here, and comes second.
    let written =
        sqlx::query("INSERT INTO link (person, nym, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(&link.person.0[..])
            .bind(&link.nym.0[..])
            .bind(link.since.to_string())
            .execute(&mut **tx)
            .await?;
    Ok(if written.rows_affected() == 1 { Ok(()) } else { Err(LinkRefusal::Moved) })
}

fn read(rows: Vec<Row>) -> Result<Vec<Registered>, StoreError> {
    rows.iter()
        .map(|row| {
            Ok(Registered {
                person: mac(row.try_get("person")?)?,
                nym: mac(row.try_get("nym")?)?,
                since: date(row.try_get("since")?)?,
            })
        })
        .collect()
}
