//! The credential endpoint: OpenID4VCI 8, with encryption by 10.
//!
//! Everything is checked, built, signed and sealed before anything is written; the one write spends token and nonce
//! and records the batch. A crash before it has used nothing up: the same request can be sent again. After it the
//! batch is gone if the wallet did not get it, for seeds are not kept: the resident asks for a new offer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::openid4vci::credential::{Carriage, Copy, Received, seal, write_response};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::proof::{Expected, Proofs};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::CredentialType;
use vouchsafe_service::entropy::EntropyRng;
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead};
use vouchsafe_service::store::detached;

use super::{Body, Refusal, body, is_media, no_store};
use crate::app::App;
use crate::issue::Batch;
use crate::kind::Kind;
use crate::nonce;
use crate::store::{Grant, Issue, Mac, Store};
use crate::types::configuration;

/// `POST /credential`
pub(super) async fn credential<S: Store>(
    State(app): State<Arc<App<S>>>,
    uri: Uri,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response, Refusal> {
    let token = app.secrets().token(bearer(&uri, &headers)?);
    let carriage = carriage(&headers)?;
    detached(answer(Arc::clone(&app), token, carriage, body(sent)?)).await?
}

/// The access token, from the `Authorization` header alone.
fn bearer<'a>(uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    let query = uri.query().unwrap_or_default();
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    // RFC 6750 2.3: a token in an address ends up in logs and histories.
    if !(mutants::skips("vci-token-in-query") || names.into_iter().all(|name| name != "access_token")) {
        return Err(Refusal::TokenInQuery);
    }
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none()).and_then(|value| value.to_str().ok());
    let (scheme, token) = only.and_then(|value| value.split_once(' ')).ok_or(Refusal::AccessToken)?;
    if scheme.eq_ignore_ascii_case("Bearer") { Ok(token.trim()) } else { Err(Refusal::AccessToken) }
}

fn carriage(headers: &HeaderMap) -> Result<Carriage, Refusal> {
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
    token: Mac,
    carriage: Carriage,
    body: Bytes,
) -> Result<Response, Refusal> {
    let now = app.now();
    let grant =
        app.store().grant(token).await?.filter(|grant| grant.is_good(now)).ok_or(Refusal::AccessToken)?;
    let received = received(&app, carriage, &body)?;
    let (credential_type, kind) = granted(&app, &grant, &received)?;
    if kind == Kind::Proof {
        // specs/proofs: the seed travels in the answer.
        received.check_proof_copies()?;
    }
    let proofs = proofs(&app, credential_type, &received, now)?;
    let nonce_ends_at = nonce::check(app.secrets(), proofs.nonce(), now, app.offer_settings().nonce_seconds)
        .map_err(|_| CredentialError::InvalidNonce)?;
    let copies = copies(&app, &grant, credential_type, kind, proofs.keys(), now).await?;
    let response = response(&app, &received, &copies)?;
    let issue = Issue {
        token,
        nonces: vec![(app.secrets().nonce(proofs.nonce()), nonce_ends_at)],
        copies: u32::try_from(copies.len()).expect("a batch has at most 30 copies"),
        now,
    };
    app.store().issue(&issue).await??;
    tracing::info!(copies_count = issue.copies, kind = kind.as_str(), "issued a batch");
    Ok(response)
}

fn received<S: Store>(app: &App<S>, carriage: Carriage, body: &[u8]) -> Result<Received, CredentialError> {
    match carriage {
        Carriage::Plain => Received::plain(body),
        Carriage::Encrypted => {
            let text = std::str::from_utf8(body).map_err(|_| CredentialError::InvalidEncryptionParameters)?;
            Received::encrypted(text, app.request_kid(), app.request_key(), &RingAead)
        }
    }
}

/// What is asked for, if there is such a configuration and the token is for it.
fn granted<'a, S: Store>(
    app: &'a App<S>,
    grant: &Grant,
    received: &Received,
) -> Result<(&'a CredentialType, Kind), Refusal> {
    let all = app.types().iter().flat_map(|one| [Kind::Plain, Kind::Proof].map(|kind| (one, kind)));
    let asked = all.into_iter().find(|(one, kind)| configuration(one, *kind) == received.configuration);
    let (credential_type, kind) = asked.ok_or(CredentialError::UnknownCredentialConfiguration)?;
    let offered = credential_type.id == grant.type_id && kind == grant.kind;
    if !(mutants::skips("vci-granted-configuration") || offered) {
        return Err(Refusal::Scope);
    }
    Ok((credential_type, kind))
}

fn proofs<S: Store>(
    app: &App<S>,
    credential_type: &CredentialType,
    received: &Received,
    now: UnixTime,
) -> Result<Proofs, CredentialError> {
    let batch_size = usize::try_from(credential_type.batch).expect("a batch has at most 30 copies");
    Proofs::verify(&received.proofs, &Expected { issuer: app.issuer(), batch_size, now }, &Jws)
}

async fn copies<S: Store>(
    app: &App<S>,
    grant: &Grant,
    credential_type: &CredentialType,
    kind: Kind,
    holders: &[PublicJwk],
    now: UnixTime,
) -> Result<Vec<Copy>, Refusal> {
    let denied = CredentialError::CredentialRequestDenied;
    let person = app.store().person(&credential_type.id, grant.person).await?.ok_or(denied)?;
    let facts = app.secrets().open_facts(&credential_type.id, grant.person, &person.sealed);
    let batch = Batch {
        iss: app.issuer(),
        credential_type,
        kind,
        facts: &facts.map_err(|_| crate::store::StoreError::Damaged)?,
        facts_as_of: person.facts_as_of,
        lists: app.lists(),
        chain: app.chain(),
        now,
    };
    Ok(batch.issue(holders, app.signer(), app.entropy()).await?)
}

/// The answer as it will be sent, encrypted where the wallet asked for it.
fn response<S: Store>(app: &App<S>, received: &Received, copies: &[Copy]) -> Result<Response, Refusal> {
    let plain = write_response(copies);
    let Some(to) = &received.response else {
        return Ok(no_store(([(header::CONTENT_TYPE, "application/json")], plain.to_vec())));
    };
    let ephemeral = Box::new(AgreementKey::generate(app.entropy()));
    let sealed = seal(&plain, &to.key, to.enc, ephemeral, &RingAead, &mut EntropyRng(app.entropy()));
    let sealed = sealed.map_err(|_| CredentialError::InvalidEncryptionParameters)?;
    Ok(no_store(([(header::CONTENT_TYPE, "application/jwt")], sealed).into_response()))
}
