//! The token endpoint for the pre-authorised code (section 6), and the nonce endpoint (section 7).
//!
//! Security: the issuer spends the code only on success, counts wrong transaction codes, compares in constant
//! time, and answers an unknown code as it answers a wrong one ([`TokenError::InvalidGrant`]). A bearer token
//! lives five minutes at most; one that is bound to a key ([`crate::dpop`]) may live longer. Neither is ever taken from
//! a query string.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::PRE_AUTHORIZED_GRANT;
use super::authorization::{self, Detail};
use super::errors::TokenError;
use crate::form::{self, Form};
use crate::json;

/// The most bytes of a token request or response.
pub const MAX_TOKEN_MESSAGE: usize = 8 * 1024;

/// The longest life of a bearer token, in seconds.
pub const MAX_TOKEN_TTL: u32 = 300;

/// What a client brings for a token.
///
/// The seam of the authorisation code flow: its grant (RFC 6749 section 4.1.3, with the verifier of RFC 7636) is a
/// second variant here, read in [`TokenRequest::parse`] and redeemed by an arm of its own in the issuer's token
/// endpoint. What a token is good for, and everything after it, is the same for both.
pub enum Grant {
    /// The code of an offer (section 6.1).
    PreAuthorized {
        /// The code.
        code: Zeroizing<String>,
        /// The transaction code, where one was sent.
        tx_code: Option<Zeroizing<String>>,
    },
}

/// A token request.
pub struct TokenRequest {
    /// What it is asked for with.
    pub grant: Grant,
    /// What it is asked for, by authorisation details.
    pub details: Option<Vec<Detail>>,
    /// What it is asked for, by scopes; unknown ones are ignored (section 5.1.2).
    pub scopes: Vec<String>,
}

impl TokenRequest {
    /// The request of a wallet that follows an offer and takes what it grants.
    #[must_use]
    pub fn pre_authorized(code: &str, tx_code: Option<&str>) -> Self {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let grant = Grant::PreAuthorized { code: secret(code), tx_code: tx_code.map(secret) };
        Self { grant, details: None, scopes: Vec::new() }
    }

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
        // RFC 6749 3.2: a parameter without a value counts as omitted; it is no try at the code.
        let tx_code = form.member("tx_code").filter(|code| !code.is_empty());
        let read = Self::pre_authorized(code.ok_or(TokenError::InvalidRequest)?, tx_code);
        let details = form.member("authorization_details").map(authorization::parse).transpose()?;
        let scopes = form.member("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
        Ok(Self { details, scopes: scopes.map(str::to_owned).collect(), ..read })
    }

    /// The form.
    #[must_use]
    pub fn write(&self) -> String {
        let Grant::PreAuthorized { code, tx_code } = &self.grant;
        let details = self.details.as_deref().map(authorization::write);
        let scope = self.scopes.join(" ");
        let mut members = vec![("grant_type", PRE_AUTHORIZED_GRANT), ("pre-authorized_code", code.as_str())];
        members.extend(tx_code.as_ref().map(|code| ("tx_code", code.as_str())));
        members.extend(details.as_deref().map(|details| ("authorization_details", details)));
        members.extend(Some(scope.as_str()).filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
        form::write(&members)
    }

    /// Whether a transaction code came if and only if the offer asked for one.
    ///
    /// # Errors
    /// [`TokenError::InvalidRequest`], which says nothing about the code itself.
    pub fn check_tx_code(&self, expected: bool) -> Result<(), TokenError> {
        let Grant::PreAuthorized { tx_code, .. } = &self.grant;
        if !(mutants::skips("vci-tx-code-missing") || !expected || tx_code.is_some()) {
            return Err(TokenError::InvalidRequest);
        }
        if !(mutants::skips("vci-tx-code-unexpected") || expected || tx_code.is_none()) {
            return Err(TokenError::InvalidRequest);
        }
        Ok(())
    }

    /// Compares the transaction code with `expected` in a time that does not depend on either.
    #[must_use]
    pub fn tx_code_is(&self, expected: &str) -> bool {
        let Grant::PreAuthorized { tx_code, .. } = &self.grant;
        let sent = tx_code.as_deref().map(String::as_bytes).unwrap_or_default();
        mutants::skips("vci-tx-code") || bool::from(sent.ct_eq(expected.as_bytes()))
    }
}

/// How a token is sent with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Alone (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    Dpop,
}

