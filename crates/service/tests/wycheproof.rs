//! Project Wycheproof's vectors, every one, through the traits that the protocol code calls.
//!
//! A vector that must be refused is refused, one that is valid is accepted. "Acceptable" marks what a library may
//! take or leave; which we do stands beside the one test that meets such a vector. Vectors that our types cannot
//! even express, such as a nonce of another length, count as refused.

use vouchsafe_protocol::jose::{Aead as _, Alg, Enc, KeyAgreement as _, PublicJwk, SignatureVerifier as _};
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, install};
use wycheproof::TestResult;
use wycheproof::aead::{self, Test as AeadTest};
use wycheproof::ecdh;
use wycheproof::ecdsa;
use wycheproof::eddsa;

/// How many vectors ended how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    valid: usize,
    invalid: usize,
    acceptable: usize,
}

impl Count {
    /// Notes one vector; one that is acceptable must end as `acceptable` says.
    fn note(&mut self, id: usize, expected: TestResult, accepted: bool, acceptable: bool) {
        let (count, wanted) = match expected {
            TestResult::Valid => (&mut self.valid, true),
            TestResult::Invalid => (&mut self.invalid, false),
            TestResult::Acceptable => (&mut self.acceptable, acceptable),
        };
        assert_eq!(accepted, wanted, "vector {id} is {expected:?}");
        *count += 1;
    }

    fn all(&self) -> usize {
        self.valid + self.invalid + self.acceptable
    }
}

/// ES256 as JOSE has it: r and s, 64 bytes.
#[test]
fn ecdsa_p256_in_jose_form() {
    install();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("the vectors");
    let mut count = Count::default();
    for group in &set.test_groups {
        let key = PublicJwk::from_sec1(&group.key.key).expect("a key on its curve");
        for test in &group.tests {
            let accepted = Jws.verify(&key, Alg::Es256, &test.msg, &test.sig).is_ok();
            count.note(test.tc_id, test.result, accepted, false);
        }
    }
    assert_eq!((count.all(), count.acceptable), (set.number_of_tests, 0), "{count:?}");
    assert!(count.valid >= 173 && count.invalid >= 89, "{count:?}");
}

/// ECDSA in DER is what certificates are signed with. No JWS takes that form.
#[test]
fn ecdsa_p256_in_the_form_of_certificates() {
    install();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).expect("the vectors");
    let certificates = Jws.certificate_algorithms();
    let mut count = Count::default();
    for group in &set.test_groups {
        let key = PublicJwk::from_sec1(&group.key.key).expect("a key on its curve");
        for test in &group.tests {
            let accepted = certificates
                .iter()
                .filter(|algorithm| {
                    algorithm.signature_alg_id() == webpki::ring::ECDSA_P256_SHA256.signature_alg_id()
                })
                .any(|algorithm| algorithm.verify_signature(&group.key.key, &test.msg, &test.sig).is_ok());
            count.note(test.tc_id, test.result, accepted, false);
            assert!(Jws.verify(&key, Alg::Es256, &test.msg, &test.sig).is_err(), "vector {}", test.tc_id);
        }
    }
    assert_eq!((count.all(), count.acceptable), (set.number_of_tests, 0), "{count:?}");
    assert!(count.valid >= 174 && count.invalid >= 310, "{count:?}");
}

#[test]
fn ed25519() {
    install();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the vectors");
    let mut count = Count::default();
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk.as_slice().try_into().expect("32 bytes");
        for test in &group.tests {
            let accepted = Jws.verify(&PublicJwk::ed25519(key), Alg::EdDsa, &test.msg, &test.sig).is_ok();
            count.note(test.tc_id, test.result, accepted, false);
        }
    }
    assert_eq!((count.all(), count.acceptable), (set.number_of_tests, 0), "{count:?}");
    assert!(count.valid >= 88 && count.invalid >= 63, "{count:?}");
}

/// A JWK has both coordinates, so the one "acceptable" vector, a valid compressed point, is refused.
#[test]
fn ecdh_p256() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).expect("the vectors");
    let mut count = Count::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let agreed = scalar(&test.private_key)
            .and_then(|private| AgreementKey::from_bytes(&private).ok())
            .zip(PublicJwk::from_sec1(&test.public_key).ok())
            .and_then(|(private, public)| private.agree(&public).ok());
        let accepted = agreed.is_some_and(|secret| secret.as_slice() == test.shared_secret.as_slice());
        count.note(test.tc_id, test.result, accepted, false);
    }
    assert_eq!((count.all(), count.acceptable), (set.number_of_tests, 1), "{count:?}");
    assert!(count.valid >= 330 && count.invalid >= 24, "{count:?}");
}

/// The vectors write numbers with a sign octet or without leading zeros; our keys have 32 octets.
fn scalar(number: &[u8]) -> Option<[u8; 32]> {
    let first = number.iter().position(|octet| *octet != 0)?;
    let digits = &number[first..];
    let mut scalar = [0; 32];
    scalar.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(scalar)
}

/// JOSE has nonces of 96 bits and keys of 128 and 256 bits; all other vectors are refused, valid or not.
#[test]
fn aes_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).expect("the vectors");
    let (mut count, mut outside) = (Count::default(), 0);
    for group in &set.test_groups {
        let enc = match (group.nonce_size, group.key_size) {
            (96, 128) => Some(Enc::A128Gcm),
            (96, 256) => Some(Enc::A256Gcm),
            _ => None,
        };
        for test in &group.tests {
            let Some(enc) = enc else {
                outside += 1;
                assert!(Enc::ALL.into_iter().all(|enc| opened(enc, test).is_none()), "vector {}", test.tc_id);
                continue;
            };
            let accepted = opened(enc, test).is_some_and(|text| text == *test.pt);
            count.note(test.tc_id, test.result, accepted, false);
            if test.result == TestResult::Valid {
                assert_eq!(
                    sealed(enc, test),
                    [test.ct.as_slice(), &test.tag].concat(),
                    "vector {}",
                    test.tc_id
                );
            }
        }
    }
    assert_eq!((count.all() + outside, count.acceptable), (set.number_of_tests, 0), "{count:?}");
    assert!(count.all() >= 133 && count.valid > 0 && count.invalid > 0 && outside > 0, "{count:?} {outside}");
}

/// What opens, if the nonce is one at all.
fn opened(enc: Enc, test: &AeadTest) -> Option<Vec<u8>> {
    let nonce: [u8; 12] = test.nonce.as_slice().try_into().ok()?;
    let text = [test.ct.as_slice(), &test.tag].concat();
    RingAead.open(enc, &test.key, &nonce, &test.aad, &text).ok().map(|text| text.to_vec())
}

fn sealed(enc: Enc, test: &AeadTest) -> Vec<u8> {
    let nonce: [u8; 12] = test.nonce.as_slice().try_into().expect("a nonce of 96 bits");
    RingAead.seal(enc, &test.key, &nonce, &test.aad, &test.pt).expect("a sealed text")
}
