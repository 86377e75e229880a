//! The code that a page shows beside its picture, typed by whoever cannot scan it (`specs/profiles/request.md`).

use serde_json::{Map, Value, json};
use url::Url;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::link::{Link, LinkError, Method};
use zeroize::Zeroizing;

use super::ReviewError;
use crate::Wallet;
use crate::history::Event;
use crate::http::{self, Outgoing};

const JSON: &str = "application/json";

/// The largest answer to a code taken.
const MAX_FOUND: usize = 16 * 1024;

impl Wallet {
    /// The link of the request that a typed code stands for, at the address of the page that shows it. What the link
    /// leads to is verified like any other request.
    ///
    /// # Errors
    /// [`ReviewError::Code`] for a wrong, used or expired code; the history keeps the code of a refusal.
    pub async fn find(&self, page: &str, typed: &str) -> Result<String, ReviewError> {
        let found = self.look_up(page, typed).await;
        if let Err(refused) = &found {
            self.record(Event::Failed { asked: None, code: refused.code().to_owned() }).await?;
        }
        found
    }

    async fn look_up(&self, page: &str, typed: &str) -> Result<String, ReviewError> {
        let page = Url::parse(page).ok().filter(|page| page.scheme() == "https").ok_or(LinkError::Form)?;
        let url = page.join("/c").map_err(|_| LinkError::Form)?;
        let body = Zeroizing::new(json!({"code": typed}).to_string().into_bytes());
        let (url, body) = (url.as_str(), Some((JSON, body)));
        let request = Outgoing { url, accept: JSON, body, token: None, proof: None, most: MAX_FOUND };
        let reply = http::send(&*self.machine.http, request).await?;
        if matches!(reply.status, 404 | 422) {
            return Err(ReviewError::Code);
        }
        if !reply.is(JSON) {
            return Err(ReviewError::Gone);
        }
        let found: Map<String, Value> =
            serde_json::from_slice(&reply.body).map_err(|_| ReviewError::NotARequest)?;
        let text = |name: &str| found.get(name).and_then(Value::as_str).ok_or(ReviewError::NotARequest);
        let (client_id, request_uri) = (text("client_id")?.to_owned(), text("request_uri")?.to_owned());
        let here = Url::parse(&request_uri).is_ok_and(|uri| uri.origin() == page.origin());
        // A code says nothing about who asks: it must not lead away from where it was read.
        if !(mutants::skips("wallet-code-origin") || here) {
            return Err(LinkError::RequestUri.into());
        }
        Ok(Link { client_id, request_uri, method: Method::Post }.to_string())
    }
}
