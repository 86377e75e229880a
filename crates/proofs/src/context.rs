//! All that an answer is bound to, as the verifier's own records and checked credentials give it.
//!
//! The fields follow the numbered list of `specs/proofs/README.md` section 5. The wallet fills them from the
//! signed request and its own credential; if the two sides differ anywhere, the proof fails.

use serde::{Deserialize, Serialize};

use crate::{commitment::Commitment, encoding::Encoding};

/// Items 2 to 5 of the list; the statements (item 6) stand beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Who asks.
    pub request: Request,
    /// What is asked, and by which rule.
    pub policy: Policy,
    /// What else the resident authorises with this answer.
    pub authorisation: Authorisation,
    /// The presented credentials in DCQL order. Those that no statement names are left out of the transcript.
    pub credentials: Vec<Credential>,
}

/// Item 2: the request that is answered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The service's stable id, from the signed trust register.
    pub service: String,
    /// The `client_id` with its prefix.
    pub client_id: String,
    /// The nonce as text, at least 128 random bits.
    pub nonce: String,
    /// SHA-256 of the text of `state`.
    #[serde(with = "crate::hex::bytes32")]
    pub state_sha256: [u8; 32],
    /// Where the answer goes.
    pub reply_to: ReplyTo,
    /// RFC 7638 thumbprint of the response-encryption key; absent for an answer in clear.
    #[serde(with = "crate::hex::option")]
    pub encryption_key: Option<[u8; 32]>,
}

/// Where the answer goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyTo {
    /// `response_uri` of a posted answer.
    ResponseUri(String),
    /// Origin of a page that asked through the browser.
    Origin(String),
}

/// Item 3: what is asked, and by which rule.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The purpose's id in the signed register.
    pub purpose: String,
    /// The policy's id.
    pub id: String,
    /// The policy's version.
    pub version: u64,
    /// SHA-256 of the RFC 8785 form of the whole policy.
    #[serde(with = "crate::hex::bytes32")]
    pub digest: [u8; 32],
    /// SHA-256 of the RFC 8785 form of all of `statements[]` as sent, those of other options too.
    #[serde(with = "crate::hex::bytes32")]
    pub statements: [u8; 32],
    /// Index of the chosen option of `credential_sets`.
    pub option: u64,
    /// The day of asking, by the `day` encoding.
    pub as_of: u64,
    /// Every list and table used, each once; the transcript takes them by id and version.
    pub tables: Vec<Table>,
}

/// A signed list or table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its id in the signed register.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the JWS payload octets.
    #[serde(with = "crate::hex::bytes32")]
    pub hash: [u8; 32],
}

/// Item 4: what else the resident authorises with this answer. All absent by default.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorisation {
    /// SHA-256 of each `transaction_data` string as received.
    #[serde(with = "crate::hex::list")]
    pub transactions: Vec<[u8; 32]>,
    /// A pseudonym or nullifier, where one is shown.
    pub pseudonym: Option<Pseudonym>,
    /// RFC 7638 thumbprint of the permission's key.
    #[serde(with = "crate::hex::option")]
    pub permission_key: Option<[u8; 32]>,
}

/// A name that a service may know a resident by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pseudonym {
    /// What it is valid for.
    pub context: String,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// Item 5: one presented credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The DCQL id of the query it answers.
    pub query: String,
    /// The issuer.
    pub iss: String,
    /// What the issuer's signature was checked with.
    pub issuer: IssuerKey,
    /// The credential type.
    pub vct: String,
    /// SHA-256 of the issuer-signed JWT, the text before the first `~`.
    #[serde(with = "crate::hex::bytes32")]
    pub jwt_sha256: [u8; 32],
    /// RFC 7638 thumbprint of the holder key in `cnf`.
    #[serde(with = "crate::hex::bytes32")]
    pub holder_key: [u8; 32],
    /// The signed commitments; those that no statement names are left out of the transcript.
    pub attributes: Vec<Attribute>,
    /// The signed commitment C_x to the holder's link secret, on the credential that the pseudonym of item 4 is shown
    /// from and on no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Commitment>,
}

/// What the issuer's signature was checked with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerKey {
    /// SHA-256 of the DER of the leaf certificate.
    Certificate(#[serde(with = "crate::hex::bytes32")] [u8; 32]),
    /// RFC 7638 thumbprint.
    Key(#[serde(with = "crate::hex::bytes32")] [u8; 32]),
}

/// One member of the signed `zkc`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// RFC 6901 pointer of the claim.
    pub pointer: String,
    /// How the value was encoded, as trusted type metadata says.
    pub enc: Encoding,
    /// "day", "GBP-pence", a list's URI and version, or a type URI.
    pub unit: String,
    /// The signed range; absent for `str`.
    pub range: Option<SignedRange>,
    /// The commitment `C`.
    pub c: Commitment,
}

/// The range that the issuer vouches the value lies in: `lo <= v <= hi < 2^b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRange {
    /// The width b in bits.
    pub b: u8,
    /// The least value.
    pub lo: u64,
    /// The greatest value.
    pub hi: u64,
}

impl Context {
    /// The credential that the pseudonym of item 4 is shown from; `None` if there is none or more than one.
    pub(crate) fn linked(&self) -> Option<(&Credential, &Commitment)> {
        only(self.credentials.iter().filter_map(|credential| Some((credential, credential.link.as_ref()?))))
    }

    /// The one credential that answers `query`; `None` if there is none or more than one.
    pub(crate) fn credential(&self, query: &str) -> Option<&Credential> {
        only(self.credentials.iter().filter(|credential| credential.query == query))
    }

    /// The one attribute at `pointer` of the credential that answers `query`.
    pub(crate) fn attribute(&self, query: &str, pointer: &str) -> Option<&Attribute> {
        only(self.credential(query)?.attributes.iter().filter(|attribute| attribute.pointer == pointer))
    }
}

/// An ambiguous match is no match.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    if !(vouchsafe_mutants::skips("zk-ambiguous") || all.next().is_none()) {
        return None;
    }
    Some(first)
}
