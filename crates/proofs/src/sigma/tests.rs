//! Honest proofs hold; lies, changes, other statements and other transcripts do not.

mod nonces;
mod words;

use std::fs;

use curve25519_dalek::{RistrettoPoint, Scalar};
use merlin::Transcript;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::CryptoRngCore;
use serde_json::{Value, json};

use super::{
    Element, Hidden, List, Nonces, Opened,
    equality::{self},
    inequality::{self, Different},
    interval,
    membership::{self, Digit},
    one_of,
};
use crate::{
    commitment::{Blinding, Commitment, Seed, commit, commit_text},
    encoding::Text,
    hex::{tests::unhex, to_hex},
    set::Set,
    transcript,
};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

fn blinding(name: &str) -> Blinding {
    Seed::new([3; 32]).blinding("https://issuer.example", "urn:vct", name)
}

/// A hidden integer under a blinding of that name.
fn hidden(v: u64, name: &str) -> Hidden {
    Hidden::new(&commit(v, &blinding(name))).unwrap()
}

fn opened(v: u64, name: &str) -> Opened {
    Opened::integer(v, &blinding(name))
}

fn list(elements: &[u64]) -> List {
    List::new(&elements.iter().copied().map(Element::from).collect::<Vec<_>>()).unwrap()
}

fn intervals() -> Set {
    Set::of([[1, 3], [6, 9], [12, 40]]).unwrap()
}

fn start() -> Transcript {
    Transcript::new(b"sigma")
}

/// A statement with all that is public about it.
#[derive(Clone)]
enum Claimed {
    Equal([Hidden; 2]),
    Differ([Hidden; 2]),
    DiffersFrom(Hidden, u64),
    OneOf(Hidden, List),
    Member(Hidden, List),
    Within(Hidden, Set),
}

impl Claimed {
    fn prove(&self, index: u64, opened: &Opened) -> Option<Vec<u8>> {
        self.prove_with(index, opened, &mut rng())
    }

    fn prove_with(&self, index: u64, opened: &Opened, rng: &mut dyn CryptoRngCore) -> Option<Vec<u8>> {
        let t = &mut start();
        match self {
            Self::Equal(pair) => equality::prove(t, index, pair, opened, rng),
            Self::Differ(pair) => inequality::prove(t, index, Different::Pair(pair), opened, rng),
            Self::DiffersFrom(one, v) => {
                inequality::prove(t, index, Different::From(one, (*v).into()), opened, rng)
            }
            Self::OneOf(one, list) => one_of::prove(t, index, one, list, opened, rng),
            Self::Member(one, list) => membership::prove(t, index, one, list, opened, rng),
            Self::Within(one, set) => interval::prove(t, index, one, set, opened, rng).map(|made| made.0),
        }
    }

    fn holds_in(&self, t: &mut Transcript, index: u64, proof: &[u8]) -> bool {
        match self {
            Self::Equal(pair) => equality::verify_vartime(t, index, pair, proof),
            Self::Differ(pair) => inequality::verify_vartime(t, index, Different::Pair(pair), proof),
            Self::DiffersFrom(one, v) => {
                inequality::verify_vartime(t, index, Different::From(one, (*v).into()), proof)
            }
            Self::OneOf(one, list) => one_of::verify_vartime(t, index, one, list, proof),
            Self::Member(one, list) => membership::verify_vartime(t, index, one, list, proof),
            Self::Within(one, set) => interval::verify_vartime(t, index, one, set, proof).is_some(),
        }
    }

    fn holds(&self, proof: &[u8]) -> bool {
        self.holds_in(&mut start(), 4, proof)
    }
}

/// One true statement of each kind with its opening, and the length of its proof.
fn honest() -> Vec<(&'static str, Claimed, Opened, usize)> {
    let pair = [hidden(7, "a"), hidden(7, "b")];
    let differing = [hidden(7, "a"), hidden(8, "b")];
    let few = list(&[5, 7, 9]);
    vec![
        ("equal", Claimed::Equal(pair), Opened::difference(&opened(7, "a"), &opened(7, "b")), 64),
        ("differ", Claimed::Differ(differing), Opened::difference(&opened(7, "a"), &opened(8, "b")), 160),
        ("differs-from", Claimed::DiffersFrom(pair[0], 9), opened(7, "a"), 160),
        ("one-of", Claimed::OneOf(pair[0], few.clone()), opened(7, "a"), 192),
        ("member", Claimed::Member(pair[0], few), opened(7, "a"), 32 * 15),
        ("within", Claimed::Within(pair[0], intervals()), opened(7, "a"), 64 + 32 * 15),
    ]
}

