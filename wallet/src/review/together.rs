//! What is learnt of several values together: sums, differences, and that hidden values are the same or are not.

use serde::Serialize;
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_protocol::statement::Op;
use vouchsafe_protocol::text::Bilingual;

use super::learn::pick;
use crate::words::{self, Language, say, say_with};

/// One thing that the service would learn of several values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Together {
    /// A bound on a sum.
    Sum(Sum),
    /// That hidden values are the same, or are not.
    Compared(Compared),
}

/// A bound on a sum of values, each times a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// The operation.
    pub op: Op,
    /// The bounds, encoded: one for `le` and `ge`, two for `in`.
    pub bounds: Vec<u64>,
    /// How the values are encoded; `None` where the wallet holds none.
    #[serde(skip)]
    pub enc: Option<Encoding>,
    /// The values.
    pub terms: Vec<SaidTerm>,
}

/// Hidden values that are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Whether they are the same.
    pub equal: bool,
    /// What they say.
    pub about: About,
    /// The values.
    pub terms: Vec<SaidTerm>,
}

/// What values say that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Whose a credential is.
    Person,
    /// Which fact a credential states.
    Source,
    /// Something else.
    Value,
}

/// A value by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaidTerm {
    /// The claim's pointer.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
    /// Where it stands.
    pub place: Place,
    /// What it is multiplied by.
    pub coeff: i64,
}

/// A credential of the way, by names that tell it from the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Its number among the credentials, from 0.
    #[serde(rename = "part")]
    pub query: usize,
    /// What people call it.
    pub name: Bilingual,
    /// Who signed it, or who may have; nobody where the way has one credential only.
    pub issuers: Vec<Bilingual>,
    /// What tells it from another of the same body.
    pub mark: Option<Mark>,
}

/// What tells two credentials of one body apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The month, `YYYY-MM`.
    Month(String),
    /// The number in this answer, from 1.
    Number(usize),
}

impl Place {
    /// `“pay” from Larkfield Payroll for October 2026`.
    fn of(&self, language: Language, label: &Bilingual) -> String {
        let label = pick(language, label);
        if self.issuers.is_empty() {
            return say(language, "term", &[("label", label)]);
        }
        let issuer = issuers(language, &self.issuers);
        let values = [("label", label), ("issuer", &*issuer)];
        match &self.mark {
            None => say(language, "term_from", &values),
            Some(Mark::Month(period)) => {
                let month = words::month(language, period);
                say(language, "term_from_month", &[values[0], values[1], ("month", &month)])
            }
            Some(Mark::Number(n)) => {
                let n = n.to_string();
                say(language, "term_from_number", &[values[0], values[1], ("n", &n)])
            }
        }
    }

    /// The credential itself.
    pub(super) fn words(&self, language: Language) -> String {
        self.of(language, &self.name)
    }
}

/// The bodies, one after the other: `A, B or C`.
pub(super) fn issuers(language: Language, all: &[Bilingual]) -> String {
    words::list(language, "list_or", all.iter().map(|one| pick(language, one).to_owned()))
}

impl SaidTerm {
    fn words(&self, language: Language) -> String {
        self.place.of(language, &self.label)
    }

    /// The term with the number that it is multiplied by: `2 times “pay”`, then `plus “rent”`, `minus 3 times “rent”`.
    fn weighted(&self, language: Language, first: bool) -> String {
        let (n, term) = (self.coeff.unsigned_abs().to_string(), self.words(language));
        if self.coeff < 0 {
            return say_with(language, "term_minus", &[("n", &n)], &[("term", &term)]);
        }
        let times = match self.coeff {
            1 => term,
            _ => say_with(language, "term_times", &[("n", &n)], &[("term", &term)]),
        };
        if first { times } else { say_with(language, "term_plus", &[], &[("term", &times)]) }
    }
}

impl Together {
    /// The values that it is about.
    #[must_use]
    pub fn terms(&self) -> &[SaidTerm] {
        match self {
            Self::Sum(sum) => &sum.terms,
            Self::Compared(compared) => &compared.terms,
        }
    }

