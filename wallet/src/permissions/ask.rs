//! Standing permissions: the wallet asks whether it is asked again, and answers by itself what was permitted before.
//!
//! It asks when the resident has it ask, no earlier than the interval allows, and never in the background. A request that
//! waits is fetched and verified as any other is. It is answered without a page only by the very permission that was given:
//! the same entry, service, verifier, policy and version of the purpose, within interval, uses and last day, showing
//! nothing that was not shown before, and with nothing that a page would warn of. Everything else is left to be read.
//!
//! What is told by the day on which an answer changes is not kept from the service by any of this: the page said so.

use serde::Serialize;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::request::Question;

use super::{Kept, PermissionError, State};
use crate::Wallet;
use crate::answer::{Confirmed, origin};
use crate::history::Event;
use crate::review::{Ability, Review, Way, What, Wish};
use crate::store;
use crate::vault::VaultError;

/// How many requests of one permission are looked at in one go.
const MOST: usize = 4;

/// What came of one thing that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AskedAgain {
    /// The permission's number.
    pub permission: String,
    /// Who has it.
    pub service: vouchsafe_protocol::text::Bilingual,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Answering,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Answering {
    /// Nothing waits to be answered.
    Nothing,
    /// A request was answered under the permission.
    Answered,
    /// A request waits that is to be read first.
    Review {
        /// Its link.
        link: String,
        /// Why.
        because: Because,
    },
    /// A request was refused, or its answer was not taken.
    Refused {
        /// The code of the refusal.
        code: String,
    },
    /// The verifier could not be asked, or what it says is refused.
    NotAsked {
        /// The code of the reason.
        code: &'static str,
    },
    /// The permission has ended.
    Ended {
        /// How it stands.
        state: State,
    },
}

/// Why a request is not answered without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It asks for a permission anew, or for none.
    Anew,
    /// It comes from another service, or goes to another verifier.
    Others,
    /// The service's rule has changed.
    Policy,
    /// The register's words about the purpose have changed.
    Purpose,
    /// It comes sooner or more often than was permitted.
    Often,
    /// More would be seen than before.
    Shows,
    /// This wallet cannot answer it just now, or would warn first.
    Warned,
}

impl Because {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Anew => "asked_because_anew",
            Self::Others => "asked_because_others",
            Self::Policy => "asked_because_policy",
            Self::Purpose => "asked_because_purpose",
            Self::Often => "asked_because_often",
            Self::Shows => "asked_because_shows",
            Self::Warned => "asked_because_warned",
        }
    }
}

impl Wallet {
    /// Asks the verifiers of permissions whether something waits: under standing ones whose interval is over, for a first
    /// record, and for the receipt of a withdrawal that has not come yet. What was permitted before is answered.
    ///
    /// # Errors
    /// [`VaultError`]; what a verifier does is no error.
    pub async fn ask_permissions(&self) -> Result<Vec<AskedAgain>, VaultError> {
        let mut all = Vec::new();
        for (row, kept) in super::kept::all(&self.vault).await? {
            for outcome in self.follow(&row.id, &kept).await? {
                let (permission, service) = (row.id.clone(), kept.asked.service.clone());
                all.push(AskedAgain { permission, service, outcome });
            }
        }
        Ok(all)
    }

    async fn follow(&self, id: &str, kept: &Kept) -> Result<Vec<Answering>, VaultError> {
        let today = self.today();
        match kept.state(today) {
            State::Withdrawing => Ok(vec![self.again_withdrawn(id).await?]),
            State::Sent | State::Given if kept.is_due(today) => self.asked_under(id).await,
            State::Sent => match self.fetch_record(id).await {
                // Not decided yet, or never: nothing to say of it.
                Ok(_) | Err(PermissionError::NotThere) => Ok(Vec::new()),
                Err(failed) => Ok(vec![self.not_asked(id, failed).await?]),
            },
            _ => Ok(Vec::new()),
        }
    }

    async fn again_withdrawn(&self, id: &str) -> Result<Answering, VaultError> {
        match self.withdrawn(id).await {
            Ok(permission) => Ok(Answering::Ended { state: permission.state }),
            Err(failed) => self.not_asked(id, failed).await,
        }
    }

