//! A query as it is sent, and the rules of its form (OpenID4VP 1.0 section 6).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{FORMAT, MAX_PARTS, PathStep};
use crate::statement::{MAX_STATEMENTS, StatementError, WireStatement};

/// A query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The credential queries, in order.
    pub credentials: Vec<CredentialQuery>,
    /// The combinations that serve; absent means all queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_sets: Option<Vec<CredentialSet>>,
    /// What is to be proved of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<WireStatement>,
}

/// One credential that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialQuery {
    /// Its id within the query.
    pub id: String,
    /// The credential format.
    pub format: String,
    /// What the format needs to know; `vct_values` here.
    pub meta: Map<String, Value>,
    /// Whether several presentations may answer it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// Who must vouch for the issuer, by any one of these; absent means anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_authorities: Option<Vec<TrustedAuthority>>,
    /// Whether the holder must prove possession; true where absent.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub require_cryptographic_holder_binding: bool,
    /// The claims that are asked for; absent means none that can be withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<ClaimQuery>>,
    /// Combinations of claims in the verifier's order of preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_sets: Option<Vec<Vec<String>>>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// Who may vouch for an issuer (section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedAuthority {
    /// How the authority is named; `aki` is the one that is understood here.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its names, any one of which serves.
    pub values: Vec<String>,
}

/// One claim that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimQuery {
    /// Its id, needed with `claim_sets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it is.
    pub path: Vec<PathStep>,
    /// The values that serve; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

/// Combinations of credential queries, one of which is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSet {
    /// The combinations, in the verifier's order of preference.
    pub options: Vec<Vec<String>>,
    /// Whether one is needed; true where absent.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub required: bool,
}

/// Why a query is refused; the fault of the asking side.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DcqlError {
    /// A member is missing or of another type.
    #[error("the query is malformed")]
    Malformed,
    /// An array is empty or has too many elements.
    #[error("a part of the query is empty or too long")]
    Length,
    /// An id is not of its form, or used twice.
    #[error("an id of the query is malformed or used twice")]
    Id,
    /// A set names what is not there.
    #[error("a set of the query names an id that it does not have")]
    UnknownId,
    /// `claim_sets` without `claims`.
    #[error("the query has claim_sets without claims")]
    ClaimSets,
    /// A value that is no string, integer or boolean.
    #[error("values of a claim must be strings, integers or booleans")]
    Values,
    /// `meta` lacks `vct_values`.
    #[error("a query for dc+sd-jwt needs meta.vct_values")]
    Meta,
    /// A statement names a query that is not there, or one with `multiple`.
    #[error("a statement names a query that is not there or that allows several presentations")]
    StatementQuery,
    /// A statement is not of this profile.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl Query {
    /// Reads and checks a query.
    ///
    /// # Errors
    /// [`DcqlError`].
    pub fn from_value(value: &Value) -> Result<Self, DcqlError> {
        let query: Self = serde_json::from_value(value.clone()).map_err(|_| DcqlError::Malformed)?;
        query.check()?;
        Ok(query)
    }

    /// The query with that id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&CredentialQuery> {
        self.credentials.iter().find(|query| query.id == id)
    }

    /// The statements that apply when the queries `ids` are answered: those all of whose queries are there.
    pub fn statements_of<'a>(&'a self, ids: &'a BTreeSet<String>) -> impl Iterator<Item = &'a WireStatement> {
        self.statements.iter().filter(|s| s.terms.iter().all(|term| ids.contains(&term.query)))
    }

    fn check(&self) -> Result<(), DcqlError> {
        let size = |n: usize| (1..=MAX_PARTS).contains(&n);
        if !(mutants::skips("vp-dcql-length")
            || (size(self.credentials.len()) && self.statements.len() <= MAX_STATEMENTS))
        {
            return Err(DcqlError::Length);
        }
        let mut ids = BTreeSet::new();
        let fresh = self.credentials.iter().all(|query| is_id(&query.id) && ids.insert(query.id.as_str()));
        if !(mutants::skips("vp-dcql-id") || fresh) {
            return Err(DcqlError::Id);
        }
        self.credentials.iter().try_for_each(CredentialQuery::check)?;
        self.check_sets(&ids)?;
        self.check_statements()
    }

    fn check_sets(&self, ids: &BTreeSet<&str>) -> Result<(), DcqlError> {
        let Some(sets) = &self.credential_sets else { return Ok(()) };
        let size = |n: usize| (1..=MAX_PARTS).contains(&n);
        let sized = size(sets.len())
            && sets.iter().all(|set| size(set.options.len()) && set.options.iter().all(|o| size(o.len())));
        if !(mutants::skips("vp-dcql-set-length") || sized) {
            return Err(DcqlError::Length);
        }
        let known =
            sets.iter().flat_map(|set| set.options.iter().flatten()).all(|id| ids.contains(id.as_str()));
        if !(mutants::skips("vp-dcql-set-id") || known) {
            return Err(DcqlError::UnknownId);
        }
        Ok(())
    }

    fn check_statements(&self) -> Result<(), DcqlError> {
        let mut ids = BTreeSet::new();
        for statement in &self.statements {
            statement.check()?;
            if !(mutants::skips("vp-dcql-statement-id") || ids.insert(&statement.id)) {
                return Err(DcqlError::Id);
            }
            let single = |term: &crate::statement::Term| {
                self.credential(&term.query).is_some_and(|query| !query.multiple)
            };
            if !(mutants::skips("vp-dcql-statement-query") || statement.terms.iter().all(single)) {
                return Err(DcqlError::StatementQuery);
            }
        }
        Ok(())
    }
}

