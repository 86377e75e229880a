//! What one wallet must tell the other so that statements over the credentials of both can be proved, and no more.
//!
//! Both compute the same list from the statements of the request: for a bound on a value or a sum, each value of the
//! invited wallet with its blinding; for a comparison of two of its own values, what opens their difference; for a
//! comparison with a value of the other person, the blinding of its side, and the value only where the two must differ.
//! Where two are equal the value adds nothing to what the blinding tells.

use std::collections::BTreeSet;

use vouchsafe_mutants as mutants;
use vouchsafe_proofs::answer::Openings;
use vouchsafe_proofs::commitment::Blinding;
use vouchsafe_proofs::encoding::Text;
use vouchsafe_proofs::sigma::Opened;
use vouchsafe_proofs::statement::{Statement, Term};
use vouchsafe_protocol::encoding::{b64u, b64u_array};
use vouchsafe_protocol::openid4vci::batch;
use vouchsafe_protocol::sd_jwt;
use vouchsafe_protocol::statement::Op;
use vouchsafe_protocol::zkc;
use zeroize::Zeroizing;

use super::Refusal;
use super::message::{Place, Told};

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) of: Vec<Place>,
    /// Whether the value is needed, or the blinding alone.
    pub(super) value: bool,
}

/// What must be told of the queries that are `told`, each thing once, in the order of the statements.
pub(super) fn wanted(statements: &[Statement], told: &impl Fn(&str) -> bool) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for statement in statements {
        for one in wanted_by(statement, told) {
            match all.iter_mut().find(|known| known.of == one.of) {
                Some(known) => known.value |= one.value,
                None => all.push(one),
            }
        }
    }
    all
}

fn wanted_by(statement: &Statement, told: &impl Fn(&str) -> bool) -> Vec<Wanted> {
    let of: Vec<Place> = statement.terms.iter().filter(|term| told(&term.query)).map(place).collect();
    match pair(statement) {
        Some(_) if of.is_empty() => Vec::new(),
        Some(differ) => vec![Wanted { of, value: differ }],
        None => of.into_iter().map(|one| Wanted { of: vec![one], value: true }).collect(),
    }
}

/// Whether two hidden values must differ; `None` where a statement compares no two of them.
fn pair(statement: &Statement) -> Option<bool> {
    let op = statement.predicate.op();
    let compares = statement.terms.len() == 2 && (op == Op::Eq.as_str() || op == Op::Ne.as_str());
    compares.then_some(op == Op::Ne.as_str())
}

fn place(term: &Term) -> Place {
    Place { query: term.query.clone(), pointer: term.pointer.clone() }
}

/// A copy's query, and what opens its commitments.
pub(super) type Own<'a> = (&'a str, &'a sd_jwt::Held, &'a batch::Opened);

