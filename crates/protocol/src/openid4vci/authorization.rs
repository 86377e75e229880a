//! `authorization_details` of type `openid_credential` (section 5.1.1, RFC 9396).
//!
//! At the token endpoint of the pre-authorised flow they narrow what the offer grants and ask for identifiers: a
//! credential request then names a `credential_identifier` (section 8.2). Leaves out `claims`: an issuer of whole
//! copies has nothing to leave out, and section 5.1.1 lets it ignore them.

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::errors::TokenError;
use crate::json;

/// The only type of authorisation details here.
pub const TYPE: &str = "openid_credential";

/// The most bytes of the parameter.
const MAX: usize = 8 * 1024;

/// One element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// [`TYPE`].
    pub r#type: String,
    /// What is asked for.
    pub credential_configuration_id: String,
    /// The issuers that it is for; required where the metadata names authorisation servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// In a token response: how a credential request names what was granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credential_identifiers: Vec<String>,
}

impl Detail {
    /// Asks for a configuration.
    #[must_use]
    pub fn of(configuration: &str) -> Self {
        Self {
            r#type: TYPE.to_owned(),
            credential_configuration_id: configuration.to_owned(),
            locations: Vec::new(),
            credential_identifiers: Vec::new(),
        }
    }

    /// The element of a token response: what was granted, and its name in requests (section 6.2).
    #[must_use]
    pub fn granted(configuration: &str, identifier: String) -> Self {
        Self { credential_identifiers: vec![identifier], ..Self::of(configuration) }
    }

    /// Whether it may be meant for the issuer `issuer`.
    #[must_use]
    pub fn is_for(&self, issuer: &str) -> bool {
        let named = self.locations.is_empty() || self.locations.iter().any(|place| place == issuer);
        mutants::skips("vci-details-locations") || named
    }
}

/// Reads the parameter.
///
/// # Errors
/// [`TokenError::InvalidAuthorizationDetails`]: no array, an empty one, or an element of another type or form.
pub fn parse(text: &str) -> Result<Vec<Detail>, TokenError> {
    let refused = |_| TokenError::InvalidAuthorizationDetails;
    let details: Vec<Detail> = json::typed(text.as_bytes(), MAX).map_err(refused)?;
    // RFC 9396 section 5: a type that is not understood is refused, not left out.
    let known = !details.is_empty() && details.iter().all(|detail| detail.r#type == TYPE);
    if !(mutants::skips("vci-details-type") || known) {
        return Err(TokenError::InvalidAuthorizationDetails);
    }
    Ok(details)
}

/// Writes the parameter.
#[must_use]
pub fn write(details: &[Detail]) -> String {
    serde_json::to_string(details).expect("details are strings")
}
