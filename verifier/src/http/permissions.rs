//! Permissions: what services ask about theirs (`/v1/permissions`), and what wallets say by a permission's key.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vouchsafe_service::limits::AddressPrefix;
use vouchsafe_service::problem::Problem;

use super::api::refusal::Refusal;
use super::api::{caller, repeat_key};
use super::{Name, is_type};
use crate::app::App;
use crate::clients::Scope;
use crate::clients::possession::Envelope;
use crate::guess;
use crate::permissions::{self, Answered, Asking, CallRefused, Checked, Signed};
use crate::request::Permitted;
use crate::store::PermissionId;

/// The media type of a call by a permission's key.
const JWT: &str = "application/jwt";

/// What a service says when it asks whether a permission is in force.
#[derive(ToSchema)]
#[schema(as = PermissionQuestion)]
#[expect(dead_code, reason = "describes what is read strictly, member by member")]
pub(super) struct QuestionBody {
    /// The digest of the policy under which it wants to act: a permission holds under no other.
    policy: Option<String>,
    /// Whether it acts now: a permission that is in force is then used by this call, once.
    r#use: Option<bool>,
}

/// How a permission stands.
#[derive(ToSchema)]
#[schema(as = PermissionState, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of Standing::as_str")]
pub(super) enum StateWord {
    InForce,
    Withdrawn,
    Expired,
    Exhausted,
    Undetermined,
}

/// Whether a permission is in force. Only `in_force` lets anything be done.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionCheck)]
pub(super) struct CheckBody {
    /// How it stands.
    #[schema(value_type = StateWord)]
    state: &'static str,
    /// The day that this is about.
    #[schema(example = "2026-11-21")]
    as_of: String,
    /// Whether this call used it.
    used: bool,
    /// How often it may be used yet; absent where that is not counted, or where it is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<i64>,
}

/// A permission and its record.
#[derive(Serialize, ToSchema)]
#[schema(as = Permission)]
pub(super) struct PermissionBody {
    /// Its id.
    #[schema(example = "perm_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
    /// How it stands.
    #[schema(value_type = StateWord)]
    state: &'static str,
    /// The signed record, a JWS; check it with the keys at `/.well-known/jwks.json`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIs…")]
    record: String,
    /// For the service's letter: by this code the resident takes it back at `/withdraw`, without a wallet.
    #[schema(example = "7KQ2M4XD9TVB")]
    withdrawal_code: String,
}

/// A permission, as it is named beside a request.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionName)]
pub(in crate::http) struct PermissionName {
    /// Its id.
    #[schema(example = "perm_4Bq1yG0mXw2r7c9ZkT5dNA")]
    id: String,
    /// For the service's letter: by this code the resident takes it back at `/withdraw`, without a wallet.
    #[schema(example = "7KQ2M4XD9TVB")]
    withdrawal_code: String,
}

/// What a wallet is told about a permission of its own.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionAnswer)]
pub(super) struct AnsweredBody {
    /// The signed record as it stands.
    record: String,
    /// Links to requests that are open under this permission.
    asks: Vec<String>,
}

impl From<Checked> for CheckBody {
    fn from(checked: Checked) -> Self {
        let Checked { standing, as_of, used, uses_left } = checked;
        Self { state: standing.as_str(), as_of: as_of.to_string(), used, uses_left }
    }
}

impl From<Signed> for PermissionBody {
    fn from(signed: Signed) -> Self {
        let Signed { id, standing, record, code } = signed;
        Self { id: id.0, state: standing.as_str(), record, withdrawal_code: code }
    }
}

impl From<Permitted> for PermissionName {
    fn from(permitted: Permitted) -> Self {
        Self { id: permitted.id.0, withdrawal_code: permitted.code }
    }
}

impl From<Answered> for AnsweredBody {
    fn from(answered: Answered) -> Self {
        Self { record: answered.record, asks: answered.asks }
    }
}

pub(super) async fn check(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::PermissionsRead).await?;
    let (asking, body) = asking(&headers, body).map_err(Refusal::problem)?;
    if asking.uses && !caller.may(Scope::PermissionsWrite) {
        return Err(Refusal::NeedsPermissionsWrite.problem());
    }
    let key = repeat_key(&headers).map_err(Refusal::problem)?;
    let key = key.as_ref().map(|key| (key, body.as_ref()));
    let checked = permissions::check(&app, caller.tenant(), &PermissionId(id), &asking, key).await;
    let checked = checked.map_err(|fault| Refusal::from(&fault).problem())?;
    Ok(Json(CheckBody::from(checked)).into_response())
}

fn asking(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(Asking, Bytes), Refusal> {
    if !is_type(headers, "application/json") {
        return Err(Refusal::MediaType);
    }
    let body = body.map_err(|_| Refusal::TooLarge)?;
    Ok((Asking::parse(&body).ok_or(Refusal::PermissionQuestion)?, body))
}

pub(super) async fn read(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::PermissionsRead).await?;
    let found = permissions::read(&app, caller.tenant(), &PermissionId(id)).await;
    let found = found.map_err(|fault| Refusal::from(&fault).problem())?;
    let signed = found.ok_or_else(|| Refusal::NoSuchPermission.problem())?;
    Ok(Json(PermissionBody::from(signed)).into_response())
}

pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    envelope: Envelope,
    Name(id): Name,
) -> Result<Response, Problem> {
    let caller = caller(&app, &envelope, Scope::PermissionsWrite).await?;
    let found = permissions::withdraw(&app, caller.tenant(), &PermissionId(id)).await;
    let found = found.map_err(|fault| Refusal::from(&fault).problem())?;
    let signed = found.ok_or_else(|| Refusal::NoSuchPermission.problem())?;
    Ok(Json(PermissionBody::from(signed)).into_response())
}

/// A call by a permission's key. Whatever is wrong with it looks like a key that nobody knows.
pub(super) async fn called(
    State(app): State<Arc<App>>,
    address: Option<Extension<AddressPrefix>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !is_type(&headers, JWT) {
        return Err(Problem::unsupported("media-type", "This call takes application/jwt."));
    }
    let body = body.map_err(|_| Problem::too_large("body-too-large", "The body is too large."))?;
    let prefix = guess::prefix(app.vault(), address.as_ref().map(|Extension(prefix)| prefix));
    let now = app.now();
    let taken = app.store().take_guess(prefix, now, guess::MISSES_PER_MINUTE).await;
    if !(taken.map_err(|_| Problem::unavailable())? || vouchsafe_mutants::skips("perm-call-guesses")) {
        let title = "Too many calls about permissions that are not there. Wait a minute.";
        return Err(Problem::too_many("too-many-calls", title).retry_after(60));
    }
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let answered = permissions::called(&app, text).await.map_err(|fault| refused(&fault))?;
    app.store().return_guess(prefix, now).await.map_err(|_| Problem::unavailable())?;
    Ok(Json(AnsweredBody::from(answered)).into_response())
}

fn refused(fault: &CallRefused) -> Problem {
    match fault {
        CallRefused::Unknown => Problem::not_found("no-such-permission", "There is no such permission."),
        CallRefused::Unavailable(fault) => Refusal::from(fault).problem(),
    }
}
