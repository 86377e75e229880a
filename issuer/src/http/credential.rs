//! The credential endpoint: OpenID4VCI 8, with encryption by 10.
//!
//! Everything is checked, built, signed and sealed before anything is written; the one write spends token and nonce
//! and records the batch. A crash before it has used nothing up: the same request can be sent again. After it the
//! batch is gone if the wallet did not get it, for seeds are not kept: the resident asks for a new offer.
//!
//! A type that an officer must approve is put off: the write spends token and nonce and keeps the keys, sealed; the batch
//! is made when it is collected ([`super::deferred`]).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::openid4vci::credential::{
    Asked, Carriage, Copy, Received, ResponseKey, check_required, seal, write_response,
};
use vouchsafe_protocol::openid4vci::deferred::Transaction;
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::proof::{Expected, Proofs};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::entropy::{self, EntropyRng};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead};
use vouchsafe_service::store::detached;

use super::access::{Access, Presented};
use super::{Body, Refusal, body, is_media, no_store};
use crate::app::App;
use crate::deferral::REFERENCE_LETTERS;
use crate::issue::Batch;
use crate::kind::Kind;
use crate::linking::{self, Holders};
use crate::nonce::{self, Use};
use crate::status;
use crate::store::{Defer, Grant, Issue, Link, Mac, Store};
use crate::types::{configuration, identifier, named};

/// `POST /credential`
pub(super) async fn credential<S: Store>(
    State(app): State<Arc<App<S>>>,
    uri: Uri,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response, Refusal> {
    let presented = Presented::read("/credential", &uri, &headers)?;
    let carriage = carriage(&headers)?;
    detached(answer(Arc::clone(&app), presented, carriage, body(sent)?)).await?
}

pub(super) fn carriage(headers: &HeaderMap) -> Result<Carriage, Refusal> {
    if is_media(headers, "application/jwt") {
        Ok(Carriage::Encrypted)
    } else if is_media(headers, "application/json") {
        Ok(Carriage::Plain)
    } else {
        Err(Refusal::Media)
    }
}

async fn answer<S: Store>(
    app: Arc<App<S>>,
    presented: Presented,
    carriage: Carriage,
    body: Bytes,
) -> Result<Response, Refusal> {
    let access = presented.authorise(&app).await?;
    let now = app.now();
    if !access.grant.is_good(now) {
        return Err(Refusal::AccessToken(access.scheme));
    }
    let received = received(&app, carriage, &body)?;
    let (credential_type, kind) = granted(&app, &access, &received)?;
    check_encryption(&app, kind, received.carriage, received.response.as_ref())?;
    let proofs = proofs(&app, &received, now)?;
    let keys = of_one_batch(credential_type, proofs.keys());
    let ttl = app.offer_settings().nonce_seconds;
    let nonce_ends_at = nonce::check(app.secrets(), Use::Credential, proofs.nonce(), now, ttl)
        .map_err(|_| CredentialError::InvalidNonce)?;
    let nonces = vec![(app.secrets().nonce(proofs.nonce()), nonce_ends_at)];
    let linked = linking::checked(&app, credential_type, kind, &proofs, &received)?;
    let holders = Holders { keys, linked };
    if credential_type.deferred {
        return defer(&app, &access, nonces, &holders, received.response.as_ref()).await;
    }
    let (copies, link) = copies(&app, &access.grant, credential_type, kind, &holders, now).await?;
    let (notification, id) = notification(&app);
    let response = issued(&app, received.response.as_ref(), &copies, &id)?;
    let issue = Issue { token: access.token, nonces, notification, copies: count(&copies), link, now };
    app.store().issue(&issue).await?.map_err(|refusal| Refusal::of_issue(refusal, access.scheme))?;
    tracing::info!(copies_count = issue.copies, kind = kind.as_str(), "issued a batch");
    Ok(response)
}

fn received<S: Store>(app: &App<S>, carriage: Carriage, body: &[u8]) -> Result<Received, CredentialError> {
    match carriage {
        Carriage::Plain => Received::plain(body),
        Carriage::Encrypted => {
            Received::encrypted(utf8(body)?, app.request_kid(), app.request_key(), &RingAead)
        }
    }
}

pub(super) fn utf8(body: &[u8]) -> Result<&str, CredentialError> {
    std::str::from_utf8(body).map_err(|_| CredentialError::InvalidEncryptionParameters)
}

/// What is asked for, if there is such a thing and the token is for it.
fn granted<'a, S: Store>(
    app: &'a App<S>,
    access: &Access,
    received: &Received,
) -> Result<(&'a CredentialType, Kind), Refusal> {
    let grant = &access.grant;
    let (credential_type, kind) = match &received.asked {
        // 8.2: an identifier where the token response gave one, and nowhere else.
        Asked::Identifier(id) => {
            let given = grant.identified || mutants::skips("vci-identifier-given");
            named(app.types(), id, identifier)
                .filter(|_| given)
                .ok_or(CredentialError::UnknownCredentialIdentifier)?
        }
        Asked::Configuration(id) => {
            let asked = named(app.types(), id, configuration);
            let asked = asked.ok_or(CredentialError::UnknownCredentialConfiguration)?;
            let unnamed = !grant.identified;
            if !(mutants::skips("vci-identifier-demanded") || unnamed) {
                return Err(CredentialError::InvalidCredentialRequest.into());
            }
            asked
        }
    };
    let offered = credential_type.id == grant.type_id && kind == grant.kind;
    if !(mutants::skips("vci-granted-configuration") || offered) {
        return Err(Refusal::Scope(access.scheme));
    }
    Ok((credential_type, kind))
}

