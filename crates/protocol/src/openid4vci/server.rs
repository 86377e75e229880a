//! Authorisation server metadata (section 12.3, RFC 8414, RFC 9449 section 5.1).

use serde::{Deserialize, Serialize};
use vouchsafe_mutants as mutants;

use super::PRE_AUTHORIZED_GRANT;
use super::authorization;
use super::metadata::{MAX_METADATA, MetadataError};
use crate::dpop;
use crate::json;

/// Authorisation server metadata, as far as the pre-authorised code needs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// Its identifier.
    pub issuer: String,
    /// Where tokens are; a server without the endpoint is of no use here.
    #[serde(default)]
    pub token_endpoint: String,
    /// Its grants.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of proofs that tokens can be bound by; none where it binds no tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// The types of authorisation details.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types_supported: Vec<String>,
    /// The scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// What authorisation requests may ask for; none, as there is no authorisation endpoint.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// Whether a client id may be left out.
    #[serde(rename = "pre-authorized_grant_anonymous_access_supported", default)]
    pub anonymous_access: bool,
}

impl ServerMetadata {
    /// The metadata of an issuer that is its own authorisation server.
    #[must_use]
    pub fn of(issuer: &str, token_endpoint: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: token_endpoint.to_owned(),
            grant_types_supported: vec![PRE_AUTHORIZED_GRANT.to_owned()],
            token_endpoint_auth_methods_supported: vec!["none".to_owned()],
            dpop_signing_alg_values_supported: Vec::new(),
            authorization_details_types_supported: vec![authorization::TYPE.to_owned()],
            scopes_supported: Vec::new(),
            response_types_supported: Vec::new(),
            anonymous_access: true,
        }
    }

    /// The same for a server that binds tokens to keys.
    #[must_use]
    pub fn with_dpop(self) -> Self {
        let algorithms = dpop::ALGORITHMS.iter().map(|alg| alg.as_str().to_owned());
        Self { dpop_signing_alg_values_supported: algorithms.collect(), ..self }
    }

    /// Whether it binds tokens to keys of an algorithm that we sign with.
    #[must_use]
    pub fn binds_tokens(&self) -> bool {
        let known = |name: &String| dpop::ALGORITHMS.iter().any(|alg| alg.as_str() == name);
        self.dpop_signing_alg_values_supported.iter().any(known)
    }

    /// Reads the metadata of the server `issuer`.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn parse(text: &[u8], issuer: &str) -> Result<Self, MetadataError> {
        let metadata: Self = json::typed(text, MAX_METADATA).map_err(|_| MetadataError::Malformed)?;
        if !(mutants::skips("vci-server-issuer") || metadata.issuer == issuer) {
            return Err(MetadataError::Issuer);
        }
        if !(mutants::skips("vci-server-endpoint") || metadata.token_endpoint.starts_with("https://")) {
            return Err(MetadataError::Endpoint);
        }
        let grant = metadata.grant_types_supported.iter().any(|grant| grant == PRE_AUTHORIZED_GRANT);
        if !(mutants::skips("vci-server-grant") || (grant && metadata.anonymous_access)) {
            return Err(MetadataError::Grant);
        }
        Ok(metadata)
    }
}
