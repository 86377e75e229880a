//! The queries that the standard prints, read and answered as its text says.

use std::path::Path;

use serde_json::{Value, json};
use vouchsafe_protocol::dcql::{
    Candidate, CannotAnswer, Incomplete, Mismatch, Query, Selection, Wishes, choose,
};
use vouchsafe_protocol::sd_jwt::{Held, Step};

use crate::made::{Answer, answer, check, held, presented};

const IDENTITY: &str = "https://credentials.example.com/identity_credential";

fn query(name: &str) -> Query {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/openid4vp-1.0/examples/query_lang");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    Query::from_value(&serde_json::from_str::<Value>(&text).unwrap()).unwrap()
}

/// A credential of which every claim at the top can be withheld.
fn of(vct: &str, claims: Value) -> Held {
    let names: Vec<_> = claims.as_object().unwrap().keys().map(|name| format!("/{name}")).collect();
    held(vct, &claims, &names.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

fn chosen(query: &Query, holdings: &[Held], wishes: &Wishes) -> Result<Selection, CannotAnswer> {
    let candidates: Vec<_> = holdings.iter().map(|held| Candidate { id: "c", held }).collect();
    let selection = choose(query, &candidates, wishes)?;
    assert_eq!(check(query, &answer(&selection, &candidates)), Ok(()));
    Ok(selection)
}

/// The queries that are answered and the names that are shown.
fn told(selection: &Selection) -> Vec<(String, Vec<String>)> {
    let names = |paths: &[vouchsafe_protocol::sd_jwt::Path]| {
        let mut names: Vec<_> =
            paths.iter().map(|path| format!("{path:?}").replace("Name(\"", "").replace("\")", "")).collect();
        names.sort();
        names
    };
    selection.presentations.iter().map(|one| (one.query.clone(), names(&one.disclosures))).collect()
}

fn words(query: &str, names: &[&str]) -> (String, Vec<String>) {
    (query.to_owned(), names.iter().map(|name| format!("[{name}]")).collect())
}

fn person() -> Value {
    json!({"given_name": "A", "family_name": "Doe", "address": {"street_address": "1 Mill Lane"}, "other": 1})
}

#[test]
pub(crate) fn simple() {
    let query = query("simple.json");
    let all = chosen(&query, &[of(IDENTITY, person())], &Wishes::default()).unwrap();
    assert_eq!(told(&all), [words("my_credential", &["address", "family_name", "given_name"])]);
    let mut part = person();
    part.as_object_mut().unwrap().remove("given_name");
    let none = chosen(&query, &[of(IDENTITY, part)], &Wishes::default());
    assert_eq!(none, Err(CannotAnswer::Query("my_credential".into())));
}

#[test]
pub(crate) fn value_matching() {
    let query = query("value_matching_simple.json");
    let at = |code: Value| {
        let mut claims = person();
        claims["postal_code"] = code;
        chosen(&query, &[of(IDENTITY, claims)], &Wishes::default()).is_ok()
    };
    assert!(at(json!("90210")) && at(json!("90211")));
    assert!(!at(json!("90212")) && !at(json!(90210)) && !at(json!(["90210"])));
}

#[test]
pub(crate) fn claims_alternatives() {
    let query = query("claims_alternatives.json");
    let told_of =
        |claims: Value| chosen(&query, &[of(IDENTITY, claims)], &Wishes::default()).map(|s| told(&s));
    let first = json!({"family_name": 1, "locality": 1, "region": 1, "date_of_birth": 1, "postal_code": 1});
    assert_eq!(
        told_of(first).unwrap(),
        [words("pid", &["date_of_birth", "family_name", "locality", "region"])]
    );
    let second = json!({"family_name": 1, "region": 1, "date_of_birth": 1, "postal_code": 1});
    assert_eq!(told_of(second).unwrap(), [words("pid", &["date_of_birth", "family_name", "postal_code"])]);
    assert!(told_of(json!({"family_name": 1, "date_of_birth": 1})).is_err());
}

#[test]
pub(crate) fn other_formats_never_match_and_never_break() {
    for name in ["simple_mdoc.json", "complex_mdoc.json", "multi_credentials.json"] {
        let query = query(name);
        assert!(chosen(&query, &[of(IDENTITY, person())], &Wishes::default()).is_err(), "{name}");
    }
}

#[test]
pub(crate) fn credentials_alternatives() {
    let query = query("credentials_alternatives.json");
    let pid = || of(IDENTITY, person());
    let other = || of("https://othercredentials.example/pid", person());
    let one = || of("https://credentials.example.com/reduced_identity_credential", person());
    let two = || {
        of("https://cred.example/residence_credential", json!({"postal_code": 1, "locality": 1, "region": 1}))
    };
    let rewards = || of("https://company.example/company_rewards", json!({"rewards_number": 1}));
    let queries = |holdings: &[Held], wishes: &Wishes| {
        let told = told(&chosen(&query, holdings, wishes)?);
        Ok::<_, CannotAnswer>(told.into_iter().map(|(query, _)| query).collect::<Vec<_>>().join(" "))
    };
    let default = Wishes::default();
    assert_eq!(queries(&[other(), pid()], &default).unwrap(), "pid");
    assert_eq!(queries(&[other()], &default).unwrap(), "other_pid");
    assert_eq!(queries(&[one(), two()], &default).unwrap(), "pid_reduced_cred_1 pid_reduced_cred_2");
    assert_eq!(queries(&[one()], &default), Err(CannotAnswer::Set(0)));
    // What is nice to have alone is no answer, and is sent only when its holder asks for it.
    assert_eq!(queries(&[rewards()], &default), Err(CannotAnswer::Set(0)));
    let offered = chosen(&query, &[pid(), rewards()], &default).unwrap();
    assert_eq!((told(&offered).len(), offered.offered[0].set), (1, 1));
    let wished = Wishes { optional: [1].into(), ..Wishes::default() };
    let added = chosen(&query, &[pid(), rewards()], &wished).unwrap();
    assert_eq!((added.added[0].set, added.offered.len(), offered.added.len()), (1, 0, 0));
    assert_eq!(queries(&[pid(), rewards()], &wished).unwrap(), "pid nice_to_have");
    assert_eq!(queries(&[pid()], &wished).unwrap(), "pid");
    // Another option than the first.
    let second = Wishes { options: [(0, 1)].into(), ..Wishes::default() };
    assert_eq!(queries(&[pid(), other()], &second).unwrap(), "other_pid");
    assert_eq!(queries(&[pid()], &second), Err(CannotAnswer::Wish));
}

#[test]
pub(crate) fn without_claims_nothing_is_shown() {
    let query =
        json!({"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]}}]});
    let query = Query::from_value(&query).unwrap();
    let selection = chosen(&query, &[of(IDENTITY, person())], &Wishes::default()).unwrap();
    assert_eq!(told(&selection), [words("q", &[])]);
}

/// A wallet that has a part has nothing: a query, a claim of one, or a query of an option that is missing.
#[test]
pub(crate) fn a_wallet_with_a_part_sends_nothing() {
    let one = |id: &str, vct: &str| json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}});
    let asked = |sets: Option<Value>| {
        let mut query = json!({"credentials": [one("a", "A"), one("b", "B")]});
        if let Some(sets) = sets {
            query["credential_sets"] = sets;
        }
        Query::from_value(&query).unwrap()
    };
    let only = [of("A", person())];
    let default = Wishes::default();
    assert_eq!(chosen(&asked(None), &only, &default), Err(CannotAnswer::Query("b".into())));
    let whole = asked(Some(json!([{"options": [["a", "b"]]}])));
    assert_eq!(chosen(&whole, &only, &default), Err(CannotAnswer::Set(0)));
    // What is of another type is not taken for it, however alike its claims are.
    let other = [of("A", person()), of("C", person())];
    assert_eq!(chosen(&asked(None), &other, &default), Err(CannotAnswer::Query("b".into())));
    let both = [of("A", person()), of("B", person())];
    assert_eq!(told(&chosen(&whole, &both, &default).unwrap()), [words("a", &[]), words("b", &[])]);
}

/// What a wallet of other people's making sends in part is not taken.
#[test]
pub(crate) fn a_verifier_takes_no_part() {
    let one = |id: &str| {
        json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]},
            "claims": [{"path": ["given_name"]}, {"path": ["family_name"]}]})
    };
    let asked = |sets: Option<Value>| {
        let mut query = json!({"credentials": [one("a"), one("b"), one("c")]});
        if let Some(sets) = sets {
            query["credential_sets"] = sets;
        }
        Query::from_value(&query).unwrap()
    };
    let held = of(IDENTITY, person());
    let show = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| vec![Step::Name((*name).to_owned())]).collect();
        presented(&held, &paths)
    };
    let told = |ids: &[&str]| -> Answer {
        ids.iter().map(|id| ((*id).to_owned(), vec![show(&["given_name", "family_name"])])).collect()
    };
    let all = asked(None);
    assert_eq!(check(&all, &told(&["a", "b", "c"])), Ok(()));
    assert_eq!(check(&all, &told(&["a", "b"])), Err(Incomplete::Missing));
    let sets = asked(Some(json!([{"options": [["a"]]}, {"options": [["b", "c"]], "required": false}])));
    assert_eq!(check(&sets, &told(&["a"])), Ok(()));
    assert_eq!(check(&sets, &told(&["a", "b", "c"])), Ok(()));
    assert_eq!(check(&sets, &told(&["b", "c"])), Err(Incomplete::Set));
    assert_eq!(check(&sets, &told(&["a", "b"])), Err(Incomplete::Part));
    let mut less = told(&["a", "b", "c"]);
    less.insert("b".to_owned(), vec![show(&["given_name"])]);
    assert_eq!(check(&all, &less), Err(Incomplete::Presentation(Mismatch::Claims)));
}

