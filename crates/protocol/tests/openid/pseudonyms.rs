//! Pseudonyms: policies that ask for one, requests that carry it, answers that show it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use vouchsafe_proofs::pseudonym::{LinkSecret, Scope};
use vouchsafe_protocol::answer::{AnswerError, Judged, PROOF_CLAIM, ProveError};
use vouchsafe_protocol::decision::{Outcome, Pseudonym};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::request::RequestError;
use vouchsafe_protocol::policy::{CheckError, Epoch, PlannedOutcome, Policy, PolicyError, check, plan};
use vouchsafe_protocol::trust::{Purpose, Tables};
use vouchsafe_protocol::types::CredentialType;

use crate::district::{SERVICE, TODAY, spoiled};
use crate::joined::{Copy, Fact, Town, home, pay, proofs};
use crate::requests::Case;
use crate::ways::{COUNCIL, HOME, PAY, PAYERS, fixed, load, meals, need, purpose, types};

/// Homes are linked to the wallets that collect them.
fn linked() -> Vec<CredentialType> {
    let mut all = types();
    let mut home = serde_json::to_value(&all[1]).unwrap();
    home["link"] = json!(true);
    let since = json!({"pointer": "/link_since", "kind": "date", "answer": ["prove"], "column": "",
        "lo": "1880-01-01", "hi": "2050-12-31", "label": {"en": "since when", "cy": "ers pryd"}});
    home["attributes"].as_array_mut().unwrap().push(since);
    all[1] = CredentialType::from_json(&home).unwrap();
    all
}

fn allowing() -> Value {
    let may = json!({"vct": HOME, "pointer": "/_link", "how": "pseudonym", "rules": []});
    let under = json!({"vct": HOME, "pointer": "/adults", "how": "le", "rules": [{"kind": "fixed"}]});
    spoiled(&spoiled(&purpose(), "/may_ask/-", may), "/may_ask/-", under)
}

/// Somebody who has a home may swim twice a month.
fn leisure() -> Value {
    let words = json!({"en": "Ask at the pool.", "cy": "Gofynnwch yn y pwll."});
    json!({"id": "leisure", "version": 1, "purpose": meals()["purpose"], "subject": "same_person",
        "subject_binding": "pseudonym", "pseudonym": {"action": "swim", "epoch": "month", "at_most": 2},
        "accept": [{"vct": HOME, "iss": [COUNCIL], "max_age_days": 60}], "other_route": words,
        "conditions": [{"id": "home", "pointer": "/adults", "op": "ge", "rule": {"kind": "fixed"}, "k": "1"}]})
}

/// The same of somebody with little pay.
fn in_ways() -> Value {
    let mut policy = meals();
    policy["subject_binding"] = json!("pseudonym");
    policy["pseudonym"] = json!({"action": "swim", "epoch": "year", "needs": ["home"]});
    let needs = policy["ways"][0]["needs"].as_array_mut().unwrap();
    needs.truncate(1);
    needs.insert(0, need("home", HOME, &[COUNCIL], "me"));
    policy["ways"][0]["conditions"] = json!([fixed("low", "le", "150000", &[("pay1", "/total", 1)])]);
    policy
}

fn resident(person: &str) -> Fact {
    let mut fact = home(person, "H0001", 2);
    fact.values["/link_since"] = json!("2026-01-05");
    fact
}

fn town() -> Town {
    Town::of(linked(), allowing())
}

/// What the verifier makes of an honest wallet's answer.
fn answered(town: &Town, asked: &Asked, copies: &[(&str, Copy)]) -> Result<Judged, Option<AnswerError>> {
    let mut extra = proofs(asked, copies).unwrap();
    town.judged(asked, copies, &mut extra, &[])
}

fn name(secret: u8, service: &str, action: &str, epoch: &str) -> String {
    let x = LinkSecret::from_canonical_bytes([secret; 32]).unwrap();
    b64u(x.pseudonym(&Scope::new(service, action, epoch).unwrap()).value)
}

