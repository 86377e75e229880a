//! The hosted pages: without JavaScript, in two languages.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use vouchsafe_protocol::form::Form;
use vouchsafe_service::problem::Reference;

use super::Name;
use crate::app::{App, Unavailable};
use crate::page::{self, NoticeKind, STYLE};
use crate::session::{self, Seen};
use crate::words::Language;

/// The most bytes of a query: as many as the listener takes of a whole address.
const MAX_QUERY: usize = 4096;

struct Asked {
    lang: Option<String>,
    response_code: Option<String>,
}

impl Asked {
    /// Reads a query; of one that is not of its form, or has a member twice, nothing is taken.
    fn read(query: Option<&str>) -> Self {
        let form = Form::parse(query.unwrap_or_default().as_bytes(), MAX_QUERY);
        let member = |name| form.as_ref().ok()?.member(name).map(str::to_owned);
        Self { lang: member("lang"), response_code: member("response_code") }
    }

    fn language(&self) -> Language {
        Language::of(self.lang.as_deref())
    }
}

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Name(page): Name,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(query.as_deref());
    let cookie = cookie(&headers, &session::cookie_name(&page));
    let seen = session::open(&app, &page, cookie, asked.language()).await;
    shown(&app, &page, seen, asked.language()).await
}

pub(super) async fn come_back(
    State(app): State<Arc<App>>,
    Name(page): Name,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(query.as_deref());
    let cookie = cookie(&headers, &session::cookie_name(&page));
    let code = asked.response_code.as_deref().unwrap_or_default();
    let seen = session::come_back(&app, &page, code, cookie, asked.language()).await;
    shown(&app, &page, seen, asked.language()).await
}

pub(super) async fn no_head() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

pub(super) async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE).into_response()
}

async fn shown(app: &App, page: &str, seen: Result<Seen, Unavailable>, language: Language) -> Response {
    match seen {
        Ok(Seen::Page { html, set_cookie: None }) => Html(html).into_response(),
        Ok(Seen::Page { html, set_cookie: Some(cookie) }) => {
            ([(header::SET_COOKIE, cookie)], Html(html)).into_response()
        }
        Ok(Seen::Elsewhere) => notice(StatusCode::FORBIDDEN, NoticeKind::Elsewhere, language, None),
        Ok(Seen::Missing) => notice(StatusCode::NOT_FOUND, NoticeKind::Missing, language, None),
        Err(fault) => {
            // The service's own call about this request is refused under the same name.
            let reference = session::reference(app, page).await.unwrap_or_else(Reference::draw);
            tracing::error!(problem.reference = reference.as_str(), "a page was not served: {fault}");
            notice(StatusCode::SERVICE_UNAVAILABLE, NoticeKind::Busy, language, Some(&reference))
        }
    }
}

fn notice(
    status: StatusCode,
    kind: NoticeKind,
    language: Language,
    reference: Option<&Reference>,
) -> Response {
    match page::notice(kind, language, reference) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => status.into_response(),
    }
}

/// The value of one cookie (RFC 6265 5.4); the last of several with that name is taken by nobody.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(sent, _)| *sent == name).map(|(_, value)| value);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}
