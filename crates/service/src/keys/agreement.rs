//! P-256 key agreement: RFC 7518 4.6, the part below the key derivation.

use p256::elliptic_curve::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use vouchsafe_protocol::jose::{AgreementError, KeyAgreement, PublicJwk};
use zeroize::Zeroizing;

use super::KeyError;
use crate::entropy::Entropy;

/// A private agreement key: one for each request and transaction, stored sealed, wiped when dropped.
pub struct AgreementKey {
    secret: SecretKey,
    public: PublicJwk,
}

impl AgreementKey {
    /// A fresh key, for a recipient to keep or a sender to use once.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            entropy.fill(bytes.as_mut_slice());
            // A draw outside 1..n is thrown away, so that every key is equally likely; it happens once in 2^32 draws.
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// Reads a key as [`AgreementKey::to_bytes`] gave it.
    ///
    /// # Errors
    /// [`KeyError::Range`] when the number is zero or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SecretKey::from_slice(bytes).map_err(|_| KeyError::Range)?;
        let point = secret.public_key().to_sec1_point(false);
        let public = PublicJwk::from_sec1(point.as_bytes()).map_err(|_| KeyError::Range)?;
        Ok(Self { secret, public })
    }

    /// The private number, to be stored sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let field = Zeroizing::new(self.secret.to_bytes());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&field);
        bytes
    }
}

impl KeyAgreement for AgreementKey {
    fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn agree(&self, peer: &PublicJwk) -> Result<Zeroizing<[u8; 32]>, AgreementError> {
        let point = peer.to_sec1().ok_or(AgreementError)?;
        // A point off the curve would let its sender learn this key bit by bit.
        let peer = PublicKey::from_sec1_bytes(&point).map_err(|_| AgreementError)?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        let mut z = Zeroizing::new([0; 32]);
        z.copy_from_slice(shared.raw_secret_bytes());
        Ok(z)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use serde_json::json;
    use vouchsafe_protocol::encoding::b64u_array;

    fn read(d: &str) -> AgreementKey {
        AgreementKey::from_bytes(&b64u_array(d).unwrap()).unwrap()
    }

    #[test]
    fn rfc_7518_appendix_c() {
        let alice = read("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let bob = read("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
        let epk = json!({"kty": "EC", "crv": "P-256",
            "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"});
        assert!(*alice.public() == PublicJwk::from_value(&epk).unwrap());
        // Appendix C gives Z as 32 numbers.
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163,
            218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        assert_eq!(*alice.agree(bob.public()).unwrap(), z);
        assert_eq!(*bob.agree(alice.public()).unwrap(), z);
    }

    #[test]
    fn a_key_survives_storage_and_refuses_other_curves() {
        let key = AgreementKey::generate(&OsEntropy::new());
        let again = AgreementKey::from_bytes(&key.to_bytes()).unwrap();
        assert!(again.public() == key.public());
        assert!(key.agree(&PublicJwk::ed25519([9; 32])).is_err());
        assert_eq!(AgreementKey::from_bytes(&[0; 32]).err(), Some(KeyError::Range));
        assert_eq!(AgreementKey::from_bytes(&[0xff; 32]).err(), Some(KeyError::Range));
    }
}
