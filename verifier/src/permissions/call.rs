//! What wallets say by a permission's key: tell me, or I take it back.
//!
//! There is no account and no handle. Whatever is wrong with a call looks alike to its sender, as does a key that nobody
//! knows: so nobody finds out which permissions there are.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::permission::call::{Call, Called, Do};
use vouchsafe_protocol::permission::record::{Happening, Route};
use vouchsafe_protocol::time::UnixTime;

use super::{ending, key_tag};
use crate::app::{App, Unavailable};
use crate::request;
use crate::secrets::Kind;
use crate::store::{By, Permission};

/// How old a call may be, in seconds.
const MAX_AGE: i64 = 60;

/// What a call is answered with.
#[derive(Clone)]
pub struct Answered {
    /// The record as it stands, signed.
    pub record: String,
    /// Links to open requests under this permission.
    pub asks: Vec<String>,
}

impl std::fmt::Debug for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answered(…)")
    }
}

/// Why a call is not served.
#[derive(Debug, thiserror::Error)]
pub enum CallRefused {
    /// No permission has this key, or the call is none: told alike.
    #[error("there is no such permission")]
    Unknown,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Serves a call.
///
/// # Errors
/// [`CallRefused`].
pub async fn called(app: &App, text: &str) -> Result<Answered, CallRefused> {
    let now = app.now();
    let call = Call::verify(text.trim(), &app.config().origin, now, MAX_AGE, &app.signatures);
    let call = call.map_err(|_| CallRefused::Unknown)?;
    let found = app.store().permission_by(By::Key(key_tag(app.vault(), &call.jkt()))).await;
    let row = found.map_err(Unavailable::from)?.ok_or(CallRefused::Unknown)?;
    if !(is_first(app, &call, now).await? || mutants::skips("perm-call-once")) {
        return Err(CallRefused::Unknown);
    }
    match call.what() {
        Do::State => state(app, &row).await.map_err(CallRefused::from),
        Do::Withdraw => {
            let row = ending::end(app, row, Happening::Withdrawn { route: Route::Wallet }).await?;
            Ok(Answered { record: ending::record(app, &row).await?, asks: Vec::new() })
        }
    }
}

/// Uses the call's id up. Looked at after the key, so that nobody without a permission fills the table.
async fn is_first(app: &App, call: &Called, now: UnixTime) -> Result<bool, Unavailable> {
    let tag = app.vault().tag(Kind::Call, &format!("{}\n{}", call.jkt().text(), call.jti()));
    Ok(app.store().use_once(tag, call.forget_at(), now).await?)
}

async fn state(app: &App, row: &Permission) -> Result<Answered, Unavailable> {
    let open = app.store().asks_under(&row.service, &row.id, app.now()).await?;
    let secrets = open.iter().filter_map(|request| request::open_secrets(app, request));
    let asks = secrets.map(|secrets| request::link(app, &secrets.handle)).collect();
    Ok(Answered { record: ending::record(app, row).await?, asks })
}
