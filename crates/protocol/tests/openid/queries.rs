//! DCQL: which queries parse, and which credentials serve.

use serde_json::{Value, json};
use vouchsafe_protocol::dcql::{CredentialQuery, DcqlError, Mismatch, Query, Seen};
use vouchsafe_protocol::sd_jwt::{Path, Step};
use vouchsafe_protocol::statement::StatementError;

use crate::district::spoiled;

const VCT: &str = "https://example.org/identity";

fn query() -> Value {
    json!({"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
            "claims": [{"id": "n", "path": ["name"]}, {"id": "t", "path": ["address", "town"], "values": ["Larkfield", 7, true]}],
            "claim_sets": [["n", "t"], ["n"]], "unknown": 1},
            {"id": "b", "format": "mso_mdoc", "meta": {}}],
        "credential_sets": [{"options": [["a"], ["a", "b"]]}], "unknown": {}})
}

fn fault(pointer: &str, member: Value) -> DcqlError {
    Query::from_value(&spoiled(&query(), pointer, member)).unwrap_err()
}

#[test]
pub(crate) fn the_rules_of_a_query() {
    assert!(Query::from_value(&query()).is_ok());
    assert_eq!(fault("/credentials", json!([])), DcqlError::Length);
    assert_eq!(fault("/credentials/1/id", json!("a")), DcqlError::Id);
    assert_eq!(fault("/credentials/1/id", json!("a b")), DcqlError::Id);
    assert_eq!(fault("/credentials/0/meta", json!({})), DcqlError::Meta);
    assert_eq!(fault("/credentials/0/meta", json!(null)), DcqlError::Malformed);
    assert_eq!(fault("/credentials/0/claims", json!([])), DcqlError::Length);
    assert_eq!(fault("/credentials/0/claims", json!(null)), DcqlError::ClaimSets);
    assert_eq!(fault("/credentials/0/claims/1/id", json!("n")), DcqlError::Id);
    assert_eq!(fault("/credentials/0/claims/1/id", json!(null)), DcqlError::UnknownId);
    assert_eq!(fault("/credentials/0/claim_sets", json!([["x"]])), DcqlError::UnknownId);
    assert_eq!(fault("/credentials/0/claim_sets", json!([[]])), DcqlError::Length);
    assert_eq!(fault("/credentials/0/claims/0/path", json!([])), DcqlError::Length);
    assert_eq!(fault("/credentials/0/claims/0/path", json!([-1])), DcqlError::Malformed);
    assert_eq!(fault("/credentials/0/claims/0/path", json!([1.0])), DcqlError::Malformed);
    for values in [json!([]), json!([1.5]), json!([null]), json!([{}])] {
        assert_eq!(fault("/credentials/0/claims/0/values", values.clone()), DcqlError::Values, "{values}");
    }
    assert_eq!(fault("/credential_sets", json!([])), DcqlError::Length);
    assert_eq!(fault("/credential_sets/0/options", json!([[]])), DcqlError::Length);
    assert_eq!(fault("/credential_sets/0/options", json!([["c"]])), DcqlError::UnknownId);
}

#[test]
pub(crate) fn statements_in_a_query() {
    let statement = |id: &str, query: &str| json!({"id": id, "op": "le", "terms": [{"query": query, "pointer": "/x", "coeff": 1}], "k": "1", "rule": {"kind": "fixed"}});
    let with = |statements: Value| Query::from_value(&spoiled(&query(), "/statements", statements));
    let read = with(json!([statement("s", "a"), statement("t", "b")])).unwrap();
    let applying =
        |ids: &[&str]| read.statements_of(&ids.iter().map(|id| (*id).to_owned()).collect()).count();
    assert_eq!((applying(&["a"]), applying(&["a", "b"]), applying(&[])), (1, 2, 0));
    assert_eq!(with(json!([statement("s", "a"), statement("s", "a")])).unwrap_err(), DcqlError::Id);
    assert_eq!(with(json!([statement("s", "c")])).unwrap_err(), DcqlError::StatementQuery);
    let two = spoiled(&statement("s", "a"), "/terms/-", json!({"query": "a", "pointer": "/y", "coeff": 1}));
    assert!(with(json!([two])).is_ok());
    let twice = spoiled(&two, "/terms/1/pointer", json!("/x"));
    assert_eq!(with(json!([twice])).unwrap_err(), DcqlError::Statement(StatementError::Terms));
    assert_eq!(
        with(json!([spoiled(&statement("s", "a"), "/note", json!(1))])).unwrap_err(),
        DcqlError::Malformed
    );
    let many: Vec<_> = (0..17).map(|i| statement(&format!("s{i}"), "a")).collect();
    assert_eq!(with(json!(many)).unwrap_err(), DcqlError::Length);
    let multiple = spoiled(
        &spoiled(&query(), "/credentials/0/multiple", json!(true)),
        "/statements",
        json!([statement("s", "a")]),
    );
    assert_eq!(Query::from_value(&multiple).unwrap_err(), DcqlError::StatementQuery);
}

