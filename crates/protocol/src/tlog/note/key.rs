//! The keys of notes: a name, what is signed, and 32 bytes of Ed25519.

use std::fmt;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::NoteSignature;
use crate::encoding::{b64, b64_decode, sha256};
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::time::UnixTime;

/// Why a verifier key is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not `name+id+base64`.
    #[error("not a verifier key: it is `name+id+key`, in one line")]
    Form,
    /// Empty, or with a space, a control character or a plus.
    #[error("a key name is not empty and has no space and no plus")]
    Name,
    /// Not Ed25519, or not of a kind that is read here.
    #[error("the key is of a type that is not read here; use Ed25519")]
    Algorithm,
    /// The id is not the one of name and key.
    #[error("the id of the verifier key is not the one of its name and key; copy the whole line again")]
    Id,
}

/// What a key signs: the byte before it in its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The note's text: 0x01.
    Ed25519,
    /// A checkpoint's text behind the time at which it was seen: 0x04, `cosignature/v1`.
    Cosignature,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::Cosignature].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A key with its name. Its text is `name+id+base64`, and names and ids are compared, never looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: Kind,
    id: u32,
    public: PublicJwk,
}

impl NoteKey {
    /// A key of its parts.
    ///
    /// # Errors
    /// [`KeyError::Name`], [`KeyError::Algorithm`].
    pub fn new(name: &str, public: &PublicJwk, kind: Kind) -> Result<Self, KeyError> {
        if !(mutants::skips("tlog-key-name") || is_name(name)) {
            return Err(KeyError::Name);
        }
        let bytes = public.to_ed25519().ok_or(KeyError::Algorithm)?;
        let id = id(name, kind, &bytes);
        Ok(Self { name: name.to_owned(), kind, id, public: public.clone() })
    }

    /// Reads `name+id+base64`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, material) = rest.split_once('+').ok_or(KeyError::Form)?;
        let material = b64_decode(material).map_err(|_| KeyError::Form)?;
        let (kind, bytes) = material.split_first().ok_or(KeyError::Form)?;
        let kind = Kind::of_byte(*kind).ok_or(KeyError::Algorithm)?;
        let bytes = bytes.try_into().map_err(|_| KeyError::Form)?;
        let key = Self::new(name, &PublicJwk::ed25519(bytes), kind)?;
        if !(mutants::skips("tlog-key-id") || id == key.hex_id()) {
            return Err(KeyError::Id);
        }
        Ok(key)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its id: the first four bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ key), big-endian.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The key itself.
    #[must_use]
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn hex_id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// Whether the line under a note names this key.
    pub(in crate::tlog) fn is_of(&self, signature: &NoteSignature) -> bool {
        self.id == signature.id && self.name == signature.name
    }

    /// The line of a signature that this key made.
    pub(super) fn signature(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.name.clone(), id: self.id, bytes }
    }

    /// `None` where the signature does not verify; else the time that it says, if it says one.
    pub(super) fn check(
        &self,
        text: &str,
        bytes: &[u8],
        verifier: &dyn SignatureVerifier,
    ) -> Option<Option<UnixTime>> {
        let (seen, message, signature) = match self.kind {
            Kind::Ed25519 => (None, text.to_owned(), bytes),
            Kind::Cosignature => {
                let (time, signature) = bytes.split_first_chunk()?;
                let at = UnixTime(i64::from_be_bytes(*time));
                if !(mutants::skips("tlog-cosignature-seen") || at.0 > 0) {
                    return None;
                }
                (Some(at), self::seen(text, at), signature)
            }
        };
        let verified = verifier.verify(&self.public, Alg::EdDsa, message.as_bytes(), signature).is_ok();
        (mutants::skips("tlog-note-signature") || verified).then_some(seen)
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.public.to_ed25519().expect("no other key is taken");
        let material = [&[self.kind.byte()], &bytes[..]].concat();
        write!(f, "{}+{}+{}", self.name, self.hex_id(), b64(material))
    }
}

/// What a witness signs: two lines, then the checkpoint's text.
pub(super) fn seen(text: &str, at: UnixTime) -> String {
    format!("cosignature/v1\ntime {}\n{text}", at.0)
}

/// Not empty, no white space of Unicode, no control character, no plus.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |it: char| !(it.is_whitespace() || it.is_control() || it == '+');
    !name.is_empty() && name.chars().all(plain)
}

fn id(name: &str, kind: Kind, key: &[u8; 32]) -> u32 {
    let hash = sha256([name.as_bytes(), b"\n", &[kind.byte()], key].concat());
    let (id, _) = hash.split_first_chunk().expect("32 bytes");
    u32::from_be_bytes(*id)
}
