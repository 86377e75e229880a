//! The signed request object (OpenID4VP 1.0, 5.8 and 5.10), and the link that leads to it.

use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::{KeyAgreement as _, NamedJwk, PublicJwk, Signer as _, jws};
use vouchsafe_protocol::openid4vp::link::{Link, Method};
use vouchsafe_protocol::openid4vp::request::Draft;
use vouchsafe_protocol::openid4vp::transaction_data::Entry;
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo, ResponseMode};

use super::open_secrets;
use crate::app::{App, Unavailable};
use crate::question::{Question, QuestionError};
use crate::secrets::{Kind, OpenSecrets};
use crate::store::{Key, Request, Status};

/// How answers to our requests come: encrypted to the request's own key.
pub(crate) const MODE: ResponseMode = ResponseMode::DirectPostJwt;

/// Why no object is given out.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There never was such a request.
    #[error("there is no such request")]
    Missing,
    /// It is over.
    #[error("the request is over; ask the service for a new one")]
    Over,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The request object of this handle, signed anew, with the wallet's own nonce if it sent one.
///
/// # Errors
/// [`ObjectError`].
pub async fn object(app: &App, handle: &str, wallet_nonce: Option<&str>) -> Result<String, ObjectError> {
    let tag = app.vault().tag(Kind::Handle, handle);
    let request = app.store().request_by(Key::Handle(tag)).await.map_err(Unavailable::from)?;
    let request = request.ok_or(ObjectError::Missing)?;
    if request.status != Status::Open || request.expires_at <= app.now() {
        return Err(ObjectError::Over);
    }
    let question = app.question(&request).await?;
    let secrets = open_secrets(app, &request).ok_or(ObjectError::Over)?;
    Ok(signed(app, &request, &question, &secrets, wallet_nonce).await?)
}

async fn signed(
    app: &App,
    request: &Request,
    question: &Question,
    secrets: &OpenSecrets,
    wallet_nonce: Option<&str>,
) -> Result<String, Unavailable> {
    let key = secrets.key().ok_or(QuestionError::Damaged)?;
    let encryption_key = named(key.public());
    let asked = asked(app, question, secrets, key.public())?;
    let draft = Draft {
        asked: &asked,
        state: &secrets.state,
        mode: MODE,
        encryption_key: Some(&encryption_key),
        service: &question.service,
        purpose: &question.purpose,
        wallet_nonce,
        // Not the time of this fetch: the day of asking is the London date of `iat`, and stays the same.
        iat: request.created_at,
        exp: request.expires_at,
    };
    let signer = app.signer();
    let unsigned = draft.unsigned(signer.key.alg(), &signer.chain);
    Ok(jws::sign(unsigned, &signer.key).await?)
}

/// What was asked, as the request's row and secrets say it; both the object and the check of an answer use it.
pub(crate) fn asked(
    app: &App,
    question: &Question,
    secrets: &OpenSecrets,
    encryption_key: &PublicJwk,
) -> Result<Asked, QuestionError> {
    let party = Party {
        service: question.service.document().sub.clone(),
        client_id: app.client_id().to_owned(),
        nonce: secrets.nonce.clone(),
        state_sha256: sha256(&secrets.state),
        reply_to: ReplyTo::ResponseUri(response_uri(&app.config().origin, &secrets.handle)),
        encryption_key: Some(encryption_key.thumbprint()),
    };
    let asked = Asked::new(party, (*question.policy).clone(), question.tables.clone(), question.as_of)?;
    let entry = secrets.entry.as_deref().map(Entry::parse).transpose()?;
    match (entry, secrets.given_day()) {
        (Some(entry), Some(given)) => Ok(asked.taking_again(entry, given)?),
        (entry, _) => Ok(asked.taking(entry.into_iter().collect())?),
    }
}

/// The `kid` of a request's encryption key.
pub(crate) fn kid(key: &PublicJwk) -> String {
    b64u(key.thumbprint())
}

pub(crate) fn named(key: &PublicJwk) -> NamedJwk {
    NamedJwk { key: key.clone(), kid: Some(kid(key)), usage: Some("enc".into()), alg: Some("ECDH-ES".into()) }
}

/// Where the object is fetched.
pub(crate) fn request_uri(app: &App, handle: &str) -> String {
    format!("{}/r/{handle}", app.config().origin)
}

/// Where the answer to a request of the verifier at `origin` is posted.
pub(crate) fn response_uri(origin: &str, handle: &str) -> String {
    format!("{origin}/a/{handle}")
}

/// The link for a wallet.
pub(crate) fn link(app: &App, handle: &str) -> String {
    let link = Link {
        client_id: app.client_id().to_owned(),
        request_uri: request_uri(app, handle),
        method: Method::Post,
    };
    link.to_string()
}
