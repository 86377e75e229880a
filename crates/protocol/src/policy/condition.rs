//! One condition of a policy: its form, and which rule goes with which operation.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_mutants as mutants;

use crate::statement::{MAX_COEFF, MAX_TERMS, Unit, decimal, is_id};

/// One condition. Closed.
///
/// Of a policy with `accept` it has a pointer; of a way it has terms, each of which names a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Its id, the beginning of its statements' ids.
    pub id: String,
    /// The attribute, of a policy with `accept`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// The attributes, of a way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<PolicyTerm>,
    /// What is asked of it.
    pub op: Test,
    /// Where the bound comes from; none for `show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<PolicyRule>,
    /// A fixed bound, as a decimal of the encoded integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
    /// A fixed interval's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<String>,
    /// A fixed interval's last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<String>,
    /// What a shown value must equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

/// An attribute of a need, times a public integer. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTerm {
    /// The need.
    pub need: String,
    /// The attribute.
    pub pointer: String,
    /// The coefficient; 1 where absent.
    #[serde(default = "one")]
    pub coeff: i64,
}

fn one() -> i64 {
    1
}

/// What is asked of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// At most a bound.
    Le,
    /// At least a bound.
    Ge,
    /// Within one interval.
    In,
    /// Equal to a number, or to another hidden value.
    Eq,
    /// Other than a number, or than another hidden value.
    Ne,
    /// In a signed list.
    Member,
    /// Not in a signed list.
    NotMember,
    /// To be shown.
    Show,
}

/// Where a bound comes from, as a policy says it: a table by id and version, its hash is the register's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyRule {
    /// At least `n` units old.
    AgeAtLeast {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// At most `n` units old.
    AgeAtMost {
        /// Years, months or days.
        unit: Unit,
        /// How many.
        n: u32,
    },
    /// Reached by a signed table.
    Table {
        /// Its id.
        id: String,
        /// Its version.
        version: u32,
    },
    /// Within a signed list.
    Codes {
        /// Its id.
        id: String,
        /// Its version.
        version: u32,
    },
    /// By `k`, or `lo` and `hi`.
    Fixed {},
}

impl PolicyRule {
    /// The table or list that it names.
    #[must_use]
    pub fn table(&self) -> Option<(&str, u32)> {
        match self {
            Self::Table { id, version } | Self::Codes { id, version } => Some((id, *version)),
            Self::AgeAtLeast { .. } | Self::AgeAtMost { .. } | Self::Fixed {} => None,
        }
    }
}

impl Condition {
    /// Whether it is about several attributes added up, or about one times a number.
    #[must_use]
    pub fn is_sum(&self) -> bool {
        let weighted = self.terms.len() > 1 || self.terms.iter().any(|term| term.coeff != 1);
        matches!(self.op, Test::Le | Test::Ge | Test::In) && weighted
    }

    /// Whether what is left out of the sum could make it hold: a bound from above, or something that is subtracted.
    #[must_use]
    pub fn wants_all(&self) -> bool {
        self.is_sum() && (self.op != Test::Ge || self.terms.iter().any(|term| term.coeff < 0))
    }

    /// Whether it is about two hidden values.
    #[must_use]
    pub fn is_pair(&self) -> bool {
        matches!(self.op, Test::Eq | Test::Ne) && self.terms.len() == 2
    }

