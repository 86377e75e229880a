//! The review in plain words, in the order that people need it: who, what for, what they will learn, what they will
//! not, how long they keep it, who else gets it, what if you say no, and how to take it back.

use std::fmt;

use serde::Serialize;
use vouchsafe_protocol::text::{Bilingual, Env};
use vouchsafe_protocol::trust::Basis;

use super::Facts;
use super::permits::{back_lines, basis_key};
use crate::words::{Language, say};

/// A review as headed lists of lines. Print it, or lay it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// One headed list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which part it is; the same in every language.
    pub id: &'static str,
    /// The heading.
    pub heading: String,
    /// The lines.
    pub lines: Vec<String>,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}", part.heading)?;
            for line in &part.lines {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

impl Page {
    /// The page for a browser, or to print: headings and lists, no style and nothing that is fetched.
    #[must_use]
    pub fn html(&self, language: Language) -> String {
        let lines = |part: &Part| {
            let lines: String =
                part.lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
            format!("<h2>{}</h2>\n<ul>\n{lines}</ul>\n", escaped(&part.heading))
        };
        let title = self.parts.first().map(|part| escaped(&part.heading)).unwrap_or_default();
        let body: String = self.parts.iter().map(lines).collect();
        let lang = language.pick("en", "cy");
        format!(
            "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n{body}</html>\n"
        )
    }
}

/// A text that is nothing but text.
fn escaped(text: &str) -> String {
    let entity = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(entity).collect()
}

pub(super) struct Writer<'a> {
    pub(super) facts: &'a Facts,
    pub(super) language: Language,
}

/// Writes the page for what was verified.
pub(super) fn write(facts: &Facts, language: Language) -> Page {
    let writer = Writer { facts, language };
    let parts: [(&'static str, &str, Vec<String>); 12] = [
        ("who", "heading_who", writer.who()),
        ("what_for", "heading_what_for", writer.what_for()),
        ("permits", writer.permits_heading(), writer.permits()),
        ("learn", "heading_learn", writer.learn()),
        ("optional", "heading_optional", writer.optional()),
        ("not_learn", "heading_not_learn", writer.not_learn()),
        ("how_long", "heading_how_long", writer.how_long()),
        ("who_else", "heading_who_else", writer.who_else()),
        ("say_no", "heading_say_no", writer.say_no()),
        ("take_back", "heading_take_back", writer.take_back()),
        ("warnings", "heading_warnings", writer.warnings()),
        ("choices", "heading_choices", writer.choices()),
    ];
    let parts = parts
        .into_iter()
        .filter(|(_, _, lines)| !lines.is_empty())
        .map(|(id, heading, lines)| Part { id, heading: say(language, heading, &[]), lines })
        .collect();
    Page { parts }
}

impl Writer<'_> {
    pub(super) fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        say(self.language, key, values)
    }

    pub(super) fn text<'b>(&self, both: &'b Bilingual) -> &'b str {
        self.language.pick(&both.en, &both.cy)
    }

    fn service(&self) -> &str {
        self.text(&self.facts.asked.service)
    }

    fn who(&self) -> Vec<String> {
        let host = self.facts.host.as_str();
        let mut lines = vec![self.say("who", &[("service", self.service()), ("host", host)])];
        lines.push(self.say("who_checked", &[]));
        lines.push(self.say("match_words", &[("words", &self.facts.match_words)]));
        if self.facts.env == Env::Test {
            lines.push(self.say("who_test", &[]));
        }
        lines
    }

    fn what_for(&self) -> Vec<String> {
        let basis = format!("basis_{}", basis_key(self.facts.basis));
        vec![self.say("purpose", &[("text", self.text(&self.facts.asked.purpose))]), self.say(&basis, &[])]
    }

    /// The way that sharing would take: the first met one that is possible, else the first met one.
    fn learn(&self) -> Vec<String> {
        if let Some(direct) = &self.facts.direct {
            return self.direct_learn(direct);
        }
        self.facts.offered().map(|way| self.learnt_by(way)).unwrap_or_default()
    }

    fn not_learn(&self) -> Vec<String> {
        if let Some(direct) = &self.facts.direct {
            return self.direct_not_learn(direct);
        }
        self.ways_not_learn()
    }

    fn how_long(&self) -> Vec<String> {
        let days = self.facts.asked.retention_days;
        let outcome = match days {
            0 => self.say("keep_not_at_all", &[]),
            days => self.say("keep_days", &[("n", &days.to_string())]),
        };
        // A count outlives the outcomes that it is of.
        let learn = self.facts.offered().into_iter().flat_map(|way| &way.parts).flat_map(|part| &part.learn);
        let counts = learn.filter_map(|learn| learn.often()).map(|often| often.kept(self.language));
        std::iter::once(outcome).chain(counts).chain(self.permit_kept()).collect()
    }

    fn who_else(&self) -> Vec<String> {
        if self.facts.recipients.is_empty() {
            return vec![self.say("else_nobody", &[])];
        }
        let line = |name| self.say("else_recipient", &[("name", self.text(name))]);
        self.facts.recipients.iter().map(line).collect()
    }

    fn say_no(&self) -> Vec<String> {
        let route = self.text(&self.facts.other_route);
        vec![self.say("say_no", &[]), self.say("say_no_route", &[("text", route)])]
    }

    fn take_back(&self) -> Vec<String> {
        let history = self.say("take_back_history", &[]);
        if let Some(permits) = &self.facts.permits {
            let mut lines = back_lines(self.language, self.facts.basis, &permits.record);
            lines.push(history);
            return lines;
        }
        let key = if self.facts.basis == Basis::Consent { "take_back_consent" } else { "take_back_other" };
        vec![self.say(key, &[("service", self.service())]), history]
    }

    fn warnings(&self) -> Vec<String> {
        let mut lines = match &self.facts.direct {
            Some(direct) => self.direct_warnings(direct),
            None => self.ways_warnings(),
        };
        lines.extend(self.facts.over.iter().map(|over| over.line(self.language)));
        lines
    }

    fn choices(&self) -> Vec<String> {
        if let Some(direct) = &self.facts.direct {
            return self.direct_choices(direct);
        }
        self.ways_choices()
    }
}
