//! An encrypted message made by hand: any header, any plaintext, any parts (RFC 7516, RFC 7518 section 4.6).
//!
//! | command | what it does |
//! |---|---|
//! | `jwe EDIT`, `jwe-after EDIT` | edits the header before or after sealing |
//! | `jwe-header NAME` | the header as no honest sender writes it |
//! | `jwe-parts NAME` | the five parts as no honest sender joins them |
//! | `wrapped TEXT` | an encrypted key where there is none |

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode, sha256};
use vouchsafe_protocol::jose::{Aead as _, Enc, KeyAgreement as _};
use vouchsafe_protocol::openid4vp::ResponseKey;
use vouchsafe_service::entropy::{OsEntropy, bytes};
use vouchsafe_service::keys::{AgreementKey, RingAead};

use super::edit;

/// A message before it is sealed.
pub(crate) struct Message {
    pub(crate) header: Value,
    plaintext: String,
    after: Vec<String>,
    write_header: fn(String) -> String,
    parts: String,
    /// What stands where direct encryption has nothing.
    wrapped: String,
    ephemeral: AgreementKey,
}

impl Message {
    /// The commands that [`Message::change`] knows.
    pub(crate) const COMMANDS: [&'static str; 5] = ["jwe", "jwe-after", "jwe-header", "jwe-parts", "wrapped"];

    /// As an honest sender begins.
    pub(crate) fn new(to: &ResponseKey, plaintext: String) -> Self {
        let ephemeral = AgreementKey::generate(&OsEntropy::new());
        let epk = ephemeral.public().to_value();
        let header = json!({"alg": "ECDH-ES", "enc": to.enc.as_str(), "kid": to.key.kid, "epk": epk});
        let (after, parts, wrapped) = Default::default();
        Self { header, plaintext, after, write_header: |text| text, parts, wrapped, ephemeral }
    }

    /// Does one of the commands.
    pub(crate) fn change(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap();
        match word {
            "jwe" => edit(&mut self.header, rest),
            "jwe-after" => self.after.push(rest.to_owned()),
            "jwe-header" => self.write_header = header_writer(rest),
            "jwe-parts" => rest.clone_into(&mut self.parts),
            "wrapped" => rest.clone_into(&mut self.wrapped),
            _ => panic!("no such command: {command}"),
        }
    }

    /// Seals under the key that the header describes.
    pub(crate) fn seal(mut self, to: &ResponseKey) -> String {
        let key = self.key(to);
        let mut protected = b64u((self.write_header)(self.header.to_string()));
        let nonce: [u8; 12] = bytes(&OsEntropy::new());
        let sealed =
            RingAead.seal(self.enc(), &key, &nonce, protected.as_bytes(), self.plaintext.as_bytes()).unwrap();
        if !self.after.is_empty() {
            self.after.iter().for_each(|change| edit(&mut self.header, change));
            protected = b64u(self.header.to_string());
        }
        join(&self.parts, protected, self.wrapped, &nonce, sealed)
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

fn header_writer(name: &str) -> fn(String) -> String {
    match name {
        "member-twice" => |text| text.replacen('{', r#"{"enc":"A128CBC-HS256","#, 1),
        "nested-deep" => {
            |text| text.replacen('{', &format!(r#"{{"x":{}1{},"#, "[".repeat(33), "]".repeat(33)), 1)
        }
        "long" => |text| text.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(4096)), 1),
        "list" => |text| format!("[{text}]"),
        _ => panic!("no such header: {name}"),
    }
}

/// The compact form, with something done to its parts.
fn join(name: &str, protected: String, wrapped: String, nonce: &[u8; 12], mut sealed: Vec<u8>) -> String {
    let tag = match name {
        "tag-longer" => 17,
        "tag-shorter" => 15,
        "tag-empty" => 0,
        _ => 16,
    };
    let (mut nonce, end) = (nonce.to_vec(), sealed.len());
    match name {
        "ciphertext-flipped" => sealed[0] ^= 1,
        "tag-flipped" => sealed[end - 1] ^= 1,
        "tag-cut" => sealed.truncate(end - 4),
        "nonce-flipped" => nonce[0] ^= 1,
        "nonce-longer" => nonce.resize(16, 0),
        _ => {}
    }
    let (text, tag) = sealed.split_at(end - tag);
    let mut parts = vec![protected, wrapped, b64u(nonce), b64u(text), b64u(tag)];
    match name {
        "four" => drop(parts.remove(1)),
        "six" => parts.push(String::new()),
        "padded" => parts[0].push('='),
        "exchanged" => parts.swap(3, 4),
        "" | "tag-longer" | "tag-shorter" | "tag-empty" | "tag-flipped" | "tag-cut" => {}
        "ciphertext-flipped" | "nonce-flipped" | "nonce-longer" => {}
        _ => panic!("no such parts: {name}"),
    }
    parts.join(".")
}
