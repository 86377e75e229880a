//! The words of both residents' reviews: what the service learns as in any review, and what the other wallet learns.

use serde::Serialize;
use vouchsafe_protocol::text::Bilingual;

use super::share::Wanted;
use super::{Invited, Joining};
use crate::review::{Page, Part};
use crate::store::{self, Credential};
use crate::words::{Language, say};

/// One thing that the other person's wallet would learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tells {
    /// The claim's pointer.
    pub pointer: String,
    /// What the issuing body calls it.
    pub label: Bilingual,
    /// The body.
    pub issuer: Bilingual,
    /// What would be known of it.
    pub what: Known,
}

/// What the other wallet would know of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The value itself.
    Exact,
    /// A fingerprint, by which a guess can be checked.
    Fingerprint,
    /// Whether it is the same as the other person's own.
    Same,
}

impl Tells {
    pub(super) fn of(wanted: &Wanted, text: bool, pointer: &str, credential: &Credential) -> Self {
        let label = credential.attributes.iter().find(|known| known.pointer == pointer);
        let label = label.map_or_else(|| store::bare_label(pointer), |known| known.label.clone());
        let what = match (wanted.value, text) {
            (true, false) => Known::Exact,
            (true, true) => Known::Fingerprint,
            (false, _) => Known::Same,
        };
        Self { pointer: pointer.to_owned(), label, issuer: credential.issuer.clone(), what }
    }

    fn line(&self, language: Language) -> String {
        let key = match self.what {
            Known::Exact => "joint_learn_exact",
            Known::Fingerprint => "joint_learn_fingerprint",
            Known::Same => "joint_learn_same",
        };
        let text = |both: &Bilingual| language.pick(&both.en, &both.cy).to_owned();
        let (label, issuer) = (text(&self.label), text(&self.issuer));
        format!("– {}", say(language, key, &[("label", &label), ("issuer", &issuer)]))
    }
}

impl Joining {
    /// The review in words.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        let lines = ["joint_invite_intro", "joint_invite_bodies", "joint_invite_nothing"];
        let partner = lines.map(|key| say(language, key, &[])).to_vec();
        joint(self.review.page(language), language, partner, "joint_choice_invite")
    }
}

impl Invited {
    /// The review in words: what the service learns, and what the other person's wallet does.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        let mut partner = vec![say(language, "joint_learn_intro", &[])];
        partner.extend(self.tells.iter().map(|one| one.line(language)));
        partner.push(format!("– {}", say(language, "joint_learn_bodies", &[])));
        partner.push(say(language, "joint_learn_limit", &[]));
        joint(self.review.page(language), language, partner, "joint_choice_contribute")
    }
}

/// A review with what the other wallet learns after what the service learns, and the choice that there is here.
fn joint(mut page: Page, language: Language, partner: Vec<String>, choice: &str) -> Page {
    let heading = say(language, "heading_partner", &[]);
    let at = page.parts.iter().position(|part| part.id == "learn").map_or(page.parts.len(), |at| at + 1);
    page.parts.insert(at, Part { id: "partner", heading, lines: partner });
    for part in page.parts.iter_mut().filter(|part| part.id == "choices") {
        part.lines = vec![say(language, choice, &[]), say(language, "choice_no", &[])];
    }
    page
}
