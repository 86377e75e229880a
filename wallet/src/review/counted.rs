//! What an answer would add to the probing budget: the questions about each attribute.
//!
//! A bound, or an equality with a public value, is told by its sides, so that what earlier answers imply is seen. Any
//! other question counts once, as it stands. A sum says less than a bound, and yet it is counted under each attribute
//! that it joins, and not in a budget of its own: weights single one term out, and a few sums give their differences.
//! A comparison of hidden values counts by the attributes alone: that more credentials are of one person says nothing
//! more of who it is.

use std::collections::{BTreeMap, BTreeSet};

use vouchsafe_mutants as mutants;
use vouchsafe_proofs::statement::Predicate;
use vouchsafe_protocol::statement::{Op, Rule, StatementError, Term, WireStatement};
use vouchsafe_protocol::trust::Tables;

use crate::budget::{Bound, Lasting};

/// The questions of an answer about one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// What would be known.
    pub(crate) bounds: Vec<Bound>,
    /// Whether its value stays the same for life.
    pub(crate) lasting: Lasting,
}

/// The questions about each attribute that the statements name; `issuers` says who counts for a query.
///
/// # Errors
/// [`StatementError`] of the first that cannot be read: one passed over would be one that nobody counts.
pub(super) fn bounds_by_pointer<'i>(
    statements: &[&WireStatement],
    issuers: impl Fn(&str) -> &'i [String],
) -> Result<BTreeMap<String, Vec<Bound>>, StatementError> {
    let mut all: BTreeMap<String, Vec<Bound>> = BTreeMap::new();
    for statement in statements {
        let bounds = bounds(statement, &issuers)?;
        let pointers: BTreeSet<&String> = statement.terms.iter().map(|term| &term.pointer).collect();
        for pointer in pointers {
            all.entry(pointer.clone()).or_default().extend(bounds.iter().cloned());
        }
    }
    Ok(all)
}

fn bounds<'i>(
    statement: &WireStatement,
    issuers: &impl Fn(&str) -> &'i [String],
) -> Result<Vec<Bound>, StatementError> {
    let op = statement.op.as_str();
    match (statement.op, statement.terms.as_slice()) {
        (_, []) => Err(StatementError::Terms),
        (Op::Member | Op::NotMember, [_]) => match &statement.rule {
            Rule::Codes { hash, .. } => Ok(told(format!("{op} {hash}"))),
            _ => Err(StatementError::List),
        },
        (_, [term]) if term.coeff == 1 => sides(statement),
        (Op::Eq | Op::Ne, terms) => {
            let pointers: BTreeSet<&str> = terms.iter().map(|term| term.pointer.as_str()).collect();
            Ok(told(format!("{op} {}", pointers.into_iter().collect::<Vec<_>>().join(" "))))
        }
        (_, terms) => {
            // Read, so that no bound is passed over that is none.
            let known = sides(statement)?;
            let term =
                |term: &Term| format!("{} {} {}", term.coeff, term.pointer, issuers(&term.query).join(" "));
            let mut terms: Vec<String> = terms.iter().map(term).collect();
            terms.sort();
            Ok(told(format!("{op} {} of {}", ends(&known), terms.join(", "))))
        }
    }
}

/// What is known of a value once the statement about it holds.
fn sides(statement: &WireStatement) -> Result<Vec<Bound>, StatementError> {
    match statement.predicate(&Tables::default())? {
        Predicate::Le(k) => Ok(vec![Bound::Most(k)]),
        Predicate::Ge(k) => Ok(vec![Bound::Least(k)]),
        Predicate::In { lo, hi } => Ok(vec![Bound::Least(lo), Bound::Most(hi)]),
        Predicate::Eq(k) => Ok(vec![Bound::Least(k), Bound::Most(k)]),
        Predicate::Ne(k) => Ok(told(format!("ne {k}"))),
        Predicate::Member(_) | Predicate::NotMember(_) => Err(StatementError::List),
    }
}

fn told(text: String) -> Vec<Bound> {
    if mutants::skips("wallet-budget-told") { Vec::new() } else { vec![Bound::Told(text)] }
}

