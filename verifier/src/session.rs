//! The hosted page and the browser that comes back to it.
//!
//! HAIP 1.0, 5.1 and OpenID4VP 1.0, 14.2: an answer of the same-device flow counts only when the browser that opened
//! the page returns with the fresh `response_code` that the wallet was given. The session is always drawn by us on
//! the first opening and is never taken from the browser, so that nobody can plant one; it is named after the
//! page, so that two pages in one browser do not disturb each other.

use std::fmt;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::openid4vp::MatchWords;
use vouchsafe_service::entropy;
use vouchsafe_service::problem::Reference;
use vouchsafe_service::secret::same;

use crate::app::{App, Unavailable};
use crate::decision::{Closing, Finding};
use crate::expiry;
use crate::page::{self, View, Ways};
use crate::request;
use crate::secrets::Kind;
use crate::store::{Flow, Ground, Key, Request, Status, Tag};
use crate::words::Language;
use vouchsafe_protocol::decision::{Outcome, Reason};

/// What every session cookie's name begins with (RFC 6265bis 4.1.3.2: host only, secure, path /).
pub const COOKIE: &str = "__Host-vouchsafe-";

/// What a browser gets to see.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    /// The page, and on first opening the cookie to set.
    Page {
        /// The page.
        html: String,
        /// The `Set-Cookie` header.
        set_cookie: Option<String>,
    },
    /// The page belongs to another browser.
    Elsewhere,
    /// There is no such page.
    Missing,
}

/// Pages hold links, codes and outcomes; cookies are sessions.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page { .. } => "Page(…)",
            Self::Elsewhere => "Elsewhere",
            Self::Missing => "Missing",
        })
    }
}

/// The name of the page's session cookie.
#[must_use]
pub fn cookie_name(page: &str) -> String {
    let name = b64u(sha256(page));
    format!("{COOKIE}{}", &name[..12])
}

/// Shows the page to the browser that it belongs to; the first to open it is that browser.
///
/// # Errors
/// When we cannot serve.
pub async fn open(
    app: &App,
    page: &str,
    cookie: Option<&str>,
    language: Language,
) -> Result<Seen, Unavailable> {
    let Some(request) = find(app, page).await? else { return Ok(Seen::Missing) };
    if request.session.is_some() {
        return if is_own(app, &request, cookie) {
            show(app, &request, language, None).await
        } else {
            Ok(Seen::Elsewhere)
        };
    }
    let session = entropy::token32(app.entropy());
    let first = app
        .store()
        .bind_session(&request.service, &request.id, app.vault().tag(Kind::Session, &session))
        .await?;
    if !first {
        return Ok(Seen::Elsewhere);
    }
    let ttl = request.close_at.0.saturating_sub(app.now().0).max(0) + 3600;
    let set_cookie =
        format!("{}={session}; Path=/; Max-Age={ttl}; Secure; HttpOnly; SameSite=Lax", cookie_name(page));
    show(app, &request, language, Some(set_cookie)).await
}

/// Takes the browser back from the wallet; the right session with the right code decides the request.
///
/// # Errors
/// When we cannot serve; nothing was decided then.
pub async fn come_back(
    app: &App,
    page: &str,
    response_code: &str,
    cookie: Option<&str>,
    language: Language,
) -> Result<Seen, Unavailable> {
    let Some(request) = find(app, page).await? else { return Ok(Seen::Missing) };
    let session = app.vault().tag(Kind::Session, cookie.unwrap_or_default());
    if !is_own(app, &request, cookie) {
        return Ok(Seen::Elsewhere);
    }
    let response = app.vault().tag(Kind::Response, response_code);
    if let Some((finding, ground)) = ending(app, &request, response, session) {
        let question = app.question(&request).await?;
        let closing = Closing { request: &request, question: &question, finding: &finding, at: app.now() };
        let member = app.closing(&closing, ground);
        // Stale: another tab was first, or the code is not this answer's; the page says how it stands.
        let _ = app.decide_many(vec![member]).await?;
    }
    let request = app.store().request(&request.tenant(), &request.id).await?.unwrap_or(request);
    show(app, &request, language, None).await
}

/// How the request ends when its own browser is back; the store checks code and session once more.
fn ending(app: &App, request: &Request, response: Tag, session: Tag) -> Option<(Finding, Ground)> {
    match request.status {
        Status::Answered => {
            let kept = request.finding.as_deref()?;
            let text = app.vault().bound(Kind::Finding, &request.service, &request.id, kept)?;
            let finding = Finding::from_text(text)?;
            Some((finding, Ground::Return { response, session }))
        }
        Status::Open if request.error_seen => {
            let finding = Finding::without_answer(Outcome::Declined, Reason::WalletDeclined);
            Some((finding, Ground::Decline { response, session }))
        }
        Status::Open | Status::Decided => None,
    }
}

/// What problems and the log call the request of this page, as far as that can be found now.
pub async fn reference(app: &App, page: &str) -> Option<Reference> {
    let found = app.store().request_by(Key::Page(app.vault().tag(Kind::Page, page))).await;
    found.ok().flatten().map(|request| app.reference(&request.tenant(), &request.id))
}

async fn find(app: &App, page: &str) -> Result<Option<Request>, Unavailable> {
    let tag = app.vault().tag(Kind::Page, page);
    match app.store().request_by(Key::Page(tag)).await? {
        Some(request) => Ok(Some(expiry::settle(app, request, app.now()).await?)),
        None => Ok(None),
    }
}

fn is_own(app: &App, request: &Request, cookie: Option<&str>) -> bool {
    let (Some(session), Some(cookie)) = (request.session, cookie) else { return false };
    mutants::skips("vp-page-session") || same(&session.0, &app.vault().tag(Kind::Session, cookie).0)
}

async fn show(
    app: &App,
    request: &Request,
    language: Language,
    set_cookie: Option<String>,
) -> Result<Seen, Unavailable> {
    let question = app.question(request).await?;
    let view = View {
        service: &question.service.document().name,
        purpose: &question.purpose.document().text,
        other_route: &question.policy.other_route,
        status: request.status,
        outcome: request::outcome(app, request).await?,
        ways: ways(app, request),
        reference: &app.reference(&request.tenant(), &request.id),
    };
    let html = view.render(language).map_err(|_| Unavailable::Page)?;
    Ok(Seen::Page { html, set_cookie })
}

fn ways(app: &App, request: &Request) -> Option<Ways> {
    let now = app.now();
    if request.status != Status::Open || request.expires_at <= now {
        return None;
    }
    let secrets = request::open_secrets(app, request)?;
    let link = request::link(app, &secrets.handle);
    Some(Ways {
        qr: page::qr(&link)?,
        other_link: link.replacen("openid4vp:", "haip-vp:", 1),
        link,
        code: (request.code_until > now).then(|| page::grouped(&secrets.code)),
        comes_back: request.flow == Flow::SameDevice,
        match_words: MatchWords::of(app.client_id(), &secrets.nonce).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_sees_is_not_printed() {
        let page = Seen::Page { html: "ABCD 1234".into(), set_cookie: Some("x=session".into()) };
        assert_eq!(format!("{page:?}"), "Page(…)");
    }
}
