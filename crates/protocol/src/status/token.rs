//! The signed token around a list: who may sign it, for which URI, for how long (sections 5 and 8.3).

use vouchsafe_mutants as mutants;

use super::list::{Bits, List, ListError, OutOfRange};
use super::{Standing, cwt, jwt, origin};
use crate::jose::jws::JwsError;
use crate::jose::x5c::VerifiedLeaf;
use crate::jose::{SignatureVerifier, Signer};
use crate::time::{SKEW, UnixTime};

/// Why a status list token says nothing. The fault of who published it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than the caller allows.
    #[error("the status list token is longer than allowed")]
    TooLong,
    /// Not a JWT that counts.
    #[error("the status list token: {0}")]
    Jose(#[from] JwsError),
    /// Not a COSE_Sign1 that counts.
    #[error("the status list token is not the signed CBOR that the standard says")]
    Cose,
    /// The CWT is of another type.
    #[error("the status list token is of another type")]
    Typ,
    /// The CWT's algorithm is not accepted, or not the one of the key.
    #[error("the status list token's algorithm is not accepted")]
    Alg,
    /// The CWT demands an extension that is not implemented.
    #[error("the status list token demands an extension that is not implemented")]
    Critical,
    /// The CWT's signature does not verify.
    #[error("the status list token's signature does not verify")]
    Signature,
    /// The certificate path that was validated is not the one of the token.
    #[error("the status list token carries another certificate path than was validated")]
    Path,
    /// The key is not entitled to speak for this issuer.
    #[error("the status list token is signed by somebody who does not speak for the issuer")]
    Signer,
    /// A required claim is absent or of another type.
    #[error("the status list token lacks a required claim or has one of another type")]
    Malformed,
    /// `sub` is not the URI that the list was fetched from.
    #[error("the status list token is for another URI")]
    Subject,
    /// `iat` lies in the future.
    #[error("the status list token is from the future")]
    NotYetValid,
    /// `exp` has passed.
    #[error("the status list token has expired")]
    Expired,
    /// The list inside.
    #[error(transparent)]
    List(#[from] ListError),
}

/// What is expected of a token.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The URI that the credential names, from which the list was fetched.
    pub uri: &'a str,
    /// Who must have signed it.
    pub signer: Entitled<'a>,
    /// The instant of checking.
    pub now: UnixTime,
    /// The most bytes that the list may inflate to.
    pub max_inflated: usize,
}

/// Who may sign the list, besides ending its path at an anchor that counts for the issuer.
#[derive(Clone, Copy)]
pub struct Entitled<'a> {
    /// The issuer of the credential: a leaf that names it among its URIs may.
    pub iss: &'a str,
    /// The number of the extended key usage `id-kp-oauthStatusSigning` (section 10), once one is assigned or agreed.
    /// A leaf that has it and names the origin of the list's URI may sign as well: a host that does this for issuers.
    pub status_signing: Option<&'a str>,
}

impl Entitled<'_> {
    fn covers(&self, leaf: &VerifiedLeaf, uri: &str) -> bool {
        let names = |wanted: &str| leaf.uris().iter().any(|uri| uri == wanted);
        let delegated = || {
            let marked = self.status_signing.is_some_and(|oid| leaf.purposes().iter().any(|one| one == oid));
            marked && origin(uri).is_some_and(|origin| names(&origin))
        };
        names(self.iss) || delegated()
    }
}

/// The claims of a token as read, from either form.
pub(super) struct Claims<'a> {
    pub(super) sub: &'a str,
    pub(super) issued_at: UnixTime,
    pub(super) expires_at: Option<UnixTime>,
    pub(super) ttl: Option<i64>,
    pub(super) bits: u64,
    pub(super) compressed: &'a [u8],
}

impl Claims<'_> {
    /// Section 8.3, steps 3 to 5.
    pub(super) fn check(self, expected: &Expected<'_>) -> Result<Token, TokenError> {
        if !(mutants::skips("status-sub") || self.sub == expected.uri) {
            return Err(TokenError::Subject);
        }
        if !(mutants::skips("status-iat") || self.issued_at <= expected.now.plus(SKEW)) {
            return Err(TokenError::NotYetValid);
        }
        let good = self.expires_at.is_none_or(|exp| expected.now < exp.plus(SKEW));
        if !(mutants::skips("status-exp") || good) {
            return Err(TokenError::Expired);
        }
        let bits = Bits::from_number(self.bits).ok_or(TokenError::Malformed)?;
        let list = List::inflate(bits, self.compressed, expected.max_inflated)?;
        let Self { issued_at, expires_at, ttl, .. } = self;
        Ok(Token { issued_at, expires_at, ttl, list })
    }
}

