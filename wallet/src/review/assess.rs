//! Which ways to answer this wallet has.
//!
//! Everything here stays in the wallet. A way whose answer would show the contrary of what it is for is not possible:
//! no value and no proof goes out that the resident was not told of.

use std::collections::BTreeMap;

use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::encoding::{Encoding, date_from};
use vouchsafe_proofs::statement::Statement;
use vouchsafe_protocol::dcql::PathStep;
use vouchsafe_protocol::openid4vp::request::{Question, RequestError, Verified};
use vouchsafe_protocol::openid4vp::{Asked, Chosen, MatchWords};
use vouchsafe_protocol::policy::{Crowd, Holds, Needed, PlannedOutcome, Shown, holds, is_fresh};
use vouchsafe_protocol::statement::{Op, StatementError, WireStatement};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::types::Month;

use super::batch::{Batch, Look};
use super::counted::{Counted, bounds_by_pointer};
use super::direct::{self, Wish};
use super::over::{self, Over};
use super::search::{Candidate, Pool, clashes, find, heeds, hold};
use super::told::Teller;
use super::{Ability, Facts, HeldName, Learn, Permits, Probed, ReviewError, Way, WayPart};
use crate::budget::{self, Lasting, Spend};
use crate::permissions::kept;
use crate::store::{self, Credential};
use crate::vault::Vault;
use crate::{history, list};

/// Compares a verified request with what the vault holds.
///
/// By default the freshest copies answer, and nothing that the service can do without is sent: `wish` says otherwise. With a
/// label, this wallet answers for the person of that label alone, and another's for the other people.
pub(crate) async fn assess(
    vault: &Vault,
    request: &Verified<Question>,
    now: UnixTime,
    wish: &Wish,
    person: Option<&str>,
) -> Result<Facts, ReviewError> {
    let (mut ways, mut direct) = (Vec::new(), None);
    match request.asked() {
        Question::Plain(asked) => {
            let credentials = store::credentials(vault).await?;
            direct = Some(direct::assess(vault, asked, &credentials, now, wish).await?);
        }
        Question::Policy(asked) => {
            if !wish.adding.is_empty() {
                return Err(ReviewError::Wish);
            }
            ways = self::ways(vault, asked, &request.service().sub, now, &wish.using, person).await?;
        }
    }
    let (purpose, party) = (request.purpose(), request.asked().party());
    let host = Url::parse(request.response_uri()).ok().and_then(|url| url.host_str().map(str::to_owned));
    let permits = permits(vault, request).await?;
    let mut facts = Facts {
        asked: super::fetch::asked(request),
        match_words: MatchWords::of(&party.client_id, &party.nonce).to_string(),
        host: host.unwrap_or_default(),
        env: request.service().env,
        basis: purpose.basis,
        recipients: purpose.recipients.clone(),
        other_route: purpose.other_route.clone(),
        as_of: request.asked().as_of(),
        ways,
        direct,
        permits,
        over: Vec::new(),
    };
    let history = history::all(vault).await?;
    let seen = over::Seen { request, permits: facts.permits.as_ref(), history: &history };
    facts.over = Over::all(&seen, facts.offered(), facts.direct.as_ref());
    Ok(facts)
}

/// What the answer permits besides; by which permission of this wallet, where it is one that asks again.
async fn permits(vault: &Vault, request: &Verified<Question>) -> Result<Option<Permits>, ReviewError> {
    let Question::Policy(asked) = request.asked() else { return Ok(None) };
    let permits = Permits::of(asked, request.purpose()).map_err(RequestError::TransactionData)?;
    let Some(permits) = permits else { return Ok(None) };
    let Some((row, kept)) = kept::by_entry(vault, asked).await? else { return Ok(Some(permits)) };
    kept.may_repeat(asked.as_of())?;
    Ok(Some(Permits { again: Some(row.id), ..permits }))
}

/// The ways to answer a policy, each as far as this wallet can take it, for the person of that label alone if there is one.
pub(crate) async fn ways(
    vault: &Vault,
    asked: &Asked,
    service: &str,
    now: UnixTime,
    using: &[String],
    person: Option<&str>,
) -> Result<Vec<Way>, ReviewError> {
    let credentials = store::credentials(vault).await?;
    let batches = open(vault, asked, &credentials, now).await?;
    let mut ways = Vec::new();
    for index in 0..asked.options().len() {
        let chosen = asked.option(index).ok_or(RequestError::Options)?;
        let assessor = Assessor::new(asked, &chosen, &batches, &credentials, now, using);
        ways.push(Assessor { person, ..assessor }.way(vault, service).await?);
    }
    Ok(ways)
}

