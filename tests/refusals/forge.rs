//! Presentations made by hand, part by part, so that every part can be spoiled before the next covers it.
//!
//! [`Credential`] → [`Token`] (the issuer has signed) → [`Binding`] (the holder has not) → the text. None of it
//! runs through the code that makes honest presentations: a forger would not either.

pub(crate) mod certificate;
pub(crate) mod list;
pub(crate) mod paper;
pub(crate) mod proof;
pub(crate) mod prover;

use serde_json::{Map, Value, json};
use vouchsafe_protocol::encoding::{b64, b64u, sha256};
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::entropy::{OsEntropy, bytes};
use vouchsafe_service::keys::SigningKey;

use crate::world::{ISS, NOON, VCT};

/// How a part is written: as JSON, or as JSON with something done to the text.
pub(crate) type Write = fn(String) -> String;

fn as_it_is(text: String) -> String {
    text
}

/// A credential before its issuer signs it.
pub(crate) struct Credential {
    pub(crate) header: Value,
    pub(crate) payload: Value,
    /// The Disclosures as they are sent.
    pub(crate) disclosures: Vec<String>,
    pub(crate) key: SigningKey,
    pub(crate) holder: SigningKey,
    pub(crate) write_header: Write,
    pub(crate) write_payload: Write,
}

impl Credential {
    /// An honest plain copy: born 1950-01-01, ward W100, both through Disclosures.
    pub(crate) fn plain(ca: &DevCa) -> Self {
        let mut copy = Self::bare(ca, VCT);
        copy.hide("birth_date", json!("1950-01-01"));
        copy.hide("ward", json!("W100"));
        copy
    }

    /// A copy of `vct` that says nothing yet.
    pub(crate) fn bare(ca: &DevCa, vct: &str) -> Self {
        let (key, holder) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let today = NOON.day_start();
        let payload = json!({
            "iss": ISS, "vct": vct, "iat": today.0, "exp": today.plus(30 * DAY).0, "facts_as_of": "2026-11-20",
            "cnf": {"jwk": holder.public().to_value()}, "_sd_alg": "sha-256",
        });
        let mut copy = Self {
            header: json!({"alg": "ES256", "typ": "dc+sd-jwt"}),
            payload,
            disclosures: Vec::new(),
            key,
            holder,
            write_header: as_it_is,
            write_payload: as_it_is,
        };
        let leaf = ca.signer(ISS, copy.key.clone(), NOON).unwrap();
        copy.certify(&[leaf.certificate.to_vec()]);
        copy
    }

    /// Carries this certificate path.
    pub(crate) fn certify(&mut self, chain: &[Vec<u8>]) {
        self.header["x5c"] = chain.iter().map(b64).collect();
    }

    /// Takes the place of `iss`, with a certificate that names it.
    pub(crate) fn issued_by(&mut self, iss: &str, ca: &DevCa) {
        let leaf = ca.signer(iss, self.key.clone(), NOON).unwrap();
        self.certify(&[leaf.certificate.to_vec()]);
        self.payload["iss"] = json!(iss);
    }

    /// Conceals a top-level claim.
    pub(crate) fn hide(&mut self, name: &str, value: Value) {
        let digest = self.disclose(&json!([salt(), name, value]));
        self.add_digest(json!(digest));
    }

    /// Adds a Disclosure and gives its digest.
    pub(crate) fn disclose(&mut self, parts: &Value) -> String {
        let text = b64u(parts.to_string());
        let digest = b64u(sha256(&text));
        self.disclosures.push(text);
        digest
    }

    /// Adds what stands for a digest to the payload's own list.
    pub(crate) fn add_digest(&mut self, digest: Value) {
        let payload = self.payload.as_object_mut().unwrap();
        payload.entry("_sd").or_insert_with(|| json!([])).as_array_mut().unwrap().push(digest);
    }

    /// Conceals an always visible claim.
    pub(crate) fn hide_visible(&mut self, name: &str) {
        let value = self.payload.as_object_mut().unwrap().remove(name).unwrap();
        self.hide(name, value);
    }

    /// The issuer signs.
    pub(crate) fn sign(self) -> Token {
        let header = (self.write_header)(self.header.to_string());
        let payload = (self.write_payload)(self.payload.to_string());
        let jwt = sign(&header, &payload, &self.key);
        Token { jwt, disclosures: self.disclosures, issuer: self.key, holder: self.holder }
    }
}

/// A credential that its issuer signed, with the Disclosures that will be sent.
pub(crate) struct Token {
    pub(crate) jwt: String,
    pub(crate) disclosures: Vec<String>,
    pub(crate) issuer: SigningKey,
    pub(crate) holder: SigningKey,
}

impl Token {
    /// Everything up to and including the last tilde.
    pub(crate) fn covered(&self) -> String {
        std::iter::once(&self.jwt)
            .chain(&self.disclosures)
            .fold(String::new(), |text, part| text + part + "~")
    }

    /// Changes one of the three parts of the signed token without signing it again.
    pub(crate) fn alter(&mut self, part: usize, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        self.jwt = altered(&self.jwt, part, change);
    }

    /// The key binding, not yet signed.
    pub(crate) fn bind(&self, aud: &str, nonce: &str, extra: Map<String, Value>) -> Binding {
        let mut claims = Value::Object(extra);
        claims["iat"] = json!(NOON.0);
        claims["aud"] = json!(aud);
        claims["nonce"] = json!(nonce);
        claims["sd_hash"] = json!(b64u(sha256(self.covered())));
        Binding {
            header: json!({"alg": "ES256", "typ": "kb+jwt"}),
            claims,
            key: self.holder.clone(),
            write_header: as_it_is,
            write_claims: as_it_is,
        }
    }
}

/// A key binding before its holder signs it.
pub(crate) struct Binding {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) key: SigningKey,
    pub(crate) write_header: Write,
    pub(crate) write_claims: Write,
}

impl Binding {
    /// The holder signs.
    pub(crate) fn sign(self) -> String {
        let header = (self.write_header)(self.header.to_string());
        let claims = (self.write_claims)(self.claims.to_string());
        sign(&header, &claims, &self.key)
    }
}

/// A compact signature over any two texts.
pub(crate) fn sign(header: &str, payload: &str, key: &SigningKey) -> String {
    let input = format!("{}.{}", b64u(header), b64u(payload));
    let signature = key.sign_now(input.as_bytes()).unwrap();
    format!("{input}.{}", b64u(signature))
}

/// A compact signature with one of its parts decoded, changed and encoded again.
pub(crate) fn altered(jwt: &str, part: usize, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let mut parts: Vec<_> = jwt.split('.').map(str::to_owned).collect();
    let bytes = vouchsafe_protocol::encoding::b64u_decode(&parts[part]).unwrap();
    parts[part] = b64u(change(bytes));
    parts.join(".")
}

/// A salt as an issuer draws it.
pub(crate) fn salt() -> String {
    b64u(bytes::<16>(&OsEntropy::new()))
}

/// The public half of a key as a JWK.
pub(crate) fn public(key: &SigningKey) -> Value {
    key.public().to_value()
}

/// An ES256 signature in the DER form of X9.62, which JOSE does not use.
pub(crate) fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| [&[2, 33, 0], half].concat();
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [vec![0x30, both.len().try_into().unwrap()], both].concat()
}
