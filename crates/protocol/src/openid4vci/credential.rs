//! Credential requests and responses (section 8), in clear and encrypted (section 10).
//!
//! A request that asks for an encrypted response must itself be encrypted, or somebody between could put a key
//! of their own in. A proof configuration is answered only when both are. Compression is not offered, and refused.
//!
//! Security: the seed in a response opens every commitment of its copy. It is wiped after use, never shown, and
//! the issuer forgets it once it is sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::commitment::Seed;
use zeroize::{Zeroize as _, Zeroizing};

use super::OPENINGS_MEMBER;
use super::deferred::Transaction;
use super::errors::CredentialError;
use super::metadata::{KEY_ALG, usable_key};
use crate::encoding::{b64u, b64u_array};
use crate::jose::jwe::{Encrypted, Recipient, encrypt};
use crate::jose::{Aead, Enc, KeyAgreement, NamedJwk, PublicJwk};
use crate::json;

/// The most bytes of a plain request or response.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// What a request asks for: exactly one of the two (section 8.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A configuration, where the token response gave no identifiers.
    #[serde(rename = "credential_configuration_id")]
    Configuration(String),
    /// An identifier that the token response gave.
    #[serde(rename = "credential_identifier")]
    Identifier(String),
}

/// A credential request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What is asked for.
    #[serde(flatten)]
    pub asked: Asked,
    /// The proofs of possession, one a copy.
    pub proofs: Proofs,
    /// That all copies are to be linked to one secret, where the type says so. Ours, unregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_proof: Option<String>,
    /// How to encrypt the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_response_encryption: Option<Wish>,
}

/// Proofs of possession; only the type `jwt` is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proofs {
    /// The proofs.
    pub jwt: Vec<String>,
}

/// How a wallet wants the response encrypted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The wallet's key, with `alg`.
    pub jwk: Value,
    /// Content encryption.
    pub enc: String,
    /// Compression, which is not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
}

/// Whether a request came encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// `application/json`.
    Plain,
    /// `application/jwt`.
    Encrypted,
}

/// How the response is to be encrypted.
#[derive(Clone, Debug)]
pub struct ResponseKey {
    /// The wallet's key.
    pub key: NamedJwk,
    /// Content encryption.
    pub enc: Enc,
}

/// A request that was read, and how its response is to be sent.
#[derive(Clone, Debug)]
pub struct Received {
    /// What is asked for.
    pub asked: Asked,
    /// The proofs, not yet checked.
    pub proofs: Vec<String>,
    /// The proof about the link secret, not yet checked; types without one take no notice of it.
    pub link_proof: Option<String>,
    /// The response key, where one was sent in an encrypted request.
    pub response: Option<ResponseKey>,
    /// How the request came.
    pub carriage: Carriage,
}

impl Received {
    /// Reads a plain request.
    ///
    /// # Errors
    /// The code of section 8.3.1.
    pub fn plain(body: &[u8]) -> Result<Self, CredentialError> {
        Self::read(body, Carriage::Plain)
    }

    /// Decrypts and reads an encrypted request.
    ///
    /// # Errors
    /// The code of section 8.3.1.
    pub fn encrypted(
        body: &str,
        kid: &str,
        key: &dyn KeyAgreement,
        aead: &dyn Aead,
    ) -> Result<Self, CredentialError> {
        Self::read(&decrypted(body, kid, key, aead)?, Carriage::Encrypted)
    }

    fn read(body: &[u8], carriage: Carriage) -> Result<Self, CredentialError> {
        let members =
            json::object(body, MAX_MESSAGE).map_err(|_| CredentialError::InvalidCredentialRequest)?;
        let asked = asked(&members)?;
        let proofs = proofs(&members)?;
        let link_proof = members.get("link_proof").and_then(Value::as_str).map(str::to_owned);
        let response = response_wish(&members, carriage)?;
        Ok(Self { asked, proofs, link_proof, response, carriage })
    }

    /// Whether this request may be answered with copies that carry commitments.
    ///
    /// # Errors
    /// [`CredentialError::InvalidEncryptionParameters`] unless request and response are encrypted.
    pub fn check_proof_copies(&self) -> Result<&ResponseKey, CredentialError> {
        // A response key is read from an encrypted request alone.
        self.response.as_ref().ok_or(CredentialError::InvalidEncryptionParameters)
    }
}

/// Opens a request that was encrypted to the issuer's key `kid`.
pub(super) fn decrypted(
    body: &str,
    kid: &str,
    key: &dyn KeyAgreement,
    aead: &dyn Aead,
) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let wrong = |_| CredentialError::InvalidEncryptionParameters;
    let jwe = Encrypted::parse(body.trim()).map_err(wrong)?;
    if !(mutants::skips("vci-request-kid") || jwe.kid() == Some(kid)) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    jwe.decrypt(&Enc::ALL, key, aead).map_err(wrong)
}

/// The key to which the wallet wants its response encrypted.
pub(super) fn response_wish(
    members: &Map<String, Value>,
    carriage: Carriage,
) -> Result<Option<ResponseKey>, CredentialError> {
    let wish = members.get("credential_response_encryption");
    let wish = wish.map(|wish| json::of_value::<Wish>(wish.clone())).transpose();
    let wish = wish.map_err(|_| CredentialError::InvalidEncryptionParameters)?;
    wish.map(|wish| response_key(&wish, carriage)).transpose()
}

