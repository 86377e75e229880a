//! The probing budget of a service: how many different questions about one attribute its requests may ask within a year.
//!
//! A wallet counts what its own resident has answered (decision 0007). A service can spread a search for a value over many
//! policies and many residents, and no wallet sees it: here it is counted by what is asked, of anybody. The questions are
//! those of the ways that are met. A rule that moves with the day is one question, an interval is two, and a sum counts
//! under each attribute that it joins. Nothing about a resident is kept, and no request.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::policy::{Plan, PlannedOutcome};
use vouchsafe_protocol::statement::{Rule, WireStatement};

use crate::app::{App, Unavailable};
use crate::request::CreateError;
use crate::store::{Asking, Probe, Tenant};

/// How long a question counts after it was last asked, in seconds.
const COUNTS: i64 = 365 * 86_400;

/// How many that were counted are remembered in the process.
const MOST_SEEN: usize = 1_024;

/// What this process has counted today already: the same question of the same service needs no second look.
#[derive(Default)]
pub(crate) struct Seen(Mutex<HashSet<(Tenant, [u8; 32])>>);

impl Seen {
    fn has(&self, tenant: &Tenant, digest: [u8; 32]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(tenant.clone(), digest))
    }

    fn note(&self, tenant: &Tenant, digest: [u8; 32]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        seen.insert((tenant.clone(), digest));
    }
}

/// Counts what a new request asks; `digest` names the question with its day.
///
/// # Errors
/// [`CreateError::Budget`] where it asks more than the service may, [`CreateError::Unavailable`].
pub(crate) async fn spend(
    app: &App,
    tenant: &Tenant,
    digest: [u8; 32],
    plan: &Plan,
) -> Result<(), CreateError> {
    if app.probed.has(tenant, digest) {
        return Ok(());
    }
    let (now, most) = (app.now(), app.config().request.questions);
    let asking = Asking { probes: probes(plan), now, since: now.minus(COUNTS), most: most as usize };
    let fits = app.store().probe(tenant, asking).await.map_err(Unavailable::from)?;
    if !(mutants::skips("vp-ask-budget") || fits) {
        return Err(CreateError::Budget);
    }
    app.probed.note(tenant, digest);
    Ok(())
}

/// What a plan asks of each attribute, as digests.
fn probes(plan: &Plan) -> Vec<Probe> {
    let met = plan.options.iter().filter(|option| option.outcome == PlannedOutcome::Met);
    let queries: Vec<BTreeSet<String>> = met.map(|option| option.queries.iter().cloned().collect()).collect();
    let statements = queries.iter().flat_map(|queries| plan.query.statements_of(queries));
    let all: BTreeSet<Probe> = statements.flat_map(|statement| of_statement(plan, statement)).collect();
    all.into_iter().collect()
}

fn of_statement(plan: &Plan, statement: &WireStatement) -> Vec<Probe> {
    let vcts = |query: &str| {
        plan.query.credential(query).map(|query| query.vct_values().join(" ")).unwrap_or_default()
    };
    let whole: Vec<String> = statement
        .terms
        .iter()
        .map(|term| format!("{} {} {}", term.coeff, vcts(&term.query), term.pointer))
        .collect();
    let attributes: BTreeSet<String> =
        statement.terms.iter().map(|term| format!("{} {}", vcts(&term.query), term.pointer)).collect();
    let probe = |(attribute, side): (&String, &String)| Probe {
        attribute: sha256(attribute),
        question: sha256(format!("{side} of {}", whole.join(" + "))),
    };
    let sides = sides(statement);
    attributes
        .iter()
        .flat_map(|attribute| sides.iter().map(move |side| (attribute, side)))
        .map(probe)
        .collect()
}

