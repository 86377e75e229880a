//! One credential against one query (OpenID4VP 1.0 sections 6.1, 6.3 and 6.4.1).

use std::borrow::Cow;

use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::authority::is_under;
use super::path::Document;
use super::{ClaimQuery, CredentialQuery, FORMAT};
use crate::sd_jwt::vc::Verified;
use crate::sd_jwt::{Held, Path, Positions};

/// A credential as a query sees it: all of it in the wallet, what was disclosed of it at the verifier.
#[derive(Clone)]
pub struct Seen<'a> {
    vct: &'a str,
    document: Document<'a>,
    x5c: Cow<'a, [Vec<u8>]>,
}

impl<'a> Seen<'a> {
    /// Claims of which nothing is missing, without a certificate path.
    #[must_use]
    pub fn whole(vct: &'a str, claims: &'a Map<String, Value>) -> Self {
        Self { vct, document: Document { claims, positions: Positions::WHOLE }, x5c: Cow::Borrowed(&[]) }
    }
}

impl<'a> From<&'a Held> for Seen<'a> {
    fn from(held: &'a Held) -> Self {
        let document = Document { claims: held.claims(), positions: held.disclosed().positions() };
        Self { vct: held.vct().unwrap_or_default(), document, x5c: Cow::Owned(held.x5c()) }
    }
}

impl<'a> From<&'a Verified> for Seen<'a> {
    fn from(verified: &'a Verified) -> Self {
        let document = Document { claims: verified.claims(), positions: verified.positions() };
        Self { vct: verified.vct(), document, x5c: Cow::Borrowed(verified.issuer().x5c()) }
    }
}

/// Why a credential does not answer a query.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Mismatch {
    /// The query is for another format.
    #[error("the query asks for another format than dc+sd-jwt")]
    Format,
    /// Another type.
    #[error("the credential is of another type than the query asks for")]
    Type,
    /// None of the authorities vouches for its issuer, or all are named in ways that are not understood.
    #[error("the credential's issuer is under none of the authorities that the query names")]
    Authority,
    /// A claim is missing, or has none of the values.
    #[error("the credential lacks a claim or value that the query asks for")]
    Claims,
}

impl CredentialQuery {
    /// What the holder shows of a credential to answer this query, as concrete places in its claims: the first claim
    /// set that it has whole.
    ///
    /// # Errors
    /// [`Mismatch`]: the credential does not serve, and no part of it may be sent (section 6.4.1).
    pub fn select(&self, seen: &Seen<'_>) -> Result<Vec<Path>, Mismatch> {
        if !(mutants::skips("dcql-choose-format") || self.format == FORMAT) {
            return Err(Mismatch::Format);
        }
        if !(mutants::skips("dcql-choose-type") || self.vct_values().contains(&seen.vct)) {
            return Err(Mismatch::Type);
        }
        if !(mutants::skips("dcql-choose-authority") || self.is_vouched(seen)) {
            return Err(Mismatch::Authority);
        }
        self.options().find_map(|option| places(&option, &seen.document)).ok_or(Mismatch::Claims)
    }

    /// Which Disclosures of a held credential answer this query: those on the way to a selected claim and those
    /// within it. Without `claims` there are none.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn disclosures(&self, held: &Held) -> Result<Vec<Path>, Mismatch> {
        let selected = self.select(&held.into())?;
        let wanted =
            |shown: &&Path| selected.iter().any(|place| place.starts_with(shown) || shown.starts_with(place));
        Ok(held.disclosed().paths().iter().filter(wanted).cloned().collect())
    }

    /// Whether what was disclosed answers this query: type, authorities, all claims of one set, values.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn check_shown(&self, shown: &Seen<'_>) -> Result<(), Mismatch> {
        if !(mutants::skips("vp-complete-format") || self.format == FORMAT) {
            return Err(Mismatch::Format);
        }
        if !(mutants::skips("vp-complete-vct") || self.vct_values().contains(&shown.vct)) {
            return Err(Mismatch::Type);
        }
        if !(mutants::skips("vp-complete-authority") || self.is_vouched(shown)) {
            return Err(Mismatch::Authority);
        }
        let whole = self.options().any(|option| places(&option, &shown.document).is_some());
        if !(mutants::skips("vp-complete-claims") || whole) {
            return Err(Mismatch::Claims);
        }
        Ok(())
    }

    fn is_vouched(&self, seen: &Seen<'_>) -> bool {
        self.trusted_authorities.as_deref().is_none_or(|authorities| is_under(authorities, &seen.x5c))
    }

    /// The claim sets in order of preference; without them, all claims.
    fn options(&self) -> impl Iterator<Item = Vec<&ClaimQuery>> {
        let claims = self.claims.as_deref().unwrap_or_default();
        let named = |id: &String| claims.iter().find(|claim| claim.id.as_ref() == Some(id));
        let sets = self.claim_sets.as_deref().unwrap_or_default();
        let all = self.claim_sets.is_none().then(|| claims.iter().collect());
        all.into_iter().chain(sets.iter().filter_map(move |set| set.iter().map(named).collect()))
    }
}

/// The places of every claim of an option; `None` where one is missing.
fn places(option: &[&ClaimQuery], document: &Document<'_>) -> Option<Vec<Path>> {
    option.iter().map(|claim| claim.find(document)).collect::<Option<Vec<_>>>().map(|found| found.concat())
}

impl ClaimQuery {
    /// The concrete places of the claim; `None` where it is absent or no value serves.
    fn find(&self, document: &Document<'_>) -> Option<Vec<Path>> {
        let mut found = document.find(&self.path)?;
        if let Some(values) = self.values.as_ref().filter(|_| !mutants::skips("vp-complete-values")) {
            found.retain(|(_, value)| values.iter().any(|wanted| same(wanted, value)));
        }
        (!found.is_empty()).then(|| found.into_iter().map(|(place, _)| place).collect())
    }
}

/// Type and value alike: `1` is neither `1.0` nor `"1"`.
fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Number(a), Value::Number(b)) => !b.is_f64() && a == b,
        _ => wanted == value,
    }
}
