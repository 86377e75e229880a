//! What is said of several credentials, of sums, and of the statements beyond bounds.

use super::*;

fn place(query: usize, issuer: &str, mark: Option<Mark>) -> Place {
    Place { query, name: income(), issuers: vec![both(issuer, issuer)], mark }
}

fn income() -> Bilingual {
    both("Statement of income", "Datganiad incwm")
}

fn pay(query: usize, issuer: &str, coeff: i64) -> SaidTerm {
    SaidTerm {
        pointer: "/pay".to_owned(),
        label: both("pay for the month", "cyflog y mis"),
        place: place(query, issuer, None),
        coeff,
    }
}

fn sum(op: Op, bounds: &[u64], terms: Vec<SaidTerm>) -> Together {
    Together::Sum(Sum { op, bounds: bounds.to_vec(), enc: Some(Encoding::Pence), terms })
}

fn compared(equal: bool, about: About, terms: Vec<SaidTerm>) -> Together {
    Together::Compared(Compared { equal, about, terms })
}

fn part(query: &str, issuer: &str) -> WayPart {
    let issuer = both(issuer, issuer);
    WayPart {
        query: query.to_owned(),
        ability: Ability::Can,
        wanted: Wanted { name: income(), issuers: vec![issuer.clone()], period: Some("2026-10".to_owned()) },
        held: Some(HeldName { id: query.to_owned(), name: income(), issuer }),
        stale: false,
        suspended: false,
        learn: vec![Learn {
            pointer: "/period".to_owned(),
            label: both("period", "period"),
            what: What::Period("2026-10".to_owned()),
        }],
        hidden: vec![both("pay for the month", "cyflog y mis"), both("person number", "rhif person")],
        others: Vec::new(),
        refresh: None,
    }
}

/// Two payers' statements of October, added up.
fn payers() -> Facts {
    let terms = || vec![pay(0, "Larkfield Payroll", 1), pay(1, "Second Payroll", 1)];
    let mut facts = facts();
    facts.ways = vec![Way {
        option: 0,
        contrary: false,
        ability: Ability::Can,
        parts: vec![part("pay1", "Larkfield Payroll"), part("pay2", "Second Payroll")],
        together: vec![sum(Op::Le, &[740_000], terms()), compared(true, About::Person, terms())],
        probed: Vec::new(),
        counted: BTreeMap::new(),
    }];
    facts
}

fn lines(facts: &Facts, id: &str, language: Language) -> Vec<String> {
    let parts = facts.page(language).parts;
    parts.into_iter().find(|part| part.id == id).map(|part| part.lines).unwrap_or_default()
}

#[test]
fn the_page_of_several_credentials_reads_as_it_should() {
    assert_eq!(payers().page(Language::En).to_string(), include_str!("snapshot_several_en.txt"));
    assert_eq!(payers().page(Language::Cy).to_string(), include_str!("snapshot_several_cy.txt"));
}

#[test]
fn sums_and_differences_have_their_words() {
    let (a, b) = ("Larkfield Payroll", "Second Payroll");
    let two = |second| vec![pay(0, a, 1), pay(1, b, second)];
    let first = "“pay for the month” from Larkfield Payroll";
    let other = "“pay for the month” from Second Payroll";
    let third = "“pay for the month” from Third Payroll";
    let cases = [
        (
            sum(Op::In, &[100, 200], two(1)),
            format!("that {first} and {other} add up to between £1.00 and £2.00, not the amounts themselves"),
        ),
        (
            sum(Op::Ge, &[100], [two(1), vec![pay(2, "Third Payroll", 1)]].concat()),
            format!("that {first}, {other} and {third} add up to £1.00 or more, not the amounts themselves"),
        ),
        (
            sum(Op::Le, &[100], [two(-3), vec![pay(2, "Third Payroll", 2)]].concat()),
            format!(
                "that this sum is £1.00 or less, not the amounts themselves: {first}, minus 3 times {other}, plus 2 times {third}"
            ),
        ),
        (
            sum(Op::Ge, &[500], two(-1)),
            format!("that {first} is at least £5.00 more than {other}, not the amounts themselves"),
        ),
        (
            sum(Op::Le, &[0], two(-1)),
            format!("that {first} is no more than {other}, not the amounts themselves"),
        ),
        (
            sum(Op::Ge, &[0], two(-1)),
            format!("that {first} is no less than {other}, not the amounts themselves"),
        ),
    ];
    for (said, line) in cases {
        assert_eq!(said.line(Language::En), line);
    }
}

