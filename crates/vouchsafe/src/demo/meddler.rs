//! Somebody between a wallet and its verifier: changes what comes, keeps what goes.
//!
//! TLS is what keeps such people out. Here they are let in, to show what is left when it fails.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_service::client;
use vouchsafe_wallet::http::{Client, Http, HttpError, Incoming, Outgoing, Sending};
use zeroize::Zeroizing;

use crate::exit::Failure;

/// An answer on its way, as it was sent.
struct Sent {
    url: String,
    media_type: String,
    body: Zeroizing<Vec<u8>>,
}

/// The way to the network, with somebody on it.
pub(super) struct Meddler {
    way: Client,
    http: client::Http,
    /// Pence in place of those that were asked for.
    raised: Mutex<Option<u64>>,
    sent: Mutex<Option<Sent>>,
}

impl Meddler {
    pub(super) fn new(http: client::Http) -> Self {
        Self { way: Client::new(http.clone()), http, raised: Mutex::default(), sent: Mutex::default() }
    }

    /// From now on every payment that is asked for is one of so many pence.
    pub(super) fn raises(&self, pence: Option<u64>) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = pence;
    }

    /// Sends the newest answer again; gives the status that it got.
    pub(super) async fn sends_again(&self) -> Result<u16, Failure> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sent = sent.ok_or_else(|| Failure::unavailable("no answer was sent"))?;
        let again = self.http.post(&sent.url).body(&sent.media_type, sent.body.to_vec()).send().await;
        again.map(|reply| reply.status).map_err(Failure::unavailable)
    }

    fn keep(&self, request: &Outgoing<'_>) {
        let Some((media_type, body)) = &request.body else { return };
        let (url, media_type) = (request.url.to_owned(), (*media_type).to_owned());
        let sent = Sent { url, media_type, body: body.clone() };
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
    }

    fn change(&self, mut reply: Incoming) -> Incoming {
        let raised = *self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = raised.and_then(|pence| with_amount(&reply.body, pence));
        if let Some(changed) = changed {
            reply.body = Zeroizing::new(changed.into_bytes());
        }
        reply
    }
}

impl Http for Meddler {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        self.keep(&request);
        Box::pin(async move { self.way.send(request).await.map(|reply| self.change(reply)) })
    }
}

/// The request object with another amount, under the signature that it had; `None` for whatever is no such request.
fn with_amount(object: &[u8], pence: u64) -> Option<String> {
    let text = std::str::from_utf8(object).ok()?;
    let [head, claims, signature] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
    let mut claims: Value = serde_json::from_slice(&b64u_decode(claims).ok()?).ok()?;
    let entry = claims.pointer_mut("/transaction_data/0")?;
    let mut members: Value = serde_json::from_slice(&b64u_decode(entry.as_str()?).ok()?).ok()?;
    *members.pointer_mut("/amount/pence")? = pence.to_string().into();
    *entry = b64u(members.to_string()).into();
    Some(format!("{head}.{}.{signature}", b64u(claims.to_string())))
}
