//! `client_metadata`: how the answer is encrypted, and which formats are taken (section 5.1).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::jose::{Enc, NamedJwk};
use crate::openid4vci::metadata::{strongest, usable_key};

/// The members that are used; others are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ClientMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwks: Option<Keys>,
    #[serde(default = "by_default")]
    encrypted_response_enc_values_supported: Vec<String>,
    vp_formats_supported: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

fn by_default() -> Vec<String> {
    vec![Enc::A128Gcm.as_str().to_owned()]
}

/// The key and content encryption of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseKey {
    /// The request's own key, with `kid`.
    pub key: NamedJwk,
    /// Content encryption.
    pub enc: Enc,
}

impl ClientMetadata {
    /// What a service sends: the request's own key, both content encryptions, SD-JWT VC with ES256.
    pub(super) fn new(key: Option<&NamedJwk>) -> Self {
        let algs = json!(["ES256"]);
        Self {
            jwks: key.map(|key| Keys { keys: vec![key.to_value()] }),
            encrypted_response_enc_values_supported: Enc::ALL
                .iter()
                .map(|enc| enc.as_str().to_owned())
                .collect(),
            vp_formats_supported: json!({"dc+sd-jwt": {"sd-jwt_alg_values": algs, "kb-jwt_alg_values": algs}}),
        }
    }

    /// The first key that can be encrypted to; keys of unknown types are passed over.
    pub(super) fn response_key(&self) -> Option<ResponseKey> {
        let key = self.jwks.as_ref()?.keys.iter().find_map(usable_key)?;
        Some(ResponseKey { key, enc: strongest(&self.encrypted_response_enc_values_supported)? })
    }

    /// Whether SD-JWT VC with ES256 is taken, for the credential and the key binding.
    pub(super) fn takes_sd_jwt(&self) -> bool {
        let Some(format) = self.vp_formats_supported.get("dc+sd-jwt") else { return false };
        let takes = |name: &str| match format.get(name) {
            None => true,
            Some(algs) => algs.as_array().is_some_and(|algs| algs.iter().any(|alg| alg == "ES256")),
        };
        takes("sd-jwt_alg_values") && takes("kb-jwt_alg_values")
    }
}
