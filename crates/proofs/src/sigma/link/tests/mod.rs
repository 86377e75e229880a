//! Honest proofs hold; those of other secrets, statements and transcripts do not.

mod batch;
mod forged;
mod nonces;
mod vectors;

use merlin::Transcript;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::CryptoRngCore;
use serde_json::Value;

use super::{
    LENGTH, prove,
    registration::{self, Asked, NewCopy},
    shown, verify_vartime,
};
use crate::{
    commitment::{Blinding, Commitment, Seed},
    context::{Context, Pseudonym},
    hex::tests::unhex,
    pseudonym::{LinkSecret, Nym, Scope, registration_base},
    sigma::{self, Hidden, Opened},
    transcript,
};

const ISSUER: &str = "https://larkfield.example";
const TYPE: &str = "https://larkfield.example/types/residency/1/zk";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

fn start() -> Transcript {
    Transcript::new(b"sigma")
}

fn secret(name: u8) -> LinkSecret {
    LinkSecret::from_canonical_bytes([name; 32]).unwrap()
}

fn blinding(name: &str) -> Blinding {
    Seed::new([3; 32]).blinding(ISSUER, TYPE, name)
}

fn hidden(x: &LinkSecret, t: &str) -> Hidden {
    Hidden::new(&x.commit(&blinding(t))).unwrap()
}

fn scope(epoch: &str) -> Scope {
    Scope::new("https://buses.example", "pass", epoch).unwrap()
}

/// A true statement with what opens it.
struct Case {
    link: Hidden,
    item4: Pseudonym,
    opened: Opened,
}

impl Case {
    fn of(x: &LinkSecret, t: &str, epoch: &str) -> Self {
        let item4 = x.pseudonym(&scope(epoch));
        Self { link: hidden(x, t), item4, opened: Opened::link(x, &blinding(t)) }
    }

    fn prove_with(&self, rng: &mut dyn CryptoRngCore) -> Option<Vec<u8>> {
        prove(&mut start(), 4, &self.link, &self.item4, &self.opened, rng)
    }

    fn proof(&self) -> Vec<u8> {
        self.prove_with(&mut rng()).unwrap()
    }

    fn holds_in(&self, t: &mut Transcript, index: u64, proof: &[u8]) -> bool {
        verify_vartime(t, index, &self.link, &self.item4, proof)
    }

    fn holds(&self, proof: &[u8]) -> bool {
        self.holds_in(&mut start(), 4, proof)
    }
}

fn honest() -> Case {
    Case::of(&secret(5), "a", "2026")
}

/// A batch with what opens it.
struct Batch {
    issuer: &'static str,
    vct: &'static str,
    c_nonce: &'static str,
    copies: Vec<NewCopy>,
    t: Vec<Blinding>,
}

impl Batch {
    fn of(x: &LinkSecret, count: usize) -> Self {
        let t: Vec<Blinding> = (0..count).map(|i| blinding(&format!("copy {i}"))).collect();
        let copy = |(i, t)| NewCopy { holder_key: [i; 32], link: x.commit(t) };
        let copies = (1..).zip(&t).map(copy).collect();
        Self { issuer: ISSUER, vct: TYPE, c_nonce: "QmF0Y2ggb25l", copies, t }
    }

    fn asked(&self) -> Asked<'static> {
        Asked { issuer: self.issuer, vct: self.vct, c_nonce: self.c_nonce }
    }

    fn prove_with(&self, x: &LinkSecret, rng: &mut dyn CryptoRngCore) -> Option<Vec<u8>> {
        registration::prove(&self.asked(), &self.copies, x, &self.t, rng)
    }

    fn proof(&self, x: &LinkSecret) -> Vec<u8> {
        self.prove_with(x, &mut rng()).unwrap()
    }

    fn registers(&self, proof: &[u8]) -> Option<Nym> {
        registration::verify_vartime(&self.asked(), &self.copies, proof)
    }
}