    async fn not_asked(&self, id: &str, failed: PermissionError) -> Result<Answering, VaultError> {
        let code = failed.code();
        match self.noted_permission::<()>(id, Err(failed)).await {
            Err(PermissionError::Vault(vault)) => Err(vault),
            _ => Ok(Answering::NotAsked { code }),
        }
    }

    /// What waits under a standing permission.
    async fn asked_under(&self, id: &str) -> Result<Vec<Answering>, VaultError> {
        let (permission, asks) = match self.fetch_record(id).await {
            Ok(told) => told,
            Err(failed) => return Ok(vec![self.not_asked(id, failed).await?]),
        };
        if !matches!(permission.state, State::Sent | State::Given) {
            return Ok(vec![Answering::Ended { state: permission.state }]);
        }
        let mut all = Vec::new();
        for link in asks.iter().take(MOST) {
            all.push(self.answer_again(id, link).await?);
        }
        if all.is_empty() {
            all.push(Answering::Nothing);
        }
        Ok(all)
    }

    /// Answers a request that the permission covers; anything else is to be read first.
    async fn answer_again(&self, id: &str, link: &str) -> Result<Answering, VaultError> {
        let review = match self.look_as(link, &Wish::default(), None).await {
            Ok(review) => review,
            Err(refused) => {
                let code = refused.code().to_owned();
                self.record(Event::Failed { asked: None, code: code.clone() }).await?;
                return Ok(Answering::Refused { code });
            }
        };
        let row = self.vault.read(crate::vault::Section::Permission, id).await?;
        let kept: Kept = store::decode(&row.ok_or(VaultError::Stale)?)?;
        if let Err(because) = covers(id, &kept, &review) {
            return Ok(Answering::Review { link: link.to_owned(), because });
        }
        match self.share(&review, Confirmed::Share).await {
            Ok(_) => Ok(Answering::Answered),
            Err(failed) => Ok(Answering::Refused { code: failed.code().to_owned() }),
        }
    }
}

/// Whether a request is one that the permission was given for.
fn covers(id: &str, kept: &Kept, review: &Review) -> Result<(), Because> {
    let request = review.request();
    let Question::Policy(asked) = request.asked() else { return Err(Because::Anew) };
    let entry = asked.terms().map(|terms| terms.entry().text());
    let named = review.facts().permits.as_ref().and_then(|permits| permits.again.as_deref());
    let same = entry == Some(kept.entry()) && named == Some(id);
    if !(mutants::skips("wallet-standing-entry") || same) {
        return Err(Because::Anew);
    }
    let service = request.service().sub == kept.asked.service_id;
    let verifier = origin(request.response_uri()).as_ref() == Some(&kept.verifier);
    if !(mutants::skips("wallet-standing-others") || (service && verifier)) {
        return Err(Because::Others);
    }
    if !(mutants::skips("wallet-standing-policy") || asked.policy().digest_text() == kept.policy) {
        return Err(Because::Policy);
    }
    let purpose = request.purpose();
    let of_purpose = purpose.sub == kept.asked.purpose_id && purpose.version == kept.purpose_version;
    if !(mutants::skips("wallet-standing-purpose") || of_purpose) {
        return Err(Because::Purpose);
    }
    if !kept.is_due(asked.as_of()) {
        return Err(Because::Often);
    }
    let way = review.facts().offered().ok_or(Because::Warned)?;
    if !(mutants::skips("wallet-standing-shows") || shows_no_more(kept, way)) {
        return Err(Because::Shows);
    }
    // Sooner than the register calls enough is told above; of this permission its own interval is the measure.
    let quiet =
        way.ability == Ability::Can && way.probed.is_empty() && !way.is_stale() && !way.is_suspended();
    if !(mutants::skips("wallet-standing-quiet") || quiet) {
        return Err(Because::Warned);
    }
    Ok(())
}

/// Whether nothing is shown as it stands that was not shown when the permission was given.
fn shows_no_more(kept: &Kept, way: &Way) -> bool {
    let learn = way.parts.iter().flat_map(|part| &part.learn);
    let mut seen = learn.filter(|learn| !matches!(learn.what, What::Proved(_)));
    seen.all(|learn| kept.shown.contains(&learn.pointer))
}