/// A status list token as it was received: well-formed, not verified.
pub struct Received(Form);

enum Form {
    Jwt(Box<jwt::Received>),
    Cwt(Box<cwt::Received>),
}

impl Received {
    /// Reads a token as JWT, of at most `most` bytes.
    ///
    /// # Errors
    /// [`TokenError`], as far as form goes.
    pub fn jwt(text: &[u8], most: usize) -> Result<Self, TokenError> {
        Ok(Self(Form::Jwt(Box::new(jwt::Received::parse(text, most)?))))
    }

    /// Reads a token as CWT, of at most `most` bytes.
    ///
    /// # Errors
    /// [`TokenError`], as far as form goes.
    pub fn cwt(bytes: &[u8], most: usize) -> Result<Self, TokenError> {
        if !(mutants::skips("status-size") || bytes.len() <= most) {
            return Err(TokenError::TooLong);
        }
        Ok(Self(Form::Cwt(Box::new(cwt::Received::parse(bytes)?))))
    }

    /// The certificate path that the token carries, leaf first; empty when it carries none. To be validated under the
    /// anchors that count for the issuer.
    #[must_use]
    pub fn x5c(&self) -> &[Vec<u8>] {
        match &self.0 {
            Form::Jwt(token) => token.x5c(),
            Form::Cwt(token) => token.x5c(),
        }
    }

    /// Checks type, signature, signer, claims, and inflates the list.
    ///
    /// # Errors
    /// [`TokenError`]; then nothing can be said of any credential.
    pub fn verify(
        self,
        leaf: &VerifiedLeaf,
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Token, TokenError> {
        if !(mutants::skips("status-x5c-leaf") || self.x5c() == leaf.x5c()) {
            return Err(TokenError::Path);
        }
        if !(mutants::skips("status-signer") || expected.signer.covers(leaf, expected.uri)) {
            return Err(TokenError::Signer);
        }
        match self.0 {
            Form::Jwt(token) => token.verify(leaf.key(), expected, verifier),
            Form::Cwt(token) => token.verify(leaf.key(), expected, verifier),
        }
    }
}

/// A status list whose signature, signer and claims were checked.
#[derive(Clone)]
pub struct Token {
    issued_at: UnixTime,
    expires_at: Option<UnixTime>,
    ttl: Option<i64>,
    list: List,
}

impl Token {
    /// When it was signed.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// When it stops saying anything; never, when the publisher does not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// For how many seconds it may be kept, when the publisher says.
    #[must_use]
    pub fn ttl(&self) -> Option<i64> {
        self.ttl
    }

    /// The list.
    #[must_use]
    pub fn list(&self) -> &List {
        &self.list
    }

    /// What it says of the credential at `idx`.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn standing(&self, idx: u64) -> Result<Standing, OutOfRange> {
        Ok(Standing::of(self.list.get(idx)?))
    }
}

/// A list to be signed.
#[derive(Clone, Copy)]
pub struct Publication<'a> {
    /// Where it will be fetched from.
    pub uri: &'a str,
    /// When it is signed.
    pub issued_at: UnixTime,
    /// When it stops saying anything.
    pub expires_at: UnixTime,
    /// For how many seconds it may be kept.
    pub ttl: i64,
    /// The values.
    pub list: &'a List,
}

impl Publication<'_> {
    /// Signs as JWT and as CWT: the list is compressed once.
    ///
    /// # Errors
    /// The key could not sign.
    pub async fn sign<D: AsRef<[u8]>>(
        &self,
        signer: &dyn Signer,
        chain: &[D],
    ) -> Result<(String, Vec<u8>), crate::jose::SignError> {
        let compressed = self.list.deflate();
        let jwt = crate::jose::jws::sign(self.jwt(&compressed, signer.alg(), chain), signer).await?;
        let unsigned = self.cwt(compressed, signer.alg(), chain);
        let signature = signer.sign(unsigned.signing_input()).await?;
        Ok((jwt, unsigned.finish(&signature)))
    }
}
