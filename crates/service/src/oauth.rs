//! Errors as OAuth and OpenID endpoints say them: RFC 6749 5.2, RFC 6750 3.
//!
//! The `error` codes come from the standards and are chosen by the caller; descriptions are texts of the program.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error body `{"error": …, "error_description": …}`, never stored by a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthError {
    status: StatusCode,
    error: &'static str,
    description: Option<&'static str>,
    challenge: Option<&'static str>,
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'static str>,
}

impl OauthError {
    /// A 400 answer with a code of the standard in force at the endpoint.
    #[must_use]
    pub fn new(error: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: None, challenge: None }
    }

    /// RFC 6750 3.1 `invalid_token`: 401 with a challenge.
    #[must_use]
    pub fn invalid_token() -> Self {
        let challenge = Some(r#"Bearer error="invalid_token""#);
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_token", description: None, challenge }
    }

    /// Another status, where the standard names one.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a sentence for developers.
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// The `error` code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.error
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let body = Body { error: self.error, error_description: self.description };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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

    #[tokio::test]
    async fn the_body_is_that_of_rfc_6749() {
        let response = OauthError::new("invalid_grant").describe("The code was used.").into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], br#"{"error":"invalid_grant","error_description":"The code was used."}"#);
    }

    #[test]
    fn a_bad_token_is_challenged() {
        let response = OauthError::invalid_token().into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    }
}
