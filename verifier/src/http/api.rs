//! Our own API for services (`/v1`), in JSON, with RFC 9457 problems.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_service::problem::Problem;

use super::is_type;
use crate::app::{App, Unavailable};
use crate::request::{self, Ask, BodyError, CreateError, Opened};
use crate::store::{RequestId, ServiceId, Status};

#[derive(Serialize)]
struct Created {
    id: String,
    url: String,
    qr_text: String,
    code: String,
    expires_at: String,
}

impl From<Opened> for Created {
    fn from(opened: Opened) -> Self {
        let expires_at = opened.expires_at.rfc3339();
        Self { id: opened.id.0, url: opened.url, qr_text: opened.qr_text, code: opened.code, expires_at }
    }
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let service = service(&app, &headers)?;
    if !is_type(&headers, "application/json") {
        return Err(Problem::unsupported("media-type", "This call takes application/json."));
    }
    let ask = Ask::parse(&body).map_err(|fault| problem_of(&fault.into()))?;
    let opened = request::create(&app, &service, ask).await.map_err(|fault| problem_of(&fault))?;
    Ok((StatusCode::CREATED, Json(Created::from(opened))).into_response())
}

#[derive(Serialize)]
struct StandingBody {
    id: String,
    policy: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    expires_at: String,
}

pub(super) async fn standing(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let service = service(&app, &headers)?;
    let standing =
        request::standing(&app, &service, &RequestId(id)).await.map_err(|fault| unavailable(&fault))?;
    let standing = standing.ok_or_else(no_request)?;
    let body = StandingBody {
        id: standing.id.0,
        policy: standing.policy,
        status: match standing.status {
            Status::Open => "waiting",
            Status::Answered => "answered",
            Status::Decided => "decided",
        },
        outcome: standing.outcome.map(|outcome| outcome.as_str()),
        expires_at: standing.expires_at.rfc3339(),
    };
    Ok(Json(body).into_response())
}

#[derive(Serialize)]
struct DecisionBody {
    decision: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_salt: Option<String>,
}

pub(super) async fn decision(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let service = service(&app, &headers)?;
    let found =
        request::decision(&app, &service, &RequestId(id)).await.map_err(|fault| unavailable(&fault))?;
    let signed = found.ok_or_else(no_request)?.ok_or_else(|| {
        Problem::conflict("not-decided", "The request is not decided yet.").detail("Ask again later.")
    })?;
    let body = DecisionBody {
        decision: signed.decision,
        outcome: signed.outcome.as_str(),
        ref_salt: signed.ref_salt.map(b64u),
    };
    Ok(Json(body).into_response())
}

pub(super) async fn jwks(State(app): State<Arc<App>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.jwks().to_string()).into_response()
}

/// Who calls: the test key as Bearer token (RFC 6750 2.1).
fn service(app: &App, headers: &HeaderMap) -> Result<ServiceId, Problem> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, key) = sent.split_once(' ').unwrap_or_default();
    let known = app.service_of(key.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
    known.cloned().ok_or_else(|| {
        Problem::unauthorized("no-such-key", "The call carries no key of a service.")
            .detail("Send the service's test key as Authorization: Bearer.")
    })
}

fn no_request() -> Problem {
    Problem::not_found("no-such-request", "This service has no such request.")
}

fn unavailable(fault: &Unavailable) -> Problem {
    match fault {
        Unavailable::Store(_) | Unavailable::Sign(_) | Unavailable::Full(_) | Unavailable::Register => {
            Problem::unavailable()
        }
        Unavailable::Question(_) | Unavailable::Page => Problem::internal(),
    }
}

fn problem_of(fault: &CreateError) -> Problem {
    match fault {
        CreateError::Body(BodyError::NotAnObject) => {
            Problem::bad_request("not-an-object", "The body is not one JSON object with each member once.")
        }
        CreateError::Body(BodyError::Unknown) => {
            Problem::unprocessable("unknown-member", "The body has a member that this call does not take.")
                .detail("It takes policy, flow, reference and expect.")
        }
        CreateError::Body(BodyError::Member(pointer)) => {
            Problem::unprocessable("member", "A member is missing or not of its form.").pointer(pointer)
        }
        CreateError::UnknownPolicy => {
            Problem::unprocessable("unknown-policy", "There is no live policy of that id.").pointer("/policy")
        }
        CreateError::Purpose => Problem::forbidden(
            "purpose",
            "The register does not let this service ask for the policy's purpose.",
        )
        .pointer("/policy"),
        CreateError::Policy(_) => {
            Problem::conflict("policy-unusable", "The policy cannot be asked with today.")
                .pointer("/policy")
                .detail("The operator sees why with `vouchsafe verifier policies check`.")
        }
        CreateError::Flow => {
            Problem::unprocessable("flow", "This policy needs the flow same_device.").pointer("/flow")
        }
        CreateError::ExpectMissing => {
            Problem::unprocessable("expect-missing", "This policy compares a disclosed value with expect.")
                .pointer("/expect")
        }
        CreateError::ExpectUnused => {
            Problem::unprocessable("expect-unused", "This policy compares no disclosed value.")
                .pointer("/expect")
        }
        CreateError::Unavailable(fault) => unavailable(fault),
    }
}