/// Whether a request that needs no commitments may be answered, where the metadata says `encryption_required`.
///
/// # Errors
/// [`CredentialError::InvalidEncryptionParameters`] for a plain request, or one that asks for a plain response.
pub fn check_required(
    required: bool,
    carriage: Carriage,
    response: Option<&ResponseKey>,
) -> Result<(), CredentialError> {
    if !(mutants::skips("vci-request-required") || !required || carriage == Carriage::Encrypted) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    if !(mutants::skips("vci-response-required") || !required || response.is_some()) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    Ok(())
}

/// Exactly one of configuration and identifier.
fn asked(members: &Map<String, Value>) -> Result<Asked, CredentialError> {
    match (members.get("credential_configuration_id"), members.get("credential_identifier")) {
        (Some(Value::String(id)), other) if other.is_none() || mutants::skips("vci-request-one-id") => {
            Ok(Asked::Configuration(id.clone()))
        }
        (None, Some(Value::String(id))) => Ok(Asked::Identifier(id.clone())),
        _ => Err(CredentialError::InvalidCredentialRequest),
    }
}

/// An object with exactly one member, a type that is known, and at least one proof.
fn proofs(members: &Map<String, Value>) -> Result<Vec<String>, CredentialError> {
    let proofs = members.get("proofs").ok_or(CredentialError::InvalidProof)?;
    let types = proofs.as_object().ok_or(CredentialError::InvalidProof)?;
    if !(mutants::skips("vci-request-one-type") || types.len() == 1) {
        return Err(CredentialError::InvalidProof);
    }
    let jwt = types.get("jwt").and_then(Value::as_array).filter(|all| !all.is_empty());
    let text = |proof: &Value| proof.as_str().map(str::to_owned).ok_or(CredentialError::InvalidProof);
    jwt.ok_or(CredentialError::InvalidProof)?.iter().map(text).collect()
}

fn response_key(wish: &Wish, carriage: Carriage) -> Result<ResponseKey, CredentialError> {
    // 10.2: in a plain request anybody on the way could have put the key there.
    if !(mutants::skips("vci-response-key-plain") || carriage == Carriage::Encrypted) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    if !(mutants::skips("vci-response-zip") || wish.zip.is_none()) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    let key = NamedJwk::from_value(&wish.jwk).map_err(|_| CredentialError::InvalidEncryptionParameters)?;
    let agreed = key.alg.as_deref() == Some(KEY_ALG) && key.key.to_sec1().is_some();
    if !(mutants::skips("vci-response-alg") || agreed) {
        return Err(CredentialError::InvalidEncryptionParameters);
    }
    let enc = Enc::from_name(&wish.enc).ok_or(CredentialError::InvalidEncryptionParameters)?;
    Ok(ResponseKey { key, enc })
}

impl Wish {
    /// Encryption to `key`, which the response names by `kid`.
    #[must_use]
    pub fn of(key: &PublicJwk, kid: &str, enc: Enc) -> Self {
        let named = NamedJwk {
            key: key.clone(),
            kid: Some(kid.to_owned()),
            usage: Some("enc".to_owned()),
            alg: Some(KEY_ALG.to_owned()),
        };
        Self { jwk: named.to_value(), enc: enc.as_str().to_owned(), zip: None }
    }
}

impl Request {
    /// The request of a wallet that wants an encrypted response under `key`.
    #[must_use]
    pub fn new(configuration: &str, proofs: Vec<String>, response: Option<(&PublicJwk, &str, Enc)>) -> Self {
        Self {
            asked: Asked::Configuration(configuration.to_owned()),
            proofs: Proofs { jwt: proofs },
            link_proof: None,
            credential_response_encryption: response.map(|(key, kid, enc)| Wish::of(key, kid, enc)),
        }
    }

    /// Its JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a request is strings and objects")
    }
}

/// What opens the commitments of one copy. Wiped after use, not shown.
pub struct Openings {
    seed: Seed,
    values: Map<String, Value>,
}

impl Openings {
    /// The seed, and the values of exactly the attributes without a Disclosure.
    #[must_use]
    pub fn new(seed: Seed, values: Map<String, Value>) -> Self {
        Self { seed, values }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The values by pointer.
    #[must_use]
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    fn to_value(&self) -> Value {
        serde_json::json!({"seed": b64u(self.seed.to_bytes().as_ref()), "values": self.values})
    }

    fn from_value(value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 2)?;
        let seed = b64u_array(members.get("seed")?.as_str()?).ok()?;
        let values = members.get("values")?.as_object()?.clone();
        Some(Self { seed: Seed::new(seed), values })
    }
}

