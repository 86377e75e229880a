//! A registrar, an issuer, a service and a resident, small enough to be read.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::{Seed, commit};
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::jose::jws::{NewHeader, Unsigned};
use vouchsafe_protocol::jose::x5c::Anchor;
use vouchsafe_protocol::jose::{Alg, NamedJwk, PublicJwk, Signer as _};
use vouchsafe_protocol::openid4vci::batch;
use vouchsafe_protocol::openid4vci::credential::{Copy, Openings};
use vouchsafe_protocol::openid4vp::request::Draft;
use vouchsafe_protocol::openid4vp::{Asked, Party, ReplyTo, ResponseMode, client_id};
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::sd_jwt::{Builder, vc};
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::{Judge, Register, Registrar};
use vouchsafe_protocol::types::{CodeLists, CredentialType};
use vouchsafe_protocol::zkc;

use crate::provider::{Agreement, Key, Ring};

pub(crate) const NOW: UnixTime = UnixTime(1_795_300_000);
pub(crate) const TODAY: Date = date(2026, 11, 21);
pub(crate) const REGISTRAR: &str = "https://registrar.example";
pub(crate) const ISSUER: &str = "https://issuer.larkfield.example";
pub(crate) const SERVICE: &str = "https://buses.larkfield.example/service";
pub(crate) const PURPOSE: &str = "https://larkfield.example/purposes/bus-pass";
pub(crate) const PENSION: &str = "https://larkfield.example/tables/pension-age";
pub(crate) const WARDS: &str = "https://larkfield.example/lists/larkfield-wards";
pub(crate) const PLAIN: &str = "https://larkfield.example/types/residency/1";
pub(crate) const PROOF: &str = "https://larkfield.example/types/residency/1/zk";
pub(crate) const NONCE: &str = "n-0S6_WzA2MjR3c9QkYtLw";
pub(crate) const STATE: &str = "s-0S6_WzA2MjR3c9QkYtLw";
pub(crate) const REPLY: &str = "https://verifier.example/a/1";

pub(crate) struct District {
    pub(crate) registrar: Key,
    pub(crate) pinned: Registrar,
    pub(crate) anchor: Anchor,
    pub(crate) issuer: Key,
    pub(crate) issuer_x5c: Vec<Vec<u8>>,
    pub(crate) service: Key,
    pub(crate) service_x5c: Vec<Vec<u8>>,
    pub(crate) holders: Vec<Key>,
    authority: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn words(text: &str) -> Value {
    json!({"en": text, "cy": text})
}

impl District {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut root = params("Larkfield authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let anchor = Anchor::from_der(root.self_signed(&key).unwrap().der().to_vec()).unwrap();
        let authority = Issuer::new(root, key);
        let (issuer, issuer_x5c) = leaf(&authority, ISSUER);
        let (service, service_x5c) = leaf(&authority, "https://buses.larkfield.example");
        let registrar = Key::p256();
        let keys = vec![("r1".to_owned(), registrar.public().clone())];
        let pinned = Registrar { iss: REGISTRAR.into(), keys };
        let holders = (0..3).map(|_| Key::p256()).collect();
        Self { registrar, pinned, anchor, issuer, issuer_x5c, service, service_x5c, holders, authority }
    }

    /// A certificate of the same authority, for somebody else.
    pub(crate) fn other_leaf(&self) -> (Key, Vec<Vec<u8>>) {
        self.leaf_of("https://other.example")
    }

    /// A certificate of the same authority for the issuer `uri`.
    pub(crate) fn leaf_of(&self, uri: &str) -> (Key, Vec<Vec<u8>>) {
        leaf(&self.authority, uri)
    }

    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge { registrar: &self.pinned, last_seen: 0, now: NOW, verifier: &Ring }
    }

    pub(crate) fn sign(&self, typ: &str, claims: &Value) -> String {
        sign(&self.registrar, &NewHeader::new(Alg::Es256, typ).kid("r1"), claims)
    }

    /// A document of the registrar with its head filled in.
    pub(crate) fn document(&self, kind: &str, members: Value) -> String {
        self.sign(&format!("vouchsafe-{kind}+jwt"), &with_head(members))
    }