    /// The line, without a full stop.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        match self {
            Self::Sum(sum) => sum.line(language),
            Self::Compared(compared) => compared.line(language),
        }
    }

    /// Takes over what says no more than that another credential is of the same person too.
    pub(super) fn takes(&mut self, other: &Self) -> bool {
        let (Self::Compared(known), Self::Compared(more)) = (self, other) else { return false };
        let same = |one: &Compared| one.equal && one.about == About::Person;
        let has = |term: &SaidTerm| known.terms.iter().any(|one| one.is_of(term));
        if !(same(known) && same(more) && more.terms.iter().any(has)) {
            return false;
        }
        let new: Vec<SaidTerm> = more.terms.iter().filter(|term| !has(term)).cloned().collect();
        known.terms.extend(new);
        true
    }
}

impl SaidTerm {
    /// Whether both are one value, on whichever side of a comparison it stands.
    fn is_of(&self, other: &Self) -> bool {
        (self.place.query, &self.pointer) == (other.place.query, &other.pointer)
    }
}

impl Sum {
    fn line(&self, language: Language) -> String {
        match self.terms.as_slice() {
            [one, other] if (one.coeff, other.coeff) == (1, -1) => self.difference(language, one, other),
            terms if terms.iter().all(|term| term.coeff == 1) => {
                let terms = words::list(language, "list_and", terms.iter().map(|term| term.words(language)));
                self.bounded(language, "learn_sum", &[("terms", &terms)])
            }
            terms => {
                let terms = terms.iter().enumerate().map(|(at, term)| term.weighted(language, at == 0));
                let terms = terms.collect::<Vec<_>>().join(", ");
                self.bounded(language, "learn_weighted", &[("terms", &terms)])
            }
        }
    }

    fn difference(&self, language: Language, one: &SaidTerm, other: &SaidTerm) -> String {
        let (one, other) = (one.words(language), other.words(language));
        let said = [("one", &*one), ("other", &*other)];
        match (self.op, self.bounds.as_slice()) {
            (Op::Le, [0]) => say_with(language, "learn_not_more", &[], &said),
            (Op::Ge, [0]) => say_with(language, "learn_not_less", &[], &said),
            _ => self.bounded(language, "learn_difference", &said),
        }
    }

    fn bounded(&self, language: Language, key: &str, said: &[(&str, &str)]) -> String {
        let bounds: Vec<String> = self.bounds.iter().map(|k| self.amount(language, *k)).collect();
        match (self.op, bounds.as_slice()) {
            (Op::In, [low, high]) => {
                say_with(language, &format!("{key}_between"), &[("low", low), ("high", high)], said)
            }
            (op, bounds) => {
                let side = if op == Op::Ge { "least" } else { "most" };
                let bound = bounds.first().map_or("", String::as_str);
                say_with(language, &format!("{key}_{side}"), &[("bound", bound)], said)
            }
        }
    }

    /// An amount: of sums and differences of dates, a number of days.
    fn amount(&self, language: Language, k: u64) -> String {
        match self.enc {
            Some(Encoding::Pence) => words::pounds(k),
            Some(Encoding::Day) => format!("{k} {}", say(language, "unit_days", &[])),
            _ => k.to_string(),
        }
    }
}

impl Compared {
    fn line(&self, language: Language) -> String {
        let of_credentials = self.about != About::Value;
        let named = |term: &SaidTerm| {
            if of_credentials { term.place.words(language) } else { term.words(language) }
        };
        let terms = words::list(language, "list_and", self.terms.iter().map(named));
        let key = match (self.about, self.equal) {
            (About::Person, true) => "learn_same_person",
            (About::Person, false) => "learn_other_person",
            (About::Source, true) => "learn_same_source",
            (About::Source, false) => "learn_other_source",
            (About::Value, true) => "learn_same_value",
            (About::Value, false) => "learn_other_value",
        };
        say_with(language, key, &[], &[("terms", &terms)])
    }
}