impl Drop for Openings {
    fn drop(&mut self) {
        // Numbers stay where they are; the texts are dates, and what names a person.
        for value in self.values.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// One copy in a response.
pub struct Copy {
    /// The SD-JWT VC.
    pub credential: String,
    /// What opens its commitments, for a proof copy.
    pub openings: Option<Openings>,
}

/// Why a response is refused by the wallet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResponseError {
    /// It does not decrypt, or not as was asked.
    #[error("the issuer's response does not decrypt under the key that was sent")]
    Encryption,
    /// A plain response where an encrypted one was asked for.
    #[error("the issuer answered in clear although encryption was asked for")]
    Plain,
    /// Not of its form.
    #[error("the issuer's response is malformed")]
    Malformed,
    /// The issuer puts it off.
    #[error("the issuer has not decided yet")]
    Deferred,
}

/// A response that was read.
pub enum Response {
    /// The copies.
    Issued {
        /// Each of them.
        copies: Vec<Copy>,
        /// By which the issuer is told what became of them.
        notification_id: Option<String>,
    },
    /// They come later.
    Deferred(Transaction),
}

impl Response {
    /// The copies, where they came at once.
    ///
    /// # Errors
    /// [`ResponseError::Deferred`].
    pub fn copies(self) -> Result<Vec<Copy>, ResponseError> {
        match self {
            Self::Issued { copies, .. } => Ok(copies),
            Self::Deferred(_) => Err(ResponseError::Deferred),
        }
    }
}

/// Writes a response. The result holds seeds.
#[must_use]
pub fn write_response(copies: &[Copy], notification_id: Option<&str>) -> Zeroizing<Vec<u8>> {
    let element = |copy: &Copy| {
        let mut element = serde_json::json!({"credential": copy.credential});
        if let Some(openings) = &copy.openings {
            element[OPENINGS_MEMBER] = openings.to_value();
        }
        element
    };
    let credentials: Vec<_> = copies.iter().map(element).collect();
    let mut response = serde_json::json!({"credentials": credentials});
    if let Some(id) = notification_id {
        response["notification_id"] = id.into();
    }
    Zeroizing::new(serde_json::to_vec(&response).expect("a response is strings and objects"))
}

/// Reads a response in clear: copies, or the word that they come later, never both (section 8.3).
///
/// # Errors
/// [`ResponseError`].
pub fn read_response(body: &[u8]) -> Result<Response, ResponseError> {
    let members = json::object(body, MAX_MESSAGE).map_err(|_| ResponseError::Malformed)?;
    let (credentials, transaction) = (members.get("credentials"), members.get("transaction_id"));
    match (credentials, transaction) {
        (Some(all), other) if other.is_none() || mutants::skips("vci-response-both") => {
            let all = all.as_array().filter(|all| !all.is_empty()).ok_or(ResponseError::Malformed)?;
            let copies = all.iter().map(read_copy).collect::<Result<_, _>>()?;
            Ok(Response::Issued { copies, notification_id: notification_id(&members)? })
        }
        (None, Some(_)) => {
            json::of_value(members.into()).map(Response::Deferred).map_err(|_| ResponseError::Malformed)
        }
        _ => Err(ResponseError::Malformed),
    }
}

fn notification_id(members: &Map<String, Value>) -> Result<Option<String>, ResponseError> {
    let text = |id: &Value| id.as_str().map(str::to_owned).ok_or(ResponseError::Malformed);
    members.get("notification_id").map(text).transpose()
}

fn read_copy(element: &Value) -> Result<Copy, ResponseError> {
    let credential = element.get("credential").and_then(Value::as_str).ok_or(ResponseError::Malformed)?;
    let openings =
        element.get(OPENINGS_MEMBER).map(|value| Openings::from_value(value).ok_or(ResponseError::Malformed));
    Ok(Copy { credential: credential.to_owned(), openings: openings.transpose()? })
}

/// Decrypts and reads a response.
///
/// # Errors
/// [`ResponseError`].
pub fn open_response(
    body: &str,
    kid: &str,
    enc: Enc,
    key: &dyn KeyAgreement,
    aead: &dyn Aead,
) -> Result<Response, ResponseError> {
    let jwe = Encrypted::parse(body.trim()).map_err(|_| ResponseError::Encryption)?;
    if !(mutants::skips("vci-response-kid") || jwe.kid() == Some(kid)) {
        return Err(ResponseError::Encryption);
    }
    let plaintext = jwe.decrypt(&[enc], key, aead).map_err(|_| ResponseError::Encryption)?;
    read_response(&plaintext)
}

/// Encrypts a request to the issuer's key, or a response to the wallet's.
///
/// # Errors
/// [`ResponseError::Encryption`].
pub fn seal(
    plaintext: &[u8],
    to: &NamedJwk,
    enc: Enc,
    ephemeral: Box<dyn KeyAgreement>,
    aead: &dyn Aead,
    rng: &mut dyn rand_core::CryptoRngCore,
) -> Result<String, ResponseError> {
    let recipient = Recipient::new(&to.key, to.kid.as_deref(), enc);
    encrypt(plaintext, &recipient, ephemeral, aead, rng).map_err(|_| ResponseError::Encryption)
}

/// The issuer's key that a wallet encrypts requests to, out of what the metadata lists.
#[must_use]
pub fn issuer_key(jwk: &Value) -> Option<NamedJwk> {
    usable_key(jwk)
}
