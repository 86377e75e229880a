//! What is measured: provers with a fixed value, or with one that chance chose.

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

/// The bound of the range proof, and its fixed value: the difference has no bit set.
const BOUND: u64 = (1 << 31) + 12_345;
/// Elements of the longer list.
const MANY: u64 = 64;

/// A call whose time is taken.
type Call = Box<dyn FnOnce()>;
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
    let honest = |name, input| Prover { name, less: 1, leaks: false, input };
    vec![
        honest("zk/prove/32x1", range),
        honest("zk/prove/equal", equal),
        honest("zk/prove/differ", differ),
        honest("zk/prove/one-of-8", few),
        honest("zk/prove/member-64", many),
        Prover { name: "control/32x1", less: 10, leaks: true, input: leaking },
    ]
}

fn range(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let v = random.map_or(BOUND, |random| random % (BOUND + 1));
    let blinding = fresh(rng);
    let context = context(commit(v, &blinding));
    let statements = [Statement::of("income", "q0", "/income", Predicate::Le(BOUND))];
    let mut openings = Openings::new();
    openings.add("q0", "/income", v, blinding);
    Box::new(move || {
        let proof = prove(&context, &statements, &openings, &mut EntropyRng(&OsEntropy::new()));
        std::hint::black_box(proof.expect("the bound is met"));
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
    let (hidden, opened, list) = listed(random, 8, rng);
    timed(move |t, rng| one_of::prove(t, 0, &hidden, &list, &opened, rng))
}

fn many(random: Option<u64>, rng: &mut ChaCha20Rng) -> Call {
    let (hidden, opened, list) = listed(random, MANY, rng);
    timed(move |t, rng| membership::prove(t, 0, &hidden, &list, &opened, rng))
}

fn timed(prove: impl FnOnce(&mut Transcript, &mut EntropyRng<'_>) -> Option<Vec<u8>> + 'static) -> Call {
    Box::new(move || {
        let entropy = OsEntropy::new();
        let proof = prove(&mut Transcript::new(b"timing"), &mut EntropyRng(&entropy));
        std::hint::black_box(proof.expect("the statement is true"));
    })
}

/// The first element, or one that chance chose.
fn listed(random: Option<u64>, count: u64, rng: &mut ChaCha20Rng) -> (Hidden, Opened, List) {
    let v = 1_000 + random.map_or(0, |random| random % count);
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

fn fresh(rng: &mut ChaCha20Rng) -> Blinding {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Seed::new(seed).blinding("https://issuer.example", "urn:vct", "/p")
}

fn context(c: Commitment) -> Context {
    let range = SignedRange { b: 32, lo: 0, hi: u32::MAX.into() };
    let attribute = Attribute {
        pointer: "/income".into(),
        enc: Encoding::Pence,
        unit: "GBP-pence".into(),
        range: Some(range),
        c,
    };
    Context {
        request: request(),
        policy: policy(),
        authorisation: Authorisation::default(),
        credentials: vec![Credential {
            query: "q0".into(),
            iss: "https://issuer.example".into(),
            issuer: IssuerKey::Certificate([5; 32]),
            vct: "urn:vct".into(),
            jwt_sha256: [6; 32],
            holder_key: [7; 32],
            attributes: vec![attribute],
            link: None,
        }],
    }
}
