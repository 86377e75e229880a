//! OpenID4VP over the Digital Credentials API (appendix A): a page asks the browser, and the browser the wallet.
//!
//! The request is `{"protocol": …, "data": …}`, the answer the `data` that the page gets back. Signed requests are
//! verified and answered as others are; what differs is that the answer goes to the origin which the browser vouches
//! for: the request must name it (`expected_origins`), the key binding has it as its audience, and a proof is bound to
//! it. There is no `state`. Unsigned requests can be made for other wallets; this project's wallet knows services by
//! their certificates, so it refuses unsigned and multi-signed ones, by name.
//!
//! Security: the origin comes from the browser, never from the request.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::ReplyTo;

use super::carried::{Against, Asking, Vouched};
use super::client_id::ClientId;
use super::client_metadata::ClientMetadata;
use super::request::{Info, MAX_REQUEST, RequestError, TYP, transaction_data, verifier_info};
use super::response::{MAX_ANSWER, Opener, ResponseError, VpToken, seal};
use super::transaction_data::TransactionType;
use super::verify::{check_times, older_draft};
use super::{AUDIENCE, Asked, ResponseKey, is_random};
use crate::encoding::sha256;
use crate::jose::jwe::Encrypted;
use crate::jose::jws::{Compact, JwsError, NewHeader, Unsigned};
use crate::jose::x5c::Anchor;
use crate::jose::{Aead, Alg, KeyAgreement, NamedJwk};
use crate::json;
use crate::text::Env;
use crate::time::UnixTime;
use crate::trust::{Extract, Judge, Purpose, ServiceEntry};

/// The protocol of a request in clear.
pub const UNSIGNED: &str = "openid4vp-v1-unsigned";

/// The protocol of a signed request.
pub const SIGNED: &str = "openid4vp-v1-signed";

/// The protocol of a request with several signatures.
pub const MULTISIGNED: &str = "openid4vp-v1-multisigned";

/// The most origins of a request.
const MAX_ORIGINS: usize = 32;

/// How an answer is given to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// In clear, through the browser.
    #[serde(rename = "dc_api")]
    Plain,
    /// Encrypted to the request's key.
    #[serde(rename = "dc_api.jwt")]
    Encrypted,
}

/// A request in the making.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// What is asked; its answer goes to an origin.
    pub asked: &'a Asked,
    /// How the answer is given.
    pub mode: Mode,
    /// The request's own encryption key; needed for [`Mode::Encrypted`].
    pub encryption_key: Option<&'a NamedJwk>,
    /// The registrar's entry of the service.
    pub service: &'a Extract<ServiceEntry>,
    /// The registrar's entry of the purpose.
    pub purpose: &'a Extract<Purpose>,
    /// The origins that may ask with this object.
    pub expected_origins: &'a [String],
    /// Now; its London date is the day of asking.
    pub iat: UnixTime,
    /// When the request ends.
    pub exp: UnixTime,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected_origins: Option<Vec<String>>,
    response_type: String,
    response_mode: Mode,
    nonce: String,
    iat: UnixTime,
    exp: UnixTime,
    client_metadata: ClientMetadata,
    dcql_query: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction_data: Option<Value>,
    #[serde(default)]
    verifier_info: Vec<Info>,
}

