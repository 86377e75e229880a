//! Collecting a batch of copies from an offer (OpenID4VCI 1.0, pre-authorised code).
//!
//! The issuer is believed only as far as its entry in a pinned registrar's register goes. Each copy gets a key of its
//! own; every copy and every commitment is checked, and the batch is stored in one transaction or refused as a whole,
//! with the reason.

mod collect;
mod session;

use serde::Serialize;
use thiserror::Error;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vci::batch::BatchError;
use vouchsafe_protocol::openid4vci::credential::ResponseError;
use vouchsafe_protocol::openid4vci::metadata::{
    ISSUER_WELL_KNOWN, IssuerMetadata, MAX_METADATA, MetadataError, SERVER_WELL_KNOWN, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::notification::Event as Told;
use vouchsafe_protocol::openid4vci::offer::{MAX_OFFER, Offer, OfferError, OfferLink};
use vouchsafe_protocol::openid4vci::token::TokenRequest;
use vouchsafe_protocol::openid4vci::well_known;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::trust::{Extract, IssuerEntry, Judge, Tables, TrustError};
use vouchsafe_service::keys::Jws;
use zeroize::Zeroizing;

use collect::Collector;
use session::Session;

use crate::history::{self, Event};
use crate::http::{self, HttpError, Incoming, Outgoing};
use crate::vault::VaultError;
use crate::{Fault, Machine, Wallet, trust};

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

/// Why nothing was received. Nothing was stored.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The offer is unusable.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// A code is needed that was not given.
    #[error("this offer needs the code that came separately: give it with --tx-code")]
    CodeNeeded,
    /// A code was given that the offer does not know.
    #[error("this offer needs no code: leave it out")]
    CodeNotNeeded,
    /// No trust file was added.
    #[error("this wallet trusts nobody yet: add a trust file first")]
    NoTrust,
    /// The entry is not of a registrar that this wallet trusts.
    #[error("the body that offers this is registered nowhere that this wallet trusts")]
    UnknownRegistrar,
    /// The issuer's metadata or its entry are refused.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A list of codes in the metadata is refused.
    #[error("a list in the issuer's metadata is refused: {0}")]
    Tables(TrustError),
    /// The code is wrong, used or too old.
    #[error("the offer or its code is wrong, was used before, or is too old: ask for a new one")]
    CodeRefused,
    /// The issuer refused the request.
    #[error("the body refused the request ({0}): try again, or ask for a new offer")]
    Refused(&'static str),
    /// The issuer is busy, or takes no more calls from this network just now. Nothing was used up.
    #[error("the body is busy: wait a minute, then use the same offer and the same code again")]
    Busy,
    /// The issuer stayed busy after it had taken the code.
    #[error("the body stayed busy for minutes after it took the code: ask for a new offer")]
    StayedBusy,
    /// The issuer answered something else than the protocol says.
    #[error("the body's answer cannot be understood: tell them, and try again later")]
    Answer,
    /// The response does not open.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// A copy or a commitment is off; the whole batch is refused.
    #[error("the whole batch is refused: {0}")]
    Batch(#[from] BatchError),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A key could not be made or could not sign.
    #[error("a key could not be made on this machine")]
    Key,
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ReceiveError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Offer(OfferError::OlderDraft(_)) => "older-draft",
            Self::Offer(_) => "offer",
            Self::CodeNeeded => "code-needed",
            Self::CodeNotNeeded => "code-not-needed",
            Self::NoTrust => "no-trust",
            Self::UnknownRegistrar => "unknown-registrar",
            Self::Metadata(MetadataError::Trust(_) | MetadataError::NoEntry | MetadataError::OtherEntry) => {
                "unknown-issuer"
            }
            Self::Metadata(MetadataError::Type) => "issuer-type",
            Self::Metadata(MetadataError::Env) => "environment",
            Self::Metadata(_) => "issuer-metadata",
            Self::Tables(_) => "issuer-tables",
            Self::CodeRefused => "code-refused",
            Self::Refused(_) => "issuer-refused",
            Self::Busy => "busy",
            Self::StayedBusy => "stayed-busy",
            Self::Answer => "issuer-answer",
            Self::Response(_) => "issuer-response",
            Self::Batch(_) => "batch",
            Self::Http(_) => "network",
            Self::Key => "key",
            Self::Vault(_) => "vault",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Offer(_) | Self::CodeNeeded | Self::CodeNotNeeded | Self::NoTrust => Fault::Caller,
            Self::CodeRefused | Self::Refused(_) => Fault::RefusedByPeer,
            Self::Busy | Self::StayedBusy => Fault::Unavailable,
            Self::Http(HttpError::Unreachable) | Self::Key | Self::Vault(_) => Fault::Unavailable,
            _ => Fault::RefusedByUs,
        }
    }
}

/// An issuer whose register entry was checked.
struct Issuer {
    metadata: IssuerMetadata,
    entry: Extract<IssuerEntry>,
    anchors: Vec<Anchor>,
    tables: Tables,
}

