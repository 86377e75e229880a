//! The status lists: `GET /status/{shard}` (draft-ietf-oauth-status-list-20, section 8).
//!
//! The same answer for everybody, fit for caches, from memory ([`crate::status::shelf`]). Who asks is not looked at; calls
//! are counted as everywhere, by part of the network and for a minute. History is not offered: how a list stood on a day
//! would tell when somebody's standing changed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vouchsafe_protocol::openid4vci::errors::CredentialError;
use vouchsafe_protocol::status::{CWT_MEDIA_TYPE, JWT_MEDIA_TYPE};
use vouchsafe_service::problem::Problem;

use super::Refusal;
use crate::app::App;
use crate::status::StatusError;
use crate::status::shelf::{Served, Written};
use crate::store::{ReserveRefusal, Store};

impl From<StatusError> for Refusal {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Refused(ReserveRefusal::Suspended) => {
                Self::Credential(CredentialError::CredentialRequestDenied)
            }
            StatusError::Store(error) => error.into(),
            _ => Self::Ours,
        }
    }
}

/// `GET /status/{shard}`
pub(super) async fn list<S: Store>(
    State(app): State<Arc<App<S>>>,
    named: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // Section 8.4: who does not offer history says so.
    if query.is_some_and(|query| query.split('&').any(|pair| pair == "time" || pair.starts_with("time="))) {
        return Ok(StatusCode::NOT_IMPLEMENTED.into_response());
    }
    // Octets that are no text name nothing.
    let Path(shard) = named.map_err(|_| Refusal::NothingHere)?;
    let served = app.shelf().take(app.store(), &shard, app.now()).await?.ok_or(Refusal::NothingHere)?;
    let Some(form) = Form::wanted(&headers) else {
        return Ok(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "Ask for a status list as JWT or as CWT.",
        )
        .into_response());
    };
    Ok(form.answer(&served, &headers))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Jwt,
    Cwt,
}

impl Form {
    /// The form that the caller likes best; the JWT where it likes both alike.
    fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::ACCEPT).iter().peekable();
        if values.peek().is_none() {
            return Some(Self::Jwt);
        }
        let ranges: Vec<_> =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        let (jwt, cwt) = (liking(&ranges, JWT_MEDIA_TYPE), liking(&ranges, CWT_MEDIA_TYPE));
        match (jwt, cwt) {
            (0, 0) => None,
            (jwt, cwt) if cwt > jwt => Some(Self::Cwt),
            _ => Some(Self::Jwt),
        }
    }

    fn answer(self, served: &Served, headers: &HeaderMap) -> Response {
        let (media_type, Written { body, tag }) = match self {
            Self::Jwt => (JWT_MEDIA_TYPE, &served.jwt),
            Self::Cwt => (CWT_MEDIA_TYPE, &served.cwt),
        };
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let same =
            |one: &str| matches!(one.trim().trim_start_matches("W/"), one if one == *tag || one == "*");
        let known = known.is_some_and(|known| known.split(',').any(same));
        let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = (status, if known { Bytes::new() } else { body.clone() }).into_response();
        let mut set = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).expect("letters, digits and signs of our own");
            response.headers_mut().insert(name, value);
        };
        set(header::ETAG, tag);
        set(header::CACHE_CONTROL, &format!("public, max-age={}", served.ttl));
        set(header::VARY, "Accept");
        set(header::CONTENT_TYPE, media_type);
        // Section 8.1: pages of other origins may read what everybody may.
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        response
    }
}

/// How much, in thousandths, a media type is liked by the most specific range that names it (RFC 9110 12.5.1).
fn liking(ranges: &[&str], media_type: &str) -> u32 {
    let rank = |range: &str| match range {
        "*/*" => Some(0),
        "application/*" => Some(1),
        exact if exact.eq_ignore_ascii_case(media_type) => Some(2),
        _ => None,
    };
    let named = ranges.iter().filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let rank = rank(parts.next().unwrap_or_default())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        Some((rank, weight))
    });
    named.max_by_key(|(rank, _)| *rank).map_or(0, |(_, weight)| weight)
}

fn thousandths(weight: &str) -> u32 {
    weight.parse::<f32>().map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        }
        Form::wanted(&headers).map(|form| if form == Form::Jwt { "jwt" } else { "cwt" })
    }

    #[test]
    fn the_form_that_is_liked_best() {
        for accept in [
            "",
            "*/*",
            "application/*",
            "application/statuslist+jwt",
            "application/statuslist+cwt, application/statuslist+jwt",
            "application/statuslist+cwt;q=0.5, */*;q=0.6",
        ] {
            assert_eq!(wanted(accept), Some("jwt"), "{accept}");
        }
        for accept in [
            "application/statuslist+cwt",
            "text/html, Application/StatusList+CWT",
            "application/statuslist+jwt;q=0.1, application/statuslist+cwt;q=0.9",
            "application/statuslist+jwt;q=0, */*",
        ] {
            assert_eq!(wanted(accept), Some("cwt"), "{accept}");
        }
        for accept in ["text/html", "application/json", "*/*;q=0", "application/statuslist+jwt;q=x"] {
            assert_eq!(wanted(accept), None, "{accept}");
        }
    }
}
