//! Who may use the endpoints behind an access token: RFC 6750, and RFC 9449 for tokens that are bound to a key.
//!
//! A bound token is taken with a proof of its key alone, made for this call, with a nonce of ours, and once. The address
//! in a proof is held against the configured one; `Host` is not looked at.

use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::dpop::{Call, Proof};
use vouchsafe_protocol::openid4vci::token::TokenType;
use vouchsafe_protocol::time::SKEW;
use vouchsafe_service::keys::Jws;
use zeroize::Zeroizing;

use super::Refusal;
use crate::app::App;
use crate::nonce::{self, Use};
use crate::store::{Grant, Mac, Store, StoreError};

/// The header of a proof.
const DPOP: &str = "dpop";

/// What a call brought, before anything of it is believed.
pub(super) struct Presented {
    scheme: TokenType,
    token: Zeroizing<String>,
    proofs: Vec<String>,
    path: &'static str,
}

/// A token that is known, has not ended and was sent as it must be.
pub(super) struct Access {
    /// The token's name at rest.
    pub(super) token: Mac,
    /// What it is good for.
    pub(super) grant: Grant,
    /// How it was sent.
    pub(super) scheme: TokenType,
}

impl Presented {
    /// Reads the token of a call to `path`, from the `Authorization` header alone.
    pub(super) fn read(path: &'static str, uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let query = uri.query().unwrap_or_default();
        let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
        // RFC 6750 2.3: a token in an address ends up in logs and histories.
        if !(mutants::skips("vci-token-in-query") || names.into_iter().all(|name| name != "access_token")) {
            return Err(Refusal::TokenInQuery);
        }
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let only = all.next().filter(|_| all.next().is_none()).and_then(|value| value.to_str().ok());
        let (scheme, token) = only.and_then(|value| value.split_once(' ')).ok_or(Refusal::NoToken)?;
        let scheme = TokenType::from_name(scheme).ok_or(Refusal::NoToken)?;
        let token = Zeroizing::new(token.trim().to_owned());
        Ok(Self { scheme, token, proofs: proofs(headers)?, path })
    }

    /// Checks the token and, where it is bound, its proof.
    pub(super) async fn authorise<S: Store>(&self, app: &App<S>) -> Result<Access, Refusal> {
        let refused = Refusal::AccessToken(self.scheme);
        let token = app.secrets().token(&self.token);
        let grant =
            app.store().grant(token).await?.filter(|grant| grant.is_live(app.now())).ok_or(refused)?;
        // RFC 9449 7.2: a bound token that is sent alone was taken from somebody.
        if !(mutants::skips("vci-dpop-downgrade") || grant.jkt.is_none() || self.scheme == TokenType::Dpop) {
            return Err(refused);
        }
        if !(mutants::skips("vci-dpop-unbound") || grant.jkt.is_some() || self.scheme == TokenType::Bearer) {
            return Err(refused);
        }
        if let (Some(bound), TokenType::Dpop) = (grant.jkt, self.scheme) {
            let proof = prove(app, &self.proofs, self.path, Some(&self.token)).await;
            let proof = proof.map_err(Refusal::at_resource)?;
            if !(mutants::skips("vci-dpop-key") || proof == bound) {
                return Err(refused);
            }
        }
        Ok(Access { token, grant, scheme: self.scheme })
    }
}

/// Every proof of a call.
pub(super) fn proofs(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned);
    let all: Result<Vec<_>, _> = headers.get_all(DPOP).iter().map(text).collect();
    all.map_err(|_| Refusal::at_resource(Unproved::Proof))
}

/// Why a call has not proved possession of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproved {
    /// The proof is missing, wrong, for something else, or was used before.
    Proof,
    /// It lacks a live nonce of ours.
    Nonce,
    /// The store failed.
    Store(StoreError),
}

/// The name at rest of the key that a call's proof was made with.
pub(super) async fn prove<S: Store>(
    app: &App<S>,
    sent: &[String],
    path: &str,
    token: Option<&str>,
) -> Result<Mac, Unproved> {
    let now = app.now();
    let url = format!("{}{path}", app.issuer());
    let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    let call = Call { method: "POST", url: &url, token, now };
    let proof = Proof::verify(&sent, &call, &Jws).map_err(|error| {
        tracing::info!(reason = %error, "refused a proof of a token's key");
        Unproved::Proof
    })?;
    let ttl = app.offer_settings().nonce_seconds;
    let live =
        proof.nonce().is_some_and(|nonce| nonce::check(app.secrets(), Use::Token, nonce, now, ttl).is_ok());
    if !(mutants::skips("vci-dpop-nonce") || live) {
        return Err(Unproved::Nonce);
    }
    let used = app.secrets().used_proof(proof.thumbprint(), proof.jti());
    // Another replica may be that far behind when this one has forgotten it.
    let margin = if mutants::skips("vci-proof-kept") { 0 } else { SKEW };
    let first =
        app.store().see_proof(used, proof.forget_at().plus(margin), now).await.map_err(Unproved::Store)?;
    if first { Ok(app.secrets().bound_key(proof.thumbprint())) } else { Err(Unproved::Proof) }
}

/// A fresh nonce for the proofs of tokens' keys, on every answer of an endpoint that takes them.
pub(super) async fn offer_nonce<S: Store>(
    axum::extract::State(app): axum::extract::State<Arc<App<S>>>,
    mut response: axum::response::Response,
) -> axum::response::Response {
    let nonce = nonce::fresh(app.secrets(), Use::Token, app.now(), app.entropy());
    if let Ok(value) = nonce.parse() {
        response.headers_mut().insert("dpop-nonce", value);
    }
    response
}
