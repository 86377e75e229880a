//! The entries of the aggregate: the point C_w of each on both sides, w and its blinding on the prover's.

use std::collections::BTreeMap;

use curve25519_dalek::{RistrettoPoint, Scalar, traits::Identity};
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::{Openings, ProveError};
use crate::{
    context::Context,
    group,
    planner::{Entry, Plan, Side},
    range::{Values, Witness},
    sigma::interval::{Ends, OpenedEnds},
    statement::{Statement, Term},
};

/// The point C_w of every entry, padded to m with the identity. `ends` are the hidden intervals' by statement.
pub(super) fn values(
    context: &Context,
    statements: &[Statement],
    plan: &Plan,
    ends: &BTreeMap<usize, Ends>,
) -> Option<Values> {
    let mut points = Vec::with_capacity(plan.m);
    for entry in &plan.entries {
        let terms = &statements.get(entry.statement)?.terms;
        let ends = ends.get(&entry.statement);
        points.push(match entry.side {
            Side::AtMost(k) => group::multiple_vartime(k) - sum_vartime(context, terms)?,
            Side::AtLeast(k) => sum_vartime(context, terms)? - group::multiple_vartime(k),
            Side::Term { term, lo } => signed(context, terms.get(term)?)? - group::multiple_vartime(lo),
            Side::TermUpTo { term, hi } => group::multiple_vartime(hi) - signed(context, terms.get(term)?)?,
            Side::FromFirst => sum_vartime(context, terms)? - ends?.first,
            Side::ToLast => ends?.last - sum_vartime(context, terms)?,
        });
    }
    points.resize_with(plan.m, RistrettoPoint::identity);
    let encodings = points.iter().map(|point| point.compress().0).collect();
    Some(Values { points, encodings })
}

/// C_S = sum coeff*C, of public points. Coefficients of one cost an addition.
fn sum_vartime(context: &Context, terms: &[Term]) -> Option<RistrettoPoint> {
    let mut sum = RistrettoPoint::identity();
    for term in terms {
        sum += group::times_vartime(term.coeff, &signed(context, term)?);
    }
    Some(sum)
}

fn signed(context: &Context, term: &Term) -> Option<RistrettoPoint> {
    group::decode_signed(&context.attribute(&term.query, &term.pointer)?.c.0)
}

/// w and its blinding for every entry, padded to m with Com(0; 0).
pub(super) fn witness(
    statements: &[Statement],
    plan: &Plan,
    openings: &Openings,
    ends: &BTreeMap<usize, Box<OpenedEnds>>,
) -> Result<Witness, ProveError> {
    let mut values = Zeroizing::new(Vec::with_capacity(plan.m));
    let mut blindings = Zeroizing::new(Vec::with_capacity(plan.m));
    for entry in &plan.entries {
        let terms = &statements[entry.statement].terms;
        let (w, r) = opened(entry, terms, openings, ends.get(&entry.statement).map(Box::as_ref))?;
        values.push(entry_value(&w, plan.n)?);
        blindings.push(r.to_bytes());
    }
    values.resize(plan.m, 0);
    blindings.resize(plan.m, [0; 32]);
    Ok(Witness { values, blindings })
}

/// w over the integers, and the blinding of C_w.
fn opened(
    entry: &Entry,
    terms: &[Term],
    openings: &Openings,
    ends: Option<&OpenedEnds>,
) -> Result<(Zeroizing<i128>, Zeroizing<Scalar>), ProveError> {
    let ends = || ends.ok_or(ProveError::NotMet);
    let (s, r) = match entry.side {
        Side::Term { term, .. } | Side::TermUpTo { term, .. } => {
            sum(&[Term { coeff: 1, ..terms[term].clone() }], openings)?
        }
        _ => sum(terms, openings)?,
    };
    let (w, r) = match entry.side {
        Side::AtMost(k) | Side::TermUpTo { hi: k, .. } => (i128::from(k) - *s, -*r),
        Side::AtLeast(k) | Side::Term { lo: k, .. } => (*s - i128::from(k), *r),
        Side::FromFirst => (*s - i128::from(ends()?.ends[0]), *r - ends()?.blindings[0]),
        Side::ToLast => (i128::from(ends()?.ends[1]) - *s, ends()?.blindings[1] - *r),
    };
    Ok((Zeroizing::new(w), Zeroizing::new(r)))
}

/// S and its blinding: sum coeff*v, sum coeff*r.
fn sum(terms: &[Term], openings: &Openings) -> Result<(Zeroizing<i128>, Zeroizing<Scalar>), ProveError> {
    let (mut s, mut r) = (Zeroizing::new(0), Zeroizing::new(Scalar::ZERO));
    for term in terms {
        let opening = openings.of(term).ok_or(ProveError::NoOpening)?;
        let v = Zeroizing::new(opening.integer().ok_or(ProveError::WrongOpening)?);
        *s += i128::from(term.coeff) * i128::from(*v);
        *r += coefficient(term.coeff) * opening.r.0;
    }
    Ok((s, r))
}

fn coefficient(coeff: i64) -> Scalar {
    let size = Scalar::from(coeff.unsigned_abs());
    if coeff < 0 { -size } else { size }
}

/// The plan's widths cover what issuers may sign, so that whatever does not fit is not met. The package would prove it all
/// the same, and what is left over of w could be read from the proof that fails.
fn entry_value(w: &i128, n: usize) -> Result<u64, ProveError> {
    let w = u64::try_from(*w).map_err(|_| ProveError::NotMet)?;
    if !(mutants::skips("zk-entry-width") || u128::from(w) < 1 << n) {
        return Err(ProveError::NotMet);
    }
    Ok(w)
}
