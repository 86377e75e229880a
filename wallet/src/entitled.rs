//! What the person of this wallet qualifies for, by the policies that services publish: worked out here, telling nobody.
//!
//! The one call fetches a document that is the same for everybody, by an address that the person gives; it carries nothing
//! of the wallet. Nothing is written to the history, and no copy is used up. What is said is what an answer would say
//! today; only a service that asks decides anything.

use serde::Serialize;
use thiserror::Error;
use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::Asked;
use vouchsafe_protocol::openid4vp::published::{MAX_DOCUMENT, Offered, Published};
use vouchsafe_protocol::openid4vp::request::RequestError;
use vouchsafe_protocol::text::Bilingual;
use vouchsafe_protocol::trust::{Judge, PermissionKind, TrustError};
use vouchsafe_service::keys::Jws;

use crate::http::{self, HttpError, Outgoing};
use crate::review::{Ability, HeldName, Often, ReviewError, Way, WayPart, kind_name, ways};
use crate::trust::{self, Pinned};
use crate::vault::VaultError;
use crate::words::{Language, list, say, say_with};
use crate::{Fault, Wallet};

mod refused;

const JSON: &str = "application/json";
/// Where a verifier publishes, if the address names no more than the verifier.
const PATH: &str = "/policies";

/// How the person stands by one policy of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entitled {
    /// Who asks, by the register.
    pub service_id: String,
    /// The service's registered name.
    pub service: Bilingual,
    /// What for, in the register's words.
    pub purpose: Bilingual,
    /// The policy's id; absent where the policy cannot be read.
    pub policy: Option<String>,
    /// How they stand.
    pub verdict: Verdict,
    /// Why it cannot be told.
    pub why: Option<Why>,
    /// The credentials that say so, or the one that keeps it from being told.
    pub held: Vec<HeldName>,
    /// How often the service says yes to one person, where the policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub often: Option<Often>,
    /// What the service would ask to be permitted besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permits: Option<PermissionKind>,
}

/// How somebody stands by a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An answer would say that the rule is met.
    Qualifies,
    /// What is held says that the rule is not met.
    DoesNot,
    /// What is held does not say.
    CannotTell,
}

/// Why nothing can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No credential of an accepted type and issuer.
    NoneHeld,
    /// The credential has ended.
    TooOld,
    /// Every copy is used.
    NoneLeft,
    /// The body that signed took it back.
    Revoked,
    /// It did not count when its status was last looked up.
    Suspended,
    /// The facts are older than the service accepts, or from before the month was over.
    Stale,
    /// It is about several people, who answer with wallets of their own.
    AnotherPerson,
    /// It is about so few people that an answer would say who it is.
    SinglesOut,
    /// This wallet would refuse a request by this policy: it cannot read or work out the policy, or the policy asks more than
    /// its purpose allows.
    Refused,
}

/// Why there is no list.
#[derive(Debug, Error)]
pub enum EntitledError {
    /// No trust file was added.
    #[error("this wallet trusts nobody yet: add a trust file first")]
    NoTrust,
    /// Nothing, or something else, is at the address.
    #[error("no list of policies is published at that address")]
    NoList,
    /// The registrar did not sign it so.
    #[error("the list of policies is refused: {0}")]
    Refused(#[from] RequestError),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A policy cannot be worked out.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl EntitledError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoTrust | Self::Http(HttpError::Address) => Fault::Caller,
            Self::NoList => Fault::RefusedByPeer,
            Self::Refused(_) | Self::Http(HttpError::TooLarge) => Fault::RefusedByUs,
            Self::Http(HttpError::Unreachable) | Self::Vault(_) => Fault::Unavailable,
            Self::Review(refused) => refused.fault(),
        }
    }

    /// A closed code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTrust => "no-trust",
            Self::NoList => "no-list",
            Self::Refused(refused) => refused.code(),
            Self::Http(_) => "http",
            Self::Review(refused) => refused.code(),
            Self::Vault(_) => "vault",
        }
    }
}

