//! The byte format of a proof, and the challenges that its conversation gives.
//!
//! Four points A, S, T1, T2; three scalars t, tau, e; log2(n*m) pairs of points L, R; two scalars a, b. Each is 32
//! bytes. Notation is that of the paper (Bünz and others, 2018, sections 4.2 and 4.3), tau for its tau_x, e for its mu.

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};
use merlin::Transcript;
use vouchsafe_mutants as mutants;

use super::proof_length;
use crate::group::IDENTITY;

/// A proof of the length that `n` and `m` demand, with canonical scalars and points; nothing of it is true yet.
pub(super) struct Proof<'a> {
    messages: Vec<&'a [u8; 32]>,
    /// A, S, T1, T2, then L and R of each round by turns.
    pub(super) points: Vec<RistrettoPoint>,
    pub(super) t: Scalar,
    pub(super) tau: Scalar,
    pub(super) e: Scalar,
    pub(super) a: Scalar,
    pub(super) b: Scalar,
}

/// What the verifier of the conversation would have drawn.
pub(super) struct Challenges {
    pub(super) y: Scalar,
    pub(super) z: Scalar,
    pub(super) x: Scalar,
    pub(super) w: Scalar,
    /// One for each round of the inner product.
    pub(super) u: Vec<Scalar>,
}

/// Messages before the rounds: four points and three scalars.
const BEFORE: usize = 7;
/// The scalars a and b after the rounds.
const AFTER: usize = 2;

impl<'a> Proof<'a> {
    /// Reads a proof; `None` if the length is not the formula's, a scalar is not canonical, or a point is not the
    /// canonical encoding (RFC 9496 4.3.1) of an element other than the identity.
    pub(super) fn parse(bytes: &'a [u8], n: usize, m: usize) -> Option<Self> {
        let (messages, rest) = bytes.as_chunks::<32>();
        if bytes.len() != proof_length(n, m) || !rest.is_empty() {
            return None;
        }
        let messages: Vec<&[u8; 32]> = messages.iter().collect();
        let (before, others) = messages.split_at(BEFORE);
        let (rounds, after) = others.split_at(others.len() - AFTER);
        let [t, tau, e] = [before[4], before[5], before[6]].map(scalar);
        let [a, b] = [after[0], after[1]].map(scalar);
        let points = before[..4].iter().chain(rounds).map(|bytes| point(bytes)).collect::<Option<_>>()?;
        Some(Self { points, t: t?, tau: tau?, e: e?, a: a?, b: b?, messages })
    }

    /// Replays the conversation. `t` has absorbed everything that comes before the package's own part.
    pub(super) fn challenges(&self, t: &mut Transcript, n: usize, values: &[[u8; 32]]) -> Challenges {
        let [a, s, t1, t2] = [0, 1, 2, 3].map(|i| self.messages[i]);
        begin(t, n, values);
        t.append_message(b"A", a);
        t.append_message(b"S", s);
        let (y, z) = (challenge(t, b"y"), challenge(t, b"z"));
        t.append_message(b"T_1", t1);
        t.append_message(b"T_2", t2);
        let x = challenge(t, b"x");
        t.append_message(b"t_x", self.messages[4]);
        t.append_message(b"t_x_blinding", self.messages[5]);
        t.append_message(b"e_blinding", self.messages[6]);
        let w = challenge(t, b"w");
        t.append_message(b"dom-sep", b"ipp v1");
        t.append_u64(b"n", (n * values.len()) as u64);
        let (rounds, _) = self.messages[BEFORE..self.messages.len() - AFTER].as_chunks::<2>();
        let u = rounds.iter().map(|[left, right]| {
            t.append_message(b"L", *left);
            t.append_message(b"R", *right);
            challenge(t, b"u")
        });
        Challenges { y, z, x, w, u: u.collect() }
    }
}

fn begin(t: &mut Transcript, n: usize, values: &[[u8; 32]]) {
    t.append_message(b"dom-sep", b"rangeproof v1");
    t.append_u64(b"n", n as u64);
    t.append_u64(b"m", values.len() as u64);
    for value in values {
        t.append_message(b"V", value);
    }
}

fn challenge(t: &mut Transcript, label: &'static [u8]) -> Scalar {
    let mut wide = [0; 64];
    t.challenge_bytes(label, &mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    if mutants::skips("zk-range-scalar") {
        return Some(Scalar::from_bytes_mod_order(*bytes));
    }
    Option::from(Scalar::from_canonical_bytes(*bytes))
}

/// The identity is refused in every message: an honest prover sends it with negligible probability.
fn point(bytes: &[u8; 32]) -> Option<RistrettoPoint> {
    if !(mutants::skips("zk-range-identity") || *bytes != IDENTITY) {
        return None;
    }
    CompressedRistretto(*bytes).decompress()
}
