//! Signed request objects: made by a service, verified by a wallet (sections 5 and 5.8, RFC 9101).
//!
//! The service fills in a [`Draft`]; the wallet takes [`Unverified`] through one ordered list of checks to
//! [`Verified`], from which a review is rendered. A request is answered only when the registrar vouches for the
//! service and its purpose, and when it asks for what its policy says and no more.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vouchsafe_proofs::context::ReplyTo;

use super::client_id::Prefix;
use super::client_metadata::ClientMetadata;
use super::published::MAX_OFFERED;
use super::transaction_data::{Entry, TransactionDataError};
use super::{AUDIENCE, Asked, Party, ResponseKey, ResponseMode};
use crate::dcql::DcqlError;
use crate::jose::jws::{NewHeader, Unsigned};
use crate::jose::x5c::X5cError;
use crate::jose::{Alg, NamedJwk};
use crate::policy::{AskedPseudonym, ContextOption, NotCovered, PlanError};
use crate::time::UnixTime;
use crate::trust::{Extract, Purpose, ServiceEntry, TrustError};

pub use super::plain::{PlainAsked, Question};
pub use super::verify::{Expected, Given, Unverified};

/// The `typ` of a request object.
pub const TYP: &str = "oauth-authz-req+jwt";

/// The most bytes of a request object.
pub const MAX_REQUEST: usize = 512 * 1024;

/// The formats of `verifier_info`, in the order in which they are sent.
pub(super) const SERVICE: &str = "urn:vouchsafe:service:1";
pub(super) const PURPOSE: &str = "urn:vouchsafe:purpose:1";
pub(super) const TABLE: &str = "urn:vouchsafe:table:1";
pub(super) const POLICY: &str = "urn:vouchsafe:policy:1";
pub(super) const CONTEXT: &str = "urn:vouchsafe:context:1";

/// One element of `verifier_info`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Info {
    pub(super) format: String,
    pub(super) data: Value,
}

/// The day, the digest of the policy, and what each option means. Closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextInfo {
    #[serde(with = "crate::text::civil")]
    pub(super) as_of: Date,
    pub(super) policy_digest: String,
    pub(super) options: Vec<ContextOption>,
    /// What the answer is known by; the wallet knows from the request itself whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pseudonym: Option<AskedPseudonym>,
}

/// The claims that are read and written; others are ignored, but for those that are refused. Not shown: nonces,
/// state and addresses are in them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) aud: String,
    pub(super) client_id: String,
    pub(super) response_type: String,
    pub(super) response_mode: ResponseMode,
    pub(super) response_uri: String,
    pub(super) nonce: String,
    pub(super) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wallet_nonce: Option<String>,
    pub(super) iat: UnixTime,
    pub(super) exp: UnixTime,
    pub(super) client_metadata: ClientMetadata,
    pub(super) dcql_query: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transaction_data: Option<Value>,
    /// Absent is empty: what is missing then is what the register says, not a member of the object.
    #[serde(default)]
    pub(super) verifier_info: Vec<Info>,
}

/// A request object in the making.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// What is asked, as the verifier records it.
    pub asked: &'a Asked,
    /// The state, whose hash the record holds.
    pub state: &'a str,
    /// How the answer is sent.
    pub mode: ResponseMode,
    /// The request's own encryption key, with `kid`, `alg` and `use`; needed for `direct_post.jwt`.
    pub encryption_key: Option<&'a NamedJwk>,
    /// The registrar's entry of the service.
    pub service: &'a Extract<ServiceEntry>,
    /// The registrar's entry of the purpose.
    pub purpose: &'a Extract<Purpose>,
    /// The wallet's nonce, where the object is fetched by POST.
    pub wallet_nonce: Option<&'a str>,
    /// Now; its London date is the day of asking.
    pub iat: UnixTime,
    /// When the request ends.
    pub exp: UnixTime,
}

impl Draft<'_> {
    /// The bytes to sign with the key of the certificate `x5c[0]`.
    #[must_use]
    pub fn unsigned(&self, alg: Alg, x5c: &[Vec<u8>]) -> Unsigned {
        let header = NewHeader::new(alg, TYP).x5c(x5c).encode();
        Unsigned::new(&header, &self.claims()).expect("the claims are strings, integers and objects")
    }

    fn claims(&self) -> Claims {
        let party = self.asked.party();
        Claims {
            aud: AUDIENCE.to_owned(),
            client_id: party.client_id.clone(),
            response_type: "vp_token".to_owned(),
            response_mode: self.mode,
            response_uri: response_uri(party).to_owned(),
            nonce: party.nonce.clone(),
            state: self.state.to_owned(),
            wallet_nonce: self.wallet_nonce.map(str::to_owned),
            iat: self.iat,
            exp: self.exp,
            client_metadata: ClientMetadata::new(self.encryption_key),
            dcql_query: serde_json::to_value(&self.asked.plan().query)
                .expect("a query is strings and integers"),
            transaction_data: transaction_data(self.asked),
            verifier_info: verifier_info(self.asked, self.service, self.purpose),
        }
    }
}

