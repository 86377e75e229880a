//! Which link secret each person is held to.

use jiff::civil::Date;
use sqlx::Row as _;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::columns::{date, mac};
use super::super::super::linking::{Kept, Registered, standing};
use super::super::super::{Link, LinkRefusal, Linking, Mac, StoreError};
use super::{Own, Row, Tx};

const RELEASED: &str = "SELECT EXISTS (SELECT 1 FROM link_release WHERE nym = $1)";

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
        let released = sqlx::query_scalar(RELEASED).bind(&nym.0[..]).fetch_one(self.pools.reader()).await?;
        Ok(standing(&Kept { registered: read(rows)?, released }, person, nym))
    }

    async fn release(&self, person: Mac, names: &[Mac], now: UnixTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // In the order in which issuing takes them, the registration last: nobody waits in a circle.
        let mut names = names.to_vec();
        names.sort_unstable();
        for end in ENDS.iter().filter(|end| !mutants::skips(end.mutant)) {
            for name in &names {
                sqlx::query(end.what_is_open).bind(&name.0[..]).execute(&mut *tx).await?;
            }
        }
        let nym: Option<Vec<u8>> = sqlx::query_scalar("DELETE FROM link WHERE person = $1 RETURNING nym")
            .bind(&person.0[..])
            .fetch_optional(&mut *tx)
            .await?;
        let Some(nym) = nym else { return Ok(false) };
        sqlx::query("INSERT INTO link_release (person, nym, released_at) VALUES ($1, $2, $3)")
            .bind(&person.0[..])
            .bind(nym)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// A statement that ends what is open under a name.
struct End {
    mutant: &'static str,
    what_is_open: &'static str,
}

const ENDS: [End; 3] = [
    End {
        mutant: "store-release-offers",
        what_is_open: "UPDATE offer SET stage = 'closed' WHERE person = $1 AND stage = 'open'",
    },
    End {
        mutant: "store-release-tokens",
        what_is_open: "UPDATE access_token SET spent = TRUE WHERE NOT spent \
                       AND offer IN (SELECT code FROM offer WHERE person = $1)",
    },
    End {
        mutant: "store-release-deferred",
        what_is_open: "UPDATE deferred SET stage = 'refused', holders = NULL \
                       WHERE stage IN ('waiting', 'approved') AND token IN (SELECT access_token.token \
                       FROM access_token JOIN offer ON offer.code = access_token.offer WHERE offer.person = $1)",
    },
];

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
    // Read after the registrations are held: one that is being given up is gone by now, and is found here.
    let released = sqlx::query_scalar(RELEASED).bind(&link.nym.0[..]).fetch_one(&mut **tx).await?;
    if let Err(refusal) = link.check(&Kept { registered: read(rows)?, released }) {
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
