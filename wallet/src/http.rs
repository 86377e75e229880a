//! The wallet's one door to the network.
//!
//! A small trait, so that a test can answer in process; [`Client`] is the real one, over the client of
//! `vouchsafe_service`. Addresses come from links and documents of strangers: only https is followed, a redirect is an
//! answer like any other (OpenID4VP 5: an HTTP redirect ends the flow), and every body has a cap.

use std::pin::Pin;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, RETRY_AFTER};
use thiserror::Error;
use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_service::client::{self, FetchError};
use zeroize::Zeroizing;

/// A future that can be sent to another thread.
pub type Sending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The address is not https, or not an address.
    #[error("the address is not an https address")]
    Address,
    /// Nobody answered in time, or the connection is not to be trusted.
    #[error("nobody answers at that address, or the connection cannot be trusted: try again later")]
    Unreachable,
    /// The answer is longer than its cap.
    #[error("the answer is too large")]
    TooLarge,
}

/// A request that leaves the wallet.
pub struct Outgoing<'a> {
    /// Where to; https.
    pub url: &'a str,
    /// The media type that is understood.
    pub accept: &'a str,
    /// What is posted: media type and bytes. Absent for a GET.
    pub body: Option<(&'a str, Zeroizing<Vec<u8>>)>,
    /// An access token.
    pub token: Option<&'a str>,
    /// The proof of the key that the token is bound to, or is to be bound to: then the token goes with `DPoP`, and
    /// without a proof as a bearer.
    pub proof: Option<&'a str>,
    /// The largest answer taken, in bytes.
    pub most: usize,
}

/// What came back.
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// The media type without parameters, in lower case; empty when none was sent.
    pub content_type: String,
    /// Seconds to wait, of `Retry-After`.
    pub retry_after_s: Option<u64>,
    /// The nonce for the next proof, of `DPoP-Nonce`.
    pub dpop_nonce: Option<String>,
    /// The body; it may hold a seed or a credential.
    pub body: Zeroizing<Vec<u8>>,
}

impl Incoming {
    /// Whether the status is exactly 200 and the media type the one that was asked for.
    #[must_use]
    pub fn is(&self, content_type: &str) -> bool {
        self.status == 200 && self.content_type == content_type
    }

    /// Whether the peer did nothing for want of room and takes the same request later: 429 (RFC 6585), or 503.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

/// Sends requests, follows no redirect.
pub trait Http: Send + Sync {
    /// Sends one request. The caller has checked the address with [`https`].
    ///
    /// # Errors
    /// [`HttpError`]; a status of any kind is an answer, not an error.
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>>;
}

/// Checks the address, then sends.
pub(crate) async fn send(http: &dyn Http, request: Outgoing<'_>) -> Result<Incoming, HttpError> {
    https(request.url)?;
    http.send(request).await
}

/// An address that may be followed: https, a host, no user name or password.
///
/// # Errors
/// [`HttpError::Address`].
pub fn https(url: &str) -> Result<Url, HttpError> {
    let url = Url::parse(url).map_err(|_| HttpError::Address)?;
    // Whoever wrote the address could otherwise have it fetched in clear, or from the machine itself.
    if !(mutants::skips("wallet-https-only") || url.scheme() == "https") {
        return Err(HttpError::Address);
    }
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(HttpError::Address);
    }
    Ok(url)
}

/// The real door: the client of `vouchsafe_service`, which connects to given anchors only and never follows a redirect.
pub struct Client(client::Http);

impl Client {
    /// Sends by `http`.
    #[must_use]
    pub fn new(http: client::Http) -> Self {
        Self(http)
    }

    async fn exchange(&self, request: Outgoing<'_>) -> Result<Incoming, HttpError> {
        let mut outgoing = match &request.body {
            Some((media_type, body)) => self.0.post(request.url).body(media_type, body.to_vec()),
            None => self.0.get(request.url),
        };
        outgoing = outgoing.header(ACCEPT, request.accept).max_reply(request.most);
        if let Some(proof) = request.proof {
            outgoing = outgoing.header(HeaderName::from_static("dpop"), proof);
        }
        if let Some(token) = request.token {
            outgoing = match request.proof {
                Some(_) => outgoing.header(AUTHORIZATION, &Zeroizing::new(format!("DPoP {token}"))),
                None => outgoing.bearer(token),
            };
        }
        let reply = outgoing.send().await.map_err(fault)?;
        let retry_after_s =
            reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let dpop_nonce = reply.headers.get("dpop-nonce").and_then(|value| value.to_str().ok());
        Ok(Incoming {
            status: reply.status,
            content_type: reply.media_type(),
            retry_after_s,
            dpop_nonce: dpop_nonce.map(str::to_owned),
            body: Zeroizing::new(reply.body),
        })
    }
}

impl Http for Client {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        Box::pin(self.exchange(request))
    }
}

fn fault(error: FetchError) -> HttpError {
    match error {
        FetchError::Url | FetchError::Address => HttpError::Address,
        FetchError::Setup | FetchError::Unreachable => HttpError::Unreachable,
        FetchError::Reply => HttpError::TooLarge,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_followed() {
        assert_eq!(https("https://a.example/x").unwrap().host_str(), Some("a.example"));
        for refused in ["http://a.example/", "file:///etc/passwd", "https://u:p@a.example/", "a.example", ""]
        {
            assert_eq!(https(refused), Err(HttpError::Address), "{refused}");
        }
    }
}