/// Where a posted answer goes; nowhere for a request of a page, whose answer the browser takes back.
fn response_uri(party: &Party) -> &str {
    match &party.reply_to {
        ReplyTo::ResponseUri(uri) => uri,
        ReplyTo::Origin(_) => "",
    }
}

/// The entries as they are sent; none where there are none.
pub(super) fn transaction_data(asked: &Asked) -> Option<Value> {
    let texts: Vec<&str> = asked.transaction_data().iter().map(Entry::text).collect();
    (!texts.is_empty()).then(|| texts.into())
}

/// What a request carries about itself.
pub(super) fn verifier_info(
    asked: &Asked,
    service: &Extract<ServiceEntry>,
    purpose: &Extract<Purpose>,
) -> Vec<Info> {
    let info = |format: &str, data: Value| Info { format: format.to_owned(), data };
    let context = ContextInfo {
        as_of: asked.as_of(),
        policy_digest: asked.policy().digest_text(),
        options: asked.options().to_vec(),
        pseudonym: asked.plan().pseudonym.clone(),
    };
    let mut all = vec![info(SERVICE, service.jws().into()), info(PURPOSE, purpose.jws().into())];
    all.extend(asked.tables_to_send().map(|table| info(TABLE, table.jws().into())));
    all.push(info(POLICY, asked.policy().value().clone()));
    all.push(info(CONTEXT, serde_json::to_value(context).expect("the context is strings")));
    all
}

/// A request that a wallet may show and answer: one by a policy, unless it says otherwise.
pub struct Verified<A = Asked> {
    pub(super) service: Extract<ServiceEntry>,
    pub(super) purpose: Extract<Purpose>,
    pub(super) asked: A,
    pub(super) response_uri: String,
    pub(super) state: String,
    pub(super) mode: ResponseMode,
    pub(super) response_key: Option<ResponseKey>,
    pub(super) iat: UnixTime,
    pub(super) exp: UnixTime,
    pub(super) reg_version: u64,
}

impl<A> Verified<A> {
    /// Who asks, in the registrar's words.
    #[must_use]
    pub fn service(&self) -> &ServiceEntry {
        self.service.document()
    }

    /// What for, in the registrar's words.
    #[must_use]
    pub fn purpose(&self) -> &Purpose {
        self.purpose.document()
    }

    /// What is asked: policy, query, statements, options, day; or the query alone.
    #[must_use]
    pub fn asked(&self) -> &A {
        &self.asked
    }

    /// `state`, to be repeated in the answer.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Where the answer is posted.
    #[must_use]
    pub fn response_uri(&self) -> &str {
        &self.response_uri
    }

    /// How the answer is sent.
    #[must_use]
    pub fn mode(&self) -> ResponseMode {
        self.mode
    }

    /// What the answer is encrypted to; absent for `direct_post`.
    #[must_use]
    pub fn response_key(&self) -> Option<&ResponseKey> {
        self.response_key.as_ref()
    }

    /// When it was made.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.iat
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.exp
    }

    /// The version of the register in the request, to be remembered.
    #[must_use]
    pub fn reg_version(&self) -> u64 {
        self.reg_version
    }
}

/// Where a refusal is posted.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorReply {
    /// The address of the answer.
    pub response_uri: String,
    /// `state`, to be repeated.
    pub state: String,
}

