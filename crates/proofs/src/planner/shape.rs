//! Which statements can be proved at all: their shape, and what is declared of the attributes that they name.

use vouchsafe_mutants as mutants;

use super::{Declared, PlanError};
use crate::{
    context::SignedRange,
    encoding::Encoding,
    statement::{Predicate, Statement, Term},
};

/// The most terms of a sum.
pub const MAX_TERMS: usize = 16;
/// The greatest size of a coefficient.
pub const MAX_COEFFICIENT: u64 = 1 << 16;

/// No sum wraps: 16 terms of 2^16 * 2^64, a bound and a witness of 64 bits stay far below l, about 2^252.
const _: () = assert!((MAX_TERMS as u128 + 2) * MAX_COEFFICIENT as u128 <= 1 << 63);

/// A statement whose shape is right, with the range over which its sum may lie.
pub(super) enum Shape {
    /// Two hidden values are compared.
    Pair,
    /// One attribute, with its signed range.
    One(SignedRange),
    /// A sum, with the signed range of each term and the least and greatest sum.
    Sum(Vec<SignedRange>, [i128; 2]),
}

impl Shape {
    pub(super) fn of<'d>(
        statement: &Statement,
        declared: &impl Fn(&Term) -> Option<Declared<'d>>,
    ) -> Result<Self, PlanError> {
        let terms = &statement.terms;
        check_terms(terms)?;
        let attributes = terms.iter().map(|t| declared(t).ok_or(PlanError::Unknown));
        let attributes = attributes.collect::<Result<Vec<_>, _>>()?;
        let alike =
            attributes.windows(2).all(|pair| pair[0].enc == pair[1].enc && pair[0].unit == pair[1].unit);
        if !(mutants::skips("zk-plan-units") || alike) {
            return Err(PlanError::Units);
        }
        let coefficients: Vec<i64> = terms.iter().map(|term| term.coeff).collect();
        match (&statement.predicate, coefficients.as_slice()) {
            (Predicate::Eq(0) | Predicate::Ne(0), [1, -1]) => pair(&attributes),
            (_, [1]) => sound_range(&attributes[0]).map(Self::One),
            (Predicate::Le(_) | Predicate::Ge(_) | Predicate::In { .. }, _) => sum(terms, &attributes),
            _ => Err(PlanError::Terms),
        }
    }

    /// The least and the greatest sum.
    pub(super) fn ends(&self) -> [i128; 2] {
        match self {
            Self::Pair => [0, 0],
            Self::One(range) => [range.lo.into(), range.hi.into()],
            Self::Sum(_, ends) => *ends,
        }
    }
}

fn check_terms(terms: &[Term]) -> Result<(), PlanError> {
    let few = (1..=MAX_TERMS).contains(&terms.len());
    if !(mutants::skips("zk-plan-terms") || few) {
        return Err(PlanError::Terms);
    }
    let sized = |term: &Term| (1..=MAX_COEFFICIENT).contains(&term.coeff.unsigned_abs());
    if !(mutants::skips("zk-plan-coefficient") || terms.iter().all(sized)) {
        return Err(PlanError::Terms);
    }
    // An attribute that is named twice would be one source counted twice.
    let new = |(i, term): (usize, &Term)| terms[..i].iter().all(|earlier| !earlier.is_of(term));
    if !(mutants::skips("zk-plan-distinct") || terms.iter().enumerate().all(new)) {
        return Err(PlanError::Terms);
    }
    Ok(())
}

/// Two texts, or two integers that their issuers vouch for.
fn pair(attributes: &[Declared<'_>]) -> Result<Shape, PlanError> {
    for attribute in attributes {
        let text = attribute.enc == Encoding::Str && attribute.range.is_none();
        if !text {
            sound_range(attribute)?;
        }
    }
    Ok(Shape::Pair)
}

fn sum(terms: &[Term], attributes: &[Declared<'_>]) -> Result<Shape, PlanError> {
    let ranges = attributes.iter().map(sound_range).collect::<Result<Vec<_>, _>>()?;
    let mut ends = [0; 2];
    for (term, range) in terms.iter().zip(&ranges) {
        let coeff = i128::from(term.coeff);
        let [one, other] = [range.lo, range.hi].map(|v| coeff * i128::from(v));
        ends = [ends[0] + one.min(other), ends[1] + one.max(other)];
    }
    Ok(Shape::Sum(ranges, ends))
}

/// The range an issuer may sign: a width of the encoding, and lo <= hi < 2^b.
fn sound_range(declared: &Declared<'_>) -> Result<SignedRange, PlanError> {
    let range = declared.range.ok_or(PlanError::Range)?;
    if !(mutants::skips("zk-plan-width") || declared.enc.allows(range.b)) {
        return Err(PlanError::Range);
    }
    let fits = range.b >= 64 || range.hi >> range.b == 0;
    if !(mutants::skips("zk-plan-range") || (range.lo <= range.hi && fits)) {
        return Err(PlanError::Range);
    }
    Ok(range)
}

/// A bound must divide what the sum may be: otherwise the answer is the same for everybody, or for nobody.
pub(super) fn check_bound(predicate: &Predicate, [lo, hi]: [i128; 2]) -> Result<(), PlanError> {
    let divides = match predicate {
        Predicate::Le(k) => lo <= i128::from(*k) && i128::from(*k) < hi,
        Predicate::Ge(k) => lo < i128::from(*k) && i128::from(*k) <= hi,
        Predicate::In { lo: first, hi: last } => {
            let [first, last] = [*first, *last].map(i128::from);
            lo <= first && first <= last && last <= hi && [first, last] != [lo, hi]
        }
        Predicate::Eq(k) | Predicate::Ne(k) => lo < hi && lo <= i128::from(*k) && i128::from(*k) <= hi,
        Predicate::Member(set) | Predicate::NotMember(set) => {
            let [first, last] = set.ends().map(i128::from);
            let whole = set.intervals().len() == 1 && [first, last] == [lo, hi];
            lo <= first && last <= hi && !whole
        }
    };
    if !(mutants::skips("zk-plan-bound") || divides) { Err(PlanError::Bound) } else { Ok(()) }
}
