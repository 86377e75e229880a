//! Taking a permission back by the code of a letter, without a wallet.

use vouchsafe_protocol::permission::record::{Happening, Route};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::trust::Basis;
use vouchsafe_service::entropy;

use super::ending;
use crate::app::{App, Unavailable};
use crate::secrets::{Kind, Vault};
use crate::store::{By, Stands, Tag};

/// A permission that was taken back, as its resident is told of it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Who had it.
    pub service: Bilingual,
    /// What for.
    pub purpose: Bilingual,
    /// On what basis what is kept is kept.
    pub basis: Basis,
    /// For how many days.
    pub days: i64,
    /// Whether it had ended otherwise before.
    pub was_over: bool,
}

/// The tag by which a code is found.
pub(crate) fn tag(vault: &Vault, code: &str) -> Tag {
    vault.tag(Kind::Letter, code)
}

/// Takes the permission back whose letter has this code; `None` where no letter has it.
///
/// # Errors
/// When we cannot serve.
pub async fn by_letter(app: &App, typed: &str) -> Result<Option<Taken>, Unavailable> {
    let Some(code) = entropy::normal_code(typed) else { return Ok(None) };
    let found = app.store().permission_by(By::Code(tag(app.vault(), &code))).await?;
    let Some(row) = found else { return Ok(None) };
    let row = ending::end(app, row, Happening::Withdrawn { route: Route::Letter }).await?;
    let question = app.question_of(&row.service, row.asked_digest, row.given_at).await?;
    let purpose = question.purpose.document();
    Ok(Some(Taken {
        service: question.service.document().name.clone(),
        purpose: purpose.text.clone(),
        basis: purpose.basis,
        days: row.retention_days,
        was_over: row.state == Stands::Expired,
    }))
}
