use jiff::civil::date;
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_protocol::statement::{Op, Rule, Unit};

use super::*;

fn both(en: &str, cy: &str) -> Bilingual {
    Bilingual { en: en.to_owned(), cy: cy.to_owned() }
}

fn proved(pointer: &str, label: Bilingual, op: Op, rule: Rule, bounds: &[u64], enc: Encoding) -> Learn {
    let as_of = date(2026, 11, 21);
    let (names, spans) = Default::default();
    let stated = Stated { op, rule, bounds: bounds.to_vec(), enc: Some(enc), as_of, names, spans };
    Learn { pointer: pointer.to_owned(), label, what: What::Proved(stated) }
}

fn table() -> Rule {
    Rule::Table { id: "https://registrar.example/pension-age".to_owned(), version: 1, hash: "x".to_owned() }
}

fn birth(op: Op, rule: Rule) -> Learn {
    proved("/birth_date", both("date of birth", "dyddiad geni"), op, rule, &[131_699], Encoding::Day)
}

fn wards(op: Op, names: &[&str]) -> Learn {
    let rule = Rule::Codes { id: "Larkfield wards".to_owned(), version: 1, hash: "x".to_owned() };
    let mut learn = proved("/ward", both("ward", "ward"), op, rule, &[1, 3], Encoding::Code);
    if let What::Proved(stated) = &mut learn.what {
        stated.names = names.iter().map(|name| both(name, name)).collect();
    }
    learn
}

fn facts() -> Facts {
    Facts {
        asked: Asked {
            service_id: "https://buses.example".to_owned(),
            service: both("Larkfield Buses", "Bysiau Larkfield"),
            purpose_id: "bus-pass".to_owned(),
            purpose: both("To issue an older person’s bus pass.", "I roi tocyn bws i berson hŷn."),
            retention_days: 90,
        },
        match_words: "apple river · afal afon".to_owned(),
        host: "verify.example".to_owned(),
        env: Env::Test,
        basis: Basis::PublicTask,
        recipients: Vec::new(),
        direct: None,
        permits: None,
        over: Vec::new(),
        other_route: both("Bring a letter to any bus station.", "Dewch â llythyr i unrhyw orsaf fysiau."),
        as_of: date(2026, 11, 21),
        ways: vec![
            Way {
                option: 0,
                contrary: false,
                ability: Ability::Can,
                parts: vec![residence()],
                together: Vec::new(),
                probed: Vec::new(),
                counted: BTreeMap::new(),
            },
            Way {
                option: 1,
                contrary: true,
                ability: Ability::NotMet,
                parts: vec![WayPart {
                    held: None,
                    learn: vec![birth(Op::Ge, table())],
                    hidden: Vec::new(),
                    ..residence()
                }],
                together: Vec::new(),
                probed: Vec::new(),
                counted: BTreeMap::new(),
            },
        ],
    }
}

fn residence() -> WayPart {
    let (name, issuer) = (
        both("Proof of residence", "Prawf preswylio"),
        both("Larkfield District Council", "Cyngor Dosbarth Larkfield"),
    );
    WayPart {
        query: "q0".to_owned(),
        ability: Ability::Can,
        wanted: Wanted { name: name.clone(), issuers: vec![issuer.clone()], period: None },
        learn: vec![birth(Op::Le, table()), wards(Op::In, &["North", "South", "Mill"])],
        hidden: vec![
            both("date of birth", "dyddiad geni"),
            both("ward", "ward"),
            both("address", "cyfeiriad"),
        ],
        held: Some(HeldName { id: "1".to_owned(), name, issuer }),
        others: Vec::new(),
        refresh: None,
        stale: false,
        suspended: false,
    }
}

#[path = "tests_several.rs"]
mod several;

#[test]
fn the_page_reads_as_it_should() {
    assert_eq!(facts().page(Language::En).to_string(), include_str!("snapshot_en.txt"));
    assert_eq!(facts().page(Language::Cy).to_string(), include_str!("snapshot_cy.txt"));
}

#[test]
fn the_parts_stand_in_the_order_that_people_need() {
    let ids: Vec<&str> = facts().page(Language::En).parts.iter().map(|part| part.id).collect();
    let order =
        ["who", "what_for", "learn", "not_learn", "how_long", "who_else", "say_no", "take_back", "choices"];
    assert_eq!(ids, order);
}

#[test]
fn a_rule_is_told_without_the_bound_behind_it() {
    for learn in [birth(Op::Le, table()), birth(Op::Ge, table())] {
        let line = learn.line(Language::En);
        assert!(line.contains("pension age on 21 November 2026") && line.contains("not your date of birth"));
        assert!(!line.contains("1960") && !line.contains("131"));
    }
}

#[test]
fn each_rule_and_its_contrary_have_their_words() {
    let at_least = || Rule::AgeAtLeast { unit: Unit::Years, n: 66 };
    let at_most = || Rule::AgeAtMost { unit: Unit::Years, n: 17 };
    let lines = [
        (birth(Op::Le, at_least()), "that you are 66 or older on 21 November 2026, not your date of birth"),
        (
            birth(Op::Ge, at_least()),
            "that you are younger than 66 on 21 November 2026, not your date of birth",
        ),
        (birth(Op::Ge, at_most()), "that you are 17 or younger on 21 November 2026, not your date of birth"),
        (birth(Op::Le, at_most()), "that you are older than 17 on 21 November 2026, not your date of birth"),
    ];
    for (learn, line) in lines {
        assert_eq!(learn.line(Language::En), line);
    }
}

