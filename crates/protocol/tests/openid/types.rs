//! Types: texts that are proved, large amounts, totals of a month.

use jiff::civil::date;
use serde_json::{Value, json};
use vouchsafe_proofs::context::SignedRange;
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_protocol::types::{
    CodeLists, CredentialType, Form, Month, Period, TypeError, ValueError, canonical, is_canonical,
};
use vouchsafe_protocol::zkc;

use crate::district::spoiled;

/// What an employer signs of a month, in a world without people.
pub(crate) fn pay() -> Value {
    let words = |text: &str| json!({"en": text, "cy": text});
    json!({"id": "pay", "vct": "https://larkfield.example/types/pay/1", "name": words("pay of a month"), "ttl_days": 60,
    "status": true, "period": "month", "period_column": "month",
    "attributes": [
        {"pointer": "/person", "column": "person", "kind": "text", "answer": ["prove"], "pattern": "AA-9999",
            "unit": "https://larkfield.example/ids/person", "label": words("number")},
        {"pointer": "/total", "column": "total", "kind": "money", "answer": ["prove"], "lo": "0", "hi": "10000000",
            "label": words("total")},
        {"pointer": "/assets", "column": "assets", "kind": "money", "answer": ["prove"], "b": 64, "lo": "0",
            "hi": "18446744073709551615", "label": words("assets")},
    ]})
}

/// What a council signs so that persons can be counted.
pub(crate) fn card() -> Value {
    let words = |text: &str| json!({"en": text, "cy": text});
    json!({"id": "card", "vct": "https://larkfield.example/types/card/1", "name": words("card"), "ttl_days": 60,
    "link": true,
    "attributes": [
        {"pointer": "/tenant", "column": "tenant", "kind": "flag", "answer": ["prove"], "label": words("tenant")},
        {"pointer": "/link_since", "kind": "date", "answer": ["prove"], "lo": "2020-01-01", "hi": "2119-12-31",
            "label": words("since")},
    ]})
}

#[test]
pub(crate) fn a_type_that_is_linked_says_since_when() {
    let loads = |changes: &[(&str, Value)]| {
        let changed = changes.iter().fold(card(), |card, (at, member)| spoiled(&card, at, member.clone()));
        CredentialType::from_json(&changed)
    };
    let loaded = loads(&[]).unwrap();
    assert!(loaded.link && loaded.attribute("/link_since").unwrap().column.is_empty());
    assert_eq!(serde_json::to_value(&loaded).unwrap()["link"], json!(true));
    assert!(serde_json::to_value(crate::district::residency()).unwrap().get("link").is_none());
    for changes in [
        &[("/link", Value::Null)][..],
        &[("/link", json!(false))],
        &[("/attributes/1/pointer", json!("/since")), ("/attributes/1/column", json!("since"))],
        &[
            ("/attributes/1/kind", json!("flag")),
            ("/attributes/1/lo", Value::Null),
            ("/attributes/1/hi", Value::Null),
        ],
        &[("/attributes/1/answer", json!(["show", "prove"]))],
        &[("/attributes/1/column", json!("since"))],
        &[("/attributes/0/column", json!(""))],
    ] {
        assert!(matches!(loads(changes), Err(TypeError::Type(_))), "{changes:?}");
    }
    let named = loads(&[("/attributes/0/pointer", json!("/_link"))]);
    assert!(matches!(named, Err(TypeError::Attribute { .. })));
}

fn fault(pointer: &str, member: Value) -> Option<TypeError> {
    CredentialType::from_json(&spoiled(&pay(), pointer, member)).err()
}

fn loaded() -> CredentialType {
    CredentialType::from_json(&pay()).unwrap()
}

#[test]
fn the_form_of_a_text_has_no_range() {
    let pay = loaded();
    let forms: Vec<_> = pay.provable().map(|attribute| attribute.form().unwrap()).collect();
    let money = |b, hi| {
        let range = Some(SignedRange { b, lo: 0, hi });
        Form { enc: Encoding::Pence, unit: "GBP-pence".to_owned(), range }
    };
    let person =
        Form { enc: Encoding::Str, unit: "https://larkfield.example/ids/person".to_owned(), range: None };
    assert_eq!(forms, [person, money(32, 10_000_000), money(64, u64::MAX)]);
    assert_eq!((pay.period, pay.period_column()), (Some(Period::Month), Some("month")));
    let unnamed = CredentialType::from_json(&spoiled(&crate::types::pay(), "/period_column", Value::Null));
    assert_eq!(unnamed.unwrap().period_column(), Some("period"));
    assert_eq!(crate::district::residency().period_column(), None);
}

