//! "They will learn": one line for each statement and each shown claim, rendered from what is asked and never from the
//! requester's words.
//!
//! A line says what the statement says and no more: not the bound behind an age rule or a table, because the bound
//! plus the day of asking is arithmetic, while a reader takes it for something about themselves.

use jiff::civil::Date;
use serde::Serialize;
use vouchsafe_proofs::encoding::{self, Encoding};
use vouchsafe_protocol::statement::{Op, Rule, Unit};
use vouchsafe_protocol::text::Bilingual;

use super::often::{Often, Span, span};
use crate::words::{self, Language, say};

/// Claims that are dates of birth, for which a count of years reads as an age.
const BIRTH_DATES: [&str; 2] = ["/birth_date", "/birthdate"];

/// Lists of at most this many entries are named in full.
const NAMED_AT_MOST: usize = 12;

/// Of longer ones with gaps, so many entries are named.
const NAMED_OF_MANY: usize = 6;

/// One thing that the service would learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Learn {
    /// The claim's pointer.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
    /// The value itself, or something about it.
    pub what: What,
}

/// What would be learnt about a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The value.
    Shown,
    /// That a statement holds.
    Proved(Stated),
    /// The month that the credential is about, `YYYY-MM`.
    Period(String),
    /// A name that the service would know the resident by again, and no value.
    KnownAs {
        /// The service's action.
        action: String,
        /// How long: `YYYY`, `YYYY-MM`, or for ever.
        epoch: String,
        /// How often the service says yes in that time, where it counts by the name.
        #[serde(skip_serializing_if = "Option::is_none")]
        at_most: Option<u32>,
    },
}

/// A statement with what is needed to say it in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// The operation.
    pub op: Op,
    /// Where the bound comes from.
    pub rule: Rule,
    /// The bounds, encoded: one for `le`, `ge`, `eq` and `ne`, two for `in`, none for a list.
    pub bounds: Vec<u64>,
    /// How the claim is encoded; `None` where the wallet holds no such credential.
    #[serde(skip)]
    pub enc: Option<Encoding>,
    /// The day of asking.
    #[serde(serialize_with = "date_text")]
    pub as_of: Date,
    /// The names in the signed list, for a rule by list of codes.
    pub names: Vec<Bilingual>,
    /// The spans in the signed list, for a rule by list of numbers.
    pub spans: Vec<[u64; 2]>,
}

pub(super) fn date_text<S: serde::Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

