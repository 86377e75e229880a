//! Keys, nonce, request, response, checks: one batch of one configuration, asked for at once or after a decision.

use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::{Blinding, Commitment};
use vouchsafe_proofs::pseudonym::LinkSecret;
use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::jose::{Enc, NamedJwk, PublicJwk, Signer as _, jws};
use vouchsafe_protocol::openid4vci::batch::{self, Expected};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Request, Response, ResponseError, Wish};
use vouchsafe_protocol::openid4vci::deferred::{self, Transaction};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::metadata::{Configuration, RequestEncryption, ResponseEncryption};
use vouchsafe_protocol::openid4vci::notification::{Event, Notification};
use vouchsafe_protocol::openid4vci::proof;
use vouchsafe_protocol::openid4vci::token::{MAX_TOKEN_MESSAGE, NonceResponse};
use vouchsafe_protocol::openid4vci::type_metadata::TypeMetadata;
use vouchsafe_service::entropy::{self, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use zeroize::Zeroizing;

use super::issuer::Issuer;
use super::linked::Linking;
use super::session::{FORM, JSON, Post, Session, error_code};
use super::waiting::Begun;
use super::{ReceiveError, Received, describe, document};
use crate::Machine;
use crate::http::Incoming;
use crate::status::Status;
use crate::store::{self, Credential, NewCopy, Openings};
use crate::vault::Change;

/// The copies that this wallet wants of each credential, where the issuer gives so many.
const WANTED: u32 = 30;

/// The largest credential response taken: the largest JWE and some room.
const MAX_RESPONSE: usize = 512 * 1024;

const JWT: &str = "application/jwt";

/// A batch whose every copy was checked.
pub(super) struct Batch {
    credential: Credential,
    copies: Vec<NewCopy>,
    notification_id: Option<String>,
}

/// What the body answered.
pub(super) enum Answer {
    /// Copies, every one checked.
    Issued(Box<Batch>),
    /// An officer decides first.
    Later(Transaction),
}

impl Batch {
    /// By which the body is told what became of it.
    pub(super) fn notification(&self) -> Option<String> {
        self.notification_id.clone()
    }

    pub(super) fn told(&self, id: String) -> Received {
        Received {
            id,
            name: self.credential.name.clone(),
            issuer: self.credential.issuer.clone(),
            vct: self.credential.vct.clone(),
            copies: self.copies.len(),
        }
    }

    /// The changes that store it; copies get random ids, in no order.
    pub(super) fn store(self, id: &str, fresh_id: impl Fn() -> String) -> Vec<Change> {
        let copies = self.copies.into_iter().map(|copy| (fresh_id(), copy)).collect();
        store::batch(id, &self.credential, copies)
    }
}

/// What is collected with one token.
pub(super) struct Collector<'a> {
    machine: &'a Machine,
    issuer: &'a Issuer,
    session: &'a Session<'a>,
    /// The link secret, where what is collected is linked.
    secret: Option<LinkSecret>,
}

/// How one exchange is encrypted: the issuer's key for the request, ours for the response.
struct Sealing {
    to: NamedJwk,
    request: Enc,
    response: Enc,
    key: AgreementKey,
    kid: String,
}

