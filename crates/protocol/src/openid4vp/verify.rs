//! The wallet's verification of a request object, in order.

use jiff::civil::Date;
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::ReplyTo;

use super::carried::{Against, Asking, Vouched, known_service};
use super::client_id::ClientId;
use super::plain::Question;
use super::request::{Claims, ErrorReply, MAX_REQUEST, RequestError, TYP, Verified};
use super::transaction_data::TransactionType;
use super::{AUDIENCE, ResponseKey, ResponseMode, is_random};
use crate::encoding::sha256;
use crate::jose::jws::{Compact, JwsError};
use crate::jose::x5c::{Anchor, VerifiedLeaf};
use crate::json;
use crate::text::Env;
use crate::time::{SKEW, UnixTime};
use crate::trust::Judge;

/// The longest life of a request, in seconds.
const MAX_LIFE: i64 = 3600;

/// What a wallet holds a request against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The client id of the link.
    pub client_id: &'a str,
    /// The nonce that the wallet sent, where it fetched by POST.
    pub wallet_nonce: Option<&'a str>,
    /// The wallet's environment.
    pub env: Env,
    /// The anchors for requesters' certificates.
    pub anchors: &'a [Anchor],
    /// The pinned registrar, the time, and what was seen before.
    pub judge: Judge<'a>,
}

impl<'a> Expected<'a> {
    fn against(&self, types: &'a [TransactionType]) -> Against<'a> {
        Against { env: self.env, judge: self.judge, types, given: &[] }
    }
}

/// A standing permission that a wallet gave, by which it can be asked again: the entry as it signed it.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The entry's text.
    pub entry: &'a str,
    /// The day of asking then.
    pub on: Date,
}

/// A request object that was fetched: well-formed, not verified.
pub struct Unverified {
    compact: Compact,
    members: Map<String, Value>,
}

