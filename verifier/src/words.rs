//! The words of the hosted pages, in English and Welsh. A word that one language lacks does not compile.
//!
//! Plain words, short sentences; names of services and purposes come from the trust register, in both languages.

pub mod letter;

use vouchsafe_protocol::text::Bilingual;

/// The language of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Welsh.
    Cy,
}

impl Language {
    /// The language that `?lang=` names; English for anything unknown.
    #[must_use]
    pub fn of(query: Option<&str>) -> Self {
        if query == Some("cy") { Self::Cy } else { Self::En }
    }

    /// The words of this language.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Cy => &CY,
        }
    }

    /// This language's half of a bilingual text.
    #[must_use]
    pub fn pick(self, text: &Bilingual) -> &str {
        match self {
            Self::En => &text.en,
            Self::Cy => &text.cy,
        }
    }
}

/// Every word that a page says.
#[derive(Debug)]
pub struct Words {
    /// The page's `lang`.
    pub lang: &'static str,
    /// The query that switches to the other language.
    pub other_lang: &'static str,
    /// The other language's own name.
    pub other_name: &'static str,
    /// Title and heading while the request is open.
    pub title: &'static str,
    /// Before the service's name.
    pub who: &'static str,
    /// Before the purpose.
    pub why: &'static str,
    /// The link's text.
    pub open_wallet: &'static str,
    /// For wallets that do not open by the first link.
    pub open_other: &'static str,
    /// Heading above the code.
    pub code_heading: &'static str,
    /// How to use the code.
    pub code_help: &'static str,
    /// Before the words that page and wallet both show.
    pub match_help: &'static str,
    /// Heading above the QR code.
    pub qr_heading: &'static str,
    /// Its text alternative.
    pub qr_alt: &'static str,
    /// What to know before scanning it when the browser must come back.
    pub qr_same_device: &'static str,
    /// Heading above the other route.
    pub other_route: &'static str,
    /// That the page looks again by itself.
    pub reloads: &'static str,
    /// Look again now.
    pub reload: &'static str,
    /// Before the reference that people quote when they ask for help.
    pub reference: &'static str,
    /// Status: nobody answered yet.
    pub waiting: &'static str,
    /// Status: answered, the browser has not come back.
    pub shared: &'static str,
    /// Status: met.
    pub met: &'static str,
    /// Status: not met.
    pub not_met: &'static str,
    /// Status: could not tell.
    pub undetermined: &'static str,
    /// Status: declined.
    pub declined: &'static str,
    /// Status: expired.
    pub expired: &'static str,
    /// Heading of a page that is closed to this browser.
    pub elsewhere_title: &'static str,
    /// What to do then.
    pub elsewhere: &'static str,
    /// Heading when there is no such page.
    pub missing_title: &'static str,
    /// What to do then.
    pub missing: &'static str,
    /// Heading when we could not serve.
    pub busy_title: &'static str,
    /// What to do then.
    pub busy: &'static str,
}

static EN: Words = Words {
    lang: "en",
    other_lang: "cy",
    other_name: "Cymraeg",
    title: "Check with your wallet",
    who: "Who is asking",
    why: "What for",
    open_wallet: "Open my wallet",
    open_other: "Open another wallet",
    code_heading: "Or type a code",
    code_help: "Type this code in your wallet. It works for a few minutes.",
    match_help: "Your wallet shows the same words. If it shows others, it is about another request:",
    qr_heading: "Or scan a QR code",
    qr_alt: "QR code with the same link as “Open my wallet”",
    qr_same_device: "The answer counts only if your wallet brings you back to this browser.",
    other_route: "If you do not want to use a wallet",
    reloads: "This page looks for news every 5 seconds.",
    reload: "Look now",
    reference: "If you ask for help, quote this reference:",
    waiting: "We are waiting for your answer.",
    shared: "Your answer has arrived. Follow the link in your wallet to come back to this browser.",
    met: "The check is done: you meet the conditions.",
    not_met: "The check is done: you do not meet the conditions.",
    undetermined: "We could not tell from what you shared. This does not count as a no.",
    declined: "Nothing was shared.",
    expired: "The time for this check is over. Nothing was decided. Go back to the service to start again.",
    elsewhere_title: "This page belongs to another browser",
    elsewhere: "Go back to the device and the browser where you started. Nothing was shared here.",
    missing_title: "Page not found",
    missing: "Check the link, or go back to the service to start again.",
    busy_title: "Sorry, the service is busy",
    busy: "Try again in a moment. Nothing was lost.",
};

static CY: Words = Words {
    lang: "cy",
    other_lang: "en",
    other_name: "English",
    title: "Gwirio gyda'ch waled",
    who: "Pwy sy'n gofyn",
    why: "At ba ddiben",
    open_wallet: "Agor fy waled",
    open_other: "Agor waled arall",
    code_heading: "Neu teipiwch god",
    code_help: "Teipiwch y cod hwn yn eich waled. Mae'n gweithio am ychydig funudau.",
    match_help: "Mae eich waled yn dangos yr un geiriau. Os yw'n dangos rhai eraill, cais arall yw hwnnw:",
    qr_heading: "Neu sganiwch god QR",
    qr_alt: "Cod QR gyda'r un ddolen ag “Agor fy waled”",
    qr_same_device: "Dim ond os bydd eich waled yn dod â chi yn ôl i'r porwr hwn y mae'r ateb yn cyfrif.",
    other_route: "Os nad ydych am ddefnyddio waled",
    reloads: "Mae'r dudalen hon yn chwilio am newyddion bob 5 eiliad.",
    reload: "Chwilio nawr",
    reference: "Os ydych yn gofyn am help, dyfynnwch y cyfeirnod hwn:",
    waiting: "Rydym yn aros am eich ateb.",
    shared: "Mae eich ateb wedi cyrraedd. Dilynwch y ddolen yn eich waled i ddod yn ôl i'r porwr hwn.",
    met: "Mae'r gwiriad wedi'i wneud: rydych yn bodloni'r amodau.",
    not_met: "Mae'r gwiriad wedi'i wneud: nid ydych yn bodloni'r amodau.",
    undetermined: "Ni allem ddweud o'r hyn a rannwyd. Nid yw hyn yn cyfrif fel na.",
    declined: "Ni rannwyd dim.",
    expired: "Mae'r amser ar gyfer y gwiriad hwn ar ben. Ni phenderfynwyd dim. Ewch yn ôl i'r gwasanaeth i ddechrau eto.",
    elsewhere_title: "Mae'r dudalen hon yn perthyn i borwr arall",
    elsewhere: "Ewch yn ôl i'r ddyfais a'r porwr lle dechreuoch chi. Ni rannwyd dim yma.",
    missing_title: "Heb ganfod y dudalen",
    missing: "Gwiriwch y ddolen, neu ewch yn ôl i'r gwasanaeth i ddechrau eto.",
    busy_title: "Mae'n ddrwg gennym, mae'r gwasanaeth yn brysur",
    busy: "Rhowch gynnig arall arni mewn eiliad. Ni chollwyd dim.",
};
