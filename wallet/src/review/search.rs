//! Which batches answer together: one for each query, so that every statement is true of them.
//!
//! The search is bounded. Batches stand in the order in which a resident would rather use them, and the first whole
//! choice is taken; a choice is given up as soon as one statement is false of what it has.

use vouchsafe_mutants as mutants;
use vouchsafe_proofs::statement::{Statement, Term};

use super::Ability;
use super::batch::Batch;

/// How often a batch is tried for a query: 64 whole choices for the most queries that a way has.
const MAX_TRIES: usize = 64 * 16;

/// A batch that may answer a query.
pub(super) struct Candidate<'a> {
    pub(super) batch: &'a Batch<'a>,
    /// Whether it can, as far as this query alone says.
    pub(super) ability: Ability,
    /// Whether its facts are older than the policy wants, or from before the period was over.
    pub(super) stale: bool,
}

/// A query, and what may answer it, the best first.
pub(super) struct Pool<'a> {
    pub(super) query: &'a str,
    pub(super) candidates: Vec<&'a Candidate<'a>>,
}

/// The first choice of one candidate for each query of which every statement is true, and which uses what was named.
pub(super) fn find<'a>(
    pools: &[Pool<'a>],
    statements: &[&Statement],
    using: &[String],
) -> Option<Vec<&'a Candidate<'a>>> {
    let mut search = Search { pools, statements, using, taken: Vec::new(), tries: 0 };
    search.run().then_some(search.taken)
}

/// Whether every statement is true of a whole choice.
pub(super) fn hold(pools: &[Pool<'_>], taken: &[&Candidate<'_>], statements: &[&Statement]) -> bool {
    let known = |term: &Term| {
        let at = pools.iter().position(|pool| pool.query == term.query)?;
        taken.get(at)?.batch.known(&term.pointer)
    };
    statements.iter().all(|statement| statement.holds(known) == Some(true))
}

/// Whether a candidate cannot stand beside those that were taken: no credential answers two queries, and no statement
/// of a body counts twice because it was collected twice.
pub(super) fn clashes(candidate: &Candidate<'_>, taken: &[&Candidate<'_>]) -> bool {
    let same = |other: &&Candidate<'_>| other.batch.id == candidate.batch.id;
    if !mutants::skips("wallet-one-credential") && taken.iter().any(same) {
        return true;
    }
    let repeats =
        |other: &&Candidate<'_>| other.batch.id != candidate.batch.id && other.batch.repeats(candidate.batch);
    !mutants::skips("wallet-one-statement") && taken.iter().any(repeats)
}

/// Whether a choice uses what the resident named: all of it, or as much as there is room for.
pub(super) fn heeds(taken: &[&Candidate<'_>], using: &[String]) -> bool {
    let used = taken.iter().filter(|one| using.iter().any(|id| id == one.batch.id)).count();
    mutants::skips("wallet-use") || used >= using.len().min(taken.len())
}

struct Search<'s, 'a> {
    pools: &'s [Pool<'a>],
    statements: &'s [&'s Statement],
    using: &'s [String],
    taken: Vec<&'a Candidate<'a>>,
    tries: usize,
}

impl Search<'_, '_> {
    fn run(&mut self) -> bool {
        let Some(pool) = self.pools.get(self.taken.len()) else { return heeds(&self.taken, self.using) };
        for candidate in &pool.candidates {
            if self.tries == MAX_TRIES {
                return false;
            }
            self.tries += 1;
            if clashes(candidate, &self.taken) {
                continue;
            }
            self.taken.push(candidate);
            if self.holds_so_far() && self.run() {
                return true;
            }
            self.taken.pop();
        }
        false
    }

    /// Whether the statements that the last candidate completes are true.
    fn holds_so_far(&self) -> bool {
        let (all, last) = (&self.pools[..self.taken.len()], &self.pools[self.taken.len() - 1]);
        let complete = |statement: &&&Statement| {
            statement.terms.iter().any(|term| term.query == last.query)
                && statement.terms.iter().all(|term| all.iter().any(|pool| pool.query == term.query))
        };
        let statements: Vec<&Statement> = self.statements.iter().filter(complete).copied().collect();
        hold(all, &self.taken, &statements)
    }
}
