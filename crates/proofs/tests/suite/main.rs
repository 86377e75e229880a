//! The tests of the proofs, in one program. With the feature `mutants`, run them by a runner that gives every
//! test a process of its own.
#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod answers;
mod bindings;
mod common;
mod honest;
mod kinds;
mod many;
mod mixed;
#[cfg(feature = "mutants")]
mod mutants;
mod properties;
mod table;
mod variable_time;
mod vectors;
