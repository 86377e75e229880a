//! An authority, an issuer and a resident's key, with which tokens good and bad are made.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::{Map, Value, json};
use vouchsafe_protocol::jose::jws::{EncodedHeader, NewHeader, Unsigned};
use vouchsafe_protocol::jose::x5c::{Anchor, VerifiedLeaf, validate};
use vouchsafe_protocol::jose::{Alg, Signer as _};
use vouchsafe_protocol::sd_jwt::key_binding::{Binding, Expected};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, TYP};
use vouchsafe_protocol::sd_jwt::{Builder, Held, Path, Step, Unverified};
use vouchsafe_protocol::time::UnixTime;

use crate::provider::{Key, Ring};

pub(crate) const NOW: UnixTime = UnixTime(1_795_300_000);
pub(crate) const ISS: &str = "https://issuer.larkfield.example";
pub(crate) const VCT: &str = "https://larkfield.example/types/residency/1";
pub(crate) const AUD: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
pub(crate) const NONCE: &str = "n-0S6_WzA2MjR3c9QkYtLw";

pub(crate) const EXPECTED: Expected<'static> = Expected { aud: AUD, nonce: NONCE, now: NOW, max_age: 300 };
pub(crate) const RULES: Rules<'static> = Rules { now: NOW, audience: AUD, status: Status::NotInType };

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(crate) fn leaf(uri: &str) -> CertificateParams {
    let mut params = params("Larkfield issuer");
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

/// One issuer under one authority, and one holder.
pub(crate) struct World {
    pub(crate) authority: Issuer<'static, KeyPair>,
    pub(crate) anchor: Anchor,
    pub(crate) x5c: Vec<Vec<u8>>,
    pub(crate) issuer: Key,
    pub(crate) holder: Key,
}

impl World {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority("Larkfield authority");
        let anchor = Anchor::from_der(params.self_signed(&key).unwrap().der().to_vec()).unwrap();
        let authority = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let certificate = leaf(ISS).signed_by(&leaf_key, &authority).unwrap();
        let issuer = Key::p256_pkcs8(&leaf_key.serialize_der());
        Self { authority, anchor, x5c: vec![certificate.der().to_vec()], issuer, holder: Key::p256() }
    }

    pub(crate) fn header(&self) -> EncodedHeader {
        NewHeader::new(Alg::Es256, TYP).x5c(&self.x5c).encode()
    }

    pub(crate) fn leaf(&self) -> Arc<VerifiedLeaf> {
        Arc::new(validate(&self.x5c, std::slice::from_ref(&self.anchor), NOW, &Ring).unwrap())
    }

    /// The claims of a good credential, all in the clear.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let claims = json!({
            "iss": ISS, "vct": VCT, "iat": 1_795_219_200, "exp": 1_797_811_200,
            "cnf": {"jwk": self.holder.public().to_value()},
            "facts_as_of": "2026-11-20",
            "name": "Resident 0042", "ward": "E05000001",
            "address": {"street": "1 Mill Lane", "town": "Larkfield"},
            "children": ["Resident 0043", "Resident 0044"],
        });
        claims.as_object().cloned().unwrap()
    }

    /// A good credential: three plain Disclosures, one inside another, an element, decoys.
    pub(crate) fn credential(&self) -> String {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let issuable = Builder::new(self.claims())
            .conceal("/name")
            .conceal("/ward")
            .conceal("/address")
            .conceal("/address/street")
            .conceal("/children/1")
            .decoys("", 2)
            .decoys("/address", 1)
            .build(&self.header(), &mut rng)
            .unwrap();
        let signature = self.issuer.sign_now(issuable.signing_input());
        issuable.finish(&signature)
    }

    pub(crate) fn held(&self) -> Held {
        Unverified::parse(&self.credential()).unwrap().receive(&self.leaf(), &RULES, &Ring).unwrap()
    }

    /// A good presentation of some paths.
    pub(crate) fn present(&self, paths: &[Path]) -> String {
        self.show(&self.held(), paths)
    }

    pub(crate) fn show(&self, held: &Held, paths: &[Path]) -> String {
        let presentation = held.present(paths, binding()).unwrap();
        let signature = self.holder.sign_now(presentation.signing_input());
        presentation.finish(&signature)
    }

    /// An issuer-signed token of any payload and any Disclosures, each ended by a tilde.
    pub(crate) fn signed(&self, payload: &Value, disclosures: &[&str]) -> String {
        let unsigned = Unsigned::new(&self.header(), payload).unwrap();
        let signature = self.issuer.sign_now(unsigned.signing_input());
        let mut text = unsigned.finish(&signature) + "~";
        for disclosure in disclosures {
            text += disclosure;
            text += "~";
        }
        text
    }

    /// Adds a key binding of any claims to a text that ends in a tilde.
    pub(crate) fn bind(&self, text: &str, typ: &str, claims: &Value) -> String {
        let unsigned = Unsigned::new(&NewHeader::new(Alg::Es256, typ).encode(), claims).unwrap();
        let signature = self.holder.sign_now(unsigned.signing_input());
        text.to_owned() + &unsigned.finish(&signature)
    }
}

pub(crate) fn binding() -> Binding<'static> {
    Binding { aud: AUD, nonce: NONCE, issued_at: NOW, extra: Map::new() }
}

pub(crate) fn path(names: &[&str]) -> Path {
    names.iter().map(|name| Step::Name((*name).to_owned())).collect()
}
