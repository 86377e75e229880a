//! The traits of the library over ring, and over p256 where a private key must be given.
#![expect(clippy::disallowed_methods, reason = "the tests make keys of their own, fresh each time")]

use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, UnparsedPublicKey,
};
use vouchsafe_protocol::jose::pki_types::SignatureVerificationAlgorithm;
use vouchsafe_protocol::jose::{
    Aead, AeadError, AgreementError, Alg, BadSignature, BoxFuture, Enc, KeyAgreement, PublicJwk, SignError,
    SignatureVerifier, Signer,
};
use zeroize::Zeroizing;

pub(crate) struct Ring;

impl SignatureVerifier for Ring {
    fn verify(&self, key: &PublicJwk, alg: Alg, input: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verified = match alg {
            Alg::Es256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.to_sec1().ok_or(BadSignature)?)
                    .verify(input, signature)
            }
            Alg::EdDsa => UnparsedPublicKey::new(&ED25519, key.to_ed25519().ok_or(BadSignature)?)
                .verify(input, signature),
        };
        verified.map_err(|_| BadSignature)
    }

    fn certificate_algorithms(&self) -> &[&'static dyn SignatureVerificationAlgorithm] {
        static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 2] =
            [webpki::ring::ECDSA_P256_SHA256, webpki::ring::ED25519];
        &ALGORITHMS
    }
}

pub(crate) enum Key {
    P256(Box<EcdsaKeyPair>, PublicJwk),
    Ed25519(Ed25519KeyPair, PublicJwk),
}

impl Key {
    pub(crate) fn p256() -> Self {
        let rng = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        Self::p256_pkcs8(document.as_ref())
    }

    pub(crate) fn p256_pkcs8(document: &[u8]) -> Self {
        let rng = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &rng).unwrap();
        let public = PublicJwk::from_sec1(pair.public_key().as_ref()).unwrap();
        Self::P256(Box::new(pair), public)
    }

    pub(crate) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let public = PublicJwk::ed25519(pair.public_key().as_ref().try_into().unwrap());
        Self::Ed25519(pair, public)
    }

    pub(crate) fn sign_now(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(pair, _) => pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair, _) => pair.sign(input).as_ref().to_vec(),
        }
    }
}

impl Signer for Key {
    fn public(&self) -> &PublicJwk {
        match self {
            Self::P256(_, public) | Self::Ed25519(_, public) => public,
        }
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
        Box::pin(async move { Ok(self.sign_now(input)) })
    }
}

/// A key agreement key of given private bytes.
pub(crate) struct Agreement {
    secret: p256::SecretKey,
    public: PublicJwk,
}

impl Agreement {
    pub(crate) fn new(d: &[u8]) -> Self {
        let secret = p256::SecretKey::from_slice(d).unwrap();
        let public = PublicJwk::from_sec1(secret.public_key().to_sec1_point(false).as_bytes()).unwrap();
        Self { secret, public }
    }
}

impl KeyAgreement for Agreement {
    fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn agree(&self, peer: &PublicJwk) -> Result<Zeroizing<[u8; 32]>, AgreementError> {
        let point = peer.to_sec1().ok_or(AgreementError)?;
        let peer = p256::PublicKey::from_sec1_bytes(&point).map_err(|_| AgreementError)?;
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(Zeroizing::new((*shared.raw_secret_bytes()).into()))
    }
}

impl Aead for Ring {
    fn seal(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, AeadError> {
        let mut buffer = plaintext.to_vec();
        aes(enc, key)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut buffer)
            .map_err(|_| AeadError)?;
        Ok(buffer)
    }

    fn open(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AeadError> {
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let plain = aes(enc, key)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut buffer)
            .map_err(|_| AeadError)?
            .len();
        buffer.truncate(plain);
        Ok(buffer)
    }
}

fn aes(enc: Enc, key: &[u8]) -> Result<LessSafeKey, AeadError> {
    let algorithm = match enc {
        Enc::A128Gcm => &AES_128_GCM,
        Enc::A256Gcm => &AES_256_GCM,
    };
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| AeadError)
}
