//! Sums of 2 to 16 terms beside plain integers, which do not wrap here: 16 terms of 2^16 times 2^64 are below 2^85.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;
use crate::{
    answer::ProveError,
    planner::{Entry, MAX_COEFFICIENT, MAX_TERMS, Plan},
};

/// A term: its coefficient, the range that its issuer may sign, and what it hides.
#[derive(Clone, Debug)]
struct Drawn {
    coeff: i64,
    lo: u64,
    hi: u64,
    v: u64,
}

impl Drawn {
    fn times(&self, v: u64) -> i128 {
        i128::from(self.coeff) * i128::from(v)
    }

    /// The ends of its range beyond which it would help: below the least where a greater value harms, and so on.
    fn counted(&self, predicate: &Predicate) -> [bool; 2] {
        match (predicate, self.coeff > 0) {
            (Predicate::Le(_), true) | (Predicate::Ge(_), false) => [true, false],
            (Predicate::Le(_), false) | (Predicate::Ge(_), true) => [false, true],
            _ => [true, true],
        }
    }

    fn keeps(&self, predicate: &Predicate) -> bool {
        let [least, greatest] = self.counted(predicate);
        !(least && self.v < self.lo || greatest && self.v > self.hi)
    }
}

fn coefficient() -> impl Strategy<Value = i64> {
    let most = MAX_COEFFICIENT as i64;
    let edges = prop::sample::select(vec![1, -1, 2, -2, 12, -52, most - 1, 1 - most, most, -most]);
    prop_oneof![3 => edges, 1 => (-most..=most).prop_filter("nought is no coefficient", |coeff| *coeff != 0)]
}

/// Ranges of all widths, and values at their ends, within, and a step or more outside.
fn term() -> impl Strategy<Value = Drawn> {
    let lo = prop::sample::select(vec![0_u64, 0, 0, 1, 1_000, (1 << 32) - 1]);
    let span =
        prop::sample::select(vec![0_u64, 1, 9, 999, (1 << 16) - 1, 1 << 16, (1 << 32) - 1, 1 << 40, 1 << 60]);
    (coefficient(), lo, span, any::<u64>(), 0..16_u8).prop_map(|(coeff, lo, span, x, at)| {
        let hi = lo + span;
        let v = match at {
            0..4 => lo,
            4..8 => hi,
            8 => lo.saturating_sub(1),
            9 => hi + 1,
            _ => lo + x % (span + 1),
        };
        Drawn { coeff, lo, hi, v }
    })
}

/// Bounds at the sum itself, a step to each side, and at the ends of what it may be.
fn predicate(s: i128, ends: [i128; 2], [kind, near, other]: [u8; 3]) -> Predicate {
    let at = |near: u8| {
        let middle = [s, s, s, ends[0], ends[1]][usize::from(near) % 5];
        u64::try_from(middle + [0, 1, -1, 77, -77][usize::from(near / 5) % 5]).unwrap_or(0)
    };
    match kind % 3 {
        0 => Predicate::Le(at(near)),
        1 => Predicate::Ge(at(near)),
        _ => Predicate::In { lo: at(near), hi: at(other) },
    }
}

fn drawn() -> impl Strategy<Value = (Vec<Drawn>, Predicate)> {
    (prop::collection::vec(term(), 2..=MAX_TERMS), any::<[u8; 3]>()).prop_map(|(terms, x)| {
        let predicate = predicate(sum_of(&terms), ends(&terms), x);
        (terms, predicate)
    })
}

fn sum_of(terms: &[Drawn]) -> i128 {
    terms.iter().map(|term| term.times(term.v)).sum()
}

/// The least and the greatest sum of what the issuers may sign.
fn ends(terms: &[Drawn]) -> [i128; 2] {
    let of = |pick: fn(i128, i128) -> i128| {
        terms.iter().map(|term| pick(term.times(term.lo), term.times(term.hi))).sum()
    };
    [of(i128::min), of(i128::max)]
}

/// The bits that a plan must have, by integers alone; `None` where there is none to make.
fn width(terms: &[Drawn], predicate: &Predicate) -> Option<usize> {
    let [lo, hi] = ends(terms);
    let (sides, divides) = match predicate {
        Predicate::Le(k) => (vec![i128::from(*k) - lo], lo <= (*k).into() && i128::from(*k) < hi),
        Predicate::Ge(k) => (vec![hi - i128::from(*k)], lo < (*k).into() && i128::from(*k) <= hi),
        Predicate::In { lo: first, hi: last } => {
            let [first, last] = [*first, *last].map(i128::from);
            let divides = lo <= first && first <= last && last <= hi && (lo, hi) != (first, last);
            (vec![last - lo, hi - first], divides)
        }
        _ => unreachable!("bounds alone"),
    };
    let counted = terms.iter().filter(|term| term.counted(predicate).contains(&true));
    let spans = counted.map(|term| i128::from(term.hi - term.lo));
    let largest = sides.iter().copied().chain(spans).max()?;
    let entries: usize =
        terms.iter().map(|t| t.counted(predicate).into_iter().filter(|end| *end).count()).sum();
    let fits = divides && entries + sides.len() <= 32;
    [16, 32, 64].into_iter().find(|n| largest < 1 << n).filter(|_| fits)
}

