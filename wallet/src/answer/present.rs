//! Making the form that is posted: disclosures, proof, key binding, encryption.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use vouchsafe_protocol::answer::{AnswerClaims, Holding, prove};
use vouchsafe_protocol::dcql::{Candidate, CannotAnswer, Wishes, choose};
use vouchsafe_protocol::openid4vci::batch::Opened;
use vouchsafe_protocol::openid4vp::request::Question;
use vouchsafe_protocol::openid4vp::response::{Response, VpToken};
use vouchsafe_protocol::openid4vp::transaction_data;
use vouchsafe_protocol::openid4vp::{Asked, Chosen, ResponseMode};
use vouchsafe_protocol::sd_jwt::key_binding::Binding;
use vouchsafe_protocol::sd_jwt::{self, Path};
use vouchsafe_service::entropy::{Entropy, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, RingAead, SigningKey};
use zeroize::Zeroizing;

use super::AnswerError;
use crate::Wallet;
use crate::review::{Review, Way};
use crate::store::Held;

impl Wallet {
    /// The form of the answer by `way` with the reserved copy `held`. Nothing is sent or stored.
    pub(super) async fn build(
        &self,
        review: &Review,
        way: &Way,
        held: &Held,
    ) -> Result<Zeroizing<Vec<u8>>, AnswerError> {
        let Question::Policy(asked) = review.request().asked() else { return Err(AnswerError::Present) };
        let chosen = asked.option(way.option).ok_or(AnswerError::Present)?;
        let presentation = self.presentation(asked, &chosen, held).await?;
        // Options of this profile have one query each.
        let [query] = chosen.queries() else { return Err(AnswerError::Present) };
        self.form(review, VpToken::new(BTreeMap::from([(query.clone(), presentation)])))
    }

    /// The form that carries these presentations, encrypted where the request asks for it.
    pub(super) fn form(&self, review: &Review, vp_token: VpToken) -> Result<Zeroizing<Vec<u8>>, AnswerError> {
        let request = review.request();
        let response = Response { vp_token, state: Some(request.state().to_owned()) };
        let form = match (request.mode(), request.response_key()) {
            (ResponseMode::DirectPost, _) => response.plain_form(),
            (ResponseMode::DirectPostJwt, None) => return Err(AnswerError::Present),
            (ResponseMode::DirectPostJwt, Some(key)) => {
                let entropy = &*self.machine.entropy;
                let ephemeral = Box::new(AgreementKey::generate(entropy));
                let form = response.encrypted_form(key, ephemeral, &RingAead, &mut EntropyRng(entropy));
                form.map_err(|_| AnswerError::Present)?
            }
        };
        Ok(Zeroizing::new(form.into_bytes()))
    }

    async fn presentation(&self, asked: &Asked, chosen: &Chosen, held: &Held) -> Result<String, AnswerError> {
        let [query] = chosen.queries() else { return Err(AnswerError::Present) };
        let credential =
            sd_jwt::Held::dangerous_from_store(&held.sd_jwt).map_err(|_| AnswerError::Present)?;
        let key = SigningKey::from_pkcs8_der(&held.key).map_err(|_| AnswerError::Present)?;
        let paths = disclosures(asked, chosen, &credential).map_err(|_| AnswerError::Present)?;
        let mut claims = self.proof(asked, chosen, held, &credential).await?;
        let mut extra = claims.remove(query).unwrap_or_else(Map::new);
        let covered = transaction_data::claims(asked.transaction_data(), chosen.queries(), query);
        extra.extend(covered.map_err(|_| AnswerError::Present)?);
        let (party, aud) = (asked.party(), asked.party().audience());
        let issued_at = self.machine.clock.now();
        let binding = Binding { aud: &aud, nonce: &party.nonce, issued_at, extra };
        let unsigned = credential.present(&paths, binding).map_err(|_| AnswerError::Present)?;
        unsigned.sign(&key).await.map_err(|_| AnswerError::Present)
    }

    /// Proves off the async threads: it takes some ten milliseconds.
    async fn proof(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        held: &Held,
        credential: &sd_jwt::Held,
    ) -> Result<AnswerClaims, AnswerError> {
        let opened = held.openings.as_ref().map(|openings| openings.open()).transpose()?;
        let (asked, chosen, credential) = (asked.clone(), chosen.clone(), credential.clone());
        let entropy = Arc::clone(&self.machine.entropy);
        let work = move || made(&asked, &chosen, &credential, opened.as_ref(), &*entropy);
        tokio::task::spawn_blocking(work).await.map_err(|_| AnswerError::Present)?
    }
}

fn made(
    asked: &Asked,
    chosen: &Chosen,
    held: &sd_jwt::Held,
    opened: Option<&Opened>,
    entropy: &dyn Entropy,
) -> Result<AnswerClaims, AnswerError> {
    let [query] = chosen.queries() else { return Err(AnswerError::Present) };
    let none = BTreeMap::new();
    let holding = Holding {
        query,
        held,
        attributes: opened.map_or(&[], |opened| &opened.attributes),
        values: opened.map_or(&none, |opened| &opened.values),
        seed: opened.map(|opened| &opened.seed),
    };
    prove(asked, chosen, &[holding], &mut EntropyRng(entropy)).map_err(|_| AnswerError::Present)
}

/// The Disclosures to be shown: those of the confirmed option, whole, answered with this very copy, and no others.
fn disclosures(asked: &Asked, chosen: &Chosen, held: &sd_jwt::Held) -> Result<Vec<Path>, CannotAnswer> {
    let wishes = Wishes { options: BTreeMap::from([(0, chosen.index())]), ..Wishes::default() };
    let selection = choose(&asked.plan().query, &[Candidate { id: "", held }], &wishes)?;
    Ok(selection.presentations.into_iter().flat_map(|one| one.disclosures).collect())
}
