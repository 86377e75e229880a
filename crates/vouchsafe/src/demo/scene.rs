//! What stories have in common: somebody collects, a service asks, somebody answers, and a decision comes of it.

use std::io::Write;

use serde_json::{Value, json};
use vouchsafe_issuer::App;

use super::Stage;
use super::browser::{Browser, wallet_link};
use super::operator::{Asked, Operator};
use super::resident::Resident;
use super::stage::Told;
use crate::dev;
use crate::exit::Failure;

/// Resident `number` collects a batch of one type from the body that signs it; gives the number of copies.
pub(super) async fn collect(
    body: &App,
    type_id: &str,
    resident: &Resident,
    number: u32,
) -> Result<usize, Failure> {
    let offer = dev::offer_of(body, type_id, number).await?;
    resident.receive(&offer.link(), offer.tx_code()).await
}

/// A question that is put to somebody whose browser has opened the page.
pub(super) struct Question {
    asked: Asked,
    browser: Browser,
    /// What the page opens the wallet with.
    pub(super) link: String,
}

impl Question {
    /// A service asks by `policy`.
    pub(super) async fn put<W: Write>(
        stage: &Stage<W>,
        service: &Operator,
        policy: &str,
        reference: &str,
    ) -> Result<Self, Failure> {
        Self::shown(stage, service.ask(policy, reference).await?).await
    }

    /// A question that was put, once the resident's browser has opened its page.
    pub(super) async fn shown<W: Write>(stage: &Stage<W>, asked: Asked) -> Result<Self, Failure> {
        let mut browser = Browser::new(stage.world.client()?);
        let html = browser.open(&asked.url).await?;
        let link =
            wallet_link(&html).ok_or_else(|| Failure::unavailable("the page has no link to a wallet"))?;
        Ok(Self { asked, browser, link })
    }

    /// The resident shares, and their browser goes back.
    pub(super) async fn shared(&mut self, resident: &Resident) -> Result<(), Failure> {
        let back = resident.share(&self.link).await?;
        self.browser.open(&back).await.map(drop)
    }

    /// The resident shows that the rule is not met, and their browser goes back.
    pub(super) async fn shared_contrary(&mut self, resident: &Resident) -> Result<(), Failure> {
        let back = resident.share_contrary(&self.link).await?;
        self.browser.open(&back).await.map(drop)
    }

    /// The browser goes back to where the service said.
    pub(super) async fn returns(&mut self, back: Option<&str>) -> Result<(), Failure> {
        let back = back.ok_or_else(|| Failure::unavailable("the service gave no way back to the browser"))?;
        self.browser.open(back).await.map(drop)
    }

    /// The API's id of the question.
    pub(super) fn id(&self) -> &str {
        &self.asked.id
    }

    /// How the service's question ended; any other end than `expected` ends the story.
    pub(super) async fn ended(
        &self,
        service: &Operator,
        expected: (&str, &str),
        sentence: &str,
    ) -> Result<Told<()>, Failure> {
        let decision = service.decision(&self.asked.id).await?;
        let decision = decision.ok_or_else(|| Failure::unavailable("the request is still open"))?;
        outcome(&decision, expected, sentence)
    }
}

/// The step's outcome is the decision's; any other than `expected`, or another reason, ends the story.
fn outcome(decision: &Value, (outcome, reason): (&str, &str), sentence: &str) -> Result<Told<()>, Failure> {
    if decision["outcome"] == outcome && decision["reasons"] == json!([reason]) {
        return Ok(Told::with((), outcome, sentence));
    }
    let (outcome, reasons) = (&decision["outcome"], &decision["reasons"]);
    Err(Failure::unavailable(format!("the decision says {outcome} for {reasons}")))
}

/// A text as the wallet shows it, apart from the narration.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("      | {line}\n")).collect()
}
