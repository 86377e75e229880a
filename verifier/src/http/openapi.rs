//! The description of every route, OpenAPI 3.1.
//!
//! Schemas come from the types of the bodies, problems from the closed list of refusals, scopes from the clients; what is
//! written down here is which of them belongs to which route. `specs/openapi.json` is this document, and a test says when
//! it is not. Why the paths are a table: `specs/decisions/0013-api-description.md`.

mod parameters;
mod permissions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use vouchsafe_service::problem::Reference;

use super::api::body::{
    Ask, Created, DecisionBody, EventBody, FlowWord, ListBody, OauthErrorBody, OutcomeWord, PaymentBody,
    ProblemBody, StandingBody, StatusWord, TokenBody,
};
use super::api::refusal::Refusal;
use super::outbox::{EventType, MessageBody, MessageListBody, MessageState, Subject};
use super::permissions::{AnsweredBody, CheckBody, PermissionBody, PermissionName, QuestionBody, StateWord};
use crate::clients::Scope;
use crate::clients::assertion::TYPE;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const PROBLEM: &str = "application/problem+json";

/// A route and what it is for.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    scope: Option<Scope>,
    parameters: &'static [&'static str],
    takes: Option<(&'static str, &'static str)>,
    /// Status, what it means, media type, schema; no media type is no body.
    gives: &'static [(u16, &'static str, &'static str, &'static str)],
    refusals: &'static [Refusal],
}

use Refusal as R;

/// What every call of a client may be refused with.
const LET_IN: [Refusal; 6] =
    [R::NoCredentials, R::InvalidToken, R::InvalidProof, R::Rate, R::Unavailable, R::Internal];

const OPENED: (u16, &str, &str, &str) =
    (201, "The request is open. Location says where it stands.", JSON, "OpenedRequest");
const OPEN_REFUSALS: &[Refusal] = &[
    R::NeedsRequestsWrite,
    R::MediaType,
    R::TooLarge,
    R::NotAnObject,
    R::UnknownMember,
    R::Member,
    R::UnknownPolicy,
    R::Purpose,
    R::PolicyUnusable,
    R::Flow,
    R::ExpectMissing,
    R::ExpectUnused,
    R::Payment,
    R::AuthoriseMissing,
    R::AuthoriseUnused,
    R::AuthoriseAmount,
    R::PermissionUnknown,
    R::NotAgain,
    R::TooSoon,
    R::RepeatKey,
    R::KeyTaken,
    R::KeyBusy,
    R::KeyOver,
];

const API: [Operation; 9] = [
    Operation {
        method: "post",
        path: "/v1/requests",
        id: "openRequest",
        tag: "requests",
        summary: "Ask one resident one question, by a policy.",
        scope: Some(Scope::RequestsWrite),
        parameters: &["IdempotencyKey", "Proof"],
        takes: Some((JSON, "NewRequest")),
        gives: &[OPENED],
        refusals: OPEN_REFUSALS,
    },
    Operation {
        method: "get",
        path: "/v1/requests",
        id: "listRequests",
        tag: "requests",
        summary: "The service's own requests, newest first.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["Cursor", "Limit", "Status", "Proof"],
        takes: None,
        gives: &[(200, "A page of the list.", JSON, "RequestList")],
        refusals: &[R::NeedsDecisionsRead, R::Query, R::Cursor],
    },
    Operation {
        method: "get",
        path: "/v1/requests/{id}",
        id: "readRequest",
        tag: "requests",
        summary: "How a request stands.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["Id", "Proof"],
        takes: None,
        gives: &[(200, "How it stands.", JSON, "Request")],
        refusals: &[R::NeedsDecisionsRead, R::NoSuchRequest],
    },
    Operation {
        method: "get",
        path: "/v1/requests/{id}/events",
        id: "followRequest",
        tag: "requests",
        summary: "How a request stands as it changes: waiting, answered, decided. Ends with the decision, or after \
                  some 25 seconds: come back with Last-Event-ID.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["Id", "LastEventId", "Proof"],
        takes: None,
        gives: &[
            (
                200,
                "Server-sent events whose data is an Event; id is the number of the step.",
                "text/event-stream",
                "Event",
            ),
            (204, "Last-Event-ID names the decision: nothing will follow.", "", ""),
        ],
        refusals: &[R::NeedsDecisionsRead, R::NoSuchRequest, R::LastEvent, R::Streams],
    },
    Operation {
        method: "get",
        path: "/v1/requests/{id}/decision",
        id: "readDecision",
        tag: "requests",
        summary: "The signed decision.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["Id", "Proof"],
        takes: None,
        gives: &[(200, "The decision.", JSON, "Decision")],
        refusals: &[R::NeedsDecisionsRead, R::NoSuchRequest, R::NotDecided],
    },
    Operation {
        method: "get",
        path: "/v1/requests/{id}/log-proof",
        id: "readLogProof",
        tag: "requests",
        summary: "That the decision is in the log, in the form of C2SP tlog-proof: to be kept beside the decision.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["Id", "Proof"],
        takes: None,
        gives: &[(200, "The proof with the newest checkpoint.", "text/plain", "Text")],
        refusals: &[R::NeedsDecisionsRead, R::NoSuchRequest, R::NotLogged],
    },
    Operation {
        method: "get",
        path: "/v1/events",
        id: "listEvents",
        tag: "events",
        summary: "The service's own messages, in the order in which they were made, some seconds after: what is sent to \
                  its webhook, and how far that is.",
        scope: Some(Scope::DecisionsRead),
        parameters: &["After", "Limit", "State", "Proof"],
        takes: None,
        gives: &[(200, "A page of the feed.", JSON, "MessageList")],
        refusals: &[R::NeedsDecisionsRead, R::EventQuery, R::Cursor],
    },
    Operation {
        method: "post",
        path: "/v1/events/{id}/send",
        id: "sendEventAgain",
        tag: "events",
        summary: "Send a message again that was given up, or delivered.",
        scope: Some(Scope::RequestsWrite),
        parameters: &["EventId", "Proof"],
        takes: None,
        gives: &[(202, "It is on its way, for three days from now.", "", "")],
        refusals: &[R::NeedsRequestsWrite, R::NoSuchEvent],
    },
    Operation {
        method: "post",
        path: "/v1/events/test",
        id: "makeUpEvent",
        tag: "events",
        summary: "Make up a message about a request named test, to try a receiver; for test services.",
        scope: Some(Scope::RequestsWrite),
        parameters: &["Proof"],
        takes: Some((JSON, "EventType")),
        gives: &[(202, "It is on its way.", "", "")],
        refusals: &[
            R::NeedsRequestsWrite,
            R::MediaType,
            R::TooLarge,
            R::NotAnObject,
            R::EventMember,
            R::EventTest,
            R::EventType,
        ],
    },
];

