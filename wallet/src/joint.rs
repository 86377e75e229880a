//! Two wallets, one question: an answer about two people, each with a wallet of their own.
//!
//! Implements `specs/profiles/two-wallets.md`. The wallet that gathers invites the other; that one reads the request for
//! itself, and tells what a proof over the credentials of both needs; the first makes the proof; the second verifies all
//! of it, as of its own review, and only then signs for its own credentials; the first checks the complete answer and
//! sends it. What carries the messages is not our concern: a file, a paste; a QR code for the invitation.
//!
//! Security: whoever holds a seed opens every commitment of a copy, so none leaves its wallet; nor does a signature
//! before its owner's wallet has verified what it stands for. The wallet that gathers learns the exact values of the
//! other person that bounds are proved of or that are compared, and what is enough to check a guess of a hidden text that
//! is compared: both reviews say so. Copies are spent before anything of them leaves. The invitation comes in clear; that it
//! is the one that was made is checked by people, who read a number to each other (`check.rs`).
//!
//! Left out: more than two people, ways that show something of the invited person, and looking up a status.

mod check;
mod contribute;
mod foreign;
mod gather;
mod message;
mod page;
mod record;
mod share;

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::openid4vp::request::Question;
use vouchsafe_protocol::openid4vp::{Asked, Chosen};

use crate::history::{self, Event, How, Named, Used};
use crate::review::read::{self, About, Seen};
use crate::review::{Ability, HeldName, Reading, Review, ReviewError, Way, WayPart, Wish};
use crate::vault::VaultError;
use crate::words::{Language, say};
use crate::{AnswerError, Answered, Fault, Wallet, store, trust};
pub use check::CheckNumber;
use foreign::{Against, Foreign};
use message::Sealed;
pub use message::Step;
pub use page::{Fact, Known, Tells};
pub(crate) use record::wipe_ended;
pub use record::{Exchange, Role};

/// Why an answer of two wallets does not go on.
#[derive(Debug, Error)]
pub enum JointError {
    /// The request.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// The answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The other wallet, or what was brought of it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What a wallet does not take of another.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not about two people.
    #[error("this request is not one that two people answer together")]
    NotForTwo,
    /// This wallet can answer alone.
    #[error("you can answer this request without another person")]
    Alone,
    /// Something of the invited person would be shown.
    #[error(
        "this request wants to see something of the other person, which two wallets do not answer together"
    )]
    Shown,
    /// No invitation.
    #[error("this is not an invitation of another wallet")]
    Invitation,
    /// No sealed message.
    #[error("this is not a message of another wallet")]
    Message,
    /// Sealed to no conversation that is open here.
    #[error("this message is for another wallet, or for an exchange that is over")]
    Unknown,
    /// No conversation of that number.
    #[error("there is no exchange with that number")]
    NoExchange,
    /// The request has ended.
    #[error("the request has ended: ask the service for a new one, and begin again")]
    Ended,
    /// Of another request.
    #[error("this message is about another request")]
    Request,
    /// Not the one that is waited for.
    #[error("this message is not the one that is waited for now")]
    Step,
    /// It answers another message than the last.
    #[error("this message does not follow the last one")]
    Replaced,
    /// It does not open.
    #[error("this message was changed on its way")]
    Sealed,
    /// Its content is not of its form.
    #[error("the other wallet's message cannot be read")]
    Content,
    /// Credentials or signatures for other queries than the other person's.
    #[error("the other wallet does not give exactly what is asked of its person")]
    Queries,
    /// A credential that does not count.
    #[error("a credential of the other person does not count here")]
    Credential,
    /// A credential that is too old, or of another month.
    #[error("a credential of the other person, or of yours, is too old or of another month")]
    Stale,
    /// More or less than the statements need.
    #[error("the other wallet tells more or less than what is needed")]
    Openings,
    /// What was told is not what was signed, or what must be equal is not.
    #[error("what the other wallet tells is not what was signed for its person, or not the same as yours")]
    Opening,
    /// Together the two do not meet the rule.
    #[error("what the two of you hold does not show what is asked")]
    NotMet,
    /// Not the number of this invitation, or none.
    #[error("that is not the check number of this invitation")]
    Check,
    /// An own credential was suspended.
    #[error("a credential of yours was suspended when its status was last looked up")]
    Suspended,
    /// For another option than was reviewed.
    #[error("the other wallet answers in another way than you were told of")]
    Option,
    /// The proof does not hold.
    #[error("what the other wallet made does not hold for this request and your credentials")]
    Proof,
    /// A signature of the other wallet.
    #[error("the other wallet's signature is not for this answer")]
    Binding,
    /// What this wallet holds is not what it was when it was reviewed.
    #[error("what your wallet holds has changed since you read the request: begin again")]
    Changed,
    /// A fault of this wallet's own: a worker that stopped, or a proof that it cannot make of what fits.
    #[error("your wallet could not make the proof: begin again")]
    Fault,
}

