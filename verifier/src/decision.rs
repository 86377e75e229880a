//! Decisions: how a request is closed, what is stored of it, and how it is signed from what was stored.
//!
//! The signing input is made before the deciding transaction, since the log leaf is a hash of it; the signature is
//! made afterwards from the stored text. A crash between the two loses nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouchsafe_proofs::pseudonym::Scope;
use vouchsafe_protocol::decision::{
    self, Claims, DecisionError, Evidence, Expected, Outcome, PolicyRef, Pseudonym, Reason,
};
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode, sha256};
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::jose::{NamedJwk, SignError, SignatureVerifier, Signer};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{self, Entropy};

use crate::question::Question;
use crate::store::{Consume, Effect, Ground, Limit, Once, Request, StoredDecision};

/// What was found out about a request: codes and a name that the service alone knows somebody by, never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How it ends.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What that rests on.
    pub evidence: Evidence,
    /// What the service may know the resident by, where its policy asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<Pseudonym>,
}

impl Finding {
    /// An end without an answer.
    #[must_use]
    pub fn without_answer(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reasons: vec![reason], evidence: Evidence::None, pseudonym: None }
    }

    /// The same where as many were met for this person as the policy lets be.
    fn beyond_limit(&self) -> Self {
        Self { outcome: Outcome::NotMet, reasons: vec![Reason::LimitReached], ..self.clone() }
    }

    /// The text that the row keeps between answer and decision.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("codes serialise")
    }

    /// Reads [`Finding::to_text`] back.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Who signs decisions, and how long they are about now.
pub struct Desk {
    signer: Arc<dyn Signer>,
    kid: String,
    origin: String,
    ttl_seconds: i64,
}

impl Desk {
    /// A desk for the verifier at `origin`.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, origin: &str, ttl_seconds: u32) -> Self {
        let kid = b64u(signer.public().thumbprint());
        Self { signer, kid, origin: origin.to_owned(), ttl_seconds: ttl_seconds.into() }
    }

    /// The key set that services check decisions with (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let key = NamedJwk {
            key: self.signer.public().clone(),
            kid: Some(self.kid.clone()),
            usage: Some("sig".into()),
            alg: Some(self.signer.alg().as_str().into()),
        };
        json!({"keys": [key.to_value()]})
    }

    /// Everything that closes `request` with `finding` in one transaction.
    #[must_use]
    pub fn closing(
        &self,
        request: &Request,
        question: &Question,
        finding: &Finding,
        ground: Ground,
        at: UnixTime,
        entropy: &dyn Entropy,
    ) -> Consume {
        let effects =
            |finding: &Finding| self.effects(request, question, finding, at, entropy::id16(entropy));
        let limit = counted(request, question, finding).map(|counted| {
            let beyond = finding.beyond_limit();
            Limit { otherwise: beyond.outcome, effects: effects(&beyond), ..counted }
        });
        Consume {
            service: request.service.clone(),
            request: request.id.clone(),
            ground,
            at,
            outcome: finding.outcome,
            effects: effects(finding),
            limit,
        }
    }

    fn effects(
        &self,
        request: &Request,
        question: &Question,
        finding: &Finding,
        at: UnixTime,
        jti: String,
    ) -> Vec<Effect> {
        let claims = self.claims(request, question, finding, at, jti);
        let unsigned = claims.unsigned(self.signer.alg(), &self.kid);
        let input = unsigned.signing_input();
        let signing_input =
            String::from_utf8(input.to_vec()).expect("a JWS signing input is base64url and a dot");
        vec![
            Effect::Spend(Once::Nonce, request.nonce),
            Effect::Spend(Once::State, request.state),
            Effect::Leaf(decision::leaf(decision::TYP, input)),
            Effect::Decision { jti: claims.jti, signing_input },
            Effect::Outbox(topic(finding.outcome)),
        ]
    }

    fn claims(
        &self,
        request: &Request,
        question: &Question,
        finding: &Finding,
        at: UnixTime,
        jti: String,
    ) -> Claims {
        let policy = &question.policy;
        Claims {
            iss: self.origin.clone(),
            aud: request.service.0.clone(),
            jti,
            iat: at,
            exp: at.plus(self.ttl_seconds),
            request_id: request.id.0.clone(),
            env: question.env(),
            outcome: finding.outcome,
            reasons: finding.reasons.clone(),
            policy: PolicyRef {
                id: policy.id.clone(),
                version: policy.version,
                digest: policy.digest_text(),
            },
            purpose: policy.purpose.clone(),
            as_of: question.as_of,
            evidence: finding.evidence,
            subject_binding: policy.subject_binding.clone().into(),
            pseudonym: finding.pseudonym.clone(),
            transaction: None,
            reference: request.reference.as_ref().map(|reference| reference.hash.clone()),
        }
    }

    /// The decision's JWS, signed from what was stored.
    ///
    /// # Errors
    /// [`SignError`] when the key is away.
    pub async fn sign(&self, stored: &StoredDecision) -> Result<String, SignError> {
        let signature = self.signer.sign(stored.signing_input.as_bytes()).await?;
        Ok(format!("{}.{}", stored.signing_input, b64u(signature)))
    }
}

/// How long a count outlives its epoch, in seconds: a request of its last day may be decided on the next.
const COUNT_GRACE: i64 = 2 * 86_400;

/// What is counted for a person: decisions that are met, where the policy says how many may be.
fn counted(request: &Request, question: &Question, finding: &Finding) -> Option<Limit> {
    let (said, known_as) = question.policy.pseudonym.as_ref().zip(finding.pseudonym.as_ref())?;
    let at_most = said.at_most.filter(|_| finding.outcome == Outcome::Met)?;
    let scope = Scope::new(&request.service.0, &known_as.action, &known_as.epoch)?;
    let over = said.epoch.next(question.as_of).and_then(UnixTime::of_day);
    Some(Limit {
        context: sha256(scope.as_str()),
        nym: b64u_array(&known_as.value).ok()?,
        at_most,
        until: over.map_or(UnixTime(i64::MAX), |over| over.plus(COUNT_GRACE)),
        otherwise: Outcome::NotMet,
        effects: Vec::new(),
    })
}

/// The outcome that a stored signing input states.
#[must_use]
pub fn outcome_of(signing_input: &str) -> Option<Outcome> {
    let (_, claims) = signing_input.split_once('.')?;
    let claims: Claims = serde_json::from_slice(&b64u_decode(claims).ok()?).ok()?;
    Some(claims.outcome)
}

/// Checks a decision with the verifier's published key set, as its service does.
///
/// # Errors
/// [`DecisionError`]; a key that the set does not have is [`DecisionError::Signature`].
pub fn verify(
    token: &str,
    jwks: &Value,
    expected: &Expected<'_>,
    verifier: &dyn SignatureVerifier,
) -> Result<Claims, DecisionError> {
    let compact = Compact::parse(token, decision::MAX_LENGTH).map_err(|_| DecisionError::Malformed)?;
    let kid = compact.header().kid().ok_or(DecisionError::Malformed)?;
    let keys = jwks["keys"].as_array().into_iter().flatten().filter_map(|key| NamedJwk::from_value(key).ok());
    let key = keys.into_iter().find(|key| key.kid.as_deref() == Some(kid)).ok_or(DecisionError::Signature)?;
    Claims::verify(token, &key.key, expected, verifier)
}

/// What the service is told to fetch.
fn topic(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "decision.met",
        Outcome::NotMet => "decision.not_met",
        Outcome::Undetermined => "decision.undetermined",
        Outcome::Declined => "decision.declined",
        Outcome::Expired => "decision.expired",
    }
}
