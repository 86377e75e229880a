//! The registrar's signed documents: who may issue what, who may ask what, and the lists that count.
//!
//! A registrar whose key no service holds signs each entry apart, so that an extract can travel in a request and
//! be checked alone (`specs/profiles/registrar.md`). A service cannot describe its own purpose: it can only carry
//! what the registrar signed.
//!
//! Security: the caller pins the registrar by a [`TrustFile`] and keeps the highest `reg_version` it has seen;
//! an older one is refused. Nothing here is fetched.

mod documents;
mod permissions;
mod register;
mod tables;

pub use documents::{
    Basis, Document, How, IssuerEntry, MayAsk, Purpose, RegisterDocument, ServiceEntry, Table,
};
pub use permissions::{BodyKind, Controller, NamedAction, PermissionKind, RecordFacts, ThirdParty};
pub use register::Register;
pub use tables::{CodeRow, MAX_ROWS, MIN_CROWD, PensionRow, Row, SpanRow, TableError, TableExtract, Tables};

use serde::Deserialize;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::encoding::{b64, b64_decode, sha256};
use crate::jose::jws::{Compact, NewHeader, Unsigned};
use crate::jose::x5c::Anchor;
use crate::jose::{Alg, NamedJwk, PublicJwk, SignatureVerifier};
use crate::json;
use crate::time::{DAY, SKEW, UnixTime};

/// The longest validity of a document, in seconds: a registrar that says nothing for a week says nothing.
pub const MAX_VALIDITY: i64 = 7 * DAY;

/// The most characters of an entry; a whole register may have sixteen times as many.
pub const MAX_ENTRY: usize = 256 * 1024;

/// The registrar as wallets and verifiers pin it.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// The registrar's URI, `iss` of every document.
    pub iss: String,
    /// Its keys by `kid`.
    pub keys: Vec<(String, PublicJwk)>,
}

impl Registrar {
    fn key(&self, kid: &str) -> Option<&PublicJwk> {
        self.keys.iter().find(|(id, _)| id == kid).map(|(_, key)| key)
    }
}

/// What `vouchsafe wallet|verifier trust add FILE` reads: the pinned registrar and the certificate anchors.
#[derive(Clone, Debug)]
pub struct TrustFile {
    /// The pinned registrar.
    pub registrar: Registrar,
    /// Certificate anchors, of issuers and of requests; which counts for an issuer is said by its entry.
    pub anchors: Vec<Anchor>,
}

/// The trust file as it is written. Closed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFileJson {
    iss: String,
    jwks: KeySet,
    anchors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySet {
    keys: Vec<NamedJwk>,
}

/// Why a trust file or a signed document is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TrustError {
    /// The trust file is not of its form.
    #[error(
        "the trust file cannot be read: it holds iss, jwks (each key with a kid) and anchors (base64 DER)"
    )]
    File,
    /// Not a JWS, or a header other than {alg, typ, kid}.
    #[error("the registrar's document is malformed")]
    Malformed,
    /// A document of another kind in this place.
    #[error("the registrar's document is of another kind than this place requires")]
    Kind,
    /// Signed by a key that is not pinned.
    #[error(
        "the document is signed by a key that is not the registrar's; add the registrar's new trust file"
    )]
    UnknownKey,
    /// The signature is wrong.
    #[error("the registrar's signature is wrong")]
    Signature,
    /// The members are not those of the kind.
    #[error("the registrar's document has missing, unknown or unreadable members")]
    Members,
    /// From another registrar.
    #[error("the document names another registrar")]
    Issuer,
    /// Valid for longer than a week.
    #[error("the registrar's document claims to be valid for more than seven days")]
    Validity,
    /// Not yet valid.
    #[error("the registrar's document is from the future")]
    NotYet,
    /// No longer valid.
    #[error("the registrar's document has expired; the sender must load a fresh register")]
    Expired,
    /// Older than one already seen.
    #[error("the registrar's document is older than one seen before")]
    RolledBack,
    /// Two entries for one thing, or entries of several versions.
    #[error("the register contradicts itself")]
    Contradiction,
}

