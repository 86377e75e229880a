//! Attacks on the credential: what its issuer would not have signed, and what was done to it afterwards.

use rcgen::{KeyUsagePurpose, SanType};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64, b64u, sha256};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys::SigningKey;

use crate::answer::Spoil::{Credential, Text, Token};
use crate::answer::{Door, Part, Spoil};
use crate::forge::certificate::{self, issue, leaf, named, self_signed, stranger, valid};
use crate::forge::{self, der, salt};
use crate::runner::run;
use crate::world::{ISS, LIVE, NOON, STRANGER, UNTYPED, VCT_PROOF, World};

struct SdJwt;

impl Part for SdJwt {
    const NAME: &'static str = "sd-jwt";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] = &[
        // The header.
        ("typ-older", "plain", Credential(|c, _| c.header["typ"] = json!("vc+sd-jwt"))),
        ("typ-jwt", "plain", Credential(|c, _| c.header["typ"] = json!("JWT"))),
        ("typ-of-key-binding", "plain", Credential(|c, _| c.header["typ"] = json!("kb+jwt"))),
        ("typ-missing", "plain", Credential(|c, _| drop_member(&mut c.header, "typ"))),
        ("alg-other-than-key", "plain", Credential(|c, _| c.header["alg"] = json!("EdDSA"))),
        ("alg-none", "plain", Credential(|c, _| c.header["alg"] = json!("none"))),
        (
            "alg-none-unsigned",
            "plain",
            Token(|t| {
                t.alter(0, |h| replace(h, "ES256", "none"));
                t.alter(2, |_| Vec::new());
            }),
        ),
        ("alg-hs256", "plain", Credential(|c, _| c.header["alg"] = json!("HS256"))),
        (
            "crit",
            "plain",
            Credential(|c, _| {
                c.header["crit"] = json!(["exp"]);
                c.header["exp"] = json!(NOON.plus(DAY).0);
            }),
        ),
        ("crit-empty", "plain", Credential(|c, _| c.header["crit"] = json!([]))),
        (
            "header-member-twice",
            "plain",
            Credential(|c, _| {
                c.write_header = |text| text.replacen('{', r#"{"typ":"JWT","#, 1);
            }),
        ),
        (
            "header-jwk-of-another",
            "plain",
            Credential(|c, _| {
                c.key = SigningKey::generate().unwrap();
                c.header["jwk"] = forge::public(&c.key);
            }),
        ),
        // The signature.
        ("signature-flipped", "plain", Token(|t| t.alter(2, |s| flip(s, 7)))),
        ("signature-empty", "plain", Token(|t| t.alter(2, |_| Vec::new()))),
        ("signature-zero", "plain", Token(|t| t.alter(2, |_| vec![0; 64]))),
        ("signature-der", "plain", Token(|t| t.alter(2, |s| der(&s)))),
        ("signed-by-another", "plain", Credential(|c, _| c.key = SigningKey::generate().unwrap())),
        ("signed-by-holder", "plain", Credential(|c, _| c.key = c.holder.clone())),
        ("signed-by-registrar", "plain", Credential(|c, w| c.key = w.registrar.clone())),
        ("payload-after-signing", "plain", Token(|t| t.alter(1, |p| replace(p, "2026-11-20", "2026-11-21")))),
        ("header-after-signing", "plain", Token(|t| t.alter(0, |h| replace(h, "{", r#"{"kid":"1","#)))),
        (
            "signature-of-another-copy",
            "plain",
            Token(|t| {
                let other = forge::sign("{}", "{}", &t.issuer);
                let (input, _) = t.jwt.rsplit_once('.').unwrap();
                t.jwt = format!("{input}.{}", other.rsplit_once('.').unwrap().1);
            }),
        ),
        // The certificate path.
        ("x5c-missing", "plain", Credential(|c, _| drop_member(&mut c.header, "x5c"))),
        ("x5c-empty", "plain", Credential(|c, _| c.certify(&[]))),
        ("x5c-not-der", "plain", Credential(|c, _| c.header["x5c"] = json!([b64(b"certificate")]))),
        (
            "x5c-foreign-anchor",
            "plain",
            Credential(|c, _| {
                let foreign = DevCa::generate(certificate::AUTHORITY, NOON).unwrap();
                c.issued_by(ISS, &foreign);
            }),
        ),
        (
            "x5c-anchor-inside",
            "plain",
            Credential(|c, w| {
                let leaf = issue(&leaf(), &c.key, &w.ca);
                c.certify(&[leaf, w.ca.certificate().to_vec()]);
            }),
        ),
        (
            "x5c-self-issued",
            "plain",
            Credential(|c, w| certified(c, w, |p| p.distinguished_name = named(certificate::AUTHORITY))),
        ),
        ("x5c-self-signed", "plain", Credential(|c, _| c.certify(&[self_signed(&leaf(), &c.key)]))),
        (
            "x5c-expired",
            "plain",
            Credential(|c, w| certified(c, w, |p| valid(p, NOON.minus(3 * DAY), NOON.minus(DAY)))),
        ),
        (
            "x5c-not-yet",
            "plain",
            Credential(|c, w| certified(c, w, |p| valid(p, NOON.plus(DAY), NOON.plus(3 * DAY)))),
        ),
        (
            "x5c-key-agreement",
            "plain",
            Credential(|c, w| {
                certified(c, w, |p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
            }),
        ),
        ("x5c-without-usage", "plain", Credential(|c, w| certified(c, w, |p| p.key_usages = vec![]))),
        (
            "x5c-too-long",
            "plain",
            Credential(|c, w| {
                let leaf = issue(&leaf(), &c.key, &w.ca);
                c.certify(&[leaf, stranger("A"), stranger("B"), stranger("C"), stranger("D")]);
            }),
        ),
        ("x5c-anchor-as-leaf", "plain", Credential(|c, w| c.certify(&[w.ca.certificate().to_vec()]))),
        // The issuer.
        (
            "iss-other-than-leaf",
            "plain",
            Credential(|c, w| {
                c.certify(&[w.ca.signer(STRANGER, c.key.clone(), NOON).unwrap().certificate.to_vec()])
            }),
        ),
        (
            "iss-longer-than-leaf",
            "plain",
            Credential(|c, w| {
                certified(c, w, |p| {
                    p.subject_alt_names = vec![SanType::URI(format!("{ISS}/").try_into().unwrap())]
                });
            }),
        ),
        (
            "iss-only-as-name",
            "plain",
            Credential(|c, w| {
                certified(c, w, |p| {
                    p.subject_alt_names =
                        vec![SanType::DnsName("issuer.larkfield.example".try_into().unwrap())]
                });
            }),
        ),
        ("iss-under-anchor-of-another", "plain", Credential(|c, w| c.issued_by(ISS, &w.other_ca))),
        ("iss-not-in-policy", "plain", Credential(|c, w| c.issued_by(STRANGER, &w.ca))),
        ("iss-live", "plain", Credential(|c, w| c.issued_by(LIVE, &w.ca))),
        ("iss-for-another-type", "untyped", Credential(|c, w| c.issued_by(UNTYPED, &w.ca))),
        ("iss-unknown", "plain", Credential(|c, w| c.issued_by("https://nobody.larkfield.example", &w.ca))),
        ("iss-missing", "plain", Credential(|c, _| drop_member(&mut c.payload, "iss"))),
        // The type.
        ("vct-missing", "plain", Credential(|c, _| drop_member(&mut c.payload, "vct"))),
        (
            "vct-not-described",
            "plain",
            Credential(|c, _| c.payload["vct"] = json!("https://larkfield.example/types/other/1")),
        ),
        ("vct-of-proofs", "plain", Credential(|c, _| c.payload["vct"] = json!(VCT_PROOF))),
        (
            "vct-upper-case",
            "plain",
            Credential(|c, _| c.payload["vct"] = json!(crate::world::VCT.to_uppercase())),
        ),
        ("vct-list", "plain", Credential(|c, _| c.payload["vct"] = json!([crate::world::VCT]))),
        ("aka-vcts-with-vct", "plain", Credential(|c, _| c.payload["aka_vcts"] = json!([crate::world::VCT]))),
        // Digests and Disclosures.
        ("sd-alg-sha512", "plain", Credential(|c, _| c.payload["_sd_alg"] = json!("sha-512"))),
        ("sd-alg-number", "plain", Credential(|c, _| c.payload["_sd_alg"] = json!(256))),
        ("sd-alg-nested", "plain", Credential(|c, _| c.payload["more"] = json!({"_sd_alg": "sha-256"}))),
        ("sd-alg-in-disclosure", "plain", Credential(|c, _| c.hide("more", json!({"_sd_alg": "sha-256"})))),
        (
            "arity-of-element",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([salt(), "W100"]));
                c.add_digest(json!(digest));
            }),
        ),
        (
            "arity-of-member",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([salt(), "name", "W100"]));
                c.payload["list"] = json!([{"...": digest}]);
            }),
        ),
        (
            "arity-of-four",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([salt(), "name", "W100", 1]));
                c.add_digest(json!(digest));
            }),
        ),
        ("name-sd", "plain", Credential(|c, _| c.hide("_sd", json!(["x"])))),
        ("name-sd-alg", "plain", Credential(|c, _| c.hide("_sd_alg", json!("sha-256")))),
        ("name-dots", "plain", Credential(|c, _| c.hide("...", json!("x")))),
        ("member-dots", "plain", Credential(|c, _| c.payload["more"] = json!({"...": "x"}))),
        ("name-of-clear-claim", "plain", Credential(|c, _| c.hide("facts_as_of", json!("2026-11-21")))),
        ("name-disclosed-twice", "plain", Credential(|c, _| c.hide("ward", json!("W101")))),
        (
            "digest-twice",
            "plain",
            Credential(|c, _| {
                let digest = c.payload["_sd"][0].clone();
                c.add_digest(digest);
            }),
        ),
        (
            "digest-in-two-places",
            "plain",
            Credential(|c, _| {
                c.hide("extra", json!(1));
                c.payload["more"] = json!({"_sd": [c.payload["_sd"][2]]});
            }),
        ),
        (
            "decoy-twice",
            "plain",
            Credential(|c, _| {
                let decoy = b64u(sha256(salt()));
                c.add_digest(json!(decoy));
                c.add_digest(json!(decoy));
            }),
        ),
        ("disclosure-twice", "plain", Token(|t| t.disclosures.push(t.disclosures[0].clone()))),
        (
            "disclosure-unused",
            "plain",
            Token(|t| t.disclosures.push(b64u(json!([salt(), "extra", 1]).to_string()))),
        ),
        (
            "disclosure-without-parent",
            "plain",
            Credential(|c, _| {
                let inner = c.disclose(&json!([salt(), "street", "1 Mill Lane"]));
                c.hide("address", json!({"_sd": [inner]}));
                c.disclosures.pop();
            }),
        ),
        (
            "disclosure-changed",
            "plain",
            Token(|t| t.disclosures[0] = b64u(json!([salt(), "birth_date", "1940-01-01"]).to_string())),
        ),
        ("disclosure-padded", "plain", Token(|t| t.disclosures[0].push('='))),
        ("disclosure-not-json", "plain", Token(|t| t.disclosures.push(b64u("[\"salt\",\"a\"")))),
        (
            "disclosure-salt-number",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([1, "extra", "x"]));
                c.add_digest(json!(digest));
            }),
        ),
        (
            "disclosure-member-twice",
            "plain",
            Credential(|c, _| {
                let text = b64u(r#"["salt","more",{"a":1,"a":2}]"#);
                c.add_digest(json!(b64u(sha256(&text))));
                c.disclosures.push(text);
            }),
        ),
        (
            "placeholder-with-more",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([salt(), "W100"]));
                c.payload["list"] = json!([{"...": digest, "x": 1}]);
            }),
        ),
        ("sd-not-array", "plain", Credential(|c, _| c.payload["more"] = json!({"_sd": "x"}))),
        ("sd-of-numbers", "plain", Credential(|c, _| c.add_digest(json!(1)))),
        (
            "disclosures-too-many",
            "plain",
            Credential(|c, _| (0..255).for_each(|i| c.hide(&format!("c{i}"), json!(i)))),
        ),
        ("empty-part", "plain", Text(|text, _| text.replacen('~', "~~", 1))),
        ("no-tilde", "plain", Text(|text, _| text.replace('~', ""))),
        ("too-long", "plain", Credential(|c, _| c.payload["more"] = json!("x".repeat(50_000)))),
        (
            "too-deep",
            "plain",
            Credential(|c, _| {
                c.write_header = |text| {
                    text.replacen('{', &format!(r#"{{"more":{}{},"#, "[".repeat(32), "]".repeat(32)), 1)
                };
            }),
        ),
        (
            "too-deep-together",
            "plain",
            Credential(|c, _| {
                let inner = c.disclose(&json!([salt(), "inner", nested(20)]));
                c.payload["more"] = wrapped(20, json!({"_sd": [inner]}));
            }),
        ),
        (
            "payload-member-twice",
            "plain",
            Credential(|c, _| {
                c.write_payload = |text| text.replacen('{', r#"{"facts_as_of":"2020-01-01","#, 1);
            }),
        ),
        ("payload-list", "plain", Credential(|c, _| c.write_payload = |text| format!("[{text}]"))),
        ("claim-withheld", "plain", Token(|t| drop(t.disclosures.pop()))),
        // What must stand in the clear.
        ("exp-disclosed", "plain", Credential(|c, _| c.hide_visible("exp"))),
        ("nbf-disclosed", "plain", Credential(|c, _| c.hide("nbf", json!(NOON.0)))),
        ("integrity-disclosed", "plain", Credential(|c, _| c.hide("vct#integrity", json!("sha256-AA==")))),
        (
            "aka-vcts-disclosed",
            "plain",
            Credential(|c, _| c.hide("aka_vcts", json!(["https://larkfield.example/types/other/1"]))),
        ),
        (
            "cnf-partly-disclosed",
            "plain",
            Credential(|c, _| {
                let digest = c.disclose(&json!([salt(), "kid", "1"]));
                c.payload["cnf"]["_sd"] = json!([digest]);
            }),
        ),
        ("iss-disclosed", "plain", Credential(|c, _| c.hide_visible("iss"))),
        ("vct-disclosed", "plain", Credential(|c, _| c.hide_visible("vct"))),
        ("cnf-disclosed", "plain", Credential(|c, _| c.hide_visible("cnf"))),
        // Times, audience, status.
        ("exp-passed", "plain", Credential(|c, _| c.payload["exp"] = json!(NOON.minus(60).0))),
        ("exp-long-passed", "plain", Credential(|c, _| c.payload["exp"] = json!(NOON.minus(365 * DAY).0))),
        ("exp-missing", "plain", Credential(|c, _| drop_member(&mut c.payload, "exp"))),
        ("exp-text", "plain", Credential(|c, _| c.payload["exp"] = json!(NOON.plus(DAY).0.to_string()))),
        ("nbf-future", "plain", Credential(|c, _| c.payload["nbf"] = json!(NOON.plus(61).0))),
        ("nbf-text", "plain", Credential(|c, _| c.payload["nbf"] = json!("tomorrow"))),
        ("iat-future", "plain", Credential(|c, _| c.payload["iat"] = json!(NOON.plus(61).0))),
        ("iat-fraction", "plain", Credential(|c, _| c.payload["iat"] = json!(1_795_262_400.5))),
        (
            "aud-of-another",
            "plain",
            Credential(|c, _| c.payload["aud"] = json!("https://pool.larkfield.example")),
        ),
        (
            "status",
            "plain",
            Credential(|c, _| {
                c.payload["status"] =
                    json!({"status_list": {"idx": 7, "uri": "https://status.larkfield.example/1"}});
            }),
        ),
    ];
}

fn drop_member(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

fn replace(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(bytes).unwrap().replacen(from, to, 1).into_bytes()
}

fn flip(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// A leaf of the world's authority that was changed before it was issued.
fn certified(credential: &mut forge::Credential, world: &World, change: fn(&mut rcgen::CertificateParams)) {
    let mut params = leaf();
    change(&mut params);
    credential.certify(&[issue(&params, &credential.key, &world.ca)]);
}

fn nested(depth: usize) -> Value {
    wrapped(depth, json!(1))
}

fn wrapped(depth: usize, inner: Value) -> Value {
    (0..depth).fold(inner, |value, _| json!({"a": value}))
}

#[tokio::test(flavor = "multi_thread")]
async fn sd_jwt() {
    run::<Door<SdJwt>>().await;
}
