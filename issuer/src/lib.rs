//! The issuing body's side: a register becomes credentials that residents keep.
//!
//! A partner body loads its register ([`import`]), a resident gets an [`offer`], and their wallet collects a batch of
//! copies by OpenID4VCI 1.0 ([`router`]). Types come from TOML ([`types`]); what is kept, and in which form, says
//! [`store`].
//!
//! A type whose requests an officer decides on is put off until then ([`deferral`]). Where copies are linked to the secret
//! of a wallet, each person is held to one ([`linking`]).
//!
//! Leaves out, so far: authorisation code flow.
//!
//! Whoever runs it must keep the signing key and the server's key outside the database, serve [`router`] over TLS
//! alone, and give link and transaction code to residents by different ways.

mod app;
pub mod config;
pub mod deferral;
mod http;
pub mod import;
pub mod issue;
mod kind;
pub mod linking;
mod nonce;
pub mod offer;
mod registrar;
mod secrets;
pub mod status;
pub mod store;
pub mod types;

pub use app::{App, OpenError, Parts};
pub use config::Config;
pub use http::router;
pub use kind::Kind;
pub use registrar::RegistrarFiles;
pub use secrets::Secrets;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests;