    pub(crate) fn client_id(&self) -> String {
        client_id(&sha256(&self.service_x5c[0]))
    }

    pub(crate) fn service_entry(&self) -> Value {
        json!({"sub": SERVICE, "env": "test", "name": words("Larkfield Buses"),
            "client_ids": [self.client_id(), "x509_san_dns:verifier.example"], "purposes": [PURPOSE]})
    }

    pub(crate) fn issuer_entry(&self) -> Value {
        json!({"sub": ISSUER, "env": "test", "name": words("Larkfield Council"),
            "anchors": [b64u(self.anchor.sha256())], "types": [PLAIN, PROOF]})
    }

    pub(crate) fn register(&self) -> Register {
        self.register_with(self.purpose_entry(), self.issuer_entry())
    }

    pub(crate) fn register_with(&self, purpose: Value, issuer: Value) -> Register {
        let entries = [
            self.document("service", self.service_entry()),
            self.document("issuer", issuer),
            self.document("purpose", purpose),
            self.document("table", pension()),
            self.document("table", wards()),
        ];
        Register::load(&self.document("register", json!({"entries": entries})), &self.judge()).unwrap()
    }

    /// All that the policies of these tests ask, with the hashes of the tables as they were signed.
    pub(crate) fn purpose_entry(&self) -> Value {
        let hash = |table: Value| b64u(sha256(with_head(table).to_string()));
        let age = json!([{"kind": "table", "id": PENSION, "version": 1, "hash": hash(pension())}]);
        let ward = json!([{"kind": "codes", "id": WARDS, "version": 1, "hash": hash(wards())}]);
        let may = |vct: &str, pointer: &str, how: &str, rules: &Value| json!({"vct": vct, "pointer": pointer, "how": how, "rules": rules});
        json!({"sub": PURPOSE, "version": 1, "text": words("To decide about your bus pass."), "basis": "public_task",
        "retention_days": 365, "recipients": [words("Larkfield Buses")], "other_route": words("Ask in a library."),
        "may_ask": [
            may(PROOF, "/birth_date", "le", &age), may(PROOF, "/birth_date", "ge", &age),
            may(PROOF, "/ward", "in", &ward), may(PROOF, "/ward", "le", &ward), may(PROOF, "/ward", "ge", &ward),
            may(PLAIN, "/birth_date", "show", &json!([])), may(PLAIN, "/ward", "show", &json!([])),
        ]})
    }

    pub(crate) fn asked(&self, register: &Register, policy: Value) -> Asked {
        let party = Party {
            service: SERVICE.into(),
            client_id: self.client_id(),
            nonce: NONCE.into(),
            state_sha256: sha256(STATE),
            reply_to: ReplyTo::ResponseUri(REPLY.into()),
            encryption_key: Some(response_key().public_thumbprint()),
        };
        let policy = Policy::from_json(policy).unwrap();
        Asked::new(party, policy, register.tables().clone(), TODAY).unwrap()
    }

    /// The claims of a good request, to be spoiled.
    pub(crate) fn request(&self, register: &Register, asked: &Asked) -> Value {
        let draft = Draft {
            asked,
            state: STATE,
            mode: ResponseMode::DirectPostJwt,
            encryption_key: Some(&response_key().named()),
            service: register.service(SERVICE).unwrap(),
            purpose: register.purpose(PURPOSE).unwrap(),
            wallet_nonce: None,
            iat: NOW,
            exp: NOW.plus(300),
        };
        let unsigned = draft.unsigned(Alg::Es256, &self.service_x5c);
        let input = String::from_utf8(unsigned.signing_input().to_vec()).unwrap();
        let payload = input.split('.').nth(1).unwrap();
        serde_json::from_slice(&vouchsafe_protocol::encoding::b64u_decode(payload).unwrap()).unwrap()
    }

    pub(crate) fn sign_request(&self, claims: &Value) -> String {
        let header = NewHeader::new(Alg::Es256, "oauth-authz-req+jwt").x5c(&self.service_x5c);
        sign(&self.service, &header, claims)
    }

    pub(crate) fn keys(&self) -> Vec<PublicJwk> {
        self.holders.iter().map(|key| key.public().clone()).collect()
    }

