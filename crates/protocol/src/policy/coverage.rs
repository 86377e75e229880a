//! What a purpose allows.

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::Plan;
use crate::dcql::Query;
use crate::statement::{Op, WireStatement};
use crate::trust::{How, Purpose};
use crate::zkc;

/// A request asks for more than its purpose allows.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the purpose does not allow to ask for {pointer} of {vct} in this way ({how})")]
pub struct NotCovered {
    /// The credential type.
    pub vct: String,
    /// The attribute.
    pub pointer: String,
    /// `show`, `pseudonym`, or the operation of a statement.
    pub how: &'static str,
}

/// Whether every statement and every shown claim of `query` is among what `purpose` may ask.
///
/// # Errors
/// [`NotCovered`] names the first that is not.
pub fn covers(purpose: &Purpose, query: &Query) -> Result<(), NotCovered> {
    for statement in &query.statements {
        for term in &statement.terms {
            let vcts = query.credential(&term.query).map(|q| q.vct_values()).unwrap_or_default();
            let covered = |vct: &&str| allows_statement(purpose, vct, &term.pointer, statement);
            if !(mutants::skips("vp-may-ask-statement") || (!vcts.is_empty() && vcts.iter().all(covered))) {
                return Err(not_covered(&vcts, &term.pointer, statement.op.as_str()));
            }
        }
    }
    for credential in &query.credentials {
        let vcts = credential.vct_values();
        for claim in credential.claims.iter().flatten() {
            // A path with an index or a null has no pointer and cannot be allowed.
            let pointer = claim.pointer().unwrap_or_default();
            let covered = |vct: &&str| allows_show(purpose, vct, &pointer);
            if !(mutants::skips("vp-may-ask-claim") || (!vcts.is_empty() && vcts.iter().all(covered))) {
                return Err(not_covered(&vcts, &pointer, "show"));
            }
        }
    }
    Ok(())
}

/// Whether all that `plan` asks is among what `purpose` may ask: statements, shown claims, and a name to know residents by.
///
/// # Errors
/// [`NotCovered`] names the first that is not.
pub fn covers_plan(purpose: &Purpose, plan: &Plan) -> Result<(), NotCovered> {
    covers(purpose, &plan.query)?;
    covers_pseudonym(purpose, plan)
}

/// Whether the service may know a resident by a name that comes from each of these credentials.
fn covers_pseudonym(purpose: &Purpose, plan: &Plan) -> Result<(), NotCovered> {
    for id in plan.pseudonym.iter().flat_map(|asked| &asked.queries) {
        let vcts = plan.query.credential(id).map(|q| q.vct_values()).unwrap_or_default();
        let named = |vct: &&str| {
            purpose
                .may_ask
                .iter()
                .any(|may| may.vct == **vct && may.pointer == zkc::LINK && may.how == How::Pseudonym)
        };
        if !(mutants::skips("vp-may-ask-pseudonym") || (!vcts.is_empty() && vcts.iter().all(named))) {
            return Err(not_covered(&vcts, zkc::LINK, "pseudonym"));
        }
    }
    Ok(())
}

fn allows_statement(purpose: &Purpose, vct: &str, pointer: &str, statement: &WireStatement) -> bool {
    let how = match statement.op {
        Op::Le => How::Le,
        Op::Ge => How::Ge,
        Op::In => How::In,
        Op::Eq => How::Eq,
        Op::Ne => How::Ne,
        Op::Member => How::Member,
        Op::NotMember => How::NotMember,
    };
    purpose.may_ask.iter().any(|may| {
        may.vct == vct && may.pointer == pointer && may.how == how && may.rules.contains(&statement.rule)
    })
}

fn allows_show(purpose: &Purpose, vct: &str, pointer: &str) -> bool {
    purpose.may_ask.iter().any(|may| may.vct == vct && may.pointer == pointer && may.how == How::Show)
}

fn not_covered(vcts: &[&str], pointer: &str, how: &'static str) -> NotCovered {
    NotCovered { vct: vcts.join(", "), pointer: pointer.to_owned(), how }
}