impl Refusal {
    /// A stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotForTwo => "joint-not-for-two",
            Self::Alone => "joint-alone",
            Self::Shown => "joint-shown",
            Self::Invitation => "joint-invitation",
            Self::Message => "joint-message",
            Self::Unknown => "joint-unknown",
            Self::NoExchange => "joint-no-exchange",
            Self::Ended => "joint-ended",
            Self::Request => "joint-request",
            Self::Step => "joint-step",
            Self::Replaced => "joint-replaced",
            Self::Sealed => "joint-sealed",
            Self::Content => "joint-content",
            Self::Queries => "joint-queries",
            Self::Credential => "joint-credential",
            Self::Stale => "joint-stale",
            Self::Openings => "joint-openings",
            Self::Opening => "joint-opening",
            Self::NotMet => "joint-not-met",
            Self::Check => "joint-check",
            Self::Suspended => "joint-suspended",
            Self::Option => "joint-option",
            Self::Proof => "joint-proof",
            Self::Binding => "joint-binding",
            Self::Changed => "joint-changed",
            Self::Fault => "joint-fault",
        }
    }
}

impl JointError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Review(refused) => refused.code(),
            Self::Answer(failed) => failed.code(),
            Self::Refused(refused) => refused.code(),
            Self::Vault(VaultError::Damaged) => "vault-damaged",
            Self::Vault(_) => "vault",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Review(refused) => refused.fault(),
            Self::Answer(failed) => failed.fault(),
            Self::Refused(Refusal::Invitation | Refusal::Message | Refusal::Alone | Refusal::NoExchange) => {
                Fault::Caller
            }
            Self::Refused(Refusal::Fault) => Fault::Unavailable,
            Self::Refused(_) => Fault::RefusedByUs,
            Self::Vault(_) => Fault::Unavailable,
        }
    }

    /// The reason in plain words, and what to do.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let Self::Refused(refused) = self else {
            return match self {
                Self::Review(refused) => refused.words(language),
                Self::Answer(AnswerError::Cannot(ability)) => say(language, ability.key(), &[]),
                Self::Vault(VaultError::Damaged) | Self::Answer(AnswerError::Vault(VaultError::Damaged)) => {
                    ["refused_vault_damaged", "do_restore"].map(|key| say(language, key, &[])).join(" ")
                }
                other => other.to_string(),
            };
        };
        let reason = refused.code().replace('-', "_");
        let advice = match refused {
            Refusal::Invitation | Refusal::Message => "do_joint_copy",
            Refusal::NotForTwo | Refusal::Shown => "do_service",
            Refusal::Alone => "do_joint_alone",
            Refusal::NoExchange => "do_joint_list",
            Refusal::Ended | Refusal::Unknown | Refusal::Changed | Refusal::Fault => "do_joint_begin",
            Refusal::Request | Refusal::Step | Refusal::Replaced | Refusal::Sealed => "do_joint_right",
            Refusal::Stale => "do_joint_collect",
            Refusal::NotMet => "do_joint_route",
            Refusal::Check => "do_joint_check",
            Refusal::Suspended => "do_joint_suspended",
            _ => "do_joint_beware",
        };
        [reason.as_str(), advice].map(|key| say(language, key, &[])).join(" ")
    }
}