const fn open(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Operation {
    let (scope, takes) = (None, None);
    Operation { method, path, id, tag, summary, scope, parameters: &[], takes, gives: &[], refusals: &[] }
}

const NOT_SHOWN: (u16, &str, &str, &str) =
    (404, "`not-in-the-log`: no checkpoint has that.", PROBLEM, "Problem");
const OAUTH_ERROR: (u16, &str, &str, &str) = (400, "Refused.", JSON, "OauthError");

/// Routes that need no credentials: for whoever checks decisions, for wallets and for browsers.
const OPEN: [Operation; 16] = [
    Operation {
        parameters: &["Proof"],
        takes: Some((FORM, "TokenRequest")),
        gives: &[(200, "A token.", JSON, "Token"), OAUTH_ERROR],
        refusals: &[R::Rate, R::Unavailable],
        ..open(
            "post",
            "/oauth/token",
            "token",
            "access",
            "An access token for a signed assertion (RFC 6749 4.4, RFC 7523).",
        )
    },
    Operation {
        gives: &[(200, "Metadata (RFC 8414).", JSON, "Any")],
        ..open(
            "get",
            "/.well-known/oauth-authorization-server",
            "authorizationServer",
            "access",
            "Where tokens come from and how.",
        )
    },
    Operation {
        gives: &[(200, "A JWK set.", "application/jwk-set+json", "Any")],
        ..open(
            "get",
            "/.well-known/jwks.json",
            "decisionKeys",
            "access",
            "The keys that decisions are checked with.",
        )
    },
    Operation {
        gives: &[(200, "A signed note.", "text/plain", "Text"), NOT_SHOWN],
        ..open(
            "get",
            "/log/checkpoint",
            "logCheckpoint",
            "log",
            "The newest checkpoint of the log (C2SP tlog-checkpoint).",
        )
    },
    Operation {
        parameters: &["TilePath"],
        gives: &[(200, "Hashes or entries.", "application/octet-stream", "Any"), NOT_SHOWN],
        ..open("get", "/log/tile/{path}", "logTile", "log", "A tile of the log (C2SP tlog-tiles).")
    },
    Operation {
        gives: &[(200, "This document.", JSON, "Any")],
        ..open("get", "/openapi.json", "description", "access", "This document.")
    },
    Operation {
        parameters: &["Handle"],
        gives: &[(200, "The request object.", "application/oauth-authz-req+jwt", "Text"), OAUTH_ERROR],
        ..open(
            "get",
            "/r/{handle}",
            "requestObject",
            "wallets",
            "The signed request object (OpenID4VP 1.0, 5).",
        )
    },
    Operation {
        parameters: &["Handle"],
        takes: Some((FORM, "Any")),
        gives: &[(200, "The request object.", "application/oauth-authz-req+jwt", "Text"), OAUTH_ERROR],
        ..open(
            "post",
            "/r/{handle}",
            "requestObjectWithNonce",
            "wallets",
            "The same, with the wallet's nonce (5.10).",
        )
    },
    Operation {
        parameters: &["Handle"],
        takes: Some((FORM, "Any")),
        gives: &[(200, "Taken; redirect_uri where the browser must come back.", JSON, "Any"), OAUTH_ERROR],
        ..open(
            "post",
            "/a/{handle}",
            "answer",
            "wallets",
            "The wallet's answer (OpenID4VP 1.0, 8.2 and 8.3).",
        )
    },
    Operation {
        takes: Some((JSON, "Any")),
        gives: &[
            (200, "Where the request object is.", JSON, "Any"),
            (404, "`no-such-code`: wrong, used or out of date.", PROBLEM, "Problem"),
            (429, "`too-many-codes`: too many wrong ones.", PROBLEM, "Problem"),
        ],
        ..open("post", "/c", "typedCode", "wallets", "The request that a typed code stands for.")
    },
    Operation {
        gives: &[(
            200,
            "services, purposes and tables as the registrar signed them, and the policies. The same for everybody.",
            JSON,
            "Any",
        )],
        ..open(
            "get",
            "/policies",
            "policies",
            "wallets",
            "The live policies, so that people can see in their own wallet what they qualify for.",
        )
    },
    Operation {
        parameters: &["Page"],
        gives: &[(200, "The page.", "text/html", "Text")],
        ..open("get", "/p/{page}", "page", "pages", "The hosted page, for the browser that opens it first.")
    },
    Operation {
        parameters: &["Page"],
        gives: &[(405, "A page is opened by GET alone.", "", "")],
        ..open("head", "/p/{page}", "pageHead", "pages", "Link previews bind nothing.")
    },
    Operation {
        parameters: &["Page"],
        gives: &[(200, "The page.", "text/html", "Text")],
        ..open("get", "/p/{page}/return", "comeBack", "pages", "The browser comes back from the wallet.")
    },
    Operation {
        parameters: &["Page"],
        gives: &[(405, "A page is opened by GET alone.", "", "")],
        ..open("head", "/p/{page}/return", "comeBackHead", "pages", "Link previews decide nothing.")
    },
    Operation {
        gives: &[(200, "The stylesheet.", "text/css", "Text")],
        ..open("get", "/style.css", "style", "pages", "How pages look.")
    },
];

fn every_operation() -> impl Iterator<Item = &'static Operation> {
    API.iter().chain(&OPEN).chain(&permissions::API).chain(&permissions::OPEN)
}

