//! Tells those who follow a request that it changed, as far as this process changed it.
//!
//! Followers look at the database when they are told, and otherwise seldom: for what other replicas did, and for time.

use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::store::RequestId;

/// How many changes a follower may be behind before it has to look for itself.
const BEHIND: usize = 256;

/// Where changes are told.
pub(crate) struct Changes(Sender<RequestId>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl Changes {
    /// Tells that a request changed.
    pub(crate) fn tell(&self, id: &RequestId) {
        // Nobody may be listening.
        let _ = self.0.send(id.clone());
    }

    /// Listens from now on.
    pub(crate) fn listen(&self) -> Receiver<RequestId> {
        self.0.subscribe()
    }
}
