//! Just enough of JSON Schema (draft 2020-12) to hold records to the one that is published. A keyword that is not known
//! here is an error, so that the schema cannot ask for more than is checked.

use std::path::PathBuf;

use serde_json::{Map, Value};

/// A schema of `specs/schemas`.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/schemas").join(name);
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// Whether a value is of the schema.
    pub(crate) fn holds(&self, value: &Value) -> bool {
        self.is(&self.0, value)
    }

    fn is(&self, schema: &Value, value: &Value) -> bool {
        let members = schema.as_object().expect("a schema is an object");
        members.iter().all(|(keyword, said)| self.keyword(keyword, said, members, value))
    }

    fn keyword(&self, keyword: &str, said: &Value, beside: &Map<String, Value>, value: &Value) -> bool {
        let length = || value.as_str().map(|text| text.chars().count() as u64);
        let count = || value.as_array().map(|all| all.len() as u64);
        let at_least = |of: Option<u64>| of.is_none_or(|n| n >= said.as_u64().unwrap());
        let at_most = |of: Option<u64>| of.is_none_or(|n| n <= said.as_u64().unwrap());
        match keyword {
            "$schema" | "$id" | "$defs" | "title" | "description" | "format" | "then" | "else" => true,
            "$ref" => {
                self.is(self.0.pointer(said.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value)
            }
            "type" => is_type(said.as_str().unwrap(), value),
            "const" => said == value,
            "enum" => said.as_array().unwrap().contains(value),
            "required" => value.as_object().is_none_or(|members| {
                said.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }),
            "properties" => said
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, schema)| value.get(name).is_none_or(|value| self.is(schema, value))),
            "additionalProperties" => {
                assert_eq!(*said, false);
                let known = beside["properties"].as_object().unwrap();
                value.as_object().is_none_or(|members| members.keys().all(|name| known.contains_key(name)))
            }
            "items" => value.as_array().is_none_or(|all| all.iter().all(|one| self.is(said, one))),
            "minItems" => at_least(count()),
            "maxItems" => at_most(count()),
            "minLength" => at_least(length()),
            "maxLength" => at_most(length()),
            "minimum" => at_least(value.as_u64()),
            "if" => self.is(&beside[if self.is(said, value) { "then" } else { "else" }], value),
            other => panic!("no such keyword here: {other}"),
        }
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        other => panic!("no such type here: {other}"),
    }
}
