//! Proofs checked, as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say it step by step.
//!
//! Any size is taken and no step overflows: a proof that is too long or too short for its sizes is refused before its
//! root is looked at or after, never read past.

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{Hash, empty_root, leaf_hash, node_hash};

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProofError {
    /// The index is not below the size, or the old size is above the new one.
    #[error("the proof is about an entry or a size that the tree does not have")]
    Range,
    /// More or fewer hashes than these sizes take.
    #[error("the proof is not of the length that these sizes take")]
    Length,
    /// The hashes do not lead to the root of the older tree.
    #[error("the proof does not lead to the older root; keep both checkpoints, for one of them is false")]
    OldRoot,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// Checks that `entry` stands at `index` in the tree of `size` and `root`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    entry: &[u8],
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    verify_leaf(&leaf_hash(entry), index, size, proof, root)
}

/// As [`verify_inclusion`], of the leaf's hash.
///
/// # Errors
/// [`ProofError`].
pub fn verify_leaf(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if !(mutants::skips("tlog-inclusion-index") || index < size) {
        return Err(ProofError::Range);
    }
    let mut path = Path { at: index, last: size.saturating_sub(1) };
    let mut hash = *leaf;
    for sibling in proof {
        if !(mutants::skips("tlog-inclusion-long") || path.last != 0) {
            return Err(ProofError::Length);
        }
        hash = if path.sibling_is_left() { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        path.rise();
    }
    if !(mutants::skips("tlog-inclusion-short") || path.last == 0) {
        return Err(ProofError::Length);
    }
    if !(mutants::skips("tlog-inclusion-root") || hash == *root) {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// Checks that the tree of `new` begins with the tree of `old`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if !(mutants::skips("tlog-consistency-order") || old <= new) {
        return Err(ProofError::Range);
    }
    if old == new || old == 0 {
        return without_hashes(old, old_root, (old == new).then_some(new_root), proof);
    }
    let mut rest = proof.iter();
    // The old root of a power of two is a node of the new tree, and the proof leaves it out.
    let first = if old.is_power_of_two() { Some(old_root) } else { rest.next() };
    let (mut old_hash, mut new_hash) = first.map(|hash| (*hash, *hash)).ok_or(ProofError::Length)?;
    let mut path = Path { at: old - 1, last: new.saturating_sub(1) }.risen((old - 1).trailing_ones());
    for node in rest {
        if !(mutants::skips("tlog-consistency-long") || path.last != 0) {
            return Err(ProofError::Length);
        }
        if path.sibling_is_left() {
            old_hash = node_hash(node, &old_hash);
            new_hash = node_hash(node, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, node);
        }
        path.rise();
    }
    if !(mutants::skips("tlog-consistency-short") || path.last == 0) {
        return Err(ProofError::Length);
    }
    if !(mutants::skips("tlog-consistency-old-root") || old_hash == *old_root) {
        return Err(ProofError::OldRoot);
    }
    if !(mutants::skips("tlog-consistency-new-root") || new_hash == *new_root) {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// From a tree to itself, whose root is then `same`, or from the tree without entries.
fn without_hashes(old: u64, old_root: &Hash, same: Option<&Hash>, proof: &[Hash]) -> Result<(), ProofError> {
    if !(mutants::skips("tlog-consistency-no-hashes") || proof.is_empty()) {
        return Err(ProofError::Length);
    }
    if !(mutants::skips("tlog-consistency-empty") || old > 0 || *old_root == empty_root()) {
        return Err(ProofError::OldRoot);
    }
    if !(mutants::skips("tlog-consistency-same") || same.is_none_or(|root| root == old_root)) {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// Where a climb from a leaf stands: the place of the node on its level, and the last place there.
struct Path {
    at: u64,
    last: u64,
}

impl Path {
    fn sibling_is_left(&self) -> bool {
        self.at % 2 == 1 || self.at == self.last
    }

    /// One level up, and as many more as have no sibling.
    fn rise(&mut self) {
        let lonely = if self.at == self.last && self.at > 0 { self.at.trailing_zeros() } else { 0 };
        let up = |place: u64| place.checked_shr(lonely + 1).unwrap_or(0);
        (self.at, self.last) = (up(self.at), up(self.last));
    }

    fn risen(self, levels: u32) -> Self {
        Self { at: self.at >> levels, last: self.last >> levels }
    }
}
