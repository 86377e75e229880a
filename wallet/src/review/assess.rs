//! Which ways to answer this wallet has.
//!
//! Everything here stays in the wallet. A way whose answer would show the contrary of what it is for is not possible:
//! no value and no proof goes out that the resident was not told of.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::encoding::{Encoding, date_from};
use vouchsafe_proofs::statement::Predicate;
use vouchsafe_protocol::dcql::{CredentialQuery, PathStep};
use vouchsafe_protocol::openid4vp::request::{Question, RequestError, Verified};
use vouchsafe_protocol::openid4vp::{Asked, Chosen, MatchWords};
use vouchsafe_protocol::policy::{Holds, Needed, PlannedOutcome, Shown, holds, is_fresh};
use vouchsafe_protocol::sd_jwt;
use vouchsafe_protocol::statement::{Op, Rule, StatementError, WireStatement};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::Tables;

use super::direct::{self, Wish};
use super::{Ability, Facts, HeldName, Learn, Probed, ReviewError, Stated, Way, What};
use crate::budget::{self, Bound, Lasting, Spend};
use crate::list;
use crate::store::{self, Credential, Held};
use crate::vault::{Vault, VaultError};

/// Compares a verified request with what the vault holds.
///
/// By default the freshest copy answers, and nothing that the service can do without is sent: `wish` says otherwise.
pub(crate) async fn assess(
    vault: &Vault,
    request: &Verified<Question>,
    now: UnixTime,
    wish: &Wish,
) -> Result<Facts, ReviewError> {
    let credentials = store::credentials(vault).await?;
    let (mut ways, mut direct) = (Vec::new(), None);
    match request.asked() {
        Question::Plain(asked) => {
            direct = Some(direct::assess(vault, asked, &credentials, now, wish).await?);
        }
        Question::Policy(asked) => {
            if !wish.adding.is_empty() {
                return Err(ReviewError::Wish);
            }
            for index in 0..asked.options().len() {
                // Options of this profile have one query each; the index is one of the options.
                let chosen = asked.option(index).ok_or(RequestError::Options)?;
                let service = &request.service().sub;
                let assessor = Assessor { vault, asked, service, now, using: &wish.using, chosen };
                ways.push(assessor.way(&credentials).await?);
            }
        }
    }
    let (purpose, party) = (request.purpose(), request.asked().party());
    let host = Url::parse(request.response_uri()).ok().and_then(|url| url.host_str().map(str::to_owned));
    Ok(Facts {
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
    })
}

struct Assessor<'a> {
    vault: &'a Vault,
    asked: &'a Asked,
    service: &'a str,
    now: UnixTime,
    using: &'a [String],
    chosen: Chosen,
}

/// A batch that could answer, with one of its copies opened to look.
struct Candidate<'a> {
    id: &'a str,
    credential: &'a Credential,
    ability: Ability,
    stale: bool,
    suspended: bool,
    encodings: BTreeMap<String, Encoding>,
}

impl<'a> Assessor<'a> {
    async fn way(&self, credentials: &'a [(String, Credential)]) -> Result<Way, ReviewError> {
        let (best, others) = self.best(credentials).await?;
        let refresh = match &best {
            Some(candidate) => {
                let left = store::count(self.vault, candidate.id).await?.after_one();
                list::due(candidate.credential, left, self.now)
            }
            None => None,
        };
        let learn = self.learn(best.as_ref()).map_err(unreadable)?;
        let mut ability = best.as_ref().map_or(Ability::NoneHeld, |candidate| candidate.ability);
        let mut probed = Vec::new();
        for (pointer, bounds) in bounds_by_pointer(&self.statements()).map_err(unreadable)? {
            let enc = best.as_ref().and_then(|candidate| candidate.encodings.get(pointer).copied());
            let learnt = store::learnt(self.vault, self.service, pointer).await?.1;
            let after = learnt.after(&bounds, lasting(enc));
            let spend = budget::judge(learnt.count(), after);
            if spend == Spend::Refuse && ability == Ability::Can {
                ability = Ability::Probing;
            }
            if spend != Spend::Fine {
                let label = label(best.as_ref().map(|candidate| candidate.credential), pointer);
                probed.push(Probed { pointer: pointer.to_owned(), label, bounds: after });
            }
        }
        Ok(Way {
            option: self.chosen.index(),
            contrary: self.chosen.outcome() == PlannedOutcome::NotMet,
            ability,
            stale: best.as_ref().is_some_and(|candidate| candidate.stale),
            suspended: best.as_ref().is_some_and(|candidate| candidate.suspended),
            hidden: hidden(best.as_ref().map(|candidate| candidate.credential), &learn),
            learn,
            held: best.map(|candidate| held_name(candidate.id, candidate.credential)),
            others,
            refresh,
            probed,
        })
    }

