//! Policies that join credentials: which load, what they ask, and what they cost.

use serde_json::{Value, json};
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::policy::{
    Case, CheckError, Crowd, Plan, PlanError, PlannedOutcome, Policy, PolicyError, check, plan,
};
use vouchsafe_protocol::statement::{Op, WireStatement};
use vouchsafe_protocol::trust::{Purpose, Row, Tables};
use vouchsafe_protocol::types::CredentialType;

use crate::district::{PURPOSE, TODAY, residency, spoiled};

pub(crate) const PAYERS: [&str; 2] = ["https://one.example", "https://two.example"];
pub(crate) const COUNCIL: &str = "https://larkfield.example";
pub(crate) const PAY: &str = "https://larkfield.example/types/pay/1/zk";
pub(crate) const HOME: &str = "https://larkfield.example/types/home/1/zk";

pub(crate) fn words(text: &str) -> Value {
    json!({"en": text, "cy": text})
}

fn text(pointer: &str, pattern: &str) -> Value {
    json!({"pointer": pointer, "column": "c", "kind": "text", "answer": ["prove"], "pattern": pattern,
        "unit": format!("https://larkfield.example/ids{pointer}"), "label": words("your number")})
}

/// What payers say of a month, and what the council says of homes.
pub(crate) fn types() -> Vec<CredentialType> {
    let number = |pointer: &str, kind: &str, hi: &str| {
        json!({"pointer": pointer, "column": "c", "kind": kind, "answer": ["prove"], "lo": "0", "hi": hi,
            "unit": "things", "label": words("a number")})
    };
    let pay = json!({"id": "pay", "vct": "https://larkfield.example/types/pay/1", "name": words("pay of a month"),
        "ttl_days": 60, "status": true, "period": "month",
        "attributes": [text("/person", "AA-9999"), text("/source", "AA-9999-A"), number("/total", "money", "10000000"),
            number("/hours", "number", "744")]});
    let home = json!({"id": "home", "vct": "https://larkfield.example/types/home/1", "name": words("home"),
        "ttl_days": 60,
        "attributes": [text("/person", "AA-9999"), text("/household", "A9999"), number("/adults", "number", "20"),
            {"pointer": "/name", "column": "c", "kind": "text", "answer": ["show"], "label": words("your name")}]});
    let read = |value: &Value| CredentialType::from_json(value).unwrap();
    vec![read(&pay), read(&home), residency(), crate::whole::place()]
}

pub(crate) fn need(id: &str, vct: &str, iss: &[&str], person: &str) -> Value {
    let mut need = json!({"id": id, "vct": vct, "iss": iss, "max_age_days": 60, "person": person, "person_at": "/person"});
    if vct == PAY {
        need["period"] = json!({"kind": "month", "back": 1});
    }
    need
}

pub(crate) fn fixed(id: &str, op: &str, k: &str, terms: &[(&str, &str, i64)]) -> Value {
    let term = |(need, pointer, coeff): &(&str, &str, i64)| json!({"need": need, "pointer": pointer, "coeff": coeff});
    json!({"id": id, "op": op, "k": k, "rule": {"kind": "fixed"}, "terms": terms.iter().map(term).collect::<Vec<_>>()})
}

pub(crate) fn of_ways(ways: Value, subject: &str) -> Value {
    json!({"id": "meals", "version": 1, "purpose": PURPOSE, "subject": subject, "subject_binding": "same_device",
        "other_route": words("Ask at school."), "ways": ways})
}

/// One person's pay from two payers, below a bound.
pub(crate) fn meals() -> Value {
    of_ways(
        json!([{"id": "payers",
            "needs": [need("pay1", PAY, &PAYERS[..1], "me"), need("pay2", PAY, &PAYERS[1..], "me")],
            "conditions": [fixed("low", "le", "150000", &[("pay1", "/total", 1), ("pay2", "/total", 1)])]}]),
        "same_person",
    )
}