#[test]
fn a_service_knows_a_resident_again() {
    let town = town();
    let asked = town.asked(leisure());
    let shown = |asked: &Asked, query, number| {
        let copies = vec![(query, town.copy(&resident("LF-0042"), number))];
        let judged = answered(&town, asked, &copies).unwrap();
        assert_eq!(judged.outcome, Outcome::Met);
        judged.pseudonym.unwrap()
    };
    let (first, again) = (shown(&asked, "q0", 1), shown(&asked, "q0", 2));
    let expected = Pseudonym {
        action: "swim".into(),
        epoch: "2026-11".into(),
        value: name(9, SERVICE, "swim", "2026-11"),
    };
    assert!(first == expected && again == expected);
    let dance = shown(&town.asked(spoiled(&leisure(), "/pseudonym/action", json!("dance"))), "q0", 3);
    assert_eq!(dance.value, name(9, SERVICE, "dance", "2026-11"));
    let always = shown(&town.asked(spoiled(&leisure(), "/pseudonym/epoch", json!("none"))), "q0", 4);
    assert_eq!((always.value, always.epoch.as_str()), (name(9, SERVICE, "swim", "always"), "always"));
    // Printing what was judged tells nobody's name.
    assert!(!format!("{expected:?}").contains(&expected.value));
}

#[test]
fn a_pseudonym_is_of_the_need_that_the_policy_names() {
    let town = town();
    let asked = town.asked(in_ways());
    let facts = [("home", resident("LF-0042")), ("pay1", pay(0, "LF-0042", 70_000))];
    let copies = town.copies(&facts);
    let judged = answered(&town, &asked, &copies).unwrap();
    assert_eq!(judged.pseudonym.unwrap().value, name(9, SERVICE, "swim", "2026"));
    assert_eq!(asked.known_by(&asked.option(0).unwrap()), Some("home"));
}

/// A wallet without a linked copy has no name to give; nor has a verifier that asks for none one to take.
#[test]
fn nothing_is_shown_where_nothing_is_asked() {
    let town = town();
    let silent = spoiled(&spoiled(&leisure(), "/pseudonym", json!(null)), "/subject_binding", json!("none"));
    let asked = town.asked(silent);
    let copies = vec![("q0", town.copy(&resident("LF-0042"), 1))];
    assert_eq!(answered(&town, &asked, &copies).unwrap().pseudonym, None);
    let mut copies = copies;
    copies[0].1.link = None;
    assert_eq!(proofs(&town.asked(leisure()), &copies), Err(ProveError::Link));
    assert!(answered(&town, &asked, &copies).is_ok());
}

/// The bytes of a proof, changed after it was made and signed over as they are.
fn carrying(
    mut extra: BTreeMap<String, Map<String, Value>>,
    change: impl Fn(&mut Vec<u8>),
) -> BTreeMap<String, Map<String, Value>> {
    let claims = extra.get_mut("q0").unwrap();
    let mut bytes = b64u_decode(claims[PROOF_CLAIM].as_str().unwrap()).unwrap();
    change(&mut bytes);
    claims[PROOF_CLAIM] = json!(b64u(bytes));
    extra
}

#[test]
fn a_pseudonym_of_another_secret_is_refused() {
    let town = town();
    let asked = town.asked(leisure());
    let copies = vec![("q0", town.copy(&resident("LF-0042"), 1))];
    let honest = proofs(&asked, &copies).unwrap();
    let judged = |asked: &Asked, extra: &BTreeMap<_, _>| town.judged(asked, &copies, &mut extra.clone(), &[]);
    assert!(judged(&asked, &honest).is_ok());
    // The one bound is a range: the pseudonym is the first sub-proof, and its value the first 32 bytes of it.
    let put = |value: Vec<u8>| carrying(honest.clone(), |bytes| bytes[6..38].copy_from_slice(&value));
    let other = b64u_decode(name(8, SERVICE, "swim", "2026-11")).unwrap();
    assert_eq!(judged(&asked, &put(other)), Err(None));
    let elsewhere = b64u_decode(name(9, "https://trams.example", "swim", "2026-11")).unwrap();
    assert_eq!(judged(&asked, &put(elsewhere)), Err(None));
    assert_eq!(judged(&asked, &put(vec![0; 32])), Err(Some(AnswerError::Pseudonym)));
    assert_eq!(judged(&asked, &put(vec![0xff; 32])), Err(Some(AnswerError::Pseudonym)));
    // Without the sub-proof, and with one more.
    let cut = carrying(honest.clone(), |bytes| drop(bytes.drain(1..134)));
    assert_eq!(judged(&asked, &cut), Err(Some(AnswerError::Pseudonym)));
    let twice = carrying(honest.clone(), |bytes| {
        let sub_proof = bytes[1..134].to_vec();
        bytes.splice(1..1, sub_proof);
    });
    assert_eq!(judged(&asked, &twice), Err(Some(AnswerError::Pseudonym)));
    // Asked for another action or epoch, or by a policy that asks for no name.
    for (member, value) in [("action", "dance"), ("epoch", "year")] {
        let other = town.asked(spoiled(&leisure(), &format!("/pseudonym/{member}"), json!(value)));
        assert_eq!(judged(&other, &honest), Err(None), "{member}");
    }
    let silent = spoiled(&spoiled(&leisure(), "/pseudonym", json!(null)), "/subject_binding", json!("none"));
    assert_eq!(judged(&town.asked(silent), &honest), Err(None));
}

