//! Statements: what a request asks to be proved, as DCQL cannot say it (`specs/profiles/request.md`).
//!
//! `dcql_query.statements[]` is closed, unlike the rest of a query: what a wallet does not know it must not
//! prove. A statement carries the rule that its bound comes from, so that the wallet computes the bound itself
//! and can say in plain words what will be learnt.
//!
//! A statement is about S, the sum of its terms, each an attribute times a coefficient. A list does not travel in it:
//! the rule names the list, and the list is among the registrar's documents of the request.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;
pub use vouchsafe_proofs::dates::Unit;
use vouchsafe_proofs::statement as proofs;

use crate::trust::{TableExtract, Tables};

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
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// S is at most `k`.
    Le,
    /// S is at least `k`.
    Ge,
    /// S lies from `lo` to `hi`.
    In,
    /// S is `k`: of one term a public value, of two the same hidden value.
    Eq,
    /// S is not `k`.
    Ne,
    /// The one term is in the list of the rule.
    Member,
    /// The one term is not in the list of the rule.
    NotMember,
}

impl Op {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Le => "le",
            Self::Ge => "ge",
            Self::In => "in",
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Member => "member",
            Self::NotMember => "not_member",
        }
    }
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
    /// The bound of `le`, `ge`, `eq` and `ne`, a decimal string of the encoded integer.
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
    /// Terms that do not go with the operation.
    #[error(
        "a statement has one to sixteen different terms with coefficients up to 65,536; eq and ne have one, or two with the coefficients 1 and -1 and k 0; member and not_member have one"
    )]
    Terms,
    /// The bounds do not go with the operation, or are no decimals.
    #[error(
        "a statement has k for le, ge, eq and ne, lo and hi for in, as decimals without leading zeros, and neither for member and not_member"
    )]
    Bounds,
    /// A list is needed, and the rule names none, or one that did not come.
    #[error("member and not_member name a list that comes with the request")]
    List,
}

/// The most statements of one request.
pub const MAX_STATEMENTS: usize = 16;

/// The most terms of a statement.
pub const MAX_TERMS: usize = 16;

/// The largest coefficient, whatever its sign.
pub const MAX_COEFF: u64 = 1 << 16;

impl WireStatement {
    /// A statement about some terms.
    #[must_use]
    pub fn of(id: String, terms: Vec<Term>, predicate: &proofs::Predicate, rule: Rule) -> Self {
        use proofs::Predicate;
        let decimal = |v: &u64| Some(v.to_string());
        let (op, k, lo, hi) = match predicate {
            Predicate::Le(k) => (Op::Le, decimal(k), None, None),
            Predicate::Ge(k) => (Op::Ge, decimal(k), None, None),
            Predicate::In { lo, hi } => (Op::In, None, decimal(lo), decimal(hi)),
            Predicate::Eq(k) => (Op::Eq, decimal(k), None, None),
            Predicate::Ne(k) => (Op::Ne, decimal(k), None, None),
            Predicate::Member(_) => (Op::Member, None, None, None),
            Predicate::NotMember(_) => (Op::NotMember, None, None, None),
        };
        Self { id, op, terms, k, lo, hi, rule }
    }

    /// Whether it is one of this profile, whatever its list holds.
    ///
    /// # Errors
    /// [`StatementError`] names what this profile does not have.
    pub fn check(&self) -> Result<(), StatementError> {
        if !(mutants::skips("vp-statement-id") || is_id(&self.id)) {
            return Err(StatementError::Id);
        }
        self.check_terms()?;
        self.bounds()?;
        let listed = !matches!(self.op, Op::Member | Op::NotMember) || self.list().is_some();
        if !(mutants::skips("vp-statement-list") || listed) {
            return Err(StatementError::List);
        }
        Ok(())
    }

    fn check_terms(&self) -> Result<(), StatementError> {
        let distinct: BTreeSet<_> = self.terms.iter().map(|term| (&term.query, &term.pointer)).collect();
        let count = (1..=MAX_TERMS).contains(&self.terms.len()) && distinct.len() == self.terms.len();
        if !(mutants::skips("vp-statement-terms") || count) {
            return Err(StatementError::Terms);
        }
        let sized = |term: &Term| (1..=MAX_COEFF).contains(&term.coeff.unsigned_abs());
        if !(mutants::skips("vp-statement-coeff") || self.terms.iter().all(sized)) {
            return Err(StatementError::Terms);
        }
        let fits = match (self.op, self.terms.as_slice()) {
            (Op::Le | Op::Ge | Op::In, _) => true,
            (Op::Eq | Op::Ne, [a, b]) => (a.coeff, b.coeff, self.k.as_deref()) == (1, -1, Some("0")),
            (_, [one]) => one.coeff == 1,
            _ => false,
        };
        if !(mutants::skips("vp-statement-shape") || fits) {
            return Err(StatementError::Terms);
        }
        Ok(())
    }

