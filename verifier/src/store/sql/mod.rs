//! What the store says to a database, in words that both dialects understand.
//!
//! This is compiled once for each: `sqlite` and `postgres` say what is their own, which are the types (`Own`, `Pools`, `Tx`,
//! `Db`) and how rows that are over are deleted (`forget!`). Each change is one conditional statement, which a server asks
//! again of the newest row after it has waited for another's, or one named transaction over rows that are taken in one
//! order. What may be there once has a unique key. Statements that a mutant weakens are written out twice, so that the text
//! of every query is a constant.

mod clients;
mod decide;
mod log;
mod outbox;
mod permissions;
mod rows;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::store::detached;

use super::super::clients::env_word;
use super::super::rows::{self as stored, RequestRow, select};
use super::super::{
    ATTEMPTS, Answers, Consume, Decided, Decisions, Guesses, Key, LEASE_SECONDS, Lease, NewRequest, NoLease,
    Pending, RETURN_GRACE_SECONDS, Request, RequestId, Requests, ServiceId, Stale, StoreError,
    StoredDecision, Tag, Tenant, minute,
};
use super::{Db, Own, Pools, Tx};

impl Own {
    /// Ends a lease early and gives `attempts` back, unless a later lease was given.
    fn end<'a>(&'a self, lease: &Lease, attempts: i64) -> Pending<'a, ()> {
        let lease = lease.clone();
        self.write(move |mut writing| async move {
            sqlx::query(
                "UPDATE requests SET lease_until = 0, attempts = attempts - $1 \
                 WHERE service_id = $2 AND id = $3 AND fence = $4",
            )
            .bind(attempts)
            .bind(&lease.service.0)
            .bind(&lease.request.0)
            .bind(lease.fence)
            .execute(&mut *writing)
            .await?;
            Ok((writing, ()))
        })
    }

    /// Runs one writing transaction to its end, even if the caller is dropped.
    fn write<'a, T, F, W>(&self, work: W) -> Pending<'a, T>
    where
        T: Send + 'static,
        W: FnOnce(Tx) -> F + Send + 'static,
        F: Future<Output = Result<(Tx, T), StoreError>> + Send + 'static,
    {
        let database = self.0.clone();
        Box::pin(async move {
            let whole = async move {
                let (writing, value) = work(database.write().await?).await?;
                writing.commit().await?;
                Ok(value)
            };
            detached(whole).await.unwrap_or(Err(StoreError::Unavailable))
        })
    }
}

impl Requests for Own {
    fn insert(&self, new: NewRequest) -> Pending<'_, ()> {
        self.write(|mut writing| async move {
            rows::insert_asked(&mut writing, &new).await?;
            rows::insert_request(&mut writing, &new).await?;
            Ok((writing, ()))
        })
    }

    fn request<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<Request>> {
        let query = if mutants::skips("store-tenant-request") {
            select!("$1 <> '' AND id = $2 AND env = $3")
        } else if mutants::skips("store-env-request") {
            select!("service_id = $1 AND id = $2 AND $3 <> ''")
        } else {
            select!("service_id = $1 AND id = $2 AND env = $3")
        };
        Box::pin(async move {
            if !is_storable(id) {
                return Ok(None);
            }
            let row: Option<RequestRow> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(&id.0)
                .bind(env_word(tenant.env))
                .fetch_optional(self.0.reader())
                .await?;
            row.map(Request::try_from).transpose()
        })
    }

    fn request_by(&self, key: Key) -> Pending<'_, Option<Request>> {
        let (query, tag, now) = match key {
            Key::Handle(tag) => (select!("handle_tag = $1 AND $2 = 0"), tag, 0),
            Key::Page(tag) => (select!("page_tag = $1 AND $2 = 0"), tag, 0),
            Key::Code(tag, _) if mutants::skips("store-code-time") => {
                (select!("code_tag = $1 AND $2 = 0"), tag, 0)
            }
            Key::Code(tag, now) => (select!("code_tag = $1 AND code_until > $2"), tag, now.0),
        };
        Box::pin(async move {
            let row: Option<RequestRow> =
                sqlx::query_as(query).bind(tag.0.to_vec()).bind(now).fetch_optional(self.0.reader()).await?;
            row.map(Request::try_from).transpose()
        })
    }

    fn asked<'a>(&'a self, service: &'a ServiceId, digest: [u8; 32]) -> Pending<'a, Option<String>> {
        Box::pin(async move {
            let body = sqlx::query_scalar("SELECT body FROM asked WHERE service_id = $1 AND digest = $2")
                .bind(&service.0)
                .bind(digest.to_vec())
                .fetch_optional(self.0.reader())
                .await?;
            Ok(body)
        })
    }

    fn bind_session<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        session: Tag,
    ) -> Pending<'a, bool> {
        let query = if mutants::skips("store-first-browser") {
            "UPDATE requests SET session_tag = $1 WHERE service_id = $2 AND id = $3"
        } else {
            "UPDATE requests SET session_tag = $1 WHERE service_id = $2 AND id = $3 AND session_tag IS NULL"
        };
        let (service, id) = (service.clone(), id.clone());
        self.write(move |mut writing| async move {
            let done = sqlx::query(query)
                .bind(session.0.to_vec())
                .bind(&service.0)
                .bind(&id.0)
                .execute(&mut *writing)
                .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }
}

