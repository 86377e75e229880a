//! The outcome of a request and the signed decision that carries it (`specs/profiles/decision.md`).
//!
//! A decision says how a question ended and by which policy, and holds no attribute value. It is not a bearer
//! token: its audience is one service. Signing is in two steps, and the log leaf is made from what was signed,
//! never from the signature.
//!
//! Security: the reference of the service enters as a salted hash alone; the salt is answered beside the decision
//! and is neither in the token nor in a log.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64u, sha256};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::text::Env;
use crate::time::{SKEW, UnixTime};

/// The `typ` of a decision.
pub const TYP: &str = "vouchsafe-decision+jwt";

/// The most characters a decision may have.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How a request ended. There is no way to read it as yes or no but to name the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every condition holds, by evidence that verified.
    Met,
    /// Verified evidence to the contrary.
    NotMet,
    /// The answer verified, but it could not be told.
    Undetermined,
    /// The resident said no, or their wallet could not: the two look alike.
    Declined,
    /// Nothing came in time that could be decided.
    Expired,
}

impl Outcome {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not_met",
            Self::Undetermined => "undetermined",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

/// Why, by code. Closed: a code never carries a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Proof or disclosure met every condition.
    ConditionsMet,
    /// A disclosed value is against a condition.
    ConditionNotMet,
    /// The resident chose to send a proof of the contrary.
    ContraryProved,
    /// The facts are older than the policy accepts.
    FactsStale,
    /// The credential does not say how old its facts are.
    FactsUndated,
    /// The facts were known before the period was over that they are the total of.
    SourcesIncomplete,
    /// The status of the credential could not be learnt.
    StatusUnknown,
    /// The issuer has suspended the credential.
    Suspended,
    /// The issuer has revoked the credential.
    Revoked,
    /// A value was disclosed whose form the policy cannot compare.
    ValueUnreadable,
    /// An error was posted by the wallet, and nothing else.
    WalletDeclined,
    /// No answer came in time.
    NoAnswer,
    /// The attempts were spent on answers that did not verify.
    AttemptsSpent,
    /// An answer verified, but the browser that asked did not return.
    NotReturned,
    /// What the service expected of the applicant is not what was disclosed.
    ExpectedDiffers,
    /// As many decisions were met in this epoch for the person whom the service knows by this name as its policy lets be.
    LimitReached,
    /// The permission that the answer rested on was taken back before the decision was made.
    PermissionWithdrawn,
}

/// What the service may know the resident by, for one action in one epoch. Closed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pseudonym {
    /// The action.
    pub action: String,
    /// The epoch by its name.
    pub epoch: String,
    /// base64url of the 32 bytes.
    pub value: String,
}

// It is a name of somebody: for its service alone.
impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(…)")
    }
}

/// What an outcome rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A proof about values that stayed hidden.
    Proved,
    /// Values that were shown.
    Disclosed,
    /// Nothing was received.
    None,
}

/// Which policy decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// The policy's id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// base64url of the SHA-256 of its RFC 8785 form.
    pub digest: String,
}

/// The claims of a decision. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The verifier's origin.
    pub iss: String,
    /// The service id.
    pub aud: String,
    /// base64url of 16 random bytes.
    pub jti: String,
    /// When it was signed.
    pub iat: UnixTime,
    /// When it stops being a statement about now.
    pub exp: UnixTime,
    /// The request's id in the verifier's API.
    pub request_id: String,
    /// Test or live.
    pub env: Env,
    /// How the request ended.
    pub outcome: Outcome,
    /// Why, by code.
    pub reasons: Vec<Reason>,
    /// By which policy.
    pub policy: PolicyRef,
    /// The purpose id.
    pub purpose: String,
    /// The civil date that the question was about.
    #[serde(with = "crate::text::civil")]
    pub as_of: jiff::civil::Date,
    /// What the outcome rests on.
    pub evidence: Evidence,
    /// How the answer is tied to the service's applicant, as the policy says it.
    pub subject_binding: String,
    /// What the service may know the resident by, where the policy asks for it and an answer showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<Pseudonym>,
    /// What was permitted: base64url of SHA-256 of the entry, whose salt keeps it from being guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The salted hash of the service's own reference, see [`reference_hash`].
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Why a decision token is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecisionError {
    /// Not a JWS of this type, or its claims are not those of a decision.
    #[error("this is not a decision token; check that the whole token was copied")]
    Malformed,
    /// The signature is not of the given key.
    #[error("the decision is not signed by this verifier's key")]
    Signature,
    /// It is for another service.
    #[error("the decision is for another service")]
    Audience,
    /// It comes from another verifier.
    #[error("the decision comes from another verifier")]
    Issuer,
    /// It answers another request.
    #[error("the decision is about another request; fetch the one of this request")]
    Request,
    /// Test and live mixed.
    #[error("the decision is of another environment (test or live) than its reader")]
    Env,
    /// It is not yet, or no longer, valid.
    #[error("the decision is outside its time; ask again")]
    Time,
}