fn select(claims: Value, of: Value) -> Option<Vec<String>> {
    let query = json!({"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": claims}]});
    let of = of.as_object().cloned().unwrap();
    let found = Query::from_value(&query).unwrap().credentials[0].select(&Seen::whole(VCT, &of)).ok()?;
    let step = |step: &Step| match step {
        Step::Name(name) => name.clone(),
        Step::Index(index) => index.to_string(),
    };
    Some(found.iter().map(|path| path.iter().map(step).collect::<Vec<_>>().join("/")).collect())
}

#[test]
pub(crate) fn paths_and_values() {
    let held = || json!({"name": "A", "age": 7, "flag": true, "nat": ["GB", "FR"], "deg": [{"t": "BA"}, {"t": "MA", "y": 1}, {"y": 2}]});
    let found = |path: Value| select(json!([{"path": path}]), held()).map(|all| all.join(" "));
    assert_eq!(found(json!(["name"])).as_deref(), Some("name"));
    assert_eq!(found(json!(["nat", 1])).as_deref(), Some("nat/1"));
    assert_eq!(found(json!(["nat", null])).as_deref(), Some("nat/0 nat/1"));
    assert_eq!(found(json!(["deg", null, "t"])).as_deref(), Some("deg/0/t deg/1/t"));
    for none in [
        json!(["other"]),
        json!(["name", "x"]),
        json!(["name", 0]),
        json!(["nat", 2]),
        json!(["nat", "x"]),
        json!(["deg", null, "z"]),
    ] {
        assert_eq!(found(none.clone()), None, "{none}");
    }
    let valued =
        |path: Value, values: Value| select(json!([{"path": path, "values": values}]), held()).is_some();
    assert!(valued(json!(["age"]), json!([6, 7])));
    assert!(valued(json!(["flag"]), json!([true])));
    assert!(valued(json!(["nat", null]), json!(["FR"])));
    for (path, values) in [
        (json!(["age"]), json!(["7"])),
        (json!(["name"]), json!(["a"])),
        (json!(["flag"]), json!(["true", 1])),
        (json!(["nat"]), json!(["GB"])),
    ] {
        assert!(!valued(path.clone(), values.clone()), "{path} {values}");
    }
}

#[test]
pub(crate) fn claim_sets_are_taken_in_order_and_checked_again() {
    let query = Query::from_value(&query()).unwrap();
    let (first, second) = (&query.credentials[0], &query.credentials[1]);
    let select = |query: &CredentialQuery, vct: &str, claims: Value| -> Result<Vec<Path>, Mismatch> {
        query.select(&Seen::whole(vct, claims.as_object().unwrap()))
    };
    let check = |vct: &str, claims: Value| first.check_shown(&Seen::whole(vct, claims.as_object().unwrap()));
    let count = |claims: Value| select(first, VCT, claims).ok().map(|found| found.len());
    assert_eq!(count(json!({"name": "A", "address": {"town": "Larkfield"}})), Some(2));
    assert_eq!(count(json!({"name": "A", "address": {"town": "Elsewhere"}})), Some(1));
    assert_eq!(count(json!({"address": {"town": "Larkfield"}})), None);
    assert_eq!(select(first, "other", json!({"name": "A"})), Err(Mismatch::Type));
    assert_eq!(select(second, VCT, json!({})), Err(Mismatch::Format));
    assert_eq!(check(VCT, json!({"name": "A"})), Ok(()));
    assert_eq!(check(VCT, json!({})), Err(Mismatch::Claims));
    assert_eq!(check("other", json!({"name": "A"})), Err(Mismatch::Type));
}

#[test]
pub(crate) fn queries_of_the_standard_are_read() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../specs/vectors/openid4vp-1.0/examples/query_lang");
    let mut read = 0;
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        Query::from_value(&value).unwrap_or_else(|fault| panic!("{}: {fault}", file.path().display()));
        read += 1;
    }
    assert!(read > 0);
}
