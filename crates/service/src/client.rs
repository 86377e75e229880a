//! The door out: HTTPS to given anchors, without redirects, within limits.
//!
//! Trust is in the anchors that the caller names and nowhere else. Names are resolved here, and an address that is not
//! global is refused before a connection is made to it: a URL from outside must not reach into our own network. `dev`,
//! `demo` and tests may reach loopback, and only that. Proxies of the environment are not used.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use url::{Host, Url};
use vouchsafe_mutants as mutants;

const CONNECT: Duration = Duration::from_secs(3);
const TOTAL: Duration = Duration::from_secs(20);
/// The most that a peer may answer, in bytes, unless the caller says otherwise.
pub const MAX_REPLY: usize = 1024 * 1024;

/// Which addresses may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Global addresses only.
    Global,
    /// Loopback as well: `dev`, `demo` and tests.
    Loopback,
}

/// Why there is no reply. Never names the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// An anchor is not a certificate, or the client could not be built: the operator's.
    #[error("the HTTPS client cannot be built; check the anchors")]
    Setup,
    /// The URL is not https, or carries a user name: whoever gave it.
    #[error("the URL is not a plain https URL")]
    Url,
    /// The URL leads to an address that is not global: whoever gave it.
    #[error("the URL leads to an address that may not be reached from here")]
    Address,
    /// The peer did not answer in time, or not over TLS that the anchors vouch for.
    #[error("the peer cannot be reached; check its address, its certificate and the anchors")]
    Unreachable,
    /// The reply is longer than allowed, or it broke off.
    #[error("the peer's reply is too long or broke off")]
    Reply,
}

/// A client for one set of anchors.
#[derive(Clone)]
pub struct Http {
    inner: reqwest::Client,
    reach: Reach,
    /// Whether clear text may be spoken with this machine itself.
    clear: bool,
}

impl Http {
    /// A client that trusts servers under `anchors` alone.
    ///
    /// # Errors
    /// [`FetchError::Setup`] when an anchor is no certificate.
    pub fn new(anchors: &[CertificateDer<'_>], reach: Reach) -> Result<Self, FetchError> {
        Self::build(anchors, reach, false)
    }

    /// A client that speaks with this machine alone, in clear text too: for whoever develops a receiver on it.
    ///
    /// # Errors
    /// [`FetchError::Setup`] when the client cannot be built.
    pub fn to_this_machine() -> Result<Self, FetchError> {
        Self::build(&[], Reach::Loopback, true)
    }

    fn build(anchors: &[CertificateDer<'_>], reach: Reach, clear: bool) -> Result<Self, FetchError> {
        let inner = builder()
            .tls_backend_preconfigured(tls(anchors)?)
            .https_only(!clear)
            .redirect(redirects())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .dns_resolver(Arc::new(Guard(reach)))
            .build()
            .map_err(|_| FetchError::Setup)?;
        Ok(Self { inner, reach, clear })
    }

    /// Whether `url` is one that can be tried: plain, of a scheme that this client speaks, and not the number of an
    /// address that may not be reached. What a name leads to is seen when it is called.
    ///
    /// # Errors
    /// [`FetchError::Url`] and [`FetchError::Address`].
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        self.checked(url).map(drop)
    }

    fn checked(&self, url: &str) -> Result<Url, FetchError> {
        if self.clear { check_near(url) } else { check_url(url, self.reach) }
    }

    /// A GET request.
    #[must_use]
    pub fn get(&self, url: &str) -> Outgoing<'_> {
        self.request(Method::GET, url)
    }

    /// A POST request.
    #[must_use]
    pub fn post(&self, url: &str) -> Outgoing<'_> {
        self.request(Method::POST, url)
    }

    fn request(&self, method: Method, url: &str) -> Outgoing<'_> {
        let url = self.checked(url);
        Outgoing { http: self, method, url, headers: HeaderMap::new(), body: Vec::new(), max: MAX_REPLY }
    }
}

