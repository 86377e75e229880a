//! What a witness answers to `add-checkpoint` (C2SP tlog-witness), without its store and its socket.
//!
//! A witness remembers for each log the last size and root that it signed, and signs only what provably continues it: it
//! never goes back, and never signs two roots of one size. The way to a cosignature is a chain of types: [`decide`] gives
//! an [`Advance`], whose state is written where nobody has advanced in between, and only [`Advance::stored`] leads on to
//! [`Stored::cosign`].
//!
//! Security: the witness looks at hashes. It says that the log shows everybody one history, not that an entry is true.

use std::fmt;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::checkpoint::Checkpoint;
use super::note::{Cosigner, MAX_NOTE, Note, NoteError, NoteKey, NoteSignature};
use super::tree::{Hash, empty_root, verify_consistency};
use super::{MAX_PROOF, decimal, proof_lines};
use crate::encoding::b64;
use crate::jose::SignatureVerifier;
use crate::time::UnixTime;

/// The most bytes of a request, for who reads it from a socket: a note, and a proof of the longest.
pub const MAX_REQUEST: usize = MAX_NOTE + 64 + MAX_PROOF * 45;

/// The type of the body that goes with [`Refusal::Conflict`].
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The size that a witness tells with [`Refusal::Conflict`]: a number and a newline.
#[must_use]
pub fn told_size(body: &[u8]) -> Option<u64> {
    decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

/// Why a witness does not sign.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request: an old size, hashes, an empty line, a checkpoint.
    #[error("not a request to a witness: `old` and a size, hashes, an empty line, a signed checkpoint")]
    Malformed,
    /// The old size is above the checkpoint's.
    #[error("the old size is above the one of the checkpoint")]
    OldSize,
    /// A log that this witness does not follow.
    #[error("this witness does not follow that log")]
    UnknownOrigin,
    /// Not signed by the log, or falsely.
    #[error("the checkpoint is not signed by a key of the log")]
    Signature,
    /// The old size is not the one that this witness signed last.
    #[error("this witness has signed the log at size {size}; start from there")]
    Conflict {
        /// The size signed last, 0 for none.
        size: u64,
    },
    /// The checkpoint does not provably continue the one signed last.
    #[error("the checkpoint does not follow from the one that this witness signed last")]
    Proof,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::OldSize => 400,
            Self::Signature => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::Proof => 422,
        }
    }
}

/// A request to sign a checkpoint, as it was received: nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the log believes this witness signed last.
    pub old: u64,
    /// That the tree of the checkpoint begins with the tree of `old`.
    pub proof: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub note: Note,
}

impl AddCheckpoint {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body = std::str::from_utf8(body).map_err(|_| Refusal::Malformed)?;
        let (head, note) = body.split_once("\n\n").ok_or(Refusal::Malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| decimal(line.strip_prefix("old ")?));
        let old = old.ok_or(Refusal::Malformed)?;
        let proof = proof_lines(lines).ok_or(Refusal::Malformed)?;
        let note = Note::parse(note.as_bytes()).map_err(|_| Refusal::Malformed)?;
        Ok(Self { old, proof, note })
    }

    /// The checkpoint that nobody has verified: its origin says which log's keys and state to look up.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn dangerous_checkpoint(&self) -> Result<Checkpoint, Refusal> {
        Checkpoint::parse(self.note.dangerous_text()).map_err(|_| Refusal::Malformed)
    }
}

/// The body of the request.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", b64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

/// A log that a witness follows.
#[derive(Clone, Copy, Debug)]
pub struct Log<'k> {
    /// Its origin.
    pub origin: &'k str,
    /// The keys that may sign for it.
    pub keys: &'k [NoteKey],
}

/// What a witness signed last of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Head {
    /// What is held of a log that nothing was ever signed of.
    #[must_use]
    pub fn nothing() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// A step that a witness may take, once it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    from: Option<Head>,
    to: Head,
    note: Note,
}

/// A step that is written down.
#[derive(Clone, Debug)]
pub struct Stored(Note);

/// What a witness does with a request: `log` is the one of the checkpoint's origin, `held` what it signed last of it.
///
/// # Errors
/// [`Refusal`], the first that applies in the order of the standard.
pub fn decide(
    request: &AddCheckpoint,
    log: Option<&Log<'_>>,
    held: Option<Head>,
    verifier: &dyn SignatureVerifier,
) -> Result<Advance, Refusal> {
    let checkpoint = request.dangerous_checkpoint()?;
    let follows = |log: &&Log<'_>| mutants::skips("tlog-witness-origin") || log.origin == checkpoint.origin();
    let log = log.filter(follows).ok_or(Refusal::UnknownOrigin)?;
    let note = signed_by(&request.note, log, verifier)?;
    if !(mutants::skips("tlog-witness-old") || request.old <= checkpoint.size()) {
        return Err(Refusal::OldSize);
    }
    let before = held.unwrap_or_else(Head::nothing);
    if !(mutants::skips("tlog-witness-held") || request.old == before.size) {
        return Err(Refusal::Conflict { size: before.size });
    }
    let to = Head { size: checkpoint.size(), root: *checkpoint.root() };
    // Where nothing was signed yet this also holds a checkpoint of size 0 to the root of no entries.
    let follows = verify_consistency(before.size, &before.root, to.size, &to.root, &request.proof).is_ok();
    if !(mutants::skips("tlog-witness-proof") || follows) {
        return Err(Refusal::Proof);
    }
    Ok(Advance { from: held, to, note })
}

/// The note with the signatures of the log alone, each of them verified.
fn signed_by(note: &Note, log: &Log<'_>, verifier: &dyn SignatureVerifier) -> Result<Note, Refusal> {
    let verified = note.verify(log.keys, verifier);
    let verified = match verified {
        Ok(verified) => verified,
        Err(_) if mutants::skips("tlog-witness-signature") => return Ok(note.clone()),
        Err(_) => return Err(Refusal::Signature),
    };
    let by_log = |line: &&NoteSignature| verified.by().iter().any(|by| by.key.is_of(line));
    let lines = note.signatures().iter().filter(by_log).cloned();
    let kept = lines.fold(Note::new(verified.text()), |kept, line| kept?.with(line));
    kept.map_err(|_| Refusal::Malformed)
}

impl Advance {
    /// What was held when this was decided. It is written only where that is still so.
    #[must_use]
    pub fn from(&self) -> Option<Head> {
        self.from
    }

    /// What is held from now on.
    #[must_use]
    pub fn to(&self) -> Head {
        self.to
    }

    /// Says that [`Advance::to`] is written and kept, in place of [`Advance::from`] and of nothing else: in one
    /// statement that compares, or in a transaction that locks. A signature that goes out before that could be followed
    /// by one of another history after a crash.
    #[must_use]
    pub fn stored(self) -> Stored {
        Stored(self.note)
    }
}

impl Stored {
    /// The answer to the log: our line. The clock says `at`.
    ///
    /// # Errors
    /// [`NoteError`].
    pub async fn cosign(&self, by: &Cosigner<'_>, at: UnixTime) -> Result<NoteSignature, NoteError> {
        by.sign(self.0.dangerous_text(), at).await
    }

    /// What is shown to monitors: the checkpoint with the log's signature and ours.
    ///
    /// # Errors
    /// [`NoteError::Many`].
    pub fn shown(&self, ours: NoteSignature) -> Result<Note, NoteError> {
        self.0.clone().with(ours)
    }
}
