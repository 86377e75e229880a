//! The link or QR text that leads a wallet to a request, and the form that fetches it by POST (section 5.10).

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::is_random;
use crate::form::{self, Form};

/// The scheme of the links that we write.
pub const SCHEME: &str = "openid4vp";

/// The most bytes of a link.
pub const MAX_LINK: usize = 4 * 1024;

/// How the request object is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST of a form with a `wallet_nonce`.
    Post,
}

/// Where a request is, and who is said to ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The client id, which the request object must repeat.
    pub client_id: String,
    /// The https address of the request object.
    pub request_uri: String,
    /// How to fetch it.
    pub method: Method,
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LinkError {
    /// Not a link of this kind.
    #[error("this is not the link of a request; copy the whole link or scan the code again")]
    Form,
    /// A request in the link itself.
    #[error("the request is in the link and not signed; only signed requests by request_uri are answered")]
    Unsigned,
    /// A form of a draft.
    #[error("the link is of an older draft ({0}); only OpenID4VP 1.0 is supported")]
    OlderDraft(&'static str),
    /// Not https.
    #[error("the request is at an address that is not https")]
    RequestUri,
    /// Neither `get` nor `post`.
    #[error("the link asks for an unknown way to fetch the request (invalid_request_uri_method)")]
    Method,
}

impl Link {
    /// Reads a link of the scheme `openid4vp`, `haip-vp` or https.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn parse(link: &str) -> Result<Self, LinkError> {
        let (scheme, _) = link.split_once(':').ok_or(LinkError::Form)?;
        let known = [SCHEME, "haip-vp", "https"].contains(&scheme) && link.len() <= MAX_LINK;
        let query = link.split_once('?').map(|(_, query)| query).filter(|_| known).ok_or(LinkError::Form)?;
        let form = Form::parse(query.as_bytes(), MAX_LINK).map_err(|_| LinkError::Form)?;
        check_older(&form)?;
        let client_id = form.member("client_id").ok_or(LinkError::Form)?;
        let Some(request_uri) = form.member("request_uri") else { return Err(without_uri(&form)) };
        if !(mutants::skips("vp-link-https") || request_uri.starts_with("https://")) {
            return Err(LinkError::RequestUri);
        }
        let method = match form.member("request_uri_method") {
            None | Some("get") => Method::Get,
            Some("post") => Method::Post,
            Some(_) => return Err(LinkError::Method),
        };
        Ok(Self { client_id: client_id.to_owned(), request_uri: request_uri.to_owned(), method })
    }

    /// Writes the link with `prefix` before the query: `openid4vp://` or a wallet's https address.
    #[must_use]
    pub fn write(&self, prefix: &str) -> String {
        let mut members = vec![("client_id", self.client_id.as_str()), ("request_uri", &self.request_uri)];
        if self.method == Method::Post {
            members.push(("request_uri_method", "post"));
        }
        format!("{prefix}?{}", form::write(&members))
    }
}

// Whoever has the handle in the address can fetch the request. `Display` is for whom the link is meant.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client_id, method, .. } = self;
        f.debug_struct("Link").field("client_id", client_id).field("method", method).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.write("openid4vp://"))
    }
}

fn check_older(form: &Form) -> Result<(), LinkError> {
    for name in ["client_id_scheme", "presentation_definition", "presentation_definition_uri"] {
        if form.member(name).is_some() {
            return Err(LinkError::OlderDraft(name));
        }
    }
    Ok(())
}

fn without_uri(form: &Form) -> LinkError {
    let inline = ["response_type", "dcql_query", "request"].iter().any(|name| form.member(name).is_some());
    if inline { LinkError::Unsigned } else { LinkError::Form }
}

/// The form with which a wallet fetches a request object by POST.
#[must_use]
pub fn fetch_form(wallet_nonce: &str) -> String {
    let metadata = serde_json::json!({
        "client_id_prefixes_supported": ["x509_hash", "x509_san_dns"],
        "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}},
        "request_object_signing_alg_values_supported": ["ES256"],
    });
    form::write(&[("wallet_metadata", &metadata.to_string()), ("wallet_nonce", wallet_nonce)])
}

/// The `wallet_nonce` of such a form, to be repeated in the request object; `None` where none was sent.
///
/// # Errors
/// [`LinkError::Form`] for a form or a nonce that is not of its form.
pub fn wallet_nonce(body: &[u8]) -> Result<Option<String>, LinkError> {
    let form = Form::parse(body, 16 * 1024).map_err(|_| LinkError::Form)?;
    match form.member("wallet_nonce") {
        None => Ok(None),
        Some(nonce) if is_random(nonce) => Ok(Some(nonce.to_owned())),
        Some(_) => Err(LinkError::Form),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            client_id: "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk".into(),
            request_uri: "https://verifier.example/r/abc?d=1".into(),
            method: Method::Post,
        }
    }

    #[test]
    fn a_link_is_read_as_it_was_written() {
        assert_eq!(Link::parse(&link().to_string()).unwrap(), link());
        let get = Link { method: Method::Get, ..link() };
        assert_eq!(Link::parse(&get.write("https://wallet.example/request")).unwrap(), get);
    }

    #[test]
    fn links_that_are_refused() {
        let text = link().to_string();
        let refused = |text: &str| Link::parse(text).unwrap_err();
        assert_eq!(refused(&format!("{text}&client_id=x")), LinkError::Form);
        assert_eq!(refused(&text.replace("post", "POST")), LinkError::Method);
        assert_eq!(refused(&text.replace("https", "http")), LinkError::RequestUri);
        assert_eq!(
            refused(&format!("{text}&client_id_scheme=x509_hash")),
            LinkError::OlderDraft("client_id_scheme")
        );
        assert_eq!(
            refused("openid4vp://?client_id=a&presentation_definition=%7B%7D"),
            LinkError::OlderDraft("presentation_definition")
        );
        assert_eq!(
            refused("openid4vp://?client_id=a&response_type=vp_token&dcql_query=%7B%7D"),
            LinkError::Unsigned
        );
        assert_eq!(refused("openid4vp://?request_uri=https%3A%2F%2Fa"), LinkError::Form);
        for text in
            ["", "openid4vp:", "ftp://a?client_id=b&request_uri=https%3A%2F%2Fa", "openid4vp://?client_id=a"]
        {
            assert_eq!(refused(text), LinkError::Form, "{text}");
        }
    }

    #[test]
    fn a_wallet_nonce_is_random() {
        let nonce = "aGVsbG8tdGhpcy1pcy1yYW5kb20";
        assert_eq!(wallet_nonce(fetch_form(nonce).as_bytes()).unwrap().as_deref(), Some(nonce));
        assert_eq!(wallet_nonce(b"").unwrap(), None);
        assert_eq!(wallet_nonce(b"wallet_nonce=short"), Err(LinkError::Form));
        assert_eq!(
            wallet_nonce(format!("wallet_nonce={nonce}&wallet_nonce={nonce}").as_bytes()),
            Err(LinkError::Form)
        );
    }
}
