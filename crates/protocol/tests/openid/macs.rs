//! Tokens with a MAC in place of a signature, keyed with the public key under which the signature is expected.
//!
//! Who lets the token say which algorithm counts takes the public key for a shared secret, and everybody knows it
//! (RFC 8725, 2.1). [`Gullible`] is a provider that would; it gets no such token to see at any place that takes tokens,
//! and would take every one of them without the one check that names the algorithms.

use ring::hmac;
use serde_json::{Map, Value, json};
use vouchsafe_protocol::decision::{self, Claims};
use vouchsafe_protocol::dpop::{self, Call, Proof};
use vouchsafe_protocol::encoding::{b64, b64u, b64u_decode};
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::jose::x5c::validate;
use vouchsafe_protocol::jose::{Alg, BadSignature, PublicJwk, SignatureVerifier, Signer as _, pki_types};
use vouchsafe_protocol::openid4vci::metadata::{Configuration, IssuerMetadata};
use vouchsafe_protocol::openid4vci::{proof, signed};
use vouchsafe_protocol::openid4vp::request::{Expected as Asking, Unverified as Fetched};
use vouchsafe_protocol::sd_jwt::key_binding::{Binding, Expected as Bound};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status};
use vouchsafe_protocol::sd_jwt::{Held, Unverified};
use vouchsafe_protocol::status::{Bits, Entitled, Expected as Listed, JWT_TYP, List, MAX_INFLATED, Received};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::{Judge, Register, ServiceEntry};

use crate::district::{
    District, ISSUER, NONCE, NOW, OLD, PURPOSE, Resident, SERVICE, policy, residency, sign, with_head,
};
use crate::provider::{Key, Ring};

/// Takes a MAC for a signature.
struct Gullible;

impl SignatureVerifier for Gullible {
    fn verify(&self, key: &PublicJwk, alg: Alg, input: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let fits = |(_, secret): &(&str, Vec<u8>)| {
            hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), input, signature).is_ok()
        };
        if spellings(key).iter().any(fits) { Ok(()) } else { Ring.verify(key, alg, input, signature) }
    }

    fn certificate_algorithms(&self) -> &[&'static dyn pki_types::SignatureVerificationAlgorithm] {
        Ring.certificate_algorithms()
    }
}

/// A public key in every form in which it lies about.
fn spellings(key: &PublicJwk) -> [(&'static str, Vec<u8>); 5] {
    // SubjectPublicKeyInfo of a point on P-256 (RFC 5480), up to the point.
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let point = key.to_sec1().unwrap().to_vec();
    let der = [&HEAD[..], &point].concat();
    let (text, mut lines) = (b64(&der), String::new());
    for line in text.as_bytes().chunks(64) {
        lines += std::str::from_utf8(line).unwrap();
        lines += "\n";
    }
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----");
    [
        ("PEM", format!("{pem}\n").into_bytes()),
        ("PEM without its last line break", pem.into_bytes()),
        ("DER", der),
        ("point", point),
        ("JWK", key.to_value().to_string().into_bytes()),
    ]
}

/// An honest token with its algorithm exchanged for `alg`, and its signature for the MAC under `secret`.
fn maced(token: &str, alg: &str, secret: &[u8]) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&b64u_decode(header).unwrap()).unwrap();
    header["alg"] = json!(alg);
    let input = format!("{}.{payload}", b64u(header.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", b64u(tag.as_ref()))
}

/// Whether a place takes a token, by the signatures that a provider believes.
type Takes<'a> = Box<dyn Fn(&str, &dyn SignatureVerifier) -> bool + 'a>;

/// A place that takes a token.
struct Door<'a> {
    name: &'static str,
    /// An honest token.
    token: String,
    /// Under whose key it is taken.
    key: &'a PublicJwk,
    takes: Takes<'a>,
}

impl Door<'_> {
    /// The forms of the key under which a MAC passes.
    fn open_to(&self, alg: &str) -> Vec<String> {
        let mut open = Vec::new();
        for (spelling, secret) in spellings(self.key) {
            let forged = maced(&self.token, alg, &secret);
            assert!(!(self.takes)(&forged, &Ring), "{}: {spelling}, and no provider helps", self.name);
            if (self.takes)(&forged, &Gullible) {
                open.push(format!("{}: {spelling}", self.name));
            }
        }
        open
    }
}

