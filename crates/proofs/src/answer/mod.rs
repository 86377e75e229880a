//! Making and checking the bytes of an answer.
//!
//! Implements `specs/proofs/README.md` section 6: the sub-proofs without a range in statement order, then one aggregated
//! range proof for all entries; a pseudonym's stands between these and the aggregate. Both sides compute from the statements
//! which sub-proofs there are and how long each is.
//! Padding is made here and never read.

mod entries;
mod layout;
mod openings;
mod parts;
mod shown;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;

pub use crate::planner::{MAX_LENGTH, length};
use crate::{
    context::Context,
    planner::{PlanError, plan_in},
    range::{self, Claim},
    statement::Statement,
    transcript,
};
use layout::{Read, Written};
pub use openings::Openings;
pub use shown::dangerous_claimed_pseudonym;

/// The proof does not hold, or not here, or not for this. Nothing more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed")]
pub struct ProofFailed;

/// Why no proof was made; never says which value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The resident does not meet a statement: decline, or choose another option.
    #[error("the statement is not met by the credential's value")]
    NotMet,
    /// The request asks for what nobody can prove.
    #[error("the request cannot be proved: {0}")]
    Plan(#[from] PlanError),
    /// The caller gave no opening for an attribute that a statement names.
    #[error("the opening of a commitment is missing")]
    NoOpening,
    /// The opening does not open the signed commitment, or the commitment is unsound.
    #[error("the opening does not fit the signed commitment")]
    WrongOpening,
    /// The range-proof package refused its input: a fault of ours.
    #[error("the range proof could not be made")]
    Package,
}

/// Proves the statements, all that apply to the chosen option and in the order of the request.
///
/// Two proofs of the same statements differ, whatever the quality of `rng`, as soon as anything in the context
/// differs: the nonces are drawn from the transcript, the openings and `rng` together.
///
/// # Errors
/// [`ProveError::NotMet`] where a value lies outside its bounds; else see [`ProveError`].
pub fn prove(
    context: &Context,
    statements: &[Statement],
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
) -> Result<Vec<u8>, ProveError> {
    let plan = plan_in(context, statements)?;
    parts::check(context, statements, &plan, openings)?;
    let mut t = transcript::bound(context, statements);
    transcript::sub_proofs(&mut t, &plan);
    let mut written = Written::new(&plan);
    let asked = (context, statements, &plan);
    let opened = parts::prove(&mut t, asked, openings, &mut written, rng)?;
    shown::prove(&mut t, (context, &plan), openings, &mut written, rng)?;
    if !plan.entries.is_empty() {
        let witness = entries::witness(statements, &plan, openings, &opened)?;
        let ends = opened.iter().map(|(statement, opened)| (*statement, opened.commit())).collect();
        let points = entries::values(context, statements, &plan, &ends).ok_or(ProveError::WrongOpening)?;
        transcript::range_proof(&mut t, &plan, &points.encodings);
        let (proof, proved) = range::prove(&mut t, plan.n, &witness, rng).ok_or(ProveError::Package)?;
        // The package commits by its own curve crate; the two must agree before anything is sent.
        if proved != points.encodings {
            return Err(ProveError::WrongOpening);
        }
        written.add(transcript::RANGE_PROOF, &proof);
    }
    Ok(written.finish())
}

/// Checks an answer against the verifier's own context and statements.
///
/// ```
/// # use vouchsafe_proofs::{answer, context::Context, statement::Statement};
/// fn accept(context: &Context, statements: &[Statement], bytes: &[u8]) -> Result<(), answer::ProofFailed> {
///     answer::verify(context, statements, bytes)
/// }
/// ```
///
/// # Errors
/// [`ProofFailed`], which says nothing more.
pub fn verify(context: &Context, statements: &[Statement], bytes: &[u8]) -> Result<(), ProofFailed> {
    checked(context, statements, bytes).map(drop)
}

/// One of many answers that are checked together, each against its own context and statements.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// What the verifier holds of the request and of the credentials it checked.
    pub context: &'a Context,
    /// The statements that apply.
    pub statements: &'a [Statement],
    /// The bytes that came.
    pub bytes: &'a [u8],
}

/// Checks many answers in one sum, and each alone if that fails: the verdicts are those of [`verify`], in order.
///
/// The weights come from all answers and from `rng`, which is asked when they are there: so they are not foreseeable by
/// whoever made them. What it saves is the sum over the fixed generators, which all answers share.
#[must_use]
pub fn verify_all(answers: &[Given<'_>], rng: &mut dyn CryptoRngCore) -> Vec<Result<(), ProofFailed>> {
    let mut verdicts = vec![Err(ProofFailed); answers.len()];
    let (mut places, mut claims) = (Vec::new(), Vec::new());
    for (place, given) in answers.iter().enumerate() {
        match prepare(given.context, given.statements, given.bytes) {
            Some(Prepared { claim: Some((claim, _)), .. }) => {
                places.extend(claim.is_some().then_some(place));
                claims.extend(claim);
            }
            Some(Prepared { claim: None, .. }) => verdicts[place] = Ok(()),
            None => {}
        }
    }
    for (place, holds) in places.into_iter().zip(range::verify_all_vartime(&claims, rng)) {
        if holds {
            verdicts[place] = Ok(());
        }
    }
    verdicts
}

/// The 64-byte challenge "vector" after item 7 of an answer that holds, for comparing implementations.
///
/// # Errors
/// [`ProofFailed`], as [`verify`].
pub fn final_checkpoint(
    context: &Context,
    statements: &[Statement],
    bytes: &[u8],
) -> Result<[u8; 64], ProofFailed> {
    checked(context, statements, bytes).map(|t| transcript::challenge(&t))
}

fn checked(context: &Context, statements: &[Statement], bytes: &[u8]) -> Result<Transcript, ProofFailed> {
    let Prepared { mut t, claim } = prepare(context, statements, bytes).ok_or(ProofFailed)?;
    if let Some((claim, proof)) = claim {
        let holds = claim.is_some_and(|claim| claim.holds_vartime());
        if !(mutants::skips("zk-proof") || holds) {
            return Err(ProofFailed);
        }
        transcript::proof_bytes(&mut t, proof);
    }
    Ok(t)
}

/// An answer of the right form whose other sub-proofs hold, and the transcript up to its range proof's last message.
struct Prepared<'a> {
    t: Transcript,
    /// The aggregate, if it has its form, with its bytes; `None` where there is nothing to show of a range.
    claim: Option<(Option<Claim<'a>>, &'a [u8])>,
}

fn prepare<'a>(context: &Context, statements: &[Statement], bytes: &'a [u8]) -> Option<Prepared<'a>> {
    let plan = plan_in(context, statements).ok()?;
    let read = Read::new(bytes, &plan)?;
    let mut t = transcript::bound(context, statements);
    transcript::sub_proofs(&mut t, &plan);
    let ends = parts::verify_vartime(&mut t, (context, statements, &plan), &read.parts)?;
    if !shown::holds_vartime(&mut t, (context, &plan), read.pseudonym) {
        return None;
    }
    let Some(proof) = read.aggregate else { return Some(Prepared { t, claim: None }) };
    let values = entries::values(context, statements, &plan, &ends)?;
    transcript::range_proof(&mut t, &plan, &values.encodings);
    let claim = Claim::new(&mut t, plan.n, values, proof);
    Some(Prepared { t, claim: Some((claim, proof)) })
}