/// What is to be accepted: the relation holds over the integers, and no term leaves its range where that would help.
fn to_accept(terms: &[Drawn], predicate: &Predicate) -> bool {
    predicate.holds(sum_of(terms)) && terms.iter().all(|term| term.keeps(predicate))
}

fn blinding_of(term: usize) -> Scalar {
    Scalar::from(101 + term as u64)
}

fn asked(terms: &[Drawn], predicate: &Predicate) -> (Context, [Statement; 1]) {
    let hidden: Vec<Hidden> =
        terms.iter().enumerate().map(|(i, term)| (Scalar::from(term.v), blinding_of(i))).collect();
    let mut context = context(&hidden);
    for (credential, term) in context.credentials.iter_mut().zip(terms) {
        credential.attributes[0].range = Some(SignedRange { b: 64, lo: term.lo, hi: term.hi });
    }
    let named = |(i, term): (usize, &Drawn)| Term::new(&format!("q{i}"), "/v", term.coeff);
    let named = terms.iter().enumerate().map(named).collect();
    (context, [Statement { id: "sum".into(), terms: named, predicate: predicate.clone() }])
}

/// w of an entry over the integers, and its blinding.
fn witness(terms: &[Drawn], entry: &Entry) -> (i128, Scalar) {
    let s = sum_of(terms);
    let r: Scalar = terms.iter().enumerate().map(|(i, term)| signed(term.coeff) * blinding_of(i)).sum();
    let v = |term: usize| i128::from(terms[term].v);
    match entry.side {
        Side::AtMost(k) => (i128::from(k) - s, -r),
        Side::AtLeast(k) => (s - i128::from(k), r),
        Side::Term { term, lo } => (v(term) - i128::from(lo), blinding_of(term)),
        Side::TermUpTo { term, hi } => (i128::from(hi) - v(term), -blinding_of(term)),
        Side::FromFirst | Side::ToLast => unreachable!("no interval is asked for"),
    }
}

fn signed(coeff: i64) -> Scalar {
    let size = Scalar::from(coeff.unsigned_abs());
    if coeff < 0 { -size } else { size }
}

/// Every entry's w lies in [0, 2^n) exactly where the sum is to be accepted.
fn entries_agree(terms: &[Drawn], predicate: &Predicate, plan: &Plan) -> bool {
    let fits = |entry| (0..1_i128 << plan.n).contains(&witness(terms, entry).0);
    plan.entries.iter().all(fits) == to_accept(terms, predicate)
}

/// The honest answer is accepted where there is one. Where there is none, neither is one that is made of what is left of
/// each w in n bits.
fn proofs_agree(terms: &[Drawn], context: &Context, statements: &[Statement; 1], plan: &Plan) -> bool {
    let known: Vec<(u64, Scalar)> =
        terms.iter().enumerate().map(|(i, term)| (term.v, blinding_of(i))).collect();
    let honest = prove(context, statements, &openings(&known), &mut rng());
    if to_accept(terms, &statements[0].predicate) {
        return honest.is_ok_and(|answer| verify(context, statements, &answer).is_ok());
    }
    let left = |entry| {
        let (w, r) = witness(terms, entry);
        (w.rem_euclid(1 << plan.n) as u64, r)
    };
    let forged = forged(context, statements, plan.entries.iter().map(left).collect());
    honest == Err(ProveError::NotMet) && verify(context, statements, &forged).is_err()
}

/// Of `cases` drawn: how many have a plan and are to be accepted, how many have a plan and are not, how many have none.
fn compared(cases: u32, seed: u64, proved: bool) -> [u32; 3] {
    let config = ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() };
    let counted = std::cell::Cell::new([0; 3]);
    proptest!(config, |((terms, predicate) in drawn())| {
        let (context, statements) = asked(&terms, &predicate);
        let planned = plan_in(&context, &statements).ok();
        prop_assert_eq!(planned.as_ref().map(|plan| plan.n), width(&terms, &predicate));
        let mut now = counted.get();
        match planned {
            Some(plan) => {
                prop_assert!(entries_agree(&terms, &predicate, &plan));
                prop_assert!(!proved || proofs_agree(&terms, &context, &statements, &plan));
                now[usize::from(!to_accept(&terms, &predicate))] += 1;
            }
            None => now[2] += 1,
        }
        counted.set(now);
    });
    counted.get()
}

#[test]
fn sums_say_what_integers_say() {
    let counted = compared(3_000, 1, false);
    assert!(counted.iter().all(|count| *count > 200), "{counted:?}");
}

#[test]
fn sums_are_accepted_where_integers_agree_1() {
    let counted = compared(110, 2, true);
    assert!(counted.iter().all(|count| *count > 5), "{counted:?}");
}

#[test]
fn sums_are_accepted_where_integers_agree_2() {
    let counted = compared(110, 3, true);
    assert!(counted.iter().all(|count| *count > 5), "{counted:?}");
}
