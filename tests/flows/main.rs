//! Flows told as stories, over the real programs: TLS on loopback, embedded SQLite, real proofs, a clock held by hand.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[macro_use]
mod stores;

mod budget;
mod canary;
mod dropped;
mod holder;
mod house;
mod known;
mod linkability;
mod lost;
mod races;
mod rogue;
mod story;
mod stranger;
mod webhooks;