/// Two people of one household, with the pay of both below a bound.
pub(crate) fn household() -> Value {
    of_ways(
        json!([{"id": "both",
            "needs": [need("homea", HOME, &[COUNCIL], "a"), need("paya", PAY, &PAYERS[..1], "a"),
                need("homeb", HOME, &[COUNCIL], "b"), need("payb", PAY, &PAYERS[..1], "b")],
            "conditions": [fixed("home", "eq", "0", &[("homea", "/household", 1), ("homeb", "/household", -1)]),
                fixed("two", "eq", "2", &[("homea", "/adults", 1)]),
                fixed("low", "le", "300000", &[("paya", "/total", 1), ("payb", "/total", 1)])]}]),
        "same_household",
    )
}

/// One person's hours at two payers, either of whom may be asked twice, above a bound.
pub(crate) fn hours() -> Value {
    let mut policy = meals();
    for need in policy["ways"][0]["needs"].as_array_mut().unwrap() {
        need["iss"] = json!(PAYERS);
        need["source_at"] = json!("/source");
    }
    policy["ways"][0]["conditions"] =
        json!([fixed("many", "ge", "100", &[("pay1", "/hours", 1), ("pay2", "/hours", 1)])]);
    policy
}

/// A purpose under which everything may be asked that these policies ask.
pub(crate) fn purpose() -> Value {
    let rules = json!([{"kind": "fixed"}]);
    let may = |vct: &str, pointer: &str, how: &str| {
        let rules = if how == "show" { json!([]) } else { rules.clone() };
        json!({"vct": vct, "pointer": pointer, "how": how, "rules": rules})
    };
    let may_ask = [
        may(PAY, "/total", "le"),
        may(PAY, "/total", "in"),
        may(PAY, "/total", "ge"),
        may(PAY, "/hours", "ge"),
        may(PAY, "/hours", "le"),
        may(PAY, "/hours", "eq"),
        may(PAY, "/hours", "ne"),
        may(PAY, "/person", "eq"),
        may(PAY, "/person", "ne"),
        may(PAY, "/source", "ne"),
        may(PAY, "/period", "show"),
        may(HOME, "/person", "eq"),
        may(HOME, "/person", "ne"),
        may(HOME, "/household", "eq"),
        may(HOME, "/adults", "eq"),
        may(HOME, "/adults", "ge"),
        may(HOME, "/name", "show"),
    ];
    json!({"sub": PURPOSE, "version": 1, "text": words("To decide about meals."), "basis": "public_task",
        "retention_days": 365, "recipients": [words("Larkfield School")], "other_route": words("Ask at school."),
        "may_ask": may_ask})
}

fn registered() -> Purpose {
    serde_json::from_value(crate::district::with_head(purpose())).unwrap()
}

pub(crate) fn load(policy: &Value) -> Result<Policy, PolicyError> {
    Policy::from_json(policy.clone())
}

fn planned(policy: &Value) -> Plan {
    plan(&load(policy).unwrap(), &Tables::default(), TODAY).unwrap()
}

fn checked(policy: &Value, types: &[CredentialType]) -> Result<Vec<[usize; 5]>, CheckError> {
    let costs = check(&load(policy).unwrap(), &registered(), &Tables::default(), types, TODAY)?;
    Ok(costs.iter().map(|c| [c.statements, c.sub_proofs, c.n, c.m, c.bytes]).collect())
}

/// Why a way of `policy` does not load with `member` at `pointer` of it.
fn way(policy: &Value, pointer: &str, member: Value) -> Option<&'static str> {
    match load(&spoiled(policy, &format!("/ways/0{pointer}"), member)) {
        Ok(_) => None,
        Err(PolicyError::Way { why, .. } | PolicyError::Condition { why, .. }) => Some(why),
        Err(other) => panic!("{other}"),
    }
}

fn said(policy: &Value, pointer: &str, member: Value) -> String {
    way(policy, pointer, member).unwrap_or("it loads").to_owned()
}

/// A statement's id, operation, bound and terms.
type Short = (String, Op, Option<String>, Vec<(String, String, i64)>);

fn in_short(statement: &WireStatement) -> Short {
    let terms = statement.terms.iter().map(|t| (t.query.clone(), t.pointer.clone(), t.coeff)).collect();
    (statement.id.clone(), statement.op, statement.k.clone(), terms)
}

