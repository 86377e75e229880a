//! The two equations of a proof as one sum that must be the identity.
//!
//! `specs/proofs/README.md` section 6.1; Bünz and others, 2018, equations (65), (67) and (68), with the inner product
//! unrolled as in section 3.1 of the paper. N = n*m, i counts bits from 0 to N-1, j = i div n, k = i mod n:
//!
//! ```text
//!   rho   * ( A + x*S - e*H + w*(t - a*b)*B + sum_r u_r^2*L_r + u_r^-2*R_r
//!             + sum_i (-z - a*s_i)*G_i + (z + y^-i*(z^(2+j)*2^k - b/s_i))*H_i )
//! + sigma * ( x*T1 + x^2*T2 + (delta(y,z) - t)*B - tau*H + sum_j z^(2+j)*V_j )
//! ```
//!
//! with s_i the product of u_r or 1/u_r by the bits of i, most significant first, so that 1/s_i = s_(N-1-i), and
//! delta(y,z) = (z - z^2)*sum_i y^i - (2^n - 1)*sum_j z^(3+j). An equation that does not hold survives a weight that
//! was drawn after it with probability 2^-128.

use curve25519_dalek::{RistrettoPoint, Scalar};

use super::{
    generators::sum_vartime,
    proof::{Challenges, Proof},
};
use curve25519_dalek::traits::IsIdentity;

/// B and H come before the generators.
const BASES: usize = 2;

/// Terms over the fixed generators of (n, m), added up over any number of proofs, and terms over points of the proofs.
pub(super) struct Sum {
    pub(super) n: usize,
    pub(super) m: usize,
    fixed: Vec<Scalar>,
    pub(super) scalars: Vec<Scalar>,
    pub(super) points: Vec<RistrettoPoint>,
}

/// The weights of one proof's two equations.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    /// Of the inner product.
    pub(super) rho: Scalar,
    /// Of the polynomial.
    pub(super) sigma: Scalar,
}

impl Sum {
    /// An empty sum for proofs of at most `n` bits and `m` values.
    pub(super) fn new(n: usize, m: usize) -> Self {
        Self { n, m, fixed: vec![Scalar::ZERO; BASES + 2 * n * m], scalars: Vec::new(), points: Vec::new() }
    }

    /// The scalars of B, H, all G, all H, in the order of [`super::generators`].
    pub(super) fn fixed(&self) -> &[Scalar] {
        &self.fixed
    }

    /// Adds both equations of a proof that `values` lie in `[0, 2^n)`.
    pub(super) fn add(
        &mut self,
        proof: &Proof<'_>,
        challenges: &Challenges,
        n: usize,
        values: &[RistrettoPoint],
        weights: Weights,
    ) {
        let Weights { rho, sigma } = weights;
        let Challenges { y, z, x, w, u } = challenges;
        let inverses = inverses(y, u);
        let powers_of_z = powers(z, z * z, values.len());
        self.messages(x, u, &inverses, weights);
        self.points.extend(&proof.points);
        self.scalars.extend(powers_of_z.iter().map(|power| sigma * power));
        self.points.extend(values);
        self.fixed[0] +=
            rho * w * (proof.t - proof.a * proof.b) + sigma * (delta(y, z, n, &powers_of_z) - proof.t);
        self.fixed[1] -= rho * proof.e + sigma * proof.tau;
        let s = exponents(u, &inverses);
        self.generators(n, &s, [rho * z, rho * proof.a]);
        self.complements(n, &s, &powers_of_z, [rho, rho * z, proof.b, inverses.y]);
    }

    /// A, S, T1, T2, L and R.
    fn messages(&mut self, x: &Scalar, u: &[Scalar], inverses: &Inverses, weights: Weights) {
        let Weights { rho, sigma } = weights;
        self.scalars.extend([rho, rho * x, sigma * x, sigma * x * x]);
        for (u, inverse) in u.iter().zip(&inverses.u) {
            self.scalars.extend([rho * u * u, rho * inverse * inverse]);
        }
    }

    /// -rho*z - rho*a*s_i for every G_i.
    fn generators(&mut self, n: usize, s: &[Scalar], [rho_z, rho_a]: [Scalar; 2]) {
        for (i, s) in s.iter().enumerate() {
            let at = BASES + self.place(n, i);
            self.fixed[at] -= rho_z + rho_a * s;
        }
    }

    /// rho*z + rho*y^-i*(z^(2+j)*2^k - b/s_i) for every H_i.
    fn complements(
        &mut self,
        n: usize,
        s: &[Scalar],
        powers_of_z: &[Scalar],
        [rho, rho_z, b, y_inverse]: [Scalar; 4],
    ) {
        let mut rho_y = rho;
        let mut bit = Scalar::ZERO;
        for (i, s_inverse) in s.iter().rev().enumerate() {
            bit = if i % n == 0 { powers_of_z[i / n] } else { bit + bit };
            let at = BASES + self.n * self.m + self.place(n, i);
            self.fixed[at] += rho_z + rho_y * (bit - b * s_inverse);
            rho_y *= y_inverse;
        }
    }

    /// Where bit i of a proof of n-bit values stands among generators for `self.n` bits a party.
    fn place(&self, n: usize, i: usize) -> usize {
        i / n * self.n + i % n
    }

    /// Whether the sum is the identity. Variable time: everything here is public.
    pub(super) fn is_nought_vartime(&self) -> bool {
        sum_vartime(self).is_identity()
    }
}

/// 1/y, and 1/u of each round.
struct Inverses {
    y: Scalar,
    u: Vec<Scalar>,
}

/// By one inversion. A challenge is nought with probability 2^-252: nobody finds such a proof.
fn inverses(y: &Scalar, u: &[Scalar]) -> Inverses {
    let mut all: Vec<Scalar> = u.iter().chain([y]).copied().collect();
    Scalar::invert_batch_alloc(&mut all);
    let y = all.pop().expect("y was put in");
    Inverses { y, u: all }
}

/// s_i for i from 0 to N-1: the product of all 1/u, then by each bit of i that is set the u^2 of its round.
fn exponents(u: &[Scalar], inverses: &Inverses) -> Vec<Scalar> {
    let mut s = Vec::with_capacity(1 << u.len());
    s.push(inverses.u.iter().product());
    // The last round folds neighbours, so it belongs to the least significant bit.
    for u in u.iter().rev() {
        let square = u * u;
        s.extend_from_within(..);
        let half = s.len() / 2;
        s[half..].iter_mut().for_each(|s| *s *= square);
    }
    s
}

/// (z - z^2)*sum_i y^i - (2^n - 1)*sum_j z^(3+j).
fn delta(y: &Scalar, z: &Scalar, n: usize, powers_of_z: &[Scalar]) -> Scalar {
    let all_ones = Scalar::from(u64::MAX >> (64 - n));
    let sum_z: Scalar = powers_of_z.iter().sum();
    (z - z * z) * sum_of_powers(y, n * powers_of_z.len()) - all_ones * z * sum_z
}

/// 1 + y + ... + y^(count-1) for a power of two: the product of 1 + y^(2^k).
fn sum_of_powers(y: &Scalar, count: usize) -> Scalar {
    let mut square = *y;
    let mut sum = Scalar::ONE;
    for _ in 0..count.ilog2() {
        sum *= Scalar::ONE + square;
        square *= square;
    }
    sum
}

/// first, first*base, first*base^2, ...
fn powers(base: &Scalar, first: Scalar, count: usize) -> Vec<Scalar> {
    std::iter::successors(Some(first), |power| Some(power * base)).take(count).collect()
}