/// How many keys a batch of this issuer needs.
pub(super) fn wanted(issuer: &Issuer) -> u32 {
    issuer.metadata.batch_credential_issuance.as_ref().map_or(1, |batch| batch.batch_size).clamp(1, WANTED)
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        machine: &'a Machine,
        issuer: &'a Issuer,
        session: &'a Session<'a>,
        secret: Option<LinkSecret>,
    ) -> Self {
        Self { machine, issuer, session, secret }
    }

    /// Tells the body what became of a batch. It is a courtesy: nothing here depends on whether it arrives.
    pub(super) async fn notify(&self, notification_id: String, event: Event) {
        let Some(url) = self.issuer.metadata.notification_endpoint.as_deref() else { return };
        let body = Zeroizing::new(Notification { notification_id, event }.to_bytes());
        let post = Post { url, accept: JSON, content_type: JSON, body, most: MAX_TOKEN_MESSAGE };
        let _ = self.session.post(&post).await;
    }

    /// Asks for what was begun: with proofs of its keys, or for the transaction that they are bound to by now.
    ///
    /// What hides the link secret in each copy is drawn with the request, and stands in `begun` from there: it must be
    /// kept with the transaction, for the copies will carry it.
    pub(super) async fn ask(&self, begun: &mut Begun) -> Result<Answer, ReceiveError> {
        let keys = begun.keys()?;
        let response = match &begun.transaction {
            None => self.request(begun, &keys).await?,
            Some(transaction) => self.request_again(transaction).await?,
        };
        match response {
            Response::Deferred(transaction) => Ok(Answer::Later(transaction)),
            Response::Issued { copies, notification_id } => {
                match self.checked(begun, &keys, copies, notification_id.clone()) {
                    Ok(batch) => Ok(Answer::Issued(Box::new(batch))),
                    Err(fault) => {
                        if let Some(id) = notification_id {
                            self.notify(id, Event::CredentialFailure).await;
                        }
                        Err(fault)
                    }
                }
            }
        }
    }

    async fn request(&self, begun: &mut Begun, keys: &[SigningKey]) -> Result<Response, ReceiveError> {
        let nonce = self.nonce().await?;
        let linking = match &self.secret {
            Some(secret) => Some(self.link(begun, keys, secret, &nonce)?),
            None => None,
        };
        let links = linking.as_ref().map(|linking| linking.links.as_slice());
        let proofs = self.proofs(keys, &nonce, links).await?;
        let link_proof = linking.map(|linking| linking.proof);
        let url = self.issuer.metadata.credential_endpoint.as_str();
        self.exchange(url, |wish| {
            let request = Request::new(&begun.configuration, proofs, None);
            Request { credential_response_encryption: wish, link_proof, ..request }.to_bytes()
        })
        .await
    }

    /// Links what is asked for to this wallet's secret.
    fn link(
        &self,
        begun: &mut Begun,
        keys: &[SigningKey],
        secret: &LinkSecret,
        nonce: &str,
    ) -> Result<Linking, ReceiveError> {
        let vct = self.configuration(begun)?.vct.as_deref().unwrap_or_default();
        let (issuer, rng) =
            (&self.issuer.metadata.credential_issuer, &mut EntropyRng(&*self.machine.entropy));
        let linking = Linking::new(issuer, vct, nonce, keys, secret, rng).ok_or(ReceiveError::Key)?;
        begun.keep_blindings(&linking.blindings);
        Ok(linking)
    }

    fn configuration(&self, begun: &Begun) -> Result<&Configuration, ReceiveError> {
        let configurations = &self.issuer.metadata.credential_configurations_supported;
        configurations.get(&begun.configuration).ok_or(ReceiveError::Answer)
    }

    /// 9.1: for the transaction alone; keys and configuration are those of the first request.
    async fn request_again(&self, transaction: &Transaction) -> Result<Response, ReceiveError> {
        let url = self.issuer.metadata.deferred_credential_endpoint.as_deref().ok_or(ReceiveError::Answer)?;
        let transaction_id = transaction.transaction_id.clone();
        let response = self.exchange(url, |credential_response_encryption| {
            deferred::Request { transaction_id, credential_response_encryption }.to_bytes()
        });
        let response = response.await?;
        // 9.2: the same transaction, or the wallet would come for somebody else's.
        if let Response::Deferred(later) = &response {
            let same = later.transaction_id == transaction.transaction_id;
            if !(mutants::skips("wallet-waiting-transaction") || same) {
                return Err(ReceiveError::Answer);
            }
        }
        Ok(response)
    }

    /// Every check of a batch.
    fn checked(
        &self,
        begun: &Begun,
        keys: &[SigningKey],
        copies: Vec<Copy>,
        notification_id: Option<String>,
    ) -> Result<Batch, ReceiveError> {
        let configuration = self.configuration(begun)?;
        let vct = configuration.vct.as_deref().unwrap_or_default();
        let public: Vec<PublicJwk> = keys.iter().map(|key| key.public().clone()).collect();
        let (issuer, lists) = (self.issuer.entry.document(), self.issuer.tables.code_lists());
        let (anchors, now) = (&self.issuer.anchors, self.machine.clock.now());
        let period = configuration.period;
        let blindings = begun.blindings()?;
        let links = self.secret.as_ref().map(|x| blindings.iter().map(|t| x.commit(t)).collect::<Vec<_>>());
        let links = links.as_deref();
        let expected = Expected { issuer, anchors, vct, keys: &public, lists: &lists, period, links, now };
        let received = batch::receive(copies, &expected, &Jws)?;
        let text = self.issuer.documents.get(vct).map(Vec::as_slice);
        let document = document::check(text, vct, &received)?;
        let credential = self.describe(begun, configuration, document.as_ref(), &received);
        let copies = received.into_iter().filter_map(|copy| kept(copy, keys, &blindings)).collect();
        Ok(Batch { credential, copies, notification_id })
    }

    async fn proofs(
        &self,
        keys: &[SigningKey],
        nonce: &str,
        links: Option<&[Commitment]>,
    ) -> Result<Vec<String>, ReceiveError> {
        let now = self.machine.clock.now();
        let issuer = self.issuer.metadata.credential_issuer.as_str();
        let mut proofs = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let unsigned = match links.and_then(|links| links.get(at)) {
                Some(link) => proof::unsigned_linked(key.public(), issuer, nonce, link, now),
                None => proof::unsigned(key.public(), issuer, nonce, now),
            };
            proofs.push(jws::sign(unsigned, key).await.map_err(|_| ReceiveError::Key)?);
        }
        Ok(proofs)
    }

    async fn nonce(&self) -> Result<String, ReceiveError> {
        // OpenID4VCI 7: proofs of this profile carry a nonce, so an issuer without the endpoint cannot serve us.
        let url = self.issuer.metadata.nonce_endpoint.as_deref().ok_or(ReceiveError::Answer)?;
        let body = Zeroizing::default();
        let post = Post { url, accept: JSON, content_type: FORM, body, most: MAX_TOKEN_MESSAGE };
        let reply = self.session.post_openly(&post).await?;
        let nonce =
            Some(&reply).filter(|reply| reply.is(JSON)).and_then(|reply| NonceResponse::parse(&reply.body));
        Ok(nonce.ok_or(ReceiveError::Answer)?.c_nonce)
    }

    /// Posts what `request` writes with the wish for an encrypted answer, and reads the answer.
    async fn exchange(
        &self,
        url: &str,
        request: impl FnOnce(Option<Wish>) -> Vec<u8>,
    ) -> Result<Response, ReceiveError> {
        let Some(sealing) = self.sealing() else {
            let reply = self.post(url, JSON, Zeroizing::new(request(None))).await?;
            return Ok(credential::read_response(&reply.body)?);
        };
        let wish = Wish::of(sealing.key.public(), &sealing.kid, sealing.response);
        let request = Zeroizing::new(request(Some(wish)));
        let ephemeral = Box::new(AgreementKey::generate(&*self.machine.entropy));
        let rng = &mut EntropyRng(&*self.machine.entropy);
        let jwe = credential::seal(&request, &sealing.to, sealing.request, ephemeral, &RingAead, rng)?;
        let reply = self.post(url, JWT, Zeroizing::new(jwe.into_bytes())).await?;
        let body = std::str::from_utf8(&reply.body).map_err(|_| ReceiveError::Answer)?;
        Ok(credential::open_response(body, &sealing.kid, sealing.response, &sealing.key, &RingAead)?)
    }

    /// Encrypts wherever the issuer can; for proof copies that it can was checked with the offer.
    fn sealing(&self) -> Option<Sealing> {
        let metadata = &self.issuer.metadata;
        let (to, request) =
            metadata.credential_request_encryption.as_ref().and_then(RequestEncryption::choose)?;
        let response =
            metadata.credential_response_encryption.as_ref().and_then(ResponseEncryption::choose)?;
        let key = AgreementKey::generate(&*self.machine.entropy);
        Some(Sealing { to, request, response, key, kid: entropy::id16(&*self.machine.entropy) })
    }

    /// Posts to an endpoint; the answer must be of the media type of the request. 202 (8.3, 9.2) says no more than that
    /// the body was put off, which the body says too.
    async fn post(
        &self,
        url: &str,
        media_type: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Incoming, ReceiveError> {
        let post = Post { url, accept: media_type, content_type: media_type, body, most: MAX_RESPONSE };
        let reply = self.session.post(&post).await?;
        match reply.status {
            200 | 202 if reply.content_type == media_type => Ok(reply),
            200 | 202 => Err(ResponseError::Plain.into()),
            _ => Err(refused(&reply)?),
        }
    }

    fn describe(
        &self,
        begun: &Begun,
        configuration: &Configuration,
        document: Option<&TypeMetadata>,
        received: &[batch::Received],
    ) -> Credential {
        let entry = self.issuer.entry.document();
        let first = received.first();
        let attributes = first.map(|copy| describe::attributes(configuration, document, copy));
        Credential {
            vct: configuration.vct.clone().unwrap_or_default(),
            iss: entry.sub.clone(),
            issuer: entry.name.clone(),
            env: entry.env,
            name: describe::name(configuration, document, &begun.configuration),
            facts_as_of: first.and_then(|copy| copy.facts_as_of).map(|date| date.to_string()),
            period: first.and_then(|copy| copy.period.clone()),
            expires_at: received.iter().map(|copy| copy.expires_at.0).min().unwrap_or_default(),
            received_at: self.machine.clock.now().0,
            attributes: attributes.unwrap_or_default(),
            anchors: entry.anchors.clone(),
        }
    }
}

/// RFC 6750 3.1 and OpenID4VCI 8.3.1, 9.3.
fn refused(reply: &Incoming) -> Result<ReceiveError, ReceiveError> {
    let code = error_code(reply)?;
    if reply.status == 401 && code == "invalid_token" {
        return Ok(ReceiveError::Over);
    }
    Ok(match CredentialError::from_code(&code) {
        Some(CredentialError::CredentialRequestDenied) => ReceiveError::Denied,
        Some(CredentialError::InvalidTransactionId) => ReceiveError::Lost,
        Some(CredentialError::OtherWallet) => ReceiveError::OtherWallet,
        Some(other) => ReceiveError::Refused(other.as_str()),
        None => ReceiveError::Answer,
    })
}

fn kept(copy: batch::Received, keys: &[SigningKey], blindings: &[Blinding]) -> Option<NewCopy> {
    let link = blindings.get(copy.key);
    Some(NewCopy {
        sd_jwt: Zeroizing::new(copy.held.text().to_owned()),
        key: keys.get(copy.key)?.to_pkcs8_der().clone(),
        openings: copy.opened.as_ref().map(|opened| Openings::keep(opened, link)),
        status: Status::of(&copy.held),
    })
}
