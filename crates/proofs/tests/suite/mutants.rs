//! Every check and every binding, switched off alone, lets an attack pass that is refused otherwise.

use std::{collections::BTreeSet, fs, path::Path};

use vouchsafe_mutants::without;
use vouchsafe_proofs::{
    answer::{Openings, final_checkpoint, prove, verify},
    commitment::{Blinding, Seed, commit},
    context::{Context, SignedRange},
    dates::table::{PensionTable, Row},
    encoding::{Encoding, date_from},
    planner::{Declared, plan},
    statement::{Predicate, Set, Statement, Term},
};

use crate::{
    common::{Case, age, bus_pass, everything, rng},
    table::CHANGES,
    vectors::{frozen, pension_rows, unhex},
};

/// The name of a check, and an attack: true if it passes.
type Attack = (&'static str, fn() -> bool);

const ATTACKS: &[Attack] = &[
    ("zk-version", || tampered(|answer| answer[0] = 2)),
    ("zk-type", || tampered(|answer| answer[1] = 2)),
    ("zk-length", || tampered(|answer| answer[5] ^= 1)),
    ("zk-trailing", || tampered(|answer| answer.push(0))),
    // The first scalar of the range proof: it stays one.
    ("zk-proof", || tampered(|answer| answer[6 + 4 * 32] ^= 1)),
    ("zk-identity", identity),
    ("zk-ambiguous", ambiguous),
    ("zk-plan-empty", || planned(Encoding::Int, 32, 0, 9, &[])),
    ("zk-plan-ids", repeated_id),
    ("zk-plan-terms", || summed(17, 1)),
    ("zk-plan-coefficient", || summed(2, (1 << 16) + 1)),
    ("zk-plan-distinct", counted_twice),
    ("zk-plan-units", other_units),
    ("zk-plan-length", too_long),
    ("zk-plan-width", || planned(Encoding::Int, 64, 0, 9, &[Predicate::Ge(1)])),
    ("zk-plan-range", || planned(Encoding::Int, 32, 0, 1 << 32, &[Predicate::Ge(1)])),
    ("zk-plan-nym-link", || unlinked(|case| case.context.credentials[0].link = None)),
    ("zk-plan-nym-item", || unlinked(|case| case.context.authorisation.pseudonym = None)),
    ("zk-plan-nym-named", unnamed),
    ("zk-plan-bound", || planned(Encoding::Int, 32, 0, 9, &[Predicate::Le(9)])),
    ("zk-plan-size", || planned(Encoding::Int, 32, 0, 99, &vec![Predicate::Ge(1); 33])),
    ("zk-table-first", || loads(|rows| rows[0].from = rows[0].from.tomorrow().unwrap())),
    ("zk-table-last", || loads(|rows| rows[12].to = rows[12].to.yesterday().unwrap())),
    ("zk-table-row", backwards),
    ("zk-table-gap", || loads(|rows| rows[3].to = rows[3].to.yesterday().unwrap())),
    ("zk-table-order", || loads(|rows| rows[3].reached = rows[8].reached)),
    ("zk-table-nobody", || cutoff("1900-01-01")),
    ("zk-table-everybody", || cutoff("2200-01-01")),
];

#[test]
fn every_check_is_missed() {
    for (name, attack) in ATTACKS {
        assert!(!attack(), "the attack on {name} passes with the check in place");
        assert!(without(name, attack), "without {name} the attack still fails: another check hides it");
    }
}

/// Without one append, an answer made for one context passes in another.
#[test]
fn every_binding_that_stands_alone_is_missed() {
    for change in CHANGES {
        let Some(mutant) = change.alone else { continue };
        let passes = || {
            let honest = everything();
            let answer = honest.prove().unwrap();
            let mut changed = honest;
            (change.apply)(&mut changed);
            changed.verify(&answer).is_ok()
        };
        assert!(!passes(), "{mutant}");
        assert!(without(mutant, passes), "{mutant} is not the only binding of this field");
    }
}

/// Without any one append, the frozen answer no longer leads to the frozen challenge.
#[test]
fn every_append_is_missed_by_the_vectors() {
    let answers = frozen().into_iter().map(|answer| {
        let context: Context = serde_json::from_value(answer["context"].clone()).unwrap();
        let statements: Vec<Statement> = serde_json::from_value(answer["statements"].clone()).unwrap();
        let [bytes, expected] = ["answer", "checkpoint"].map(|name| unhex(answer[name].as_str().unwrap()));
        (context, statements, bytes, expected)
    });
    let answers: Vec<_> = answers.skip(2).collect();
    let reached = || {
        answers.iter().all(|(context, statements, bytes, expected)| {
            final_checkpoint(context, statements, bytes).is_ok_and(|last| last[..] == expected[..])
        })
    };
    assert!(reached());
    for name in names().iter().filter(|name| name.starts_with("zk-bind-")) {
        let name: &'static str = name.clone().leak();
        assert!(!without(name, reached), "{name} is not missed");
    }
}

#[test]
fn every_name_has_a_test() {
    // Sub-proofs are attacked beside their source, where they can be made without an answer around them.
    let beside = [
        include_str!("../../src/answer/tests.rs"),
        include_str!("../../src/range/tests.rs"),
        include_str!("../../src/sigma/tests.rs"),
        include_str!("../../src/sigma/tests/nonces.rs"),
        include_str!("../../src/sigma/tests/words.rs"),
        include_str!("../../src/sigma/link/tests/forged.rs"),
        include_str!("../../src/pseudonym.rs"),
    ];
    let attacks: Vec<&str> =
        beside.iter().map(|text| text.split_once("mod switched_off").unwrap().1).collect();
    let quoted = |name: &str| attacks.iter().any(|text| text.contains(&format!("\"{name}\"")));
    let elsewhere = |name: &String| name.starts_with("zk-bind-") || quoted(name);
    let attacked = ATTACKS.iter().map(|(name, _)| (*name).to_owned());
    let tested: BTreeSet<_> = attacked.chain(names().into_iter().filter(elsewhere)).collect();
    assert_eq!(names(), tested);
    assert!(CHANGES.iter().filter_map(|change| change.alone).all(|name| tested.contains(name)));
}

/// The names written in the crate's sources.
fn names() -> BTreeSet<String> {
    fn read(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                read(&entry.path(), found);
            } else {
                let source = fs::read_to_string(entry.path()).unwrap();
                let quoted = source.split('"').filter(|text| text.starts_with("zk-") && !text.contains(' '));
                found.extend(quoted.map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn tampered(spoil: fn(&mut Vec<u8>)) -> bool {
    let case = age();
    let mut answer = case.prove().unwrap();
    spoil(&mut answer);
    case.verify(&answer).is_ok()
}

/// Com(0; 0) opens without knowing any secret.
fn identity() -> bool {
    let mut case = bus_pass();
    case.statements = vec![Statement::of("ward", "q0", "/ward", Predicate::Le(9))];
    case.context.credentials[0].attributes[1].c.0 = [0; 32];
    let mut openings = Openings::new();
    openings.add("q0", "/ward", 0, Blinding::from_canonical_bytes([0; 32]).unwrap());
    let answer = prove(&case.context, &case.statements, &openings, &mut rng(1));
    answer.is_ok_and(|answer| case.verify(&answer).is_ok())
}

/// Two entries for one pointer: the prover would choose.
fn ambiguous() -> bool {
    let mut case = age();
    let mut second = case.context.credentials[0].attributes[0].clone();
    second.c = commit(1, &Seed::new([9; 32]).blinding("", "", ""));
    case.context.credentials[0].attributes.push(second);
    case.prove().is_ok_and(|answer| verify(&case.context, &case.statements, &answer).is_ok())
}

fn repeated_id() -> bool {
    let mut case: Case = bus_pass();
    case.statements[1].id = case.statements[0].id.clone();
    case.prove().is_ok()
}

/// One attribute as two terms.
fn counted_twice() -> bool {
    let mut case = age();
    let twice = case.statements[0].terms[0].clone();
    case.statements[0].terms.push(twice);
    case.statements[0].predicate = Predicate::Le(300_000);
    case.prove().is_ok_and(|answer| case.verify(&answer).is_ok())
}

/// A pseudonym is said or a secret signed, and no sub-proof binds the one to the other.
fn unlinked(spoil: fn(&mut Case)) -> bool {
    let mut case = everything();
    spoil(&mut case);
    case.prove().is_ok_and(|answer| case.verify(&answer).is_ok())
}

/// From a credential that item 5 leaves out.
fn unnamed() -> bool {
    let mut case = everything();
    case.statements.retain(|statement| statement.terms.iter().all(|term| term.query == "q1"));
    case.prove().is_ok_and(|answer| case.verify(&answer).is_ok())
}

fn planned(enc: Encoding, b: u8, lo: u64, hi: u64, predicates: &[Predicate]) -> bool {
    let asked = |(i, p): (usize, &Predicate)| Statement::of(&format!("s{i}"), "q", "/p", p.clone());
    let statements: Vec<_> = predicates.iter().enumerate().map(asked).collect();
    plan(&statements, |_| Some(Declared { enc, unit: "", range: Some(SignedRange { b, lo, hi }) })).is_ok()
}

/// The sum of so many amounts of one credential, each times `coeff`.
fn summed(count: usize, coeff: i64) -> bool {
    let terms = (0..count).map(|i| Term::new("q", &format!("/{i}"), coeff)).collect();
    let statement = Statement { id: "sum".into(), terms, predicate: Predicate::Le(1) };
    plan(&[statement], |_| Some(declared(Encoding::Pence, "GBP-pence"))).is_ok()
}

fn declared(enc: Encoding, unit: &str) -> Declared<'_> {
    Declared { enc, unit, range: Some(SignedRange { b: 32, lo: 0, hi: 999 }) }
}

fn other_units() -> bool {
    let terms = vec![Term::new("q", "/a", 1), Term::new("q", "/b", 1)];
    let statement = Statement { id: "sum".into(), terms, predicate: Predicate::Le(1) };
    plan(&[statement], |term| {
        Some(declared(Encoding::Int, if term.pointer == "/a" { "rooms" } else { "people" }))
    })
    .is_ok()
}

/// Eight lists of sixteen values, each value by itself: 20 KiB.
fn too_long() -> bool {
    let set = Set::of([[1, 16]]).unwrap();
    let statements: Vec<_> = (0..8)
        .map(|i| Statement::of(&format!("s{i}"), "q", "/p", Predicate::NotMember(set.clone())))
        .collect();
    plan(&statements, |_| Some(declared(Encoding::Code, "list/1"))).is_ok()
}

fn load(rows: Vec<Row>) -> bool {
    PensionTable::load(rows, 102_268, 164_724).is_ok()
}

fn rows() -> Vec<Row> {
    serde_json::from_value(pension_rows()).unwrap()
}

fn loads(alter: fn(&mut Vec<Row>)) -> bool {
    let mut rows = rows();
    alter(&mut rows);
    load(rows)
}

/// A row that ends before it begins, with neighbours that fit it.
fn backwards() -> bool {
    loads(|rows| {
        let reached = rows[5].reached;
        rows[4].reached = reached;
        rows[4].to = rows[4].from.yesterday().unwrap().yesterday().unwrap();
        rows[5].from = rows[4].to.tomorrow().unwrap();
    })
}

fn cutoff(today: &str) -> bool {
    let table = PensionTable::load(rows(), 102_268, 164_724).unwrap();
    table.cutoff(date_from(today).unwrap()).is_ok()
}
