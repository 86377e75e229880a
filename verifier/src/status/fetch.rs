//! The one outgoing call of a verifier.

use std::time::Duration;

use axum::http::header;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::BoxFuture;
use vouchsafe_protocol::status::JWT_MEDIA_TYPE;
use vouchsafe_service::client::Http;

/// How long a host has.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a host sent as a list.
pub type Fetched = Vec<u8>;

/// The list could not be fetched; why is nobody's business but the operator's, who sees a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the status list could not be fetched")]
pub struct Away;

/// Fetches a list.
pub trait Fetch: Send + Sync {
    /// The token at `uri`, at most `most` bytes.
    fn fetch<'a>(&'a self, uri: &'a str, most: usize) -> BoxFuture<'a, Result<Fetched, Away>>;
}

/// The client that resolves a name once, refuses addresses that are not global and follows no redirect.
pub struct Door {
    http: Http,
    patience: Duration,
}

impl Door {
    /// A door through `http`, at which a host has three seconds for the whole of its answer.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { http, patience: PATIENCE }
    }

    /// The same with other patience.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl Fetch for Door {
    fn fetch<'a>(&'a self, uri: &'a str, most: usize) -> BoxFuture<'a, Result<Fetched, Away>> {
        Box::pin(async move {
            let request = self.http.get(uri).header(header::ACCEPT, JWT_MEDIA_TYPE).max_reply(most);
            let patience = if mutants::skips("vp-status-patience") { Duration::MAX } else { self.patience };
            let reply = tokio::time::timeout(patience, request.send()).await;
            let reply = reply.map_err(|_| Away)?.map_err(|_| Away)?;
            if is_list(reply.status, &reply.media_type()) { Ok(reply.body) } else { Err(Away) }
        })
    }
}

/// A redirect is no list, nor is a page that explains why there is none. SD-JWT VC: a credential in JOSE has its list in JOSE.
fn is_list(status: u16, media_type: &str) -> bool {
    mutants::skips("vp-status-media") || (status == 200 && media_type == JWT_MEDIA_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: [(u16, &str); 4] = [
        (302, JWT_MEDIA_TYPE),
        (404, JWT_MEDIA_TYPE),
        (200, "text/html"),
        (200, "application/statuslist+cwt"),
    ];

    #[test]
    fn only_a_list_is_a_list() {
        assert!(is_list(200, JWT_MEDIA_TYPE));
        assert!(BAD.iter().all(|(status, media_type)| !is_list(*status, media_type)));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_switch_that_is_noticed() {
        assert!(mutants::without("vp-status-media", || is_list(404, "text/html")));
    }
}
