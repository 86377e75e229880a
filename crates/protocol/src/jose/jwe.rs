//! Compact encryption: ECDH-ES in direct mode on P-256, with A128GCM or A256GCM.
//!
//! RFC 7516 section 7.1 and RFC 7518 sections 4.6 and 5.3, as OpenID4VP 8.3 and OpenID4VCI 10 use them. A
//! compressed plaintext is refused (no bombs), as is any `crit`, any other algorithm and a key that was wrapped.
//!
//! Security: encryption says nothing about the sender. What comes out is as untrusted as what came in; the
//! recipient's key is destroyed with its transaction.

use rand_core::CryptoRngCore;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use vouchsafe_mutants as mutants;
use zeroize::Zeroizing;

use super::{Aead, KeyAgreement, PublicJwk};
use crate::encoding::{b64u, b64u_append, b64u_array, b64u_decode};
use crate::json;

/// The most bytes of a plaintext.
pub const MAX_PLAINTEXT: usize = 256 * 1024;

/// The most bytes of a compact JWE whose plaintext has [`MAX_PLAINTEXT`] bytes.
pub const MAX_JWE: usize = MAX_PLAINTEXT / 3 * 4 + 8 * 1024;

const MAX_HEADER: usize = 4 * 1024;

/// A content encryption algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enc {
    /// AES-GCM with a 128-bit key.
    A128Gcm,
    /// AES-GCM with a 256-bit key.
    A256Gcm,
}

impl Enc {
    /// Both, the stronger first.
    pub const ALL: [Self; 2] = [Self::A256Gcm, Self::A128Gcm];

    /// The name in the `enc` header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.as_str() == name)
    }

    /// Bytes of the key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

/// Why a message was not encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// More bytes than allowed, of the message or of its plaintext.
    #[error("the encrypted message is longer than allowed")]
    TooLong,
    /// Not five parts of canonical base64url, or parts of the wrong length.
    #[error("the encrypted message is not five well-formed parts")]
    Form,
    /// The header is not the strict JSON that is required.
    #[error("the encrypted message's header is malformed")]
    Header,
    /// `alg` is not ECDH-ES, or `enc` none of the accepted ones.
    #[error("the encryption algorithm is not accepted; use ECDH-ES with A128GCM or A256GCM")]
    Alg,
    /// Compression is not accepted.
    #[error("a compressed message is not accepted; leave out zip")]
    Compressed,
    /// A critical extension is demanded; none is implemented.
    #[error("the message demands an extension that is not implemented")]
    Critical,
    /// The ephemeral key is malformed, private, of another curve or not on it.
    #[error("the ephemeral key is not a public P-256 key")]
    EphemeralKey,
    /// The message does not open under the key. Nothing more is told.
    #[error("the message does not decrypt under our key")]
    Decrypt,
    /// Our own side failed to seal.
    #[error("the message could not be encrypted")]
    Encrypt,
}

/// To whom, and how, a message is encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The recipient's key.
    pub key: &'a PublicJwk,
    /// Its `kid`, copied into the header when there is one.
    pub kid: Option<&'a str>,
    /// The content encryption that was agreed.
    pub enc: Enc,
    /// `apu`, the sender's information; mostly empty.
    pub apu: &'a [u8],
    /// `apv`, the recipient's information; mostly empty.
    pub apv: &'a [u8],
}

impl<'a> Recipient<'a> {
    /// A recipient without party information, as OpenID4VP and OpenID4VCI have it.
    #[must_use]
    pub fn new(key: &'a PublicJwk, kid: Option<&'a str>, enc: Enc) -> Self {
        Self { key, kid, enc, apu: &[], apv: &[] }
    }
}

/// Encrypts `plaintext`. The ephemeral key is fresh and used up: that is why it comes in a box.
///
/// # Errors
/// [`JweError::TooLong`], [`JweError::EphemeralKey`] when the recipient's key does not agree with ours,
/// [`JweError::Encrypt`].
pub fn encrypt(
    plaintext: &[u8],
    recipient: &Recipient<'_>,
    ephemeral: Box<dyn KeyAgreement>,
    aead: &dyn Aead,
    rng: &mut dyn CryptoRngCore,
) -> Result<String, JweError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(JweError::TooLong);
    }
    let shared = ephemeral.agree(recipient.key).map_err(|_| JweError::EphemeralKey)?;
    let key = derive(&shared, recipient.enc, recipient.apu, recipient.apv);
    let mut nonce = [0; 12];
    rng.fill_bytes(&mut nonce);
    let mut text = b64u(header(recipient, ephemeral.public()).to_string());
    let sealed =
        aead.seal(recipient.enc, &key, &nonce, text.as_bytes(), plaintext).map_err(|_| JweError::Encrypt)?;
    let (ciphertext, tag) = sealed.split_at_checked(plaintext.len()).ok_or(JweError::Encrypt)?;
    text.push('.');
    for part in [nonce.as_slice(), ciphertext, tag] {
        text.push('.');
        b64u_append(part, &mut text);
    }
    Ok(text)
}

fn header(recipient: &Recipient<'_>, ephemeral: &PublicJwk) -> Value {
    let mut header = json!({"alg": "ECDH-ES", "enc": recipient.enc.as_str(), "epk": ephemeral.to_value()});
    if let Some(kid) = recipient.kid {
        header["kid"] = json!(kid);
    }
    for (name, party) in [("apu", recipient.apu), ("apv", recipient.apv)] {
        if !party.is_empty() {
            header[name] = json!(b64u(party));
        }
    }
    header
}

