//! The district's keys and certificates, made once and kept.
//!
//! Two authorities: one for the listeners' TLS, one as the anchor of issuers and services. The registrar's key is
//! apart from both. Every signing key has one role.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use vouchsafe_protocol::encoding::{b64, b64u};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::{self, OsEntropy};
use vouchsafe_service::keys::{Ed25519Key, SigningKey};
use vouchsafe_service::secret::ServerKey;

use super::files::Folder;
use super::{Addresses, BUSES, PAYERS};
use crate::exit::Failure;

/// Every authority made here says what it is: `serve` refuses what it vouches for.
const DEVELOPMENT: &str = "(development)";
const TLS_CA: &str = "Larkfield listeners (development)";
const ANCHOR: &str = "Larkfield anchor (development)";

/// The folders of the bodies that sign.
const BODIES: [&str; 4] = ["issuer", "bureau", PAYERS[0], PAYERS[1]];

/// What the rest of the set-up needs of the keys.
pub(super) struct Keys {
    pub(super) registrar: SigningKey,
    /// The anchor of issuers and services, DER.
    pub(super) anchor: Vec<u8>,
    /// The certificate by which requests are signed, DER.
    pub(super) request_leaf: Vec<u8>,
}

/// Makes what the listeners lack. `today` is the system's day: it is the system's clock that judges TLS.
pub(super) fn listeners(folder: &Folder, today: UnixTime) -> Result<(), Failure> {
    let authority = authority(folder, "tls-ca", TLS_CA, today)?;
    let mut programs = BODIES.into_iter().chain(["verifier"]);
    programs.try_for_each(|program| server(folder, &authority, program, today))
}

/// Makes what else is missing in `folder`.
pub(super) fn prepare(folder: &Folder, at: &Addresses, now: UnixTime) -> Result<Keys, Failure> {
    let anchor = authority(folder, "anchor", ANCHOR, now)?;
    BODIES.into_iter().chain(["verifier"]).try_for_each(|program| server_key(folder, program))?;
    let [one, two] = at.payer_origins();
    for (body, origin) in BODIES.into_iter().zip([at.issuer_origin(), at.bureau_origin(), one, two]) {
        signer(folder, &anchor, &format!("{body}/keys/signing"), &origin, now)?;
    }
    let request_leaf = signer(folder, &anchor, "verifier/keys/request", BUSES, now)?;
    key(folder, "verifier/keys/decision.pem")?;
    key(folder, "verifier/keys/record.pem")?;
    log_key(folder, "verifier/keys/log.pem")?;
    test_key(folder, "client/test.key")?;
    test_key(folder, "client/schools.key")?;
    client_key(folder)?;
    let registrar = key(folder, "registrar.pem")?;
    folder.write("trust.json", &trust_file(&registrar, anchor.certificate()))?;
    Ok(Keys { registrar, anchor: anchor.certificate().to_vec(), request_leaf })
}

/// The authority kept under `name`, or a fresh one.
fn authority(folder: &Folder, name: &str, title: &str, now: UnixTime) -> Result<DevCa, Failure> {
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
    if let (Some(certificate), Some(key)) = (folder.read(&certificate), folder.read(&key)) {
        return DevCa::from_pem(title, &certificate, &key).map_err(Failure::usage);
    }
    let made = DevCa::generate(title, now).map_err(Failure::unavailable)?;
    folder.write(&certificate, &made.certificate_pem())?;
    folder.write_secret(&key, &made.key_pem())?;
    Ok(made)
}

fn server(folder: &Folder, ca: &DevCa, program: &str, now: UnixTime) -> Result<(), Failure> {
    let (chain, key) = (format!("{program}/keys/tls-chain.pem"), format!("{program}/keys/tls.pem"));
    if folder.read(&chain).is_some() && folder.read(&key).is_some() {
        return Ok(());
    }
    let leaf = ca.server(&["localhost", "127.0.0.1"], now).map_err(Failure::unavailable)?;
    folder.write_secret(&key, &leaf.key.to_pkcs8_pem())?;
    folder.write(&chain, &leaf.certificate_pem())
}

/// A signing key with a certificate in the name of `uri`; gives the certificate, DER. A new name gets a new one.
fn signer(folder: &Folder, ca: &DevCa, name: &str, uri: &str, now: UnixTime) -> Result<Vec<u8>, Failure> {
    let (chain, named) = (format!("{name}-chain.pem"), format!("{name}.uri"));
    let kept = folder.read(&chain).filter(|_| folder.read(&named).as_deref() == Some(uri));
    if let Some(kept) = kept {
        let leaf = CertificateDer::from_pem_slice(kept.as_bytes()).map_err(Failure::usage)?;
        return Ok(leaf.to_vec());
    }
    let key = key(folder, &format!("{name}.pem"))?;
    let leaf: Leaf = ca.signer(uri, key, now).map_err(Failure::unavailable)?;
    folder.write(&chain, &leaf.certificate_pem())?;
    folder.write(&named, uri)?;
    Ok(leaf.certificate.to_vec())
}

/// The key kept under `name`, or a fresh one.
fn key(folder: &Folder, name: &str) -> Result<SigningKey, Failure> {
    if let Some(kept) = folder.read(name) {
        return SigningKey::from_pkcs8_pem(&kept).map_err(Failure::usage);
    }
    let made = SigningKey::generate().map_err(Failure::unavailable)?;
    folder.write_secret(name, &made.to_pkcs8_pem())?;
    Ok(made)
}

fn log_key(folder: &Folder, name: &str) -> Result<(), Failure> {
    if folder.read(name).is_some() {
        return Ok(());
    }
    folder.write_secret(name, &Ed25519Key::generate().map_err(Failure::unavailable)?.to_pkcs8_pem())
}

fn server_key(folder: &Folder, program: &str) -> Result<(), Failure> {
    let name = format!("{program}/keys/server.key");
    if folder.read(&name).is_some() {
        return Ok(());
    }
    folder.write_secret(&name, &ServerKey::generate(&OsEntropy::new()).to_text())
}

fn test_key(folder: &Folder, name: &str) -> Result<(), Failure> {
    if folder.read(name).is_some() {
        return Ok(());
    }
    folder.write_secret(name, &format!("test_{}", entropy::token32(&OsEntropy::new())))
}

/// The key by which the operator's system signs its assertions, and what the verifier knows it by.
fn client_key(folder: &Folder) -> Result<(), Failure> {
    let key = key(folder, "client/private.pem")?;
    let mut public = key.public().to_value();
    public["kid"] = json!(b64u(key.public().thumbprint()));
    folder.write("client/jwks.json", &json!({ "keys": [public] }).to_string())
}

/// Whether a PEM chain was issued by an authority that was made here.
pub(crate) fn is_development(pem: &[u8]) -> bool {
    let chain = CertificateDer::pem_slice_iter(pem).flatten();
    chain.into_iter().any(|der| der.windows(DEVELOPMENT.len()).any(|part| part == DEVELOPMENT.as_bytes()))
}

fn trust_file(registrar: &SigningKey, anchor: &CertificateDer<'_>) -> String {
    let mut key = serde_json::to_value(registrar.public()).expect("a public key has string members");
    key["kid"] = json!(b64u(registrar.public().thumbprint()));
    json!({
        "iss": "https://registrar.larkfield.example",
        "jwks": { "keys": [key] },
        "anchors": [b64(anchor)],
    })
    .to_string()
}
