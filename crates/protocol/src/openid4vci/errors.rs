//! Error codes of the token and credential endpoints, and their bodies.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// The code on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The code that a peer sent; `None` for one that is not of this endpoint.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::error::Error for $name {}
    };
}

codes! {
    /// Errors of the token endpoint (RFC 6749 section 5.2, OpenID4VCI section 6.3).
    TokenError {
        /// A member is missing or repeated; a `tx_code` that is not expected, or an expected one that is missing.
        InvalidRequest = "invalid_request",
        /// The code or the `tx_code` is wrong, expired or spent.
        InvalidGrant = "invalid_grant",
        /// The client may not ask like this.
        InvalidClient = "invalid_client",
        /// Another grant than the pre-authorised code.
        UnsupportedGrantType = "unsupported_grant_type",
    }
}

codes! {
    /// Errors of the credential endpoint (section 8.3.1).
    CredentialError {
        /// A member is missing, of another type, or there are too many proofs.
        InvalidCredentialRequest = "invalid_credential_request",
        /// The configuration is not offered here.
        UnknownCredentialConfiguration = "unknown_credential_configuration",
        /// Credential identifiers are not given out here.
        UnknownCredentialIdentifier = "unknown_credential_identifier",
        /// Proofs are missing or wrong.
        InvalidProof = "invalid_proof",
        /// The nonce is unknown, old or spent: fetch a new one.
        InvalidNonce = "invalid_nonce",
        /// Encryption is wrong, or required and missing.
        InvalidEncryptionParameters = "invalid_encryption_parameters",
        /// Finally refused.
        CredentialRequestDenied = "credential_request_denied",
    }
}

/// The body of an error. Never encrypted, never with a text that came from a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code.
    pub error: String,
    /// A sentence for developers, in the characters that RFC 6749 allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

impl ErrorBody {
    /// A body with the code alone.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self { error: code.to_owned(), error_description: None }
    }

    /// A body with a sentence of ours; characters outside RFC 6749's set are left out.
    #[must_use]
    pub fn with(code: &str, description: &str) -> Self {
        let allowed = |c: &char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        Self {
            error: code.to_owned(),
            error_description: Some(description.chars().filter(allowed).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        assert_eq!(CredentialError::from_code("invalid_nonce"), Some(CredentialError::InvalidNonce));
        assert_eq!(CredentialError::from_code("unsupported_credential_type"), None);
        assert_eq!(TokenError::InvalidGrant.to_string(), "invalid_grant");
        assert_eq!(ErrorBody::with("a", "say \"no\\\u{e9}\n").error_description.as_deref(), Some("say no"));
    }
}
