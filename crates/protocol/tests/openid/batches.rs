//! What a wallet refuses to keep.

use std::cell::Cell;

use serde_json::{Value, json};
use vouchsafe_proofs::commitment::{Commitment, Seed};
use vouchsafe_protocol::encoding::{b64u, b64u_array, b64u_decode, sha256};
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::openid4vci::batch::BatchError;
use vouchsafe_protocol::openid4vci::credential::{Copy, Openings};
use vouchsafe_protocol::time::DAY;
use vouchsafe_protocol::types::Period;
use vouchsafe_protocol::zkc;

use crate::district::{District, NOW, OLD, PLAIN, PROOF, Resident, sign, spoiled};
use crate::pay::{Draft, PERSON, Payer, own_month};

fn batch(district: &District) -> Vec<Copy> {
    (0..3).map(|i| district.copy(i, &OLD)).collect()
}

/// The batch with the credential of its first copy made from other claims.
fn reissued(district: &District, spoil: impl Fn(&mut Value)) -> BatchError {
    let mut copies = batch(district);
    let held = vouchsafe_protocol::sd_jwt::Held::dangerous_from_store(&copies[0].credential).unwrap();
    let mut claims = Value::Object(held.claims().clone());
    claims.as_object_mut().unwrap().remove("cnf");
    spoil(&mut claims);
    copies[0].credential = district.issue(0, claims, 0);
    district.receive(copies, PROOF).err().unwrap()
}

fn openings(seed: u8, values: Value) -> Option<Openings> {
    Some(Openings::new(Seed::new([seed; 32]), values.as_object().cloned().unwrap()))
}

#[test]
pub(crate) fn a_good_batch_is_kept_whatever_its_order() {
    let district = District::new();
    let mut copies = batch(&district);
    copies.rotate_left(1);
    let received = district.receive(copies, PROOF).unwrap();
    assert_eq!(received.iter().map(|copy| copy.key).collect::<Vec<_>>(), [1, 2, 0]);
    let opened = received[0].opened.as_ref().unwrap();
    assert_eq!(opened.values["/ward"].integer(), Some(105));
    assert_eq!(received[0].facts_as_of.unwrap().to_string(), "2026-11-20");
    let plain = Resident { proof: false, ..OLD };
    let copies = (0..3).map(|i| district.copy(i, &plain)).collect();
    assert!(district.receive(copies, PLAIN).unwrap()[0].opened.is_none());
}

#[test]
pub(crate) fn kind_key_and_number() {
    let district = District::new();
    let refused = |copies: Vec<Copy>| district.receive(copies, PROOF).err().unwrap();
    assert_eq!(refused(vec![]), BatchError::Count);
    let mut four = batch(&district);
    four.push(district.copy(0, &OLD));
    assert_eq!(refused(four), BatchError::Count);
    assert_eq!(district.receive(batch(&district), PLAIN).err(), Some(BatchError::Other));
    let mut twice = batch(&district);
    twice.truncate(1);
    let mut other = district.copy(1, &OLD);
    let claims =
        vouchsafe_protocol::sd_jwt::Held::dangerous_from_store(&other.credential).unwrap().claims().clone();
    other.credential = district.issue(0, Value::Object(claims), 9);
    twice.push(other);
    assert_eq!(refused(twice), BatchError::Key);
    let elsewhere = spoiled(&district.issuer_entry(), "/sub", json!("https://other.example"));
    assert_eq!(district.receive_from(batch(&district), PROOF, elsewhere).err(), Some(BatchError::Other));
    let no_anchor = spoiled(&district.issuer_entry(), "/anchors", json!([]));
    assert!(matches!(
        district.receive_from(batch(&district), PROOF, no_anchor).err(),
        Some(BatchError::Certificate(_))
    ));
}

