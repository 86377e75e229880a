//! Token, nonce, keys, request, response: one batch for each configuration of an offer.

use std::collections::BTreeMap;
use std::time::Duration;

use vouchsafe_protocol::jose::KeyAgreement as _;
use vouchsafe_protocol::jose::{Enc, NamedJwk, PublicJwk, Signer as _, jws};
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::batch::{self, Expected};
use vouchsafe_protocol::openid4vci::credential::{self, Copy, Request};
use vouchsafe_protocol::openid4vci::errors::{CredentialError, ErrorBody, TokenError};
use vouchsafe_protocol::openid4vci::metadata::{
    Configuration, Display, RequestEncryption, ResponseEncryption,
};
use vouchsafe_protocol::openid4vci::offer::Offer;
use vouchsafe_protocol::openid4vci::proof;
use vouchsafe_protocol::openid4vci::token::{MAX_TOKEN_MESSAGE, NonceResponse, TokenRequest, TokenResponse};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_service::entropy::{self, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use zeroize::Zeroizing;

use super::{Issuer, ReceiveError, Received, server, unless_busy};
use crate::Machine;
use crate::http::{self, Incoming, Outgoing};
use crate::store::{self, Attribute, Credential, NewCopy, Openings};
use crate::vault::Change;

/// The copies that this wallet wants of each credential, where the issuer gives so many.
const WANTED: u32 = 30;

/// The largest credential response taken: the largest JWE and some room.
const MAX_RESPONSE: usize = 512 * 1024;

/// How often a busy body is tried, and the longest wait between two tries, in seconds: together no more than the five
/// minutes for which a token and the proofs made with it are good.
const TRIES: u32 = 5;
const LONGEST_WAIT_S: u64 = 60;

const JSON: &str = "application/json";
const JWT: &str = "application/jwt";
const FORM: &str = "application/x-www-form-urlencoded";

/// A batch whose every copy was checked.
pub(super) struct Batch {
    credential: Credential,
    copies: Vec<NewCopy>,
}

impl Batch {
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

/// Collects every configuration of the offer with one token.
pub(super) async fn collect(
    machine: &Machine,
    offer: &Offer,
    issuer: &Issuer,
    tx_code: Option<&str>,
) -> Result<Vec<Batch>, ReceiveError> {
    let token = token(machine, offer, issuer, tx_code).await?;
    let collector = Collector { machine, issuer, token };
    let mut batches = Vec::new();
    for id in &offer.credential_configuration_ids {
        batches.push(collector.batch(id).await?);
    }
    Ok(batches)
}

async fn token(
    machine: &Machine,
    offer: &Offer,
    issuer: &Issuer,
    tx_code: Option<&str>,
) -> Result<Zeroizing<String>, ReceiveError> {
    let server = server(machine, offer, issuer).await?;
    let request = TokenRequest {
        code: Zeroizing::new(offer.grants.pre_authorized.code.clone()),
        tx_code: tx_code.map(|code| Zeroizing::new(code.trim().to_owned())),
    };
    let body = Zeroizing::new(request.write().into_bytes());
    let url = server.token_endpoint.as_str();
    let request =
        Outgoing { url, accept: JSON, body: Some((FORM, body)), bearer: None, most: MAX_TOKEN_MESSAGE };
    let reply = unless_busy(http::send(&*machine.http, request).await?)?;
    if reply.is(JSON) {
        let token = TokenResponse::parse(&reply.body).ok_or(ReceiveError::Answer)?;
        return Ok(Zeroizing::new(token.access_token));
    }
    match TokenError::from_code(&error_code(&reply)?) {
        Some(TokenError::InvalidGrant) => Err(ReceiveError::CodeRefused),
        Some(other) => Err(ReceiveError::Refused(other.as_str())),
        None => Err(ReceiveError::Answer),
    }
}

/// The `error` of a body; a body without one is no answer of this protocol.
fn error_code(reply: &Incoming) -> Result<String, ReceiveError> {
    let body: ErrorBody = json::typed(&reply.body, MAX_TOKEN_MESSAGE).map_err(|_| ReceiveError::Answer)?;
    Ok(body.error)
}

struct Collector<'a> {
    machine: &'a Machine,
    issuer: &'a Issuer,
    token: Zeroizing<String>,
}

/// How one exchange is encrypted: the issuer's key for the request, ours for the response.
struct Sealing {
    to: NamedJwk,
    request: Enc,
    response: Enc,
    key: AgreementKey,
    kid: String,
}

impl Collector<'_> {
    async fn batch(&self, id: &str) -> Result<Batch, ReceiveError> {
        let configurations = &self.issuer.metadata.credential_configurations_supported;
        let configuration = configurations.get(id).ok_or(ReceiveError::Answer)?;
        let vct = configuration.vct.as_deref().unwrap_or_default();
        let keys = self.keys()?;
        let public: Vec<PublicJwk> = keys.iter().map(|key| key.public().clone()).collect();
        let copies = self.copies(id, self.proofs(&keys).await?).await?;
        let now = self.machine.clock.now();
        let entry = self.issuer.entry.document();
        let lists = self.issuer.tables.code_lists();
        let expected =
            Expected { issuer: entry, anchors: &self.issuer.anchors, vct, keys: &public, lists: &lists, now };
        let received = batch::receive(copies, &expected, &Jws)?;
        let credential = self.describe(id, configuration, &received);
        let copies = received.into_iter().filter_map(|copy| kept(copy, &keys)).collect();
        Ok(Batch { credential, copies })
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
        let empty = || Some((FORM, Zeroizing::new(Vec::new())));
        let request = || Outgoing { url, accept: JSON, body: empty(), bearer: None, most: MAX_TOKEN_MESSAGE };
        let reply = self.patiently(request).await?;
        let nonce =
            Some(&reply).filter(|reply| reply.is(JSON)).and_then(|reply| NonceResponse::parse(&reply.body));
        Ok(nonce.ok_or(ReceiveError::Answer)?.c_nonce)
    }

    async fn copies(&self, id: &str, proofs: Vec<String>) -> Result<Vec<Copy>, ReceiveError> {
        match self.sealing() {
            Some(sealing) => self.sealed_copies(id, proofs, &sealing).await,
            None => {
                let body = Zeroizing::new(Request::new(id, proofs, None).to_bytes());
                let reply = self.post(JSON, body).await?;
                Ok(credential::read_response(&reply.body)?)
            }
        }
    }

    async fn sealed_copies(
        &self,
        id: &str,
        proofs: Vec<String>,
        sealing: &Sealing,
    ) -> Result<Vec<Copy>, ReceiveError> {
        let wish = (sealing.key.public(), sealing.kid.as_str(), sealing.response);
        let request = Zeroizing::new(Request::new(id, proofs, Some(wish)).to_bytes());
        let ephemeral = Box::new(AgreementKey::generate(&*self.machine.entropy));
        let rng = &mut EntropyRng(&*self.machine.entropy);
        let jwe = credential::seal(&request, &sealing.to, sealing.request, ephemeral, &RingAead, rng)?;
        let reply = self.post(JWT, Zeroizing::new(jwe.into_bytes())).await?;
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

    /// Sends, and sends the same again while the body is busy: its code is spent by now, and this token alone collects.
    async fn patiently<'a>(&self, request: impl Fn() -> Outgoing<'a>) -> Result<Incoming, ReceiveError> {
        for _ in 0..TRIES {
            let reply = http::send(&*self.machine.http, request()).await?;
            if !reply.is_busy() {
                return Ok(reply);
            }
            let wait = reply.retry_after_s.unwrap_or(1).min(LONGEST_WAIT_S);
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        Err(ReceiveError::StayedBusy)
    }

    /// Posts to the credential endpoint; the answer must be of the media type of the request.
    async fn post(&self, media_type: &str, body: Zeroizing<Vec<u8>>) -> Result<Incoming, ReceiveError> {
        let url = self.issuer.metadata.credential_endpoint.as_str();
        let bearer = Some(self.token.as_str());
        let body = || Some((media_type, body.clone()));
        let request = || Outgoing { url, accept: media_type, body: body(), bearer, most: MAX_RESPONSE };
        let reply = self.patiently(request).await?;
        if reply.is(media_type) {
            return Ok(reply);
        }
        if reply.status == 200 {
            return Err(credential::ResponseError::Plain.into());
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
        }
    }
}

fn kept(copy: batch::Received, keys: &[SigningKey]) -> Option<NewCopy> {
    Some(NewCopy {
        sd_jwt: Zeroizing::new(copy.held.text().to_owned()),
        key: keys.get(copy.key)?.to_pkcs8_der().clone(),
        openings: copy.opened.as_ref().map(Openings::keep),
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
