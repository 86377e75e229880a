//! Answering a reviewed request: yes, or no.
//!
//! The order is made for a crash at any point. A fresh copy of each credential is reserved, of all in one transaction; the
//! presentations are built; then, in one transaction and before anything is sent, the copies are spent, the history says that something was shared, and the
//! probing budget counts it; only then the answer leaves. A crash before the transaction wastes nothing, a crash after it
//! wastes one copy of each, and no crash lets a copy be shown twice. Two answers at once take turns at both places.
//!
//! "No", "I cannot" and "I had rather not" look the same to the service: `access_denied` with the request's state.

mod direct;
mod permit;
mod present;

use permit::Permitting;
pub(crate) use permit::origin;

pub(crate) use present::{TakenCopy, ToProve};

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::response::{self, error_form};
use zeroize::Zeroizing;

use crate::history::{Entry, Event, How, Named, OfPermission, Used};
use crate::http::{self, HttpError, Incoming, Outgoing};
use crate::permissions::{NotAgain, kept};
use crate::review::{Ability, Counted, Facts, HeldName, Learn, Review, Together, Way, What, asked};
use crate::store::{self, Held};
use crate::vault::{Change, VaultError};
use crate::{Fault, Wallet, history};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The largest answer of a verifier taken.
const MAX_REPLY: usize = 16 * 1024;

/// How often a busy verifier is tried: for longer than the ten seconds of a lease that a crash left behind.
const TRIES: u32 = 12;
/// The longest wait between two tries, in seconds.
const LONGEST_WAIT_S: u64 = 5;

/// Which answer the resident confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// What the review offers: that the rule is met.
    Share,
    /// The contrary, shown in the review as something to ask for separately: that the rule is not met.
    Contrary,
}

/// What became of an answer.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// Where the resident's browser goes on, on the same device; holds a one-time code.
    pub redirect_uri: Option<String>,
}

/// Whoever has the address has the code: it is not printed to find faults.
impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("goes_on", &self.redirect_uri.is_some()).finish_non_exhaustive()
    }
}

/// Why an answer was not sent, or not taken.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// This wallet has nothing that answers; nothing was sent.
    #[error("your wallet cannot answer this: {}", .0.why())]
    Cannot(Ability),
    /// There is no contrary answer to confirm, or the rule can be met.
    #[error("there is no such answer to this request")]
    NoContrary,
    /// The service needs nothing of what it asks, and nothing was added.
    #[error("the service needs nothing of this: add a part by its number, or say no")]
    NothingAdded,
    /// The answer would not be "met", so it would permit nothing; nothing was sent.
    #[error("what you hold would not count just now, so nothing would be permitted: collect a new one first")]
    NothingPermitted,
    /// The entry is not signed once more; nothing was sent.
    #[error("{0}: nothing was sent")]
    NotAgain(NotAgain),
    /// The request ended while the resident was thinking; nothing was sent.
    #[error("the request has ended: ask the service for a new one")]
    Expired,
    /// The presentation could not be made; nothing was sent, and the copy is unused.
    #[error("the answer could not be made: collect the credential again, and tell us if it happens again")]
    Present,
    /// The service did not take the answer. The copy is used up.
    #[error("the service did not take the answer: ask it for a new request")]
    NotTaken,
    /// The service stayed busy. The copy is used up.
    #[error("the service is busy: ask it for a new request later")]
    Busy,
    /// The service's reply is none of this protocol. The copy is used up.
    #[error("the service's reply cannot be understood: look at the service's page for the result")]
    Reply,
    /// The network. If it broke while sending, the copy is used up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl AnswerError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cannot(Ability::NoneHeld) => "none-held",
            Self::Cannot(Ability::TooOld) => "too-old",
            Self::Cannot(Ability::NoneLeft) => "none-left",
            Self::Cannot(Ability::Revoked) => "revoked",
            Self::Cannot(Ability::AnotherPerson) => "another-person",
            Self::Cannot(Ability::SinglesOut) => "singles-out",
            Self::Cannot(Ability::Probing) => "probing",
            Self::Cannot(Ability::NotMet | Ability::Can) => "not-met",
            Self::NoContrary => "no-contrary",
            Self::NothingAdded => "nothing-added",
            Self::NothingPermitted => "nothing-permitted",
            Self::NotAgain(NotAgain::Given) => "permission-again",
            Self::NotAgain(NotAgain::Over) => "permission-over",
            Self::Expired => "expired",
            Self::Present => "present",
            Self::NotTaken => "not-taken",
            Self::Busy => "busy",
            Self::Reply => "reply",
            Self::Http(_) => "network",
            Self::Vault(_) => "vault",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoContrary | Self::NothingAdded => Fault::Caller,
            Self::Cannot(_) | Self::NothingPermitted | Self::NotAgain(_) => Fault::RefusedByUs,
            Self::Expired | Self::Present | Self::Reply => Fault::RefusedByUs,
            Self::NotTaken => Fault::RefusedByPeer,
            Self::Busy | Self::Http(_) | Self::Vault(_) => Fault::Unavailable,
        }
    }
}

