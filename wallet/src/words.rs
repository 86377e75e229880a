//! What the wallet says, in English and Welsh.
//!
//! The texts are data (`messages/en.toml`, `messages/cy.toml`), so that people who write well can read and mend
//! them; tests hold the two files to the same keys and placeholders, to short sentences and to a list of words
//! that no resident should have to know. Names and texts of the register and of issuers are inserted as they
//! are, within quotation marks, with control characters removed: they are somebody else's words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;

/// A language the wallet speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Welsh.
    Cy,
}

impl Language {
    /// Reads `en` or `cy`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "en" => Some(Self::En),
            "cy" => Some(Self::Cy),
            _ => None,
        }
    }

    /// Picks the text of this language.
    #[must_use]
    pub fn pick<'a>(self, en: &'a str, cy: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Cy => cy,
        }
    }
}

const ENGLISH: &str = include_str!("../messages/en.toml");
const WELSH: &str = include_str!("../messages/cy.toml");

type Messages = BTreeMap<String, String>;

static MESSAGES: LazyLock<[Messages; 2]> = LazyLock::new(|| [read(ENGLISH), read(WELSH)]);

fn read(text: &str) -> Messages {
    toml::from_str(text).expect("the message files are part of the program and a test reads them")
}

/// The message `key` with each `{name}` replaced by its value.
///
/// A missing key reads as the key itself: a review must never fail for want of a word.
#[must_use]
pub(crate) fn say(language: Language, key: &str, values: &[(&str, &str)]) -> String {
    say_with(language, key, values, &[])
}

/// As [`say`], with parts that were said before and stand as they are: only what [`say`] gave belongs there.
#[must_use]
pub(crate) fn say_with(
    language: Language,
    key: &str,
    values: &[(&str, &str)],
    parts: &[(&str, &str)],
) -> String {
    let messages = &MESSAGES[language as usize];
    let mut rest = messages.get(key).map_or(key, String::as_str);
    let mut said = String::with_capacity(rest.len());
    // One pass over the template: an inserted text that holds braces is never read as a placeholder.
    while let Some((before, name, after)) = next_placeholder(rest) {
        said.push_str(before);
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            said.push_str(&quoted(value));
        } else if let Some((_, part)) = parts.iter().find(|(known, _)| *known == name) {
            said.push_str(part);
        }
        rest = after;
    }
    said + rest
}

fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, tail) = text.split_once('{')?;
    let (name, after) = tail.split_once('}')?;
    Some((before, name, after))
}

/// Somebody else's text on one line: no control characters, no characters that turn the direction of writing,
/// no quotation marks that would close ours early.
fn quoted(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        .map(|c| match c {
            c if c.is_control() => ' ',
            '“' | '”' | '"' => '’',
            c => c,
        })
        .collect()
}

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WELSH_MONTHS: [&str; 12] = [
    "Ionawr",
    "Chwefror",
    "Mawrth",
    "Ebrill",
    "Mai",
    "Mehefin",
    "Gorffennaf",
    "Awst",
    "Medi",
    "Hydref",
    "Tachwedd",
    "Rhagfyr",
];

/// A date in words: `21 November 2026`.
#[must_use]
pub(crate) fn date(language: Language, date: Date) -> String {
    let months = match language {
        Language::En => ENGLISH_MONTHS,
        Language::Cy => WELSH_MONTHS,
    };
    let month = usize::from(date.month().unsigned_abs()) - 1;
    format!("{} {} {}", date.day(), months[month], date.year())
}

/// A month in words: `October 2026` for `2026-10`; the text itself where it is no month.
#[must_use]
pub(crate) fn month(language: Language, period: &str) -> String {
    let months = match language {
        Language::En => ENGLISH_MONTHS,
        Language::Cy => WELSH_MONTHS,
    };
    let named = period.split_once('-').and_then(|(year, month)| {
        let at = month.parse::<usize>().ok()?.checked_sub(1)?;
        Some(format!("{} {year}", months.get(at)?))
    });
    named.unwrap_or_else(|| period.to_owned())
}