/// As [`honest`], each with an opening that lies: the value is another than is hidden.
fn lies() -> Vec<(&'static str, Claimed, Opened)> {
    let differing = [hidden(7, "a"), hidden(8, "b")];
    let equal = [hidden(7, "a"), hidden(7, "b")];
    let few = list(&[5, 6, 9]);
    let of = |v, other| Opened::difference(&opened(v, "a"), &opened(other, "b"));
    vec![
        ("equal", Claimed::Equal(differing), of(8, 8)),
        ("differ", Claimed::Differ(equal), of(7, 9)),
        ("differs-from", Claimed::DiffersFrom(equal[0], 7), opened(8, "a")),
        ("one-of", Claimed::OneOf(equal[0], few.clone()), opened(6, "a")),
        ("member", Claimed::Member(equal[0], few), opened(6, "a")),
    ]
}

#[test]
fn honest_proofs_hold_here_alone() {
    for (name, claimed, opened, length) in honest() {
        let proof = claimed.prove(4, &opened).unwrap();
        assert_eq!(proof.len(), length, "{name}");
        assert!(claimed.holds(&proof), "{name}");
        assert!(!claimed.holds_in(&mut start(), 5, &proof), "{name} at another index");
        let mut elsewhere = Transcript::new(b"elsewhere");
        assert!(!claimed.holds_in(&mut elsewhere, 4, &proof), "{name} in another transcript");
    }
}