/// What is asked: an interval has two sides, and what the policy does not state is named by its rule. A list or table is named
/// by its version and not by its hash, which is another each time that the registrar signs the same again.
fn sides(statement: &WireStatement) -> Vec<String> {
    let op = statement.op.as_str();
    match (&statement.rule, &statement.lo, &statement.hi) {
        (Rule::Fixed {}, Some(lo), Some(hi)) => vec![format!("ge {lo}"), format!("le {hi}")],
        (Rule::Fixed {}, ..) => vec![format!("{op} {}", statement.k.as_deref().unwrap_or_default())],
        (Rule::AgeAtLeast { unit, n }, ..) => vec![format!("{op} at least {n} {unit:?}")],
        (Rule::AgeAtMost { unit, n }, ..) => vec![format!("{op} at most {n} {unit:?}")],
        (Rule::Table { id, version, .. } | Rule::Codes { id, version, .. }, ..) => {
            vec![format!("{op} {id} {version}")]
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::Date;
    use serde_json::{Value, json};
    use vouchsafe_protocol::policy::{Policy, plan};
    use vouchsafe_protocol::trust::Tables;

    use super::*;

    const PAY: &str = "https://larkfield.example/types/income/1/zk";

    /// How many questions there are about each attribute.
    fn counted(probes: impl IntoIterator<Item = Probe>) -> Vec<usize> {
        let mut by_attribute: BTreeMap<[u8; 32], BTreeSet<[u8; 32]>> = BTreeMap::new();
        for probe in probes {
            by_attribute.entry(probe.attribute).or_default().insert(probe.question);
        }
        let mut counts: Vec<_> = by_attribute.into_values().map(|questions| questions.len()).collect();
        counts.sort_unstable();
        counts
    }

    fn asked(mut policy: Value, on: &str) -> Vec<Probe> {
        let words = json!({"en": "Ask.", "cy": "Gofynnwch."});
        let common = json!({"id": "grant", "version": 1, "purpose": "grant", "subject": "same_person",
            "subject_binding": "same_device", "other_route": words});
        policy.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        let on: Date = on.parse().unwrap();
        probes(&plan(&Policy::from_json(policy).unwrap(), &Tables::default(), on).unwrap())
    }

    fn flat(condition: Value) -> Value {
        let accept = json!({"vct": PAY, "iss": ["https://payer.example"], "max_age_days": 60});
        json!({"accept": [accept], "conditions": [condition]})
    }

    fn bound(op: &str, more: &Value) -> Value {
        let mut condition = json!({"id": "low", "pointer": "/total", "op": op, "rule": {"kind": "fixed"}});
        condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        flat(condition)
    }

    /// A sum over two payers' statements of one person, with these weights and this bound.
    fn sum(weights: [i64; 2], k: &str) -> Value {
        let need = |id: &str| {
            json!({"id": id, "vct": PAY, "iss": [format!("https://{id}.example")], "max_age_days": 60,
                "person": "me", "person_at": "/person", "period": {"kind": "month", "back": 1}})
        };
        let term = |(need, coeff): (&str, i64)| json!({"need": need, "pointer": "/total", "coeff": coeff});
        let terms: Vec<_> = ["one", "two"].into_iter().zip(weights).map(term).collect();
        json!({"ways": [{"id": "both", "needs": [need("one"), need("two")],
            "conditions": [{"id": "low", "op": "le", "k": k, "terms": terms, "rule": {"kind": "fixed"}}]}]})
    }

    #[test]
    fn a_bound_is_one_question_and_an_interval_is_two() {
        let day = "2026-11-21";
        let low = asked(bound("le", &json!({"k": "150000"})), day);
        // The contrary option says the same from the other side.
        assert_eq!(counted(low.clone()), [1]);
        assert_eq!(low, asked(bound("le", &json!({"k": "150000"})), "2027-01-01"));
        let lower = asked(bound("le", &json!({"k": "140000"})), day);
        assert_eq!(counted([low.clone(), lower].concat()), [2]);
        let between = asked(bound("in", &json!({"lo": "100000", "hi": "150000"})), day);
        assert_eq!(counted(between.clone()), [2]);
        assert_eq!(counted([low, between].concat()), [2], "one end of it was asked already");
    }

    #[test]
    fn a_rule_that_moves_with_the_day_is_one_question() {
        let age = |n: u32| {
            flat(json!({"id": "old", "pointer": "/born", "op": "le",
                "rule": {"kind": "age_at_least", "unit": "years", "n": n}}))
        };
        let today = asked(age(60), "2026-11-21");
        assert_eq!(today, asked(age(60), "2026-11-22"));
        assert_eq!(counted([today, asked(age(61), "2026-11-22")].concat()), [2]);
    }

    /// The registrar signs its lists anew every week, and their hashes are other ones.
    #[test]
    fn a_list_that_is_signed_anew_is_the_same_question() {
        let of = |version: u32, hash: &str| {
            let rule = json!({"kind": "codes", "id": "wards", "version": version, "hash": hash});
            let statement = json!({"id": "a", "op": "member", "rule": rule,
                "terms": [{"query": "q", "pointer": "/ward", "coeff": 1}]});
            sides(&serde_json::from_value(statement).unwrap())
        };
        assert_eq!(of(1, "one"), of(1, "other"));
        assert_ne!(of(1, "one"), of(2, "one"));
    }

    #[test]
    fn a_sum_counts_under_each_attribute_with_its_weights() {
        let day = "2026-11-21";
        let plain = asked(sum([1, 1], "150000"), day);
        // The totals, and that both are one person's.
        assert_eq!(counted(plain.clone()), [1, 1]);
        let weighed = asked(sum([2, 1], "150000"), day);
        assert_eq!(counted([plain.clone(), weighed].concat()), [1, 2]);
        let lower = asked(sum([1, 1], "140000"), day);
        assert_eq!(counted([plain.clone(), lower].concat()), [1, 2]);
        let alone = asked(bound("le", &json!({"k": "150000"})), day);
        assert_eq!(counted([plain, alone].concat()), [1, 2]);
    }
}
