//! A reduced price for a day ticket: any of three reasons is enough, and which one it is stays with the resident.

use std::io::Write;

use super::Stage;
use super::resident::Resident;
use super::scene::{Question, collect};
use super::stage::Told;
use crate::district::{LEISURE, RESIDENCY, residents};
use crate::exit::Failure;

const MET: (&str, &str) = ("met", "conditions_met");

/// Somebody who lives in the next district, and has reached pension age.
pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say(
        "\nA reduced price for a day ticket: living here, pension age, or a clearance as a volunteer.\n",
    )?;
    let number = residents::NEIGHBOUR;
    let resident = stage
        .step("leisure/receive", async |stage| {
            let resident = stage.resident(number).await?;
            let copies = collect(&stage.world.issuer, RESIDENCY, &resident, number).await?;
            let sentence = format!("Resident {number:04} of the next district collects {copies} copies.");
            Ok(Told::ok(resident, sentence))
        })
        .await?;
    let mut question = stage
        .step("leisure/ask", async |stage| {
            let question = Question::put(stage, &stage.operator, LEISURE, "TICKET-0150").await?;
            Ok(Told::ok(question, "Larkfield Buses asks: does any of the three hold?"))
        })
        .await?;
    stage
        .step("leisure/answer", async |stage| {
            question.shared(&resident).await?;
            let sentence = "The wallet proves pension age, and nothing of the ward.";
            question.ended(&stage.operator, MET, sentence).await
        })
        .await
}

/// Somebody who holds nothing but a clearance.
pub(super) async fn volunteer<W: Write>(stage: &mut Stage<W>, resident: &Resident) -> Result<(), Failure> {
    stage
        .step("leisure/volunteer/answer", async |stage| {
            let mut question = Question::put(stage, &stage.operator, LEISURE, "TICKET-0064").await?;
            question.shared(resident).await?;
            let sentence =
                "The same clearance gets a day ticket at the reduced price: the third of the three reasons.";
            question.ended(&stage.operator, MET, sentence).await
        })
        .await
}
