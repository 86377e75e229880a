//! What may stand in each word of a proof: no second encoding of a scalar, no identity in the place of a point.

use super::*;
use crate::group;

/// l, the order of the group.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// The order added to a word: the same scalar, and another text.
fn raised(proof: &[u8], word: usize) -> Vec<u8> {
    let (mut proof, mut carry) = (proof.to_vec(), 0);
    for (byte, order) in proof[32 * word..].iter_mut().zip(unhex(ORDER)) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    proof
}

/// The words of a proof that are scalars.
fn scalars(name: &str, proof: &[u8]) -> std::ops::Range<usize> {
    let first = match name {
        "equal" | "one-of" => 0,
        "differ" | "differs-from" => 1,
        // Four points for each of two bits.
        "member" => 8,
        "within" => 2 + 8,
        other => panic!("unknown kind {other}"),
    };
    first..proof.len() / 32
}

#[test]
fn scalars_have_one_encoding() {
    for (name, claimed, opened, _) in honest() {
        let proof = claimed.prove(4, &opened).unwrap();
        for word in scalars(name, &proof) {
            assert!(!claimed.holds(&raised(&proof, word)), "{name}, word {word}");
        }
    }
}

/// L, A, B and E of each bit, then F and L of an interval.
const POINTS: [&str; 10] = ["L0", "A0", "B0", "E0", "L1", "A1", "B1", "E1", "first", "last"];

/// A proof by chosen masks instead of nonces, all of whose equations hold, with the identity in that place.
fn with_identity(place: usize) -> (Claimed, Vec<u8>) {
    let (claimed, proof) = match place {
        0..8 => member_with_identity(place / 4, place % 4),
        _ => within_with_identity(place - 8),
    };
    let at = if place < 8 { 32 * place } else { 32 * (place - 8) };
    assert_eq!(proof[at..][..32], [0; 32], "{}", POINTS[place]);
    (claimed, proof)
}

/// a, r, s, t and rho of a bit.
type Masks = [Scalar; 5];

/// The bits of the first place are nought, so that L and B are masks alone; A is one where a is nought; and where every a is,
/// no coefficient of q but the highest is left, and E is a mask alone.
fn member_with_identity(bit: usize, point: usize) -> (Claimed, Vec<u8>) {
    let mut masks: [Masks; 2] =
        [0, 1].map(|j| std::array::from_fn(|i| Scalar::from(11 + 5 * j as u64 + i as u64)));
    match point {
        0 => masks[bit][1] = Scalar::ZERO,
        1 => [masks[bit][0], masks[bit][2]] = [Scalar::ZERO; 2],
        2 => masks[bit][3] = Scalar::ZERO,
        _ => {
            masks.iter_mut().for_each(|[a, ..]| *a = Scalar::ZERO);
            masks[bit][4] = Scalar::ZERO;
        }
    }
    first_of_four(&masks)
}

/// Shows 5 to be one of 5, 7, 9 and 11 by these masks.
fn first_of_four(masks: &[Masks; 2]) -> (Claimed, Vec<u8>) {
    let (point, list) = (hidden(5, "a"), list(&[5, 7, 9, 11]));
    let mut t = start();
    super::super::begin(&mut t, super::super::Kind::Membership, 4, &[point]);
    super::super::absorb_list(&mut t, &list.digest);
    let q = lowest(&list, masks.map(|[a, ..]| a));
    let sent: Vec<[u8; 32]> = masks
        .iter()
        .zip(q)
        .flat_map(|([a, r, s, t, rho], q)| {
            [(Scalar::ZERO, *r), (*a, *s), (Scalar::ZERO, *t), (-q, *rho)]
                .map(|(v, mask)| group::commit(&v, &mask).compress().0)
        })
        .collect();
    super::super::announce(&mut t, &sent);
    let x = super::super::challenge(&mut t);
    let of_bit = |[a, r, s, t, _]: &Masks| [*a, r * x + s, r * (x - a) + t];
    let z = opened(5, "a").r * x * x - masks[0][4] - masks[1][4] * x;
    let responses: Vec<Scalar> = masks.iter().flat_map(of_bit).chain([z]).collect();
    (Claimed::Member(point, list), [sent.concat(), super::super::joined(&responses)].concat())
}

/// The coefficients of 1 and of x in q(x), the sum of s_i*p_i(x): p_i is the product of a_j where bit j of i is set, and of
/// x - a_j where it is not.
fn lowest(list: &List, [a, b]: [Scalar; 2]) -> [Scalar; 2] {
    let [s0, s1, s2, s3] = [0, 1, 2, 3].map(|i| list.elements[i]);
    // (x - a)(x - b)*s0 + a(x - b)*s1 + (x - a)b*s2 + ab*s3.
    [a * b * (s0 - s1 - s2 + s3), a * (s1 - s0) + b * (s2 - s0)]
}

/// Of an interval that begins, or ends, with nought.
fn within_with_identity(end: usize) -> (Claimed, Vec<u8>) {
    let ends = [[0, 3], [0, 0]][end];
    let (point, set) = (hidden(0, "a"), Set::of([ends, [6, 9]]).unwrap());
    let mut t = start();
    interval::start(&mut t, 4, &point, &set);
    let mut blindings = [blinding("f").0, blinding("l").0];
    blindings[end] = Scalar::ZERO;
    let points = [0, 1].map(|i| group::commit(&Scalar::from(ends[i]), &blindings[i]));
    let sent = points.map(|point| point.compress().0);
    super::super::announce(&mut t, &sent);
    let x = super::super::challenge(&mut t);
    let [v, r] = [ends.map(Scalar::from), blindings].map(|[first, last]| first + x * last);
    let (list, both) = (interval::list(&set, &x).unwrap(), Hidden::computed(points[0] + x * points[1]));
    let proof = membership::prove(&mut t, 4, &both, &list, &Opened { v, r }, &mut rng()).unwrap();
    (Claimed::Within(point, set), [sent.concat(), proof].concat())
}

/// The masks are the right ones: without a nought among them, the proof holds.
#[test]
fn a_proof_by_chosen_masks_holds() {
    let masks = [[11_u64, 12, 13, 14, 15], [21, 22, 23, 24, 25]].map(|masks| masks.map(Scalar::from));
    let (claimed, proof) = first_of_four(&masks);
    assert!(claimed.holds(&proof));
}

#[test]
fn the_identity_is_no_word() {
    for (place, name) in POINTS.iter().enumerate() {
        let (claimed, proof) = with_identity(place);
        assert!(!claimed.holds(&proof), "{name}");
    }
    for (name, claimed, opened, _) in honest() {
        let proof = claimed.prove(4, &opened).unwrap();
        for word in 0..scalars(name, &proof).start {
            let mut proof = proof.clone();
            proof[32 * word..][..32].fill(0);
            assert!(!claimed.holds(&proof), "{name}, word {word}");
        }
    }
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::*;

    #[test]
    fn without_canonical_scalars() {
        for (name, claimed, opened, _) in honest() {
            let proof = claimed.prove(4, &opened).unwrap();
            for word in scalars(name, &proof) {
                let other = raised(&proof, word);
                assert!(without("zk-sigma-scalar", || claimed.holds(&other)), "{name}, word {word}");
            }
        }
    }

    #[test]
    fn without_the_refusal_of_the_identity() {
        for (place, name) in POINTS.iter().enumerate() {
            let (claimed, proof) = with_identity(place);
            assert!(without("zk-sigma-identity", || claimed.holds(&proof)), "{name}");
        }
    }
}
