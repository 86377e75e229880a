//! A resident who has lost their wallet: the district holds each resident to one, until its counter has seen them.

use vouchsafe::demo::resident::Resident;
use vouchsafe::dev;
use vouchsafe::district::{CARD, residents};
use vouchsafe_issuer::linking;
use vouchsafe_service::clock::Clock as _;

use crate::house::{HONEST, House, NEIGHBOUR};

/// Collects a card; the number of copies, or why not.
async fn card(house: &House, resident: &Resident, number: u32) -> Result<usize, &'static str> {
    let offer = dev::offer_of(&house.world.issuer, CARD, number).await.unwrap();
    let received = resident.wallet.receive(&offer.link(), Some(offer.tx_code())).await;
    received.map(|collected| collected.received[0].copies).map_err(|refused| refused.code())
}

async fn a_second_wallet_is_sent_to_the_counter_and_collects_after_it(house: House) {
    let yesterday = house.clock.now().london_date().yesterday().unwrap();
    let register = house.world.district.register_csv();
    dev::load_into(&house.world.issuer, CARD, &register, yesterday).await.unwrap();
    let first = house.newcomer(HONEST).await;
    assert_eq!(card(&house, &first, HONEST).await, Ok(30));
    assert_eq!(card(&house, &first, HONEST).await, Ok(30), "one more batch for the same wallet");

    // The same resident on another machine; and somebody else's card in this wallet.
    let second = house.newcomer_in("second").await;
    assert_eq!(card(&house, &second, HONEST).await, Err("other-wallet"));
    assert_eq!(card(&house, &first, NEIGHBOUR).await, Err("other-wallet"));
    assert_eq!(second.wallet.list().await.unwrap(), []);
    // Everything else is collected as ever.
    house.collect(&second, HONEST).await;

    let app = &house.world.issuer;
    assert!(linking::release(app, &residents::person(HONEST)).await.unwrap());
    assert_eq!(card(&house, &second, HONEST).await, Ok(30));
    assert_eq!(card(&house, &first, HONEST).await, Err("other-wallet"));
    // What the lost wallet holds is not taken back by that.
    assert_eq!(first.wallet.list().await.unwrap().iter().map(|one| one.copies.unused).sum::<usize>(), 60);
}

on_every_store! {
    () a_second_wallet_is_sent_to_the_counter_and_collects_after_it
}
