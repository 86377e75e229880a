//! Signing what an answer permits: a key made for this one permission, and its grant.
//!
//! A key is reused in two cases: where the same request is answered once more because the first answer was never
//! acknowledged, and where a standing permission is asked under again. Every other request gets a fresh one, so that no two
//! permissions are linked by it. An entry that was permitted and taken is not permitted a second time: its salt serves
//! one permission.

use std::collections::BTreeSet;

use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::request::Question;
use vouchsafe_protocol::permission::{Grant, Jkt};
use vouchsafe_service::keys::SigningKey;

use super::AnswerError;
use crate::Wallet;
use crate::history::{How, Named, OfPermission};
use crate::permissions::kept::{self, Kept, Signed};
use crate::review::{Review, Way, asked};
use crate::vault::{Change, Record, VaultError};

/// A permission that an answer gives.
pub(super) struct Permitting {
    id: String,
    key: SigningKey,
    grant: String,
    kept: Kept,
    /// Where it is in the vault already.
    row: Option<Record>,
    /// Whether it was given before, and the answer is one under it.
    again: bool,
}

impl Permitting {
    pub(super) fn jkt(&self) -> Jkt {
        Jkt::of(self.key.public())
    }

    pub(super) fn grant(&self) -> String {
        self.grant.clone()
    }

    /// What the history says of it.
    pub(super) fn told(&self) -> OfPermission {
        OfPermission { id: self.id.clone(), kind: self.kept.kind(), again: self.again }
    }

    /// The change that keeps it, for the transaction that spends the copies.
    pub(super) fn keep(self) -> Change {
        match self.row {
            Some(row) => kept::replace(row, &self.kept),
            None => kept::insert(self.id, &self.kept),
        }
    }
}

/// Where the answer goes, and with it every call about the permission.
pub(crate) fn origin(response_uri: &str) -> Option<String> {
    let origin = Url::parse(response_uri).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

impl Wallet {
    /// What the answer by `way` permits, with the key to sign it; nothing where the request asks for no permission.
    pub(super) async fn permitting(
        &self,
        review: &Review,
        way: &Way,
        names: &[Named],
    ) -> Result<Option<Permitting>, AnswerError> {
        let Question::Policy(asked) = review.request().asked() else { return Ok(None) };
        if asked.terms().is_none() {
            return Ok(None);
        }
        // A permission comes about with the outcome "met" alone, and what is signed stays signed.
        let counts = !way.contrary && !way.is_stale() && !way.is_suspended();
        if !(mutants::skips("wallet-perm-counts") || counts) {
            return Err(AnswerError::NothingPermitted);
        }
        let held = kept::by_entry(&self.vault, asked).await?;
        let permitting = match held {
            Some((row, kept)) => self.held(review, asked, row, kept)?,
            None => self.fresh(review, asked, names)?,
        };
        Ok(Some(permitting))
    }

    /// Of two answers at once to one request the second would be a second key for one entry: it is begun again. Called
    /// within a turn.
    pub(super) async fn still_alone(
        &self,
        review: &Review,
        permitting: &Permitting,
    ) -> Result<(), AnswerError> {
        let Question::Policy(asked) = review.request().asked() else { return Ok(()) };
        match kept::by_entry(&self.vault, asked).await? {
            Some(_) if permitting.row.is_none() => Err(VaultError::Stale.into()),
            _ => Ok(()),
        }
    }

    fn fresh(&self, review: &Review, question: &Asked, names: &[Named]) -> Result<Permitting, AnswerError> {
        let key = SigningKey::generate().map_err(|_| AnswerError::Present)?;
        let grant = grant(review, question, &key)?;
        let shown = names.iter().filter(|name| name.how != How::Proved).map(|name| name.pointer.clone());
        let signed = Signed {
            key: key.clone(),
            grant: grant.clone(),
            verifier: origin(review.request().response_uri()).ok_or(AnswerError::Present)?,
            asked: asked(review.request()),
            purpose_version: review.request().purpose().version,
            basis: review.facts().basis,
            permits: review.facts().permits.clone().ok_or(AnswerError::Present)?,
            at: self.machine.clock.now().0,
            shown: shown.collect::<BTreeSet<_>>(),
        };
        let kept = Kept::signed(question, signed).ok_or(AnswerError::Present)?;
        Ok(Permitting { id: self.new_id(), key, grant, kept, row: None, again: false })
    }

    fn held(
        &self,
        review: &Review,
        question: &Asked,
        row: Record,
        mut kept: Kept,
    ) -> Result<Permitting, AnswerError> {
        kept.may_repeat(question.as_of()).map_err(AnswerError::NotAgain)?;
        let key = kept.key()?;
        let grant = grant(review, question, &key)?;
        let again = kept.is_use(question.as_of());
        if again {
            kept.uses = kept.uses.saturating_add(1);
            kept.last_use = Some(question.as_of().to_string());
        } else {
            kept.grant.clone_from(&grant);
        }
        Ok(Permitting { id: row.id.clone(), key, grant, kept, row: Some(row), again })
    }
}

fn grant(review: &Review, question: &Asked, key: &SigningKey) -> Result<String, AnswerError> {
    let version = review.request().purpose().version;
    let unsigned = Grant::unsigned(question, version, key.public()).ok_or(AnswerError::Present)?;
    let signature = key.sign_now(unsigned.signing_input()).map_err(|_| AnswerError::Present)?;
    Ok(unsigned.finish(&signature))
}
