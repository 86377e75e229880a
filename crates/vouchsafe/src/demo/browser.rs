//! The resident's browser: opens the hosted page, keeps its cookie, follows the wallet back.

use axum::http::header;
use vouchsafe_service::client::{Http, Reply};

use crate::exit::{Failure, Fault};

/// A browser with a cookie jar of its own; a clone is one more tab.
#[derive(Clone)]
pub struct Browser {
    http: Http,
    cookie: Option<String>,
}

impl Browser {
    /// A fresh browser profile.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { http, cookie: None }
    }

    /// The same cookie jar over the connections of `other`, as after a restart of the service.
    #[must_use]
    pub fn moved_to(&self, other: &Self) -> Self {
        Self { http: other.http.clone(), cookie: self.cookie.clone() }
    }

    /// What the browser sends as its cookie, once a page has set one.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Opens a page and gives its HTML.
    ///
    /// # Errors
    /// When the page is refused or cannot be reached.
    pub async fn open(&mut self, url: &str) -> Result<String, Failure> {
        let reply = self.visit(url).await?;
        if reply.status != 200 {
            return Err(Failure::new(
                Fault::Peer,
                "page-refused",
                format!("the page answered {}", reply.status),
            ));
        }
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }

    /// Opens a page and gives whatever comes back.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn visit(&mut self, url: &str) -> Result<Reply, Failure> {
        let mut request = self.http.get(url);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let reply = request.send().await.map_err(Failure::unavailable)?;
        if let Some(set) = reply.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()) {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        Ok(reply)
    }
}

/// The wallet's link on a hosted page.
#[must_use]
pub fn wallet_link(html: &str) -> Option<String> {
    let start = html.find("openid4vp://")?;
    let end = html[start..].find('"')? + start;
    Some(html[start..end].replace("&amp;", "&").replace("&#38;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_found_and_unescaped() {
        let html = r#"<a class="button" href="openid4vp://?client_id=a&#38;request_uri=b">Open</a>"#;
        assert_eq!(wallet_link(html).as_deref(), Some("openid4vp://?client_id=a&request_uri=b"));
        assert_eq!(wallet_link("<p>over</p>"), None);
    }
}