/// What opens the commitment at a place of an own copy.
fn opened(own: &[Own<'_>], at: &Place) -> Option<Opened> {
    let (_, held, opened) = own.iter().find(|(query, ..)| *query == at.query)?;
    let r = opened.seed.blinding(held.iss()?, held.vct()?, &at.pointer);
    match opened.values.get(&at.pointer)? {
        zkc::Value::Integer(v) => Some(Opened::integer(*v, &r)),
        zkc::Value::Text(text) => {
            let signed = opened.attributes.iter().find(|one| one.pointer == at.pointer)?;
            Some(Opened::text(&Text::new(&signed.unit, text), &r))
        }
    }
}

/// Writes what is wanted of own copies; `None` where one has no such commitment.
pub(super) fn tell(wanted: &[Wanted], own: &[Own<'_>]) -> Option<Vec<Told>> {
    wanted.iter().map(|one| told(one, own)).collect()
}

fn told(wanted: &Wanted, own: &[Own<'_>]) -> Option<Told> {
    let opening = match wanted.of.as_slice() {
        [one] => opened(own, one)?,
        [one, other] => Opened::difference(&opened(own, one)?, &opened(own, other)?),
        _ => return None,
    };
    let [v, r] = opening.to_bytes();
    Some(Told { of: wanted.of.clone(), v: wanted.value.then(|| b64u(v.as_slice())), r: b64u(r.as_slice()) })
}

/// What was told is exactly what is wanted: nothing is missing, and nothing is taken that no statement needs.
pub(super) fn check(told: &[Told], wanted: &[Wanted]) -> Result<(), Refusal> {
    let same = |(told, wanted): (&Told, &Wanted)| told.of == wanted.of && told.v.is_some() == wanted.value;
    let exact = told.len() == wanted.len() && told.iter().zip(wanted).all(same);
    if mutants::skips("joint-openings") || exact { Ok(()) } else { Err(Refusal::Openings) }
}

/// Adds to `openings` what was told, as the statements need it. That it opens what was signed is checked where it is used.
pub(super) fn open(
    openings: &mut Openings,
    statements: &[Statement],
    told: &[Told],
    own: &[Own<'_>],
) -> Result<(), Refusal> {
    let mut added = BTreeSet::new();
    for statement in statements {
        match (pair(statement), statement.terms.as_slice()) {
            (Some(_), [one, other]) => difference(openings, [one, other], told, own)?,
            (_, terms) => {
                for term in terms.iter().filter(|term| !is_own(own, &term.query)) {
                    let at = place(term);
                    if added.insert(at.clone()) {
                        value(openings, &at, told)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn is_own(own: &[Own<'_>], query: &str) -> bool {
    own.iter().any(|(known, ..)| *known == query)
}

fn find<'t>(told: &'t [Told], of: &[Place]) -> Result<&'t Told, Refusal> {
    told.iter().find(|one| one.of == of).ok_or(Refusal::Openings)
}

fn scalar(text: &str) -> Result<Zeroizing<[u8; 32]>, Refusal> {
    b64u_array(text).map(Zeroizing::new).map_err(|_| Refusal::Content)
}

/// An integer and its blinding.
fn value(openings: &mut Openings, at: &Place, told: &[Told]) -> Result<(), Refusal> {
    let one = find(told, std::slice::from_ref(at))?;
    let v = scalar(one.v.as_deref().ok_or(Refusal::Openings)?)?;
    let (low, high) = v.split_first_chunk::<8>().expect("a scalar has 32 bytes");
    if high.iter().any(|byte| *byte != 0) {
        return Err(Refusal::Opening);
    }
    let r = Blinding::from_canonical_bytes(*scalar(&one.r)?).ok_or(Refusal::Content)?;
    openings.add(&at.query, &at.pointer, u64::from_le_bytes(*low), r);
    Ok(())
}

/// What opens the difference of two commitments, one of which at least is not ours.
fn difference(
    openings: &mut Openings,
    terms: [&Term; 2],
    told: &[Told],
    own: &[Own<'_>],
) -> Result<(), Refusal> {
    let places = terms.map(place);
    let [one, other] = terms.map(|term| is_own(own, &term.query));
    let ours = |at: &Place| opened(own, at).ok_or(Refusal::Openings);
    let opened = match (one, other) {
        (true, true) => return Ok(()),
        (false, false) => of(find(told, &places)?, None)?,
        (true, false) => {
            let ours = ours(&places[0])?;
            Opened::difference(&ours, &of(find(told, &places[1..])?, Some(&ours))?)
        }
        (false, true) => {
            let ours = ours(&places[1])?;
            Opened::difference(&of(find(told, &places[..1])?, Some(&ours))?, &ours)
        }
    };
    openings.add_difference([0, 1].map(|at: usize| (&*places[at].query, &*places[at].pointer)), opened);
    Ok(())
}

/// What was told; a value that was left out is that which it is equal to, or none.
fn of(told: &Told, equal: Option<&Opened>) -> Result<Opened, Refusal> {
    let v = match (&told.v, equal) {
        (Some(v), _) => scalar(v)?,
        (None, Some(equal)) => equal.to_bytes()[0].clone(),
        (None, None) => Zeroizing::new([0; 32]),
    };
    Opened::from_canonical_bytes(*v, *scalar(&told.r)?).ok_or(Refusal::Content)
}