fn short(id: &str, op: Op, k: &str, terms: &[(&str, &str, i64)]) -> Short {
    let terms = terms.iter().map(|(q, p, c)| ((*q).to_owned(), (*p).to_owned(), *c)).collect();
    (id.to_owned(), op, Some(k.to_owned()), terms)
}

#[test]
fn what_is_asked_of_one_person() {
    let plan = planned(&meals());
    let low = short("low-w0", Op::Le, "150000", &[("pay1", "/total", 1), ("pay2", "/total", 1)]);
    let same = short("w0-same0", Op::Eq, "0", &[("pay1", "/person", 1), ("pay2", "/person", -1)]);
    assert_eq!(plan.query.statements.iter().map(in_short).collect::<Vec<_>>(), [low, same]);
    let options: Vec<_> = plan.options.iter().map(|o| (o.queries.join(" "), o.outcome)).collect();
    assert_eq!(options, [("pay1 pay2".to_owned(), PlannedOutcome::Met)]);
    let sent = serde_json::to_value(&plan.query).unwrap();
    let claims = json!([{"path": ["period"], "values": ["2026-10"]}]);
    assert_eq!(sent["credentials"][0]["claims"], claims);
    assert_eq!(sent["credential_sets"], json!([{"options": [["pay1", "pay2"]]}]));
    let needed = plan.needed("pay2").unwrap();
    assert_eq!(
        (needed.iss.as_slice(), needed.period.as_deref()),
        (&[PAYERS[1].to_owned()][..], Some("2026-10"))
    );
    assert_eq!(needed.person.as_deref(), Some("me"));
}

#[test]
fn what_is_asked_of_a_household() {
    let plan = planned(&household());
    let ids: Vec<_> = plan.query.statements.iter().map(|s| (s.id.as_str(), s.op)).collect();
    assert_eq!(
        ids,
        [
            ("home-w0", Op::Eq),
            ("two-w0", Op::Eq),
            ("low-w0", Op::Le),
            ("w0-same0", Op::Eq),
            ("w0-same1", Op::Eq),
            ("w0-apart0", Op::Ne)
        ]
    );
    let apart = in_short(&plan.query.statements[5]);
    assert_eq!(apart, short("w0-apart0", Op::Ne, "0", &[("homea", "/person", 1), ("homeb", "/person", -1)]));
}

#[test]
fn what_is_asked_of_sources() {
    let plan = planned(&hours());
    let last = in_short(plan.query.statements.last().unwrap());
    assert_eq!(last, short("w0-source0", Op::Ne, "0", &[("pay1", "/source", 1), ("pay2", "/source", -1)]));
    assert_eq!(plan.query.statements.len(), 3);
}

/// The two forms leave each other's requests alone.
#[test]
pub(crate) fn ways_stand_alone() {
    let both = spoiled(&meals(), "/accept", json!([{"vct": PAY, "iss": [PAYERS[0]], "max_age_days": 1}]));
    assert!(matches!(load(&both), Err(PolicyError::Unusable(_))));
    let subject = spoiled(&crate::district::policy(), "/subject", json!("same_household"));
    assert!(matches!(load(&subject), Err(PolicyError::Malformed(_))));
    assert!(load(&spoiled(&meals(), "/ways", json!([]))).is_err());
    let named = spoiled(&meals(), "/subject_binding", json!("disclosed:name"));
    assert!(matches!(load(&named), Err(PolicyError::Unusable(_))));
    let value = load(&meals()).unwrap();
    assert!(value.body().accept.is_empty() && value.body().ways.len() == 1);
}

