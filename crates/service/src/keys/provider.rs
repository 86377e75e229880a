//! The `jsonwebtoken` package's cryptography over `ring`: ES256 and EdDSA, nothing else.
//!
//! The package's own back ends bring `rsa` or a second TLS library's arithmetic; with neither it takes a provider of
//! ours. Claims and headers are not its business here: it makes and checks signatures only.

use std::sync::Arc;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: new_signer,
    verifier_factory: new_verifier,
    // Keys are read and written by `vouchsafe_protocol::jose::PublicJwk`, never by the package's JWK code.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `ring` the cryptography of `jsonwebtoken` and of `rustls` in this process. Calling it again does nothing.
pub fn install() {
    // Both report that a provider was there already; in this workspace it can only be this one.
    let _ = PROVIDER.install_default();
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A P-256 key held by `ring`.
#[derive(Clone)]
pub(super) struct Es256Signer {
    pair: Arc<EcdsaKeyPair>,
    random: SystemRandom,
}

impl Es256Signer {
    /// Reads an unencrypted PKCS#8 document; `ring` checks that its public half belongs to its private half.
    pub(super) fn from_pkcs8(der: &[u8], random: SystemRandom) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).ok()?;
        Some(Self { pair: Arc::new(pair), random })
    }

    /// The public key as an uncompressed SEC 1 point.
    pub(super) fn public(&self) -> &[u8] {
        use ring::signature::KeyPair as _;
        self.pair.public_key().as_ref()
    }
}

impl Signer<Vec<u8>> for Es256Signer {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| Error::new())?;
        Ok(signature.as_ref().to_vec())
    }
}

impl JwtSigner for Es256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

struct EdDsaSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct RingVerifier {
    key: UnparsedPublicKey<Vec<u8>>,
    algorithm: Algorithm,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.key.verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn new_signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    require_family(*algorithm, key.family() == algorithm.family())?;
    match algorithm {
        Algorithm::ES256 => Es256Signer::from_pkcs8(key.as_bytes(), system_random())
            .map(|signer| Box::new(signer) as Box<dyn JwtSigner>)
            .ok_or_else(|| ErrorKind::InvalidEcdsaKey.into()),
        Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes())
            .map(|pair| Box::new(EdDsaSigner(pair)) as Box<dyn JwtSigner>)
            .map_err(|_| ErrorKind::InvalidEddsaKey.into()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn new_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    require_family(*algorithm, key.family() == algorithm.family())?;
    let ring_algorithm: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::EdDSA => &ED25519,
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    let key = UnparsedPublicKey::new(ring_algorithm, key.try_get_as_bytes()?.to_vec());
    Ok(Box::new(RingVerifier { key, algorithm: *algorithm }))
}

/// RFC 8725 3.1: the algorithm must be one that the key is for.
fn require_family(algorithm: Algorithm, same: bool) -> Result<()> {
    if !same || !matches!(algorithm, Algorithm::ES256 | Algorithm::EdDSA) {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "ring blinds its ECDSA nonces from the system's generator only"
)]
pub(super) fn system_random() -> SystemRandom {
    SystemRandom::new()
}
