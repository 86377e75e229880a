//! What the author of a policy should know of it before residents do.

use vouchsafe_protocol::policy::{Condition, Policy, Test};
use vouchsafe_protocol::types::LINK_SINCE;

/// Something that a policy may do, and that its author may not have meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Somebody is counted anew with a wallet that the counter replaced.
    #[error(
        "at_most counts names, and a resident whose wallet is replaced has another name at once and is counted anew: let {0} \
         demand that the name is old enough, with a condition on {LINK_SINCE}, op = \"le\", rule = {{ kind = \"age_at_least\", \
         unit = \"days\", n = … }} of as many days as an epoch has"
    )]
    CountedAnew(String),
}

/// All that should be known of a policy.
#[must_use]
pub fn warnings(policy: &Policy) -> Vec<Warning> {
    let Some(said) = policy.pseudonym.as_ref().filter(|said| said.at_most.is_some()) else {
        return Vec::new();
    };
    let old_enough = |one: &Condition| one.op == Test::Le && one.pointer == LINK_SINCE;
    if policy.ways.is_empty() && !policy.conditions.iter().any(old_enough) {
        return vec![Warning::CountedAnew("the policy".to_owned())];
    }
    let of_ways = policy.ways.iter().zip(&said.needs).filter(|(way, need)| {
        let of_name = |one: &Condition| {
            one.op == Test::Le
                && matches!(one.terms.as_slice(), [term] if term.need == **need && term.pointer == LINK_SINCE)
        };
        !way.conditions.iter().any(of_name)
    });
    of_ways.map(|(way, _)| Warning::CountedAnew(format!("the way {}", way.id))).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const VCT: &str = "https://a.example/card/1/zk";

    fn policy(pseudonym: Value, rest: Value) -> Policy {
        let mut policy = json!({
            "id": "swim", "version": 1, "purpose": "swim", "subject": "same_person", "subject_binding": "pseudonym",
            "pseudonym": pseudonym, "other_route": {"en": "Ask.", "cy": "Gofynnwch."},
        });
        policy.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        Policy::from_json(policy).unwrap()
    }

    fn old_enough(id: &str, mut of: Value) -> Value {
        let rule = json!({"kind": "age_at_least", "unit": "days", "n": 31});
        let more = json!({"id": id, "op": "le", "rule": rule});
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of
    }

    #[test]
    fn a_limit_without_a_bound_on_the_age_of_the_name_is_told() {
        let rooms =
            json!({"id": "rooms", "pointer": "/rooms", "op": "ge", "rule": {"kind": "fixed"}, "k": "3"});
        let since = old_enough("since", json!({"pointer": LINK_SINCE}));
        let told = |at_most: Option<u32>, conditions: Value| {
            let mut said = json!({"action": "swim", "epoch": "month"});
            if let Some(most) = at_most {
                said["at_most"] = json!(most);
            }
            let accept = json!([{"vct": VCT, "iss": ["https://a.example"], "max_age_days": 9}]);
            warnings(&policy(said, json!({"accept": accept, "conditions": conditions})))
        };
        let warned = told(Some(2), json!([rooms]));
        assert_eq!(warned, [Warning::CountedAnew("the policy".into())]);
        assert!(warned[0].to_string().contains("/link_since, op = \"le\""), "{}", warned[0]);
        assert_eq!(told(Some(2), json!([rooms, since])), []);
        assert_eq!(told(None, json!([rooms])), []);
    }

    #[test]
    fn each_way_is_looked_at_for_itself() {
        let need = |id: &str| json!({"id": id, "vct": VCT, "iss": ["https://a.example"], "max_age_days": 9});
        let rooms = |need: &str| {
            json!({"id": "rooms", "op": "ge", "rule": {"kind": "fixed"}, "k": "3",
                "terms": [{"need": need, "pointer": "/rooms"}]})
        };
        let since = old_enough("since", json!({"terms": [{"need": "one", "pointer": LINK_SINCE}]}));
        let ways = json!([
            {"id": "first", "needs": [need("one")], "conditions": [rooms("one"), since]},
            {"id": "second", "needs": [need("two")], "conditions": [rooms("two")]},
        ]);
        let said = json!({"action": "swim", "epoch": "month", "at_most": 2, "needs": ["one", "two"]});
        let warned = warnings(&policy(said, json!({"ways": ways})));
        assert_eq!(warned, [Warning::CountedAnew("the way second".into())]);
    }
}