fn ends(bounds: &[Bound]) -> String {
    let end = |bound: &Bound| match bound {
        Bound::Most(k) | Bound::Least(k) => k.to_string(),
        Bound::Told(text) => text.clone(),
    };
    bounds.iter().map(end).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn statement(op: &str, terms: &[(&str, &str, i64)], more: &Value) -> WireStatement {
        let term = |(query, pointer, coeff): &(&str, &str, i64)| json!({"query": query, "pointer": pointer, "coeff": coeff});
        let terms: Vec<Value> = terms.iter().map(term).collect();
        let mut statement = json!({"id": "a", "op": op, "terms": terms, "rule": {"kind": "fixed"}});
        let members = statement.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        serde_json::from_value(statement).unwrap()
    }

    fn all(statements: &[WireStatement]) -> Result<BTreeMap<String, Vec<Bound>>, StatementError> {
        let names = ["https://a.example".to_owned(), "https://b.example".to_owned()];
        let statements: Vec<&WireStatement> = statements.iter().collect();
        bounds_by_pointer(&statements, |query| {
            std::slice::from_ref(if query == "a" { &names[0] } else { &names[1] })
        })
    }

    fn list() -> Value {
        json!({"rule": {"kind": "codes", "id": "wards", "version": 1, "hash": "h1"}})
    }

    /// Reading a policy refuses these; should one come through, nobody answers what nobody was told of.
    #[test]
    fn a_statement_that_cannot_be_read_is_not_passed_over() {
        let good = statement("le", &[("a", "/income", 1)], &json!({"k": "740000"}));
        assert_eq!(all(&[good.clone(), good.clone()]).unwrap()["/income"].len(), 2);
        let refused = |change: fn(&mut WireStatement)| {
            let mut other = good.clone();
            change(&mut other);
            all(&[good.clone(), other]).unwrap_err()
        };
        assert_eq!(refused(|s| s.terms.clear()), StatementError::Terms);
        assert_eq!(refused(|s| s.k = None), StatementError::Bounds);
        assert_eq!(refused(|s| s.op = Op::Member), StatementError::List);
        let sum = statement("le", &[("a", "/income", 1), ("b", "/income", 1)], &json!({}));
        assert_eq!(all(&[sum]).unwrap_err(), StatementError::Bounds);
    }

    #[test]
    fn a_sum_counts_under_each_attribute_that_it_joins() {
        let sum = |k: &str, coeff, pointer| {
            statement("le", &[("a", "/pay", coeff), ("b", pointer, 1)], &json!({"k": k}))
        };
        let asked =
            all(&[sum("5", 1, "/pay"), sum("5", 1, "/pay"), sum("5", 2, "/pay"), sum("6", 1, "/rent")]);
        let asked = asked.unwrap();
        let distinct = |pointer: &str| asked[pointer].iter().collect::<BTreeSet<_>>().len();
        // Another weight and another partner are other questions about the same pay.
        assert_eq!((distinct("/pay"), distinct("/rent")), (3, 1));
        // Another body is another question, the order of the terms is not.
        let turned = statement("le", &[("b", "/pay", 1), ("a", "/pay", 1)], &json!({"k": "5"}));
        let other = statement("le", &[("b", "/pay", 1), ("c", "/pay", 1)], &json!({"k": "5"}));
        let asked = all(&[sum("5", 1, "/pay"), turned, other]).unwrap();
        assert_eq!(asked["/pay"].iter().collect::<BTreeSet<_>>().len(), 2);
    }

    #[test]
    fn equalities_lists_and_comparisons_count() {
        let eq = |op, k: &str| statement(op, &[("a", "/level", 1)], &json!({"k": k}));
        assert_eq!(all(&[eq("eq", "3")]).unwrap()["/level"], [Bound::Least(3), Bound::Most(3)]);
        assert_eq!(all(&[eq("ne", "3")]).unwrap()["/level"], [Bound::Told("ne 3".to_owned())]);
        let ward = |op| statement(op, &[("a", "/ward", 1)], &list());
        let asked = all(&[ward("member"), ward("not_member")]).unwrap();
        let told = ["member h1", "not_member h1"].map(|text| Bound::Told(text.to_owned()));
        assert_eq!(asked["/ward"], told);
        let same = |query| {
            let terms = [("a", "/person", 1), (query, "/person", -1)];
            statement("eq", &terms, &json!({"k": "0"}))
        };
        let asked = all(&[same("b"), same("c")]).unwrap();
        assert_eq!(asked["/person"].iter().collect::<BTreeSet<_>>().len(), 1);
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn what_is_not_counted_is_noticed() {
        let ward = statement("member", &[("a", "/ward", 1)], &list());
        let counts = || !all(std::slice::from_ref(&ward)).unwrap()["/ward"].is_empty();
        assert!(counts() && !mutants::without("wallet-budget-told", counts));
    }
}
