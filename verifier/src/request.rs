//! Requests: how a service opens one, and the signed object that a wallet fetches.
//!
//! OpenID4VP 1.0 section 5. A request is made from a live policy; its nonce, `state`, handles and response key are
//! drawn here and sealed. The object may be fetched again until the request is over: each fetch is signed anew
//! with the same nonce and `state`, and echoes the wallet's own nonce (5.10.1). Security: whoever has the link may
//! fetch the object; what ties an answer to the applicant is the policy's `subject_binding`.

mod body;
mod list;
mod object;
mod once;
mod permitting;

use std::fmt;
use std::sync::Arc;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::{self, Outcome, reference_hash};
use vouchsafe_protocol::permission::TermsError;
use vouchsafe_protocol::policy::{Policy, SubjectBinding};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::{entropy, problem};

pub use self::body::{Ask, BodyError};
pub use self::list::{ListError, Listing, MOST, Page, USUAL, list};
pub(crate) use self::object::{MODE, asked, kid, link, named, response_uri};
pub use self::object::{ObjectError, object};
pub(crate) use self::once::Flights;
pub use self::once::{KEPT, RepeatKey, create_once};
use crate::app::{App, Unavailable};
use crate::decision::outcome_of;
use crate::expiry;
use crate::log;
use crate::permissions;
use crate::policies::{self, Refusal};
use crate::question::Question;
use crate::secrets::{Kind, OpenSecrets};
use crate::store::{
    Asked, Flow, NewRequest, Once, PermissionId, Reference, Request, RequestId, ServiceId, Status,
    StoreError, StoredDecision, Tenant,
};

/// The longest that a typed code is valid, in seconds.
const CODE_TTL: i64 = 300;

/// A request that was opened: what the service gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The id of our API.
    pub id: RequestId,
    /// The hosted page, for the applicant's browser.
    pub url: String,
    /// The link for a wallet, also to be shown as QR code.
    pub qr_text: String,
    /// The code that people may type instead.
    pub code: String,
    /// When the request is over.
    pub expires_at: UnixTime,
}

