//! A presentation from issuing to acceptance, and one fault at a time.

use proptest::prelude::*;
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::jws::{JwsError, NewHeader, Unsigned};
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::sd_jwt::held::PresentError;
use vouchsafe_protocol::sd_jwt::key_binding::Expected;
use vouchsafe_protocol::sd_jwt::vc::{ReceiveError, Rules, VcError, Verified};
use vouchsafe_protocol::sd_jwt::{
    DisclosureError, Held, KeyBindingError, ParseError, SignatureError, Step, Unverified,
};

use crate::provider::{Key, Ring};
use crate::world::{AUD, EXPECTED, ISS, NONCE, NOW, RULES, VCT, World, binding, path};

/// The first refusal on the way of a presentation.
#[derive(Debug, PartialEq)]
enum Refusal {
    Parse(ParseError),
    Binding(KeyBindingError),
    Signature(SignatureError),
    Claims(VcError),
}

fn verify_by(
    world: &World,
    text: &str,
    expected: &Expected<'_>,
    rules: &Rules<'_>,
) -> Result<Verified, Refusal> {
    let parts = Unverified::parse(text).map_err(Refusal::Parse)?;
    let bound = parts.check_binding(expected).map_err(Refusal::Binding)?;
    let signed = bound.check_signatures(world.leaf(), &Ring).map_err(Refusal::Signature)?;
    signed.accept(rules).map_err(Refusal::Claims)
}

fn verify(world: &World, text: &str) -> Result<Verified, Refusal> {
    verify_by(world, text, &EXPECTED, &RULES)
}

fn refusal(world: &World, text: &str) -> Refusal {
    verify(world, text).err().unwrap()
}

/// A presentation of any payload and Disclosures, with a good key binding.
fn present(world: &World, payload: &Value, disclosures: &[&str]) -> String {
    let covered = world.signed(payload, disclosures);
    bind(world, &covered, &covered, |_| ())
}

fn bind(world: &World, text: &str, covered: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({"iat": NOW.0, "aud": AUD, "nonce": NONCE, "sd_hash": b64u(sha256(covered))});
    change(&mut claims);
    world.bind(text, "kb+jwt", &claims)
}

fn disclosure(parts: &Value) -> (String, String) {
    let text = b64u(parts.to_string());
    let digest = b64u(sha256(&text));
    (text, digest)
}

#[test]
fn a_good_presentation_shows_what_was_chosen() {
    let world = World::new();
    let held = world.held();
    let text = world.show(&held, &[path(&["ward"]), path(&["address", "street"])]);
    let verified = verify(&world, &text).ok().unwrap();
    let claims = verified.claims();
    assert_eq!(claims["ward"], "E05000001");
    assert_eq!(claims["address"], json!({"street": "1 Mill Lane", "town": "Larkfield"}));
    assert_eq!(claims["children"], json!(["Resident 0043"]));
    for absent in ["name", "_sd", "_sd_alg"] {
        assert!(!claims.contains_key(absent), "{absent}");
    }
    let mut shown = verified.disclosed().to_vec();
    shown.sort();
    assert_eq!(shown, [path(&["address"]), path(&["address", "street"]), path(&["ward"])]);
    assert_eq!((verified.iss(), verified.vct()), (ISS, VCT));
    assert_eq!(verified.always_visible("facts_as_of"), Some(&json!("2026-11-20")));
    assert_eq!(verified.always_visible("ward"), None);
    assert_eq!(verified.holder(), world.holder.public());
    assert_eq!(verified.issuer_jwt_sha256(), sha256(text.split('~').next().unwrap()));
    assert_eq!(verified.issuer_jwt_sha256(), held.issuer_jwt_sha256());
    assert_eq!(verified.issuer().sha256(), sha256(&world.x5c[0]));
    assert_eq!(verified.bound_at(), Some(NOW));
}

#[test]
fn nothing_need_be_shown_and_extra_claims_travel() {
    let world = World::new();
    let mut with_proof = binding();
    with_proof.extra.insert("urn:vouchsafe:proof:1".to_owned(), json!("AQ"));
    let presentation = world.held().present(&[], with_proof).unwrap();
    let signature = world.holder.sign_now(presentation.signing_input());
    let verified = verify(&world, &presentation.finish(&signature)).ok().unwrap();
    assert!(verified.disclosed().is_empty());
    assert_eq!(verified.binding_claim("urn:vouchsafe:proof:1"), Some(&json!("AQ")));
    assert_eq!(verified.binding_claim("aud"), None);
}

