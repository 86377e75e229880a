//! A hardship grant that its resident authorises, and a reminder that somebody agrees to and takes back.
//!
//! Beside an answer a resident permits one payment, exactly as it was shown. Somebody who sits between wallet and verifier
//! can neither change it nor use it twice. Taking back is one step, and whoever relied on it learns it.

use std::io::Write;
use std::sync::Arc;

use serde_json::json;
use vouchsafe_protocol::permission::record;
use vouchsafe_verifier::log;
use vouchsafe_wallet::permissions::State;

use super::Stage;
use super::meddler::Meddler;
use super::resident::Resident;
use super::scene::{Question, indented};
use super::stage::Told;
use super::watcher::Watcher;
use crate::dev;
use crate::district::{HARDSHIP, REMINDER, residents};
use crate::exit::Failure;

const LAST_MONTH: &str = "2026-10";
const PAYEE: &str = "Larkfield Housing Trust";
const REFERENCE: &str = "RENT 0042";
/// £120.00, and what somebody would have liked it to be: within what the policy allows.
const PENCE: u64 = 12_000;
const RAISED: u64 = 19_000;
/// What the schools are told by webhook.
const WITHDRAWN: &str = "permission.withdrawn";

pub(super) async fn tell<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    stage.say(
        "\nA hardship grant: eligible by proof, and £120.00 to a named account authorised beside it.\n",
    )?;
    authorised(stage).await?;
    stage.say("\nA reminder that nobody has to agree to, agreed to and taken back.")?;
    agreed(stage).await
}

async fn authorised<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    let meddler = Arc::new(Meddler::new(stage.world.client()?));
    let resident = stage
        .step("hardship/receive", async |stage| {
            let number = residents::PAID_LESS;
            let resident = stage.resident_over(number, meddler.clone()).await?;
            let mut copies = 0;
            for payer in &stage.world.payers {
                let offer = dev::offer_statement(payer, number, LAST_MONTH).await?;
                copies += resident.receive(&offer.link(), offer.tx_code()).await?;
            }
            Ok(Told::ok(
                resident,
                format!("Resident {number:04} collects {copies} copies, half of each payer."),
            ))
        })
        .await?;
    let mut question = ask_to_pay(stage).await?;
    altered(stage, &meddler, &resident, &question).await?;
    stage
        .step("hardship/review", async |_| {
            let page = resident.read(&question.link).await?;
            Ok(Told::ok((), format!("The wallet shows:\n\n{}", indented(&page))))
        })
        .await?;
    stage
        .step("hardship/authorise", async |stage| {
            question.shared(&resident).await?;
            let sentence =
                "The decision carries the digest of what was authorised: neither amount nor payee.";
            question.ended(&stage.schools, ("met", "conditions_met"), sentence).await
        })
        .await?;
    replayed(stage, &meddler).await?;
    paid(stage, question.id()).await
}

async fn ask_to_pay<W: Write>(stage: &mut Stage<W>) -> Result<Question, Failure> {
    stage
        .step("hardship/ask", async |stage| {
            let payment = json!({"pence": PENCE, "payee": PAYEE, "reference": REFERENCE});
            let asked = stage.schools.ask_to_pay(HARDSHIP, "HARDSHIP-2026", &payment).await?;
            let question = Question::shown(stage, asked).await?;
            Ok(Told::ok(question, format!("Larkfield Schools asks, and to pay £120.00 to {PAYEE}.")))
        })
        .await
}

/// The amount is another when the request comes to the wallet.
async fn altered<W: Write>(
    stage: &mut Stage<W>,
    meddler: &Meddler,
    resident: &Resident,
    question: &Question,
) -> Result<(), Failure> {
    stage
        .step("hardship/altered", async |_| {
            meddler.raises(Some(RAISED));
            let read = resident.review(&question.link).await;
            meddler.raises(None);
            match read {
                Err(refused) => Ok(Told::with(
                    (),
                    refused.code(),
                    "Somebody on the way made it £190.00: the wallet refuses what the service did not sign.",
                )),
                Ok(_) => Err(Failure::unavailable("the wallet took an amount that nobody signed")),
            }
        })
        .await
}

/// The whole answer once more.
async fn replayed<W: Write>(stage: &mut Stage<W>, meddler: &Meddler) -> Result<(), Failure> {
    stage
        .step("hardship/replay", async |_| match meddler.sends_again().await? {
            status @ 400..=499 => {
                Ok(Told::with((), status.to_string(), "The same answer, sent again, is refused."))
            }
            status => Err(Failure::unavailable(format!("an answer that was sent again got {status}"))),
        })
        .await
}

/// The schools ask before they pay, and the permission is used with it.
async fn paid<W: Write>(stage: &mut Stage<W>, request: &str) -> Result<(), Failure> {
    stage
        .step("hardship/pay", async |stage| {
            let id = stage.schools.permission(request).await?;
            let states = [
                stage.schools.check_permission(&id, true).await?,
                stage.schools.check_permission(&id, true).await?,
            ];
            if states != ["in_force", "exhausted"] {
                return Err(Failure::unavailable(format!("the permission is {states:?}")));
            }
            Ok(Told::with(
                (),
                "exhausted",
                "In force when the schools pay, and used up with it: once is once.",
            ))
        })
        .await
}

