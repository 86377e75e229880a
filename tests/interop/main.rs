//! Other people's software against ours, in both directions: pinned npm packages run by Node, and the reference
//! implementation of RFC 9901 run by Python. The log's peers are Rust packages.
//!
//! `cargo xtask test` installs them as their lists say; run alone, a test says what is missing. Where a peer departs
//! from the standards, its script here makes up for it and says so; our programs never do.

mod collecting;
mod conformance;
mod issuers;
mod log;
mod peer;
mod reading;
mod records;
mod status;
mod strangers;
mod town;
mod verifiers;
