//! A request without a policy: what would be sent, part by part.
//!
//! Such a request comes from other people's software and asks in DCQL alone. What the service needs is answered whole or
//! not at all; what it can do without is told and left out until the resident adds it; of several credentials that could
//! answer the resident says which.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::dcql::{
    Candidate, CannotAnswer, CredentialQuery, CredentialSet, Presentation, Query, Selection, Wishes, choose,
};
use vouchsafe_protocol::openid4vp::request::PlainAsked;
use vouchsafe_protocol::sd_jwt::{self, Path, Step};
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::time::UnixTime;

use super::assess::{held_name, hidden, label, pointer_of, rank};
use super::{Ability, HeldName, Learn, ReviewError, What};
use crate::list::{self, Refresh};
use crate::store::{self, Credential};
use crate::vault::{Vault, VaultError};

/// Members that say nothing about a resident: who signed, what it is, when it ends, whose key it has.
const OF_THE_COPY: [&str; 12] = [
    "iss",
    "vct",
    "vct#integrity",
    "iat",
    "nbf",
    "exp",
    "cnf",
    "status",
    "zkc",
    "facts_as_of",
    "_sd_alg",
    "jti",
];

/// What the resident wants otherwise than by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The credentials that shall answer, by their ids in [`Wallet::list`](crate::Wallet::list); by default the freshest.
    pub using: Vec<String>,
    /// The parts that the service can do without and that shall be sent as well, by their numbers in the review.
    pub adding: Vec<usize>,
}

/// What would be sent to a service that asks without a policy.
#[derive(Clone, Debug, Serialize)]
pub struct Direct {
    /// Whether this wallet can answer.
    pub ability: Ability,
    /// What would be sent, and what could be added to it; of a request that cannot be answered, what it needs.
    pub parts: Vec<DirectPart>,
    /// Other credentials, if the resident names one.
    pub others: Vec<Alternative>,
}

/// One credential that answers one query.
#[derive(Clone, Debug, Serialize)]
pub struct DirectPart {
    /// The id of the query.
    pub query: String,
    /// The number by which it is added, where the service can do without it.
    pub optional: Option<usize>,
    /// Whether it would be sent.
    pub sent: bool,
    /// The credential; none where this wallet has none that answers.
    pub held: Option<HeldName>,
    /// Whether the credential did not count when its status was last looked up.
    pub suspended: bool,
    /// What the service would learn.
    pub learn: Vec<Learn>,
    /// Names of what the credential holds and the service would not learn.
    pub hidden: Vec<Bilingual>,
    /// Why to collect a new batch soon, after this answer.
    pub refresh: Option<Refresh>,
}

/// Another credential that could answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alternative {
    /// Which.
    #[serde(flatten)]
    pub held: HeldName,
    /// Whether it could be sent beside the one that is: the service takes several.
    pub beside: bool,
}

impl Direct {
    /// The parts that would be sent.
    pub fn sent(&self) -> impl Iterator<Item = &DirectPart> {
        self.parts.iter().filter(|part| part.sent)
    }
}

/// A batch with one of its copies opened to look.
struct Pocket<'a> {
    id: &'a str,
    credential: &'a Credential,
    held: sd_jwt::Held,
    suspended: bool,
    refresh: Option<Refresh>,
}

impl<'a> Pocket<'a> {
    /// Why a batch cannot answer anything, or what it holds.
    async fn open(
        vault: &Vault,
        id: &'a str,
        credential: &'a Credential,
        now: UnixTime,
    ) -> Result<Result<Self, Ability>, VaultError> {
        if !(mutants::skips("wallet-credential-ended") || now.0 < credential.expires_at) {
            return Ok(Err(Ability::TooOld));
        }
        let count = store::count(vault, id).await?;
        let Some(copy) = store::peek(vault, id).await? else {
            return Ok(Err(if count.revoked > 0 { Ability::Revoked } else { Ability::NoneLeft }));
        };
        let held = sd_jwt::Held::dangerous_from_store(&copy.sd_jwt).map_err(|_| VaultError::Damaged)?;
        let refresh = list::due(credential, count.after_one(), now);
        Ok(Ok(Self { id, credential, held, suspended: copy.suspended, refresh }))
    }

    /// The order of preference, as for requests by a policy: what counts first, then the freshest.
    fn rank(&self) -> impl Ord + use<'a> {
        let Credential { facts_as_of, expires_at, received_at, .. } = self.credential;
        (!self.suspended, facts_as_of, expires_at, received_at, self.id)
    }

    fn answers(&self, query: &CredentialQuery) -> bool {
        query.disclosures(&self.held).is_ok()
    }

    fn name(&self) -> HeldName {
        held_name(self.id, self.credential)
    }

    fn part(&self, query: &CredentialQuery, optional: Option<usize>, sent: bool) -> DirectPart {
        let selected = query.select(&(&self.held).into()).unwrap_or_default();
        let pointers: BTreeSet<String> =
            selected.iter().map(|place| pointer(place)).chain(always_shown(&self.held)).collect();
        let learn = |pointer: String| Learn {
            label: label(Some(self.credential), &pointer),
            pointer,
            what: What::Shown,
        };
        let learn: Vec<Learn> = pointers.into_iter().map(learn).collect();
        DirectPart {
            query: query.id.clone(),
            optional,
            sent,
            held: Some(self.name()),
            suspended: self.suspended,
            hidden: hidden(Some(self.credential), &learn),
            learn,
            refresh: self.refresh,
        }
    }
}