/// A request that this wallet could answer with another person's, as it was reviewed.
pub struct Joining {
    review: Review,
    mine: Mine,
}

/// An invitation that was read, with this wallet's own review of the request.
pub struct Invited {
    review: Review,
    mine: Mine,
    key: PublicJwk,
    invitation: [u8; 32],
    tells: Vec<Tells>,
    check: CheckNumber,
}

/// What a message led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// This text goes to the other wallet; something is expected of it then.
    Proof(String),
    /// This text goes to the other wallet, and this one is done.
    Binding(String),
    /// The answer was sent.
    Answered(Answered),
}

impl Joining {
    /// The review, without the other person's part.
    #[must_use]
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// Its page, to be kept as shown.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let page = |language| self.page(language);
        Reading::new(&About::Joining(&self.review.fetched().link), page, &self.review)
    }

    fn way(&self) -> Result<&Way, JointError> {
        self.mine.able(&self.review)
    }
}

impl Invited {
    /// This wallet's own review.
    #[must_use]
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// What the other person's wallet would learn.
    #[must_use]
    pub fn tells(&self) -> &[Tells] {
        &self.tells
    }

    /// The check number of the invitation as it came: the other person's wallet shows the same, if nobody changed it.
    #[must_use]
    pub fn check(&self) -> &CheckNumber {
        &self.check
    }

    /// Its page, to be kept as shown.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let page = |language| self.page(language);
        Reading::new(&About::Invitation(self.invitation), page, &self.review)
    }
}

impl Wallet {
    /// Reviews a request that takes another person as well: what the service and the other wallet would learn. Tells
    /// nobody anything.
    ///
    /// # Errors
    /// [`Refusal::Alone`], [`Refusal::NotForTwo`], and as a review.
    pub async fn join(&self, link: &str) -> Result<Joining, JointError> {
        let done = self.look_joining(link, None).await;
        self.noted(None, done).await
    }

    /// As [`Wallet::join`], of the request as it was when its page was last shown ([`Wallet::shown`]).
    ///
    /// # Errors
    /// As [`Wallet::join`], [`ReviewError::Unread`] and [`ReviewError::Changed`].
    pub async fn join_as_read(&self, link: &str) -> Result<Joining, JointError> {
        let done = async {
            let seen = self.seen(&About::Joining(&read::named(link)?)).await?;
            let joining = self.look_joining(link, seen.as_ref()).await?;
            read::check(seen.as_ref(), &joining.reading())?;
            Ok(joining)
        };
        let done = done.await;
        self.noted(None, done).await
    }

    async fn look_joining(&self, link: &str, seen: Option<&Seen>) -> Result<Joining, JointError> {
        let review = self.look_at(link, &Wish::default(), None, seen).await?;
        let mut met = review.facts().ways.iter().filter(|way| !way.contrary);
        let offered = review.facts().offered().ok_or(Refusal::NotForTwo)?;
        if offered.ability == Ability::Can {
            return Err(Refusal::Alone.into());
        }
        let Some(way) = met.find(|way| way.ability == Ability::AnotherPerson) else {
            return Err(AnswerError::Cannot(offered.ability).into());
        };
        let held = way.parts.iter().find(|part| part.held.is_some()).ok_or(Refusal::NotForTwo)?;
        let (asked, _) = policy(&review, way.option)?;
        let label = label(asked, &held.query).ok_or(Refusal::NotForTwo)?.to_owned();
        let mine = mine(&review, way.option, &label)?;
        check_shown(&review, mine.option, &mine.theirs)?;
        mine.able(&review)?;
        Ok(Joining { review, mine })
    }

