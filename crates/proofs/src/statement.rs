//! What a request asks to have proved of hidden attributes.
//!
//! A statement speaks about S = sum coeff*v, the sum of its terms. `specs/proofs/README.md` section 4 says which shapes
//! there are; [`crate::planner`] refuses the others.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::encoding::Text;
pub use crate::set::Set;

/// One statement of a request that applies to the chosen option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The statement's name within its request.
    pub id: String,
    /// The attributes it speaks about.
    pub terms: Vec<Term>,
    /// What is claimed of them.
    pub predicate: Predicate,
}

/// An attribute of a credential, times a public integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The DCQL id of the query that the credential answers.
    pub query: String,
    /// RFC 6901 pointer of the claim.
    pub pointer: String,
    /// The coefficient.
    pub coeff: i64,
}

/// What is claimed of the sum S of a statement's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// S <= K.
    Le(u64),
    /// S >= K.
    Ge(u64),
    /// lo <= S <= hi.
    In {
        /// The least value that satisfies it.
        lo: u64,
        /// The greatest value that satisfies it.
        hi: u64,
    },
    /// S = K: a value and a public one, or with K = 0 two hidden values that are equal.
    Eq(u64),
    /// S is not K: a value and a public one, or with K = 0 two hidden values that differ.
    Ne(u64),
    /// S lies in a public set.
    Member(Set),
    /// S lies outside a public set.
    NotMember(Set),
}

/// What a commitment hides, as its holder knows it.
#[derive(Clone, Copy)]
pub enum Known<'a> {
    /// An encoded integer.
    Integer(u64),
    /// A `str`.
    Text(&'a Text),
}

impl Statement {
    /// A statement about one attribute.
    #[must_use]
    pub fn of(id: &str, query: &str, pointer: &str, predicate: Predicate) -> Self {
        Self { id: id.to_owned(), terms: vec![Term::new(query, pointer, 1)], predicate }
    }

    /// Whether two attributes are equal, or differ, by `predicate`: the first less the second.
    #[must_use]
    pub fn pair(id: &str, [one, other]: [(&str, &str); 2], predicate: Predicate) -> Self {
        let terms = vec![Term::new(one.0, one.1, 1), Term::new(other.0, other.1, -1)];
        Self { id: id.to_owned(), terms, predicate }
    }

    /// Whether it is true of the values that `known` gives; `None` where one is missing, or a `str` where a number is
    /// needed.
    #[must_use]
    pub fn holds<'a>(&self, known: impl Fn(&Term) -> Option<Known<'a>>) -> Option<bool> {
        let values: Vec<Known<'a>> = self.terms.iter().map(known).collect::<Option<_>>()?;
        if let ([Known::Text(one), Known::Text(other)], Predicate::Eq(0) | Predicate::Ne(0)) =
            (values.as_slice(), &self.predicate)
        {
            let equal = bool::from(one.0.ct_eq(&other.0));
            return Some(equal == (self.predicate == Predicate::Eq(0)));
        }
        let mut sum = 0_i128;
        for (term, value) in self.terms.iter().zip(values) {
            let Known::Integer(v) = value else { return None };
            sum = sum.checked_add(i128::from(term.coeff) * i128::from(v))?;
        }
        Some(self.predicate.holds(sum))
    }
}

impl Term {
    /// `coeff` times the attribute at `pointer` of the credential that answers `query`.
    #[must_use]
    pub fn new(query: &str, pointer: &str, coeff: i64) -> Self {
        Self { query: query.to_owned(), pointer: pointer.to_owned(), coeff }
    }

    /// Whether both speak about the same attribute.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        self.query == other.query && self.pointer == other.pointer
    }
}

impl Predicate {
    /// The name used in requests and transcripts.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Le(_) => "le",
            Self::Ge(_) => "ge",
            Self::In { .. } => "in",
            Self::Eq(_) => "eq",
            Self::Ne(_) => "ne",
            Self::Member(_) => "member",
            Self::NotMember(_) => "not_member",
        }
    }

    /// Whether the integer `s` satisfies it.
    #[must_use]
    pub fn holds(&self, s: impl Into<i128>) -> bool {
        let s = s.into();
        let listed = |set: &Set| u64::try_from(s).is_ok_and(|v| set.contains(v));
        match self {
            Self::Le(k) => s <= i128::from(*k),
            Self::Ge(k) => s >= i128::from(*k),
            Self::In { lo, hi } => i128::from(*lo) <= s && s <= i128::from(*hi),
            Self::Eq(k) => s == i128::from(*k),
            Self::Ne(k) => s != i128::from(*k),
            Self::Member(set) => listed(set),
            Self::NotMember(set) => !listed(set),
        }
    }
}