impl Wallet {
    /// Collects what `offer` offers: a link of any of the known schemes, or the offer's JSON.
    ///
    /// # Errors
    /// [`ReceiveError`]; nothing is stored then, but the history keeps the refusal.
    pub async fn receive(&self, offer: &str, tx_code: Option<&str>) -> Result<Vec<Received>, ReceiveError> {
        let received = self.collect(offer, tx_code).await;
        if let Err(refused) = &received {
            let event = Event::Failed { asked: None, code: refused.code().to_owned() };
            self.record(event).await?;
        }
        received
    }

    async fn collect(&self, offer: &str, tx_code: Option<&str>) -> Result<Vec<Received>, ReceiveError> {
        let offer = read_offer(&self.machine, offer).await?;
        check_tx_code(&offer, tx_code)?;
        let issuer = self.issuer(&offer).await?;
        let server = server(&self.machine, &offer, &issuer).await?;
        let code = &offer.grants.pre_authorized.code;
        let request = TokenRequest::pre_authorized(code, tx_code.map(str::trim));
        let nonce_endpoint = issuer.metadata.nonce_endpoint.as_deref();
        let session = Session::open(&self.machine, &server, nonce_endpoint, &request).await?;
        let collector = Collector::new(&self.machine, &issuer, &session);
        let batches = collector.collect(&offer.credential_configuration_ids).await?;
        let notifications: Vec<_> = batches.iter().filter_map(collect::Batch::notification).collect();
        let mut changes = Vec::new();
        let mut received = Vec::new();
        for batch in batches {
            let told = batch.told(self.new_id());
            changes.extend(batch.store(&told.id, || self.new_id()));
            changes.push(history::record(self.new_id(), &self.entry_now(told.event()).await?));
            received.push(told);
        }
        self.vault.apply(changes, &*self.machine.entropy).await?;
        for id in notifications {
            collector.notify(id, Told::CredentialAccepted).await;
        }
        let document = issuer.entry.document();
        trust::saw(&self.vault, &document.iss, document.reg_version, &*self.machine.entropy).await?;
        Ok(received)
    }

    /// The metadata of the offering body, and its entry in the register.
    async fn issuer(&self, offer: &Offer) -> Result<Issuer, ReceiveError> {
        let pinned = trust::pinned(&self.vault).await?;
        if pinned.is_empty() {
            return Err(ReceiveError::NoTrust);
        }
        let text = well_known_document(&self.machine, &offer.credential_issuer, ISSUER_WELL_KNOWN).await?;
        let metadata = IssuerMetadata::parse(&text, &offer.credential_issuer)?;
        let configurations = metadata.offered(&offer.credential_configuration_ids)?;
        let vcts: Vec<&str> = configurations.iter().filter_map(|one| one.vct.as_deref()).collect();
        let jws = metadata.issuer_entry.as_deref().ok_or(MetadataError::NoEntry)?;
        let known = trust::named(&pinned, jws).ok_or(ReceiveError::UnknownRegistrar)?;
        let known = &pinned[known];
        let judge = Judge {
            registrar: &known.file.registrar,
            last_seen: known.last_seen,
            now: self.machine.clock.now(),
            verifier: &Jws,
        };
        let entry = metadata.entry(&judge, self.machine.env, &vcts)?;
        let tables = metadata.tables(&judge).map_err(ReceiveError::Tables)?;
        let anchors = known.file.anchors.clone();
        Ok(Issuer { metadata, entry, anchors, tables })
    }
}

impl Received {
    fn event(&self) -> Event {
        Event::Received { credential: self.name.clone(), issuer: self.issuer.clone(), copies: self.copies }
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

async fn well_known_document(
    machine: &Machine,
    identifier: &str,
    name: &str,
) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    let url = well_known(identifier, name).ok_or(MetadataError::Endpoint)?;
    get_json(machine, &url, MAX_METADATA).await
}

async fn get_json(machine: &Machine, url: &str, most: usize) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    json_body(get(machine, url, most).await?)
}

async fn get(machine: &Machine, url: &str, most: usize) -> Result<Incoming, ReceiveError> {
    let request = Outgoing { url, accept: "application/json", body: None, token: None, proof: None, most };
    unless_busy(http::send(&*machine.http, request).await?)
}

/// For the calls before the code is spent: whoever is told to come back can.
fn unless_busy(reply: Incoming) -> Result<Incoming, ReceiveError> {
    if reply.is_busy() { Err(ReceiveError::Busy) } else { Ok(reply) }
}

fn json_body(reply: Incoming) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    if !reply.is("application/json") {
        return Err(ReceiveError::Answer);
    }
    Ok(reply.body)
}

/// The authorisation server of the offer.
async fn server(machine: &Machine, offer: &Offer, issuer: &Issuer) -> Result<ServerMetadata, ReceiveError> {
    let named = offer.grants.pre_authorized.authorization_server.as_deref();
    let server = issuer.metadata.authorization_server(named)?;
    let text = well_known_document(machine, server, SERVER_WELL_KNOWN).await?;
    Ok(ServerMetadata::parse(&text, server)?)
}