#[test]
fn the_holder_shows_only_what_is_there() {
    let held = World::new().held();
    assert!(held.claims().contains_key("name"));
    assert_eq!(held.claims()["children"], json!(["Resident 0043", "Resident 0044"]));
    let unknown = held.present(&[path(&["town"])], binding()).err();
    assert_eq!(unknown, Some(PresentError::NoSuchDisclosure));
    let mut own_name = binding();
    own_name.extra.insert("nonce".to_owned(), json!("x"));
    assert!(matches!(held.present(&[], own_name).err(), Some(PresentError::Claims(_))));
    let element = [Step::Name("children".to_owned()), Step::Index(1)];
    assert!(held.present(&[element.to_vec()], binding()).is_ok());
    assert_eq!(Held::dangerous_from_store(held.text()).ok().unwrap().text(), held.text());
}

#[test]
fn every_single_bit_and_every_cut_is_refused() {
    let world = World::new();
    let text = world.present(&[path(&["ward"]), path(&["address", "street"])]);
    assert!(verify(&world, &text).is_ok());
    let leaf = world.leaf();
    let accepts = |text: &str| {
        let Ok(parts) = Unverified::parse(text) else { return false };
        let Ok(bound) = parts.check_binding(&EXPECTED) else { return false };
        let Ok(signed) = bound.check_signatures(std::sync::Arc::clone(&leaf), &Ring) else { return false };
        signed.accept(&RULES).is_ok()
    };
    for position in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(!accepts(&changed), "bit {bit} of byte {position}");
        }
        assert!(!accepts(&text[..position]), "cut at {position}");
    }
}

#[test]
fn parts_that_are_missing_or_empty() {
    let world = World::new();
    let text = world.present(&[path(&["ward"])]);
    let (covered, token) = text.rsplit_once('~').unwrap();
    let (issuer, disclosure) = covered.split_once('~').unwrap();
    for broken in [
        issuer.to_owned(),
        format!("{issuer}~~{disclosure}~{token}"),
        format!("{issuer}~{disclosure}~~{token}"),
        format!("~{disclosure}~{token}"),
        format!("{issuer}~{disclosure}=~{token}"),
        format!("{issuer}~{disclosure}~{token}~"),
        format!("{issuer}~{disclosure}~{token}~~"),
    ] {
        assert!(Unverified::parse(&broken).is_err(), "{broken}");
    }
    for parts in [json!(["s"]), json!(["s", "n", 1, 2]), json!([1, "n", 2]), json!(["s", 1, 2]), json!({})] {
        let broken = format!("{issuer}~{}~{token}", disclosure_text(&parts));
        assert_eq!(Unverified::parse(&broken).err(), Some(ParseError::Disclosure), "{parts}");
    }
}

fn disclosure_text(parts: &Value) -> String {
    disclosure(parts).0
}

