//! The generators of the package, on our own curve crate.
//!
//! Party j has the chain SHAKE256("GeneratorsChain" || letter || LE32(j)), each 64 bytes of which give an element by
//! the one-way map of RFC 9496 4.3.4: letter G for bits, H for their complements.

use std::sync::{LazyLock, OnceLock};

use curve25519_dalek::{
    RistrettoPoint,
    ristretto::{CompressedRistretto, VartimeRistrettoPrecomputation},
    traits::{VartimeMultiscalarMul, VartimePrecomputedMultiscalarMul},
};
use sha3::{
    Shake256,
    digest::{ExtendableOutput, Update, XofReader},
};

use super::equation::Sum;
use crate::{group, planner::MAX_ENTRIES};

/// Bits of the widest entry.
pub(super) const MAX_N: usize = 64;
/// Sizes n*m of which multiples are kept: beyond, they are more than the nearer caches hold, and a sum is slower with them.
const TABLES_UP_TO: usize = 64;

/// G and H of one party, [`MAX_N`] of each.
struct Party {
    g: Vec<RistrettoPoint>,
    h: Vec<RistrettoPoint>,
}

static PARTIES: [OnceLock<Party>; MAX_ENTRIES] = [const { OnceLock::new() }; MAX_ENTRIES];

static BASES: LazyLock<[RistrettoPoint; 2]> = LazyLock::new(|| {
    [group::B, group::H].map(|base| {
        CompressedRistretto(base).decompress().expect("B and H are encodings of points: a test compares them")
    })
});

/// Tables for every n of 2^3 to 2^6 and m of 2^0 to 2^3 with n*m within bounds, made when first used.
static TABLES: [[OnceLock<VartimeRistrettoPrecomputation>; 4]; 4] =
    [const { [const { OnceLock::new() }; 4] }; 4];

/// Whether this width and this number of entries exist: n of 8 to 64, m up to 32, each a power of two.
pub(super) const fn exist(n: usize, m: usize) -> bool {
    n.is_power_of_two() && n >= 8 && n <= MAX_N && m.is_power_of_two() && m <= MAX_ENTRIES
}

/// From so many points of proofs on they are summed by themselves, in buckets (Pippenger, 1976), whose tables stay in the
/// nearest cache; fewer share their doublings with the generators.
const BUCKETS_FROM: usize = 190;

/// The sum of all terms, by the multiples that are kept for (n, m) where there are any. Variable time.
#[expect(
    clippy::disallowed_methods,
    reason = "proofs and generators are public, and the name says what it is"
)]
pub(super) fn sum_vartime(sum: &Sum) -> RistrettoPoint {
    let (scalars, points) = (&sum.scalars, &sum.points);
    match table(sum.n, sum.m) {
        Some(table) if points.len() >= BUCKETS_FROM => {
            table.vartime_multiscalar_mul(sum.fixed())
                + RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        }
        Some(table) => table.vartime_mixed_multiscalar_mul(sum.fixed(), scalars, points),
        None => RistrettoPoint::vartime_multiscalar_mul(
            sum.fixed().iter().chain(scalars),
            fixed(sum.n, sum.m).iter().chain(points),
        ),
    }
}

fn table(n: usize, m: usize) -> Option<&'static VartimeRistrettoPrecomputation> {
    if n * m > TABLES_UP_TO {
        return None;
    }
    let cell = TABLES.get(n.ilog2() as usize - 3)?.get(m.ilog2() as usize)?;
    Some(cell.get_or_init(|| VartimeRistrettoPrecomputation::new(fixed(n, m))))
}

/// B, H, then n elements G of each of m parties, then as many H.
fn fixed(n: usize, m: usize) -> Vec<RistrettoPoint> {
    let parties = || (0..m).map(party);
    let g = parties().flat_map(|party| &party.g[..n]);
    let h = parties().flat_map(|party| &party.h[..n]);
    BASES.iter().chain(g).chain(h).copied().collect()
}

fn party(j: usize) -> &'static Party {
    PARTIES[j].get_or_init(|| Party { g: chain(b'G', j), h: chain(b'H', j) })
}

fn chain(letter: u8, party: usize) -> Vec<RistrettoPoint> {
    let party = u32::try_from(party).expect("there are at most 32 parties");
    let mut shake = Shake256::default();
    shake.update(b"GeneratorsChain");
    shake.update(&[letter]);
    shake.update(&party.to_le_bytes());
    let mut stream = shake.finalize_xof();
    let mut wide = [0; 64];
    let mut next = || {
        stream.read(&mut wide);
        RistrettoPoint::from_uniform_bytes(&wide)
    };
    (0..MAX_N).map(|_| next()).collect()
}
