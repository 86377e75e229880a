//! The log: an append-only Merkle tree over signed documents, as C2SP tlog-tiles has it (`specs/profiles/log.md`).
//!
//! RFC 6962 section 2.1 with SHA-256 for the tree, and the C2SP texts tlog-tiles, signed-note, tlog-checkpoint,
//! tlog-cosignature, tlog-proof and tlog-witness for what travels. Pure: no clock, no store, no socket; whoever keeps
//! the tree reads its hashes and gives them in. Left out: ML-DSA, the subtrees of witnesses, pruning.
//!
//! An entry of our log is 32 bytes, the hash of a document's type and signing input ([`crate::decision::leaf`]); its
//! leaf in the tree is the hash of that again, behind a zero byte. Nothing here looks into an entry.
//!
//! Security: a tree, a proof and a tile are worth something only against a root, a root only in a checkpoint that the
//! log has signed, and a checkpoint only beside those that others have seen, which is what witnesses are for.

pub mod checkpoint;
pub mod note;
pub mod notice;
pub mod proof;
pub mod tile;
pub mod tree;
pub mod witness;

use vouchsafe_mutants as mutants;

use crate::encoding::b64_decode;
use tree::Hash;

/// A number as these texts have it: decimal digits, no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (mutants::skips("tlog-decimal") || number.to_string() == text).then_some(number)
}

/// The most hashes of a proof that are read.
pub const MAX_PROOF: usize = 63;

/// One hash as a line has it: 32 bytes in base64 with padding.
fn hash_line(line: &str) -> Option<Hash> {
    b64_decode(line).ok()?.try_into().ok()
}

/// A proof as lines have it, at most [`MAX_PROOF`] of them.
fn proof_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Hash>> {
    let hashes: Vec<Hash> = lines.map(hash_line).collect::<Option<_>>()?;
    (mutants::skips("tlog-proof-lines") || hashes.len() <= MAX_PROOF).then_some(hashes)
}