#[test]
fn key_bindings_that_are_refused() {
    let world = World::new();
    let covered = world.signed(&Value::Object(world.claims()), &[]);
    let refused = |change: fn(&mut Value)| refusal(&world, &bind(&world, &covered, &covered, change));
    assert_eq!(refusal(&world, &covered), Refusal::Binding(KeyBindingError::Missing));
    assert_eq!(refused(|c| c["aud"] = json!("x509_hash:other")), Refusal::Binding(KeyBindingError::Audience));
    assert_eq!(refused(|c| c["nonce"] = json!("other")), Refusal::Binding(KeyBindingError::Nonce));
    assert_eq!(refused(|c| c["aud"] = json!([AUD])), Refusal::Binding(KeyBindingError::Malformed));
    assert_eq!(refused(|c| c["iat"] = json!(NOW.0 - 301)), Refusal::Binding(KeyBindingError::IssuedAt));
    assert_eq!(refused(|c| c["iat"] = json!(NOW.0 + 61)), Refusal::Binding(KeyBindingError::IssuedAt));
    assert_eq!(refused(|c| c["iat"] = json!("now")), Refusal::Binding(KeyBindingError::Malformed));
    assert_eq!(refused(|c| c["sd_hash"] = json!("AA")), Refusal::Binding(KeyBindingError::Hash));
    for name in ["iat", "aud", "nonce", "sd_hash"] {
        let text = bind(&world, &covered, &covered, |claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(refusal(&world, &text), Refusal::Binding(KeyBindingError::Malformed), "{name}");
    }
    let claims = json!({"iat": NOW.0, "aud": AUD, "nonce": NONCE, "sd_hash": b64u(sha256(&covered))});
    let typ = world.bind(&covered, "jwt", &claims);
    assert_eq!(refusal(&world, &typ), Refusal::Binding(KeyBindingError::Typ));
    assert!(verify(&world, &world.bind(&covered, "application/KB+jwt", &claims)).is_ok());
}

#[test]
fn a_key_binding_covers_exactly_what_was_sent() {
    let world = World::new();
    let text = world.present(&[path(&["ward"]), path(&["name"])]);
    let parts: Vec<&str> = text.split('~').collect();
    let [issuer, first, second, token] = parts[..] else { unreachable!() };
    let fewer = format!("{issuer}~{first}~{token}");
    assert_eq!(refusal(&world, &fewer), Refusal::Binding(KeyBindingError::Hash));
    let swapped = format!("{issuer}~{second}~{first}~{token}");
    assert_eq!(refusal(&world, &swapped), Refusal::Binding(KeyBindingError::Hash));
}

#[test]
fn signatures_that_are_refused() {
    let world = World::new();
    let other = World::new();
    let payload = Value::Object(world.claims());
    let covered = world.signed(&payload, &[]);
    let stolen = other.bind(
        &covered,
        "kb+jwt",
        &json!({
        "iat": NOW.0, "aud": AUD, "nonce": NONCE, "sd_hash": b64u(sha256(&covered))}),
    );
    let by_thief = SignatureError::KeyBinding(JwsError::Signature);
    assert_eq!(refusal(&world, &stolen), Refusal::Signature(by_thief));

    let elsewhere = present(&other, &payload, &[]);
    assert_eq!(refusal(&world, &elsewhere), Refusal::Signature(SignatureError::Path));

    let forged = |header: NewHeader, key: &Key| {
        let unsigned = Unsigned::new(&header.x5c(&world.x5c).encode(), &payload).unwrap();
        let signature = key.sign_now(unsigned.signing_input());
        let covered = unsigned.finish(&signature) + "~";
        refusal(&world, &bind(&world, &covered, &covered, |_| ()))
    };
    let issuer = |fault| Refusal::Signature(SignatureError::Issuer(fault));
    let typ = "dc+sd-jwt";
    assert_eq!(forged(NewHeader::new(Alg::Es256, typ), &other.issuer), issuer(JwsError::Signature));
    assert_eq!(forged(NewHeader::new(Alg::EdDsa, typ), &Key::ed25519()), issuer(JwsError::AlgKey));
    assert_eq!(forged(NewHeader::new(Alg::Es256, "vc+sd-jwt"), &world.issuer), issuer(JwsError::Typ));
}

#[test]
fn a_holder_key_that_is_no_public_key() {
    let world = World::new();
    let refused = |cnf: Value| {
        let mut payload = world.claims();
        payload.insert("cnf".to_owned(), cnf);
        refusal(&world, &present(&world, &Value::Object(payload), &[]))
    };
    let fault = || Refusal::Signature(SignatureError::Confirmation);
    assert_eq!(refused(json!({})), fault());
    assert_eq!(refused(json!({"jkt": "AA"})), fault());
    let mut private = world.holder.public().to_value();
    private["d"] = json!("AA");
    assert_eq!(refused(json!({"jwk": private})), fault());
}

#[test]
fn an_ed25519_holder_is_as_good() {
    let mut world = World::new();
    world.holder = Key::ed25519();
    let text = world.present(&[path(&["ward"])]);
    assert!(verify(&world, &text).is_ok());
}

fn refused_claims(change: impl FnOnce(&mut Value)) -> Option<VcError> {
    let world = World::new();
    let mut payload = Value::Object(world.claims());
    change(&mut payload);
    match verify(&world, &present(&world, &payload, &[])) {
        Err(Refusal::Claims(fault)) => Some(fault),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    }
}

#[test]
fn claims_that_are_refused() {
    let now = NOW.0;
    assert_eq!(refused_claims(|_| ()), None);
    assert_eq!(refused_claims(|c| c["exp"] = json!(now - 60)), Some(VcError::Expired));
    assert_eq!(refused_claims(|c| c["exp"] = json!(now - 59)), None);
    assert_eq!(refused_claims(|c| c["exp"] = json!("never")), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["exp"] = json!(1e10)), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["nbf"] = json!(now + 61)), Some(VcError::NotYetValid));
    assert_eq!(refused_claims(|c| c["nbf"] = json!("1")), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["nbf"] = json!(now + 60)), None);
    assert_eq!(refused_claims(|c| c["iat"] = json!(now + 61)), Some(VcError::NotYetValid));
    assert_eq!(refused_claims(|c| c["iat"] = json!(null)), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["iss"] = json!("https://other.example")), Some(VcError::Issuer));
    assert_eq!(refused_claims(|c| c["iss"] = json!(7)), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["vct"] = json!("")), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["aud"] = json!("https://other.example")), Some(VcError::Audience));
    assert_eq!(refused_claims(|c| c["aud"] = json!([AUD])), Some(VcError::Audience));
    assert_eq!(refused_claims(|c| c["aud"] = json!(AUD)), None);
    assert_eq!(refused_claims(|c| c["status"] = json!({})), Some(VcError::Status));
    assert_eq!(refused_claims(|c| c["aka_vcts"] = json!([])), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["aka_vcts"] = json!([VCT])), Some(VcError::Malformed));
    assert_eq!(refused_claims(|c| c["aka_vcts"] = json!(["https://larkfield.example/types/other"])), None);
    for name in ["iss", "vct", "exp"] {
        let fault = refused_claims(|claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(fault, Some(VcError::Malformed), "{name}");
    }
}

