//! The verifier's side: whether an answer is whole (OpenID4VP 1.0 section 8.6).

use std::collections::BTreeMap;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{Mismatch, Query, Seen};

/// Why an answer is not whole. The fault of whoever sent it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Incomplete {
    /// A query id that was not asked for: unknown, or in no set.
    #[error("the answer has a presentation for a query that was not asked")]
    Unasked,
    /// No presentation for a query, or several where one is allowed.
    #[error("the answer has no presentation for a query, or several where one is allowed")]
    Count,
    /// A presentation does not answer its query.
    #[error(transparent)]
    Presentation(#[from] Mismatch),
    /// Without sets every query needs an answer.
    #[error("a query is not answered, and all are needed")]
    Missing,
    /// A required set has no option that is answered whole.
    #[error("a required set has no option that is answered whole")]
    Set,
    /// A query is answered, and no option that it stands in is answered whole.
    #[error("a part of an option is answered, and not the whole")]
    Part,
}

impl Query {
    /// Whether `answered`, the presentations by query id, answer this query: each its own, all that is needed, and
    /// nothing that was not asked for.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub fn check_answer(&self, answered: &BTreeMap<&str, Vec<Seen<'_>>>) -> Result<(), Incomplete> {
        for (id, shown) in answered {
            let known = self.credential(id);
            if !(mutants::skips("vp-complete-known") || known.is_some()) {
                return Err(Incomplete::Unasked);
            }
            let Some(query) = known else { continue };
            let count = if query.multiple { !shown.is_empty() } else { shown.len() == 1 };
            if !(mutants::skips("vp-complete-count") || count) {
                return Err(Incomplete::Count);
            }
            shown.iter().try_for_each(|one| query.check_shown(one))?;
        }
        self.check_whole(&|id| answered.contains_key(id))?;
        answered.keys().try_for_each(|id| self.check_place(id, &|id| answered.contains_key(id)))
    }

    /// Whether all that is needed is answered.
    fn check_whole(&self, is_answered: &dyn Fn(&str) -> bool) -> Result<(), Incomplete> {
        let Some(sets) = &self.credential_sets else {
            let all = self.credentials.iter().all(|query| is_answered(&query.id));
            if !(mutants::skips("vp-complete-all") || all) {
                return Err(Incomplete::Missing);
            }
            return Ok(());
        };
        let whole = |option: &Vec<String>| option.iter().all(|id| is_answered(id));
        let satisfied = sets.iter().filter(|set| set.required).all(|set| set.options.iter().any(whole));
        if !(mutants::skips("vp-complete-set") || satisfied) {
            return Err(Incomplete::Set);
        }
        Ok(())
    }

    /// Whether an answered query belongs to an option that is answered whole.
    fn check_place(&self, id: &str, is_answered: &dyn Fn(&str) -> bool) -> Result<(), Incomplete> {
        let Some(sets) = &self.credential_sets else { return Ok(()) };
        let mut options =
            sets.iter().flat_map(|set| &set.options).filter(|o| o.iter().any(|one| one == id)).peekable();
        // 6.4.2: a query that stands in no set is not asked for.
        if !(mutants::skips("vp-complete-asked") || options.peek().is_some()) {
            return Err(Incomplete::Unasked);
        }
        if !(mutants::skips("vp-complete-part")
            || options.peek().is_none()
            || options.any(|option| option.iter().all(|id| is_answered(id))))
        {
            return Err(Incomplete::Part);
        }
        Ok(())
    }
}
