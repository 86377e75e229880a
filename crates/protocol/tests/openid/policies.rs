//! Policies, their plan and what a purpose allows; credential types.

use jiff::civil::{Date, date};
use serde_json::{Value, json};
use vouchsafe_proofs::encoding::day;
use vouchsafe_protocol::dcql::DcqlError;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::policy::{
    Case, CaseError, CheckError, PlanError, PlannedOutcome, Policy, PolicyError, check, covers, plan,
};
use vouchsafe_protocol::statement::{Op, Rule, StatementError};
use vouchsafe_protocol::trust::{Register, Row, Tables};
use vouchsafe_protocol::types::{CodeLists, CredentialType, TypeError, ValueError};

use crate::district::{
    District, PENSION, PLAIN, PROOF, PURPOSE, TODAY, WARDS, lists, pension, policy, residency, spoiled, wards,
};

fn tables() -> Tables {
    let mut tables = Tables::default();
    for (id, table) in [(PENSION, pension()), (WARDS, wards())] {
        let rows: Vec<Row> = serde_json::from_value(table["rows"].clone()).unwrap();
        tables.insert_unsigned(id, 1, &rows).unwrap();
    }
    tables
}

fn load(policy: Value) -> Policy {
    Policy::from_json(policy).unwrap()
}

fn refused(pointer: &str, member: Value) -> PolicyError {
    Policy::from_json(spoiled(&policy(), pointer, member)).unwrap_err()
}

#[test]
pub(crate) fn the_digest_covers_the_whole_in_one_form() {
    let text = r#"{"version":1,"id":"bus-pass"}"#;
    let _: Value = serde_json::from_str(text).unwrap();
    assert_eq!(load(policy()).digest(), load(serde_json::from_str(&policy().to_string()).unwrap()).digest());
    for (pointer, member) in
        [("/version", json!(2)), ("/other_route/cy", json!("x")), ("/accept/0/max_age_days", json!(31))]
    {
        assert_ne!(load(policy()).digest(), load(spoiled(&policy(), pointer, member)).digest(), "{pointer}");
    }
}

#[test]
pub(crate) fn silence_is_refused() {
    assert_eq!(refused("/subject_binding", json!(null)), PolicyError::SilentOnSubjectBinding);
    assert_eq!(refused("/other_route", json!(null)), PolicyError::NoOtherRoute);
    assert_eq!(refused("/other_route/cy", json!("")), PolicyError::NoOtherRoute);
    for binding in ["", "perhaps", "disclosed:"] {
        assert!(
            matches!(refused("/subject_binding", json!(binding)), PolicyError::Malformed(_)),
            "{binding}"
        );
    }
    assert!(matches!(refused("/subject_binding", json!("disclosed:name")), PolicyError::Unusable(_)));
    assert!(matches!(refused("/subject_binding", json!("pseudonym")), PolicyError::Unusable(_)));
}

#[test]
pub(crate) fn only_plain_values_and_known_members() {
    for value in [json!(1.5), json!(-1), json!(1_u64 << 53), json!({"a": [1.0]})] {
        assert_eq!(refused("/version", value.clone()), PolicyError::Value, "{value}");
    }
    for pointer in
        ["/note", "/accept/0/note", "/conditions/0/note", "/conditions/0/rule/note", "/other_route/fr"]
    {
        assert!(matches!(refused(pointer, json!("x")), PolicyError::Malformed(_)), "{pointer}");
    }
    assert!(matches!(refused("/subject", json!("same_household")), PolicyError::Malformed(_)));
    assert!(matches!(refused("/accept", json!([])), PolicyError::Unusable(_)));
    assert!(matches!(refused("/accept/0/iss", json!([])), PolicyError::Unusable(_)));
    assert!(matches!(refused("/accept/1/vct", json!(PROOF)), PolicyError::Unusable(_)));
}

