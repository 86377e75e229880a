//! An answer by proof: one credential, one day bound, width 16.

use vouchsafe_proofs::answer::{self, Given, Openings};
use vouchsafe_proofs::commitment::{Seed, commit};
use vouchsafe_proofs::context::{
    Attribute, Authorisation, Context, Credential, IssuerKey, Request, SignedRange,
};
use vouchsafe_proofs::encoding::{Encoding, day};
use vouchsafe_proofs::statement::{Predicate, Statement};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use crate::asked::{policy, request};
use crate::credential::{self, Bench};
use crate::measure::{Report, against, against_few, alone, alone_few};
use crate::range;

const ISS: &str = "https://issuer.example";
const VCT: &str = "https://larkfield.example/types/residency/1/zk";
const POINTER: &str = "/birth_date";

pub(crate) fn benches() -> Vec<Report> {
    vec![age(), together()]
}

/// Checking the whole answer: both signatures, every check of the credential, every binding, the proof. The floor is
/// the two bare signatures and the bare range proof.
fn age() -> Report {
    let plain = Bench::new();
    let text = plain.present();
    let leaf = plain.leaf(&text);
    let bare = plain.bare(&text);
    let (context, statements, openings) = question();
    let entropy = OsEntropy::new();
    let prove =
        || answer::prove(&context, &statements, &openings, &mut EntropyRng(&entropy)).expect("it is met");
    let proof = prove();
    let check = || {
        answer::verify(&context, &statements, &proof).expect("it holds");
        plain.check(&text, Some(&leaf))
    };
    let range = range::Made::new(16, 1);
    let floor = || {
        range.ours();
        bare.each_ref().map(credential::Bare::verify)
    };
    against("zk/answer/age", check, floor)
        .part("proof_bytes", proof.len())
        .part("proof_verify_ns", alone(|| answer::verify(&context, &statements, &proof)))
        .part("range_proof_ns", alone(|| range.ours()))
        .part("prove_ns", alone(prove))
}

/// So many answers waited for a worker of a small machine whose queue is full.
const WAITED: usize = 8;

/// One of the proofs of answers that waited together, floor a check alone; what one wrong proof costs each of them stands
/// in the parts.
fn together() -> Report {
    let (context, statements, openings) = question();
    let entropy = OsEntropy::new();
    let proof =
        answer::prove(&context, &statements, &openings, &mut EntropyRng(&entropy)).expect("it is met");
    let good = Given { context: &context, statements: &statements, bytes: &proof };
    let elsewhere = Context { request: elsewhere(), ..context.clone() };
    let all = [good; WAITED];
    let mut spoiled = all;
    spoiled[WAITED / 2].context = &elsewhere;
    let check = |all: &[Given<'_>], wrong| {
        let verdicts = answer::verify_all(all, &mut EntropyRng(&entropy));
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_err()).count(), wrong);
    };
    let alone = || answer::verify(&context, &statements, &proof).expect("it holds");
    let each_with_one_wrong = alone_few(|| check(&spoiled, 1)) / WAITED as f64;
    against_few("zk/answer/together", WAITED as u32, || check(&all, 0), alone)
        .part("each_with_one_wrong_ns", each_with_one_wrong.round())
}

/// Another request than the one that the proofs are made for.
fn elsewhere() -> Request {
    Request { nonce: "another-nonce-of-some-length".into(), ..request() }
}

fn question() -> (Context, [Statement; 1], Openings) {
    let born = day(jiff::civil::date(1958, 3, 14)).expect("a date of the encoding");
    let blinding = || Seed::new([7; 32]).blinding(ISS, VCT, POINTER);
    let range = SignedRange {
        b: 32,
        lo: day(jiff::civil::date(1880, 1, 1)).expect("a date of the encoding"),
        hi: day(jiff::civil::date(2050, 12, 31)).expect("a date of the encoding"),
    };
    let attribute = Attribute {
        pointer: POINTER.into(),
        enc: Encoding::Day,
        unit: "day".into(),
        range: Some(range),
        c: commit(born, &blinding()),
    };
    let context = Context {
        request: request(),
        policy: policy(),
        authorisation: Authorisation::default(),
        credentials: vec![credential(attribute)],
    };
    let mut openings = Openings::new();
    openings.add("q0", POINTER, born, blinding());
    (context, [Statement::of("age-q0", "q0", POINTER, Predicate::Le(131_699))], openings)
}

fn credential(attribute: Attribute) -> Credential {
    Credential {
        query: "q0".into(),
        iss: ISS.into(),
        issuer: IssuerKey::Certificate([5; 32]),
        vct: VCT.into(),
        jwt_sha256: [6; 32],
        holder_key: [7; 32],
        attributes: vec![attribute],
        link: None,
    }
}
