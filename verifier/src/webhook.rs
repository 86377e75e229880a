//! Telling services that something happened: Standard Webhooks from the outbox (`specs/profiles/webhooks.md`).
//!
//! The transaction that decides writes a message; here it is claimed, sent to the one endpoint of its tenant and settled.
//! A message says what happened to which request or permission and no more: who wants to know the rest asks the API with
//! credentials of its own, so what a stranger might read or make up on the way is worth nothing. It is sent at least once,
//! always under the same id, and in no promised order.
//!
//! Security: an address is the operator's setting, and still only global addresses are called, under the anchors that the
//! operator names, without redirects; of the answer the status alone is read. Neither address, id nor secret is ever logged.

mod courier;
mod endpoint;
mod events;

use serde_json::json;

use crate::app::App;
use crate::permissions::{EXPIRED, GIVEN, WITHDRAWN};
use crate::secrets::Kind;
use crate::store::{Message, Tenant, event_id};

pub use self::courier::{Courier, Sent, deliver_every};
pub use self::endpoint::{EndpointFault, EndpointSettings, Endpoints, HookSettings};
pub use self::events::{EventError, Events, Feed, MOST, MadeUp, Told, USUAL, events, make_up, send_again};

/// What can happen, in the words of the messages.
pub const TOPICS: [&str; 8] = [
    "decision.met",
    "decision.not_met",
    "decision.undetermined",
    "decision.declined",
    "decision.expired",
    GIVEN,
    WITHDRAWN,
    EXPIRED,
];

/// What the request of a made-up message is called.
pub const TEST: &str = "test";

/// The id of a message: the same whenever it is sent. A keyed name, so nobody guesses one or learns from it how many
/// there are.
fn id(app: &App, tenant: &Tenant, message: &Message) -> String {
    let name = format!("{}\n{}\n{}", tenant.name(), message.about.0, message.topic);
    event_id(&app.vault().tag(Kind::Event, &name))
}

/// What is sent: what happened, when, and to which request or permission.
fn body(message: &Message) -> String {
    let text = json!({
        "type": message.topic,
        "timestamp": message.created_at.rfc3339(),
        "data": {"id": message.subject()},
    });
    text.to_string()
}
