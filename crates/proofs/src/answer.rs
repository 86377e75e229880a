//! Making and checking the bytes of an answer.
//!
//! Implements `specs/proofs/README.md` section 6: 0x01, then for every sub-proof its type (1 byte), its length
//! (4 bytes big-endian) and its bytes. This version has one sub-proof, an aggregated range proof, whose width
//! and size both sides compute from the statements. Padding is made here and never read.

use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use vouchsafe_mutants as mutants;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use curve25519_dalek::{RistrettoPoint, traits::Identity};

use crate::{
    commitment::{Blinding, commit},
    context::{Attribute, Context},
    group,
    planner::{Entry, MAX_ENTRIES, Plan, PlanError, Side, plan_in},
    range::{self, Claim, Values},
    statement::{Statement, Term},
    transcript,
};

const VERSION: u8 = 0x01;
/// Version, type and length.
const HEADER: usize = 1 + 1 + 4;
/// The longest answer: 32 entries of 64 bits. A longer text need not be decoded.
pub const MAX_LENGTH: usize = HEADER + range::proof_length(64, MAX_ENTRIES);

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

/// The opening of one signed commitment, wiped after use.
#[derive(ZeroizeOnDrop)]
pub struct Opening {
    #[zeroize(skip)]
    query: String,
    #[zeroize(skip)]
    pointer: String,
    v: u64,
    r: Blinding,
}

/// The openings that statements may need.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "a vector that grows leaves its old elements behind unwiped: they stay where they are"
)]
pub struct Openings(Vec<Box<Opening>>);

impl Openings {
    /// No openings yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds value and blinding of the attribute at `pointer` of the credential that answers `query`.
    pub fn add(&mut self, query: &str, pointer: &str, v: u64, r: Blinding) {
        self.0.push(Box::new(Opening { query: query.to_owned(), pointer: pointer.to_owned(), v, r }));
    }

    fn of(&self, term: &Term) -> Option<&Opening> {
        let wanted = |opening: &&Opening| opening.query == term.query && opening.pointer == term.pointer;
        self.0.iter().map(Box::as_ref).find(wanted)
    }
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
    let points = values(context, statements, &plan).ok_or(ProveError::WrongOpening)?.encodings;
    let witness = witness(context, statements, &plan, openings)?;
    let mut t = transcript::bound(context, statements);
    transcript::sub_proof(&mut t, &plan, &points);
    let (proof, proved) = range::prove(&mut t, plan.n, &witness, rng).ok_or(ProveError::Package)?;
    // The package commits by its own curve crate; the two must agree before anything is sent.
    if proved != points {
        return Err(ProveError::WrongOpening);
    }
    Ok(encode(&proof))
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
/// The weights come from `rng`, which is asked when all answers are there: it must not be foreseeable by whoever made
/// them. What it saves is the sum over the fixed generators, which all answers share.
#[must_use]
pub fn verify_all(answers: &[Given<'_>], rng: &mut dyn CryptoRngCore) -> Vec<Result<(), ProofFailed>> {
    let claims: Vec<Option<Claim<'_>>> = answers.iter().map(claim).collect();
    let (places, claims): (Vec<usize>, Vec<Claim<'_>>) =
        claims.into_iter().enumerate().filter_map(|(place, claim)| Some((place, claim?))).unzip();
    let mut verdicts = vec![Err(ProofFailed); answers.len()];
    for (place, holds) in places.into_iter().zip(range::verify_all_vartime(&claims, rng)) {
        if holds {
            verdicts[place] = Ok(());
        }
    }
    verdicts
}

fn claim<'a>(given: &Given<'a>) -> Option<Claim<'a>> {
    let Prepared { mut t, n, values, proof } = prepare(given.context, given.statements, given.bytes)?;
    Claim::new(&mut t, n, values, proof)
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
    let Prepared { mut t, n, values, proof } = prepare(context, statements, bytes).ok_or(ProofFailed)?;
    let holds = Claim::new(&mut t, n, values, proof).is_some_and(|claim| claim.holds_vartime());
    if !(mutants::skips("zk-proof") || holds) {
        return Err(ProofFailed);
    }
    transcript::proof_bytes(&mut t, proof);
    Ok(t)
}

/// An answer of the right form, and the transcript up to its range proof's own part.
struct Prepared<'a> {
    t: Transcript,
    n: usize,
    values: Values,
    proof: &'a [u8],
}

fn prepare<'a>(context: &Context, statements: &[Statement], bytes: &'a [u8]) -> Option<Prepared<'a>> {
    let plan = plan_in(context, statements).ok()?;
    let proof = decode(bytes, &plan)?;
    let values = values(context, statements, &plan)?;
    let mut t = transcript::bound(context, statements);
    transcript::sub_proof(&mut t, &plan, &values.encodings);
    Some(Prepared { t, n: plan.n, values, proof })
}