impl TrustFile {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError::File`].
    pub fn parse(text: &[u8]) -> Result<Self, TrustError> {
        let file: TrustFileJson = json::typed(text, MAX_ENTRY).map_err(|_| TrustError::File)?;
        let keys = file.jwks.keys.iter().map(pinned).collect::<Option<Vec<_>>>().ok_or(TrustError::File)?;
        let anchors = file
            .anchors
            .iter()
            .map(|text| anchor(text))
            .collect::<Option<Vec<_>>>()
            .ok_or(TrustError::File)?;
        if keys.is_empty() || file.iss.is_empty() {
            return Err(TrustError::File);
        }
        Ok(Self { registrar: Registrar { iss: file.iss, keys }, anchors })
    }

    /// Writes a trust file.
    #[must_use]
    pub fn to_value(&self) -> json::Value {
        let named = |(kid, key): &(String, PublicJwk)| NamedJwk {
            key: key.clone(),
            kid: Some(kid.clone()),
            usage: None,
            alg: None,
        };
        let keys: Vec<_> = self.registrar.keys.iter().map(named).collect();
        let anchors: Vec<_> = self.anchors.iter().map(|anchor| b64(anchor.der())).collect();
        serde_json::json!({"iss": self.registrar.iss, "jwks": {"keys": keys}, "anchors": anchors})
    }
}

fn pinned(jwk: &NamedJwk) -> Option<(String, PublicJwk)> {
    Some((jwk.kid.clone()?, jwk.key.clone()))
}

fn anchor(text: &str) -> Option<Anchor> {
    Anchor::from_der(b64_decode(text).ok()?).ok()
}

/// A document whose signature, time and version were checked.
#[derive(Clone, Debug)]
pub struct Extract<D> {
    document: D,
    payload_sha256: [u8; 32],
    jws: String,
}

impl<D: Document> Extract<D> {
    /// What the registrar said.
    #[must_use]
    pub fn document(&self) -> &D {
        &self.document
    }

    /// SHA-256 of the payload octets: a table's hash.
    #[must_use]
    pub fn payload_sha256(&self) -> &[u8; 32] {
        &self.payload_sha256
    }

    /// The signed text, to pass on.
    #[must_use]
    pub fn jws(&self) -> &str {
        &self.jws
    }
}

/// What a document is judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The pinned registrar.
    pub registrar: &'a Registrar,
    /// The highest `reg_version` seen before; 0 at first.
    pub last_seen: u64,
    /// The time of reading.
    pub now: UnixTime,
    /// Checks signatures.
    pub verifier: &'a dyn SignatureVerifier,
}

impl Judge<'_> {
    /// Checks one document of the kind `D`.
    ///
    /// # Errors
    /// [`TrustError`] names the first check that failed.
    pub fn verify<D: Document>(&self, jws: &str) -> Result<Extract<D>, TrustError> {
        let payload = self.signed(jws, D::TYP, D::MAX)?;
        let document: D = json::typed(&payload, D::MAX).map_err(|_| TrustError::Members)?;
        self.head(&document)?;
        document.check()?;
        Ok(Extract { document, payload_sha256: sha256(&payload), jws: jws.to_owned() })
    }

    fn signed(&self, jws: &str, typ: &str, max: usize) -> Result<Vec<u8>, TrustError> {
        let compact = Compact::parse(jws, max).map_err(|_| TrustError::Malformed)?;
        if !(mutants::skips("trust-header") || compact.header().is_exactly(&["alg", "typ", "kid"])) {
            return Err(TrustError::Malformed);
        }
        compact.check_typ(typ).map_err(|_| TrustError::Kind)?;
        let key =
            compact.header().kid().and_then(|kid| self.registrar.key(kid)).ok_or(TrustError::UnknownKey)?;
        let payload = compact.clone().verify(typ, key, self.verifier).map_err(|_| TrustError::Signature)?;
        Ok(payload.bytes().to_vec())
    }

    fn head<D: Document>(&self, document: &D) -> Result<(), TrustError> {
        let head = document.head();
        if !(mutants::skips("trust-iss") || head.iss == self.registrar.iss) {
            return Err(TrustError::Issuer);
        }
        if !(mutants::skips("trust-validity")
            || (head.exp.0 > head.iat.0 && head.exp.0 - head.iat.0 <= MAX_VALIDITY))
        {
            return Err(TrustError::Validity);
        }
        if !(mutants::skips("trust-not-yet") || head.iat.0 <= self.now.0 + SKEW) {
            return Err(TrustError::NotYet);
        }
        if !(mutants::skips("trust-expired") || self.now.0 < head.exp.0 + SKEW) {
            return Err(TrustError::Expired);
        }
        if !(mutants::skips("trust-reg-version") || head.reg_version >= self.last_seen) {
            return Err(TrustError::RolledBack);
        }
        Ok(())
    }
}

/// The bytes that a registrar signs for one document, under its key `kid`.
#[must_use]
pub fn unsigned<D: Document>(document: &D, alg: Alg, kid: &str) -> Unsigned {
    let header = NewHeader::new(alg, D::TYP).kid(kid).encode();
    Unsigned::new(&header, document).expect("a document is strings, integers and arrays")
}
