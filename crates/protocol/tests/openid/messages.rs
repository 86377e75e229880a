//! Small messages: forms, links, offers, tokens, statements.

use serde_json::{Value, json};
use vouchsafe_protocol::form::{self, Form, FormError};
use vouchsafe_protocol::openid4vci::PRE_AUTHORIZED_GRANT;
use vouchsafe_protocol::openid4vci::errors::TokenError;
use vouchsafe_protocol::openid4vci::offer::{Offer, OfferError, OfferLink};
use vouchsafe_protocol::openid4vci::token::{TokenRequest, TokenResponse, TokenType};
use vouchsafe_protocol::openid4vp::link::{Link, LinkError, Method};
use vouchsafe_protocol::openid4vp::response::{Answered, ResponseError};
use vouchsafe_protocol::policy::Case;
use vouchsafe_protocol::statement::{StatementError, WireStatement};
use vouchsafe_protocol::trust::Tables;

use crate::district::{District, NONCE, REPLY, SERVICE, STATE, policy, spoiled};

fn offer() -> Value {
    json!({"credential_issuer": "https://issuer.example", "credential_configuration_ids": ["residency-zk"],
        "grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c0de", "tx_code": {"description": "In your letter"}}}})
}

#[test]
pub(crate) fn offers_and_their_links() {
    let fault = |member: &str, value: Value| {
        Offer::parse(spoiled(&offer(), member, value).to_string().as_bytes()).err()
    };
    assert_eq!(fault("/note", json!(1)), None);
    assert_eq!(fault("/credential_issuer", json!("http://issuer.example")), Some(OfferError::Issuer));
    assert_eq!(fault("/credential_configuration_ids", json!(["a", "a"])), Some(OfferError::Configurations));
    let long = json!({"pre-authorized_code": "c0de", "tx_code": {"description": "x".repeat(301)}});
    assert_eq!(fault("/grants", json!({PRE_AUTHORIZED_GRANT: long})), Some(OfferError::Malformed));
    let link = |members: &[(&str, &str)]| {
        OfferLink::parse(&format!("openid-credential-offer://?{}", form::write(members))).err()
    };
    let offer = offer().to_string();
    assert_eq!(link(&[("credential_offer", &offer)]), None);
    let both = link(&[("credential_offer", &offer), ("credential_offer_uri", "https://issuer.example/o")]);
    assert_eq!(both, Some(OfferError::One));
    assert_eq!(link(&[("credential_offer_uri", "http://issuer.example/o")]), Some(OfferError::Reference));
}

#[test]
pub(crate) fn tokens() {
    let read = |body: &str| TokenRequest::parse(body.as_bytes());
    let good = form::write(&[
        ("grant_type", PRE_AUTHORIZED_GRANT),
        ("pre-authorized_code", "c"),
        ("tx_code", "493536"),
    ]);
    let request = read(&good).unwrap();
    assert!(request.tx_code_is("493536"));
    assert!(!request.tx_code_is("493537"));
    assert_eq!(request.check_tx_code(false), Err(TokenError::InvalidRequest));
    let without = form::write(&[("grant_type", PRE_AUTHORIZED_GRANT), ("pre-authorized_code", "c")]);
    assert_eq!(read(&without).unwrap().check_tx_code(true), Err(TokenError::InvalidRequest));
    let other = form::write(&[("grant_type", "authorization_code"), ("pre-authorized_code", "c")]);
    assert_eq!(read(&other).err(), Some(TokenError::UnsupportedGrantType));
    let dpop = br#"{"access_token":"a","token_type":"DPoP","expires_in":60}"#;
    assert!(TokenResponse::parse(dpop, TokenType::Bearer).is_none());
}

#[test]
pub(crate) fn forms_links_and_returns() {
    assert_eq!(Form::parse(b"a=1&a=2", 99).err(), Some(FormError::Repeated));
    let link = |uri: &str| {
        Link::parse(&format!("openid4vp://?{}", form::write(&[("client_id", "a"), ("request_uri", uri)])))
            .err()
    };
    assert_eq!(link("https://verifier.example/r/1"), None);
    assert_eq!(link("http://verifier.example/r/1"), Some(LinkError::RequestUri));
    let back = |uri: &str| Answered::parse(json!({"redirect_uri": uri}).to_string().as_bytes()).err();
    assert_eq!(back("https://verifier.example/p/1/return?response_code=a"), None);
    assert_eq!(back("javascript:alert(1)"), Some(ResponseError::Malformed));
    let returning = Answered::returning("https://verifier.example/p/1/return", "a b");
    assert_eq!(
        returning.redirect_uri.as_deref(),
        Some("https://verifier.example/p/1/return?response_code=a+b")
    );
}

