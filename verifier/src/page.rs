//! The hosted page: link, QR code, short code, and how the request stands. Works without JavaScript.
//!
//! Names and purposes come from the trust register in both languages. The page shows no attribute, and what it
//! shows of the outcome it shows to the browser that opened it first, and to no other.

pub mod letter;

use std::fmt;

use askama::Template;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::convert::{Builder as _, Shape};
use fast_qr::{ECL, QRBuilder};
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_service::problem::Reference;

use crate::store::Status;
use crate::words::{Language, Words};

/// The stylesheet, served from our own origin so that the policy for content needs no exception.
pub const STYLE: &str = include_str!("../templates/style.css");

/// Modules of white around a QR code, at least four (ISO/IEC 18004).
const QUIET_ZONE: usize = 4;

/// What a page is made from.
#[derive(Debug)]
pub struct View<'a> {
    /// The service's name.
    pub service: &'a Bilingual,
    /// The purpose in plain words.
    pub purpose: &'a Bilingual,
    /// What people can do who say no.
    pub other_route: &'a Bilingual,
    /// Where the request stands.
    pub status: Status,
    /// The outcome once decided.
    pub outcome: Option<Outcome>,
    /// How to answer, while that is possible.
    pub ways: Option<Ways>,
    /// What problems about this request and the log call it.
    pub reference: &'a Reference,
}

/// The ways to reach a wallet. Not printed: whoever has one of them may answer.
#[derive(Clone)]
pub struct Ways {
    /// The link for any wallet.
    pub link: String,
    /// The same for wallets of the high-assurance profile.
    pub other_link: String,
    /// The QR code as SVG.
    pub qr: String,
    /// The typed code, while it is valid.
    pub code: Option<String>,
    /// Whether the browser must come back.
    pub comes_back: bool,
    /// The words that the wallet shows as well.
    pub match_words: String,
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ways(…)")
    }
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    words: &'static Words,
    state: &'static str,
    status: &'static str,
    reloads: bool,
    service: &'a str,
    purpose: &'a str,
    other_route: &'a str,
    ways: Option<&'a Ways>,
    reference: &'a str,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    words: &'static Words,
    heading: &'static str,
    text: &'static str,
    reference: Option<&'a str>,
}

impl View<'_> {
    /// The page in one language.
    ///
    /// # Errors
    /// When a template fails to render, which no content of ours makes it do.
    pub fn render(&self, language: Language) -> Result<String, askama::Error> {
        let words = language.words();
        let (state, status) = self.says(words);
        let page = Page {
            words,
            state,
            status,
            reloads: self.status != Status::Decided,
            service: language.pick(self.service),
            purpose: language.pick(self.purpose),
            other_route: language.pick(self.other_route),
            ways: self.ways.as_ref(),
            reference: self.reference.as_str(),
        };
        page.render()
    }

    fn says(&self, words: &Words) -> (&'static str, &'static str) {
        match (self.status, self.outcome) {
            (Status::Answered, _) => ("shared", words.shared),
            (_, Some(outcome)) => (outcome.as_str(), outcome_words(outcome, words)),
            (Status::Open | Status::Decided, None) => ("waiting", words.waiting),
        }
    }
}

fn outcome_words(outcome: Outcome, words: &Words) -> &'static str {
    match outcome {
        Outcome::Met => words.met,
        Outcome::NotMet => words.not_met,
        Outcome::Undetermined => words.undetermined,
        Outcome::Declined => words.declined,
        Outcome::Expired => words.expired,
    }
}

/// A page that says only why there is nothing else to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// It belongs to the browser that opened it first.
    Elsewhere,
    /// There is no such page.
    Missing,
    /// We could not serve.
    Busy,
}

/// The notice in one language, with the reference of what went wrong.
///
/// # Errors
/// When a template fails to render, which no content of ours makes it do.
pub fn notice(
    kind: NoticeKind,
    language: Language,
    reference: Option<&Reference>,
) -> Result<String, askama::Error> {
    let words = language.words();
    let (heading, text) = match kind {
        NoticeKind::Elsewhere => (words.elsewhere_title, words.elsewhere),
        NoticeKind::Missing => (words.missing_title, words.missing),
        NoticeKind::Busy => (words.busy_title, words.busy),
    };
    Notice { words, heading, text, reference: reference.map(Reference::as_str) }.render()
}

