//! Signing of messages that we send to services: Standard Webhooks 1.0.0, symmetric.
//!
//! A message is signed over its id, the instant of this attempt and its body as sent. Every secret of an endpoint signs, so
//! that its owner changes one for another without a gap: both are named for a while, and the receiver accepts either.
//!
//! Security: a secret is good for one endpoint. Whoever has it can make messages for that endpoint, and nothing else: what a
//! message says is fetched from us again by whoever acts on it.

use ring::hmac;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64, b64_decode};
use vouchsafe_protocol::time::UnixTime;
use zeroize::Zeroizing;

use crate::entropy::{self, Entropy};

/// The header field of a message's id, the same however often it is sent.
pub const ID: &str = "webhook-id";
/// The header field of the instant of the attempt, in seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header field of the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// What a secret begins with, so that people and scanners know it when they see it.
const PREFIX: &str = "whsec_";
/// The least and most bytes of a secret (Standard Webhooks, "Signature scheme").
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The text is no secret of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is whsec_ and the base64 of 24 to 64 bytes")]
pub struct NotASecret;

/// What the messages to one endpoint are signed with. Not printed.
pub struct Secret(hmac::Key);

impl Secret {
    /// Reads a secret as its owners write it.
    ///
    /// # Errors
    /// [`NotASecret`].
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let coded = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        let bytes = Zeroizing::new(b64_decode(coded).map_err(|_| NotASecret)?);
        if !(mutants::skips("svc-webhook-secret") || LENGTHS.contains(&bytes.len())) {
            return Err(NotASecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A fresh secret of 32 bytes, as it is written.
    #[must_use]
    pub fn draw(entropy: &dyn Entropy) -> Zeroizing<String> {
        let bytes = Zeroizing::new(entropy::bytes::<32>(entropy));
        let coded = Zeroizing::new(b64(bytes.as_slice()));
        Zeroizing::new(format!("{PREFIX}{}", coded.as_str()))
    }

    fn sign(&self, content: &[u8]) -> String {
        format!("v1,{}", b64(hmac::sign(&self.0, content)))
    }
}

/// The value of [`SIGNATURE`]: a signature by each secret, in their order.
#[must_use]
pub fn signatures<'s>(
    secrets: impl IntoIterator<Item = &'s Secret>,
    id: &str,
    at: UnixTime,
    body: &str,
) -> String {
    let content = format!("{id}.{}.{body}", at.0);
    let all: Vec<_> = secrets.into_iter().map(|secret| secret.sign(content.as_bytes())).collect();
    all.join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    /// From the tests of the project that wrote the standard.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signed = signatures([&secret], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", UnixTime(1_649_367_553), body);
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn every_secret_signs_in_its_order() {
        let (new, old) = (Secret::parse(&of_length(24)).unwrap(), Secret::parse(&of_length(64)).unwrap());
        let alone = |secret| signatures([secret], "evt_1", UnixTime(7), "{}");
        let both = signatures([&new, &old], "evt_1", UnixTime(7), "{}");
        assert_eq!(both, format!("{} {}", alone(&new), alone(&old)));
        assert_ne!(alone(&new), alone(&old));
    }

    #[test]
    fn what_is_signed_is_id_instant_and_body() {
        let secret = Secret::parse(&Secret::draw(&OsEntropy::new())).unwrap();
        let signed = |id, at, body| signatures([&secret], id, UnixTime(at), body);
        let first = signed("evt_1", 7, "{}");
        for other in [signed("evt_2", 7, "{}"), signed("evt_1", 8, "{}"), signed("evt_1", 7, "{} ")] {
            assert_ne!(first, other);
        }
    }

    fn of_length(bytes: usize) -> String {
        format!("whsec_{}", b64(vec![7; bytes]))
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for good in [24, 32, 64] {
            assert!(Secret::parse(&of_length(good)).is_ok());
        }
        let bad = [
            String::new(),
            "whsec_".to_owned(),
            "whsec_!".to_owned(),
            of_length(32).replace("whsec_", "whsk_"),
            of_length(32).replace("whsec_", ""),
            of_length(32) + " ",
            of_length(23),
            of_length(65),
        ];
        for text in bad {
            assert_eq!(Secret::parse(&text).err(), Some(NotASecret), "{text}");
        }
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_switch_that_is_noticed() {
        assert!(mutants::without("svc-webhook-secret", || Secret::parse(&of_length(8))).is_ok());
    }
}