/// Why a wallet refuses a request. All are the asking side's fault; each says what is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// No JWS, or one without an accepted signature algorithm.
    #[error("the request is not signed")]
    Unsigned,
    /// Not of the form of a request object.
    #[error("the request object is malformed")]
    Malformed,
    /// Another kind of token.
    #[error("the request object is of another type than oauth-authz-req+jwt")]
    Typ,
    /// A form of a draft.
    #[error("the request is of an older draft ({0}); only OpenID4VP 1.0 is supported")]
    OlderDraft(&'static str),
    /// The client id in the object is not that of the link.
    #[error("the request names another client_id than its link")]
    ClientId,
    /// A prefix that is not answered.
    #[error("the client_id has {0}; only x509_hash and x509_san_dns are answered")]
    Prefix(Prefix),
    /// No certificate path that counts.
    #[error("the requester's certificate is not accepted: {0}")]
    Certificate(X5cError),
    /// The certificate is not the one that the client id names.
    #[error("the client_id is not the hash of the requester's certificate")]
    CertificateHash,
    /// The certificate lacks the name that the client id is.
    #[error("the client_id is no DNS name of the requester's certificate")]
    CertificateName,
    /// The signature is wrong.
    #[error("the request's signature is wrong")]
    Signature,
    /// For another audience.
    #[error("the request is for another audience")]
    Audience,
    /// Not `vp_token`.
    #[error("the request asks for another response_type than vp_token")]
    ResponseType,
    /// From the future, or for too long.
    #[error("the times of the request are not right")]
    Times,
    /// Ended.
    #[error("the request has ended; ask the service for a new one")]
    Expired,
    /// No nonce, or one that is too short.
    #[error("the request has no proper nonce")]
    Nonce,
    /// No state, or one that is too short.
    #[error("the request has no proper state")]
    State,
    /// The wallet's nonce is missing or another.
    #[error("the request does not repeat this wallet's nonce")]
    WalletNonce,
    /// Transaction data that is not understood.
    #[error("the request's transaction_data is refused: {0}")]
    TransactionData(TransactionDataError),
    /// `redirect_uri` beside `direct_post`.
    #[error("the request has a redirect_uri, which direct_post does not allow")]
    RedirectUri,
    /// The answer would go to an address that is not https.
    #[error("the request wants its answer at an address that is not https")]
    ResponseUri,
    /// The answer would go to another host than the client id names.
    #[error("the request wants its answer at another host than its client_id names")]
    ResponseHost,
    /// Asked through the browser by a page that the request does not name.
    #[error("the request was not made for the page that asks")]
    Origin,
    /// Asked through the browser in a way that is not answered.
    #[error("the browser's request is of the kind {0}, which is not answered")]
    Protocol(&'static str),
    /// Formats without SD-JWT VC and ES256.
    #[error("the requester does not take dc+sd-jwt with ES256")]
    Formats,
    /// No key that an answer can be encrypted to.
    #[error("the request has no key that an answer can be encrypted to")]
    EncryptionKey,
    /// `verifier_info` is missing, or not in its order.
    #[error("the request does not carry what the trust register says about it")]
    Info,
    /// The registrar's entry of the service.
    #[error("the service is not known: {0}")]
    Service(TrustError),
    /// The entry is of another service.
    #[error("the service is not known under this client_id")]
    OtherService,
    /// Test and live mixed.
    #[error("the service is of another environment (test or live) than this wallet")]
    Env,
    /// The registrar's entry of the purpose.
    #[error("the purpose is not the registrar's: {0}")]
    Purpose(TrustError),
    /// The service may not ask for this purpose.
    #[error("the service may not ask for this purpose")]
    PurposeNotAllowed,
    /// The policy is for another purpose.
    #[error("the policy is for another purpose")]
    OtherPurpose,
    /// A table of the registrar.
    #[error("a table is not the registrar's: {0}")]
    Table(TrustError),
    /// Extracts of several versions of the register.
    #[error("the request carries parts of several versions of the trust register; the service must use one")]
    TwoRegisters,
    /// The policy is not one.
    #[error("the request's policy cannot be used")]
    Policy,
    /// The digest is of another policy.
    #[error("the request's policy is not the one that its digest names")]
    PolicyDigest,
    /// A day chosen freely.
    #[error("the request asks about another day than that of asking")]
    AsOf,
    /// The policy has no plan.
    #[error("the request's policy cannot be asked: {0}")]
    Plan(PlanError),
    /// The query is not one.
    #[error("the request's query cannot be used: {0}")]
    Dcql(DcqlError),
    /// Statements other than the policy's.
    #[error("the request asks to prove something other than its policy says")]
    Statements,
    /// A query other than the policy's.
    #[error("the request asks for something other than its policy says")]
    Query,
    /// Options other than the policy's.
    #[error("the request's options mean something other than its policy says")]
    Options,
    /// Another pseudonym than the policy's, or one that it does not ask for.
    #[error("the request asks for another name to know you by than its policy says")]
    Pseudonym,
    /// More than the purpose allows.
    #[error("the request asks for more than its purpose allows: {0}")]
    OverAsking(NotCovered),
    /// More policies and services are published than a wallet works out.
    #[error("more than {MAX_OFFERED} pairs of a policy and a service are published; ask for a shorter list")]
    TooManyOffered,
}

impl RequestError {
    /// The error code of section 8.5, should the wallet answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TransactionData(_) => "invalid_transaction_data",
            Self::Formats => "vp_formats_not_supported",
            Self::ClientId
            | Self::Prefix(_)
            | Self::Certificate(_)
            | Self::CertificateHash
            | Self::CertificateName
            | Self::Signature => "invalid_client",
            Self::Service(_) | Self::OtherService | Self::Env | Self::PurposeNotAllowed => "invalid_client",
            _ => "invalid_request",
        }
    }
}
