//! Which range entries prove a set of statements: a published, pure function of public data.
//!
//! Implements `specs/proofs/README.md` section 4. The plan never depends on a witness, so it tells nothing;
//! wallet, verifier and policy loader all compute it and nothing about it travels.

use vouchsafe_mutants as mutants;

use crate::{
    context::{Context, SignedRange},
    encoding::Encoding,
    statement::{Predicate, Statement, Term},
};

/// The most entries, padding included, that one answer may carry.
pub const MAX_ENTRIES: usize = 32;
const WIDTHS: [u32; 3] = [16, 32, 64];

/// The one aggregate of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The entries in statement order, without padding.
    pub entries: Vec<Entry>,
    /// Width of every entry in bits: 16, 32 or 64.
    pub n: usize,
    /// Number of entries padded to a power of two, at most [`MAX_ENTRIES`].
    pub m: usize,
}

/// One `w` that is shown to lie in `[0, 2^n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index of the statement it serves.
    pub statement: usize,
    /// How `w` follows from the value.
    pub side: Side,
}

/// How `w` follows from the value `v` and a public bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// v <= K: w = K - v.
    AtMost(u64),
    /// v >= K: w = v - K.
    AtLeast(u64),
}

/// What trusted type metadata, or a signed credential, declares of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its encoding.
    pub enc: Encoding,
    /// Its signed range; absent for `str`.
    pub range: Option<SignedRange>,
}

/// Why statements cannot be proved, whoever the resident is: the fault of a policy or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing is asked.
    #[error("there is no statement to prove")]
    Empty,
    /// Two statements share an id.
    #[error("two statements have the same id")]
    DuplicateId,
    /// A sum or a coefficient other than 1.
    #[error("a statement has other than one term with coefficient 1")]
    Terms,
    /// No credential, or more than one, has the attribute.
    #[error("a statement names an attribute that is not there exactly once")]
    Unknown,
    /// The attribute is a `str`, or its width and range do not fit its encoding.
    #[error("a statement names an attribute without a sound signed range")]
    Range,
    /// A bound that everybody or nobody within the signed range satisfies.
    #[error("a bound does not divide the attribute's signed range")]
    Bound,
    /// More entries than one answer carries.
    #[error("the statements need more range entries than one answer carries")]
    TooMany,
}

/// Plans the statements, in order, over what is declared of each attribute.
///
/// # Errors
/// See [`PlanError`]; a policy that cannot be planned does not load.
pub fn plan(
    statements: &[Statement],
    declared: impl Fn(&Term) -> Option<Declared>,
) -> Result<Plan, PlanError> {
    check_ids(statements)?;
    let mut entries = Vec::new();
    let mut largest = 0;
    for (statement, asked) in statements.iter().enumerate() {
        let range = sound_range(declared(only_term(asked)?).ok_or(PlanError::Unknown)?)?;
        check_bounds(asked.predicate, range)?;
        for side in sides(asked.predicate) {
            largest = largest.max(side.largest(range));
            entries.push(Entry { statement, side });
        }
    }
    let m = entries.len().next_power_of_two();
    if !(mutants::skips("zk-plan-size") || m <= MAX_ENTRIES) {
        return Err(PlanError::TooMany);
    }
    Ok(Plan { entries, n: width(largest), m })
}

/// Plans the statements over the attributes of presented credentials.
pub(crate) fn plan_in(context: &Context, statements: &[Statement]) -> Result<Plan, PlanError> {
    plan(statements, |term| {
        let attribute = context.attribute(&term.query, &term.pointer)?;
        Some(Declared { enc: attribute.enc, range: attribute.range })
    })
}

impl Side {
    /// The integer `w`, or `None` where the value does not satisfy the bound.
    #[must_use]
    pub const fn witness(self, v: u64) -> Option<u64> {
        match self {
            Self::AtMost(k) => k.checked_sub(v),
            Self::AtLeast(k) => v.checked_sub(k),
        }
    }

    /// The largest `w` over the signed range.
    const fn largest(self, range: SignedRange) -> u64 {
        match self {
            Self::AtMost(k) => k.saturating_sub(range.lo),
            Self::AtLeast(k) => range.hi.saturating_sub(k),
        }
    }
}

/// `in` gives hi - v, then v - lo.
fn sides(predicate: Predicate) -> Vec<Side> {
    match predicate {
        Predicate::Le(k) => vec![Side::AtMost(k)],
        Predicate::Ge(k) => vec![Side::AtLeast(k)],
        Predicate::In { lo, hi } => vec![Side::AtMost(hi), Side::AtLeast(lo)],
    }
}

/// The least of 16, 32, 64 with 2^n above the largest w. A narrower width would be a hidden second bound:
/// `K - v < 2^n` also says `v > K - 2^n`.
fn width(largest: u64) -> usize {
    let least = WIDTHS.into_iter().find(|n| u128::from(largest) < 1 << n).expect("a u64 is below 2^64");
    least as usize
}

fn check_ids(statements: &[Statement]) -> Result<(), PlanError> {
    let asks = !statements.is_empty();
    if !(mutants::skips("zk-plan-empty") || asks) {
        return Err(PlanError::Empty);
    }
    let new = |(i, s): (usize, &Statement)| statements[..i].iter().all(|earlier| earlier.id != s.id);
    if !(mutants::skips("zk-plan-ids") || statements.iter().enumerate().all(new)) {
        return Err(PlanError::DuplicateId);
    }
    Ok(())
}

fn only_term(statement: &Statement) -> Result<&Term, PlanError> {
    let term = statement.terms.first().ok_or(PlanError::Terms)?;
    if !(mutants::skips("zk-plan-terms") || statement.terms.len() == 1) {
        return Err(PlanError::Terms);
    }
    if !(mutants::skips("zk-plan-coefficient") || term.coeff == 1) {
        return Err(PlanError::Terms);
    }
    Ok(term)
}

/// The range an issuer may sign: a width of the encoding, and lo <= hi < 2^b.
fn sound_range(declared: Declared) -> Result<SignedRange, PlanError> {
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

/// A bound must divide the range: otherwise the answer is the same for everybody, or for nobody.
fn check_bounds(predicate: Predicate, range: SignedRange) -> Result<(), PlanError> {
    let SignedRange { lo, hi, .. } = range;
    let divides = match predicate {
        Predicate::Le(k) => lo <= k && k < hi,
        Predicate::Ge(k) => lo < k && k <= hi,
        Predicate::In { lo: first, hi: last } => {
            lo <= first && first <= last && last <= hi && (first, last) != (lo, hi)
        }
    };
    if !(mutants::skips("zk-plan-bound") || divides) { Err(PlanError::Bound) } else { Ok(()) }
}
