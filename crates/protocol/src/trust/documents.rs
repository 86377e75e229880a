//! The kinds of document and their members. All closed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::permissions::{NamedAction, PermissionKind, RecordFacts, ThirdParty};
use super::tables::Row;
use super::{MAX_ENTRY, TrustError};
use crate::statement::Rule;
use crate::text::{Bilingual, Env};
use crate::time::UnixTime;

/// The members that every document has.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The registrar.
    pub iss: &'a str,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The version of the register that it belongs to.
    pub reg_version: u64,
}

/// A kind of document.
pub trait Document: Serialize + DeserializeOwned {
    /// The `typ` of its header.
    const TYP: &'static str;

    /// The most characters of its JWS.
    const MAX: usize = MAX_ENTRY;

    /// The members that every document has.
    fn head(&self) -> Head<'_>;

    /// What its kind requires beyond the form of its members.
    ///
    /// # Errors
    /// [`TrustError::Members`].
    fn check(&self) -> Result<(), TrustError> {
        Ok(())
    }
}

macro_rules! document {
    ($kind:ty, $typ:literal $(, $more:item)*) => {
        impl Document for $kind {
            const TYP: &'static str = $typ;
            fn head(&self) -> Head<'_> {
                Head { iss: &self.iss, iat: self.iat, exp: self.exp, reg_version: self.reg_version }
            }
            $($more)*
        }
    };
}

/// A service that may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The registrar.
    pub iss: String,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The register's version.
    pub reg_version: u64,
    /// The stable service id, a URI.
    pub sub: String,
    /// Test or live.
    pub env: Env,
    /// What people call the service.
    pub name: Bilingual,
    /// The client ids that it asks under, with their prefix.
    pub client_ids: Vec<String>,
    /// The purposes that it may ask for.
    pub purposes: Vec<String>,
}

/// A body that may issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerEntry {
    /// The registrar.
    pub iss: String,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The register's version.
    pub reg_version: u64,
    /// `iss` of its credentials.
    pub sub: String,
    /// Test or live.
    pub env: Env,
    /// What people call the body.
    pub name: Bilingual,
    /// base64url SHA-256 of each anchor's DER under which it signs.
    pub anchors: Vec<String>,
    /// The `vct` values that it may issue.
    pub types: Vec<String>,
}

/// The lawful basis of a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A task in the public interest.
    PublicTask,
    /// A legal obligation.
    LegalObligation,
    /// A contract.
    Contract,
    /// Consent.
    Consent,
}

/// How a purpose lets an attribute be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Shown.
    Show,
    /// At most a bound.
    Le,
    /// At least a bound.
    Ge,
    /// Within one interval.
    In,
    /// Equal to a value, or to another hidden value.
    Eq,
    /// Other than a value, or than another hidden value.
    Ne,
    /// In a signed list.
    Member,
    /// Not in a signed list.
    NotMember,
    /// A name for a returning resident, from the link secret of the credential.
    Pseudonym,
}

/// One thing that may be asked for a purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MayAsk {
    /// Of which credential type.
    pub vct: String,
    /// About which claim.
    pub pointer: String,
    /// How.
    pub how: How,
    /// By which rules; empty for `show` and `pseudonym`.
    pub rules: Vec<Rule>,
}

/// A purpose, and the most that may be asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// The registrar.
    pub iss: String,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The register's version.
    pub reg_version: u64,
    /// The purpose id.
    pub sub: String,
    /// Its version.
    pub version: u32,
    /// In plain words.
    pub text: Bilingual,
    /// The lawful basis.
    pub basis: Basis,
    /// How long the outcome is kept.
    pub retention_days: u32,
    /// Who receives it.
    pub recipients: Vec<Bilingual>,
    /// The most that may be asked.
    pub may_ask: Vec<MayAsk>,
    /// What people can do who say no.
    pub other_route: Bilingual,
    /// What else a resident may be asked to permit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<PermissionKind>,
    /// The actions that may be permitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<NamedAction>,
    /// With whom the outcome may be shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sharing: Vec<ThirdParty>,
    /// The least number of days between two askings under one standing permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck_days: Option<u32>,
    /// What the records of permissions say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordFacts>,
}

/// A table keyed by birth date, or a list of codes or of spans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The registrar.
    pub iss: String,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The register's version.
    pub reg_version: u64,
    /// The table's id.
    pub sub: String,
    /// Its version.
    pub version: u32,
    /// Its rows, all of one kind.
    pub rows: Vec<Row>,
}

/// The whole register: every entry a document of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterDocument {
    /// The registrar.
    pub iss: String,
    /// Signed at.
    pub iat: UnixTime,
    /// Valid until.
    pub exp: UnixTime,
    /// The register's version.
    pub reg_version: u64,
    /// The entries, each signed.
    pub entries: Vec<String>,
}

/// Words in both languages, or the document is not one to show.
fn complete<'a>(mut words: impl Iterator<Item = &'a Bilingual>) -> Result<(), TrustError> {
    words.all(Bilingual::is_complete).then_some(()).ok_or(TrustError::Members)
}

document!(
    ServiceEntry,
    "vouchsafe-service+jwt",
    fn check(&self) -> Result<(), TrustError> {
        complete([&self.name].into_iter())
    }
);
document!(
    IssuerEntry,
    "vouchsafe-issuer+jwt",
    fn check(&self) -> Result<(), TrustError> {
        complete([&self.name].into_iter())
    }
);
document!(
    Purpose,
    "vouchsafe-purpose+jwt",
    fn check(&self) -> Result<(), TrustError> {
        complete([&self.text, &self.other_route].into_iter().chain(&self.recipients))?;
        self.check_permissions().map_err(|_| TrustError::Members)
    }
);
document!(
    Table,
    "vouchsafe-table+jwt",
    fn check(&self) -> Result<(), TrustError> {
        super::tables::check(&self.rows).map_err(|_| TrustError::Members)
    }
);
document!(RegisterDocument, "vouchsafe-register+jwt", const MAX: usize = 16 * MAX_ENTRY;);