async fn agreed<W: Write>(stage: &mut Stage<W>) -> Result<(), Failure> {
    let resident = stage
        .step("reminder/receive", async |stage| {
            let resident = stage.resident_named(residents::MET, "reminder").await?;
            let offer = dev::offer(&stage.world, residents::MET).await?;
            let copies = resident.receive(&offer.link(), offer.tx_code()).await?;
            let number = residents::MET;
            Ok(Told::ok(resident, format!("Resident {number:04} collects {copies} copies.")))
        })
        .await?;
    let mut question = Question::put(stage, &stage.schools, REMINDER, "REMINDER-2026").await?;
    stage
        .step("reminder/review", async |_| {
            let page = resident.read(&question.link).await?;
            Ok(Told::ok((), format!("The basis is consent, and the wallet says so:\n\n{}", indented(&page))))
        })
        .await?;
    let id = stage
        .step("reminder/agree", async |stage| {
            question.shared(&resident).await?;
            let sentence = "Agreed to, and recorded on both sides.";
            question.ended(&stage.schools, ("met", "conditions_met"), sentence).await?;
            let id = stage.schools.permission(question.id()).await?;
            let state = stage.schools.check_permission(&id, false).await?;
            if state != "in_force" {
                return Err(Failure::unavailable(format!("the permission is {state}")));
            }
            Ok(Told::with(id, state, sentence))
        })
        .await?;
    withdrawn(stage, &resident, &id).await
}

async fn withdrawn<W: Write>(stage: &mut Stage<W>, resident: &Resident, id: &str) -> Result<(), Failure> {
    let receipt = stage
        .step("reminder/withdraw", async |_| {
            let receipt = take_back(resident).await?;
            Ok(Told::with(receipt, "withdrawn", "One step in the wallet, and a signed receipt for it."))
        })
        .await?;
    stage
        .step("reminder/webhook", async |stage| {
            let message = stage.world.inbox.first(WITHDRAWN).await?;
            if message.body["data"]["permission"]["id"] != id && message.body["data"]["id"] != id {
                return Err(Failure::unavailable("the schools were told of another permission"));
            }
            Ok(Told::with((), WITHDRAWN, "The schools are told by a signed message that names nobody."))
        })
        .await?;
    stage
        .step("reminder/check", async |stage| {
            match stage.schools.check_permission(id, false).await?.as_str() {
                "withdrawn" => Ok(Told::with((), "withdrawn", "Whoever asks from now on is told so.")),
                state => Err(Failure::unavailable(format!("the permission is {state}"))),
            }
        })
        .await?;
    logged(stage, &receipt).await
}

/// Takes the one permission of a wallet back; gives the receipt.
async fn take_back(resident: &Resident) -> Result<String, Failure> {
    let wallet = &resident.wallet;
    let held = wallet.permissions().await.map_err(Failure::unavailable)?;
    let held = held.first().ok_or_else(|| Failure::unavailable("the wallet keeps no permission"))?;
    let after = wallet.withdraw_permission(&held.id).await.map_err(|e| Failure::refused(e.code(), e))?;
    if after.state != State::Withdrawn {
        return Err(Failure::unavailable("the wallet has no receipt"));
    }
    let exported = wallet.export_permission(&held.id).await;
    exported.map(|exported| exported.record).map_err(|e| Failure::refused(e.code(), e))
}

async fn logged<W: Write>(stage: &mut Stage<W>, receipt: &str) -> Result<(), Failure> {
    stage
        .step("reminder/log", async |stage| {
            let verifier = &stage.world.verifier;
            log::publish(verifier).await.map_err(Failure::unavailable)?;
            let desk = verifier.log_desk().ok_or_else(|| Failure::unavailable("there is no log"))?;
            let place = format!("{}/log", stage.world.at.verifier_origin());
            let watcher =
                Watcher::new(stage.world.client()?, &place, desk.origin(), &desk.verifier_key().to_string())?;
            let at = watcher.finds(record::TYP, receipt).await?;
            Ok(Told::ok((), format!("The log proves the withdrawal: its entry is number {at}.")))
        })
        .await?;
    stage
        .step("hardship/nothing-kept", async |stage| {
            nothing_kept(&stage.world.district.dir().join("verifier"))?;
            Ok(Told::ok((), "Payee and reference are in no file of the verifier, and no name ever was."))
        })
        .await
}

/// Neither payee nor reference nor anybody's name is in the verifier's database.
fn nothing_kept(folder: &std::path::Path) -> Result<(), Failure> {
    let mut read = 0;
    for name in ["verifier.sqlite", "verifier.sqlite-wal"] {
        let Ok(bytes) = std::fs::read(folder.join(name)) else { continue };
        read += bytes.len();
        for text in [PAYEE, REFERENCE, "Resident 0042"] {
            if bytes.windows(text.len()).any(|at| at == text.as_bytes()) {
                return Err(Failure::unavailable(format!("{name} holds what it must not")));
            }
        }
    }
    if read == 0 { Err(Failure::unavailable("the database was not found")) } else { Ok(()) }
}