#[test]
pub(crate) fn what_could_tell_copies_apart() {
    let district = District::new();
    assert_eq!(reissued(&district, |claims| claims["iat"] = json!(NOW.0)), BatchError::Times);
    assert_eq!(
        reissued(&district, |claims| claims["exp"] = json!(NOW.day_start().0 + 31 * DAY)),
        BatchError::Times
    );
    let mut single = batch(&district);
    single.truncate(1);
    let mut fine = claims_of(&single[0]);
    fine["iat"] = json!(NOW.0);
    single[0].credential = district.issue(0, fine, 0);
    assert_eq!(district.receive(single, PROOF).err(), Some(BatchError::Times));
    assert_eq!(reissued(&district, |claims| claims["serial"] = json!(1)), BatchError::Visible);
    assert_eq!(reissued(&district, |claims| claims["facts_as_of"] = json!("2026-11-19")), BatchError::Differ);
    assert_eq!(reissued(&district, |claims| claims["facts_as_of"] = json!("yesterday")), BatchError::Visible);
    assert_eq!(reissued(&district, |claims| claims["name"] = json!("Resident 0043")), BatchError::Differ);
    // The same salts in two copies.
    let mut copies = batch(&district);
    let claims = vouchsafe_protocol::sd_jwt::Held::dangerous_from_store(&copies[1].credential)
        .unwrap()
        .claims()
        .clone();
    copies[1].credential = district.issue(1, Value::Object(claims), 0);
    assert_eq!(district.receive(copies, PROOF).err(), Some(BatchError::Salt));
}

fn claims_of(copy: &Copy) -> Value {
    let held = vouchsafe_protocol::sd_jwt::Held::dangerous_from_store(&copy.credential).unwrap();
    Value::Object(held.claims().clone())
}

/// The batch with its first `count` copies signed anew over a payload that was spoiled, under `header`.
fn marked(
    district: &District,
    count: usize,
    header: &NewHeader,
    spoil: impl Fn(&mut Value),
) -> Option<BatchError> {
    let mut copies = batch(district);
    for copy in copies.iter_mut().take(count) {
        let (token, disclosures) = copy.credential.split_once('~').unwrap();
        let payload = b64u_decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut payload: Value = serde_json::from_slice(&payload).unwrap();
        spoil(&mut payload);
        copy.credential = format!("{}~{disclosures}", sign(&district.issuer, header, &payload));
    }
    district.receive(copies, PROOF).err()
}

#[test]
pub(crate) fn marks_that_no_claim_tells() {
    let district = District::new();
    let header = |typ: &str| NewHeader::new(Alg::Es256, typ).x5c(&district.issuer_x5c);
    let plain = header("dc+sd-jwt");
    assert_eq!(marked(&district, 3, &plain, |_| ()), None);
    let refused = Some(BatchError::Marked);
    assert_eq!(marked(&district, 3, &header("dc+sd-jwt").kid("0042"), |_| ()), refused);
    assert_eq!(marked(&district, 1, &header("DC+SD-JWT"), |_| ()), refused);
    assert_eq!(marked(&district, 1, &plain, |payload| payload["cnf"]["note"] = json!("0042")), refused);
    assert_eq!(marked(&district, 1, &plain, |payload| payload["cnf"]["jwk"]["kid"] = json!("0042")), refused);
    let decoy = |text: String| {
        move |payload: &mut Value| payload["_sd"].as_array_mut().unwrap().push(json!(text.clone()))
    };
    let drawn = Cell::new(0);
    let fresh = |payload: &mut Value| {
        drawn.set(drawn.get() + 1);
        decoy(b64u([drawn.get(); 32]))(payload);
    };
    assert_eq!(marked(&district, 3, &plain, fresh), None);
    assert_eq!(marked(&district, 1, &plain, fresh), refused, "one more than in the others");
    assert_eq!(marked(&district, 3, &plain, decoy(b64u([7; 32]))), refused, "one for all");
    assert_eq!(marked(&district, 3, &plain, decoy("0042".to_owned())), refused);
    let number = Cell::new(0);
    let numbered = |payload: &mut Value| {
        number.set(number.get() + 1);
        decoy(format!("0042-{}", number.get()))(payload);
    };
    assert_eq!(marked(&district, 3, &plain, numbered), refused, "no digest");
}

