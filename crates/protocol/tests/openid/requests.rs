//! What a wallet refuses to answer.

use serde_json::{Value, json};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::openid4vp::Prefix;
use vouchsafe_protocol::openid4vp::request::{Expected, RequestError, Unverified, Verified};
use vouchsafe_protocol::openid4vp::transaction_data::TransactionDataError;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::TrustError;

use crate::district::{District, NOW, PURPOSE, REPLY, SERVICE, STATE, policy, sign, spoiled, wards};

pub(crate) struct Case {
    pub(crate) district: District,
    pub(crate) claims: Value,
}

impl Case {
    fn new() -> Self {
        let district = District::new();
        let register = district.register();
        let asked = district.asked(&register, policy());
        let claims = district.request(&register, &asked);
        Self { district, claims }
    }

    pub(crate) fn verify(&self, text: &str) -> Result<Verified, RequestError> {
        let client_id = self.district.client_id();
        let anchors = [self.district.anchor.clone()];
        let expected = Expected {
            client_id: &client_id,
            wallet_nonce: None,
            env: Env::Test,
            anchors: &anchors,
            judge: self.district.judge(),
        };
        Unverified::parse(text)?.verify(&expected)
    }

    fn refusal(&self, claims: &Value) -> RequestError {
        self.verify(&self.district.sign_request(claims)).err().unwrap()
    }

    fn spoil(&self, pointer: &str, member: Value) -> RequestError {
        self.refusal(&spoiled(&self.claims, pointer, member))
    }

    /// `verifier_info` with the element of that format replaced.
    pub(crate) fn inform(&self, format: &str, data: Value) -> RequestError {
        let all = self.claims["verifier_info"].as_array().unwrap();
        let i = all.iter().position(|info| info["format"] == format).unwrap();
        self.spoil(&format!("/verifier_info/{i}/data"), data)
    }
}

#[test]
pub(crate) fn a_good_request_is_taken() {
    let case = Case::new();
    let verified = case.verify(&case.district.sign_request(&case.claims)).unwrap();
    assert_eq!(verified.service().sub, SERVICE);
    assert_eq!(verified.purpose().sub, PURPOSE);
    assert_eq!((verified.state(), verified.response_uri()), (STATE, REPLY));
    assert_eq!(verified.response_key().unwrap().key.kid.as_deref(), Some("tx-9"));
    assert_eq!(verified.reg_version(), 7);
    let options: Vec<_> = verified.asked().options().iter().map(|option| option.queries.concat()).collect();
    assert_eq!(options, ["q0", "q1", "n0", "n1a", "n1b"]);
    // The wallet's record is the verifier's.
    let register = case.district.register();
    let asked = case.district.asked(&register, policy());
    let chosen = asked.option(0).unwrap();
    assert!(asked.context(&chosen, vec![]) == verified.asked().context(&chosen, vec![]));
    // What is unknown is ignored, where the standard says so.
    let more = spoiled(&case.claims, "/iss", json!("whoever"));
    let more = spoiled(&more, "/dcql_query/credentials/0/note", json!(1));
    let more = spoiled(&more, "/verifier_info/-", json!({"format": "other", "data": 1}));
    assert!(case.verify(&case.district.sign_request(&more)).is_ok());
}

