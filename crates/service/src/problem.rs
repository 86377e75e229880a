//! What goes wrong, as our own API says it: RFC 9457 problem details.
//!
//! Every text in a [`Problem`] is part of the program, so that no value, token or error text of a library can leave
//! by this door. OpenID and OAuth endpoints answer with [`crate::oauth::OauthError`] instead.
//!
//! Each carries a [`Reference`], which the log line has too. What concerns one transaction has the transaction's own, so
//! that the resident who reads it from a page and the service that reads it from a problem name the same thing.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::entropy::{self, OsEntropy};

/// The prefix of every problem type; the code follows it.
const TYPE: &str = "urn:vouchsafe:problem:";

/// How many letters a reference has: 60 bits, short enough to be read out.
const LETTERS: usize = 12;

/// A short name that people read out to each other and look up in the log. It leads to nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// A name for this one occurrence.
    #[must_use]
    pub fn draw() -> Self {
        Self(entropy::code(&OsEntropy::new(), LETTERS))
    }

    /// The name of what has this digest, which must be keyed: the name is shown to people.
    #[must_use]
    pub fn of(digest: &[u8; 32]) -> Self {
        Self(entropy::crockford(&digest[..LETTERS]))
    }

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A refusal or failure in words of the program alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<&'static str>,
    pointer: Option<&'static str>,
    retry_after_s: Option<u32>,
    challenge: Option<&'static str>,
    reference: Option<Reference>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// Names what it is about, so that whoever reports it and whoever reads the log mean the same.
    reference: &'a str,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(code: &'static str, title: &'static str) -> Self {
            Self::new(StatusCode::$status, code, title)
        })*
    };
}

impl Problem {
    /// A problem with a status, a stable kebab-case code and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        let (detail, pointer, retry_after_s) = (None, None, None);
        Self { status, code, title, detail, pointer, retry_after_s, challenge: None, reference: None }
    }

    problems! {
        /// 400: the request cannot be understood.
        bad_request = BAD_REQUEST;
        /// 401: who is calling was not shown.
        unauthorized = UNAUTHORIZED;
        /// 403: the caller may not do this.
        forbidden = FORBIDDEN;
        /// 404: there is no such thing, or not for this caller.
        not_found = NOT_FOUND;
        /// 409: it is not in the state that the request expects.
        conflict = CONFLICT;
        /// 410: it existed and is over.
        gone = GONE;
        /// 413: the body is over the limit.
        too_large = PAYLOAD_TOO_LARGE;
        /// 415: the content type is not one that is read here.
        unsupported = UNSUPPORTED_MEDIA_TYPE;
        /// 422: understood, and not acceptable.
        unprocessable = UNPROCESSABLE_ENTITY;
        /// 429: too many, too fast.
        too_many = TOO_MANY_REQUESTS;
    }

    /// 503: busy or a part is down; nothing was changed, and trying again is right.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service is busy. Try again.")
            .retry_after(1)
    }

    /// 500: our own fault.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The service failed.")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Adds the JSON pointer of the member at fault.
    #[must_use]
    pub fn pointer(mut self, pointer: &'static str) -> Self {
        self.pointer = Some(pointer);
        self
    }

    /// Adds after how many seconds trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds how the caller may show who it is (RFC 9110, 11.6.1).
    #[must_use]
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Says which transaction it is about.
    #[must_use]
    pub fn about(mut self, reference: Reference) -> Self {
        self.reference = Some(reference);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The body, as it is sent under this reference.
    #[must_use]
    pub fn body(&self, reference: &Reference) -> Vec<u8> {
        let body = Body {
            r#type: format!("{TYPE}{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            pointer: self.pointer,
            reference: reference.as_str(),
        };
        serde_json::to_vec(&body).expect("strings and numbers always serialise")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let reference = self.reference.clone().unwrap_or_else(Reference::draw);
        let (code, name) = (self.code, reference.as_str());
        if self.status.is_server_error() {
            tracing::warn!(problem.code = code, problem.reference = name, "answered with a problem");
        } else {
            tracing::info!(problem.code = code, problem.reference = name, "refused a call");
        }
        let mut response = (self.status, self.body(&reference)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn json(response: Response) -> serde_json::Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_rfc_9457() {
        let response =
            Problem::gone("request-expired", "The request is over.").detail("Ask again.").into_response();
        assert_eq!(response.status(), 410);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = json(response).await;
        assert_eq!(body["type"], "urn:vouchsafe:problem:request-expired");
        assert_eq!(body["title"], "The request is over.");
        assert_eq!(body["status"], 410);
        assert_eq!(body["detail"], "Ask again.");
        assert_eq!(body["reference"].as_str().unwrap().len(), 12);
        assert!(body.get("pointer").is_none());
    }

    #[tokio::test]
    async fn a_problem_about_a_transaction_has_its_reference_each_time() {
        let reference = Reference::of(&[0xE1; 32]);
        assert_eq!((reference.as_str(), Reference::draw().as_str().len()), ("111111111111", 12));
        for _ in 0..2 {
            let response = Problem::internal().about(reference.clone()).into_response();
            assert_eq!(json(response).await["reference"], "111111111111");
        }
    }

    #[test]
    fn a_challenge_says_how_to_call() {
        let response =
            Problem::unauthorized("no-credentials", "Who calls?").challenge("Bearer").into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }

    #[tokio::test]
    async fn unavailable_says_when_to_come_back() {
        let response = Problem::unavailable().into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
