//! Alternatives that join credentials: what each needs, whom it is about, and what must be proved of people.
//!
//! A policy that joins credentials says of each whose it is, or it does not load: two people could pool what each of
//! them has. A sum that must not pass a bound names every issuer once for each person, over one month that has ended:
//! what is left out would make it hold (`specs/profiles/policy.md`, "Ways").

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::condition::{Condition, PolicyTerm, Test, check_pointer};
use super::{Body, MAX_PARTS, PolicyError, Subject};
use crate::statement::is_id;
use crate::types::is_proof;

/// The most needs of a way.
const MAX_NEEDS: usize = 16;

/// How many months back a period may lie.
const MAX_BACK: u32 = 36;

/// One alternative. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Its id.
    pub id: String,
    /// The credentials that it takes, all of them.
    pub needs: Vec<Need>,
    /// What must hold of them, all of it.
    pub conditions: Vec<Condition>,
}

/// A credential that a way takes. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Its id, which is that of its query.
    pub id: String,
    /// The `vct`; one that ends in `/zk` is answered by proof.
    pub vct: String,
    /// The issuers that count.
    pub iss: Vec<String>,
    /// The greatest age of the facts, in days.
    pub max_age_days: u32,
    /// Whose it is: needs of one label are of one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The hidden attribute that says whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_at: Option<String>,
    /// The hidden attribute that says which fact it is, so that one is not counted twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_at: Option<String>,
    /// The period that it must be about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

/// A period, as seen from the day of asking. Closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Period {
    /// A whole calendar month.
    Month {
        /// How many months before that of the day of asking.
        back: u32,
    },
}

impl Period {
    /// The period as a credential names it: `YYYY-MM`.
    #[must_use]
    pub fn text(self, as_of: Date) -> Option<String> {
        let Self::Month { back } = self;
        let day = as_of.first_of_month().checked_sub(i64::from(back).months()).ok()?;
        Some(format!("{:04}-{:02}", day.year(), day.month()))
    }
}

/// An attribute of a need.
type Place = (String, String);

impl Way {
    /// The need of that id.
    #[must_use]
    pub fn need(&self, id: &str) -> Option<&Need> {
        self.needs.iter().find(|need| need.id == id)
    }

    /// The people that it is about, in the order of their first needs, each with its needs.
    #[must_use]
    pub fn people(&self) -> Vec<(&str, Vec<&Need>)> {
        let mut all: Vec<(&str, Vec<&Need>)> = Vec::new();
        for need in &self.needs {
            let Some(person) = need.person.as_deref() else { continue };
            match all.iter_mut().find(|(label, _)| *label == person) {
                Some((_, needs)) => needs.push(need),
                None => all.push((person, vec![need])),
            }
        }
        all
    }

    /// Needs that must be of one person: each with the next of its label.
    #[must_use]
    pub fn same_people(&self) -> Vec<(&Need, &Need)> {
        let mut all = Vec::new();
        for (_, needs) in self.people() {
            all.extend(needs.windows(2).map(|pair| (pair[0], pair[1])));
        }
        all
    }

    /// Needs that must be of different people: the first of each label with the first of every later one.
    #[must_use]
    pub fn other_people(&self) -> Vec<(&Need, &Need)> {
        let firsts: Vec<_> =
            self.people().into_iter().filter_map(|(_, needs)| needs.first().copied()).collect();
        pairs(&firsts, |_, _| true)
    }

    /// The pairs of needs that one fact could fill twice: of one person and one type, with an issuer in common.
    #[must_use]
    pub fn twins(&self) -> Vec<(&Need, &Need)> {
        let all: Vec<_> = self.needs.iter().collect();
        pairs(&all, |a, b| {
            a.person == b.person && a.vct == b.vct && a.iss.iter().any(|iss| b.iss.contains(iss))
        })
    }

    /// The needs that a condition is about, each once, in order of the needs.
    fn needs_of(&self, condition: &Condition) -> Vec<&Need> {
        let named = |need: &&Need| condition.terms.iter().any(|term| term.need == need.id);
        self.needs.iter().filter(named).collect()
    }

    /// The attributes by which a household is linked: `eq` conditions that lead from one person's need to everybody
    /// else's. Empty where there are none.
    #[must_use]
    pub fn household(&self) -> BTreeSet<Place> {
        let place = |term: &PolicyTerm| (term.need.clone(), term.pointer.clone());
        let links: Vec<(Place, Place)> = self
            .conditions
            .iter()
            .filter(|one| one.op == Test::Eq && one.is_pair() && !one.terms.iter().any(|t| self.is_own(t)))
            .map(|one| (place(&one.terms[0]), place(&one.terms[1])))
            .collect();
        let people: BTreeSet<_> = self.people().into_iter().map(|(label, _)| label).collect();
        let person = |(need, _): &Place| self.need(need).and_then(|need| need.person.as_deref());
        let mut linked = links.iter().map(|(start, _)| reached(start, &links));
        linked
            .find(|all| all.iter().filter_map(person).collect::<BTreeSet<_>>() == people)
            .unwrap_or_default()
    }

