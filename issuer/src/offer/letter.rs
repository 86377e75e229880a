//! The letter that carries an offer: two A4 pages to print, the picture on one and the code on the other.
//!
//! Plain words, 12 point and larger, no meaning by colour alone, in English or Welsh; the address stands where a
//! window envelope shows it. The two pages go in separate envelopes, or the second is handed over at a counter.

use askama::Template;
use jiff::civil::Date;

use super::{Offer, PictureError};
use crate::app::App;
use crate::store::Store;

/// The language of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Welsh.
    Welsh,
}

impl Language {
    /// The language with this tag: `en` or `cy`.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        match tag {
            "en" => Some(Self::English),
            "cy" => Some(Self::Welsh),
            _ => None,
        }
    }
}

/// To whom a letter goes, and in which language.
#[derive(Clone)]
pub struct Letter {
    /// Name and address, a line each, as they stand in the window.
    pub recipient: Vec<String>,
    /// The language.
    pub language: Language,
}

/// Why no letter was made.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The picture could not be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The page could not be written.
    #[error("the letter's page could not be written")]
    Page(#[source] askama::Error),
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Page<'a> {
    words: &'a Words,
    body: &'a str,
    recipient: &'a [String],
    credential: &'a str,
    picture: &'a str,
    link: &'a str,
    tx_code: &'a str,
    until: &'a str,
}

/// Every text of the letter in one language; a missing one does not compile.
struct Words {
    tag: &'static str,
    title: &'static str,
    ready: &'static str,
    scan: &'static str,
    typed: &'static str,
    code_is_apart: &'static str,
    until: &'static str,
    nobody: &'static str,
    other_way: &'static str,
    picture: &'static str,
    code_title: &'static str,
    code_ready: &'static str,
    code_use: &'static str,
    code_limit: &'static str,
    months: [&'static str; 12],
}

const ENGLISH: Words = Words {
    tag: "en",
    title: "Collect your digital record",
    ready: "Your record is ready for you to keep on your phone or computer:",
    scan: "1. Open your wallet app and scan this picture.",
    typed: "Or type this link into your wallet app:",
    code_is_apart: "2. When the app asks for a code, type the 6 digits from our other letter.",
    until: "This invitation works once, until the end of",
    nobody: "Keep this letter to yourself. We will never ask you for the picture, the link or the code.",
    other_way: "If you have no phone or computer, or need help, take this letter to any council library.",
    picture: "Square picture for your wallet app to scan",
    code_title: "Your code",
    code_ready: "Use this code to collect:",
    code_use: "Your wallet app asks for it after you scan the picture in our other letter.",
    code_limit: "If it is typed wrong too often, the invitation stops working. Ask us for a new one.",
    months: [
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
    ],
};

const WELSH: Words = Words {
    tag: "cy",
    title: "Casglwch eich cofnod digidol",
    ready: "Mae eich cofnod yn barod i chi ei gadw ar eich ffôn neu gyfrifiadur:",
    scan: "1. Agorwch eich ap waled a sganiwch y llun hwn.",
    typed: "Neu teipiwch y ddolen hon yn eich ap waled:",
    code_is_apart: "2. Pan fydd yr ap yn gofyn am god, teipiwch y 6 digid o'n llythyr arall.",
    until: "Mae'r gwahoddiad hwn yn gweithio unwaith, hyd at ddiwedd",
    nobody: "Cadwch y llythyr hwn i chi'ch hun. Ni fyddwn byth yn gofyn i chi am y llun, y ddolen na'r cod.",
    other_way: "Os nad oes gennych ffôn na chyfrifiadur, neu os oes angen help arnoch, ewch â'r llythyr hwn i unrhyw lyfrgell y cyngor.",
    picture: "Llun sgwâr i'ch ap waled ei sganio",
    code_title: "Eich cod",
    code_ready: "Defnyddiwch y cod hwn i gasglu:",
    code_use: "Bydd eich ap waled yn gofyn amdano ar ôl i chi sganio'r llun yn ein llythyr arall.",
    code_limit: "Os caiff ei deipio'n anghywir yn rhy aml, bydd y gwahoddiad yn peidio â gweithio. Gofynnwch i ni am un newydd.",
    months: [
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
    ],
};

impl Offer {
    /// The letter as one HTML document of two pages, ready to print.
    ///
    /// # Errors
    /// [`LetterError`].
    pub fn letter<S: Store>(&self, app: &App<S>, letter: &Letter) -> Result<String, LetterError> {
        let credential = app.types().by_id(&self.type_id);
        let (words, body, credential) = match letter.language {
            Language::English => (&ENGLISH, &app.name().en, credential.map(|found| &found.name.en)),
            Language::Welsh => (&WELSH, &app.name().cy, credential.map(|found| &found.name.cy)),
        };
        // The offer ends in the course of its last day; the day before is the last that can be promised whole.
        let until = long_date(words, self.expires_at.minus(vouchsafe_protocol::time::DAY).london_date());
        let page = Page {
            words,
            body,
            recipient: &letter.recipient,
            credential: credential.map_or("", String::as_str),
            picture: &self.qr_svg()?,
            link: &self.link(),
            tx_code: self.tx_code(),
            until: &until,
        };
        page.render().map_err(LetterError::Page)
    }
}

fn long_date(words: &Words, date: Date) -> String {
    let month = usize::try_from(date.month() - 1)
        .ok()
        .and_then(|at| words.months.get(at))
        .copied()
        .unwrap_or_default();
    format!("{} {month} {}", date.day(), date.year())
}
