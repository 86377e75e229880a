//! A volunteer's clearance: met, then suspended by the body that signed it, then nobody can tell.

use std::io::Write;

use jiff::civil::{Date, date};
use vouchsafe_issuer::status::{self, Published};
use vouchsafe_protocol::status::Standing;

use super::Stage;
use super::leisure;
use super::resident::Resident;
use super::scene::{Question, collect};
use super::stage::Told;
use crate::dev;
use crate::district::{CLEARANCE, residents};
use crate::exit::Failure;

const TODAY: Date = date(2026, 11, 20);

/// Longer than a period of publication, and than any list is kept.
const NEXT_PUBLICATION: i64 = 1800;
/// Longer than the verifier believes a list that it cannot fetch anew.
const TOO_OLD: i64 = 2 * 3600;

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say("\nA companion on school buses: cleared as a volunteer, without a certificate number.\n")?;
    enrol(stage).await?;
    let resident = receive(stage).await?;
    asked(
        stage,
        &resident,
        "clearance",
        ("met", "conditions_met"),
        "Cleared at a level that counts, not long ago.",
    )
    .await?;
    leisure::volunteer(stage, &resident).await?;
    suspend(stage).await?;
    looks(stage, &resident).await?;
    let sentence = "The proof holds as before, but the bureau's list says that the clearance is suspended.";
    asked(stage, &resident, "clearance/suspended", ("not_met", "suspended"), sentence).await?;
    close(stage).await?;
    let sentence = "No list that is young enough: nobody can tell, and that is not a \"no\".";
    asked(stage, &resident, "clearance/unknown", ("undetermined", "status_unknown"), sentence).await
}

async fn enrol<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage
        .step("clearance/enrol", async |stage| {
            let file = stage.world.district.volunteers_csv();
            let report = dev::load_into(&stage.world.bureau, CLEARANCE, &file, TODAY).await?;
            let added = report.progress.added;
            Ok(Told::ok((), format!("The volunteer bureau loads its register: {added} people.")))
        })
        .await
}

async fn receive<W: Write>(stage: &mut Stage<W>) -> Result<Resident, Failure> {
    stage
        .step("clearance/receive", async |stage| {
            let resident = stage.resident(residents::VOLUNTEER).await?;
            let copies = collect(&stage.world.bureau, CLEARANCE, &resident, residents::VOLUNTEER).await?;
            let sentence = format!(
                "Resident {:04} collects {copies} copies, each with an entry of its own in a status list.",
                residents::VOLUNTEER
            );
            Ok(Told::ok(resident, sentence))
        })
        .await
}

/// One question, and the decision that must come of it.
async fn asked<W: Write>(
    stage: &mut Stage<W>,
    resident: &Resident,
    name: &str,
    expected: (&str, &str),
    sentence: &str,
) -> Result<(), Failure> {
    stage
        .step(&format!("{name}/answer"), async |stage| {
            let mut question = Question::put(stage, &stage.operator, CLEARANCE, "COMPANION-0064").await?;
            question.shared(resident).await?;
            question.ended(&stage.operator, expected, sentence).await
        })
        .await
}

/// The holder sees it when they look, before anybody asks.
async fn looks<W: Write>(stage: &mut Stage<W>, resident: &Resident) -> Result<(), Failure> {
    stage
        .step("clearance/holder", async |_| {
            resident.wallet.refresh_status().await.map_err(Failure::unavailable)?;
            let held = resident.wallet.list().await.map_err(Failure::unavailable)?;
            let seen = held.iter().find_map(|one| one.status.as_ref()).map(|status| status.standing);
            if seen != Some(Standing::Suspended) {
                return Err(Failure::unavailable("the wallet does not show that the clearance is suspended"));
            }
            Ok(Told::ok((), "The wallet shows it too, when the resident looks: suspended for now."))
        })
        .await
}

async fn suspend<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage
        .step("clearance/suspend", async |stage| {
            let person = [residents::person(residents::VOLUNTEER)];
            let asked = status::change(&stage.world.bureau, CLEARANCE, &person, Standing::Suspended).await;
            asked.map_err(Failure::unavailable)?;
            Ok(Told::ok((), "The bureau suspends the clearance. Nothing shows before the next publication."))
        })
        .await?;
    stage
        .step("clearance/publish", async |stage| {
            stage.pass(NEXT_PUBLICATION).await?;
            let published = status::publish_due(&stage.world.bureau).await.map_err(Failure::unavailable)?;
            let Some(Published { lists, changes }) = published else {
                return Err(Failure::unavailable("nothing was published, although the time had come"));
            };
            Ok(Told::ok(
                (),
                format!("At its time {lists} list is published, with {changes} person's change."),
            ))
        })
        .await
}

async fn close<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage
        .step("clearance/host-down", async |stage| {
            stage.world.close_bureau().await;
            stage.pass(TOO_OLD).await?;
            Ok(Told::ok((), "The bureau's host is down, and two hours pass."))
        })
        .await
}