/// The batches of a type and body that some query accepts.
async fn open<'a>(
    vault: &Vault,
    asked: &Asked,
    credentials: &'a [(String, Credential)],
    now: UnixTime,
) -> Result<Vec<Batch<'a>>, ReviewError> {
    let queries = || asked.options().iter().flat_map(|option| &option.queries);
    let mut batches = Vec::new();
    for (id, credential) in credentials {
        if queries().filter_map(|query| asked.needed(query)).any(|needed| is_of(needed, credential)) {
            batches.push(Batch::open(vault, id, credential, now).await?);
        }
    }
    Ok(batches)
}

fn is_of(needed: &Needed, credential: &Credential) -> bool {
    needed.vct == credential.vct && needed.iss.contains(&credential.iss)
}

/// One way, and everything that it is held against.
pub(super) struct Assessor<'a> {
    pub(super) asked: &'a Asked,
    pub(super) chosen: &'a Chosen,
    batches: &'a [Batch<'a>],
    /// All that the wallet holds, for names.
    pub(super) credentials: &'a [(String, Credential)],
    now: UnixTime,
    using: &'a [String],
    /// The person that this wallet answers for, where another's answers for the others.
    person: Option<&'a str>,
    statements: Vec<Statement>,
}

/// What would answer each query of a way, in order, and whether that is possible.
type Choice<'c> = (Vec<Option<&'c Candidate<'c>>>, Ability);