impl Wallet {
    /// Sends the answer that the resident confirmed after reading the review.
    ///
    /// # Errors
    /// [`AnswerError`] says whether anything was sent.
    pub async fn share(&self, review: &Review, confirmed: Confirmed) -> Result<Answered, AnswerError> {
        self.forget(&review.reading()).await?;
        let shared = self.share_or_fail(review, confirmed).await;
        if let Err(failed) = &shared {
            let event =
                Event::Failed { asked: Some(asked(review.request())), code: failed.code().to_owned() };
            self.record(event).await?;
        }
        shared
    }

    /// Tells the service "no", in the same words whether the resident would not or could not.
    ///
    /// # Errors
    /// [`AnswerError::Http`] when the service cannot be reached; it will see the request expire instead.
    pub async fn decline(&self, review: &Review) -> Result<Answered, AnswerError> {
        let request = review.request();
        self.record(Event::Declined { asked: asked(request) }).await?;
        let form = error_form("access_denied", request.state());
        let reply = self.post(request.response_uri(), Zeroizing::new(form.into_bytes())).await?;
        read_reply(&reply)
    }

    async fn share_or_fail(&self, review: &Review, confirmed: Confirmed) -> Result<Answered, AnswerError> {
        let request = review.request();
        let open = self.machine.clock.now() < request.expires_at();
        if !(mutants::skips("wallet-request-ended") || open) {
            return Err(AnswerError::Expired);
        }
        if let Some(direct) = &review.facts().direct {
            return self.share_direct(review, direct, confirmed).await;
        }
        let (way, batches) = choose(review.facts(), confirmed)?;
        self.share_by(review, way, &batches).await
    }

    /// Answers by a way, with a copy of each of the batches.
    async fn share_by(&self, review: &Review, way: &Way, batches: &[&str]) -> Result<Answered, AnswerError> {
        let taken = self.take(way, review, batches).await?;
        let (form, entry) = match self.build_and_spend(review, way, &taken).await {
            Ok(made) => made,
            Err(failed) => {
                self.release(&taken).await?;
                return Err(failed);
            }
        };
        self.send(review, form, entry).await
    }

    /// Returns copies of which nothing was sent. One that is spent stays so.
    pub(crate) async fn release(&self, taken: &[Held]) -> Result<(), VaultError> {
        for held in taken {
            store::release(&self.vault, &held.id, &*self.machine.entropy).await?;
        }
        Ok(())
    }

    /// Sends what was made, and notes that it was taken.
    pub(crate) async fn send(
        &self,
        review: &Review,
        form: Zeroizing<Vec<u8>>,
        entry: (String, Entry),
    ) -> Result<Answered, AnswerError> {
        let reply = self.post(review.request().response_uri(), form).await?;
        let answered = read_reply(&reply)?;
        self.acknowledge(entry).await?;
        Ok(answered)
    }