/// Takes the lease and counts the attempt (profile, section 7). A mutant replaces one bound by one that holds.
const TAKE_LEASE: &str = "UPDATE requests SET attempts = attempts + 1, fence = fence + 1, lease_until = $3 + $4 \
     WHERE service_id = $1 AND id = $2 AND status = 'open' \
     AND ($5 OR expires_at > $3) AND ($6 OR lease_until <= $3) AND ($7 OR attempts < $8) RETURNING fence";

impl Answers for Own {
    fn lease<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        now: UnixTime,
    ) -> Pending<'a, Result<Lease, NoLease>> {
        let (service, id) = (service.clone(), id.clone());
        self.write(move |mut writing| async move {
            let fence: Option<i64> = sqlx::query_scalar(TAKE_LEASE)
                .bind(&service.0)
                .bind(&id.0)
                .bind(now.0)
                .bind(LEASE_SECONDS)
                .bind(mutants::skips("store-lease-expired"))
                .bind(mutants::skips("store-lease-held"))
                .bind(mutants::skips("store-attempts"))
                .bind(ATTEMPTS)
                .fetch_optional(&mut *writing)
                .await?;
            let lease = match fence {
                Some(fence) => Ok(Lease { service, request: id, fence, until: now.plus(LEASE_SECONDS) }),
                None => Err(rows::why_no_lease(&mut writing, &service, &id, now).await?),
            };
            Ok((writing, lease))
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.end(lease, 0)
    }

    fn give_back<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.end(lease, 1)
    }

    fn answered<'a>(
        &'a self,
        lease: &'a Lease,
        finding: String,
        response: Tag,
        now: UnixTime,
    ) -> Pending<'a, Result<(), Stale>> {
        let lease = lease.clone();
        self.write(move |mut writing| async move {
            let done = sqlx::query(
                "UPDATE requests SET status = 'answered', finding = $1, response_tag = $2, sealed = NULL, \
                 code_tag = NULL, lease_until = 0, \
                 close_at = CASE WHEN expires_at > $3 + $4 THEN expires_at ELSE $3 + $4 END \
                 WHERE service_id = $5 AND id = $6 AND status = 'open' AND ($8 OR fence = $7) AND ($9 OR lease_until > $3)",
            )
            .bind(finding)
            .bind(response.0.to_vec())
            .bind(now.0)
            .bind(RETURN_GRACE_SECONDS)
            .bind(&lease.service.0)
            .bind(&lease.request.0)
            .bind(lease.fence)
            .bind(mutants::skips("store-fence"))
            .bind(mutants::skips("store-lease-ended"))
            .execute(&mut *writing)
            .await?;
            Ok((writing, if done.rows_affected() == 1 { Ok(()) } else { Err(Stale) }))
        })
    }

    fn error_seen<'a>(
        &'a self,
        service: &'a ServiceId,
        id: &'a RequestId,
        response: Option<Tag>,
        now: UnixTime,
    ) -> Pending<'a, bool> {
        let (service, id) = (service.clone(), id.clone());
        self.write(move |mut writing| async move {
            let done = sqlx::query(
                "UPDATE requests SET error_seen = TRUE, response_tag = $1 \
                 WHERE service_id = $2 AND id = $3 AND status = 'open' AND expires_at > $4",
            )
            .bind(response.map(|tag| tag.0.to_vec()))
            .bind(&service.0)
            .bind(&id.0)
            .bind(now.0)
            .execute(&mut *writing)
            .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }
}

