//! DCQL: which credentials and claims a request asks for, and whether some credential serves.
//!
//! OpenID4VP 1.0 section 6, as far as SD-JWT VC needs it, and `statements` (`specs/profiles/request.md`).
//! Unknown members are ignored everywhere but in statements. Leaves out `trusted_authorities`, which is advice
//! to the wallet (the verifier decides trust itself), `multiple`, and formats other than `dc+sd-jwt`: a query of
//! another format parses and never matches.
//!
//! Security: a wallet's selection is a promise that the verifier does not rely on; it checks completeness again
//! with [`CredentialQuery::is_satisfied_by`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use crate::sd_jwt::{Held, Path, Step};
use crate::statement::{MAX_STATEMENTS, StatementError, WireStatement};

/// The one credential format that this project presents.
pub const FORMAT: &str = "dc+sd-jwt";

/// The most credential queries, claims of one query, sets and options.
const MAX_PARTS: usize = 32;

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

/// One step of a claims path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// A member of an object.
    Key(String),
    /// An element of an array.
    Index(u32),
    /// Every element of an array.
    Every,
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
            statement.to_proof()?;
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

    /// What the holder discloses of a credential to answer this query, as concrete places in its claims (all
    /// disclosed): the first satisfiable claim set. `None`: the credential does not serve.
    #[must_use]
    pub fn select(&self, vct: &str, claims: &Value) -> Option<Vec<Vec<PathStep>>> {
        if self.format != FORMAT || !self.vct_values().contains(&vct) {
            return None;
        }
        let options = self.options();
        options
            .iter()
            .find_map(|option| option.iter().map(|claim| claim.find(claims)).collect::<Option<Vec<_>>>())
            .map(|found| found.concat())
    }

    /// Which Disclosures of a held credential answer this query: those on the way to a selected claim and those
    /// within it. `None`: the credential does not serve.
    #[must_use]
    pub fn disclosures(&self, held: &Held) -> Option<Vec<Path>> {
        let claims = Value::Object(held.claims().clone());
        let selected: Vec<Path> =
            self.select(held.vct()?, &claims)?.iter().map(|place| path(place)).collect();
        let wanted =
            |shown: &&Path| selected.iter().any(|place| place.starts_with(shown) || shown.starts_with(place));
        Some(held.disclosed().paths().iter().filter(wanted).cloned().collect())
    }

    /// Whether what was disclosed answers this query: type, claims of one claim set, values.
    #[must_use]
    pub fn is_satisfied_by(&self, vct: &str, disclosed: &Value) -> bool {
        let typed = mutants::skips("vp-complete-vct") || self.vct_values().contains(&vct);
        let claims = mutants::skips("vp-complete-claims")
            || self.options().iter().any(|option| option.iter().all(|claim| claim.find(disclosed).is_some()));
        self.format == FORMAT && typed && claims
    }

    /// The claim sets; without them, all claims.
    fn options(&self) -> Vec<Vec<&ClaimQuery>> {
        let claims = self.claims.as_deref().unwrap_or_default();
        let named = |id: &String| claims.iter().find(|claim| claim.id.as_ref() == Some(id));
        match &self.claim_sets {
            None => vec![claims.iter().collect()],
            Some(sets) => sets.iter().filter_map(|set| set.iter().map(named).collect()).collect(),
        }
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
        let known = !sets.is_empty()
            && sets.iter().all(|set| !set.is_empty() && set.iter().all(|id| ids.contains(id.as_str())));
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

    /// The concrete places of the claim; `None` where it is absent or no value serves.
    fn find(&self, root: &Value) -> Option<Vec<Vec<PathStep>>> {
        let mut found = walk(root, &self.path)?;
        if let Some(values) = self.values.as_ref().filter(|_| !mutants::skips("vp-complete-values")) {
            found.retain(|(_, value)| values.iter().any(|wanted| same(wanted, value)));
        }
        (!found.is_empty()).then(|| found.into_iter().map(|(place, _)| place).collect())
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

/// A concrete place as the holder's side knows it.
fn path(place: &[PathStep]) -> Path {
    let step = |step: &PathStep| match step {
        PathStep::Key(key) => Some(Step::Name(key.clone())),
        PathStep::Index(index) => Some(Step::Index(*index as usize)),
        PathStep::Every => None,
    };
    place.iter().filter_map(step).collect()
}

/// Type and value alike: `1` is neither `1.0` nor `"1"`.
fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Number(a), Value::Number(b)) => !b.is_f64() && a == b,
        _ => wanted == value,
    }
}

type Found<'a> = Vec<(Vec<PathStep>, &'a Value)>;

/// OpenID4VP 7.1: selects, step by step. An error and an empty selection are the same to us: nothing found.
fn walk<'a>(root: &'a Value, path: &[PathStep]) -> Option<Found<'a>> {
    let mut selected: Found<'a> = vec![(Vec::new(), root)];
    for step in path {
        let mut next = Vec::new();
        for (place, value) in selected {
            descend(&place, value, step, &mut next)?;
        }
        selected = next;
    }
    (!selected.is_empty()).then_some(selected)
}

/// Drops what is missing; `None` where the step does not fit the kind of value.
fn descend<'a>(place: &[PathStep], value: &'a Value, step: &PathStep, next: &mut Found<'a>) -> Option<()> {
    let mut push = |step: PathStep, value: &'a Value| next.push(([place, &[step]].concat(), value));
    match step {
        PathStep::Key(key) => {
            if let Some(value) = value.as_object()?.get(key) {
                push(step.clone(), value);
            }
        }
        PathStep::Index(index) => {
            if let Some(value) = value.as_array()?.get(*index as usize) {
                push(step.clone(), value);
            }
        }
        PathStep::Every => {
            for (index, value) in (0_u32..).zip(value.as_array()?) {
                push(PathStep::Index(index), value);
            }
        }
    }
    Some(())
}

/// `[A-Za-z0-9_-]+`, of a length that a log could bear.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}