#[test]
pub(crate) fn each_copy_has_an_entry_of_its_own_in_a_list() {
    let district = District::new();
    let plain = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&district.issuer_x5c);
    let entry = |idx: u64| json!({"status_list": {"idx": idx, "uri": "https://issuer.example/status/a"}});
    let drawn = Cell::new(0);
    let fresh = |payload: &mut Value| {
        drawn.set(drawn.get() + 7);
        payload["status"] = entry(drawn.get());
    };
    assert_eq!(marked(&district, 3, &plain, fresh), None);
    assert_eq!(marked(&district, 3, &plain, |p| p["status"] = entry(7)), Some(BatchError::Shared));
    assert_eq!(marked(&district, 2, &plain, fresh), Some(BatchError::Shared), "all or none");
    let noted = |payload: &mut Value| {
        fresh(payload);
        payload["status"]["note"] = json!("0042");
    };
    assert_eq!(marked(&district, 3, &plain, noted), Some(BatchError::Marked));
    let unread = marked(&district, 3, &plain, |p| p["status"] = json!({"status_list": {"idx": 1}}));
    assert!(matches!(unread, Some(BatchError::Copy(_))));
}

#[test]
pub(crate) fn a_salt_that_could_be_guessed() {
    let district = District::new();
    let mut claims = claims_of(&district.copy(0, &Resident { proof: false, ..OLD }));
    let disclosure = b64u(json!(["salt", "name", "Resident 0042"]).to_string());
    let members = claims.as_object_mut().unwrap();
    members.retain(|name, _| !["name", "birth_date", "ward"].contains(&name.as_str()));
    members.insert("_sd".into(), json!([b64u(sha256(&disclosure))]));
    let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").x5c(&district.issuer_x5c);
    let credential = format!("{}~{disclosure}~", sign(&district.issuer, &header, &claims));
    let copy = Copy { credential, openings: None };
    assert_eq!(district.receive(vec![copy], PLAIN).err(), Some(BatchError::Salt));
}

#[test]
pub(crate) fn commitments_that_do_not_open() {
    let district = District::new();
    let good = json!({"/birth_date": OLD.born, "/ward": OLD.ward});
    let with = |opening: Option<Openings>| {
        let mut copies = batch(&district);
        copies[0].openings = opening;
        district.receive(copies, PROOF).err().unwrap()
    };
    assert_eq!(with(None), BatchError::Openings);
    assert_eq!(with(openings(9, good)), BatchError::Opening);
    assert_eq!(with(openings(1, json!({"/birth_date": OLD.born}))), BatchError::Values);
    assert_eq!(with(openings(1, json!({"/birth_date": OLD.born, "/ward": "W106"}))), BatchError::Opening);
    assert_eq!(with(openings(1, json!({"/birth_date": OLD.born, "/ward": "W999"}))), BatchError::Value);
    assert_eq!(with(openings(1, json!({"/birth_date": "1879-12-31", "/ward": OLD.ward}))), BatchError::Range);
    assert_eq!(
        with(openings(1, json!({"/birth_date": OLD.born, "/ward": OLD.ward, "/name": "x"}))),
        BatchError::Values
    );
    let plain = Resident { proof: false, ..OLD };
    let mut copy = district.copy(0, &plain);
    copy.openings = openings(1, json!({}));
    assert_eq!(district.receive(vec![copy], PLAIN).err(), Some(BatchError::Openings));
}

#[test]
pub(crate) fn commitments_that_are_shared_or_of_another_form() {
    let district = District::new();
    let other_form = reissued(&district, |claims| claims["zkc"]["/ward"]["hi"] = json!("1000"));
    assert_eq!(other_form, BatchError::Commitments);
    assert_eq!(
        reissued(&district, |claims| claims["zkc"]["/ward"]["note"] = json!("1")),
        BatchError::Commitments
    );
    // Two copies of one seed have the same commitments.
    let mut copies = batch(&district);
    let first = vouchsafe_protocol::sd_jwt::Held::dangerous_from_store(&copies[0].credential)
        .unwrap()
        .claims()
        .clone();
    copies[1].credential = district.issue(1, Value::Object(first), 77);
    copies[1].openings = openings(1, json!({"/birth_date": OLD.born, "/ward": OLD.ward}));
    assert_eq!(district.receive(copies, PROOF).err(), Some(BatchError::Shared));
    // Another person's copy among one's own.
    let mut copies = batch(&district);
    copies[2] = district.copy(2, &Resident { ward: "W107", ..OLD });
    assert_eq!(district.receive(copies, PROOF).err(), Some(BatchError::Differ));
}

