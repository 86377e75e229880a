//! Collecting beyond the plain case: bound tokens, authorisation details, deferral, notifications, signed metadata and
//! documents of types.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use vouchsafe_protocol::dpop::{self, Call, DpopError, Proof, TYP};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, Enc, Signer as _};
use vouchsafe_protocol::openid4vci::authorization::{self, Detail};
use vouchsafe_protocol::openid4vci::credential::{Carriage, Wish, check_required, seal};
use vouchsafe_protocol::openid4vci::deferred::{Received, Request};
use vouchsafe_protocol::openid4vci::errors::{CredentialError, NotificationError, TokenError};
use vouchsafe_protocol::openid4vci::metadata::{
    Configuration, IssuerMetadata, MetadataError, RequestEncryption, ResponseEncryption,
};
use vouchsafe_protocol::openid4vci::notification::{Event, Notification};
use vouchsafe_protocol::openid4vci::signed;
use vouchsafe_protocol::openid4vci::type_metadata::{
    Disclosable, TypeMetadata, TypeMetadataError, integrity,
};
use vouchsafe_protocol::time::SKEW;

use crate::district::{District, ISSUER, NOW, PLAIN, PROOF, residency, response_key, sign, spoiled};
use crate::provider::{Agreement, Key, Ring};

const URL: &str = "https://issuer.larkfield.example/credential";
const TOKEN: &str = "t0ken";

fn call(token: Option<&str>) -> Call<'_> {
    Call { method: "POST", url: URL, token, now: NOW }
}

fn claims() -> Value {
    json!({"jti": "j-1", "htm": "POST", "htu": URL, "iat": NOW.0, "ath": b64u(sha256(TOKEN)), "nonce": "n-1"})
}

#[test]
pub(crate) fn a_bound_token_is_sent_with_a_proof() {
    let key = Key::p256();
    let unsigned = dpop::unsigned(key.public(), &call(Some(TOKEN)), "j-1", Some("n-1"));
    let signature = key.sign_now(unsigned.signing_input());
    let text = unsigned.finish(&signature);
    let proof = Proof::verify(&[&text], &call(Some(TOKEN)), &Ring).unwrap();
    assert_eq!(proof.thumbprint(), &key.public().thumbprint());
    assert_eq!((proof.jti(), proof.nonce()), ("j-1", Some("n-1")));
    // Just before it is forgotten its age has it refused.
    let late = Call { now: proof.forget_at(), ..call(Some(TOKEN)) };
    assert_eq!(Proof::verify(&[&text], &late, &Ring).err(), Some(DpopError::Time));
    assert_eq!(Proof::verify(&[], &call(None), &Ring).err(), Some(DpopError::One));
    assert_eq!(Proof::verify(&[&text, &text], &call(Some(TOKEN)), &Ring).err(), Some(DpopError::One));
    let other = Call { token: Some("other"), ..call(None) };
    assert_eq!(Proof::verify(&[&text], &other, &Ring).err(), Some(DpopError::AccessToken));
    assert_eq!(Proof::verify(&["a.b.c"], &call(None), &Ring).err(), Some(DpopError::Token));
}

