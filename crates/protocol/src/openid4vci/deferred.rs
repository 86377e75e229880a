//! Deferred issuance (section 9): a request that is answered later.
//!
//! Security: a transaction is good with the access token of the request that it came from, and for the keys whose
//! possession was proved there; a request for it names neither keys nor a configuration, so nobody can put others in.
//! Whether and how the answer is encrypted follows the later request alone (section 9.1).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::credential::{Carriage, MAX_MESSAGE, ResponseKey, Wish, decrypted, response_wish};
use super::errors::CredentialError;
use crate::jose::{Aead, KeyAgreement};
use crate::json;

/// What a request is answered with that is put off: status 202.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its name, a secret between issuer and wallet.
    pub transaction_id: String,
    /// The seconds to wait before asking.
    pub interval: u32,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl Transaction {
    /// Its JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a transaction is a string and an integer")
    }
}

/// A request for what was put off.
#[derive(Serialize)]
pub struct Request {
    /// The transaction.
    pub transaction_id: String,
    /// How to encrypt the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_response_encryption: Option<Wish>,
}

impl Request {
    /// Its JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a request is strings and objects")
    }
}

/// A request that was read.
pub struct Received {
    /// The transaction.
    pub transaction_id: String,
    /// The response key, where one was sent in an encrypted request.
    pub response: Option<ResponseKey>,
    /// How the request came.
    pub carriage: Carriage,
}

impl Received {
    /// Reads a plain request.
    ///
    /// # Errors
    /// The code of section 9.3.
    pub fn plain(body: &[u8]) -> Result<Self, CredentialError> {
        Self::read(body, Carriage::Plain)
    }

    /// Decrypts and reads an encrypted request.
    ///
    /// # Errors
    /// The code of section 9.3.
    pub fn encrypted(
        body: &str,
        kid: &str,
        key: &dyn KeyAgreement,
        aead: &dyn Aead,
    ) -> Result<Self, CredentialError> {
        Self::read(&decrypted(body, kid, key, aead)?, Carriage::Encrypted)
    }

    fn read(body: &[u8], carriage: Carriage) -> Result<Self, CredentialError> {
        let malformed = CredentialError::InvalidCredentialRequest;
        let members = json::object(body, MAX_MESSAGE).map_err(|_| malformed)?;
        let transaction = members.get("transaction_id").and_then(Value::as_str).ok_or(malformed)?;
        let response = response_wish(&members, carriage)?;
        Ok(Self { transaction_id: transaction.to_owned(), response, carriage })
    }
}