impl CredentialQuery {
    /// A query for SD-JWT VCs of one type.
    #[must_use]
    pub fn sd_jwt(id: &str, vct: &str, claims: Option<Vec<ClaimQuery>>) -> Self {
        let meta = Map::from_iter([("vct_values".to_owned(), Value::from(vec![vct]))]);
        Self {
            id: id.to_owned(),
            format: FORMAT.to_owned(),
            meta,
            multiple: false,
            trusted_authorities: None,
            require_cryptographic_holder_binding: true,
            claims,
            claim_sets: None,
        }
    }

    /// The accepted `vct` values.
    #[must_use]
    pub fn vct_values(&self) -> Vec<&str> {
        self.meta
            .get("vct_values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn check(&self) -> Result<(), DcqlError> {
        if !(mutants::skips("vp-dcql-meta") || self.format != FORMAT || !self.vct_values().is_empty()) {
            return Err(DcqlError::Meta);
        }
        let size = |n: usize| (1..=MAX_PARTS).contains(&n);
        if !(mutants::skips("vp-dcql-claims-length")
            || self.claims.as_ref().is_none_or(|claims| size(claims.len())))
        {
            return Err(DcqlError::Length);
        }
        let named = |authorities: &Vec<TrustedAuthority>| {
            size(authorities.len()) && authorities.iter().all(|authority| size(authority.values.len()))
        };
        if !(mutants::skips("vp-dcql-authorities-length")
            || self.trusted_authorities.as_ref().is_none_or(named))
        {
            return Err(DcqlError::Length);
        }
        self.claims.iter().flatten().try_for_each(ClaimQuery::check)?;
        self.check_claim_sets()
    }

    fn check_claim_sets(&self) -> Result<(), DcqlError> {
        let claims = self.claims.as_deref().unwrap_or_default();
        let mut ids = BTreeSet::new();
        let fresh =
            claims.iter().filter_map(|claim| claim.id.as_deref()).all(|id| is_id(id) && ids.insert(id));
        if !(mutants::skips("vp-dcql-claim-id") || fresh) {
            return Err(DcqlError::Id);
        }
        let Some(sets) = &self.claim_sets else { return Ok(()) };
        if !(mutants::skips("vp-dcql-claim-sets") || self.claims.is_some()) {
            return Err(DcqlError::ClaimSets);
        }
        let size = |n: usize| (1..=MAX_PARTS).contains(&n);
        if !(mutants::skips("vp-dcql-claim-sets-length")
            || (size(sets.len()) && sets.iter().all(|set| size(set.len()))))
        {
            return Err(DcqlError::Length);
        }
        let known = sets.iter().flatten().all(|id| ids.contains(id.as_str()));
        let named = ids.len() == claims.len();
        if !(mutants::skips("vp-dcql-claim-set-id") || (known && named)) {
            return Err(DcqlError::UnknownId);
        }
        Ok(())
    }
}

impl ClaimQuery {
    /// A query for the claim at an RFC 6901 pointer.
    #[must_use]
    pub fn at(pointer: &str) -> Self {
        let unescape = |step: &str| step.replace("~1", "/").replace("~0", "~");
        let path = pointer.split('/').skip(1).map(|step| PathStep::Key(unescape(step))).collect();
        Self { id: None, path, values: None }
    }

    /// The pointer, where the path is made of member names alone.
    #[must_use]
    pub fn pointer(&self) -> Option<String> {
        let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
        self.path
            .iter()
            .map(|step| if let PathStep::Key(key) = step { Some(format!("/{}", escape(key))) } else { None })
            .collect()
    }

    fn check(&self) -> Result<(), DcqlError> {
        if !(mutants::skips("vp-dcql-path") || (1..=MAX_PARTS).contains(&self.path.len())) {
            return Err(DcqlError::Length);
        }
        let Some(values) = &self.values else { return Ok(()) };
        let simple = |v: &Value| v.is_string() || v.is_boolean() || v.is_i64() || v.is_u64();
        if !(mutants::skips("vp-dcql-values") || (!values.is_empty() && values.iter().all(simple))) {
            return Err(DcqlError::Values);
        }
        Ok(())
    }
}

/// `[A-Za-z0-9_-]+`, of a length that a log could bear.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}
