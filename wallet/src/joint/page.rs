//! The words of both residents' reviews: what the service learns as in any review, and what the other wallet learns.

use serde::Serialize;
use vouchsafe_protocol::text::Bilingual;

use super::{Invited, Joining};
use crate::review::{Page, Part, Review};
use crate::store::{self, Credential};
use crate::words::{Language, say};

/// Something that a credential says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The claim's pointer.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
    /// The body.
    pub issuer: Bilingual,
}

impl Fact {
    pub(super) fn of(pointer: &str, credential: &Credential) -> Self {
        let label = credential.attributes.iter().find(|known| known.pointer == pointer);
        let label = label.map_or_else(|| store::bare_label(pointer), |known| known.label.clone());
        Self { pointer: pointer.to_owned(), label, issuer: credential.issuer.clone() }
    }
}

/// One thing that the other person's wallet would learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tells {
    /// What it is about.
    #[serde(flatten)]
    pub of: Fact,
    /// What it is compared with, where that is of this person too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<Fact>,
    /// What would be known of it.
    pub what: Known,
}

/// What the other wallet would know of a value, or of two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The value itself; of two, their difference.
    Exact,
    /// A fingerprint, by which a guess can be checked.
    Fingerprint,
    /// That the two are the same.
    Same,
}

impl Tells {
    /// What is known of one fact or two. A blinding alone is enough to try values by, as if the value were told: of a
    /// number that finds it, of a text it checks a guess. Two of this person's own that must be equal are so, and the
    /// blinding of their difference tells no more.
    pub(super) fn new(of: Vec<Fact>, value: bool, texts: bool) -> Option<Self> {
        let mut all = of.into_iter();
        let (of, with) = (all.next()?, all.next());
        let what = match texts {
            _ if with.is_some() && !value => Known::Same,
            true => Known::Fingerprint,
            false => Known::Exact,
        };
        Some(Self { of, with, what })
    }

    fn line(&self, language: Language) -> String {
        let key = match (self.what, &self.with) {
            (Known::Exact, None) => "joint_learn_exact",
            (Known::Exact, Some(_)) => "joint_learn_difference",
            (Known::Fingerprint, None) => "joint_learn_fingerprint",
            (Known::Fingerprint, Some(_)) => "joint_learn_fingerprint_both",
            (Known::Same, _) => "joint_learn_same",
        };
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        let with = self.with.as_ref().unwrap_or(&self.of);
        let all = [&self.of.label, &self.of.issuer, &with.label, &with.issuer].map(text);
        let values = ["label", "issuer", "other", "body"].into_iter().zip(all.iter().map(String::as_str));
        format!("– {}", say(language, key, &values.collect::<Vec<_>>()))
    }
}

/// What is true for both: nobody looks up a status now, and each could look one up later.
const BOTH: [&str; 2] = ["joint_learn_watch", "joint_not_looked_up"];

impl Joining {
    /// The review in words.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        let lines =
            ["joint_invite_intro", "joint_invite_bodies", "joint_invite_nothing", "joint_invite_theirs"];
        let partner = lines.iter().chain(&BOTH).map(|key| say(language, key, &[])).collect();
        joint(&self.review, language, partner, "joint_choice_invite")
    }
}

impl Invited {
    /// The review in words: what the service learns, and what the other person's wallet does; and the number to compare.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        let mut partner = vec![say(language, "joint_learn_intro", &[])];
        partner.extend(self.tells.iter().map(|one| one.line(language)));
        partner.push(format!("– {}", say(language, "joint_learn_bodies", &[])));
        let more = ["joint_learn_first", "joint_learn_limit"];
        partner.extend(more.iter().chain(&BOTH).map(|key| say(language, key, &[])));
        let mut page = joint(&self.review, language, partner, "joint_choice_contribute");
        let number = self.check.to_string();
        let lines = vec![
            say(language, "joint_check_here", &[("number", &number)]),
            say(language, "joint_check_ask", &[]),
        ];
        let heading = say(language, "heading_check", &[]);
        let at = page.parts.iter().position(|part| part.id == "choices").unwrap_or(page.parts.len());
        page.parts.insert(at, Part { id: "check", heading, lines });
        page
    }
}

/// A review with what the other wallet learns after what the service learns, and the choice that there is here. What
/// follows is of the service alone, and says so.
fn joint(review: &Review, language: Language, partner: Vec<String>, choice: &str) -> Page {
    let (mut page, service) = (review.page(language), &review.facts().asked.service);
    let service = language.pick(&service.en, &service.cy);
    let heading = say(language, "heading_partner", &[]);
    let at = page.parts.iter().position(|part| part.id == "learn").map_or(page.parts.len(), |at| at + 1);
    page.parts.insert(at, Part { id: "partner", heading, lines: partner });
    for part in &mut page.parts {
        match part.id {
            "not_learn" => part.heading = say(language, "heading_not_learn_service", &[("service", service)]),
            "choices" => part.lines = vec![say(language, choice, &[]), say(language, "choice_no", &[])],
            _ => {}
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(name: &str) -> Fact {
        let both = |text: &str| Bilingual { en: text.to_owned(), cy: text.to_owned() };
        Fact { pointer: format!("/{name}"), label: both(name), issuer: both("the council") }
    }

    /// What is told with a value and without, of one and of two, of a text and of a number.
    #[test]
    fn what_can_be_found_out_is_what_is_said() {
        let line = |of: &[&str], value: bool, texts: bool| {
            let all = of.iter().map(|name| fact(name)).collect();
            Tells::new(all, value, texts).expect("a fact at least").line(Language::En)
        };
        for value in [false, true] {
            assert_eq!(line(&["pay"], value, false), "– your exact “pay” from the council");
            assert_eq!(
                line(&["name"], value, true),
                "– a fingerprint of “name” from the council: enough to check a guess, so a short one can be found"
            );
        }
        for texts in [false, true] {
            assert_eq!(
                line(&["one", "two"], false, texts),
                "– that “one” from the council and “two” from the council are the same"
            );
        }
        assert_eq!(
            line(&["one", "two"], true, false),
            "– the exact difference between “one” from the council and “two” from the council"
        );
        assert_eq!(
            line(&["one", "two"], true, true),
            "– a fingerprint of “one” from the council with “two” from the council: enough to check a guess of both"
        );
        assert_eq!(Tells::new(Vec::new(), true, true), None);
    }
}
