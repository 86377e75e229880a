//! The answer of a household: two people, a household credential and two payers' totals each, the sum under a bound.

use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use vouchsafe_proofs::answer::{self, Openings};
use vouchsafe_proofs::commitment::{Blinding, Commitment, Seed, commit, commit_text};
use vouchsafe_proofs::context::{Attribute, Authorisation, Context, Credential, IssuerKey, SignedRange};
use vouchsafe_proofs::encoding::{Encoding, Text};
use vouchsafe_proofs::sigma::inequality::Different;
use vouchsafe_proofs::sigma::{Element, Hidden, List, Opened, equality, inequality, one_of};
use vouchsafe_proofs::statement::{Predicate, Statement, Term};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use crate::asked::{policy, request};
use crate::credential::{Bare, Bench};
use crate::measure::{Report, against, alone};
use crate::range;

const ISS: &str = "https://issuer.example";
const VCT: &str = "https://larkfield.example/types/income/1/zk";
const PERSON: &str = "https://larkfield.example/text/person";
/// Each person's household credential, then each one's two totals.
const QUERIES: [&str; 6] = ["h1", "a1", "b1", "h2", "a2", "b2"];
const TOTALS: [&str; 4] = ["a1", "b1", "a2", "b2"];
/// £120.00, £450.00, nothing, £95.50.
const PENCE: [u64; 4] = [12_000, 45_000, 0, 9_550];
/// £740.00 at most.
const BOUND: u64 = 74_000;

/// Checking the whole answer: twelve signatures, every check of six credentials, every binding, every sub-proof. The floor is
/// the bare signatures and the bare sub-proofs: five equalities, an inequality, one of a few, five range entries.
pub(crate) fn benches() -> Report {
    let plain = Bench::new();
    let texts: Vec<String> = QUERIES.iter().map(|_| plain.present()).collect();
    let leaf = plain.leaf(&texts[0]);
    let bare: Vec<Bare> = texts.iter().flat_map(|text| plain.bare(text)).collect();
    let asked = Asked::new();
    let proof = asked.prove();
    let check = || {
        answer::verify(&asked.context, &asked.statements, &proof).expect("it holds");
        texts.iter().map(|text| plain.check(text, Some(&leaf))).collect::<Vec<_>>()
    };
    let sub_proofs = SubProofs::new();
    let floor = || {
        sub_proofs.check();
        bare.iter().all(Bare::verify)
    };
    against("zk/answer/household", check, floor)
        .part("proof_bytes", proof.len())
        .part("proof_verify_ns", alone(|| answer::verify(&asked.context, &asked.statements, &proof)))
        .part("sub_proofs_ns", alone(|| sub_proofs.check()))
        .part("prove_ns", alone(|| asked.prove()))
}

struct Asked {
    context: Context,
    statements: Vec<Statement>,
    openings: Openings,
}

fn blinding(query: &str, pointer: &str) -> Blinding {
    Seed::new([7; 32]).blinding(query, VCT, pointer)
}

/// The person or household of a query.
fn text(query: &str, pointer: &str) -> Text {
    Text::new(PERSON, if pointer == "/household" { "household-7" } else { &query[1..] })
}

impl Asked {
    fn new() -> Self {
        let mut openings = Openings::new();
        let mut credentials = Vec::new();
        for query in QUERIES {
            let mut attributes = Vec::new();
            for pointer in if query.starts_with('h') { &["/person", "/household"][..] } else { &["/person"] }
            {
                let r = || blinding(query, pointer);
                attributes.push(attribute(pointer, None, commit_text(&text(query, pointer), &r())));
                openings.add_text(query, pointer, text(query, pointer), r());
            }
            let at = TOTALS.iter().position(|total| *total == query);
            let (pointer, v) = at.map_or(("/adults", 2), |at| ("/total", PENCE[at]));
            let r = || blinding(query, pointer);
            attributes.push(attribute(pointer, Some(u32::MAX), commit(v, &r())));
            openings.add(query, pointer, v, r());
            credentials.push(credential(query, attributes));
        }
        let context = Context {
            request: request(),
            policy: policy(),
            authorisation: Authorisation::default(),
            credentials,
        };
        Self { context, statements: statements(), openings }
    }