    /// The batch that the resident named, else the freshest that can answer, else the one that comes closest, to say
    /// why not; and the others that could answer.
    async fn best(
        &self,
        credentials: &'a [(String, Credential)],
    ) -> Result<(Option<Candidate<'a>>, Vec<HeldName>), VaultError> {
        let mut all = Vec::new();
        for (id, credential) in credentials.iter().filter(|(_, credential)| self.accepts(credential)) {
            all.push(self.judge(id, credential).await?);
        }
        all.sort_by(|a, b| b.rank().cmp(&a.rank()));
        let named = |candidate: &Candidate<'_>| {
            mutants::skips("wallet-use")
                || self.using.is_empty()
                || self.using.iter().any(|wanted| wanted == candidate.id)
        };
        let best = all.iter().position(named).map(|at| all.remove(at));
        let others = all.iter().filter(|candidate| candidate.ability == Ability::Can);
        let others = others.map(|candidate| held_name(candidate.id, candidate.credential)).collect();
        Ok((best, others))
    }

    async fn judge(&self, id: &'a str, credential: &'a Credential) -> Result<Candidate<'a>, VaultError> {
        let stale = !self.is_fresh(credential);
        let mut candidate = Candidate {
            id,
            credential,
            ability: Ability::TooOld,
            stale,
            suspended: false,
            encodings: BTreeMap::new(),
        };
        if !(mutants::skips("wallet-credential-ended") || self.now.0 < credential.expires_at) {
            return Ok(candidate);
        }
        let Some(held) = store::peek(self.vault, id).await? else {
            let revoked = store::count(self.vault, id).await?.revoked > 0;
            candidate.ability = if revoked { Ability::Revoked } else { Ability::NoneLeft };
            return Ok(candidate);
        };
        candidate.suspended = held.suspended;
        let parsed = sd_jwt::Held::dangerous_from_store(&held.sd_jwt).map_err(|_| VaultError::Damaged)?;
        let claims = Value::Object(parsed.claims().clone());
        candidate.encodings = encodings(&claims);
        let shows = self.query().is_some_and(|query| query.disclosures(&parsed).is_ok());
        let holds = self.proofs_hold(&held) && self.shown_values_hold(&claims);
        candidate.ability = if shows && holds { Ability::Can } else { Ability::NotMet };
        Ok(candidate)
    }

    fn query(&self) -> Option<&CredentialQuery> {
        let [id] = self.chosen.queries() else { return None };
        self.asked.plan().query.credential(id)
    }

    fn statements(&self) -> Vec<&WireStatement> {
        self.asked.wire_statements(&self.chosen).collect()
    }

    /// What the policy wants of the credential.
    fn needed(&self) -> Option<&Needed> {
        self.asked.needed(&self.query()?.id)
    }

    fn accepts(&self, credential: &Credential) -> bool {
        self.needed().is_some_and(|entry| entry.vct == credential.vct && entry.iss.contains(&credential.iss))
    }

    /// Whether the facts are as fresh as the policy wants. Stale ones may be sent: the answer then is "could not tell".
    fn is_fresh(&self, credential: &Credential) -> bool {
        let as_of = self.asked.as_of();
        let max_age = self.needed().map_or(0, |entry| entry.max_age_days);
        let facts = credential.facts_as_of.as_deref().map(date_from);
        match facts {
            Some(Ok(date)) => is_fresh(date, as_of, max_age),
            Some(Err(_)) | None => false,
        }
    }

    /// Whether every statement of the way is true of this copy.
    fn proofs_hold(&self, held: &Held) -> bool {
        self.statements().iter().all(|statement| {
            let value = statement.terms.first().and_then(|term| held.encoded(&term.pointer));
            match (statement.predicate(self.asked.tables()), value) {
                (Ok(predicate), Some(value)) if statement.terms.len() == 1 && is_bound(statement.op) => {
                    predicate.holds(value)
                }
                _ => false,
            }
        })
    }

    /// Whether the values that would be shown meet their conditions: showing a value that does not would be an answer
    /// that the rule is not met, which nobody confirmed.
    fn shown_values_hold(&self, claims: &Value) -> bool {
        let asked = self.asked;
        let held = |shown: &Shown| {
            let value = claims.pointer(&shown.pointer);
            value.map(|value| holds(&shown.condition, asked.tables(), asked.as_of(), value))
        };
        let met = asked.shown(&self.chosen).iter().all(|shown| matches!(held(shown), Some(Ok(Holds::Yes))));
        mutants::skips("wallet-shown-values") || met
    }

    /// The pointers of the claims that would be shown.
    fn shown(&self) -> Vec<String> {
        let claims = self.query().and_then(|query| query.claims.as_deref()).unwrap_or_default();
        claims.iter().map(|claim| pointer_of(&claim.path)).collect()
    }

    fn learn(&self, best: Option<&Candidate<'_>>) -> Result<Vec<Learn>, StatementError> {
        let credential = best.map(|candidate| candidate.credential);
        let mut all = Vec::new();
        for statement in self.statements() {
            let pointer = statement.terms.first().ok_or(StatementError::Terms)?.pointer.clone();
            let enc = best.and_then(|candidate| candidate.encodings.get(&pointer).copied());
            let what = What::Proved(self.stated(statement, enc)?);
            all.push(Learn { label: label(credential, &pointer), pointer, what });
        }
        all.extend(self.shown().into_iter().map(|pointer| Learn {
            label: label(credential, &pointer),
            pointer,
            what: What::Shown,
        }));
        Ok(all)
    }

    fn stated(&self, statement: &WireStatement, enc: Option<Encoding>) -> Result<Stated, StatementError> {
        let asked = self.asked;
        let names = match &statement.rule {
            Rule::Codes { id, version, .. } => {
                let rows =
                    asked.tables().table(id, *version).and_then(|table| table.codes()).unwrap_or_default();
                rows.iter().map(|row| row.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let bounds = match statement.predicate(asked.tables())? {
            Predicate::Le(k) | Predicate::Ge(k) | Predicate::Eq(k) | Predicate::Ne(k) => vec![k],
            Predicate::In { lo, hi } => vec![lo, hi],
            Predicate::Member(_) | Predicate::NotMember(_) => Vec::new(),
        };
        let (op, rule) = (statement.op, statement.rule.clone());
        Ok(Stated { op, rule, bounds, enc, as_of: asked.as_of(), names })
    }
}

impl Candidate<'_> {
    /// What a resident should rather be told or use: what counts before what is suspended, fresh facts before stale ones,
    /// then the latest facts, then what ends last and came last. No two batches are alike, so the choice does not depend on how they are stored.
    fn rank(&self) -> impl Ord + use<'_> {
        let Credential { facts_as_of, expires_at, received_at, .. } = self.credential;
        let counts = mutants::skips("wallet-status-suspended") || !self.suspended;
        (rank(self.ability), counts, !self.stale, facts_as_of, expires_at, received_at, self.id)
    }
}

