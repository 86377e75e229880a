//! `vouchsafe dev`: issuer and verifier up and seeded, for whoever builds against them. Loopback only.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vouchsafe_issuer::import::{self, Options};
use vouchsafe_issuer::offer::{self, Delivery, OfferRequest};
use vouchsafe_issuer::{App, Kind};
use vouchsafe_service::clock::{Clock, DatabaseClock};
use vouchsafe_service::listen::stop_signal;
use vouchsafe_service::telemetry;
use vouchsafe_verifier::notices;

use crate::cli::{print, serve};
use crate::district::{
    BUS_PASS, BUSES, CARD, CLEARANCE, Databases, HOUSEHOLD, INCOME, LEISURE, PARKING, RESIDENCY, residents,
};
use crate::exit::Failure;
use crate::world::{Ports, World};

/// Runs the development servers until they are asked to stop.
///
/// # Errors
/// When a port is taken or the district cannot be set up.
pub async fn run(port_base: u16, data_dir: &Path, databases: &Databases, json: bool) -> Result<(), Failure> {
    let clock = Arc::new(DatabaseClock::default());
    telemetry::init_logs(
        telemetry::Config { format: telemetry::Format::Pretty, ..Default::default() },
        clock.clone(),
    );
    let world = World::start_on(data_dir, Ports::from_base(port_base), databases, clock.clone()).await?;
    notices::declare(&world.verifier).await.map_err(Failure::unavailable)?;
    let today = clock.now().london_date();
    enrol(&world, today).await?;
    enrol_others(&world, today).await?;
    let ready = ready(&world).await?;
    // Listening comes before the line: a script may stop us as soon as it has read it.
    let mut stop = pin!(stop_signal());
    let stopped = tokio::time::timeout(Duration::ZERO, stop.as_mut()).await.is_ok();
    print::one(json, &ready, || words(&ready))?;
    let sweeper = tokio::spawn(serve::sweep(Arc::clone(&world.verifier)));
    let signer = tokio::spawn(serve::sign_log(Arc::clone(&world.verifier)));
    let [one, two] = world.payers.each_ref().map(Arc::clone);
    let publishers = [Arc::clone(&world.bureau), one, two].map(|body| tokio::spawn(serve::publish(body)));
    if !stopped {
        stop.await;
    }
    sweeper.abort();
    signer.abort();
    publishers.iter().for_each(JoinHandle::abort);
    world.stop().await;
    Ok(())
}

/// Loads the district's register, as of `today`.
///
/// # Errors
/// When the register cannot be loaded.
pub async fn enrol(world: &World, today: jiff::civil::Date) -> Result<import::Report, Failure> {
    load(world, &world.district.register_csv(), today).await
}

/// Loads the registers of households, of cards, of volunteers and of the payers, as of `today`.
///
/// # Errors
/// When one of them cannot be loaded.
pub async fn enrol_others(world: &World, today: jiff::civil::Date) -> Result<(), Failure> {
    let district = &world.district;
    load_into(&world.issuer, HOUSEHOLD, &district.households_csv(), today).await?;
    load_into(&world.issuer, CARD, &district.register_csv(), today).await?;
    load_into(&world.bureau, CLEARANCE, &district.volunteers_csv(), today).await?;
    enrol_incomes(world, today).await.map(drop)
}

/// Loads the registers of the payers, as of `today`; gives how many statements they hold.
///
/// # Errors
/// When one of them cannot be loaded.
pub async fn enrol_incomes(world: &World, today: jiff::civil::Date) -> Result<u64, Failure> {
    let mut statements = 0;
    for (payer, file) in world.payers.iter().zip(world.district.income_csvs()) {
        statements += load_into(payer, INCOME, &file, today).await?.progress.added;
    }
    Ok(statements)
}