const UNIT: &str = "https://larkfield.example/ids/person";

#[test]
fn totals_and_texts_are_kept() {
    let received = Payer::new().pays(|_, _| ()).unwrap();
    let opened = received[1].opened.as_ref().unwrap();
    assert_eq!(opened.values["/person"].text(), Some(PERSON));
    let amounts = ["/total", "/assets"].map(|pointer| opened.values[pointer].integer());
    assert_eq!(amounts, [Some(184_000), Some(5_000_000_000)]);
    assert_eq!(received[1].period.as_deref(), Some("2026-10"));
}

/// Why a batch is refused all of whose copies are spoiled alike.
fn refused(spoil: impl Fn(&mut Draft)) -> Option<BatchError> {
    Payer::new().pays(|_, draft| spoil(draft)).err()
}

/// Why a batch is refused of which one copy is spoiled.
fn refused_one(spoil: impl Fn(&mut Draft)) -> Option<BatchError> {
    let of_the_last = |i: usize, draft: &mut Draft| {
        if i == 2 {
            spoil(draft);
        }
    };
    Payer::new().pays(of_the_last).err()
}

#[test]
pub(crate) fn a_text_opens_to_one_spelling() {
    let payer = Payer::new();
    let text = |text: &str| zkc::Value::Text(text.to_owned());
    let committed = |unit: &str, said: &str, hidden: &str| {
        let spoil = |_: usize, draft: &mut Draft| {
            draft.recommit("/person", payer.commitment(draft.seed, "/person", unit, &text(hidden)));
            draft.values["/person"] = json!(said);
        };
        payer.pays(spoil).err()
    };
    assert_eq!(committed(UNIT, "LD-0043", "LD-0043"), None);
    assert_eq!(committed(UNIT, PERSON, "LD-0043"), Some(BatchError::Opening));
    assert_eq!(committed(UNIT, PERSON, "ld-0042"), Some(BatchError::Opening));
    assert_eq!(committed("urn:larkfield:other", PERSON, PERSON), Some(BatchError::Opening), "another unit");
    // The same name in two spellings would pass for two people.
    for spelt in ["w\u{302}", "LD\n0042", ""] {
        assert_eq!(committed(UNIT, spelt, spelt), Some(BatchError::Value), "{spelt:?}");
    }
    assert_eq!(refused(|draft| draft.values["/person"] = json!(42)), Some(BatchError::Value));
    let without = |draft: &mut Draft| drop(draft.values.remove("/person"));
    assert_eq!(refused(without), Some(BatchError::Values));
    for (member, value) in [("b", json!(32)), ("lo", json!("0")), ("hi", json!("9")), ("b", Value::Null)] {
        let ranged = |draft: &mut Draft| draft.claims["zkc"]["/person"][member] = value.clone();
        assert_eq!(refused(ranged), Some(BatchError::Commitments), "{member}");
    }
    let unbound =
        |draft: &mut Draft| drop(draft.claims["zkc"]["/total"].as_object_mut().unwrap().remove("hi"));
    assert_eq!(refused(unbound), Some(BatchError::Commitments));
}

