//! Answers: how a wallet posts them and how a verifier reads them (sections 8.2, 8.3 and 8.5).
//!
//! Security: encryption gives no authenticity; everything in an answer is still to be verified. A post in clear
//! is refused where an encrypted one was asked for. An error post is unauthenticated and closes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::{ResponseKey, ResponseMode};
use crate::form::{self, Form};
use crate::jose::jwe::{Encrypted, Recipient, encrypt};
use crate::jose::{Aead, Enc, KeyAgreement};
use crate::json;
use crate::permission::GRANT_MEMBER;

/// The most bytes of a posted form.
pub const MAX_POST: usize = 512 * 1024;

/// The most bytes of an answer in clear.
pub const MAX_ANSWER: usize = 256 * 1024;

/// The most presentations of one answer.
const MAX_PRESENTATIONS: usize = 16;

/// What was presented, by query id, with the grant of a permission beside it where one is given. Not shown: presentations
/// are about people.
#[derive(Clone, PartialEq, Eq)]
pub struct VpToken {
    presentations: BTreeMap<String, Vec<String>>,
    grant: Option<String>,
}

/// An answer: presentations and the state of the request.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The presentations.
    pub vp_token: VpToken,
    /// `state` as it was sent back.
    pub state: Option<String>,
}

/// What a post holds.
pub enum Posted {
    /// An encrypted answer.
    Encrypted(Encrypted),
    /// An answer in clear, not looked into before it is known that one may come so.
    Plain(Clear),
    /// An error, in clear: the resident said no, or the wallet cannot. The code is the wallet's and untrusted.
    Error {
        /// The code of section 8.5.
        code: String,
        /// `state` as it was sent back.
        state: Option<String>,
    },
}

/// The members of an answer in clear.
pub struct Clear {
    vp_token: String,
    grant: Option<String>,
    state: Option<String>,
}

/// Why a post is refused; the fault of whoever sent it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResponseError {
    /// Not a form, a repeated member, or too long.
    #[error("the answer is not a proper form")]
    Form,
    /// The members of more than one kind of answer, or of none.
    #[error("the answer has neither exactly one of response, vp_token and error")]
    Kind,
    /// In clear where encryption was asked for.
    #[error("the answer is in clear although encryption was asked for")]
    Plain,
    /// Encrypted where it was not asked for.
    #[error("the answer is encrypted although that was not asked for")]
    Encrypted,
    /// It does not decrypt under the request's key.
    #[error("the answer does not decrypt under the request's key")]
    Decrypt,
    /// The plaintext is not an answer.
    #[error("the answer is malformed")]
    Malformed,
    /// `vp_token` in the form of a draft.
    #[error(
        "vp_token is of an older draft; it must be an object of query ids with one presentation each, in an array"
    )]
    OlderDraft,
    /// More than one presentation for a query, or too many.
    #[error("vp_token has more presentations than were asked for")]
    Count,
    /// The state is missing or of another request.
    #[error("the answer names another request")]
    State,
}

impl VpToken {
    /// One presentation for each query id.
    #[must_use]
    pub fn new(presentations: BTreeMap<String, String>) -> Self {
        Self::several(presentations.into_iter().map(|(query, one)| (query, vec![one])).collect())
    }

    /// The presentations for each query id, several where the query has `multiple`.
    #[must_use]
    pub fn several(presentations: BTreeMap<String, Vec<String>>) -> Self {
        Self { presentations, grant: None }
    }

    /// The same with the grant of a permission, which is sent beside `vp_token`.
    #[must_use]
    pub fn with_grant(self, grant: String) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// The grant of a permission that came beside `vp_token`; not verified.
    #[must_use]
    pub fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    /// The query ids that are answered.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.presentations.keys().map(String::as_str)
    }

    /// The presentation for a query.
    #[must_use]
    pub fn presentation(&self, query: &str) -> Option<&str> {
        self.presentations.get(query)?.first().map(String::as_str)
    }

    /// 8.1: an object; each value an array of one string.
    fn from_value(value: &Value) -> Result<Self, ResponseError> {
        let members = match value {
            Value::Object(members) => members,
            Value::String(_) | Value::Array(_) => return Err(ResponseError::OlderDraft),
            _ => return Err(ResponseError::Malformed),
        };
        if !(mutants::skips("vp-token-count") || (1..=MAX_PRESENTATIONS).contains(&members.len())) {
            return Err(ResponseError::Count);
        }
        members
            .iter()
            .map(|(id, value)| Ok((id.clone(), vec![single(value)?])))
            .collect::<Result<_, _>>()
            .map(Self::several)
    }

    /// The members of an answer that are read here: `vp_token`, and the grant beside it.
    pub(super) fn from_members(members: &Map<String, Value>) -> Result<Self, ResponseError> {
        let vp_token = Self::from_value(members.get("vp_token").ok_or(ResponseError::Malformed)?)?;
        match members.get(GRANT_MEMBER) {
            None => Ok(vp_token),
            Some(Value::String(grant)) => Ok(vp_token.with_grant(grant.clone())),
            // Another form is an error, never an absent grant.
            Some(_) => Err(ResponseError::Malformed),
        }
    }

    /// The same members, to be sent.
    pub(super) fn to_members(&self) -> Map<String, Value> {
        let grant = self.grant.iter().map(|grant| (GRANT_MEMBER.to_owned(), Value::from(grant.as_str())));
        [("vp_token".to_owned(), self.to_value())].into_iter().chain(grant).collect()
    }

    fn to_value(&self) -> Value {
        let array = |(id, all): (&String, &Vec<String>)| (id.clone(), Value::from(all.clone()));
        Value::Object(self.presentations.iter().map(array).collect())
    }
}

