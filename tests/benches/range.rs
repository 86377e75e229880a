//! Our checks of range proofs beside the package's: alone and in batches, n bits by m values.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use dalek4::{Scalar, ristretto::CompressedRistretto};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use vouchsafe_proofs::range::{Claim, Values, verify_all_vartime};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

use crate::measure::{Report, against, against_few, alone_few};

const LABEL: &[u8] = b"vouchsafe/bench";
const BATCHES: [usize; 3] = [8, 32, 128];

pub(crate) fn benches() -> Vec<Report> {
    let sizes = [16, 32, 64].into_iter().flat_map(|n| [1, 2, 4, 8].map(|m| (n, m)));
    let mut reports: Vec<Report> = sizes.map(|(n, m)| Made::new(n, m).verify()).collect();
    reports.push(Made::new(32, 1).batch64());
    reports
}

/// A proof of the package, and what the package needs to check it.
pub(crate) struct Made {
    n: usize,
    generators: BulletproofGens,
    bases: PedersenGens,
    points: Vec<CompressedRistretto>,
    proof: Vec<u8>,
    values: Vec<u64>,
    blindings: Vec<Scalar>,
}

impl Made {
    pub(crate) fn new(n: usize, m: usize) -> Self {
        let mut made = Self {
            n,
            generators: BulletproofGens::new(n, m),
            bases: PedersenGens::default(),
            points: Vec::new(),
            proof: Vec::new(),
            values: (0..m as u64).map(|j| 40_000 + j).collect(),
            blindings: (0..m as u64).map(|j| Scalar::from(j + 7).invert()).collect(),
        };
        let (proof, points) = made.prove();
        made.proof = proof.to_bytes();
        made.points = points;
        made
    }

    fn prove(&self) -> (RangeProof, Vec<CompressedRistretto>) {
        let Self { n, generators, bases, values, blindings, .. } = self;
        let t = &mut Transcript::new(LABEL);
        let rng = &mut ChaCha20Rng::from_seed([1; 32]);
        RangeProof::prove_multiple_with_rng(generators, bases, t, values, blindings, *n, rng)
            .expect("the values have at most 16 bits")
    }

    fn theirs(&self) {
        let Self { n, generators, bases, points, proof, .. } = self;
        let proof = RangeProof::from_bytes(proof).expect("it was made by the package");
        let t = &mut Transcript::new(LABEL);
        let rng = &mut ChaCha20Rng::from_seed([2; 32]);
        proof.verify_multiple_with_rng(generators, bases, t, points, *n, rng).expect("it holds");
    }

    fn claim(&self) -> Claim<'_> {
        let encodings: Vec<[u8; 32]> = self.points.iter().map(CompressedRistretto::to_bytes).collect();
        let values = Values::decode(&encodings).expect("they were made by the package");
        Claim::new(&mut Transcript::new(LABEL), self.n, values, &self.proof).expect("it has the form")
    }

    pub(crate) fn ours(&self) {
        assert!(self.claim().holds_vartime(), "it holds");
    }

    fn many(&self, count: usize) {
        let claims: Vec<_> = (0..count).map(|_| self.claim()).collect();
        let verdicts = verify_all_vartime(&claims, &mut EntropyRng(&OsEntropy::new()));
        assert!(verdicts.into_iter().all(|holds| holds), "they hold");
    }

    /// One check, floor the package's; batches and proving beside it.
    fn verify(&self) -> Report {
        let name = format!("zk/verify/{}x{}", self.n, self.points.len());
        let (ours, theirs) = (|| self.ours(), || self.theirs());
        // The size that has an aim deserves the more rounds.
        let report = match (self.n, self.points.len()) {
            (32, 1) => against(&name, ours, theirs),
            _ => against_few(&name, 1, ours, theirs),
        };
        let report = report
            .part("back_end", back_end())
            .part("proof_bytes", self.proof.len())
            .part("prove_ns", alone_few(|| self.prove()));
        BATCHES.into_iter().fold(report, |report, count| {
            let each = alone_few(|| self.many(count)) / count as f64;
            report.part(&format!("each_of_{count}_ns"), each.round())
        })
    }

    /// One of 64 together, floor the package's check of one.
    fn batch64(&self) -> Report {
        against_few("zk/batch64/32x1", 64, || self.many(64), || self.theirs())
    }
}

/// The back end that curve25519-dalek 5 chooses for sums of many points on this processor; the package's older one has no
/// AVX-512 back end on a stable compiler.
fn back_end() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512ifma")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "serial"
}
