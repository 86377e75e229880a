//! Checkpoints: which log, how many entries, and their root, in three lines that the log signs (C2SP tlog-checkpoint).
//!
//! Security: [`Checkpoint::parse`] reads what anybody may have written. [`Trust::open`] is the way from a note to a
//! checkpoint worth something: the log's own signature, the expected origin, and as many witnesses as are asked for.

use std::fmt;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::note::{Note, NoteError, NoteKey, NoteSigner};
use super::tree::{Hash, MAX_SIZE};
use super::{decimal, hash_line};
use crate::encoding::b64;
use crate::jose::SignatureVerifier;
use crate::time::UnixTime;

/// Why a checkpoint is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// Not an origin, a size and a root, each in its line.
    #[error("not a checkpoint: an origin, a size and a root, each in its line")]
    Form,
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is of another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// Somebody has signed it, but not the log.
    #[error("the checkpoint is not signed by the log")]
    Log,
    /// Fewer witnesses have seen it than are asked for.
    #[error("too few of the known witnesses have seen this checkpoint; ask again later")]
    Witnesses,
}

/// The state of a log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint of its three lines.
    ///
    /// # Errors
    /// [`CheckpointError::Form`]: no origin, one with a control character, or a size beyond [`MAX_SIZE`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let named = !origin.is_empty() && !origin.contains(char::is_control);
        if !(mutants::skips("tlog-checkpoint-name") || named) {
            return Err(CheckpointError::Form);
        }
        if !(mutants::skips("tlog-checkpoint-size") || size <= MAX_SIZE) {
            return Err(CheckpointError::Form);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// Reads the text of a checkpoint's note.
    ///
    /// # Errors
    /// [`CheckpointError::Form`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Form);
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = decimal(size).ok_or(CheckpointError::Form)?;
        let root = hash_line(root).ok_or(CheckpointError::Form)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let filled = extensions.iter().all(|line| !line.is_empty());
        if !(mutants::skips("tlog-checkpoint-extension") || filled) {
            return Err(CheckpointError::Form);
        }
        Ok(Self { extensions, ..Self::new(origin, size, root)? })
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Lines behind the third: opaque, and never ours.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The checkpoint as a note that the log has signed.
    ///
    /// Who calls has seen that it follows from every checkpoint signed before.
    ///
    /// # Errors
    /// [`NoteError`].
    pub async fn sign(&self, log: &NoteSigner<'_>) -> Result<Note, NoteError> {
        log.sign(&self.to_string()).await
    }
}

/// The text of the note: each line with its newline.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, b64(self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Whom somebody believes about a log: configured, never read from what is checked.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'k> {
    /// The log's origin.
    pub origin: &'k str,
    /// The log's keys: one, or two while one follows another.
    pub log: &'k [NoteKey],
    /// The witnesses that count.
    pub witnesses: &'k [NoteKey],
    /// How many of them must have seen a checkpoint; 0 asks for none.
    pub quorum: usize,
}

/// A checkpoint that the log has signed, and who else has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The known witnesses by name, and when each of them signed.
    pub witnessed: Vec<(String, UnixTime)>,
}

impl Trust<'_> {
    /// Verifies a note and reads the checkpoint in it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, note: &Note, verifier: &dyn SignatureVerifier) -> Result<Opened, CheckpointError> {
        let verified = note.verify(self.log.iter().chain(self.witnesses), verifier)?;
        let checkpoint = Checkpoint::parse(verified.text())?;
        if !(mutants::skips("tlog-checkpoint-origin") || checkpoint.origin == self.origin) {
            return Err(CheckpointError::Origin);
        }
        let by_log = verified.by().iter().any(|by| self.log.contains(by.key));
        if !(mutants::skips("tlog-checkpoint-log") || by_log) {
            return Err(CheckpointError::Log);
        }
        let witnesses = verified.by().iter().filter(|by| self.witnesses.contains(by.key));
        let witnessed: Vec<_> =
            witnesses.filter_map(|by| Some((by.key.name().to_owned(), by.seen?))).collect();
        if !(mutants::skips("tlog-checkpoint-quorum") || witnessed.len() >= self.quorum) {
            return Err(CheckpointError::Witnesses);
        }
        Ok(Opened { checkpoint, witnessed })
    }
}
