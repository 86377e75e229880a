//! Our own frozen vectors, `specs/vectors/vouchsafe-1/proofs.json`: made here, compared here, and checked by
//! an independent model elsewhere. `VOUCHSAFE_BLESS=1` writes the file anew, which makes a new version of the
//! profile.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};
use vouchsafe_proofs::{
    answer::{final_checkpoint, length},
    commitment::{Commitment, Seed, commit, commit_text},
    context::SignedRange,
    dates::{
        Unit, add_last_day, add_next_day, clamp,
        table::{PensionTable, Row},
    },
    encoding::{Encoding, Plain, Text, date_from, date_of, day},
    planner::{Declared, Part, Plan, Shows, Side, plan},
    statement::{Predicate, Set, Statement, Term},
    transcript::checkpoints,
};

use crate::common::{
    Case, INCOME, ISS, PAYER, PERSON, VCT, age, bus_pass, every_kind, everything, link_blinding, link_secret,
};

type Named = (&'static str, fn() -> Case);
/// The answers and transcripts of the file.
const CASES: [Named; 3] = [("age", age), ("bus-pass", bus_pass), ("everything", everything)];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/vouchsafe-1").join(name)
}

pub(crate) fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// Frozen answers: of bounds alone, then of every kind of statement.
pub(crate) fn frozen() -> Vec<Value> {
    ["proofs.json", "kinds.json"].map(|name| read(name)["answers"].as_array().unwrap().clone()).concat()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

#[test]
fn frozen_vectors_are_what_the_code_makes() {
    freeze(
        "proofs.json",
        json!({
            "version": "vouchsafe/v1",
            "encodings": encodings(),
            "refused_encodings": refused_encodings(),
            "texts": texts(),
            "clamps": clamps(),
            "birthdays": birthdays(),
            "tables": tables(),
            "commitments": commitments(),
            "plans": plans(),
            "transcripts": CASES.map(|(name, case)| transcript(name, &case())),
            "answers": CASES.map(|(name, case)| answer(name, &case())),
        }),
    );
}

/// Statements of every kind, in a file of their own.
#[test]
fn frozen_vectors_of_every_kind_are_what_the_code_makes() {
    let case = every_kind();
    let mut whole = answer("every-kind", &case);
    whole["plan"] = whole_plan_json(&case.plan());
    freeze("kinds.json", json!({ "version": "vouchsafe/v1", "plans": kinds(), "answers": [whole] }));
}

pub(crate) fn freeze(name: &str, made: Value) {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if env::var_os("VOUCHSAFE_BLESS").is_some() {
        fs::write(file(name), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let frozen = read(name);
    for (part, value) in made.as_object().unwrap() {
        assert_eq!(&frozen[part], value, "{part} differs from the frozen vectors");
    }
    assert_eq!(frozen, made);
}

#[test]
fn frozen_answers_are_accepted_from_the_file_alone() {
    for answer in frozen() {
        let context = serde_json::from_value(answer["context"].clone()).unwrap();
        let statements: Vec<Statement> = serde_json::from_value(answer["statements"].clone()).unwrap();
        let bytes = unhex(answer["answer"].as_str().unwrap());
        let last = final_checkpoint(&context, &statements, &bytes).unwrap();
        assert_eq!(json!(hex(&last)), answer["checkpoint"]);
    }
}

/// Answers that another implementation made (`tests/model`), of bounds alone and of every kind, with its own challenges
/// after every item.
#[test]
fn answers_of_the_independent_model_are_accepted() {
    let files =
        ["model.json", "model-kinds.json"].map(|name| read(name)["answers"].as_array().unwrap().clone());
    assert_eq!(files.each_ref().map(Vec::len), [3, 6]);
    for answer in files.concat() {
        let context = serde_json::from_value(answer["context"].clone()).unwrap();
        let statements: Vec<Statement> = serde_json::from_value(answer["statements"].clone()).unwrap();
        let bytes = unhex(answer["answer"].as_str().unwrap());
        let mut challenges = checkpoints(&context, &statements).to_vec();
        challenges.push(final_checkpoint(&context, &statements, &bytes).unwrap());
        let challenges: Vec<_> = challenges.iter().map(|bytes| hex(bytes)).collect();
        assert_eq!(json!(challenges), answer["checkpoints"], "{}", answer["name"]);
    }
}

/// What the model plans, and what it refuses.
#[test]
fn plans_of_the_independent_model_are_the_same() {
    let plans = read("model-kinds.json")["plans"].as_array().unwrap().clone();
    assert!(plans.len() > 40);
    for one in plans {
        let declared = |term: &Term| {
            let found = one["attributes"].get(&term.pointer)?;
            let enc = serde_json::from_value(found["enc"].clone()).unwrap();
            let range = serde_json::from_value(found["range"].clone()).unwrap();
            Some(Declared { enc, unit: found["unit"].as_str()?, range })
        };
        // A number or a set in another form is refused when it is read.
        let asked = serde_json::from_value::<Statement>(one["statement"].clone()).ok();
        let planned = asked.and_then(|statement| plan(&[statement], declared).ok());
        assert_eq!(json!(planned.as_ref().map(whole_plan_json)), one["plan"], "{}", one["name"]);
    }
}

#[test]
fn first_vectors_of_the_profile() {
    for (text, n) in [("1600-01-01", 0), ("1970-01-01", 135_140), ("2026-11-21", 155_918)] {
        assert_eq!(day(date_from(text).unwrap()), Ok(n));
    }
    let table = pension_table();
    for (today, cutoff, n) in [("2026-11-30", "1960-07-31", 131_699), ("2026-12-20", "1960-08-05", 131_704)] {
        assert_eq!(table.cutoff(date_from(today).unwrap()), Ok(n));
        assert_eq!(date_of(n).unwrap().to_string(), cutoff);
    }
}

fn encodings() -> Vec<Value> {
    let plain = |value: &Value| match value {
        Value::Bool(flag) => Plain::Flag(*flag),
        Value::Number(n) => Plain::Integer(n.as_i64().unwrap()),
        _ => panic!("not a plain value"),
    };
    let mut made = Vec::new();
    for (enc, bits, value) in [
        (Encoding::Day, 32, json!("1600-01-01")),
        (Encoding::Day, 32, json!("1899-12-31")),
        (Encoding::Day, 32, json!("1900-03-01")),
        (Encoding::Day, 32, json!("1970-01-01")),
        (Encoding::Day, 32, json!("2000-02-29")),
        (Encoding::Day, 32, json!("2026-11-21")),
        (Encoding::Day, 32, json!("9999-12-31")),
        (Encoding::Pence, 32, json!(0)),
        (Encoding::Pence, 32, json!(4_294_967_295u32)),
        (Encoding::Pence, 64, json!("4294967296")),
        (Encoding::Pence, 64, json!("18446744073709551615")),
        (Encoding::Int, 32, json!(366)),
        (Encoding::Code, 32, json!(12)),
        (Encoding::Bool, 8, json!(false)),
        (Encoding::Bool, 8, json!(true)),
    ] {
        let v = value
            .as_str()
            .map_or_else(|| enc.encode(plain(&value), bits), |t| enc.encode(Plain::Text(t), bits));
        made.push(json!({ "enc": enc, "bits": bits, "plain": value, "v": v.unwrap() }));
    }
    made
}

fn refused_encodings() -> Vec<Value> {
    let refused = [
        (Encoding::Day, 32, "1599-12-31"),
        (Encoding::Day, 32, "1900-02-29"),
        (Encoding::Day, 32, "2026-02-29"),
        (Encoding::Day, 32, "2026-2-28"),
        (Encoding::Day, 32, "20260228"),
        (Encoding::Pence, 64, "18446744073709551616"),
        (Encoding::Pence, 64, "007"),
        (Encoding::Pence, 64, "+7"),
        (Encoding::Pence, 32, "7"),
    ];
    refused
        .map(|(enc, bits, text)| {
            assert!(enc.encode(Plain::Text(text), bits).is_err());
            json!({ "enc": enc, "bits": bits, "plain": text })
        })
        .into()
}

fn texts() -> Vec<Value> {
    let person = "https://register.larkfield.example/text/person";
    let cases =
        [(person, "resident-0042"), (person, ""), ("", "resident-0042"), (person, "Llanfair, Ynys Môn")];
    cases.map(|(uri, text)| {
        json!({ "type_uri": uri, "text": text, "scalar": hex(&*Text::new(uri, text).to_bytes()) })
    }).into()
}

fn clamps() -> Vec<Value> {
    let mut made = Vec::new();
    for today in
        ["2026-02-28", "2026-03-01", "2028-02-28", "2028-02-29", "2028-03-01", "2026-03-31", "2026-11-30"]
    {
        for (n, unit) in [
            (18, Unit::Years),
            (60, Unit::Years),
            (66, Unit::Years),
            (1, Unit::Months),
            (792, Unit::Months),
            (1, Unit::Days),
            (6574, Unit::Days),
        ] {
            let latest = clamp(date_from(today).unwrap(), n, unit).unwrap();
            made.push(json!({ "today": today, "n": n, "unit": unit, "latest": latest.to_string() }));
        }
    }
    made
}

fn birthdays() -> Vec<Value> {
    let mut made = Vec::new();
    for born in ["2008-02-28", "2008-02-29", "2008-03-01", "1960-07-31", "1960-12-31", "1961-01-31"] {
        for (years, months) in [(18, 0), (20, 0), (66, 4), (66, 9), (0, 1), (0, 13)] {
            let d = date_from(born).unwrap();
            let next_day = add_next_day(d, years, months).unwrap().to_string();
            let last_day = add_last_day(d, years, months).unwrap().to_string();
            made.push(json!({
                "born": born, "years": years, "months": months, "next_day": next_day, "last_day": last_day
            }));
        }
    }
    made
}

/// The state-pension rows for 1960 births as published, with earlier and later births in one row each.
pub(crate) fn pension_rows() -> Value {
    let at = |from: &str, to: &str, years: u32, months: u32| json!({ "from": from, "to": to, "years": years, "months": months, "overflow": "last_day" });
    json!([
        at("1880-01-01", "1960-04-05", 66, 0),
        at("1960-04-06", "1960-05-05", 66, 1),
        at("1960-05-06", "1960-06-05", 66, 2),
        at("1960-06-06", "1960-07-05", 66, 3),
        at("1960-07-06", "1960-08-05", 66, 4),
        at("1960-08-06", "1960-09-05", 66, 5),
        at("1960-09-06", "1960-10-05", 66, 6),
        at("1960-10-06", "1960-11-05", 66, 7),
        at("1960-11-06", "1960-12-05", 66, 8),
        at("1960-12-06", "1961-01-05", 66, 9),
        at("1961-01-06", "1961-02-05", 66, 10),
        at("1961-02-06", "1961-03-05", 66, 11),
        at("1961-03-06", "2050-12-31", 67, 0),
    ])
}

/// Rows with fixed dates, as an older timetable had them.
fn dated_rows() -> Value {
    json!([
        { "from": "1880-01-01", "to": "1953-12-05", "date": "2019-03-06" },
        { "from": "1953-12-06", "to": "1954-01-05", "date": "2019-03-06" },
        { "from": "1954-01-06", "to": "1954-02-05", "date": "2019-05-06" },
        { "from": "1954-02-06", "to": "2050-12-31", "years": 66, "months": 0, "overflow": "next_day" },
    ])
}

fn load(rows: &Value) -> PensionTable {
    let rows: Vec<Row> = serde_json::from_value(rows.clone()).unwrap();
    PensionTable::load(rows, 102_268, 164_724).unwrap()
}

pub(crate) fn pension_table() -> PensionTable {
    load(&pension_rows())
}

/// `cutoff` is null where the table divides nothing.
fn tables() -> Vec<Value> {
    let todays = [
        "1945-12-31",
        "1946-01-01",
        "2019-03-05",
        "2019-03-06",
        "2019-05-05",
        "2019-05-06",
        "2020-02-06",
        "2026-11-30",
        "2026-12-04",
        "2026-12-05",
        "2026-12-20",
        "2027-02-28",
        "2028-02-29",
        "2116-12-30",
        "2116-12-31",
        "2117-12-31",
    ];
    [pension_rows(), dated_rows()]
        .map(|rows| {
            let table = load(&rows);
            let cutoffs = todays.map(
                |today| json!({ "today": today, "cutoff": table.cutoff(date_from(today).unwrap()).ok() }),
            );
            json!({ "lo": 102_268, "hi": 164_724, "rows": rows, "cutoffs": cutoffs })
        })
        .into()
}

fn commitments() -> Vec<Value> {
    let mut made = Vec::new();
    for (seed, iss, vct, pointer, v) in [
        ([7; 32], ISS, VCT, "/birth_date", 130_825),
        ([7; 32], ISS, VCT, "/ward", 6),
        ([8; 32], PAYER, INCOME, "/total", 0),
        ([0; 32], "", "", "", 1),
        ([0xff; 32], PAYER, INCOME, "/savings", u64::MAX),
    ] {
        let r = Seed::new(seed).blinding(iss, vct, pointer);
        made.push(json!({
            "seed": hex(&seed), "iss": iss, "vct": vct, "pointer": pointer,
            "v": v, "r": hex(&*r.to_bytes()), "c": commit(v, &r),
        }));
    }
    let r = Seed::new([7; 32]).blinding(ISS, VCT, "/person");
    let v = Text::new("https://register.larkfield.example/text/person", "resident-0042");
    made.push(json!({
        "seed": hex(&[7; 32]), "iss": ISS, "vct": VCT, "pointer": "/person",
        "scalar": hex(&*v.to_bytes()), "r": hex(&*r.to_bytes()), "c": commit_text(&v, &r),
    }));
    made
}

/// Plans over one attribute `/p` of query `q` with the declared encoding and range; `plan` is null where the
/// statements are refused.
fn plans() -> Vec<Value> {
    use Predicate::{Ge, In, Le};
    let in_range = |lo, hi| In { lo, hi };
    let mut made = Vec::new();
    for (enc, b, lo, hi, predicates) in [
        (Encoding::Day, 32, 102_268, 164_724, vec![Le(131_699)]),
        (Encoding::Day, 32, 102_268, 164_724, vec![Le(102_268), Ge(164_724), Ge(102_269), Le(164_723)]),
        (Encoding::Day, 32, 102_268, 164_724, vec![Le(164_724)]),
        (Encoding::Day, 32, 102_268, 164_724, vec![Ge(102_268)]),
        (Encoding::Day, 32, 102_268, 164_724, vec![Le(102_267)]),
        (Encoding::Code, 32, 0, 23, vec![in_range(3, 9), Ge(1), in_range(5, 5)]),
        (Encoding::Code, 32, 0, 23, vec![in_range(0, 23)]),
        (Encoding::Code, 32, 0, 23, vec![in_range(9, 3)]),
        (Encoding::Code, 32, 0, 23, vec![in_range(3, 24)]),
        (Encoding::Int, 32, 0, 65_536, vec![Ge(1)]),
        (Encoding::Int, 32, 0, 65_537, vec![Ge(1)]),
        (Encoding::Pence, 64, 0, u64::MAX, vec![Le(4_294_967_295)]),
        (Encoding::Pence, 64, 0, u64::MAX, vec![Le(4_294_967_296)]),
        (Encoding::Pence, 64, 0, u64::MAX, vec![Ge(1), Le(u64::MAX - 1)]),
        (Encoding::Pence, 32, 0, 4_294_967_296, vec![Ge(1)]),
        (Encoding::Day, 64, 0, 9, vec![Ge(1)]),
        (Encoding::Int, 32, 9, 0, vec![Ge(1)]),
        (Encoding::Int, 32, 0, 99, (0..16).map(|i| in_range(i, 50)).skip(1).collect()),
        (Encoding::Int, 32, 0, 99, (1..18).map(|i| in_range(i, 50)).collect()),
        (Encoding::Int, 32, 0, 99, vec![]),
    ] {
        let asked = |(i, p): (usize, &Predicate)| Statement::of(&format!("s{i}"), "q", "/p", p.clone());
        let statements: Vec<_> = predicates.iter().enumerate().map(asked).collect();
        let range = Some(SignedRange { b, lo, hi });
        let planned = plan(&statements, |_| Some(Declared { enc, unit: "", range })).ok();
        made.push(json!({
            "enc": enc, "range": range, "statements": statements, "plan": planned.as_ref().map(plan_json),
        }));
    }
    made
}

/// Plans of one statement over `q1/a`, `q2/a` (pence, 0 to 4,000,000,000), `q1/s`, `q2/s` (str) and `q1/w` (codes, 0 to
/// 999); `plan` is null where the statement is refused.
fn kinds() -> Vec<Value> {
    use Predicate::{Eq, Ge, In, Le, Member, Ne, NotMember};
    let set = |intervals: &[[u64; 2]]| Set::of(intervals.iter().copied()).unwrap();
    let apart = |count: u64| Set::of((0..count).map(|i| [2 * i; 2])).unwrap();
    let a = |query, coeff| Term::new(query, "/a", coeff);
    let (w, s) = (|| Term::new("q1", "/w", 1), |query, coeff| Term::new(query, "/s", coeff));
    let made = [
        (vec![a("q1", 1), a("q2", 1)], Le(2_000_000)),
        (vec![a("q1", 1), a("q2", 1)], Le(4_294_967_295)),
        (vec![a("q1", 1), a("q2", 1)], Le(8_000_000_000)),
        (vec![a("q1", 52), a("q2", -12)], Ge(60_000_000)),
        (vec![a("q1", 1), a("q2", -1)], Le(0)),
        (vec![a("q1", -1)], Ge(0)),
        (vec![a("q1", -1)], Ge(1)),
        (vec![a("q1", 65_536)], In { lo: 1, hi: 9 }),
        (vec![a("q1", 65_537)], Le(9)),
        (vec![a("q1", 0)], Le(9)),
        (vec![a("q1", 1), a("q1", 1)], Le(9)),
        (vec![a("q1", 1), w()], Le(9)),
        (vec![s("q1", 1), s("q2", 1)], Le(9)),
        (vec![], Le(9)),
        (vec![s("q1", 1), s("q2", -1)], Eq(0)),
        (vec![s("q1", 1), s("q2", -1)], Ne(0)),
        (vec![s("q1", 1), s("q2", -1)], Eq(1)),
        (vec![s("q1", 1), s("q2", 1)], Eq(0)),
        (vec![s("q1", 1), s("q1", -1)], Eq(0)),
        (vec![s("q1", 1)], Eq(0)),
        (vec![a("q1", 1), a("q2", -1)], Eq(0)),
        (vec![a("q1", 1)], Eq(7)),
        (vec![a("q1", 1)], Ne(4_000_000_000)),
        (vec![a("q1", 1)], Ne(4_000_000_001)),
        (vec![w()], Member(set(&[[7, 14]]))),
        (vec![w()], Member(set(&[[7, 14], [16, 16]]))),
        (vec![w()], Member(set(&[[0, 499], [501, 998]]))),
        (vec![w()], Member(set(&[[0, 999]]))),
        (vec![w()], Member(set(&[[0, 9], [998, 1_000]]))),
        (vec![w()], Member(apart(500))),
        (vec![w()], NotMember(apart(16))),
        (vec![w()], NotMember(apart(17))),
        (vec![w()], NotMember(set(&[[1, 998]]))),
        (vec![a("q1", 1), a("q2", 1)], Member(apart(9))),
    ];
    let declared = |term: &Term| match term.pointer.as_str() {
        "/a" => amount(Encoding::Pence, "GBP-pence", Some(4_000_000_000)),
        "/w" => amount(Encoding::Code, "wards/1", Some(999)),
        _ => amount(Encoding::Str, PERSON, None),
    };
    let plans = made.into_iter().map(|(terms, predicate)| {
        let statement = Statement { id: "s".into(), terms, predicate };
        let planned = plan(std::slice::from_ref(&statement), |term| Some(declared(term))).ok();
        json!({ "statement": statement, "plan": planned.as_ref().map(whole_plan_json) })
    });
    plans.collect()
}

fn amount(enc: Encoding, unit: &'static str, hi: Option<u64>) -> Declared<'static> {
    Declared { enc, unit, range: hi.map(|hi| SignedRange { b: 32, lo: 0, hi }) }
}

fn plan_json(plan: &Plan) -> Value {
    let entry = |side: Side| match side {
        Side::AtMost(k) => json!({ "at_most": k }),
        Side::AtLeast(k) => json!({ "at_least": k }),
        Side::Term { term, lo } => json!({ "term": term, "lo": lo }),
        Side::TermUpTo { term, hi } => json!({ "term": term, "hi": hi }),
        Side::FromFirst => json!("from_first"),
        Side::ToLast => json!("to_last"),
    };
    let entries: Vec<_> =
        plan.entries.iter().map(|e| json!({ "statement": e.statement, "side": entry(e.side) })).collect();
    json!({ "n": plan.n, "m": plan.m, "entries": entries })
}

/// A plan with its sub-proofs without a range.
fn whole_plan_json(plan: &Plan) -> Value {
    let shows = |part: &Part| match &part.shows {
        Shows::Equal => json!("equal"),
        Shows::Differ => json!("differ"),
        Shows::DiffersFrom(v) => json!({ "differs_from": v }),
        Shows::OneOf(elements) => json!({ "one_of": elements }),
        Shows::Element(elements) => json!({ "element": elements }),
        Shows::Within(set) => json!({ "within": set }),
    };
    let parts: Vec<_> =
        plan.parts.iter().map(|p| json!({ "statement": p.statement, "shows": shows(p) })).collect();
    let mut made = plan_json(plan);
    if plan.pseudonym {
        made["pseudonym"] = json!(true);
    }
    made["parts"] = json!(parts);
    made["length"] = json!(length(plan));
    made
}

fn transcript(name: &str, case: &Case) -> Value {
    let after = checkpoints(&case.context, &case.statements).map(|bytes| hex(&bytes));
    json!({ "name": name, "context": case.context, "statements": case.statements, "checkpoints": after })
}

pub(crate) fn answer(name: &str, case: &Case) -> Value {
    let bytes = case.prove().unwrap();
    let openings: Vec<_> = case
        .secrets
        .iter()
        .map(|s| {
            let mut opening =
                json!({ "query": s.query, "pointer": s.pointer, "v": s.v, "r": hex(&*s.blinding().to_bytes()) });
            if let Some(text) = s.text {
                opening["v"] = json!({ "type_uri": PERSON, "text": text });
            }
            opening
        })
        .collect();
    let mut made = json!({
        "name": name,
        "context": case.context,
        "statements": case.statements,
        "openings": openings,
        "plan": plan_json(&case.plan()),
        "answer": hex(&bytes),
        "checkpoint": hex(&final_checkpoint(&case.context, &case.statements, &bytes).unwrap()),
    });
    if case.plan().pseudonym {
        let [x, t] = [link_secret().to_bytes(), link_blinding().to_bytes()].map(|bytes| hex(&*bytes));
        made["link"] = json!({ "query": "q0", "secret": x, "blinding": t });
    }
    made
}

#[test]
fn commitments_refuse_unknown_forms() {
    for text in [json!("00"), json!("zz".repeat(32)), json!("AB".repeat(32)), json!(1)] {
        assert!(serde_json::from_value::<Commitment>(text).is_err());
    }
}
