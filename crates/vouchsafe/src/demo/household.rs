//! Help with the costs of a household: two adults who live together answer one question, each with a wallet of their own.

use std::io::Write;

use jiff::civil::{Date, date};
use vouchsafe_wallet::joint::{CheckNumber, JointError, Next};
use vouchsafe_wallet::words::Language;

use super::Stage;
use super::resident::Resident;
use super::scene::{Question, collect, indented};
use super::stage::Told;
use crate::dev;
use crate::district::{HOUSEHOLD, residents};
use crate::exit::Failure;

/// The policy has the id of the type.
const POLICY: &str = HOUSEHOLD;
const TODAY: Date = date(2026, 11, 20);
const LAST_MONTH: &str = "2026-10";

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nHelp for a household: what two adults were paid last month, over two wallets.\n")?;
    stage
        .step("household/enrol", async |stage| {
            let register = stage.world.district.households_csv();
            let report = dev::load_into(&stage.world.issuer, HOUSEHOLD, &register, TODAY).await?;
            let added = report.progress.added;
            Ok(Told::ok((), format!("Larkfield District loads who lives together: {added} residents.")))
        })
        .await?;
    let gathers = receive(stage, "household/receive", residents::MET).await?;
    let joins = receive(stage, "household/partner/receive", residents::PARTNER).await?;
    let mut question = ask(stage).await?;
    let invitation = invite(stage, &gathers, &question).await?;
    let number = CheckNumber::of(&invitation).to_string();
    let contribution = contribute(stage, &joins, &invitation, &number).await?;
    let proof = prove(stage, &gathers, &contribution).await?;
    let binding = agree(stage, &joins, &proof).await?;
    stage
        .step("household/answer", async |stage| {
            let Next::Answered(answered) = gathers.wallet.exchange(&binding).await.map_err(refused)? else {
                return Err(out_of_step());
            };
            question.returns(answered.redirect_uri.as_deref()).await?;
            let sentence =
                "One answer of six credentials of two people: together below the bound, nobody left out.";
            question.ended(&stage.schools, ("met", "conditions_met"), sentence).await
        })
        .await
}

async fn receive<W: Write>(stage: &mut Stage<W>, name: &str, number: u32) -> Result<Resident, Failure> {
    stage
        .step(name, async |stage| {
            let resident = stage.resident_named(number, "household").await?;
            let mut copies = collect(&stage.world.issuer, HOUSEHOLD, &resident, number).await?;
            for payer in &stage.world.payers {
                let offer = dev::offer_statement(payer, number, LAST_MONTH).await?;
                copies += resident.receive(&offer.link(), offer.tx_code()).await?;
            }
            let sentence =
                format!("Resident {number:04} collects {copies} copies, of the district and two payers.");
            Ok(Told::ok(resident, sentence))
        })
        .await
}

async fn ask<W: Write>(stage: &mut Stage<W>) -> Result<Question, Failure> {
    stage
        .step("household/ask", async |stage| {
            let question = Question::put(stage, &stage.schools, POLICY, "HOUSEHOLD-2026").await?;
            let sentence =
                "Larkfield Schools asks: two adults and no other, together £2,600.00 last month, or less?";
            Ok(Told::ok(question, sentence))
        })
        .await
}

async fn invite<W: Write>(
    stage: &mut Stage<W>,
    resident: &Resident,
    question: &Question,
) -> Result<String, Failure> {
    stage
        .step("household/join", async |_| {
            let wallet = &resident.wallet;
            let joining = wallet.join(&question.link).await.map_err(refused)?;
            let invitation = wallet.invite(&joining).await.map_err(refused)?;
            let sentence = "The first wallet cannot answer alone, and invites the other one. Its resident reads out the \
                number of the invitation.";
            Ok(Told::ok(invitation, sentence))
        })
        .await
}

async fn contribute<W: Write>(
    stage: &mut Stage<W>,
    resident: &Resident,
    invitation: &str,
    number: &str,
) -> Result<String, Failure> {
    stage
        .step("household/contribute", async |_| {
            let invited = resident.wallet.invited(invitation).await.map_err(refused)?;
            let page = indented(&invited.page(Language::En).to_string());
            let contribution = resident.wallet.contribute(&invited, number).await.map_err(refused)?;
            let sentence =
                format!("The other reads the request for itself, and shows what will be learnt:\n\n{page}");
            Ok(Told::ok(contribution, sentence))
        })
        .await
}

async fn prove<W: Write>(
    stage: &mut Stage<W>,
    resident: &Resident,
    contribution: &str,
) -> Result<String, Failure> {
    stage
        .step("household/prove", async |_| {
            let Next::Proof(proof) = resident.wallet.exchange(contribution).await.map_err(refused)? else {
                return Err(out_of_step());
            };
            Ok(Told::ok(proof, "The first makes the proof over what both hold. Nothing is signed yet."))
        })
        .await
}

async fn agree<W: Write>(stage: &mut Stage<W>, resident: &Resident, proof: &str) -> Result<String, Failure> {
    stage
        .step("household/agree", async |_| {
            let Next::Binding(binding) = resident.wallet.exchange(proof).await.map_err(refused)? else {
                return Err(out_of_step());
            };
            Ok(Told::ok(
                binding,
                "The other verifies all of it, and only then signs for its own credentials.",
            ))
        })
        .await
}

fn refused(e: JointError) -> Failure {
    Failure::refused(e.code(), e.words(Language::En))
}

fn out_of_step() -> Failure {
    Failure::unavailable("the wallets are not at the same step")
}