/// From least to most: what a resident should rather be told.
pub(super) fn rank(ability: Ability) -> u8 {
    match ability {
        Ability::NoneHeld => 0,
        Ability::TooOld => 1,
        Ability::NoneLeft => 2,
        Ability::Revoked => 3,
        Ability::NotMet => 4,
        Ability::Probing => 5,
        Ability::Can => 6,
    }
}

/// A statement that nobody can be told of is not answered.
fn unreadable(_: StatementError) -> ReviewError {
    RequestError::Statements.into()
}

/// Whether it is one of the statements that this wallet answers.
fn is_bound(op: Op) -> bool {
    matches!(op, Op::Le | Op::Ge | Op::In)
}

/// The bounds of each attribute that the statements name.
///
/// # Errors
/// [`StatementError`] of the first that cannot be read: one passed over would be one that nobody counts.
pub(crate) fn bounds_by_pointer<'s>(
    statements: &[&'s WireStatement],
) -> Result<BTreeMap<&'s str, Vec<Bound>>, StatementError> {
    let mut all: BTreeMap<&str, Vec<Bound>> = BTreeMap::new();
    for statement in statements {
        let term = statement.terms.first().ok_or(StatementError::Terms)?;
        let bounds = all.entry(term.pointer.as_str()).or_default();
        if !is_bound(statement.op) {
            continue;
        }
        match statement.predicate(&Tables::default())? {
            Predicate::Le(k) => bounds.push(Bound::Most(k)),
            Predicate::Ge(k) => bounds.push(Bound::Least(k)),
            Predicate::In { lo, hi } => bounds.extend([Bound::Least(lo), Bound::Most(hi)]),
            _ => {}
        }
    }
    Ok(all)
}

