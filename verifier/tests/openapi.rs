//! The description of the API is kept in `specs/`, whole, and true of what is answered.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod callers;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::{Method, StatusCode};
use callers::{call, counter, get, opened, with_system};
use serde_json::Value;
use vouchsafe_verifier::http::document;
use world::{BUS_KEY, World, json_of};

#[test]
fn the_kept_description_is_that_of_the_program() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/openapi.json");
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(kept).unwrap_or_default()).unwrap_or_default();
    assert_eq!(kept, document(), "run `vouchsafe openapi > specs/openapi.json`");
}

/// Every value under the member `name`, anywhere.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name));
            members.values().for_each(|one| all(one, name, found));
        }
        Value::Array(items) => items.iter().for_each(|one| all(one, name, found)),
        _ => {}
    }
}

fn found<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    let mut all_found = Vec::new();
    all(value, name, &mut all_found);
    all_found
}

#[test]
fn every_reference_leads_somewhere_and_every_name_is_one() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let references = found(&document, "$ref");
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let ids: Vec<_> = found(&document["paths"], "operationId").into_iter().map(Value::to_string).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    for responses in found(&document["paths"], "responses") {
        let responses = responses.as_object().unwrap();
        assert!(!responses.is_empty());
        assert!(
            responses
                .iter()
                .all(|(status, one)| status.parse::<u16>().is_ok() && one["description"].is_string())
        );
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let named =
                found(operation, "$ref").into_iter().filter_map(|one| one.as_str()?.strip_prefix('#'));
            let parameters = named.filter(|pointer| pointer.starts_with("/components/parameters"));
            let places = parameters.map(|pointer| &document.pointer(pointer).unwrap()["in"]);
            assert_eq!(places.filter(|place| *place == "path").count(), path.matches('{').count(), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_and_every_description_is_a_route() {
    let (world, document) = (World::new().await, document());
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let source = include_str!("../src/http.rs");
    let routes = source.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1));
    // The description has no way to say that the last part may have slashes.
    let routes: BTreeSet<String> = routes.map(|path| path.replace("{*", "{")).collect();
    assert_eq!(described, routes.iter().map(String::as_str).collect());
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "none" } else { part });
        let place = parts.collect::<Vec<_>>().join("/");
        for method in [Method::GET, Method::POST, Method::HEAD, Method::PUT, Method::DELETE] {
            let told = methods.get(method.as_str().to_ascii_lowercase()).is_some();
            let answered = call(&world, method.clone(), &place, None, &[], "").await;
            let refused = answered.status() == StatusCode::METHOD_NOT_ALLOWED;
            // HEAD goes where GET goes, unless a route says that it does not, as pages do.
            let goes = match method {
                Method::HEAD => !told && methods.get("get").is_some(),
                _ => told,
            };
            let open = goes != refused;
            assert!(open, "{method} {path}: {}", answered.status());
        }
    }
    assert_eq!(json_of(world.get("/openapi.json").await).await, document);
}

/// Whether a body is of the schema, as far as objects, lists and words go.
fn fits(document: &Value, schema: &Value, body: &Value) -> bool {
    let schema = schema["$ref"].as_str().map_or(schema, |one| document.pointer(&one[1..]).unwrap());
    if let Some(words) = schema["enum"].as_array() {
        return words.contains(body);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return ways.iter().any(|way| fits(document, way, body));
    }
    let is = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&kind.into()))
    };
    match body {
        Value::Object(members) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let whole = required.filter_map(Value::as_str).all(|name| members.contains_key(name));
            let known = |(name, one): (&String, &Value)| {
                schema["properties"].get(name).is_some_and(|member| fits(document, member, one))
            };
            is("object") && whole && members.iter().all(known)
        }
        Value::Array(items) => is("array") && items.iter().all(|one| fits(document, &schema["items"], one)),
        Value::String(_) => is("string"),
        Value::Number(_) => is("integer"),
        Value::Null => is("null"),
        Value::Bool(_) => is("boolean"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_as_described() {
    let (world, system) = with_system().await;
    let document = document();
    let is = |schema: &str, body: &Value| {
        assert!(fits(&document, &document["components"]["schemas"][schema], body), "{schema}: {body}");
    };
    is("NewRequest", &counter());
    is("Token", &json_of(system.ask(&world, &system.claims(&world), &[]).await).await);
    is("OauthError", &json_of(system.ask(&world, &Value::Null, &[]).await).await);
    let first = opened(&world, BUS_KEY).await;
    is("OpenedRequest", &first);
    let place = format!("/v1/requests/{}", first["id"].as_str().unwrap());
    is("Request", &json_of(get(&world, &place, BUS_KEY).await).await);
    is("Problem", &json_of(get(&world, &format!("{place}/decision"), BUS_KEY).await).await);
    world.clock.advance(301);
    is("Request", &json_of(get(&world, &place, BUS_KEY).await).await);
    is("Decision", &json_of(get(&world, &format!("{place}/decision"), BUS_KEY).await).await);
    is("RequestList", &json_of(get(&world, "/v1/requests", BUS_KEY).await).await);
    world.clock.advance(3);
    is("MessageList", &json_of(get(&world, "/v1/events", BUS_KEY).await).await);
    opened(&world, BUS_KEY).await;
    is("RequestList", &json_of(get(&world, "/v1/requests?limit=1", BUS_KEY).await).await);
    let stray = serde_json::json!({"id": "x", "more": 1});
    assert!(!fits(&document, &document["components"]["schemas"]["Event"], &stray));
}

#[test]
fn examples_name_nobody() {
    let text = document().to_string();
    for part in ["Resident", "birth", "larkfield", "@"] {
        assert!(!text.contains(part), "{part}");
    }
}
