//! The sub-proofs without a range, in statement order.

use std::collections::BTreeMap;

use merlin::Transcript;
use rand_core::CryptoRngCore;

use super::{Openings, ProofFailed, ProveError, layout::Written};
use crate::{
    context::Context,
    planner::{Part, Plan, Shows},
    sigma::{
        Element, Hidden, List, Opened, equality,
        inequality::{self, Different},
        interval::{self, Ends, OpenedEnds},
        kind, membership, one_of,
    },
    statement::{Statement, Term},
};

/// Proves all of them. The result opens the hidden intervals, by statement.
pub(super) fn prove(
    t: &mut Transcript,
    (context, statements, plan): (&Context, &[Statement], &Plan),
    openings: &Openings,
    written: &mut Written,
    rng: &mut dyn CryptoRngCore,
) -> Result<BTreeMap<usize, Box<OpenedEnds>>, ProveError> {
    let mut ends = BTreeMap::new();
    for (index, part) in (0..).zip(&plan.parts) {
        let terms = terms(statements, part).ok_or(ProveError::WrongOpening)?;
        let hidden = hidden(context, terms).ok_or(ProveError::WrongOpening)?;
        let opened = opened(terms, openings).ok_or(ProveError::NoOpening)?;
        let made = prove_one(t, index, &part.shows, &hidden, &opened, rng).ok_or(ProveError::NotMet)?;
        written.add(kind(&part.shows), &made.0);
        ends.extend(made.1.map(|ends| (part.statement, ends)));
    }
    Ok(ends)
}

/// Checks all of them, by the bytes of each. The result holds the ends of the hidden intervals, by statement. Variable
/// time.
pub(super) fn verify_vartime(
    t: &mut Transcript,
    (context, statements, plan): (&Context, &[Statement], &Plan),
    proofs: &[&[u8]],
) -> Option<BTreeMap<usize, Ends>> {
    let mut ends = BTreeMap::new();
    for (index, (part, proof)) in (0..).zip(plan.parts.iter().zip(proofs)) {
        let hidden = hidden(context, terms(statements, part)?)?;
        let found = verify_one_vartime(t, index, &part.shows, &hidden, proof).ok()?;
        ends.extend(found.map(|ends| (part.statement, ends)));
    }
    Some(ends)
}

/// `None` where the value does not have what is to be shown.
fn prove_one(
    t: &mut Transcript,
    index: u64,
    shows: &Shows,
    hidden: &[Hidden],
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<(Vec<u8>, Option<Box<OpenedEnds>>)> {
    let one = hidden.first()?;
    let pair = || <&[Hidden; 2]>::try_from(hidden).ok();
    let proof = match shows {
        Shows::Equal => equality::prove(t, index, pair()?, opened, rng),
        Shows::Differ => inequality::prove(t, index, Different::Pair(pair()?), opened, rng),
        Shows::DiffersFrom(v) => inequality::prove(t, index, Different::From(one, (*v).into()), opened, rng),
        Shows::OneOf(elements) => one_of::prove(t, index, one, &list(elements)?, opened, rng),
        Shows::Element(elements) => membership::prove(t, index, one, &list(elements)?, opened, rng),
        Shows::Within(set) => {
            let (proof, ends) = interval::prove(t, index, one, set, opened, rng)?;
            return Some((proof, Some(ends)));
        }
    };
    Some((proof?, None))
}

fn verify_one_vartime(
    t: &mut Transcript,
    index: u64,
    shows: &Shows,
    hidden: &[Hidden],
    proof: &[u8],
) -> Result<Option<Ends>, ProofFailed> {
    let one = hidden.first().ok_or(ProofFailed)?;
    let pair = || <&[Hidden; 2]>::try_from(hidden).map_err(|_| ProofFailed);
    let list = |elements| list(elements).ok_or(ProofFailed);
    let holds = match shows {
        Shows::Equal => equality::verify_vartime(t, index, pair()?, proof),
        Shows::Differ => inequality::verify_vartime(t, index, Different::Pair(pair()?), proof),
        Shows::DiffersFrom(v) => {
            inequality::verify_vartime(t, index, Different::From(one, (*v).into()), proof)
        }
        Shows::OneOf(elements) => one_of::verify_vartime(t, index, one, &list(elements)?, proof),
        Shows::Element(elements) => membership::verify_vartime(t, index, one, &list(elements)?, proof),
        Shows::Within(set) => {
            return interval::verify_vartime(t, index, one, set, proof).map(Some).ok_or(ProofFailed);
        }
    };
    if holds { Ok(None) } else { Err(ProofFailed) }
}

fn terms<'s>(statements: &'s [Statement], part: &Part) -> Option<&'s [Term]> {
    Some(&statements.get(part.statement)?.terms)
}

/// The signed commitments of a statement's terms.
pub(super) fn hidden(context: &Context, terms: &[Term]) -> Option<Vec<Hidden>> {
    terms.iter().map(|term| Hidden::new(&context.attribute(&term.query, &term.pointer)?.c)).collect()
}

/// What opens the one commitment, or the difference of two.
fn opened(terms: &[Term], openings: &Openings) -> Option<Opened> {
    match terms {
        [one] => Some(openings.of(one)?.opened()),
        [one, other] => openings.difference([one, other]),
        _ => None,
    }
}

fn list(elements: &[u64]) -> Option<List> {
    List::new(&elements.iter().map(|v| Element::from(*v)).collect::<Vec<_>>())
}

/// Whether the openings open what the issuers signed; each is looked at before anything is made of it.
pub(super) fn check(
    context: &Context,
    statements: &[Statement],
    plan: &Plan,
    openings: &Openings,
) -> Result<(), ProveError> {
    for (index, statement) in statements.iter().enumerate() {
        let hidden = hidden(context, &statement.terms).ok_or(ProveError::WrongOpening)?;
        let pair = plan
            .parts
            .iter()
            .any(|p| p.statement == index && matches!(p.shows, Shows::Equal | Shows::Differ));
        if let (true, Ok(pair)) = (pair, <&[Hidden; 2]>::try_from(hidden.as_slice())) {
            let opened = opened(&statement.terms, openings).ok_or(ProveError::NoOpening)?;
            opens(&opened, &Hidden::difference(pair))?;
            continue;
        }
        for (term, hidden) in statement.terms.iter().zip(&hidden) {
            opens(&openings.of(term).ok_or(ProveError::NoOpening)?.opened(), hidden)?;
        }
    }
    Ok(())
}

fn opens(opened: &Opened, hidden: &Hidden) -> Result<(), ProveError> {
    if bool::from(opened.opens(hidden)) { Ok(()) } else { Err(ProveError::WrongOpening) }
}