    /// One copy for the holder `i`, as a good issuer makes it from `claims` and `hidden` values.
    pub(crate) fn copy(&self, i: usize, resident: &Resident) -> Copy {
        let vct = if resident.proof { PROOF } else { PLAIN };
        let seed = Seed::new([i as u8 + 1; 32]);
        let residency = residency();
        let mut claims = json!({"iss": ISSUER, "vct": vct, "iat": NOW.day_start().0, "exp": NOW.day_start().0 + 30 * DAY,
            "facts_as_of": resident.facts_as_of, "name": "Resident 0042"});
        if resident.proof {
            let forms: Vec<_> = residency
                .provable()
                .map(|a| (a.pointer.clone(), a.form().unwrap(), self.integer(a, resident)))
                .collect();
            let members = forms
                .iter()
                .map(|(p, form, v)| (p.as_str(), form, commit(*v, &seed.blinding(ISSUER, vct, p))));
            claims["zkc"] = zkc::write(members);
        } else {
            claims["birth_date"] = json!(resident.born);
            claims["ward"] = json!(resident.ward);
        }
        let values = json!({"/birth_date": resident.born, "/ward": resident.ward});
        let openings = resident.proof.then(|| Openings::new(seed, values.as_object().cloned().unwrap()));
        Copy { credential: self.issue(i, claims, i as u64), openings }
    }

    fn integer(&self, attribute: &vouchsafe_protocol::types::Attribute, resident: &Resident) -> u64 {
        let value = if attribute.pointer == "/ward" { json!(resident.ward) } else { json!(resident.born) };
        attribute.encode(&value, &lists()).unwrap()
    }

    /// Signs any claims as an SD-JWT VC for the holder `i`, with what can be withheld withheld.
    pub(crate) fn issue(&self, i: usize, claims: Value, chance: u64) -> String {
        let claims = claims.as_object().cloned().unwrap();
        let concealed: Vec<_> =
            ["name", "birth_date", "ward"].into_iter().filter(|name| claims.contains_key(*name)).collect();
        let mut builder = Builder::new(claims).holder(self.holders[i].public());
        for name in concealed {
            builder = builder.conceal(&format!("/{name}"));
        }
        let header = NewHeader::new(Alg::Es256, vc::TYP).x5c(&self.issuer_x5c).encode();
        let issuable = builder.build(&header, &mut ChaCha20Rng::seed_from_u64(chance)).unwrap();
        let signature = self.issuer.sign_now(issuable.signing_input());
        issuable.finish(&signature)
    }

    pub(crate) fn receive(
        &self,
        copies: Vec<Copy>,
        vct: &str,
    ) -> Result<Vec<batch::Received>, batch::BatchError> {
        self.receive_from(copies, vct, self.issuer_entry())
    }

    pub(crate) fn receive_from(
        &self,
        copies: Vec<Copy>,
        vct: &str,
        entry: Value,
    ) -> Result<Vec<batch::Received>, batch::BatchError> {
        let entry: vouchsafe_protocol::trust::IssuerEntry = serde_json::from_value(with_head(entry)).unwrap();
        let (keys, lists) = (self.keys(), lists());
        let anchors = [self.anchor.clone()];
        let expected = batch::Expected {
            issuer: &entry,
            anchors: &anchors,
            vct,
            keys: &keys,
            lists: &lists,
            period: None,
            links: None,
            now: NOW,
        };
        batch::receive(copies, &expected, &Ring)
    }
}

/// Somebody, and how they hold what is said of them.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) born: &'static str,
    pub(crate) ward: &'static str,
    pub(crate) facts_as_of: &'static str,
    pub(crate) proof: bool,
}

pub(crate) const OLD: Resident =
    Resident { born: "1950-05-01", ward: "W105", facts_as_of: "2026-11-20", proof: true };

fn leaf(authority: &Issuer<'static, KeyPair>, uri: &str) -> (Key, Vec<Vec<u8>>) {
    let key = KeyPair::generate().unwrap();
    let mut params = params("Larkfield leaf");
    let host = SanType::DnsName("verifier.example".try_into().unwrap());
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap()), host];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.signed_by(&key, authority).unwrap();
    (Key::p256_pkcs8(&key.serialize_der()), vec![certificate.der().to_vec()])
}

