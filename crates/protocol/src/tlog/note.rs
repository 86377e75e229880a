//! Signed notes: a text and the signatures under it, by keys that have names (C2SP signed-note, tlog-cosignature).
//!
//! Ed25519 alone: of the text (type 0x01), and of the text with a time before it, as witnesses sign (type 0x04).
//!
//! Security: which keys count is said by who verifies. A signature under an unknown key is ignored, as the standard
//! demands; one under a known key that does not verify spoils the whole note. Until then the text is what somebody sent.

mod key;

use std::fmt;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64, b64_decode};
use crate::jose::{SignError, SignatureVerifier, Signer};
use crate::time::UnixTime;

pub use key::{KeyError, Kind, NoteKey};

/// The most bytes of a note: sixteen signatures of the longest kind that is assigned, and a text.
pub const MAX_NOTE: usize = 128 * 1024;

/// The most signatures under a note.
pub const MAX_SIGNATURES: usize = 16;

const DASH: &str = "\u{2014} ";

/// Why a note is refused, or could not be signed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoteError {
    /// Too long, not UTF-8, a control character, or not a text, an empty line and signatures.
    #[error("not a signed note")]
    Form,
    /// More signatures than [`MAX_SIGNATURES`].
    #[error("the note has more signatures than are read")]
    Many,
    /// A signature by a known key does not verify.
    #[error("a signature under the note is false; do not use its text")]
    Signature,
    /// No signature is by a known key.
    #[error("the note is not signed by a key that is known here")]
    Unsigned,
    /// A time before 1970 or at its first second, which says that there is none.
    #[error("a cosignature needs the time at which it is made; check the clock")]
    Time,
    /// Our own key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// One line under a note: who is said to have signed, and the signature. Not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether the line says that this key made it.
    #[must_use]
    pub fn is_by(&self, key: &NoteKey) -> bool {
        key.is_of(self)
    }

    /// Reads the lines of a witness's answer, each with its newline.
    ///
    /// # Errors
    /// [`NoteError::Form`], [`NoteError::Many`].
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, NoteError> {
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        if !(mutants::skips("tlog-note-many") || lines.split('\n').count() <= MAX_SIGNATURES) {
            return Err(NoteError::Many);
        }
        lines.split('\n').map(Self::parse).collect()
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, text) =
            line.strip_prefix(DASH).and_then(|line| line.split_once(' ')).ok_or(NoteError::Form)?;
        if !(mutants::skips("tlog-note-name") || key::is_name(name)) {
            return Err(NoteError::Form);
        }
        let bytes = b64_decode(text).map_err(|_| NoteError::Form)?;
        let (id, bytes) = bytes.split_first_chunk().ok_or(NoteError::Form)?;
        if bytes.is_empty() && !mutants::skips("tlog-note-empty-signature") {
            return Err(NoteError::Form);
        }
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

/// The line with its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes(), &self.bytes[..]].concat();
        writeln!(f, "{DASH}{} {}", self.name, b64(bytes))
    }
}

/// A text with signatures as it was received or is being made: well-formed, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A text that nobody has signed yet. It ends with a newline.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if !(mutants::skips("tlog-note-end") || text.ends_with('\n')) {
            return Err(NoteError::Form);
        }
        is_text(text)?;
        Ok(Self { text: text.to_owned(), signatures: Vec::new() })
    }

    /// Reads a note with one signature or more.
    ///
    /// # Errors
    /// [`NoteError::Form`], [`NoteError::Many`].
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Form)?;
        is_text(note)?;
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let signatures = NoteSignature::parse_lines(lines)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text of a note that nobody has verified: good for finding the keys to verify it with, for nothing else.
    #[must_use]
    pub fn dangerous_text(&self) -> &str {
        &self.text
    }

    /// The signatures as they stand there.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note with those of its signatures that one of these keys is said to have made.
    #[must_use]
    pub fn only(&self, keys: &[NoteKey]) -> Self {
        let ours = |line: &&NoteSignature| keys.iter().any(|key| line.is_by(key));
        Self { text: self.text.clone(), signatures: self.signatures.iter().filter(ours).cloned().collect() }
    }

    /// The note with one more signature.
    ///
    /// # Errors
    /// [`NoteError::Many`].
    pub fn with(mut self, signature: NoteSignature) -> Result<Self, NoteError> {
        if !(mutants::skips("tlog-note-full") || self.signatures.len() < MAX_SIGNATURES) {
            return Err(NoteError::Many);
        }
        self.signatures.push(signature);
        Ok(self)
    }

    /// Checks every signature by a known key; there is one at least, and all of them verify.
    ///
    /// # Errors
    /// [`NoteError::Signature`], [`NoteError::Unsigned`].
    pub fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k NoteKey> + Clone,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Verified<'k>, NoteError> {
        let mut by: Vec<SignedBy<'k>> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = keys.clone().into_iter().find(|key| key.is_of(signature)) else { continue };
            let seen = key.check(&self.text, &signature.bytes, verifier).ok_or(NoteError::Signature)?;
            if by.iter().all(|before| before.key != key) {
                by.push(SignedBy { key, seen });
            }
        }
        if by.is_empty() && !mutants::skips("tlog-note-unsigned") {
            return Err(NoteError::Unsigned);
        }
        Ok(Verified { text: self.text.clone(), by })
    }
}

