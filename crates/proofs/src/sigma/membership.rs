//! A commitment hides an element of a long list: one out of many (Groth and Kohlweiss, 2015, figure 2, in base 2).
//!
//! N = 2^m elements s_0 to s_(N-1), a shorter list padded with its last; D_i = C - s_i*B, and D_l = r*H for the secret l
//! with bits l_j. For each bit, by r_j, a_j, s_j, t_j drawn afresh:
//!
//! ```text
//! L_j = Com(l_j; r_j)   A_j = Com(a_j; s_j)   B_j = Com(l_j*a_j; t_j)
//! f_j = l_j*x + a_j     u_j = r_j*x + s_j     w_j = r_j*(x - f_j) + t_j
//! ```
//!
//! With f_(j,1) = f_j and f_(j,0) = x - f_j, p_i(x) = prod_j f_(j, bit j of i) has degree m for i = l alone. For a public
//! list, sum_i p_i(x)*D_i is x^m*C - q(x)*B with q(x) = sum_i s_i*p_i(x), since the p_i add up to x^m. The prover sends
//! E_k = -q_k*B + rho_k*H for every coefficient q_k below the m-th; z = r*x^m - sum_k rho_k*x^k. The verifier checks
//!
//! ```text
//! x*L_j + A_j = Com(f_j; u_j)      (x - f_j)*L_j + B_j = Com(0; w_j)      x^m*C - q(x)*B - sum_k x^k*E_k = z*H
//! ```
//!
//! all in one sum, each equation times a weight that the complete proof gives. Bytes: L, A, B, E of each bit, then f, u, w
//! of each, then z: 32*(7m + 1).

use std::iter;

use curve25519_dalek::{RistrettoPoint, Scalar, traits::IsIdentity};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::{
    Hidden, Kind, List, Nonces, Opened, absorb_list, announce, begin, canonical, challenge, joined, sent,
};
use crate::{group, transcript};

/// The most elements of a list.
pub const LONGEST: usize = 1 << 16;

/// m for a list of `count` elements; at least one bit, so that there is something to prove.
#[must_use]
pub const fn bits(count: usize) -> usize {
    let padded = count.next_power_of_two();
    if padded < 2 { 1 } else { padded.ilog2() as usize }
}

/// Bytes of a proof about a list of `count` elements: 32*(7m + 1).
#[must_use]
pub const fn length(count: usize) -> usize {
    32 * (7 * bits(count) + 1)
}

/// Proves that the hidden value is an element.
///
/// The work does not depend on which. `None` if the value is no element.
pub fn prove(
    t: &mut Transcript,
    index: u64,
    hidden: &Hidden,
    list: &List,
    opened: &Opened,
    rng: &mut dyn CryptoRngCore,
) -> Option<Vec<u8>> {
    let place = list.place(&opened.v)?;
    begin(t, Kind::Membership, index, &[*hidden]);
    absorb_list(t, &list.digest);
    let mut nonces = Nonces::new(t, &[&opened.v, &opened.r], rng);
    let digits: Vec<Digit> =
        (0..bits(list.elements.len())).map(|j| Digit::new(*place >> j & 1, &mut nonces)).collect();
    let rho = nonces.take(digits.len());
    let q = coefficients(&list.elements, &digits);
    let sent: Vec<[u8; 32]> = digits
        .iter()
        .zip(q.iter().zip(&rho))
        .flat_map(|(digit, (q, rho))| digit.announcements(&Zeroizing::new(-*q), rho))
        .collect();
    announce(t, &sent);
    let x = challenge(t);
    let z = response(&x, &opened.r, &rho);
    let responses: Vec<Scalar> = digits.iter().flat_map(|digit| digit.responses(&x)).chain([z]).collect();
    let proof = [sent.concat(), joined(&responses)].concat();
    transcript::proof_bytes(t, &proof);
    Some(proof)
}

/// z = r*x^m - sum_k rho_k*x^k.
fn response(x: &Scalar, r: &Scalar, rho: &[Zeroizing<Scalar>]) -> Scalar {
    let mut power = Scalar::ONE;
    let mut masks = Zeroizing::new(Scalar::ZERO);
    for rho in rho {
        *masks += **rho * power;
        power *= x;
    }
    r * power - *masks
}

/// One bit of the secret place, with its masks.
pub(super) struct Digit {
    bit: Zeroizing<Scalar>,
    a: Zeroizing<Scalar>,
    r: Zeroizing<Scalar>,
    s: Zeroizing<Scalar>,
    t: Zeroizing<Scalar>,
}

impl Digit {
    pub(super) fn new(bit: u64, nonces: &mut Nonces) -> Self {
        let [a, r, s, t] = [(); 4].map(|()| nonces.next());
        Self { bit: Zeroizing::new(Scalar::from(bit)), a, r, s, t }
    }

    /// L, A, B, and E for the coefficient of the same number.
    fn announcements(&self, minus_q: &Scalar, rho: &Scalar) -> [[u8; 32]; 4] {
        let product = Zeroizing::new(*self.bit * *self.a);
        [(&*self.bit, &*self.r), (&*self.a, &*self.s), (&*product, &*self.t), (minus_q, rho)]
            .map(|(v, r)| group::commit(v, r).compress().0)
    }

    /// f, u, w.
    fn responses(&self, x: &Scalar) -> [Scalar; 3] {
        let f = *self.bit * x + *self.a;
        [f, *self.r * x + *self.s, *self.r * (x - f) + *self.t]
    }
}

