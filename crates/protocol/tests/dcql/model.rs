//! A second reading of sections 6 and 7, by trees with holes and by trying every combination.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What stands where an element of an array was not disclosed.
fn hole() -> Value {
    json!({"...": "hole"})
}

/// What is left of `claims` when of the concealed pointers only the `shown` ones are disclosed.
pub(crate) fn left(claims: &Value, concealed: &BTreeSet<String>, shown: &BTreeSet<String>) -> Value {
    part(claims, "", concealed, shown)
}

fn part(value: &Value, at: &str, concealed: &BTreeSet<String>, shown: &BTreeSet<String>) -> Value {
    let visible = |at: &String| !concealed.contains(at) || shown.contains(at);
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (format!("{at}/{name}"), name, value));
            let members = members.filter(|(at, ..)| visible(at));
            let members = members.map(|(at, name, value)| (name.clone(), part(value, &at, concealed, shown)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(all) => {
            let one = |(index, value): (usize, &Value)| {
                let at = format!("{at}/{index}");
                if visible(&at) { part(value, &at, concealed, shown) } else { hole() }
            };
            all.iter().enumerate().map(one).collect()
        }
        scalar => scalar.clone(),
    }
}

/// Section 7.1, by recursion: what a path selects, `Err` where a step does not fit.
fn walk(value: &Value, path: &[Value]) -> Result<Vec<Value>, ()> {
    let Some((step, rest)) = path.split_first() else { return Ok(vec![value.clone()]) };
    let next: Vec<&Value> = match (step, value) {
        (Value::String(name), Value::Object(members)) => members.get(name).into_iter().collect(),
        (Value::Number(index), Value::Array(all)) => {
            all.get(usize::try_from(index.as_u64().unwrap()).unwrap()).into_iter().collect()
        }
        (Value::Null, Value::Array(all)) => all.iter().collect(),
        _ => return Err(()),
    };
    let found = next.into_iter().filter(|value| **value != hole()).map(|value| walk(value, rest));
    Ok(found.collect::<Result<Vec<_>, ()>>()?.concat())
}

fn has(document: &Value, claim: &Value) -> bool {
    let path = claim["path"].as_array().unwrap();
    let Ok(found) = walk(document, path) else { return false };
    found.iter().any(|value| claim["values"].as_array().is_none_or(|values| values.contains(value)))
}

/// Whether a document of a type answers a credential query.
pub(crate) fn answers(query: &Value, vct: &str, document: &Value) -> bool {
    let typed = query["meta"]["vct_values"].as_array().unwrap().contains(&json!(vct));
    let empty = Vec::new();
    let claims = query["claims"].as_array().unwrap_or(&empty);
    let named = |id: &Value| claims.iter().find(|claim| claim["id"] == *id).unwrap();
    let whole = match query["claim_sets"].as_array() {
        None => claims.iter().all(|claim| has(document, claim)),
        Some(sets) => {
            sets.iter().any(|set| set.as_array().unwrap().iter().all(|id| has(document, named(id))))
        }
    };
    typed && whole
}

/// Whether the queries `ids` are a full answer: some options, at least one of every required set, and nothing else.
pub(crate) fn is_full(query: &Value, ids: &BTreeSet<String>) -> bool {
    let all: BTreeSet<String> = query["credentials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    let Some(sets) = query["credential_sets"].as_array() else { return *ids == all };
    let mut covered = BTreeSet::new();
    for set in sets {
        let mut taken = false;
        for option in set["options"].as_array().unwrap() {
            let option: BTreeSet<String> =
                option.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
            if option.is_subset(ids) {
                taken = true;
                covered.extend(option);
            }
        }
        if !taken && set["required"] != json!(false) {
            return false;
        }
    }
    covered == *ids
}

/// Whether any choice of the queries that can be answered is a full answer.
pub(crate) fn is_possible(query: &Value, answerable: &BTreeSet<String>) -> bool {
    let ids: Vec<&String> = answerable.iter().collect();
    (0_u32..1 << ids.len()).any(|mask| {
        let chosen = ids.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
        is_full(query, &chosen.map(|(_, id)| (*id).clone()).collect())
    })
}