    /// Whether a term is what says whose a need is, or which fact.
    fn is_own(&self, term: &PolicyTerm) -> bool {
        let pointer = Some(&term.pointer);
        self.need(&term.need)
            .is_some_and(|need| need.person_at.as_ref() == pointer || need.source_at.as_ref() == pointer)
    }

    /// The condition that says how many adults the household has.
    #[must_use]
    pub fn adults(&self) -> Option<&Condition> {
        let household = self.household();
        let count = self.people().len().to_string();
        let of_household = |term: &PolicyTerm| household.iter().any(|(need, _)| *need == term.need);
        self.conditions.iter().find(|one| {
            one.op == Test::Eq
                && matches!(one.terms.as_slice(), [term] if of_household(term))
                && one.k.as_deref() == Some(count.as_str())
        })
    }

    fn check(&self, subject: Subject) -> Result<(), PolicyError> {
        let at = |why| PolicyError::Way { id: self.id.clone(), why };
        self.check_form().map_err(at)?;
        self.check_people(subject).map_err(at)?;
        for (i, condition) in self.conditions.iter().enumerate() {
            let twice = self.conditions[..i].iter().any(|other| other.id == condition.id);
            let why = if twice && !mutants::skips("vp-condition-twice") {
                Err("its id is used twice")
            } else {
                self.check_condition(condition)
            };
            why.map_err(|why| PolicyError::Condition { id: condition.id.clone(), why })?;
        }
        self.check_sources().map_err(at)
    }

    fn check_form(&self) -> Result<(), &'static str> {
        let short = self.id.len() <= 24 && is_id(&self.id);
        if !(mutants::skips("vp-way-id") || short) {
            return Err("its id must be 1 to 24 letters, digits, '-' and '_'");
        }
        if !(1..=MAX_NEEDS).contains(&self.needs.len()) {
            return Err("it needs one to sixteen needs");
        }
        let sized = (1..=MAX_PARTS).contains(&self.conditions.len());
        if !(mutants::skips("vp-way-conditions") || sized) {
            return Err("it needs one to eight conditions");
        }
        self.needs.iter().try_for_each(Need::check)?;
        let proofs = self.needs.iter().all(|need| is_proof(&need.vct));
        if !(mutants::skips("vp-way-plain") || self.needs.len() == 1 || proofs) {
            return Err(
                "it joins credentials, which only proof types can: what is shown says nothing of whose it is",
            );
        }
        Ok(())
    }

    fn check_condition(&self, condition: &Condition) -> Result<(), &'static str> {
        condition.check_terms()?;
        if condition.terms.iter().any(|term| self.need(&term.need).is_none()) {
            return Err("a term names a need that the way does not have");
        }
        let needs = self.needs_of(condition);
        let single = condition.terms.len() == 1 && condition.terms[0].coeff == 1;
        if !(mutants::skips("vp-way-plain-sum") || single || needs.iter().all(|need| is_proof(&need.vct))) {
            return Err("sums and comparisons of two values are proved, and this need is of a plain type");
        }
        if condition.wants_all() { self.check_complete(&needs) } else { Ok(()) }
    }

    /// A sum that must not pass a bound: everybody's, of every issuer once, over one period that has ended.
    fn check_complete(&self, needs: &[&Need]) -> Result<(), &'static str> {
        if !(mutants::skips("vp-way-issuer") || needs.iter().all(|need| need.iss.len() == 1)) {
            return Err("a sum with an upper bound takes each need from exactly one issuer");
        }
        let period = needs.first().and_then(|need| need.period);
        let one = period.is_some() && needs.iter().all(|need| need.period == period);
        if !(mutants::skips("vp-way-period") || one) {
            return Err("a sum with an upper bound takes every need over one and the same period");
        }
        let of = |person: Option<&str>| {
            let theirs = needs.iter().filter(|need| need.person.as_deref() == person);
            theirs.flat_map(|need| &need.iss).collect::<Vec<_>>()
        };
        let people: BTreeSet<_> = self.needs.iter().map(|need| need.person.as_deref()).collect();
        let once = people.iter().all(|person| distinct(&of(*person)));
        if !(mutants::skips("vp-way-issuer-twice") || once) {
            return Err("a sum with an upper bound takes one total of each issuer and person, and no second");
        }
        let sets: BTreeSet<BTreeSet<_>> =
            people.iter().map(|person| of(*person).into_iter().collect()).collect();
        if !(mutants::skips("vp-way-everybody") || sets.len() == 1) {
            return Err(
                "a sum with an upper bound takes the same issuers for everybody whom the way is about",
            );
        }
        Ok(())
    }

    /// Who must be shown to be one person, and who another (E1).
    fn check_people(&self, subject: Subject) -> Result<(), &'static str> {
        let known = |need: &Need| need.person.is_some() && need.person_at.is_some();
        if !(mutants::skips("vp-way-person") || self.needs.len() == 1 || self.needs.iter().all(known)) {
            return Err(
                "it joins credentials and does not say of each whose it is: give person and person_at, or two people could pool what they have",
            );
        }
        let people = self.people().len();
        match subject {
            Subject::SamePerson if mutants::skips("vp-way-same-person") || people <= 1 => Ok(()),
            Subject::SamePerson => Err("it is about several people, and the subject is same_person"),
            Subject::SameHousehold => self.check_household(people),
        }
    }

    fn check_household(&self, people: usize) -> Result<(), &'static str> {
        if !(mutants::skips("vp-way-household-people") || people >= 2) {
            return Err("the subject is same_household, and it is about one person");
        }
        if !mutants::skips("vp-way-household") && self.household().is_empty() {
            return Err(
                "nothing links the people to one household: write eq conditions between a household attribute of each",
            );
        }
        if !(mutants::skips("vp-way-adults") || self.adults().is_some()) {
            return Err(
                "nothing says that the household has no other adult: write an eq condition on its number of adults, with k the number of people",
            );
        }
        Ok(())
    }

    fn check_sources(&self) -> Result<(), &'static str> {
        let told = |(a, b): &(&Need, &Need)| a.source_at.is_some() && b.source_at.is_some();
        if !(mutants::skips("vp-way-source") || self.twins().iter().all(told)) {
            return Err(
                "two needs of one person and one type have an issuer in common, and one fact could fill both: give source_at for both",
            );
        }
        Ok(())
    }
}

