//! Answers by proof and by disclosure: what a wallet makes and a verifier judges.
//!
//! Joins request, credentials and proof (`specs/profiles/presentation.md`). The verifier's way is a chain in
//! which each step consumes the one before: [`Presented`] (one option, all of it) → [`Trusted`] (issuer, type)
//! → [`Complete`] (the query is satisfied; then the status of each credential is asked for and told) → [`Committed`] (commitments as trusted metadata says, proof
//! carried where it belongs) → [`Proven`] (the proof holds) → [`Judged`]. Form, key binding and signatures come
//! before ([`crate::sd_jwt`]), the lease and the transaction are the caller's.
//!
//! Where the policy asks for a [permission](crate::permission), the grant is checked with [`Presented::granted`], the key
//! that it is signed by with step 8, and [`Granted`] comes out beside the judgement and nowhere else.
//!
//! Security: what a proof is bound to comes from the verifier's own record ([`crate::openid4vp::Asked`]) and from
//! credentials that it verified. An outcome is read only from the last step.

mod judge;
mod permitted;
mod prove;
mod verify;

pub use judge::Judged;
pub use permitted::{Granted, PermissionError};
pub use prove::{AnswerClaims, Holding, ProveError, carried, credential, prove, prove_over};
pub use verify::{AnswerError, Committed, Complete, Presented, Proven, Sought, Trusted, check_proofs};

/// The claim of the key binding that carries the proof.
pub const PROOF_CLAIM: &str = "urn:vouchsafe:proof:1";

/// The claim of the key binding that carries SHA-256 of a proof that another one carries.
pub const PROOF_HASH_CLAIM: &str = "urn:vouchsafe:proof-hash:1";