impl TokenType {
    /// The scheme in the `Authorization` header, and `token_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// The type of that name, without regard to case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop].into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name))
    }
}

/// A token response.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The token.
    pub access_token: String,
    /// `Bearer` or `DPoP`.
    pub token_type: String,
    /// Seconds that it lives.
    pub expires_in: u32,
    /// What it is good for, where scopes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What it is good for, where authorisation details were sent: then requests name an identifier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<Detail>,
}

impl TokenResponse {
    /// A bearer token that lives `expires_in` seconds, five minutes at most.
    #[must_use]
    pub fn bearer(access_token: String, expires_in: u32) -> Self {
        Self::of(access_token, TokenType::Bearer, expires_in.min(MAX_TOKEN_TTL))
    }

    /// A token that is bound to the key of the request's proof.
    #[must_use]
    pub fn dpop(access_token: String, expires_in: u32) -> Self {
        Self::of(access_token, TokenType::Dpop, expires_in)
    }

    fn of(access_token: String, token_type: TokenType, expires_in: u32) -> Self {
        let token_type = token_type.as_str().to_owned();
        Self { access_token, token_type, expires_in, scope: None, authorization_details: Vec::new() }
    }

    /// Reads a response; `None` where the token is of another type than was asked for. Who sent a proof takes no
    /// bearer token: whoever stood between could have taken the proof away.
    #[must_use]
    pub fn parse(body: &[u8], wanted: TokenType) -> Option<Self> {
        let response: Self = json::typed(body, MAX_TOKEN_MESSAGE).ok()?;
        let of_type = TokenType::from_name(&response.token_type) == Some(wanted);
        let given = of_type && !response.access_token.is_empty();
        (mutants::skips("vci-token-type") || given).then_some(response)
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
        TokenRequest::pre_authorized("c0de", tx_code)
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let read = TokenRequest::parse(request(Some("493536")).write().as_bytes()).unwrap();
        let Grant::PreAuthorized { code, tx_code } = read.grant;
        assert_eq!((code.as_str(), tx_code.as_deref().map(String::as_str)), ("c0de", Some("493536")));
        let asked = TokenRequest {
            details: Some(vec![Detail::of("residency")]),
            scopes: vec!["residency".into(), "other".into()],
            ..request(None)
        };
        let read = TokenRequest::parse(asked.write().as_bytes()).unwrap();
        assert_eq!((&read.details, &read.scopes), (&asked.details, &asked.scopes));
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
    fn only_a_token_of_the_type_that_was_asked_for_is_taken() {
        let answer = |token_type: &str| {
            format!(r#"{{"access_token":"a","token_type":"{token_type}","expires_in":60}}"#)
        };
        let taken = |token_type: &str, wanted| TokenResponse::parse(answer(token_type).as_bytes(), wanted);
        assert!(taken("bearer", TokenType::Bearer).is_some() && taken("DPoP", TokenType::Dpop).is_some());
        assert!(taken("DPoP", TokenType::Bearer).is_none() && taken("Bearer", TokenType::Dpop).is_none());
        assert!(taken("N_A", TokenType::Bearer).is_none());
        assert_eq!(TokenResponse::bearer("a".into(), 3600).expires_in, 300);
        assert_eq!(TokenResponse::dpop("a".into(), 3600).expires_in, 3600);
        assert!(NonceResponse::parse(br#"{"c_nonce":""}"#).is_none());
    }
}