/// Every place of this library that takes a token.
fn doors(district: &District) -> Vec<Door<'_>> {
    vec![
        request_object(district),
        credential(district),
        key_binding(district),
        status_list(district),
        decision_token(district),
        register(district),
        register_entry(district),
        bound_call(district),
        key_proof(district),
        issuer_metadata(district),
    ]
}

fn request_object(district: &District) -> Door<'_> {
    let register = district.register();
    let asked = district.asked(&register, policy());
    let token = district.sign_request(&district.request(&register, &asked));
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        let (client_id, anchors) = (district.client_id(), [district.anchor.clone()]);
        let judge = Judge { verifier, ..district.judge() };
        let expected =
            Asking { client_id: &client_id, wallet_nonce: None, env: Env::Test, anchors: &anchors, judge };
        Fetched::parse(text).and_then(|request| request.verify(&expected)).is_ok()
    };
    Door { name: "request object", token, key: district.service.public(), takes: Box::new(takes) }
}

const RULES: Rules<'static> = Rules { now: NOW, audience: SERVICE, status: Status::NotInType };

fn plain_copy(district: &District) -> String {
    district.copy(0, &Resident { proof: false, ..OLD }).credential
}

fn credential(district: &District) -> Door<'_> {
    let copy = plain_copy(district);
    let (token, disclosures) = copy.split_once('~').unwrap();
    let (token, disclosures) = (token.to_owned(), disclosures.to_owned());
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        let anchors = std::slice::from_ref(&district.anchor);
        let leaf = validate(&district.issuer_x5c, anchors, NOW, &Ring).unwrap();
        let parts = Unverified::parse(&format!("{text}~{disclosures}"));
        parts.is_ok_and(|parts| parts.receive(&leaf, &RULES, verifier).is_ok())
    };
    Door { name: "credential", token, key: district.issuer.public(), takes: Box::new(takes) }
}

fn key_binding(district: &District) -> Door<'_> {
    let held = Held::dangerous_from_store(&plain_copy(district)).unwrap();
    let binding = Binding { aud: SERVICE, nonce: NONCE, issued_at: NOW, extra: Map::new() };
    let unsigned = held.present(&[], binding).unwrap();
    let signature = district.holders[0].sign_now(unsigned.signing_input());
    let presentation = unsigned.finish(&signature);
    let (covered, token) = presentation.rsplit_once('~').unwrap();
    let (covered, token) = (covered.to_owned(), token.to_owned());
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        let anchors = std::slice::from_ref(&district.anchor);
        let leaf = validate(&district.issuer_x5c, anchors, NOW, &Ring).unwrap();
        let expected = Bound { aud: SERVICE, nonce: NONCE, now: NOW, max_age: 300 };
        let Ok(parts) = Unverified::parse(&format!("{covered}~{text}")) else { return false };
        let Ok(bound) = parts.check_binding(&expected) else { return false };
        bound.check_signatures(leaf.into(), verifier).is_ok()
    };
    Door { name: "key binding", token, key: district.holders[0].public(), takes: Box::new(takes) }
}

fn status_list(district: &District) -> Door<'_> {
    const URI: &str = "https://issuer.larkfield.example/status/a";
    let list = List::new(Bits::Two, 4096);
    let claims = json!({"sub": URI, "iat": NOW.0, "exp": NOW.0 + 3600, "ttl": 900,
        "status_list": {"bits": list.bits().number(), "lst": b64u(list.deflate())}});
    let header = NewHeader::new(Alg::Es256, JWT_TYP).x5c(&district.issuer_x5c);
    let token = sign(&district.issuer, &header, &claims);
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        let anchors = std::slice::from_ref(&district.anchor);
        let leaf = validate(&district.issuer_x5c, anchors, NOW, &Ring).unwrap();
        let signer = Entitled { iss: ISSUER, status_signing: None };
        let expected = Listed { uri: URI, signer, now: NOW, max_inflated: MAX_INFLATED };
        let received = Received::jwt(text.as_bytes(), 1 << 20);
        received.is_ok_and(|token| token.verify(&leaf, &expected, verifier).is_ok())
    };
    Door { name: "status list", token, key: district.issuer.public(), takes: Box::new(takes) }
}

