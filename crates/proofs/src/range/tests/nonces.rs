//! A prover whose generator is broken: three proofs by the same nonces give the blinding of the value.
//!
//! tau = x*t1 + x^2*t2 + z^2*r for the blinding r of the one value, t1 and t2 the nonces of T1 and T2: three equations.

use super::{super::proof::Proof, *};

const N: usize = 16;
const VALUE: u64 = 40_000;

fn blinding() -> Scalar {
    Scalar::from(77_u64)
}

/// A proof by a generator that gives noughts, after that label: x, x^2, z^2 and tau.
fn equation(label: &'static [u8]) -> [Scalar; 4] {
    let witness = Witness {
        values: Zeroizing::new(vec![VALUE]),
        blindings: Zeroizing::new(vec![blinding().to_bytes()]),
    };
    let (bytes, points) = prove(&mut Transcript::new(label), N, &witness, &mut Noughts).unwrap();
    let proof = Proof::parse(&bytes, N, 1).unwrap();
    let drawn = proof.challenges(&mut Transcript::new(label), N, &points);
    [drawn.x, drawn.x * drawn.x, drawn.z * drawn.z, proof.tau]
}

fn determinant([a, b, c]: [[Scalar; 3]; 3]) -> Scalar {
    let minor = |i: usize, j: usize| b[i] * c[j] - b[j] * c[i];
    a[0] * minor(1, 2) - a[1] * minor(0, 2) + a[2] * minor(0, 1)
}

/// r of the three equations, by Cramer's rule.
fn extracted() -> Scalar {
    let all = [&b"one"[..], b"two", b"three"].map(equation);
    let with = |last: usize| determinant(all.map(|row| [row[0], row[1], row[last]]));
    with(3) * with(2).invert()
}

#[test]
fn nonces_do_not_rest_on_the_generator_alone() {
    assert_ne!(extracted(), blinding());
}

#[cfg(feature = "mutants")]
mod switched_off {
    use super::*;

    #[test]
    fn without_the_transcript_in_the_nonces_three_proofs_tell_the_blinding() {
        assert_eq!(vouchsafe_mutants::without("zk-nonce-transcript", extracted), blinding());
    }
}