    /// Reserves a copy of each batch for this answer alone, all in one transaction.
    pub(crate) async fn take(
        &self,
        way: &Way,
        review: &Review,
        batches: &[&str],
    ) -> Result<Vec<Held>, AnswerError> {
        let _turn = self.turn.lock().await;
        self.check_budget(review, way).await?;
        let held = store::reserve_all(&self.vault, batches, &*self.machine.entropy).await?;
        held.ok_or(AnswerError::Cannot(Ability::NoneLeft))
    }

    async fn build_and_spend(
        &self,
        review: &Review,
        way: &Way,
        taken: &[Held],
    ) -> Result<(Zeroizing<Vec<u8>>, (String, Entry)), AnswerError> {
        let permitting = self.permitting(review, way, &told(way).0).await?;
        let form = self.build(review, way, taken, permitting.as_ref()).await?;
        // What the service knows is read, judged and written in one turn: of two answers at once the second counts what
        // the first told, and the budget of an attribute stays one row.
        let _turn = self.turn.lock().await;
        self.check_budget(review, way).await?;
        if let Some(permitting) = &permitting {
            self.still_alone(review, permitting).await?;
        }
        Ok((form, self.spend(review, way, taken, permitting).await?))
    }

    /// The budget may have been used since the review was made, or since the copies were taken.
    async fn check_budget(&self, review: &Review, way: &Way) -> Result<(), AnswerError> {
        let service = &review.request().service().sub;
        for (pointer, Counted { bounds, lasting }) in &way.counted {
            let learnt = store::learnt(&self.vault, service, pointer).await?.1;
            let after = learnt.after(bounds, *lasting);
            if crate::budget::judge(learnt.count(), after) == crate::budget::Spend::Refuse {
                return Err(AnswerError::Cannot(Ability::Probing));
            }
        }
        Ok(())
    }

    /// Spends the copies, counts the bounds, keeps the permission and writes the history, in one transaction, before
    /// anything is sent.
    async fn spend(
        &self,
        review: &Review,
        way: &Way,
        taken: &[Held],
        permitting: Option<Permitting>,
    ) -> Result<(String, Entry), AnswerError> {
        let permission = permitting.as_ref().map(Permitting::told);
        let (id, entry) =
            (self.new_id(), self.shared_entry(review, way.contrary, told(way), permission).await?);
        if mutants::skips("wallet-spend-first") {
            return Ok((id, entry));
        }
        let mut changes = self.spending(review, way, taken).await?;
        changes.extend(permitting.map(Permitting::keep));
        changes.push(history::record(id.clone(), &entry));
        self.vault.apply(changes, &*self.machine.entropy).await?;
        Ok((id, entry))
    }

    /// The changes that spend the copies and count the bounds, once the budget was checked in the same turn.
    pub(crate) async fn spending(
        &self,
        review: &Review,
        way: &Way,
        taken: &[Held],
    ) -> Result<Vec<Change>, VaultError> {
        let mut changes = Vec::new();
        for held in taken {
            changes.extend(store::spend(&self.vault, &held.id).await?);
        }
        let service = &review.request().service().sub;
        for (pointer, Counted { bounds, lasting }) in &way.counted {
            let (record, learnt) = store::learnt(&self.vault, service, pointer).await?;
            let learnt = learnt.with(bounds, *lasting);
            changes.push(store::learn(record, self.new_id(), service, pointer, learnt));
        }
        Ok(changes)
    }

