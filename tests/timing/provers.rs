//! What is measured: provers with a fixed value, or with one that chance chose.
//!
//! | line | first class | second class |
//! |---|---|---|
//! | `zk/prove/32x1` | the difference to the bound has no bit set | any value below the bound |
//! | `zk/prove/sum-3` | three noughts, one of them taken off | any three values |
//! | `zk/prove/equal` | two noughts | any value, twice |
//! | `zk/prove/differ` | apart by one | any two values |
//! | `zk/prove/one-of-8` | the first of the list | any of the list |
//! | `zk/prove/one-of-8/ends` | the first of the list | the last |
//! | `zk/prove/member-64`, `-1024` | the first of the list | any of the list |
//! | `zk/prove/member-1024/ends` | the first of the list | the last |
//! | `zk/prove/interval-64` | the first value of the first interval | any value of any interval |
//! | `zk/prove/interval-64/ends` | the first value of the first interval | the last value of the last |
//! | `zk/prove/pseudonym` | the link secret one | any link secret |
//! | `control/32x1` | as `zk/prove/32x1`, and a commitment more for every bit of the difference | |
//!
//! The slow ones take fewer samples: what they repeat is measured by the lines before them.

use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use vouchsafe_proofs::answer::{Openings, prove};
use vouchsafe_proofs::commitment::{Blinding, Commitment, Seed, commit};
use vouchsafe_proofs::context::{Attribute, Authorisation, Context, Credential, IssuerKey, SignedRange};
use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_proofs::sigma::inequality::Different;
use vouchsafe_proofs::sigma::{Element, Hidden, List, Opened, equality, inequality, membership, one_of};
use vouchsafe_proofs::statement::{Predicate, Statement};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use crate::asked::{policy, request};
use crate::several;

/// The bound of the range proof, and its fixed value: the difference has no bit set.
const BOUND: u64 = (1 << 31) + 12_345;
/// Elements of the lists.
const FEW: u64 = 8;
const MANY: u64 = 64;
const MOST: u64 = 1_024;
/// Where the hidden amount of a credential is.
pub(crate) const INCOME: &str = "/income";

/// A call whose time is taken.
pub(crate) type Call = Box<dyn FnOnce()>;
/// Makes a call, for the fixed value or for one from a random number.
type Input = fn(Option<u64>, &mut ChaCha20Rng) -> Call;

/// One line of the output.
pub(crate) struct Prover {
    pub(crate) name: &'static str,
    /// By how much fewer samples do, where the leak is on purpose and large.
    pub(crate) less: usize,
    pub(crate) leaks: bool,
    pub(crate) input: Input,
}

pub(crate) fn all() -> Vec<Prover> {
    let some = |less| move |name, input| Prover { name, less, leaks: false, input };
    let (all, fewer) = (some(1), some(10));
    vec![
        all("zk/prove/32x1", range),
        fewer("zk/prove/sum-3", several::sum),
        all("zk/prove/equal", equal),
        all("zk/prove/differ", differ),
        all("zk/prove/one-of-8", few),
        all("zk/prove/one-of-8/ends", few_ends),
        all("zk/prove/member-64", many),
        fewer("zk/prove/member-1024", most),
        fewer("zk/prove/member-1024/ends", most_ends),
        fewer("zk/prove/interval-64", several::interval),
        fewer("zk/prove/interval-64/ends", several::interval_ends),
        all("zk/prove/pseudonym", several::pseudonym),
        Prover { name: "control/32x1", less: 10, leaks: true, input: leaking },
    ]
}

fn range(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let v = random.map_or(BOUND, |random| random % (BOUND + 1));
    let blinding = fresh(rng);
    let context = context(vec![credential("q0", commit(v, &blinding))]);
    let mut openings = Openings::new();
    openings.add("q0", INCOME, v, blinding);
    answered(context, Statement::of("income", "q0", INCOME, Predicate::Le(BOUND)), openings)
}

/// A whole answer to one statement.
pub(crate) fn answered(context: Context, statement: Statement, openings: Openings) -> Call {
    let statements = [statement];
    Box::new(move || {
        let proof = prove(&context, &statements, &openings, &mut EntropyRng(&OsEntropy::new()));
        std::hint::black_box(proof.expect("the statement is true"));
    })
}