/// A date of birth stays what it is; wards and sums change.
pub(crate) fn lasting(enc: Option<Encoding>) -> Lasting {
    if enc == Some(Encoding::Day) { Lasting::Yes } else { Lasting::No }
}

/// The encodings that the issuer signed, by pointer.
pub(crate) fn encodings(claims: &Value) -> BTreeMap<String, Encoding> {
    let zkc = claims.get("zkc").and_then(Value::as_object);
    let enc = |(pointer, signed): (&String, &Value)| {
        let enc = serde_json::from_value(signed.get("enc")?.clone()).ok()?;
        Some((pointer.clone(), enc))
    };
    zkc.into_iter().flatten().filter_map(enc).collect()
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
    let shown = |pointer: &str| learn.iter().any(|one| one.what == What::Shown && one.pointer == pointer);
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
mod tests {
    use serde_json::json;

    use super::*;

    /// Reading a policy refuses these; should one come through, nobody answers what nobody was told of.
    #[test]
    fn a_statement_that_cannot_be_read_is_not_passed_over() {
        let statement = |change: fn(&mut WireStatement)| {
            let term = json!({"query": "q0", "pointer": "/income", "coeff": 1});
            let statement =
                json!({"id": "low", "op": "le", "k": "740000", "terms": [term], "rule": {"kind": "fixed"}});
            let mut statement: WireStatement = serde_json::from_value(statement).unwrap();
            change(&mut statement);
            statement
        };
        let good = statement(|_| ());
        let bounds =
            |other: &WireStatement| bounds_by_pointer(&[&good, other]).map(|all| all["/income"].len());
        assert_eq!(bounds(&good), Ok(2));
        assert_eq!(bounds(&statement(|s| s.terms.clear())), Err(StatementError::Terms));
        assert_eq!(bounds(&statement(|s| s.k = None)), Err(StatementError::Bounds));
        assert!(matches!(unreadable(StatementError::Terms), ReviewError::Refused(RequestError::Statements)));
    }
}