#[test]
pub(crate) fn terms_that_go_with_no_operation() {
    let term = |need: &str, coeff: i64| json!({"need": need, "pointer": "/total", "coeff": coeff});
    let with = |op: &str, terms: Value| {
        let policy = spoiled(&hours(), "/ways/0/conditions/0/op", json!(op));
        way(&policy, "/conditions/0/terms", terms)
    };
    assert_eq!(with("ge", json!([term("pay1", 2), term("pay2", 1)])), None);
    assert_eq!(with("eq", json!([term("pay1", 1)])), None);
    for (op, terms) in [
        ("ge", json!([])),
        ("ge", json!([term("pay1", 1), term("pay1", 1)])),
        ("ge", json!([term("pay1", 0), term("pay2", 1)])),
        ("ge", json!([term("pay1", 65_537), term("pay2", 1)])),
        ("ge", json!([term("pay3", 1)])),
        ("eq", json!([term("pay1", 1), term("pay2", 1)])),
        ("eq", json!([term("pay1", 1), term("pay2", -1)])),
        ("ne", json!([term("pay1", 2)])),
        ("eq", json!([term("pay1", 1), term("pay2", -1), term("pay2", 2)])),
    ] {
        assert!(with(op, terms.clone()).is_some(), "{op} {terms}");
    }
    let list = json!({"id": "x", "op": "in", "rule": {"kind": "codes", "id": "a", "version": 1},
        "terms": [term("pay1", 1), term("pay2", 1)]});
    assert!(said(&hours(), "/conditions/0", list).contains("about one attribute"));
    let weighted = json!({"id": "x", "op": "member", "rule": {"kind": "codes", "id": "a", "version": 1},
        "terms": [term("pay1", 2)]});
    assert!(way(&hours(), "/conditions/0", weighted).is_some());
}

#[test]
pub(crate) fn a_coefficient_may_be_negative() {
    let coefficient = |coeff: Value| load(&spoiled(&meals(), "/ways/0/conditions/0/terms/1/coeff", coeff));
    assert!(coefficient(json!(-3)).is_ok());
    assert_eq!(coefficient(json!(-(1_i64 << 53))).err(), Some(PolicyError::Value));
    assert_eq!(load(&spoiled(&meals(), "/version", json!(-1))).err(), Some(PolicyError::Value));
}

/// Two people could pool what they have.
#[test]
pub(crate) fn a_join_says_whose_each_is() {
    let mut unsaid = meals();
    for member in ["person", "person_at"] {
        unsaid["ways"][0]["needs"][1].as_object_mut().unwrap().remove(member);
    }
    assert!(matches!(load(&unsaid), Err(PolicyError::Way { why, .. }) if why.contains("whose it is")));
    assert!(said(&hours(), "/needs/1/person", json!("you")).contains("several people"));
    assert!(way(&meals(), "/needs/1/person", json!(null)).is_some());
    assert!(way(&meals(), "/needs/1/person", json!("a b")).is_some());
    assert!(said(&meals(), "/needs/1/vct", json!(PAY.strip_suffix("/zk"))).contains("only proof types"));
    assert!(said(&meals(), "/needs/1/id", json!("pay1")).contains("a need that the way does not have"));
    let two = json!([meals()["ways"][0], spoiled(&meals()["ways"][0], "/id", json!("again"))]);
    assert!(
        matches!(load(&spoiled(&meals(), "/ways", two)), Err(PolicyError::Way { why, .. }) if why.contains("used twice"))
    );
}

#[test]
pub(crate) fn what_is_shown_is_not_added_up() {
    let plain = json!([{"id": "shown", "needs": [{"id": "pay", "vct": PAY.strip_suffix("/zk"), "iss": [PAYERS[0]],
            "max_age_days": 9, "period": {"kind": "month", "back": 1}}],
        "conditions": [fixed("low", "le", "5", &[("pay", "/total", 1)])]}]);
    let single = spoiled(&meals(), "/ways", plain);
    assert!(load(&single).is_ok());
    let shown = planned(&single);
    assert!(shown.query.statements.is_empty());
    assert_eq!((shown.shown(0).len(), shown.shown(0)[0].pointer.as_str()), (1, "/total"));
    assert!(said(&single, "/conditions/0/terms/0/coeff", json!(2)).contains("of a plain type"));
}