#[test]
fn a_pseudonym_is_shown_here_alone() {
    let case = honest();
    let proof = case.proof();
    assert_eq!(proof.len(), LENGTH);
    assert!(case.holds(&proof));
    assert_eq!(shown(&proof).unwrap().to_bytes()[..], case.item4.value);
    assert!(!case.holds_in(&mut start(), 5, &proof));
    assert!(!case.holds_in(&mut Transcript::new(b"elsewhere"), 4, &proof));
}

#[test]
fn every_change_of_the_bytes_is_refused() {
    let (case, batch) = (honest(), Batch::of(&secret(5), 2));
    let changes = |mut proof: Vec<u8>, holds: &dyn Fn(&[u8]) -> bool| {
        assert!(holds(&proof));
        for bit in 0..8 * proof.len() {
            proof[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&proof), "bit {bit}");
            proof[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..proof.len() {
            assert!(!holds(&proof[..length]), "{length} bytes");
        }
        assert!(!holds(&[&proof[..], &[0]].concat()));
        assert!(!holds(&[&proof[..], &[0; 32]].concat()));
    };
    changes(case.proof(), &|proof| case.holds(proof));
    changes(batch.proof(&secret(5)), &|proof| batch.registers(proof).is_some());
}

/// The order added to a scalar is the same scalar, and another text.
#[test]
fn scalars_have_one_encoding() {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let others = |proof: &[u8]| -> Vec<Vec<u8>> {
        let raised = |word: usize| {
            let (mut proof, mut carry) = (proof.to_vec(), 0);
            for (byte, order) in proof[32 * word..].iter_mut().zip(&order) {
                let sum = u16::from(*byte) + u16::from(*order) + carry;
                *byte = (sum & 0xff) as u8;
                carry = sum >> 8;
            }
            proof
        };
        (1..proof.len() / 32).map(raised).collect()
    };
    let (case, batch) = (honest(), Batch::of(&secret(5), 2));
    assert!(others(&case.proof()).iter().all(|proof| !case.holds(proof)));
    assert!(others(&batch.proof(&secret(5))).iter().all(|proof| batch.registers(proof).is_none()));
}

#[test]
fn another_statement_is_not_proved() {
    let proof = honest().proof();
    let x = secret(5);
    let scoped = |scope: &Scope| Case { item4: x.pseudonym(scope), ..honest() };
    let others = [
        ("another epoch", Case::of(&x, "a", "2027")),
        ("another service", scoped(&Scope::new("https://trams.example", "pass", "2026").unwrap())),
        ("another action", scoped(&Scope::new("https://buses.example", "vote", "2026").unwrap())),
        ("another copy", Case::of(&x, "b", "2026")),
        ("another person", Case::of(&secret(6), "a", "2026")),
        ("another person's copy", Case { link: hidden(&secret(6), "a"), ..honest() }),
        ("another person's pseudonym", Case { item4: secret(6).pseudonym(&scope("2026")), ..honest() }),
    ];
    for (name, other) in &others {
        assert!(!other.holds(&proof), "{name}");
        // Nor with the pseudonym in the bytes that the verifier expects.
        let fitted = [&other.item4.value, &proof[32..]].concat();
        assert!(!other.holds(&fitted), "{name}, fitted");
    }
}

/// Item 4 with a context, or a value, as no wallet makes it.
fn malformed() -> Vec<Pseudonym> {
    let Pseudonym { context, value } = honest().item4;
    let registered = format!("vouchsafe/v1/registration\0\0\0\u{19}{ISSUER}");
    let with = |context: &str, value: &[u8]| Pseudonym { context: context.to_owned(), value: value.to_vec() };
    vec![
        with("", &value),
        with("larkfield/2026", &value),
        with(&format!("{context}x"), &value),
        with(&registered, &registration_nym(&secret(5)).to_bytes()),
        with(&context, &[]),
        with(&context, &[0; 32]),
        with(&context, &[1; 32]),
        with(&context, &value[..31]),
        with(&context, &[&value[..], &[0]].concat()),
    ]
}

fn registration_nym(x: &LinkSecret) -> Nym {
    Nym::of(&x.0, &registration_base(ISSUER))
}

#[test]
fn what_is_not_so_has_no_proof() {
    let x = secret(5);
    for item4 in malformed() {
        let case = Case { item4, ..honest() };
        assert!(case.prove_with(&mut rng()).is_none());
        let fitted = [&case.item4.value, &honest().proof()[32..]].concat();
        assert!(!case.holds(&fitted));
    }
    let lies = [
        Case { link: hidden(&x, "b"), ..honest() },
        Case { link: hidden(&secret(6), "a"), ..honest() },
        Case { item4: secret(6).pseudonym(&scope("2026")), ..honest() },
        Case { opened: Opened::link(&secret(6), &blinding("a")), ..honest() },
        Case { opened: Opened::link(&x, &blinding("b")), ..honest() },
    ];
    assert!(lies.iter().all(|case| case.prove_with(&mut rng()).is_none()));
    assert!(Hidden::new(&Commitment([0; 32])).is_none());
}

/// Item 4 and the sub-proof take context and value from one place.
#[test]
fn item_4_speaks_of_the_pseudonym_that_is_proved() {
    let text = include_str!("../../../../../../specs/vectors/vouchsafe-1/proofs.json");
    let frozen: Value = serde_json::from_str(text).unwrap();
    let mut context: Context = serde_json::from_value(frozen["answers"][0]["context"].clone()).unwrap();
    let mut bound = |item4: &Pseudonym| {
        context.authorisation.pseudonym = Some(item4.clone());
        transcript::bound(&context, &[])
    };
    let case = honest();
    let t = &mut bound(&case.item4);
    let proof = prove(t, 4, &case.link, &case.item4, &case.opened, &mut rng()).unwrap();
    assert!(case.holds_in(&mut bound(&case.item4), 4, &proof));
    let value = secret(6).pseudonym(&scope("2026")).value;
    let others = [
        Pseudonym { context: scope("2027").as_str().to_owned(), value: case.item4.value.clone() },
        Pseudonym { context: case.item4.context.clone(), value },
        secret(5).pseudonym(&scope("2027")),
    ];
    for item4 in others {
        assert!(!case.holds_in(&mut bound(&item4), 4, &proof));
        let other = Case { item4, ..honest() };
        assert!(!other.holds_in(&mut bound(&case.item4), 4, &proof));
        assert!(!other.holds_in(&mut bound(&other.item4), 4, &proof));
    }
}

/// The next sub-proof starts where this one ends, and depends on its last byte.
#[test]
fn prover_and_verifier_go_on_alike() {
    let case = honest();
    let mut t = start();
    let mut proof = prove(&mut t, 4, &case.link, &case.item4, &case.opened, &mut rng()).unwrap();
    let after = |proof: &[u8]| {
        let mut t = start();
        case.holds_in(&mut t, 4, proof);
        transcript::challenge(&t)
    };
    let whole = after(&proof);
    assert_eq!(whole, transcript::challenge(&t));
    *proof.last_mut().unwrap() ^= 1;
    assert_ne!(after(&proof), whole);
}

/// Two copies of one secret are shown to be equal as attributes are.
#[test]
fn two_credentials_of_one_secret() {
    let (x, other) = (secret(5), secret(6));
    let pair = [hidden(&x, "a"), hidden(&x, "b")];
    let of = |x: &LinkSecret, t: &str| Opened::link(x, &blinding(t));
    let same = Opened::difference(&of(&x, "a"), &of(&x, "b"));
    let proof = sigma::equality::prove(&mut start(), 4, &pair, &same, &mut rng()).unwrap();
    assert!(sigma::equality::verify_vartime(&mut start(), 4, &pair, &proof));
    let different = Opened::difference(&of(&x, "a"), &of(&other, "b"));
    let pair = [pair[0], hidden(&other, "b")];
    assert!(sigma::equality::prove(&mut start(), 4, &pair, &different, &mut rng()).is_none());
}
