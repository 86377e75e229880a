//! Provers of more than one hidden thing: a sum, the ends of an interval, a name and its secret.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use vouchsafe_proofs::answer::Openings;
use vouchsafe_proofs::commitment::commit;
use vouchsafe_proofs::pseudonym::{LinkSecret, Scope};
use vouchsafe_proofs::sigma::{Hidden, Opened, link};
use vouchsafe_proofs::statement::{Predicate, Set, Statement, Term};

use crate::provers::{Call, INCOME, answered, context, credential, fresh, timed};

/// Two amounts less a third, each below 2^30, are always at most this.
const BOUND: u64 = 1 << 31;
/// Of the interval with number i the first value is i times this, and the last is half of it further.
const APART: u64 = 1 << 20;
const INTERVALS: u64 = 64;

pub(crate) fn sum(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let queries = ["q0", "q1", "q2"];
    let (mut credentials, mut openings) = (Vec::new(), Openings::new());
    for query in queries {
        let amount = rng.next_u64() % (1 << 30);
        let (v, blinding) = (random.map_or(0, |_| amount), fresh(rng));
        credentials.push(credential(query, commit(v, &blinding)));
        openings.add(query, INCOME, v, blinding);
    }
    let terms = queries.into_iter().zip([1, 1, -1]).map(|(query, coeff)| Term::new(query, INCOME, coeff));
    let statement = Statement { id: "sum".into(), terms: terms.collect(), predicate: Predicate::Le(BOUND) };
    answered(context(credentials), statement, openings)
}

pub(crate) fn interval(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let any = |random: u64| (random % INTERVALS) * APART + (random >> 32) % (APART / 2 + 1);
    within(random.map_or(0, any), rng)
}

pub(crate) fn interval_ends(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    within(random.map_or(0, |_| (INTERVALS - 1) * APART + APART / 2), rng)
}

/// A value of one of many intervals, in a whole answer: the ends hidden, and the value between them.
fn within(v: u64, rng: &mut ChaCha20Rng) -> Call {
    let blinding = fresh(rng);
    let context = context(vec![credential("q0", commit(v, &blinding))]);
    let mut openings = Openings::new();
    openings.add("q0", INCOME, v, blinding);
    let set = Set::of((0..INTERVALS).map(|i| [i * APART, i * APART + APART / 2]));
    let predicate = Predicate::Member(set.expect("they are in order and apart"));
    answered(context, Statement::of("within", "q0", INCOME, predicate), openings)
}

pub(crate) fn pseudonym(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let mut one = [0; 32];
    one[0] = 1;
    let any = LinkSecret::random(rng);
    let x = if random.is_some() { any } else { LinkSecret::from_canonical_bytes(one) };
    let x = x.expect("neither is nought");
    let t = fresh(rng);
    let scope = Scope::new("https://buses.example", "pass", "2026").expect("its parts are short");
    let item4 = x.pseudonym(&scope);
    let hidden = Hidden::new(&x.commit(&t)).expect("the blinding is not nought");
    let opened = Opened::link(&x, &t);
    timed(move |t, rng| link::prove(t, 0, &hidden, &item4, &opened, rng))
}