impl<'a> Assessor<'a> {
    fn new(
        asked: &'a Asked,
        chosen: &'a Chosen,
        batches: &'a [Batch<'a>],
        credentials: &'a [(String, Credential)],
        now: UnixTime,
        using: &'a [String],
    ) -> Self {
        let statements = asked.statements(chosen);
        Self { asked, chosen, batches, credentials, now, using, person: None, statements }
    }

    async fn way(&self, vault: &Vault, service: &str) -> Result<Way, ReviewError> {
        let queries = self.chosen.queries();
        let candidates: Vec<Vec<Candidate<'_>>> =
            queries.iter().map(|query| self.candidates(query)).collect();
        let (taken, mut ability) = self.choose(&candidates);
        let teller = Teller::new(self, &taken);
        let (counted, mut probed) = (self.counted(&taken).map_err(unreadable)?, Vec::new());
        for (pointer, Counted { bounds, lasting }) in &counted {
            let learnt = store::learnt(vault, service, pointer).await?.1;
            let after = learnt.after(bounds, *lasting);
            let spend = budget::judge(learnt.count(), after);
            if spend == Spend::Refuse && ability == Ability::Can {
                ability = Ability::Probing;
            }
            if spend != Spend::Fine {
                let label = teller.label(pointer);
                probed.push(Probed { pointer: pointer.clone(), label, bounds: after });
            }
        }
        let mut parts = Vec::new();
        for (at, others) in self.others(&candidates, &taken).into_iter().enumerate() {
            parts.push(self.part(at, taken[at], others, &teller).map_err(unreadable)?);
        }
        Ok(Way {
            option: self.chosen.index(),
            contrary: self.chosen.outcome() == PlannedOutcome::NotMet,
            ability,
            parts,
            together: teller.together().map_err(unreadable)?,
            probed,
            counted,
        })
    }

    fn part(
        &self,
        at: usize,
        taken: Option<&Candidate<'_>>,
        others: Vec<HeldName>,
        teller: &Teller<'_>,
    ) -> Result<WayPart, StatementError> {
        let batch = taken.map(|candidate| candidate.batch);
        let learn = teller.learn(at)?;
        let due = |batch: &Batch<'_>| list::due(batch.credential, batch.count.after_one(), self.now);
        Ok(WayPart {
            query: self.chosen.queries()[at].clone(),
            ability: taken.map_or(Ability::NoneHeld, |candidate| candidate.ability),
            wanted: teller.wanted(at),
            held: batch.map(|batch| held_name(batch.id, batch.credential)),
            stale: taken.is_some_and(|candidate| candidate.stale),
            suspended: batch.is_some_and(Batch::is_suspended),
            hidden: hidden(batch.map(|batch| batch.credential), &learn),
            learn,
            others,
            refresh: batch.and_then(due),
        })
    }

    /// The batches that a query accepts, those that a resident should rather use first.
    fn candidates(&self, query: &str) -> Vec<Candidate<'a>> {
        let Some(needed) = self.asked.needed(query) else { return Vec::new() };
        let period = |batch: &&Batch<'a>| match &needed.period {
            Some(period) => batch.period() == Some(period),
            None => true,
        };
        let accepted = self.batches.iter().filter(|batch| is_of(needed, batch.credential)).filter(period);
        let mut all: Vec<_> = accepted.map(|batch| self.judge(query, needed, batch)).collect();
        all.sort_by(|a, b| b.rank().cmp(&a.rank()));
        all
    }

    /// What a batch can do for one query, by what that query alone asks.
    fn judge(&self, query: &str, needed: &Needed, batch: &'a Batch<'a>) -> Candidate<'a> {
        let ability = match &batch.look {
            Err(ability) => *ability,
            Ok(look) if !self.names(query, look) => Ability::NoneHeld,
            Ok(_) if self.singles_out(query, batch) => Ability::SinglesOut,
            Ok(look) if self.shows(query, look) && self.holds_alone(query, batch) => Ability::Can,
            Ok(_) => Ability::NotMet,
        };
        let stale = !is_current(needed, batch.credential, self.asked);
        Candidate { batch, ability, stale }
    }

    /// Whether a name can be given from a copy, where one is asked for: of one that is linked to no secret there is none.
    fn names(&self, query: &str, look: &Look) -> bool {
        mutants::skips("wallet-nym-linked") || look.linked || self.asked.known_by(self.chosen) != Some(query)
    }

    /// Whether a list or an interval leaves too few people together, by the range that this body signed.
    fn singles_out(&self, query: &str, batch: &Batch<'_>) -> bool {
        let few = |statement: &WireStatement| {
            let [term] = statement.terms.as_slice() else { return false };
            let signed = batch.attribute(&term.pointer).filter(|_| term.query == query);
            let range = signed.and_then(|attribute| attribute.range);
            range.is_some_and(|range| Crowd::check(statement, self.asked.tables(), range).is_err())
        };
        !mutants::skips("wallet-crowd") && self.asked.wire_statements(self.chosen).any(few)
    }

    fn shows(&self, query: &str, look: &Look) -> bool {
        let asked = self.asked.plan().query.credential(query);
        asked.is_some_and(|asked| asked.disclosures(&look.copy).is_ok())
            && self.shown_values_hold(query, look)
    }

    /// Whether the values that would be shown meet their conditions: showing a value that does not would be an answer
    /// that the rule is not met, which nobody confirmed.
    fn shown_values_hold(&self, query: &str, look: &Look) -> bool {
        let asked = self.asked;
        let held = |shown: &Shown| {
            let value = look.claims.pointer(&shown.pointer);
            value.map(|value| holds(&shown.condition, asked.tables(), asked.as_of(), value))
        };
        let mut shown = asked.shown(self.chosen).iter().filter(|shown| shown.query == query);
        mutants::skips("wallet-shown-values") || shown.all(|one| matches!(held(one), Some(Ok(Holds::Yes))))
    }

    /// Whether the statements about this credential alone are true of it.
    fn holds_alone(&self, query: &str, batch: &Batch<'_>) -> bool {
        let alone = |statement: &&Statement| statement.terms.iter().all(|term| term.query == query);
        let mut statements = self.statements.iter().filter(alone);
        statements.all(|statement| statement.holds(|term| batch.known(&term.pointer)) == Some(true))
    }

    /// What answers: the first whole choice of which everything is true; else what comes closest, and why it does not.
    fn choose<'c>(&self, candidates: &'c [Vec<Candidate<'c>>]) -> Choice<'c>
    where
        'a: 'c,
    {
        let all: Vec<&Statement> = self.statements.iter().collect();
        let whole = |taken: Vec<&'c Candidate<'c>>| taken.into_iter().map(Some).collect();
        let able = self.pools(candidates, |ability| ability == Ability::Can);
        if let Some(taken) = find(&able, &all, self.using).filter(|_| self.person.is_none()) {
            return (whole(taken), Ability::Can);
        }
        // Of the right people, but what is asked of them is not true.
        let open = |ability| matches!(ability, Ability::Can | Ability::NotMet | Ability::SinglesOut);
        let pairs: Vec<&Statement> = all.iter().copied().filter(|one| is_pair(one)).collect();
        let right = find(&self.pools(candidates, open), &pairs, self.using);
        if let Some(taken) = right.filter(|_| self.person.is_none()) {
            let few = taken.iter().any(|one| one.ability == Ability::SinglesOut);
            return (whole(taken), if few { Ability::SinglesOut } else { Ability::NotMet });
        }
        match self.own_share(&able, &all) {
            Some(taken) => (taken, Ability::AnotherPerson),
            None => self.closest(candidates),
        }
    }

    fn pools<'c>(
        &self,
        candidates: &'c [Vec<Candidate<'c>>],
        wanted: impl Fn(Ability) -> bool,
    ) -> Vec<Pool<'c>>
    where
        'a: 'c,
    {
        let pool = |(query, all): (&'a String, &'c Vec<Candidate<'c>>)| Pool {
            query,
            candidates: all.iter().filter(|one| wanted(one.ability)).collect(),
        };
        self.chosen.queries().iter().zip(candidates).map(pool).collect()
    }

    /// Where the way is about several people: what one of them would give of it.
    fn own_share<'c>(&self, able: &[Pool<'c>], all: &[&Statement]) -> Option<Vec<Option<&'c Candidate<'c>>>> {
        let person = |query: &str| self.asked.needed(query).and_then(|needed| needed.person.as_deref());
        let mut people: Vec<&str> = able.iter().filter_map(|pool| person(pool.query)).collect();
        people.dedup();
        let several = people.iter().any(|one| *one != people[0]);
        let share = |label: &&str| {
            let theirs = |query: &str| person(query) == Some(*label);
            let pools = able.iter().filter(|pool| theirs(pool.query));
            let pools: Vec<Pool<'c>> =
                pools.map(|pool| Pool { query: pool.query, candidates: pool.candidates.clone() }).collect();
            let own = all.iter().copied().filter(|one| one.terms.iter().all(|term| theirs(&term.query)));
            let mut taken = find(&pools, &own.collect::<Vec<_>>(), &[])?.into_iter();
            Some(able.iter().map(|pool| if theirs(pool.query) { taken.next() } else { None }).collect())
        };
        people.retain(|label| self.person.is_none_or(|person| person == *label));
        if several { people.iter().find_map(share) } else { None }
    }

    /// The best for each query by itself, none twice, to say what is missing.
    fn closest<'c>(&self, candidates: &'c [Vec<Candidate<'c>>]) -> Choice<'c> {
        let mut taken: Vec<&Candidate<'_>> = Vec::new();
        let named = |one: &&Candidate<'_>| self.using.iter().any(|id| id == one.batch.id);
        let mut choice = Vec::new();
        for all in candidates {
            let free = || all.iter().filter(|one| !clashes(one, &taken));
            let best = free().find(named).or_else(|| free().next());
            taken.extend(best);
            choice.push(best);
        }
        if !heeds(&taken, self.using) {
            return (vec![None; candidates.len()], Ability::NoneHeld);
        }
        let ability = |one: &Option<&Candidate<'_>>| one.map_or(Ability::NoneHeld, |one| one.ability);
        let worst = choice.iter().map(ability).min_by_key(|ability| rank(*ability));
        let worst = worst.filter(|ability| *ability != Ability::Can).unwrap_or(Ability::NotMet);
        (choice, worst)
    }

    /// For each query, what could answer instead with the rest as it is.
    fn others<'c>(
        &self,
        candidates: &'c [Vec<Candidate<'c>>],
        taken: &[Option<&'c Candidate<'c>>],
    ) -> Vec<Vec<HeldName>>
    where
        'a: 'c,
    {
        let whole: Option<Vec<&Candidate<'_>>> = taken.iter().copied().collect();
        let pools = self.pools(candidates, |ability| ability == Ability::Can);
        let all: Vec<&Statement> = self.statements.iter().collect();
        let serves = |at: usize, other: &'c Candidate<'c>| match &whole {
            Some(whole) => {
                let mut rest = whole.clone();
                rest.remove(at);
                let free = rest.is_empty() || !clashes(other, &rest);
                rest.insert(at, other);
                free && hold(&pools, &rest, &all)
            }
            None => pools.len() == 1,
        };
        let of = |(at, pool): (usize, &Pool<'c>)| {
            let current = taken.get(at).copied().flatten().map(|one| one.batch.id);
            let others = pool.candidates.iter().filter(|one| Some(one.batch.id) != current);
            let others = others.filter(|one| serves(at, one));
            others.map(|one| held_name(one.batch.id, one.batch.credential)).collect()
        };
        pools.iter().enumerate().map(of).collect()
    }

    /// The questions that the answer would put on the budget.
    fn counted(&self, taken: &[Option<&Candidate<'_>>]) -> Result<BTreeMap<String, Counted>, StatementError> {
        let statements: Vec<&WireStatement> = self.asked.wire_statements(self.chosen).collect();
        let issuers = |query: &str| self.asked.needed(query).map_or(&[][..], |needed| &needed.iss);
        let bounds = bounds_by_pointer(&statements, issuers)?;
        let lasting = |pointer: &str| {
            let mut signed = taken
                .iter()
                .flatten()
                .filter_map(|one| one.batch.attribute(pointer))
                .map(|one| one.enc)
                .peekable();
            // A date of birth stays what it is; wards and sums change.
            let days = signed.peek().is_some() && signed.all(|enc| enc == Encoding::Day);
            if days { Lasting::Yes } else { Lasting::No }
        };
        let counted = |(pointer, bounds): (String, _)| {
            let lasting = lasting(&pointer);
            (pointer, Counted { bounds, lasting })
        };
        Ok(bounds.into_iter().map(counted).collect())
    }
}