#[test]
fn years_since_another_date_are_no_age() {
    let rule = Rule::AgeAtLeast { unit: Unit::Years, n: 3 };
    let learn = proved("/moved_in", both("date you moved in", "dyddiad"), Op::Le, rule, &[1], Encoding::Day);
    assert_eq!(
        learn.line(Language::En),
        "that “date you moved in” is at least 3 years before 21 November 2026, not the day itself"
    );
}

#[test]
fn fixed_bounds_are_written_as_people_write_them() {
    let income = |op, bounds: &[u64]| {
        proved("/income", both("income", "incwm"), op, Rule::Fixed {}, bounds, Encoding::Pence)
            .line(Language::En)
    };
    assert_eq!(income(Op::Le, &[123_450]), "that “income” is £1,234.50 or less, not the amount itself");
    assert_eq!(income(Op::Ge, &[100]), "that “income” is £1.00 or more, not the amount itself");
    assert_eq!(income(Op::In, &[100, 200]), "that “income” is from £1.00 to £2.00, not the amount itself");
    let day = proved("/d", both("day", "dydd"), Op::Ge, Rule::Fixed {}, &[131_699], Encoding::Day);
    assert_eq!(day.line(Language::En), "that “day” is on or after 31 July 1960, not the day itself");
}

#[test]
fn long_lists_are_counted_and_short_ones_named() {
    let many: Vec<String> = (0..40).map(|n| format!("Ward {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let line = wards(Op::In, &many).line(Language::En);
    let expected = "that “ward” is one of the 40 entries of a public list, not which one. \
        The list goes from “Ward 0” to “Ward 39”.";
    assert_eq!(line, expected);
    assert!(wards(Op::In, &["North", "South"]).line(Language::En).ends_with("The list names: North, South."));
}

#[test]
fn the_contrary_is_told_only_where_it_is_all_there_is_and_never_taken() {
    let mut facts = facts();
    assert!(facts.contrary().is_none());
    facts.ways[0].ability = Ability::NotMet;
    facts.ways[1].ability = Ability::Can;
    assert_eq!(facts.offered().map(|way| way.option), Some(0));
    assert_eq!(facts.contrary().map(|way| way.option), Some(1));
    let page = facts.page(Language::En);
    let choices = &page.parts.iter().find(|part| part.id == "choices").map(|part| part.lines.clone());
    let choices = choices.clone().unwrap_or_default();
    assert_eq!(choices[0], "Your credential does not show what is asked.");
    assert_eq!(choices[1], "Do not share.");
    assert!(choices[2].contains("Ask for this separately"));
}

/// Two batches that say different things could both meet the rule and not meet it.
#[test]
fn who_meets_the_rule_is_offered_no_contrary() {
    let mut facts = facts();
    facts.ways[1].ability = Ability::Can;
    assert!(facts.contrary().is_none());
    #[cfg(feature = "mutants")]
    assert!(mutants::without("wallet-contrary", || facts.contrary().is_some()));
}

/// A count outlives the outcomes that it is of.
#[test]
fn how_long_a_count_is_kept_is_told_with_the_outcome() {
    let kept = |at_most, epoch: &str, language| {
        let mut facts = facts();
        let what = What::KnownAs { action: "swim".to_owned(), epoch: epoch.to_owned(), at_most };
        let known = Learn { pointer: "/_link".to_owned(), label: both("a name", "enw"), what };
        facts.ways[0].parts[0].learn.push(known);
        let parts = facts.page(language).parts;
        parts.into_iter().find(|part| part.id == "how_long").map(|part| part.lines).unwrap_or_default()
    };
    let outcome = "They keep the outcome for 90 days.";
    assert_eq!(kept(None, "2026-11", Language::En), [outcome]);
    for (epoch, until) in [("2026", "end of 2026."), ("2026-11", "end of November 2026.")] {
        let line = format!("They also keep how often they said yes to you, at least until the {until}");
        assert_eq!(kept(Some(2), epoch, Language::En), [outcome.to_owned(), line]);
    }
    let line = "They also keep how often they said yes to you, for good.";
    assert_eq!(kept(Some(2), "always", Language::En), [outcome, line]);
    let welsh = kept(Some(2), "2026-11", Language::Cy);
    assert!(welsh[1].ends_with("o leiaf tan ddiwedd Tachwedd 2026."), "{welsh:?}");
}

#[test]
fn much_asked_attributes_are_named_in_a_warning() {
    let mut facts = facts();
    let label = both("date of birth", "dyddiad geni");
    facts.ways[0].probed = vec![Probed { pointer: "/birth_date".to_owned(), label, bounds: 3 }];
    let page = facts.page(Language::En).to_string();
    assert!(page.contains("already asked 3 different questions about “date of birth”"));
}

#[test]
fn a_requesters_text_cannot_pose_as_ours() {
    let mut facts = facts();
    facts.asked.purpose.en = "x”\nWhat they will learn\n  nothing".to_owned();
    let page = facts.page(Language::En);
    assert_eq!(page.to_string().matches("\nWhat they will learn\n").count(), 1);
}
