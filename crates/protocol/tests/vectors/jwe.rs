//! Encrypted messages: the published one, our own round trip, and what is refused.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::jwe::{Encrypted, JweError, MAX_PLAINTEXT, Recipient, encrypt};
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _};

use crate::provider::{Agreement, Ring};
use crate::vector;

fn send(plaintext: &[u8], to: &Agreement, enc: Enc) -> String {
    let recipient = Recipient::new(to.public(), Some("k1"), enc);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    encrypt(plaintext, &recipient, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng).unwrap()
}

#[test]
fn the_response_of_openid4vp() {
    let file: Value = serde_json::from_str(&vector("openid4vp-1.0/encrypted-response.json")).unwrap();
    let key = Agreement::new(&b64u_decode(file["private_jwk"]["d"].as_str().unwrap()).unwrap());
    let message = Encrypted::parse(file["response"].as_str().unwrap()).unwrap();
    assert_eq!(message.kid(), Some("ac"));
    let plain = message.decrypt(&[Enc::A128Gcm], &key, &Ring).unwrap();
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert!(plain.get("vp_token").is_some());
}

#[test]
fn the_agreement_of_rfc_7518_appendix_c() {
    let alice = Agreement::new(&b64u_decode("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo").unwrap());
    let bob = Agreement::new(&b64u_decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap());
    let shared = alice.agree(bob.public()).unwrap();
    assert_eq!(shared[..4], [158, 86, 217, 29]);
    assert_eq!(*bob.agree(alice.public()).unwrap(), *shared);
}

#[test]
fn party_information_is_part_of_the_key() {
    let key = Agreement::new(&[5; 32]);
    let recipient =
        Recipient { apu: b"Alice", apv: b"Bob", ..Recipient::new(key.public(), None, Enc::A256Gcm) };
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let text = encrypt(b"{}", &recipient, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng).unwrap();
    assert_eq!(*Encrypted::parse(&text).unwrap().decrypt(&Enc::ALL, &key, &Ring).unwrap(), b"{}");
}

fn with_header(change: impl FnOnce(&mut Value)) -> Result<Encrypted, JweError> {
    let text = send(b"{}", &Agreement::new(&[5; 32]), Enc::A128Gcm);
    let (header, rest) = text.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&b64u_decode(header).unwrap()).unwrap();
    change(&mut header);
    Encrypted::parse(&format!("{}.{rest}", b64u(header.to_string())))
}

#[test]
fn headers_that_are_refused() {
    let refusal = |change: fn(&mut Value)| with_header(change).err();
    assert_eq!(refusal(|h| h["zip"] = json!("DEF")), Some(JweError::Compressed));
    assert_eq!(refusal(|h| h["crit"] = json!([])), Some(JweError::Critical));
    for alg in ["ECDH-ES+A128KW", "dir", "RSA-OAEP", "PBES2-HS256+A128KW", "none"] {
        let found = with_header(|h| h["alg"] = json!(alg)).err();
        assert_eq!(found, Some(JweError::Alg), "{alg}");
    }
    assert_eq!(refusal(|h| h["enc"] = json!("A128CBC-HS256")), Some(JweError::Alg));
    assert_eq!(refusal(|h| h["epk"]["d"] = json!("AA")), Some(JweError::EphemeralKey));
    assert_eq!(refusal(|h| h["epk"]["y"] = h["epk"]["x"].clone()), Some(JweError::EphemeralKey));
    assert_eq!(refusal(|h| h["kid"] = json!(1)), Some(JweError::Header));
    assert_eq!(refusal(|h| h["apu"] = json!("A=")), Some(JweError::Header));
    assert_eq!(refusal(|_| ()), None);
}

#[test]
fn only_what_was_offered_and_only_so_much() {
    let key = Agreement::new(&[5; 32]);
    let message = Encrypted::parse(&send(b"{}", &key, Enc::A128Gcm)).unwrap();
    assert_eq!(message.decrypt(&[Enc::A256Gcm], &key, &Ring).unwrap_err(), JweError::Alg);
    let most = send(&vec![0; MAX_PLAINTEXT], &key, Enc::A256Gcm);
    assert!(Encrypted::parse(&most).is_ok());
    let recipient = Recipient::new(key.public(), None, Enc::A256Gcm);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let more =
        encrypt(&vec![0; MAX_PLAINTEXT + 1], &recipient, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng);
    assert_eq!(more, Err(JweError::TooLong));
    assert_eq!(Encrypted::parse(&format!("{most}AAAA")).err(), Some(JweError::Form));
}

#[test]
fn every_bit_counts() {
    let key = Agreement::new(&[5; 32]);
    let text = send(br#"{"vp_token":{}}"#, &key, Enc::A128Gcm);
    for position in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let opened = Encrypted::parse(&changed).and_then(|it| it.decrypt(&Enc::ALL, &key, &Ring));
            assert!(opened.is_err(), "bit {bit} of byte {position}");
        }
        let cut = Encrypted::parse(&text[..position]).and_then(|it| it.decrypt(&Enc::ALL, &key, &Ring));
        assert!(cut.is_err(), "cut at {position}");
    }
}

proptest! {
    #[test]
    fn round_trip(plaintext: Vec<u8>, long: bool) {
        let key = Agreement::new(&[5; 32]);
        let enc = if long { Enc::A256Gcm } else { Enc::A128Gcm };
        let message = Encrypted::parse(&send(&plaintext, &key, enc)).unwrap();
        prop_assert_eq!(message.kid(), Some("k1"));
        prop_assert_eq!(&*message.decrypt(&Enc::ALL, &key, &Ring).unwrap(), &plaintext);
    }

    #[test]
    fn never_panics(text in "[A-Za-z0-9_.=-]{0,200}") {
        let _ = Encrypted::parse(&text);
    }
}