/// Compares a query with what the vault holds.
pub(super) async fn assess(
    vault: &Vault,
    asked: &PlainAsked,
    credentials: &[(String, Credential)],
    now: UnixTime,
    wish: &Wish,
) -> Result<Direct, ReviewError> {
    let (mut pockets, mut lacks) = (Vec::new(), Vec::new());
    for (id, credential) in credentials {
        match Pocket::open(vault, id, credential, now).await? {
            Ok(pocket) => pockets.push(pocket),
            Err(ability) => lacks.push((credential.vct.as_str(), ability)),
        }
    }
    pockets.sort_by(|a, b| b.rank().cmp(&a.rank()));
    let chooser = Chooser::new(asked.query(), &pockets);
    match chooser.chosen(wish) {
        Ok((wishes, selection)) => Ok(chooser.direct(&wishes, &selection, wish)),
        Err(CannotAnswer::Wish) => Err(ReviewError::Wish),
        Err(cannot) => Ok(chooser.refusal(&cannot, &lacks)),
    }
}

struct Chooser<'a> {
    query: &'a Query,
    pockets: &'a [Pocket<'a>],
    candidates: Vec<Candidate<'a>>,
}

impl<'a> Chooser<'a> {
    fn new(query: &'a Query, pockets: &'a [Pocket<'a>]) -> Self {
        let candidates = pockets.iter().map(|pocket| Candidate { id: pocket.id, held: &pocket.held });
        Self { query, pockets, candidates: candidates.collect() }
    }

    fn choose(&self, wishes: &Wishes) -> Result<Selection, CannotAnswer> {
        choose(self.query, &self.candidates, wishes)
    }

    /// What is sent by this wish: all of it is heeded, or it is refused.
    fn chosen(&self, wish: &Wish) -> Result<(Wishes, Selection), CannotAnswer> {
        let mut wishes = self.wishes(wish)?;
        let mut selection = self.choose(&wishes)?;
        for id in &wish.using {
            if !self.uses(&selection, id) {
                (wishes, selection) = self.other_option(&wishes, id).ok_or(CannotAnswer::Wish)?;
            }
        }
        let added = |number: &usize| selection.added.iter().any(|set| self.number(set.set) == *number);
        let heeded = wish.using.iter().all(|id| self.uses(&selection, id)) && wish.adding.iter().all(added);
        if !(mutants::skips("wallet-wish") || heeded) {
            return Err(CannotAnswer::Wish);
        }
        Ok((wishes, selection))
    }

    /// Which query each credential that was named can answer; of one that takes one alone, the first named.
    fn wishes(&self, wish: &Wish) -> Result<Wishes, CannotAnswer> {
        let sets = self.query.credential_sets.as_deref().unwrap_or_default();
        let added = |at: &usize| !sets[*at].required && wish.adding.contains(&self.number(*at));
        let mut wishes = Wishes { optional: (0..sets.len()).filter(added).collect(), ..Wishes::default() };
        for id in &wish.using {
            let pocket = self.pockets.iter().find(|pocket| pocket.id == id).ok_or(CannotAnswer::Wish)?;
            for one in self.query.credentials.iter().filter(|one| pocket.answers(one)) {
                let named = wishes.using.entry(one.id.clone()).or_default();
                if one.multiple || named.is_empty() {
                    named.insert(id.clone());
                }
            }
        }
        Ok(wishes)
    }

    /// The number of a set that the service can do without: these are counted from one, in their order.
    fn number(&self, set: usize) -> usize {
        let sets = self.query.credential_sets.as_deref().unwrap_or_default();
        sets.iter().take(set + 1).filter(|set| !set.required).count()
    }

    fn uses(&self, selection: &Selection, id: &str) -> bool {
        selection.presentations.iter().any(|one| self.pockets[one.candidate].id == id)
    }

    /// An option other than the first of its set, by which the named credential answers.
    fn other_option(&self, wishes: &Wishes, id: &str) -> Option<(Wishes, Selection)> {
        let sets = self.query.credential_sets.as_deref().unwrap_or_default();
        let options = |(set, one): (usize, &CredentialSet)| {
            (0..one.options.len()).map(move |option| (set, option)).collect::<Vec<_>>()
        };
        sets.iter().enumerate().flat_map(options).find_map(|(set, option)| {
            let mut other = wishes.clone();
            other.options.insert(set, option);
            let selection = self.choose(&other).ok()?;
            self.uses(&selection, id).then_some((other, selection))
        })
    }

    fn direct(&self, wishes: &Wishes, selection: &Selection, wish: &Wish) -> Direct {
        let optional = |sets: BTreeSet<usize>| Wishes { optional: sets, ..wishes.clone() };
        let sets = self.query.credential_sets.as_ref().map_or(0, Vec::len);
        // Whatever can be added is told of as if it were added.
        let all = self.choose(&optional((0..sets).collect())).unwrap_or_else(|_| selection.clone());
        let needed = self.choose(&optional(BTreeSet::new())).unwrap_or_else(|_| selection.clone());
        let number = |query: &str| {
            let is_needed = needed.presentations.iter().any(|one| one.query == query);
            let set = all.added.iter().find(|set| !is_needed && set.queries.iter().any(|id| id == query));
            set.map(|set| self.number(set.set))
        };
        let part = |one: &Presentation| {
            let query = self.query.credential(&one.query)?;
            let sent = selection.presentations.contains(one);
            Some(self.pockets[one.candidate].part(query, number(&one.query), sent))
        };
        let parts = all.presentations.iter().filter_map(part).collect();
        Direct { ability: Ability::Can, parts, others: self.others(selection, wish) }
    }

    /// What could be named instead, or beside.
    fn others(&self, selection: &Selection, wish: &Wish) -> Vec<Alternative> {
        let several = |pocket: &Pocket<'_>| {
            let sent = selection.presentations.iter().filter_map(|one| self.query.credential(&one.query));
            sent.filter(|query| query.multiple).any(|query| pocket.answers(query))
        };
        let instead = |pocket: &Pocket<'_>| {
            let named = Wish { using: vec![pocket.id.to_owned()], adding: wish.adding.clone() };
            self.chosen(&named).is_ok()
        };
        let other = |pocket: &&Pocket<'_>| !self.uses(selection, pocket.id);
        let all = self.pockets.iter().filter(other).filter_map(|pocket| {
            let beside = several(pocket);
            (beside || instead(pocket)).then(|| Alternative { held: pocket.name(), beside })
        });
        all.collect()
    }

    /// Nothing is sent where something that is needed is missing; what is needed, and the reason that helps most.
    fn refusal(&self, cannot: &CannotAnswer, lacks: &[(&str, Ability)]) -> Direct {
        let ids = self.needed(cannot);
        let missing = |one: &&CredentialQuery| {
            ids.contains(one.id.as_str()) && !self.pockets.iter().any(|pocket| pocket.answers(one))
        };
        let queries = || self.query.credentials.iter().filter(missing);
        let wanted: BTreeSet<&str> = queries().flat_map(CredentialQuery::vct_values).collect();
        let lacking = lacks.iter().filter(|(vct, _)| wanted.contains(vct)).map(|(_, ability)| *ability);
        let held = self.pockets.iter().filter(|pocket| wanted.contains(pocket.credential.vct.as_str()));
        let ability = lacking.chain(held.map(|_| Ability::NotMet)).max_by_key(|ability| rank(*ability));
        let parts = queries().map(bare).collect();
        Direct { ability: ability.unwrap_or(Ability::NoneHeld), parts, others: Vec::new() }
    }

    /// The queries of which some are missing.
    fn needed<'b>(&'b self, cannot: &'b CannotAnswer) -> BTreeSet<&'b str> {
        match cannot {
            CannotAnswer::Query(id) => [id.as_str()].into(),
            CannotAnswer::Set(at) => {
                let set = self.query.credential_sets.as_ref().and_then(|sets| sets.get(*at));
                set.into_iter().flat_map(|set| set.options.iter().flatten()).map(String::as_str).collect()
            }
            CannotAnswer::Wish => BTreeSet::new(),
        }
    }
}