/// Why a request was not opened.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The body is not what this call takes.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// There is no such live policy.
    #[error("there is no live policy of that id")]
    UnknownPolicy,
    /// The register does not let this service ask for the policy's purpose.
    #[error("the register does not let this service ask for the purpose of this policy")]
    Purpose,
    /// The policy cannot be asked with today.
    #[error("the policy cannot be asked with today: {0}")]
    Policy(#[from] Refusal),
    /// The policy binds by the same device, and the flow is another.
    #[error("this policy needs the flow same_device")]
    Flow,
    /// The policy compares a disclosed value, and none is expected.
    #[error("this policy needs expect: the value that must be disclosed")]
    ExpectMissing,
    /// What is to be permitted is not what the policy asks for.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The service has no such permission.
    #[error("this service has no such permission")]
    UnknownPermission,
    /// The permission is not one under which this may be asked again.
    #[error("under this permission the policy cannot be asked again")]
    NotAgain,
    /// It was asked under it too lately.
    #[error("under this permission it was asked too lately")]
    TooSoon,
    /// A value is expected that the policy does not compare.
    #[error("this policy compares no disclosed value: leave expect out")]
    ExpectUnused,
    /// Another body came with the same key before.
    #[error("another body came with this key before")]
    KeyTaken,
    /// Another call with the same key is under way.
    #[error("a call with this key is under way")]
    KeyBusy,
    /// The request that the key opened is over, and what it was answered with is gone.
    #[error("the request that this key opened is over")]
    KeyOver(RequestId),
    /// We could not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Opens a request for `tenant`.
///
/// # Errors
/// [`CreateError`] says whose fault it is and what to mend.
pub async fn create(app: &App, tenant: &Tenant, ask: Ask) -> Result<Opened, CreateError> {
    let (new, told) = prepare(app, tenant, &ask, app.now()).await?;
    app.store().insert(new).await.map_err(Unavailable::from)?;
    metrics::counter!("vouchsafe_requests_total", "flow" => ask.flow.as_str()).increment(1);
    Ok(told)
}

/// A new request, and what its service is told once it is stored.
async fn prepare(
    app: &App,
    tenant: &Tenant,
    ask: &Ask,
    now: UnixTime,
) -> Result<(NewRequest, Opened), CreateError> {
    let question = question(app, &tenant.service, ask, now)?;
    check_binding(&question.policy, ask)?;
    let secrets = permitting::secrets(app, tenant, ask, &question, now).await?;
    let asked = question.to_asked();
    app.keep_question(asked.digest, Arc::new(question));
    let new = new_request(app, tenant, ask, asked, &secrets, now);
    let told = opened(app, new.id.clone(), &secrets, new.expires_at);
    Ok((new, told))
}

fn opened(app: &App, id: RequestId, secrets: &OpenSecrets, expires_at: UnixTime) -> Opened {
    Opened {
        url: page_url(app, &secrets.page),
        qr_text: object::link(app, &secrets.handle),
        code: secrets.code.clone(),
        id,
        expires_at,
    }
}

/// The row of a new request: tags and a sealed box, nothing that could be used.
fn new_request(
    app: &App,
    tenant: &Tenant,
    ask: &Ask,
    asked: Asked,
    secrets: &OpenSecrets,
    now: UnixTime,
) -> NewRequest {
    let id = RequestId(format!("req_{}", entropy::id16(app.entropy())));
    let expires_at = now.plus(app.config().request.ttl_seconds.into());
    let tag = |kind, value: &str| app.vault().tag(kind, value);
    NewRequest {
        sealed: app.vault().seal(secrets, &tenant.service, &id, app.entropy()),
        handle: tag(Kind::Handle, &secrets.handle),
        page: tag(Kind::Page, &secrets.page),
        nonce: tag(Kind::Once(Once::Nonce), &secrets.nonce),
        state: tag(Kind::Once(Once::State), &secrets.state),
        code: tag(Kind::Code, &secrets.code),
        code_until: UnixTime(expires_at.0.min(now.plus(CODE_TTL).0)),
        service: tenant.service.clone(),
        env: tenant.env,
        id,
        asked,
        policy_id: ask.policy.clone(),
        flow: ask.flow,
        created_at: now,
        expires_at,
        reference: ask.reference.as_deref().map(|reference| salted(app, reference)),
        permission: ask.permission.clone(),
    }
}

fn question(app: &App, service: &ServiceId, ask: &Ask, now: UnixTime) -> Result<Question, CreateError> {
    let rules = app.current_rules(now)?;
    let policy = rules.policies.get(&ask.policy).ok_or(CreateError::UnknownPolicy)?;
    let as_of = now.london_date();
    let entry = rules.register.service(&service.0).map(|entry| entry.document());
    let may = entry.is_some_and(|entry| entry.purposes.contains(&policy.purpose));
    if !(mutants::skips("vp-ask-purpose") || may) {
        return Err(CreateError::Purpose);
    }
    policies::costs(policy, &rules.types, &rules.register, as_of)?;
    let made = Question::new(policy.clone(), &service.0, &rules.register, as_of);
    Ok(made.map_err(Unavailable::from)?)
}

fn check_binding(policy: &Policy, ask: &Ask) -> Result<(), CreateError> {
    let same_device = policy.subject_binding == SubjectBinding::SameDevice;
    if !(mutants::skips("vp-flow") || !same_device || ask.flow == Flow::SameDevice) {
        return Err(CreateError::Flow);
    }
    match (&policy.subject_binding, &ask.expect) {
        (SubjectBinding::Disclosed(_), None) => Err(CreateError::ExpectMissing),
        (SubjectBinding::Disclosed(_), Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => Err(CreateError::ExpectUnused),
    }
}

fn salted(app: &App, reference: &str) -> Reference {
    let salt = entropy::bytes(app.entropy());
    Reference { hash: reference_hash(&salt, reference), salt }
}

/// The hosted page's address.
pub(crate) fn page_url(app: &App, page: &str) -> String {
    format!("{}/p/{page}", app.config().origin)
}

/// How a request stands, for its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: RequestId,
    /// The policy's id.
    pub policy: String,
    /// Where it stands.
    pub status: Status,
    /// The outcome once decided.
    pub outcome: Option<Outcome>,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it is over.
    pub expires_at: UnixTime,
    /// What problems, pages and the log call it.
    pub reference: problem::Reference,
    /// The permission that its answer gave, or under which it asks again.
    pub permission: Option<Permitted>,
}

/// A permission, as the service is told of it beside a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Permitted {
    /// Its id.
    pub id: PermissionId,
    /// The code that the service prints on its letter, by which the resident takes it back.
    pub code: String,
}

impl fmt::Debug for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permitted(…)")
    }
}

fn permitted(app: &App, request: &Request) -> Option<Permitted> {
    let id = request.permission.clone()?;
    Some(Permitted { code: permissions::code(app.vault(), &request.tenant(), &id), id })
}

/// How the service's own request stands; `None` when it has no such request.
///
/// # Errors
/// When the store does not answer.
pub async fn standing(app: &App, tenant: &Tenant, id: &RequestId) -> Result<Option<Standing>, Unavailable> {
    let Some(request) = own(app, tenant, id).await? else { return Ok(None) };
    stand(app, request).await.map(Some)
}

/// How a request stands.
async fn stand(app: &App, request: Request) -> Result<Standing, Unavailable> {
    Ok(Standing {
        outcome: outcome(app, &request).await?,
        reference: app.reference(&request.tenant(), &request.id),
        permission: permitted(app, &request),
        id: request.id,
        policy: request.policy_id,
        status: request.status,
        created_at: request.created_at,
        expires_at: request.expires_at,
    })
}