#[test]
fn claims_that_must_stand_in_the_clear() {
    let world = World::new();
    for (name, value) in [("nbf", json!(1)), ("vct#integrity", json!("sha256-AA")), ("status", json!({}))] {
        let (text, digest) = disclosure(&json!(["salt", name, value]));
        let mut payload = Value::Object(world.claims());
        payload["_sd"] = json!([digest]);
        let presented = present(&world, &payload, &[&text]);
        assert_eq!(refusal(&world, &presented), Refusal::Claims(VcError::NeverDisclosed), "{name}");
    }
    // Nor any part of one.
    let (text, digest) = disclosure(&json!(["salt", "kid", "x"]));
    let mut payload = Value::Object(world.claims());
    payload["cnf"]["_sd"] = json!([digest]);
    let presented = present(&world, &payload, &[&text]);
    assert_eq!(refusal(&world, &presented), Refusal::Claims(VcError::NeverDisclosed));
}

#[test]
fn disclosures_that_do_not_belong() {
    let world = World::new();
    let (text, _) = disclosure(&json!(["salt", "town", "Larkfield"]));
    let presented = present(&world, &Value::Object(world.claims()), &[&text]);
    let fault = Refusal::Claims(VcError::Disclosure(DisclosureError::Unused));
    assert_eq!(refusal(&world, &presented), fault);
}

#[test]
fn too_much_of_anything() {
    let world = World::new();
    let (text, _) = disclosure(&json!(["salt", "town", 1]));
    let many = vec![text.as_str(); 257];
    let presented = present(&world, &Value::Object(world.claims()), &many);
    assert_eq!(refusal(&world, &presented), Refusal::Parse(ParseError::TooManyDisclosures));
    let (long, _) = disclosure(&json!(["salt", "town", "x".repeat(50_000)]));
    let presented = present(&world, &Value::Object(world.claims()), &[&long]);
    assert_eq!(refusal(&world, &presented), Refusal::Parse(ParseError::TooLong));
}

#[test]
fn a_holder_takes_no_credential_with_a_key_binding() {
    let world = World::new();
    let bound = world.present(&[]);
    let fault = Unverified::parse(&bound).unwrap().receive(&world.leaf(), &RULES, &Ring).err();
    assert_eq!(fault, Some(ReceiveError::Signature(SignatureError::UnexpectedKeyBinding)));
}

fn leaf_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::Null),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_issued_is_what_is_held(
        claims in proptest::collection::btree_map("own_[a-z]{1,6}", leaf_value(), 0..12),
        seed: [u8; 32],
        decoys in 0_usize..4,
    ) {
        use rand_chacha::rand_core::SeedableRng as _;
        let world = World::new();
        let mut all = world.claims();
        let mut builder = vouchsafe_protocol::sd_jwt::Builder::new({
            all.extend(claims.clone());
            all.clone()
        });
        for name in claims.keys() {
            builder = builder.conceal(&format!("/{name}"));
        }
        let mut rng = rand_chacha::ChaCha20Rng::from_seed(seed);
        let issuable = builder.decoys("", decoys).build(&world.header(), &mut rng).unwrap();
        let signature = world.issuer.sign_now(issuable.signing_input());
        let held = Unverified::parse(&issuable.finish(&signature)).unwrap()
            .receive(&world.leaf(), &RULES, &Ring)
            .map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        prop_assert_eq!(held.claims(), &all);
    }

    #[test]
    fn parsing_never_panics(text in "[A-Za-z0-9_.~=-]{0,200}") {
        let _ = Unverified::parse(&text);
    }
}
