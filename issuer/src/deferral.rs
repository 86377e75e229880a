//! What an officer does with batches that are put off: see what waits, and approve or refuse it.
//!
//! A type says `deferred = true` where a person decides on each request. The officer sees a reference, the type and when
//! it was asked for, and can ask which of them are one person's by the partner's key of that person; nobody is named in
//! the list, for the database does not know names.

use vouchsafe_protocol::time::UnixTime;

use crate::app::App;
use crate::kind::Kind;
use crate::status;
use crate::store::{Pending, Store, StoreError, Verdict};

/// Letters of a reference: forty bits, enough to tell requests apart; it opens nothing.
pub(crate) const REFERENCE_LETTERS: usize = 8;

/// A batch that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// By which it is approved or refused.
    pub reference: String,
    /// The credential type.
    pub type_id: String,
    /// Plain or proof copies.
    pub kind: Kind,
    /// When it was asked for.
    pub asked_at: UnixTime,
}

/// Nothing of that reference waits.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum DecideError {
    /// It was decided, has expired, or never was.
    #[error("nothing that waits has this reference; list what waits")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What waits, oldest first; that of one person alone where their key is given.
///
/// # Errors
/// [`StoreError`].
pub async fn waiting<S: Store>(app: &App<S>, person: Option<&str>) -> Result<Vec<Waiting>, StoreError> {
    let pending = app.store().pending(app.now()).await?;
    let theirs = match person {
        Some(key) => Some(status::every_name(app, key).await?),
        None => None,
    };
    let is_theirs = |one: &Pending| theirs.as_ref().is_none_or(|names| names.contains(&one.person));
    let theirs = pending.into_iter().filter(is_theirs);
    let told = theirs.map(|one| Waiting {
        reference: one.reference,
        type_id: one.type_id,
        kind: one.kind,
        asked_at: one.created_at,
    });
    Ok(told.collect())
}

/// Approves or refuses what waits under a reference.
///
/// # Errors
/// [`DecideError`].
pub async fn decide<S: Store>(app: &App<S>, reference: &str, verdict: Verdict) -> Result<(), DecideError> {
    if app.store().decide(reference, verdict, app.now()).await? { Ok(()) } else { Err(DecideError::Unknown) }
}