#[test]
pub(crate) fn an_income_is_what_it_is_said_to_be() {
    // Com(l - 10000; r) of the first copy, as the independent model computes it.
    let minus = "kLhq2MlWBxbdq9hW9BrY6Z9q76vVoNaktr9SnvKN0EE";
    let first = |spoil: &dyn Fn(&mut Draft)| {
        let of_the_first = |i: usize, draft: &mut Draft| {
            if i == 0 {
                spoil(draft);
            }
        };
        Payer::new().pays(of_the_first).err()
    };
    let negative = |said: Value| {
        first(&|draft: &mut Draft| {
            draft.recommit("/total", Commitment(b64u_array(minus).unwrap()));
            draft.values["/total"] = said.clone();
        })
    };
    assert_eq!(negative(json!(-10_000)), Some(BatchError::Value));
    assert_eq!(negative(json!(0)), Some(BatchError::Opening));
    assert_eq!(negative(json!(184_000)), Some(BatchError::Opening));
    assert_eq!(negative(json!("-10000")), Some(BatchError::Value));
    // The honest commitment of the same model.
    let honest = "YvAuwvyc3MHNbusXbkVPU66l_MPzc85yVElSGRmEYQc";
    assert_eq!(
        first(&|draft: &mut Draft| draft.recommit("/total", Commitment(b64u_array(honest).unwrap()))),
        None
    );
}

#[test]
pub(crate) fn a_value_below_or_above_its_range() {
    let payer = Payer::new();
    let of = |lo: &str, hi: &str| {
        let spoil = |_: usize, draft: &mut Draft| {
            draft.claims["zkc"]["/total"]["lo"] = json!(lo);
            draft.claims["zkc"]["/total"]["hi"] = json!(hi);
        };
        payer.pays(spoil).err()
    };
    assert_eq!(of("184000", "184001"), None);
    assert_eq!(of("184001", "200000"), Some(BatchError::Range));
    assert_eq!(of("0", "183999"), Some(BatchError::Range));
}

#[test]
pub(crate) fn a_unit_is_that_of_its_encoding() {
    let unit = |pointer: &str, unit: &str| {
        refused(|draft: &mut Draft| draft.claims["zkc"][pointer]["u"] = json!(unit))
    };
    assert_eq!(unit("/total", "GBP-pounds"), Some(BatchError::Unit));
    assert_eq!(unit("/assets", ""), Some(BatchError::Unit));
    let district = District::new();
    let day = |claims: &mut Value| claims["zkc"]["/birth_date"]["u"] = json!("month");
    assert_eq!(reissued(&district, day), BatchError::Unit);
    let list = |claims: &mut Value| claims["zkc"]["/ward"]["u"] = json!("wards");
    assert_eq!(reissued(&district, list), BatchError::Unit);
    // A text under something that is no type URI.
    let payer = Payer::new();
    let unnamed = |_: usize, draft: &mut Draft| {
        let text = zkc::Value::Text(PERSON.to_owned());
        draft.recommit("/person", payer.commitment(draft.seed, "/person", "person", &text));
        draft.claims["zkc"]["/person"]["u"] = json!("person");
    };
    assert_eq!(payer.pays(unnamed).err(), Some(BatchError::Unit));
}

#[test]
pub(crate) fn pointers_differ_between_copies() {
    let without = |draft: &mut Draft| {
        drop(draft.claims["zkc"].as_object_mut().unwrap().remove("/assets"));
        draft.values.remove("/assets");
    };
    assert_eq!(refused_one(without), Some(BatchError::Commitments));
    assert_eq!(refused(without), None, "a type of fewer attributes");
    let renamed = |draft: &mut Draft| draft.claims["zkc"]["/person"]["u"] = json!("urn:larkfield:other");
    let payer = Payer::new();
    let of_another_unit = |i: usize, draft: &mut Draft| {
        if i == 2 {
            renamed(draft);
            let text = zkc::Value::Text(PERSON.to_owned());
            draft.recommit("/person", payer.commitment(3, "/person", "urn:larkfield:other", &text));
        }
    };
    assert_eq!(payer.pays(of_another_unit).err(), Some(BatchError::Commitments));
}