/// The outcome of a request that is decided, from the decision that will be signed: the row's own column is not bound
/// to anything, and whoever can write to the database could change what a service or a resident is told.
pub(crate) async fn outcome(app: &App, request: &Request) -> Result<Option<Outcome>, Unavailable> {
    if request.status != Status::Decided {
        return Ok(None);
    }
    let stored = bound_decision(app, &request.tenant(), &request.id).await?;
    Ok(Some(stored.ok_or(StoreError::Damaged("signing_input"))?.outcome))
}

/// The stored decision, if its text is the one that we bound to its row; its outcome is what the text says.
async fn bound_decision(
    app: &App,
    tenant: &Tenant,
    id: &RequestId,
) -> Result<Option<StoredDecision>, Unavailable> {
    let Some(mut stored) = app.store().decision(tenant, id).await? else { return Ok(None) };
    let text = app.vault().bound(Kind::Decision, &tenant.service, id, &stored.signing_input);
    let text = text.ok_or(StoreError::Damaged("signing_input"))?;
    stored.outcome = outcome_of(text).ok_or(StoreError::Damaged("signing_input"))?;
    stored.signing_input = text.to_owned();
    Ok(Some(stored))
}

async fn own(app: &App, tenant: &Tenant, id: &RequestId) -> Result<Option<Request>, Unavailable> {
    match app.store().request(tenant, id).await? {
        Some(request) => Ok(Some(expiry::settle(app, request, app.now()).await?)),
        None => Ok(None),
    }
}

/// A signed decision, as its service fetches it. For that service alone, and not printed.
#[derive(Clone)]
pub struct SignedDecision {
    /// The JWS.
    pub decision: String,
    /// The outcome that it states.
    pub outcome: Outcome,
    /// The salt of the reference; never in the token.
    pub ref_salt: Option<[u8; 16]>,
    /// The permission that the answer gave, or under which it was asked again.
    pub permission: Option<Permitted>,
}

impl fmt::Debug for SignedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedDecision(…)")
    }
}

/// What the service's own request came to: `None` for no such request, `Some(None)` while it is not decided.
///
/// # Errors
/// When the store or the signing key does not answer.
pub async fn decision(
    app: &App,
    tenant: &Tenant,
    id: &RequestId,
) -> Result<Option<Option<SignedDecision>>, Unavailable> {
    let Some(request) = own(app, tenant, id).await? else { return Ok(None) };
    // Signed from what was stored: what somebody else put into the row gets no signature of ours.
    let Some(stored) = bound_decision(app, tenant, id).await? else { return Ok(Some(None)) };
    let decision = app.desk().sign(&stored).await?;
    let (outcome, ref_salt) = (stored.outcome, stored.ref_salt);
    Ok(Some(Some(SignedDecision { decision, outcome, ref_salt, permission: permitted(app, &request) })))
}

/// That the decision of the service's own request is in the log: `None` for no such request, `Some(None)` while no checkpoint
/// has it.
///
/// # Errors
/// When the store does not answer or the log is damaged.
pub async fn log_proof(
    app: &App,
    tenant: &Tenant,
    id: &RequestId,
) -> Result<Option<Option<String>>, Unavailable> {
    if own(app, tenant, id).await?.is_none() {
        return Ok(None);
    }
    let Some(stored) = bound_decision(app, tenant, id).await? else { return Ok(Some(None)) };
    let entry = decision::leaf(decision::TYP, stored.signing_input.as_bytes());
    Ok(Some(log::proof(app, entry).await?))
}

/// Where a typed code leads: never a redirect, never the `state`.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The client id of the request.
    pub client_id: String,
    /// Where its object is.
    pub request_uri: String,
}

/// The request that a typed code stands for; `None` for a wrong, used or expired code.
///
/// # Errors
/// When the store does not answer.
pub async fn by_code(app: &App, typed: &str) -> Result<Option<Found>, Unavailable> {
    let Some(code) = entropy::normal_code(typed) else { return Ok(None) };
    let (tag, now) = (app.vault().tag(Kind::Code, &code), app.now());
    let Some(request) = app.store().request_by(crate::store::Key::Code(tag, now)).await? else {
        return Ok(None);
    };
    let secrets = open_secrets(app, &request);
    Ok(secrets.map(|secrets| Found {
        client_id: app.client_id().to_owned(),
        request_uri: object::request_uri(app, &secrets.handle),
    }))
}

/// The secrets of a request that is still open.
pub(crate) fn open_secrets(app: &App, request: &Request) -> Option<OpenSecrets> {
    app.vault().open(request.sealed.as_deref()?, &request.service, &request.id)
}
