//! Which sub-proofs prove a set of statements: a published, pure function of public data.
//!
//! Implements `specs/proofs/README.md` section 4. The plan never depends on a witness, so it tells nothing;
//! wallet, verifier and policy loader all compute it and nothing about it travels.

mod shape;

use vouchsafe_mutants as mutants;

use crate::{
    context::{Context, SignedRange},
    encoding::Encoding,
    range,
    set::{self, Set},
    sigma::{equality, inequality, interval, link, membership, one_of},
    statement::{Predicate, Statement, Term},
};
pub use shape::{MAX_COEFFICIENT, MAX_TERMS};
use shape::{Shape, check_bound};

/// The most entries, padding included, that one answer may carry.
pub const MAX_ENTRIES: usize = 32;
/// The longest answer in bytes. A longer text need not be decoded.
pub const MAX_LENGTH: usize = 16_384;
/// The most values that are shown to be others than the hidden one each for itself.
const MAX_APART: u128 = 16;
/// How many more bits of elements than of intervals make a proof about the intervals the shorter one: it has 7 words for
/// each bit, and about 23 more for the interval's ends and their two entries.
const BITS_APART: usize = 4;
const WIDTHS: [u32; 3] = [16, 32, 64];

/// What an answer consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The sub-proofs without a range, in statement order.
    pub parts: Vec<Part>,
    /// Whether a pseudonym is shown, by one sub-proof after these.
    pub pseudonym: bool,
    /// The entries of the one aggregate in statement order, without padding. It is the last sub-proof, and left out if it
    /// has no entry.
    pub entries: Vec<Entry>,
    /// Width of every entry in bits: 16, 32 or 64; 0 without entries.
    pub n: usize,
    /// Number of entries padded to a power of two, at most [`MAX_ENTRIES`]; 0 without entries.
    pub m: usize,
}

/// A sub-proof without a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the statement it serves.
    pub statement: usize,
    /// What it shows.
    pub shows: Shows,
}

/// What a sub-proof without a range shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The two terms hide one value.
    Equal,
    /// The two terms hide different values.
    Differ,
    /// The term hides another value than this.
    DiffersFrom(u64),
    /// The term hides one of a few.
    OneOf(Vec<u64>),
    /// The term hides one of many.
    Element(Vec<u64>),
    /// Two fresh commitments hide the ends of one of these intervals; two entries show that the term lies between.
    Within(Set),
}

/// One `w` that is shown to lie in `[0, 2^n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index of the statement it serves.
    pub statement: usize,
    /// How `w` follows from the values.
    pub side: Side,
}

/// How `w` follows from the statement's sum S, and public or hidden bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// S <= K: w = K - S.
    AtMost(u64),
    /// S >= K: w = S - K.
    AtLeast(u64),
    /// The value of one term is not below what its issuer may sign: w = v - lo.
    Term {
        /// Index of the term.
        term: usize,
        /// The least value of its signed range.
        lo: u64,
    },
    /// The value of one term is not above what its issuer may sign: w = hi - v.
    TermUpTo {
        /// Index of the term.
        term: usize,
        /// The greatest value of its signed range.
        hi: u64,
    },
    /// S is not below the hidden interval: w = S - first.
    FromFirst,
    /// S is not above the hidden interval: w = last - S.
    ToLast,
}

/// What trusted type metadata, or a signed credential, declares of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// Its encoding.
    pub enc: Encoding,
    /// Its unit, list or type URI.
    pub unit: &'a str,
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
    /// Terms that the predicate does not take.
    #[error("a statement has no term, too many, one twice, or coefficients that its predicate does not take")]
    Terms,
    /// Terms of different sorts.
    #[error("the terms of a statement have different encodings or units")]
    Units,
    /// No credential, or more than one, has the attribute.
    #[error("a statement names an attribute that is not there exactly once")]
    Unknown,
    /// The attribute is a `str`, or its width and range do not fit its encoding.
    #[error("a statement names an attribute without a sound signed range")]
    Range,
    /// A bound that everybody or nobody within the signed range satisfies.
    #[error("a bound does not divide the attribute's signed range")]
    Bound,
    /// A sum that 64 bits do not span.
    #[error("a sum lies further from its bound than 64 bits span")]
    Wide,
    /// A pseudonym without a credential whose link secret it is of, or the other way round.
    #[error("a pseudonym and the one credential that it is shown from, which a statement names, go together")]
    Pseudonym,
    /// More than one answer carries.
    #[error("the statements need more range entries, or more bytes, than one answer carries")]
    TooMany,
}