#[test]
pub(crate) fn proofs_of_bound_tokens_that_are_refused() {
    let key = Key::p256();
    let header = || NewHeader::new(Alg::Es256, TYP).jwk(key.public());
    let error = |header: NewHeader, claims: &Value| {
        Proof::verify(&[&sign(&key, &header, claims)], &call(Some(TOKEN)), &Ring).err()
    };
    assert_eq!(error(header(), &claims()), None);
    let jwt = NewHeader::new(Alg::Es256, "jwt").jwk(key.public());
    assert_eq!(error(jwt, &claims()), Some(DpopError::Token));
    assert_eq!(error(NewHeader::new(Alg::Es256, TYP), &claims()), Some(DpopError::Key));
    let other = NewHeader::new(Alg::Es256, TYP).jwk(Key::p256().public());
    assert_eq!(error(other, &claims()), Some(DpopError::Token));
    for (member, value, expected) in [
        ("/jti", json!(null), DpopError::Claims),
        ("/jti", json!(""), DpopError::Claims),
        ("/jti", json!("x".repeat(257)), DpopError::Claims),
        ("/htm", json!("GET"), DpopError::Method),
        ("/htm", json!("post"), DpopError::Method),
        ("/htu", json!("https://issuer.larkfield.example/token"), DpopError::Url),
        ("/htu", json!("http://10.0.0.7:8080/credential"), DpopError::Url),
        ("/htu", json!("credential"), DpopError::Url),
        ("/iat", json!(null), DpopError::Claims),
        ("/iat", json!(NOW.0 + SKEW + 1), DpopError::Time),
        ("/iat", json!(NOW.0 - dpop::MAX_AGE - SKEW - 1), DpopError::Time),
        ("/ath", json!(null), DpopError::AccessToken),
        ("/ath", json!(b64u(sha256("other"))), DpopError::AccessToken),
    ] {
        assert_eq!(
            error(header(), &spoiled(&claims(), member, value.clone())),
            Some(expected),
            "{member} {value}"
        );
    }
    // An address is one address in any spelling, and its query says nothing about the endpoint.
    for htu in
        ["HTTPS://Issuer.Larkfield.example:443/credential", "https://issuer.larkfield.example/credential?a#b"]
    {
        assert_eq!(error(header(), &spoiled(&claims(), "/htu", json!(htu))), None, "{htu}");
    }
    let ed = Key::ed25519();
    let of_ed = NewHeader::new(Alg::EdDsa, TYP).jwk(ed.public());
    let text = sign(&ed, &of_ed, &claims());
    assert_eq!(Proof::verify(&[&text], &call(Some(TOKEN)), &Ring).err(), Some(DpopError::Key));
    let mut private = key.public().to_value();
    private["d"] = json!("AA");
    let private = json!({"alg": "ES256", "typ": TYP, "jwk": private});
    let input = format!("{}.{}", b64u(private.to_string()), b64u(claims().to_string()));
    let text = format!("{input}.{}", b64u(key.sign_now(input.as_bytes())));
    assert_eq!(Proof::verify(&[&text], &call(Some(TOKEN)), &Ring).err(), Some(DpopError::Key));
}

#[test]
pub(crate) fn authorisation_details() {
    let refused = Some(TokenError::InvalidAuthorizationDetails);
    let read = |value: Value| authorization::parse(&value.to_string());
    let one = read(json!([{"type": "openid_credential", "credential_configuration_id": "a", "claims": []}]));
    assert_eq!(one.as_deref(), Ok(&[Detail::of("a")][..]));
    assert_eq!(authorization::parse(&authorization::write(&[Detail::of("a")])), one);
    for value in [
        json!([]),
        json!({}),
        json!([{"type": "payment", "credential_configuration_id": "a"}]),
        json!([{"type": "openid_credential"}]),
        json!([{"type": "openid_credential", "credential_configuration_id": 1}]),
    ] {
        assert_eq!(read(value.clone()).err(), refused, "{value}");
    }
    assert_eq!(authorization::parse("[").err(), refused);
    let at = |places: &[&str]| {
        let locations = places.iter().map(|place| (*place).to_owned()).collect();
        Detail { locations, ..Detail::of("a") }.is_for(ISSUER)
    };
    assert!(at(&[]) && at(&["https://other.example", ISSUER]) && !at(&["https://other.example"]));
}

fn deferred(request: &Value) -> Result<Received, CredentialError> {
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    let (to, ephemeral) = (response_key().named(), Box::new(Agreement::new(&[7; 32])));
    let jwe = seal(request.to_string().as_bytes(), &to, Enc::A256Gcm, ephemeral, &Ring, &mut rng).unwrap();
    Received::encrypted(&jwe, "tx-9", &response_key().0, &Ring)
}

