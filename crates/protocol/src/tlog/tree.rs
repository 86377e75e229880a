//! The Merkle tree of RFC 6962 section 2.1: its hashes, its right edge, its proofs.
//!
//! A leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right), the root of no entries SHA-256 of nothing. What is
//! kept and read are the hashes of perfect subtrees, named by [`Subtree`]: those never change once they are complete.

mod frontier;
mod plan;
mod verify;

use std::ops::Range;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use frontier::{Appended, Frontier};
pub use plan::{Plan, consistency, inclusion, root};
pub use verify::{ProofError, verify_consistency, verify_inclusion, verify_leaf};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The most entries of a tree: below 2^62, so that no sum of two of its numbers overflows.
pub const MAX_SIZE: u64 = (1 << 62) - 1;

/// Why a tree could not be grown or a proof not be made. All are ours, not a peer's.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TreeError {
    /// [`MAX_SIZE`] entries.
    #[error("the log is full")]
    Full,
    /// The bytes are not those of a right edge.
    #[error("the stored edge of the log is damaged; rebuild it from the entries")]
    Damaged,
    /// An index beyond the size, or an old size beyond the new one.
    #[error("the tree has no such entry or size")]
    Range,
    /// A hash that the tree must have was not given.
    #[error("a hash of the log is missing; rebuild the hashes from the entries")]
    Missing,
}

/// The hash of a leaf, made of its entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of a node, made of its two children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree without entries.
#[must_use]
pub fn empty_root() -> Hash {
    crate::encoding::sha256([])
}

/// A perfect subtree: 2^level leaves from `index` times that many on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    level: u8,
    index: u64,
}

impl Subtree {
    /// The subtree of that height and place; `None` where no tree is large enough to have it.
    #[must_use]
    pub fn new(level: u8, index: u64) -> Option<Self> {
        let many = MAX_SIZE.checked_shr(u32::from(level)).unwrap_or(0);
        (index < many).then_some(Self { level, index })
    }

    /// Its height: 0 is a leaf.
    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }

    /// Its place among the subtrees of its height.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// The entries under it.
    #[must_use]
    pub fn entries(self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }
}

/// The perfect subtrees at the right edge of a tree of `size`, from left to right: one for each bit of the size.
///
/// # Errors
/// [`TreeError::Range`] beyond [`MAX_SIZE`].
pub fn peaks(size: u64) -> Result<Vec<Subtree>, TreeError> {
    if size > MAX_SIZE {
        return Err(TreeError::Range);
    }
    Ok(parts(0..size))
}

/// The perfect subtrees that make up a range, from left to right. The range begins where one of its size may begin.
fn parts(range: Range<u64>) -> Vec<Subtree> {
    let mut parts = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let level = u8::try_from((range.end - at).ilog2()).expect("below 64");
        parts.push(Subtree { level, index: at >> level });
        at += 1 << level;
    }
    parts
}

/// One hash over neighbours of falling height, folded from the right; `None` of none.
fn folded(hashes: &[Hash]) -> Option<Hash> {
    hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}
