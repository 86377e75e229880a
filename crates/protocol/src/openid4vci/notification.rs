//! Notifications (section 11): what became of a batch in the wallet.
//!
//! Security: a description is text of a stranger and may name a person: it is read over and never kept.

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::errors::NotificationError;
use crate::json;

/// The most bytes of a notification.
pub const MAX_NOTIFICATION: usize = 4 * 1024;

/// What became of a batch. A part that failed counts as all (section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Stored.
    CredentialAccepted,
    /// Not stored, through a fault.
    CredentialFailure,
    /// Not stored, or deleted, because the holder wanted so.
    CredentialDeleted,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CredentialAccepted, Self::CredentialFailure, Self::CredentialDeleted];

    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CredentialAccepted => "credential_accepted",
            Self::CredentialFailure => "credential_failure",
            Self::CredentialDeleted => "credential_deleted",
        }
    }
}

/// A notification.
#[derive(Clone, Serialize, Deserialize)]
pub struct Notification {
    /// From the credential response.
    pub notification_id: String,
    /// What happened.
    pub event: Event,
}

impl Notification {
    /// Reads a body.
    ///
    /// # Errors
    /// [`NotificationError::InvalidNotificationRequest`]: a member is missing or of another type, the event is
    /// unknown, or the description has other characters than section 11.1 allows.
    pub fn parse(body: &[u8]) -> Result<Self, NotificationError> {
        let malformed = NotificationError::InvalidNotificationRequest;
        let members = json::object(body, MAX_NOTIFICATION).map_err(|_| malformed)?;
        let plain = |text: &str| text.bytes().all(|c| matches!(c, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        let described = members.get("event_description");
        let proper = described.is_none_or(|text| text.as_str().is_some_and(plain));
        if !(mutants::skips("vci-notification-description") || proper) {
            return Err(malformed);
        }
        json::of_value(members.into()).map_err(|_| malformed)
    }

    /// Its JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a notification is strings")
    }
}
