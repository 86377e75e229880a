//! The wallet's side: which credentials answer a query, and what is shown of them (OpenID4VP 1.0 section 6.4).
//!
//! All or nothing: where a required set fails, nothing is chosen. A set that is not required is told of and left out
//! until its holder asks for it.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{CredentialQuery, CredentialSet, Query};
use crate::sd_jwt::{Held, Path};

/// A credential that might answer. The order of candidates is the holder's order of preference.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// What the wallet calls it.
    pub id: &'a str,
    /// The credential.
    pub held: &'a Held,
}

/// What the holder wants otherwise than by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Sets that are not required and shall be answered, by index.
    pub optional: BTreeSet<usize>,
    /// The option of a set that shall be taken, by index of set and option.
    pub options: BTreeMap<usize, usize>,
    /// The candidates that shall answer a query, by query id: one, or several where the query allows several.
    pub using: BTreeMap<String, BTreeSet<String>>,
}

/// One presentation to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// The query that it answers.
    pub query: String,
    /// The candidate's index.
    pub candidate: usize,
    /// The Disclosures to be shown.
    pub disclosures: Vec<Path>,
}

/// A set that is not required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalSet {
    /// Its index.
    pub set: usize,
    /// The queries of its option that is answered, or could be: the first that is whole, or the one wished for.
    pub queries: Vec<String>,
}

/// What would be sent, and what else could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The presentations, in the order of the queries.
    pub presentations: Vec<Presentation>,
    /// Sets that are not required and are answered, because the holder wants it.
    pub added: Vec<OptionalSet>,
    /// Sets that are not required, could be answered, and are left out.
    pub offered: Vec<OptionalSet>,
    /// By query id, every candidate that could answer it, by index.
    pub candidates: BTreeMap<String, Vec<usize>>,
}

/// Why nothing is sent: to the verifier, `access_denied` (section 8.5).
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CannotAnswer {
    /// No credential answers a query that is needed.
    #[error("no credential answers the query {0}, which is needed")]
    Query(String),
    /// No option of a required set can be answered whole.
    #[error("no option of the required set {0} can be answered whole")]
    Set(usize),
    /// What the holder wants cannot be had.
    #[error("the credential or the option that was wished for does not answer the query")]
    Wish,
}

/// Chooses what answers `query`: in each required set the first option that is whole, of each query the first
/// candidate. Several of a query with `multiple` are sent only where the holder names them.
///
/// # Errors
/// [`CannotAnswer`]: nothing may be sent, not even what could be answered.
pub fn choose(
    query: &Query,
    candidates: &[Candidate<'_>],
    wishes: &Wishes,
) -> Result<Selection, CannotAnswer> {
    let chooser = Chooser::new(query, candidates, wishes)?;
    let Chosen { wanted, added, offered } = chooser.sets()?;
    let presentations = query.credentials.iter().filter(|one| wanted.contains(one.id.as_str()));
    let presentations = presentations.flat_map(|one| chooser.presentations(one)).collect();
    let by_id = |(id, matches): (&&str, &Vec<Presentation>)| {
        ((*id).to_owned(), matches.iter().map(|one| one.candidate).collect())
    };
    Ok(Selection { presentations, added, offered, candidates: chooser.matches.iter().map(by_id).collect() })
}

/// The queries that are answered, and the sets that need not be.
#[derive(Default)]
struct Chosen<'a> {
    wanted: BTreeSet<&'a str>,
    added: Vec<OptionalSet>,
    offered: Vec<OptionalSet>,
}

/// Every candidate of every query.
struct Chooser<'a> {
    query: &'a Query,
    wishes: &'a Wishes,
    matches: BTreeMap<&'a str, Vec<Presentation>>,
}

