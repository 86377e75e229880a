//! Issuer metadata (section 12.2); that of authorisation servers is [`ServerMetadata`].
//!
//! Unknown members are ignored. Three members are ours and unregistered: the registrar's entry for the issuer, the
//! signed lists of codes that its types use, and in a configuration the periods of its type.
//!
//! Security: metadata is only as good as the connection it came over, until the registrar's entry in it is
//! checked ([`IssuerMetadata::entry`]). A wallet does that before it collects anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::proof;
pub use super::server::ServerMetadata;
use crate::dcql::FORMAT;
use crate::jose::{Alg, Enc, NamedJwk};
use crate::json;
use crate::text::{Bilingual, Env};
use crate::trust::{Extract, IssuerEntry, Judge, Tables, TrustError};
use crate::types::{Answer, CredentialType, Period, is_proof};

/// The most bytes of metadata.
pub const MAX_METADATA: usize = 512 * 1024;

/// The name of the issuer's well-known document.
pub const ISSUER_WELL_KNOWN: &str = "openid-credential-issuer";

/// The name of the authorisation server's well-known document.
pub const SERVER_WELL_KNOWN: &str = "oauth-authorization-server";

/// The only key agreement that we encrypt with.
pub const KEY_ALG: &str = "ECDH-ES";

/// Issuer metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuerMetadata {
    /// The issuer identifier.
    pub credential_issuer: String,
    /// Its authorisation servers; itself where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Where credentials are collected.
    pub credential_endpoint: String,
    /// Where nonces are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce_endpoint: Option<String>,
    /// Where credentials that were put off are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred_credential_endpoint: Option<String>,
    /// Where the issuer is told what became of copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_endpoint: Option<String>,
    /// How requests are encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_request_encryption: Option<RequestEncryption>,
    /// How responses are encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_response_encryption: Option<ResponseEncryption>,
    /// Whether several copies come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_credential_issuance: Option<Batch>,
    /// What people call the issuer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Display>,
    /// What can be collected.
    pub credential_configurations_supported: BTreeMap<String, Configuration>,
    /// The registrar's entry, a JWS.
    #[serde(rename = "urn:vouchsafe:issuer:1", default, skip_serializing_if = "Option::is_none")]
    pub issuer_entry: Option<String>,
    /// The lists of codes that the types use, each a JWS.
    #[serde(rename = "urn:vouchsafe:tables:1", default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
}

/// Request encryption.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestEncryption {
    /// The issuer's keys, each with a `kid`.
    pub jwks: Jwks,
    /// Content encryption.
    pub enc_values_supported: Vec<String>,
    /// Compression, which is not used here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zip_values_supported: Vec<String>,
    /// Whether every request must be encrypted.
    pub encryption_required: bool,
}

/// A key set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Jwks {
    /// Its keys.
    pub keys: Vec<json::Value>,
}

/// Response encryption.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponseEncryption {
    /// Key agreement.
    pub alg_values_supported: Vec<String>,
    /// Content encryption.
    pub enc_values_supported: Vec<String>,
    /// Compression, which is not used here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zip_values_supported: Vec<String>,
    /// Whether every response is encrypted.
    pub encryption_required: bool,
}

/// Batches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// The most copies in one response.
    pub batch_size: u32,
}

/// A name in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Display {
    /// The name.
    pub name: String,
    /// Its language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// A picture. It is read and never fetched: whoever serves it would learn who looks at it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// Where it is.
    pub uri: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

/// One credential configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// The credential format.
    pub format: String,
    /// The type, for SD-JWT VC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vct: Option<String>,
    /// The OAuth scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How it is signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credential_signing_alg_values_supported: Vec<json::Value>,
    /// How it is bound to a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cryptographic_binding_methods_supported: Vec<String>,
    /// Which proofs of possession are taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proof_types_supported: BTreeMap<String, ProofType>,
    /// How it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_metadata: Option<CredentialMetadata>,
    /// What its facts are the total of, where the type has periods. Ours, unregistered.
    #[serde(rename = "urn:vouchsafe:period:1", default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Whether its copies are linked to their wallet's secret, which is asked for with them. Ours, unregistered.
    #[serde(rename = "urn:vouchsafe:link:1", default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
}