impl Draft<'_> {
    /// The request object to sign with the key of the certificate `x5c[0]`; [`signed`] makes the request of it.
    #[must_use]
    pub fn unsigned(&self, alg: Alg, x5c: &[Vec<u8>]) -> Unsigned {
        let header = NewHeader::new(alg, TYP).x5c(x5c).encode();
        let claims = Claims {
            aud: Some(AUDIENCE.to_owned()),
            client_id: Some(self.asked.party().client_id.clone()),
            expected_origins: Some(self.expected_origins.to_vec()),
            ..self.claims()
        };
        Unsigned::new(&header, &claims).expect("the claims are strings, integers and objects")
    }

    /// The request in clear. A client id or expected origins in it would mean nothing.
    #[must_use]
    pub fn in_clear(&self) -> Value {
        let data = serde_json::to_value(self.claims()).expect("the claims are strings, integers and objects");
        json!({"protocol": UNSIGNED, "data": data})
    }

    fn claims(&self) -> Claims {
        Claims {
            aud: None,
            client_id: None,
            expected_origins: None,
            response_type: "vp_token".to_owned(),
            response_mode: self.mode,
            nonce: self.asked.party().nonce.clone(),
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

/// The request with a signed object.
#[must_use]
pub fn signed(object: &str) -> Value {
    json!({"protocol": SIGNED, "data": {"request": object}})
}

/// What a wallet holds a request against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The origin of the page, as the browser says.
    pub origin: &'a str,
    /// The wallet's environment.
    pub env: Env,
    /// The anchors for requesters' certificates.
    pub anchors: &'a [Anchor],
    /// The pinned registrar, the time, and what was seen before.
    pub judge: Judge<'a>,
    /// The types of transaction data that the wallet knows.
    pub types: &'a [TransactionType],
}

/// A request of a page that a wallet may show and answer.
pub struct Verified {
    vouched: Vouched,
    mode: Mode,
    response_key: Option<ResponseKey>,
    exp: UnixTime,
}

impl Verified {
    /// Who asks, in the registrar's words.
    #[must_use]
    pub fn service(&self) -> &ServiceEntry {
        self.vouched.service.document()
    }

    /// What for, in the registrar's words.
    #[must_use]
    pub fn purpose(&self) -> &Purpose {
        self.vouched.purpose.document()
    }

    /// What is asked. The answer goes to the origin.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.vouched.asked
    }

    /// How the answer is given.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the answer is encrypted to; absent in clear.
    #[must_use]
    pub fn response_key(&self) -> Option<&ResponseKey> {
        self.response_key.as_ref()
    }

    /// When the request ends.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.exp
    }

    /// The version of the register in the request, to be remembered.
    #[must_use]
    pub fn reg_version(&self) -> u64 {
        self.vouched.reg_version
    }
}

/// Verifies a request that a page made through the browser.
///
/// # Errors
/// [`RequestError`]; [`RequestError::Protocol`] for one that is not of the signed kind.
pub fn verify(request: &Value, expected: &Expected<'_>) -> Result<Verified, RequestError> {
    let object = object(request)?;
    let compact = Compact::parse(object, MAX_REQUEST).map_err(|fault| match fault {
        JwsError::Form | JwsError::Alg => RequestError::Unsigned,
        _ => RequestError::Malformed,
    })?;
    compact.check_typ(TYP).map_err(|_| RequestError::Typ)?;
    let members =
        json::object(compact.dangerous_payload(), MAX_REQUEST).map_err(|_| RequestError::Malformed)?;
    older_draft(&members)?;
    let client_id = members.get("client_id").and_then(Value::as_str).ok_or(RequestError::ClientId)?;
    let named = ClientId::parse(client_id).map_err(RequestError::Prefix)?;
    let leaf = named.authenticate(&compact, expected.anchors, &expected.judge)?;
    let payload =
        compact.verify(TYP, leaf.key(), expected.judge.verifier).map_err(|_| RequestError::Signature)?;
    let claims: Claims = json::typed(payload.bytes(), MAX_REQUEST).map_err(|_| RequestError::Malformed)?;
    claims.check(expected)?;
    claims.vouched(client_id, expected)
}

/// The signed object of a request; any other kind is refused by its name.
fn object(request: &Value) -> Result<&str, RequestError> {
    let data = request.get("data").and_then(Value::as_object).ok_or(RequestError::Malformed)?;
    match request.get("protocol").and_then(Value::as_str).ok_or(RequestError::Malformed)? {
        SIGNED => data.get("request").and_then(Value::as_str).ok_or(RequestError::Malformed),
        UNSIGNED => older_draft(data).and(Err(RequestError::Protocol(UNSIGNED))),
        MULTISIGNED => Err(RequestError::Protocol(MULTISIGNED)),
        "openid4vp" => Err(RequestError::OlderDraft("openid4vp")),
        _ => Err(RequestError::Protocol("unknown")),
    }
}