/// The length in bytes of an answer to this plan, whoever gives it.
#[must_use]
pub fn length(plan: &Plan) -> usize {
    HEADER + range::proof_length(plan.n, plan.m)
}

fn encode(proof: &[u8]) -> Vec<u8> {
    let length = u32::try_from(proof.len()).expect("the longest aggregate is under 2 KiB");
    [&[VERSION, transcript::RANGE_PROOF][..], &length.to_be_bytes(), proof].concat()
}

/// The range proof within the bytes; its length is the formula's before anything is parsed.
fn decode<'a>(bytes: &'a [u8], plan: &Plan) -> Option<&'a [u8]> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let [version, kind, declared @ ..] = header;
    let length = range::proof_length(plan.n, plan.m);
    if !(mutants::skips("zk-version") || *version == VERSION) {
        return None;
    }
    if !(mutants::skips("zk-type") || *kind == transcript::RANGE_PROOF) {
        return None;
    }
    if !(mutants::skips("zk-length") || u32::from_be_bytes(*declared) as usize == length) {
        return None;
    }
    let (proof, trailing) = rest.split_at_checked(length)?;
    if !(mutants::skips("zk-trailing") || trailing.is_empty()) {
        return None;
    }
    Some(proof)
}

/// The point C_w of every entry, padded to m with the identity.
fn values(context: &Context, statements: &[Statement], plan: &Plan) -> Option<Values> {
    let mut points = Vec::with_capacity(plan.m);
    for entry in &plan.entries {
        let (attribute, _) = named(context, statements, entry)?;
        points.push(entry_point(entry.side, group::decode_signed(&attribute.c.0)?));
    }
    points.resize_with(plan.m, RistrettoPoint::identity);
    let encodings = points.iter().map(|point| point.compress().0).collect();
    Some(Values { points, encodings })
}

/// v <= K: C_w = K*B - C. v >= K: C_w = C - K*B.
fn entry_point(side: Side, c: RistrettoPoint) -> RistrettoPoint {
    match side {
        Side::AtMost(k) => group::multiple_vartime(k) - c,
        Side::AtLeast(k) => c - group::multiple_vartime(k),
    }
}

/// w and its blinding for every entry, padded to m with Com(0; 0).
fn witness(
    context: &Context,
    statements: &[Statement],
    plan: &Plan,
    openings: &Openings,
) -> Result<range::Witness, ProveError> {
    let mut values = Zeroizing::new(Vec::with_capacity(plan.m));
    let mut blindings = Zeroizing::new(Vec::with_capacity(plan.m));
    for entry in &plan.entries {
        let (attribute, term) = named(context, statements, entry).ok_or(PlanError::Unknown)?;
        let Opening { v, r, .. } = openings.of(term).ok_or(ProveError::NoOpening)?;
        if !bool::from(commit(*v, r).ct_eq(&attribute.c)) {
            return Err(ProveError::WrongOpening);
        }
        values.push(entry.side.witness(*v).ok_or(ProveError::NotMet)?);
        blindings.push(entry_blinding(entry.side, r));
    }
    values.resize(plan.m, 0);
    blindings.resize(plan.m, [0; 32]);
    Ok(range::Witness { values, blindings })
}

/// K*B - C has the blinding -r, C - K*B has r.
fn entry_blinding(side: Side, r: &Blinding) -> [u8; 32] {
    match side {
        Side::AtMost(_) => (-r.0).to_bytes(),
        Side::AtLeast(_) => r.0.to_bytes(),
    }
}

fn named<'a>(
    context: &'a Context,
    statements: &'a [Statement],
    entry: &Entry,
) -> Option<(&'a Attribute, &'a Term)> {
    let term = statements.get(entry.statement)?.terms.first()?;
    Some((context.attribute(&term.query, &term.pointer)?, term))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_opening_stays_where_it_is_wiped() {
        let term = Term { query: "q0".to_owned(), pointer: "/0".to_owned(), coeff: 1 };
        let mut openings = Openings::new();
        let add = |openings: &mut Openings, i: u64| {
            openings.add("q0", &format!("/{i}"), i, Blinding::from_canonical_bytes([0; 32]).unwrap());
        };
        add(&mut openings, 0);
        let place: *const Opening = openings.of(&term).unwrap();
        (1..100).for_each(|i| add(&mut openings, i));
        assert!(std::ptr::eq(place, openings.of(&term).unwrap()));
    }
}
