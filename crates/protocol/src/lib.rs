//! The wire: SD-JWT VC, OpenID4VCI, OpenID4VP and the registrar's documents.
//!
//! Pure: bytes come in, a new state and bytes to send go out. No clock, no socket, no cryptographic provider:
//! times and randomness are arguments, signatures and key agreement come through the traits of [`jose`].
//! The crate builds for the browser as it stands.
//!
//! What was parsed and what was verified are different types, and the way from the first to the second is a
//! check. A way around a check begins with `dangerous_`.
#![forbid(unsafe_code)]

pub mod answer;
pub mod dcql;
pub mod decision;
pub mod dpop;
pub mod encoding;
pub mod form;
pub mod jose;
pub mod json;
pub mod openid4vci;
pub mod openid4vp;
pub mod policy;
pub mod sd_jwt;
pub mod statement;
pub mod status;
pub mod text;
pub mod time;
pub mod tlog;
pub mod trust;
pub mod types;
pub mod zkc;