/// The description of every route of the verifier.
#[must_use]
pub fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in every_operation() {
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), described(operation));
    }
    sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vouchsafe verifier",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Ask one resident one question and get a signed decision, without the record.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "https://ask.example"}],
        "tags": [
            {"name": "requests", "description": "For the systems of services."},
            {"name": "permissions", "description": "What residents permitted beside an answer, asked about before each use."},
            {"name": "events", "description": "What a service is told by webhook (Standard Webhooks 1.0.0)."},
            {"name": "access", "description": "Tokens, keys and this document."},
            {"name": "wallets", "description": "OpenID4VP 1.0, for wallets."},
            {"name": "pages", "description": "For the applicant's browser."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters::parameters(),
            "securitySchemes": security_schemes(),
        },
    }))
}

/// The document as it is kept and served.
pub(super) fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        serde_json::to_string_pretty(&document()).expect("a JSON value can be written") + "\n"
    });
    &TEXT
}

pub(super) async fn serve() -> Response {
    let headers = [(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, text()).into_response()
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses(operation),
        "security": [],
    });
    if let Some(scope) = operation.scope {
        described["security"] = json!([{"token": [scope.as_str()]}, {"testKey": []}]);
    }
    if !operation.parameters.is_empty() {
        let named = |name: &&str| json!({"$ref": format!("#/components/parameters/{name}")});
        described["parameters"] = operation.parameters.iter().map(named).collect();
    }
    if let Some((media, schema)) = operation.takes {
        described["requestBody"] = json!({"required": true, "content": {media: {"schema": refer(schema)}}});
    }
    described
}

