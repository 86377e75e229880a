//! Permissions: policies that ask for one, and requests that carry it.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::request::{Expected, RequestError, Unverified};
use vouchsafe_protocol::openid4vp::transaction_data::{Entry, TransactionDataError};
use vouchsafe_protocol::permission::{Payment, PaymentError, TYPES, TermsError, What};
use vouchsafe_protocol::policy::{
    CheckError, PermissionNotCovered, PlannedOutcome, Policy, PolicyError, check, plan,
};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::{PermissionKind, Purpose, Tables};

use crate::district::{District, TODAY, spoiled, with_head};
use crate::joined::Town;
use crate::requests::Case;
use crate::ways::{household, load, meals, purpose, types, words};

pub(crate) const SALT: [u8; 16] = [7; 16];

fn facts() -> Value {
    json!({"controller": {"id": "https://larkfield.example", "name": "Larkfield Council",
            "address": "1 Market Square, Larkfield", "contact": "privacy@larkfield.example", "type": "governmental"},
        "notice": "https://larkfield.example/privacy/meals", "storage": words("In Larkfield."),
        "jurisdiction": "GB-ENG", "rights": words("Ask the council to see or correct it.")})
}

/// A purpose under which every kind of permission may be asked for.
pub(crate) fn allowing() -> Value {
    let mut all = purpose();
    all["permissions"] = json!(["payment", "standing", "sharing", "action"]);
    all["actions"] = json!([{"id": "remind", "text": words("Remind me by post.")}]);
    all["sharing"] = json!([{"id": "https://foodbank.example", "name": words("The food bank"),
        "address": "2 Mill Lane, Larkfield", "contact": "https://foodbank.example/contact", "type": "non_profit"}]);
    all["recheck_days"] = json!(30);
    all["record"] = facts();
    all
}

pub(crate) fn registered(purpose: Value) -> Purpose {
    serde_json::from_value(with_head(purpose)).unwrap()
}

pub(crate) fn permitting(permission: Value) -> Value {
    spoiled(&meals(), "/permission", permission)
}

/// Little pay, and a grant of at most £200.
pub(crate) fn hardship() -> Value {
    permitting(json!({"kind": "payment", "for_days": 30, "at_most_pence": 20_000}))
}

pub(crate) fn standing() -> Value {
    permitting(json!({"kind": "standing", "for_days": 365, "every_days": 30}))
}

pub(crate) fn sharing() -> Value {
    permitting(json!({"kind": "sharing", "for_days": 90, "uses": 3, "with": "https://foodbank.example"}))
}

pub(crate) fn action() -> Value {
    permitting(json!({"kind": "action", "for_days": 30, "action": "remind"}))
}

pub(crate) fn payment() -> Payment {
    Payment::new(12_000, "Larkfield Housing Trust", "RENT 0042").unwrap()
}

pub(crate) fn town() -> Town {
    Town::of(types(), allowing())
}

/// What the verifier asks, with the entry.
pub(crate) fn asking(town: &Town, policy: Value) -> Asked {
    let payment = (policy["permission"]["kind"] == "payment").then(payment);
    town.asked(policy).authorising(&SALT, payment).unwrap()
}

// --- policies -----------------------------------------------------------------------------------------------------

