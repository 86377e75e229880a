//! Access tokens: short, random, good for one client's own scopes, and stored as HMACs alone.
//!
//! RFC 6749 4.4 and 5. A token says nothing about itself, so nothing can be read off it and it is looked up at every
//! call. There is no refresh: a client that can sign asks again.

use std::fmt;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::form::Form;
use vouchsafe_service::entropy;

use super::Scopes;
use super::assertion::{self, Assertion, AssertionError};
use super::possession::{self, Envelope};
use crate::app::{App, Unavailable};
use crate::secrets::Kind;
use crate::store::Grant;

/// How long a token is valid, in seconds.
pub const TTL: i64 = 300;

/// A token that was given out. Not printed.
pub struct Issued {
    /// The token.
    pub token: String,
    /// What it is for.
    pub scopes: Scopes,
    /// Whether it is bound to a key (RFC 9449 5).
    pub bound: bool,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issued(…)")
    }
}

/// Why no token is given.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A member is missing or not of its form.
    #[error("the form lacks grant_type, or shows the client in more ways than one")]
    Request,
    /// Another grant.
    #[error("the grant_type is client_credentials")]
    Grant,
    /// The client is not who it says.
    #[error("the client is not known by its assertion: {0}")]
    Client(#[from] AssertionError),
    /// The assertion was used before.
    #[error("the client assertion was used before")]
    Used,
    /// The proof of the key that the token would be bound to (RFC 9449 5).
    #[error("the proof of a key is missing, not for this call, or was used before")]
    Proof,
    /// A scope is unknown or not this client's.
    #[error("a scope is unknown or not one of this client's")]
    Scope,
    /// The client asks too often.
    #[error("the client asks too often")]
    Rate,
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Gives out a token for a form of RFC 6749 4.4.2.
///
/// # Errors
/// [`TokenError`] says whose fault it is.
pub async fn issue(app: &App, envelope: &Envelope, form: &Form) -> Result<Issued, TokenError> {
    let now = app.now();
    let shown = client(app, form)?;
    if !shown.client.admits(now) {
        return Err(TokenError::Rate);
    }
    let scopes = scopes(form, shown.client.scopes)?;
    let key = bound_key(app, envelope, shown.client.bound).await?;
    let once = app.vault().tag(Kind::Assertion, &shown.once);
    let fresh = app.store().use_once(once, shown.until, now).await.map_err(Unavailable::from)?;
    if !fresh {
        return Err(TokenError::Used);
    }
    let token = entropy::token32(app.entropy());
    let (client, tenant) = (shown.client.id.clone(), shown.client.tenant.clone());
    let grant = Grant { client, tenant, scopes, key, expires_at: now.plus(TTL) };
    let tag = app.vault().tag(Kind::Token, &token);
    app.store().put_token(tag, grant).await.map_err(Unavailable::from)?;
    Ok(Issued { token, scopes, bound: key.is_some() })
}

/// The key that the token will be bound to: that of the proof, if one came.
async fn bound_key(app: &App, envelope: &Envelope, must: bool) -> Result<Option<[u8; 32]>, TokenError> {
    if envelope.proofs.is_empty() {
        let may = mutants::skips("api-dpop-required") || !must;
        return if may { Ok(None) } else { Err(TokenError::Proof) };
    }
    let proof = possession::check(app, envelope, None, None).ok_or(TokenError::Proof)?;
    if possession::spend(app, &proof).await? { Ok(Some(*proof.thumbprint())) } else { Err(TokenError::Proof) }
}

/// Who asks, in one way and no second (RFC 6749 2.3).
fn client(app: &App, form: &Form) -> Result<Assertion, TokenError> {
    let grant = form.member("grant_type").ok_or(TokenError::Request)?;
    if !(mutants::skips("api-grant-type") || grant == "client_credentials") {
        return Err(TokenError::Grant);
    }
    if !(mutants::skips("api-second-method") || form.member("client_secret").is_none()) {
        return Err(TokenError::Request);
    }
    let is_jwt = form.member("client_assertion_type") == Some(assertion::TYPE);
    let text = form.member("client_assertion").filter(|_| mutants::skips("api-assertion-type") || is_jwt);
    let text = text.ok_or(AssertionError::Malformed)?;
    let issuer = &app.config().origin;
    let shown = assertion::verify(app.clients(), text, issuer, app.now(), &app.signatures)?;
    // RFC 7521 4.2: a client_id beside the assertion is the same client.
    let same = form.member("client_id").is_none_or(|id| id == shown.client.id);
    if !(mutants::skips("api-client-id") || same) {
        return Err(AssertionError::Unknown.into());
    }
    Ok(shown)
}

/// What is asked for, or all that the client may have.
fn scopes(form: &Form, allowed: Scopes) -> Result<Scopes, TokenError> {
    let Some(asked) = form.member("scope") else { return Ok(allowed) };
    let asked = Scopes::parse(asked).ok_or(TokenError::Scope)?;
    if !(mutants::skips("api-scope-granted") || asked.within(allowed)) {
        return Err(TokenError::Scope);
    }
    Ok(asked)
}