/// A proof type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProofType {
    /// The algorithms.
    pub proof_signing_alg_values_supported: Vec<String>,
    /// Whether keys must be attested; a wallet without attestation cannot collect then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_attestations_required: Option<json::Value>,
}

/// How a credential is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CredentialMetadata {
    /// Its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Display>,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimDescription>,
}

/// How a claim is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimDescription {
    /// Where it is.
    pub path: Vec<json::Value>,
    /// Whether every credential has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// Its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Display>,
}

/// Why metadata is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    /// A member is missing or of another type.
    #[error("the issuer's metadata is malformed")]
    Malformed,
    /// Members that went before 1.0.
    #[error("the issuer's metadata is of an older draft ({0}); only OpenID4VCI 1.0 is supported")]
    OlderDraft(&'static str),
    /// It is signed by nobody who may speak for the issuer.
    #[error("the issuer's signed metadata is of another type, or not signed by the issuer")]
    Signature,
    /// It is signed for another time.
    #[error("the issuer's signed metadata is not of this time")]
    Time,
    /// It speaks for somebody else.
    #[error("the metadata is not that of the issuer that was asked")]
    Issuer,
    /// An endpoint is not https.
    #[error("an endpoint of the issuer is not https")]
    Endpoint,
    /// The configuration is not there.
    #[error("the issuer does not describe what it offered")]
    UnknownConfiguration,
    /// Plain and proof configurations in one offer.
    #[error("the offer mixes plain and proof copies")]
    Mixed,
    /// The configuration needs what this wallet lacks.
    #[error(
        "this wallet cannot hold what is offered: it needs dc+sd-jwt bound to a jwk with ES256, without attestation"
    )]
    Unsupported,
    /// Proof copies without encryption, or a demand for encryption that this wallet does not have.
    #[error("the issuer's requests and responses cannot be encrypted as they must be")]
    NoEncryption,
    /// No entry of the registrar.
    #[error("the issuer shows no entry of the trust register")]
    NoEntry,
    /// The entry is refused.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The entry is for another issuer.
    #[error("the trust register's entry is for another issuer")]
    OtherEntry,
    /// Test and live mixed.
    #[error("the issuer is of another environment (test or live) than this wallet")]
    Env,
    /// The issuer may not issue this type.
    #[error("the trust register does not let this issuer issue this type")]
    Type,
    /// The authorisation server does not take pre-authorised codes.
    #[error("the authorisation server does not take pre-authorised codes without a client id")]
    Grant,
}

impl Display {
    /// Both languages of a text.
    #[must_use]
    pub fn of(text: &Bilingual) -> Vec<Self> {
        let in_language = |name: &str, locale: &str| Self {
            name: name.to_owned(),
            locale: Some(locale.to_owned()),
            logo: None,
        };
        vec![in_language(&text.en, "en"), in_language(&text.cy, "cy")]
    }
}

impl RequestEncryption {
    /// An offer of both content encryptions under one key, encryption left to the configuration.
    #[must_use]
    pub fn with(key: &NamedJwk) -> Self {
        let enc_values_supported = Enc::ALL.iter().map(|enc| enc.as_str().to_owned()).collect();
        let jwks = Jwks { keys: vec![key.to_value()] };
        Self { jwks, enc_values_supported, zip_values_supported: Vec::new(), encryption_required: false }
    }

    /// The first key that we can encrypt to, and the strongest content encryption; others are ignored.
    #[must_use]
    pub fn choose(&self) -> Option<(NamedJwk, Enc)> {
        let key = self.jwks.keys.iter().find_map(usable_key)?;
        Some((key, strongest(&self.enc_values_supported)?))
    }
}

impl ResponseEncryption {
    /// Both content encryptions, encryption left to the configuration.
    #[must_use]
    pub fn offered() -> Self {
        let enc_values_supported = Enc::ALL.iter().map(|enc| enc.as_str().to_owned()).collect();
        Self {
            alg_values_supported: vec![KEY_ALG.to_owned()],
            enc_values_supported,
            zip_values_supported: Vec::new(),
            encryption_required: false,
        }
    }

    /// The strongest content encryption that both sides know.
    #[must_use]
    pub fn choose(&self) -> Option<Enc> {
        self.alg_values_supported
            .iter()
            .any(|alg| alg == KEY_ALG)
            .then(|| strongest(&self.enc_values_supported))
            .flatten()
    }
}

