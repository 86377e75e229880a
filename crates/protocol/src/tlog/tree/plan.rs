//! Proofs for any entry and any two sizes: first which hashes they take, then the proof of them.
//!
//! RFC 6962 sections 2.1.1 and 2.1.2. A store reads the hashes of [`Plan::needed`] at once and gives them to
//! [`Plan::prove`].

use std::ops::Range;

use super::{Hash, MAX_SIZE, Subtree, TreeError, empty_root, folded, parts, peaks};

/// The hashes that a proof is made of, each over one perfect subtree or, at the right edge, over several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Vec<Vec<Subtree>>);

impl Plan {
    /// For the proof that the entry at `index` is in the tree of `size`: PATH of RFC 6962 section 2.1.1.
    ///
    /// # Errors
    /// [`TreeError::Range`].
    pub fn inclusion(index: u64, size: u64) -> Result<Self, TreeError> {
        if size > MAX_SIZE || index >= size {
            return Err(TreeError::Range);
        }
        let mut siblings = Vec::new();
        let mut tree = 0..size;
        while tree.end - tree.start > 1 {
            let (left, right) = halves(&tree);
            let goes_left = index < left.end;
            siblings.push(parts(if goes_left { right.clone() } else { left.clone() }));
            tree = if goes_left { left } else { right };
        }
        siblings.reverse();
        Ok(Self(siblings))
    }

    /// For the proof that the tree of `new` begins with the tree of `old`: PROOF of RFC 6962 section 2.1.2. From a tree
    /// without entries, and from a tree to itself, the proof has no hashes.
    ///
    /// # Errors
    /// [`TreeError::Range`].
    pub fn consistency(old: u64, new: u64) -> Result<Self, TreeError> {
        if new > MAX_SIZE || old > new {
            return Err(TreeError::Range);
        }
        if old == 0 {
            return Ok(Self(Vec::new()));
        }
        let mut nodes = Vec::new();
        let (mut tree, mut whole) = (0..new, true);
        while tree.end != old {
            let (left, right) = halves(&tree);
            if old <= left.end {
                nodes.push(parts(right));
                tree = left;
            } else {
                nodes.push(parts(left));
                (tree, whole) = (right, false);
            }
        }
        // The old root itself is known to who asks.
        if !whole {
            nodes.push(parts(tree));
        }
        nodes.reverse();
        Ok(Self(nodes))
    }

    /// The subtrees whose hashes [`Plan::prove`] asks for, each once.
    pub fn needed(&self) -> impl Iterator<Item = Subtree> {
        self.0.iter().flatten().copied()
    }

    /// The proof.
    ///
    /// # Errors
    /// [`TreeError::Missing`] where `hash` has none.
    pub fn prove(&self, hash: impl Fn(Subtree) -> Option<Hash>) -> Result<Vec<Hash>, TreeError> {
        self.0.iter().map(|parts| over(parts, &hash)).collect()
    }
}

/// The proof that the entry at `index` is in the tree of `size`.
///
/// # Errors
/// [`TreeError::Range`], [`TreeError::Missing`].
pub fn inclusion(
    index: u64,
    size: u64,
    hash: impl Fn(Subtree) -> Option<Hash>,
) -> Result<Vec<Hash>, TreeError> {
    Plan::inclusion(index, size)?.prove(hash)
}

/// The proof that the tree of `new` begins with the tree of `old`.
///
/// # Errors
/// [`TreeError::Range`], [`TreeError::Missing`].
pub fn consistency(
    old: u64,
    new: u64,
    hash: impl Fn(Subtree) -> Option<Hash>,
) -> Result<Vec<Hash>, TreeError> {
    Plan::consistency(old, new)?.prove(hash)
}

/// The root of the tree of `size`, of the hashes of its [`peaks`].
///
/// # Errors
/// [`TreeError::Range`], [`TreeError::Missing`].
pub fn root(size: u64, hash: impl Fn(Subtree) -> Option<Hash>) -> Result<Hash, TreeError> {
    if size == 0 {
        return Ok(empty_root());
    }
    over(&peaks(size)?, &hash)
}

fn over(parts: &[Subtree], hash: &impl Fn(Subtree) -> Option<Hash>) -> Result<Hash, TreeError> {
    let hashes: Option<Vec<Hash>> = parts.iter().map(|part| hash(*part)).collect();
    hashes.and_then(|hashes| folded(&hashes)).ok_or(TreeError::Missing)
}

/// The children of a tree of two or more: the left one is the largest power of two below its size.
fn halves(tree: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let half = 1 << (tree.end - tree.start - 1).ilog2();
    let middle = tree.start + half;
    (tree.start..middle, middle..tree.end)
}
