//! The words of the page on which a permission is taken back by the code of a letter.

use super::Language;

/// Every word that the page says of its own.
#[derive(Debug)]
pub struct LetterWords {
    /// Title and heading.
    pub title: &'static str,
    /// What to do.
    pub ask: &'static str,
    /// The field's label.
    pub label: &'static str,
    /// Where the code is.
    pub hint: &'static str,
    /// The button.
    pub button: &'static str,
    /// The code is not one.
    pub wrong: &'static str,
    /// Too many codes were wrong.
    pub too_many: &'static str,
    /// Heading when it is done.
    pub taken_title: &'static str,
    /// That it is done.
    pub taken: &'static str,
    /// Heading when it had ended before.
    pub over_title: &'static str,
    /// That it had.
    pub over: &'static str,
    /// Before the service's name.
    pub who: &'static str,
    /// Before the purpose.
    pub what_for: &'static str,
    /// Heading above what is kept.
    pub kept_heading: &'static str,
    /// What is kept.
    pub kept: &'static str,
    /// Before the number of days.
    pub how_long: &'static str,
    /// Behind the number of days.
    pub days: &'static str,
    /// What is not undone.
    pub before: &'static str,
    /// Whom to ask for more.
    pub rights: &'static str,
    /// Why, where the basis is a public task.
    pub public_task: &'static str,
    /// Why, where it is a duty in law.
    pub legal_obligation: &'static str,
    /// Why, where it is a contract.
    pub contract: &'static str,
    /// Why, where it is consent.
    pub consent: &'static str,
}

impl Language {
    /// The words of that page.
    #[must_use]
    pub fn letter(self) -> &'static LetterWords {
        match self {
            Self::En => &EN,
            Self::Cy => &CY,
        }
    }
}

static EN: LetterWords = LetterWords {
    title: "Take back a permission",
    ask: "Type the code from your letter and press the button. That ends the permission at once.",
    label: "Code from your letter",
    hint: "12 letters and numbers. Spaces do not matter.",
    button: "Take it back",
    wrong: "That code is not one of ours. Check your letter and try again.",
    too_many: "Too many wrong codes came from your network. Wait a minute, then try again.",
    taken_title: "You have taken the permission back",
    taken: "It ended just now or when you took it back before. Nothing more can be done with it.",
    over_title: "The permission had already ended",
    over: "Its last day is over. Nothing more can be done with it.",
    who: "Who had it",
    what_for: "What for",
    kept_heading: "What is kept",
    kept: "A record that you gave this permission and when it ended. It holds no name and no amount.",
    how_long: "It is deleted after this many days:",
    days: "days",
    before: "What was decided or paid before today stays as it is.",
    rights: "You can ask the service what it keeps about you, and ask it to put mistakes right or delete it.",
    public_task: "It is kept so that the service can show how it carried out its public task.",
    legal_obligation: "It is kept because the law tells the service to keep it.",
    contract: "It is kept so that both sides can show what was arranged between you and the service.",
    consent: "It is kept so that the service can show that you gave your consent and took it back.",
};

static CY: LetterWords = LetterWords {
    title: "Tynnu caniatâd yn ôl",
    ask: "Teipiwch y cod o'ch llythyr a phwyswch y botwm. Mae hynny'n dod â'r caniatâd i ben ar unwaith.",
    label: "Cod o'ch llythyr",
    hint: "12 llythyren a rhif. Nid yw bylchau'n bwysig.",
    button: "Tynnu'n ôl",
    wrong: "Nid yw'r cod hwnnw'n un o'n rhai ni. Gwiriwch eich llythyr a rhowch gynnig arall arni.",
    too_many: "Daeth gormod o godau anghywir o'ch rhwydwaith. Arhoswch funud, yna rhowch gynnig arall arni.",
    taken_title: "Rydych wedi tynnu'r caniatâd yn ôl",
    taken: "Daeth i ben nawr, neu pan wnaethoch ei dynnu'n ôl o'r blaen. Ni ellir gwneud dim mwy ag ef.",
    over_title: "Roedd y caniatâd eisoes wedi dod i ben",
    over: "Mae ei ddiwrnod olaf wedi mynd heibio. Ni ellir gwneud dim mwy ag ef.",
    who: "Pwy oedd yn ei ddal",
    what_for: "At ba ddiben",
    kept_heading: "Beth sy'n cael ei gadw",
    kept: "Cofnod eich bod wedi rhoi'r caniatâd hwn a phryd y daeth i ben. Nid oes enw na swm ynddo.",
    how_long: "Caiff ei ddileu ar ôl cynifer o ddyddiau:",
    days: "diwrnod",
    before: "Mae'r hyn a benderfynwyd neu a dalwyd cyn heddiw yn aros fel y mae.",
    rights: "Gallwch ofyn i'r gwasanaeth beth mae'n ei gadw amdanoch, a gofyn iddo gywiro camgymeriadau neu ei ddileu.",
    public_task: "Caiff ei gadw er mwyn i'r gwasanaeth allu dangos sut y cyflawnodd ei dasg gyhoeddus.",
    legal_obligation: "Caiff ei gadw am fod y gyfraith yn dweud wrth y gwasanaeth am ei gadw.",
    contract: "Caiff ei gadw er mwyn i'r ddwy ochr allu dangos beth a drefnwyd rhyngoch chi a'r gwasanaeth.",
    consent: "Caiff ei gadw er mwyn i'r gwasanaeth allu dangos eich bod wedi rhoi eich cydsyniad a'i dynnu'n ôl.",
};
