//! Sets of integers: what a list says of a value, and what it leaves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most intervals of a set, and the most elements that are proved one by one.
pub const LONGEST: usize = 1 << 16;

/// A set of integers as closed intervals `[first, last]`, rising, none touching the next.
///
/// One set has one form, so that two sides that read one list prove and check the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[u64; 2]>", into = "Vec<[u64; 2]>")]
pub struct Set(Arc<[[u64; 2]]>);

impl Set {
    /// The set that intervals make together, in whatever order; `None` if there is none, one runs backwards, or more than
    /// [`LONGEST`] are left when those that touch are joined.
    #[must_use]
    pub fn of(intervals: impl IntoIterator<Item = [u64; 2]>) -> Option<Self> {
        let mut all: Vec<_> = intervals.into_iter().collect();
        if all.iter().any(|[first, last]| first > last) {
            return None;
        }
        all.sort_unstable();
        let mut joined: Vec<[u64; 2]> = Vec::with_capacity(all.len());
        for [first, last] in all {
            match joined.last_mut() {
                Some([_, end]) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push([first, last]),
            }
        }
        (!joined.is_empty() && joined.len() <= LONGEST).then(|| Self(joined.into()))
    }

    /// The intervals, rising.
    #[must_use]
    pub fn intervals(&self) -> &[[u64; 2]] {
        &self.0
    }

    /// How many integers it holds.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.0.iter().map(|[first, last]| u128::from(last - first) + 1).sum()
    }

    /// Whether `v` is one of them.
    #[must_use]
    pub fn contains(&self, v: u64) -> bool {
        self.0.iter().any(|[first, last]| (first..=last).contains(&&v))
    }

    /// What is left of `[lo, hi]`, or `None` if that is nothing. The set lies within.
    #[must_use]
    pub fn gaps(&self, lo: u64, hi: u64) -> Option<Self> {
        let starts = [Some(lo)].into_iter().chain(self.0.iter().map(|[_, last]| last.checked_add(1)));
        let ends = self.0.iter().map(|[first, _]| first.checked_sub(1)).chain([Some(hi)]);
        let between = starts.zip(ends).filter_map(|(start, end)| Some([start?, end?]));
        Self::of(between.filter(|[start, end]| start <= end))
    }

    /// Each integer of it, rising.
    pub fn elements(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|[first, last]| *first..=*last)
    }

    /// SHA-256 of the number of intervals, then of each one's ends, all 8 bytes big-endian.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix((self.0.len() as u64).to_be_bytes());
        self.0.iter().flatten().for_each(|end| hash.update(end.to_be_bytes()));
        hash.finalize().into()
    }

    /// The least and the greatest.
    #[must_use]
    pub fn ends(&self) -> [u64; 2] {
        let (first, last) = (self.0.first(), self.0.last());
        [first.expect("a set is not empty")[0], last.expect("a set is not empty")[1]]
    }
}

impl TryFrom<Vec<[u64; 2]>> for Set {
    type Error = &'static str;

    fn try_from(intervals: Vec<[u64; 2]>) -> Result<Self, Self::Error> {
        Self::of(intervals.iter().copied())
            .filter(|set| *set.0 == *intervals)
            .ok_or("a set is written as rising closed intervals that do not touch")
    }
}

impl From<Set> for Vec<[u64; 2]> {
    fn from(set: Set) -> Self {
        set.0.to_vec()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_set_has_one_form() {
        let set = Set::of([[7, 9], [1, 2], [3, 3], [8, 12]]).unwrap();
        assert_eq!(set.intervals(), [[1, 3], [7, 12]]);
        assert_eq!((set.count(), set.ends()), (9, [1, 12]));
        assert_eq!(set.gaps(0, 15).unwrap().intervals(), [[0, 0], [4, 6], [13, 15]]);
        assert_eq!(set.gaps(1, 12).unwrap().intervals(), [[4, 6]]);
        assert!(Set::of([[1, 12]]).unwrap().gaps(1, 12).is_none());
        let all = Set::of([[0, u64::MAX]]).unwrap();
        assert_eq!((all.count(), all.gaps(0, u64::MAX)), (1 << 64, None));
        assert!(Set::of([]).is_none() && Set::of([[2, 1]]).is_none());
        let read = |text| serde_json::from_str::<Set>(text).ok();
        assert_eq!(read("[[1,3],[7,12]]"), Some(set));
        for other in ["[]", "[[1,2],[3,3]]", "[[7,12],[1,3]]", "[[1,3],[2,4]]", "[[3,1]]"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_set_has_an_end() {
        let apart = |count: u64| Set::of((0..count).map(|i| [2 * i, 2 * i]));
        assert_eq!(apart(LONGEST as u64).unwrap().intervals().len(), LONGEST);
        assert!(apart(LONGEST as u64 + 1).is_none());
    }

    proptest! {
        #[test]
        fn gaps_are_what_is_left(cuts in prop::collection::vec((0u64..64, 0u64..9), 1..8)) {
            let set = Set::of(cuts.iter().map(|(at, length)| [*at, (at + length).min(63)])).unwrap();
            let gaps = set.gaps(0, 63);
            for v in 0..64 {
                let listed = cuts.iter().any(|(at, length)| (*at..=at + length).contains(&v));
                prop_assert_eq!(set.contains(v), listed);
                prop_assert_eq!(gaps.as_ref().is_some_and(|gaps| gaps.contains(v)), !listed);
            }
            prop_assert_eq!(set.elements().count() as u128, set.count());
            prop_assert!(set.elements().all(|v| set.contains(v)));
        }
    }
}