    /// Takes a message of the other wallet, whichever it is that is waited for, and does what follows of it.
    ///
    /// # Errors
    /// [`JointError`]. A message that is refused changes nothing: the right one can still come.
    pub async fn exchange(&self, message: &str) -> Result<Next, JointError> {
        let (sealed, open) = match self.received(message).await {
            Ok(received) => received,
            Err(refused) => return self.noted(None, Err(refused)).await,
        };
        let asked = open.conversation.asked.clone();
        let done = match open.conversation.awaits {
            Step::Contribution => self.gather(sealed, open).await.map(Next::Proof),
            Step::Proof => self.agree(sealed, open).await.map(Next::Binding),
            Step::Binding => self.submit(sealed, open).await.map(Next::Answered),
        };
        self.noted(Some(asked), done).await
    }

    async fn received(&self, message: &str) -> Result<(Sealed, record::Open), JointError> {
        let sealed = Sealed::parse(message)?;
        let open = self.conversation(&sealed).await?;
        Ok((sealed, open))
    }

    /// Keeps the code of what failed in the history.
    async fn noted<T>(
        &self,
        asked: Option<history::Asked>,
        done: Result<T, JointError>,
    ) -> Result<T, JointError> {
        if let Err(failed) = &done {
            self.record(Event::Failed { asked, code: failed.code().to_owned() }).await?;
        }
        done
    }

    /// The credentials of the other person, checked, in the order of `queries`.
    async fn foreign(
        &self,
        review: &Review,
        queries: &[&str],
        told: &BTreeMap<String, String>,
    ) -> Result<Vec<Foreign>, JointError> {
        let Question::Policy(asked) = review.request().asked() else { return Err(Refusal::NotForTwo.into()) };
        let pinned = trust::pinned(&self.vault).await?;
        let registrar = &review.request().service().iss;
        let anchors = pinned.iter().find(|known| known.file.registrar.iss == *registrar);
        let anchors = anchors.map_or(&[][..], |known| &known.file.anchors);
        let known = store::credentials(&self.vault).await?;
        let against = Against { asked, anchors, known: &known, now: self.machine.clock.now() };
        Ok(against.all(queries, told)?)
    }
}

/// The question of a review, and the option that two people answer.
fn policy(review: &Review, option: usize) -> Result<(&Asked, Chosen), Refusal> {
    let Question::Policy(asked) = review.request().asked() else { return Err(Refusal::NotForTwo) };
    let chosen = asked.option(option).ok_or(Refusal::NotForTwo)?;
    Ok((asked, chosen))
}

/// Whose credential answers a query.
fn label<'a>(asked: &'a Asked, query: &str) -> Option<&'a str> {
    asked.needed(query)?.person.as_deref()
}

/// Nothing of the invited person is shown: what a Disclosure shows, the wallet that gathers would see too.
fn check_shown(review: &Review, option: usize, invited: &str) -> Result<(), Refusal> {
    let (asked, chosen) = policy(review, option)?;
    let theirs = |query: &str| label(asked, query) == Some(invited);
    let shown = asked.shown(&chosen).iter().any(|one| theirs(&one.query));
    if mutants::skips("joint-shown") || !shown { Ok(()) } else { Err(Refusal::Shown) }
}

/// This person's part of an option that is about two.
struct Mine {
    option: usize,
    label: String,
    theirs: String,
}

