//! Indices count what was signed, whatever of it is shown.

use serde_json::{Value, json};
use vouchsafe_protocol::dcql::{Candidate, Incomplete, Mismatch, Query, Wishes, choose};

use crate::made::{Answer, check, held, presented};

fn query(path: Value) -> Query {
    Query::from_value(
        &json!({"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]},
        "claims": [{"path": path}]}]}),
    )
    .unwrap()
}

/// What a wallet shows for `path`, and what the verifier says to it.
fn shown(path: Value) -> (Value, Result<(), Incomplete>) {
    let claims = json!({"nat": ["GB", "FR", "DE"], "deg": [{"t": "BA", "y": 1}, {"t": "MA", "y": 2}]});
    let concealed = ["/nat/0", "/nat/1", "/nat/2", "/deg/0", "/deg/1", "/deg/0/t", "/deg/1/t"];
    let held = held("v", &claims, &concealed, &[]);
    let query = query(path);
    let selection = choose(&query, &[Candidate { id: "c", held: &held }], &Wishes::default()).unwrap();
    let shown = presented(&held, &selection.presentations[0].disclosures);
    let visible = json!({"nat": shown.claims()["nat"], "deg": shown.claims()["deg"]});
    (visible, check(&query, &Answer::from([("q".to_owned(), vec![shown])])))
}

#[test]
pub(crate) fn an_element_alone_keeps_its_index() {
    assert_eq!(shown(json!(["nat", 1])), (json!({"nat": ["FR"], "deg": []}), Ok(())));
    assert_eq!(shown(json!(["deg", 1, "y"])), (json!({"nat": [], "deg": [{"y": 2}]}), Ok(())));
    assert_eq!(shown(json!(["deg", 1, "t"])), (json!({"nat": [], "deg": [{"t": "MA", "y": 2}]}), Ok(())));
    assert_eq!(shown(json!(["nat", null])).0["nat"], json!(["GB", "FR", "DE"]));
    assert_eq!(shown(json!(["deg", null, "t"])).0["deg"], json!([{"t": "BA", "y": 1}, {"t": "MA", "y": 2}]));
}

#[test]
pub(crate) fn another_element_does_not_take_its_place() {
    let held = held("v", &json!({"nat": ["GB", "FR", "DE"]}), &["/nat/0", "/nat/1", "/nat/2"], &[]);
    let disclosures = query(json!(["nat", 1])).credentials[0].disclosures(&held).unwrap();
    let shown = || Answer::from([("q".to_owned(), vec![presented(&held, &disclosures)])]);
    assert_eq!(check(&query(json!(["nat", 0])), &shown()), Err(Mismatch::Claims.into()));
    assert_eq!(check(&query(json!(["nat", 2])), &shown()), Err(Mismatch::Claims.into()));
}

#[test]
pub(crate) fn only_the_elements_of_a_wanted_value_are_shown() {
    let held = held("v", &json!({"nat": ["GB", "FR"]}), &["/nat/0", "/nat/1"], &[]);
    let mut query = query(json!(["nat", null]));
    query.credentials[0].claims.as_mut().unwrap()[0].values = Some(vec![json!("FR")]);
    let shown = presented(&held, &query.credentials[0].disclosures(&held).unwrap());
    assert_eq!(shown.claims()["nat"], json!(["FR"]));
}