/// What is left out of a sum makes it small.
#[test]
pub(crate) fn a_sum_that_must_not_pass_a_bound_is_whole() {
    let below = meals();
    assert!(said(&below, "/needs/0/iss", json!(PAYERS)).contains("exactly one issuer"));
    assert!(said(&below, "/needs/0/iss", json!([PAYERS[1]])).contains("no second"));
    assert!(said(&below, "/needs/0/period", Value::Null).contains("the same period"));
    assert!(said(&below, "/needs/0/period/back", json!(2)).contains("the same period"));
    assert!(said(&below, "/needs/0/period/back", json!(0)).contains("has ended"));
    assert!(said(&household(), "/needs/3/iss", json!([PAYERS[1]])).contains("for everybody"));
    let one_sided = fixed("low", "le", "300000", &[("paya", "/total", 1), ("paya", "/hours", 1)]);
    assert!(said(&household(), "/conditions/2", one_sided).contains("for everybody"));
    // What is subtracted is as good as what is left out.
    let less = fixed("more", "ge", "5", &[("pay1", "/hours", 1), ("pay2", "/hours", -1)]);
    assert!(said(&hours(), "/conditions/0", less).contains("exactly one issuer"));
}

#[test]
pub(crate) fn one_fact_is_not_counted_twice() {
    assert!(said(&hours(), "/needs/0/source_at", Value::Null).contains("source_at"));
    let mut apart = hours();
    for (i, iss) in PAYERS.iter().enumerate() {
        apart["ways"][0]["needs"][i]["iss"] = json!([iss]);
        apart["ways"][0]["needs"][i].as_object_mut().unwrap().remove("source_at");
    }
    assert!(load(&apart).is_ok());
}

#[test]
pub(crate) fn a_household_is_linked_and_counted() {
    let home = household();
    assert!(load(&home).is_ok());
    assert!(said(&home, "/conditions/0/op", json!("ne")).contains("one household"));
    let own = fixed("home", "eq", "0", &[("homea", "/person", 1), ("homeb", "/household", -1)]);
    assert!(said(&home, "/conditions/0", own).contains("one household"));
    assert!(said(&home, "/conditions/1/k", json!("3")).contains("no other adult"));
    assert!(said(&home, "/conditions/1/op", json!("ge")).contains("no other adult"));
    let elsewhere = fixed("two", "eq", "2", &[("paya", "/hours", 1)]);
    assert!(said(&home, "/conditions/1", elsewhere).contains("no other adult"));
    let alone = spoiled(&meals(), "/subject", json!("same_household"));
    assert!(matches!(load(&alone), Err(PolicyError::Way { why, .. }) if why.contains("about one person")));
}

#[test]
fn what_ways_cost() {
    // Two terms, one bound: three entries, padded to four; and one equality.
    let [[statements, sub_proofs, n, m, bytes]] = checked(&meals(), &types()).unwrap()[..] else { panic!() };
    assert_eq!((statements, sub_proofs, n, m), (2, 2, 32, 4));
    assert_eq!(bytes, 1 + (5 + 64) + (5 + 736));
    let [[statements, sub_proofs, n, m, _]] = checked(&household(), &types()).unwrap()[..] else { panic!() };
    assert_eq!((statements, sub_proofs, n, m), (6, 6, 32, 4));
    assert_eq!(checked(&hours(), &types()).unwrap().len(), 1);
}