/// What the issuer signed is what counts: a proof about another copy's commitment, or another secret's, is none.
#[test]
fn a_commitment_is_the_one_that_the_issuer_signed() {
    let town = town();
    let asked = town.asked(leisure());
    let [mine, again] = [1, 2].map(|number| vec![("q0", town.copy(&resident("LF-0042"), number))]);
    let mut theirs = resident("LF-0043");
    theirs.values["secret"] = json!(8);
    let theirs = vec![("q0", town.copy(&theirs, 3))];
    let extra = proofs(&asked, &mine).unwrap();
    for other in [&again, &theirs] {
        assert_eq!(town.judged(&asked, other, &mut extra.clone(), &[]), Err(None));
    }
    // A wallet that opens another commitment than the signed one makes no proof at all.
    let mut foreign = theirs;
    foreign[0].1.link = town.copy(&resident("LF-0042"), 3).link;
    assert!(matches!(proofs(&asked, &foreign), Err(ProveError::Proof(_))));
}

#[test]
pub(crate) fn a_copy_is_linked_as_its_type_says() {
    let town = town();
    let silent = spoiled(&spoiled(&leisure(), "/pseudonym", json!(null)), "/subject_binding", json!("none"));
    let mut fact = resident("LF-0042");
    fact.values["link"] = json!("none");
    let copies = vec![("q0", town.copy(&fact, 1))];
    assert_eq!(answered(&town, &town.asked(silent.clone()), &copies), Err(Some(AnswerError::Commitments)));
    let mut other = Town::of(types(), allowing());
    let linked = Town::of(linked(), allowing()).types;
    other.types = linked;
    let copies = vec![("q0", other.copy(&resident("LF-0042"), 1))];
    other.types = types();
    let refused = answered(&other, &other.asked(silent), &copies);
    assert_eq!(refused, Err(Some(AnswerError::Commitments)));
}

#[test]
pub(crate) fn what_a_policy_says_of_a_pseudonym() {
    let load = |policy: &Value| load(policy).map(drop);
    assert_eq!(load(&leisure()), Ok(()));
    assert_eq!(load(&in_ways()), Ok(()));
    let unusable = |policy: &Value, pointer: &str, value: Value| {
        let refused = load(&spoiled(policy, pointer, value.clone()));
        assert!(matches!(refused, Err(PolicyError::Unusable(_))), "{pointer} {value}: {refused:?}");
    };
    unusable(&leisure(), "/pseudonym", json!(null));
    unusable(&leisure(), "/subject_binding", json!("none"));
    for action in ["", "a b", "a".repeat(33).as_str()] {
        unusable(&leisure(), "/pseudonym/action", json!(action));
    }
    unusable(&leisure(), "/pseudonym/at_most", json!(0));
    unusable(&leisure(), "/pseudonym/at_most", json!(1001));
    unusable(&leisure(), "/pseudonym/needs", json!(["home"]));
    unusable(&leisure(), "/accept/0/iss", json!([COUNCIL, PAYERS[0]]));
    unusable(&leisure(), "/accept/0/vct", json!("https://larkfield.example/types/home/1"));
    unusable(&leisure(), "/accept/-", json!({"vct": PAY, "iss": [PAYERS[0]], "max_age_days": 60}));
    let shown = json!([{"id": "name", "pointer": "/name", "op": "show"}]);
    unusable(&leisure(), "/conditions", shown);
    for needs in [json!([]), json!(["other"]), json!(["home", "home"])] {
        unusable(&in_ways(), "/pseudonym/needs", needs);
    }
    unusable(&in_ways(), "/ways/0/needs/0/iss", json!([COUNCIL, PAYERS[0]]));
    let malformed = |member: &str, value: Value| {
        let refused = load(&spoiled(&leisure(), &format!("/pseudonym/{member}"), value));
        assert!(matches!(refused, Err(PolicyError::Malformed(_))), "{member}");
    };
    malformed("epoch", json!("week"));
    malformed("epoch", json!(null));
    malformed("note", json!(1));
    let mut both = crate::ways::household();
    both["subject_binding"] = json!("pseudonym");
    both["pseudonym"] = json!({"action": "swim", "epoch": "year", "needs": ["homea"]});
    assert!(matches!(load(&both), Err(PolicyError::Unusable(_))));
}