#[test]
fn what_is_printed_to_find_faults_holds_no_secret() {
    let district = District::new();
    let asked = district.asked(&district.register(), policy());
    let link = Link {
        client_id: district.client_id(),
        request_uri: "https://verifier.example/r/h4ndle".into(),
        method: Method::Post,
    };
    let case = json!({"name": "old enough", "as_of": "2026-11-21", "values": {"/birth_date": "1951-02-03"},
        "facts_as_of": "2026-11-20", "expect": "met"});
    let case: Case = serde_json::from_value(case).unwrap();
    let answered = Answered::returning("https://verifier.example/p/h4ndle/return", "c0de");
    let shown = [
        format!("{:?} {:#?}", asked.party(), asked.party()),
        format!("{asked:?} {asked:#?}"),
        format!("{link:?} {link:#?} {:?}", Link::parse(&link.to_string())),
        format!("{answered:?} {answered:#?}"),
        format!("{case:?} {case:#?}"),
    ];
    let state = format!("{:?}", asked.party().state_sha256);
    let secrets = [NONCE, STATE, REPLY, &state, "h4ndle", "c0de", "1951-02-03", "https://verifier.example"];
    for (text, secret) in shown.iter().flat_map(|text| secrets.iter().map(move |secret| (text, secret))) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // What is left says which request it is about.
    assert!(shown[1].contains(SERVICE) && shown[1].contains("bus-pass") && shown[1].contains("2026-11-21"));
}

#[test]
pub(crate) fn statements() {
    let good = json!({"id": "s", "op": "in", "terms": [{"query": "q", "pointer": "/x", "coeff": 1}], "lo": "1", "hi": "2", "rule": {"kind": "fixed"}});
    let fault = |member: &str, value: Value| {
        let statement = serde_json::from_value::<WireStatement>(spoiled(&good, member, value)).unwrap();
        statement.to_proof(&Tables::default()).err()
    };
    assert_eq!(fault("/id", json!("t")), None);
    assert_eq!(fault("/id", json!("a b")), Some(StatementError::Id));
    assert_eq!(fault("/terms/0/coeff", json!(-2)), None);
    for coeff in [0, 65_537, -65_537] {
        assert_eq!(fault("/terms/0/coeff", json!(coeff)), Some(StatementError::Terms), "{coeff}");
    }
    assert_eq!(fault("/lo", json!("3")), Some(StatementError::Bounds));
    let term = |pointer: &str, coeff: i64| json!({"query": "q", "pointer": pointer, "coeff": coeff});
    assert_eq!(fault("/terms/-", term("/x", 1)), Some(StatementError::Terms));
    assert_eq!(fault("/terms/-", term("/y", -65_536)), None);
    let of = |op: &str, k: &str, terms: Value| {
        let statement = json!({"id": "s", "op": op, "k": k, "terms": terms, "rule": {"kind": "fixed"}});
        serde_json::from_value::<WireStatement>(statement).unwrap().check().err()
    };
    assert_eq!(of("eq", "7", json!([term("/x", 1)])), None);
    assert_eq!(of("ne", "0", json!([term("/x", 1), term("/y", -1)])), None);
    for (op, k, terms) in [
        ("eq", "7", json!([term("/x", 2)])),
        ("eq", "7", json!([term("/x", 1), term("/y", -1)])),
        ("eq", "0", json!([term("/x", 1), term("/y", 1)])),
        ("ne", "0", json!([term("/x", 1), term("/y", -1), term("/z", 1)])),
        ("le", "7", json!([])),
    ] {
        assert_eq!(of(op, k, terms.clone()), Some(StatementError::Terms), "{op} {terms}");
    }
    let listed = |rule: Value| {
        let statement = json!({"id": "s", "op": "member", "terms": [term("/x", 1)], "rule": rule});
        serde_json::from_value::<WireStatement>(statement).unwrap().check().err()
    };
    assert_eq!(listed(json!({"kind": "codes", "id": "a", "version": 1, "hash": "AA"})), None);
    assert_eq!(listed(json!({"kind": "fixed"})), Some(StatementError::List));
}
