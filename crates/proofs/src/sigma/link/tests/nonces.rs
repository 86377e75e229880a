//! A generator that gives noughts alone costs nobody a secret.

use curve25519_dalek::Scalar;

use super::{super::Statement, *};
use crate::{pseudonym::tests::Noughts, sigma::Nonces};

/// x from two answers to one announcement; the formula of whoever waits for a nonce to repeat.
fn extracted([c, z]: [Scalar; 2], [other_c, other_z]: [Scalar; 2]) -> Scalar {
    (z - other_z) * (c - other_c).invert()
}

fn words(proof: &[u8]) -> Vec<Scalar> {
    let words = proof.as_chunks::<32>().0;
    words[1..].iter().map(|word| Scalar::from_canonical_bytes(*word).unwrap()).collect()
}

/// A generator that gives noughts: no nonce is nought, and none comes twice.
#[test]
fn nonces_do_not_rest_on_the_generator_alone() {
    let (x, t, k) = (secret(5).0, blinding("a").0, Scalar::from(5_u64));
    let [c, other] = [Scalar::from(3_u64), Scalar::from(7_u64)];
    assert_eq!(extracted([c, k + c * x], [other, k + other * x]), x, "the formula");
    let cases = [honest(), Case::of(&secret(5), "a", "2027")];
    let proofs = cases.each_ref().map(|case| words(&case.prove_with(&mut Noughts).unwrap()));
    let announced = |i: usize| {
        let statement = Statement::new(&cases[i].link, &cases[i].item4).unwrap();
        statement.announced(&proofs[i][0], &proofs[i][1], &proofs[i][2])
    };
    assert!(announced(0)[0] != announced(1)[0] && announced(0)[1] != announced(1)[1]);
    assert!(announced(0)[0] != [0; 32] && announced(0)[1] != [0; 32]);
    for (place, witness) in [(1, x), (2, t)] {
        let [one, other] = proofs.each_ref().map(|words| [words[0], words[place]]);
        assert_ne!(extracted(one, other), witness);
        assert_ne!(one[1], one[0] * witness, "a nonce is nought");
    }
}

#[test]
fn nonces_of_a_batch_do_not_rest_on_the_generator_alone() {
    let x = secret(5);
    let batches = [Batch::of(&x, 3), Batch { c_nonce: "QmF0Y2ggdHdv", ..Batch::of(&x, 3) }];
    let proofs = batches.each_ref().map(|batch| words(&batch.prove_with(&x, &mut Noughts).unwrap()));
    let witnesses = [x.0, batches[0].t[0].0, batches[0].t[1].0, batches[0].t[2].0];
    let nonces = proofs.each_ref().map(|words| {
        let mask = |(z, witness): (&Scalar, &Scalar)| (z - words[0] * witness).to_bytes();
        words[1..].iter().zip(&witnesses).map(mask).collect::<Vec<_>>()
    });
    let mut all = nonces.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8);
    assert!(!all.contains(&[0; 32]));
    for (place, witness) in (1..).zip(witnesses) {
        let [one, other] = proofs.each_ref().map(|words| [words[0], words[place]]);
        assert_ne!(extracted(one, other), witness);
    }
}

#[test]
fn blindings_do_not_rest_on_the_generator_alone() {
    let (x, batch) = (secret(5), Batch::of(&secret(5), 1));
    let asked = batch.asked();
    let drawn = |asked: Asked<'_>, x| registration::blindings(&asked, registration::MOST, x, &mut Noughts);
    let mut all: Vec<[u8; 32]> = [
        drawn(asked, &x),
        drawn(Asked { c_nonce: "QmF0Y2ggdHdv", ..asked }, &x),
        drawn(asked, &secret(6)),
        registration::blindings(&asked, registration::MOST, &x, &mut rng()),
    ]
    .concat()
    .iter()
    .map(|t| *t.to_bytes())
    .collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4 * registration::MOST);
    assert!(!all.contains(&[0; 32]));
}

/// The first response is of x, in both kinds: what two answers tell, and one answer by the nonce that anybody could draw.
fn told(proofs: &[Vec<u8>; 2], t: &Transcript) -> [Scalar; 2] {
    let [one, other] = proofs.each_ref().map(|proof| words(proof));
    let k = *Nonces::new(t, &[], &mut Noughts).next();
    [extracted([one[0], one[1]], [other[0], other[1]]), (one[1] - k) * one[0].invert()]
}

/// A pseudonym shown for two epochs.
fn told_by_pseudonyms() -> [Scalar; 2] {
    let cases = [honest(), Case::of(&secret(5), "a", "2027")];
    let mut t = start();
    Statement::new(&cases[0].link, &cases[0].item4).unwrap().begin(&mut t, 4);
    told(&cases.each_ref().map(|case| case.prove_with(&mut Noughts).unwrap()), &t)
}

/// A batch registered for two requests.
fn told_by_registrations() -> [Scalar; 2] {
    let x = secret(5);
    let batches = [Batch::of(&x, 3), Batch { c_nonce: "QmF0Y2ggdHdv", ..Batch::of(&x, 3) }];
    let (asked, base) = (batches[0].asked(), registration_base(ISSUER));
    let statement = forged::statement(&asked, &batches[0].copies, base, registration_nym(&x));
    told(&batches.each_ref().map(|batch| batch.prove_with(&x, &mut Noughts).unwrap()), &statement.begin())
}

#[test]
fn neither_formula_tells_the_secret() {
    for told in [told_by_pseudonyms(), told_by_registrations()] {
        assert!(!told.contains(&secret(5).0));
    }
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::*;

    #[test]
    fn without_either_part_of_the_nonces_a_formula_tells_the_secret() {
        let x = secret(5).0;
        for (name, expected) in [("zk-nonce-transcript", [true, false]), ("zk-nonce-witness", [false, true])]
        {
            for of in [told_by_pseudonyms, told_by_registrations] {
                assert_eq!(without(name, of).map(|told| told == x), expected, "{name}");
            }
        }
    }
}
