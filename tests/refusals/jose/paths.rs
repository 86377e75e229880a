//! Services whose certificates lead to the world's authority, or almost.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::keys::{Jws, SigningKey};

use crate::forge::certificate::{AUTHORITY, issue, leaf, named, self_signed, valid};
use crate::world::{BUSES, NOON, World};

/// Everybody by the name that rows give them. `under-X` has a certificate that `X` signed.
pub(crate) fn parties(world: &World) -> Vec<(&'static str, Leaf)> {
    let mut all = leaves(&world.ca);
    for (name, below, middle) in middles(&world.ca) {
        all.push((below, made(&service(), |params, key| under(params, key, &middle))));
        all.push((name, middle.leaf()));
    }
    all
}

/// An honest certificate of the service, to be changed.
fn service() -> CertificateParams {
    let mut params = leaf();
    let host = SanType::DnsName("ask.larkfield.example".try_into().unwrap());
    params.subject_alt_names = vec![SanType::URI(BUSES.try_into().unwrap()), host];
    params
}

fn made(params: &CertificateParams, sign: impl FnOnce(&CertificateParams, &SigningKey) -> Vec<u8>) -> Leaf {
    let key = SigningKey::generate().unwrap();
    Leaf { certificate: sign(params, &key).into(), key }
}

/// Directly under the authority.
fn leaves(ca: &DevCa) -> Vec<(&'static str, Leaf)> {
    let namesake = DevCa::generate(AUTHORITY, NOON).unwrap();
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = service();
        change(&mut params);
        made(&params, |params, key| issue(params, key, ca))
    };
    vec![
        ("agreement", changed(|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement])),
        ("without-usage", changed(|p| p.key_usages = Vec::new())),
        ("for-lists", changed(|p| p.key_usages = vec![KeyUsagePurpose::CrlSign])),
        ("future", changed(|p| valid(p, NOON.plus(DAY), NOON.plus(3 * DAY)))),
        ("yesterday", changed(|p| valid(p, NOON.minus(3 * DAY), NOON.minus(1)))),
        ("self-issued", changed(|p| p.distinguished_name = named(AUTHORITY))),
        ("authority", changed(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
        ("demanding", changed(demand)),
        ("namesake", made(&service(), |params, key| issue(params, key, &namesake))),
        ("of-itself", made(&service(), self_signed)),
        ("damaged", made(&service(), |params, key| damaged(issue(params, key, ca)))),
    ]
}

/// An extension that nobody knows, and that must be understood.
fn demand(params: &mut CertificateParams) {
    let mut demand = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 2], vec![5, 0]);
    demand.set_criticality(true);
    params.custom_extensions = vec![demand];
}

/// Changed after it was signed.
fn damaged(mut certificate: Vec<u8>) -> Vec<u8> {
    *certificate.last_mut().unwrap() ^= 1;
    certificate
}

/// An authority between the world's and the service.
struct Middle {
    params: CertificateParams,
    key: SigningKey,
    certificate: Vec<u8>,
}

impl Middle {
    /// Under the world's authority.
    fn new(ca: &DevCa, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::made(name, change, |params, key| issue(params, key, ca))
    }

    fn made(
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
        sign: impl FnOnce(&CertificateParams, &SigningKey) -> Vec<u8>,
    ) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        valid(&mut params, NOON.minus(30 * DAY), NOON.plus(30 * DAY));
        change(&mut params);
        let key = SigningKey::generate().unwrap();
        Self { certificate: sign(&params, &key), params, key }
    }

    fn leaf(&self) -> Leaf {
        Leaf { certificate: self.certificate.clone().into(), key: self.key.clone() }
    }
}

fn under(params: &CertificateParams, key: &SigningKey, middle: &Middle) -> Vec<u8> {
    let pair = |key: &SigningKey| {
        KeyPair::from_pkcs8_pem_and_sign_algo(&key.to_pkcs8_pem(), &PKCS_ECDSA_P256_SHA256).unwrap()
    };
    let issuer = Issuer::from_params(&middle.params, pair(&middle.key));
    params.signed_by(&pair(key), &issuer).unwrap().der().to_vec()
}

fn middles(ca: &DevCa) -> [(&'static str, &'static str, Middle); 8] {
    let shallow = Middle::new(ca, "shallow", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let deep = Middle::made("deep", |_| (), |params, key| under(params, key, &shallow));
    [
        ("middle", "under-middle", Middle::new(ca, "middle", |_| ())),
        ("no-authority", "under-no-authority", Middle::new(ca, "none", |p| p.is_ca = IsCa::ExplicitNoCa)),
        ("unmarked", "under-unmarked", Middle::new(ca, "unmarked", |p| p.is_ca = IsCa::NoCa)),
        (
            "no-certificates",
            "under-no-certificates",
            Middle::new(ca, "no certificates", |p| p.key_usages = vec![KeyUsagePurpose::CrlSign]),
        ),
        (
            "late",
            "under-late",
            Middle::new(ca, "late", |p| valid(p, NOON.minus(30 * DAY), NOON.minus(DAY / 2))),
        ),
        (
            "for-another-name",
            "under-for-another-name",
            Middle::new(ca, "for another name", |p| p.name_constraints = Some(another_name())),
        ),
        ("deep", "under-deep", deep),
        ("shallow", "under-shallow", shallow),
    ]
}

/// For hosts of another service alone.
fn another_name() -> NameConstraints {
    let permitted = vec![GeneralSubtree::DnsName("pool.larkfield.example".to_owned())];
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_over_an_authority_between_is_accepted() {
    let world = World::new().await;
    let middle = Middle::new(&world.ca, "middle", |_| ());
    let leaf = made(&service(), |params, key| under(params, key, &middle));
    let path = [leaf.certificate.to_vec(), middle.certificate];
    let anchors = [Anchor::from_der(world.ca.certificate().to_vec()).unwrap()];
    let found = validate(&path, &anchors, NOON, &Jws).unwrap();
    assert_eq!(found.key(), leaf.key.public());
}