fn single(value: &Value) -> Result<String, ResponseError> {
    let all = match value {
        Value::Array(all) => all,
        Value::String(_) => return Err(ResponseError::OlderDraft),
        _ => return Err(ResponseError::Malformed),
    };
    if !(mutants::skips("vp-token-single") || all.len() == 1) {
        return Err(ResponseError::Count);
    }
    all.first().and_then(Value::as_str).map(str::to_owned).ok_or(ResponseError::Malformed)
}

impl Response {
    /// Reads the plaintext of an encrypted answer.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn from_plaintext(plaintext: &[u8]) -> Result<Self, ResponseError> {
        let members = json::object(plaintext, MAX_ANSWER).map_err(|_| ResponseError::Malformed)?;
        older_members(|name| members.contains_key(name))?;
        let state = match members.get("state") {
            None => None,
            Some(Value::String(state)) => Some(state.clone()),
            Some(_) => return Err(ResponseError::Malformed),
        };
        Ok(Self { vp_token: VpToken::from_members(&members)?, state })
    }

    /// Whether `state` is that of the request.
    ///
    /// # Errors
    /// [`ResponseError::State`].
    pub fn check_state(&self, expected: &str) -> Result<(), ResponseError> {
        let sent = self.state.as_deref().unwrap_or_default();
        let same = bool::from(sent.as_bytes().ct_eq(expected.as_bytes()));
        if !(mutants::skips("vp-response-state") || same) {
            return Err(ResponseError::State);
        }
        Ok(())
    }

    /// The form of an answer in clear.
    #[must_use]
    pub fn plain_form(&self) -> String {
        let vp_token = self.vp_token.to_value().to_string();
        let mut members = vec![("vp_token", vp_token.as_str())];
        members.extend(self.vp_token.grant().map(|grant| (GRANT_MEMBER, grant)));
        members.extend(self.state.as_deref().map(|state| ("state", state)));
        form::write(&members)
    }

    /// The form of an encrypted answer.
    ///
    /// # Errors
    /// [`ResponseError::Decrypt`] where it cannot be encrypted to that key.
    pub fn encrypted_form(
        &self,
        to: &ResponseKey,
        ephemeral: Box<dyn KeyAgreement>,
        aead: &dyn Aead,
        rng: &mut dyn rand_core::CryptoRngCore,
    ) -> Result<String, ResponseError> {
        let jwe = seal(&self.vp_token, self.state.as_deref(), to, ephemeral, aead, rng)?;
        Ok(form::write(&[("response", &jwe)]))
    }
}

/// The presentations, with a state where there is one, encrypted to the request's key.
pub(super) fn seal(
    vp_token: &VpToken,
    state: Option<&str>,
    to: &ResponseKey,
    ephemeral: Box<dyn KeyAgreement>,
    aead: &dyn Aead,
    rng: &mut dyn rand_core::CryptoRngCore,
) -> Result<String, ResponseError> {
    let mut plaintext = vp_token.to_members();
    plaintext.extend(state.map(|state| ("state".to_owned(), Value::from(state))));
    let plaintext = zeroize::Zeroizing::new(Value::Object(plaintext).to_string());
    let recipient = Recipient::new(&to.key.key, to.key.kid.as_deref(), to.enc);
    encrypt(plaintext.as_bytes(), &recipient, ephemeral, aead, rng).map_err(|_| ResponseError::Decrypt)
}

/// The form of an error, sent in clear as section 8.5 allows.
#[must_use]
pub fn error_form(code: &str, state: &str) -> String {
    form::write(&[("error", code), ("state", state)])
}

fn older_members(has: impl Fn(&str) -> bool) -> Result<(), ResponseError> {
    let without_submission = !has("presentation_submission");
    if !(mutants::skips("vp-older-response") || without_submission) {
        return Err(ResponseError::OlderDraft);
    }
    Ok(())
}

