//! Fetching and verifying a request.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::openid4vp::link::{Link, LinkError, Method, fetch_form};
use vouchsafe_protocol::openid4vp::request::{
    Expected, Given, MAX_REQUEST, Question, RequestError, Unverified, Verified,
};
use vouchsafe_protocol::openid4vp::response::error_form;
use vouchsafe_protocol::trust::{Judge, TrustError};
use vouchsafe_service::entropy;
use vouchsafe_service::keys::Jws;
use zeroize::{Zeroize, Zeroizing};

use super::read::{About, Reading, Seen};
use super::{Facts, Page, Wish, assess};
use crate::history::{Asked, Event};
use crate::http::{self, HttpError, Incoming, Outgoing};
use crate::permissions::{NotAgain, kept};
use crate::trust::Pinned;
use crate::vault::VaultError;
use crate::words::Language;
use crate::{Fault, Wallet, trust};

const REQUEST_OBJECT: &str = "application/oauth-authz-req+jwt";

/// A request that was verified, and what the resident is told about it.
pub struct Review {
    facts: Facts,
    request: Verified<Question>,
    fetched: Fetched,
}

/// A request as it was fetched, to be verified again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetched {
    pub(crate) link: String,
    object: String,
    wallet_nonce: Option<String>,
}

impl Fetched {
    /// How long it is.
    pub(crate) fn len(&self) -> usize {
        self.link.len() + self.object.len()
    }
}

impl Zeroize for Fetched {
    fn zeroize(&mut self) {
        self.link.zeroize();
        self.object.zeroize();
        self.wallet_nonce.zeroize();
    }
}

/// Why there is nothing to review: the wallet refuses the request.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The link is unusable.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No trust file was added.
    #[error("this wallet trusts nobody yet: add a trust file first")]
    NoTrust,
    /// The request is not there.
    #[error("the request is not there any more, or the service is in trouble: ask the service for a new one")]
    Gone,
    /// What is there is no request object.
    #[error("what the link leads to is not a signed request")]
    NotARequest,
    /// The request is refused, with the reason.
    #[error("the request is refused: {0}")]
    Refused(#[from] RequestError),
    /// No request stands for the code that was typed.
    #[error("the code is wrong, used or out of date: look at the page again, or ask for a new one")]
    Code,
    /// Its page was not shown in this wallet, or too long ago.
    #[error("this was not read yet: look at it first")]
    Unread,
    /// Its page is another than the one that was shown.
    #[error("what is asked has changed since it was read: look at it again")]
    Changed,
    /// What the resident named cannot be sent.
    #[error("what you named cannot answer this request")]
    Wish,
    /// What is asked to be permitted was permitted before.
    #[error(transparent)]
    NotAgain(#[from] NotAgain),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ReviewError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Link(LinkError::Form) | Self::NoTrust | Self::Wish => Fault::Caller,
            Self::Gone | Self::Code => Fault::RefusedByPeer,
            Self::Http(HttpError::Unreachable) | Self::Vault(_) => Fault::Unavailable,
            _ => Fault::RefusedByUs,
        }
    }
}

impl Review {
    /// What the resident is told, as data.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the resident is told, in words.
    #[must_use]
    pub fn page(&self, language: Language) -> Page {
        self.facts.page(language)
    }

    /// The request that was verified.
    #[must_use]
    pub fn request(&self) -> &Verified<Question> {
        &self.request
    }

    /// Its page, to be kept as shown.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading::new(&About::Answer(&self.fetched.link), |language| self.page(language), self)
    }

    /// The request as it was fetched.
    pub(crate) fn fetched(&self) -> &Fetched {
        &self.fetched
    }
}

impl Wallet {
    /// Fetches a request, verifies it and compares it with what this wallet holds. Shares nothing.
    ///
    /// # Errors
    /// [`ReviewError`] with the reason of a refusal; the history keeps its code.
    pub async fn review(&self, link: &str) -> Result<Review, ReviewError> {
        self.review_wishing(link, &Wish::default()).await
    }