#[test]
pub(crate) fn a_text_is_proved_under_a_unit_and_a_mask() {
    for (pointer, member) in [
        ("/attributes/0/unit", Value::Null),
        ("/attributes/0/unit", json!("person")),
        ("/attributes/0/unit", json!("https://larkfield.example/ids/a person")),
        ("/attributes/0/unit", json!("https://larkfield.example/ids/\tperson")),
        ("/attributes/0/pattern", Value::Null),
        ("/attributes/0/pattern", json!("")),
        ("/attributes/0/pattern", json!("e\u{301}9")),
        ("/attributes/0/lo", json!("0")),
        ("/attributes/0/b", json!(32)),
        ("/attributes/1/b", json!(16)),
        ("/attributes/1/hi", json!("4294967296")),
        ("/attributes/1/lo", json!("00")),
        ("/attributes/1/lo", json!("+0")),
        ("/attributes/2/b", Value::Null),
        ("/attributes/2/hi", json!("18446744073709551616")),
        ("/attributes/2/lo", json!("00")),
    ] {
        assert!(matches!(fault(pointer, member), Some(TypeError::Attribute { .. })), "{pointer}");
    }
    assert_eq!(fault("/attributes/0/unit", json!("urn:larkfield:person")), None);
    assert_eq!(fault("/attributes/0/pattern", json!("\u{e9}9")), None);
    // What is only shown needs neither.
    let shown = spoiled(&pay(), "/attributes/0/answer", json!(["show"]));
    let shown =
        spoiled(&spoiled(&shown, "/attributes/0/unit", Value::Null), "/attributes/0/pattern", Value::Null);
    assert!(CredentialType::from_json(&shown).is_ok());
}

#[test]
pub(crate) fn a_text_has_one_spelling() {
    let spelt = spoiled(&pay(), "/attributes/0/pattern", json!("\u{175}9"));
    let spelt = CredentialType::from_json(&spelt).unwrap();
    let (person, lists) = (&spelt.attributes[0], CodeLists::default());
    // Two spellings of a register become one text, and what is not in it is never committed to.
    for text in ["\u{175}1", "w\u{302}1"] {
        assert_eq!(person.value_of(text, &lists), Ok(json!("\u{175}1")));
    }
    let hidden = person.hidden(&json!("\u{175}1"), &lists).ok().unwrap();
    assert!(hidden == zkc::Value::Text("\u{175}1".to_owned()));
    for (wrong, why) in [
        (json!("w\u{302}1"), ValueError::Form),
        (json!("\u{175}"), ValueError::Pattern),
        (json!("W1"), ValueError::Pattern),
        (json!(1), ValueError::Form),
    ] {
        assert_eq!(person.hidden(&wrong, &lists).err(), Some(why), "{wrong}");
    }
    assert_eq!(person.encode(&json!("\u{175}1"), &lists), Err(ValueError::Form), "a text is no integer");
    assert!(is_canonical("\u{175}1") && canonical("w\u{302}1") == "\u{175}1");
}

#[test]
fn large_amounts_are_decimal_strings() {
    let (pay, lists) = (loaded(), CodeLists::default());
    let (total, assets) = (&pay.attributes[1], &pay.attributes[2]);
    assert_eq!(assets.value_of("184467440737095516.15", &lists), Ok(json!("18446744073709551615")));
    assert_eq!(assets.value_of("184467440737095516.16", &lists), Err(ValueError::Range));
    assert_eq!(assets.value_of("12", &lists), Ok(json!("1200")));
    assert_eq!(assets.encode(&json!("18446744073709551615"), &lists), Ok(u64::MAX));
    for wrong in [json!(1200), json!("01"), json!("-1"), json!("18446744073709551616"), json!("12.00")] {
        assert_eq!(assets.encode(&wrong, &lists), Err(ValueError::Form), "{wrong}");
    }
    assert_eq!(total.value_of("12", &lists), Ok(json!(1200)));
    assert_eq!(total.encode(&json!("1200"), &lists), Err(ValueError::Form));
    assert_eq!(total.value_of("42949672.96", &lists), Err(ValueError::Form));
}

#[test]
pub(crate) fn totals_can_be_corrected() {
    assert!(matches!(fault("/status", json!(false)), Some(TypeError::Type(_))));
    assert!(matches!(fault("/period", Value::Null), Some(TypeError::Type(_))));
    assert!(matches!(fault("/period", json!("week")), Some(TypeError::Malformed(_))));
    assert!(matches!(fault("/attributes/0/pointer", json!("/period")), Some(TypeError::Attribute { .. })));
}

#[test]
fn a_month_is_over_after_its_last_day() {
    let month = Month::parse("2026-10").unwrap();
    assert!(!month.is_over(date(2026, 10, 31)) && month.is_over(date(2026, 11, 1)));
}

#[test]
pub(crate) fn a_range_on_a_text_is_no_member() {
    let c = vouchsafe_protocol::encoding::b64u([7; 32]);
    let claim = |extra: &str, value: Value| {
        let mut claim = json!({"/person": {"c": c, "enc": "str", "u": "urn:larkfield:person"}});
        if !extra.is_empty() {
            claim["/person"][extra] = value;
        }
        zkc::read(&claim).is_ok()
    };
    assert!(claim("", Value::Null));
    for (member, value) in [("b", json!(32)), ("b", Value::Null), ("lo", json!("0")), ("hi", json!("1"))] {
        assert!(!claim(member, value), "{member}");
    }
}