impl Learn {
    /// The line, without a full stop.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        match &self.what {
            What::Shown => say(language, "learn_shown", &[("label", self.label_in(language))]),
            What::Proved(stated) => self.proved(stated, language),
            What::Period(period) => {
                say(language, "learn_month", &[("month", &words::month(language, period))])
            }
            What::KnownAs { action, epoch, .. } => {
                let mut line = known_as(language, action, epoch);
                line.extend(self.often().map(|often| counts(language, action, &often)));
                line
            }
        }
    }

    /// How often the service says yes, where it counts by the name.
    pub(super) fn often(&self) -> Option<Often> {
        match &self.what {
            What::KnownAs { epoch, at_most: Some(at_most), .. } => {
                Some(Often { at_most: *at_most, epoch: epoch.clone() })
            }
            _ => None,
        }
    }

    /// Whether the value itself is learnt: shown, or equal to one that everybody sees.
    pub(super) fn tells_all(&self) -> bool {
        match &self.what {
            What::Shown | What::Period(_) => true,
            What::Proved(stated) => stated.op == Op::Eq,
            What::KnownAs { .. } => false,
        }
    }

    fn label_in(&self, language: Language) -> &str {
        pick(language, &self.label)
    }

    fn proved(&self, stated: &Stated, language: Language) -> String {
        let date = words::date(language, stated.as_of);
        match (&stated.rule, stated.op) {
            (Rule::Table { .. }, Op::Le) => say(language, "learn_table_reached", &[("date", &date)]),
            (Rule::Table { .. }, _) => say(language, "learn_table_not_reached", &[("date", &date)]),
            (Rule::AgeAtLeast { unit, n }, Op::Le) => self.age(language, "at_least", *unit, *n, &date),
            (Rule::AgeAtLeast { unit, n }, _) => self.age(language, "under", *unit, *n, &date),
            (Rule::AgeAtMost { unit, n }, Op::Ge) => self.age(language, "at_most", *unit, *n, &date),
            (Rule::AgeAtMost { unit, n }, _) => self.age(language, "over", *unit, *n, &date),
            (Rule::Codes { .. }, _) if !stated.spans.is_empty() => self.spans(language, stated),
            (Rule::Codes { .. }, op) => self.codes(language, op, stated),
            (Rule::Fixed {}, Op::Eq | Op::Ne) => self.equal(language, stated),
            (Rule::Fixed {}, _) => self.fixed(language, stated),
        }
    }

    fn age(&self, language: Language, side: &str, unit: Unit, n: u32, date: &str) -> String {
        let n = n.to_string();
        let is_age = unit == Unit::Years && BIRTH_DATES.contains(&self.pointer.as_str());
        if is_age {
            return say(language, &format!("learn_years_{side}"), &[("n", &n), ("date", date)]);
        }
        let unit = say(language, unit_key(unit), &[]);
        let values = [("label", self.label_in(language)), ("n", &n), ("unit", &unit), ("date", date)];
        say(language, &format!("learn_span_{side}"), &values)
    }

    fn codes(&self, language: Language, op: Op, stated: &Stated) -> String {
        let key = match op {
            Op::Le => "learn_codes_before",
            Op::Ge => "learn_codes_after",
            Op::NotMember => "learn_codes_not_in",
            _ => "learn_codes_in",
        };
        let n = stated.names.len().to_string();
        let line = say(language, key, &[("label", self.label_in(language)), ("n", &n)]);
        let names: Vec<&str> = stated.names.iter().map(|name| pick(language, name)).collect();
        let list = match names.as_slice() {
            [] => return line,
            [first, .., last] if names.len() > NAMED_AT_MOST && !is_list(op) => {
                say(language, "learn_codes_span", &[("first", first), ("last", last)])
            }
            all => entries(language, all),
        };
        format!("{line}. {list}")
    }

    /// A list of numbers, in spans.
    fn spans(&self, language: Language, stated: &Stated) -> String {
        let key = if stated.op == Op::NotMember { "learn_spans_not_in" } else { "learn_spans_in" };
        let line = say(language, key, &[("label", self.label_in(language))]);
        let text = |bound| bound_text(language, stated.enc, bound);
        let span = |[low, high]: &[u64; 2]| match (text(*low), text(*high)) {
            (low, high) if low == high => low,
            (low, high) => say(language, "span", &[("low", &low), ("high", &high)]),
        };
        let all: Vec<String> = stated.spans.iter().map(span).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        format!("{line}. {}", entries(language, &all))
    }

    /// A value that is, or is not, one that everybody sees.
    fn equal(&self, language: Language, stated: &Stated) -> String {
        let key = if stated.op == Op::Eq { "learn_equal" } else { "learn_not_equal" };
        let k = stated.bounds.first().copied().unwrap_or_default();
        let bound = match (stated.enc, k) {
            (Some(Encoding::Bool), 0) => say(language, "word_no", &[]),
            (Some(Encoding::Bool), _) => say(language, "word_yes", &[]),
            (enc, k) => bound_text(language, enc, k),
        };
        say(language, key, &[("label", self.label_in(language)), ("bound", &bound)])
    }

    fn fixed(&self, language: Language, stated: &Stated) -> String {
        let label = self.label_in(language);
        let bounds: Vec<String> =
            stated.bounds.iter().map(|&bound| bound_text(language, stated.enc, bound)).collect();
        let of_dates = stated.enc == Some(Encoding::Day);
        match (stated.op, bounds.as_slice()) {
            (Op::In, [low, high]) => {
                let key = if of_dates { "learn_date_between" } else { "learn_between" };
                say(language, key, &[("label", label), ("low", low), ("high", high)])
            }
            (op, bounds) => {
                let key = match (op, of_dates) {
                    (Op::Ge, true) => "learn_date_from",
                    (Op::Ge, false) => "learn_least",
                    (_, true) => "learn_date_until",
                    (_, false) => "learn_most",
                };
                let bound = bounds.first().map_or("", String::as_str);
                say(language, key, &[("label", label), ("bound", bound)])
            }
        }
    }
}

/// A name for the service alone, how long it is the same, and from whom it is no secret.
fn known_as(language: Language, action: &str, epoch: &str) -> String {
    let time = match span(language, epoch) {
        Span::Year(year) => say(language, "known_year", &[("year", year)]),
        Span::Month(month) => say(language, "known_month", &[("month", &month)]),
        Span::Always => say(language, "known_always", &[]),
    };
    let name = words::say_with(language, "learn_known_as", &[("action", action)], &[("time", &time)]);
    format!("{name}. {}", say(language, "learn_known_limit", &[]))
}

/// That the service counts by the name, and what else may count.
fn counts(language: Language, action: &str, often: &Often) -> String {
    let others = say(language, "learn_often_others", &[("action", action)]);
    format!(" {} {others}", often.say(language, "learn_often"))
}

/// Whether it is about a list that may have gaps, so that its ends say little of it.
fn is_list(op: Op) -> bool {
    matches!(op, Op::Member | Op::NotMember)
}

/// The entries of a list; of a long one the first, and how many more there are.
fn entries(language: Language, all: &[&str]) -> String {
    if all.len() <= NAMED_AT_MOST {
        return say(language, "learn_codes_named", &[("names", &all.join(", "))]);
    }
    let (first, rest) = all.split_at(NAMED_OF_MANY);
    let (names, n) = (first.join(", "), rest.len().to_string());
    say(language, "learn_codes_begin", &[("names", &names), ("n", &n)])
}

/// The text of this language.
pub(super) fn pick(language: Language, both: &Bilingual) -> &str {
    language.pick(&both.en, &both.cy)
}

fn unit_key(unit: Unit) -> &'static str {
    match unit {
        Unit::Years => "unit_years",
        Unit::Months => "unit_months",
        Unit::Days => "unit_days",
    }
}

/// A bound that the policy states itself, as people write it.
fn bound_text(language: Language, enc: Option<Encoding>, bound: u64) -> String {
    match enc {
        Some(Encoding::Day) => {
            encoding::date_of(bound).map_or_else(|| bound.to_string(), |date| words::date(language, date))
        }
        Some(Encoding::Pence) => words::pounds(bound),
        _ => bound.to_string(),
    }
}
