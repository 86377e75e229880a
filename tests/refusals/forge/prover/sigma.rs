//! The sub-proofs without a range, over any opening, whether it opens anything or not
//! (`specs/proofs/README.md`, section 6.2).

use bulletproofs::PedersenGens;
use dalek4::Scalar;
use dalek4::ristretto::RistrettoPoint;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use vouchsafe_proofs::planner::Shows;
use vouchsafe_proofs::set::Set;
use vouchsafe_protocol::encoding::sha256;

use super::transcript::{digest, number};
use super::{Ends, Open};

/// The type byte.
pub(super) fn kind(shows: &Shows) -> u8 {
    match shows {
        Shows::Equal => 2,
        Shows::Differ | Shows::DiffersFrom(_) => 3,
        Shows::OneOf(_) => 4,
        Shows::Element(_) => 5,
        Shows::Within(_) => 6,
    }
}

/// A sub-proof in the making, over a copy of the transcript.
pub(super) struct Sigma {
    t: Transcript,
    index: u64,
    rng: ChaCha20Rng,
    bases: PedersenGens,
}

impl Sigma {
    pub(super) fn new(t: &mut Transcript, index: usize) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(index as u64 + 40);
        Self { t: t.clone(), index: index as u64, rng, bases: PedersenGens::default() }
    }

    fn fresh(&mut self) -> Scalar {
        let mut wide = [0; 64];
        self.rng.fill_bytes(&mut wide);
        Scalar::from_bytes_mod_order_wide(&wide)
    }

    fn begin(&mut self, kind: u64, points: &[RistrettoPoint]) {
        number(&mut self.t, b"7.type", kind);
        number(&mut self.t, b"7.index", self.index);
        points.iter().for_each(|point| self.t.append_message(b"7.point", &point.compress().0));
    }

    fn announce(&mut self, points: &[RistrettoPoint]) -> Vec<u8> {
        let mut sent = Vec::new();
        for point in points {
            self.t.append_message(b"7.announcement", &point.compress().0);
            sent.extend(point.compress().0);
        }
        sent
    }

    fn challenge(&mut self) -> Scalar {
        let mut wide = [0; 64];
        self.t.challenge_bytes(b"7.challenge", &mut wide);
        Scalar::from_bytes_mod_order_wide(&wide)
    }

    fn list(&mut self, elements: &[Scalar]) {
        let count = (elements.len() as u64).to_be_bytes().to_vec();
        let all = elements.iter().fold(count, |all, element| [&all[..], element.as_bytes()].concat());
        self.t.append_message(b"7.list", &sha256(all));
    }

    pub(super) fn equal(&mut self, pair: &[RistrettoPoint], difference: &Open) -> Vec<u8> {
        self.begin(2, pair);
        let k = self.fresh();
        self.announce(&[self.bases.B_blinding * k]);
        let c = self.challenge();
        joined(&[c, k + c * difference.r])
    }

    /// `point` hides the difference. Of nought it says one, or has the identity for U.
    pub(super) fn differ(
        &mut self,
        points: &[RistrettoPoint],
        point: RistrettoPoint,
        difference: Open,
        value: Option<Scalar>,
        identity: bool,
    ) -> Vec<u8> {
        self.begin(3, points);
        if let Some(value) = value {
            self.t.append_message(b"7.value", value.as_bytes());
        }
        let lies = difference.v == Scalar::ZERO && !identity;
        let d = if lies { Scalar::ONE } else { difference.v };
        let [w, k1, k2, k3] = [(); 4].map(|()| self.fresh());
        let (base, blinding) = (self.bases.B, self.bases.B_blinding);
        let announced = [base * (w * d), base * k1, point * k2 + blinding * k3];
        let sent = self.announce(&announced);
        let c = self.challenge();
        let responses = joined(&[c, k1 + c * w * d, k2 + c * w, k3 - c * w * difference.r]);
        [&sent[..32], &responses].concat()
    }

    /// Of a value that is not in the list it says the first.
    pub(super) fn one_of(&mut self, point: RistrettoPoint, list: &[u64], open: Open) -> Vec<u8> {
        let elements: Vec<_> = list.iter().map(|v| Scalar::from(*v)).collect();
        self.begin(4, &[point]);
        self.list(&elements);
        let place = elements.iter().position(|element| *element == open.v).unwrap_or(0);
        let k = self.fresh();
        let mut branches: Vec<_> = elements.iter().map(|_| [self.fresh(), self.fresh()]).collect();
        branches[place] = [Scalar::ZERO, k];
        let announced: Vec<_> = branches
            .iter()
            .zip(&elements)
            .map(|([c, z], s)| self.bases.B_blinding * z - (point - self.bases.B * s) * c)
            .collect();
        self.announce(&announced);
        let others: Scalar = branches.iter().map(|[c, _]| c).sum();
        let c = self.challenge() - others;
        branches[place] = [c, k + c * open.r];
        joined(&branches.concat())
    }

    /// One out of many. Of a value that is not in the list it says the first.
    pub(super) fn element(&mut self, point: RistrettoPoint, elements: &[Scalar], open: Open) -> Vec<u8> {
        let place = elements.iter().position(|element| *element == open.v).unwrap_or(0);
        self.element_at(point, elements, place, open.r)
    }

    fn element_at(&mut self, point: RistrettoPoint, elements: &[Scalar], place: usize, r: Scalar) -> Vec<u8> {
        self.begin(5, &[point]);
        self.list(elements);
        let m = elements.len().next_power_of_two().ilog2().max(1) as usize;
        let digits: Vec<Digit> = (0..m)
            .map(|j| Digit {
                bit: Scalar::from((place >> j & 1) as u64),
                secret: [(); 5].map(|()| self.fresh()),
            })
            .collect();
        let q = coefficients(elements, &digits);
        let mut announced = Vec::new();
        for (digit, q) in digits.iter().zip(&q) {
            let [a, r, s, t, rho] = digit.secret;
            let commit = |v, r| self.bases.commit(v, r);
            announced.extend([commit(digit.bit, r), commit(a, s), commit(digit.bit * a, t), commit(-q, rho)]);
        }
        let sent = self.announce(&announced);
        let x = self.challenge();
        let (mut responses, mut power, mut masks) = (Vec::new(), Scalar::ONE, Scalar::ZERO);
        for Digit { bit, secret: [a, r, s, t, rho] } in &digits {
            let f = bit * x + a;
            responses.extend([f, r * x + s, r * (x - f) + t]);
            masks += rho * power;
            power *= x;
        }
        responses.push(r * power - masks);
        [sent, joined(&responses)].concat()
    }

    /// The ends are what the caller says. Of two that are no pair it says the pair of the first.
    pub(super) fn within(&mut self, point: RistrettoPoint, set: &Set, ends: [u64; 2]) -> (Vec<u8>, Ends) {
        self.begin(6, &[point]);
        self.t.append_message(b"7.list", &digest(set));
        let own = ends.map(|end| Open { v: Scalar::from(end), r: self.fresh() });
        let points = own.map(|end| self.bases.commit(end.v, end.r));
        let sent = self.announce(&points);
        let x = self.challenge();
        let both = points[0] + points[1] * x;
        let pairs = set.intervals().iter();
        let list: Vec<_> =
            pairs.clone().map(|[first, last]| Scalar::from(*first) + x * Scalar::from(*last)).collect();
        let place = pairs.clone().position(|[first, _]| *first == ends[0]).unwrap();
        let proof = self.element_at(both, &list, place, own[0].r + x * own[1].r);
        ([sent, proof].concat(), own)
    }
}