#[test]
pub(crate) fn unsigned_foreign_and_wrongly_signed_requests() {
    let case = Case::new();
    let good = case.district.sign_request(&case.claims);
    let error = |text: &str| case.verify(text).err().unwrap();
    assert_eq!(error(&case.claims.to_string()), RequestError::Unsigned);
    let none = vouchsafe_protocol::encoding::b64u(r#"{"alg":"none","typ":"oauth-authz-req+jwt"}"#);
    assert_eq!(error(&format!("{none}.{}.", good.split('.').nth(1).unwrap())), RequestError::Unsigned);
    let header = |typ: &str| NewHeader::new(Alg::Es256, typ).x5c(&case.district.service_x5c);
    assert_eq!(error(&sign(&case.district.service, &header("JWT"), &case.claims)), RequestError::Typ);
    let good_header = header("oauth-authz-req+jwt");
    assert_eq!(error(&sign(&case.district.issuer, &good_header, &case.claims)), RequestError::Signature);
    // Another certificate of the same authority does not have the hash that the client id names.
    let (key, x5c) = case.district.other_leaf();
    let other = NewHeader::new(Alg::Es256, "oauth-authz-req+jwt").x5c(&x5c);
    assert_eq!(error(&sign(&key, &other, &case.claims)), RequestError::CertificateHash);
    let without = NewHeader::new(Alg::Es256, "oauth-authz-req+jwt");
    assert!(matches!(
        error(&sign(&case.district.service, &without, &case.claims)),
        RequestError::Certificate(_)
    ));
}

#[test]
pub(crate) fn client_ids() {
    let case = Case::new();
    assert_eq!(case.spoil("/client_id", json!("x509_hash:AAAA")), RequestError::ClientId);
    assert_eq!(case.spoil("/client_id", json!(null)), RequestError::ClientId);
    let with_prefix = |prefix: &str| {
        let client_id = case.district.client_id().replace("x509_hash:", prefix);
        let claims = spoiled(&case.claims, "/client_id", json!(client_id));
        let anchors = [case.district.anchor.clone()];
        let expected = Expected {
            client_id: &client_id,
            wallet_nonce: None,
            env: Env::Test,
            anchors: &anchors,
            judge: case.district.judge(),
        };
        Unverified::parse(&case.district.sign_request(&claims))
            .and_then(|r| r.verify(&expected))
            .err()
            .unwrap()
    };
    assert_eq!(with_prefix("x509_san_dns:"), RequestError::CertificateName);
    assert_eq!(with_prefix("redirect_uri:"), RequestError::Prefix(Prefix::Known("redirect_uri")));
    assert_eq!(with_prefix(""), RequestError::Prefix(Prefix::None));
    assert_eq!(with_prefix("did:"), RequestError::OlderDraft("did:"));
    assert_eq!(with_prefix("web-origin:"), RequestError::OlderDraft("web-origin:"));
}

#[test]
pub(crate) fn a_service_known_by_a_name_of_its_certificate() {
    let case = Case::new();
    let verify = |client_id: &str, response_uri: &str| {
        let claims = spoiled(&case.claims, "/client_id", json!(client_id));
        let claims = spoiled(&claims, "/response_uri", json!(response_uri));
        let anchors = [case.district.anchor.clone()];
        let judge = case.district.judge();
        let expected = Expected { client_id, wallet_nonce: None, env: Env::Test, anchors: &anchors, judge };
        let read = Unverified::parse(&case.district.sign_request(&claims)).unwrap();
        read.verify(&expected).map(|verified| verified.asked().party().audience())
    };
    let name = "x509_san_dns:verifier.example";
    assert_eq!(verify(name, REPLY).as_deref(), Ok(name));
    assert_eq!(verify(name, "https://other.example/a/1"), Err(RequestError::ResponseHost));
    for other in ["x509_san_dns:other.example", "x509_san_dns:*.example", "x509_san_dns:"] {
        assert_eq!(verify(other, REPLY), Err(RequestError::CertificateName), "{other}");
    }
}

/// A refusal is told to a service that the registrar knows, and to nobody else.
#[test]
pub(crate) fn to_whom_a_refusal_is_told() {
    let case = Case::new();
    let (client_id, anchors) = (case.district.client_id(), [case.district.anchor.clone()]);
    let judge = case.district.judge();
    let (env, wallet_nonce) = (Env::Test, None);
    let expected = Expected { client_id: &client_id, wallet_nonce, env, anchors: &anchors, judge };
    let told = |claims: &Value| {
        Unverified::parse(&case.district.sign_request(claims)).unwrap().error_reply(&expected).is_some()
    };
    let unknown = |pointer: &str, member: Value| told(&spoiled(&case.claims, pointer, member));
    assert!(told(&case.claims));
    // What is refused for another reason than who asks.
    assert!(unknown("/transaction_data", json!(["e30"])));
    assert!(unknown("/dcql_query", json!({})));
    assert!(!unknown("/response_uri", json!("http://verifier.example/a/1")));
    assert!(!unknown("/state", json!(null)));
    assert!(!unknown("/aud", json!("https://other.example")));
    assert!(!unknown("/verifier_info", json!([])));
    let (key, _) = case.district.other_leaf();
    let header = NewHeader::new(Alg::Es256, "oauth-authz-req+jwt").x5c(&case.district.service_x5c);
    let forged = sign(&key, &header, &case.claims);
    assert!(Unverified::parse(&forged).unwrap().error_reply(&expected).is_none());
}

#[test]
pub(crate) fn parameters_that_are_refused() {
    let case = Case::new();
    assert_eq!(case.spoil("/aud", json!("https://wallet.example")), RequestError::Audience);
    assert_eq!(case.spoil("/response_type", json!("code")), RequestError::ResponseType);
    assert_eq!(case.spoil("/nonce", json!(null)), RequestError::Nonce);
    assert_eq!(case.spoil("/nonce", json!("short")), RequestError::Nonce);
    assert_eq!(case.spoil("/nonce", json!("twenty-two characters!")), RequestError::Nonce);
    assert_eq!(case.spoil("/state", json!(null)), RequestError::State);
    assert_eq!(case.spoil("/wallet_nonce", json!("not-that-of-the-wallet-0")), RequestError::WalletNonce);
    assert_eq!(
        case.spoil("/transaction_data", json!([])),
        RequestError::TransactionData(TransactionDataError::Form)
    );
    let unknown = b64u(r#"{"type":"x","credential_ids":["q0"]}"#);
    assert_eq!(
        case.spoil("/transaction_data", json!([unknown])),
        RequestError::TransactionData(TransactionDataError::Type)
    );
    assert_eq!(case.spoil("/redirect_uri", json!("https://verifier.example/cb")), RequestError::RedirectUri);
    assert_eq!(case.spoil("/response_uri", json!("http://verifier.example/a")), RequestError::ResponseUri);
    assert_eq!(case.spoil("/response_mode", json!("fragment")), RequestError::Malformed);
    assert_eq!(
        case.spoil("/client_metadata/vp_formats_supported", json!({"mso_mdoc": {}})),
        RequestError::Formats
    );
    assert_eq!(case.spoil("/client_metadata/jwks", json!(null)), RequestError::EncryptionKey);
    assert_eq!(case.spoil("/client_metadata/jwks/keys/0/alg", json!(null)), RequestError::EncryptionKey);
    assert_eq!(case.spoil("/client_metadata/jwks/keys/0/use", json!("sig")), RequestError::EncryptionKey);
    assert_eq!(
        case.spoil("/client_metadata/encrypted_response_enc_values_supported", json!(["A128CBC-HS256"])),
        RequestError::EncryptionKey
    );
    assert_eq!(case.spoil("/iat", json!(NOW.0 + 120)), RequestError::Times);
    assert_eq!(case.spoil("/exp", json!(NOW.0 + 7200)), RequestError::Times);
    let ended = spoiled(&spoiled(&case.claims, "/iat", json!(NOW.0 - 900)), "/exp", json!(NOW.0 - 600));
    assert_eq!(case.refusal(&ended), RequestError::Expired);
}

#[test]
pub(crate) fn the_wallets_nonce_is_repeated() {
    let case = Case::new();
    let (client_id, anchors) = (case.district.client_id(), [case.district.anchor.clone()]);
    let nonce = Some("w-0S6_WzA2MjR3c9QkYtLw");
    let expected = Expected {
        client_id: &client_id,
        wallet_nonce: nonce,
        env: Env::Test,
        anchors: &anchors,
        judge: case.district.judge(),
    };
    let verify =
        |claims: &Value| Unverified::parse(&case.district.sign_request(claims)).unwrap().verify(&expected);
    assert_eq!(verify(&case.claims).err(), Some(RequestError::WalletNonce));
    assert!(verify(&spoiled(&case.claims, "/wallet_nonce", json!(nonce))).is_ok());
}

#[test]
pub(crate) fn older_drafts_are_named() {
    let case = Case::new();
    for name in [
        "client_id_scheme",
        "presentation_definition",
        "presentation_definition_uri",
        "verifier_attestations",
    ] {
        assert_eq!(case.spoil(&format!("/{name}"), json!("x")), RequestError::OlderDraft(name));
    }
    let name = "authorization_encrypted_response_alg";
    assert_eq!(
        case.spoil(&format!("/client_metadata/{name}"), json!("ECDH-ES")),
        RequestError::OlderDraft(name)
    );
    assert_eq!(
        case.spoil("/dcql_query/credentials/0/format", json!("vc+sd-jwt")),
        RequestError::OlderDraft("vc+sd-jwt")
    );
}

#[test]
pub(crate) fn who_asks_and_what_for_is_the_registrars_word() {
    let case = Case::new();
    let district = &case.district;
    let service = |member: &str, value: Value| {
        let entry = spoiled(&district.service_entry(), member, value);
        case.inform("urn:vouchsafe:service:1", json!(district.document("service", entry)))
    };
    assert_eq!(service("/client_ids", json!(["x509_hash:other"])), RequestError::OtherService);
    assert_eq!(service("/env", json!("live")), RequestError::Env);
    assert_eq!(service("/purposes", json!([])), RequestError::PurposeNotAllowed);
    // A service that describes its own purpose has only its own key to sign with.
    let mine = crate::district::with_head(spoiled(&district.purpose_entry(), "/retention_days", json!(1)));
    let forged =
        sign(&district.service, &NewHeader::new(Alg::Es256, "vouchsafe-purpose+jwt").kid("r1"), &mine);
    assert_eq!(
        case.inform("urn:vouchsafe:purpose:1", json!(forged)),
        RequestError::Purpose(TrustError::Signature)
    );
    let forged =
        sign(&district.service, &NewHeader::new(Alg::Es256, "vouchsafe-service+jwt").kid("mine"), &mine);
    assert_eq!(
        case.inform("urn:vouchsafe:service:1", json!(forged)),
        RequestError::Service(TrustError::UnknownKey)
    );
    let table = spoiled(&wards(), "/rows/0/index", json!(102));
    assert_eq!(
        case.inform("urn:vouchsafe:table:1", json!(district.document("table", table))),
        RequestError::Table(TrustError::Members)
    );
    for (format, kind, entry) in [
        ("urn:vouchsafe:purpose:1", "purpose", district.purpose_entry()),
        ("urn:vouchsafe:table:1", "table", wards()),
    ] {
        let newer = district.document(kind, spoiled(&entry, "/reg_version", json!(8)));
        assert_eq!(case.inform(format, json!(newer)), RequestError::TwoRegisters);
    }
    assert_eq!(case.spoil("/verifier_info", json!([])), RequestError::Info);
    let mut tables = case.claims.clone();
    let again = tables["verifier_info"][2].clone();
    tables["verifier_info"].as_array_mut().unwrap().insert(2, again);
    assert_eq!(case.refusal(&tables), RequestError::Info);
    let mut swapped = case.claims.clone();
    swapped["verifier_info"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(case.refusal(&swapped), RequestError::Info);
    let twice = spoiled(
        &case.claims,
        "/verifier_info/-",
        case.claims["verifier_info"].as_array().unwrap().last().unwrap().clone(),
    );
    assert_eq!(case.refusal(&twice), RequestError::Info);
}

#[test]
pub(crate) fn what_is_asked_is_what_the_policy_says() {
    let case = Case::new();
    let policy = policy();
    assert_eq!(
        case.inform("urn:vouchsafe:policy:1", spoiled(&policy, "/version", json!(2))),
        RequestError::PolicyDigest
    );
    assert_eq!(
        case.inform("urn:vouchsafe:policy:1", spoiled(&policy, "/purpose", json!("x"))),
        RequestError::OtherPurpose
    );
    assert_eq!(
        case.inform("urn:vouchsafe:policy:1", spoiled(&policy, "/subject_binding", json!(null))),
        RequestError::Policy
    );
    let context = case.claims["verifier_info"].as_array().unwrap().last().unwrap()["data"].clone();
    let context =
        |member: &str, value: Value| case.inform("urn:vouchsafe:context:1", spoiled(&context, member, value));
    assert_eq!(context("/as_of", json!("2026-11-20")), RequestError::AsOf);
    assert_eq!(context("/as_of", json!("20261121")), RequestError::Info);
    assert_eq!(context("/note", json!(1)), RequestError::Info);
    assert_eq!(context("/policy_digest", json!("AAAA")), RequestError::PolicyDigest);
    assert_eq!(context("/options/0/outcome", json!("not_met")), RequestError::Options);
    assert_eq!(case.spoil("/dcql_query/statements/0/k", json!("131700")), RequestError::Statements);
    assert_eq!(
        case.spoil("/dcql_query/statements/0/note", json!(1)).to_string().split(':').next(),
        Some("the request's query cannot be used")
    );
    assert_eq!(
        case.spoil("/dcql_query/credentials/0/claims", json!([{"path": ["name"]}])),
        RequestError::Query
    );
    assert_eq!(
        case.spoil("/dcql_query/credential_sets/0/options/4", json!(["q0", "q1"])),
        RequestError::Query
    );
    assert_eq!(
        case.spoil("/dcql_query/credential_sets/0/options/-", json!(["q9"])),
        RequestError::Dcql(vouchsafe_protocol::dcql::DcqlError::UnknownId)
    );
}

#[test]
pub(crate) fn a_policy_that_asks_for_more_than_the_purpose_allows() {
    let district = District::new();
    let cases = [
        ("/may_ask/0/how", json!("ge"), "le"),
        ("/may_ask/0/rules", json!([{"kind": "fixed"}]), "le"),
        ("/may_ask/5/vct", json!("https://larkfield.example/types/other/1"), "show"),
        ("/may_ask/6/pointer", json!("/name"), "show"),
    ];
    for (pointer, member, how) in cases {
        let register = district
            .register_with(spoiled(&district.purpose_entry(), pointer, member), district.issuer_entry());
        let asked = district.asked(&register, policy());
        let text = district.sign_request(&district.request(&register, &asked));
        let (client_id, anchors) = (district.client_id(), [district.anchor.clone()]);
        let expected = Expected {
            client_id: &client_id,
            wallet_nonce: None,
            env: Env::Test,
            anchors: &anchors,
            judge: district.judge(),
        };
        match Unverified::parse(&text).unwrap().verify(&expected).err() {
            Some(RequestError::OverAsking(more)) => assert_eq!(more.how, how, "{pointer}"),
            other => panic!("{pointer}: {other:?}"),
        }
    }
}
