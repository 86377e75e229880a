//! The parameters of routes.

use serde_json::{Value, json};

use super::refer;

/// Every parameter that a route may name.
pub(super) fn parameters() -> Value {
    let path = |name: &str, means: &str| json!({"name": name, "in": "path", "required": true, "description": means, "schema": {"type": "string"}});
    let other = |name: &str, place: &str, means: &str, schema: Value| json!({"name": name, "in": place, "required": false, "description": means, "schema": schema});
    json!({
        "Id": path("id", "The request's id."),
        "PermissionId": path("id", "The permission's id."),
        "EventId": path("id", "The event's id, as webhook-id has it."),
        "Handle": path("handle", "The handle of the request's link."),
        "Page": path("page", "The handle of the hosted page."),
        "TilePath": path("path", "Level, or `entries`, and number of the tile, with slashes between: `0/x001/234.p/7`."),
        "IdempotencyKey": other("Idempotency-Key", "header",
            "Drawn anew for each request to open. A call that is repeated with the same key and body within a day is \
             answered as the first was, while that request is open.",
            json!({"type": "string", "minLength": 1, "maxLength": 255})),
        "LastEventId": other("Last-Event-ID", "header", "The id of the last event seen.",
            json!({"type": "string", "enum": ["1", "2", "3"]})),
        "Proof": other("DPoP", "header",
            "A proof of a key (RFC 9449), ES256, for this method and address, made anew for each call. With the token \
             request it binds the token; with a bound token it is needed.",
            json!({"type": "string"})),
        "Cursor": other("cursor", "query", "`next` of the page before.", json!({"type": "string"})),
        "After": other("after", "query", "`next` of the page before: what is behind it.", json!({"type": "string"})),
        "State": other("state", "query", "Those that stand so now.", refer("MessageState")),
        "Limit": other("limit", "query", "How many at most.",
            json!({"type": "integer", "minimum": 1, "maximum": crate::request::MOST, "default": crate::request::USUAL})),
        "Status": other("status", "query", "Those that stand so.", refer("Status")),
    })
}
