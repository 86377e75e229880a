//! Range proofs: made by the `bulletproofs` package, checked by ourselves.
//!
//! The package is the prover, and in tests the oracle for the verifier; it has an older curve crate of its own.
//! The verifier works over the package's public byte format on the curve crate of all our other arithmetic.
//! Both stand on `specs/proofs/README.md` section 6.1. They absorb `n`, `m`, the points and the prover's messages;
//! all else that a proof is to be bound to must be in the transcript before either is called, and what is drawn from
//! it later must absorb the complete bytes first. [`crate::answer`] does both.

mod claim;
mod equation;
mod generators;
mod package;
mod proof;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

pub use claim::{Claim, Values, verify_all_vartime};
#[cfg(test)]
pub(crate) use package::bases;
pub(crate) use package::{Witness, prove};

/// The length of a proof: 32 * (9 + 2*log2(n*m)) bytes.
#[must_use]
pub const fn proof_length(n: usize, m: usize) -> usize {
    32 * (9 + 2 * (n * m).ilog2() as usize)
}