#[test]
pub(crate) fn types_that_a_way_cannot_use() {
    let needs = |policy: &Value, spoil: &dyn Fn(&mut Vec<CredentialType>)| {
        let mut types = types();
        spoil(&mut types);
        match checked(policy, &types) {
            Err(CheckError::Need { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(needs(&meals(), &|types| types[0].status = false).contains("with a status"));
    assert!(needs(&meals(), &|types| types[0].period = None).contains("no period"));
    let unsaid = spoiled(&hours(), "/ways/0/needs/0/period", Value::Null);
    assert!(needs(&unsaid, &|_| ()).contains("say which"));
    let mut either = hours();
    let low = fixed("low", "le", "5", &[("pay1", "/total", 1)]);
    either["ways"][0]["conditions"].as_array_mut().unwrap().push(low);
    assert!(needs(&either, &|_| ()).contains("an upper bound on a total"));
    let number = spoiled(&meals(), "/ways/0/needs/0/person_at", json!("/hours"));
    assert!(needs(&number, &|_| ()).contains("a text of the type"));
    let source = spoiled(&hours(), "/ways/0/needs/0/source_at", json!("/hours"));
    assert!(needs(&source, &|_| ()).contains("a text of the type"));
    let mut linked = household();
    for i in [0, 1] {
        linked["ways"][0]["conditions"][0]["terms"][i]["pointer"] = json!("/adults");
    }
    let linked = spoiled(&linked, "/ways/0/conditions/1/terms/0/pointer", json!("/adults"));
    assert!(needs(&linked, &|_| ()).contains("not by a number"));
}

/// The purpose covers what the policy does not write: persons, sources and periods.
#[test]
fn what_a_purpose_does_not_allow() {
    for (policy, pointer, how) in [
        (meals(), "/person", "eq"),
        (meals(), "/period", "show"),
        (household(), "/person", "ne"),
        (hours(), "/source", "ne"),
    ] {
        let mut purpose = registered();
        purpose.may_ask.retain(|may| may.pointer != pointer);
        match check(&load(&policy).unwrap(), &purpose, &Tables::default(), &types(), TODAY) {
            Err(CheckError::NotCovered(not)) => {
                assert!(not.pointer == pointer && (not.how == how || pointer == "/person"))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn sums_that_cannot_be_proved() {
    let range = |policy: &Value| match checked(policy, &types()) {
        Err(CheckError::Range(fault)) => fault.to_string(),
        other => panic!("{other:?}"),
    };
    let whole = spoiled(&meals(), "/ways/0/conditions/0/k", json!("20000000"));
    assert!(range(&whole).contains("does not divide"));
    let mixed = spoiled(&meals(), "/ways/0/conditions/0/terms/1/pointer", json!("/hours"));
    let mixed = spoiled(&mixed, "/ways/0/conditions/0/k", json!("5"));
    assert!(range(&mixed).contains("different encodings or units"));
    // Amounts of 64 bits, times a weight: what is left to prove is wider than any proof.
    let mut wide = types();
    wide[0].attributes[2].b = Some(64);
    wide[0].attributes[2].hi = Some("18446744073709551615".into());
    let heavy = spoiled(&meals(), "/ways/0/conditions/0/terms/1/coeff", json!(-65_536));
    match checked(&heavy, &wide) {
        Err(CheckError::Range(fault)) => assert!(fault.to_string().contains("64 bits"), "{fault}"),
        other => panic!("{other:?}"),
    }
}

fn lists(rows: Value) -> Tables {
    let rows: Vec<Row> = serde_json::from_value(rows).unwrap();
    let mut tables = Tables::default();
    tables.insert_unsigned("list", 1, &rows).unwrap();
    tables
}

fn codes(indices: impl IntoIterator<Item = u32>) -> Value {
    let row = |i: u32| json!({"code": format!("W{i}"), "index": i, "name": words("Larkfield ward")});
    indices.into_iter().map(row).collect()
}

/// The bus pass, asking the ward by a list.
fn listed(op: &str) -> Value {
    let condition = json!({"id": "ward", "op": op, "pointer": "/ward", "rule": {"kind": "codes", "id": "list", "version": 1}});
    let mut policy = spoiled(&crate::district::policy(), "/conditions", json!([condition]));
    policy["accept"].as_array_mut().unwrap().truncate(1);
    policy
}

#[test]
pub(crate) fn lists_with_gaps_are_sets() {
    let plan = |op: &str, rows: Value| plan(&load(&listed(op)).unwrap(), &lists(rows), TODAY);
    let gaps = || codes([3, 5, 8, 9]);
    assert_eq!(plan("in", gaps()), Err(PlanError::Gaps("ward".into())));
    assert!(plan("in", codes(3..9)).is_ok());
    let member = plan("member", gaps()).unwrap();
    let ids: Vec<_> = member.query.statements.iter().map(|s| (s.id.as_str(), s.op)).collect();
    assert_eq!(ids, [("ward-q0", Op::Member), ("ward-n0", Op::NotMember)]);
    let sent = serde_json::to_value(&member.query.statements[0]).unwrap();
    assert_eq!(sent["op"], "member");
    assert!(sent.get("k").is_none() && sent.get("lo").is_none());
    let tables = lists(gaps());
    let statements = member.to_proof(&tables).unwrap();
    assert!(statements[0].predicate.holds(8_u64) && !statements[0].predicate.holds(4_u64));
    assert!(statements[1].predicate.holds(4_u64) && !statements[1].predicate.holds(8_u64));
    assert!(member.to_proof(&Tables::default()).is_err());
    let spans = json!([{"lo": "3", "hi": "5"}, {"lo": "6", "hi": "9"}, {"lo": "12", "hi": "12"}]);
    let spans = plan("not_member", spans).unwrap().to_proof(&lists(json!([{"lo": "3", "hi": "9"}]))).unwrap();
    assert!(spans[0].predicate.holds(10_u64) && !spans[0].predicate.holds(6_u64));
}

#[test]
pub(crate) fn lists_that_do_not_load() {
    let load = |rows: Value| {
        let rows: Result<Vec<Row>, _> = serde_json::from_value(rows);
        rows.ok().and_then(|rows| Tables::default().insert_unsigned("list", 1, &rows).ok()).is_some()
    };
    let span = |lo: &str, hi: &str| json!({"lo": lo, "hi": hi});
    assert!(load(json!([span("1", "5"), span("6", "9")])) && load(codes([1, 3, 9])));
    for rows in [
        json!([]),
        codes([3, 1, 9]),
        codes([3, 3]),
        json!([span("5", "1")]),
        json!([span("1", "5"), span("5", "9")]),
        json!([span("6", "9"), span("1", "5")]),
        json!([span("01", "5")]),
        json!([span("-1", "5")]),
        json!([{"lo": "1", "hi": "5", "note": 1}]),
        json!([codes([1])[0], span("2", "9")]),
    ] {
        assert!(!load(rows.clone()), "{rows}");
    }
}

#[test]
pub(crate) fn a_list_of_few_singles_out() {
    let planned = |op: &str, rows: Value| plan(&load(&listed(op)).unwrap(), &lists(rows), TODAY).err();
    for op in ["member", "not_member"] {
        assert_eq!(planned(op, codes(3..6)), Some(PlanError::TooFew("ward".into())), "{op}");
        assert_eq!(planned(op, codes(3..7)), None, "{op}");
    }
    // An interval says which codes count, as ever.
    assert_eq!(planned("in", codes(3..5)), None);
}

fn crowd(op: &str, rows: Value) -> Option<CheckError> {
    let tables = lists(rows);
    let rule = json!({"kind": "codes", "id": "list", "version": 1, "hash": tables.table("list", 1).unwrap().hash_text()});
    let may = |how: &str| json!({"vct": crate::district::PROOF, "pointer": "/ward", "how": how, "rules": [rule, {"kind": "fixed"}]});
    let all = ["le", "ge", "in", "member", "not_member"].map(may);
    let purpose = spoiled(&purpose(), "/may_ask", json!(all));
    let purpose: Purpose = serde_json::from_value(crate::district::with_head(purpose)).unwrap();
    check(&load(&listed(op)).unwrap(), &purpose, &tables, &types(), TODAY).err()
}

/// Wards are 0 to 999: a list that leaves three of them out singles out whoever lives there.
#[test]
pub(crate) fn a_crowd_is_left_on_each_side() {
    let all_but = |n: u64| json!([{"lo": "0", "hi": (999 - n).to_string()}]);
    assert_eq!(crowd("member", all_but(4)), None);
    let small = |id: &str| Some(CheckError::Crowd(id.to_owned()));
    assert_eq!(crowd("member", all_but(3)), small("ward-q0"));
    assert_eq!(crowd("not_member", all_but(3)), small("ward-q0"));
    assert!(Crowd.to_string().contains("fewer than 4"));
    let narrow = |lo: &str, hi: &str| {
        let condition = json!({"id": "ward", "op": "in", "pointer": "/ward", "rule": {"kind": "fixed"}, "lo": lo, "hi": hi});
        let policy = spoiled(&listed("in"), "/conditions/0", condition);
        let may = ["le", "ge", "in"]
            .map(|how| json!({"vct": crate::district::PROOF, "pointer": "/ward", "how": how, "rules": [{"kind": "fixed"}]}));
        let purpose = spoiled(&purpose(), "/may_ask", json!(may));
        let purpose: Purpose = serde_json::from_value(crate::district::with_head(purpose)).unwrap();
        check(&load(&policy).unwrap(), &purpose, &Tables::default(), &types(), TODAY).err()
    };
    assert_eq!(narrow("100", "102"), small("ward-q0"));
    assert_eq!(narrow("100", "103"), None);
}

fn case(held: Value, expect: &str) -> Case {
    serde_json::from_value(json!({"name": "a case", "as_of": "2026-11-21", "held": held, "expect": expect}))
        .unwrap()
}

#[test]
fn test_cases_of_ways() {
    let policy = load(&meals()).unwrap();
    let run = |held: Value, expect: &str| case(held, expect).run(&policy, &Tables::default());
    let pay = |person: &str, total: u32| json!({"values": {"/person": person, "/total": total}});
    let both = |a: Value, b: Value| json!({"pay1": a, "pay2": b});
    assert_eq!(run(both(pay("LF-0042", 70_000), pay("LF-0042", 80_000)), "met"), Ok(()));
    assert_eq!(run(both(pay("LF-0042", 70_000), pay("LF-0042", 80_001)), "not_met"), Ok(()));
    assert_eq!(run(both(pay("LF-0042", 1), pay("LF-0043", 1)), "not_met"), Ok(()));
    assert_eq!(run(json!({"pay1": pay("LF-0042", 1)}), "not_met"), Ok(()));
    let with = |member: &str, value: &str| spoiled(&pay("LF-0042", 1), &format!("/{member}"), json!(value));
    assert_eq!(run(both(with("facts_as_of", "2026-11-01"), pay("LF-0042", 1)), "met"), Ok(()));
    assert_eq!(run(both(with("facts_as_of", "2026-10-31"), pay("LF-0042", 1)), "undetermined"), Ok(()));
    assert_eq!(run(both(with("period", "2026-09"), pay("LF-0042", 1)), "not_met"), Ok(()));
    assert_eq!(run(both(with("iss", PAYERS[1]), pay("LF-0042", 1)), "not_met"), Ok(()));
    assert_eq!(run(both(json!({"values": {"/total": 1}}), pay("LF-0042", 1)), "undetermined"), Ok(()));
    let twice = load(&hours()).unwrap();
    let source = |source: &str| json!({"values": {"/person": "LF-0042", "/hours": 60, "/source": source}});
    let run = |a: Value, b: Value, expect| case(both(a, b), expect).run(&twice, &Tables::default());
    assert_eq!(run(source("LF-0042-A"), source("LF-0042-B"), "met"), Ok(()));
    assert_eq!(run(source("LF-0042-A"), source("LF-0042-A"), "not_met"), Ok(()));
    let home = load(&household()).unwrap();
    let at = |person: &str, home: &str, adults: u32| json!({"values": {"/person": person, "/household": home, "/adults": adults}});
    let run = |a: Value, b: Value, expect: &str| {
        let held = json!({"homea": a, "homeb": b, "paya": pay("LF-0042", 1), "payb": pay("LF-0043", 1)});
        case(held, expect).run(&home, &Tables::default())
    };
    assert_eq!(run(at("LF-0042", "H0001", 2), at("LF-0043", "H0001", 2), "met"), Ok(()));
    assert_eq!(run(at("LF-0042", "H0001", 3), at("LF-0043", "H0001", 3), "not_met"), Ok(()));
    assert_eq!(run(at("LF-0042", "H0001", 2), at("LF-0043", "H0002", 2), "not_met"), Ok(()));
    assert_eq!(run(at("LF-0042", "H0001", 2), at("LF-0042", "H0001", 2), "not_met"), Ok(()));
    assert_ne!(
        run(at("LF-0042", "H0001", 2), at("LF-0043", "H0001", 2), "not_met").map_err(|_| Outcome::Met),
        Ok(())
    );
}
