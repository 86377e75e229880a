//! Requests and answers through the browser, on both sides.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use vouchsafe_protocol::answer::{Holding, Presented, prove};
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::openid4vp::dc_api::{self, Answer, Draft, Expected, Mode};
use vouchsafe_protocol::openid4vp::request::{Expected as ByLink, RequestError, Unverified as Fetched};
use vouchsafe_protocol::openid4vp::response::{Opener, ResponseError, VpToken};
use vouchsafe_protocol::openid4vp::{Asked, Party, Prefix, ReplyTo};
use vouchsafe_protocol::sd_jwt::Unverified;
use vouchsafe_protocol::sd_jwt::key_binding::{self, Binding};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Register;

use crate::district::{
    District, NONCE, NOW, OLD, PROOF, PURPOSE, SERVICE, policy, residency, response_key, spoiled,
};
use crate::provider::{Agreement, Ring};

const ORIGIN: &str = "https://apply.larkfield.example";

struct Case {
    district: District,
    register: Register,
    asked: Asked,
    claims: Value,
}

impl Case {
    fn new() -> Self {
        let district = District::new();
        let register = district.register();
        let party = Party {
            service: SERVICE.into(),
            client_id: district.client_id(),
            nonce: NONCE.into(),
            state_sha256: sha256(""),
            reply_to: ReplyTo::Origin(ORIGIN.into()),
            encryption_key: Some(response_key().named().key.thumbprint()),
        };
        let policy = vouchsafe_protocol::policy::Policy::from_json(policy()).unwrap();
        let asked = Asked::new(party, policy, register.tables().clone(), NOW.london_date()).unwrap();
        let claims = claims(&district, &register, &asked, Mode::Encrypted);
        Self { district, register, asked, claims }
    }

    fn verify(&self, request: &Value, origin: &str) -> Result<dc_api::Verified, RequestError> {
        let anchors = [self.district.anchor.clone()];
        let judge = self.district.judge();
        dc_api::verify(request, &Expected { origin, env: Env::Test, anchors: &anchors, judge, types: &[] })
    }

    fn refusal(&self, pointer: &str, member: Value) -> RequestError {
        let object = self.district.sign_request(&spoiled(&self.claims, pointer, member));
        self.verify(&dc_api::signed(&object), ORIGIN).err().unwrap()
    }
}

fn draft<'a>(
    register: &'a Register,
    asked: &'a Asked,
    mode: Mode,
    key: &'a vouchsafe_protocol::jose::NamedJwk,
    origins: &'a [String],
) -> Draft<'a> {
    Draft {
        asked,
        mode,
        encryption_key: Some(key),
        service: register.service(SERVICE).unwrap(),
        purpose: register.purpose(PURPOSE).unwrap(),
        expected_origins: origins,
        iat: NOW,
        exp: NOW.plus(300),
    }
}

fn claims(district: &District, register: &Register, asked: &Asked, mode: Mode) -> Value {
    let (key, origins) =
        (response_key().named(), ["https://other.larkfield.example".to_owned(), ORIGIN.to_owned()]);
    let unsigned = draft(register, asked, mode, &key, &origins).unsigned(Alg::Es256, &district.service_x5c);
    let input = String::from_utf8(unsigned.signing_input().to_vec()).unwrap();
    let payload = input.split('.').nth(1).unwrap();
    serde_json::from_slice(&vouchsafe_protocol::encoding::b64u_decode(payload).unwrap()).unwrap()
}

#[test]
pub(crate) fn a_page_asks_and_is_answered() {
    let case = Case::new();
    let request = dc_api::signed(&case.district.sign_request(&case.claims));
    assert_eq!(request["protocol"], "openid4vp-v1-signed");
    assert_eq!(case.claims["response_mode"], "dc_api.jwt");
    assert!(case.claims.get("state").is_none() && case.claims.get("response_uri").is_none());
    // The wallet, over what it verified.
    let verified = case.verify(&request, ORIGIN).unwrap();
    assert_eq!(verified.asked().party(), case.asked.party());
    assert_eq!((verified.service().sub.as_str(), verified.mode()), (SERVICE, Mode::Encrypted));
    let asked = verified.asked();
    assert_eq!(asked.party().audience(), format!("origin:{ORIGIN}"));
    let copy = case.district.receive(vec![case.district.copy(0, &OLD)], PROOF).unwrap().remove(0);
    let opened = copy.opened.as_ref().unwrap();
    let holding = Holding {
        query: "q0",
        held: &copy.held,
        link: None,
        attributes: &opened.attributes,
        values: &opened.values,
        seed: Some(&opened.seed),
    };
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let extra = prove(asked, &asked.option(0).unwrap(), &[holding], &mut rng).unwrap().remove("q0").unwrap();
    let aud = asked.party().audience();
    let unsigned =
        copy.held.present(&[], Binding { aud: &aud, nonce: NONCE, issued_at: NOW, extra }).unwrap();
    let signature = case.district.holders[copy.key].sign_now(unsigned.signing_input());
    let vp_token = VpToken::new(BTreeMap::from([("q0".to_owned(), unsigned.finish(&signature))]));
    let to = verified.response_key().unwrap();
    let data = dc_api::encrypted(&vp_token, to, Box::new(Agreement::new(&[8; 32])), &Ring, &mut rng).unwrap();
    // The verifier, over what it recorded.
    let answer = Answer::parse(data.to_string().as_bytes()).unwrap();
    let key = response_key();
    let opener = Opener { kid: "tx-9", key: &key.0, aead: &Ring };
    let vp_token = answer.open(Mode::Encrypted, Some(opener)).unwrap();
    assert_eq!(judged(&case, vp_token.presentation("q0").unwrap()), Outcome::Met);
}

