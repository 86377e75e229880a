//! A service that knows residents again, and serves each of them so often a month.

use serde_json::Value;
use vouchsafe::demo::resident::Resident;
use vouchsafe::dev;
use vouchsafe::district::{CARD, SWIM, residents};
use vouchsafe_service::clock::Clock as _;

use crate::house::{HONEST, House};

async fn swimmer(house: &House, number: u32) -> Resident {
    let resident = house.newcomer(number).await;
    let offer = dev::offer_of(&house.world.issuer, CARD, number).await.unwrap();
    resident.wallet.receive(&offer.link(), Some(offer.tx_code())).await.unwrap();
    resident
}

/// Outcome, reason and name of one swim.
async fn swims(house: &House, resident: &Resident) -> [String; 3] {
    let mut question = house.ask_by(SWIM).await;
    let page = resident.read(&question.link).await.unwrap();
    assert!(page.contains("a name that they will know you by again, all through"), "{page}");
    // What the wallet says is what the verifier does.
    assert!(page.contains("They count by it: they say yes to you at most twice in "), "{page}");
    let back = resident.share(&question.link).await.unwrap();
    question.browser.open(&back).await.unwrap();
    let decision = house.operator.decision(&question.asked.id).await.unwrap().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    [&decision["outcome"], &decision["reasons"][0], &decision["pseudonym"]["value"]].map(text)
}

async fn a_resident_swims_twice_a_month_and_no_more(house: House) {
    let yesterday = house.clock.now().london_date().yesterday().unwrap();
    let register = house.world.district.register_csv();
    dev::load_into(&house.world.issuer, CARD, &register, yesterday).await.unwrap();
    let first = swimmer(&house, HONEST).await;
    let mut names = Vec::new();
    for (outcome, reason) in
        [("met", "conditions_met"), ("met", "conditions_met"), ("not_met", "limit_reached")]
    {
        let [found, why, name] = swims(&house, &first).await;
        assert_eq!((found.as_str(), why.as_str()), (outcome, reason));
        names.push(name);
    }
    names.dedup();
    assert_eq!(names.len(), 1, "the pool knows the resident again");
    // Somebody else is somebody else.
    let second = swimmer(&house, residents::DECLINES).await;
    let [found, _, name] = swims(&house, &second).await;
    assert!(found == "met" && name != names[0]);
}

on_every_store! {
    () a_resident_swims_twice_a_month_and_no_more
}