impl<'a> Chooser<'a> {
    fn new(query: &'a Query, candidates: &[Candidate<'_>], wishes: &'a Wishes) -> Result<Self, CannotAnswer> {
        let matches = query.credentials.iter().map(|one| (one.id.as_str(), matching(one, candidates)));
        let mut chooser = Self { query, wishes, matches: matches.collect() };
        for (id, wanted) in &wishes.using {
            let one = query.credential(id).ok_or(CannotAnswer::Wish)?;
            if !(mutants::skips("dcql-choose-single") || one.multiple || wanted.len() == 1) {
                return Err(CannotAnswer::Wish);
            }
            let all = chooser.matches.get_mut(id.as_str()).ok_or(CannotAnswer::Wish)?;
            let wished: Vec<_> =
                all.iter().filter(|one| wanted.contains(candidates[one.candidate].id)).cloned().collect();
            if !(mutants::skips("dcql-choose-wish") || wished.len() == wanted.len()) {
                return Err(CannotAnswer::Wish);
            }
            if !wished.is_empty() {
                *all = wished;
            }
        }
        Ok(chooser)
    }

    fn is_answerable(&self, id: &str) -> bool {
        self.matches.get(id).is_some_and(|matches| !matches.is_empty())
    }

    /// The queries to be answered, and the sets that are left out although they could be.
    fn sets(&self) -> Result<Chosen<'a>, CannotAnswer> {
        let Chosen { mut wanted, mut added, mut offered } = Chosen::default();
        let Some(sets) = &self.query.credential_sets else {
            return Ok(Chosen { wanted: self.all()?, added, offered });
        };
        for (index, set) in sets.iter().enumerate() {
            let option = self.option(index, set)?;
            if !(mutants::skips("dcql-choose-required") || option.is_some() || !set.required) {
                return Err(CannotAnswer::Set(index));
            }
            let Some(option) = option else { continue };
            let asked = set.required || self.wishes.optional.contains(&index);
            let optional = OptionalSet { set: index, queries: option.clone() };
            if mutants::skips("dcql-choose-optional") || asked {
                wanted.extend(option.iter().map(String::as_str));
                added.extend((!set.required).then_some(optional));
            } else {
                offered.push(optional);
            }
        }
        Ok(Chosen { wanted, added, offered })
    }

    /// Without sets, every query is needed.
    fn all(&self) -> Result<BTreeSet<&'a str>, CannotAnswer> {
        let ids = || self.query.credentials.iter().map(|one| one.id.as_str());
        let lacking = ids().find(|id| !self.is_answerable(id));
        match lacking.filter(|_| !mutants::skips("dcql-choose-all")) {
            Some(id) => Err(CannotAnswer::Query(id.to_owned())),
            None => Ok(ids().collect()),
        }
    }

    /// The option of a set that is taken: the one wished for, else the first that can be answered whole.
    fn option(&self, index: usize, set: &'a CredentialSet) -> Result<Option<&'a Vec<String>>, CannotAnswer> {
        let whole = |option: &&Vec<String>| {
            mutants::skips("dcql-choose-whole") || option.iter().all(|id| self.is_answerable(id))
        };
        match self.wishes.options.get(&index) {
            None => Ok(set.options.iter().find(whole)),
            Some(wished) => set.options.get(*wished).filter(whole).map(Some).ok_or(CannotAnswer::Wish),
        }
    }

    /// One of a query, or those that its holder named.
    fn presentations(&self, one: &CredentialQuery) -> Vec<Presentation> {
        let matches = self.matches.get(one.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let count = self.wishes.using.get(&one.id).map_or(1, BTreeSet::len);
        matches.iter().take(count).cloned().collect()
    }
}

fn matching(query: &CredentialQuery, candidates: &[Candidate<'_>]) -> Vec<Presentation> {
    let answers = |(candidate, one): (usize, &Candidate<'_>)| {
        let disclosures = query.disclosures(one.held).ok()?;
        Some(Presentation { query: query.id.clone(), candidate, disclosures })
    };
    candidates.iter().enumerate().filter_map(answers).collect()
}
