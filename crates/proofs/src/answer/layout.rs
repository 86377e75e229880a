//! The bytes of an answer: 0x01, then for every sub-proof its type (1 byte), its length (4 bytes big-endian) and its bytes.

use vouchsafe_mutants as mutants;

use crate::{
    planner::{Plan, length},
    range,
    sigma::{self, link},
    transcript,
};

const VERSION: u8 = 0x01;
/// Type and length.
const HEADER: usize = 1 + 4;

/// An answer in the making.
pub(super) struct Written(Vec<u8>);

impl Written {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut bytes = Vec::with_capacity(length(plan));
        bytes.push(VERSION);
        Self(bytes)
    }

    pub(super) fn add(&mut self, kind: u8, proof: &[u8]) {
        let length = u32::try_from(proof.len()).expect("a sub-proof is a few KiB at most");
        self.0.push(kind);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(proof);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The sub-proofs within the bytes, in the order of the plan.
pub(super) struct Read<'a> {
    /// Those without a range.
    pub(super) parts: Vec<&'a [u8]>,
    /// That of the pseudonym, if one is shown.
    pub(super) pseudonym: Option<&'a [u8]>,
    /// The aggregate, if there is one.
    pub(super) aggregate: Option<&'a [u8]>,
}

impl<'a> Read<'a> {
    /// Types and lengths are the plan's before anything within is read, and nothing is left over.
    pub(super) fn new(bytes: &'a [u8], plan: &Plan) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        if !(mutants::skips("zk-version") || *version == VERSION) {
            return None;
        }
        let mut parts = Vec::with_capacity(plan.parts.len());
        for part in &plan.parts {
            parts.push(sub_proof(&mut rest, sigma::kind(&part.shows), part.shows.length())?);
        }
        let pseudonym =
            if plan.pseudonym { Some(sub_proof(&mut rest, link::KIND, link::LENGTH)?) } else { None };
        let aggregate = if plan.entries.is_empty() {
            None
        } else {
            Some(sub_proof(&mut rest, transcript::RANGE_PROOF, range::proof_length(plan.n, plan.m))?)
        };
        if !(mutants::skips("zk-trailing") || rest.is_empty()) {
            return None;
        }
        Some(Self { parts, pseudonym, aggregate })
    }
}

fn sub_proof<'a>(rest: &mut &'a [u8], kind: u8, length: usize) -> Option<&'a [u8]> {
    let (header, bytes) = rest.split_first_chunk::<HEADER>()?;
    let [found, declared @ ..] = header;
    if !(mutants::skips("zk-type") || *found == kind) {
        return None;
    }
    if !(mutants::skips("zk-length") || u32::from_be_bytes(*declared) as usize == length) {
        return None;
    }
    let (proof, left) = bytes.split_at_checked(length)?;
    *rest = left;
    Some(proof)
}