#[test]
pub(crate) fn what_a_policy_says_of_a_permission() {
    for policy in [hardship(), standing(), sharing(), action()] {
        assert_eq!(load(&policy).map(drop), Ok(()));
    }
    let said = load(&hardship()).unwrap().permission.clone().unwrap();
    assert_eq!((said.uses(), said.until(TODAY)), (Some(1), Some("2026-12-21".parse().unwrap())));
    let why = |policy: &Value, member: &str, value: Value| match load(&spoiled(
        policy,
        &format!("/permission/{member}"),
        value,
    )) {
        Err(PolicyError::Unusable(why)) => why.split(" of [permission]").next().unwrap().to_owned(),
        other => format!("{:?}", other.map(drop)),
    };
    for days in [0, 1097] {
        assert_eq!(why(&hardship(), "for_days", json!(days)), "for_days");
    }
    for uses in [0, 100_001] {
        assert_eq!(why(&sharing(), "uses", json!(uses)), "uses");
    }
    assert_eq!(why(&hardship(), "uses", json!(2)), "a payment is used once: leave out uses");
    assert_eq!(why(&hardship(), "uses", json!(1)), "Ok(())");
    for pence in [0, 100_000_001_u64] {
        assert_eq!(why(&hardship(), "at_most_pence", json!(pence)), "at_most_pence");
    }
    for days in [0, 366] {
        assert_eq!(why(&standing(), "every_days", json!(days)), "every_days");
    }
    for (policy, needed, foreign) in [
        (hardship(), "at_most_pence", "action"),
        (standing(), "every_days", "with"),
        (sharing(), "with", "at_most_pence"),
        (action(), "action", "every_days"),
    ] {
        assert_eq!(why(&policy, needed, json!(null)), needed);
        let value =
            if foreign.ends_with(['s', 'e']) && foreign != "with" { json!(7) } else { json!("remind") };
        assert_eq!(why(&policy, foreign, value), foreign);
    }
    for (member, value) in [("kind", json!("loan")), ("for_days", json!(null)), ("note", json!(1))] {
        let refused = load(&spoiled(&hardship(), &format!("/permission/{member}"), value));
        assert!(matches!(refused, Err(PolicyError::Malformed(_))), "{member}");
    }
    // Two wallets would answer, and one key is one wallet's.
    let both = spoiled(&household(), "/permission", hardship()["permission"].clone());
    assert!(matches!(load(&both), Err(PolicyError::Unusable(_))));
}

#[test]
fn a_policy_without_a_permission_keeps_its_digest() {
    let (without, with) = (load(&meals()).unwrap(), load(&action()).unwrap());
    assert!(!without.value().to_string().contains("permission"));
    assert_ne!(without.digest(), with.digest());
}

fn checked(policy: &Value, purpose: &Value) -> Result<(), CheckError> {
    let policy = Policy::from_json(policy.clone()).unwrap();
    check(&policy, &registered(purpose.clone()), &Tables::default(), &types(), TODAY).map(drop)
}

#[test]
pub(crate) fn a_purpose_covers_the_permissions_of_its_policies() {
    for policy in [hardship(), standing(), sharing(), action()] {
        assert_eq!(checked(&policy, &allowing()), Ok(()));
        let refused = checked(&policy, &purpose());
        assert!(matches!(refused, Err(CheckError::Permission(PermissionNotCovered::Kind(_)))), "{refused:?}");
    }
    let other = |policy: &Value, member: &str, value: Value| {
        checked(&spoiled(policy, &format!("/permission/{member}"), value), &allowing())
    };
    let fault = |fault| Err(CheckError::Permission(fault));
    assert_eq!(other(&action(), "action", json!("call")), fault(PermissionNotCovered::Action));
    assert_eq!(other(&sharing(), "with", json!("https://other.example")), fault(PermissionNotCovered::With));
    assert_eq!(other(&standing(), "every_days", json!(29)), fault(PermissionNotCovered::Every));
}