#[test]
fn epochs_have_names_and_ends() {
    let day = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    let last = day("2026-12-31");
    let texts = [Epoch::Year, Epoch::Month, Epoch::None].map(|epoch| epoch.text(last));
    assert_eq!(texts, ["2026", "2026-12", "always"]);
    let next = [Epoch::Year, Epoch::Month, Epoch::None].map(|epoch| epoch.next(last));
    assert_eq!(next, [Some(day("2027-01-01")), Some(day("2027-01-01")), None]);
    assert_eq!(Epoch::Month.next(day("2026-02-01")), Some(day("2026-03-01")));
}

fn checked(policy: &Value, purpose: &Value, types: &[CredentialType]) -> Result<usize, CheckError> {
    let policy = Policy::from_json(policy.clone()).unwrap();
    let purpose: Purpose = serde_json::from_value(crate::district::with_head(purpose.clone())).unwrap();
    check(&policy, &purpose, &Tables::default(), types, TODAY).map(|costs| costs[0].bytes)
}

#[test]
pub(crate) fn what_a_pseudonym_needs_of_types_and_purpose() {
    let silent = spoiled(&spoiled(&leisure(), "/pseudonym", json!(null)), "/subject_binding", json!("none"));
    let without = checked(&silent, &allowing(), &linked()).unwrap();
    assert_eq!(checked(&leisure(), &allowing(), &linked()), Ok(without + 133));
    assert!(checked(&in_ways(), &allowing(), &linked()).is_ok());
    assert_eq!(checked(&leisure(), &allowing(), &types()), Err(CheckError::NotLinked(HOME.into())));
    let refused = checked(&leisure(), &purpose(), &linked());
    assert!(matches!(refused, Err(CheckError::NotCovered(_))), "{refused:?}");
}

#[test]
fn there_is_no_contrary_and_the_plan_names_the_query() {
    let planned = |policy: &Value| plan(&load(policy).unwrap(), &Tables::default(), TODAY).unwrap();
    let plan = planned(&leisure());
    assert!(plan.options.iter().all(|option| option.outcome == PlannedOutcome::Met));
    assert_eq!(plan.pseudonym.unwrap().queries, ["q0"]);
    let two = spoiled(
        &leisure(),
        "/accept/-",
        json!({"vct": "https://larkfield.example/types/other/1/zk", "iss": [COUNCIL], "max_age_days": 60}),
    );
    assert_eq!(planned(&two).pseudonym.unwrap().queries, ["q0", "q1"]);
    assert_eq!(planned(&in_ways()).pseudonym.unwrap().queries, ["home"]);
}

#[test]
pub(crate) fn a_request_asks_for_the_pseudonym_of_its_policy() {
    let town = town();
    let asked = town.asked(leisure());
    let claims = town.district.request(&town.register, &asked);
    let context = claims["verifier_info"].as_array().unwrap().last().unwrap()["data"].clone();
    assert_eq!(context["pseudonym"], json!({"action": "swim", "epoch": "2026-11", "queries": ["q0"]}));
    let case = Case { district: town.district, claims };
    let verified = case.verify(&case.district.sign_request(&case.claims)).unwrap();
    // Whose name it is follows from who asks.
    let scope = verified.asked().scope().unwrap();
    assert!(scope.is_of(SERVICE) && *scope == Scope::new(SERVICE, "swim", "2026-11").unwrap());
    let refused = |pointer: &str, value: Value| {
        case.inform("urn:vouchsafe:context:1", spoiled(&context, pointer, value))
    };
    for (pointer, value) in [
        ("/pseudonym", json!(null)),
        ("/pseudonym/action", json!("dance")),
        ("/pseudonym/epoch", json!("2026")),
        ("/pseudonym/queries", json!(["q1"])),
        ("/pseudonym/queries", json!([])),
    ] {
        assert_eq!(refused(pointer, value), RequestError::Pseudonym, "{pointer}");
    }
    assert_eq!(refused("/pseudonym/service", json!(SERVICE)), RequestError::Info);
}

/// A policy that asks for none gives the request that it always gave.
#[test]
fn a_request_without_a_pseudonym_has_no_member_for_it() {
    let town = town();
    let claims = town.district.request(&town.register, &town.asked(meals()));
    let context = claims["verifier_info"].as_array().unwrap().last().unwrap()["data"].clone();
    let members: Vec<_> = context.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members.len(), 3, "{members:?}");
}
