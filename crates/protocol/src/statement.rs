//! Statements: what a request asks to be proved, as DCQL cannot say it (`specs/profiles/request.md`).
//!
//! `dcql_query.statements[]` is closed, unlike the rest of a query: what a wallet does not know it must not
//! prove. A statement carries the rule that its bound comes from, so that the wallet computes the bound itself
//! and can say in plain words what will be learnt.
//!
//! Profile 1: one term, coefficient 1; `in` is one interval.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;
pub use vouchsafe_proofs::dates::Unit;
use vouchsafe_proofs::statement as proofs;

/// Where a bound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// At least `n` units old on the day of asking.
    AgeAtLeast {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// At most `n` units old on the day of asking.
    AgeAtMost {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// Reached by a signed table keyed by birth date.
    Table {
        /// The table's id.
        id: String,
        /// Its version.
        version: u32,
        /// base64url SHA-256 of its signed payload.
        hash: String,
    },
    /// Within a signed list of codes.
    Codes {
        /// The list's id.
        id: String,
        /// Its version.
        version: u32,
        /// base64url SHA-256 of its signed payload.
        hash: String,
    },
    /// A bound that the policy states itself.
    Fixed {},
}

/// The operation of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// At most `k`.
    Le,
    /// At least `k`.
    Ge,
    /// From `lo` to `hi`.
    In,
}

/// One term of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The credential query that brings the attribute.
    pub query: String,
    /// The attribute.
    pub pointer: String,
    /// Its coefficient.
    pub coeff: i64,
}

/// A statement as it is sent. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireStatement {
    /// Its id, `[A-Za-z0-9_-]{1,32}`.
    pub id: String,
    /// The operation.
    pub op: Op,
    /// The terms.
    pub terms: Vec<Term>,
    /// The bound of `le` and `ge`, a decimal string of the encoded integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
    /// The first of `in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<String>,
    /// The last of `in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<String>,
    /// Where the bound comes from.
    pub rule: Rule,
}

/// Why a statement is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StatementError {
    /// The id is not of its form.
    #[error("a statement's id must be 1 to 32 letters, digits, '-' and '_'")]
    Id,
    /// Not one term with coefficient 1.
    #[error("a statement of this profile has one term, with coefficient 1")]
    Terms,
    /// The bounds do not go with the operation, or are no decimals.
    #[error("a statement has k for le and ge, lo and hi for in, as decimals without leading zeros")]
    Bounds,
}

/// The most statements of one request.
pub const MAX_STATEMENTS: usize = 16;

impl WireStatement {
    /// A statement of one term.
    #[must_use]
    pub fn of(id: String, query: &str, pointer: &str, predicate: proofs::Predicate, rule: Rule) -> Self {
        let decimal = |v: u64| Some(v.to_string());
        let (op, k, lo, hi) = match predicate {
            proofs::Predicate::Le(k) => (Op::Le, decimal(k), None, None),
            proofs::Predicate::Ge(k) => (Op::Ge, decimal(k), None, None),
            proofs::Predicate::In { lo, hi } => (Op::In, None, decimal(lo), decimal(hi)),
        };
        let term = Term { query: query.to_owned(), pointer: pointer.to_owned(), coeff: 1 };
        Self { id, op, terms: vec![term], k, lo, hi, rule }
    }

    /// The one term of this profile.
    ///
    /// # Errors
    /// [`StatementError::Terms`].
    pub fn term(&self) -> Result<&Term, StatementError> {
        match self.terms.as_slice() {
            [term] if mutants::skips("vp-statement-coeff") || term.coeff == 1 => Ok(term),
            _ => Err(StatementError::Terms),
        }
    }

    /// The bound or interval.
    ///
    /// # Errors
    /// [`StatementError::Bounds`].
    pub fn predicate(&self) -> Result<proofs::Predicate, StatementError> {
        let bound = |text: &Option<String>| text.as_deref().and_then(decimal).ok_or(StatementError::Bounds);
        match (self.op, &self.k, &self.lo, &self.hi) {
            (Op::Le, Some(_), None, None) => Ok(proofs::Predicate::Le(bound(&self.k)?)),
            (Op::Ge, Some(_), None, None) => Ok(proofs::Predicate::Ge(bound(&self.k)?)),
            (Op::In, None, Some(_), Some(_)) => interval(bound(&self.lo)?, bound(&self.hi)?),
            _ => Err(StatementError::Bounds),
        }
    }