pub(crate) fn sign(key: &Key, header: &NewHeader, claims: &Value) -> String {
    let unsigned = Unsigned::new(&header.encode(), claims).unwrap();
    let signature = key.sign_now(unsigned.signing_input());
    unsigned.finish(&signature)
}

pub(crate) fn with_head(mut members: Value) -> Value {
    let head = json!({"iss": REGISTRAR, "iat": NOW.0 - 60, "exp": NOW.0 + 3600, "reg_version": 7});
    for (name, value) in head.as_object().unwrap() {
        members.as_object_mut().unwrap().entry(name.clone()).or_insert(value.clone());
    }
    members
}

pub(crate) fn pension() -> Value {
    json!({"sub": PENSION, "version": 1, "rows": [
        {"from": "1880-01-01", "to": "1960-04-05", "years": 66, "months": 0, "overflow": "last_day"},
        {"from": "1960-04-06", "to": "2050-12-31", "years": 67, "months": 0, "overflow": "last_day"}]})
}

pub(crate) fn wards() -> Value {
    let row = |i: u32| json!({"code": format!("W{i}"), "index": i, "name": words("Larkfield ward")});
    json!({"sub": WARDS, "version": 1, "rows": (100..120).map(row).collect::<Vec<_>>()})
}

pub(crate) fn lists() -> CodeLists {
    let mut lists = CodeLists::default();
    lists.insert("https://larkfield.example/lists/county-wards/1", (90..130).map(|i| (format!("W{i}"), i)));
    lists
}

pub(crate) fn residency() -> CredentialType {
    CredentialType::from_json(&json!({
        "id": "residency", "vct": PLAIN, "name": words("Larkfield residency"), "ttl_days": 90,
        "attributes": [
            {"pointer": "/name", "column": "name", "kind": "text", "answer": ["show"], "label": words("your name")},
            {"pointer": "/birth_date", "column": "born", "kind": "date", "answer": ["prove"],
                "lo": "1880-01-01", "hi": "2050-12-31", "label": words("your date of birth")},
            {"pointer": "/ward", "column": "ward", "kind": "code", "answer": ["prove"], "lo": "0", "hi": "999",
                "codes": "https://larkfield.example/lists/county-wards/1", "label": words("your ward")},
        ]}))
    .unwrap()
}

pub(crate) fn policy() -> Value {
    json!({"id": "bus-pass", "version": 1, "purpose": PURPOSE, "subject": "same_person", "subject_binding": "same_device",
        "accept": [{"vct": PROOF, "iss": [ISSUER], "max_age_days": 30}, {"vct": PLAIN, "iss": [ISSUER], "max_age_days": 30}],
        "conditions": [
            {"id": "age", "pointer": "/birth_date", "op": "le", "rule": {"kind": "table", "id": PENSION, "version": 1}},
            {"id": "resident", "pointer": "/ward", "op": "in", "rule": {"kind": "codes", "id": WARDS, "version": 1}}],
        "other_route": words("Ask in a library.")})
}

/// The request's own encryption key.
pub(crate) struct ResponseKey(pub(crate) Agreement);

pub(crate) fn response_key() -> ResponseKey {
    ResponseKey(Agreement::new(&[5; 32]))
}

impl ResponseKey {
    pub(crate) fn named(&self) -> NamedJwk {
        use vouchsafe_protocol::jose::KeyAgreement as _;
        let (kid, alg) = (Some("tx-9".to_owned()), Some("ECDH-ES".to_owned()));
        NamedJwk { key: self.0.public().clone(), kid, usage: Some("enc".to_owned()), alg }
    }

    fn public_thumbprint(&self) -> [u8; 32] {
        self.named().key.thumbprint()
    }
}

/// `value` with what `pointer` leads to replaced, added or (by null) removed.
pub(crate) fn spoiled(value: &Value, pointer: &str, member: Value) -> Value {
    let mut value = value.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(members) if member.is_null() => drop(members.remove(name)),
        Value::Object(members) => drop(members.insert(name.to_owned(), member)),
        Value::Array(elements) if name == "-" => elements.push(member),
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = member,
        other => panic!("no place in {other}"),
    }
    value
}

pub(crate) type Extra = BTreeMap<String, Map<String, Value>>;
