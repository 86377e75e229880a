//! Looking at a request before answering it.
//!
//! A request is fetched, verified through `vouchsafe_protocol`, compared with what the wallet holds, and told in plain
//! words. Who asks, and what for, are the registrar's words; what would be learnt is rendered by the wallet from the
//! statements and claims alone. Nothing about the resident leaves the wallet here: fetching the request says only that
//! somebody looked at it.

mod assess;
mod batch;
mod counted;
mod direct;
mod fetch;
mod learn;
mod often;
mod over;
mod page;
mod page_direct;
mod page_ways;
pub(crate) mod permits;
pub(crate) mod read;
mod refused;
mod search;
mod together;
mod told;
mod typed;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::trust::Basis;

pub use direct::{Alternative, Direct, DirectPart, Wish};
pub use fetch::{Review, ReviewError};
pub use learn::{Learn, Stated, What};
pub use often::Often;
pub use over::Over;
pub use page::{Page, Part};
pub use permits::{Permits, Permitted};
pub use read::Reading;
pub use together::{About, Compared, Mark, Place, SaidTerm, Sum, Together};

use crate::history::Asked;
use crate::list::Refresh;
use crate::words::Language;

use assess::assess;
pub(crate) use assess::ways;
pub(crate) use counted::Counted;
pub(crate) use fetch::{Fetched, asked};
pub(crate) use over::days_between;
pub(crate) use permits::{back_lines, kept_lines, kind_name};

/// What the resident is told, as data.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// Who asks and what for.
    pub asked: Asked,
    /// The words that the page which asks shows as well, against a mix-up of requests.
    pub match_words: String,
    /// The host that the answer goes to.
    pub host: String,
    /// Test or live.
    #[serde(rename = "env")]
    pub env: Env,
    /// The lawful basis.
    pub basis: Basis,
    /// Who else receives the outcome.
    pub recipients: Vec<Bilingual>,
    /// What people can do who say no.
    pub other_route: Bilingual,
    /// The day of asking.
    #[serde(serialize_with = "learn::date_text")]
    pub as_of: Date,
    /// The ways to answer a policy, in the service's order.
    pub ways: Vec<Way>,
    /// What would be sent where the service asks without a policy; there are no ways then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<Direct>,
    /// What an answer permits besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permits: Option<Permits>,
    /// What seems to be more than is needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<Over>,
}

/// One way to answer: an option of the request.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// Its index among the request's options.
    pub option: usize,
    /// Whether it shows that the rule is **not** met. Never chosen without a separate confirmation.
    pub contrary: bool,
    /// Whether this wallet can take it.
    pub ability: Ability,
    /// The credentials that it takes, one for each query, in order.
    pub parts: Vec<WayPart>,
    /// What the service would learn of several values together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Together>,
    /// Attributes of which this service has learnt much already.
    pub probed: Vec<Probed>,
    /// What the answer would put on the probing budget, by attribute.
    #[serde(skip)]
    pub(crate) counted: BTreeMap<String, Counted>,
}

/// One credential of a way.
#[derive(Clone, Debug, Serialize)]
pub struct WayPart {
    /// The id of the query that it answers.
    pub query: String,
    /// Whether there is one that can, as far as this query alone says.
    pub ability: Ability,
    /// What the service wants.
    pub wanted: Wanted,
    /// The credential that would answer.
    pub held: Option<HeldName>,
    /// Whether the facts are older than the service accepts, or from before the month was over, so that the outcome would
    /// be "could not tell".
    pub stale: bool,
    /// Whether the credential did not count when its status was last looked up: the outcome would be "not met".
    pub suspended: bool,
    /// What the service would learn of it alone.
    pub learn: Vec<Learn>,
    /// Names of what the credential holds and the service would not learn.
    pub hidden: Vec<Bilingual>,
    /// Other credentials that could answer instead, if the resident names one.
    pub others: Vec<HeldName>,
    /// Why to collect a new batch soon, after this answer.
    pub refresh: Option<Refresh>,
}

