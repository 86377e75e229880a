//! Who issues: metadata, signed where the issuer signs them, and its entry in the register.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::openid4vci::metadata::{
    ISSUER_WELL_KNOWN, IssuerMetadata, MAX_METADATA, MetadataError, SERVER_WELL_KNOWN, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::offer::Offer;
use vouchsafe_protocol::openid4vci::signed::{self, Expected, MAX_SIGNED, MEDIA_TYPE};
use vouchsafe_protocol::openid4vci::well_known;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Extract, IssuerEntry, Judge, Tables};
use vouchsafe_service::keys::Jws;
use zeroize::Zeroizing;

use super::session::JSON;
use super::{ReceiveError, document};
use crate::http::{self, Incoming, Outgoing};
use crate::{Machine, Wallet, trust};

/// What is asked for: signed metadata, else plain.
const EITHER: &str = "application/jwt, application/json;q=0.9";

/// An issuer whose register entry was checked.
pub(super) struct Issuer {
    pub(super) metadata: IssuerMetadata,
    pub(super) entry: Extract<IssuerEntry>,
    /// The pinned anchors that the entry names.
    pub(super) anchors: Vec<Anchor>,
    pub(super) tables: Tables,
    /// The documents of types that stand at the issuer's own origin, by `vct`.
    pub(super) documents: BTreeMap<String, Vec<u8>>,
}

impl Wallet {
    /// The metadata of the issuer `identifier`, which must be registered for each of the configurations `ids`.
    pub(super) async fn issuer(&self, identifier: &str, ids: &[String]) -> Result<Issuer, ReceiveError> {
        let pinned = trust::pinned(&self.vault).await?;
        if pinned.is_empty() {
            return Err(ReceiveError::NoTrust);
        }
        let read = Metadata::fetch(&self.machine, identifier).await?;
        let told = read.unverified(identifier)?;
        let configurations = told.offered(ids)?;
        let vcts: Vec<&str> = configurations.iter().filter_map(|one| one.vct.as_deref()).collect();
        let jws = told.issuer_entry.as_deref().ok_or(MetadataError::NoEntry)?;
        let known = trust::named(&pinned, jws).ok_or(ReceiveError::UnknownRegistrar)?;
        let (known, now) = (&pinned[known], self.machine.clock.now());
        let registrar = &known.file.registrar;
        let judge = Judge { registrar, last_seen: known.last_seen, now, verifier: &Jws };
        let entry = told.entry(&judge, self.machine.env, &vcts)?;
        let anchors = counting(&known.file.anchors, entry.document());
        let documents = document::fetch(&self.machine, identifier, &vcts).await?;
        let metadata = read.verified(identifier, &anchors, now)?;
        let tables = metadata.tables(&judge).map_err(ReceiveError::Tables)?;
        Ok(Issuer { metadata, entry, anchors, tables, documents })
    }
}

/// The pinned anchors that the registrar names for this issuer.
fn counting(pinned: &[Anchor], entry: &IssuerEntry) -> Vec<Anchor> {
    let named = |anchor: &&Anchor| {
        mutants::skips("wallet-metadata-anchor") || entry.anchors.contains(&b64u(anchor.sha256()))
    };
    pinned.iter().filter(named).cloned().collect()
}

/// Metadata as they came.
enum Metadata {
    Plain(Zeroizing<Vec<u8>>),
    Signed(String),
}

impl Metadata {
    async fn fetch(machine: &Machine, identifier: &str) -> Result<Self, ReceiveError> {
        let url = well_known(identifier, ISSUER_WELL_KNOWN).ok_or(MetadataError::Endpoint)?;
        let reply = get_as(machine, &url, EITHER, MAX_SIGNED).await?;
        if !reply.is(MEDIA_TYPE) {
            return json_body(reply).map(Self::Plain);
        }
        let text = String::from_utf8(reply.body.to_vec()).map_err(|_| MetadataError::Malformed)?;
        Ok(Self::Signed(text))
    }

    /// What they say, to learn by whom they must be signed: the registrar's entry in them has a signature of its own.
    fn unverified(&self, identifier: &str) -> Result<IssuerMetadata, MetadataError> {
        match self {
            Self::Plain(text) => IssuerMetadata::parse(text, identifier),
            Self::Signed(text) => {
                let token = Compact::parse(text.trim(), MAX_SIGNED).map_err(|_| MetadataError::Malformed)?;
                IssuerMetadata::parse(token.dangerous_payload(), identifier)
            }
        }
    }

    /// What they say, their signature checked where they have one. One that is wrong is no reason to believe the rest
    /// of the document unsigned.
    fn verified(
        &self,
        issuer: &str,
        anchors: &[Anchor],
        now: UnixTime,
    ) -> Result<IssuerMetadata, MetadataError> {
        match self {
            Self::Signed(text) if !mutants::skips("wallet-metadata-signature") => {
                signed::verify(text, &Expected { issuer, anchors, now }, &Jws)
            }
            _ => self.unverified(issuer),
        }
    }
}

/// The authorisation server of the offer.
pub(super) async fn server(
    machine: &Machine,
    offer: &Offer,
    issuer: &Issuer,
) -> Result<ServerMetadata, ReceiveError> {
    let named = offer.grants.pre_authorized.authorization_server.as_deref();
    let server = issuer.metadata.authorization_server(named)?;
    let url = well_known(server, SERVER_WELL_KNOWN).ok_or(MetadataError::Endpoint)?;
    let text = json_body(get(machine, &url, MAX_METADATA).await?)?;
    Ok(ServerMetadata::parse(&text, server)?)
}

pub(super) async fn get(machine: &Machine, url: &str, most: usize) -> Result<Incoming, ReceiveError> {
    get_as(machine, url, JSON, most).await
}

async fn get_as(machine: &Machine, url: &str, accept: &str, most: usize) -> Result<Incoming, ReceiveError> {
    let request = Outgoing { url, accept, body: None, token: None, proof: None, most };
    unless_busy(http::send(&*machine.http, request).await?)
}

/// For the calls before the code is spent: whoever is told to come back can.
pub(super) fn unless_busy(reply: Incoming) -> Result<Incoming, ReceiveError> {
    if reply.is_busy() { Err(ReceiveError::Busy) } else { Ok(reply) }
}

pub(super) fn json_body(reply: Incoming) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    if !reply.is(JSON) {
        return Err(ReceiveError::Answer);
    }
    Ok(reply.body)
}