impl Wallet {
    /// How the person stands by the policies that are published at `url`: a verifier's address, or the document's own.
    ///
    /// # Errors
    /// [`EntitledError`].
    pub async fn entitled_at(&self, url: &str) -> Result<Vec<Entitled>, EntitledError> {
        let mut address = Url::parse(url).map_err(|_| HttpError::Address)?;
        if address.path() == "/" {
            address.set_path(PATH);
        }
        let url = address.as_str();
        let request =
            Outgoing { url, accept: JSON, body: None, token: None, proof: None, most: MAX_DOCUMENT };
        let reply = http::send(&*self.machine.http, request).await?;
        if !(mutants::skips("wallet-published-type") || reply.is(JSON)) {
            return Err(EntitledError::NoList);
        }
        self.entitled_by(&reply.body).await
    }

    /// How the person stands by the policies of a document.
    ///
    /// # Errors
    /// [`EntitledError`].
    pub async fn entitled_by(&self, document: &[u8]) -> Result<Vec<Entitled>, EntitledError> {
        let pinned = trust::pinned(&self.vault).await?;
        let published = self.published(document, &pinned)?;
        if let Some(registrar) = published.registrar() {
            let version = published.reg_version();
            trust::saw(&self.vault, registrar, version, &*self.machine.entropy).await?;
        }
        let mut all = Vec::new();
        for offered in published.offered(self.machine.clock.now().london_date()) {
            all.push(self.stand(&offered).await?);
        }
        Ok(all)
    }

    /// Verifies under the first pinned registrar that knows the services.
    fn published(&self, document: &[u8], pinned: &[Pinned]) -> Result<Published, EntitledError> {
        let mut refused = EntitledError::NoTrust;
        for known in pinned {
            let judge = Judge {
                registrar: &known.file.registrar,
                last_seen: known.last_seen,
                now: self.machine.clock.now(),
                verifier: &Jws,
            };
            match Published::read(document, self.machine.env, &judge) {
                Err(RequestError::Service(
                    fault @ (TrustError::UnknownKey | TrustError::Signature | TrustError::Issuer),
                )) => refused = RequestError::Service(fault).into(),
                other => return Ok(other?),
            }
        }
        Err(refused)
    }

    async fn stand(&self, offered: &Offered<'_>) -> Result<Entitled, EntitledError> {
        let found = match &offered.asked {
            Ok(asked) => {
                let now = self.machine.clock.now();
                found(asked, &ways(&self.vault, asked, &offered.service.sub, now, &[], None).await?)
            }
            Err(_) => Found { verdict: Verdict::CannotTell, why: Some(Why::Refused), held: Vec::new() },
        };
        let Found { verdict, why, held } = found;
        Ok(Entitled {
            service_id: offered.service.sub.clone(),
            service: offered.service.name.clone(),
            purpose: offered.purpose.text.clone(),
            policy: offered.asked.as_ref().ok().map(|asked| asked.policy().id.clone()),
            verdict,
            why,
            held,
            often: offered.asked.as_ref().ok().and_then(Often::of),
            permits: offered
                .asked
                .as_ref()
                .ok()
                .and_then(|asked| Some(asked.policy().permission.as_ref()?.kind)),
        })
    }
}

struct Found {
    verdict: Verdict,
    why: Option<Why>,
    held: Vec<HeldName>,
}

/// What the ways of a policy say, each as far as this wallet can take it.
fn found(asked: &Asked, ways: &[Way]) -> Found {
    let says = |verdict, way: &Way| Found { verdict, why: None, held: all_held(way) };
    let (contrary, met): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.contrary);
    if let Some(way) = met.iter().find(|way| shows(way)) {
        return says(Verdict::Qualifies, way);
    }
    if let Some(way) = contrary.iter().find(|way| shows(way)) {
        return says(Verdict::DoesNot, way);
    }
    // Types that are accepted one for the other have one set of conditions: what fails by one of them fails.
    let one_set = !asked.policy().accept.is_empty();
    let (against, open): (Vec<&Way>, Vec<&Way>) = met.into_iter().partition(|way| fails(way));
    match against.first() {
        Some(way) if one_set || open.is_empty() => says(Verdict::DoesNot, way),
        _ => cannot_tell(open.into_iter().max_by_key(|way| way.ability.rank())),
    }
}

/// Why the way that comes closest says nothing.
fn cannot_tell(best: Option<&Way>) -> Found {
    let (why, held) = best.map_or((Why::NoneHeld, Vec::new()), |way| (why(way), hindering(way)));
    Found { verdict: Verdict::CannotTell, why: Some(why), held }
}

