//! The asking service's side: policies, requests, answers, decisions.
//!
//! One installation serves one service or many; every row and query names the service. It shares nothing with
//! an issuer but the wire. Requests and answers follow OpenID4VP 1.0 as narrowed by `specs/profiles/request.md`
//! and `specs/profiles/answer.md`; the order of checks at the response endpoint is cheap before dear.
//!
//! Security: keep the server key and the keys of requests, decisions, records and the log apart from each other and outside
//! the database; pin the registrar by its trust file; run the [`expiry`] sweep, and [`log::publish`] where the log is shown.

pub mod answer;
pub mod app;
pub mod clients;
pub mod config;
pub mod decision;
pub mod expiry;
pub mod guess;
pub mod http;
pub mod log;
pub mod page;
pub mod paths;
pub mod permissions;
pub mod policies;
pub mod pool;
pub mod published;
pub mod question;
pub mod request;
pub mod secrets;
pub mod session;
pub mod status;
pub mod store;
pub mod trust;
pub mod webhook;
pub mod words;