impl Claims {
    fn check(&self, expected: &Expected<'_>) -> Result<(), RequestError> {
        if !(mutants::skips("vp-dc-nonce") || is_random(&self.nonce)) {
            return Err(RequestError::Nonce);
        }
        if !(mutants::skips("vp-dc-aud") || self.aud.as_deref().is_none_or(|aud| aud == AUDIENCE)) {
            return Err(RequestError::Audience);
        }
        if !(mutants::skips("vp-dc-response-type") || self.response_type == "vp_token") {
            return Err(RequestError::ResponseType);
        }
        // A.2: compared as text. Without it another page could ask with an object that it was sent.
        let origins = self.expected_origins.as_deref().unwrap_or_default();
        let named = origins.len() <= MAX_ORIGINS && origins.iter().any(|origin| origin == expected.origin);
        if !(mutants::skips("vp-dc-origin") || named) {
            return Err(RequestError::Origin);
        }
        check_times(self.iat, self.exp, expected.judge.now)?;
        if !(mutants::skips("vp-dc-formats") || self.client_metadata.takes_sd_jwt()) {
            return Err(RequestError::Formats);
        }
        Ok(())
    }

    fn vouched(&self, client_id: &str, expected: &Expected<'_>) -> Result<Verified, RequestError> {
        let response_key = match self.response_mode {
            Mode::Plain => None,
            Mode::Encrypted => Some(self.client_metadata.response_key().ok_or(RequestError::EncryptionKey)?),
        };
        let asking = Asking {
            client_id,
            nonce: &self.nonce,
            // There is no state; its text is empty.
            state_sha256: sha256(""),
            reply_to: ReplyTo::Origin(expected.origin.to_owned()),
            response_key: response_key.as_ref(),
            iat: self.iat,
            dcql_query: &self.dcql_query,
            transaction_data: self.transaction_data.as_ref(),
            verifier_info: &self.verifier_info,
        };
        let against = Against { env: expected.env, judge: expected.judge, types: expected.types, given: &[] };
        let vouched = asking.by_policy(&against)?;
        Ok(Verified { vouched, mode: self.response_mode, response_key, exp: self.exp })
    }
}

/// The answer in clear.
#[must_use]
pub fn plain(vp_token: &VpToken) -> Value {
    Value::Object(vp_token.to_members())
}

/// The encrypted answer.
///
/// # Errors
/// [`ResponseError::Decrypt`] where it cannot be encrypted to that key.
pub fn encrypted(
    vp_token: &VpToken,
    to: &ResponseKey,
    ephemeral: Box<dyn KeyAgreement>,
    aead: &dyn Aead,
    rng: &mut dyn rand_core::CryptoRngCore,
) -> Result<Value, ResponseError> {
    let jwe = seal(vp_token, None, to, ephemeral, aead, rng)?;
    Ok(json!({"response": jwe}))
}

/// The wallet's "no", by a code of section 8.5.
#[must_use]
pub fn error(code: &str) -> Value {
    json!({"error": code})
}

/// What a page got back.
pub enum Answer {
    /// In clear.
    Plain(VpToken),
    /// Encrypted.
    Encrypted(Encrypted),
    /// An error; the code is the wallet's and untrusted.
    Error(String),
}

impl Answer {
    /// Reads the `data` that a page got back, as JSON.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn parse(data: &[u8]) -> Result<Self, ResponseError> {
        let members = json::object(data, MAX_ANSWER * 2).map_err(|_| ResponseError::Form)?;
        let text = |name: &str| members.get(name).map(|value| value.as_str().ok_or(ResponseError::Malformed));
        match (text("response"), members.get("vp_token"), text("error")) {
            (Some(jwe), None, None) => {
                Encrypted::parse(jwe?).map(Self::Encrypted).map_err(|_| ResponseError::Malformed)
            }
            (None, Some(_), None) => VpToken::from_members(&members).map(Self::Plain),
            (None, None, Some(code)) => Ok(Self::Error(code?.chars().take(64).collect())),
            _ => Err(ResponseError::Kind),
        }
    }

    /// The presentations, if they came as the request asked.
    ///
    /// # Errors
    /// [`ResponseError`]; an error of the wallet is [`ResponseError::Kind`].
    pub fn open(self, mode: Mode, key: Option<Opener<'_>>) -> Result<VpToken, ResponseError> {
        match (self, mode) {
            (Self::Plain(vp_token), mode) => {
                if !(mutants::skips("vp-dc-mode") || mode == Mode::Plain) {
                    return Err(ResponseError::Plain);
                }
                Ok(vp_token)
            }
            (Self::Encrypted(jwe), Mode::Encrypted) => {
                Ok(key.ok_or(ResponseError::Decrypt)?.open(jwe)?.vp_token)
            }
            (Self::Encrypted(_), Mode::Plain) => Err(ResponseError::Encrypted),
            (Self::Error(_), _) => Err(ResponseError::Kind),
        }
    }
}
