//! A proof holds for one context and no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    common::{Case, everything},
    table,
};
use serde_json::{Value, json};
use vouchsafe_proofs::transcript::checkpoints;

fn as_json(case: &Case) -> Value {
    json!({ "context": case.context, "statements": case.statements })
}

#[test]
fn every_change_of_the_context_is_refused() {
    let honest = everything();
    let answer = honest.prove().unwrap();
    honest.verify(&answer).unwrap();
    for change in table::CHANGES {
        let mut changed = honest.clone();
        (change.apply)(&mut changed);
        assert_ne!(as_json(&changed), as_json(&honest), "{} changes nothing", change.what);
        assert!(changed.verify(&answer).is_err(), "{} was not noticed", change.what);
        assert!(change.alone.is_none_or(|mutant| mutant.starts_with("zk-bind-")));
    }
}

/// A field added to the context must get a row in the table.
#[test]
fn every_field_of_the_context_occurs_in_the_table() {
    let honest = everything();
    let before = leaves(&as_json(&honest));
    let mut untouched: BTreeSet<String> = before.keys().map(|path| field(path)).collect();
    for change in table::CHANGES {
        let mut changed = honest.clone();
        (change.apply)(&mut changed);
        let after = leaves(&as_json(&changed));
        // A row that adds, removes or reorders says nothing about the fields inside.
        if before.len() == after.len() && bag(&before) != bag(&after) {
            let differ = before.iter().filter(|(path, value)| after.get(*path) != Some(value));
            differ.for_each(|(path, _)| _ = untouched.remove(&field(path)));
        }
    }
    assert_eq!(untouched, BTreeSet::new(), "no row changes these");
}

/// What no statement names does not reach the transcript, so a wallet may hold it back.
#[test]
fn unnamed_credentials_and_attributes_do_not_matter() {
    let full = everything();
    let mut named = full.clone();
    named.statements.retain(|statement| statement.id == "age");
    let before = checkpoints(&named.context, &named.statements);
    named.context.credentials.truncate(1);
    named.context.credentials[0].attributes.truncate(1);
    assert_eq!(before, checkpoints(&named.context, &named.statements));
}

#[test]
fn tables_count_by_id_and_version() {
    let honest = everything();
    let mut reordered = honest.clone();
    reordered.context.policy.tables.rotate_left(1);
    assert_eq!(
        checkpoints(&honest.context, &honest.statements),
        checkpoints(&reordered.context, &reordered.statements)
    );
}

/// Every scalar of a document by its path.
fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(k, v)| walk(&format!("{path}/{k}"), v, found))
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, v)| walk(&format!("{path}/#{i}"), v, found));
            }
            scalar => _ = found.insert(path.to_owned(), scalar.to_string()),
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

/// The path without positions in arrays.
fn field(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('#') { "*" } else { part }).collect::<Vec<_>>().join("/")
}

fn bag(leaves: &BTreeMap<String, String>) -> BTreeMap<(String, &str), usize> {
    let mut bag = BTreeMap::new();
    for (path, value) in leaves {
        *bag.entry((field(path), value.as_str())).or_default() += 1;
    }
    bag
}

/// The published list names every label and every switch of the code.
#[test]
fn the_published_list_is_complete() {
    let source = include_str!("../../src/transcript.rs");
    let published = include_str!("../../../../specs/proofs/README.md");
    let appends: Vec<_> = source.split("\"zk-bind-").skip(1).collect();
    assert!(appends.len() > 50);
    for append in appends {
        let (switch, rest) = append.split_once('"').unwrap();
        assert!(published.contains(&format!("`{switch}`")), "{switch} is not published");
        // The transcript's own label stands in a row without a name.
        if let Some((_, label)) = rest.split_once("b\"").filter(|_| switch != "protocol") {
            let label = label.split('"').next().unwrap();
            assert!(published.contains(&format!("`{label}`")), "{label} is not published");
        }
    }
}