#[test]
pub(crate) fn what_was_put_off_is_asked_for_again() {
    let key = Agreement::new(&[7; 32]);
    let wish = Wish::of(vouchsafe_protocol::jose::KeyAgreement::public(&key), "w1", Enc::A128Gcm);
    let mut request = Request { transaction_id: "t-1".into(), credential_response_encryption: None };
    let plain = Received::plain(&request.to_bytes()).unwrap();
    assert_eq!((plain.transaction_id.as_str(), plain.carriage), ("t-1", Carriage::Plain));
    assert!(plain.response.is_none());
    request.credential_response_encryption = Some(wish);
    let wrong = Some(CredentialError::InvalidEncryptionParameters);
    assert_eq!(Received::plain(&request.to_bytes()).err(), wrong);
    let sealed = deferred(&serde_json::from_slice(&request.to_bytes()).unwrap()).unwrap();
    assert_eq!((sealed.response.unwrap().enc, sealed.carriage), (Enc::A128Gcm, Carriage::Encrypted));
    let malformed = Some(CredentialError::InvalidCredentialRequest);
    for body in ["{}", "[]", r#"{"transaction_id":1}"#, r#"{"transaction_id":"a","transaction_id":"b"}"#] {
        assert_eq!(Received::plain(body.as_bytes()).err(), malformed, "{body}");
    }
    assert_eq!(deferred(&json!({})).err(), malformed);
}

#[test]
pub(crate) fn encryption_that_is_required() {
    let key = response_key().named();
    let to = vouchsafe_protocol::openid4vci::credential::ResponseKey { key, enc: Enc::A256Gcm };
    let wrong = Err(CredentialError::InvalidEncryptionParameters);
    assert_eq!(check_required(false, Carriage::Plain, None), Ok(()));
    assert_eq!(check_required(true, Carriage::Encrypted, Some(&to)), Ok(()));
    assert_eq!(check_required(true, Carriage::Encrypted, None), wrong);
    assert_eq!(check_required(true, Carriage::Plain, Some(&to)), wrong);
    // A wallet sees it before it asks: what must be encrypted to no key cannot be collected.
    let mut metadata = metadata();
    let ids = ["residency".to_owned()];
    assert!(metadata.offered(&ids).is_ok());
    let required = ResponseEncryption { encryption_required: true, ..ResponseEncryption::offered() };
    metadata.credential_response_encryption = Some(required);
    assert_eq!(metadata.offered(&ids).err(), Some(MetadataError::NoEncryption));
    metadata.credential_request_encryption = Some(RequestEncryption::with(&to.key));
    assert!(metadata.offered(&ids).is_ok());
}

#[test]
pub(crate) fn notifications() {
    let read = |body: &Value| Notification::parse(body.to_string().as_bytes());
    for event in Event::ALL {
        let body =
            json!({"notification_id": "n", "event": event.as_str(), "event_description": "All is well."});
        let read = read(&body).unwrap();
        assert_eq!((read.notification_id.as_str(), read.event), ("n", event));
        assert_eq!(serde_json::from_slice::<Value>(&read.to_bytes()).unwrap()["event"], event.as_str());
    }
    let refused = Some(NotificationError::InvalidNotificationRequest);
    for body in [
        json!({}),
        json!({"notification_id": "n"}),
        json!({"notification_id": 1, "event": "credential_accepted"}),
        json!({"notification_id": "n", "event": "accepted"}),
        json!({"notification_id": "n", "event": "credential_accepted", "event_description": "say \"no\""}),
        json!({"notification_id": "n", "event": "credential_accepted", "event_description": 1}),
    ] {
        assert_eq!(read(&body).err(), refused, "{body}");
    }
}

fn metadata() -> IssuerMetadata {
    let value = json!({"credential_issuer": ISSUER, "credential_endpoint": URL,
        "credential_configurations_supported": {"residency": Configuration::plain(&residency())}});
    IssuerMetadata::parse(value.to_string().as_bytes(), ISSUER).unwrap()
}