/// A P-256 key for ECDH-ES with a `kid`, not meant for signatures.
pub(crate) fn usable_key(jwk: &json::Value) -> Option<NamedJwk> {
    let key = NamedJwk::from_value(jwk).ok()?;
    let usable = key.alg.as_deref() == Some(KEY_ALG)
        && key.kid.is_some()
        && key.usage.as_deref().is_none_or(|u| u == "enc");
    (usable && key.key.alg() == Alg::Es256).then_some(key)
}

pub(crate) fn strongest(offered: &[String]) -> Option<Enc> {
    Enc::ALL.into_iter().find(|enc| offered.iter().any(|name| name == enc.as_str()))
}

impl Configuration {
    /// The plain copies of a type.
    #[must_use]
    pub fn plain(of: &CredentialType) -> Self {
        Self::of(of, of.id.clone(), of.vct.clone())
    }

    /// The proof copies of a type.
    #[must_use]
    pub fn proof(of: &CredentialType) -> Self {
        Self::of(of, of.proof_configuration(), of.proof_vct())
    }

    fn of(described: &CredentialType, scope: String, vct: String) -> Self {
        let alg = || Alg::Es256.as_str().to_owned();
        let jwt =
            ProofType { proof_signing_alg_values_supported: vec![alg()], key_attestations_required: None };
        // Proof copies also say something about what they never show; the wallet needs its name for the review.
        let proof = is_proof(&vct);
        let told = described.attributes.iter().filter(|attribute| proof || attribute.may(Answer::Show));
        let claims = told.map(|attribute| ClaimDescription {
            path: vec![attribute.claim().into()],
            mandatory: false,
            display: Display::of(&attribute.label),
        });
        Self {
            format: FORMAT.to_owned(),
            vct: Some(vct),
            scope: Some(scope),
            credential_signing_alg_values_supported: vec![alg().into()],
            cryptographic_binding_methods_supported: vec!["jwk".to_owned()],
            proof_types_supported: BTreeMap::from([("jwt".to_owned(), jwt)]),
            credential_metadata: Some(CredentialMetadata {
                display: Display::of(&described.name),
                claims: claims.collect(),
            }),
            period: described.period,
            link: proof && described.link,
        }
    }

    /// Whether its copies carry commitments.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        self.vct.as_deref().is_some_and(is_proof)
    }

    fn is_supported(&self) -> bool {
        let es256 = |alg: &String| alg == proof::ALGORITHMS[0].as_str();
        let jwt = self.proof_types_supported.get("jwt");
        let proof = jwt.is_some_and(|t| {
            t.key_attestations_required.is_none() && t.proof_signing_alg_values_supported.iter().any(es256)
        });
        let bound = self.cryptographic_binding_methods_supported.iter().any(|method| method == "jwk");
        self.format == FORMAT && self.vct.is_some() && bound && proof
    }
}

