//! The right edge of a growing tree: all that an append needs to know of what is already there.

use vouchsafe_mutants as mutants;

use super::{Hash, MAX_SIZE, Subtree, TreeError, empty_root, folded, leaf_hash, node_hash, parts};

/// The hashes of the perfect subtrees at the right edge, at most 61 of them. An append changes it, and gives the proof of
/// the new entry without reading anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// From left to right, one for each bit of the size.
    hashes: Vec<Hash>,
}

/// What an append made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The place of the entry. The proof is for the tree that ends with it: its size is one more.
    pub index: u64,
    /// That the entry is the last one of that tree.
    pub proof: Vec<Hash>,
    /// The subtrees that the entry completed, its own leaf first: never to change again.
    pub completed: Vec<(Subtree, Hash)>,
}

impl Frontier {
    /// How many entries the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        folded(&self.hashes).unwrap_or_else(empty_root)
    }

    /// The subtrees at the edge with their hashes, from left to right.
    ///
    /// Together with what appends completed since, they are enough for the proofs of those entries in the tree as it
    /// has become.
    #[must_use]
    pub fn peaks(&self) -> Vec<(Subtree, Hash)> {
        parts(0..self.size).into_iter().zip(self.hashes.iter().copied()).collect()
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`TreeError::Full`]; nothing has changed then.
    ///
    /// ```
    /// use vouchsafe_protocol::tlog::tree::{Frontier, verify_inclusion};
    ///
    /// let mut log = Frontier::default();
    /// log.push(b"one")?;
    /// let appended = log.push(b"two")?;
    /// verify_inclusion(b"two", appended.index, log.size(), &appended.proof, &log.root())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&mut self, entry: &[u8]) -> Result<Appended, TreeError> {
        if !(mutants::skips("tlog-full") || self.size < MAX_SIZE) {
            return Err(TreeError::Full);
        }
        let index = self.size;
        // All that is left of the last entry is in its proof, and nothing is to its right.
        let proof = self.hashes.iter().rev().copied().collect();
        let mut hash = leaf_hash(entry);
        let mut completed = vec![(Subtree { level: 0, index }, hash)];
        for level in 1..=u8::try_from(index.trailing_ones()).expect("at most 64") {
            let left = self.hashes.pop().expect("one hash for each bit of the size");
            hash = node_hash(&left, &hash);
            completed.push((Subtree { level, index: index >> level }, hash));
        }
        self.hashes.push(hash);
        self.size += 1;
        Ok(Appended { index, proof, completed })
    }

    /// The edge of a tree of `size` whose subtrees are [`super::peaks`] of it.
    ///
    /// # Errors
    /// [`TreeError::Range`], or [`TreeError::Missing`] where `hash` has none.
    pub fn read(size: u64, hash: impl Fn(Subtree) -> Option<Hash>) -> Result<Self, TreeError> {
        let peaks = super::peaks(size)?.into_iter();
        let hashes = peaks.map(|peak| hash(peak).ok_or(TreeError::Missing)).collect::<Result<_, _>>()?;
        Ok(Self { size, hashes })
    }

    /// The size as eight bytes, big-endian, then the hashes from left to right.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.hashes.as_flattened());
        bytes
    }

    /// Reads [`Frontier::to_bytes`].
    ///
    /// # Errors
    /// [`TreeError::Damaged`]: a size beyond [`MAX_SIZE`], or not exactly one hash for each bit of it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TreeError> {
        let (size, hashes) = bytes.split_first_chunk().ok_or(TreeError::Damaged)?;
        let size = u64::from_be_bytes(*size);
        if !(mutants::skips("tlog-edge-size") || size <= MAX_SIZE) {
            return Err(TreeError::Damaged);
        }
        let (hashes, rest) = hashes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(hashes.len()) == Ok(size.count_ones());
        if !(mutants::skips("tlog-edge-length") || fits) {
            return Err(TreeError::Damaged);
        }
        Ok(Self { size, hashes: hashes.to_vec() })
    }
}
