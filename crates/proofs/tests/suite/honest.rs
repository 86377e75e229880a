//! 10,000 random honest answers to statements of every kind, each accepted.

use std::cell::Cell;

use proptest::{prelude::*, test_runner::RngSeed};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use vouchsafe_proofs::{
    answer,
    commitment::Seed,
    planner::plan,
    pseudonym::LinkSecret,
    statement::{Predicate, Set, Statement},
};

use crate::common::{Case, declared, every_kind, rng, scope, signed, sum};

/// The largest amount: three times it fits 16 bits, which are quick to prove.
const LARGEST: u64 = 20_000;
const WARDS: u64 = 24;
const PEOPLE: [&str; 4] = ["resident-0042", "resident-0043", "resident-0101", "resident-7000"];

/// What is claimed: see [`Drawn::statement`].
const KINDS: [&str; 17] = [
    "a sum at most",
    "a sum at least",
    "a sum between",
    "at most",
    "at least",
    "between",
    "one of a few",
    "one of many",
    "none of a few",
    "none of many",
    "a value",
    "not a value",
    "equal texts",
    "different texts",
    "equal amounts",
    "different amounts",
    "within one of some intervals",
];

/// Two amounts, a ward, and what is claimed of them; `x` is whatever else there is to choose.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    one: u64,
    other: u64,
    ward: u64,
    kind: usize,
    x: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let amounts = (0..=LARGEST, 0..=LARGEST, 0..WARDS, 0..KINDS.len(), any::<u64>());
    amounts.prop_map(|(one, other, ward, kind, x)| Drawn {
        one,
        other: if KINDS[kind] == "equal amounts" { one } else { other },
        ward,
        kind,
        x,
    })
}

impl Drawn {
    /// A statement of its kind that is true.
    fn statement(&self) -> Statement {
        let pair = |pointer: &'static str, [one, other]: [&'static str; 2], predicate| {
            Statement::pair("random", [(one, pointer), (other, pointer)], predicate)
        };
        let of_ward = |predicate| Statement::of("random", "q0", "/ward", predicate);
        let of_total = |predicate| Statement::of("random", "q1", "/total", predicate);
        match KINDS[self.kind] {
            "equal texts" => pair("/person", ["q0", "q1"], Predicate::Eq(0)),
            "different texts" => pair("/person", ["q0", "q1"], Predicate::Ne(0)),
            "equal amounts" => pair("/total", ["q1", "q2"], Predicate::Eq(0)),
            "different amounts" => pair("/total", ["q1", "q2"], Predicate::Ne(0)),
            "one of a few" => of_ward(Predicate::Member(self.few(true))),
            "none of a few" => of_ward(Predicate::NotMember(self.few(false))),
            "one of many" => of_ward(Predicate::Member(self.wards())),
            "a value" => of_ward(Predicate::Eq(self.ward)),
            "not a value" => of_ward(Predicate::Ne((self.ward + 1 + self.x % (WARDS - 1)) % WARDS)),
            "none of many" => of_total(Predicate::NotMember(self.apart())),
            "within one of some intervals" => of_total(Predicate::Member(self.intervals())),
            _ => self.bounded(),
        }
    }

    /// A bound on a sum, or on one value.
    fn bounded(&self) -> Statement {
        let (terms, s): (&[(&str, &str, i64)], i128) = if self.kind < 3 {
            let s = 3 * i128::from(self.one) - 2 * i128::from(self.other);
            (&[("q1", "/total", 3), ("q2", "/total", -2)], s)
        } else {
            (&[("q0", "/ward", 1)], self.ward.into())
        };
        let near = |by: i128| u64::try_from(s + by).unwrap_or(0);
        let (less, more) = (i128::from(self.x % 9), i128::from(self.x % 7));
        let predicate = match self.kind % 3 {
            _ if s < 0 => Predicate::Le(near(more - s)),
            0 => Predicate::Le(near(more)),
            1 => Predicate::Ge(near(-less)),
            _ => Predicate::In { lo: near(-less.min(s)), hi: near(more) },
        };
        sum("random", terms, predicate)
    }

    /// At most six wards, with the ward or without it.
    fn few(&self, with: bool) -> Set {
        let others = (0..5).map(|i| self.x >> (8 * i) & 0xff).map(|byte| byte % WARDS);
        let next = (self.ward + 1) % WARDS;
        let wards = others.filter(|ward| *ward != self.ward).chain([if with { self.ward } else { next }]);
        Set::of(wards.map(|ward| [ward; 2])).unwrap()
    }

    /// Some half of all wards, the ward among them.
    fn wards(&self) -> Set {
        let listed = |ward: &u64| *ward == self.ward || self.x >> ward & 1 == 1;
        Set::of((0..WARDS).filter(listed).map(|ward| [ward; 2])).unwrap()
    }

    /// Some twenty amounts, without the one.
    fn apart(&self) -> Set {
        let amounts = (0..20).map(|i| 1_000 * i + self.x % 1_000);
        Set::of(amounts.filter(|amount| *amount != self.one).map(|amount| [amount; 2])).unwrap()
    }

    /// An interval around the one, and two others.
    fn intervals(&self) -> Set {
        let from = |first: u64, span: u64| [first, (first + span).min(LARGEST)];
        let around = from(self.one.saturating_sub(self.x % 600), 600);
        let others = [1, 2].map(|i| from((self.x >> (16 * i)) % (LARGEST - 1_000), 300));
        Set::of([around, others[0], others[1]]).unwrap()
    }

    /// The credentials that say what was drawn, blinded by seeds of their own, and the statement.
    fn case(&self, base: &Case) -> Case {
        let mut case = base.clone();
        let place = (self.x % 4) as usize;
        let second = if KINDS[self.kind] == "different texts" {
            place + 1 + (self.x >> 2) as usize % 3
        } else {
            place
        };
        let text = |place: usize| (0, Some(PEOPLE[place % 4]));
        for (query, pointer, (v, text)) in [
            ("q1", "/total", (self.one, None)),
            ("q2", "/total", (self.other, None)),
            ("q0", "/ward", (self.ward, None)),
            ("q0", "/person", text(place)),
            ("q1", "/person", text(second)),
        ] {
            let secret = case.secrets.iter_mut().find(|s| s.query == query && s.pointer == pointer).unwrap();
            (secret.v, secret.text) = (v, text);
            secret.seed[..8].copy_from_slice(&self.x.to_be_bytes());
            let c = signed(secret);
            let credential = case.context.credentials.iter_mut().find(|c| c.query == query).unwrap();
            credential.attributes.iter_mut().find(|a| a.pointer == pointer).unwrap().c = c;
        }
        case.statements = vec![self.statement()];
        case
    }

    /// Whether a pseudonym is shown beside it: for every other statement about the credential that has a link secret.
    fn names_somebody(&self, case: &Case) -> bool {
        self.x >> 32 & 1 == 1 && case.statements[0].terms.iter().any(|term| term.query == "q0")
    }
}

