//! What the statements and claims of a way say, put together for the page.

use std::collections::BTreeSet;

use vouchsafe_proofs::encoding::Encoding;
use vouchsafe_proofs::statement::Predicate;
use vouchsafe_protocol::policy::{Need, Needed};
use vouchsafe_protocol::statement::{Op, Rule, StatementError, Term, WireStatement};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::trust::TableExtract;
use vouchsafe_protocol::types::PERIOD;
use vouchsafe_protocol::zkc;

use super::assess::{Assessor, label, pointer_of};
use super::batch::Batch;
use super::often::Often;
use super::search::Candidate;
use super::together::{About, Compared, Mark, Place, SaidTerm, Sum, Together};
use super::{Learn, Stated, Wanted, What};
use crate::words::{Language, say};

/// One way with what would answer it.
pub(super) struct Teller<'a> {
    assessor: &'a Assessor<'a>,
    parts: Vec<Told<'a>>,
}

/// One query of the way.
struct Told<'a> {
    needed: Option<&'a Needed>,
    batch: Option<&'a Batch<'a>>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(assessor: &'a Assessor<'a>, taken: &[Option<&'a Candidate<'a>>]) -> Self {
        let part = |(query, one): (&String, &Option<&'a Candidate<'a>>)| Told {
            needed: assessor.asked.needed(query),
            batch: one.map(|candidate| candidate.batch),
        };
        Self { assessor, parts: assessor.chosen.queries().iter().zip(taken).map(part).collect() }
    }

    /// What people call an attribute, by the first credential that has it.
    pub(super) fn label(&self, pointer: &str) -> Bilingual {
        let credentials = || self.parts.iter().filter_map(|part| part.batch).map(|batch| batch.credential);
        let has = credentials().find(|one| one.attributes.iter().any(|known| known.pointer == pointer));
        label(has, pointer)
    }

    /// What the query at `at` wants, by the names that this wallet knows; where it knows none, as it is asked.
    pub(super) fn wanted(&self, at: usize) -> Wanted {
        let plain = |text: &str| Bilingual { en: text.to_owned(), cy: text.to_owned() };
        let Some(needed) = self.parts.get(at).and_then(|part| part.needed) else {
            return Wanted { name: plain(""), issuers: Vec::new(), period: None };
        };
        let all = || self.assessor.credentials.iter().map(|(_, credential)| credential);
        let name = all().find(|one| one.vct == needed.vct).map(|one| one.name.clone());
        let issuer = |iss: &String| {
            let known = all().find(|one| one.iss == *iss).map(|one| one.issuer.clone());
            known.unwrap_or_else(|| plain(iss.trim_start_matches("https://")))
        };
        Wanted {
            name: name.unwrap_or_else(|| plain(needed.vct.trim_end_matches("/zk"))),
            issuers: needed.iss.iter().map(issuer).collect(),
            period: needed.period.clone(),
        }
    }

    /// What would be learnt from the credential at `at` alone.
    pub(super) fn learn(&self, at: usize) -> Result<Vec<Learn>, StatementError> {
        let Some(part) = self.parts.get(at) else { return Ok(Vec::new()) };
        let query = &self.assessor.chosen.queries()[at];
        let like = self.like(at);
        let credential = like.map(|batch| batch.credential);
        let mut all = Vec::new();
        for statement in self.statements().filter(|one| is_alone(one) && one.names(query)) {
            let pointer = statement.terms.first().ok_or(StatementError::Terms)?.pointer.clone();
            let enc = like.and_then(|batch| batch.attribute(&pointer)).map(|one| one.enc);
            let what = What::Proved(self.stated(statement, enc)?);
            all.push(Learn { label: label(credential, &pointer), pointer, what });
        }
        let asked = self.assessor.asked.plan().query.credential(query);
        for claim in asked.and_then(|asked| asked.claims.as_deref()).unwrap_or_default() {
            let pointer = pointer_of(&claim.path);
            let period = part.needed.and_then(|needed| needed.period.clone());
            let what = match period.filter(|_| pointer == format!("/{PERIOD}")) {
                Some(period) => What::Period(period),
                None => What::Shown,
            };
            all.push(Learn { label: label(credential, &pointer), pointer, what });
        }
        all.extend(self.known_as(query));
        Ok(all)
    }

    /// The name that the service would know the resident by again, from this credential.
    fn known_as(&self, query: &str) -> Option<Learn> {
        let asked = self.assessor.asked;
        let said = asked.plan().pseudonym.as_ref()?;
        let at_most = Often::of(asked).map(|often| often.at_most);
        let what = What::KnownAs { action: said.action.clone(), epoch: said.epoch.clone(), at_most };
        let [en, cy] = [Language::En, Language::Cy].map(|language| say(language, "known_as", &[]));
        let learn = Learn { pointer: zkc::LINK.to_owned(), label: Bilingual { en, cy }, what };
        (asked.known_by(self.assessor.chosen) == Some(query)).then_some(learn)
    }

    /// The credential at `at`; where it is another person's, one of this person's of the same type, for its words.
    fn like(&self, at: usize) -> Option<&'a Batch<'a>> {
        let part = self.parts.get(at)?;
        let vct = &part.needed?.vct;
        let alike = |other: &&Told<'a>| other.needed.is_some_and(|needed| needed.vct == *vct);
        part.batch.or_else(|| self.parts.iter().filter(alike).find_map(|other| other.batch))
    }

    fn statements(&self) -> impl Iterator<Item = &WireStatement> {
        self.assessor.asked.wire_statements(self.assessor.chosen)
    }

    fn stated(&self, statement: &WireStatement, enc: Option<Encoding>) -> Result<Stated, StatementError> {
        let asked = self.assessor.asked;
        let list = match &statement.rule {
            Rule::Codes { id, version, .. } => asked.tables().table(id, *version),
            _ => None,
        };
        let codes = list.and_then(TableExtract::codes);
        let names = codes.unwrap_or_default().iter().map(|row| row.name.clone()).collect();
        let spans = list.filter(|_| codes.is_none()).and_then(TableExtract::set);
        let spans = spans.map(|set| set.intervals().to_vec()).unwrap_or_default();
        let bounds = bounds(&statement.predicate(asked.tables())?);
        let (op, rule) = (statement.op, statement.rule.clone());
        Ok(Stated { op, rule, bounds, enc, as_of: asked.as_of(), names, spans })
    }

    /// What would be learnt of several values together.
    pub(super) fn together(&self) -> Result<Vec<Together>, StatementError> {
        let mut all: Vec<Together> = Vec::new();
        for statement in self.statements().filter(|one| !is_alone(one)) {
            let said = self.joint(statement)?;
            let joined = all.iter_mut().any(|known| known.takes(&said));
            if !joined {
                all.push(said);
            }
        }
        Ok(all)
    }

    fn joint(&self, statement: &WireStatement) -> Result<Together, StatementError> {
        let terms = statement.terms.iter().map(|term| self.term(term)).collect();
        if matches!(statement.op, Op::Eq | Op::Ne) {
            let equal = statement.op == Op::Eq;
            return Ok(Together::Compared(Compared { equal, about: self.about(statement), terms }));
        }
        let bounds = bounds(&statement.predicate(self.assessor.asked.tables())?);
        let first = statement.terms.first().ok_or(StatementError::Terms)?;
        let batch = self.like(self.place_of(first));
        let enc = batch.and_then(|batch| batch.attribute(&first.pointer)).map(|one| one.enc);
        Ok(Together::Sum(Sum { op: statement.op, bounds, enc, terms }))
    }

    fn place_of(&self, term: &Term) -> usize {
        let queries = self.assessor.chosen.queries();
        queries.iter().position(|query| *query == term.query).unwrap_or_default()
    }

    fn term(&self, term: &Term) -> SaidTerm {
        let at = self.place_of(term);
        let credential = self.like(at).map(|batch| batch.credential);
        let (pointer, coeff) = (term.pointer.clone(), term.coeff);
        SaidTerm { label: label(credential, &pointer), pointer, coeff, place: self.place(at) }
    }

    /// The credential at `at`, by names that tell it from the others of the way.
    pub(super) fn place(&self, at: usize) -> Place {
        let issuer = |at: usize| match self.parts.get(at).and_then(|part| part.batch) {
            Some(batch) => vec![batch.credential.issuer.clone()],
            None => self.wanted(at).issuers,
        };
        let issuers = issuer(at);
        let alike: Vec<usize> = (0..self.parts.len()).filter(|other| issuer(*other) == issuers).collect();
        let periods: Vec<&str> = alike.iter().filter_map(|other| self.period(*other)).collect();
        let told_apart = periods.iter().collect::<BTreeSet<_>>().len() == alike.len();
        let mark = match self.period(at) {
            _ if alike.len() == 1 => None,
            Some(period) if told_apart => Some(Mark::Month(period.to_owned())),
            _ => Some(Mark::Number(at + 1)),
        };
        let held = self.parts.get(at).and_then(|part| part.batch);
        let name = held.map_or_else(|| self.wanted(at).name, |batch| batch.credential.name.clone());
        Place { query: at, name, issuers: if self.parts.len() == 1 { Vec::new() } else { issuers }, mark }
    }

    fn period(&self, at: usize) -> Option<&str> {
        self.parts.get(at)?.needed?.period.as_deref()
    }

    /// What a comparison is about, by the policy: whose the credentials are, which fact they state, or some value.
    fn about(&self, statement: &WireStatement) -> About {
        let way = self.assessor.asked.policy().ways.get(self.assessor.chosen.index());
        let needs: Option<Vec<&Need>> =
            way.and_then(|way| statement.terms.iter().map(|term| way.need(&term.query)).collect());
        let Some(needs) = needs else { return About::Value };
        let at = |of: fn(&Need) -> &Option<String>| {
            needs.iter().zip(&statement.terms).all(|(need, term)| of(need).as_ref() == Some(&term.pointer))
        };
        if at(|need| &need.person_at) {
            About::Person
        } else if at(|need| &need.source_at) {
            About::Source
        } else {
            About::Value
        }
    }
}

/// Whether it is about one attribute as it is.
fn is_alone(statement: &WireStatement) -> bool {
    matches!(statement.terms.as_slice(), [term] if term.coeff == 1)
}

fn bounds(predicate: &Predicate) -> Vec<u64> {
    match predicate {
        Predicate::Le(k) | Predicate::Ge(k) | Predicate::Eq(k) | Predicate::Ne(k) => vec![*k],
        Predicate::In { lo, hi } => vec![*lo, *hi],
        Predicate::Member(_) | Predicate::NotMember(_) => Vec::new(),
    }
}