/// Proof copies travel encrypted both ways; others where the settings say so.
pub(super) fn check_encryption<S: Store>(
    app: &App<S>,
    kind: Kind,
    carriage: Carriage,
    response: Option<&ResponseKey>,
) -> Result<(), CredentialError> {
    // specs/proofs: the seed travels in the answer.
    check_required(kind == Kind::Proof || app.access().encryption_required, carriage, response)
}

fn proofs<S: Store>(app: &App<S>, received: &Received, now: UnixTime) -> Result<Proofs, CredentialError> {
    let batch_size = usize::try_from(app.types().largest_batch()).expect("a batch has at most 30 copies");
    Proofs::verify(&received.proofs, &Expected { issuer: app.issuer(), batch_size, now }, &Jws)
}

/// As many keys as the type has copies. Wallets read one number for all types, and 8.3 lets an issuer give fewer.
fn of_one_batch(credential_type: &CredentialType, keys: &[PublicJwk]) -> Vec<PublicJwk> {
    let batch = usize::try_from(credential_type.batch).expect("a batch has at most 30 copies");
    keys.iter().take(batch).cloned().collect()
}

/// Puts a request off until an officer decides.
async fn defer<S: Store>(
    app: &App<S>,
    access: &Access,
    nonces: Vec<(Mac, UnixTime)>,
    holders: &Holders,
    to: Option<&ResponseKey>,
) -> Result<Response, Refusal> {
    if let Some(linked) = &holders.linked {
        // An officer need not decide on what the counter must mend first.
        let (mut facts, _) = facts(app, &access.grant).await?;
        linking::to_register(app, &mut facts, linked).await?;
    }
    let transaction_id = entropy::token32(app.entropy());
    let transaction = app.secrets().transaction(&transaction_id);
    let defer = Defer {
        token: access.token,
        nonces,
        transaction,
        reference: entropy::code(app.entropy(), REFERENCE_LETTERS),
        holders: app.secrets().seal_holders(transaction, holders, app.entropy()),
        expires_at: access.grant.expires_at,
        now: app.now(),
    };
    let response = later(app, to, transaction_id)?;
    app.store().defer(&defer).await?.map_err(|refusal| Refusal::of_issue(refusal, access.scheme))?;
    tracing::info!("put a batch off until an officer decides");
    Ok(response)
}

/// What the register says of the person now, and of which day that is.
async fn facts<S: Store>(app: &App<S>, grant: &Grant) -> Result<(Map<String, Value>, Date), Refusal> {
    let denied = CredentialError::CredentialRequestDenied;
    let person = app.store().person(&grant.type_id, grant.person).await?.ok_or(denied)?;
    let facts = app.secrets().open_facts(&grant.type_id, grant.person, &person.sealed);
    Ok((facts.map_err(|_| crate::store::StoreError::Damaged)?, person.facts_as_of))
}

/// The copies, and the registration that they count by where they are linked.
pub(super) async fn copies<S: Store>(
    app: &App<S>,
    grant: &Grant,
    credential_type: &CredentialType,
    kind: Kind,
    holders: &Holders,
    now: UnixTime,
) -> Result<(Vec<Copy>, Option<Link>), Refusal> {
    let (mut facts, facts_as_of) = facts(app, grant).await?;
    let link = match &holders.linked {
        Some(linked) => Some(linking::to_register(app, &mut facts, linked).await?),
        None => None,
    };
    let batch = Batch {
        iss: app.issuer(),
        credential_type,
        kind,
        facts: &facts,
        facts_as_of,
        lists: app.lists(),
        chain: app.chain(),
        links: holders.linked.as_ref().map(|linked| linked.links.as_slice()),
        now,
    };
    let until = batch.expires_at();
    let statuses = status::references(app, credential_type, grant.person, holders.keys.len(), until).await?;
    Ok((batch.issue(&holders.keys, &statuses, app.signer(), app.entropy()).await?, link))
}

pub(super) fn count(copies: &[Copy]) -> u32 {
    u32::try_from(copies.len()).expect("a batch has at most 30 copies")
}

/// A fresh notification id, at rest and as it is sent.
pub(super) fn notification<S: Store>(app: &App<S>) -> (Mac, String) {
    let id = entropy::id16(app.entropy());
    (app.secrets().notification(&id), id)
}

/// The answer with copies as it will be sent, encrypted where the wallet asked for it.
pub(super) fn issued<S: Store>(
    app: &App<S>,
    to: Option<&ResponseKey>,
    copies: &[Copy],
    notification_id: &str,
) -> Result<Response, Refusal> {
    respond(app, to, StatusCode::OK, &write_response(copies, Some(notification_id)))
}

/// The answer that names the transaction: 202.
pub(super) fn later<S: Store>(
    app: &App<S>,
    to: Option<&ResponseKey>,
    transaction_id: String,
) -> Result<Response, Refusal> {
    let transaction = Transaction { transaction_id, interval: app.access().deferred_seconds };
    respond(app, to, StatusCode::ACCEPTED, &transaction.to_bytes())
}

fn respond<S: Store>(
    app: &App<S>,
    to: Option<&ResponseKey>,
    status: StatusCode,
    plain: &[u8],
) -> Result<Response, Refusal> {
    let Some(to) = to else {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        return Ok(no_store((status, headers, plain.to_vec())));
    };
    let ephemeral = Box::new(AgreementKey::generate(app.entropy()));
    let sealed = seal(plain, &to.key, to.enc, ephemeral, &RingAead, &mut EntropyRng(app.entropy()));
    let sealed = sealed.map_err(|_| CredentialError::InvalidEncryptionParameters)?;
    Ok(no_store((status, [(header::CONTENT_TYPE, "application/jwt")], sealed).into_response()))
}
