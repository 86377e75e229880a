//! What a stranger's wallet may do beyond the least: a token bound to its key, a batch that is put off, notifications,
//! signed metadata.

use serde_json::{Value, json};
use vouchsafe::district::residents;
use vouchsafe_issuer::Kind;
use vouchsafe_issuer::deferral;
use vouchsafe_issuer::store::Verdict;

use crate::peer;
use crate::town::Town;

/// A type on whose every request an officer decides.
const PERMIT: &str = r#"
id = "permit"
vct = "https://larkfield.example/types/permit/1"
ttl_days = 30
batch = 4
deferred = true
name = { en = "Larkfield permit", cy = "Trwydded Larkfield" }

[[attributes]]
pointer = "/name"
column = "name"
kind = "text"
answer = ["show"]
label = { en = "your name", cy = "eich enw" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_bound_to_a_key_is_used_with_it_and_the_batch_is_acknowledged() {
    let town = Town::open().await;
    let offer = town.offer(Kind::Plain, residents::MET).await;
    let input = json!({"offer": offer.link(), "tx_code": offer.tx_code(), "copies": 5, "dpop": true});
    let said = town.strangers_wallet(input);
    assert_eq!(said["held"].as_array().map(Vec::len), Some(5));
    assert_eq!(said["notified"], true, "the issuer gave an id and took the notification");
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_put_off_is_collected_once_an_officer_approves() {
    let town = Town::open_with(&[("permit.toml", PERMIT)]).await;
    town.enrol("permit").await;
    let offer = town.offer_of("permit", Kind::Plain, residents::MET).await;
    let input = json!({"offer": offer.link(), "tx_code": offer.tx_code(), "copies": 3, "dpop": true});
    let later = town.strangers_wallet(input)["later"].clone();
    let asked_again = town.strangers_wallet(json!({"later": later}));
    assert_eq!(asked_again["later"]["transaction_id"], later["transaction_id"], "nobody has decided yet");

    let waiting = deferral::waiting(&town.world.issuer, None).await.expect("a list");
    deferral::decide(&town.world.issuer, &waiting[0].reference, Verdict::Approve).await.expect("a decision");
    let said = town.strangers_wallet(json!({"later": later}));
    assert_eq!(said["notified"], true);
    let texts: Vec<&Value> =
        said["held"].as_array().expect("copies").iter().map(|copy| &copy["credential"]).collect();
    let read = peer::run("read.mjs", &json!({"anchor": town.anchor(), "issued": texts}), None);
    assert_eq!((texts.len(), &read["issued"][2]["name"]), (3, &json!("Resident 0042")));
    town.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_metadata_says_what_the_plain_document_says() {
    let town = Town::open().await;
    let input = json!({"issuer": town.world.at.issuer_origin(), "anchor": town.anchor()});
    let said = peer::run("metadata.mjs", &input, Some(&town.authority()));
    assert!(said["members"].as_u64().is_some_and(|members| members >= 8), "{said}");
    town.world.stop().await;
}
