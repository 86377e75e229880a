//! Batches that are put off until an officer decides, and the trait that keeps them.
//!
//! A transaction belongs to the access token of its request, and so to one person and, where the token is bound, to one
//! wallet's key. The keys whose possession was proved are fixed with the request and sealed: who collects cannot put
//! others in.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::time::UnixTime;

use super::{IssueRefusal, Link, LinkRefusal, Mac, StoreError};
use crate::kind::Kind;

/// Where a batch that was put off stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// An officer has still to decide.
    Waiting,
    /// It can be collected.
    Approved,
    /// It will not be issued: an officer refused it, or the wallet of its person was replaced.
    Refused,
    /// It was collected.
    Collected,
}

impl Stage {
    /// As it stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Collected => "collected",
        }
    }

    /// The inverse of [`Stage::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Approved, Self::Refused, Self::Collected]
            .into_iter()
            .find(|stage| stage.as_str() == text)
    }

    /// Whether the batch may be collected now: once, and only when it was approved.
    pub(super) fn check_collectable(self) -> Result<(), CollectRefusal> {
        if !(mutants::skips("store-deferred-approved") || matches!(self, Self::Approved | Self::Collected)) {
            return Err(CollectRefusal::Closed);
        }
        if !(mutants::skips("store-deferred-collected") || self != Self::Collected) {
            return Err(CollectRefusal::Closed);
        }
        Ok(())
    }
}

/// A request to put off.
#[derive(Clone, Debug)]
pub struct Defer {
    /// Of the access token.
    pub token: Mac,
    /// Of every nonce in the request's proofs, with the time after which it would be refused anyway.
    pub nonces: Vec<(Mac, UnixTime)>,
    /// Of the transaction id.
    pub transaction: Mac,
    /// How officers name it; no secret.
    pub reference: String,
    /// The keys of its copies, sealed.
    pub holders: Vec<u8>,
    /// When it stops being collectable: with its token.
    pub expires_at: UnixTime,
    /// The time of the request.
    pub now: UnixTime,
}

/// A transaction as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// The token that it is good with.
    pub token: Mac,
    /// The keys of its copies, sealed; none once it was collected or refused.
    pub holders: Option<Vec<u8>>,
    /// Where it stands.
    pub stage: Stage,
}

/// The one write of a batch that was put off and is handed out now.
#[derive(Clone, Debug)]
pub struct Collect {
    /// Of the transaction id.
    pub transaction: Mac,
    /// Of the notification id in the answer.
    pub notification: Mac,
    /// How many copies the answer holds.
    pub copies: u32,
    /// The registration that its copies count by, where they are linked.
    pub link: Option<Link>,
    /// The time of issue.
    pub now: UnixTime,
}

/// Why a batch was not recorded, and so must not be handed out.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum CollectRefusal {
    /// It was collected, or is not approved.
    #[error("the batch was collected before, or is not approved")]
    Closed,
    /// The person is held to another link secret.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
}

/// What an officer sees of a batch that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// How it is named.
    pub reference: String,
    /// The credential type.
    pub type_id: String,
    /// Plain or proof copies.
    pub kind: Kind,
    /// For whom.
    pub person: Mac,
    /// When it was asked for.
    pub created_at: UnixTime,
}

/// What an officer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be collected.
    Approve,
    /// It will not be issued.
    Refuse,
}

/// Batches that are put off.
pub trait Deferring: Send + Sync + 'static {
    /// Spends token and nonces and writes the transaction, in one transaction: all or none. The keys of transactions
    /// that have expired are forgotten with it.
    fn defer(
        &self,
        defer: &Defer,
    ) -> impl Future<Output = Result<Result<(), IssueRefusal>, StoreError>> + Send;

    /// A transaction.
    fn deferred(&self, transaction: Mac)
    -> impl Future<Output = Result<Option<Deferred>, StoreError>> + Send;

    /// Closes an approved transaction and records its batch, in one transaction.
    fn collect(
        &self,
        collect: &Collect,
    ) -> impl Future<Output = Result<Result<(), CollectRefusal>, StoreError>> + Send;

    /// What waits for an officer and has not expired, oldest first.
    fn pending(&self, now: UnixTime) -> impl Future<Output = Result<Vec<Pending>, StoreError>> + Send;

    /// Decides what waits; `false` where nothing of that name waits.
    fn decide(
        &self,
        reference: &str,
        verdict: Verdict,
        now: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
