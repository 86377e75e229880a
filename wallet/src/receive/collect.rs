//! Token, nonce, keys, request, response: one batch for each configuration of an offer.

use std::collections::BTreeMap;

use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::jose::{Enc, NamedJwk, PublicJwk, Signer as _, jws};
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::batch::{self, Expected};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Request, Response, ResponseError};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::metadata::{
    Configuration, Display, RequestEncryption, ResponseEncryption,
};
use vouchsafe_protocol::openid4vci::notification::{Event, Notification};
use vouchsafe_protocol::openid4vci::proof;
use vouchsafe_protocol::openid4vci::token::{MAX_TOKEN_MESSAGE, NonceResponse};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_service::entropy::{self, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use zeroize::Zeroizing;

use super::session::{FORM, JSON, Post, Session, error_code};
use super::{Issuer, ReceiveError, Received};
use crate::Machine;
use crate::http::Incoming;
use crate::status::Status;
use crate::store::{self, Attribute, Credential, NewCopy, Openings};
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

/// Copies as they came.
struct Issued {
    copies: Vec<Copy>,
    notification_id: Option<String>,
}

impl Issued {
    fn of(response: Response) -> Result<Self, ReceiveError> {
        match response {
            Response::Issued { copies, notification_id } => Ok(Self { copies, notification_id }),
            Response::Deferred(_) => Err(ResponseError::Deferred.into()),
        }
    }
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
}

/// How one exchange is encrypted: the issuer's key for the request, ours for the response.
struct Sealing {
    to: NamedJwk,
    request: Enc,
    response: Enc,
    key: AgreementKey,
    kid: String,
}

impl<'a> Collector<'a> {
    pub(super) fn new(machine: &'a Machine, issuer: &'a Issuer, session: &'a Session<'a>) -> Self {
        Self { machine, issuer, session }
    }

    /// Collects every configuration of an offer.
    pub(super) async fn collect(&self, ids: &[String]) -> Result<Vec<Batch>, ReceiveError> {
        let mut batches = Vec::new();
        for id in ids {
            batches.push(self.batch(id).await?);
        }
        Ok(batches)
    }

    /// Tells the body what became of a batch. It is a courtesy: nothing here depends on whether it arrives.
    pub(super) async fn notify(&self, notification_id: String, event: Event) {
        let Some(url) = self.issuer.metadata.notification_endpoint.as_deref() else { return };
        let body = Zeroizing::new(Notification { notification_id, event }.to_bytes());
        let post = Post { url, accept: JSON, content_type: JSON, body, most: MAX_TOKEN_MESSAGE };
        let _ = self.session.post(&post).await;
    }

    async fn batch(&self, id: &str) -> Result<Batch, ReceiveError> {
        let configurations = &self.issuer.metadata.credential_configurations_supported;
        let configuration = configurations.get(id).ok_or(ReceiveError::Answer)?;
        let vct = configuration.vct.as_deref().unwrap_or_default();
        let keys = self.keys()?;
        let public: Vec<PublicJwk> = keys.iter().map(|key| key.public().clone()).collect();
        let Issued { copies, notification_id } = self.copies(id, self.proofs(&keys).await?).await?;
        let now = self.machine.clock.now();
        let entry = self.issuer.entry.document();
        let lists = self.issuer.tables.code_lists();
        let expected =
            Expected { issuer: entry, anchors: &self.issuer.anchors, vct, keys: &public, lists: &lists, now };
        let received = match batch::receive(copies, &expected, &Jws) {
            Ok(received) => received,
            Err(fault) => {
                if let Some(id) = notification_id {
                    self.notify(id, Event::CredentialFailure).await;
                }
                return Err(fault.into());
            }
        };
        let credential = self.describe(id, configuration, &received);
        let copies = received.into_iter().filter_map(|copy| kept(copy, &keys)).collect();
        Ok(Batch { credential, copies, notification_id })
    }

    /// A fresh key for every copy.
    fn keys(&self) -> Result<Vec<SigningKey>, ReceiveError> {
        let offered =
            self.issuer.metadata.batch_credential_issuance.as_ref().map_or(1, |batch| batch.batch_size);
        (0..offered.clamp(1, WANTED)).map(|_| SigningKey::generate().map_err(|_| ReceiveError::Key)).collect()
    }

    async fn proofs(&self, keys: &[SigningKey]) -> Result<Vec<String>, ReceiveError> {
        let nonce = self.nonce().await?;
        let now = self.machine.clock.now();
        let mut proofs = Vec::new();
        for key in keys {
            let unsigned =
                proof::unsigned(key.public(), &self.issuer.metadata.credential_issuer, &nonce, now);
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

    async fn copies(&self, id: &str, proofs: Vec<String>) -> Result<Issued, ReceiveError> {
        match self.sealing() {
            Some(sealing) => self.sealed_copies(id, proofs, &sealing).await,
            None => {
                let body = Zeroizing::new(Request::new(id, proofs, None).to_bytes());
                let reply = self.post(JSON, body).await?;
                Issued::of(credential::read_response(&reply.body)?)
            }
        }
    }

    async fn sealed_copies(
        &self,
        id: &str,
        proofs: Vec<String>,
        sealing: &Sealing,
    ) -> Result<Issued, ReceiveError> {
        let wish = (sealing.key.public(), sealing.kid.as_str(), sealing.response);
        let request = Zeroizing::new(Request::new(id, proofs, Some(wish)).to_bytes());
        let ephemeral = Box::new(AgreementKey::generate(&*self.machine.entropy));
        let rng = &mut EntropyRng(&*self.machine.entropy);
        let jwe = credential::seal(&request, &sealing.to, sealing.request, ephemeral, &RingAead, rng)?;
        let reply = self.post(JWT, Zeroizing::new(jwe.into_bytes())).await?;
        let body = std::str::from_utf8(&reply.body).map_err(|_| ReceiveError::Answer)?;
        let response =
            credential::open_response(body, &sealing.kid, sealing.response, &sealing.key, &RingAead)?;
        Issued::of(response)
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

    /// Posts to the credential endpoint; the answer must be of the media type of the request.
    async fn post(&self, media_type: &str, body: Zeroizing<Vec<u8>>) -> Result<Incoming, ReceiveError> {
        let url = self.issuer.metadata.credential_endpoint.as_str();
        let post = Post { url, accept: media_type, content_type: media_type, body, most: MAX_RESPONSE };
        let reply = self.session.post(&post).await?;
        // 8.3: put off. It is said so, before anything of the answer is believed.
        if reply.status == 202 {
            return Err(ResponseError::Deferred.into());
        }
        if reply.is(media_type) {
            return Ok(reply);
        }
        if reply.status == 200 {
            return Err(ResponseError::Plain.into());
        }
        let refused = CredentialError::from_code(&error_code(&reply)?).ok_or(ReceiveError::Answer)?;
        Err(ReceiveError::Refused(refused.as_str()))
    }

    fn describe(&self, id: &str, configuration: &Configuration, received: &[batch::Received]) -> Credential {
        let entry = self.issuer.entry.document();
        let first = received.first();
        let display = configuration.credential_metadata.as_ref().map(|metadata| metadata.display.as_slice());
        Credential {
            vct: configuration.vct.clone().unwrap_or_default(),
            iss: entry.sub.clone(),
            issuer: entry.name.clone(),
            env: entry.env,
            name: both(display.unwrap_or_default(), id),
            facts_as_of: first.and_then(|copy| copy.facts_as_of).map(|date| date.to_string()),
            expires_at: received.iter().map(|copy| copy.expires_at.0).min().unwrap_or_default(),
            received_at: self.machine.clock.now().0,
            attributes: first.map(|copy| attributes(configuration, copy)).unwrap_or_default(),
            anchors: entry.anchors.clone(),
        }
    }
}

fn kept(copy: batch::Received, keys: &[SigningKey]) -> Option<NewCopy> {
    Some(NewCopy {
        sd_jwt: Zeroizing::new(copy.held.text().to_owned()),
        key: keys.get(copy.key)?.to_pkcs8_der().clone(),
        openings: copy.opened.as_ref().map(Openings::keep),
        status: Status::of(&copy.held),
    })
}

/// Names of what a copy says something about: what can be shown, then what can only be proved.
fn attributes(configuration: &Configuration, copy: &batch::Received) -> Vec<Attribute> {
    let described: BTreeMap<String, Bilingual> = configuration
        .credential_metadata
        .iter()
        .flat_map(|metadata| &metadata.claims)
        .filter_map(|claim| {
            let pointer = pointer_of(&claim.path)?;
            let label = both(&claim.display, store::bare_label(&pointer).en.as_str());
            Some((pointer, label))
        })
        .collect();
    let shown = copy.held.disclosed().paths().iter().filter_map(|path| match path.as_slice() {
        [vouchsafe_protocol::sd_jwt::Step::Name(name)] => Some(format!("/{name}")),
        _ => None,
    });
    let proved = copy.opened.iter().flat_map(|opened| opened.attributes.iter().map(|a| a.pointer.clone()));
    let mut pointers: Vec<String> = Vec::new();
    for pointer in shown.chain(proved) {
        if !pointers.contains(&pointer) {
            pointers.push(pointer);
        }
    }
    let label =
        |pointer: &String| described.get(pointer).cloned().unwrap_or_else(|| store::bare_label(pointer));
    pointers.into_iter().map(|pointer| Attribute { label: label(&pointer), pointer }).collect()
}

fn pointer_of(path: &[json::Value]) -> Option<String> {
    path.iter().map(|step| Some(format!("/{}", step.as_str()?))).collect()
}

/// Both languages of a display; one language stands for the other, and the fallback for both.
fn both(display: &[Display], fallback: &str) -> Bilingual {
    let named = |wanted: &str| {
        let is = |one: &&Display| {
            one.locale.as_deref().is_some_and(|locale| locale.split('-').next() == Some(wanted))
        };
        display.iter().find(is).map(|one| one.name.clone())
    };
    let any = || display.first().map_or_else(|| fallback.to_owned(), |one| one.name.clone());
    let en = named("en").unwrap_or_else(any);
    let cy = named("cy").unwrap_or_else(|| en.clone());
    Bilingual { en, cy }
}