fn decision_token(district: &District) -> Door<'_> {
    let claims = json!({"iss": "https://verifier.example", "aud": SERVICE, "jti": "j", "iat": NOW.0,
        "exp": NOW.0 + 600, "request_id": "r", "env": "test", "outcome": "met", "reasons": ["conditions_met"],
        "policy": {"id": "bus-pass", "version": 1, "digest": "AA"}, "purpose": PURPOSE, "as_of": "2026-11-21",
        "evidence": "proved", "subject_binding": "same_device"});
    let header = NewHeader::new(Alg::Es256, decision::TYP).kid("d1");
    let token = sign(&district.service, &header, &claims);
    let key = district.service.public();
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        let expected = decision::Expected {
            iss: "https://verifier.example",
            aud: SERVICE,
            request_id: "r",
            env: Env::Test,
            now: NOW,
        };
        Claims::verify(text, key, &expected, verifier).is_ok()
    };
    Door { name: "decision", token, key, takes: Box::new(takes) }
}

fn register(district: &District) -> Door<'_> {
    let entries = [district.document("service", district.service_entry())];
    let token = district.document("register", json!({"entries": entries}));
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        Register::load(text, &Judge { verifier, ..district.judge() }).is_ok()
    };
    Door { name: "register", token, key: district.registrar.public(), takes: Box::new(takes) }
}

fn register_entry(district: &District) -> Door<'_> {
    let token = district.sign("vouchsafe-service+jwt", &with_head(district.service_entry()));
    let takes = move |text: &str, verifier: &dyn SignatureVerifier| {
        Judge { verifier, ..district.judge() }.verify::<ServiceEntry>(text).is_ok()
    };
    Door { name: "entry of the register", token, key: district.registrar.public(), takes: Box::new(takes) }
}

fn bound_call(district: &District) -> Door<'_> {
    const CALL: Call<'static> =
        Call { method: "POST", url: "https://issuer.larkfield.example/token", token: None, now: NOW };
    let key: &Key = &district.holders[0];
    let unsigned = dpop::unsigned(key.public(), &CALL, "j-1", None);
    let signature = key.sign_now(unsigned.signing_input());
    let takes =
        |text: &str, verifier: &dyn SignatureVerifier| Proof::verify(&[text], &CALL, verifier).is_ok();
    Door { name: "DPoP", token: unsigned.finish(&signature), key: key.public(), takes: Box::new(takes) }
}

fn key_proof(district: &District) -> Door<'_> {
    let key: &Key = &district.holders[0];
    let unsigned = proof::unsigned(key.public(), ISSUER, NONCE, NOW);
    let signature = key.sign_now(unsigned.signing_input());
    let takes = |text: &str, verifier: &dyn SignatureVerifier| {
        let expected = proof::Expected { issuer: ISSUER, batch_size: 3, now: NOW };
        proof::Proofs::verify(&[text.to_owned()], &expected, verifier).is_ok()
    };
    Door { name: "key proof", token: unsigned.finish(&signature), key: key.public(), takes: Box::new(takes) }
}

fn issuer_metadata(district: &District) -> Door<'_> {
    let value = json!({"credential_issuer": ISSUER, "credential_endpoint": format!("{ISSUER}/credential"),
        "credential_configurations_supported": {"residency": Configuration::plain(&residency())}});
    let metadata = IssuerMetadata::parse(value.to_string().as_bytes(), ISSUER).unwrap();
    let unsigned = signed::unsigned(&metadata, Alg::Es256, &district.issuer_x5c, NOW);
    let signature = district.issuer.sign_now(unsigned.signing_input());
    let takes = |text: &str, verifier: &dyn SignatureVerifier| {
        let anchors = std::slice::from_ref(&district.anchor);
        signed::verify(text, &signed::Expected { issuer: ISSUER, anchors, now: NOW }, verifier).is_ok()
    };
    let token = unsigned.finish(&signature);
    Door { name: "issuer's metadata", token, key: district.issuer.public(), takes: Box::new(takes) }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let district = District::new();
    for door in doors(&district) {
        assert!((door.takes)(&door.token, &Ring), "{}: the honest token", door.name);
        assert!((door.takes)(&door.token, &Gullible), "{}: the honest token", door.name);
        for alg in ["HS256", "hs256", "HS384", "HS512", "none"] {
            assert_eq!(door.open_to(alg), [""; 0], "{alg}");
        }
    }
}

/// The check that names the algorithms stands alone between such a token and a provider that knows MACs.
#[cfg(feature = "mutants")]
#[test]
fn the_list_of_algorithms_keeps_macs_out_at_every_door() {
    let district = District::new();
    for door in doors(&district) {
        let open = vouchsafe_mutants::without("jose-alg", || door.open_to("HS256"));
        assert_eq!(open.len(), 5, "{}: another check refuses it", door.name);
    }
}