    /// The statement as the proof knows it.
    ///
    /// # Errors
    /// [`StatementError`] names what this profile does not have.
    pub fn to_proof(&self) -> Result<proofs::Statement, StatementError> {
        if !(mutants::skips("vp-statement-id") || is_id(&self.id)) {
            return Err(StatementError::Id);
        }
        let term = self.term()?;
        Ok(proofs::Statement::of(&self.id, &term.query, &term.pointer, self.predicate()?))
    }

    /// Whether it speaks about the credential of the query `id`.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        self.terms.iter().any(|term| term.query == id)
    }
}

fn interval(lo: u64, hi: u64) -> Result<proofs::Predicate, StatementError> {
    if !(mutants::skips("vp-statement-interval") || lo <= hi) {
        return Err(StatementError::Bounds);
    }
    Ok(proofs::Predicate::In { lo, hi })
}

/// `[A-Za-z0-9_-]{1,32}`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

/// One text for one number: digits, no leading zero.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let shortest = text.len() == 1 || !text.starts_with('0');
    (digits && shortest).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<proofs::Statement, StatementError> {
        serde_json::from_value::<WireStatement>(value.clone()).unwrap().to_proof()
    }

    fn le() -> Value {
        json!({"id": "age-q0", "op": "le", "terms": [{"query": "q0", "pointer": "/birth_date", "coeff": 1}],
            "k": "131699", "rule": {"kind": "age_at_least", "unit": "years", "n": 66}})
    }

    #[test]
    fn a_bound_is_read() {
        let expected = proofs::Statement::of("age-q0", "q0", "/birth_date", proofs::Predicate::Le(131_699));
        assert_eq!(read(&le()).unwrap(), expected);
    }

    #[test]
    fn the_schema_is_closed() {
        let refused = |pointer: &str, member: &str| {
            let mut value = le();
            value.pointer_mut(pointer).unwrap()[member] = json!(1);
            assert!(serde_json::from_value::<WireStatement>(value).is_err(), "{pointer} {member}");
        };
        refused("", "note");
        refused("/terms/0", "note");
        refused("/rule", "note");
        let mut fixed = le();
        fixed["rule"] = json!({"kind": "fixed", "note": 1});
        assert!(serde_json::from_value::<WireStatement>(fixed).is_err());
        let mut other = le();
        other["op"] = json!("lt");
        assert!(serde_json::from_value::<WireStatement>(other).is_err());
    }

    #[test]
    fn what_this_profile_lacks_is_refused() {
        let with = |path: &str, value: Value| {
            let mut statement = le();
            *statement.pointer_mut(path).unwrap() = value;
            read(&statement).unwrap_err()
        };
        assert_eq!(with("/id", json!("a b")), StatementError::Id);
        assert_eq!(with("/id", json!("a".repeat(33))), StatementError::Id);
        assert_eq!(with("/terms", json!([])), StatementError::Terms);
        assert_eq!(with("/terms/0/coeff", json!(2)), StatementError::Terms);
        for k in ["", "01", "+1", "1.0", "-1", "18446744073709551616"] {
            assert_eq!(with("/k", json!(k)), StatementError::Bounds, "{k}");
        }
        assert_eq!(with("/op", json!("in")), StatementError::Bounds);
    }

    #[test]
    fn an_interval_has_an_order() {
        let mut statement =
            WireStatement::of("a".into(), "q0", "/x", proofs::Predicate::In { lo: 2, hi: 1 }, Rule::Fixed {});
        assert_eq!(statement.predicate(), Err(StatementError::Bounds));
        statement.hi = Some("2".into());
        assert_eq!(statement.predicate(), Ok(proofs::Predicate::In { lo: 2, hi: 2 }));
    }
}