impl Claims {
    /// The bytes to sign, with `kid` of the verifier's decision key.
    #[must_use]
    pub fn unsigned(&self, alg: Alg, kid: &str) -> Unsigned {
        let header = NewHeader::new(alg, TYP).kid(kid).encode();
        Unsigned::new(&header, self).expect("the claims are strings, integers and codes")
    }

    /// Checks a decision as the service that asked for it does: signature, issuer, audience, request, environment,
    /// time.
    ///
    /// # Errors
    /// [`DecisionError`] names the first check that failed.
    pub fn verify(
        token: &str,
        key: &PublicJwk,
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Self, DecisionError> {
        let compact = Compact::parse(token, MAX_LENGTH).map_err(|_| DecisionError::Malformed)?;
        let payload = compact.verify(TYP, key, verifier).map_err(|_| DecisionError::Signature)?;
        let claims: Self = payload.typed().map_err(|_| DecisionError::Malformed)?;
        claims.check(expected)?;
        Ok(claims)
    }

    fn check(&self, expected: &Expected<'_>) -> Result<(), DecisionError> {
        if !(mutants::skips("vp-decision-iss") || self.iss == expected.iss) {
            return Err(DecisionError::Issuer);
        }
        if !(mutants::skips("vp-decision-aud") || self.aud == expected.aud) {
            return Err(DecisionError::Audience);
        }
        // One resident's decision must not be taken for another's.
        if !(mutants::skips("vp-decision-request") || self.request_id == expected.request_id) {
            return Err(DecisionError::Request);
        }
        if !(mutants::skips("vp-decision-env") || self.env == expected.env) {
            return Err(DecisionError::Env);
        }
        let live = self.iat.0 <= expected.now.0 + SKEW && expected.now.0 < self.exp.0 + SKEW;
        if !(mutants::skips("vp-decision-time") || live) {
            return Err(DecisionError::Time);
        }
        Ok(())
    }
}

/// What the reader of a decision expects of it. All of it is required: a decision for this service may still be
/// about somebody else's request, or about nobody real.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The verifier's origin.
    pub iss: &'a str,
    /// The service's own id.
    pub aud: &'a str,
    /// The id that the verifier's API gave when this service asked.
    pub request_id: &'a str,
    /// Where the service runs: test or live.
    pub env: Env,
    /// The time of reading.
    pub now: UnixTime,
}

/// `x` behind its length as four bytes, big-endian.
fn length_prefixed(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("tokens and references are far below 4 GiB");
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(bytes);
}

/// The claim `ref`: what ties a decision to the service's own file without telling anybody the file's name.
#[must_use]
pub fn reference_hash(salt: &[u8; 16], reference: &str) -> String {
    let mut input = b"vouchsafe/v1/ref".to_vec();
    input.extend_from_slice(salt);
    length_prefixed(&mut input, reference.as_bytes());
    b64u(sha256(&input))
}

/// The log leaf of a signed document: over its type and signing input, never over the signature.
#[must_use]
pub fn leaf(typ: &str, signing_input: &[u8]) -> [u8; 32] {
    let mut input = b"vouchsafe/v1/leaf".to_vec();
    length_prefixed(&mut input, typ.as_bytes());
    length_prefixed(&mut input, signing_input);
    sha256(&input)
}