    /// As [`Wallet::review`], with the batch that the resident wants to answer with, by its id in [`Wallet::list`].
    ///
    /// # Errors
    /// As [`Wallet::review`].
    pub async fn review_using(&self, link: &str, using: Option<&str>) -> Result<Review, ReviewError> {
        let using = using.into_iter().map(str::to_owned).collect();
        self.review_wishing(link, &Wish { using, ..Wish::default() }).await
    }

    /// As [`Wallet::review`], with what the resident wants otherwise than by default.
    ///
    /// # Errors
    /// As [`Wallet::review`], and [`ReviewError::Wish`].
    pub async fn review_wishing(&self, link: &str, wish: &Wish) -> Result<Review, ReviewError> {
        let review = self.look_as(link, wish, None).await;
        self.noted_review(review).await
    }

    /// Keeps the code of a refusal in the history.
    pub(super) async fn noted_review(
        &self,
        review: Result<Review, ReviewError>,
    ) -> Result<Review, ReviewError> {
        if let Err(refused) = &review {
            let event = Event::Failed { asked: None, code: refused.code().to_owned() };
            self.record(event).await?;
        }
        review
    }

    /// As [`Wallet::look_as`], of the request as it was shown where it was, and without fetching it then.
    pub(crate) async fn look_at(
        &self,
        link: &str,
        wish: &Wish,
        person: Option<&str>,
        seen: Option<&Seen>,
    ) -> Result<Review, ReviewError> {
        match seen {
            Some(seen) => self.look_wishing(&seen.fetched, wish, person).await,
            None => self.look_as(link, wish, person).await,
        }
    }

    /// As [`Wallet::review_wishing`], answering for one person of several, and without a trace in the history.
    pub(crate) async fn look_as(
        &self,
        link: &str,
        wish: &Wish,
        person: Option<&str>,
    ) -> Result<Review, ReviewError> {
        let link = Link::parse(link.trim())?;
        let pinned = trust::pinned(&self.vault).await?;
        if pinned.is_empty() {
            return Err(ReviewError::NoTrust);
        }
        let wallet_nonce = match link.method {
            Method::Post => Some(entropy::token32(&*self.machine.entropy)),
            Method::Get => None,
        };
        let given = kept::standing(&self.vault).await?;
        let object = self.fetch(&link, wallet_nonce.as_deref()).await?;
        let request = match self.verify(&object, &link, wallet_nonce.as_deref(), (&pinned, &given)) {
            Ok(request) => request,
            Err(refused) => {
                self.tell(&object, &link, wallet_nonce.as_deref(), &pinned, &refused).await;
                return Err(refused.into());
            }
        };
        let registrar = &request.service().iss;
        trust::saw(&self.vault, registrar, request.reg_version(), &*self.machine.entropy).await?;
        let facts = self.assessed(&request, wish, person).await?;
        let fetched = Fetched { link: link.to_string(), object, wallet_nonce };
        Ok(Review { facts, request, fetched })
    }

    async fn assessed(
        &self,
        request: &Verified<Question>,
        wish: &Wish,
        person: Option<&str>,
    ) -> Result<Facts, ReviewError> {
        assess(&self.vault, request, self.machine.clock.now(), wish, person).await
    }

    /// Verifies once more a request that was reviewed, and compares it with what this wallet holds now.
    pub(crate) async fn look_again(
        &self,
        fetched: &Fetched,
        person: Option<&str>,
    ) -> Result<Review, ReviewError> {
        self.look_wishing(fetched, &Wish::default(), person).await
    }

    async fn look_wishing(
        &self,
        fetched: &Fetched,
        wish: &Wish,
        person: Option<&str>,
    ) -> Result<Review, ReviewError> {
        let (link, pinned) = (Link::parse(&fetched.link)?, trust::pinned(&self.vault).await?);
        let given = kept::standing(&self.vault).await?;
        let nonce = fetched.wallet_nonce.as_deref();
        let request = self.verify(&fetched.object, &link, nonce, (&pinned, &given))?;
        let facts = self.assessed(&request, wish, person).await?;
        Ok(Review { facts, request, fetched: fetched.clone() })
    }

