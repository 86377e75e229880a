//! Proofs of possession for access tokens: DPoP (RFC 9449).
//!
//! A token that is bound to a key ([`thumbprint`], `cnf.jkt`) is of no use to who reads it in a log or on a proxy:
//! each use needs a proof, signed with the key, for one method, one address, one token and a nonce of the server.
//!
//! Security: whoever made a proof chose the key in it, so a proof shows possession and nothing more: a server binds
//! a token to the key once, and compares each time. The address is that of the configuration, never of the `Host`
//! field. Two things are left to the server's store: that a nonce is live ([`Proof::nonce`]), and that a `jti` is new
//! until [`Proof::forget_at`].

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, sha256};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::time::{SKEW, UnixTime};

/// The `typ` of a proof.
pub const TYP: &str = "dpop+jwt";

/// How old a proof may be, in seconds.
pub const MAX_AGE: i64 = 300;

/// The algorithms that proofs may be signed with.
pub const ALGORITHMS: [Alg; 1] = [Alg::Es256];

/// The most bytes of one proof.
const MAX_PROOF: usize = 4 * 1024;

/// The most bytes of a `jti`, which a server keeps as a digest.
const MAX_JTI: usize = 256;

/// The call that a proof is for.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The HTTP method, in capitals.
    pub method: &'a str,
    /// The address as it was published.
    pub url: &'a str,
    /// The access token that goes with it; none at the token endpoint.
    pub token: Option<&'a str>,
    /// The time of the call.
    pub now: UnixTime,
}

/// Why a proof is refused. All are the client's fault; on the wire they are `invalid_dpop_proof`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DpopError {
    /// Not exactly one header.
    #[error("a call carries exactly one proof in its DPoP header")]
    One,
    /// Not a signed token of the type, or its signature does not verify.
    #[error("the proof is not a token of type dpop+jwt, signed by the key in it")]
    Token,
    /// The key is missing, private, or of another algorithm.
    #[error("the proof carries no public key for ES256")]
    Key,
    /// A claim is missing, of another type or too long.
    #[error("the proof lacks jti, htm, htu or iat")]
    Claims,
    /// For another method.
    #[error("the proof is for another method")]
    Method,
    /// For another address.
    #[error("the proof is for another address")]
    Url,
    /// Too old, or from the future.
    #[error("the proof was not made just now")]
    Time,
    /// For another access token, or for none.
    #[error("the proof is for another access token, or for none")]
    AccessToken,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: UnixTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// The thumbprint by which a token is bound to a key: `jkt` (section 6.1).
#[must_use]
pub fn thumbprint(key: &PublicJwk) -> [u8; 32] {
    key.thumbprint()
}

/// The bytes to sign for a call with `key`. `jti` has at least 96 bits of chance (section 4.2).
#[must_use]
pub fn unsigned(key: &PublicJwk, call: &Call<'_>, jti: &str, nonce: Option<&str>) -> Unsigned {
    let header = NewHeader::new(key.alg(), TYP).jwk(key).encode();
    let claims = Claims {
        jti: jti.to_owned(),
        htm: call.method.to_owned(),
        htu: target(call.url).map_or_else(|| call.url.to_owned(), String::from),
        iat: call.now,
        ath: call.token.map(digest),
        nonce: nonce.map(str::to_owned),
    };
    Unsigned::new(&header, &claims).expect("the claims are strings and an integer")
}

/// A proof whose signature, call and time were checked.
pub struct Proof {
    thumbprint: [u8; 32],
    jti: String,
    nonce: Option<String>,
    forget_at: UnixTime,
}

impl Proof {
    /// Checks the proof of a call (section 4.3). `sent` is every `DPoP` header of it.
    ///
    /// # Errors
    /// [`DpopError`].
    pub fn verify(
        sent: &[&str],
        call: &Call<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Self, DpopError> {
        // 4.3, 1: of two headers, two readers could take two different ones.
        let one = sent.len() == 1 || mutants::skips("dpop-one");
        let text = sent.first().filter(|_| one).ok_or(DpopError::One)?;
        let compact = Compact::parse(text, MAX_PROOF).map_err(|_| DpopError::Token)?;
        if !(mutants::skips("dpop-typ") || compact.header().is_typ(TYP)) {
            return Err(DpopError::Token);
        }
        let key = key(&compact)?;
        compact.check_alg(&key).map_err(|_| DpopError::Token)?;
        if !(mutants::skips("dpop-signature") || compact.is_signed_by(&key, verifier)) {
            return Err(DpopError::Token);
        }
        let claims = crate::json::typed::<Claims>(compact.dangerous_payload(), MAX_PROOF);
        let claims = claims.map_err(|_| DpopError::Claims)?;
        check(&claims, call)?;
        let forget_at = claims.iat.plus(MAX_AGE + SKEW + 1);
        Ok(Self { thumbprint: thumbprint(&key), jti: claims.jti, nonce: claims.nonce, forget_at })
    }

    /// The thumbprint of the key that made it.
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// `jti`: a server takes it once until [`Self::forget_at`].
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// The nonce in it. A server that hands out nonces refuses a proof without a live one: `use_dpop_nonce`.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// From when on its age alone has it refused.
    #[must_use]
    pub fn forget_at(&self) -> UnixTime {
        self.forget_at
    }
}

fn key(compact: &Compact) -> Result<PublicJwk, DpopError> {
    let key = compact.header().dangerous_embedded_jwk().map_err(|_| DpopError::Key)?;
    if !(mutants::skips("dpop-alg") || ALGORITHMS.contains(&key.alg())) {
        return Err(DpopError::Key);
    }
    Ok(key)
}

fn check(claims: &Claims, call: &Call<'_>) -> Result<(), DpopError> {
    let named = !claims.jti.is_empty() && claims.jti.len() <= MAX_JTI;
    if !(mutants::skips("dpop-jti") || named) {
        return Err(DpopError::Claims);
    }
    if !(mutants::skips("dpop-htm") || claims.htm == call.method) {
        return Err(DpopError::Method);
    }
    // 4.3, 9: the address that we published; a proof for a proxy's inner address is for another server.
    let same = target(&claims.htu).is_some_and(|htu| Some(htu) == target(call.url));
    if !(mutants::skips("dpop-htu") || same) {
        return Err(DpopError::Url);
    }
    if !(mutants::skips("dpop-future") || claims.iat <= call.now.plus(SKEW)) {
        return Err(DpopError::Time);
    }
    if !(mutants::skips("dpop-old") || claims.iat >= call.now.minus(MAX_AGE + SKEW)) {
        return Err(DpopError::Time);
    }
    // 4.3, 11: a proof made for another token must not lend this one its signature.
    let for_it = call.token.is_none_or(|token| claims.ath.as_deref() == Some(&digest(token)));
    if !(mutants::skips("dpop-ath") || for_it) {
        return Err(DpopError::AccessToken);
    }
    Ok(())
}

/// `ath`: the digest of an access token (section 4.2).
fn digest(token: &str) -> String {
    b64u(sha256(token))
}

/// An address in its normal form, without query and fragment (section 4.3, 9; RFC 3986 section 6.2).
fn target(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}
