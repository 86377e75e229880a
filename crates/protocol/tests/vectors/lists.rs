//! Status list tokens good and bad, made from nothing but their members.

use ciborium::value::Value as Cbor;
use coset::{CborSerializable as _, CoseSign1, HeaderBuilder, TaggedCborSerializable as _, iana};
use rcgen::{KeyPair, SanType};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64, b64u};
use vouchsafe_protocol::jose::x5c::{VerifiedLeaf, validate};
use vouchsafe_protocol::status::{
    Bits, CWT_MEDIA_TYPE, Entitled, Expected, JWT_TYP, List, MAX_INFLATED, Received, Token, TokenError,
};

use crate::provider::{Key, Ring};
use crate::world::{ISS, NOW, World, leaf};

pub(crate) const URI: &str = "https://issuer.larkfield.example/status/a";
/// A stand-in: the standard's own number is not assigned yet.
pub(crate) const STATUS_SIGNING: &str = "1.3.6.1.4.1.99999.1";

pub(crate) fn expected() -> Expected<'static> {
    let signer = Entitled { iss: ISS, status_signing: Some(STATUS_SIGNING) };
    Expected { uri: URI, signer, now: NOW, max_inflated: MAX_INFLATED }
}

/// Two-bit entries: 0 valid, 1 revoked, 2 suspended, 3 of nobody's meaning, the others valid.
pub(crate) fn list() -> List {
    let mut list = List::new(Bits::Two, 4096);
    for (idx, value) in [(1, 1), (2, 2), (3, 3)] {
        list.set(idx, value).unwrap();
    }
    list
}

pub(crate) fn claims(list: &List) -> Value {
    json!({
        "sub": URI, "iat": NOW.0, "exp": NOW.0 + 3600, "ttl": 900,
        "status_list": {"bits": list.bits().number(), "lst": b64u(list.deflate())},
    })
}

pub(crate) fn header(world: &World) -> Value {
    json!({"alg": "ES256", "typ": JWT_TYP, "x5c": world.x5c.iter().map(b64).collect::<Vec<_>>()})
}

pub(crate) fn jwt(key: &Key, header: &Value, claims: &Value) -> Vec<u8> {
    let input = format!("{}.{}", b64u(header.to_string()), b64u(claims.to_string()));
    format!("{input}.{}", b64u(key.sign_now(input.as_bytes()))).into_bytes()
}

pub(crate) fn text(text: &str) -> Cbor {
    Cbor::Text(text.to_owned())
}

pub(crate) fn cwt_claims(list: &List) -> Vec<(Cbor, Cbor)> {
    let inside =
        vec![(text("bits"), list.bits().number().into()), (text("lst"), Cbor::Bytes(list.deflate()))];
    vec![
        (2.into(), text(URI)),
        (6.into(), NOW.0.into()),
        (4.into(), (NOW.0 + 3600).into()),
        (65_534.into(), 900.into()),
        (65_533.into(), Cbor::Map(inside)),
    ]
}

/// Signs as CWT, after `change` has had its way with what will be signed.
pub(crate) fn cwt(world: &World, claims: Vec<(Cbor, Cbor)>, change: impl FnOnce(&mut CoseSign1)) -> Vec<u8> {
    let mut payload = Vec::new();
    ciborium::into_writer(&Cbor::Map(claims), &mut payload).unwrap();
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES256).value(16, text(CWT_MEDIA_TYPE));
    let chain = Cbor::Bytes(world.x5c[0].clone());
    let mut token = CoseSign1::default();
    token.protected.header = protected.build();
    token.unprotected = HeaderBuilder::new().value(33, chain).build();
    token.payload = Some(payload);
    change(&mut token);
    // As it will be read again: the signature covers the header's own bytes.
    token.protected.original_data = Some(token.protected.header.clone().to_vec().unwrap());
    token.signature = world.issuer.sign_now(&token.tbs_data(&[]));
    token.to_tagged_vec().unwrap()
}

pub(crate) fn check(token: Result<Received, TokenError>, leaf: &VerifiedLeaf) -> Result<Token, TokenError> {
    token?.verify(leaf, &expected(), &Ring)
}

pub(crate) fn check_jwt(world: &World, header: &Value, claims: &Value) -> Result<Token, TokenError> {
    check(Received::jwt(&jwt(&world.issuer, header, claims), 1 << 20), &world.leaf())
}

pub(crate) fn check_cwt(
    world: &World,
    claims: Vec<(Cbor, Cbor)>,
    change: impl FnOnce(&mut CoseSign1),
) -> Result<Token, TokenError> {
    check(Received::cwt(&cwt(world, claims, change), 1 << 20), &world.leaf())
}

/// A token by another key under the same authority, whose certificate names `uri` and these purposes.
pub(crate) fn by_another(world: &World, uri: &str, purposes: &[&[u64]]) -> Result<Token, TokenError> {
    let key = KeyPair::generate().unwrap();
    let mut params = leaf(ISS);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let custom = |oid: &&[u64]| rcgen::ExtendedKeyUsagePurpose::Other(oid.to_vec());
    params.extended_key_usages = purposes.iter().map(custom).collect();
    let certificate = params.signed_by(&key, &world.authority).unwrap();
    let x5c = vec![certificate.der().to_vec()];
    let mut header = header(world);
    header["x5c"] = json!([b64(&x5c[0])]);
    let leaf = validate(&x5c, std::slice::from_ref(&world.anchor), NOW, &Ring).unwrap();
    let token = jwt(&Key::p256_pkcs8(&key.serialize_der()), &header, &claims(&list()));
    check(Received::jwt(&token, 1 << 20), &leaf)
}
