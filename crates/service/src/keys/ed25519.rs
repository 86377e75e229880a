//! Ed25519 keys of logs and witnesses, held in memory and kept as PKCS#8 PEM.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use vouchsafe_protocol::jose::{BoxFuture, PublicJwk, SignError, Signer};
use zeroize::Zeroizing;

use super::KeyError;
use super::provider::system_random;

/// An Ed25519 key that signs notes. Its signatures are a function of key and text: signed again, a checkpoint is the same.
#[derive(Clone)]
pub struct Ed25519Key {
    pair: Arc<Ed25519KeyPair>,
    public: PublicJwk,
    /// The PKCS#8 document, kept so that a fresh key can be written to its file.
    document: Zeroizing<Vec<u8>>,
}

impl Ed25519Key {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&system_random()).map_err(|_| KeyError::Generate)?;
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

    /// RFC 8410 allows the document without its public half; where it is there, it must be the private half's.
    fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Kind)?;
        let x = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Kind)?;
        Ok(Self {
            pair: Arc::new(pair),
            public: PublicJwk::ed25519(x),
            document: Zeroizing::new(der.to_vec()),
        })
    }

    /// The key as PKCS#8 PEM.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        super::pem(&self.document)
    }
}

impl Signer for Ed25519Key {
    fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
        Box::pin(std::future::ready(Ok(self.pair.sign(input).as_ref().to_vec())))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::keys::{Jws, SigningKey, install};
    use vouchsafe_protocol::jose::{Alg, SignatureVerifier as _};

    #[tokio::test]
    async fn a_key_survives_its_file_and_signs_the_same() {
        install();
        let key = Ed25519Key::generate().unwrap();
        let again = Ed25519Key::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
        assert_eq!(again.alg(), Alg::EdDsa);
        let signature = key.sign(b"input").await.unwrap();
        assert_eq!(again.sign(b"input").await.unwrap(), signature);
        assert!(Jws.verify(key.public(), Alg::EdDsa, b"input", &signature).is_ok());
        assert!(Jws.verify(key.public(), Alg::EdDsa, b"other", &signature).is_err());
    }

    #[test]
    fn other_texts_and_keys_are_refused() {
        let kind = |text: &str| Ed25519Key::from_pkcs8_pem(text).err().unwrap();
        assert_eq!(kind(""), KeyError::Pem);
        assert_eq!(kind(&SigningKey::generate().unwrap().to_pkcs8_pem()), KeyError::Kind);
    }
}