#[test]
pub(crate) fn what_a_purpose_says_of_permissions() {
    let said = |pointer: &str, value: Value| {
        let told = registered(spoiled(&allowing(), pointer, value)).check_permissions();
        told.err().unwrap_or("nothing").split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(registered(purpose()).check_permissions(), Ok(()));
    assert_eq!(said("/version", json!(2)), "nothing");
    assert_eq!(
        said("/permissions", json!(["payment", "standing", "sharing", "action", "action"])),
        "permissions"
    );
    for (member, word) in [
        ("actions", "actions"),
        ("sharing", "sharing"),
        ("recheck_days", "recheck_days"),
        ("record", "permissions"),
    ] {
        assert_eq!(said(&format!("/{member}"), Value::Null), word);
    }
    let (action, party) = (allowing()["actions"][0].clone(), allowing()["sharing"][0].clone());
    assert_eq!(said("/actions/-", action), "every");
    assert_eq!(said("/actions/0/id", json!("re mind")), "every");
    assert_eq!(said("/actions/0/text", json!({"en": "Remind me.", "cy": " "})), "every");
    assert_eq!(said("/sharing/-", party), "every");
    for (member, value) in [("id", "foodbank"), ("address", " "), ("contact", "nobody")] {
        assert_eq!(said(&format!("/sharing/0/{member}"), json!(value)), "every", "{member}");
        assert_eq!(said(&format!("/record/controller/{member}"), json!(value)), "record", "{member}");
    }
    assert_eq!(said("/recheck_days", json!(0)), "recheck_days");
    for (pointer, value) in [
        ("/record/notice", json!("http://larkfield.example/privacy")),
        ("/record/jurisdiction", json!("England")),
        ("/record/storage", json!({"en": "", "cy": "Yma."})),
        ("/record/rights", json!({"en": "Ask.", "cy": ""})),
        ("/record/controller/name", json!("")),
    ] {
        assert_eq!(said(pointer, value), "record", "{pointer}");
    }
    // The registrar's document itself is refused.
    let district = District::new();
    let judge = district.judge();
    let verified = |members: Value| judge.verify::<Purpose>(&district.document("purpose", members)).is_ok();
    assert!(verified(allowing()) && verified(purpose()));
    assert!(!verified(spoiled(&allowing(), "/recheck_days", json!(0))));
    assert!(!verified(spoiled(&allowing(), "/record/note", json!(1))));
}

#[test]
fn nobody_permits_anything_with_a_contrary() {
    let accept = json!([{"vct": crate::ways::HOME, "iss": [crate::ways::COUNCIL], "max_age_days": 60}]);
    let mut policy = json!({"id": "home", "version": 1, "purpose": meals()["purpose"], "subject": "same_person",
        "subject_binding": "none", "accept": accept, "other_route": words("Ask."),
        "conditions": [{"id": "home", "pointer": "/adults", "op": "ge", "rule": {"kind": "fixed"}, "k": "1"}]});
    let outcomes = |policy: &Value| {
        let plan = plan(&load(policy).unwrap(), &Tables::default(), TODAY).unwrap();
        plan.options.iter().filter(|option| option.outcome == PlannedOutcome::NotMet).count()
    };
    assert_eq!(outcomes(&policy), 1);
    policy["permission"] = json!({"kind": "action", "for_days": 30, "action": "remind"});
    assert_eq!(outcomes(&policy), 0);
}

// --- entries ------------------------------------------------------------------------------------------------------

fn decoded(asked: &Asked) -> Value {
    serde_json::from_slice(&b64u_decode(asked.terms().unwrap().entry().text()).unwrap()).unwrap()
}

/// A text in its canonical form; the members of these objects are in order already.
fn encoded(entry: &Value) -> String {
    b64u(entry.to_string())
}

#[test]
fn an_entry_says_what_policy_day_and_payment_say() {
    let town = town();
    let asked = asking(&town, hardship());
    let expected = json!({"type": "urn:vouchsafe:payment:1", "credential_ids": ["pay1", "pay2"],
        "transaction_data_hashes_alg": ["sha-256"], "salt": b64u(SALT), "until": "2026-12-21", "uses": 1,
        "amount": {"currency": "GBP", "pence": "12000"}, "payee": "Larkfield Housing Trust", "reference": "RENT 0042"});
    assert_eq!(decoded(&asked), expected);
    let terms = asked.terms().unwrap();
    assert_eq!(
        (terms.kind(), terms.uses(), terms.digest()),
        (PermissionKind::Payment, Some(1), sha256(terms.entry().text()))
    );
    let What::Payment(paid) = terms.what() else { panic!("it is a payment") };
    assert_eq!(
        (paid.pence(), paid.payee(), paid.reference()),
        (12_000, "Larkfield Housing Trust", "RENT 0042")
    );
    let rest = |policy: Value| {
        let mut said = decoded(&asking(&town, policy));
        for common in ["credential_ids", "transaction_data_hashes_alg", "salt"] {
            said.as_object_mut().unwrap().remove(common);
        }
        said
    };
    assert_eq!(
        rest(standing()),
        json!({"type": "urn:vouchsafe:standing:1", "until": "2027-11-21", "every_days": 30})
    );
    assert_eq!(
        rest(sharing()),
        json!({"type": "urn:vouchsafe:sharing:1", "until": "2027-02-19", "uses": 3, "with": "https://foodbank.example"})
    );
    assert_eq!(
        rest(action()),
        json!({"type": "urn:vouchsafe:action:1", "until": "2026-12-21", "action": "remind"})
    );
    // Each has exactly the members of its type.
    assert_eq!(
        TYPES.map(|known| known.name.split(':').nth(2).unwrap()),
        ["payment", "standing", "sharing", "action"]
    );
}

#[test]
pub(crate) fn what_a_service_may_not_ask_to_be_permitted() {
    let town = town();
    let fault =
        |policy: Value, payment: Option<Payment>| town.asked(policy).authorising(&SALT, payment).err();
    assert_eq!(fault(meals(), None), Some(TermsError::NotAsked));
    assert_eq!(fault(hardship(), None), Some(TermsError::NoPayment));
    assert_eq!(fault(action(), Some(payment())), Some(TermsError::Payment));
    let of = |pence| Payment::new(pence, "A", "B").unwrap();
    assert_eq!(fault(hardship(), Some(of(20_000))), None);
    assert_eq!(fault(hardship(), Some(of(20_001))), Some(TermsError::Amount));
    let new = |pence, payee: &str, reference: &str| Payment::new(pence, payee, reference).err();
    assert_eq!(new(1, "Tŷ Gwyn – Siop’r Bobl & Co. (£)", "Rhent 42/ÿ"), None);
    assert_eq!(new(0, "A", "B"), Some(PaymentError::Amount));
    assert_eq!(new(100_000_001, "A", "B"), Some(PaymentError::Amount));
    let long = "a".repeat(141);
    for payee in
        ["", " A", "A ", "A  B", "A\nB", "A\u{202e}B", "A\u{200b}B", "A\u{ad}B", "\u{430}", long.as_str()]
    {
        assert_eq!(new(1, payee, "B"), Some(PaymentError::Payee), "{payee:?}");
    }
    for reference in ["", "B\t", &long[..36]] {
        assert_eq!(new(1, "A", reference), Some(PaymentError::Reference), "{reference:?}");
    }
    assert_eq!(new(1, &long[..140], &long[..35]), None);
}

/// A request as it is sent, and what a wallet makes of it with its entries replaced.
struct Sent {
    case: Case,
    asked: Asked,
}

impl Sent {
    fn new(policy: Value) -> Self {
        let town = town();
        let asked =
            if policy.get("permission").is_some() { asking(&town, policy) } else { town.asked(policy) };
        let claims = town.district.request(&town.register, &asked);
        Self { case: Case { district: town.district, claims }, asked }
    }

    fn verify(&self, claims: &Value) -> Result<Asked, RequestError> {
        Ok(self.case.verify(&self.case.district.sign_request(claims))?.asked().clone())
    }

    fn carrying(&self, entries: Value) -> Option<TransactionDataError> {
        match self.verify(&spoiled(&self.case.claims, "/transaction_data", entries)) {
            Ok(_) => None,
            Err(RequestError::TransactionData(fault)) => Some(fault),
            Err(other) => panic!("{other}"),
        }
    }

    fn changed(&self, pointer: &str, member: Value) -> Option<TransactionDataError> {
        self.carrying(json!([encoded(&spoiled(&decoded(&self.asked), pointer, member))]))
    }
}

#[test]
pub(crate) fn a_wallet_makes_the_same_entry_of_the_policy() {
    for policy in [hardship(), standing(), sharing(), action()] {
        let sent = Sent::new(policy);
        let read = sent.verify(&sent.case.claims).unwrap();
        assert!(read.terms() == sent.asked.terms() && read.terms().is_some());
        let chosen = read.option(0).unwrap();
        assert!(read.context(&chosen, vec![]) == sent.asked.context(&chosen, vec![]));
        assert_eq!(
            read.context(&chosen, vec![]).authorisation.transactions,
            [read.terms().unwrap().digest()]
        );
    }
    // A verifier reads its own entry back from where it kept it.
    let (town, kept) = (town(), Sent::new(hardship()).asked.terms().unwrap().entry().text().to_owned());
    let again = town.asked(hardship()).taking(vec![Entry::parse(&kept).unwrap()]).unwrap();
    assert_eq!(again.terms().unwrap().entry().text(), kept);
}

#[test]
pub(crate) fn a_wallet_refuses_an_entry_that_differs_from_the_policy() {
    use TransactionDataError as E;
    let sent = Sent::new(hardship());
    assert_eq!(sent.changed("/payee", json!("Larkfield Housing Trust")), None);
    // What the service says is what is shown: another amount or payee is another entry, and none of the policy's.
    for (pointer, member) in [
        ("/until", json!("2026-12-22")),
        ("/uses", json!(2)),
        ("/uses", Value::Null),
        ("/amount/currency", json!("EUR")),
        ("/credential_ids", json!(["pay2", "pay1"])),
        ("/credential_ids", json!(["pay1"])),
        ("/credential_ids", json!(["pay1", "pay2", "pay1"])),
        ("/transaction_data_hashes_alg", json!(["sha-512", "sha-256"])),
        ("/transaction_data_hashes_alg", Value::Null),
    ] {
        assert_eq!(sent.changed(pointer, member.clone()), Some(E::Differs), "{pointer} {member}");
    }
    assert_eq!(sent.changed("/amount/pence", json!("20001")), Some(E::Amount));
    for (pointer, member) in [
        ("/salt", json!(b64u([7; 15]))),
        ("/salt", Value::Null),
        ("/amount/pence", json!("012000")),
        ("/amount/pence", json!("0")),
        ("/amount/pence", json!(12_000)),
        ("/amount/note", json!("x")),
        ("/payee", json!("Larkfield \u{202e}tsurT")),
        ("/reference", json!("RENT 0042 ")),
        ("/reference", Value::Null),
    ] {
        assert_eq!(sent.changed(pointer, member.clone()), Some(E::Value), "{pointer} {member}");
    }
    assert_eq!(sent.changed("/note", json!("x")), Some(E::Member));
    assert_eq!(sent.changed("/type", json!("urn:vouchsafe:payment:2")), Some(E::Type));
    assert_eq!(sent.changed("/type", json!("urn:vouchsafe:action:1")), Some(E::Member));
    // The same members in another order or with spaces are another text.
    let mut spaced = decoded(&sent.asked).to_string();
    spaced.insert(1, ' ');
    assert_eq!(sent.carrying(json!([b64u(spaced)])), Some(E::Differs));
    for (policy, member, other) in [
        (standing(), "/every_days", json!(31)),
        (standing(), "/uses", json!(5)),
        (sharing(), "/with", json!("https://other.example")),
        (sharing(), "/uses", json!(4)),
        (action(), "/action", json!("call")),
        (action(), "/until", json!("2027-01-01")),
    ] {
        assert_eq!(Sent::new(policy).changed(member, other), Some(E::Differs), "{member}");
    }
}

#[test]
pub(crate) fn a_permission_is_asked_for_where_the_policy_says_so() {
    use TransactionDataError as E;
    let (with, without) = (Sent::new(hardship()), Sent::new(meals()));
    let entry = with.asked.terms().unwrap().entry().text();
    assert_eq!(without.carrying(json!([entry])), Some(E::Unasked));
    assert_eq!(with.carrying(Value::Null), Some(E::Missing));
    let second = encoded(&spoiled(&decoded(&with.asked), "/salt", json!(b64u([8; 16]))));
    assert_eq!(with.carrying(json!([entry, second])), Some(E::Several));
    // What the purpose does not allow is refused even where policy and entry agree.
    let town = Town::of(types(), purpose());
    let asked = asking(&town, hardship());
    let claims = town.district.request(&town.register, &asked);
    let case = Case { district: town.district, claims };
    let refused = case.verify(&case.district.sign_request(&case.claims)).err();
    let kind = PermissionNotCovered::Kind("payment");
    assert_eq!(refused, Some(RequestError::TransactionData(E::NotCovered(kind))));
}

#[test]
fn a_query_alone_asks_for_no_permission() {
    let sent = Sent::new(hardship());
    let mut claims = sent.case.claims.clone();
    claims["verifier_info"].as_array_mut().unwrap().truncate(2);
    let show = json!({"id": "pay1", "format": "dc+sd-jwt", "meta": {"vct_values": [crate::ways::HOME]},
        "claims": [{"path": ["name"]}]});
    let second = spoiled(&show, "/id", json!("pay2"));
    claims["dcql_query"] = json!({"credentials": [show, second]});
    let district = &sent.case.district;
    let (client_id, anchors) = (district.client_id(), [district.anchor.clone()]);
    let (env, judge) = (Env::Test, district.judge());
    let expected = Expected { client_id: &client_id, wallet_nonce: None, env, anchors: &anchors, judge };
    let verify = |claims: &Value| {
        Unverified::parse(&district.sign_request(claims)).unwrap().verify_question(&expected).err()
    };
    assert_eq!(verify(&claims), Some(RequestError::TransactionData(TransactionDataError::Type)));
    assert_eq!(verify(&spoiled(&claims, "/transaction_data", Value::Null)), None);
}