    /// One turn in which what was learnt of this resident is read, judged and written.
    pub(crate) async fn turn(
        &self,
        review: &Review,
        way: &Way,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, AnswerError> {
        let turn = self.turn.lock().await;
        self.check_budget(review, way).await?;
        Ok(turn)
    }

    async fn shared_entry(
        &self,
        review: &Review,
        contrary: bool,
        (names, used): (Vec<Named>, Vec<Used>),
        permission: Option<OfPermission>,
    ) -> Result<Entry, VaultError> {
        let asked = asked(review.request());
        self.entry_now(Event::Shared { asked, contrary, names, used, permission, acknowledged: false }).await
    }

    async fn acknowledge(&self, (id, mut entry): (String, Entry)) -> Result<(), VaultError> {
        let mut changes = Vec::new();
        if let Event::Shared { acknowledged, permission, .. } = &mut entry.event {
            *acknowledged = true;
            if let Some(permission) = permission
                && let Some((row, mut kept)) = kept::find(&self.vault, &permission.id).await?
            {
                kept.taken = true;
                changes.push(kept::replace(row, &kept));
            }
        }
        changes.push(history::record(id, &entry));
        self.vault.apply(changes, &*self.machine.entropy).await
    }

    /// Posts a form; while the verifier has no room for it, the same form again (it counts no attempt then).
    async fn post(&self, url: &str, form: Zeroizing<Vec<u8>>) -> Result<Incoming, AnswerError> {
        for _ in 0..TRIES {
            let reply = self.post_once(url, form.clone()).await?;
            match reply.retry_after_s {
                Some(wait) if reply.is_busy() => {
                    tokio::time::sleep(Duration::from_secs(wait.min(LONGEST_WAIT_S))).await;
                }
                _ => return Ok(reply),
            }
        }
        Err(AnswerError::Busy)
    }

    /// Posts a form.
    pub(crate) async fn post_once(&self, url: &str, form: Zeroizing<Vec<u8>>) -> Result<Incoming, HttpError> {
        let body = Some((FORM, form));
        let request = Outgoing { url, accept: JSON, body, token: None, proof: None, most: MAX_REPLY };
        http::send(&*self.machine.http, request).await
    }
}

/// The way that was confirmed, and the batches that take it. A contrary way needs its own confirmation, and a
/// confirmation of sharing never leads to one.
fn choose(facts: &Facts, confirmed: Confirmed) -> Result<(&Way, Vec<&str>), AnswerError> {
    let way = match confirmed {
        Confirmed::Share => facts.offered().ok_or(AnswerError::Cannot(Ability::NoneHeld))?,
        Confirmed::Contrary => facts.contrary().ok_or(AnswerError::NoContrary)?,
    };
    if !(mutants::skips("wallet-ability") || way.ability == Ability::Can) {
        return Err(AnswerError::Cannot(way.ability));
    }
    let held = way.held().ok_or(AnswerError::Cannot(Ability::NoneHeld))?;
    Ok((way, held.into_iter().map(|held| held.id.as_str()).collect()))
}

/// What was learnt by a way, each attribute once, and of which credentials.
fn told(way: &Way) -> (Vec<Named>, Vec<Used>) {
    let alone = way.parts.iter().flat_map(|part| &part.learn).map(named);
    let terms = way.together.iter().flat_map(Together::terms);
    let joined = terms.map(|term| {
        let (pointer, label) = (term.pointer.clone(), term.label.clone());
        Named { pointer, label, how: How::Proved }
    });
    let mut names: Vec<Named> = Vec::new();
    for name in alone.chain(joined) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (names, way.parts.iter().filter_map(|part| part.held.as_ref()).map(used).collect())
}

fn used(held: &HeldName) -> Used {
    Used { name: held.name.clone(), issuer: held.issuer.clone() }
}

/// What was learnt, by name.
fn named(learn: &Learn) -> Named {
    let how = match learn.what {
        What::Proved(_) => How::Proved,
        What::KnownAs { .. } => How::KnownAs,
        What::Shown | What::Period(_) => How::Shown,
    };
    Named { pointer: learn.pointer.clone(), label: learn.label.clone(), how }
}

fn read_reply(reply: &Incoming) -> Result<Answered, AnswerError> {
    if !reply.is(JSON) {
        return Err(if reply.status == 200 { AnswerError::Reply } else { AnswerError::NotTaken });
    }
    let answered = response::Answered::parse(&reply.body).map_err(|_| AnswerError::Reply)?;
    Ok(Answered { redirect_uri: answered.redirect_uri })
}
