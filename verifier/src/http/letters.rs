//! The page on which a permission is taken back by the code of a letter: one field, one button, no JavaScript.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::form::Form;
use vouchsafe_service::limits::AddressPrefix;
use vouchsafe_service::problem::Reference;

use super::{API_BODY, is_type};
use crate::app::{App, Unavailable};
use crate::guess;
use crate::page::letter::{Letter, Says};
use crate::permissions;
use crate::words::Language;

/// As everywhere, but that this page's form goes to this page.
const CONTENT: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const FORM: &str = "application/x-www-form-urlencoded";
/// The most bytes of a query.
const MAX_QUERY: usize = 1024;

pub(super) async fn open(RawQuery(query): RawQuery) -> Response {
    page(StatusCode::OK, language(query.as_deref()), &Says::Ask)
}

pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    address: Option<Extension<AddressPrefix>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let language = language(query.as_deref());
    let code = body.ok().filter(|_| is_type(&headers, FORM)).and_then(|body| code(&body));
    let Some(code) = code else { return page(StatusCode::BAD_REQUEST, language, &Says::Wrong) };
    let prefix = address.as_ref().map(|Extension(prefix)| prefix);
    match taken(&app, &code, prefix).await {
        Ok((status, says)) => page(status, language, &says),
        Err(fault) => {
            let reference = Reference::draw();
            tracing::error!(
                problem.reference = reference.as_str(),
                "a permission was not taken back by letter: {fault}"
            );
            page(StatusCode::SERVICE_UNAVAILABLE, language, &Says::Busy(reference))
        }
    }
}

/// A guess is taken before the code is looked up and given back when it was right.
async fn taken(
    app: &App,
    code: &str,
    address: Option<&AddressPrefix>,
) -> Result<(StatusCode, Says), Unavailable> {
    let (prefix, now) = (guess::prefix(app.vault(), address), app.now());
    let room = app.store().take_guess(prefix, now, guess::MISSES_PER_MINUTE).await?;
    if !(room || mutants::skips("perm-letter-guesses")) {
        return Ok((StatusCode::TOO_MANY_REQUESTS, Says::TooMany));
    }
    let Some(taken) = permissions::by_letter(app, code).await? else {
        return Ok((StatusCode::NOT_FOUND, Says::Wrong));
    };
    app.store().return_guess(prefix, now).await?;
    Ok((StatusCode::OK, Says::Taken(Box::new(taken))))
}

/// The one field.
fn code(body: &[u8]) -> Option<String> {
    let form = Form::parse(body, API_BODY).ok()?;
    let code = form.member("code")?.to_owned();
    (form.len() == 1).then_some(code)
}

fn language(query: Option<&str>) -> Language {
    let form = Form::parse(query.unwrap_or_default().as_bytes(), MAX_QUERY).ok();
    Language::of(form.as_ref().and_then(|form| form.member("lang")))
}

fn page(status: StatusCode, language: Language, says: &Says) -> Response {
    let content = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT))];
    match (Letter { says }).render(language) {
        Ok(html) => (status, content, Html(html)).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
