//! Collecting batches of copies from an offer (OpenID4VCI 1.0, pre-authorised code).
//!
//! The issuer is believed only as far as its entry in a pinned registrar's register goes. Each copy gets a key of its
//! own; every copy and every commitment is checked, and a batch is stored in one transaction or refused as a whole,
//! with the reason.
//!
//! From the moment the code is spent, what it takes to go on is in the vault: token, keys, and once an officer has to
//! decide, the transaction. A program that is stopped anywhere goes on from there ([`Wallet::receive_waiting`]).

mod collect;
mod describe;
mod document;
mod issuer;
mod linked;
mod refused;
mod session;
mod waiting;

use serde::Serialize;
use vouchsafe_protocol::openid4vci::offer::{MAX_OFFER, Offer, OfferLink};
use vouchsafe_protocol::openid4vci::token::TokenRequest;
use vouchsafe_protocol::text::Bilingual;

pub use refused::ReceiveError;
pub use waiting::{Outcome, Waited, Waits};

use issuer::{get, json_body, server};
use session::Session;
use waiting::Progress;

use crate::history::Event;
use crate::words::{Language, say};
use crate::{Machine, Wallet};

/// What an offer led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What came in.
    pub received: Vec<Received>,
    /// What an officer of the body decides on first.
    pub waiting: Vec<Waits>,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Its id in this wallet.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it.
    pub issuer: Bilingual,
    /// The type.
    pub vct: String,
    /// How many copies.
    pub copies: usize,
}

impl Received {
    /// The same in plain words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        let (n, name, issuer) = (self.copies.to_string(), text(&self.name), text(&self.issuer));
        say(language, "received_line", &[("n", &n), ("credential", &name), ("issuer", &issuer)])
    }

    fn event(&self) -> Event {
        Event::Received { credential: self.name.clone(), issuer: self.issuer.clone(), copies: self.copies }
    }
}

impl Wallet {
    /// Collects what `offer` offers: a link of any of the known schemes, or the offer's JSON.
    ///
    /// # Errors
    /// [`ReceiveError`]; the history keeps it. Of a credential that is refused nothing is stored. What a broken
    /// connection left half-way goes on by [`Wallet::receive_waiting`].
    pub async fn receive(&self, offer: &str, tx_code: Option<&str>) -> Result<Collected, ReceiveError> {
        let _turn = self.collecting.lock().await;
        let collected = self.collect(offer, tx_code).await;
        if let Err(refused) = &collected {
            let event = Event::Failed { asked: None, code: refused.code().to_owned() };
            self.record(event).await?;
        }
        collected
    }

    async fn collect(&self, offer: &str, tx_code: Option<&str>) -> Result<Collected, ReceiveError> {
        let offer = read_offer(&self.machine, offer).await?;
        check_tx_code(&offer, tx_code)?;
        let ids = &offer.credential_configuration_ids;
        let issuer = self.issuer(&offer.credential_issuer, ids).await?;
        let server = server(&self.machine, &offer, &issuer).await?;
        let code = &offer.grants.pre_authorized.code;
        let request = TokenRequest::pre_authorized(code, tx_code.map(str::trim));
        let nonce_endpoint = issuer.metadata.nonce_endpoint.as_deref();
        let session = Session::open(&self.machine, &server, nonce_endpoint, &request).await?;
        let mut begun = self.begin(&issuer, &session, ids).await?.into_iter();
        let mut collected = Collected::default();
        while let Some((id, one)) = begun.next() {
            match self.proceed(&issuer, &session, id, one).await {
                Ok(Progress::Received(received)) => collected.received.push(received),
                Ok(Progress::Waits(waits)) => collected.waiting.push(waits),
                Err(refused) if refused.passes() => return Err(refused.after_the_code()),
                Err(refused) => {
                    // A body that sends one thing off is not asked for the rest.
                    self.give_up(begun.map(|(id, _)| id)).await?;
                    return Err(refused);
                }
            }
        }
        Ok(collected)
    }
}

fn check_tx_code(offer: &Offer, tx_code: Option<&str>) -> Result<(), ReceiveError> {
    match (&offer.grants.pre_authorized.tx_code, tx_code) {
        (Some(_), None) => Err(ReceiveError::CodeNeeded),
        (None, Some(_)) => Err(ReceiveError::CodeNotNeeded),
        _ => Ok(()),
    }
}

async fn read_offer(machine: &Machine, text: &str) -> Result<Offer, ReceiveError> {
    let text = text.trim();
    if text.starts_with('{') {
        return Ok(Offer::parse(text.as_bytes())?);
    }
    match OfferLink::parse(text)? {
        OfferLink::Value(offer) => Ok(*offer),
        OfferLink::Reference(url) => {
            let reply = get(machine, &url, MAX_OFFER).await?;
            // OpenID4VCI 4.1.3 does not say what stands there once the offer is over: nothing, as a rule.
            match reply.status {
                404 | 410 => Err(ReceiveError::CodeRefused),
                _ => Ok(Offer::parse(&json_body(reply)?)?),
            }
        }
    }
}