fn refer(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, means, media, schema) in operation.gives {
        let mut response = json!({"description": means});
        if !media.is_empty() {
            response["content"] = json!({*media: {"schema": refer(schema)}});
        }
        responses.insert(status.to_string(), response);
    }
    let let_in: &[Refusal] = if operation.scope.is_some() { &LET_IN } else { &[] };
    let mut by_status: BTreeMap<u16, Vec<Refusal>> = BTreeMap::new();
    for refusal in operation.refusals.iter().chain(let_in) {
        by_status.entry(refusal.problem().status().as_u16()).or_default().push(*refusal);
    }
    responses.extend(by_status.into_iter().map(|(status, all)| (status.to_string(), refused(&all))));
    Value::Object(responses)
}

/// One status, with an example for each problem that may be behind it.
fn refused(refusals: &[Refusal]) -> Value {
    let mut examples = Map::new();
    for refusal in refusals {
        let problem = refusal.problem();
        let body: Value = serde_json::from_slice(&problem.body(&Reference::of(&[0xE1; 32])))
            .expect("the body of a problem is JSON");
        examples.insert(problem.code().to_owned(), json!({"value": body}));
    }
    let codes: Vec<_> = refusals.iter().map(|refusal| format!("`{}`", refusal.problem().code())).collect();
    json!({
        "description": codes.join(", "),
        "content": {PROBLEM: {"schema": refer("Problem"), "examples": examples}},
    })
}

fn schemas() -> Value {
    json!({
        "NewRequest": of::<Ask>(),
        "Flow": of::<FlowWord>(),
        "OpenedRequest": of::<Created>(),
        "Status": of::<StatusWord>(),
        "Outcome": of::<OutcomeWord>(),
        "Request": of::<StandingBody>(),
        "RequestList": of::<ListBody>(),
        "Decision": of::<DecisionBody>(),
        "Event": of::<EventBody<'static>>(),
        "Message": of::<MessageBody>(),
        "MessageState": of::<MessageState>(),
        "MessageList": of::<MessageListBody>(),
        "Subject": of::<Subject>(),
        "EventType": of::<EventType>(),
        "Payment": of::<PaymentBody>(),
        "Permission": of::<PermissionBody>(),
        "PermissionName": of::<PermissionName>(),
        "PermissionQuestion": of::<QuestionBody>(),
        "PermissionCheck": of::<CheckBody>(),
        "PermissionState": of::<StateWord>(),
        "PermissionAnswer": of::<AnsweredBody>(),
        "Token": of::<TokenBody>(),
        "Problem": problem(),
        "OauthError": of::<OauthErrorBody>(),
        "TokenRequest": token_request(),
        "Text": {"type": "string"},
        "Any": {"description": "As the standard of its route says."},
    })
}

fn of<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).expect("a schema can be written")
}

/// The schema of problems, with every code of the API.
fn problem() -> Value {
    let mut schema = of::<ProblemBody>();
    let codes: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.problem().code()).collect();
    schema["properties"]["code"]["examples"] = codes.into_iter().collect();
    schema
}

fn token_request() -> Value {
    json!({
        "type": "object",
        "required": ["grant_type", "client_assertion_type", "client_assertion"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_assertion_type": {"const": TYPE},
            "client_assertion": {
                "type": "string",
                "description": "A JWT of typ client-authentication+jwt, signed with a registered key that its kid names: \
                    iss and sub are the client's id, aud is this origin as one string, exp is at most five minutes \
                    away, jti is new.",
            },
            "client_id": {"type": "string"},
            "scope": {"type": "string", "examples": ["requests:write decisions:read"]},
        },
    })
}

fn security_schemes() -> Value {
    let scopes = [
        (Scope::RequestsWrite, "Open requests."),
        (Scope::DecisionsRead, "See requests, how they stand and how they were decided."),
        (Scope::PermissionsRead, "See permissions, and whether they are in force."),
        (Scope::PermissionsWrite, "Use permissions up, and take them back at a counter."),
    ];
    let scopes: Map<String, Value> =
        scopes.into_iter().map(|(scope, means)| (scope.as_str().to_owned(), means.into())).collect();
    json!({
        "token": {
            "type": "oauth2",
            "description": "Client credentials with private_key_jwt. The only way for live services. A token of type DPoP goes with a \
                proof at each call.",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": scopes}},
        },
        "testKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "The test key of a test service, for development. It sees test objects alone.",
        },
    })
}

/// Members in the order of their names, however the JSON package is built.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> =
                members.into_iter().map(|(name, one)| (name, sorted(one))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(all) => all.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_belongs_to_a_route() {
        let told = |refusal: &Refusal| {
            LET_IN.contains(refusal)
                || every_operation().any(|operation| operation.refusals.contains(refusal))
        };
        let untold: Vec<_> = Refusal::ALL.iter().filter(|one| !told(one)).collect();
        assert!(untold.is_empty(), "{untold:?}");
    }
}
