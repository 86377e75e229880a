//! One token of one issuer, and the calls that are made with it.
//!
//! Where the issuer binds tokens (RFC 9449), the token is bound to a key of this collection alone, which is gone with it
//! (and kept with it, where an officer decides first): two collections share no key. Every call carries a proof of its own, with the newest nonce that the issuer gave; a
//! call that is refused for its nonce alone is made once more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vouchsafe_protocol::dpop::{self, Call};
use vouchsafe_protocol::jose::{Signer as _, jws};
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::errors::{ErrorBody, TokenError};
use vouchsafe_protocol::openid4vci::metadata::ServerMetadata;
use vouchsafe_protocol::openid4vci::token::{MAX_TOKEN_MESSAGE, TokenRequest, TokenResponse, TokenType};
use vouchsafe_service::entropy;
use vouchsafe_service::keys::SigningKey;
use zeroize::Zeroizing;

use super::ReceiveError;
use super::issuer::unless_busy;
use super::waiting::Begun;
use crate::Machine;
use crate::http::{self, Incoming, Outgoing};

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// How often a busy body is tried, and the longest wait between two tries, in seconds: together no more than the five
/// minutes for which a token and the proofs made with it are good.
const TRIES: u32 = 5;
const LONGEST_WAIT_S: u64 = 60;

/// What is posted.
pub(super) struct Post<'a> {
    pub(super) url: &'a str,
    pub(super) accept: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) most: usize,
}

/// A token and what it takes to use it.
pub(super) struct Session<'a> {
    machine: &'a Machine,
    token: Zeroizing<String>,
    key: Option<SigningKey>,
    nonce: Mutex<Option<String>>,
    ends_at: i64,
}

impl<'a> Session<'a> {
    /// Gets a token, bound wherever the server binds tokens.
    pub(super) async fn open(
        machine: &'a Machine,
        server: &ServerMetadata,
        nonce_endpoint: Option<&str>,
        request: &TokenRequest,
    ) -> Result<Self, ReceiveError> {
        let key = server.binds_tokens().then(SigningKey::generate).transpose();
        let key = key.map_err(|_| ReceiveError::Key)?;
        let wanted = if key.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        let unopened =
            Self { machine, token: Zeroizing::default(), key, nonce: Mutex::default(), ends_at: 0 };
        let post = Post {
            url: &server.token_endpoint,
            accept: JSON,
            content_type: FORM,
            body: Zeroizing::new(request.write().into_bytes()),
            most: MAX_TOKEN_MESSAGE,
        };
        if let (Some(_), Some(url)) = (&unopened.key, nonce_endpoint) {
            // The answer carries the nonce of proofs too (RFC 9449 8.2): the code then travels once.
            let body = Zeroizing::default();
            let post = Post { url, accept: JSON, content_type: FORM, body, most: MAX_TOKEN_MESSAGE };
            unless_busy(unopened.send(&post, None, None).await?)?;
        }
        let reply = unless_busy(unopened.proved(&post).await?)?;
        if !reply.is(JSON) {
            return Err(refused(&reply)?);
        }
        let response = TokenResponse::parse(&reply.body, wanted).ok_or(ReceiveError::Answer)?;
        let ends_at = machine.clock.now().plus(i64::from(response.expires_in)).0;
        Ok(Self { token: Zeroizing::new(response.access_token), ends_at, ..unopened })
    }

    /// Goes on with the token of what was begun.
    pub(super) fn resume(machine: &'a Machine, begun: &Begun) -> Result<Self, ReceiveError> {
        let (token, key) = begun.access()?;
        Ok(Self { machine, token, key, nonce: Mutex::default(), ends_at: begun.token_ends_at() })
    }

    /// The token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The key that the token is bound to.
    pub(super) fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// When the token ends, in Unix seconds, as the issuer said.
    pub(super) fn ends_at(&self) -> i64 {
        self.ends_at
    }

    /// Posts with the token, and posts again while the body is busy: its code is spent by now, and this token alone
    /// collects.
    pub(super) async fn post(&self, post: &Post<'_>) -> Result<Incoming, ReceiveError> {
        self.patiently(post, true).await
    }

    /// The same without the token.
    pub(super) async fn post_openly(&self, post: &Post<'_>) -> Result<Incoming, ReceiveError> {
        self.patiently(post, false).await
    }

    async fn patiently(&self, post: &Post<'_>, with_token: bool) -> Result<Incoming, ReceiveError> {
        for _ in 0..TRIES {
            let reply =
                if with_token { self.proved(post).await? } else { self.send(post, None, None).await? };
            if !reply.is_busy() {
                return Ok(reply);
            }
            let wait = reply.retry_after_s.unwrap_or(1).min(LONGEST_WAIT_S);
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        Err(ReceiveError::StayedBusy)
    }

    /// Posts once, or twice where the first proof lacked the issuer's nonce.
    async fn proved(&self, post: &Post<'_>) -> Result<Incoming, ReceiveError> {
        let reply = self.once(post).await?;
        let asks_for_nonce = reply.dpop_nonce.is_some() && wants_nonce(&reply);
        if self.key.is_some() && asks_for_nonce { self.once(post).await } else { Ok(reply) }
    }

    async fn once(&self, post: &Post<'_>) -> Result<Incoming, ReceiveError> {
        let proof = match &self.key {
            Some(key) => Some(self.proof(key, post.url).await?),
            None => None,
        };
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        self.send(post, token, proof.as_deref()).await
    }

    async fn send(
        &self,
        post: &Post<'_>,
        token: Option<&str>,
        proof: Option<&str>,
    ) -> Result<Incoming, ReceiveError> {
        let body = Some((post.content_type, post.body.clone()));
        let outgoing = Outgoing { url: post.url, accept: post.accept, body, token, proof, most: post.most };
        let reply = http::send(&*self.machine.http, outgoing).await?;
        if let Some(nonce) = &reply.dpop_nonce {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.clone());
        }
        Ok(reply)
    }

    async fn proof(&self, key: &SigningKey, url: &str) -> Result<String, ReceiveError> {
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let call = Call { method: "POST", url, token, now: self.machine.clock.now() };
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let jti = entropy::id16(&*self.machine.entropy);
        let unsigned = dpop::unsigned(key.public(), &call, &jti, nonce.as_deref());
        jws::sign(unsigned, key).await.map_err(|_| ReceiveError::Key)
    }
}

/// The `error` of a body; a body without one is no answer of this protocol.
pub(super) fn error_code(reply: &Incoming) -> Result<String, ReceiveError> {
    let body: ErrorBody = json::typed(&reply.body, MAX_TOKEN_MESSAGE).map_err(|_| ReceiveError::Answer)?;
    Ok(body.error)
}

/// Whether the call was refused for its nonce and nothing else: 400 at the token endpoint, 401 behind a token.
fn wants_nonce(reply: &Incoming) -> bool {
    matches!(reply.status, 400 | 401)
        && error_code(reply).is_ok_and(|code| code == TokenError::UseDpopNonce.as_str())
}

fn refused(reply: &Incoming) -> Result<ReceiveError, ReceiveError> {
    match TokenError::from_code(&error_code(reply)?) {
        Some(TokenError::InvalidGrant) => Ok(ReceiveError::CodeRefused),
        Some(other) => Ok(ReceiveError::Refused(other.as_str())),
        None => Ok(ReceiveError::Answer),
    }
}