impl Decisions for Own {
    fn decide_many(&self, members: Vec<Consume>) -> Pending<'_, Vec<Result<Decided, Stale>>> {
        let database = self.0.clone();
        Box::pin(async move {
            let whole = async move { decide::many(&database, &members).await };
            detached(whole).await.unwrap_or(Err(StoreError::Unavailable))
        })
    }

    fn decision<'a>(&'a self, tenant: &'a Tenant, id: &'a RequestId) -> Pending<'a, Option<StoredDecision>> {
        let query = if mutants::skips("store-tenant-decision") {
            rows::DECISION_OF_ANYBODY
        } else if mutants::skips("store-env-decision") {
            rows::DECISION_OF_ANY_ENV
        } else {
            rows::DECISION
        };
        Box::pin(async move {
            if !is_storable(id) {
                return Ok(None);
            }
            let row: Option<(String, String, Option<Vec<u8>>)> = sqlx::query_as(query)
                .bind(&tenant.service.0)
                .bind(&id.0)
                .bind(env_word(tenant.env))
                .fetch_optional(self.0.reader())
                .await?;
            row.map(stored::stored_decision).transpose()
        })
    }

    fn due(&self, now: UnixTime, limit: u32) -> Pending<'_, Vec<Request>> {
        Box::pin(async move {
            let rows: Vec<RequestRow> = sqlx::query_as(select!(
                "status <> 'decided' AND ($4 OR lease_until <= $1) \
                 AND ($5 OR close_at <= $1 OR (status = 'open' AND attempts >= $2)) ORDER BY close_at LIMIT $3"
            ))
            .bind(now.0)
            .bind(ATTEMPTS)
            .bind(i64::from(limit))
            .bind(mutants::skips("store-sweep-lease"))
            .bind(mutants::skips("store-sweep-time"))
            .fetch_all(self.0.reader())
            .await?;
            rows.into_iter().map(Request::try_from).collect()
        })
    }
}

impl Guesses for Own {
    fn take_guess(&self, prefix: Tag, now: UnixTime, most: i64) -> Pending<'_, bool> {
        let minute = minute(now);
        self.write(move |mut writing| async move {
            let over = forget!("misses", "minute < $1");
            sqlx::query(over).bind(minute - 1).execute(&mut *writing).await?;
            let done = sqlx::query(
                "INSERT INTO misses (prefix_tag, minute, count) VALUES ($1, $2, 1) \
                 ON CONFLICT (prefix_tag, minute) DO UPDATE SET count = misses.count + 1 WHERE $4 OR misses.count < $3",
            )
            .bind(prefix.0.to_vec())
            .bind(minute)
            .bind(most)
            .bind(mutants::skips("store-guesses"))
            .execute(&mut *writing)
            .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }

    fn return_guess(&self, prefix: Tag, now: UnixTime) -> Pending<'_, ()> {
        let minute = minute(now);
        self.write(move |mut writing| async move {
            sqlx::query("UPDATE misses SET count = count - 1 WHERE prefix_tag = $1 AND minute = $2")
                .bind(prefix.0.to_vec())
                .bind(minute)
                .execute(&mut *writing)
                .await?;
            Ok((writing, ()))
        })
    }

    fn see_register<'a>(&'a self, registrar: &'a str, reg_version: u64) -> Pending<'a, bool> {
        let registrar = registrar.to_owned();
        self.write(move |mut writing| async move {
            let version = i64::try_from(reg_version).map_err(|_| StoreError::Damaged("reg_version"))?;
            let done = sqlx::query(
                "INSERT INTO register_seen (registrar, reg_version) VALUES ($1, $2) \
                 ON CONFLICT (registrar) DO UPDATE SET reg_version = $2 WHERE $3 OR register_seen.reg_version <= $2",
            )
            .bind(registrar)
            .bind(version)
            .bind(mutants::skips("store-register-version"))
            .execute(&mut *writing)
            .await?;
            Ok((writing, done.rows_affected() == 1))
        })
    }
}

/// A text with a NUL is nobody's id: the server could not hold it, and would fail over it.
fn is_storable(id: &RequestId) -> bool {
    !id.0.contains('\0')
}
