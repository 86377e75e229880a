//! That an entry is in a log, in one text that needs nothing beside it but the log's key (C2SP tlog-proof).
//!
//! The line `extra` is not in use here, and a proof that has one is refused: nothing would vouch for it.

use std::fmt;

use thiserror::Error;

use super::checkpoint::{CheckpointError, Opened, Trust};
use super::note::{Note, NoteError};
use super::tree::{Hash, ProofError, verify_inclusion};
use super::{decimal, proof_lines};
use crate::encoding::b64;
use crate::jose::SignatureVerifier;

const FIRST: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LogProofError {
    /// Not the first line, an index, hashes, an empty line and a note.
    #[error("not a log proof; copy the whole text again")]
    Form,
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof itself.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl From<NoteError> for LogProofError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(CheckpointError::Note(error))
    }
}

/// Where an entry stands, the hashes from it to the root, and the signed checkpoint that has the root. Not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The entry's place, from 0.
    pub index: u64,
    /// The proof of [`super::tree::inclusion`] in the tree of the checkpoint's size.
    pub hashes: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub checkpoint: Note,
}

impl LogProof {
    /// Reads the text.
    ///
    /// # Errors
    /// [`LogProofError::Form`], or what is wrong with the note.
    pub fn parse(text: &str) -> Result<Self, LogProofError> {
        let (head, note) = text.split_once("\n\n").ok_or(LogProofError::Form)?;
        let mut lines = head.split('\n');
        let first = lines.next() == Some(FIRST);
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.filter(|_| first).ok_or(LogProofError::Form)?;
        let hashes = proof_lines(lines).ok_or(LogProofError::Form)?;
        Ok(Self { index, hashes, checkpoint: Note::parse(note.as_bytes())? })
    }

    /// Checks that `entry` is in the log: the checkpoint as [`Trust::open`] does, then the proof.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn verify(
        &self,
        entry: &[u8],
        trust: &Trust<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Opened, LogProofError> {
        let opened = trust.open(&self.checkpoint, verifier)?;
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        verify_inclusion(entry, self.index, size, &self.hashes, root)?;
        Ok(opened)
    }
}

/// The text as it travels.
impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\nindex {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", b64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
