//! School meals without charge: what two payers paid one person last month is together below a bound, and what each of
//! them paid stays hidden.

use std::io::Write;

use jiff::civil::{Date, date};

use super::Stage;
use super::resident::Resident;
use super::scene::{Question, indented};
use super::stage::Told;
use crate::dev;
use crate::district::{MEALS, residents};
use crate::exit::Failure;

/// How long a question stays open, and a little more.
const OVER: i64 = 600;

const TODAY: Date = date(2026, 11, 20);
const LAST_MONTH: &str = "2026-10";

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage
        .say("\nSchool meals without charge: the income of last month from two payers, added up unseen.\n")?;
    stage
        .step("meals/enrol", async |stage| {
            let statements = dev::enrol_incomes(&stage.world, TODAY).await?;
            Ok(Told::ok((), format!("Two payers load their registers: {statements} statements of October.")))
        })
        .await?;
    met(stage).await?;
    declined(stage).await
}

async fn met<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    let resident = receive(stage, "meals", residents::PAID_LESS).await?;
    let mut question = ask(stage, "meals").await?;
    stage
        .step("meals/review", async |_| {
            let page = resident.read(&question.link).await?;
            Ok(Told::ok((), format!("The wallet shows:\n\n{}", indented(&page))))
        })
        .await?;
    stage
        .step("meals/answer", async |stage| {
            question.shared(&resident).await?;
            let sentence = "One answer of two credentials: of one person, and together below the bound.";
            question.ended(&stage.schools, ("met", "conditions_met"), sentence).await
        })
        .await
}

/// Nobody can answer what does not hold, and nobody has to say so.
async fn declined<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    let resident = receive(stage, "meals/declined", residents::PAID_MORE).await?;
    let mut question = ask(stage, "meals/declined").await?;
    stage
        .step("meals/declined/answer", async |stage| {
            match question.shared(&resident).await {
                Err(refused) if refused.code() == "not-met" => {}
                Err(other) => return Err(other),
                Ok(()) => return Err(Failure::unavailable("the wallet answered what does not hold")),
            }
            resident.decline(&question.link).await?;
            stage.pass(OVER).await?;
            let sentence =
                "Paid more, the wallet has nothing to answer with; to the schools it looks like any other no.";
            question.ended(&stage.schools, ("declined", "wallet_declined"), sentence).await
        })
        .await
}

async fn receive<W: Write>(stage: &mut Stage<W>, name: &str, number: u32) -> Result<Resident, Failure> {
    stage
        .step(&format!("{name}/receive"), async |stage| {
            let resident = stage.resident(number).await?;
            let mut copies = 0;
            for payer in &stage.world.payers {
                let offer = dev::offer_statement(payer, number, LAST_MONTH).await?;
                copies += resident.receive(&offer.link(), offer.tx_code()).await?;
            }
            let sentence = format!("Resident {number:04} collects {copies} copies, half of each payer.");
            Ok(Told::ok(resident, sentence))
        })
        .await
}

async fn ask<W: Write>(stage: &mut Stage<W>, name: &str) -> Result<Question, Failure> {
    stage
        .step(&format!("{name}/ask"), async |stage| {
            let question = Question::put(stage, &stage.schools, MEALS, "MEALS-2026").await?;
            Ok(Told::ok(
                question,
                "Larkfield Schools asks: £1,500.00 last month, or less, from both together?",
            ))
        })
        .await
}