/// Whether two hidden values are compared: whose a credential is, and which fact it states.
fn is_pair(statement: &Statement) -> bool {
    statement.terms.len() == 2 && [Op::Eq, Op::Ne].map(Op::as_str).contains(&statement.predicate.op())
}

/// Whether the facts are as fresh as the policy wants, and from after the period that is asked. Others may be sent: the
/// answer then is "could not tell".
fn is_current(needed: &Needed, credential: &Credential, asked: &Asked) -> bool {
    let Some(Ok(facts)) = credential.facts_as_of.as_deref().map(date_from) else { return false };
    let over = |period: &str| Month::parse(period).is_some_and(|month| month.is_over(facts));
    is_fresh(facts, asked.as_of(), needed.max_age_days) && needed.period.as_deref().is_none_or(over)
}

impl Candidate<'_> {
    /// What a resident should rather be told or use: what counts before what is suspended, fresh facts before stale ones,
    /// then the latest facts, then what ends last and came last. No two batches are alike, so the choice does not depend on how they are stored.
    fn rank(&self) -> impl Ord + use<'_> {
        let Credential { facts_as_of, expires_at, received_at, .. } = self.batch.credential;
        let counts = mutants::skips("wallet-status-suspended") || !self.batch.is_suspended();
        (rank(self.ability), counts, !self.stale, facts_as_of, expires_at, received_at, self.batch.id)
    }
}

