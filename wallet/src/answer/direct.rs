//! Answering a request without a policy: what the review lists as sent, whole, and nothing else.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::request::{PlainAsked, Question};
use vouchsafe_protocol::openid4vp::response::VpToken;
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::sd_jwt;
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_service::keys::SigningKey;
use zeroize::Zeroizing;

use super::{AnswerError, Answered, Confirmed, named, used};
use crate::Wallet;
use crate::history::{self, Entry, How, Named, Used};
use crate::review::{Ability, Direct, DirectPart, HeldName, Review};
use crate::store::{self, Held};

/// A part that is sent, with the batch that it is taken from.
type Sent<'a> = (&'a DirectPart, &'a HeldName);

impl Wallet {
    /// Reserves a copy for every part, makes all presentations, spends all copies at once, and sends.
    pub(super) async fn share_direct(
        &self,
        review: &Review,
        direct: &Direct,
        confirmed: Confirmed,
    ) -> Result<Answered, AnswerError> {
        let sent = to_send(direct, confirmed)?;
        let taken = self.take_all(&sent).await?;
        let (form, entry) = match self.build_and_spend_direct(review, &sent, &taken).await {
            Ok(made) => made,
            Err(failed) => {
                self.release(&taken).await?;
                return Err(failed);
            }
        };
        self.send(review, form, entry).await
    }

    async fn take_all(&self, sent: &[Sent<'_>]) -> Result<Vec<Held>, AnswerError> {
        let _turn = self.turn.lock().await;
        let batches: Vec<&str> = sent.iter().map(|(_, name)| name.id.as_str()).collect();
        let taken = store::reserve_all(&self.vault, &batches, &*self.machine.entropy).await?;
        taken.ok_or(AnswerError::Cannot(Ability::NoneLeft))
    }

    async fn build_and_spend_direct(
        &self,
        review: &Review,
        sent: &[Sent<'_>],
        taken: &[Held],
    ) -> Result<(Zeroizing<Vec<u8>>, (String, Entry)), AnswerError> {
        let Question::Plain(asked) = review.request().asked() else { return Err(AnswerError::Present) };
        let mut token: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((part, _), held) in sent.iter().zip(taken) {
            let presented = self.present(asked, sent, part, held).await?;
            token.entry(part.query.clone()).or_default().push(presented);
        }
        let form = self.form(review, VpToken::several(token))?;
        let _turn = self.turn.lock().await;
        let mut changes = Vec::new();
        for held in taken {
            changes.extend(store::spend(&self.vault, &held.id).await?);
        }
        let (id, entry) = (self.new_id(), self.shared_entry(review, false, told(sent), None).await?);
        changes.push(history::record(id.clone(), &entry));
        self.vault.apply(changes, &*self.machine.entropy).await?;
        Ok((form, (id, entry)))
    }

    /// One copy with the Disclosures of its part, bound to this request.
    async fn present(
        &self,
        asked: &PlainAsked,
        sent: &[Sent<'_>],
        part: &DirectPart,
        held: &Held,
    ) -> Result<String, AnswerError> {
        let query = asked.query().credential(&part.query).ok_or(AnswerError::Present)?;
        let credential =
            sd_jwt::Held::dangerous_from_store(&held.sd_jwt).map_err(|_| AnswerError::Present)?;
        let key = SigningKey::from_pkcs8_der(&held.key).map_err(|_| AnswerError::Present)?;
        let paths = query.disclosures(&credential).map_err(|_| AnswerError::Present)?;
        let queries: Vec<String> = sent.iter().map(|(part, _)| part.query.clone()).collect();
        let covered = transaction_data::claims(asked.transaction_data(), &queries, &part.query);
        let extra = covered.map_err(|_| AnswerError::Present)?;
        let (party, aud) = (asked.party(), asked.party().audience());
        let issued_at = self.machine.clock.now();
        let binding = Binding { aud: &aud, nonce: &party.nonce, issued_at, extra };
        let unsigned = credential.present(&paths, binding).map_err(|_| AnswerError::Present)?;
        unsigned.sign(&key).await.map_err(|_| AnswerError::Present)
    }
}

/// What is sent. Where something that is needed is missing there is no answer, and none is empty.
fn to_send(direct: &Direct, confirmed: Confirmed) -> Result<Vec<Sent<'_>>, AnswerError> {
    if confirmed == Confirmed::Contrary {
        return Err(AnswerError::NoContrary);
    }
    if direct.ability != Ability::Can {
        return Err(AnswerError::Cannot(direct.ability));
    }
    let sent: Vec<_> = direct.sent().filter_map(|part| Some((part, part.held.as_ref()?))).collect();
    if sent.is_empty() && !mutants::skips("wallet-empty-answer") {
        return Err(AnswerError::NothingAdded);
    }
    Ok(sent)
}

/// What was shown, by name, and of which credentials; a credential of which nothing was shown, by its own name.
fn told(sent: &[Sent<'_>]) -> (Vec<Named>, Vec<Used>) {
    let whole = |name: &HeldName| Named { pointer: String::new(), label: name.name.clone(), how: How::Shown };
    let of = |(part, name): &Sent<'_>| match part.learn.as_slice() {
        [] => vec![whole(name)],
        learn => learn.iter().map(named).collect(),
    };
    (sent.iter().flat_map(of).collect(), sent.iter().map(|(_, name)| used(name)).collect())
}
