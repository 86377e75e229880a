//! How often a service says yes to one person, where its policy counts.
//!
//! The verifier counts answers that are met, by the name of that person's wallet for service, action and epoch: those of all
//! policies of the service with this action and epoch together, each against its own number
//! (`specs/profiles/policy.md`, "Pseudonyms"). So a wallet can say how many there may be, and never how many are left.

use serde::Serialize;
use vouchsafe_protocol::openid4vp::Asked;

use crate::words::{self, Language, say, say_with};

/// How many answers of one person are met in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Often {
    /// How many.
    pub at_most: u32,
    /// The epoch that today is in: `YYYY`, `YYYY-MM`, or `always`.
    pub epoch: String,
}

impl Often {
    /// What the policy that is asked by says; nothing where it counts nothing.
    pub(crate) fn of(asked: &Asked) -> Option<Self> {
        let at_most = asked.policy().pseudonym.as_ref()?.at_most?;
        let epoch = asked.plan().pseudonym.as_ref()?.epoch.clone();
        Some(Self { at_most, epoch })
    }

    /// The message `key` with the number and the epoch in words.
    pub(crate) fn say(&self, language: Language, key: &str) -> String {
        let times = match self.at_most {
            1 => say(language, "times_once", &[]),
            2 => say(language, "times_twice", &[]),
            n => say(language, "times_many", &[("n", &n.to_string())]),
        };
        let within = match span(language, &self.epoch) {
            Span::Year(year) => say(language, "within_year", &[("year", year)]),
            Span::Month(month) => say(language, "within_month", &[("month", &month)]),
            Span::Always => say(language, "within_always", &[]),
        };
        say_with(language, key, &[], &[("times", &times), ("within", &within)])
    }

    /// How long the count is kept at least: until its epoch is over.
    pub(crate) fn kept(&self, language: Language) -> String {
        let time = match span(language, &self.epoch) {
            Span::Year(year) => year.to_owned(),
            Span::Month(month) => month,
            Span::Always => return say(language, "keep_often_always", &[]),
        };
        say(language, "keep_often", &[("time", &time)])
    }
}

/// An epoch as people say it.
pub(super) enum Span<'a> {
    Year(&'a str),
    Month(String),
    Always,
}

pub(super) fn span(language: Language, epoch: &str) -> Span<'_> {
    match epoch.len() {
        4 => Span::Year(epoch),
        7 => Span::Month(words::month(language, epoch)),
        _ => Span::Always,
    }
}
