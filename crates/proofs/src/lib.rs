//! Proofs about issuer-signed attributes that keep the attributes hidden.
//!
//! An issuer signs `C = v*B + r*H` in place of the value `v`. A resident later shows that `v`, or a weighted sum of
//! several, is at most `K`, at least `K` or between two bounds, in a public set or outside it, equal to another hidden
//! value or not, and shows nothing else. The mathematics and the names used here stand
//! in `specs/proofs/README.md`; formats and vectors in `specs/vectors/vouchsafe-1/`.
//!
//! * [`encoding`]: an attribute's plain value as an integer;
//! * [`commitment`]: blinding factors from a copy's seed, and commitments;
//! * [`dates`]: birthdays, and the pension-age tables keyed by birth date;
//! * [`statement`] and [`set`]: what is proved; [`context`]: all that the proof is bound to;
//! * [`planner`]: which sub-proofs prove the statements, a pure function of public data;
//! * [`transcript`]: the one list of bindings, item by item;
//! * [`range`]: checking range proofs, one or many at once;
//! * [`sigma`]: equal, not equal, one of a list, between the ends of one of many intervals, a pseudonym of a link secret;
//! * [`pseudonym`]: link secrets, contexts, pseudonyms;
//! * [`answer`]: making and checking the bytes that travel.
//!
//! What its user must guard: a [`context::Context`] is built from the verifier's own request record and from
//! the credential whose issuer signature it checked, never from what the wallet echoes; an answer is accepted
//! once. Nothing here reads a clock, a socket or the system's randomness.
#![forbid(unsafe_code)]

pub mod answer;
pub mod commitment;
pub mod context;
pub mod dates;
pub mod encoding;
mod group;
mod hex;
pub mod planner;
pub mod pseudonym;
pub mod range;
pub mod set;
pub mod sigma;
pub mod statement;
pub mod transcript;