#[test]
pub(crate) fn several_only_where_several_are_allowed() {
    let with = |multiple: bool| {
        let query = json!({"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]}, "multiple": multiple}]});
        Query::from_value(&query).unwrap()
    };
    let holdings = [of(IDENTITY, person()), of(IDENTITY, person())];
    let candidates: Vec<_> =
        holdings.iter().zip(["a", "b"]).map(|(held, id)| Candidate { id, held }).collect();
    let using = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Wishes { using: [("q".to_owned(), ids)].into(), ..Wishes::default() }
    };
    let count = |query: &Query, wishes: &Wishes| {
        Ok::<_, CannotAnswer>(choose(query, &candidates, wishes)?.presentations.len())
    };
    // One is sent unless the holder names more.
    let default = Wishes::default();
    assert_eq!((count(&with(true), &default), count(&with(false), &default)), (Ok(1), Ok(1)));
    let both = using(&["a", "b"]);
    assert_eq!((count(&with(true), &both), count(&with(true), &using(&["b"]))), (Ok(2), Ok(1)));
    assert_eq!(count(&with(false), &both), Err(CannotAnswer::Wish));
    assert_eq!(count(&with(true), &using(&["a", "c"])), Err(CannotAnswer::Wish));
    let both = answer(&choose(&with(true), &candidates, &both).unwrap(), &candidates);
    assert_eq!(check(&with(true), &both), Ok(()));
    assert_eq!(check(&with(false), &both), Err(Incomplete::Count));
}

#[test]
pub(crate) fn the_holder_says_which_credential_answers() {
    let query = query("simple.json");
    let holdings = [of(IDENTITY, person()), of(IDENTITY, person()), of("other", person())];
    let candidates: Vec<_> =
        holdings.iter().zip(["a", "b", "c"]).map(|(held, id)| Candidate { id, held }).collect();
    let with = |id: &str| {
        let using = [("my_credential".to_owned(), [id.to_owned()].into())].into();
        let selection = choose(&query, &candidates, &Wishes { using, ..Wishes::default() })?;
        Ok::<_, CannotAnswer>(selection.presentations[0].candidate)
    };
    assert_eq!((with("a"), with("b")), (Ok(0), Ok(1)));
    assert_eq!((with("c"), with("d")), (Err(CannotAnswer::Wish), Err(CannotAnswer::Wish)));
    let all = choose(&query, &candidates, &Wishes::default()).unwrap();
    assert_eq!(all.candidates["my_credential"], [0, 1]);
}

#[test]
pub(crate) fn what_nobody_asked_for() {
    let query = json!({"credentials": [
            {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]}},
            {"id": "b", "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]}}],
        "credential_sets": [{"options": [["a"]]}]});
    let query = Query::from_value(&query).unwrap();
    let holdings = [of(IDENTITY, person())];
    let candidates = [Candidate { id: "c", held: &holdings[0] }];
    let good = answer(&choose(&query, &candidates, &Wishes::default()).unwrap(), &candidates);
    assert_eq!(good.keys().collect::<Vec<_>>(), ["a"]);
    // In no set, and not in the query at all.
    for id in ["b", "z"] {
        let mut more = good.clone();
        more.insert(id.to_owned(), good["a"].clone());
        assert_eq!(check(&query, &more), Err(Incomplete::Unasked), "{id}");
    }
    let mut all = query.clone();
    all.credential_sets = None;
    let same = good["a"].clone();
    let more =
        [("b".to_owned(), same.clone()), ("z".to_owned(), same)].into_iter().chain(good.clone()).collect();
    assert_eq!(check(&all, &more), Err(Incomplete::Unasked));
    let mut other = query.clone();
    other.credentials[0].format = "vc+sd-jwt".to_owned();
    assert_eq!(check(&other, &good), Err(Incomplete::Presentation(Mismatch::Format)));
}
