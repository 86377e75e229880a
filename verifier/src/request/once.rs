//! Opening a request by a call that may be repeated: `Idempotency-Key`.
//!
//! draft-ietf-httpapi-idempotency-key-header, for calls whose answer was lost on the way. The key is kept for a day, as an
//! HMAC, with an HMAC of the body that came with it, in the transaction that opens the request. The answer itself is not
//! kept: it is made again from the request's own sealed secrets, and is gone when they are.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use vouchsafe_mutants as mutants;

use super::{Ask, CreateError, Opened, opened, prepare};
use crate::app::{App, Unavailable};
use crate::secrets::Kind;
use crate::store::{Attempt, RequestId, Tag, Tenant};

/// How long a key is kept, in seconds.
pub const KEPT: i64 = 86_400;
/// The longest key, in characters.
const MAX_KEY: usize = 255;

/// A key as a client sent it. It may be a secret of the client's, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RepeatKey(String);

impl RepeatKey {
    /// The key.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Reads the field: a quoted string of RFC 8941, or, as many clients send it, the same without quotes.
    #[must_use]
    pub fn parse(field: &str) -> Option<Self> {
        let field = field.trim();
        let bare = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(field);
        let fits = (1..=MAX_KEY).contains(&bare.len())
            && bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        (mutants::skips("api-repeat-key") || fits).then(|| Self(bare.to_owned()))
    }
}

/// The calls with a key that are under way in this process.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashSet<Tag>>);

/// One of them, until it is dropped.
struct Flight<'a>(&'a Flights, Tag);

impl Flights {
    fn begin(&self, key: Tag) -> Option<Flight<'_>> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        // Made only for the first: dropped, it would end the call of another.
        (mutants::skips("api-repeat-busy") || first).then(|| Flight(self, key))
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Opens a request for `tenant`, or says again what the call with this key and this very `body` was told.
///
/// # Errors
/// [`CreateError`]: [`CreateError::KeyBusy`] while another such call is under way, [`CreateError::KeyTaken`] when another
/// body came with the key, [`CreateError::KeyOver`] when the request that it opened is over.
pub async fn create_once(
    app: &App,
    tenant: &Tenant,
    ask: Ask,
    body: &[u8],
    key: &RepeatKey,
) -> Result<Opened, CreateError> {
    let now = app.now();
    let tag = app.vault().tag(Kind::Repeat, &format!("{}\n{}", tenant.name(), key.0));
    let _flight = app.clients().flights.begin(tag).ok_or(CreateError::KeyBusy)?;
    let body = app.vault().tag_bytes(Kind::RepeatBody, body);
    let attempt = Attempt { key: tag, body, until: now.plus(KEPT) };
    let earlier = match prepare(app, tenant, &ask, now).await {
        Ok((new, told)) => {
            let earlier = app.store().insert_once(new, attempt, now).await.map_err(Unavailable::from)?;
            let Some(earlier) = earlier else {
                metrics::counter!("vouchsafe_requests_total", "flow" => ask.flow.as_str()).increment(1);
                return Ok(told);
            };
            earlier
        }
        // What cannot be asked today may have been asked before: that answer is still owed.
        Err(fault) => {
            let earlier = app.store().earlier(tenant, tag, now).await.map_err(Unavailable::from)?;
            earlier.ok_or(fault)?
        }
    };
    if !(mutants::skips("api-repeat-body") || earlier.body == body) {
        return Err(CreateError::KeyTaken);
    }
    again(app, tenant, earlier.request).await
}

async fn again(app: &App, tenant: &Tenant, id: RequestId) -> Result<Opened, CreateError> {
    let found = app.store().request(tenant, &id).await.map_err(Unavailable::from)?;
    let secrets = found.as_ref().and_then(|request| super::open_secrets(app, request));
    let (request, secrets) = found.zip(secrets).ok_or(CreateError::KeyOver(id))?;
    Ok(opened(app, request.id, &secrets, request.expires_at))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let quoted = RepeatKey::parse("\"8e03978e-40d5-43e8\"").unwrap();
        assert!(quoted == RepeatKey::parse(" 8e03978e-40d5-43e8 ").unwrap());
        assert!(RepeatKey::parse(&"k".repeat(255)).is_some());
        for field in ["", "\"\"", "\"", "a b", "a\"b", "a\\b", "\"a", "é", &"k".repeat(256)] {
            assert!(RepeatKey::parse(field).is_none(), "{field}");
        }
    }

    #[test]
    fn a_key_is_free_again_once_its_call_is_over() {
        let flights = Flights::default();
        let first = flights.begin(Tag([1; 32])).unwrap();
        assert!(flights.begin(Tag([2; 32])).is_some());
        for _ in 0..2 {
            assert!(flights.begin(Tag([1; 32])).is_none());
        }
        drop(first);
        assert!(flights.begin(Tag([1; 32])).is_some());
    }
}