/// The part of the person `label` in an option, if it is about exactly two people of whom that is one.
fn mine(review: &Review, option: usize, label: &str) -> Result<Mine, Refusal> {
    let (asked, chosen) = policy(review, option)?;
    let labels = chosen.queries().iter().map(|query| self::label(asked, query));
    let labels: Vec<&str> = labels.collect::<Option<_>>().ok_or(Refusal::NotForTwo)?;
    let theirs = labels.iter().find(|one| **one != label).ok_or(Refusal::NotForTwo)?;
    let two = labels.contains(&label) && labels.iter().all(|one| *one == label || one == theirs);
    if !(mutants::skips("joint-two") || two) {
        return Err(Refusal::NotForTwo);
    }
    Ok(Mine { option, label: label.to_owned(), theirs: (*theirs).to_owned() })
}

impl Mine {
    /// Its queries, in order.
    fn own<'c>(&self, asked: &Asked, chosen: &'c Chosen) -> Vec<&'c str> {
        let all = chosen.queries().iter().map(String::as_str);
        all.filter(|query| label(asked, query) == Some(&self.label)).collect()
    }

    /// The other person's, in order.
    fn other<'c>(&self, asked: &Asked, chosen: &'c Chosen) -> Vec<&'c str> {
        chosen.queries().iter().map(String::as_str).filter(|query| self.is_other(asked, query)).collect()
    }

    fn is_other(&self, asked: &Asked, query: &str) -> bool {
        label(asked, query) == Some(&self.theirs)
    }

    /// What the review says of the option.
    fn find<'r>(&self, review: &'r Review) -> Result<&'r Way, JointError> {
        let way = review.facts().ways.iter().find(|way| way.option == self.option && !way.contrary);
        Ok(way.ok_or(Refusal::NotForTwo)?)
    }

    /// The way, if this wallet has what its person gives to it, all of it as fresh as the policy wants and none suspended.
    fn able<'r>(&self, review: &'r Review) -> Result<&'r Way, JointError> {
        let way = self.find(review)?;
        if !(mutants::skips("joint-able") || way.ability == Ability::AnotherPerson) {
            return Err(AnswerError::Cannot(way.ability).into());
        }
        if !mutants::skips("joint-own-stale") && way.is_stale() {
            return Err(Refusal::Stale.into());
        }
        // The service would decide for both that the rule is not met.
        if !mutants::skips("joint-own-suspended") && way.is_suspended() {
            return Err(Refusal::Suspended.into());
        }
        Ok(way)
    }

    /// The way, if the same credentials would answer that the resident read of.
    fn way<'r>(&self, review: &'r Review, batches: &[String]) -> Result<&'r Way, JointError> {
        let way = self.able(review)?;
        if !(mutants::skips("joint-changed") || self.batches(way) == batches) {
            return Err(Refusal::Changed.into());
        }
        Ok(way)
    }

    fn held<'w>(&self, way: &'w Way) -> impl Iterator<Item = (&'w WayPart, &'w HeldName)> {
        way.parts.iter().filter_map(|part| Some((part, part.held.as_ref()?)))
    }

    /// The credentials that this person gives, by their ids, in order.
    fn batches<'w>(&self, way: &'w Way) -> Vec<&'w str> {
        self.held(way).map(|(_, held)| held.id.as_str()).collect()
    }

    /// What is told of them, by name.
    fn names(&self, way: &Way) -> Vec<Named> {
        let own = |at: usize| way.parts.get(at).is_some_and(|part| part.held.is_some());
        let alone = self.held(way).flat_map(|(part, _)| &part.learn);
        let alone = alone.map(|learn| (learn.pointer.clone(), learn.label.clone()));
        let joined = way.together.iter().flat_map(|one| one.terms()).filter(|term| own(term.place.query));
        let joined = joined.map(|term| (term.pointer.clone(), term.label.clone()));
        let mut names: Vec<Named> = Vec::new();
        for (pointer, label) in alone.chain(joined) {
            let name = Named { pointer, label, how: How::Proved };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn used(&self, way: &Way) -> Vec<Used> {
        self.held(way)
            .map(|(_, held)| Used { name: held.name.clone(), issuer: held.issuer.clone() })
            .collect()
    }
}
