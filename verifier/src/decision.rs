//! Decisions: how a request is closed, what is stored of it, and how it is signed from what was stored.
//!
//! The signing input is made before the deciding transaction, since the log leaf is a hash of it; the signature is
//! made afterwards from the stored text. A crash between the two loses nothing.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouchsafe_proofs::pseudonym::Scope;
use vouchsafe_protocol::decision::{
    self, Claims, DecisionError, Evidence, Expected, Outcome, PolicyRef, Pseudonym, Reason,
};
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode, sha256};
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::jose::{NamedJwk, SignError, SignatureVerifier, Signer};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{self, Entropy};

use crate::permissions::Permitted;
use crate::question::Question;
use crate::store::{
    Consume, Count, Day, Effect, Ground, Limit, Once, Request, Resting, ServiceId, StoredDecision,
};

/// What was found out about a request: codes and a name that the service alone knows somebody by, never a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What the answer permits, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<Box<Permitted>>,
}

impl Finding {
    /// An end without an answer.
    #[must_use]
    pub fn without_answer(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reasons: vec![reason], evidence: Evidence::None, pseudonym: None, permitted: None }
    }

    /// The same where as many were met for this person as the policy lets be.
    fn beyond_limit(&self) -> Self {
        let reasons = vec![Reason::LimitReached];
        Self { outcome: Outcome::NotMet, reasons, permitted: None, ..self.clone() }
    }

    /// The same where the permission that the answer rests on is not in force any more.
    fn without_permission() -> Self {
        Self::without_answer(Outcome::Declined, Reason::PermissionWithdrawn)
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

/// The end of a request: what was asked, what was found, and when.
#[derive(Clone, Copy)]
pub struct Closing<'a> {
    /// The request.
    pub request: &'a Request,
    /// What it asked.
    pub question: &'a Question,
    /// What was found.
    pub finding: &'a Finding,
    /// When.
    pub at: UnixTime,
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

    /// The key set that services check decisions with (RFC 7517), and the key of records, each by its `kid`.
    #[must_use]
    pub fn jwks(&self, records: &NamedJwk) -> Value {
        let key = NamedJwk {
            key: self.signer.public().clone(),
            kid: Some(self.kid.clone()),
            usage: Some("sig".into()),
            alg: Some(self.signer.alg().as_str().into()),
        };
        json!({"keys": [key.to_value(), records.to_value()]})
    }

    /// Everything that closes the request in one transaction.
    #[must_use]
    pub fn closing(&self, closing: &Closing<'_>, ground: Ground, entropy: &dyn Entropy) -> Consume {
        let Closing { request, question, finding, at } = *closing;
        let effects =
            |finding: &Finding| self.effects(&Closing { finding, ..*closing }, entropy::id16(entropy));
        let count = counted(&request.service, &question.policy, question.as_of, finding);
        let resting = finding.permitted.as_ref().and_then(|permitted| permitted.again()).map(|permission| {
            let ended = Finding::without_permission();
            let (otherwise, effects) = (ended.outcome, effects(&ended));
            Resting { permission: permission.clone(), today: Day::of(question.as_of), otherwise, effects }
        });
        let limit = count.map(|count| {
            let beyond = finding.beyond_limit();
            Limit { count, otherwise: beyond.outcome, effects: effects(&beyond) }
        });
        Consume {
            service: request.service.clone(),
            request: request.id.clone(),
            ground,
            at,
            outcome: finding.outcome,
            effects: effects(finding),
            limit,
            resting,
        }
    }

    fn effects(&self, closing: &Closing<'_>, jti: String) -> Vec<Effect> {
        let Closing { request, finding, .. } = *closing;
        let claims = self.claims(closing, jti);
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

    fn claims(&self, closing: &Closing<'_>, jti: String) -> Claims {
        let Closing { request, question, finding, at } = *closing;
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
            transaction: finding.permitted.as_ref().and_then(|permitted| permitted.transaction()),
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

/// What is counted for a person: decisions that are met, by policies that say how many may be.
///
/// All policies of one service with `at_most` for one action and one epoch count together, whatever else they ask and however
/// many each of them lets be: each holds its own `at_most` against the one count. A policy without `at_most` neither counts
/// nor is counted, although it may know the same person by the same name.
fn counted(service: &ServiceId, policy: &Policy, as_of: Date, finding: &Finding) -> Option<Count> {
    let (said, known_as) = policy.pseudonym.as_ref().zip(finding.pseudonym.as_ref())?;
    let at_most = said.at_most.filter(|_| finding.outcome == Outcome::Met)?;
    let scope = Scope::new(&service.0, &known_as.action, &known_as.epoch)?;
    let over = said.epoch.next(as_of).and_then(UnixTime::of_day);
    Some(Count {
        context: sha256(scope.as_str()),
        nym: b64u_array(&known_as.value).ok()?,
        at_most,
        until: over.map_or(UnixTime(i64::MAX), |over| over.plus(COUNT_GRACE)),
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// How a policy with this `[pseudonym]` counts somebody whom it met on a day of November 2026.
    fn count(id: &str, pseudonym: Value, epoch: &str) -> Option<Count> {
        let action = pseudonym["action"].as_str().unwrap().to_owned();
        let policy = json!({
            "id": id, "version": 1, "purpose": "swim", "subject": "same_person", "subject_binding": "pseudonym",
            "pseudonym": pseudonym, "other_route": {"en": "Ask.", "cy": "Gofynnwch."},
            "accept": [{"vct": "https://a.example/card/1/zk", "iss": ["https://a.example"], "max_age_days": 9}],
            "conditions": [{"id": id, "pointer": "/rooms", "op": "ge", "rule": {"kind": "fixed"}, "k": "3"}],
        });
        let known_as = Pseudonym { action, epoch: epoch.to_owned(), value: b64u([7; 32]) };
        let finding = Finding {
            pseudonym: Some(known_as),
            evidence: Evidence::Proved,
            ..Finding::without_answer(Outcome::Met, Reason::ConditionsMet)
        };
        let service = ServiceId("https://pool.example".into());
        let policy = Policy::from_json(policy).unwrap();
        assert!(counted(&service, &policy, date(2026, 11, 21), &finding.beyond_limit()).is_none());
        counted(&service, &policy, date(2026, 11, 21), &finding)
    }

    #[test]
    fn policies_with_a_limit_for_one_action_and_epoch_count_together() {
        let month = |id, most| {
            count(id, json!({"action": "swim", "epoch": "month", "at_most": most}), "2026-11").unwrap()
        };
        let (first, second) = (month("first", 2), month("second", 3));
        assert_eq!((first.context, first.nym), (second.context, second.nym));
        assert_eq!((first.at_most, second.at_most), (2, 3));
        let unlimited = count("third", json!({"action": "swim", "epoch": "month"}), "2026-11");
        assert!(unlimited.is_none(), "it neither counts nor is counted");
        let year = count("fourth", json!({"action": "swim", "epoch": "year", "at_most": 2}), "2026").unwrap();
        let gym = json!({"action": "gym", "epoch": "month", "at_most": 2});
        let gym = count("fifth", gym, "2026-11").unwrap();
        assert!(year.context != first.context && gym.context != first.context);
    }
}
