//! What services have asked. A tenant's own row is held to the end of each transaction, so that of two new questions at
//! once each sees the other.

use std::collections::HashSet;

use vouchsafe_protocol::time::UnixTime;

use super::super::super::clients::env_word;
use super::super::super::probing::{Asking, Probe, Probing};
use super::super::super::{Pending, StoreError, Tenant};
use super::{Own, Tx};

impl Probing for Own {
    fn probe<'a>(&'a self, tenant: &'a Tenant, asking: Asking) -> Pending<'a, bool> {
        let tenant = tenant.clone();
        self.write(move |mut writing| async move {
            take_turn(&mut writing, &tenant).await?;
            let known = known(&mut writing, &tenant, asking.since).await?;
            let fits = asking.fits(&known);
            if fits {
                keep(&mut writing, &tenant, &asking).await?;
            }
            Ok((writing, fits))
        })
    }
}

async fn take_turn(writing: &mut Tx, tenant: &Tenant) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO probing_turns (service_id, env, turn) VALUES ($1, $2, 1) \
         ON CONFLICT (service_id, env) DO UPDATE SET turn = probing_turns.turn + 1",
    )
    .bind(&tenant.service.0)
    .bind(env_word(tenant.env))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

async fn known(writing: &mut Tx, tenant: &Tenant, since: UnixTime) -> Result<HashSet<Probe>, StoreError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT attribute, question FROM probes WHERE service_id = $1 AND env = $2 AND asked_at >= $3",
    )
    .bind(&tenant.service.0)
    .bind(env_word(tenant.env))
    .bind(since.0)
    .fetch_all(&mut **writing)
    .await?;
    rows.into_iter().map(probe).collect()
}

fn probe((attribute, question): (Vec<u8>, Vec<u8>)) -> Result<Probe, StoreError> {
    let digest = |bytes: Vec<u8>, column| bytes.try_into().map_err(|_| StoreError::Damaged(column));
    Ok(Probe { attribute: digest(attribute, "attribute")?, question: digest(question, "question")? })
}

/// What was not asked for as long as it counts goes with the next that is.
async fn keep(writing: &mut Tx, tenant: &Tenant, asking: &Asking) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM probes WHERE service_id = $1 AND env = $2 AND asked_at < $3")
        .bind(&tenant.service.0)
        .bind(env_word(tenant.env))
        .bind(asking.since.0)
        .execute(&mut **writing)
        .await?;
    for probe in &asking.probes {
        sqlx::query(
            "INSERT INTO probes (service_id, env, attribute, question, asked_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (service_id, env, attribute, question) DO UPDATE SET asked_at = $5",
        )
        .bind(&tenant.service.0)
        .bind(env_word(tenant.env))
        .bind(probe.attribute.to_vec())
        .bind(probe.question.to_vec())
        .bind(asking.now.0)
        .execute(&mut **writing)
        .await?;
    }
    Ok(())
}