/// What a query asks of somebody who has nothing that answers it.
fn bare(query: &CredentialQuery) -> DirectPart {
    let claims = query.claims.iter().flatten().map(|claim| pointer_of(&claim.path));
    let learn = |pointer: String| Learn { label: label(None, &pointer), pointer, what: What::Shown };
    DirectPart {
        query: query.id.clone(),
        optional: None,
        sent: false,
        held: None,
        suspended: false,
        learn: claims.map(learn).collect(),
        hidden: Vec::new(),
        refresh: None,
    }
}

fn pointer(place: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    };
    place.iter().map(step).collect()
}

/// What a credential says about its holder whatever is withheld of it.
fn always_shown(held: &sd_jwt::Held) -> Vec<String> {
    let told = held.claims().iter().filter(|(name, _)| !OF_THE_COPY.contains(&name.as_str()));
    let place = |name: &String| vec![Step::Name(name.clone())];
    told.filter(|(name, value)| shows(value, &place(name), held.disclosed().paths()))
        .map(|(name, _)| pointer(&place(name)))
        .collect()
}

/// Whether something of a value is seen without any Disclosure.
fn shows(value: &Value, at: &Path, concealed: &[Path]) -> bool {
    if concealed.contains(at) {
        return false;
    }
    let below = |step: Step| [at.as_slice(), &[step]].concat();
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().any(|(name, value)| shows(value, &below(Step::Name(name.clone())), concealed))
        }
        Value::Array(all) if !all.is_empty() => {
            all.iter().enumerate().any(|(index, value)| shows(value, &below(Step::Index(index)), concealed))
        }
        _ => true,
    }
}
