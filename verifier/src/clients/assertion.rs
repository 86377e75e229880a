//! How a client shows who it is: a JWT signed with its own key.
//!
//! RFC 7521 4.2 and RFC 7523 2.2 and 3, narrowed as their update does after audiences of other servers could be passed
//! on: `aud` is our issuer identifier, alone and as a string, and never the address of an endpoint; `typ` says what the
//! token is for; `exp` is at most five minutes away. The key is one of those that the operator registered for the client,
//! chosen by `kid`; nothing in the token brings a key along.
//!
//! Security: [`verify`] does not know whether an assertion was used before; its caller uses [`Assertion::once`] up.

use std::sync::Arc;

use serde::Deserialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::SignatureVerifier;
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::time::{SKEW, UnixTime};

use super::{Client, Clients};

/// The `typ` of a client assertion.
pub const TYP: &str = "client-authentication+jwt";
/// The `client_assertion_type` of RFC 7523 2.2.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far away `exp` may be, in seconds.
pub const MAX_LIFE: i64 = 300;
/// The most bytes of one assertion.
const MAX_BYTES: usize = 4096;
/// The least and the most bytes of a `jti`.
const JTI: std::ops::RangeInclusive<usize> = 8..=256;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    // Not a list: RFC 7519 4.1.3 would let one name other servers beside us.
    aud: String,
    exp: UnixTime,
    jti: String,
    iat: Option<UnixTime>,
    nbf: Option<UnixTime>,
}

/// Why an assertion shows nobody. All are the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Not a signed token.
    #[error("the client assertion is not a JWT with the claims iss, sub, aud, exp and jti")]
    Malformed,
    /// Another `typ`.
    #[error("the typ of a client assertion is client-authentication+jwt")]
    Typ,
    /// Unknown client, unknown key, or a signature of somebody else: told apart for nobody.
    #[error("the client assertion is not signed with a registered key of a known client")]
    Unknown,
    /// For somebody else.
    #[error("the aud of a client assertion is the issuer identifier, as one string")]
    Audience,
    /// Expired, or for too long, or not yet.
    #[error("the exp of a client assertion is at most five minutes away, and it is valid now")]
    Time,
}

/// A client that showed who it is.
pub struct Assertion {
    /// The client.
    pub client: Arc<Client>,
    /// What must be new, until [`Assertion::until`].
    pub once: String,
    /// Until when that is remembered: past its end, for replicas whose clocks are behind.
    pub until: UnixTime,
}

/// Checks a client's assertion, cheap before dear.
///
/// # Errors
/// [`AssertionError`].
pub fn verify(
    clients: &Clients,
    text: &str,
    issuer: &str,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Assertion, AssertionError> {
    let compact = Compact::parse(text, MAX_BYTES).map_err(|_| AssertionError::Malformed)?;
    compact.check_typ(TYP).map_err(|_| AssertionError::Typ)?;
    let claims: Claims =
        json::typed(compact.dangerous_payload(), MAX_BYTES).map_err(|_| AssertionError::Malformed)?;
    claims.check(issuer, now)?;
    let client = claims.signer(clients, &compact, verifier).ok_or(AssertionError::Unknown)?;
    let once = format!("{}\n{}", client.id, claims.jti);
    // Another replica may be that far behind when this one has forgotten it.
    let margin = if mutants::skips("api-assertion-kept") { 0 } else { SKEW };
    Ok(Assertion { client: client.clone(), once, until: claims.exp.plus(margin) })
}

impl Claims {
    fn check(&self, issuer: &str, now: UnixTime) -> Result<(), AssertionError> {
        if !(mutants::skips("api-assertion-jti") || JTI.contains(&self.jti.len())) {
            return Err(AssertionError::Malformed);
        }
        if !(mutants::skips("api-assertion-aud") || self.aud == issuer) {
            return Err(AssertionError::Audience);
        }
        let live = mutants::skips("api-assertion-exp") || now < self.exp;
        let short = mutants::skips("api-assertion-life") || self.exp <= now.plus(MAX_LIFE);
        let begun = |at: Option<UnixTime>| at.is_none_or(|at| at <= now.plus(SKEW));
        let begun = mutants::skips("api-assertion-begun") || (begun(self.iat) && begun(self.nbf));
        if live && short && begun { Ok(()) } else { Err(AssertionError::Time) }
    }

    /// The client that says so of itself (RFC 7523 3: `iss` and `sub` are the client) and signed it.
    fn signer<'c>(
        &self,
        clients: &'c Clients,
        compact: &Compact,
        verifier: &dyn SignatureVerifier,
    ) -> Option<&'c Arc<Client>> {
        if !(mutants::skips("api-assertion-sub") || self.iss == self.sub) {
            return None;
        }
        let client = clients.find(&self.iss)?;
        let kid = compact.header().kid()?;
        let key = client.keys.iter().find(|key| key.kid.as_deref() == Some(kid))?;
        compact.clone().verify(TYP, &key.key, verifier).is_ok().then_some(client)
    }
}