#[test]
fn comparisons_have_their_words() {
    let terms = || vec![pay(0, "A", 1), pay(1, "B", -1)];
    let (credentials, values) = (
        "“Statement of income” from A and “Statement of income” from B",
        "“pay for the month” from A and “pay for the month” from B",
    );
    let cases = [
        (true, About::Person, format!("that {credentials} are about the same person, not who that is")),
        (false, About::Person, format!("that {credentials} are about different people, not who they are")),
        (
            false,
            About::Source,
            format!("that {credentials} do not count the same thing twice, not what it is"),
        ),
        (true, About::Value, format!("that {values} are the same, not what they are")),
        (false, About::Value, format!("that {values} are not the same, not what they are")),
    ];
    for (equal, about, line) in cases {
        assert_eq!(compared(equal, about, terms()).line(Language::En), line);
    }
}

#[test]
fn credentials_of_one_body_are_told_apart() {
    let of = |mark| {
        let terms = vec![SaidTerm { place: place(0, "A", mark), ..pay(0, "A", 1) }, pay(1, "B", 1)];
        sum(Op::Le, &[100], terms).line(Language::En)
    };
    assert!(
        of(Some(Mark::Month("2026-10".to_owned())))
            .contains("“pay for the month” from A for October 2026 and")
    );
    assert!(of(Some(Mark::Number(2))).contains("“pay for the month” from A (number 2) and"));
}

#[test]
fn the_same_person_is_said_once_of_all() {
    let mut first = compared(true, About::Person, vec![pay(0, "A", 1), pay(1, "B", -1)]);
    assert!(first.takes(&compared(true, About::Person, vec![pay(1, "B", 1), pay(2, "C", -1)])));
    assert_eq!(first.terms().len(), 3);
    // Of other people, or not of the same, is another thing to learn.
    assert!(!first.takes(&compared(true, About::Person, vec![pay(3, "D", 1), pay(4, "E", -1)])));
    assert!(!first.takes(&compared(false, About::Person, vec![pay(0, "A", 1), pay(1, "B", -1)])));
    assert!(!first.takes(&compared(true, About::Value, vec![pay(0, "A", 1), pay(1, "B", -1)])));
    assert_eq!(first.terms().len(), 3);
}

#[test]
fn lists_with_gaps_are_named_by_their_first() {
    let list = |op, n: usize| {
        let names: Vec<String> = (0..n).map(|n| format!("Ward {n}")).collect();
        let mut learn = wards(op, &names.iter().map(String::as_str).collect::<Vec<_>>());
        learn.what = match learn.what {
            What::Proved(stated) => What::Proved(Stated { bounds: Vec::new(), ..stated }),
            other => other,
        };
        learn.line(Language::En)
    };
    assert_eq!(
        list(Op::Member, 40),
        "that “ward” is one of the 40 entries of a public list, not which one. \
         The list begins with: Ward 0, Ward 1, Ward 2, Ward 3, Ward 4, Ward 5. It has 34 more."
    );
    assert_eq!(
        list(Op::NotMember, 4),
        "that “ward” is none of the 4 entries of a public list, not which other one it is. \
         The list names: Ward 0, Ward 1, Ward 2, Ward 3."
    );
}

