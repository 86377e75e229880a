//! A service's own requests, newest first, a page at a time.
//!
//! A page goes on behind the last request of the one before, by time and id, so that requests opened meanwhile move
//! nothing. The cursor says so, with a tag under the server key: it is good for the same tenant and the same filter, and
//! nobody makes one.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::secret::same;

use super::{Standing, stand};
use crate::app::{App, Unavailable};
use crate::expiry;
use crate::secrets::Kind;
use crate::store::{Position, RequestId, Status, Tag, Tenant};

/// The most requests of one page, and how many there are when nothing is said.
pub const MOST: u32 = 100;
/// See [`MOST`].
pub const USUAL: u32 = 20;
/// The longest cursor, in characters.
const MAX_CURSOR: usize = 400;

/// Which requests are wanted.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Where to go on, as the page before said.
    pub cursor: Option<String>,
    /// How many at most.
    pub limit: u32,
    /// Those that stand so.
    pub status: Option<Status>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The requests.
    pub requests: Vec<Standing>,
    /// What the next page is asked for with; `None` on the last one.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not one of ours, or of another list.
    #[error("the cursor is not one that this list gave out")]
    Cursor,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// One page of the tenant's own requests.
///
/// # Errors
/// [`ListError`].
pub async fn list(app: &App, tenant: &Tenant, asked: &Listing) -> Result<Page, ListError> {
    let after = match &asked.cursor {
        None => None,
        Some(cursor) => Some(read(app, tenant, asked.status, cursor).ok_or(ListError::Cursor)?),
    };
    let limit = asked.limit.clamp(1, MOST);
    // One more than asked for tells whether there is another page.
    let found = app.store().newest(tenant, asked.status, after, limit + 1).await;
    let mut found = found.map_err(Unavailable::from)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| write(app, tenant, asked.status, last.created_at, &last.id));
    let mut requests = Vec::with_capacity(found.len());
    for request in found {
        let request = expiry::settle(app, request, app.now()).await?;
        // What ended just now is no longer as it was asked for.
        if asked.status.is_none_or(|status| status == request.status) {
            requests.push(stand(app, request).await?);
        }
    }
    Ok(Page { requests, next })
}

fn write(app: &App, tenant: &Tenant, status: Option<Status>, at: UnixTime, id: &RequestId) -> String {
    let text = format!("{}.{}", at.0, id.0);
    let tag = tag(app, tenant, status, &text);
    b64u(format!("{text}.{}", b64u(tag.0)))
}

fn read(app: &App, tenant: &Tenant, status: Option<Status>, cursor: &str) -> Option<Position> {
    let bytes = b64u_decode(cursor).ok().filter(|_| cursor.len() <= MAX_CURSOR)?;
    let whole = String::from_utf8(bytes).ok()?;
    let (text, sent) = whole.rsplit_once('.')?;
    let ours = b64u_array::<32>(sent).is_ok_and(|sent| same(&sent, &tag(app, tenant, status, text).0));
    if !(mutants::skips("api-cursor") || ours) {
        return None;
    }
    let (at, id) = text.split_once('.')?;
    Some(Position { created_at: UnixTime(at.parse().ok()?), id: RequestId(id.to_owned()) })
}

fn tag(app: &App, tenant: &Tenant, status: Option<Status>, text: &str) -> Tag {
    let status = status.map_or("", Status::as_str);
    app.vault().tag(Kind::Cursor, &format!("{}\n{status}\n{text}", tenant.name()))
}