/// `specs/profiles/types.md`.
mod page {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../../../specs/profiles/types.md");
    const SOURCES: [&str; 3] = [
        include_str!("../../src/types.rs"),
        include_str!("../../src/types/attribute.rs"),
        include_str!("../../src/types/link.rs"),
    ];

    fn section(heading: &str) -> &'static str {
        let below = PAGE.split_once(&format!("\n## {heading}\n")).unwrap().1;
        below.split("\n## ").next().unwrap()
    }

    /// The cells of each row of the section's table.
    fn rows(heading: &str) -> Vec<Vec<&'static str>> {
        let rows = section(heading).lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        rows.skip(2).map(|row| row.split(" | ").collect()).collect()
    }

    fn ticked(text: &str) -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The members that the section lists, and those of them that may be left out.
    fn members(heading: &str) -> [BTreeSet<String>; 2] {
        let cells: Vec<_> = rows(heading).iter().flat_map(|row| row[0].split(", ")).collect();
        let all = ticked(&cells.join(" "));
        let optional = cells.into_iter().filter(|cell| cell.ends_with('?')).collect::<Vec<_>>();
        [all, ticked(&optional.join(" "))]
    }

    /// What the code says that it would read in the place of an unknown member or kind.
    fn expected(pointer: &str, member: Value) -> BTreeSet<String> {
        let Some(TypeError::Malformed(said)) = fault(pointer, member) else { panic!("{pointer} is read") };
        ticked(said.split_once("expected one of ").unwrap().1)
    }

    /// The same with every member that there can be.
    fn full() -> Value {
        let mut full = card();
        let more =
            json!({"batch": 3, "deferred": true, "status": true, "period": "month", "period_column": "m"});
        full.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let words = json!({"en": "ward", "cy": "ward"});
        full["attributes"][0] = json!({"pointer": "/ward", "column": "ward", "label": words, "kind": "code",
            "answer": ["show", "prove"], "unit": "x", "b": 32, "lo": "0", "hi": "9", "codes": "urn:wards/1",
            "pattern": "A99"});
        full
    }

    #[test]
    fn its_members_are_those_that_are_read() {
        assert!(CredentialType::from_json(&full()).is_ok());
        for (heading, at) in [("A type", ""), ("An attribute", "/attributes/0")] {
            let [all, optional] = members(heading);
            assert_eq!(expected(&format!("{at}/note"), json!(1)), all, "{heading}");
            for member in all {
                let mut without = full();
                let object = without.pointer_mut(at).unwrap().as_object_mut().unwrap();
                assert!(object.remove(&member).is_some(), "{member} is in the whole description");
                let missed = matches!(CredentialType::from_json(&without), Err(TypeError::Malformed(_)));
                assert_eq!(missed, !optional.contains(&member), "{member}");
            }
        }
    }

    #[test]
    fn its_kinds_are_encoded_so() {
        let rows = rows("Kinds");
        let kinds: BTreeSet<String> = rows.iter().flat_map(|row| ticked(row[0])).collect();
        assert_eq!(expected("/attributes/0/kind", json!("name")), kinds);
        for row in &rows {
            let kind = row[0].trim_matches('`');
            let mut attribute = loaded().attributes[1].clone();
            attribute.kind = serde_json::from_value(json!(kind)).unwrap();
            (attribute.unit, attribute.codes) = (Some("the unit".to_owned()), Some("the codes".to_owned()));
            let encoding = attribute.encoding();
            assert_eq!(row[3].trim_matches('`'), encoding.as_str(), "{kind}");
            let bits = encoding.bits().map_or_else(|| "none".to_owned(), |bits| bits.to_string());
            assert_eq!(row[4].split(',').next(), Some(bits.as_str()), "{kind}");
            assert_eq!(encoding.allows(64), row[4].ends_with("64"), "{kind}");
            let unit = attribute.unit().trim_start_matches("the ");
            assert!(row[5].contains(&format!("`{unit}`")), "{kind}: {unit}");
        }
    }

    #[test]
    fn its_taken_names_are_those_of_the_code() {
        let reserved = SOURCES[1].split_once("const RESERVED").unwrap().1.split("];").next().unwrap();
        let reserved: BTreeSet<String> = reserved.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(ticked(section("Names that are taken")), reserved);
    }

    #[test]
    fn its_refusals_are_those_of_the_code() {
        let code = SOURCES.iter().flat_map(|source| source.lines());
        let code = code.filter(|line| !line.trim_start().starts_with("//") && !line.contains("#[error"));
        let said: BTreeSet<&str> = code
            .flat_map(|line| line.split('"').skip(1).step_by(2))
            .filter(|text| text.contains(' '))
            .collect();
        let listed: BTreeSet<&str> = rows("What does not load").iter().map(|row| row[0]).collect();
        assert_eq!(listed, said);
    }
}
