//! Checking signatures through `jsonwebtoken`, certificates through `webpki`, and AES-GCM through `ring`.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::pki_types::SignatureVerificationAlgorithm;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::{Aead, AeadError, Alg, BadSignature, Enc, PublicJwk, SignatureVerifier};
use zeroize::Zeroizing;

/// Certificates of our chains are signed with ECDSA or Ed25519; RSA has no use here.
static CERTIFICATES: [&dyn SignatureVerificationAlgorithm; 4] = [
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::ED25519,
];

/// Signatures checked by `jsonwebtoken` over `ring`. [`super::install`] must have been called.
///
/// The package checks the signature and nothing else: no header, no claim. Its own cost, a key copied and a signature
/// written as base64url, is within 5 % of `ring`'s.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jws;

impl Jws {
    /// The verifier in the shape in which programs share it.
    #[must_use]
    pub fn shared() -> Arc<dyn SignatureVerifier> {
        Arc::new(Self)
    }
}

impl SignatureVerifier for Jws {
    fn verify(&self, key: &PublicJwk, alg: Alg, input: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let (key, algorithm) = match alg {
            Alg::Es256 => (DecodingKey::from_ec_der(&key.to_sec1().ok_or(BadSignature)?), Algorithm::ES256),
            Alg::EdDsa => {
                (DecodingKey::from_ed_der(&key.to_ed25519().ok_or(BadSignature)?), Algorithm::EdDSA)
            }
        };
        match jsonwebtoken::crypto::verify(&b64u(signature), input, &key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(BadSignature),
        }
    }

    fn certificate_algorithms(&self) -> &[&'static dyn SignatureVerificationAlgorithm] {
        &CERTIFICATES
    }
}

/// AES-GCM by `ring`, for encrypted messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct RingAead;

impl RingAead {
    fn key(enc: Enc, key: &[u8]) -> Result<LessSafeKey, AeadError> {
        let algorithm = match enc {
            Enc::A128Gcm => &AES_128_GCM,
            Enc::A256Gcm => &AES_256_GCM,
        };
        UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| AeadError)
    }
}

impl Aead for RingAead {
    fn seal(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, AeadError> {
        let key = Self::key(enc, key)?;
        // Room for the tag from the start, so that no copy of the plaintext is left behind by growing.
        let mut text = Vec::with_capacity(plaintext.len() + 16);
        text.extend_from_slice(plaintext);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
            .map_err(|_| AeadError)?;
        Ok(text)
    }

    fn open(
        &self,
        enc: Enc,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AeadError> {
        let key = Self::key(enc, key)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let length = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
            .map_err(|_| AeadError)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::keys::{SigningKey, install};
    use ring::signature::KeyPair as _;
    use vouchsafe_protocol::jose::Signer as _;

    #[test]
    fn every_spoilt_bit_of_a_signature_is_refused() {
        install();
        let key = SigningKey::generate().unwrap();
        let signature = key.sign_now(b"header.claims").unwrap();
        let check = |input: &[u8], signature: &[u8]| Jws.verify(key.public(), Alg::Es256, input, signature);
        assert_eq!(check(b"header.claims", &signature), Ok(()));
        assert_eq!(check(b"header.claimz", &signature), Err(BadSignature));
        for bit in 0..signature.len() * 8 {
            let mut spoilt = signature.clone();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(b"header.claims", &spoilt), Err(BadSignature));
        }
        for cut in 0..signature.len() {
            assert_eq!(check(b"header.claims", &signature[..cut]), Err(BadSignature));
        }
        assert_eq!(check(b"header.claims", &[&signature[..], &[0]].concat()), Err(BadSignature));
    }

    #[test]
    fn eddsa_is_checked_and_never_mixed_with_es256() {
        install();
        let document =
            ring::signature::Ed25519KeyPair::generate_pkcs8(&super::super::provider::system_random())
                .unwrap();
        let pair = ring::signature::Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let key = PublicJwk::ed25519(pair.public_key().as_ref().try_into().unwrap());
        let signature = jsonwebtoken::crypto::sign(
            b"input",
            &jsonwebtoken::EncodingKey::from_ed_der(document.as_ref()),
            Algorithm::EdDSA,
        )
        .unwrap();
        let signature = vouchsafe_protocol::encoding::b64u_decode(signature).unwrap();
        assert_eq!(Jws.verify(&key, Alg::EdDsa, b"input", &signature), Ok(()));
        assert_eq!(Jws.verify(&key, Alg::EdDsa, b"inputs", &signature), Err(BadSignature));
        assert_eq!(Jws.verify(&key, Alg::Es256, b"input", &signature), Err(BadSignature));
        let p256 = SigningKey::generate().unwrap();
        assert_eq!(Jws.verify(p256.public(), Alg::EdDsa, b"input", &signature), Err(BadSignature));
    }

    #[test]
    fn the_package_takes_no_other_algorithm() {
        install();
        let key = DecodingKey::from_secret(b"shared");
        for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES384] {
            assert!(jsonwebtoken::crypto::verify("AA", b"x", &key, algorithm).is_err());
        }
        assert!(jsonwebtoken::crypto::verify("AA", b"x", &key, Algorithm::ES256).is_err());
    }

    #[test]
    fn aead_opens_only_what_was_sealed() {
        for (enc, length) in [(Enc::A128Gcm, 16), (Enc::A256Gcm, 32)] {
            let key = vec![3; length];
            let sealed = RingAead.seal(enc, &key, &[1; 12], b"aad", b"text").unwrap();
            assert_eq!(sealed.len(), 4 + 16);
            assert_eq!(RingAead.open(enc, &key, &[1; 12], b"aad", &sealed).unwrap().as_slice(), b"text");
            assert!(RingAead.open(enc, &key, &[2; 12], b"aad", &sealed).is_err());
            assert!(RingAead.open(enc, &key, &[1; 12], b"aae", &sealed).is_err());
            assert!(RingAead.open(enc, &key, &[1; 12], b"aad", &sealed[..19]).is_err());
            assert!(RingAead.open(enc, &key[1..], &[1; 12], b"aad", &sealed).is_err());
        }
    }
}