/// Every pair, the earlier first, that `wanted` holds of.
fn pairs<'n>(needs: &[&'n Need], wanted: impl Fn(&Need, &Need) -> bool) -> Vec<(&'n Need, &'n Need)> {
    let later = |(i, a): (usize, &&'n Need)| {
        let a = *a;
        needs[i + 1..].iter().filter(|b| wanted(a, b)).map(|b| (a, *b)).collect::<Vec<_>>()
    };
    needs.iter().enumerate().flat_map(later).collect()
}

fn distinct(all: &[&String]) -> bool {
    all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

/// Every place that the links lead to from `start`.
fn reached(start: &Place, links: &[(Place, Place)]) -> BTreeSet<Place> {
    let mut all = BTreeSet::from([start.clone()]);
    loop {
        let step = |(a, b): &(Place, Place)| match (all.contains(a), all.contains(b)) {
            (true, false) => Some(b.clone()),
            (false, true) => Some(a.clone()),
            _ => None,
        };
        let more: Vec<_> = links.iter().filter_map(step).collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

impl Need {
    fn check(&self) -> Result<(), &'static str> {
        if !(mutants::skips("vp-way-need-name") || is_name(&self.id)) {
            return Err("the id of a need is 1 to 16 letters and digits");
        }
        let sourced = !self.vct.is_empty() && !self.iss.is_empty();
        if !(mutants::skips("vp-way-need-issuers") || sourced) {
            return Err("every need has a vct and at least one issuer");
        }
        let once = distinct(&self.iss.iter().collect::<Vec<_>>());
        if !(mutants::skips("vp-way-need-issuer-twice") || once) {
            return Err("a need names an issuer twice");
        }
        let mut pointers = [&self.person_at, &self.source_at].into_iter().flatten();
        pointers.try_for_each(|pointer| check_pointer(pointer))?;
        let both = self.person.is_some() == self.person_at.is_some();
        if !(mutants::skips("vp-way-person-both") || both) {
            return Err("person and person_at go together");
        }
        let named = self.person.as_deref().is_none_or(is_name);
        if !(mutants::skips("vp-way-person-name") || named) {
            return Err("person is a label of 1 to 16 letters and digits");
        }
        let ended = self.period.is_none_or(|Period::Month { back }| (1..=MAX_BACK).contains(&back));
        // The month of the day of asking has not ended: its total is not known.
        if !(mutants::skips("vp-way-period-ended") || ended) {
            return Err("a period is a month that has ended: back is 1 to 36");
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric())
}

/// The ways of a policy.
pub(super) fn check(body: &Body) -> Result<(), PolicyError> {
    if !(mutants::skips("vp-way-count") || body.ways.len() <= MAX_PARTS) {
        return Err(PolicyError::Unusable("it has more than eight ways"));
    }
    let (mut ways, mut needs) = (BTreeSet::new(), BTreeSet::new());
    for way in &body.ways {
        let fresh = ways.insert(&way.id);
        if !(mutants::skips("vp-way-id-twice") || fresh) {
            return Err(PolicyError::Way { id: way.id.clone(), why: "its id is used twice" });
        }
        way.check(body.subject)?;
        let fresh = way.needs.iter().all(|need| needs.insert(&need.id));
        if !(mutants::skips("vp-way-need-id") || fresh) {
            return Err(PolicyError::Way { id: way.id.clone(), why: "the id of a need is used twice" });
        }
    }
    Ok(())
}
