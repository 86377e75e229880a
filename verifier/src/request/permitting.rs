//! What a request asks to be permitted: an entry that is made anew, or the one of a permission under which it asks again.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::permission::{Terms, TermsError};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::PermissionKind;
use vouchsafe_service::entropy;

use super::{Ask, CreateError};
use crate::app::{App, Unavailable};
use crate::permissions::Standing;
use crate::question::Question;
use crate::secrets::OpenSecrets;
use crate::store::{Day, Permission, PermissionId, Tenant};

/// The secrets of a new request, with the entry that its policy needs.
pub(super) async fn secrets(
    app: &App,
    tenant: &Tenant,
    ask: &Ask,
    question: &Question,
    now: UnixTime,
) -> Result<OpenSecrets, CreateError> {
    if let Some(id) = &ask.permission {
        let (row, entry) = again(app, tenant, id, question, now).await?;
        if ask.authorise.is_some() {
            return Err(TermsError::Payment.into());
        }
        return Ok(OpenSecrets::again(app.entropy(), ask.expect.clone(), entry, row.given_day));
    }
    let entry = entry(app, ask, question)?;
    Ok(OpenSecrets::draw(app.entropy(), ask.expect.clone(), entry))
}

fn entry(app: &App, ask: &Ask, question: &Question) -> Result<Option<String>, CreateError> {
    if question.policy.permission.is_none() {
        // What nobody is asked to permit must not look as if it had been.
        let silent = ask.authorise.is_none();
        return if mutants::skips("perm-authorise-unasked") || silent {
            Ok(None)
        } else {
            Err(TermsError::NotAsked.into())
        };
    }
    let salt = entropy::bytes(app.entropy());
    let terms = Terms::new(&question.policy, &question.plan, question.as_of, &salt, ask.authorise.clone())?;
    Ok(Some(terms.entry().text().to_owned()))
}

/// The permission under which it is asked again, and its entry: standing, of this policy, in force, and not asked too lately.
async fn again(
    app: &App,
    tenant: &Tenant,
    id: &PermissionId,
    question: &Question,
    now: UnixTime,
) -> Result<(Permission, String), CreateError> {
    let row = app.store().permission(tenant, id).await.map_err(Unavailable::from)?;
    let row = row.ok_or(CreateError::UnknownPermission)?;
    let said = question.policy.permission.as_ref();
    let standing = said.is_some_and(|said| said.kind == PermissionKind::Standing);
    let same = row.policy_digest == question.policy.digest_text();
    if !(standing && (mutants::skips("perm-again-policy") || same)) {
        return Err(CreateError::NotAgain);
    }
    let today = Day::at(now);
    let in_force = Standing::of(app, &row, today) == Standing::InForce;
    if !(mutants::skips("perm-again-in-force") || in_force) {
        return Err(CreateError::NotAgain);
    }
    if !(mutants::skips("perm-again-every") || row.asked_day.0 + row.every_days <= today.0) {
        return Err(CreateError::TooSoon);
    }
    let entry = row.entry.as_deref();
    let entry = entry.and_then(|sealed| app.vault().open_entry(sealed, &row.service, &row.id));
    entry.map(|entry| (row, entry)).ok_or(CreateError::NotAgain)
}
