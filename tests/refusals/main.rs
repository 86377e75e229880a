//! Refusals as data: every row of `*.toml` is an attack that is refused, and that passes when its check is gone.
//!
//! A file holds the rows of one area, a module the surface that the rows speak of. [`runner`] does to each row what
//! its columns say; `VOUCHSAFE_REFUSALS_DIR` names further folders of rows, separated as in `PATH`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod answer;
mod dc_api;
mod dcql;
mod flips;
mod forge;
mod jose;
mod jwe;
mod key_binding;
mod named;
mod openid4vci;
mod openid4vp;
mod permission;
mod policy;
mod proofs;
mod reasons;
mod runner;
mod sd_jwt;
mod status_fetch;
mod status_list;
mod together;
mod town;
mod ways;
mod webhook;
mod world;
