//! The token endpoint for the pre-authorised code (section 6), and the nonce endpoint (section 7).
//!
//! Security: the issuer spends the code only on success, counts wrong transaction codes, compares in constant
//! time, and answers an unknown code as it answers a wrong one ([`TokenError::InvalidGrant`]). A bearer token
//! lives five minutes at most and is never taken from a query string.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::PRE_AUTHORIZED_GRANT;
use super::errors::TokenError;
use crate::form::{self, Form};
use crate::json;

/// The most bytes of a token request or response.
pub const MAX_TOKEN_MESSAGE: usize = 8 * 1024;

/// The longest life of a bearer token, in seconds.
pub const MAX_TOKEN_TTL: u32 = 300;

/// A token request for a pre-authorised code.
pub struct TokenRequest {
    /// The code.
    pub code: Zeroizing<String>,
    /// The transaction code, where one was sent.
    pub tx_code: Option<Zeroizing<String>>,
}

impl TokenRequest {
    /// Reads the form.
    ///
    /// # Errors
    /// The code of section 6.3.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let form = Form::parse(body, MAX_TOKEN_MESSAGE).map_err(|_| TokenError::InvalidRequest)?;
        let grant = form.member("grant_type").ok_or(TokenError::InvalidRequest)?;
        if !(mutants::skips("vci-grant-type") || grant == PRE_AUTHORIZED_GRANT) {
            return Err(TokenError::UnsupportedGrantType);
        }
        let code = form.member("pre-authorized_code").filter(|code| !code.is_empty());
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        Ok(Self {
            code: secret(code.ok_or(TokenError::InvalidRequest)?),
            tx_code: form.member("tx_code").map(secret),
        })
    }

    /// The form.
    #[must_use]
    pub fn write(&self) -> String {
        let mut members =
            vec![("grant_type", PRE_AUTHORIZED_GRANT), ("pre-authorized_code", self.code.as_str())];
        if let Some(tx_code) = &self.tx_code {
            members.push(("tx_code", tx_code));
        }
        form::write(&members)
    }

    /// Whether a transaction code came if and only if the offer asked for one.
    ///
    /// # Errors
    /// [`TokenError::InvalidRequest`], which says nothing about the code itself.
    pub fn check_tx_code(&self, expected: bool) -> Result<(), TokenError> {
        if !(mutants::skips("vci-tx-code-missing") || !expected || self.tx_code.is_some()) {
            return Err(TokenError::InvalidRequest);
        }
        if !(mutants::skips("vci-tx-code-unexpected") || expected || self.tx_code.is_none()) {
            return Err(TokenError::InvalidRequest);
        }
        Ok(())
    }

    /// Compares the transaction code with `expected` in a time that does not depend on either.
    #[must_use]
    pub fn tx_code_is(&self, expected: &str) -> bool {
        let sent = self.tx_code.as_deref().map(String::as_bytes).unwrap_or_default();
        mutants::skips("vci-tx-code") || bool::from(sent.ct_eq(expected.as_bytes()))
    }
}

/// A token response.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The bearer token.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds that it lives.
    pub expires_in: u32,
}

impl TokenResponse {
    /// A bearer token that lives `expires_in` seconds, five minutes at most.
    #[must_use]
    pub fn bearer(access_token: String, expires_in: u32) -> Self {
        Self { access_token, token_type: "Bearer".into(), expires_in: expires_in.min(MAX_TOKEN_TTL) }
    }

    /// Reads a response; `None` where it is no bearer token.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let response: Self = json::typed(body, MAX_TOKEN_MESSAGE).ok()?;
        let bearer = response.token_type.eq_ignore_ascii_case("bearer") && !response.access_token.is_empty();
        (mutants::skips("vci-token-type") || bearer).then_some(response)
    }
}

/// The answer of the nonce endpoint.
#[derive(Clone, Serialize, Deserialize)]
pub struct NonceResponse {
    /// The nonce for proofs of possession.
    pub c_nonce: String,
}

impl NonceResponse {
    /// Reads a response.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        json::typed::<Self>(body, MAX_TOKEN_MESSAGE).ok().filter(|response| !response.c_nonce.is_empty())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn request(tx_code: Option<&str>) -> TokenRequest {
        let tx_code = tx_code.map(|code| Zeroizing::new(code.to_owned()));
        TokenRequest { code: Zeroizing::new("c0de".into()), tx_code }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let read = TokenRequest::parse(request(Some("493536")).write().as_bytes()).unwrap();
        assert_eq!(
            (read.code.as_str(), read.tx_code.as_deref().map(String::as_str)),
            ("c0de", Some("493536"))
        );
    }

    #[test]
    fn requests_that_are_refused() {
        let refused = |body: &str| TokenRequest::parse(body.as_bytes()).err().unwrap();
        let grant = form::write(&[("grant_type", PRE_AUTHORIZED_GRANT)]);
        assert_eq!(refused(""), TokenError::InvalidRequest);
        assert_eq!(refused(&grant), TokenError::InvalidRequest);
        assert_eq!(refused(&format!("{grant}&pre-authorized_code=")), TokenError::InvalidRequest);
        assert_eq!(
            refused(&format!("{grant}&pre-authorized_code=a&pre-authorized_code=b")),
            TokenError::InvalidRequest
        );
        assert_eq!(
            refused("grant_type=authorization_code&pre-authorized_code=a"),
            TokenError::UnsupportedGrantType
        );
    }

    #[test]
    fn a_transaction_code_comes_when_it_is_expected() {
        assert_eq!(request(None).check_tx_code(true), Err(TokenError::InvalidRequest));
        assert_eq!(request(Some("1")).check_tx_code(false), Err(TokenError::InvalidRequest));
        assert_eq!(request(Some("1")).check_tx_code(true), Ok(()));
        assert_eq!(request(None).check_tx_code(false), Ok(()));
        assert!(request(Some("493536")).tx_code_is("493536"));
        for wrong in ["493537", "49353", "4935366", ""] {
            assert!(!request(Some("493536")).tx_code_is(wrong), "{wrong}");
        }
        assert!(!request(None).tx_code_is("493536"));
    }

    #[test]
    fn only_bearer_tokens_are_taken() {
        assert!(
            TokenResponse::parse(br#"{"access_token":"a","token_type":"bearer","expires_in":60}"#).is_some()
        );
        assert!(
            TokenResponse::parse(br#"{"access_token":"a","token_type":"DPoP","expires_in":60}"#).is_none()
        );
        assert_eq!(TokenResponse::bearer("a".into(), 3600).expires_in, 300);
        assert!(NonceResponse::parse(br#"{"c_nonce":""}"#).is_none());
    }
}
