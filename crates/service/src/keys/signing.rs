//! ES256 signing keys, held in memory and kept as PKCS#8 PEM.

use jsonwebtoken::signature::Signer as _;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use vouchsafe_protocol::jose::{BoxFuture, PublicJwk, SignError, Signer};
use zeroize::Zeroizing;

use super::KeyError;
use super::provider::{Es256Signer, system_random};

/// A P-256 key that signs. It is parsed once; each signature costs one multiplication and nothing else.
#[derive(Clone)]
pub struct SigningKey {
    signer: Es256Signer,
    public: PublicJwk,
    /// The PKCS#8 document, kept so that a fresh key can be written to its file.
    document: Zeroizing<Vec<u8>>,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &system_random())
            .map_err(|_| KeyError::Generate)?;
        Self::from_pkcs8_der(document.as_ref())
    }

    /// Reads the first private key of a PEM text.
    ///
    /// # Errors
    /// [`KeyError::Pem`] and [`KeyError::Kind`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Pem)?;
        Self::from_pkcs8_der(der.secret_pkcs8_der())
    }

    /// Reads a PKCS#8 document.
    ///
    /// # Errors
    /// [`KeyError::Kind`] when it is no P-256 key, or its halves do not belong together.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let signer = Es256Signer::from_pkcs8(der, system_random()).ok_or(KeyError::Kind)?;
        let public = PublicJwk::from_sec1(signer.public()).map_err(|_| KeyError::Kind)?;
        Ok(Self { signer, public, document: Zeroizing::new(der.to_vec()) })
    }

    /// The key as PKCS#8 PEM.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        super::pem(&self.document)
    }

    /// The key as a PKCS#8 document.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> &Zeroizing<Vec<u8>> {
        &self.document
    }

    /// Signs at once: for callers that are not asynchronous.
    ///
    /// # Errors
    /// [`SignError`] when the system gives no randomness.
    pub fn sign_now(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.try_sign(input).map_err(|_| SignError)
    }
}

impl Signer for SigningKey {
    fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
        Box::pin(std::future::ready(self.sign_now(input)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::keys::{Jws, install};
    use vouchsafe_protocol::jose::{Alg, SignatureVerifier as _};

    #[tokio::test]
    async fn a_key_survives_its_file_and_signs() {
        install();
        let key = SigningKey::generate().unwrap();
        let pem = key.to_pkcs8_pem();
        assert!(pem.lines().all(|line| line.len() <= 64));
        let again = SigningKey::from_pkcs8_pem(&pem).unwrap();
        assert!(again.public() == key.public());
        let signature = again.sign(b"input").await.unwrap();
        assert_eq!(signature.len(), 64);
        assert!(Jws.verify(key.public(), Alg::Es256, b"input", &signature).is_ok());
    }

    #[test]
    fn other_texts_and_keys_are_refused() {
        let kind = |text: &str| SigningKey::from_pkcs8_pem(text).err().unwrap();
        assert_eq!(kind(""), KeyError::Pem);
        assert_eq!(kind("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"), KeyError::Pem);
        let ed = ring::signature::Ed25519KeyPair::generate_pkcs8(&system_random()).unwrap();
        assert_eq!(SigningKey::from_pkcs8_der(ed.as_ref()).err().unwrap(), KeyError::Kind);
    }
}
