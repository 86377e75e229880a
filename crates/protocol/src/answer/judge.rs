//! What a verified answer means: one of three outcomes, with reasons by code.
//!
//! "Could not tell" never turns into "no": stale facts are undetermined whatever they say.

use serde_json::Value;
use vouchsafe_proofs::encoding::date_from;

use super::verify::{Proven, accept};
use crate::decision::{Evidence, Outcome, Reason};
use crate::openid4vp::Asked;
use crate::policy::{Condition, Holds, PlannedOutcome, SubjectBinding, Test, holds, is_fresh};
use crate::sd_jwt::vc::Verified;
use crate::status::Standing;
use crate::zkc;

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Met, not met or undetermined.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What it rests on.
    pub evidence: Evidence,
}

impl Proven {
    /// Step 12: status, freshness, then shown values, then what the chosen option means. `expect` is what the service
    /// said it knows of its applicant, for a policy that binds by a disclosed claim.
    #[must_use]
    pub fn judge(&self, asked: &Asked, expect: Option<&str>) -> Judged {
        let evidence = if self.proved { Evidence::Proved } else { Evidence::Disclosed };
        let (outcome, reason) = self.outcome(asked, expect);
        Judged { outcome, reasons: vec![reason], evidence }
    }

    fn outcome(&self, asked: &Asked, expect: Option<&str>) -> (Outcome, Reason) {
        if let Some(settled) = settled(self.standing) {
            return settled;
        }
        let stale = self.credentials.iter().find_map(|(_, credential)| stale(asked, credential));
        if let Some(reason) = stale {
            return (Outcome::Undetermined, reason);
        }
        if !self.is_expected(asked, expect) {
            return (Outcome::Undetermined, Reason::ExpectedDiffers);
        }
        match self.chosen.outcome() {
            PlannedOutcome::NotMet => (Outcome::NotMet, Reason::ContraryProved),
            PlannedOutcome::Met => self.shown(asked),
        }
    }

    /// Every value that was shown and not proved, against its condition. One against it settles the matter.
    fn shown(&self, asked: &Asked) -> (Outcome, Reason) {
        let mut result = (Outcome::Met, Reason::ConditionsMet);
        let judged = |condition: &&Condition| !self.proved || condition.op == Test::Show;
        for condition in asked.policy().conditions.iter().filter(judged) {
            let held = self
                .claim(&condition.pointer)
                .map(|value| holds(condition, asked.tables(), asked.as_of(), value));
            match held {
                Some(Ok(Holds::Yes)) => {}
                Some(Ok(Holds::No)) => return (Outcome::NotMet, Reason::ConditionNotMet),
                _ => result = (Outcome::Undetermined, Reason::ValueUnreadable),
            }
        }
        result
    }

    fn is_expected(&self, asked: &Asked, expect: Option<&str>) -> bool {
        match &asked.policy().subject_binding {
            SubjectBinding::Disclosed(claim) => {
                let shown = self.claim(&format!("/{claim}")).and_then(Value::as_str);
                shown.is_some() && shown == expect
            }
            _ => true,
        }
    }

    /// A claim of the one credential that was presented.
    fn claim(&self, pointer: &str) -> Option<&Value> {
        self.credentials.iter().find_map(|(_, credential)| pointer_in(credential, pointer))
    }
}

/// What a status other than valid means. A list that speaks against the credential is evidence, like a shown value; a
/// list that cannot be read is none.
fn settled(standing: Standing) -> Option<(Outcome, Reason)> {
    match standing {
        Standing::Valid => None,
        Standing::Unknown => Some((Outcome::Undetermined, Reason::StatusUnknown)),
        Standing::Suspended => Some((Outcome::NotMet, Reason::Suspended)),
        Standing::Revoked => Some((Outcome::NotMet, Reason::Revoked)),
    }
}

fn pointer_in<'a>(credential: &'a Verified, pointer: &str) -> Option<&'a Value> {
    let (first, rest) =
        pointer.strip_prefix('/')?.split_once('/').map_or((&pointer[1..], None), |(f, r)| (f, Some(r)));
    let value = credential.claims().get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
}

/// Why the facts of a credential cannot be used on the day of asking.
fn stale(asked: &Asked, credential: &Verified) -> Option<Reason> {
    let dated = credential.always_visible(zkc::FACTS_AS_OF).and_then(Value::as_str);
    let Some(Ok(facts_as_of)) = dated.map(date_from) else { return Some(Reason::FactsUndated) };
    let max_age_days = accept(asked, credential).map_or(0, |accept| accept.max_age_days);
    (!is_fresh(facts_as_of, asked.as_of(), max_age_days)).then_some(Reason::FactsStale)
}
