//! Looking up whether credentials still count: draft-ietf-oauth-status-list-20, section 8.3.
//!
//! Step 9 of an answer, after the credential was found good in every other way. Lists are fetched whole and kept, so that
//! neither their publisher nor anybody between learns who was asked about; however many ask for one at a time, it is
//! fetched once. An index is forgotten with the look-up; of a list's URI only the cache knows, and no row or log line.
//!
//! Whatever goes wrong says nothing, and nothing is never read as valid: the answer is then `undetermined`, with the
//! reason `status_unknown`, and not "try again", because the resident has shown a copy that cannot be shown again and
//! waiting promises nothing. Whoever asked may ask anew. A host that failed three times in a row is left alone for a while.
//!
//! How old news may be: a list is kept for its `ttl`, between bounds of our own; when no newer one can be had it still
//! counts until its `exp`, and never longer than `max_age_seconds` after it was signed.

mod book;
mod breaker;
mod fetch;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;
use vouchsafe_mutants as mutants;
use vouchsafe_service::client::Reach;

pub use book::Book;
pub use fetch::{Away, Door, Fetch, Fetched};

/// How status lists are fetched and kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusSettings {
    /// The authorities, PEM, that vouch for the hosts of lists.
    pub authorities: PathBuf,
    /// Whether lists may be fetched from this machine itself: development and tests alone; never with a live service.
    pub loopback: bool,
    /// The least seconds that a list is kept, whatever its publisher says.
    pub min_ttl_seconds: u32,
    /// The most seconds that a list is kept, whatever its publisher says.
    pub max_ttl_seconds: u32,
    /// Seconds after its signing for which a list counts at most.
    pub max_age_seconds: u32,
    /// The most bytes that a list may inflate to. Raised in writing alone.
    pub max_inflated_bytes: usize,
    /// The number of the extended key usage for signing status lists, where one was agreed on.
    pub signing_usage: Option<String>,
    /// Hosts that publish lists for an issuer. The issuer's own lists, under its identifier and `/status/`, always count.
    pub hosts: Vec<Host>,
}

/// A host that publishes an issuer's lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The issuer's identifier.
    pub issuer: String,
    /// What its lists' URIs begin with: host and path, ending in a slash.
    pub prefix: String,
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self {
            authorities: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            loopback: false,
            min_ttl_seconds: 60,
            max_ttl_seconds: 3600,
            max_age_seconds: 86_400,
            max_inflated_bytes: vouchsafe_protocol::status::MAX_INFLATED,
            signing_usage: None,
            hosts: Vec::new(),
        }
    }
}

impl StatusSettings {
    /// Which addresses may be reached: this machine's own only where every service is a test service. `None`: neither.
    #[must_use]
    pub fn reach(&self, all_test: bool) -> Option<Reach> {
        if !(mutants::skips("vp-status-loopback") || !self.loopback || all_test) {
            return None;
        }
        Some(if self.loopback { Reach::Loopback } else { Reach::Global })
    }

    /// The setting that is out of bounds, if one is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let (min, max) = (self.min_ttl_seconds, self.max_ttl_seconds);
        let whole = |host: &Host| host.prefix.starts_with("https://") && host.prefix.ends_with('/');
        if min == 0 || min > max {
            Some("status.min_ttl_seconds")
        } else if max > self.max_age_seconds {
            Some("status.max_ttl_seconds")
        } else if self.max_age_seconds > 7 * 86_400 {
            Some("status.max_age_seconds")
        } else if !(1..=1 << 26).contains(&self.max_inflated_bytes) {
            Some("status.max_inflated_bytes")
        } else if !self.hosts.iter().all(whole) {
            Some("status.hosts")
        } else {
            None
        }
    }
}