    /// The bounds as they stand with the operation: both ends of an interval, or `k` twice; none for a list.
    fn bounds(&self) -> Result<Option<(u64, u64)>, StatementError> {
        let bound = |text: &Option<String>| text.as_deref().and_then(decimal).ok_or(StatementError::Bounds);
        match (self.op, &self.k, &self.lo, &self.hi) {
            (Op::Le | Op::Ge | Op::Eq | Op::Ne, Some(_), None, None) => bound(&self.k).map(|k| Some((k, k))),
            (Op::In, None, Some(_), Some(_)) => interval(bound(&self.lo)?, bound(&self.hi)?).map(Some),
            (Op::Member | Op::NotMember, None, None, None) => Ok(None),
            _ => Err(StatementError::Bounds),
        }
    }

    /// The list that it names, by id and version.
    fn list(&self) -> Option<(&str, u32)> {
        match &self.rule {
            Rule::Codes { id, version, .. } => Some((id, *version)),
            _ => None,
        }
    }

    /// The bound, interval or set.
    ///
    /// # Errors
    /// [`StatementError::Bounds`]; [`StatementError::List`] where `tables` lacks the list.
    pub fn predicate(&self, tables: &Tables) -> Result<proofs::Predicate, StatementError> {
        use proofs::Predicate;
        match (self.op, self.bounds()?) {
            (Op::Le, Some((k, _))) => Ok(Predicate::Le(k)),
            (Op::Ge, Some((k, _))) => Ok(Predicate::Ge(k)),
            (Op::Eq, Some((k, _))) => Ok(Predicate::Eq(k)),
            (Op::Ne, Some((k, _))) => Ok(Predicate::Ne(k)),
            (Op::In, Some((lo, hi))) => Ok(Predicate::In { lo, hi }),
            (Op::Member, None) => self.set(tables).map(Predicate::Member),
            (Op::NotMember, None) => self.set(tables).map(Predicate::NotMember),
            _ => Err(StatementError::Bounds),
        }
    }

    fn set(&self, tables: &Tables) -> Result<proofs::Set, StatementError> {
        let (id, version) = self.list().ok_or(StatementError::List)?;
        tables.table(id, version).and_then(TableExtract::set).ok_or(StatementError::List)
    }

    /// The statement as the proof knows it, with its list from `tables`.
    ///
    /// # Errors
    /// [`StatementError`] names what this profile does not have.
    pub fn to_proof(&self, tables: &Tables) -> Result<proofs::Statement, StatementError> {
        self.check()?;
        let term = |term: &Term| proofs::Term::new(&term.query, &term.pointer, term.coeff);
        let terms = self.terms.iter().map(term).collect();
        Ok(proofs::Statement { id: self.id.clone(), terms, predicate: self.predicate(tables)? })
    }

    /// Whether it speaks about the credential of the query `id`.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        self.terms.iter().any(|term| term.query == id)
    }
}

fn interval(lo: u64, hi: u64) -> Result<(u64, u64), StatementError> {
    if !(mutants::skips("vp-statement-interval") || lo <= hi) {
        return Err(StatementError::Bounds);
    }
    Ok((lo, hi))
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
        serde_json::from_value::<WireStatement>(value.clone()).unwrap().to_proof(&Tables::default())
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
        for coeff in [0, 65_537, -65_537, i64::MIN] {
            assert_eq!(with("/terms/0/coeff", json!(coeff)), StatementError::Terms, "{coeff}");
        }
        for k in ["", "01", "+1", "1.0", "-1", "18446744073709551616"] {
            assert_eq!(with("/k", json!(k)), StatementError::Bounds, "{k}");
        }
        assert_eq!(with("/op", json!("in")), StatementError::Bounds);
    }

    #[test]
    fn an_interval_has_an_order() {
        let term = Term { query: "q0".into(), pointer: "/x".into(), coeff: 1 };
        let backwards = proofs::Predicate::In { lo: 2, hi: 1 };
        let mut statement = WireStatement::of("a".into(), vec![term], &backwards, Rule::Fixed {});
        let predicate = |statement: &WireStatement| statement.predicate(&Tables::default());
        assert_eq!(predicate(&statement), Err(StatementError::Bounds));
        statement.hi = Some("2".into());
        assert_eq!(predicate(&statement), Ok(proofs::Predicate::In { lo: 2, hi: 2 }));
    }
}
