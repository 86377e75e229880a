//! What a service may know a returning resident by, and how often it decides for one (`specs/profiles/policy.md`).
//!
//! The name comes from the wallet's link secret, of which an issuer holds each person to one: so one issuer, or one person
//! would have two names. Security: the name hides nothing from an issuer and a service that put together what they have.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::{Body, Condition, PolicyError, Subject, SubjectBinding, Test, Way};
use crate::statement::is_id;
use crate::types::is_proof;

/// The most often that a service decides for one person.
const MOST: u32 = 1000;

/// What a pseudonym is for. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pseudonymous {
    /// The action, a name of the service's own.
    pub action: String,
    /// How long the name stays the same.
    pub epoch: Epoch,
    /// How many decisions of one person in one epoch may be met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Of a policy with ways: the need of each that the name is of, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// How long a pseudonym stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Epoch {
    /// A calendar year.
    Year,
    /// A calendar month.
    Month,
    /// For ever.
    None,
}

impl Epoch {
    /// The epoch's name on the day of asking: `2026`, `2026-11`, `always`.
    #[must_use]
    pub fn text(self, as_of: Date) -> String {
        match self {
            Self::Year => format!("{:04}", as_of.year()),
            Self::Month => format!("{:04}-{:02}", as_of.year(), as_of.month()),
            Self::None => "always".to_owned(),
        }
    }

    /// The first day of the next epoch; none where there is no next.
    #[must_use]
    pub fn next(self, as_of: Date) -> Option<Date> {
        match self {
            Self::Year => as_of.first_of_year().checked_add(1.year()).ok(),
            Self::Month => as_of.first_of_month().checked_add(1.month()).ok(),
            Self::None => None,
        }
    }
}

/// A pseudonym as a request asks for it. Closed. The service is not in it: whose it is follows from who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedPseudonym {
    /// The action.
    pub action: String,
    /// The epoch by its name.
    pub epoch: String,
    /// The query of each option whose credential it is of.
    pub queries: Vec<String>,
}

impl Pseudonymous {
    /// The same on the day of asking, of these queries.
    pub(super) fn asked(&self, as_of: Date, queries: Vec<String>) -> AskedPseudonym {
        AskedPseudonym { action: self.action.clone(), epoch: self.epoch.text(as_of), queries }
    }

    fn check(&self, body: &Body) -> Result<(), &'static str> {
        let named = self.action.len() <= 32 && is_id(&self.action);
        if !(mutants::skips("vp-nym-action") || named) {
            return Err("the action of [pseudonym] must be 1 to 32 letters, digits, '-' and '_'");
        }
        if !(mutants::skips("vp-nym-most") || self.at_most.is_none_or(|most| (1..=MOST).contains(&most))) {
            return Err("at_most of [pseudonym] is 1 to 1000");
        }
        if !(mutants::skips("vp-nym-person") || body.subject == Subject::SamePerson) {
            return Err("a pseudonym is one person's, and the subject is same_household");
        }
        let sources = self.sources(body)?;
        if !(mutants::skips("vp-nym-proof") || sources.iter().all(|(vct, _)| is_proof(vct))) {
            return Err("a pseudonym is shown from proof types alone: accept no plain type");
        }
        let issuers: BTreeSet<&String> = sources.iter().flat_map(|(_, iss)| *iss).collect();
        if !(mutants::skips("vp-nym-issuer") || issuers.len() == 1) {
            return Err(
                "a pseudonym is shown from credentials of exactly one issuer: two could give one person two names",
            );
        }
        Ok(())
    }

    /// The type and issuers of each credential that it is shown from. Each is one that something is proved of: the proof
    /// has the pseudonym in it.
    fn sources<'b>(&self, body: &'b Body) -> Result<Vec<(&'b str, &'b [String])>, &'static str> {
        if body.ways.is_empty() {
            if !(mutants::skips("vp-nym-needs") || self.needs.is_empty()) {
                return Err("needs of [pseudonym] are those of ways, and the policy has none");
            }
            if !(mutants::skips("vp-nym-asked") || body.conditions.iter().any(is_proved)) {
                return Err(
                    "a pseudonym goes with something that is proved: the policy has no such condition",
                );
            }
            return Ok(body.every_source().collect());
        }
        if !(mutants::skips("vp-nym-needs") || self.needs.len() == body.ways.len()) {
            return Err("needs of [pseudonym] has one need of each way, in their order");
        }
        self.needs.iter().zip(&body.ways).map(|(id, way)| of_way(id, way)).collect()
    }
}

fn of_way<'b>(id: &str, way: &'b Way) -> Result<(&'b str, &'b [String]), &'static str> {
    let need = way.need(id).ok_or("needs of [pseudonym] has one need of each way, in their order")?;
    // Of several needs each is compared with another.
    let proved = way.needs.len() > 1 || way.conditions.iter().any(is_proved);
    if !(mutants::skips("vp-nym-asked") || proved) {
        return Err("a pseudonym goes with something that is proved: a way has no such condition");
    }
    Ok((need.vct.as_str(), need.iss.as_slice()))
}

fn is_proved(condition: &Condition) -> bool {
    condition.op != Test::Show
}

/// The binding and what it needs go together.
pub(super) fn check(body: &Body) -> Result<(), PolicyError> {
    let bound = body.subject_binding == SubjectBinding::Pseudonym;
    match &body.pseudonym {
        Some(said) if mutants::skips("vp-nym-binding") || bound => {
            said.check(body).map_err(PolicyError::Unusable)
        }
        Some(_) => Err(PolicyError::Unusable("[pseudonym] goes with subject_binding = \"pseudonym\"")),
        None if bound && !mutants::skips("vp-nym-said") => Err(PolicyError::Unusable(
            "subject_binding pseudonym needs [pseudonym]: its action, its epoch, and perhaps at_most",
        )),
        None => Ok(()),
    }
}
