//! What a service asks beyond what it seems to need, as far as a wallet can know it.
//!
//! What goes beyond the register's limit is refused, not warned of. Here is what the register allows and a resident
//! should see all the same: a value where a question would do, an answer again sooner than the register calls enough, a
//! permission that outlasts what it is about, or that nobody counts. Whether the service needs it is for the resident
//! to judge; a wallet knows neither its work nor what it does with other people's answers.

use jiff::civil::Date;
use serde::Serialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::request::{Question, Verified};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{How, PermissionKind, Purpose};

use super::{Direct, Learn, Permits, Way, What};
use crate::history::{Entry, Event};
use crate::words::{Language, say};

/// One thing that seems to be more than is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "over")]
pub enum Over {
    /// A value is to be seen, although the register also lets the service ask about it without seeing it.
    Shows {
        /// What people call it.
        label: Bilingual,
    },
    /// The same was answered so few days ago.
    Soon {
        /// How many.
        days: i32,
        /// How many the register calls enough.
        enough: u32,
    },
    /// The permission lasts longer than the outcome is kept that it is about.
    Long {
        /// How many days it lasts.
        days: i32,
        /// For how many the outcome is kept.
        kept: u32,
    },
    /// Nothing says how often the permission may be used.
    Unlimited,
}

/// What it is judged by.
pub(super) struct Seen<'a> {
    pub(super) request: &'a Verified<Question>,
    pub(super) permits: Option<&'a Permits>,
    pub(super) history: &'a [Entry],
}

impl Over {
    /// The warning in words.
    pub(crate) fn line(&self, language: Language) -> String {
        match self {
            Self::Shows { label } => {
                say(language, "over_shows", &[("label", language.pick(&label.en, &label.cy))])
            }
            Self::Soon { days, enough } => {
                let (n, enough) = (days.to_string(), enough.to_string());
                let key = if *days == 0 { "over_soon_today" } else { "over_soon" };
                say(language, key, &[("n", &n), ("enough", &enough)])
            }
            Self::Long { days, kept } => {
                let (n, kept) = (days.to_string(), kept.to_string());
                say(language, "over_long", &[("n", &n), ("kept", &kept)])
            }
            Self::Unlimited => say(language, "over_unlimited", &[]),
        }
    }

    /// All that seems more than is needed of what would be answered.
    pub(super) fn all(seen: &Seen<'_>, offered: Option<&Way>, direct: Option<&Direct>) -> Vec<Self> {
        let purpose = seen.request.purpose();
        let mut all: Vec<Self> = Vec::new();
        for (vct, learn) in shown(seen.request.asked(), offered, direct) {
            let over = Self::Shows { label: learn.label.clone() };
            if asks_instead(purpose, &vct, &learn.pointer) && !all.contains(&over) {
                all.push(over);
            }
        }
        all.extend(seen.soon(purpose));
        all.extend(seen.permits.into_iter().flat_map(|permits| seen.permission(permits, purpose)));
        all
    }
}

/// What would be shown, each with the type that it is shown of.
fn shown<'a>(
    question: &Question,
    offered: Option<&'a Way>,
    direct: Option<&'a Direct>,
) -> Vec<(String, &'a Learn)> {
    let vct = |query: &str| match question {
        Question::Policy(asked) => asked.needed(query).map(|needed| needed.vct.clone()),
        Question::Plain(asked) => {
            let query = asked.query().credential(query)?;
            query.vct_values().first().map(|vct| (*vct).to_owned())
        }
    };
    let ways = offered.into_iter().flat_map(|way| &way.parts).map(|part| (&part.query, &part.learn));
    let sent = direct.into_iter().flat_map(|direct| direct.sent()).map(|part| (&part.query, &part.learn));
    let all = ways.chain(sent).filter_map(|(query, learn)| Some((vct(query)?, learn)));
    let values = all.flat_map(|(vct, learn)| learn.iter().map(move |one| (vct.clone(), one)));
    values.filter(|(_, one)| matches!(one.what, What::Shown)).collect()
}

/// Whether the register lets the service ask about the claim without seeing it: of the type's proof copies.
fn asks_instead(purpose: &Purpose, vct: &str, pointer: &str) -> bool {
    let proof = if vct.ends_with("/zk") { vct.to_owned() } else { format!("{vct}/zk") };
    let asks = |how: How| !matches!(how, How::Show | How::Pseudonym);
    purpose.may_ask.iter().any(|may| may.vct == proof && may.pointer == pointer && asks(may.how))
        && !mutants::skips("wallet-over-shows")
}

impl Seen<'_> {
    fn today(&self) -> Date {
        self.request.asked().as_of()
    }

    /// Whether the service took an answer for this purpose within the days that the register calls enough.
    fn soon(&self, purpose: &Purpose) -> Option<Over> {
        let enough = purpose.recheck_days?;
        let service = &self.request.service().sub;
        let told = |entry: &&Entry| match &entry.event {
            Event::Shared { asked, acknowledged: true, .. } => {
                asked.service_id == *service && asked.purpose_id == purpose.sub
            }
            _ => false,
        };
        let last = self.history.iter().filter(told).map(|entry| UnixTime(entry.at).london_date()).max()?;
        let days = days_between(last, self.today());
        let soon = (0..i64::from(enough)).contains(&i64::from(days));
        (soon && !mutants::skips("wallet-over-soon")).then_some(Over::Soon { days, enough })
    }

    fn permission(&self, permits: &Permits, purpose: &Purpose) -> Vec<Over> {
        // Asking again is what a standing permission is for: it outlasts each outcome, and its interval is its limit.
        if permits.kind() == PermissionKind::Standing || mutants::skips("wallet-over-permission") {
            return Vec::new();
        }
        let (days, kept) = (days_between(self.today(), permits.until), purpose.retention_days);
        let long = i64::from(days) > i64::from(kept) && kept > 0;
        let long = long.then_some(Over::Long { days, kept });
        long.into_iter().chain(permits.uses.is_none().then_some(Over::Unlimited)).collect()
    }
}

/// How many days lie between two; fewer than none where the second is earlier.
pub(crate) fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}