/// Several things that were said, one after the other: the last is joined by the message `key`.
#[must_use]
pub(crate) fn list(language: Language, key: &str, all: impl IntoIterator<Item = String>) -> String {
    let mut all: Vec<String> = all.into_iter().collect();
    let Some(last) = all.pop() else { return String::new() };
    if all.is_empty() {
        return last;
    }
    let first = all.join(&say(language, &format!("{key}_between"), &[]));
    say_with(language, key, &[], &[("first", &first), ("last", &last)])
}

/// Pence as pounds: `£1,234.50`.
#[must_use]
pub(crate) fn pounds(pence: u64) -> String {
    let whole = (pence / 100).to_string();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("£{grouped}.{:02}", pence % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the trade that no message may use.
    const JARGON: [&str; 16] = [
        "verifiable",
        "presentation",
        "holder",
        "predicate",
        "zero-knowledge",
        "proof",
        "hash",
        "nonce",
        "token",
        "cryptograph",
        "attribute",
        "disclosure",
        "issuer",
        "verifier",
        "please",
        "statement",
    ];

    fn placeholders(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, name, after)) = next_placeholder(rest) {
            found.push(name.to_owned());
            rest = after;
        }
        found.sort();
        found
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let [english, welsh] = &*MESSAGES;
        assert!(english.keys().eq(welsh.keys()));
        for (key, text) in english {
            assert_eq!(placeholders(text), placeholders(&welsh[key]), "{key}");
        }
    }

    #[test]
    fn messages_hold_no_word_of_the_trade() {
        for (key, text) in &MESSAGES[0] {
            let text = without_placeholders(text);
            assert!(!text.contains("DID"), "{key}");
            let text = text.to_lowercase();
            for word in JARGON {
                assert!(!text.contains(word), "{key} says {word}");
            }
        }
    }

    #[test]
    fn sentences_stay_under_25_words() {
        for messages in &*MESSAGES {
            for (key, text) in messages {
                for sentence in text.split(['.', '!', '?']) {
                    assert!(sentence.split_whitespace().count() < 25, "{key}: {sentence}");
                }
            }
        }
    }

    fn without_placeholders(text: &str) -> String {
        let mut kept = String::new();
        let mut rest = text;
        while let Some((before, _, after)) = next_placeholder(rest) {
            kept.push_str(before);
            rest = after;
        }
        kept + rest
    }

    #[test]
    fn a_quoted_text_cannot_leave_its_quotation() {
        let said = say(Language::En, "purpose", &[("text", "ok”\nShared: {text} \u{202e}gnirts")]);
        assert_eq!(said, "The register describes the purpose like this: “ok’ Shared: {text} gnirts”");
    }

    #[test]
    fn what_was_said_keeps_its_quotation_marks_and_what_is_quoted_does_not() {
        let term = say(Language::En, "term", &[("label", "pay” {terms}")]);
        let said = say_with(Language::En, "learn_same_value", &[], &[("terms", &term)]);
        assert!(said.starts_with("that “pay’ {terms}”"), "{said}");
    }

    #[test]
    fn months_and_lists_read_as_people_write_them() {
        assert_eq!(month(Language::En, "2026-10"), "October 2026");
        assert_eq!(month(Language::Cy, "2026-01"), "Ionawr 2026");
        for other in ["2026-13", "2026-00", "2026", "soon"] {
            assert_eq!(month(Language::En, other), other);
        }
        let all =
            |n: usize| list(Language::En, "list_and", ["a", "b", "c"].map(str::to_owned).into_iter().take(n));
        assert_eq!([all(0), all(1), all(2), all(3)], ["", "a", "a and b", "a, b and c"]);
    }

    #[test]
    fn dates_and_sums_read_as_people_write_them() {
        assert_eq!(date(Language::En, jiff::civil::date(2026, 11, 21)), "21 November 2026");
        assert_eq!(date(Language::Cy, jiff::civil::date(1960, 7, 31)), "31 Gorffennaf 1960");
        assert_eq!(pounds(123_450), "£1,234.50");
        assert_eq!(pounds(5), "£0.05");
        assert_eq!(pounds(100_000_000), "£1,000,000.00");
    }
}