impl Unverified {
    /// Step 1: a JWS of the right type, and nothing of an older draft.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let compact = Compact::parse(text.trim(), MAX_REQUEST).map_err(|fault| match fault {
            JwsError::Form | JwsError::Alg => RequestError::Unsigned,
            _ => RequestError::Malformed,
        })?;
        // 5.8: a wallet must not process anything else.
        compact.check_typ(TYP).map_err(|_| RequestError::Typ)?;
        let members =
            json::object(compact.dangerous_payload(), MAX_REQUEST).map_err(|_| RequestError::Malformed)?;
        older_draft(&members)?;
        Ok(Self { compact, members })
    }

    /// Steps 2 to 9, by a wallet that knows no type of transaction data.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn verify(self, expected: &Expected<'_>) -> Result<Verified, RequestError> {
        self.verify_knowing(expected, &[])
    }

    /// Steps 2 to 9 of a request by a policy. Every check names what it refuses.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn verify_knowing(
        self,
        expected: &Expected<'_>,
        types: &[TransactionType],
    ) -> Result<Verified, RequestError> {
        self.verified(expected, |asking| asking.by_policy(&expected.against(types)))
    }

    /// Steps 2 to 9 of a request by a policy, or of one with a query alone, by a wallet that knows no type of transaction
    /// data.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn verify_question(self, expected: &Expected<'_>) -> Result<Verified<Question>, RequestError> {
        self.verify_question_again(expected, &[])
    }

    /// The same, by a wallet that gave standing permissions: a request may carry the very entry of one of them, which is
    /// then held against the day on which it was given.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn verify_question_again(
        self,
        expected: &Expected<'_>,
        given: &[Given<'_>],
    ) -> Result<Verified<Question>, RequestError> {
        self.verified(expected, |asking| asking.vouched(&Against { given, ..expected.against(&[]) }))
    }

    fn verified<A>(
        self,
        expected: &Expected<'_>,
        vouched: impl FnOnce(&Asking<'_>) -> Result<Vouched<A>, RequestError>,
    ) -> Result<Verified<A>, RequestError> {
        self.check_refused_members()?;
        self.check_nonces()?;
        let leaf = self.authenticate(expected)?;
        let claims = self.claims(&leaf, expected)?;
        let response_key = check_response(&claims)?;
        let asking = Asking {
            client_id: &claims.client_id,
            nonce: &claims.nonce,
            state_sha256: sha256(&claims.state),
            reply_to: ReplyTo::ResponseUri(claims.response_uri.clone()),
            response_key: response_key.as_ref(),
            iat: claims.iat,
            dcql_query: &claims.dcql_query,
            transaction_data: claims.transaction_data.as_ref(),
            verifier_info: &claims.verifier_info,
        };
        let Vouched { service, purpose, asked, reg_version } = vouched(&asking)?;
        let Claims { response_uri, state, response_mode: mode, iat, exp, .. } = claims;
        Ok(Verified {
            service,
            purpose,
            asked,
            response_uri,
            state,
            mode,
            response_key,
            iat,
            exp,
            reg_version,
        })
    }

    /// Where the wallet may say that it refuses this request: to a service that the registrar knows, by which the
    /// request was signed for this wallet. To anybody else nothing is said, not even that somebody looked.
    #[must_use]
    pub fn error_reply(self, expected: &Expected<'_>) -> Option<ErrorReply> {
        self.check_refused_members().ok()?;
        self.check_nonces().ok()?;
        let leaf = self.authenticate(expected).ok()?;
        let claims = self.claims(&leaf, expected).ok()?;
        let https = claims.response_uri.starts_with("https://");
        ClientId::parse(&claims.client_id).ok()?.check_host(&claims.response_uri).ok()?;
        let known = known_service(&claims.verifier_info, &claims.client_id, &expected.against(&[])).is_ok();
        let may = mutants::skips("vp-error-known") || known;
        let Claims { response_uri, state, .. } = claims;
        (https && may).then_some(ErrorReply { response_uri, state })
    }

    /// Step 2: members that no request of this profile may have.
    fn check_refused_members(&self) -> Result<(), RequestError> {
        // 8.2: redirect_uri must not be present beside response_uri.
        let without = !self.members.contains_key("redirect_uri");
        if !(mutants::skips("vp-redirect-uri") || without) {
            return Err(RequestError::RedirectUri);
        }
        Ok(())
    }

    /// Step 3: nonce and state are there, and long enough to be random.
    fn check_nonces(&self) -> Result<(), RequestError> {
        let random = |name: &str| self.members.get(name).and_then(Value::as_str).is_some_and(is_random);
        if !(mutants::skips("vp-nonce") || random("nonce")) {
            return Err(RequestError::Nonce);
        }
        if !(mutants::skips("vp-state") || random("state")) {
            return Err(RequestError::State);
        }
        Ok(())
    }

    /// Step 4: the client id is that of the link, and the hash of a certificate that leads to an anchor.
    fn authenticate(&self, expected: &Expected<'_>) -> Result<VerifiedLeaf, RequestError> {
        let client_id =
            self.members.get("client_id").and_then(Value::as_str).ok_or(RequestError::ClientId)?;
        if !(mutants::skips("vp-client-id") || client_id == expected.client_id) {
            return Err(RequestError::ClientId);
        }
        let named = ClientId::parse(client_id).map_err(RequestError::Prefix)?;
        named.authenticate(&self.compact, expected.anchors, &expected.judge)
    }

    /// Step 5: the signature, then audience, times and the wallet's nonce.
    fn claims(self, leaf: &VerifiedLeaf, expected: &Expected<'_>) -> Result<Claims, RequestError> {
        let payload = self
            .compact
            .verify(TYP, leaf.key(), expected.judge.verifier)
            .map_err(|_| RequestError::Signature)?;
        let claims: Claims =
            json::typed(payload.bytes(), MAX_REQUEST).map_err(|_| RequestError::Malformed)?;
        if !(mutants::skips("vp-aud") || claims.aud == AUDIENCE) {
            return Err(RequestError::Audience);
        }
        if !(mutants::skips("vp-response-type") || claims.response_type == "vp_token") {
            return Err(RequestError::ResponseType);
        }
        check_times(claims.iat, claims.exp, expected.judge.now)?;
        // 5.10: a request that does not repeat the nonce may be an old one.
        if !(mutants::skips("vp-wallet-nonce") || claims.wallet_nonce.as_deref() == expected.wallet_nonce) {
            return Err(RequestError::WalletNonce);
        }
        Ok(claims)
    }
}

