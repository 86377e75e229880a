//! How a permission ends, and the record as its two sides get it.
//!
//! The record with the new event is written before the transaction, since the leaf of the log is a hash of it; the
//! transaction takes it only where no other event was first. Whoever finds that it ended already gets the same receipt.

use vouchsafe_protocol::encoding::b64u_decode;
use vouchsafe_protocol::permission::record::{Claims, Event, Happening, Record, Route};

use super::check::Standing;
use super::desk::RecordDesk;
use super::{EXPIRED, WITHDRAWN, bound, code};
use crate::app::{App, Unavailable};
use crate::store::{Day, Ending, Permission, PermissionId, Recorded, RequestId, Stands, StoreError, Tenant};

/// How often the end of a permission is tried anew that another's event was before.
const TRIES: usize = 4;
/// A day, in seconds.
const DAY: i64 = 86_400;

/// A permission, as its service gets it.
#[derive(Clone)]
pub struct Signed {
    /// Its id.
    pub id: PermissionId,
    /// How it stands today.
    pub standing: Standing,
    /// The record, signed.
    pub record: String,
    /// The code that the service prints on its letter, by which the resident takes it back.
    pub code: String,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signed(…)")
    }
}

/// The tenant's own permission with its record; `None` where there is none.
///
/// # Errors
/// When we cannot serve.
pub async fn read(app: &App, tenant: &Tenant, id: &PermissionId) -> Result<Option<Signed>, Unavailable> {
    match app.store().permission(tenant, id).await? {
        None => Ok(None),
        Some(row) => signed(app, &row).await.map(Some),
    }
}

/// Takes the tenant's own permission back, as a member of its staff does at a counter; `None` where there is none.
///
/// # Errors
/// When we cannot serve.
pub async fn withdraw(app: &App, tenant: &Tenant, id: &PermissionId) -> Result<Option<Signed>, Unavailable> {
    let Some(row) = app.store().permission(tenant, id).await? else { return Ok(None) };
    let row = end(app, row, Happening::Withdrawn { route: Route::Counter }).await?;
    signed(app, &row).await.map(Some)
}

async fn signed(app: &App, row: &Permission) -> Result<Signed, Unavailable> {
    Ok(Signed {
        id: row.id.clone(),
        standing: Standing::of(app, row, Day::at(app.now())),
        record: record(app, row).await?,
        code: code(app.vault(), &row.tenant(), &row.id),
    })
}

/// The record as it stands, signed from what was kept.
pub(super) async fn record(app: &App, row: &Permission) -> Result<String, Unavailable> {
    let event = last(app, row).await?;
    let text = RecordDesk::read(app.vault(), &row.service, &row.id, &event)?;
    Ok(app.records().sign(text).await?)
}

async fn last(app: &App, row: &Permission) -> Result<Recorded, Unavailable> {
    let event = app.store().recorded(&row.service, &row.id, row.events).await?;
    Ok(event.ok_or(StoreError::Damaged("events"))?)
}

/// The permission after this happened to it; where it ended before, as it ended.
pub(super) async fn end(app: &App, mut row: Permission, what: Happening) -> Result<Permission, Unavailable> {
    for _ in 0..TRIES {
        if row.state != Stands::Given {
            return Ok(row);
        }
        let (ended, ending) = ending(app, &row, what.clone()).await?;
        if app.store().end_permission(ending).await?.is_ok() {
            app.clients().changes.tell(&RequestId(String::new()));
            metrics::counter!("vouchsafe_permissions_ended_total", "state" => ended.state.as_str())
                .increment(1);
            return Ok(ended);
        }
        // Another event was first.
        let again = app.store().permission(&row.tenant(), &row.id).await?;
        row = again.ok_or(StoreError::Unavailable)?;
    }
    Err(StoreError::Unavailable.into())
}

async fn ending(app: &App, row: &Permission, what: Happening) -> Result<(Permission, Ending), Unavailable> {
    let before = last(app, row).await?;
    let text = RecordDesk::read(app.vault(), &row.service, &row.id, &before)?;
    let mut record = parsed(text).ok_or(StoreError::Damaged("signing_input"))?;
    let at = app.now().max(before.at);
    let (state, topic) = match what {
        Happening::Expired => (Stands::Expired, EXPIRED),
        _ => (Stands::Withdrawn, WITHDRAWN),
    };
    record.append(Event { at, what }).map_err(|_| StoreError::Damaged("signing_input"))?;
    let mut ended = Permission { state, events: row.events + 1, entry: None, ..row.clone() };
    ended.bound = bound(app.vault(), &ended);
    let place = (&row.service, &row.id, ended.events);
    let written = app.records().write(app.vault(), place, record, at, app.entropy());
    let ending = Ending {
        tenant: row.tenant(),
        id: row.id.clone(),
        after: row.events,
        state,
        bound: ended.bound,
        event: written.event,
        leaf: written.leaf,
        topic,
        keep_until: at.plus(row.retention_days.saturating_mul(DAY)),
    };
    Ok((ended, ending))
}

/// The record in a signing input of ours.
fn parsed(signing_input: &str) -> Option<Record> {
    let (_, claims) = signing_input.split_once('.')?;
    let claims: Claims = serde_json::from_slice(&b64u_decode(claims).ok()?).ok()?;
    Some(claims.record)
}