/// A code in two groups, as people read it out.
#[must_use]
pub fn grouped(code: &str) -> String {
    let (left, right) = code.split_at_checked(code.len() / 2).unwrap_or((code, ""));
    format!("{left} {right}")
}

/// A QR code of error correction M as SVG; `None` when the text is too long for one.
#[must_use]
pub fn qr(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    Some(SvgBuilder::default().shape(Shape::Square).margin(QUIET_ZONE).to_str(&code))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn text(word: &str) -> Bilingual {
        Bilingual { en: format!("{word} <en>"), cy: format!("{word} <cy>") }
    }

    fn page(status: Status, outcome: Option<Outcome>, language: Language) -> String {
        let ways = (status == Status::Open).then(|| Ways {
            link: "openid4vp://?client_id=x&request_uri=y".into(),
            other_link: "haip-vp://?client_id=x&request_uri=y".into(),
            qr: qr("openid4vp://?client_id=x").unwrap(),
            code: Some(grouped("ABCD1234")),
            comes_back: true,
            match_words: "apple river · afal afon".into(),
        });
        let (service, purpose, other_route) = (text("Buses"), text("A pass"), text("Visit us"));
        let reference = Reference::of(&[0xE1; 32]);
        View {
            service: &service,
            purpose: &purpose,
            other_route: &other_route,
            status,
            outcome,
            ways,
            reference: &reference,
        }
        .render(language)
        .unwrap()
    }

    #[test]
    fn an_open_page_has_every_way_to_answer_and_no_script() {
        let html = page(Status::Open, None, Language::En);
        for part in [
            "lang=\"en\"",
            "ABCD 1234",
            "apple river · afal afon",
            "<svg",
            "openid4vp://",
            "role=\"status\"",
            "Visit us",
            "refresh",
            "111111111111",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(html.contains("Buses &#60;en&#62;"), "names are escaped");
        assert!(!html.contains("<script") && !html.contains("style=\"") && !html.contains("onload"));
        assert_eq!(html.matches("<h1").count(), 1);
    }

    #[test]
    fn a_decided_page_stands_still_and_says_how_it_ended() {
        for (outcome, word) in [
            (Outcome::Met, english().met),
            (Outcome::NotMet, english().not_met),
            (Outcome::Declined, english().declined),
            (Outcome::Expired, english().expired),
        ] {
            let html = page(Status::Decided, Some(outcome), Language::En);
            assert!(html.contains(word));
            assert!(!html.contains("refresh") && !html.contains("openid4vp://"));
        }
    }

    #[test]
    fn links_and_codes_are_not_printed() {
        let (link, code) = ("openid4vp://x".to_owned(), Some("ABCD 1234".into()));
        let ways = Ways {
            other_link: link.clone(),
            qr: link.clone(),
            link,
            code,
            comes_back: true,
            match_words: String::new(),
        };
        let (service, purpose, other_route) = (text("Buses"), text("A pass"), text("Visit us"));
        let view = View {
            service: &service,
            purpose: &purpose,
            other_route: &other_route,
            status: Status::Open,
            outcome: None,
            ways: Some(ways),
            reference: &Reference::draw(),
        };
        let printed = format!("{view:?}");
        assert!(printed.contains("Ways(…)") && !printed.contains("openid4vp") && !printed.contains("ABCD"));
    }

    fn english() -> &'static Words {
        Language::En.words()
    }

    #[test]
    fn both_languages_are_there() {
        let html = page(Status::Open, None, Language::Cy);
        assert!(
            html.contains("lang=\"cy\"") && html.contains("?lang=en") && html.contains("Buses &#60;cy&#62;")
        );
        for kind in [NoticeKind::Elsewhere, NoticeKind::Missing, NoticeKind::Busy] {
            assert_ne!(notice(kind, Language::En, None).unwrap(), notice(kind, Language::Cy, None).unwrap());
        }
    }
}