fn judged(case: &Case, text: &str) -> Outcome {
    let aud = case.asked.party().audience();
    let expected = key_binding::Expected { aud: &aud, nonce: NONCE, now: NOW, max_age: 300 };
    let bound = Unverified::parse(text).unwrap().check_binding(&expected).unwrap();
    let anchors = std::slice::from_ref(&case.district.anchor);
    let leaf = validate(&case.district.issuer_x5c, anchors, NOW, &Ring).unwrap();
    let rules = Rules { now: NOW, audience: &aud, status: Status::NotInType };
    let verified = bound.check_signatures(leaf.into(), &Ring).unwrap().accept(&rules).unwrap();
    let presented = Presented::new(&case.asked, BTreeMap::from([("q0".to_owned(), verified)])).unwrap();
    let complete =
        presented.check_trust(&case.asked, &case.register, Env::Test).unwrap().check_complete(&case.asked);
    let committed = complete.unwrap().check_commitments(&case.asked, &[residency()]).unwrap();
    committed.check_proof().unwrap().judge(&case.asked, None).outcome
}

#[test]
pub(crate) fn origins_are_compared_as_texts() {
    let case = Case::new();
    let request = dc_api::signed(&case.district.sign_request(&case.claims));
    for other in [
        "https://evil.example",
        "https://apply.larkfield.example/",
        "https://apply.larkfield.example:443",
        "HTTPS://apply.larkfield.example",
        "",
    ] {
        assert_eq!(case.verify(&request, other).err(), Some(RequestError::Origin), "{other}");
    }
    assert!(case.verify(&request, "https://other.larkfield.example").is_ok());
    for origins in [json!([]), json!(null), json!(["https://evil.example"])] {
        assert_eq!(case.refusal("/expected_origins", origins.clone()), RequestError::Origin, "{origins}");
    }
}

#[test]
pub(crate) fn requests_of_pages_that_are_refused() {
    let case = Case::new();
    assert_eq!(case.refusal("/nonce", json!("short")), RequestError::Nonce);
    assert_eq!(case.refusal("/aud", json!("https://wallet.example")), RequestError::Audience);
    assert_eq!(case.refusal("/response_type", json!("code")), RequestError::ResponseType);
    assert_eq!(case.refusal("/response_mode", json!("direct_post")), RequestError::Malformed);
    assert_eq!(
        case.refusal("/client_id", json!("origin:https://a.example")),
        RequestError::Prefix(Prefix::Known("origin"))
    );
    assert_eq!(case.refusal("/client_id_scheme", json!("x")), RequestError::OlderDraft("client_id_scheme"));
    assert_eq!(case.refusal("/client_metadata/vp_formats_supported", json!({})), RequestError::Formats);
    assert_eq!(case.refusal("/client_metadata/jwks", json!(null)), RequestError::EncryptionKey);
    assert_eq!(case.refusal("/exp", json!(NOW.0 + 7200)), RequestError::Times);
    assert!(matches!(case.refusal("/transaction_data", json!(["e30"])), RequestError::TransactionData(_)));
    // A state is not used.
    let state = case.district.sign_request(&spoiled(&case.claims, "/state", json!("ignored")));
    assert!(case.verify(&dc_api::signed(&state), ORIGIN).is_ok());
}

#[test]
pub(crate) fn other_kinds_are_named() {
    let case = Case::new();
    let (key, origins) = (response_key().named(), [ORIGIN.to_owned()]);
    let clear = draft(&case.register, &case.asked, Mode::Plain, &key, &origins).in_clear();
    assert!(clear["data"].get("client_id").is_none() && clear["data"].get("expected_origins").is_none());
    let refused = |request: &Value| case.verify(request, ORIGIN).err().unwrap();
    assert_eq!(refused(&clear), RequestError::Protocol("openid4vp-v1-unsigned"));
    let several = json!({"protocol": "openid4vp-v1-multisigned", "data": {"request": {"payload": "", "signatures": []}}});
    assert_eq!(refused(&several), RequestError::Protocol("openid4vp-v1-multisigned"));
    let old = json!({"protocol": "openid4vp", "data": {}});
    assert_eq!(refused(&old), RequestError::OlderDraft("openid4vp"));
    assert_eq!(refused(&json!({"protocol": "org-iso-mdoc", "data": {}})), RequestError::Protocol("unknown"));
    assert_eq!(
        refused(&spoiled(&clear, "/data/presentation_definition", json!({}))),
        RequestError::OlderDraft("presentation_definition")
    );
    for malformed in [
        json!([]),
        json!({"protocol": "openid4vp-v1-signed"}),
        json!({"protocol": 1, "data": {}}),
        dc_api::signed("x.y"),
    ] {
        let fault = refused(&malformed);
        assert!(matches!(fault, RequestError::Malformed | RequestError::Unsigned), "{malformed}: {fault}");
    }
}