    /// The condition of a policy with `accept`.
    pub(super) fn check_alone(&self) -> Result<(), &'static str> {
        self.check_id()?;
        if !(mutants::skips("vp-condition-terms") || self.terms.is_empty()) {
            return Err("it has terms, which belong to the conditions of a way; say pointer");
        }
        check_pointer(&self.pointer)?;
        self.check_op()
    }

    /// The condition of a way.
    pub(super) fn check_terms(&self) -> Result<(), &'static str> {
        self.check_id()?;
        if !(mutants::skips("vp-way-pointer") || self.pointer.is_empty()) {
            return Err("it has a pointer, which belongs to a policy with accept; say terms");
        }
        if !(1..=MAX_TERMS).contains(&self.terms.len()) {
            return Err("it needs one to sixteen terms");
        }
        self.terms.iter().try_for_each(|term| check_pointer(&term.pointer))?;
        let distinct: BTreeSet<_> = self.terms.iter().map(|term| (&term.need, &term.pointer)).collect();
        if !(mutants::skips("vp-way-terms") || distinct.len() == self.terms.len()) {
            return Err("two of its terms are one attribute");
        }
        let sized = |term: &PolicyTerm| (1..=MAX_COEFF).contains(&term.coeff.unsigned_abs());
        if !(mutants::skips("vp-way-coeff") || self.terms.iter().all(sized)) {
            return Err("a coefficient is 0, or beyond 65,536");
        }
        if !(mutants::skips("vp-way-shape") || self.has_terms_of_op()) {
            return Err(
                "its terms do not go with its op: le, ge and in take sums; eq and ne take one term, or two with the coefficients 1 and -1; the others take one",
            );
        }
        self.check_op()
    }

    fn has_terms_of_op(&self) -> bool {
        match (self.op, self.terms.as_slice()) {
            (Test::Le | Test::Ge | Test::In, _) => true,
            (Test::Eq | Test::Ne, [a, b]) => (a.coeff, b.coeff) == (1, -1),
            (_, [term]) => term.coeff == 1,
            _ => false,
        }
    }

    fn check_id(&self) -> Result<(), &'static str> {
        let short = self.id.len() <= 24 && is_id(&self.id);
        (mutants::skips("vp-condition-id") || short)
            .then_some(())
            .ok_or("its id must be 1 to 24 letters, digits, '-' and '_'")
    }

    fn check_op(&self) -> Result<(), &'static str> {
        if self.op == Test::Show {
            return self.check_shown();
        }
        if !(mutants::skips("vp-condition-equals") || self.equals.is_none()) {
            return Err("equals goes with show alone");
        }
        let bounds = (self.k.is_some(), self.lo.is_some(), self.hi.is_some());
        match (self.op, &self.rule, bounds) {
            (_, None, _) => Err("it needs a rule"),
            (Test::Eq | Test::Ne, Some(PolicyRule::Fixed {}), (_, false, false)) if self.is_pair() => {
                let zero = self.k.as_deref().is_none_or(|k| k == "0");
                (mutants::skips("vp-way-pair-k") || zero)
                    .then_some(())
                    .ok_or("two hidden values are compared with k 0, or without k")
            }
            (
                Test::Le,
                Some(PolicyRule::AgeAtLeast { .. } | PolicyRule::Table { .. }),
                (false, false, false),
            )
            | (Test::Ge, Some(PolicyRule::AgeAtMost { .. }), (false, false, false))
            | (
                Test::In | Test::Member | Test::NotMember,
                Some(PolicyRule::Codes { .. }),
                (false, false, false),
            ) => self.check_single(),
            (Test::Le | Test::Ge | Test::Eq | Test::Ne, Some(PolicyRule::Fixed {}), (true, false, false))
            | (Test::In, Some(PolicyRule::Fixed {}), (false, true, true)) => self.check_fixed(),
            _ if mutants::skips("vp-condition-rule") => Ok(()),
            _ => Err(
                "its rule and op do not go together: le takes age_at_least, table or fixed with k; ge takes age_at_most or fixed with k; in takes codes or fixed with lo and hi; eq and ne take fixed with k; member and not_member take codes",
            ),
        }
    }

    /// An age or a list says something of one attribute as it is.
    fn check_single(&self) -> Result<(), &'static str> {
        if !mutants::skips("vp-way-rule") && self.is_sum() {
            return Err("a sum has a fixed bound: ages, tables and lists are about one attribute");
        }
        Ok(())
    }

    fn check_fixed(&self) -> Result<(), &'static str> {
        let decimals =
            [&self.k, &self.lo, &self.hi].into_iter().flatten().all(|text| decimal(text).is_some());
        decimals.then_some(()).ok_or("k, lo and hi are decimal strings without leading zeros")
    }

    fn check_shown(&self) -> Result<(), &'static str> {
        let bare = self.rule.is_none() && self.k.is_none() && self.lo.is_none() && self.hi.is_none();
        if !(mutants::skips("vp-condition-show") || bare) {
            return Err("show takes neither rule nor bounds");
        }
        match &self.equals {
            Some(Value::Array(_) | Value::Object(_)) if !mutants::skips("vp-condition-equals-form") => {
                Err("equals must be a string, an integer or a boolean")
            }
            _ => Ok(()),
        }
    }
}

/// A pointer with at least one step.
pub(super) fn check_pointer(pointer: &str) -> Result<(), &'static str> {
    let fits = pointer.len() >= 2 && pointer.starts_with('/');
    fits.then_some(()).ok_or("its pointer must begin with '/'")
}
