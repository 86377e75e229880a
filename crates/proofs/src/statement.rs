//! What a request asks to have proved of hidden attributes.
//!
//! This version proves statements of one term with coefficient 1; the shape is that of the wire, where a
//! statement may name several terms, so that the transcript need not change when sums arrive.

use serde::{Deserialize, Serialize};

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

/// A public bound on an encoded integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// v <= K.
    Le(u64),
    /// v >= K.
    Ge(u64),
    /// lo <= v <= hi.
    In {
        /// The least value that satisfies it.
        lo: u64,
        /// The greatest value that satisfies it.
        hi: u64,
    },
}

impl Statement {
    /// A statement about one attribute.
    #[must_use]
    pub fn of(id: &str, query: &str, pointer: &str, predicate: Predicate) -> Self {
        let term = Term { query: query.to_owned(), pointer: pointer.to_owned(), coeff: 1 };
        Self { id: id.to_owned(), terms: vec![term], predicate }
    }
}

impl Predicate {
    /// The name used in requests and transcripts.
    #[must_use]
    pub const fn op(self) -> &'static str {
        match self {
            Self::Le(_) => "le",
            Self::Ge(_) => "ge",
            Self::In { .. } => "in",
        }
    }

    /// Whether the integer `v` satisfies it.
    #[must_use]
    pub const fn holds(self, v: u64) -> bool {
        match self {
            Self::Le(k) => v <= k,
            Self::Ge(k) => v >= k,
            Self::In { lo, hi } => lo <= v && v <= hi,
        }
    }
}
