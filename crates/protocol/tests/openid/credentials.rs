//! Collecting: proofs of possession, metadata, requests and responses, in clear and encrypted.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use vouchsafe_proofs::commitment::Seed;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::{Alg, Enc, Signer as _};
use vouchsafe_protocol::openid4vci::credential::{
    Asked, Carriage, Copy, Openings, Received, Request, ResponseError, open_response, read_response, seal,
    write_response,
};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::openid4vci::metadata::{
    Configuration, IssuerMetadata, MetadataError, RequestEncryption, ResponseEncryption, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::proof::{Expected, Proofs, unsigned};
use vouchsafe_protocol::openid4vci::token::{MAX_TOKEN_TTL, TokenResponse};
use vouchsafe_protocol::openid4vp::response::{
    Opener, Posted, Response, ResponseError as PostError, VpToken, error_form,
};
use vouchsafe_protocol::openid4vp::{ResponseKey, ResponseMode};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::TrustError;

use crate::district::{
    District, ISSUER, NOW, PLAIN, PROOF, STATE, residency, response_key, sign, spoiled, with_head,
};
use crate::provider::{Agreement, Key, Ring};

const C_NONCE: &str = "c-0S6_WzA2MjR3c9QkYtLw";

fn verify(proofs: &[String]) -> Result<Proofs, CredentialError> {
    Proofs::verify(proofs, &Expected { issuer: ISSUER, batch_size: 3, now: NOW }, &Ring)
}

fn proof(key: &Key) -> String {
    let unsigned = unsigned(key.public(), ISSUER, C_NONCE, NOW);
    let signature = key.sign_now(unsigned.signing_input());
    unsigned.finish(&signature)
}

#[test]
pub(crate) fn proofs_of_possession() {
    let keys: Vec<_> = (0..3).map(|_| Key::p256()).collect();
    let proofs: Vec<_> = keys.iter().map(proof).collect();
    let verified = verify(&proofs).unwrap();
    assert_eq!(verified.nonce(), C_NONCE);
    assert!(verified.keys().iter().eq(keys.iter().map(|key| key.public())));
    let claims = json!({"aud": ISSUER, "iat": NOW.0, "nonce": C_NONCE});
    let header = |typ: &str| NewHeader::new(Alg::Es256, typ);
    let good = || header("openid4vci-proof+jwt").jwk(keys[0].public());
    let error = |header: NewHeader, claims: &Value| verify(&[sign(&keys[0], &header, claims)]).err();
    let invalid = Some(CredentialError::InvalidProof);
    assert_eq!(error(good(), &claims), None);
    assert_eq!(verify(&[]).err(), invalid);
    let four = [&proofs[..], &[proof(&Key::p256())]].concat();
    assert_eq!(verify(&four).err(), Some(CredentialError::InvalidCredentialRequest));
    assert_eq!(verify(&[proofs[0].clone(), proofs[0].clone()]).err(), invalid);
    let other_nonce = sign(
        &keys[1],
        &header("openid4vci-proof+jwt").jwk(keys[1].public()),
        &spoiled(&claims, "/nonce", json!("other")),
    );
    assert_eq!(verify(&[proofs[0].clone(), other_nonce]).err(), invalid);
    assert_eq!(error(header("JWT").jwk(keys[0].public()), &claims), invalid);
    assert_eq!(error(header("openid4vci-proof+jwt"), &claims), invalid);
    assert_eq!(error(good().kid("did:example:1"), &claims), invalid);
    assert_eq!(error(header("openid4vci-proof+jwt").jwk(keys[1].public()), &claims), invalid);
    for (member, value) in [
        ("/aud", json!("https://other.example")),
        ("/aud", json!([ISSUER])),
        ("/iat", json!(NOW.0 + 61)),
        ("/iat", json!(NOW.0 - 361)),
        ("/iat", json!(null)),
        ("/nonce", json!(null)),
        ("/nonce", json!("")),
        ("/iss", json!("client")),
    ] {
        assert_eq!(error(good(), &spoiled(&claims, member, value.clone())), invalid, "{member} {value}");
    }
    let attested = json!({"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": keys[0].public(), "key_attestation": "a"});
    let input = format!("{}.{}", b64u(attested.to_string()), b64u(claims.to_string()));
    let attested = format!("{input}.{}", b64u(keys[0].sign_now(input.as_bytes())));
    assert_eq!(verify(&[attested]).err(), invalid);
    let ed = Key::ed25519();
    let header = NewHeader::new(Alg::EdDsa, "openid4vci-proof+jwt").jwk(ed.public());
    assert_eq!(verify(&[sign(&ed, &header, &claims)]).err(), invalid);
}

fn metadata(district: &District) -> Value {
    let residency = residency();
    json!({"credential_issuer": ISSUER, "credential_endpoint": format!("{ISSUER}/credential"), "nonce_endpoint": format!("{ISSUER}/nonce"),
        "credential_request_encryption": RequestEncryption::with(&response_key().named()),
        "credential_response_encryption": ResponseEncryption::offered(),
        "batch_credential_issuance": {"batch_size": 30},
        "credential_configurations_supported": {"residency": Configuration::plain(&residency), "residency-zk": Configuration::proof(&residency)},
        "urn:vouchsafe:issuer:1": district.document("issuer", district.issuer_entry())})
}

fn parse(metadata: &Value) -> Result<IssuerMetadata, MetadataError> {
    IssuerMetadata::parse(metadata.to_string().as_bytes(), ISSUER)
}

#[test]
pub(crate) fn issuer_metadata() {
    let district = District::new();
    let good = metadata(&district);
    let read = parse(&good).unwrap();
    assert_eq!(read.offered(&["residency-zk".into()]).unwrap()[0].vct.as_deref(), Some(PROOF));
    assert_eq!(read.authorization_server(None), Ok(ISSUER));
    assert_eq!(read.authorization_server(Some("https://other.example")), Err(MetadataError::Issuer));
    assert!(read.entry(&district.judge(), Env::Test, &[PROOF]).is_ok());
    assert_eq!(read.credential_request_encryption.as_ref().unwrap().choose().unwrap().1, Enc::A256Gcm);
    let offered = |spoiled: Value, ids: &[&str]| {
        parse(&spoiled).unwrap().offered(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()).err()
    };
    assert_eq!(offered(good.clone(), &["residency", "residency-zk"]), Some(MetadataError::Mixed));
    assert_eq!(offered(good.clone(), &["other"]), Some(MetadataError::UnknownConfiguration));
    let without = spoiled(&good, "/credential_response_encryption", json!(null));
    assert_eq!(offered(without.clone(), &["residency-zk"]), Some(MetadataError::NoEncryption));
    assert_eq!(offered(without, &["residency"]), None);
    let attested =
        "/credential_configurations_supported/residency/proof_types_supported/jwt/key_attestations_required";
    assert_eq!(
        offered(spoiled(&good, attested, json!({})), &["residency"]),
        Some(MetadataError::Unsupported)
    );
    let vector = include_str!(
        "../../../../specs/vectors/openid4vci-1.0/examples/credential_issuer_metadata_sd_jwt_long.json"
    );
    let vector = IssuerMetadata::parse(vector.as_bytes(), "https://credential-issuer.example.com").unwrap();
    assert_eq!(
        vector.offered(&["SD_JWT_VC_example_in_OpenID4VCI".into()]).err(),
        Some(MetadataError::Unsupported)
    );
}

#[test]
pub(crate) fn a_configuration_of_the_standard_is_read() {
    let vector =
        include_str!("../../../../specs/vectors/openid4vci-1.0/examples/credential_metadata_sd_jwt_vc.json");
    let vector: Value = serde_json::from_str(vector).unwrap();
    let of = &vector["credential_configurations_supported"]["SD_JWT_VC_example_in_OpenID4VCI"];
    let configuration: Configuration = serde_json::from_value(of.clone()).unwrap();
    assert_eq!(configuration.vct.as_deref(), Some("SD_JWT_VC_example_in_OpenID4VCI"));
    assert_eq!(configuration.credential_metadata.unwrap().claims.len(), 13);
    assert!(!configuration.proof_types_supported.is_empty());
}

#[test]
pub(crate) fn metadata_that_is_refused() {
    let district = District::new();
    let good = metadata(&district);
    assert_eq!(
        parse(&spoiled(&good, "/credential_issuer", json!("https://other.example"))).err(),
        Some(MetadataError::Issuer)
    );
    assert_eq!(
        parse(&spoiled(&good, "/credential_endpoint", json!("http://issuer.example"))).err(),
        Some(MetadataError::Endpoint)
    );
    assert_eq!(
        parse(&spoiled(&good, "/credential_endpoint", json!(null))).err(),
        Some(MetadataError::Malformed)
    );
    let entry = |entry: Value, env: Env| {
        let jws = json!(district.document("issuer", entry));
        parse(&spoiled(&good, "/urn:vouchsafe:issuer:1", jws))
            .unwrap()
            .entry(&district.judge(), env, &[PROOF])
            .err()
    };
    assert_eq!(entry(district.issuer_entry(), Env::Live), Some(MetadataError::Env));
    assert_eq!(
        entry(spoiled(&district.issuer_entry(), "/sub", json!("x")), Env::Test),
        Some(MetadataError::OtherEntry)
    );
    assert_eq!(
        entry(spoiled(&district.issuer_entry(), "/types", json!([PLAIN])), Env::Test),
        Some(MetadataError::Type)
    );
    let none = spoiled(&good, "/urn:vouchsafe:issuer:1", json!(null));
    assert_eq!(
        parse(&none).unwrap().entry(&district.judge(), Env::Test, &[]).err(),
        Some(MetadataError::NoEntry)
    );
    let forged = sign(
        &district.issuer,
        &NewHeader::new(Alg::Es256, "vouchsafe-issuer+jwt").kid("r1"),
        &with_head(district.issuer_entry()),
    );
    let forged = parse(&spoiled(&good, "/urn:vouchsafe:issuer:1", json!(forged)))
        .unwrap()
        .entry(&district.judge(), Env::Test, &[])
        .err();
    assert_eq!(forged, Some(MetadataError::Trust(TrustError::Signature)));
    let server = serde_json::to_value(ServerMetadata::of(ISSUER, &format!("{ISSUER}/token"))).unwrap();
    let server = |member: &str, value: Value| {
        ServerMetadata::parse(spoiled(&server, member, value).to_string().as_bytes(), ISSUER).err()
    };
    assert_eq!(server("/x", json!(1)), None);
    assert_eq!(server("/issuer", json!("x")), Some(MetadataError::Issuer));
    assert_eq!(server("/token_endpoint", json!("http://x")), Some(MetadataError::Endpoint));
    assert_eq!(server("/grant_types_supported", json!([])), Some(MetadataError::Grant));
    assert_eq!(
        server("/pre-authorized_grant_anonymous_access_supported", json!(false)),
        Some(MetadataError::Grant)
    );
    assert_eq!(TokenResponse::bearer("t".into(), 9999).expires_in, MAX_TOKEN_TTL);
}

fn wish() -> Value {
    let request = Request::new(
        "residency-zk",
        vec!["p".into()],
        Some((&response_key().named().key, "w1", Enc::A256Gcm)),
    );
    serde_json::to_value(request).unwrap()
}

fn encrypted(request: &Value) -> Result<Received, CredentialError> {
    encrypted_for(request, "tx-9")
}

fn encrypted_for(request: &Value, kid: &str) -> Result<Received, CredentialError> {
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    let (to, ephemeral) = (response_key().named(), Box::new(Agreement::new(&[7; 32])));
    let jwe = seal(request.to_string().as_bytes(), &to, Enc::A128Gcm, ephemeral, &Ring, &mut rng).unwrap();
    Received::encrypted(&jwe, kid, &response_key().0, &Ring)
}

#[test]
pub(crate) fn requests_for_proof_copies_are_encrypted() {
    let received = encrypted(&wish()).unwrap();
    assert_eq!(received.asked, Asked::Configuration("residency-zk".into()));
    assert_eq!(received.proofs.len(), 1);
    assert_eq!(received.carriage, Carriage::Encrypted);
    assert_eq!(received.check_proof_copies().unwrap().enc, Enc::A256Gcm);
    let wrong = Some(CredentialError::InvalidEncryptionParameters);
    assert_eq!(encrypted_for(&wish(), "tx-8").err(), wrong);
    // A response key in a plain request may be anybody's.
    assert_eq!(Received::plain(wish().to_string().as_bytes()).err(), wrong);
    let without = spoiled(&wish(), "/credential_response_encryption", json!(null));
    assert_eq!(Received::plain(without.to_string().as_bytes()).unwrap().check_proof_copies().err(), wrong);
    assert_eq!(encrypted(&without).unwrap().check_proof_copies().err(), wrong);
    let at = |member: &str, value: Value| {
        encrypted(&spoiled(&wish(), &format!("/credential_response_encryption{member}"), value)).err()
    };
    assert_eq!(at("/enc", json!("A128CBC-HS256")), wrong);
    assert_eq!(at("/zip", json!("DEF")), wrong);
    assert_eq!(at("/jwk/alg", json!(null)), wrong);
    assert_eq!(at("/jwk/alg", json!("RSA-OAEP")), wrong);
    assert_eq!(at("/jwk/d", json!("AA")), wrong);
    assert_eq!(Received::encrypted("a.b.c", "tx-9", &response_key().0, &Ring).err(), wrong);
}

#[test]
pub(crate) fn requests_that_are_refused() {
    let plain = spoiled(&wish(), "/credential_response_encryption", json!(null));
    let with = |member: &str, value: Value| {
        Received::plain(spoiled(&plain, member, value).to_string().as_bytes()).err()
    };
    assert_eq!(with("/note", json!(1)), None);
    assert_eq!(
        with("/credential_configuration_id", json!(null)),
        Some(CredentialError::InvalidCredentialRequest)
    );
    assert_eq!(with("/credential_identifier", json!("a")), Some(CredentialError::InvalidCredentialRequest));
    let identifier = spoiled(
        &spoiled(&plain, "/credential_configuration_id", json!(null)),
        "/credential_identifier",
        json!("a"),
    );
    let received = Received::plain(identifier.to_string().as_bytes()).unwrap();
    assert_eq!(received.asked, Asked::Identifier("a".into()));
    for proofs in [
        json!(null),
        json!({}),
        json!({"jwt": []}),
        json!({"jwt": ["a"], "attestation": ["b"]}),
        json!({"jwt": [1]}),
        json!({"ldp_vp": [1]}),
    ] {
        assert_eq!(with("/proofs", proofs.clone()), Some(CredentialError::InvalidProof), "{proofs}");
    }
    let old =
        spoiled(&spoiled(&plain, "/proofs", json!(null)), "/proof", json!({"proof_type": "jwt", "jwt": "a"}));
    assert_eq!(Received::plain(old.to_string().as_bytes()).err(), Some(CredentialError::InvalidProof));
    assert_eq!(Received::plain(b"[]").err(), Some(CredentialError::InvalidCredentialRequest));
}

#[test]
pub(crate) fn responses() {
    let values = json!({"/ward": "W105"}).as_object().cloned().unwrap();
    let copy =
        Copy { credential: "a~".into(), openings: Some(Openings::new(Seed::new([8; 32]), values.clone())) };
    let text = write_response(&[copy], Some("n-1"));
    let read = read_response(&text).unwrap().copies().unwrap();
    let openings = read[0].openings.as_ref().unwrap();
    assert_eq!((openings.seed().to_bytes()[0], openings.values()), (8, &values));
    let error = |text: &str| read_response(text.as_bytes()).err();
    let later = read_response(br#"{"transaction_id":"t","interval":5}"#).unwrap();
    assert_eq!(later.copies().err(), Some(ResponseError::Deferred));
    for both in [
        r#"{"transaction_id":"t","interval":5,"credentials":[{"credential":"a~"}]}"#,
        r#"{"transaction_id":"t"}"#,
        r#"{"transaction_id":"t","interval":"5"}"#,
        r#"{"credentials":[{"credential":"a~"}],"notification_id":1}"#,
    ] {
        assert_eq!(error(both), Some(ResponseError::Malformed), "{both}");
    }
    assert_eq!(error(r#"{"credential":"a~"}"#), Some(ResponseError::Malformed));
    assert_eq!(error(r#"{"credentials":[]}"#), Some(ResponseError::Malformed));
    assert_eq!(error(r#"{"credentials":[{"credential":{}}]}"#), Some(ResponseError::Malformed));
    assert_eq!(
        error(r#"{"credentials":[{"credential":"a","urn:vouchsafe:openings:1":{"seed":"AA","values":{}}}]}"#),
        Some(ResponseError::Malformed)
    );
    let to = response_key().named();
    let jwe = seal(
        &text,
        &to,
        Enc::A256Gcm,
        Box::new(Agreement::new(&[7; 32])),
        &Ring,
        &mut ChaCha20Rng::from_seed([6; 32]),
    )
    .unwrap();
    assert!(open_response(&jwe, "tx-9", Enc::A256Gcm, &response_key().0, &Ring).is_ok());
    assert_eq!(
        open_response(&jwe, "w1", Enc::A256Gcm, &response_key().0, &Ring).err(),
        Some(ResponseError::Encryption)
    );
    assert_eq!(
        open_response(&jwe, "tx-9", Enc::A128Gcm, &response_key().0, &Ring).err(),
        Some(ResponseError::Encryption)
    );
    assert_eq!(
        open_response(&jwe, "tx-9", Enc::A256Gcm, &Agreement::new(&[9; 32]), &Ring).err(),
        Some(ResponseError::Encryption)
    );
}

fn answer() -> Response {
    let presentations = [("q0".to_owned(), "a~b".to_owned())].into();
    Response { vp_token: VpToken::new(presentations), state: Some(STATE.into()) }
}

fn open(form: &str, mode: ResponseMode) -> Result<Response, PostError> {
    let key = response_key();
    Posted::parse(form.as_bytes())?.open(mode, Some(Opener { kid: "tx-9", key: &key.0, aead: &Ring }))
}

#[test]
pub(crate) fn answers_are_posted_as_they_were_asked_for() {
    let to = ResponseKey { key: response_key().named(), enc: Enc::A256Gcm };
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    let sealed = answer().encrypted_form(&to, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng).unwrap();
    let plain = answer().plain_form();
    let read = open(&sealed, ResponseMode::DirectPostJwt).unwrap();
    assert!(read == answer() && read.check_state(STATE).is_ok());
    assert_eq!(read.check_state("other"), Err(PostError::State));
    assert!(open(&plain, ResponseMode::DirectPost).unwrap() == answer());
    assert_eq!(open(&plain, ResponseMode::DirectPostJwt).err(), Some(PostError::Plain));
    assert_eq!(open(&sealed, ResponseMode::DirectPost).err(), Some(PostError::Encrypted));
    assert_eq!(open(&format!("{plain}&state=a"), ResponseMode::DirectPost).err(), Some(PostError::Form));
    assert_eq!(open(&format!("{plain}&error=a"), ResponseMode::DirectPost).err(), Some(PostError::Kind));
    assert_eq!(open("state=a", ResponseMode::DirectPost).err(), Some(PostError::Kind));
    assert_eq!(
        open(&error_form("access_denied", STATE), ResponseMode::DirectPost).err(),
        Some(PostError::Kind)
    );
    let other = ResponseKey {
        key: vouchsafe_protocol::jose::NamedJwk { kid: Some("tx-8".into()), ..to.key },
        enc: Enc::A256Gcm,
    };
    let other = answer().encrypted_form(&other, Box::new(Agreement::new(&[7; 32])), &Ring, &mut rng).unwrap();
    assert_eq!(open(&other, ResponseMode::DirectPostJwt).err(), Some(PostError::Decrypt));
}

#[test]
pub(crate) fn shapes_of_vp_token() {
    let open = |vp_token: &str| {
        open(&vouchsafe_protocol::form::write(&[("vp_token", vp_token)]), ResponseMode::DirectPost).err()
    };
    assert_eq!(open(r#"{"q0":["a~b"]}"#), None);
    for old in ["a~b", r#"["a~b"]"#, r#"{"q0":"a~b"}"#] {
        assert_eq!(open(old), Some(PostError::OlderDraft), "{old}");
    }
    for many in [r#"{"q0":["a","b"]}"#, r#"{"q0":[]}"#, "{}"] {
        assert_eq!(open(many), Some(PostError::Count), "{many}");
    }
    for other in [r#"{"q0":[{}]}"#, r#"{"q0":{}}"#, "1"] {
        assert_eq!(open(other), Some(PostError::Malformed), "{other}");
    }
    let submitted = vouchsafe_protocol::form::write(&[("vp_token", "{}"), ("presentation_submission", "{}")]);
    assert_eq!(Posted::parse(submitted.as_bytes()).err(), Some(PostError::OlderDraft));
}
