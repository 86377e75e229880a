//! What a verified answer means: one of three outcomes, with reasons by code.
//!
//! "Could not tell" never turns into "no": stale facts are undetermined whatever they say.

use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::encoding::date_from;

use super::permitted::Granted;
use super::verify::Proven;
use crate::decision::{Evidence, Outcome, Pseudonym, Reason};
use crate::encoding::b64u;
use crate::openid4vp::Asked;
use crate::permission::Jkt;
use crate::policy::{Holds, Needed, PlannedOutcome, Shown, SubjectBinding, holds, is_fresh};
use crate::sd_jwt::vc::Verified;
use crate::status::Standing;
use crate::types::Month;
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
    /// What the service may know the resident by, where the policy asks for it.
    pub pseudonym: Option<Pseudonym>,
}

impl Proven {
    /// Step 12: status, freshness, then shown values, then what the chosen option means. `expect` is what the service
    /// said it knows of its applicant, for a policy that binds by a disclosed claim.
    #[must_use]
    pub fn judge(&self, asked: &Asked, expect: Option<&str>) -> Judged {
        let evidence = if self.proved { Evidence::Proved } else { Evidence::Disclosed };
        let (outcome, reason) = self.outcome(asked, expect);
        Judged { outcome, reasons: vec![reason], evidence, pseudonym: self.pseudonym(asked) }
    }

    /// The key of the permission that the answer gives, whatever comes of it: an answer under a permission that was given
    /// before must be by the same.
    #[must_use]
    pub fn permission_key(&self) -> Option<&Jkt> {
        self.granted.as_ref().map(Granted::jkt)
    }

    /// As [`Self::judge`], with the permission that the answer gives. Where the outcome is not met, none is given.
    #[must_use]
    pub fn judge_and_grant(self, asked: &Asked, expect: Option<&str>) -> (Judged, Option<Granted>) {
        let judged = self.judge(asked, expect);
        let met = mutants::skips("perm-granted-met") || judged.outcome == Outcome::Met;
        let granted = self.granted.filter(|_| met);
        (judged, granted)
    }

    fn pseudonym(&self, asked: &Asked) -> Option<Pseudonym> {
        let (known_as, said) = self.known_as.zip(asked.plan().pseudonym.as_ref())?;
        Some(Pseudonym { action: said.action.clone(), epoch: said.epoch.clone(), value: b64u(known_as) })
    }

    fn outcome(&self, asked: &Asked, expect: Option<&str>) -> (Outcome, Reason) {
        if let Some(settled) = settled(self.standing).filter(|_| !mutants::skips("vp-standing")) {
            return settled;
        }
        let stale = self.credentials.iter().find_map(|(query, credential)| stale(asked, query, credential));
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
        for shown in asked.shown(&self.chosen) {
            let held =
                self.value(shown).map(|value| holds(&shown.condition, asked.tables(), asked.as_of(), value));
            match held {
                Some(Ok(Holds::Yes)) => {}
                Some(Ok(Holds::No)) => return (Outcome::NotMet, Reason::ConditionNotMet),
                _ => result = (Outcome::Undetermined, Reason::ValueUnreadable),
            }
        }
        result
    }

    /// Whether every claim that the policy binds by is what the service knows of its applicant, and there is one.
    fn is_expected(&self, asked: &Asked, expect: Option<&str>) -> bool {
        let SubjectBinding::Disclosed(claim) = &asked.policy().subject_binding else { return true };
        let pointer = format!("/{claim}");
        let mut binding =
            asked.shown(&self.chosen).iter().filter(|shown| shown.pointer == pointer).peekable();
        let known = |shown| {
            let value = self.value(shown).and_then(Value::as_str);
            value.is_some() && value == expect
        };
        binding.peek().is_some() && binding.all(known)
    }

    /// The value of a shown claim, in the presentation that it was asked of.
    fn value(&self, shown: &Shown) -> Option<&Value> {
        let (_, credential) = self.credentials.iter().find(|(query, _)| *query == shown.query)?;
        pointer_in(credential, &shown.pointer)
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
fn stale(asked: &Asked, query: &str, credential: &Verified) -> Option<Reason> {
    let dated = credential.always_visible(zkc::FACTS_AS_OF).and_then(Value::as_str);
    let Some(Ok(facts_as_of)) = dated.map(date_from) else { return Some(Reason::FactsUndated) };
    let needed = asked.needed(query);
    // What was known before the period was over is not the total of the period.
    let period = needed.and_then(|needed| needed.period.as_deref()).map(Month::parse);
    let over = period.is_none_or(|month| month.is_some_and(|month| month.is_over(facts_as_of)));
    if !(mutants::skips("vp-period-over") || over) {
        return Some(Reason::SourcesIncomplete);
    }
    let max_age_days = needed.map_or(0, |needed: &Needed| needed.max_age_days);
    let fresh = is_fresh(facts_as_of, asked.as_of(), max_age_days);
    (!(mutants::skips("vp-fresh") || fresh)).then_some(Reason::FactsStale)
}
