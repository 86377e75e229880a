//! A permit for the park-and-ride: one of a list of wards with gaps between them, and which one stays hidden.

use std::io::Write;

use super::Stage;
use super::resident::Resident;
use super::scene::{Question, collect, indented};
use super::stage::Told;
use crate::district::{PARKING, RESIDENCY, residents};
use crate::exit::Failure;

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say(
        "\nA permit for the park-and-ride: for the wards around it, which are not next to each other.\n",
    )?;
    let resident = receive(stage, "parking", residents::BESIDE_PARKING).await?;
    let mut question = ask(stage, "parking").await?;
    stage
        .step("parking/review", async |_| {
            let page = resident.read(&question.link).await?;
            Ok(Told::ok((), format!("The wallet shows:\n\n{}", indented(&page))))
        })
        .await?;
    stage
        .step("parking/answer", async |stage| {
            question.shared(&resident).await?;
            let sentence = "A proof that the ward is one of six; the operator does not learn which.";
            question.ended(&stage.operator, ("met", "conditions_met"), sentence).await
        })
        .await?;
    let resident = receive(stage, "parking/not-met", residents::FAR_FROM_PARKING).await?;
    let mut question = ask(stage, "parking/not-met").await?;
    stage
        .step("parking/not-met/answer", async |stage| {
            question.shared_contrary(&resident).await?;
            let sentence = "A proof that the ward is none of the six, after a confirmation of its own.";
            question.ended(&stage.operator, ("not_met", "contrary_proved"), sentence).await
        })
        .await
}

async fn receive<W: Write>(stage: &mut Stage<W>, name: &str, number: u32) -> Result<Resident, Failure> {
    stage
        .step(&format!("{name}/receive"), async |stage| {
            let resident = stage.resident(number).await?;
            let copies = collect(&stage.world.issuer, RESIDENCY, &resident, number).await?;
            Ok(Told::ok(resident, format!("Resident {number:04} collects {copies} copies.")))
        })
        .await
}

async fn ask<W: Write>(stage: &mut Stage<W>, name: &str) -> Result<Question, Failure> {
    stage
        .step(&format!("{name}/ask"), async |stage| {
            let question = Question::put(stage, &stage.operator, PARKING, "PERMIT-2026").await?;
            Ok(Told::ok(question, "Larkfield Buses asks: in one of the wards around the park-and-ride?"))
        })
        .await
}