/// As [`range`], and a commitment more for every bit of the difference.
fn leaking(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let bits = random.map_or(0, |random| (BOUND - random % (BOUND + 1)).count_ones());
    let blinding = fresh(rng);
    let honest = range(random, rng);
    Box::new(move || {
        honest();
        for bit in 0..bits {
            std::hint::black_box(commit(u64::from(bit), &blinding));
        }
    })
}

fn equal(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let v = random.unwrap_or(0);
    let (pair, difference) = pair([v, v], rng);
    timed(move |t, rng| equality::prove(t, 0, &pair, &difference, rng))
}

fn differ(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let v = random.map_or(1, |random| random.max(1));
    let (pair, difference) = pair([v, 0], rng);
    timed(move |t, rng| inequality::prove(t, 0, Different::Pair(&pair), &difference, rng))
}

fn few(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    of_few(listed(random.map(|random| random % FEW), FEW, rng))
}

fn few_ends(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    of_few(listed(random.map(|_| FEW - 1), FEW, rng))
}

fn many(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    of_many(listed(random.map(|random| random % MANY), MANY, rng))
}

fn most(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    of_many(listed(random.map(|random| random % MOST), MOST, rng))
}

fn most_ends(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    of_many(listed(random.map(|_| MOST - 1), MOST, rng))
}

fn of_few((hidden, opened, list): Listed) -> Call {
    timed(move |t, rng| one_of::prove(t, 0, &hidden, &list, &opened, rng))
}

fn of_many((hidden, opened, list): Listed) -> Call {
    timed(move |t, rng| membership::prove(t, 0, &hidden, &list, &opened, rng))
}

pub(crate) fn timed(
    prove: impl FnOnce(&mut Transcript, &mut EntropyRng<'_>) -> Option<Vec<u8>> + 'static,
) -> Call {
    Box::new(move || {
        let entropy = OsEntropy::new();
        let proof = prove(&mut Transcript::new(b"timing"), &mut EntropyRng(&entropy));
        std::hint::black_box(proof.expect("the statement is true"));
    })
}

/// A list with what is hidden of it.
type Listed = (Hidden, Opened, List);

/// The element at a place, the first without one.
fn listed(place: Option<u64>, count: u64, rng: &mut ChaCha20Rng) -> Listed {
    let v = 1_000 + place.unwrap_or(0);
    let blinding = fresh(rng);
    let elements: Vec<Element> = (0..count).map(|i| Element::from(1_000 + i)).collect();
    let list = List::new(&elements).expect("it has elements, and few");
    (hidden(v, &blinding), Opened::integer(v, &blinding), list)
}

fn pair(values: [u64; 2], rng: &mut ChaCha20Rng) -> ([Hidden; 2], Opened) {
    let blindings = [fresh(rng), fresh(rng)];
    let [one, other] = [0, 1].map(|i| Opened::integer(values[i], &blindings[i]));
    ([0, 1].map(|i| hidden(values[i], &blindings[i])), Opened::difference(&one, &other))
}

fn hidden(v: u64, blinding: &Blinding) -> Hidden {
    Hidden::new(&commit(v, blinding)).expect("the blinding is not nought")
}

pub(crate) fn fresh(rng: &mut ChaCha20Rng) -> Blinding {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Seed::new(seed).blinding("https://issuer.example", "urn:vct", "/p")
}

pub(crate) fn context(credentials: Vec<Credential>) -> Context {
    let authorisation = Authorisation::default();
    Context { request: request(), policy: policy(), authorisation, credentials }
}

/// A credential with one amount.
pub(crate) fn credential(query: &str, c: Commitment) -> Credential {
    let range = SignedRange { b: 32, lo: 0, hi: u32::MAX.into() };
    let attribute = Attribute {
        pointer: INCOME.into(),
        enc: Encoding::Pence,
        unit: "GBP-pence".into(),
        range: Some(range),
        c,
    };
    Credential {
        query: query.into(),
        iss: "https://issuer.example".into(),
        issuer: IssuerKey::Certificate([5; 32]),
        vct: "urn:vct".into(),
        jwt_sha256: [6; 32],
        holder_key: [7; 32],
        attributes: vec![attribute],
        link: None,
    }
}