#[test]
pub(crate) fn signed_metadata() {
    let district = District::new();
    let anchors = std::slice::from_ref(&district.anchor);
    let expected = signed::Expected { issuer: ISSUER, anchors, now: NOW };
    let unsigned = signed::unsigned(&metadata(), Alg::Es256, &district.issuer_x5c, NOW);
    let signature = district.issuer.sign_now(unsigned.signing_input());
    let read = signed::verify(&unsigned.finish(&signature), &expected, &Ring).unwrap();
    assert_eq!(read.credential_endpoint, URL);

    let mut claims = serde_json::to_value(metadata()).unwrap();
    claims["sub"] = json!(ISSUER);
    claims["iat"] = json!(NOW.0);
    let header = |typ: &str, x5c: &[Vec<u8>]| NewHeader::new(Alg::Es256, typ).x5c(x5c);
    let good = || header(signed::TYP, &district.issuer_x5c);
    let error = |key: &Key, header: NewHeader, claims: &Value| {
        signed::verify(&sign(key, &header, claims), &expected, &Ring).err()
    };
    assert_eq!(error(&district.issuer, good(), &claims), None);
    let refused = Some(MetadataError::Signature);
    assert_eq!(error(&district.issuer, header("jwt", &district.issuer_x5c), &claims), refused);
    assert_eq!(error(&Key::p256(), good(), &claims), refused);
    assert_eq!(error(&district.issuer, NewHeader::new(Alg::Es256, signed::TYP), &claims), refused);
    let (other, x5c) = district.other_leaf();
    assert_eq!(error(&other, header(signed::TYP, &x5c), &claims), refused);
    let with = |member: &str, value: Value| error(&district.issuer, good(), &spoiled(&claims, member, value));
    assert_eq!(with("/sub", json!("https://other.example")), Some(MetadataError::Issuer));
    assert_eq!(with("/sub", json!(null)), Some(MetadataError::Issuer));
    assert_eq!(with("/iat", json!(null)), Some(MetadataError::Malformed));
    assert_eq!(with("/iat", json!(NOW.0 + SKEW + 1)), Some(MetadataError::Time));
    assert_eq!(with("/exp", json!(NOW.0 - SKEW)), Some(MetadataError::Time));
    assert_eq!(with("/credential_issuer", json!("https://other.example")), Some(MetadataError::Issuer));
}

#[test]
pub(crate) fn documents_of_types() {
    let plain = TypeMetadata::of(&residency(), PLAIN);
    let bytes = plain.to_bytes();
    let digest = integrity(&bytes);
    assert_eq!(TypeMetadata::parse(&bytes, PLAIN, Some(&digest)), Ok(plain.clone()));
    assert_eq!(plain.display.iter().map(|one| one.locale.as_str()).collect::<Vec<_>>(), ["en", "cy"]);
    assert!(plain.claims.iter().all(|claim| claim.sd == Some(Disclosable::Always)));
    assert!(TypeMetadata::of(&residency(), PROOF).claims.len() > plain.claims.len());
    let error = |text: &[u8], digest: Option<&str>| TypeMetadata::parse(text, PLAIN, digest).err();
    assert_eq!(TypeMetadata::parse(&bytes, PROOF, None).err(), Some(TypeMetadataError::Type));
    let mut other = bytes.clone();
    other.push(b' ');
    assert_eq!(error(&other, None), None);
    assert_eq!(error(&other, Some(&digest)), Some(TypeMetadataError::Integrity));
    // The strongest algorithm decides, wherever it stands; an unknown one does not count.
    let stronger = format!("{digest} sha512-AAAA");
    assert_eq!(error(&bytes, Some(&stronger)), Some(TypeMetadataError::Integrity));
    assert_eq!(error(&bytes, Some(&format!("md5-AAAA {digest}"))), None);
    for none in ["", "md5-AAAA", "sha256"] {
        assert_eq!(error(&bytes, Some(none)), Some(TypeMetadataError::Digest), "{none}");
    }
    // Two types that extend each other would be followed for ever: neither is followed at all.
    let cycle = json!({"vct": PLAIN, "extends": PROOF});
    assert_eq!(error(cycle.to_string().as_bytes(), None), Some(TypeMetadataError::Extends));
    assert_eq!(error(br#"{"name":"x"}"#, None), Some(TypeMetadataError::Malformed));
}
