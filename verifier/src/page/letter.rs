//! What the page says on which a permission is taken back by the code of a letter.

use askama::Template;
use vouchsafe_protocol::trust::Basis;
use vouchsafe_service::problem::Reference;

use crate::permissions::Taken;
use crate::words::letter::LetterWords;
use crate::words::{Language, Words};

/// What there is to say.
#[derive(Debug)]
pub enum Says {
    /// Type the code.
    Ask,
    /// The code is not one.
    Wrong,
    /// Too many wrong codes came from there.
    TooMany,
    /// It is taken back.
    Taken(Box<Taken>),
    /// We could not serve.
    Busy(Reference),
}

/// The page.
#[derive(Debug)]
pub struct Letter<'a> {
    /// What it says.
    pub says: &'a Says,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Page<'a> {
    words: &'static Words,
    letter: &'static LetterWords,
    heading: &'static str,
    text: &'static str,
    asks: bool,
    taken: Option<Told<'a>>,
    reference: Option<&'a str>,
}

struct Told<'a> {
    service: &'a str,
    purpose: &'a str,
    why: &'static str,
    days: i64,
}

impl Letter<'_> {
    /// The page in one language.
    ///
    /// # Errors
    /// When a template fails to render, which no content of ours makes it do.
    pub fn render(&self, language: Language) -> Result<String, askama::Error> {
        let (words, letter) = (language.words(), language.letter());
        let (heading, text) = match self.says {
            Says::Ask => (letter.title, letter.ask),
            Says::Wrong => (letter.title, letter.wrong),
            Says::TooMany => (letter.title, letter.too_many),
            Says::Taken(taken) if taken.was_over => (letter.over_title, letter.over),
            Says::Taken(_) => (letter.taken_title, letter.taken),
            Says::Busy(_) => (words.busy_title, words.busy),
        };
        let taken = match self.says {
            Says::Taken(taken) => Some(Told {
                service: language.pick(&taken.service),
                purpose: language.pick(&taken.purpose),
                why: why(letter, taken.basis),
                days: taken.days,
            }),
            _ => None,
        };
        let reference = match self.says {
            Says::Busy(reference) => Some(reference.as_str()),
            _ => None,
        };
        let asks = matches!(self.says, Says::Ask | Says::Wrong);
        Page { words, letter, heading, text, asks, taken, reference }.render()
    }
}

/// Why what is kept is kept: the lawful basis of the purpose, in plain words.
fn why(letter: &LetterWords, basis: Basis) -> &'static str {
    match basis {
        Basis::PublicTask => letter.public_task,
        Basis::LegalObligation => letter.legal_obligation,
        Basis::Contract => letter.contract,
        Basis::Consent => letter.consent,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use vouchsafe_protocol::text::Bilingual;

    use super::*;

    fn taken(basis: Basis) -> Says {
        let text = |word: &str| Bilingual { en: format!("{word} <en>"), cy: format!("{word} <cy>") };
        let (service, purpose) = (text("Buses"), text("A pass"));
        Says::Taken(Box::new(Taken { service, purpose, basis, days: 30, was_over: false }))
    }

    fn page(says: &Says, language: Language) -> String {
        Letter { says }.render(language).unwrap()
    }

    #[test]
    fn the_page_asks_for_one_code_and_has_no_script() {
        for language in [Language::En, Language::Cy] {
            for says in [Says::Ask, Says::Wrong] {
                let html = page(&says, language);
                assert_eq!((html.matches("<input").count(), html.matches("<button").count()), (1, 1));
                assert_eq!(html.matches("<h1").count(), 1);
                assert!(html.contains("method=\"post\"") && html.contains("name=\"code\""));
                assert!(!html.contains("<script") && !html.contains("style=\"") && !html.contains("onload"));
            }
        }
        assert!(!page(&Says::TooMany, Language::En).contains("<input"));
    }

    #[test]
    fn it_says_what_is_kept_why_and_how_long_by_basis() {
        let bases = [Basis::PublicTask, Basis::LegalObligation, Basis::Contract, Basis::Consent];
        for language in [Language::En, Language::Cy] {
            let all: std::collections::BTreeSet<_> =
                bases.map(|basis| page(&taken(basis), language)).into_iter().collect();
            assert_eq!(all.len(), bases.len(), "each basis has words of its own");
            assert!(all.iter().all(|html| html.contains("30") && html.contains("Buses &#60;")));
            assert!(all.iter().all(|html| !html.contains("<input")));
        }
        assert!(page(&taken(Basis::Contract), Language::Cy).contains("lang=\"cy\""));
        // Nothing speaks of agreeing where the basis is another.
        for basis in &bases[..3] {
            let html = page(&taken(*basis), Language::En);
            assert!(!html.contains("consent") && !html.contains("agree"), "{html}");
        }
    }
}
