//! The older person's bus pass: met, not met by a complement proof, declined, expired, undetermined.

use std::io::Write;

use jiff::civil::{Date, date};
use serde_json::Value;

use super::Stage;
use super::browser::{Browser, wallet_link};
use super::operator::Asked;
use super::resident::Resident;
use super::scene::indented;
use super::stage::Told;
use crate::dev;
use crate::district::{BUS_PASS, residents};
use crate::exit::Failure;

/// How long a question stays open, and a little more.
const OVER: i64 = 600;

const TODAY: Date = date(2026, 11, 20);
const LAST_SUMMER: Date = date(2026, 7, 1);

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say(
        "Larkfield District: an older person's bus pass, without showing a birth date or an address.\n",
    )?;
    enrol(stage).await?;
    met(stage).await?;
    not_met(stage).await?;
    declined(stage).await?;
    expired(stage).await?;
    undetermined(stage).await
}

async fn enrol<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("The council loads its register.")?;
    stage
        .step("bus-pass/enrol", async |stage| {
            let earlier = stage.world.district.earlier_register_csv();
            dev::load(&stage.world, &earlier, LAST_SUMMER).await?;
            let report = dev::enrol(&stage.world, TODAY).await?;
            let sentence = format!("{} residents enrolled, none refused.", report.progress.added + 1);
            Ok(Told::ok((), sentence))
        })
        .await
}

/// The resident collects thirty copies, each checked to the last commitment.
async fn receive<W: Write>(stage: &mut Stage<W>, name: &str, number: u32) -> Result<Resident, Failure> {
    stage
        .step(&format!("{name}/receive"), async |stage| {
            let offer = dev::offer(&stage.world, number).await?;
            let resident = stage.resident(number).await?;
            let copies = resident.receive(&offer.link(), offer.tx_code()).await?;
            let sentence =
                format!("Resident {number:04} collects {copies} copies; every commitment was checked.");
            Ok(Told::ok(resident, sentence))
        })
        .await
}

/// The operator asks, and the resident's browser opens the page.
async fn ask<W: Write>(stage: &mut Stage<W>, name: &str) -> Result<(Asked, Browser, String), Failure> {
    stage
        .step(&format!("{name}/ask"), async |stage| {
            let asked = stage.operator.ask(BUS_PASS, "PASS-2026-0042").await?;
            let mut browser = Browser::new(stage.world.client()?);
            let html = browser.open(&asked.url).await?;
            let link =
                wallet_link(&html).ok_or_else(|| Failure::unavailable("the page has no link to a wallet"))?;
            let sentence =
                "Larkfield Buses asks: entitled to an older person's pass? The page opens in the browser.";
            Ok(Told::ok((asked, browser, link), sentence))
        })
        .await
}

async fn met<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nResident 0042 qualifies.")?;
    let resident = receive(stage, "bus-pass", residents::MET).await?;
    stage
        .step("bus-pass/entitled", async |stage| {
            let words = resident.entitled(&stage.world.at.verifier_origin()).await?;
            let words = indented(&words);
            Ok(Told::ok((), format!("By the policies that are published, and telling nobody:\n\n{words}")))
        })
        .await?;
    let (asked, mut browser, link) = ask(stage, "bus-pass").await?;
    stage
        .step("bus-pass/review", async |_| {
            let page = resident.read(&link).await?;
            Ok(Told::ok((), format!("The wallet shows:\n\n{}", indented(&page))))
        })
        .await?;
    stage
        .step("bus-pass/answer", async |stage| {
            let back = resident.share(&link).await?;
            browser.open(&back).await?;
            let decision = decided(stage, &asked).await?;
            outcome(
                &decision,
                "met",
                "The answer is a proof; the operator gets a signed \"met\", and nothing else.",
            )
        })
        .await
}

async fn not_met<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nResident 0007 is too young, and chooses to show just that.")?;
    let resident = receive(stage, "bus-pass/not-met", residents::TOO_YOUNG).await?;
    let (asked, mut browser, link) = ask(stage, "bus-pass/not-met").await?;
    stage
        .step("bus-pass/not-met/answer", async |stage| {
            let back = resident.share_contrary(&link).await?;
            browser.open(&back).await?;
            let decision = decided(stage, &asked).await?;
            outcome(&decision, "not_met", "A proof of the contrary, after a confirmation of its own.")
        })
        .await
}

async fn declined<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nResident 0108 would qualify, and says no.")?;
    let resident = receive(stage, "bus-pass/declined", residents::DECLINES).await?;
    let (asked, _browser, link) = ask(stage, "bus-pass/declined").await?;
    stage
        .step("bus-pass/declined/answer", async |stage| {
            resident.decline(&link).await?;
            stage.pass(OVER).await?;
            let decision = decided(stage, &asked).await?;
            outcome(
                &decision,
                "declined",
                "The wallet says no; once the time is over that stands, without a reason.",
            )
        })
        .await
}

async fn expired<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nResident 0115 never answers.")?;
    let (asked, _browser, _link) = ask(stage, "bus-pass/expired").await?;
    stage
        .step("bus-pass/expired/wait", async |stage| {
            stage.pass(OVER).await?;
            let decision = decided(stage, &asked).await?;
            outcome(&decision, "expired", "Nobody answered in time.")
        })
        .await
}

async fn undetermined<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nResident 0201 holds facts from last summer, older than the policy accepts.")?;
    let resident = receive(stage, "bus-pass/undetermined", residents::STALE).await?;
    let (asked, mut browser, link) = ask(stage, "bus-pass/undetermined").await?;
    stage
        .step("bus-pass/undetermined/answer", async |stage| {
            let back = resident.share(&link).await?;
            browser.open(&back).await?;
            let decision = decided(stage, &asked).await?;
            outcome(
                &decision,
                "undetermined",
                "The proof holds, but the facts are stale: that is not a \"no\".",
            )
        })
        .await
}

/// The decision that must be there by now.
async fn decided<W: Write>(stage: &Stage<W>, asked: &Asked) -> Result<Value, Failure> {
    let decision = stage.operator.decision(&asked.id).await?;
    decision.ok_or_else(|| Failure::unavailable("the request is still open"))
}

/// The step's outcome is the decision's; any other than `expected` ends the story.
fn outcome(decision: &Value, expected: &str, sentence: &str) -> Result<Told<()>, Failure> {
    match decision["outcome"].as_str() {
        Some(outcome) if outcome == expected => Ok(Told::with((), outcome, sentence)),
        other => Err(Failure::unavailable(format!("the decision says {}", other.unwrap_or("nothing")))),
    }
}
