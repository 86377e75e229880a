//! Messages for services.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::super::super::clients::env_word;
use super::super::super::outbox::{DELIVERY_SECONDS, Delivery, Message, Outbox, Settled};
use super::super::super::rows::MessageRow;
use super::super::super::{Pending, RequestId, StoreError, Tenant};
use super::Own;

/// A row whose writer did not know the column is of the environment of its request.
macro_rules! of_env {
    () => {
        "COALESCE(env, (SELECT r.env FROM requests r WHERE r.service_id = outbox.service_id AND r.id = outbox.request_id))"
    };
}

macro_rules! columns {
    () => {
        "position, request_id, topic, created_at, again_at, state, attempts, next_at"
    };
}

/// One conditional statement that counts the attempt and puts the next instant ahead.
macro_rules! claim {
    ($owner:expr, $due:literal) => {
        concat!(
            "UPDATE outbox SET attempts = attempts + 1, next_at = $3 + $4 WHERE ",
            chosen!(concat!(
                "SELECT position FROM outbox WHERE ",
                $owner,
                $due,
                " ORDER BY next_at, position LIMIT $5"
            )),
            " RETURNING ",
            columns!()
        )
    };
}

macro_rules! own {
    () => {
        concat!("service_id = $1 AND ", of_env!(), " = $2")
    };
}

macro_rules! anybodys {
    () => {
        concat!("$1 <> '' AND ", of_env!(), " = $2")
    };
}

macro_rules! of_any_env {
    () => {
        "service_id = $1 AND $2 <> ''"
    };
}

fn claim() -> &'static str {
    if mutants::skips("store-tenant-claim") {
        claim!(anybodys!(), " AND state = 'waiting' AND next_at <= $3")
    } else if mutants::skips("store-env-claim") {
        claim!(of_any_env!(), " AND state = 'waiting' AND next_at <= $3")
    } else if mutants::skips("store-claim-due") {
        claim!(own!(), " AND state = 'waiting'")
    } else if mutants::skips("store-claim-waiting") {
        claim!(own!(), " AND next_at <= $3")
    } else {
        claim!(own!(), " AND state = 'waiting' AND next_at <= $3")
    }
}

macro_rules! again {
    ($owner:expr, $over:literal) => {
        concat!(
            "UPDATE outbox SET state = 'waiting', attempts = 0, next_at = $4, again_at = $4 WHERE ",
            $owner,
            " AND event_id = $3",
            $over
        )
    };
}

fn again() -> &'static str {
    if mutants::skips("store-tenant-again") {
        again!(anybodys!(), " AND state <> 'waiting'")
    } else if mutants::skips("store-env-again") {
        again!(of_any_env!(), " AND state <> 'waiting'")
    } else if mutants::skips("store-again-over") {
        again!(own!(), "")
    } else {
        again!(own!(), " AND state <> 'waiting'")
    }
}

macro_rules! messages {
    ($owner:expr) => {
        (
            concat!(
                "SELECT ",
                columns!(),
                " FROM outbox WHERE ",
                $owner,
                " AND $3 IS NULL AND position > $4 ORDER BY position LIMIT $5"
            ),
            concat!(
                "SELECT ",
                columns!(),
                " FROM outbox WHERE ",
                $owner,
                " AND state = $3 AND position > $4 ORDER BY position LIMIT $5"
            ),
        )
    };
}

fn messages(state: Option<Delivery>) -> &'static str {
    let (all, of_state) = if mutants::skips("store-tenant-messages") {
        messages!(anybodys!())
    } else if mutants::skips("store-env-messages") {
        messages!(of_any_env!())
    } else {
        messages!(own!())
    };
    if state.is_some() { of_state } else { all }
}

const SETTLE: &str = "UPDATE outbox SET state = $1, next_at = $2, event_id = $3, \
     delivered_at = CASE WHEN $1 = 'delivered' THEN $4 ELSE delivered_at END \
     WHERE service_id = $8 AND position = $5 AND state = 'waiting' AND ($7 OR next_at = $6)";

impl Outbox for Own {
    fn tell<'a>(
        &'a self,
        tenant: &'a Tenant,
        about: RequestId,
        topic: &'static str,
        now: UnixTime,
    ) -> Pending<'a, ()> {
        let tenant = tenant.clone();
        self.write(move |mut writing| async move {
            sqlx::query(
                "INSERT INTO outbox (service_id, env, request_id, topic, created_at, next_at) \
                 VALUES ($1, $2, $3, $4, $5, $5)",
            )
            .bind(&tenant.service.0)
            .bind(env_word(tenant.env))
            .bind(&about.0)
            .bind(topic)
            .bind(now.0)
            .execute(&mut *writing)
            .await?;
            Ok((writing, ()))
        })
    }

    fn claim<'a>(&'a self, tenant: &'a Tenant, now: UnixTime, limit: u32) -> Pending<'a, Vec<Message>> {
        let (query, tenant) = (claim(), tenant.clone());
        self.write(move |mut writing| async move {
            let rows: Vec<MessageRow> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(env_word(tenant.env))
                .bind(now.0)
                .bind(DELIVERY_SECONDS)
                .bind(i64::from(limit))
                .fetch_all(&mut *writing)
                .await?;
            let mut claimed = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>, _>>()?;
            claimed.sort_by_key(|message| message.position);
            Ok((writing, claimed))
        })
    }

    fn settle<'a>(
        &'a self,
        tenant: &'a Tenant,
        claimed: &'a Message,
        event: &'a str,
        how: Settled,
        now: UnixTime,
    ) -> Pending<'a, bool> {
        let (service, event) = (tenant.service.clone(), event.to_owned());
        let (position, until) = (claimed.position, claimed.next_at);
        let next_at = if let Settled::Again(at) = how { at } else { now };
        self.write(move |mut writing| async move {
            let done = sqlx::query(SETTLE)
                .bind(how.state().as_str())
                .bind(next_at.0)
                .bind(event)
                .bind(now.0)
                .bind(position)
                .bind(until.0)
                .bind(mutants::skips("store-settle-claim"))
                .bind(&service.0)
                .execute(&mut *writing)
                .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }

    fn send_again<'a>(&'a self, tenant: &'a Tenant, event: &'a str, now: UnixTime) -> Pending<'a, bool> {
        let (query, tenant, event) = (again(), tenant.clone(), event.to_owned());
        if !is_ours(&event) {
            return Box::pin(std::future::ready(Ok(false)));
        }
        self.write(move |mut writing| async move {
            let done = sqlx::query(query)
                .bind(&tenant.service.0)
                .bind(env_word(tenant.env))
                .bind(event)
                .bind(now.0)
                .execute(&mut *writing)
                .await?;
            Ok((writing, done.rows_affected() > 0))
        })
    }

    fn messages<'a>(
        &'a self,
        tenant: &'a Tenant,
        state: Option<Delivery>,
        after: i64,
        limit: u32,
    ) -> Pending<'a, Vec<Message>> {
        let query = messages(state);
        Box::pin(async move {
            let rows: Vec<MessageRow> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(env_word(tenant.env))
                .bind(state.map(Delivery::as_str))
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(self.0.reader())
                .await?;
            rows.into_iter().map(Message::try_from).collect::<Result<_, StoreError>>()
        })
    }
}

/// A text with a NUL is nobody's id: the server could not hold it, and would fail over it.
fn is_ours(event: &str) -> bool {
    !event.contains('\0')
}
