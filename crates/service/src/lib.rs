//! What the three programs need of a machine: time, chance, settings, keys, sockets and files. It knows no policy.
//!
//! The pure crates take times, randomness, signatures and key agreement as arguments; this crate supplies them. It is
//! plumbing for issuer, verifier and wallet alike and holds no rule about credentials or residents.

pub mod client;
pub mod clock;
pub mod config;
pub mod dev_ca;
pub mod entropy;
pub mod keys;
pub mod limits;
pub mod listen;
pub mod oauth;
pub mod problem;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod webhook;