/// Loads one file of the register.
///
/// # Errors
/// When the file cannot be loaded, or holds a line that is refused.
pub async fn load(
    world: &World,
    file: &Path,
    facts_as_of: jiff::civil::Date,
) -> Result<import::Report, Failure> {
    load_into(&world.issuer, RESIDENCY, file, facts_as_of).await
}

/// Loads a body's register for one of its types.
///
/// # Errors
/// When the file cannot be loaded, or holds a line that is refused.
pub async fn load_into(
    body: &App,
    type_id: &str,
    file: &Path,
    facts_as_of: jiff::civil::Date,
) -> Result<import::Report, Failure> {
    let options =
        Options { type_id: type_id.to_owned(), key_column: residents::KEY_COLUMN.to_owned(), facts_as_of };
    let report = import::run(body, file, &options, |_| {}).await.map_err(Failure::unavailable)?;
    match report.errors.first() {
        Some(error) => Err(Failure::usage(error)),
        None => Ok(report),
    }
}

/// An offer of proof copies for resident `number`.
///
/// # Errors
/// When the issuer makes none.
pub async fn offer(world: &World, number: u32) -> Result<offer::Offer, Failure> {
    offer_of(&world.issuer, RESIDENCY, number).await
}

/// A body's offer of proof copies of one of its types for resident `number`.
///
/// # Errors
/// When the body makes none.
pub async fn offer_of(body: &App, type_id: &str, number: u32) -> Result<offer::Offer, Failure> {
    offer::create(body, &request(type_id, number)).await.map_err(Failure::unavailable)
}

/// A payer's offer of its statement for resident `number` and `month`, `YYYY-MM`.
///
/// # Errors
/// When the payer makes none.
pub async fn offer_statement(payer: &App, number: u32, month: &str) -> Result<offer::Offer, Failure> {
    let request = request(INCOME, number);
    offer::create_for_period(payer, &request, month).await.map_err(Failure::unavailable)
}

fn request(type_id: &str, number: u32) -> OfferRequest {
    OfferRequest {
        type_id: type_id.to_owned(),
        person: residents::person(number),
        kind: Kind::Proof,
        delivery: Delivery::Link,
    }
}

/// The one line that scripts wait for.
async fn ready(world: &World) -> Result<Value, Failure> {
    let offer = offer(world, residents::MET).await?;
    let test_key = world.test_key()?;
    Ok(json!({
        "ready": true,
        "issuer": world.at.issuer_origin(),
        "verifier": world.at.verifier_origin(),
        "wallet": null,
        "ca": world.district.tls_ca(),
        "trust": world.district.trust_file(),
        "ops": format!("http://{}", world.at.ops),
        "client": { "id": BUSES, "test_key": test_key, "private_key_file": world.district.client_key_file() },
        "offer": { "uri": offer.link(), "tx_code": offer.tx_code() },
        "policies": [BUS_PASS, CLEARANCE, LEISURE, PARKING],
        "purposes": [
            "https://larkfield.example/purposes/older-persons-bus-pass",
            "https://larkfield.example/purposes/bus-companion",
            "https://larkfield.example/purposes/leisure-day-ticket",
            "https://larkfield.example/purposes/park-and-ride-permit",
        ],
    }))
}

fn words(ready: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ca, verifier) = (text(&ready["ca"]), text(&ready["verifier"]));
    format!(
        "Issuer    {}\nVerifier  {verifier}\nMetrics   {}/metrics\n\n\
         A resident's offer (give the code apart from it):\n  {}\n  code {}\n\n\
         What a wallet trusts: {}\n\nAsk the first question:\n  \
         curl --cacert {ca} -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' \\\n    \
         -d '{{\"policy\":\"{BUS_PASS}\",\"flow\":\"same_device\"}}' {verifier}/v1/requests\n\nStop with Ctrl-C.",
        text(&ready["issuer"]),
        text(&ready["ops"]),
        text(&ready["offer"]["uri"]),
        text(&ready["offer"]["tx_code"]),
        text(&ready["trust"]),
        text(&ready["client"]["test_key"]),
    )
}
