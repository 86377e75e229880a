//! A permission in words: one line in a list, and a page to read or print.

use super::{Answering, AskedAgain, Permission, State, Told};
use crate::review::{Page, Part, back_lines, kept_lines};
use crate::words::{self, Language, say};
use vouchsafe_protocol::permission::record::Route;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::Basis;

impl State {
    fn key(self) -> &'static str {
        match self {
            Self::Sent => "permission_state_sent",
            Self::Given => "permission_state_given",
            Self::Withdrawing => "permission_state_withdrawing",
            Self::Withdrawn => "permission_state_withdrawn",
            Self::Expired => "permission_state_expired",
            Self::Ended => "permission_state_ended",
        }
    }

    /// How it stands, in words.
    #[must_use]
    pub fn words(self, language: Language) -> String {
        say(language, self.key(), &[])
    }
}

impl Permission {
    /// One line, without a value.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let service = language.pick(&self.asked.service.en, &self.asked.service.cy);
        let (kind, until) = (self.permits.name(language), words::date(language, self.permits.until));
        let values = [("service", service), ("kind", &*kind), ("date", &*until), ("id", &*self.id)];
        format!("{} {}", say(language, "permission_line", &values), self.state.words(language))
    }

    /// A page to read or print: what was permitted to whom, how it stands, what is kept, and how it is taken back.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        let heading = if self.basis == Basis::Consent { "heading_agreement" } else { "heading_permission" };
        let mut parts = vec![("permission", heading, self.said(language))];
        parts.push(("permits", "heading_permission_what", self.permits.lines(language)));
        parts.push(("record", "heading_permission_record", self.happened(language)));
        let (basis, days, record) = (self.basis, self.asked.retention_days, &self.permits.record);
        parts.push(("how_long", "heading_how_long", kept_lines(language, basis, days, record)));
        parts.push(("take_back", "heading_take_back", back_lines(language, basis, record)));
        let part = |(id, heading, lines)| Part { id, heading: say(language, heading, &[]), lines };
        Page { parts: parts.into_iter().map(part).collect() }
    }

    fn said(&self, language: Language) -> Vec<String> {
        let service = language.pick(&self.asked.service.en, &self.asked.service.cy);
        let purpose = language.pick(&self.asked.purpose.en, &self.asked.purpose.cy);
        let mut lines = vec![
            say(language, "permission_to", &[("service", service)]),
            say(language, "purpose", &[("text", purpose)]),
        ];
        let given = day(language, &self.given);
        lines.push(say(language, "permission_given_on", &[("date", &given)]));
        lines.push(self.state.words(language));
        lines.extend(self.last_use.as_ref().map(|last| {
            let (n, date) = (self.uses.to_string(), day(language, last));
            say(language, "permission_used", &[("n", &n), ("date", &date)])
        }));
        lines.push(say(language, "permission_number", &[("id", &self.id)]));
        lines
    }

    fn happened(&self, language: Language) -> Vec<String> {
        if self.events.is_empty() {
            return vec![say(language, "permission_unrecorded", &[])];
        }
        self.events.iter().map(|told| told.line(language)).collect()
    }
}

impl Told {
    fn line(&self, language: Language) -> String {
        let date = words::date(language, UnixTime(self.at).london_date());
        let key = match self.route {
            None => format!("event_{}", self.what),
            Some(Route::Wallet) => "event_withdrawn_wallet".to_owned(),
            Some(Route::Letter) => "event_withdrawn_letter".to_owned(),
            Some(Route::Counter) => "event_withdrawn_counter".to_owned(),
        };
        say(language, &key, &[("date", &date)])
    }
}

fn day(language: Language, text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), |date| words::date(language, date))
}

impl AskedAgain {
    /// What came of it, in words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let service = language.pick(&self.service.en, &self.service.cy);
        let head = [("service", service), ("id", self.permission.as_str())];
        let told = |key: &str, more: &[(&str, &str)]| say(language, key, &[&head, more].concat());
        match &self.outcome {
            Answering::Nothing => told("asked_nothing", &[]),
            Answering::Answered => told("asked_answered", &[]),
            Answering::Review { link, because } => {
                let because = say(language, because.key(), &[]);
                format!("{} {because}\n  {link}", told("asked_review", &[]))
            }
            Answering::Refused { code } => told("asked_refused", &[("code", code)]),
            Answering::NotAsked { code } => told("asked_not_asked", &[("code", code)]),
            Answering::Ended { state } => {
                format!("{} {}", told("asked_ended", &[]), state.words(language))
            }
        }
    }
}