#[test]
fn every_change_of_the_bytes_is_refused() {
    for (name, claimed, opened, _) in honest() {
        let mut proof = claimed.prove(4, &opened).unwrap();
        for bit in 0..8 * proof.len() {
            proof[bit / 8] ^= 1 << (bit % 8);
            assert!(!claimed.holds(&proof), "{name}, bit {bit}");
            proof[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..proof.len() {
            assert!(!claimed.holds(&proof[..length]), "{name}, {length} bytes");
        }
        assert!(!claimed.holds(&[&proof[..], &[0; 32]].concat()), "{name}");
        assert!(!claimed.holds(&[&proof[..], &[0]].concat()), "{name}");
    }
}

#[test]
fn another_statement_is_not_proved() {
    let other = hidden(7, "other");
    let few = list(&[5, 7, 9]);
    let [a, b] = [hidden(7, "a"), hidden(8, "b")];
    let others: [Vec<Claimed>; 6] = [
        vec![Claimed::Equal([hidden(7, "b"), a]), Claimed::Equal([a, other])],
        vec![Claimed::Differ([b, a]), Claimed::Differ([a, other])],
        vec![Claimed::DiffersFrom(a, 10), Claimed::DiffersFrom(other, 9), Claimed::DiffersFrom(a, 7)],
        vec![Claimed::OneOf(other, few.clone()), Claimed::OneOf(a, list(&[7, 5, 9]))],
        vec![Claimed::Member(other, few), Claimed::Member(a, list(&[5, 7, 9, 9]))],
        vec![
            Claimed::Within(other, intervals()),
            Claimed::Within(a, Set::of([[1, 3], [6, 9], [12, 41]]).unwrap()),
        ],
    ];
    for ((name, claimed, opened, _), others) in honest().into_iter().zip(others) {
        let proof = claimed.prove(4, &opened).unwrap();
        for other in others {
            assert!(!other.holds(&proof), "{name}");
        }
    }
}

#[test]
fn what_is_not_so_has_no_proof() {
    let equal = [hidden(7, "a"), hidden(7, "b")];
    let few = list(&[5, 6, 9]);
    let different = Opened::difference(&opened(7, "a"), &opened(8, "b"));
    let same = Opened::difference(&opened(7, "a"), &opened(7, "b"));
    assert!(Claimed::Equal([equal[0], hidden(8, "b")]).prove(0, &different).is_none());
    assert!(Claimed::Differ(equal).prove(0, &same).is_none());
    assert!(Claimed::DiffersFrom(equal[0], 7).prove(0, &opened(7, "a")).is_none());
    assert!(Claimed::OneOf(equal[0], few.clone()).prove(0, &opened(7, "a")).is_none());
    assert!(Claimed::Member(equal[0], few).prove(0, &opened(7, "a")).is_none());
    assert!(Claimed::Within(hidden(10, "a"), intervals()).prove(0, &opened(10, "a")).is_none());
    let long: Vec<u64> = (0..9).collect();
    assert!(Claimed::OneOf(equal[0], list(&long)).prove(0, &opened(7, "a")).is_none());
}

#[test]
fn lies_are_refused() {
    for (name, claimed, opened) in lies() {
        let proof = claimed.prove(4, &opened).unwrap();
        assert!(!claimed.holds(&proof), "{name}");
    }
}

/// Every place of lists of every length up to 20, and the first, last and one within of the longest.
#[test]
fn every_place_of_a_list() {
    for count in 1..=20_u64 {
        let elements: Vec<u64> = (0..count).map(|i| 100 + 3 * i).collect();
        for v in &elements {
            let claimed = Claimed::Member(hidden(*v, "a"), list(&elements));
            let proof = claimed.prove(4, &opened(*v, "a")).unwrap();
            assert_eq!(proof.len(), membership::length(elements.len()));
            assert!(claimed.holds(&proof), "{v} of {count}");
            if count <= 8 {
                let claimed = Claimed::OneOf(hidden(*v, "a"), list(&elements));
                let proof = claimed.prove(4, &opened(*v, "a")).unwrap();
                assert_eq!(proof.len(), one_of::length(elements.len()));
                assert!(claimed.holds(&proof), "{v} of {count}");
            }
        }
    }
    let elements: Vec<u64> = (0..65_536).map(|i| 2 * i).collect();
    let longest = list(&elements);
    for v in [0, 54_322, 131_070] {
        let claimed = Claimed::Member(hidden(v, "a"), longest.clone());
        let proof = claimed.prove(4, &opened(v, "a")).unwrap();
        assert_eq!(proof.len(), 3_616);
        assert!(claimed.holds(&proof));
    }
}

/// The last of the same elements is the place, whichever the resident has in mind.
#[test]
fn elements_may_stand_twice() {
    for (elements, place) in [([7, 5, 7, 9], 2), ([7, 7, 7, 7], 3), ([5, 9, 9, 7], 3)] {
        let list = list(&elements);
        assert_eq!(list.place(&Scalar::from(7_u64)).as_deref(), Some(&place));
        assert!(list.place(&Scalar::from(8_u64)).is_none());
        for claimed in
            [Claimed::OneOf(hidden(7, "a"), list.clone()), Claimed::Member(hidden(7, "a"), list.clone())]
        {
            assert!(claimed.holds(&claimed.prove(4, &opened(7, "a")).unwrap()));
        }
    }
}

/// What the prover folds a list into never moved: a vector that grew has room to spare.
#[test]
fn coefficients_have_their_room_from_the_start() {
    for (count, bits) in [(1_u64, 1), (2, 1), (6, 3), (1_000, 10)] {
        let elements: Vec<Scalar> = (0..count).map(Scalar::from).collect();
        let nonces = &mut Nonces::new(&start(), &[], &mut rng());
        let digits: Vec<Digit> = (0..bits).map(|j| Digit::new(j as u64 & 1, nonces)).collect();
        let q = membership::coefficients(&elements, &digits);
        assert_eq!((q.len(), q.capacity()), (bits + 1, bits + 1));
    }
}

#[test]
fn lists_have_bounds() {
    assert!(List::new(&[]).is_none());
    assert!(List::new(&vec![Element::from(1); 65_537]).is_none());
    assert_eq!([1, 2, 3, 64, 65, 1_024, 65_536].map(membership::bits), [1, 1, 2, 6, 7, 10, 16]);
    assert_eq!([64, 1_024, 65_536].map(membership::length), [1_376, 2_272, 3_616]);
}

#[test]
fn texts_are_compared_as_integers_are() {
    let uri = "https://larkfield.example/person";
    let text = |value: &str| Text::new(uri, value);
    let hidden = |value: &str, name: &str| Hidden::new(&commit_text(&text(value), &blinding(name))).unwrap();
    let opened = |value: &str, name: &str| Opened::text(&text(value), &blinding(name));
    let same = Opened::difference(&opened("0042", "a"), &opened("0042", "b"));
    let equal = Claimed::Equal([hidden("0042", "a"), hidden("0042", "b")]);
    assert!(equal.holds(&equal.prove(4, &same).unwrap()));
    let other = Opened::difference(&opened("0042", "a"), &opened("0043", "b"));
    let differ = Claimed::Differ([hidden("0042", "a"), hidden("0043", "b")]);
    assert!(differ.holds(&differ.prove(4, &other).unwrap()));
    let elements = ["0041", "0042"].map(|value| Element::from(&text(value)));
    let member = Claimed::OneOf(hidden("0042", "a"), List::new(&elements).unwrap());
    assert!(member.holds(&member.prove(4, &opened("0042", "a")).unwrap()));
}

/// The next sub-proof starts where this one ends, and depends on its last byte.
#[test]
fn prover_and_verifier_go_on_alike() {
    for (name, claimed, opened, _) in honest() {
        let mut proof = claimed.prove(4, &opened).unwrap();
        let after = |proof: &[u8]| {
            let mut t = start();
            claimed.holds_in(&mut t, 4, proof);
            transcript::challenge(&t)
        };
        let whole = after(&proof);
        *proof.last_mut().unwrap() ^= 1;
        assert_ne!(after(&proof), whole, "{name}");
    }
}

#[test]
fn what_is_no_commitment_is_not_read() {
    assert!(Hidden::new(&Commitment([0; 32])).is_none());
    assert!(Hidden::new(&Commitment([1; 32])).is_none());
}

/// For equal values: U is the identity, and both equations hold with g = 0, a = 1, e = -r.
fn identity_forgery() -> (Claimed, Vec<u8>) {
    let pair = [hidden(7, "a"), hidden(7, "b")];
    let r = Opened::difference(&opened(7, "a"), &opened(7, "b")).r;
    let [k1, k2, k3] = [11_u64, 12, 13].map(Scalar::from);
    let mut t = start();
    super::begin(&mut t, super::Kind::Inequality, 4, &pair);
    let t1 = RistrettoPoint::mul_base(&k1);
    let t2 = crate::group::blind(&(k2 * r + k3));
    super::announce(&mut t, &[[0; 32], t1.compress().0, t2.compress().0]);
    let c = super::challenge(&mut t);
    let proof = [vec![0; 32], super::joined(&[c, k1, k2 + c, k3 - c * r])].concat();
    (Claimed::Differ(pair), proof)
}

#[test]
fn a_difference_of_nought_is_refused() {
    let (claimed, proof) = identity_forgery();
    assert!(!claimed.holds(&proof));
}

/// 10 lies between two intervals. F hides the first value of one, L the last of the next, each the end of an interval.
fn mixed_ends() -> (Claimed, Vec<u8>) {
    let (point, set) = (hidden(10, "a"), intervals());
    let mut t = start();
    interval::start(&mut t, 4, &point, &set);
    let ends = [hidden(6, "f"), hidden(40, "l")];
    let sent = ends.map(|end| end.encoding);
    super::announce(&mut t, &sent);
    let x = super::challenge(&mut t);
    let list = interval::list(&set, &x).unwrap();
    let both = Hidden::computed(ends[0].point + x * ends[1].point);
    // The element of the second interval, with the blinding of the two ends.
    let r = blinding("f").0 + x * blinding("l").0;
    let opened = Opened { v: list.elements[1], r };
    let proof = membership::prove(&mut t, 4, &both, &list, &opened, &mut rng()).unwrap();
    (Claimed::Within(point, set), [sent.concat(), proof].concat())
}

#[test]
fn ends_of_two_intervals_are_refused() {
    let (claimed, forged) = mixed_ends();
    assert!(!claimed.holds(&forged));
}

/// 7 is not in the list. L, A, B, E are multiples of H, all equations are wrong, and their sum with these weights is the
/// identity: f solves its part in B, which is linear in it, and z its part in H.
fn weighted_forgery(weights: impl FnOnce(&mut Transcript) -> [Scalar; 2]) -> (Claimed, Vec<u8>) {
    let (point, list) = (hidden(7, "a"), list(&[5, 9]));
    let [two, three, four, five, seven, nine] = [2_u64, 3, 4, 5, 7, 9].map(Scalar::from);
    let mut t = start();
    super::begin(&mut t, super::Kind::Membership, 4, &[point]);
    super::absorb_list(&mut t, &list.digest);
    let announced = [Scalar::ONE, two, three, four].map(|k| crate::group::blind(&k).compress().0);
    super::announce(&mut t, &announced);
    let x = super::challenge(&mut t);
    let [first, second] = weights(&mut t);
    // 7x - 5(x - f) - 9f - first f = 0.
    let f = (seven - five) * x * (nine - five + first).invert();
    let z = first * (x + two) + second * (x - f + three) - four + x * opened(7, "a").r;
    let proof = [announced.concat(), super::joined(&[f, Scalar::ZERO, Scalar::ZERO, z])].concat();
    (Claimed::Member(point, list), proof)
}

fn weightless_forgery() -> (Claimed, Vec<u8>) {
    weighted_forgery(|_| [Scalar::ONE; 2])
}

/// By the weights that the transcript would give before the complete bytes.
fn early_forgery() -> (Claimed, Vec<u8>) {
    weighted_forgery(|t| {
        [(); 2].map(|()| {
            let mut bytes = [0; 16];
            t.challenge_bytes(b"weight", &mut bytes);
            Scalar::from(u128::from_le_bytes(bytes))
        })
    })
}

/// u and w of each bit, and z, are all scalars of H that the challenge does not depend on.
#[test]
fn faults_that_cancel_are_refused() {
    for (claimed, forged) in [weightless_forgery(), early_forgery()] {
        assert!(!claimed.holds(&forged));
    }
    let (_, claimed, opened, _) = honest().remove(4);
    let proof = claimed.prove(4, &opened).unwrap();
    let places = [9, 10, 12, 13, 14];
    for (more, less) in places.iter().flat_map(|more| places.map(|less| (*more, less))) {
        let mut words = proof.as_chunks::<32>().0.to_vec();
        for (place, change) in [(more, Scalar::ONE), (less, -Scalar::ONE)] {
            words[place] = (Scalar::from_canonical_bytes(words[place]).unwrap() + change).to_bytes();
        }
        assert_eq!(claimed.holds(&words.concat()), more == less, "{more}, {less}");
    }
}

/// Frozen, made here, and checked by the independent model; the model's own are accepted.
#[test]
fn frozen_proofs_are_what_the_code_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/vouchsafe-1/sigma.json");
    let made: Vec<Value> =
        honest().iter().map(|(name, claimed, opened, _)| vector(name, claimed, opened)).collect();
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os("VOUCHSAFE_BLESS").is_some() {
        fs::write(path, serde_json::to_string_pretty(&json!({ "proofs": made })).unwrap() + "\n").unwrap();
    }
    let frozen: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(frozen["proofs"], json!(made));
}

/// A proof with all that is public about it, and the challenge "vector" after it.
fn vector(name: &str, claimed: &Claimed, opened: &Opened) -> Value {
    let proof = claimed.prove(4, opened).unwrap();
    let mut t = start();
    assert!(claimed.holds_in(&mut t, 4, &proof));
    let (points, value, list): (Vec<Hidden>, Option<u64>, Vec<Scalar>) = match claimed {
        Claimed::Equal(pair) | Claimed::Differ(pair) => (pair.to_vec(), None, Vec::new()),
        Claimed::DiffersFrom(one, value) => (vec![*one], Some(*value), Vec::new()),
        Claimed::OneOf(one, list) | Claimed::Member(one, list) => (vec![*one], None, list.elements.clone()),
        Claimed::Within(one, set) => {
            (vec![*one], None, set.intervals().iter().flatten().map(|end| Scalar::from(*end)).collect())
        }
    };
    json!({
        "kind": name,
        "index": 4,
        "points": points.iter().map(|point| to_hex(&point.encoding)).collect::<Vec<_>>(),
        "value": value,
        "list": list.iter().map(|element| u64::from_le_bytes(element.as_bytes()[..8].try_into().unwrap())).collect::<Vec<_>>(),
        "proof": to_hex(&proof),
        "checkpoint": to_hex(&transcript::challenge(&t)),
    })
}

/// Proofs of the model's own.
#[test]
fn proofs_of_the_independent_model_hold() {
    let text = include_str!("../../../../specs/vectors/vouchsafe-1/model-sigma.json");
    let made: Value = serde_json::from_str(text).unwrap();
    let proofs = made["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 6);
    for one in proofs {
        let points: Vec<Hidden> = one["points"].as_array().unwrap().iter().map(read).collect();
        let elements: Vec<u64> =
            one["list"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
        let claimed = match (one["kind"].as_str().unwrap(), &points[..]) {
            ("equal", [a, b]) => Claimed::Equal([*a, *b]),
            ("differ", [a, b]) => Claimed::Differ([*a, *b]),
            ("differs-from", [a]) => Claimed::DiffersFrom(*a, one["value"].as_u64().unwrap()),
            ("one-of", [a]) => Claimed::OneOf(*a, list(&elements)),
            ("member", [a]) => Claimed::Member(*a, list(&elements)),
            ("within", [a]) => Claimed::Within(*a, Set::of(elements.as_chunks().0.to_vec()).unwrap()),
            (kind, _) => panic!("unknown kind {kind}"),
        };
        let mut t = start();
        let proof = unhex(one["proof"].as_str().unwrap());
        assert!(claimed.holds_in(&mut t, one["index"].as_u64().unwrap(), &proof), "{}", one["kind"]);
        assert_eq!(to_hex(&transcript::challenge(&t)), one["checkpoint"].as_str().unwrap());
    }
}

fn read(point: &Value) -> Hidden {
    Hidden::new(&Commitment(unhex(point.as_str().unwrap()).try_into().unwrap())).unwrap()
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::*;

    #[test]
    fn without_the_verdict() {
        let passes = |name| {
            let of = |(kind, claimed, opened): (&'static str, Claimed, Opened)| {
                let proof = claimed.prove(4, &opened).unwrap();
                without(name, || claimed.holds(&proof)).then_some(kind)
            };
            lies().into_iter().filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(passes("zk-equality"), ["equal"]);
        assert_eq!(passes("zk-inequality"), ["differ", "differs-from"]);
        assert_eq!(passes("zk-one-of"), ["one-of"]);
        assert_eq!(passes("zk-membership"), ["member"]);
    }

    /// What is left out of the transcript changes the challenge: the frozen proofs notice.
    #[test]
    fn without_an_append() {
        let missed = |name: &str| {
            let of = |(kind, claimed, opened, _): (&'static str, Claimed, Opened, usize)| {
                let proof = claimed.prove(4, &opened).unwrap();
                without(name, || !claimed.holds(&proof)).then_some(kind)
            };
            honest().into_iter().filter_map(of).collect::<Vec<_>>()
        };
        let all = ["equal", "differ", "differs-from", "one-of", "member", "within"];
        assert_eq!(missed("zk-sigma-announcement"), all);
        assert_eq!(missed("zk-bind-sub-proof"), all);
        assert_eq!(missed("zk-bind-index"), all);
        assert_eq!(missed("zk-bind-point"), all);
        assert_eq!(missed("zk-sigma-value"), ["differs-from"]);
        assert_eq!(missed("zk-sigma-list"), ["one-of", "member", "within"]);
    }

    #[test]
    fn without_the_membership_ends_of_two_intervals_pass() {
        let (claimed, forged) = mixed_ends();
        assert!(without("zk-membership", || claimed.holds(&forged)));
    }

    /// Without the announcement in the transcript, anybody proves anything: draw the challenge, then choose T.
    #[test]
    fn without_the_announcement_a_lie_passes() {
        let claimed = Claimed::Equal([hidden(7, "a"), hidden(8, "b")]);
        let Claimed::Equal(pair) = &claimed else { unreachable!() };
        let mut t = start();
        super::super::begin(&mut t, super::super::Kind::Equality, 4, pair);
        let c = super::super::challenge(&mut t);
        let forged = super::super::joined(&[c, Scalar::from(5_u64)]);
        assert!(!claimed.holds(&forged));
        assert!(without("zk-sigma-announcement", || claimed.holds(&forged)));
    }

    #[test]
    fn without_the_weights() {
        let (claimed, forged) = weightless_forgery();
        assert!(without("zk-sigma-weight", || claimed.holds(&forged)));
        let (claimed, forged) = early_forgery();
        assert!(without("zk-bind-proof", || claimed.holds(&forged)));
    }

    #[test]
    fn without_the_refusal_of_the_identity() {
        let (claimed, proof) = identity_forgery();
        assert!(without("zk-sigma-identity", || claimed.holds(&proof)));
    }
}
