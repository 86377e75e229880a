//! Without its provider of cryptography a program believes nothing.
//!
//! Alone in its file, and one test: whoever else ran in this process could have installed the provider.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use vouchsafe_protocol::jose::{Alg, SignatureVerifier as _, Signer as _};
use vouchsafe_service::keys::{Jws, SigningKey, install};

/// A program that forgot to install the provider stops at the first signature that it checks, true or false, and stops
/// again at the next. Keys sign through `ring` itself: what they sign is good with a provider and without.
#[test]
fn without_its_provider_a_program_believes_no_signature() {
    const INPUT: &[u8] = b"header.claims";
    let key = SigningKey::generate().unwrap();
    let signature = key.sign_now(INPUT).unwrap();
    let point = key.public().to_sec1().unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(INPUT, &signature).unwrap();

    let check = |signature: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| Jws.verify(key.public(), Alg::Es256, INPUT, signature))).ok()
    };
    for signature in [&signature[..], &[0; 64], &[]] {
        assert_ne!(check(signature), Some(Ok(())), "nobody checked it");
    }
    assert_eq!(check(&signature), None, "it stops");
    install();
    assert_eq!(check(&signature), None, "installing it afterwards mends nothing");
}
