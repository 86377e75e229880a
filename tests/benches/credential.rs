//! SD-JWT VC: issuing and verifying a plain credential of ten claims, of which three are shown.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::encoding::b64u_decode;
use vouchsafe_protocol::jose::jws::{EncodedHeader, NewHeader};
use vouchsafe_protocol::jose::x5c::{self, Anchor, VerifiedLeaf};
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::sd_jwt::issue::Issuable;
use vouchsafe_protocol::sd_jwt::key_binding::{Binding, Expected};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, TYP, Verified};
use vouchsafe_protocol::sd_jwt::{Builder, Held, Unverified};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{Jws, SigningKey};

use crate::measure::{Report, against, alone};

const ISS: &str = "https://issuer.example";
const AUD: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
const NONCE: &str = "n-0S6_WzA2MjQ1c8YpJ0Zg";
const NOW: UnixTime = UnixTime(1_795_255_200);

pub(crate) struct Bench {
    pub(crate) anchors: [Anchor; 1],
    pub(crate) issuer: Leaf,
    pub(crate) holder: SigningKey,
    header: EncodedHeader,
    /// What an issuer has at hand: the claims of a resident, the pointers of the type, its source of chance.
    claims: Map<String, Value>,
    pointers: Vec<String>,
    entropy: OsEntropy,
}

pub(crate) fn benches() -> Vec<Report> {
    let bench = Bench::new();
    vec![verify(&bench), issue(&bench)]
}

fn claims() -> Map<String, Value> {
    let mut claims = json!({
        "iss": ISS, "vct": "https://larkfield.example/types/residency/1",
        "iat": 1_795_219_200, "exp": 1_802_995_200,
    });
    for n in 0..10 {
        claims[format!("claim_{n}")] = json!(format!("the value of claim {n}"));
    }
    claims.as_object().cloned().expect("an object")
}

impl Bench {
    pub(crate) fn new() -> Self {
        let ca = DevCa::generate("bench", NOW).expect("an authority");
        let issuer = ca.signer(ISS, SigningKey::generate().expect("a key"), NOW).expect("a leaf");
        let anchors = [Anchor::from_der(ca.certificate().to_vec()).expect("a certificate")];
        let header = NewHeader::new(Alg::Es256, TYP).x5c(&[issuer.certificate.to_vec()]).encode();
        let pointers = (0..10).map(|n| format!("/claim_{n}")).collect();
        let holder = SigningKey::generate().expect("a key");
        Self { anchors, issuer, holder, header, claims: claims(), pointers, entropy: OsEntropy::new() }
    }

    fn build(&self) -> Issuable {
        let builder = Builder::new(self.claims.clone()).holder(self.holder.public());
        let builder = self.pointers.iter().fold(builder, |builder, pointer| builder.conceal(pointer));
        builder.build(&self.header, &mut EntropyRng(&self.entropy)).expect("claims")
    }

    pub(crate) fn issue(&self) -> String {
        let made = self.build();
        let signature = self.issuer.key.sign_now(made.signing_input()).expect("a signature");
        made.finish(&signature)
    }

    pub(crate) fn present(&self) -> String {
        let held = Held::dangerous_from_store(&self.issue()).expect("a credential");
        let shown: Vec<_> = held.disclosed().paths().iter().take(3).cloned().collect();
        let binding = Binding { aud: AUD, nonce: NONCE, issued_at: NOW, extra: Map::new() };
        let unsigned = held.present(&shown, binding).expect("disclosures");
        let signature = self.holder.sign_now(unsigned.signing_input()).expect("a signature");
        unsigned.finish(&signature)
    }

    /// Every check of a plain answer but decryption and policy, with the issuer's path from a warm cache or cold.
    pub(crate) fn check(&self, text: &str, cached: Option<&Arc<VerifiedLeaf>>) -> Verified {
        let expected = Expected { aud: AUD, nonce: NONCE, now: NOW, max_age: 300 };
        let bound = Unverified::parse(text).expect("a form").check_binding(&expected).expect("a binding");
        let path = bound.parts().x5c().expect("a path");
        let leaf = x5c::validate_or_cached(path, cached.cloned(), &self.anchors, NOW, &Jws).expect("a path");
        let signed = bound.check_signatures(leaf, &Jws).expect("signatures");
        let rules = Rules { now: NOW, audience: AUD, status: Status::NotInType };
        signed.accept(&rules).expect("claims")
    }
}

impl Bench {
    /// The issuer's path, validated: what a warm cache holds.
    pub(crate) fn leaf(&self, text: &str) -> Arc<VerifiedLeaf> {
        let parts = Unverified::parse(text).expect("a form");
        let path = parts.x5c().expect("a path");
        x5c::validate_or_cached(path, None, &self.anchors, NOW, &Jws).expect("a path")
    }

    /// The two signatures of a presentation, for the floor.
    pub(crate) fn bare(&self, text: &str) -> [Bare; 2] {
        let (issuer_jwt, rest) = text.split_once('~').expect("a presentation");
        let kb = rest.rsplit('~').next().expect("a key binding");
        let bare = [Bare::of(issuer_jwt, &self.issuer.key), Bare::of(kb, &self.holder)];
        assert!(bare.iter().all(Bare::verify), "the floor must verify what the function verifies");
        bare
    }
}

/// A signed text apart, for the floor: key, input and signature.
pub(crate) struct Bare {
    key: Vec<u8>,
    input: Vec<u8>,
    signature: Vec<u8>,
}

impl Bare {
    fn of(token: &str, key: &SigningKey) -> Self {
        let (input, signature) = token.rsplit_once('.').expect("a compact token");
        Self {
            key: key.public().to_sec1().expect("a P-256 key").to_vec(),
            input: input.as_bytes().to_vec(),
            signature: b64u_decode(signature).expect("base64url"),
        }
    }

    pub(crate) fn verify(&self) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key)
            .verify(&self.input, &self.signature)
            .is_ok()
    }
}

fn verify(bench: &Bench) -> Report {
    let text = bench.present();
    let bare = bench.bare(&text);
    let leaf = bench.leaf(&text);
    let cold = alone(|| bench.check(&text, None));
    against("verify/sd-jwt-kb", || bench.check(&text, Some(&leaf)), || bare.each_ref().map(Bare::verify))
        .part("token_bytes", text.len())
        .part("cold_path_ns", cold)
        .part("parse_ns", alone(|| Unverified::parse(&text)))
}

#[expect(clippy::disallowed_methods, reason = "the floor is bare ring, with the generator that it takes")]
fn issue(bench: &Bench) -> Report {
    let random = SystemRandom::new();
    let der = bench.issuer.key.to_pkcs8_der();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).expect("a key");
    let input = bench.build().signing_input().to_vec();
    against("issue/sd-jwt", || bench.issue(), || key.sign(&random, &input).expect("a signature"))
        .part("token_bytes", bench.issue().len())
        .part("build_ns", alone(|| bench.build()))
}