/// Plans the statements, in order, over what is declared of each attribute.
///
/// # Errors
/// See [`PlanError`]; a policy that cannot be planned does not load.
pub fn plan<'d>(
    statements: &[Statement],
    declared: impl Fn(&Term) -> Option<Declared<'d>>,
) -> Result<Plan, PlanError> {
    check_ids(statements)?;
    let mut made = Made::default();
    for (index, asked) in statements.iter().enumerate() {
        let shape = Shape::of(asked, &declared)?;
        let pair = matches!(shape, Shape::Pair);
        if !pair {
            check_bound(&asked.predicate, shape.ends())?;
        }
        made.terms(index, asked, &shape)?;
        made.predicate(index, &asked.predicate, &shape)?;
    }
    made.finish()
}

/// Plans the statements over the attributes of presented credentials.
pub(crate) fn plan_in(context: &Context, statements: &[Statement]) -> Result<Plan, PlanError> {
    let plan = plan(statements, |term| {
        let attribute = context.attribute(&term.query, &term.pointer)?;
        Some(Declared { enc: attribute.enc, unit: &attribute.unit, range: attribute.range })
    })?;
    if shows_pseudonym(context, statements)? { plan.with_pseudonym() } else { Ok(plan) }
}

/// Whether item 4 has a pseudonym. It comes from a credential that says which secret it is of and that the transcript
/// names, and such a credential comes with a pseudonym: neither without the other.
fn shows_pseudonym(context: &Context, statements: &[Statement]) -> Result<bool, PlanError> {
    let asked = context.authorisation.pseudonym.is_some();
    let linked = context.credentials.iter().any(|credential| credential.link.is_some());
    let is_named =
        |query: &str| statements.iter().any(|one| one.terms.iter().any(|term| term.query == query));
    match (asked, linked) {
        (false, false) => Ok(false),
        (true, true) => {
            let (credential, _) = context.linked().ok_or(PlanError::Pseudonym)?;
            let named = mutants::skips("zk-plan-nym-named") || is_named(&credential.query);
            if named { Ok(true) } else { Err(PlanError::Pseudonym) }
        }
        (true, false) if mutants::skips("zk-plan-nym-link") => Ok(false),
        (false, true) if mutants::skips("zk-plan-nym-item") => Ok(false),
        _ => Err(PlanError::Pseudonym),
    }
}

impl Plan {
    /// The same with a pseudonym.
    ///
    /// # Errors
    /// [`PlanError::TooMany`] where the answer becomes too long.
    pub fn with_pseudonym(self) -> Result<Self, PlanError> {
        Self { pseudonym: true, ..self }.fitting()
    }

    /// How many sub-proofs an answer has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parts.len() + usize::from(self.pseudonym) + usize::from(!self.entries.is_empty())
    }

    fn fitting(self) -> Result<Self, PlanError> {
        if !(mutants::skips("zk-plan-length") || length(&self) <= MAX_LENGTH) {
            return Err(PlanError::TooMany);
        }
        Ok(self)
    }
}

impl Shows {
    /// The bytes of the sub-proof.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Equal => equality::LENGTH,
            Self::Differ | Self::DiffersFrom(_) => inequality::LENGTH,
            Self::OneOf(elements) => one_of::length(elements.len()),
            Self::Element(elements) => membership::length(elements.len()),
            Self::Within(set) => interval::length(set.intervals().len()),
        }
    }
}

/// An end of the range that an issuer may sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Greatest,
}

/// The ends of a term's range beyond which a value would help a sum to its bound. Beyond the other end it only harms.
fn ends_that_count(predicate: &Predicate, coeff: i64) -> &'static [End] {
    match (predicate, coeff > 0) {
        _ if mutants::skips("zk-plan-each-end") => &[End::Least],
        (Predicate::Le(_), true) | (Predicate::Ge(_), false) => &[End::Least],
        (Predicate::Le(_), false) | (Predicate::Ge(_), true) => &[End::Greatest],
        _ => &[End::Least, End::Greatest],
    }
}

/// A plan in the making.
#[derive(Default)]
struct Made<'s> {
    parts: Vec<Part>,
    entries: Vec<Entry>,
    /// The terms of sums of which one end of their own range is shown already, and which.
    shown: Vec<(&'s Term, End)>,
    largest: u64,
}

impl<'s> Made<'s> {
    fn entry(&mut self, statement: usize, side: Side, largest: i128) -> Result<(), PlanError> {
        let largest = u64::try_from(largest).map_err(|_| PlanError::Wide)?;
        self.largest = self.largest.max(largest);
        self.entries.push(Entry { statement, side });
        Ok(())
    }

    fn part(&mut self, statement: usize, shows: Shows) {
        self.parts.push(Part { statement, shows });
    }