/// Members that went before 1.0, by name.
pub(super) fn older_draft(members: &Map<String, Value>) -> Result<(), RequestError> {
    const GONE: [&str; 8] = [
        "client_id_scheme",
        "presentation_definition",
        "presentation_definition_uri",
        "verifier_attestations",
        "authorization_encrypted_response_alg",
        "authorization_encrypted_response_enc",
        "authorization_signed_response_alg",
        "client_metadata_uri",
    ];
    let metadata = members.get("client_metadata").and_then(Value::as_object);
    for name in GONE {
        let in_metadata = metadata.is_some_and(|metadata| metadata.contains_key(name));
        if !(mutants::skips("vp-older-draft") || !(in_metadata || members.contains_key(name))) {
            return Err(RequestError::OlderDraft(name));
        }
    }
    let client_id = members.get("client_id").and_then(Value::as_str).unwrap_or_default();
    for prefix in ["did:", "https:", "web-origin:", "x509_san_uri:", "verifier_attestation_jwt:"] {
        let other = client_id.strip_prefix(prefix).is_none();
        if !(mutants::skips("vp-older-client-id") || other) {
            return Err(RequestError::OlderDraft(prefix));
        }
    }
    check_query_format(members)
}

/// `vc+sd-jwt` was the format's name until 2024.
fn check_query_format(members: &Map<String, Value>) -> Result<(), RequestError> {
    let queries =
        members.get("dcql_query").and_then(|query| query.get("credentials")).and_then(Value::as_array);
    let is_old = |query: &Value| query.get("format").is_some_and(|format| format == "vc+sd-jwt");
    let current = queries.into_iter().flatten().all(|query| !is_old(query));
    if !(mutants::skips("vp-older-format") || current) {
        return Err(RequestError::OlderDraft("vc+sd-jwt"));
    }
    Ok(())
}

pub(super) fn check_times(iat: UnixTime, exp: UnixTime, now: UnixTime) -> Result<(), RequestError> {
    if !(mutants::skips("vp-iat-future") || iat <= now.plus(SKEW)) {
        return Err(RequestError::Times);
    }
    if !(mutants::skips("vp-lifetime") || (exp > iat && exp.0 - iat.0 <= MAX_LIFE)) {
        return Err(RequestError::Times);
    }
    if !(mutants::skips("vp-expired") || now < exp.plus(SKEW)) {
        return Err(RequestError::Expired);
    }
    Ok(())
}

/// Step 6: where and how the answer goes.
fn check_response(claims: &Claims) -> Result<Option<ResponseKey>, RequestError> {
    if !(mutants::skips("vp-response-uri") || claims.response_uri.starts_with("https://")) {
        return Err(RequestError::ResponseUri);
    }
    ClientId::parse(&claims.client_id).map_err(RequestError::Prefix)?.check_host(&claims.response_uri)?;
    if !(mutants::skips("vp-formats") || claims.client_metadata.takes_sd_jwt()) {
        return Err(RequestError::Formats);
    }
    match claims.response_mode {
        ResponseMode::DirectPost => Ok(None),
        ResponseMode::DirectPostJwt => {
            claims.client_metadata.response_key().map(Some).ok_or(RequestError::EncryptionKey)
        }
    }
}
