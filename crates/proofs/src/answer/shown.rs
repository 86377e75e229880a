//! The pseudonym of item 4, shown to be that of the link secret of one credential.

use merlin::Transcript;
use rand_core::CryptoRngCore;

use super::{
    Openings, ProveError,
    layout::{Read, Written},
};
use crate::{
    context::Context,
    planner::{Plan, plan_in},
    pseudonym::Nym,
    sigma::{Hidden, link},
    statement::Statement,
};

/// Its sub-proof, where the plan has one.
pub(super) fn prove(
    t: &mut Transcript,
    (context, plan): (&Context, &Plan),
    openings: &Openings,
    written: &mut Written,
    rng: &mut dyn CryptoRngCore,
) -> Result<(), ProveError> {
    if !plan.pseudonym {
        return Ok(());
    }
    let (credential, c) = context.linked().ok_or(ProveError::NoOpening)?;
    let item4 = context.authorisation.pseudonym.as_ref().ok_or(ProveError::NoOpening)?;
    let opened = openings.link(&credential.query).ok_or(ProveError::NoOpening)?;
    let hidden = Hidden::new(c).ok_or(ProveError::WrongOpening)?;
    let made = link::prove(t, index(plan), &hidden, item4, opened, rng).ok_or(ProveError::WrongOpening)?;
    written.add(link::KIND, &made);
    Ok(())
}

/// Whether its bytes hold; so it is where nothing is shown. Variable time.
pub(super) fn holds_vartime(
    t: &mut Transcript,
    (context, plan): (&Context, &Plan),
    proof: Option<&[u8]>,
) -> bool {
    let Some(proof) = proof else { return true };
    let hidden = context.linked().and_then(|(_, c)| Hidden::new(c));
    let item4 = context.authorisation.pseudonym.as_ref();
    hidden
        .zip(item4)
        .is_some_and(|(hidden, item4)| link::verify_vartime(t, index(plan), &hidden, item4, proof))
}

/// It comes after the parts.
fn index(plan: &Plan) -> u64 {
    plan.parts.len() as u64
}

/// The pseudonym that an answer shows, for item 4 of the verifier's own context; the value that stands there before is not
/// looked at. It is nobody's until [`super::verify`] has said that the answer holds with it.
///
/// `None` where the context shows none, or the answer has another form than its plan.
#[must_use]
pub fn dangerous_claimed_pseudonym(context: &Context, statements: &[Statement], bytes: &[u8]) -> Option<Nym> {
    let plan = plan_in(context, statements).ok()?;
    link::shown(Read::new(bytes, &plan)?.pseudonym?)
}