    /// Each term of a sum by itself: a commitment to "minus 10,000" is one to l - 10,000, and would pull a sum down; one
    /// to more than its issuer may sign would push it up.
    fn terms(&mut self, index: usize, asked: &'s Statement, shape: &Shape) -> Result<(), PlanError> {
        let Shape::Sum(ranges, _) = shape else { return Ok(()) };
        for (term, (named, range)) in asked.terms.iter().zip(ranges).enumerate() {
            let largest = i128::from(range.hi) - i128::from(range.lo);
            for end in ends_that_count(&asked.predicate, named.coeff) {
                let new = self.shown.iter().all(|(shown, of)| !(shown.is_of(named) && of == end));
                if new && !mutants::skips("zk-plan-each-term") {
                    self.shown.push((named, *end));
                    let side = match end {
                        End::Least => Side::Term { term, lo: range.lo },
                        End::Greatest => Side::TermUpTo { term, hi: range.hi },
                    };
                    self.entry(index, side, largest)?;
                }
            }
        }
        Ok(())
    }

    fn predicate(&mut self, index: usize, predicate: &Predicate, shape: &Shape) -> Result<(), PlanError> {
        let [lo, hi] = shape.ends();
        match (predicate, shape) {
            (Predicate::Le(k), _) => self.entry(index, Side::AtMost(*k), i128::from(*k) - lo)?,
            (Predicate::Ge(k), _) => self.entry(index, Side::AtLeast(*k), hi - i128::from(*k))?,
            (Predicate::In { lo: first, hi: last }, _) => {
                self.entry(index, Side::AtMost(*last), i128::from(*last) - lo)?;
                self.entry(index, Side::AtLeast(*first), hi - i128::from(*first))?;
            }
            (Predicate::Eq(_), Shape::Pair) => self.part(index, Shows::Equal),
            (Predicate::Ne(_), Shape::Pair) => self.part(index, Shows::Differ),
            (Predicate::Eq(k), _) => self.part(index, Shows::OneOf(vec![*k])),
            (Predicate::Ne(k), _) => self.part(index, Shows::DiffersFrom(*k)),
            (Predicate::Member(set), _) => self.member(index, set)?,
            (Predicate::NotMember(set), Shape::One(range)) => self.not_member(index, set, *range)?,
            (Predicate::NotMember(_), _) => return Err(PlanError::Terms),
        }
        Ok(())
    }

    /// The shortest of three proofs, by the numbers of elements and of intervals alone.
    fn member(&mut self, index: usize, set: &Set) -> Result<(), PlanError> {
        let elements = || set.elements().collect::<Vec<_>>();
        let few_apart = || {
            let count = set.count() as usize;
            membership::bits(count) < membership::bits(set.intervals().len()) + BITS_APART
        };
        match set.count() {
            count if count <= one_of::LONGEST as u128 => self.part(index, Shows::OneOf(elements())),
            count if count <= set::LONGEST as u128 && few_apart() => {
                self.part(index, Shows::Element(elements()));
            }
            _ => self.within(index, set.clone())?,
        }
        Ok(())
    }

    /// One value at a time while they are few; else the value lies in one of the gaps that the set leaves.
    fn not_member(&mut self, index: usize, set: &Set, range: SignedRange) -> Result<(), PlanError> {
        if set.count() <= MAX_APART {
            set.elements().for_each(|v| self.part(index, Shows::DiffersFrom(v)));
            return Ok(());
        }
        let gaps = set.gaps(range.lo, range.hi).ok_or(PlanError::Bound)?;
        self.within(index, gaps)
    }

    fn within(&mut self, index: usize, set: Set) -> Result<(), PlanError> {
        let widest = set.intervals().iter().map(|[first, last]| last - first).max().unwrap_or(0);
        self.part(index, Shows::Within(set));
        self.entry(index, Side::FromFirst, widest.into())?;
        self.entry(index, Side::ToLast, widest.into())
    }

    fn finish(self) -> Result<Plan, PlanError> {
        let Self { parts, entries, largest, .. } = self;
        let (n, m) =
            if entries.is_empty() { (0, 0) } else { (width(largest), entries.len().next_power_of_two()) };
        if !(mutants::skips("zk-plan-size") || m <= MAX_ENTRIES) {
            return Err(PlanError::TooMany);
        }
        Plan { parts, pseudonym: false, entries, n, m }.fitting()
    }
}

/// Version byte.
const VERSION: usize = 1;
/// Type and length of a sub-proof.
const HEADER: usize = 1 + 4;

/// The length in bytes of an answer to this plan, whoever gives it.
#[must_use]
pub fn length(plan: &Plan) -> usize {
    let parts: usize = plan.parts.iter().map(|part| HEADER + part.shows.length()).sum();
    let aggregate = if plan.entries.is_empty() { 0 } else { HEADER + range::proof_length(plan.n, plan.m) };
    let pseudonym = if plan.pseudonym { HEADER + link::LENGTH } else { 0 };
    VERSION + parts + pseudonym + aggregate
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