#[test]
pub(crate) fn answers_come_as_they_were_asked_for() {
    let vp_token = VpToken::new(BTreeMap::from([("q0".to_owned(), "a~".to_owned())]));
    let clear = || Answer::parse(dc_api::plain(&vp_token).to_string().as_bytes()).unwrap();
    assert!(clear().open(Mode::Plain, None).is_ok_and(|opened| opened == vp_token));
    assert_eq!(clear().open(Mode::Encrypted, None).err(), Some(ResponseError::Plain));
    let error = Answer::parse(dc_api::error("access_denied").to_string().as_bytes()).unwrap();
    assert!(matches!(&error, Answer::Error(code) if code == "access_denied"));
    assert_eq!(error.open(Mode::Plain, None).err(), Some(ResponseError::Kind));
    for (data, fault) in [
        (json!({}), ResponseError::Kind),
        (json!({"vp_token": {"q0": ["a"]}, "error": "x"}), ResponseError::Kind),
        (json!({"vp_token": "a"}), ResponseError::OlderDraft),
        (json!({"response": 1}), ResponseError::Malformed),
        (json!([]), ResponseError::Form),
    ] {
        assert_eq!(Answer::parse(data.to_string().as_bytes()).err(), Some(fault), "{data}");
    }
}

/// The other kind of request, by a link, as the district's service signs it.
fn by_link(case: &Case) -> Value {
    let asked = case.district.asked(&case.register, policy());
    case.district.request(&case.register, &asked)
}

fn followed(case: &Case, claims: &Value) -> Result<(), RequestError> {
    let (client_id, anchors) = (case.district.client_id(), [case.district.anchor.clone()]);
    let judge = case.district.judge();
    let expected =
        ByLink { client_id: &client_id, wallet_nonce: None, env: Env::Test, anchors: &anchors, judge };
    Fetched::parse(&case.district.sign_request(claims))?.verify(&expected).map(drop)
}

/// A service's own object, whatever it has besides, is good by the one way that its response mode is for: neither can be
/// given to a wallet in the other's place.
#[test]
pub(crate) fn an_object_of_one_kind_is_not_taken_for_the_other() {
    let case = Case::new();
    let link = by_link(&case);
    assert_eq!(followed(&case, &link), Ok(()));
    let by_page =
        |claims: &Value| case.verify(&dc_api::signed(&case.district.sign_request(claims)), ORIGIN).map(drop);
    assert_eq!(by_page(&case.claims), Ok(()));
    let mut of_page = case.claims.clone();
    for member in ["state", "response_uri", "aud"] {
        of_page[member] = link[member].clone();
    }
    assert_eq!(by_page(&of_page), Ok(()), "what a page's request has no use for is ignored");
    assert_eq!(followed(&case, &of_page), Err(RequestError::Malformed));
    assert_eq!(followed(&case, &case.claims), Err(RequestError::State));
    let mut of_link = link.clone();
    of_link["expected_origins"] = case.claims["expected_origins"].clone();
    assert_eq!(followed(&case, &of_link), Ok(()));
    for claims in [&link, &of_link] {
        assert_eq!(by_page(claims), Err(RequestError::Malformed));
    }
}

/// What is answered is bound to where it goes: the audience of the key binding and the context of a proof differ even
/// where service, nonce and key are the same.
#[test]
pub(crate) fn an_answer_of_one_kind_is_not_one_of_the_other() {
    let case = Case::new();
    let other = case.district.asked(&case.register, policy());
    assert_eq!(case.asked.party().nonce, other.party().nonce);
    assert_ne!(case.asked.party().audience(), other.party().audience());
    let (here, there) = (case.asked.option(0).unwrap(), other.option(0).unwrap());
    assert!(case.asked.context(&here, vec![]) != other.context(&there, vec![]));
    let elsewhere = Party {
        reply_to: ReplyTo::Origin("https://other.larkfield.example".into()),
        ..case.asked.party().clone()
    };
    let policy = vouchsafe_protocol::policy::Policy::from_json(policy()).unwrap();
    let elsewhere = Asked::new(elsewhere, policy, case.register.tables().clone(), NOW.london_date()).unwrap();
    let option = elsewhere.option(0).unwrap();
    assert!(
        case.asked.context(&here, vec![]) != elsewhere.context(&option, vec![]),
        "nor for another origin"
    );
}
