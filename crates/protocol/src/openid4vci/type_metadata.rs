//! Type metadata: what a `vct` that is an https address tells about its type (SD-JWT VC section 6).
//!
//! The document gives names, never authority: which issuer may sign which `vct` is in the register. A document that
//! `extends` another is refused: no type of ours does, and following a chain of strangers' addresses is not worth its
//! cycles. Leaves out `svg_templates` and `aka_vcts`.
//!
//! Security: who serves the document learns who fetches it, and when. A wallet fetches it only while it collects, from
//! the issuer that it talks to anyway, for its words and to check a `vct#integrity` that copies carry; a verifier never
//! does.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64, b64_decode, sha256};
use crate::json;
use crate::text::Bilingual;
use crate::types::{Answer, CredentialType, is_proof};

/// The most bytes of a document.
pub const MAX_TYPE_METADATA: usize = 128 * 1024;

/// The claim of a credential that binds the document's bytes.
pub const INTEGRITY: &str = "vct#integrity";

/// A type metadata document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeMetadata {
    /// The type.
    pub vct: String,
    /// A name for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A description for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The type that this one builds on, which is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<TypeDisplay>,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<TypeClaim>,
}

/// The name of a type in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDisplay {
    /// The language.
    pub locale: String,
    /// The name.
    pub name: String,
}

/// What is said of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeClaim {
    /// Where it is.
    pub path: Vec<Value>,
    /// Its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<ClaimDisplay>,
    /// Whether every credential has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory: Option<bool>,
    /// Whether it is selectively disclosable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Disclosable>,
}

/// The name of a claim in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimDisplay {
    /// The language.
    pub locale: String,
    /// The name.
    pub label: String,
}

/// Whether a claim is selectively disclosable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disclosable {
    /// It must be.
    Always,
    /// It may be.
    Allowed,
    /// It must not be.
    Never,
}

/// Why a document is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TypeMetadataError {
    /// A member is missing or of another type.
    #[error("the type's document is malformed")]
    Malformed,
    /// Of another type.
    #[error("the document describes another type")]
    Type,
    /// It builds on another.
    #[error("the document builds on another type, which is not followed")]
    Extends,
    /// Its bytes are not those that the credential names.
    #[error("the document is not the one that the credential names by its digest")]
    Integrity,
    /// No digest that we know.
    #[error("the credential names no digest of its type that is known here")]
    Digest,
}

impl TypeMetadata {
    /// The document of a type's plain or proof copies, told apart by `vct`.
    #[must_use]
    pub fn of(described: &CredentialType, vct: &str) -> Self {
        let proof = is_proof(vct);
        let told = described.attributes.iter().filter(|attribute| proof || attribute.may(Answer::Show));
        let claims = told.map(|attribute| TypeClaim {
            path: vec![attribute.claim().into()],
            display: claim_displays(&attribute.label),
            mandatory: None,
            // What can only be proved is no claim of a copy at all.
            sd: attribute.may(Answer::Show).then_some(Disclosable::Always),
        });
        Self {
            vct: vct.to_owned(),
            name: Some(described.name.en.clone()),
            description: None,
            extends: None,
            display: displays(&described.name),
            claims: claims.collect(),
        }
    }

    /// Its JSON text: the bytes that are served and digested.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a document is strings and booleans")
    }

    /// Reads the document that was fetched for `vct`.
    ///
    /// # Errors
    /// [`TypeMetadataError`].
    pub fn parse(text: &[u8], vct: &str, integrity: Option<&str>) -> Result<Self, TypeMetadataError> {
        if let Some(digest) = integrity {
            check_integrity(text, digest)?;
        }
        let document: Self =
            json::typed(text, MAX_TYPE_METADATA).map_err(|_| TypeMetadataError::Malformed)?;
        if !(mutants::skips("vct-document-type") || document.vct == vct) {
            return Err(TypeMetadataError::Type);
        }
        if !(mutants::skips("vct-document-extends") || document.extends.is_none()) {
            return Err(TypeMetadataError::Extends);
        }
        Ok(document)
    }
}

fn displays(name: &Bilingual) -> Vec<TypeDisplay> {
    let one = |name: &str, locale: &str| TypeDisplay { locale: locale.to_owned(), name: name.to_owned() };
    vec![one(&name.en, "en"), one(&name.cy, "cy")]
}

fn claim_displays(label: &Bilingual) -> Vec<ClaimDisplay> {
    let one = |label: &str, locale: &str| ClaimDisplay { locale: locale.to_owned(), label: label.to_owned() };
    vec![one(&label.en, "en"), one(&label.cy, "cy")]
}

/// The digest of a document as `vct#integrity` has it: W3C Subresource Integrity.
#[must_use]
pub fn integrity(document: &[u8]) -> String {
    format!("sha256-{}", b64(sha256(document)))
}

/// The strongest algorithm of the list decides, and one of its digests must fit (Subresource Integrity, section 3.3.4).
/// Algorithms that we do not have are passed over; a list of nothing else is refused.
fn check_integrity(document: &[u8], digests: &str) -> Result<(), TypeMetadataError> {
    let fits = |digest: &str| {
        let (algorithm, text) = digest.split_once('-')?;
        let rank = ["sha256", "sha384", "sha512"].iter().position(|known| *known == algorithm)?;
        let hash = match rank {
            0 => Sha256::digest(document).to_vec(),
            1 => Sha384::digest(document).to_vec(),
            _ => Sha512::digest(document).to_vec(),
        };
        let named = b64_decode(text.split('?').next().unwrap_or_default());
        Some((rank, named.is_ok_and(|named| named == hash)))
    };
    let known: Vec<_> = digests.split_ascii_whitespace().filter_map(fits).collect();
    let strongest = known.iter().map(|(rank, _)| *rank).max().ok_or(TypeMetadataError::Digest)?;
    if !(mutants::skips("vct-integrity") || known.contains(&(strongest, true))) {
        return Err(TypeMetadataError::Integrity);
    }
    Ok(())
}
