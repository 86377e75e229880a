//! The probing budget: how many different bounds one service may learn about one attribute.
//!
//! An equality with a public value, a list, a comparison of hidden values and a sum count too: a sum under each attribute
//! that it joins (`review/counted.rs`).
//!
//! Each answered bound halves what is left to guess, at worst (`specs/decisions/0007-probing-budget.md`). A service that asks "66 or older?",
//! then "67 or older?" and so on is finding a birth date, however modest each question looks. The wallet
//! therefore counts, for each service and attribute, the distinct bounds it has answered. A bound that earlier
//! answers already imply tells nothing new and is not counted; that is taken for dates only, because other facts
//! may have changed between two answers.
//!
//! The service is the stable id of the register, not a certificate. Requests that were only looked at, or said
//! no to, told the service nothing and do not count.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

/// From this many distinct bounds on (those of the present request included), the review warns.
///
/// Two bounds are what an honest service needs: one rule, and one change of it.
pub const WARN_AT: usize = 3;

/// From this many distinct bounds on (those of the present request included), the wallet refuses.
///
/// Five bounds can cut a range to a thirty-second at best: a birth date of 170 years to five years.
pub const REFUSE_AT: usize = 6;

/// What was answered about an encoded attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "side", content = "k")]
pub enum Bound {
    /// The value is at most this.
    Most(u64),
    /// The value is at least this.
    Least(u64),
    /// Anything else, as it was asked: a list, a sum that the value is part of, a comparison. It implies itself alone.
    Told(String),
}

impl Bound {
    fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Most(known), Self::Most(asked)) => known <= asked,
            (Self::Least(known), Self::Least(asked)) => known >= asked,
            _ => false,
        }
    }
}

/// Whether an attribute's value stays the same for life, so that old answers still imply new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// A date.
    Yes,
    /// Anything else: a ward, a sum, a flag.
    No,
}

/// The bounds one service has learnt about one attribute.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learnt(BTreeSet<Bound>);

/// Bounds that were answered tell about the resident: how many there are is all that is printed to find faults.
impl fmt::Debug for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learnt").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Learnt {
    /// How many distinct bounds there would be after answering `asked` too.
    #[must_use]
    pub fn after(&self, asked: &[Bound], lasting: Lasting) -> usize {
        self.with(asked, lasting).0.len()
    }

    /// The bounds once `asked` is answered.
    #[must_use]
    pub fn with(&self, asked: &[Bound], lasting: Lasting) -> Self {
        let mut bounds = self.0.clone();
        for bound in asked {
            let implied = lasting == Lasting::Yes && bounds.iter().any(|known| known.implies(bound));
            if !implied {
                bounds.insert(bound.clone());
            }
        }
        Self(bounds)
    }

    /// How many distinct bounds were answered so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the budget says about one more answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// Nothing unusual.
    Fine,
    /// Answered, after a warning.
    Warn,
    /// Not answered.
    Refuse,
}

/// Judges a count of distinct bounds, the present ones included; `before` is the count without them.
#[must_use]
pub fn judge(before: usize, after: usize) -> Spend {
    // A question that was answered before tells nothing new and never runs into the limit.
    if after == before {
        return Spend::Fine;
    }
    if after >= REFUSE_AT && !mutants::skips("wallet-budget") {
        Spend::Refuse
    } else if after >= WARN_AT {
        Spend::Warn
    } else {
        Spend::Fine
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_third_bound_warns_and_the_sixth_is_refused() {
        let mut learnt = Learnt::default();
        let mut judged = Vec::new();
        for k in [60, 50, 40, 30, 20, 10] {
            let asked = [Bound::Most(k)];
            judged.push(judge(learnt.count(), learnt.after(&asked, Lasting::Yes)));
            learnt = learnt.with(&asked, Lasting::Yes);
        }
        use Spend::{Fine, Refuse, Warn};
        assert_eq!(judged, [Fine, Fine, Warn, Warn, Warn, Refuse]);
    }

    #[test]
    fn an_implied_bound_on_a_date_tells_nothing_new() {
        let learnt = Learnt::default().with(&[Bound::Most(100)], Lasting::Yes);
        assert_eq!(learnt.after(&[Bound::Most(101)], Lasting::Yes), 1);
        assert_eq!(learnt.after(&[Bound::Most(99)], Lasting::Yes), 2);
        assert_eq!(learnt.after(&[Bound::Least(1)], Lasting::Yes), 2);
        assert_eq!(learnt.after(&[Bound::Most(101)], Lasting::No), 2);
        assert_eq!(learnt.after(&[Bound::Most(100)], Lasting::No), 1);
    }

    #[test]
    fn records_from_before_there_were_other_questions_are_read() {
        let old: Learnt = serde_json::from_str(r#"[{"side":"most","k":5},{"side":"least","k":3}]"#).unwrap();
        assert_eq!(old, Learnt::default().with(&[Bound::Least(3), Bound::Most(5)], Lasting::No));
        let new = old.with(&[Bound::Told("member x".to_owned())], Lasting::Yes);
        assert_eq!(serde_json::from_str::<Learnt>(&serde_json::to_string(&new).unwrap()).unwrap(), new);
        assert_eq!(new.after(&[Bound::Told("member x".to_owned())], Lasting::No), 3);
        assert_eq!(new.after(&[Bound::Told("member y".to_owned())], Lasting::Yes), 4);
    }

    #[test]
    fn an_interval_counts_twice() {
        assert_eq!(Learnt::default().after(&[Bound::Least(3), Bound::Most(7)], Lasting::No), 2);
    }
}