fn all_held(way: &Way) -> Vec<HeldName> {
    way.parts.iter().filter_map(|part| part.held.clone()).collect()
}

/// The first credential that keeps a way from being told, where it is one that is held.
fn hindering(way: &Way) -> Vec<HeldName> {
    let hinders = |part: &&WayPart| part.ability == way.ability || part.suspended || part.stale;
    let hindering = way.parts.iter().filter(|part| part.held.is_some()).find(hinders);
    hindering.and_then(|part| part.held.clone()).into_iter().collect()
}

/// Whether what is held shows what the way is for. That the wallet would not answer the service any more is another matter.
fn shows(way: &Way) -> bool {
    matches!(way.ability, Ability::Can | Ability::Probing) && counts(way)
}

fn fails(way: &Way) -> bool {
    way.ability == Ability::NotMet && counts(way)
}

fn counts(way: &Way) -> bool {
    mutants::skips("wallet-entitled-counts") || !(way.is_stale() || way.is_suspended())
}

fn why(way: &Way) -> Why {
    match way.ability {
        Ability::NoneHeld => Why::NoneHeld,
        Ability::TooOld => Why::TooOld,
        Ability::NoneLeft => Why::NoneLeft,
        Ability::Revoked => Why::Revoked,
        Ability::AnotherPerson => Why::AnotherPerson,
        Ability::SinglesOut => Why::SinglesOut,
        Ability::Can | Ability::NotMet | Ability::Probing if way.is_suspended() => Why::Suspended,
        Ability::Can | Ability::NotMet | Ability::Probing if way.is_stale() => Why::Stale,
        Ability::Can | Ability::NotMet | Ability::Probing => Why::Refused,
    }
}

impl Why {
    fn key(self) -> &'static str {
        match self {
            Self::NoneHeld => "cannot_none_held",
            Self::TooOld => "cannot_too_old",
            Self::NoneLeft => "cannot_none_left",
            Self::Revoked => "cannot_revoked",
            Self::AnotherPerson => "cannot_another_person",
            Self::SinglesOut => "cannot_singles_out",
            Self::Suspended => "entitled_suspended",
            Self::Stale => "entitled_stale",
            Self::Refused => "entitled_refused",
        }
    }
}

impl Entitled {
    /// Who asks and what for, and how the person stands, in words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let pick = |text: &Bilingual| language.pick(&text.en, &text.cy).to_owned();
        let (service, text) = (pick(&self.service), pick(&self.purpose));
        let head = say(language, "entitled_who", &[("service", &service), ("text", &text)]);
        let named = |held: &HeldName| {
            let (name, issuer) = (pick(&held.name), pick(&held.issuer));
            say(language, "entitled_by", &[("credential", &name), ("issuer", &issuer)])
        };
        let by = list(language, "list_and", self.held.iter().map(named));
        let credential = self.held.first().map(|held| pick(&held.name)).unwrap_or_default();
        let values = [("credential", credential.as_str())];
        let stands = match self.verdict {
            Verdict::Qualifies => {
                let yes = say_with(language, "entitled_yes", &[], &[("by", &by)]);
                let often = self.often.as_ref().map(|often| how_often(language, often));
                let permits = self.permits.map(|kind| kind_name(language, kind));
                let permits = permits.map(|kind| say(language, "entitled_permits", &[("kind", &kind)]));
                [Some(yes), often, permits].into_iter().flatten().collect::<Vec<_>>().join("\n  ")
            }
            Verdict::DoesNot => say_with(language, "entitled_no", &[], &[("by", &by)]),
            Verdict::CannotTell => {
                let why = self.why.map(|why| say(language, why.key(), &values)).unwrap_or_default();
                format!("{} {why}", say(language, "entitled_unknown", &[]))
            }
        };
        format!("{head}\n  {stands}")
    }
}

/// How often the service says yes, what the wallet cannot say of it, and who could link what it counts by.
fn how_often(language: Language, often: &Often) -> String {
    format!("{} {}", often.say(language, "entitled_often"), say(language, "entitled_often_by", &[]))
}

/// What goes below the list.
#[must_use]
pub fn remark(language: Language, any: bool) -> String {
    say(language, if any { "entitled_told_nobody" } else { "entitled_nothing" }, &[])
}
