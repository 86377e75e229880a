//! An encrypted answer made by hand: any header, any plaintext (RFC 7516, RFC 7518 section 4.6).

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::{Aead as _, Enc, KeyAgreement as _};
use vouchsafe_protocol::openid4vp::ResponseKey;
use vouchsafe_service::entropy::{OsEntropy, bytes};
use vouchsafe_service::keys::{AgreementKey, RingAead};

/// A message before it is sealed.
pub(super) struct Message {
    pub(super) header: Value,
    /// What stands where direct encryption has nothing.
    pub(super) wrapped: String,
    pub(super) plaintext: String,
    ephemeral: AgreementKey,
}

impl Message {
    /// As an honest wallet begins.
    pub(super) fn new(to: &ResponseKey, plaintext: String) -> Self {
        let ephemeral = AgreementKey::generate(&OsEntropy::new());
        let epk = ephemeral.public().to_value();
        let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": to.key.kid, "epk": epk});
        Self { header, wrapped: String::new(), plaintext, ephemeral }
    }

    /// Seals under the key that the header describes; `after` changes the header when that is done.
    pub(super) fn seal(self, to: &ResponseKey, after: impl FnOnce(&mut Value)) -> String {
        let key = self.key(to);
        let mut protected = b64u(self.header.to_string());
        let nonce: [u8; 12] = bytes(&OsEntropy::new());
        let sealed =
            RingAead.seal(self.enc(), &key, &nonce, protected.as_bytes(), self.plaintext.as_bytes()).unwrap();
        let (text, tag) = sealed.split_at(self.plaintext.len());
        let mut header = self.header;
        let before = header.clone();
        after(&mut header);
        if header != before {
            protected = b64u(header.to_string());
        }
        format!("{protected}.{}.{}.{}.{}", self.wrapped, b64u(nonce), b64u(text), b64u(tag))
    }

    fn enc(&self) -> Enc {
        self.header["enc"].as_str().and_then(Enc::from_name).unwrap_or(Enc::A128Gcm)
    }

    fn key(&self, to: &ResponseKey) -> Vec<u8> {
        let enc = self.enc();
        let mut input = 1_u32.to_be_bytes().to_vec();
        input.extend_from_slice(&*self.ephemeral.agree(&to.key.key).unwrap());
        let party =
            |name: &str| b64u_decode(self.header[name].as_str().unwrap_or_default()).unwrap_or_default();
        for part in [enc.as_str().as_bytes().to_vec(), party("apu"), party("apv")] {
            input.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            input.extend(part);
        }
        input.extend_from_slice(&u32::try_from(enc.key_len() * 8).unwrap().to_be_bytes());
        sha256(input)[..enc.key_len()].to_vec()
    }
}