#[test]
pub(crate) fn one_seed_for_two_texts() {
    let payer = Payer::new();
    let shared = |_: usize, draft: &mut Draft| {
        let honest = |pointer: &str, unit: &str, value| payer.commitment(1, pointer, unit, &value);
        draft.seed = 1;
        draft.recommit("/person", honest("/person", UNIT, zkc::Value::Text(PERSON.to_owned())));
        draft.recommit("/total", honest("/total", "GBP-pence", zkc::Value::Integer(184_000)));
        draft.recommit("/assets", honest("/assets", "GBP-pence", zkc::Value::Integer(5_000_000_000)));
    };
    assert_eq!(payer.pays(shared).err(), Some(BatchError::Shared));
}

#[test]
pub(crate) fn a_period_is_that_of_the_type_and_over() {
    let payer = Payer::new();
    let shows = |period: Value| {
        let spoil = |_: usize, draft: &mut Draft| match &period {
            Value::Null => drop(draft.claims.as_object_mut().unwrap().remove("period")),
            period => draft.claims["period"] = period.clone(),
        };
        [Some(Period::Month), None].map(|of_the_type| payer.pays_by(of_the_type, spoil).err())
    };
    let refused = Some(BatchError::Period);
    assert_eq!(shows(json!("2026-10")), [None, refused]);
    assert_eq!(shows(json!("2019-02")), [None, refused]);
    assert_eq!(shows(Value::Null), [refused, None]);
    for foreign in [json!("2026-11"), json!("2027-01"), json!("2026-1"), json!("2026-10-01"), json!(202_610)]
    {
        assert_eq!(shows(foreign.clone()), [refused, refused], "{foreign}");
    }
    // The register was read on the last day of the month: what comes on that day is not in it.
    let early = |_: usize, draft: &mut Draft| draft.claims["facts_as_of"] = json!("2026-10-31");
    assert_eq!(payer.pays(early).err(), refused);
    let undated =
        |_: usize, draft: &mut Draft| drop(draft.claims.as_object_mut().unwrap().remove("facts_as_of"));
    assert_eq!(payer.pays(undated).err(), refused);
}

#[test]
pub(crate) fn a_period_is_the_same_in_all_copies() {
    let other = |draft: &mut Draft| draft.claims["period"] = json!("2026-09");
    assert_eq!(refused_one(other), Some(BatchError::Differ));
    let own = own_month();
    let numbered = |draft: &mut Draft| draft.claims["period"] = json!(own());
    assert_eq!(refused(numbered), Some(BatchError::Differ), "a number in every copy");
}

#[test]
pub(crate) fn a_link_is_the_one_that_was_sent_for_its_key() {
    let payer = Payer::new();
    let sent = [1, 2, 3].map(|i| Commitment([i; 32]));
    let linked = |given: [Option<Commitment>; 3]| {
        let put = move |i: usize, draft: &mut Draft| {
            given[i].into_iter().for_each(|link| zkc::write_link(&mut draft.claims["zkc"], link));
        };
        [Some(&sent[..]), None].map(|links| payer.pays_linked(links, put).err())
    };
    let [one, two, three] = sent.map(Some);
    let refused = Some(BatchError::Link);
    assert_eq!(linked([one, two, three]), [None, refused], "linked, and of a type that is not");
    assert_eq!(linked([None, None, None]), [refused, None]);
    for given in [
        [two, one, three],
        [one, one, three],
        [one, two, None],
        [one, two, Some(Commitment([9; 32]))],
        [None, two, three],
    ] {
        assert_eq!(linked(given), [refused, refused]);
    }
    // Fewer were sent than there are keys.
    let all = |i: usize, draft: &mut Draft| zkc::write_link(&mut draft.claims["zkc"], sent[i]);
    assert_eq!(payer.pays_linked(Some(&sent[..2]), all).err(), refused);
    let marked = |i: usize, draft: &mut Draft| {
        all(i, draft);
        draft.claims["zkc"][zkc::LINK]["u"] = json!("0042");
    };
    assert_eq!(payer.pays_linked(Some(&sent), marked).err(), Some(BatchError::Commitments));
    let named = |i: usize, draft: &mut Draft| {
        all(i, draft);
        draft.claims["zkc"][zkc::LINK]["enc"] = json!("0042");
    };
    assert_eq!(payer.pays_linked(Some(&sent), named).err(), Some(BatchError::Commitments));
}