#[test]
fn lists_of_numbers_are_named_by_their_spans() {
    let rule = Rule::Codes { id: "bands".to_owned(), version: 1, hash: "x".to_owned() };
    let of = |op, spans: Vec<[u64; 2]>| {
        let mut learn = proved("/income", both("income", "incwm"), op, rule.clone(), &[], Encoding::Pence);
        if let What::Proved(stated) = &mut learn.what {
            stated.spans = spans;
        }
        learn.line(Language::En)
    };
    assert_eq!(
        of(Op::Member, vec![[0, 100], [500, 500]]),
        "that “income” is on a public list of numbers, not which one. The list names: £0.00 to £1.00, £5.00."
    );
    let many = (0..20).map(|n| [n * 100, n * 100 + 50]).collect();
    let line = of(Op::NotMember, many);
    assert!(line.starts_with("that “income” is not on a public list of numbers, not which one it is. The list begins with: £0.00 to £0.50, "));
    assert!(line.ends_with("It has 14 more."), "{line}");
}

#[test]
fn equalities_with_what_everybody_sees_tell_the_value() {
    let of = |op, k, enc| {
        let learn = proved("/level", both("level", "lefel"), op, Rule::Fixed {}, &[k], enc);
        (learn.tells_all(), learn.line(Language::En))
    };
    assert_eq!(of(Op::Eq, 3, Encoding::Int), (true, "that “level” is exactly 3".to_owned()));
    assert_eq!(of(Op::Eq, 1, Encoding::Bool), (true, "that “level” is exactly yes".to_owned()));
    let other = "that “level” is not £1.00, and nothing else about it".to_owned();
    assert_eq!(of(Op::Ne, 100, Encoding::Pence), (false, other));
}

/// Which credential is missing, of whom and for when.
#[test]
fn what_is_missing_is_named() {
    let mut facts = payers();
    facts.ways[0].ability = Ability::NoneHeld;
    facts.ways[0].parts[1].held = None;
    facts.ways[0].parts[1].ability = Ability::NoneHeld;
    assert_eq!(
        lines(&facts, "choices", Language::En)[..2],
        [
            "This takes several credentials, and you cannot give all of them now.",
            "You hold no “Statement of income” from Second Payroll for October 2026 that can be used.",
        ]
    );
    let learn = lines(&facts, "learn", Language::En);
    assert!(learn.iter().any(|line| {
        line == "From a “Statement of income” from Second Payroll, which you cannot give now:"
    }));
    facts.ways[0].ability = Ability::TooOld;
    facts.ways[0].parts[0].ability = Ability::TooOld;
    let choices = lines(&facts, "choices", Language::Cy);
    assert!(
        choices[1].starts_with("“Datganiad incwm” gan Larkfield Payroll: Mae eich dogfen wedi dod i ben.")
    );
    assert!(choices[2].contains("ar gyfer Hydref 2026"), "{choices:?}");
}

#[test]
fn what_takes_another_person_is_said_so() {
    let mut facts = payers();
    facts.ways[0].ability = Ability::AnotherPerson;
    let choices = lines(&facts, "choices", Language::En);
    assert!(choices[0].starts_with("This takes another person as well"), "{choices:?}");
    assert!(!choices.iter().any(|line| line.contains("You hold no") || line.starts_with("Share")));
    // Where the wallet can answer alone, the other way is still listed.
    let mut alone = facts.ways[0].clone();
    alone.ability = Ability::Can;
    facts.ways.push(alone);
    let choices = lines(&facts, "choices", Language::En);
    assert!(
        choices[0].starts_with("Share") && choices.iter().any(|line| line.contains("together with another"))
    );
}

/// Warnings name the credential that they are about.
#[test]
fn of_several_credentials_the_stale_one_is_named() {
    let mut facts = payers();
    facts.ways[0].parts[1].stale = true;
    let warnings = lines(&facts, "warnings", Language::En);
    assert!(warnings[0].starts_with("“Statement of income” from Second Payroll: Your credential is older"));
    assert!(facts.ways[0].is_stale() && !facts.ways[0].is_suspended());
}
