//! Error codes of the token, credential and notification endpoints, and their bodies.

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
        /// More than was offered.
        InvalidScope = "invalid_scope",
        /// Of another type or form, or more than was offered (RFC 9396 section 5).
        InvalidAuthorizationDetails = "invalid_authorization_details",
        /// The proof of possession of the client's key is missing or wrong (RFC 9449 section 5).
        InvalidDpopProof = "invalid_dpop_proof",
        /// The proof lacks a live nonce, which stands in the `DPoP-Nonce` header (RFC 9449 section 8).
        UseDpopNonce = "use_dpop_nonce",
    }
}

codes! {
    /// Errors of the credential endpoint (section 8.3.1) and of the deferred one (section 9.3).
    CredentialError {
        /// A member is missing, of another type, or there are too many proofs.
        InvalidCredentialRequest = "invalid_credential_request",
        /// The configuration is not offered here.
        UnknownCredentialConfiguration = "unknown_credential_configuration",
        /// The token response gave no such identifier.
        UnknownCredentialIdentifier = "unknown_credential_identifier",
        /// Proofs are missing or wrong.
        InvalidProof = "invalid_proof",
        /// The nonce is unknown, old or spent: fetch a new one.
        InvalidNonce = "invalid_nonce",
        /// Encryption is wrong, or required and missing.
        InvalidEncryptionParameters = "invalid_encryption_parameters",
        /// Finally refused.
        CredentialRequestDenied = "credential_request_denied",
        /// There is no such transaction, not with this token, or its copies were collected.
        InvalidTransactionId = "invalid_transaction_id",
        /// The person is registered with another link secret, or this one with another person. Ours, unregistered: what
        /// mends it is a visit to the counter.
        OtherWallet = "urn:vouchsafe:other_wallet:1",
    }
}

codes! {
    /// Errors of the notification endpoint (section 11.3).
    NotificationError {
        /// There was no such notification id, or not with this token.
        InvalidNotificationId = "invalid_notification_id",
        /// A member is missing, of another type or unknown.
        InvalidNotificationRequest = "invalid_notification_request",
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