impl IssuerMetadata {
    /// Reads the metadata of `issuer`.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn parse(text: &[u8], issuer: &str) -> Result<Self, MetadataError> {
        let value = json::parse(text, MAX_METADATA).map_err(|_| MetadataError::Malformed)?;
        older_draft(&value)?;
        let metadata: Self = json::of_value(value).map_err(|_| MetadataError::Malformed)?;
        // 12.2.3: byte for byte, or another issuer could speak for this one.
        if !(mutants::skips("vci-metadata-issuer") || metadata.credential_issuer == issuer) {
            return Err(MetadataError::Issuer);
        }
        let endpoints = [
            Some(&metadata.credential_endpoint),
            metadata.nonce_endpoint.as_ref(),
            metadata.deferred_credential_endpoint.as_ref(),
            metadata.notification_endpoint.as_ref(),
        ];
        let https = endpoints.into_iter().flatten().all(|endpoint| endpoint.starts_with("https://"));
        if !(mutants::skips("vci-metadata-endpoint") || https) {
            return Err(MetadataError::Endpoint);
        }
        // 12.2.4: a batch of one is said by leaving the member out.
        let batch = metadata.batch_credential_issuance.as_ref().is_none_or(|batch| batch.batch_size >= 2);
        if !(mutants::skips("vci-metadata-batch") || batch) {
            return Err(MetadataError::Malformed);
        }
        Ok(metadata)
    }

    /// Whether this wallet can encrypt what must be encrypted.
    fn can_be_served(&self) -> bool {
        let request = self.credential_request_encryption.as_ref().is_some_and(|one| one.encryption_required);
        let response =
            self.credential_response_encryption.as_ref().is_some_and(|one| one.encryption_required);
        !(request || response) || self.encrypts()
    }

    /// The configurations of an offer, if this wallet can hold them: all plain, or all proof and encrypted.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn offered<'a>(&'a self, ids: &[String]) -> Result<Vec<&'a Configuration>, MetadataError> {
        let find = |id: &String| {
            self.credential_configurations_supported.get(id).ok_or(MetadataError::UnknownConfiguration)
        };
        let found: Vec<_> = ids.iter().map(find).collect::<Result<_, _>>()?;
        let proofs = found.iter().filter(|configuration| configuration.is_proof()).count();
        if !(mutants::skips("vci-offer-mixed") || proofs == 0 || proofs == found.len()) {
            return Err(MetadataError::Mixed);
        }
        if !(mutants::skips("vci-configuration")
            || found.iter().all(|configuration| configuration.is_supported()))
        {
            return Err(MetadataError::Unsupported);
        }
        if !(mutants::skips("vci-offer-encryption") || proofs == 0 || self.encrypts()) {
            return Err(MetadataError::NoEncryption);
        }
        if !(mutants::skips("vci-offer-encryption-required") || self.can_be_served()) {
            return Err(MetadataError::NoEncryption);
        }
        Ok(found)
    }

    fn encrypts(&self) -> bool {
        let request = self.credential_request_encryption.as_ref().and_then(RequestEncryption::choose);
        let response = self.credential_response_encryption.as_ref().and_then(ResponseEncryption::choose);
        request.is_some() && response.is_some()
    }

    /// The registrar's entry for this issuer, which must allow each of `vcts` in `env`.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn entry(
        &self,
        judge: &Judge<'_>,
        env: Env,
        vcts: &[&str],
    ) -> Result<Extract<IssuerEntry>, MetadataError> {
        let jws = self.issuer_entry.as_deref().ok_or(MetadataError::NoEntry)?;
        let entry = judge.verify::<IssuerEntry>(jws)?;
        let document = entry.document();
        if !(mutants::skips("vci-entry-issuer") || document.sub == self.credential_issuer) {
            return Err(MetadataError::OtherEntry);
        }
        if !(mutants::skips("vci-entry-env") || document.env == env) {
            return Err(MetadataError::Env);
        }
        let allowed = vcts.iter().all(|vct| document.types.iter().any(|known| known == vct));
        if !(mutants::skips("vci-entry-type") || allowed) {
            return Err(MetadataError::Type);
        }
        Ok(entry)
    }

    /// The lists of codes in the metadata, each checked.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn tables(&self, judge: &Judge<'_>) -> Result<Tables, TrustError> {
        let mut tables = Tables::default();
        for jws in &self.tables {
            tables.insert(&judge.verify(jws)?);
        }
        Ok(tables)
    }

    /// The authorisation server to use: that of the offer if the metadata lists it, else the first, else the
    /// issuer itself.
    ///
    /// # Errors
    /// [`MetadataError::Issuer`] where the offer names another.
    pub fn authorization_server(&self, offered: Option<&str>) -> Result<&str, MetadataError> {
        let own = std::slice::from_ref(&self.credential_issuer);
        let servers = if self.authorization_servers.is_empty() { own } else { &self.authorization_servers };
        let found = servers.iter().find(|server| offered.is_none_or(|wanted| wanted == server.as_str()));
        found.map(String::as_str).ok_or(MetadataError::Issuer)
    }
}

/// Members that went before 1.0.
fn older_draft(value: &json::Value) -> Result<(), MetadataError> {
    const GONE: [&str; 3] = ["credentials_supported", "batch_credential_endpoint", "authorization_server"];
    if let Some(name) = GONE.into_iter().find(|name| value.get(name).is_some()) {
        return Err(MetadataError::OlderDraft(name));
    }
    let configurations = value.get("credential_configurations_supported").and_then(json::Value::as_object);
    let by_name = |one: &json::Value| one.get("claims").is_some_and(json::Value::is_object);
    if configurations.is_some_and(|all| all.values().any(by_name)) {
        return Err(MetadataError::OlderDraft("claims"));
    }
    Ok(())
}