/// A request before it is sent.
pub struct Outgoing<'a> {
    http: &'a Http,
    method: Method,
    url: Result<Url, FetchError>,
    headers: HeaderMap,
    body: Vec<u8>,
    max: usize,
}

/// What the peer answered. The status is the caller's to judge.
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The media type without its parameters, in lower case; empty when there is none.
    #[must_use]
    pub fn media_type(&self) -> String {
        let value =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl Outgoing<'_> {
    /// Sets a header field. A value that HTTP cannot carry makes the request fail as [`FetchError::Url`].
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match value.parse() {
            Ok(value) => {
                self.headers.insert(name, value);
            }
            Err(_) => self.url = Err(FetchError::Url),
        }
        self
    }

    /// Sets `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// Sets a body of the given media type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE, media_type)
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("request types have string keys and always serialise");
        self.body("application/json", body)
    }

    /// Sets a form body.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sets the most bytes that the reply may have.
    #[must_use]
    pub fn max_reply(mut self, bytes: usize) -> Self {
        self.max = bytes;
        self
    }

    /// Sends the request and reads the whole reply.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn send(self) -> Result<Reply, FetchError> {
        let max = self.max;
        let response = self.begin().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: read(response, max).await? })
    }

    /// Sends the request and hears the status alone; nothing of the body is read.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn status(self) -> Result<u16, FetchError> {
        Ok(self.begin().await?.status().as_u16())
    }

    async fn begin(self) -> Result<reqwest::Response, FetchError> {
        let request = self.http.inner.request(self.method, self.url?).headers(self.headers).body(self.body);
        request.send().await.map_err(|e| refusal(&e))
    }
}

async fn read(mut response: reqwest::Response, max: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Reply)? {
        if !(mutants::skips("svc-reply-cap") || body.len() + chunk.len() <= max) {
            return Err(FetchError::Reply);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A redirect is a reply as any other, for the caller to judge: where it leads was not checked.
fn redirects() -> reqwest::redirect::Policy {
    if mutants::skips("svc-redirect") {
        reqwest::redirect::Policy::limited(1)
    } else {
        reqwest::redirect::Policy::none()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client is built, with every limit set")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}

fn tls(anchors: &[CertificateDer<'_>]) -> Result<rustls::ClientConfig, FetchError> {
    let mut roots = RootCertStore::empty();
    for anchor in anchors {
        roots.add(anchor.clone().into_owned()).map_err(|_| FetchError::Setup)?;
    }
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| FetchError::Setup)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A literal address never reaches the resolver, so it is checked here.
fn check_url(url: &str, reach: Reach) -> Result<Url, FetchError> {
    let url = Url::parse(url).map_err(|_| FetchError::Url)?;
    if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Url);
    }
    let literal = match url.host() {
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        Some(Host::Domain(_)) => None,
        None => return Err(FetchError::Url),
    };
    if !(mutants::skips("svc-ssrf-literal") || literal.is_none_or(|address| may_reach(address, reach))) {
        return Err(FetchError::Address);
    }
    Ok(url)
}

/// An address of this machine: by number or by the one name for it. No other name is asked for.
fn check_near(url: &str) -> Result<Url, FetchError> {
    let url = Url::parse(url).map_err(|_| FetchError::Url)?;
    let near = match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(FetchError::Url),
    };
    if url.scheme() != "http" || !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Url);
    }
    if !(mutants::skips("svc-near") || near) {
        return Err(FetchError::Address);
    }
    Ok(url)
}

/// Resolves names and lets only permitted addresses through; what was checked is what is connected to.
struct Guard(Reach);