impl Posted {
    /// Reads a posted form.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn parse(body: &[u8]) -> Result<Self, ResponseError> {
        let form = Form::parse(body, MAX_POST).map_err(|_| ResponseError::Form)?;
        older_members(|name| form.member(name).is_some())?;
        let state = || form.member("state").map(str::to_owned);
        match (form.member("response"), form.member("vp_token"), form.member("error")) {
            (Some(jwe), None, None) => {
                Encrypted::parse(jwe).map(Self::Encrypted).map_err(|_| ResponseError::Malformed)
            }
            (None, Some(vp_token), None) => {
                let grant = form.member(GRANT_MEMBER).map(str::to_owned);
                Ok(Self::Plain(Clear { vp_token: vp_token.to_owned(), grant, state: state() }))
            }
            (None, None, Some(code)) => {
                Ok(Self::Error { code: code.chars().take(64).collect(), state: state() })
            }
            _ => Err(ResponseError::Kind),
        }
    }

    /// The answer, if it came as the request asked, decrypted with the request's own key.
    ///
    /// # Errors
    /// [`ResponseError`]; an error post is [`ResponseError::Kind`].
    pub fn open(self, mode: ResponseMode, key: Option<Opener<'_>>) -> Result<Response, ResponseError> {
        match (self, mode) {
            (Self::Plain(clear), mode) => {
                // 8.3: encryption was asked for; a post in clear would lose it.
                if !(mutants::skips("vp-mode-plain") || mode == ResponseMode::DirectPost) {
                    return Err(ResponseError::Plain);
                }
                clear.read()
            }
            (Self::Encrypted(jwe), ResponseMode::DirectPostJwt) => {
                key.ok_or(ResponseError::Decrypt)?.open(jwe)
            }
            (Self::Encrypted(_), ResponseMode::DirectPost) => Err(ResponseError::Encrypted),
            (Self::Error { .. }, _) => Err(ResponseError::Kind),
        }
    }
}

impl Clear {
    fn read(self) -> Result<Response, ResponseError> {
        let vp_token =
            json::parse(self.vp_token.as_bytes(), MAX_ANSWER).map_err(|_| ResponseError::OlderDraft)?;
        let vp_token = VpToken { grant: self.grant, ..VpToken::from_value(&vp_token)? };
        Ok(Response { vp_token, state: self.state })
    }
}

/// The request's own decryption key.
#[derive(Clone, Copy)]
pub struct Opener<'a> {
    /// Its `kid`.
    pub kid: &'a str,
    /// The key.
    pub key: &'a dyn KeyAgreement,
    /// Decryption.
    pub aead: &'a dyn Aead,
}

impl Opener<'_> {
    pub(super) fn open(self, jwe: Encrypted) -> Result<Response, ResponseError> {
        if !(mutants::skips("vp-response-kid") || jwe.kid() == Some(self.kid)) {
            return Err(ResponseError::Decrypt);
        }
        let plaintext = jwe.decrypt(&Enc::ALL, self.key, self.aead).map_err(|_| ResponseError::Decrypt)?;
        Response::from_plaintext(&plaintext)
    }
}

/// What the verifier answers to a post.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Where the wallet sends the resident's browser, with a fresh `response_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
}

// The `response_code` closes the request for whoever brings it.
impl std::fmt::Debug for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let returns = self.redirect_uri.is_some();
        f.debug_struct("Answered").field("returns", &returns).finish_non_exhaustive()
    }
}

impl Answered {
    /// The page with `response_code` in its query.
    #[must_use]
    pub fn returning(page: &str, response_code: &str) -> Self {
        Self { redirect_uri: Some(format!("{page}?{}", form::write(&[("response_code", response_code)]))) }
    }

    /// Reads an answer; a `redirect_uri` must be https.
    ///
    /// # Errors
    /// [`ResponseError::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, ResponseError> {
        let answered: Self = json::typed(body, 16 * 1024).map_err(|_| ResponseError::Malformed)?;
        let https = answered.redirect_uri.as_ref().is_none_or(|uri| uri.starts_with("https://"));
        if !(mutants::skips("vp-redirect-https") || https) {
            return Err(ResponseError::Malformed);
        }
        Ok(answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_clear_is_refused_for_its_mode_before_it_is_read() {
        for body in ["vp_token=no-json", "vp_token=%7B%7D&state=s"] {
            let read = |mode| Posted::parse(body.as_bytes()).and_then(|posted| posted.open(mode, None)).err();
            assert_eq!(read(ResponseMode::DirectPostJwt), Some(ResponseError::Plain), "{body}");
            assert_ne!(read(ResponseMode::DirectPost), Some(ResponseError::Plain), "{body}");
        }
    }
}
