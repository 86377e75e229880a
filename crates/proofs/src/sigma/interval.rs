//! A commitment hides a value of one of many intervals `[first_i, last_i]`, and nobody learns of which.
//!
//! The prover commits to the ends of its own interval, F = Com(first; s) and L = Com(last; t), both absorbed; then the
//! transcript gives x, and one proof of [`membership`] shows that F + x*L hides an element of the public list first_i +
//! x*last_i. Were F and L made from the ends of two intervals, or of none, F + x*L would hide an element for at most one
//! x in each place of the list: N in l. Two proofs, one for each end, would let the least first and the greatest last
//! pass. That the value lies between, v - first and last - v in [0, 2^n), are two entries of the answer's aggregate over
//! C - F and L - C, which fix what F and L hide.
//!
//! A set's gaps are intervals too: lying outside of it is lying within one of them.
//!
//! Bytes: F || L || the proof of membership.

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::{Choice, ConditionallySelectable, ConstantTimeGreater};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Hidden, Kind, List, Nonces, Opened, absorb_list, announce, begin, challenge, membership, sent};
use crate::{group, set::Set};

/// Bytes of a proof about `count` intervals: 32*(7m + 3).
#[must_use]
pub const fn length(count: usize) -> usize {
    64 + membership::length(count)
}

/// The commitments to the ends of the hidden interval.
#[derive(Clone, Copy)]
pub struct Ends {
    /// F, which hides the first value.
    pub(crate) first: RistrettoPoint,
    /// L, which hides the last.
    pub(crate) last: RistrettoPoint,
}

/// What opens them; wiped after use.
#[derive(ZeroizeOnDrop)]
pub struct OpenedEnds {
    /// The ends.
    pub(crate) ends: [u64; 2],
    /// The blindings of F and L.
    pub(crate) blindings: [Scalar; 2],
}

impl OpenedEnds {
    /// F and L. In constant time.
    pub(crate) fn commit(&self) -> Ends {
        let point = |i: usize| group::commit(&Zeroizing::new(Scalar::from(self.ends[i])), &self.blindings[i]);
        Ends { first: point(0), last: point(1) }
    }
}

/// Proves that F and L hide the ends of the interval that the hidden integer lies in; the caller shows that it does.
///
/// The work does not depend on which interval. `None` if the value lies in none.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    hidden: &Hidden,
    set: &Set,
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<(Vec<u8>, Box<OpenedEnds>)> {
    let ends = around(set, *opened.low_word())?;
    let scalars = Zeroizing::new(ends.map(Scalar::from));
    start(t, index, hidden, set);
    let mut nonces = Nonces::new(t, &[&opened.v, &opened.r], rng);
    let blindings = [nonces.next(), nonces.next()];
    let points = [0, 1].map(|i| group::commit(&scalars[i], &blindings[i]));
    let sent = points.map(|point| point.compress().0);
    announce(t, &sent);
    let x = challenge(t);
    let both = Opened { v: scalars[0] + x * scalars[1], r: *blindings[0] + x * *blindings[1] };
    let joined = Hidden::computed(points[0] + x * points[1]);
    let proof = membership::prove(t, index, &joined, &list(set, &x)?, &both, rng)?;
    // What moves leaves a copy behind unwiped: it stays where it is.
    let opened = Box::new(OpenedEnds { ends: *ends, blindings: [*blindings[0], *blindings[1]] });
    Some(([&sent.concat()[..], &proof].concat(), opened))
}

/// The commitments to the ends, if they hide those of one interval of the set. Variable time.
#[must_use]
pub fn verify_vartime(
    t: &mut Transcript,
    index: u64,
    hidden: &Hidden,
    set: &Set,
    proof: &[u8],
) -> Option<Ends> {
    let (ends, proof) = proof.split_at_checked(64)?;
    let [first, last] = ends.as_chunks().0 else { return None };
    let (f, l) = (sent(first)?, sent(last)?);
    start(t, index, hidden, set);
    announce(t, &[*first, *last]);
    let x = challenge(t);
    let joined = Hidden::computed(f + x * l);
    let holds = membership::verify_vartime(t, index, &joined, &list(set, &x)?, proof);
    holds.then_some(Ends { first: f, last: l })
}

pub(super) fn start(t: &mut Transcript, index: u64, hidden: &Hidden, set: &Set) {
    begin(t, Kind::Interval, index, &[*hidden]);
    absorb_list(t, &set.digest());
}

/// first_i + x*last_i.
pub(super) fn list(set: &Set, x: &Scalar) -> Option<List> {
    List::of(
        set.intervals().iter().map(|[first, last]| Scalar::from(*first) + x * Scalar::from(*last)).collect(),
    )
}

/// The ends of the interval that `v` lies in. All are looked at alike.
fn around(set: &Set, v: u64) -> Option<Zeroizing<[u64; 2]>> {
    let mut found = Choice::from(0);
    let mut ends = Zeroizing::new([0; 2]);
    for [first, last] in set.intervals() {
        let here = !(first.ct_gt(&v) | v.ct_gt(last));
        ends[0].conditional_assign(first, here);
        ends[1].conditional_assign(last, here);
        found |= here;
    }
    bool::from(found).then_some(ends)
}