/// An encrypted message as it was received: well-formed, not decrypted.
pub struct Encrypted {
    protected: String,
    kid: Option<String>,
    enc: Enc,
    ephemeral: PublicJwk,
    apu: Vec<u8>,
    apv: Vec<u8>,
    nonce: [u8; 12],
    sealed: Vec<u8>,
}

impl Encrypted {
    /// Reads the five parts of a compact JWE.
    ///
    /// # Errors
    /// See [`JweError`].
    pub fn parse(text: &str) -> Result<Self, JweError> {
        if !(mutants::skips("jose-jwe-size") || text.len() <= MAX_JWE) {
            return Err(JweError::TooLong);
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [protected, wrapped, nonce, ciphertext, tag] = parts[..] else { return Err(JweError::Form) };
        // RFC 7518 4.6: in direct mode there is no wrapped key.
        if !(mutants::skips("jose-jwe-wrapped") || wrapped.is_empty()) {
            return Err(JweError::Form);
        }
        let decode = |part: &str| b64u_decode(part).map_err(|_| JweError::Form);
        let header = json::object(&decode(protected)?, MAX_HEADER).map_err(|_| JweError::Header)?;
        let (mut sealed, tag) = (decode(ciphertext)?, decode(tag)?);
        if !(mutants::skips("jose-jwe-size") || sealed.len() <= MAX_PLAINTEXT) {
            return Err(JweError::TooLong);
        }
        // RFC 7518 5.3: 128 bits, or a message could be cut between its parts in more than one way.
        if !(mutants::skips("jose-jwe-tag") || tag.len() == 16) {
            return Err(JweError::Form);
        }
        sealed.extend_from_slice(&tag);
        let nonce = b64u_array(nonce).map_err(|_| JweError::Form)?;
        Self::of_header(&header, protected, nonce, sealed)
    }

    fn of_header(
        header: &Map<String, Value>,
        protected: &str,
        nonce: [u8; 12],
        sealed: Vec<u8>,
    ) -> Result<Self, JweError> {
        let absent = |name: &str| header.get(name).is_none();
        if !(mutants::skips("jose-jwe-crit") || absent("crit")) {
            return Err(JweError::Critical);
        }
        if !(mutants::skips("jose-jwe-zip") || absent("zip")) {
            return Err(JweError::Compressed);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.as_str())),
            Some(_) => Err(JweError::Header),
        };
        if !(mutants::skips("jose-jwe-alg") || text("alg")? == Some("ECDH-ES")) {
            return Err(JweError::Alg);
        }
        let party = |name: &str| b64u_decode(text(name)?.unwrap_or_default()).map_err(|_| JweError::Header);
        let ephemeral = PublicJwk::from_value(header.get("epk").unwrap_or(&Value::Null));
        Ok(Self {
            protected: protected.to_owned(),
            kid: text("kid")?.map(str::to_owned),
            enc: text("enc")?.and_then(Enc::from_name).ok_or(JweError::Alg)?,
            ephemeral: ephemeral.map_err(|_| JweError::EphemeralKey)?,
            apu: party("apu")?,
            apv: party("apv")?,
            nonce,
            sealed,
        })
    }

    /// `kid`: which of our keys the sender used.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `enc`.
    #[must_use]
    pub fn enc(&self) -> Enc {
        self.enc
    }

    /// `apu`: what the sender says of itself, authenticated by [`Encrypted::decrypt`] and not before.
    #[must_use]
    pub fn apu(&self) -> &[u8] {
        &self.apu
    }

    /// `apv`: what the sender says of the recipient, authenticated by [`Encrypted::decrypt`] and not before.
    #[must_use]
    pub fn apv(&self) -> &[u8] {
        &self.apv
    }

    /// Decrypts with our key, if `enc` is among those we offered.
    ///
    /// # Errors
    /// [`JweError::Alg`], [`JweError::EphemeralKey`], [`JweError::Decrypt`].
    pub fn decrypt(
        self,
        offered: &[Enc],
        key: &dyn KeyAgreement,
        aead: &dyn Aead,
    ) -> Result<Zeroizing<Vec<u8>>, JweError> {
        if !(mutants::skips("jose-jwe-enc") || offered.contains(&self.enc)) {
            return Err(JweError::Alg);
        }
        let shared = key.agree(&self.ephemeral).map_err(|_| JweError::EphemeralKey)?;
        let content_key = derive(&shared, self.enc, &self.apu, &self.apv);
        aead.open(self.enc, &content_key, &self.nonce, self.protected.as_bytes(), &self.sealed)
            .map_err(|_| JweError::Decrypt)
    }
}

/// The Concat KDF of RFC 7518 section 4.6.2: one round of SHA-256 serves both key lengths.
fn derive(shared: &[u8; 32], enc: Enc, apu: &[u8], apv: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut hash = Sha256::new();
    hash.update(1u32.to_be_bytes());
    hash.update(shared);
    for part in [enc.as_str().as_bytes(), apu, apv] {
        let length = u32::try_from(part.len()).expect("a part of a header of 4 KiB");
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    let bits = u32::try_from(enc.key_len() * 8).expect("128 or 256");
    hash.update(bits.to_be_bytes());
    Zeroizing::new(hash.finalize()[..enc.key_len()].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concat_kdf_of_rfc_7518_appendix_c() {
        let shared = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163,
            218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derive(&shared, Enc::A128Gcm, b"Alice", b"Bob");
        assert_eq!(b64u(&*key), "VqqN6vgjbSBcIijNcacQGg");
    }
}