#[test]
pub(crate) fn conditions_that_do_not_fit_together() {
    let age = json!({"kind": "age_at_least", "unit": "years", "n": 66});
    let with = |condition: Value| {
        let mut whole = json!({"id": "c", "pointer": "/birth_date"});
        whole.as_object_mut().unwrap().extend(condition.as_object().cloned().unwrap());
        Policy::from_json(spoiled(&policy(), "/conditions/0", whole))
    };
    assert!(with(json!({"op": "le", "rule": age})).is_ok());
    assert!(with(json!({"op": "show", "equals": "x"})).is_ok());
    assert!(with(json!({"op": "in", "rule": {"kind": "fixed"}, "lo": "1", "hi": "2"})).is_ok());
    for condition in [
        json!({"op": "ge", "rule": age}),
        json!({"op": "le"}),
        json!({"op": "le", "rule": age, "k": "1"}),
        json!({"op": "le", "rule": {"kind": "fixed"}}),
        json!({"op": "le", "rule": {"kind": "fixed"}, "k": "01"}),
        json!({"op": "le", "rule": {"kind": "codes", "id": "a", "version": 1}}),
        json!({"op": "in", "rule": {"kind": "fixed"}, "k": "1"}),
        json!({"op": "show", "rule": age}),
        json!({"op": "show", "equals": [1]}),
        json!({"op": "le", "rule": age, "equals": "x"}),
    ] {
        assert!(matches!(with(condition.clone()), Err(PolicyError::Condition { .. })), "{condition}");
    }
    assert!(matches!(refused("/conditions/1/id", json!("age")), PolicyError::Condition { .. }));
    assert!(matches!(refused("/conditions/0/id", json!("a b")), PolicyError::Condition { .. }));
    assert!(matches!(refused("/conditions/0/pointer", json!("birth_date")), PolicyError::Condition { .. }));
}

#[test]
pub(crate) fn the_plan_of_the_bus_pass() {
    let plan = plan(&load(policy()), &tables(), TODAY).unwrap();
    let ids: Vec<_> =
        plan.query.credentials.iter().map(|query| (query.id.as_str(), query.vct_values()[0])).collect();
    assert_eq!(ids, [("q0", PROOF), ("q1", PLAIN), ("n0", PROOF), ("n1a", PROOF), ("n1b", PROOF)]);
    let told = |outcome| {
        plan.options
            .iter()
            .filter(|option| option.outcome == outcome)
            .map(|o| o.queries.concat())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(PlannedOutcome::Met), ["q0", "q1"]);
    assert_eq!(told(PlannedOutcome::NotMet), ["n0", "n1a", "n1b"]);
    let statements: Vec<_> = plan
        .query
        .statements
        .iter()
        .map(|s| (s.id.as_str(), s.op, s.k.as_deref(), s.lo.as_deref(), s.hi.as_deref()))
        .collect();
    let k = day(date(1960, 4, 5)).unwrap();
    let (met, not_met) = (k.to_string(), (k + 1).to_string());
    assert_eq!(
        statements,
        [
            ("age-q0", Op::Le, Some(met.as_str()), None, None),
            ("resident-q0", Op::In, None, Some("100"), Some("119")),
            ("age-n0", Op::Ge, Some(not_met.as_str()), None, None),
            ("resident-n1a", Op::Le, Some("99"), None, None),
            ("resident-n1b", Op::Ge, Some("120"), None, None),
        ]
    );
    assert!(plan.query.credentials[0].claims.is_none());
    let shown: Vec<_> =
        plan.query.credentials[1].claims.iter().flatten().filter_map(|claim| claim.pointer()).collect();
    assert_eq!(shown, ["/birth_date", "/ward"]);
    let sets = plan.query.credential_sets.as_ref().unwrap();
    assert_eq!((sets.len(), sets[0].options.len(), sets[0].required), (1, 5, true));
}

fn bound_of(condition: Value, as_of: Date) -> (Op, Option<String>) {
    let policy = spoiled(&policy(), "/conditions", json!([condition]));
    let statement = plan(&load(policy), &tables(), as_of).unwrap().query.statements.remove(0);
    (statement.op, statement.k)
}

#[test]
pub(crate) fn ages_around_the_leap_day() {
    let age = |kind: &str, op: &str, n: u32| json!({"id": "a", "pointer": "/birth_date", "op": op, "rule": {"kind": kind, "unit": "years", "n": n}});
    let at_least = |as_of: Date| bound_of(age("age_at_least", "le", 18), as_of);
    let k = |y, m, d| Some(day(date(y, m, d)).unwrap().to_string());
    assert_eq!(at_least(date(2026, 2, 28)), (Op::Le, k(2008, 2, 28)));
    assert_eq!(at_least(date(2026, 3, 1)), (Op::Le, k(2008, 3, 1)));
    assert_eq!(at_least(date(2028, 2, 29)), (Op::Le, k(2010, 2, 28)));
    // At most 17: born after the last who is 18.
    assert_eq!(bound_of(age("age_at_most", "ge", 17), date(2026, 2, 28)), (Op::Ge, k(2008, 2, 29)));
}

