//! One story through the public API, and what is refused on its way: register, batch, request, answer.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "openid/answers.rs"]
mod answers;
#[path = "openid/batches.rs"]
mod batches;
#[path = "openid/browser.rs"]
mod browser;
#[path = "openid/collecting.rs"]
mod collecting;
#[path = "openid/credentials.rs"]
mod credentials;
#[path = "openid/decoders.rs"]
mod decoders;
#[path = "openid/district.rs"]
mod district;
#[path = "openid/documents.rs"]
mod documents;
#[path = "openid/joined.rs"]
mod joined;
#[path = "openid/macs.rs"]
mod macs;
#[path = "openid/messages.rs"]
mod messages;
#[path = "openid/pay.rs"]
mod pay;
#[cfg(feature = "mutants")]
#[path = "openid/permission_switches.rs"]
mod permission_switches;
#[path = "openid/permissions.rs"]
mod permissions;
#[path = "openid/permitted.rs"]
mod permitted;
#[path = "openid/plain.rs"]
mod plain;
#[path = "openid/policies.rs"]
mod policies;
#[path = "vectors/provider.rs"]
mod provider;
#[path = "openid/pseudonyms.rs"]
mod pseudonyms;
#[path = "openid/queries.rs"]
mod queries;
#[path = "openid/records.rs"]
mod records;
#[path = "openid/requests.rs"]
mod requests;
#[path = "openid/schema.rs"]
mod schema;
#[path = "openid/standard.rs"]
mod standard;
#[cfg(feature = "mutants")]
#[path = "openid/switches.rs"]
mod switches;
#[path = "openid/transactions.rs"]
mod transactions;
#[path = "openid/types.rs"]
mod types;
#[cfg(feature = "mutants")]
#[path = "openid/vp_switches.rs"]
mod vp_switches;
#[cfg(feature = "mutants")]
#[path = "openid/way_switches.rs"]
mod way_switches;
#[path = "openid/ways.rs"]
mod ways;
#[path = "openid/whole.rs"]
mod whole;
