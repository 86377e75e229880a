//! Lists of many elements and intervals, up to the most that there may be, in the files of both implementations. A list
//! is written short there: `count` intervals of `span` values, which begin at `first`, `first` + `step`, and so on.

use serde_json::{Value, json};
use vouchsafe_proofs::answer::{final_checkpoint, verify};
use vouchsafe_proofs::context::Context;
use vouchsafe_proofs::planner::{Shows, plan};
use vouchsafe_proofs::statement::Statement;
use vouchsafe_proofs::transcript::checkpoints;

use crate::common::{Case, declared, everything, signed};
use crate::vectors::{answer, freeze, hex, read, unhex};

/// In every list, and the last element of the second, which fills what is left of a power of two.
const TOTAL: u64 = 79_999;

fn about(id: &str, op: &str, [first, step, span, count]: [u64; 4]) -> Value {
    let list = json!({ "first": first, "step": step, "span": span, "count": count });
    json!({ "id": id, "terms": [{ "query": "q1", "pointer": "/total", "coeff": 1 }], "predicate": { op: list } })
}

fn short() -> [Value; 4] {
    [
        about("codes", "member", [1, 2, 1, 65_536]),
        about("padded", "member", [1, 2, 1, 40_000]),
        about("spans", "member", [9, 10, 3, 65_536]),
        about("gaps", "not_member", [2, 7, 1, 33_000]),
    ]
}

/// A statement with its list written out.
fn whole(short: &Value) -> Statement {
    let mut whole = short.clone();
    for list in whole["predicate"].as_object_mut().unwrap().values_mut() {
        let of = |name: &str| list[name].as_u64().unwrap();
        let starts = (0..of("count")).map(|i| of("first") + i * of("step"));
        *list = starts.map(|start| [start, start + of("span") - 1]).collect();
    }
    serde_json::from_value(whole).unwrap()
}

fn all_whole(short: &Value) -> Vec<Statement> {
    short.as_array().unwrap().iter().map(whole).collect()
}

fn case() -> Case {
    let Case { mut context, secrets, .. } = everything();
    let mut secrets: Vec<_> = secrets.into_iter().filter(|secret| secret.pointer == "/total").collect();
    secrets[0].v = TOTAL;
    // No statement names the credential that a pseudonym would be of.
    context.authorisation.pseudonym = None;
    context.credentials[0].link = None;
    let attribute = context.credentials[1].attributes.iter_mut().find(|one| one.pointer == "/total");
    attribute.unwrap().c = signed(&secrets[0]);
    Case { context, statements: short().iter().map(whole).collect(), secrets }
}

#[test]
fn frozen_vectors_of_long_lists_are_what_the_code_makes() {
    let case = case();
    let planned = plan(&case.statements, |term| declared(&case.context, term)).unwrap();
    let lengths = planned.parts.iter().map(|part| match &part.shows {
        Shows::Element(elements) => elements.len(),
        Shows::Within(set) => set.intervals().len(),
        other => panic!("{other:?} is for short lists"),
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [65_536, 40_000, 65_536, 33_001]);
    let mut made = answer("many", &case);
    made["statements"] = json!(short());
    freeze("many.json", json!({ "version": "vouchsafe/v1", "answers": [made] }));
}

#[test]
fn long_lists_of_the_independent_model_are_accepted() {
    for told in read("model-many.json")["answers"].as_array().unwrap() {
        let context: Context = serde_json::from_value(told["context"].clone()).unwrap();
        let bytes = unhex(told["answer"].as_str().unwrap());
        let statements = all_whole(&told["statements"]);
        let mut challenges = checkpoints(&context, &statements).to_vec();
        challenges.push(final_checkpoint(&context, &statements, &bytes).unwrap());
        let challenges: Vec<_> = challenges.iter().map(|bytes| hex(bytes)).collect();
        assert_eq!(json!(challenges), told["checkpoints"]);
        // One element or interval more or less, and each in another place.
        for (place, member) in [(0, "first"), (1, "count"), (2, "span"), (3, "step")] {
            let mut spoilt = told["statements"].clone();
            for list in spoilt[place]["predicate"].as_object_mut().unwrap().values_mut() {
                list[member] = json!(list[member].as_u64().unwrap() + 1);
            }
            assert!(verify(&context, &all_whole(&spoilt), &bytes).is_err(), "{member}");
        }
    }
}
