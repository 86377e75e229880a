//! The wallet's verification of a request object, in order.

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use super::request::{
    CONTEXT, Claims, ContextInfo, Info, MAX_REQUEST, POLICY, PURPOSE, RequestError, SERVICE, TABLE, TYP,
    Verified,
};
use super::{AUDIENCE, Asked, Party, ResponseKey, ResponseMode, X509_HASH, is_random};
use crate::dcql::Query;
use crate::encoding::{b64u, sha256};
use crate::jose::jws::{Compact, JwsError};
use crate::jose::x5c::{Anchor, VerifiedLeaf, validate};
use crate::json;
use crate::policy::{Policy, covers};
use crate::text::Env;
use crate::time::{SKEW, UnixTime};
use crate::trust::{Extract, Judge, Purpose, ServiceEntry, Table, Tables};

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

    /// Steps 2 to 9. Every check names what it refuses.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn verify(self, expected: &Expected<'_>) -> Result<Verified, RequestError> {
        self.check_refused_members()?;
        self.check_nonces()?;
        let leaf = self.authenticate(expected)?;
        let claims = self.claims(&leaf, expected)?;
        let response_key = check_response(&claims)?;
        let carried = Carried::read(&claims.verifier_info)?;
        let (service, purpose) = carried.authorise(&claims, expected)?;
        let reg_version = service.document().reg_version;
        let tables = carried.tables(expected, reg_version)?;
        let asked = carried.recompute(&claims, &service, tables, response_key.as_ref())?;
        // The registrar's limit, whatever the policy says.
        covers(purpose.document(), &asked.plan().query).map_err(RequestError::OverAsking)?;
        let Claims { state, response_mode: mode, iat, exp, .. } = claims;
        Ok(Verified { service, purpose, asked, state, mode, response_key, iat, exp, reg_version })
    }

    /// Step 2: members that no request of this profile may have.
    fn check_refused_members(&self) -> Result<(), RequestError> {
        // 5.1: a wallet that knows no type of transaction data must refuse all.
        let without = !self.members.contains_key("transaction_data");
        if !(mutants::skips("vp-transaction-data") || without) {
            return Err(RequestError::TransactionData);
        }
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
        // 5.9: the whole text with its prefix is the identifier; other prefixes have other rules.
        let hash = client_id.strip_prefix(X509_HASH).ok_or(RequestError::Prefix)?;
        let x5c = self.compact.header().x5c().unwrap_or_default();
        let leaf = validate(x5c, expected.anchors, expected.judge.now, expected.judge.verifier)
            .map_err(RequestError::Certificate)?;
        if !(mutants::skips("vp-x509-hash") || hash == b64u(leaf.sha256())) {
            return Err(RequestError::CertificateHash);
        }
        Ok(leaf)
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
        check_times(&claims, expected.judge.now)?;
        // 5.10: a request that does not repeat the nonce may be an old one.
        if !(mutants::skips("vp-wallet-nonce") || claims.wallet_nonce.as_deref() == expected.wallet_nonce) {
            return Err(RequestError::WalletNonce);
        }
        Ok(claims)
    }
}

