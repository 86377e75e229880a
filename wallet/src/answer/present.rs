//! Making the form that is posted: disclosures, proof, key binding, encryption.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
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
use super::permit::Permitting;
use crate::Wallet;
use crate::link::Link;
use crate::review::{Review, Way};
use crate::store::{Held, Openings};
use crate::vault::VaultError;

impl Wallet {
    /// The form of the answer by `way` with the reserved copies, one for each query. Nothing is sent or stored.
    pub(super) async fn build(
        &self,
        review: &Review,
        way: &Way,
        taken: &[Held],
        permitting: Option<&Permitting>,
    ) -> Result<Zeroizing<Vec<u8>>, AnswerError> {
        let Question::Policy(asked) = review.request().asked() else { return Err(AnswerError::Present) };
        let chosen = asked.option(way.option).ok_or(AnswerError::Present)?;
        let chosen = match permitting {
            Some(permitting) => chosen.permitting(permitting.jkt()),
            None => chosen,
        };
        let mut copies = Vec::new();
        for (query, held) in chosen.queries().iter().zip(taken) {
            copies.push(TakenCopy::open(query, held)?);
        }
        if copies.len() != chosen.queries().len() || taken.len() != copies.len() {
            return Err(AnswerError::Present);
        }
        let paths = disclosures(asked, &chosen, &copies).map_err(|_| AnswerError::Present)?;
        let mut claims = self.proof(asked, &chosen, &copies).await?;
        let mut token = BTreeMap::new();
        for copy in &copies {
            let extra = claims.remove(&copy.query).unwrap_or_else(Map::new);
            let shown = paths.get(&copy.query).ok_or(AnswerError::Present)?;
            token.insert(copy.query.clone(), self.presentation(asked, &chosen, copy, shown, extra).await?);
        }
        let token = VpToken::new(token);
        let token = match permitting {
            Some(permitting) => token.with_grant(permitting.grant()),
            None => token,
        };
        self.form(review, token)
    }

    /// The form that carries these presentations, encrypted where the request asks for it.
    pub(crate) fn form(&self, review: &Review, vp_token: VpToken) -> Result<Zeroizing<Vec<u8>>, AnswerError> {
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

    /// One copy, bound to this request by its own key.
    pub(crate) async fn presentation(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        copy: &TakenCopy<'_>,
        paths: &[Path],
        mut extra: Map<String, Value>,
    ) -> Result<String, AnswerError> {
        let covered = transaction_data::claims(asked.transaction_data(), chosen.queries(), &copy.query);
        extra.extend(covered.map_err(|_| AnswerError::Present)?);
        let (party, aud) = (asked.party(), asked.party().audience());
        let issued_at = self.machine.clock.now();
        let binding = Binding { aud: &aud, nonce: &party.nonce, issued_at, extra };
        let unsigned = copy.held.present(paths, binding).map_err(|_| AnswerError::Present)?;
        unsigned.sign(&copy.key).await.map_err(|_| AnswerError::Present)
    }

    /// Proves over all copies, off the async threads: it takes some ten milliseconds.
    async fn proof(
        &self,
        asked: &Asked,
        chosen: &Chosen,
        copies: &[TakenCopy<'_>],
    ) -> Result<AnswerClaims, AnswerError> {
        let held: Vec<_> = copies.iter().map(TakenCopy::to_prove).collect::<Result<_, VaultError>>()?;
        let (asked, chosen) = (asked.clone(), chosen.clone());
        let entropy = Arc::clone(&self.machine.entropy);
        let work = move || made(&asked, &chosen, &held, &*entropy);
        tokio::task::spawn_blocking(work).await.map_err(|_| AnswerError::Present)?
    }
}

/// A reserved copy that answers a query.
pub(crate) struct TakenCopy<'h> {
    pub(crate) query: String,
    pub(crate) held: sd_jwt::Held,
    key: SigningKey,
    openings: Option<&'h Openings>,
    link: Option<&'h Link>,
}

/// What is needed of a copy to prove.
pub(crate) struct ToProve {
    pub(crate) query: String,
    pub(crate) held: sd_jwt::Held,
    pub(crate) opened: Option<Opened>,
    pub(crate) link: Option<Link>,
}

impl<'h> TakenCopy<'h> {
    pub(crate) fn open(query: &str, held: &'h Held) -> Result<Self, AnswerError> {
        let copy = sd_jwt::Held::dangerous_from_store(&held.sd_jwt).map_err(|_| AnswerError::Present)?;
        let key = SigningKey::from_pkcs8_der(&held.key).map_err(|_| AnswerError::Present)?;
        let (openings, link) = (held.openings.as_ref(), held.link.as_ref());
        Ok(Self { query: query.to_owned(), held: copy, key, openings, link })
    }

    pub(crate) fn to_prove(&self) -> Result<ToProve, VaultError> {
        let opened = self.openings.map(Openings::open).transpose()?;
        let link = self.link.map(|link| link.again().ok_or(VaultError::Damaged)).transpose()?;
        Ok(ToProve { query: self.query.clone(), held: self.held.clone(), opened, link })
    }
}

fn made(
    asked: &Asked,
    chosen: &Chosen,
    held: &[ToProve],
    entropy: &dyn Entropy,
) -> Result<AnswerClaims, AnswerError> {
    let none = BTreeMap::new();
    let holdings: Vec<Holding<'_>> = held
        .iter()
        .map(|ToProve { query, held, opened, link }| Holding {
            query,
            held,
            link: link.as_ref().map(|link| (&link.x, &link.t)),
            attributes: opened.as_ref().map_or(&[], |opened| &opened.attributes),
            values: opened.as_ref().map_or(&none, |opened| &opened.values),
            seed: opened.as_ref().map(|opened| &opened.seed),
        })
        .collect();
    prove(asked, chosen, &holdings, &mut EntropyRng(entropy)).map_err(|_| AnswerError::Present)
}

/// The Disclosures to be shown, by query: those of the confirmed option, whole, answered with these very copies, and no
/// others.
fn disclosures(
    asked: &Asked,
    chosen: &Chosen,
    copies: &[TakenCopy<'_>],
) -> Result<BTreeMap<String, Vec<Path>>, CannotAnswer> {
    let candidates: Vec<Candidate<'_>> =
        copies.iter().map(|copy| Candidate { id: &copy.query, held: &copy.held }).collect();
    let using = copies.iter().map(|copy| (copy.query.clone(), BTreeSet::from([copy.query.clone()])));
    let options = BTreeMap::from([(0, chosen.index())]);
    let wishes = Wishes { options, using: using.collect(), ..Wishes::default() };
    let selection = choose(&asked.plan().query, &candidates, &wishes)?;
    Ok(selection.presentations.into_iter().map(|one| (one.query, one.disclosures)).collect())
}
