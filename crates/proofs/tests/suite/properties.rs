//! The planner against plain integers.
use proptest::prelude::*;
use vouchsafe_proofs::{
    context::SignedRange,
    encoding::{EncodeError, Encoding, Plain, date_from, date_of, day},
    planner::{Declared, PlanError, Side, plan},
    statement::{Predicate, Statement},
};

fn declared(lo: u64, hi: u64) -> Declared<'static> {
    Declared { enc: Encoding::Pence, unit: "GBP-pence", range: Some(SignedRange { b: 64, lo, hi }) }
}

fn planned(predicate: Predicate, lo: u64, hi: u64) -> Result<(usize, Vec<Side>), PlanError> {
    let plan = plan(&[Statement::of("s", "q", "/p", predicate)], |_| Some(declared(lo, hi)))?;
    Ok((plan.n, plan.entries.iter().map(|entry| entry.side).collect()))
}

fn wide(n: u64) -> i128 {
    i128::from(n)
}

/// w over the integers, which is what the commitment arithmetic computes modulo l.
fn integer_witness(side: Side, v: u64) -> i128 {
    match side {
        Side::AtMost(k) => wide(k) - wide(v),
        Side::AtLeast(k) => wide(v) - wide(k),
        _ => unreachable!("one term against a public bound"),
    }
}

/// Numbers crowd where widths change.
fn number() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, u64::MAX];
    let near = (prop::sample::select(edges.to_vec()), -2i64..=2).prop_map(|(e, d)| e.wrapping_add_signed(d));
    prop_oneof![near, any::<u64>(), 0u64..200_000]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    prop_oneof![
        number().prop_map(Predicate::Le),
        number().prop_map(Predicate::Ge),
        (number(), number()).prop_map(|(lo, hi)| Predicate::In { lo, hi }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// All entries hold in [0, 2^n) exactly where the predicate holds, and n is the least that serves.
    #[test]
    fn entries_say_what_the_statement_says(p in predicate(), a in number(), b in number(), x in number()) {
        let (lo, hi) = (a.min(b), a.max(b));
        let Ok((n, sides)) = planned(p.clone(), lo, hi) else { return Ok(()) };
        let v = lo + ((u128::from(x) * (u128::from(hi - lo) + 1)) >> 64) as u64;
        for v in [lo, hi, v] {
            let within = |side: &Side| (0..1i128 << n).contains(&integer_witness(*side, v));
            prop_assert_eq!(sides.iter().all(within), p.holds(v));
        }
        let largest = sides.iter().flat_map(|s| [integer_witness(*s, lo), integer_witness(*s, hi)]).max().unwrap();
        prop_assert!(largest < 1 << n);
        prop_assert!(n == 16 || largest >= 1 << (n / 2));
    }

    /// A plan exists exactly where the bound divides the range.
    #[test]
    fn bounds_divide_the_range(p in predicate(), a in number(), b in number()) {
        let (lo, hi) = (a.min(b), a.max(b));
        let divides = match &p {
            Predicate::Le(k) => wide(lo) <= wide(*k) && wide(*k) < wide(hi),
            Predicate::Ge(k) => wide(lo) < wide(*k) && wide(*k) <= wide(hi),
            Predicate::In { lo: f, hi: l } => lo <= *f && f <= l && *l <= hi && (*f > lo || *l < hi),
            _ => unreachable!("bounds alone"),
        };
        prop_assert_eq!(planned(p, lo, hi).is_ok(), divides);
    }

    #[test]
    fn days_count_one_by_one(n in 0u64..3_000_000) {
        let date = date_of(n).unwrap();
        prop_assert_eq!(day(date), Ok(n));
        prop_assert_eq!(date_of(n + 1), date.tomorrow().ok());
        prop_assert_eq!(date_from(&date.to_string()), Ok(date));
    }
}

#[test]
fn widths_at_the_powers_of_two() {
    for (span, n) in [((1 << 16) - 1, 16), (1 << 16, 32), ((1 << 32) - 1, 32), (1 << 32, 64), (u64::MAX, 64)]
    {
        assert_eq!(planned(Predicate::Ge(1), 0, span + u64::from(span < u64::MAX)).unwrap().0, n, "{span}");
    }
    assert_eq!(planned(Predicate::Le(131_699), 102_268, 164_724).unwrap().0, 16);
}

#[test]
fn entries_come_in_statement_order_and_are_padded() {
    let asked = |id: &str, predicate| Statement::of(id, "q", "/p", predicate);
    let statements = [asked("a", Predicate::In { lo: 2, hi: 7 }), asked("b", Predicate::Ge(3))];
    let plan = plan(&statements, |_| Some(declared(0, 9))).unwrap();
    let sides: Vec<_> = plan.entries.iter().map(|e| (e.statement, e.side)).collect();
    assert_eq!(sides, [(0, Side::AtMost(7)), (0, Side::AtLeast(2)), (1, Side::AtLeast(3))]);
    assert_eq!((plan.n, plan.m), (16, 4));
}

#[test]
fn encodings_refuse_what_they_cannot_hold() {
    use EncodeError::*;
    use Plain::{Flag, Integer, Text};
    for (enc, plain, bits, expected) in [
        (Encoding::Day, Text("1970-01-01"), 32, Ok(135_140)),
        (Encoding::Day, Text("1599-12-31"), 32, Err(BeforeEpoch)),
        (Encoding::Day, Text("2026-02-29"), 32, Err(NotADate)),
        (Encoding::Day, Text("2026-2-28"), 32, Err(NotADate)),
        (Encoding::Day, Text("20260228"), 32, Err(NotADate)),
        (Encoding::Day, Text("+026-02-28"), 32, Err(NotADate)),
        (Encoding::Day, Text("2026-02-28T00:00"), 32, Err(NotADate)),
        (Encoding::Day, Integer(1), 32, Err(Kind)),
        (Encoding::Day, Text("2026-02-28"), 64, Err(WidthNotAllowed)),
        (Encoding::Pence, Integer(0), 32, Ok(0)),
        (Encoding::Pence, Integer((1 << 32) - 1), 32, Ok((1 << 32) - 1)),
        (Encoding::Pence, Integer(1 << 32), 32, Err(Width)),
        (Encoding::Pence, Integer(-1), 32, Err(Width)),
        (Encoding::Pence, Text("18446744073709551615"), 64, Ok(u64::MAX)),
        (Encoding::Pence, Text("18446744073709551616"), 64, Err(Width)),
        (Encoding::Pence, Text("007"), 64, Err(NotANumber)),
        (Encoding::Pence, Text("+7"), 64, Err(NotANumber)),
        (Encoding::Pence, Text(""), 64, Err(NotANumber)),
        (Encoding::Pence, Text("7"), 32, Err(Kind)),
        (Encoding::Pence, Integer(7), 64, Err(Kind)),
        (Encoding::Int, Flag(true), 32, Err(Kind)),
        (Encoding::Code, Integer(12), 32, Ok(12)),
        (Encoding::Bool, Flag(true), 8, Ok(1)),
        (Encoding::Bool, Flag(false), 8, Ok(0)),
        (Encoding::Bool, Integer(1), 8, Err(Kind)),
        (Encoding::Str, Text("x"), 32, Err(WidthNotAllowed)),
    ] {
        assert_eq!(enc.encode(plain, bits), expected, "{} {bits}", enc.as_str());
    }
}