/// Members that went before 1.0, by name.
fn older_draft(members: &Map<String, Value>) -> Result<(), RequestError> {
    const GONE: [&str; 7] = [
        "client_id_scheme",
        "presentation_definition",
        "presentation_definition_uri",
        "verifier_attestations",
        "authorization_encrypted_response_alg",
        "authorization_encrypted_response_enc",
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

fn check_times(claims: &Claims, now: UnixTime) -> Result<(), RequestError> {
    if !(mutants::skips("vp-iat-future") || claims.iat <= now.plus(SKEW)) {
        return Err(RequestError::Times);
    }
    if !(mutants::skips("vp-lifetime")
        || (claims.exp > claims.iat && claims.exp.0 - claims.iat.0 <= MAX_LIFE))
    {
        return Err(RequestError::Times);
    }
    if !(mutants::skips("vp-expired") || now < claims.exp.plus(SKEW)) {
        return Err(RequestError::Expired);
    }
    Ok(())
}

/// Step 6: where and how the answer goes.
fn check_response(claims: &Claims) -> Result<Option<ResponseKey>, RequestError> {
    if !(mutants::skips("vp-response-uri") || claims.response_uri.starts_with("https://")) {
        return Err(RequestError::ResponseUri);
    }
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

/// All entries of a register have its version: extracts of two registers say what no registrar said at one time.
fn one_register(a: u64, b: u64) -> Result<(), RequestError> {
    if !(mutants::skips("vp-one-register") || a == b) {
        return Err(RequestError::TwoRegisters);
    }
    Ok(())
}

/// What the request carries about itself.
struct Carried<'a> {
    service: &'a str,
    purpose: &'a str,
    tables: Vec<&'a str>,
    policy: &'a Value,
    context: ContextInfo,
}

impl<'a> Carried<'a> {
    /// Step 7: each kind once, in order; unknown kinds are passed over.
    fn read(all: &'a [Info]) -> Result<Self, RequestError> {
        const KNOWN: [&str; 5] = [SERVICE, PURPOSE, TABLE, POLICY, CONTEXT];
        let known: Vec<_> = all.iter().filter(|info| KNOWN.contains(&info.format.as_str())).collect();
        let place = |info: &Info| KNOWN.iter().position(|format| *format == info.format);
        let rises = |pair: &[&Info]| {
            place(pair[0]) < place(pair[1]) || (pair[0].format == TABLE && pair[1].format == TABLE)
        };
        if !(mutants::skips("vp-info-order") || known.windows(2).all(rises)) {
            return Err(RequestError::Info);
        }
        let of = |format: &'static str| {
            known.iter().filter(move |info| info.format == format).map(|info| &info.data)
        };
        let one = |format: &'static str| of(format).next().ok_or(RequestError::Info);
        let text = |format: &'static str| one(format)?.as_str().ok_or(RequestError::Info);
        let tables =
            of(TABLE).map(|data| data.as_str().ok_or(RequestError::Info)).collect::<Result<_, _>>()?;
        let context = json::of_value(one(CONTEXT)?.clone()).map_err(|_| RequestError::Info)?;
        Ok(Self { service: text(SERVICE)?, purpose: text(PURPOSE)?, tables, policy: one(POLICY)?, context })
    }

    /// Step 8: the registrar knows this service under this client id and lets it ask for this purpose.
    fn authorise(
        &self,
        claims: &Claims,
        expected: &Expected<'_>,
    ) -> Result<(Extract<ServiceEntry>, Extract<Purpose>), RequestError> {
        let service = expected.judge.verify::<ServiceEntry>(self.service).map_err(RequestError::Service)?;
        let entry = service.document();
        if !(mutants::skips("vp-service-client-id") || entry.client_ids.contains(&claims.client_id)) {
            return Err(RequestError::OtherService);
        }
        if !(mutants::skips("vp-service-env") || entry.env == expected.env) {
            return Err(RequestError::Env);
        }
        let purpose = expected.judge.verify::<Purpose>(self.purpose).map_err(RequestError::Purpose)?;
        if !(mutants::skips("vp-service-purpose") || entry.purposes.contains(&purpose.document().sub)) {
            return Err(RequestError::PurposeNotAllowed);
        }
        let wanted = self.policy.get("purpose").and_then(Value::as_str);
        if !(mutants::skips("vp-policy-purpose") || wanted == Some(&purpose.document().sub)) {
            return Err(RequestError::OtherPurpose);
        }
        one_register(entry.reg_version, purpose.document().reg_version)?;
        Ok((service, purpose))
    }

    fn tables(&self, expected: &Expected<'_>, reg_version: u64) -> Result<Tables, RequestError> {
        let mut tables = Tables::default();
        for jws in &self.tables {
            let table = expected.judge.verify::<Table>(jws).map_err(RequestError::Table)?;
            let (id, version) = (&table.document().sub, table.document().version);
            if !(mutants::skips("vp-table-once") || tables.table(id, version).is_none()) {
                return Err(RequestError::Info);
            }
            one_register(reg_version, table.document().reg_version)?;
            tables.insert(&table);
        }
        Ok(tables)
    }

    /// Step 9: policy, day, statements, query and options are what the policy gives on the day of asking.
    fn recompute(
        &self,
        claims: &Claims,
        service: &Extract<ServiceEntry>,
        tables: Tables,
        response_key: Option<&ResponseKey>,
    ) -> Result<Asked, RequestError> {
        let policy = Policy::from_json(self.policy.clone()).map_err(|_| RequestError::Policy)?;
        if !(mutants::skips("vp-policy-digest") || self.context.policy_digest == policy.digest_text()) {
            return Err(RequestError::PolicyDigest);
        }
        // A free choice of day would bisect a birth date.
        if !(mutants::skips("vp-as-of") || self.context.as_of == claims.iat.london_date()) {
            return Err(RequestError::AsOf);
        }
        let party = Party {
            service: service.document().sub.clone(),
            client_id: claims.client_id.clone(),
            nonce: claims.nonce.clone(),
            state_sha256: sha256(&claims.state),
            response_uri: claims.response_uri.clone(),
            encryption_key: response_key.map(|response| response.key.key.thumbprint()),
        };
        let asked = Asked::new(party, policy, tables, self.context.as_of).map_err(RequestError::Plan)?;
        check_query(&claims.dcql_query, &self.context, &asked)?;
        Ok(asked)
    }
}

fn check_query(sent: &Value, context: &ContextInfo, asked: &Asked) -> Result<(), RequestError> {
    let planned = asked.plan();
    let query = Query::from_value(sent).map_err(RequestError::Dcql)?;
    // As sent, member by member: the proof is bound to this array.
    let statements = sent.get("statements").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let expected =
        serde_json::to_value(&planned.query.statements).expect("statements are strings and integers");
    if !(mutants::skips("vp-plan-statements") || statements == expected) {
        return Err(RequestError::Statements);
    }
    let same = query.credentials == planned.query.credentials
        && query.credential_sets == planned.query.credential_sets;
    if !(mutants::skips("vp-plan-query") || same) {
        return Err(RequestError::Query);
    }
    if !(mutants::skips("vp-plan-options") || context.options == planned.options) {
        return Err(RequestError::Options);
    }
    Ok(())
}