/// Whether the answer to it is made and accepted, with a pseudonym of another secret and epoch each time.
fn answered(drawn: &Drawn, mut case: Case) -> bool {
    let mut openings = case.openings();
    if drawn.names_somebody(&case) {
        let secret = LinkSecret::random(&mut ChaCha20Rng::seed_from_u64(drawn.x)).unwrap();
        let blinding = Seed::new([drawn.x as u8; 32]).blinding("iss", "vct", "/_link");
        openings.add_link("q0", &secret, &blinding);
        case.context.credentials[0].link = Some(secret.commit(&blinding));
        case.context.authorisation.pseudonym = Some(secret.pseudonym(&scope(&format!("{}", drawn.x % 100))));
    }
    let made = answer::prove(&case.context, &case.statements, &openings, &mut rng(drawn.x as u8));
    made.is_ok_and(|bytes| case.verify(&bytes).is_ok())
}

/// Credentials with these ranges and no pseudonym yet.
fn base() -> Case {
    let mut base = every_kind();
    base.context.authorisation.pseudonym = None;
    base.context.credentials[0].link = None;
    for attribute in base.context.credentials.iter_mut().flat_map(|credential| &mut credential.attributes) {
        match attribute.pointer.as_str() {
            "/ward" => attribute.range.as_mut().unwrap().hi = WARDS - 1,
            "/total" => attribute.range.as_mut().unwrap().hi = LARGEST,
            _ => {}
        }
    }
    base
}

/// Answers to `cases` random statements: every one that can be planned is proved and accepted. How many of each kind, and
/// how many with a pseudonym.
fn random_honest(cases: u32, seed: u64) -> ([u32; KINDS.len()], u32) {
    let config = ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() };
    let counted = Cell::new(([0; KINDS.len()], 0));
    let base = base();
    proptest!(config, |(drawn in drawn())| {
        let case = drawn.case(&base);
        if plan(&case.statements, |term| declared(&case.context, term)).is_ok() {
            let named = drawn.names_somebody(&case);
            prop_assert!(answered(&drawn, case), "{}", KINDS[drawn.kind]);
            let (mut kinds, mut names) = counted.get();
            kinds[drawn.kind] += 1;
            names += u32::from(named);
            counted.set((kinds, names));
        }
    });
    counted.get()
}

/// A quarter of ten thousand, every kind and the pseudonym among them.
fn accepted(seed: u64) {
    let (kinds, named) = random_honest(2_800, seed);
    for (count, kind) in kinds.iter().zip(KINDS) {
        assert!(*count > 80, "{kind}: {count}");
    }
    assert!(kinds.iter().sum::<u32>() >= 2_500 && named > 500, "{kinds:?}, {named} named");
}

#[test]
fn random_honest_answers_are_accepted_1() {
    accepted(1);
}

#[test]
fn random_honest_answers_are_accepted_2() {
    accepted(2);
}

#[test]
fn random_honest_answers_are_accepted_3() {
    accepted(3);
}

#[test]
fn random_honest_answers_are_accepted_4() {
    accepted(4);
}
