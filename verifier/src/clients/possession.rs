//! Proofs of a token's key: DPoP (RFC 9449), for clients that bind their tokens.
//!
//! A client that sends a proof when it asks for a token gets one that is good with that key alone: each call then carries a
//! proof for its method, its address and its token. The address is held against the configured origin; `Host` is not
//! looked at. No nonces are given out: a proof counts for some minutes and once, and whoever can sign one for later holds
//! the key.
//!
//! Security: [`check`] says whose key it is and not whether the proof is new; [`spend`] uses it up, after everything else
//! that may refuse the call.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::dpop::{Call, Proof};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::time::SKEW;

use crate::app::{App, Unavailable};
use crate::secrets::Kind;

/// What a call has besides its body: where it goes, and what its sender shows. It holds tokens and is not printed.
pub struct Envelope {
    /// The HTTP method.
    pub method: String,
    /// The path of its address.
    pub path: String,
    /// Every `Authorization` field.
    pub authorizations: Vec<String>,
    /// Every `DPoP` field.
    pub proofs: Vec<String>,
}

/// The proof of a call, if it is good and by this key; by any key where none is known yet.
pub(crate) fn check(
    app: &App,
    envelope: &Envelope,
    token: Option<&str>,
    bound: Option<&[u8; 32]>,
) -> Option<Proof> {
    let url = format!("{}{}", app.config().origin, envelope.path);
    let sent: Vec<&str> = envelope.proofs.iter().map(String::as_str).collect();
    let call = Call { method: &envelope.method, url: &url, token, now: app.now() };
    let proof = Proof::verify(&sent, &call, &app.signatures).ok()?;
    let is_bound = bound.is_none_or(|key| key == proof.thumbprint());
    (mutants::skips("api-dpop-key") || is_bound).then_some(proof)
}

/// Uses a proof up; `false` when it was used before.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn spend(app: &App, proof: &Proof) -> Result<bool, Unavailable> {
    // The key is part of the name: nobody can use up the numbers of another's proofs.
    let name = format!("{}\n{}", b64u(proof.thumbprint()), proof.jti());
    let tag = app.vault().tag(Kind::Proof, &name);
    // Longer than it counts, for replicas whose clocks are behind.
    let margin = if mutants::skips("api-dpop-kept") { 0 } else { SKEW };
    let fresh = app.store().use_once(tag, proof.forget_at().plus(margin), app.now()).await?;
    Ok(mutants::skips("api-dpop-once") || fresh)
}