#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be reached")]
struct Guarded;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One forbidden address refuses the name: an answer that mixes both is not an honest one.
            let permitted = found.iter().all(|address| may_reach(address.ip(), reach));
            if !(mutants::skips("svc-ssrf-name") || permitted) {
                return Err(Guarded.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn refusal(error: &reqwest::Error) -> FetchError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if current.is::<Guarded>() {
            return FetchError::Address;
        }
        source = current.source();
    }
    FetchError::Unreachable
}

/// Whether an address is one that may be reached: global unicast, or loopback where that is allowed.
fn may_reach(address: IpAddr, reach: Reach) -> bool {
    let address = address.to_canonical();
    (reach == Reach::Loopback && address.is_loopback()) || is_global(address)
}

/// The special-purpose registries of IANA (RFC 6890 and its updates), those parts that are not global unicast.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = matches!(
                (a, b, c),
                (0 | 10 | 127, ..)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 0, 0 | 2)
                    | (192, 88, 99)
                    | (192, 168, _)
                    | (198, 18 | 19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
                    | (224..=255, ..)
            );
            !special
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            // 2000::/3 is global unicast, less 2001::/23 (protocols), 2001:db8::/32 and 3fff::/20 (examples) and
            // 2002::/16, which wraps an IPv4 address.
            let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
                || first == 0x2002
                || (first == 0x3fff && second < 0x1000);
            (first & 0xe000) == 0x2000 && !special
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_global() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::",
            "3fff::1",
        ] {
            assert!(!may_reach(text.parse().unwrap(), Reach::Global), "{text}");
        }
        for text in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1", "2001:4860::1"] {
            assert!(may_reach(text.parse().unwrap(), Reach::Global), "{text}");
        }
        assert!(may_reach("::1".parse().unwrap(), Reach::Loopback));
        assert!(may_reach("127.0.0.1".parse().unwrap(), Reach::Loopback));
        assert!(!may_reach("10.0.0.1".parse().unwrap(), Reach::Loopback));
    }

    #[tokio::test]
    async fn urls_that_lead_inside_are_refused_before_connecting() {
        let http = Http::new(&[], Reach::Global).unwrap();
        for (url, why) in [
            ("http://example.org/", FetchError::Url),
            ("https://user@example.org/", FetchError::Url),
            ("not a url", FetchError::Url),
            ("https://127.0.0.1/", FetchError::Address),
            ("https://2130706433/", FetchError::Address),
            ("https://[::1]/", FetchError::Address),
            ("https://169.254.169.254/latest", FetchError::Address),
            ("https://localhost/", FetchError::Address),
        ] {
            assert_eq!(http.get(url).send().await.err(), Some(why), "{url}");
        }
    }

    #[test]
    fn clear_text_goes_to_this_machine_alone() {
        let http = Http::to_this_machine().unwrap();
        for url in ["http://127.0.0.1:3000/hook", "http://localhost:3000/hook", "http://[::1]/hook"] {
            assert_eq!(http.check(url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("http://192.168.1.1/", FetchError::Address),
            ("http://example.org/", FetchError::Address),
            ("http://localhost.example.org/", FetchError::Address),
            ("https://localhost/", FetchError::Url),
            ("http://user@localhost/", FetchError::Url),
            ("file:///etc/hosts", FetchError::Url),
            ("hook", FetchError::Url),
        ] {
            assert_eq!(http.check(url), Err(why), "{url}");
        }
        let global = Http::new(&[], Reach::Global).unwrap();
        assert_eq!(global.check("http://localhost:3000/hook"), Err(FetchError::Url));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_switch_that_is_noticed() {
        let http = Http::to_this_machine().unwrap();
        assert_eq!(mutants::without("svc-near", || http.check("http://example.org/")), Ok(()));
    }

    #[tokio::test]
    async fn a_header_that_http_cannot_carry_fails_the_request() {
        let http = Http::new(&[], Reach::Loopback).unwrap();
        let sent = http.get("https://localhost:1/").header(header::ACCEPT, "a\r\nb").send().await;
        assert_eq!(sent.err(), Some(FetchError::Url));
    }
}
