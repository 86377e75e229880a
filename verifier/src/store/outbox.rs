//! Messages for services, from the transaction that made them until they are delivered or given up.
//!
//! A message is claimed for [`DELIVERY_SECONDS`], sent outside any transaction, and settled. Whoever claims it puts its next
//! instant ahead in the same statement, so of two replicas one sends; whoever settles names what was put, so a message that
//! was claimed again meanwhile is not settled by the first. A stop between the two sends it once more: at least once, and
//! under the same id.

use vouchsafe_protocol::time::UnixTime;

use super::{Pending, RequestId, Tag, Tenant};

/// For how long a claimed message is one claimer's, in seconds. Longer than any attempt takes.
pub const DELIVERY_SECONDS: i64 = 60;
/// How long a message is tried, in seconds, from when it was made or sent again.
pub const TRY_SECONDS: i64 = 3 * 86_400;
/// How long a message is kept, in seconds.
pub const KEEP_SECONDS: i64 = 30 * 86_400;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// To be sent, or on its way.
    Waiting,
    /// The endpoint took it.
    Delivered,
    /// Given up.
    Dead,
}

impl Delivery {
    /// The word of our API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Reads [`Delivery::as_str`] back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Dead].into_iter().find(|state| state.as_str() == word)
    }
}

/// A message as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place among all messages: for the store and for cursors, and never told.
    pub position: i64,
    /// What it is about; see [`Message::subject`].
    pub about: RequestId,
    /// What it says.
    pub topic: String,
    /// When it was made.
    pub created_at: UnixTime,
    /// When its service had it sent again.
    pub again_at: Option<UnixTime>,
    /// Where it stands.
    pub state: Delivery,
    /// How often it was tried, since it was sent again if it was.
    pub attempts: i64,
    /// When it may be tried next; of a claimed one, when the claim ends.
    pub next_at: UnixTime,
}

impl Message {
    /// What is told of what it is about: what is behind a colon tells messages about one thing apart, and is ours.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.about.0.split_once(':').map_or(self.about.0.as_str(), |(subject, _)| subject)
    }

    /// From when on another failure is the last.
    #[must_use]
    pub fn give_up_at(&self) -> UnixTime {
        self.again_at.unwrap_or(self.created_at).plus(TRY_SECONDS)
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The endpoint took it.
    Delivered,
    /// To be tried again, then.
    Again(UnixTime),
    /// Given up.
    Dead,
}

impl Settled {
    /// Where the message stands then.
    #[must_use]
    pub fn state(self) -> Delivery {
        match self {
            Self::Delivered => Delivery::Delivered,
            Self::Again(_) => Delivery::Waiting,
            Self::Dead => Delivery::Dead,
        }
    }
}

/// Messages for services.
pub trait Outbox: Send + Sync {
    /// Puts a message there that no transaction made.
    fn tell<'a>(
        &'a self,
        tenant: &'a Tenant,
        about: RequestId,
        topic: &'static str,
        now: UnixTime,
    ) -> Pending<'a, ()>;
    /// At most `limit` of the tenant's messages that are due, those that are due longest first; from now on nobody else's
    /// until [`Message::next_at`].
    fn claim<'a>(&'a self, tenant: &'a Tenant, now: UnixTime, limit: u32) -> Pending<'a, Vec<Message>>;
    /// Says what came of the tenant's claimed message, sent by the id `event`; `false` when it was claimed again meanwhile.
    fn settle<'a>(
        &'a self,
        tenant: &'a Tenant,
        claimed: &'a Message,
        event: &'a str,
        how: Settled,
        now: UnixTime,
    ) -> Pending<'a, bool>;
    /// Puts a message that was delivered or given up back; `false` when the tenant has none by that id.
    fn send_again<'a>(&'a self, tenant: &'a Tenant, event: &'a str, now: UnixTime) -> Pending<'a, bool>;
    /// At most `limit` of the tenant's messages behind a position, in the order in which they were made.
    fn messages<'a>(
        &'a self,
        tenant: &'a Tenant,
        state: Option<Delivery>,
        after: i64,
        limit: u32,
    ) -> Pending<'a, Vec<Message>>;
}

/// The id by which a message is sent, as it is kept and told.
#[must_use]
pub fn event_id(tag: &Tag) -> String {
    format!("evt_{}", vouchsafe_protocol::encoding::b64u(&tag.0[..16]))
}