/// The coefficients q_0 to q_(m-1) of q(x) = sum_i s_i*p_i(x).
///
/// Folded bit by bit, least significant first: each pair becomes f_(j,0)*even + f_(j,1)*odd, of one degree more. A level
/// tells the bits below it, and one that grew would leave copies behind: each has its room from the start.
pub(super) fn coefficients(elements: &[Scalar], digits: &[Digit]) -> Zeroizing<Vec<Scalar>> {
    let mut level: Zeroizing<Vec<Scalar>> = Zeroizing::new(padded(elements, digits.len()));
    for (degree, digit) in digits.iter().enumerate() {
        let width = degree + 1;
        let mut folded = Zeroizing::new(Vec::with_capacity(level.len() / (2 * width) * (width + 1)));
        for pair in level.chunks(2 * width) {
            let (even, odd) = pair.split_at(width);
            folded.extend(digit.fold(even, odd));
        }
        level = folded;
    }
    level
}

impl Digit {
    /// (x*(1 - bit) - a)*even + (x*bit + a)*odd.
    fn fold(&self, even: &[Scalar], odd: &[Scalar]) -> impl Iterator<Item = Scalar> {
        let other = Zeroizing::new(Scalar::ONE - *self.bit);
        let of =
            |side: &[Scalar], k: Option<usize>| k.and_then(|k| side.get(k)).copied().unwrap_or(Scalar::ZERO);
        (0..=even.len()).map(move |k| {
            let (same, below) = (Some(k), k.checked_sub(1));
            *self.a * (of(odd, same) - of(even, same)) + *other * of(even, below) + *self.bit * of(odd, below)
        })
    }
}

fn padded(elements: &[Scalar], bits: usize) -> Vec<Scalar> {
    let last = elements.last().copied().unwrap_or(Scalar::ZERO);
    elements.iter().copied().chain(iter::repeat(last)).take(1 << bits).collect()
}

/// A proof of the right length with canonical points and scalars.
struct Parsed {
    /// L, A, B, E of each bit.
    points: Vec<[RistrettoPoint; 4]>,
    /// f, u, w of each bit.
    responses: Vec<[Scalar; 3]>,
    z: Scalar,
}

impl Parsed {
    fn new(proof: &[u8], bits: usize) -> Option<Self> {
        let (words, rest) = proof.as_chunks::<32>();
        if words.len() != 7 * bits + 1 || !rest.is_empty() {
            return None;
        }
        let (points, scalars) = words.split_at(4 * bits);
        let points = points.iter().map(sent).collect::<Option<Vec<_>>>()?;
        let scalars = scalars.iter().map(canonical).collect::<Option<Vec<_>>>()?;
        let (responses, z) = scalars.as_chunks();
        Some(Self { points: points.as_chunks().0.to_vec(), responses: responses.to_vec(), z: *z.first()? })
    }
}

/// Whether the hidden value is an element. Variable time.
#[must_use]
pub fn verify_vartime(t: &mut Transcript, index: u64, hidden: &Hidden, list: &List, proof: &[u8]) -> bool {
    let bits = bits(list.elements.len());
    let Some(parsed) = Parsed::new(proof, bits) else { return false };
    begin(t, Kind::Membership, index, &[*hidden]);
    absorb_list(t, &list.digest);
    announce(t, &proof.as_chunks::<32>().0[..4 * bits]);
    let x = challenge(t);
    transcript::proof_bytes(t, proof);
    let holds = equations(hidden, list, &parsed, &x, weights(t, bits)).is_identity();
    mutants::skips("zk-membership") || holds
}

/// Two for each bit, of 128 bits. The last equation needs none: where all others hold, only it is left in the sum.
fn weights(t: &Transcript, bits: usize) -> Vec<[Scalar; 2]> {
    let mut t = t.clone();
    let mut weight = || {
        let mut bytes = [0; 16];
        t.challenge_bytes(b"weight", &mut bytes);
        if mutants::skips("zk-sigma-weight") {
            return Scalar::ONE;
        }
        Scalar::from(u128::from_le_bytes(bytes))
    };
    (0..bits).map(|_| [weight(), weight()]).collect()
}

/// The weighted sum of all equations, which is the identity if they hold.
#[expect(clippy::disallowed_methods, reason = "only the verifier calls it, on public data")]
fn equations(
    hidden: &Hidden,
    list: &List,
    parsed: &Parsed,
    x: &Scalar,
    weights: Vec<[Scalar; 2]>,
) -> RistrettoPoint {
    use curve25519_dalek::traits::VartimeMultiscalarMul;
    let mut of_b = -evaluated(list, &parsed.responses, x);
    let mut of_h = -parsed.z;
    let mut power = Scalar::ONE;
    let mut terms = Vec::with_capacity(4 * weights.len() + 3);
    for (([first, second], points), [f, u, w]) in weights.iter().zip(&parsed.points).zip(&parsed.responses) {
        let [l, a, b, e] = points;
        terms.extend([(first * x + second * (x - f), l), (*first, a), (*second, b), (-power, e)]);
        of_b -= first * f;
        of_h -= first * u + second * w;
        power *= x;
    }
    let (base, blinding_base) = (group::value_base(), group::blinding_base());
    terms.extend([(power, &hidden.point), (of_b, &base), (of_h, &blinding_base)]);
    RistrettoPoint::vartime_multiscalar_mul(
        terms.iter().map(|(scalar, _)| scalar),
        terms.iter().map(|(_, point)| *point),
    )
}

/// q(x) = sum_i s_i*p_i(x), folded as the prover folds.
fn evaluated(list: &List, responses: &[[Scalar; 3]], x: &Scalar) -> Scalar {
    let mut level = padded(&list.elements, responses.len());
    for [f, ..] in responses {
        let other = x - f;
        level = level.as_chunks().0.iter().map(|[even, odd]| other * even + f * odd).collect();
    }
    level[0]
}