    fn prove(&self) -> Vec<u8> {
        let entropy = OsEntropy::new();
        answer::prove(&self.context, &self.statements, &self.openings, &mut EntropyRng(&entropy))
            .expect("it is met")
    }
}

fn statements() -> Vec<Statement> {
    let person =
        |id, one, other, predicate| Statement::pair(id, [(one, "/person"), (other, "/person")], predicate);
    let terms = TOTALS.iter().map(|query| Term::new(query, "/total", 1)).collect();
    vec![
        person("one-1", "h1", "a1", Predicate::Eq(0)),
        person("one-2", "a1", "b1", Predicate::Eq(0)),
        person("two-1", "h2", "a2", Predicate::Eq(0)),
        person("two-2", "a2", "b2", Predicate::Eq(0)),
        person("people", "h1", "h2", Predicate::Ne(0)),
        Statement::pair("household", [("h1", "/household"), ("h2", "/household")], Predicate::Eq(0)),
        Statement::of("adults", "h1", "/adults", Predicate::Eq(2)),
        Statement { id: "low".into(), terms, predicate: Predicate::Le(BOUND) },
    ]
}

fn attribute(pointer: &str, hi: Option<u32>, c: Commitment) -> Attribute {
    let (enc, unit) = match pointer {
        "/total" => (Encoding::Pence, "GBP-pence"),
        "/adults" => (Encoding::Int, "people"),
        _ => (Encoding::Str, PERSON),
    };
    let range = hi.map(|hi| SignedRange { b: 32, lo: 0, hi: hi.into() });
    Attribute { pointer: pointer.into(), enc, unit: unit.into(), range, c }
}

fn credential(query: &str, attributes: Vec<Attribute>) -> Credential {
    Credential {
        query: query.into(),
        iss: ISS.into(),
        issuer: IssuerKey::Certificate([5; 32]),
        vct: VCT.into(),
        jwt_sha256: [6; 32],
        holder_key: [7; 32],
        attributes,
        link: None,
    }
}

/// The same sub-proofs by themselves, in transcripts that hold nothing else.
struct SubProofs {
    equal: ([Hidden; 2], Vec<u8>),
    differ: ([Hidden; 2], Vec<u8>),
    adults: (Hidden, List, Vec<u8>),
    range: range::Made,
}

impl SubProofs {
    fn new() -> Self {
        let rng = &mut ChaCha20Rng::from_seed([3; 32]);
        let r = ["a", "b"].map(|name| blinding(name, "/person"));
        let hidden = |v, r| Hidden::new(&commit(v, r)).expect("it hides a value");
        let opened = |v, r| Opened::integer(v, r);
        let (same, other) = ([hidden(2, &r[0]), hidden(2, &r[1])], [hidden(2, &r[0]), hidden(3, &r[1])]);
        let list = List::new(&[Element::from(2)]).expect("it has an element");
        let of_same = Opened::difference(&opened(2, &r[0]), &opened(2, &r[1]));
        let of_other = Opened::difference(&opened(2, &r[0]), &opened(3, &r[1]));
        let equal = equality::prove(&mut transcript(), 0, &same, &of_same, rng);
        let differ = inequality::prove(&mut transcript(), 0, Different::Pair(&other), &of_other, rng);
        let adults = one_of::prove(&mut transcript(), 0, &same[0], &list, &opened(2, &r[0]), rng);
        Self {
            equal: (same, equal.expect("they are equal")),
            differ: (other, differ.expect("they differ")),
            adults: (same[0], list, adults.expect("it is an element")),
            range: range::Made::new(32, 8),
        }
    }

    fn check(&self) {
        let (equal, differ, (hidden, list, adults)) = (&self.equal, &self.differ, &self.adults);
        let all_equal = (0..5).all(|_| equality::verify_vartime(&mut transcript(), 0, &equal.0, &equal.1));
        let different = Different::Pair(&differ.0);
        let others = inequality::verify_vartime(&mut transcript(), 0, different, &differ.1)
            && one_of::verify_vartime(&mut transcript(), 0, hidden, list, adults);
        assert!(all_equal && others, "they hold");
        self.range.ours();
    }
}

fn transcript() -> Transcript {
    Transcript::new(b"vouchsafe/bench")
}