/// The note as it travels.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// A text that known keys have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'k> {
    text: String,
    by: Vec<SignedBy<'k>>,
}

impl<'k> Verified<'k> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// By whom, each key once, by the first of its signatures.
    #[must_use]
    pub fn by(&self) -> &[SignedBy<'k>] {
        &self.by
    }
}

/// One verified signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy<'k> {
    /// The key.
    pub key: &'k NoteKey,
    /// When, where the signature says it: a cosignature does.
    pub seen: Option<UnixTime>,
}

/// Who signs notes as they are: a log.
#[derive(Clone)]
pub struct NoteSigner<'a> {
    key: NoteKey,
    signer: &'a dyn Signer,
}

impl<'a> NoteSigner<'a> {
    /// A signer under this name.
    ///
    /// # Errors
    /// [`KeyError`]: the name is none, or the key is not Ed25519.
    pub fn new(name: &str, signer: &'a dyn Signer) -> Result<Self, KeyError> {
        Ok(Self { key: NoteKey::new(name, signer.public(), Kind::Ed25519)?, signer })
    }

    /// What verifies its notes.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Signs a text.
    ///
    /// # Errors
    /// [`NoteError::Form`], [`NoteError::Sign`].
    pub async fn sign(&self, text: &str) -> Result<Note, NoteError> {
        let note = Note::new(text)?;
        let bytes = self.signer.sign(text.as_bytes()).await?;
        note.with(self.key.signature(bytes))
    }
}

/// Who signs that it has seen a checkpoint, and when: a witness.
#[derive(Clone)]
pub struct Cosigner<'a> {
    key: NoteKey,
    signer: &'a dyn Signer,
}

impl<'a> Cosigner<'a> {
    /// A cosigner under this name. Its key signs nothing else: the message does not say the name.
    ///
    /// # Errors
    /// [`KeyError`]: the name is none, or the key is not Ed25519.
    pub fn new(name: &str, signer: &'a dyn Signer) -> Result<Self, KeyError> {
        Ok(Self { key: NoteKey::new(name, signer.public(), Kind::Cosignature)?, signer })
    }

    /// What verifies its cosignatures.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Signs a checkpoint's text as seen at `at`.
    ///
    /// Who calls has seen that the checkpoint follows from every one it has signed: see [`super::witness`].
    ///
    /// # Errors
    /// [`NoteError::Time`], [`NoteError::Sign`].
    pub(super) async fn sign(&self, text: &str, at: UnixTime) -> Result<NoteSignature, NoteError> {
        if !(mutants::skips("tlog-cosignature-time") || at.0 > 0) {
            return Err(NoteError::Time);
        }
        let bytes = self.signer.sign(key::seen(text, at).as_bytes()).await?;
        Ok(self.key.signature([&at.0.to_be_bytes(), &bytes[..]].concat()))
    }
}

/// Bounded, and no control character but the newline.
fn is_text(text: &str) -> Result<(), NoteError> {
    if !(mutants::skips("tlog-note-size") || text.len() <= MAX_NOTE) {
        return Err(NoteError::Form);
    }
    let plain = text.bytes().all(|byte| byte >= b' ' || byte == b'\n');
    if !(mutants::skips("tlog-note-control") || plain) {
        return Err(NoteError::Form);
    }
    Ok(())
}