/// A credential that a service wants, by the names that this wallet knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// What people call it; its type as the service names it, where the wallet has none of it.
    pub name: Bilingual,
    /// Who may have signed it.
    pub issuers: Vec<Bilingual>,
    /// The month that it must be about, `YYYY-MM`.
    pub period: Option<String>,
}

/// A credential by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldName {
    /// Its id in this wallet.
    pub id: String,
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it.
    pub issuer: Bilingual,
}

/// How many different bounds a service would know of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probed {
    /// The claim's pointer.
    pub pointer: String,
    /// What people call it.
    pub label: Bilingual,
    /// Bounds answered so far and in this request.
    pub bounds: usize,
}

/// Whether the wallet can take a way, and if not, what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// It can.
    Can,
    /// No credential of an accepted type and issuer.
    NoneHeld,
    /// The credential has ended: collect a new one.
    TooOld,
    /// Every copy is used: collect new ones.
    NoneLeft,
    /// The body took the credential back: collect a new one.
    Revoked,
    /// The credential does not show what is asked.
    NotMet,
    /// It is about several people, and what this wallet holds is of one of them: the others answer for themselves.
    AnotherPerson,
    /// What is asked leaves so few people together that it says who answers.
    SinglesOut,
    /// The service has asked too many different questions about one attribute.
    Probing,
}

impl Ability {
    /// What the resident reads of it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Can => "choice_share",
            Self::NoneHeld => "cannot_none_held",
            Self::TooOld => "cannot_too_old",
            Self::NoneLeft => "cannot_none_left",
            Self::Revoked => "cannot_revoked",
            Self::NotMet => "cannot_not_met",
            Self::AnotherPerson => "cannot_another_person",
            Self::SinglesOut => "cannot_singles_out",
            Self::Probing => "cannot_probing",
        }
    }

    /// From least to most: what a resident should rather be told.
    pub(crate) fn rank(self) -> u8 {
        assess::rank(self)
    }

    /// The same for an error message.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Can | Self::NotMet => "what you hold does not show what is asked",
            Self::NoneHeld => "you hold no credential that the service accepts",
            Self::TooOld => "your credential is too old; collect a new one",
            Self::NoneLeft => "all copies are used; collect new ones",
            Self::Revoked => "your credential was taken back; collect a new one",
            Self::AnotherPerson => "it takes another person, who answers with a wallet of their own",
            Self::SinglesOut => "it asks about so few people that the answer would say who you are",
            Self::Probing => "this service has asked too many different questions",
        }
    }
}

impl Way {
    /// Whether the facts of some credential are older than the service accepts: the outcome would be "could not tell".
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.parts.iter().any(|part| part.stale)
    }

    /// Whether some credential did not count when its status was last looked up.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.parts.iter().any(|part| part.suspended)
    }

    /// The credentials that would answer, one for each query; `None` where one is missing.
    #[must_use]
    pub fn held(&self) -> Option<Vec<&HeldName>> {
        self.parts.iter().map(|part| part.held.as_ref()).collect()
    }
}

impl Facts {
    /// The way that "share" takes: the first met one that is possible, else the first met one, to say why not.
    #[must_use]
    pub fn offered(&self) -> Option<&Way> {
        let mut met = self.ways.iter().filter(|way| !way.contrary);
        let first = met.clone().next();
        met.find(|way| way.ability == Ability::Can).or(first)
    }

    /// The way that shows the rule is not met, where that is all this wallet can show.
    #[must_use]
    pub fn contrary(&self) -> Option<&Way> {
        let cannot = self.offered().is_none_or(|way| way.ability != Ability::Can);
        if !(mutants::skips("wallet-contrary") || cannot) {
            return None;
        }
        self.ways.iter().find(|way| way.contrary && way.ability == Ability::Can)
    }

    /// The review in words.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        page::write(self, language)
    }
}

#[cfg(test)]
#[path = "review/tests.rs"]
mod tests;