#[test]
pub(crate) fn plans_that_cannot_be_made() {
    let fault = |pointer: &str, member: Value| {
        plan(&load(spoiled(&policy(), pointer, member)), &tables(), TODAY).unwrap_err()
    };
    assert_eq!(fault("/conditions/0/rule/version", json!(2)), PlanError::NoTable("age".into()));
    assert_eq!(fault("/conditions/0/rule/id", json!(WARDS)), PlanError::WrongTable("age".into()));
    assert_eq!(fault("/conditions/1/rule/id", json!(PENSION)), PlanError::WrongTable("resident".into()));
    assert_eq!(
        plan(&load(policy()), &tables(), date(1900, 1, 1)).unwrap_err(),
        PlanError::NoBound("age".into())
    );
    assert_eq!(
        plan(&load(policy()), &tables(), date(2200, 1, 1)).unwrap_err(),
        PlanError::NoBound("age".into())
    );
    let age = json!({"kind": "age_at_least", "unit": "years", "n": 4_000_000_000_u32});
    assert_eq!(fault("/conditions/0/rule", age), PlanError::NoBound("age".into()));
}

#[test]
pub(crate) fn what_a_policy_costs_and_what_it_may_not() {
    let district = District::new();
    let register = district.register();
    let purpose = register.purpose(PURPOSE).unwrap().document();
    let run = |policy: Value, types: &[CredentialType]| {
        check(&load(policy), purpose, register.tables(), types, TODAY)
    };
    let costs = run(policy(), &[residency()]);
    // Ward and birth date are provable alone, so the plain alternative cannot be answered by this type.
    assert!(matches!(costs, Err(CheckError::Condition { why: "the attribute cannot be shown", .. })));
    let mut proof_only = policy();
    proof_only["accept"].as_array_mut().unwrap().truncate(1);
    let costs = run(proof_only.clone(), &[residency()]).unwrap();
    assert_eq!(
        costs.iter().map(|cost| (cost.queries.concat(), cost.statements, cost.n, cost.m)).collect::<Vec<_>>(),
        [
            ("q0".to_owned(), 2, 16, 4),
            ("n0".to_owned(), 1, 16, 1),
            ("n1a".to_owned(), 1, 16, 1),
            ("n1b".to_owned(), 1, 16, 1)
        ]
    );
    assert!(costs[0].bytes > costs[1].bytes);
    assert_eq!(run(proof_only.clone(), &[]), Err(CheckError::UnknownType(PROOF.into())));
    assert_eq!(run(spoiled(&proof_only, "/purpose", json!("x")), &[residency()]), Err(CheckError::Purpose));
    let fixed = spoiled(
        &proof_only,
        "/conditions/0",
        json!({"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "fixed"}, "k": "5"}),
    );
    assert!(matches!(run(fixed, &[residency()]), Err(CheckError::NotCovered(_))));
    // A range that ends where the list does: the empty contrary is left out, the rest stays.
    let described = serde_json::to_value(residency()).unwrap();
    let narrow = CredentialType::from_json(&spoiled(&described, "/attributes/2/hi", json!("119"))).unwrap();
    assert_eq!(run(proof_only.clone(), &[narrow]).unwrap().len(), 3);
    let whole =
        spoiled(&spoiled(&described, "/attributes/2/hi", json!("119")), "/attributes/2/lo", json!("100"));
    assert!(matches!(
        run(proof_only, &[CredentialType::from_json(&whole).unwrap()]),
        Err(CheckError::Range(_))
    ));
}

/// The bus pass by proof, with `n` conditions on the ward beside the one on the age.
fn crowded(n: usize) -> Value {
    let mut crowded = policy();
    crowded["accept"].as_array_mut().unwrap().truncate(1);
    let ward = crowded["conditions"].as_array_mut().unwrap().pop().unwrap();
    for i in 0..n {
        let more = spoiled(&ward, "/id", json!(format!("w{i}")));
        crowded["conditions"].as_array_mut().unwrap().push(more);
    }
    crowded
}

#[test]
pub(crate) fn a_policy_that_every_wallet_would_refuse() {
    let district = District::new();
    let register = district.register();
    let purpose = register.purpose(PURPOSE).unwrap().document();
    let run = |policy: Value| check(&load(policy), purpose, register.tables(), &[residency()], TODAY).err();
    // Each condition on the ward is a statement and two contraries, the one on the age a statement and one.
    assert_eq!(run(crowded(4)), None);
    let refused = run(crowded(5)).unwrap();
    assert_eq!(refused, CheckError::TooManyStatements(17));
    let said = refused.to_string();
    assert!(
        said.contains("17 statements") && said.contains("more than 16") && said.contains("take out"),
        "{said}"
    );
    let deep = spoiled(&crowded(1), "/conditions/0/pointer", json!("/a".repeat(33)));
    let shown =
        spoiled(&spoiled(&deep, "/conditions/0/op", json!("show")), "/conditions/0/rule", json!(null));
    assert_eq!(run(shown), Some(CheckError::Refused(DcqlError::Length)));
}

/// What [`check`] says of a policy with a statement that no wallet can prove, which never loads from a file.
pub(crate) fn checked_with_a_long_id() -> Option<CheckError> {
    let district = District::new();
    let register = district.register();
    let purpose = register.purpose(PURPOSE).unwrap().document();
    let mut body = load(crowded(1)).body().clone();
    body.conditions[0].id = "a".repeat(40);
    check(&body, purpose, register.tables(), &[residency()], TODAY).err()
}

#[test]
pub(crate) fn a_statement_that_cannot_be_proved_is_refused() {
    let fault = StatementError::Id;
    assert_eq!(checked_with_a_long_id(), Some(CheckError::Refused(DcqlError::Statement(fault))));
}

#[test]
pub(crate) fn a_rule_is_covered_with_its_hash() {
    let district = District::new();
    let register = district.register();
    let purpose = register.purpose(PURPOSE).unwrap().document();
    let mut planned = plan(&load(policy()), register.tables(), TODAY).unwrap();
    assert_eq!(covers(purpose, &planned.query), Ok(()));
    planned.query.statements[0].rule = Rule::Table { id: PENSION.into(), version: 1, hash: "AAAA".into() };
    assert_eq!(covers(purpose, &planned.query).unwrap_err().how, "le");
    assert!(covers(purpose, &plan(&load(policy()), &tables(), TODAY).unwrap().query).is_err());
}

/// `specs/decisions/0011-fixed-bounds-are-not-named.md`: the rule is covered, and the bound is nobody's but the
/// service's. What pins a bound is any other rule.
#[test]
fn a_purpose_that_allows_fixed_allows_every_bound() {
    let district = District::new();
    let allowing = |rule: Value| {
        let mut entry = district.purpose_entry();
        for i in [0, 1] {
            entry["may_ask"][i]["rules"] = json!([rule]);
        }
        district.register_with(entry, district.issuer_entry())
    };
    let covered = |register: &Register, condition: Value| {
        let query = plan(&load(spoiled(&policy(), "/conditions/0", condition)), register.tables(), TODAY);
        covers(register.purpose(PURPOSE).unwrap().document(), &query.unwrap().query).is_ok()
    };
    let fixed = |k: &str| json!({"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "fixed"}, "k": k});
    let aged = |n: u32| json!({"kind": "age_at_least", "unit": "years", "n": n});
    let age = |n: u32| json!({"id": "age", "pointer": "/birth_date", "op": "le", "rule": aged(n)});
    let free = allowing(json!({"kind": "fixed"}));
    assert!(["131699", "131700", "140000"].iter().all(|k| covered(&free, fixed(k))));
    assert!(!covered(&free, age(66)));
    let pinned = allowing(aged(66));
    assert!(covered(&pinned, age(66)));
    assert!(!covered(&pinned, age(67)) && !covered(&pinned, fixed("131699")));
}

#[test]
pub(crate) fn test_cases_are_run() {
    let case = |born: &str, ward: &str, facts: Option<&str>, expect: &str| -> Case {
        serde_json::from_value(json!({"name": "a case", "as_of": "2026-11-21", "facts_as_of": facts,
            "values": {"/birth_date": born, "/ward": ward}, "expect": expect}))
        .unwrap()
    };
    let policy = load(policy());
    let run = |case: Case| case.run(&policy, &tables());
    assert_eq!(run(case("1960-04-05", "W100", None, "met")), Ok(()));
    assert_eq!(run(case("1960-04-06", "W100", None, "not_met")), Ok(()));
    assert_eq!(run(case("1950-01-01", "W120", None, "not_met")), Ok(()));
    assert_eq!(run(case("1950-01-01", "W100", Some("2026-10-22"), "met")), Ok(()));
    assert_eq!(run(case("1950-01-01", "W100", Some("2026-10-21"), "undetermined")), Ok(()));
    assert_eq!(run(case("soon", "W100", None, "undetermined")), Ok(()));
    let wrong = CaseError::Outcome { name: "a case".into(), got: Outcome::Met, expected: Outcome::Declined };
    assert_eq!(run(case("1950-01-01", "W100", None, "declined")), Err(wrong));
    assert!(
        serde_json::from_value::<Case>(
            json!({"name": "x", "as_of": "21/11/2026", "values": {}, "expect": "met"})
        )
        .is_err()
    );
}

#[test]
pub(crate) fn types_that_do_not_load() {
    let described = serde_json::to_value(residency()).unwrap();
    let fault = |pointer: &str, member: Value| {
        CredentialType::from_json(&spoiled(&described, pointer, member)).unwrap_err()
    };
    assert!(matches!(fault("/note", json!(1)), TypeError::Malformed(_)));
    assert!(matches!(fault("/attributes/0/note", json!(1)), TypeError::Malformed(_)));
    for (pointer, member) in [
        ("/id", json!("a b")),
        ("/vct", json!(PROOF)),
        ("/name/cy", json!("")),
        ("/ttl_days", json!(0)),
        ("/batch", json!(31)),
        ("/attributes", json!([])),
    ] {
        assert!(matches!(fault(pointer, member), TypeError::Type(_)), "{pointer}");
    }
    for (pointer, member) in [
        ("/attributes/0/pointer", json!("/exp")),
        ("/attributes/0/pointer", json!("/a/b")),
        ("/attributes/0/pointer", json!("/ward")),
        ("/attributes/0/answer", json!([])),
        ("/attributes/0/answer", json!(["prove"])),
        ("/attributes/0/label/en", json!("")),
        ("/attributes/1/lo", json!(null)),
        ("/attributes/1/lo", json!("01/01/1880")),
        ("/attributes/1/hi", json!("1880-01-01")),
        ("/attributes/2/codes", json!(null)),
        ("/attributes/2/hi", json!("4294967296")),
    ] {
        assert!(matches!(fault(pointer, member), TypeError::Attribute { .. }), "{pointer}");
    }
}

#[test]
pub(crate) fn values_of_attributes() {
    let residency = residency();
    let (born, ward) = (residency.attribute("/birth_date").unwrap(), residency.attribute("/ward").unwrap());
    assert_eq!(born.encode(&json!("1970-01-01"), &lists()), Ok(135_140));
    assert_eq!(born.encode(&json!("1879-12-31"), &lists()), Err(ValueError::Range));
    assert_eq!(born.encode(&json!("1970-1-1"), &lists()), Err(ValueError::Form));
    assert_eq!(ward.encode(&json!("W105"), &lists()), Ok(105));
    assert_eq!(ward.encode(&json!(105), &lists()), Ok(105));
    assert_eq!(ward.encode(&json!("W999"), &lists()), Err(ValueError::Code));
    assert_eq!(ward.encode(&json!("W105"), &CodeLists::default()), Err(ValueError::NoList));
    let money: vouchsafe_protocol::types::Attribute =
        serde_json::from_value(json!({"pointer": "/income", "column": "income",
        "label": {"en": "x", "cy": "x"}, "kind": "money", "answer": ["prove"], "lo": "0", "hi": "10000000"}))
        .unwrap();
    assert_eq!(money.value_of("1234.56", &lists()), Ok(json!(123_456)));
    assert_eq!(money.value_of("12", &lists()), Ok(json!(1200)));
    for wrong in ["", "1.5", "-1.00", "1,000.00", "£1", ".50", "1.", "99999999999.00"] {
        assert!(money.value_of(wrong, &lists()).is_err(), "{wrong}");
    }
    let plate: vouchsafe_protocol::types::Attribute =
        serde_json::from_value(json!({"pointer": "/plate", "column": "plate",
        "label": {"en": "x", "cy": "x"}, "kind": "text", "answer": ["show"], "pattern": "AA99-A"}))
        .unwrap();
    assert!(plate.value_of("AB12-C", &lists()).is_ok());
    for wrong in ["AB12C", "ab12-C", "AB12-CD", ""] {
        assert_eq!(plate.value_of(wrong, &lists()), Err(ValueError::Pattern), "{wrong}");
    }
}

#[test]
fn facts_are_of_a_day_that_has_come() {
    let asked = date(2026, 11, 21);
    let fresh = |facts: Date| vouchsafe_protocol::policy::is_fresh(facts, asked, 30);
    assert!(fresh(asked) && fresh(date(2026, 10, 22)) && fresh(date(2026, 11, 22)));
    assert!(!fresh(date(2026, 10, 21)) && !fresh(date(2026, 11, 23)) && !fresh(date(2030, 1, 1)));
}