/// From least to most: what a resident should rather be told.
pub(super) fn rank(ability: Ability) -> u8 {
    match ability {
        Ability::NoneHeld => 0,
        Ability::TooOld => 1,
        Ability::NoneLeft => 2,
        Ability::Revoked => 3,
        Ability::SinglesOut => 4,
        Ability::NotMet => 5,
        Ability::AnotherPerson => 6,
        Ability::Probing => 7,
        Ability::Can => 8,
    }
}

/// A statement that nobody can be told of is not answered.
fn unreadable(_: StatementError) -> ReviewError {
    RequestError::Statements.into()
}

pub(super) fn pointer_of(path: &[PathStep]) -> String {
    let step = |step: &PathStep| match step {
        PathStep::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        PathStep::Index(index) => format!("/{index}"),
        PathStep::Every => "/*".to_owned(),
    };
    path.iter().map(step).collect()
}

/// What the issuing body calls an attribute; its bare name where no credential says.
pub(super) fn label(credential: Option<&Credential>, pointer: &str) -> Bilingual {
    let known =
        credential.into_iter().flat_map(|c| &c.attributes).find(|attribute| attribute.pointer == pointer);
    known.map_or_else(|| store::bare_label(pointer), |attribute| attribute.label.clone())
}

/// What the credential holds and would not show.
pub(super) fn hidden(credential: Option<&Credential>, learn: &[Learn]) -> Vec<Bilingual> {
    let shown = |pointer: &str| learn.iter().any(|one| one.tells_all() && one.pointer == pointer);
    let attributes = credential.into_iter().flat_map(|c| &c.attributes);
    attributes
        .filter(|attribute| !shown(&attribute.pointer))
        .map(|attribute| attribute.label.clone())
        .collect()
}

pub(super) fn held_name(id: &str, credential: &Credential) -> HeldName {
    HeldName { id: id.to_owned(), name: credential.name.clone(), issuer: credential.issuer.clone() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#[path = "assess_tests.rs"]
mod tests;