/// One bit of the secret place, and what blinds it: a, r, s, t, rho.
struct Digit {
    bit: Scalar,
    secret: [Scalar; 5],
}

/// The coefficients of q(x) = sum_i s_i*p_i(x), each p_i multiplied out.
fn coefficients(elements: &[Scalar], digits: &[Digit]) -> Vec<Scalar> {
    let mut q = vec![Scalar::ZERO; digits.len() + 1];
    for i in 0..1_usize << digits.len() {
        let mut p = vec![Scalar::ONE];
        for (j, digit) in digits.iter().enumerate() {
            let [a, ..] = digit.secret;
            let (constant, linear) =
                if i >> j & 1 == 1 { (a, digit.bit) } else { (-a, Scalar::ONE - digit.bit) };
            let mut next = vec![Scalar::ZERO; p.len() + 1];
            for (k, c) in p.iter().enumerate() {
                next[k] += c * constant;
                next[k + 1] += c * linear;
            }
            p = next;
        }
        let element = elements[i.min(elements.len() - 1)];
        q.iter_mut().zip(&p).for_each(|(q, c)| *q += element * c);
    }
    q
}

fn joined(scalars: &[Scalar]) -> Vec<u8> {
    scalars.iter().flat_map(Scalar::to_bytes).collect()
}