    async fn fetch(&self, link: &Link, wallet_nonce: Option<&str>) -> Result<String, ReviewError> {
        let form = wallet_nonce.map(|nonce| Zeroizing::new(fetch_form(nonce).into_bytes()));
        let body = form.map(|form| ("application/x-www-form-urlencoded", form));
        let url = link.request_uri.as_str();
        let request =
            Outgoing { url, accept: REQUEST_OBJECT, body, token: None, proof: None, most: MAX_REQUEST };
        let reply: Incoming = http::send(&*self.machine.http, request).await?;
        // OpenID4VP 5.10.2: an HTTP error or a redirect ends the flow.
        if !(mutants::skips("wallet-request-status") || reply.status == 200) {
            return Err(ReviewError::Gone);
        }
        if !(mutants::skips("wallet-request-type") || reply.content_type == REQUEST_OBJECT) {
            return Err(ReviewError::NotARequest);
        }
        String::from_utf8(reply.body.to_vec()).map_err(|_| ReviewError::NotARequest)
    }

    /// Tells a service that the register knows by which code its request is refused (OpenID4VP 8.5). Nothing about the
    /// resident is in it; whether it arrives changes nothing.
    async fn tell(
        &self,
        object: &str,
        link: &Link,
        wallet_nonce: Option<&str>,
        pinned: &[Pinned],
        refused: &RequestError,
    ) {
        let reply = pinned.iter().find_map(|known| {
            Unverified::parse(object).ok()?.error_reply(&self.expected(known, link, wallet_nonce))
        });
        let Some(reply) = reply else { return };
        let form = Zeroizing::new(error_form(refused.code(), &reply.state).into_bytes());
        // Best effort: a service that does not listen sees its request expire.
        let _ = self.post_once(&reply.response_uri, form).await;
    }

    fn expected<'a>(
        &'a self,
        known: &'a Pinned,
        link: &'a Link,
        wallet_nonce: Option<&'a str>,
    ) -> Expected<'a> {
        let judge = Judge {
            registrar: &known.file.registrar,
            last_seen: known.last_seen,
            now: self.machine.clock.now(),
            verifier: &Jws,
        };
        let (client_id, env, anchors) = (link.client_id.as_str(), self.machine.env, &known.file.anchors);
        Expected { client_id, wallet_nonce, env, anchors, judge }
    }

    /// Verifies under the first pinned registrar that knows the service, with that registrar's anchors.
    fn verify(
        &self,
        object: &str,
        link: &Link,
        wallet_nonce: Option<&str>,
        (pinned, given): (&[Pinned], &[(String, Date)]),
    ) -> Result<Verified<Question>, RequestError> {
        let given: Vec<Given<'_>> = given.iter().map(|(entry, on)| Given { entry, on: *on }).collect();
        let mut refused = None;
        for known in pinned {
            let expected = self.expected(known, link, wallet_nonce);
            match Unverified::parse(object)?.verify_question_again(&expected, &given) {
                Err(unknown) if is_unknown(&unknown) => refused = refused.or(Some(unknown)),
                other => return other,
            }
        }
        Err(refused.unwrap_or(RequestError::Info))
    }
}

/// Whether this registrar knows nothing of the service, so that another may.
fn is_unknown(refused: &RequestError) -> bool {
    use RequestError::{Certificate, Service};
    matches!(
        refused,
        Certificate(_) | Service(TrustError::UnknownKey | TrustError::Signature | TrustError::Issuer)
    )
}

/// Who asked and what for, in the register's words.
pub(crate) fn asked(request: &Verified<Question>) -> Asked {
    let (service, purpose) = (request.service(), request.purpose());
    Asked {
        service_id: service.sub.clone(),
        service: service.name.clone(),
        purpose_id: purpose.sub.clone(),
        purpose: purpose.text.clone(),
        retention_days: purpose.retention_days.into(),
    }
}
